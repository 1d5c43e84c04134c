#pragma once

#include "base/time.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace phoenix::ops {

enum class RunPhase : std::uint8_t {
  starting,
  running,
  stopping,  ///< asked to leave: orders are being cancelled
  finished,  ///< left by its own will; what it could not confirm may still rest
};
inline constexpr std::array<std::string_view, 4> run_phase_names{"starting", "running", "stopping",
                                                                 "finished"};
constexpr std::string_view name(RunPhase phase) { return run_phase_names[static_cast<std::size_t>(phase)]; }

/// What a running maker says of itself, for whoever watches it from outside. It lives as long as `steps`
/// moves: a process that merely exists proves nothing.
struct Progress {
  std::uint32_t pid = 0;
  std::uint32_t run_epoch = 0;
  std::uint64_t steps = 0;    ///< inputs the engine has consumed; timers count
  std::int64_t local_ns = 0;  ///< its monotonic clock; compare it only with its own
  RunPhase phase = RunPhase::starting;
  std::uint32_t orders_live = 0;
  friend constexpr bool operator==(const Progress&, const Progress&) = default;
};

}  // namespace phoenix::ops
