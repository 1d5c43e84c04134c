#pragma once

#include "base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace phoenix::record {

struct ExtremeOptions {
  std::uint64_t rows_threshold = 30'000;                ///< EXTREME_TRAFFIC_THRESHOLD, in one rotation's time
  base::Duration rotate_interval = base::seconds{60};   ///< PARQUET_ROTATE_SEC
  base::Duration extreme_interval = base::seconds{30};  ///< EXTREME_ROTATE_SEC
  base::Duration queue_age_max = base::seconds{5};      ///< the oldest row that is not durable
  base::Duration dwell = base::seconds{60};             ///< in the mode at least
};

/// Segments rotate faster while more comes than usual. Entered when the rows of the last `rotate_interval`
/// pass the threshold, or the oldest row waits longer than `queue_age_max`. Left when the rows are below 70 %
/// of the threshold and the queue is young again, but not before `dwell`. The rows are counted over time,
/// whatever is flushed in between, so that no flush can keep the count below the threshold.
class ExtremeMode {
 public:
  enum class Mode : std::uint8_t { normal, extreme };
  struct Change {
    Mode mode = Mode::normal;
    std::uint64_t rows = 0;  ///< of the last rotate_interval
    base::Duration queue_age{};
    base::Duration interval{};  ///< from now on
  };

  explicit ExtremeMode(const ExtremeOptions& options);
  /// `rows_total`: all rows so far. Call it about once a second; the change of mode, if this is one.
  std::optional<Change> step(std::uint64_t rows_total, base::Duration queue_age, base::LocalTime now);
  Mode mode() const { return mode_; }
  /// Between rotations.
  base::Duration interval() const;

 private:
  std::uint64_t rows_in_window(std::uint64_t rows_total, base::LocalTime now);

  struct Sample {
    base::LocalTime at{};
    std::uint64_t rows_total = 0;
  };
  ExtremeOptions options_;
  std::vector<Sample> samples_;  ///< one a second at most, oldest first
  Mode mode_ = Mode::normal;
  base::LocalTime since_{};
};

}  // namespace phoenix::record
