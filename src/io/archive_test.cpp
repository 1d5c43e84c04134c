#include "io/archive.hpp"

#include "base/rng.hpp"
#include "io/duck.hpp"
#include "io/parquet_writer.hpp"
#include "io/temporary_directory.hpp"
#include "record/conversion_test_kit.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace phoenix::io {
namespace {

namespace fs = std::filesystem;
using record::Kind;
using record::PartForm;
using record::SegmentId;
using record::test::hour_ns;
using record::test::second_ns;
using testing::HasSubstr;
using testing::IsEmpty;

/// A directory that goes with the test. In memory where there is such a place: the death of a process, unlike
/// a power cut, takes nothing from the page cache.
class Scratch : public TemporaryDirectory {
 public:
  Scratch()
      : TemporaryDirectory{::access("/dev/shm", W_OK) == 0 ? fs::path{"/dev/shm"}
                                                           : fs::temp_directory_path()} {
    fs::create_directories(path() / "journal");
  }
};

void write_text(const fs::path& path, std::string_view text) {
  std::ofstream{path, std::ios::binary} << text;
}

fs::path segment_file(const fs::path& directory, SegmentId id) {
  return directory / record::segment_path(id, record::SegmentState::sealed);
}

constexpr std::int64_t rows_per_segment = 300;

/// Trades and OFI rows with ids from number * rows_per_segment + 1 on, of two symbols, from `begin_ns` on;
/// one bad row.
void make_segment(const fs::path& directory, SegmentId id, std::int64_t begin_ns = hour_ns) {
  record::test::SegmentText text{id};
  for (std::int64_t i = 1; i <= rows_per_segment; ++i) {
    const std::int64_t row = id.number * rows_per_segment + i;
    const std::int64_t time = begin_ns + row * second_ns / 10;
    text.row(record::test::trade_row({.id = row, .event_time_ns = time}));
    if (i % 3 == 0)
      text.row(record::test::trade_row({.id = row, .event_time_ns = time, .symbol = "ETHUSDT"}));
    text.row(record::test::ofi_row({.id = row, .event_time_ns = time, .warmup = i < 20}));
    if (i % 50 == 0)
      text.row(record::test::depth_row(
          {.first_id = row, .last_id = row, .prev_id = row - 50, .event_time_ns = time}));
  }
  text.row(
      record::test::trade_row({.id = 1'000'000 + id.number, .event_time_ns = begin_ns, .price_raw = -1}));
  const std::string bytes = text.finish();
  write_text(directory / "segment.new", bytes);
  fs::rename(directory / "segment.new", segment_file(directory, id));
}

ArchiveOptions options_of_test() {
  ArchiveOptions options;
  options.program = "test";
  options.epoch = 9;
  options.upkeep_interval = base::hours{1};
  options.retry_min = base::milliseconds{5};
  options.retry_max = base::milliseconds{20};
  options.compaction.settle = {};
  return options;
}

/// Of the files a reader reads: how many rows, and how many different ones.
struct Count {
  std::int64_t rows = 0, distinct = 0;
};
Count count(Duck& duck, const fs::path& directory, Kind kind, std::string_view symbol, std::string_view id) {
  const auto files = find_files(directory);
  std::string list;
  for (const std::size_t i : record::live_parts(files)) {
    const auto& partition = files[i].sidecar->part.partition;
    if (partition.kind == kind && partition.symbol == symbol)
      list += sql_literal((directory / files[i].path).string()) + ",";
  }
  if (list.empty()) return {};
  auto rows = duck.query(fmt::format(
      "SELECT count(*), count(DISTINCT {}) FROM read_parquet([{}], hive_partitioning = false)", id, list));
  rows.next();
  return {rows.integer(0), rows.integer(1)};
}

void expect_every_row_once(Duck& duck, const fs::path& directory, std::int64_t segments) {
  const std::int64_t rows = segments * rows_per_segment;
  const auto is = [&](Kind kind, std::string_view symbol, std::string_view id, std::int64_t expected) {
    const Count found = count(duck, directory, kind, symbol, id);
    EXPECT_EQ(found.rows, expected) << record::name(kind) << " " << symbol;
    EXPECT_EQ(found.distinct, expected) << record::name(kind) << " " << symbol;
  };
  is(Kind::trades, "BTCUSDT", "agg_trade_id", rows);
  is(Kind::trades, "ETHUSDT", "agg_trade_id", rows / 3);
  is(Kind::ofi, "BTCUSDT", "last_id", rows);
  is(Kind::depth, "BTCUSDT", "last_id", rows / 50);
  is(Kind::coverage, "BTCUSDT", "first_id", segments);
}

std::size_t files_ending_in(const fs::path& directory, std::string_view ending) {
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator{directory})
    count += entry.path().string().ends_with(ending) ? 1U : 0U;
  return count;
}

/// What stands in the tree, with its content.
std::map<std::string, std::string> snapshot(const fs::path& directory) {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator{directory}) {
    all[entry.path().string()] = entry.is_regular_file() ? read_file(entry.path(), 64U << 20) : "";
  }
  return all;
}

// ---- A child that dies ----

/// Not a test of its own: what the dying child of the tests below does.
TEST(ArchiveChild, DISABLED_converts_and_compacts) {
  const char* directory = std::getenv("PHOENIX_TEST_DIRECTORY");
  if (directory == nullptr) GTEST_SKIP() << "run by the tests of the archive";
  const long kill_at = std::atol(std::getenv("PHOENIX_TEST_KILL_AT"));
  auto options = options_of_test();
  std::atomic<long> actions{0};
  options.workers = 1;
  options.after_action = [&](const record::FileAction&) {
    if (++actions == kill_at) ::kill(::getpid(), SIGKILL);
  };
  Archive archive{directory, options};
  EXPECT_TRUE(archive.drain(base::minutes{1}));
  archive.upkeep();
  EXPECT_EQ(archive.stats().fault, "");
}

pid_t start_child(const fs::path& directory, long kill_at) {
  std::vector<std::string> variables{"PHOENIX_TEST_DIRECTORY=" + directory.string(),
                                     fmt::format("PHOENIX_TEST_KILL_AT={}", kill_at)};
  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!std::string_view{*variable}.starts_with("GTEST_") &&
        !std::string_view{*variable}.starts_with("TEST_")) {
      environment.push_back(*variable);
    }
  }
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);
  std::string program = "/proc/self/exe", filter = "--gtest_filter=ArchiveChild.*",
              run = "--gtest_also_run_disabled_tests";
  char* const arguments[] = {program.data(), filter.data(), run.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  EXPECT_EQ(::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments, environment.data()), 0);
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

/// True when it was killed; false when it came to its end, well.
bool wait_for_death(pid_t pid) {
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  if (WIFSIGNALED(status)) return true;
  EXPECT_EQ(WEXITSTATUS(status), 0);
  return false;
}

/// What a start after a crash brings about: every row once, nothing unfinished.
void expect_recovered(Duck& duck, const fs::path& directory, std::int64_t segments) {
  const auto recovery = recover(directory, options_of_test());
  EXPECT_THAT(recovery.unexplained, IsEmpty());
  expect_every_row_once(duck, directory, segments);
  EXPECT_EQ(files_ending_in(directory, ".tmp"), 0U);
  EXPECT_EQ(files_ending_in(directory, ".seg"), 0U);
  EXPECT_EQ(files_ending_in(directory, ".ndjson"), static_cast<std::size_t>(segments));
  EXPECT_EQ(files_ending_in(directory, ".parquet"), files_ending_in(directory, ".json"));
}

TEST(Archive, h13_d7_killed_after_each_single_step_every_row_is_there_once_after_recovery) {
  // Each run of the child costs a start of DuckDB: all steps when asked for, a spread of them otherwise.
  const char* all = std::getenv("PHOENIX_KILL_ALL");
  Duck duck;
  long kills = 0, ends = 0;
  for (long n = 1; ends == 0; n += all != nullptr || n < 8 ? 1 : 5) {
    Scratch scratch;
    for (std::uint32_t number = 0; number < 2; ++number) make_segment(scratch.path(), {1, number});
    (wait_for_death(start_child(scratch.path(), n)) ? kills : ends) += 1;
    expect_recovered(duck, scratch.path(), 2);
    if (HasFailure()) FAIL() << "after step " << n;
  }
  EXPECT_GT(kills, 10);
}

TEST(Archive, h13_killed_at_random_instants_again_and_again_every_row_is_there_once) {
  const char* times = std::getenv("PHOENIX_KILLS");
  const int kills = times != nullptr ? std::atoi(times) : 12;
  Duck duck;
  base::Rng rng{0xa3c};
  Scratch scratch;
  std::uint32_t segments = 0;
  for (int i = 0; i < kills; ++i) {
    for (int more = 0; more < 2; ++more) make_segment(scratch.path(), {1, segments++});
    const pid_t pid = start_child(scratch.path(), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds{50 + rng.below(500)});
    ::kill(pid, SIGKILL);
    wait_for_death(pid);
    if (i % 3 == 2) expect_recovered(duck, scratch.path(), segments);
    if (HasFailure()) FAIL() << "kill " << i;
  }
  expect_recovered(duck, scratch.path(), segments);
}

// ---- In this process ----

TEST(Archive, converts_what_is_taken_and_says_so) {
  Scratch scratch;
  std::mutex mutex;
  std::vector<std::string> events;
  Archive archive{scratch.path(), options_of_test(), [&](ArchiveEvent event, std::string_view text) {
                    const std::lock_guard lock{mutex};
                    events.push_back(fmt::format("{} {}", name(event), text));
                  }};
  for (std::uint32_t number = 0; number < 3; ++number) {
    make_segment(scratch.path(), {1, number});
    archive.take({1, number}, segment_file(scratch.path(), {1, number}));
  }
  ASSERT_TRUE(archive.drain(base::minutes{1}));
  Duck duck;
  expect_every_row_once(duck, scratch.path(), 3);
  const auto stats = archive.stats();
  EXPECT_EQ(stats.segments_converted, 3U);
  EXPECT_EQ(stats.backlog, 0U);
  EXPECT_EQ(stats.rows_refused, 3U);
  EXPECT_EQ(stats.fault, "");
  const auto& trades = stats.kinds[static_cast<std::size_t>(Kind::trades)];
  EXPECT_EQ(trades.rows, 3U * 400U);
  EXPECT_EQ(trades.last_event_time_ns, hour_ns + 3 * rows_per_segment * second_ns / 10);
  const std::lock_guard lock{mutex};
  EXPECT_THAT(events, testing::Contains(HasSubstr("converted segment=00000001-000002 rows=")));
  EXPECT_THAT(events, testing::Contains(HasSubstr("refused segment=00000001-000000 rows_refused=1")));
}

TEST(Archive, an_hour_that_is_over_becomes_one_file_with_the_same_rows) {
  Scratch scratch;
  for (std::uint32_t number = 0; number < 3; ++number) make_segment(scratch.path(), {1, number});
  Archive archive{scratch.path(), options_of_test()};
  ASSERT_TRUE(archive.drain(base::minutes{1}));
  const auto parts = find_files(scratch.path());
  archive.upkeep();
  EXPECT_EQ(archive.stats().fault, "");
  EXPECT_EQ(archive.stats().hours_compacted, 5U);
  const auto files = find_files(scratch.path());
  EXPECT_EQ(parts.size(), 15U);
  ASSERT_EQ(files.size(), 5U);
  Duck duck;
  expect_every_row_once(duck, scratch.path(), 3);
  for (const auto& file : files) {
    EXPECT_EQ(file.sidecar->part.form, PartForm::hour);
    EXPECT_EQ(file.sidecar->segments.size(), 3U);
    if (file.sidecar->part.partition.symbol == "BTCUSDT") {
      EXPECT_THAT(file.sidecar->gaps, IsEmpty());
    }
  }
  EXPECT_GT(archive.stats().recording_bytes, 0U);
  // Levels, nulls and every other value survive: the hour's file holds what one conversion of all rows would.
  ParquetWriter writer;
  std::vector<std::string> rows;
  for (std::int64_t row = 50; row <= 3 * rows_per_segment; row += 50) {
    rows.push_back(record::test::depth_row({.first_id = row,
                                            .last_id = row,
                                            .prev_id = row - 50,
                                            .event_time_ns = hour_ns + row * second_ns / 10}));
  }
  const std::vector<std::string_view> views(rows.begin(), rows.end());
  const auto expected =
      writer.write(Kind::depth, views, scratch.path() / "expected", {"BTCUSDT", "x", "test"});
  ASSERT_TRUE(expected.has_value());
  for (const auto& file : files) {
    if (file.sidecar->part.partition.kind == Kind::depth) {
      EXPECT_EQ(file.sidecar->content_hash, expected->content_hash);
    }
  }
}

TEST(Archive, h16_rows_that_come_late_join_their_hour_at_the_next_compaction) {
  Scratch scratch;
  for (std::uint32_t number = 0; number < 2; ++number) make_segment(scratch.path(), {1, number});
  Archive archive{scratch.path(), options_of_test()};
  ASSERT_TRUE(archive.drain(base::minutes{1}));
  archive.upkeep();
  make_segment(scratch.path(), {1, 2});
  archive.take({1, 2}, segment_file(scratch.path(), {1, 2}));
  ASSERT_TRUE(archive.drain(base::minutes{1}));
  Duck duck;
  expect_every_row_once(duck, scratch.path(), 3);
  archive.upkeep();
  expect_every_row_once(duck, scratch.path(), 3);
  EXPECT_EQ(find_files(scratch.path()).size(), 5U);
}

TEST(Archive, d5_a_part_that_rotted_is_not_compacted_and_stays) {
  Scratch scratch;
  for (std::uint32_t number = 0; number < 2; ++number) make_segment(scratch.path(), {1, number});
  Archive archive{scratch.path(), options_of_test()};
  ASSERT_TRUE(archive.drain(base::minutes{1}));
  std::string victim;
  for (const auto& file : find_files(scratch.path())) {
    if (file.sidecar->part.partition.kind == Kind::ofi) victim = file.path;
  }
  std::string bytes = read_file(scratch.path() / victim);
  for (std::size_t i = 100; i < bytes.size() / 2; i += 50) bytes[i] = static_cast<char>(bytes[i] ^ 0x40);
  write_text(scratch.path() / victim, bytes);
  archive.upkeep();
  EXPECT_THAT(archive.stats().fault, HasSubstr(victim));
  EXPECT_TRUE(fs::exists(scratch.path() / victim));
}

TEST(Archive, h14_two_segments_of_one_row_and_instant_are_two_files) {
  Scratch scratch;
  for (std::uint32_t number = 0; number < 2; ++number) {
    record::test::SegmentText text{{1, number}};
    text.row(record::test::trade_row({.id = 1 + number}));
    write_text(segment_file(scratch.path(), {1, number}), text.finish());
  }
  EXPECT_EQ(recover(scratch.path(), options_of_test()).segments_converted, 2U);
  EXPECT_EQ(find_files(scratch.path()).size(), 2U);
}

TEST(Archive, segments_of_the_second_place_are_converted_too) {
  Scratch scratch, second;
  make_segment(scratch.path(), {1, 0});
  make_segment(second.path(), {1, 1});
  auto options = options_of_test();
  options.second_directory = second.path();
  EXPECT_EQ(recover(scratch.path(), options).segments_converted, 2U);
  EXPECT_FALSE(fs::exists(segment_file(second.path(), {1, 1})));
  Duck duck;
  expect_every_row_once(duck, scratch.path(), 2);
}

TEST(Archive, a_reader_beside_a_compaction_sees_every_row_once) {
  Scratch scratch;
  for (std::uint32_t number = 0; number < 6; ++number) make_segment(scratch.path(), {1, number});
  Archive archive{scratch.path(), options_of_test()};
  ASSERT_TRUE(archive.drain(base::minutes{1}));
  std::atomic<bool> done{false};
  std::thread upkeep{[&] {
    archive.upkeep();
    done = true;
  }};
  while (!done) {
    std::uint64_t rows = 0;
    const auto files = find_files(scratch.path());
    for (const std::size_t i : record::live_parts(files)) rows += files[i].sidecar->rows;
    EXPECT_EQ(rows, 6U * (400 + 300 + 6 + 1));
  }
  upkeep.join();
  EXPECT_EQ(archive.stats().fault, "");
}

TEST(Archive, a_kept_segment_is_not_converted_again) {
  Scratch scratch;
  make_segment(scratch.path(), {1, 0});
  auto options = options_of_test();
  options.segments = SegmentPolicy::keep;
  EXPECT_EQ(recover(scratch.path(), options).segments_converted, 1U);
  EXPECT_TRUE(fs::exists(segment_file(scratch.path(), {1, 0})));
  EXPECT_EQ(recover(scratch.path(), options).segments_converted, 0U);
  Duck duck;
  expect_every_row_once(duck, scratch.path(), 1);
}

TEST(Archive, h06_h08_an_unwritable_place_keeps_the_segment_and_resumes_by_itself) {
  Scratch scratch;
  Archive archive{scratch.path(), options_of_test()};
  // Not a directory: fails for everybody, root too.
  write_text(scratch.path() / "deadletter", "in the way");
  make_segment(scratch.path(), {1, 0});
  archive.take({1, 0}, segment_file(scratch.path(), {1, 0}));
  EXPECT_FALSE(archive.drain(base::milliseconds{300}));
  EXPECT_TRUE(fs::exists(segment_file(scratch.path(), {1, 0})));
  EXPECT_GE(archive.stats().conversions_failed, 1U);
  EXPECT_THAT(archive.stats().fault, HasSubstr("deadletter"));
  fs::remove(scratch.path() / "deadletter");
  ASSERT_TRUE(archive.drain(base::minutes{1}));
  EXPECT_EQ(archive.stats().fault, "");
  Duck duck;
  expect_every_row_once(duck, scratch.path(), 1);
}

/// A file system of its own in memory, or none where this is not allowed.
class SmallDisk {
 public:
  SmallDisk(const fs::path& path, const char* size) : path_{path} {
    mounted_ = ::mount("tmpfs", path.c_str(), "tmpfs", 0, fmt::format("size={}", size).c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }
  bool remount(unsigned long flags) const {
    return ::mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT | flags, nullptr) == 0;
  }

 private:
  fs::path path_;
  bool mounted_ = false;
};

TEST(Archive, h06_d1_a_full_disk_keeps_the_segment_and_resumes_by_itself) {
  Scratch scratch;
  const SmallDisk disk{scratch.path(), "1m"};
  if (!disk.mounted()) GTEST_SKIP() << "mounting a file system is not allowed here";
  fs::create_directories(scratch.path() / "journal");
  make_segment(scratch.path(), {1, 0});
  {
    std::ofstream filler{scratch.path() / "filler", std::ios::binary};
    const std::string block(4096, 'x');
    while (filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  Archive archive{scratch.path(), options_of_test()};
  EXPECT_FALSE(archive.drain(base::milliseconds{500}));
  EXPECT_TRUE(fs::exists(segment_file(scratch.path(), {1, 0})));
  EXPECT_THAT(archive.stats().fault, testing::AnyOf(HasSubstr("No space"), HasSubstr("space")));
  EXPECT_EQ(archive.stats().disk, record::DiskLevel::hold);
  fs::remove(scratch.path() / "filler");
  ASSERT_TRUE(archive.drain(base::minutes{1})) << archive.stats().fault;
  Duck duck;
  expect_every_row_once(duck, scratch.path(), 1);
}

TEST(Archive, h06_d6_a_disk_turned_read_only_keeps_the_segment_and_resumes_by_itself) {
  Scratch scratch;
  const SmallDisk disk{scratch.path(), "8m"};
  if (!disk.mounted()) GTEST_SKIP() << "mounting a file system is not allowed here";
  fs::create_directories(scratch.path() / "journal");
  make_segment(scratch.path(), {1, 0});
  Archive archive{scratch.path(), options_of_test()};
  ASSERT_TRUE(archive.drain(base::minutes{1}));
  make_segment(scratch.path(), {1, 1});
  ASSERT_TRUE(disk.remount(MS_RDONLY));
  archive.take({1, 1}, segment_file(scratch.path(), {1, 1}));
  EXPECT_FALSE(archive.drain(base::milliseconds{300}));
  EXPECT_THAT(archive.stats().fault, HasSubstr("Read-only"));
  ASSERT_TRUE(disk.remount(0));
  ASSERT_TRUE(archive.drain(base::minutes{1}));
  Duck duck;
  expect_every_row_once(duck, scratch.path(), 2);
}

TEST(Archive, only_exported_files_are_retired_each_with_its_ledger_entry) {
  Scratch scratch;
  // Two hours, far in the past.
  make_segment(scratch.path(), {1, 0}, hour_ns - 24 * 3'600 * second_ns);
  make_segment(scratch.path(), {1, 1}, hour_ns - 22 * 3'600 * second_ns);
  auto options = options_of_test();
  const fs::path taken = scratch.path() / "taken";
  options.export_command =
      fmt::format("case $1 in *kind=ofi*) exit 1;; *) echo $1 >> {};; esac", taken.string());
  options.retention.disk_bytes_max = 1;
  options.retention.exported = record::Export::required;
  Archive archive{scratch.path(), options};
  ASSERT_TRUE(archive.drain(base::minutes{1}));
  const auto before = find_files(scratch.path());
  archive.upkeep();
  EXPECT_THAT(archive.stats().fault, HasSubstr("the export command failed for "));
  EXPECT_EQ(archive.stats().files_retired, 0U) << "a failed hook stops before anything goes";

  auto good = options;
  good.export_command = fmt::format("test -f $2 && echo $1 >> {}", taken.string());
  std::size_t data_files = 0;
  for (const auto& file : before) data_files += file.sidecar->part.partition.kind == Kind::coverage ? 0U : 1U;
  {
    Archive second{scratch.path(), good};
    second.upkeep();
    EXPECT_EQ(second.stats().fault, "");
    EXPECT_EQ(second.stats().files_retired, data_files);
  }
  Duck duck;
  std::string ledger;
  for (const auto& file : find_files(scratch.path())) {
    EXPECT_EQ(file.sidecar->part.partition.kind, Kind::coverage) << file.path;
    ledger += sql_literal((scratch.path() / file.path).string()) + ",";
  }
  auto rows = duck.query(fmt::format(
      "SELECT count(*), count(DISTINCT evidence) FROM read_parquet([{}]) WHERE cause = 'retention'", ledger));
  rows.next();
  EXPECT_EQ(rows.integer(0), static_cast<std::int64_t>(data_files));
  EXPECT_EQ(rows.integer(1), static_cast<std::int64_t>(data_files));
}

TEST(Archive, a_foreign_or_newer_file_is_refused_in_one_line_and_nothing_is_changed) {
  const auto place = [](const fs::path& directory) {
    return directory / record::directory({hour_ns / (3'600 * second_ns), "BTCUSDT", Kind::trades});
  };
  const std::pair<std::string_view, std::function<void(const fs::path&)>> cases[] = {
      {"is no file of a recording", [&](const fs::path& d) { write_text(place(d) / "holiday.jpg", "x"); }},
      {"is no file of a recording", [&](const fs::path& d) { write_text(d / "raw" / "notes.txt", "x"); }},
      {"has format 7, this program reads up to 1",
       [&](const fs::path& d) {
         const fs::path path = place(d) / "part-00000001-000000.parquet.json";
         std::string json = read_file(path);
         json.replace(json.find("\"format\": 1"), 11, "\"format\": 7");
         write_text(path, json);
       }},
      {"is not a JSON object",
       [&](const fs::path& d) { write_text(place(d) / "part-00000001-000000.parquet.json", "{"); }},
      {"its sidecar says",
       [&](const fs::path& d) { write_text(place(d) / "part-00000001-000000.parquet", "PAR1"); }},
      {"is a segment of another format",
       [](const fs::path& d) { write_text(segment_file(d, {1, 9}), "PHXJRN77 and more"); }},
      {"is no segment of a journal",
       [](const fs::path& d) { write_text(segment_file(d, {1, 9}), "hello, hello"); }},
  };
  for (const auto& [message, spoil] : cases) {
    Scratch scratch;
    make_segment(scratch.path(), {1, 0});
    recover(scratch.path(), options_of_test());
    make_segment(scratch.path(), {1, 1});
    write_text(place(scratch.path()) / "part-00000001-000001.parquet.tmp", "half");
    spoil(scratch.path());
    const auto before = snapshot(scratch.path());
    try {
      recover(scratch.path(), options_of_test());
      ADD_FAILURE() << message;
    } catch (const FileError& error) {
      EXPECT_THAT(error.what(), HasSubstr(message));
      EXPECT_EQ(std::string_view{error.what()}.find('\n'), std::string_view::npos);
    }
    EXPECT_THROW(Archive(scratch.path(), options_of_test()), FileError);
    EXPECT_EQ(snapshot(scratch.path()), before) << message;
  }
}

TEST(Archive, a_directory_without_anything_is_nothing_to_recover) {
  Scratch scratch;
  const auto recovery = recover(scratch.path(), options_of_test());
  EXPECT_EQ(recovery.segments_converted, 0U);
  EXPECT_THAT(find_files(scratch.path()), IsEmpty());
}

}  // namespace
}  // namespace phoenix::io
