#include "io/process.hpp"

#include "io/lock_holder.hpp"

#include <sys/syscall.h>
#include <unistd.h>

namespace phoenix::io {

std::optional<Process> Process::open(std::uint32_t pid) {
  Descriptor fd{static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0))};
  if (!fd.is_open()) return std::nullopt;
  return Process{pid, std::move(fd)};
}

std::optional<Process> Process::holding(const std::filesystem::path& lock) {
  const auto holder = lock_holder(lock);
  if (!holder || holder->pid == 0 || holder->place != LockHolder::Place::here) return std::nullopt;
  auto process = open(holder->pid);
  // Only now is the number pinned: it may have been free, and somebody else's, since it was read.
  if (!process || lock_holder(lock) != holder) return std::nullopt;
  return process;
}

bool Process::signal(int number) const {
  return ::syscall(SYS_pidfd_send_signal, *fd_, number, nullptr, 0) == 0;
}

}  // namespace phoenix::io
