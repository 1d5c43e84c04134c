#pragma once

#include "base/decimal.hpp"
#include "venue/binance/decode_fault.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>

namespace phoenix::venue::binance {

/// Eight characters of text at a time in one 64-bit word, the first character in the lowest byte.
namespace swar {

static_assert(std::endian::native == std::endian::little,
              "the first character is the lowest byte of a loaded word");

inline constexpr std::uint64_t ones = 0x0101010101010101ULL;
inline constexpr std::uint64_t high_bits = 0x8080808080808080ULL;

/// Eight readable bytes.
inline std::uint64_t load(const char* p) {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

/// As `load`; bytes at and after `end` read as zero. At least eight bytes before `end` are readable.
inline std::uint64_t load(const char* p, const char* end) {
  const auto left = end - p;
  if (left >= 8) return load(p);
  if (left <= 0) return 0;
  return load(end - 8) >> (64 - 8 * left);
}

/// Turns characters into digit values: '0'..'9' become 0..9, everything else something above 9.
inline std::uint64_t digit_values(std::uint64_t word) { return word ^ (ones * '0'); }
/// The high bit of the first byte that is no digit is set, and none below it.
inline std::uint64_t not_digits(std::uint64_t values) {
  return ((values + ones * 0x76) | values) & high_bits;
}
/// How many bytes stand below the first marked one; 8 when none is marked.
inline unsigned bytes_before(std::uint64_t marks) {
  return static_cast<unsigned>(std::countr_zero(marks)) >> 3;
}
/// The bytes below the first marked one, the others zero.
inline std::uint64_t keep_before(std::uint64_t word, std::uint64_t marks) {
  return word & (((marks & (~marks + 1)) >> 7) - 1);
}
/// The number eight digit values spell.
inline std::uint64_t eight_digits(std::uint64_t values) {
  values = values * 10 + (values >> 8);
  constexpr std::uint64_t pairs = 0x000000ff000000ffULL;
  return (((values & pairs) * (100 + (1'000'000ULL << 32))) +
          (((values >> 16) & pairs) * (1 + (10'000ULL << 32)))) >>
         32;
}
/// The number the first `count` (1..8) digit values spell.
inline std::uint64_t first_digits(std::uint64_t values, unsigned count) {
  return eight_digits(values << (64 - 8 * count));
}

/// Marks the bytes that end or complicate a JSON text: quote, backslash, control character. Exact up to the
/// first.
inline std::uint64_t text_marks(std::uint64_t word) {
  const auto zero_bytes = [](std::uint64_t v) { return (v - ones) & ~v; };
  return (zero_bytes(word ^ (ones * '"')) | zero_bytes(word ^ (ones * '\\')) |
          ((word - ones * 0x20) & ~word)) &
         high_bits;
}

}  // namespace swar

/// One JSON value as it stands in the text. Left uninitialised on purpose: a frame's worth of them is made at
/// once and few are used.
struct JsonValue {
  enum class Kind : std::uint8_t { text, number, object, array, yes, no, null };
  Kind kind;
  bool escaped;       ///< a text that holds at least one backslash
  const char* first;  ///< of a text what stands between the quotes; of all others the whole of it
  std::size_t size;

  std::string_view token() const { return {first, size}; }
  void set(const char* begin, const char* end) {
    first = begin;
    size = static_cast<std::size_t>(end - begin);
  }
};

/// A decimal without sign and with at most eight digits on either side of its point, read with `load(p)`.
/// Returns where it stopped; null when a digit is
/// missing before or behind the point.
template <class Load>
const char* short_decimal(const char* p, std::int64_t& out, Load&& load) {
  const auto whole = swar::digit_values(load(p));
  const auto whole_count = swar::bytes_before(swar::not_digits(whole));
  if (whole_count == 0) return nullptr;
  const auto units = swar::first_digits(whole, whole_count) * static_cast<std::uint64_t>(base::decimal_one);
  p += whole_count;
  if ((load(p) & 0xff) != '.') {
    out = static_cast<std::int64_t>(units);
    return p;
  }
  const auto fraction = swar::digit_values(load(p + 1));
  const auto stop = swar::not_digits(fraction);
  if (swar::bytes_before(stop) == 0) return nullptr;
  out = static_cast<std::int64_t>(units + swar::eight_digits(swar::keep_before(fraction, stop)));
  return p + 1 + swar::bytes_before(stop);
}

/// Decimal text to units of 1e-8; see base::parse_decimal for what is accepted. `text` is part of a frame of
/// at least eight bytes that ends at `frame_end`.
inline bool parse_decimal_text(std::string_view text, const char* frame_end, std::int64_t& out) {
  if (text.empty()) return false;
  const auto load = [frame_end](const char* p) { return swar::load(p, frame_end); };
  if (short_decimal(text.data(), out, load) == text.data() + text.size()) return true;
  const auto value = base::parse_decimal(text);
  if (!value) return false;
  out = *value;
  return true;
}

/// A JSON integer: no fraction, no exponent, within int64.
inline bool parse_integer_token(std::string_view token, std::int64_t& out) {
  const bool negative = token.starts_with('-');
  if (negative) token.remove_prefix(1);
  if (token.empty()) return false;
  constexpr auto limit = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  std::uint64_t value = 0;
  for (const char c : token) {
    if (c < '0' || c > '9') return false;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (limit - digit) / 10) return false;
    value = value * 10 + digit;
  }
  out = negative ? -static_cast<std::int64_t>(value) : static_cast<std::int64_t>(value);
  return true;
}

/// Reads JSON from left to right, strictly by its grammar (except that UTF-8 is not checked), and never
/// touches a byte at or after the end. Every function that returns bool leaves the reason of a `false` in
/// `fault()`; after a `false` the position means nothing.
class Scanner {
 public:
  /// Containers inside one skipped value.
  static constexpr int depth_max = 64;

  explicit Scanner(std::string_view text) : p_(text.data()), end_(text.data() + text.size()) {}

  DecodeFault fault() const { return fault_; }
  const char* position() const { return p_; }
  /// Goes back to a place `position` gave.
  void rewind(const char* position) { p_ = position; }
  bool fail(DecodeFault fault) {
    fault_ = fault;
    return false;
  }

  /// The next character that is not blank, without taking it; 0 at the end.
  char peek() {
    while (p_ != end_ && is_blank(*p_)) ++p_;
    return p_ == end_ ? '\0' : *p_;
  }
  bool take(char wanted) {
    if (peek() != wanted || p_ == end_) return fail(DecodeFault::malformed);
    ++p_;
    return true;
  }
  /// As `take`, and its absence is no fault.
  bool take_if(char wanted) {
    if (peek() != wanted || p_ == end_) return false;
    ++p_;
    return true;
  }
  /// Nothing but blanks is left.
  bool finish() {
    peek();
    return p_ == end_ || fail(DecodeFault::malformed);
  }

  /// Any value, containers included.
  bool value(JsonValue& out) {
    switch (peek()) {
      case '"':
        return text(out);
      case '{':
        out.kind = JsonValue::Kind::object;
        return container(out);
      case '[':
        out.kind = JsonValue::Kind::array;
        return container(out);
      default:
        return scalar(out);
    }
  }
  bool skip_value() {
    JsonValue unused;
    return value(unused);
  }

  bool text(JsonValue& out) {
    if (!take('"')) return false;
    out.kind = JsonValue::Kind::text;
    out.escaped = false;
    const char* const first = p_;
    for (;;) {
      while (end_ - p_ >= 8) {
        const auto marks = swar::text_marks(swar::load(p_));
        p_ += swar::bytes_before(marks);
        if (marks != 0) break;
      }
      if (p_ == end_) return fail(DecodeFault::malformed);
      const char c = *p_;
      if (c == '"') break;
      if (static_cast<unsigned char>(c) < 0x20) return fail(DecodeFault::malformed);
      if (c == '\\') {
        out.escaped = true;
        if (!escape()) return false;
      } else {
        ++p_;
      }
    }
    out.set(first, p_);
    ++p_;
    return true;
  }

  /// Calls `on_member(name)` for each member of the object that stands here; it must take the value and
  /// return whether to go on. An escaped name is given unescaped.
  template <class OnMember>
  bool members(OnMember&& on_member) {
    if (!take('{')) return false;
    if (take_if('}')) return true;
    do {
      std::array<char, 32> plain;
      std::string_view name;
      if (!member_name(name, plain)) return false;
      if (!on_member(name)) return false;
    } while (take_if(','));
    return take('}');
  }

  /// Calls `on_element()` for each element of the array that stands here; it must take the value and return
  /// whether to go on.
  template <class OnElement>
  bool elements(OnElement&& on_element) {
    if (!take('[')) return false;
    if (take_if(']')) return true;
    do {
      if (!on_element()) return false;
    } while (take_if(','));
    return take(']');
  }

  /// Writes what `text` (escapes checked, as `value` does) spells, in UTF-8. Empty when `room` is too small.
  static std::string_view unescape(std::string_view text, std::span<char> room) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (room.size() - size < 4) return {};
      if (text[i] != '\\') {
        room[size++] = text[i];
        continue;
      }
      ++i;
      switch (text[i]) {
        case 'b':
          room[size++] = '\b';
          break;
        case 'f':
          room[size++] = '\f';
          break;
        case 'n':
          room[size++] = '\n';
          break;
        case 'r':
          room[size++] = '\r';
          break;
        case 't':
          room[size++] = '\t';
          break;
        case 'u': {
          unsigned code = hex4(text.data() + i + 1);
          i += 4;
          if (code >= 0xd800 && code < 0xdc00) {
            code = 0x10000 + ((code - 0xd800) << 10) + (hex4(text.data() + i + 3) - 0xdc00);
            i += 6;
          }
          size += utf8(code, room.data() + size);
          break;
        }
        default:
          room[size++] = text[i];
      }
    }
    return {room.data(), size};
  }

 private:
  static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  }
  static unsigned hex4(const char* p) {
    unsigned code = 0;
    for (int i = 0; i < 4; ++i) code = code * 16 + static_cast<unsigned>(hex_value(p[i]));
    return code;
  }
  static std::size_t utf8(unsigned code, char* out) {
    const auto tail = [](unsigned bits) { return static_cast<char>(0x80 | (bits & 0x3f)); };
    if (code < 0x80) {
      out[0] = static_cast<char>(code);
      return 1;
    }
    if (code < 0x800) {
      out[0] = static_cast<char>(0xc0 | (code >> 6));
      out[1] = tail(code);
      return 2;
    }
    if (code < 0x10000) {
      out[0] = static_cast<char>(0xe0 | (code >> 12));
      out[1] = tail(code >> 6);
      out[2] = tail(code);
      return 3;
    }
    out[0] = static_cast<char>(0xf0 | (code >> 18));
    out[1] = tail(code >> 12);
    out[2] = tail(code >> 6);
    out[3] = tail(code);
    return 4;
  }

  bool member_name(std::string_view& name, std::span<char> plain) {
    JsonValue text_value;
    if (!text(text_value) || !take(':')) return false;
    // A name too long for `plain` is none of ours, nor is the empty one it becomes.
    name = text_value.escaped ? unescape(text_value.token(), plain) : text_value.token();
    return true;
  }

  /// At a backslash. A surrogate is taken together with its other half.
  bool escape() {
    if (end_ - p_ < 2) return fail(DecodeFault::malformed);
    switch (p_[1]) {
      case '"':
      case '\\':
      case '/':
      case 'b':
      case 'f':
      case 'n':
      case 'r':
      case 't':
        p_ += 2;
        return true;
      case 'u':
        break;
      default:
        return fail(DecodeFault::malformed);
    }
    unsigned code = 0;
    if (!unicode_escape(code)) return false;
    if (code >= 0xdc00 && code < 0xe000) return fail(DecodeFault::bad_text);
    if (code < 0xd800 || code >= 0xe000) return true;
    if (end_ - p_ < 2 || p_[0] != '\\' || p_[1] != 'u') return fail(DecodeFault::bad_text);
    if (!unicode_escape(code)) return false;
    return (code >= 0xdc00 && code < 0xe000) || fail(DecodeFault::bad_text);
  }
  bool unicode_escape(unsigned& code) {
    if (end_ - p_ < 6) return fail(DecodeFault::malformed);
    for (int i = 2; i < 6; ++i) {
      if (hex_value(p_[i]) < 0) return fail(DecodeFault::malformed);
    }
    code = hex4(p_ + 2);
    p_ += 6;
    return true;
  }

  bool scalar(JsonValue& out) {
    switch (peek()) {
      case 't':
        out.kind = JsonValue::Kind::yes;
        return word("true", out);
      case 'f':
        out.kind = JsonValue::Kind::no;
        return word("false", out);
      case 'n':
        out.kind = JsonValue::Kind::null;
        return word("null", out);
      default:
        out.kind = JsonValue::Kind::number;
        return number(out);
    }
  }
  bool word(std::string_view wanted, JsonValue& out) {
    const std::string_view rest{p_, static_cast<std::size_t>(end_ - p_)};
    if (!rest.starts_with(wanted)) return fail(DecodeFault::malformed);
    out.set(p_, p_ + wanted.size());
    p_ += wanted.size();
    return true;
  }
  bool number(JsonValue& out) {
    const char* const first = p_;
    if (p_ != end_ && *p_ == '-') ++p_;
    const char* const whole = p_;
    if (!digits()) return false;
    if (*whole == '0' && p_ - whole > 1) return fail(DecodeFault::malformed);
    if (p_ != end_ && *p_ == '.') {
      ++p_;
      if (!digits()) return false;
    }
    if (p_ != end_ && (*p_ == 'e' || *p_ == 'E')) {
      ++p_;
      if (p_ != end_ && (*p_ == '+' || *p_ == '-')) ++p_;
      if (!digits()) return false;
    }
    out.set(first, p_);
    return true;
  }
  bool digits() {
    const char* const first = p_;
    while (p_ != end_ && is_digit(*p_)) ++p_;
    return p_ != first || fail(DecodeFault::malformed);
  }

  /// A loop with one bit per open container, so that depth costs no stack.
  bool container(JsonValue& out) {
    const char* const first = p_;
    std::uint64_t objects = 0;  // bit 0 is the innermost container, 1 where it is an object
    int depth = 0;
    static_assert(depth_max <= 64);
    for (;;) {
      const char c = peek();
      if (c == '{' || c == '[') {
        if (depth == depth_max) return fail(DecodeFault::too_deep);
        ++p_;
        ++depth;
        objects = (objects << 1) | (c == '{' ? 1U : 0U);
        if (!take_if(c == '{' ? '}' : ']')) {
          if (c == '{' && !skip_name()) return false;
          continue;
        }
        objects >>= 1;
        --depth;
      } else {
        JsonValue unused;
        if (!(c == '"' ? text(unused) : scalar(unused))) return false;
      }
      while (depth > 0) {
        const bool in_object = (objects & 1) != 0;
        if (take_if(',')) {
          if (in_object && !skip_name()) return false;
          break;
        }
        if (!take(in_object ? '}' : ']')) return false;
        objects >>= 1;
        --depth;
      }
      if (depth == 0) break;
    }
    out.set(first, p_);
    return true;
  }
  bool skip_name() {
    JsonValue unused;
    return text(unused) && take(':');
  }

  const char* p_;
  const char* end_;
  DecodeFault fault_ = DecodeFault::malformed;
};

}  // namespace phoenix::venue::binance
