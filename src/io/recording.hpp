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
  /// Taking over from another recorder: encoded inputs that were read beside it and after it, since the last
  /// call (io/overlap.hpp). Called by the constructor and `look_around`, while `wants_overheard`. Empty:
  /// nobody listens.
  std::function<std::vector<std::string>()> overheard;
  base::Duration overheard_max = base::seconds{30};  ///< how long after the start it is listened to at most
};

/// FileError in one line when any part of a recording is none of ours or of a newer program: files with their
/// sidecars, segments of the journal, rings. Only looks. A directory that is not there is well.
void check_formats(const std::filesystem::path& directory);

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
  /// Engine thread: a row, into the journal. False when dropped.
  bool append_row(base::LocalTime now, std::string_view row);
  const JournalRecovery& recovery() const;
  /// The number of this run of the recording: names its segments and files.
  std::uint32_t run_epoch() const;
  /// Where the recording ended before, for the engine that continues it.
  const std::vector<engine::ResumePoint>& resume() const;
  /// Any thread: the earlier recorder's depth is not joined yet to this one's.
  bool wants_overheard() const;
  /// Now and then, from the engine's thread: extreme mode, rotation by rows, the log's lines about each
  /// rotation, and the join with an earlier recorder.
  void look_around(const ops::Status& status, base::LocalTime now);
  /// Any thread.
  ops::RecordingStatus status() const;
  enum class Rest : std::uint8_t {
    convert,  ///< wait until all of it is in files
    leave,    ///< to whoever takes over: somebody waits
  };
  /// Seals the journal. False when not all of it is in files: the next start goes on with it. Nothing may be
  /// appended any more; the directory's lock stays until destruction.
  bool close(Rest rest = Rest::convert);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::io
