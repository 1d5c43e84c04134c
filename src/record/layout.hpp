#pragma once

#include "base/result.hpp"
#include "record/schema.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace phoenix::record {

// Where things lie in a recording; all paths are relative to its directory, with '/'.
//
//     journal/<epoch>-<segment>.open    the segment that is being written
//     journal/<epoch>-<segment>.seg     sealed
//     <layer>/date=YYYY-MM-DD/hour=HH/symbol=S/kind=K/part-<epoch>-<segment>.parquet     rows of one segment
//     <layer>/date=YYYY-MM-DD/hour=HH/symbol=S/kind=K/hour-<epoch>-<segment>.parquet     an hour's parts in
//     one file
//     ... .parquet.json    what is in the file beside it
//     ... .tmp             unfinished; swept at start
//
// epoch: 8 hexadecimal digits; segment: 6 decimal digits or more.

/// One segment of the journal. Segments of one run are numbered from 0.
struct SegmentId {
  std::uint32_t epoch = 0;
  std::uint32_t number = 0;
  friend auto operator<=>(const SegmentId&, const SegmentId&) = default;
};
/// "0000002a-000007"
std::string text(SegmentId id);
std::optional<SegmentId> parse_segment_id(std::string_view text);

enum class SegmentState : std::uint8_t { open, sealed };
std::string segment_path(SegmentId id, SegmentState state);
struct SegmentFile {
  SegmentId id;
  SegmentState state = SegmentState::open;
};
/// Of a file name without its directory; empty for any other file.
std::optional<SegmentFile> parse_segment_name(std::string_view file_name);

/// The rows that share a file: one hour, one symbol, one kind.
struct Partition {
  std::int64_t hour = 0;  ///< hours since 1970 UTC
  std::string symbol;
  Kind kind = Kind::trades;
  friend auto operator<=>(const Partition&, const Partition&) = default;
};
Partition partition_of(std::int64_t event_time_ns, std::string_view symbol, Kind kind);
/// "raw/date=2026-11-21/hour=17/symbol=BTCUSDT/kind=trades"
std::string directory(const Partition& partition);

enum class PartForm : std::uint8_t { part, hour };
/// "raw/.../part-0000002a-000007.parquet"; for an hour's file the last segment in it.
std::string part_path(const Partition& partition, PartForm form, SegmentId id);
std::string sidecar_path(std::string_view data_path);     ///< data_path + ".json"
std::string temporary_path(std::string_view final_path);  ///< final_path + ".tmp"

struct PartFile {
  Partition partition;
  PartForm form = PartForm::part;
  SegmentId id;
};
/// Of a path relative to the recording's directory; empty for anything a recording has no place for.
std::optional<PartFile> parse_part_path(std::string_view path);

}  // namespace phoenix::record
