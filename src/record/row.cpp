#include "record/row.hpp"

#include "base/assert.hpp"
#include "record/raw_bytes.hpp"

#include <algorithm>
#include <cmath>

namespace phoenix::record {
namespace {

std::size_t bitmap_bytes(std::size_t columns) { return (columns + 7) / 8; }

constexpr std::size_t level_bytes = 16;

}  // namespace

RowWriter::RowWriter(Kind kind, std::string_view symbol, std::string& out)
    : schema_(schema(kind)), out_(out) {
  PHX_ASSERT(!symbol.empty() && symbol.size() <= 255, "a symbol's name fits its length byte");
  put(out_, static_cast<std::uint8_t>(kind));
  put(out_, static_cast<std::uint8_t>(symbol.size()));
  out_.append(symbol);
  bitmap_ = out_.size();
  out_.append(bitmap_bytes(schema_.columns.size()), '\0');
}

const Column& RowWriter::take(Type type) {
  PHX_ASSERT(column_ < schema_.columns.size(), "a row has no more values than its kind has columns");
  const Column& column = schema_.columns[column_++];
  PHX_ASSERT(column.type == type, "a value has the type of its column");
  return column;
}

RowWriter& RowWriter::boolean(bool value) {
  take(Type::boolean);
  put(out_, static_cast<std::uint8_t>(value ? 1 : 0));
  return *this;
}

RowWriter& RowWriter::integer(std::int64_t value) { return fixed(Type::integer, value); }

RowWriter& RowWriter::fixed(Type type, std::int64_t value) {
  take(type);
  put(out_, value);
  return *this;
}

RowWriter& RowWriter::number(double value) {
  if (!std::isfinite(value)) {
    PHX_ASSERT(column_ < schema_.columns.size(), "a row has no more values than its kind has columns");
    if (schema_.columns[column_].null == Null::allowed) return null();
    value = 0;
  }
  take(Type::number);
  put(out_, value);
  return *this;
}

RowWriter& RowWriter::text(std::string_view value) {
  take(Type::text);
  const auto size = std::min(value.size(), row_text_max);
  put(out_, static_cast<std::uint16_t>(size));
  out_.append(value.substr(0, size));
  return *this;
}

RowWriter& RowWriter::levels(std::span<const model::Level> value) {
  take(Type::levels);
  const auto count = std::min(value.size(), row_levels_max);
  put(out_, static_cast<std::uint16_t>(count));
  static_assert(sizeof(model::Level) == level_bytes && std::is_trivially_copyable_v<model::Level>);
  out_.append(reinterpret_cast<const char*>(value.data()), count * level_bytes);
  return *this;
}

RowWriter& RowWriter::null() {
  PHX_ASSERT(column_ < schema_.columns.size(), "a row has no more values than its kind has columns");
  PHX_ASSERT(schema_.columns[column_].null == Null::allowed, "null stands only where its column allows it");
  char& byte = out_[bitmap_ + column_ / 8];
  byte = static_cast<char>(static_cast<unsigned char>(byte) | (1U << (column_ % 8)));
  ++column_;
  return *this;
}

void RowWriter::finish() const {
  PHX_ASSERT(column_ == schema_.columns.size(), "a row has a value for each column of its kind");
}

std::string_view name(RowFault fault) {
  constexpr std::string_view names[] = {"cut",
                                        "unknown kind",
                                        "bad symbol",
                                        "null in a column that has none",
                                        "trailing bytes",
                                        "value out of range"};
  return names[static_cast<std::size_t>(fault)];
}

template <class T>
T RowView::load(std::size_t offset) const {
  return record::load<T>(bytes_, offset);
}

const RowView::Value& RowView::value(std::size_t column, Type type) const {
  const Value& v = values_[column];
  PHX_ASSERT(schema(kind_).columns[column].type == type && v.offset != 0,
             "a value is read by its column's type, and only where there is one");
  return v;
}

bool RowView::boolean(std::size_t column) const {
  return load<std::uint8_t>(value(column, Type::boolean).offset) != 0;
}

std::int64_t RowView::integer(std::size_t column) const {
  const Type type = schema(kind_).columns[column].type;
  PHX_ASSERT(type == Type::integer || type == Type::decimal || type == Type::time,
             "an integer is read from a column that holds one");
  return load<std::int64_t>(value(column, type).offset);
}

double RowView::number(std::size_t column) const { return load<double>(value(column, Type::number).offset); }

std::string_view RowView::text(std::size_t column) const {
  const Value& v = value(column, Type::text);
  return bytes_.substr(v.offset, v.size);
}

std::size_t RowView::levels_count(std::size_t column) const { return value(column, Type::levels).size; }

model::Level RowView::level(std::size_t column, std::size_t index) const {
  const Value& v = value(column, Type::levels);
  PHX_ASSERT(index < v.size, "a level's index is below their count");
  const std::size_t at = v.offset + index * level_bytes;
  return {model::Price::from_raw(load<std::int64_t>(at)), model::Qty::from_raw(load<std::int64_t>(at + 8))};
}

namespace {

std::optional<std::int64_t> id_of(const RowView& row, std::optional<std::uint8_t> column) {
  if (!column || row.is_null(*column)) return std::nullopt;
  return row.integer(*column);
}

}  // namespace

std::optional<std::int64_t> RowView::first_id() const { return id_of(*this, schema(kind_).first_id); }
std::optional<std::int64_t> RowView::last_id() const { return id_of(*this, schema(kind_).last_id); }

base::Result<RowView, RowFault> decode_row(std::string_view bytes) {
  if (bytes.size() < 2) return base::fail(RowFault::cut);
  if (bytes.size() > (std::size_t{1} << 31)) return base::fail(RowFault::trailing_bytes);
  const auto kind = static_cast<std::uint8_t>(bytes[0]);
  const auto symbol_size = static_cast<std::uint8_t>(bytes[1]);
  if (kind >= kinds_count) return base::fail(RowFault::unknown_kind);
  RowView row;
  row.kind_ = static_cast<Kind>(kind);
  row.bytes_ = bytes;
  const auto columns = schema(row.kind_).columns;
  std::size_t at = std::size_t{2} + symbol_size;
  const std::size_t bitmap = at;
  at += bitmap_bytes(columns.size());
  if (at > bytes.size()) return base::fail(RowFault::cut);
  row.symbol_ = bytes.substr(2, symbol_size);
  const bool good_symbol =
      !row.symbol_.empty() && std::all_of(row.symbol_.begin(), row.symbol_.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
      });
  if (!good_symbol) return base::fail(RowFault::bad_symbol);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[bitmap + i / 8]);
    if (((byte >> (i % 8)) & 1U) != 0) {
      if (columns[i].null == Null::never) return base::fail(RowFault::null_where_never);
      row.values_.push_back({});
      continue;
    }
    std::size_t need = 8;
    std::uint32_t size = 0;
    const Type type = columns[i].type;
    if (type == Type::boolean) {
      need = 1;
    } else if (type == Type::text || type == Type::levels) {
      if (bytes.size() - at < 2) return base::fail(RowFault::cut);
      size = row.load<std::uint16_t>(at);
      at += 2;
      need = type == Type::text ? size : size * level_bytes;
    }
    if (bytes.size() - at < need) return base::fail(RowFault::cut);
    if (type == Type::boolean && static_cast<unsigned char>(bytes[at]) > 1)
      return base::fail(RowFault::bad_value);
    if (type == Type::number && !std::isfinite(row.load<double>(at))) return base::fail(RowFault::bad_value);
    row.values_.push_back({static_cast<std::uint32_t>(at), size});
    at += need;
  }
  if (at != bytes.size()) return base::fail(RowFault::trailing_bytes);
  return row;
}

}  // namespace phoenix::record
