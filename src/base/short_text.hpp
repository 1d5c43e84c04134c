#pragma once

#include "base/assert.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace phoenix::base {

/// Up to N bytes of text held inside, N < 256: symbol names, client order ids. No allocation.
template <std::size_t N>
class ShortText {
  static_assert(N < 256);

 public:
  constexpr ShortText() = default;
  /// Asserts that `text` fits; input is checked with `fits` first.
  explicit ShortText(std::string_view text) {
    PHX_ASSERT(fits(text), "short text fits its bound");
    if (!text.empty()) std::memcpy(bytes_.data(), text.data(), text.size());
    size_ = static_cast<std::uint8_t>(text.size());
  }
  static constexpr bool fits(std::string_view text) { return text.size() <= N; }

  std::string_view view() const { return {bytes_.data(), size_}; }
  std::string str() const { return std::string{view()}; }
  constexpr bool empty() const { return size_ == 0; }
  friend bool operator==(const ShortText& a, const ShortText& b) { return a.view() == b.view(); }
  friend auto operator<=>(const ShortText& a, const ShortText& b) { return a.view() <=> b.view(); }

 private:
  std::array<char, N> bytes_{};
  std::uint8_t size_ = 0;
};

}  // namespace phoenix::base
