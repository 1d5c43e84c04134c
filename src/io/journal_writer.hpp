#pragma once

#include "base/ring.hpp"
#include "base/time.hpp"
#include "io/clock.hpp"
#include "record/journal.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace phoenix::io {

struct JournalWriterOptions {
  std::uint32_t run_epoch = 0;  ///< names the segments; higher than any before (RunEpoch)
  std::string program;          ///< version, for the segments' heads
  record::JournalSettings settings;
  std::filesystem::path second_directory;  ///< where segments go when the first place fails; empty: nowhere
  std::filesystem::path ring_directory;    ///< for example on tmpfs; empty: beside the segments
  std::size_t raw_ring_bytes = 64U << 20;
  std::size_t engine_ring_bytes = 32U << 20;
  base::Duration poll_interval = base::milliseconds{5};
  base::Duration close_timeout =
      base::seconds{5};  ///< how long `close` tries; then the rings keep what is left

  // Called on the journal's thread, or by the constructor for what recovery sealed; each may be empty. A
  // segment is told when no ring holds its records any more: who looks for segments by himself may do so once
  // the constructor returned.

  struct Sealed {
    std::filesystem::path path;
    record::SegmentId id;
    record::SealReason reason = record::SealReason::clock;
    record::SegmentTally tally;
  };
  std::function<void(const Sealed&)> on_sealed;
  std::function<void(const record::JournalNotice&)> on_notice;
  /// Tests: the errno with which an operation fails (0: as if it had worked) without being performed; empty:
  /// perform it.
  std::function<std::optional<int>(const record::JournalOperation&)> intercept;
};

struct JournalStats {
  record::JournalState journal;
  base::RingStats raw_ring, engine_ring;
  std::uint64_t raw_waiting_bytes = 0, engine_waiting_bytes = 0;  ///< in the rings, not yet durable
  base::Duration sync_lag{};               ///< age of the oldest record that is not durable
  base::Duration sync_last{}, sync_max{};  ///< duration of a sync
};

/// What a start found and did about it.
struct JournalRecovery {
  std::uint32_t segments_sealed = 0;
  std::uint64_t records_from_rings = 0;
  std::uint64_t cut_bytes = 0;
  bool after_reboot = false;  ///< rings were there and could not be trusted
};

/// The journal of one recording on real files. Producers push into rings in shared mapped files; one thread
/// of its own moves what is in them into segments (record/journal.hpp says when and what on failure), syncs,
/// seals.
class JournalWriter {
 public:
  /// Takes the directory's lock, recovers what an earlier run left, opens the first segment. FileError in one
  /// line when the directory cannot be used, is in use, or holds a newer format; nothing is changed on disk
  /// then.
  JournalWriter(const std::filesystem::path& directory, const RealClock& clock, JournalWriterOptions options);
  /// Closes it, and lets go of the lock.
  ~JournalWriter();
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  /// Network thread: an encoded input as it was read. Its sequence; empty when the ring was full (counted,
  /// and named by a `lost` record).
  std::optional<std::uint64_t> append_raw(base::LocalTime now, std::string_view head, std::string_view body);

  // Engine thread; false when dropped.

  /// An input by value, or the start (200) and summary (201) of a run.
  bool append_input(base::LocalTime now, std::uint8_t kind, std::string_view head, std::string_view body);
  bool append_consumed(base::LocalTime now, std::uint64_t raw_sequence);
  bool append_row(base::LocalTime now, std::string_view row);

  /// The producers are done: seals what there is. Where that cannot be done in time the rings keep it for the
  /// next start. The lock stays.
  void close();

  // Any thread.

  /// Asks for the segment to be sealed now; on_sealed tells.
  void roll();
  JournalStats stats() const;
  const JournalRecovery& recovery() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::io
