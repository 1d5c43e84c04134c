#pragma once

#include "base/time.hpp"
#include "io/files.hpp"
#include "record/compaction.hpp"
#include "record/conversion.hpp"
#include "record/layout.hpp"
#include "record/retention.hpp"
#include "record/schema.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::io {

/// What becomes of a segment whose rows are all in files: it goes, or stays for replays beside an empty
/// journal/<id>.done that says it was converted.
enum class SegmentPolicy : std::uint8_t { remove, keep };

struct ArchiveOptions {
  unsigned workers = 2;     ///< SAVE_CONCURRENCY, 1 to 10
  std::uint32_t epoch = 0;  ///< of this run; names the ledger entries of retention
  SegmentPolicy segments = SegmentPolicy::remove;
  std::string program;                     ///< version, for the sidecars
  std::filesystem::path second_directory;  ///< in whose journal/ segments are too; empty: none
  record::CompactionOptions compaction;
  record::RetentionOptions retention;
  /// Run for each settled file by `sh -c` with the file as $1 and its sidecar as $2; exit code 0 within the
  /// timeout means that the file is safe elsewhere. Empty: no export.
  std::string export_command;
  base::Duration export_timeout = base::minutes{10};
  base::Duration upkeep_interval = base::minutes{1};  ///< of compaction, export and retention
  base::Duration retry_min = base::seconds{1}, retry_max = base::seconds{60};
  std::uint64_t writer_memory_bytes_max = 128ULL << 20;  ///< of each thread's Parquet writer
  /// Sees each file action after it was done; for tests that stop the process there.
  std::function<void(const record::FileAction&)> after_action;
};

enum class ArchiveEvent : std::uint8_t {
  converted,  ///< a segment's rows are all in files
  compacted,  ///< an hour's parts are one file
  exported,   ///< the export hook has taken a file
  retired,    ///< retention took files away
  refused,    ///< rows went to a dead letter, or records could not be read: alarm
  failed,     ///< something will be tried again: alarm
  disk,       ///< the disk's level changed: alarm unless it is fine again
};
std::string_view name(ArchiveEvent event);

struct ArchiveStats {
  struct PerKind {
    std::uint64_t files = 0, rows = 0, bytes = 0;  ///< converted by this process
    std::int64_t last_event_time_ns = 0;           ///< of the newest durable row; 0: none by this process
    std::int64_t last_commit_ns = 0;               ///< when that became durable, wall clock
  };
  std::array<PerKind, record::kinds_count> kinds;
  std::uint64_t backlog = 0;  ///< segments that wait or are being converted
  std::uint64_t segments_converted = 0, conversions_failed = 0;
  std::uint64_t hours_compacted = 0, files_exported = 0, files_retired = 0, bytes_retired = 0;
  std::uint64_t upkeep_failed = 0;
  std::uint64_t rows_refused = 0, records_lost = 0;
  std::uint64_t files = 0, recording_bytes = 0, free_bytes = 0, total_bytes = 0;
  std::optional<double> hours_left;  ///< until the disk is full, at the rate of the last hours
  record::DiskLevel disk = record::DiskLevel::fine;
  std::string fault;  ///< the newest that still stands, one line; empty when all went well lately
};

/// What `recover` found and did.
struct ArchiveRecovery {
  std::uint64_t temporaries_removed = 0;
  std::uint64_t files_removed = 0;  ///< replaced by an hour file, or named by retention
  std::uint64_t segments_converted = 0;
  std::uint64_t rows_refused = 0, records_lost = 0;
  /// Data files without sidecar whose segment is gone: nobody reads them, nobody removes them.
  std::vector<std::string> unexplained;
};

/// Turns sealed segments into Parquet files, hour files out of those, and lets old ones go: threads around
/// the state machines of record/conversion, compaction and retention. The caller holds the recording's lock.
class Archive {
 public:
  /// One line of key=value text. Called from the archive's threads, one at a time.
  using Events = std::function<void(ArchiveEvent event, std::string_view text)>;

  /// Finishes what an interrupted run left, except conversions: the workers do those with every sealed
  /// segment that is there. FileError, before anything is changed, when the tree holds a newer format, a
  /// corrupt sidecar or file, or one that is none of a recording's.
  Archive(const std::filesystem::path& directory, const ArchiveOptions& options, Events events = {});
  /// Finishes the file that is being made, not the backlog: that is the next start's.
  ~Archive();
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  // Any thread.

  /// A segment that was sealed. Telling twice is harmless.
  void take(record::SegmentId id, const std::filesystem::path& file);
  ArchiveStats stats() const;
  /// Waits until every segment taken is converted; false when that took longer.
  bool drain(base::Duration timeout);
  /// Compaction, export and retention now instead of at the next minute; returns when they are done.
  void upkeep();

  const ArchiveRecovery& recovery() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// For a recording that nobody writes: the same clean-up, then the conversion of every sealed segment, on the
/// calling thread. Nothing is compacted, exported or retired. FileError as above, or when a conversion fails.
/// `progress` is told how many segments of all are done; it may be empty.
ArchiveRecovery recover(const std::filesystem::path& directory, const ArchiveOptions& options,
                        const std::function<void(std::uint64_t done, std::uint64_t total)>& progress = {});

/// Every data file of the recording with its sidecar, in path order. FileError as above; nothing is changed.
std::vector<record::FoundFile> find_files(const std::filesystem::path& directory);

}  // namespace phoenix::io
