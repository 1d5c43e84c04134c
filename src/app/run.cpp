#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/log.hpp"
#include "app/maker.hpp"
#include "app/paper.hpp"
#include "app/preflight.hpp"
#include "app/service_notice.hpp"
#include "app/venue_desk.hpp"
#include "io/files.hpp"
#include "io/signals.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>

namespace phoenix::app {
namespace {

bool has_wishes(const Config& config) {
  return std::any_of(config.account.begin(), config.account.end(),
                     [](const auto& wish) { return wish.margin_type || wish.leverage; });
}

std::string first_start_text(const FirstStart& first, const std::vector<std::string>& left_out) {
  return fmt::format(
      "limited start: {} alone, orders of {}, {} layers a side, all positions worth at most {}{}; --full "
      "trades "
      "everything as configured",
      first.symbol, first.layer_size.text(), first.layers, first.total_notional_max.text(),
      left_out.empty() ? "" : fmt::format(", left out: {}", fmt::join(left_out, ", ")));
}

/// What a run begins with, once the venue was asked.
struct Beginning {
  Config config;
  Credentials credentials;
  std::optional<sim::PaperOptions> paper;
};

void begin_small(Config& config, const PreflightFacts& facts, const model::SymbolTable& symbols,
                 const io::LiveHost::Logger& log) {
  const auto id = symbols.find(config.account.front().symbol);
  const auto* const rules = id ? rules_of(facts, *id) : nullptr;
  const auto& top = facts.symbols.front().top;
  if (rules == nullptr || !top || !*top)
    throw StartError(config.account.front().symbol + ": a limited start needs its rules and a market");
  const auto first = plan_first_start(config, *rules, (*top)->mid());
  if (!first) throw StartError("a limited start is not possible: " + first.error());
  std::vector<std::string> left_out;
  for (const auto& wish : config.account) {
    if (wish.symbol != first->symbol) left_out.push_back(wish.symbol);
  }
  hold_to(*first, config);
  log(engine::Severity::warning, first_start_text(*first, left_out));
}

/// Asks the venue what has to be known before anything is opened, and refuses what must not begin.
Beginning begin(const RunArguments& arguments, Config config, const io::RealClock& clock,
                const io::LiveHost::Logger& log) {
  Beginning made;
  made.credentials = arguments.paper ? paper_credentials() : load_credentials(config);
  if (const auto trouble = io::secret_memory_trouble(); !trouble.empty() && !arguments.paper)
    log(engine::Severity::warning, trouble);
  const bool checks = needs_preflight(config, arguments), small = begins_small(config, arguments);
  const bool agrees = !arguments.paper && has_wishes(config);
  if (checks || small || agrees || arguments.paper) {
    std::vector<std::string> names;
    for (const auto& wish : config.account) names.push_back(wish.symbol);
    VenueDesk desk{clock, config, made.credentials, names};
    if (checks || small || arguments.paper) {
      const auto scope = arguments.paper ? PreflightScope::public_data : PreflightScope::account;
      const auto facts = gather_facts(desk, config, made.credentials, scope);
      const auto refused = refusal(judge(config, desk.symbols(), facts, scope), arguments.config);
      if (!refused.empty()) throw StartError(refused);
      if (small) begin_small(config, facts, desk.symbols(), log);
      if (arguments.paper)
        made.paper =
            paper_options(*arguments.paper, config, desk.symbols(), facts, made.credentials, clock.now());
    }
    if (agrees) {
      std::vector<std::string> changes;
      agree_on_account(desk, config, changes);
      for (const auto& change : changes) log(engine::Severity::info, "account set " + change);
    }
  }
  made.config = std::move(config);
  return made;
}

}  // namespace

bool begins_small(const Config& config, const RunArguments& arguments) {
  if (arguments.extent != Extent::usual) return arguments.extent == Extent::limited;
  return !arguments.paper && venue::binance::is_live(config.hosts);
}

bool needs_preflight(const Config& config, const RunArguments& arguments) {
  return !arguments.paper && venue::binance::is_live(config.hosts);
}

int run(const RunArguments& arguments) {
  Config config = load_config(arguments.config, Purpose::run, recorder_environment());
  if (arguments.insecure_bind == InsecureBind::yes) config.beyond_loopback = BeyondLoopback::anybody;
  if (arguments.paper) move_to_paper(config);
  refuse_when_latched(config,
                      fmt::format("-c {}{}", arguments.config.string(), arguments.paper ? " --paper" : ""));
  const io::StopSignals signals;
  const io::RealClock clock;
  ServiceNotice notice{io::ServiceManager::from_environment(), Purpose::run};
  const Log log{config.log};
  const auto [started, credentials, paper] = begin(arguments, std::move(config), clock, log);
  Maker maker{clock, started, io::read_file(arguments.config), credentials, log, LocalResults::forget, paper};
  if (paper) {
    log(engine::Severity::warning,
        fmt::format(
            "PAPER: the market is that of {}, orders meet a model of the queue and no venue; one way {:.1f} "
            "ms, kept in {}",
            started.hosts.streams.text("wss"), static_cast<double>(paper->one_way.count()) / 1e6,
            started.data_dir.string()));
  }
  log(engine::Severity::info,
      fmt::format("starting epoch={} rest={} metrics_port={} input_log={}", maker.run_epoch(),
                  started.hosts.rest.text("https"), maker.metrics_port(),
                  maker.input_log() ? maker.input_log()->string() : "none"));
  maker.watch_config(arguments.config);
  maker.start();
  const base::LocalTime begin = clock.now();
  StateTeller states{log, started.log.state_interval, begin};
  while (!signals.raised() && !maker.wait_finished(base::milliseconds{0})) {
    const base::LocalTime now = clock.now();
    if (arguments.run_for && now - begin >= *arguments.run_for) break;
    notice.turn(maker.steps(), now, [&maker] { return maker.status(); });
    states.turn(now, [&maker] { return maker.status(); });
    pollfd fd{.fd = signals.fd(), .events = POLLIN, .revents = 0};
    ::poll(&fd, 1, 100);
  }
  notice.leaving(maker.steps(), clock.now());
  maker.request_stop();
  auto end = maker.wait_finished(base::milliseconds{0});
  for (const base::LocalTime latest = clock.now() + base::seconds{15}; !end && clock.now() < latest;) {
    notice.leaving(maker.steps(), clock.now());
    end = maker.wait_finished(base::milliseconds{100});
  }
  maker.stop();
  if (!end) throw StartError("the engine did not finish in time; orders may rest on the venue");
  if (end->exit_code == 2) throw StartError(end->reason);
  if (end->exit_code == 0 && !end->reason.empty()) {
    log(engine::Severity::warning, end->reason);
  } else if (end->exit_code == 0) {
    log(engine::Severity::info, paper ? "left safely: the model lists no order of ours"
                                      : "left safely: the venue lists no order of ours");
  } else {
    log(engine::Severity::error, end->reason);
  }
  return end->exit_code;
}

}  // namespace phoenix::app
