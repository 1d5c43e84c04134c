#include "feed/depth_sync.hpp"

#include "base/rng.hpp"
#include "base/test_allocations.hpp"
#include "venue/book_sync.hpp"

#include <array>
#include <deque>
#include <map>
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

/// The actions as words: "request", "snapshot 5", "delta 7", "broken sequence_gap 7 9", "line 0 hole 7 9".
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
    if (const auto* hole = std::get_if<LineHole>(&action)) {
      all.push_back("line " + std::to_string(hole->line) + " hole " + std::to_string(hole->expected) + " " +
                    std::to_string(hole->was));
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
  Words on(std::size_t line, Delta value, std::int64_t ms = 0) {
    SyncActions out;
    sync.on_delta(*value, line, at_ms(ms), out);
    return words(out);
  }
  Words down(std::size_t line, std::int64_t ms = 0) {
    SyncActions out;
    sync.line_down(line, at_ms(ms), out);
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

TEST(DepthSync, asks_five_times_at_once_and_then_every_ten_seconds) {
  Machine machine{Product::usdm};
  (void)machine.delta(usdm(10, 11, 15), 0);
  std::vector<std::int64_t> asked{0};
  for (std::int64_t ms = 0; ms < 180'000; ms += 10) {
    if (machine.expire(ms) == Words{"request"}) asked.push_back(ms);
    (void)machine.snap(9, ms);
  }
  EXPECT_GE(asked.size(), 18U);
  EXPECT_LT(asked[4], 5'000);
  for (std::size_t i = 5; i < asked.size(); ++i) EXPECT_GE(asked[i] - asked[i - 1], 10'000);
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

TEST(DepthSync, d06_asks_for_a_new_snapshot_after_a_gap) {
  for (const Product product : {Product::usdm, Product::spot}) {
    Machine machine{product};
    const bool is_spot = product == Product::spot;
    (void)machine.delta(is_spot ? spot(11, 15) : usdm(10, 11, 15), 0);
    ASSERT_EQ(machine.snap(12, 1).size(), 2U);
    EXPECT_EQ(machine.delta(is_spot ? spot(17, 20) : usdm(16, 17, 20), 2),
              (is_spot ? Words{"line 0 hole 16 17", "broken sequence_gap 16 17", "request"}
                       : Words{"line 0 hole 15 16", "broken sequence_gap 15 16", "request"}));
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
  EXPECT_EQ(machine.delta(usdm(17, 18, 20)), (Words{"line 0 hole 15 17", "broken sequence_gap 15 17"}));
  EXPECT_EQ(machine.sync.state(), SyncState::waiting_snapshot);
  EXPECT_EQ(machine.snap(13), Words{}) << "joins only what lies before the gap";
  EXPECT_FALSE(machine.sync.is_synced());
  EXPECT_EQ(machine.snap(19), (Words{"snapshot 19", "delta 20"}));
}

TEST(DepthSync, a_delta_without_its_predecessor_follows_nothing_on_usdm) {
  Machine machine{Product::usdm};
  (void)machine.delta(usdm(10, 11, 15));
  (void)machine.snap(12);
  EXPECT_EQ(machine.delta(spot(16, 20)), (Words{"line 0 hole 15 0", "broken sequence_gap 15 0", "request"}));
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

/// Synced at 100 by line 0; line 1 is up as well and cuts the same changes elsewhere (its last id is 95).
Machine two_lines(DepthSyncOptions options = {}) {
  Machine machine{Product::usdm, options};
  machine.sync.line_up(0);
  machine.sync.line_up(1);
  (void)machine.on(0, usdm(80, 81, 90));
  (void)machine.on(1, usdm(85, 86, 95));
  (void)machine.snap(88);
  (void)machine.on(0, usdm(90, 91, 100));
  EXPECT_EQ(machine.sync.last_id(), 100);
  return machine;
}

TEST(DepthSyncLines, differently_cut_lines_merge_by_id_range) {
  Machine machine = two_lines();
  EXPECT_EQ(machine.on(1, usdm(95, 96, 105)), Words{"delta 105"}) << "begins before the head, ends beyond it";
  EXPECT_EQ(machine.on(0, usdm(100, 101, 104)), Words{}) << "covered";
  EXPECT_EQ(machine.on(0, usdm(104, 105, 110)), Words{"delta 110"});
  EXPECT_EQ(machine.on(1, usdm(105, 106, 110)), Words{}) << "covered";
  EXPECT_EQ(machine.sync.stats(0).covered, 1U);
  EXPECT_EQ(machine.sync.stats(1).covered, 1U);
  EXPECT_EQ(machine.sync.stats(0).accepted, 3U);
  EXPECT_EQ(machine.sync.stats(1).accepted, 2U);
  EXPECT_EQ(machine.sync.stats(0).holes + machine.sync.stats(1).holes, 0U);
  EXPECT_FALSE(machine.sync.next_deadline());
}

TEST(DepthSyncLines, an_accepted_delta_names_its_line) {
  Machine machine = two_lines();
  SyncActions out;
  Delta delta = usdm(95, 96, 105);
  machine.sync.on_delta(*delta, 1, at_ms(0), out);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(std::get<ApplyDelta>(out[0]).line, 1);
}

TEST(DepthSyncLines, frames_lost_on_one_line_and_covered_by_the_other_are_told_and_break_nothing) {
  Machine machine = two_lines();
  (void)machine.on(1, usdm(95, 96, 120));
  EXPECT_EQ(machine.on(0, usdm(110, 111, 130)), (Words{"line 0 hole 100 110", "delta 130"}));
  EXPECT_EQ(machine.sync.stats(0).holes, 1U);
  EXPECT_TRUE(machine.sync.is_synced());
  EXPECT_EQ(machine.sync.stats().gaps, 0U);
}

TEST(DepthSyncLines, a_delta_ahead_of_a_hole_waits_for_the_other_line_and_follows_in_order) {
  Machine machine = two_lines();
  EXPECT_EQ(machine.on(0, usdm(110, 111, 120), 1'000), Words{"line 0 hole 100 110"});
  EXPECT_EQ(machine.on(0, usdm(120, 121, 130), 1'050), Words{});
  EXPECT_TRUE(machine.sync.is_holding());
  EXPECT_EQ(machine.sync.last_id(), 100) << "the book is true, but behind";
  EXPECT_EQ(machine.sync.next_deadline(), at_ms(1'150));
  EXPECT_EQ(machine.expire(1'149), Words{});
  EXPECT_EQ(machine.on(1, usdm(95, 96, 112), 1'149), (Words{"delta 112", "delta 120", "delta 130"}));
  EXPECT_FALSE(machine.sync.is_holding());
  EXPECT_FALSE(machine.sync.next_deadline());
  EXPECT_EQ(machine.sync.stats().holes_closed, 1U);
  EXPECT_EQ(machine.sync.stats().gaps, 0U);
}

TEST(DepthSyncLines, what_closes_a_hole_may_cover_what_was_held) {
  Machine machine = two_lines();
  (void)machine.on(0, usdm(110, 111, 120));
  EXPECT_EQ(machine.on(1, usdm(95, 96, 125)), Words{"delta 125"});
  EXPECT_FALSE(machine.sync.is_holding());
  EXPECT_EQ(machine.sync.stats(0).covered, 1U);
}

TEST(DepthSyncLines, a_hole_may_be_closed_step_by_step) {
  Machine machine = two_lines();
  (void)machine.on(0, usdm(110, 111, 120), 0);
  (void)machine.on(0, usdm(130, 131, 140), 50);
  EXPECT_EQ(machine.on(1, usdm(95, 96, 105), 60), Words{"delta 105"});
  EXPECT_EQ(machine.on(1, usdm(105, 106, 115), 70), (Words{"delta 115", "delta 120"}));
  EXPECT_EQ(machine.sync.next_deadline(), at_ms(200)) << "the second hole is as old as what came beyond it";
  EXPECT_EQ(machine.on(1, usdm(115, 116, 135), 190), (Words{"delta 135", "delta 140"}));
}

TEST(DepthSyncLines, a_hole_nobody_closes_in_time_is_a_gap_and_the_next_book_begins_beyond_it) {
  Machine machine = two_lines();
  (void)machine.on(0, usdm(110, 111, 120), 0);
  (void)machine.on(0, usdm(120, 121, 130), 100);
  EXPECT_EQ(machine.expire(150), (Words{"broken sequence_gap 100 110", "request"}));
  EXPECT_EQ(machine.sync.state(), SyncState::waiting_snapshot);
  EXPECT_FALSE(machine.sync.is_holding());
  EXPECT_EQ(machine.on(1, usdm(95, 96, 115), 160), Words{}) << "too late, and harmless";
  EXPECT_EQ(machine.snap(112, 200), (Words{"snapshot 112", "delta 120", "delta 130"}));
  EXPECT_EQ(machine.sync.stats().gaps, 1U);
}

TEST(DepthSyncLines, the_wait_is_over_for_all_that_is_held_and_not_for_what_came_later) {
  Machine machine = two_lines();
  (void)machine.on(0, usdm(110, 111, 120), 0);
  (void)machine.on(0, usdm(130, 131, 140), 100);
  EXPECT_EQ(machine.expire(150), (Words{"broken sequence_gap 100 110", "request"}));
  EXPECT_TRUE(machine.sync.is_holding());
  EXPECT_EQ(machine.sync.next_deadline(), at_ms(250));
  EXPECT_EQ(machine.on(1, usdm(115, 116, 130), 200), (Words{"line 1 hole 95 115"}));
  EXPECT_EQ(machine.snap(118, 210), (Words{"snapshot 118", "delta 120", "delta 130", "delta 140"}));
}

TEST(DepthSyncLines, a_full_store_is_a_gap_at_once) {
  Machine by_count = two_lines({.held_max = 2});
  (void)by_count.on(0, usdm(110, 111, 120));
  (void)by_count.on(0, usdm(120, 121, 130));
  EXPECT_EQ(by_count.on(0, usdm(130, 131, 140)), (Words{"broken sequence_gap 100 110", "request"}));
  EXPECT_EQ(by_count.snap(112), (Words{"snapshot 112", "delta 120", "delta 130", "delta 140"}));
  EXPECT_EQ(by_count.sync.stats().holds_refused, 1U);
  EXPECT_EQ(by_count.sync.stats().held_high_water, 2U);

  Machine by_levels = two_lines({.held_levels_max = 1});
  (void)by_levels.on(0, usdm(110, 111, 120));
  EXPECT_EQ(by_levels.on(0, usdm(120, 121, 130)), (Words{"broken sequence_gap 100 110", "request"}));
  EXPECT_EQ(by_levels.snap(112), (Words{"snapshot 112", "delta 120", "delta 130"}));

  Machine larger_than_the_store = two_lines({.held_levels_max = 0});
  EXPECT_EQ(larger_than_the_store.on(0, usdm(110, 111, 120)),
            (Words{"line 0 hole 100 110", "broken sequence_gap 100 110", "request"}));
}

TEST(DepthSyncLines, room_in_the_store_comes_back) {
  Machine machine = two_lines({.held_levels_max = 2});
  std::int64_t id = 100;
  for (int i = 0; i < 50; ++i, id += 40) {
    // Of two that are held the second stays a while longer, so that the store is compacted around it.
    (void)machine.on(0, usdm(id + 10, id + 11, id + 20));
    (void)machine.on(0, usdm(id + 30, id + 31, id + 40));
    ASSERT_EQ(machine.on(1, usdm(id - 5, id - 4, id + 15)),
              (Words{"delta " + std::to_string(id + 15), "delta " + std::to_string(id + 20)}));
    ASSERT_EQ(machine.on(1, usdm(id + 15, id + 16, id + 35)),
              (Words{"delta " + std::to_string(id + 35), "delta " + std::to_string(id + 40)}));
  }
  EXPECT_EQ(machine.sync.stats().held_levels_high_water, 2U);
  EXPECT_EQ(machine.sync.stats().gaps, 0U);
}

TEST(DepthSyncLines, nobody_waits_for_a_line_that_is_beyond_the_hole_itself) {
  Machine machine = two_lines();
  EXPECT_EQ(machine.on(0, usdm(110, 111, 120)), Words{"line 0 hole 100 110"});
  EXPECT_EQ(machine.on(1, usdm(112, 113, 118)),
            (Words{"line 1 hole 95 112", "broken sequence_gap 100 110", "request"}))
      << "both lines lost what follows 100";
}

TEST(DepthSyncLines, nobody_waits_for_a_line_that_is_down) {
  Machine before = two_lines();
  EXPECT_EQ(before.down(1), Words{});
  EXPECT_EQ(before.on(0, usdm(110, 111, 120)),
            (Words{"line 0 hole 100 110", "broken sequence_gap 100 110", "request"}));

  Machine meanwhile = two_lines();
  (void)meanwhile.on(0, usdm(110, 111, 120));
  EXPECT_EQ(meanwhile.down(1), (Words{"broken sequence_gap 100 110", "request"}));
  EXPECT_EQ(meanwhile.snap(112), (Words{"snapshot 112", "delta 120"}));
}

TEST(DepthSyncLines, h05_a_line_that_goes_leaves_what_it_brought_to_the_other) {
  Machine machine = two_lines();
  (void)machine.on(0, usdm(110, 111, 120));
  EXPECT_EQ(machine.down(0), Words{}) << "line 1 can still close the hole";
  EXPECT_EQ(machine.on(1, usdm(95, 96, 110)), (Words{"delta 110", "delta 120"}));
}

TEST(DepthSyncLines, a_line_that_comes_up_joins_in_the_middle) {
  Machine machine{Product::usdm};
  (void)machine.delta(usdm(90, 91, 100));
  (void)machine.snap(95);
  machine.sync.line_up(1);
  EXPECT_EQ(machine.on(1, usdm(104, 105, 110)), Words{}) << "it is ahead of the older line";
  EXPECT_EQ(machine.on(0, usdm(100, 101, 106)), (Words{"delta 106", "delta 110"}));
  EXPECT_EQ(machine.down(0), Words{});
  EXPECT_EQ(machine.on(1, usdm(110, 111, 120)), Words{"delta 120"});
  machine.sync.line_up(0);
  EXPECT_EQ(machine.on(0, usdm(118, 119, 125)), Words{"delta 125"}) << "a new connection is a new chain";
  machine.sync.line_up(1);
  EXPECT_EQ(machine.on(1, usdm(124, 125, 130)), Words{"delta 130"})
      << "whether or not the old one was seen to go";
  EXPECT_EQ(machine.sync.stats(0).holes + machine.sync.stats(1).holes, 0U);
}

TEST(DepthSyncLines, another_depth_speed_is_a_line_with_a_chain_of_its_own) {
  Machine machine{Product::usdm};
  (void)machine.on(0, usdm(90, 91, 100));
  (void)machine.snap(95);
  machine.sync.line_up(2);
  EXPECT_EQ(machine.on(2, usdm(60, 61, 98)), Words{});
  EXPECT_EQ(machine.on(0, usdm(100, 101, 110)), Words{"delta 110"});
  EXPECT_EQ(machine.on(2, usdm(98, 99, 130)), Words{"delta 130"});
  EXPECT_EQ(machine.down(0), Words{}) << "the old speed goes once the new one delivers";
  EXPECT_EQ(machine.on(2, usdm(130, 131, 160)), Words{"delta 160"});
}

TEST(DepthSyncLines, the_merged_chain_is_buffered_while_the_snapshot_is_awaited) {
  Machine machine{Product::usdm};
  machine.sync.line_up(0);
  machine.sync.line_up(1);
  EXPECT_EQ(machine.on(0, usdm(90, 91, 100)), Words{"request"});
  EXPECT_EQ(machine.on(1, usdm(85, 86, 95)), Words{});
  EXPECT_EQ(machine.on(0, usdm(110, 111, 120)), Words{"line 0 hole 100 110"});
  EXPECT_EQ(machine.on(1, usdm(95, 96, 112)), Words{});
  EXPECT_EQ(machine.snap(98), (Words{"snapshot 98", "delta 100", "delta 112", "delta 120"}));
}

TEST(DepthSyncLines, a_snapshot_joins_while_a_hole_waits) {
  Machine machine{Product::usdm};
  machine.sync.line_up(0);
  machine.sync.line_up(1);
  (void)machine.on(0, usdm(90, 91, 100));
  (void)machine.on(0, usdm(110, 111, 120));
  EXPECT_EQ(machine.snap(95), (Words{"snapshot 95", "delta 100"}));
  EXPECT_TRUE(machine.sync.is_holding());
  EXPECT_EQ(machine.on(1, usdm(95, 96, 112)), (Words{"delta 112", "delta 120"}));
}

TEST(DepthSyncLines, a_kept_snapshot_may_join_right_after_a_break) {
  Machine machine{Product::usdm};
  machine.sync.line_up(0);
  machine.sync.line_up(1);
  (void)machine.on(0, usdm(90, 91, 100));
  EXPECT_EQ(machine.snap(115), Words{}) << "ahead of both lines";
  (void)machine.on(0, usdm(110, 111, 120), 0);
  EXPECT_EQ(machine.expire(150), (Words{"broken sequence_gap 100 110", "snapshot 115", "delta 120"}));
  EXPECT_EQ(machine.sync.last_id(), 120);
}

TEST(DepthSyncLines, the_last_line_to_go_is_a_disconnect) {
  Machine machine = two_lines();
  (void)machine.on(0, usdm(110, 111, 120));
  EXPECT_EQ(machine.down(0), Words{});
  EXPECT_EQ(machine.down(1), Words{"broken disconnected 0 0"});
  EXPECT_EQ(machine.down(1), Words{});
  EXPECT_FALSE(machine.sync.next_deadline());
  EXPECT_FALSE(machine.sync.is_holding());
  EXPECT_EQ(machine.on(0, usdm(190, 191, 200)), Words{"request"}) << "begins anew, no hole";
}

TEST(DepthSyncLines, spot_lines_merge_alike) {
  Machine machine{Product::spot};
  machine.sync.line_up(0);
  machine.sync.line_up(1);
  (void)machine.on(0, spot(91, 100));
  (void)machine.on(1, spot(86, 95));
  EXPECT_EQ(machine.snap(92), (Words{"snapshot 92", "delta 100"}));
  EXPECT_EQ(machine.on(1, spot(96, 105)), Words{"delta 105"});
  EXPECT_EQ(machine.on(0, spot(111, 120), 10), Words{"line 0 hole 101 111"});
  EXPECT_EQ(machine.on(1, spot(106, 110), 20), (Words{"delta 110", "delta 120"}));
  EXPECT_EQ(machine.on(0, spot(122, 130), 30), Words{"line 0 hole 121 122"});
  EXPECT_EQ(machine.expire(180), (Words{"broken sequence_gap 121 122", "request"}));
}

TEST(DepthSyncLines, nothing_is_allocated_while_a_hole_waits_and_closes) {
  Machine machine = two_lines();
  SyncActions out;
  out.reserve(64);
  std::vector<Delta> deltas;
  for (std::int64_t id = 110; id < 260; id += 10) deltas.push_back(usdm(id, id + 1, id + 10));
  Delta closing = usdm(95, 96, 115);
  const std::uint64_t before = base::allocations.load();
  for (Delta& delta : deltas) machine.sync.on_delta(*delta, 0, at_ms(0), out);
  machine.sync.on_delta(*closing, 1, at_ms(1), out);
  EXPECT_EQ(base::allocations.load(), before);
  EXPECT_EQ(out.size(), 17U);
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

/// The truth of the venue: a small book, and what it was after each change.
struct Oracle {
  static constexpr std::size_t prices = 12;  ///< the lower half are bids
  using Quantities = std::array<std::int64_t, prices>;
  Product product = Product::usdm;
  std::int64_t id = 1'000;
  Quantities now{};
  std::map<std::int64_t, Quantities> at{{1'000, {}}};
  std::vector<std::pair<std::int64_t, std::size_t>> changes;  ///< id, price

  void change(base::Rng& rng) {
    id += product == Product::spot ? 1 : rng.between(1, 9);
    const std::size_t price = rng.below(prices);
    now[price] = rng.between(0, 5);
    at[id] = now;
    changes.emplace_back(id, price);
  }
};

/// A delta that owns its levels.
struct OwnedDelta {
  model::DepthDelta value;
  std::vector<Level> bids, asks;
  const model::DepthDelta& operator*() {
    value.bids = bids;
    value.asks = asks;
    return value;
  }
};

/// One connection: cuts the oracle's changes into deltas at its own pace and delivers them in order.
struct Connection {
  std::size_t line = 0;
  std::int64_t interval_ms = 100, next_cut_ms = 0, delay_ms = 0;
  bool up = false;
  std::int64_t last_id = 0;  ///< of the last delta cut
  std::size_t next_change = 0;
  std::int64_t mute_until_ms = 0, last_arrival_ms = 0;
  std::deque<std::pair<std::int64_t, OwnedDelta>> on_its_way;

  void connect(const Oracle& oracle, std::int64_t ms, base::Rng& rng) {
    up = true;
    last_id = oracle.id;
    next_change = oracle.changes.size();
    next_cut_ms = ms + rng.between(1, interval_ms);
    on_its_way.clear();
  }
  /// Cuts what changed since the last delta, if anything did.
  std::optional<OwnedDelta> cut(const Oracle& oracle, std::int64_t ms) {
    if (!up || ms < next_cut_ms) return std::nullopt;
    next_cut_ms += interval_ms;
    if (next_change == oracle.changes.size()) return std::nullopt;
    OwnedDelta delta;
    delta.value.symbol = symbol;
    delta.value.first_id = oracle.product == Product::spot ? last_id + 1 : oracle.changes[next_change].first;
    if (oracle.product == Product::usdm) delta.value.prev_id = last_id;
    std::array<bool, Oracle::prices> changed{};
    for (; next_change < oracle.changes.size(); ++next_change)
      changed[oracle.changes[next_change].second] = true;
    for (std::size_t price = 0; price < Oracle::prices; ++price) {
      if (!changed[price]) continue;
      auto& side = price < Oracle::prices / 2 ? delta.bids : delta.asks;
      side.push_back({Price::from_raw(static_cast<std::int64_t>(price)), Qty::from_raw(oracle.now[price])});
    }
    last_id = delta.value.last_id = oracle.id;
    return delta;
  }
};

/// A consumer's book, built from nothing but the actions.
struct BookOfActions {
  bool synced = false;
  std::int64_t id = 0;
  Oracle::Quantities quantities{};
  std::uint64_t broken = 0;

  void take(const SyncActions& actions) {
    const auto set = [this](std::span<const Level> levels) {
      for (const Level& level : levels) {
        quantities[static_cast<std::size_t>(level.price.raw())] = level.qty.raw();
      }
    };
    for (const SyncAction& action : actions) {
      if (const auto* apply = std::get_if<ApplySnapshot>(&action)) {
        quantities = {};
        set(apply->snapshot.bids);
        set(apply->snapshot.asks);
        id = apply->snapshot.last_id;
        synced = true;
      } else if (const auto* change = std::get_if<ApplyDelta>(&action)) {
        set(change->delta.bids);
        set(change->delta.asks);
        id = change->delta.last_id;
      } else if (std::holds_alternative<Broken>(action)) {
        synced = false;
        ++broken;
      }
    }
  }
};

enum class Faulty { none, one, both };

struct LinesRun {
  std::uint64_t broken = 0, line_holes = 0, closed = 0, covered = 0, syncs = 0;
  bool synced_at_end = false;
  std::int64_t head = 0, newest = 0;
};

/// Twelve seconds of one symbol on two connections, the last two without faults. A new connection comes on
/// the slot that is free.
LinesRun run_lines(std::uint64_t seed, Faulty faulty) {
  base::Rng rng{seed};
  Oracle oracle;
  oracle.product = rng.below(3) == 0 ? Product::spot : Product::usdm;
  constexpr std::int64_t interval_max = 250, delay_max = 60, jitter_max = 20;
  DepthSyncOptions options;
  // What one line lost the other brings within its interval, later by the difference of their delays.
  options.hole_wait = base::milliseconds{interval_max + delay_max + jitter_max};
  options.held_max = 64;
  DepthSync sync{symbol, oracle.product, options};
  BookOfActions book;
  SyncActions out;
  LinesRun run;
  std::array<Connection, 2> connections;
  const auto pace = [&](Connection& c) {
    c.interval_ms = rng.below(2) == 0 ? 100 : rng.between(40, interval_max);
    c.delay_ms = rng.between(0, delay_max);
  };
  for (std::size_t i = 0; i < 2; ++i) {
    connections[i].line = i;
    pace(connections[i]);
    connections[i].connect(oracle, 0, rng);
    sync.line_up(i);
  }
  const std::size_t first_faulty = rng.below(2);
  const std::uint64_t loss = rng.below(3) == 0 ? 300'000 : 50'000;
  std::deque<std::pair<std::int64_t, std::optional<std::pair<std::int64_t, Oracle::Quantities>>>> answers;
  std::int64_t ms = 0;
  const auto drain = [&] {
    for (const SyncAction& action : out) {
      if (std::holds_alternative<RequestSnapshot>(action)) {
        const std::int64_t due = ms + rng.between(5, 400);
        if (rng.below(5) == 0) {
          answers.emplace_back(due, std::nullopt);
        } else {
          answers.emplace_back(due, std::pair{oracle.id, oracle.now});
        }
      }
    }
    book.take(out);
    out.clear();
    ASSERT_EQ(sync.is_synced(), book.synced);
    if (!book.synced) return;
    ASSERT_EQ(sync.last_id(), book.id);
    ASSERT_EQ(book.quantities, oracle.at.at(book.id)) << "at id " << book.id;
  };
  constexpr std::int64_t quiet_from = 10'000, end = 12'000;
  for (; ms < end && !testing::Test::HasFatalFailure(); ++ms) {
    const bool calm = ms >= quiet_from;
    const bool burst = (ms / 1'000) % 3 != 2;
    if (ms < end - 700 && rng.chance_per_million(burst ? 300'000 : 5'000)) oracle.change(rng);
    for (std::size_t i = 0; i < 2; ++i) {
      Connection& c = connections[i];
      const bool may_fail = !calm && (faulty == Faulty::both || (faulty == Faulty::one && i == first_faulty));
      if (may_fail && c.up && rng.chance_per_million(300)) {
        c.up = false;
        c.on_its_way.clear();
        sync.line_down(c.line, at_ms(ms), out);
        drain();
      } else if (!c.up && (calm || rng.chance_per_million(3'000))) {
        if (rng.below(2) == 0) pace(c);
        c.line = 3 - c.line - connections[1 - i].line;  // the slot that is free
        c.connect(oracle, ms, rng);
        sync.line_up(c.line);
      }
      if (may_fail && rng.chance_per_million(500)) c.mute_until_ms = ms + rng.between(100, 1'500);
      if (auto delta = c.cut(oracle, ms)) {
        const bool lost = may_fail && (ms < c.mute_until_ms || rng.chance_per_million(loss));
        if (!lost) {
          c.last_arrival_ms = std::max(c.last_arrival_ms, ms + c.delay_ms + rng.between(0, jitter_max));
          c.on_its_way.emplace_back(c.last_arrival_ms, std::move(*delta));
        }
      }
    }
    while (!answers.empty() && answers.front().first <= ms) {
      const auto answer = std::move(answers.front().second);
      answers.pop_front();
      if (!answer) {
        sync.on_snapshot_failed(at_ms(ms));
        continue;
      }
      std::vector<Level> bids, asks;
      for (std::size_t price = 0; price < Oracle::prices; ++price) {
        (price < Oracle::prices / 2 ? bids : asks)
            .push_back(
                {Price::from_raw(static_cast<std::int64_t>(price)), Qty::from_raw(answer->second[price])});
      }
      model::DepthSnapshot snapshot;
      snapshot.symbol = symbol;
      snapshot.last_id = answer->first;
      snapshot.bids = bids;
      snapshot.asks = asks;
      sync.on_snapshot(snapshot, at_ms(ms), out);
      drain();
    }
    for (Connection& c : connections) {
      while (!c.on_its_way.empty() && c.on_its_way.front().first <= ms) {
        sync.on_delta(*c.on_its_way.front().second, c.line, at_ms(ms), out);
        drain();
        c.on_its_way.pop_front();
      }
    }
    if (const auto due = sync.next_deadline(); due && *due <= at_ms(ms)) {
      sync.expire(at_ms(ms), out);
      drain();
      const auto next = sync.next_deadline();
      EXPECT_TRUE(!next || *next > at_ms(ms)) << "a deadline that was served is over";
    }
  }
  run.broken = book.broken;
  run.closed = sync.stats().holes_closed;
  run.syncs = sync.stats().syncs;
  for (std::size_t line = 0; line < DepthSync::lines_max; ++line) {
    run.line_holes += sync.stats(line).holes;
    run.covered += sync.stats(line).covered;
  }
  run.synced_at_end = sync.is_synced();
  run.head = sync.last_id().value_or(0);
  run.newest = oracle.id;
  return run;
}

TEST(DepthSyncLinesProperty, with_at_most_one_faulty_line_the_book_is_true_and_never_breaks) {
  std::uint64_t line_holes = 0, closed = 0, covered = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const LinesRun run = run_lines(seed, seed % 10 == 0 ? Faulty::none : Faulty::one);
    ASSERT_EQ(run.broken, 0U);
    ASSERT_EQ(run.syncs, 1U);
    ASSERT_EQ(run.head, run.newest) << "nothing is left behind";
    if (seed % 10 == 0) {
      ASSERT_EQ(run.line_holes, 0U) << "nothing was lost on either line";
    }
    line_holes += run.line_holes;
    closed += run.closed;
    covered += run.covered;
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(line_holes, 300U);
  EXPECT_GT(closed, 50U);
  EXPECT_GT(covered, 1'000U);
}

TEST(DepthSyncLinesProperty, with_both_lines_faulty_the_book_breaks_and_is_never_wrong) {
  std::uint64_t broken = 0, closed = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const LinesRun run = run_lines(seed, Faulty::both);
    if (run.synced_at_end) {
      ASSERT_EQ(run.head, run.newest);
    }
    broken += run.broken;
    closed += run.closed;
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(broken, 100U);
  EXPECT_GT(closed, 50U);
}

}  // namespace
}  // namespace phoenix::feed
