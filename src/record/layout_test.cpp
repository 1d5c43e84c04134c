#include "record/layout.hpp"

#include <gtest/gtest.h>

namespace phoenix::record {
namespace {

TEST(Layout, names_are_read_back) {
  const SegmentId id{0x2a, 7};
  EXPECT_EQ(text(id), "0000002a-000007");
  EXPECT_EQ(parse_segment_id("0000002a-000007"), id);
  EXPECT_EQ(segment_path(id, SegmentState::open), "journal/0000002a-000007.open");
  const auto file = parse_segment_name("0000002a-000007.seg");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->id, id);
  EXPECT_EQ(file->state, SegmentState::sealed);
  const SegmentId large{0xffffffff, 1'234'567};
  EXPECT_EQ(parse_segment_id(text(large)), large);
}

TEST(Layout, foreign_names_are_no_segments) {
  for (const auto* name : {"", "x", "0000002a-7.seg", "0000002A-000007.seg", "0000002a-000007",
                           "0000002a-000007.seg.tmp", "0000002a-+00007.seg", "0000002a-000007.SEG"})
    EXPECT_FALSE(parse_segment_name(name)) << name;
}

TEST(Layout, a_row_goes_to_the_hour_of_its_event) {
  const std::int64_t midnight = 1'795'219'200'000'000'000;  // 2026-11-21T00:00:00Z
  EXPECT_EQ(directory(partition_of(midnight, "BTCUSDT", Kind::trades)),
            "raw/date=2026-11-21/hour=00/symbol=BTCUSDT/kind=trades");
  EXPECT_EQ(directory(partition_of(midnight - 1, "BTCUSDT", Kind::ofi)),
            "preview/date=2026-11-20/hour=23/symbol=BTCUSDT/kind=ofi");
  EXPECT_EQ(directory(partition_of(-1, "X", Kind::coverage)),
            "ledger/date=1969-12-31/hour=23/symbol=X/kind=coverage");
}

TEST(Layout, paths_of_parts_are_read_back) {
  for (const auto form : {PartForm::part, PartForm::hour}) {
    const auto partition = partition_of(1'795'219'200'000'000'000, "1000PEPEUSDT", Kind::fusion);
    const auto path = part_path(partition, form, {1, 2});
    const auto file = parse_part_path(path);
    ASSERT_TRUE(file) << path;
    EXPECT_EQ(file->partition, partition);
    EXPECT_EQ(file->form, form);
    EXPECT_EQ(file->id, (SegmentId{1, 2}));
    EXPECT_FALSE(parse_part_path(temporary_path(path)));
    EXPECT_FALSE(parse_part_path(sidecar_path(path)));
  }
}

TEST(Layout, what_a_recording_has_no_place_for_is_no_part) {
  for (const auto* path :
       {"raw/date=2026-11-21/hour=24/symbol=X/kind=trades/part-00000001-000001.parquet",
        "raw/date=2026-02-30/hour=00/symbol=X/kind=trades/part-00000001-000001.parquet",
        "preview/date=2026-11-21/hour=00/symbol=X/kind=trades/part-00000001-000001.parquet",
        "raw/date=2026-11-21/hour=00/symbol=X/kind=prices/part-00000001-000001.parquet",
        "raw/date=2026-11-21/hour=00/symbol=X/kind=trades/x/part-00000001-000001.parquet",
        "raw/date=2026-11-21/hour=00/symbol=X/kind=trades/part-1-1.parquet", "raw", ""})
    EXPECT_FALSE(parse_part_path(path)) << path;
}

}  // namespace
}  // namespace phoenix::record
