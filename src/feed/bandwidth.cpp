#include "feed/bandwidth.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace phoenix::feed {
namespace {

/// Time constant of the smoothing: about half of a step shows after two measurements.
constexpr std::int64_t smoothing_ms = 2'000;
/// Keeps the arithmetic within 64 bits: a terabyte a second is above any budget.
constexpr std::uint64_t rate_max = 1'000'000'000'000;

}  // namespace

Bandwidth::Bandwidth(BandwidthOptions options) : options_(options), up_after_(options.up_after) {
  options_.budget_bytes_per_s = std::min(options.budget_bytes_per_s, rate_max);
  PHX_ASSERT(options.steps_max >= 0, "there are no fewer than zero steps");
  PHX_ASSERT(options.up_percent > 0 && options.up_percent < 100, "the way up begins below the budget");
}

void Bandwidth::measured(std::uint64_t wire_bytes_total, base::LocalTime now) {
  if (!total_ || wire_bytes_total < *total_) {
    total_ = wire_bytes_total;
    measured_at_ = now;
    return;
  }
  const auto span = std::chrono::floor<base::milliseconds>(now - measured_at_);
  if (span.count() <= 0) return;
  smooth(wire_bytes_total - *total_, span, now);
  total_ = wire_bytes_total;
  measured_at_ = now;
  if (!settled_at_) settled_at_ = now;
  if (options_.budget_bytes_per_s == 0 || now < *settled_at_) return;

  const std::uint64_t budget = options_.budget_bytes_per_s;
  const bool is_above = rate_ > budget;
  const bool has_room = rate_ * 100 < budget * static_cast<std::uint64_t>(options_.up_percent);
  if (!is_above) above_since_.reset();
  if (!has_room) below_since_.reset();
  if (is_above && !above_since_) above_since_ = now;
  if (has_room && !below_since_) below_since_ = now;
  if (stepped_up_ && now - *stepped_up_ > options_.relapse_within) {
    stepped_up_.reset();
    up_after_ = options_.up_after;
  }

  if (above_since_ && now - *above_since_ >= options_.down_after && level_ < options_.steps_max) {
    if (stepped_up_) up_after_ = std::min(options_.up_after_max, up_after_ * 2);
    stepped_up_.reset();
    step_to(level_ + 1, now);
  } else if (below_since_ && now - *below_since_ >= up_after_ && level_ > 0) {
    stepped_up_ = now;
    step_to(level_ - 1, now);
  }
}

std::optional<Bandwidth::Change> Bandwidth::take_change() {
  const auto change = change_;
  change_.reset();
  return change;
}

void Bandwidth::smooth(std::uint64_t bytes, base::milliseconds span, base::LocalTime now) {
  const std::int64_t ms = span.count();
  const std::uint64_t bounded = std::min(bytes, rate_max * 1'000);
  const auto sample =
      static_cast<std::int64_t>(std::min(rate_max, bounded * 1'000 / static_cast<std::uint64_t>(ms)));
  const auto before = static_cast<std::int64_t>(rate_);
  const bool is_settled = settled_at_ && now > *settled_at_;
  const std::int64_t weight_per_mille = !is_settled ? 1'000 : 1'000 * ms / (ms + smoothing_ms);
  rate_ = static_cast<std::uint64_t>(before + (sample - before) * weight_per_mille / 1'000);
}

void Bandwidth::step_to(int level, base::LocalTime now) {
  if (!change_) change_ = Change{level_, level, rate_};
  change_->to = level;
  change_->rate = rate_;
  if (change_->from == change_->to) change_.reset();
  level_ = level;
  above_since_.reset();
  below_since_.reset();
  settled_at_ = now + options_.settle_for;
}

}  // namespace phoenix::feed
