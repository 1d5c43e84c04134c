#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace phoenix::io {

/// What a file did wrong, in one line that names it.
class FileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Reads a text file line by line without holding it: plain, .zst (any number of frames) or .gz (any number
/// of members), told apart by content. Every error is a FileError with the file and the byte offset in it:
/// cannot open, truncated or corrupt compression, a line beyond the bound.
class LineReader {
 public:
  static constexpr std::size_t line_bytes_max_default = 64u << 20;
  explicit LineReader(const std::filesystem::path& path, std::size_t line_bytes_max = line_bytes_max_default);
  ~LineReader();
  LineReader(LineReader&&) noexcept;
  LineReader& operator=(LineReader&&) noexcept;

  /// The next line without its newline (nor a carriage return before it), valid until the next call; empty at
  /// the end. A last line without newline counts.
  std::optional<std::string_view> next();
  /// Lines handed out so far.
  std::uint64_t line_number() const;
  /// Progress: bytes of the file consumed, and its size at opening.
  std::uint64_t bytes_read() const;
  std::uint64_t bytes_total() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// The whole of a small file. FileError when it cannot be read or is larger than `bytes_max`.
std::string read_file(const std::filesystem::path& path, std::size_t bytes_max = 16u << 20);

/// Replaces `path` by `content` so that any death leaves the old or the new file, never a mixture: temporary
/// file beside it, fsync, rename, fsync of the directory. `mode` is the new file's. FileError on failure.
void write_file_atomically(const std::filesystem::path& path, std::string_view content, unsigned mode = 0644);

/// The number of this start of the program, part of every client order id.
class RunEpoch {
 public:
  /// Raises the counter kept in `directory`/epoch and returns the new value (the first is 1) after it is
  /// durable. Hold the directory's lock. FileError when the file is corrupt or cannot be written: starting
  /// with a guessed epoch could use a client order id twice.
  static std::uint32_t take(const std::filesystem::path& directory);
};

/// Exclusive use of a directory, held until destruction or the death of the process. The lock file is never
/// unlinked: unlinking would let two processes lock two files of one name.
class DirectoryLock {
 public:
  /// Creates `directory` when missing. FileError naming the holder's pid when somebody else holds it.
  explicit DirectoryLock(const std::filesystem::path& directory);
  ~DirectoryLock();
  DirectoryLock(DirectoryLock&&) noexcept;
  DirectoryLock& operator=(DirectoryLock&&) noexcept;

 private:
  int fd_ = -1;
};

}  // namespace phoenix::io
