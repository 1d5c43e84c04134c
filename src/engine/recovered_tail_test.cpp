#include "engine/recovered_tail.hpp"

#include "engine/resume_state.hpp"
#include "record/row.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace phoenix::engine {
namespace {

using base::LocalTime;
using base::seconds;
using model::Qty;
using record::Kind;

const LocalTime died = base::local_time_ns(1'795'000'000'000'000'000);
const LocalTime restarted = died + seconds{30};

ResumePoint point(std::optional<std::int64_t> last_trade, std::vector<feed::TradeRange> missing = {},
                  std::optional<std::int64_t> last_depth = {}) {
  return {.symbol = "BTCUSDT",
          .last_trade_id = last_trade,
          .missing_trades = std::move(missing),
          .last_depth_id = last_depth,
          .recorded_until = died,
          .signals = {.cvd = Qty::of("5")}};
}

/// What the tail makes of frames.
struct Tail {
  explicit Tail(ResumePoint p) : tail({std::move(p)}) {}

  void trade(std::int64_t id, ConnectionId line = ConnectionId::market_a, std::string_view sold = "false") {
    const auto text = fmt::format(
        R"({{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":1795000000001,"a":{},"s":"BTCUSDT","p":"100.5",)"
        R"("q":"2","f":1,"l":2,"T":1795000000000,"m":{}}}}})",
        id, sold);
    tail.take({line, died, text}, out);
  }
  void depth(std::int64_t prev, std::int64_t first, std::int64_t last,
             ConnectionId line = ConnectionId::public_b) {
    const auto text = fmt::format(
        R"({{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1795000000001,"T":1795000000000,)"
        R"("s":"BTCUSDT","U":{},"u":{},"pu":{},"b":[["100","1"]],"a":[]}}}})",
        first, last, prev);
    tail.take({line, died, text}, out);
  }
  ResumePoint finish() { return tail.finish(restarted, out).front(); }

  std::vector<std::int64_t> ids(Kind kind) const {
    std::vector<std::int64_t> ids;
    for (std::size_t i = 0; i < out.rows_count(); ++i) {
      const auto row = record::decode_row(out.row(i));
      if (row->kind() == kind) ids.push_back(row->last_id().value_or(-1));
    }
    return ids;
  }
  /// Of the ledger: "status first-last".
  std::vector<std::string> entries() const {
    std::vector<std::string> entries;
    for (std::size_t i = 0; i < out.rows_count(); ++i) {
      const auto row = record::decode_row(out.row(i));
      if (row->kind() != Kind::coverage) continue;
      const auto number = [&row](const char* column) {
        return row->integer(record::column_index(Kind::coverage, column));
      };
      entries.push_back(fmt::format("{} {}-{}", row->text(record::column_index(Kind::coverage, "status")),
                                    number("first_id"), number("last_id")));
    }
    return entries;
  }

  RecoveredTail tail;
  Actions out;
};

using Ids = std::vector<std::int64_t>;
using Entries = std::vector<std::string>;

TEST(RecoveredTail, trades_above_the_last_recorded_one_become_rows) {
  Tail t{point(10)};
  for (const std::int64_t id : {9, 10, 11, 12}) t.trade(id);
  EXPECT_EQ(t.ids(Kind::trades), (Ids{11, 12}));
  const auto after = t.finish();
  EXPECT_EQ(after.last_trade_id, 12);
  EXPECT_TRUE(after.missing_trades.empty());
  EXPECT_EQ(t.entries(), (Entries{"repaired 11-12"}));
}

TEST(RecoveredTail, h24_what_two_lines_brought_becomes_one_row_each) {
  Tail t{point(10)};
  for (const std::int64_t id : {11, 12, 13}) {
    t.trade(id, ConnectionId::market_a);
    t.trade(id, ConnectionId::market_b);
  }
  EXPECT_EQ(t.ids(Kind::trades), (Ids{11, 12, 13}));
}

TEST(RecoveredTail, trades_into_holes_close_them_and_new_holes_are_handed_on) {
  Tail t{point(20, {{5, 9}, {15, 15}})};
  for (const std::int64_t id : {7, 15, 7, 23}) t.trade(id);
  EXPECT_EQ(t.ids(Kind::trades), (Ids{7, 15, 23}));
  const auto after = t.finish();
  EXPECT_EQ(after.last_trade_id, 23);
  EXPECT_EQ(after.missing_trades, (std::vector<feed::TradeRange>{{5, 6}, {8, 9}, {21, 22}}));
  EXPECT_EQ(t.entries(), (Entries{"repaired 7-7", "repaired 15-15", "repaired 23-23"}));
}

TEST(RecoveredTail, taking_the_same_frames_twice_adds_nothing) {
  Tail t{point(20, {{5, 9}}, 100)};
  const auto feed = [&t] {
    for (const std::int64_t id : {6, 21, 25}) t.trade(id);
    t.depth(100, 101, 110);
    t.depth(110, 111, 120);
  };
  feed();
  const auto rows = t.out.rows_count();
  feed();
  EXPECT_EQ(t.out.rows_count(), rows);
  // Nor does a second recovery that starts from the rows of the first.
  ResumeState state;
  state.add_trades({1, 4});
  state.add_trades({10, 20});
  state.add_last_depth(100);
  for (std::size_t i = 0; i < t.out.rows_count(); ++i)
    state.look_at(*record::decode_row(t.out.row(i)), restarted);
  Tail again{state.point("BTCUSDT")};
  for (const std::int64_t id : {6, 21, 25}) again.trade(id);
  again.depth(100, 101, 110);
  again.depth(110, 111, 120);
  EXPECT_EQ(again.out.rows_count(), 0U);
}

TEST(RecoveredTail, a_first_trade_is_a_beginning) {
  Tail t{point({})};
  t.trade(50);
  t.trade(51);
  EXPECT_EQ(t.ids(Kind::trades), (Ids{50, 51}));
  EXPECT_TRUE(t.finish().missing_trades.empty());
}

TEST(RecoveredTail, changes_of_the_book_are_taken_while_they_follow_each_other) {
  Tail t{point(10, {}, 100)};
  t.depth(80, 81, 95);     // known
  t.depth(95, 96, 110);    // overlaps, as another line cuts
  t.depth(105, 106, 108);  // known
  t.depth(110, 112, 120);
  t.depth(125, 126, 130);  // a hole
  t.depth(120, 121, 140);  // would follow, and is the past of a chain that is broken
  EXPECT_EQ(t.ids(Kind::depth), (Ids{110, 120}));
  EXPECT_EQ(t.finish().last_depth_id, 120);
}

TEST(RecoveredTail, without_a_book_to_follow_no_change_of_it_is_taken) {
  Tail t{point(10)};
  t.depth(80, 81, 95);
  EXPECT_EQ(t.out.rows_count(), 0U);
}

TEST(RecoveredTail, the_sum_goes_on_with_trades_no_signals_ever_saw) {
  Tail t{point(10)};
  t.trade(11, ConnectionId::market_a, "false");
  t.trade(12, ConnectionId::market_a, "true");
  t.trade(13, ConnectionId::market_a, "true");
  EXPECT_EQ(t.finish().signals.cvd, Qty::of("3")) << "5 and 2, less 2, less 2";
}

TEST(RecoveredTail, what_is_no_data_of_these_symbols_is_left_out) {
  Tail t{point(10, {}, 100)};
  const std::string_view texts[] = {
      "", "{", R"({"result":null,"id":1})", std::string_view{"\0\xff", 2},
      R"({"stream":"ethusdt@aggTrade","data":{"e":"aggTrade","E":1,"a":11,"s":"ETHUSDT","p":"1","q":"1","f":1,"l":1,"T":1,"m":true}})"};
  for (const auto text : texts) {
    t.tail.take({ConnectionId::market_a, died, text}, t.out);
    t.tail.take({ConnectionId::user_a, died, text}, t.out);
  }
  t.trade(-3);
  EXPECT_EQ(t.out.rows_count(), 0U);
}

TEST(RecoveredTail, more_holes_than_the_next_run_can_ask_for_are_named_lost_oldest_first) {
  Tail t{point(0)};
  const auto holes = static_cast<std::int64_t>(feed::TradeMerge::holes_max) + 3;
  for (std::int64_t i = 1; i <= holes; ++i) t.trade(i * 2);
  const auto after = t.finish();
  EXPECT_EQ(after.missing_trades.size(), feed::TradeMerge::holes_max);
  EXPECT_EQ(after.missing_trades.front(), (feed::TradeRange{7, 7}));
  std::vector<std::string> lost;
  for (const auto& entry : t.entries()) {
    if (entry.starts_with("lost")) lost.push_back(entry);
  }
  EXPECT_EQ(lost, (Entries{"lost 1-1", "lost 3-3", "lost 5-5"}));
}

}  // namespace
}  // namespace phoenix::engine
