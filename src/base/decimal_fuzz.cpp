// Any bytes are a decimal or a fault, and an accepted decimal survives the way to text and back.
#include "base/assert.hpp"
#include "base/decimal.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phoenix::base;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  if (const auto raw = parse_decimal(text)) {
    const auto again = parse_decimal(format_decimal(*raw));
    PHX_ASSERT(again.has_value(), "the text of a decimal is a decimal");
    PHX_ASSERT(*again == *raw, "a decimal's text parses back to it");
  }
  if (size >= sizeof(std::int64_t)) {
    std::int64_t raw = 0;
    std::memcpy(&raw, data, sizeof raw);
    const auto parsed = parse_decimal(format_decimal(raw));
    PHX_ASSERT(parsed.has_value(), "every raw value has a text");
    PHX_ASSERT(*parsed == raw, "a raw value's text parses back to it");
    for (int places = 0; places <= decimal_places; ++places) {
      PHX_ASSERT(parse_decimal(format_decimal_fixed(raw, places)).has_value(), "fixed text is a decimal");
    }
  }
  return 0;
}
