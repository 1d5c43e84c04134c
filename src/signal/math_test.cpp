#include "signal/math.hpp"

#include "base/rng.hpp"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace phoenix::signal {
namespace {

constexpr double close = 1e-12;

void expect_near_relative(double is, double should, double at) {
  EXPECT_LE(std::abs(is - should), close * std::abs(should)) << "at " << at;
}

TEST(Math, powers_logarithms_and_the_logistic_agree_with_the_library) {
  base::Rng rng{7};
  for (int i = 0; i < 20'000; ++i) {
    const double x = static_cast<double>(rng.between(-400'000, 400'000)) / 1000;
    expect_near_relative(exp2_fixed(x), std::exp2(x), x);
    expect_near_relative(exp_fixed(x), std::exp(x), x);
    expect_near_relative(logistic(x / 20), 1 / (1 + std::exp(-x / 20)), x);
    const double positive = std::exp2(x);
    EXPECT_NEAR(log2_fixed(positive), x, close * std::abs(x) + 1e-15);
    const double ratio = static_cast<double>(rng.between(1'001, 9'000)) / 1000;
    expect_near_relative(pow_fixed(ratio, .7), std::pow(ratio, .7), ratio);
    expect_near_relative(log2_fixed(ratio), std::log2(ratio), ratio);
  }
}

TEST(Math, whole_powers_of_two_are_exact) {
  for (int n = -1022; n <= 1023; ++n) {
    EXPECT_EQ(exp2_fixed(n), std::ldexp(1, n));
    EXPECT_EQ(log2_fixed(std::ldexp(1, n)), n);
  }
  EXPECT_EQ(exp2_fixed(-1074), std::ldexp(1, -1074));
}

TEST(Math, ends_of_the_range_saturate) {
  EXPECT_EQ(exp2_fixed(1024), std::numeric_limits<double>::infinity());
  EXPECT_EQ(exp2_fixed(-2000), 0);
  EXPECT_TRUE(std::isnan(exp2_fixed(std::numeric_limits<double>::quiet_NaN())));
  EXPECT_EQ(logistic(-5000), 0);
  EXPECT_EQ(logistic(5000), 1);
  EXPECT_EQ(logistic(0), .5);
}

TEST(Math, a_sum_of_quantities_stops_at_the_ends) {
  const auto most = model::Qty::from_raw(std::numeric_limits<std::int64_t>::max());
  const auto least = model::Qty::from_raw(std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(saturating_sum(most, model::Qty::of("1")), most);
  EXPECT_EQ(saturating_sum(least, model::Qty::of("-1")), least);
  EXPECT_EQ(saturating_sum(model::Qty::of("2"), model::Qty::of("-3")), model::Qty::of("-1"));
}

}  // namespace
}  // namespace phoenix::signal
