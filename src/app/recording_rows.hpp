#pragma once

#include "app/market_reader.hpp"
#include "record/schema.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace phoenix::app {

/// What of a recording a backtest reads: rows of depth, trades and mark prices. They lie in Parquet files;
/// those of sealed segments that are not converted yet, or of which only the journal was kept, in the
/// journal.
struct RecordedRows {
  struct File {
    std::filesystem::path path;
    std::int64_t hour = 0;  ///< since 1970
    std::int64_t event_time_ns_min = 0;
    std::uint64_t rows = 0, bytes = 0;
  };
  std::filesystem::path directory;
  std::map<std::pair<std::string, record::Kind>, std::vector<File>>
      files;                                    ///< of each symbol, in the order of time
  std::vector<std::filesystem::path> segments;  ///< oldest first
  std::set<std::string> others;                 ///< symbols that are not wanted
  std::uint64_t hours_without_depth = 0;        ///< of a symbol, with trades: nothing of them is read
};

/// Looks what there is of `symbols`; empty: of all. StartError in one line when the directory is no
/// recording, or holds nothing that can be traded on: a book of five levels, as older recordings keep it, is
/// too thin.
RecordedRows find_recorded_rows(const std::filesystem::path& directory, const std::set<std::string>& symbols);

/// Reads them in the order of event time. `next` of its reader throws StartError for a damaged file.
std::unique_ptr<MarketReader::Source> read_recorded_rows(RecordedRows rows);

}  // namespace phoenix::app
