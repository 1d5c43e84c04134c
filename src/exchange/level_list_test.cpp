#include "exchange/level_list.hpp"

#include "base/rng.hpp"

#include <algorithm>
#include <map>
#include <ranges>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::exchange {
namespace {

std::vector<Price> prices(const LevelList& list) {
  std::vector<Price> out;
  for (const auto& level : list) out.push_back(level.price);
  return out;
}

TEST(LevelList, is_a_sorted_map_whatever_comes_and_goes) {
  for (const Side side : {Side::bid, Side::ask}) {
    LevelList list{side};
    std::map<Price, Qty> model;
    base::Rng rng{side == Side::bid ? 5u : 6u};
    // The range narrows and widens, so that blocks split, run dry and join.
    for (int step = 0; step < 40'000; ++step) {
      const std::uint64_t range = step / 5'000 % 2 == 0 ? 3'000 : 40;
      const auto price = Price::from_units(1 + static_cast<std::int64_t>(rng.below(range)));
      if (rng.below(2) == 0) {
        const auto qty = Qty::from_units(step + 1);
        list.find_or_add(price).qty = qty;
        model[price] = qty;
      } else if (list.find(price) != nullptr) {
        list.erase(price);
        model.erase(price);
      }
      const auto* const found = list.find(price);
      ASSERT_EQ(found != nullptr, model.contains(price)) << "step " << step;
      if (found != nullptr) {
        ASSERT_EQ(found->price, price);
        ASSERT_EQ(found->qty, model[price]);
      }
      ASSERT_EQ(list.size(), model.size());
      ASSERT_EQ(list.empty(), model.empty());
      if (step % 500 != 0 || model.empty()) continue;
      std::vector<Price> expected;
      for (const auto& [known, qty] : model) expected.push_back(known);
      if (side == Side::ask) std::ranges::reverse(expected);
      ASSERT_EQ(prices(list), expected) << "worst first, best last";
      EXPECT_EQ(list.worst().price, expected.front());
      EXPECT_EQ(list.best().price, expected.back());
      auto back = expected.rbegin();
      for (const auto& level : std::views::reverse(list)) ASSERT_EQ(level.price, *back++);
    }
  }
}

TEST(LevelList, a_copy_is_a_list_of_its_own) {
  LevelList list{Side::bid};
  list.find_or_add(Price::from_units(1)).qty = Qty::from_units(1);
  LevelList copy = list;
  copy.find_or_add(Price::from_units(1)).qty = Qty::from_units(2);
  EXPECT_EQ(list.find(Price::from_units(1))->qty, Qty::from_units(1));
}

TEST(LevelListDeathTest, refuses_to_erase_what_is_not_there) {
  LevelList list{Side::ask};
  list.find_or_add(Price::from_units(1));
  EXPECT_DEATH(list.erase(Price::from_units(2)), "a level that goes was there");
}

}  // namespace
}  // namespace phoenix::exchange
