#pragma once

#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/instrument.hpp"
#include "model/quote.hpp"
#include "quote/ladder.hpp"
#include "quote/strategy.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace phoenix::quote {

/// How a large position is worked off at the touch: from `threshold` of usage on, an order that joins the
/// market's best on the reducing side, before the ladder.
struct PinningParams {
  bool enabled = false;
  double threshold = 0.5;   ///< of usage, exceeded; [0.5, 0.95]
  double touch_size = 2.3;  ///< of the order at the touch, in layers; at most the position; (0, 10]
};

/// How a larger position is worked off in a calm market: now and then by taking, and by a reduce-only order
/// near the mid.
struct GrindingParams {
  bool enabled = false;
  double threshold = 0.65;       ///< of usage, reached; [0.30, 0.95]
  double volatility_max = 0.01;  ///< only below this volatility ratio, and only where it is known; (0, 0.1]
  double take_share = 0.075;     ///< of the position, in whole lots, one at least; (0, 1]
  double take_reach_bps = 5;     ///< worst price of a take from the mid, (0, 50]
  base::Duration take_interval = base::seconds{300};  ///< between takes; 1 s to 1 day
  double reentry_size = 2.1;      ///< of the reduce-only order, in layers; at most the position; (0, 10]
  double reentry_bps = 4.2;       ///< its distance from the mid, (0, 100]
  double adding_usage_max = 0.8;  ///< from this usage on nothing adds; (0, 1]
};

/// What one-sided volume does.
struct VpinParams {
  bool enabled = false;
  double threshold = 0.7;        ///< from here on the first distance grows by 1 + multiplier * VPIN; (0, 1]
  double multiplier = 0.2;       ///< [0, 10]
  double pause_threshold = 0.9;  ///< from here on nothing adds, not even when flat; [threshold, 1]
  base::Duration pause = base::seconds{5};  ///< since VPIN was last there; 1 s to 10 min
};

/// The unified geometric grid of one symbol.
struct GridParams {
  model::Qty net_max;          ///< largest |position|; usage is |position| / net_max
  model::Qty layer_size;       ///< of every layer
  int layers = 7;              ///< per side, 1 to layers_max
  Distance start;              ///< S: layer 1 from the reservation price
  Distance first_spacing;      ///< F: from layer 1 to layer 2
  double multiplier = 1.75;    ///< M > 1: each gap over the one before it
  Distance max_spacing;        ///< C: cap of one gap; 0 = none
  double min_spread = 0;       ///< between the best bid and ask, as a ratio of the mid, (0, 0.01]
  double skew_coeff = 0.002;   ///< k: skew = -position/net_max * k * mid
  double funding_coeff = 0.5;  ///< bias = -predicted funding * coeff * mid; 0 = none

  PinningParams pinning;
  GrindingParams grinding;  ///< its threshold above pinning's where both are enabled
  VpinParams vpin;
  /// A mode is left only when usage is this much below its threshold; [0.01, 0.25].
  double mode_hysteresis = 0.05;
  /// And not before it has lasted this long; 5 s to 10 min. A graver mode is entered at once.
  base::Duration mode_dwell = base::seconds{5};

  static constexpr int layers_max = quote::layers_max;
};

enum class GridFault : std::uint8_t {
  net_max_not_positive,
  layer_size_not_positive,
  layers_out_of_range,
  start_not_positive,
  first_spacing_not_positive,
  multiplier_not_above_one,
  max_spacing_below_first,
  min_spread_out_of_range,
  coefficient_out_of_range,
  pinning_threshold_out_of_range,
  pinning_touch_size_out_of_range,
  grinding_threshold_out_of_range,
  grinding_not_above_pinning,
  grinding_volatility_out_of_range,
  grinding_take_share_out_of_range,
  grinding_take_reach_out_of_range,
  grinding_take_interval_out_of_range,
  grinding_reentry_size_out_of_range,
  grinding_reentry_distance_out_of_range,
  grinding_adding_usage_out_of_range,
  mode_hysteresis_out_of_range,
  mode_dwell_out_of_range,
  vpin_threshold_out_of_range,
  vpin_multiplier_out_of_range,
  vpin_pause_threshold_out_of_range,
  vpin_pause_out_of_range,
  start_below_tick,          ///< needs the market: S is less than one tick
  first_spacing_below_tick,  ///< likewise
  layer_size_off_step,
  layer_below_minimum,  ///< quantity or notional below what the venue takes
};
std::string_view text(GridFault fault);
/// The first rule the parameters break by themselves.
std::optional<GridFault> check(const GridParams& params);
/// And at a price: is the first spacing a tick at least, does one layer pass the venue's filters?
std::optional<GridFault> check_at(const GridParams& params, const model::Instrument& instrument,
                                  model::Price mid);

/// Distances from the reservation price, before rounding: S, then gaps of F, F*M, F*M^2 ... each at most C.
/// The whole ladder moves outwards by `outward`.
void grid_distances(const GridParams& params, double mid, double outward, Distances& out);

/// Layers of a side: the reducing side all L, the adding side max(1, floor(L * (1 - 0.6 * usage))); flat: L
/// on both.
struct LayerCounts {
  int bid = 0, ask = 0;
  friend bool operator==(const LayerCounts&, const LayerCounts&) = default;
};
LayerCounts layer_counts(int layers, model::Qty position, model::Qty net_max);

/// clamp(1 + 50 * volatility_ratio, 0.8, 2).
double volatility_scaling(double volatility_ratio);

/// Pulls the ladder's centre against the position. r = position / net_max in [-1, 1] moves only when it
/// leaves a dead band of 0.05 around the value last used or changes its sign; a flat position resets it at
/// once.
class InventorySkew {
 public:
  /// The r in use after this position.
  double step(model::Qty position, model::Qty net_max);

 private:
  std::optional<double> used_;
};

/// How far the whole ladder moves outwards: the first distance is S or half of min_spread, whichever is more,
/// times the volatility scaling (never below 1) and, from its threshold on, times 1 + multiplier * VPIN.
double outward_shift(const GridParams& params, double mid, std::optional<double> volatility_ratio,
                     std::optional<double> vpin);

/// Which mode holds: grinding before pinning before normal. A graver one is entered as soon as its threshold
/// is met; one is left when usage has fallen by the hysteresis below its threshold (grinding also when the
/// volatility is no longer known, or above its limit by that share of it), and not before the dwell is over.
class ModeSwitch {
 public:
  /// The mode from now on.
  Mode step(const GridParams& params, model::Qty position, std::optional<double> volatility_ratio,
            base::LocalTime now);

 private:
  Mode mode_ = Mode::normal;
  base::LocalTime since_{};
};

/// The unified grid in three modes. The model computes in doubles (+, -, *, / only); everything after it is
/// whole ticks and lots.
///
/// - normal: the ladder around the reservation price, shorter on the adding side.
/// - pinning: before the reducing side's ladder an order of min(2.3 layers, |position|) that joins the best
///   price of the others and never steps in front of it; the ladder stays behind. The adding side remains.
/// - grinding: instead of that order a reduce-only one near the mid, and every five minutes a take of 7.5 %
///   of the position, at most 5 bps from the mid. No adding order at or above 80 % usage.
///
/// While VPIN is at its pause threshold, and 5 s longer, nothing adds, except in grinding.
class Grid final : public Strategy {
 public:
  /// Asserts `!check(params)`.
  explicit Grid(const GridParams& params);
  void quote(const QuoteInput& in, Decision& out) override;
  /// `check_at`, but a layer size off the step is one that rounds down.
  std::string_view misfit(const model::Instrument& instrument, model::Price mid) const override;
  /// New parameters from the next quote on; the state stays.
  void configure(const GridParams& params);
  const GridParams& params() const { return params_; }

 private:
  /// The reducing side's order before its ladder.
  void add_exit(const QuoteInput& in, const Decision& decided, double mid, SideBuilder& builder) const;
  /// Why nothing adds; empty while it may.
  std::string_view adding_stopped(const QuoteInput& in, Mode mode);
  std::optional<Take> take(const QuoteInput& in, model::Side side, double mid);

  GridParams params_;
  InventorySkew skew_;
  ModeSwitch mode_;
  std::optional<base::LocalTime> paused_until_, last_take_;
  bool full_ = false;  ///< grinding at the usage from which nothing adds
  Distances distances_{};
};

}  // namespace phoenix::quote
