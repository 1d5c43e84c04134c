#include "venue/rate_budget.hpp"

#include "base/rng.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::venue {
namespace {

using base::milliseconds;
using base::minutes;
using base::seconds;

constexpr auto minute_start = base::venue_time_ms(1'795'000'020'000);  // a full UTC minute
static_assert(base::ms_of(minute_start) % 60'000 == 0);

constexpr std::array limits{RateLimit{LimitKind::weight, minutes{1}, 2400},
                            RateLimit{LimitKind::orders, minutes{1}, 1200},
                            RateLimit{LimitKind::orders, seconds{10}, 300}};

RateBudget futures_budget(RateBudgetOptions options = {}) {
  RateBudget budget{options};
  EXPECT_EQ(budget.set_limits(limits, minute_start), 3U);
  return budget;
}
constexpr Cost weight(int w) { return {.weight = w}; }
constexpr Cost one_order{.weight = 0, .orders_short = 1, .orders_long = 1};

TEST(RateBudget, grants_the_routine_share_and_keeps_the_rest_for_vital_requests) {
  auto budget = futures_budget();
  const auto now = minute_start + seconds{1};
  for (int i = 0; i < 96; ++i) {
    ASSERT_FALSE(budget.blocked_until(weight(20), Priority::routine, now)) << i;
    budget.spend(weight(20), now);
  }
  EXPECT_EQ(budget.used(LimitKind::weight, minutes{1}, now), 1920);
  EXPECT_EQ(budget.used_percent(LimitKind::weight, now), 80);
  EXPECT_EQ(budget.blocked_until(weight(1), Priority::routine, now), minute_start + minutes{1});
  EXPECT_FALSE(budget.blocked_until(weight(480), Priority::vital, now));
  EXPECT_EQ(budget.blocked_until(weight(481), Priority::vital, now), minute_start + minutes{1});
}

TEST(RateBudget, weight_begins_anew_with_each_utc_minute) {
  auto budget = futures_budget();
  budget.spend(weight(2400), minute_start + seconds{30});
  EXPECT_TRUE(budget.blocked_until(weight(1), Priority::vital, minute_start + milliseconds{59'999}));
  EXPECT_FALSE(budget.blocked_until(weight(1), Priority::vital, minute_start + minutes{1}));
  EXPECT_EQ(budget.used(LimitKind::weight, minutes{1}, minute_start + minutes{1}), 0);
}

TEST(RateBudget, a_request_sent_at_the_end_of_a_window_counts_in_the_next_one_too) {
  auto budget = futures_budget();
  budget.spend(weight(100), minute_start + milliseconds{59'400});
  budget.spend(weight(7), minute_start + milliseconds{59'600});
  EXPECT_EQ(budget.used(LimitKind::weight, minutes{1}, minute_start + milliseconds{59'700}), 107);
  EXPECT_EQ(budget.used(LimitKind::weight, minutes{1}, minute_start + minutes{1}), 7);
  EXPECT_EQ(budget.used(LimitKind::weight, minutes{1}, minute_start + minutes{2}), 0);
}

TEST(RateBudget, an_order_counts_in_both_order_windows) {
  auto budget = futures_budget();
  auto now = minute_start;
  for (int i = 0; i < 240; ++i) {
    ASSERT_FALSE(budget.blocked_until(one_order, Priority::routine, now)) << i;
    budget.spend(one_order, now);
  }
  const auto again = budget.blocked_until(one_order, Priority::routine, now);
  ASSERT_TRUE(again);
  EXPECT_GE(*again, now + seconds{10});
  EXPECT_LE(*again, now + seconds{11});
  EXPECT_FALSE(budget.blocked_until(one_order, Priority::routine, *again));
  // 960 orders are the routine share of the minute.
  for (int burst = 1; burst < 4; ++burst) {
    now += seconds{12};
    for (int i = 0; i < 240; ++i) budget.spend(one_order, now);
  }
  EXPECT_TRUE(budget.blocked_until(one_order, Priority::routine, now + seconds{11}));
  EXPECT_FALSE(budget.blocked_until(weight(1), Priority::routine, now)) << "a cancel costs no order";
}

TEST(RateBudget, a_batch_costs_its_orders_in_the_short_window_and_one_in_the_long_one) {
  auto budget = futures_budget();
  budget.spend({.weight = 5, .orders_short = 5, .orders_long = 1}, minute_start);
  EXPECT_EQ(budget.used(LimitKind::orders, seconds{10}, minute_start), 5);
  EXPECT_EQ(budget.used(LimitKind::orders, minutes{1}, minute_start), 1);
  EXPECT_EQ(budget.used(LimitKind::weight, minutes{1}, minute_start), 5);
}

TEST(RateBudget, the_venues_count_only_raises_ours) {
  auto budget = futures_budget();
  const auto now = minute_start + seconds{5};
  budget.spend(weight(100), now);
  budget.observe({LimitKind::weight, minutes{1}, 90}, now, now);
  EXPECT_EQ(budget.used(LimitKind::weight, minutes{1}, now), 100);
  budget.observe({LimitKind::weight, minutes{1}, -1}, now, now);
  EXPECT_EQ(budget.used(LimitKind::weight, minutes{1}, now), 100);
  budget.observe({LimitKind::weight, minutes{1}, 500}, now, now);
  EXPECT_EQ(budget.used(LimitKind::weight, minutes{1}, now), 500);
  budget.observe({LimitKind::orders, seconds{10}, 33}, now, now);
  EXPECT_EQ(budget.used(LimitKind::orders, seconds{10}, now), 33);
  budget.observe({LimitKind::orders, seconds{7}, 33}, now, now);  // a limit we do not know
}

TEST(RateBudget, a_count_of_the_window_before_says_nothing_about_this_one) {
  auto budget = futures_budget();
  const auto sent = minute_start + seconds{59};
  const auto now = minute_start + seconds{60};
  budget.observe({LimitKind::weight, minutes{1}, 2300}, sent, now);
  EXPECT_EQ(budget.used(LimitKind::weight, minutes{1}, now), 0);
}

TEST(RateBudget, waits_as_long_as_a_refusal_asks) {
  auto budget = futures_budget();
  const auto now = minute_start + seconds{5};
  budget.refused(LimitKind::weight, seconds{90}, now);
  EXPECT_EQ(budget.blocked_until(weight(1), Priority::vital, now), now + seconds{90});
  EXPECT_EQ(budget.blocked_until(one_order, Priority::vital, now), now + seconds{90});
  EXPECT_FALSE(budget.blocked_until(weight(1), Priority::routine, now + seconds{90}));
}

TEST(RateBudget, waits_for_the_next_window_when_a_refusal_gives_no_hint) {
  auto budget = futures_budget();
  budget.refused(LimitKind::weight, std::nullopt, minute_start + seconds{5});
  EXPECT_EQ(budget.blocked_until(weight(1), Priority::vital, minute_start + seconds{5}),
            minute_start + minutes{1});
  RateBudget without_limits;
  without_limits.refused(LimitKind::weight, std::nullopt, minute_start);
  EXPECT_EQ(without_limits.blocked_until(weight(1), Priority::vital, minute_start),
            minute_start + seconds{60});
}

TEST(RateBudget, a_refusal_for_orders_still_lets_cancels_go) {
  auto budget = futures_budget();
  budget.refused(LimitKind::orders, seconds{3}, minute_start);
  EXPECT_EQ(budget.blocked_until(one_order, Priority::vital, minute_start), minute_start + seconds{3});
  EXPECT_FALSE(budget.blocked_until(weight(1), Priority::vital, minute_start));
}

TEST(RateBudget, a_ban_stops_everything_and_is_never_shortened) {
  auto budget = futures_budget();
  budget.banned_until(minute_start + minutes{10});
  budget.banned_until(minute_start + minutes{5});
  budget.refused(LimitKind::weight, seconds{1}, minute_start);
  EXPECT_EQ(budget.blocked_until({}, Priority::vital, minute_start), minute_start + minutes{10});
  EXPECT_FALSE(budget.blocked_until({}, Priority::vital, minute_start + minutes{10}));
}

TEST(RateBudget, a_cost_above_the_share_goes_alone_and_one_above_the_limit_never) {
  RateBudget budget;
  const std::array small{RateLimit{LimitKind::weight, minutes{1}, 20}};
  budget.set_limits(small, minute_start);
  EXPECT_FALSE(budget.blocked_until(weight(20), Priority::routine, minute_start));
  budget.spend(weight(1), minute_start);
  EXPECT_EQ(budget.blocked_until(weight(20), Priority::routine, minute_start), minute_start + minutes{1});
  EXPECT_EQ(budget.blocked_until(weight(21), Priority::vital, minute_start), base::VenueTime::max());
}

TEST(RateBudget, new_limits_keep_the_counts) {
  auto budget = futures_budget();
  budget.spend(weight(2000), minute_start);
  const std::array larger{RateLimit{LimitKind::weight, minutes{1}, 6000}};
  EXPECT_EQ(budget.set_limits(larger, minute_start), 1U);
  EXPECT_EQ(budget.used(LimitKind::weight, minutes{1}, minute_start), 2000);
  EXPECT_FALSE(budget.blocked_until(weight(20), Priority::routine, minute_start));
}

TEST(RateBudget, leaves_out_limits_that_make_no_sense) {
  RateBudget budget;
  std::vector<RateLimit> odd{{LimitKind::weight, minutes{1}, 0},
                             {LimitKind::weight, minutes{1}, -5},
                             {LimitKind::weight, base::nanoseconds{0}, 5},
                             {LimitKind::weight, base::nanoseconds{-1}, 5}};
  EXPECT_EQ(budget.set_limits(odd, minute_start), 0U);
  EXPECT_FALSE(budget.blocked_until(weight(1'000'000), Priority::routine, minute_start));
  for (int i = 1; i <= 20; ++i) odd.push_back({LimitKind::requests, seconds{i}, 5});
  EXPECT_EQ(budget.set_limits(odd, minute_start), RateBudget::limits_max);
}

TEST(RateBudget, a_clock_that_steps_back_frees_nothing) {
  auto budget = futures_budget();
  budget.spend(weight(2400), minute_start + seconds{5});
  EXPECT_TRUE(budget.blocked_until(weight(1), Priority::vital, minute_start - minutes{3}));
  budget.spend(weight(1), minute_start - minutes{3});
  EXPECT_EQ(budget.used(LimitKind::weight, minutes{1}, minute_start + seconds{6}), 2401);
}

TEST(RateBudget, a_report_by_a_clock_that_stepped_back_is_of_no_known_window) {
  auto budget = futures_budget();
  budget.spend(weight(10), minute_start + seconds{5});
  const auto before = minute_start - seconds{20};
  budget.observe({LimitKind::weight, minutes{1}, 1500}, before, before + seconds{1});
  EXPECT_EQ(budget.used(LimitKind::weight, minutes{1}, minute_start + seconds{6}), 10);
}

/// Sends whatever is granted, and counts what arrives at the venue as the venue does: weight per UTC minute,
/// orders both in fixed and in sliding windows.
TEST(RateBudget, whatever_is_granted_stays_within_the_venues_limits) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    base::Rng rng{seed};
    auto budget = futures_budget();
    auto now = minute_start;
    std::deque<base::VenueTime> orders;  // arrivals
    std::deque<std::pair<base::VenueTime, int>> weights;
    for (int i = 0; i < 20'000; ++i) {
      now += milliseconds{rng.between(0, 12)};
      const auto priority = rng.below(2) == 0 ? Priority::routine : Priority::vital;
      const bool order = rng.below(2) == 0;
      const Cost cost = order ? one_order : weight(static_cast<int>(rng.between(1, 40)));
      const auto again = budget.blocked_until(cost, priority, now);
      if (again) {
        ASSERT_GT(*again, now);
        continue;
      }
      budget.spend(cost, now);
      const auto arrival = now + milliseconds{rng.between(0, 400)};
      if (order)
        orders.push_back(arrival);
      else
        weights.emplace_back(arrival, cost.weight);
    }
    std::map<std::int64_t, int> weight_per_minute, orders_per_minute, orders_per_10s;
    for (const auto& [time, w] : weights) weight_per_minute[base::ms_of(time) / 60'000] += w;
    for (const auto time : orders) {
      ++orders_per_minute[base::ms_of(time) / 60'000];
      ++orders_per_10s[base::ms_of(time) / 10'000];
    }
    for (const auto& [minute, count] : weight_per_minute) ASSERT_LE(count, 2400) << seed;
    for (const auto& [minute, count] : orders_per_minute) ASSERT_LE(count, 1200) << seed;
    for (const auto& [slot, count] : orders_per_10s) ASSERT_LE(count, 300) << seed;
    std::ranges::sort(orders);
    for (std::size_t i = 300; i < orders.size(); ++i)
      ASSERT_GE(orders[i] - orders[i - 300], seconds{10} - milliseconds{400});
  }
}

}  // namespace
}  // namespace phoenix::venue
