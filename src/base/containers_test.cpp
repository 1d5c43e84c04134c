#include "base/assert.hpp"
#include "base/lookup.hpp"
#include "base/result.hpp"
#include "base/short_text.hpp"
#include "base/static_vector.hpp"
#include "base/time.hpp"

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace phoenix::base {
namespace {

TEST(Assert, names_the_rule_the_condition_and_the_place) {
  const int parts = 2;
  PHX_ASSERT(parts == 2, "a true condition passes");
  EXPECT_DEATH(PHX_ASSERT(parts == 3, "parts sum to three"),
               "broken invariant: parts sum to three \\(parts == 3\\) at .*containers_test.cpp:");
}

TEST(Result, holds_a_value_or_a_fault) {
  enum class Fault { bad };
  const auto half = [](int n) -> Result<int, Fault> {
    if (n % 2 != 0) return fail(Fault::bad);
    return n / 2;
  };
  EXPECT_EQ(half(8).value(), 4);
  ASSERT_FALSE(half(7).has_value());
  EXPECT_EQ(half(7).error(), Fault::bad);
  const Result<void, Fault> nothing;
  EXPECT_TRUE(nothing.has_value());
}

TEST(StaticVector, keeps_items_in_order_within_its_bound) {
  StaticVector<int, 3> items;
  EXPECT_TRUE(items.empty());
  items.push_back(1);
  items.push_back(2);
  EXPECT_EQ(items.push_back(3), 3);
  EXPECT_TRUE(items.full());
  EXPECT_EQ(items.front(), 1);
  EXPECT_EQ(items.back(), 3);
  items.erase_at(1);
  EXPECT_EQ(items.size(), 2u);
  EXPECT_EQ(items[1], 3);
  items.erase_at(1);
  items.pop_back();
  EXPECT_TRUE(items.empty());
  EXPECT_EQ(items.begin(), items.end());
}

TEST(StaticVector, new_items_of_a_resize_are_fresh) {
  StaticVector<int, 4> items;
  for (int i = 1; i <= 4; ++i) items.push_back(i);
  items.resize(1);
  items.resize(3);
  EXPECT_EQ(items[0], 1);
  EXPECT_EQ(items[1], 0);
  EXPECT_EQ(items[2], 0);
  items.clear();
  EXPECT_EQ(items.size(), 0u);
}

TEST(StaticVector, stops_at_its_bound) {
  StaticVector<int, 1> items;
  EXPECT_DEATH(items.pop_back(), "only a vector with items is popped");
  EXPECT_DEATH(items.back(), "an index is below the size");
  EXPECT_DEATH(items.erase_at(0), "an erased item exists");
  items.push_back(1);
  EXPECT_DEATH(items.push_back(2), "a bounded vector is never pushed past its bound");
  EXPECT_DEATH(items.resize(2), "a bounded vector is never sized past its bound");
  EXPECT_DEATH(items[1], "an index is below the size");
}

TEST(StaticVector, holds_items_that_only_move) {
  StaticVector<std::unique_ptr<int>, 2> items;
  items.push_back(std::make_unique<int>(1));
  items.push_back(std::make_unique<int>(2));
  items.erase_at(0);
  EXPECT_EQ(*items[0], 2);
}

TEST(ShortText, holds_text_up_to_its_bound) {
  using Text = ShortText<4>;
  EXPECT_TRUE(Text{}.empty());
  EXPECT_EQ(Text{}.view(), "");
  EXPECT_EQ(Text{std::string_view{}}.view(), "");
  EXPECT_EQ(Text{"abcd"}.str(), "abcd");
  EXPECT_TRUE(Text::fits("abcd"));
  EXPECT_FALSE(Text::fits("abcde"));
  EXPECT_DEATH(Text{"abcde"}, "short text fits its bound");
}

TEST(ShortText, compares_as_text) {
  using Text = ShortText<8>;
  EXPECT_EQ(Text{"ab"}, Text{"ab"});
  EXPECT_NE(Text{"ab"}, Text{"abc"});
  EXPECT_LT(Text{"ab"}, Text{"abc"});
  EXPECT_LT(Text{"abc"}, Text{"b"});
}

TEST(Lookup, finds_what_was_put_in) {
  Lookup<int, std::string> lookup;
  EXPECT_EQ(lookup.find(1), nullptr);
  lookup.try_emplace(1, "one") += "!";
  EXPECT_EQ(lookup.try_emplace(1, "other"), "one!") << "what is there stays";
  EXPECT_EQ(*std::as_const(lookup).find(1), "one!");
  EXPECT_TRUE(lookup.contains(1));
  EXPECT_EQ(lookup.size(), 1u);
  EXPECT_TRUE(lookup.erase(1));
  EXPECT_FALSE(lookup.erase(1));
  lookup.try_emplace(2);
  lookup.clear();
  EXPECT_EQ(lookup.size(), 0u);
}

TEST(Lookup, is_asked_for_text_without_making_a_string) {
  TextLookup<int> lookup;
  lookup.reserve(10);
  lookup.try_emplace("BTCUSDT", 3);
  EXPECT_EQ(*lookup.find(std::string_view{"BTCUSDT"}), 3);
  EXPECT_FALSE(lookup.contains(std::string_view{"ETHUSDT"}));
  EXPECT_TRUE(lookup.erase(std::string_view{"BTCUSDT"}));
}

TEST(Time, converts_the_wires_units) {
  EXPECT_EQ(ns_of(venue_time_ms(1'700'000'000'123)), 1'700'000'000'123'000'000);
  EXPECT_EQ(ms_of(venue_time_ns(1'999'999)), 1);
  EXPECT_EQ(ms_of(venue_time_ns(-1)), -1) << "rounded down before 1970 too";
  EXPECT_EQ(local_time_ns(500) - local_time_ns(200), nanoseconds{300});
  EXPECT_EQ(ns_of(local_time_ns(1) + milliseconds{1}), 1'000'001);
}

}  // namespace
}  // namespace phoenix::base
