#pragma once

#include "base/time.hpp"
#include "record/journal_format.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace phoenix::record {

struct JournalSettings {
  base::Duration sync_interval =
      base::milliseconds{200};                         ///< an appended record is synced no later than this
  std::size_t sync_bytes = 1U << 20;                   ///< or as soon as so much waits
  base::Duration rotate_interval = base::seconds{60};  ///< aligned to the clock; every hour's border besides
  std::uint64_t segment_bytes_max = 64U << 20;
  std::uint64_t reserve_bytes =
      16U << 20;  ///< kept free for a clean close; at least twice what one sync covers
  std::size_t batch_bytes_max = 4U << 20;             ///< un-synced bytes beyond which nothing more is taken
  base::Duration check_interval = base::seconds{10};  ///< of the path's identity
  base::Duration backoff_min = base::milliseconds{100};
  base::Duration backoff_max = base::seconds{5};
};

/// Where segments go: the recording's own directory, or the second one when that fails twice.
enum class Place : std::uint8_t { first, second };

// What the machine asks its shell to do, one at a time; each is answered by `done`.

/// Make the file of a new segment (it must not exist) in the journal directory of `place`.
struct CreateSegment {
  SegmentId id;
  Place place = Place::first;
};
/// Make the names in the current place's directory durable.
struct SyncDirectory {};
/// Write all of `bytes` at `offset` of the open segment. Repeating it is harmless. Valid until `done`.
struct WriteSegment {
  std::uint64_t offset = 0;
  std::string_view bytes;
};
struct SyncSegment {};
/// Close the open segment and give it its sealed name.
struct RenameSegment {
  SegmentId id;
};
/// The open segment failed: never sync it again. Cut it to its first `bytes` where the disk still takes that;
/// the file stays until RetireSegment or the next start.
struct AbandonSegment {
  SegmentId id;
  std::uint64_t bytes = 0;
};
/// Make a sealed segment in the current place of the first `bytes` of an abandoned one, durable and read back
/// before the original goes; with 0 bytes only remove it. A failure leaves it to the next start. The seal is
/// among the bytes where they are more than those of `tally`.
struct RetireSegment {
  SegmentId id;
  std::uint64_t bytes = 0;
  SegmentTally tally;
};
/// Allocate the reserve on the disk of `place`.
struct MakeReserve {
  Place place = Place::first;
};
/// Give its space back.
struct ReleaseReserve {
  Place place = Place::first;
};
/// Is the directory still the one we opened, the segment still under its name, and the file system writable?
struct CheckPath {};

using JournalOperation = std::variant<CreateSegment, SyncDirectory, WriteSegment, SyncSegment, RenameSegment,
                                      AbandonSegment, RetireSegment, MakeReserve, ReleaseReserve, CheckPath>;
std::string_view name(const JournalOperation& operation);

enum class JournalAlarm : std::uint8_t {
  segment_dead,  ///< a write, a sync or the path failed; what was not synced is written again elsewhere
  second_place,  ///< segments go to another place now
  disk_full,     ///< the reserve was released
  cannot_write,  ///< no place takes a segment; trying again while the ring holds
  records_lost,  ///< the ring was full
  works_again    ///< a segment was synced after a fault
};
std::string_view name(JournalAlarm alarm);
struct JournalNotice {
  JournalAlarm alarm = JournalAlarm::segment_dead;
  std::string text;
};

struct SealedSegment {
  SegmentId id;
  Place place = Place::first;
  SealReason reason = SealReason::clock;
  SegmentTally tally;
};

/// What the outside may see.
struct JournalState {
  std::uint64_t bytes_written = 0;
  std::uint64_t records = 0;  ///< taken
  std::uint64_t records_durable = 0;
  std::uint64_t syncs = 0;
  std::uint64_t segments_sealed = 0;
  std::uint64_t segments_dead = 0;
  std::array<std::uint64_t, numbered_origins> lost{};
  std::size_t waiting_bytes = 0;                 ///< taken, not durable
  std::optional<base::LocalTime> waiting_since;  ///< of the oldest of them: its age is the sync lag
  Place place = Place::first;
  SegmentId segment;
  std::string fault;  ///< what stands in the way now; empty when all is well
};

/// The journal's writer without its I/O: takes records, says what to write, sync, seal and when.
///
///     journal.append(...)*                       while has_room()
///     while (auto operation = journal.next(now, notices))
///       journal.done(perform(*operation), now, notices);
///     if (journal.all_durable()) the records' source may forget them
///     sleep until next_deadline() or until there are records
///
/// Policy. A record is durable once `sync_interval` passed or `sync_bytes` were taken. A segment is sealed at
/// each multiple of `rotate_interval`, at each hour, beyond `segment_bytes_max`, when asked and at the end,
/// whether it has records or not. A write or sync that fails ends its segment for good (a second sync may
/// succeed without having written anything): what was not synced is written again to a new one; the second
/// failure in a row goes to the second place where there is one; then attempts go on with backoff for ever. A
/// full disk releases the reserve, seals the segment with it, and goes on at the second place or once the
/// reserve can be made again.
class Journal {
 public:
  struct Start {
    SegmentId first_segment;
    std::string program;
    std::array<std::uint64_t, numbered_origins> expected{};  ///< the first numbers
    std::string loss_before;  ///< what an earlier run lost without a segment to say so; empty: nothing
    bool has_second_place = false;
  };
  Journal(JournalSettings settings, Start start, base::LocalTime now);

  /// Whether another record may be appended: the bound of what is kept un-synced.
  bool has_room() const { return pending_.size() < settings_.batch_bytes_max; }
  /// Appends one record. A sequence beyond the expected one puts a `lost` record before it; one below it was
  /// appended already and is left out.
  void append(std::uint64_t sequence, base::LocalTime now, std::uint8_t kind, std::string_view payload,
              std::vector<JournalNotice>& notices);
  /// The source of `origin` has given out all numbers below `next`: what is missing of them is lost.
  void expect(Origin origin, std::uint64_t next, base::LocalTime now, std::vector<JournalNotice>& notices);

  /// Seals the segment now.
  void roll() { roll_wanted_ = true; }
  /// Seals the segment and opens no other.
  void close(SealReason reason = SealReason::closed) {
    close_wanted_ = true;
    close_reason_ = reason;
  }
  /// After `close`: all is durable and sealed.
  bool is_closed() const { return closed_; }

  /// What is to be done now, if anything. Not before the one before was answered.
  std::optional<JournalOperation> next(base::LocalTime now, std::vector<JournalNotice>& notices);
  /// The answer to the operation `next` gave: 0 or an errno value.
  void done(int error, base::LocalTime now, std::vector<JournalNotice>& notices);
  std::optional<base::LocalTime> next_deadline() const;

  /// Every record appended so far is durable.
  bool all_durable() const { return pending_.empty(); }
  /// Segments sealed since the last call, for conversion.
  std::vector<SealedSegment> take_sealed();
  const JournalState& state() const { return state_; }

 private:
  struct OpenSegment {
    SegmentId id;
    SegmentTally written;
    SegmentTally synced;
    std::uint64_t bytes_synced = 0;  ///< those of `synced` and the seal
    base::LocalTime rotate_at{};
  };
  struct DeadSegment {
    SegmentId id;
    std::uint64_t bytes = 0;  ///< synced
    SegmentTally tally;       ///< of them
  };
  /// Where the open segment is in its life; each step waits for its operation.
  enum class Step : std::uint8_t { create, name, open, seal_write, seal_sync, rename, sealed };
  using Notices = std::vector<JournalNotice>;

  std::optional<JournalOperation> choose(base::LocalTime now, Notices& notices);
  std::optional<JournalOperation> choose_new_segment(base::LocalTime now, Notices& notices);
  std::optional<JournalOperation> choose_in_open(base::LocalTime now);
  std::optional<SealReason> seal_due(base::LocalTime now) const;
  void start_segment(base::LocalTime now);
  void change_place(Notices& notices);

  void answered(const CreateSegment& operation, int error, base::LocalTime now, Notices& notices);
  void answered(const SyncDirectory& operation, int error, base::LocalTime now, Notices& notices);
  void answered(const WriteSegment& operation, int error, base::LocalTime now, Notices& notices);
  void answered(const SyncSegment& operation, int error, base::LocalTime now, Notices& notices);
  void answered(const RenameSegment& operation, int error, base::LocalTime now, Notices& notices);
  void answered(const AbandonSegment& operation, int error, base::LocalTime now, Notices& notices);
  void answered(const RetireSegment& operation, int error, base::LocalTime now, Notices& notices);
  void answered(const MakeReserve& operation, int error, base::LocalTime now, Notices& notices);
  void answered(const ReleaseReserve& operation, int error, base::LocalTime now, Notices& notices);
  void answered(const CheckPath& operation, int error, base::LocalTime now, Notices& notices);

  void on_durable(base::LocalTime now, Notices& notices);
  void on_sealed();
  void fail(std::string_view what, int error, base::LocalTime now, Notices& notices);
  void kill_segment();
  void wait_for_retry(base::LocalTime now);
  void lose(Origin origin, std::uint64_t count, std::string_view cause, base::LocalTime now,
            Notices& notices);
  bool& reserve_stands() { return reserve_stands_[static_cast<std::size_t>(state_.place)]; }
  bool& reserve_tried() { return reserve_tried_[static_cast<std::size_t>(state_.place)]; }

  JournalSettings settings_;
  Start start_;
  std::uint32_t next_number_;
  std::array<std::uint64_t, numbered_origins> expected_{};

  std::string pending_;      ///< records taken and not durable
  std::size_t written_ = 0;  ///< of pending_, into the open segment
  std::uint64_t pending_records_ = 0;
  std::string prologue_;  ///< magic and head of the open segment until they are written
  std::string epilogue_;  ///< its seal

  std::optional<JournalOperation> operation_;  ///< under way
  std::optional<OpenSegment> segment_;
  Step step_ = Step::create;
  SealReason seal_reason_ = SealReason::clock, close_reason_ = SealReason::closed;
  std::optional<SegmentEnd> previous_;
  std::vector<DeadSegment> dead_;
  std::optional<AbandonSegment> abandon_;  ///< to be done
  bool retire_wanted_ = false;

  bool roll_wanted_ = false, close_wanted_ = false, closed_ = false;
  bool full_ = false;  ///< the current place's disk: the open segment is the last for now
  bool release_wanted_ = false;
  std::array<bool, 2> reserve_stands_{}, reserve_tried_{};
  std::size_t failures_ = 0;  ///< in a row
  std::optional<base::LocalTime> retry_at_;
  base::Duration backoff_;
  base::LocalTime check_at_;
  std::vector<SealedSegment> sealed_;
  JournalState state_;
};

}  // namespace phoenix::record
