#include "signal/ofi.hpp"

#include <algorithm>
#include <cmath>

namespace phoenix::signal {
namespace {

using model::Level;
using model::Qty;

constexpr std::size_t window_min = 5, window_max = 4096;
/// A median absolute deviation of normal values times this is their standard deviation.
constexpr double mad_to_deviation = 1.4826;
constexpr std::size_t winsor_samples = 10;

/// Flow of one level, and its change of quantity.
struct LevelFlow {
  Qty flow, legacy;
};
LevelFlow bid_flow(const Level& was, const Level& is) {
  return {(is.price >= was.price ? is.qty : Qty{}) - (is.price <= was.price ? was.qty : Qty{}),
          is.qty - was.qty};
}
LevelFlow ask_flow(const Level& was, const Level& is) {
  return {(is.price <= was.price ? is.qty : Qty{}) - (is.price >= was.price ? was.qty : Qty{}),
          is.qty - was.qty};
}

bool is_bad(const Level& level) { return !level.price.is_positive() || level.qty.is_negative(); }

}  // namespace

Flows flows(const TopLevels& previous, const TopLevels& current) {
  Flows flow;
  const std::size_t bids = std::min(previous.bids.size(), current.bids.size());
  for (std::size_t m = 0; m < bids; ++m) {
    const auto [change, legacy] = bid_flow(previous.bids[m], current.bids[m]);
    flow.bid[m] = change;
    flow.bid_legacy[m] = legacy;
  }
  const std::size_t asks = std::min(previous.asks.size(), current.asks.size());
  for (std::size_t m = 0; m < asks; ++m) {
    const auto [change, legacy] = ask_flow(previous.asks[m], current.asks[m]);
    flow.ask[m] = change;
    flow.ask_legacy[m] = legacy;
  }
  return flow;
}

std::string check(const OfiOptions& options) {
  double sum = 0;
  for (const double weight : options.weights) sum += std::max(weight, 0.0);
  if (!(sum > 0) || !std::isfinite(sum)) return "ofi.weights: at least one is positive";
  if (options.window < static_cast<int>(window_min) || options.window > static_cast<int>(window_max))
    return "ofi.window: 5 to 4096 samples";
  if (!(options.ema_alpha > 0 && options.ema_alpha <= 1)) return "ofi.ema_alpha: above 0, at most 1";
  if (!(options.winsor_k > 0)) return "ofi.winsor_k: above 0";
  if (!(options.z_clip > 0)) return "ofi.z_clip: above 0";
  if (!(options.std_floor > 0)) return "ofi.std_floor: above 0";
  if (options.gap_reset <= base::Duration::zero()) return "ofi.gap_reset: above 0";
  return {};
}

Ofi::Ofi(const OfiOptions& options)
    : options_{options},
      moments_{static_cast<std::size_t>(options.window)},
      sorted_{static_cast<std::size_t>(options.window)} {
  double sum = 0;
  for (const double weight : options.weights) sum += std::max(weight, 0.0);
  for (std::size_t m = 0; m < top_levels_max; ++m) weights_[m] = std::max(options.weights[m], 0.0) / sum;
}

std::optional<OfiSample> Ofi::on_book(const TopLevels& levels, base::VenueTime event_time) {
  start_anew_where_due(event_time);
  last_time_ = event_time;
  const bool usable = is_usable(levels);
  if (!usable || !has_previous_) {
    has_previous_ = usable;
    if (usable) previous_ = levels;
    return std::nullopt;
  }
  OfiSample sample;
  for (std::size_t m = 0; m < std::min(previous_.bids.size(), levels.bids.size()); ++m) {
    const auto [change, legacy] = bid_flow(previous_.bids[m], levels.bids[m]);
    sample.value += weights_[m] * change.to_double();
    sample.legacy += weights_[m] * legacy.to_double();
  }
  for (std::size_t m = 0; m < std::min(previous_.asks.size(), levels.asks.size()); ++m) {
    const auto [change, legacy] = ask_flow(previous_.asks[m], levels.asks[m]);
    sample.value -= weights_[m] * change.to_double();
    sample.legacy -= weights_[m] * legacy.to_double();
  }
  previous_ = levels;
  sample.session_reset = reset_pending_;
  reset_pending_ = false;
  score(sample.value, sample);
  ema_ = ema_ ? options_.ema_alpha * sample.value + (1 - options_.ema_alpha) * *ema_ : sample.value;
  sample.ema = *ema_;
  moments_.push(sample.value);
  sorted_.push(sample.value);
  return sample;
}

void Ofi::start_anew_where_due(base::VenueTime event_time) {
  if (!last_time_) return;
  if (event_time - *last_time_ > options_.gap_reset) {
    reset();
  } else if (std::chrono::floor<std::chrono::days>(event_time.time_since_epoch()) !=
             std::chrono::floor<std::chrono::days>(last_time_->time_since_epoch())) {
    forget_samples();  // the chain goes on over midnight, so the book before still counts
  }
}

bool Ofi::is_usable(const TopLevels& levels) {
  const auto bad = std::count_if(levels.bids.begin(), levels.bids.end(), is_bad) +
                   std::count_if(levels.asks.begin(), levels.asks.end(), is_bad);
  bad_points_ += bad;
  return bad == 0 && levels.is_sound();
}

void Ofi::score(double value, OfiSample& sample) const {
  const auto window = static_cast<std::size_t>(options_.window);
  if (moments_.size() < std::max(window_min, window / 5)) return;
  sample.warmup = false;
  const double deviation = moments_.sample_deviation();
  if (deviation < options_.std_floor) {
    sample.std_zero = true;
    sample.z_raw = sample.z = 0.0;
    return;
  }
  sample.z_raw = (value - moments_.mean()) / deviation;
  double winsorised = value;
  if (sorted_.size() > winsor_samples) {
    const double limit = options_.winsor_k * mad_to_deviation * sorted_.mad();
    const double median = sorted_.median();
    // Where most samples are equal there is no spread to measure by, and nothing is cut.
    if (limit > 0) winsorised = std::clamp(value, median - limit, median + limit);
  }
  sample.z = std::clamp((winsorised - moments_.mean()) / deviation, -options_.z_clip, options_.z_clip);
}

void Ofi::reset() {
  forget_samples();
  has_previous_ = false;
}

void Ofi::forget_samples() {
  moments_.clear();
  sorted_.clear();
  ema_.reset();
  reset_pending_ = true;
}

}  // namespace phoenix::signal
