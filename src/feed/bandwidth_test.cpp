#include "feed/bandwidth.hpp"

#include "base/rng.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::feed {
namespace {

using base::LocalTime;
using base::minutes;
using base::seconds;

/// Measures once a second.
struct Meter {
  explicit Meter(BandwidthOptions options) : bandwidth(options) { bandwidth.measured(0, now); }

  void run(int for_s, std::uint64_t bytes_per_s) {
    for (int i = 0; i < for_s; ++i) {
      now += seconds{1};
      total += bytes_per_s;
      bandwidth.measured(total, now);
    }
  }

  Bandwidth bandwidth;
  LocalTime now = base::local_time_ns(1'000'000'000'000);
  std::uint64_t total = 0;
};

constexpr BandwidthOptions budget_of_1000{.budget_bytes_per_s = 1'000'000, .steps_max = 3};

TEST(Bandwidth, measures_a_smoothed_rate_without_a_budget) {
  Meter meter{{}};
  meter.run(1, 700'000);
  EXPECT_EQ(meter.bandwidth.rate(), 700'000U);
  meter.run(1, 1'300'000);
  EXPECT_GT(meter.bandwidth.rate(), 800'000U);
  EXPECT_LT(meter.bandwidth.rate(), 1'000'000U);
  meter.run(30, 1'300'000);
  EXPECT_NEAR(static_cast<double>(meter.bandwidth.rate()), 1'300'000, 100);
  meter.run(600, 1'000'000'000);
  EXPECT_EQ(meter.bandwidth.level(), 0);
  EXPECT_FALSE(meter.bandwidth.take_change());
}

TEST(Bandwidth, steps_down_after_five_seconds_above_the_budget) {
  Meter meter{budget_of_1000};
  meter.run(60, 1'000'000);
  EXPECT_EQ(meter.bandwidth.level(), 0) << "the budget may be used";
  meter.run(5, 2'000'000);
  EXPECT_EQ(meter.bandwidth.level(), 0);
  meter.run(1, 2'000'000);
  EXPECT_EQ(meter.bandwidth.level(), 1);
  const auto change = meter.bandwidth.take_change();
  ASSERT_TRUE(change);
  EXPECT_EQ(change->from, 0);
  EXPECT_EQ(change->to, 1);
  EXPECT_GT(change->rate, 1'000'000U);
  EXPECT_FALSE(meter.bandwidth.take_change());
}

TEST(Bandwidth, a_burst_is_no_reason) {
  Meter meter{budget_of_1000};
  for (int i = 0; i < 50; ++i) {
    meter.run(1, 3'000'000);
    meter.run(9, 400'000);
  }
  EXPECT_EQ(meter.bandwidth.level(), 0);
}

TEST(Bandwidth, goes_one_step_at_a_time_and_waits_for_its_effect) {
  Meter meter{budget_of_1000};
  meter.run(7, 1'800'000);
  ASSERT_EQ(meter.bandwidth.level(), 1);
  meter.run(60, 900'000);
  EXPECT_EQ(meter.bandwidth.level(), 1) << "what was before the step is not counted against it";

  Meter helpless{budget_of_1000};
  std::vector<int> levels;
  for (int i = 0; i < 60; ++i) {
    helpless.run(1, 5'000'000);
    if (const auto change = helpless.bandwidth.take_change()) {
      EXPECT_EQ(change->to, change->from + 1);
      levels.push_back(change->to);
    }
  }
  EXPECT_EQ(levels, (std::vector<int>{1, 2, 3})) << "and ends at the last one";
}

TEST(Bandwidth, steps_up_after_a_minute_with_room) {
  Meter meter{budget_of_1000};
  meter.run(7, 2'000'000);
  ASSERT_EQ(meter.bandwidth.level(), 1);
  meter.run(300, 610'000);
  EXPECT_EQ(meter.bandwidth.level(), 1) << "too little room";
  meter.run(60, 590'000);
  EXPECT_EQ(meter.bandwidth.level(), 1);
  meter.run(10, 590'000);
  EXPECT_EQ(meter.bandwidth.level(), 0);
}

TEST(Bandwidth, room_has_to_last) {
  Meter meter{budget_of_1000};
  meter.run(7, 2'000'000);
  for (int i = 0; i < 20; ++i) {
    meter.run(50, 500'000);
    meter.run(10, 800'000);
  }
  EXPECT_EQ(meter.bandwidth.level(), 1);
}

TEST(Bandwidth, d09_an_up_that_has_to_be_taken_back_doubles_the_wait) {
  Meter meter{budget_of_1000};
  std::vector<LocalTime> ups;
  int steps = 0;
  for (int i = 0; i < 4 * 3'600; ++i) {
    meter.run(1, meter.bandwidth.level() == 0 ? 1'500'000 : 500'000);
    const auto change = meter.bandwidth.take_change();
    if (!change) continue;
    ++steps;
    if (change->to == 0) ups.push_back(meter.now);
  }
  ASSERT_GE(ups.size(), 6U);
  for (std::size_t i = 1; i < ups.size(); ++i) {
    const auto expected =
        std::min<base::Duration>(minutes{15}, seconds{60} * (1 << std::min<std::size_t>(i, 10)));
    EXPECT_GE(ups[i] - ups[i - 1], expected);
    EXPECT_LE(ups[i] - ups[i - 1], expected + seconds{20});
  }
  EXPECT_EQ(meter.bandwidth.up_after(), minutes{15});
  EXPECT_LE(steps, 50) << "four hours of a load that fits no level";
}

TEST(Bandwidth, an_up_that_holds_forgets_the_doubling) {
  Meter meter{budget_of_1000};
  meter.run(7, 2'000'000);
  meter.run(66, 100'000);
  ASSERT_EQ(meter.bandwidth.level(), 0);
  meter.run(12, 2'000'000);
  ASSERT_EQ(meter.bandwidth.level(), 1);
  EXPECT_EQ(meter.bandwidth.up_after(), minutes{2});
  meter.run(130, 100'000);
  ASSERT_EQ(meter.bandwidth.level(), 0);
  meter.run(121, 100'000);
  EXPECT_EQ(meter.bandwidth.up_after(), minutes{1});
}

TEST(Bandwidth, a_total_that_went_back_starts_anew) {
  Meter meter{budget_of_1000};
  meter.run(10, 500'000);
  meter.total = 0;
  meter.run(10, 500'000);
  EXPECT_EQ(meter.bandwidth.rate(), 500'000U);
  meter.bandwidth.measured(meter.total + 1'000'000'000, meter.now);
  EXPECT_EQ(meter.bandwidth.rate(), 500'000U) << "no time has passed";
}

TEST(Bandwidth, any_numbers_move_it_by_one_step_within_its_levels) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    base::Rng rng{seed};
    Bandwidth bandwidth{{.budget_bytes_per_s = rng.next() >> rng.below(64), .steps_max = 4}};
    LocalTime now{};
    std::uint64_t total = 0;
    for (int i = 0; i < 500; ++i) {
      now += base::Duration{static_cast<std::int64_t>(rng.next() >> (20 + rng.below(44)))} / 1'000;
      total = rng.below(10) == 0 ? rng.next() : total + (rng.next() >> rng.below(64));
      const int before = bandwidth.level();
      bandwidth.measured(total, now);
      ASSERT_LE(std::abs(bandwidth.level() - before), 1);
      ASSERT_GE(bandwidth.level(), 0);
      ASSERT_LE(bandwidth.level(), 4);
    }
  }
}

}  // namespace
}  // namespace phoenix::feed
