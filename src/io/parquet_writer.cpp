#include "io/parquet_writer.hpp"

#include "base/assert.hpp"
#include "base/utf8.hpp"
#include "io/descriptor.hpp"
#include "io/duck.hpp"
#include "record/row.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <tuple>
#include <utility>
#include <vector>

#include <duckdb.h>
#include <openssl/evp.h>
#include <sys/stat.h>

// Rows go straight from their bytes into a COPY: a table function of ours fills DuckDB's vectors, a chunk at
// a time, so that nothing is kept but the row group that is being written. On the same walk each value enters
// the content hash; `read_back` makes that hash again from the vectors DuckDB reads out of the file.

namespace phoenix::io {
namespace {

using record::Schema;
using record::Type;

/// Rows of one chunk hold at most so many levels together.
constexpr std::size_t chunk_levels_max = 1U << 16;
/// A row group is held in memory while it grows: at most so many bytes of encoded rows, and so many rows.
constexpr std::size_t group_bytes_max = 16U << 20;
constexpr std::size_t group_rows_max = 122'880;
constexpr std::size_t group_rows_min = 8;
constexpr std::size_t dictionary_values_min = 16;
constexpr std::string_view function_name = "phoenix_rows";

/// Ordered hash of 64-bit values. Each step is a bijection of the state for a given value and of the value
/// for a given state: one changed value can never go unnoticed.
class ValueHash {
 public:
  void add(std::uint64_t value) {
    state_ = std::rotl(state_ ^ (value * 0x9e3779b97f4a7c15ULL), 27) * 0xc2b2ae3d27d4eb4fULL +
             0x165667b19e3779f9ULL;
  }
  void add(std::int64_t value) { add(static_cast<std::uint64_t>(value)); }
  void add_null() { state_ = std::rotl(state_, 17) * 0xd6e8feb86659fd93ULL + 1; }
  void add(std::string_view text) {
    add(static_cast<std::uint64_t>(text.size()));
    while (!text.empty()) {
      std::uint64_t word = 0;
      const std::size_t size = std::min(text.size(), sizeof word);
      std::memcpy(&word, text.data(), size);
      add(word);
      text.remove_prefix(size);
    }
  }
  std::uint64_t state() const { return state_; }

 private:
  std::uint64_t state_ = 0x27d4eb2f165667c5ULL;
};

/// Of a whole file. Each column has states of its own, so that rows may come in chunks of any size and each
/// column may be walked by itself.
class ContentHash {
 public:
  struct Column {
    ValueHash values;  ///< of a list: the counts
    ValueHash prices, quantities;
  };

  explicit ContentHash(std::size_t columns) : columns_(columns) {}
  Column& column(std::size_t index) { return columns_[index]; }
  std::uint64_t finish(record::Kind kind, std::uint64_t rows) const {
    ValueHash all;
    all.add(record::schema_hash(kind));
    all.add(rows);
    for (const Column& column : columns_) {
      all.add(column.values.state());
      all.add(column.prices.state());
      all.add(column.quantities.state());
    }
    return all.state();
  }

 private:
  std::vector<Column> columns_;
};

/// Owns a duckdb_logical_type.
class LogicalType {
 public:
  explicit LogicalType(Type type) {
    switch (type) {
      case Type::boolean:
        type_ = duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
        return;
      case Type::integer:
        type_ = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
        return;
      case Type::decimal:
        type_ = duckdb_create_decimal_type(18, 8);
        return;
      case Type::time:
        type_ = duckdb_create_logical_type(DUCKDB_TYPE_TIMESTAMP_NS);
        return;
      case Type::number:
        type_ = duckdb_create_logical_type(DUCKDB_TYPE_DOUBLE);
        return;
      case Type::text:
        type_ = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
        return;
      case Type::levels: {
        const LogicalType decimal{Type::decimal};
        std::array<duckdb_logical_type, 2> fields{decimal.type_, decimal.type_};
        std::array<const char*, 2> names{"price", "qty"};
        duckdb_logical_type level = duckdb_create_struct_type(fields.data(), names.data(), fields.size());
        type_ = duckdb_create_list_type(level);
        duckdb_destroy_logical_type(&level);
        return;
      }
    }
  }
  LogicalType(const LogicalType&) = delete;
  LogicalType& operator=(const LogicalType&) = delete;
  ~LogicalType() { duckdb_destroy_logical_type(&type_); }
  duckdb_logical_type operator*() const { return type_; }

 private:
  duckdb_logical_type type_ = nullptr;
};

template <class T>
T* data_of(duckdb_vector vector) {
  return static_cast<T*>(duckdb_vector_get_data(vector));
}

struct LevelVectors {
  explicit LevelVectors(duckdb_vector list)
      : prices{duckdb_struct_vector_get_child(duckdb_list_vector_get_child(list), 0)},
        quantities{duckdb_struct_vector_get_child(duckdb_list_vector_get_child(list), 1)} {}
  duckdb_vector prices, quantities;
};

std::string_view text_of(const duckdb_string_t& text) {
  const std::uint32_t size = text.value.inlined.length;
  return {size <= sizeof text.value.inlined.inlined ? text.value.inlined.inlined : text.value.pointer.ptr,
          size};
}

/// Where the rows of the file being written come from. DuckDB calls back into it.
class RowSource {
 public:
  RowSource(record::Kind kind, std::span<const std::string_view> rows, std::string_view symbol)
      : kind_{kind},
        symbol_{symbol},
        schema_{record::schema(kind)},
        rows_{rows},
        hash_{schema_.columns.size()} {}

  const Schema& schema() const { return schema_; }
  std::size_t rows_count() const { return rows_.size(); }
  /// Empty, or what is wrong with the rows.
  const std::string& fault() const { return fault_; }
  const ParquetWritten& written() const { return written_; }
  std::uint64_t content_hash() const { return hash_.finish(kind_, at_); }
  bool is_done() const { return at_ == rows_.size(); }

  /// The next rows into `chunk`; none at the end. False: `fault` says why.
  bool fill(duckdb_data_chunk chunk) {
    decoded_.clear();
    std::size_t levels = 0;
    while (at_ < rows_.size() && decoded_.size() < duckdb_vector_size() && levels < chunk_levels_max) {
      const auto row = record::decode_row(rows_[at_]);
      if (!row) return refuse(record::name(row.error()));
      if (row->kind() != kind_) return refuse(fmt::format("of kind {}", record::name(row->kind())));
      if (row->symbol() != symbol_) return refuse(fmt::format("of symbol {}", row->symbol()));
      for (std::size_t i = 0; i < schema_.columns.size(); ++i) {
        if (schema_.columns[i].type == Type::levels && !row->is_null(i)) levels += row->levels_count(i);
      }
      account(*row);
      decoded_.push_back(*row);
      ++at_;
    }
    for (std::size_t i = 0; i < schema_.columns.size(); ++i)
      fill_column(i, duckdb_data_chunk_get_vector(chunk, i), hash_.column(i));
    duckdb_data_chunk_set_size(chunk, decoded_.size());
    return true;
  }

 private:
  bool refuse(std::string_view what) {
    fault_ = fmt::format("row {} of {}: {}", at_, rows_.size(), what);
    return false;
  }

  void account(const record::RowView& row) {
    const std::int64_t time = row.event_time_ns();
    if (written_.rows++ == 0) written_.event_time_ns_min = written_.event_time_ns_max = time;
    written_.event_time_ns_min = std::min(written_.event_time_ns_min, time);
    written_.event_time_ns_max = std::max(written_.event_time_ns_max, time);
    if (const auto id = row.first_id()) written_.first_id = std::min(written_.first_id.value_or(*id), *id);
    if (const auto id = row.last_id()) written_.last_id = std::max(written_.last_id.value_or(*id), *id);
  }

  void fill_column(std::size_t column, duckdb_vector vector, ContentHash::Column& hash) {
    const Type type = schema_.columns[column].type;
    if (type == Type::levels) return fill_levels(column, vector, hash);
    std::uint64_t* validity = nullptr;
    if (schema_.columns[column].null == record::Null::allowed) {
      duckdb_vector_ensure_validity_writable(vector);
      validity = duckdb_vector_get_validity(vector);
    }
    for (std::size_t i = 0; i < decoded_.size(); ++i) {
      const record::RowView& row = decoded_[i];
      if (row.is_null(column)) {
        duckdb_validity_set_row_invalid(validity, i);
        hash.values.add_null();
        continue;
      }
      switch (type) {
        case Type::boolean: {
          const bool value = row.boolean(column);
          data_of<bool>(vector)[i] = value;
          hash.values.add(static_cast<std::uint64_t>(value));
          break;
        }
        case Type::number: {
          const double value = row.number(column);
          data_of<double>(vector)[i] = value;
          hash.values.add(std::bit_cast<std::uint64_t>(value));
          break;
        }
        case Type::text: {
          const std::string_view value = readable(row.text(column));
          duckdb_vector_assign_string_element_len(vector, i, value.data(), value.size());
          hash.values.add(value);
          break;
        }
        default: {
          const std::int64_t value = row.integer(column);
          data_of<std::int64_t>(vector)[i] = value;
          hash.values.add(value);
          break;
        }
      }
    }
  }

  void fill_levels(std::size_t column, duckdb_vector vector, ContentHash::Column& hash) {
    std::size_t total = 0;
    for (const record::RowView& row : decoded_) total += row.levels_count(column);
    duckdb_list_vector_reserve(vector, total);
    duckdb_list_vector_set_size(vector, total);
    const LevelVectors levels{vector};
    auto* ranges = data_of<duckdb_list_entry>(vector);
    auto* price = data_of<std::int64_t>(levels.prices);
    auto* qty = data_of<std::int64_t>(levels.quantities);
    std::size_t at = 0;
    for (std::size_t i = 0; i < decoded_.size(); ++i) {
      const std::size_t count = decoded_[i].levels_count(column);
      ranges[i] = {at, count};
      hash.values.add(static_cast<std::uint64_t>(count));
      for (std::size_t k = 0; k < count; ++k, ++at) {
        const model::Level level = decoded_[i].level(column, k);
        price[at] = level.price.raw();
        qty[at] = level.qty.raw();
        hash.prices.add(price[at]);
        hash.quantities.add(qty[at]);
      }
    }
  }

  /// DuckDB, like every reader, refuses a file with text that is no UTF-8.
  std::string_view readable(std::string_view text) {
    if (base::is_utf8(text)) return text;
    repaired_ = text;
    for (char& c : repaired_) {
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
    return repaired_;
  }

  record::Kind kind_;
  std::string_view symbol_;
  const Schema& schema_;
  std::span<const std::string_view> rows_;
  std::size_t at_ = 0;
  std::vector<record::RowView> decoded_;
  std::string repaired_;
  ContentHash hash_;
  ParquetWritten written_;
  std::string fault_;
};

void bind_rows(duckdb_bind_info info) {
  const RowSource* source = *static_cast<RowSource**>(duckdb_bind_get_extra_info(info));
  PHX_ASSERT(source != nullptr, "rows are asked for only while a file is written");
  for (const record::Column& column : source->schema().columns) {
    const LogicalType type{column.type};
    duckdb_bind_add_result_column(info, std::string(column.name).c_str(), *type);
  }
  duckdb_bind_set_cardinality(info, source->rows_count(), true);
}

/// Rows have an order: one thread asks for them.
void start_rows(duckdb_init_info info) { duckdb_init_set_max_threads(info, 1); }

void next_rows(duckdb_function_info info, duckdb_data_chunk chunk) {
  RowSource* source = *static_cast<RowSource**>(duckdb_function_get_extra_info(info));
  // No exception may cross DuckDB's C interface.
  try {
    if (!source->fill(chunk)) duckdb_function_set_error(info, source->fault().c_str());
  } catch (const std::exception& error) {
    duckdb_function_set_error(info, error.what());
  }
}

/// What of one column of a chunk of a file enters the hash; the mirror of RowSource::fill_column. False: the
/// column holds what was never written.
bool hash_column(const record::Column& column, duckdb_vector vector, std::size_t rows,
                 ContentHash::Column& hash) {
  std::uint64_t* validity = duckdb_vector_get_validity(vector);
  const auto is_null = [validity](std::size_t row) {
    return validity != nullptr && !duckdb_validity_row_is_valid(validity, row);
  };
  if (column.type == Type::levels) {
    const LevelVectors levels{vector};
    const auto* ranges = data_of<duckdb_list_entry>(vector);
    const auto* price = data_of<std::int64_t>(levels.prices);
    const auto* qty = data_of<std::int64_t>(levels.quantities);
    std::uint64_t* const validities[] = {duckdb_vector_get_validity(duckdb_list_vector_get_child(vector)),
                                         duckdb_vector_get_validity(levels.prices),
                                         duckdb_vector_get_validity(levels.quantities)};
    for (std::size_t i = 0; i < rows; ++i) {
      if (is_null(i)) return false;
      const duckdb_list_entry range = ranges[i];
      hash.values.add(range.length);
      for (idx_t at = range.offset; at < range.offset + range.length; ++at) {
        for (std::uint64_t* part : validities) {
          if (part != nullptr && !duckdb_validity_row_is_valid(part, at)) return false;
        }
        hash.prices.add(price[at]);
        hash.quantities.add(qty[at]);
      }
    }
    return true;
  }
  for (std::size_t i = 0; i < rows; ++i) {
    if (is_null(i)) {
      hash.values.add_null();
    } else if (column.type == Type::boolean) {
      hash.values.add(static_cast<std::uint64_t>(data_of<std::uint8_t>(vector)[i]));
    } else if (column.type == Type::text) {
      hash.values.add(text_of(data_of<duckdb_string_t>(vector)[i]));
    } else {
      hash.values.add(data_of<std::uint64_t>(vector)[i]);
    }
  }
  return true;
}

/// SHA-256 of the file behind `fd` from its beginning, in hex, and its size.
std::pair<std::string, std::uint64_t> digest_of(int fd, const std::filesystem::path& path) {
  struct Context {
    EVP_MD_CTX* md = EVP_MD_CTX_new();
    ~Context() { EVP_MD_CTX_free(md); }
  } context;
  EVP_DigestInit_ex(context.md, EVP_sha256(), nullptr);
  std::vector<char> buffer(256U << 10);
  std::uint64_t size = 0;
  for (;;) {
    const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("read", path);
    if (got == 0) break;
    EVP_DigestUpdate(context.md, buffer.data(), static_cast<std::size_t>(got));
    size += static_cast<std::uint64_t>(got);
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned digest_size = 0;
  EVP_DigestFinal_ex(context.md, digest.data(), &digest_size);
  std::string hex;
  for (unsigned i = 0; i < digest_size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return {std::move(hex), size};
}

/// A path for a reading function of DuckDB, which takes its name for a pattern.
std::string exact_pattern(const std::filesystem::path& path) {
  std::string out;
  for (const char c : path.string()) {
    if (c == '*' || c == '?' || c == '[') {
      out += '[';
      out += c;
      out += ']';
    } else {
      out += c;
    }
  }
  return sql_literal(out);
}

ParquetFault fault_of(std::string_view message) {
  const auto says = [message](std::string_view what) { return message.find(what) != std::string_view::npos; };
  if (says("No space left on device") || says("Disk quota exceeded")) return ParquetFault::no_space;
  if (says("Out of Memory")) return ParquetFault::no_memory;
  return ParquetFault::no_write;
}

ParquetError error_of(ParquetFault fault, const std::filesystem::path& path, std::string_view what) {
  return {fault, fmt::format("{}: {}", path.string(), what)};
}

std::string metadata_of(const Schema& schema, const ParquetOrigin& origin) {
  std::string sorted_by;
  for (const std::uint8_t column : schema.sort) {
    if (!sorted_by.empty()) sorted_by += ',';
    sorted_by += schema.columns[column].name;
  }
  const std::pair<std::string_view, std::string> entries[] = {
      {"schema_version", fmt::format("{}", record::schema_version)},
      {"schema_hash", fmt::format("{:016x}", record::schema_hash(schema.kind))},
      {"layer", std::string(record::name(schema.layer))},
      {"kind", std::string(schema.name)},
      {"symbol", origin.symbol},
      {"segment", origin.segment},
      {"program", origin.program},
      {"sorted_by", sorted_by},
      {"timezone", "UTC"},
  };
  std::string out;
  for (const auto& [key, value] : entries)
    out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", key, sql_literal(value));
  return out;
}

std::size_t group_rows(std::span<const std::string_view> rows) {
  std::size_t bytes = 0;
  for (const std::string_view row : rows) bytes += row.size();
  return std::clamp(group_bytes_max / (bytes / (rows.size() + 1) + 1), group_rows_min, group_rows_max);
}

bool has_levels(const Schema& schema) {
  return std::any_of(schema.columns.begin(), schema.columns.end(),
                     [](const record::Column& column) { return column.type == Type::levels; });
}

}  // namespace

std::string_view name(ParquetFault fault) {
  constexpr std::string_view names[] = {"bad rows", "no space left", "cannot be written", "corrupt",
                                        "not enough memory"};
  return names[static_cast<std::size_t>(fault)];
}

std::string parquet_copy_options(record::Kind kind, std::span<const std::string_view> rows,
                                 int compression_level) {
  // Version 2 keeps ids and times as differences: a third smaller. The prices of levels jump from row to row,
  // where differences are longer than what zstd makes of the plain values.
  const std::string_view version = has_levels(record::schema(kind)) ? "v1" : "v2";
  // A column that hardly repeats itself is longer with a dictionary: DuckDB's own limit, made for large
  // files, doubles the size of the file of one minute.
  const std::size_t group = group_rows(rows);
  const std::size_t dictionary = std::max(std::min(group, rows.size()) / 20, dictionary_values_min);
  return fmt::format(
      "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {}, PARQUET_VERSION {}, ROW_GROUP_SIZE {}, "
      "DICTIONARY_SIZE_LIMIT {}, USE_TMP_FILE false",
      compression_level, version, group, dictionary);
}

class ParquetWriter::Impl {
 public:
  explicit Impl(const ParquetWriterOptions& options)
      : compression_level_{options.compression_level},
        duck_{{.threads = 1, .memory_bytes_max = options.memory_bytes_max}} {
    duckdb_table_function function = duckdb_create_table_function();
    duckdb_table_function_set_name(function, std::string(function_name).c_str());
    duckdb_table_function_set_extra_info(function, static_cast<void*>(&source_), nullptr);
    duckdb_table_function_set_bind(function, bind_rows);
    duckdb_table_function_set_init(function, start_rows);
    duckdb_table_function_set_function(function, next_rows);
    const duckdb_state state =
        duckdb_register_table_function(static_cast<duckdb_connection>(duck_.connection()), function);
    duckdb_destroy_table_function(&function);
    if (state != DuckDBSuccess) throw DuckError("DuckDB takes no table function");
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  base::Result<ParquetWritten, ParquetError> write(record::Kind kind, std::span<const std::string_view> rows,
                                                   const std::filesystem::path& path,
                                                   const ParquetOrigin& origin) {
    if (rows.empty()) return base::fail(error_of(ParquetFault::bad_rows, path, "there are no rows"));
    auto written = copy(kind, rows, path, origin);
    if (!written) ::unlink(path.c_str());
    return written;
  }

  base::Result<ParquetContent, ParquetError> read_back(record::Kind kind, const std::filesystem::path& path) {
    const Schema& schema = record::schema(kind);
    const auto corrupt = [&path](std::string_view what) {
      return base::fail(error_of(ParquetFault::corrupt, path, what));
    };
    // Out of the kernel's memory, so that it is the disk that answers.
    if (const Descriptor fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)}; fd.is_open())
      ::posix_fadvise(*fd, 0, 0, POSIX_FADV_DONTNEED);
    try {
      // The folders' names are partitions to DuckDB, which would add them as columns.
      DuckRows rows = duck_.query(
          fmt::format("SELECT * FROM read_parquet({}, hive_partitioning = false)", exact_pattern(path)));
      if (rows.columns_count() != schema.columns.size())
        return corrupt(fmt::format("{} columns, expected {}", rows.columns_count(), schema.columns.size()));
      for (std::size_t i = 0; i < schema.columns.size(); ++i) {
        const record::Column& column = schema.columns[i];
        if (rows.column_name(i) != column.name || rows.column_type(i) != record::sql_type(column.type))
          return corrupt(fmt::format("column {} is {} {}, expected {} {}", i, rows.column_name(i),
                                     rows.column_type(i), column.name, record::sql_type(column.type)));
      }
      ContentHash hash{schema.columns.size()};
      ParquetContent content;
      while (auto* chunk = static_cast<duckdb_data_chunk>(rows.next_chunk())) {
        const std::size_t count = duckdb_data_chunk_get_size(chunk);
        for (std::size_t i = 0; i < schema.columns.size(); ++i) {
          if (!hash_column(schema.columns[i], duckdb_data_chunk_get_vector(chunk, i), count, hash.column(i)))
            return corrupt(fmt::format("column {} has a null inside a list", schema.columns[i].name));
        }
        content.rows += count;
      }
      content.content_hash = hash.finish(kind, content.rows);
      return content;
    } catch (const DuckError& error) {
      const ParquetFault fault = fault_of(error.what());
      return base::fail(
          error_of(fault == ParquetFault::no_memory ? fault : ParquetFault::corrupt, path, error.what()));
    }
  }

 private:
  base::Result<ParquetWritten, ParquetError> copy(record::Kind kind, std::span<const std::string_view> rows,
                                                  const std::filesystem::path& path,
                                                  const ParquetOrigin& origin) {
    RowSource source{kind, rows, origin.symbol};
    source_ = &source;
    try {
      duck_.run(fmt::format("COPY (SELECT * FROM {}()) TO {} ({}, KV_METADATA {{{}}})", function_name,
                            sql_literal(path.string()), parquet_copy_options(kind, rows, compression_level_),
                            metadata_of(source.schema(), origin)));
      source_ = nullptr;
      PHX_ASSERT(source.is_done() && source.written().rows == rows.size(), "every row given is written");
      ParquetWritten written = source.written();
      written.content_hash = source.content_hash();
      const Descriptor fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
      if (!fd.is_open()) throw_errno("open", path);
      if (::fsync(*fd) != 0) {
        const ParquetFault fault =
            errno == ENOSPC || errno == EDQUOT ? ParquetFault::no_space : ParquetFault::no_write;
        return base::fail(
            error_of(fault, path, fmt::format("cannot sync: {}", std::generic_category().message(errno))));
      }
      std::tie(written.sha256, written.size_bytes) = digest_of(*fd, path);
      return written;
    } catch (const DuckError& error) {
      source_ = nullptr;
      if (!source.fault().empty()) return base::fail(error_of(ParquetFault::bad_rows, path, source.fault()));
      return base::fail(error_of(fault_of(error.what()), path, error.what()));
    } catch (const FileError& error) {
      return base::fail(error_of(ParquetFault::no_write, path, error.what()));
    }
  }

  int compression_level_;
  Duck duck_;
  RowSource* source_ = nullptr;
};

ParquetWriter::ParquetWriter(const ParquetWriterOptions& options) : impl_{std::make_unique<Impl>(options)} {}
ParquetWriter::~ParquetWriter() = default;
ParquetWriter::ParquetWriter(ParquetWriter&&) noexcept = default;
ParquetWriter& ParquetWriter::operator=(ParquetWriter&&) noexcept = default;

base::Result<ParquetWritten, ParquetError> ParquetWriter::write(record::Kind kind,
                                                                std::span<const std::string_view> rows,
                                                                const std::filesystem::path& path,
                                                                const ParquetOrigin& origin) {
  return impl_->write(kind, rows, path, origin);
}
base::Result<ParquetContent, ParquetError> ParquetWriter::read_back(record::Kind kind,
                                                                    const std::filesystem::path& path) {
  return impl_->read_back(kind, path);
}

}  // namespace phoenix::io
