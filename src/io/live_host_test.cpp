#include "io/live_host.hpp"

#include "engine/engine.hpp"
#include "io/local_venue.hpp"

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace phoenix::io {
namespace {

engine::Options engine_options() {
  engine::Options options;
  options.total_notional_max = model::Money::of("1000");
  engine::SymbolOptions symbol;
  symbol.name = "BTCUSDT";
  symbol.grid.net_max = symbol.limits.net_max = model::Qty::of("0.1");
  symbol.grid.layer_size = model::Qty::of("0.01");
  symbol.grid.start = symbol.grid.first_spacing = {.unit = quote::DistanceUnit::bps, .value = 5};
  symbol.grid.min_spread = 0.0005;
  options.symbols = {symbol};
  return options;
}

constexpr std::string_view rules =
    R"({"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":2400}],"symbols":[)"
    R"({"symbol":"BTCUSDT","status":"TRADING","contractType":"PERPETUAL","baseAsset":"BTC","quoteAsset":"USDT",)"
    R"("marginAsset":"USDT","pricePrecision":2,"quantityPrecision":3,"filters":[)"
    R"({"filterType":"PRICE_FILTER","minPrice":"0.1","maxPrice":"1000000","tickSize":"0.1"},)"
    R"({"filterType":"LOT_SIZE","minQty":"0.001","maxQty":"1000","stepSize":"0.001"},)"
    R"({"filterType":"MIN_NOTIONAL","notional":"5"}]}]})";

/// Tells time and rules, so that an engine comes to its signed questions, and leaves those to others.
class CarelessVenue final : public LocalVenue {
 public:
  explicit CarelessVenue(const RealClock& clock) : clock_{clock} {}
  bool take(const engine::Action& action, const engine::Actions& all, base::LocalTime) override {
    const auto* const call = std::get_if<engine::CallRest>(&action);
    if (call == nullptr || all.text(call->target).find("signature=") != std::string_view::npos ||
        all.text(call->method) != "GET")
      return false;
    asked_ = call->request;
    asks_time_ = all.text(call->target) == "/fapi/v1/time";
    return true;
  }
  void saw(const engine::Input&, base::LocalTime) override {}
  std::optional<engine::Input> next(base::LocalTime) override {
    if (!asked_) return std::nullopt;
    body_ = asks_time_ ? fmt::format(R"({{"serverTime":{}}})", base::ns_of(clock_.now()) / 1'000'000)
                       : std::string{rules};
    engine::RestAnswered answer{.request = *asked_,
                                .status = 200,
                                .used_weight_1m = {},
                                .order_count_10s = {},
                                .order_count_1m = {},
                                .retry_after_s = {},
                                .body = body_};
    asked_.reset();
    return answer;
  }
  base::LocalTime next_deadline() override { return base::LocalTime::max(); }

 private:
  const RealClock& clock_;
  std::optional<model::RequestId> asked_;
  bool asks_time_ = false;
  std::string body_;
};

void run_with(const LiveHostOptions& options, const RealClock& clock) {
  engine::Engine engine{engine_options(), {"paper", venue::binance::Signer::hmac("secret")}, 1};
  LiveHost host{clock, engine, options, [](engine::Severity, std::string_view) {}};
  host.start();
  static_cast<void>(host.wait_finished(base::seconds{20}));
}

TEST(LiveHostDeathTest, with_an_account_in_this_process_nothing_signed_leaves_it) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const RealClock clock;
  CarelessVenue venue{clock};
  LiveHostOptions options;
  options.rest.host = options.stream.host = "127.0.0.1";
  options.local_venue = &venue;
  EXPECT_DEATH(run_with(options, clock), "an account in this process (signs|changes) nothing");
}

TEST(LiveHostDeathTest, with_an_account_in_this_process_it_holds_no_key_and_no_address_for_orders) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const RealClock clock;
  CarelessVenue venue{clock};
  LiveHostOptions options;
  options.local_venue = &venue;
  options.api_key = "real";
  EXPECT_DEATH(run_with(options, clock), "holds no key and no order address");
  options.api_key.clear();
  options.order_api.host = "ws-fapi.example.com";
  EXPECT_DEATH(run_with(options, clock), "holds no key and no order address");
}

}  // namespace
}  // namespace phoenix::io
