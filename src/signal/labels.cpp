#include "signal/labels.hpp"

#include <algorithm>

namespace phoenix::signal {
namespace {

/// Enough for 200 different milliseconds a second over five minutes.
constexpr std::size_t trade_entries_max = 65'536;

std::optional<Scenario> scenario_of(std::optional<Regime> regime, std::optional<VolBucket> bucket) {
  if (!regime || !bucket) return std::nullopt;
  if (*regime == Regime::active) return *bucket == VolBucket::high ? Scenario::a_h : Scenario::a_l;
  return *bucket == VolBucket::high ? Scenario::q_h : Scenario::q_l;
}

}  // namespace

Session session_at(base::VenueTime time) {
  const base::Duration day = base::hours{24};
  const base::Duration of_day = (time.time_since_epoch() % day + day) % day;
  if (of_day < base::hours{8}) return Session::tokyo;
  return of_day < base::hours{16} ? Session::london : Session::ny;
}

std::string check(const LabelOptions& options) {
  if (options.window_secs < 1 || options.window_secs > 3600) return "labels.window_secs: 1 to 3600";
  if (!(options.active_tps > 0)) return "labels.active_tps: above 0";
  if (!(options.active_exit_ratio > 0 && options.active_exit_ratio <= 1))
    return "labels.active_exit_ratio: above 0, at most 1";
  if (!(options.vol_split > 0 && options.vol_split < 1)) return "labels.vol_split: above 0, below 1";
  if (options.vol_history_secs < options.window_secs || options.vol_history_secs > 86'400)
    return "labels.vol_history_secs: window_secs to 86400";
  return {};
}

Labeller::Labeller(const LabelOptions& options)
    : options_{options},
      trades_{base::seconds{options.window_secs}, trade_entries_max},
      squares_(static_cast<std::size_t>(options.window_secs)),
      history_{static_cast<std::size_t>(options.vol_history_secs)} {}

void Labeller::on_book(base::VenueTime now) {
  trades_.advance(now);
  judge_regime(now);
}

void Labeller::on_trade(base::VenueTime now) {
  trades_.add(now);
  judge_regime(now);
}

void Labeller::judge_regime(base::VenueTime now) {
  if (!begun_) begun_ = now;
  if (now - *begun_ < base::seconds{options_.window_secs}) return;
  const double tps = static_cast<double>(trades_.count()) / options_.window_secs;
  const bool was_active = regime_ == Regime::active;
  const double from = options_.active_tps * (was_active ? options_.active_exit_ratio : 1);
  regime_ = tps >= from ? Regime::active : Regime::quiet;
}

void Labeller::on_second(std::optional<double> return_1s) {
  if (!return_1s) {
    squares_size_ = squares_next_ = 0;
    vol_bucket_.reset();
    return;
  }
  squares_[squares_next_] = *return_1s * *return_1s;
  squares_next_ = squares_next_ + 1 == squares_.size() ? 0 : squares_next_ + 1;
  squares_size_ = std::min(squares_size_ + 1, squares_.size());
  if (squares_size_ == squares_.size()) judge_volatility();
}

void Labeller::judge_volatility() {
  // Two sums side by side, in a fixed order: one alone would wait for each addition.
  const std::size_t half = squares_.size() / 2;
  double first = squares_.size() % 2 == 0 ? 0 : squares_.back(), second = 0;
  for (std::size_t i = 0; i < half; ++i) {
    first += squares_[i];
    second += squares_[half + i];
  }
  const double mean = (first + second) / static_cast<double>(squares_.size());
  if (history_.size() >= squares_.size())
    vol_bucket_ = mean > history_.quantile(options_.vol_split) ? VolBucket::high : VolBucket::low;
  history_.push(mean);
}

Labels Labeller::at(base::VenueTime time) const {
  return {.session = session_at(time),
          .regime = regime_,
          .vol_bucket = vol_bucket_,
          .scenario_2x2 = scenario_of(regime_, vol_bucket_),
          .fee_tier = options_.fee_tier};
}

void Labeller::reset() {
  trades_.clear();
  begun_.reset();
  regime_.reset();
  vol_bucket_.reset();
  squares_size_ = squares_next_ = 0;
}

}  // namespace phoenix::signal
