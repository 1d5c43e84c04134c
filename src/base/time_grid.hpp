#pragma once

#include "base/time.hpp"

namespace phoenix::base {

/// The first multiple of `interval` (> 0) after `time`, counted from 1970: how things that repeat keep in
/// step with the clock. Of either clock; `time` is not before 1970.
template <class TimePoint>
constexpr TimePoint next_multiple(TimePoint time, Duration interval) {
  return TimePoint{(time.time_since_epoch() / interval + 1) * interval};
}

}  // namespace phoenix::base
