#include "base/utf8.hpp"

#include <array>
#include <cstdint>
#include <cstring>

namespace phoenix::base {
namespace {

/// Branch-free over 32 bytes at a time while the text is ASCII, as market data is.
std::size_t ascii_prefix(std::string_view text) {
  std::size_t at = 0;
  while (text.size() - at >= 32) {
    std::array<std::uint64_t, 4> words;
    std::memcpy(words.data(), text.data() + at, 32);
    if (((words[0] | words[1] | words[2] | words[3]) & 0x8080808080808080ULL) != 0) break;
    at += 32;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

}  // namespace

bool Utf8Check::put(std::string_view piece) {
  for (;;) {
    if (tail_bytes_ == 0) piece.remove_prefix(ascii_prefix(piece));
    if (piece.empty()) return true;
    const auto byte = static_cast<unsigned char>(piece.front());
    piece.remove_prefix(1);
    if (tail_bytes_ != 0) {
      if (byte < low_ || byte > high_) return false;
      --tail_bytes_;
      low_ = 0x80;
      high_ = 0xbf;
    } else if (byte >= 0xc2 && byte <= 0xdf) {
      tail_bytes_ = 1;
    } else if (byte >= 0xe0 && byte <= 0xef) {
      tail_bytes_ = 2;
      if (byte == 0xe0) low_ = 0xa0;   // shorter forms exist
      if (byte == 0xed) high_ = 0x9f;  // surrogates
    } else if (byte >= 0xf0 && byte <= 0xf4) {
      tail_bytes_ = 3;
      if (byte == 0xf0) low_ = 0x90;
      if (byte == 0xf4) high_ = 0x8f;  // beyond U+10FFFF
    } else {
      return false;
    }
  }
}

bool is_utf8(std::string_view text) {
  Utf8Check check;
  return check.put(text) && check.is_complete();
}

std::size_t utf8_character_size(std::string_view text) {
  Utf8Check check;
  for (std::size_t i = 0; i < text.size() && check.put(text.substr(i, 1)); ++i) {
    if (check.is_complete()) return i + 1;
  }
  return 0;
}

}  // namespace phoenix::base
