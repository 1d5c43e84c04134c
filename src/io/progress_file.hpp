#pragma once

#include "ops/progress.hpp"

#include <filesystem>
#include <optional>

namespace phoenix::io {

/// One record in one file, overwritten in place by one write each time and never synced: it tells the living
/// about the living, and its page outlives a killed writer.
///
///   offset  size  content, little-endian
///        0     8  "PHXPROG1"
///        8     4  pid
///       12     4  run epoch
///       16     8  steps
///       24     8  local_ns
///       32     4  orders live
///       36     1  phase
///       37     3  zero
///       40     8  FNV-1a of bytes 0..39
class ProgressFile {
 public:
  /// FileError when it cannot be created.
  explicit ProgressFile(const std::filesystem::path& path);
  ~ProgressFile();
  ProgressFile(const ProgressFile&) = delete;
  ProgressFile& operator=(const ProgressFile&) = delete;

  /// A failing write is as good as none: the watcher sees no progress.
  void write(const ops::Progress& progress);

  static std::filesystem::path path_in(const std::filesystem::path& data_dir) {
    return data_dir / "progress";
  }

 private:
  int fd_ = -1;
};

/// Empty when there is no file or its record is damaged, which a reader that meets a write may see: ask
/// again.
std::optional<ops::Progress> read_progress(const std::filesystem::path& path);

}  // namespace phoenix::io
