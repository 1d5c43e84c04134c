#include "base/decimal.hpp"

#include "base/rng.hpp"

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::base {
namespace {

constexpr std::int64_t raw_min = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t raw_max = std::numeric_limits<std::int64_t>::max();

/// The rule once more, on text alone and without arithmetic: slow, and with no overflow to get wrong.
Result<std::int64_t, DecimalFault> reference_parse(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const auto point = text.find('.');
  std::string whole{text.substr(0, point)};
  std::string fraction{point == std::string_view::npos ? "0" : text.substr(point + 1)};
  constexpr std::string_view digits = "0123456789";
  if (whole.empty() || fraction.empty() || whole.find_first_not_of(digits) != std::string::npos ||
      fraction.find_first_not_of(digits) != std::string::npos) {
    return fail(DecimalFault::malformed);
  }
  const std::string below = fraction.size() > 8 ? fraction.substr(8) : "";
  fraction.resize(8, '0');
  std::string magnitude = whole + fraction;
  magnitude.erase(0, std::min(magnitude.find_first_not_of('0'), magnitude.size() - 1));
  const std::string limit = negative ? "9223372036854775808" : "9223372036854775807";
  const bool too_big =
      magnitude.size() > limit.size() || (magnitude.size() == limit.size() && magnitude > limit);
  if (too_big) return fail(DecimalFault::out_of_range);
  if (below.find_first_not_of('0') != std::string::npos) return fail(DecimalFault::inexact);
  return static_cast<std::int64_t>(std::stoull(magnitude) * (negative ? ~std::uint64_t{0} : 1));
}

/// Raw values of every magnitude, not only of the largest.
std::int64_t random_raw(Rng& rng) {
  const auto bits = static_cast<std::int64_t>(rng.next()) >> rng.below(64);
  return rng.below(4) == 0 ? bits / decimal_one * decimal_one : bits;
}

TEST(Decimal, text_of_a_value_parses_back_to_it) {
  Rng rng{1};
  std::vector<std::int64_t> values{0,       1,           -1,      decimal_one, -decimal_one,
                                   raw_min, raw_min + 1, raw_max, raw_max - 1};
  for (int i = 0; i < 200'000; ++i) values.push_back(random_raw(rng));
  for (const auto raw : values) {
    const auto text = format_decimal(raw);
    ASSERT_LE(text.size(), static_cast<std::size_t>(decimal_text_max)) << raw;
    const auto parsed = parse_decimal(text);
    ASSERT_TRUE(parsed.has_value()) << text;
    ASSERT_EQ(*parsed, raw) << text;
  }
}

TEST(Decimal, text_is_the_shortest_form) {
  EXPECT_EQ(format_decimal(0), "0");
  EXPECT_EQ(format_decimal(1), "0.00000001");
  EXPECT_EQ(format_decimal(-1), "-0.00000001");
  EXPECT_EQ(format_decimal(50'000'000), "0.5");
  EXPECT_EQ(format_decimal(12'345'678'900), "123.456789");
  EXPECT_EQ(format_decimal(-700'000'000), "-7");
  EXPECT_EQ(format_decimal(raw_max), "92233720368.54775807");
  EXPECT_EQ(format_decimal(raw_min), "-92233720368.54775808");
}

TEST(Decimal, fixed_text_cuts_digits_off_and_pads_with_zeros) {
  EXPECT_EQ(format_decimal_fixed(0, 0), "0");
  EXPECT_EQ(format_decimal_fixed(0, 2), "0.00");
  EXPECT_EQ(format_decimal_fixed(-1, 2), "0.00");
  EXPECT_EQ(format_decimal_fixed(123'999'999, 2), "1.23");
  EXPECT_EQ(format_decimal_fixed(-123'999'999, 2), "-1.23");
  EXPECT_EQ(format_decimal_fixed(199'999'999, 0), "1");
  EXPECT_EQ(format_decimal_fixed(1, 8), "0.00000001");
  EXPECT_EQ(format_decimal_fixed(150'000'000, 8), "1.50000000");
  EXPECT_EQ(format_decimal_fixed(raw_min, 8), "-92233720368.54775808");
  EXPECT_EQ(format_decimal_fixed(raw_min, 0), "-92233720368");
}

TEST(Decimal, accepts_what_stands_for_a_value) {
  const auto parsed = [](std::string_view text) { return parse_decimal(text).value(); };
  EXPECT_EQ(parsed("0"), 0);
  EXPECT_EQ(parsed("-0"), 0);
  EXPECT_EQ(parsed("-0.000"), 0);
  EXPECT_EQ(parsed("007.10"), 710'000'000);
  EXPECT_EQ(parsed("0.1"), 10'000'000);
  EXPECT_EQ(parsed("1.100000000000000"), 110'000'000);
  EXPECT_EQ(parsed("92233720368.54775807"), raw_max);
  EXPECT_EQ(parsed("-92233720368.54775808"), raw_min);
  EXPECT_EQ(parsed("-92233720368.547758080000"), raw_min);
}

TEST(Decimal, refuses_with_the_fault_that_applies) {
  const auto fault = [](std::string_view text) { return parse_decimal(text).error(); };
  for (const std::string_view text : {"",
                                      "-",
                                      ".",
                                      "-.",
                                      "1.",
                                      ".5",
                                      "-.5",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1e5",
                                      "1E5",
                                      "0x10",
                                      "--1",
                                      "1-",
                                      "1.2.3",
                                      "1,5",
                                      "NaN",
                                      "inf",
                                      "1.5x",
                                      "99999999999999999999x",
                                      "0.000000001x",
                                      "1..2",
                                      "1.-2"}) {
    ASSERT_FALSE(parse_decimal(text).has_value()) << text;
    EXPECT_EQ(fault(text), DecimalFault::malformed) << text;
  }
  using namespace std::string_view_literals;
  EXPECT_EQ(fault("1\0"sv), DecimalFault::malformed);
  for (const std::string_view text :
       {"92233720368.54775808", "-92233720368.54775809", "92233720369", "100000000000",
        "99999999999999999999999999999999999999.9", "9223372036854775807"}) {
    ASSERT_FALSE(parse_decimal(text).has_value()) << text;
    EXPECT_EQ(fault(text), DecimalFault::out_of_range) << text;
  }
  for (const std::string_view text : {"0.000000001", "-0.123456789", "1.0000000000000000000001"}) {
    ASSERT_FALSE(parse_decimal(text).has_value()) << text;
    EXPECT_EQ(fault(text), DecimalFault::inexact) << text;
  }
}

TEST(Decimal, agrees_with_a_slow_reference_on_random_text) {
  Rng rng{2};
  // Mostly digits, so that many texts are well formed; long enough to pass both ends of the range.
  constexpr std::string_view alphabet = "00012345678999999..-e+ ";
  int accepted = 0;
  int refused[3] = {};
  for (int i = 0; i < 300'000; ++i) {
    std::string text;
    if (rng.below(2) == 0) {
      for (auto size = rng.below(26); size > 0; --size) text += alphabet[rng.below(alphabet.size())];
    } else {
      text = format_decimal(rng.below(3) == 0 ? raw_max : random_raw(rng));
      if (rng.below(2) == 0 && !text.empty())
        text[rng.below(text.size())] = alphabet[rng.below(alphabet.size())];
      for (auto extra = rng.below(4); extra > 0; --extra) text += alphabet[rng.below(alphabet.size())];
    }
    const auto expected = reference_parse(text);
    const auto parsed = parse_decimal(text);
    ASSERT_EQ(parsed.has_value(), expected.has_value()) << text;
    if (parsed) {
      ASSERT_EQ(*parsed, *expected) << text;
      ++accepted;
    } else if (parsed.error() != expected.error()) {
      // A value that is too big and too fine may be called either.
      ASSERT_NE(parsed.error(), DecimalFault::malformed) << text;
      ASSERT_NE(expected.error(), DecimalFault::malformed) << text;
    } else {
      ++refused[static_cast<int>(parsed.error())];
    }
  }
  EXPECT_GT(accepted, 10'000);
  for (const int count : refused) EXPECT_GT(count, 1'000);
}

}  // namespace
}  // namespace phoenix::base
