#pragma once

#include "model/fixed.hpp"
#include "model/instrument.hpp"
#include "model/quote.hpp"
#include "quote/strategy.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace phoenix::quote {

/// In what a distance is given: the keys end in `_abs` (quote currency) or `_bps` (1e-4 of the mid).
enum class DistanceUnit : std::uint8_t { abs, bps };
struct Distance {
  DistanceUnit unit = DistanceUnit::bps;
  double value = 0;

  double at(double mid) const { return unit == DistanceUnit::abs ? value : value * 1e-4 * mid; }
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

  static constexpr int layers_max = 50;
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
using Distances = std::array<double, GridParams::layers_max>;
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

/// Normal mode. The model computes in doubles (+, -, *, / only); everything after it is whole ticks and lots:
/// bids down, asks up, quantities down, layers that fall on one price a tick further out each.
class Grid final : public Strategy {
 public:
  /// Asserts `!check(params)`.
  explicit Grid(const GridParams& params);
  void quote(const QuoteInput& in, model::Quotes& out) override;
  /// New parameters from the next quote on; the state stays.
  void configure(const GridParams& params);
  const GridParams& params() const { return params_; }

 private:
  void add_side(const QuoteInput& in, model::Side side, int layers, double reservation,
                model::Quotes& out) const;

  GridParams params_;
  InventorySkew skew_;
  Distances distances_{};
};

}  // namespace phoenix::quote
