#include "ops/log_line.hpp"

#include "base/rng.hpp"
#include "base/utf8.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace phoenix::ops {
namespace {

using Form = LogField::Form;
using Fields = std::vector<LogField>;

std::string json_of(std::string_view text, LogLevel level = LogLevel::info) {
  return json_log_line("2026-11-22T05:00:00.000001Z", level, printable_log_text(text));
}

TEST(LogLine, words_come_before_keys_and_quotes_come_last) {
  const auto line = parse_log_line("hold symbol=ETHUSDC orders=14 why=\"the price is not proved\"");
  EXPECT_EQ(line.event, "hold");
  EXPECT_EQ(line.tag, "");
  EXPECT_EQ(
      line.fields,
      (Fields{{"symbol", "ETHUSDC"}, {"orders", "14"}, {"why", "the price is not proved", Form::quoted}}));
  EXPECT_EQ(line.text, "");
  EXPECT_EQ(line.value("orders"), "14");
  EXPECT_EQ(line.value("side"), "");
}

TEST(LogLine, what_is_no_key_is_text) {
  const auto line = parse_log_line("line connection=public_a start for_ms=12, withdrawing why=\"two\"");
  EXPECT_EQ(line.event, "line");
  EXPECT_EQ(line.value("connection"), "public_a");
  EXPECT_EQ(line.value("for_ms"), "12") << "the comma is of the sentence";
  EXPECT_EQ(line.text, "start withdrawing");
}

TEST(LogLine, after_a_colon_everything_is_text) {
  const auto line = parse_log_line("rules changed: ETHUSDC tick=0.01 is not what it was");
  EXPECT_EQ(line.event, "rules changed");
  EXPECT_TRUE(line.fields.empty());
  EXPECT_EQ(line.text, "ETHUSDC tick=0.01 is not what it was");
}

TEST(LogLine, tags_are_no_part_of_what_happened) {
  const auto closing = parse_log_line("[TRADE] closing connection=market_a why=\"x\"");
  EXPECT_EQ(closing.tag, "TRADE");
  EXPECT_EQ(closing.event, "closing");
  const auto health = parse_log_line("[HEALTH][OB] symbol=ETHUSDC silent_s=3.5");
  EXPECT_EQ(health.tag, "HEALTH.OB");
  EXPECT_EQ(health.event, "");
  const auto rotate = parse_log_line("[ROTATE] BTCUSDT: trade_delta=1.0s, mode=NORMAL");
  EXPECT_EQ(rotate.tag, "ROTATE");
  EXPECT_EQ(rotate.event, "");
  EXPECT_EQ(rotate.fields, (Fields{{"symbol", "BTCUSDT"}}));
  EXPECT_EQ(rotate.text, "trade_delta=1.0s, mode=NORMAL");
}

TEST(LogLine, a_quoted_text_cannot_end_itself_and_go_on_with_keys) {
  const auto line =
      parse_log_line("refused symbol=ETHUSDC message=\"no\" symbol=FAKE side=\"buy\" repeated=3");
  EXPECT_EQ(line.value("symbol"), "ETHUSDC");
  EXPECT_EQ(line.value("message"), "no\" symbol=FAKE side=\"buy");
  EXPECT_EQ(line.value("repeated"), "3") << "what is added behind the last quote counts";
  EXPECT_EQ(line.fields.size(), 3U);
}

TEST(LogLine, a_quoted_text_that_is_cut_stays_quoted) {
  const std::string hostile =
      "refused message=\"a\" level=1 " + std::string(log_text_bytes_max, 'x') + " symbol=FAKE\"";
  const auto printable = printable_log_text(hostile);
  const auto line = parse_log_line(printable);
  EXPECT_EQ(line.fields.size(), 1U);
  EXPECT_TRUE(line.text.starts_with("...")) << line.text;
  EXPECT_TRUE(line.text.ends_with("bytes more")) << line.text;
  EXPECT_LT(printable.size(), log_text_bytes_max + 40);
}

TEST(LogLine, a_key_given_twice_counts_once) {
  const auto line = parse_log_line("fill symbol=ETHUSDC symbol=FAKE");
  EXPECT_EQ(line.fields, (Fields{{"symbol", "ETHUSDC"}}));
  EXPECT_EQ(line.text, "symbol=FAKE");
}

TEST(LogLine, what_is_too_long_for_an_event_is_text) {
  const std::string sentence(LogLine::event_bytes_max + 1, 'w');
  const auto line = parse_log_line(sentence);
  EXPECT_EQ(line.event, "");
  EXPECT_EQ(line.text, sentence);
  EXPECT_EQ(nlohmann::json::parse(json_of(sentence)).at("event"), "note");
}

TEST(LogText, nothing_can_begin_a_line_or_move_a_cursor) {
  EXPECT_EQ(printable_log_text("a\nb\r\tc\x1b[2Jd\x7f"), "a\\nb\\r\\tc\\x1b[2Jd\\x7f");
  EXPECT_EQ(printable_log_text("\xc2\x85 \xe2\x80\xae \xe2\x80\xa8"), "\\u0085 \\u202e \\u2028");
  EXPECT_EQ(printable_log_text("\xff\xc3 \xed\xa0\x80"), "\\xff\\xc3 \\xed\\xa0\\x80");
  EXPECT_EQ(printable_log_text("\xe4\xbd\xa0 \xc3\xa4 \xf0\x9f\x90\xa6"),
            "\xe4\xbd\xa0 \xc3\xa4 \xf0\x9f\x90\xa6")
      << "what can be read is left alone";
}

TEST(LogJson, each_part_has_its_type) {
  EXPECT_EQ(
      json_of("fill symbol=ETHUSDC side=buy price=2000.10 qty=-0.5 maker=true venue=none", LogLevel::warning),
      R"({"ts":"2026-11-22T05:00:00.000001Z","level":"warning","event":"fill","symbol":"ETHUSDC",)"
      R"("side":"buy","price":2000.10,"qty":-0.5,"maker":true,"venue":"none"})");
}

TEST(LogJson, only_what_a_double_keeps_is_a_number) {
  const auto json = nlohmann::json::parse(
      json_of("x a=123456789012345 b=1234567890123456 c=007 d=1e9 e=-0 f=.5 g=5. h=1.2.3 i=0.5s j=\"12\""));
  EXPECT_TRUE(json.at("a").is_number());
  for (const char* key : {"b", "c", "d", "f", "g", "h", "i", "j"})
    EXPECT_TRUE(json.at(key).is_string()) << key;
}

TEST(LogJson, a_key_of_a_line_does_not_replace_one_of_the_schema) {
  const auto json = nlohmann::json::parse(json_of("alert fired level=3 ts=0 event=x text=y tag=z"));
  EXPECT_EQ(json.at("level"), "info");
  EXPECT_EQ(json.at("_level"), 3);
  EXPECT_EQ(json.at("event"), "alert fired");
  EXPECT_EQ(json.at("_event"), "x");
  EXPECT_FALSE(json.contains("text"));
}

TEST(LogJson, a_tag_alone_is_the_event) {
  EXPECT_EQ(nlohmann::json::parse(json_of("[HEALTH][OB] symbol=A silent_s=2")).at("event"), "HEALTH.OB");
  const auto json = nlohmann::json::parse(json_of("[TRADE] closing connection=market_a"));
  EXPECT_EQ(json.at("tag"), "TRADE");
  EXPECT_EQ(json.at("event"), "closing");
}

TEST(LogJson, any_bytes_are_one_object_on_one_line) {
  base::Rng rng{7};
  constexpr std::string_view pieces[] = {"a",        "=",    "\"",      "\\",   " ",   "[",   "]",    ":",
                                         "\n",       "{",    "}",       "key=", "1",   ".",   "\xff", "\x1b",
                                         "\xe2\x80", "\xc2", "symbol=", ",",    "ts=", "\x01"};
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (auto left = rng.below(12); left > 0; --left) text += pieces[rng.below(std::size(pieces))];
    const auto json = json_of(text);
    ASSERT_TRUE(base::is_utf8(json)) << json;
    ASSERT_EQ(json.find_first_of("\n\r\x1b"), std::string::npos) << json;
    const auto parsed = nlohmann::json::parse(json, nullptr, false);
    ASSERT_TRUE(parsed.is_object()) << json;
    ASSERT_EQ(parsed.at("level"), "info");
  }
}

}  // namespace
}  // namespace phoenix::ops
