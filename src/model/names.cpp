#include "model/names.hpp"

namespace phoenix::model {

std::string_view name(Side side) { return side == Side::bid ? "bid" : "ask"; }

std::string_view name(OrderStatus status) {
  switch (status) {
    case OrderStatus::fresh:
      return "new";
    case OrderStatus::partially_filled:
      return "partially_filled";
    case OrderStatus::filled:
      return "filled";
    case OrderStatus::canceled:
      return "canceled";
    case OrderStatus::rejected:
      return "rejected";
    case OrderStatus::expired:
      return "expired";
    case OrderStatus::expired_in_match:
      return "expired_in_match";
    case OrderStatus::unknown:
      break;
  }
  return "unknown";
}

std::string_view name(Refusal refusal) {
  switch (refusal) {
    case Refusal::post_only_would_take:
      return "post_only_would_take";
    case Refusal::order_not_found:
      return "order_not_found";
    case Refusal::duplicate_id:
      return "duplicate_id";
    case Refusal::no_change:
      return "no_change";
    case Refusal::amend_failed:
      return "amend_failed";
    case Refusal::filter:
      return "filter";
    case Refusal::rate_limited:
      return "rate_limited";
    case Refusal::overloaded:
      return "overloaded";
    case Refusal::clock:
      return "clock";
    case Refusal::margin:
      return "margin";
    case Refusal::reduce_only:
      return "reduce_only";
    case Refusal::open_order_limit:
      return "open_order_limit";
    case Refusal::auth:
      return "auth";
    case Refusal::other:
      break;
  }
  return "other";
}

std::string_view name(Outcome outcome) {
  switch (outcome) {
    case Outcome::accepted:
      return "accepted";
    case Outcome::refused:
      return "refused";
    case Outcome::unknown:
      break;
  }
  return "unknown";
}

std::string_view name(InstrumentFault fault) {
  switch (fault) {
    case InstrumentFault::price_off_tick:
      return "price_off_tick";
    case InstrumentFault::price_below_min:
      return "price_below_min";
    case InstrumentFault::price_above_max:
      return "price_above_max";
    case InstrumentFault::qty_off_step:
      return "qty_off_step";
    case InstrumentFault::qty_below_min:
      return "qty_below_min";
    case InstrumentFault::qty_above_max:
      return "qty_above_max";
    case InstrumentFault::notional_below_min:
      return "notional_below_min";
  }
  return "unknown";
}

std::string_view name(Product product) { return product == Product::usdm ? "usdm" : "spot"; }

}  // namespace phoenix::model
