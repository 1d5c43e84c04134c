#include "exchange/core_state.hpp"
#include "exchange/rules.hpp"

#include <algorithm>
#include <ranges>

#include <fmt/format.h>

namespace phoenix::exchange {
namespace {

using model::Rounding;

constexpr int amendments_max = 10'000;
/// Position and open orders of an account in one symbol, valued at the symbol's highest price: keeps every
/// sum of the exchange inside the fixed-point range whatever wallets and leverage allow.
const Money exposure_max = Money::from_units(2'000'000'000);

std::size_t index(Side side) { return side == Side::bid ? 0 : 1; }

/// The quantity that an order of `side` may take off the position without turning it round.
Qty reducible(const Position& position, Side side) {
  const Qty facing = side == Side::ask ? position.qty : -position.qty;
  return facing.is_positive() ? facing : Qty{};
}

bool exceeds(Qty qty, Price price, Money limit) {
  __extension__ using Wide = __int128;
  return static_cast<Wide>(qty.raw()) * price.raw() > static_cast<Wide>(limit.raw()) * base::decimal_one;
}

}  // namespace

// ---- What accounts ask for

Core::Answer<Order> Core::State::place(AccountId account_id, const PlaceRequest& request, CoreEvents& out) {
  if (!has(request.symbol)) return base::fail(reject::invalid_symbol());
  Account& account = at(account_id);
  Symbol& symbol = at(request.symbol);
  if (auto refused = check_new(account, symbol, request)) return base::fail(*refused);
  if (auto refused = check_entry(symbol, request)) return base::fail(*refused);

  Order order;
  order.account = account_id;
  order.symbol = request.symbol;
  order.side = request.side;
  order.type = request.type;
  order.time_in_force = request.type == OrderType::market ? TimeInForce::gtc : request.time_in_force;
  order.stp = request.stp;
  order.intent = request.intent;
  order.price = request.type == OrderType::market ? Price{} : request.price;
  order.qty = request.qty;
  order.client_text = request.client_id.empty() ? ClientText{fmt::format("web_{:018x}", last_order_id + 1)}
                                                : ClientText{request.client_id};
  Account::Entry& entry = open(account, symbol, std::move(order));
  const bool market = request.type == OrderType::market;
  const Price limit = market ? collar(symbol.spec.filters, request.side, symbol.mark) : request.price;
  const std::int64_t id = entry.order.id;

  const bool rests = !market && !would_take(symbol, request.side, limit) &&
                     (request.time_in_force == TimeInForce::gtc || request.time_in_force == TimeInForce::gtx);
  if (rests) rest(account, symbol, entry, out);
  out.emplace_back(order_event(account, entry.order, ExecutionType::fresh));
  Order result = entry.order;
  if (!rests) {
    run_order(account, symbol, entry, limit, out);
    // With a history of one the finished order may be forgotten already.
    const auto it = account.entries().find(id);
    if (it != account.entries().end()) result = it->second.order;
  }
  flush_top(symbol, out);
  return result;
}

Core::Answer<Order> Core::State::amend(AccountId account_id, const AmendRequest& request, CoreEvents& out) {
  if (!has(request.key.symbol)) return base::fail(reject::invalid_symbol());
  Account& account = at(account_id);
  Symbol& symbol = at(request.key.symbol);
  Account::Entry* found = account.find_open(request.key);
  if (found == nullptr) return base::fail(reject::order_does_not_exist());
  Order& order = found->order;
  if (symbol.status != SymbolStatus::trading) return base::fail(reject::amend_not_trading());
  if (request.side != order.side) return base::fail(reject::side_invalid());
  if (order.amendments >= amendments_max) return base::fail(reject::amend_limit());
  if (request.price == order.price && request.qty == order.qty) return base::fail(reject::amend_no_change());
  if (auto refused = check_qty(symbol.spec, order.type, request.qty)) return base::fail(*refused);
  if (auto refused = check_price(symbol.spec, order.side, request.price, symbol.mark))
    return base::fail(*refused);
  if (order.intent == Intent::open &&
      model::notional(request.price, request.qty, Rounding::down) < symbol.spec.filters.notional_min) {
    return base::fail(reject::amend_too_small());
  }

  const bool spent = request.qty <= order.filled;
  const bool takes = !spent && would_take(symbol, order.side, request.price);
  if (spent || (takes && order.time_in_force == TimeInForce::gtx)) {
    Order result = order;
    end(account, symbol, *found, ExecutionType::canceled, OrderStatus::canceled, ExpiryReason::none, out);
    flush_top(symbol, out);
    result.status = OrderStatus::canceled;
    result.updated = now;
    return result;
  }
  if (auto refused = check_exposure(account, symbol, order.side, request.price, request.qty - order.filled,
                                    order.intent, &order)) {
    return base::fail(*refused);
  }

  unrest(account, symbol, *found, out);
  order.price = request.price;
  order.qty = request.qty;
  order.stp = StpMode::none;
  order.updated = now;
  ++order.amendments;
  if (!takes) rest(account, symbol, *found, out);
  OrderEvent event = order_event(account, order, ExecutionType::amendment);
  event.modify_id = request.modify_id;
  out.emplace_back(event);
  Order result = order;
  if (takes) {
    const std::int64_t id = order.id;
    run_order(account, symbol, *found, request.price, out);
    const auto it = account.entries().find(id);
    if (it != account.entries().end()) result = it->second.order;
  }
  flush_top(symbol, out);
  return result;
}

Core::Answer<Order> Core::State::cancel(AccountId account_id, const OrderKey& key, CoreEvents& out) {
  if (!has(key.symbol)) return base::fail(reject::invalid_symbol());
  Account& account = at(account_id);
  Symbol& symbol = at(key.symbol);
  Account::Entry* entry = account.find_open(key);
  if (entry == nullptr) return base::fail(reject::unknown_order());
  Order result = entry->order;
  end(account, symbol, *entry, ExecutionType::canceled, OrderStatus::canceled, ExpiryReason::none, out);
  flush_top(symbol, out);
  result.status = OrderStatus::canceled;
  result.updated = now;
  return result;
}

std::size_t Core::State::cancel_all(Account& account, Symbol& symbol, CoreEvents& out) {
  const std::vector<std::int64_t> ids = account.holding(symbol.id).open;
  for (const std::int64_t id : ids) {
    end(account, symbol, account.entry(id), ExecutionType::canceled, OrderStatus::canceled,
        ExpiryReason::none, out);
  }
  flush_top(symbol, out);
  return ids.size();
}

Core::Answer<Order> Core::State::liquidate(AccountId account_id, SymbolId symbol_id, CoreEvents& out) {
  if (!has(symbol_id)) return base::fail(reject::invalid_symbol());
  Account& account = at(account_id);
  Symbol& symbol = at(symbol_id);
  cancel_all(account, symbol, out);
  const Qty position = account.holding(symbol_id).position.qty;
  if (position.is_zero()) return base::fail(reject::reduce_only());

  Order order;
  order.account = account_id;
  order.symbol = symbol_id;
  order.side = position.is_positive() ? Side::ask : Side::bid;
  order.type = OrderType::market;
  order.stp = StpMode::none;
  order.intent = Intent::reduce_only;
  order.qty = position.abs();
  order.client_text = ClientText{fmt::format("autoclose-{}", last_order_id + 1)};
  Account::Entry& entry = open(account, symbol, std::move(order));
  out.emplace_back(order_event(account, entry.order, ExecutionType::fresh));
  const std::int64_t id = entry.order.id;
  const Price limit = collar(symbol.spec.filters, entry.order.side, symbol.mark);
  run_order(account, symbol, entry, limit, out);
  const Order result = account.entry(id).order;
  out.emplace_back(LiquidationPrint{symbol_id, result.side, result.qty, result.filled, limit,
                                    result.average_price(), now});
  flush_top(symbol, out);
  return result;
}

// ---- Checks

std::optional<Reject> Core::State::check_new(Account& account, const Symbol& symbol,
                                             const PlaceRequest& request) const {
  const Filters& f = symbol.spec.filters;
  if (symbol.status != SymbolStatus::trading) return reject::symbol_not_trading();
  if (request.type == OrderType::other) return reject::type_invalid();
  const bool market = request.type == OrderType::market;
  if (!market && request.time_in_force == TimeInForce::other) return reject::time_in_force_invalid();
  if (auto refused = check_qty(symbol.spec, request.type, request.qty)) return refused;
  if (!market) {
    if (auto refused = check_price(symbol.spec, request.side, request.price, symbol.mark)) return refused;
  }
  const Price value_at = market ? symbol.mark : request.price;
  if (request.intent == Intent::open &&
      model::notional(value_at, request.qty, Rounding::down) < f.notional_min) {
    return reject::notional_too_small(f.notional_min);
  }
  if (!request.client_id.empty()) {
    if (!client_id_valid(request.client_id)) return reject::client_id_invalid();
    if (account.client_id_open(request.client_id)) return reject::duplicate_client_id();
  }
  if (account.holding(symbol.id).open.size() >= static_cast<std::size_t>(f.orders_max)) {
    return reject::open_order_limit();
  }
  return check_exposure(account, symbol, request.side, value_at, request.qty, request.intent, nullptr);
}

/// Reduce-only room, position limit and margin of an order whose `qty` is not filled yet. `replaced` is the
/// resting order that it stands in for.
std::optional<Reject> Core::State::check_exposure(const Account& account, const Symbol& symbol, Side side,
                                                  Price price, Qty qty, Intent intent,
                                                  const Order* replaced) const {
  const Account::Holding& h = account.holding(symbol.id);
  const std::size_t s = index(side);
  const Qty replaced_qty = replaced == nullptr ? Qty{} : replaced->left();
  if (intent == Intent::reduce_only) {
    const Qty others = h.reduce_only_qty[s] - replaced_qty;
    if (others + qty > reducible(h.position, side)) return reject::reduce_only();
    return std::nullopt;
  }
  const Qty toward = side == Side::bid ? h.position.qty : -h.position.qty;
  if (exceeds(toward + h.qty[s] - replaced_qty + qty, symbol.spec.filters.price_max, exposure_max)) {
    return reject::position_limit();
  }
  const Money before = replaced == nullptr ? Money{} : model::notional(replaced->price, replaced->left());
  const Money extra = model::notional(price, qty) - before;
  const Money margin_now = initial_margin(account, symbol, Money{}, Money{});
  const Money margin_then = side == Side::bid ? initial_margin(account, symbol, extra, Money{})
                                              : initial_margin(account, symbol, Money{}, extra);
  if (margin_then <= margin_now) return std::nullopt;
  const MarginState all = margin(account, symbol.spec.quote_asset);
  if (all.initial_margin - margin_now + margin_then > all.wallet + all.unrealized) {
    return reject::margin_insufficient();
  }
  return std::nullopt;
}

/// What depends on the present book: post-only, fill-or-kill and the best price a market order would meet.
std::optional<Reject> Core::State::check_entry(const Symbol& symbol, const PlaceRequest& request) const {
  if (request.type == OrderType::market) {
    const auto best = symbol.book.top(model::opposite(request.side));
    const Price limit = collar(symbol.spec.filters, request.side, symbol.mark);
    if (!best || !crosses(request.side, limit, best->price)) return reject::counterparty_price();
    return std::nullopt;
  }
  if (request.time_in_force == TimeInForce::gtx && would_take(symbol, request.side, request.price)) {
    return reject::gtx_would_take();
  }
  if (request.time_in_force == TimeInForce::fok &&
      available(symbol, request.side, request.price, request.qty) < request.qty) {
    return reject::fok_not_filled();
  }
  return std::nullopt;
}

/// Worst case of position and open orders at the mark and limit prices, over the leverage, rounded up.
Money Core::State::initial_margin(const Account& account, const Symbol& symbol, Money extra_bids,
                                  Money extra_asks) const {
  const Account::Holding& h = account.holding(symbol.id);
  const Money held = model::notional(symbol.mark, h.position.qty);
  const Money longest = held + h.adding_notional[0] + extra_bids;
  const Money shortest = held - h.adding_notional[1] - extra_asks;
  const Money worst = std::max(longest.abs(), shortest.abs());
  return Money::from_raw((worst.raw() + h.leverage - 1) / h.leverage);
}

MarginState Core::State::margin(const Account& account, std::string_view asset) const {
  MarginState state;
  if (const auto* wallet = account.wallet(asset)) state.wallet = wallet->balance;
  for (const Symbol& symbol : symbols) {
    if (symbol.spec.quote_asset != asset) continue;
    state.unrealized += account.holding(symbol.id).position.unrealized(symbol.mark);
    state.initial_margin += initial_margin(account, symbol, Money{}, Money{});
  }
  state.available = std::max(Money{}, state.wallet + state.unrealized - state.initial_margin);
  return state;
}

bool Core::State::would_take(const Symbol& symbol, Side side, Price price) const {
  const auto best = symbol.book.top(model::opposite(side));
  return best && crosses(side, price, best->price);
}

/// What a fill-or-kill order can count on, up to `wanted`. Resting reduce-only orders do not count: a fill
/// before them in the same sweep can knock them out.
Qty Core::State::available(const Symbol& symbol, Side side, Price limit, Qty wanted) const {
  Qty found;
  for (const auto& level : std::views::reverse(symbol.book.levels(model::opposite(side)))) {
    if (found >= wanted || !crosses(side, limit, level.price)) break;
    for (auto h = level.first; h != MatchingBook::none; h = symbol.book.order(h).behind) {
      const auto& resting = symbol.book.order(h);
      if (resting.intent == Intent::open) found += resting.left;
    }
  }
  return found;
}

// ---- An order's life

Account::Entry& Core::State::open(Account& account, Symbol& symbol, Order order) {
  PHX_ASSERT(order.symbol == symbol.id, "an order is opened in its own symbol");
  order.id = ++last_order_id;
  order.created = order.updated = now;
  return account.open(std::move(order));
}

void Core::State::run_order(Account& account, Symbol& symbol, Account::Entry& entry, Price limit,
                            CoreEvents& out) {
  // Self-trade prevention works for GTC and IOC takers; fill-or-kill promised what rests, its own included.
  const bool fok = entry.order.time_in_force == TimeInForce::fok;
  Taker taker{.account = account.id(),
              .side = entry.order.side,
              .limit = limit,
              .left = entry.order.left(),
              .stp = fok ? StpMode::none : entry.order.stp,
              .entry = &entry};
  sweep(symbol, taker, out);
  if (taker.left.is_zero()) return;

  const bool ioc = entry.order.time_in_force == TimeInForce::ioc;
  const bool market = entry.order.type == OrderType::market;
  if (taker.stop == Taker::Stop::self_trade) {
    end(account, symbol, entry, ExecutionType::expired, OrderStatus::expired_in_match,
        ioc ? ExpiryReason::ioc_rest_self_trade : ExpiryReason::self_trade, out);
  } else if (taker.stop == Taker::Stop::reduce_only) {
    end(account, symbol, entry, ExecutionType::expired, OrderStatus::expired, ExpiryReason::reduce_only, out);
  } else if (ioc || market || fok) {
    end(account, symbol, entry, ExecutionType::expired, OrderStatus::expired,
        market ? ExpiryReason::market_rest : ExpiryReason::ioc_rest, out);
  } else {
    rest(account, symbol, entry, out);
  }
}

void Core::State::sweep(Symbol& symbol, Taker& taker, CoreEvents& out) {
  const Side facing = model::opposite(taker.side);
  while (taker.left.is_positive() && taker.stop == Taker::Stop::none) {
    const auto handle = symbol.book.best(facing);
    if (handle == MatchingBook::none) break;
    const MatchingBook::Resting maker = symbol.book.order(handle);
    if (!crosses(taker.side, taker.limit, maker.price)) break;
    if (symbol.untold && symbol.untold->second != maker.price) tell(symbol, out);

    if (maker.owner == taker.account && !maker.owner.is_market() && taker.stp != StpMode::none) {
      if (taker.stp != StpMode::expire_maker) taker.stop = Taker::Stop::self_trade;
      if (taker.stp != StpMode::expire_taker) {
        Account& account = at(maker.owner);
        end(account, symbol, account.entry(maker.id), ExecutionType::expired, OrderStatus::expired_in_match,
            ExpiryReason::self_trade, out);
      }
      continue;
    }
    Qty qty = std::min(taker.left, maker.left);
    if (taker.entry != nullptr && taker.entry->order.intent == Intent::reduce_only) {
      qty = std::min(qty, reducible(at(taker.account).holding(symbol.id).position, taker.side));
      if (qty.is_zero()) {
        taker.stop = Taker::Stop::reduce_only;
        break;
      }
    }
    trade(symbol, taker, handle, qty, out);
  }
  tell(symbol, out);
}

void Core::State::trade(Symbol& symbol, Taker& taker, MatchingBook::Handle handle, Qty qty, CoreEvents& out) {
  const MatchingBook::Resting maker = symbol.book.order(handle);
  const Level fill{maker.price, qty};
  const Money notional = model::notional(fill.price, fill.qty);
  const bool gone = symbol.book.fill(handle, qty);
  symbol.untold = {maker.side, maker.price};
  if (gone && maker.owner.is_market() && symbol.agents) symbol.agents->left(handle);
  taker.left -= qty;
  taker.quote += notional;

  TradePrint printed;
  printed.price = fill.price;
  printed.qty = qty;
  printed.aggressor = taker.side;
  printed.maker = maker.owner;
  printed.taker = taker.account;
  printed.maker_order = maker.owner.is_market() ? 0 : maker.id;
  printed.taker_order = taker.entry == nullptr ? 0 : taker.entry->order.id;
  print(symbol, printed, out);
  const std::int64_t trade_id = symbol.next_trade_id;

  if (maker.owner.is_market() != taker.account.is_market()) {
    fill_position(symbol.market_position, maker.owner.is_market() ? maker.side : taker.side, qty, notional);
  }
  if (!maker.owner.is_market()) {
    Account& account = at(maker.owner);
    Account::Entry& entry = account.entry(maker.id);
    account.rest_shrunk(entry, qty);
    if (gone) entry.handle = MatchingBook::none;
    settle(symbol, entry, fill, trade_id, Account::Role::maker, out);
  }
  if (taker.entry != nullptr) settle(symbol, *taker.entry, fill, trade_id, Account::Role::taker, out);
}

/// The account's side of a fill, its events, and what it knocks out.
void Core::State::settle(Symbol& symbol, Account::Entry& entry, Level fill, std::int64_t trade_id,
                         Account::Role role, CoreEvents& out) {
  Account& account = at(entry.order.account);
  Order& order = entry.order;
  order.filled += fill.qty;
  order.filled_quote += model::notional(fill.price, fill.qty);
  order.updated = now;
  PHX_ASSERT(order.filled <= order.qty, "an order is never filled beyond its quantity");
  order.status = order.left().is_zero() ? OrderStatus::filled : OrderStatus::partially_filled;
  const auto settled = account.settle(order, fill, trade_id, role, now);

  const Account::Holding& h = account.holding(symbol.id);
  const auto& wallet = account.wallets()[h.wallet];
  out.emplace_back(AccountEvent{account.id(), model::AccountReason::order, wallet.asset, wallet.balance,
                                Money{}, symbol.id, h.position, h.position.unrealized(symbol.mark), now});
  OrderEvent event = order_event(account, order, ExecutionType::trade);
  event.last_qty = fill.qty;
  event.last_price = fill.price;
  event.trade_id = trade_id;
  event.commission = settled.commission;
  event.realized = settled.realized;
  event.maker = role == Account::Role::maker;
  out.emplace_back(event);
  if (!order.is_open()) account.finish(entry);
  enforce_reduce_only(account, symbol, out);
}

/// Resting reduce-only orders never add up to more than the position. The worst priced goes first, of equal
/// prices the newest.
void Core::State::enforce_reduce_only(Account& account, Symbol& symbol, CoreEvents& out) {
  Account::Holding& h = account.holding(symbol.id);
  for (const Side side : {Side::bid, Side::ask}) {
    while (h.reduce_only_qty[index(side)] > reducible(h.position, side)) {
      Account::Entry* worst = nullptr;
      for (const std::int64_t id : h.open) {
        Account::Entry& entry = account.entry(id);
        const Order& order = entry.order;
        if (order.intent != Intent::reduce_only || order.side != side || entry.handle == MatchingBook::none)
          continue;
        if (worst == nullptr || crosses(side, worst->order.price, order.price)) worst = &entry;
      }
      PHX_ASSERT(worst != nullptr, "a reduce-only quantity belongs to an order");
      end(account, symbol, *worst, ExecutionType::expired, OrderStatus::expired, ExpiryReason::reduce_only,
          out);
    }
  }
}

void Core::State::rest(Account& account, Symbol& symbol, Account::Entry& entry, CoreEvents& out) {
  const Order& order = entry.order;
  account.rested(
      entry, symbol.book.add(order.side, order.price, order.left(), account.id(), order.id, order.intent));
  book_changed(symbol, order.side, order.price, out);
}

void Core::State::unrest(Account& account, Symbol& symbol, Account::Entry& entry, CoreEvents& out) {
  symbol.book.remove(entry.handle);
  account.unrested(entry);
  book_changed(symbol, entry.order.side, entry.order.price, out);
}

/// Ends an order that is not filled, wherever it stands. The entry may be forgotten afterwards.
void Core::State::end(Account& account, Symbol& symbol, Account::Entry& entry, ExecutionType execution,
                      OrderStatus status, ExpiryReason reason, CoreEvents& out) {
  if (entry.handle != MatchingBook::none) unrest(account, symbol, entry, out);
  entry.order.status = status;
  entry.order.updated = now;
  OrderEvent event = order_event(account, entry.order, execution);
  event.expiry = reason;
  out.emplace_back(event);
  account.finish(entry);
}

OrderEvent Core::State::order_event(const Account& account, const Order& order,
                                    ExecutionType execution) const {
  OrderEvent event;
  event.order = order;
  event.execution = execution;
  const Account::Holding& h = account.holding(order.symbol);
  event.bids_notional = h.notional[0];
  event.asks_notional = h.notional[1];
  event.time = now;
  return event;
}

}  // namespace phoenix::exchange
