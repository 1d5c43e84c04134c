#include "app/log.hpp"

#include "app/config.hpp"
#include "io/clock.hpp"
#include "ops/log_line.hpp"
#include "ops/log_repeats.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <utility>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

using ops::LogLevel;

constexpr std::array levels{LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error};
static_assert(static_cast<LogLevel>(engine::Severity::debug) == LogLevel::debug &&
              static_cast<LogLevel>(engine::Severity::error) == LogLevel::error);

LogLevel level_of(std::string_view word) {
  const auto found =
      std::find_if(levels.begin(), levels.end(), [&](LogLevel level) { return ops::name(level) == word; });
  return found == levels.end() ? LogLevel::info : *found;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string{} : std::string{value};
}

/// stderr is the journal's: its manager has named the very file.
bool is_journal() {
  struct stat info{};
  return ::fstat(STDERR_FILENO, &info) == 0 &&
         variable("JOURNAL_STREAM") == fmt::format("{}:{}", info.st_dev, info.st_ino);
}

bool shows_colour() {
  return ::isatty(STDERR_FILENO) == 1 && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
}

std::string coloured(LogLevel level) {
  constexpr std::array<std::string_view, 4> colours{"2", "32", "33;1", "31;1"};
  return fmt::format("\033[{}m{}\033[0m", colours[static_cast<std::size_t>(level)], ops::name(level));
}

/// Of the wall clock, UTC, with so many decimals of a second.
std::string time_text(int decimals) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const long fraction = decimals == 6 ? now.tv_nsec / 1'000 : now.tv_nsec / 1'000'000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:0{}}Z", fmt::gmtime(now.tv_sec), fraction, decimals);
}

/// All of it at once, so that lines of several processes stay lines.
void write_stderr(std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::shared_ptr<spdlog::logger> open_file(const LogSettings& settings, std::string_view name) {
  const char* const instead = std::getenv("PHOENIX_LOG_FILE");
  std::filesystem::path path{settings.file.empty() && instead != nullptr ? instead : settings.file};
  if (path.empty()) return nullptr;
  if (!name.empty())
    path.replace_filename(fmt::format("{}-{}{}", path.stem().string(), name, path.extension().string()));
  try {
    auto file = std::make_shared<spdlog::logger>(
        "phoenix", std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
                       path.string(), settings.file_bytes, static_cast<std::size_t>(settings.files - 1)));
    file->set_pattern("%v");
    file->set_level(spdlog::level::trace);
    file->flush_on(spdlog::level::trace);
    return file;
  } catch (const spdlog::spdlog_ex& fault) {
    throw StartError(fault.what());
  }
}

}  // namespace

class Log::Impl {
 public:
  Impl(const LogSettings& settings, std::string_view name)
      : format_{settings.format},
        level_{level_of(settings.level)},
        file_{open_file(settings, name)},
        is_journal_{!file_ && is_journal()},
        shows_colour_{!file_ && shows_colour()} {}
  ~Impl() {
    repeats_.finish(clock_.now(), entries_);
    write();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void say(LogLevel level, std::string_view text) {
    if (level < level_.load(std::memory_order_relaxed)) return;
    const auto printable = ops::printable_log_text(text);
    const std::scoped_lock lock{mutex_};
    repeats_.step(level, printable, clock_.now(), entries_);
    write();
  }
  void look() {
    const std::scoped_lock lock{mutex_};
    repeats_.expire(clock_.now(), entries_);
    write();
  }
  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  std::uint64_t suppressed() const {
    const std::scoped_lock lock{mutex_};
    return repeats_.suppressed();
  }

 private:
  void write() {
    for (const auto& entry : entries_) {
      const auto line = line_of(entry);
      file_ ? file_->log(spdlog::level::info, "{}", line) : write_stderr(line + '\n');
    }
    entries_.clear();
  }
  std::string line_of(const ops::LogEntry& entry) const {
    // What sd-daemon(3) reads off the front of a line: the severity of syslog.
    constexpr std::array<std::string_view, 4> severities{"<7>", "<6>", "<4>", "<3>"};
    const auto prefix = is_journal_ ? severities[static_cast<std::size_t>(entry.level)] : std::string_view{};
    if (format_ == LogFormat::json)
      return fmt::format("{}{}", prefix, ops::json_log_line(time_text(6), entry.level, entry.text));
    if (is_journal_) return fmt::format("{}{}", prefix, entry.text);
    return fmt::format("{} {} {}", time_text(3),
                       shows_colour_ ? coloured(entry.level) : std::string{ops::name(entry.level)},
                       entry.text);
  }

  const io::RealClock clock_;
  const LogFormat format_;
  std::atomic<LogLevel> level_;
  const std::shared_ptr<spdlog::logger> file_;  ///< none: stderr
  const bool is_journal_, shows_colour_;
  mutable std::mutex mutex_;
  ops::LogRepeats repeats_;
  std::vector<ops::LogEntry> entries_;
};

Log::Log(const LogSettings& settings, std::string_view name)
    : impl_{std::make_shared<Impl>(settings, name)} {}

void Log::operator()(engine::Severity severity, std::string_view text) const {
  impl_->say(static_cast<LogLevel>(severity), text);
}
void Log::look() const { impl_->look(); }
void Log::set_level(std::string_view level) const { impl_->set_level(level_of(level)); }
std::uint64_t Log::suppressed() const { return impl_->suppressed(); }

StateTeller::StateTeller(Log log, base::Duration interval, base::LocalTime now)
    : log_{std::move(log)}, interval_{interval} {
  if (interval_.count() > 0) next_ = now + std::min(interval_, soon);
}

void StateTeller::turn(base::LocalTime now, const std::function<ops::Status()>& status) {
  log_.look();
  if (!next_ || now < *next_) return;
  const auto picture = status();
  is_up_ = is_up_ || std::all_of(picture.symbols.begin(), picture.symbols.end(),
                                 [](const auto& symbol) { return symbol.reason.empty(); });
  next_ = now + (is_up_ ? interval_ : std::min(interval_, soon));
  for (const auto& line : state_.lines(picture)) log_(engine::Severity::info, line);
}

}  // namespace phoenix::app
