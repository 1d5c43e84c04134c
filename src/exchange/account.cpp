#include "exchange/account.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

namespace phoenix::exchange {
namespace {

__extension__ using Wide = __int128;

std::size_t index(Side side) { return side == Side::bid ? 0 : 1; }

/// amount x part / whole, half away from zero; part and whole are positive.
Money share(Money amount, Qty part, Qty whole) {
  const Wide product = static_cast<Wide>(amount.raw()) * part.raw();
  const Wide divisor = whole.raw();
  const Wide half = product < 0 ? -(divisor / 2) : divisor / 2;
  return Money::from_raw(static_cast<std::int64_t>((product + half) / divisor));
}

template <class T>
T saturated(T a, T b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a.raw(), b.raw(), &sum)) sum = std::numeric_limits<std::int64_t>::max();
  return T::from_raw(sum);
}

FeeRates fees_for(const AccountOptions& options, const std::string& quote_asset) {
  for (const FeeRates& rates : options.fees) {
    if (rates.quote_asset == quote_asset) return rates;
  }
  return {quote_asset, Rate{}, Rate{}};
}

}  // namespace

Qty sum_saturated(Qty a, Qty b) { return saturated(a, b); }
Money sum_saturated(Money a, Money b) { return saturated(a, b); }

Money fill_position(Position& position, Side side, Qty qty, Money notional) {
  const int direction = model::sign(side);
  const Qty size = position.qty.abs();
  const bool adds = size.is_zero() || position.qty.is_positive() == (direction > 0);
  if (adds) {
    position.qty += qty * direction;
    position.cost += notional * direction;
    return Money{};
  }
  const Qty closed = std::min(qty, size);
  const Money closing = closed == qty ? notional : share(notional, closed, qty);
  const Money released = closed == size ? position.cost : share(position.cost, closed, size);
  const Money realized = -(closing * direction) - released;
  position.qty += qty * direction;
  position.cost = position.cost - released + (notional - closing) * direction;
  position.realized += realized;
  return realized;
}

Account::Account(AccountId id, AccountOptions options, const std::vector<SymbolSpec>& symbols, Bounds bounds)
    : id_{id},
      options_{std::move(options)},
      finished_max_{bounds.finished_orders},
      fills_{bounds.fills},
      incomes_{bounds.incomes} {
  for (const StartBalance& balance : options_.balances) {
    wallets_.push_back({Asset{balance.asset}, balance.wallet, balance.wallet});
  }
  for (const SymbolSpec& spec : symbols) {
    if (wallet(spec.quote_asset) == nullptr) wallets_.push_back({Asset{spec.quote_asset}, Money{}, Money{}});
    Holding holding;
    const FeeRates rates = fees_for(options_, spec.quote_asset);
    holding.maker_fee = rates.maker;
    holding.taker_fee = rates.taker;
    holding.leverage = options_.leverage;
    holding.wallet = static_cast<std::size_t>(wallet(spec.quote_asset) - wallets_.data());
    holdings_.push_back(std::move(holding));
  }
}

const Account::Wallet* Account::wallet(std::string_view asset) const {
  const auto it =
      std::ranges::find_if(wallets_, [asset](const Wallet& w) { return w.asset.view() == asset; });
  return it == wallets_.end() ? nullptr : &*it;
}

Account::Entry& Account::open(Order order) {
  PHX_ASSERT(!client_id_open(order.client_text.view()), "a client id names at most one open order");
  const std::int64_t id = order.id;
  open_by_client_.try_emplace(order.client_text.str(), id);
  newest_by_client_.try_emplace(order.client_text.str(), id) = id;
  holding(order.symbol).open.push_back(id);
  const auto [it, fresh] = entries_.try_emplace(id, Entry{std::move(order)});
  PHX_ASSERT(fresh, "an order id is used once");
  return it->second;
}

Account::Entry* Account::find(const OrderKey& key) {
  std::int64_t id = key.id;
  if (id == 0) {
    const auto* newest = newest_by_client_.find(key.client_id);
    if (newest == nullptr) return nullptr;
    id = *newest;
  }
  const auto it = entries_.find(id);
  return it == entries_.end() || it->second.order.symbol != key.symbol ? nullptr : &it->second;
}

const Account::Entry* Account::find(const OrderKey& key) const {
  return const_cast<Account*>(this)->find(key);
}

Account::Entry* Account::find_open(const OrderKey& key) {
  OrderKey by_id = key;
  if (by_id.id == 0) {
    const auto* open = open_by_client_.find(key.client_id);
    if (open == nullptr) return nullptr;
    by_id.id = *open;
  }
  Entry* entry = find(by_id);
  return entry == nullptr || !entry->order.is_open() ? nullptr : entry;
}

Account::Entry& Account::entry(std::int64_t id) {
  const auto it = entries_.find(id);
  PHX_ASSERT(it != entries_.end(), "a resting order is known to its account");
  return it->second;
}

void Account::count(Holding& h, const Order& order, Qty left_before, Qty left_after) {
  const std::size_t side = index(order.side);
  const Money notional = model::notional(order.price, left_after) - model::notional(order.price, left_before);
  const Qty qty = left_after - left_before;
  h.notional[side] += notional;
  h.qty[side] += qty;
  if (order.intent == Intent::reduce_only) {
    h.reduce_only_qty[side] += qty;
  } else {
    h.adding_notional[side] += notional;
  }
}

void Account::rested(Entry& entry, MatchingBook::Handle handle) {
  PHX_ASSERT(entry.handle == MatchingBook::none, "an order rests once");
  entry.handle = handle;
  count(holding(entry.order.symbol), entry.order, Qty{}, entry.order.left());
}

void Account::unrested(Entry& entry) {
  PHX_ASSERT(entry.handle != MatchingBook::none, "only a resting order leaves the book");
  entry.handle = MatchingBook::none;
  count(holding(entry.order.symbol), entry.order, entry.order.left(), Qty{});
}

void Account::rest_shrunk(Entry& entry, Qty qty) {
  count(holding(entry.order.symbol), entry.order, entry.order.left(), entry.order.left() - qty);
}

void Account::finish(Entry& entry) {
  PHX_ASSERT(entry.handle == MatchingBook::none && !entry.order.is_open(), "a finished order rests nowhere");
  std::erase(holding(entry.order.symbol).open, entry.order.id);
  open_by_client_.erase(entry.order.client_text.view());
  finished_.push_back(entry.order.id);
  if (finished_.size() <= finished_max_) return;
  const auto oldest = entries_.find(finished_.front());
  finished_.pop_front();
  const auto client = oldest->second.order.client_text.view();
  const auto* newest = newest_by_client_.find(client);
  if (newest != nullptr && *newest == oldest->first) newest_by_client_.erase(client);
  entries_.erase(oldest);
  ++orders_forgotten_;
}

Account::Settlement Account::settle(const Order& order, Level fill, std::int64_t trade_id, Role role,
                                    VenueTime now) {
  Holding& h = holding(order.symbol);
  const Money notional = model::notional(fill.price, fill.qty);
  const Rate rate = role == Role::maker ? h.maker_fee : h.taker_fee;
  const Settlement result{fill_position(h.position, order.side, fill.qty, notional),
                          model::times(notional, rate, model::Rounding::nearest)};
  h.position.updated = now;
  h.fees += result.commission;
  h.filled_volume = sum_saturated(h.filled_volume, fill.qty);
  ++h.fills;
  wallets_[h.wallet].balance += result.realized - result.commission;
  fills_.push({order.symbol, trade_id, order.id, order.side, fill.price, fill.qty, notional, result.realized,
               result.commission, role == Role::maker, now});
  if (!result.realized.is_zero())
    add_income(IncomeKind::realized_pnl, order.symbol, result.realized, trade_id, now);
  if (!result.commission.is_zero()) {
    add_income(IncomeKind::commission, order.symbol, -result.commission, trade_id, now);
  }
  return result;
}

void Account::pay_funding(SymbolId symbol, Money amount, VenueTime now) {
  Holding& h = holding(symbol);
  h.funding += amount;
  wallets_[h.wallet].balance += amount;
  add_income(IncomeKind::funding_fee, symbol, amount, 0, now);
}

void Account::add_income(IncomeKind kind, SymbolId symbol, Money amount, std::int64_t trade_id,
                         VenueTime now) {
  incomes_.push({next_income_++, kind, symbol, amount, trade_id, now});
}

}  // namespace phoenix::exchange
