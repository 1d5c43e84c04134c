#pragma once

#include "base/time.hpp"
#include "ops/status.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace phoenix::ops {

/// How things stand, for the log: one line of the whole, one of the recording, and for each symbol one of its
/// quoting and one of its recording. What is counted is told as what was added since the lines before.
class LogState {
 public:
  std::vector<std::string> lines(const Status& status);

 private:
  struct Counts {
    std::uint64_t fills = 0, rows = 0, gaps = 0, resyncs = 0, trades_repaired = 0, trades_lost = 0;
  };
  struct Totals {
    std::uint64_t messages = 0, wire_bytes = 0, reconnects = 0, suppressed = 0;
  };
  static Counts counts_of(const SymbolStatus& symbol, const Status& status);
  static std::string overall(const Status& status, const Totals& grown, base::Duration passed);
  static std::string recording(const RecordingStatus& recording);
  static std::string quoting(const SymbolStatus& symbol, const Status& status, const Counts& grown);
  static std::string recorded(const SymbolStatus& symbol, const Status& status, const Counts& grown);

  std::optional<base::LocalTime> before_;
  std::map<std::string, Counts, std::less<>> symbols_;
  Totals totals_;
};

}  // namespace phoenix::ops
