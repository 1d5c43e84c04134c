#pragma once

#include "base/rng.hpp"
#include "base/time.hpp"

#include <algorithm>

namespace phoenix::feed {

struct BackoffOptions {
  base::Duration first = base::milliseconds{100};
  base::Duration max = base::seconds{15};
};

/// Delays between attempts of one connection: the first retry at once, then a capped exponential with full
/// jitter. `succeeded` is for data that flowed, never for a connect that merely worked.
class Backoff {
 public:
  Backoff(BackoffOptions options, std::uint64_t seed) : options_(options), rng_(seed) {}

  /// The delay before the next attempt; counts a failure.
  base::Duration next() {
    const int failure = failures_++;
    if (failure == 0) return base::Duration{0};
    const int doublings = std::min(failure - 1, 20);
    const base::Duration ceiling = std::min(options_.max, options_.first * (std::int64_t{1} << doublings));
    return base::Duration{rng_.between(ceiling.count() / 10, ceiling.count())};
  }
  void succeeded() { failures_ = 0; }
  int failures() const { return failures_; }

 private:
  BackoffOptions options_;
  base::Rng rng_;
  int failures_ = 0;
};

}  // namespace phoenix::feed
