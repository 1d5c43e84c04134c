#include "signal/market_state.hpp"

#include "base/rng.hpp"

#include <cmath>
#include <deque>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::signal {
namespace {

using base::milliseconds;
using base::seconds;
using model::Money;
using model::Price;
using model::Qty;
using model::Rate;
using model::Side;

constexpr base::VenueTime begin = base::venue_time_ms(1'700'000'000'000);

model::AggTrade trade(const char* price, const char* qty, Side aggressor) {
  return {.price = Price::of(price), .qty = Qty::of(qty), .aggressor = aggressor};
}

/// Of the last `length` values, from scratch, in more digits.
double deviation_over_mean(const std::deque<double>& values) {
  long double sum = 0, squares = 0;
  for (const double v : values) sum += v;
  const long double mean = sum / static_cast<long double>(values.size());
  for (const double v : values) squares += (v - mean) * (v - mean);
  return static_cast<double>(sqrtl(squares / static_cast<long double>(values.size())) / mean);
}

TEST(MarketState, samples_the_last_mid_of_each_second_and_says_when_it_is_ready) {
  MarketState state{{.samples = 4, .samples_ready = 2}};
  state.on_mid(Price::of("90"), begin);
  state.on_mid(Price::of("100"), begin + milliseconds{900});  // the sample of the first second
  EXPECT_EQ(state.samples(), 0);
  state.on_mid(Price::of("50"), begin + milliseconds{1'000});
  EXPECT_EQ(state.samples(), 1);
  EXPECT_FALSE(state.volatility_ratio());
  state.on_mid(Price::of("102"), begin + milliseconds{1'999});
  state.on_mid(Price::of("7"), begin + milliseconds{2'000});
  ASSERT_EQ(state.samples(), 2);
  EXPECT_NEAR(state.volatility_ratio().value(), 1.0 / 101, 1e-15);  // 100 and 102
}

TEST(MarketState, quiet_seconds_repeat_the_mid) {
  MarketState state{{.samples = 10, .samples_ready = 2}};
  state.on_mid(Price::of("100"), begin);
  state.on_mid(Price::of("104"), begin + seconds{3});  // 100, 100, 100
  EXPECT_EQ(state.samples(), 3);
  EXPECT_EQ(state.volatility_ratio().value(), 0);
  state.on_mid(Price::of("1"), begin + seconds{4});  // and 104
  EXPECT_NEAR(state.volatility_ratio().value(), std::sqrt(3.0) / 101, 1e-15);
}

TEST(MarketState, is_ready_after_five_minutes_by_default) {
  MarketState state;
  for (int s = 0; s <= 300; ++s) {
    EXPECT_EQ(state.volatility_ratio().has_value(), s > 300) << s;
    state.on_mid(Price::of("3000"), begin + seconds{s});
  }
  EXPECT_TRUE(state.volatility_ratio());
}

TEST(MarketState, d15_a_gap_of_more_than_a_minute_starts_anew) {
  MarketState state{{.samples = 10, .samples_ready = 2, .moves_ready = 1}};
  state.on_mid(Price::of("100"), begin);
  state.on_mid(Price::of("110"), begin + seconds{2});
  state.on_mid(Price::of("110"), begin + seconds{62});  // a minute exactly is no gap
  EXPECT_EQ(state.samples(), 10);
  EXPECT_EQ(state.resets(), 0U);
  state.on_mid(Price::of("300"), begin + seconds{62} + milliseconds{60'001});
  EXPECT_EQ(state.samples(), 0);
  EXPECT_EQ(state.resets(), 1U);
  EXPECT_FALSE(state.volatility_ratio());
  EXPECT_FALSE(state.volatility_per_s());
  state.on_mid(Price::of("300"), begin + seconds{126});
  EXPECT_EQ(state.volatility_ratio().value(), 0);  // nothing of what was before
}

TEST(MarketState, d15_a_gap_forgets_the_volume_too_and_keeps_the_funding_rate) {
  MarketState state{{.vpin_bucket_size = Money::of("100"), .vpin_num_buckets = 2, .vpin_buckets_ready = 1}};
  state.on_funding(Rate::of("0.0001"));
  state.on_mid(Price::of("100"), begin);
  state.on_trade(trade("100", "1", Side::bid));
  EXPECT_EQ(state.vpin(), 1.0);
  state.on_mid(Price::of("100"), begin + seconds{61});
  EXPECT_FALSE(state.vpin());
  EXPECT_EQ(state.predicted_funding(), Rate::of("0.0001"));
}

TEST(MarketState, a_step_back_in_time_is_no_step_and_a_leap_back_is_a_gap) {
  MarketState state{{.samples = 10, .samples_ready = 2}};
  state.on_mid(Price::of("100"), begin + seconds{10});
  state.on_mid(Price::of("101"), begin);  // in the second of the one before
  state.on_mid(Price::of("102"), begin + seconds{11});
  EXPECT_EQ(state.samples(), 1);
  state.on_mid(Price::of("102"), begin - seconds{50});
  EXPECT_EQ(state.samples(), 0);
  EXPECT_EQ(state.resets(), 1U);
  state.on_mid(Price::of("102"), begin - seconds{49});
  EXPECT_EQ(state.samples(), 1);
}

TEST(MarketState, a_time_from_nowhere_does_no_harm) {
  MarketState state;
  for (const auto t : {base::VenueTime::max(), begin, base::VenueTime::min(), base::VenueTime::max()}) {
    state.on_mid(Price::of("100"), t);
    state.on_mid(Price::of("0"), t);
  }
  EXPECT_EQ(state.samples(), 0);
}

TEST(MarketState, the_deviation_does_not_drift_over_a_million_samples) {
  // From large moves to small ones, where running sums would keep the rounding of the large.
  MarketState state;
  std::deque<double> window;
  base::Rng rng{11};
  std::int64_t raw = 300'000'000'000;
  Price last;
  for (int s = 0; s <= 1'000'000; ++s) {
    if (s > 0) window.push_back(last.to_double());
    if (window.size() > 1800) window.pop_front();
    const std::int64_t step = (s / 20'000) % 2 == 0 ? 1'000'000'000 : 1'000'000;
    raw = std::max<std::int64_t>(raw + rng.between(-step, step), 100'000'000'000);
    last = Price::from_raw(raw);
    state.on_mid(last, begin + seconds{s});
    if (s % 9'973 == 0 && s > 1800) {
      const double exact = deviation_over_mean(window);
      ASSERT_NEAR(state.volatility_ratio().value(), exact, 1e-9 * exact) << s;
    }
  }
}

TEST(MarketState, volatility_of_moves_is_the_weighted_root_of_their_squares) {
  MarketState state{{.volatility_half_life = seconds{1}, .moves_ready = 3}};
  for (const auto& [at, mid] : {std::pair{0, "100"}, {1, "101"}, {2, "99"}, {3, "99"}}) {
    state.on_mid(Price::of(mid), begin + seconds{at});
    EXPECT_FALSE(state.volatility_per_s());
  }
  state.on_mid(Price::of("1"), begin + seconds{4});
  // Moves 1, -2, 0 with weights 1/4, 1/2, 1: (1/4 + 4/2) / (7/4).
  EXPECT_NEAR(state.volatility_per_s().value(), std::sqrt(2.25 / 1.75), 1e-12);
}

TEST(MarketState, volatility_of_a_random_walk_is_that_of_its_steps) {
  MarketState state;
  base::Rng rng{5};
  std::int64_t raw = 300'000'000'000;
  double sum = 0;
  int count = 0;
  for (int s = 0; s < 20'000; ++s) {
    raw += rng.normal_milli() * 50'000;  // 0.5 per sqrt(s)
    state.on_mid(Price::from_raw(raw), begin + seconds{s});
    if (s > 300) {
      sum += state.volatility_per_s().value();
      ++count;
    }
  }
  EXPECT_NEAR(sum / count, 0.5, 0.01);
}

TEST(MarketState, a_market_that_stands_still_has_no_volatility) {
  MarketState state;
  for (int s = 0; s < 400; ++s) state.on_mid(Price::of("3000"), begin + seconds{s});
  EXPECT_EQ(state.volatility_per_s(), 0.0);
  EXPECT_EQ(state.volatility_ratio(), 0.0);
}

TEST(MarketState, funding_is_the_average_of_the_rates) {
  MarketState state;
  EXPECT_FALSE(state.predicted_funding());
  for (int i = 0; i < 3; ++i) state.on_funding(Rate::of("0.0001"));
  EXPECT_EQ(state.predicted_funding(), Rate::of("0.0001"));
  state.on_funding(Rate::of("0.0002"));
  EXPECT_EQ(state.predicted_funding(), Rate::of("0.00013"));
  state.on_funding(Rate::of("-0.0002"));
  EXPECT_EQ(state.predicted_funding(), Rate::of("0.000031"));
}

TEST(Vpin, is_the_one_sided_share_of_full_buckets) {
  Vpin vpin{Money::of("1000"), 3};
  EXPECT_EQ(vpin.value(), 0);
  vpin.on_trade(Price::of("100"), Qty::of("6"), Side::bid);
  EXPECT_EQ(vpin.buckets(), 0);
  vpin.on_trade(Price::of("100"), Qty::of("4"), Side::ask);  // 600 bought, 400 sold
  EXPECT_EQ(vpin.buckets(), 1);
  EXPECT_DOUBLE_EQ(vpin.value(), 0.2);
  vpin.on_trade(Price::of("10"), Qty::of("100"), Side::ask);
  EXPECT_DOUBLE_EQ(vpin.value(), (200.0 + 1000) / 2000);
  vpin.on_trade(Price::of("10"), Qty::of("100"), Side::ask);
  vpin.on_trade(Price::of("10"), Qty::of("100"), Side::ask);  // the first leaves
  EXPECT_EQ(vpin.buckets(), 3);
  EXPECT_DOUBLE_EQ(vpin.value(), 1);
}

TEST(Vpin, a_trade_over_the_rim_is_split_exactly) {
  Vpin vpin{Money::of("1000"), 10};
  vpin.on_trade(Price::of("1"), Qty::of("900"), Side::bid);
  vpin.on_trade(Price::of("1"), Qty::of("1250"), Side::ask);  // 100 | 1000 | 150
  EXPECT_EQ(vpin.buckets(), 2);
  EXPECT_DOUBLE_EQ(vpin.value(), (800.0 + 1000) / 2000);
  vpin.on_trade(Price::of("1"), Qty::of("850"), Side::bid);
  EXPECT_EQ(vpin.buckets(), 3);
  EXPECT_DOUBLE_EQ(vpin.value(), (800.0 + 1000 + 700) / 3000);
}

TEST(Vpin, is_told_from_five_buckets_on) {
  MarketState state{{.vpin_bucket_size = Money::of("10")}};
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(state.vpin());
    state.on_trade(trade("10", "1", i % 2 == 0 ? Side::bid : Side::ask));
  }
  EXPECT_EQ(state.vpin(), 1.0);
}

TEST(Vpin, equals_a_recount_of_every_unit_traded) {
  // The reference keeps each trade's value and cuts the whole tape into buckets.
  base::Rng rng{23};
  constexpr std::int64_t size = 1'000'00000000;
  constexpr std::size_t kept = 7;
  Vpin vpin{Money::from_raw(size), kept};
  std::deque<std::int64_t> imbalances;
  std::int64_t bought = 0, sold = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto price = Price::from_raw(rng.between(1, 300'000'000'000));
    const auto qty =
        Qty::from_raw(rng.between(1, rng.chance_per_million(20'000) ? 9'000'000'000 : 30'000'000));
    const auto side = rng.below(3) == 0 ? Side::bid : Side::ask;
    vpin.on_trade(price, qty, side);
    std::int64_t left = model::notional(price, qty, model::Rounding::down).raw();
    while (left > 0) {
      const std::int64_t part = std::min(left, size - bought - sold);
      (side == Side::bid ? bought : sold) += part;
      left -= part;
      if (bought + sold < size) continue;
      imbalances.push_back(std::abs(bought - sold));
      if (imbalances.size() > kept) imbalances.pop_front();
      bought = sold = 0;
    }
    ASSERT_EQ(vpin.buckets(), static_cast<int>(imbalances.size()));
    std::int64_t sum = 0;
    for (const auto b : imbalances) sum += b;
    if (!imbalances.empty()) {
      ASSERT_DOUBLE_EQ(vpin.value(), static_cast<double>(sum) / static_cast<double>(size) /
                                         static_cast<double>(imbalances.size()));
    }
  }
}

TEST(Vpin, values_beyond_every_market_do_no_harm) {
  Vpin vpin{Money::from_units(1'000'000'000), 1'000};
  for (int i = 0; i < 10; ++i) {
    vpin.on_trade(Price::from_raw(INT64_MAX), Qty::from_raw(INT64_MAX), Side::bid);
    EXPECT_EQ(vpin.value(), 1);
    vpin.on_trade(Price::from_raw(-1), Qty::from_raw(5), Side::bid);
    vpin.on_trade(Price::from_raw(5), Qty::from_raw(0), Side::bid);
  }
}

TEST(MarketStateOptions, are_refused_with_the_rule_they_break) {
  const auto with = [](auto change) {
    MarketStateOptions o;
    change(o);
    return check(o);
  };
  EXPECT_EQ(check({}), "");
  EXPECT_NE(with([](auto& o) { o.samples = 1; }), "");
  EXPECT_NE(with([](auto& o) { o.samples_ready = o.samples + 1; }), "");
  EXPECT_NE(with([](auto& o) { o.volatility_half_life = {}; }), "");
  EXPECT_NE(with([](auto& o) { o.moves_ready = 0; }), "");
  EXPECT_NE(with([](auto& o) { o.gap_max = {}; }), "");
  EXPECT_NE(with([](auto& o) { o.funding_alpha = NAN; }), "");
  EXPECT_NE(with([](auto& o) { o.vpin_bucket_size = {}; }), "");
  EXPECT_NE(with([](auto& o) { o.vpin_num_buckets = 1'001; }), "");
  EXPECT_NE(with([](auto& o) { o.vpin_buckets_ready = 51; }), "");
}

}  // namespace
}  // namespace phoenix::signal
