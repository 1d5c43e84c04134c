#include "base/rng.hpp"
#include "order/ledger.hpp"
#include "order/orders.hpp"

#include <algorithm>
#include <map>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

// Orders against a venue of a few lines that knows the truth, over a network that delays, reorders, loses and
// repeats.

namespace phoenix::order {
namespace {

using model::ClientOrderId;
using model::OrderStatus;
using model::Outcome;
using model::Price;
using model::Qty;
using model::Refusal;
using model::Side;

constexpr model::SymbolId eth{1};

struct TrueOrder {
  model::PlaceOrder placed;
  std::int64_t order_id = 0;
  OrderStatus status = OrderStatus::fresh;
  Price price;
  Qty qty, filled;
  base::VenueTime update_time{};
  Qty open() const { return model::is_final(status) ? Qty{} : qty - filled; }
};

/// What travels, and when it arrives.
struct Answered {
  model::RequestId id;
  model::OrderAnswer answer;
};
struct LostOnTheWay {
  model::RequestId id;
  Lost lost = Lost::unknown;
};
struct Listed {
  std::vector<model::OrderReport> reports;
  base::LocalTime asked_at{};
};
struct Request {
  OutRequest request;
};
struct AskList {
  base::LocalTime asked_at{};
};
using Message =
    std::variant<Request, Answered, LostOnTheWay, model::OrderUpdate, model::TradeLite, Listed, AskList>;

struct Faults {
  std::uint64_t request_lost = 0, answer_lost = 0, not_sent = 0, overloaded = 0, event_lost = 0,
                event_twice = 0;  // per million
  std::int64_t delay_ms_max = 20;
};

class World {
 public:
  World(std::uint64_t seed, const Faults& faults, const OrdersOptions& options)
      : rng_{seed}, faults_{faults}, orders_{options, 9} {
    model::Instrument i;
    i.symbol = eth;
    i.tick_size = Price::of("0.1");
    i.step_size = i.qty_min = Qty::of("1");
    i.status = model::SymbolStatus::trading;
    orders_.add_symbol(i, {.cancels_per_minute = static_cast<int>(rng_.between(1, 200))});
  }

  void run(int steps) {
    for (int n = 0; n < steps; ++n) {
      advance(base::milliseconds{rng_.between(0, 15)});
      switch (rng_.below(10)) {
        case 0:
        case 1:
        case 2:
        case 3:
          quote();
          break;
        case 4:
        case 5:
        case 6:
          fill_something();
          break;
        case 7:
          mid_ += rng_.between(-3, 3) * 5;
          break;
        case 8:
          if (rng_.below(20) == 0) pull();
          take();
          break;
        case 9:
          if (rng_.below(10) == 0) ask_list();
          break;
      }
      check();
      if (testing::Test::HasFatalFailure()) return;
    }
  }

  /// The faults end; everything is pulled; what is open must end, and both sides agree.
  void come_to_rest() {
    faults_ = {};
    pull();
    for (int n = 0; n < 3000 && !(orders_.all_confirmed_gone() && network_.empty()); ++n) {
      advance(base::milliseconds{20});
      if (n % 100 == 0) ask_list();
      check();
      if (testing::Test::HasFatalFailure()) return;
    }
    ASSERT_TRUE(orders_.all_confirmed_gone());
    for (const auto& [id, order] : venue_) ASSERT_TRUE(order.open().is_zero()) << "order " << id.counter;
    // Trades whose events were lost are fetched; the position follows from fills alone.
    for (int n = 0; n < 400; ++n) advance(base::milliseconds{20});
    for (const model::FillReport& trade : trades_) orders_.on_fill_report(trade, now_, events_);
    take_events();
    ASSERT_EQ(ledger_.account(eth).position, position_);
    ASSERT_EQ(orders_.exposure(eth), model::SideQty{});
    ASSERT_EQ(orders_.active_count(eth), 0);
  }

  const OrdersCounts& counts() const { return orders_.counts(); }
  std::uint64_t fills() const { return trades_.size(); }

 private:
  static constexpr std::int64_t limit_units = 60;

  void quote() {
    model::Quotes quotes;
    const std::int64_t layers = rng_.between(0, 4);
    for (const Side side : {Side::bid, Side::ask}) {
      for (std::int64_t n = 0; n < layers; ++n) {
        const std::int64_t ticks = mid_ - model::sign(side) * (10 + n * 10 + rng_.between(0, 3));
        quotes.push_back({.side = side,
                          .layer = static_cast<std::uint16_t>(n),
                          .price = Price::of("0.1") * ticks,
                          .qty = Qty::from_units(rng_.between(3, 6))});
      }
    }
    const Qty limit = Qty::from_units(limit_units), pos = ledger_.account(eth).position;
    const WantContext context{
        .top = {.bid = {Price::of("0.1") * (mid_ - 1), Qty::of("1")},
                .ask = {Price::of("0.1") * (mid_ + 1), Qty::of("1")},
                .update_id = ++book_id_},
        .room = {.bid = std::max({limit - pos, -pos, Qty{}}), .ask = std::max({limit + pos, pos, Qty{}})},
        .places_max = static_cast<int>(rng_.between(0, 8))};
    orders_.want(eth, quotes, context, now_, out_);
    transmit();
  }

  /// Closes a part of the position at once, as far as the room of its side goes.
  void take() {
    const Qty pos = ledger_.account(eth).position, limit = Qty::from_units(limit_units);
    const Side side = pos.is_positive() ? Side::ask : Side::bid;
    const Qty room = std::max(limit + pos.abs() - orders_.exposure(eth).of(side), Qty{});
    const Qty most = std::min(pos.abs(), room);
    if (most < Qty::of("1")) return;
    const Qty qty = Qty::from_units(rng_.between(1, most.raw() / Qty::of("1").raw()));
    const Price worst = Price::of("0.1") * (mid_ - 2 * model::sign(model::opposite(side)));
    const bool was = orders_.is_taking(eth);
    ASSERT_EQ(orders_.take(eth, side, qty, worst, now_, out_), !was);
    transmit();
  }

  void pull() {
    orders_.pull(eth, now_, out_);
    transmit();
  }

  void ask_list() { send(AskList{now_}); }

  void send(Message message, std::int64_t extra_ms = 0) {
    const auto at = now_ + base::milliseconds{rng_.between(0, faults_.delay_ms_max) + extra_ms};
    network_.emplace(std::pair{at, ++sequence_}, std::move(message));
  }

  void transmit() {
    for (const OutRequest& r : out_) {
      if (const auto* p = std::get_if<model::PlaceOrder>(&r.request)) {
        ASSERT_EQ(++placed_[p->id], 1) << "a placement is sent once";
        in_flight_[p->id] = *p;
        ASSERT_EQ(p->time_in_force == model::TimeInForce::ioc, p->intent == model::Intent::reduce_only);
      }
      if (rng_.chance_per_million(faults_.not_sent)) {
        if (const auto* p = std::get_if<model::PlaceOrder>(&r.request)) in_flight_.erase(p->id);
        send(LostOnTheWay{r.id, Lost::not_sent});
      } else if (rng_.chance_per_million(faults_.request_lost)) {
        if (const auto* p = std::get_if<model::PlaceOrder>(&r.request)) in_flight_.erase(p->id);
        if (rng_.below(2) == 0) send(LostOnTheWay{r.id, Lost::unknown});
      } else {
        send(Request{r});
      }
    }
    out_.clear();
  }

  void take_events() {
    ledger_.apply(events_);
    events_.clear();
  }

  void advance(base::Duration by) {
    const base::LocalTime end = now_ + by;
    for (;;) {
      const auto due = orders_.next_deadline();
      const bool message_first =
          !network_.empty() && network_.begin()->first.first <= std::min(end, due.value_or(end));
      if (message_first) {
        now_ = std::max(now_, network_.begin()->first.first);
        const Message message = std::move(network_.begin()->second);
        network_.erase(network_.begin());
        std::visit([this](const auto& m) { arrive(m); }, message);
      } else if (due && *due <= end) {
        now_ = std::max(now_, *due);
        orders_.expire(now_, events_, out_);
        ASSERT_TRUE(!orders_.next_deadline() || *orders_.next_deadline() > now_) << "what was due is done";
      } else {
        break;
      }
      take_events();
      transmit();
      check();
      if (testing::Test::HasFatalFailure()) return;
    }
    now_ = end;
  }

  // At Orders
  void arrive(const Answered& m) { orders_.on_answer(m.id, m.answer, now_, events_, out_); }
  void arrive(const LostOnTheWay& m) { orders_.on_lost(m.id, m.lost, now_, events_, out_); }
  void arrive(const model::OrderUpdate& m) { orders_.on_update(m, now_, events_, out_); }
  void arrive(const model::TradeLite& m) { orders_.on_trade_lite(m, now_, events_); }
  void arrive(const Listed& m) { orders_.on_open_orders(eth, m.reports, m.asked_at, now_, events_, out_); }

  // At the venue
  void arrive(const AskList& m) {
    Listed listed{.reports = {}, .asked_at = m.asked_at};
    for (const auto& [id, order] : venue_) {
      if (order.open().is_positive()) listed.reports.push_back(report(order));
    }
    send(std::move(listed));
  }
  void arrive(const Request& m) {
    model::OrderAnswer answer;
    answer.outcome = Outcome::accepted;
    const bool overloaded = rng_.chance_per_million(faults_.overloaded);
    if (const auto* p = std::get_if<model::PlaceOrder>(&m.request.request)) {
      in_flight_.erase(p->id);
      if (overloaded) {
        refuse(answer, rng_.below(2) == 0 ? Refusal::overloaded : Refusal::post_only_would_take);
      } else {
        TrueOrder* const order = p->time_in_force == model::TimeInForce::ioc ? accept_take(*p) : &accept(*p);
        if (order == nullptr) {
          refuse(answer, Refusal::reduce_only);
        } else {
          answer.report = report(*order);
        }
      }
    } else if (const auto* a = std::get_if<model::AmendOrder>(&m.request.request)) {
      amend(*a, overloaded, answer);
    } else if (const auto* c = std::get_if<model::CancelOrder>(&m.request.request)) {
      TrueOrder* order = open_order(c->id);
      if (overloaded) {
        refuse(answer, Refusal::overloaded);
      } else if (order == nullptr) {
        refuse(answer, Refusal::order_not_found);
      } else {
        end(*order, OrderStatus::canceled);
        answer.report = report(*order);
      }
    } else if (const auto* q = std::get_if<model::QueryOrder>(&m.request.request)) {
      const auto found = venue_.find(q->id);
      if (found == venue_.end()) {
        refuse(answer, Refusal::order_not_found);
      } else {
        answer.report = report(found->second);
      }
    }
    if (rng_.chance_per_million(faults_.answer_lost)) {
      if (rng_.below(2) == 0) send(LostOnTheWay{m.request.id, Lost::unknown});
    } else {
      const std::int64_t slow = rng_.below(200) == 0 && faults_.answer_lost > 0 ? 2500 : 0;
      send(Answered{m.request.id, answer}, slow);
    }
  }

  static void refuse(model::OrderAnswer& answer, Refusal why) {
    answer.outcome = Outcome::refused;
    answer.refusal = why;
  }

  TrueOrder* open_order(ClientOrderId id) {
    const auto found = venue_.find(id);
    return found == venue_.end() || model::is_final(found->second.status) ? nullptr : &found->second;
  }

  TrueOrder& accept(const model::PlaceOrder& p) {
    TrueOrder& order = venue_[p.id];
    order = {.placed = p,
             .order_id = ++order_id_,
             .status = OrderStatus::fresh,
             .price = p.price,
             .qty = p.qty,
             .filled = {}};
    publish(order, model::ExecutionType::fresh);
    return order;
  }

  /// Fills what the book happens to have, never more than the position; the rest expires.
  TrueOrder* accept_take(const model::PlaceOrder& p) {
    const bool reduces = position_ * model::sign(p.side) < Qty{};
    if (!reduces) return nullptr;
    TrueOrder& order = accept(p);
    const std::int64_t most = std::min(p.qty, position_.abs()).raw() / Qty::of("1").raw();
    const Qty qty = Qty::from_units(rng_.between(0, most));
    if (qty.is_positive()) fill(order, qty);
    if (order.open().is_positive()) end(order, OrderStatus::expired);
    return &order;
  }

  void amend(const model::AmendOrder& a, bool overloaded, model::OrderAnswer& answer) {
    TrueOrder* order = open_order(a.id);
    if (overloaded) return refuse(answer, rng_.below(2) == 0 ? Refusal::overloaded : Refusal::amend_failed);
    if (order == nullptr) return refuse(answer, Refusal::order_not_found);
    if (a.price == order->price && a.qty == order->qty) return refuse(answer, Refusal::no_change);
    if (a.qty <= order->filled) {
      end(*order, OrderStatus::canceled);
    } else {
      order->price = a.price;
      order->qty = a.qty;
      publish(*order, model::ExecutionType::amendment);
    }
    answer.report = report(*order);
  }

  void end(TrueOrder& order, OrderStatus status) {
    order.status = status;
    publish(order, model::ExecutionType::canceled);
  }

  void fill_something() {
    std::vector<TrueOrder*> open;
    for (auto& [id, order] : venue_) {
      if (order.open().is_positive()) open.push_back(&order);
    }
    if (open.empty()) return;
    TrueOrder& order = *open[rng_.below(open.size())];
    if (rng_.below(40) == 0) return end(order, OrderStatus::expired_in_match);
    fill(order, Qty::from_units(rng_.between(1, order.open().raw() / Qty::of("1").raw())));
  }

  void fill(TrueOrder& order, Qty qty) {
    order.filled += qty;
    order.status = order.open().is_zero() ? OrderStatus::filled : OrderStatus::partially_filled;
    position_ += qty * model::sign(order.placed.side);
    trades_.push_back({.symbol = eth,
                       .trade_id = static_cast<std::int64_t>(trades_.size() + 1),
                       .order_id = order.order_id,
                       .side = order.placed.side,
                       .price = order.price,
                       .qty = qty,
                       .realized_pnl = {},
                       .commission = {},
                       .commission_asset = {},
                       .maker = true});
    trades_.back().time = base::venue_time_ns(base::ns_of(now_));
    publish(order, model::ExecutionType::trade);
  }

  model::OrderReport report(const TrueOrder& order) const {
    return {.symbol = eth,
            .order_id = order.order_id,
            .client_text = order.placed.id.text(),
            .id = order.placed.id,
            .side = order.placed.side,
            .status = order.status,
            .price = order.price,
            .qty = order.qty,
            .filled_qty = order.filled,
            .intent = order.placed.intent,
            .update_time = order.update_time};
  }

  void publish(TrueOrder& order, model::ExecutionType execution) {
    order.update_time = base::venue_time_ns(++venue_ns_);
    model::OrderUpdate u;
    u.symbol = eth;
    u.order_id = order.order_id;
    u.client_text = order.placed.id.text();
    u.id = order.placed.id;
    u.side = order.placed.side;
    u.execution = execution;
    u.status = order.status;
    u.price = order.price;
    u.qty = order.qty;
    u.filled_qty = order.filled;
    u.transaction_time = order.update_time;
    if (execution == model::ExecutionType::trade) {
      u.trade_id = trades_.back().trade_id;
      u.last_qty = trades_.back().qty;
      u.last_price = order.price;
      if (rng_.below(3) == 0) {
        send(model::TradeLite{.symbol = eth,
                              .order_id = order.order_id,
                              .trade_id = u.trade_id,
                              .client_text = u.client_text,
                              .id = u.id,
                              .side = u.side,
                              .last_price = u.last_price,
                              .last_qty = u.last_qty,
                              .maker = true,
                              .event_time = order.update_time,
                              .transaction_time = order.update_time});
      }
      u.transaction_time = std::max(u.transaction_time, order.update_time);
    }
    if (!rng_.chance_per_million(faults_.event_lost)) send(u);
    if (rng_.chance_per_million(faults_.event_twice)) send(u, 40);
  }

  /// The truth is never worse than what Orders and Ledger say, and what they say is never beyond the limit.
  void check() {
    take_events();
    Qty bids, asks;
    for (const auto& [id, order] : venue_) (order.placed.side == Side::bid ? bids : asks) += order.open();
    for (const auto& [id, placed] : in_flight_) (placed.side == Side::bid ? bids : asks) += placed.qty;
    const Qty ours = ledger_.account(eth).position;
    const model::SideQty exposure = orders_.exposure(eth);
    ASSERT_LE(position_ + bids, ours + exposure.bid) << "exposure never underestimates";
    ASSERT_GE(position_ - asks, ours - exposure.ask) << "exposure never underestimates";
    const Qty limit = Qty::from_units(limit_units);
    ASSERT_LE(position_ + bids, limit);
    ASSERT_GE(position_ - asks, -limit);
    // One order for each wanted layer at most, besides those on their way out.
    std::vector<OrderView> views;
    orders_.view(eth, views);
    const auto staying = std::count_if(views.begin(), views.end(), [](const OrderView& v) {
      return !v.leaving && !v.takes && v.qty > v.filled_qty;
    });
    ASSERT_LE(staying, 8);
    ASSERT_LE(std::count_if(views.begin(), views.end(), [](const OrderView& v) { return v.takes; }), 1);
  }

  base::Rng rng_;
  Faults faults_;
  Orders orders_;
  Ledger ledger_;
  Requests out_;
  OrderEvents events_;
  base::LocalTime now_{base::seconds{1000}};
  std::int64_t mid_ = 1000, book_id_ = 0, order_id_ = 0, venue_ns_ = 0;
  std::map<std::pair<base::LocalTime, std::uint64_t>, Message> network_;
  std::uint64_t sequence_ = 0;
  std::map<ClientOrderId, TrueOrder> venue_;
  std::map<ClientOrderId, model::PlaceOrder> in_flight_;
  std::map<ClientOrderId, int> placed_;
  std::vector<model::FillReport> trades_;
  Qty position_;
};

void play(std::uint64_t seed, const Faults& faults) {
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  OrdersOptions options;
  options.amend = seed % 3 == 0 ? AmendUse::never : AmendUse::for_moves;
  World world{seed, faults, options};
  world.run(400);
  if (testing::Test::HasFatalFailure()) return;
  world.come_to_rest();
  if (testing::Test::HasFatalFailure()) return;
  ASSERT_GT(world.counts().places, 0U);
  ASSERT_GT(world.counts().takes, 0U);
}

TEST(OrdersProperty, agree_with_a_venue_that_delays_and_reorders) {
  for (std::uint64_t seed = 1; seed <= 20 && !HasFatalFailure(); ++seed) play(seed, {});
}

TEST(OrdersProperty, agree_with_a_venue_that_refuses_and_repeats) {
  const Faults faults{.not_sent = 50'000, .overloaded = 100'000, .event_twice = 200'000, .delay_ms_max = 60};
  for (std::uint64_t seed = 100; seed <= 120 && !HasFatalFailure(); ++seed) play(seed, faults);
}

TEST(OrdersProperty, agree_with_a_venue_whose_answers_are_lost) {
  const Faults faults{.request_lost = 80'000,
                      .answer_lost = 150'000,
                      .not_sent = 20'000,
                      .overloaded = 50'000,
                      .event_twice = 50'000,
                      .delay_ms_max = 100};
  for (std::uint64_t seed = 200; seed <= 220 && !HasFatalFailure(); ++seed) play(seed, faults);
}

TEST(OrdersProperty, agree_in_the_end_though_events_are_lost) {
  const Faults faults{.request_lost = 30'000,
                      .answer_lost = 60'000,
                      .overloaded = 30'000,
                      .event_lost = 150'000,
                      .event_twice = 50'000,
                      .delay_ms_max = 50};
  for (std::uint64_t seed = 300; seed <= 320 && !HasFatalFailure(); ++seed) play(seed, faults);
}

}  // namespace
}  // namespace phoenix::order
