#include "quote/grid.hpp"

#include "base/rng.hpp"
#include "quote/test_quote.hpp"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::quote {
namespace {

using model::Money;
using model::Price;
using model::Qty;
using model::Side;

Decision quote(const GridParams& params, const model::Instrument& instrument, const model::TopOfBook& book,
               const char* position) {
  Grid grid{params};
  Decision out;
  grid.quote({.instrument = instrument, .top = book, .position = Qty::of(position)}, out);
  return out;
}

TEST(GridDistances, are_the_geometric_series_of_the_specification) {
  // To three decimals as printed, and to 1e-9 against the series in exact arithmetic: gaps are F *
  // (115/100)^j, each computed from whole numbers.
  const std::vector<double> printed{1.2,    2.4,    3.78,   5.367,  7.192,  9.291,  11.704, 14.480, 17.672,
                                    21.343, 25.564, 30.419, 36.002, 42.422, 49.806, 58.296, 68.061, 79.290};
  Distances d{};
  grid_distances(spec_preset(), 3000, 0, d);
  long double exact = 1.2L, gap = 1.2L;
  for (std::size_t n = 0; n < printed.size(); ++n) {
    EXPECT_NEAR(d[n], printed[n], 0.00051) << n;
    EXPECT_NEAR(d[n], static_cast<double>(exact), 1e-9) << n;
    exact += gap;
    gap = gap * 115 / 100;
  }
}

TEST(GridDistances, of_the_live_preset) {
  const std::vector<double> exact{1.5, 3.0, 5.625, 10.21875, 18.2578125, 32.326171875, 56.94580078125};
  Distances d{};
  grid_distances(live_preset(), 3000, 0, d);
  for (std::size_t n = 0; n < exact.size(); ++n) EXPECT_NEAR(d[n], exact[n], 1e-9) << n;
}

TEST(GridDistances, no_gap_exceeds_its_cap_and_no_cap_is_no_cap) {
  GridParams p = live_preset();
  p.layers = 10;
  Distances d{};
  grid_distances(p, 3000, 0, d);
  EXPECT_NEAR(d[8] - d[7], 50, 1e-9);
  EXPECT_NEAR(d[9] - d[8], 50, 1e-9);
  p.max_spacing.value = 0;
  grid_distances(p, 3000, 0, d);
  EXPECT_NEAR(d[8] - d[7], 1.5 * 43.08, 12);
  EXPECT_GT(d[8] - d[7], 50);
}

TEST(GridDistances, in_basis_points_follow_the_price) {
  GridParams p = live_preset();
  p.start = p.first_spacing = {DistanceUnit::bps, 5};
  p.max_spacing = {DistanceUnit::bps, 150};
  Distances d{};
  grid_distances(p, 3000, 0, d);
  EXPECT_NEAR(d[0], 1.5, 1e-9);
  EXPECT_NEAR(d[6], 56.94580078125, 1e-9);
  grid_distances(p, 300, 0, d);
  EXPECT_NEAR(d[6], 5.694580078125, 1e-9);
}

TEST(InventorySkew, keeps_the_vectors_of_the_specification) {
  const auto skew = [](const char* position, double k, double mid) {
    return -InventorySkew{}.step(Qty::of(position), Qty::of("0.30")) * k * mid;
  };
  EXPECT_NEAR(skew("0.021", 0.002, 3000), -0.42, 1e-9);
  EXPECT_NEAR(skew("-0.15", 0.002, 3000), 3.0, 1e-9);
  EXPECT_NEAR(skew("0.45", 0.002, 3000), -6.0, 1e-9);
}

TEST(InventorySkew, moves_only_out_of_its_dead_band) {
  InventorySkew skew;
  const Qty net_max = Qty::of("1");
  EXPECT_DOUBLE_EQ(skew.step(Qty::of("0.10"), net_max), 0.10);
  EXPECT_DOUBLE_EQ(skew.step(Qty::of("0.14"), net_max), 0.10);
  EXPECT_DOUBLE_EQ(skew.step(Qty::of("0.16"), net_max), 0.16);
  EXPECT_DOUBLE_EQ(skew.step(Qty::of("0"), net_max), 0.0);
  EXPECT_DOUBLE_EQ(skew.step(Qty::of("0.01"), net_max), 0.01) << "after flat every position counts at once";
  EXPECT_DOUBLE_EQ(skew.step(Qty::of("-0.01"), net_max), -0.01) << "a change of sign counts at once";
}

TEST(LayerCounts, keep_the_vectors_of_the_specification) {
  struct Case {
    const char* position;  // of a net_max of 1
    int adding, reducing;
  };
  for (const Case& c : {Case{"0", 18, 18}, Case{"0.07", 17, 18}, Case{"0.5", 12, 18}, Case{"0.667", 10, 18},
                        Case{"1.0", 7, 18}, Case{"2.0", 1, 18}}) {
    const Qty position = Qty::of(c.position);
    EXPECT_EQ(layer_counts(18, position, Qty::of("1")), (LayerCounts{.bid = c.adding, .ask = c.reducing}))
        << c.position;
    EXPECT_EQ(layer_counts(18, -position, Qty::of("1")), (LayerCounts{.bid = c.reducing, .ask = c.adding}))
        << c.position;
  }
}

TEST(VolatilityScaling, keeps_the_vectors_of_the_specification) {
  EXPECT_DOUBLE_EQ(volatility_scaling(0.001), 1.05);
  EXPECT_DOUBLE_EQ(volatility_scaling(0.02), 2.0);
  EXPECT_DOUBLE_EQ(volatility_scaling(0), 1.0);
}

TEST(Grid, quotes_the_ladder_around_the_mid_when_flat) {
  const auto out = quote(live_preset(), eth(), top("2999.99", "3000.01"), "0");
  EXPECT_EQ(prices(out.quotes, Side::bid), (std::vector<std::string>{"2998.5", "2997", "2994.37", "2989.78",
                                                                     "2981.74", "2967.67", "2943.05"}));
  EXPECT_EQ(prices(out.quotes, Side::ask), (std::vector<std::string>{"3001.5", "3003", "3005.63", "3010.22",
                                                                     "3018.26", "3032.33", "3056.95"}));
}

TEST(Grid, leans_against_the_position) {
  // r = 0.021 / 0.30 = 0.07: the centre moves by -0.42, one bid fewer.
  const auto out = quote(spec_preset(), eth(), top("2999.99", "3000.01"), "0.021");
  EXPECT_EQ(prices(out.quotes, Side::bid).size(), 17U);
  EXPECT_EQ(prices(out.quotes, Side::ask).size(), 18U);
  EXPECT_EQ(prices(out.quotes, Side::bid).front(), "2998.38");
  EXPECT_EQ(prices(out.quotes, Side::ask).front(), "3000.78");
}

TEST(Grid, the_minimum_spread_moves_the_whole_ladder_outwards) {
  GridParams p = live_preset();
  p.min_spread = 0.002;  // 6.00 at 3000: the first distance is 3.00 in place of 1.50
  const auto out = quote(p, eth(), top("2999.99", "3000.01"), "0");
  EXPECT_EQ(prices(out.quotes, Side::bid)[0], "2997");
  EXPECT_EQ(prices(out.quotes, Side::bid)[1], "2995.5");
  EXPECT_EQ(prices(out.quotes, Side::ask)[0], "3003");
}

TEST(Grid, volatility_widens_the_spread_and_never_narrows_it) {
  GridParams p = live_preset();
  p.min_spread = 0.001;
  Grid grid{p};
  Decision out;
  const auto instrument = eth();
  QuoteInput in{.instrument = instrument, .top = top("2999.99", "3000.01"), .position = Qty{}};
  in.volatility_ratio = 0.02;
  grid.quote(in, out);
  EXPECT_EQ(prices(out.quotes, Side::bid)[0], "2997");
  in.volatility_ratio = 0.0;
  grid.quote(in, out);
  EXPECT_EQ(prices(out.quotes, Side::bid)[0], "2998.5");
}

TEST(Grid, predicted_funding_moves_the_centre_against_it) {
  const GridParams p = live_preset();
  Grid grid{p};
  Decision out;
  const auto instrument = eth();
  QuoteInput in{.instrument = instrument, .top = top("2999.99", "3000.01"), .position = Qty{}};
  in.predicted_funding = model::Rate::of("0.0001");  // bias -0.15
  grid.quote(in, out);
  EXPECT_EQ(prices(out.quotes, Side::bid)[0], "2998.35");
  EXPECT_EQ(prices(out.quotes, Side::ask)[0], "3001.35");
}

TEST(Grid, never_takes_and_moves_colliding_layers_a_tick_apart) {
  GridParams p = live_preset();
  p.net_max = Qty::of("0.30");
  p.skew_coeff = 0.02;  // a long position pulls the asks through the bid
  const auto out = quote(p, eth(), top("2999.99", "3000.01"), "0.30");
  EXPECT_EQ(prices(out.quotes, Side::ask)[0], "3000");
  EXPECT_EQ(prices(out.quotes, Side::ask)[1], "3000.01");
  EXPECT_EQ(prices(out.quotes, Side::ask)[2], "3000.02");
}

TEST(Grid, drops_what_the_venue_would_not_take) {
  GridParams p = live_preset();
  p.layer_size = Qty::of("0.0089");  // down to 0.008
  auto out = quote(p, eth(), top("2999.99", "3000.01"), "0");
  EXPECT_EQ(out.quotes.size(), 14U);
  for (const auto& q : out.quotes) EXPECT_EQ(q.qty, Qty::of("0.008"));
  p.layer_size = Qty::of("0.006");  // 18 at 3000: below the minimum notional of 20
  out = quote(p, eth(), top("2999.99", "3000.01"), "0");
  EXPECT_TRUE(out.quotes.empty());
}

TEST(Grid, layers_beyond_price_zero_are_left_out) {
  GridParams p = live_preset();
  p.max_spacing.value = 0;
  p.layers = 50;
  const auto out = quote(p, eth(), top("2999.99", "3000.01"), "0");
  const auto bids = of_side(out.quotes, Side::bid);
  ASSERT_FALSE(bids.empty());
  EXPECT_LT(bids.size(), 20U);
  EXPECT_TRUE(bids.back().price.is_positive());
}

TEST(Grid, i20_always_keeps_the_rules_of_the_market) {
  base::Rng rng{7};
  for (int round = 0; round < 3000; ++round) {
    model::Instrument i = eth();
    i.tick_size = Price::from_raw(std::vector<std::int64_t>{1, 1'000, 1'000'000, 10'000'000}[rng.below(4)]);
    i.price_min = i.tick_size;
    i.notional_min = Money::of("5");
    GridParams p;
    p.net_max = Qty::from_raw(rng.between(1'000'000, 1'000'000'000));
    p.layer_size = Qty::from_raw(rng.between(1'000'000, 100'000'000));
    p.layers = static_cast<int>(rng.between(1, 50));
    p.start = {DistanceUnit::bps, static_cast<double>(rng.between(1, 3000)) / 100};
    p.first_spacing = {DistanceUnit::bps, static_cast<double>(rng.between(1, 3000)) / 100};
    p.multiplier = 1.0 + static_cast<double>(rng.between(1, 200)) / 100;
    p.min_spread = static_cast<double>(rng.between(1, 1000)) / 100'000;
    p.skew_coeff = static_cast<double>(rng.between(0, 100)) / 1000;
    if (check(p)) continue;
    const Price bid = model::round_to(Price::from_raw(rng.between(1'000'000'000, 9'000'000'000'000)),
                                      i.tick_size, model::Rounding::down);
    const model::TopOfBook book{.bid = {bid, Qty::of("1")},
                                .ask = {bid + i.tick_size * rng.between(1, 30), Qty::of("1")},
                                .update_id = 1};
    Grid grid{p};
    Decision out;
    Price last_bid = book.ask.price, first_bid, last_ask = book.bid.price;
    grid.quote(
        {.instrument = i, .top = book, .position = Qty::from_raw(rng.between(-2'000'000'000, 2'000'000'000))},
        out);
    for (const auto& q : out.quotes) {
      ASSERT_FALSE(model::check_order(i, q.price, q.qty, q.intent)) << "round " << round;
      if (q.side == Side::bid) {
        ASSERT_LT(q.price, last_bid) << "round " << round;
        if (first_bid.is_zero()) first_bid = q.price;
        last_bid = q.price;
      } else {
        ASSERT_GT(q.price, last_ask) << "round " << round;
        ASSERT_GT(q.price, first_bid) << "round " << round;
        last_ask = q.price;
      }
    }
  }
}

TEST(Grid, equal_inputs_give_equal_quotes) {
  Grid a{live_preset()}, b{live_preset()};
  const auto instrument = eth();
  base::Rng rng{3};
  Decision qa, qb;
  for (int i = 0; i < 200; ++i) {
    const Price bid = Price::of("3000") + Price::of("0.01") * rng.between(-500, 500);
    const QuoteInput in{
        .instrument = instrument,
        .top = {.bid = {bid, Qty::of("1")}, .ask = {bid + Price::of("0.01"), Qty::of("1")}, .update_id = i},
        .position = Qty::of("0.001") * rng.between(-260, 260)};
    a.quote(in, qa);
    b.quote(in, qb);
    ASSERT_EQ(qa.quotes.size(), qb.quotes.size());
    for (std::size_t n = 0; n < qa.quotes.size(); ++n) ASSERT_EQ(qa.quotes[n].price, qb.quotes[n].price);
  }
}

TEST(GridParams, are_refused_with_the_rule_they_break) {
  EXPECT_FALSE(check(live_preset()));
  EXPECT_FALSE(check(spec_preset()));
  const auto with = [](auto change) {
    GridParams p = live_preset();
    change(p);
    return check(p);
  };
  EXPECT_EQ(with([](GridParams& p) { p.net_max = {}; }), GridFault::net_max_not_positive);
  EXPECT_EQ(with([](GridParams& p) { p.layer_size = {}; }), GridFault::layer_size_not_positive);
  EXPECT_EQ(with([](GridParams& p) { p.layers = 51; }), GridFault::layers_out_of_range);
  EXPECT_EQ(with([](GridParams& p) { p.start.value = 0; }), GridFault::start_not_positive);
  EXPECT_EQ(with([](GridParams& p) { p.first_spacing.value = NAN; }), GridFault::first_spacing_not_positive);
  EXPECT_EQ(with([](GridParams& p) { p.multiplier = 1; }), GridFault::multiplier_not_above_one);
  EXPECT_EQ(with([](GridParams& p) { p.max_spacing.value = 1; }), GridFault::max_spacing_below_first);
  EXPECT_EQ(with([](GridParams& p) { p.min_spread = 0.011; }), GridFault::min_spread_out_of_range);
  EXPECT_EQ(with([](GridParams& p) { p.skew_coeff = INFINITY; }), GridFault::coefficient_out_of_range);
}

TEST(GridParams, meant_for_another_price_are_refused_at_this_one) {
  const Price mid = Price::of("3000");
  EXPECT_FALSE(check_at(live_preset(), eth(), mid));
  GridParams p = live_preset();
  p.start.value = 0.0005;  // a ratio in a key that means quote currency
  EXPECT_EQ(check_at(p, eth(), mid), GridFault::start_below_tick);
  p = live_preset();
  p.layer_size = Qty::of("0.0085");
  EXPECT_EQ(check_at(p, eth(), mid), GridFault::layer_size_off_step);
  p.layer_size = Qty::of("0.006");
  EXPECT_EQ(check_at(p, eth(), mid), GridFault::layer_below_minimum);
}

}  // namespace
}  // namespace phoenix::quote
