#include "order/orders.hpp"

#include "base/rng.hpp"
#include "base/test_allocations.hpp"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <variant>

#include <gtest/gtest.h>

namespace phoenix::order {
namespace {

using model::ClientOrderId;
using model::OrderStatus;
using model::Outcome;
using model::Price;
using model::Qty;
using model::Refusal;
using model::Side;

constexpr model::SymbolId eth{2};
constexpr std::uint32_t epoch = 7;

model::Instrument instrument() {
  model::Instrument i;
  i.symbol = eth;
  i.status = model::SymbolStatus::trading;
  i.tick_size = Price::of("0.01");
  i.step_size = Qty::of("0.001");
  i.qty_min = Qty::of("0.001");
  return i;
}

struct Level {
  const char* price;
  const char* qty = "1";
};

model::Quotes quotes(std::initializer_list<Level> bids, std::initializer_list<Level> asks = {}) {
  model::Quotes out;
  std::uint16_t layer = 0;
  for (const Level& l : bids) {
    out.push_back({.side = Side::bid, .layer = layer++, .price = Price::of(l.price), .qty = Qty::of(l.qty)});
  }
  layer = 0;
  for (const Level& l : asks) {
    out.push_back({.side = Side::ask, .layer = layer++, .price = Price::of(l.price), .qty = Qty::of(l.qty)});
  }
  return out;
}

/// Orders with a venue played by hand.
class Desk : public testing::Test {
 protected:
  Desk() { start(OrdersOptions{}, SymbolOrderLimits{}); }

  void start(const OrdersOptions& options, const SymbolOrderLimits& limits) {
    orders.emplace(options, epoch);
    orders->add_symbol(instrument(), limits);
  }

  void want(const model::Quotes& wanted) {
    out.clear();
    orders->want(eth, wanted, context, now, out);
  }
  void later(base::Duration by) {
    now += by;
    out.clear();
    orders->expire(now, events, out);
  }
  template <class Request>
  std::vector<Request> sent() const {
    std::vector<Request> found;
    for (const auto& o : out) {
      if (const auto* r = std::get_if<Request>(&o.request)) found.push_back(*r);
    }
    return found;
  }
  model::RequestId id_of(std::size_t index) const { return out.at(index).id; }

  model::OrderReport report(ClientOrderId id, OrderStatus status, const char* filled = "0") {
    const auto& p = placed(id);
    return {.symbol = eth,
            .order_id = static_cast<std::int64_t>(1000 + id.counter),
            .client_text = id.text(),
            .id = id,
            .side = p.side,
            .status = status,
            .price = p.price,
            .qty = p.qty,
            .filled_qty = Qty::of(filled),
            .intent = p.intent,
            .update_time = venue_now()};
  }
  model::OrderUpdate update(ClientOrderId id, OrderStatus status, const char* filled = "0") {
    const auto& p = placed(id);
    model::OrderUpdate u;
    u.symbol = eth;
    u.order_id = static_cast<std::int64_t>(1000 + id.counter);
    u.client_text = id.text();
    u.id = id;
    u.side = p.side;
    u.status = status;
    u.price = p.price;
    u.qty = p.qty;
    u.filled_qty = Qty::of(filled);
    u.transaction_time = venue_now();
    u.event_time = venue_now();
    return u;
  }
  model::OrderUpdate trade(ClientOrderId id, OrderStatus status, const char* filled, std::int64_t trade_id,
                           const char* qty) {
    auto u = update(id, status, filled);
    u.execution = model::ExecutionType::trade;
    u.trade_id = trade_id;
    u.last_qty = Qty::of(qty);
    u.last_price = u.price;
    u.maker = true;
    return u;
  }
  void answer(model::RequestId request, const model::OrderAnswer& a) {
    out.clear();
    orders->on_answer(request, a, now, events, out);
  }
  void accept(model::RequestId request, ClientOrderId id, OrderStatus status = OrderStatus::fresh,
              const char* filled = "0") {
    model::OrderAnswer a;
    a.outcome = Outcome::accepted;
    a.report = report(id, status, filled);
    answer(request, a);
  }
  void refuse(model::RequestId request, Refusal why) {
    model::OrderAnswer a;
    a.outcome = Outcome::refused;
    a.refusal = why;
    answer(request, a);
  }
  void lose(model::RequestId request, Lost lost = Lost::unknown) {
    out.clear();
    orders->on_lost(request, lost, now, events, out);
  }
  void tell(const model::OrderUpdate& u) {
    out.clear();
    orders->on_update(u, now, events, out);
  }
  /// Places what is wanted and has the venue take it; the ids in order of placement.
  std::vector<ClientOrderId> rest(const model::Quotes& wanted) {
    want(wanted);
    const Requests requests = out;
    std::vector<ClientOrderId> ids;
    for (const auto& r : requests) {
      const auto* p = std::get_if<model::PlaceOrder>(&r.request);
      if (p == nullptr) continue;
      known.push_back(*p);
      ids.push_back(p->id);
      accept(r.id, p->id);
    }
    return ids;
  }
  /// One bid of 1 at 98, sent and not answered.
  ClientOrderId send_one() {
    want(quotes({{"98"}}));
    known.push_back(sent<model::PlaceOrder>().at(0));
    place_request = id_of(0);
    return known.back().id;
  }
  const model::PlaceOrder& placed(ClientOrderId id) const {
    for (const auto& p : known) {
      if (p.id == id) return p;
    }
    throw std::logic_error("no such order");
  }
  OrderState state_of(ClientOrderId id) const {
    std::vector<OrderView> views;
    orders->view(eth, views);
    for (const auto& v : views) {
      if (v.id == id) return v.state;
    }
    return OrderState::done;
  }
  template <class Event>
  std::vector<Event> told() const {
    std::vector<Event> found;
    for (const auto& e : events) {
      if (const auto* f = std::get_if<Event>(&e)) found.push_back(*f);
    }
    return found;
  }
  base::VenueTime venue_now() { return base::venue_time_ns(base::ns_of(now)) + base::microseconds{++ticks_}; }
  Qty bid_exposure() const { return orders->exposure(eth).bid; }

  std::optional<Orders> orders;
  base::LocalTime now{base::seconds{1'000'000}};
  WantContext context{.top = {.bid = {Price::of("99.99"), Qty::of("1")},
                              .ask = {Price::of("100.01"), Qty::of("1")},
                              .update_id = 1},
                      .room = {.bid = Qty::of("100"), .ask = Qty::of("100")},
                      .places_max = 100};
  Requests out;
  OrderEvents events;
  std::vector<model::PlaceOrder> known;
  model::RequestId place_request;

 private:
  int ticks_ = 0;
};

using Matching = Desk;
using LifeCycle = Desk;
using UnknownOutcome = Desk;
using PostOnly = Desk;
using Budgets = Desk;
using Reconciliation = Desk;
using Pull = Desk;
using Fills = Desk;

// Matching

TEST_F(Matching, places_the_whole_ladder_from_the_market_outwards) {
  want(quotes({{"99"}, {"98"}}, {{"101"}, {"102"}}));
  const auto places = sent<model::PlaceOrder>();
  ASSERT_EQ(places.size(), 4U);
  EXPECT_EQ(places[0].price, Price::of("99"));
  EXPECT_EQ(places[1].price, Price::of("101"));
  EXPECT_EQ(places[2].price, Price::of("98"));
  EXPECT_EQ(places[0].time_in_force, model::TimeInForce::gtx);
  for (const auto& p : places) EXPECT_EQ(p.id.epoch, epoch);
  EXPECT_EQ(orders->exposure(eth), (model::SideQty{.bid = Qty::of("2"), .ask = Qty::of("2")}));
}

TEST_F(Matching, i16_a_whole_ladder_is_asked_for_at_once) {
  model::Quotes ladder;
  for (const Side side : {Side::bid, Side::ask}) {
    for (std::uint16_t n = 0; n < 18; ++n) {
      ladder.push_back({.side = side,
                        .layer = n,
                        .price = Price::from_units(100 - model::sign(side) * (1 + n)),
                        .qty = Qty::of("1")});
    }
  }
  want(ladder);
  EXPECT_EQ(sent<model::PlaceOrder>().size(), 36U) << "no answer is waited for";
}

TEST_F(Matching, asks_nothing_when_all_is_as_wanted_in_flight_or_resting) {
  const auto wanted = quotes({{"99"}, {"98"}}, {{"101"}});
  want(wanted);
  want(wanted);
  EXPECT_TRUE(out.empty()) << "still in flight";
  start({}, {});
  rest(wanted);
  want(wanted);
  EXPECT_TRUE(out.empty());
}

TEST_F(Matching, keeps_the_specification_example) {
  rest(quotes({{"98.80"}, {"97.60"}}));
  want(quotes({{"99.85"}, {"98.70"}, {"97.60"}}));
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(sent<model::PlaceOrder>().at(0).price, Price::of("99.85"));
}

TEST_F(Matching, keeps_most_orders_where_a_greedy_choice_would_lose_one) {
  // 98.70 fits 98.80 and 98.50; taking the nearer of the two for it leaves the order at 98.80 without a
  // quote.
  start({.tolerance_in_milli = 900, .tolerance_out_milli = 900}, {});
  rest(quotes({{"98.80"}, {"98.70"}}));
  want(quotes({{"98.75"}, {"98.60"}}));
  EXPECT_TRUE(out.empty());
}

TEST_F(Matching, d22_tolerance_is_a_share_of_the_local_gap) {
  rest(quotes({{"98"}, {"97"}, {"93"}}));
  want(quotes({{"97.80"}, {"96.80"}, {"92.00"}}));
  EXPECT_TRUE(out.empty()) << "in by 0.20 of 1, 0.20 of 1, 1.00 of 4.80";
  want(quotes({{"98.40"}, {"97.40"}, {"95.40"}}));
  ASSERT_EQ(out.size(), 1U) << "out by 0.40 of 1, 0.40 of 2, 2.40 of 2";
  EXPECT_EQ(sent<model::AmendOrder>().at(0).price, Price::of("95.40"));
}

TEST_F(Matching, repairs_an_order_too_near_to_or_too_far_from_the_market) {
  start({.amend = AmendUse::never}, {});
  rest(quotes({{"98"}, {"97"}}));
  want(quotes({{"97.70"}, {"96.70"}}));
  EXPECT_EQ(sent<model::CancelOrder>().size(), 2U) << "0.30 nearer than a quarter of the gap of 1";
}

TEST_F(Matching, moves_an_order_by_one_amend) {
  const auto ids = rest(quotes({{"98"}}));
  want(quotes({{"97"}}));
  ASSERT_EQ(out.size(), 1U);
  const auto amends = sent<model::AmendOrder>();
  ASSERT_EQ(amends.size(), 1U);
  EXPECT_EQ(amends[0].id, ids[0]);
  EXPECT_EQ(amends[0].price, Price::of("97"));
  EXPECT_EQ(state_of(ids[0]), OrderState::pending_amend);
  want(quotes({{"97"}}));
  EXPECT_TRUE(out.empty()) << "on its way";
  want(quotes({{"96"}}));
  EXPECT_TRUE(out.empty()) << "one amend at a time";
}

TEST_F(Matching, a_ladder_that_moves_by_a_layer_moves_one_order) {
  rest(quotes({{"97"}, {"96"}, {"95"}}));
  want(quotes({{"98"}, {"97"}, {"96"}}));
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(sent<model::AmendOrder>().at(0).price, Price::of("98"));
}

TEST_F(Matching, an_amend_asks_for_the_total_with_what_is_filled) {
  const auto ids = rest(quotes({{"98"}}));
  tell(trade(ids[0], OrderStatus::partially_filled, "0.6", 1, "0.6"));
  want(quotes({{"97"}}));
  EXPECT_EQ(sent<model::AmendOrder>().at(0).qty, Qty::of("1.6"));
  EXPECT_EQ(bid_exposure(), Qty::of("1")) << "the worse of 0.4 and 1.0";
}

TEST_F(Matching, compares_what_is_open_with_what_is_wanted) {
  const auto ids = rest(quotes({{"98"}}));
  tell(trade(ids[0], OrderStatus::partially_filled, "0.4", 1, "0.4"));
  want(quotes({{"98"}}));
  EXPECT_TRUE(out.empty()) << "0.6 of 1 stays";
  tell(trade(ids[0], OrderStatus::partially_filled, "0.6", 2, "0.2"));
  want(quotes({{"98"}}));
  EXPECT_EQ(out.size(), 1U) << "0.4 of 1 is renewed";
}

TEST_F(Matching, cancels_the_risk_that_no_longer_fits_from_the_outside_in) {
  const auto ids = rest(quotes({{"98"}, {"97"}, {"96"}}));
  context.room.bid = Qty::of("1.5");
  want(quotes({{"98"}, {"97", "0.5"}}));
  const auto cancels = sent<model::CancelOrder>();
  ASSERT_EQ(cancels.size(), 2U);
  EXPECT_EQ(cancels[0].id, ids[2]);
  EXPECT_EQ(cancels[1].id, ids[1]);
  EXPECT_EQ(out[0].lane, Lane::risk_cancel);
  EXPECT_EQ(bid_exposure(), Qty::of("3")) << "until confirmed";
  EXPECT_TRUE(sent<model::PlaceOrder>().empty()) << "no room before that";
}

TEST_F(Matching, never_places_across_its_own_order) {
  rest(quotes({}, {{"100.05"}}));
  context.top = {
      .bid = {Price::of("100.10"), Qty::of("1")}, .ask = {Price::of("100.12"), Qty::of("1")}, .update_id = 2};
  want(quotes({{"100.05"}}, {{"100.05"}}));
  EXPECT_TRUE(sent<model::PlaceOrder>().empty());
  EXPECT_EQ(orders->counts().held_by_own_cross, 1U);
}

TEST_F(Matching, needs_no_memory_when_nothing_changes) {
  const auto wanted = quotes({{"99"}, {"98"}, {"97"}, {"96"}, {"95"}, {"94"}, {"93"}},
                             {{"101"}, {"102"}, {"103"}, {"104"}, {"105"}, {"106"}, {"107"}});
  rest(wanted);
  out.reserve(64);
  want(wanted);
  const auto before = base::allocations.load();
  for (int i = 0; i < 1000; ++i) want(wanted);
  EXPECT_EQ(base::allocations.load(), before);
  EXPECT_TRUE(out.empty());
}

TEST_F(Matching, needs_no_memory_to_change_the_ladder) {
  const auto a = quotes({{"99"}, {"98"}, {"97"}}, {{"101"}, {"102"}, {"103"}});
  const auto b = quotes({{"99", "3"}, {"98", "3"}, {"97", "3"}}, {{"101", "3"}, {"102", "3"}, {"103", "3"}});
  rest(a);
  out.reserve(64);
  events.reserve(1024);
  bool to_b = true;
  const auto cycle = [&] {
    out.clear();
    orders->want(eth, to_b ? b : a, context, now, out);
    to_b = !to_b;
    ASSERT_EQ(out.size(), 6U);
    for (std::size_t i = 0; i < 6; ++i) {
      const auto amend = std::get<model::AmendOrder>(out[i].request);
      model::OrderUpdate u;
      u.symbol = eth;
      u.id = amend.id;
      u.side = amend.side;
      u.status = OrderStatus::fresh;
      u.execution = model::ExecutionType::amendment;
      u.price = amend.price;
      u.qty = amend.qty;
      u.transaction_time = venue_now();
      orders->on_update(u, now, events, out);
    }
  };
  cycle();
  const auto before = base::allocations.load();
  for (int i = 0; i < 100; ++i) cycle();
  EXPECT_EQ(base::allocations.load(), before);
}

// Life cycle and races

TEST_F(LifeCycle, an_order_lives_and_ends) {
  const auto id = send_one();
  EXPECT_EQ(state_of(id), OrderState::pending_new);
  accept(place_request, id);
  EXPECT_EQ(state_of(id), OrderState::live);
  tell(trade(id, OrderStatus::partially_filled, "0.4", 1, "0.4"));
  EXPECT_EQ(state_of(id), OrderState::live);
  EXPECT_EQ(bid_exposure(), Qty::of("0.6"));
  tell(trade(id, OrderStatus::filled, "1", 2, "0.6"));
  EXPECT_EQ(state_of(id), OrderState::done);
  EXPECT_EQ(bid_exposure(), Qty{});
  EXPECT_TRUE(orders->all_confirmed_gone());
  EXPECT_EQ(told<Fill>().size(), 2U);
  ASSERT_EQ(told<OrderDone>().size(), 1U);
  EXPECT_EQ(told<OrderDone>()[0].reason, DoneReason::filled);
}

TEST_F(LifeCycle, a_fill_before_the_answer_belongs_to_the_order) {
  const auto id = send_one();
  const auto sent_at = now;
  now += base::milliseconds{5};
  tell(trade(id, OrderStatus::filled, "1", 1, "1"));
  ASSERT_EQ(told<Fill>().size(), 1U);
  EXPECT_EQ(told<Fill>()[0].order_sent_at, sent_at);
  EXPECT_EQ(state_of(id), OrderState::done);
  accept(place_request, id, OrderStatus::fresh);
  EXPECT_EQ(state_of(id), OrderState::done) << "the late answer revives nothing";
  EXPECT_EQ(told<OrderDone>().size(), 1U);
  EXPECT_EQ(orders->active_count(eth), 0);
}

TEST_F(LifeCycle, an_older_event_never_lowers_what_is_filled) {
  const auto id = send_one();
  accept(place_request, id);
  auto early = trade(id, OrderStatus::partially_filled, "0.2", 1, "0.2");
  tell(trade(id, OrderStatus::partially_filled, "0.5", 2, "0.3"));
  std::vector<OrderView> views;
  orders->view(eth, views);
  EXPECT_EQ(views[0].filled_qty, Qty::of("0.5"));
  EXPECT_EQ(bid_exposure(), Qty::of("0.7")) << "the first trade is not told yet, so its 0.2 still counts";
  tell(early);
  orders->view(eth, views);
  EXPECT_EQ(views[0].filled_qty, Qty::of("0.5"));
  EXPECT_EQ(bid_exposure(), Qty::of("0.5"));
}

TEST_F(LifeCycle, a_refused_placement_is_over_and_pauses_the_symbol) {
  const auto id = send_one();
  refuse(place_request, Refusal::margin);
  EXPECT_EQ(state_of(id), OrderState::done);
  ASSERT_EQ(told<Rejected>().size(), 1U);
  want(quotes({{"98"}}));
  EXPECT_TRUE(out.empty());
  later(base::seconds{1});
  want(quotes({{"98"}}));
  ASSERT_EQ(out.size(), 1U);
  known.push_back(sent<model::PlaceOrder>()[0]);
  refuse(id_of(0), Refusal::margin);
  later(base::milliseconds{1999});
  want(quotes({{"98"}}));
  EXPECT_TRUE(out.empty()) << "the pause doubles";
}

TEST_F(LifeCycle, a_placement_that_never_left_is_over) {
  const auto id = send_one();
  lose(place_request, Lost::not_sent);
  EXPECT_EQ(state_of(id), OrderState::done);
  EXPECT_EQ(told<OrderDone>().at(0).reason, DoneReason::not_sent);
  want(quotes({{"98"}}));
  EXPECT_EQ(sent<model::PlaceOrder>().size(), 1U);
}

TEST_F(LifeCycle, an_amend_is_settled_by_its_answer_or_by_its_event) {
  const auto id = rest(quotes({{"98"}})).at(0);
  want(quotes({{"97"}}));
  const auto request = id_of(0);
  auto u = update(id, OrderStatus::fresh);
  u.execution = model::ExecutionType::amendment;
  u.price = Price::of("97");
  tell(u);
  EXPECT_EQ(state_of(id), OrderState::live);
  EXPECT_EQ(orders->best_live(eth, Side::bid), Price::of("97"));
  model::OrderAnswer late;
  late.outcome = Outcome::accepted;
  late.report = report(id, OrderStatus::fresh);
  late.report->price = Price::of("97");
  answer(request, late);
  EXPECT_EQ(orders->best_live(eth, Side::bid), Price::of("97"));
  EXPECT_EQ(orders->counts().illegal_steps, 0U);
}

TEST_F(LifeCycle, the_answer_to_an_earlier_amend_settles_nothing_of_a_later_one) {
  const auto id = rest(quotes({{"98"}})).at(0);
  want(quotes({{"97"}}));
  const auto first = id_of(0);
  auto event = update(id, OrderStatus::fresh);
  event.execution = model::ExecutionType::amendment;
  event.price = Price::of("97");
  tell(event);
  want(quotes({{"95", "3"}}));
  ASSERT_EQ(sent<model::AmendOrder>().size(), 1U);
  model::OrderAnswer late;
  late.outcome = Outcome::accepted;
  late.report = report(id, OrderStatus::fresh);
  late.report->price = Price::of("97");
  answer(first, late);
  EXPECT_EQ(state_of(id), OrderState::pending_amend);
  EXPECT_EQ(bid_exposure(), Qty::of("3"));
}

TEST_F(LifeCycle, an_amend_that_changes_nothing_is_true_already) {
  const auto id = rest(quotes({{"98"}})).at(0);
  want(quotes({{"97"}}));
  refuse(id_of(0), Refusal::no_change);
  EXPECT_EQ(state_of(id), OrderState::live);
  EXPECT_EQ(orders->best_live(eth, Side::bid), Price::of("97"));
}

TEST_F(LifeCycle, a_refused_amend_leaves_the_order_and_the_next_move_cancels) {
  const auto id = rest(quotes({{"98"}})).at(0);
  want(quotes({{"97"}}));
  refuse(id_of(0), Refusal::amend_failed);
  EXPECT_EQ(state_of(id), OrderState::live);
  EXPECT_EQ(orders->best_live(eth, Side::bid), Price::of("98"));
  want(quotes({{"97"}}));
  EXPECT_EQ(sent<model::CancelOrder>().at(0).id, id);
}

TEST_F(LifeCycle, an_amend_whose_outcome_is_lost_counts_at_its_worst_and_is_cancelled) {
  const auto id = rest(quotes({{"98"}})).at(0);
  want(quotes({{"97", "3"}}));
  lose(id_of(0));
  EXPECT_EQ(state_of(id), OrderState::unknown);
  EXPECT_EQ(bid_exposure(), Qty::of("3"));
  ASSERT_EQ(sent<model::CancelOrder>().size(), 1U);
  accept(id_of(0), id, OrderStatus::canceled);
  EXPECT_EQ(state_of(id), OrderState::done);
  EXPECT_EQ(bid_exposure(), Qty{});
}

TEST_F(LifeCycle, cancel_and_fill_race_and_the_larger_figure_wins) {
  const auto id = rest(quotes({{"98"}})).at(0);
  out.clear();
  orders->pull(eth, now, out);
  const auto cancel = id_of(0);
  tell(trade(id, OrderStatus::partially_filled, "0.4", 1, "0.4"));
  EXPECT_EQ(state_of(id), OrderState::pending_cancel);
  accept(cancel, id, OrderStatus::canceled, "0.7");
  EXPECT_EQ(state_of(id), OrderState::done);
  EXPECT_EQ(bid_exposure(), Qty::of("0.3")) << "filled, and not told as a trade yet";
  EXPECT_TRUE(orders->all_confirmed_gone(eth));
  tell(trade(id, OrderStatus::partially_filled, "0.7", 2, "0.3"));
  EXPECT_EQ(bid_exposure(), Qty{});
  EXPECT_EQ(orders->active_count(eth), 0);
}

TEST_F(LifeCycle, a_cancel_of_what_is_not_there_proves_nothing) {
  const auto id = rest(quotes({{"98"}})).at(0);
  out.clear();
  orders->pull(eth, now, out);
  refuse(id_of(0), Refusal::order_not_found);
  EXPECT_EQ(state_of(id), OrderState::unknown);
  EXPECT_EQ(bid_exposure(), Qty::of("1"));
  tell(trade(id, OrderStatus::filled, "1", 1, "1"));
  EXPECT_EQ(state_of(id), OrderState::done);
}

TEST_F(LifeCycle, an_unknown_status_is_asked_about) {
  const auto id = rest(quotes({{"98"}})).at(0);
  tell(update(id, OrderStatus::unknown));
  EXPECT_EQ(state_of(id), OrderState::unknown);
  later(base::milliseconds{200});
  EXPECT_EQ(sent<model::QueryOrder>().at(0).id, id);
}

TEST_F(LifeCycle, orders_the_venue_cancels_by_itself_are_believed_gone) {
  const auto id = rest(quotes({{"98"}})).at(0);
  tell(update(id, OrderStatus::canceled));
  EXPECT_EQ(state_of(id), OrderState::done);
  want(quotes({{"98"}}));
  EXPECT_EQ(sent<model::PlaceOrder>().size(), 1U);
}

// Unknown outcomes

TEST_F(UnknownOutcome, counts_as_live_keeps_its_place_and_is_never_sent_again) {
  const auto id = send_one();
  lose(place_request);
  EXPECT_EQ(state_of(id), OrderState::unknown);
  EXPECT_EQ(bid_exposure(), Qty::of("1"));
  want(quotes({{"98"}}));
  EXPECT_TRUE(out.empty());
  want(quotes({{"90"}}));
  EXPECT_TRUE(out.empty()) << "it may be resting: no second order for the same layer";
}

TEST_F(UnknownOutcome, is_queried_at_the_stated_times) {
  const auto id = send_one();
  lose(place_request);
  const base::LocalTime start_time = now;
  std::vector<std::int64_t> asked;
  while (orders->next_deadline() && now - start_time < base::seconds{12}) {
    now = *orders->next_deadline();
    out.clear();
    orders->expire(now, events, out);
    for (const auto& r : Requests{out}) {
      ASSERT_TRUE(std::holds_alternative<model::QueryOrder>(r.request));
      asked.push_back((now - start_time) / base::milliseconds{1});
      model::OrderAnswer nothing;
      nothing.outcome = Outcome::refused;
      nothing.refusal = Refusal::order_not_found;
      orders->on_answer(r.id, nothing, now, events, out);
    }
  }
  EXPECT_EQ(asked, (std::vector<std::int64_t>{200, 500, 1000, 2000, 5000, 10000, 12000}));
  EXPECT_EQ(state_of(id), OrderState::unknown) << "once is not enough";
}

TEST_F(UnknownOutcome, not_found_ends_it_only_twice_and_late) {
  const auto id = send_one();
  lose(place_request);
  const base::LocalTime start_time = now;
  while (state_of(id) != OrderState::done) {
    ASSERT_LT(now - start_time, base::seconds{14});
    now = *orders->next_deadline();
    out.clear();
    orders->expire(now, events, out);
    for (const auto& r : Requests{out}) refuse(r.id, Refusal::order_not_found);
  }
  EXPECT_EQ(now - start_time, base::seconds{13});
  EXPECT_EQ(told<OrderDone>().at(0).reason, DoneReason::absent);
  EXPECT_EQ(bid_exposure(), Qty{});
}

TEST_F(UnknownOutcome, is_ended_by_a_query_that_finds_it) {
  const auto id = send_one();
  lose(place_request);
  later(base::milliseconds{200});
  accept(id_of(0), id, OrderStatus::fresh);
  EXPECT_EQ(state_of(id), OrderState::live);
}

TEST_F(UnknownOutcome, is_ended_by_an_event) {
  const auto id = send_one();
  lose(place_request);
  tell(update(id, OrderStatus::fresh));
  EXPECT_EQ(state_of(id), OrderState::live);
}

TEST_F(UnknownOutcome, found_filled_asks_for_the_trades) {
  const auto id = send_one();
  lose(place_request);
  later(base::milliseconds{200});
  accept(id_of(0), id, OrderStatus::filled, "1");
  EXPECT_EQ(state_of(id), OrderState::done);
  EXPECT_EQ(bid_exposure(), Qty::of("1"));
  later(base::seconds{5});
  ASSERT_EQ(told<FillsMissing>().size(), 1U);
  orders->on_fill_report({.symbol = eth,
                          .trade_id = 9,
                          .order_id = told<FillsMissing>()[0].order_id,
                          .side = Side::bid,
                          .price = Price::of("98"),
                          .qty = Qty::of("1"),
                          .realized_pnl = {},
                          .commission = {},
                          .commission_asset = {}},
                         now, events);
  EXPECT_EQ(bid_exposure(), Qty{});
  EXPECT_EQ(told<Fill>().size(), 1U);
  EXPECT_EQ(told<Fill>()[0].id, id);
}

TEST_F(UnknownOutcome, a_duplicate_id_means_the_first_one_lives) {
  const auto id = send_one();
  refuse(place_request, Refusal::duplicate_id);
  EXPECT_EQ(state_of(id), OrderState::unknown);
  EXPECT_EQ(bid_exposure(), Qty::of("1"));
}

TEST_F(UnknownOutcome, a_slow_answer_makes_it_unknown_and_holds_everything_new) {
  const auto id = send_one();
  later(base::seconds{2});
  EXPECT_EQ(state_of(id), OrderState::unknown);
  want(quotes({{"98"}, {"97"}}));
  EXPECT_TRUE(sent<model::PlaceOrder>().empty());
  accept(place_request, id);
  EXPECT_EQ(state_of(id), OrderState::live);
  want(quotes({{"98"}, {"97"}}));
  EXPECT_EQ(sent<model::PlaceOrder>().size(), 1U);
}

TEST_F(UnknownOutcome, a_late_refusal_ends_it) {
  const auto id = send_one();
  later(base::seconds{3});
  refuse(place_request, Refusal::overloaded);
  EXPECT_EQ(state_of(id), OrderState::done);
}

// Pull

TEST_F(Pull, d24_cancels_everything_and_repeats_until_confirmed) {
  const auto ids = rest(quotes({{"98"}, {"97"}}, {{"102"}}));
  out.clear();
  orders->pull(eth, now, out);
  const Requests first = out;
  ASSERT_EQ(first.size(), 3U);
  for (const auto& r : first) EXPECT_EQ(r.lane, Lane::risk_cancel);
  EXPECT_FALSE(orders->all_confirmed_gone(eth));
  accept(first[0].id, std::get<model::CancelOrder>(first[0].request).id, OrderStatus::canceled);
  refuse(first[1].id, Refusal::overloaded);
  orders->pull(eth, now, out);
  EXPECT_TRUE(out.empty()) << "not at once again";
  later(base::milliseconds{200});
  ASSERT_EQ(sent<model::CancelOrder>().size(), 1U);
  accept(id_of(0), sent<model::CancelOrder>()[0].id, OrderStatus::canceled);
  later(base::seconds{2});  // the third was never answered
  ASSERT_EQ(sent<model::CancelOrder>().size(), 1U);
  accept(id_of(0), sent<model::CancelOrder>()[0].id, OrderStatus::canceled);
  EXPECT_TRUE(orders->all_confirmed_gone(eth));
  EXPECT_FALSE(orders->next_deadline() && *orders->next_deadline() < now);
}

TEST_F(Pull, reaches_an_order_whose_placement_is_not_answered) {
  const auto id = send_one();
  orders->pull(eth, now, out);
  const auto cancels = sent<model::CancelOrder>();
  ASSERT_EQ(cancels.size(), 1U);
  refuse(out.back().id, Refusal::order_not_found);  // it came before the order did
  EXPECT_NE(state_of(id), OrderState::done);
  accept(place_request, id);
  ASSERT_EQ(sent<model::CancelOrder>().size(), 1U) << "now it is there";
  accept(id_of(0), id, OrderStatus::canceled);
  EXPECT_TRUE(orders->all_confirmed_gone(eth));
}

TEST_F(Pull, cancels_an_unknown_order_by_its_id) {
  const auto id = send_one();
  lose(place_request);
  orders->pull(eth, now, out);
  ASSERT_EQ(sent<model::CancelOrder>().size(), 1U);
  EXPECT_EQ(sent<model::CancelOrder>()[0].id, id);
  EXPECT_FALSE(orders->all_confirmed_gone(eth));
}

TEST_F(Pull, is_never_held_by_the_cancel_budget) {
  start({}, {.cancels_per_minute = 1});
  rest(quotes({{"98"}, {"97"}, {"96"}}));
  out.clear();
  orders->pull(eth, now, out);
  EXPECT_EQ(out.size(), 3U);
}

// Post-only refusals

TEST_F(PostOnly, i10_waits_for_another_book_and_steps_out_a_tick) {
  send_one();
  refuse(place_request, Refusal::post_only_would_take);
  want(quotes({{"98"}}));
  EXPECT_TRUE(out.empty()) << "the same book";
  context.top.update_id = 2;
  want(quotes({{"98"}, {"97.99"}}));
  const auto places = sent<model::PlaceOrder>();
  ASSERT_EQ(places.size(), 2U);
  EXPECT_EQ(places[0].price, Price::of("97.99"));
  EXPECT_EQ(places[1].price, Price::of("97.98"));
  EXPECT_EQ(orders->counts().post_only_rejects, 1U);
}

TEST_F(PostOnly, five_in_a_second_pause_for_a_second) {
  for (int i = 0; i < 5; ++i) {
    context.top.update_id = 10 + i;
    want(quotes({{"98"}}));
    ASSERT_EQ(out.size(), 1U) << i;
    known.push_back(sent<model::PlaceOrder>()[0]);
    refuse(id_of(0), Refusal::post_only_would_take);
    now += base::milliseconds{10};
  }
  context.top.update_id = 20;
  want(quotes({{"98"}}));
  EXPECT_TRUE(out.empty());
  now += base::milliseconds{980};
  want(quotes({{"98"}}));
  EXPECT_TRUE(out.empty());
  now += base::milliseconds{20};
  want(quotes({{"98"}}));
  EXPECT_EQ(out.size(), 1U);
}

// Budgets

TEST_F(Budgets, i04_cancels_for_moves_are_bounded_per_minute_nearest_first) {
  start({.amend = AmendUse::never}, {.cancels_per_minute = 1});
  const auto ids = rest(quotes({{"98"}, {"96"}}, {{"101"}, {"104"}}));
  want(quotes({{"99.5"}, {"97.2"}}, {{"102.2"}, {"106"}}));
  ASSERT_EQ(sent<model::CancelOrder>().size(), 1U);
  EXPECT_EQ(sent<model::CancelOrder>()[0].id, ids[1]) << "the ask at 101 is the nearest to the mid";
  EXPECT_EQ(orders->counts().held_by_cancel_budget, 3U);
  EXPECT_TRUE(sent<model::PlaceOrder>().size() <= 1U) << "an order that waits keeps its place";
  accept(id_of(0), ids[1], OrderStatus::canceled);
  later(base::minutes{1});
  want(quotes({{"99.5"}, {"97.2"}}, {{"102.2"}, {"106"}}));
  EXPECT_EQ(sent<model::CancelOrder>().size(), 1U) << "quoting resumes without other input";
}

TEST_F(Budgets, never_more_orders_than_allowed_or_wanted) {
  start({.amend = AmendUse::never}, {.cancels_per_minute = 60, .orders_max = 3});
  want(quotes({{"98"}, {"97"}}, {{"102"}, {"103"}}));
  EXPECT_EQ(sent<model::PlaceOrder>().size(), 3U);
  EXPECT_EQ(orders->counts().held_by_orders_max, 1U);
}

TEST_F(Budgets, places_only_what_the_venue_has_room_for) {
  context.places_max = 2;
  want(quotes({{"98"}, {"97"}}, {{"102"}, {"103"}}));
  EXPECT_EQ(sent<model::PlaceOrder>().size(), 2U);
  EXPECT_EQ(orders->counts().held_by_rate, 2U);
}

TEST_F(Budgets, i21_lost_cancels_never_let_the_orders_pile_up) {
  start({.amend = AmendUse::never}, {.cancels_per_minute = 300, .orders_max = 10});
  context.room = {.bid = Qty::of("4"), .ask = {}};
  int price = 9800;
  for (int i = 0; i < 200; ++i) {
    price = price == 9800 ? 9700 : 9800;
    const std::string text = Price::from_raw(price * 1'000'000LL).text();
    want(quotes({{text.c_str()}}));
    for (const auto& r : Requests{out}) {
      if (const auto* p = std::get_if<model::PlaceOrder>(&r.request)) {
        known.push_back(*p);
        accept(r.id, p->id);
      }  // cancels are never answered
    }
    later(base::milliseconds{100});
    ASSERT_LE(orders->active_count(eth), 4);
    ASSERT_LE(bid_exposure(), Qty::of("4"));
  }
}

TEST_F(Budgets, i14_a_market_that_wanders_is_followed_within_the_cancel_budget) {
  // 1.5, then gaps of 1.5 * 1.75^n; the mid moves with a standard deviation of 0.5 a second, in steps of 100
  // ms.
  const std::array<std::int64_t, 7> distances{150, 300, 563, 1022, 1826, 3233, 5695};
  base::Rng rng{4};
  std::int64_t mid_milli = 3'000'000;
  context.room = {.bid = Qty::of("7"), .ask = Qty::of("7")};
  for (int step = 0; step < 6000; ++step) {
    now += base::milliseconds{100};
    mid_milli += rng.normal_milli() * 158 / 1000;
    const Price mid = Price::of("0.01") * (mid_milli / 10);
    context.top = {.bid = {mid - Price::of("0.01"), Qty::of("1")},
                   .ask = {mid + Price::of("0.01"), Qty::of("1")},
                   .update_id = step};
    model::Quotes wanted;
    for (const Side side : {Side::bid, Side::ask}) {
      for (std::size_t n = 0; n < distances.size(); ++n) {
        wanted.push_back({.side = side,
                          .layer = static_cast<std::uint16_t>(n),
                          .price = mid - Price::of("0.01") * (distances[n] * model::sign(side)),
                          .qty = Qty::of("1")});
      }
    }
    want(wanted);
    const Requests requests = out;
    for (const auto& r : requests) {
      model::OrderAnswer yes;
      yes.outcome = Outcome::accepted;
      if (const auto* c = std::get_if<model::CancelOrder>(&r.request)) {
        yes.report = model::OrderReport{};
        yes.report->id = c->id;
        yes.report->status = OrderStatus::canceled;
      }
      answer(r.id, yes);
    }
    events.clear();
    for (const Side side : {Side::bid, Side::ask}) {
      const auto best = orders->best_live(eth, side);
      ASSERT_TRUE(best);
      const std::int64_t off = (mid - *best).raw() * model::sign(side) / 1'000'000;
      ASSERT_GE(off * 4, 150 * 3) << "step " << step;
      ASSERT_LE(off * 2, 150 * 3) << "step " << step;
    }
    ASSERT_EQ(orders->active_count(eth), 14);
  }
  EXPECT_LT(orders->counts().cancels, 10U * 50U) << "in ten minutes";
  EXPECT_GT(orders->counts().amends, 100U);
}

// Fills

TEST_F(Fills, d08_come_once_each_however_often_they_are_told) {
  const auto id = rest(quotes({{"98"}})).at(0);
  const auto t = trade(id, OrderStatus::partially_filled, "0.4", 1, "0.4");
  tell(t);
  tell(t);
  EXPECT_EQ(told<Fill>().size(), 1U);
  EXPECT_EQ(bid_exposure(), Qty::of("0.6"));
  EXPECT_EQ(orders->counts().duplicate_trades, 1U);
}

TEST_F(Fills, a_hint_counts_the_trade_and_the_event_adds_its_money) {
  const auto id = rest(quotes({{"98"}})).at(0);
  orders->on_trade_lite({.symbol = eth,
                         .order_id = 1,
                         .trade_id = 1,
                         .client_text = id.text(),
                         .id = id,
                         .side = Side::bid,
                         .last_price = Price::of("98"),
                         .last_qty = Qty::of("0.4"),
                         .maker = true},
                        now, events);
  ASSERT_EQ(told<Fill>().size(), 1U);
  EXPECT_FALSE(told<Fill>()[0].money);
  EXPECT_EQ(bid_exposure(), Qty::of("0.6"));
  auto t = trade(id, OrderStatus::partially_filled, "0.4", 1, "0.4");
  t.realized_pnl = model::Money::of("2");
  tell(t);
  EXPECT_EQ(told<Fill>().size(), 1U);
  ASSERT_EQ(told<FillDetails>().size(), 1U);
  EXPECT_EQ(told<FillDetails>()[0].money.realized_pnl, model::Money::of("2"));
  EXPECT_EQ(bid_exposure(), Qty::of("0.6"));
}

TEST_F(Fills, of_somebody_else_are_told_as_such) {
  model::OrderUpdate u;
  u.symbol = eth;
  u.client_text = model::ClientText{"web_1"};
  u.status = OrderStatus::partially_filled;
  u.execution = model::ExecutionType::trade;
  u.price = u.last_price = Price::of("98");
  u.qty = Qty::of("5");
  u.filled_qty = u.last_qty = Qty::of("1");
  u.trade_id = 4;
  tell(u);
  ASSERT_EQ(told<Fill>().size(), 1U);
  EXPECT_FALSE(told<Fill>()[0].id);
  ASSERT_EQ(told<ForeignOrder>().size(), 1U);
  EXPECT_EQ(told<ForeignOrder>()[0].open_qty, Qty::of("4"));
  EXPECT_TRUE(out.empty());
}

// Reconciliation

TEST_F(Reconciliation, an_order_missing_from_the_list_is_asked_about_not_dropped) {
  const auto id = rest(quotes({{"98"}})).at(0);
  out.clear();
  orders->on_open_orders(eth, {}, now, now, events, out);
  EXPECT_EQ(state_of(id), OrderState::live) << "acknowledged when the list was asked for, not before";
  now += base::seconds{1};
  orders->on_open_orders(eth, {}, now, now, events, out);
  EXPECT_EQ(state_of(id), OrderState::unknown);
  EXPECT_EQ(bid_exposure(), Qty::of("1"));
  later(base::milliseconds{200});
  accept(id_of(0), id, OrderStatus::canceled);
  EXPECT_EQ(state_of(id), OrderState::done);
}

TEST_F(Reconciliation, a_listed_order_is_evidence) {
  const auto id = send_one();
  lose(place_request);
  const auto listed = report(id, OrderStatus::partially_filled, "0.3");
  orders->on_open_orders(eth, {&listed, 1}, now, now, events, out);
  EXPECT_EQ(state_of(id), OrderState::live);
  std::vector<OrderView> views;
  orders->view(eth, views);
  EXPECT_EQ(views[0].filled_qty, Qty::of("0.3"));
  EXPECT_EQ(bid_exposure(), Qty::of("1")) << "no trade was told";
}

TEST_F(Reconciliation, a_trade_told_before_its_order_is_met_leaves_nothing_to_wait_for) {
  const ClientOrderId id{.epoch = epoch - 1, .counter = 78};
  orders->on_trade_lite({.symbol = eth,
                         .order_id = 9,
                         .trade_id = 5,
                         .client_text = id.text(),
                         .id = id,
                         .side = Side::bid,
                         .last_price = Price::of("100"),
                         .last_qty = Qty::of("3"),
                         .maker = false},
                        now, events);
  model::OrderUpdate order;
  order.symbol = eth;
  order.order_id = 9;
  order.id = id;
  order.side = Side::bid;
  order.status = OrderStatus::fresh;
  order.price = Price::of("100");
  order.qty = Qty::of("3");
  tell(order);
  EXPECT_EQ(bid_exposure(), Qty::of("3"));
  order.status = OrderStatus::filled;
  order.filled_qty = order.last_qty = order.qty;
  order.last_price = order.price;
  order.trade_id = 5;
  tell(order);
  EXPECT_EQ(bid_exposure(), Qty{});
  EXPECT_TRUE(orders->all_confirmed_gone(eth));
}

TEST_F(Reconciliation, a_fill_that_an_order_was_met_with_is_not_its_fill_twice) {
  const ClientOrderId id{.epoch = epoch - 1, .counter = 79};
  orders->on_trade_lite({.symbol = eth,
                         .order_id = 9,
                         .trade_id = 6,
                         .client_text = id.text(),
                         .id = id,
                         .side = Side::bid,
                         .last_price = Price::of("100"),
                         .last_qty = Qty::of("1"),
                         .maker = true},
                        now, events);
  model::OrderReport met;
  met.symbol = eth;
  met.order_id = 9;
  met.id = id;
  met.side = Side::bid;
  met.status = OrderStatus::partially_filled;
  met.price = Price::of("100");
  met.qty = Qty::of("3");
  met.filled_qty = Qty::of("1");
  orders->on_open_orders(eth, {&met, 1}, now, now, events, out);
  EXPECT_EQ(bid_exposure(), Qty::of("2"));
  model::OrderUpdate late;
  late.symbol = eth;
  late.order_id = 9;
  late.id = id;
  late.side = Side::bid;
  late.status = OrderStatus::partially_filled;
  late.price = late.last_price = met.price;
  late.qty = met.qty;
  late.filled_qty = late.last_qty = met.filled_qty;
  late.trade_id = 6;
  tell(late);
  EXPECT_EQ(bid_exposure(), Qty::of("2"));
  late.trade_id = 7;
  late.filled_qty = Qty::of("2");
  tell(late);
  ASSERT_EQ(told<Fill>().size(), 2U);
  for (const auto& fill : told<Fill>()) EXPECT_FALSE(fill.order_sent_at) << "another run sent it";
}

TEST_F(Reconciliation, d14_orders_of_an_earlier_run_are_cancelled_and_counted) {
  model::OrderReport old;
  old.symbol = eth;
  old.id = ClientOrderId{.epoch = epoch - 1, .counter = 77};
  old.client_text = old.id->text();
  old.side = Side::ask;
  old.status = OrderStatus::partially_filled;
  old.price = Price::of("105");
  old.qty = Qty::of("3");
  old.filled_qty = Qty::of("1");
  orders->on_open_orders(eth, {&old, 1}, now, now, events, out);
  ASSERT_EQ(sent<model::CancelOrder>().size(), 1U);
  EXPECT_EQ(sent<model::CancelOrder>()[0].id, *old.id);
  EXPECT_EQ(orders->exposure(eth).ask, Qty::of("2"));
  EXPECT_FALSE(orders->all_confirmed_gone(eth));
  model::OrderUpdate gone;
  gone.symbol = eth;
  gone.id = old.id;
  gone.side = Side::ask;
  gone.status = OrderStatus::canceled;
  gone.price = old.price;
  gone.qty = old.qty;
  gone.filled_qty = old.filled_qty;
  tell(gone);
  EXPECT_TRUE(orders->all_confirmed_gone(eth));
}

TEST_F(Reconciliation, foreign_orders_are_reported_and_never_touched) {
  std::array<model::OrderReport, 2> others;
  others[0].client_text = model::ClientText{"web_1"};
  others[1].id = ClientOrderId{.epoch = epoch + 1, .counter = 5};  // a later run of ours is not ours to touch
  others[1].client_text = others[1].id->text();
  for (auto& r : others) {
    r.symbol = eth;
    r.status = OrderStatus::fresh;
    r.price = Price::of("90");
    r.qty = Qty::of("1");
  }
  orders->on_open_orders(eth, others, now, now, events, out);
  orders->pull(eth, now, out);
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(told<ForeignOrder>().size(), 2U);
  EXPECT_EQ(orders->exposure(eth), model::SideQty{});
}

TEST_F(Reconciliation, a_lagging_list_revives_nothing_but_a_late_one_does) {
  const auto id = rest(quotes({{"98"}})).at(0);
  const auto listed = report(id, OrderStatus::fresh);
  tell(update(id, OrderStatus::canceled));
  out.clear();
  orders->on_open_orders(eth, {&listed, 1}, now, now, events, out);
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(orders->active_count(eth), 0);
  now += base::seconds{11};
  orders->on_open_orders(eth, {&listed, 1}, now, now, events, out);
  ASSERT_EQ(sent<model::CancelOrder>().size(), 1U);
  EXPECT_EQ(orders->active_count(eth), 1);
}

// Takes

class Taking : public Desk {
 protected:
  /// Sells 0.5 at 99.90 or better, at once.
  ClientOrderId take_half() {
    out.clear();
    EXPECT_TRUE(orders->take(eth, Side::ask, Qty::of("0.5"), Price::of("99.90"), now, out));
    known.push_back(sent<model::PlaceOrder>().back());
    place_request = out.back().id;
    return known.back().id;
  }
  bool take_again() { return orders->take(eth, Side::ask, Qty::of("0.5"), Price::of("99.90"), now, out); }
  Qty ask_exposure() const { return orders->exposure(eth).ask; }
};

TEST_F(Taking, sends_one_immediate_order_that_only_reduces) {
  const auto id = take_half();
  ASSERT_EQ(out.size(), 1U);
  const auto p = sent<model::PlaceOrder>().at(0);
  EXPECT_EQ(p.side, Side::ask);
  EXPECT_EQ(p.price, Price::of("99.90"));
  EXPECT_EQ(p.qty, Qty::of("0.5"));
  EXPECT_EQ(p.time_in_force, model::TimeInForce::ioc);
  EXPECT_EQ(p.intent, model::Intent::reduce_only);
  EXPECT_EQ(out[0].lane, Lane::risk_cancel);
  EXPECT_EQ(ask_exposure(), Qty::of("0.5"));
  EXPECT_TRUE(orders->is_taking(eth));
  EXPECT_FALSE(take_again()) << "one at a time";
  EXPECT_EQ(out.size(), 1U);
  EXPECT_EQ(orders->counts().takes, 1U);
  accept(place_request, id, OrderStatus::filled, "0.5");
  tell(trade(id, OrderStatus::filled, "0.5", 7, "0.5"));
  EXPECT_FALSE(orders->is_taking(eth));
  EXPECT_EQ(ask_exposure(), Qty{});
  const auto done = told<OrderDone>();
  ASSERT_EQ(done.size(), 1U);
  EXPECT_TRUE(done[0].took);
  EXPECT_EQ(done[0].taken_max, Qty::of("0.5"));
  EXPECT_EQ(done[0].filled_qty, Qty::of("0.5"));
  EXPECT_TRUE(take_again());
}

TEST_F(Taking, nothing_is_taken_for_nothing) {
  EXPECT_FALSE(orders->take(eth, Side::ask, Qty{}, Price::of("99"), now, out));
  EXPECT_FALSE(orders->take(eth, Side::ask, Qty::of("-1"), Price::of("99"), now, out));
  EXPECT_FALSE(orders->take(eth, Side::ask, Qty::of("1"), Price{}, now, out));
  EXPECT_TRUE(out.empty());
}

TEST_F(Taking, never_meets_an_order_of_our_own) {
  const auto ids = rest(quotes({{"99.95"}, {"99.90"}, {"99.89"}}, {{"100.05"}}));
  take_half();
  const auto cancels = sent<model::CancelOrder>();
  ASSERT_EQ(cancels.size(), 2U);
  EXPECT_EQ(cancels[0].id, ids[0]);
  EXPECT_EQ(cancels[1].id, ids[2]) << "at 99.90, placed third: after the ask";
  EXPECT_TRUE(std::holds_alternative<model::PlaceOrder>(out[2].request)) << "the cancels go first";
  EXPECT_EQ(out[0].lane, Lane::risk_cancel);
}

TEST_F(Taking, is_no_part_of_the_ladder) {
  const auto id = take_half();
  for (const char* price : {"100.05", "101", "99.90"}) {
    want(quotes({}, {{price}}));
    EXPECT_TRUE(sent<model::CancelOrder>().empty());
    EXPECT_TRUE(sent<model::AmendOrder>().empty());
  }
  EXPECT_EQ(orders->active_count(eth), 2) << "the layer was placed beside it";
  accept(place_request, id);
  EXPECT_EQ(orders->live_count(eth), 0);
  EXPECT_FALSE(orders->best_live(eth, Side::ask));
  std::vector<OrderView> views;
  orders->view(eth, views);
  EXPECT_EQ(std::count_if(views.begin(), views.end(), [](const OrderView& v) { return v.takes; }), 1);
  want({});
  EXPECT_TRUE(sent<model::CancelOrder>().empty() || sent<model::CancelOrder>().at(0).id != id);
}

TEST_F(Taking, counts_in_the_room_of_its_side) {
  const auto ids = rest(quotes({}, {{"101"}, {"102"}}));
  take_half();
  context.room.ask = Qty::of("2");
  want(quotes({}, {{"101"}, {"102"}}));
  const auto cancels = sent<model::CancelOrder>();
  ASSERT_EQ(cancels.size(), 1U) << "0.5 and 1 and 1 are more than 2";
  EXPECT_EQ(cancels[0].id, ids[1]);
  EXPECT_EQ(out[0].lane, Lane::risk_cancel);
}

TEST_F(Taking, pull_cancels_it_too) {
  const auto id = take_half();
  out.clear();
  orders->pull(eth, now, out);
  ASSERT_EQ(sent<model::CancelOrder>().size(), 1U);
  EXPECT_EQ(sent<model::CancelOrder>()[0].id, id);
  EXPECT_FALSE(orders->all_confirmed_gone(eth));
  tell(update(id, OrderStatus::expired));
  EXPECT_TRUE(orders->all_confirmed_gone(eth));
}

TEST_F(Taking, nothing_to_reduce_ends_it_quietly) {
  take_half();
  refuse(place_request, Refusal::reduce_only);
  EXPECT_TRUE(told<Rejected>().empty());
  ASSERT_EQ(told<OrderDone>().size(), 1U);
  EXPECT_TRUE(told<OrderDone>()[0].took);
  EXPECT_EQ(orders->counts().refusals, 0U);
  want(quotes({{"98"}}));
  EXPECT_EQ(sent<model::PlaceOrder>().size(), 1U) << "the ladder does not pause for it";
}

TEST_F(Taking, any_other_refusal_is_told) {
  take_half();
  refuse(place_request, Refusal::margin);
  EXPECT_EQ(told<Rejected>().size(), 1U);
  EXPECT_EQ(told<OrderDone>().size(), 1U);
  EXPECT_FALSE(orders->is_taking(eth));
}

TEST_F(Taking, that_its_rest_expires_is_no_post_only_refusal) {
  const auto id = take_half();
  accept(place_request, id, OrderStatus::expired);
  EXPECT_FALSE(orders->is_taking(eth));
  EXPECT_EQ(orders->counts().post_only_rejects, 0U);
  want(quotes({}, {{"100.02"}}));
  EXPECT_EQ(sent<model::PlaceOrder>().at(0).price, Price::of("100.02"));
}

TEST_F(Taking, a_part_that_filled_counts_and_the_rest_is_gone) {
  const auto id = take_half();
  tell(trade(id, OrderStatus::partially_filled, "0.2", 9, "0.2"));
  EXPECT_EQ(ask_exposure(), Qty::of("0.3"));
  tell(update(id, OrderStatus::expired, "0.2"));
  EXPECT_EQ(ask_exposure(), Qty{});
  EXPECT_EQ(told<OrderDone>().at(0).filled_qty, Qty::of("0.2"));
  EXPECT_EQ(told<Fill>().size(), 1U);
}

TEST_F(Taking, while_its_outcome_is_unknown_no_other_is_sent) {
  const auto id = take_half();
  lose(place_request);
  EXPECT_EQ(state_of(id), OrderState::unknown);
  EXPECT_EQ(ask_exposure(), Qty::of("0.5"));
  EXPECT_FALSE(take_again());
  later(base::milliseconds{200});
  ASSERT_EQ(sent<model::QueryOrder>().size(), 1U);
  accept(id_of(0), id, OrderStatus::expired);
  EXPECT_FALSE(orders->is_taking(eth));
  EXPECT_TRUE(take_again());
}

TEST_F(Taking, one_that_never_left_is_over) {
  take_half();
  lose(place_request, Lost::not_sent);
  EXPECT_FALSE(orders->is_taking(eth));
  EXPECT_EQ(told<OrderDone>().at(0).reason, DoneReason::not_sent);
}

TEST_F(Taking, an_end_that_is_not_told_is_asked_for) {
  const auto id = take_half();
  accept(place_request, id);
  EXPECT_EQ(state_of(id), OrderState::live);
  ASSERT_TRUE(orders->next_deadline());
  EXPECT_EQ(*orders->next_deadline(), now + base::seconds{2});
  later(base::seconds{2});
  EXPECT_EQ(state_of(id), OrderState::unknown);
  later(base::milliseconds{200});
  ASSERT_EQ(sent<model::QueryOrder>().size(), 1U);
  // A venue that says it rests is asked again, no faster than before.
  accept(id_of(0), id);
  // Another order of unknown outcome keeps the clock of this one ticking.
  send_one();
  lose(place_request);
  int queries = 0;
  for (int n = 0; n < 1000; ++n) {
    later(base::milliseconds{10});
    const Requests requests = out;
    for (const auto& r : requests) {
      const auto* q = std::get_if<model::QueryOrder>(&r.request);
      if (q == nullptr || q->id != id) continue;
      ++queries;
      accept(r.id, id);
    }
  }
  EXPECT_GE(queries, 4);
  EXPECT_LE(queries, 5);
}

}  // namespace
}  // namespace phoenix::order
