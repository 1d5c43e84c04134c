// The journal on a simulated disk: power is cut anywhere, what was not synced is lost, torn or out of order,
// writes and syncs fail. What was acknowledged must be there afterwards, and what is there must be a prefix
// of what was appended.

#include "record/journal.hpp"

#include "sim/disk.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::sim {
namespace {

using base::local_time_ns;
using base::LocalTime;
using base::milliseconds;
using base::Rng;
using namespace record;

/// Bugs planted into the shell or the recovery, to see that the checks see them.
enum class Plant : std::uint8_t { none, sync_skipped, sync_error_unseen, directory_not_synced, ends_ignored };

struct PowerCut {};

struct Appended {
  Origin origin = Origin::network;
  std::uint64_t sequence = 0;
  std::string payload;
  friend bool operator==(const Appended&, const Appended&) = default;
};

struct Sometimes {
  std::uint64_t recovered = 0, not_acknowledged_lost = 0, dead = 0, full = 0, second = 0, retired = 0,
                cut_in_recovery = 0;
};

std::string open_name(SegmentId id) { return segment_path(id, SegmentState::open); }
std::string sealed_name(SegmentId id) { return segment_path(id, SegmentState::sealed); }

class World {
 public:
  World(std::uint64_t seed, Plant plant) : rng_(seed), plant_(plant) {
    DiskFaults faults;
    if (rng_.below(3) != 0) faults.write_error = rng_.below(60'000);
    if (rng_.below(3) != 0) faults.sync_error = rng_.below(100'000);
    if (rng_.below(3) == 0) faults.other_error = rng_.below(50'000);
    if (rng_.below(3) == 0) faults.full = rng_.below(30'000);
    const bool second = rng_.below(2) == 0;
    for (std::size_t i = 0; i < (second ? 2U : 1U); ++i)
      disks_.push_back(std::make_unique<Disk>(rng_.next(), faults));
    JournalSettings settings;
    settings.sync_bytes = 200 + rng_.below(8000);
    settings.segment_bytes_max = 2000 + rng_.below(60'000);
    settings.batch_bytes_max = 20'000;
    journal_.emplace(settings, Journal::Start{{1, 0}, "sim", {}, {}, second}, now_);
    operations_left_ = 1 + rng_.below(400);
  }

  /// Appends and works until the power is cut.
  void live() {
    std::uint64_t next[2] = {0, 0};
    try {
      for (;;) {
        for (std::uint64_t i = rng_.below(8); i > 0 && journal_->has_room(); --i) append(next);
        if (rng_.below(50) == 0) journal_->roll();
        now_ += milliseconds{static_cast<std::int64_t>(rng_.below(150))};
        while (const auto operation = journal_->next(now_, notices_)) {
          if (operations_left_-- == 0) throw PowerCut{};
          const int error = std::visit([this](const auto& asked) { return perform(asked); }, *operation);
          journal_->done(error, now_, notices_);
          if (journal_->all_durable()) acknowledged_ = appended_.size();
        }
        for (const auto& one : journal_->take_sealed())
          sometimes.retired += one.reason == SealReason::recovered ? 1 : 0;
        // Nothing but waiting: power cuts come then too.
        if (rng_.below(400) == 0) throw PowerCut{};
      }
    } catch (const PowerCut&) {
    }
    sometimes.dead += journal_->state().segments_dead;
    for (const auto& notice : notices_) {
      sometimes.full += notice.alarm == JournalAlarm::disk_full ? 1 : 0;
      sometimes.second += notice.alarm == JournalAlarm::second_place ? 1 : 0;
    }
    crash();
  }

  /// Seals what was left, with the power cut again now and then.
  void recover() {
    for (auto& disk : disks_) disk->heal();
    for (;;) {
      operations_left_ = rng_.below(3) == 0 ? rng_.below(12) : 1'000'000;
      try {
        recover_once();
        return;
      } catch (const PowerCut&) {
        ++sometimes.cut_in_recovery;
        crash();
      }
    }
  }

  /// Empty, or what is wrong.
  std::string judge() {
    std::vector<Appended> found;
    std::map<std::uint32_t, std::string_view> segments;
    for (auto& disk : disks_) {
      for (const auto& path : disk->names()) {
        const auto file = parse_segment_name(path.substr(path.find('/') + 1));
        if (!file || file->state != SegmentState::sealed) continue;
        if (!segments.emplace(file->id.number, disk->read(path)).second)
          return "a segment is there twice: " + path;
      }
    }
    for (const auto& [number, bytes] : segments) {
      JournalReader reader{bytes};
      while (const auto record = reader.next()) {
        if (const auto lost = decode_lost(*record)) {
          if (lost->count != 0) found.push_back({lost->origin, lost->first, "lost"});
        } else if (const auto origin = *origin_of(record->kind); origin != Origin::journal) {
          found.push_back({origin, record->sequence, std::string{record->payload}});
        }
      }
      if (reader.fault())
        return "segment " + std::to_string(number) + ": " + std::string{name(*reader.fault())};
      if (!reader.seal()) return "segment " + std::to_string(number) + " is not sealed";
    }
    if (found.size() < acknowledged_)
      return std::to_string(acknowledged_ - found.size()) + " acknowledged records are missing";
    if (found.size() > appended_.size()) return "more records than were appended";
    for (std::size_t i = 0; i < found.size(); ++i)
      if (found[i] != appended_[i])
        return "record " + std::to_string(i) + " is not the one that was appended";
    sometimes.recovered += found.size();
    sometimes.not_acknowledged_lost += appended_.size() - found.size();
    return {};
  }

  Sometimes sometimes;

 private:
  void append(std::uint64_t (&next)[2]) {
    const auto origin = static_cast<Origin>(rng_.below(2));
    auto& sequence = next[static_cast<std::size_t>(origin)];
    if (rng_.below(40) == 0) {
      appended_.push_back({origin, sequence, "lost"});
      sequence += 1 + rng_.below(5);
    }
    std::string payload(rng_.below(8) == 0 ? 2000 : rng_.below(200), '\0');
    for (char& byte : payload) byte = static_cast<char>(rng_.next());
    journal_->append(sequence, now_, origin == Origin::network ? journal_kind_raw : journal_kind_row, payload,
                     notices_);
    appended_.push_back({origin, sequence++, std::move(payload)});
  }

  Disk& here() { return *disks_[static_cast<std::size_t>(place_)]; }

  int perform(const CreateSegment& asked) {
    place_ = asked.place;
    open_ = open_name(asked.id);
    return here().create(open_, file_);
  }
  int perform(const SyncDirectory&) {
    return plant_ == Plant::directory_not_synced ? 0 : here().sync_directory();
  }
  int perform(const WriteSegment& asked) { return here().write(file_, asked.offset, asked.bytes); }
  int perform(const SyncSegment&) {
    if (plant_ == Plant::sync_skipped) return 0;
    const int error = here().sync(file_);
    return plant_ == Plant::sync_error_unseen ? 0 : error;
  }
  int perform(const RenameSegment& asked) { return here().rename(open_, sealed_name(asked.id)); }
  int perform(const AbandonSegment& asked) {
    abandoned_.push_back({&here(), open_, file_});
    // A disk that just failed may fail this too.
    return rng_.below(2) == 0 ? here().truncate(file_, asked.bytes) : EIO;
  }
  int perform(const RetireSegment& asked) {
    const auto dead = std::find_if(abandoned_.begin(), abandoned_.end(),
                                   [&](const auto& one) { return one.name == open_name(asked.id); });
    if (dead == abandoned_.end()) return ENOENT;
    bool keep_original = false;
    if (asked.bytes != 0) {
      auto bytes = std::string{dead->disk->read(dead->file).substr(0, asked.bytes)};
      if (asked.bytes == asked.tally.bytes) append_seal({asked.tally, SealReason::recovered}, now_, bytes);
      Disk::File copy = 0;
      const auto unfinished = temporary_path(sealed_name(asked.id));
      if (const int error = here().create(unfinished, copy); error != 0) return error;
      int error = here().write(copy, 0, bytes);
      if (error == 0) error = here().sync(copy);
      if (error == 0) error = here().rename(unfinished, sealed_name(asked.id));
      if (error != 0) {
        here().remove(unfinished);
        return error;
      }
      keep_original = here().sync_directory() != 0;
    }
    if (!keep_original) dead->disk->remove(dead->name);
    abandoned_.erase(dead);
    return 0;
  }
  int perform(const MakeReserve& asked) {
    return disks_[static_cast<std::size_t>(asked.place)]->make_reserve();
  }
  int perform(const ReleaseReserve& asked) {
    return disks_[static_cast<std::size_t>(asked.place)]->release_reserve();
  }
  int perform(const CheckPath&) { return 0; }

  void crash() {
    for (auto& disk : disks_) disk->crash();
  }
  void step() {
    if (operations_left_-- == 0) throw PowerCut{};
  }

  /// The order of io's recovery: every leftover is cut to what counts, closed, synced and only then named.
  void recover_once() {
    std::map<std::uint32_t, std::uint64_t> ends;
    std::set<std::uint32_t> sealed;
    for (auto& disk : disks_) {
      for (const auto& path : disk->names()) {
        const auto file = parse_segment_name(path.substr(path.find('/') + 1));
        if (!file) continue;
        if (file->state == SegmentState::sealed) sealed.insert(file->id.number);
        const auto head = find_head(disk->read(path));
        for (const auto& end : head ? head->ends : std::vector<SegmentEnd>{}) ends[end.number] = end.bytes;
      }
    }
    for (auto& disk : disks_) {
      for (const auto& path : disk->names()) {
        const auto file = parse_segment_name(path.substr(path.find('/') + 1));
        if (!file || file->state != SegmentState::open) continue;
        std::optional<std::uint64_t> limit;
        if (ends.contains(file->id.number) && plant_ != Plant::ends_ignored) limit = ends.at(file->id.number);
        const auto leftover = examine_leftover(disk->read(path), limit);
        step();
        if (sealed.contains(file->id.number) || leftover.valid_bytes == 0) {
          disk->remove(path);
          continue;
        }
        const auto opened = disk->open(path);
        disk->truncate(opened, leftover.valid_bytes);
        step();
        disk->write(opened, leftover.valid_bytes,
                    closing_bytes(leftover, limit ? TailLoss::none : TailLoss::unknown, "cut", now_));
        step();
        disk->sync(opened);
        step();
        disk->rename(path, sealed_name(file->id));
        step();
        disk->sync_directory();
      }
    }
  }

  struct Abandoned {
    Disk* disk;
    std::string name;
    Disk::File file;
  };

  Rng rng_;
  Plant plant_;
  LocalTime now_ = local_time_ns(1'700'000'000'000'000'000LL);
  std::vector<std::unique_ptr<Disk>> disks_;
  std::optional<Journal> journal_;
  std::vector<JournalNotice> notices_;
  std::vector<Appended> appended_;
  std::size_t acknowledged_ = 0;
  std::uint64_t operations_left_;
  Place place_ = Place::first;
  std::string open_;
  Disk::File file_ = 0;
  std::vector<Abandoned> abandoned_;
};

/// What the run of one seed shows to be wrong; empty: nothing.
std::string run(std::uint64_t seed, Plant plant, Sometimes& sometimes) {
  World world{seed, plant};
  world.live();
  world.recover();
  auto wrong = world.judge();
  sometimes.recovered += world.sometimes.recovered;
  sometimes.not_acknowledged_lost += world.sometimes.not_acknowledged_lost;
  sometimes.dead += world.sometimes.dead;
  sometimes.full += world.sometimes.full;
  sometimes.second += world.sometimes.second;
  sometimes.retired += world.sometimes.retired;
  sometimes.cut_in_recovery += world.sometimes.cut_in_recovery;
  return wrong;
}

TEST(JournalOnDisk, i15_d04_what_was_acknowledged_is_there_and_what_is_there_is_a_prefix) {
  const char* wanted = std::getenv("PHOENIX_JOURNAL_SEEDS");
  const std::uint64_t seeds = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 2000;
  Sometimes sometimes;
  for (std::uint64_t seed = 0; seed < seeds; ++seed)
    ASSERT_EQ(run(seed, Plant::none, sometimes), "") << "seed " << seed;
  EXPECT_GT(sometimes.recovered, 0U);
  EXPECT_GT(sometimes.not_acknowledged_lost, 0U);
  EXPECT_GT(sometimes.dead, 0U);
  EXPECT_GT(sometimes.full, 0U);
  EXPECT_GT(sometimes.second, 0U);
  EXPECT_GT(sometimes.retired, 0U);
  EXPECT_GT(sometimes.cut_in_recovery, 0U);
}

/// Seeds until a check sees the planted bug; `limit` when none does.
std::uint64_t seeds_to_see(Plant plant, std::uint64_t limit) {
  Sometimes ignored;
  for (std::uint64_t seed = 0; seed < limit; ++seed)
    if (!run(seed, plant, ignored).empty()) return seed;
  return limit;
}

TEST(JournalOnDisk, a_skipped_sync_is_seen) { EXPECT_LT(seeds_to_see(Plant::sync_skipped, 50), 50U); }
TEST(JournalOnDisk, d03_a_sync_error_taken_for_success_is_seen) {
  EXPECT_LT(seeds_to_see(Plant::sync_error_unseen, 200), 200U);
}
TEST(JournalOnDisk, a_directory_that_is_not_synced_is_seen) {
  EXPECT_LT(seeds_to_see(Plant::directory_not_synced, 200), 200U);
}
TEST(JournalOnDisk, d03_ends_that_recovery_ignores_are_seen) {
  EXPECT_LT(seeds_to_see(Plant::ends_ignored, 1000), 1000U);
}

}  // namespace
}  // namespace phoenix::sim
