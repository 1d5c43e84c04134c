#include "quote/glft.hpp"

#include "base/rng.hpp"
#include "quote/test_quote.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::quote {
namespace {

using model::Price;
using model::Qty;
using model::Side;
using Texts = std::vector<std::string>;

GlftParams params() {
  return {.net_max = Qty::of("0.26"),
          .layer_size = Qty::of("0.008"),
          .layers = 3,
          .spacing = {DistanceUnit::abs, 1.5},
          .gamma = 0.05,
          .min_spread = 0,
          .fallback = {}};
}

/// sigma 0.5, A 1, k 1: half a spread of 1.0055, a skew of 1.46 per unit.
struct Desk {
  explicit Desk(const GlftParams& p) : strategy{p} {}
  const Decision& quote(const char* position) {
    in.position = Qty::of(position);
    strategy.quote(in, out);
    return out;
  }
  model::Instrument instrument = eth();
  QuoteInput in{.instrument = instrument,
                .top = top("2999.99", "3000.01"),
                .position = {},
                .volatility_per_s = 0.5,
                .intensity = Intensity{1, 1}};
  Glft strategy;
  Decision out;
};

TEST(GlftFormula, equals_fifty_digit_arithmetic) {
  const struct {
    double gamma, sigma, at_touch, decay, size, half, skew;
  } cases[] = {
      {0.1, 2, 0.9, 0.3, 1, 3.641854471916805, 1.530067494797991},
      {0.05, 0.5, 1, 1, 0.008, 1.005629746133759, 1.457423204105258},
      {1, 0.1, 5, 20, 10, 0.061086106717260, 0.004107919181288},
      {0.000001, 0.5, 1, 1, 0.001, 1.000009216132095, 0.018433264190784},
      {1000, 3, 0.01, 0.001, 1000, 10606601833.00324, 21213203.66600645},
  };
  for (const auto& c : cases) {
    const GlftQuote q = glft_quote(c.gamma, c.sigma, {c.at_touch, c.decay}, c.size);
    EXPECT_NEAR(q.half_spread, c.half, 1e-12 * c.half);
    EXPECT_NEAR(q.skew_per_unit, c.skew, 1e-12 * c.skew);
  }
}

TEST(GlftFormula, without_risk_aversion_to_speak_of_the_half_spread_is_one_over_k) {
  const GlftQuote q = glft_quote(1e-12, 0.5, {1, 4}, 1e-6);
  EXPECT_NEAR(q.half_spread, 0.25, 1e-9);
}

TEST(GlftFormula, without_volatility_there_is_no_skew) {
  const GlftQuote q = glft_quote(0.05, 0, {1, 4}, 0.008);
  EXPECT_EQ(q.skew_per_unit, 0);
  EXPECT_NEAR(q.half_spread, 0.25, 1e-4);
}

TEST(GlftFormula, more_volatility_widens_and_leans_more_and_a_busier_market_less) {
  const GlftQuote calm = glft_quote(0.05, 0.5, {1, 1}, 0.008), wild = glft_quote(0.05, 1, {1, 1}, 0.008);
  EXPECT_GT(wild.half_spread, calm.half_spread);
  EXPECT_DOUBLE_EQ(wild.skew_per_unit, 2 * calm.skew_per_unit);
  const GlftQuote busy = glft_quote(0.05, 0.5, {4, 1}, 0.008);
  EXPECT_DOUBLE_EQ(busy.skew_per_unit, calm.skew_per_unit / 2);
}

TEST(Glft, flat_is_symmetric_around_the_mid) {
  Desk desk{params()};
  const auto& out = desk.quote("0");
  EXPECT_EQ(prices(out.quotes, Side::bid), (Texts{"2998.99", "2997.49", "2995.99"}));
  EXPECT_EQ(prices(out.quotes, Side::ask), (Texts{"3001.01", "3002.51", "3004.01"}));
  EXPECT_EQ(out.mode, Mode::normal);
  EXPECT_EQ(out.why, "");
}

TEST(Glft, leans_against_the_position_on_both_sides_alike) {
  Desk desk{params()};
  const auto mirrored = [](const Texts& texts) {
    Texts m;
    for (const auto& t : texts) m.push_back((Price::of("6000") - Price::of(t)).text());
    return m;
  };
  const auto bids = prices(desk.quote("0.2").quotes, Side::bid);  // lean 0.2 x 1.458 = 0.29
  const auto asks = prices(desk.out.quotes, Side::ask);
  EXPECT_EQ(bids[0], "2998.7");
  EXPECT_EQ(asks[0], "3000.72");
  EXPECT_EQ(prices(desk.quote("-0.2").quotes, Side::ask), mirrored(bids));
  EXPECT_EQ(prices(desk.out.quotes, Side::bid), mirrored(asks));
}

TEST(Glft, nothing_that_adds_could_pass_the_limit) {
  Desk desk{params()};
  const auto layers = [&](const char* position, Side side) {
    return of_side(desk.quote(position).quotes, side).size();
  };
  EXPECT_EQ(layers("0.236", Side::bid), 3U);  // 0.236 + 3 x 0.008 = 0.26
  EXPECT_EQ(layers("0.237", Side::bid), 2U);
  EXPECT_EQ(layers("0.253", Side::bid), 0U);
  EXPECT_EQ(layers("0.7", Side::bid), 0U);
  EXPECT_EQ(layers("0.7", Side::ask), 3U);
  EXPECT_EQ(layers("-0.7", Side::ask), 0U);
  EXPECT_EQ(layers("-0.7", Side::bid), 3U);
}

TEST(Glft, beyond_the_limit_it_leans_no_further) {
  Desk desk{params()};
  const auto at_limit = prices(desk.quote("0.26").quotes, Side::ask);
  EXPECT_EQ(prices(desk.quote("0.7").quotes, Side::ask), at_limit);
}

TEST(Glft, the_minimum_spread_holds) {
  GlftParams p = params();
  p.min_spread = 0.002;  // 6.00 at 3000
  Desk desk{p};
  desk.quote("0");
  EXPECT_EQ(prices(desk.out.quotes, Side::bid)[0], "2997");
  EXPECT_EQ(prices(desk.out.quotes, Side::ask)[0], "3003");
}

TEST(Glft, quotes_nothing_and_says_why_without_its_estimates) {
  Desk desk{params()};
  desk.in.volatility_per_s.reset();
  EXPECT_TRUE(desk.quote("0").quotes.empty());
  EXPECT_EQ(desk.out.why, "volatility not known");
  desk.in.volatility_per_s = 0.5;
  desk.in.intensity.reset();
  EXPECT_TRUE(desk.quote("0.1").quotes.empty());
  EXPECT_EQ(desk.out.why, "intensity not known");
  for (const Intensity bad : {Intensity{NAN, 1}, Intensity{1, INFINITY}, Intensity{1, 0}, Intensity{-1, 1}}) {
    desk.in.intensity = bad;
    EXPECT_TRUE(desk.quote("0").quotes.empty());
  }
  desk.in.intensity = Intensity{1, 1};
  for (const double bad : {static_cast<double>(NAN), static_cast<double>(INFINITY), -1.0}) {
    desk.in.volatility_per_s = bad;
    EXPECT_TRUE(desk.quote("0").quotes.empty());
  }
}

TEST(Glft, a_fallback_stands_in_for_the_estimate_that_is_missing) {
  GlftParams p = params();
  // At 3000, 1 bps is 0.3: sigma 0.5, A 1, k 1.
  p.fallback = GlftFallback{.volatility_bps = 0.5 / 0.3, .at_touch = 1, .decay_per_bps = 0.3};
  Desk desk{p};
  const Texts live = prices(desk.quote("0.1").quotes, Side::bid);
  desk.in.volatility_per_s.reset();
  EXPECT_EQ(prices(desk.quote("0.1").quotes, Side::bid), live);
  desk.in.intensity.reset();
  EXPECT_EQ(prices(desk.quote("0.1").quotes, Side::bid), live);
  desk.in.volatility_per_s = 5;
  EXPECT_NE(prices(desk.quote("0.1").quotes, Side::bid), live) << "what is known is used";
}

TEST(Glft, i06_i20_reduces_enough_and_keeps_the_rules_of_the_market) {
  base::Rng rng{8};
  for (int round = 0; round < 5'000; ++round) {
    model::Instrument i = eth();
    i.notional_min = {};
    GlftParams p;
    p.layer_size = i.step_size * rng.between(1, 40);
    p.net_max = p.layer_size * rng.between(1, 60);
    p.layers = static_cast<int>(rng.between(1, 50));
    p.spacing = {DistanceUnit::abs, static_cast<double>(rng.between(1, 300)) / 100};
    p.gamma = static_cast<double>(rng.between(1, 1000)) / 1000;
    p.min_spread = static_cast<double>(rng.between(0, 100)) / 100'000;
    ASSERT_FALSE(check(p));
    const Price bid = Price::of("3000") + Price::of("0.01") * rng.between(-500, 500);
    const QuoteInput in{.instrument = i,
                        .top = {.bid = {bid, Qty::of("1")},
                                .ask = {bid + Price::of("0.01") * rng.between(1, 50), Qty::of("1")},
                                .update_id = 1},
                        .position = i.step_size * rng.between(-3 * p.net_max.raw() / i.step_size.raw(),
                                                              3 * p.net_max.raw() / i.step_size.raw()),
                        .volatility_per_s = static_cast<double>(rng.between(0, 2000)) / 1000,
                        .intensity = Intensity{static_cast<double>(rng.between(1, 10'000)) / 1000,
                                               static_cast<double>(rng.between(100, 10'000)) / 1000}};
    Glft strategy{p};
    Decision out;
    strategy.quote(in, out);
    Qty bids, asks;
    Price last_bid = in.top.ask.price, first_bid, last_ask = in.top.bid.price;
    for (const auto& q : out.quotes) {
      ASSERT_FALSE(model::check_order(i, q.price, q.qty, q.intent)) << round;
      if (q.side == Side::bid) {
        bids += q.qty;
        ASSERT_LT(q.price, last_bid) << round;
        if (first_bid.is_zero()) first_bid = q.price;
        last_bid = q.price;
      } else {
        asks += q.qty;
        ASSERT_GT(q.price, std::max(last_ask, first_bid)) << round;
        last_ask = q.price;
      }
    }
    const Qty closes = std::min(in.position.abs(), p.layer_size * p.layers);
    if (in.position.is_positive()) {
      ASSERT_GE(asks, closes) << round;
      ASSERT_TRUE(bids.is_zero() || in.position + bids <= p.net_max) << round;
    } else {
      ASSERT_GE(bids, closes) << round;
      ASSERT_TRUE(asks.is_zero() || in.position - asks >= -p.net_max) << round;
    }
  }
}

TEST(Glft, new_parameters_hold_from_the_next_quote_on) {
  Desk desk{params()};
  EXPECT_EQ(desk.quote("0").quotes.size(), 6U);
  GlftParams p = params();
  p.layers = 1;
  desk.strategy.configure(p);
  EXPECT_EQ(desk.quote("0").quotes.size(), 2U);
  EXPECT_EQ(desk.strategy.params().layers, 1);
}

TEST(GlftParams, are_refused_with_the_rule_they_break) {
  using F = GlftFault;
  const auto with = [](auto change) {
    GlftParams p = params();
    p.fallback = GlftFallback{1, 1, 1};
    change(p);
    return check(p);
  };
  EXPECT_FALSE(with([](GlftParams&) {}));
  const std::pair<F, std::optional<F>> cases[] = {
      {F::net_max_not_positive, with([](auto& p) { p.net_max = {}; })},
      {F::layer_size_not_positive, with([](auto& p) { p.layer_size = {}; })},
      {F::layer_size_above_net_max, with([](auto& p) { p.layer_size = Qty::of("0.27"); })},
      {F::layers_out_of_range, with([](auto& p) { p.layers = 51; })},
      {F::spacing_not_positive, with([](auto& p) { p.spacing.value = NAN; })},
      {F::gamma_out_of_range, with([](auto& p) { p.gamma = 0; })},
      {F::gamma_out_of_range, with([](auto& p) { p.gamma = INFINITY; })},
      {F::min_spread_out_of_range, with([](auto& p) { p.min_spread = -0.1; })},
      {F::fallback_out_of_range, with([](auto& p) { p.fallback->decay_per_bps = 0; })},
  };
  for (const auto& [expected, found] : cases) {
    EXPECT_EQ(found, expected) << text(expected);
    EXPECT_NE(text(expected), "unknown fault");
  }
}

TEST(GlftParams, i19_i22_meant_for_another_price_are_refused_at_this_one) {
  const Price mid = Price::of("3000");
  EXPECT_FALSE(check_at(params(), eth(), mid));
  GlftParams p = params();
  p.spacing.value = 0.0005;  // a ratio in a key that means quote currency
  EXPECT_EQ(check_at(p, eth(), mid), GlftFault::spacing_below_tick);
  p = params();
  p.layer_size = Qty::of("0.0085");
  EXPECT_EQ(check_at(p, eth(), mid), GlftFault::layer_size_off_step);
  p.layer_size = Qty::of("0.006");
  EXPECT_EQ(check_at(p, eth(), mid), GlftFault::layer_below_minimum);
}

}  // namespace
}  // namespace phoenix::quote
