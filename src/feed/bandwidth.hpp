#pragma once

#include "base/time.hpp"

#include <cstdint>
#include <optional>

namespace phoenix::feed {

struct BandwidthOptions {
  std::uint64_t budget_bytes_per_s = 0;  ///< 0 = none: measures, never steps
  int steps_max = 0;                     ///< levels 0 (everything) to steps_max (least)
  base::Duration down_after = base::seconds{5};
  base::Duration up_after = base::seconds{60};
  base::Duration settle_for = base::seconds{5};  ///< nothing is judged for this long after a step
  base::Duration up_after_max = base::minutes{15};
  base::Duration relapse_within = base::minutes{2};
  int up_percent = 60;  ///< of the budget: below it there may be room for the next step up
};

/// Steps traffic down while it is above the budget and up again when there is room, one step at a time.
/// Having to come down again soon after going up doubles the wait before the next try; an up that holds
/// forgets that. What a step means is the owner's list.
class Bandwidth {
 public:
  struct Change {
    int from = 0, to = 0;
    std::uint64_t rate = 0;  ///< bytes a second that caused it
  };

  explicit Bandwidth(BandwidthOptions options);

  /// All wire bytes received so far, about once a second. A total that went back starts anew.
  void measured(std::uint64_t wire_bytes_total, base::LocalTime now);

  int level() const { return level_; }
  /// Bytes a second, smoothed over some seconds, but not while a step settles.
  std::uint64_t rate() const { return rate_; }
  /// How long there must be room before the next step up.
  base::Duration up_after() const { return up_after_; }
  /// The change since the last time this was asked; several in between come as one.
  std::optional<Change> take_change();

 private:
  void smooth(std::uint64_t bytes, base::milliseconds span, base::LocalTime now);
  void step_to(int level, base::LocalTime now);

  BandwidthOptions options_;
  int level_ = 0;
  std::optional<std::uint64_t> total_;  ///< at measured_at_
  base::LocalTime measured_at_{};
  std::uint64_t rate_ = 0;
  std::optional<base::LocalTime> settled_at_;
  std::optional<base::LocalTime> above_since_, below_since_;
  std::optional<base::LocalTime> stepped_up_;  ///< until it has held, or was taken back
  base::Duration up_after_;
  std::optional<Change> change_;
};

}  // namespace phoenix::feed
