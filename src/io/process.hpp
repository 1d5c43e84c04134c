#pragma once

#include "io/descriptor.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>

namespace phoenix::io {

/// Another process, pinned by a descriptor: that its number is used again is noticed, and what was meant for
/// it never meets a stranger.
class Process {
 public:
  /// Empty when there is none of this number.
  static std::optional<Process> open(std::uint32_t pid);
  /// The one that holds the lock in this file (io/lock_holder.hpp). Empty when nobody does, or one that is
  /// not to be reached from here. FileError when the file is there and cannot be asked.
  static std::optional<Process> holding(const std::filesystem::path& lock);

  std::uint32_t pid() const { return pid_; }
  /// Readable once it has ended; for poll.
  int fd() const { return *fd_; }
  /// False when it has ended, or is another user's.
  bool signal(int number) const;

 private:
  Process(std::uint32_t pid, Descriptor fd) : pid_{pid}, fd_{std::move(fd)} {}

  std::uint32_t pid_;
  Descriptor fd_;
};

}  // namespace phoenix::io
