#pragma once

#include "io/files.hpp"

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

/// For the files of this module.
namespace phoenix::io {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_{fd} {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept : fd_{other.release()} {}
  int operator*() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// Throws FileError "cannot WHAT PATH: REASON" with errno's reason.
[[noreturn]] inline void throw_errno(const char* what, const std::filesystem::path& path) {
  throw FileError(
      fmt::format("cannot {} {}: {}", what, path.string(), std::generic_category().message(errno)));
}

inline void write_all(int fd, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw_errno("write", path);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
}

/// What was created, renamed or removed in `directory` survives a power cut afterwards.
inline void sync_directory(const std::filesystem::path& directory) {
  const Descriptor fd{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd.is_open() || ::fsync(*fd) != 0) throw_errno("sync", directory);
}

}  // namespace phoenix::io
