#include "io/recording.hpp"

#include "engine/input_codec.hpp"
#include "io/test_support.hpp"
#include "record/row.hpp"

#include <mutex>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace phoenix::io {
namespace {

constexpr std::int64_t event_ms = 1'795'000'000'000;

std::string trade_row(std::int64_t id, std::string_view symbol = "BTCUSDT") {
  std::string row;
  record::RowWriter{record::Kind::trades, symbol, row}
      .time(base::venue_time_ms(event_ms + id))
      .time(base::local_time_ns((event_ms + id) * 1'000'000))
      .null()
      .integer(id)
      .integer(id)
      .integer(id)
      .decimal(model::Price::of("100"))
      .decimal(model::Qty::of("1"))
      .boolean(false)
      .null()
      .null()
      .text("a")
      .finish();
  return row;
}

/// The frame of one trade as the network thread puts it into the journal.
std::string trade_frame(std::int64_t id) {
  return fmt::format(
      R"({{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":{0},"s":"BTCUSDT","a":{1},"p":"100","q":"1","f":{1},"l":{1},"T":{0},"m":true}}}})",
      event_ms + id, id);
}

std::string depth_frame(std::int64_t prev, std::int64_t first, std::int64_t last) {
  return fmt::format(
      R"({{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{},"T":{},"s":"BTCUSDT","U":{},"u":{},"pu":{},"b":[["100","1"]],"a":[]}}}})",
      event_ms + last, event_ms + last, first, last, prev);
}

/// As the engine writes it; without `prev` a snapshot.
std::string depth_row(std::optional<std::int64_t> prev, std::int64_t first, std::int64_t last) {
  std::string row;
  record::RowWriter writer{record::Kind::depth, "BTCUSDT", row};
  writer.time(base::venue_time_ms(event_ms + last))
      .time(base::local_time_ns((event_ms + last) * 1'000'000))
      .null();
  writer.integer(first).integer(last).optional(prev).boolean(!prev).text(prev ? "a" : "rest");
  writer.levels({}).levels({}).finish();
  return row;
}

/// An input as somebody who listens keeps it.
std::string heard(engine::ConnectionId line, const std::string& frame) {
  const auto input =
      engine::encode_input(engine::FrameReceived{line, base::local_time_ns(event_ms * 1'000'000), frame});
  return std::string{input.head_view()} + std::string{input.body};
}

class RecordingTest : public testing::Test {
 protected:
  RecordingSettings settings() const {
    RecordingSettings s;
    s.directory = scratch_.path() / "recording";
    s.program = "test";
    s.manifest = "{}";
    s.symbols = {"BTCUSDT"};
    s.journal.raw_ring_bytes = s.journal.engine_ring_bytes = 1U << 20;
    s.archive.segments = SegmentPolicy::keep;  // what a death leaves behind is there, too
    return s;
  }
  std::unique_ptr<Recording> open() { return open(settings()); }
  std::unique_ptr<Recording> open(RecordingSettings chosen) {
    return std::make_unique<Recording>(clock_, std::move(chosen),
                                       [this](Recording::Level level, std::string_view text) {
                                         const std::lock_guard lock{mutex_};
                                         lines_.emplace_back(level, text);
                                       });
  }
  std::vector<std::pair<Recording::Level, std::string>> lines_with(std::string_view tag) {
    const std::lock_guard lock{mutex_};
    std::vector<std::pair<Recording::Level, std::string>> found;
    for (const auto& line : lines_) {
      if (line.second.find(tag) != std::string::npos) found.push_back(line);
    }
    return found;
  }
  static std::optional<std::int64_t> last_trade(const Recording& recording) {
    return recording.resume().at(0).last_trade_id;
  }

  TemporaryDirectory scratch_;
  RealClock clock_;
  std::mutex mutex_;
  std::vector<std::pair<Recording::Level, std::string>> lines_;
};

TEST_F(RecordingTest, what_was_appended_is_in_files_after_it_was_closed) {
  auto recording = open();
  for (std::int64_t id = 1; id <= 100; ++id)
    ASSERT_TRUE(recording->journal().append_row(clock_.now(), trade_row(id)));
  EXPECT_TRUE(recording->close());
  EXPECT_EQ(recording->status().rows_durable, 100U);
  EXPECT_EQ(recording->status().backlog, 0U);
  const auto files = find_files(settings().directory);
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].sidecar->first_id, 1);
  EXPECT_EQ(files[0].sidecar->last_id, 100);
}

TEST_F(RecordingTest, the_next_run_goes_on_where_the_last_one_ended) {
  auto recording = open();
  EXPECT_FALSE(last_trade(*recording));
  for (const std::int64_t id : {1, 2, 5}) recording->journal().append_row(clock_.now(), trade_row(id));
  recording->close();
  recording.reset();
  recording = open();
  EXPECT_EQ(last_trade(*recording), 5);
  EXPECT_EQ(recording->resume().at(0).missing_trades, (std::vector<feed::TradeRange>{{3, 4}}));
  EXPECT_EQ(recording->run_epoch(), 2U);
}

TEST_F(RecordingTest, h01_frames_that_a_dead_engine_never_took_become_rows_of_the_next_run) {
  auto recording = open();
  recording->journal().append_row(clock_.now(), trade_row(10));
  for (const std::int64_t id : {11, 12, 12}) {
    const auto frame = trade_frame(id);
    const auto input =
        engine::encode_input(engine::FrameReceived{engine::ConnectionId::market_a, clock_.now(), frame});
    ASSERT_TRUE(recording->journal().append_raw(clock_.now(), input.head_view(), input.body));
  }
  recording->close();
  recording.reset();
  recording = open();
  EXPECT_EQ(last_trade(*recording), 12);
  recording->close();
  recording.reset();
  recording = open();
  EXPECT_EQ(last_trade(*recording), 12);
  recording->close();
  std::uint64_t trades = 0;
  for (const auto& file : find_files(settings().directory)) {
    if (file.sidecar->part.partition.kind == record::Kind::trades) trades += file.sidecar->rows;
  }
  EXPECT_EQ(trades, 3U);
}

TEST_F(RecordingTest, v09_the_status_is_what_was_committed_and_walks_no_directory) {
  auto recording = open();
  recording->journal().append_row(clock_.now(), trade_row(1));
  recording->close();
  std::filesystem::rename(settings().directory, scratch_.path() / "elsewhere");
  EXPECT_EQ(recording->status().files, 1U);
  EXPECT_EQ(recording->status().rows_durable, 1U);
}

TEST_F(RecordingTest, h36_a_second_writer_is_refused) {
  const auto recording = open();
  EXPECT_THROW(open(), FileError);
}

TEST_F(RecordingTest, h36_nobody_else_begins_before_the_last_file_is_made) {
  auto recording = open();
  recording->journal().append_row(clock_.now(), trade_row(1));
  EXPECT_TRUE(recording->close());
  EXPECT_THROW(open(), FileError);
  recording.reset();
  EXPECT_NO_THROW(open());
}

TEST_F(RecordingTest, what_is_left_to_a_successor_is_converted_by_it) {
  auto recording = open();
  recording->journal().append_row(clock_.now(), trade_row(1));
  recording->close(Recording::Rest::leave);
  recording.reset();
  recording = open();
  EXPECT_TRUE(recording->close());
  std::uint64_t trades = 0;
  for (const auto& file : find_files(settings().directory)) {
    if (file.sidecar->part.partition.kind == record::Kind::trades) trades += file.sidecar->rows;
  }
  EXPECT_EQ(trades, 1U);
}

TEST_F(RecordingTest, a_successor_writes_what_it_heard_between_the_last_run_and_its_own_first_change) {
  auto recording = open();
  recording->append_row(clock_.now(), depth_row(5, 6, 10));
  recording->append_row(clock_.now(), trade_row(70));
  recording->close(Recording::Rest::leave);
  recording.reset();

  std::vector<std::vector<std::string>> told{
      {heard(engine::ConnectionId::market_c, trade_frame(70)),
       heard(engine::ConnectionId::market_c, trade_frame(71)),
       heard(engine::ConnectionId::public_c, depth_frame(5, 6, 10)),
       heard(engine::ConnectionId::public_c, depth_frame(10, 11, 15))},
      {heard(engine::ConnectionId::public_c, depth_frame(15, 16, 20)),
       heard(engine::ConnectionId::public_c, depth_frame(20, 21, 25))}};
  auto chosen = settings();
  std::size_t next = 0;
  chosen.overheard = [&] { return next < told.size() ? told[next++] : std::vector<std::string>{}; };
  recording = open(std::move(chosen));
  EXPECT_EQ(last_trade(*recording), 71);
  EXPECT_EQ(recording->resume().at(0).last_depth_id, 15);
  EXPECT_TRUE(recording->wants_overheard());
  recording->append_row(clock_.now(), depth_row({}, 18, 18));
  recording->append_row(clock_.now(), depth_row(20, 21, 25));
  recording->look_around({}, clock_.now());
  EXPECT_FALSE(recording->wants_overheard());
  EXPECT_EQ(next, 2U);
  recording->close();
  recording.reset();

  // 6-10; 11-15 and 16-20 as they were heard; the snapshot; 21-25 once.
  std::uint64_t depth = 0, trades = 0;
  for (const auto& file : find_files(settings().directory)) {
    if (file.sidecar->part.partition.kind == record::Kind::depth) depth += file.sidecar->rows;
    if (file.sidecar->part.partition.kind == record::Kind::trades) trades += file.sidecar->rows;
  }
  EXPECT_EQ(depth, 5U);
  EXPECT_EQ(trades, 2U);
  EXPECT_EQ(open()->resume().at(0).last_depth_id, 25);
}

TEST_F(RecordingTest, a_successor_that_stops_before_it_has_a_book_keeps_what_it_heard) {
  auto recording = open();
  recording->append_row(clock_.now(), depth_row(5, 6, 10));
  recording->close();
  recording.reset();
  auto chosen = settings();
  chosen.overheard = [count = 0]() mutable {
    return count++ == 1 ? std::vector{heard(engine::ConnectionId::public_c, depth_frame(10, 11, 15))}
                        : std::vector<std::string>{};
  };
  recording = open(std::move(chosen));
  recording->close();
  recording.reset();
  EXPECT_EQ(open()->resume().at(0).last_depth_id, 15);
}

TEST_F(RecordingTest, a_journal_of_a_newer_program_is_refused_before_a_number_is_taken) {
  open()->close();
  const auto epoch = read_file(settings().directory / "runs" / "epoch");
  write_file_atomically(settings().directory / "journal" / "00000001-000009.seg", "PHXJRN77 and more");
  EXPECT_THROW(open(), FileError);
  EXPECT_EQ(read_file(settings().directory / "runs" / "epoch"), epoch);
}

TEST_F(RecordingTest, a_directory_that_is_none_of_ours_stays_as_it_is) {
  const auto directory = settings().directory;
  std::filesystem::create_directories(directory / "raw" / "photos");
  write_file_atomically(directory / "raw" / "photos" / "cat.parquet", "meow");
  EXPECT_THROW(open(), FileError);
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::recursive_directory_iterator(directory))
    ++entries;
  EXPECT_EQ(entries, 3U);
}

ops::Status status_with(std::uint64_t reconnects, std::uint64_t rows) {
  ops::Status status;
  status.reconnects = reconnects;
  auto& symbol = status.symbols.push_back({});
  symbol.name = model::SymbolTable::Name{"BTCUSDT"};
  symbol.recorded = true;
  symbol.rows[0] = rows;
  return status;
}

/// A reconnect long ago is no reason to warn of every rotation since.
TEST_F(RecordingTest, h26_a_rotation_is_judged_by_what_happened_since_the_last_one) {
  const auto recording = open();
  auto now = base::local_time_ns(event_ms * 1'000'000);
  recording->look_around(status_with(0, 0), now);
  recording->look_around(status_with(1, 100), now += base::minutes{1});
  recording->look_around(status_with(1, 250), now += base::minutes{1});
  const auto lines = lines_with("[ROTATE]");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].first, Recording::Level::warning);
  EXPECT_NE(lines[0].second.find("buffers={trades: 100}, reconnect_count=1, mode=NORMAL"), std::string::npos);
  EXPECT_EQ(lines[1].first, Recording::Level::debug);
  EXPECT_NE(lines[1].second.find("buffers={trades: 150}, reconnect_count=0, mode=NORMAL"), std::string::npos);
}

TEST_F(RecordingTest, h09_much_traffic_rotates_faster_and_calm_brings_the_usual_pace_back) {
  const auto recording = open();
  auto now = base::local_time_ns(event_ms * 1'000'000);
  std::uint64_t rows = 0;
  for (int i = 0; i < 120; ++i)
    recording->look_around(status_with(0, rows += 2'000), now += base::seconds{1});
  for (int i = 0; i < 300; ++i) recording->look_around(status_with(0, rows += 10), now += base::seconds{1});
  const auto changes = lines_with("[EXTREME_TRAFFIC]");
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_NE(changes[0].second.find("mode=EXTREME"), std::string::npos);
  EXPECT_NE(changes[1].second.find("mode=NORMAL"), std::string::npos);
}

}  // namespace
}  // namespace phoenix::io
