#pragma once

#include "model/market.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::io {

/// What DuckDB refused, in its own first line.
class DuckError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct DuckOptions {
  unsigned threads = 1;
  std::uint64_t memory_bytes_max = 256ULL << 20;
  /// Where a query that needs more memory may spill; empty: it fails instead.
  std::filesystem::path temp_directory{};
};

/// The rows of a running query, one at a time. Holds one chunk of them, never the whole result.
class DuckRows {
 public:
  DuckRows(DuckRows&&) noexcept;
  DuckRows& operator=(DuckRows&&) noexcept;
  ~DuckRows();

  std::size_t columns_count() const;
  std::string_view column_name(std::size_t column) const;
  /// As SQL writes it: "BIGINT", "DECIMAL(18,8)", "STRUCT(price DECIMAL(18,8), qty DECIMAL(18,8))[]".
  std::string_view column_type(std::size_t column) const;

  /// Goes to the next row, at first to the first. False at the end. DuckError when the query fails on its
  /// way, or was interrupted.
  bool next();
  /// Instead of `next`, for what stands beside this in io: the next duckdb_data_chunk, not empty, or null at
  /// the end. Valid until the next call.
  void* next_chunk();

  // Values of the row that `next` went to. A DuckError names the column whose type or value does not fit.
  bool is_null(std::size_t column) const;
  /// Of a boolean.
  bool boolean(std::size_t column) const;
  /// Of an integer of any width, a date or time (in its own unit since 1970), or a decimal (its digits
  /// without the point).
  std::int64_t integer(std::size_t column) const;
  /// Of an integer, a decimal or a floating-point number.
  double number(std::size_t column) const;
  /// Appends a list of (price, qty) as recordings keep them: STRUCT(price DECIMAL(18,8), qty
  /// DECIMAL(18,8))[].
  void append_levels(std::size_t column, std::vector<model::Level>& out) const;
  /// Of a text; valid until the next call of `next`.
  std::string_view text(std::size_t column) const;
  /// Appends any value as a person reads it, times in UTC; a null appends nothing.
  void append_text(std::size_t column, std::string& out) const;
  /// Appends any value as JSON; what is not finite becomes null, 64-bit integers stay numbers.
  void append_json(std::size_t column, std::string& out) const;

 private:
  friend class Duck;
  class Impl;
  explicit DuckRows(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// An in-memory DuckDB of our own: no extension is fetched or loaded, nothing of the machine's DuckDB
/// settings is read. One thread at a time, except `interrupt`. Opening one takes about 40 ms and 30 MB: keep
/// it.
class Duck {
 public:
  explicit Duck(const DuckOptions& options = {});
  ~Duck();
  Duck(Duck&&) noexcept;
  Duck& operator=(Duck&&) noexcept;

  /// A further connection to the same database, for a query beside one that still runs. Costs next to
  /// nothing; the database lives as long as one of them.
  Duck another() const;

  /// Any statements, one after another; their results are thrown away.
  void run(const std::string& sql);
  /// One statement of any kind. The rows are to be done with before anything else is asked.
  DuckRows query(const std::string& sql);
  /// One statement that only reads: DuckError for anything else, so that nothing can be written, attached or
  /// set.
  DuckRows select(const std::string& sql);
  /// Any thread: the query that runs ends with a DuckError. Without one nothing happens.
  void interrupt() noexcept;

  /// The connection of the C interface, for what stands beside this in io.
  void* connection() const;

 private:
  class Impl;
  explicit Duck(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// `text` as an SQL literal, in quotes.
std::string sql_literal(std::string_view text);

}  // namespace phoenix::io
