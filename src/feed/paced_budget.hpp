#pragma once

#include "base/assert.hpp"
#include "base/time.hpp"

#include <algorithm>
#include <cstdint>

namespace phoenix::feed {

struct PacedBudgetOptions {
  int attempts = 0;  ///< in any window
  int burst = 0;     ///< of these, as many as may come at once; the others come evenly
  base::Duration window{};
};

/// The openings all connections of the process may make together: the venue takes 300 of one address
/// (binance.md 1.4), and a second process may share it.
inline constexpr PacedBudgetOptions connect_budget{.attempts = 150, .burst = 30, .window = base::minutes{5}};

/// How often something may be tried. A plain count per window would let a short storm spend everything and
/// then lock us out until the window is over, long after the trouble is; so only a part may come at once and
/// the rest is spread evenly over the window.
///
/// `book` gives each caller its own time, in the order of asking, and counts it as used: nobody starves.
class PacedBudget {
 public:
  explicit PacedBudget(PacedBudgetOptions options)
      : burst_(options.burst), interval_(options.window / std::max(1, options.attempts - options.burst)) {
    PHX_ASSERT(options.burst > 0 && options.attempts > options.burst,
               "a paced budget spreads a part of its attempts");
  }

  /// When the caller may try: `now`, or later where the budget is used up.
  base::LocalTime book(base::LocalTime now) {
    const base::LocalTime at = std::max({now, held_until_, paid_until_ - interval_ * (burst_ - 1)});
    paid_until_ = std::max(paid_until_, at) + interval_;
    ++booked_;
    return at;
  }
  /// The venue named a time before which nothing of this address is welcome (429, 418). Only ever later.
  void hold_until(base::LocalTime time) { held_until_ = std::max(held_until_, time); }
  /// Before it, an attempt booked earlier has to wait, too.
  base::LocalTime held_until() const { return held_until_; }
  /// Attempts that may come at once at `now`.
  int left(base::LocalTime now) const {
    if (paid_until_ <= now) return burst_;
    return std::max(
        0, burst_ - static_cast<int>((paid_until_ - now + interval_ - base::Duration{1}) / interval_));
  }
  std::uint64_t booked() const { return booked_; }

 private:
  int burst_;
  base::Duration interval_;
  base::LocalTime paid_until_{};  ///< the attempts booked so far, one per interval, reach to here
  base::LocalTime held_until_{};
  std::uint64_t booked_ = 0;
};

}  // namespace phoenix::feed
