#pragma once

#include "base/time.hpp"
#include "ops/log_line.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::ops {

struct LogEntry {
  LogLevel level = LogLevel::info;
  std::string text;
  friend bool operator==(const LogEntry&, const LogEntry&) = default;
};

struct LogRepeatsOptions {
  base::Duration window = base::seconds{10};
  std::size_t kinds_max = 256;  ///< windows that are open at once; beyond it the oldest ends early
};

/// Writes what repeats once: a line that was not said within the window goes out at once; its repeats are
/// counted, and when the window ends the last of them goes out with "repeated=N over_s=S". Of a flood
/// remains one line a window.
///
/// Warnings and errors are the same when they differ in nothing but numbers; info and debug lines when they
/// do not differ. News that are better end the windows of what was worse about the same symbol or connection,
/// so that hold, live and hold again are told one by one, in their order.
class LogRepeats {
 public:
  explicit LogRepeats(LogRepeatsOptions options = {}) : options_{options} {}

  /// Appends what is to be written now: windows that ended, then the line unless it is a repeat.
  void step(LogLevel level, std::string_view text, base::LocalTime now, std::vector<LogEntry>& out);
  /// Ends the windows that are due. Calling it early or twice is harmless.
  void expire(base::LocalTime now, std::vector<LogEntry>& out);
  /// Ends all windows: nothing counted is left untold.
  void finish(base::LocalTime now, std::vector<LogEntry>& out);
  std::optional<base::LocalTime> next_deadline() const;
  /// Lines that were counted and not written.
  std::uint64_t suppressed() const { return suppressed_; }

 private:
  struct Window {
    LogLevel level = LogLevel::info;
    std::string kind;
    std::string subject;  ///< symbol or connection; empty: neither
    base::LocalTime begin{};
    std::uint64_t repeats = 0;
    std::string last;  ///< the newest repeat
  };
  static void tell(const Window& window, base::LocalTime now, std::vector<LogEntry>& out);

  LogRepeatsOptions options_;
  std::deque<Window> windows_;  ///< the oldest first
  std::uint64_t suppressed_ = 0;
};

}  // namespace phoenix::ops
