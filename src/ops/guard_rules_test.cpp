#include "ops/guard_rules.hpp"

#include <string>

#include <gtest/gtest.h>

namespace phoenix::ops {
namespace {

constexpr std::uint32_t pid = 100;

model::OrderReport order(std::string_view client_text) {
  model::OrderReport report;
  report.client_text = model::ClientText{client_text};
  report.id = model::ClientOrderId::parse(client_text);
  return report;
}
OrdersListed ours(int count = 1) {
  OrdersListed list;
  for (int i = 0; i < count; ++i)
    list.orders.push_back(order(model::ClientOrderId{7, static_cast<std::uint64_t>(i)}.text().view()));
  return list;
}

/// A maker that a test lets live, hang, die and leave, and a guard that looks at it every 200 ms.
class World {
 public:
  explicit World(GuardRestart restart) : guard{{.restart = restart}} {}

  /// Until the guard wants something of the venue or of the process, at most so long. Notes are kept in
  /// `told`.
  std::vector<GuardAction> until_action(base::Duration at_most) {
    std::vector<GuardAction> wanted;
    for (const auto end = now + at_most; wanted.empty() && now < end; now += base::milliseconds{200}) {
      if (moving) ++sight.progress->steps;
      wanted = give(sight);
    }
    return wanted;
  }
  template <class Action>
  Action expect(base::Duration at_most = base::seconds{1}) {
    const auto actions = until_action(at_most);
    return only<Action>(actions);
  }
  template <class Action>
  Action only(const std::vector<GuardAction>& actions) {
    EXPECT_EQ(actions.size(), 1u) << name(guard.state()) << '\n' << told;
    if (actions.size() != 1 || !std::holds_alternative<Action>(actions[0])) {
      ADD_FAILURE() << "another action was due; " << name(guard.state()) << '\n' << told;
      return {};
    }
    return std::get<Action>(actions[0]);
  }
  std::vector<GuardAction> give(const GuardInput& input) {
    std::vector<GuardAction> out;
    guard.step(input, now, out);
    std::vector<GuardAction> wanted;
    for (auto& action : out) {
      if (const auto* alert = std::get_if<GuardAlert>(&action)) {
        told += alert->text + '\n';
      } else if (const auto* note = std::get_if<GuardNote>(&action)) {
        told += note->text + '\n';
      } else {
        if (std::holds_alternative<LatchMaker>(action)) sight.latch = GuardLatch::set;
        wanted.push_back(std::move(action));
      }
    }
    return wanted;
  }
  bool quiet_for(base::Duration time) { return until_action(time).empty(); }

  void start(std::uint32_t new_pid, std::uint32_t epoch) {
    sight.progress = Progress{.pid = new_pid, .run_epoch = epoch, .phase = RunPhase::running};
    sight.lock_holder = new_pid;
    moving = true;
  }
  void hang() { moving = false; }
  void die() {
    moving = false;
    sight.lock_holder.reset();
  }
  void leave() {
    sight.progress->phase = RunPhase::finished;
    die();
  }
  /// From the first list of a maker that died to the wish to restart it.
  void fence() {
    only<ListOrders>(give(OrdersListed{}));
    give(OrdersListed{});
    expect<ListOrders>(base::seconds{3});
    give(OrdersListed{});
  }

  Guard guard;
  GuardSight sight;
  base::LocalTime now = base::local_time_ns(1'700'000'000'000'000'000);
  bool moving = false;
  std::string told;
};

TEST(Guard, does_nothing_while_there_is_progress_and_nothing_when_there_never_was_a_maker) {
  World w{GuardRestart::yes};
  EXPECT_TRUE(w.quiet_for(base::minutes{1}));
  EXPECT_TRUE(w.guard.is_well());
  w.start(pid, 7);
  EXPECT_TRUE(w.quiet_for(base::hours{1}));
  EXPECT_TRUE(w.guard.is_well());
}

TEST(Guard, v07_a_process_that_lives_without_progress_is_lost_after_three_seconds) {
  World w{GuardRestart::no};
  w.start(pid, 7);
  w.quiet_for(base::seconds{10});
  w.hang();
  EXPECT_TRUE(w.quiet_for(base::seconds{3}));
  w.expect<ListOrders>(base::milliseconds{600});
  EXPECT_FALSE(w.guard.is_well());
  EXPECT_EQ(w.only<CancelOrders>(w.give(ours(3))).orders.size(), 3u);
  w.give(CancelsAnswered{});
  w.expect<ListOrders>();
  w.give(OrdersListed{});
  EXPECT_EQ(w.guard.state(), GuardState::tending);
}

TEST(Guard, a_death_is_seen_at_once_by_the_lock_it_let_fall) {
  World w{GuardRestart::no};
  w.start(pid, 7);
  w.quiet_for(base::seconds{10});
  w.die();
  w.expect<ListOrders>(base::milliseconds{200});
}

TEST(Guard, cancels_only_orders_that_bear_our_id) {
  World w{GuardRestart::no};
  w.start(pid, 7);
  w.quiet_for(base::seconds{1});
  w.die();
  w.expect<ListOrders>();
  OrdersListed list = ours(1);
  list.orders.push_back(order("web_abc"));
  const auto cancel = w.only<CancelOrders>(w.give(list));
  ASSERT_EQ(cancel.orders.size(), 1u);
  EXPECT_EQ(cancel.orders[0].id, (model::ClientOrderId{7, 0}));
}

TEST(Guard, leaves_a_process_alone_that_moves_again_before_the_kill) {
  World w{GuardRestart::yes};
  w.start(pid, 7);
  w.quiet_for(base::seconds{1});
  w.hang();
  w.expect<ListOrders>(base::seconds{4});
  w.moving = true;
  EXPECT_TRUE(w.quiet_for(base::milliseconds{200}));
  EXPECT_TRUE(w.give(ours(1)).empty()) << "these are the orders of a maker that lives";
  EXPECT_TRUE(w.quiet_for(base::minutes{1}));
  EXPECT_TRUE(w.guard.is_well());
}

TEST(Guard, goes_on_looking_while_a_stalled_process_may_wake) {
  World w{GuardRestart::no};
  w.start(pid, 7);
  w.quiet_for(base::seconds{1});
  w.hang();
  w.expect<ListOrders>(base::seconds{4});
  w.give(OrdersListed{});
  for (int i = 0; i < 5; ++i) {
    w.expect<ListOrders>(base::seconds{6});
    w.give(OrdersListed{});
  }
  w.expect<ListOrders>(base::seconds{6});
  EXPECT_EQ(w.only<CancelOrders>(w.give(ours())).orders.size(), 1u);
}

TEST(Guard, asks_again_until_the_venue_answers) {
  World w{GuardRestart::no};
  w.start(pid, 7);
  w.quiet_for(base::seconds{1});
  w.die();
  w.expect<ListOrders>();
  for (int i = 0; i < 20; ++i) {
    w.give(ListFailed{"no route"});
    w.expect<ListOrders>();
  }
  EXPECT_NE(w.told.find("no route"), std::string::npos);
  EXPECT_NE(w.told.find("they may rest"), std::string::npos);
}

TEST(Guard, v08_restarts_only_behind_the_fence) {
  World w{GuardRestart::yes};
  w.start(pid, 7);
  w.quiet_for(base::seconds{1});
  w.hang();
  w.expect<ListOrders>(base::seconds{4});
  w.only<CancelOrders>(w.give(ours()));
  w.give(CancelsAnswered{});
  w.expect<ListOrders>();
  const auto kill = w.only<KillHolder>(w.give(OrdersListed{}));
  EXPECT_EQ(kill.pid, pid);
  EXPECT_TRUE(w.quiet_for(base::seconds{4})) << "nothing before its lock is free";
  EXPECT_EQ(w.expect<KillHolder>(base::seconds{2}).pid, pid) << "again, it still holds the lock";
  w.die();
  const auto freed = w.now;
  w.expect<ListOrders>();
  w.only<CancelOrders>(w.give(ours()));  // sent with its last breath
  w.give(CancelsAnswered{});
  w.expect<ListOrders>();
  w.give(OrdersListed{});
  w.expect<ListOrders>(base::seconds{3});
  EXPECT_GE(w.now - freed, base::seconds{2}) << "the confirmation is younger than any request of it";
  EXPECT_TRUE(w.give(OrdersListed{}).empty());
  w.expect<RestartMaker>(base::seconds{2});
  w.start(pid + 1, 8);
  EXPECT_TRUE(w.quiet_for(base::minutes{1}));
  EXPECT_TRUE(w.guard.is_well());
}

TEST(Guard, kills_nobody_but_the_process_it_lost) {
  World w{GuardRestart::yes};
  w.start(pid, 7);
  w.quiet_for(base::seconds{1});
  w.hang();
  w.expect<ListOrders>(base::seconds{4});
  w.only<KillHolder>(w.give(OrdersListed{}));
  w.start(pid + 5, 8);  // another supervisor was faster
  EXPECT_TRUE(w.quiet_for(base::minutes{1}));
  EXPECT_TRUE(w.guard.is_well());
}

TEST(Guard, unreachable_venue_does_not_stop_the_kill_but_the_restart) {
  World w{GuardRestart::yes};
  w.start(pid, 7);
  w.quiet_for(base::seconds{1});
  w.hang();
  w.expect<ListOrders>(base::seconds{4});
  bool killed = false;
  for (int i = 0; i < 60 && !killed; ++i) {
    w.give(ListFailed{"no route"});
    const auto actions = w.until_action(base::seconds{1});
    killed = actions.size() == 1 && std::holds_alternative<KillHolder>(actions[0]);
  }
  EXPECT_TRUE(killed);
  w.die();
  for (int i = 0; i < 60; ++i) {
    w.expect<ListOrders>();
    w.give(ListFailed{"no route"});
  }
  EXPECT_EQ(w.guard.restarts(), 0);
}

TEST(Guard, never_restarts_into_a_latch) {
  World w{GuardRestart::yes};
  w.start(pid, 7);
  w.quiet_for(base::seconds{1});
  w.sight.latch = GuardLatch::set;
  w.die();
  w.expect<ListOrders>();
  w.give(OrdersListed{});
  w.expect<ListOrders>(base::seconds{3});
  w.give(OrdersListed{});
  EXPECT_TRUE(w.quiet_for(base::hours{1}));
  EXPECT_EQ(w.guard.restarts(), 0);
  EXPECT_FALSE(w.guard.is_well());
}

TEST(Guard, a_latch_set_during_the_backoff_stops_the_restart) {
  World w{GuardRestart::yes};
  w.start(pid, 7);
  w.quiet_for(base::seconds{1});
  w.die();
  w.expect<ListOrders>();
  w.fence();
  EXPECT_EQ(w.guard.state(), GuardState::waiting);
  w.sight.latch = GuardLatch::set;
  w.expect<ListOrders>(base::seconds{3});
  w.give(OrdersListed{});
  EXPECT_TRUE(w.quiet_for(base::hours{1}));
  EXPECT_EQ(w.guard.restarts(), 0);
}

TEST(Guard, a_clean_end_is_not_restarted_and_its_leftovers_are_cancelled) {
  World w{GuardRestart::yes};
  w.start(pid, 7);
  w.quiet_for(base::seconds{1});
  w.leave();
  w.expect<ListOrders>(base::milliseconds{400});
  w.only<CancelOrders>(w.give(ours()));
  w.give(CancelsAnswered{});
  w.expect<ListOrders>();
  EXPECT_TRUE(w.give(OrdersListed{}).empty());
  EXPECT_TRUE(w.quiet_for(base::hours{1}));
  EXPECT_EQ(w.guard.restarts(), 0);
  EXPECT_TRUE(w.guard.is_well());
}

TEST(Guard, three_restarts_in_ten_minutes_latch_and_it_stays_down) {
  World w{GuardRestart::yes};
  w.start(pid, 7);
  for (std::uint32_t i = 1; i <= 3; ++i) {
    w.quiet_for(base::seconds{20});
    w.die();
    w.expect<ListOrders>();
    w.fence();
    w.expect<RestartMaker>(base::seconds{10});
    w.start(pid + i, 7 + i);
  }
  w.quiet_for(base::seconds{20});
  w.hang();
  w.expect<ListOrders>(base::seconds{4});
  w.only<KillHolder>(w.give(OrdersListed{}));
  w.die();
  w.expect<ListOrders>();
  w.give(OrdersListed{});
  w.expect<ListOrders>(base::seconds{3});
  const auto latch = w.only<LatchMaker>(w.give(OrdersListed{}));
  EXPECT_NE(latch.reason.find("3 restarts within 10 min"), std::string::npos);
  w.expect<ListOrders>(base::seconds{3});
  w.give(OrdersListed{});
  EXPECT_TRUE(w.quiet_for(base::hours{2}));
  EXPECT_EQ(w.guard.restarts(), 3);
}

TEST(Guard, v12_the_backoff_doubles_and_begins_anew_after_ten_minutes_of_health) {
  World w{GuardRestart::yes};
  w.start(pid, 7);
  std::uint32_t run = 0;
  const auto restart_delay = [&](base::Duration healthy) {
    w.quiet_for(healthy);
    w.die();
    w.expect<ListOrders>();
    w.fence();
    const auto from = w.now;
    w.expect<RestartMaker>(base::seconds{70});
    ++run;
    w.start(pid + run, 7 + run);
    return w.now - from;
  };
  EXPECT_LT(restart_delay(base::minutes{4}), base::milliseconds{1500});
  EXPECT_GE(restart_delay(base::minutes{4}), base::milliseconds{2000});
  EXPECT_GE(restart_delay(base::minutes{4}), base::milliseconds{4000});
  EXPECT_LT(restart_delay(base::minutes{11}), base::milliseconds{1500});
}

TEST(Guard, a_restart_that_brings_nothing_counts_as_one) {
  World w{GuardRestart::yes};
  w.start(pid, 7);
  w.quiet_for(base::seconds{1});
  w.die();
  w.expect<ListOrders>();
  w.fence();
  w.expect<RestartMaker>(base::seconds{10});
  for (int i = 0; i < 2; ++i) {
    if (i == 0) w.only<ListOrders>(w.give(RestartFailed{"exit code 2"}));
    if (i == 1) w.expect<ListOrders>(base::seconds{21});
    w.only<ListOrders>(w.give(OrdersListed{}));
    EXPECT_TRUE(w.give(OrdersListed{}).empty()) << "nobody has held the lock for long";
    w.expect<RestartMaker>(base::seconds{10});
  }
  EXPECT_EQ(w.guard.restarts(), 3);
  w.expect<ListOrders>(base::seconds{21});
  w.only<ListOrders>(w.give(OrdersListed{}));
  w.only<LatchMaker>(w.give(OrdersListed{}));
}

}  // namespace
}  // namespace phoenix::ops
