#include "signal/window.hpp"

#include "base/rng.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::signal {
namespace {

using Values = std::deque<double>;

double plain_median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double plain_mad(const Values& values) {
  const double median = plain_median({values.begin(), values.end()});
  std::vector<double> away;
  for (const double value : values) away.push_back(std::abs(value - median));
  return plain_median(away);
}

/// Values of very different sizes, with runs of equal ones.
double next_value(base::Rng& rng) {
  switch (rng.below(5)) {
    case 0:
      return 0;
    case 1:
      return static_cast<double>(rng.between(-3, 3));
    case 2:
      return static_cast<double>(rng.between(-1'000'000'000, 1'000'000'000)) * 1e3;
    default:
      return static_cast<double>(rng.normal_milli()) / 1000;
  }
}

TEST(Window, medians_and_deviations_equal_those_of_sorting_everything) {
  for (const std::size_t capacity : {1U, 2U, 3U, 8U, 80U, 200U}) {
    base::Rng rng{capacity};
    SortedWindow window{capacity};
    Values values;
    for (int i = 0; i < 1'500; ++i) {
      const double value = next_value(rng);
      window.push(value);
      values.push_back(value);
      if (values.size() > capacity) values.pop_front();
      ASSERT_EQ(window.size(), values.size());
      ASSERT_EQ(window.median(), plain_median({values.begin(), values.end()})) << capacity << " at " << i;
      ASSERT_EQ(window.mad(), plain_mad(values)) << capacity << " at " << i;
    }
  }
}

TEST(Window, a_quantile_is_the_value_at_its_rank) {
  SortedWindow window{5};
  for (const double value : {5.0, 1.0, 4.0, 2.0, 3.0}) window.push(value);
  EXPECT_EQ(window.quantile(0), 1);
  EXPECT_EQ(window.quantile(.5), 3);
  EXPECT_EQ(window.quantile(.74), 3);
  EXPECT_EQ(window.quantile(.75), 4);
  EXPECT_EQ(window.quantile(1), 5);
}

TEST(Window, moments_stay_those_of_the_window_over_a_long_run) {
  for (const std::size_t capacity : {2U, 7U, 80U, 150U}) {
    base::Rng rng{capacity};
    Moments moments{capacity};
    Values values;
    for (int i = 0; i < 20'000; ++i) {
      const double value = next_value(rng);
      moments.push(value);
      values.push_back(value);
      if (values.size() > capacity) values.pop_front();
      double sum = 0, squares = 0, largest = 0;
      for (const double v : values) sum += v;
      const double mean = sum / static_cast<double>(values.size());
      for (const double v : values) {
        squares += (v - mean) * (v - mean);
        largest = std::max(largest, std::abs(v));
      }
      ASSERT_NEAR(moments.mean(), mean, 1e-9 * (1 + largest)) << i;
      const double deviation = std::sqrt(squares / static_cast<double>(values.size()));
      ASSERT_NEAR(moments.population_deviation(), deviation, 1e-9 + 1e-8 * deviation) << i;
    }
  }
}

TEST(Window, a_giant_that_left_leaves_no_error_behind) {
  Moments moments{10};
  moments.push(1e15);
  for (int i = 0; i < 10; ++i) moments.push(i % 2);
  EXPECT_DOUBLE_EQ(moments.mean(), .5);
  EXPECT_DOUBLE_EQ(moments.population_deviation(), .5);
}

TEST(Window, a_large_sum_with_a_small_spread_keeps_its_spread) {
  Moments moments{150};
  for (int i = 0; i < 1'000; ++i) moments.push(5e8 + i % 2);
  EXPECT_NEAR(moments.population_deviation(), .5, 1e-9);
}

TEST(Window, events_are_counted_exactly_in_event_time) {
  base::Rng rng{3};
  EventCount count{base::seconds{60}, 1 << 14};
  std::deque<std::int64_t> times;
  std::int64_t now = 1'700'000'000'000;
  for (int i = 0; i < 20'000; ++i) {
    now += rng.below(50) == 0 ? rng.between(0, 90'000) : rng.between(0, 40);
    if (rng.below(3) != 0) {
      count.add(base::venue_time_ms(now));
      times.push_back(now);
    } else {
      count.advance(base::venue_time_ms(now));
    }
    while (!times.empty() && now - times.front() >= 60'000) times.pop_front();
    ASSERT_EQ(count.count(), static_cast<std::int64_t>(times.size()));
  }
  EXPECT_EQ(count.merged(), 0);
}

TEST(Window, a_full_count_merges_its_oldest_and_says_so) {
  EventCount count{base::seconds{1}, 2};
  for (const std::int64_t ms : {0, 100, 200}) count.add(base::venue_time_ms(ms));
  EXPECT_EQ(count.count(), 3);
  EXPECT_EQ(count.merged(), 1);
  count.advance(base::venue_time_ms(1'050));
  EXPECT_EQ(count.count(), 3) << "the oldest leaves with the one it joined";
  count.advance(base::venue_time_ms(1'100));
  EXPECT_EQ(count.count(), 1);
}

}  // namespace
}  // namespace phoenix::signal
