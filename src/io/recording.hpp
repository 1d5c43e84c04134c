#pragma once

#include "base/time.hpp"
#include "io/archive.hpp"
#include "io/clock.hpp"
#include "io/journal_writer.hpp"
#include "io/resume.hpp"
#include "ops/status.hpp"
#include "record/extreme.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::io {

struct RecordingSettings {
  std::filesystem::path directory;
  std::string program;   ///< version
  std::string manifest;  ///< JSON: what the run was told; kept as runs/run-EPOCH.json
  JournalWriterOptions journal;
  ArchiveOptions archive;
  record::ExtremeOptions extreme;
  std::vector<std::string> symbols;    ///< that will be recorded
  std::uint64_t rows_max = 1'000'000;  ///< a segment is sealed at so many rows: no file has more
  base::Duration drain_timeout =
      base::seconds{60};  ///< how long `close` waits for the conversion of what is left
};

/// A recording that is being written: the journal takes frames and rows, what it seals becomes files of the
/// archive.
///
/// Also decides when the journal rotates faster (extreme mode), and tells the log what a recorder's log has
/// always told: [ROTATE], [EXTREME_TRAFFIC], alarms of the disk.
class Recording {
 public:
  enum class Level : std::uint8_t { debug, info, warning, error };
  /// Any thread, one call at a time.
  using Logger = std::function<void(Level, std::string_view)>;

  /// Takes the directory's lock and finishes what an interrupted run left. FileError in one line when the
  /// directory is in use, cannot be written, or holds what is no recording or a newer one.
  Recording(const RealClock& clock, RecordingSettings settings, Logger log);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  JournalWriter& journal();
  const JournalRecovery& recovery() const;
  /// The number of this run of the recording: names its segments and files.
  std::uint32_t run_epoch() const;
  /// Where the recording ended before, for the engine that continues it.
  const std::vector<engine::ResumePoint>& resume() const;
  /// Now and then, from one thread: extreme mode, rotation by rows, the log's lines about each rotation.
  void look_around(const ops::Status& status, base::LocalTime now);
  /// Any thread.
  ops::RecordingStatus status() const;
  /// Seals the journal and waits until all of it is in files. False when that took longer than allowed: the
  /// next start goes on with it. Nothing may be appended any more.
  bool close();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::io
