#include "io/process.hpp"

#include "io/files.hpp"
#include "io/lock_holder.hpp"
#include "io/test_support.hpp"

#include <array>
#include <csignal>
#include <fstream>

#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

/// A child that waits for its end.
pid_t waiting_child() {
  std::array<std::string, 2> words{"sleep", "1000"};
  std::array<char*, 3> arguments{words[0].data(), words[1].data(), nullptr};
  pid_t pid = 0;
  EXPECT_EQ(::posix_spawnp(&pid, "sleep", nullptr, nullptr, arguments.data(), environ), 0);
  return pid;
}
bool has_ended(const Process& process) {
  pollfd fd{.fd = process.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&fd, 1, 0) == 1;
}

TEST(Process, takes_a_signal_and_is_seen_to_end) {
  const pid_t child = waiting_child();
  const auto process = Process::open(static_cast<std::uint32_t>(child));
  ASSERT_TRUE(process);
  EXPECT_FALSE(has_ended(*process));
  EXPECT_TRUE(process->signal(SIGTERM));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(has_ended(*process));
  EXPECT_FALSE(process->signal(SIGTERM)) << "whoever has its number now is not meant";
}

TEST(Process, that_is_not_there_cannot_be_opened) {
  const pid_t child = waiting_child();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_FALSE(Process::open(static_cast<std::uint32_t>(child)));
}

TEST(Process, that_holds_a_lock_is_found_by_it) {
  const TemporaryDirectory directory;
  const auto lock = directory_lock_path(directory.path());
  EXPECT_FALSE(Process::holding(lock));
  {
    const DirectoryLock held{directory.path()};
    const auto process = Process::holding(lock);
    ASSERT_TRUE(process);
    EXPECT_EQ(process->pid(), static_cast<std::uint32_t>(::getpid()));
    std::ofstream{lock, std::ios::trunc} << "1\n4026531000\n";
    EXPECT_FALSE(Process::holding(lock)) << "process 1 of another container is not process 1 of ours";
  }
  EXPECT_FALSE(Process::holding(lock));
}

}  // namespace
}  // namespace phoenix::io
