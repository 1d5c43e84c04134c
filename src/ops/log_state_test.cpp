#include "ops/log_state.hpp"

#include "ops/log_line.hpp"

#include <gtest/gtest.h>

namespace phoenix::ops {
namespace {

using base::milliseconds;
using base::seconds;

constexpr auto start = base::local_time_ns(1'000'000'000'000);

Status quoting_status() {
  Status status;
  status.now = start + seconds{10};
  status.started_time = start;
  status.phase = base::ShortText<24>{"running"};
  SymbolStatus symbol;
  symbol.name = model::SymbolTable::Name{"ETHUSDC"};
  symbol.state = SymbolState::live;
  symbol.mode = "normal";
  symbol.position = model::Qty::of("-0.12");
  symbol.orders_bid = 7;
  symbol.orders_ask = 6;
  symbol.own_bid = model::Price::of("1999.5");
  symbol.best_bid = model::Price::of("1999.6");
  symbol.best_ask = model::Price::of("1999.7");
  symbol.own_ask = model::Price::of("1999.8");
  symbol.net_pnl = model::Money::of("1.25");
  symbol.fills = 3;
  symbol.verdict = base::ShortText<16>{"live"};
  symbol.proved_time = status.now - milliseconds{40};
  symbol.lag = milliseconds{12};
  status.symbols.push_back(symbol);
  StreamStatus stream;
  stream.symbol = symbol.name;
  stream.role = "depth";
  stream.connection = "public_a";
  stream.state = "live";
  stream.gaps = 2;
  status.streams = {stream, stream};
  ConnectionStatus connection;
  connection.wanted = true;
  connection.messages = 1'000;
  connection.wire_bytes_in = 50'000;
  connection.opened_time = start;
  status.connections.push_back(connection);
  return status;
}

TEST(LogState, one_line_tells_how_a_quoted_symbol_stands) {
  LogState state;
  const auto lines = state.lines(quoting_status());
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1],
            "symbol state symbol=ETHUSDC state=live mode=normal guard=none position=-0.12 orders_bid=7 "
            "orders_ask=6 orders_unknown=0 own_bid=1999.5 best_bid=1999.6 best_ask=1999.7 own_ask=1999.8 "
            "net_pnl=1.25 realized_pnl=0 fills=3 verdict=live proof_age_ms=40 lag_ms=12 resyncs=0 "
            "streams_bad=none why=\"none\"");
}

TEST(LogState, the_whole_is_told_with_rates_since_the_line_before) {
  LogState state;
  auto status = quoting_status();
  EXPECT_TRUE(state.lines(status).front().starts_with(
      "overall state phase=running symbols_live=1 symbols=1 paper=false limited=false latched=false alerts=0 "
      "equity=none drawdown=0 connections_open=1 connections=1 reconnects=0 messages_per_s=100 "
      "wire_bytes_per_s=5000 "));
  status.now += seconds{2};
  status.connections[0].messages += 500;
  status.reconnects = 1;
  status.log_lines_suppressed = 7;
  const auto text = state.lines(status).front();
  const auto line = parse_log_line(text);
  EXPECT_EQ(line.value("messages_per_s"), "250");
  EXPECT_EQ(line.value("wire_bytes_per_s"), "0");
  EXPECT_EQ(line.value("reconnects"), "1");
  EXPECT_EQ(line.value("log_lines_suppressed"), "7");
  status.now += seconds{2};
  EXPECT_EQ(parse_log_line(state.lines(status).front()).value("reconnects"), "0") << "told once";
}

TEST(LogState, a_stream_that_brings_nothing_and_the_reason_of_a_hold_are_named) {
  LogState state;
  auto status = quoting_status();
  status.streams[1].state = "stalled";
  status.streams[1].connection = "public_b";
  status.symbols[0].state = SymbolState::hold;
  status.symbols[0].reason = base::ShortText<48>{"the price is not proved"};
  const auto text = state.lines(status)[1];
  const auto line = parse_log_line(text);
  EXPECT_EQ(line.value("streams_bad"), "depth@public_b:stalled");
  EXPECT_EQ(line.value("state"), "hold");
  EXPECT_EQ(line.value("why"), "the price is not proved");
}

TEST(LogState, a_recording_tells_what_was_added) {
  LogState state;
  auto status = quoting_status();
  auto& symbol = status.symbols[0];
  symbol.quoted = false;
  symbol.recorded = true;
  symbol.rows[0] = 100;
  symbol.rows[1] = 20;
  symbol.last_trade_time = status.now - seconds{3};
  status.recording.active = true;
  status.recording.fault = base::ShortText<96>{"no space"};
  EXPECT_EQ(state.lines(status).size(), 3U);
  symbol.rows[0] += 30;
  symbol.trades_lost = 1;
  status.streams[0].gaps = 3;
  const auto lines = state.lines(status);
  EXPECT_EQ(parse_log_line(lines[1]).event, "recording state");
  EXPECT_EQ(parse_log_line(lines[1]).value("fault"), "no space");
  EXPECT_EQ(lines[2],
            "symbol recorded symbol=ETHUSDC rows=30 lag_ms=12 depth_age_ms=none trade_age_ms=3000 gaps=1 "
            "resyncs=0 trades_repaired=0 trades_lost=1 verdict=live streams_bad=none why=\"none\"");
}

TEST(LogState, a_counter_that_began_anew_is_not_less_than_nothing) {
  LogState state;
  auto status = quoting_status();
  static_cast<void>(state.lines(status));
  status.symbols[0].fills = 1;
  EXPECT_EQ(parse_log_line(state.lines(status)[1]).value("fills"), "1");
}

}  // namespace
}  // namespace phoenix::ops
