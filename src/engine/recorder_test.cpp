#include "engine/recorder.hpp"

#include "base/test_allocations.hpp"
#include "book/book.hpp"
#include "record/row.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::engine {
namespace {

using base::LocalTime;
using base::milliseconds;
using base::minutes;
using base::seconds;
using base::VenueTime;
using model::Level;
using model::Price;
using model::Qty;
using model::Side;
using record::Kind;

const LocalTime begin = base::local_time_ns(1'795'000'000'000'000'000);  // a full minute and 40 s
/// The venue's clock is two seconds behind ours.
VenueTime venue(LocalTime t) { return base::venue_time_ns(base::ns_of(t) - 2'000'000'000); }

/// A row with its values by column; "null" where there is none.
struct Row {
  Kind kind;
  std::map<std::string, std::string> values;
  const std::string& operator[](const std::string& column) const { return values.at(column); }
};

std::string text_of(const record::RowView& row, std::size_t i) {
  if (row.is_null(i)) return "null";
  switch (record::schema(row.kind()).columns[i].type) {
    case record::Type::boolean:
      return row.boolean(i) ? "true" : "false";
    case record::Type::integer:
      return std::to_string(row.integer(i));
    case record::Type::time:
      return std::to_string(row.integer(i) / 1'000'000);
    case record::Type::decimal:
      return Qty::from_raw(row.integer(i)).text();
    case record::Type::number:
      return std::to_string(row.number(i));
    case record::Type::text:
      return std::string{row.text(i)};
    case record::Type::levels: {
      std::string text;
      for (std::size_t l = 0; l < row.levels_count(i); ++l)
        text += row.level(i, l).price.text() + "x" + row.level(i, l).qty.text() + " ";
      return text;
    }
  }
  return {};
}

std::string ms(LocalTime t) { return std::to_string(base::ns_of(t) / 1'000'000); }
std::string ms(VenueTime t) { return std::to_string(base::ms_of(t)); }

class RecorderTest : public testing::Test {
 protected:
  void SetUp() override { start(); }
  void start(const RecordingOptions& options = {}) {
    recorder_.emplace("BTCUSDT", options, signal::SignalOptions{});
    now_ = begin;
    recorder_->start(now_, venue(now_), out_);
    for (std::size_t i = 0; i < recorded_count; ++i)
      recorder_->stream_up(static_cast<Recorded>(i), now_ += milliseconds{1}, venue(now_), out_);
    started_ = rows();
  }
  /// The rows since the last call.
  std::vector<Row> rows() {
    std::vector<Row> rows;
    for (std::size_t i = 0; i < out_.rows_count(); ++i) {
      const auto view = record::decode_row(out_.row(i));
      EXPECT_TRUE(view.has_value());
      EXPECT_EQ(view->symbol(), "BTCUSDT");
      Row& row = rows.emplace_back(Row{view->kind(), {}});
      const auto columns = record::schema(view->kind()).columns;
      for (std::size_t c = 0; c < columns.size(); ++c)
        row.values[std::string{columns[c].name}] = text_of(*view, c);
    }
    out_.clear();
    return rows;
  }
  std::vector<Row> rows(Kind kind) {
    auto all = rows();
    std::erase_if(all, [kind](const Row& row) { return row.kind != kind; });
    return all;
  }
  /// Entries of the ledger that say something else than that all came.
  std::vector<Row> losses() {
    auto all = rows(Kind::coverage);
    std::erase_if(all, [](const Row& row) { return row["status"] != "lost"; });
    return all;
  }
  feed::AcceptTrade trade(std::int64_t id, std::optional<std::uint8_t> line) const {
    return {.trade = {.symbol = {},
                      .id = id,
                      .first_trade_id = id * 10,
                      .last_trade_id = id * 10 + 2,
                      .price = Price::of("100.5"),
                      .qty = Qty::of("0.25"),
                      .aggressor = Side::ask,
                      .trade_time = venue(now_) - milliseconds{30},
                      .event_time = venue(now_) - milliseconds{20}},
            .line = line};
  }
  void take(const feed::AcceptTrade& accepted, const std::optional<model::TopOfBook>& top = {}) {
    recorder_->on_trade(accepted, now_, venue(now_), top, out_);
  }
  void snapshot(std::int64_t id, const std::vector<Level>& bids, const std::vector<Level>& asks) {
    const model::DepthSnapshot s{
        .symbol = {}, .last_id = id, .event_time = venue(now_) - milliseconds{7}, .bids = bids, .asks = asks};
    book_.apply(s);
    recorder_->on_snapshot(s, now_, venue(now_), out_);
  }
  void delta(std::int64_t prev, std::int64_t first, std::int64_t last, const std::vector<Level>& bids,
             const std::vector<Level>& asks) {
    const model::DepthDelta d{.symbol = {},
                              .first_id = first,
                              .last_id = last,
                              .prev_id = prev,
                              .event_time = venue(now_) - milliseconds{5},
                              .transaction_time = venue(now_) - milliseconds{6},
                              .bids = bids,
                              .asks = asks,
                              .received = now_};
    book_.apply(d);
    recorder_->on_delta({.delta = d, .line = 1}, book_, out_);
  }
  static Level level(const char* price, const char* qty) { return {Price::of(price), Qty::of(qty)}; }

  LocalTime now_ = begin;
  Actions out_;
  book::Book book_;
  std::optional<Recorder> recorder_;
  std::vector<Row> started_;
};

TEST_F(RecorderTest, a_trade_is_one_row_with_the_book_it_met) {
  now_ += seconds{1};
  take(trade(7, 0), model::TopOfBook{level("100.4", "1"), level("100.6", "2"), 5});
  const auto all = rows(Kind::trades);
  ASSERT_EQ(all.size(), 1U);
  const Row& row = all.front();
  EXPECT_EQ(row["event_time"], ms(venue(now_) - milliseconds{30}));
  EXPECT_EQ(row["recv_time"], ms(now_));
  EXPECT_EQ(row["sent_time"], ms(venue(now_) - milliseconds{20}));
  EXPECT_EQ(row["agg_trade_id"], "7");
  EXPECT_EQ(row["first_trade_id"], "70");
  EXPECT_EQ(row["last_trade_id"], "72");
  EXPECT_EQ(row["price"], "100.5");
  EXPECT_EQ(row["qty"], "0.25");
  EXPECT_EQ(row["is_buyer_maker"], "true") << "the taker sold";
  EXPECT_EQ(row["best_buy_fill"], "100.6") << "a taker buys at the ask";
  EXPECT_EQ(row["best_sell_fill"], "100.4");
  EXPECT_EQ(row["source"], "a");
}

TEST_F(RecorderTest, a_repaired_trade_carries_no_prices_of_a_later_book_and_no_sending) {
  take(trade(7, std::nullopt), model::TopOfBook{level("100.4", "1"), level("100.6", "2"), 5});
  const auto all = rows(Kind::trades);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all.front()["best_buy_fill"], "null");
  EXPECT_EQ(all.front()["best_sell_fill"], "null");
  EXPECT_EQ(all.front()["sent_time"], "null");
  EXPECT_EQ(all.front()["source"], "rest");
}

TEST_F(RecorderTest, h27_the_time_of_reading_is_kept_though_it_lies_before_the_venues_time) {
  auto early = trade(7, 0);
  early.trade.trade_time = early.trade.event_time = base::venue_time_ns(base::ns_of(now_) + 200'000'000);
  take(early);
  const auto all = rows(Kind::trades);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(std::stoll(all[0]["recv_time"]) - std::stoll(all[0]["event_time"]), -200);
}

TEST_F(RecorderTest, a_change_of_the_book_is_a_depth_row_and_a_book_row) {
  snapshot(10, {level("99", "1"), level("98", "2")}, {level("101", "1")});
  const auto first = rows(Kind::depth);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0]["is_snapshot"], "true");
  EXPECT_EQ(first[0]["first_id"], "10");
  EXPECT_EQ(first[0]["last_id"], "10");
  EXPECT_EQ(first[0]["prev_id"], "null");
  EXPECT_EQ(first[0]["line"], "rest");
  EXPECT_EQ(first[0]["bids"], "99x1 98x2 ");
  EXPECT_EQ(first[0]["event_time"], ms(venue(now_) - milliseconds{7}));

  delta(10, 11, 15, {level("98", "0")}, {level("102", "3")});
  const auto all = rows();
  const auto depth = std::find_if(all.begin(), all.end(), [](const Row& r) { return r.kind == Kind::depth; });
  ASSERT_NE(depth, all.end());
  EXPECT_EQ((*depth)["first_id"], "11");
  EXPECT_EQ((*depth)["last_id"], "15");
  EXPECT_EQ((*depth)["prev_id"], "10");
  EXPECT_EQ((*depth)["is_snapshot"], "false");
  EXPECT_EQ((*depth)["line"], "b");
  EXPECT_EQ((*depth)["bids"], "98x0 ");
  EXPECT_EQ((*depth)["asks"], "102x3 ");
  EXPECT_EQ((*depth)["event_time"], ms(venue(now_) - milliseconds{5}));
  EXPECT_EQ((*depth)["transaction_time"], ms(venue(now_) - milliseconds{6}));
  EXPECT_EQ((*depth)["recv_time"], ms(now_));
  const auto book = std::find_if(all.begin(), all.end(), [](const Row& r) { return r.kind == Kind::book; });
  ASSERT_NE(book, all.end());
  EXPECT_EQ((*book)["last_id"], "15");
  EXPECT_EQ((*book)["bid1_p"], "99");
  EXPECT_EQ((*book)["ask2_q"], "3");
}

TEST_F(RecorderTest, h29_a_level_that_is_not_there_is_null_and_not_counted) {
  snapshot(10, {level("99", "1"), level("98", "2"), level("97", "3")},
           {level("101", "1"), level("102", "1")});
  delta(10, 11, 11, {}, {level("103", "4")});
  const auto all = rows(Kind::book);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]["levels"], "3");
  for (const char* column : {"bid4_p", "bid4_q", "bid5_p", "bid5_q", "ask4_p", "ask4_q", "ask5_p", "ask5_q"})
    EXPECT_EQ(all[0][column], "null") << column;
  EXPECT_EQ(all[0]["bid3_q"], "3");
  EXPECT_EQ(all[0]["ask3_q"], "4");
}

TEST_F(RecorderTest, h28_flows_tell_moved_prices_from_changed_quantities) {
  snapshot(10, {level("99", "5"), level("98", "2")}, {level("101", "1")});
  delta(10, 11, 11, {level("99", "7")}, {});
  auto all = rows(Kind::book);
  EXPECT_EQ(all.back()["d_b0"], "0") << "nothing to compare with: a snapshot stands between";
  delta(11, 12, 12, {level("99", "4")}, {});
  all = rows(Kind::book);
  EXPECT_EQ(all.back()["d_b0"], "-3") << "the same price with less";
  EXPECT_EQ(all.back()["d_a0"], "0");
  delta(12, 13, 13, {level("99", "0")}, {});
  all = rows(Kind::book);
  EXPECT_EQ(all.back()["bid1_p"], "98");
  EXPECT_EQ(all.back()["d_b0"], "-4") << "the queue of 99 left; that of 98 did not shrink by two";
  delta(13, 14, 14, {level("99.5", "6")}, {});
  EXPECT_EQ(rows(Kind::book).back()["d_b0"], "6") << "a better price brings its whole queue";
}

TEST_F(RecorderTest, twenty_levels_are_sampled_by_the_venues_clock) {
  snapshot(10, {level("99", "1")}, {level("101", "1")});
  std::size_t samples = 0;
  for (std::int64_t id = 11; id < 41; ++id) {
    now_ += milliseconds{100};
    delta(id - 1, id, id, {level("99", "2")}, {});
    samples += rows(Kind::book20).size();
  }
  EXPECT_GE(samples, 3U);
  EXPECT_LE(samples, 4U);
}

TEST_F(RecorderTest, h24_a_ticker_is_written_once_of_two_lines) {
  const model::BookTicker ticker{.symbol = {},
                                 .update_id = 5,
                                 .bid = level("99", "1"),
                                 .ask = level("101", "2"),
                                 .event_time = venue(now_),
                                 .transaction_time = venue(now_) - milliseconds{1}};
  recorder_->on_ticker(ticker, 1, now_, venue(now_), out_);
  recorder_->on_ticker(ticker, 0, now_, venue(now_), out_);
  auto older = ticker;
  older.update_id = 4;
  recorder_->on_ticker(older, 0, now_, venue(now_), out_);
  const auto all = rows(Kind::ticker);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]["update_id"], "5");
  EXPECT_EQ(all[0]["bid"], "99");
  EXPECT_EQ(all[0]["ask_qty"], "2");
  EXPECT_EQ(all[0]["line"], "b");
  // Trades come back on their own connection: the tickers' lines are the same as before.
  recorder_->stream_down(Recorded::trades, now_, "cut");
  recorder_->stream_up(Recorded::trades, now_ += seconds{1}, venue(now_), out_);
  recorder_->on_ticker(ticker, 0, now_, venue(now_), out_);
  EXPECT_TRUE(rows(Kind::ticker).empty());
}

TEST_F(RecorderTest, h24_mark_prices_and_liquidations_of_two_lines_are_written_once) {
  model::MarkPrice mark{.symbol = {},
                        .mark = Price::of("100.1"),
                        .index = Price::of("100.2"),
                        .funding_rate = model::Rate::of("0.0001"),
                        .next_funding_time = venue(now_) + seconds{60},
                        .event_time = venue(now_)};
  recorder_->on_mark_price(mark, now_, out_);
  recorder_->on_mark_price(mark, now_, out_);
  auto marks = rows(Kind::mark_price);
  ASSERT_EQ(marks.size(), 1U);
  EXPECT_EQ(marks[0]["mark_price"], "100.1");
  EXPECT_EQ(marks[0]["index_price"], "100.2");
  EXPECT_EQ(marks[0]["funding_rate"], "0.0001");
  mark.event_time += seconds{1};
  recorder_->on_mark_price(mark, now_, out_);
  EXPECT_EQ(rows(Kind::mark_price).size(), 1U);

  model::Liquidation l{.symbol = {},
                       .side = Side::ask,
                       .price = Price::of("99"),
                       .average_price = Price::of("99.1"),
                       .qty = Qty::of("3"),
                       .filled_qty = Qty::of("2"),
                       .trade_time = venue(now_),
                       .event_time = venue(now_)};
  auto next = l;
  next.event_time += seconds{1};
  for (const auto& one : {l, next, l, next}) recorder_->on_liquidation(one, now_, out_);
  const auto all = rows(Kind::liquidations);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0]["side"], "SELL");
  EXPECT_EQ(all[0]["average_price"], "99.1");
  EXPECT_EQ(all[0]["filled_qty"], "2");
}

TEST_F(RecorderTest, the_ledger_counts_what_was_written_and_what_another_line_had_brought) {
  for (std::int64_t id = 3; id < 8; ++id) take(trade(id, 0));
  recorder_->on_covered(Recorded::trades);
  recorder_->on_covered(Recorded::trades);
  static_cast<void>(rows());
  now_ += minutes{1};
  recorder_->expire(now_, venue(now_), out_);
  std::map<std::string, Row> trades;
  const auto all = rows(Kind::coverage);
  for (const auto& row : all) {
    if (row["stream"] == "trades") trades.emplace(row["status"], row);
  }
  ASSERT_EQ(trades.size(), 2U);
  const Row& received = trades.at("received");
  EXPECT_EQ(received["count"], "5");
  EXPECT_EQ(received["first_id"], "3");
  EXPECT_EQ(received["last_id"], "7");
  EXPECT_EQ(received["from_time"], ms(begin));
  EXPECT_EQ(received["to_time"], ms(now_));
  EXPECT_EQ(received["event_time"], ms(venue(now_)));
  EXPECT_EQ(trades.at("covered")["count"], "2");
  // The streams that said nothing are in the ledger, too.
  for (const char* stream : {"depth", "ticker", "mark_price", "liquidations"}) {
    EXPECT_TRUE(std::any_of(all.begin(), all.end(), [&](const Row& row) {
      return row["stream"] == stream && row["status"] == "received" && row["count"] == "0";
    })) << stream;
  }
}

TEST_F(RecorderTest, entries_are_written_at_full_minutes_of_our_clock) {
  const auto due = recorder_->next_deadline();
  ASSERT_TRUE(due.has_value());
  EXPECT_EQ(base::ns_of(*due) % 60'000'000'000, 0);
  EXPECT_GT(*due, now_);
  recorder_->expire(*due - milliseconds{1}, venue(now_), out_);
  EXPECT_TRUE(rows().empty());
  recorder_->expire(*due, venue(now_), out_);
  EXPECT_FALSE(rows(Kind::coverage).empty());
  EXPECT_EQ(*recorder_->next_deadline(), *due + minutes{1});
}

TEST_F(RecorderTest, trades_that_will_not_come_are_named_by_their_ids) {
  take(trade(7, 0));
  static_cast<void>(rows());
  const auto last = now_;
  now_ += seconds{9};
  recorder_->on_trades_lost({.symbol = {}, .from_id = 8, .to_id = 12}, now_, venue(now_), out_);
  const auto all = losses();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]["stream"], "trades");
  EXPECT_EQ(all[0]["first_id"], "8");
  EXPECT_EQ(all[0]["last_id"], "12");
  EXPECT_EQ(all[0]["count"], "5");
  EXPECT_EQ(all[0]["from_time"], ms(last));
  EXPECT_EQ(all[0]["to_time"], ms(now_));
  EXPECT_NE(all[0]["cause"], "");
}

TEST_F(RecorderTest, repaired_trades_that_follow_each_other_are_one_entry) {
  for (const std::int64_t id : {3, 4, 5, 9, 10}) take(trade(id, std::nullopt));
  now_ += minutes{1};
  recorder_->expire(now_, venue(now_), out_);
  auto all = rows(Kind::coverage);
  std::erase_if(all, [](const Row& row) { return row["status"] != "repaired"; });
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0]["first_id"], "3");
  EXPECT_EQ(all[0]["last_id"], "5");
  EXPECT_EQ(all[0]["count"], "3");
  EXPECT_EQ(all[0]["source"], "rest");
  EXPECT_EQ(all[1]["first_id"], "9");
  EXPECT_EQ(all[1]["count"], "2");
  EXPECT_EQ(all[0]["event_time"], ms(venue(begin + milliseconds{5})))
      << "when it was repaired, not when it traded";
}

TEST_F(RecorderTest, v03_a_stream_that_is_down_is_lost_for_that_time_also_while_it_lasts) {
  now_ += seconds{1};
  const auto down = now_;
  recorder_->stream_down(Recorded::depth, now_, "reset by peer");
  recorder_->stream_down(Recorded::depth, now_ += seconds{1}, "reset by peer");
  const auto minute = *recorder_->next_deadline();
  recorder_->expire(minute, venue(minute), out_);
  auto all = losses();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]["stream"], "depth");
  EXPECT_EQ(all[0]["cause"], "reset by peer");
  EXPECT_EQ(all[0]["from_time"], ms(down));
  EXPECT_EQ(all[0]["to_time"], ms(minute));
  now_ = minute + seconds{3};
  recorder_->stream_up(Recorded::depth, now_, venue(now_), out_);
  all = losses();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]["from_time"], ms(minute)) << "the part before is told already";
  EXPECT_EQ(all[0]["to_time"], ms(now_));
  recorder_->stream_up(Recorded::depth, now_, venue(now_), out_);
  EXPECT_TRUE(losses().empty());
}

TEST_F(RecorderTest, v03_until_the_first_connection_stands_nothing_counts_as_received) {
  std::vector<std::string> streams;
  for (const auto& row : started_) {
    EXPECT_EQ(row.kind, Kind::coverage) << "and it is no event of the signals";
    EXPECT_EQ(row["status"], "lost");
    EXPECT_EQ(row["cause"], "not connected yet");
    EXPECT_EQ(row["from_time"], ms(begin));
    streams.push_back(row["stream"]);
  }
  EXPECT_EQ(streams, (std::vector<std::string>{"trades", "depth", "ticker", "mark_price", "liquidations"}));
}

TEST_F(RecorderTest, dropped_frames_are_lost_since_the_last_that_came) {
  take(trade(7, 0));
  const auto last = now_;
  now_ += seconds{4};
  recorder_->stream_down(Recorded::trades, now_, "frames dropped");
  recorder_->stream_up(Recorded::trades, now_, venue(now_), out_);
  const auto all = losses();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]["from_time"], ms(last));
  EXPECT_EQ(all[0]["cause"], "frames dropped");
  EXPECT_EQ(all[0]["evidence"], "") << "the connections are there";
}

TEST_F(RecorderTest, a_broken_book_is_lost_from_the_last_update_that_came_to_the_snapshot_that_closes_it) {
  recorder_->on_broken({.symbol = {}}, now_, venue(now_), out_);
  snapshot(10, {level("99", "1")}, {level("101", "1")});
  EXPECT_TRUE(losses().empty()) << "before the first snapshot nothing could have a hole";
  delta(10, 11, 20, {level("99", "2")}, {});
  const auto last_came = now_;
  now_ += seconds{70};
  recorder_->on_broken({.symbol = {}, .reason = feed::BreakReason::sequence_gap}, now_, venue(now_), out_);
  recorder_->on_broken({.symbol = {}, .reason = feed::BreakReason::disconnected}, now_ += seconds{1},
                       venue(now_), out_);
  now_ += seconds{1};
  static_cast<void>(rows());
  snapshot(55, {level("99", "1")}, {level("101", "1")});
  const auto all = losses();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]["stream"], "depth");
  EXPECT_EQ(all[0]["cause"], "sequence_gap") << "the first";
  EXPECT_EQ(all[0]["source"], "snapshot");
  EXPECT_EQ(all[0]["first_id"], "21");
  EXPECT_EQ(all[0]["last_id"], "55");
  EXPECT_EQ(all[0]["count"], "35");
  EXPECT_EQ(all[0]["from_time"], ms(last_came));
  EXPECT_EQ(all[0]["to_time"], ms(now_));
}

TEST_F(RecorderTest, a_snapshot_as_old_as_the_end_of_the_chain_leaves_no_id_out) {
  snapshot(10, {level("99", "1")}, {level("101", "1")});
  delta(10, 11, 20, {level("99", "2")}, {});
  recorder_->on_broken({.symbol = {}, .reason = feed::BreakReason::crossed_book}, now_, venue(now_), out_);
  snapshot(20, {level("99", "1")}, {level("101", "1")});
  const auto all = losses();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]["first_id"], "null");
  EXPECT_EQ(all[0]["last_id"], "null");
  EXPECT_EQ(all[0]["count"], "0");
}

TEST_F(RecorderTest, the_time_since_an_earlier_run_ended_is_named_except_of_trades) {
  RecordingOptions options;
  options.resume.push_back({.symbol = "BTCUSDT",
                            .last_trade_id = 7,
                            .missing_trades = {},
                            .last_depth_id = 9,
                            .recorded_until = begin - seconds{5},
                            .signals = {}});
  options.resume.push_back({.symbol = "ETHUSDT",
                            .last_trade_id = {},
                            .missing_trades = {},
                            .last_depth_id = {},
                            .recorded_until = begin - seconds{50},
                            .signals = {}});
  start(options);
  std::vector<std::string> streams;
  for (const auto& row : started_) {
    if (row["cause"] != "not running") continue;
    EXPECT_EQ(row["status"], "lost");
    EXPECT_EQ(row["from_time"], ms(begin - seconds{5}));
    EXPECT_EQ(row["to_time"], ms(begin));
    streams.push_back(row["stream"]);
  }
  EXPECT_EQ(streams, (std::vector<std::string>{"depth", "ticker", "mark_price", "liquidations"}));
}

TEST_F(RecorderTest, h10_h31_nothing_waits_in_it_however_much_comes) {
  snapshot(1, {level("100", "1"), level("99", "1")}, {level("101", "1"), level("102", "1")});
  std::int64_t id = 1;
  const std::vector<Level> bids = {level("100", "2")}, asks = {level("101", "3")};
  const auto busy_minutes = [&](int count) {
    for (int i = 0; i < count * 6'000; ++i) {
      now_ += milliseconds{10};
      delta(id, id + 1, id + 1, bids, asks);
      take(trade(++id, std::uint8_t{0}));
      recorder_->expire(now_, venue(now_), out_);
      out_.clear();
    }
  };
  busy_minutes(3);
  const auto before = base::allocations.load();
  busy_minutes(1);
  EXPECT_EQ(base::allocations.load(), before);
}

TEST_F(RecorderTest, the_end_closes_every_interval) {
  take(trade(7, 0));
  take(trade(8, std::nullopt));
  snapshot(10, {level("99", "1")}, {level("101", "1")});
  recorder_->on_broken({.symbol = {}, .reason = feed::BreakReason::sequence_gap}, now_, venue(now_), out_);
  static_cast<void>(rows());
  now_ += seconds{2};
  recorder_->finish(now_, venue(now_), out_);
  const auto all = rows();
  const auto has = [&](const char* stream, const char* status, const char* count) {
    return std::any_of(all.begin(), all.end(), [&](const Row& row) {
      return row.kind == Kind::coverage && row["stream"] == stream && row["status"] == status &&
             row["count"] == count;
    });
  };
  EXPECT_TRUE(has("trades", "received", "1"));
  EXPECT_TRUE(has("trades", "repaired", "1"));
  EXPECT_TRUE(has("depth", "lost", "0"));
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](const Row& row) { return row.kind == Kind::cvd; }))
      << "what waits in the signals is written";
  EXPECT_FALSE(recorder_->next_deadline().has_value());
}

TEST_F(RecorderTest, sums_go_on_from_where_the_last_run_left_them) {
  RecordingOptions options;
  options.resume.push_back({.symbol = "BTCUSDT",
                            .last_trade_id = {},
                            .missing_trades = {},
                            .last_depth_id = {},
                            .recorded_until = {},
                            .signals = {.cvd = Qty::of("12")}});
  start(options);
  take(trade(7, 0));
  recorder_->finish(now_, venue(now_), out_);
  const auto all = rows(Kind::cvd);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]["delta"], "-0.25");
  EXPECT_EQ(all[0]["cvd"], "11.75");
}

}  // namespace
}  // namespace phoenix::engine
