#pragma once

#include "base/static_vector.hpp"
#include "base/time.hpp"

#include <optional>

namespace phoenix::feed {

/// The one bridge between our clock and the venue's: offset = venue - local, from questions whose sending and
/// answer we timed. Of the last samples the one with the smallest round trip counts (binance.md 5.4).
class ClockOffset {
 public:
  /// The venue said `venue` somewhere between `sent` and `received`; halfway is the best guess.
  void sample(base::LocalTime sent, base::VenueTime venue, base::LocalTime received) {
    const base::Duration round_trip = received - sent;
    const base::Duration offset =
        base::Duration{base::ns_of(venue) - base::ns_of(sent) - round_trip.count() / 2};
    if (samples_.full()) samples_.erase_at(0);
    samples_.push_back({offset, round_trip});
  }
  /// Throws the samples away: after a -1021 they are not to be trusted. Until a new one comes, times are
  /// still translated by the last offset, so that they do not jump.
  void reset() {
    last_ = best();
    samples_.clear();
  }

  bool known() const { return !samples_.empty(); }
  std::size_t samples() const { return samples_.size(); }
  base::Duration offset() const { return best().offset; }
  /// Half the round trip of the sample used: the offset is right within this.
  base::Duration error() const { return best().round_trip / 2; }

  base::VenueTime to_venue(base::LocalTime local) const {
    return base::venue_time_ns(base::ns_of(local) + best().offset.count());
  }

 private:
  struct Sample {
    base::Duration offset{}, round_trip{};
  };
  Sample best() const {
    Sample best = last_;
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      if (i == 0 || samples_[i].round_trip < best.round_trip) best = samples_[i];
    }
    return best;
  }
  base::StaticVector<Sample, 8> samples_;
  Sample last_;  ///< what was known before the reset
};

}  // namespace phoenix::feed
