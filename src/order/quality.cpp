#include "order/quality.hpp"

#include "base/assert.hpp"
#include "base/decimal.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace phoenix::order {
namespace {

__extension__ using Wide = __int128;

constexpr base::Duration one_second = base::seconds{1};
constexpr std::int64_t cancel_seconds = 60;
constexpr std::uint64_t steps_per_octave = 8;

std::int64_t second_of(base::LocalTime t) {
  return std::chrono::floor<base::seconds>(t.time_since_epoch()).count();
}

/// part / whole, rounded down; empty where it says nothing or is beyond the range of a Rate.
std::optional<model::Rate> ratio(Wide part, Wide whole) {
  if (whole <= 0) return std::nullopt;
  const Wide value = part * base::decimal_one / whole;
  if (value > std::numeric_limits<std::int64_t>::max() || value < -std::numeric_limits<std::int64_t>::max())
    return std::nullopt;
  return model::Rate::from_raw(static_cast<std::int64_t>(value));
}

/// a * b in units of 1e-8, rounded half away from zero; empty beyond the range.
std::optional<model::Money> product(std::int64_t a, std::int64_t b) {
  const Wide exact = Wide{a} * b;
  const Wide half = exact < 0 ? -base::decimal_one / 2 : base::decimal_one / 2;
  const Wide value = (exact + half) / base::decimal_one;
  if (value > std::numeric_limits<std::int64_t>::max() || value < -std::numeric_limits<std::int64_t>::max())
    return std::nullopt;
  return model::Money::from_raw(static_cast<std::int64_t>(value));
}

template <class Tag>
bool add_bounded(model::Scaled<Tag>& sum, model::Scaled<Tag> amount) {
  std::int64_t raw = 0;
  if (__builtin_add_overflow(sum.raw(), amount.raw(), &raw)) return false;
  sum = model::Scaled<Tag>::from_raw(raw);
  return true;
}

}  // namespace

Quality::Quality(const QualityOptions& options)
    : options_{options}, fills_(fills_max), buckets_(static_cast<std::size_t>(options.window / one_second)) {
  PHX_ASSERT(options.window >= base::seconds{cancel_seconds} && options.window <= base::minutes{10} &&
                 options.window % one_second == base::Duration{},
             "a window is one to ten minutes of whole seconds");
  placed_at_.reserve(orders_max);
}

void Quality::on_mid(std::optional<model::Price> mid, base::LocalTime now) {
  forward(now);
  mid_ = mid;
}

void Quality::on_touch(const model::TopOfBook& top, std::optional<model::Price> own_bid,
                       std::optional<model::Price> own_ask, base::LocalTime now) {
  forward(now);
  market_known_ = true;
  bid_at_touch_ = own_bid && *own_bid >= top.bid.price;
  ask_at_touch_ = own_ask && *own_ask <= top.ask.price;
}

void Quality::on_no_market(base::LocalTime now) {
  forward(now);
  market_known_ = bid_at_touch_ = ask_at_touch_ = false;
  mid_.reset();
}

void Quality::on_place(model::ClientOrderId id, model::Qty qty, base::LocalTime now) {
  now = forward(now);
  ++bucket().orders;
  ++window_.orders;
  ++totals_.orders;
  count_qty(&Bucket::placed_qty, totals_.placed_qty, qty);
  if (auto* at = placed_at_.find(id)) {
    *at = now;
  } else if (placed_at_.size() < orders_max) {
    placed_at_.try_emplace(id, now);
  } else {
    ++totals_.orders_untracked;
  }
}

void Quality::on_cancel(base::LocalTime now) {
  forward(now);
  ++bucket().cancels;
  ++window_.cancels;
  ++cancels_minute_;
  ++totals_.cancels;
}

void Quality::on_done(const OrderDone& done, base::LocalTime now) {
  forward(now);
  ++totals_.done[static_cast<std::size_t>(done.reason)];
  placed_at_.erase(done.id);
}

void Quality::on_fill(const Fill& fill, base::LocalTime now) {
  now = forward(now);
  ++bucket().fills;
  ++window_.fills;
  ++totals_.fills;
  count_qty(&Bucket::filled_qty, totals_.filled_qty, fill.qty);
  if (fills_taken_ - settled_.back() < fills_max) {
    fills_[fills_taken_++ % fills_max] = {.at = now, .side = fill.side, .price = fill.price, .qty = fill.qty};
  } else {
    ++totals_.markouts_untracked;
  }
  const auto* placed_at = fill.id ? placed_at_.find(*fill.id) : nullptr;
  if (placed_at == nullptr) {
    ++totals_.fills_of_unknown_orders;
    return;
  }
  const auto us = static_cast<std::uint64_t>((now - *placed_at) / base::microseconds{1});
  ++times_[histogram_index(us)];
  ++times_count_;
  times_sum_us_ += us;
}

void Quality::advance(base::LocalTime now) { forward(now); }

/// Every call comes through here first: what was known since the call before holds up to now. Returns `now`,
/// or the newest time seen when the clock went back.
base::LocalTime Quality::forward(base::LocalTime now) {
  if (!now_) {
    now_ = now;
    second_ = second_of(now);
    return now;
  }
  if (now <= *now_) return *now_;
  const bool stood_still = now - *now_ > options_.gap_max;
  settle_markouts(now, stood_still);
  if (market_known_ && !stood_still) {
    observe(*now_, now);
  } else {
    turn_buckets(second_of(now));
  }
  if (stood_still) {
    // What was known before is old; the next call of each kind says how things stand.
    market_known_ = bid_at_touch_ = ask_at_touch_ = false;
    mid_.reset();
  }
  now_ = now;
  return now;
}

/// Markouts due before `now` are measured against the mid in force, unless nobody watched it. One due right
/// now waits: the mid of this instant may yet be told.
void Quality::settle_markouts(base::LocalTime now, bool stood_still) {
  for (std::size_t h = 0; h < markout_horizons.size(); ++h) {
    while (settled_[h] < fills_taken_) {
      const Pending& fill = fills_[settled_[h] % fills_max];
      const auto due = fill.at + markout_horizons[h];
      if (due >= now) break;
      settle(totals_.markouts[h], fill, stood_still && due > *now_ ? std::nullopt : mid_);
      ++settled_[h];
    }
  }
}

void Quality::settle(QualitySnapshot::Markout& markout, const Pending& fill,
                     std::optional<model::Price> mid) {
  const auto volume = product(fill.price.raw(), fill.qty.raw());
  std::int64_t move_raw = 0;
  if (!mid || __builtin_sub_overflow(mid->raw(), fill.price.raw(), &move_raw)) {
    ++markout.missed;
    return;
  }
  const auto earned = product(move_raw, fill.qty.raw());
  model::Money sum = markout.sum, volume_sum = markout.volume;
  if (!earned || !volume || !add_bounded(sum, fill.side == model::Side::bid ? *earned : -*earned) ||
      !add_bounded(volume_sum, *volume)) {
    ++totals_.quantities_unsummed;
    return;
  }
  ++markout.fills;
  markout.sum = sum;
  markout.volume = volume_sum;
}

void Quality::observe(base::LocalTime from, base::LocalTime to) {
  while (from < to) {
    turn_buckets(second_of(from));
    const auto end = std::min(to, base::LocalTime{base::seconds{second_ + 1}});
    const auto length = end - from;
    for (Bucket* sum : {&bucket(), &window_}) {
      sum->observed += length;
      if (bid_at_touch_) sum->bid_at_touch += length;
      if (ask_at_touch_) sum->ask_at_touch += length;
    }
    totals_.observed += length;
    if (bid_at_touch_) totals_.bid_at_touch += length;
    if (ask_at_touch_) totals_.ask_at_touch += length;
    from = end;
  }
  turn_buckets(second_of(to));
}

/// Begins the bucket of `second`; the sums lose what leaves their windows.
void Quality::turn_buckets(std::int64_t second) {
  const auto count = static_cast<std::int64_t>(buckets_.size());
  if (second - second_ >= count) {
    std::fill(buckets_.begin(), buckets_.end(), Bucket{});
    window_ = {};
    cancels_minute_ = 0;
    second_ = second;
    return;
  }
  while (second_ < second) {
    ++second_;
    Bucket& oldest = bucket();
    window_.placed_qty -= oldest.placed_qty;
    window_.filled_qty -= oldest.filled_qty;
    window_.observed -= oldest.observed;
    window_.bid_at_touch -= oldest.bid_at_touch;
    window_.ask_at_touch -= oldest.ask_at_touch;
    window_.orders -= oldest.orders;
    window_.fills -= oldest.fills;
    window_.cancels -= oldest.cancels;
    cancels_minute_ -= bucket_of(second_ - cancel_seconds).cancels;  // perhaps the oldest itself
    oldest = {};
  }
}

Quality::Bucket& Quality::bucket_of(std::int64_t second) {
  const auto count = static_cast<std::int64_t>(buckets_.size());
  return buckets_[static_cast<std::size_t>((second % count + count) % count)];
}

void Quality::count_qty(model::Qty Bucket::* sum, model::Qty& total, model::Qty qty) {
  // The windows hold parts of the total: where that has room, they have.
  if (qty.is_negative() || !add_bounded(total, qty)) {
    ++totals_.quantities_unsummed;
    return;
  }
  bucket().*sum += qty;
  window_.*sum += qty;
}

/// Below eight each value has its own place; above, the three bits under the highest say which eighth.
std::size_t Quality::histogram_index(std::uint64_t us) {
  if (us < steps_per_octave) return static_cast<std::size_t>(us);
  const auto shift = static_cast<std::uint64_t>(std::bit_width(us)) - 4;
  const std::uint64_t index = (shift + 1) * steps_per_octave + ((us >> shift) - steps_per_octave);
  return std::min(static_cast<std::size_t>(index), histogram_size - 1);
}

std::uint64_t Quality::histogram_upper_us(std::size_t index) {
  if (index < steps_per_octave) return index;
  const std::uint64_t shift = index / steps_per_octave - 1;
  return ((index % steps_per_octave + steps_per_octave + 1) << shift) - 1;
}

QualitySnapshot Quality::snapshot(base::LocalTime now) {
  forward(now);
  return snapshot();
}

QualitySnapshot Quality::snapshot() const {
  QualitySnapshot out = totals_;
  for (auto& markout : out.markouts) {
    constexpr Wide bps_per_unit = 10'000;
    markout.bps = ratio(Wide{markout.sum.raw()} * bps_per_unit, markout.volume.raw());
  }
  out.bid_presence = ratio(window_.bid_at_touch.count(), window_.observed.count());
  out.ask_presence = ratio(window_.ask_at_touch.count(), window_.observed.count());
  out.fill_rate = ratio(window_.filled_qty.raw(), window_.placed_qty.raw());
  out.orders_per_fill = ratio(static_cast<Wide>(window_.orders), static_cast<Wide>(window_.fills));
  out.cancels_per_minute = cancels_minute_;
  if (times_count_ == 0) return out;
  out.time_to_fill_mean = base::microseconds{times_sum_us_ / times_count_};
  const std::uint64_t middle = (times_count_ + 1) / 2;
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < histogram_size; ++i) {
    below += times_[i];
    if (below < middle) continue;
    out.time_to_fill_p50 = base::microseconds{histogram_upper_us(i)};
    break;
  }
  return out;
}

}  // namespace phoenix::order
