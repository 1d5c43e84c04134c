#include "order/foreign.hpp"

#include <gtest/gtest.h>

namespace phoenix::order {
namespace {

TEST(ForeignWatch, x16_an_order_of_somebody_else_asks_for_a_person_until_it_is_claimed) {
  ForeignWatch watch;
  EXPECT_TRUE(watch.on_order(17));
  EXPECT_TRUE(watch.on_order(17));
  EXPECT_EQ(watch.seen_count(), 1U);
  watch.claim();
  EXPECT_FALSE(watch.on_order(17));
  EXPECT_TRUE(watch.on_order(18)) << "a claim is about what was seen, not about what comes";
}

TEST(ForeignWatch, an_order_without_an_id_is_never_claimed_for_good) {
  ForeignWatch watch;
  EXPECT_TRUE(watch.on_order(0));
  watch.claim();
  EXPECT_EQ(watch.seen_count(), 0U);
  EXPECT_TRUE(watch.on_order(0));
}

TEST(ForeignWatch, claims_outlive_a_restart_and_words_that_are_none_do_not) {
  ForeignWatch watch;
  watch.on_order(17);
  watch.on_order(18);
  watch.claim();
  EXPECT_EQ(watch.claimed(), "17 18");
  ForeignWatch next;
  next.restore("17  x18 19y -3 20");
  EXPECT_FALSE(next.on_order(17));
  EXPECT_FALSE(next.on_order(20));
  EXPECT_TRUE(next.on_order(18));
  EXPECT_TRUE(next.on_order(19));
}

TEST(ForeignWatch, asks_once_for_each_order_nobody_remembers) {
  ForeignWatch watch;
  EXPECT_FALSE(watch.on_unknown(5));
  EXPECT_FALSE(watch.on_unknown(6));
  EXPECT_FALSE(watch.on_unknown(5));
  EXPECT_EQ(watch.to_ask(), 5);
  EXPECT_EQ(watch.to_ask(), 5);
  watch.answered(5);
  EXPECT_EQ(watch.to_ask(), 6);
  watch.answered(6);
  EXPECT_EQ(watch.to_ask(), std::nullopt);
}

TEST(ForeignWatch, more_than_can_be_asked_for_counts_as_somebody_elses) {
  ForeignWatch watch;
  for (std::size_t i = 1; i <= ForeignWatch::orders_max; ++i)
    EXPECT_FALSE(watch.on_unknown(static_cast<std::int64_t>(i)));
  EXPECT_TRUE(watch.on_unknown(1'000));
  EXPECT_FALSE(watch.on_unknown(1)) << "is being asked for";
}

TEST(ForeignWatch, what_it_remembers_is_bounded_and_the_oldest_goes_first) {
  ForeignWatch watch;
  for (std::int64_t id = 1; id <= 65; ++id) watch.on_order(id);
  EXPECT_EQ(watch.seen_count(), ForeignWatch::orders_max);
  watch.claim();
  EXPECT_TRUE(watch.on_order(1)) << "forgotten, so it is held again";
  EXPECT_FALSE(watch.on_order(65));
}

}  // namespace
}  // namespace phoenix::order
