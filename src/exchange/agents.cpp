#include "exchange/agents.hpp"

#include <algorithm>
#include <array>

namespace phoenix::exchange {
namespace {

__extension__ using Wide = __int128;

constexpr base::Duration fair_step = base::milliseconds{100};

/// docs/exchange-market.md explains each column.
struct RegimeRates {
  int activity_percent;           ///< of SymbolSpec::activity
  int take_per_mille;             ///< of all actions
  std::int64_t sigma_ppb;         ///< of the fair value, per square root of 100 ms
  std::int64_t jump_per_million;  ///< per 100 ms
  std::int64_t jump_ppb;          ///< standard deviation of a jump
  std::int64_t drift_ppb;         ///< per 100 ms, in the direction of the crash
  std::size_t orders_wanted;
  base::Duration mean_stay;
  std::array<int, 4> next_per_mille;  ///< calm, normal, busy, crash
};

constexpr RegimeRates rates_of[] = {
    {30, 30, 4'000, 300, 60'000, 0, 700, base::minutes{10}, {0, 850, 140, 10}},
    {100, 35, 14'000, 1'000, 150'000, 0, 700, base::minutes{15}, {600, 0, 370, 30}},
    {220, 45, 45'000, 4'000, 300'000, 0, 550, base::minutes{4}, {150, 750, 0, 100}},
    {600, 90, 150'000, 30'000, 800'000, 60'000, 300, base::seconds{30}, {0, 200, 800, 0}},
};
const RegimeRates& rates(Regime regime) { return rates_of[static_cast<std::size_t>(regime)]; }

/// Trailing heads of a coin, 0..limit: P(n) = 2^-(n+1).
int coin_run(base::Rng& rng, int limit) {
  const std::uint64_t bits = rng.next();
  int run = 0;
  while (run < limit && ((bits >> run) & 1) != 0) ++run;
  return run;
}

Side random_side(base::Rng& rng) { return (rng.next() >> 63) != 0 ? Side::bid : Side::ask; }

}  // namespace

std::uint64_t exponential_q32(base::Rng& rng) {
  for (std::uint64_t whole = 0;; ++whole) {
    const std::uint64_t first = rng.next() >> 32;
    std::uint64_t previous = first;
    bool odd = true;
    for (;;) {
      const std::uint64_t value = rng.next() >> 32;
      if (value >= previous) break;
      previous = value;
      odd = !odd;
    }
    if (odd) return (whole << 32) | first;
  }
}

Agents::Agents(const SymbolSpec& spec, base::Rng rng, VenueTime start)
    : rng_{rng},
      anchor_{spec.initial_price.raw()},
      fair_{anchor_},
      tick_{spec.filters.tick_size},
      size_unit_{spec.size_unit},
      activity_{spec.activity},
      regime_{spec.regime},
      regime_fixed_{spec.regime_fixed},
      next_action_{start},
      next_fair_{start + fair_step},
      next_regime_{start} {
  next_regime_ = start + (after(rates(regime_).mean_stay) - next_action_);
  next_action_ = after(base::milliseconds{1});
}

/// An exponential time after the present action.
VenueTime Agents::after(base::Duration mean) {
  const Wide wait = (static_cast<Wide>(mean.count()) * exponential_q32(rng_)) >> 32;
  return next_action_ + base::Duration{static_cast<std::int64_t>(wait)};
}

void Agents::set_regime(Regime regime) {
  regime_ = regime;
  if (regime == Regime::crash) crash_direction_ = rng_.below(3) == 0 ? 1 : -1;
  next_regime_ = after(rates(regime_).mean_stay);
}

void Agents::switch_regime() {
  auto roll = static_cast<int>(rng_.below(1'000));
  for (const Regime next : {Regime::calm, Regime::normal, Regime::busy, Regime::crash}) {
    roll -= rates(regime_).next_per_mille[static_cast<std::size_t>(next)];
    if (roll < 0) return set_regime(next);
  }
}

void Agents::move_fair() {
  const RegimeRates& r = rates(regime_);
  std::int64_t ppb = r.sigma_ppb * rng_.normal_milli() / 1'000 + r.drift_ppb * crash_direction_;
  if (rng_.chance_per_million(static_cast<std::uint64_t>(r.jump_per_million))) {
    ppb += r.jump_ppb * rng_.normal_milli() / 1'000;
  }
  const Wide step = static_cast<Wide>(fair_) * ppb / 1'000'000'000;
  // A weak pull towards the initial price keeps a week-long run inside plausible prices (time constant about
  // 15 h).
  const std::int64_t pull = (anchor_ - fair_) / 524'288;
  fair_ = std::clamp(fair_ + static_cast<std::int64_t>(step) + pull, anchor_ / 4, anchor_ * 4);
}

void Agents::run_clocks() {
  for (; next_fair_ <= next_action_; next_fair_ += fair_step) move_fair();
  if (next_action_ >= next_regime_ && !regime_fixed_) switch_regime();
}

AgentAction Agents::act(const MatchingBook& book, const Filters& filters) {
  run_clocks();
  tick_ = filters.tick_size;
  const RegimeRates& r = rates(regime_);
  const std::int64_t per_second = std::max<std::int64_t>(1, activity_ * r.activity_percent / 100);
  const auto bid = book.top(Side::bid);
  const auto ask = book.top(Side::ask);
  AgentAction action;
  const bool ask_is_cheap = ask && ask->price <= highest_buy();
  const bool bid_is_dear = bid && bid->price >= lowest_sell();
  const auto roll = rng_.below(1'000);
  if ((ask_is_cheap || bid_is_dear) && roll < 500) {
    action = take(book, filters, ask_is_cheap ? Side::bid : Side::ask, false);
  } else if (roll >= 1'000 - static_cast<std::uint64_t>(r.take_per_mille)) {
    Side side = random_side(rng_);
    const bool forced = regime_ == Regime::crash && rng_.below(4) == 0;
    if (regime_ == Regime::crash && rng_.below(2) == 0) side = crash_direction_ > 0 ? Side::bid : Side::ask;
    action = take(book, filters, side, forced);
  } else {
    // The chance to place falls from 1 to 0 as the book grows to twice what is wanted.
    const bool places = rng_.below(2 * r.orders_wanted) >= orders_.size();
    action = places ? place(book, filters) : cancel(book);
  }
  next_action_ = after(base::Duration{1'000'000'000 / per_second});
  return action;
}

/// Below the fair value by the slack or more: worth buying at once. Its mirror is worth selling.
Price Agents::highest_buy() const { return model::round_to(fair() - slack(), tick_, model::Rounding::down); }
Price Agents::lowest_sell() const { return model::round_to(fair() + slack(), tick_, model::Rounding::up); }

/// How far a touch may stand on the wrong side of the fair value before anyone minds: 0.4 basis points, at
/// least half a tick. It keeps prices still while the fair value trembles.
Price Agents::slack() const { return Price::from_raw(std::max(fair_ / 25'000, tick_.raw() / 2)); }

/// A stale touch is taken as far as it is stale; other takers bring heavy-tailed sizes that rarely reach the
/// second level.
AgentAction Agents::take(const MatchingBook& book, const Filters& filters, Side side, bool forced) {
  const auto best = book.top(model::opposite(side));
  if (!best) return {};
  AgentAction action{.kind = AgentAction::Kind::take, .side = side, .price = best->price, .forced = forced};
  const Price worth = side == Side::bid ? highest_buy() : lowest_sell();
  if (crosses(side, worth, best->price)) {
    action.price = worth;
    action.qty = best->qty * (1 + coin_run(rng_, 3));
    return action;
  }
  const Price slip = tick_ * (forced ? 40 : 3);
  action.price = side == Side::bid ? best->price + slip : best->price - slip;
  action.qty = size(filters, forced ? 3 : -3);
  return action;
}

AgentAction Agents::place(const MatchingBook& book, const Filters& filters) {
  const Side side = random_side(rng_);
  const int away = side == Side::bid ? -1 : 1;
  // One distance unit is 0.1 basis points, at least a tick: depth looks alike at coarse and fine ticks.
  const std::int64_t unit = std::max<std::int64_t>(1, fair_ / 100'000 / tick_.raw());
  std::int64_t ticks = 0;
  int shift = 0;
  const auto roll = rng_.below(100);
  if (roll < 45) {
    ticks = coin_run(rng_, 3) / 2;
    shift = 2;
  } else if (roll < 75) {
    ticks = 1 + static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(12 * unit)));
    shift = 1;
  } else {
    const auto reach = static_cast<std::uint64_t>(40 * unit) << coin_run(rng_, 3);
    ticks = 1 + static_cast<std::int64_t>(rng_.below(reach));
  }
  // The foremost price that a maker of this side takes: not beyond the slack, and never crossing.
  Price front = side == Side::bid ? model::round_to(fair() + slack(), tick_, model::Rounding::down)
                                  : model::round_to(fair() - slack(), tick_, model::Rounding::up);
  const auto opposing = book.top(model::opposite(side));
  if (opposing && crosses(side, front, opposing->price)) front = opposing->price + tick_ * away;
  const Price price = front + tick_ * (ticks * away);
  if (price < tick_ || price > filters.price_max) return {};
  return {.kind = AgentAction::Kind::place, .side = side, .price = price, .qty = size(filters, shift)};
}

AgentAction Agents::seed_order(const MatchingBook& book, const Filters& filters) {
  return place(book, filters);
}

/// Half of all cancels hit the touch, where makers change their minds most; the others prefer what stands far
/// away.
AgentAction Agents::cancel(const MatchingBook& book) {
  if (orders_.empty()) return {};
  AgentAction action{.kind = AgentAction::Kind::cancel};
  const auto roll = rng_.below(100);
  if (roll < 50) {
    const auto& levels = book.levels(random_side(rng_));
    if (levels.empty()) return {};
    action.handle = levels.best().last;
    // Alone at the touch most stay: prices move because they are traded or stale, seldom because a maker
    // leaves.
    const bool alone = levels.best().first == action.handle && rng_.below(16) != 0;
    if (!alone && book.order(action.handle).owner.is_market()) return action;
  }
  action.handle = orders_[rng_.below(orders_.size())];
  const auto other = orders_[rng_.below(orders_.size())];
  const auto distance = [&](MatchingBook::Handle h) { return (book.order(h).price - fair()).abs(); };
  if (distance(other) > distance(action.handle)) action.handle = other;
  return action;
}

/// Heavy-tailed, each doubling half as likely; three in ten are round multiples of the unit.
Qty Agents::size(const Filters& filters, int shift) {
  const int doublings = coin_run(rng_, 8) + shift;
  const std::int64_t eighths = rng_.below(10) < 3 ? 8 : rng_.between(5, 15);
  std::int64_t raw = size_unit_.raw() / 8 * eighths / 4;
  raw = doublings >= 0 ? raw << doublings : raw >> -doublings;
  const std::int64_t step = filters.step_size.raw();
  return std::clamp(Qty::from_raw(raw / step * step), filters.qty_min, filters.qty_max);
}

void Agents::joined(MatchingBook::Handle handle) {
  if (handle >= place_in_orders_.size()) place_in_orders_.resize(handle + 1);
  place_in_orders_[handle] = static_cast<std::uint32_t>(orders_.size());
  orders_.push_back(handle);
}

void Agents::left(MatchingBook::Handle handle) {
  const std::uint32_t place = place_in_orders_[handle];
  PHX_ASSERT(place < orders_.size() && orders_[place] == handle, "the crowd knows its own orders");
  orders_[place] = orders_.back();
  place_in_orders_[orders_[place]] = place;
  orders_.pop_back();
}

}  // namespace phoenix::exchange
