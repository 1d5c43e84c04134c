#include "app/service_notice.hpp"

#include "io/notify_socket.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::app {
namespace {

using ops::SymbolState;

ops::SymbolStatus symbol(const char* name, SymbolState state, std::string_view reason = {}) {
  ops::SymbolStatus s;
  s.name = model::SymbolTable::Name{name};
  s.state = state;
  s.reason = base::ShortText<48>{reason};
  return s;
}
ops::SymbolStatus guarded(const char* name, int level) {
  auto s = symbol(name, SymbolState::hold, "stop_loss");
  s.guard.level = level;
  s.guard.reason = "stop_loss";
  return s;
}
ops::Status of(std::vector<ops::SymbolStatus> symbols) {
  ops::Status status;
  for (auto& s : symbols) status.symbols.push_back(s);
  return status;
}
base::LocalTime at(int ms) { return base::LocalTime{} + base::milliseconds{ms}; }

TEST(ServiceNotice, a_start_is_over_when_a_symbol_may_be_quoted) {
  EXPECT_FALSE(is_settled(of({}), Purpose::run));
  EXPECT_FALSE(is_settled(of({symbol("A", SymbolState::cold, "not running")}), Purpose::run));
  EXPECT_FALSE(is_settled(of({symbol("A", SymbolState::hold, "position not reconciled")}), Purpose::run));
  EXPECT_TRUE(
      is_settled(of({symbol("A", SymbolState::syncing, "book not synced"), symbol("B", SymbolState::live)}),
                 Purpose::run));
}

TEST(ServiceNotice, a_start_is_over_when_guards_or_persons_hold_every_symbol) {
  EXPECT_TRUE(is_settled(of({guarded("A", ops::GuardStatus::level_close), guarded("B", 7)}), Purpose::run));
  EXPECT_FALSE(
      is_settled(of({guarded("A", 7), symbol("B", SymbolState::syncing, "book not synced")}), Purpose::run));
  auto latched = of({symbol("A", SymbolState::hold, "kill latch set")});
  latched.latched = true;
  EXPECT_TRUE(is_settled(latched, Purpose::run));
}

TEST(ServiceNotice, a_symbol_that_is_held_for_another_reason_is_not_decided_by_its_guard) {
  auto held = guarded("A", 7);
  held.reason = base::ShortText<48>{"user stream not connected"};
  EXPECT_FALSE(is_settled(of({held}), Purpose::run));
}

TEST(ServiceNotice, a_recorder_counts_what_it_records) {
  auto recorded = symbol("A", SymbolState::live),
       other = symbol("B", SymbolState::syncing, "book not synced");
  recorded.quoted = false;
  recorded.recorded = true;
  EXPECT_TRUE(is_settled(of({recorded, other}), Purpose::record));
  EXPECT_FALSE(is_settled(of({recorded, other}), Purpose::run));
  EXPECT_EQ(service_text(of({recorded, other}), Purpose::record), "1 of 1 symbols recorded");
}

TEST(ServiceNotice, its_line_counts_and_names_at_most_three_that_are_held) {
  EXPECT_EQ(
      service_text(of({symbol("A", SymbolState::live), symbol("B", SymbolState::hold, "x y")}), Purpose::run),
      "1 of 2 symbols quoting; B: x y");
  EXPECT_EQ(service_text(of({symbol("A", SymbolState::hold, "p"), symbol("B", SymbolState::hold, "q"),
                             symbol("C", SymbolState::hold, "r"), symbol("D", SymbolState::hold, "s"),
                             symbol("E", SymbolState::hold, "t")}),
                         Purpose::run),
            "0 of 5 symbols quoting; A: p; B: q; C: r; and 2 more");
  auto status = of({symbol("A", SymbolState::live)});
  status.paper = true;
  EXPECT_EQ(service_text(status, Purpose::run), "paper: 1 of 1 symbols quoting");
  status.latched = true;
  status.latch_reason = base::ShortText<160>{"liquidation of A"};
  EXPECT_EQ(service_text(status, Purpose::run), "the kill latch is set: liquidation of A");
}

class Told : public testing::Test {
 protected:
  std::string heard() {
    const auto message = socket_.next();
    return message ? message->text : "nothing";
  }
  void turn(std::uint64_t progress, int ms, const ops::Status& status) {
    notice_.turn(progress, at(ms), [&] {
      ++looks_;
      return status;
    });
  }
  io::NotifySocket socket_;
  ServiceNotice notice_{io::ServiceManager{socket_.name()}, Purpose::run};
  int looks_ = 0;
  const ops::Status starting_ = of({symbol("A", SymbolState::syncing, "book not synced")});
  const ops::Status live_ = of({symbol("A", SymbolState::live)});
};

TEST_F(Told, ready_once_and_only_when_the_start_is_over) {
  turn(10, 0, starting_);
  EXPECT_EQ(heard(),
            "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=30000000\nSTATUS=0 of 1 symbols quoting; A: book not synced\n");
  turn(11, 1000, live_);
  EXPECT_EQ(heard(), "READY=1\nWATCHDOG=1\nSTATUS=1 of 1 symbols quoting\n");
  turn(12, 2000, live_);
  EXPECT_EQ(heard(), "WATCHDOG=1\n");
  turn(13, 3000, starting_);
  turn(14, 4000, live_);
  EXPECT_EQ(heard(), "WATCHDOG=1\nSTATUS=0 of 1 symbols quoting; A: book not synced\n");
  EXPECT_EQ(heard(), "WATCHDOG=1\nSTATUS=1 of 1 symbols quoting\n");
}

TEST_F(Told, no_sign_of_life_without_progress) {
  turn(10, 0, live_);
  EXPECT_EQ(heard(), "READY=1\nWATCHDOG=1\nSTATUS=1 of 1 symbols quoting\n");
  turn(10, 1000, live_);
  turn(10, 2000, live_);
  EXPECT_EQ(heard(), "nothing");
  turn(11, 3000, live_);
  EXPECT_EQ(heard(), "WATCHDOG=1\n");
}

TEST_F(Told, at_most_once_a_second) {
  turn(10, 0, live_);
  EXPECT_NE(heard(), "nothing");
  for (int ms = 100; ms < 1000; ms += 100) turn(static_cast<std::uint64_t>(ms), ms, live_);
  EXPECT_EQ(heard(), "nothing");
  EXPECT_EQ(looks_, 1) << "a picture of the whole is not made for nothing";
}

TEST_F(Told, of_leaving_at_once_and_of_more_time_while_it_moves) {
  turn(10, 0, live_);
  EXPECT_NE(heard(), "nothing");
  notice_.leaving(10, at(100));
  EXPECT_EQ(heard(), "STOPPING=1\nSTATUS=withdrawing all orders\n");
  notice_.leaving(20, at(200));
  EXPECT_EQ(heard(), "nothing");
  notice_.leaving(20, at(1100));
  EXPECT_EQ(heard(), "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=30000000\n");
  notice_.leaving(20, at(2200));
  EXPECT_EQ(heard(), "nothing");
}

TEST(ServiceNotice, without_a_manager_nothing_is_looked_at) {
  ServiceNotice notice{io::ServiceManager{""}, Purpose::run};
  notice.turn(1, at(0), []() -> ops::Status { throw 1; });
  notice.leaving(2, at(10));
}

}  // namespace
}  // namespace phoenix::app
