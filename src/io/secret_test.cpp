#include "io/secret.hpp"

#include "io/files.hpp"
#include "io/temporary_directory.hpp"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/crypto.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

using testing::HasSubstr;

/// The VmFlags of the mapping that holds `address`, as the kernel tells them.
std::string flags_of(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps{"/proc/self/smaps"};
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    char dash = 0;
    std::istringstream first{line};
    if (first >> std::hex >> begin >> dash >> end && dash == '-') inside = begin <= wanted && wanted < end;
    if (inside && line.starts_with("VmFlags:")) return line + " ";
  }
  return {};
}

TEST(Secret, lies_in_memory_that_is_locked_and_in_no_core_file) {
  const Secret secret{"not for everybody"};
  EXPECT_EQ(secret.view(), "not for everybody");
  const auto flags = flags_of(secret.view().data());
  EXPECT_THAT(flags, HasSubstr(" dd "));
  if (secret_memory_trouble().empty()) {
    EXPECT_THAT(flags, HasSubstr(" lo "));
  }
}

TEST(Secret, says_what_to_do_where_memory_cannot_be_locked) {
  const auto trouble = secret_memory_trouble();
  if (trouble.empty()) GTEST_SKIP() << "memory can be locked here";
  EXPECT_THAT(trouble, HasSubstr("LimitMEMLOCK"));
}

TEST(Secret, moves_and_leaves_nothing_behind) {
  Secret first{"first"}, second{"second"};
  const char* const place = first.view().data();
  Secret moved{std::move(first)};
  EXPECT_EQ(moved.view().data(), place);
  second = std::move(moved);
  EXPECT_EQ(second.view(), "first");
  EXPECT_TRUE(Secret{}.empty());
  EXPECT_TRUE(Secret{""}.empty());
}

TEST(Secret, ends_with_a_zero_that_does_not_count) {
  Secret joined{"NAME", "=", "value"};
  EXPECT_EQ(joined.view(), "NAME=value");
  EXPECT_EQ(joined.c_str()[joined.view().size()], '\0');
}

TEST(Secret, is_wiped_when_it_goes) {
  const Secret stays{"stays"};  // the heap is not given back as long as it is used
  const char* place = nullptr;
  {
    const Secret goes{"0123456789abcdef0123456789abcdef-and-more"};
    place = goes.view().data();
  }
  const std::string_view left{place, 41};
  EXPECT_EQ(left.find("9abcdef-and"), std::string_view::npos);
}

TEST(Secret, gives_back_what_it_took) {
  const Secret stays{"stays"};
  const auto before = CRYPTO_secure_used();
  for (int i = 0; i < 10'000; ++i) const Secret passing{std::string(100, 'x')};
  EXPECT_EQ(CRYPTO_secure_used(), before);
}

class SecretFile : public testing::Test {
 protected:
  void write(const std::string& text, mode_t mode = 0600) {
    std::ofstream{path_} << text;
    ::chmod(path_.c_str(), mode);
  }
  static std::string fault(const std::filesystem::path& path) {
    try {
      static_cast<void>(read_secret_file(path, "thing"));
    } catch (const FileError& error) {
      return error.what();
    }
    return {};
  }
  const TemporaryDirectory place_;
  const std::filesystem::path directory_ = place_.path(), path_ = directory_ / "secret";
};

TEST_F(SecretFile, is_read_whole) {
  write("line\nline\n");
  EXPECT_EQ(read_secret_file(path_, "thing").view(), "line\nline\n");
  write("");
  EXPECT_TRUE(read_secret_file(path_, "thing").empty());
}

TEST_F(SecretFile, is_refused_when_others_may_read_it) {
  for (const mode_t mode : {0604U, 0640U, 0660U, 0644U}) {
    write("x", mode);
    EXPECT_EQ(fault(path_),
              fmt::format("{}: the thing must have mode 0600, was {:04o}", path_.string(), mode));
  }
  write("x", 0400);
  EXPECT_EQ(fault(path_), "");
}

TEST_F(SecretFile, is_refused_when_it_is_no_file_of_ours) {
  write("x");
  const auto link = directory_ / "link";
  std::filesystem::create_symlink(path_, link);
  EXPECT_EQ(fault(link), link.string() + ": the thing must not be a symbolic link");
  const auto pipe = directory_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(fault(pipe), pipe.string() + ": the thing must be a regular file");
  EXPECT_EQ(fault(directory_ / "none"), (directory_ / "none").string() + ": cannot read the thing");
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(path_.c_str(), 65'534, 65'534), 0);
    EXPECT_EQ(fault(path_), path_.string() + ": the thing must belong to the user who runs phoenix");
  }
}

TEST_F(SecretFile, is_refused_when_it_is_too_long_for_one) {
  write(std::string(16'385, 'x'));
  EXPECT_THAT(fault(path_), HasSubstr("must not be longer than 16384 bytes"));
}

TEST(TakeFromEnvironment, leaves_nothing_there) {
  ::setenv("PHOENIX_TEST_SECRET", "s3cret", 1);
  const char* const place = ::getenv("PHOENIX_TEST_SECRET");
  EXPECT_EQ(take_from_environment("PHOENIX_TEST_SECRET").view(), "s3cret");
  EXPECT_EQ(::getenv("PHOENIX_TEST_SECRET"), nullptr);
  EXPECT_EQ(*place, '\0');
  EXPECT_TRUE(take_from_environment("PHOENIX_TEST_SECRET").empty());
}

TEST(SealProcess, leaves_no_core_file_and_lets_nobody_attach) {
  EXPECT_EXIT(
      {
        seal_process();
        rlimit core{};
        ::getrlimit(RLIMIT_CORE, &core);
        ::_exit(core.rlim_cur == 0 && ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 7 : 8);
      },
      testing::ExitedWithCode(7), "");
}

TEST(RandomHex, draws_anew_each_time) {
  const auto first = random_hex(16), second = random_hex(16);
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(first.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace phoenix::io
