#include "io/duck.hpp"

#include "record/schema.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <mutex>
#include <utility>
#include <vector>

#include <duckdb.h>
#include <fmt/format.h>

namespace phoenix::io {
namespace {

/// Opening DuckDB sets up tables of the whole process: one thread at a time.
std::mutex& opening() {
  static std::mutex mutex;
  return mutex;
}

__extension__ using Wide = __int128;
__extension__ using UnsignedWide = unsigned __int128;

/// DuckDB adds the statement with a mark under the culprit, and hints, in further lines.
[[noreturn]] void fail(const char* message) {
  const std::string_view text = message == nullptr ? "unknown error" : message;
  throw DuckError(std::string(text.substr(0, text.find('\n'))));
}

/// A type with all that reading a value of it needs, asked for once for each column.
struct ValueType {
  duckdb_type id = DUCKDB_TYPE_INVALID;
  duckdb_type storage = DUCKDB_TYPE_INVALID;  ///< of a decimal's digits, of an enum's number; else the id
  std::uint8_t scale = 0;                     ///< of a decimal
  idx_t array_size = 0;
  std::vector<std::string> names;  ///< of a struct's fields, an enum's values
  std::vector<ValueType> children;
  std::string sql;
};

std::string take_text(char* text) {
  std::string copy = text == nullptr ? "" : text;
  duckdb_free(text);
  return copy;
}

std::string_view scalar_name(duckdb_type id) {
  switch (id) {
    case DUCKDB_TYPE_BOOLEAN:
      return "BOOLEAN";
    case DUCKDB_TYPE_TINYINT:
      return "TINYINT";
    case DUCKDB_TYPE_SMALLINT:
      return "SMALLINT";
    case DUCKDB_TYPE_INTEGER:
      return "INTEGER";
    case DUCKDB_TYPE_BIGINT:
      return "BIGINT";
    case DUCKDB_TYPE_UTINYINT:
      return "UTINYINT";
    case DUCKDB_TYPE_USMALLINT:
      return "USMALLINT";
    case DUCKDB_TYPE_UINTEGER:
      return "UINTEGER";
    case DUCKDB_TYPE_UBIGINT:
      return "UBIGINT";
    case DUCKDB_TYPE_HUGEINT:
      return "HUGEINT";
    case DUCKDB_TYPE_UHUGEINT:
      return "UHUGEINT";
    case DUCKDB_TYPE_FLOAT:
      return "FLOAT";
    case DUCKDB_TYPE_DOUBLE:
      return "DOUBLE";
    case DUCKDB_TYPE_VARCHAR:
      return "VARCHAR";
    case DUCKDB_TYPE_BLOB:
      return "BLOB";
    case DUCKDB_TYPE_DATE:
      return "DATE";
    case DUCKDB_TYPE_TIME:
      return "TIME";
    case DUCKDB_TYPE_TIME_TZ:
      return "TIME WITH TIME ZONE";
    case DUCKDB_TYPE_TIMESTAMP:
      return "TIMESTAMP";
    case DUCKDB_TYPE_TIMESTAMP_S:
      return "TIMESTAMP_S";
    case DUCKDB_TYPE_TIMESTAMP_MS:
      return "TIMESTAMP_MS";
    case DUCKDB_TYPE_TIMESTAMP_NS:
      return "TIMESTAMP_NS";
    case DUCKDB_TYPE_TIMESTAMP_TZ:
      return "TIMESTAMP WITH TIME ZONE";
    case DUCKDB_TYPE_INTERVAL:
      return "INTERVAL";
    case DUCKDB_TYPE_UUID:
      return "UUID";
    case DUCKDB_TYPE_BIT:
      return "BIT";
    case DUCKDB_TYPE_ENUM:
      return "ENUM";
    case DUCKDB_TYPE_UNION:
      return "UNION";
    case DUCKDB_TYPE_SQLNULL:
      return "NULL";
    default:
      return "a type of its own";
  }
}

ValueType value_type(duckdb_logical_type type);

ValueType take_type(duckdb_logical_type type) {
  ValueType taken = value_type(type);
  duckdb_destroy_logical_type(&type);
  return taken;
}

ValueType value_type(duckdb_logical_type type) {
  ValueType out;
  out.id = out.storage = duckdb_get_type_id(type);
  out.sql = scalar_name(out.id);
  switch (out.id) {
    case DUCKDB_TYPE_DECIMAL:
      out.storage = duckdb_decimal_internal_type(type);
      out.scale = duckdb_decimal_scale(type);
      out.sql = fmt::format("DECIMAL({},{})", duckdb_decimal_width(type), out.scale);
      break;
    case DUCKDB_TYPE_ENUM:
      out.storage = duckdb_enum_internal_type(type);
      for (idx_t i = 0; i < duckdb_enum_dictionary_size(type); ++i)
        out.names.push_back(take_text(duckdb_enum_dictionary_value(type, i)));
      break;
    case DUCKDB_TYPE_LIST:
      out.children.push_back(take_type(duckdb_list_type_child_type(type)));
      out.sql = out.children[0].sql + "[]";
      break;
    case DUCKDB_TYPE_ARRAY:
      out.children.push_back(take_type(duckdb_array_type_child_type(type)));
      out.array_size = duckdb_array_type_array_size(type);
      out.sql = fmt::format("{}[{}]", out.children[0].sql, out.array_size);
      break;
    case DUCKDB_TYPE_MAP:
      out.children.push_back(take_type(duckdb_map_type_key_type(type)));
      out.children.push_back(take_type(duckdb_map_type_value_type(type)));
      out.sql = fmt::format("MAP({}, {})", out.children[0].sql, out.children[1].sql);
      break;
    case DUCKDB_TYPE_STRUCT: {
      std::string fields;
      for (idx_t i = 0; i < duckdb_struct_type_child_count(type); ++i) {
        out.names.push_back(take_text(duckdb_struct_type_child_name(type, i)));
        out.children.push_back(take_type(duckdb_struct_type_child_type(type, i)));
        fields +=
            fmt::format("{}{} {}", fields.empty() ? "" : ", ", out.names.back(), out.children.back().sql);
      }
      out.sql = fmt::format("STRUCT({})", fields);
      break;
    }
    default:
      break;
  }
  return out;
}

/// One value: where it lies and how to read it.
struct Value {
  const ValueType& type;
  duckdb_vector vector;
  idx_t row;

  template <class T>
  const T& as() const {
    return static_cast<const T*>(duckdb_vector_get_data(vector))[row];
  }
  bool is_null() const {
    if (type.id == DUCKDB_TYPE_SQLNULL) return true;
    std::uint64_t* validity = duckdb_vector_get_validity(vector);
    return validity != nullptr && !duckdb_validity_row_is_valid(validity, row);
  }
  std::string_view text() const {
    const auto& found = as<duckdb_string_t>();
    const std::uint32_t size = found.value.inlined.length;
    return {
        size <= sizeof found.value.inlined.inlined ? found.value.inlined.inlined : found.value.pointer.ptr,
        size};
  }
  [[noreturn]] void refuse(std::string_view wanted) const {
    throw DuckError(fmt::format("a value of type {} is no {}", type.sql, wanted));
  }
};

/// The whole number a value is stored as. False when its type is no whole number.
bool read_whole(const Value& value, Wide& out) {
  switch (value.type.storage) {
    case DUCKDB_TYPE_TINYINT:
      out = int{value.as<std::int8_t>()};  // NOLINT(bugprone-signed-char-misuse): a number, no character
      return true;
    case DUCKDB_TYPE_SMALLINT:
      out = value.as<std::int16_t>();
      return true;
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_DATE:
      out = value.as<std::int32_t>();
      return true;
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_TIME:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_S:
    case DUCKDB_TYPE_TIMESTAMP_MS:
    case DUCKDB_TYPE_TIMESTAMP_NS:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
      out = value.as<std::int64_t>();
      return true;
    case DUCKDB_TYPE_UTINYINT:
      out = value.as<std::uint8_t>();
      return true;
    case DUCKDB_TYPE_USMALLINT:
      out = value.as<std::uint16_t>();
      return true;
    case DUCKDB_TYPE_UINTEGER:
      out = value.as<std::uint32_t>();
      return true;
    case DUCKDB_TYPE_UBIGINT:
      out = value.as<std::uint64_t>();
      return true;
    case DUCKDB_TYPE_HUGEINT: {
      const auto& wide = value.as<duckdb_hugeint>();
      out = static_cast<Wide>(static_cast<UnsignedWide>(static_cast<Wide>(wide.upper)) << 64 | wide.lower);
      return true;
    }
    default:
      return false;
  }
}

void append_digits(UnsignedWide value, int places_min, std::string& out) {
  std::array<char, 40> digits{};
  int count = 0;
  do {
    digits[static_cast<std::size_t>(count++)] = static_cast<char>('0' + static_cast<int>(value % 10));
    value /= 10;
  } while (value != 0 || count < places_min);
  while (count > 0) out += digits[static_cast<std::size_t>(--count)];
}

UnsignedWide magnitude(Wide value) {
  return value < 0 ? ~static_cast<UnsignedWide>(value) + 1 : static_cast<UnsignedWide>(value);
}

void append_decimal(Wide value, int scale, std::string& out) {
  if (value < 0) out += '-';
  const std::size_t begin = out.size();
  append_digits(magnitude(value), scale + 1, out);
  if (scale > 0) out.insert(std::max(begin, out.size() - static_cast<std::size_t>(scale)), 1, '.');
}

/// The calendar of all years an int64 of seconds reaches.
void append_date(std::int64_t days, std::string& out) {
  // Eras of 400 years from 1 March of year 0.
  const std::int64_t shifted = days + 719'468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t from_march = (5 * day_of_year + 2) / 153;
  const std::int64_t day = day_of_year - (153 * from_march + 2) / 5 + 1;
  const std::int64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}", year, month, day);
}

void append_time_of_day(std::int64_t units, std::int64_t units_per_second, std::string& out) {
  const std::int64_t seconds = units / units_per_second;
  fmt::format_to(std::back_inserter(out), "{:02}:{:02}:{:02}", seconds / 3'600, seconds / 60 % 60,
                 seconds % 60);
  std::int64_t fraction = units % units_per_second;
  if (fraction == 0) return;
  out += '.';
  // As many digits as it takes.
  for (std::int64_t unit = units_per_second / 10; fraction != 0; unit /= 10) {
    out += static_cast<char>('0' + fraction / unit);
    fraction %= unit;
  }
}

void append_timestamp(std::int64_t units, std::int64_t units_per_second, std::string& out) {
  if (units == std::numeric_limits<std::int64_t>::max()) {
    out += "infinity";
    return;
  }
  if (units == -std::numeric_limits<std::int64_t>::max()) {
    out += "-infinity";
    return;
  }
  const std::int64_t per_day = units_per_second * 86'400;
  const std::int64_t days = units / per_day - (units % per_day < 0 ? 1 : 0);
  append_date(days, out);
  out += ' ';
  // In this order it cannot overflow.
  const std::int64_t rest = units % per_day;
  append_time_of_day(rest < 0 ? rest + per_day : rest, units_per_second, out);
}

void append_interval(const duckdb_interval& interval, std::string& out) {
  if (interval.months != 0) fmt::format_to(std::back_inserter(out), "{} months ", interval.months);
  if (interval.days != 0) fmt::format_to(std::back_inserter(out), "{} days ", interval.days);
  if (interval.micros < 0) out += '-';
  append_time_of_day(interval.micros < 0 ? -interval.micros : interval.micros, 1'000'000, out);
}

void append_quoted(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<int>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

/// A value without parts, as text.
void append_scalar(const Value& value, std::string& out) {
  Wide whole = 0;
  switch (value.type.id) {
    case DUCKDB_TYPE_BOOLEAN:
      out += value.as<bool>() ? "true" : "false";
      return;
    case DUCKDB_TYPE_VARCHAR:
      out += value.text();
      return;
    case DUCKDB_TYPE_BLOB:
      for (const char c : value.text()) {
        if (c >= 0x20 && c < 0x7f && c != '\\') {
          out += c;
        } else {
          fmt::format_to(std::back_inserter(out), "\\x{:02X}",
                         static_cast<unsigned>(static_cast<unsigned char>(c)));
        }
      }
      return;
    case DUCKDB_TYPE_FLOAT:
      fmt::format_to(std::back_inserter(out), "{}", value.as<float>());
      return;
    case DUCKDB_TYPE_DOUBLE:
      fmt::format_to(std::back_inserter(out), "{}", value.as<double>());
      return;
    case DUCKDB_TYPE_INTERVAL:
      append_interval(value.as<duckdb_interval>(), out);
      return;
    case DUCKDB_TYPE_UHUGEINT: {
      const auto& wide = value.as<duckdb_uhugeint>();
      append_digits(static_cast<UnsignedWide>(wide.upper) << 64 | wide.lower, 1, out);
      return;
    }
    default:
      if (!read_whole(value, whole))
        throw DuckError(
            fmt::format("a value of type {} cannot be shown: cast it to VARCHAR", value.type.sql));
      break;
  }
  const auto units = static_cast<std::int64_t>(whole);
  switch (value.type.id) {
    case DUCKDB_TYPE_ENUM:
      out += value.type.names.at(static_cast<std::size_t>(units));
      return;
    case DUCKDB_TYPE_DATE:
      append_date(units, out);
      return;
    case DUCKDB_TYPE_TIME:
      append_time_of_day(units, 1'000'000, out);
      return;
    case DUCKDB_TYPE_TIMESTAMP_S:
      append_timestamp(units, 1, out);
      return;
    case DUCKDB_TYPE_TIMESTAMP_MS:
      append_timestamp(units, 1'000, out);
      return;
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
      append_timestamp(units, 1'000'000, out);
      return;
    case DUCKDB_TYPE_TIMESTAMP_NS:
      append_timestamp(units, 1'000'000'000, out);
      return;
    default:
      append_decimal(whole, value.type.scale, out);
      return;
  }
}

void append_json_value(const Value& value, std::string& out);

void append_list(const Value& value, const ValueType& item, duckdb_vector items, duckdb_list_entry range,
                 std::string& out) {
  const bool is_map = value.type.id == DUCKDB_TYPE_MAP;
  out += is_map ? '{' : '[';
  for (idx_t i = range.offset; i < range.offset + range.length; ++i) {
    if (i > range.offset) out += ',';
    if (is_map) {
      std::string key;
      append_scalar({value.type.children[0], duckdb_struct_vector_get_child(items, 0), i}, key);
      append_quoted(key, out);
      out += ':';
      append_json_value({item, duckdb_struct_vector_get_child(items, 1), i}, out);
    } else {
      append_json_value({item, items, i}, out);
    }
  }
  out += is_map ? '}' : ']';
}

void append_json_value(const Value& value, std::string& out) {
  if (value.is_null()) {
    out += "null";
    return;
  }
  switch (value.type.id) {
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_MAP:
      append_list(value, value.type.children.back(), duckdb_list_vector_get_child(value.vector),
                  value.as<duckdb_list_entry>(), out);
      return;
    case DUCKDB_TYPE_ARRAY:
      append_list(value, value.type.children.back(), duckdb_array_vector_get_child(value.vector),
                  {value.row * value.type.array_size, value.type.array_size}, out);
      return;
    case DUCKDB_TYPE_STRUCT:
      out += '{';
      for (std::size_t i = 0; i < value.type.children.size(); ++i) {
        if (i > 0) out += ',';
        append_quoted(value.type.names[i], out);
        out += ':';
        append_json_value(
            {value.type.children[i], duckdb_struct_vector_get_child(value.vector, i), value.row}, out);
      }
      out += '}';
      return;
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DOUBLE: {
      const double number =
          value.type.id == DUCKDB_TYPE_FLOAT ? static_cast<double>(value.as<float>()) : value.as<double>();
      if (std::isfinite(number)) {
        append_scalar(value, out);
      } else {
        out += "null";
      }
      return;
    }
    case DUCKDB_TYPE_BOOLEAN:
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
    case DUCKDB_TYPE_UBIGINT:
    case DUCKDB_TYPE_HUGEINT:
    case DUCKDB_TYPE_UHUGEINT:
    case DUCKDB_TYPE_DECIMAL:
      append_scalar(value, out);
      return;
    default: {
      std::string text;
      append_scalar(value, text);
      append_quoted(text, out);
      return;
    }
  }
}

/// The first word of a statement in lower case, past blanks, comments and brackets.
std::string first_word(std::string_view sql) {
  while (!sql.empty()) {
    if (sql.starts_with("--")) {
      sql.remove_prefix(std::min(sql.find('\n'), sql.size()));
    } else if (sql.starts_with("/*")) {
      const std::size_t end = sql.find("*/");
      sql.remove_prefix(end == std::string_view::npos ? sql.size() : end + 2);
    } else if (sql[0] == '(' || sql[0] == ';' || sql[0] == ' ' || (sql[0] >= '\t' && sql[0] <= '\r')) {
      sql.remove_prefix(1);
    } else {
      break;
    }
  }
  std::string word;
  for (char c : sql) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c < 'a' || c > 'z') break;
    word += c;
  }
  return word;
}

/// Not all statements wait until they are executed: EXPORT DATABASE makes its directory when it is prepared.
bool begins_as_reading(std::string_view sql) {
  constexpr std::string_view words[] = {"select", "from",      "with",  "values", "describe", "desc",
                                        "show",   "summarize", "table", "pivot",  "unpivot"};
  return std::find(std::begin(words), std::end(words), first_word(sql)) != std::end(words);
}

}  // namespace

class DuckRows::Impl {
 public:
  explicit Impl(duckdb_result result) : result_(result) {
    for (idx_t i = 0; i < duckdb_column_count(&result_); ++i)
      columns.push_back(
          {duckdb_column_name(&result_, i), take_type(duckdb_column_logical_type(&result_, i))});
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    duckdb_destroy_data_chunk(&chunk_);
    duckdb_destroy_result(&result_);
  }

  bool next() {
    if (++row_ < size_) return true;
    row_ = 0;
    return next_chunk() != nullptr;
  }

  duckdb_data_chunk next_chunk() {
    do {
      duckdb_destroy_data_chunk(&chunk_);
      size_ = 0;
      chunk_ = duckdb_fetch_chunk(result_);
      if (chunk_ == nullptr) {
        if (const char* error = duckdb_result_error(&result_); error != nullptr && *error != '\0')
          fail(error);
        return nullptr;
      }
      size_ = duckdb_data_chunk_get_size(chunk_);
    } while (size_ == 0);
    return chunk_;
  }

  Value value(std::size_t column) const {
    const Column& found = columns.at(column);
    if (row_ >= size_) throw DuckError("there is no row to read");
    return {found.type, duckdb_data_chunk_get_vector(chunk_, column), row_};
  }

  struct Column {
    std::string name;
    ValueType type;
  };
  std::vector<Column> columns;

 private:
  duckdb_result result_;
  duckdb_data_chunk chunk_ = nullptr;
  idx_t size_ = 0, row_ = 0;
};

DuckRows::DuckRows(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}
DuckRows::DuckRows(DuckRows&&) noexcept = default;
DuckRows& DuckRows::operator=(DuckRows&&) noexcept = default;
DuckRows::~DuckRows() = default;

std::size_t DuckRows::columns_count() const { return impl_->columns.size(); }
std::string_view DuckRows::column_name(std::size_t column) const { return impl_->columns.at(column).name; }
std::string_view DuckRows::column_type(std::size_t column) const {
  return impl_->columns.at(column).type.sql;
}
bool DuckRows::next() { return impl_->next(); }
void* DuckRows::next_chunk() { return impl_->next_chunk(); }
bool DuckRows::is_null(std::size_t column) const { return impl_->value(column).is_null(); }

bool DuckRows::boolean(std::size_t column) const {
  const Value value = impl_->value(column);
  if (value.type.id != DUCKDB_TYPE_BOOLEAN || value.is_null()) value.refuse("boolean");
  return value.as<bool>();
}

std::int64_t DuckRows::integer(std::size_t column) const {
  const Value value = impl_->value(column);
  Wide whole = 0;
  if (value.is_null() || value.type.id == DUCKDB_TYPE_ENUM || !read_whole(value, whole))
    value.refuse("integer");
  if (whole < std::numeric_limits<std::int64_t>::min() || whole > std::numeric_limits<std::int64_t>::max())
    value.refuse("64-bit integer: it is too large");
  return static_cast<std::int64_t>(whole);
}

double DuckRows::number(std::size_t column) const {
  const Value value = impl_->value(column);
  if (value.is_null()) value.refuse("number");
  if (value.type.id == DUCKDB_TYPE_DOUBLE) return value.as<double>();
  if (value.type.id == DUCKDB_TYPE_FLOAT) return static_cast<double>(value.as<float>());
  Wide whole = 0;
  if (value.type.id == DUCKDB_TYPE_ENUM || !read_whole(value, whole)) value.refuse("number");
  double unit = 1;
  for (int i = 0; i < value.type.scale; ++i) unit *= 10;
  return static_cast<double>(whole) / unit;
}

void DuckRows::append_levels(std::size_t column, std::vector<model::Level>& out) const {
  const Value value = impl_->value(column);
  if (value.type.sql != record::sql_type(record::Type::levels) || value.is_null())
    value.refuse("list of levels");
  const auto& range = value.as<duckdb_list_entry>();
  const duckdb_vector items = duckdb_list_vector_get_child(value.vector);
  const duckdb_vector vectors[] = {duckdb_struct_vector_get_child(items, 0),
                                   duckdb_struct_vector_get_child(items, 1)};
  std::uint64_t* const validity[] = {duckdb_vector_get_validity(vectors[0]),
                                     duckdb_vector_get_validity(vectors[1])};
  const auto* const price = static_cast<const std::int64_t*>(duckdb_vector_get_data(vectors[0]));
  const auto* const qty = static_cast<const std::int64_t*>(duckdb_vector_get_data(vectors[1]));
  for (idx_t i = range.offset; i < range.offset + range.length; ++i) {
    for (std::uint64_t* const known : validity) {
      if (known != nullptr && !duckdb_validity_row_is_valid(known, i)) value.refuse("list of whole levels");
    }
    out.push_back({model::Price::from_raw(price[i]), model::Qty::from_raw(qty[i])});
  }
}

std::string_view DuckRows::text(std::size_t column) const {
  const Value value = impl_->value(column);
  if (value.type.id != DUCKDB_TYPE_VARCHAR || value.is_null()) value.refuse("text");
  return value.text();
}

void DuckRows::append_text(std::size_t column, std::string& out) const {
  const Value value = impl_->value(column);
  if (value.is_null()) return;
  if (value.type.children.empty()) {
    append_scalar(value, out);
  } else {
    append_json_value(value, out);
  }
}

void DuckRows::append_json(std::size_t column, std::string& out) const {
  append_json_value(impl_->value(column), out);
}

class Duck::Impl {
 public:
  explicit Impl(const DuckOptions& options) : Impl{std::make_shared<Database>(options)} {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { duckdb_disconnect(&connection); }

  std::unique_ptr<Impl> another() const { return std::unique_ptr<Impl>{new Impl{database_}}; }

  enum class Allowed : std::uint8_t { anything, reading };

  std::unique_ptr<DuckRows::Impl> query(const std::string& sql, Allowed allowed) {
    struct Extracted {
      duckdb_extracted_statements statements = nullptr;
      ~Extracted() { duckdb_destroy_extracted(&statements); }
    } extracted;
    struct Prepared {
      duckdb_prepared_statement statement = nullptr;
      ~Prepared() { duckdb_destroy_prepare(&statement); }
    } prepared;
    const idx_t count = duckdb_extract_statements(connection, sql.c_str(), &extracted.statements);
    if (const char* error = duckdb_extract_statements_error(extracted.statements); error != nullptr)
      fail(error);
    if (count != 1) throw DuckError(fmt::format("expected one SQL statement, there were {}", count));
    constexpr const char* refusal =
        "only statements that read are taken here: SELECT, FROM, WITH, DESCRIBE, SUMMARIZE, SHOW";
    if (allowed == Allowed::reading && !begins_as_reading(sql)) throw DuckError(refusal);
    if (duckdb_prepare_extracted_statement(connection, extracted.statements, 0, &prepared.statement) !=
        DuckDBSuccess)
      fail(duckdb_prepare_error(prepared.statement));
    if (allowed == Allowed::reading &&
        duckdb_prepared_statement_type(prepared.statement) != DUCKDB_STATEMENT_TYPE_SELECT)
      throw DuckError(refusal);
    duckdb_result result{};
    if (duckdb_execute_prepared_streaming(prepared.statement, &result) != DuckDBSuccess) {
      const std::string error = duckdb_result_error(&result) == nullptr ? "" : duckdb_result_error(&result);
      duckdb_destroy_result(&result);
      fail(error.c_str());
    }
    return std::make_unique<DuckRows::Impl>(result);
  }

  duckdb_connection connection = nullptr;

 private:
  struct Database {
    explicit Database(const DuckOptions& options) {
      const std::pair<const char*, std::string> settings[] = {
          {"threads", fmt::format("{}", options.threads)},
          {"memory_limit", fmt::format("{}B", options.memory_bytes_max)},
          {"temp_directory", options.temp_directory.string()},
          {"autoinstall_known_extensions", "false"},
          {"autoload_known_extensions", "false"},
          {"allow_persistent_secrets", "false"},
          // What is read again is to come from the disk.
          {"enable_external_file_cache", "false"},
      };
      const std::lock_guard lock{opening()};
      duckdb_config config = nullptr;
      if (duckdb_create_config(&config) != DuckDBSuccess) fail("DuckDB could not be configured");
      for (const auto& [name, value] : settings) {
        if (duckdb_set_config(config, name, value.c_str()) != DuckDBSuccess) {
          duckdb_destroy_config(&config);
          throw DuckError(fmt::format("DuckDB does not take {} = '{}'", name, value));
        }
      }
      char* error = nullptr;
      const duckdb_state opened = duckdb_open_ext(nullptr, &handle, config, &error);
      duckdb_destroy_config(&config);
      if (opened != DuckDBSuccess) fail(take_text(error).c_str());
    }
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    ~Database() { duckdb_close(&handle); }

    duckdb_database handle = nullptr;
  };

  explicit Impl(std::shared_ptr<Database> database) : database_(std::move(database)) {
    if (duckdb_connect(database_->handle, &connection) != DuckDBSuccess) fail("DuckDB takes no connection");
    // What asks for the time of day or of a zone must not depend on the machine.
    duckdb_query(connection, "SET TimeZone = 'UTC'", nullptr);
  }

  std::shared_ptr<Database> database_;
};

Duck::Duck(const DuckOptions& options) : impl_{std::make_unique<Impl>(options)} {}
Duck::Duck(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}
Duck::~Duck() = default;
Duck::Duck(Duck&&) noexcept = default;
Duck& Duck::operator=(Duck&&) noexcept = default;
Duck Duck::another() const { return Duck{impl_->another()}; }

void Duck::run(const std::string& sql) {
  duckdb_result result{};
  const duckdb_state done = duckdb_query(impl_->connection, sql.c_str(), &result);
  const std::string error =
      done == DuckDBSuccess || duckdb_result_error(&result) == nullptr ? "" : duckdb_result_error(&result);
  duckdb_destroy_result(&result);
  if (done != DuckDBSuccess) fail(error.c_str());
}

DuckRows Duck::query(const std::string& sql) { return DuckRows{impl_->query(sql, Impl::Allowed::anything)}; }
DuckRows Duck::select(const std::string& sql) { return DuckRows{impl_->query(sql, Impl::Allowed::reading)}; }
void Duck::interrupt() noexcept { duckdb_interrupt(impl_->connection); }
void* Duck::connection() const { return impl_->connection; }

std::string sql_literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out += '\'';
}

}  // namespace phoenix::io
