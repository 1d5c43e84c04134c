#pragma once

#include "base/time.hpp"

#include <chrono>

namespace phoenix::io {

/// The process's one real clock: the wall clock as it stood at construction, advanced by the monotonic clock
/// only, so it never steps. Make one and share it: times of two RealClocks do not compare. Any thread.
class RealClock {
 public:
  RealClock()
      : wall_at_start_{std::chrono::duration_cast<base::Duration>(
            std::chrono::system_clock::now().time_since_epoch())},
        steady_at_start_{std::chrono::steady_clock::now()} {}

  base::LocalTime now() const {
    return base::LocalTime{wall_at_start_ + (std::chrono::steady_clock::now() - steady_at_start_)};
  }

 private:
  base::Duration wall_at_start_;
  std::chrono::steady_clock::time_point steady_at_start_;
};

}  // namespace phoenix::io
