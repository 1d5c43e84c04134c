#include "feed/paced_budget.hpp"

#include "base/rng.hpp"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::feed {
namespace {

using base::Duration;
using base::LocalTime;
using base::milliseconds;
using base::minutes;
using base::seconds;

constexpr LocalTime t0 = base::local_time_ns(1'000'000'000'000);

/// The largest number of openings in any window, counted plainly.
int most_in_a_window(std::vector<LocalTime> openings, Duration window) {
  std::sort(openings.begin(), openings.end());
  std::size_t most = 0, first = 0;
  for (std::size_t last = 0; last < openings.size(); ++last) {
    while (openings[last] - openings[first] >= window) ++first;
    most = std::max(most, last - first + 1);
  }
  return static_cast<int>(most);
}

TEST(PacedBudget, gives_a_burst_at_once_and_the_rest_evenly) {
  PacedBudget budget{connect_budget};
  EXPECT_EQ(budget.left(t0), 30);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(budget.book(t0), t0);
  EXPECT_EQ(budget.left(t0), 0);
  EXPECT_EQ(budget.book(t0), t0 + milliseconds{2500});
  EXPECT_EQ(budget.book(t0), t0 + seconds{5}) << "each caller gets its own turn";
  EXPECT_EQ(budget.left(t0 + minutes{5}), 30);
  EXPECT_EQ(budget.booked(), 32U);
}

TEST(PacedBudget, no_history_exceeds_the_window) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    base::Rng rng{seed};
    const auto attempts = static_cast<int>(rng.between(2, 200));
    const PacedBudgetOptions options{.attempts = attempts,
                                     .burst = static_cast<int>(rng.between(1, attempts - 1)),
                                     .window = base::minutes{5}};
    PacedBudget budget{options};
    std::vector<LocalTime> openings;
    LocalTime now = t0;
    for (int i = 0; i < 600; ++i) {
      if (rng.below(10) == 0) now += Duration{rng.between(0, seconds{40} / Duration{1})};
      const int left = budget.left(now);
      const LocalTime at = budget.book(now);
      ASSERT_EQ(left > 0, at == now);
      ASSERT_GE(at, now);
      openings.push_back(at);
    }
    ASSERT_LE(most_in_a_window(openings, options.window), options.attempts) << "seed " << seed;
  }
}

TEST(PacedBudget, a_storm_never_locks_out_for_longer_than_one_interval_per_waiter) {
  PacedBudget budget{connect_budget};
  LocalTime now = t0;
  for (int i = 0; i < 5000; ++i) now = budget.book(now);
  EXPECT_LE(budget.book(now) - now, milliseconds{2500});
}

}  // namespace
}  // namespace phoenix::feed
