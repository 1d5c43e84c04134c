#include "engine/depth_bridge.hpp"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace phoenix::engine {
namespace {

using record::Kind;

const base::LocalTime left = base::local_time_ns(1'795'000'000'000'000'000);
const base::LocalTime joined = left + base::seconds{3};

ResumePoint point(std::optional<std::int64_t> last_depth, std::string symbol = "BTCUSDT") {
  return {.symbol = std::move(symbol),
          .last_trade_id = {},
          .missing_trades = {},
          .last_depth_id = last_depth,
          .recorded_until = left,
          .signals = {}};
}

/// A bridge of one symbol, and what it makes of what it is told.
struct Bridge {
  explicit Bridge(std::optional<std::int64_t> last_depth) : bridge(std::vector{point(last_depth)}) {}

  /// The listener read a change.
  void heard(std::int64_t prev, std::int64_t first, std::int64_t last,
             ConnectionId line = ConnectionId::public_c) {
    const auto text = fmt::format(
        R"({{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1795000000001,"T":1795000000000,)"
        R"("s":"BTCUSDT","U":{},"u":{},"pu":{},"b":[["100","1"]],"a":[]}}}})",
        first, last, prev);
    bridge.take({line, left, text});
  }
  /// The later run wrote a row of its depth.
  void wrote(std::optional<std::int64_t> prev, std::int64_t first, std::int64_t last) {
    std::string bytes;
    record::RowWriter row{Kind::depth, "BTCUSDT", bytes};
    row.time(base::venue_time_ms(1)).time(left).null().integer(first).integer(last).optional(prev);
    row.boolean(!prev).text(prev ? "a" : "rest").levels({}).levels({}).finish();
    bridge.look_at(*record::decode_row(bytes));
  }
  void settle() { bridge.settle(joined, out); }
  void finish() { bridge.finish(joined, out); }

  /// "first-last" of the depth rows, all of which say that a bridge wrote them.
  std::vector<std::string> changes() const {
    std::vector<std::string> changes;
    for (const auto& bytes : out) {
      const auto row = record::decode_row(bytes);
      if (row->kind() != Kind::depth) continue;
      EXPECT_EQ(row->text(record::column_index(Kind::depth, "line")), "overlap");
      changes.push_back(fmt::format("{}-{}", *row->first_id(), *row->last_id()));
    }
    return changes;
  }
  /// "status first-last" of the ledger.
  std::vector<std::string> entries() const {
    std::vector<std::string> entries;
    for (const auto& bytes : out) {
      const auto row = record::decode_row(bytes);
      if (row->kind() != Kind::coverage) continue;
      const auto number = [&row](const char* column) {
        return row->integer(record::column_index(Kind::coverage, column));
      };
      EXPECT_EQ(number("count"), number("last_id") - number("first_id") + 1);
      entries.push_back(fmt::format("{} {}-{}", row->text(record::column_index(Kind::coverage, "status")),
                                    number("first_id"), number("last_id")));
    }
    return entries;
  }

  DepthBridge bridge;
  std::vector<std::string> out;
};

using Texts = std::vector<std::string>;

TEST(DepthBridge, changes_between_the_runs_become_rows_and_no_others) {
  Bridge b{10};
  b.heard(5, 6, 10);
  b.heard(10, 11, 15);
  b.heard(15, 16, 20);
  b.heard(20, 21, 25);
  b.wrote({}, 18, 18);
  b.wrote(20, 21, 25);
  b.settle();
  EXPECT_EQ(b.changes(), (Texts{"11-15", "16-20"}));
  EXPECT_EQ(b.entries(), Texts{"repaired 11-20"});
  EXPECT_TRUE(b.bridge.is_done());
}

TEST(DepthBridge, it_waits_until_the_listener_has_what_is_before_the_first_change) {
  Bridge b{10};
  b.heard(10, 11, 15);
  b.wrote(20, 21, 25);
  b.settle();
  EXPECT_TRUE(b.out.empty());
  EXPECT_FALSE(b.bridge.is_done());
  b.heard(15, 16, 20);
  b.settle();
  EXPECT_EQ(b.changes(), (Texts{"11-15", "16-20"}));
}

TEST(DepthBridge, a_snapshot_alone_says_nothing_about_the_end) {
  Bridge b{10};
  b.heard(10, 11, 15);
  b.wrote({}, 12, 12);
  b.settle();
  EXPECT_TRUE(b.out.empty());
}

TEST(DepthBridge, a_change_that_was_cut_elsewhere_covers_the_join) {
  Bridge b{10};
  b.heard(10, 11, 22);
  b.wrote(20, 21, 25);
  b.settle();
  EXPECT_EQ(b.changes(), Texts{"11-22"});
}

TEST(DepthBridge, a_change_that_the_later_run_writes_too_is_there_once) {
  Bridge b{10};
  b.heard(10, 11, 15);
  b.heard(15, 16, 31);
  b.wrote(20, 21, 25);
  b.settle();
  EXPECT_FALSE(b.bridge.is_done()) << "nobody knows yet whether the later run writes 16-31";
  b.wrote(15, 16, 31);
  b.settle();
  EXPECT_EQ(b.changes(), Texts{"11-15"});
  EXPECT_EQ(b.entries(), Texts{"repaired 11-15"});
  EXPECT_TRUE(b.bridge.is_done());
}

TEST(DepthBridge, a_change_that_reaches_into_the_later_run_and_is_cut_there_otherwise_is_written) {
  Bridge b{10};
  b.heard(10, 11, 15);
  b.heard(15, 16, 31);
  b.wrote(20, 21, 25);
  b.wrote(25, 26, 35);
  b.settle();
  EXPECT_EQ(b.changes(), (Texts{"11-15", "16-31"}));
  EXPECT_EQ(b.entries(), Texts{"repaired 11-31"});
}

TEST(DepthBridge, where_nothing_is_missing_nothing_is_written) {
  Bridge b{10};
  b.wrote(10, 11, 15);
  b.settle();
  EXPECT_TRUE(b.out.empty());
  EXPECT_TRUE(b.bridge.is_done());
}

TEST(DepthBridge, what_the_listener_missed_is_named_lost) {
  Bridge b{10};
  b.heard(10, 11, 15);
  b.heard(17, 18, 20);
  b.heard(20, 21, 25);
  b.wrote(25, 26, 30);
  b.settle();
  EXPECT_EQ(b.changes(), Texts{"11-15"});
  EXPECT_EQ(b.entries(), (Texts{"repaired 11-15", "lost 16-25"}));
  EXPECT_TRUE(b.bridge.is_done());
}

TEST(DepthBridge, a_listener_that_came_too_late_joins_nothing) {
  Bridge b{10};
  b.heard(12, 13, 15);
  b.wrote(15, 16, 20);
  b.settle();
  EXPECT_EQ(b.changes(), Texts{});
  EXPECT_EQ(b.entries(), Texts{"lost 11-15"});
}

TEST(DepthBridge, at_the_end_all_that_follows_becomes_rows) {
  Bridge b{10};
  b.heard(10, 11, 15);
  b.finish();
  EXPECT_EQ(b.changes(), Texts{"11-15"});
  EXPECT_EQ(b.entries(), Texts{"repaired 11-15"});
  EXPECT_TRUE(b.bridge.is_done());
}

TEST(DepthBridge, a_symbol_without_earlier_depth_needs_none) {
  const Bridge b{std::nullopt};
  EXPECT_TRUE(b.bridge.is_done());
}

TEST(DepthBridge, frames_of_other_streams_and_broken_ones_are_left_out) {
  Bridge b{10};
  b.heard(10, 11, 15, ConnectionId::market_c);
  b.bridge.take({ConnectionId::public_c, left, "{\"result\":null,\"id\":1}"});
  b.bridge.take({ConnectionId::public_c, left, "{"});
  b.finish();
  EXPECT_TRUE(b.out.empty());
}

}  // namespace
}  // namespace phoenix::engine
