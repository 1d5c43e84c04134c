#include "io/recording.hpp"

#include "base/assert.hpp"
#include "base/time_grid.hpp"
#include "engine/depth_bridge.hpp"
#include "engine/input_codec.hpp"
#include "io/mapped_ring.hpp"
#include "record/journal_format.hpp"
#include "record/layout.hpp"
#include "record/row.hpp"
#include "record/schema.hpp"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <mutex>
#include <optional>
#include <vector>

#include <fmt/format.h>

namespace phoenix::io {
namespace {

double seconds(base::Duration d) { return static_cast<double>(d.count()) / 1e9; }

std::uint64_t rows_of(const ops::Status& status) {
  std::uint64_t rows = 0;
  for (const auto& s : status.symbols) {
    for (const auto count : s.rows) rows += count;
  }
  return rows;
}

/// The first bytes of a file; fewer where it ends, none where it is not there any more.
std::string beginning_of(const std::filesystem::path& path, std::size_t size) {
  std::string bytes(size, '\0');
  std::ifstream file{path, std::ios::binary};
  file.read(bytes.data(), static_cast<std::streamsize>(size));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

}  // namespace

void check_formats(const std::filesystem::path& directory) {
  std::error_code none;
  if (!std::filesystem::exists(directory, none)) return;
  static_cast<void>(find_files(directory));
  for (const auto& entry : std::filesystem::directory_iterator{directory / "journal", none}) {
    const auto& path = entry.path();
    if (path.extension() == ".ring") {
      static_cast<void>(RingLeftover::open(path));
    } else if (record::parse_segment_name(path.filename().string())) {
      const auto beginning = beginning_of(path, record::journal_magic.size());
      record::JournalReader reader{beginning};
      static_cast<void>(reader.next());
      if (reader.fault() == record::JournalFault::newer_format)
        throw FileError(fmt::format("{} is a segment of a newer program", path.string()));
    }
  }
}

class Recording::Impl {
 public:
  Impl(const RealClock& clock, RecordingSettings settings, Logger log)
      : clock_(clock), settings_(std::move(settings)), log_(std::move(log)), extreme_(settings_.extreme) {
    auto journal = settings_.journal;
    // A directory that is none of ours stays as it is: it is looked at before anything is made in it.
    check_formats(settings_.directory);
    make_directories(settings_.directory / "runs");
    journal.run_epoch = run_epoch_ = RunEpoch::take(settings_.directory / "runs");
    journal.program = settings_.program;
    journal.on_sealed = [this](const JournalWriterOptions::Sealed& sealed) { on_sealed(sealed); };
    journal.on_notice = [this](const record::JournalNotice& notice) {
      say(notice.alarm == record::JournalAlarm::works_again ? Level::info : Level::error,
          fmt::format("[JOURNAL] {} {}", record::name(notice.alarm), notice.text));
    };
    journal_ = std::make_unique<JournalWriter>(settings_.directory, clock, std::move(journal));
    // Before anything is converted: what the last run read and did not look at stands in its segments only.
    std::vector<std::string> overheard;
    if (settings_.overheard) overheard = settings_.overheard();
    auto resume = find_resume(settings_.directory, settings_.journal.second_directory, settings_.symbols,
                              overheard, clock.now());
    for (const auto& row : resume.rows) journal_->append_row(clock.now(), row);
    resume_ = std::move(resume.points);
    if (settings_.overheard) {
      say(Level::info, fmt::format("[TAKEOVER] frames heard beside the last run: {}, rows of them: {}",
                                   overheard.size(), resume.rows.size()));
      bridge_.emplace(resume_);
      bridge_until_ = clock.now() + settings_.overheard_max;
      wants_overheard_.store(true, std::memory_order_relaxed);
    } else if (!resume.rows.empty()) {
      say(Level::warning,
          fmt::format("[RECOVERY] rows of frames that were read and not looked at: {}", resume.rows.size()));
    }
    auto archive = settings_.archive;
    archive.program = settings_.program;
    archive.epoch = run_epoch_;
    archive.second_directory = settings_.journal.second_directory;
    archive_.emplace(settings_.directory, archive,
                     [this](ArchiveEvent event, std::string_view text) { on_archive(event, text); });
    {
      const std::lock_guard lock{mutex_};
      archive_ready_ = true;
    }
    write_file_atomically(settings_.directory / "runs" / fmt::format("run-{:08x}.json", run_epoch_),
                          settings_.manifest + "\n");
    tell_recovery();
  }

  ~Impl() {
    // The lock goes last: until then nobody else may work on these files.
    journal_->close();
    archive_.reset();
  }

  JournalWriter& journal() { return *journal_; }
  bool append_row(base::LocalTime now, std::string_view row) {
    if (bridge_) {
      if (const auto view = record::decode_row(row)) bridge_->look_at(*view);
    }
    return journal_->append_row(now, row);
  }
  bool wants_overheard() const { return wants_overheard_.load(std::memory_order_relaxed); }
  const JournalRecovery& recovery() const { return recovery_; }
  std::uint32_t run_epoch() const { return run_epoch_; }
  const std::vector<engine::ResumePoint>& resume() const { return resume_; }

  void look_around(const ops::Status& status, base::LocalTime now) {
    if (bridge_) join(now);
    const auto rows = rows_of(status);
    if (!rotate_at_) {
      rotate_at_ = base::next_multiple(now, extreme_.interval());
      rotated_ = status;
    }
    if (const auto change = extreme_.step(rows, journal_->stats().sync_lag, now)) {
      const bool entered = change->mode == record::ExtremeMode::Mode::extreme;
      say(entered ? Level::warning : Level::info,
          fmt::format("[EXTREME_TRAFFIC] mode={} rows={} queue_age_s={:.1f} interval_s={:.0f}",
                      entered ? "EXTREME" : "NORMAL", change->rows, seconds(change->queue_age),
                      seconds(change->interval)));
      rotate_at_ = base::next_multiple(now, extreme_.interval());
      const std::lock_guard lock{mutex_};
      is_extreme_ = entered;
    }
    if (rows - rows_at_roll_ >= settings_.rows_max) {
      rows_at_roll_ = rows;
      journal_->roll();
    }
    if (now < *rotate_at_) return;
    // The journal keeps its own usual clock; only the faster one of extreme mode has to be asked for.
    if (extreme_.mode() == record::ExtremeMode::Mode::extreme) journal_->roll();
    rows_at_roll_ = rows;
    tell_rotation(status, now);
    rotated_ = status;
    rotate_at_ = base::next_multiple(now, extreme_.interval());
  }

  ops::RecordingStatus status() const {
    ops::RecordingStatus s;
    s.active = true;
    const auto j = journal_->stats();
    s.journal_bytes = j.journal.bytes_written;
    s.journal_records = j.journal.records;
    s.journal_lost = j.journal.lost[0] + j.journal.lost[1];
    s.segments_sealed = j.journal.segments_sealed;
    s.segments_dead = j.journal.segments_dead;
    s.syncs = j.journal.syncs;
    s.sync_lag = j.sync_lag;
    s.sync_max = j.sync_max;
    s.raw_ring = j.raw_ring;
    s.engine_ring = j.engine_ring;
    const auto a = archive_->stats();
    s.backlog = a.backlog;
    s.segments_converted = a.segments_converted;
    s.conversions_failed = a.conversions_failed;
    s.rows_refused = a.rows_refused;
    s.records_lost = a.records_lost;
    for (const auto& kind : a.kinds) {
      s.files += kind.files;
      s.rows_durable += kind.rows;
      s.last_durable_ns = std::max(s.last_durable_ns, kind.last_event_time_ns);
    }
    s.recording_bytes = a.recording_bytes;
    s.free_bytes = a.free_bytes;
    s.hours_left = a.hours_left;
    s.files_retired = a.files_retired;
    const auto& fault = j.journal.fault.empty() ? a.fault : j.journal.fault;
    s.fault = base::ShortText<96>{std::string_view{fault}.substr(0, 96)};
    const std::lock_guard lock{mutex_};
    s.extreme = is_extreme_;
    return s;
  }

  bool close(Rest rest) {
    if (bridge_) {
      bridge_until_ = clock_.now();
      join(bridge_until_);
    }
    journal_->close();
    const bool all =
        rest == Rest::convert ? archive_->drain(settings_.drain_timeout) : archive_->stats().backlog == 0;
    if (!all)
      say(rest == Rest::convert ? Level::warning : Level::info,
          fmt::format("[ARCHIVE] segments left for the next start: {}", archive_->stats().backlog));
    return all;
  }

 private:
  void say(Level level, std::string_view text) {
    const std::lock_guard lock{log_mutex_};
    log_(level, text);
  }

  void on_sealed(const JournalWriterOptions::Sealed& sealed) {
    {
      const std::lock_guard lock{mutex_};
      if (!archive_ready_) return;  // it looks at what lies there by itself
    }
    archive_->take(sealed.id, sealed.path);
  }

  void on_archive(ArchiveEvent event, std::string_view text) {
    const bool alarm = event == ArchiveEvent::refused || event == ArchiveEvent::failed;
    const Level level = alarm ? Level::error : event == ArchiveEvent::disk ? Level::warning : Level::info;
    say(level, fmt::format("[ARCHIVE] {} {}", name(event), text));
  }

  void tell_recovery() {
    recovery_ = journal_->recovery();
    if (recovery_.segments_sealed == 0 && recovery_.records_from_rings == 0 && !recovery_.after_reboot)
      return;
    say(Level::warning,
        fmt::format("[RECOVERY] segments={} records_from_rings={} cut_bytes={} after_reboot={}",
                    recovery_.segments_sealed, recovery_.records_from_rings, recovery_.cut_bytes,
                    recovery_.after_reboot));
  }

  /// What was overheard between the last run's end and this one's first change becomes rows.
  void join(base::LocalTime now) {
    for (const auto& encoded : settings_.overheard()) {
      const auto input = engine::decode_input(encoded);
      if (!input) continue;
      if (const auto* frame = std::get_if<engine::FrameReceived>(&*input)) bridge_->take(*frame);
    }
    std::vector<std::string> rows;
    bridge_->settle(now, rows);
    if (now >= bridge_until_) bridge_->finish(now, rows);
    for (const auto& row : rows) journal_->append_row(now, row);
    bridged_rows_ += rows.size();
    if (!bridge_->is_done()) return;
    bridge_.reset();
    wants_overheard_.store(false, std::memory_order_relaxed);
    say(Level::info, fmt::format("[TAKEOVER] joined to the last run, rows={}", bridged_rows_));
  }

  /// One line a recorded symbol, with what happened since the last one.
  void tell_rotation(const ops::Status& status, base::LocalTime now) {
    const bool extreme = extreme_.mode() == record::ExtremeMode::Mode::extreme;
    const auto reconnects = status.reconnects - rotated_.reconnects;
    for (const auto& s : status.symbols) {
      if (!s.recorded) continue;
      const auto before =
          std::find_if(rotated_.symbols.begin(), rotated_.symbols.end(),
                       [&s](const auto& other) { return other.name.view() == s.name.view(); });
      std::string buffers;
      for (std::size_t kind = 0; kind < record::kinds_count; ++kind) {
        const auto rows = s.rows[kind] - (before == rotated_.symbols.end() ? 0 : before->rows[kind]);
        if (rows == 0) continue;
        buffers += fmt::format("{}{}: {}", buffers.empty() ? "" : ", ",
                               record::name(static_cast<record::Kind>(kind)), rows);
      }
      const auto age = [now](std::optional<base::LocalTime> last) {
        return last ? fmt::format("{:.1f}", seconds(now - *last)) : std::string{"none"};
      };
      const bool lost = before != rotated_.symbols.end() && s.trades_lost > before->trades_lost;
      say(reconnects > 0 || lost ? Level::warning : Level::debug,
          fmt::format(
              "[ROTATE] {}: trade_delta={}s, ob_delta={}s, buffers={{{}}}, reconnect_count={}, mode={}, "
              "trades_lost={}",
              s.name.view(), age(s.last_trade_time), age(s.last_depth_time), buffers, reconnects,
              extreme ? "EXTREME" : "NORMAL",
              before == rotated_.symbols.end() ? 0 : s.trades_lost - before->trades_lost));
    }
  }

  static void make_directories(const std::filesystem::path& path) {
    std::error_code fault;
    std::filesystem::create_directories(path, fault);
    if (fault) throw FileError(fmt::format("{}: cannot create: {}", path.string(), fault.message()));
  }

  const RealClock& clock_;
  RecordingSettings settings_;
  Logger log_;
  std::uint32_t run_epoch_ = 0;
  std::mutex log_mutex_;
  mutable std::mutex mutex_;
  bool archive_ready_ = false, is_extreme_ = false;  ///< under mutex_
  std::atomic<bool> wants_overheard_{false};

  // Of the thread that looks around.
  record::ExtremeMode extreme_;
  std::optional<base::LocalTime> rotate_at_;
  ops::Status rotated_;
  std::uint64_t rows_at_roll_ = 0;
  std::optional<engine::DepthBridge> bridge_;
  base::LocalTime bridge_until_{};
  std::uint64_t bridged_rows_ = 0;

  JournalRecovery recovery_;
  std::vector<engine::ResumePoint> resume_;

  std::optional<Archive> archive_;  ///< outlives the journal, which hands it segments
  std::unique_ptr<JournalWriter> journal_;
};

Recording::Recording(const RealClock& clock, RecordingSettings settings, Logger log)
    : impl_(std::make_unique<Impl>(clock, std::move(settings), std::move(log))) {}
Recording::~Recording() = default;
JournalWriter& Recording::journal() { return impl_->journal(); }
const JournalRecovery& Recording::recovery() const { return impl_->recovery(); }
std::uint32_t Recording::run_epoch() const { return impl_->run_epoch(); }
const std::vector<engine::ResumePoint>& Recording::resume() const { return impl_->resume(); }
void Recording::look_around(const ops::Status& status, base::LocalTime now) {
  impl_->look_around(status, now);
}
ops::RecordingStatus Recording::status() const { return impl_->status(); }
bool Recording::append_row(base::LocalTime now, std::string_view row) { return impl_->append_row(now, row); }
bool Recording::wants_overheard() const { return impl_->wants_overheard(); }
bool Recording::close(Rest rest) { return impl_->close(rest); }

}  // namespace phoenix::io
