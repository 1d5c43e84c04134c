#include "signal/labels.hpp"

#include <string>

#include <gtest/gtest.h>

namespace phoenix::signal {
namespace {

base::VenueTime at(std::int64_t ms) { return base::venue_time_ms(1'700'000'000'000 + ms); }

TEST(Labels, sessions_change_at_eight_and_sixteen) {
  const auto of_day = [](int h, int m, int s) {
    return base::VenueTime{std::chrono::days{19'675} + base::hours{h} + base::minutes{m} + base::seconds{s}};
  };
  EXPECT_EQ(session_at(of_day(0, 0, 0)), Session::tokyo);
  EXPECT_EQ(session_at(of_day(7, 59, 59)), Session::tokyo);
  EXPECT_EQ(session_at(of_day(8, 0, 0)), Session::london);
  EXPECT_EQ(session_at(of_day(15, 59, 59)), Session::london);
  EXPECT_EQ(session_at(of_day(16, 0, 0)), Session::ny);
  EXPECT_EQ(session_at(of_day(23, 59, 59)), Session::ny);
  EXPECT_EQ(text(Session::ny), "NY");
}

/// `per_minute` trades a minute, evenly, until `until_ms`.
void trade(Labeller& labeller, std::int64_t& now_ms, std::int64_t until_ms, std::int64_t per_minute) {
  for (; now_ms < until_ms; now_ms += 60'000 / per_minute) {
    labeller.on_trade(at(now_ms));
  }
}

TEST(Labels, no_regime_before_the_window_is_full) {
  Labeller labeller;
  std::int64_t now = 0;
  trade(labeller, now, 299'000, 60);
  EXPECT_FALSE(labeller.at(at(now)).regime);
  labeller.on_book(at(300'000));
  EXPECT_EQ(labeller.at(at(now)).regime, Regime::active);
}

TEST(Labels, active_begins_at_the_limit_and_ends_below_the_exit) {
  Labeller labeller;  // .1 a second is 30 in the window, the exit 24
  std::int64_t now = 0;
  trade(labeller, now, 600'000, 5);  // 25
  EXPECT_EQ(labeller.at(at(now)).regime, Regime::quiet);
  trade(labeller, now, 1'200'000, 6);  // 30
  EXPECT_EQ(labeller.at(at(now)).regime, Regime::active);
  trade(labeller, now, 1'800'000, 5);  // 25 again
  EXPECT_EQ(labeller.at(at(now)).regime, Regime::active) << "it holds until below the exit";
  trade(labeller, now, 2'400'000, 4);  // 20
  EXPECT_EQ(labeller.at(at(now)).regime, Regime::quiet);
}

TEST(Labels, volatility_is_split_by_its_own_history) {
  Labeller labeller{{.window_secs = 10, .vol_history_secs = 100}};
  std::int64_t now = 0;
  const auto second = [&](double size) {
    labeller.on_book(at(now += 1'000));
    labeller.on_second(now % 2'000 == 0 ? size : -size);
  };
  for (int n = 0; n < 19; ++n) second(1e-4);
  EXPECT_FALSE(labeller.at(at(now)).vol_bucket) << "ten seconds for the value, ten values for the split";
  second(1e-4);
  EXPECT_EQ(labeller.at(at(now)).vol_bucket, VolBucket::low) << "all alike is not above its median";
  for (int n = 0; n < 3; ++n) second(5e-4);
  EXPECT_EQ(labeller.at(at(now)).vol_bucket, VolBucket::high);
  EXPECT_EQ(labeller.at(at(now)).scenario_2x2, Scenario::q_h);
  for (int n = 0; n < 40; ++n) second(1e-5);
  EXPECT_EQ(labeller.at(at(now)).vol_bucket, VolBucket::low);
  EXPECT_EQ(labeller.at(at(now)).scenario_2x2, Scenario::q_l);
  labeller.on_second(std::nullopt);
  EXPECT_FALSE(labeller.at(at(now)).vol_bucket) << "a second without a return starts the window anew";
}

TEST(Labels, every_scenario_is_reached_by_a_market_that_changes) {
  Labeller labeller{{.window_secs = 20, .active_tps = 1, .vol_history_secs = 200}};
  std::int64_t now = 0;
  int seen[4] = {};
  for (int n = 0; n < 4'000; ++n) {
    const bool busy = n / 100 % 2 == 0, wild = n / 50 % 2 == 0;
    for (int k = 0; k < (busy ? 5 : 0); ++k) labeller.on_trade(at(now));
    labeller.on_book(at(now += 1'000));
    labeller.on_second((n % 2 == 0 ? 1 : -1) * (wild ? 1e-3 : 1e-5));
    if (const auto scenario = labeller.at(at(now)).scenario_2x2) ++seen[static_cast<int>(*scenario)];
  }
  for (const int count : seen) EXPECT_GT(count, 200);
}

TEST(Labels, a_row_carries_the_version_of_its_method) {
  EXPECT_EQ(Labeller{}.at(at(0)).label_method, 2);
  EXPECT_EQ(Labeller{{.fee_tier = FeeTier::tl}}.at(at(0)).fee_tier, FeeTier::tl);
}

TEST(Labels, options_that_cannot_work_are_named) {
  EXPECT_EQ(check(LabelOptions{}), "");
  EXPECT_NE(check(LabelOptions{.window_secs = 0}).find("labels.window_secs"), std::string::npos);
  EXPECT_NE(check(LabelOptions{.vol_split = 1}).find("labels.vol_split"), std::string::npos);
  EXPECT_NE(check(LabelOptions{.vol_history_secs = 299}).find("labels.vol_history_secs"), std::string::npos);
}

}  // namespace
}  // namespace phoenix::signal
