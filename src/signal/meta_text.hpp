#pragma once

#include "signal/rows.hpp"

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <string_view>

namespace phoenix::signal {

/// Builds `{"a":1,"b":"x"}` within the bound of MetaText. Names and words are our own and need no escapes; a
/// member that finds no room is left out.
class MetaBuilder {
 public:
  MetaBuilder& add(std::string_view name, std::string_view word) {
    return member(name, [&](char* to, char* end) -> char* {
      if (static_cast<std::size_t>(end - to) < word.size() + 2) return nullptr;
      *to++ = '"';
      for (const char c : word) *to++ = c;
      *to++ = '"';
      return to;
    });
  }
  /// Six significant digits.
  MetaBuilder& add(std::string_view name, double value) {
    return member(name, [&](char* to, char* end) -> char* {
      const auto [past, fault] = std::to_chars(to, end, value, std::chars_format::general, 6);
      return fault == std::errc{} ? past : nullptr;
    });
  }
  template <std::integral T>
  MetaBuilder& add(std::string_view name, T value) {
    return member(name, [&](char* to, char* end) -> char* {
      const auto [past, fault] = std::to_chars(to, end, value);
      return fault == std::errc{} ? past : nullptr;
    });
  }

  MetaText text() {
    bytes_[size_] = '}';
    return MetaText{std::string_view{bytes_.data(), size_ + 1}};
  }

 private:
  template <class Write>
  MetaBuilder& member(std::string_view name, Write&& write) {
    char* to = bytes_.data() + size_;
    char* const end = bytes_.data() + bytes_.size() - 1;  // the closing brace has its place
    if (static_cast<std::size_t>(end - to) < name.size() + 4) return *this;
    if (size_ > 1) *to++ = ',';
    *to++ = '"';
    for (const char c : name) *to++ = c;
    *to++ = '"';
    *to++ = ':';
    if (char* const past = write(to, end)) size_ = static_cast<std::size_t>(past - bytes_.data());
    return *this;
  }

  std::array<char, 160> bytes_{'{'};
  std::size_t size_ = 1;
};

}  // namespace phoenix::signal
