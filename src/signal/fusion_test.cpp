#include "signal/fusion.hpp"

#include "base/rng.hpp"

#include <cmath>
#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace phoenix::signal {
namespace {

using enum FusionSignal;

/// One past its warm-up, with the default options.
class Warm {
 public:
  Warm() {
    for (int n = 0; n < 10; ++n) step(0, 0);
  }
  FusionSample step(double ofi, double cvd, std::int64_t passed_ms = 1'000, std::int64_t lag_ms = 0) {
    now_ms_ += passed_ms;
    return fusion_.step({ofi, cvd, base::milliseconds{lag_ms}}, base::venue_time_ms(now_ms_));
  }
  Fusion& fusion() { return fusion_; }

 private:
  Fusion fusion_;
  std::int64_t now_ms_ = 1'700'000'000'000;
};

TEST(FusionScore, the_eleventh_sample_is_the_first_with_a_score) {
  Fusion fusion;
  for (int n = 1; n <= 12; ++n) {
    const auto sample = fusion.step({2, 2, {}}, base::venue_time_ms(n * 1'000));
    EXPECT_EQ(sample.score.has_value(), n >= 11) << n;
    EXPECT_EQ(sample.proba.has_value(), n >= 11);
    EXPECT_EQ(sample.reason, n >= 11 ? FusionReason::ready : FusionReason::warmup);
    EXPECT_EQ(sample.signal, n >= 11 ? strong_buy : neutral);
  }
}

TEST(FusionScore, scores_weigh_both_and_consistency_is_their_ratio) {
  Warm warm;
  const auto sample = warm.step(2, 1);
  EXPECT_DOUBLE_EQ(*sample.score, 1.6);
  EXPECT_DOUBLE_EQ(*sample.consistency, .5);
  EXPECT_DOUBLE_EQ(*sample.comp_ofi, 1.2);
  EXPECT_DOUBLE_EQ(*sample.comp_cvd, .4);
  EXPECT_DOUBLE_EQ(*sample.dispersion, 1);
  EXPECT_EQ(sample.sign_agree, true);
  EXPECT_NEAR(*sample.proba, 1 / (1 + std::exp(-1.6)), 1e-12);
  EXPECT_EQ(sample.raw, buy);
  EXPECT_DOUBLE_EQ(*warm.step(4.5, 4.5).score, 4) << "each is clipped first";
  EXPECT_EQ(*warm.step(2, -1).consistency, 0);
  EXPECT_EQ(warm.step(2, -1).sign_agree, false);
  EXPECT_EQ(*warm.step(2, 1e-10).consistency, 0);
}

TEST(FusionScore, a_stale_book_raises_no_signal) {
  Warm warm;
  const auto sample = warm.step(2.2, -1.0, 1'000, 500);
  EXPECT_EQ(sample.raw, neutral);
  EXPECT_EQ(sample.signal, neutral);
  EXPECT_EQ(sample.reason, FusionReason::degraded);
  EXPECT_FALSE(sample.consistency);
  EXPECT_DOUBLE_EQ(*sample.score, 2.2) << "the stronger side alone";
}

TEST(FusionScore, a_stale_book_may_hold_a_signal_and_let_it_go) {
  Warm warm;
  EXPECT_EQ(warm.step(1.2, 1.2).signal, buy);
  EXPECT_EQ(warm.step(3, 3, 1'000, 500).signal, buy) << "held, not raised to strong";
  EXPECT_EQ(warm.step(.5, .4, 1'000, 500).signal, neutral) << "below the exit";
  EXPECT_EQ(warm.step(3, 3, 1'000, 250).signal, strong_buy) << "at the limit the book still counts";
}

TEST(FusionScore, cool_downs_are_shorter_for_stronger_scores) {
  const FusionOptions options;
  EXPECT_EQ(effective_cool_down(options, 1.7), base::milliseconds{120});
  EXPECT_EQ(effective_cool_down(options, 9), base::milliseconds{120});
  EXPECT_EQ(effective_cool_down(options, .95), base::milliseconds{300});
  EXPECT_EQ(effective_cool_down(options, -.2), base::milliseconds{300});
}

TEST(FusionScore, a_signal_is_entered_held_and_left) {
  Warm warm;
  EXPECT_EQ(warm.step(1, 1).signal, buy);
  const auto held = warm.step(.9, .9);
  EXPECT_EQ(held.raw, neutral);
  EXPECT_EQ(held.signal, neutral) << "with full consistency the exit lies at the entry";
  EXPECT_EQ(warm.step(1.4, .7).signal, buy);
  const auto kept = warm.step(1.1, .3);  // score .78, consistency .27: the exit is .6
  EXPECT_EQ(kept.raw, neutral);
  EXPECT_EQ(kept.signal, buy);
  EXPECT_EQ(kept.reason, FusionReason::held);
  EXPECT_EQ(warm.step(.8, .2).signal, neutral) << "score .56";
}

TEST(FusionScore, a_strong_signal_is_forgotten_once_left) {
  Warm warm;
  EXPECT_EQ(warm.step(3, 3).signal, strong_buy);
  EXPECT_EQ(warm.step(1.2, 1.2).signal, strong_buy) << "a plain score holds it";
  EXPECT_EQ(warm.step(0, 0).signal, neutral);
  EXPECT_EQ(warm.step(1.2, 1.2).signal, buy) << "and does not bring it back";
}

TEST(FusionScore, raising_waits_for_the_cool_down_and_a_clear_flip_does_not) {
  Warm warm;
  EXPECT_EQ(warm.step(1.1, 1.1).signal, buy);
  const auto early = warm.step(2.5, 2.5, 100);
  EXPECT_EQ(early.raw, strong_buy);
  EXPECT_EQ(early.signal, buy);
  EXPECT_EQ(early.reason, FusionReason::cool_down);
  EXPECT_EQ(warm.step(2.5, 2.5, 20).signal, strong_buy) << "120 ms after the entry";
  EXPECT_EQ(warm.step(-1.2, -1.2, 10).signal, sell) << "a flip";
  EXPECT_EQ(warm.step(.96, .96, 10).signal, neutral) << "too weak to flip at once, and no longer a sell";
}

TEST(FusionScore, one_consistency_rule_decides) {
  Warm warm;
  EXPECT_EQ(warm.step(3, .3).raw, neutral) << "score 1.92, consistency .1";
  EXPECT_EQ(warm.step(3, .45).raw, buy) << "consistency .15 is enough for a plain signal";
  EXPECT_EQ(warm.step(3, 1.2).raw, buy) << "score 2.28, consistency .4: not for a strong one";
  EXPECT_EQ(warm.step(3, 1.5).raw, strong_buy);
  EXPECT_EQ(warm.step(.85, .85).raw, neutral) << "agreement does not lower the entry";
}

TEST(FusionScore, what_is_missing_or_not_finite_gives_no_score_and_no_signal) {
  Warm warm;
  EXPECT_EQ(warm.step(3, 3).signal, strong_buy);
  const auto missing = warm.fusion().step({std::nullopt, 3, {}}, base::venue_time_ms(1'800'000'000'000));
  EXPECT_EQ(missing.reason, FusionReason::no_input);
  EXPECT_FALSE(missing.score);
  EXPECT_EQ(missing.signal, neutral);
  for (const double wrong :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    const auto sample = warm.step(wrong, 1);
    EXPECT_EQ(sample.reason, FusionReason::invalid_input);
    EXPECT_FALSE(sample.score);
    EXPECT_EQ(sample.signal, neutral);
  }
}

/// The table of the header, over random inputs: what was entered needs a cause, what is held needs a score.
TEST(FusionScore, every_signal_has_its_cause) {
  base::Rng rng{21};
  Warm warm;
  const FusionOptions options;
  FusionSignal before = neutral;
  const auto side = [](FusionSignal s) { return s == neutral ? 0 : s == buy || s == strong_buy ? 1 : -1; };
  const auto rank = [](FusionSignal s) { return s == neutral ? 0 : s == buy || s == sell ? 1 : 2; };
  for (int n = 0; n < 50'000; ++n) {
    const double common = static_cast<double>(rng.normal_milli()) / 600;
    const auto sample = warm.step(common + static_cast<double>(rng.normal_milli()) / 2'000,
                                  common + static_cast<double>(rng.normal_milli()) / 2'000,
                                  rng.between(0, 400), rng.below(5) == 0 ? 400 : 50);
    if (sample.signal != neutral) {
      ASSERT_GE(side(sample.signal) * *sample.score, options.exit);
      const bool raised = side(sample.signal) != side(before) || rank(sample.signal) > rank(before);
      if (raised) {
        ASSERT_EQ(sample.signal, sample.raw);
        ASSERT_EQ(sample.reason, FusionReason::ready);
        ASSERT_TRUE(sample.consistency);
      }
    }
    before = sample.signal;
  }
}

TEST(FusionScore, options_that_cannot_work_are_named) {
  EXPECT_EQ(check(FusionOptions{}), "");
  EXPECT_NE(check(FusionOptions{.base = 2}).find("fusion.base"), std::string::npos);
  EXPECT_NE(check(FusionOptions{.strong = 4}).find("fusion.strong"), std::string::npos);
  EXPECT_NE(check(FusionOptions{.exit = 1}).find("fusion.exit"), std::string::npos);
}

}  // namespace
}  // namespace phoenix::signal
