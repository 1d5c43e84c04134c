#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include <fcntl.h>

namespace phoenix::io {

/// Who holds the lock of a directory or an account, as the holder wrote it into the lock's file.
struct LockHolder {
  /// elsewhere: `pid` counts in another container, and is some other process here.
  enum class Place : std::uint8_t { here, elsewhere };

  std::uint32_t pid = 0;  ///< 0: it did not say
  Place place = Place::here;
  friend bool operator==(const LockHolder&, const LockHolder&) = default;
};

/// Part of a file, for locks of an open file description: unlike those of `flock` they can be asked for
/// without being taken, and unlike those of a process they do not fall when some other descriptor of the file
/// is closed. `length` 0: to the file's end, wherever that comes to be.
struct flock lock_of(off_t start, off_t length);

/// Writes who we are into the file of a lock that we have taken. FileError on failure.
///
/// What was written counts only under a second lock, on the first byte, which is taken after the writing and
/// falls with the descriptor: whoever asks meanwhile never takes the number of a former holder for ours.
void say_holder(int fd, const std::filesystem::path& path);

/// Empty when nobody holds it. Only looks: asking never keeps anybody from taking the lock. FileError when
/// the file is there and cannot be asked.
std::optional<LockHolder> lock_holder(const std::filesystem::path& path);

/// For people: "process 4711", "process 1 of another container", "process (unknown)".
std::string holder_text(const std::optional<LockHolder>& holder);

/// The file of a DirectoryLock (io/files.hpp).
std::filesystem::path directory_lock_path(const std::filesystem::path& directory);

}  // namespace phoenix::io
