#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace phoenix::record {

/// What a row of a recording is. The order is part of the row format: append only.
enum class Kind : std::uint8_t {
  trades,
  depth,
  book,
  book20,
  ticker,
  mark_price,
  liquidations,
  ofi,
  cvd,
  fusion,
  events,
  features,
  coverage
};
inline constexpr std::size_t kinds_count = 13;

/// raw: what the venue said. preview: what was computed from it, and could be again. ledger: what was
/// received, lost, repaired.
enum class Layer : std::uint8_t { raw, preview, ledger };

/// How a value is kept: in a row's bytes, in Parquet, in SQL.
enum class Type : std::uint8_t {
  boolean,  ///< BOOLEAN
  integer,  ///< BIGINT
  decimal,  ///< DECIMAL(18,8); a value of model::Scaled, raw
  time,     ///< TIMESTAMP_NS, nanoseconds since 1970 UTC
  number,   ///< DOUBLE; never infinite or NaN
  text,     ///< VARCHAR
  levels,   ///< LIST(STRUCT(price DECIMAL(18,8), qty DECIMAL(18,8))), best first where that makes sense
};

enum class Null : std::uint8_t { never, allowed };

struct Column {
  std::string_view name;
  Type type = Type::integer;
  Null null = Null::never;
  std::string_view unit;  ///< "quote", "base", "ms", "bps", ...; empty where it has none
  std::string_view doc;
};

/// The one definition of a kind: writer, reader, views, checks and the documentation are made from it. The
/// first column of every kind is event_time: it decides the date and hour a row belongs to.
struct Schema {
  Kind kind = Kind::trades;
  std::string_view name;  ///< as in kind=NAME
  Layer layer = Layer::raw;
  std::string_view doc;
  std::span<const Column> columns;
  std::span<const std::uint8_t> sort;  ///< columns a file is sorted by
  /// Columns that hold the first and last id a row accounts for; equal where a row has one id. Empty where
  /// the venue gives none.
  std::optional<std::uint8_t> first_id, last_id;
};

/// Raised by every change of a schema; written into each file.
inline constexpr int schema_version = 2;

const Schema& schema(Kind kind);
std::optional<Kind> kind_of(std::string_view name);
std::string_view name(Kind kind);
std::string_view name(Layer layer);
std::string_view sql_type(Type type);
/// FNV-1a over names, types and nullability of the columns, in order: two files of equal hash read alike.
std::uint64_t schema_hash(Kind kind);
/// The place of a column; asserts that it is there.
std::size_t column_index(Kind kind, std::string_view column);

}  // namespace phoenix::record
