#pragma once

#include "base/time.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace phoenix::risk {

/// A sum over the last `width`, kept in tenths: what is up to a tenth older still counts, so a limit on it is
/// never looser than stated. O(1), no allocation.
class SlidingSum {
 public:
  explicit SlidingSum(base::Duration width) : slice_ns_{std::max<std::int64_t>(width.count() / slices, 1)} {}

  void add(std::int64_t amount, base::LocalTime now) {
    advance(now);
    sum_ += amount;
    sums_[at(newest_)] += amount;
  }
  std::int64_t sum(base::LocalTime now) {
    advance(now);
    return sum_;
  }
  void clear() {
    sums_.fill(0);
    sum_ = 0;
  }

 private:
  static constexpr std::int64_t slices = 10, held = slices + 1;
  static std::size_t at(std::int64_t slice) { return static_cast<std::size_t>(slice % held); }
  void advance(base::LocalTime now) {
    const std::int64_t slice = base::ns_of(now) / slice_ns_;
    if (slice >= newest_ + held) {
      clear();
      newest_ = slice;
    }
    while (newest_ < slice) {
      auto& oldest = sums_[at(++newest_)];
      sum_ -= oldest;
      oldest = 0;
    }
  }

  std::int64_t slice_ns_;
  std::int64_t newest_ = 0, sum_ = 0;
  std::array<std::int64_t, held> sums_{};
};

}  // namespace phoenix::risk
