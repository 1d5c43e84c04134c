#pragma once

#include "base/time.hpp"
#include "record/compaction.hpp"
#include "record/conversion.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::record {

enum class Export : std::uint8_t { none, required };

struct RetentionOptions {
  std::uint32_t keep_days = 0;           ///< files of earlier hours go; 0: for ever
  std::uint64_t disk_bytes_max = 0;      ///< of the whole recording; 0: no bound
  std::uint64_t disk_bytes_reserve = 0;  ///< to be kept free on the disk
  Export exported = Export::none;        ///< required: only files an export hook has taken may go
};

/// A file that retention may look at: live, settled, committed (so it was re-read and matched).
struct RetentionFile {
  std::string path;  ///< relative to the recording; a data file, or a kept segment
  std::int64_t hour = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t rows = 0;
  std::optional<std::int64_t> first_id, last_id;
  std::int64_t event_time_ns_min = 0, event_time_ns_max = 0;
  std::string symbol, stream;  ///< of the ledger row
  bool exported = false;
};

struct DiskUse {
  std::uint64_t recording_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t total_bytes = 0;
};

/// Which files go, oldest hour first, at most `retention_files_max`: those past keep_days, then as many as
/// bring the recording below disk_bytes_max and the disk above its reserve. The ledger itself stays.
inline constexpr std::size_t retention_files_max = 256;
std::vector<std::size_t> retire(std::span<const RetentionFile> files, const RetentionOptions& options,
                                const DiskUse& disk, std::int64_t now_ns);

/// Segment numbers from here on are the archive's own, for the ledger's parts it writes itself: no journal
/// gets there.
inline constexpr std::uint32_t retention_segment_first = 1'000'000'000;

struct Retirement {
  CommitPlan plan;
  std::vector<std::vector<std::string>> rows;  ///< encoded, in their order: what each file of the plan holds
};
/// The commit that makes one ledger row for each retired file durable, in the hours the files were of, and
/// then removes the files. `id` is used once.
Retirement plan_retirement(std::span<const RetentionFile> files, std::span<const std::size_t> retired,
                           SegmentId id, std::string_view program);

/// fine; alarm: under 20 % or 6 hours left; hold: under 5 % (a maker stops quoting: its own journal comes
/// first).
enum class DiskLevel : std::uint8_t { fine, alarm, hold };
std::string_view name(DiskLevel level);

/// How long the disk lasts at the rate of the last hours. Bounded: one sample a minute for six hours.
class DiskForecast {
 public:
  explicit DiskForecast(std::uint64_t disk_bytes_reserve) : reserve_{disk_bytes_reserve} {}
  /// `written_bytes`: all ever committed by this process, never falling.
  void sample(base::LocalTime now, std::uint64_t written_bytes, const DiskUse& disk);
  /// Empty until ten minutes are known or while nothing is written.
  std::optional<double> hours_left() const { return hours_left_; }
  DiskLevel level() const { return level_; }

 private:
  struct Sample {
    base::LocalTime at;
    std::uint64_t written_bytes;
  };
  std::uint64_t reserve_;
  std::deque<Sample> samples_;
  std::optional<double> hours_left_;
  DiskLevel level_ = DiskLevel::fine;
};

}  // namespace phoenix::record
