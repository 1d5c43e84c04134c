#include "record/compaction.hpp"

#include "base/rng.hpp"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::record {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::int64_t hour = 498'689;
constexpr std::int64_t hour_end_ns = (hour + 1) * 3'600'000'000'000;
constexpr std::int64_t settled_ns = hour_end_ns + 600'000'000'000;
const Partition trades{hour, "BTCUSDT", Kind::trades};

FoundFile found(PartForm form, SegmentId id, std::int64_t first, std::int64_t last) {
  Sidecar sidecar;
  sidecar.schema_hash = schema_hash(Kind::trades);
  sidecar.part = {trades, form, id};
  sidecar.rows = static_cast<std::uint64_t>(last - first + 1);
  sidecar.event_time_ns_min = hour_end_ns - 1000 + first;
  sidecar.event_time_ns_max = hour_end_ns - 1000 + last;
  sidecar.first_id = first;
  sidecar.last_id = last;
  sidecar.before_id = first - 1;
  sidecar.segments = {id};
  sidecar.sha256 = std::string(64, 'a');
  return {part_path(trades, form, id), sidecar};
}

std::vector<Compaction> plan(const std::vector<FoundFile>& files, std::optional<SegmentId> pending = {},
                             std::int64_t now_ns = settled_ns) {
  return plan_compactions(files, pending, now_ns, {}, "test");
}

TEST(Compaction, the_parts_of_an_hour_that_is_over_become_one_file_that_names_them) {
  const std::vector files{found(PartForm::part, {1, 0}, 1, 9), found(PartForm::part, {1, 1}, 10, 20)};
  const auto compactions = plan(files);
  ASSERT_EQ(compactions.size(), 1U);
  const Sidecar& file = compactions[0].plan.files.at(0);
  EXPECT_EQ(part_path(file.part.partition, file.part.form, file.part.id),
            "raw/date=2026-11-21/hour=17/symbol=BTCUSDT/kind=trades/hour-00000001-000001.parquet");
  EXPECT_EQ(file.rows, 20U);
  EXPECT_EQ(file.first_id, 1);
  EXPECT_EQ(file.last_id, 20);
  EXPECT_THAT(file.replaces, ElementsAre("part-00000001-000000.parquet", "part-00000001-000001.parquet"));
  EXPECT_THAT(file.segments, ElementsAre(SegmentId{1, 0}, SegmentId{1, 1}));
  EXPECT_THAT(file.gaps, IsEmpty());
  EXPECT_THAT(compactions[0].plan.sources, ElementsAre(files[0].path, files[1].path));
  EXPECT_THAT(compactions[0].plan.leftovers,
              ElementsAre(sidecar_path(files[0].path), sidecar_path(files[1].path)));
}

TEST(Compaction, an_hour_that_runs_or_has_just_ended_waits) {
  const std::vector files{found(PartForm::part, {1, 0}, 1, 9), found(PartForm::part, {1, 1}, 10, 20)};
  EXPECT_THAT(plan(files, {}, hour_end_ns - 1), IsEmpty());
  EXPECT_THAT(plan(files, {}, hour_end_ns + 60'000'000'000), IsEmpty());
  EXPECT_EQ(plan(files, {}, hour_end_ns + 300'000'000'000).size(), 1U);
}

TEST(Compaction, only_parts_below_the_oldest_pending_segment_are_taken) {
  const std::vector files{found(PartForm::part, {1, 0}, 1, 9), found(PartForm::part, {1, 1}, 10, 20),
                          found(PartForm::part, {1, 3}, 31, 40)};
  const auto compactions = plan(files, SegmentId{1, 2});
  ASSERT_EQ(compactions.size(), 1U);
  EXPECT_THAT(compactions[0].parts, ElementsAre(files[0].path, files[1].path));
  EXPECT_THAT(plan(files, SegmentId{1, 1}), IsEmpty());
}

TEST(Compaction, h16_a_late_part_joins_and_the_new_file_names_all_that_the_old_one_named) {
  auto old = found(PartForm::hour, {1, 5}, 1, 20);
  old.sidecar->replaces = {"part-00000001-000001.parquet", "part-00000001-000005.parquet"};
  const std::vector files{old, found(PartForm::part, {1, 8}, 21, 22)};
  const auto compactions = plan(files);
  ASSERT_EQ(compactions.size(), 1U);
  EXPECT_THAT(compactions[0].plan.files[0].replaces,
              ElementsAre("hour-00000001-000005.parquet", "part-00000001-000001.parquet",
                          "part-00000001-000005.parquet", "part-00000001-000008.parquet"));
}

TEST(Compaction, readers_read_either_the_parts_or_the_hour_file) {
  const auto part0 = found(PartForm::part, {1, 0}, 1, 9);
  const auto part1 = found(PartForm::part, {1, 1}, 10, 20);
  auto whole = found(PartForm::hour, {1, 1}, 1, 20);
  whole.sidecar->replaces = {"part-00000001-000000.parquet", "part-00000001-000001.parquet"};
  EXPECT_THAT(live_parts(std::vector{part0, part1}), ElementsAre(0, 1));
  EXPECT_THAT(live_parts(std::vector{part0, part1, whole}), ElementsAre(2));
  EXPECT_THAT(replaced_parts(std::vector{part0, part1, whole}), ElementsAre(0, 1));
  // Visible without a sidecar: unfinished.
  FoundFile unfinished{whole.path, std::nullopt};
  EXPECT_THAT(live_parts(std::vector{part0, part1, unfinished}), ElementsAre(0, 1));
  // A part that came back without its sidecar is superfluous all the same.
  EXPECT_THAT(replaced_parts(std::vector{FoundFile{part0.path, std::nullopt}, whole}), ElementsAre(0));
  // The same name in another hour is another file.
  FoundFile elsewhere = part0;
  elsewhere.sidecar->part.partition.hour += 1;
  elsewhere.path = part_path(elsewhere.sidecar->part.partition, PartForm::part, {1, 0});
  EXPECT_THAT(live_parts(std::vector{elsewhere, whole}), ElementsAre(0, 1));
}

TEST(Compaction, an_hour_of_the_ledger_remembers_what_its_parts_said_is_gone) {
  auto first = found(PartForm::part, {1, 0}, 1, 2);
  auto second = found(PartForm::part, {1, 1}, 3, 4);
  first.sidecar->removes = {"b", "c"};
  second.sidecar->removes = {"a", "b"};
  const auto compactions = plan({first, second});
  ASSERT_EQ(compactions.size(), 1U);
  EXPECT_THAT(compactions[0].plan.files[0].removes, ElementsAre("a", "b", "c"));
}

TEST(Compaction, a_gap_of_one_part_that_another_fills_is_none) {
  auto first = found(PartForm::part, {1, 0}, 1, 20);
  first.sidecar->gaps = {{5, 9}, {12, 13}};
  first.sidecar->gaps_count = 2;
  auto second = found(PartForm::part, {1, 1}, 5, 40);  // the repaired 5..9, then 26..40
  second.sidecar->gaps = {{10, 25}};
  second.sidecar->gaps_count = 1;
  const auto compactions = plan({first, second});
  ASSERT_EQ(compactions.size(), 1U);
  EXPECT_THAT(compactions[0].plan.files[0].gaps, ElementsAre(IdRange{12, 13}, IdRange{21, 25}));
  EXPECT_EQ(compactions[0].plan.files[0].gaps_count, 2U);
}

TEST(Compaction, gaps_of_the_hour_are_the_ids_that_no_part_has) {
  base::Rng rng{16};
  for (int round = 0; round < 300; ++round) {
    // Each id goes to one of three parts, or is lost.
    std::set<std::int64_t> ids[3], all;
    for (std::int64_t id = 1; id <= 60; ++id) {
      const auto where = rng.below(5);
      if (where < 3) ids[where].insert(id), all.insert(id);
    }
    std::vector<FoundFile> files;
    for (std::uint32_t part = 0; part < 3; ++part) {
      if (ids[part].empty()) continue;
      auto file = found(PartForm::part, {1, part}, *ids[part].begin(), *ids[part].rbegin());
      for (std::int64_t before = *ids[part].begin(); const std::int64_t id : ids[part]) {
        if (id > before + 1) file.sidecar->gaps.push_back({before + 1, id - 1});
        before = id;
      }
      file.sidecar->gaps_count = file.sidecar->gaps.size();
      files.push_back(std::move(file));
    }
    if (files.size() < 2) continue;
    const auto compactions = plan(files);
    ASSERT_EQ(compactions.size(), 1U);
    std::set<std::int64_t> missing, expected;
    for (const IdRange& gap : compactions[0].plan.files[0].gaps) {
      for (std::int64_t id = gap.first; id <= gap.last; ++id) missing.insert(id);
    }
    for (std::int64_t id = *all.begin(); id <= *all.rbegin(); ++id) {
      if (!all.contains(id)) expected.insert(id);
    }
    ASSERT_EQ(missing, expected) << "round " << round;
  }
}

TEST(Compaction, what_was_cut_off_is_removed_data_before_sidecar) {
  auto whole = found(PartForm::hour, {1, 1}, 1, 20);
  whole.sidecar->replaces = {"part-00000001-000000.parquet"};
  const auto part = found(PartForm::part, {1, 0}, 1, 9);
  Sidecar entry;
  entry.schema_hash = schema_hash(Kind::coverage);
  entry.part = {{hour, "BTCUSDT", Kind::coverage}, PartForm::part, {9, 1'000'000'000}};
  const auto old = found(PartForm::part, {0, 7}, 1, 2);
  entry.removes = {old.path};
  const FoundFile ledger{part_path(entry.part.partition, PartForm::part, entry.part.id), entry};
  const auto removals = plan_removals(std::vector{whole, part, old, ledger});
  EXPECT_THAT(removals.sources, ElementsAre(old.path, part.path));
  EXPECT_THAT(removals.leftovers, ElementsAre(sidecar_path(old.path), sidecar_path(part.path)));
}

}  // namespace
}  // namespace phoenix::record
