#include "exchange/request_text.hpp"

#include <string>

#include <gtest/gtest.h>

namespace phoenix::exchange {
namespace {

TEST(RequestText, a_query_value_wins_over_the_body) {
  Params params;
  params.add_form("symbol=BTCUSDT&side=BUY");
  params.add_form("side=SELL&type=LIMIT");
  EXPECT_EQ(params.text("side"), "BUY");
  EXPECT_EQ(params.text("type"), "LIMIT");
}

TEST(RequestText, escapes_are_decoded_and_broken_ones_left_alone) {
  EXPECT_EQ(percent_decode("%5B%22a%22%5D"), "[\"a\"]");
  EXPECT_EQ(percent_decode("a+b%20c"), "a b c");
  EXPECT_EQ(percent_decode("50%"), "50%");
  EXPECT_EQ(percent_decode("%zz%4"), "%zz%4");
}

TEST(RequestText, the_signature_is_taken_out_wherever_it_stands) {
  const auto last = without_signature("a=1&b=2&signature=ab%2Bc");
  EXPECT_EQ(last.payload, "a=1&b=2");
  EXPECT_EQ(last.signature, "ab+c");
  const auto middle = without_signature("a=1&signature=x&b=2");
  EXPECT_EQ(middle.payload, "a=1&b=2");
  const auto first = without_signature("signature=x&b=2");
  EXPECT_EQ(first.payload, "b=2");
  const auto alone = without_signature("signature=x");
  EXPECT_EQ(alone.payload, "");
  EXPECT_FALSE(without_signature("a=1&xsignature=2").signature.has_value());
}

TEST(RequestText, integers_are_whole_or_nothing) {
  EXPECT_EQ(parse_integer("-12"), -12);
  EXPECT_FALSE(parse_integer("12x"));
  EXPECT_FALSE(parse_integer(""));
  EXPECT_FALSE(parse_integer("99999999999999999999"));
}

TEST(RequestText, parameters_are_bounded) {
  std::string form;
  for (int i = 0; i < 1000; ++i) form += "p" + std::to_string(i) + "=1&";
  Params params;
  params.add_form(form);
  EXPECT_EQ(params.items().size(), Params::count_max);
}

}  // namespace
}  // namespace phoenix::exchange
