#pragma once

#include "base/time.hpp"
#include "model/market.hpp"
#include "model/side.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace phoenix::signal {

/// How often the market reaches an order that rests on one side at distance d from the mid: `at_touch` *
/// exp(-`decay` * d) times a second.
struct Intensity {
  double at_touch = 0;  ///< A, 1/s, above 0: of an order at the mid itself
  double decay = 0;     ///< k, 1/quote currency, above 0

  friend bool operator==(const Intensity&, const Intensity&) = default;
};

struct IntensityOptions {
  base::Duration slot = base::seconds{5};  ///< the window moves in such steps; 1 s to 60 s
  int slots = 120;                         ///< times `slot`: the window, 10 minutes; 2 to 720
  base::Duration ready_after = base::minutes{5};
  int sweeps_min = 50;                        ///< in the window
  int reached_min = 5;                        ///< sweeps that reach a distance for it to count
  base::Duration gap_max = base::minutes{1};  ///< without any event: what came before is forgotten
};
/// The first rule they break, in words; empty when they keep them all.
std::string check(const IntensityOptions& options);

/// Estimates A and k of one symbol from its trades. One taker's order that eats several levels comes as
/// several trades of one side and one time; it is one *sweep*, and its depth is the largest distance of its
/// trades from the mid before it. Sweeps of both sides count, an order meets half of them. Of the sweeps in
/// the window, the share that is at least d deep falls as exp(-k d) where the model holds, so a straight line
/// through ln(sweeps per second at least d deep) over d has the slope -k and the height ln A at 0
/// (Avellaneda, Stoikov 2008, section 2.5; Gueant, Lehalle, Fernandez-Tapia 2013, section 2). The line is
/// fitted by least squares, each distance weighted by its count, since the variance of the logarithm of a
/// count n is about 1/n. Distances begin at the mean half spread, where every sweep counts, and grow by the
/// square root of two up to 1.4 % of the mid.
///
/// O(1) an event, but for one fit each slot. All sums are of whole numbers: nothing drifts. Time is the
/// venue's; a step back is taken as no step.
class IntensityEstimator {
 public:
  explicit IntensityEstimator(const IntensityOptions& options = {});

  /// Both prices positive, bid below ask; else it is ignored.
  void on_touch(model::Price bid, model::Price ask, base::VenueTime now);
  void on_trade(const model::AggTrade& trade);

  /// As of the last full slot. Empty until the window is long enough and holds enough sweeps, and while the
  /// depths do not fall off.
  std::optional<Intensity> estimate() const { return estimate_; }
  std::int64_t sweeps() const { return total_.sweeps; }
  std::uint64_t resets() const { return resets_; }

  static constexpr std::size_t distances_count = 24;

 private:
  struct Counts {
    std::int64_t sweeps = 0;
    std::int64_t half_spreads = 0;                        ///< their sum over the sweeps, 1e-10 of the mid
    std::array<std::int64_t, distances_count> deepest{};  ///< sweeps by the last distance they reach
  };
  struct Sweep {
    model::Side side = model::Side::bid;
    base::VenueTime time{};
    double mid = 0, half_spread = 0;  ///< when it began; the half spread as a ratio of the mid
    double depth = 0;                 ///< likewise
  };

  void advance(base::VenueTime now);
  void reset();
  void next_slot();
  void close_sweep();
  void fit();

  IntensityOptions options_;
  std::vector<Counts> ring_;  ///< by slot; the newest is being filled
  Counts total_;
  std::optional<base::VenueTime> begin_, last_;
  std::int64_t slot_ = 0;  ///< since `begin_`
  double mid_ = 0, half_spread_ = 0;
  std::optional<Sweep> sweep_;
  std::optional<Intensity> estimate_;
  std::uint64_t resets_ = 0;
};

}  // namespace phoenix::signal
