#include "app/status_view.hpp"

#include "ops/status_json.hpp"

#include <sstream>

#include <gtest/gtest.h>

namespace phoenix::app {
namespace {

const auto start = base::local_time_ns(1'000'000'000'000);

ops::Status sample(base::LocalTime now = start + base::minutes{20}) {
  ops::Status status;
  status.now = now;
  status.started_time = start;
  status.phase = base::ShortText<24>{"running"};
  ops::SymbolStatus s;
  s.name = model::SymbolTable::Name{"DOGEUSDC"};
  s.state = ops::SymbolState::live;
  s.quoted = true;
  s.verdict = base::ShortText<16>{"live"};
  s.proved_time = s.last_depth_time = now;
  s.mid = model::Price::of("0.12345");
  s.own_bid = model::Price::of("0.1234");
  s.orders_live = 13;
  s.orders_bid = 7;
  s.orders_ask = 6;
  s.position = model::Qty::of("-1200");
  s.mode = "normal";
  s.traffic = "full";
  s.guard.level_name = "normal";
  status.symbols.push_back(s);
  ops::ConnectionStatus c;
  c.name = base::ShortText<16>{"public_a"};
  c.state = base::ShortText<16>{"live"};
  c.wanted = true;
  status.connections.push_back(c);
  status.streams.push_back(
      {.symbol = s.name, .role = "depth", .connection = "public_a", .state = "live", .last_frame_time = now});
  return status;
}

nlohmann::json json_of(const ops::Status& status) {
  ops::HealthJudge judge;
  return nlohmann::json::parse(ops::status_json(status, judge.judge(status, status.now), status.now, "1"));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in{text};
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(StatusView, shows_numbers_with_all_their_digits) {
  const auto text = StatusView{}.table(sample());
  for (const char* part : {"DOGEUSDC", "0.12345", "0.1234", "7/6", "-1200", "running since 0h20m"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(StatusView, a_recorder_has_its_rows_where_a_maker_has_its_orders) {
  auto status = sample();
  auto& symbol = status.symbols[0];
  symbol.quoted = false;
  symbol.recorded = true;
  symbol.rows[0] = 1'000;
  symbol.trades_repaired = 31;
  StatusView view;
  auto text = view.table(status);
  for (const char* part : {"own bid", "position", "equity"})
    EXPECT_EQ(text.find(part), std::string::npos) << part << "\n" << text;
  status.now += base::seconds{2};
  symbol.rows[1] = 500;
  text = view.table(status);
  const auto line = lines_of(text).at(3);
  for (const char* part : {"DOGEUSDC", " live ", "  250  ", "1500", "  31  "})
    EXPECT_NE(line.find(part), std::string::npos) << part << "\n" << text;
}

TEST(StatusView, an_alert_without_a_subject_has_no_blank_before_its_colon) {
  auto status = sample();
  ops::AlertStatus alert;
  alert.name = base::ShortText<48>{"clock"};
  alert.text = base::ShortText<160>{"what it is"};
  status.alerts.push_back(alert);
  EXPECT_EQ(StatusView{}.table(json_of(status)).find(" : what it is"), std::string::npos);
}

TEST(StatusView, says_first_what_kind_of_run_it_is) {
  auto status = sample();
  EXPECT_TRUE(StatusView{}.table(status).starts_with("running since"));
  status.paper = true;
  EXPECT_TRUE(StatusView{}.table(status).starts_with("PAPER: orders meet a model of the queue\n"));
  EXPECT_TRUE(StatusView{}.line(status).starts_with("PAPER running |"));
  status.paper = false;
  status.limited = true;
  EXPECT_TRUE(StatusView{}.table(status).starts_with("LIMITED first start: --full quotes all\n"));
  EXPECT_TRUE(StatusView{}.line(status).starts_with("LIMITED running |"));
  status.latched = true;
  status.latch_reason = base::ShortText<160>{"operator"};
  EXPECT_NE(StatusView{}.table(status).find("\nKILL LATCH SET (operator)"), std::string::npos);
}

TEST(StatusView, a_narrow_terminal_gets_fewer_columns_and_no_line_beyond_it) {
  auto status = sample();
  status.symbols[0].state = ops::SymbolState::hold;
  status.symbols[0].reason = base::ShortText<48>{"user stream down"};
  for (const std::size_t width : {40U, 80U, 120U, 200U}) {
    const auto text = StatusView{}.table(status, width);
    for (const auto& line : lines_of(text)) EXPECT_LE(line.size(), width) << line;
    EXPECT_NE(text.find("DOGEUSDC"), std::string::npos);
    EXPECT_NE(text.find("hold"), std::string::npos);
  }
  EXPECT_EQ(StatusView{}.table(status, 80).find("unrealised"), std::string::npos);
  EXPECT_NE(StatusView{}.table(status, 200).find("unrealised"), std::string::npos);
}

TEST(StatusView, a_stalled_stream_shows_its_evidence) {
  auto status = sample();
  status.streams[0].state = "stalled";
  status.streams[0].witness = "twin";
  status.streams[0].claimed = 42;
  EXPECT_NE(
      StatusView{}.table(status).find("stream DOGEUSDC depth on public_a is stalled: witness=twin ours=0 "
                                      "theirs=42"),
      std::string::npos);
}

TEST(StatusView, traffic_is_what_came_between_two_looks) {
  StatusView view;
  auto status = sample();
  EXPECT_NE(view.traffic(json_of(status)).find("no rates yet"), std::string::npos);
  status.now += base::seconds{2};
  status.connections[0].messages = 200;
  status.connections[0].payload_bytes = 40'000;
  status.connections[0].wire_bytes_in = 10'000;
  status.streams[0].messages = 46;
  status.streams[0].payload_bytes = 6'000;
  status.symbols[0].traffic = "shed";
  const auto text = view.traffic(json_of(status));
  for (const char* part : {"20.0 kB/s payload, 5.0 kB/s on the wire, ratio 4.00, over 2.0 s", "4.00", "23.0",
                           "3.0 kB", "not subscribed to in full: DOGEUSDC shed", "budget none, step 0"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(StatusView, another_run_begins_with_no_rates) {
  StatusView view;
  auto status = sample();
  status.connections[0].payload_bytes = 40'000;
  view.traffic(json_of(status));
  status.now += base::seconds{2};
  status.run_epoch = 2;
  status.connections[0].payload_bytes = 10;
  EXPECT_NE(view.traffic(json_of(status)).find("no rates yet"), std::string::npos);
}

TEST(StatusView, what_is_wrong_is_read_whole_on_a_narrow_terminal) {
  auto status = sample();
  status.streams[0].state = "stalled";
  status.streams[0].witness = "twin";
  status.streams[0].claimed = 42;
  const auto wide = StatusView{}.table(status);
  const auto at = wide.find("stream DOGEUSDC depth");
  const auto whole = wide.substr(at, wide.find('\n', at) - at);
  std::string narrow = StatusView{}.table(status, 40);
  for (const auto& line : lines_of(narrow)) EXPECT_LE(line.size(), 40U) << line;
  for (auto fold = narrow.find("\n  "); fold != std::string::npos; fold = narrow.find("\n  "))
    narrow.replace(fold, 3, " ");
  EXPECT_NE(narrow.find(whole), std::string::npos) << whole << "\nin\n" << narrow;
}

TEST(StatusView, paint_is_beside_the_text_and_only_on_whole_words) {
  const std::string text = "LIMITED first start\nETHUSDC  live  hold\nlively olive\nwarning clock: off\n";
  const auto shown = painted(text);
  EXPECT_EQ(shown,
            "\033[1mLIMITED first start\033[0m\nETHUSDC  \033[32mlive\033[0m  \033[33mhold\033[0m\nlively "
            "olive\n\033[33mwarning\033[0m clock: off\n");
}

}  // namespace
}  // namespace phoenix::app
