#include "model/fixed.hpp"

#include <cmath>
#include <limits>

namespace phoenix::model {
namespace {

__extension__ using Wide = __int128;

Wide divide(Wide dividend, Wide divisor, Rounding rounding) {
  if (divisor < 0) {
    dividend = -dividend;
    divisor = -divisor;
  }
  Wide quotient = dividend / divisor;
  const Wide rest = dividend % divisor;
  if (rest == 0) return quotient;
  switch (rounding) {
    case Rounding::down:
      return rest < 0 ? quotient - 1 : quotient;
    case Rounding::up:
      return rest > 0 ? quotient + 1 : quotient;
    case Rounding::nearest: {
      const Wide twice = rest < 0 ? -rest * 2 : rest * 2;
      if (twice >= divisor) quotient += rest < 0 ? -1 : 1;
      return quotient;
    }
  }
  return quotient;
}

std::int64_t narrow(Wide value) {
  PHX_ASSERT(
      value >= std::numeric_limits<std::int64_t>::min() && value <= std::numeric_limits<std::int64_t>::max(),
      "a product stays within the fixed-point range");
  return static_cast<std::int64_t>(value);
}

std::int64_t to_multiple(double value, std::int64_t unit, Rounding rounding) {
  PHX_ASSERT(fits_scaled(value), "a model's number is finite and in range");
  PHX_ASSERT(unit > 0, "a tick or step is positive");
  // Through the 1e-8 grid first: the half-unit noise of the double does not push a price over a tick.
  const auto raw = static_cast<std::int64_t>(std::nearbyint(value * static_cast<double>(base::decimal_one)));
  return round_to_multiple(raw, unit, rounding);
}

}  // namespace

Money notional(Price price, Qty qty, Rounding rounding) {
  return Money::from_raw(
      narrow(divide(static_cast<Wide>(price.raw()) * qty.raw(), base::decimal_one, rounding)));
}

Money times(Money amount, Rate rate, Rounding rounding) {
  return Money::from_raw(
      narrow(divide(static_cast<Wide>(amount.raw()) * rate.raw(), base::decimal_one, rounding)));
}

Price average_price(Money amount, Qty qty, Rounding rounding) {
  PHX_ASSERT(!qty.is_zero(), "an average price needs a quantity");
  return Price::from_raw(
      narrow(divide(static_cast<Wide>(amount.raw()) * base::decimal_one, qty.raw(), rounding)));
}

bool fits_scaled(double value) { return std::isfinite(value) && value > -9.2e10 && value < 9.2e10; }

Price to_tick(double value, Price tick, Rounding rounding) {
  return Price::from_raw(to_multiple(value, tick.raw(), rounding));
}

Qty to_step(double value, Qty step, Rounding rounding) {
  return Qty::from_raw(to_multiple(value, step.raw(), rounding));
}

std::int64_t round_to_multiple(std::int64_t raw, std::int64_t unit, Rounding rounding) {
  PHX_ASSERT(unit > 0, "a tick or step is positive");
  return narrow(divide(raw, unit, rounding) * unit);
}

}  // namespace phoenix::model
