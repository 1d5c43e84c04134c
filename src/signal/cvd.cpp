#include "signal/cvd.hpp"

#include "base/assert.hpp"
#include "signal/math.hpp"

#include <algorithm>
#include <cmath>

namespace phoenix::signal {
namespace {

using model::Price;
using model::Qty;
using model::Side;

constexpr double mad_to_deviation = 1.4826;
constexpr double scale_min = 1e-9;
constexpr base::Duration passed_min = base::milliseconds{1};
constexpr base::Duration rate_span = base::seconds{60};
/// One for nearly every millisecond of three in four: beyond it the rate's window is only a little longer.
constexpr std::size_t rate_entries_max = 16'384;

}  // namespace

void TimeEwma::add(double value, base::Duration passed) {
  if (!value_) {
    value_ = value;
    return;
  }
  passed = std::max(passed, passed_min);
  if (passed != last_passed_) {
    last_passed_ = passed;
    last_kept_ = exp2_fixed(-static_cast<double>(passed.count()) / static_cast<double>(half_life_.count()));
  }
  value_ = last_kept_ * *value_ + (1 - last_kept_) * value;
}

std::optional<Side> TickRule::side(Price price, base::VenueTime now, std::optional<Side> told) {
  if (told) {
    repeats_ = 0;
    blocked_ = false;
    last_ = Last{price, *told, now};
    return told;
  }
  if (!last_) {
    // The first price of all: the side shows with the next one that differs.
    last_ = Last{price, Side::bid, now};
    blocked_ = true;
    return std::nullopt;
  }
  if (price == last_->price) {
    if (!blocked_) blocked_ = repeats_ >= options_.repeats_max || now - last_->time > options_.age_max;
    if (blocked_) return std::nullopt;
    ++repeats_;
    last_->time = now;
    return last_->side;
  }
  repeats_ = 0;
  blocked_ = false;
  last_ = Last{price, price > last_->price ? Side::bid : Side::ask, now};
  return last_->side;
}

void TickRule::clear() {
  last_.reset();
  repeats_ = 0;
  blocked_ = false;
}

std::string check(const CvdOptions& options) {
  if (options.half_life_fast <= base::Duration::zero()) return "cvd.half_life_fast: above 0";
  if (options.half_life_slow < options.half_life_fast) return "cvd.half_life_slow: at least half_life_fast";
  if (!(options.fast_weight >= 0 && options.fast_weight <= 1)) return "cvd.fast_weight: 0 to 1";
  if (!(options.mad_multiplier >= 0)) return "cvd.mad_multiplier: 0 or above";
  if (!(options.winsor > 0)) return "cvd.winsor: above 0";
  if (options.mad_window < 1 || options.mad_window > 4096) return "cvd.mad_window: 1 to 4096 trades";
  if (options.mad_samples_min < 1 || options.mad_samples_min > options.mad_window)
    return "cvd.mad_samples_min: 1 to mad_window";
  if (options.freeze_min < 1) return "cvd.freeze_min: 1 or above";
  if (!(options.tps_full > 0)) return "cvd.tps_full: above 0";
  if (!(options.tps_min > 0)) return "cvd.tps_min: above 0";
  if (!(options.boost_power >= 0 && options.boost_power <= 4)) return "cvd.boost_power: 0 to 4";
  if (options.level_window < 2 || options.level_window > 4096) return "cvd.level_window: 2 to 4096 trades";
  if (options.level_warmup_min < 2) return "cvd.level_warmup_min: 2 or above";
  if (std::max(options.level_window / 5, options.level_warmup_min) > options.level_window)
    return "cvd.level_warmup_min: at most level_window, or there is never a score";
  if (!(options.ema_alpha > 0 && options.ema_alpha <= 1)) return "cvd.ema_alpha: above 0, at most 1";
  if (options.pause_short > options.pause_long) return "cvd.pause_short: at most pause_long";
  if (options.tick_rule.repeats_max < 0) return "cvd.tick_rule.repeats_max: 0 or above";
  return {};
}

Cvd::Cvd(const CvdOptions& options, Qty carried)
    : options_{options},
      tick_rule_{options.tick_rule},
      fast_{options.half_life_fast},
      slow_{options.half_life_slow},
      deltas_{static_cast<std::size_t>(options.mad_window)},
      levels_{static_cast<std::size_t>(options.level_window)},
      minute_{rate_span, rate_entries_max},
      cvd_{carried} {}

std::optional<CvdSample> Cvd::on_trade(Price price, Qty qty, std::optional<Side> aggressor,
                                       base::VenueTime now) {
  PHX_ASSERT(price.is_positive() && qty.is_positive(), "a trade has a price and a quantity");
  const auto side = tick_rule_.side(price, now, aggressor);
  if (!side) {
    ++side_unknown_;
    return std::nullopt;
  }
  const base::Duration passed = last_time_ ? now - *last_time_ : base::Duration::zero();
  last_time_ = now;
  freeze_after(passed);
  minute_.add(now);
  ++trades_;

  CvdSample sample;
  sample.delta = *side == Side::bid ? qty : -qty;
  sample.cvd = cvd_ = saturating_sum(cvd_, sample.delta);
  const double level = sample.cvd.to_double();
  ema_ = ema_ ? options_.ema_alpha * level + (1 - options_.ema_alpha) * *ema_ : level;
  sample.ema = *ema_;
  sample.tps = static_cast<double>(minute_.count()) / static_cast<double>(rate_span / base::seconds{1});
  if (options_.z_mode == CvdOptions::ZMode::delta) {
    scale_delta(passed, sample);
    if (trades_ >= options_.freeze_min) sample.z_raw = sample.delta.to_double() / *sample.scale;
  } else {
    score_level(sample);
    levels_.push(level);
  }
  if (sample.z_raw) sample.reason = CvdReason::ready;
  if (frozen_ > 0) {
    --frozen_;
    if (sample.z_raw) sample.reason = CvdReason::gap_freeze;
    sample.z_raw.reset();
  }
  sample.ready = sample.z_raw.has_value();
  if (sample.z_raw) sample.z = std::clamp(*sample.z_raw, -options_.winsor, options_.winsor);
  return sample;
}

void Cvd::freeze_after(base::Duration pause) {
  if (pause > options_.pause_long) {
    frozen_ = 2;
  } else if (pause >= options_.pause_short) {
    frozen_ = std::max(frozen_, 1);
  }
}

void Cvd::scale_delta(base::Duration passed, CvdSample& sample) {
  const double size = sample.delta.abs().to_double();
  fast_.add(size, passed);
  slow_.add(size, passed);
  deltas_.push(sample.delta.to_double());
  if (options_.scale_mode == CvdOptions::ScaleMode::ewma) {
    sample.scale = std::max(slow_.value(), scale_min);
    return;
  }
  const double fast_weight = options_.fast_weight * std::min(1.0, sample.tps / options_.tps_full);
  const double mix = fast_weight * fast_.value() + (1 - fast_weight) * slow_.value();
  sample.sigma_floor = scale_floor(sample.tps);
  sample.floor_used = sample.sigma_floor && *sample.sigma_floor >= mix;
  sample.scale = std::max({mix, sample.sigma_floor.value_or(0), scale_min});
}

std::optional<double> Cvd::scale_floor(double tps) const {
  if (deltas_.size() < static_cast<std::size_t>(options_.mad_samples_min)) return std::nullopt;
  const double rate = std::max(tps, options_.tps_min);
  const double boost =
      rate < options_.tps_full ? pow_fixed(options_.tps_full / rate, options_.boost_power) : 1;
  return mad_to_deviation * deltas_.mad() * options_.mad_multiplier * boost;
}

void Cvd::score_level(CvdSample& sample) {
  const auto ready_at =
      static_cast<std::size_t>(std::max(options_.level_window / 5, options_.level_warmup_min));
  if (levels_.size() < ready_at) return;
  const double deviation = levels_.population_deviation();
  if (deviation <= scale_min) {
    sample.std_zero = true;
    sample.z_raw = 0.0;
    return;
  }
  sample.scale = deviation;
  sample.z_raw = (sample.cvd.to_double() - levels_.mean()) / deviation;
}

void Cvd::reset() {
  tick_rule_.clear();
  fast_.clear();
  slow_.clear();
  deltas_.clear();
  levels_.clear();
  minute_.clear();
  ema_.reset();
  last_time_.reset();
  trades_ = 0;
  frozen_ = 0;
}

}  // namespace phoenix::signal
