#include "quote/grid.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace phoenix::quote {
namespace {

constexpr double dead_band = 0.05;
constexpr double volatility_gain = 50.0;
constexpr double volatility_scaling_min = 0.8, volatility_scaling_max = 2.0;

bool positive(const Distance& d) { return model::fits_scaled(d.value) && d.value > 0; }

/// The mid exactly as a double: half a unit of 1e-8 is not lost as it is in TopOfBook::mid.
double exact_mid(const model::TopOfBook& top) {
  return 0.5 * (top.bid.price.to_double() + top.ask.price.to_double());
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
  if (!positive(p.start)) return F::start_not_positive;
  if (!positive(p.first_spacing)) return F::first_spacing_not_positive;
  if (!model::fits_scaled(p.multiplier) || p.multiplier <= 1.0) return F::multiplier_not_above_one;
  const bool capped = p.max_spacing.value != 0;
  if (capped && !positive(p.max_spacing)) return F::max_spacing_below_first;
  if (capped && p.max_spacing.unit == p.first_spacing.unit && p.max_spacing.value < p.first_spacing.value) {
    return F::max_spacing_below_first;
  }
  if (!(p.min_spread > 0 && p.min_spread <= 0.01)) return F::min_spread_out_of_range;
  if (!coefficient(p.skew_coeff) || !coefficient(p.funding_coeff)) return F::coefficient_out_of_range;
  return std::nullopt;
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

Grid::Grid(const GridParams& params) { configure(params); }

void Grid::configure(const GridParams& params) {
  PHX_ASSERT(!check(params), "a grid's parameters were checked");
  params_ = params;
}

void Grid::quote(const QuoteInput& in, model::Quotes& out) {
  out.clear();
  const double mid = exact_mid(in.top);
  const double skew = -skew_.step(in.position, params_.net_max) * params_.skew_coeff * mid;
  const double bias = -in.predicted_funding.to_double() * params_.funding_coeff * mid;
  const double scaling = in.volatility_ratio ? std::max(volatility_scaling(*in.volatility_ratio), 1.0) : 1.0;
  const double spread = params_.min_spread * scaling * mid;
  const double outward = std::max(0.5 * spread - params_.start.at(mid), 0.0);
  const double reservation = mid + skew + bias;
  if (!model::fits_scaled(reservation)) return;

  grid_distances(params_, mid, outward, distances_);
  const LayerCounts counts = layer_counts(params_.layers, in.position, params_.net_max);
  add_side(in, model::Side::bid, counts.bid, reservation, out);
  add_side(in, model::Side::ask, counts.ask, reservation, out);
}

void Grid::add_side(const QuoteInput& in, model::Side side, int layers, double reservation,
                    model::Quotes& out) const {
  const model::Instrument& instrument = in.instrument;
  const model::Price tick = instrument.tick_size;
  const model::Qty qty = instrument.qty_down(params_.layer_size);
  const bool bid = side == model::Side::bid;
  // The price nearest to the market that the next layer may take.
  model::Price bound = bid ? in.top.ask.price - tick : in.top.bid.price + tick;
  if (!bid && !out.empty()) bound = std::max(bound, out.front().price + tick);  // above our own best bid
  for (int n = 0; n < layers; ++n) {
    const double distance = distances_[static_cast<std::size_t>(n)];
    const double wanted = bid ? reservation - distance : reservation + distance;
    if (!model::fits_scaled(wanted) || wanted <= 0) return;
    model::Price price = model::to_tick(wanted, tick, bid ? model::Rounding::down : model::Rounding::up);
    price = bid ? std::min(price, bound) : std::max(price, bound);
    bound = bid ? price - tick : price + tick;
    if (model::check_order(instrument, price, qty, model::Intent::open)) continue;
    out.push_back({.side = side, .layer = static_cast<std::uint16_t>(n), .price = price, .qty = qty});
  }
}

}  // namespace phoenix::quote
