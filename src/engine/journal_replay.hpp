#pragma once

#include "engine/engine.hpp"
#include "engine/log_replay.hpp"
#include "record/journal_format.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace phoenix::engine {

struct JournalReplayReport {
  std::uint32_t run_epoch = 0;
  std::uint64_t inputs = 0, actions = 0;
  std::uint64_t rows_recorded = 0, rows_replayed = 0;
  std::uint64_t rows_recovered = 0;       ///< of an earlier run's unread frames: made before this run began
  std::optional<std::string> difference;  ///< the first row that is not the same byte for byte
  std::optional<std::string> fault;       ///< why nothing more was replayed
  std::string recorded_summary;           ///< empty when the run never finished
  std::string replayed_summary;
  bool is_equal() const {
    return !difference && !fault && rows_recorded == rows_replayed &&
           (recorded_summary.empty() || recorded_summary == replayed_summary);
  }
};

/// Steps a fresh engine through the journal of one run: every input it consumed, in its order, with its
/// times; and compares every row with the one that the run recorded. Equal code and equal inputs give equal
/// bytes, at any speed.
class JournalReplay {
 public:
  /// Makes the run's engine from its start record; empty when that is not possible.
  using MakeEngine = std::function<std::unique_ptr<Engine>(const LogStart&)>;
  explicit JournalReplay(MakeEngine make_engine) : make_engine_(std::move(make_engine)) {}

  /// The run's records, segment after segment. False when it makes no sense to go on: see the report's fault.
  bool take(const record::JournalRecord& record);
  /// After the last record: rows a crash kept from the journal are no difference.
  JournalReplayReport finish();

 private:
  struct Raw {
    std::uint64_t sequence = 0;
    std::string input;
  };
  bool stop(std::string why);
  bool step(std::string_view input, base::LocalTime now);
  void compare(std::string_view recorded);

  MakeEngine make_engine_;
  std::unique_ptr<Engine> engine_;
  Actions actions_;
  std::deque<Raw> raw_;           ///< read and not consumed yet
  std::deque<std::string> rows_;  ///< replayed and not compared yet
  JournalReplayReport report_;
};

}  // namespace phoenix::engine
