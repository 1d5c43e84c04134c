#include "io/lock_holder.hpp"

#include "io/account_lock.hpp"
#include "io/files.hpp"
#include "io/test_support.hpp"

#include <fstream>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

const auto us = static_cast<std::uint32_t>(::getpid());

void overwrite(const std::filesystem::path& path, std::string_view content) {
  std::ofstream{path, std::ios::binary | std::ios::trunc} << content;
}

TEST(LockHolder, of_a_directory_is_its_process_as_long_as_the_lock_is_held) {
  const TemporaryDirectory directory;
  const auto path = directory_lock_path(directory.path());
  EXPECT_FALSE(lock_holder(path)) << "there is no file yet";
  {
    const DirectoryLock lock{directory.path()};
    EXPECT_EQ(lock_holder(path), (LockHolder{us, LockHolder::Place::here}));
    EXPECT_EQ(lock_holder(path), (LockHolder{us, LockHolder::Place::here})) << "asking takes nothing away";
  }
  EXPECT_TRUE(std::filesystem::exists(path));
  EXPECT_FALSE(lock_holder(path)) << "what a former holder wrote says nothing";
}

TEST(LockHolder, a_lock_whose_taker_has_not_written_yet_has_no_holder) {
  const TemporaryDirectory directory;
  const auto path = directory_lock_path(directory.path());
  overwrite(path, "1\n");
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(fd, LOCK_EX | LOCK_NB), 0);
  EXPECT_FALSE(lock_holder(path)) << "process 1 held it before, and must not be taken for the one who does";
  say_holder(fd, path);
  EXPECT_EQ(lock_holder(path)->pid, us);
  ::close(fd);
}

TEST(LockHolder, one_that_counts_its_processes_elsewhere_is_no_process_of_ours) {
  const TemporaryDirectory directory;
  const DirectoryLock lock{directory.path()};
  const auto path = directory_lock_path(directory.path());
  overwrite(path, "1\n4026531000\n");
  const auto holder = lock_holder(path);
  EXPECT_EQ(holder, (LockHolder{1, LockHolder::Place::elsewhere}));
  EXPECT_EQ(holder_text(holder), "process 1 of another container");
  EXPECT_EQ(account_lock_holder(path), 0u) << "nobody may signal that number";
  overwrite(path, "17\n");
  EXPECT_EQ(lock_holder(path), (LockHolder{17, LockHolder::Place::here})) << "who did not say where is here";
  overwrite(path, "");
  EXPECT_EQ(lock_holder(path), LockHolder{});
  EXPECT_EQ(holder_text(lock_holder(path)), "process (unknown)");
}

TEST(LockHolder, an_account_is_told_by_the_same_rule) {
  const TemporaryDirectory directory;
  const auto path = account_lock_path(directory.path(), "localhost:8443", "key");
  const AccountLock lock{path};
  EXPECT_EQ(lock_holder(path), (LockHolder{us, LockHolder::Place::here}));
  EXPECT_EQ(holder_text(lock_holder(path)), "process " + std::to_string(us));
  try {
    const AccountLock second{path};
    ADD_FAILURE() << "two hold one account";
  } catch (const FileError& fault) {
    EXPECT_THAT(fault.what(),
                testing::HasSubstr("in use by process " + std::to_string(us) + " on this machine"));
  }
}

}  // namespace
}  // namespace phoenix::io
