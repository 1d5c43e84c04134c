#pragma once

#include "base/time.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace phoenix::ops {

/// How long something took: counts in fixed buckets from 1 us to 10 s, as Prometheus wants them. No
/// allocation.
class Histogram {
 public:
  /// Upper edges in nanoseconds, the edge itself included; beyond the last is a bucket of its own.
  static constexpr std::array<std::int64_t, 22> edges_ns{
      1'000,         2'000,         5'000,         10'000,        20'000,      50'000,
      100'000,       200'000,       500'000,       1'000'000,     2'000'000,   5'000'000,
      10'000'000,    20'000'000,    50'000'000,    100'000'000,   200'000'000, 500'000'000,
      1'000'000'000, 2'000'000'000, 5'000'000'000, 10'000'000'000};

  /// Below zero counts as zero.
  void add(base::Duration took) {
    const std::int64_t ns = std::max<std::int64_t>(took.count(), 0);
    const auto edge = std::lower_bound(edges_ns.begin(), edges_ns.end(), ns);
    ++counts_[static_cast<std::size_t>(edge - edges_ns.begin())];
    ++count_;
    sum_ns_ += static_cast<std::uint64_t>(ns);
  }

  std::uint64_t count() const { return count_; }
  base::Duration sum() const { return base::Duration{static_cast<std::int64_t>(sum_ns_)}; }
  /// By bucket, the last one beyond every edge; not cumulative.
  const std::array<std::uint64_t, edges_ns.size() + 1>& counts() const { return counts_; }
  /// The upper edge of the bucket that holds this share of all; zero without any, the last edge beyond it.
  base::Duration quantile(int per_mille) const {
    if (count_ == 0) return {};
    const std::uint64_t rank =
        std::max<std::uint64_t>(1, (count_ * static_cast<std::uint64_t>(per_mille) + 999) / 1000);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < edges_ns.size(); ++i) {
      below += counts_[i];
      if (below >= rank) return base::Duration{edges_ns[i]};
    }
    return base::Duration{edges_ns.back()};
  }

 private:
  std::array<std::uint64_t, edges_ns.size() + 1> counts_{};
  std::uint64_t count_ = 0, sum_ns_ = 0;
};

}  // namespace phoenix::ops
