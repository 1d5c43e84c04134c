#include "engine/recorded_line.hpp"

#include <string>

#include <gtest/gtest.h>

namespace phoenix::engine {
namespace {

TEST(RecordedLine, a_frame_after_a_time_in_nanoseconds_or_microseconds) {
  const auto ns = parse_line(R"(1723161255030314667 {"a":1})");
  EXPECT_EQ(ns.kind, LineKind::frame);
  EXPECT_EQ(ns.time, base::local_time_ns(1723161255030314667));
  EXPECT_EQ(ns.payload, R"({"a":1})");
  const auto us = parse_line(R"(1680652700423575 {"a":1})");
  EXPECT_EQ(us.kind, LineKind::frame);
  EXPECT_EQ(us.time, base::local_time_ns(1680652700423575000));
}

TEST(RecordedLine, a_frame_after_seconds_with_a_fraction_of_any_length) {
  const auto line = parse_line("1618677372.1768699: [1]\r");
  EXPECT_EQ(line.kind, LineKind::frame);
  EXPECT_EQ(line.time, base::local_time_ns(1618677372176869900));
  EXPECT_EQ(line.payload, "[1]");
  EXPECT_EQ(parse_line("5.1234567891: {}").time, base::local_time_ns(5123456789));
  EXPECT_EQ(parse_line("5: {}").time, base::local_time_ns(5000000000));
}

TEST(RecordedLine, a_rest_answer_after_its_address) {
  const auto line =
      parse_line("https://x/fapi/v1/depth?limit=5&symbol=AKROUSDT&z=1 -> 2.5: {\"lastUpdateId\":1}");
  EXPECT_EQ(line.kind, LineKind::rest_answer);
  EXPECT_EQ(line.time, base::local_time_ns(2500000000));
  EXPECT_EQ(symbol_in_address(line.address), "AKROUSDT");
  EXPECT_EQ(line.payload, "{\"lastUpdateId\":1}");
  EXPECT_EQ(symbol_in_address("https://x/depth"), "");
  EXPECT_EQ(symbol_in_address("https://x/depth?limit=5&"), "");
}

TEST(RecordedLine, the_address_of_a_connection) {
  const auto line = parse_line("wss://host/stream?streams=a@depth <-> 1618677371.364407");
  EXPECT_EQ(line.kind, LineKind::connection);
  EXPECT_EQ(line.address, "wss://host/stream?streams=a@depth");
  EXPECT_EQ(line.time, base::local_time_ns(1618677371364407000));
}

TEST(RecordedLine, a_frame_alone_has_no_time) {
  const auto line = parse_line(R"( {"result":null,"id":1} )");
  EXPECT_EQ(line.kind, LineKind::frame);
  EXPECT_FALSE(line.time);
  EXPECT_EQ(line.payload, R"({"result":null,"id":1})");
}

TEST(RecordedLine, private_events_are_set_apart) {
  for (const char* text : {"REQ symbol=X", "RSP {}", "WS {}"})
    EXPECT_EQ(parse_line(text).kind, LineKind::private_event);
}

TEST(RecordedLine, blank_lines_and_lines_of_no_known_form) {
  for (const char* text : {"", "  ", "\r", "\t\n"}) EXPECT_EQ(parse_line(text).kind, LineKind::blank);
  for (const char* text :
       {"hello", "12 hello", "12", "1.5 {}", "1.5: x", "99999999999999999999 {}", "-1 {}", "9999999999.5: {}",
        "https://x", "https://x -> y", "wss://x <-> 1.5x", "wss://x <-> "}) {
    EXPECT_EQ(parse_line(text).kind, LineKind::unreadable) << text;
  }
}

TEST(RecordedLine, any_prefix_of_a_line_is_survived) {
  const std::string lines[] = {"1618677372.1768699: {\"a\":1}", "https://x/d?symbol=A -> 2.5: {}",
                               "wss://host <-> 1618677371.364407", "1723161255030314667 {}"};
  for (const std::string& line : lines) {
    for (std::size_t size = 0; size <= line.size(); ++size) {
      const auto part = parse_line(std::string_view{line}.substr(0, size));
      EXPECT_LE(symbol_in_address(part.address).size(), size);
    }
  }
}

}  // namespace
}  // namespace phoenix::engine
