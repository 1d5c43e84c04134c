#pragma once

#include "record/schema.hpp"
#include "record/sidecar.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace phoenix::record {

// What is asked of a recording, and the verdict on what was measured. `phoenix verify` measures; here is no
// I/O.

/// A set of whole numbers as ranges: ids, minutes, nanoseconds.
class Ranges {
 public:
  /// Nothing when last < first.
  void add(std::int64_t first, std::int64_t last);
  void add(const Ranges& other);
  void remove(const Ranges& other);
  bool contains(std::int64_t value) const;
  /// Whether any of [first, last] is in it.
  bool touches(std::int64_t first, std::int64_t last) const;
  bool is_empty() const { return ranges_.empty(); }
  std::uint64_t count() const;
  /// Sorted, apart from each other by at least one.
  const std::map<std::int64_t, std::int64_t>& ranges() const { return ranges_; }

 private:
  void cut(std::int64_t first, std::int64_t last);
  std::map<std::int64_t, std::int64_t> ranges_;  ///< first -> last
};

/// Counts by buckets of equal width, so that a quantile over any number of values takes little memory. Bucket
/// b holds [b, b + 1) x width.
class Histogram {
 public:
  explicit Histogram(double width) : width_(width) {}
  void add(std::int64_t bucket, std::uint64_t count);
  /// Of the same width.
  void add(const Histogram& other);
  std::uint64_t count() const { return count_; }
  /// The middle of the bucket in which the value of this rank lies, of [0, 1]. Empty without values.
  std::optional<double> quantile(double rank) const;

 private:
  double width_;
  std::uint64_t count_ = 0;
  std::map<std::int64_t, std::uint64_t> counts_;
};

/// One set of limits for everything, the targets of the recorder's sheet.
struct QualityLimits {
  double empty_minutes_max = 0.001;  ///< share of the window's minutes, each symbol and kind
  double duplicates_max = 0.005;
  double latency_ms_p50_max = 60;
  double latency_ms_p99_max = 120;
  double latency_negative_max = 0.01;    ///< share of rows that came before they happened: a clock is wrong
  double chain_breaks_max = 0.01;        ///< share of depth rows, where nothing names the breaks
  std::int64_t id_jump_max = 10'000;     ///< ids one depth row may skip
  std::int64_t join_tolerance_ms = 800;  ///< how old the book before a trade may be
  double joined_min = 0.98;
  std::array<double, 5> ofi_weights{0.4, 0.25, 0.2, 0.1, 0.05};
  double ofi_tolerance = 1e-6;
  double ofi_equal_min = 0.999;
  std::uint64_t samples_min = 2'000;         ///< fewer scores are not judged
  std::int64_t scene_window_hours_min = 24;  ///< a shorter window cannot show every scenario
  std::uint64_t events_min = 1'000;          ///< shown beside the count, not judged
};

enum class Verdict : std::uint8_t { pass, fail, not_judged };
/// A gate that fails fails the report; a target missed is only said, since the market decides it.
enum class Weight : std::uint8_t { gate, target };
struct Check {
  std::string name;
  Verdict verdict = Verdict::not_judged;
  Weight weight = Weight::gate;
  std::string says;                  ///< one line
  std::vector<std::string> details;  ///< what is behind it, one line each
};

/// One minute of a stream. A stream whose rows are links of a chain proves an empty minute quiet: what comes
/// after it begins where what came before it ended.
struct MinuteFigures {
  std::int64_t minute = 0;  ///< minutes since 1970
  std::uint64_t rows = 0;
  std::optional<std::int64_t> link_in, link_out;
};

/// What the ledger says of one stream of one symbol.
struct LedgerFigures {
  Ranges lost_ns;                                    ///< by our clock
  Ranges lost_ids;                                   ///< those that have ids
  std::map<std::string, std::uint64_t> lost_causes;  ///< intervals by cause
  std::uint64_t received = 0, repaired = 0, covered = 0, lost = 0;
  std::uint64_t retired = 0;  ///< rows that retention took away: part of `lost`
};

struct ChainFigures {
  Ranges present;                  ///< trade ids that are rows
  std::vector<IdRange> breaks;     ///< ids between two links that do not join, with no snapshot between them
  std::uint64_t resumed = 0;       ///< breaks with a snapshot between
  std::uint64_t disordered = 0;    ///< U > u, pu >= u, or u not above the row before
  std::uint64_t jumps = 0;         ///< further than id_jump_max
  std::uint64_t negative_ids = 0;  ///< a number that stands for "none"
};

struct LatencyFigures {
  Histogram histogram{0.1};  ///< ms
  std::uint64_t negative = 0;
  double min_ms = 0, max_ms = 0;
};

struct StreamFigures {
  std::uint64_t rows = 0;
  std::uint64_t duplicates = 0;
  std::optional<std::int64_t> first_ns, last_ns;
  std::map<std::int64_t, MinuteFigures> minutes;
  ChainFigures chain;
  LatencyFigures latency;
};

/// Minutes of the window, of one symbol and kind.
struct MinuteCount {
  std::uint64_t expected = 0;
  std::uint64_t empty = 0;  ///< neither proved quiet nor named
  std::uint64_t quiet = 0;
  std::uint64_t named = 0;  ///< lost, and the ledger says so
};

struct ScoreFigures {
  Histogram z{0.01}, magnitude{0.01};
  std::uint64_t count = 0, above2 = 0, above3 = 0;  ///< |z|
  void add(const ScoreFigures& other);
};

struct SymbolFigures {
  std::map<Kind, StreamFigures> streams;
  std::map<std::string, LedgerFigures> ledger;  ///< by stream
  std::uint64_t joined = 0, unjoined = 0,
                not_joinable = 0;  ///< trades; not joinable: repaired, or in a named loss of depth
  std::map<std::string, std::uint64_t> scenarios;
  std::map<std::string, std::map<std::string, std::uint64_t>> scenarios_by_session;
  std::map<std::string, std::uint64_t> events;
  std::map<std::string, ScoreFigures> ofi_z, cvd_z;  ///< by regime
  std::uint64_t cvd_scored = 0, cvd_clipped = 0, cvd_wrong = 0, cvd_floor_used = 0;
  std::uint64_t fusion_scored = 0, fusion_signals = 0;
  std::uint64_t ofi_compared = 0, ofi_equal = 0, book_rows = 0, book_moved = 0;
};

struct FileFigures {
  std::uint64_t files = 0, bytes = 0, old_files = 0;
  std::vector<std::string> bad_sidecars;  ///< a file that is not what its sidecar says
  std::vector<std::string> bad_schemas;
  std::vector<std::string>
      misplaced;  ///< a kind in the wrong layer, a label in the raw one, files nothing has a place for
  std::vector<std::string> unconverted;  ///< segments of the journal
  bool is_being_written = false;
};

struct QualityFigures {
  std::int64_t from_ns = 0, to_ns = 0;  ///< the window, [from, to)
  bool is_whole = false;                ///< it is the whole recording
  FileFigures files;
  std::map<std::string, SymbolFigures> symbols;
};

/// Kinds that every symbol of a recording with them must have rows of, minute by minute.
std::vector<Kind> expected_kinds(const QualityFigures& figures);
/// Whole minutes inside the window; the minutes it touches when there is none.
Ranges window_minutes(const QualityFigures& figures);
MinuteCount count_minutes(const QualityFigures& figures, const std::string& symbol, Kind kind);

/// Upper end of the 95 % Wilson interval of a share.
double wilson_upper(std::uint64_t hits, std::uint64_t count);

/// All checks, in the order of the report.
std::vector<Check> judge(const QualityFigures& figures, const QualityLimits& limits);
bool passed(const std::vector<Check>& checks);

}  // namespace phoenix::record
