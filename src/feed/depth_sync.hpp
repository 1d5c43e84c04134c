#pragma once

#include "base/time.hpp"
#include "model/instrument.hpp"
#include "model/market.hpp"

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
};
/// The book is no longer proved: quote nothing on it. Follows from what happened to the chain, also while it
/// was only being buffered. For a gap: the id that had to come and the one that came.
struct Broken {
  model::SymbolId symbol;
  BreakReason reason = BreakReason::sequence_gap;
  std::int64_t expected = 0, was = 0;
  SyncState state = SyncState::unsynced;  ///< where the book stood when it broke
};
using SyncAction = std::variant<RequestSnapshot, ApplySnapshot, ApplyDelta, Broken>;
/// Caller-owned, drained and cleared by the caller. One call appends at most events_max + 3 actions.
using SyncActions = std::vector<SyncAction>;

struct DepthSyncOptions {
  std::size_t events_max = 512;     ///< deltas buffered while waiting for a snapshot
  std::size_t levels_max = 16'384;  ///< levels in them together
  std::size_t snapshot_levels_max =
      5'000;  ///< a side; the venue's own limit. Levels beyond are cut off, counted
  base::Duration backoff_min = base::milliseconds{100};
  base::Duration backoff_max = base::seconds{10};
  base::Duration answer_timeout = base::seconds{5};
};

struct DepthSyncStats {
  std::uint64_t applied = 0;     ///< deltas handed out
  std::uint64_t duplicates = 0;  ///< ended at the head's own id: dropped
  std::uint64_t stale = 0;       ///< ended before the head or the snapshot: dropped
  std::uint64_t gaps = 0;        ///< deltas that did not follow
  std::uint64_t overflows = 0;
  std::uint64_t crossed = 0;
  std::uint64_t syncs = 0;  ///< times the state became synced
  std::uint64_t snapshots_requested = 0;
  std::uint64_t snapshots_too_old = 0;  ///< began before the buffer did
  std::uint64_t snapshots_unused = 0;   ///< came while synced, or older than the one at hand
  std::uint64_t snapshot_levels_cut = 0;
  std::size_t events_high_water = 0, levels_high_water = 0;
};

/// Keeps one symbol's depth stream joined to a snapshot, by the rules of venue/book_sync.hpp.
///
///   unsynced          --delta-->                              waiting_snapshot   (asks for a snapshot)
///   unsynced          --snapshot-->                           waiting_snapshot   (keeps it for the next
///   delta) waiting_snapshot  --snapshot and delta that join-->       synced             (ApplySnapshot,
///   ApplyDelta...) waiting_snapshot  --snapshot older than the buffer-->     waiting_snapshot   (asks again
///   after a backoff) waiting_snapshot  --snapshot newer than the buffer-->     waiting_snapshot   (keeps it
///   for the next delta) waiting_snapshot  --gap-->                                waiting_snapshot (Broken;
///   the buffer begins anew) waiting_snapshot  --buffer full-->                        waiting_snapshot
///   (Broken; the buffer begins anew) synced            --gap--> waiting_snapshot   (Broken; that delta is
///   buffered) synced            --crossed book-->                       unsynced           (Broken) any
///   --disconnected-->                       unsynced           (Broken unless already unsynced)
///
/// Deltas that overlap what is known are applied, older ones dropped: quantities are absolute.
/// Snapshots are asked for with a backoff that doubles, and at most five times a minute. No I/O, no clock, no
/// allocation after construction apart from the caller's `out`. One thread.
class DepthSync {
 public:
  static constexpr std::size_t requests_per_minute_max = 5;

  DepthSync(model::SymbolId symbol, model::Product product, DepthSyncOptions options = {});

  void on_delta(const model::DepthDelta& delta, base::LocalTime now, SyncActions& out);
  void on_snapshot(const model::DepthSnapshot& snapshot, base::LocalTime now, SyncActions& out);
  /// The snapshot asked for will not come: asks again after the backoff.
  void on_snapshot_failed(base::LocalTime now);
  /// The consumer's book is crossed after an event. What is left of the actions of that call is void.
  void on_crossed(SyncActions& out);
  void on_disconnected(SyncActions& out);

  /// Fires whatever is due. Calling it early or twice is harmless.
  void expire(base::LocalTime now, SyncActions& out);
  /// When `expire` is next wanted; empty while nothing is pending.
  std::optional<base::LocalTime> next_deadline() const { return request_due_; }

  SyncState state() const { return state_; }
  bool is_synced() const { return state_ == SyncState::synced; }
  /// Last id handed out; empty unless synced.
  std::optional<std::int64_t> last_id() const { return is_synced() ? head_ : std::nullopt; }
  const DepthSyncStats& stats() const { return stats_; }

 private:
  /// A delta whose levels lie in levels_[first_level, + bids + asks).
  struct Buffered {
    model::DepthDelta delta;  ///< spans empty
    std::size_t first_level = 0, bid_count = 0, ask_count = 0;
  };

  /// Whether `delta` is new and follows the last one; breaks off and counts where it does not.
  bool follows(const model::DepthDelta& delta, SyncActions& out);
  void buffer(const model::DepthDelta& delta, SyncActions& out);
  void try_join(base::LocalTime now, SyncActions& out);
  void become_synced(std::size_t first_event, SyncActions& out);
  void break_off(BreakReason reason, std::int64_t expected, std::int64_t was, SyncActions& out);
  void ask(base::LocalTime now, SyncActions& out);
  void ask_later(base::LocalTime now);
  void clear_buffer();
  bool has_room_for(const model::DepthDelta& delta) const;
  model::DepthDelta view(const Buffered& event) const;
  void keep(const model::DepthSnapshot& snapshot);

  model::SymbolId symbol_;
  model::Product product_;
  DepthSyncOptions options_;
  SyncState state_ = SyncState::unsynced;
  std::optional<std::int64_t> head_;  ///< id of the last delta of the chain, buffered or handed out

  std::vector<Buffered> events_;
  std::vector<model::Level> levels_;
  std::optional<model::DepthSnapshot>
      snapshot_;  ///< waits for the delta that joins it; spans into the two below
  std::vector<model::Level> snapshot_bids_, snapshot_asks_;

  bool awaiting_answer_ = false;
  std::optional<base::LocalTime>
      request_due_;  ///< the next request, or the end of the patience with the last one
  base::Duration backoff_{};
  std::array<std::optional<base::LocalTime>, requests_per_minute_max> request_times_{};
  std::size_t next_request_slot_ = 0;
  DepthSyncStats stats_;
};

}  // namespace phoenix::feed
