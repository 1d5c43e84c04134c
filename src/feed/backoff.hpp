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
/// jitter, for ever. `succeeded` is for a connection that proved healthy for a while, never for a connect
/// that merely worked or for first data (D07).
class Backoff {
 public:
  Backoff(BackoffOptions options, std::uint64_t seed) : options_(options), rng_(seed) {}

  /// The delay before the next attempt; counts a failure.
  base::Duration next() {
    const int failure = failures_;
    failures_ = std::min(failures_ + 1, doublings_max);
    if (failure == 0) return base::Duration{0};
    const base::Duration ceiling =
        std::min(options_.max, options_.first * (std::int64_t{1} << (failure - 1)));
    return base::Duration{rng_.between(ceiling.count() / 10, ceiling.count())};
  }
  /// The same where the venue demands a pause: never shorter, and up to 5 % longer, so that all who were told
  /// the same do not come back in the same instant.
  base::Duration next_after(base::Duration pause) {
    const base::Duration own = next();  // drawn first: the order of arguments is the compiler's
    return std::max(own, pause + base::Duration{rng_.between(0, pause.count() / 20)});
  }
  void succeeded() { failures_ = 0; }
  int failures() const { return failures_; }

 private:
  static constexpr int doublings_max = 21;
  BackoffOptions options_;
  base::Rng rng_;
  int failures_ = 0;
};

}  // namespace phoenix::feed
