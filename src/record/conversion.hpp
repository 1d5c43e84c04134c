#pragma once

#include "record/journal_format.hpp"
#include "record/layout.hpp"
#include "record/row.hpp"
#include "record/sidecar.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace phoenix::record {

// How rows become files that are there once, whatever dies when.
//
// A commit makes its files one after another and only then removes what they were made from:
//
//     directories made, parents first, and each one's parent synced
//     the dead letter: .tmp written and synced, renamed, directory synced
//     for each file:
//         data.tmp written and synced        (by the Parquet writer)
//         data.tmp read again and compared with the rows
//         sidecar.tmp written and synced
//         sidecar renamed into place, directory synced
//         data renamed into place, directory synced
//     the sources removed, their directories synced
//
// What a reader sees: a file counts when it and its sidecar stand under their final names. The sidecar is
// durable before the data appears, so at every instant a data file is either absent or complete, synced,
// re-read and described; a sidecar without data, and anything that ends in .tmp, is nothing.
//
// Why a repeat does not double: the rows of a segment, their order, their partitions and the name of each
// file follow from the segment's bytes alone. A commit that was cut off has left a subset of exactly these
// files; doing it again overwrites each by the same rows under the same name. The segment goes only after all
// of them are durable, and without the segment nothing repeats.
//
// Why nothing is lost: each row of the segment is in a file, or in the dead letter and named by a row of the
// ledger; what could not be read is named by a row of the ledger. Any failure stops the commit before the
// sources are touched.
//
// Compaction (parts -> hour file) and retention (ledger entry -> file gone) are commits too: see Commit.

/// One thing for the shell to do, in order, each reported before the next is asked for. Paths are relative to
/// the recording.
struct FileAction {
  enum class Kind : std::uint8_t {
    make_directory,  ///< one level; fine when it is there
    sync_directory,
    write_rows,        ///< the rows of `file` to `path`, synced; report Written
    read_back,         ///< `path` again; report ReadBack
    write_deadletter,  ///< the refused rows to `path`, synced
    write_text,        ///< `text` to `path`, replacing it, synced
    rename,            ///< `path` to `to`
    remove,            ///< fine when it is gone
  };
  Kind kind = Kind::make_directory;
  std::string path{}, to{}, text{};
  std::size_t file = 0;  ///< index in the plan
};
std::string_view name(FileAction::Kind kind);

struct Done {};
/// A data file as it was written.
struct Written {
  std::uint64_t rows = 0;
  std::uint64_t size_bytes = 0;
  std::string sha256;
  std::uint64_t content_hash = 0;
};
struct ReadBack {
  std::uint64_t rows = 0;
  std::uint64_t content_hash = 0;
};
struct Failed {
  std::string what;  ///< one line that names the file
};
using FileResult = std::variant<Done, Written, ReadBack, Failed>;

/// What a commit is to bring about. The sidecars are complete but for what `Written` tells.
struct CommitPlan {
  std::vector<Sidecar> files;
  std::string deadletter;  ///< final path; empty without refused rows
  std::vector<std::string>
      sources;  ///< data files or segments to remove when all files are durable; gone is fine
  /// Removed after `sources` are durably gone (sidecars: data without a sidecar could not be told from
  /// unfinished data).
  std::vector<std::string> leftovers;
  std::string marker;  ///< instead of removing sources: an empty file that says they were converted
};

/// One commit, step by step. Nothing is retried in it: after a failure it is over, and making it anew from
/// the start is what repeats it.
class Commit {
 public:
  enum class State : std::uint8_t { running, finished, failed };

  explicit Commit(CommitPlan plan);
  State state() const { return state_; }
  /// While running: what to do now.
  const FileAction& action() const;
  /// The outcome of `action`. A result that does not fit the action is our bug.
  void step(const FileResult& result);
  const std::string& fault() const { return fault_; }
  /// The sidecars, complete for every file committed so far.
  const std::vector<Sidecar>& files() const { return plan_.files; }

 private:
  void queue_directories();
  void queue_file(std::size_t file);
  void queue_removals();
  void describe(std::size_t file, const Written& written);
  void advance();

  CommitPlan plan_;
  std::vector<FileAction> actions_;
  std::size_t at_ = 0;
  State state_ = State::running;
  std::string fault_;
};

/// Why a row may not stand in the recording; empty when it may. Prices and quantities above zero, bid not
/// above ask, event time between 2017 and a day after its receipt. Nulls pass where the schema allows them.
std::string_view refusal(const RowView& row);

/// The symbol of ledger rows that speak of the whole recording.
inline constexpr std::string_view whole_recording = "ALL";

/// The rows of one segment, grouped by the file they belong to. `read` walks the segment once and keeps 16
/// bytes a row (a sort key and where the row lies), not the row: 32 MB for two million. Afterwards the rows
/// of one file at a time are views into the segment, which has to stay mapped.
class SegmentRows {
 public:
  static constexpr std::size_t segment_bytes_max = std::size_t{2} << 30;
  static constexpr std::size_t partitions_max = 4096;  ///< rows of further ones are refused
  static constexpr std::size_t named_losses_max =
      10'000;  ///< ledger rows for refused rows; the rest in one row

  SegmentRows(SegmentId id, std::string_view segment_bytes);

  /// A fault when this is no segment of that name; damage within it is no fault, but named in the ledger.
  base::Result<void, JournalFault> read();

  /// One entry for each file; complete but for what the writer tells.
  CommitPlan plan(std::string_view program) const;
  /// The rows of a file of that plan, in its sort order.
  std::vector<std::string_view> rows(std::size_t file) const;
  /// Appends lines of the dead letter, a JSON object each, from `line` on, until `out` has `bytes_max` or
  /// more; returns the next line, `refused_count` after the last.
  std::size_t deadletter(std::size_t line, std::size_t bytes_max, std::string& out) const;

  std::uint64_t rows_count() const { return rows_; }  ///< read, good or refused
  std::uint64_t refused_count() const { return refused_.size(); }
  std::uint64_t losses_count() const {
    return losses_;
  }  ///< damaged ranges, missing records, losses the journal names

 private:
  struct Entry {
    std::int64_t key = 0;      ///< of the first sort column
    std::uint32_t offset = 0;  ///< in the segment; beyond its end in `own_`
    std::uint32_t size = 0;
  };
  struct Refused {
    Entry row;
    std::uint64_t sequence = 0;
    base::LocalTime now{};
    std::string_view reason;  ///< of static duration
  };
  struct Group {
    std::vector<Entry> entries;
    std::uint64_t refused = 0;
    std::int64_t event_time_ns_min = 0, event_time_ns_max = 0;
  };
  /// One row of the ledger made here.
  struct Loss {
    std::string_view symbol{}, stream{}, cause{};
    std::optional<std::int64_t> first_id{}, last_id{};
    std::uint64_t count = 0;
    std::string evidence{};
    base::LocalTime at{};
  };

  std::string_view bytes_of(const Entry& entry) const;
  void take(const JournalRecord& record);
  bool place(const RowView& row, Entry entry);
  void name_refused();
  void name(const Loss& loss);
  void sort();
  void find_gaps(const Partition& partition, const Group& group, Sidecar& sidecar) const;

  SegmentId id_;
  std::string_view segment_;
  std::string own_;  ///< ledger rows made here
  std::map<Partition, Group> groups_;
  std::vector<const std::pair<const Partition, Group>*> files_;  ///< those with rows
  std::vector<Refused> refused_;
  std::uint64_t rows_ = 0, losses_ = 0;
};

/// "deadletter/0000002a-000007.ndjson"
std::string deadletter_path(SegmentId id);
/// The encoded row of one line of a dead letter; empty when it is not one.
std::optional<std::string> deadletter_row(std::string_view line);

}  // namespace phoenix::record
