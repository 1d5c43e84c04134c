#pragma once

#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/ids.hpp"
#include "model/side.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace phoenix::model {

enum class Product : std::uint8_t { usdm, spot };

/// What the venue lets us do with a symbol. Unknown texts become `unknown`, which trades nothing.
enum class SymbolStatus : std::uint8_t { trading, pending, halted, settling, closed, unknown };

/// The venue's rules for one symbol, from exchangeInfo. A zero rule is switched off by the venue.
struct Instrument {
  SymbolId symbol;
  std::string name;
  std::string base_asset, quote_asset;
  SymbolStatus status = SymbolStatus::unknown;
  Price tick_size, price_min, price_max;
  Qty step_size, qty_min, qty_max;
  Money notional_min;
  Rate price_up_max, price_down_min;  ///< PERCENT_PRICE multipliers of the mark price; 0 = none
  int orders_max = 200;               ///< open orders per symbol
  bool supports_gtx = true;
  base::VenueTime delivery_time{};

  friend bool operator==(const Instrument&, const Instrument&) = default;
  /// Down to the lot grid; not below zero.
  Qty qty_down(Qty qty) const {
    if (qty.is_negative()) return Qty{};
    return step_size.is_zero() ? qty : round_to(qty, step_size, Rounding::down);
  }
  /// A bid rounds down, an ask rounds up: never nearer to the market than wanted.
  Price price_passive(Side side, Price price) const {
    if (tick_size.is_zero()) return price;
    return round_to(price, tick_size, side == Side::bid ? Rounding::down : Rounding::up);
  }
};

enum class InstrumentFault : std::uint8_t {
  price_off_tick,
  price_below_min,
  price_above_max,
  qty_off_step,
  qty_below_min,
  qty_above_max,
  notional_below_min
};
/// The first rule a limit order of `price` and `qty` breaks; empty when it keeps them all. `reduce_only`
/// orders are exempt from the minimum notional.
enum class Intent : std::uint8_t { open, reduce_only };
std::optional<InstrumentFault> check_order(const Instrument& instrument, Price price, Qty qty, Intent intent);

}  // namespace phoenix::model
