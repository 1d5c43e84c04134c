#include "engine/resume_state.hpp"

#include "base/rng.hpp"
#include "record/row.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::engine {
namespace {

using base::LocalTime;
using model::Qty;
using record::Kind;

const LocalTime t0 = base::local_time_ns(1'795'000'000'000'000'000);

std::string trade(std::int64_t id, std::string_view qty, std::string_view source = "a") {
  const bool sold = qty.starts_with('-');
  if (sold) qty.remove_prefix(1);
  std::string bytes;
  record::RowWriter row{Kind::trades, "BTCUSDT", bytes};
  row.time(base::venue_time_ms(1)).time(t0).null().integer(id).integer(id).integer(id);
  row.decimal(model::Price::of("100"))
      .decimal(Qty::of(qty))
      .boolean(sold)
      .null()
      .null()
      .text(source)
      .finish();
  return bytes;
}
std::string cvd(std::int64_t id, std::string_view sum) {
  std::string bytes;
  record::RowWriter row{Kind::cvd, "BTCUSDT", bytes};
  row.time(base::venue_time_ms(1)).time(t0).integer(id).decimal(Qty::of(sum)).decimal(Qty{});
  row.null().null().null().null().boolean(false).boolean(false).text("warmup").boolean(false);
  row.number(0).number(0).text("Tokyo").null().null().null().text("TM").integer(2).finish();
  return bytes;
}
std::string lost(std::int64_t first, std::int64_t last, std::string_view stream = "trades",
                 std::string_view status = "lost") {
  std::string bytes;
  record::RowWriter row{Kind::coverage, "BTCUSDT", bytes};
  row.time(base::venue_time_ms(1)).time(t0).time(t0).text(stream).text(status).text("cause").text("");
  row.integer(first).integer(last).integer(last - first + 1).text("").finish();
  return bytes;
}
std::string second(std::int64_t at) {
  std::string bytes;
  record::RowWriter row{Kind::features, "BTCUSDT", bytes};
  row.time(base::venue_time_ms(at * 1'000)).time(t0).integer(at).boolean(false);
  for (int i = 0; i < 14; ++i) row.null();
  row.number(0).decimal(Qty{}).integer(0).integer(0);
  row.text("Tokyo").null().null().null().text("TM").integer(2).finish();
  return bytes;
}
void look(ResumeState& state, const std::string& bytes, LocalTime written = t0) {
  const auto row = record::decode_row(bytes);
  ASSERT_TRUE(row.has_value());
  state.look_at(*row, written);
}

TEST(ResumeState, an_empty_recording_says_nothing) {
  const auto point = ResumeState{}.point("BTCUSDT");
  EXPECT_EQ(point.symbol, "BTCUSDT");
  EXPECT_FALSE(point.last_trade_id || point.last_depth_id || point.recorded_until);
  EXPECT_TRUE(point.missing_trades.empty());
  EXPECT_EQ(point.signals, signal::SignalState{});
}

TEST(ResumeState, missing_is_what_is_neither_a_row_nor_named_lost) {
  ResumeState state;
  for (const std::int64_t id : {3, 4, 9, 12, 6}) look(state, trade(id, "1"));
  look(state, lost(10, 10));
  look(state, lost(5, 5, "depth"));
  look(state, lost(7, 8, "trades", "repaired"));
  const auto point = state.point("BTCUSDT");
  EXPECT_EQ(point.last_trade_id, 12);
  EXPECT_EQ(point.missing_trades, (std::vector<feed::TradeRange>{{5, 5}, {7, 8}, {11, 11}}));
}

TEST(ResumeState, ranges_in_any_order_leave_the_same_holes) {
  base::Rng rng{7};
  for (int round = 0; round < 200; ++round) {
    ResumeState state;
    std::set<std::int64_t> known;
    for (int i = 0; i < 30; ++i) {
      const std::int64_t from = rng.between(0, 80), to = from + rng.between(0, 4);
      state.add_trades({from, to});
      for (auto id = from; id <= to; ++id) known.insert(id);
    }
    const auto point = state.point("BTCUSDT");
    EXPECT_EQ(point.last_trade_id, *known.rbegin());
    std::set<std::int64_t> missing;
    std::int64_t above = -1;
    for (const auto& range : point.missing_trades) {
      EXPECT_GT(range.from, above) << "ascending and apart";
      above = range.to + 1;
      for (auto id = range.from; id <= range.to; ++id) missing.insert(id);
    }
    for (auto id = *known.begin(); id <= *known.rbegin(); ++id)
      EXPECT_EQ(missing.contains(id), !known.contains(id)) << id;
  }
}

TEST(ResumeState, the_end_is_the_time_of_the_last_row) {
  ResumeState state;
  look(state, trade(1, "1"), t0 + base::seconds{5});
  look(state, trade(2, "1"), t0 + base::seconds{9});
  EXPECT_EQ(state.point("BTCUSDT").recorded_until, t0 + base::seconds{9});
}

TEST(ResumeState, the_last_second_is_the_newest_of_rows_and_files_that_our_clock_can_mean) {
  constexpr std::int64_t now = 1'795'000'000;
  ResumeState state;
  for (const std::int64_t at : {now - 8, now - 9}) look(state, second(at));
  EXPECT_EQ(state.point("BTCUSDT").signals.last_second, now - 8);
  state.add_last_second(now - 20, t0);
  EXPECT_EQ(state.point("BTCUSDT").signals.last_second, now - 8);
  state.add_last_second(now - 2, t0);
  EXPECT_EQ(state.point("BTCUSDT").signals.last_second, now - 2);
  look(state, second(now + 3'601));
  state.add_last_second(now + 3'601, t0);
  EXPECT_EQ(state.point("BTCUSDT").signals.last_second, now - 2);
  state.add_last_second(now + 3'600, t0);
  EXPECT_EQ(state.point("BTCUSDT").signals.last_second, now + 3'600);
}

TEST(ResumeState, the_sum_is_that_of_the_row_written_last_also_when_its_trade_is_older) {
  ResumeState state;
  for (const std::int64_t id : {10, 11}) look(state, trade(id, "1"));
  look(state, cvd(10, "1"));
  look(state, cvd(11, "2"));
  look(state, trade(5, "3"));
  look(state, cvd(5, "5"));
  EXPECT_EQ(state.point("BTCUSDT").signals.cvd, Qty::of("5"));
}

TEST(ResumeState, trades_that_no_sum_holds_yet_are_added) {
  ResumeState state;
  look(state, trade(1, "1"));
  look(state, cvd(1, "1"));
  look(state, trade(2, "4"));
  look(state, trade(3, "-2"));
  EXPECT_EQ(state.point("BTCUSDT").signals.cvd, Qty::of("3"));
  // The next run starts from 3 and says so in its first row.
  state.begin_run();
  look(state, trade(4, "1"));
  look(state, cvd(4, "4"));
  EXPECT_EQ(state.point("BTCUSDT").signals.cvd, Qty::of("4"));
}

TEST(ResumeState, trades_recovered_from_a_dead_run_are_added_once) {
  ResumeState state;
  look(state, trade(1, "1"));
  look(state, cvd(1, "1"));
  state.begin_run();
  look(state, trade(2, "5", "journal"));
  EXPECT_EQ(state.point("BTCUSDT").signals.cvd, Qty::of("6"));
  look(state, trade(3, "1"));
  look(state, cvd(3, "7"));
  EXPECT_EQ(state.point("BTCUSDT").signals.cvd, Qty::of("7"));
}

TEST(ResumeState, a_row_that_is_also_in_a_file_counts_once) {
  ResumeState state;
  look(state, trade(1, "1"));
  look(state, trade(1, "1"));
  state.add_trades({1, 1});
  EXPECT_EQ(state.point("BTCUSDT").signals.cvd, Qty::of("1"));
  EXPECT_EQ(state.point("BTCUSDT").last_trade_id, 1);
}

}  // namespace
}  // namespace phoenix::engine
