#include "base/rng.hpp"
#include "io/journal_writer.hpp"
#include "io/mapped_ring.hpp"
#include "io/temporary_directory.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

namespace fs = std::filesystem;
using base::milliseconds;
using record::journal_kind_consumed;
using record::journal_kind_raw;
using record::journal_kind_row;
using record::JournalAlarm;
using record::JournalRecord;

class JournalWriterTest : public testing::Test {
 protected:
  ~JournalWriterTest() override {
    for (const auto& path : mounted_) ::umount2(path.c_str(), MNT_DETACH);
  }

  JournalWriterOptions options(std::uint32_t epoch) {
    JournalWriterOptions made;
    made.run_epoch = epoch;
    made.program = "test";
    made.settings.reserve_bytes = 1U << 20;
    made.settings.backoff_min = milliseconds{1};
    made.settings.backoff_max = milliseconds{5};
    made.raw_ring_bytes = 1U << 20;
    made.engine_ring_bytes = 256U << 10;
    made.poll_interval = milliseconds{1};
    made.on_notice = [this](const record::JournalNotice& notice) {
      const std::lock_guard lock{mutex_};
      ++notices_[notice.alarm];
      changed_.notify_all();
    };
    made.on_sealed = [this](const JournalWriterOptions::Sealed& sealed) {
      const std::lock_guard lock{mutex_};
      sealed_.push_back(sealed);
      changed_.notify_all();
    };
    return made;
  }

  template <class Condition>
  bool wait(Condition condition) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, std::chrono::seconds{60}, condition);
  }
  bool wait_notice(JournalAlarm alarm) {
    return wait([&] { return notices_[alarm] != 0; });
  }
  bool wait_sealed(std::size_t count) {
    return wait([&] { return sealed_.size() >= count; });
  }

  bool mount_tmpfs(const fs::path& path, unsigned long flags, const char* data) {
    if (::mount("tmpfs", path.c_str(), "tmpfs", flags, data) != 0) return false;
    mounted_.push_back(path);
    return true;
  }
  void unmount(const fs::path& path) {
    ASSERT_EQ(::umount2(path.c_str(), MNT_DETACH), 0);
    mounted_.erase(std::find(mounted_.begin(), mounted_.end(), path));
  }

  struct Content {
    std::vector<std::string> raw, engine;  ///< payloads in the order of their sequences
    std::uint64_t lost = 0, lost_unknown = 0;
    std::vector<std::string> causes;
  };
  /// Everything a run left in sealed segments: hole-free, each once, a consumption behind what it consumed.
  Content read_run(std::uint32_t epoch) { return read_run(epoch, {directory_ / "journal"}); }
  Content read_run(std::uint32_t epoch, const std::vector<fs::path>& places) {
    std::map<std::uint32_t, fs::path> segments;
    for (const auto& place : places) {
      for (const auto& entry : fs::directory_iterator(place)) {
        const auto file = record::parse_segment_name(entry.path().filename().string());
        if (!file || file->id.epoch != epoch) continue;
        EXPECT_EQ(file->state, record::SegmentState::sealed) << entry.path();
        EXPECT_TRUE(segments.emplace(file->id.number, entry.path()).second) << entry.path();
      }
    }
    Content found;
    std::uint64_t next[2] = {0, 0};
    for (const auto& [number, path] : segments) {
      const MappedFile file{path};
      record::JournalReader reader{file.bytes()};
      while (const auto record = reader.next()) take(*record, next, found);
      EXPECT_FALSE(reader.fault()) << path << " " << name(*reader.fault());
      EXPECT_TRUE(reader.seal()) << path;
    }
    return found;
  }

  static void take(const JournalRecord& record, std::uint64_t (&next)[2], Content& found) {
    if (const auto lost = record::decode_lost(record)) {
      auto& expected = next[static_cast<std::size_t>(lost->origin)];
      if (lost->count == 0) {
        ++found.lost_unknown;
      } else {
        EXPECT_EQ(lost->first, expected);
        expected += lost->count;
        found.lost += lost->count;
      }
      found.causes.push_back(lost->cause);
      return;
    }
    const auto origin = *record::origin_of(record.kind);
    if (origin == record::Origin::journal) return;
    auto& expected = next[static_cast<std::size_t>(origin)];
    EXPECT_EQ(record.sequence, expected) << name(origin);
    expected = record.sequence + 1;
    (origin == record::Origin::network ? found.raw : found.engine).emplace_back(record.payload);
    if (record.kind == journal_kind_consumed) {
      std::uint64_t raw = 0;
      std::memcpy(&raw, record.payload.data(), sizeof raw);
      EXPECT_LT(raw, next[0]) << "consumed before it was read";
    }
  }

  const TemporaryDirectory place_;
  const fs::path directory_ = place_.path();
  RealClock clock_;
  std::vector<fs::path> mounted_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<JournalAlarm, int> notices_;
  std::vector<JournalWriterOptions::Sealed> sealed_;
};

std::string payload_of(std::uint64_t sequence) {
  return fmt::format("{}:{}", sequence,
                     std::string(sequence * 7919 % 700, static_cast<char>('a' + sequence % 26)));
}

/// Appends until it is taken; a full ring is waited for.
std::uint64_t append_patiently(JournalWriter& journal, const RealClock& clock, std::string_view payload) {
  for (;;) {
    if (const auto sequence = journal.append_raw(clock.now(), "h", payload)) return *sequence;
    std::this_thread::yield();
  }
}

TEST_F(JournalWriterTest, h02_a_graceful_end_seals_everything_and_leaves_no_ring) {
  {
    JournalWriter journal{directory_, clock_, options(1)};
    journal.append_input(clock_.now(), record::journal_kind_start, {}, "{}");
    for (std::uint64_t i = 0; i < 500; ++i) {
      const auto raw = journal.append_raw(clock_.now(), "head", payload_of(i));
      ASSERT_EQ(raw, i);
      ASSERT_TRUE(journal.append_consumed(clock_.now(), *raw));
      ASSERT_TRUE(journal.append_row(clock_.now(), "row"));
    }
  }
  const auto content = read_run(1);
  ASSERT_EQ(content.raw.size(), 500U);
  EXPECT_EQ(content.raw[3], "head" + payload_of(3));
  EXPECT_EQ(content.engine.size(), 1001U);
  EXPECT_EQ(content.lost, 0U);
  EXPECT_EQ(sealed_.size(), 1U);
  EXPECT_EQ(sealed_[0].reason, record::SealReason::closed);
  EXPECT_FALSE(fs::exists(directory_ / "journal" / "raw.ring"));
  EXPECT_FALSE(fs::exists(directory_ / "journal" / "reserve"));
}

TEST_F(JournalWriterTest, h36_a_second_writer_of_the_directory_is_refused_in_one_line) {
  JournalWriter journal{directory_, clock_, options(1)};
  try {
    JournalWriter second{directory_, clock_, options(2)};
    FAIL() << "two writers in one directory";
  } catch (const FileError& fault) {
    EXPECT_NE(std::string{fault.what()}.find("is in use by process"), std::string::npos) << fault.what();
    EXPECT_EQ(std::string{fault.what()}.find('\n'), std::string::npos);
  }
}

TEST_F(JournalWriterTest, a_newer_format_is_refused_and_nothing_is_changed) {
  fs::create_directories(directory_ / "journal");
  std::ofstream{directory_ / "journal" / "00000001-000003.open"} << "PHXJRN02 something";
  std::ofstream{directory_ / "journal" / "00000001-000004.open"} << "garbage";
  EXPECT_THROW(JournalWriter(directory_, clock_, options(2)), FileError);
  EXPECT_TRUE(fs::exists(directory_ / "journal" / "00000001-000003.open"));
  EXPECT_TRUE(fs::exists(directory_ / "journal" / "00000001-000004.open"));
}

TEST_F(JournalWriterTest, an_epoch_that_was_used_is_refused) {
  {
    JournalWriter journal{directory_, clock_, options(5)};
  }
  EXPECT_THROW(JournalWriter(directory_, clock_, options(5)), FileError);
}

TEST_F(JournalWriterTest, a_segment_is_sealed_when_asked_for) {
  JournalWriter journal{directory_, clock_, options(1)};
  append_patiently(journal, clock_, "x");
  journal.roll();
  ASSERT_TRUE(wait_sealed(1));
  EXPECT_TRUE(fs::exists(sealed_[0].path));
  EXPECT_EQ(sealed_[0].id, (record::SegmentId{1, 0}));
}

TEST_F(JournalWriterTest, i04_a_full_ring_refuses_counts_and_names_what_it_refused) {
  std::mutex gate;
  std::atomic<bool> blocked{false};
  auto made = options(1);
  made.intercept = [&](const record::JournalOperation& operation) -> std::optional<int> {
    if (!std::holds_alternative<record::SyncSegment>(operation)) return std::nullopt;
    blocked = true;
    const std::lock_guard wait_for_the_test{gate};
    return std::nullopt;
  };
  std::uint64_t taken = 0, refused = 0;
  {
    std::unique_lock closed{gate};
    JournalWriter journal{directory_, clock_, made};
    append_patiently(journal, clock_, "first");
    while (!blocked) std::this_thread::yield();
    const std::string body(4000, 'b');
    while (refused < 100) ++(journal.append_raw(clock_.now(), {}, body) ? taken : refused);
    EXPECT_EQ(journal.stats().raw_ring.dropped, 100U);
    EXPECT_GT(journal.stats().raw_waiting_bytes, 900'000U);
    closed.unlock();
  }
  const auto content = read_run(1);
  EXPECT_EQ(content.raw.size(), taken + 1);
  EXPECT_EQ(content.lost, 100U);
}

TEST_F(JournalWriterTest, d02_h11_a_disk_that_takes_long_to_sync_holds_up_nobody_and_loses_nothing) {
  std::mutex gate;
  std::atomic<bool> blocked{false};
  auto made = options(1);
  made.settings.sync_interval = milliseconds{1};
  made.intercept = [&](const record::JournalOperation& operation) -> std::optional<int> {
    if (!std::holds_alternative<record::SyncSegment>(operation)) return std::nullopt;
    blocked = true;
    const std::lock_guard wait_for_the_test{gate};
    return std::nullopt;
  };
  {
    std::unique_lock closed{gate};
    JournalWriter journal{directory_, clock_, made};
    append_patiently(journal, clock_, payload_of(0));
    while (!blocked) std::this_thread::yield();
    // The journal's thread stands in a sync: these would never return if they waited for it.
    for (std::uint64_t i = 1; i < 1000; ++i)
      ASSERT_TRUE(journal.append_raw(clock_.now(), "h", payload_of(i)));
    const auto stats = journal.stats();
    EXPECT_EQ(stats.journal.records_durable, 0U);
    EXPECT_GT(stats.sync_lag.count(), 0);
    closed.unlock();
  }
  EXPECT_EQ(read_run(1).raw.size(), 1000U);
}

TEST_F(JournalWriterTest, d03_a_failed_sync_costs_the_segment_and_no_record) {
  std::atomic<int> failures{0};
  auto made = options(1);
  made.settings.sync_interval = milliseconds{1};
  made.intercept = [&](const record::JournalOperation& operation) -> std::optional<int> {
    if (!std::holds_alternative<record::SyncSegment>(operation)) return std::nullopt;
    return failures.exchange(0) != 0 ? std::optional{EIO} : std::nullopt;
  };
  {
    JournalWriter journal{directory_, clock_, made};
    for (std::uint64_t i = 0; i < 3000; ++i) {
      append_patiently(journal, clock_, payload_of(i));
      if (i % 500 == 250) failures = 1;
      if (i % 500 == 400) journal.roll();
    }
    ASSERT_TRUE(wait_notice(JournalAlarm::segment_dead));
    ASSERT_TRUE(wait_notice(JournalAlarm::works_again));
  }
  const auto content = read_run(1);
  ASSERT_EQ(content.raw.size() + content.lost, 3000 + content.lost);
}

TEST_F(JournalWriterTest, d03_a_place_that_keeps_failing_is_left_for_the_second_one) {
  auto made = options(1);
  made.second_directory = directory_ / "second";
  std::atomic<bool> broken{false};
  std::atomic<record::Place> place{record::Place::first};
  made.intercept = [&](const record::JournalOperation& operation) -> std::optional<int> {
    if (const auto* create = std::get_if<record::CreateSegment>(&operation)) place = create->place;
    const bool io = std::holds_alternative<record::WriteSegment>(operation);
    return io && broken && place == record::Place::first ? std::optional{EIO} : std::nullopt;
  };
  {
    JournalWriter journal{directory_, clock_, made};
    for (std::uint64_t i = 0; i < 100; ++i) append_patiently(journal, clock_, payload_of(i));
    broken = true;
    for (std::uint64_t i = 100; i < 200; ++i) append_patiently(journal, clock_, payload_of(i));
    ASSERT_TRUE(wait_notice(JournalAlarm::second_place));
    ASSERT_TRUE(wait_notice(JournalAlarm::works_again));
  }
  EXPECT_EQ(read_run(1, {directory_ / "journal", directory_ / "second" / "journal"}).raw.size(), 200U);
}

TEST_F(JournalWriterTest, d06_h06_a_removed_directory_is_made_again_and_what_the_open_segment_held_is_saved) {
  auto made = options(1);
  made.settings.check_interval = milliseconds{2};
  made.ring_directory = directory_;
  {
    JournalWriter journal{directory_, clock_, made};
    for (std::uint64_t i = 0; i < 100; ++i) append_patiently(journal, clock_, payload_of(i));
    while (journal.stats().journal.records_durable < 100) std::this_thread::yield();
    fs::rename(directory_ / "journal", directory_ / "gone");
    fs::remove_all(directory_ / "gone");
    ASSERT_TRUE(wait_notice(JournalAlarm::segment_dead));
    for (std::uint64_t i = 100; i < 200; ++i) append_patiently(journal, clock_, payload_of(i));
    ASSERT_TRUE(wait_notice(JournalAlarm::works_again));
  }
  EXPECT_EQ(read_run(1).raw.size(), 200U);
}

TEST_F(JournalWriterTest, d06_a_read_only_directory_put_over_ours_is_noticed_and_survived) {
  auto made = options(1);
  made.settings.check_interval = milliseconds{2};
  made.ring_directory = directory_;
  {
    JournalWriter journal{directory_, clock_, made};
    for (std::uint64_t i = 0; i < 100; ++i) append_patiently(journal, clock_, payload_of(i));
    if (!mount_tmpfs(directory_ / "journal", MS_RDONLY, "")) GTEST_SKIP() << "mounting needs root";
    ASSERT_TRUE(wait_notice(JournalAlarm::cannot_write));
    EXPECT_FALSE(journal.stats().journal.fault.empty());
    for (std::uint64_t i = 100; i < 200; ++i) append_patiently(journal, clock_, payload_of(i));
    unmount(directory_ / "journal");
    ASSERT_TRUE(wait_notice(JournalAlarm::works_again));
  }
  EXPECT_EQ(read_run(1).raw.size(), 200U);
}

TEST_F(JournalWriterTest,
       d01_h06_a_full_disk_closes_cleanly_holds_in_the_ring_names_its_loss_and_resumes_alone) {
  const auto disk = directory_ / "disk";
  fs::create_directories(disk);
  if (!mount_tmpfs(disk, 0, "size=8m")) GTEST_SKIP() << "mounting needs root";
  auto made = options(1);
  made.ring_directory = directory_;
  std::uint64_t taken = 0, refused = 0;
  {
    JournalWriter journal{disk, clock_, made};
    std::ofstream filler{disk / "filler"};
    filler << std::string(5U << 20, 'f') << std::flush;
    const std::string body(10'000, 'b');
    const auto push = [&] { ++(journal.append_raw(clock_.now(), {}, body) ? taken : refused); };
    while (journal.stats().journal.fault.empty()) push();
    ASSERT_TRUE(wait([&] {
      return std::any_of(sealed_.begin(), sealed_.end(),
                         [](const auto& one) { return one.reason == record::SealReason::disk_full; });
    }));
    refused = journal.stats().raw_ring.dropped;
    while (refused == 0) push();
    EXPECT_EQ(journal.stats().journal.fault, "the disk is full");
    filler.close();
    fs::remove(disk / "filler");
    ASSERT_TRUE(wait_notice(JournalAlarm::works_again));
    push();
    taken = journal.stats().raw_ring.pushed;
    refused = journal.stats().raw_ring.dropped;
    EXPECT_EQ(journal.stats().journal.segments_dead, 0U);
  }
  const auto content = read_run(1, {disk / "journal"});
  EXPECT_EQ(content.raw.size(), taken);
  EXPECT_EQ(content.lost, refused);
  EXPECT_GT(refused, 0U);
}

// --- process death
// -----------------------------------------------------------------------------------------------

/// What a process about to be killed has been promised: appended and answered.
struct Promised {
  std::atomic<std::uint64_t> raw, engine;
};

/// Never returns: two producers at full speed, rings that are nearly always full, segments of a few hundred
/// kilobytes.
[[noreturn]] void write_until_killed(const fs::path& directory, JournalWriterOptions options,
                                     std::uint64_t seed, Promised& promised) {
  options.on_notice = nullptr;
  options.on_sealed = nullptr;
  options.settings.segment_bytes_max = 300'000;
  options.settings.sync_interval = milliseconds{static_cast<std::int64_t>(1 + seed % 5)};
  const RealClock clock;
  JournalWriter journal{directory, clock, options};
  std::thread engine{[&] {
    for (std::uint64_t i = 0, consumed = 0;; ++i) {
      while (promised.raw.load(std::memory_order_acquire) <= consumed) std::this_thread::yield();
      const bool is_row = i % 3 == 2;
      while (!(is_row ? journal.append_row(clock.now(), payload_of(i))
                      : journal.append_consumed(clock.now(), consumed)))
        ++i;  // refused: it took a number
      if (!is_row) ++consumed;
      promised.engine.fetch_add(1, std::memory_order_release);
    }
  }};
  for (;;) {
    const auto sequence = append_patiently(journal, clock, std::string(200, 'r'));
    promised.raw.store(sequence + 1, std::memory_order_release);
  }
}

TEST_F(JournalWriterTest,
       h01_h02_i15_c02_sigkill_at_any_instant_loses_and_doubles_nothing_that_was_appended) {
  const char* wanted = std::getenv("PHOENIX_JOURNAL_KILLS");
  const int kills = wanted != nullptr ? std::atoi(wanted) : 100;
  auto* promised = static_cast<Promised*>(
      ::mmap(nullptr, sizeof(Promised), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  base::Rng rng{20261121};
  std::uint64_t records = 0, from_rings = 0;
  for (int round = 0; round < kills; ++round) {
    const auto epoch = static_cast<std::uint32_t>(2 * round + 1);
    promised->raw = 0;
    promised->engine = 0;
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0)
      write_until_killed(directory_, options(epoch), static_cast<std::uint64_t>(round), *promised);
    const auto target = rng.below(4) == 0 ? rng.below(5) : rng.below(20'000);
    while (promised->raw.load() < target || promised->engine.load() < target / 8) {
      ASSERT_EQ(::waitpid(child, nullptr, WNOHANG), 0) << "the writer ended by itself";
      std::this_thread::yield();
    }
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    const auto raw = promised->raw.load(), engine = promised->engine.load();
    {
      auto made = options(epoch + 1);
      JournalWriter journal{directory_, clock_, made};
      from_rings += journal.recovery().records_from_rings;
    }
    const auto content = read_run(epoch);
    ASSERT_EQ(content.lost_unknown, 0U) << round;
    // Refused records took numbers too; the promise of the network counts numbers, the engine's counts
    // records.
    ASSERT_GE(content.raw.size() + content.lost, raw) << round;
    ASSERT_GE(content.engine.size(), engine) << round;
    ASSERT_LE(content.engine.size(), engine + 1) << round;
    records += content.raw.size();
    for (const auto& entry : fs::directory_iterator(directory_ / "journal")) {
      if (entry.path().extension() == ".seg") fs::remove(entry.path());
    }
    ASSERT_FALSE(HasFailure()) << "round " << round;
  }
  if (kills >= 50) {
    EXPECT_GT(from_rings, 0U);
  }
  RecordProperty("records", std::to_string(records));
  RecordProperty("from_rings", std::to_string(from_rings));
  ::munmap(promised, sizeof(Promised));
}

/// A run that was killed with `durable` records in its open segment and `more` in the ring alone.
void die_in_the_middle(const fs::path& directory, JournalWriterOptions options, std::uint64_t durable,
                       std::uint64_t more) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    options.on_notice = nullptr;
    options.on_sealed = nullptr;
    options.settings.sync_interval = milliseconds{1};
    options.poll_interval = milliseconds{1};
    std::atomic<bool> hold{false};
    options.intercept = [&](const record::JournalOperation& operation) -> std::optional<int> {
      const bool touches = std::holds_alternative<record::SyncSegment>(operation) ||
                           std::holds_alternative<record::WriteSegment>(operation);
      return hold && touches ? std::optional{EIO} : std::nullopt;
    };
    const RealClock clock;
    JournalWriter journal{directory, clock, options};
    for (std::uint64_t i = 0; i < durable; ++i) append_patiently(journal, clock, payload_of(i));
    while (journal.stats().journal.records_durable < durable) std::this_thread::yield();
    hold = true;
    for (std::uint64_t i = 0; i < more; ++i) append_patiently(journal, clock, payload_of(durable + i));
    ::kill(::getpid(), SIGKILL);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
}

TEST_F(JournalWriterTest, h01_what_only_the_ring_held_is_in_a_segment_of_the_dead_run) {
  die_in_the_middle(directory_, options(1), 50, 30);
  JournalWriter journal{directory_, clock_, options(2)};
  EXPECT_GE(journal.recovery().records_from_rings, 30U);
  EXPECT_FALSE(journal.recovery().after_reboot);
  const auto content = read_run(1);
  EXPECT_EQ(content.raw.size(), 80U);
  EXPECT_EQ(content.lost_unknown, 0U);
}

void change_byte(const fs::path& path, std::uint64_t offset) {
  std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
  file.seekg(static_cast<std::streamoff>(offset));
  const int was = file.get();
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(static_cast<char>(was ^ 1));
}

TEST_F(JournalWriterTest, d04_after_a_reboot_the_rings_are_not_believed_and_the_tail_gap_is_named) {
  die_in_the_middle(directory_, options(1), 50, 30);
  constexpr std::uint64_t boot_id_offset = 24;
  change_byte(directory_ / "journal" / "raw.ring", boot_id_offset);
  change_byte(directory_ / "journal" / "engine.ring", boot_id_offset);
  JournalWriter journal{directory_, clock_, options(2)};
  EXPECT_TRUE(journal.recovery().after_reboot);
  EXPECT_EQ(journal.recovery().records_from_rings, 0U);
  const auto content = read_run(1);
  EXPECT_EQ(content.raw.size(), 50U);
  EXPECT_GE(content.lost_unknown, 1U);
  ASSERT_FALSE(content.causes.empty());
  EXPECT_NE(content.causes[0].find("at most one sync interval"), std::string::npos);
}

TEST_F(JournalWriterTest, d04_a_loss_no_segment_of_the_dead_run_can_name_is_named_in_the_next_one) {
  die_in_the_middle(directory_, options(1), 50, 30);
  change_byte(directory_ / "journal" / "raw.ring", 24);
  for (const auto& entry : fs::directory_iterator(directory_ / "journal"))
    if (record::parse_segment_name(entry.path().filename().string())) fs::remove(entry.path());
  {
    JournalWriter journal{directory_, clock_, options(2)};
  }
  EXPECT_EQ(read_run(2).lost_unknown, 2U);
}

TEST_F(JournalWriterTest, d07_a_crash_in_recovery_repeats_it) {
  die_in_the_middle(directory_, options(1), 50, 30);
  const auto copy = directory_ / "copy";
  fs::copy(directory_ / "journal", copy, fs::copy_options::recursive);
  {
    JournalWriter journal{directory_, clock_, options(2)};
  }
  const auto once = read_run(1);
  // As if it had died before the rings went: they come back beside what was already recovered.
  fs::copy(copy / "raw.ring", directory_ / "journal" / "raw.ring");
  fs::copy(copy / "engine.ring", directory_ / "journal" / "engine.ring");
  {
    JournalWriter journal{directory_, clock_, options(3)};
  }
  EXPECT_EQ(read_run(1).raw, once.raw);
}

// --- the ring
// ------------------------------------------------------------------------------------------------------

TEST_F(JournalWriterTest, ring_gives_back_what_was_pushed_and_reuses_only_what_was_released) {
  MappedRing ring{directory_ / "ring", 4096, 1};
  base::Rng rng{5};
  std::vector<std::string> pushed;
  std::size_t read = 0, released = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string record(rng.below(600), static_cast<char>('a' + i % 26));
    const auto half = record.size() / 2;
    const std::span<const std::byte> bytes{reinterpret_cast<const std::byte*>(record.data()), record.size()};
    if (ring.try_push(bytes.subspan(0, half), bytes.subspan(half))) pushed.push_back(record);
    if (rng.below(2) == 0) {
      const auto tail = ring.tail();
      while (const auto got = ring.read_before(tail)) ASSERT_EQ(*got, pushed[read++]);
      if (rng.below(2) == 0) {
        ring.release();
        released = read;
      }
    }
    auto left = RingLeftover::open(directory_ / "ring");
    ASSERT_TRUE(left && left->is_trusted());
    if (i % 50 == 0) {
      std::size_t at = released;
      while (const auto got = left->next()) ASSERT_EQ(*got, pushed[at++]);
      ASSERT_FALSE(left->is_damaged());
      ASSERT_EQ(at, pushed.size());
    }
  }
  EXPECT_GT(ring.stats().dropped, 0U);
  EXPECT_EQ(ring.stats().pushed, pushed.size());
}

TEST_F(JournalWriterTest, ring_of_any_bytes_is_read_without_harm) {
  {
    MappedRing ring{directory_ / "ring", 4096, 1};
  }
  base::Rng rng{6};
  for (int i = 0; i < 500; ++i) {
    {
      std::fstream file{directory_ / "ring", std::ios::in | std::ios::out | std::ios::binary};
      for (int k = 0; k < 40; ++k) {
        // Positions and lengths, leaving magic and boot id whole now and then.
        const auto offset = rng.below(2) == 0 ? 64 + rng.below(128) : 4096 + rng.below(4096);
        file.seekp(static_cast<std::streamoff>(offset));
        file.put(static_cast<char>(rng.below(3) == 0 ? rng.next() : 0));
      }
    }
    auto left = RingLeftover::open(directory_ / "ring");
    if (!left) continue;
    std::size_t bytes = 0;
    while (const auto got = left->next()) {
      for (const char byte : *got) bytes += static_cast<unsigned char>(byte) == 1 ? 1 : 0;
    }
    ASSERT_LE(bytes, 4096U);
  }
}

TEST_F(JournalWriterTest, ring_of_another_version_is_refused) {
  std::ofstream{directory_ / "ring"} << "PHXRING9" << std::string(9000, '\0');
  EXPECT_THROW(RingLeftover::open(directory_ / "ring"), FileError);
}

}  // namespace
}  // namespace phoenix::io
