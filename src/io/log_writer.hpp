#pragma once

#include "base/ring.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace phoenix::io {

struct LogWriterOptions {
  std::size_t ring_bytes = 32U << 20;
  std::uint64_t file_bytes_max = 1ULL << 30;  ///< beyond it nothing more is written, and `full` says so
  base::Duration sync_interval = base::milliseconds{200};
};

/// Appends an input log (record/log_format.hpp) from a thread of its own, so that no fsync ever waits on the
/// engine's thread. A record that finds the ring full is dropped and counted, and leaves a hole in the
/// sequence that every reader notices.
class LogWriter {
 public:
  /// Creates `path`, which must not exist; throws FileError when it cannot.
  LogWriter(const std::filesystem::path& path, LogWriterOptions options = {});
  /// Writes and syncs what is left.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  /// One thread (the engine's).
  void append(base::LocalTime now, std::uint8_t kind, std::string_view head, std::string_view body);

  /// Any thread.
  base::RingStats ring_stats() const;
  bool full() const;
  /// Empty, or what the file did wrong; nothing is written after that.
  std::string fault() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::io
