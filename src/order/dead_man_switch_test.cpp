#include "order/dead_man_switch.hpp"

#include "base/rng.hpp"

#include <deque>

#include <gtest/gtest.h>

namespace phoenix::order {
namespace {

using base::milliseconds;
using base::seconds;

constexpr SwitchPlan plan{.refresh = seconds{3}, .countdown = seconds{10}};
base::LocalTime at_ms(std::int64_t ms) { return base::local_time_ns(1'000'000'000'000 + ms * 1'000'000); }

base::Result<SwitchPlan, SwitchMisfit> plan_for(std::size_t symbols, const SwitchOptions& options = {}) {
  return plan_switch(options,
                     {.symbols = symbols, .weight_per_refresh = 10, .weight_limit_per_minute = 2'400});
}

TEST(SwitchPlan, few_symbols_are_refreshed_as_often_as_wished) {
  EXPECT_EQ(plan_for(0).value(), (SwitchPlan{.refresh = seconds{3}, .countdown = seconds{10}}));
  EXPECT_EQ(plan_for(3).value(), (SwitchPlan{.refresh = seconds{3}, .countdown = seconds{10}}));
}

TEST(SwitchPlan, many_symbols_are_refreshed_as_often_as_the_share_allows) {
  // 25 % of 2,400 a minute is one refresh of weight 10 a second.
  EXPECT_EQ(plan_for(4).value(), (SwitchPlan{.refresh = seconds{4}, .countdown = seconds{12}}));
  EXPECT_EQ(plan_for(20).value(), (SwitchPlan{.refresh = seconds{20}, .countdown = seconds{60}}));
  EXPECT_EQ(plan_for(7, {.share_percent = 20}).value().refresh, milliseconds{8'750});
}

TEST(SwitchPlan, what_does_not_fit_is_refused_with_the_numbers) {
  const auto misfit = plan_for(21);
  ASSERT_FALSE(misfit);
  EXPECT_EQ(misfit.error(), (SwitchMisfit{.refresh_needed = seconds{21},
                                          .countdown_needed = seconds{63},
                                          .countdown_max = seconds{60},
                                          .symbols = 21,
                                          .symbols_max = 20}));
  const auto no_limit_known = plan_switch({}, {.symbols = 1, .weight_per_refresh = 10});
  ASSERT_FALSE(no_limit_known);
  EXPECT_EQ(no_limit_known.error().symbols_max, 0U);
  const auto impossible = plan_for(1, {.countdown_min = seconds{90}});
  ASSERT_FALSE(impossible);
  EXPECT_EQ(impossible.error().symbols_max, 0U);
}

TEST(SwitchPlan, every_plan_keeps_its_promises) {
  base::Rng rng{5};
  std::size_t plans = 0;
  for (int i = 0; i < 5'000; ++i) {
    const SwitchOptions options{.countdown_min = milliseconds{rng.between(5'000, 20'000)},
                                .countdown_max = milliseconds{rng.between(20'000, 120'000)},
                                .refresh_min = milliseconds{rng.between(500, 5'000)},
                                .share_percent = static_cast<int>(rng.between(1, 100))};
    const SwitchLoad load{.symbols = rng.below(200),
                          .weight_per_refresh = static_cast<int>(rng.between(1, 20)),
                          .weight_limit_per_minute = static_cast<int>(rng.between(100, 6'000))};
    const auto fits = [&](std::size_t symbols) {
      SwitchLoad other = load;
      other.symbols = symbols;
      return plan_switch(options, other).has_value();
    };
    const auto made = plan_switch(options, load);
    if (!made) {
      ASSERT_GT(load.symbols, made.error().symbols_max);
      ASSERT_FALSE(fits(made.error().symbols_max + 1));
      if (made.error().symbols_max > 0) {
        ASSERT_TRUE(fits(made.error().symbols_max));
      }
      continue;
    }
    ++plans;
    ASSERT_GE(made->refresh, options.refresh_min);
    ASSERT_GE(made->countdown, options.countdown_min);
    ASSERT_GE(made->countdown, 3 * made->refresh);
    ASSERT_LE(made->countdown, options.countdown_max);
    // weight a minute = symbols * weight * 60 s / refresh, at most share % of the limit
    const auto cost = static_cast<std::int64_t>(load.symbols) * load.weight_per_refresh * 60'000 * 100;
    ASSERT_LE(cost, std::chrono::floor<milliseconds>(made->refresh).count() * load.weight_limit_per_minute *
                        options.share_percent);
  }
  EXPECT_GT(plans, 1'000U);
}

TEST(DeadManSwitch, is_armed_by_the_first_answer_counted_from_the_sending) {
  DeadManSwitch dms{plan};
  EXPECT_EQ(dms.effective(), seconds{10});
  EXPECT_TRUE(dms.is_disarmed());
  EXPECT_TRUE(dms.wants_refresh(Health::healthy, at_ms(0))) << "the first one at once";
  dms.refresh_sent(at_ms(0));
  EXPECT_FALSE(dms.is_armed(at_ms(10))) << "nobody has accepted it yet";
  EXPECT_FALSE(dms.is_disarmed()) << "it may have arrived";
  EXPECT_FALSE(dms.take_change(at_ms(10)));
  dms.refresh_accepted(at_ms(0));
  EXPECT_TRUE(dms.is_armed(at_ms(300)));
  EXPECT_EQ(dms.take_change(at_ms(300)), SwitchChange::armed);
  EXPECT_FALSE(dms.take_change(at_ms(300))) << "told once";
  EXPECT_EQ(dms.lapses_at(), at_ms(9'500)) << "ten seconds after the sending, less the margin";
  EXPECT_TRUE(dms.is_armed(at_ms(9'499)));
  EXPECT_FALSE(dms.is_armed(at_ms(9'500)));
}

TEST(DeadManSwitch, is_refreshed_once_an_interval_while_the_data_is_healthy) {
  DeadManSwitch dms{plan};
  dms.refresh_sent(at_ms(0));
  dms.refresh_accepted(at_ms(0));
  EXPECT_EQ(dms.next_deadline(Health::healthy), at_ms(3'000));
  EXPECT_FALSE(dms.wants_refresh(Health::healthy, at_ms(2'999)));
  EXPECT_FALSE(dms.wants_refresh(Health::unhealthy, at_ms(3'000)));
  EXPECT_TRUE(dms.wants_refresh(Health::healthy, at_ms(3'000)));
  dms.refresh_sent(at_ms(3'000));
  EXPECT_EQ(dms.lapses_at(), at_ms(9'500)) << "the older one still holds";
  dms.refresh_accepted(at_ms(3'000));
  EXPECT_EQ(dms.lapses_at(), at_ms(12'500));
}

TEST(DeadManSwitch, a_lost_or_refused_refresh_is_sent_again_soon) {
  DeadManSwitch dms{plan};
  dms.refresh_sent(at_ms(0));
  EXPECT_FALSE(dms.wants_refresh(Health::healthy, at_ms(499)));
  EXPECT_TRUE(dms.wants_refresh(Health::healthy, at_ms(500)));
  dms.refresh_sent(at_ms(500));
  dms.refresh_accepted(at_ms(0));  // the first answer was only late
  EXPECT_EQ(dms.lapses_at(), at_ms(9'500));
  EXPECT_TRUE(dms.wants_refresh(Health::healthy, at_ms(1'000))) << "the second one is still unanswered";
  dms.refresh_sent(at_ms(1'000));
  dms.failed(at_ms(1'100));
  EXPECT_FALSE(dms.wants_refresh(Health::healthy, at_ms(1'599)));
  EXPECT_TRUE(dms.wants_refresh(Health::healthy, at_ms(1'600)));
  dms.refresh_sent(at_ms(1'600));
  dms.refresh_accepted(at_ms(1'600));
  dms.refresh_accepted(at_ms(500));
  EXPECT_EQ(dms.lapses_at(), at_ms(11'100)) << "an older answer takes nothing back";
  EXPECT_EQ(dms.next_deadline(Health::healthy), at_ms(4'600));
}

TEST(DeadManSwitch, what_could_not_be_sent_is_wanted_again_after_the_retry_time) {
  DeadManSwitch dms{plan};
  ASSERT_TRUE(dms.wants_refresh(Health::healthy, at_ms(0)));
  dms.failed(at_ms(0));
  EXPECT_EQ(dms.next_deadline(Health::healthy), at_ms(500));
  EXPECT_TRUE(dms.is_disarmed()) << "nothing was sent";
}

TEST(DeadManSwitch, lapses_with_unhealthy_data_and_arms_again_with_healthy_data) {
  DeadManSwitch dms{plan};
  dms.refresh_sent(at_ms(0));
  dms.refresh_accepted(at_ms(0));
  EXPECT_EQ(dms.take_change(at_ms(0)), SwitchChange::armed);
  EXPECT_EQ(dms.next_deadline(Health::unhealthy), at_ms(9'500)) << "nothing to send, but the lapse to tell";
  EXPECT_FALSE(dms.take_change(at_ms(9'499)));
  EXPECT_EQ(dms.take_change(at_ms(9'500)), SwitchChange::lapsed);
  EXPECT_FALSE(dms.next_deadline(Health::unhealthy));
  EXPECT_TRUE(dms.wants_refresh(Health::healthy, at_ms(20'000))) << "at once";
  dms.refresh_sent(at_ms(20'000));
  dms.refresh_accepted(at_ms(20'000));
  EXPECT_EQ(dms.take_change(at_ms(20'010)), SwitchChange::armed);
}

TEST(DeadManSwitch, symbols_armed_together_drift_apart_by_their_phase) {
  DeadManSwitch dms{plan};
  dms.set_phase(milliseconds{700});
  dms.refresh_sent(at_ms(0));
  dms.refresh_accepted(at_ms(0));
  EXPECT_EQ(dms.next_deadline(Health::healthy), at_ms(700));
  dms.refresh_sent(at_ms(700));
  dms.refresh_accepted(at_ms(700));
  EXPECT_EQ(dms.next_deadline(Health::healthy), at_ms(3'700)) << "from there on at the interval";
  // After a common outage all of them arm together again.
  dms.refresh_sent(at_ms(60'000));
  dms.refresh_accepted(at_ms(60'000));
  EXPECT_EQ(dms.next_deadline(Health::healthy), at_ms(60'700));
}

TEST(DeadManSwitch, is_disarmed_only_by_the_venues_word) {
  DeadManSwitch dms{plan};
  dms.refresh_sent(at_ms(0));
  dms.refresh_accepted(at_ms(0));
  EXPECT_EQ(dms.take_change(at_ms(0)), SwitchChange::armed);
  EXPECT_FALSE(dms.wants_disarm(at_ms(100)));
  dms.begin_disarm();
  EXPECT_TRUE(dms.is_armed(at_ms(100))) << "until it is told to stop";
  EXPECT_FALSE(dms.wants_refresh(Health::healthy, at_ms(5'000)));
  ASSERT_TRUE(dms.wants_disarm(at_ms(100)));
  dms.disarm_sent(at_ms(100));
  EXPECT_FALSE(dms.is_armed(at_ms(101))) << "the venue may have stopped it";
  EXPECT_FALSE(dms.is_disarmed()) << "or not";
  EXPECT_EQ(dms.next_deadline(Health::healthy), at_ms(600));
  EXPECT_TRUE(dms.wants_disarm(at_ms(600))) << "lost: again";
  dms.disarm_sent(at_ms(600));
  dms.failed(at_ms(650));
  EXPECT_FALSE(dms.wants_disarm(at_ms(1'149)));
  EXPECT_TRUE(dms.wants_disarm(at_ms(1'150)));
  EXPECT_FALSE(dms.take_change(at_ms(20'000))) << "neither lapsed nor disarmed as far as we know";
  dms.disarm_sent(at_ms(20'000));
  dms.disarm_accepted();
  EXPECT_TRUE(dms.is_disarmed());
  EXPECT_EQ(dms.take_change(at_ms(20'001)), SwitchChange::disarmed);
  EXPECT_FALSE(dms.take_change(at_ms(20'001)));
  EXPECT_FALSE(dms.wants_disarm(at_ms(30'000)));
  EXPECT_FALSE(dms.next_deadline(Health::healthy));
  dms.refresh_accepted(at_ms(0));
  EXPECT_FALSE(dms.is_armed(at_ms(1'000)));
}

TEST(DeadManSwitch, the_disarming_never_overtakes_a_refresh_under_way) {
  DeadManSwitch dms{plan};
  dms.refresh_sent(at_ms(0));
  dms.begin_disarm();
  EXPECT_FALSE(dms.wants_disarm(at_ms(100))) << "the refresh could arrive after it and stay";
  EXPECT_EQ(dms.next_deadline(Health::unhealthy), at_ms(500));
  dms.refresh_accepted(at_ms(0));
  EXPECT_TRUE(dms.wants_disarm(at_ms(100)));

  DeadManSwitch unanswered{plan};
  unanswered.refresh_sent(at_ms(0));
  unanswered.begin_disarm();
  EXPECT_TRUE(unanswered.wants_disarm(at_ms(500)));
}

TEST(DeadManSwitch, one_that_was_never_fed_needs_no_disarming) {
  DeadManSwitch dms{plan};
  dms.begin_disarm();
  EXPECT_FALSE(dms.wants_disarm(at_ms(0)));
  EXPECT_TRUE(dms.is_disarmed());
  EXPECT_FALSE(dms.next_deadline(Health::healthy));
}

/// The venue's side: a countdown that each request replaces, and the process at the other end of a network
/// that delays and loses. The process does nothing but what the switch asks for.
struct World {
  explicit World(std::uint64_t seed) : rng(seed) {}

  /// Runs to `end_ms`; `health` says what the process knows about its data at a time, `alive` whether it
  /// runs.
  template <class HealthAt>
  void run(std::int64_t end_ms, HealthAt health_at, std::uint64_t loss) {
    for (; ms < end_ms; ++ms) {
      const Health health = health_at(ms);
      while (!to_venue.empty() && to_venue.front().first <= ms) {
        fires_at = to_venue.front().first + plan.countdown / milliseconds{1};
        if (!rng.chance_per_million(loss)) {
          answers.emplace_back(ms + rng.between(1, 80), to_venue.front().second);
        }
        to_venue.pop_front();
      }
      if (fires_at && ms >= *fires_at) {
        ++fired;
        fires_at.reset();
      }
      while (!answers.empty() && answers.front().first <= ms) {
        dms.refresh_accepted(at_ms(answers.front().second));
        answers.pop_front();
      }
      if (dms.is_armed(at_ms(ms))) {
        ASSERT_TRUE(fires_at) << "armed means that a countdown runs";
        ASSERT_GE(*fires_at - ms, 500) << "and that it does not end within the margin";
        ++armed_ms;
      }
      const bool due = [&] {
        const auto deadline = dms.next_deadline(health);
        return deadline && *deadline <= at_ms(ms);
      }();
      if (dms.wants_refresh(health, at_ms(ms))) {
        ASSERT_TRUE(due) << "whoever sleeps to the deadline misses nothing";
        dms.refresh_sent(at_ms(ms));
        ++sent;
        if (!rng.chance_per_million(loss)) to_venue.emplace_back(ms + rng.between(1, 80), ms);
      }
      (void)dms.take_change(at_ms(ms));
      const auto deadline = dms.next_deadline(health);
      ASSERT_TRUE(!deadline || *deadline > at_ms(ms)) << "a deadline that was served is over";
    }
  }

  base::Rng rng;
  DeadManSwitch dms{plan};
  std::int64_t ms = 0;
  std::deque<std::pair<std::int64_t, std::int64_t>> to_venue, answers;  // due, sent at
  std::optional<std::int64_t> fires_at;
  std::uint64_t fired = 0, sent = 0, armed_ms = 0;
};

TEST(DeadManSwitch, i01_dead_data_lets_the_switch_fire_however_well_the_process_is) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    World world{seed};
    constexpr std::int64_t data_dies_ms = 60'000;
    const auto health_at = [](std::int64_t ms) {
      return ms < data_dies_ms ? Health::healthy : Health::unhealthy;
    };
    world.run(data_dies_ms, health_at, 20'000);
    ASSERT_EQ(world.fired, 0U) << "fed data keeps the orders";
    const std::uint64_t sent = world.sent;
    world.run(data_dies_ms + 10'081, health_at, 20'000);
    EXPECT_EQ(world.sent, sent) << "nothing feeds it any more";
    EXPECT_EQ(world.fired, 1U) << "the venue cancelled within the countdown and a transit";
    EXPECT_FALSE(world.dms.is_armed(at_ms(world.ms)));
    world.run(300'000, health_at, 20'000);
    EXPECT_EQ(world.sent, sent);
    if (HasFatalFailure()) return;
  }
}

TEST(DeadManSwitch, armed_is_never_claimed_without_a_countdown_and_losses_seldom_lapse_it) {
  std::uint64_t armed_ms = 0, all_ms = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    World world{seed};
    base::Rng moods{seed + 1'000};
    bool healthy = true;
    world.run(
        120'000,
        [&](std::int64_t) {
          if (moods.chance_per_million(healthy ? 50 : 500)) healthy = !healthy;
          return healthy ? Health::healthy : Health::unhealthy;
        },
        300'000);
    if (HasFatalFailure()) return;
    armed_ms += world.armed_ms;
    all_ms += 120'000;
  }
  EXPECT_GT(armed_ms * 100, all_ms * 80);
}

}  // namespace
}  // namespace phoenix::order
