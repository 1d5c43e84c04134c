#include "model/instrument.hpp"

#include "model/names.hpp"

#include <ostream>
#include <set>

#include <gtest/gtest.h>

namespace phoenix::model {

static void PrintTo(InstrumentFault fault, std::ostream* out) { *out << name(fault); }

namespace {

Instrument instrument() {
  Instrument i;
  i.name = "ETHUSDC";
  i.tick_size = Price::of("0.01");
  i.price_min = Price::of("39.86");
  i.price_max = Price::of("306177");
  i.step_size = Qty::of("0.001");
  i.qty_min = Qty::of("0.001");
  i.qty_max = Qty::of("10000");
  i.notional_min = Money::of("20");
  return i;
}

TEST(CheckOrder, names_the_first_rule_that_is_broken) {
  using F = InstrumentFault;
  struct Case {
    const char* price;
    const char* qty;
    std::optional<F> expected;
  };
  for (const Case& c : {
           Case{"2500.01", "0.008", std::nullopt},
           Case{"39.86", "1", std::nullopt},
           Case{"306177", "10000", std::nullopt},
           Case{"2500", "0.008", std::nullopt},
           Case{"2499.99", "0.008", F::notional_below_min},
           Case{"0", "1", F::price_below_min},
           Case{"-5", "1", F::price_below_min},
           Case{"39.85", "1", F::price_below_min},
           Case{"306177.01", "1", F::price_above_max},
           Case{"2500.005", "1", F::price_off_tick},
           Case{"2500.00000001", "1", F::price_off_tick},
           Case{"2500", "0", F::qty_below_min},
           Case{"2500", "-1", F::qty_below_min},
           Case{"2500", "0.0009", F::qty_below_min},
           Case{"2500", "10000.001", F::qty_above_max},
           Case{"2500", "0.0085", F::qty_off_step},
           Case{"2500.005", "0", F::price_off_tick},
       }) {
    EXPECT_EQ(check_order(instrument(), Price::of(c.price), Qty::of(c.qty), Intent::open), c.expected)
        << c.price << " x " << c.qty;
  }
}

TEST(CheckOrder, reduce_only_orders_may_be_small) {
  EXPECT_EQ(check_order(instrument(), Price::of("2500"), Qty::of("0.001"), Intent::reduce_only),
            std::nullopt);
}

TEST(CheckOrder, grids_start_at_their_minimum) {
  auto i = instrument();
  i.price_min = Price::of("0.005");
  EXPECT_EQ(check_order(i, Price::of("100.005"), Qty::of("1"), Intent::open), std::nullopt);
  EXPECT_EQ(check_order(i, Price::of("100"), Qty::of("1"), Intent::open), InstrumentFault::price_off_tick);
}

TEST(CheckOrder, a_zero_rule_is_switched_off) {
  const Instrument i;
  EXPECT_EQ(check_order(i, Price::of("0.00000001"), Qty::of("0.00000001"), Intent::open), std::nullopt);
  EXPECT_EQ(check_order(i, Price::of("0"), Qty::of("1"), Intent::open), InstrumentFault::price_below_min);
  EXPECT_EQ(i.qty_down(Qty::of("1.23456789")), Qty::of("1.23456789"));
  EXPECT_EQ(i.price_passive(Side::bid, Price::of("1.23456789")), Price::of("1.23456789"));
}

TEST(CheckOrder, survives_the_largest_numbers) {
  Instrument i;
  const auto most = std::numeric_limits<std::int64_t>::max();
  const auto least = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(check_order(i, Price::from_raw(most), Qty::from_raw(most), Intent::open), std::nullopt);
  i.price_min = Price::from_raw(least);
  i.tick_size = Price::from_raw(-1);
  i.notional_min = Money::from_raw(most);
  EXPECT_EQ(check_order(i, Price::from_raw(most), Qty::from_raw(1), Intent::open),
            InstrumentFault::notional_below_min);
}

TEST(Instrument, rounds_away_from_the_market_and_down_to_a_lot) {
  const auto i = instrument();
  EXPECT_EQ(i.price_passive(Side::bid, Price::of("2500.019")), Price::of("2500.01"));
  EXPECT_EQ(i.price_passive(Side::ask, Price::of("2500.011")), Price::of("2500.02"));
  EXPECT_EQ(i.price_passive(Side::ask, Price::of("2500.01")), Price::of("2500.01"));
  EXPECT_EQ(i.qty_down(Qty::of("0.0129")), Qty::of("0.012"));
  EXPECT_EQ(i.qty_down(Qty::of("0.0009")), Qty{});
  EXPECT_EQ(i.qty_down(Qty::of("-0.5")), Qty{});
}

TEST(Side, opposite_and_sign_belong_together) {
  EXPECT_EQ(opposite(Side::bid), Side::ask);
  EXPECT_EQ(opposite(opposite(Side::bid)), Side::bid);
  EXPECT_EQ(sign(Side::bid), 1);
  EXPECT_EQ(sign(Side::ask), -1);
}

TEST(Names, are_one_word_each_and_differ) {
  const auto expect_distinct = [](auto last) {
    std::set<std::string_view> names;
    for (int value = 0; value <= static_cast<int>(last); ++value) {
      const auto word = name(static_cast<decltype(last)>(value));
      EXPECT_FALSE(word.empty());
      EXPECT_EQ(word.find(' '), std::string_view::npos);
      EXPECT_TRUE(names.insert(word).second) << word;
    }
  };
  expect_distinct(Side::ask);
  expect_distinct(OrderStatus::unknown);
  expect_distinct(Refusal::other);
  expect_distinct(Outcome::unknown);
  expect_distinct(InstrumentFault::notional_below_min);
  expect_distinct(Product::spot);
}

TEST(OrderStatus, final_states_are_those_nothing_follows) {
  for (const auto status : {OrderStatus::filled, OrderStatus::canceled, OrderStatus::rejected,
                            OrderStatus::expired, OrderStatus::expired_in_match}) {
    EXPECT_TRUE(is_final(status)) << name(status);
  }
  for (const auto status : {OrderStatus::fresh, OrderStatus::partially_filled, OrderStatus::unknown}) {
    EXPECT_FALSE(is_final(status)) << name(status);
  }
}

}  // namespace
}  // namespace phoenix::model
