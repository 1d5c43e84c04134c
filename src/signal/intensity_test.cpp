#include "signal/intensity.hpp"

#include "base/rng.hpp"
#include "signal/math.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::signal {
namespace {

using base::milliseconds;
using base::seconds;
using model::Price;
using model::Side;

constexpr base::VenueTime begin = base::venue_time_ms(1'700'000'000'000);

/// Distances as the header states them: from 0.05 bps by the square root of two.
double distance(int j) { return 5e-6 * std::pow(2.0, j / 2.0); }

model::AggTrade trade(double price, Side aggressor, base::VenueTime time) {
  return {.price = Price::from_raw(static_cast<std::int64_t>(std::llround(price * 1e8))),
          .aggressor = aggressor,
          .trade_time = time};
}

/// A market at 3000 with a spread of 0.02: every `every_ms` a sweep whose depth is exponential.
class Sweeps {
 public:
  Sweeps(std::uint64_t seed, double decay) : rng_(seed), decay_(decay) {}
  void run(IntensityEstimator& estimator, int count, std::int64_t every_ms) {
    for (int i = 0; i < count; ++i) {
      now_ += milliseconds{every_ms};
      estimator.on_touch(Price::of("2999.99"), Price::of("3000.01"), now_);
      const double uniform = static_cast<double>(rng_.between(1, 1'000'000)) / 1'000'000;
      const double depth = 0.01 - std::log(uniform) / decay_;
      const Side side = rng_.below(2) == 0 ? Side::bid : Side::ask;
      depths_.push_back(depth / 3000);
      estimator.on_trade(trade(3000 + model::sign(side) * depth, side, now_));
    }
  }
  const std::vector<double>& depths() const { return depths_; }

 private:
  base::Rng rng_;
  double decay_;
  base::VenueTime now_ = begin;
  std::vector<double> depths_;
};

TEST(IntensityEstimator, finds_the_decay_and_rate_of_an_exponential_market) {
  for (const double decay : {0.5, 2.0, 20.0}) {
    IntensityEstimator estimator;
    Sweeps{1, decay}.run(estimator, 6'100, 100);
    const auto found = estimator.estimate();
    ASSERT_TRUE(found) << decay;
    EXPECT_NEAR(found->decay, decay, 0.05 * decay);
    // 10 sweeps a second, 5 of each side, at the touch, which is 0.01 from the mid.
    EXPECT_NEAR(found->at_touch * std::exp(-found->decay * 0.01), 5, 0.3) << decay;
  }
}

TEST(IntensityEstimator, distances_within_a_wide_spread_say_nothing) {
  // Half a spread of 1: every sweep is that deep at least, whatever the decay beyond.
  IntensityEstimator estimator;
  base::Rng rng{7};
  for (int i = 0; i < 6'100; ++i) {
    const auto now = begin + milliseconds{100 * i};
    estimator.on_touch(Price::of("2999"), Price::of("3001"), now);
    const double beyond = -std::log(static_cast<double>(rng.between(1, 1'000'000)) / 1'000'000) / 2.0;
    estimator.on_trade(trade(3001 + beyond, Side::bid, now));
  }
  const auto found = estimator.estimate();
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->decay, 2, 0.1);
  EXPECT_NEAR(found->at_touch * std::exp(-found->decay), 5, 0.3);
}

TEST(IntensityEstimator, equals_least_squares_written_out) {
  IntensityEstimator estimator{{.slot = seconds{1}, .slots = 60, .ready_after = seconds{50}}};
  Sweeps sweeps{2, 1.5};
  sweeps.run(estimator, 1 + 590, 100);  // the first of a slot closes the one before
  // At 59.0 s after the first event 59 slots are full; the sweep that just came is in the next.
  const auto& depths = sweeps.depths();
  struct Point {
    double x, y, w;
  };
  std::vector<Point> points;
  const double touch = 0.01 / 3000;
  const auto add = [&](double x) {
    double n = 0;
    for (std::size_t i = 0; i + 1 < depths.size(); ++i) n += depths[i] >= x - 1e-12 ? 1 : 0;
    if (n >= 5) points.push_back({x, std::log(n / (2 * 59)), n});
  };
  add(touch);
  for (int j = 0; j < 24; ++j) {
    if (distance(j) > touch) add(distance(j));
  }
  // The normal equations about the weighted means.
  double w = 0, mx = 0, my = 0, sxx = 0, sxy = 0;
  for (const auto& p : points) w += p.w, mx += p.w * p.x, my += p.w * p.y;
  mx /= w, my /= w;
  for (const auto& p : points) sxx += p.w * (p.x - mx) * (p.x - mx), sxy += p.w * (p.x - mx) * (p.y - my);
  const auto found = estimator.estimate();
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->decay, -sxy / sxx / 3000, 1e-6 * found->decay);
  EXPECT_NEAR(found->at_touch, std::exp(my - sxy / sxx * mx), 1e-6 * found->at_touch);
}

TEST(IntensityEstimator, the_trades_of_one_taker_are_one_sweep_to_its_deepest_price) {
  IntensityEstimator estimator;
  estimator.on_touch(Price::of("2999.99"), Price::of("3000.01"), begin);
  for (const double price : {3000.01, 3000.5, 3001.0}) estimator.on_trade(trade(price, Side::bid, begin));
  // The book moves before the last of its trades is seen: the mid is that of its beginning.
  estimator.on_touch(Price::of("3000.99"), Price::of("3001.01"), begin);
  estimator.on_trade(trade(3001.5, Side::bid, begin));
  EXPECT_EQ(estimator.sweeps(), 0);
  estimator.on_trade(trade(3000.99, Side::ask, begin));  // another side: another taker
  EXPECT_EQ(estimator.sweeps(), 1);
  estimator.on_trade(trade(3000.99, Side::ask, begin + milliseconds{1}));
  EXPECT_EQ(estimator.sweeps(), 2);
}

TEST(IntensityEstimator, is_silent_until_the_window_and_the_sweeps_suffice) {
  IntensityEstimator estimator;
  Sweeps sweeps{3, 1};
  sweeps.run(estimator, 299, 1'000);
  EXPECT_FALSE(estimator.estimate());
  sweeps.run(estimator, 10, 1'000);
  EXPECT_TRUE(estimator.estimate());

  IntensityEstimator slow;
  Sweeps{3, 1}.run(slow, 40, 15'000);  // ten minutes, 40 sweeps
  EXPECT_FALSE(slow.estimate());
}

TEST(IntensityEstimator, says_nothing_of_a_market_whose_trades_all_have_one_depth) {
  IntensityEstimator estimator;
  for (int i = 0; i < 6'000; ++i) {
    const auto now = begin + milliseconds{100 * i};
    estimator.on_touch(Price::of("2999.99"), Price::of("3000.01"), now);
    estimator.on_trade(trade(3000.01, Side::bid, now));
  }
  EXPECT_GT(estimator.sweeps(), 5'000);
  EXPECT_FALSE(estimator.estimate());
}

TEST(IntensityEstimator, forgets_what_is_older_than_its_window) {
  IntensityEstimator estimator;
  Sweeps fast{4, 0.5};
  fast.run(estimator, 6'000, 100);
  const auto before = estimator.estimate();
  ASSERT_TRUE(before);
  // Ten minutes of another market, a tenth as busy, half as deep.
  IntensityEstimator fresh;
  base::Rng rng{9};
  for (int i = 0; i < 700; ++i) {
    const auto now = begin + seconds{605 + i};
    const double depth = 0.01 - std::log(static_cast<double>(rng.between(1, 1'000'000)) / 1'000'000);
    for (IntensityEstimator* e : {&estimator, &fresh}) {
      e->on_touch(Price::of("2999.99"), Price::of("3000.01"), now);
      e->on_trade(trade(3000 + depth, Side::bid, now));
    }
  }
  ASSERT_TRUE(estimator.estimate() && fresh.estimate());
  EXPECT_NEAR(estimator.estimate()->decay, fresh.estimate()->decay, 0.05);
  EXPECT_NEAR(estimator.estimate()->at_touch, fresh.estimate()->at_touch, 0.05);
}

TEST(IntensityEstimator, d15_a_gap_of_more_than_a_minute_starts_anew) {
  IntensityEstimator estimator;
  Sweeps{5, 1}.run(estimator, 6'000, 100);
  ASSERT_TRUE(estimator.estimate());
  estimator.on_touch(Price::of("2999.99"), Price::of("3000.01"), begin + seconds{661});
  EXPECT_FALSE(estimator.estimate());
  EXPECT_EQ(estimator.sweeps(), 0);
  EXPECT_EQ(estimator.resets(), 1U);
}

TEST(IntensityEstimator, what_no_market_sends_does_no_harm) {
  IntensityEstimator estimator;
  base::Rng rng{6};
  for (int i = 0; i < 20'000; ++i) {
    const auto any = [&] {
      return rng.below(4) == 0 ? static_cast<std::int64_t>(rng.next()) : rng.between(1, 3'000'000'000);
    };
    const base::VenueTime now = rng.below(50) == 0
                                    ? base::venue_time_ns(static_cast<std::int64_t>(rng.next()))
                                    : begin + milliseconds{100 * i};
    estimator.on_touch(Price::from_raw(any()), Price::from_raw(any()), now);
    estimator.on_trade({.price = Price::from_raw(any()), .aggressor = Side::bid, .trade_time = now});
    if (const auto e = estimator.estimate()) {
      ASSERT_TRUE(e->at_touch > 0 && e->decay > 0);
    }
  }
}

TEST(IntensityOptions, are_refused_with_the_rule_they_break) {
  const auto with = [](auto change) {
    IntensityOptions o;
    change(o);
    return check(o);
  };
  EXPECT_EQ(check(IntensityOptions{}), "");
  EXPECT_NE(with([](auto& o) { o.slot = milliseconds{1}; }), "");
  EXPECT_NE(with([](auto& o) { o.slots = 1; }), "");
  EXPECT_NE(with([](auto& o) { o.ready_after = base::minutes{10}; }), "");
  EXPECT_NE(with([](auto& o) { o.sweeps_min = 0; }), "");
  EXPECT_NE(with([](auto& o) { o.reached_min = 0; }), "");
  EXPECT_NE(with([](auto& o) { o.gap_max = {}; }), "");
}

}  // namespace
}  // namespace phoenix::signal
