#include "ops/alerts.hpp"

#include "ops/metrics_text.hpp"

#include <algorithm>
#include <regex>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::ops {
namespace {

using base::milliseconds;
using base::minutes;
using base::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// A maker of two symbols without a care.
Status well() {
  Status status;
  status.phase = base::ShortText<24>{"running"};
  for (const auto* name : {"BTCUSDT", "ETHUSDT"}) {
    auto& s = status.symbols.push_back({});
    s.name = model::SymbolTable::Name{name};
    s.state = SymbolState::live;
    s.verdict = base::ShortText<16>{"live"};
    s.switch_armed = true;
    s.orders_live = 10;
    s.usage = model::Rate::of("0.2");
  }
  auto& c = status.connections.push_back({});
  c.name = base::ShortText<16>{"public_a"};
  c.state = base::ShortText<16>{"live"};
  c.wanted = true;
  status.countdown = seconds{10};
  status.weight_limit = status.orders_10s_limit = status.orders_1m_limit = 100;
  return status;
}

AlertOptions options_of(std::initializer_list<const char*> rules) {
  AlertOptions options;
  options.instance = "test";
  for (const auto* name : rules) options.rules.push_back(*find_alert_rule(name));
  return options;
}

/// Alerts with a clock that only this moves.
class Bench {
 public:
  explicit Bench(AlertOptions options) : alerts{std::move(options)} {}
  Bench(std::initializer_list<const char*> rules) : Bench{options_of(rules)} {}

  /// Steps twice a second for so long; everything asked for.
  std::vector<AlertAct> run(base::Duration how_long) {
    std::vector<AlertAct> out;
    for (const auto end = now + how_long; now < end; now += milliseconds{500}) {
      status.now = now;
      alerts.step(status, now, out);
    }
    return out;
  }
  SymbolStatus& symbol(std::size_t i) { return status.symbols[i]; }

  Alerts alerts;
  Status status = well();
  base::LocalTime now = base::local_time_ns(1'700'000'000'000'000'000);
};

std::vector<std::string> told(const std::vector<AlertAct>& acts) {
  std::vector<std::string> out;
  for (const auto& act : acts) {
    const auto* m = std::get_if<AlertMessage>(&act);
    if (m == nullptr) continue;
    auto text = fmt::format("{} {}", name(m->kind), m->rule);
    for (const auto& s : m->subjects) text += " " + s.name;
    out.push_back(text);
  }
  return out;
}
template <class Act>
std::vector<Act> only(const std::vector<AlertAct>& acts) {
  std::vector<Act> out;
  for (const auto& act : acts) {
    if (const auto* found = std::get_if<Act>(&act)) out.push_back(*found);
  }
  return out;
}

TEST(Alerts, says_nothing_while_all_is_well) {
  AlertOptions options;
  options.rules.assign(alert_rules().begin(), alert_rules().end());
  options.heartbeat = {};
  Bench bench{options};
  EXPECT_THAT(bench.run(minutes{90}), IsEmpty());
}

TEST(Alerts, a_condition_is_told_once_after_its_dwell_and_once_when_it_is_over) {
  Bench bench{"not_quoting"};
  EXPECT_THAT(bench.run(minutes{1}), IsEmpty());
  bench.symbol(0).state = SymbolState::hold;
  EXPECT_THAT(bench.run(milliseconds{4000}), IsEmpty()) << "its dwell is four seconds";
  EXPECT_THAT(told(bench.run(minutes{1})), ElementsAre("fired not_quoting BTCUSDT"));
  bench.symbol(0).state = SymbolState::live;
  EXPECT_THAT(bench.run(seconds{10}), IsEmpty());
  const auto acts = bench.run(minutes{1});
  EXPECT_THAT(told(acts), ElementsAre("resolved not_quoting BTCUSDT"));
  EXPECT_GE(only<AlertMessage>(acts)[0].lasted, seconds{65});
}

// I20: a hold or a kill is told within five seconds.
TEST(Alerts, i20_what_stops_quoting_is_told_within_five_seconds) {
  Bench bench{"not_quoting", "price_unproved", "kill_latched"};
  bench.run(minutes{1});
  bench.symbol(0).state = SymbolState::hold;
  bench.symbol(1).verdict = base::ShortText<16>{"stalled"};
  bench.status.latched = true;
  EXPECT_THAT(told(bench.run(seconds{5})), ElementsAre("fired kill_latched ", "fired price_unproved ETHUSDT",
                                                       "fired not_quoting BTCUSDT"));
}

TEST(Alerts, what_comes_back_before_the_dwell_is_over_is_not_told) {
  Bench bench{"not_quoting"};
  for (int i = 0; i < 100; ++i) {
    bench.symbol(0).state = SymbolState::hold;
    EXPECT_THAT(bench.run(seconds{3}), IsEmpty());
    bench.symbol(0).state = SymbolState::live;
    EXPECT_THAT(bench.run(seconds{3}), IsEmpty());
  }
}

TEST(Alerts, what_flaps_is_one_alert) {
  Bench bench{"not_quoting"};
  bench.symbol(0).state = SymbolState::hold;
  EXPECT_THAT(told(bench.run(seconds{10})), SizeIs(1));
  for (int i = 0; i < 50; ++i) {
    bench.symbol(0).state = SymbolState::live;
    EXPECT_THAT(bench.run(seconds{5}), IsEmpty());
    bench.symbol(0).state = SymbolState::hold;
    EXPECT_THAT(bench.run(seconds{5}), IsEmpty());
  }
}

TEST(Alerts, a_value_has_to_come_back_by_the_hysteresis) {
  Bench bench{"usage_high"};  // 0.8, back at 0.72
  bench.symbol(0).usage = model::Rate::of("0.81");
  EXPECT_THAT(told(bench.run(seconds{10})), ElementsAre("fired usage_high BTCUSDT"));
  bench.symbol(0).usage = model::Rate::of("0.75");
  EXPECT_THAT(bench.run(minutes{5}), IsEmpty());
  bench.symbol(0).usage = model::Rate::of("0.72");
  EXPECT_THAT(told(bench.run(seconds{15})), ElementsAre("resolved usage_high BTCUSDT"));
}

TEST(Alerts, symbols_that_fail_together_are_one_message) {
  Bench bench{"not_quoting"};
  bench.run(seconds{5});
  for (auto& s : bench.status.symbols) s.state = SymbolState::hold;
  EXPECT_THAT(told(bench.run(seconds{30})), ElementsAre("fired not_quoting BTCUSDT ETHUSDT"));
}

TEST(Alerts, what_lasts_is_reminded_of_by_its_level) {
  Bench bench{"kill_latched"};
  bench.status.latched = true;
  EXPECT_THAT(told(bench.run(minutes{16})), ElementsAre("fired kill_latched ", "still kill_latched ",
                                                        "still kill_latched ", "still kill_latched "));
}

TEST(Alerts, a_counter_is_judged_by_how_it_grew_in_the_window) {
  Bench bench{"rejects"};  // more than 5 a minute
  bench.symbol(0).rejects = 1000;
  EXPECT_THAT(bench.run(minutes{5}), IsEmpty()) << "what was before is not news";
  bench.symbol(0).rejects += 5;
  EXPECT_THAT(bench.run(minutes{2}), IsEmpty());
  bench.symbol(0).rejects += 4;
  EXPECT_THAT(bench.run(seconds{30}), IsEmpty());
  bench.symbol(0).rejects += 2;
  EXPECT_THAT(told(bench.run(seconds{2})), ElementsAre("fired rejects BTCUSDT"));
  EXPECT_THAT(told(bench.run(minutes{2})), ElementsAre("resolved rejects BTCUSDT"));
  bench.symbol(0).rejects = 0;
  EXPECT_THAT(bench.run(minutes{2}), IsEmpty()) << "another run counts from nothing";
}

TEST(Alerts, i15_two_hours_without_a_fill_are_told_and_not_a_minute_earlier) {
  Bench bench{"no_fills"};
  EXPECT_THAT(bench.run(minutes{119}), IsEmpty());
  bench.symbol(1).fills = 1;
  EXPECT_THAT(told(bench.run(minutes{5})), ElementsAre("fired no_fills BTCUSDT"));
  bench.symbol(0).state = SymbolState::hold;
  EXPECT_THAT(told(bench.run(minutes{1})), ElementsAre("resolved no_fills BTCUSDT")) << "nobody expects one";
  bench.symbol(0).state = SymbolState::live;
  EXPECT_THAT(bench.run(minutes{110}), IsEmpty()) << "the two hours begin anew";
}

TEST(Alerts, an_orderly_end_is_no_alert) {
  Bench bench{"not_quoting", "connection_down", "price_unproved"};
  bench.run(minutes{1});
  bench.status.phase = base::ShortText<24>{"stopping"};
  for (auto& s : bench.status.symbols) s.state = SymbolState::hold;
  bench.status.connections[0].state = base::ShortText<16>{"closed"};
  EXPECT_THAT(bench.run(minutes{1}), IsEmpty());
}

TEST(Alerts, a_start_has_a_minute) {
  Bench bench{"not_quoting", "connection_down", "price_unproved", "start_takes_long"};
  bench.status.phase = base::ShortText<24>{"starting"};
  for (auto& s : bench.status.symbols) s.state = SymbolState::cold;
  EXPECT_THAT(bench.run(minutes{1}), IsEmpty());
  EXPECT_THAT(told(bench.run(seconds{5})), ElementsAre("fired start_takes_long "));
}

TEST(Alerts, an_engine_that_stands_still_is_told_by_the_age_of_its_picture) {
  Bench bench{"engine_stuck"};
  bench.run(minutes{1});
  const auto stopped = bench.status.now;
  std::vector<AlertAct> out;
  for (; bench.now < stopped + seconds{5}; bench.now += milliseconds{500})
    bench.alerts.step(bench.status, bench.now, out);
  EXPECT_THAT(told(out), ElementsAre("fired engine_stuck "));
}

TEST(Alerts, an_action_holds_while_the_alert_lasts_and_the_worst_wins) {
  auto options = options_of({"usage_high", "usage_full"});
  options.rules[0].action = AlertAction::hold;
  Bench bench{options};
  bench.symbol(1).usage = model::Rate::of("1.2");
  const auto begun = only<AlertRestraint>(bench.run(seconds{3}));
  EXPECT_THAT(begun,
              ElementsAre(AlertRestraint{"ETHUSDT", AlertAction::reduce_only, "alert usage_full ETHUSDT"}));
  const auto worse = only<AlertRestraint>(bench.run(minutes{1}));
  EXPECT_THAT(worse, ElementsAre(AlertRestraint{"ETHUSDT", AlertAction::hold, "alert usage_high ETHUSDT"}));
  bench.symbol(1).usage = model::Rate::of("0.1");
  EXPECT_THAT(only<AlertRestraint>(bench.run(seconds{9})), IsEmpty());
  EXPECT_THAT(only<AlertRestraint>(bench.run(seconds{5})),
              ElementsAre(AlertRestraint{"ETHUSDT", AlertAction::none, ""}));
}

TEST(Alerts, an_alert_about_everything_holds_everything) {
  auto options = options_of({"clock_off"});
  options.rules[0].action = AlertAction::hold;
  Bench bench{options};
  bench.status.clock_offset = seconds{-1};
  EXPECT_THAT(only<AlertRestraint>(bench.run(seconds{10})),
              ElementsAre(AlertRestraint{"", AlertAction::hold, "alert clock_off"}));
}

TEST(Alerts, a_kill_is_asked_for_once) {
  auto options = options_of({"usage_full"});
  options.rules[0].action = AlertAction::kill;
  Bench bench{options};
  bench.symbol(0).usage = model::Rate::of("1.5");
  const auto kills = only<AlertKill>(bench.run(minutes{30}));
  EXPECT_THAT(kills,
              ElementsAre(AlertKill{"alert usage_full BTCUSDT: the position is larger than net_max (1.5)"}));
}

TEST(Alerts, a_rule_never_holds_what_it_complains_is_held) {
  auto options = options_of({"not_quoting"});
  options.rules[0].action = AlertAction::hold;
  EXPECT_DEATH(Alerts{options}, "does not hold what it complains is held");
}

TEST(Alerts, a_storm_is_a_bounded_number_of_messages_and_a_digest_names_the_rest) {
  auto options = options_of({"price_unproved"});
  options.per_minute = 3;
  Bench bench{options};
  bench.status.symbols.clear();
  for (int i = 0; i < 40; ++i) {
    auto& s = bench.status.symbols.push_back({});
    s.name = model::SymbolTable::Name{fmt::format("S{:02}", i)};
    s.verdict = base::ShortText<16>{"live"};
  }
  std::vector<AlertAct> all;
  for (auto& s : bench.status.symbols) {  // one after the other, as streams die
    s.verdict = base::ShortText<16>{"stalled"};
    for (const auto& act : bench.run(seconds{1})) all.push_back(act);
  }
  for (const auto& act : bench.run(minutes{2})) all.push_back(act);
  const auto messages = only<AlertMessage>(all);
  const auto digests = std::count_if(messages.begin(), messages.end(),
                                     [](const auto& m) { return m.kind == AlertKind::digest; });
  EXPECT_EQ(digests, 1);
  EXPECT_LE(messages.size(), 7U);
  const auto& digest = messages.back();
  ASSERT_EQ(digest.kind, AlertKind::digest);
  EXPECT_EQ(digest.level, AlertLevel::severe);
  EXPECT_EQ(bench.alerts.held_back(), 40 - (messages.size() - 1));
  EXPECT_THAT(digest.lines,
              ElementsAre(fmt::format("price_unproved fired: {} times", bench.alerts.held_back())));
  EXPECT_THAT(bench.alerts.active(), SizeIs(40)) << "held back from people, not forgotten";
}

TEST(Alerts, what_is_mild_takes_no_room_from_what_is_critical) {
  auto options = options_of({"usage_high", "kill_latched"});
  options.per_minute = 1;
  Bench bench{options};
  bench.symbol(0).usage = bench.symbol(1).usage = model::Rate::of("0.9");
  EXPECT_THAT(told(bench.run(seconds{6})), SizeIs(1));
  bench.status.latched = true;
  EXPECT_THAT(told(bench.run(seconds{2})), ElementsAre("fired kill_latched "));
}

TEST(Alerts, a_heartbeat_comes_whether_or_not_anything_happens) {
  auto options = options_of({"kill_latched"});
  options.heartbeat = minutes{60};
  Bench bench{options};
  const auto quiet = only<AlertMessage>(bench.run(minutes{121}));
  ASSERT_THAT(quiet, SizeIs(2));
  EXPECT_EQ(quiet[0].kind, AlertKind::heartbeat);
  EXPECT_EQ(quiet[0].what, "running; 2 of 2 symbols quoted; 0 alerts in force");
  EXPECT_EQ(quiet[1].at - quiet[0].at, minutes{60});
  bench.status.latched = true;
  const auto loud = only<AlertMessage>(bench.run(minutes{60}));
  const auto beat =
      std::find_if(loud.begin(), loud.end(), [](const auto& m) { return m.kind == AlertKind::heartbeat; });
  ASSERT_NE(beat, loud.end());
  EXPECT_THAT(beat->lines, ElementsAre(HasSubstr("level 3 kill_latched")));
}

TEST(Alerts, what_is_in_force_is_listed_worst_first) {
  Bench bench{"usage_high", "kill_latched"};
  bench.symbol(1).usage = model::Rate::of("0.9");
  bench.status.latched = true;
  bench.run(seconds{10});
  const auto active = bench.alerts.active();
  ASSERT_THAT(active, SizeIs(2));
  EXPECT_EQ(active[0].rule, "kill_latched");
  EXPECT_EQ(active[1].subject, "ETHUSDT");
  EXPECT_EQ(active[1].value, "0.9");
}

TEST(AlertRules, have_a_name_a_text_and_help_each_and_names_are_unique) {
  std::set<std::string_view> names;
  const std::regex plain{"[a-z][a-z0-9_]*"};
  for (const auto& rule : alert_rules()) {
    EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
    EXPECT_TRUE(std::regex_match(std::string{rule.name}, plain)) << rule.name;
    EXPECT_FALSE(rule.what.empty() || rule.help.empty() || rule.expr.empty()) << rule.name;
    EXPECT_LE(rule.what.find('\n'), std::string_view::npos) << rule.name;
    EXPECT_EQ(rule.measure == AlertMeasure::increase, rule.window.count() > 0) << rule.name;
    EXPECT_GE(rule.hysteresis, 0) << rule.name;
    EXPECT_TRUE(rule.is_back(rule.clear_at()) && !rule.is_beyond(rule.clear_at())) << rule.name;
  }
}

TEST(AlertRules, usage_above_one_is_critical_and_reduces_only) {
  const auto* rule = find_alert_rule("usage_full");
  ASSERT_NE(rule, nullptr);
  EXPECT_EQ(rule->level, AlertLevel::critical);
  EXPECT_EQ(rule->action, AlertAction::reduce_only);
  EXPECT_EQ(rule->threshold, 1);
}

/// Every rule finds something to say of a status in which everything is wrong.
TEST(AlertRules, each_can_fire) {
  auto options = AlertOptions{};
  options.rules.assign(alert_rules().begin(), alert_rules().end());
  options.per_minute = 60;
  options.heartbeat = {};
  Bench bench{options};
  bench.status.recording.active = bench.status.state_store.active = true;
  bench.status.recording.free_bytes = 1;
  bench.run(base::hours{2} + minutes{1});  // nobody has a fill
  auto fired = told(bench.run(seconds{1}));
  std::set<std::string> rules;
  for (const auto& alert : bench.alerts.active()) rules.insert(std::string{alert.rule});
  auto& st = bench.status;
  for (auto& s : st.symbols) {
    s.recorded = true;
    s.last_depth_time = bench.now - minutes{5};
    s.usage = model::Rate::of("2");
    s.guard.level = 7;
    s.verdict = base::ShortText<16>{"stalled"};
    s.state = SymbolState::hold;
    s.switch_armed = false;
    s.orders_unknown = 1;
    s.lag = seconds{2};
  }
  st.latched = true;
  st.account.guard.level = 7;
  st.foreign_orders = 1;
  st.connections[0].state = base::ShortText<16>{"connecting"};
  st.clock_offset = seconds{2};
  st.bandwidth_step = 1;
  st.weight_used = 99;
  st.recording.fault = base::ShortText<96>{"disk"};
  st.recording.hours_left = 1;
  st.recording.sync_lag = seconds{5};
  st.recording.backlog = 100;
  st.state_store.fault = base::ShortText<160>{"disk"};
  for (int i = 0; i < 800; ++i) {  // counters that never rest
    for (auto& s : st.symbols) {
      s.strategy_failures += 1;
      s.rejects += 1;
      s.cancels += 2;
      s.resyncs += 1;
      s.trades_lost += 1;
    }
    st.position_mismatches += 1;
    st.connections[0].reconnects += 1;
    st.frame_ring.dropped += 1;
    st.recording.journal_lost += 1;
    st.frames_bad += 1;
    bench.run(milliseconds{500});
  }
  for (const auto& alert : bench.alerts.active()) rules.insert(std::string{alert.rule});
  const auto stopped = bench.status.now;
  std::vector<AlertAct> out;
  for (; bench.now < stopped + seconds{5}; bench.now += milliseconds{500})
    bench.alerts.step(st, bench.now, out);
  st.phase = base::ShortText<24>{"starting"};
  for (const auto end = bench.now + minutes{2}; bench.now < end; bench.now += milliseconds{500})
    bench.alerts.step(st, bench.now, out);
  for (const auto& alert : bench.alerts.active()) rules.insert(std::string{alert.rule});
  for (const auto& rule : alert_rules()) EXPECT_TRUE(rules.contains(std::string{rule.name})) << rule.name;
}

/// A name in an expression that /metrics does not serve would be a rule that never fires.
TEST(AlertRules, name_only_metrics_that_are_served) {
  std::set<std::string> served;
  for (const auto& family : metric_families()) served.insert("phoenix_" + std::string{family.name});
  const std::regex name{"phoenix_[a-z0-9_]+"};
  for (const auto& rule : alert_rules()) {
    const auto text = fmt::format("{} {}", rule.expr, rule.only);
    for (std::sregex_iterator it{text.begin(), text.end(), name}, end; it != end; ++it)
      EXPECT_TRUE(served.contains(it->str())) << rule.name << ": " << it->str();
  }
}

TEST(AlertRules, carry_their_names_to_prometheus_in_camel_case) {
  EXPECT_EQ(prometheus_name("kill_latched"), "PhoenixKillLatched");
  EXPECT_EQ(prometheus_name("disk_low"), "PhoenixDiskLow");
}

TEST(AlertRules, values_are_shown_with_their_unit) {
  EXPECT_EQ(alert_value_text(1.5, ""), "1.5");
  EXPECT_EQ(alert_value_text(0.123456, "s"), "0.123 s");
  EXPECT_EQ(alert_value_text(12, "h"), "12 h");
  EXPECT_EQ(alert_value_text(5.0 * 1024 * 1024 * 1024, "B"), "5.0 GiB");
}

}  // namespace
}  // namespace phoenix::ops
