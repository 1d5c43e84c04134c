#include "base/rng.hpp"
#include "quote/grid.hpp"
#include "quote/test_quote.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::quote {
namespace {

using base::milliseconds;
using base::seconds;
using model::Money;
using model::Price;
using model::Qty;
using model::Rate;
using model::Side;
using Texts = std::vector<std::string>;

constexpr base::LocalTime begin{seconds{1'000'000}};

/// The live preset with every mode, its threshold as documented, and a skew that leaves the ladder alone.
GridParams with_modes() {
  GridParams p = live_preset();
  p.skew_coeff = 0;
  p.pinning.enabled = p.grinding.enabled = true;
  return p;
}

GridParams with_vpin() {
  GridParams p = live_preset();
  p.skew_coeff = 0;
  p.vpin.enabled = true;
  return p;
}

/// A grid on one market at 2999.99 / 3000.01.
struct Desk {
  explicit Desk(const GridParams& params) : grid{params} {}

  const Decision& quote(const char* position, base::Duration after = {}) {
    in.position = Qty::of(position);
    in.now = begin + after;
    grid.quote(in, out);
    return out;
  }
  Mode mode(const char* position, base::Duration after = {}) { return quote(position, after).mode; }

  model::Instrument instrument = eth();
  QuoteInput in{.instrument = instrument, .top = top("2999.99", "3000.01"), .position = {}};
  Grid grid;
  Decision out;
};

Qty total(const model::Quotes& quotes, Side side) {
  Qty sum;
  for (const auto& q : of_side(quotes, side)) sum += q.qty;
  return sum;
}

TEST(Pinning, a_long_position_is_offered_at_the_best_ask_with_the_ladder_behind) {
  Desk desk{with_modes()};
  const auto& out = desk.quote("0.15");  // usage 0.58
  EXPECT_EQ(out.mode, Mode::pinning);
  const auto asks = of_side(out.quotes, Side::ask);
  ASSERT_EQ(asks.size(), 8U);
  EXPECT_EQ(asks[0].price, Price::of("3000.01"));
  EXPECT_EQ(asks[0].qty, Qty::of("0.018"));  // 2.3 x 0.008, down to the lot
  EXPECT_EQ(asks[0].layer, 0);
  EXPECT_EQ(asks[1].price, Price::of("3001.5"));
  EXPECT_EQ(asks[1].qty, Qty::of("0.008"));
  EXPECT_EQ(asks[7].price, Price::of("3056.95"));
  // Near protective layers remain on the adding side: floor(7 x (1 - 0.6 x 0.577)) = 4, from d(0) outwards.
  EXPECT_EQ(prices(out.quotes, Side::bid), (Texts{"2998.5", "2997", "2994.37", "2989.78"}));
  EXPECT_FALSE(out.take);
}

TEST(Pinning, a_short_position_is_bid_for_at_the_best_bid) {
  Desk desk{with_modes()};
  const auto& out = desk.quote("-0.15");
  const auto bids = of_side(out.quotes, Side::bid);
  ASSERT_EQ(bids.size(), 8U);
  EXPECT_EQ(bids[0].price, Price::of("2999.99"));
  EXPECT_EQ(bids[0].qty, Qty::of("0.018"));
  EXPECT_EQ(bids[1].price, Price::of("2998.5"));
  EXPECT_EQ(prices(out.quotes, Side::ask).size(), 4U);
}

TEST(Pinning, the_order_at_the_touch_never_exceeds_the_position) {
  GridParams p = with_modes();
  p.net_max = Qty::of("0.02");
  Desk desk{p};
  EXPECT_EQ(of_side(desk.quote("0.0135").quotes, Side::ask)[0].qty, Qty::of("0.013"));
}

TEST(Pinning, i20_every_quantity_is_whole_lots) {
  GridParams p = with_modes();
  p.layer_size = Qty::of("0.0085");  // 2.3 layers are 0.01955
  Desk desk{p};
  const auto asks = of_side(desk.quote("0.2").quotes, Side::ask);
  EXPECT_EQ(asks[0].qty, Qty::of("0.019"));
  EXPECT_EQ(asks[1].qty, Qty::of("0.008"));
}

TEST(Pinning, a_touch_that_is_ours_alone_is_left_for_the_others_price) {
  Desk desk{with_modes()};
  EXPECT_EQ(prices(desk.quote("0.15").quotes, Side::ask)[0], "3000.01")
      << "shared or not known to be ours alone";
  desk.in.other_ask = Price::of("3001.20");
  EXPECT_EQ(prices(desk.quote("0.15").quotes, Side::ask)[0], "3001.2");
  EXPECT_EQ(prices(desk.quote("0.15").quotes, Side::ask)[1], "3001.5");
  desk.in.other_ask = Price::of("3002");
  EXPECT_EQ(prices(desk.quote("0.15").quotes, Side::ask)[1], "3002.01") << "the ladder stays behind";
  desk.in.other_bid = Price::of("2998");
  EXPECT_EQ(prices(desk.quote("-0.15", seconds{10}).quotes, Side::bid)[0], "2998");
}

TEST(Pinning, never_walks_down_in_front_of_its_own_order) {
  // The market's best ask is 3000.01 and somebody undercuts it for a moment, again and again. Joining is
  // right, staying in front when they have gone would be a step down each time.
  Desk desk{with_modes()};
  const Price rest = Price::of("3000.01");
  Price ours = rest;
  for (int round = 0; round < 100; ++round) {
    const Price flicker = ours - Price::of("0.01");
    desk.in.top = {.bid = {Price::of("2990"), Qty::of("1")}, .ask = {flicker, Qty::of("1")}, .update_id = 1};
    desk.in.other_ask = flicker;
    ours = of_side(desk.quote("0.15").quotes, Side::ask)[0].price;
    desk.in.top.ask.price = ours;  // they leave; ours is alone at the touch
    desk.in.other_ask = rest;
    ours = of_side(desk.quote("0.15").quotes, Side::ask)[0].price;
    ASSERT_EQ(ours, rest);
  }
}

TEST(Pinning, is_entered_above_its_threshold_and_left_five_hundredths_below) {
  Desk desk{with_modes()};  // of 0.26: 0.5 is 0.13, 0.45 is 0.117
  EXPECT_EQ(desk.mode("0.130"), Mode::normal);
  EXPECT_EQ(desk.mode("0.131"), Mode::pinning);
  EXPECT_EQ(desk.mode("0.118", seconds{60}), Mode::pinning);
  EXPECT_EQ(desk.mode("0.117", seconds{60}), Mode::pinning);
  EXPECT_EQ(desk.mode("0.116", seconds{60}), Mode::normal);
  EXPECT_EQ(desk.mode("0.118", seconds{61}), Mode::normal);
  EXPECT_EQ(desk.mode("-0.131", seconds{62}), Mode::pinning);
}

TEST(Pinning, lasts_five_seconds_at_least) {
  Desk desk{with_modes()};
  EXPECT_EQ(desk.mode("0.2"), Mode::pinning);
  EXPECT_EQ(desk.mode("0", milliseconds{4'999}), Mode::pinning);
  EXPECT_EQ(desk.out.quotes.size(), 14U) << "flat: nothing to reduce, the whole ladder";
  EXPECT_EQ(desk.mode("0", seconds{5}), Mode::normal);
  EXPECT_EQ(desk.mode("0.2", seconds{5}), Mode::pinning) << "entered at once";
}

TEST(Pinning, d09_no_flapping_at_the_threshold) {
  base::Rng rng{19};
  Desk desk{with_modes()};
  desk.in.volatility_ratio = 0.001;
  for (const double level : {0.5, 0.65}) {
    int changes = 0;
    Mode last = desk.mode(level == 0.5 ? "0.11" : "0.16");
    for (int i = 0; i < 5'000; ++i) {
      const double usage = level + static_cast<double>(rng.between(-24, 24)) / 1000;
      const auto position = model::to_step(usage * 0.26, Qty::of("0.001"), model::Rounding::nearest);
      const Mode mode =
          desk.mode(position.text().c_str(), milliseconds{200 * i} + seconds{level == 0.5 ? 10 : 10'000});
      changes += mode != last ? 1 : 0;
      last = mode;
    }
    EXPECT_EQ(changes, 1) << level;
  }
}

TEST(Pinning, d09_whatever_the_position_does_a_mode_lasts_its_dwell) {
  base::Rng rng{20};
  Desk desk{with_modes()};
  desk.in.volatility_ratio = 0.001;
  Mode last = Mode::normal;
  base::Duration since = -seconds{100};
  for (int i = 0; i < 5'000; ++i) {
    const base::Duration now = milliseconds{200 * i};
    const auto position = Qty::of("0.001") * rng.between(-300, 300);
    const Mode mode = desk.mode(position.text().c_str(), now);
    if (mode < last) {
      ASSERT_GE(now - since, seconds{5});
    }
    if (mode != last) since = now;
    last = mode;
  }
}

TEST(Pinning, off_means_off) {
  GridParams p = live_preset();
  Desk desk{p};
  desk.in.volatility_ratio = 0.001;
  const auto& out = desk.quote("0.25");
  EXPECT_EQ(out.mode, Mode::normal);
  EXPECT_FALSE(out.take);
}

TEST(Grinding, keeps_the_vector_of_the_specification) {
  // Long at mid 3000: a take at 2998.50 at worst, a re-entry at 3001.26.
  Desk desk{with_modes()};
  desk.in.volatility_ratio = 0.0;
  const auto& out = desk.quote("0.20");  // usage 0.77
  EXPECT_EQ(out.mode, Mode::grinding);
  ASSERT_TRUE(out.take);
  EXPECT_EQ(out.take->side, Side::ask);
  EXPECT_EQ(out.take->limit, Price::of("2998.5"));
  EXPECT_EQ(out.take->qty, Qty::of("0.015"));  // 0.075 x 0.2
  const auto asks = of_side(out.quotes, Side::ask);
  EXPECT_EQ(asks[0].price, Price::of("3001.26"));
  EXPECT_EQ(asks[0].qty, Qty::of("0.016"));  // 2.1 x 0.008
  EXPECT_EQ(asks[0].intent, model::Intent::reduce_only);
  EXPECT_EQ(asks[1].price, Price::of("3001.5"));
  EXPECT_EQ(asks[1].intent, model::Intent::open);
  EXPECT_EQ(asks.size(), 8U);
  EXPECT_NEAR(out.progress, (0.2 / 0.26 - 0.65) / 0.35, 1e-12);
}

TEST(Grinding, a_short_position_mirrors_it) {
  Desk desk{with_modes()};
  desk.in.volatility_ratio = 0.001;
  const auto& out = desk.quote("-0.20");
  ASSERT_TRUE(out.take);
  EXPECT_EQ(out.take->side, Side::bid);
  EXPECT_EQ(out.take->limit, Price::of("3001.5"));
  const auto bids = of_side(out.quotes, Side::bid);
  EXPECT_EQ(bids[0].price, Price::of("2998.74"));
  EXPECT_EQ(bids[0].intent, model::Intent::reduce_only);
}

TEST(Grinding, needs_a_calm_market_that_is_known_to_be_calm) {
  Desk desk{with_modes()};
  EXPECT_EQ(desk.mode("0.2"), Mode::pinning) << "volatility unknown";
  desk.in.volatility_ratio = 0.01;
  EXPECT_EQ(desk.mode("0.2", seconds{10}), Mode::pinning);
  desk.in.volatility_ratio = 0.0099;
  EXPECT_EQ(desk.mode("0.169", seconds{20}), Mode::grinding) << "0.65 of 0.26, reached exactly";
  EXPECT_TRUE(desk.out.take);
  desk.in.volatility_ratio = 0.0104;
  EXPECT_EQ(desk.mode("0.2", seconds{400}), Mode::grinding) << "stays within the hysteresis";
  EXPECT_FALSE(desk.out.take) << "but takes nothing";
  desk.in.volatility_ratio = 0.0105;
  EXPECT_EQ(desk.mode("0.2", seconds{410}), Mode::pinning);
  desk.in.volatility_ratio.reset();
  EXPECT_EQ(desk.mode("0.2", seconds{420}), Mode::pinning);
}

TEST(Grinding, is_left_five_hundredths_below_its_threshold_for_pinning) {
  Desk desk{with_modes()};
  desk.in.volatility_ratio = 0.001;
  EXPECT_EQ(desk.mode("0.168"), Mode::pinning);
  EXPECT_EQ(desk.mode("0.169"), Mode::grinding);
  EXPECT_EQ(desk.mode("0.156", seconds{10}), Mode::grinding);
  EXPECT_EQ(desk.mode("0.155", seconds{20}), Mode::pinning);
}

TEST(Grinding, takes_at_most_once_in_300_s) {
  Desk desk{with_modes()};
  desk.in.volatility_ratio = 0.001;
  int takes = 0;
  for (int s = 0; s < 3'000; ++s) takes += desk.quote("0.2", seconds{s}).take ? 1 : 0;
  EXPECT_EQ(takes, 10);
}

TEST(Grinding, takes_one_lot_at_least_and_never_more_than_the_position) {
  GridParams p = with_modes();
  p.net_max = Qty::of("0.02");
  p.layer_size = Qty::of("0.01");
  Desk desk{p};
  desk.in.volatility_ratio = 0.001;
  EXPECT_EQ(desk.quote("0.013").take.value().qty, Qty::of("0.001")) << "0.075 of it is less than a lot";
  desk.instrument.qty_min = Qty::of("0.005");
  EXPECT_EQ(desk.quote("0.013", seconds{300}).take.value().qty, Qty::of("0.005"));
  // What is taken leaves less for the order that rests: 0.013 less 0.005.
  EXPECT_EQ(of_side(desk.out.quotes, Side::ask)[0].qty, Qty::of("0.008"));
  desk.instrument.qty_min = Qty::of("0.014");
  EXPECT_FALSE(desk.quote("0.013", seconds{600}).take);
}

TEST(Grinding, a_touch_out_of_reach_is_not_taken_and_does_not_spend_the_interval) {
  Desk desk{with_modes()};
  desk.in.volatility_ratio = 0.001;
  desk.in.top = top("2998.40", "3001.60");  // the bid is 5.3 bps from the mid
  EXPECT_FALSE(desk.quote("0.2").take);
  EXPECT_EQ(desk.out.mode, Mode::grinding);
  desk.in.top = top("2998.50", "3001.50");
  EXPECT_TRUE(desk.quote("0.2", seconds{1}).take);
}

TEST(Grinding, from_80_percent_usage_on_nothing_adds) {
  Desk desk{with_modes()};  // of 0.26: 0.8 is 0.208, 0.75 is 0.195
  desk.in.volatility_ratio = 0.001;
  EXPECT_FALSE(of_side(desk.quote("0.207").quotes, Side::bid).empty());
  EXPECT_TRUE(of_side(desk.quote("0.208").quotes, Side::bid).empty());
  EXPECT_EQ(desk.out.why, "usage");
  EXPECT_EQ(of_side(desk.out.quotes, Side::ask).size(), 8U);
  EXPECT_TRUE(of_side(desk.quote("0.195").quotes, Side::bid).empty()) << "d09: the level has its hysteresis";
  EXPECT_FALSE(of_side(desk.quote("0.194").quotes, Side::bid).empty());
  EXPECT_TRUE(of_side(desk.quote("-0.5").quotes, Side::ask).empty());
}

TEST(Grinding, an_ask_stays_above_our_own_bid_inside_a_wide_spread) {
  Desk desk{with_modes()};
  desk.in.volatility_ratio = 0.001;
  desk.in.top = top("2990", "3010");
  desk.in.predicted_funding = Rate::of("0.01");  // pulls the ladder down by 15
  const auto& out = desk.quote("-0.18");
  EXPECT_EQ(prices(out.quotes, Side::bid)[0], "2998.74");
  EXPECT_EQ(prices(out.quotes, Side::ask)[0], "2998.75");
}

TEST(Vpin, from_its_threshold_on_the_whole_ladder_moves_out) {
  Desk desk{with_vpin()};
  desk.in.vpin = 0.699;
  EXPECT_EQ(prices(desk.quote("0").quotes, Side::bid)[0], "2998.5");
  desk.in.vpin = 0.75;  // 1.5 x 1.15 = 1.725: 0.225 further out
  EXPECT_EQ(prices(desk.quote("0").quotes, Side::bid),
            (Texts{"2998.27", "2996.77", "2994.15", "2989.55", "2981.51", "2967.44", "2942.82"}));
  EXPECT_EQ(prices(desk.quote("0").quotes, Side::ask)[0], "3001.73");
}

TEST(Vpin, and_volatility_both_count) {
  GridParams p = with_vpin();
  EXPECT_NEAR(outward_shift(p, 3000, 0.001, std::nullopt), 1.5 * 0.05, 1e-12);
  EXPECT_NEAR(outward_shift(p, 3000, 0.001, 0.8), 1.5 * (1.05 * 1.16 - 1), 1e-12);
  EXPECT_NEAR(outward_shift(p, 3000, 0.5, std::nullopt), 1.5, 1e-12) << "clamped at 2";
  p.min_spread = 0.002;  // 6.00 at 3000: the first distance is 3.00
  EXPECT_NEAR(outward_shift(p, 3000, std::nullopt, 0.8), 3.0 * 1.16 - 1.5, 1e-12);
  p.vpin.enabled = false;
  EXPECT_NEAR(outward_shift(p, 3000, std::nullopt, 1.0), 1.5, 1e-12);
}

TEST(Vpin, at_its_pause_threshold_nothing_adds_for_five_seconds) {
  Desk desk{with_vpin()};
  desk.in.vpin = 0.9;
  EXPECT_TRUE(desk.quote("0").quotes.empty()) << "flat: either side adds";
  EXPECT_EQ(desk.out.why, "one-sided volume");
  EXPECT_TRUE(of_side(desk.quote("0.02").quotes, Side::bid).empty());
  EXPECT_EQ(of_side(desk.out.quotes, Side::ask).size(), 7U);
  desk.in.vpin = 0.5;
  EXPECT_TRUE(desk.quote("0", milliseconds{4'999}).quotes.empty());
  EXPECT_EQ(desk.quote("0", seconds{5}).quotes.size(), 14U);
  EXPECT_EQ(desk.out.why, "");
}

TEST(Vpin, the_pause_does_not_stop_grinding) {
  GridParams p = with_modes();
  p.vpin.enabled = true;
  Desk desk{p};
  desk.in.volatility_ratio = 0.001;
  desk.in.vpin = 0.95;
  const auto& out = desk.quote("0.2");
  EXPECT_EQ(out.mode, Mode::grinding);
  EXPECT_TRUE(out.take);
  EXPECT_FALSE(of_side(out.quotes, Side::bid).empty());
}

TEST(Vpin, d09_a_value_that_swings_around_the_pause_threshold_is_one_pause) {
  base::Rng rng{4};
  Desk desk{with_vpin()};
  int changes = 0;
  bool paused = false;
  for (int i = 0; i < 2'000; ++i) {
    desk.in.vpin = 0.9 + static_cast<double>(rng.between(-20, 20)) / 1000;
    const bool now_paused = desk.quote("0", milliseconds{200 * i}).quotes.empty();
    changes += now_paused != paused ? 1 : 0;
    paused = now_paused;
  }
  EXPECT_EQ(changes, 1);
}

TEST(GridModes, i06_the_reducing_side_is_never_short_of_what_closes) {
  // Any mode, any position up to three times the limit, any market: min(|position|, layers x size) at least,
  // on tick and step, nothing crossed, nothing in front of the touch but the ladder's own wish.
  base::Rng rng{77};
  int seen[3] = {};
  for (int round = 0; round < 5'000; ++round) {
    model::Instrument i = eth();
    i.tick_size = Price::from_raw(std::vector<std::int64_t>{1'000, 1'000'000, 10'000'000}[rng.below(3)]);
    i.price_min = i.tick_size;
    i.step_size = i.qty_min =
        Qty::from_raw(std::vector<std::int64_t>{100'000, 1'000'000, 10'000'000}[rng.below(3)]);
    i.notional_min = {};
    GridParams p;
    p.layer_size = i.step_size * rng.between(1, 40);
    p.net_max = p.layer_size * rng.between(1, 60);
    p.layers = static_cast<int>(rng.between(1, 20));
    p.start = p.first_spacing = {DistanceUnit::bps, static_cast<double>(rng.between(10, 3000)) / 100};
    p.multiplier = 1.0 + static_cast<double>(rng.between(1, 100)) / 100;
    p.max_spacing = {DistanceUnit::bps, 100};
    p.min_spread = static_cast<double>(rng.between(1, 1000)) / 100'000;
    p.skew_coeff = static_cast<double>(rng.between(0, 20)) / 1000;
    p.pinning.enabled = rng.below(4) != 0;
    p.pinning.threshold = static_cast<double>(rng.between(50, 60)) / 100;
    p.pinning.touch_size = static_cast<double>(rng.between(1, 100)) / 10;
    p.grinding.enabled = rng.below(4) != 0;
    p.grinding.threshold = static_cast<double>(rng.between(61, 95)) / 100;
    p.vpin.enabled = rng.below(2) == 0;
    ASSERT_FALSE(check(p));
    const Price bid = model::round_to(Price::from_raw(rng.between(10'000'000'000, 9'000'000'000'000)),
                                      i.tick_size, model::Rounding::down);
    QuoteInput in{.instrument = i,
                  .top = {.bid = {bid, Qty::of("1")},
                          .ask = {bid + i.tick_size * rng.between(1, 20), Qty::of("1")},
                          .update_id = 1},
                  .position = {}};
    Grid grid{p};
    Decision out;
    for (int step = 0; step < 5; ++step) {
      in.now += milliseconds{rng.between(0, 400'000)};
      in.position =
          i.step_size * (rng.between(-3 * p.net_max.raw(), 3 * p.net_max.raw()) / i.step_size.raw());
      if (rng.below(2) == 0) in.volatility_ratio = static_cast<double>(rng.between(0, 20)) / 1000;
      if (rng.below(2) == 0) in.vpin = static_cast<double>(rng.between(0, 100)) / 100;
      if (rng.below(2) == 0) in.other_ask = in.top.ask.price + i.tick_size * rng.between(0, 50);
      if (rng.below(2) == 0) in.other_bid = in.top.bid.price - i.tick_size * rng.between(0, 50);
      grid.quote(in, out);
      ++seen[static_cast<int>(out.mode)];
      Price last_bid = in.top.ask.price, first_bid, last_ask = in.top.bid.price;
      Qty reduce_only;
      for (const auto& q : out.quotes) {
        ASSERT_FALSE(model::check_order(i, q.price, q.qty, q.intent)) << round;
        if (q.intent == model::Intent::reduce_only) reduce_only += q.qty;
        if (q.side == Side::bid) {
          ASSERT_LT(q.price, last_bid) << round;
          if (first_bid.is_zero()) first_bid = q.price;
          last_bid = q.price;
        } else {
          ASSERT_GT(q.price, std::max(last_ask, first_bid)) << round;
          last_ask = q.price;
        }
      }
      if (const auto side = reducing_side(in.position)) {
        const Qty held = in.position.abs();
        ASSERT_GE(total(out.quotes, *side), std::min(held, p.layer_size * p.layers)) << round;
        if (out.take) {
          ASSERT_EQ(out.take->side, *side);
          ASSERT_LE(out.take->qty + reduce_only, held) << round;
          ASSERT_FALSE(model::check_order(i, out.take->limit, out.take->qty, model::Intent::reduce_only));
          const Price mid = in.top.mid();
          ASSERT_LE((out.take->limit - mid).abs().to_double(), 5e-4 * mid.to_double() + 1e-7);
        }
        if (out.mode == Mode::pinning) {
          const auto first = of_side(out.quotes, *side).front().price;
          if (*side == Side::bid) {
            ASSERT_LE(first, std::min(in.top.bid.price, in.other_bid.value_or(in.top.bid.price))) << round;
          } else {
            ASSERT_GE(first, std::max(in.top.ask.price, in.other_ask.value_or(in.top.ask.price))) << round;
          }
        }
      } else {
        ASSERT_FALSE(out.take);
      }
    }
  }
  for (const int count : seen) EXPECT_GT(count, 1'500);
}

TEST(GridModes, i08_new_parameters_hold_from_the_next_quote_on_and_the_state_stays) {
  Desk desk{with_modes()};
  desk.in.volatility_ratio = 0.001;
  ASSERT_TRUE(desk.quote("0.2").take);
  GridParams p = with_modes();
  p.layers = 3;
  p.grinding.reentry_bps = 10;
  desk.grid.configure(p);
  const auto& out = desk.quote("0.2", seconds{1});
  EXPECT_EQ(out.mode, Mode::grinding);
  EXPECT_FALSE(out.take) << "the interval of the take before still runs";
  EXPECT_EQ(of_side(out.quotes, Side::ask).size(), 4U);
  EXPECT_EQ(of_side(out.quotes, Side::ask)[0].price, Price::of("3001.5") + Price::of("1.5"));
  EXPECT_EQ(desk.grid.params().layers, 3);
}

TEST(GridParams, of_the_modes_are_refused_with_the_rule_they_break) {
  using F = GridFault;
  const auto with = [](auto change) {
    GridParams p = with_modes();
    p.vpin.enabled = true;
    change(p);
    return check(p);
  };
  EXPECT_FALSE(with([](GridParams&) {}));
  const std::pair<F, std::optional<F>> cases[] = {
      {F::pinning_threshold_out_of_range, with([](auto& p) { p.pinning.threshold = 0.49; })},
      {F::pinning_threshold_out_of_range, with([](auto& p) { p.pinning.threshold = NAN; })},
      {F::pinning_touch_size_out_of_range, with([](auto& p) { p.pinning.touch_size = 0; })},
      {F::grinding_threshold_out_of_range, with([](auto& p) { p.grinding.threshold = 0.96; })},
      {F::grinding_not_above_pinning, with([](auto& p) { p.grinding.threshold = 0.5; })},
      {F::grinding_volatility_out_of_range, with([](auto& p) { p.grinding.volatility_max = 0.11; })},
      {F::grinding_take_share_out_of_range, with([](auto& p) { p.grinding.take_share = 1.1; })},
      {F::grinding_take_reach_out_of_range, with([](auto& p) { p.grinding.take_reach_bps = 51; })},
      {F::grinding_take_interval_out_of_range, with([](auto& p) { p.grinding.take_interval = {}; })},
      {F::grinding_reentry_size_out_of_range, with([](auto& p) { p.grinding.reentry_size = -1; })},
      {F::grinding_reentry_distance_out_of_range, with([](auto& p) { p.grinding.reentry_bps = 101; })},
      {F::grinding_adding_usage_out_of_range, with([](auto& p) { p.grinding.adding_usage_max = 1.01; })},
      {F::mode_hysteresis_out_of_range, with([](auto& p) { p.mode_hysteresis = 0; })},
      {F::mode_dwell_out_of_range, with([](auto& p) { p.mode_dwell = milliseconds{4'999}; })},
      {F::vpin_threshold_out_of_range, with([](auto& p) { p.vpin.threshold = 0; })},
      {F::vpin_multiplier_out_of_range, with([](auto& p) { p.vpin.multiplier = 11; })},
      {F::vpin_pause_threshold_out_of_range, with([](auto& p) { p.vpin.pause_threshold = 0.69; })},
      {F::vpin_pause_out_of_range, with([](auto& p) { p.vpin.pause = {}; })},
  };
  for (const auto& [expected, found] : cases) {
    EXPECT_EQ(found, expected) << text(expected);
    EXPECT_NE(text(expected), "unknown fault");
  }
  // What is off is not looked at: the original files say 0 there.
  GridParams off = live_preset();
  off.pinning.threshold = off.grinding.threshold = off.vpin.threshold = 0;
  EXPECT_FALSE(check(off));
}

TEST(Usage, is_compared_without_rounding) {
  EXPECT_TRUE(compare_usage(Qty::of("0.169"), Qty::of("0.26"), 0.65) == 0);
  EXPECT_TRUE(compare_usage(Qty::of("-0.16900001"), Qty::of("0.26"), 0.65) > 0);
  EXPECT_TRUE(compare_usage(Qty::of("0.16899999"), Qty::of("0.26"), 0.65) < 0);
  EXPECT_TRUE(compare_usage(Qty::from_raw(INT64_MIN), Qty::from_raw(INT64_MAX), 3) < 0);
}

}  // namespace
}  // namespace phoenix::quote
