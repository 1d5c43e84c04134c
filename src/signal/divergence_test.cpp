#include "signal/divergence.hpp"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::signal {
namespace {

using model::Price;

Pivot pivot(std::int64_t index, const char* price, double indicator) {
  return {index, Price::of(price), indicator};
}

TEST(Divergence, scores_of_the_least_and_of_a_strong_pair) {
  const DivergenceOptions options;
  EXPECT_NEAR(divergence_score(options, pivot(0, "100", .1), pivot(6, "100", .1), {}), 38.625, 1e-9);
  EXPECT_NEAR(lowest_score(options), 38.625, 1e-9);
  EXPECT_NEAR(divergence_score(options, pivot(0, "100", -.5), pivot(24, "100", 1.5), {}), 85, 1e-9);
  EXPECT_GE(divergence_score(options, pivot(0, "100", -.5), pivot(24, "101", 1.5), .9), 85);
  EXPECT_NEAR(divergence_score(options, pivot(0, "100", -.5), pivot(24, "100", 1.5), 1), 87.25, 1e-9);
}

/// Feeds one sample a second with the same indicator to the ofi channel.
class Samples {
 public:
  explicit Samples(DivergenceOptions options = {}) : divergence_{options} {}
  std::optional<DivergenceFound> add(double price, double indicator, base::Duration lag = {}) {
    now_ += base::seconds{1};
    const auto raw = static_cast<std::int64_t>(std::llround(price * 1e8));
    const auto found =
        divergence_.sample({.price = Price::from_raw(raw), .ofi = indicator, .lag = lag}, now_);
    if (found) all_.push_back(*found);
    return found;
  }
  /// A V (or a peak, with a negative depth) whose turn is at `price` and `indicator`, `half` samples each
  /// side.
  void turn(double price, double indicator, double depth_sign, int half = 13) {
    for (int k = half; k >= -half; --k) add(price + depth_sign * std::abs(k), k == 0 ? indicator : 0);
  }
  const std::vector<DivergenceFound>& all() const { return all_; }

 private:
  Divergence divergence_;
  base::VenueTime now_ = base::venue_time_ms(1'700'000'000'000);
  std::vector<DivergenceFound> all_;
};

TEST(Divergence, each_type_by_what_price_and_indicator_did) {
  struct Case {
    double sign, price, indicator;
    EventType type;
  };
  for (const Case& c : {Case{1, 90, 1, EventType::bull_div}, Case{1, 110, -3, EventType::hidden_bull},
                        Case{-1, 110, -3, EventType::bear_div}, Case{-1, 90, 1, EventType::hidden_bear}}) {
    Samples samples{{.samples_full = 1}};
    samples.turn(100, -1, c.sign);
    samples.turn(c.price, c.indicator, c.sign);
    ASSERT_EQ(samples.all().size(), 1U);
    EXPECT_EQ(samples.all()[0].type, c.type);
    EXPECT_EQ(samples.all()[0].channel, Trigger::ofi);
    EXPECT_EQ(samples.all()[0].second.index - samples.all()[0].first.index, 27);
  }
}

TEST(Divergence, price_and_indicator_that_agree_are_no_divergence) {
  Samples samples{{.samples_full = 1}};
  samples.turn(100, -1, 1);
  samples.turn(90, -2, 1);
  samples.turn(80, -2, 1);
  EXPECT_TRUE(samples.all().empty()) << "an indicator that did not move parts from nothing";
}

TEST(Divergence, a_flat_bottom_is_no_pivot) {
  Samples samples{{.samples_full = 1}};
  samples.turn(100, -1, 1);
  for (int k = 13; k >= 0; --k) samples.add(90 + k, k == 0 ? 2 : 0);
  for (int k = 0; k <= 14; ++k) samples.add(90 + k, 0);  // 90 twice: ties do not count
  EXPECT_TRUE(samples.all().empty());
}

TEST(Divergence, few_samples_and_a_stale_book_weigh_less) {
  Samples early;
  early.turn(100, -2, 1);
  early.turn(90, 2, 1);
  EXPECT_TRUE(early.all().empty()) << "fewer than 100 samples";
  Samples later;
  for (int n = 0; n < 100; ++n) later.add(200, 0);
  later.turn(100, -2, 1);
  later.turn(90, 2, 1);
  ASSERT_EQ(later.all().size(), 1U);
  EXPECT_GE(later.all()[0].score, 85);
  Samples stale{{.score_min = 40, .samples_full = 1}};
  stale.turn(100, -2, 1);
  for (int k = 13; k >= -13; --k) stale.add(90 + std::abs(k), k == 0 ? 2 : 0, base::milliseconds{301});
  ASSERT_EQ(stale.all().size(), 1U);
  EXPECT_LT(stale.all()[0].score, 50);
}

TEST(Divergence, a_pair_speaks_once_and_waits_out_the_cool_down) {
  DivergenceOptions options{.samples_full = 1};
  options.cool_down = base::seconds{60};
  Samples samples{options};
  samples.turn(100, -2, 1);
  samples.turn(90, 2, 1);  // found at its 26th sample
  ASSERT_EQ(samples.all().size(), 1U);
  samples.turn(80, 3, 1);  // 27 s later: still cooling
  EXPECT_EQ(samples.all().size(), 1U);
  for (int n = 0; n < 120; ++n) samples.add(100, 0);
  ASSERT_EQ(samples.all().size(), 2U) << "it was kept, and told after the cool-down";
  EXPECT_EQ(samples.all()[1].second.price, Price::of("80"));
}

TEST(Divergence, the_best_channel_speaks) {
  Divergence divergence{{.samples_full = 1}};
  base::VenueTime now = base::venue_time_ms(1'700'000'000'000);
  std::vector<DivergenceFound> all;
  for (const auto& [low, weak, strong] : {std::tuple{100, -.1, -2.0}, {90, .1, 2.0}}) {
    for (int k = 13; k >= -13; --k) {
      now += base::seconds{1};
      const auto found = divergence.sample({.price = Price::from_units(low + std::abs(k)),
                                            .ofi = k == 0 ? weak : 0,
                                            .cvd = k == 0 ? strong : 0},
                                           now);
      if (found) all.push_back(*found);
    }
  }
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].channel, Trigger::cvd);
}

TEST(Divergence, a_sample_is_due_once_a_second_or_at_each_trade) {
  Divergence each_second;
  const base::VenueTime now = base::venue_time_ms(1'700'000'000'200);
  EXPECT_TRUE(each_second.is_due(now));
  each_second.sample({.price = Price::of("1")}, now);
  EXPECT_FALSE(each_second.is_due(now + base::milliseconds{799}));
  EXPECT_TRUE(each_second.is_due(now + base::milliseconds{800}));
  Divergence each_trade{{.sampling = DivergenceOptions::Sampling::each_trade}};
  each_trade.sample({.price = Price::of("1")}, now);
  EXPECT_TRUE(each_trade.is_due(now));
}

TEST(Divergence, a_minimum_that_lets_everything_pass_is_refused) {
  EXPECT_EQ(check(DivergenceOptions{}), "");
  EXPECT_NE(check(DivergenceOptions{.score_min = 35}).find("divergence.score_min"), std::string::npos);
  EXPECT_NE(check(DivergenceOptions{.z_clip = 1}).find("divergence.z_strong"), std::string::npos);
}

}  // namespace
}  // namespace phoenix::signal
