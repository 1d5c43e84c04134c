#include "quote/glft.hpp"

#include "base/assert.hpp"
#include "signal/math.hpp"

#include <algorithm>
#include <cmath>

namespace phoenix::quote {
namespace {

constexpr double ln_2 = 0.693147180559945309417232121458;

/// ln(1 + x) / x for x >= 0; 1 at 0. Near 0 by its own series, since 1 + x would lose the digits of x.
double log1p_over(double x) {
  if (x > 0.5) return signal::log2_fixed(1 + x) * ln_2 / x;
  // ln(1 + x) = 2 artanh(x / (2 + x)); with s <= 0.2 the first term left out is below 1e-17.
  const double s = x / (2 + x);
  const double squared = s * s;
  double sum = 0;
  for (int n = 23; n >= 1; n -= 2) sum = sum * squared + 1.0 / n;
  return 2 / (2 + x) * sum;
}

/// Within what the closed form computes without overflow, far beyond what any market shows.
bool is_usable(double estimate) { return estimate >= 1e-12 && estimate <= 1e12; }

bool is_sound(const GlftFallback& f) {
  return is_usable(f.volatility_bps) && is_usable(f.at_touch) && is_usable(f.decay_per_bps);
}

/// Layers of `size` that bring the position to `limit` at most.
int layers_within(model::Qty limit, model::Qty position, model::Qty size, int most) {
  __extension__ using Wide = __int128;
  const Wide room = Wide{limit.raw()} - position.raw();
  return room <= 0 ? 0 : static_cast<int>(std::min<Wide>(room / size.raw(), most));
}

}  // namespace

std::string_view text(GlftFault fault) {
  switch (fault) {
    case GlftFault::net_max_not_positive:
      return "net_max must be above 0";
    case GlftFault::layer_size_not_positive:
      return "the layer size must be above 0";
    case GlftFault::layer_size_above_net_max:
      return "the layer size must be at most net_max";
    case GlftFault::layers_out_of_range:
      return "the number of layers must be from 1 to 50";
    case GlftFault::spacing_not_positive:
      return "the spacing of the layers must be above 0";
    case GlftFault::gamma_out_of_range:
      return "gamma must be above 0 and at most 1000000";
    case GlftFault::min_spread_out_of_range:
      return "min_spread must be from 0 to 0.01";
    case GlftFault::fallback_out_of_range:
      return "the fallback volatility and intensity must each be above 0";
    case GlftFault::spacing_below_tick:
      return "the spacing of the layers is less than one tick";
    case GlftFault::layer_size_off_step:
      return "the layer size is not a multiple of the venue's step";
    case GlftFault::layer_below_minimum:
      return "one layer is below the venue's minimum quantity or notional";
  }
  return "unknown fault";
}

std::optional<GlftFault> check(const GlftParams& p) {
  using F = GlftFault;
  if (!p.net_max.is_positive()) return F::net_max_not_positive;
  if (!p.layer_size.is_positive()) return F::layer_size_not_positive;
  if (p.layer_size > p.net_max) return F::layer_size_above_net_max;
  if (p.layers < 1 || p.layers > layers_max) return F::layers_out_of_range;
  if (!is_positive(p.spacing)) return F::spacing_not_positive;
  if (!(p.gamma >= 1e-12 && p.gamma <= 1e6)) return F::gamma_out_of_range;
  if (!(p.min_spread >= 0 && p.min_spread <= 0.01)) return F::min_spread_out_of_range;
  if (p.fallback && !is_sound(*p.fallback)) return F::fallback_out_of_range;
  return std::nullopt;
}

std::optional<GlftFault> check_at(const GlftParams& p, const model::Instrument& instrument,
                                  model::Price mid) {
  using F = GlftFault;
  // A distance in whole ticks may come out of its double a hair short of them.
  if (p.spacing.at(mid.to_double()) < instrument.tick_size.to_double() * (1 - 1e-9)) {
    return F::spacing_below_tick;
  }
  if (instrument.qty_down(p.layer_size) != p.layer_size) return F::layer_size_off_step;
  if (p.layer_size < instrument.qty_min ||
      model::notional(mid, p.layer_size, model::Rounding::down) < instrument.notional_min) {
    return F::layer_below_minimum;
  }
  return std::nullopt;
}

GlftQuote glft_quote(double gamma, double sigma, const Intensity& intensity, double size) {
  const double k = intensity.decay;
  const double x = gamma * size / k;
  const double log_ratio = log1p_over(x);
  const double power = signal::exp_fixed(log_ratio * (1 + x));  // (1 + x)^(1 + 1/x)
  const double skew = sigma * std::sqrt(gamma / (2 * intensity.at_touch * size * k) * power);
  return {.half_spread = log_ratio / k + 0.5 * size * skew, .skew_per_unit = skew};
}

Glft::Glft(const GlftParams& params) { configure(params); }

std::string_view Glft::misfit(const model::Instrument& instrument, model::Price mid) const {
  auto rounded = params_;
  rounded.layer_size = instrument.qty_down(params_.layer_size);
  const auto fault = check_at(rounded, instrument, mid);
  return fault ? text(*fault) : std::string_view{};
}

void Glft::configure(const GlftParams& params) {
  PHX_ASSERT(!check(params), "the strategy's parameters were checked");
  params_ = params;
}

void Glft::quote(const QuoteInput& in, Decision& out) {
  out.clear();
  const double mid = exact_mid(in.top), bps = 1e-4 * mid;
  const auto& fallback = params_.fallback;
  std::optional<double> sigma = in.volatility_per_s;
  if (!sigma && fallback) sigma = fallback->volatility_bps * bps;
  if (!sigma || !(*sigma >= 0 && *sigma <= 1e12)) {
    out.why = "volatility not known";
    return;
  }
  std::optional<Intensity> intensity = in.intensity;
  if (!intensity && fallback) intensity = {fallback->at_touch, fallback->decay_per_bps / bps};
  if (!intensity || !is_usable(intensity->at_touch) || !is_usable(intensity->decay)) {
    out.why = "intensity not known";
    return;
  }
  const GlftQuote best = glft_quote(params_.gamma, *sigma, *intensity, params_.layer_size.to_double());
  // Beyond the limit the formula would lean without end; by then it is the guards that act.
  const model::Qty position = std::clamp(in.position, -params_.net_max, params_.net_max);
  const double centre = mid - best.skew_per_unit * position.to_double();
  const double nearest = std::max(best.half_spread, 0.5 * params_.min_spread * mid);
  const double spacing = params_.spacing.at(mid);
  for (int n = 0; n < params_.layers; ++n) {
    distances_[static_cast<std::size_t>(n)] = nearest + n * spacing;
  }
  const auto add = [&](model::Side side, model::Qty signed_position) {
    SideBuilder builder{in, side, out.quotes};
    builder.add_ladder(centre, distances_,
                       layers_within(params_.net_max, signed_position, params_.layer_size, params_.layers),
                       params_.layer_size);
  };
  add(model::Side::bid, in.position);
  add(model::Side::ask, -in.position);
}

}  // namespace phoenix::quote
