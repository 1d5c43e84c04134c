#include "exchange/rules.hpp"

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

namespace phoenix::exchange {
namespace reject {

Reject time_in_force_invalid() { return {-1115, "Invalid timeInForce."}; }
Reject type_invalid() { return {-1116, "Invalid orderType."}; }
Reject side_invalid() { return {-1117, "Invalid side."}; }
Reject invalid_symbol() { return {-1121, "Invalid symbol."}; }
Reject parameter_invalid(std::string_view name) {
  return {-1130, fmt::format("Data sent for parameter '{}' is not valid.", name)};
}
Reject unknown_order() { return {-2011, "Unknown order sent."}; }
Reject order_does_not_exist() { return {-2013, "Order does not exist."}; }
Reject margin_insufficient() { return {-2019, "Margin is insufficient."}; }
Reject reduce_only() { return {-2022, "ReduceOnly Order is rejected."}; }
Reject open_order_limit() { return {-2025, "Reach max open order limit."}; }
Reject position_limit() { return {-2027, "Exceeded the maximum allowable position at current leverage."}; }
Reject client_id_invalid() { return {-4015, "Client order id is not valid."}; }
Reject leverage_invalid() { return {-4028, "Leverage is not valid."}; }
Reject duplicate_client_id() { return {-4116, "ClientOrderId is duplicated."}; }
Reject counterparty_price() {
  return {-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit."};
}
Reject symbol_not_trading() { return {-4140, "Invalid symbol status for opening position."}; }
Reject notional_too_small(Money minimum) {
  return {-4164, fmt::format("Order's notional must be no smaller than {} (unless you choose reduce only).",
                             minimum.text())};
}
Reject fok_not_filled() {
  return {-5021,
          "Due to the order could not be filled immediately, the FOK order has been rejected. The order will "
          "not be recorded in the order history."};
}
Reject gtx_would_take() {
  return {-5022,
          "Due to the order could not be executed as maker, the Post Only order will be rejected. The order "
          "will not be recorded in the order history."};
}
Reject amend_not_trading() {
  return {-5024, "Symbol is not in trading status. Order amendment is not permitted."};
}
Reject amend_limit() { return {-5026, "Exceed maximum modify order limit."}; }
Reject amend_no_change() { return {-5027, "No need to modify the order."}; }
Reject amend_too_small() { return {-5029, "The amended order is too small."}; }

}  // namespace reject

namespace {

/// True when `raw` has no digit beyond `places` decimals.
bool within_precision(std::int64_t raw, int places) {
  std::int64_t unit = base::decimal_one;
  for (int i = 0; i < places; ++i) unit /= 10;
  return raw % unit == 0;
}

Reject precision_over_maximum() { return {-1111, "Precision is over the maximum defined for this asset."}; }

}  // namespace

std::optional<Reject> check_qty(const SymbolSpec& spec, OrderType type, Qty qty) {
  const Filters& f = spec.filters;
  if (!qty.is_positive()) return Reject{-4003, "Quantity less than or equal to zero."};
  if (!within_precision(qty.raw(), spec.qty_precision)) return precision_over_maximum();
  if (qty < f.qty_min) return Reject{-4004, "Quantity less than min quantity."};
  const Qty most = type == OrderType::market ? f.market_qty_max : f.qty_max;
  if (qty > most) return Reject{-4005, "Quantity greater than max quantity."};
  if ((qty - f.qty_min).raw() % f.step_size.raw() != 0)
    return Reject{-4023, "Quantity not increased by step size."};
  return std::nullopt;
}

Price collar(const Filters& f, Side side, Price mark) {
  const Rate multiplier = side == Side::bid ? f.multiplier_up : f.multiplier_down;
  if (multiplier.is_zero()) return side == Side::bid ? f.price_max : Price{};
  const auto rounding = side == Side::bid ? model::Rounding::down : model::Rounding::up;
  return Price::from_raw(model::times(Money::from_raw(mark.raw()), multiplier, rounding).raw());
}

std::optional<Reject> check_price(const SymbolSpec& spec, Side side, Price price, Price mark) {
  const Filters& f = spec.filters;
  if (!price.is_positive()) return Reject{-4001, "Price less than 0."};
  if (!within_precision(price.raw(), spec.price_precision)) return precision_over_maximum();
  if (price < f.price_min) return Reject{-4013, "Price less than min price."};
  if (price > f.price_max) return Reject{-4002, "Price greater than max price."};
  if ((price - f.price_min).raw() % f.tick_size.raw() != 0)
    return Reject{-4014, "Price not increased by tick size."};
  const Price limit = collar(f, side, mark);
  if (side == Side::bid && price > limit) {
    return Reject{-4016, fmt::format("Limit price can't be higher than {}.", limit.text())};
  }
  if (side == Side::ask && price < limit) {
    return Reject{-4024, fmt::format("Limit price can't be lower than {}.", limit.text())};
  }
  return std::nullopt;
}

bool client_id_valid(std::string_view text) {
  if (text.empty() || text.size() > 36) return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == ':' || c == '/' || c == '_' || c == '-';
  });
}

void check_filters(std::string_view symbol, const Filters& f) {
  const auto demand = [symbol](bool kept, std::string_view rule) {
    if (!kept) throw std::invalid_argument(fmt::format("symbol {}: {}", symbol, rule));
  };
  demand(f.tick_size.is_positive() && f.step_size.is_positive(), "tick and step must be positive");
  demand(!f.price_min.is_negative() && f.price_min < f.price_max, "price_max must be above price_min");
  demand(f.qty_min.is_positive() && f.qty_min < f.qty_max, "qty_min must be positive and qty_max above it");
  demand(f.market_qty_max.is_positive() && f.market_qty_max <= f.qty_max,
         "market_qty_max must be within qty_max");
  demand(f.price_max <= Price::from_units(10'000'000), "price_max must be at most 10000000");
  demand(f.qty_max <= Qty::from_units(10'000'000), "qty_max must be at most 10000000");
  // Every notional the filters allow then fits the fixed-point range many times over.
  const auto largest = static_cast<long long>(f.price_max.raw() / base::decimal_one + 1) *
                       (f.qty_max.raw() / base::decimal_one + 1);
  demand(largest <= 2'000'000'000, "price_max x qty_max must be at most 2e9");
  demand(!f.notional_min.is_negative(), "notional_min must not be negative");
  demand(!f.multiplier_up.is_negative() && !f.multiplier_down.is_negative() &&
             f.multiplier_up <= Rate::from_units(10),
         "the price multipliers must be between 0 and 10");
  demand(f.orders_max >= 1 && f.orders_max <= 1'000, "orders_max must be 1 to 1000");
}

}  // namespace phoenix::exchange
