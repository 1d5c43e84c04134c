#include "exchange/core.hpp"

#include "base/rng.hpp"
#include "exchange/core_test_kit.hpp"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace phoenix::exchange::test {
namespace {

template <class T>
int code(const Core::Answer<T>& answer) {
  return answer ? 0 : answer.error().code;
}

// ---- Time in force

TEST(CoreOrders, a_passive_order_rests_and_is_announced_with_its_notional) {
  World w;
  const auto order = w.limit(alice, Side::bid, "99", "2");
  ASSERT_TRUE(order);
  EXPECT_EQ(order->status, OrderStatus::fresh);
  const auto events = w.all<OrderEvent>();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].execution, ExecutionType::fresh);
  EXPECT_EQ(events[0].bids_notional, Money::of("198"));
  EXPECT_EQ(w.core.depth(symbol, 5).bids, (std::vector<Level>{{Price::of("99"), Qty::of("2")}}));
  EXPECT_EQ(w.all<TopChange>().size(), 1u);
}

TEST(CoreOrders, a_crossing_order_trades_at_the_makers_price_and_rests_with_what_is_left) {
  World w;
  const auto maker = w.limit(alice, Side::ask, "100", "1");
  const auto taker = w.limit(bob, Side::bid, "101", "3");
  ASSERT_TRUE(taker);
  EXPECT_EQ(taker->status, OrderStatus::partially_filled);
  EXPECT_EQ(taker->average_price(), Price::of("100"));
  EXPECT_EQ(w.order(*maker).status, OrderStatus::filled);
  EXPECT_EQ(w.core.depth(symbol, 5).bids, (std::vector<Level>{{Price::of("101"), Qty::of("2")}}));
  const auto prints = w.all<TradePrint>();
  ASSERT_EQ(prints.size(), 1u);
  EXPECT_EQ(prints[0].aggressor, Side::bid);
  EXPECT_EQ(prints[0].maker_order, maker->id);
  EXPECT_EQ(prints[0].taker_order, taker->id);
  EXPECT_EQ(w.core.position(alice, symbol).qty, Qty::of("-1"));
  EXPECT_EQ(w.core.position(bob, symbol).qty, Qty::of("1"));
}

TEST(CoreOrders, each_fill_sends_the_account_before_the_order) {
  World w;
  w.limit(alice, Side::ask, "100", "1").value();
  w.limit(bob, Side::bid, "100", "1").value();
  std::vector<std::string> order;
  for (const CoreEvent& event : w.events) {
    if (const auto* a = std::get_if<AccountEvent>(&event))
      order.push_back("account" + std::to_string(a->account.index));
    if (const auto* o = std::get_if<OrderEvent>(&event))
      order.push_back("order" + std::to_string(o->order.account.index));
  }
  EXPECT_EQ(order, (std::vector<std::string>{"order2", "account1", "order1", "account2", "order2"}));
  const auto fill = w.all<OrderEvent>().back();
  EXPECT_EQ(fill.execution, ExecutionType::trade);
  EXPECT_EQ(fill.commission, Money::of("0.04"));
  EXPECT_FALSE(fill.maker);
}

TEST(CoreOrders, ioc_expires_with_what_it_could_not_fill) {
  World w;
  w.limit(alice, Side::ask, "100", "1").value();
  const auto order = w.limit(bob, Side::bid, "100", "3", TimeInForce::ioc);
  ASSERT_TRUE(order);
  EXPECT_EQ(order->status, OrderStatus::expired);
  EXPECT_EQ(order->filled, Qty::of("1"));
  EXPECT_EQ(w.all<OrderEvent>().back().expiry, ExpiryReason::ioc_rest);
  EXPECT_TRUE(w.core.depth(symbol, 5).bids.empty());
}

TEST(CoreOrders, fok_fills_as_a_whole_or_is_refused) {
  World w;
  w.limit(alice, Side::ask, "100", "1").value();
  w.limit(carol, Side::ask, "100.5", "1").value();
  EXPECT_EQ(code(w.limit(bob, Side::bid, "100", "2", TimeInForce::fok)), -5021);
  EXPECT_TRUE(w.events.empty());
  const auto order = w.limit(bob, Side::bid, "100.5", "2", TimeInForce::fok);
  ASSERT_TRUE(order);
  EXPECT_EQ(order->status, OrderStatus::filled);
}

TEST(CoreOrders, fok_does_not_count_on_reduce_only_orders) {
  World w;
  w.limit(carol, Side::ask, "100", "1").value();
  w.limit(alice, Side::bid, "100", "1").value();
  ASSERT_TRUE(w.reduce(alice, Side::ask, "101", "1"));
  EXPECT_EQ(code(w.limit(bob, Side::bid, "101", "1", TimeInForce::fok)), -5021);
}

TEST(CoreOrders, gtx_that_would_take_is_refused_and_leaves_no_trace) {
  World w;
  w.limit(alice, Side::ask, "100", "1").value();
  EXPECT_EQ(code(w.limit(bob, Side::bid, "100", "1", TimeInForce::gtx)), -5022);
  EXPECT_TRUE(w.events.empty());
  EXPECT_TRUE(w.core.orders(bob, {}, 0, {}, w.now, 10).empty());
  EXPECT_TRUE(w.limit(bob, Side::bid, "99.9", "1", TimeInForce::gtx));
}

TEST(CoreOrders, a_market_order_sweeps_levels_up_to_the_collar_and_expires_with_the_rest) {
  World w;
  w.limit(alice, Side::bid, "99", "1").value();
  w.limit(alice, Side::ask, "101", "1").value();
  w.limit(alice, Side::ask, "104", "1").value();
  w.limit(alice, Side::ask, "106", "1").value();
  const auto order = w.market(bob, Side::bid, "3");
  ASSERT_TRUE(order);
  EXPECT_EQ(order->status, OrderStatus::expired);
  EXPECT_EQ(order->filled, Qty::of("2"));
  EXPECT_EQ(order->average_price(), Price::of("102.5"));
  EXPECT_EQ(w.all<OrderEvent>().back().expiry, ExpiryReason::market_rest);
}

TEST(CoreOrders, a_market_order_without_a_counterparty_is_refused) {
  World w;
  EXPECT_EQ(code(w.market(bob, Side::bid, "1")), -4131);
  w.limit(alice, Side::ask, "106", "1").value();
  EXPECT_EQ(code(w.market(bob, Side::bid, "1")), -4131);
}

// ---- Refusals

TEST(CoreRefusals, carry_the_venues_codes) {
  World w;
  const auto with = [&](auto change) {
    PlaceRequest request{.symbol = symbol, .qty = Qty::of("1"), .price = Price::of("99")};
    change(request);
    return code(w.place(alice, request));
  };
  EXPECT_EQ(with([](PlaceRequest& r) { r.symbol = SymbolId{9}; }), -1121);
  EXPECT_EQ(with([](PlaceRequest& r) { r.type = OrderType::other; }), -1116);
  EXPECT_EQ(with([](PlaceRequest& r) { r.time_in_force = TimeInForce::other; }), -1115);
  EXPECT_EQ(with([](PlaceRequest& r) { r.price = Price::of("99.95"); }), -4014);
  EXPECT_EQ(with([](PlaceRequest& r) { r.price = Price::of("99.955"); }), -1111);
  EXPECT_EQ(with([](PlaceRequest& r) { r.qty = Qty{}; }), -4003);
  EXPECT_EQ(with([](PlaceRequest& r) { r.qty = Qty::of("1.005"); }), -4023);
  EXPECT_EQ(with([](PlaceRequest& r) { r.price = Price::of("105.1"); }), -4016);
  EXPECT_EQ(with([](PlaceRequest& r) { r.qty = Qty::of("0.05"); }), -4164);
  EXPECT_EQ(with([](PlaceRequest& r) { r.client_id = "no blanks"; }), -4015);
  EXPECT_EQ(with([](PlaceRequest& r) { r.intent = Intent::reduce_only; }), -2022);
  EXPECT_TRUE(w.events.empty());
  EXPECT_EQ(with([](PlaceRequest&) {}), 0);
}

TEST(CoreRefusals, the_text_of_the_minimum_notional_names_it) {
  World w;
  const auto refused = w.limit(alice, Side::bid, "99", "0.05");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "Order's notional must be no smaller than 5 (unless you choose reduce only).");
}

TEST(CoreRefusals, a_client_id_is_unique_among_the_accounts_open_orders_only) {
  World w;
  PlaceRequest request{.symbol = symbol, .qty = Qty::of("1"), .price = Price::of("99"), .client_id = "a"};
  const auto first = w.place(alice, request);
  ASSERT_TRUE(first);
  EXPECT_EQ(code(w.place(alice, request)), -4116);
  EXPECT_TRUE(w.place(bob, request));
  ASSERT_TRUE(w.cancel(alice, first->id));
  EXPECT_TRUE(w.place(alice, request));
}

TEST(CoreRefusals, the_number_of_open_orders_is_bounded) {
  CoreOptions options = quiet_options();
  options.symbols[0].filters.orders_max = 2;
  World w{options};
  ASSERT_TRUE(w.limit(alice, Side::bid, "98", "1"));
  ASSERT_TRUE(w.limit(alice, Side::bid, "98", "1"));
  EXPECT_EQ(code(w.limit(alice, Side::bid, "98", "1")), -2025);
}

TEST(CoreRefusals, a_symbol_that_does_not_trade_takes_no_orders_but_lets_them_be_cancelled) {
  World w;
  const auto order = w.limit(alice, Side::bid, "98", "1");
  w.core.set_symbol_status(symbol, SymbolStatus::halted);
  EXPECT_EQ(code(w.limit(alice, Side::bid, "98", "1")), -4140);
  EXPECT_EQ(code(w.amend(alice, *order, "97", "1")), -5024);
  EXPECT_TRUE(w.cancel(alice, order->id));
}

TEST(CoreRefusals, new_filters_hold_for_new_orders) {
  World w;
  Filters filters = w.core.spec(symbol).filters;
  filters.tick_size = filters.price_min = Price::of("0.5");
  ASSERT_TRUE(w.limit(alice, Side::bid, "98.1", "1"));
  w.core.set_filters(symbol, filters);
  EXPECT_EQ(code(w.limit(alice, Side::bid, "98.1", "1")), -4014);
  EXPECT_EQ(w.core.open_orders(alice).size(), 1u);
}

// ---- Self-trade prevention

struct StpRow {
  StpMode mode;
  OrderStatus maker, taker;
  const char* taker_filled;
  ExpiryReason reason;
};
class SelfTrade : public testing::TestWithParam<StpRow> {};

TEST_P(SelfTrade, is_prevented_by_the_takers_mode) {
  const StpRow& row = GetParam();
  World w;
  const auto own = w.limit(alice, Side::ask, "100", "1");
  w.limit(bob, Side::ask, "100.5", "1").value();
  const auto taker = w.limit(alice, Side::bid, "100.5", "2", TimeInForce::gtc, row.mode);
  ASSERT_TRUE(taker);
  EXPECT_EQ(w.order(*own).status, row.maker);
  EXPECT_EQ(taker->status, row.taker);
  EXPECT_EQ(taker->filled, Qty::of(row.taker_filled));
  ExpiryReason reason = ExpiryReason::none;
  for (const auto& event : w.all<OrderEvent>()) {
    if (event.execution == ExecutionType::expired) reason = event.expiry;
  }
  EXPECT_EQ(reason, row.reason);
}

INSTANTIATE_TEST_SUITE_P(Modes, SelfTrade,
                         testing::Values(StpRow{StpMode::expire_maker, OrderStatus::expired_in_match,
                                                OrderStatus::partially_filled, "1", ExpiryReason::self_trade},
                                         StpRow{StpMode::expire_taker, OrderStatus::fresh,
                                                OrderStatus::expired_in_match, "0", ExpiryReason::self_trade},
                                         StpRow{StpMode::expire_both, OrderStatus::expired_in_match,
                                                OrderStatus::expired_in_match, "0", ExpiryReason::self_trade},
                                         StpRow{StpMode::none, OrderStatus::filled, OrderStatus::filled, "2",
                                                ExpiryReason::none}));

TEST(SelfTrades, the_rest_of_an_ioc_says_that_prevention_ended_it) {
  World w;
  w.limit(alice, Side::ask, "100", "1").value();
  w.limit(alice, Side::bid, "100", "1", TimeInForce::ioc, StpMode::expire_taker).value();
  EXPECT_EQ(w.all<OrderEvent>().back().expiry, ExpiryReason::ioc_rest_self_trade);
}

TEST(SelfTrades, between_accounts_are_trades) {
  World w;
  w.limit(alice, Side::ask, "100", "1").value();
  EXPECT_EQ(w.limit(bob, Side::bid, "100", "1")->status, OrderStatus::filled);
}

// ---- Reduce only

TEST(ReduceOnly, needs_a_position_to_reduce_and_never_more_than_it) {
  World w;
  w.limit(alice, Side::ask, "100", "3").value();
  w.limit(bob, Side::bid, "100", "3").value();
  EXPECT_EQ(code(w.reduce(bob, Side::bid, "99", "1")), -2022);
  EXPECT_EQ(code(w.reduce(bob, Side::ask, "101", "3.01")), -2022);
  EXPECT_TRUE(w.reduce(bob, Side::ask, "101", "2"));
  EXPECT_EQ(code(w.reduce(bob, Side::ask, "102", "1.01")), -2022);
  EXPECT_TRUE(w.reduce(bob, Side::ask, "102", "1"));
}

TEST(ReduceOnly, is_exempt_from_the_minimum_notional) {
  World w;
  w.limit(alice, Side::ask, "100", "1").value();
  w.limit(bob, Side::bid, "100", "1").value();
  EXPECT_TRUE(w.reduce(bob, Side::ask, "101", "0.01"));
}

TEST(ReduceOnly, orders_beyond_a_shrunk_position_are_knocked_out_worst_price_first) {
  World w;
  w.limit(alice, Side::ask, "100", "3").value();
  w.limit(bob, Side::bid, "100", "3").value();
  const auto near = w.reduce(bob, Side::ask, "101", "1");
  const auto far = w.reduce(bob, Side::ask, "103", "1");
  const auto middle = w.reduce(bob, Side::ask, "102", "1");
  w.limit(alice, Side::bid, "100", "1.5").value();
  ASSERT_TRUE(w.limit(bob, Side::ask, "100", "1.5"));
  EXPECT_EQ(w.order(*far).status, OrderStatus::expired);
  EXPECT_EQ(w.order(*middle).status, OrderStatus::expired);
  EXPECT_EQ(w.order(*near).status, OrderStatus::fresh);
  std::vector<std::int64_t> knocked_out;
  for (const auto& event : w.all<OrderEvent>()) {
    if (event.expiry == ExpiryReason::reduce_only) knocked_out.push_back(event.order.id);
  }
  EXPECT_EQ(knocked_out, (std::vector<std::int64_t>{far->id, middle->id}));
}

TEST(ReduceOnly, does_not_turn_the_position_round_inside_one_sweep) {
  World w;
  w.limit(alice, Side::ask, "100", "2").value();
  w.limit(bob, Side::bid, "100", "2").value();
  w.limit(bob, Side::ask, "101", "2").value();
  w.reduce(bob, Side::ask, "102", "2").value();
  ASSERT_TRUE(w.limit(carol, Side::bid, "102", "4"));
  EXPECT_TRUE(w.core.position(bob, symbol).qty.is_zero());
  EXPECT_EQ(w.core.position(carol, symbol).qty, Qty::of("2"));
}

TEST(ReduceOnly, a_market_order_closes_the_position) {
  World w;
  w.limit(alice, Side::ask, "100", "2").value();
  w.limit(bob, Side::bid, "100", "2").value();
  w.limit(alice, Side::bid, "99", "5").value();
  EXPECT_EQ(w.market(bob, Side::ask, "2", Intent::reduce_only)->status, OrderStatus::filled);
  EXPECT_TRUE(w.core.position(bob, symbol).qty.is_zero());
}

// ---- Amend

TEST(Amend, always_loses_the_queue_place) {
  World w;
  const auto first = w.limit(alice, Side::bid, "99", "2");
  w.limit(bob, Side::bid, "99", "1").value();
  ASSERT_TRUE(w.amend(alice, *first, "99", "1"));
  w.limit(carol, Side::ask, "99", "1").value();
  EXPECT_EQ(w.core.position(alice, symbol).qty, Qty{});
  EXPECT_EQ(w.core.position(bob, symbol).qty, Qty::of("1"));
}

TEST(Amend, takes_the_total_quantity_and_keeps_what_is_filled) {
  World w;
  const auto order = w.limit(alice, Side::bid, "99", "3");
  w.limit(bob, Side::ask, "99", "1").value();
  const auto amended = w.amend(alice, *order, "98.5", "2");
  ASSERT_TRUE(amended);
  EXPECT_EQ(amended->left(), Qty::of("1"));
  EXPECT_EQ(amended->status, OrderStatus::partially_filled);
  EXPECT_EQ(amended->client_text, order->client_text);
  EXPECT_EQ(w.core.depth(symbol, 1).bids, (std::vector<Level>{{Price::of("98.5"), Qty::of("1")}}));
  const auto event = w.all<OrderEvent>().front();
  EXPECT_EQ(event.execution, ExecutionType::amendment);
  EXPECT_EQ(event.bids_notional, Money::of("98.5"));
}

TEST(Amend, to_no_more_than_is_filled_cancels) {
  World w;
  const auto order = w.limit(alice, Side::bid, "99", "3");
  w.limit(bob, Side::ask, "99", "1").value();
  const auto amended = w.amend(alice, *order, "99", "1");
  ASSERT_TRUE(amended);
  EXPECT_EQ(amended->status, OrderStatus::canceled);
  EXPECT_EQ(w.all<OrderEvent>().back().execution, ExecutionType::canceled);
  EXPECT_TRUE(w.core.open_orders(alice).empty());
}

TEST(Amend, of_a_gtx_order_to_a_crossing_price_cancels) {
  World w;
  w.limit(bob, Side::ask, "100", "1").value();
  const auto order = w.limit(alice, Side::bid, "99", "1", TimeInForce::gtx);
  EXPECT_EQ(w.amend(alice, *order, "100", "1")->status, OrderStatus::canceled);
  EXPECT_TRUE(w.all<TradePrint>().empty());
}

TEST(Amend, of_a_gtc_order_to_a_crossing_price_trades_even_with_itself) {
  World w;
  w.limit(alice, Side::ask, "100", "1").value();
  const auto order = w.limit(alice, Side::bid, "99", "1");
  EXPECT_EQ(order->stp, StpMode::expire_maker);
  const auto amended = w.amend(alice, *order, "100", "1");
  ASSERT_TRUE(amended);
  EXPECT_EQ(amended->stp, StpMode::none);
  EXPECT_EQ(amended->status, OrderStatus::filled);
  EXPECT_EQ(w.all<TradePrint>().size(), 1u);
}

TEST(Amend, refusals_leave_the_order_as_it_was) {
  World w;
  const auto order = w.limit(alice, Side::bid, "99", "2");
  EXPECT_EQ(code(w.amend(alice, *order, "99", "2")), -5027);
  EXPECT_EQ(code(w.amend(alice, *order, "99.95", "2")), -4014);
  EXPECT_EQ(code(w.amend(alice, *order, "99", "2.005")), -4023);
  EXPECT_EQ(code(w.amend(alice, *order, "99", "0.05")), -5029);
  EXPECT_EQ(code(w.amend(alice, *order, "120", "2")), -4016);
  ASSERT_TRUE(w.core.set_leverage(alice, symbol, 1));
  EXPECT_EQ(code(w.amend(alice, *order, "99", "9999")), -2019);
  Order wrong_side = *order;
  EXPECT_EQ(code(w.core.amend(alice,
                              {.key = {.symbol = symbol, .id = order->id},
                               .side = Side::ask,
                               .price = Price::of("98"),
                               .qty = Qty::of("2")},
                              w.now, w.events)),
            -1117);
  wrong_side.id += 1;
  EXPECT_EQ(code(w.amend(alice, wrong_side, "98", "2")), -2013);
  EXPECT_EQ(w.order(*order).price, Price::of("99"));
  EXPECT_EQ(w.core.depth(symbol, 1).bids[0].qty, Qty::of("2"));
}

// ---- Cancel and countdown

TEST(Cancel, works_by_id_and_by_client_id_and_only_once) {
  World w;
  const auto order =
      w.place(alice, {.symbol = symbol, .qty = Qty::of("1"), .price = Price::of("99"), .client_id = "mine"});
  EXPECT_EQ(code(w.cancel(bob, order->id)), -2011);
  const auto gone = w.core.cancel(alice, {.symbol = symbol, .client_id = "mine"}, w.now, w.events);
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->status, OrderStatus::canceled);
  EXPECT_EQ(code(w.cancel(alice, order->id)), -2011);
  EXPECT_EQ(w.core.order(alice, {.symbol = symbol, .client_id = "mine"})->status, OrderStatus::canceled);
  EXPECT_EQ(code(w.core.open_order(alice, {.symbol = symbol, .client_id = "mine"})), -2013);
  EXPECT_EQ(code(w.core.order(alice, {.symbol = symbol, .client_id = "other"})), -2013);
}

TEST(Cancel, all_ends_the_accounts_orders_of_the_symbol_and_nobody_elses) {
  World w;
  w.limit(alice, Side::bid, "99", "1").value();
  w.limit(alice, Side::ask, "101", "1").value();
  w.limit(bob, Side::bid, "98", "1").value();
  w.events.clear();
  EXPECT_EQ(*w.core.cancel_all(alice, symbol, w.now, w.events), 2u);
  EXPECT_EQ(w.all<OrderEvent>().size(), 2u);
  EXPECT_TRUE(w.core.open_orders(alice).empty());
  EXPECT_EQ(w.core.open_orders(bob).size(), 1u);
}

TEST(Countdown, cancels_once_at_its_end_and_is_then_gone) {
  World w;
  w.limit(alice, Side::bid, "99", "1").value();
  w.limit(bob, Side::bid, "99", "1").value();
  ASSERT_TRUE(w.core.countdown_cancel_all(alice, symbol, base::milliseconds{1'234}, w.now, w.events));
  w.advance(base::milliseconds{1'239});
  EXPECT_EQ(w.core.open_orders(alice).size(), 1u);
  w.advance(base::milliseconds{1});
  ASSERT_EQ(w.all<OrderEvent>().size(), 1u);
  EXPECT_EQ(w.all<OrderEvent>()[0].execution, ExecutionType::canceled);
  EXPECT_TRUE(w.core.open_orders(alice).empty());
  EXPECT_EQ(w.core.open_orders(bob).size(), 1u);
  EXPECT_FALSE(w.core.countdown_deadline(alice, symbol));
  w.limit(alice, Side::bid, "99", "1").value();
  w.advance(base::seconds{10});
  EXPECT_EQ(w.core.open_orders(alice).size(), 1u);
}

TEST(Countdown, is_replaced_by_the_next_call_and_stopped_by_zero) {
  World w;
  w.limit(alice, Side::bid, "99", "1").value();
  w.core.countdown_cancel_all(alice, symbol, base::seconds{1}, w.now, w.events).value();
  w.core.countdown_cancel_all(alice, symbol, base::seconds{5}, w.now, w.events).value();
  w.advance(base::seconds{2});
  EXPECT_EQ(w.core.open_orders(alice).size(), 1u);
  w.core.countdown_cancel_all(alice, symbol, base::Duration::zero(), w.now, w.events).value();
  w.advance(base::seconds{60});
  EXPECT_EQ(w.core.open_orders(alice).size(), 1u);
  EXPECT_EQ(code(w.core.countdown_cancel_all(alice, symbol, -base::seconds{1}, w.now, w.events)), -1130);
}

// ---- Money

TEST(Margin, bounds_new_exposure_by_wallet_and_leverage) {
  CoreOptions options = quiet_options();
  options.accounts[0].balances = {{"USDC", Money::of("100")}};
  options.accounts[0].leverage = 10;
  World w{options};
  ASSERT_TRUE(w.limit(alice, Side::bid, "100", "6"));
  EXPECT_EQ(w.core.margin(alice, "USDC").available, Money::of("40"));
  EXPECT_EQ(code(w.limit(alice, Side::bid, "100", "4.01")), -2019);
  EXPECT_TRUE(w.limit(alice, Side::bid, "100", "4"));
  // The other side is no more exposure than what is already covered.
  EXPECT_TRUE(w.limit(alice, Side::ask, "105", "9"));
}

TEST(Margin, more_leverage_needs_less_of_it) {
  CoreOptions options = quiet_options();
  options.accounts[0].balances = {{"USDC", Money::of("100")}};
  World w{options};
  ASSERT_TRUE(w.core.set_leverage(alice, symbol, 1));
  EXPECT_EQ(code(w.limit(alice, Side::bid, "100", "2")), -2019);
  ASSERT_TRUE(w.core.set_leverage(alice, symbol, 2));
  EXPECT_EQ(code(w.limit(alice, Side::bid, "100", "2")), 0);
  EXPECT_EQ(code(w.core.set_leverage(alice, symbol, 126)), -4028);
}

TEST(Margin, an_unbounded_wallet_still_meets_the_position_limit) {
  CoreOptions options = quiet_options();
  options.accounts[0].balances = {{"USDC", Money::of("1000000000")}};
  World w{options};
  ASSERT_TRUE(w.limit(alice, Side::bid, "100", "10000"));
  ASSERT_TRUE(w.limit(alice, Side::bid, "100", "10000"));
  EXPECT_EQ(code(w.limit(alice, Side::bid, "100", "10000")), -2027);
}

TEST(Money_, wallet_is_start_plus_realized_minus_fees) {
  World w;
  w.limit(alice, Side::ask, "100", "2").value();
  w.limit(bob, Side::bid, "100", "2").value();
  w.limit(alice, Side::bid, "103", "2").value();
  w.limit(bob, Side::ask, "103", "2").value();
  EXPECT_EQ(*w.core.wallet(alice, "USDC"), Money::of("99994"));
  EXPECT_EQ(*w.core.wallet(bob, "USDC"), Money::of("100000") + Money::of("6") - Money::of("0.1624"));
  const Ledger ledger = w.core.ledger(bob);
  EXPECT_EQ(ledger.symbols[0].fees, Money::of("0.1624"));
  EXPECT_EQ(ledger.symbols[0].fills, 2);
  EXPECT_EQ(ledger.symbols[0].filled_volume, Qty::of("4"));
  const auto fills = w.core.user_trades(bob, symbol, {}, {}, w.now, 10);
  ASSERT_EQ(fills.size(), 2u);
  EXPECT_EQ(fills[1].realized, Money::of("6"));
  EXPECT_EQ(w.core.user_trades(bob, symbol, fills[1].trade_id, {}, w.now, 10).size(), 1u);
}

TEST(Funding, is_paid_by_longs_to_shorts_at_its_times) {
  CoreOptions options = quiet_options();
  options.funding_interval = base::hours{1};
  options.start = base::venue_time_ms(1'795'000'000'000 / 3'600'000 * 3'600'000 + 3'595'000);
  World w{options};
  w.limit(alice, Side::ask, "100", "10").value();
  w.limit(bob, Side::bid, "100", "10").value();
  EXPECT_EQ(w.core.mark(symbol).next_funding_time - w.now, base::seconds{5});
  w.advance(base::milliseconds{4'999});
  EXPECT_TRUE(w.all<FundingSettled>().empty());
  w.advance(base::milliseconds{1});
  ASSERT_EQ(w.all<FundingSettled>().size(), 1u);
  EXPECT_EQ(w.all<FundingSettled>()[0].rate, Rate::of("0.0001"));
  const auto accounts = w.all<AccountEvent>();
  ASSERT_EQ(accounts.size(), 2u);
  EXPECT_EQ(accounts[0].reason, model::AccountReason::funding_fee);
  EXPECT_EQ(accounts[0].change, Money::of("0.1"));
  EXPECT_EQ(accounts[1].change, Money::of("-0.1"));
  EXPECT_FALSE(accounts[1].position);
  EXPECT_EQ(*w.core.wallet(alice, "USDC"), Money::of("100000.1"));
  EXPECT_EQ(w.core.ledger(alice).symbols[0].funding, Money::of("0.1"));
}

TEST(Liquidation, cancels_and_closes_under_the_exchanges_own_client_id) {
  World w;
  w.limit(alice, Side::ask, "100", "2").value();
  w.limit(bob, Side::bid, "100", "2").value();
  w.limit(alice, Side::bid, "98", "2").value();
  w.limit(bob, Side::bid, "97", "1").value();
  w.events.clear();
  const auto order = w.core.liquidate(bob, symbol, w.now, w.events);
  ASSERT_TRUE(order);
  EXPECT_TRUE(order->client_text.view().starts_with("autoclose-"));
  EXPECT_EQ(order->status, OrderStatus::filled);
  EXPECT_TRUE(w.core.position(bob, symbol).qty.is_zero());
  EXPECT_TRUE(w.core.open_orders(bob).empty());
  EXPECT_EQ(w.all<LiquidationPrint>().size(), 1u);
  EXPECT_EQ(code(w.core.liquidate(bob, symbol, w.now, w.events)), -2022);
}

TEST(Transfer, changes_the_wallet_and_tells_the_account) {
  World w;
  w.core.transfer(alice, "USDC", Money::of("-5"), w.now, w.events);
  EXPECT_EQ(*w.core.wallet(alice, "USDC"), Money::of("99995"));
  EXPECT_EQ(w.all<AccountEvent>()[0].change, Money::of("-5"));
}

// ---- Ids, tape, clock

TEST(UpdateIds, come_from_one_counter_of_all_symbols) {
  CoreOptions options = quiet_options();
  options.symbols.push_back(quiet_symbol());
  options.symbols[1].name = "OTHUSDC";
  World w{options};
  w.limit(alice, Side::bid, "99", "1").value();
  const auto first = w.all<BookChange>()[0].update_id;
  w.place(alice, {.symbol = SymbolId{1}, .qty = Qty::of("1"), .price = Price::of("99")}).value();
  w.limit(alice, Side::bid, "98", "1").value();
  EXPECT_EQ(w.all<BookChange>()[0].update_id, first + 2);
  EXPECT_EQ(w.core.depth(symbol, 5).last_update_id, first + 2);
  EXPECT_EQ(w.core.depth(SymbolId{1}, 5).last_update_id, first + 1);
}

TEST(Tape, merges_trades_of_one_price_and_aggressor_within_100_ms) {
  World w;
  w.limit(alice, Side::ask, "100", "1").value();
  w.limit(carol, Side::ask, "100", "1").value();
  w.limit(alice, Side::ask, "100.1", "1").value();
  w.limit(bob, Side::bid, "100.1", "3").value();
  EXPECT_EQ(w.all<TradePrint>().size(), 3u);
  ASSERT_EQ(w.all<AggTradePrint>().size(), 1u);
  EXPECT_EQ(w.all<AggTradePrint>()[0].qty, Qty::of("2"));
  EXPECT_EQ(w.all<AggTradePrint>()[0].last_trade_id - w.all<AggTradePrint>()[0].first_trade_id, 1);
  w.advance(base::milliseconds{99});
  EXPECT_TRUE(w.all<AggTradePrint>().empty());
  w.advance(base::milliseconds{1});
  ASSERT_EQ(w.all<AggTradePrint>().size(), 1u);
  EXPECT_EQ(w.core.agg_trades(symbol, {}, {}, w.now, 10).size(), 2u);
  EXPECT_EQ(w.core.last_trades(symbol, 2).back().price, Price::of("100.1"));
}

TEST(Tape, keeps_minute_bars_and_repeats_the_close_over_quiet_minutes) {
  World w;
  const std::size_t before = w.core.bars(symbol, 100).size();
  w.limit(alice, Side::ask, "101", "2").value();
  w.limit(bob, Side::bid, "101", "2").value();
  w.advance(base::minutes{3});
  const auto bars = w.core.bars(symbol, 100);
  ASSERT_EQ(bars.size(), before + 3);
  EXPECT_EQ(bars[0].high, Price::of("101"));
  EXPECT_EQ(bars[0].volume, Qty::of("2"));
  EXPECT_EQ(bars[0].taker_buy_quote, Money::of("202"));
  EXPECT_EQ(bars.back().open, Price::of("101"));
  EXPECT_EQ(bars.back().trades, 0);
}

TEST(Clock, never_goes_back) {
  World w;
  w.advance(base::seconds{10});
  EXPECT_EQ(w.all<MarkPriceTick>().size(), 10u);
  w.events.clear();
  w.core.advance(w.now - base::seconds{5}, w.events);
  EXPECT_EQ(w.core.now(), w.now);
  EXPECT_TRUE(w.events.empty());
  EXPECT_GT(w.core.next_deadline(), w.now);
}

// ---- A recording drives the symbol

class Recording : public testing::Test {
 protected:
  explicit Recording(ExternalQueue queue = ExternalQueue::from_behind) : w{options(queue)} {}
  static CoreOptions options(ExternalQueue queue) {
    CoreOptions o = quiet_options();
    o.symbols[0].source = MarketSource::external;
    o.external_queue = queue;
    return o;
  }
  void level(Side side, const char* price, const char* qty) {
    w.events.clear();
    const std::vector<Level> levels{{Price::of(price), Qty::of(qty)}};
    const std::vector<Level> none;
    w.core.apply_external_levels(symbol, side == Side::bid ? levels : none, side == Side::ask ? levels : none,
                                 w.now, w.events);
  }
  void trade(const char* price, const char* qty, Side aggressor) {
    w.events.clear();
    w.core.apply_external_trade(symbol, Price::of(price), Qty::of(qty), aggressor, w.now, w.events);
  }
  Qty filled(const Order& order) { return w.order(order).filled; }
  World w;
};

TEST_F(Recording, sets_absolute_levels_and_the_mark) {
  level(Side::bid, "89", "5");
  level(Side::ask, "91", "5");
  level(Side::bid, "89", "2");
  EXPECT_EQ(w.core.depth(symbol, 5).bids, (std::vector<Level>{{Price::of("89"), Qty::of("2")}}));
  EXPECT_EQ(w.core.mark(symbol).mark, Price::of("90"));
  level(Side::bid, "89", "0");
  EXPECT_TRUE(w.core.depth(symbol, 5).bids.empty());
}

TEST_F(Recording, adds_accounts_orders_to_its_levels) {
  level(Side::bid, "99", "5");
  const auto own = w.limit(alice, Side::bid, "99", "1");
  EXPECT_EQ(w.all<BookChange>().back().qty, Qty::of("6"));
  level(Side::bid, "99", "7");
  EXPECT_EQ(w.all<BookChange>().back().qty, Qty::of("8"));
  w.cancel(alice, own->id).value();
  EXPECT_EQ(w.all<BookChange>().back().qty, Qty::of("7"));
}

TEST_F(Recording, trades_go_through_the_queue_before_they_reach_an_order) {
  level(Side::bid, "99", "5");
  const auto own = w.limit(alice, Side::bid, "99", "1");
  trade("99", "4", Side::ask);
  EXPECT_EQ(filled(*own), Qty{});
  trade("99", "1.5", Side::ask);
  EXPECT_EQ(filled(*own), Qty::of("0.5"));
  EXPECT_EQ(w.core.market_position(symbol).qty, Qty::of("-0.5"));
}

TEST_F(Recording, quantity_that_joins_later_stands_behind) {
  level(Side::bid, "99", "2");
  const auto own = w.limit(alice, Side::bid, "99", "1");
  level(Side::bid, "99", "9");
  trade("99", "3", Side::ask);
  EXPECT_EQ(filled(*own), Qty::of("1"));
}

TEST_F(Recording, quantity_that_leaves_leaves_from_the_end_of_the_queue) {
  level(Side::bid, "99", "2");
  const auto own = w.limit(alice, Side::bid, "99", "1");
  level(Side::bid, "99", "6");
  level(Side::bid, "99", "2");
  trade("99", "2", Side::ask);
  EXPECT_EQ(filled(*own), Qty{});
  level(Side::bid, "99", "0");
  trade("99", "1", Side::ask);
  EXPECT_EQ(filled(*own), Qty::of("1"));
}

TEST_F(Recording, a_trade_beyond_an_orders_price_fills_it_first_and_prints_all) {
  level(Side::bid, "99", "5");
  const auto own = w.limit(alice, Side::bid, "99.5", "1");
  trade("99", "2", Side::ask);
  EXPECT_EQ(filled(*own), Qty::of("1"));
  Qty printed;
  for (const auto& print : w.all<TradePrint>()) printed += print.qty;
  EXPECT_EQ(printed, Qty::of("2"));
  EXPECT_EQ(w.core.position(alice, symbol).entry_price(), Price::of("99.5"));
}

TEST_F(Recording, a_level_that_crosses_fills_orders_and_passes_recorded_levels) {
  level(Side::ask, "100", "5");
  const auto own = w.limit(alice, Side::ask, "100.5", "1");
  level(Side::bid, "101", "3");
  EXPECT_EQ(filled(*own), Qty::of("1"));
  EXPECT_TRUE(w.core.depth(symbol, 5).asks.empty());
  EXPECT_EQ(w.core.depth(symbol, 5).bids, (std::vector<Level>{{Price::of("101"), Qty::of("2")}}));
}

TEST_F(Recording, tells_the_touch_once_for_all_levels_of_a_change) {
  w.core.apply_external_levels(
      symbol, std::vector<Level>{{Price::of("99"), Qty::of("1")}, {Price::of("98"), Qty::of("1")}},
      std::vector<Level>{{Price::of("100"), Qty::of("1")}}, w.now, w.events);
  ASSERT_EQ(w.all<TopChange>().size(), 1U);
  EXPECT_EQ(w.all<TopChange>()[0].bid.price, Price::of("99"));
  EXPECT_EQ(w.all<TopChange>()[0].ask.price, Price::of("100"));
}

TEST_F(Recording, a_whole_book_takes_the_place_of_the_one_before) {
  level(Side::bid, "99", "5");
  level(Side::bid, "98", "5");
  level(Side::ask, "101", "5");
  w.limit(alice, Side::bid, "98", "1").value();
  w.core.replace_external_book(symbol, std::vector<Level>{{Price::of("99"), Qty::of("7")}},
                               std::vector<Level>{{Price::of("100"), Qty::of("1")}}, w.now, w.events);
  EXPECT_EQ(w.core.depth(symbol, 5).bids,
            (std::vector<Level>{{Price::of("99"), Qty::of("7")}, {Price::of("98"), Qty::of("1")}}));
  EXPECT_EQ(w.core.depth(symbol, 5).asks, (std::vector<Level>{{Price::of("100"), Qty::of("1")}}));
}

TEST_F(Recording, says_the_mark_price_and_the_funding_rate) {
  level(Side::bid, "89", "5");
  level(Side::ask, "91", "5");
  w.core.set_external_mark(symbol, Price::of("90.5"), Price::of("90.25"), Rate::of("0.0003"), w.now,
                           w.events);
  w.advance(base::seconds{5});
  EXPECT_EQ(w.all<MarkPriceTick>().back().mark, Price::of("90.5"));
  EXPECT_EQ(w.all<MarkPriceTick>().back().index, Price::of("90.25"));
  w.limit(alice, Side::bid, "91", "2").value();
  w.advance(base::hours{8});
  ASSERT_EQ(w.all<FundingSettled>().size(), 1U);
  EXPECT_EQ(w.all<FundingSettled>()[0].rate, Rate::of("0.0003"));
  EXPECT_EQ(w.core.ledger(alice).symbols[0].funding, Money::of("-0.0543"));
}

TEST_F(Recording, a_full_side_forgets_its_farthest_level) {
  std::vector<Level> levels;
  for (int i = 0; i < 20'000; ++i) levels.push_back({Price::of("100") + Price::of("0.1") * i, Qty::of("1")});
  w.core.apply_external_levels(symbol, {}, levels, w.now, w.events);
  level(Side::ask, "9999", "1");
  EXPECT_EQ(w.core.depth(symbol, 30'000).asks.back().price, Price::of("2099.9"));
  level(Side::ask, "99", "1");
  EXPECT_EQ(w.core.depth(symbol, 30'000).asks.front().price, Price::of("99"));
  EXPECT_EQ(w.core.depth(symbol, 30'000).asks.size(), 20'000U);
  EXPECT_EQ(w.core.stats().external_forgotten, 2U);
}

TEST_F(Recording, nonsense_is_refused_and_counted) {
  level(Side::bid, "0", "1");
  level(Side::bid, "99", "-1");
  trade("99", "0", Side::bid);
  EXPECT_EQ(w.core.stats().external_refused, 3u);
  EXPECT_TRUE(w.events.empty());
}

class ProportionalRecording : public Recording {
 protected:
  ProportionalRecording() : Recording(ExternalQueue::proportional) {}
};

TEST_F(ProportionalRecording, what_stands_ahead_shrinks_as_the_level_does) {
  level(Side::bid, "99", "6");
  const auto own = w.limit(alice, Side::bid, "99", "1");
  level(Side::bid, "99", "8");  // 6 ahead, 2 behind
  level(Side::bid, "99", "4");  // 3 ahead, 1 behind
  trade("99", "3", Side::ask);
  EXPECT_EQ(filled(*own), Qty{});
  trade("99", "0.4", Side::ask);
  EXPECT_EQ(filled(*own), Qty::of("0.4"));
}

TEST_F(ProportionalRecording, what_a_trade_explains_is_no_cancel) {
  level(Side::bid, "99", "6");
  const auto own = w.limit(alice, Side::bid, "99", "1");
  level(Side::bid, "99", "8");
  trade("99", "4", Side::ask);  // 2 ahead, 2 behind
  level(Side::bid, "99", "4");
  trade("99", "2.5", Side::ask);
  EXPECT_EQ(filled(*own), Qty::of("0.5"));
}

__extension__ using Wide = __int128;

/// The rule in plain words: each order knows how much of the recording stands ahead of it.
class PlainQueue {
 public:
  explicit PlainQueue(ExternalQueue rule) : rule_(rule) {}
  void set(Qty qty) {
    if (qty < recorded_) {
      for (auto& o : orders_) {
        if (rule_ == ExternalQueue::from_behind) {
          o.ahead = std::min(o.ahead, qty);
        } else {
          const auto scaled = static_cast<Wide>(o.ahead.raw()) * qty.raw();
          o.ahead =
              Qty::from_raw(static_cast<std::int64_t>((scaled + recorded_.raw() - 1) / recorded_.raw()));
        }
      }
    }
    recorded_ = qty;
  }
  void join(Qty qty) { orders_.push_back({recorded_, qty, {}}); }
  void trade(Qty qty) {
    Qty gone;  // of the recording
    for (auto& o : orders_) {
      const Qty eaten = std::min(qty, o.ahead - gone);
      gone += eaten;
      qty -= eaten;
      const Qty fill = std::min(qty, o.left);
      o.left -= fill;
      o.filled += fill;
      qty -= fill;
    }
    gone += std::min(qty, recorded_ - gone);
    recorded_ -= gone;
    for (auto& o : orders_) o.ahead = std::max(Qty{}, o.ahead - gone);
  }
  std::vector<Qty> filled() const {
    std::vector<Qty> out;
    for (const auto& o : orders_) out.push_back(o.filled);
    return out;
  }

 private:
  struct Own {
    Qty ahead, left, filled;
  };
  ExternalQueue rule_;
  Qty recorded_;
  std::vector<Own> orders_;
};

TEST(RecordedQueue, agrees_with_the_rule_in_plain_words) {
  for (const auto rule : {ExternalQueue::from_behind, ExternalQueue::proportional}) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
      base::Rng rng{seed};
      CoreOptions options = quiet_options();
      options.symbols[0].source = MarketSource::external;
      options.external_queue = rule;
      World w{options};
      PlainQueue plain{rule};
      const Price price = Price::of("100");
      std::vector<Order> own;
      for (int step = 0; step < 60; ++step) {
        const auto dice = rng.between(0, 9);
        if (dice < 5) {
          const Qty qty = Qty::from_raw(rng.between(0, 3) == 0 ? 0 : rng.between(1, 2'000'000'000));
          w.core.apply_external_levels(symbol, std::vector<Level>{{price, qty}}, {}, w.now, w.events);
          plain.set(qty);
        } else if (dice < 8) {
          const Qty qty = Qty::from_raw(rng.between(1, 900'000'000));
          w.core.apply_external_trade(symbol, price, qty, Side::ask, w.now, w.events);
          plain.trade(qty);
        } else if (own.size() < 6) {
          const Qty qty = Qty::of("0.01") * rng.between(10, 300);
          const auto placed =
              w.place(alice, {.symbol = symbol, .side = Side::bid, .qty = qty, .price = price});
          ASSERT_TRUE(placed.has_value());
          own.push_back(*placed);
          plain.join(qty);
        }
        std::vector<Qty> filled;
        for (const auto& order : own) filled.push_back(w.order(order).filled);
        ASSERT_EQ(filled, plain.filled()) << "seed " << seed << " step " << step;
      }
    }
  }
}

}  // namespace
}  // namespace phoenix::exchange::test
