#pragma once

#include "engine/engine.hpp"
#include "record/log_format.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::engine {

/// What an engine's run comes down to, as JSON: for each symbol the hash of all quotes it wanted.
std::string run_summary(const Engine& engine);

/// The first record of an input log: what the run was told. `config_text` is the configuration file's text.
struct LogStart {
  std::uint32_t run_epoch = 0;
  std::string config_text;
  std::vector<ResumePoint> resume;         ///< where the recording went on
  std::vector<order::LedgerState> ledger;  ///< what earlier runs had done
  std::vector<GuardLatch> guard_latches;   ///< and latched
};
/// What a configuration's options become by it.
void apply(const LogStart& start, Options& options);
std::string log_start_text(const LogStart& start);
std::optional<LogStart> parse_log_start(std::string_view text);

struct LogReplayReport {
  std::uint64_t inputs = 0, actions = 0;
  std::optional<record::LogFault> fault;  ///< why the log ended early
  std::string recorded_summary;           ///< empty when the run never finished
  std::string replayed_summary;
  bool is_equal() const { return recorded_summary == replayed_summary; }
};

/// Steps a fresh engine, made from the log's own start record, through every input of `log` with the times of
/// the run. Equal code and equal inputs give equal quotes.
LogReplayReport replay_log(std::string_view log, Engine& engine);

}  // namespace phoenix::engine
