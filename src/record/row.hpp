#pragma once

#include "base/result.hpp"
#include "base/static_vector.hpp"
#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/market.hpp"
#include "record/schema.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace phoenix::record {

// One row as bytes, little endian, no padding:
//
//     u8 kind, u8 length of symbol, symbol, null bitmap of ceil(columns / 8) bytes (bit set: null), then each
//     value that is not null in the order of the columns: boolean u8 | integer, decimal, time i64 | number
//     f64 | text u16 length, bytes | levels u16 count, count x (i64, i64)

inline constexpr std::size_t row_text_max = 4096;      ///< longer text is cut
inline constexpr std::size_t row_levels_max = 65'535;  ///< a side
inline constexpr std::size_t columns_max = 40;

/// Appends one row to a string: one call a column, in the order of the schema. A call that does not fit its
/// column, or a row left unfinished, is our bug and asserts.
class RowWriter {
 public:
  RowWriter(Kind kind, std::string_view symbol, std::string& out);

  RowWriter& boolean(bool value);
  RowWriter& integer(std::int64_t value);
  template <class Tag>
  RowWriter& decimal(model::Scaled<Tag> value) {
    return fixed(Type::decimal, value.raw());
  }
  RowWriter& time(base::VenueTime value) { return fixed(Type::time, base::ns_of(value)); }
  RowWriter& time(base::LocalTime value) { return fixed(Type::time, base::ns_of(value)); }
  /// A value that is not finite becomes null where the column allows it, else zero.
  RowWriter& number(double value);
  RowWriter& text(std::string_view value);
  /// Beyond row_levels_max the farthest levels are left out.
  RowWriter& levels(std::span<const model::Level> value);
  RowWriter& null();

  template <class T>
  RowWriter& optional(const std::optional<T>& value) {
    if (!value) return null();
    if constexpr (std::is_same_v<T, bool>) {
      return boolean(*value);
    } else if constexpr (std::is_integral_v<T>) {
      return integer(*value);
    } else if constexpr (std::is_floating_point_v<T>) {
      return number(*value);
    } else if constexpr (std::is_same_v<T, base::VenueTime> || std::is_same_v<T, base::LocalTime>) {
      return time(*value);
    } else if constexpr (std::is_convertible_v<T, std::string_view>) {
      return text(*value);
    } else {
      return decimal(*value);
    }
  }

  /// All columns are there.
  void finish() const;

 private:
  RowWriter& fixed(Type type, std::int64_t value);
  const Column& take(Type type);

  const Schema& schema_;
  std::string& out_;
  std::size_t bitmap_;  ///< offset of the null bitmap in out_
  std::size_t column_ = 0;
};

enum class RowFault : std::uint8_t {
  cut,
  unknown_kind,
  bad_symbol,
  null_where_never,
  trailing_bytes,
  bad_value
};
std::string_view name(RowFault fault);

/// One row, read in place: texts and levels point into the bytes it was decoded from.
class RowView {
 public:
  Kind kind() const { return kind_; }
  std::string_view symbol() const { return symbol_; }
  /// Where the row belongs: its first column, nanoseconds since 1970.
  std::int64_t event_time_ns() const { return integer(0); }

  bool is_null(std::size_t column) const { return values_[column].offset == 0; }
  bool boolean(std::size_t column) const;
  /// Of an integer, decimal (raw) or time (nanoseconds) column.
  std::int64_t integer(std::size_t column) const;
  double number(std::size_t column) const;
  std::string_view text(std::size_t column) const;
  std::size_t levels_count(std::size_t column) const;
  model::Level level(std::size_t column, std::size_t index) const;
  /// The first and last id the row accounts for; empty where its kind has none or they are null.
  std::optional<std::int64_t> first_id() const;
  std::optional<std::int64_t> last_id() const;

 private:
  friend base::Result<RowView, RowFault> decode_row(std::string_view bytes);
  struct Value {
    std::uint32_t offset = 0;  ///< 0: null
    std::uint32_t size = 0;    ///< bytes of a text, count of levels
  };
  template <class T>
  T load(std::size_t offset) const;
  const Value& value(std::size_t column, Type type) const;

  Kind kind_ = Kind::trades;
  std::string_view symbol_, bytes_;
  base::StaticVector<Value, columns_max> values_;
};

/// Any bytes give a row or a fault.
base::Result<RowView, RowFault> decode_row(std::string_view bytes);

}  // namespace phoenix::record
