#include "exchange/matching.hpp"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::exchange {
namespace {

constexpr AccountId owner{1};

MatchingBook::Handle add(MatchingBook& book, Side side, const char* price, const char* qty, std::int64_t id) {
  return book.add(side, Price::of(price), Qty::of(qty), owner, id, Intent::open);
}

/// The ids in the order in which an aggressor would meet them.
std::vector<std::int64_t> queue(MatchingBook& book, Side side) {
  std::vector<std::int64_t> ids;
  while (book.best(side) != MatchingBook::none) {
    ids.push_back(book.order(book.best(side)).id);
    book.remove(book.best(side));
  }
  return ids;
}

TEST(MatchingBook, serves_better_prices_first_and_equal_prices_in_order_of_arrival) {
  MatchingBook book;
  add(book, Side::bid, "99", "1", 1);
  add(book, Side::bid, "100", "1", 2);
  add(book, Side::bid, "99", "1", 3);
  add(book, Side::bid, "100", "1", 4);
  add(book, Side::bid, "98", "1", 5);
  add(book, Side::ask, "102", "1", 6);
  add(book, Side::ask, "101", "1", 7);
  add(book, Side::ask, "102", "1", 8);
  EXPECT_EQ(queue(book, Side::bid), (std::vector<std::int64_t>{2, 4, 1, 3, 5}));
  EXPECT_EQ(queue(book, Side::ask), (std::vector<std::int64_t>{7, 6, 8}));
  EXPECT_EQ(book.order_count(), 0u);
}

TEST(MatchingBook, keeps_the_place_of_an_order_that_is_partly_filled) {
  MatchingBook book;
  const auto first = add(book, Side::ask, "100", "3", 1);
  add(book, Side::ask, "100", "1", 2);
  EXPECT_FALSE(book.fill(first, Qty::of("2")));
  EXPECT_EQ(book.qty_at(Side::ask, Price::of("100")), Qty::of("2"));
  EXPECT_EQ(book.best(Side::ask), first);
  EXPECT_TRUE(book.fill(first, Qty::of("1")));
  EXPECT_EQ(book.order(book.best(Side::ask)).id, 2);
}

TEST(MatchingBook, removes_from_the_middle_of_a_queue) {
  MatchingBook book;
  add(book, Side::bid, "100", "1", 1);
  const auto middle = add(book, Side::bid, "100", "2", 2);
  add(book, Side::bid, "100", "4", 3);
  book.remove(middle);
  EXPECT_EQ(book.top(Side::bid), (Level{Price::of("100"), Qty::of("5")}));
  EXPECT_EQ(queue(book, Side::bid), (std::vector<std::int64_t>{1, 3}));
}

TEST(MatchingBook, finds_levels_far_from_the_touch) {
  MatchingBook book;
  for (int i = 1; i <= 300; ++i) {
    // 7 is coprime to 300: each price once, in a scattered order.
    book.add(Side::bid, Price::from_units(i * 7 % 300 + 1), Qty::from_units(i), owner, i, Intent::open);
  }
  for (int i = 1; i <= 300; ++i) {
    EXPECT_EQ(book.qty_at(Side::bid, Price::from_units(i * 7 % 300 + 1)), Qty::from_units(i));
  }
  const auto& levels = book.levels(Side::bid);
  ASSERT_EQ(levels.size(), 300u);
  EXPECT_TRUE(std::ranges::is_sorted(levels, {}, &BookLevel::price));
  EXPECT_EQ(book.qty_at(Side::bid, Price::of("0.5")), Qty{});
  EXPECT_EQ(book.level(Side::ask, Price::of("1")), nullptr);
}

TEST(MatchingBook, lets_the_last_of_a_queue_grow_in_its_place) {
  MatchingBook book;
  add(book, Side::bid, "100", "1", 1);
  const auto last = add(book, Side::bid, "100", "1", 2);
  book.grow(last, Qty::of("5"));
  EXPECT_EQ(book.qty_at(Side::bid, Price::of("100")), Qty::of("7"));
  EXPECT_EQ(book.order(last).left, Qty::of("6"));
}

TEST(MatchingBookDeathTest, refuses_a_fill_beyond_what_is_left) {
  MatchingBook book;
  const auto order = add(book, Side::bid, "100", "1", 1);
  EXPECT_DEATH(book.fill(order, Qty::of("2")), "a fill is within what is left");
}

}  // namespace
}  // namespace phoenix::exchange
