#include "venue/binance/scanner.hpp"

#include "base/decimal.hpp"
#include "base/rng.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace phoenix::venue::binance {
namespace {

TEST(Swar, converts_any_number_of_leading_digits) {
  base::Rng rng{1};
  for (int round = 0; round < 10'000; ++round) {
    std::array<char, 8> text;
    for (char& c : text) c = static_cast<char>(rng.below(8) == 0 ? rng.below(256) : '0' + rng.below(10));
    const auto first_other =
        std::find_if(text.begin(), text.end(), [](char c) { return c < '0' || c > '9'; });
    const auto count = static_cast<unsigned>(first_other - text.begin());
    std::uint64_t expected = 0;
    for (unsigned i = 0; i < count; ++i) expected = expected * 10 + static_cast<std::uint64_t>(text[i] - '0');

    const auto values = swar::digit_values(swar::load(text.data()));
    const auto stop = swar::not_digits(values);
    ASSERT_EQ(swar::bytes_before(stop), count);
    if (count > 0) {
      ASSERT_EQ(swar::first_digits(values, count), expected);
    }
    for (unsigned i = count; i < 8; ++i) expected *= 10;
    ASSERT_EQ(swar::eight_digits(swar::keep_before(values, stop)), expected);
  }
}

TEST(Swar, marks_the_first_byte_that_ends_or_complicates_a_text) {
  base::Rng rng{2};
  for (int round = 0; round < 20'000; ++round) {
    std::array<char, 8> text;
    for (char& c : text) c = static_cast<char>(rng.below(256));
    const auto special = std::find_if(text.begin(), text.end(), [](char c) {
      return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
    });
    ASSERT_EQ(swar::bytes_before(swar::text_marks(swar::load(text.data()))), special - text.begin());
  }
}

TEST(Swar, reads_zeros_at_and_after_the_end) {
  const std::string text = "0123456789";
  for (std::size_t at = 0; at <= text.size(); ++at) {
    std::array<char, 8> expected{};
    std::copy_n(text.begin() + static_cast<std::ptrdiff_t>(at), std::min<std::size_t>(8, text.size() - at),
                expected.begin());
    const auto word = swar::load(text.data() + at, text.data() + text.size());
    EXPECT_EQ(std::memcmp(&word, expected.data(), 8), 0) << at;
  }
}

TEST(IntegerToken, covers_int64_but_its_lowest_value) {
  std::int64_t value = 0;
  EXPECT_TRUE(parse_integer_token("9223372036854775807", value));
  EXPECT_EQ(value, std::numeric_limits<std::int64_t>::max());
  EXPECT_TRUE(parse_integer_token("-9223372036854775807", value));
  EXPECT_EQ(value, -std::numeric_limits<std::int64_t>::max());
  EXPECT_TRUE(parse_integer_token("0", value));
  EXPECT_EQ(value, 0);
  for (const char* bad : {"", "-", "9223372036854775808", "1.0", "1e3", "99999999999999999999"}) {
    EXPECT_FALSE(parse_integer_token(bad, value)) << bad;
  }
}

/// The exact bytes, so that a sanitizer sees a read past the end.
struct Exact {
  explicit Exact(std::string_view text) : bytes(std::make_unique<char[]>(text.size())), size(text.size()) {
    std::copy(text.begin(), text.end(), bytes.get());
  }
  std::string_view view() const { return {bytes.get(), size}; }
  std::unique_ptr<char[]> bytes;
  std::size_t size;
};

bool is_json(std::string_view text) {
  const Exact exact{text};
  Scanner scanner{exact.view()};
  return scanner.skip_value() && scanner.finish();
}

TEST(Scanner, takes_what_the_grammar_allows) {
  for (const char* text :
       {"{}", "[]", "0", "-0", "10", "-1.5", "1e5", "1E+5", "0.1e-10", "true", "false", "null", "\"\"",
        "\"a\"", " [ 1 , { \"a\" : [ ] } ] ", "{\"a\":{\"b\":[[],{}]},\"c\":\"d\"}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u12aF\"", "\"\\ud83d\\ude00\"", "\"\x7f\xc3\xa9\""}) {
    EXPECT_TRUE(is_json(text)) << text;
  }
}

TEST(Scanner, refuses_what_the_grammar_does_not_allow) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "[",
                           "]",
                           "[1",
                           "[1,",
                           "[1,]",
                           "[,]",
                           "{\"a\"",
                           "{\"a\":",
                           "{\"a\":1,",
                           "{\"a\":1,}",
                           "{a:1}",
                           "01",
                           "-",
                           "-01",
                           "1.",
                           ".1",
                           "1e",
                           "1e+",
                           "+1",
                           "tru",
                           "trux",
                           "nulL",
                           "\"",
                           "\"\\\"",
                           "\"\\",
                           "\"\\u",
                           "\"\\u123\"",
                           "\"\\x\"",
                           "\"\t\"",
                           "1 2",
                           "[1 2]",
                           "{\"a\" 1}",
                           "[}",
                           "{]",
                           "{\"a\":[}",
                           "\"\\ud800\"",
                           "\"\\udc00\"",
                           "\"\\ud800x\"",
                           "\"\\ud800\\n\""}) {
    EXPECT_FALSE(is_json(text)) << text;
  }
}

TEST(Scanner, refuses_texts_cut_anywhere) {
  const std::string text = R"({"abcdefgh":["0123456789\u00e9\ud83d\ude00",-1.5e10,true,false,null,{"":{}}]})";
  ASSERT_TRUE(is_json(text));
  for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(is_json(text.substr(0, size))) << size;
}

TEST(Scanner, gives_tokens_as_they_stand) {
  Scanner scanner{R"( {"a" : "x\n", "b":-1.5 ,"c":[1, 2],"d":null,"e\u0066":true})"};
  std::string names;
  std::string tokens;
  ASSERT_TRUE(scanner.members([&](std::string_view name) {
    JsonValue value;
    if (!scanner.value(value)) return false;
    names += std::string{name} + " ";
    tokens +=
        std::string{value.token()} + (value.kind == JsonValue::Kind::text && value.escaped ? "! " : " ");
    return true;
  }));
  EXPECT_TRUE(scanner.finish());
  EXPECT_EQ(names, "a b c d ef ");
  EXPECT_EQ(tokens, "x\\n! -1.5 [1, 2] null true ");
}

TEST(Scanner, unescapes_to_utf8_within_the_room_given) {
  std::array<char, 64> room;
  EXPECT_EQ(Scanner::unescape(R"(a\"\\\/\b\f\n\r\t\u0041\u00e9\u5e01\ud83d\ude00z)", room),
            "a\"\\/\b\f\n\r\tA\xc3\xa9\xe5\xb8\x81\xf0\x9f\x98\x80z");
  EXPECT_EQ(Scanner::unescape("abcdefgh", std::span{room}.first(8)), "");
}

}  // namespace
}  // namespace phoenix::venue::binance
