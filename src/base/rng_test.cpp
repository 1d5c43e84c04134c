#include "base/rng.hpp"

#include <array>
#include <limits>

#include <gtest/gtest.h>

namespace phoenix::base {
namespace {

TEST(Rng, gives_the_same_numbers_everywhere) {
  // Worked out apart from this code, from the published algorithms: splitmix64 fills the state.
  Rng rng{42};
  const std::array<std::uint64_t, 6> expected{0x15780b2e0c2ec716ULL, 0x6104d9866d113a7eULL,
                                              0xae17533239e499a1ULL, 0xecb8ad4703b360a1ULL,
                                              0xfde6dc7fe2ec5e64ULL, 0xc50da53101795238ULL};
  for (const auto number : expected) EXPECT_EQ(rng.next(), number);
}

TEST(Rng, can_run_at_compile_time) {
  static_assert(Rng{1}.next() == Rng{1}.next());
  static_assert(Rng{1}.next() != Rng{2}.next());
}

TEST(Rng, stays_within_its_range_and_reaches_both_ends) {
  Rng rng{7};
  std::array<int, 10> seen{};
  for (int i = 0; i < 10'000; ++i) {
    const auto value = rng.between(-3, 6);
    ASSERT_GE(value, -3);
    ASSERT_LE(value, 6);
    ++seen[static_cast<std::size_t>(value + 3)];
  }
  for (const int count : seen) EXPECT_NEAR(count, 1'000, 150);
  EXPECT_EQ(rng.below(1), 0u);
  EXPECT_EQ(rng.between(5, 5), 5);
}

TEST(Rng, covers_the_whole_of_int64) {
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  Rng rng{8};
  int negative = 0;
  for (int i = 0; i < 1'000; ++i) negative += rng.between(least, most) < 0 ? 1 : 0;
  EXPECT_NEAR(negative, 500, 100);
  for (int i = 0; i < 1'000; ++i) ASSERT_GE(rng.between(most - 1, most), most - 1);
}

TEST(Rng, refuses_an_empty_range) {
  Rng rng{9};
  EXPECT_DEATH(rng.below(0), "a random range is not empty");
  EXPECT_DEATH(rng.between(2, 1), "a random range is not empty");
}

TEST(Rng, chances_come_true_as_often_as_they_say) {
  Rng rng{10};
  int hits = 0;
  for (int i = 0; i < 100'000; ++i) hits += rng.chance_per_million(250'000) ? 1 : 0;
  EXPECT_NEAR(hits, 25'000, 700);
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_FALSE(rng.chance_per_million(0));
    ASSERT_TRUE(rng.chance_per_million(1'000'000));
  }
}

TEST(Rng, normal_numbers_have_mean_zero_and_unit_deviation) {
  Rng rng{11};
  std::int64_t sum = 0;
  std::int64_t squares = 0;
  constexpr int count = 100'000;
  for (int i = 0; i < count; ++i) {
    const auto value = rng.normal_milli();
    ASSERT_LE(value, 6'000);
    ASSERT_GE(value, -6'000);
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(static_cast<double>(sum) / count, 0, 15);
  EXPECT_NEAR(static_cast<double>(squares) / count, 1e6, 2e4);
}

TEST(Rng, forks_do_not_shift_each_other) {
  const Rng root{12};
  Rng first = root.fork(1);
  Rng same = root.fork(1);
  Rng second = root.fork(2);
  Rng advanced = root;
  advanced.next();
  Rng later = advanced.fork(1);
  for (int i = 0; i < 100; ++i) {
    const auto number = first.next();
    EXPECT_EQ(number, same.next());
    EXPECT_NE(number, second.next());
    EXPECT_NE(number, later.next());
  }
}

}  // namespace
}  // namespace phoenix::base
