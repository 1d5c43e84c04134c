#include "base/assert.hpp"
#include "order/orders.hpp"

#include <limits>

// What is wanted against what lives. For each side: which live orders fit which wanted quotes, with the
// fewest changes; then, over both sides, cancels that reduce risk, moves, cancels of what is left over, and
// placements.

namespace phoenix::order {
namespace {

using model::Price;
using model::Qty;
using model::Side;

__extension__ using Wide = __int128;

/// Raw distance of `price` from `from` towards the market: positive is nearer to it.
std::int64_t inwards(Side side, Price price, Price from) { return (price - from).raw() * model::sign(side); }

/// Twice the distance from the mid, positive on the side's own half: exact where the mid is half a unit.
std::int64_t twice_from_mid(Side side, Price price, const model::TopOfBook& top) {
  return ((top.bid.price + top.ask.price) - price * 2).raw() * model::sign(side);
}

bool nearer(Side side, Price a, Price b) { return side == Side::bid ? a > b : a < b; }

std::uint64_t distance(Price a, Price b) { return static_cast<std::uint64_t>((a - b).abs().raw()); }

std::uint64_t add_bounded(std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<std::uint64_t>::max() : sum;
}

}  // namespace

void Orders::want(model::SymbolId id, const model::Quotes& quotes, const WantContext& context,
                  base::LocalTime now, Requests& out) {
  Symbol& symbol = ensure(id);
  PHX_ASSERT(symbol.known, "a symbol is added before anything is wanted of it");
  for (const Side side : {Side::bid, Side::ask}) {
    plan_side(symbol, side, quotes, now);
    match(plans_[index_of(side)], side, context.top);
  }
  for (const Side side : {Side::bid, Side::ask})
    cut_to_room(plans_[index_of(side)], context.room.of(side), now, out);
  int places_left = context.places_max;
  for (const Side side : {Side::bid, Side::ask}) move_rows(symbol, side, context, places_left, now, out);
  cancel_leftovers(symbol, context.top, now, out);
  const std::size_t layers = std::max(plans_[0].wanted.size(), plans_[1].wanted.size());
  for (std::size_t layer = 0; layer < layers; ++layer) {
    for (const Side side : {Side::bid, Side::ask}) {
      auto& wanted = plans_[index_of(side)].wanted;
      if (layer < wanted.size() && !wanted[layer].taken) {
        place(symbol, side, wanted[layer], context, places_left, now, out);
      }
    }
  }
}

bool Orders::take(model::SymbolId id, Side side, Qty qty, Price limit, base::LocalTime now, Requests& out) {
  Symbol& symbol = ensure(id);
  PHX_ASSERT(symbol.known, "a symbol is added before anything is taken of it");
  if (!qty.is_positive() || !limit.is_positive() || is_taking(id)) return false;
  // A table full of adopted orders: those are on their way out.
  if (slots_used_ == slots_count) return false;
  for (const std::uint32_t slot : symbol.active) {
    Order& o = slots_[slot];
    if (o.side == side || o.state == OrderState::done) continue;
    const bool moving = !o.amend_qty.is_zero();
    const Price nearest = moving && nearer(o.side, o.amend_price, o.price) ? o.amend_price : o.price;
    if (!nearer(o.side, limit, nearest)) leave(o, Lane::risk_cancel, now, out);
  }
  const std::uint32_t slot = take_slot();
  Order& order = slots_[slot];
  order.symbol = symbol.instrument.symbol;
  order.side = side;
  order.intent = model::Intent::reduce_only;
  order.takes = true;
  order.amendable = false;
  order.state = OrderState::pending_new;
  order.price = limit;
  order.qty = std::min(qty, bounded_max);
  order.sent_at = now;
  order.place_due = now + options_.answer_timeout;
  order.place_request = send(Asked::place, order,
                             model::PlaceOrder{.id = order.id,
                                               .symbol = order.symbol,
                                               .side = side,
                                               .price = limit,
                                               .qty = order.qty,
                                               .time_in_force = model::TimeInForce::ioc,
                                               .intent = order.intent},
                             Lane::risk_cancel, out);
  wake_at(order.place_due);
  symbol.active.push_back(slot);
  ++counts_.takes;
  return true;
}

void Orders::plan_side(const Symbol& symbol, Side side, const model::Quotes& quotes, base::LocalTime now) {
  SidePlan& plan = plans_[index_of(side)];
  plan.wanted.clear();
  plan.rows.clear();
  plan.exposure = plan.taking = {};
  plan.best_own = {};
  plan.staying = 0;

  const auto& step_out = symbol.step_out[index_of(side)];
  std::optional<Price> bound;
  if (step_out && now < step_out->until) bound = step_out->bound;
  for (const model::Quote& quote : quotes) {
    if (quote.side != side) continue;
    Price price = quote.price;
    if (bound && nearer(side, price, *bound)) price = *bound;
    if (bound) bound = price - symbol.instrument.tick_size * model::sign(side);
    plan.wanted.push_back({.price = price, .qty = quote.qty, .intent = quote.intent});
  }

  for (const std::uint32_t slot : symbol.active) {
    const Order& o = slots_[slot];
    if (o.side != side) continue;
    plan.exposure = plus(plan.exposure, at_stake(o));
    if (o.takes) plan.taking = plus(plan.taking, at_stake(o));
    if (o.state == OrderState::done) continue;
    const bool moving = !o.amend_qty.is_zero();
    const Price nearest = moving && nearer(side, o.amend_price, o.price) ? o.amend_price : o.price;
    if (plan.best_own.is_zero() || nearer(side, nearest, plan.best_own)) plan.best_own = nearest;
    if (o.leaving || o.takes) continue;
    const Row row{.slot = slot,
                  .price = moving ? o.amend_price : o.price,
                  .open_qty = (moving ? o.amend_qty : o.qty) - o.filled_qty,
                  .intent = o.intent};
    // Filled past what an amend on its way will leave: it may rest still, and fits nothing.
    if (std::max(o.qty, o.amend_qty) > o.filled_qty) ++plan.staying;
    if (!row.open_qty.is_positive()) continue;
    // Few and nearly sorted: the list keeps the order of placement.
    auto place = plan.rows.end();
    while (place != plan.rows.begin() && nearer(side, row.price, (place - 1)->price)) --place;
    plan.rows.insert(place, row);
  }
}

bool Orders::fits(const SidePlan& plan, std::size_t i, const Row& row, Side side,
                  const model::TopOfBook& top) const {
  const auto& wanted = plan.wanted;
  const Wanted& w = wanted[i];
  if (row.intent != w.intent) return false;
  const Wide open_milli = Wide{row.open_qty.raw()} * 1000;
  if (open_milli < Wide{w.qty.raw()} * options_.qty_min_milli) return false;
  if (open_milli > Wide{w.qty.raw()} * options_.qty_max_milli) return false;

  const bool alone = wanted.size() == 1;
  const std::int64_t to_mid = twice_from_mid(side, w.price, top) / 2;
  const auto gap = [&](std::size_t near, std::size_t far) {
    return inwards(side, wanted[near].price, wanted[far].price);
  };
  const std::int64_t gap_in = alone ? to_mid : i > 0 ? gap(i - 1, i) : gap(0, 1);
  const std::int64_t gap_out = alone ? to_mid : i + 1 < wanted.size() ? gap(i, i + 1) : gap(i - 1, i);
  const std::int64_t in = inwards(side, row.price, w.price);
  const bool near_enough = in >= 0 ? Wide{in} * 1000 <= Wide{gap_in} * options_.tolerance_in_milli
                                   : Wide{-in} * 1000 <= Wide{gap_out} * options_.tolerance_out_milli;
  if (!near_enough || i > 0 || in == 0) return near_enough;
  const Wide want_from_mid = twice_from_mid(side, w.price, top),
             is_from_mid = twice_from_mid(side, row.price, top);
  return is_from_mid * 1000 >= want_from_mid * options_.first_distance_min_milli &&
         is_from_mid * 1000 <= want_from_mid * options_.first_distance_max_milli;
}

void Orders::match(SidePlan& plan, Side side, const model::TopOfBook& top) {
  // Equal in number and each fits its own: no other assignment keeps more or moves less, both being sorted.
  bool straight = plan.wanted.size() == plan.rows.size();
  for (std::size_t i = 0; straight && i < plan.rows.size(); ++i)
    straight = fits(plan, i, plan.rows[i], side, top);
  if (!straight) return match_by_cost(plan, side, top);
  for (std::size_t i = 0; i < plan.rows.size(); ++i) plan.wanted[i].taken = plan.rows[i].kept = true;
}

/// Both lists are sorted, so the best assignment is monotone and dynamic programming finds it: most orders
/// kept, then the least total distance. cells_[i, j] is the best of the first i quotes and the first j
/// orders.
void Orders::match_by_cost(SidePlan& plan, Side side, const model::TopOfBook& top) {
  const std::size_t n = plan.wanted.size(), m = plan.rows.size(), width = m + 1;
  if (n == 0 || m == 0) return;
  cells_.assign((n + 1) * width, Cell{});
  const auto better = [](const Cell& a, const Cell& b) {
    return a.kept != b.kept ? a.kept > b.kept : a.moved < b.moved;
  };
  for (std::size_t i = 1; i <= n; ++i) {
    for (std::size_t j = 1; j <= m; ++j) {
      Cell best = cells_[(i - 1) * width + j];
      best.choice = Choice::skip_wanted;
      Cell other = cells_[i * width + j - 1];
      other.choice = Choice::skip_row;
      if (better(other, best)) best = other;
      if (fits(plan, i - 1, plan.rows[j - 1], side, top)) {
        const Cell& before = cells_[(i - 1) * width + j - 1];
        const Cell both{
            .kept = before.kept + 1,
            .choice = Choice::keep,
            .moved = add_bounded(before.moved, distance(plan.wanted[i - 1].price, plan.rows[j - 1].price))};
        if (better(both, best)) best = both;
      }
      cells_[i * width + j] = best;
    }
  }
  for (std::size_t i = n, j = m; i > 0 && j > 0;) {
    switch (cells_[i * width + j].choice) {
      case Choice::skip_wanted:
        --i;
        break;
      case Choice::skip_row:
        --j;
        break;
      case Choice::keep:
        --i;
        --j;
        plan.wanted[i].taken = plan.rows[j].kept = true;
        break;
    }
  }
}

/// What stays must fit the room by itself; what does not goes as a risk, first what fits nothing, then from
/// the outside in.
void Orders::cut_to_room(SidePlan& plan, Qty room, base::LocalTime now, Requests& out) {
  Qty staying = plan.taking;
  for (const Row& row : plan.rows) {
    staying = plus(staying, at_stake(slots_[row.slot]));
  }
  for (const bool kept : {false, true}) {
    for (std::size_t i = plan.rows.size(); i-- > 0 && staying > room;) {
      Order& order = slots_[plan.rows[i].slot];
      if (plan.rows[i].kept != kept || order.leaving) continue;
      staying -= at_stake(order);
      leave(order, Lane::risk_cancel, now, out);
      --plan.staying;
    }
  }
}

bool Orders::held(const Symbol& symbol, Side side, const WantContext& context, int places_left,
                  base::LocalTime now) {
  const auto& step_out = symbol.step_out[index_of(side)];
  const bool wrong_book =
      step_out && now < step_out->until && step_out->book_update_id == context.top.update_id;
  if (wrong_book || now < symbol.place_pause_until || slow_count_ > 0) {
    ++counts_.held_by_pause;
    return true;
  }
  if (places_left <= 0) ++counts_.held_by_rate;
  return places_left <= 0;
}

bool Orders::crosses_own(Side side, Price price) const {
  const Price other = plans_[index_of(model::opposite(side))].best_own;
  return !other.is_zero() && (side == Side::bid ? price >= other : price <= other);
}

/// Orders that fit nothing move to quotes that have nothing, nearest first: one amend in place of cancel and
/// place.
void Orders::move_rows(const Symbol& symbol, Side side, const WantContext& context, int& places_left,
                       base::LocalTime now, Requests& out) {
  SidePlan& plan = plans_[index_of(side)];
  std::size_t next = 0;
  for (Row& row : plan.rows) {
    Order& order = slots_[row.slot];
    if (row.kept || order.leaving) continue;
    while (next < plan.wanted.size() && plan.wanted[next].taken) ++next;
    // Not proved or on its way: it moves once the answer is there.
    if (order.state != OrderState::live || !order.amend_qty.is_zero()) continue;
    row.surplus = true;
    if (next == plan.wanted.size()) continue;
    Wanted& wanted = plan.wanted[next];
    if (options_.amend == AmendUse::never || !order.amendable || order.intent != wanted.intent) continue;
    // Held for a while: it may as well stay, unless it rests nearer to the market than it should.
    row.surplus = nearer(side, row.price, wanted.price);
    if (held(symbol, side, context, places_left, now)) continue;
    const Qty before = at_stake(order);
    const Qty total = wanted.qty + order.filled_qty;
    const Qty stake = std::max(order.qty, total) - order.told_qty;
    if (plan.exposure - before + stake > context.room.of(side)) {
      ++counts_.held_by_room;
      continue;
    }
    if (crosses_own(side, wanted.price)) {
      ++counts_.held_by_own_cross;
      continue;
    }
    plan.exposure += stake - before;
    if (plan.best_own.is_zero() || nearer(side, wanted.price, plan.best_own)) plan.best_own = wanted.price;
    row.surplus = false;
    row.kept = wanted.taken = true;
    --places_left;
    order.amend_price = wanted.price;
    order.amend_qty = total;
    order.book_update_id = context.top.update_id;
    order.amend_due = now + options_.answer_timeout;
    order.amend_request = order.amend_last =
        send(Asked::amend, order,
             model::AmendOrder{
                 .id = order.id, .symbol = order.symbol, .side = side, .price = wanted.price, .qty = total},
             Lane::place, out);
    step(order, OrderStep::amend_sent, now);
    wake_at(order.amend_due);
    ++counts_.amends;
  }
}

bool Orders::cancel_budget_left(const Symbol& symbol, base::LocalTime now) const {
  const base::LocalTime oldest = symbol.cancel_times[symbol.cancel_next];
  return oldest == base::LocalTime::min() || now - oldest >= base::minutes{1};
}

/// Nearest to the mid first, as long as the minute's budget lasts.
void Orders::cancel_leftovers(const Symbol& symbol, const model::TopOfBook& top, base::LocalTime now,
                              Requests& out) {
  std::array<std::size_t, 2> next{};
  const auto seek = [this, &next](std::size_t side) -> Row* {
    auto& rows = plans_[side].rows;
    while (next[side] < rows.size() && !rows[next[side]].surplus) ++next[side];
    return next[side] < rows.size() ? &rows[next[side]] : nullptr;
  };
  for (;;) {
    Row* const bid = seek(0);
    Row* const ask = seek(1);
    if (bid == nullptr && ask == nullptr) return;
    const bool take_bid =
        ask == nullptr || (bid != nullptr && twice_from_mid(Side::bid, bid->price, top) <=
                                                 twice_from_mid(Side::ask, ask->price, top));
    const std::size_t side = take_bid ? 0 : 1;
    Row& row = take_bid ? *bid : *ask;
    ++next[side];
    if (!cancel_budget_left(symbol, now)) {
      ++counts_.held_by_cancel_budget;
      continue;
    }
    leave(slots_[row.slot], Lane::cancel, now, out);
    --plans_[side].staying;
  }
}

void Orders::place(Symbol& symbol, Side side, Wanted& wanted, const WantContext& context, int& places_left,
                   base::LocalTime now, Requests& out) {
  SidePlan& plan = plans_[index_of(side)];
  // An order that waits to be moved or cancelled keeps its place: never more orders than were wanted.
  if (plan.staying >= static_cast<int>(plan.wanted.size())) return;
  const int orders_max = std::min(symbol.limits.orders_max, symbol.instrument.orders_max);
  if (static_cast<int>(symbol.active.size()) >= orders_max) {
    ++counts_.held_by_orders_max;
    return;
  }
  if (held(symbol, side, context, places_left, now)) return;
  if (plan.exposure + wanted.qty > context.room.of(side)) {
    ++counts_.held_by_room;
    return;
  }
  if (crosses_own(side, wanted.price)) {
    ++counts_.held_by_own_cross;
    return;
  }
  const std::uint32_t slot = take_slot();
  Order& order = slots_[slot];
  order.symbol = symbol.instrument.symbol;
  order.side = side;
  order.intent = wanted.intent;
  order.state = OrderState::pending_new;
  order.price = wanted.price;
  order.qty = wanted.qty;
  order.sent_at = now;
  order.book_update_id = context.top.update_id;
  order.place_due = now + options_.answer_timeout;
  order.place_request = send(Asked::place, order,
                             model::PlaceOrder{.id = order.id,
                                               .symbol = order.symbol,
                                               .side = side,
                                               .price = wanted.price,
                                               .qty = wanted.qty,
                                               .time_in_force = model::TimeInForce::gtx,
                                               .intent = wanted.intent},
                             Lane::place, out);
  wake_at(order.place_due);
  symbol.active.push_back(slot);
  wanted.taken = true;
  plan.exposure += wanted.qty;
  if (plan.best_own.is_zero() || nearer(side, wanted.price, plan.best_own)) plan.best_own = wanted.price;
  ++plan.staying;
  --places_left;
  ++counts_.places;
}

}  // namespace phoenix::order
