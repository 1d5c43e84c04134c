#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace phoenix::base {

/// Decimal text <-> int64 in units of 1e-8. Exact both ways; never through binary floating point.
inline constexpr int decimal_places = 8;
inline constexpr std::int64_t decimal_one = 100'000'000;

enum class DecimalFault {
  malformed,     ///< empty, a stray character, an exponent, no digit before or after the point
  out_of_range,  ///< does not fit into int64 at 1e-8 (about +-9.2e10)
  inexact,       ///< a non-zero digit beyond the eighth decimal
};

/// Parses the whole of `text`: [-]digits[.digits]. Zeros beyond the eighth decimal are accepted.
Result<std::int64_t, DecimalFault> parse_decimal(std::string_view text);

/// Shortest form: no exponent, no trailing zeros, "0" for zero.
std::string format_decimal(std::int64_t raw);
/// Writes the shortest form to `out` (at least decimal_text_max bytes) and returns the end.
char* format_decimal_to(char* out, std::int64_t raw);
/// With exactly `places` decimals (0..8). Digits below are cut off: the caller rounds first.
std::string format_decimal_fixed(std::int64_t raw, int places);
inline constexpr int decimal_text_max = 24;

}  // namespace phoenix::base
