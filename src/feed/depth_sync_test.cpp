#include "feed/depth_sync.hpp"

#include "base/rng.hpp"
#include "venue/book_sync.hpp"

#include <deque>
#include <string>

#include <gtest/gtest.h>

namespace phoenix::feed {
namespace {

using model::Level;
using model::Price;
using model::Product;
using model::Qty;

constexpr model::SymbolId symbol{3};
base::LocalTime at_ms(std::int64_t ms) { return base::local_time_ns(ms * 1'000'000); }

/// A delta whose only level carries its last id, so that a test sees whose levels it was given.
struct Delta {
  Level level;
  model::DepthDelta value;

  Delta(std::int64_t first, std::int64_t last, std::optional<std::int64_t> prev)
      : level{Price::from_raw(last), Qty::from_raw(1)} {
    value.symbol = symbol;
    value.first_id = first;
    value.last_id = last;
    value.prev_id = prev;
  }
  const model::DepthDelta& operator*() {
    value.bids = {&level, 1};
    return value;
  }
};
Delta usdm(std::int64_t prev, std::int64_t first, std::int64_t last) { return {first, last, prev}; }
Delta spot(std::int64_t first, std::int64_t last) { return {first, last, std::nullopt}; }

model::DepthSnapshot snapshot(std::int64_t id) {
  static const Level bid{Price::of("1"), Qty::of("1")};
  model::DepthSnapshot value;
  value.symbol = symbol;
  value.last_id = id;
  value.bids = {&bid, 1};
  return value;
}

/// The actions as words: "request", "snapshot 5", "delta 7", "broken sequence_gap 7 9".
std::vector<std::string> words(const SyncActions& actions) {
  std::vector<std::string> all;
  for (const SyncAction& action : actions) {
    if (std::holds_alternative<RequestSnapshot>(action)) all.emplace_back("request");
    if (const auto* apply = std::get_if<ApplySnapshot>(&action)) {
      all.push_back("snapshot " + std::to_string(apply->snapshot.last_id));
    }
    if (const auto* apply = std::get_if<ApplyDelta>(&action)) {
      EXPECT_EQ(apply->delta.bids.size(), 1U);
      EXPECT_EQ(apply->delta.bids[0].price.raw(), apply->delta.last_id) << "levels belong to their delta";
      all.push_back("delta " + std::to_string(apply->delta.last_id));
    }
    if (const auto* broken = std::get_if<Broken>(&action)) {
      all.push_back("broken " + std::string{name(broken->reason)} + " " + std::to_string(broken->expected) +
                    " " + std::to_string(broken->was));
    }
  }
  return all;
}
using Words = std::vector<std::string>;

/// A DepthSync and the words of the actions of each call.
struct Machine {
  explicit Machine(Product product, DepthSyncOptions options = {}) : sync(symbol, product, options) {}

  Words delta(Delta value, std::int64_t ms = 0) {
    SyncActions out;
    sync.on_delta(*value, at_ms(ms), out);
    return words(out);
  }
  Words snap(std::int64_t id, std::int64_t ms = 0) {
    SyncActions out;
    sync.on_snapshot(snapshot(id), at_ms(ms), out);
    return words(out);
  }
  Words expire(std::int64_t ms) {
    SyncActions out;
    sync.expire(at_ms(ms), out);
    return words(out);
  }
  DepthSync sync;
};

TEST(DepthSync, asks_for_a_snapshot_only_once_a_delta_is_buffered) {
  Machine machine{Product::usdm};
  EXPECT_EQ(machine.sync.state(), SyncState::unsynced);
  EXPECT_EQ(machine.expire(1'000'000), Words{});
  EXPECT_EQ(machine.delta(usdm(10, 11, 15)), Words{"request"});
  EXPECT_EQ(machine.sync.state(), SyncState::waiting_snapshot);
  EXPECT_EQ(machine.delta(usdm(15, 17, 20)), Words{});
  EXPECT_FALSE(machine.sync.last_id());
}

TEST(DepthSync, usdm_replays_the_buffer_from_the_delta_that_holds_the_snapshot) {
  Machine machine{Product::usdm};
  (void)machine.delta(usdm(10, 11, 15));
  (void)machine.delta(usdm(15, 17, 20));
  (void)machine.delta(usdm(20, 23, 30));
  EXPECT_EQ(machine.snap(18), (Words{"snapshot 18", "delta 20", "delta 30"}));
  EXPECT_TRUE(machine.sync.is_synced());
  EXPECT_EQ(machine.sync.last_id(), 30);
  EXPECT_EQ(machine.sync.stats().stale, 1U);
  EXPECT_EQ(machine.delta(usdm(30, 35, 40)), Words{"delta 40"});
  EXPECT_EQ(machine.sync.last_id(), 40);
}

TEST(DepthSync, usdm_joins_a_delta_that_ends_at_the_snapshot) {
  Machine machine{Product::usdm};
  (void)machine.delta(usdm(10, 11, 15));
  EXPECT_EQ(machine.snap(15), (Words{"snapshot 15", "delta 15"}));
}

TEST(DepthSync, usdm_joins_a_snapshot_that_lies_in_the_hole_before_a_delta) {
  Machine machine{Product::usdm};
  (void)machine.delta(usdm(10, 20, 25));
  EXPECT_EQ(machine.snap(13), (Words{"snapshot 13", "delta 25"}));
}

TEST(DepthSync, spot_replays_from_the_delta_after_the_snapshot) {
  Machine machine{Product::spot};
  (void)machine.delta(spot(11, 15));
  (void)machine.delta(spot(16, 20));
  (void)machine.delta(spot(21, 22));
  EXPECT_EQ(machine.snap(15), (Words{"snapshot 15", "delta 20", "delta 22"}));
  EXPECT_EQ(machine.delta(spot(23, 23)), Words{"delta 23"});
}

TEST(DepthSync, spot_does_not_join_a_delta_that_ends_at_the_snapshot) {
  Machine machine{Product::spot};
  (void)machine.delta(spot(11, 15));
  EXPECT_EQ(machine.snap(15), Words{});
  EXPECT_EQ(machine.sync.state(), SyncState::waiting_snapshot);
  EXPECT_EQ(machine.delta(spot(16, 17)), (Words{"snapshot 15", "delta 17"}));
}

TEST(DepthSync, a_snapshot_ahead_of_the_stream_waits_for_the_delta_that_reaches_it) {
  Machine machine{Product::usdm};
  (void)machine.delta(usdm(10, 11, 15));
  EXPECT_EQ(machine.snap(40), Words{});
  EXPECT_FALSE(machine.sync.is_synced());
  EXPECT_EQ(machine.delta(usdm(15, 16, 20)), Words{});
  EXPECT_EQ(machine.delta(usdm(20, 38, 45)), (Words{"snapshot 40", "delta 45"}));
  EXPECT_EQ(machine.sync.stats().stale, 2U);
  EXPECT_EQ(machine.sync.stats().snapshots_requested, 1U);
}

TEST(DepthSync, a_snapshot_before_any_delta_is_kept_and_still_has_to_join) {
  Machine joins{Product::spot};
  EXPECT_EQ(joins.snap(20), Words{});
  EXPECT_EQ(joins.delta(spot(21, 22)), (Words{"snapshot 20", "delta 22"}));
  Machine too_old{Product::spot};
  EXPECT_EQ(too_old.snap(20), Words{});
  EXPECT_EQ(too_old.delta(spot(22, 23)), Words{});
  EXPECT_FALSE(too_old.sync.is_synced());
  EXPECT_EQ(too_old.sync.stats().snapshots_too_old, 1U);
}

TEST(DepthSync, a_snapshot_older_than_the_buffer_is_asked_for_again_with_a_doubling_backoff) {
  Machine machine{Product::usdm};
  EXPECT_EQ(machine.delta(usdm(10, 11, 15), 0), Words{"request"});
  EXPECT_EQ(machine.snap(9, 50), Words{});
  EXPECT_EQ(machine.sync.next_deadline(), at_ms(150));
  EXPECT_EQ(machine.expire(149), Words{});
  EXPECT_EQ(machine.expire(150), Words{"request"});
  EXPECT_EQ(machine.expire(150), Words{});
  EXPECT_EQ(machine.snap(9, 200), Words{});
  EXPECT_EQ(machine.sync.next_deadline(), at_ms(400));
  EXPECT_EQ(machine.expire(400), Words{"request"});
  EXPECT_EQ(machine.snap(12, 450), (Words{"snapshot 12", "delta 15"}));
  EXPECT_FALSE(machine.sync.next_deadline());
  EXPECT_EQ(machine.sync.stats().snapshots_too_old, 2U);
}

TEST(DepthSync, asks_at_most_five_times_a_minute) {
  Machine machine{Product::usdm};
  (void)machine.delta(usdm(10, 11, 15), 0);
  std::vector<std::int64_t> asked{0};
  for (std::int64_t ms = 0; ms < 180'000; ms += 10) {
    if (machine.expire(ms) == Words{"request"}) asked.push_back(ms);
    (void)machine.snap(9, ms);
  }
  EXPECT_GE(asked.size(), 10U);
  for (std::size_t i = 5; i < asked.size(); ++i) EXPECT_GE(asked[i] - asked[i - 5], 60'000);
}

TEST(DepthSync, an_answer_that_does_not_come_is_asked_for_again) {
  Machine machine{Product::usdm};
  EXPECT_EQ(machine.delta(usdm(10, 11, 15), 0), Words{"request"});
  EXPECT_EQ(machine.sync.next_deadline(), at_ms(5'000));
  EXPECT_EQ(machine.expire(5'000), Words{"request"});
  machine.sync.on_snapshot_failed(at_ms(6'000));
  EXPECT_EQ(machine.sync.next_deadline(), at_ms(6'100));
  EXPECT_EQ(machine.expire(6'100), Words{"request"});
}

TEST(DepthSync, asks_for_a_new_snapshot_after_a_gap) {
  for (const Product product : {Product::usdm, Product::spot}) {
    Machine machine{product};
    const bool is_spot = product == Product::spot;
    (void)machine.delta(is_spot ? spot(11, 15) : usdm(10, 11, 15), 0);
    ASSERT_EQ(machine.snap(12, 1).size(), 2U);
    EXPECT_EQ(machine.delta(is_spot ? spot(17, 20) : usdm(16, 17, 20), 2),
              (Words{is_spot ? "broken sequence_gap 16 17" : "broken sequence_gap 15 16", "request"}));
    EXPECT_EQ(machine.sync.state(), SyncState::waiting_snapshot);
    EXPECT_FALSE(machine.sync.last_id());
    EXPECT_EQ(machine.snap(18, 3), (Words{"snapshot 18", "delta 20"}));
    EXPECT_EQ(machine.sync.stats().gaps, 1U);
    EXPECT_EQ(machine.sync.stats().syncs, 2U);
  }
}

TEST(DepthSync, a_gap_while_buffering_is_told_and_what_came_before_it_is_not_replayed) {
  Machine machine{Product::usdm};
  (void)machine.delta(usdm(10, 11, 15));
  EXPECT_EQ(machine.delta(usdm(17, 18, 20)), Words{"broken sequence_gap 15 17"});
  EXPECT_EQ(machine.sync.state(), SyncState::waiting_snapshot);
  EXPECT_EQ(machine.snap(13), Words{}) << "joins only what lies before the gap";
  EXPECT_FALSE(machine.sync.is_synced());
  EXPECT_EQ(machine.snap(19), (Words{"snapshot 19", "delta 20"}));
}

TEST(DepthSync, a_delta_without_its_predecessor_follows_nothing_on_usdm) {
  Machine machine{Product::usdm};
  (void)machine.delta(usdm(10, 11, 15));
  (void)machine.snap(12);
  EXPECT_EQ(machine.delta(spot(16, 20)).front(), "broken sequence_gap 15 0");
}

TEST(DepthSync, old_deltas_and_duplicates_are_dropped_and_counted) {
  Machine machine{Product::usdm};
  (void)machine.delta(usdm(10, 11, 15));
  EXPECT_EQ(machine.delta(usdm(10, 11, 15)), Words{});
  EXPECT_EQ(machine.snap(12), (Words{"snapshot 12", "delta 15"}));
  EXPECT_EQ(machine.delta(usdm(10, 11, 15)), Words{});
  EXPECT_EQ(machine.delta(usdm(5, 6, 9)), Words{});
  EXPECT_TRUE(machine.sync.is_synced());
  EXPECT_EQ(machine.sync.stats().duplicates, 2U);
  EXPECT_EQ(machine.sync.stats().stale, 1U);
  EXPECT_EQ(machine.sync.last_id(), 15);
}

TEST(DepthSync, a_delta_that_overlaps_the_head_is_applied) {
  Machine machine{Product::usdm};
  (void)machine.delta(usdm(10, 11, 15));
  (void)machine.snap(12);
  EXPECT_EQ(machine.delta(usdm(13, 14, 18)), Words{"delta 18"});
}

TEST(DepthSync, a_full_buffer_is_a_break_and_begins_anew_with_the_delta_that_did_not_fit) {
  Machine by_events{Product::usdm, {.events_max = 2}};
  (void)by_events.delta(usdm(10, 11, 15));
  (void)by_events.delta(usdm(15, 16, 20));
  EXPECT_EQ(by_events.delta(usdm(20, 21, 25)), Words{"broken buffer_overflow 0 0"});
  EXPECT_EQ(by_events.snap(22), (Words{"snapshot 22", "delta 25"}));
  EXPECT_EQ(by_events.sync.stats().overflows, 1U);

  Machine by_levels{Product::usdm, {.levels_max = 1}};
  (void)by_levels.delta(usdm(10, 11, 15));
  EXPECT_EQ(by_levels.delta(usdm(15, 16, 20)), Words{"broken buffer_overflow 0 0"});
  EXPECT_EQ(by_levels.snap(17), (Words{"snapshot 17", "delta 20"}));
}

TEST(DepthSync, a_delta_larger_than_the_buffer_starts_nothing) {
  DepthSync sync{symbol, Product::usdm, {.levels_max = 1}};
  SyncActions out;
  const std::vector<Level> levels(2, Level{Price::of("1"), Qty::of("1")});
  model::DepthDelta delta;
  delta.first_id = delta.last_id = 5;
  delta.prev_id = 4;
  delta.bids = levels;
  sync.on_delta(delta, at_ms(0), out);
  EXPECT_EQ(words(out), Words{"broken buffer_overflow 0 0"});
  EXPECT_EQ(sync.state(), SyncState::unsynced);
}

TEST(DepthSync, a_crossed_book_starts_over) {
  Machine machine{Product::usdm};
  SyncActions out;
  machine.sync.on_crossed(out);
  EXPECT_TRUE(out.empty()) << "nothing is handed out yet that could be crossed";
  (void)machine.delta(usdm(10, 11, 15));
  (void)machine.snap(12);
  machine.sync.on_crossed(out);
  EXPECT_EQ(words(out), Words{"broken crossed_book 0 0"});
  EXPECT_EQ(machine.sync.state(), SyncState::unsynced);
  EXPECT_EQ(machine.delta(usdm(15, 16, 20)), Words{"request"});
  EXPECT_EQ(machine.snap(16), (Words{"snapshot 16", "delta 20"}));
  EXPECT_EQ(machine.sync.stats().crossed, 1U);
}

TEST(DepthSync, a_disconnect_unsyncs_and_a_late_answer_does_no_harm) {
  Machine machine{Product::usdm};
  SyncActions out;
  machine.sync.on_disconnected(out);
  EXPECT_TRUE(out.empty());
  (void)machine.delta(usdm(10, 11, 15));
  machine.sync.on_disconnected(out);
  EXPECT_EQ(words(out), Words{"broken disconnected 0 0"});
  EXPECT_FALSE(machine.sync.next_deadline());
  EXPECT_EQ(machine.snap(12), Words{});
  EXPECT_EQ(machine.delta(usdm(20, 21, 25), 100), Words{}) << "too old: asked for again after the backoff";
  EXPECT_EQ(machine.expire(200), Words{"request"});
}

TEST(DepthSync, a_snapshot_while_synced_changes_nothing) {
  Machine machine{Product::usdm};
  (void)machine.delta(usdm(10, 11, 15));
  (void)machine.snap(12);
  EXPECT_EQ(machine.snap(99), Words{});
  EXPECT_TRUE(machine.sync.is_synced());
  EXPECT_EQ(machine.sync.stats().snapshots_unused, 1U);
}

TEST(DepthSync, without_a_snapshot_nothing_is_ever_handed_out) {
  Machine machine{Product::usdm};
  for (std::int64_t id = 1; id < 5'000; ++id) {
    for (const std::string& word : machine.delta(usdm(id, id + 1, id + 1), id * 100)) {
      ASSERT_TRUE(word == "request" || word.starts_with("broken buffer_overflow")) << word;
    }
    ASSERT_FALSE(machine.sync.is_synced());
  }
  EXPECT_LE(machine.sync.stats().events_high_water, 512U);
}

/// What the venue sent, and what a consumer that trusts the machine believes.
struct Consumer {
  bool synced = false;
  std::optional<std::int64_t> snapshot_id;  ///< of the last snapshot, until a delta joined it
  std::int64_t head = 0;

  void take(const SyncActions& actions, Product product) {
    for (const SyncAction& action : actions) {
      if (const auto* apply = std::get_if<ApplySnapshot>(&action)) {
        snapshot_id = apply->snapshot.last_id;
        head = *snapshot_id;
        synced = true;
      } else if (const auto* change = std::get_if<ApplyDelta>(&action)) {
        ASSERT_TRUE(synced) << "a delta is handed out only on a snapshot";
        const model::DepthDelta& delta = change->delta;
        // Every change of the truth after `head` up to the delta's end has to lie within the delta. Changes
        // carry even ids; `prev_id` (usdm) or `first_id` (spot) tell the truth about where it begins.
        const std::int64_t begins_after = product == Product::spot ? delta.first_id - 1 : *delta.prev_id;
        ASSERT_LE(begins_after, head) << "no change is missing between head and delta";
        ASSERT_GE(delta.last_id, head);
        head = delta.last_id;
        snapshot_id.reset();
      } else if (std::holds_alternative<Broken>(action)) {
        synced = false;
      }
    }
    if (synced) {
      ASSERT_FALSE(snapshot_id) << "a snapshot alone is not a book";
    }
  }
};

TEST(DepthSyncProperty, synced_implies_an_unbroken_chain_whatever_is_lost_or_repeated) {
  std::uint64_t synced_runs = 0, gaps = 0, refetches = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Rng rng{seed};
    const Product product = rng.below(2) == 0 ? Product::usdm : Product::spot;
    const std::uint64_t loss = rng.below(3) == 0 ? 100'000 : 5'000;
    DepthSync sync{symbol, product, {.events_max = 1 + rng.below(30), .levels_max = 1 + rng.below(40)}};
    Consumer consumer;
    SyncActions out;
    std::int64_t id = 1'000, ms = 0;
    std::deque<Delta> sent;
    std::deque<std::pair<std::int64_t, std::int64_t>> answers;  // due ms, snapshot id
    const auto drain = [&] {
      for (const SyncAction& action : out) {
        if (!std::holds_alternative<RequestSnapshot>(action)) continue;
        // The snapshot is of any moment from long ago to now; now and then none comes.
        if (rng.below(10) != 0) answers.emplace_back(ms + rng.between(1, 400), id - rng.between(-60, 60));
      }
      consumer.take(out, product);
      out.clear();
      ASSERT_EQ(sync.is_synced(), consumer.synced);
      if (sync.is_synced()) {
        ASSERT_EQ(sync.last_id(), consumer.head);
      }
    };
    for (int step = 0; step < 600; ++step) {
      ms += rng.between(0, 120);
      const std::int64_t hole = product == Product::spot ? 0 : rng.between(0, 20);
      const std::int64_t first = id + 1 + hole;
      const std::int64_t last = first + rng.between(0, 10);
      sent.push_back(product == Product::spot ? spot(first, last) : usdm(id, first, last));
      id = last;
      if (sent.size() > 20) sent.pop_front();
      while (!answers.empty() && answers.front().first <= ms) {
        sync.on_snapshot(snapshot(std::min(answers.front().second, id)), at_ms(ms), out);
        answers.pop_front();
        drain();
      }
      if (rng.chance_per_million(2'000)) {
        sync.on_disconnected(out);
        drain();
      }
      if (rng.chance_per_million(2'000)) {
        sync.on_crossed(out);
        drain();
      }
      if (!rng.chance_per_million(loss)) {
        sync.on_delta(*sent.back(), at_ms(ms), out);
        drain();
      }
      if (rng.chance_per_million(50'000)) {
        sync.on_delta(*sent[rng.below(sent.size())], at_ms(ms), out);
        drain();
      }
      sync.expire(at_ms(ms), out);
      drain();
      if (HasFatalFailure()) return;
    }
    synced_runs += sync.stats().syncs > 0;
    gaps += sync.stats().gaps;
    refetches += sync.stats().snapshots_too_old;
  }
  EXPECT_GT(synced_runs, 200U);
  EXPECT_GT(gaps, 400U);
  EXPECT_GT(refetches, 100U);
}

}  // namespace
}  // namespace phoenix::feed
