#include "sim/world.hpp"

#include "base/test_allocations.hpp"
#include "engine/log_replay.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace phoenix::sim {
namespace {

using base::milliseconds;
using base::seconds;
using engine::ConnectionId;

constexpr int layers = 7;

engine::SymbolOptions symbol_options(const char* name, const char* net_max, const char* size) {
  engine::SymbolOptions s;
  s.name = name;
  s.grid.net_max = model::Qty::of(net_max);
  s.grid.layer_size = model::Qty::of(size);
  s.grid.layers = layers;
  s.grid.start = {quote::DistanceUnit::bps, 1};
  s.grid.first_spacing = {quote::DistanceUnit::bps, 1};
  s.grid.max_spacing = {quote::DistanceUnit::bps, 40};
  s.grid.min_spread = 0.0001;
  s.limits.net_max = s.grid.net_max;
  s.cancels_per_minute = 40;
  return s;
}

WorldOptions two_symbols(std::uint64_t seed) {
  WorldOptions options;
  options.seed = seed;
  options.engine.total_notional_max = model::Money::from_units(4000);
  std::erase_if(options.exchange.core.symbols,
                [](const auto& s) { return s.name != "ETHUSDC" && s.name != "SOLUSDC"; });
  options.engine.symbols = {symbol_options("ETHUSDC", "0.26", "0.0085"),
                            symbol_options("SOLUSDC", "5.5", "0.2")};
  return options;
}

const exchange::SymbolLedger& truth(World& world, exchange::Ledger& ledger, std::string_view name) {
  const auto& core = world.exchange().core();
  ledger = core.ledger(*core.find_account(world.api_key()));
  for (const auto& s : ledger.symbols) {
    if (core.spec(s.symbol).name == name) return s;
  }
  ADD_FAILURE() << "no symbol " << name;
  return ledger.symbols.front();
}

std::size_t open_orders(World& world) {
  std::size_t open = 0;
  const auto& core = world.exchange().core();
  for (const auto& s : core.ledger(*core.find_account(world.api_key())).symbols) open += s.open_orders.size();
  return open;
}

void expect_equal_ledgers(World& world) {
  for (const std::string name : {"ETHUSDC", "SOLUSDC"}) {
    exchange::Ledger ledger;
    const auto& theirs = truth(world, ledger, name);
    const auto& ours = world.engine().ledger().account(*world.engine().symbols().find(name));
    EXPECT_EQ(ours.position, theirs.position.qty) << name;
    EXPECT_EQ(ours.realized_pnl, theirs.position.realized) << name;
    EXPECT_EQ(ours.fills_count, static_cast<std::uint64_t>(theirs.fills)) << name;
    EXPECT_EQ(ours.bought_qty + ours.sold_qty, theirs.filled_volume) << name;
  }
}

void stop_and_expect_nothing_left(World& world) {
  world.request_stop();
  world.run_for(seconds{12});
  ASSERT_TRUE(world.end().has_value());
  EXPECT_EQ(world.end()->exit_code, 0) << world.end()->reason;
  EXPECT_EQ(open_orders(world), 0U);
  expect_equal_ledgers(world);
}

TEST(World, makes_a_market_and_leaves_nothing_behind) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    World world{two_symbols(seed)};
    std::size_t most = 0;
    for (int i = 0; i < 100; ++i) {
      world.run_for(milliseconds{100});
      most = std::max(most, open_orders(world));
    }
    EXPECT_EQ(most, 4U * layers) << "seed " << seed;
    world.run_for(seconds{110});
    EXPECT_GT(world.engine().ledger().account(model::SymbolId{0}).fills_count, 0U) << "seed " << seed;
    stop_and_expect_nothing_left(world);
  }
}

TEST(World, equal_seeds_give_equal_runs) {
  const auto run = [](std::uint64_t seed) {
    World world{two_symbols(seed)};
    world.run_for(seconds{20});
    return world.input_log();
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
}

TEST(World, a_run_is_replayed_from_its_input_log_to_the_same_quotes) {
  auto options = two_symbols(9);
  World world{options};
  world.run_for(seconds{30});
  engine::Engine again{
      options.engine, {options.api_key, venue::binance::Signer::hmac("another secret")}, options.run_epoch};
  const auto report = engine::replay_log(world.input_log(), again);
  EXPECT_EQ(report.inputs, world.steps());
  EXPECT_FALSE(report.fault.has_value());
  EXPECT_EQ(report.replayed_summary, engine::run_summary(world.engine()));
}

/// Runs until the exchange holds no order of ours, at most `limit`; how long it took.
base::Duration until_withdrawn(World& world, base::Duration limit) {
  const auto begin = world.now();
  while (open_orders(world) > 0 && world.now() - begin < limit) world.run_for(milliseconds{1});
  return world.now() - begin;
}

TEST(World, a_cut_of_both_market_connections_withdraws_every_quote_at_once_and_comes_back) {
  World world{two_symbols(2)};
  world.run_for(seconds{15});
  ASSERT_GT(open_orders(world), 0U);
  world.cut(ConnectionId::public_a);
  world.cut(ConnectionId::public_b);
  EXPECT_LT(until_withdrawn(world, seconds{1}), milliseconds{100});
  world.run_for(seconds{10});
  EXPECT_GT(open_orders(world), 2U * layers);
  EXPECT_EQ(world.open_sockets(ConnectionId::public_a), 1U);
  EXPECT_EQ(world.open_sockets(ConnectionId::public_b), 1U);
  stop_and_expect_nothing_left(world);
}

TEST(World, a_cut_of_one_market_connection_of_two_withdraws_nothing) {
  World world{two_symbols(2)};
  world.run_for(seconds{15});
  for (const auto id :
       {ConnectionId::public_a, ConnectionId::public_b, ConnectionId::user_a, ConnectionId::user_b}) {
    world.cut(id);
    for (int i = 0; i < 100; ++i) {
      world.run_for(milliseconds{100});
      EXPECT_GT(open_orders(world), 0U);
    }
  }
  EXPECT_EQ(world.incident_count(ops::IncidentKind::withdrawn), 0U);
  EXPECT_EQ(world.incident_count(ops::IncidentKind::resync), 0U);
  stop_and_expect_nothing_left(world);
}

TEST(World, i07_d02_a_cut_user_stream_withdraws_and_reconciles_what_was_missed) {
  World world{two_symbols(3)};
  world.run_for(seconds{20});
  for (int i = 0; i < 5; ++i) {
    world.cut(ConnectionId::user_a);
    world.cut(ConnectionId::user_b);
    EXPECT_LT(until_withdrawn(world, seconds{1}), milliseconds{100});
    world.run_for(seconds{7});
    EXPECT_GT(open_orders(world), 0U);
  }
  stop_and_expect_nothing_left(world);
}

TEST(World, i11_a_fall_of_any_size_moves_the_ladder) {
  World world{two_symbols(12)};
  world.run_for(seconds{20});
  const model::SymbolId eth{0};
  const auto before = world.engine().book(eth).top()->mid();
  world.exchange().administer(world.venue_time(world.now()), [](exchange::Core& core, exchange::CoreEvents&) {
    core.set_regime(*core.find_symbol("ETHUSDC"), exchange::Regime::crash);
  });
  bool fell = false;
  for (int i = 0; i < 600; ++i) {
    world.run_for(milliseconds{100});
    const auto top = world.engine().book(eth).top();
    const auto own = world.engine().orders().best_live(eth, model::Side::bid);
    if (!top || !own) continue;
    fell |= top->mid().to_double() < before.to_double() * 0.998;
    EXPECT_GT(own->to_double(), top->mid().to_double() * 0.98) << "it follows the price";
  }
  EXPECT_TRUE(fell) << "the market fell by more than 20 basis points";
}

TEST(World, a_forced_order_of_the_venue_latches_the_kill) {
  World world{two_symbols(13)};
  world.run_for(seconds{40});
  ASSERT_GT(open_orders(world), 0U);
  world.exchange().administer(
      world.venue_time(world.now()), [&](exchange::Core& core, exchange::CoreEvents& events) {
        for (const auto* name : {"ETHUSDC", "SOLUSDC"}) {
          static_cast<void>(core.liquidate(*core.find_account(world.api_key()), *core.find_symbol(name),
                                           world.venue_time(world.now()), events));
        }
      });
  world.run_for(seconds{5});
  ops::Status status;
  world.engine().fill_status(status, world.now());
  EXPECT_TRUE(status.latched);
  EXPECT_EQ(open_orders(world), 0U);
  world.run_for(seconds{30});
  EXPECT_EQ(open_orders(world), 0U) << "nothing is quoted until a person re-arms";
}

TEST(World, a_cut_order_connection_leaves_no_order_unaccounted_for) {
  World world{two_symbols(4)};
  world.run_for(milliseconds{400});
  for (int i = 0; i < 40; ++i) {
    world.cut(ConnectionId::order_api);
    world.run_for(milliseconds{700});
  }
  world.run_for(seconds{20});
  std::set<std::string> ids;
  const auto& core = world.exchange().core();
  for (const auto& s : core.ledger(*core.find_account(world.api_key())).symbols) {
    for (const auto& o : s.open_orders) EXPECT_TRUE(ids.insert(std::string{o.client_text.view()}).second);
  }
  EXPECT_EQ(static_cast<int>(ids.size()), world.engine().orders().active_count(model::SymbolId{0}) +
                                              world.engine().orders().active_count(model::SymbolId{1}));
  stop_and_expect_nothing_left(world);
}

TEST(World, a_hole_in_the_depth_stream_withdraws_that_symbol_and_rebuilds_its_book) {
  World world{two_symbols(5)};
  world.run_for(seconds{15});
  world.drop_frames(ConnectionId::public_a, 40);
  world.drop_frames(ConnectionId::public_b, 40);
  world.run_for(seconds{10});
  ops::Status status;
  world.engine().fill_status(status, world.now());
  EXPECT_GT(status.symbols[0].resyncs + status.symbols[1].resyncs, 0U);
  EXPECT_EQ(status.symbols[0].state, ops::SymbolState::live);
  EXPECT_EQ(status.symbols[1].state, ops::SymbolState::live);
  stop_and_expect_nothing_left(world);
}

TEST(World, a_process_that_stood_still_withdraws_before_it_quotes_again) {
  World world{two_symbols(6)};
  world.run_for(seconds{15});
  const auto cancels_before =
      world.engine().orders().counts().cancels + world.engine().orders().counts().risk_cancels;
  world.pause(seconds{4});
  world.run_for(seconds{10});
  EXPECT_GT(world.engine().orders().counts().cancels + world.engine().orders().counts().risk_cancels,
            cancels_before + 10);
  stop_and_expect_nothing_left(world);
}

TEST(World, two_hundred_cuts_never_leave_more_than_one_socket_a_line) {
  World world{two_symbols(7)};
  world.run_for(seconds{5});
  for (int i = 0; i < 200; ++i) {
    const auto id = static_cast<ConnectionId>(i % 4);
    world.cut(id);
    world.run_for(milliseconds{50 * (i % 7)});
    for (std::size_t c = 0; c < engine::connections_count; ++c) {
      EXPECT_LE(world.open_sockets(static_cast<ConnectionId>(c)), 1U);
    }
  }
  world.run_for(seconds{60});
  EXPECT_GT(open_orders(world), 2U * layers) << "everything is back without a human";
  stop_and_expect_nothing_left(world);
}

TEST(World, traffic_above_the_budget_steps_down_and_up_again_without_a_wrong_book) {
  auto options = two_symbols(14);
  options.engine.bandwidth_bytes_per_s = 8'000;
  World world{options};
  world.run_for(seconds{10});
  int deepest = 0;
  ops::Status status;
  for (int i = 0; i < 240; ++i) {
    world.run_for(seconds{1});
    world.engine().fill_status(status, world.now());
    deepest = std::max(deepest, status.bandwidth_step);
    for (std::size_t c = 0; c + 1 < engine::connections_count; c += engine::slots_count) {
      std::size_t open = 0;
      for (std::size_t slot = 0; slot < engine::slots_count; ++slot)
        open += world.open_sockets(static_cast<ConnectionId>(c + slot));
      EXPECT_LE(open, 3U);
    }
  }
  EXPECT_GE(deepest, 3) << "slower depth, slower still, one line";
  EXPECT_EQ(status.symbols[0].state, ops::SymbolState::live) << "the first symbol is never shed";
  EXPECT_EQ(status.frames_bad, 0U);
  stop_and_expect_nothing_left(world);
}

TEST(World, i17_a_clock_far_from_the_venues_does_not_matter) {
  auto options = two_symbols(8);
  options.clock_offset = seconds{-15};
  World world{options};
  world.run_for(seconds{10});
  EXPECT_GT(open_orders(world), 2U * layers);
  stop_and_expect_nothing_left(world);
}

/// Counts what a step allocates while a market data frame is turned into requests.
class AllocationProbe final : public World::Probe {
 public:
  void before(const engine::Input& input) override {
    const auto* frame = std::get_if<engine::FrameReceived>(&input);
    counting_ = frame != nullptr && engine::channel_of(frame->connection) == engine::Channel::public_data &&
                frame->payload.starts_with(R"({"stream")");
    allocations_seen = base::allocations.load();
  }
  void after(const engine::Input&, const engine::Actions& actions) override {
    if (!counting_) return;
    const auto allocated = base::allocations.load() - allocations_seen;
    for (const auto& action : actions) {
      if (const auto* sent = std::get_if<engine::SendText>(&action)) {
        if (sent->connection != ConnectionId::order_api) return;  // subscriptions are listed once a minute
        ++requests;
      }
      // Something rare is being told.
      if (std::holds_alternative<engine::Note>(action) ||
          std::holds_alternative<engine::RecordIncident>(action))
        return;
    }
    ++frames;
    total += allocated;
  }
  std::uint64_t frames = 0, requests = 0, total = 0;

 private:
  bool counting_ = false;
  std::uint64_t allocations_seen = 0;
};

TEST(World, a_market_frame_becomes_signed_requests_without_allocating) {
  World world{two_symbols(11)};
  world.run_for(seconds{90});
  AllocationProbe probe;
  world.set_probe(&probe);
  world.run_for(seconds{60});
  EXPECT_GT(probe.frames, 1000U);
  EXPECT_GT(probe.requests, 5U);
  EXPECT_EQ(probe.total, 0U);
}

TEST(World, an_unknown_symbol_ends_the_start_with_one_clear_reason) {
  auto options = two_symbols(1);
  options.engine.symbols.push_back(symbol_options("NOSUCH", "1", "0.1"));
  World world{options};
  world.run_for(seconds{5});
  ASSERT_TRUE(world.end().has_value());
  EXPECT_EQ(world.end()->exit_code, 2);
  EXPECT_EQ(world.end()->reason, "NOSUCH: the venue does not list it");
}

TEST(World, a_wrong_secret_ends_the_start_with_one_clear_reason) {
  auto options = two_symbols(1);
  options.exchange.core.accounts = {{.api_key = options.api_key, .api_secret = "something else"}};
  World world{options};
  world.run_for(seconds{5});
  ASSERT_TRUE(world.end().has_value());
  EXPECT_EQ(world.end()->exit_code, 2);
  EXPECT_NE(world.end()->reason.find("the venue refused the login"), std::string::npos)
      << world.end()->reason;
}

/// Of the venue's open orders, those that are not the maker's.
std::size_t open_by_hand(World& world) {
  std::size_t open = 0;
  const auto& core = world.exchange().core();
  for (const auto& s : core.ledger(*core.find_account(world.api_key())).symbols) {
    for (const auto& o : s.open_orders) open += o.client_text.view().starts_with("phx-") ? 0U : 1U;
  }
  return open;
}

ops::SymbolStatus status_of(World& world, std::size_t index) {
  ops::Status status;
  world.engine().fill_status(status, world.now());
  return status.symbols[index];
}

TEST(World, x16_an_order_that_is_not_ours_holds_its_symbol_until_claimed_and_is_never_touched) {
  auto options = two_symbols(21);
  options.claims_every = base::hours{9};
  World world{options};
  world.run_for(seconds{20});
  world.trade_by_hand({.symbol = "ETHUSDC", .side = model::Side::bid, .ticks_away = 2000});
  world.run_for(seconds{1});
  EXPECT_EQ(status_of(world, 0).state, ops::SymbolState::hold);
  EXPECT_EQ(status_of(world, 0).reason.view(), "foreign_activity");
  EXPECT_EQ(status_of(world, 0).orders_live, 0U);
  EXPECT_EQ(status_of(world, 1).state, ops::SymbolState::live) << "the other symbol goes on";
  world.run_for(seconds{30});
  EXPECT_EQ(status_of(world, 0).state, ops::SymbolState::hold);

  world.tell(engine::OrdersClaimed{"ETHUSDC"});
  world.run_for(seconds{30});
  EXPECT_EQ(status_of(world, 0).state, ops::SymbolState::live) << "claimed: known and left alone";
  EXPECT_EQ(open_by_hand(world), 1U);

  world.kill(seconds{1});
  world.run_for(seconds{40});
  EXPECT_EQ(status_of(world, 0).state, ops::SymbolState::live) << "a claim outlives the process";
  EXPECT_EQ(open_by_hand(world), 1U) << "left alone by all of it";
  world.request_stop();
  world.run_for(seconds{12});
  ASSERT_TRUE(world.end().has_value());
  EXPECT_EQ(world.end()->exit_code, 0) << world.end()->reason;
  EXPECT_EQ(open_by_hand(world), 1U) << "also by the stop, which takes the switch back";
}

TEST(World, x16_a_hold_because_of_others_outlives_a_restart) {
  auto options = two_symbols(22);
  options.claims_every = base::hours{9};
  World world{options};
  world.run_for(seconds{20});
  world.trade_by_hand({.symbol = "SOLUSDC", .side = model::Side::ask, .ticks_away = 3000});
  world.run_for(seconds{2});
  world.kill(seconds{1});
  world.run_for(seconds{30});
  EXPECT_EQ(status_of(world, 1).reason.view(), "foreign_activity");
  EXPECT_EQ(status_of(world, 0).state, ops::SymbolState::live);
  EXPECT_EQ(open_by_hand(world), 1U);
}

TEST(World, x16_a_trade_by_hand_that_nobody_told_of_is_found_asked_for_and_held) {
  auto options = two_symbols(23);
  options.claims_every = base::hours{9};
  World world{options};
  world.run_for(seconds{20});
  // While the maker is dead an order is placed and filled: only the venue's list of trades knows.
  world.kill(seconds{25});
  world.trade_by_hand({.symbol = "ETHUSDC", .side = model::Side::bid, .ticks_away = 0});
  world.trade_by_hand({.symbol = "ETHUSDC", .side = model::Side::ask, .ticks_away = 0});
  world.run_for(seconds{24});
  ASSERT_LT(open_by_hand(world), 2U) << "the market took one of them";
  world.run_for(seconds{30});
  EXPECT_EQ(status_of(world, 0).reason.view(), "foreign_activity");
  world.tell(engine::OrdersClaimed{""});
  world.run_for(seconds{20});
  EXPECT_EQ(status_of(world, 0).state, ops::SymbolState::live);
  world.request_stop();
  world.run_for(seconds{12});
  expect_equal_ledgers(world);
}

TEST(World, killed_again_and_again_the_results_are_the_venues_to_the_digit) {
  auto options = two_symbols(24);
  World world{options};
  for (int i = 0; i < 8; ++i) {
    world.run_for(seconds{25} + milliseconds{137 * i});
    world.kill(seconds{1 + i % 3});
  }
  world.run_for(seconds{60});
  stop_and_expect_nothing_left(world);
  EXPECT_GT(world.engine().ledger().account(model::SymbolId{0}).fills_count, 5U);
}

TEST(World, a_person_pauses_a_symbol_over_restarts_and_an_alert_asks_until_it_is_over) {
  World world{two_symbols(25)};
  world.run_for(seconds{20});
  world.tell(engine::HoldAsked{engine::HoldBy::person, engine::HoldWish::hold, "ETHUSDC"});
  world.run_for(seconds{1});
  EXPECT_EQ(status_of(world, 0).orders_live, 0U);
  EXPECT_EQ(status_of(world, 0).reason.view(), "paused");
  world.kill(seconds{1});
  world.run_for(seconds{25});
  EXPECT_EQ(status_of(world, 0).reason.view(), "paused");
  EXPECT_EQ(status_of(world, 1).state, ops::SymbolState::live);
  world.tell(engine::HoldAsked{engine::HoldBy::person, engine::HoldWish::none, "ETHUSDC"});
  world.run_for(seconds{1});
  EXPECT_EQ(status_of(world, 0).state, ops::SymbolState::live);

  world.tell(engine::HoldAsked{engine::HoldBy::alert, engine::HoldWish::hold, ""});
  world.run_for(seconds{1});
  EXPECT_EQ(open_orders(world), 0U);
  world.tell(engine::HoldAsked{engine::HoldBy::person, engine::HoldWish::none, ""});
  world.run_for(seconds{1});
  EXPECT_EQ(open_orders(world), 0U) << "what an alert asks for is not a person's to end";
  world.tell(engine::HoldAsked{engine::HoldBy::alert, engine::HoldWish::reduce_only, ""});
  world.run_for(seconds{2});
  const auto reducing = status_of(world, 0);
  EXPECT_TRUE(reducing.orders_bid == 0 || reducing.orders_ask == 0) << "nothing is added to the position";
  world.tell(engine::HoldAsked{engine::HoldBy::alert, engine::HoldWish::none, ""});
  world.run_for(seconds{2});
  EXPECT_GT(status_of(world, 0).orders_bid, 0U);
  EXPECT_GT(status_of(world, 0).orders_ask, 0U);
  stop_and_expect_nothing_left(world);
}

TEST(World, i19_quotes_that_do_not_fit_the_price_are_held_with_the_reason) {
  auto options = two_symbols(26);
  options.engine.symbols[0].grid.start = {quote::DistanceUnit::abs, 0.001};
  World world{options};
  world.run_for(seconds{20});
  EXPECT_EQ(status_of(world, 0).reason.view(), "the configured quotes do not fit");
  EXPECT_EQ(status_of(world, 0).orders_live, 0U);
  EXPECT_EQ(status_of(world, 1).state, ops::SymbolState::live);
  const auto& notes = world.notes();
  EXPECT_TRUE(std::any_of(notes.begin(), notes.end(), [](const auto& note) {
    return note.find("do not fit symbol=ETHUSDC") != std::string::npos;
  }));
}

/// Counts requests by path while the order connection does not come up.
class PathCounter final : public Observer {
 public:
  void asked(Client, const exchange::HttpRequest& request) override {
    ++by_path[request.method + " " + request.target.substr(0, request.target.find('?'))];
  }
  std::map<std::string, int> by_path;
};

TEST(World, without_the_order_api_orders_go_by_rest_in_batches) {
  auto options = two_symbols(27);
  exchange::Fault refuse;
  refuse.kind = exchange::FaultKind::refuse;
  refuse.target.route = exchange::FaultRoute::order_api;
  refuse.target.which = exchange::FaultTarget::Which::all;
  refuse.length = base::minutes{10};
  options.faults.faults = {refuse};
  World world{options};
  PathCounter counter;
  world.set_observer(&counter);
  world.run_for(seconds{40});
  EXPECT_GE(open_orders(world), 4U * layers - 4U);
  auto& calls = counter.by_path;
  EXPECT_GT(calls["POST /fapi/v1/batchOrders"], 5);
  EXPECT_LT(calls["POST /fapi/v1/order"], calls["POST /fapi/v1/batchOrders"])
      << "28 orders at the start are 6 batches";
  world.request_stop();
  world.run_for(seconds{12});
  ASSERT_TRUE(world.end().has_value());
  EXPECT_EQ(world.end()->exit_code, 0) << world.end()->reason;
  EXPECT_GE(calls["DELETE /fapi/v1/batchOrders"], 2);
  expect_equal_ledgers(world);
  world.set_observer(nullptr);
}

TEST(World, funding_is_taken_from_the_income_history_once) {
  auto options = two_symbols(28);
  options.exchange.core.funding_interval = base::minutes{2};
  World world{options};
  world.run_for(seconds{330});
  world.kill(seconds{1});
  world.run_for(seconds{60});
  for (const std::string name : {"ETHUSDC", "SOLUSDC"}) {
    exchange::Ledger ledger;
    const auto& theirs = truth(world, ledger, name);
    const auto& ours = world.engine().ledger().account(*world.engine().symbols().find(name));
    EXPECT_EQ(order::amount_of(ours.funding, "USDC"), theirs.funding) << name;
    EXPECT_FALSE(theirs.funding.is_zero()) << name;
  }
}

}  // namespace
}  // namespace phoenix::sim
