#pragma once

#include "base/time.hpp"
#include "exchange/fault_plan.hpp"
#include "sim/checkers.hpp"
#include "sim/world.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace phoenix::sim {

enum class Market : std::uint8_t { drawn, usual, quiet };
enum class FaultsDrawn : std::uint8_t { none, some };
enum class Recorded : std::uint8_t { none, all };

struct RunOptions {
  std::uint64_t seed = 1;
  base::Duration length = base::minutes{30};
  FaultsDrawn faults = FaultsDrawn::some;
  std::vector<exchange::FaultKind> kinds;  ///< that may be drawn; empty: all
  Market market = Market::drawn;
  Recorded recorded = Recorded::all;
  /// Told now and then how much of `length` has passed; never less than before. May be empty.
  std::function<void(base::Duration passed)> progress;
};

/// What one seed came to.
struct RunResult {
  std::uint64_t seed = 0;
  base::Duration length{};
  std::uint64_t trace_hash = 0, steps = 0, events = 0;
  std::uint64_t reconnects = 0, withdrawals = 0, resyncs = 0, restarts = 0, fills = 0, market_moves = 0,
                books_compared = 0;
  RecordingFigures recording;
  std::array<std::uint64_t, exchange::fault_kinds_count> begun{}, injected{};
  Worst worst;
  CheckerOptions bounds;
  std::vector<Violation> violations;
  std::string setting;  ///< what the seed drew for the whole run, in one line
};

/// A world as a seed draws it: five symbols, all recorded, of which one may not be quoted; seven layers a
/// side; lines, latency, clock, market and guard differ.
WorldOptions draw_world(const RunOptions& options);
/// Runs it to the end, looks at everything, and stops at the first promise that is not kept.
RunResult run(const RunOptions& options);
/// Ends with what the market maker is asked to do last: to leave.
RunResult run(const RunOptions& options, const WorldOptions& world);

}  // namespace phoenix::sim
