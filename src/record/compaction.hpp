#pragma once

#include "record/conversion.hpp"
#include "record/layout.hpp"
#include "record/sidecar.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::record {

// An hour's parts become one file. The hour file's sidecar names every file whose rows it holds, also those
// that an earlier hour file had taken in, and is durable before the hour file appears. The hour file with its
// sidecar therefore replaces all of them in one instant: its rename. Before it a reader reads the parts,
// after it the hour file; that the parts are still there, or come back because a segment is converted again,
// makes no difference.

/// A data file that is there, with what its sidecar says; empty when it has none.
struct FoundFile {
  std::string path;  ///< relative to the recording
  std::optional<Sidecar> sidecar;
};

/// The files a reader reads, in the order given: those with a sidecar that no other such file replaces.
std::vector<std::size_t> live_parts(std::span<const FoundFile> files);
/// Those a file with a sidecar replaces: to be removed, data before sidecar.
std::vector<std::size_t> replaced_parts(std::span<const FoundFile> files);

struct CompactionOptions {
  /// An hour is left alone this long after its end, for rows that come late.
  base::Duration settle = base::minutes{5};
};

/// The sources of one hour file, and its sidecar but for what the writer tells.
struct Compaction {
  std::vector<std::string> parts;  ///< data files to merge, by segment
  CommitPlan plan;
};

/// The hours to compact now: those that are over and settled and have more than one live file that no pending
/// segment can still precede. `oldest_pending`: the first segment that exists and is not converted. Only
/// files below it are taken, so an hour's later files all have higher numbers, and its names only grow.
std::vector<Compaction> plan_compactions(std::span<const FoundFile> files,
                                         std::optional<SegmentId> oldest_pending, std::int64_t now_ns,
                                         const CompactionOptions& options, std::string_view program);

/// What finishes a compaction or a retention that was cut off: removes what is replaced or was to be removed.
CommitPlan plan_removals(std::span<const FoundFile> files);

}  // namespace phoenix::record
