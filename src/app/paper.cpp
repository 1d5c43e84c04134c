#include "app/paper.hpp"

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

namespace phoenix::app {
namespace {

constexpr base::Duration one_way_min = base::microseconds{100}, one_way_max = base::seconds{1};

class PaperAccount final : public io::LocalVenue {
 public:
  PaperAccount(const sim::PaperOptions& options, const engine::Engine& engine) : venue_{options, engine} {}

  bool take(const engine::Action& action, const engine::Actions& all, base::LocalTime now) override {
    return venue_.take(action, all, now);
  }
  void saw(const engine::Input& input, base::LocalTime now) override { venue_.saw(input, now); }
  std::optional<engine::Input> next(base::LocalTime now) override { return venue_.next(now); }
  base::LocalTime next_deadline() override { return venue_.next_deadline(); }

 private:
  sim::PaperVenue venue_;
};

}  // namespace

void move_to_paper(Config& config) {
  const bool inside = config.recording.dir == config.data_dir / "recording";
  config.data_dir /= "paper";
  config.recording.dir = inside ? config.data_dir / "recording" : config.recording.dir / "paper";
  if (!config.recording.second_dir.empty()) config.recording.second_dir /= "paper";
  // The model has one path for orders, whatever the real venue's is called.
  config.hosts.ws_api.path = engine::Options{}.order_api_target;
}

Credentials paper_credentials() {
  return {.api_key = "paper", .hmac_secret = io::Secret{io::random_hex(32)}, .ed25519_pem = {}};
}

sim::PaperOptions paper_options(const PaperSettings& settings, const Config& config,
                                const model::SymbolTable& symbols, const PreflightFacts& facts,
                                const Credentials& credentials, base::LocalTime now) {
  sim::PaperOptions options;
  options.api_key = credentials.api_key;
  options.api_secret = credentials.hmac_secret.view();
  options.market.queue = settings.queue;
  options.market.maker_fee = settings.maker_fee;
  options.market.taker_fee = settings.taker_fee;
  options.market.wallet = settings.wallet;
  for (std::size_t i = 0; i < config.account.size(); ++i) {
    const auto& name = config.account[i].symbol;
    const auto id = symbols.find(name);
    const auto* const rules = id ? rules_of(facts, *id) : nullptr;
    const auto& top = facts.symbols.at(i).top;
    if (rules == nullptr || !top || !*top)
      throw StartError(name + ": paper trading needs its rules and a market");
    options.market.symbols.push_back(sim::external_spec(*rules, (*top)->mid()));
  }
  options.start = now;
  if (!facts.clock) throw StartError("the venue's clock: " + facts.clock.error());
  options.clock_offset = facts.clock->offset;
  options.one_way = std::clamp(settings.order_latency.value_or(facts.clock->error), one_way_min, one_way_max);
  return options;
}

std::unique_ptr<io::LocalVenue> make_paper_venue(const sim::PaperOptions& options,
                                                 const engine::Engine& engine) {
  try {
    return std::make_unique<PaperAccount>(options, engine);
  } catch (const std::invalid_argument& fault) {
    throw StartError(fmt::format("paper: {}", fault.what()));
  }
}

}  // namespace phoenix::app
