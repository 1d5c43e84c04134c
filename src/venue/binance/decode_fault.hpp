#pragma once

#include <cstdint>
#include <string_view>

namespace phoenix::venue::binance {

/// Why a text of the venue could not become a value.
enum class DecodeFault : std::uint8_t {
  malformed,         ///< not JSON, cut short, or something after the end
  too_deep,          ///< nested deeper than `Scanner::depth_max`
  missing_member,    ///< a mandatory member is not there
  duplicate_member,  ///< a member we read is there twice
  wrong_type,        ///< text where a number belongs, and the like
  bad_number,     ///< does not fit: beyond int64, more than eight decimals, a negative quantity, a time past
                  ///< 2262
  bad_text,       ///< a lone surrogate, or an escaped text too long for the decoder
  bad_value,      ///< well formed but impossible: U above u, a side or an interval we do not know
  too_many_rows,  ///< more levels or rows than the decoder's bound
  no_symbol,  ///< the frame names no symbol (spot partial depth outside a combined stream, a REST depth body)
};

/// One word for logs and metrics.
std::string_view name(DecodeFault fault);

}  // namespace phoenix::venue::binance
