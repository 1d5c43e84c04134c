#include "signal/cvd.hpp"

#include "base/rng.hpp"

#include <cmath>
#include <deque>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::signal {
namespace {

using model::Price;
using model::Qty;
using model::Side;

base::VenueTime at(std::int64_t ms) { return base::venue_time_ms(1'700'000'000'000 + ms); }

/// Trades at one price, `ms` apart, the side told.
class Tape {
 public:
  explicit Tape(CvdOptions options = {}) : cvd_{options} {}
  CvdSample trade(double qty, std::int64_t passed_ms = 100) {
    now_ms_ += passed_ms;
    const auto raw = static_cast<std::int64_t>(qty * 1e8);
    const auto sample = cvd_.on_trade(Price::of("100"), Qty::from_raw(std::abs(raw)),
                                      raw > 0 ? Side::bid : Side::ask, at(now_ms_));
    EXPECT_TRUE(sample);
    return sample.value_or(CvdSample{});
  }
  Cvd& cvd() { return cvd_; }

 private:
  Cvd cvd_;
  std::int64_t now_ms_ = 0;
};

TEST(CvdSignal, takers_who_buy_add_and_takers_who_sell_take_away) {
  Tape tape;
  EXPECT_EQ(tape.trade(2).cvd, Qty::of("2"));
  const CvdSample sold = tape.trade(-3);
  EXPECT_EQ(sold.delta, Qty::of("-3"));
  EXPECT_EQ(sold.cvd, Qty::of("-1"));
  EXPECT_DOUBLE_EQ(sold.ema, .2 * -1 + .8 * 2);
}

TEST(CvdSignal, h19_the_first_nineteen_trades_have_no_score_and_say_why) {
  Tape tape;
  for (int n = 1; n <= 30; ++n) {
    const CvdSample sample = tape.trade(n % 3 == 0 ? -1 : 2);
    EXPECT_EQ(sample.z.has_value(), n >= 20) << n;
    EXPECT_EQ(sample.z_raw.has_value(), n >= 20) << n;
    EXPECT_EQ(sample.ready, n >= 20);
    EXPECT_EQ(sample.reason, n >= 20 ? CvdReason::ready : CvdReason::warmup);
  }
}

TEST(CvdSignal, h18_raw_and_clipped_scores_are_both_kept) {
  int clipped = 0, scored = 0;
  Tape tape;
  base::Rng rng{5};
  for (int n = 0; n < 2'000; ++n) {
    const double size = static_cast<double>(rng.between(1, 100)) / 100;
    const CvdSample sample =
        tape.trade((rng.below(2) == 0 ? -1 : 1) * (rng.below(4) == 0 ? 20 * size : size));
    if (!sample.z) continue;
    ++scored;
    ASSERT_DOUBLE_EQ(*sample.z_raw, sample.delta.to_double() / *sample.scale);
    ASSERT_EQ(*sample.z, std::clamp(*sample.z_raw, -2.0, 2.0));
    clipped += std::abs(*sample.z_raw) > std::abs(*sample.z);
  }
  EXPECT_GT(clipped, scored / 10) << "a tenth of the series goes beyond the clip, and it shows";
  EXPECT_LT(clipped, scored / 2);
}

TEST(CvdSignal, half_life_of_event_time) {
  TimeEwma fast{base::seconds{60}};
  fast.add(0, {});
  fast.add(1, base::seconds{60});
  EXPECT_DOUBLE_EQ(fast.value(), .5);
  TimeEwma seeded{base::seconds{60}};
  seeded.add(7, base::seconds{9});
  EXPECT_EQ(seeded.value(), 7) << "the first value seeds it";
  TimeEwma least{base::seconds{60}};
  least.add(0, {});
  least.add(1, base::Duration::zero());
  EXPECT_NEAR(least.value(), 1 - std::exp2(-1.0 / 60'000), 1e-12) << "no time counts as one millisecond";
}

TEST(CvdSignal, pauses_freeze_exactly_two_trades_or_one) {
  for (const auto& [pause_ms, frozen] :
       {std::pair{3'999, 0}, {4'000, 1}, {5'000, 1}, {5'001, 2}, {60'000, 2}}) {
    Tape tape;
    for (int n = 0; n < 50; ++n) tape.trade(n % 2 == 0 ? 1 : -2);
    for (int n = 0; n < 6; ++n) {
      const CvdSample sample = tape.trade(1, n == 0 ? pause_ms : 100);
      EXPECT_EQ(sample.z.has_value(), n >= frozen) << pause_ms << " ms, trade " << n;
      EXPECT_EQ(sample.reason, n >= frozen ? CvdReason::ready : CvdReason::gap_freeze);
    }
  }
}

TEST(CvdSignal, the_clip_is_that_of_its_symbol) {
  for (const double winsor : {1.9, 2.3, 2.0}) {
    Tape tape{{.winsor = winsor}};
    for (int n = 0; n < 100; ++n) tape.trade(n % 2 == 0 ? .01 : -.01);
    const CvdSample sample = tape.trade(50);
    EXPECT_GT(*sample.z_raw, 5);
    EXPECT_EQ(sample.z, winsor);
  }
}

TEST(CvdSignal, the_floor_is_raised_where_trades_are_rare) {
  // Deltas of +-1 about a median of 0 or so: MAD 1. One trade in 10 s: 6 a minute, .1 a second, counted as
  // .2.
  Tape rare;
  CvdSample sample;
  for (int n = 0; n < 201; ++n) sample = rare.trade(n % 2 == 0 ? 1 : -1, 10'000);
  EXPECT_DOUBLE_EQ(sample.tps, .1);
  EXPECT_NEAR(*sample.sigma_floor, 1.4826 * 1.7 * std::pow(7.5, .7), 1e-9);
  EXPECT_NEAR(std::pow(7.5, .7), 4.10, .005);
  EXPECT_TRUE(sample.floor_used);
  EXPECT_EQ(sample.scale, sample.sigma_floor);
  Tape busy;
  for (int n = 0; n < 201; ++n) sample = busy.trade(n % 2 == 0 ? 1 : -1, 500);
  EXPECT_DOUBLE_EQ(sample.tps, 2);
  EXPECT_NEAR(*sample.sigma_floor, 1.4826 * 1.7, 1e-9);
}

TEST(CvdSignal, h21_the_floor_follows_every_trade_however_fast_they_come) {
  // A full window whose spread changes from 1 to 3: a floor kept for a while of wall time would not move in a
  // replay.
  Tape tape;
  for (int n = 0; n < 200; ++n) tape.trade(n % 2 == 0 ? 1 : -1, 0);
  CvdSample sample;
  for (int n = 0; n < 200; ++n) sample = tape.trade(n % 2 == 0 ? 3 : -3, 0);
  EXPECT_DOUBLE_EQ(*sample.sigma_floor, 3 * 1.4826 * 1.7);
}

TEST(CvdSignal, no_floor_before_fifty_trades) {
  Tape tape;
  for (int n = 1; n <= 60; ++n)
    EXPECT_EQ(tape.trade(n % 2 == 0 ? 1 : -1).sigma_floor.has_value(), n >= 50) << n;
}

TEST(CvdSignal, the_slow_average_alone_is_a_setting) {
  Tape tape{{.scale_mode = CvdOptions::ScaleMode::ewma}};
  CvdSample sample;
  for (int n = 0; n < 100; ++n) sample = tape.trade(n % 2 == 0 ? 4 : -4);
  EXPECT_DOUBLE_EQ(*sample.scale, 4);
  EXPECT_FALSE(sample.sigma_floor);
  EXPECT_FALSE(sample.floor_used);
  EXPECT_DOUBLE_EQ(*sample.z_raw, -1);
}

TEST(CvdSignal, the_score_of_the_sum_against_the_window_before) {
  Tape tape{{.z_mode = CvdOptions::ZMode::level, .winsor = 8}};
  base::Rng rng{9};
  std::deque<double> window;
  for (int n = 0; n < 1'000; ++n) {
    const CvdSample sample =
        tape.trade((rng.below(2) == 0 ? 1 : -1) * static_cast<double>(rng.between(1, 9)));
    if (window.size() >= 30) {
      double sum = 0, squares = 0;
      for (const double v : window) sum += v;
      const double mean = sum / static_cast<double>(window.size());
      for (const double v : window) squares += (v - mean) * (v - mean);
      const double deviation = std::sqrt(squares / static_cast<double>(window.size()));
      ASSERT_NEAR(*sample.z_raw, (sample.cvd.to_double() - mean) / deviation, 1e-7);
    } else {
      ASSERT_FALSE(sample.z_raw);
    }
    window.push_back(sample.cvd.to_double());
    if (window.size() > 150) window.pop_front();
  }
}

TEST(CvdSignal, a_sum_that_was_carried_goes_on_and_survives_a_reset) {
  Cvd cvd{{}, Qty::of("1000")};
  EXPECT_EQ(cvd.on_trade(Price::of("1"), Qty::of("2"), Side::ask, at(0))->cvd, Qty::of("998"));
  cvd.reset();
  EXPECT_EQ(cvd.sum(), Qty::of("998"));
}

TEST(CvdSignal, the_sum_stops_at_the_ends_of_its_range) {
  const auto most = Qty::from_raw(std::numeric_limits<std::int64_t>::max());
  Cvd cvd{{}, most};
  EXPECT_EQ(cvd.on_trade(Price::of("1"), most, Side::bid, at(0))->cvd, most);
}

TEST(TickRule, tells_the_side_from_the_change_of_price) {
  TickRule rule{{}};
  EXPECT_EQ(rule.side(Price::of("10"), at(0), {}), std::nullopt);
  EXPECT_EQ(rule.side(Price::of("11"), at(1), {}), Side::bid);
  EXPECT_EQ(rule.side(Price::of("10.5"), at(2), {}), Side::ask);
  EXPECT_EQ(rule.side(Price::of("10.5"), at(3), Side::bid), Side::bid) << "what the venue says goes first";
  EXPECT_EQ(rule.side(Price::of("10.5"), at(4), {}), Side::bid);
}

TEST(TickRule, repeats_a_side_five_times_and_then_waits_for_another_price) {
  TickRule rule{{}};
  rule.side(Price::of("10"), at(0), Side::ask);
  for (int n = 1; n <= 20; ++n)
    EXPECT_EQ(rule.side(Price::of("10"), at(n), {}).has_value(), n <= 5)
        << "no second helping after a skip: " << n;
  EXPECT_EQ(rule.side(Price::of("9"), at(30), {}), Side::ask);
  EXPECT_EQ(rule.side(Price::of("9"), at(31), {}), Side::ask);
}

TEST(TickRule, a_side_older_than_two_seconds_is_not_repeated) {
  TickRule rule{{}};
  rule.side(Price::of("10"), at(0), Side::ask);
  EXPECT_EQ(rule.side(Price::of("10"), at(2'000), {}), Side::ask);
  EXPECT_EQ(rule.side(Price::of("10"), at(4'001), {}), std::nullopt);
  EXPECT_EQ(rule.side(Price::of("10"), at(4'002), {}), std::nullopt);
}

TEST(CvdSignal, a_trade_of_unknown_side_changes_nothing) {
  Cvd cvd;
  EXPECT_FALSE(cvd.on_trade(Price::of("10"), Qty::of("1"), {}, at(0)));
  EXPECT_EQ(cvd.side_unknown(), 1);
  EXPECT_EQ(cvd.sum(), Qty{});
}

TEST(CvdSignal, options_that_cannot_work_are_named) {
  EXPECT_EQ(check(CvdOptions{}), "");
  EXPECT_NE(check(CvdOptions{.winsor = 0}).find("cvd.winsor"), std::string::npos);
  EXPECT_NE(check(CvdOptions{.mad_samples_min = 201}).find("cvd.mad_samples_min"), std::string::npos);
  EXPECT_NE(check(CvdOptions{.half_life_slow = base::seconds{1}}).find("cvd.half_life_slow"),
            std::string::npos);
  EXPECT_NE(check(CvdOptions{.level_warmup_min = 151}).find("cvd.level_warmup_min"), std::string::npos);
}

}  // namespace
}  // namespace phoenix::signal
