#include "order/orders.hpp"

#include "base/assert.hpp"
#include "base/canary.hpp"

#include <limits>
#include <utility>

// The life cycle: what is sent, what is learnt, what is due. What is wanted is in orders_want.cpp.

namespace phoenix::order {
namespace {

using model::Qty;
using model::Side;

constexpr std::size_t query_delays_count = 6;
constexpr std::array<base::Duration, query_delays_count> query_delays{
    base::milliseconds{200}, base::milliseconds{500}, base::seconds{1},
    base::seconds{2},        base::seconds{5},        base::seconds{10}};
constexpr base::Duration query_spacing_min = base::milliseconds{100};
constexpr base::Duration query_spacing_late = base::seconds{1};
constexpr base::Duration query_spacing_long = base::seconds{10};
constexpr int query_attempts_long = 20;
constexpr int not_found_needed = 2;

DoneReason reason_of(model::OrderStatus status) {
  switch (status) {
    case model::OrderStatus::filled:
      return DoneReason::filled;
    case model::OrderStatus::expired:
    case model::OrderStatus::expired_in_match:
      return DoneReason::expired;
    case model::OrderStatus::rejected:
      return DoneReason::refused;
    default:
      return DoneReason::canceled;
  }
}

bool is_set(model::RequestId id) { return id.value != 0; }

}  // namespace

Qty Orders::plus(Qty a, Qty b) {
  std::int64_t raw = 0;
  const bool over = __builtin_add_overflow(a.raw(), b.raw(), &raw) || raw > bounded_max.raw();
  return over ? bounded_max : Qty::from_raw(raw);
}

Qty Orders::at_stake(const Order& o) {
  const Qty most = o.state == OrderState::done ? o.filled_qty : std::max({o.qty, o.amend_qty, o.filled_qty});
  return std::max(most - o.told_qty, Qty{});
}

Orders::Orders(const OrdersOptions& options, std::uint32_t run_epoch)
    : options_{options},
      epoch_{run_epoch},
      next_request_{options.first_request_id},
      slots_(slots_count),
      sent_(sent_count) {
  PHX_ASSERT(options.first_request_id > 0, "request ids start above zero");
  PHX_ASSERT(options.post_only_rejects_per_second > 0, "some post-only refusals are allowed");
  cells_.reserve(64 * 64);
}

void Orders::add_symbol(const model::Instrument& instrument, const SymbolOrderLimits& limits) {
  PHX_ASSERT(limits.cancels_per_minute >= 1, "a symbol may cancel");
  PHX_ASSERT(limits.orders_max >= 1, "a symbol may have an order");
  Symbol& symbol = ensure(instrument.symbol);
  symbol.instrument = instrument;
  symbol.limits = limits;
  const auto most = static_cast<std::size_t>(limits.orders_max);
  symbol.active.reserve(2 * most);
  const auto cancels = static_cast<std::size_t>(limits.cancels_per_minute);
  if (symbol.cancel_times.size() != cancels) {
    symbol.cancel_times.assign(cancels, base::LocalTime::min());
    symbol.cancel_next = 0;
  }
  symbol.known = true;
  for (SidePlan& plan : plans_) {
    plan.wanted.reserve(model::Quotes::capacity());
    plan.rows.reserve(std::max(plan.rows.capacity(), most));
  }
  std::size_t sum = 0;
  for (const Symbol& each : symbols_) {
    if (each.known) sum += static_cast<std::size_t>(each.limits.orders_max);
  }
  PHX_ASSERT(sum <= slots_count / 2, "the orders of all symbols fit the table");
}

Orders::Symbol& Orders::ensure(model::SymbolId symbol) {
  if (symbol.index >= symbols_.size()) symbols_.resize(std::size_t{symbol.index} + 1);
  return symbols_[symbol.index];
}

const Orders::Symbol* Orders::find(model::SymbolId symbol) const {
  return symbol.index < symbols_.size() ? &symbols_[symbol.index] : nullptr;
}

Orders::Order* Orders::find(model::SymbolId symbol, model::ClientOrderId id) {
  if (id.epoch == epoch_) {
    Order& order = slots_[id.counter % slots_count];
    if (order.id == id && order.symbol == symbol) return &order;
  }
  // An adopted order sits in a slot that is not its counter's.
  for (const std::uint32_t slot : ensure(symbol).active) {
    if (slots_[slot].id == id) return &slots_[slot];
  }
  return nullptr;
}

/// Also orders that are done: their places in the table are taken again late.
Orders::Order* Orders::find_by_order_id(model::SymbolId symbol, std::int64_t order_id) {
  if (order_id == 0) return nullptr;
  for (const std::uint32_t slot : ensure(symbol).active) {
    if (slots_[slot].order_id == order_id) return &slots_[slot];
  }
  const auto it = std::find_if(slots_.begin(), slots_.end(),
                               [&](const Order& o) { return o.order_id == order_id && o.symbol == symbol; });
  return it == slots_.end() ? nullptr : &*it;
}

bool Orders::ours(const std::optional<model::ClientOrderId>& id) const {
  if (!id) return false;
  // A later epoch is another process with our prefix: it owns its orders.
  return id->epoch < epoch_ || (id->epoch == epoch_ && id->counter > 0 && id->counter < next_counter_);
}

FillOf Orders::whose(const std::optional<model::ClientOrderId>& id) const {
  const bool closing = id && id->epoch == model::ClientOrderId::closing_epoch;
  return ours(id) || closing ? FillOf::ours : FillOf::another;
}

std::uint32_t Orders::take_slot() {
  PHX_ASSERT(slots_used_ < slots_count, "the order table has a free slot");
  while (slots_[next_counter_ % slots_count].active) ++next_counter_;
  const auto slot = static_cast<std::uint32_t>(next_counter_ % slots_count);
  slots_[slot] = Order{};
  slots_[slot].id = {.epoch = epoch_, .counter = next_counter_++};
  slots_[slot].active = true;
  ++slots_used_;
  return slot;
}

// What is sent

model::RequestId Orders::send(Asked asked, Order& order, model::OrderRequest request, Lane lane,
                              Requests& out) {
  const model::RequestId id{next_request_++};
  const auto slot = static_cast<std::uint32_t>(&order - slots_.data());
  sent_[id.value % sent_count] = {.id = id, .asked = asked, .slot = slot, .order = order.id};
  out.push_back({.id = id, .request = request, .lane = lane});
  return id;
}

void Orders::send_cancel(Order& order, base::LocalTime now, Requests& out) {
  PHX_ASSERT(!is_set(order.cancel_request), "one cancel of an order is in flight at a time");
  const Lane lane = order.risk ? Lane::risk_cancel : Lane::cancel;
  order.cancel_request =
      send(Asked::cancel, order, model::CancelOrder{.id = order.id, .symbol = order.symbol}, lane, out);
  order.cancel_due = now + options_.answer_timeout;
  ++order.cancel_attempts;
  ++(order.risk ? counts_.risk_cancels : counts_.cancels);
  Symbol& symbol = ensure(order.symbol);
  if (!symbol.cancel_times.empty()) {
    symbol.cancel_times[symbol.cancel_next] = now;
    symbol.cancel_next = (symbol.cancel_next + 1) % symbol.cancel_times.size();
  }
  step(order, OrderStep::cancel_sent, now);
  wake_at(order.cancel_due);
}

void Orders::send_query(Order& order, base::LocalTime now, Requests& out) {
  order.query_request =
      send(Asked::query, order, model::QueryOrder{.id = order.id, .symbol = order.symbol}, Lane::query, out);
  order.query_sent_at = now;
  order.query_due = now + options_.answer_timeout;
  ++order.query_attempts;
  ++counts_.queries;
  wake_at(order.query_due);
}

void Orders::leave(Order& order, Lane lane, base::LocalTime now, Requests& out) {
  const bool fresh = !order.leaving;
  order.leaving = true;
  if (lane == Lane::risk_cancel) order.risk = true;
  if (is_set(order.cancel_request)) return;
  if (fresh || now >= order.cancel_due) send_cancel(order, now, out);
}

void Orders::pull(model::SymbolId symbol, base::LocalTime now, Requests& out) {
  for (const std::uint32_t slot : ensure(symbol).active) {
    if (slots_[slot].state != OrderState::done) leave(slots_[slot], Lane::risk_cancel, now, out);
  }
}

void Orders::pull_all(base::LocalTime now, Requests& out) {
  for (std::size_t i = 0; i < symbols_.size(); ++i) pull({static_cast<std::uint16_t>(i)}, now, out);
}

// What is learnt

void Orders::step(Order& order, OrderStep what, base::LocalTime now) {
  const auto next = after(order.state, what);
  if (next) {
    order.state = *next;
    return;
  }
  ++counts_.illegal_steps;
  become_unknown(order, now);
}

std::pair<Orders::Order*, Asked> Orders::asked_by(model::RequestId request) {
  const Sent& sent = sent_[request.value % sent_count];
  // A request so old that its number's place was taken again, or an order whose slot was: nothing to learn
  // for.
  const bool known = is_set(request) && sent.id == request && slots_[sent.slot].id == sent.order;
  return {known ? &slots_[sent.slot] : nullptr, sent.asked};
}

void Orders::on_answer(model::RequestId request, const model::OrderAnswer& answer, base::LocalTime now,
                       OrderEvents& events, Requests& out) {
  const auto [found, asked] = asked_by(request);
  if (found == nullptr) return;
  Order& order = *found;
  const bool nothing_to_reduce =
      order.takes && asked == Asked::place && answer.refusal == model::Refusal::reduce_only;
  if (answer.outcome == model::Outcome::refused && !nothing_to_reduce) {
    events.push_back(Rejected{.symbol = order.symbol,
                              .id = order.id,
                              .asked = asked,
                              .refusal = answer.refusal,
                              .code = answer.code});
  }
  switch (asked) {
    case Asked::place:
      return answered_place(order, answer, now, events, out);
    case Asked::amend:
      return answered_amend(order, request, answer, now, events, out);
    case Asked::cancel:
      return answered_cancel(order, request, answer, now, events, out);
    case Asked::query:
      return answered_query(order, request, answer, now, events, out);
  }
}

void Orders::on_lost(model::RequestId request, Lost lost, base::LocalTime now, OrderEvents& events,
                     Requests& out) {
  if (lost == Lost::unknown) return on_answer(request, model::OrderAnswer{}, now, events, out);
  const auto [found, asked] = asked_by(request);
  if (found == nullptr) return;
  Order& order = *found;
  switch (asked) {
    case Asked::place:
      settle_place(order);
      if (order.state == OrderState::done) return;
      if (order.proved) return become_unknown(order, now);
      return finish(order, OrderStep::not_sent, DoneReason::not_sent, now, events);
    case Asked::amend:
      if (order.amend_last == request) settle_amend(order, now);
      return;
    case Asked::cancel: {
      model::OrderAnswer not_cancelled;
      not_cancelled.outcome = model::Outcome::refused;
      return answered_cancel(order, request, not_cancelled, now, events, out);
    }
    case Asked::query:
      if (order.query_request != request) return;
      order.query_request = {};
      if (order.state == OrderState::unknown) schedule_query(order, now);
      return;
  }
}

Orders::Facts Orders::facts_of(const model::OrderReport& r) {
  return {.status = r.status,
          .order_id = r.order_id,
          .price = r.price,
          .qty = r.qty,
          .filled_qty = r.filled_qty,
          .time = r.update_time};
}

namespace {

/// The report, if it is about the order asked for.
const model::OrderReport* about(const model::OrderAnswer& answer, model::ClientOrderId id) {
  return answer.report && answer.report->id == id ? &*answer.report : nullptr;
}

}  // namespace

void Orders::answered_place(Order& order, const model::OrderAnswer& answer, base::LocalTime now,
                            OrderEvents& events, Requests& out) {
  settle_place(order);
  Symbol& symbol = ensure(order.symbol);
  switch (answer.outcome) {
    case model::Outcome::accepted:
      symbol.refusals_in_row = 0;
      if (const auto* r = about(answer, order.id)) return learn(order, facts_of(*r), now, events, out);
      return prove(order, now, out);
    case model::Outcome::unknown:
      if (!order.proved) become_unknown(order, now);
      return;
    case model::Outcome::refused:
      break;
  }
  const bool nothing_to_reduce = order.takes && answer.refusal == model::Refusal::reduce_only;
  if (!nothing_to_reduce) ++counts_.refusals;
  if (order.state == OrderState::done) return;
  // The same id twice means that the first one lives; and a refusal of what was seen alive settles nothing.
  const bool settles = answer.refusal != model::Refusal::duplicate_id &&
                       answer.refusal != model::Refusal::order_not_found && !order.proved;
  if (!settles) return become_unknown(order, now);
  if (answer.refusal == model::Refusal::post_only_would_take) {
    note_post_only(order, order.price, now);
  } else if (!nothing_to_reduce) {
    note_refusal(symbol, now);
  }
  finish(order, OrderStep::refused, DoneReason::refused, now, events);
}

void Orders::answered_amend(Order& order, model::RequestId request, const model::OrderAnswer& answer,
                            base::LocalTime now, OrderEvents& events, Requests& out) {
  const model::OrderReport* const r = about(answer, order.id);
  const Facts facts = r != nullptr ? facts_of(*r) : Facts{};
  // Its event may have come first, and another amend may be on its way by now: that one's outcome is still
  // open.
  if (order.amend_last != request || order.state == OrderState::done) {
    if (answer.outcome == model::Outcome::accepted && r != nullptr) learn(order, facts, now, events, out);
    return;
  }
  switch (answer.outcome) {
    case model::Outcome::accepted:
      if (r != nullptr) {
        learn(order, facts, now, events, out);
      } else if (!order.amend_qty.is_zero()) {
        order.price = order.amend_price;
        order.qty = order.amend_qty;
      }
      return settle_amend(order, now);
    case model::Outcome::unknown:
      return lose_amend(order, now, out);
    case model::Outcome::refused:
      break;
  }
  ++counts_.refusals;
  switch (answer.refusal) {
    case model::Refusal::no_change:
      if (!order.amend_qty.is_zero()) {
        order.price = order.amend_price;
        order.qty = order.amend_qty;
      }
      return settle_amend(order, now);
    case model::Refusal::post_only_would_take:  // the venue cancels the order then: ask
      if (!order.amend_qty.is_zero()) note_post_only(order, order.amend_price, now);
      return lose_amend(order, now, out);
    case model::Refusal::order_not_found:
    case model::Refusal::duplicate_id:
      return lose_amend(order, now, out);
    case model::Refusal::amend_failed:
    case model::Refusal::filter:
    case model::Refusal::other:
      order.amendable = false;
      break;
    default:
      note_refusal(ensure(order.symbol), now);
      break;
  }
  settle_amend(order, now);
}

void Orders::answered_cancel(Order& order, model::RequestId request, const model::OrderAnswer& answer,
                             base::LocalTime now, OrderEvents& events, Requests& out) {
  const model::OrderReport* const r = about(answer, order.id);
  if (order.cancel_request != request || order.state == OrderState::done) {
    if (answer.outcome == model::Outcome::accepted && r != nullptr)
      learn(order, facts_of(*r), now, events, out);
    return;
  }
  const int doublings = std::min(order.cancel_attempts - 1, 6);
  order.cancel_request = {};
  order.cancel_due = now + std::min(options_.cancel_retry_max, options_.cancel_retry_min * (1 << doublings));
  wake_at(order.cancel_due);
  switch (answer.outcome) {
    case model::Outcome::accepted:
      if (r != nullptr) return learn(order, facts_of(*r), now, events, out);
      return become_unknown(order, now);
    case model::Outcome::unknown:
      return become_unknown(order, now);
    case model::Outcome::refused:
      break;
  }
  // Not found: filled, cancelled, expired, or not there yet. Only evidence says which. Anything else: still
  // there.
  const bool gone_or_unproved = answer.refusal == model::Refusal::order_not_found || !order.proved;
  if (!gone_or_unproved) return step(order, OrderStep::cancel_refused, now);
  // The answer to its placement, still to come, is evidence enough of what a cancel was too early for.
  if (!is_set(order.place_request)) become_unknown(order, now);
}

void Orders::answered_query(Order& order, model::RequestId request, const model::OrderAnswer& answer,
                            base::LocalTime now, OrderEvents& events, Requests& out) {
  const bool current = order.query_request == request;
  if (current) order.query_request = {};
  if (order.state == OrderState::done) return;
  const model::OrderReport* const r = about(answer, order.id);
  if (answer.outcome == model::Outcome::accepted && r != nullptr) {
    learn(order, facts_of(*r), now, events, out);
  } else if (current && answer.outcome == model::Outcome::refused &&
             answer.refusal == model::Refusal::order_not_found && order.state == OrderState::unknown) {
    // Reads lag behind the matching engine: soon after the placement "not found" proves nothing.
    const base::LocalTime horizon = order.sent_at + options_.recv_window + options_.lag_max;
    if (order.query_sent_at >= horizon && ++order.not_found_count >= not_found_needed) {
      return finish(order, OrderStep::proved_absent, DoneReason::absent, now, events);
    }
  }
  if (current && order.state == OrderState::unknown) schedule_query(order, now);
}

void Orders::on_update(const model::OrderUpdate& update, base::LocalTime now, OrderEvents& events,
                       Requests& out) {
  Symbol& symbol = ensure(update.symbol);
  Order* order = ours(update.id) ? find(update.symbol, *update.id) : nullptr;
  if (update.trade_id > 0 && update.last_qty.is_positive()) {
    tell(symbol, order,
         {.symbol = update.symbol,
          .trade_id = update.trade_id,
          .order_id = update.order_id,
          .id = ours(update.id) ? update.id : std::nullopt,
          .of = whose(update.id),
          .side = update.side,
          .price = update.last_price,
          .qty = update.last_qty,
          .maker = update.maker,
          .money = FillMoney{update.realized_pnl, update.commission, update.commission_asset},
          .time = update.transaction_time},
         events, update.filled_qty);
  }
  const bool open = !model::is_final(update.status);
  const Facts facts{update.status, update.order_id,   update.price,
                    update.qty,    update.filled_qty, update.transaction_time};
  if (!ours(update.id)) {
    if (open && whose(update.id) == FillOf::another) {
      events.push_back(ForeignOrder{.symbol = update.symbol,
                                    .order_id = update.order_id,
                                    .client_text = update.client_text,
                                    .side = update.side,
                                    .price = update.price,
                                    .open_qty = std::max(update.qty - update.filled_qty, Qty{})});
    }
    return;
  }
  if (order == nullptr) {
    if (open) adopt(symbol, *update.id, update.side, update.intent, facts, now, events, out);
    return;
  }
  // An event of an earlier amend to the same target is older than what is known, and settles nothing.
  const bool amended = update.execution == model::ExecutionType::amendment &&
                       update.price == order->amend_price && update.qty == order->amend_qty &&
                       update.transaction_time >= order->update_time;
  learn(*order, facts, now, events, out);
  if (amended && order->state != OrderState::done) settle_amend(*order, now);
}

void Orders::on_trade_lite(const model::TradeLite& trade, base::LocalTime, OrderEvents& events) {
  if (trade.trade_id <= 0 || !trade.last_qty.is_positive()) return;
  Symbol& symbol = ensure(trade.symbol);
  Order* order = ours(trade.id) ? find(trade.symbol, *trade.id) : nullptr;
  tell(symbol, order,
       {.symbol = trade.symbol,
        .trade_id = trade.trade_id,
        .order_id = trade.order_id,
        .id = ours(trade.id) ? trade.id : std::nullopt,
        .of = whose(trade.id),
        .side = trade.side,
        .price = trade.last_price,
        .qty = trade.last_qty,
        .maker = trade.maker,
        .money = std::nullopt,
        .time = trade.transaction_time},
       events);
}

void Orders::on_fill_report(const model::FillReport& report, base::LocalTime, OrderEvents& events) {
  if (report.trade_id <= 0 || !report.qty.is_positive()) return;
  Symbol& symbol = ensure(report.symbol);
  Order* order = find_by_order_id(report.symbol, report.order_id);
  tell(symbol, order,
       {.symbol = report.symbol,
        .trade_id = report.trade_id,
        .order_id = report.order_id,
        .id = order != nullptr ? std::optional{order->id} : std::nullopt,
        .of = order != nullptr ? FillOf::ours : FillOf::unknown,
        .side = report.side,
        .price = report.price,
        .qty = report.qty,
        .maker = report.maker,
        .money = FillMoney{report.realized_pnl, report.commission, report.commission_asset},
        .time = report.time},
       events);
}

void Orders::tell(Symbol& symbol, Order* order, const Fill& fill, OrderEvents& events,
                  std::optional<Qty> filled_so_far) {
  const TradeParts fresh = symbol.seen.note(
      fill.trade_id, {.quantity = true, .money = fill.money.has_value(), .order = order != nullptr});
  if (fresh.quantity) {
    events.push_back(fill);
    if (order != nullptr && !order->adopted) std::get<Fill>(events.back()).order_sent_at = order->sent_at;
  } else if (fresh.money) {
    events.push_back(FillDetails{.symbol = fill.symbol, .trade_id = fill.trade_id, .money = *fill.money});
  } else {
    ++counts_.duplicate_trades;
  }
  if (!fresh.order) return;
  if (fill.order_id != 0) order->order_id = fill.order_id;
  // A trade may be told before its order is met, which may have been met with that fill or without it.
  Qty of_order = fill.qty;
  if (!fresh.quantity)
    of_order = std::clamp(filled_so_far.value_or(Qty{}) - order->told_qty, Qty{}, fill.qty);
  order->told_qty = plus(order->told_qty, of_order);
  order->filled_qty = std::max(order->filled_qty, order->told_qty);
  if (order->state == OrderState::done) keep_for_fills(*order);
}

void Orders::learn(Order& order, const Facts& facts, base::LocalTime now, OrderEvents& events,
                   Requests& out) {
  if (facts.order_id != 0) order.order_id = facts.order_id;
  // Events overtake one another: the larger figure is the later one.
  const Qty most = std::max(order.qty, order.amend_qty);
  order.filled_qty = std::max(order.filled_qty, std::min(facts.filled_qty, most));
  if (order.state == OrderState::done) return keep_for_fills(order);
  if (model::is_final(facts.status)) {
    const bool unasked_expiry = facts.status == model::OrderStatus::expired && !order.leaving &&
                                !order.takes && order.filled_qty.is_zero();
    if (unasked_expiry) note_post_only(order, order.price, now);
    return finish(order, OrderStep::seen_final, reason_of(facts.status), now, events);
  }
  if (facts.status == model::OrderStatus::unknown) return become_unknown(order, now);
  const bool sane = facts.price.is_positive() && facts.qty.is_positive() && facts.qty <= most;
  if (facts.time >= order.update_time && sane) {
    order.update_time = facts.time;
    order.price = facts.price;
    order.qty = facts.qty;
  }
  prove(order, now, out);
}

void Orders::prove(Order& order, base::LocalTime now, Requests& out) {
  if (order.state == OrderState::done) return;
  settle_place(order);
  const bool fresh = !order.proved;
  if (fresh) {
    order.proved = true;
    order.proved_at = now;
  }
  step(order, OrderStep::seen_open, now);
  if (order.takes) {
    order.place_due = now + options_.answer_timeout;
    wake_at(order.place_due);
  }
  // A cancel that came before the order finds it now.
  if (fresh && order.leaving && !is_set(order.cancel_request)) send_cancel(order, now, out);
}

void Orders::settle_place(Order& order) {
  order.place_request = {};
  if (std::exchange(order.slow, false)) --slow_count_;
}

void Orders::settle_amend(Order& order, base::LocalTime now) {
  if (order.state == OrderState::done) return;
  order.amend_request = {};
  order.amend_price = {};
  order.amend_qty = {};
  step(order, OrderStep::amend_settled, now);
}

void Orders::lose_amend(Order& order, base::LocalTime now, Requests& out) {
  // Whether it took effect, a read that may lag cannot say; a cancel ends the question. Until then the worse
  // counts.
  order.amend_request = {};
  become_unknown(order, now);
  leave(order, Lane::risk_cancel, now, out);
}

void Orders::become_unknown(Order& order, base::LocalTime now) {
  if (order.state == OrderState::done) return;
  const bool fresh = order.state != OrderState::unknown;
  const auto next = after(order.state, OrderStep::lost);
  PHX_ASSERT(next == OrderState::unknown, "a lost outcome makes any order that is not done unknown");
  order.state = *next;
  if (!fresh) return;
  ++counts_.unknown;
  if (base::planted(base::Canary::resent_with_new_id)) {
    order.state = OrderState::done;
    return drop(order);
  }
  order.unknown_since = now;
  order.query_attempts = 0;
  order.not_found_count = 0;
  order.query_request = {};
  schedule_query(order, now);
}

void Orders::schedule_query(Order& order, base::LocalTime now) {
  const auto attempt = static_cast<std::size_t>(order.query_attempts);
  const base::LocalTime horizon = order.sent_at + options_.recv_window + options_.lag_max;
  if (attempt < query_delays.size()) {
    order.query_due = std::max(order.unknown_since + query_delays[attempt], now + query_spacing_min);
  } else if (now < horizon) {
    order.query_due = horizon;
  } else {
    order.query_due =
        now + (order.query_attempts < query_attempts_long ? query_spacing_late : query_spacing_long);
  }
  wake_at(order.query_due);
}

void Orders::finish(Order& order, OrderStep what, DoneReason reason, base::LocalTime now,
                    OrderEvents& events) {
  settle_place(order);
  const auto next = after(order.state, what);
  if (!next) ++counts_.illegal_steps;
  order.state = OrderState::done;
  order.done_at = now;
  order.amend_request = order.cancel_request = order.query_request = {};
  ++counts_.done;
  events.push_back(OrderDone{.symbol = order.symbol,
                             .id = order.id,
                             .side = order.side,
                             .reason = reason,
                             .filled_qty = order.filled_qty,
                             .took = order.takes,
                             .taken_max = order.takes ? order.qty : Qty{}});
  keep_for_fills(order);
}

void Orders::keep_for_fills(Order& order) {
  const bool untold = order.filled_qty > order.told_qty;
  if (!untold) return drop(order);
  if (!order.active) {
    order.active = true;
    ++slots_used_;
    ensure(order.symbol).active.push_back(static_cast<std::uint32_t>(&order - slots_.data()));
  }
  if (!order.fills_asked) wake_at(order.done_at + options_.fills_missing_after);
}

void Orders::drop(Order& order) {
  if (!order.active) return;
  order.active = false;
  --slots_used_;
  auto& active = ensure(order.symbol).active;
  const auto slot = static_cast<std::uint32_t>(&order - slots_.data());
  const auto place = std::find(active.begin(), active.end(), slot);
  PHX_ASSERT(place != active.end(), "an active order is listed with its symbol");
  *place = active.back();
  active.pop_back();
}

void Orders::note_post_only(const Order& order, model::Price price, base::LocalTime now) {
  Symbol& symbol = ensure(order.symbol);
  ++counts_.post_only_rejects;
  const model::Price bound = price - symbol.instrument.tick_size * model::sign(order.side);
  symbol.step_out[index_of(order.side)] = StepOut{
      .bound = bound, .until = now + options_.post_only_pause, .book_update_id = order.book_update_id};
  if (now - symbol.post_only_window >= base::seconds{1}) {
    symbol.post_only_window = now;
    symbol.post_only_count = 0;
  }
  if (++symbol.post_only_count >= options_.post_only_rejects_per_second) {
    symbol.place_pause_until = std::max(symbol.place_pause_until, now + options_.post_only_pause);
  }
}

void Orders::note_refusal(Symbol& symbol, base::LocalTime now) {
  const int doublings = std::min(symbol.refusals_in_row++, 16);
  const base::Duration pause =
      std::min(options_.refused_pause_max, options_.refused_pause_min * (1 << doublings));
  symbol.place_pause_until = std::max(symbol.place_pause_until, now + pause);
}

void Orders::adopt(Symbol& symbol, model::ClientOrderId id, Side side, model::Intent intent,
                   const Facts& facts, base::LocalTime now, OrderEvents& events, Requests& out) {
  const bool full = symbol.active.size() >= adopted_max || slots_used_ >= slots_count / 4 * 3;
  if (full || !facts.qty.is_positive()) return;
  const std::uint32_t slot = take_slot();
  Order& order = slots_[slot];
  order.id = id;
  order.symbol = {static_cast<std::uint16_t>(&symbol - symbols_.data())};
  order.side = side;
  order.intent = intent;
  order.state = OrderState::pending_new;
  order.price = facts.price;
  order.qty = std::min(facts.qty, bounded_max);
  // What it filled before we met it is in the position already, or comes as trades that count by themselves.
  order.told_qty = std::clamp(facts.filled_qty, Qty{}, order.qty);
  order.filled_qty = order.told_qty;
  order.sent_at = now;
  order.adopted = true;
  symbol.active.push_back(slot);
  ++counts_.adopted;
  learn(order, facts, now, events, out);
  if (order.state != OrderState::done) leave(order, Lane::risk_cancel, now, out);
}

void Orders::on_open_orders(model::SymbolId id, std::span<const model::OrderReport> reports,
                            base::LocalTime asked_at, base::LocalTime now, OrderEvents& events,
                            Requests& out) {
  const std::uint64_t pass = ++list_pass_;
  for (const model::OrderReport& r : reports) {
    if (r.symbol != id) continue;
    const Facts facts = facts_of(r);
    if (!ours(r.id)) {
      if (whose(r.id) == FillOf::ours) continue;
      events.push_back(ForeignOrder{.symbol = id,
                                    .order_id = r.order_id,
                                    .client_text = r.client_text,
                                    .side = r.side,
                                    .price = r.price,
                                    .open_qty = std::max(r.qty - r.filled_qty, Qty{})});
      continue;
    }
    Order* order = find(id, *r.id);
    // A list may lag; what it still shows long after its end was never over.
    const bool undead = order != nullptr && order->state == OrderState::done && !order->active &&
                        asked_at >= order->done_at + options_.lag_max;
    if (undead) {
      order->id = {};
      order = nullptr;
    }
    if (order == nullptr) {
      adopt(ensure(id), *r.id, r.side, r.intent, facts, now, events, out);
      order = find(id, *r.id);
    } else if (order->state != OrderState::done) {
      learn(*order, facts, now, events, out);
    }
    if (order != nullptr) order->listed_pass = pass;
  }
  for (const std::uint32_t slot : ensure(id).active) {
    Order& order = slots_[slot];
    const bool missing = order.listed_pass != pass && order.proved && order.proved_at < asked_at;
    if (missing && order.state != OrderState::done) become_unknown(order, now);
  }
}

// What is due

void Orders::expire(base::LocalTime now, OrderEvents& events, Requests& out) {
  if (!deadline_ || now < *deadline_) return;
  deadline_.reset();
  for (Symbol& symbol : symbols_) {
    // Backwards: an order that ends here is replaced in the list by its last.
    for (std::size_t i = symbol.active.size(); i-- > 0;)
      expire_order(slots_[symbol.active[i]], now, events, out);
  }
  deadline_.reset();
  for (const Symbol& symbol : symbols_) {
    for (const std::uint32_t slot : symbol.active) {
      if (const auto when = deadline_of(slots_[slot])) wake_at(*when);
    }
  }
}

void Orders::expire_order(Order& order, base::LocalTime now, OrderEvents& events, Requests& out) {
  if (order.state == OrderState::done) {
    if (!order.fills_asked && now >= order.done_at + options_.fills_missing_after) {
      order.fills_asked = true;
      events.push_back(FillsMissing{.symbol = order.symbol,
                                    .id = order.id,
                                    .order_id = order.order_id,
                                    .qty = order.filled_qty - order.told_qty});
    }
    if (now >= order.done_at + options_.fills_forgotten_after) {
      order.told_qty = order.filled_qty;
      drop(order);
    }
    return;
  }
  if (is_set(order.place_request) && now >= order.place_due) {
    order.place_request = {};
    order.slow = true;
    ++slow_count_;
    become_unknown(order, now);
  }
  // It cannot rest: an end that is not told is asked for.
  if (order.takes && order.state == OrderState::live && now >= order.place_due) become_unknown(order, now);
  if (is_set(order.amend_request) && now >= order.amend_due) lose_amend(order, now, out);
  if (is_set(order.cancel_request) && now >= order.cancel_due) {
    order.cancel_request = {};
    become_unknown(order, now);
  }
  if (order.leaving && !is_set(order.cancel_request) && now >= order.cancel_due) send_cancel(order, now, out);
  if (order.state == OrderState::unknown && now >= order.query_due) {
    if (is_set(order.query_request)) {
      order.query_request = {};
      schedule_query(order, now);
    } else {
      send_query(order, now, out);
    }
  }
}

std::optional<base::LocalTime> Orders::deadline_of(const Order& order) const {
  if (order.state == OrderState::done) {
    return order.done_at +
           (order.fills_asked ? options_.fills_forgotten_after : options_.fills_missing_after);
  }
  std::optional<base::LocalTime> first;
  const auto due = [&first](base::LocalTime when) { first = first ? std::min(*first, when) : when; };
  const bool ends_soon = order.takes && order.state == OrderState::live;
  if (is_set(order.place_request) || ends_soon) due(order.place_due);
  if (is_set(order.amend_request)) due(order.amend_due);
  if (order.leaving) due(order.cancel_due);
  if (order.state == OrderState::unknown) due(order.query_due);
  return first;
}

std::optional<base::LocalTime> Orders::next_deadline() const { return deadline_; }

// Views

model::SideQty Orders::exposure(model::SymbolId id) const {
  model::SideQty sum;
  const Symbol* symbol = find(id);
  if (symbol == nullptr) return sum;
  for (const std::uint32_t slot : symbol->active) {
    const Order& o = slots_[slot];
    sum.of(o.side) = plus(sum.of(o.side), at_stake(o));
  }
  return sum;
}

int Orders::active_count(model::SymbolId id) const {
  const Symbol* symbol = find(id);
  return symbol == nullptr ? 0 : static_cast<int>(symbol->active.size());
}

int Orders::unknown_count(model::SymbolId id) const {
  const Symbol* symbol = find(id);
  if (symbol == nullptr) return 0;
  return static_cast<int>(
      std::count_if(symbol->active.begin(), symbol->active.end(),
                    [this](std::uint32_t slot) { return slots_[slot].state == OrderState::unknown; }));
}

bool Orders::is_taking(model::SymbolId id) const {
  const Symbol* symbol = find(id);
  return symbol != nullptr &&
         std::any_of(symbol->active.begin(), symbol->active.end(), [this](std::uint32_t slot) {
           return slots_[slot].takes && slots_[slot].state != OrderState::done;
         });
}

int Orders::live_count(model::SymbolId id) const {
  const Symbol* symbol = find(id);
  if (symbol == nullptr) return 0;
  return static_cast<int>(
      std::count_if(symbol->active.begin(), symbol->active.end(), [this](std::uint32_t slot) {
        const Order& o = slots_[slot];
        return o.proved && !o.leaving && !o.takes &&
               (o.state == OrderState::live || o.state == OrderState::pending_amend);
      }));
}

bool Orders::all_confirmed_gone(model::SymbolId id) const {
  const Symbol* symbol = find(id);
  if (symbol == nullptr) return true;
  return std::all_of(symbol->active.begin(), symbol->active.end(),
                     [this](std::uint32_t slot) { return slots_[slot].state == OrderState::done; });
}

bool Orders::all_confirmed_gone() const {
  for (std::size_t i = 0; i < symbols_.size(); ++i) {
    if (!all_confirmed_gone({static_cast<std::uint16_t>(i)})) return false;
  }
  return true;
}

void Orders::view(model::SymbolId id, std::vector<OrderView>& out) const {
  out.clear();
  const Symbol* symbol = find(id);
  if (symbol == nullptr) return;
  for (const std::uint32_t slot : symbol->active) {
    const Order& o = slots_[slot];
    if (o.state == OrderState::done) continue;
    out.push_back({.id = o.id,
                   .order_id = o.order_id,
                   .side = o.side,
                   .state = o.state,
                   .price = o.price,
                   .qty = o.qty,
                   .filled_qty = o.filled_qty,
                   .leaving = o.leaving,
                   .takes = o.takes});
  }
  std::sort(out.begin(), out.end(), [](const OrderView& a, const OrderView& b) {
    if (a.side != b.side) return a.side == Side::bid;
    if (a.price != b.price) return a.side == Side::bid ? a.price > b.price : a.price < b.price;
    return a.id < b.id;
  });
}

std::optional<model::Price> Orders::best_live(model::SymbolId id, Side side) const {
  const Symbol* symbol = find(id);
  std::optional<model::Price> best;
  if (symbol == nullptr) return best;
  for (const std::uint32_t slot : symbol->active) {
    const Order& o = slots_[slot];
    const bool counts = o.side == side && o.state == OrderState::live && !o.leaving && !o.takes;
    if (!counts) continue;
    const bool better = !best || (side == Side::bid ? o.price > *best : o.price < *best);
    if (better) best = o.price;
  }
  return best;
}

Qty Orders::resting_at(model::SymbolId id, Side side, model::Price price) const {
  Qty sum;
  const Symbol* symbol = find(id);
  if (symbol == nullptr) return sum;
  for (const std::uint32_t slot : symbol->active) {
    const Order& o = slots_[slot];
    const bool counts = o.side == side && o.price == price && !o.takes && o.state != OrderState::done;
    if (counts) sum = plus(sum, o.qty - o.filled_qty);
  }
  return sum;
}

std::optional<OrderRecord> Orders::record(model::SymbolId symbol, model::ClientOrderId id) const {
  if (id.epoch != epoch_) return std::nullopt;
  const Order& o = slots_[id.counter % slots_count];
  if (o.id != id || o.symbol != symbol) return std::nullopt;
  OrderRecord record;
  record.id = id;
  record.symbol = symbol;
  record.order_id = o.order_id;
  record.side = o.side;
  record.price = o.price;
  record.qty = o.qty;
  record.filled_qty = o.filled_qty;
  record.state = o.state;
  record.placed_at = o.sent_at;
  return record;
}

Qty Orders::filled_of(model::SymbolId id, model::ClientOrderId order) const {
  const Symbol* symbol = find(id);
  if (symbol == nullptr) return {};
  for (const std::uint32_t slot : symbol->active) {
    if (slots_[slot].id == order) return slots_[slot].filled_qty;
  }
  return {};
}

}  // namespace phoenix::order
