#include "signal/fusion.hpp"

#include "signal/math.hpp"

#include <algorithm>
#include <cmath>

namespace phoenix::signal {
namespace {

constexpr double z_nothing = 1e-9;

int side_of(FusionSignal signal) {
  switch (signal) {
    case FusionSignal::neutral:
      return 0;
    case FusionSignal::buy:
    case FusionSignal::strong_buy:
      return 1;
    case FusionSignal::sell:
    case FusionSignal::strong_sell:
      return -1;
  }
  return 0;
}

bool is_strong(FusionSignal signal) {
  return signal == FusionSignal::strong_buy || signal == FusionSignal::strong_sell;
}

double consistency_of(double a, double b) {
  const double size_a = std::abs(a), size_b = std::abs(b);
  if (size_a < z_nothing || size_b < z_nothing || (a > 0) != (b > 0)) return 0;
  return std::min(size_a, size_b) / std::max(size_a, size_b);
}

/// Holding ends below this |score|. The more both sides agree the sooner, but never above where it was
/// entered.
double exit_of(const FusionOptions& options, std::optional<double> consistency) {
  const double beyond = std::max(0.0, consistency.value_or(0) - options.exit_consistency);
  return std::min(options.exit + options.exit_slope * beyond, options.base);
}

}  // namespace

std::string check(const FusionOptions& options) {
  if (!(options.weight_ofi >= 0 && options.weight_cvd >= 0 && options.weight_ofi + options.weight_cvd > 0))
    return "fusion.weights: not negative, and not both 0";
  if (!(options.z_clip > 0)) return "fusion.z_clip: above 0";
  if (!(options.base > 0 && options.base < options.strong)) return "fusion.base: above 0 and below strong";
  if (options.strong >= options.z_clip) return "fusion.strong: below z_clip, or no score ever reaches it";
  if (!(options.consistency_base >= 0 && options.consistency_strong >= options.consistency_base &&
        options.consistency_strong < 1))
    return "fusion.consistency: 0 <= base <= strong < 1";
  if (!(options.exit > 0 && options.exit <= options.base)) return "fusion.exit: above 0 and at most base";
  if (!(options.exit_slope >= 0)) return "fusion.exit_slope: 0 or above";
  if (options.cool_down_min > options.cool_down || options.cool_down_min < base::Duration::zero())
    return "fusion.cool_down_min: 0 to cool_down";
  if (!(options.cool_down_shrink >= 0 && options.cool_down_shrink <= 1))
    return "fusion.cool_down_shrink: 0 to 1";
  if (!(options.flip_ratio >= 1)) return "fusion.flip_ratio: 1 or above";
  if (options.lag_max < base::Duration::zero()) return "fusion.lag_max: 0 or above";
  if (options.warmup < 0) return "fusion.warmup: 0 or above";
  if (!(options.calibration_k > 0)) return "fusion.calibration_k: above 0";
  return {};
}

base::Duration effective_cool_down(const FusionOptions& options, double score) {
  const double strength =
      std::clamp((std::abs(score) - options.base) / (options.strong - options.base), 0.0, 1.0);
  const double ns =
      static_cast<double>(options.cool_down.count()) * (1 - options.cool_down_shrink * strength);
  return std::max(options.cool_down_min, base::Duration{static_cast<std::int64_t>(ns)});
}

Fusion::Fusion(const FusionOptions& options)
    : options_{options},
      weight_ofi_{options.weight_ofi / (options.weight_ofi + options.weight_cvd)},
      weight_cvd_{options.weight_cvd / (options.weight_ofi + options.weight_cvd)} {}

FusionSample Fusion::step(const FusionInput& input, base::VenueTime now) {
  FusionSample sample;
  const auto without_score = [&](FusionReason reason) {
    state_ = FusionSignal::neutral;
    sample.reason = reason;
    return sample;
  };
  if (!input.z_ofi || !input.z_cvd) return without_score(FusionReason::no_input);
  if (!std::isfinite(*input.z_ofi) || !std::isfinite(*input.z_cvd))
    return without_score(FusionReason::invalid_input);
  if (samples_ < options_.warmup) {
    ++samples_;
    return without_score(FusionReason::warmup);
  }
  const bool degraded = input.lag > options_.lag_max;
  combine(*input.z_ofi, *input.z_cvd, degraded, sample);
  sample.raw = raw_signal(sample);
  advance(sample, now);
  if (degraded) sample.reason = FusionReason::degraded;
  sample.signal = state_;
  return sample;
}

void Fusion::combine(double z_ofi, double z_cvd, bool degraded, FusionSample& sample) const {
  const double ofi = std::clamp(z_ofi, -options_.z_clip, options_.z_clip);
  const double cvd = std::clamp(z_cvd, -options_.z_clip, options_.z_clip);
  sample.dispersion = std::abs(ofi - cvd);
  sample.sign_agree = ofi * cvd > 0;
  if (degraded) {
    const bool ofi_leads = std::abs(ofi) >= std::abs(cvd);
    sample.comp_ofi = ofi_leads ? ofi : 0;
    sample.comp_cvd = ofi_leads ? 0 : cvd;
  } else {
    sample.comp_ofi = weight_ofi_ * ofi;
    sample.comp_cvd = weight_cvd_ * cvd;
    sample.consistency = consistency_of(ofi, cvd);
  }
  sample.score = *sample.comp_ofi + *sample.comp_cvd;
  sample.proba = logistic(options_.calibration_k * *sample.score);
}

FusionSignal Fusion::raw_signal(const FusionSample& sample) const {
  if (!sample.consistency) return FusionSignal::neutral;
  const double size = std::abs(*sample.score);
  const bool buys = *sample.score > 0;
  if (size > options_.strong && *sample.consistency > options_.consistency_strong)
    return buys ? FusionSignal::strong_buy : FusionSignal::strong_sell;
  if (size > options_.base && *sample.consistency > options_.consistency_base)
    return buys ? FusionSignal::buy : FusionSignal::sell;
  return FusionSignal::neutral;
}

void Fusion::advance(FusionSample& sample, base::VenueTime now) {
  const int side = side_of(state_), wanted = side_of(sample.raw);
  const bool cooling = changed_ && now - *changed_ < effective_cool_down(options_, *sample.score);
  const auto enter = [&] {
    state_ = sample.raw;
    changed_ = now;
    sample.reason = FusionReason::ready;
  };
  if (wanted == 0) {
    const bool holds = side != 0 && side * *sample.score >= exit_of(options_, sample.consistency);
    if (!holds) state_ = FusionSignal::neutral;
    sample.reason = holds ? FusionReason::held : FusionReason::ready;
  } else if (wanted == side) {
    if (is_strong(sample.raw) == is_strong(state_)) {
      sample.reason = FusionReason::ready;
    } else if (is_strong(state_)) {
      sample.reason = FusionReason::held;
    } else if (cooling) {
      sample.reason = FusionReason::cool_down;
    } else {
      enter();
    }
  } else {
    const bool flips = side != 0 && std::abs(*sample.score) >= options_.flip_ratio * options_.base;
    if (!cooling || flips) {
      enter();
    } else {
      state_ = FusionSignal::neutral;
      sample.reason = FusionReason::cool_down;
    }
  }
}

void Fusion::reset() {
  state_ = FusionSignal::neutral;
  changed_.reset();
  samples_ = 0;
}

}  // namespace phoenix::signal
