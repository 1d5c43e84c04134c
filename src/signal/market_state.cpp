#include "signal/market_state.hpp"

#include "base/assert.hpp"
#include "signal/math.hpp"
#include "signal/time_gap.hpp"

#include <algorithm>
#include <cmath>

namespace phoenix::signal {
namespace {

__extension__ using Wide = __int128;

constexpr std::int64_t bucket_size_max = 1'000'000'000;

std::int64_t second_of(base::VenueTime time) {
  return std::chrono::floor<base::seconds>(time.time_since_epoch()).count();
}

}  // namespace

std::string check(const MarketStateOptions& o) {
  if (o.samples < 2 || o.samples > 86'400) return "samples must be from 2 to 86400";
  if (o.samples_ready < 2 || o.samples_ready > o.samples) return "samples_ready must be from 2 to samples";
  if (o.volatility_half_life < base::seconds{1} || o.volatility_half_life > base::hours{1}) {
    return "volatility_half_life must be from 1 second to 1 hour";
  }
  if (o.moves_ready < 1 || o.moves_ready > 3'600) return "moves_ready must be from 1 to 3600";
  if (o.gap_max < base::seconds{1} || o.gap_max > base::hours{1}) {
    return "gap_max must be from 1 second to 1 hour";
  }
  if (!(o.funding_alpha > 0 && o.funding_alpha <= 1)) return "funding_alpha must be above 0 and at most 1";
  if (!o.vpin_bucket_size.is_positive() || o.vpin_bucket_size > model::Money::from_units(bucket_size_max)) {
    return "vpin_bucket_size must be above 0 and at most 1000000000";
  }
  if (o.vpin_num_buckets < 1 || o.vpin_num_buckets > 1'000) return "vpin_num_buckets must be from 1 to 1000";
  if (o.vpin_buckets_ready < 1 || o.vpin_buckets_ready > o.vpin_num_buckets) {
    return "vpin_buckets_ready must be from 1 to vpin_num_buckets";
  }
  return {};
}

Vpin::Vpin(model::Money bucket_size, int buckets)
    : size_raw_{bucket_size.raw()}, imbalances_(static_cast<std::size_t>(buckets)) {}

void Vpin::on_trade(model::Price price, model::Qty qty, model::Side aggressor) {
  if (!price.is_positive() || !qty.is_positive()) return;
  Wide left = Wide{price.raw()} * qty.raw() / base::decimal_one;
  // Whole buckets beyond the window's length would only replace each other.
  const Wide window = Wide{size_raw_} * static_cast<Wide>(imbalances_.size() + 1);
  if (left > window) left = window + (left - window) % size_raw_;
  std::int64_t& filling = aggressor == model::Side::bid ? bought_ : sold_;
  while (left > 0) {
    const auto taken = static_cast<std::int64_t>(std::min<Wide>(left, size_raw_ - bought_ - sold_));
    filling += taken;
    left -= taken;
    if (bought_ + sold_ == size_raw_) close_bucket();
  }
}

void Vpin::close_bucket() {
  const std::int64_t imbalance = bought_ > sold_ ? bought_ - sold_ : sold_ - bought_;
  if (full_ == imbalances_.size()) {
    imbalance_sum_ -= imbalances_[next_];
  } else {
    ++full_;
  }
  imbalances_[next_] = imbalance;
  imbalance_sum_ += imbalance;
  next_ = next_ + 1 == imbalances_.size() ? 0 : next_ + 1;
  bought_ = sold_ = 0;
}

void Vpin::clear() {
  full_ = next_ = 0;
  imbalance_sum_ = bought_ = sold_ = 0;
}

double Vpin::value() const {
  if (full_ == 0) return 0;
  return static_cast<double>(imbalance_sum_) / (static_cast<double>(full_) * static_cast<double>(size_raw_));
}

MarketState::MarketState(const MarketStateOptions& options)
    : options_{options},
      samples_{static_cast<std::size_t>(options.samples)},
      kept_{exp2_fixed(-1e9 / static_cast<double>(options.volatility_half_life.count()))},
      vpin_{options.vpin_bucket_size, options.vpin_num_buckets} {
  PHX_ASSERT(check(options).empty(), "the options of a market state were checked");
}

void MarketState::on_mid(model::Price mid, base::VenueTime now) {
  if (!mid.is_positive()) return;
  if (last_ && is_gap(*last_, now, options_.gap_max)) reset();
  if (!last_) {
    second_ = second_of(now);
  } else {
    now = std::max(now, *last_);
  }
  for (const std::int64_t second = second_of(now); second_ < second; ++second_) close_second();
  last_ = now;
  mid_ = mid;
}

void MarketState::close_second() {
  const double mid = mid_.to_double();
  samples_.push(mid);
  if (sampled_) {
    const double move = mid - sampled_->to_double();
    squares_ = kept_ * squares_ + (1 - kept_) * move * move;
    weights_ = kept_ * weights_ + (1 - kept_);
    ++moves_;
  }
  sampled_ = mid_;
}

void MarketState::reset() {
  samples_.clear();
  squares_ = weights_ = 0;
  moves_ = 0;
  sampled_.reset();
  last_.reset();
  vpin_.clear();
  ++resets_;
}

void MarketState::on_trade(const model::AggTrade& trade) {
  vpin_.on_trade(trade.price, trade.qty, trade.aggressor);
}

void MarketState::on_funding(model::Rate rate) {
  const auto raw = static_cast<double>(rate.raw());
  funding_ = funding_ ? *funding_ + options_.funding_alpha * (raw - *funding_) : raw;
}

std::optional<double> MarketState::volatility_ratio() const {
  if (samples() < options_.samples_ready) return std::nullopt;
  return samples_.population_deviation() / samples_.mean();
}

std::optional<double> MarketState::volatility_per_s() const {
  if (moves_ < options_.moves_ready) return std::nullopt;
  return std::sqrt(squares_ / weights_);
}

std::optional<double> MarketState::vpin() const {
  if (vpin_.buckets() < options_.vpin_buckets_ready) return std::nullopt;
  return vpin_.value();
}

std::optional<model::Rate> MarketState::predicted_funding() const {
  if (!funding_) return std::nullopt;
  return model::Rate::from_raw(static_cast<std::int64_t>(std::nearbyint(*funding_)));
}

}  // namespace phoenix::signal
