#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace phoenix::io {

/// Who holds the lock of a directory or an account, as the holder wrote it into the lock's file.
struct LockHolder {
  /// elsewhere: `pid` counts in another container, and is some other process here.
  enum class Place : std::uint8_t { here, elsewhere };

  std::uint32_t pid = 0;  ///< 0: it did not say
  Place place = Place::here;
  friend bool operator==(const LockHolder&, const LockHolder&) = default;
};

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
