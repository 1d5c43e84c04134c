#pragma once

#include "base/decimal.hpp"
#include "base/result.hpp"
#include "base/short_text.hpp"
#include "base/time.hpp"
#include "model/fixed.hpp"
#include "venue/binance/decode_fault.hpp"

#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>

#include <simdjson.h>

namespace phoenix::venue::binance {

/// As much of the beginning of `text` as fits, cut between two characters.
template <std::size_t N>
base::ShortText<N> cut_text(std::string_view text) {
  std::size_t size = text.size() < N ? text.size() : N;
  const auto continues = [&](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
  };
  while (size != 0 && size < text.size() && continues(size)) --size;
  return base::ShortText<N>{text.substr(0, size)};
}

/// Reads one JSON text at a time with simdjson's on-demand parser, and keeps the first fault: readers go on
/// with harmless values after it, and whoever asked for a value looks at `fault()` once, at the end. Values
/// may be asked for in the order of the text only. The text is copied behind padding, so nothing is read
/// beyond its end.
class JsonReader {
 public:
  using Value = simdjson::ondemand::value;
  using Object = simdjson::ondemand::object;
  using Array = simdjson::ondemand::array;

  /// Calls `visit(key, value)` for each member of the object that `text` is; what `visit` does not read is
  /// skipped.
  template <class Visit>
  void read_object(std::string_view text, Visit&& visit) {
    if (!start(text)) return;
    Object object;
    if (!take(document_.get_object(), object)) return;
    members(object, visit);
    expect_end();
  }
  /// Calls `visit(value)` for each element of the array that `text` is.
  template <class Visit>
  void read_array(std::string_view text, Visit&& visit) {
    if (!start(text)) return;
    Array array;
    if (!take(document_.get_array(), array)) return;
    elements(array, visit);
    expect_end();
  }

  template <class Visit>
  void members(Value value, Visit&& visit) {
    Object object;
    if (ok() && take(value.get_object(), object)) members(object, visit);
  }
  template <class Visit>
  void elements(Value value, Visit&& visit) {
    Array array;
    if (ok() && take(value.get_array(), array)) elements(array, visit);
  }

  /// Valid until the next text is read.
  std::string_view text(Value value) {
    std::string_view result;
    return ok() && take(value.get_string(), result) ? result : std::string_view{};
  }
  template <std::size_t N>
  base::ShortText<N> short_text(Value value) {
    const auto whole = text(value);
    if (base::ShortText<N>::fits(whole)) return base::ShortText<N>{whole};
    fail(DecodeFault::bad_text);
    return {};
  }
  bool boolean(Value value) {
    bool result = false;
    return ok() && take(value.get_bool(), result) && result;
  }
  bool is_null(Value value) { return token(value) == "null"; }
  bool is_object(Value value) { return token(value).starts_with('{'); }
  bool is_array(Value value) { return token(value).starts_with('['); }
  bool is_text(Value value) { return token(value).starts_with('"'); }
  bool is_empty_text(Value value) { return token(value) == "\"\""; }

  /// A JSON integer or text of one: the venue has been seen to use either.
  std::int64_t integer(Value value) {
    const auto digits = scalar(value);
    std::int64_t result = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), result);
    if (error == std::errc{} && end == digits.data() + digits.size()) return result;
    fail(DecodeFault::bad_number);
    return 0;
  }
  int small_integer(Value value) {
    const auto wide = integer(value);
    if (wide >= std::numeric_limits<int>::min() && wide <= std::numeric_limits<int>::max()) {
      return static_cast<int>(wide);
    }
    fail(DecodeFault::bad_number);
    return 0;
  }
  /// Milliseconds since 1970, not negative and before 2262.
  base::VenueTime time(Value value) {
    constexpr std::int64_t ms_max = std::numeric_limits<std::int64_t>::max() / 1'000'000;
    const auto ms = integer(value);
    if (ms >= 0 && ms <= ms_max) return base::venue_time_ms(ms);
    fail(DecodeFault::bad_number);
    return {};
  }
  /// A decimal as text or as a JSON number, exact.
  template <class Fixed>
  Fixed decimal(Value value) {
    return Fixed::from_raw(decimal_raw(scalar(value)));
  }
  /// As `decimal`, with what stands beyond the eighth decimal cut off: for averages, which the venue rounds
  /// nowhere.
  template <class Fixed>
  Fixed average(Value value) {
    auto digits = scalar(value);
    const auto point = digits.find('.');
    const std::size_t places = base::decimal_places;
    if (point != std::string_view::npos && digits.size() > point + 1 + places &&
        digits.find_first_not_of("0123456789", point + 1) == std::string_view::npos) {
      digits = digits.substr(0, point + 1 + places);
    }
    return Fixed::from_raw(decimal_raw(digits));
  }
  /// An upper bound: one beyond our range bounds nothing and reads as 0, which is "switched off".
  template <class Fixed>
  Fixed upper_bound(Value value) {
    const auto raw = base::parse_decimal(scalar(value));
    if (raw) return Fixed::from_raw(*raw);
    if (raw.error() != base::DecimalFault::out_of_range) fail(DecodeFault::bad_number);
    return Fixed{};
  }

  /// The value, or a default one and the fault `missing_member`.
  template <class T>
  T require(const std::optional<T>& member) {
    if (member) return *member;
    fail(DecodeFault::missing_member);
    return T{};
  }

  /// The text of the object `value`, as it stands in what is being read. Consumes the value.
  std::string_view object_text(Value value) {
    Object object;
    std::string_view raw;
    if (!ok() || !take(value.get_object(), object) || !take(object.raw_json(), raw)) return {};
    return source_.substr(static_cast<std::size_t>(raw.data() - bytes_.get()), raw.size());
  }

  void fail(DecodeFault fault) {
    if (!fault_) fault_ = fault;
  }
  /// Forgets a fault that was about one value. False when the text itself is broken, which nothing mends.
  bool recover() {
    if (fault_ == DecodeFault::malformed) return false;
    fault_.reset();
    return true;
  }
  bool ok() const { return !fault_; }
  std::optional<DecodeFault> fault() const { return fault_; }

 private:
  bool start(std::string_view text) {
    fault_.reset();
    source_ = text;
    if (capacity_ < text.size() + simdjson::SIMDJSON_PADDING) {
      capacity_ = 2 * text.size() + simdjson::SIMDJSON_PADDING;
      bytes_ = std::make_unique<char[]>(capacity_);
    }
    if (!text.empty()) std::memcpy(bytes_.get(), text.data(), text.size());
    return take(parser_.iterate(bytes_.get(), text.size(), capacity_), document_);
  }

  template <class Result, class T>
  bool take(Result&& result, T& out) {
    const auto error = std::forward<Result>(result).get(out);
    if (error == simdjson::SUCCESS) return true;
    fail(error == simdjson::INCORRECT_TYPE ? DecodeFault::wrong_type : DecodeFault::malformed);
    return false;
  }

  template <class Visit>
  void members(Object& object, Visit& visit) {
    for (auto member : object) {
      simdjson::ondemand::field field;
      std::string_view key;
      if (!take(std::move(member), field) || !take(field.unescaped_key(), key)) return;
      visit(key, field.value());
      if (!ok()) return;
    }
  }
  template <class Visit>
  void elements(Array& array, Visit& visit) {
    for (auto element : array) {
      Value value;
      if (!take(std::move(element), value)) return;
      visit(value);
      if (!ok()) return;
    }
  }
  void expect_end() {
    if (ok() && document_.current_location().error() != simdjson::OUT_OF_BOUNDS) fail(DecodeFault::malformed);
  }

  /// The text of a scalar as it stands there; strings with their quotes.
  std::string_view token(Value& value) {
    if (!ok()) return {};
    std::string_view raw = value.raw_json_token();
    while (!raw.empty() &&
           (raw.back() == ' ' || raw.back() == '\t' || raw.back() == '\n' || raw.back() == '\r')) {
      raw.remove_suffix(1);
    }
    return raw;
  }
  /// A number, or the inside of a text.
  std::string_view scalar(Value& value) {
    auto raw = token(value);
    if (raw.size() >= 2 && raw.front() == '"' && raw.back() == '"') return raw.substr(1, raw.size() - 2);
    if (raw.empty() || raw.front() == '-' || (raw.front() >= '0' && raw.front() <= '9')) return raw;
    fail(DecodeFault::wrong_type);
    return {};
  }
  std::int64_t decimal_raw(std::string_view digits) {
    if (!ok()) return 0;
    const auto raw = base::parse_decimal(digits);
    if (raw) return *raw;
    fail(DecodeFault::bad_number);
    return 0;
  }

  simdjson::ondemand::parser parser_;
  simdjson::ondemand::document document_;
  std::string_view source_;
  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::optional<DecodeFault> fault_;
};

}  // namespace phoenix::venue::binance
