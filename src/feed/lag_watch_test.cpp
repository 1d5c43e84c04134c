#include "feed/lag_watch.hpp"

#include "base/rng.hpp"

#include <cstdint>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::feed {
namespace {

using base::Duration;
using base::LocalTime;
using base::milliseconds;
using base::seconds;
using Timeliness = LagWatch::Timeliness;

LocalTime at(std::int64_t ms) { return base::local_time_ns(ms * 1'000'000); }

TEST(LagWatch, d13_a_delayed_feed_is_not_taken_for_a_fresh_one) {
  LagWatch watch;
  watch.frame(milliseconds{40}, at(0));
  watch.frame(seconds{1}, at(100));
  EXPECT_FALSE(watch.is_delayed()) << "the limit itself is allowed";
  watch.frame(milliseconds{1'001}, at(200));
  EXPECT_TRUE(watch.is_delayed()) << "at once";
  EXPECT_EQ(watch.delayed_since(), at(200));
  EXPECT_EQ(watch.lag(), milliseconds{1'001});
  const auto change = watch.take_change();
  ASSERT_TRUE(change);
  EXPECT_EQ(change->to, Timeliness::delayed);
  EXPECT_EQ(change->lag, milliseconds{1'001});
  EXPECT_FALSE(watch.take_change());
}

TEST(LagWatch, d09_is_in_time_again_only_after_two_calm_seconds) {
  LagWatch watch;
  watch.frame(seconds{2}, at(0));
  watch.take_change();
  for (std::int64_t ms = 100; ms <= 60'000; ms += 100) {
    const bool is_calm = ms % 2'000 != 0;
    watch.frame(is_calm ? milliseconds{499} : milliseconds{500}, at(ms));
    ASSERT_TRUE(watch.is_delayed()) << "never calm for two seconds";
  }
  watch.frame(milliseconds{100}, at(60'100));
  watch.frame(milliseconds{100}, at(62'099));
  EXPECT_TRUE(watch.is_delayed());
  watch.frame(milliseconds{100}, at(62'100));
  EXPECT_FALSE(watch.is_delayed()) << "calm since 60.1 s";
  EXPECT_FALSE(watch.delayed_since());
  const auto change = watch.take_change();
  ASSERT_TRUE(change);
  EXPECT_EQ(change->to, Timeliness::in_time);
  EXPECT_EQ(change->lasted, milliseconds{62'100});
}

TEST(LagWatch, a_lag_below_zero_is_the_clocks_error) {
  LagWatch watch;
  for (std::int64_t ms = 0; ms < 10'000; ms += 100) watch.frame(-seconds{5}, at(ms));
  EXPECT_FALSE(watch.is_delayed());
  EXPECT_EQ(watch.lag(), -seconds{5});
  EXPECT_FALSE(watch.take_change());
}

TEST(LagWatch, d09_flips_at_most_six_times_in_any_minute_and_never_holds_back_an_alarm) {
  std::size_t most = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    base::Rng rng{seed};
    LagWatch watch;
    std::vector<LocalTime> flips;
    std::int64_t ms = 0, lag_ms = 0;
    for (int step = 0; step < 5'000; ++step) {
      ms += rng.between(0, 200);
      if (rng.below(20) == 0) lag_ms = rng.between(-200, 600);
      if (rng.below(40) == 0) lag_ms = rng.between(0, 3'000);
      const bool was_delayed = watch.is_delayed();
      watch.frame(milliseconds{lag_ms}, at(ms));
      if (lag_ms > 1'000) {
        ASSERT_TRUE(watch.is_delayed());
      }
      if (watch.is_delayed() == was_delayed) continue;
      flips.push_back(at(ms));
      ASSERT_EQ(watch.take_change()->to, watch.is_delayed() ? Timeliness::delayed : Timeliness::in_time);
      std::size_t recent = 0;
      for (const LocalTime flip : flips) recent += at(ms) - flip < seconds{60};
      most = std::max(most, recent);
      ASSERT_LE(recent, 6U) << "seed " << seed;
    }
    ms += 60'000;
    for (int step = 0; step < 30; ++step) watch.frame(milliseconds{10}, at(ms += 100));
    ASSERT_FALSE(watch.is_delayed()) << "calm is believed in the end";
  }
  EXPECT_EQ(most, 6U) << "the limit is reached, so it is tested";
}

}  // namespace
}  // namespace phoenix::feed
