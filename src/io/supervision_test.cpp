#include "io/account_lock.hpp"
#include "io/files.hpp"
#include "io/incident_log.hpp"
#include "io/latch_file.hpp"
#include "io/progress_file.hpp"
#include "io/sd_notify.hpp"
#include "io/test_support.hpp"

#include <array>
#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace phoenix::io {
namespace {

using testing::HasSubstr;

void overwrite(const std::filesystem::path& path, std::string_view content) {
  std::ofstream{path, std::ios::binary | std::ios::trunc} << content;
}
template <class Call>
std::string fault_of(Call call) {
  try {
    call();
  } catch (const FileError& fault) {
    return fault.what();
  }
  return "";
}

TEST(LatchFile, is_set_until_a_person_takes_it_away) {
  const TemporaryDirectory directory;
  const LatchFile latch{directory.path()};
  EXPECT_FALSE(latch.read());
  latch.set("drawdown\nof 5 %", base::local_time_ns(1'700'000'000'000'000'000));
  latch.set("later", base::local_time_ns(1'800'000'000'000'000'000));
  const auto record = LatchFile{directory.path()}.read();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->reason, "drawdown of 5 %") << "the first reason is the cause";
  EXPECT_EQ(record->at, base::local_time_ns(1'700'000'000'000'000'000));
  latch.clear();
  EXPECT_FALSE(latch.read());
  latch.clear();
}

TEST(LatchFile, what_cannot_be_read_counts_as_set) {
  const TemporaryDirectory directory;
  const LatchFile latch{directory.path()};
  for (const auto* content : {"", "nonsense", "at_ns=12\n", "at_ns=x\nreason=y\n", "at_ns=1\nreason=cut"}) {
    overwrite(latch.path(), content);
    EXPECT_TRUE(latch.read()) << content;
  }
  std::filesystem::remove(latch.path());
  std::filesystem::create_directory(latch.path());
  EXPECT_TRUE(latch.read());
  std::filesystem::remove(latch.path());
  ASSERT_EQ(::mkfifo(latch.path().c_str(), 0600), 0);
  EXPECT_TRUE(latch.read()) << "and nobody waits for a pipe's other end";
}

TEST(LatchFile, says_when_it_cannot_be_set) {
  const TemporaryDirectory directory;
  EXPECT_THAT(fault_of([&] { LatchFile{directory.path() / "missing"}.set("x", {}); }), HasSubstr("missing"));
}

TEST(LatchWatcher, tells_each_change_once) {
  const TemporaryDirectory directory;
  const LatchFile latch{directory.path()};
  LatchWatcher watcher{latch.path()};
  EXPECT_FALSE(watcher.poll());
  latch.set("x", {});
  EXPECT_TRUE(watcher.poll());
  EXPECT_TRUE(watcher.is_set());
  EXPECT_FALSE(watcher.poll());
  latch.clear();
  EXPECT_TRUE(watcher.poll());
  EXPECT_FALSE(watcher.is_set());
}

TEST(ProgressFile, gives_back_what_was_written_last) {
  const TemporaryDirectory directory;
  const auto path = ProgressFile::path_in(directory.path());
  EXPECT_FALSE(read_progress(path));
  ProgressFile file{path};
  EXPECT_FALSE(read_progress(path)) << "an empty file is no progress";
  const ops::Progress progress{.pid = 4711,
                               .run_epoch = 7,
                               .steps = 1ULL << 40,
                               .local_ns = -5,
                               .phase = ops::RunPhase::stopping,
                               .orders_live = 14};
  file.write({.pid = 1});
  file.write(progress);
  EXPECT_EQ(read_progress(path), progress);
}

TEST(ProgressFile, a_record_with_any_byte_changed_is_none) {
  const TemporaryDirectory directory;
  const auto path = ProgressFile::path_in(directory.path());
  ProgressFile{path}.write({.pid = 4711, .run_epoch = 7, .steps = 99});
  const std::string record = read_file(path);
  ASSERT_EQ(record.size(), 48u);
  for (std::size_t i = 0; i < record.size(); ++i) {
    std::string damaged = record;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    overwrite(path, damaged);
    EXPECT_FALSE(read_progress(path)) << "byte " << i;
  }
  overwrite(path, record.substr(0, 47));
  EXPECT_FALSE(read_progress(path));
}

TEST(AccountLock, d20_h36_a_second_process_is_refused_and_told_who_was_first) {
  const TemporaryDirectory directory;
  const auto path = account_lock_path(directory.path(), "localhost:8443", "key");
  EXPECT_FALSE(account_lock_holder(path));
  {
    const AccountLock first{path};
    EXPECT_EQ(account_lock_holder(path), static_cast<std::uint32_t>(::getpid()));
    EXPECT_THAT(fault_of([&] { AccountLock{path}; }), HasSubstr(std::to_string(::getpid())));
    EXPECT_EQ(account_lock_holder(path), static_cast<std::uint32_t>(::getpid()))
        << "asking takes nothing away";
  }
  EXPECT_FALSE(account_lock_holder(path));
  EXPECT_TRUE(std::filesystem::exists(path)) << "d20: never unlinked";
  const AccountLock again{path};
}

TEST(AccountLock, d20_a_holder_that_was_asked_a_thousand_times_still_holds) {
  const TemporaryDirectory directory;
  const auto path = account_lock_path(directory.path(), "localhost:8443", "key");
  const AccountLock first{path};
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(account_lock_holder(path));
  EXPECT_NE(fault_of([&] { AccountLock{path}; }), "");
}

TEST(AccountLock, accounts_differ_by_host_and_by_key_and_the_key_is_not_told) {
  const auto a = account_lock_path("/d", "host", "key-one");
  EXPECT_EQ(a, account_lock_path("/d", "host", "key-one"));
  EXPECT_NE(a, account_lock_path("/d", "host", "key-two"));
  EXPECT_NE(a, account_lock_path("/d", "other", "key-one"));
  EXPECT_EQ(a.string().find("key-one"), std::string::npos);
}

TEST(AccountLock, its_directory_must_be_ours_alone) {
  const TemporaryDirectory runtime;
  ::setenv("XDG_RUNTIME_DIR", runtime.path().c_str(), 1);
  const auto directory = account_lock_directory();
  EXPECT_EQ(directory, runtime.path() / "phoenix");
  ASSERT_EQ(::chmod(directory.c_str(), 0755), 0);
  EXPECT_THAT(fault_of([] { account_lock_directory(); }), HasSubstr("mode 0700"));
  std::filesystem::remove(directory);
  std::filesystem::create_directory(runtime.path() / "elsewhere");
  std::filesystem::create_directory_symlink(runtime.path() / "elsewhere", directory);
  EXPECT_THAT(fault_of([] { account_lock_directory(); }), HasSubstr("must be a directory"));
  ::setenv("XDG_RUNTIME_DIR", (runtime.path() / "gone").c_str(), 1);
  EXPECT_EQ(account_lock_directory().string(), "/tmp/phoenix-" + std::to_string(::geteuid()));
  ::unsetenv("XDG_RUNTIME_DIR");
}

ops::Incident incident(std::int64_t at, std::string_view what, std::string_view evidence = {}) {
  return {.at = base::local_time_ns(at),
          .kind = ops::IncidentKind::withdrawn,
          .subject = base::ShortText<32>{"ETHUSDC"},
          .what = base::ShortText<64>{what},
          .cost = base::milliseconds{5},
          .evidence = evidence};
}

TEST(IncidentLog, gives_back_what_was_written_whatever_the_text) {
  const TemporaryDirectory directory;
  const std::string evil = "\"quoted\" \\ \n\t\x01 \xc3\xa4 \xff end";
  {
    IncidentLog log{directory.path()};
    log.append(incident(1, "stalled", "u=41 expected=40"));
    log.append(incident(2, "evil", evil));
    EXPECT_EQ(log.failures(), 0u);
  }
  IncidentLog{directory.path()}.append(incident(3, "the next run goes on"));
  const auto history = read_incidents(directory.path());
  EXPECT_EQ(history.lines_unreadable, 0u);
  ASSERT_EQ(history.incidents.size(), 3u);
  EXPECT_EQ(history.incidents[0].at, base::local_time_ns(1));
  EXPECT_EQ(history.incidents[0].kind, ops::IncidentKind::withdrawn);
  EXPECT_EQ(history.incidents[0].subject, "ETHUSDC");
  EXPECT_EQ(history.incidents[0].what, "stalled");
  EXPECT_EQ(history.incidents[0].cost, base::milliseconds{5});
  EXPECT_EQ(history.incidents[0].evidence, "u=41 expected=40");
  EXPECT_THAT(history.incidents[1].evidence, HasSubstr("\"quoted\" \\ \n\t\x01"));
  EXPECT_EQ(history.incidents[2].what, "the next run goes on");
}

TEST(IncidentLog, v10_keeps_two_generations_and_no_more) {
  const TemporaryDirectory directory;
  IncidentLog log{directory.path(), 4096};
  for (int i = 0; i < 1000; ++i) log.append(incident(i, "again"));
  std::uintmax_t bytes = 0;
  int files = 0;
  for (const auto& file : std::filesystem::directory_iterator{directory.path()}) {
    bytes += file.file_size();
    ++files;
  }
  EXPECT_EQ(files, 2);
  EXPECT_LE(bytes, 2u * 4096);
  const auto history = read_incidents(directory.path());
  ASSERT_GT(history.incidents.size(), 30u);
  EXPECT_EQ(base::ns_of(history.incidents.back().at), 999);
  for (std::size_t i = 1; i < history.incidents.size(); ++i)
    ASSERT_EQ(base::ns_of(history.incidents[i].at), base::ns_of(history.incidents[i - 1].at) + 1);
}

TEST(IncidentLog, damaged_lines_are_counted_and_a_cut_one_swallows_nothing) {
  const TemporaryDirectory directory;
  {
    IncidentLog{directory.path()}.append(incident(1, "first"));
  }
  const auto path = directory.path() / "incidents.jsonl";
  const std::string whole = read_file(path);
  overwrite(path, whole + "not json\n{}\n[1]\n" +
                      R"({"at_ns":1,"kind":"unheard_of","subject":"","what":"","cost_ns":0,"evidence":""})" +
                      "\n" +
                      R"({"at_ns":"1","kind":"withdrawn","subject":"","what":"","cost_ns":0,"evidence":""})" +
                      "\n\xff\xfe\n" + whole.substr(0, whole.size() / 2));
  EXPECT_EQ(read_incidents(directory.path()).lines_unreadable, 7u);
  {
    IncidentLog{directory.path()}.append(incident(2, "second"));
  }
  const auto history = read_incidents(directory.path());
  EXPECT_EQ(history.lines_unreadable, 7u);
  ASSERT_EQ(history.incidents.size(), 2u);
  EXPECT_EQ(history.incidents[1].what, "second");
}

TEST(IncidentLog, a_directory_without_one_is_said) {
  const TemporaryDirectory directory;
  EXPECT_THAT(fault_of([&] { static_cast<void>(read_incidents(directory.path())); }),
              HasSubstr("incidents.jsonl"));
}

/// A service manager's end: a datagram socket of the given name.
class ManagerSocket {
 public:
  explicit ManagerSocket(const std::string& name) : fd_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto size =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (name[0] == '@' ? 0 : 1));
    EXPECT_EQ(::bind(fd_, static_cast<const sockaddr*>(static_cast<const void*>(&address)), size), 0);
  }
  ~ManagerSocket() { ::close(fd_); }
  std::string heard() const {
    std::array<char, 256> text{};
    const ssize_t size = ::recv(fd_, text.data(), text.size(), MSG_DONTWAIT);
    return size < 0 ? "nothing" : std::string{text.data(), static_cast<std::size_t>(size)};
  }

 private:
  int fd_;
};

TEST(ServiceManager, hears_datagrams_on_a_path_and_on_an_abstract_name) {
  const TemporaryDirectory directory;
  for (const std::string& name :
       {(directory.path() / "notify").string(), "@phoenix-test-" + std::to_string(::getpid())}) {
    const ManagerSocket socket{name};
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    ::setenv("WATCHDOG_USEC", "30000000", 1);
    const auto manager = ServiceManager::from_environment();
    EXPECT_EQ(manager.watchdog(), base::seconds{30});
    EXPECT_TRUE(manager.tell("READY=1\nSTATUS=quoting"));
    EXPECT_EQ(socket.heard(), "READY=1\nSTATUS=quoting");
    EXPECT_EQ(socket.heard(), "nothing");
  }
  ::unsetenv("NOTIFY_SOCKET");
  ::unsetenv("WATCHDOG_USEC");
}

TEST(ServiceManager, without_one_nothing_happens) {
  ::unsetenv("NOTIFY_SOCKET");
  const auto manager = ServiceManager::from_environment();
  EXPECT_FALSE(manager.is_present());
  EXPECT_FALSE(manager.tell("READY=1"));
  EXPECT_FALSE(ServiceManager{"/nowhere/at/all"}.tell("READY=1"));
  EXPECT_FALSE(ServiceManager{std::string(200, 'x')}.tell("READY=1")) << "longer than any socket's name";
}

}  // namespace
}  // namespace phoenix::io
