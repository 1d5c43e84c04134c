#include "app/preflight.hpp"

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::app {
namespace {

using testing::HasSubstr;
using Verdict = Check::Verdict;
using MarginType = venue::binance::SymbolSettings::MarginType;

constexpr auto text = R"(global:
  venue: testnet
  total_notional_max: 4000
symbols:
  - symbol: ETHUSDC
    net_max: 0.26
    unified_layer_size: 0.008
    min_spread: 0.0005
    grid_start_offset: 1.5
    grid_first_spacing: 1.5
    tick_size: 0.01
    margin_type: isolated
    leverage: 20
)";

/// A configuration and an account with which nothing is wrong.
class Preflight : public testing::Test {
 protected:
  Preflight() {
    auto parsed = parse_config(text);
    EXPECT_TRUE(parsed.config.has_value()) << describe("f", parsed.errors);
    config = std::move(*parsed.config);
    const auto eth = *symbols.add("ETHUSDC");
    facts.clock = ClockSight{.offset = base::milliseconds{3}, .error = base::milliseconds{12}};
    facts.permissions = std::optional{KeyPermissions{.futures = true, .ip_bound = true}};
    facts.account = venue::binance::AccountSettings{
        .position_mode = venue::binance::AccountSettings::PositionMode::one_way,
        .permission = venue::binance::AccountSettings::Permission::may_trade};
    model::Instrument rules;
    rules.symbol = eth;
    rules.name = "ETHUSDC";
    rules.base_asset = "ETH";
    rules.quote_asset = "USDC";
    rules.status = model::SymbolStatus::trading;
    rules.tick_size = model::Price::of("0.01");
    rules.step_size = rules.qty_min = model::Qty::of("0.001");
    rules.notional_min = model::Money::of("20");
    facts.rules = venue::binance::ExchangeInfo{
        .instruments = {rules},
        .limits = {{.kind = venue::LimitKind::weight, .interval = base::minutes{1}, .limit = 2400}},
        .unreadable = {}};
    venue::binance::AccountReport report;
    report.balances = {{.asset = model::Asset{"USDC"},
                        .wallet_balance = model::Money::of("500"),
                        .available_balance = model::Money::of("500")}};
    facts.balances = report;
    facts.symbols.push_back(
        {.settings =
             venue::binance::SymbolSettings{
                 .symbol = eth, .margin_type = MarginType::isolated, .leverage = 20},
         .top = std::optional{model::TopOfBook{.bid = {model::Price::of("2999.99"), model::Qty::of("1")},
                                               .ask = {model::Price::of("3000.01"), model::Qty::of("1")}}}});
    facts.disk_free_bytes = std::uint64_t{100} << 30;
  }

  model::Instrument& rules() { return facts.rules->instruments.at(0); }
  Check check(const std::string& name) {
    const auto checks = judge(config, symbols, facts);
    const auto found =
        std::find_if(checks.begin(), checks.end(), [&](const auto& c) { return c.name == name; });
    EXPECT_NE(found, checks.end()) << name;
    return found == checks.end() ? Check{} : *found;
  }
  /// How many are not ok, and that the named one is among them with `verdict`.
  void expect_only(const std::string& name, Verdict verdict) {
    for (const auto& c : judge(config, symbols, facts)) {
      EXPECT_EQ(c.verdict, c.name == name ? verdict : Verdict::ok)
          << c.name << ": " << c.found << " -> " << c.advice;
      EXPECT_EQ(c.advice.empty(), c.verdict == Verdict::ok) << c.name << ": what is wrong comes with advice";
    }
    EXPECT_EQ(check(name).verdict, verdict);
  }

  Config config;
  model::SymbolTable symbols;
  PreflightFacts facts;
};

TEST_F(Preflight, passes_an_account_with_which_nothing_is_wrong) {
  for (const auto& c : judge(config, symbols, facts)) EXPECT_EQ(c.verdict, Verdict::ok) << c.name << c.found;
}

TEST_F(Preflight, refuses_a_right_to_withdraw) {
  (*facts.permissions)->withdrawals = true;
  expect_only("right to withdraw", Verdict::failed);
}

TEST_F(Preflight, warns_of_a_right_to_transfer) {
  (*facts.permissions)->transfers = true;
  expect_only("right to withdraw", Verdict::warning);
}

TEST_F(Preflight, a_test_host_that_tells_no_permissions_is_a_warning_and_a_live_one_a_failure) {
  facts.permissions = std::optional<KeyPermissions>{};
  expect_only("right to withdraw", Verdict::warning);
  config.hosts = venue::binance::Hosts::preset(model::Product::usdm, venue::binance::Venue::production);
  expect_only("right to withdraw", Verdict::failed);
}

TEST_F(Preflight, refuses_a_key_that_may_not_trade_futures) {
  (*facts.permissions)->futures = false;
  expect_only("key", Verdict::failed);
  (*facts.permissions)->futures = true;
  facts.account->permission = venue::binance::AccountSettings::Permission::no_trade;
  expect_only("key", Verdict::failed);
}

TEST_F(Preflight, live_hosts_want_the_switch_and_two_lines) {
  config.engine.lines = 1;
  expect_only("lines", Verdict::warning);
  config.hosts = venue::binance::Hosts::preset(model::Product::usdm, venue::binance::Venue::production);
  expect_only("lines", Verdict::failed);
  config.engine.lines = 2;
  config.engine.dead_man_switch = Switch::off;
  expect_only("rate budget", Verdict::failed);
}

TEST_F(Preflight, a_key_of_another_network_is_told_as_such) {
  facts.account = base::fail(std::string{"code -2015 Invalid API-key"});
  EXPECT_THAT(check("key").advice, HasSubstr("live keys are not accepted on a test network"));
  config.hosts = venue::binance::Hosts::preset(model::Product::usdm, venue::binance::Venue::production);
  EXPECT_THAT(check("key").advice, HasSubstr("a key of the live venue, not of its test network"));
}

TEST_F(Preflight, a_refusal_names_what_failed_and_how_to_see_the_rest) {
  EXPECT_EQ(refusal(judge(config, symbols, facts), "my.yaml"), "");
  facts.account->position_mode = venue::binance::AccountSettings::PositionMode::hedge;
  const auto said = refusal(judge(config, symbols, facts), "my.yaml");
  EXPECT_THAT(said, HasSubstr("my.yaml: the preflight fails:\n  position mode: hedge -> switch the account"));
  EXPECT_THAT(said, HasSubstr("all checks: phoenix preflight -c my.yaml"));
}

TEST_F(Preflight, on_paper_no_account_is_judged_and_the_market_is) {
  facts.permissions = base::fail(std::string{"not asked"});
  facts.account = base::fail(std::string{"not asked"});
  facts.balances = base::fail(std::string{"not asked"});
  facts.account_state = base::fail(std::string{"not asked"});
  facts.symbols[0].settings = base::fail(std::string{"not asked"});
  config.hosts = venue::binance::Hosts::preset(model::Product::usdm, venue::binance::Venue::production);
  EXPECT_EQ(refusal(judge(config, symbols, facts, PreflightScope::public_data), "f"), "");
  rules().status = model::SymbolStatus::halted;
  EXPECT_THAT(refusal(judge(config, symbols, facts, PreflightScope::public_data), "f"),
              HasSubstr("ETHUSDC rules"));
}

TEST_F(Preflight, refuses_hedge_mode) {
  facts.account->position_mode = venue::binance::AccountSettings::PositionMode::hedge;
  expect_only("position mode", Verdict::failed);
}

TEST_F(Preflight, d23_another_margin_type_or_leverage_than_configured_is_refused_or_announced) {
  facts.symbols[0].settings->leverage = 5;
  expect_only("ETHUSDC account", Verdict::failed);
  EXPECT_THAT(check("ETHUSDC account").found, HasSubstr("leverage 5; configured leverage 20"));
  config.apply_account_settings = Switch::on;
  expect_only("ETHUSDC account", Verdict::warning);
  facts.symbols[0].settings =
      venue::binance::SymbolSettings{.symbol = {}, .margin_type = MarginType::crossed, .leverage = 20};
  config.apply_account_settings = Switch::off;
  expect_only("ETHUSDC account", Verdict::failed);
}

TEST_F(Preflight, settings_that_nobody_named_are_shown_as_not_checked) {
  config.account[0].leverage.reset();
  expect_only("ETHUSDC account", Verdict::warning);
}

TEST_F(Preflight, i17_an_offset_is_allowed_for_and_a_doubtful_one_is_refused) {
  facts.clock->offset = base::seconds{-12};
  expect_only("clock", Verdict::warning);
  facts.clock->error = base::milliseconds{101};
  expect_only("clock", Verdict::failed);
}

TEST_F(Preflight, the_venues_rules_must_be_those_configured) {
  rules().tick_size = model::Price::of("0.1");
  expect_only("ETHUSDC rules", Verdict::failed);
  rules().tick_size = model::Price::of("0.01");
  rules().status = model::SymbolStatus::halted;
  expect_only("ETHUSDC rules", Verdict::failed);
  rules().status = model::SymbolStatus::trading;
  rules().orders_max = 13;
  expect_only("ETHUSDC rules", Verdict::failed);
  facts.rules->instruments.clear();
  EXPECT_EQ(check("ETHUSDC rules").verdict, Verdict::failed);
}

TEST_F(Preflight, i22_a_ladder_that_does_not_fit_the_rules_at_this_price_is_refused) {
  config.engine.symbols[0].grid.start.value = 0.0005;
  config.engine.symbols[0].tick_size.reset();
  expect_only("ETHUSDC ladder", Verdict::failed);
  EXPECT_THAT(check("ETHUSDC ladder").advice, HasSubstr("less than one tick"));
  config.engine.symbols[0].grid.start.value = 1.5;
  config.engine.symbols[0].grid.layer_size = model::Qty::of("0.0085");
  expect_only("ETHUSDC ladder", Verdict::warning);
  EXPECT_THAT(check("ETHUSDC ladder").advice, HasSubstr("orders will be of 0.008"));
  config.engine.symbols[0].grid.layer_size = model::Qty::of("0.006");
  expect_only("ETHUSDC ladder", Verdict::failed);
  EXPECT_THAT(check("ETHUSDC ladder").advice, HasSubstr("below the venue's minimum"));
}

TEST_F(Preflight, i19_a_ladder_nearer_than_min_spread_is_refused_with_what_would_do) {
  config.engine.symbols[0].grid.start.value = 0.3;  // 2 bps between the best quotes, 5 wanted
  expect_only("ETHUSDC ladder", Verdict::failed);
  EXPECT_THAT(check("ETHUSDC ladder").found, HasSubstr("2.00 bps apart"));
  EXPECT_THAT(check("ETHUSDC ladder").advice, HasSubstr("raise grid_start_offset to 2.50 bps (0.75 USDC)"));
  config.engine.symbols[0].grid.start.value = 0.7;  // a price that moved since
  expect_only("ETHUSDC ladder", Verdict::warning);
}

TEST_F(Preflight, the_other_strategy_is_held_against_the_rules_as_well) {
  auto& symbol = config.engine.symbols[0];
  symbol.strategy = engine::StrategyKind::glft;
  symbol.glft.spacing = {quote::DistanceUnit::bps, 3};
  expect_only("ETHUSDC ladder", Verdict::ok);
  symbol.glft.spacing = {quote::DistanceUnit::abs, 0.001};
  expect_only("ETHUSDC ladder", Verdict::failed);
}

TEST_F(Preflight, symbols_whose_switch_does_not_fit_the_weight_limit_are_refused) {
  facts.rules->limits[0].limit = 3;
  expect_only("rate budget", Verdict::failed);
  config.engine.dead_man_switch = Switch::off;
  expect_only("rate budget", Verdict::warning);
}

TEST_F(Preflight, an_empty_or_short_balance_is_told) {
  facts.balances->balances[0].available_balance = model::Money::of("199.99");  // 4000 at leverage 20 is 200
  expect_only("balance USDC", Verdict::warning);
  facts.balances->balances.clear();
  expect_only("balance USDC", Verdict::failed);
}

TEST_F(Preflight, orders_and_positions_found_there_are_told) {
  facts.account_state->push_back({.symbol = "ETHUSDC", .own_orders = 3, .other_orders = 0, .position = ""});
  expect_only("open orders", Verdict::warning);
  facts.account_state->at(0).other_orders = 1;
  EXPECT_THAT(check("open orders").found, HasSubstr("not ours: ETHUSDC 1"));
  facts.account_state = {};
  facts.account_state->push_back({.symbol = "BTCUSDT", .position = "-0.5"});
  expect_only("positions", Verdict::warning);
  EXPECT_THAT(check("positions").found, HasSubstr("on other symbols: BTCUSDT -0.5"));
}

TEST_F(Preflight, what_stands_in_the_way_here_is_refused) {
  facts.latch = io::LatchFile::Record{.at = {}, .reason = "emergency cancel-all"};
  expect_only("kill latch", Verdict::failed);
  facts.latch.reset();
  facts.lock_holder = 4711;
  expect_only("account lock", Verdict::failed);
  facts.lock_holder.reset();
  facts.directory_fault = "/data cannot be written to";
  expect_only("data directory", Verdict::failed);
  facts.directory_fault.clear();
  facts.disk_free_bytes = std::uint64_t{1} << 29;
  expect_only("disk", Verdict::failed);
  facts.disk_free_bytes = std::uint64_t{2} << 30;
  expect_only("disk", Verdict::warning);
}

TEST_F(Preflight, d10_an_answer_that_did_not_come_is_a_failure_and_never_passes) {
  const auto failed = [&](const std::string& name) { return check(name).verdict == Verdict::failed; };
  facts.clock = base::fail(std::string{"no answer in time"});
  facts.permissions = base::fail(std::string{"no answer in time"});
  facts.account = base::fail(std::string{"no answer in time"});
  facts.balances = base::fail(std::string{"no answer in time"});
  facts.account_state = base::fail(std::string{"no answer in time"});
  facts.symbols[0].settings = base::fail(std::string{"no answer in time"});
  facts.symbols[0].top = base::fail(std::string{"no answer in time"});
  for (const auto* name : {"clock", "key", "right to withdraw", "position mode", "balance", "open orders",
                           "positions", "ETHUSDC account", "ETHUSDC ladder"})
    EXPECT_TRUE(failed(name)) << name;
  facts.rules = base::fail(std::string{"no answer in time"});
  EXPECT_TRUE(failed("rate budget") && failed("ETHUSDC rules"));
}

}  // namespace
}  // namespace phoenix::app
