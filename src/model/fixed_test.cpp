#include "model/fixed.hpp"

#include "base/rng.hpp"
#include "model/quote.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace phoenix::model {
namespace {

constexpr auto least = Price::from_raw(std::numeric_limits<std::int64_t>::min());
constexpr auto most = Price::from_raw(std::numeric_limits<std::int64_t>::max());

TEST(Scaled, is_read_from_and_written_as_exact_text) {
  EXPECT_EQ(Price::of("0.1").raw(), 10'000'000);
  EXPECT_EQ(Price::of("61234.5").text(), "61234.5");
  EXPECT_EQ(Qty::from_units(-3).text(), "-3");
  EXPECT_EQ(Price::parse("abc").error(), base::DecimalFault::malformed);
  EXPECT_EQ(Price::parse("1e9").error(), base::DecimalFault::malformed);
  EXPECT_DEATH(Price::of("x"), "a decimal literal is well formed");
}

TEST(Scaled, calculates_exactly) {
  EXPECT_EQ(Qty::of("0.1") + Qty::of("0.2"), Qty::of("0.3"));
  EXPECT_EQ(Qty::of("1") - Qty::of("0.00000001"), Qty::of("0.99999999"));
  EXPECT_EQ(Qty::of("0.001") * -3, Qty::of("-0.003"));
  EXPECT_EQ(-Money::of("2.5"), Money::of("-2.5"));
  EXPECT_EQ(Money::of("-2.5").abs(), Money::of("2.5"));
  Qty position;
  position += Qty::of("5");
  position -= Qty::of("7");
  EXPECT_EQ(position, Qty::of("-2"));
  EXPECT_TRUE(position.is_negative());
  EXPECT_TRUE(Qty{}.is_zero());
  EXPECT_FALSE(Qty{}.is_positive());
  EXPECT_LT(Price::of("9.99"), Price::of("10"));
}

TEST(Scaled, stops_rather_than_wraps) {
  const auto one = Price::from_raw(1);
  EXPECT_EQ(most - one + one, most);
  EXPECT_DEATH(most + one, "a sum stays within the fixed-point range");
  EXPECT_DEATH(least - one, "a difference stays within the fixed-point range");
  EXPECT_DEATH(most * 2, "a multiple stays within the fixed-point range");
  EXPECT_DEATH(-least, "a difference stays within the fixed-point range");
  EXPECT_DEATH(least.abs(), "a difference stays within the fixed-point range");
  EXPECT_DEATH(Price::from_units(92'233'720'369), "whole units fit the fixed-point range");
  EXPECT_EQ(Price::from_units(92'233'720'368).text(), "92233720368");
}

TEST(Notional, rounds_as_it_is_told) {
  const auto price = Price::of("0.00000001");
  struct Case {
    const char* qty;
    std::int64_t down, up, nearest;
  };
  for (const Case& c :
       {Case{"0.4", 0, 1, 0}, Case{"0.5", 0, 1, 1}, Case{"0.6", 0, 1, 1}, Case{"-0.4", -1, 0, 0},
        Case{"-0.5", -1, 0, -1}, Case{"-0.6", -1, 0, -1}, Case{"2", 2, 2, 2}, Case{"-2", -2, -2, -2}}) {
    const auto qty = Qty::of(c.qty);
    EXPECT_EQ(notional(price, qty, Rounding::down).raw(), c.down) << c.qty;
    EXPECT_EQ(notional(price, qty, Rounding::up).raw(), c.up) << c.qty;
    EXPECT_EQ(notional(price, qty, Rounding::nearest).raw(), c.nearest) << c.qty;
    EXPECT_EQ(times(Money::from_raw(1), Rate::of(c.qty), Rounding::down).raw(), c.down) << c.qty;
  }
}

TEST(Notional, is_exact_through_128_bits) {
  EXPECT_EQ(notional(Price::of("60000.1"), Qty::of("1000")), Money::of("60000100"));
  EXPECT_EQ(notional(Price::of("92233720368"), Qty::of("-0.5")), Money::of("-46116860184"));
  EXPECT_EQ(times(Money::of("1000"), Rate::of("-0.0001"), Rounding::nearest), Money::of("-0.1"));
  EXPECT_DEATH(notional(Price::of("92233720368"), Qty::of("2")),
               "a product stays within the fixed-point range");
}

TEST(AveragePrice, undoes_a_notional) {
  EXPECT_EQ(average_price(Money::of("300"), Qty::of("2")), Price::of("150"));
  EXPECT_EQ(average_price(Money::of("-300"), Qty::of("-2")), Price::of("150"));
  EXPECT_EQ(average_price(Money::of("1"), Qty::of("3")), Price::of("0.33333333"));
  EXPECT_EQ(average_price(Money::of("1"), Qty::of("3"), Rounding::up), Price::of("0.33333334"));
  EXPECT_EQ(average_price(Money::of("2"), Qty::of("3")), Price::of("0.66666667"));
  EXPECT_EQ(average_price(Money::of("-1"), Qty::of("3"), Rounding::down), Price::of("-0.33333334"));
  EXPECT_DEATH(average_price(Money::of("1"), Qty{}), "an average price needs a quantity");
  EXPECT_DEATH(average_price(Money::of("90000000000"), Qty::of("0.1")),
               "a product stays within the fixed-point range");

  base::Rng rng{1};
  for (int i = 0; i < 20'000; ++i) {
    const auto price = Price::from_raw(rng.between(1, 10'000'000'000'000));
    const auto qty =
        Qty::from_raw(rng.between(base::decimal_one, 50'000 * base::decimal_one) * (i % 2 == 0 ? 1 : -1));
    ASSERT_EQ(average_price(notional(price, qty), qty), price) << price.text() << " x " << qty.text();
  }
}

TEST(Rounding, to_a_multiple_agrees_with_counting) {
  base::Rng rng{2};
  for (int i = 0; i < 20'000; ++i) {
    const auto unit = rng.between(1, 40);
    const auto raw = rng.between(-1'000, 1'000);
    std::int64_t down = -2'000 / unit * unit;
    while (down + unit <= raw) down += unit;
    const auto up = down == raw ? raw : down + unit;
    const auto to_down = raw - down;
    const auto to_up = up - raw;
    const auto nearest = to_down == to_up ? (raw < 0 ? down : up) : (to_down < to_up ? down : up);
    ASSERT_EQ(round_to_multiple(raw, unit, Rounding::down), down) << raw << " by " << unit;
    ASSERT_EQ(round_to_multiple(raw, unit, Rounding::up), up) << raw << " by " << unit;
    ASSERT_EQ(round_to_multiple(raw, unit, Rounding::nearest), nearest) << raw << " by " << unit;
  }
  EXPECT_DEATH(round_to_multiple(1, 0, Rounding::down), "a tick or step is positive");
  EXPECT_DEATH(round_to_multiple(most.raw(), 2, Rounding::up),
               "a product stays within the fixed-point range");
}

TEST(ToTick, comes_back_from_a_double_onto_the_grid) {
  const auto tick = Price::of("0.1");
  EXPECT_EQ(to_tick(100.25, tick, Rounding::down), Price::of("100.2"));
  EXPECT_EQ(to_tick(100.25, tick, Rounding::up), Price::of("100.3"));
  EXPECT_EQ(to_tick(100.25, tick, Rounding::nearest), Price::of("100.3"));
  EXPECT_EQ(to_tick(-100.25, tick, Rounding::nearest), Price::of("-100.3"));
  EXPECT_EQ(to_step(0.0019, Qty::of("0.001"), Rounding::down), Qty::of("0.001"));
}

TEST(ToTick, noise_of_the_double_does_not_cost_a_tick) {
  // 0.1 + 0.2 is a little more than 0.3, and 0.7 + 0.1 a little less than 0.8.
  const auto tick = Price::of("0.1");
  EXPECT_EQ(to_tick(0.1 + 0.2, tick, Rounding::up), Price::of("0.3"));
  EXPECT_EQ(to_tick(0.7 + 0.1, tick, Rounding::down), Price::of("0.8"));
  base::Rng rng{3};
  for (int i = 0; i < 20'000; ++i) {
    const auto price = Price::from_raw(rng.between(0, 900'000) * tick.raw());
    ASSERT_EQ(to_tick(price.to_double(), tick, Rounding::down), price);
    ASSERT_EQ(to_tick(price.to_double(), tick, Rounding::up), price);
  }
}

TEST(ToTick, refuses_numbers_no_price_can_hold) {
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double value : {infinity, -infinity, nan, 9.3e10, -9.3e10})
    EXPECT_FALSE(fits_scaled(value)) << value;
  for (const double value : {0.0, -0.0, 9.1e10, -9.1e10, 1e-300}) EXPECT_TRUE(fits_scaled(value)) << value;
  EXPECT_DEATH(to_tick(nan, Price::of("0.1"), Rounding::down), "a model's number is finite and in range");
  EXPECT_DEATH(to_tick(1.0, Price{}, Rounding::down), "a tick or step is positive");
}

TEST(TopOfBook, mid_is_halved_downwards) {
  const TopOfBook odd{{Price::from_raw(1), {}}, {Price::from_raw(4), {}}};
  EXPECT_EQ(odd.mid().raw(), 2);
  const TopOfBook even{{Price::of("100.1"), {}}, {Price::of("100.2"), {}}};
  EXPECT_EQ(even.mid(), Price::of("100.15"));
}

}  // namespace
}  // namespace phoenix::model
