#pragma once

#include <cstdint>
#include <string_view>

namespace phoenix::base {

/// CRC-32C (Castagnoli; RFC 3720) of `bytes`, or of what `before` covered followed by `bytes`. Uses the
/// processor's instruction where there is one; every machine gives the same number.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

/// The same by table alone, whatever the processor.
std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t before = 0);

}  // namespace phoenix::base
