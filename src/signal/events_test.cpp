#include "signal/events.hpp"

#include <string>

#include <gtest/gtest.h>

namespace phoenix::signal {
namespace {

using model::Price;

class Rules {
 public:
  RuleEvents step(std::optional<double> ofi, std::optional<double> cvd, const char* price = "100",
                  std::int64_t passed_ms = 100) {
    now_ += base::milliseconds{passed_ms};
    return rules_.on_trade({Price::of(price), ofi, cvd}, now_);
  }
  EventRules& rules() { return rules_; }

 private:
  EventRules rules_;
  base::VenueTime now_ = base::venue_time_ms(1'700'000'000'000);
};

TEST(EventRules, raw_scores_reach_what_clipped_ones_never_could) {
  Rules rules;
  const RuleEvents events = rules.step(3.5, -2.6);  // clipped they would be 3.0 and -1.9
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].type, EventType::ofi_cvd_conflict);
  EXPECT_EQ(events[0].strength, 60);
  EXPECT_EQ(events[1].type, EventType::ofi_cvd_divergence);
  EXPECT_EQ(events[1].direction, Direction::bullish);
  EXPECT_DOUBLE_EQ(events[1].strength, 3.05);
  EXPECT_EQ(events[2].type, EventType::anomaly);
  EXPECT_EQ(events[2].trigger, Trigger::both);
  EXPECT_DOUBLE_EQ(events[2].strength, 3.5);
}

TEST(EventRules, one_record_where_a_rule_begins_to_hold_and_one_where_it_ends) {
  Rules rules;
  EXPECT_EQ(rules.step(3.1, 0).size(), 1U);
  for (int n = 0; n < 50; ++n) EXPECT_TRUE(rules.step(4, 0).empty()) << "it holds";
  const RuleEvents end = rules.step(3.0, 0);
  ASSERT_EQ(end.size(), 1U);
  EXPECT_EQ(end[0].phase, EventPhase::end);
  EXPECT_EQ(end[0].type, EventType::anomaly);
  EXPECT_TRUE(rules.step(0, 0).empty());
}

TEST(EventRules, a_rule_that_flutters_begins_once_in_a_cool_down) {
  Rules rules;
  int begun = 0, ended = 0;
  for (int n = 0; n < 100; ++n) {  // 10 s, on and off every 100 ms
    for (const RuleEvent& event : rules.step(n % 2 == 0 ? 5 : 0, 0)) {
      begun += event.phase == EventPhase::begin;
      ended += event.phase == EventPhase::end;
    }
  }
  EXPECT_EQ(begun, 10);
  EXPECT_EQ(ended, 10);
}

TEST(EventRules, a_score_that_is_missing_ends_what_needed_it) {
  Rules rules;
  EXPECT_EQ(rules.step(2.2, -1.2)[0].type, EventType::ofi_cvd_conflict);
  const RuleEvents events = rules.step(2.2, std::nullopt);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].phase, EventPhase::end);
}

TEST(EventRules, end_all_ends_each_once) {
  Rules rules;
  rules.step(3.5, -2.6);
  EXPECT_EQ(rules.rules().end_all().size(), 3U);
  EXPECT_TRUE(rules.rules().end_all().empty());
}

TEST(EventRules, a_price_that_jumps_more_than_five_percent_between_trades) {
  Rules rules;
  rules.step(0, 0, "100");
  EXPECT_TRUE(rules.step(0, 0, "105").empty()) << "exactly five is not more";
  const RuleEvents fall = rules.step(0, 0, "99");
  ASSERT_EQ(fall.size(), 1U);
  EXPECT_EQ(fall[0].type, EventType::price_anomaly);
  EXPECT_EQ(fall[0].phase, EventPhase::once);
  EXPECT_EQ(fall[0].direction, Direction::bearish);
  rules.rules().break_prices();
  EXPECT_TRUE(rules.step(0, 0, "200", 5'000).empty()) << "trades around a hole are no neighbours";
}

TEST(EventRules, options_that_cannot_work_are_named) {
  EXPECT_EQ(check(EventOptions{}), "");
  EXPECT_NE(check(EventOptions{.divergence = 0}).find("events.divergence"), std::string::npos);
  EXPECT_NE(check(EventOptions{.price_change = 0}).find("events.price_change"), std::string::npos);
}

}  // namespace
}  // namespace phoenix::signal
