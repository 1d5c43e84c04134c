#pragma once

#include "base/result.hpp"
#include "record/layout.hpp"
#include "record/schema.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::record {

/// Raised by every change of the sidecar's own fields that an older reader would misread.
inline constexpr int sidecar_format = 1;

/// Ids from first to last, both included.
struct IdRange {
  std::int64_t first = 0, last = 0;
  friend bool operator==(const IdRange&, const IdRange&) = default;
};

/// What stands in the JSON beside a data file: what is in the file, what it was made from, and what it makes
/// superfluous. A data file counts only with its sidecar beside it.
struct Sidecar {
  static constexpr std::size_t gaps_max = 1000;      ///< listed; more are only counted
  static constexpr std::size_t names_max = 100'000;  ///< in `segments`, `replaces`, `removes` each

  int schema_version = record::schema_version;
  std::uint64_t schema_hash = 0;
  PartFile part;  ///< partition, form and id: the file's place in the recording
  std::uint64_t rows = 0;
  std::int64_t event_time_ns_min = 0, event_time_ns_max = 0;
  std::optional<std::int64_t> first_id, last_id;
  /// The id that the first row follows, where the venue numbers without holes (trades) or chains (depth, but
  /// for a snapshot).
  std::optional<std::int64_t> before_id;
  /// Ids missing between first_id and last_id, for the same kinds.
  std::vector<IdRange> gaps;
  std::uint64_t gaps_count = 0;     ///< of all, listed or not
  std::uint64_t rows_refused = 0;   ///< rows of this partition in the dead letters of `segments`
  std::uint64_t size_bytes = 0;     ///< of the data file
  std::string sha256;               ///< of the data file, 64 hexadecimal digits
  std::uint64_t content_hash = 0;   ///< of all values in their order
  std::vector<SegmentId> segments;  ///< it was made from
  std::string program;              ///< version that wrote it
  /// Names, without directory, of the files in the same directory whose rows are all in this one.
  std::vector<std::string> replaces;
  /// Paths, relative to the recording, of the files this ledger entry says retention took away.
  std::vector<std::string> removes;
  std::optional<std::int64_t> exported_ns;  ///< when the export hook had taken the file; empty: not yet

  friend bool operator==(const Sidecar&, const Sidecar&);
};

/// One JSON object on several lines, ending in a newline. Equal sidecars give equal bytes.
std::string to_json(const Sidecar& sidecar);

enum class SidecarFault : std::uint8_t {
  not_json,
  newer_format,  ///< written by a later program
  bad_field,     ///< missing, of another type or out of range
};
struct SidecarError {
  SidecarFault fault = SidecarFault::not_json;
  std::string what;  ///< the field or the reason, without the file's name
};
/// Any text gives a sidecar or a fault. Unknown fields are ignored: what matters to a reader raises the
/// format.
base::Result<Sidecar, SidecarError> parse_sidecar(std::string_view json);

}  // namespace phoenix::record
