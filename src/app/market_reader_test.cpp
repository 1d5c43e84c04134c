#include "app/market_reader.hpp"

#include "app/config.hpp"

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

namespace fs = std::filesystem;
using sim::MarketEvent;

class MarketReaderTest : public testing::Test {
 protected:
  MarketReaderTest() : directory_(fs::temp_directory_path() / fmt::format("phoenix-reader-{}", ::getpid())) {
    fs::create_directories(directory_);
  }
  ~MarketReaderTest() override { fs::remove_all(directory_); }

  /// Milliseconds after the hour stand for times; ids are small.
  static std::string at(int ms) { return fmt::format("{}", 1'723'161'600'000 + ms); }
  static std::string line(int ms, const std::string& stream, const std::string& data) {
    return fmt::format("{}000000 {{\"stream\":\"{}\",\"data\":{}}}\n", at(ms), stream, data);
  }
  static std::string depth(int ms, int first, int last, int before, const std::string& bids) {
    return line(
        ms, "btcusdt@depth@0ms",
        fmt::format(
            R"({{"e":"depthUpdate","E":{0},"T":{0},"s":"BTCUSDT","U":{1},"u":{2},"pu":{3},"b":[{4}],"a":[]}})",
            at(ms), first, last, before, bids));
  }
  static std::string trade(int ms, int event_ms, int id) {
    return line(
        ms, "btcusdt@trade",
        fmt::format(
            R"({{"e":"trade","E":{0},"T":{0},"s":"BTCUSDT","t":{1},"p":"60000.0","q":"0.5","X":"MARKET","m":true}})",
            at(event_ms), id));
  }
  static std::string agg(int ms, int id, int first, int last) {
    return line(
        ms, "btcusdt@aggTrade",
        fmt::format(
            R"({{"e":"aggTrade","E":{0},"a":{1},"s":"BTCUSDT","p":"60000.0","q":"0.5","f":{2},"l":{3},"T":{0},"m":true}})",
            at(ms), id, first, last));
  }
  static std::string snapshot(int ms, int id) {
    return fmt::format(
        "{}000000 "
        "{{\"lastUpdateId\":{},\"E\":{},\"T\":{},\"bids\":[[\"59990.0\",\"1\"],[\"59980.0\",\"2\"]],\"asks\":"
        "[[\"60010.0\",\"1\"]]}}\n",
        at(ms), id, at(ms), at(ms));
  }
  fs::path file(const std::string& text) {
    const fs::path path = directory_ / "market.txt";
    std::ofstream{path} << text;
    return path;
  }
  struct Seen {
    MarketEvent::Kind kind;
    std::int64_t ms;
    std::vector<model::Level> bids;
  };
  std::vector<Seen> read(const std::string& text) {
    MarketReader reader{{file(text)}, {}};
    std::vector<Seen> seen;
    while (const auto event = reader.next()) {
      seen.push_back({event->kind,
                      base::ms_of(event->at) - 1'723'161'600'000,
                      {event->bids.begin(), event->bids.end()}});
    }
    stats = reader.stats();
    return seen;
  }
  MarketReaderStats stats;
  fs::path directory_;
};

TEST_F(MarketReaderTest, a_snapshot_and_what_came_after_it_make_the_first_book) {
  const auto seen =
      read(depth(0, 90, 100, 89, R"(["59990.0","9"])") + depth(50, 101, 110, 100, R"(["59990.0","7"])") +
           snapshot(60, 105) + depth(100, 111, 120, 110, R"(["59980.0","0"])"));
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].kind, MarketEvent::Kind::whole);
  EXPECT_EQ(seen[0].bids, (std::vector<model::Level>{{model::Price::of("59980"), model::Qty::of("2")},
                                                     {model::Price::of("59990"), model::Qty::of("7")}}));
  EXPECT_EQ(seen[1].kind, MarketEvent::Kind::change);
  EXPECT_EQ(stats.snapshots, 1U);
  EXPECT_EQ(stats.holes, 0U);
}

TEST_F(MarketReaderTest, without_a_snapshot_the_changes_make_the_book) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += depth(i * 500, i * 10 + 1, i * 10 + 10, i * 10, R"(["59990.0","9"])");
  const auto seen = read(text);
  EXPECT_EQ(seen.size(), 30U);
  EXPECT_EQ(stats.without_snapshot, 1U);
}

TEST_F(MarketReaderTest, what_happened_first_at_the_venue_comes_first) {
  const auto seen = read(snapshot(0, 100) + depth(40, 101, 110, 100, R"(["59990.0","9"])") +
                         trade(45, 40, 1) + trade(50, 30, 2));
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_EQ(seen[1].ms, 30);
  EXPECT_EQ(seen[2].kind, MarketEvent::Kind::trade);  // the change at the same instant holds the trade
  EXPECT_EQ(seen[3].kind, MarketEvent::Kind::change);
}

TEST_F(MarketReaderTest, each_trade_counts_once) {
  const auto seen = read(snapshot(0, 100) + trade(10, 10, 1) + trade(10, 10, 1) + agg(20, 7, 1, 1) +
                         agg(30, 8, 2, 4) + trade(31, 31, 3) + trade(40, 40, 5));
  std::size_t trades = 0;
  for (const auto& event : seen) trades += event.kind == MarketEvent::Kind::trade ? 1 : 0;
  EXPECT_EQ(trades, 3U);
  EXPECT_EQ(stats.repeated, 3U);
}

TEST_F(MarketReaderTest, a_hole_is_counted_and_the_next_snapshot_closes_it) {
  const auto seen = read(snapshot(0, 100) + depth(40, 101, 110, 100, R"(["59970.0","9"])") +
                         depth(80, 150, 160, 149, R"(["59980.0","3"])") + snapshot(120, 155) +
                         depth(160, 161, 170, 160, R"(["59980.0","4"])"));
  EXPECT_EQ(stats.holes, 1U);
  ASSERT_EQ(seen.size(), 5U);
  EXPECT_EQ(seen[3].kind, MarketEvent::Kind::whole);
  EXPECT_EQ(seen[3].bids, (std::vector<model::Level>{{model::Price::of("59980"), model::Qty::of("3")},
                                                     {model::Price::of("59990"), model::Qty::of("1")}}));
}

TEST_F(MarketReaderTest, hostile_lines_are_counted_and_passed_over) {
  const auto seen = read("}{\n\x01\x02\n" + snapshot(0, 100) +
                         "1723161600000000000 {\"stream\":\"btcusdt@depth@0ms\",\"data\":{\"e\":\n" +
                         depth(40, 101, 110, 100, R"(["59990.0","9"])"));
  EXPECT_EQ(seen.size(), 2U);
  EXPECT_GE(stats.unreadable, 2U);
}

TEST_F(MarketReaderTest, a_jump_of_years_is_an_error_and_not_a_wait) {
  std::string far = depth(40, 101, 110, 100, R"(["59990.0","9"])");
  for (auto i = far.find("17231616000"); i != std::string::npos; i = far.find("17231616000"))
    far.replace(i, 11, "18231616000");
  try {
    read(snapshot(0, 100) + depth(10, 99, 100, 98, "") + trade(20, 20, 1) + far);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const StartError& error) {
    EXPECT_NE(std::string{error.what()}.find("jumps"), std::string::npos);
  }
}

TEST_F(MarketReaderTest, names_what_is_there_in_place_of_what_is_wanted) {
  const std::set<std::string> wanted{"ETHUSDT"};
  MarketReader reader{{file(snapshot(0, 100) + trade(20, 20, 1))}, wanted};
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.others().contains("BTCUSDT"));
}

TEST_F(MarketReaderTest, a_directory_without_a_journal_and_a_missing_file_are_one_line) {
  EXPECT_THROW((MarketReader{{directory_}, {}}), StartError);
  EXPECT_THROW((MarketReader{{directory_ / "missing"}, {}}), StartError);
}

}  // namespace
}  // namespace phoenix::app
