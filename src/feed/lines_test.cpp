#include "feed/lines.hpp"

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

namespace phoenix::feed {
namespace {

using base::Duration;
using base::hours;
using base::LocalTime;
using base::minutes;
using base::seconds;
using Command = Lines::Command;

constexpr LocalTime t0 = base::local_time_ns(1'000'000'000'000);

/// Carries the actions out: what a channel's slots look like from outside.
struct Channel {
  explicit Channel(LinesOptions options = {}, std::uint64_t seed = 7) : lines(options, seed) {}

  void apply() {
    for (const auto& a : out) {
      ASSERT_LT(a.slot, Lines::slots_count);
      ASSERT_FALSE(a.why.empty());
      ASSERT_EQ(open[a.slot], a.command == Command::stop) << "a slot is started once and stopped once";
      open[a.slot] = a.command == Command::start;
      last = a;
      ++(a.command == Command::start ? starts : stops);
    }
    out.clear();
  }
  int opened() const { return static_cast<int>(std::count(open.begin(), open.end(), true)); }
  void start(LocalTime now) {
    lines.start(now, out);
    apply();
  }
  void expire(LocalTime now) {
    lines.expire(now, out);
    apply();
  }
  void ready_all(LocalTime now) {
    for (std::size_t i = 0; i < open.size(); ++i)
      if (open[i]) lines.ready(i, now);
  }
  /// Passes time until `end`; what is started is ready a second later.
  void run(LocalTime end) {
    for (auto at = lines.next_deadline(); at && *at <= end; at = lines.next_deadline()) {
      expire(*at);
      ready_all(*at + seconds{1});
    }
  }

  Lines lines;
  Lines::Actions out;
  std::array<bool, Lines::slots_count> open{};
  Lines::Action last{};
  int starts = 0;
  int stops = 0;
};

TEST(Lines, opens_as_many_slots_as_lines) {
  Channel two;
  two.start(t0);
  EXPECT_EQ(two.opened(), 2);
  Channel one{{.lines = 1}};
  one.start(t0);
  EXPECT_EQ(one.opened(), 1);
  EXPECT_TRUE(one.lines.is_started(0));
}

TEST(Lines, replaces_a_line_only_when_the_new_one_is_ready_and_both_overlapped) {
  Channel c{{.lines = 1}};
  c.start(t0);
  c.lines.ready(0, t0);
  const LocalTime due = *c.lines.next_deadline();
  EXPECT_LE(due, t0 + hours{23});
  EXPECT_GE(due, t0 + hours{22});
  c.expire(due - Duration{1});
  EXPECT_EQ(c.opened(), 1);
  c.expire(due);
  EXPECT_EQ(c.opened(), 2);
  EXPECT_TRUE(c.lines.is_replacing());
  c.lines.ready(1, due + seconds{2});
  c.expire(due + seconds{7} - Duration{1});
  EXPECT_EQ(c.opened(), 2) << "both still run";
  c.expire(due + seconds{7});
  EXPECT_FALSE(c.open[0]);
  EXPECT_TRUE(c.open[1]);
  EXPECT_EQ(c.lines.ready_lines(), 1);
}

TEST(Lines, keeps_the_old_line_when_the_new_one_does_not_become_ready) {
  Channel c{{.lines = 1}};
  c.start(t0);
  c.lines.ready(0, t0);
  const LocalTime due = *c.lines.next_deadline();
  c.expire(due);
  EXPECT_EQ(c.lines.next_deadline(), due + seconds{30});
  c.expire(due + seconds{30});
  EXPECT_TRUE(c.open[0]);
  EXPECT_EQ(c.opened(), 1);
  const LocalTime again = *c.lines.next_deadline();
  EXPECT_GE(again, due + seconds{90}) << "with a pause";
  EXPECT_LE(again, due + seconds{30} + seconds{75});
  c.expire(again);
  EXPECT_EQ(c.opened(), 2) << "it tries again";
}

TEST(Lines, a_new_line_lost_during_the_overlap_does_not_replace) {
  Channel c{{.lines = 1}};
  c.start(t0);
  c.lines.ready(0, t0);
  const LocalTime due = *c.lines.next_deadline();
  c.expire(due);
  c.lines.ready(1, due + seconds{1});
  c.lines.gone(1, due + seconds{2});
  c.expire(due + seconds{6});
  EXPECT_TRUE(c.open[0]);
  c.lines.ready(1, due + seconds{20});
  c.expire(due + seconds{25});
  EXPECT_FALSE(c.open[0]);
  EXPECT_TRUE(c.open[1]);
}

TEST(Lines, does_not_wait_for_an_old_line_that_is_gone) {
  Channel c{{.lines = 1}};
  c.start(t0);
  c.lines.ready(0, t0);
  const LocalTime due = *c.lines.next_deadline();
  c.expire(due);
  c.lines.ready(1, due + seconds{1});
  c.lines.gone(0, due + seconds{2});
  EXPECT_EQ(c.lines.next_deadline(), due + seconds{2});
  c.expire(due + seconds{2});
  EXPECT_FALSE(c.open[0]);
}

TEST(Lines, staggers_the_ages_so_that_two_lines_are_never_replaced_together) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Channel c{{}, seed};
    c.start(t0);
    c.ready_all(t0 + seconds{1});
    // Both are cut at once now and then, as by a mass disconnect.
    LocalTime now = t0;
    std::vector<LocalTime> replaced;
    std::array<LocalTime, Lines::slots_count> since{t0, t0, t0};
    while (now < t0 + hours{24 * 30}) {
      now = *c.lines.next_deadline();
      const auto before = c.open;
      const int starts = c.starts;
      c.expire(now);
      if (c.starts > starts) replaced.push_back(now);
      for (std::size_t i = 0; i < before.size(); ++i) {
        if (c.open[i] && !before[i]) since[i] = now;
        if (c.open[i]) {
          EXPECT_LT(now - since[i], hours{24}) << "the venue would have cut it";
        }
      }
      c.ready_all(now + seconds{1});
      if (replaced.size() % 7 == 3 && !c.lines.is_replacing()) {
        for (std::size_t i = 0; i < 3; ++i) {
          if (c.open[i]) {
            c.lines.gone(i, now + seconds{2});
            since[i] = now + seconds{2};
          }
        }
        c.ready_all(now + seconds{3});
      }
    }
    ASSERT_GT(replaced.size(), 50U);
    for (std::size_t i = 1; i < replaced.size(); ++i)
      EXPECT_GT(replaced[i] - replaced[i - 1], hours{4}) << "seed " << seed;
  }
}

TEST(Lines, a_line_more_and_a_line_fewer) {
  Channel c{{.lines = 1}};
  c.start(t0);
  c.lines.ready(0, t0);
  c.lines.set_lines(2, t0 + hours{1}, c.out);
  c.apply();
  EXPECT_EQ(c.opened(), 2);
  c.lines.set_lines(1, t0 + hours{2}, c.out);
  c.apply();
  EXPECT_TRUE(c.open[0]) << "the one that delivers stays";
  EXPECT_FALSE(c.open[1]);
}

TEST(Lines, one_line_fewer_in_a_replacement_keeps_a_line_that_delivers) {
  for (const bool new_is_ready : {false, true}) {
    Channel c;
    c.start(t0);
    c.lines.ready(0, t0);  // slot 1 never delivers
    c.lines.renew_slot(0, "test", t0 + hours{1}, c.out);
    c.apply();
    ASSERT_EQ(c.opened(), 3);
    if (new_is_ready) c.lines.ready(2, t0 + hours{1});
    c.lines.set_lines(1, t0 + hours{1}, c.out);
    c.apply();
    EXPECT_EQ(c.opened(), 1);
    EXPECT_EQ(c.lines.ready_lines(), 1);
    c.expire(t0 + hours{1});
    EXPECT_EQ(c.lines.is_replacing(), !new_is_ready) << "what must be renewed still must";
  }
}

TEST(Lines, renews_every_line_one_after_the_other) {
  Channel c;
  c.start(t0);
  c.ready_all(t0);
  c.lines.renew("other streams", t0 + hours{1}, c.out);
  c.apply();
  EXPECT_EQ(c.opened(), 3);
  EXPECT_EQ(c.last.why, "other streams");
  EXPECT_FALSE(c.lines.is_renewed());
  c.ready_all(t0 + hours{1} + seconds{1});
  const auto stops = c.stops;
  c.run(t0 + hours{1} + minutes{1});
  EXPECT_TRUE(c.lines.is_renewed());
  EXPECT_EQ(c.starts, 4);
  EXPECT_EQ(c.stops - stops, 2);
  EXPECT_EQ(c.opened(), 2);
}

TEST(Lines, a_renewal_survives_a_reconnect_and_a_failed_attempt) {
  Channel c{{.lines = 1}};
  c.start(t0);
  c.lines.ready(0, t0);
  c.lines.renew("other streams", t0, c.out);
  c.apply();
  c.expire(t0 + seconds{30});
  EXPECT_EQ(c.opened(), 1);
  c.lines.gone(0, t0 + seconds{31});
  c.run(t0 + minutes{5});
  EXPECT_FALSE(c.open[0]);
  EXPECT_TRUE(c.lines.is_renewed());
}

TEST(Lines, stops_everything_and_stays_stopped) {
  Channel c;
  c.start(t0);
  c.ready_all(t0);
  c.lines.renew("test", t0, c.out);
  c.apply();
  c.lines.stop_all(c.out);
  c.apply();
  EXPECT_EQ(c.opened(), 0);
  EXPECT_FALSE(c.lines.next_deadline().has_value());
  c.lines.ready(0, t0);
  c.lines.gone(1, t0);
  c.expire(t0 + hours{48});
  EXPECT_EQ(c.opened(), 0);
}

/// I03 is the count of connections; here, of the slots that may hold one.
TEST(Lines, i03_any_history_keeps_at_least_the_lines_and_at_most_one_slot_more) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    base::Rng rng{seed};
    LocalTime now = t0;
    Channel c{{.lines = static_cast<int>(rng.between(1, 2)), .age_max = minutes{30}}, seed};
    c.start(now);
    int delivering_before = 0;
    for (int step = 0; step < 400; ++step) {
      now += Duration{rng.between(0, seconds{rng.between(1, 200)} / Duration{1})};
      const auto slot = static_cast<std::size_t>(rng.below(Lines::slots_count));
      const auto event = rng.below(100);
      if (event < 40) {
        c.lines.ready(slot, now);
      } else if (event < 55) {
        c.lines.gone(slot, now);
      } else if (event < 60) {
        c.lines.set_lines(static_cast<int>(rng.between(1, 2)), now, c.out);
      } else if (event < 63) {
        c.lines.renew("renewal", now, c.out);
      } else if (event < 66) {
        c.lines.renew_slot(slot, "renewal", now, c.out);
      }
      c.apply();
      delivering_before = c.lines.ready_lines();
      c.expire(now);
      ASSERT_GE(c.opened(), c.lines.lines());
      ASSERT_LE(c.opened(), c.lines.lines() + (c.lines.is_replacing() ? 1 : 0));
      if (delivering_before > 0) {
        ASSERT_GT(c.lines.ready_lines(), 0) << "the last line that delivers never stops";
      }
      ASSERT_TRUE(c.lines.next_deadline().has_value());
      for (std::size_t i = 0; i < Lines::slots_count; ++i) ASSERT_EQ(c.lines.is_started(i), c.open[i]);
    }
    c.run(now + hours{2});
    ASSERT_TRUE(c.lines.is_renewed());
    ASSERT_EQ(c.lines.ready_lines(), c.opened());
  }
}

}  // namespace
}  // namespace phoenix::feed
