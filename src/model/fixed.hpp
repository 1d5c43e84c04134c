#pragma once

#include "base/assert.hpp"
#include "base/decimal.hpp"
#include "base/result.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace phoenix::model {

/// A decimal number with a name: int64 in units of 1e-8 (about +-9.2e10). Overflow stops the process; it
/// never wraps. Different tags do not mix.
template <class Tag>
class Scaled {
 public:
  constexpr Scaled() = default;
  static constexpr Scaled from_raw(std::int64_t raw) { return Scaled{raw}; }
  static constexpr Scaled from_units(std::int64_t units) {
    std::int64_t raw = 0;
    PHX_ASSERT(!__builtin_mul_overflow(units, base::decimal_one, &raw),
               "whole units fit the fixed-point range");
    return Scaled{raw};
  }
  /// Exact; see base::parse_decimal for the text accepted.
  static base::Result<Scaled, base::DecimalFault> parse(std::string_view text) {
    const auto raw = base::parse_decimal(text);
    if (!raw) return base::fail(raw.error());
    return Scaled{*raw};
  }
  /// For literals in code and tests: asserts that `text` is a decimal.
  static Scaled of(std::string_view text) {
    const auto value = parse(text);
    PHX_ASSERT(value.has_value(), "a decimal literal is well formed");
    return *value;
  }

  constexpr std::int64_t raw() const { return raw_; }
  constexpr bool is_zero() const { return raw_ == 0; }
  constexpr bool is_positive() const { return raw_ > 0; }
  constexpr bool is_negative() const { return raw_ < 0; }
  /// Shortest text: no exponent, no trailing zeros.
  std::string text() const { return base::format_decimal(raw_); }
  /// Binary floating point, for models and displays only; the way back names its rounding.
  constexpr double to_double() const {
    return static_cast<double>(raw_) / static_cast<double>(base::decimal_one);
  }

  friend constexpr auto operator<=>(Scaled, Scaled) = default;
  friend constexpr Scaled operator+(Scaled a, Scaled b) {
    std::int64_t raw = 0;
    PHX_ASSERT(!__builtin_add_overflow(a.raw_, b.raw_, &raw), "a sum stays within the fixed-point range");
    return Scaled{raw};
  }
  friend constexpr Scaled operator-(Scaled a, Scaled b) {
    std::int64_t raw = 0;
    PHX_ASSERT(!__builtin_sub_overflow(a.raw_, b.raw_, &raw),
               "a difference stays within the fixed-point range");
    return Scaled{raw};
  }
  constexpr Scaled operator-() const { return Scaled{} - *this; }
  friend constexpr Scaled operator*(Scaled a, std::int64_t n) {
    std::int64_t raw = 0;
    PHX_ASSERT(!__builtin_mul_overflow(a.raw_, n, &raw), "a multiple stays within the fixed-point range");
    return Scaled{raw};
  }
  constexpr Scaled& operator+=(Scaled other) { return *this = *this + other; }
  constexpr Scaled& operator-=(Scaled other) { return *this = *this - other; }
  constexpr Scaled abs() const { return raw_ < 0 ? -*this : *this; }

 private:
  explicit constexpr Scaled(std::int64_t raw) : raw_{raw} {}
  std::int64_t raw_ = 0;
};

using Price = Scaled<struct PriceTag>;  ///< quote currency per unit of base; also the tick size
using Qty = Scaled<struct QtyTag>;      ///< base units; signed where it is a position
using Money = Scaled<struct MoneyTag>;  ///< quote currency: notional, PnL, fees, balances
using Rate = Scaled<struct RateTag>;    ///< a ratio: funding rate, fee rate
static_assert(sizeof(Price) == 8, "records on disk hold prices raw");

enum class Rounding : std::uint8_t {
  down,
  up,
  nearest
};  ///< towards -inf, towards +inf, half away from zero

/// price x qty through 128 bits.
Money notional(Price price, Qty qty, Rounding rounding = Rounding::nearest);
/// amount x rate through 128 bits.
Money times(Money amount, Rate rate, Rounding rounding);
/// amount / qty through 128 bits; qty is not zero. The average price of a position.
Price average_price(Money amount, Qty qty, Rounding rounding = Rounding::nearest);

/// The one way from a double back to a price: the nearest multiple of `tick` at or below / at or above /
/// nearest. Asserts that the value is finite and in range: `price_fits` asks first.
Price to_tick(double value, Price tick, Rounding rounding);
Qty to_step(double value, Qty step, Rounding rounding);
/// True for finite values that a Scaled can hold.
bool fits_scaled(double value);

/// The nearest multiple of `unit` (> 0).
std::int64_t round_to_multiple(std::int64_t raw, std::int64_t unit, Rounding rounding);
template <class Tag>
Scaled<Tag> round_to(Scaled<Tag> value, Scaled<Tag> unit, Rounding rounding) {
  return Scaled<Tag>::from_raw(round_to_multiple(value.raw(), unit.raw(), rounding));
}

}  // namespace phoenix::model
