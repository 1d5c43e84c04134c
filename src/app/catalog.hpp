#pragma once

#include "io/duck.hpp"
#include "record/layout.hpp"
#include "record/schema.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace phoenix::app {

/// What a sidecar says of a file, as far as readers want to know.
struct FileFacts {
  record::PartForm form = record::PartForm::part;
  std::string segment;  ///< the last it was made from
  std::uint64_t rows = 0, size_bytes = 0, rows_refused = 0, gaps = 0;
  std::int64_t event_time_ns_min = 0, event_time_ns_max = 0;
  std::optional<std::int64_t> first_id, last_id;
  std::string sha256, program;
  bool is_exported = false;
};

/// One data file that is to be read.
struct DataFile {
  std::string path;  ///< can be opened as it stands
  record::Kind kind = record::Kind::trades;
  std::string symbol;
  std::int64_t hour = 0;  ///< since 1970; of an older file without hour=, the first of its day
  bool is_whole_day = false;
  std::optional<FileFacts> facts;  ///< empty: of an older recording
  std::string misplaced;           ///< of an older file: why it should not lie where it does
};

/// The data files of a recording and of older ones beside it: those that count, so that every row is read
/// once.
struct Catalog {
  std::vector<DataFile> files;
  std::vector<std::string> strangers;    ///< Parquet files nothing has a place for
  std::vector<std::string> unconverted;  ///< segments of the journal whose rows are in no file yet
  bool has_journal = false;
};

/// Looks through `directory` and `also`. Nothing is changed. StartError in one line: a directory that is
/// missing or holds no recording, a file of a newer format, a corrupt sidecar.
Catalog read_catalog(const std::filesystem::path& directory, std::span<const std::filesystem::path> also);

/// Gives DuckDB the views of record/views over these files. DuckError when one of them cannot be read.
void create_views(io::Duck& duck, std::span<const DataFile* const> files);

/// Path as an item of an SQL list that names this one file, whatever characters are in it.
std::string sql_path(std::string_view path);
std::string sql_paths(std::span<const DataFile* const> files);

}  // namespace phoenix::app
