#include "ops/health.hpp"

#include <functional>

#include <gtest/gtest.h>

namespace phoenix::ops {
namespace {

using Kind = HealthCheckKind;
using Level = HealthLevel;

const auto start = base::local_time_ns(1'000'000'000'000);

/// A maker of two symbols with nothing wrong, two minutes after its start.
Status well(base::LocalTime now = start + base::minutes{2}) {
  Status status;
  status.now = now;
  status.started_time = start;
  status.phase = base::ShortText<24>{"running"};
  status.clock_offset = base::milliseconds{3};
  status.clock_error = base::milliseconds{5};
  for (const char* name : {"BTCUSDC", "ETHUSDC"}) {
    SymbolStatus s;
    s.name = model::SymbolTable::Name{name};
    s.state = SymbolState::live;
    s.verdict = base::ShortText<16>{"live"};
    s.proved_time = now - base::milliseconds{80};
    s.orders_live = 14;
    s.orders_bid = s.orders_ask = 7;
    s.guard.level_name = "normal";
    s.guard.reason = "none";
    status.symbols.push_back(s);
  }
  return status;
}

Health judge(const Status& status, base::LocalTime now = start + base::minutes{2}) {
  HealthJudge judging;
  return judging.judge(status, now);
}

const HealthCheck& check(const Health& health, Kind kind) {
  return health.checks[static_cast<std::size_t>(kind)];
}

TEST(Health, a_maker_that_quotes_is_well_and_ready) {
  const auto health = judge(well());
  EXPECT_EQ(health.level, Level::ok);
  EXPECT_EQ(health.process_problem, "");
  EXPECT_TRUE(health.ready);
  for (std::size_t i = 0; i < health.checks.size(); ++i) {
    EXPECT_EQ(health.checks[i].kind, static_cast<Kind>(i));
    EXPECT_EQ(health.checks[i].level, Level::ok) << health.checks[i].what;
    EXPECT_FALSE(health.checks[i].what.empty());
    EXPECT_EQ(health.checks[i].help, "");
  }
}

struct Case {
  const char* name;
  std::function<void(Status&)> spoil;
  Kind kind;
  Level level;
  const char* what;  ///< part of it
  const char* help;  ///< the command
};

class HealthCase : public ::testing::TestWithParam<Case> {};

TEST_P(HealthCase, is_told_with_a_command_that_helps) {
  const auto& of = GetParam();
  Status status = well();
  of.spoil(status);
  const auto health = judge(status);
  const auto& told = check(health, of.kind);
  EXPECT_EQ(told.level, of.level) << told.what;
  EXPECT_NE(told.what.find(of.what), std::string::npos) << told.what;
  EXPECT_EQ(told.help, of.help);
  EXPECT_GE(health.level, of.level);
}

const base::LocalTime at = start + base::minutes{2};
INSTANTIATE_TEST_SUITE_P(
    All, HealthCase,
    ::testing::Values(
        Case{"the_engine_is_slow", [](Status& s) { s.now = at - base::seconds{3}; }, Kind::progress,
             Level::warning, "not stepped for 3.0 s", "phoenix guard -c FILE --restart"},
        Case{"the_engine_is_stuck", [](Status& s) { s.now = at - base::seconds{11}; }, Kind::progress,
             Level::severe, "not stepped for 11.0 s", "phoenix guard -c FILE --restart"},
        Case{"a_price_is_old", [](Status& s) { s.symbols[0].proved_time = at - base::seconds{6}; },
             Kind::prices, Level::warning, "BTCUSDC: price live and proved 6.0 s ago",
             "phoenix doctor -c FILE --last 10m"},
        Case{"a_price_is_lost", [](Status& s) { s.symbols[1].proved_time = at - base::seconds{11}; },
             Kind::prices, Level::severe, "ETHUSDC", "phoenix doctor -c FILE --last 10m"},
        Case{"a_price_was_never_proved", [](Status& s) { s.symbols[1].proved_time.reset(); }, Kind::prices,
             Level::severe, "ETHUSDC: no price was proved yet", "phoenix doctor -c FILE --last 10m"},
        Case{"data_comes_late", [](Status& s) { s.symbols[1].late = true; }, Kind::prices, Level::warning,
             "ETHUSDC", "phoenix doctor -c FILE --last 10m"},
        Case{"one_symbol_is_held",
             [](Status& s) {
               s.symbols[0].state = SymbolState::hold;
               s.symbols[0].reason = base::ShortText<48>{"user stream down"};
             },
             Kind::quoting, Level::warning, "BTCUSDC: user stream down", "phoenix doctor -c FILE --last 10m"},
        Case{"all_are_held",
             [](Status& s) {
               for (auto& each : s.symbols) each.state = SymbolState::hold;
             },
             Kind::quoting, Level::severe, "ETHUSDC", "phoenix doctor -c FILE --last 10m"},
        Case{"nothing_rests", [](Status& s) { s.symbols[0].orders_live = 0; }, Kind::orders, Level::severe,
             "BTCUSDC: may quote, and nothing rests", "phoenix doctor -c FILE --last 10m"},
        Case{"one_side_lacks", [](Status& s) { s.symbols[0].orders_ask = 0; }, Kind::orders, Level::warning,
             "BTCUSDC: no ask rests", "phoenix doctor -c FILE --last 10m"},
        Case{"a_fate_is_unknown", [](Status& s) { s.symbols[0].orders_unknown = 2; }, Kind::orders,
             Level::warning, "the fate of 2 orders is unknown", "phoenix doctor -c FILE --last 10m"},
        Case{"orders_rest_under_a_hold", [](Status& s) { s.symbols[0].state = SymbolState::hold; },
             Kind::orders, Level::warning, "14 orders rest although it is held",
             "phoenix emergency cancel-all -c FILE"},
        Case{"the_kill_latch_is_set",
             [](Status& s) {
               s.latched = true;
               s.latch_reason = base::ShortText<160>{"operator"};
             },
             Kind::account, Level::severe, "the kill latch is set: operator",
             "phoenix emergency re-arm -c FILE"},
        Case{
            "a_guard_warns",
            [](Status& s) {
              s.symbols[1].guard = {
                  .level = 1, .level_name = "warn", .reason = "usage_warn", .reasons = {}, .peak_equity = {}};
            },
            Kind::account, Level::warning, "ETHUSDC: guard warn (usage_warn)",
            "phoenix doctor -c FILE --last 10m"},
        Case{"a_guard_latched",
             [](Status& s) {
               s.account.guard = {.level = 6,
                                  .level_name = "close",
                                  .reason = "account_drawdown",
                                  .reasons = {},
                                  .peak_equity = {}};
               s.account.guard.reasons.push_back({"account_drawdown", true});
             },
             Kind::account, Level::severe, "account: guard close (account_drawdown)",
             "phoenix emergency re-arm -c FILE"},
        Case{"orders_are_foreign", [](Status& s) { s.foreign_orders = 3; }, Kind::account, Level::warning,
             "3 open orders are not ours", "phoenix orders claim -c FILE"},
        Case{"the_state_cannot_be_written",
             [](Status& s) { s.state_store.fault = base::ShortText<160>{"disk full"}; }, Kind::account,
             Level::warning, "state.db: disk full", "df -h"},
        Case{"the_clocks_are_apart", [](Status& s) { s.clock_offset = base::milliseconds{-1500}; },
             Kind::clock, Level::warning, "-1.500 s", "timedatectl status"},
        Case{"the_recording_fails",
             [](Status& s) {
               s.recording.active = true;
               s.recording.fault = base::ShortText<96>{"no space left"};
             },
             Kind::recording, Level::severe, "no space left", "df -h"},
        Case{"the_disk_fills",
             [](Status& s) {
               s.recording.active = true;
               s.recording.hours_left = 20;
             },
             Kind::recording, Level::warning, "full in 20.0 h", "df -h"}),
    [](const auto& of) { return std::string{of.param.name}; });

TEST(Health, a_minute_without_errors_is_no_error) {
  HealthJudge judging;
  for (int i = 0; i < 100; ++i) {
    const auto now = start + base::minutes{2} + base::seconds{i};
    EXPECT_EQ(check(judging.judge(well(now), now), Kind::errors).level, Level::ok);
  }
}

TEST(Health, errors_are_counted_by_the_minute_and_forgotten_after_it) {
  HealthJudge judging;
  Status status = well();
  status.frames_bad = 1000;  // long ago
  auto now = at;
  const auto look = [&] {
    status.now = now;
    return check(judging.judge(status, now), Kind::errors).level;
  };
  EXPECT_EQ(look(), Level::ok);
  now += base::seconds{10};
  status.frames_bad += 6;
  EXPECT_EQ(look(), Level::warning);
  now += base::seconds{10};
  status.symbols[0].rejects += 4;
  EXPECT_EQ(look(), Level::severe);
  status.symbols[0].rejects += 50;
  status.symbols[0].post_only_rejects += 50;  // the market moved: no error
  for (int i = 0; i < 14; ++i) {
    now += base::seconds{5};
    look();
  }
  EXPECT_EQ(look(), Level::ok);
}

TEST(Health, what_is_expected_while_it_starts_is_not_severe) {
  Status status = well(start + base::seconds{5});
  for (auto& s : status.symbols) {
    s.state = SymbolState::cold;
    s.proved_time.reset();
    s.reason = base::ShortText<48>{"starting"};
    s.orders_live = 0;
  }
  const auto health = judge(status, start + base::seconds{5});
  EXPECT_EQ(health.level, Level::warning);
  EXPECT_EQ(health.process_problem, "");
  EXPECT_FALSE(health.ready);
  EXPECT_EQ(judge(status, start + base::seconds{61}).level, Level::severe);
}

TEST(Health, i04_a_quiet_book_with_its_orders_in_place_is_well) {
  Status status = well();
  status.last_user_event_time = start;  // nothing placed, cancelled or filled for two minutes
  EXPECT_EQ(judge(status).level, Level::ok);
}

TEST(Health, a_guard_that_forbids_adding_explains_an_empty_side) {
  Status status = well();
  status.symbols[0].orders_ask = 0;
  status.symbols[0].guard.level = 3;
  EXPECT_EQ(check(judge(status), Kind::orders).level, Level::ok);
  status.symbols[0].guard.level = 0;
  status.symbols[0].mode_reason = "volatility";
  EXPECT_EQ(check(judge(status), Kind::orders).level, Level::ok);
}

TEST(Health, readiness_names_each_symbol_that_may_not_quote_and_why) {
  Status status = well();
  status.symbols[1].state = SymbolState::hold;
  status.symbols[1].reason = base::ShortText<48>{"price unproved"};
  const auto health = judge(status);
  EXPECT_FALSE(health.ready);
  EXPECT_EQ(health.process_problem, "") << "the process is well nevertheless";
  ASSERT_EQ(health.symbols.size(), 2U);
  EXPECT_TRUE(health.symbols[0].ready);
  EXPECT_FALSE(health.symbols[1].ready);
  EXPECT_EQ(health.symbols[1].why, "price unproved");
}

TEST(Health, v07_an_engine_that_stands_still_is_neither_well_nor_ready) {
  const Status status = well();
  const auto health = judge(status, at + base::seconds{4});
  EXPECT_NE(health.process_problem, "");
  EXPECT_FALSE(health.ready);
  EXPECT_EQ(health.symbols[0].why, health.process_problem);
  EXPECT_NE(judge(Status{}).process_problem, "");
}

TEST(Health, a_recorder_is_judged_by_what_it_records) {
  Status status = well();
  for (auto& s : status.symbols) {
    s.quoted = false;
    s.recorded = true;
    s.orders_live = s.orders_bid = s.orders_ask = 0;
  }
  EXPECT_EQ(judge(status).level, Level::ok);
  EXPECT_TRUE(judge(status).ready);
  status.symbols[0].state = SymbolState::syncing;
  EXPECT_FALSE(judge(status).ready);
}

}  // namespace
}  // namespace phoenix::ops
