#include "app/first_start.hpp"

#include "app/commands.hpp"
#include "app/config.hpp"
#include "quote/grid.hpp"

#include <gtest/gtest.h>

namespace phoenix::app {
namespace {

using model::Money;
using model::Price;
using model::Qty;
using venue::binance::Hosts;

constexpr auto text = R"(global:
  venue: testnet
  total_notional_max: 4000
symbols:
  - symbol: ETHUSDC
    net_max: 2.6
    unified_layer_size: 0.08
    total_layers: 7
    min_spread: 0.0005
    grid_start_offset_bps: 5
    grid_first_spacing_bps: 5
  - symbol: SOLUSDC
    net_max: 55
    unified_layer_size: 2
    min_spread: 0.0005
    grid_start_offset_bps: 5
    grid_first_spacing_bps: 5
)";

Config config_of(const std::string& yaml) {
  auto parsed = parse_config(yaml);
  EXPECT_TRUE(parsed.config.has_value()) << describe("f", parsed.errors);
  return std::move(*parsed.config);
}

model::Instrument eth() {
  model::Instrument rules;
  rules.name = "ETHUSDC";
  rules.base_asset = "ETH";
  rules.quote_asset = "USDC";
  rules.status = model::SymbolStatus::trading;
  rules.tick_size = Price::of("0.01");
  rules.step_size = rules.qty_min = Qty::of("0.001");
  rules.notional_min = Money::of("20");
  return rules;
}

const Price mid = Price::of("3000");

FirstStart planned() {
  const auto first = plan_first_start(config_of(text), eth(), mid);
  EXPECT_TRUE(first.has_value());
  return *first;
}

TEST(FirstStart, is_the_first_symbol_with_the_least_the_venue_takes_and_two_layers_a_side) {
  const auto first = planned();
  EXPECT_EQ(first.symbol, "ETHUSDC");
  EXPECT_EQ(first.layers, 2);
  EXPECT_EQ(first.layer_size, Qty::of("0.008"));  // 20 at 2700 is 0.0074...
  EXPECT_EQ(first.net_max, Qty::of("0.032"));     // half of it holds a whole side
  EXPECT_EQ(first.total_notional_max, Money::of("96"));
}

TEST(FirstStart, an_order_is_still_worth_enough_when_the_price_falls_by_a_tenth) {
  for (const char* price : {"3000", "1234.56", "0.5", "61000.1"}) {
    auto config = config_of(text);
    config.engine.symbols[0].grid.layer_size = Qty::of("1000");
    const auto at = Price::of(price);
    const auto first = plan_first_start(config, eth(), at);
    ASSERT_TRUE(first.has_value());
    const auto lower = Price::from_raw(at.raw() / 10 * 9);
    EXPECT_GE(model::notional(lower, first->layer_size), eth().notional_min) << price;
    EXPECT_LT(model::notional(lower, first->layer_size - eth().step_size), eth().notional_min) << price;
  }
}

TEST(FirstStart, orders_configured_below_the_least_are_a_fault) {
  auto config = config_of(text);
  config.engine.symbols[0].grid.layer_size = Qty::of("0.004");
  const auto first = plan_first_start(config, eth(), mid);
  ASSERT_FALSE(first.has_value());
  EXPECT_EQ(first.error(),
            "ETHUSDC: orders of 0.004 are configured, the least is 0.008 ETH at a price of 3000");
}

TEST(FirstStart, everything_that_bounds_the_symbol_is_cut_and_the_other_symbols_are_gone) {
  auto config = config_of(text);
  hold_to(planned(), config);
  ASSERT_EQ(config.engine.symbols.size(), 1U);
  ASSERT_EQ(config.account.size(), 1U);
  const auto& o = config.engine.symbols[0];
  EXPECT_EQ(o.name, "ETHUSDC");
  EXPECT_EQ(o.grid.layer_size, Qty::of("0.008"));
  EXPECT_EQ(o.grid.layers, 2);
  for (const auto most : {o.grid.net_max, o.limits.net_max, o.guard.net_max, o.glft.net_max})
    EXPECT_EQ(most, Qty::of("0.032"));
  EXPECT_EQ(config.engine.total_notional_max, Money::of("96"));
  EXPECT_EQ(config.engine.account_guard.total_notional_max, Money::of("96"));
  EXPECT_FALSE(quote::check(o.grid));
  EXPECT_FALSE(quote::check_at(o.grid, eth(), mid));
}

TEST(FirstStart, nothing_becomes_larger_than_configured) {
  auto config = config_of(text);
  auto first = planned();
  first.layer_size = Qty::of("5");
  first.net_max = Qty::of("500");
  first.total_notional_max = Money::of("1000000");
  hold_to(first, config);
  EXPECT_EQ(config.engine.symbols[0].grid.layer_size, Qty::of("0.08"));
  EXPECT_EQ(config.engine.symbols[0].limits.net_max, Qty::of("2.6"));
  EXPECT_EQ(config.engine.total_notional_max, Money::of("4000"));
}

TEST(FirstStart, the_text_for_a_replay_gives_the_same_bounds) {
  auto config = config_of(text);
  hold_to(planned(), config);
  const auto again = config_of(config.replay_text);
  ASSERT_EQ(again.engine.symbols.size(), 1U);
  EXPECT_EQ(again.engine.symbols[0].grid.layer_size, Qty::of("0.008"));
  EXPECT_EQ(again.engine.symbols[0].limits.net_max, Qty::of("0.032"));
  EXPECT_EQ(again.engine.total_notional_max, Money::of("96"));
  EXPECT_TRUE(again.first_start.has_value());
}

TEST(FirstStart, live_hosts_begin_small_and_checked_unless_told_otherwise_and_others_do_not) {
  auto config = config_of(text);
  RunArguments usual, full, limited, paper;
  full.extent = Extent::full;
  limited.extent = Extent::limited;
  paper.paper.emplace();
  EXPECT_FALSE(begins_small(config, usual));
  EXPECT_TRUE(begins_small(config, limited));
  EXPECT_FALSE(needs_preflight(config, usual));

  config.hosts = Hosts::preset(model::Product::usdm, venue::binance::Venue::production);
  EXPECT_TRUE(begins_small(config, usual));
  EXPECT_FALSE(begins_small(config, full));
  EXPECT_FALSE(begins_small(config, paper)) << "no money";
  EXPECT_TRUE(needs_preflight(config, usual));
  EXPECT_TRUE(needs_preflight(config, full)) << "all of it does not mean unchecked";
  EXPECT_FALSE(needs_preflight(config, paper));
}

TEST(Paper, keeps_nothing_where_a_real_run_keeps_it) {
  auto config = config_of(text);
  const auto real = config;
  move_to_paper(config);
  EXPECT_EQ(config.data_dir, real.data_dir / "paper");
  EXPECT_EQ(config.recording.dir, real.data_dir / "paper" / "recording");
  config = real;
  config.recording.dir = "elsewhere";
  move_to_paper(config);
  EXPECT_EQ(config.recording.dir, std::filesystem::path{"elsewhere"} / "paper");
}

TEST(Paper, no_two_runs_have_one_secret) {
  EXPECT_NE(paper_credentials().hmac_secret.view(), paper_credentials().hmac_secret.view());
}

}  // namespace
}  // namespace phoenix::app
