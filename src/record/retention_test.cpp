#include "record/retention.hpp"

#include "record/row.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::record {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::int64_t hour_ns = 3'600'000'000'000;
constexpr std::int64_t now_hour = 500'000;

RetentionFile file_of(std::int64_t hours_ago, std::uint64_t bytes, bool exported = false) {
  const Partition partition{now_hour - hours_ago, "BTCUSDT", Kind::trades};
  return {part_path(partition, PartForm::hour, {1, 1}),
          partition.hour,
          bytes,
          100,
          1,
          100,
          partition.hour * hour_ns,
          partition.hour * hour_ns + 1,
          "BTCUSDT",
          "trades",
          exported};
}

std::vector<std::size_t> retired(const std::vector<RetentionFile>& files, const RetentionOptions& options,
                                 const DiskUse& disk) {
  return retire(files, options, disk, now_hour * hour_ns);
}

TEST(Retention, nothing_goes_without_a_limit) {
  EXPECT_THAT(retired({file_of(100'000, 1)}, {}, {1, 0, 100}), IsEmpty());
}

TEST(Retention, files_beyond_keep_days_go) {
  const std::vector files{file_of(23, 1), file_of(50, 1), file_of(49, 1), file_of(26, 1)};
  EXPECT_THAT(retired(files, {.keep_days = 2}, {4, 100, 100}), ElementsAre(1));
  EXPECT_THAT(retired(files, {.keep_days = 1}, {4, 100, 100}), ElementsAre(1, 2, 3));
}

TEST(Retention, the_oldest_go_first_and_no_more_than_needed) {
  const std::vector files{file_of(1, 10), file_of(3, 10), file_of(2, 10)};
  EXPECT_THAT(retired(files, {.disk_bytes_max = 25}, {30, 100, 100}), ElementsAre(1));
  EXPECT_THAT(retired(files, {.disk_bytes_max = 15}, {30, 100, 100}), ElementsAre(1, 2));
  EXPECT_THAT(retired(files, {.disk_bytes_reserve = 60}, {30, 45, 100}), ElementsAre(1, 2));
}

TEST(Retention, d1_only_exported_files_go_where_an_export_is_required) {
  const std::vector files{file_of(1, 10, true), file_of(3, 10, false), file_of(2, 10, true)};
  EXPECT_THAT(retired(files, {.disk_bytes_max = 1, .exported = Export::required}, {30, 100, 100}),
              ElementsAre(2, 0));
}

TEST(Retention, each_file_has_an_entry_in_the_ledger_of_its_hour_before_it_goes) {
  const std::vector files{file_of(50, 10), file_of(49, 10), file_of(1, 10)};
  const std::vector<std::size_t> gone{0, 1};
  const auto retirement = plan_retirement(files, gone, {7, retention_segment_first + 3}, "test");
  ASSERT_EQ(retirement.plan.files.size(), 2U);
  ASSERT_EQ(retirement.rows.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(retirement.plan.files[i].part.partition, (Partition{files[i].hour, "BTCUSDT", Kind::coverage}));
    EXPECT_THAT(retirement.plan.files[i].removes, ElementsAre(files[i].path));
    ASSERT_EQ(retirement.rows[i].size(), 1U);
    const auto row = decode_row(retirement.rows[i][0]);
    ASSERT_TRUE(row.has_value());
    EXPECT_EQ(row->text(column_index(Kind::coverage, "cause")), "retention");
    EXPECT_EQ(row->text(column_index(Kind::coverage, "stream")), "trades");
    EXPECT_EQ(row->text(column_index(Kind::coverage, "evidence")), files[i].path);
    EXPECT_EQ(row->integer(column_index(Kind::coverage, "count")), 100);
    EXPECT_EQ(row->integer(column_index(Kind::coverage, "last_id")), 100);
  }
  Commit commit{retirement.plan};
  std::size_t removed = 0, made = 0;
  while (commit.state() == Commit::State::running) {
    const auto& action = commit.action();
    const auto hash = retirement.rows[action.file].size();
    if (action.kind == FileAction::Kind::remove) ++removed;
    if (action.kind == FileAction::Kind::rename) {
      EXPECT_EQ(removed, 0U);
      ++made;
    }
    if (action.kind == FileAction::Kind::write_rows) {
      commit.step(Written{hash, 1, std::string(64, '0'), 5});
    } else if (action.kind == FileAction::Kind::read_back) {
      commit.step(ReadBack{hash, 5});
    } else {
      commit.step(Done{});
    }
  }
  EXPECT_EQ(made, 4U);
  EXPECT_EQ(removed, 4U);
}

TEST(DiskForecast, d1_hours_left_follow_from_what_was_written_lately) {
  DiskForecast forecast{1'000};
  std::uint64_t written = 0;
  base::LocalTime now{};
  for (int minute = 0; minute <= 9; ++minute, now += base::minutes{1}, written += 100) {
    forecast.sample(now, written, {0, 601'000, 1'000'000});
    EXPECT_FALSE(forecast.hours_left().has_value());
  }
  forecast.sample(now, written, {0, 601'000, 1'000'000});
  ASSERT_TRUE(forecast.hours_left().has_value());
  EXPECT_DOUBLE_EQ(*forecast.hours_left(), 100.0);
  EXPECT_EQ(forecast.level(), DiskLevel::fine);
  forecast.sample(now, written, {0, 36'000, 100'000});
  EXPECT_EQ(forecast.level(), DiskLevel::alarm) << "under six hours left";
}

TEST(DiskForecast, d1_alarm_under_a_fifth_and_hold_under_a_twentieth_of_the_disk) {
  DiskForecast forecast{0};
  forecast.sample({}, 0, {0, 20, 100});
  EXPECT_EQ(forecast.level(), DiskLevel::fine);
  forecast.sample({}, 0, {0, 19, 100});
  EXPECT_EQ(forecast.level(), DiskLevel::alarm);
  forecast.sample({}, 0, {0, 4, 100});
  EXPECT_EQ(forecast.level(), DiskLevel::hold);
  forecast.sample({}, 0, {0, 50, 100});
  EXPECT_EQ(forecast.level(), DiskLevel::fine);
}

}  // namespace
}  // namespace phoenix::record
