#pragma once

#include "base/result.hpp"
#include "record/schema.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace phoenix::io {

/// What is written into a file beside its rows, as Parquet's key-value metadata: with `schema_version`,
/// `schema_hash`, `kind`, `layer`, `sorted_by` and `timezone` (UTC), which follow from the kind.
struct ParquetOrigin {
  std::string symbol;   ///< every row's; empty where the kind has none
  std::string segment;  ///< name of the journal segment or of the compaction it was made from
  std::string program;  ///< version of this program
};

struct ParquetWritten {
  std::uint64_t rows = 0;
  std::uint64_t size_bytes = 0;
  std::string sha256;              ///< of the file's bytes, 64 hex digits
  std::uint64_t content_hash = 0;  ///< of all values in their order; what `read_back` must find again
  std::optional<std::int64_t> first_id,
      last_id;  ///< lowest first and highest last id of the rows that have them
  std::int64_t event_time_ns_min = 0, event_time_ns_max = 0;
};

struct ParquetContent {
  std::uint64_t rows = 0;
  std::uint64_t content_hash = 0;
};

enum class ParquetFault : std::uint8_t {
  bad_rows,   ///< none, one that does not decode, or one of another kind or symbol
  no_space,   ///< the disk or its quota is full; the file is gone again
  no_write,   ///< any other error of the disk
  corrupt,    ///< the file does not read as what it claims to be
  no_memory,  ///< the memory bound was too small
};
std::string_view name(ParquetFault fault);

struct ParquetError {
  ParquetFault fault = ParquetFault::no_write;
  std::string what;  ///< one line that names the file
};

struct ParquetWriterOptions {
  std::uint64_t memory_bytes_max = 128ULL << 20;  ///< of DuckDB; the rows are the caller's
  /// Of zstd, 1 to 22. From 6 to 19 files shrink by a tenth and take ten to thirty times as long.
  int compression_level = 6;
};

/// How DuckDB is to write such a file: encodings, compression, rows of a row group.
std::string parquet_copy_options(record::Kind kind, std::span<const std::string_view> rows,
                                 int compression_level = 6);

/// Turns encoded rows (record/row.hpp) of one kind and symbol into one Parquet file, and reads such files
/// again. Equal rows give equal bytes. Keep one for each thread that converts: its memory does not grow from
/// file to file. Not for two threads at a time.
class ParquetWriter {
 public:
  /// DuckError when the library cannot be opened.
  explicit ParquetWriter(const ParquetWriterOptions& options = {});
  ~ParquetWriter();
  ParquetWriter(ParquetWriter&&) noexcept;
  ParquetWriter& operator=(ParquetWriter&&) noexcept;

  /// Writes `rows`, in the order given, to `path` (a temporary name: what stands there is overwritten) and
  /// syncs the file. Renaming it and syncing its directory are the caller's. After an error no file is left
  /// at `path`.
  base::Result<ParquetWritten, ParquetError> write(record::Kind kind, std::span<const std::string_view> rows,
                                                   const std::filesystem::path& path,
                                                   const ParquetOrigin& origin);

  /// Reads the whole file again, every page of it. A changed, missing, doubled or moved value gives another
  /// hash; columns that are not the kind's are `corrupt`.
  base::Result<ParquetContent, ParquetError> read_back(record::Kind kind, const std::filesystem::path& path);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::io
