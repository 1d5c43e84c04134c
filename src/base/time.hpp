#pragma once

#include <chrono>
#include <cstdint>

namespace phoenix::base {

using Duration = std::chrono::nanoseconds;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

/// Our own clock: nanoseconds since 1970 as the wall clock said at process start, advanced by the monotonic
/// clock only. It never steps, so it drives every timer and stamps every receipt. Reading it is `io`'s
/// business.
struct LocalClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<LocalClock>;
  static constexpr bool is_steady = true;
};

/// The venue's clock (UTC, nanoseconds since 1970; the wire gives milliseconds or microseconds).
struct VenueClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<VenueClock>;
  static constexpr bool is_steady = false;
};

/// Subtracting one from the other does not compile; the tracked clock offset is the only bridge.
using LocalTime = LocalClock::time_point;
using VenueTime = VenueClock::time_point;

constexpr LocalTime local_time_ns(std::int64_t ns) { return LocalTime{Duration{ns}}; }
constexpr VenueTime venue_time_ns(std::int64_t ns) { return VenueTime{Duration{ns}}; }
constexpr VenueTime venue_time_ms(std::int64_t ms) { return VenueTime{milliseconds{ms}}; }
constexpr std::int64_t ns_of(LocalTime t) { return t.time_since_epoch().count(); }
constexpr std::int64_t ns_of(VenueTime t) { return t.time_since_epoch().count(); }
/// Whole milliseconds, rounded down, as requests are stamped.
constexpr std::int64_t ms_of(VenueTime t) {
  return std::chrono::floor<milliseconds>(t.time_since_epoch()).count();
}

}  // namespace phoenix::base
