#include "base/decimal.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace phoenix::base {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// `[-]digits[.digits]`, whatever the value.
bool is_decimal_text(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const auto digits_end = [](std::string_view part) {
    return static_cast<std::size_t>(std::find_if_not(part.begin(), part.end(), is_digit) - part.begin());
  };
  const std::size_t whole = digits_end(text);
  if (whole == 0 || whole == text.size()) return whole != 0;
  if (text[whole] != '.') return false;
  text.remove_prefix(whole + 1);
  return !text.empty() && digits_end(text) == text.size();
}

}  // namespace

Result<std::int64_t, DecimalFault> parse_decimal(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  const bool negative = p != end && *p == '-';
  if (negative) ++p;

  std::uint64_t value = 0;
  // The smallest int64 has a magnitude of one more than the largest.
  const std::uint64_t limit = std::uint64_t{std::numeric_limits<std::int64_t>::max()} + (negative ? 1 : 0);
  const auto push = [&](std::uint64_t digit) {
    if (value > (limit - digit) / 10) return false;
    value = value * 10 + digit;
    return true;
  };
  // Text that is no decimal at all is malformed, wherever else it goes wrong first.
  const auto fault = [&](DecimalFault of_value) {
    return fail(is_decimal_text(text) ? of_value : DecimalFault::malformed);
  };

  const char* const whole = p;
  while (p != end && is_digit(*p)) {
    if (!push(static_cast<std::uint64_t>(*p++ - '0'))) return fault(DecimalFault::out_of_range);
  }
  if (p == whole) return fail(DecimalFault::malformed);
  int places = 0;
  if (p != end && *p == '.') {
    const char* const fraction = ++p;
    for (; p != end && is_digit(*p); ++p) {
      if (places == decimal_places) {
        if (*p != '0') return fault(DecimalFault::inexact);
        continue;
      }
      if (!push(static_cast<std::uint64_t>(*p - '0'))) return fault(DecimalFault::out_of_range);
      ++places;
    }
    if (p == fraction) return fail(DecimalFault::malformed);
  }
  if (p != end) return fail(DecimalFault::malformed);
  for (; places < decimal_places; ++places) {
    if (!push(0)) return fail(DecimalFault::out_of_range);
  }
  return static_cast<std::int64_t>(negative ? ~value + 1 : value);
}

char* format_decimal_to(char* out, std::int64_t raw) {
  // Unsigned, so that the smallest int64 has a magnitude too.
  std::uint64_t magnitude = static_cast<std::uint64_t>(raw);
  if (raw < 0) {
    *out++ = '-';
    magnitude = ~magnitude + 1;
  }
  constexpr auto one = static_cast<std::uint64_t>(decimal_one);
  out = std::to_chars(out, out + 20, magnitude / one).ptr;
  std::uint64_t fraction = magnitude % one;
  if (fraction == 0) return out;
  *out++ = '.';
  int places = decimal_places;
  while (fraction % 10 == 0) {
    fraction /= 10;
    --places;
  }
  for (int i = places - 1; i >= 0; --i) {
    out[i] = static_cast<char>('0' + fraction % 10);
    fraction /= 10;
  }
  return out + places;
}

std::string format_decimal(std::int64_t raw) {
  std::array<char, decimal_text_max> text;
  return {text.data(), format_decimal_to(text.data(), raw)};
}

std::string format_decimal_fixed(std::int64_t raw, int places) {
  PHX_ASSERT(places >= 0 && places <= decimal_places, "fixed decimals are within 0..8");
  std::int64_t unit = 1;
  for (int i = places; i < decimal_places; ++i) unit *= 10;
  std::string text = format_decimal(raw - raw % unit);
  if (places == 0) return text;
  auto point = text.find('.');
  if (point == std::string::npos) {
    point = text.size();
    text += '.';
  }
  text.resize(point + 1 + static_cast<std::size_t>(places), '0');
  return text;
}

}  // namespace phoenix::base
