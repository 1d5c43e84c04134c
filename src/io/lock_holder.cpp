#include "io/lock_holder.hpp"

#include "io/descriptor.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

/// Which numbering of processes ours belongs to; 0: the system does not say.
std::uint64_t pid_namespace() {
  struct stat info{};
  return ::stat("/proc/self/ns/pid", &info) == 0 ? info.st_ino : 0;
}

struct flock first_byte() { return lock_of(0, 1); }

}  // namespace

struct flock lock_of(off_t start, off_t length) {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  return lock;
}

void say_holder(int fd, const std::filesystem::path& path) {
  if (::ftruncate(fd, 0) != 0) throw_errno("write", path);
  write_all(fd, fmt::format("{}\n{}\n", ::getpid(), pid_namespace()), path);
  struct flock lock = first_byte();
  if (::fcntl(fd, F_OFD_SETLK, &lock) != 0) throw_errno("lock", path);
}

std::optional<LockHolder> lock_holder(const std::filesystem::path& path) {
  const Descriptor fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (!fd.is_open()) {
    if (errno == ENOENT) return std::nullopt;
    throw_errno("open", path);
  }
  struct flock lock = first_byte();
  if (::fcntl(*fd, F_OFD_GETLK, &lock) != 0) throw_errno("ask the lock of", path);
  if (lock.l_type == F_UNLCK) return std::nullopt;

  std::array<char, 64> text{};
  const ssize_t size = ::pread(*fd, text.data(), text.size(), 0);
  LockHolder holder;
  std::uint64_t its_namespace = 0;
  const char* const end = text.data() + std::max<ssize_t>(size, 0);
  const auto [after_pid, fault] = std::from_chars(text.data(), end, holder.pid);
  if (fault == std::errc{} && after_pid != end) std::from_chars(after_pid + 1, end, its_namespace);
  const auto ours = pid_namespace();
  if (its_namespace != 0 && ours != 0 && its_namespace != ours) holder.place = LockHolder::Place::elsewhere;
  return holder;
}

std::string holder_text(const std::optional<LockHolder>& holder) {
  if (!holder || holder->pid == 0) return "process (unknown)";
  return fmt::format("process {}{}", holder->pid,
                     holder->place == LockHolder::Place::elsewhere ? " of another container" : "");
}

std::filesystem::path directory_lock_path(const std::filesystem::path& directory) {
  return directory / "lock";
}

}  // namespace phoenix::io
