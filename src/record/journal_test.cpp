#include "record/journal.hpp"

#include "base/rng.hpp"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::record {
namespace {

using base::local_time_ns;
using base::LocalTime;
using base::milliseconds;
using base::seconds;

/// Files as strings, and the answer to every operation: fails what `fault` names.
class Shell {
 public:
  Shell(JournalSettings settings, bool second, LocalTime start)
      : now(start), journal{settings, {{1, 0}, "test", {}, {}, second}, start} {}

  void work() {
    while (const auto operation = journal.next(now, notices)) {
      log.push_back(std::string{name(*operation)});
      const int error = fault ? fault(*operation) : 0;
      if (error == 0) perform(*operation);
      journal.done(error, now, notices);
      ASSERT_LT(log.size(), 100000U);
    }
    for (auto& one : journal.take_sealed()) sealed.push_back(one);
  }
  void append(std::size_t bytes = 10) {
    journal.append(next++, now, journal_kind_raw, std::string(bytes, 'x'), notices);
  }
  void at(LocalTime time) {
    now = time;
    work();
  }
  void pass(base::Duration time) { at(now + time); }
  std::size_t count(JournalAlarm alarm) const {
    std::size_t found = 0;
    for (const auto& notice : notices) found += notice.alarm == alarm ? 1 : 0;
    return found;
  }
  std::size_t count(std::string_view operation) const {
    return static_cast<std::size_t>(std::count(log.begin(), log.end(), operation));
  }
  /// Sequences of the raw records in everything that was sealed; asserts each once and in order.
  std::vector<std::uint64_t> read_sealed() const {
    std::vector<std::uint64_t> found;
    for (const auto& [number, bytes] : files_sealed) {
      JournalReader reader{bytes};
      while (const auto record = reader.next()) {
        if (record->kind == journal_kind_raw) found.push_back(record->sequence);
      }
      EXPECT_FALSE(reader.fault()) << name(*reader.fault());
      EXPECT_TRUE(reader.seal());
    }
    return found;
  }

  LocalTime now;
  Journal journal;
  std::function<int(const JournalOperation&)> fault;
  std::vector<JournalNotice> notices;
  std::vector<std::string> log;
  std::vector<SealedSegment> sealed;
  std::map<std::uint32_t, std::string> files_open, files_sealed;
  std::uint64_t next = 0;
  Place place = Place::first;

 private:
  void perform(const CreateSegment& asked) {
    place = asked.place;
    open_ = asked.id.number;
    EXPECT_TRUE(files_open.emplace(open_, "").second);
  }
  void perform(const WriteSegment& asked) {
    auto& file = files_open.at(open_);
    file.resize(std::max<std::size_t>(file.size(), asked.offset + asked.bytes.size()), '\0');
    file.replace(asked.offset, asked.bytes.size(), asked.bytes);
  }
  void perform(const RenameSegment& asked) {
    files_sealed[asked.id.number] = files_open.at(asked.id.number);
    files_open.erase(asked.id.number);
  }
  void perform(const AbandonSegment& asked) { files_open.at(asked.id.number).resize(asked.bytes); }
  void perform(const RetireSegment& asked) {
    auto bytes = files_open.at(asked.id.number).substr(0, asked.bytes);
    if (asked.bytes == asked.tally.bytes) append_seal({asked.tally, SealReason::recovered}, now, bytes);
    if (asked.bytes != 0) files_sealed[asked.id.number] = bytes;
    files_open.erase(asked.id.number);
  }
  template <class Other>
  void perform(const Other&) {}
  void perform(const JournalOperation& operation) {
    std::visit([this](const auto& asked) { perform(asked); }, operation);
  }

  std::uint32_t open_ = 0;
};

/// 10 s behind a minute's border.
constexpr LocalTime start = local_time_ns(1'700'000'050'000'000'000LL);

JournalSettings no_checks() {
  JournalSettings settings;
  settings.check_interval = base::hours{24};
  return settings;
}

template <class Operation>
std::function<int(const JournalOperation&)> failing(int error, int times = 1'000'000) {
  return [error, left = times](const JournalOperation& operation) mutable {
    return std::holds_alternative<Operation>(operation) && left-- > 0 ? error : 0;
  };
}

TEST(Journal, syncs_when_the_interval_is_over_and_when_so_many_bytes_wait) {
  Shell shell{no_checks(), false, start};
  shell.work();
  shell.append();
  shell.work();
  EXPECT_EQ(shell.count("sync"), 0U);
  EXPECT_EQ(shell.journal.next_deadline(), start + milliseconds{200});
  shell.pass(milliseconds{199});
  EXPECT_EQ(shell.count("sync"), 0U);
  EXPECT_FALSE(shell.journal.all_durable());
  shell.pass(milliseconds{1});
  EXPECT_EQ(shell.count("sync"), 1U);
  EXPECT_TRUE(shell.journal.all_durable());
  shell.append(2 << 20);
  shell.work();
  EXPECT_EQ(shell.count("sync"), 2U);
}

TEST(Journal, h12_a_segment_closes_on_the_clock_without_any_record) {
  Shell shell{no_checks(), false, start};
  shell.work();
  const auto border = local_time_ns(base::ns_of(start) / 60'000'000'000 * 60'000'000'000) + seconds{60};
  EXPECT_EQ(shell.journal.next_deadline(), border);
  shell.at(border - milliseconds{1});
  EXPECT_EQ(shell.sealed.size(), 0U);
  shell.at(border);
  ASSERT_EQ(shell.sealed.size(), 1U);
  EXPECT_EQ(shell.sealed[0].reason, SealReason::clock);
  shell.at(border + seconds{60});
  EXPECT_EQ(shell.sealed.size(), 2U);
}

TEST(Journal, h12_the_borders_are_the_clocks_and_every_hour_is_one_whatever_the_interval) {
  auto settings = no_checks();
  settings.rotate_interval = base::minutes{25};
  Shell shell{settings, false, start};
  shell.work();
  std::vector<std::int64_t> sealed_minutes;
  for (int minute = 0; minute < 180; ++minute) {
    const auto before = shell.sealed.size();
    shell.at(local_time_ns(base::ns_of(start) / 60'000'000'000 * 60'000'000'000) + base::minutes{minute + 1});
    if (shell.sealed.size() != before) sealed_minutes.push_back(base::ns_of(shell.now) / 60'000'000'000);
  }
  std::size_t hours = 0;
  for (const auto minute : sealed_minutes) {
    EXPECT_TRUE(minute % 25 == 0 || minute % 60 == 0) << minute;
    hours += minute % 60 == 0 ? 1 : 0;
  }
  EXPECT_EQ(hours, 3U);
  EXPECT_GE(sealed_minutes.size(), 9U);
}

TEST(Journal, seals_by_size_and_when_asked) {
  auto settings = no_checks();
  settings.segment_bytes_max = 10'000;
  Shell shell{settings, false, start};
  shell.append(20'000);
  shell.work();
  ASSERT_EQ(shell.sealed.size(), 1U);
  EXPECT_EQ(shell.sealed[0].reason, SealReason::size);
  shell.append();
  shell.journal.roll();
  shell.work();
  ASSERT_EQ(shell.sealed.size(), 2U);
  EXPECT_EQ(shell.sealed[1].reason, SealReason::asked);
  EXPECT_EQ(shell.read_sealed(), (std::vector<std::uint64_t>{0, 1}));
}

TEST(Journal, a_segment_says_where_the_one_before_it_ended) {
  Shell shell{no_checks(), false, start};
  shell.append();
  shell.journal.roll();
  shell.work();
  const auto head = find_head(shell.files_open.begin()->second);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->ends, (std::vector<SegmentEnd>{{0, shell.files_sealed.at(0).size()}}));
}

TEST(Journal, d03_after_a_failed_sync_the_segment_is_never_synced_again_and_its_records_go_to_a_new_one) {
  Shell shell{no_checks(), false, start};
  shell.append();
  shell.work();
  shell.pass(milliseconds{200});  // 0 is durable
  shell.append();
  shell.work();
  shell.fault = failing<SyncSegment>(EIO, 1);
  shell.log.clear();
  shell.pass(milliseconds{200});
  EXPECT_EQ(shell.log,
            (std::vector<std::string>{"sync", "abandon a segment", "create a segment", "sync the directory",
                                      "write", "write", "sync", "retire a segment"}));
  EXPECT_TRUE(shell.journal.all_durable());
  EXPECT_EQ(shell.count(JournalAlarm::segment_dead), 1U);
  EXPECT_EQ(shell.count(JournalAlarm::works_again), 1U);
  EXPECT_EQ(shell.journal.state().fault, "");
  EXPECT_EQ(shell.journal.state().segments_dead, 1U);
  shell.journal.close();
  shell.work();
  EXPECT_TRUE(shell.journal.is_closed());
  EXPECT_EQ(shell.read_sealed(), (std::vector<std::uint64_t>{0, 1}));
}

TEST(Journal, d03_a_segment_that_dies_at_the_end_is_retired_before_the_journal_is_closed) {
  for (const bool is_half_durable : {false, true}) {
    Shell shell{no_checks(), false, start};
    shell.append();
    shell.work();
    if (is_half_durable) shell.pass(milliseconds{200});
    shell.append();
    shell.fault = failing<SyncSegment>(EIO, 1);
    shell.journal.close();
    shell.work();
    EXPECT_TRUE(shell.journal.is_closed());
    EXPECT_EQ(shell.count("retire a segment"), 1U);
    EXPECT_TRUE(shell.files_open.empty());
    EXPECT_EQ(shell.read_sealed(), (std::vector<std::uint64_t>{0, 1}));
  }
}

TEST(Journal, d03_h08_a_failure_of_any_operation_at_any_place_loses_and_doubles_nothing) {
  for (int nth = 0; nth < 60; ++nth) {
    for (const int error : {EIO, ENOSPC}) {
      auto settings = no_checks();
      settings.check_interval = milliseconds{300};
      Shell shell{settings, false, start};
      int left = nth;
      shell.fault = [&](const JournalOperation&) { return left-- == 0 ? error : 0; };
      for (int i = 0; i < 30; ++i) {
        shell.append();
        if (i % 10 == 9) shell.journal.roll();
        shell.pass(milliseconds{90});
      }
      shell.journal.close();
      for (int i = 0; i < 50 && !shell.journal.is_closed(); ++i) shell.pass(seconds{1});
      ASSERT_TRUE(shell.journal.is_closed()) << nth;
      // What could not be retired is left to the next start, cut where later heads say.
      for (const auto& [number, bytes] : shell.files_open) {
        std::optional<std::uint64_t> limit;
        for (const auto& [other, sealed] : shell.files_sealed) {
          const auto head = find_head(sealed);
          for (const auto& end : head->ends)
            if (end.number == number) limit = end.bytes;
        }
        const auto leftover = examine_leftover(bytes, limit);
        if (leftover.head) {
          shell.files_sealed[number] =
              bytes.substr(0, leftover.valid_bytes) + closing_bytes(leftover, TailLoss::none, {}, shell.now);
        }
      }
      std::vector<std::uint64_t> expected;
      for (std::uint64_t i = 0; i < 30; ++i) expected.push_back(i);
      ASSERT_EQ(shell.read_sealed(), expected) << nth << " " << error;
    }
  }
}

TEST(Journal, d03_the_second_failure_in_a_row_goes_to_the_second_place) {
  Shell shell{no_checks(), true, start};
  shell.fault = [&](const JournalOperation& operation) {
    return std::holds_alternative<SyncSegment>(operation) && shell.place == Place::first ? EIO : 0;
  };
  shell.append();
  shell.pass(milliseconds{200});
  EXPECT_EQ(shell.count(JournalAlarm::segment_dead), 2U);
  EXPECT_EQ(shell.count(JournalAlarm::second_place), 1U);
  EXPECT_EQ(shell.journal.state().place, Place::second);
  EXPECT_TRUE(shell.journal.all_durable());
}

TEST(Journal, d03_without_a_second_place_it_goes_on_trying_with_backoff_and_keeps_what_it_took) {
  auto settings = no_checks();
  Shell shell{settings, false, start};
  shell.fault = failing<CreateSegment>(EROFS);
  while (shell.journal.has_room()) shell.append(100'000);
  shell.work();
  const auto taken = shell.next;
  std::vector<base::Duration> waits;
  for (int i = 0; i < 9; ++i) {
    ASSERT_TRUE(shell.journal.next_deadline());
    waits.push_back(*shell.journal.next_deadline() - shell.now);
    shell.at(*shell.journal.next_deadline());
  }
  EXPECT_EQ(waits.front(), settings.backoff_min);
  EXPECT_EQ(waits.back(), settings.backoff_max);
  EXPECT_EQ(shell.count(JournalAlarm::cannot_write), 1U);
  EXPECT_FALSE(shell.journal.has_room());
  EXPECT_NE(shell.journal.state().fault, "");
  shell.fault = nullptr;
  shell.pass(settings.backoff_max);
  EXPECT_TRUE(shell.journal.all_durable());
  shell.journal.close();
  shell.work();
  EXPECT_EQ(shell.read_sealed().size(), taken);
}

TEST(Journal, d01_a_full_disk_releases_the_reserve_closes_cleanly_and_goes_on_when_there_is_room) {
  Shell shell{no_checks(), false, start};
  bool full = false, reserve = false;
  shell.fault = [&](const JournalOperation& operation) {
    if (std::holds_alternative<MakeReserve>(operation)) return full ? ENOSPC : (reserve = true, 0);
    if (std::holds_alternative<ReleaseReserve>(operation)) return reserve = false, 0;
    if (std::holds_alternative<WriteSegment>(operation)) return full && reserve ? ENOSPC : 0;
    return 0;
  };
  shell.append();
  shell.work();
  full = true;
  shell.append();
  shell.work();
  ASSERT_EQ(shell.sealed.size(), 1U);
  EXPECT_EQ(shell.sealed[0].reason, SealReason::disk_full);
  EXPECT_EQ(shell.journal.state().segments_dead, 0U);
  EXPECT_TRUE(shell.journal.all_durable());
  EXPECT_EQ(shell.count(JournalAlarm::disk_full), 1U);
  EXPECT_EQ(shell.journal.state().fault, "the disk is full");
  shell.append();
  shell.pass(seconds{600});
  EXPECT_FALSE(shell.journal.all_durable());
  full = false;
  shell.pass(seconds{10});
  shell.pass(milliseconds{200});
  EXPECT_TRUE(shell.journal.all_durable());
  EXPECT_TRUE(reserve);
  EXPECT_EQ(shell.journal.state().fault, "");
  shell.journal.close();
  shell.work();
  EXPECT_EQ(shell.read_sealed(), (std::vector<std::uint64_t>{0, 1, 2}));
}

TEST(Journal, d01_a_full_disk_spills_to_the_second_place) {
  Shell shell{no_checks(), true, start};
  bool reserve = false;
  shell.fault = [&](const JournalOperation& operation) {
    if (const auto* made = std::get_if<MakeReserve>(&operation))
      return (reserve = made->place == Place::first), 0;
    if (std::holds_alternative<ReleaseReserve>(operation)) return reserve = false, 0;
    return std::holds_alternative<WriteSegment>(operation) && shell.place == Place::first && reserve ? ENOSPC
                                                                                                     : 0;
  };
  shell.append();
  shell.work();
  EXPECT_EQ(shell.journal.state().place, Place::second);
  EXPECT_EQ(shell.sealed.size(), 1U);
  shell.append();
  shell.pass(milliseconds{200});
  EXPECT_TRUE(shell.journal.all_durable());
}

TEST(Journal, d06_the_path_is_checked_each_interval_and_a_changed_one_is_a_dead_segment) {
  auto settings = no_checks();
  settings.check_interval = seconds{10};
  Shell shell{settings, false, start};
  shell.work();
  shell.pass(milliseconds{9'999});
  EXPECT_EQ(shell.count("check the path"), 0U);
  shell.pass(milliseconds{1});
  EXPECT_EQ(shell.count("check the path"), 1U);
  shell.append();
  shell.fault = failing<CheckPath>(ESTALE, 1);
  shell.pass(seconds{10});
  EXPECT_EQ(shell.count(JournalAlarm::segment_dead), 1U);
  shell.pass(milliseconds{200});
  EXPECT_TRUE(shell.journal.all_durable());
}

TEST(Journal, i04_what_a_full_ring_refused_is_named_with_its_numbers) {
  Shell shell{no_checks(), false, start};
  shell.append();
  shell.next += 5;
  shell.append();
  shell.journal.expect(Origin::network, 9, shell.now, shell.notices);
  EXPECT_EQ(shell.journal.state().lost[0], 7U);
  EXPECT_EQ(shell.count(JournalAlarm::records_lost), 2U);
  shell.journal.append(6, shell.now, journal_kind_raw, "again", shell.notices);  // appended already
  shell.journal.close();
  shell.work();
  JournalReader reader{shell.files_sealed.at(0)};
  std::vector<LostRange> lost;
  while (const auto record = reader.next())
    if (const auto range = decode_lost(*record)) lost.push_back(*range);
  EXPECT_FALSE(reader.fault());
  ASSERT_EQ(lost.size(), 2U);
  EXPECT_EQ(lost[0].first, 1U);
  EXPECT_EQ(lost[0].count, 5U);
  EXPECT_EQ(lost[1].first, 7U);
  EXPECT_EQ(lost[1].count, 2U);
  EXPECT_EQ(shell.read_sealed(), (std::vector<std::uint64_t>{0, 6}));
}

TEST(Journal, h06_what_it_holds_is_bounded_whatever_fails_and_nothing_is_doubled) {
  base::Rng rng{17};
  for (int run = 0; run < 40; ++run) {
    auto settings = no_checks();
    settings.batch_bytes_max = 50'000;
    Shell shell{settings, run % 2 == 0, start};
    bool bad = false;
    shell.fault = [&](const JournalOperation& operation) {
      if (!bad || std::holds_alternative<AbandonSegment>(operation)) return 0;
      return rng.below(3) == 0 ? (rng.below(2) == 0 ? EIO : ENOSPC) : 0;
    };
    for (int i = 0; i < 400; ++i) {
      if (rng.below(40) == 0) bad = !bad;
      for (int k = 0; k < 5 && shell.journal.has_room(); ++k) shell.append(rng.below(5000));
      ASSERT_LE(shell.journal.state().waiting_bytes, settings.batch_bytes_max + 5100);
      shell.pass(milliseconds{static_cast<std::int64_t>(rng.below(2000))});
    }
    bad = false;
    shell.journal.close();
    for (int i = 0; i < 50 && !shell.journal.is_closed(); ++i) shell.pass(seconds{5});
    ASSERT_TRUE(shell.journal.is_closed());
    std::set<std::uint64_t> seen;
    for (const auto sequence : shell.read_sealed()) ASSERT_TRUE(seen.insert(sequence).second) << sequence;
    for (const auto& [number, bytes] : shell.files_open) {
      std::optional<std::uint64_t> limit;
      for (const auto& files : {shell.files_sealed, shell.files_open})
        for (const auto& [other, sealed] : files)
          if (const auto head = find_head(sealed))
            for (const auto& end : head->ends)
              if (end.number == number) limit = end.bytes;
      JournalReader reader{std::string_view{bytes}.substr(0, limit.value_or(bytes.size()))};
      while (const auto record = reader.next())
        if (record->kind == journal_kind_raw) {
          ASSERT_TRUE(seen.insert(record->sequence).second) << record->sequence;
        }
    }
    ASSERT_EQ(seen.size(), shell.next);
  }
}

}  // namespace
}  // namespace phoenix::record
