#pragma once

#include "base/time.hpp"
#include "model/instrument.hpp"
#include "model/market.hpp"
#include "venue/book_sync.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace phoenix::feed {

/// Where a book stands.
enum class SyncState : std::uint8_t {
  unsynced,          ///< nothing buffered; the next delta starts a synchronisation
  waiting_snapshot,  ///< deltas are buffered; a snapshot is asked for, due, or waits for the delta that joins
                     ///< it
  synced,            ///< a snapshot and an unbroken chain of deltas were handed out
};

enum class BreakReason : std::uint8_t {
  sequence_gap,     ///< a delta does not follow the one before it
  buffer_overflow,  ///< no snapshot joined before the buffer was full
  crossed_book,     ///< the consumer found bid >= ask after an event
  disconnected,     ///< the stream ended
};
std::string_view name(SyncState state);
std::string_view name(BreakReason reason);

/// Fetch a depth snapshot of `symbol`; answer with on_snapshot or on_snapshot_failed.
struct RequestSnapshot {
  model::SymbolId symbol;
};
/// Replace the book. The spans are valid until the next call of this DepthSync.
struct ApplySnapshot {
  model::DepthSnapshot snapshot;
};
/// Change the book. The spans are valid until the next call of this DepthSync, and no longer than the
/// caller's own.
struct ApplyDelta {
  model::DepthDelta delta;
  std::uint8_t line = 0;  ///< which connection it came on
};
/// One connection's own chain has a hole: frames were lost on it. Says nothing about the book: what the other
/// line covers costs nothing, what it does not is told as Broken. Ids as in Broken.
struct LineHole {
  model::SymbolId symbol;
  std::uint8_t line = 0;
  std::int64_t expected = 0, was = 0;
};
/// The book is no longer proved: quote nothing on it. Follows from what happened to the chain, also while it
/// was only being buffered. For a gap: the id that had to come and the one that came.
struct Broken {
  model::SymbolId symbol;
  BreakReason reason = BreakReason::sequence_gap;
  std::int64_t expected = 0, was = 0;
  SyncState state = SyncState::unsynced;  ///< where the book stood when it broke
};
using SyncAction = std::variant<RequestSnapshot, ApplySnapshot, ApplyDelta, Broken, LineHole>;
/// Caller-owned, carried out in order, drained and cleared by the caller: what follows a Broken in one call
/// belongs to the next book. One call appends at most events_max + 2 * held_max + 5 actions.
using SyncActions = std::vector<SyncAction>;

struct DepthSyncOptions {
  std::size_t events_max = 512;     ///< deltas buffered while waiting for a snapshot
  std::size_t levels_max = 16'384;  ///< levels in them together
  std::size_t snapshot_levels_max =
      5'000;  ///< a side; the venue's own limit. Levels beyond are cut off, counted
  base::Duration backoff_min = base::milliseconds{100};
  base::Duration backoff_max = base::seconds{10};
  base::Duration answer_timeout = base::seconds{5};
  base::Duration hole_wait = base::milliseconds{150};  ///< how long another line may take to close a hole
  std::size_t held_max = 16;                           ///< deltas kept ahead of a hole
  std::size_t held_levels_max = 4'096;                 ///< levels in them together
};

/// One connection's part in the merged chain.
struct LineStats {
  std::uint64_t accepted = 0;  ///< deltas that carried the chain on
  std::uint64_t covered = 0;   ///< deltas that ended at or before the head: another line was first
  std::uint64_t holes = 0;     ///< times its own chain had a hole
};

struct DepthSyncStats {
  std::uint64_t applied = 0;        ///< deltas handed out
  std::uint64_t duplicates = 0;     ///< ended at the head's own id: dropped; usual with two lines
  std::uint64_t stale = 0;          ///< ended before the head or the snapshot: dropped; usual with two lines
  std::uint64_t gaps = 0;           ///< holes that no line closed
  std::uint64_t holds = 0;          ///< deltas kept ahead of a hole
  std::uint64_t holes_closed = 0;   ///< holes another line closed
  std::uint64_t holds_refused = 0;  ///< deltas ahead of a hole that found the store full: a gap at once
  std::uint64_t overflows = 0;
  std::uint64_t crossed = 0;
  std::uint64_t syncs = 0;  ///< times the state became synced
  std::uint64_t snapshots_requested = 0;
  std::uint64_t snapshots_too_old = 0;  ///< began before the buffer did
  std::uint64_t snapshots_unused = 0;   ///< came while synced, or older than the one at hand
  std::uint64_t snapshot_levels_cut = 0;
  std::size_t events_high_water = 0, levels_high_water = 0;
  std::size_t held_high_water = 0, held_levels_high_water = 0;
};

/// Keeps one symbol's depth stream joined to a snapshot, by the rules of venue/book_sync.hpp. The stream may
/// come on up to three lines (connections), each a chain of its own that cuts the same changes in its own
/// way; they merge into one chain by id range, never by equal ids.
///
///   unsynced          --delta-->                             waiting_snapshot  (asks for a snapshot)
///   unsynced          --snapshot-->                          waiting_snapshot  (keeps it for the next delta)
///   waiting_snapshot  --snapshot and delta that join-->      synced            (ApplySnapshot,
///   ApplyDelta...) waiting_snapshot  --snapshot older than the buffer-->    waiting_snapshot  (asks again
///   after a backoff) waiting_snapshot  --snapshot newer than the buffer-->    waiting_snapshot  (keeps it
///   for the next delta) waiting_snapshot  --gap-->                               waiting_snapshot  (Broken;
///   the buffer begins anew) waiting_snapshot  --buffer full-->                       waiting_snapshot
///   (Broken; the buffer begins anew) synced            --gap--> waiting_snapshot  (Broken; buffers from
///   there on) synced            --crossed book-->                      unsynced          (Broken) any --last
///   line down-->                    unsynced          (Broken unless already unsynced)
///
/// A delta that ends beyond the head and begins at or before it is taken: quantities are absolute, so an
/// overlap is harmless. One that ends at or before the head is dropped. One that begins beyond the head is
/// ahead of a hole: it is held while another line, up and not yet past the head, may close the hole, for
/// `hole_wait` at most and while the store has room. Then what was held follows at once, in order of ids. A
/// hole that nobody can close any more, or not in time, is the gap above.
///
/// Snapshots are asked for with a backoff that doubles, and five at once and then one every ten seconds. No
/// I/O, no clock, no allocation after construction apart from the caller's `out`. One thread.
class DepthSync {
 public:
  /// Five requests may follow each other by the backoff alone; then, within a minute, one every ten seconds.
  static constexpr std::size_t requests_burst = 5;
  static constexpr std::size_t lines_max = 3;  ///< two, and the one that is about to replace one of them

  DepthSync(model::SymbolId symbol, model::Product product, DepthSyncOptions options = {});

  /// A new connection, or a new depth speed: a chain of its own begins on `line` (below lines_max). A delta
  /// brings its line up as well.
  void line_up(std::size_t line);
  /// The last line to go is a disconnect.
  void line_down(std::size_t line, base::LocalTime now, SyncActions& out);

  void on_delta(const model::DepthDelta& delta, std::size_t line, base::LocalTime now, SyncActions& out);
  /// For those with one line.
  void on_delta(const model::DepthDelta& delta, base::LocalTime now, SyncActions& out) {
    on_delta(delta, 0, now, out);
  }
  void on_snapshot(const model::DepthSnapshot& snapshot, base::LocalTime now, SyncActions& out);
  /// The snapshot asked for will not come: asks again after the backoff.
  void on_snapshot_failed(base::LocalTime now);
  /// The consumer's book is crossed after an event. What is left of the actions of that call is void.
  void on_crossed(SyncActions& out);
  /// All lines are gone.
  void on_disconnected(SyncActions& out);

  /// Fires whatever is due. Calling it early or twice is harmless.
  void expire(base::LocalTime now, SyncActions& out);
  /// When `expire` is next wanted; empty while nothing is pending.
  std::optional<base::LocalTime> next_deadline() const;

  SyncState state() const { return state_; }
  bool is_synced() const { return state_ == SyncState::synced; }
  /// Deltas wait for another line to close a hole: the book is true, but behind by up to `hole_wait`.
  bool is_holding() const { return !held_.events().empty(); }
  /// Last id handed out; empty unless synced.
  std::optional<std::int64_t> last_id() const { return is_synced() ? head_ : std::nullopt; }
  /// Last id seen on `line` since it came up.
  std::optional<std::int64_t> last_id(std::size_t line) const { return lines_.at(line).last_id; }
  bool is_up(std::size_t line) const { return lines_.at(line).up; }
  const DepthSyncStats& stats() const { return stats_; }
  const LineStats& stats(std::size_t line) const { return lines_.at(line).stats; }

 private:
  /// A delta whose levels lie in its store at [first_level, + bids + asks).
  struct Stored {
    model::DepthDelta delta;  ///< spans empty
    std::uint8_t line = 0;
    std::size_t first_level = 0, bid_count = 0, ask_count = 0;
    base::LocalTime since{};  ///< when it came
  };
  /// Deltas and their levels in order of arrival, within a bound. What is erased leaves its levels in place
  /// until `compact`, for those who still look at them.
  class Store {
   public:
    Store(std::size_t events_max, std::size_t levels_max);
    bool has_room_for(const model::DepthDelta& delta) const;
    void push(const model::DepthDelta& delta, std::uint8_t line, base::LocalTime now);
    model::DepthDelta view(const Stored& event) const;
    void erase(std::size_t index);
    void compact();
    void clear();
    const std::vector<Stored>& events() const { return events_; }
    std::size_t level_count() const { return levels_.size(); }

   private:
    std::size_t events_max_, levels_max_;
    std::vector<Stored> events_;
    std::vector<model::Level> levels_;
  };
  struct Line {
    bool up = false;
    std::optional<std::int64_t> last_id;
    LineStats stats;
  };

  void begin_call();
  void check_line(const model::DepthDelta& delta, std::uint8_t line, SyncActions& out);
  venue::Follow place(const model::DepthDelta& delta) const;
  void take(const model::DepthDelta& delta, std::uint8_t line, base::LocalTime now, SyncActions& out);
  void accept(const model::DepthDelta& delta, std::uint8_t line, base::LocalTime now, SyncActions& out);
  void cover(const model::DepthDelta& delta, std::uint8_t line);
  void hold(const model::DepthDelta& delta, std::uint8_t line, base::LocalTime now);
  bool is_closable() const;
  void release_held(base::LocalTime now, SyncActions& out);
  void give_up_hole(const model::DepthDelta& beyond, base::LocalTime now, SyncActions& out);
  void settle(base::LocalTime now, SyncActions& out);
  const Stored& first_held() const;
  std::optional<base::LocalTime> hold_due() const;
  void buffer(const model::DepthDelta& delta, std::uint8_t line, base::LocalTime now, SyncActions& out);
  void expire_request(base::LocalTime now, SyncActions& out);
  void proceed(base::LocalTime now, SyncActions& out);
  void try_join(base::LocalTime now, SyncActions& out);
  void become_synced(std::size_t first_event, SyncActions& out);
  void break_off(BreakReason reason, std::int64_t expected, std::int64_t was, SyncActions& out);
  void ask(base::LocalTime now, SyncActions& out);
  void ask_later(base::LocalTime now);
  void keep(const model::DepthSnapshot& snapshot);

  model::SymbolId symbol_;
  model::Product product_;
  DepthSyncOptions options_;
  SyncState state_ = SyncState::unsynced;
  std::optional<std::int64_t> head_;  ///< id of the last delta of the chain, buffered or handed out

  std::array<Line, lines_max> lines_;

  Store buffer_;  ///< waits for a snapshot
  Store held_;    ///< ahead of the hole after the head
  std::optional<model::DepthSnapshot>
      snapshot_;  ///< waits for the delta that joins it; spans into the two below
  std::vector<model::Level> snapshot_bids_, snapshot_asks_;

  bool awaiting_answer_ = false;
  std::optional<base::LocalTime>
      request_due_;  ///< the next request, or the end of the patience with the last one
  base::Duration backoff_{};
  std::array<std::optional<base::LocalTime>, requests_burst> request_times_{};
  std::size_t next_request_slot_ = 0;
  DepthSyncStats stats_;
};

}  // namespace phoenix::feed
