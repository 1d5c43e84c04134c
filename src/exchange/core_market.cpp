#include "exchange/core_state.hpp"

#include <algorithm>
#include <ranges>

namespace phoenix::exchange {
namespace {

__extension__ using Wide = __int128;

constexpr base::Duration agg_window = base::milliseconds{100};
/// Recorded quantities beyond are refused.
const Qty external_qty_max = Qty::from_units(1'000'000'000);
constexpr std::size_t external_levels_max = 20'000;
constexpr Rate external_rate_max = Rate::from_raw(base::decimal_one / 10);

constexpr Rate interest = Rate::from_raw(10'000);  // 0.01 %
constexpr std::int64_t interest_band = 50'000;     // 0.05 %
constexpr std::int64_t funding_cap = 750'000;      // 0.75 %

std::int64_t ratio(std::int64_t part, std::int64_t whole) {
  return static_cast<std::int64_t>(static_cast<Wide>(part) * base::decimal_one / whole);
}

VenueTime minute_of(VenueTime t) {
  return VenueTime{std::chrono::floor<base::minutes>(t.time_since_epoch())};
}

}  // namespace

// ---- Time

VenueTime Core::State::next_deadline() const {
  VenueTime next = std::min(next_second, next_funding);
  for (const Symbol& symbol : symbols) {
    if (symbol.agents) next = std::min(next, symbol.agents->next_time());
    if (symbol.open_agg) next = std::min(next, symbol.open_agg->time + agg_window);
  }
  for (const auto& [key, deadline] : countdowns) next = std::min(next, deadline);
  return next;
}

void Core::State::run_to(VenueTime until, CoreEvents& out) {
  for (VenueTime next = next_deadline(); next <= until; next = next_deadline()) {
    now = std::max(now, next);
    if (next_second <= now) second_tick(out);
    if (!countdowns.empty()) fire_countdowns(out);
    for (Symbol& symbol : symbols) {
      if (symbol.open_agg && symbol.open_agg->time + agg_window <= now) close_agg(symbol, out);
      if (symbol.agents && symbol.agents->next_time() <= now) act(symbol, out);
    }
  }
  now = std::max(now, until);
}

void Core::State::fire_countdowns(CoreEvents& out) {
  for (auto it = countdowns.begin(); it != countdowns.end();) {
    if (it->second > now) {
      ++it;
      continue;
    }
    cancel_all(at(it->first.first), at(it->first.second), out);
    it = countdowns.erase(it);
  }
}

void Core::State::second_tick(CoreEvents& out) {
  const bool funding = next_funding <= now;
  if (funding) next_funding += options.funding_interval;
  for (Symbol& symbol : symbols) {
    roll_bar(symbol);
    if (funding) settle_funding(symbol, out);
    tick_mark(symbol, out);
  }
  next_second += base::seconds{1};
}

/// Index: the agents' fair value, or a smoothed mid. Mark: index plus the smoothed distance of the mid from
/// it.
void Core::State::tick_mark(Symbol& symbol, CoreEvents& out) {
  if (symbol.external_mark) {
    out.emplace_back(
        MarkPriceTick{symbol.id, symbol.mark, symbol.index, symbol.funding_rate, next_funding, now});
    return;
  }
  const auto bid = symbol.book.top(Side::bid);
  const auto ask = symbol.book.top(Side::ask);
  const std::int64_t mid = bid && ask ? (bid->price + ask->price).raw() / 2 : symbol.last.raw();
  std::int64_t index = symbol.index.raw();
  index = symbol.agents ? symbol.agents->fair().raw() : index + (mid - index) / 8;
  symbol.basis += (mid - index - symbol.basis) / 30;
  symbol.index = Price::from_raw(index);
  const std::int64_t lowest = symbol.spec.filters.tick_size.raw();
  symbol.mark =
      Price::from_raw(std::clamp(index + symbol.basis, lowest, symbol.spec.filters.price_max.raw()));

  symbol.premium_sum +=
      std::clamp(ratio((symbol.mark - symbol.index).raw(), index), -funding_cap, funding_cap);
  ++symbol.premium_count;
  const std::int64_t premium = symbol.premium_sum / symbol.premium_count;
  const std::int64_t pull = std::clamp(interest.raw() - premium, -interest_band, interest_band);
  symbol.funding_rate = Rate::from_raw(std::clamp(premium + pull, -funding_cap, funding_cap));
  out.emplace_back(
      MarkPriceTick{symbol.id, symbol.mark, symbol.index, symbol.funding_rate, next_funding, now});
}

/// Longs pay shorts when the rate is positive: position x mark x rate, half away from zero.
void Core::State::settle_funding(Symbol& symbol, CoreEvents& out) {
  symbol.last_funding_rate = symbol.funding_rate;
  symbol.premium_sum = symbol.premium_count = 0;
  out.emplace_back(FundingSettled{symbol.id, symbol.funding_rate, symbol.mark, now});
  for (Account& account : accounts) {
    const Account::Holding& h = account.holding(symbol.id);
    if (h.position.qty.is_zero()) continue;
    const Money held = model::notional(symbol.mark, h.position.qty);
    const Money amount = -model::times(held, symbol.funding_rate, model::Rounding::nearest);
    account.pay_funding(symbol.id, amount, now);
    const auto& wallet = account.wallets()[h.wallet];
    AccountEvent event{
        .account = account.id(), .reason = model::AccountReason::funding_fee, .asset = wallet.asset};
    event.wallet = wallet.balance;
    event.change = amount;
    event.symbol = symbol.id;
    event.time = now;
    out.emplace_back(event);
  }
}

void Core::State::transfer(Account& account, std::string_view asset, Money amount, CoreEvents& out) {
  for (auto& wallet : account.wallets()) {
    if (wallet.asset.view() != asset) continue;
    wallet.start += amount;
    wallet.balance += amount;
    AccountEvent event{
        .account = account.id(), .reason = model::AccountReason::transfer, .asset = wallet.asset};
    event.wallet = wallet.balance;
    event.change = amount;
    event.time = now;
    out.emplace_back(event);
  }
}

// ---- The book and the tape

void Core::State::book_changed(Symbol& symbol, Side side, Price price, CoreEvents& out) {
  if (symbol.untold == std::pair{side, price}) symbol.untold.reset();
  symbol.last_update_id = ++last_update_id;
  symbol.last_change = now;
  out.emplace_back(
      BookChange{symbol.id, side, price, symbol.book.qty_at(side, price), symbol.last_update_id, now});
}

void Core::State::tell(Symbol& symbol, CoreEvents& out) {
  if (symbol.untold) book_changed(symbol, symbol.untold->first, symbol.untold->second, out);
}

void Core::State::flush_top(Symbol& symbol, CoreEvents& out) {
  const Level bid = symbol.book.top(Side::bid).value_or(Level{});
  const Level ask = symbol.book.top(Side::ask).value_or(Level{});
  if (!symbol.priced && bid.price.is_positive() && ask.price.is_positive()) {
    symbol.priced = true;
    if (!symbol.agents) symbol.mark = symbol.index = Price::from_raw((bid.price + ask.price).raw() / 2);
  }
  if (bid == symbol.top.bid && ask == symbol.top.ask) return;
  if (!bid.qty.is_zero() && !ask.qty.is_zero()) {
    PHX_ASSERT(bid.price < ask.price, "a matched book is never crossed");
  }
  symbol.top = {symbol.id, bid, ask, symbol.last_update_id, now};
  out.emplace_back(symbol.top);
}

void Core::State::print(Symbol& symbol, TradePrint trade, CoreEvents& out) {
  trade.symbol = symbol.id;
  trade.id = ++symbol.next_trade_id;
  trade.time = now;
  symbol.last = trade.price;
  symbol.trades.push(trade);
  count_bar(symbol, trade);
  out.emplace_back(trade);

  if (symbol.open_agg) {
    AggTradePrint& row = *symbol.open_agg;
    if (row.price == trade.price && row.aggressor == trade.aggressor && now < row.time + agg_window) {
      row.qty = sum_saturated(row.qty, trade.qty);
      row.last_trade_id = trade.id;
      return;
    }
    close_agg(symbol, out);
  }
  symbol.open_agg = {symbol.id, ++symbol.next_agg_id, trade.price, trade.qty, trade.id,
                     trade.id,  trade.aggressor,      now};
}

void Core::State::close_agg(Symbol& symbol, CoreEvents& out) {
  symbol.agg_trades.push(*symbol.open_agg);
  out.emplace_back(*symbol.open_agg);
  symbol.open_agg.reset();
}

void Core::State::roll_bar(Symbol& symbol) {
  const VenueTime minute = minute_of(now);
  while (symbol.bars.back().open_time < minute) {
    const Price close = symbol.bars.back().close;
    MinuteBar bar{.open_time = symbol.bars.back().open_time + base::minutes{1}};
    bar.open = bar.high = bar.low = bar.close = close;
    symbol.bars.push(bar);
  }
}

void Core::State::count_bar(Symbol& symbol, const TradePrint& trade) {
  roll_bar(symbol);
  MinuteBar& bar = symbol.bars.back();
  if (bar.trades == 0) {
    bar.open = bar.high = bar.low = trade.price;
    bar.first_trade_id = trade.id;
  }
  bar.high = std::max(bar.high, trade.price);
  bar.low = std::min(bar.low, trade.price);
  bar.close = trade.price;
  bar.last_trade_id = trade.id;
  ++bar.trades;
  const Money quote = model::notional(trade.price, trade.qty);
  bar.volume = sum_saturated(bar.volume, trade.qty);
  bar.quote_volume = sum_saturated(bar.quote_volume, quote);
  if (trade.aggressor == Side::bid) {
    bar.taker_buy_volume = sum_saturated(bar.taker_buy_volume, trade.qty);
    bar.taker_buy_quote = sum_saturated(bar.taker_buy_quote, quote);
  }
}

// ---- Agents

void Core::State::seed_books() {
  CoreEvents unseen;
  for (Symbol& symbol : symbols) {
    if (!symbol.agents) continue;
    for (std::size_t i = 0; i < Agents::orders_at_start; ++i) {
      perform(symbol, symbol.agents->seed_order(symbol.book, symbol.spec.filters), unseen);
    }
    flush_top(symbol, unseen);
    unseen.clear();
  }
}

void Core::State::act(Symbol& symbol, CoreEvents& out) {
  ++stats.agent_actions;
  const AgentAction action = symbol.agents->act(symbol.book, symbol.spec.filters);
  if (symbol.status != SymbolStatus::trading) return;  // the crowd goes on wanting, the book stands still
  perform(symbol, action, out);
  flush_top(symbol, out);
}

void Core::State::perform(Symbol& symbol, const AgentAction& action, CoreEvents& out) {
  switch (action.kind) {
    case AgentAction::Kind::none:
      return;
    case AgentAction::Kind::place: {
      if (symbol.agents->full()) {
        ++stats.agent_orders_refused;
        return;
      }
      symbol.agents->joined(symbol.book.add(action.side, action.price, action.qty, market_account,
                                            ++last_order_id, Intent::open));
      return book_changed(symbol, action.side, action.price, out);
    }
    case AgentAction::Kind::cancel:
      return remove_market_order(symbol, action.handle, out);
    case AgentAction::Kind::take: {
      Taker taker{.account = market_account, .side = action.side, .limit = action.price, .left = action.qty};
      sweep(symbol, taker, out);
      const Qty filled = action.qty - taker.left;
      if (action.forced && filled.is_positive()) {
        out.emplace_back(LiquidationPrint{symbol.id, action.side, action.qty, filled, action.price,
                                          model::average_price(taker.quote, filled), now});
      }
      return;
    }
  }
}

void Core::State::remove_market_order(Symbol& symbol, MatchingBook::Handle handle, CoreEvents& out) {
  const MatchingBook::Resting gone = symbol.book.order(handle);
  if (symbol.agents) symbol.agents->left(handle);
  symbol.book.remove(handle);
  book_changed(symbol, gone.side, gone.price, out);
}

// ---- A recording

bool Core::State::external_makes_sense(const Symbol& symbol, Price price, Qty qty, Qty least) {
  const bool sense = price.is_positive() && price <= symbol.spec.filters.price_max && qty >= least &&
                     qty <= external_qty_max && !symbol.agents;
  if (!sense) ++stats.external_refused;
  return sense;
}

void Core::State::apply_external_levels(Symbol& symbol, std::span<const Level> bids,
                                        std::span<const Level> asks, CoreEvents& out) {
  for (const Level& level : bids) apply_external_level(symbol, Side::bid, level, out);
  for (const Level& level : asks) apply_external_level(symbol, Side::ask, level, out);
  flush_top(symbol, out);
}

void Core::State::replace_external_book(Symbol& symbol, std::span<const Level> bids,
                                        std::span<const Level> asks, CoreEvents& out) {
  for (const Side side : {Side::bid, Side::ask}) {
    std::vector<Price> stays;
    for (const Level& level : side == Side::bid ? bids : asks) stays.push_back(level.price);
    std::ranges::sort(stays);
    std::vector<Price> goes;
    for (const auto& level : symbol.book.levels(side)) {
      if (!std::ranges::binary_search(stays, level.price)) goes.push_back(level.price);
    }
    for (const Price price : goes) apply_external_level(symbol, side, {price, Qty{}}, out);
  }
  apply_external_levels(symbol, bids, asks, out);
}

void Core::State::set_external_mark(Symbol& symbol, Price mark, Price index, Rate funding_rate) {
  if (!external_makes_sense(symbol, mark, Qty{}, Qty{}) || !index.is_positive() ||
      funding_rate.abs() > external_rate_max) {
    return;
  }
  symbol.external_mark = true;
  symbol.mark = mark;
  symbol.index = index;
  symbol.funding_rate = funding_rate;
}

void Core::State::apply_external_level(Symbol& symbol, Side side, Level level, CoreEvents& out) {
  if (!external_makes_sense(symbol, level.price, level.qty, Qty{})) return;
  if (level.qty.is_positive()) {
    const auto facing = symbol.book.top(model::opposite(side));
    if (facing && crosses(side, level.price, facing->price)) meet_external_level(symbol, side, level, out);
  }
  const auto* const resting = symbol.book.level(side, level.price);
  Qty present;
  for (auto h = resting == nullptr ? MatchingBook::none : resting->first; h != MatchingBook::none;) {
    const MatchingBook::Resting& order = symbol.book.order(h);
    if (order.owner.is_market()) present += order.left;
    h = order.behind;
  }
  if (present == level.qty) return;
  if (level.qty > present) {
    grow_external(symbol, side, {level.price, level.qty - present}, out);
  } else {
    shrink_external(symbol, *resting, present, level.qty);
  }
  book_changed(symbol, side, level.price, out);
}

/// A recorded level beyond the touch of the other side. Takes off `level` what users' orders took.
void Core::State::meet_external_level(Symbol& symbol, Side side, Level& level, CoreEvents& out) {
  std::vector<MatchingBook::Handle> passed;
  for (const auto& facing : std::views::reverse(symbol.book.levels(model::opposite(side)))) {
    if (!crosses(side, level.price, facing.price)) break;
    for (auto h = facing.first; h != MatchingBook::none; h = symbol.book.order(h).behind) {
      if (symbol.book.order(h).owner.is_market()) passed.push_back(h);
    }
  }
  for (const auto handle : passed) remove_market_order(symbol, handle, out);
  Taker taker{.account = market_account, .side = side, .limit = level.price, .left = level.qty};
  sweep(symbol, taker, out);
  level.qty = taker.left;
}

void Core::State::grow_external(Symbol& symbol, Side side, Level grown, CoreEvents& out) {
  const auto* const level = symbol.book.level(side, grown.price);
  if (level != nullptr && symbol.book.order(level->last).owner.is_market())
    return symbol.book.grow(level->last, grown.qty);
  if (level == nullptr && symbol.book.levels(side).size() >= external_levels_max) {
    ++stats.external_forgotten;
    const BookLevel worst = symbol.book.levels(side).worst();
    const auto farthest = symbol.book.order(worst.first);
    if (!farthest.owner.is_market() || crosses(model::opposite(side), grown.price, worst.price)) return;
    remove_market_order(symbol, worst.first, out);
  }
  symbol.book.add(side, grown.price, grown.qty, market_account, ++last_order_id, Intent::open);
}

/// What the recording holds at `level` shrinks from `present` to `left`.
void Core::State::shrink_external(Symbol& symbol, const BookLevel& level, Qty present, Qty left) {
  const auto take_off = [&](MatchingBook::Handle h, Qty qty) {
    if (qty.is_positive()) symbol.book.fill(h, qty);
  };
  if (options.external_queue == ExternalQueue::from_behind) {
    Qty surplus = present - left;
    for (auto h = level.last; surplus.is_positive();) {
      const MatchingBook::Resting resting = symbol.book.order(h);
      if (resting.owner.is_market()) {
        const Qty off = std::min(surplus, resting.left);
        take_off(h, off);
        surplus -= off;
      }
      h = resting.before;
    }
    return;
  }
  // What stands before each point of the queue shrinks in the same proportion; a fraction of the smallest
  // unit stays before it.
  Qty ahead, ahead_left;
  for (auto h = level.first; h != MatchingBook::none;) {
    const MatchingBook::Resting resting = symbol.book.order(h);
    if (resting.owner.is_market()) {
      ahead += resting.left;
      const Wide scaled = static_cast<Wide>(ahead.raw()) * left.raw() + present.raw() - 1;
      const Qty next = Qty::from_raw(static_cast<std::int64_t>(scaled / present.raw()));
      take_off(h, resting.left - (next - ahead_left));
      ahead_left = next;
    }
    h = resting.behind;
  }
}

void Core::State::apply_external_trade(Symbol& symbol, Price price, Qty qty, Side aggressor,
                                       CoreEvents& out) {
  if (!external_makes_sense(symbol, price, qty, Qty::from_raw(1))) return;
  const Side facing = model::opposite(aggressor);
  Taker taker{.account = market_account, .side = aggressor, .limit = price, .left = qty};

  // Accounts' orders that the recorded aggressor would have met before this price.
  const auto first_better = [&]() {
    for (const auto& level : std::views::reverse(symbol.book.levels(facing))) {
      if (!crosses(aggressor, price, level.price) || level.price == price) break;
      for (auto h = level.first; h != MatchingBook::none; h = symbol.book.order(h).behind) {
        if (!symbol.book.order(h).owner.is_market()) return h;
      }
    }
    return MatchingBook::none;
  };
  for (auto h = first_better(); h != MatchingBook::none && taker.left.is_positive(); h = first_better()) {
    trade(symbol, taker, h, std::min(taker.left, symbol.book.order(h).left), out);
    tell(symbol, out);
  }
  while (taker.left.is_positive()) {
    const auto* level = symbol.book.level(facing, price);
    if (level == nullptr) break;
    trade(symbol, taker, level->first, std::min(taker.left, symbol.book.order(level->first).left), out);
  }
  tell(symbol, out);
  if (taker.left.is_positive()) {
    TradePrint rest;
    rest.price = price;
    rest.qty = taker.left;
    rest.aggressor = aggressor;
    print(symbol, rest, out);
  }
  flush_top(symbol, out);
}

}  // namespace phoenix::exchange
