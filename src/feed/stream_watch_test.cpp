#include "feed/stream_watch.hpp"

#include "base/rng.hpp"

#include <algorithm>
#include <compare>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::feed {
namespace {

using base::Duration;
using base::LocalTime;
using base::milliseconds;
using base::minutes;
using base::seconds;

LocalTime at(std::int64_t ms) { return base::local_time_ns(ms * 1'000'000); }
std::int64_t ms_of(LocalTime t) { return base::ns_of(t) / 1'000'000; }

StreamWatch live_watch(StreamWatchOptions options = {}) {
  StreamWatch watch{options};
  watch.subscribed(at(0));
  watch.frame(100, at(10));
  return watch;
}

TEST(GapHistory, says_nothing_until_it_knows_enough) {
  GapHistory gaps;
  for (int i = 0; i < 31; ++i) gaps.add(milliseconds{100});
  EXPECT_FALSE(gaps.quantile(999));
  gaps.add(milliseconds{100});
  EXPECT_TRUE(gaps.quantile(999));
}

TEST(GapHistory, a_quantile_is_the_upper_edge_of_its_bucket) {
  base::Rng rng{1};
  for (int round = 0; round < 2'000; ++round) {
    GapHistory gaps;
    const Duration gap{rng.between(100'000, 1 << rng.between(17, 30)) * rng.between(1, 500)};
    for (int i = 0; i < 40; ++i) gaps.add(gap);
    for (const int per_mille : {0, 1, 500, 999, 1000}) {
      const Duration edge = gaps.quantile(per_mille).value();
      ASSERT_GT(edge, gap);
      ASSERT_LE(edge, gap + gap / 4 + Duration{4}) << gap.count();
    }
  }
}

TEST(GapHistory, takes_any_gap) {
  GapHistory gaps;
  for (const Duration gap : {Duration{0}, Duration{-5}, Duration{1}, Duration::max(), Duration::min()}) {
    for (int i = 0; i < 10; ++i) gaps.add(gap);
  }
  EXPECT_EQ(gaps.quantile(1), base::microseconds{100});
  EXPECT_GE(gaps.quantile(1000).value(), minutes{10});
}

TEST(GapHistory, orders_its_quantiles) {
  GapHistory gaps;
  for (int i = 1; i <= 1'000; ++i) gaps.add(milliseconds{i});
  EXPECT_GE(gaps.quantile(500).value(), milliseconds{500});
  EXPECT_LE(gaps.quantile(500).value(), milliseconds{625});
  EXPECT_GE(gaps.quantile(999).value(), milliseconds{999});
  EXPECT_LE(gaps.quantile(100).value(), milliseconds{125});
}

TEST(GapHistory, follows_a_change_of_regime_within_bounded_memory) {
  GapHistory gaps;
  for (int i = 0; i < 100'000; ++i) gaps.add(milliseconds{100});
  EXPECT_LE(gaps.samples(), GapHistory::samples_max);
  for (int i = 0; i < 3; ++i) gaps.add(seconds{5});
  EXPECT_GE(gaps.quantile(999).value(), seconds{5}) << "longer gaps count at once";
  for (std::uint32_t i = 0; i < GapHistory::samples_max; ++i) gaps.add(seconds{5});
  EXPECT_GE(gaps.quantile(500).value(), seconds{5});
  for (std::uint32_t i = 0; i < GapHistory::samples_max; ++i) gaps.add(milliseconds{100});
  EXPECT_LE(gaps.quantile(500).value(), milliseconds{125});
  for (std::uint32_t i = 0; i < 5 * GapHistory::samples_max; ++i) gaps.add(milliseconds{100});
  EXPECT_LE(gaps.quantile(999).value(), milliseconds{125});
}

TEST(GapHistory, suspicion_stays_within_its_bounds) {
  GapHistory gaps;
  EXPECT_EQ(suspect_after(gaps, 999, seconds{1}), seconds{1}) << "nothing known";
  for (int i = 0; i < 40; ++i) gaps.add(milliseconds{10});
  EXPECT_EQ(suspect_after(gaps, 999, seconds{1}), milliseconds{250});
  EXPECT_EQ(suspect_after(gaps, 999, milliseconds{100}), milliseconds{100});
  for (int i = 0; i < 40; ++i) gaps.add(milliseconds{210});
  EXPECT_GE(suspect_after(gaps, 999, seconds{1}), milliseconds{630});
  EXPECT_LE(suspect_after(gaps, 999, seconds{1}), milliseconds{790});
  for (int i = 0; i < 40; ++i) gaps.add(seconds{30});
  EXPECT_EQ(suspect_after(gaps, 999, seconds{1}), seconds{1});
}

TEST(Claims, a_position_beyond_a_claim_meets_it) {
  Claims claims;
  claims.add({105, Witness::twin, at(0), at(1'000)});
  claims.reached(104);
  EXPECT_TRUE(claims.pending());
  claims.reached(107);
  EXPECT_FALSE(claims.pending());
  claims.expire(at(5'000));
  EXPECT_FALSE(claims.overdue());
}

TEST(Claims, the_highest_follows_the_earliest) {
  Claims claims;
  claims.add({105, Witness::twin, at(0), at(1'000)});
  claims.add({106, Witness::twin, at(300), at(1'300)});
  claims.add({110, Witness::probe, at(600), at(1'600)});
  EXPECT_EQ(claims.next_deadline(), at(1'000));
  claims.reached(105);
  EXPECT_EQ(claims.next_deadline(), at(1'600));
  EXPECT_EQ(claims.highest()->position, 110);
  claims.expire(at(1'600));
  EXPECT_EQ(claims.overdue()->witness, Witness::probe);
  claims.reached(109);
  EXPECT_TRUE(claims.overdue());
  claims.reached(110);
  EXPECT_FALSE(claims.overdue());
}

TEST(Claims, a_lower_claim_with_less_grace_ends_first) {
  Claims claims;
  claims.add({110, Witness::twin, at(0), at(1'000)});
  claims.add({105, Witness::probe, at(100), at(600)});
  EXPECT_EQ(claims.next_deadline(), at(600));
  claims.reached(105);
  EXPECT_EQ(claims.next_deadline(), at(1'000));
}

/// Against a list of all claims: never overdue without one that is, overdue at most one grace later than the
/// list says, and never forgiven while the list holds one overdue for a grace more.
TEST(Claims, agrees_with_a_list_of_all_claims) {
  constexpr std::int64_t grace = 500;
  struct Plain {
    std::int64_t position, deadline;
  };
  int seen_overdue = 0, seen_forgiven = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    base::Rng rng{seed};
    Claims claims;
    std::vector<Plain> all;
    std::int64_t ours = 0, theirs = 0, now = 0;
    const std::int64_t lag_max = rng.between(1, 40);
    for (int step = 0; step < 500; ++step) {
      now += rng.between(0, 120);
      claims.expire(at(now));
      const bool was_overdue = claims.overdue().has_value();
      if (rng.below(2) == 0) {
        theirs += rng.between(0, 10);
        if (theirs > ours) {
          claims.add({theirs, Witness::twin, at(now), at(now + grace)});
          all.push_back({theirs, now + grace});
        }
      } else if (rng.below(4) == 0) {
        ours = std::max(ours, theirs - rng.between(0, lag_max));
        claims.reached(ours);
        std::erase_if(all, [&](const Plain& claim) { return claim.position <= ours; });
      }
      const auto overdue_by = [&](std::int64_t more) {
        return std::any_of(all.begin(), all.end(),
                           [&](const Plain& claim) { return claim.deadline + more <= now; });
      };
      if (claims.overdue()) {
        ASSERT_TRUE(overdue_by(0)) << "seed " << seed << " at " << now;
      }
      if (overdue_by(grace)) {
        ASSERT_TRUE(claims.overdue()) << "seed " << seed << " at " << now;
      }
      if (claims.next_deadline()) {
        ASSERT_GT(*claims.next_deadline(), at(now));
      }
      ASSERT_EQ(claims.highest().has_value(), !all.empty());
      if (!all.empty()) {
        ASSERT_EQ(claims.highest()->position, theirs);
      }
      seen_overdue += claims.overdue().has_value();
      seen_forgiven += was_overdue && !claims.overdue();
    }
  }
  EXPECT_GT(seen_overdue, 1'000);
  EXPECT_GT(seen_forgiven, 1'000);
}

TEST(StreamWatch, i12_a_quiet_market_is_never_taken_for_a_dead_stream) {
  auto watch = live_watch({.interval = milliseconds{100}});
  for (int i = 1; i <= 100; ++i) watch.frame(100 + i, at(10 + i * 100));
  for (std::int64_t ms = 11'000; ms < 24 * 3'600'000; ms += 60'000) {
    watch.claim(200, Witness::probe, at(ms));
    ASSERT_FALSE(watch.expire(at(ms)));
  }
  EXPECT_EQ(watch.state(), StreamState::suspect);
  EXPECT_FALSE(watch.next_deadline()) << "nothing to wait for";
}

TEST(StreamWatch, i12_one_that_never_spoke_is_not_condemned_for_what_was_before_it) {
  StreamWatch watch;
  watch.subscribed(at(0));
  watch.claim(500, Witness::twin, at(1'000));
  watch.claim(510, Witness::sibling, at(2'999));
  for (std::int64_t ms = 3'000; ms < 3'600'000; ms += 1'000) {
    watch.claim(510, Witness::probe, at(ms));
    watch.claim(490, Witness::probe, at(ms));
    ASSERT_FALSE(watch.expire(at(ms)));
  }
  EXPECT_EQ(watch.state(), StreamState::subscribed);
}

TEST(StreamWatch, i12_the_first_word_of_a_late_witness_may_be_old_news) {
  StreamWatch watch;
  watch.subscribed(at(0));
  watch.claim(500, Witness::probe, at(60'000));
  EXPECT_FALSE(watch.expire(at(70'000)));
  watch.claim(501, Witness::probe, at(80'000));
  const auto evidence = watch.expire(at(80'500));
  ASSERT_TRUE(evidence);
  EXPECT_EQ(evidence->theirs, 501);
}

TEST(StreamWatch, d04_one_that_never_spoke_while_others_go_on_is_stalled) {
  StreamWatch watch;
  watch.subscribed(at(0));
  std::optional<Evidence> evidence;
  std::int64_t ms = 0;
  for (; !evidence && ms < 60'000; ms += 100) {
    watch.claim(500 + ms, Witness::twin, at(ms));
    evidence = watch.expire(at(ms));
  }
  ASSERT_TRUE(evidence);
  EXPECT_LE(ms, 4'200) << "first data was due after 3 s, and a grace of 1 s";
  EXPECT_EQ(evidence->witness, Witness::twin);
  EXPECT_EQ(evidence->ours, 0);
  EXPECT_EQ(watch.state(), StreamState::stalled);
}

TEST(StreamWatch, i18_one_that_always_speaks_has_its_first_data_within_3_s) {
  StreamWatch watch{{.interval = seconds{1}, .silence_max = seconds{3}}};
  watch.subscribed(at(0));
  EXPECT_EQ(watch.next_deadline(), at(3'000));
  EXPECT_FALSE(watch.expire(at(2'999)));
  const auto evidence = watch.expire(at(3'000));
  ASSERT_TRUE(evidence);
  EXPECT_EQ(evidence->witness, Witness::silence);
  EXPECT_EQ(evidence->silent_for, seconds{3});
}

TEST(StreamWatch, h04_silence_condemns_one_that_always_speaks) {
  auto watch = live_watch({.silence_max = seconds{3}});
  watch.frame(101, at(2'000));
  EXPECT_FALSE(watch.expire(at(4'999)));
  EXPECT_EQ(watch.state(), StreamState::suspect);
  EXPECT_TRUE(watch.expire(at(5'000)));
  EXPECT_EQ(watch.state(), StreamState::stalled);
  watch.frame(102, at(6'000));
  EXPECT_EQ(watch.state(), StreamState::live);
}

TEST(StreamWatch, every_raw_frame_is_a_sign_of_life_whatever_its_position) {
  auto watch = live_watch({.silence_max = seconds{3}});
  for (std::int64_t ms = 1'000; ms < 60'000; ms += 1'000) {
    watch.frame(ms % 2'000 == 0 ? 100 : 90, at(ms));
    ASSERT_FALSE(watch.expire(at(ms)));
  }
  EXPECT_EQ(watch.position(), 100) << "only the highest counts";
  EXPECT_EQ(watch.last_frame(), at(59'000));
}

TEST(StreamWatch, one_that_repeats_itself_is_stalled_by_a_witness) {
  auto watch = live_watch();
  watch.claim(101, Witness::sibling, at(1'000));
  std::optional<Evidence> evidence;
  for (std::int64_t ms = 1'100; ms <= 2'000; ms += 100) {
    watch.frame(100, at(ms));
    evidence = watch.expire(at(ms));
  }
  ASSERT_TRUE(evidence);
  EXPECT_EQ(evidence->witness, Witness::sibling);
  EXPECT_EQ(evidence->silent_for, Duration{0});
}

TEST(StreamWatch, a_claim_is_met_by_any_position_beyond_it) {
  auto watch = live_watch();
  watch.claim(105, Witness::twin, at(1'000));
  watch.frame(107, at(1'900));
  EXPECT_FALSE(watch.expire(at(10'000)));
  EXPECT_EQ(watch.position(), 107);
}

TEST(StreamWatch, a_grace_is_at_least_three_intervals) {
  struct Row {
    Witness witness;
    int interval_ms, grace_ms;
  };
  for (const Row& row :
       {Row{Witness::twin, 100, 1'000}, Row{Witness::twin, 500, 1'500}, Row{Witness::sibling, 0, 1'000},
        Row{Witness::order_answer, 0, 1'000}, Row{Witness::probe, 100, 500}, Row{Witness::probe, 250, 750}}) {
    auto watch = live_watch({.interval = milliseconds{row.interval_ms}});
    watch.claim(101, row.witness, at(20));
    EXPECT_FALSE(watch.expire(at(20 + row.grace_ms - 1))) << name(row.witness) << row.interval_ms;
    const auto evidence = watch.expire(at(20 + row.grace_ms));
    ASSERT_TRUE(evidence) << name(row.witness) << row.interval_ms;
    EXPECT_EQ(evidence->witness, row.witness);
    EXPECT_EQ(evidence->ours, 100);
    EXPECT_EQ(evidence->theirs, 101);
  }
}

TEST(StreamWatch, a_verdict_is_given_once) {
  auto watch = live_watch();
  watch.claim(101, Witness::twin, at(1'000));
  EXPECT_FALSE(watch.expire(at(1'000)));
  EXPECT_FALSE(watch.expire(at(1'000)));
  EXPECT_TRUE(watch.expire(at(2'000)));
  EXPECT_FALSE(watch.expire(at(2'000)));
  watch.claim(102, Witness::twin, at(2'100));
  EXPECT_FALSE(watch.expire(at(10'000)));
}

TEST(StreamWatch, is_suspect_when_half_the_grace_is_used_or_it_is_silent_for_long) {
  auto watch = live_watch();
  watch.claim(101, Witness::twin, at(1'000));
  EXPECT_FALSE(watch.expire(at(1'499)));
  EXPECT_EQ(watch.state(), StreamState::live) << "a witness is always a little ahead";
  EXPECT_EQ(watch.next_deadline(), at(1'500));
  EXPECT_FALSE(watch.expire(at(1'500)));
  EXPECT_EQ(watch.state(), StreamState::suspect);
  watch.frame(101, at(1'600));
  EXPECT_EQ(watch.state(), StreamState::live);

  for (int i = 1; i < 60; ++i) watch.frame(101 + i, at(1'600 + i * 100));
  const LocalTime last = *watch.last_frame();
  ASSERT_TRUE(watch.next_deadline());
  EXPECT_LE(*watch.next_deadline(), last + milliseconds{6'000});
  watch.expire(*watch.next_deadline());
  EXPECT_EQ(watch.state(), StreamState::suspect);
}

TEST(StreamWatch, the_venue_saying_it_is_not_subscribed_needs_no_grace) {
  auto watch = live_watch();
  watch.not_listed(at(1'000));
  EXPECT_EQ(watch.next_deadline(), at(1'000));
  const auto evidence = watch.expire(at(1'000));
  ASSERT_TRUE(evidence);
  EXPECT_EQ(evidence->witness, Witness::subscription_list);
  watch.recovering(at(1'100));
  EXPECT_EQ(watch.state(), StreamState::recovering);
  watch.frame(101, at(1'200));
  EXPECT_EQ(watch.state(), StreamState::live);
}

TEST(StreamWatch, a_stalled_stream_is_live_when_it_has_what_it_missed) {
  auto watch = live_watch();
  watch.claim(110, Witness::twin, at(1'000));
  ASSERT_TRUE(watch.expire(at(2'000)));
  watch.frame(109, at(2'100));
  EXPECT_EQ(watch.state(), StreamState::stalled);
  watch.frame(110, at(2'200));
  EXPECT_EQ(watch.state(), StreamState::live);
  EXPECT_EQ(watch.gaps().samples(), 0U) << "a stall is no gap";
  watch.frame(111, at(2'300));
  EXPECT_EQ(watch.gaps().samples(), 1U);
}

TEST(StreamWatch, i12_a_stalled_stream_asked_for_again_may_find_the_market_quiet) {
  auto watch = live_watch();
  watch.claim(110, Witness::twin, at(1'000));
  ASSERT_TRUE(watch.expire(at(2'000)));
  watch.claim(112, Witness::twin, at(2'050));
  watch.recovering(at(2'100));
  for (std::int64_t ms = 2'200; ms < 3'600'000; ms += 1'000) {
    watch.claim(112, Witness::probe, at(ms));
    ASSERT_FALSE(watch.expire(at(ms)));
  }
  EXPECT_EQ(watch.state(), StreamState::recovering);
  watch.frame(113, at(3'600'000));
  EXPECT_EQ(watch.state(), StreamState::live);
}

TEST(StreamWatch, a_stream_that_does_not_recover_is_stalled_again) {
  auto watch = live_watch();
  watch.claim(110, Witness::twin, at(1'000));
  ASSERT_TRUE(watch.expire(at(2'000)));
  watch.recovering(at(2'100));
  watch.claim(120, Witness::twin, at(6'000));
  EXPECT_TRUE(watch.expire(at(7'000)));

  watch.recovering(at(8'000));
  watch.frame(105, at(8'100));
  EXPECT_EQ(watch.state(), StreamState::recovering);
  const auto evidence = watch.expire(at(11'000));
  ASSERT_TRUE(evidence) << "frames come but do not catch up";
  EXPECT_EQ(evidence->theirs, 120);
}

TEST(StreamWatch, a_connection_that_is_gone_leaves_nothing_but_the_learned_gaps) {
  auto watch = live_watch({.silence_max = seconds{3}});
  for (int i = 1; i < 50; ++i) watch.frame(100 + i, at(10 + i * 100));
  watch.claim(500, Witness::twin, at(5'000));
  const auto known = watch.gaps().samples();
  watch.reset();
  EXPECT_EQ(watch.state(), StreamState::connecting);
  EXPECT_FALSE(watch.next_deadline());
  EXPECT_FALSE(watch.position());
  watch.frame(600, at(6'000));
  watch.claim(700, Witness::twin, at(6'000));
  EXPECT_FALSE(watch.expire(at(60'000)));
  EXPECT_EQ(watch.state(), StreamState::connecting);
  watch.subscribed(at(60'000));
  watch.frame(3, at(60'010));
  EXPECT_EQ(watch.state(), StreamState::live);
  EXPECT_EQ(watch.position(), 3);
  EXPECT_EQ(watch.gaps().samples(), known) << "the outage is no gap";
}

TEST(StreamWatch, a_second_acknowledgement_changes_nothing) {
  auto watch = live_watch();
  watch.subscribed(at(500));
  EXPECT_EQ(watch.state(), StreamState::live);
  EXPECT_EQ(watch.position(), 100);
}

TEST(StreamWatch, i13_every_duration_carries_its_unit) {
  Evidence evidence;
  evidence.witness = Witness::subscription_list;
  evidence.ours = 41;
  evidence.theirs = 45;
  evidence.silent_for = milliseconds{2'699} + base::microseconds{600};
  EXPECT_EQ(evidence.text().view(),
            "witness=subscription_list ours=41 theirs=45 silent_ms=2699 siblings_alive=0");
  evidence.usual_gap = milliseconds{125};
  evidence.ping_round_trip = milliseconds{7};
  evidence.siblings_alive = 2;
  EXPECT_EQ(evidence.text().view(),
            "witness=subscription_list ours=41 theirs=45 silent_ms=2699 usual_gap_ms=125 ping_ms=7 "
            "siblings_alive=2");
  evidence.ours = evidence.theirs = std::numeric_limits<std::int64_t>::min();
  evidence.silent_for = Duration::min();
  evidence.usual_gap = evidence.ping_round_trip = Duration::min();
  evidence.siblings_alive = std::numeric_limits<int>::min();
  EXPECT_LE(evidence.text().view().size(), 240U) << "the longest fits";
}

/// A venue that counts up; two lines that bring each position late, some lost on the way (a later frame
/// covers them), some twice or out of order. Each line's frames are claims on the other.
struct TwoLines {
  explicit TwoLines(std::uint64_t seed) : rng{seed} {}

  struct Delivery {
    std::int64_t ms, position;
    friend auto operator<=>(const Delivery&, const Delivery&) = default;
  };
  struct Death {
    std::int64_t ms = std::numeric_limits<std::int64_t>::max();
  };

  /// Runs until `until` ms; returns when A was condemned, counting B's as a failure.
  std::optional<std::int64_t> run(Death death_of_a, std::int64_t until, std::int64_t lateness_max) {
    std::vector<Delivery> to_a, to_b;
    std::int64_t position = 1'000;
    for (std::int64_t ms = 0; ms < until; ms += rng.between(1, regime_gap_max)) {
      if (rng.below(20) == 0) regime_gap_max = rng.between(2, 3) * (rng.below(10) == 0 ? 1'000 : 50);
      position += rng.between(1, 50);
      for (auto* line : {&to_a, &to_b}) {
        const std::int64_t arrives = ms + rng.between(1, lateness_max);
        if (line == &to_a && arrives >= death_of_a.ms) continue;
        line->push_back({arrives, position});
        if (rng.below(10) == 0) line->push_back({arrives + rng.between(0, 50), position});
      }
    }
    std::sort(to_a.begin(), to_a.end());
    std::sort(to_b.begin(), to_b.end());

    StreamWatch a{{.interval = milliseconds{100}}}, b{{.interval = milliseconds{100}}};
    a.subscribed(at(0));
    b.subscribed(at(0));
    std::optional<std::int64_t> condemned;
    std::size_t next_a = 0, next_b = 0;
    for (std::int64_t ms = 0; ms < until && !condemned; ++ms) {
      for (; next_a < to_a.size() && to_a[next_a].ms == ms; ++next_a) {
        a.frame(to_a[next_a].position, at(ms));
        b.claim(to_a[next_a].position, Witness::twin, at(ms));
      }
      for (; next_b < to_b.size() && to_b[next_b].ms == ms; ++next_b) {
        b.frame(to_b[next_b].position, at(ms));
        a.claim(to_b[next_b].position, Witness::twin, at(ms));
      }
      const bool has_missed = ms >= death_of_a.ms && b.position() > a.position();
      if (has_missed && !first_missed) first_missed = ms;
      if (is_due(a, ms) && a.expire(at(ms))) condemned = ms;
      EXPECT_FALSE(is_due(b, ms) && b.expire(at(ms))) << "the healthy line";
    }
    return condemned;
  }

  static bool is_due(const StreamWatch& watch, std::int64_t ms) {
    const auto due = watch.next_deadline();
    return due && at(ms) >= *due;
  }

  base::Rng rng;
  std::int64_t regime_gap_max = 100;
  std::optional<std::int64_t> first_missed;  ///< when B was ahead of the dead A for good
};

TEST(StreamWatch, h03_no_line_within_the_grace_of_its_twin_is_ever_condemned) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    ASSERT_FALSE(TwoLines{seed}.run({}, 30'000, 900)) << "seed " << seed;
  }
}

TEST(StreamWatch, h25_a_line_that_dies_is_condemned_within_the_grace_of_the_first_thing_it_missed) {
  std::int64_t worst = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    TwoLines lines{seed};
    const std::int64_t death = lines.rng.between(5'000, 20'000);
    const auto condemned = lines.run({death}, 40'000, 200);
    ASSERT_TRUE(condemned) << "seed " << seed;
    ASSERT_TRUE(lines.first_missed);
    ASSERT_GE(*condemned, death);
    worst = std::max(worst, *condemned - *lines.first_missed);
    ASSERT_LE(*condemned - *lines.first_missed, 1'000) << "seed " << seed;
  }
  RecordProperty("worst_ms", static_cast<int>(worst));
  EXPECT_GT(worst, 800) << "the grace is really given";
}

TEST(StreamWatch, deadlines_always_lie_ahead_and_expiring_twice_changes_nothing) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    base::Rng rng{seed};
    StreamWatch watch{{.interval = milliseconds{rng.between(0, 1'000)},
                       .silence_max = rng.below(2) == 0 ? seconds{0} : seconds{3}}};
    std::int64_t ms = 0;
    for (int step = 0; step < 500; ++step) {
      ms += rng.below(10) == 0 ? rng.between(0, 5'000) : rng.between(0, 100);
      const LocalTime now = at(ms);
      switch (rng.below(12)) {
        case 0:
          if (rng.below(10) == 0) watch.reset();
          break;
        case 1:
          watch.subscribed(now);
          break;
        case 2:
          watch.recovering(now);
          break;
        case 3:
          if (rng.below(5) == 0) watch.not_listed(now);
          break;
        case 4:
        case 5:
          watch.claim(rng.between(0, ms), static_cast<Witness>(rng.between(2, 5)), now);
          break;
        default:
          watch.frame(rng.between(ms / 2, ms), now);
      }
      const StreamState before = watch.state();
      const auto evidence = watch.expire(now);
      ASSERT_EQ(evidence.has_value(), before != StreamState::stalled && watch.state() == StreamState::stalled)
          << "seed " << seed << " step " << step;
      if (evidence) {
        ASSERT_NE(evidence->witness, Witness::none);
      }
      const StreamState after = watch.state();
      ASSERT_FALSE(watch.expire(now));
      ASSERT_EQ(watch.state(), after);
      if (watch.next_deadline()) {
        ASSERT_GT(*watch.next_deadline(), now) << "seed " << seed << " step " << step << " " << ms_of(now);
      }
      if (after == StreamState::stalled || after == StreamState::connecting) continue;
      if (!watch.next_deadline()) continue;
      if (*watch.next_deadline() - now > base::Duration{1}) {
        ASSERT_FALSE(watch.expire(*watch.next_deadline() - base::Duration{1})) << "before its deadline";
        ASSERT_EQ(watch.state(), after);
      }
    }
  }
}

}  // namespace
}  // namespace phoenix::feed
