#pragma once

#include "model/fixed.hpp"
#include "model/instrument.hpp"
#include "quote/ladder.hpp"
#include "quote/strategy.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace phoenix::quote {

/// What stands in for an estimate that is not ready.
struct GlftFallback {
  double volatility_bps = 0;  ///< sigma, 1e-4 of the mid per sqrt(s), above 0
  double at_touch = 0;        ///< A, 1/s, above 0
  double decay_per_bps = 0;   ///< k, per 1e-4 of the mid, above 0
};

/// Optimal quotes of a market maker with constant absolute risk aversion, without a horizon.
struct GlftParams {
  model::Qty net_max;     ///< largest |position|: nothing that adds could pass it
  model::Qty layer_size;  ///< of every order
  int layers = 7;         ///< per side, 1 to layers_max
  Distance spacing;       ///< from layer to layer
  double gamma = 0.05;    ///< risk aversion, 1/quote currency, (0, 1e6]
  double min_spread = 0;  ///< between the best bid and ask, as a ratio of the mid, [0, 0.01]
  std::optional<GlftFallback> fallback;
};

enum class GlftFault : std::uint8_t {
  net_max_not_positive,
  layer_size_not_positive,
  layer_size_above_net_max,
  layers_out_of_range,
  spacing_not_positive,
  gamma_out_of_range,
  min_spread_out_of_range,
  fallback_out_of_range,
  spacing_below_tick,   ///< needs the market
  layer_size_off_step,  ///< likewise
  layer_below_minimum,  ///< likewise: quantity or notional below what the venue takes
};
std::string_view text(GlftFault fault);
/// The first rule the parameters break by themselves.
std::optional<GlftFault> check(const GlftParams& params);
/// And at a price.
std::optional<GlftFault> check_at(const GlftParams& params, const model::Instrument& instrument,
                                  model::Price mid);

/// Half the spread at a flat position, and how far both quotes move for each unit of position against it.
struct GlftQuote {
  double half_spread = 0;    ///< quote currency
  double skew_per_unit = 0;  ///< quote currency per unit of base
};
/// The asymptotic closed form of Gueant, Lehalle, Fernandez-Tapia (2013), for orders of size `size` (Gueant
/// 2017). With x = gamma * size / k:
///   skew  = sigma * sqrt(gamma / (2 * A * size * k) * (1 + x)^(1 + 1/x))
///   half  = ln(1 + x) / (gamma * size) + skew * size / 2
/// so a bid rests at mid - half - skew * position and an ask at mid + half - skew * position. All positive;
/// sigma may be 0.
GlftQuote glft_quote(double gamma, double sigma, const Intensity& intensity, double size);

/// One mode. Bids while position + bids <= net_max, asks likewise; what reduces is never cut.
class Glft final : public Strategy {
 public:
  /// Asserts `!check(params)`.
  explicit Glft(const GlftParams& params);
  /// Wants nothing, and says why, while volatility or intensity are not ready and there is no fallback.
  void quote(const QuoteInput& in, Decision& out) override;
  /// `check_at`, but a layer size off the step is one that rounds down.
  std::string_view misfit(const model::Instrument& instrument, model::Price mid) const override;
  /// New parameters from the next quote on.
  void configure(const GlftParams& params);
  const GlftParams& params() const { return params_; }

 private:
  GlftParams params_;
  Distances distances_{};
};

}  // namespace phoenix::quote
