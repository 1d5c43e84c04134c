#include "signal/intensity.hpp"

#include "base/assert.hpp"
#include "signal/math.hpp"
#include "signal/time_gap.hpp"

#include <algorithm>
#include <numeric>

namespace phoenix::signal {
namespace {

constexpr double ln_2 = 0.693147180559945309417232121458;
constexpr double half_spread_unit = 1e-10;

/// Ratios of the mid: 0.05 bps and on by the square root of two. A power of two spans all markets, whose
/// depths lie between a hundredth and a hundred of their price's basis points.
constexpr auto distances = [] {
  constexpr double sqrt_2 = 1.41421356237309504880;
  std::array<double, IntensityEstimator::distances_count> d{};
  double even = 5e-6;
  for (std::size_t j = 0; j < d.size(); j += 2, even *= 2) {
    d[j] = even;
    d[j + 1] = even * sqrt_2;
  }
  return d;
}();

/// A straight line by weighted least squares.
class Line {
 public:
  void add(double x, double y, double weight) {
    ++points_;
    weights_ += weight;
    x_ += weight * x;
    y_ += weight * y;
    xx_ += weight * x * x;
    xy_ += weight * x * y;
  }
  int points() const { return points_; }
  double slope() const { return (xy_ - x_ * y_ / weights_) / (xx_ - x_ * x_ / weights_); }
  double at_zero() const { return (y_ - slope() * x_) / weights_; }

 private:
  int points_ = 0;
  double weights_ = 0, x_ = 0, y_ = 0, xx_ = 0, xy_ = 0;
};

}  // namespace

std::string check(const IntensityOptions& o) {
  if (o.slot < base::seconds{1} || o.slot > base::minutes{1}) return "slot must be from 1 to 60 seconds";
  if (o.slots < 2 || o.slots > 720) return "slots must be from 2 to 720";
  if (o.ready_after < o.slot || o.ready_after > o.slot * (o.slots - 1)) {
    return "ready_after must be from one slot to all but one of them";
  }
  if (o.sweeps_min < 1) return "sweeps_min must be at least 1";
  if (o.reached_min < 1) return "reached_min must be at least 1";
  if (o.gap_max < base::seconds{1} || o.gap_max > base::hours{1}) {
    return "gap_max must be from 1 second to 1 hour";
  }
  return {};
}

IntensityEstimator::IntensityEstimator(const IntensityOptions& options)
    : options_{options}, ring_(static_cast<std::size_t>(options.slots)) {
  PHX_ASSERT(check(options).empty(), "the options of an intensity estimate were checked");
}

void IntensityEstimator::on_touch(model::Price bid, model::Price ask, base::VenueTime now) {
  if (!bid.is_positive() || bid >= ask) return;
  advance(now);
  const double b = bid.to_double(), a = ask.to_double();
  mid_ = 0.5 * (b + a);
  half_spread_ = (a - mid_) / mid_;
}

void IntensityEstimator::on_trade(const model::AggTrade& trade) {
  if (!trade.price.is_positive()) return;
  advance(trade.trade_time);
  if (mid_ <= 0) return;
  if (!sweep_ || sweep_->side != trade.aggressor || sweep_->time != trade.trade_time) {
    close_sweep();
    sweep_ =
        Sweep{.side = trade.aggressor, .time = trade.trade_time, .mid = mid_, .half_spread = half_spread_};
  }
  const double beyond = (trade.price.to_double() - sweep_->mid) / sweep_->mid;
  sweep_->depth = std::max(sweep_->depth, model::sign(trade.aggressor) * beyond);
}

void IntensityEstimator::advance(base::VenueTime now) {
  if (last_ && is_gap(*last_, now, options_.gap_max)) reset();
  if (!begin_) begin_ = now;
  last_ = last_ ? std::max(now, *last_) : now;
  const std::int64_t slot = (*last_ - *begin_) / options_.slot;
  if (slot == slot_) return;
  close_sweep();
  while (slot_ < slot) next_slot();
  fit();
}

void IntensityEstimator::reset() {
  std::fill(ring_.begin(), ring_.end(), Counts{});
  total_ = {};
  begin_.reset();
  last_.reset();
  slot_ = 0;
  mid_ = half_spread_ = 0;
  sweep_.reset();
  estimate_.reset();
  ++resets_;
}

void IntensityEstimator::next_slot() {
  ++slot_;
  Counts& oldest = ring_[static_cast<std::size_t>(slot_) % ring_.size()];
  total_.sweeps -= oldest.sweeps;
  total_.half_spreads -= oldest.half_spreads;
  for (std::size_t j = 0; j < distances_count; ++j) total_.deepest[j] -= oldest.deepest[j];
  oldest = {};
}

void IntensityEstimator::close_sweep() {
  if (!sweep_) return;
  const auto beyond = std::upper_bound(distances.begin(), distances.end(), sweep_->depth);
  const auto half_spread = static_cast<std::int64_t>(sweep_->half_spread / half_spread_unit + 0.5);
  for (Counts* const counts : {&ring_[static_cast<std::size_t>(slot_) % ring_.size()], &total_}) {
    ++counts->sweeps;
    counts->half_spreads += half_spread;
    if (beyond != distances.begin())
      ++counts->deepest[static_cast<std::size_t>(beyond - distances.begin() - 1)];
  }
  sweep_.reset();
}

void IntensityEstimator::fit() {
  estimate_.reset();
  const auto covered = options_.slot * std::min<std::int64_t>(slot_, options_.slots - 1);
  if (covered < options_.ready_after || total_.sweeps < options_.sweeps_min) return;

  // An order is reached by the sweeps of one side: half of all.
  const double twice_seconds = static_cast<double>(covered.count()) * 2e-9;
  const auto rate_log = [&](std::int64_t count) {
    return log2_fixed(static_cast<double>(count) / twice_seconds) * ln_2;
  };
  const auto sweeps = static_cast<double>(total_.sweeps);
  const double touch = static_cast<double>(total_.half_spreads) * half_spread_unit / sweeps;
  Line line;
  line.add(touch, rate_log(total_.sweeps), sweeps);
  std::int64_t reached = std::accumulate(total_.deepest.begin(), total_.deepest.end(), std::int64_t{0});
  for (std::size_t j = 0; j < distances_count && reached >= options_.reached_min; ++j) {
    if (distances[j] > touch) line.add(distances[j], rate_log(reached), static_cast<double>(reached));
    reached -= total_.deepest[j];
  }
  if (line.points() < 3 || !(line.slope() < 0)) return;
  estimate_ = Intensity{.at_touch = exp_fixed(line.at_zero()), .decay = -line.slope() / mid_};
}

}  // namespace phoenix::signal
