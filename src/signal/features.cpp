#include "signal/features.hpp"

#include "base/assert.hpp"
#include "signal/math.hpp"

#include <algorithm>

namespace phoenix::signal {
namespace {

std::int64_t second_at(base::VenueTime time) {
  return std::chrono::floor<base::seconds>(time.time_since_epoch()).count();
}
base::VenueTime begin_of(std::int64_t second) { return base::VenueTime{base::seconds{second}}; }
double ms_between(base::VenueTime from, base::VenueTime to) {
  return static_cast<double>((to - from).count()) / 1e6;
}

}  // namespace

std::string check(const FeatureOptions& options) {
  if (options.lookback_secs < 10 || options.lookback_secs > 86'400)
    return "features.lookback_secs: 10 to 86400";
  if (options.book_age_max <= base::Duration::zero()) return "features.book_age_max: above 0";
  return {};
}

FeatureTable::FeatureTable(const FeatureOptions& options, std::optional<std::int64_t> recorded_to)
    : options_{options}, recorded_to_{recorded_to} {}

void FeatureTable::advance(base::VenueTime now, base::LocalTime recv_time, Labeller& labeller, Rows& rows) {
  const std::int64_t second = second_at(now);
  if (!open_) {
    open_ = newest_ = second;
    // Trades of a hole that only this run closes may be hours old.
    if (recorded_to_) open_ = std::max(*open_, *recorded_to_ + 1);
  }
  while (*open_ + 2 <= second) {
    if (*open_ > newest_ + options_.lookback_secs) {
      skipped_ += second - 1 - *open_;
      open_ = second - 1;
      touch_.reset();
      mid_.reset();
      break;
    }
    close(recv_time, labeller, rows);
  }
  newest_ = std::max(newest_, second);
}

FeatureTable::Second* FeatureTable::second_of(base::VenueTime time) {
  const std::int64_t second = second_at(time);
  if (!open_ || second < *open_) {
    ++late_;
    return nullptr;
  }
  PHX_ASSERT(second <= *open_ + 1, "the clock is moved before a fact of its time is taken");
  return &seconds_[static_cast<std::size_t>(second & 1)];
}

void FeatureTable::on_book(const TopLevels& levels, base::VenueTime time) {
  Second* const second = second_of(time);
  if (second == nullptr) return;
  ++second->book_count;
  second->touch_lost = !levels.is_sound();
  second->touch.reset();
  if (!second->touch_lost) second->touch = Touch{levels.bids[0].price, levels.asks[0].price, time};
}

void FeatureTable::on_ofi(const OfiSample& sample, base::VenueTime time) {
  Second* const second = second_of(time);
  if (second == nullptr) return;
  second->ofi_sum += sample.value;
  if (sample.z) second->ofi_z = Stamped{*sample.z, time};
}

void FeatureTable::on_trade(model::Price price, base::VenueTime time) {
  Second* const second = second_of(time);
  if (second == nullptr) return;
  ++second->trade_count;
  second->last_price = price;
}

void FeatureTable::on_cvd(const CvdSample& sample, base::VenueTime time) {
  Second* const second = second_of(time);
  if (second == nullptr) return;
  second->delta_sum = saturating_sum(second->delta_sum, sample.delta);
  if (sample.z) second->cvd_z = Stamped{*sample.z, time};
}

void FeatureTable::on_fusion(const FusionSample& sample, base::VenueTime time) {
  Second* const second = second_of(time);
  if (second == nullptr) return;
  if (sample.score) second->fusion_score = Stamped{*sample.score, time};
}

void FeatureTable::close(base::LocalTime recv_time, Labeller& labeller, Rows& rows) {
  const base::VenueTime begin = begin_of(*open_), end = begin_of(*open_ + 1);
  Second& second = seconds_[static_cast<std::size_t>(*open_ & 1)];
  if (second.touch || second.touch_lost) touch_ = second.touch;

  FeatureRow row{.event_time = begin, .recv_time = recv_time, .second_ts = *open_};
  if (touch_ && end - touch_->time <= options_.book_age_max) {
    const double bid = touch_->bid.to_double(), ask = touch_->ask.to_double();
    row.mid = (bid + ask) / 2;
    if (mid_) row.return_1s = *row.mid / *mid_ - 1;
    row.best_bid = row.best_sell_fill = touch_->bid;
    row.best_ask = row.best_buy_fill = touch_->ask;
    row.spread_bps = (ask - bid) / *row.mid * 1e4;
  }
  mid_ = row.mid;
  const auto take = [&](const std::optional<Stamped>& last, std::optional<double>& value,
                        std::optional<double>& lag_ms) {
    if (!last) return;
    value = last->value;
    lag_ms = ms_between(last->time, end);
  };
  take(second.ofi_z, row.ofi_z, row.lag_ms_ofi);
  take(second.cvd_z, row.cvd_z, row.lag_ms_cvd);
  take(second.fusion_score, row.fusion_score, row.lag_ms_fusion);
  row.has_trade = second.trade_count > 0;
  row.last_price = second.last_price;
  row.ofi_sum = second.ofi_sum;
  row.delta_sum = second.delta_sum;
  row.trade_count = second.trade_count;
  row.book_count = second.book_count;
  labeller.on_second(row.return_1s);
  row.labels = labeller.at(begin);
  rows.emplace_back(row);
  second = {};
  ++*open_;
}

void FeatureTable::finish(base::LocalTime recv_time, Labeller& labeller, Rows& rows) {
  while (open_ && *open_ <= newest_) close(recv_time, labeller, rows);
}

}  // namespace phoenix::signal
