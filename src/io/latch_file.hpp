#pragma once

#include "base/time.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace phoenix::io {

/// The kill latch of a data directory: a file that is there or not. While it is there nothing is quoted, by
/// this run or any later one, until a person takes it away. Any process may set it. Everything doubtful
/// counts as set: a file that cannot be read, is empty, or is no file.
class LatchFile {
 public:
  struct Record {
    base::LocalTime at{};  ///< 0 when the file does not say
    std::string reason;    ///< one line
  };

  explicit LatchFile(const std::filesystem::path& directory);

  /// Durable when it returns: file and directory are synced. The first reason stays when it is set already.
  /// On a full disk an empty file has to do. FileError when even that fails.
  void set(std::string_view reason, base::LocalTime now) const;
  /// Empty: not set.
  std::optional<Record> read() const;
  /// Durable when it returns; harmless when it is not set. FileError.
  void clear() const;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path directory_;
  std::filesystem::path path_;
};

/// Notices that the latch came or went, at the cost of one stat: fit to be asked ten times a second.
class LatchWatcher {
 public:
  explicit LatchWatcher(const std::filesystem::path& path) : path_{path} {}
  /// True when it is another than at the last call. It starts as not set.
  bool poll();
  bool is_set() const { return is_set_; }

 private:
  std::filesystem::path path_;
  bool is_set_ = false;
};

}  // namespace phoenix::io
