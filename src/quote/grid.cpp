#include "quote/grid.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace phoenix::quote {
namespace {

constexpr double dead_band = 0.05;
constexpr double volatility_gain = 50.0;
constexpr double volatility_scaling_min = 0.8, volatility_scaling_max = 2.0;

/// Of a number that may be anything, NaN too.
bool is_within(double value, double least, double most) { return value >= least && value <= most; }
/// Likewise, without the lower end.
bool is_above(double value, double bound, double most) { return value > bound && value <= most; }

std::optional<GridFault> check_modes(const GridParams& p) {
  using F = GridFault;
  const auto& pin = p.pinning;
  if (pin.enabled) {
    if (!is_within(pin.threshold, 0.5, 0.95)) return F::pinning_threshold_out_of_range;
    if (!is_above(pin.touch_size, 0, 10)) return F::pinning_touch_size_out_of_range;
  }
  const auto& grind = p.grinding;
  if (grind.enabled) {
    if (!is_within(grind.threshold, 0.3, 0.95)) return F::grinding_threshold_out_of_range;
    if (pin.enabled && grind.threshold <= pin.threshold) return F::grinding_not_above_pinning;
    if (!is_above(grind.volatility_max, 0, 0.1)) return F::grinding_volatility_out_of_range;
    if (!is_above(grind.take_share, 0, 1)) return F::grinding_take_share_out_of_range;
    if (!is_above(grind.take_reach_bps, 0, 50)) return F::grinding_take_reach_out_of_range;
    if (grind.take_interval < base::seconds{1} || grind.take_interval > base::hours{24}) {
      return F::grinding_take_interval_out_of_range;
    }
    if (!is_above(grind.reentry_size, 0, 10)) return F::grinding_reentry_size_out_of_range;
    if (!is_above(grind.reentry_bps, 0, 100)) return F::grinding_reentry_distance_out_of_range;
    if (!is_above(grind.adding_usage_max, 0, 1)) return F::grinding_adding_usage_out_of_range;
  }
  if (pin.enabled || grind.enabled) {
    if (!is_within(p.mode_hysteresis, 0.01, 0.25)) return F::mode_hysteresis_out_of_range;
    if (p.mode_dwell < base::seconds{5} || p.mode_dwell > base::minutes{10}) {
      return F::mode_dwell_out_of_range;
    }
  }
  return std::nullopt;
}

std::optional<GridFault> check_vpin(const VpinParams& p) {
  using F = GridFault;
  if (!p.enabled) return std::nullopt;
  if (!is_above(p.threshold, 0, 1)) return F::vpin_threshold_out_of_range;
  if (!is_within(p.multiplier, 0, 10)) return F::vpin_multiplier_out_of_range;
  if (!is_within(p.pause_threshold, p.threshold, 1)) return F::vpin_pause_threshold_out_of_range;
  if (p.pause < base::seconds{1} || p.pause > base::minutes{10}) return F::vpin_pause_out_of_range;
  return std::nullopt;
}

/// `layers` of them, but no more than the position.
model::Qty exit_size(const GridParams& params, double layers, model::Qty position) {
  const auto wanted = model::to_step(layers * params.layer_size.to_double(), model::Qty::from_raw(1),
                                     model::Rounding::nearest);
  return std::min(wanted, position);
}

}  // namespace

std::string_view text(GridFault fault) {
  switch (fault) {
    case GridFault::net_max_not_positive:
      return "net_max must be above 0";
    case GridFault::layer_size_not_positive:
      return "the layer size must be above 0";
    case GridFault::layers_out_of_range:
      return "the number of layers must be from 1 to 50";
    case GridFault::start_not_positive:
      return "the grid's start offset must be above 0";
    case GridFault::first_spacing_not_positive:
      return "the grid's first spacing must be above 0";
    case GridFault::multiplier_not_above_one:
      return "the grid's spacing multiplier must be above 1";
    case GridFault::max_spacing_below_first:
      return "the grid's largest spacing must be 0 or at least the first one";
    case GridFault::min_spread_out_of_range:
      return "min_spread must be above 0 and at most 0.01";
    case GridFault::coefficient_out_of_range:
      return "the skew and funding coefficients must be finite and not negative";
    case GridFault::pinning_threshold_out_of_range:
      return "the pinning threshold must be from 0.5 to 0.95";
    case GridFault::pinning_touch_size_out_of_range:
      return "pinning's order at the touch must be above 0 and at most 10 layers";
    case GridFault::grinding_threshold_out_of_range:
      return "the grinding threshold must be from 0.3 to 0.95";
    case GridFault::grinding_not_above_pinning:
      return "the grinding threshold must be above the pinning threshold";
    case GridFault::grinding_volatility_out_of_range:
      return "grinding's largest volatility must be above 0 and at most 0.1 of the mid";
    case GridFault::grinding_take_share_out_of_range:
      return "the share that grinding takes must be above 0 and at most 1";
    case GridFault::grinding_take_reach_out_of_range:
      return "the reach of grinding's take must be above 0 and at most 50 bps";
    case GridFault::grinding_take_interval_out_of_range:
      return "the time between grinding's takes must be from 1 second to 1 day";
    case GridFault::grinding_reentry_size_out_of_range:
      return "grinding's re-entry order must be above 0 and at most 10 layers";
    case GridFault::grinding_reentry_distance_out_of_range:
      return "the distance of grinding's re-entry order must be above 0 and at most 100 bps";
    case GridFault::grinding_adding_usage_out_of_range:
      return "the usage from which grinding adds nothing must be above 0 and at most 1";
    case GridFault::mode_hysteresis_out_of_range:
      return "the hysteresis of the modes must be from 0.01 to 0.25";
    case GridFault::mode_dwell_out_of_range:
      return "the dwell of the modes must be from 5 seconds to 10 minutes";
    case GridFault::vpin_threshold_out_of_range:
      return "the VPIN threshold must be above 0 and at most 1";
    case GridFault::vpin_multiplier_out_of_range:
      return "the VPIN multiplier must be from 0 to 10";
    case GridFault::vpin_pause_threshold_out_of_range:
      return "the VPIN pause threshold must be from the VPIN threshold to 1";
    case GridFault::vpin_pause_out_of_range:
      return "the VPIN pause must be from 1 second to 10 minutes";
    case GridFault::start_below_tick:
      return "the grid's start offset is less than one tick";
    case GridFault::first_spacing_below_tick:
      return "the grid's first spacing is less than one tick";
    case GridFault::layer_size_off_step:
      return "the layer size is not a multiple of the venue's step";
    case GridFault::layer_below_minimum:
      return "one layer is below the venue's minimum quantity or notional";
  }
  return "unknown fault";
}

std::optional<GridFault> check(const GridParams& p) {
  using F = GridFault;
  const auto coefficient = [](double value) { return model::fits_scaled(value) && value >= 0; };
  if (!p.net_max.is_positive()) return F::net_max_not_positive;
  if (!p.layer_size.is_positive()) return F::layer_size_not_positive;
  if (p.layers < 1 || p.layers > GridParams::layers_max) return F::layers_out_of_range;
  if (!is_positive(p.start)) return F::start_not_positive;
  if (!is_positive(p.first_spacing)) return F::first_spacing_not_positive;
  if (!model::fits_scaled(p.multiplier) || p.multiplier <= 1.0) return F::multiplier_not_above_one;
  const bool capped = p.max_spacing.value != 0;
  if (capped && !is_positive(p.max_spacing)) return F::max_spacing_below_first;
  if (capped && p.max_spacing.unit == p.first_spacing.unit && p.max_spacing.value < p.first_spacing.value) {
    return F::max_spacing_below_first;
  }
  if (!(p.min_spread > 0 && p.min_spread <= 0.01)) return F::min_spread_out_of_range;
  if (!coefficient(p.skew_coeff) || !coefficient(p.funding_coeff)) return F::coefficient_out_of_range;
  if (const auto fault = check_modes(p)) return fault;
  return check_vpin(p.vpin);
}

std::optional<GridFault> check_at(const GridParams& p, const model::Instrument& instrument,
                                  model::Price mid) {
  using F = GridFault;
  const double at = mid.to_double(), tick = instrument.tick_size.to_double();
  // A distance in whole ticks may come out of its double a hair short of them.
  const double tick_less_noise = tick * (1 - 1e-9);
  if (p.start.at(at) < tick_less_noise) return F::start_below_tick;
  if (p.first_spacing.at(at) < tick_less_noise) return F::first_spacing_below_tick;
  if (p.max_spacing.value != 0 && p.max_spacing.at(at) < p.first_spacing.at(at) * (1 - 1e-9)) {
    return F::max_spacing_below_first;
  }
  if (instrument.qty_down(p.layer_size) != p.layer_size) return F::layer_size_off_step;
  if (p.layer_size < instrument.qty_min ||
      model::notional(mid, p.layer_size, model::Rounding::down) < instrument.notional_min) {
    return F::layer_below_minimum;
  }
  return std::nullopt;
}

void grid_distances(const GridParams& params, double mid, double outward, Distances& out) {
  const double first = params.first_spacing.at(mid), cap = params.max_spacing.at(mid);
  double distance = params.start.at(mid) + outward, factor = 1.0;
  for (int n = 0; n < params.layers; ++n) {
    out[static_cast<std::size_t>(n)] = distance;
    double gap = first * factor;
    const bool at_cap = cap > 0 && gap >= cap;
    if (at_cap) gap = cap;
    distance += gap;
    // Past the cap, or past every price, the factor need not grow further towards infinity.
    if (!at_cap && gap < 1e11) factor *= params.multiplier;
  }
}

LayerCounts layer_counts(int layers, model::Qty position, model::Qty net_max) {
  PHX_ASSERT(net_max.is_positive(), "usage has a positive base");
  if (position.is_zero()) return {layers, layers};
  // floor(L * (1 - 0.6 |pos| / net_max)) in whole numbers, so that no rounding of a double moves a layer.
  __extension__ using Wide = __int128;
  const Wide whole = Wide{net_max.raw()} * 10;
  const Wide left = Wide{layers} * (whole - Wide{position.abs().raw()} * 6);
  const int adding = left <= 0 ? 1 : std::max(1, static_cast<int>(left / whole));
  return position.is_positive() ? LayerCounts{.bid = adding, .ask = layers}
                                : LayerCounts{.bid = layers, .ask = adding};
}

double volatility_scaling(double volatility_ratio) {
  return std::clamp(1.0 + volatility_gain * volatility_ratio, volatility_scaling_min, volatility_scaling_max);
}

double InventorySkew::step(model::Qty position, model::Qty net_max) {
  if (position.is_zero()) {
    used_.reset();
    return 0.0;
  }
  const double r = std::clamp(position.to_double() / net_max.to_double(), -1.0, 1.0);
  if (used_) {
    const double moved = r > *used_ ? r - *used_ : *used_ - r;
    if (r * *used_ > 0 && moved < dead_band) return *used_;
  }
  used_ = r;
  return r;
}

double outward_shift(const GridParams& params, double mid, std::optional<double> volatility_ratio,
                     std::optional<double> vpin) {
  const double start = params.start.at(mid);
  double factor = volatility_ratio ? std::max(volatility_scaling(*volatility_ratio), 1.0) : 1.0;
  if (params.vpin.enabled && vpin && *vpin >= params.vpin.threshold) {
    factor *= 1.0 + params.vpin.multiplier * *vpin;
  }
  return std::max(start, 0.5 * params.min_spread * mid) * factor - start;
}

Mode ModeSwitch::step(const GridParams& params, model::Qty position, std::optional<double> volatility_ratio,
                      base::LocalTime now) {
  const auto wanted = [&] {
    const double slack = params.mode_hysteresis;
    const auto& grind = params.grinding;
    if (grind.enabled && volatility_ratio) {
      const bool stays = mode_ == Mode::grinding;
      const double usage = grind.threshold - (stays ? slack : 0);
      const double volatility = grind.volatility_max * (stays ? 1 + slack : 1);
      if (compare_usage(position, params.net_max, usage) >= 0 && *volatility_ratio < volatility) {
        return Mode::grinding;
      }
    }
    const auto& pin = params.pinning;
    if (!pin.enabled) return Mode::normal;
    const bool pinned = mode_ == Mode::normal
                            ? compare_usage(position, params.net_max, pin.threshold) > 0
                            : compare_usage(position, params.net_max, pin.threshold - slack) >= 0;
    return pinned ? Mode::pinning : Mode::normal;
  }();
  if (wanted > mode_ || (wanted < mode_ && now - since_ >= params.mode_dwell)) {
    mode_ = wanted;
    since_ = now;
  }
  return mode_;
}

Grid::Grid(const GridParams& params) { configure(params); }

std::string_view Grid::misfit(const model::Instrument& instrument, model::Price mid) const {
  auto rounded = params_;
  rounded.layer_size = instrument.qty_down(params_.layer_size);
  const auto fault = check_at(rounded, instrument, mid);
  return fault ? text(*fault) : std::string_view{};
}

void Grid::configure(const GridParams& params) {
  PHX_ASSERT(!check(params), "a grid's parameters were checked");
  params_ = params;
}

void Grid::quote(const QuoteInput& in, Decision& out) {
  out.clear();
  out.mode = mode_.step(params_, in.position, in.volatility_ratio, in.now);
  const double mid = exact_mid(in.top);
  const double skew = -skew_.step(in.position, params_.net_max) * params_.skew_coeff * mid;
  const double bias = -in.predicted_funding.to_double() * params_.funding_coeff * mid;
  const double reservation = mid + skew + bias;
  if (!model::fits_scaled(reservation)) return;

  const auto reducing = reducing_side(in.position);
  if (out.mode == Mode::grinding) {
    const double usage = in.position.abs().to_double() / params_.net_max.to_double();
    const double threshold = params_.grinding.threshold;
    out.progress = std::max((usage - threshold) / (1 - threshold), 0.0);
    if (reducing) out.take = take(in, *reducing, mid);
  }
  LayerCounts counts = layer_counts(params_.layers, in.position, params_.net_max);
  out.why = adding_stopped(in, out.mode);
  if (!out.why.empty()) {
    if (reducing != model::Side::bid) counts.bid = 0;
    if (reducing != model::Side::ask) counts.ask = 0;
  }
  grid_distances(params_, mid, outward_shift(params_, mid, in.volatility_ratio, in.vpin), distances_);
  for (const auto side : {model::Side::bid, model::Side::ask}) {
    SideBuilder builder{in, side, out.quotes};
    if (side == reducing) add_exit(in, out, mid, builder);
    builder.add_ladder(reservation, distances_, side == model::Side::bid ? counts.bid : counts.ask,
                       params_.layer_size);
  }
}

void Grid::add_exit(const QuoteInput& in, const Decision& decided, double mid, SideBuilder& builder) const {
  const bool bid = in.position.is_negative();
  const model::Qty held = in.position.abs();
  if (decided.mode == Mode::pinning) {
    const model::Price touch = bid ? in.top.bid.price : in.top.ask.price;
    const model::Price others = (bid ? in.other_bid : in.other_ask).value_or(touch);
    builder.add((bid ? std::min(touch, others) : std::max(touch, others)).to_double(),
                exit_size(params_, params_.pinning.touch_size, held));
  } else if (decided.mode == Mode::grinding) {
    const double distance = params_.grinding.reentry_bps * 1e-4 * mid;
    const model::Qty left = decided.take ? held - decided.take->qty : held;
    builder.add(bid ? mid - distance : mid + distance,
                exit_size(params_, params_.grinding.reentry_size, left), model::Intent::reduce_only);
  }
}

std::string_view Grid::adding_stopped(const QuoteInput& in, Mode mode) {
  const auto& vpin = params_.vpin;
  if (!vpin.enabled) paused_until_.reset();
  if (vpin.enabled && in.vpin && *in.vpin >= vpin.pause_threshold) paused_until_ = in.now + vpin.pause;
  if (mode == Mode::grinding) {
    const double level = params_.grinding.adding_usage_max - (full_ ? params_.mode_hysteresis : 0);
    full_ = compare_usage(in.position, params_.net_max, level) >= 0;
    return full_ ? "usage" : "";
  }
  full_ = false;
  return paused_until_ && in.now < *paused_until_ ? "one-sided volume" : "";
}

std::optional<Take> Grid::take(const QuoteInput& in, model::Side side, double mid) {
  const auto& grind = params_.grinding;
  if (!in.volatility_ratio || *in.volatility_ratio >= grind.volatility_max) return std::nullopt;
  if (last_take_ && in.now - *last_take_ < grind.take_interval) return std::nullopt;

  const model::Instrument& instrument = in.instrument;
  const auto unit = model::Qty::from_raw(1);
  const model::Qty least = model::round_to(std::max({instrument.step_size, instrument.qty_min, unit}),
                                           std::max(instrument.step_size, unit), model::Rounding::up);
  const model::Qty held = in.position.abs();
  const model::Qty share = instrument.qty_down(
      model::to_step(grind.take_share * held.to_double(), unit, model::Rounding::nearest));
  const model::Qty qty = std::max(share, least);
  if (qty > held) return std::nullopt;

  // The limit is the bound itself, rounded towards the mid: a touch that is nearer gives the better price.
  const bool bid = side == model::Side::bid;
  const double reach = grind.take_reach_bps * 1e-4 * mid;
  const model::Price limit = model::to_tick(bid ? mid + reach : mid - reach,
                                            std::max(instrument.tick_size, model::Price::from_raw(1)),
                                            bid ? model::Rounding::down : model::Rounding::up);
  if (bid ? in.top.ask.price > limit : in.top.bid.price < limit) return std::nullopt;
  if (model::check_order(instrument, limit, qty, model::Intent::reduce_only)) return std::nullopt;
  last_take_ = in.now;
  return Take{.side = side, .qty = qty, .limit = limit};
}

}  // namespace phoenix::quote
