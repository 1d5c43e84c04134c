#include "record/conversion.hpp"

#include "record/conversion_test_kit.hpp"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace phoenix::record {
namespace {

using test::hour_ns;
using test::second_ns;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr SegmentId segment_id{0x2a, 7};

/// What a file of rows looks like here: each row's bytes, one after another.
struct PlainFile {
  std::vector<std::string> rows;
  std::string text;
};

/// Carries a commit out on a map of files; fails the n-th action when asked to.
class Shell {
 public:
  std::map<std::string, PlainFile> files;
  std::vector<std::string> log;
  std::optional<std::size_t> fail_at;
  std::string spoil;  ///< this file loses a row between writing and reading

  Commit::State run(const SegmentRows& rows, CommitPlan plan) {
    Commit commit{std::move(plan)};
    for (std::size_t n = 0; commit.state() == Commit::State::running; ++n) {
      const FileAction action = commit.action();
      log.push_back(std::string{name(action.kind)} + " " + action.path);
      commit.step(fail_at == n ? FileResult{Failed{"no space for " + action.path}} : perform(rows, action));
    }
    fault = commit.fault();
    return commit.state();
  }
  std::string fault;

 private:
  FileResult perform(const SegmentRows& rows, const FileAction& action) {
    switch (action.kind) {
      case FileAction::Kind::write_rows: {
        PlainFile file;
        for (const std::string_view row : rows.rows(action.file)) file.rows.emplace_back(row);
        const Written written{file.rows.size(), 1, std::string(64, '0'), hash(file)};
        if (action.path == spoil) file.rows.pop_back();
        files[action.path] = std::move(file);
        return written;
      }
      case FileAction::Kind::read_back:
        return ReadBack{files[action.path].rows.size(), hash(files[action.path])};
      case FileAction::Kind::write_deadletter: {
        std::string text;
        for (std::size_t line = 0; line < rows.refused_count();)
          line = rows.deadletter(line, text.size() + 1, text);
        files[action.path] = {{}, text};
        break;
      }
      case FileAction::Kind::write_text:
        files[action.path] = {{}, action.text};
        break;
      case FileAction::Kind::rename: {
        auto node = files.extract(action.path);
        files.erase(action.to);
        node.key() = action.to;
        files.insert(std::move(node));
        break;
      }
      case FileAction::Kind::remove:
        files.erase(action.path);
        break;
      default:
        break;
    }
    return Done{};
  }
  static std::uint64_t hash(const PlainFile& file) {
    std::uint64_t value = 0;
    for (const std::string& row : file.rows) value = value * 31 + std::hash<std::string>{}(row);
    return value;
  }
};

std::string segment_path_of(SegmentId id) { return segment_path(id, SegmentState::sealed); }

/// The ids of all trades in files that count, in no order; a doubled one is there twice.
std::multiset<std::int64_t> trade_ids(const Shell& shell) {
  std::multiset<std::int64_t> ids;
  for (const auto& [path, file] : shell.files) {
    if (!path.ends_with(".parquet") || !shell.files.contains(sidecar_path(path))) continue;
    for (const std::string& row : file.rows) {
      const auto view = decode_row(row);
      if (view && view->kind() == Kind::trades) ids.insert(*view->first_id());
    }
  }
  return ids;
}

std::multiset<std::int64_t> range(std::int64_t first, std::int64_t last) {
  std::multiset<std::int64_t> ids;
  for (; first <= last; ++first) ids.insert(first);
  return ids;
}

std::vector<std::string> paths_of(const CommitPlan& plan) {
  std::vector<std::string> paths;
  for (const Sidecar& file : plan.files)
    paths.push_back(part_path(file.part.partition, file.part.form, file.part.id));
  return paths;
}

TEST(SegmentRows, h16_rows_go_to_the_hour_and_day_they_happened_in_however_late_they_come) {
  const std::int64_t midnight = hour_ns + 7 * 3'600 * second_ns;  // 2024-11-22 00:00
  test::SegmentText text{segment_id};
  text.row(test::trade_row({.id = 3, .event_time_ns = midnight}));
  text.row(test::trade_row({.id = 2, .event_time_ns = midnight - 1}));
  text.row(test::trade_row({.id = 5, .event_time_ns = midnight + 5 * second_ns}));
  text.row(test::trade_row(
      {.id = 1, .event_time_ns = midnight - 5 * second_ns, .recv_time_ns = midnight + 60 * second_ns}));
  text.row(test::trade_row({.id = 4, .event_time_ns = midnight + 1}));
  const std::string bytes = text.finish();
  SegmentRows rows{segment_id, bytes};
  ASSERT_TRUE(rows.read().has_value());
  const auto plan = rows.plan("test");
  EXPECT_THAT(
      paths_of(plan),
      ElementsAre("raw/date=2024-11-21/hour=23/symbol=BTCUSDT/kind=trades/part-0000002a-000007.parquet",
                  "raw/date=2024-11-22/hour=00/symbol=BTCUSDT/kind=trades/part-0000002a-000007.parquet"));
  const auto ids = [&](std::size_t file) {
    std::vector<std::int64_t> found;
    for (const auto row : rows.rows(file)) found.push_back(*decode_row(row)->first_id());
    return found;
  };
  EXPECT_THAT(ids(0), ElementsAre(1, 2));
  EXPECT_THAT(ids(1), ElementsAre(3, 4, 5));
  EXPECT_EQ(plan.files[0].event_time_ns_min, midnight - 5 * second_ns);
  EXPECT_EQ(plan.files[0].event_time_ns_max, midnight - 1);
}

TEST(SegmentRows, h14_two_small_segments_of_the_same_instant_have_two_names) {
  std::vector<std::string> names;
  for (std::uint32_t number = 0; number < 2; ++number) {
    const SegmentId id{1, number};
    test::SegmentText text{id};
    text.row(test::trade_row({.id = 1 + number}));
    const std::string bytes = text.finish();
    SegmentRows rows{id, bytes};
    ASSERT_TRUE(rows.read().has_value());
    names.push_back(paths_of(rows.plan("test")).at(0));
  }
  EXPECT_NE(names[0], names[1]);
}

TEST(SegmentRows, gaps_are_ids_missing_between_trades_and_broken_links_of_the_depth_chain) {
  test::SegmentText text{segment_id};
  for (const std::int64_t id : {10, 11, 14, 15, 20}) text.row(test::trade_row({.id = id}));
  text.row(test::depth_row({.first_id = 100, .last_id = 105, .prev_id = 99}));
  text.row(test::depth_row({.first_id = 108, .last_id = 110, .prev_id = 105}));  // U need not follow on u
  text.row(test::depth_row({.first_id = 120, .last_id = 121, .prev_id = 118}));
  text.row(test::depth_row({.first_id = 200, .last_id = 200, .snapshot = true}));
  const std::string bytes = text.finish();
  SegmentRows rows{segment_id, bytes};
  ASSERT_TRUE(rows.read().has_value());
  const auto plan = rows.plan("test");
  ASSERT_EQ(plan.files.size(), 2U);
  EXPECT_THAT(plan.files[0].gaps, ElementsAre(IdRange{12, 13}, IdRange{16, 19}));
  EXPECT_EQ(plan.files[0].before_id, 9);
  EXPECT_EQ(plan.files[0].first_id, 10);
  EXPECT_EQ(plan.files[0].last_id, 20);
  EXPECT_THAT(plan.files[1].gaps, ElementsAre(IdRange{111, 118}));
  EXPECT_EQ(plan.files[1].gaps_count, 1U);
}

TEST(SegmentRows, a_damaged_record_is_named_in_the_ledger_and_the_rest_is_kept) {
  test::SegmentText text{segment_id};
  for (std::int64_t id = 1; id <= 5; ++id) text.row(test::trade_row({.id = id}));
  const std::size_t at = text.size() + 40;
  for (std::int64_t id = 6; id <= 10; ++id) text.row(test::trade_row({.id = id}));
  text.lost(4, "the ring was full");
  std::string bytes = text.finish();
  bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
  SegmentRows rows{segment_id, bytes};
  ASSERT_TRUE(rows.read().has_value());
  const auto plan = rows.plan("test");
  ASSERT_EQ(plan.files.size(), 2U);
  EXPECT_EQ(plan.files[1].rows, 9U);
  EXPECT_THAT(plan.files[1].gaps, ElementsAre(IdRange{6, 6}));
  std::vector<std::string> causes;
  std::int64_t lost = 0;
  for (const auto bytes_of_row : rows.rows(0)) {
    const auto row = decode_row(bytes_of_row);
    EXPECT_EQ(row->symbol(), whole_recording);
    causes.emplace_back(row->text(column_index(Kind::coverage, "cause")));
    lost += row->integer(column_index(Kind::coverage, "count"));
    EXPECT_EQ(row->text(column_index(Kind::coverage, "status")), "lost");
  }
  EXPECT_THAT(causes, testing::UnorderedElementsAre(name(JournalFault::bad_checksum), "damaged record",
                                                    "the ring was full"));
  EXPECT_EQ(lost, 1 + 4);
  EXPECT_GE(rows.losses_count(), 2U);
}

TEST(SegmentRows, what_is_no_segment_of_that_name_is_a_fault) {
  test::SegmentText text{{1, 2}};
  text.row(test::trade_row({}));
  const std::string bytes = text.finish();
  EXPECT_EQ(SegmentRows(segment_id, bytes).read().error(), JournalFault::no_head);
  EXPECT_EQ(SegmentRows(segment_id, "").read().error(), JournalFault::not_a_journal);
  std::string newer = bytes;
  newer.replace(0, 8, "PHXJRN99");
  EXPECT_EQ(SegmentRows(segment_id, newer).read().error(), JournalFault::newer_format);
}

TEST(QualityGate, h33_rows_of_the_warm_up_with_nulls_are_stored) {
  test::SegmentText text{segment_id};
  for (std::int64_t id = 1; id <= 19; ++id) text.row(test::ofi_row({.id = id, .warmup = true}));
  text.row(test::ofi_row({.id = 20}));
  const std::string bytes = text.finish();
  SegmentRows rows{segment_id, bytes};
  ASSERT_TRUE(rows.read().has_value());
  EXPECT_EQ(rows.refused_count(), 0U);
  EXPECT_EQ(rows.plan("test").files.at(0).rows, 20U);
}

TEST(QualityGate, h33_what_breaks_a_rule_fails_closed_into_the_dead_letter_and_the_ledger) {
  const std::int64_t day = 86'400 * second_ns;
  const std::pair<std::string, std::string_view> bad[] = {
      {test::trade_row({.id = 1, .price_raw = 0}), "price or quantity not above zero"},
      {test::trade_row({.id = 2, .qty_raw = -5}), "price or quantity not above zero"},
      {test::trade_row({.id = 3, .event_time_ns = 1}), "event time out of range"},
      {test::trade_row({.id = 4, .event_time_ns = hour_ns, .recv_time_ns = hour_ns - 2 * day}),
       "event time after its receipt"},
      {test::trade_row({.id = 5, .price_raw = INT64_MAX}), "value beyond its type"},
      {test::ticker_row({.id = 6, .bid_raw = 102, .ask_raw = 101}), "bid above ask"},
      {"not a row", "unknown kind"},
  };
  test::SegmentText text{segment_id};
  for (const auto& [row, reason] : bad) text.row(row);
  text.row(test::trade_row({.id = 9}));
  text.row(test::ticker_row({.id = 10, .bid_raw = 101, .ask_raw = 101}));
  const std::string bytes = text.finish();
  SegmentRows rows{segment_id, bytes};
  ASSERT_TRUE(rows.read().has_value());
  EXPECT_EQ(rows.rows_count(), 9U);
  ASSERT_EQ(rows.refused_count(), std::size(bad));

  std::string letter;
  EXPECT_EQ(rows.deadletter(0, 1U << 20, letter), std::size(bad));
  std::size_t at = 0;
  for (const auto& [row, reason] : bad) {
    const std::size_t end = letter.find('\n', at);
    const std::string line = letter.substr(at, end - at);
    EXPECT_EQ(nlohmann::json::parse(line)["reason"], reason);
    EXPECT_EQ(deadletter_row(line), row);
    at = end + 1;
  }
  EXPECT_EQ(at, letter.size());

  const auto plan = rows.plan("test");
  EXPECT_EQ(plan.deadletter, "deadletter/0000002a-000007.ndjson");
  std::uint64_t named = 0, counted = 0;
  for (std::size_t file = 0; file < plan.files.size(); ++file) {
    counted += plan.files[file].rows_refused;
    if (plan.files[file].part.partition.kind == Kind::coverage) named += rows.rows(file).size();
  }
  EXPECT_EQ(named, std::size(bad)) << "each refused row is accounted for by id";
  EXPECT_EQ(counted, 5U) << "four trades and a ticker of an hour that has a file";
}

TEST(QualityGate, levels_of_a_change_may_be_zero_but_no_price_may) {
  const auto change_bytes = test::depth_row({});
  const auto change = decode_row(change_bytes);
  EXPECT_EQ(refusal(*change), "");
  const model::Level bad{model::Price::from_raw(0), model::Qty::from_raw(1)};
  std::string bytes;
  RowWriter row{Kind::book20, "BTCUSDT", bytes};
  row.time(base::venue_time_ns(hour_ns))
      .time(base::local_time_ns(hour_ns))
      .integer(1)
      .levels({&bad, 1})
      .levels({});
  row.finish();
  EXPECT_EQ(refusal(*decode_row(bytes)), "price not above zero");
}

/// Three files and a dead letter out of one segment.
std::string rich_segment() {
  test::SegmentText text{segment_id};
  for (std::int64_t id = 1; id <= 30; ++id) {
    text.row(test::trade_row({.id = id, .event_time_ns = hour_ns + (id % 2) * 3'600 * second_ns}));
    text.row(test::ofi_row({.id = id}));
  }
  text.row(test::trade_row({.id = 31, .price_raw = 0}));
  return text.finish();
}

CommitPlan plan_of(const SegmentRows& rows) {
  auto plan = rows.plan("test");
  plan.sources = {segment_path_of(segment_id)};
  return plan;
}

TEST(Commit, h13_data_appears_only_after_it_is_synced_read_again_and_described) {
  const std::string bytes = rich_segment();
  SegmentRows rows{segment_id, bytes};
  ASSERT_TRUE(rows.read().has_value());
  Shell shell;
  shell.files[segment_path_of(segment_id)] = {};
  ASSERT_EQ(shell.run(rows, plan_of(rows)), Commit::State::finished) << shell.fault;
  const std::string place = "raw/date=2024-11-21/hour=17/symbol=BTCUSDT/kind=trades";
  const std::string data = place + "/part-0000002a-000007.parquet";
  std::vector<std::string> of_file;
  for (const std::string& line : shell.log) {
    if (line.find(data) != std::string::npos || line == "sync_directory " + place) of_file.push_back(line);
  }
  EXPECT_THAT(of_file,
              ElementsAre("write_rows " + data + ".tmp", "read_back " + data + ".tmp",
                          "write_text " + data + ".json.tmp", "rename " + data + ".json.tmp",
                          "sync_directory " + place, "rename " + data + ".tmp", "sync_directory " + place));
  EXPECT_EQ(shell.log.front(), "make_directory deadletter");
  EXPECT_EQ(shell.log[shell.log.size() - 2], "remove journal/0000002a-000007.seg");
  EXPECT_EQ(shell.log.back(), "sync_directory journal");
  EXPECT_EQ(trade_ids(shell), range(1, 30));
  const auto sidecar = parse_sidecar(shell.files[data + ".json"].text);
  ASSERT_TRUE(sidecar.has_value());
  EXPECT_EQ(sidecar->rows, 15U);
  EXPECT_EQ(sidecar->rows_refused, 1U);
}

TEST(Commit, h07_failing_at_any_step_and_repeating_gives_each_row_once) {
  const std::string bytes = rich_segment();
  SegmentRows rows{segment_id, bytes};
  ASSERT_TRUE(rows.read().has_value());
  Shell whole;
  whole.files[segment_path_of(segment_id)] = {};
  ASSERT_EQ(whole.run(rows, plan_of(rows)), Commit::State::finished);
  for (std::size_t n = 0; n < whole.log.size(); ++n) {
    Shell shell;
    shell.files[segment_path_of(segment_id)] = {};
    shell.fail_at = n;
    EXPECT_EQ(shell.run(rows, plan_of(rows)), Commit::State::failed);
    EXPECT_EQ(shell.fault.rfind("no space for ", 0), 0U);
    if (n + 1 < whole.log.size()) {
      EXPECT_TRUE(shell.files.contains(segment_path_of(segment_id))) << n;
    }
    shell.fail_at.reset();
    EXPECT_EQ(shell.run(rows, plan_of(rows)), Commit::State::finished);
    EXPECT_EQ(trade_ids(shell), range(1, 30)) << "failed at " << whole.log[n];
    EXPECT_EQ(shell.files.size(), whole.files.size());
  }
}

TEST(Commit, h08_a_dead_letter_that_cannot_be_written_keeps_the_segment) {
  const std::string bytes = rich_segment();
  SegmentRows rows{segment_id, bytes};
  ASSERT_TRUE(rows.read().has_value());
  Shell whole;
  ASSERT_EQ(whole.run(rows, plan_of(rows)), Commit::State::finished);
  for (std::size_t n = 0; n < whole.log.size(); ++n) {
    if (whole.log[n].find("deadletter") == std::string::npos) continue;
    Shell shell;
    shell.files[segment_path_of(segment_id)] = {};
    shell.fail_at = n;
    EXPECT_EQ(shell.run(rows, plan_of(rows)), Commit::State::failed);
    EXPECT_TRUE(shell.files.contains(segment_path_of(segment_id)));
  }
}

TEST(Commit, h15_a_dead_letter_repeated_is_the_same_one_and_one_of_another_segment_is_another) {
  const std::string bytes = rich_segment();
  SegmentRows rows{segment_id, bytes};
  ASSERT_TRUE(rows.read().has_value());
  Shell shell;
  ASSERT_EQ(shell.run(rows, plan_of(rows)), Commit::State::finished);
  const std::string first = shell.files[deadletter_path(segment_id)].text;
  ASSERT_EQ(shell.run(rows, plan_of(rows)), Commit::State::finished);
  EXPECT_EQ(shell.files[deadletter_path(segment_id)].text, first);
  EXPECT_NE(deadletter_path(segment_id), deadletter_path({segment_id.epoch, segment_id.number + 1}));
}

TEST(Commit, d7_a_segment_stays_when_its_file_reads_back_otherwise) {
  const std::string bytes = rich_segment();
  SegmentRows rows{segment_id, bytes};
  ASSERT_TRUE(rows.read().has_value());
  Shell shell;
  shell.files[segment_path_of(segment_id)] = {};
  shell.spoil = paths_of(rows.plan("test")).at(1) + ".tmp";
  EXPECT_EQ(shell.run(rows, plan_of(rows)), Commit::State::failed);
  EXPECT_NE(shell.fault.find("reads back other than it was written"), std::string::npos) << shell.fault;
  EXPECT_TRUE(shell.files.contains(segment_path_of(segment_id)));
  EXPECT_FALSE(shell.files.contains(paths_of(rows.plan("test")).at(1)));
}

TEST(Commit, a_kept_segment_is_marked_instead_of_removed) {
  const std::string bytes = rich_segment();
  SegmentRows rows{segment_id, bytes};
  ASSERT_TRUE(rows.read().has_value());
  auto plan = rows.plan("test");
  plan.marker = "journal/0000002a-000007.done";
  Shell shell;
  shell.files[segment_path_of(segment_id)] = {};
  EXPECT_EQ(shell.run(rows, std::move(plan)), Commit::State::finished);
  EXPECT_TRUE(shell.files.contains(segment_path_of(segment_id)));
  EXPECT_TRUE(shell.files.contains("journal/0000002a-000007.done"));
  EXPECT_EQ(shell.log.back(), "sync_directory journal");
}

TEST(Commit, an_empty_segment_leaves_no_file) {
  const std::string bytes = test::SegmentText{segment_id}.finish();
  SegmentRows rows{segment_id, bytes};
  ASSERT_TRUE(rows.read().has_value());
  Shell shell;
  shell.files[segment_path_of(segment_id)] = {};
  EXPECT_EQ(shell.run(rows, plan_of(rows)), Commit::State::finished);
  EXPECT_THAT(shell.files, IsEmpty());
}

}  // namespace
}  // namespace phoenix::record
