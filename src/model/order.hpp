#pragma once

#include "base/short_text.hpp"
#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/ids.hpp"
#include "model/instrument.hpp"
#include "model/side.hpp"

#include <cstdint>
#include <optional>
#include <variant>

namespace phoenix::model {

enum class OrderType : std::uint8_t { limit, market, other };
enum class TimeInForce : std::uint8_t { gtc, ioc, fok, gtx, other };  ///< gtx = post-only
enum class OrderStatus : std::uint8_t {
  fresh,  ///< the wire's NEW
  partially_filled,
  filled,
  canceled,
  rejected,
  expired,
  expired_in_match,
  unknown  ///< a text we do not know: fails closed
};
constexpr bool is_final(OrderStatus s) {
  return s == OrderStatus::filled || s == OrderStatus::canceled || s == OrderStatus::rejected ||
         s == OrderStatus::expired || s == OrderStatus::expired_in_match;
}
enum class ExecutionType : std::uint8_t { fresh, canceled, calculated, expired, trade, amendment, unknown };

// What we ask of the venue.

struct PlaceOrder {
  ClientOrderId id;
  SymbolId symbol;
  Side side = Side::bid;
  Price price;
  Qty qty;
  TimeInForce time_in_force = TimeInForce::gtx;
  Intent intent = Intent::open;
};
/// `qty` is the new total, what is filled included.
struct AmendOrder {
  ClientOrderId id;
  SymbolId symbol;
  Side side = Side::bid;
  Price price;
  Qty qty;
};
struct CancelOrder {
  ClientOrderId id;
  SymbolId symbol;
};
struct CancelAllOrders {
  SymbolId symbol;
};
struct QueryOrder {
  ClientOrderId id;
  SymbolId symbol;
};
using OrderRequest = std::variant<PlaceOrder, AmendOrder, CancelOrder, CancelAllOrders, QueryOrder>;

// What the venue says.

/// An order as a REST or WS-API answer describes it.
struct OrderReport {
  SymbolId symbol;
  std::int64_t order_id = 0;
  ClientText client_text;
  std::optional<ClientOrderId> id;  ///< when the client id is one of ours
  Side side = Side::bid;
  OrderStatus status = OrderStatus::unknown;
  Price price;
  Qty qty, filled_qty;
  Intent intent = Intent::open;
  base::VenueTime update_time{};
};

/// Why the venue refused, as far as it changes what we do next.
enum class Refusal : std::uint8_t {
  post_only_would_take,  ///< -5022: normal, price again
  order_not_found,       ///< -2011, -2013: gone, or never there; ask, never assume
  duplicate_id,          ///< -4116: the first one lives
  no_change,             ///< -5027: the amend is already true
  amend_failed,          ///< -5024..-5029, -5043
  filter,                ///< precision, tick, lot, notional, collar: read the rules again
  rate_limited,          ///< 429, 418, -1003, -1015
  overloaded,            ///< -1008, 503 that says it failed
  clock,                 ///< -1021, -5028
  margin,                ///< balance or margin
  reduce_only,           ///< -2022, -4118
  open_order_limit,      ///< -2025
  auth,                  ///< key, signature, permission: stop
  other                  ///< a code not listed: refused, and an alarm
};

enum class Outcome : std::uint8_t {
  accepted,
  refused,
  unknown  ///< the venue may or may not have done it; ends only by evidence
};

/// The answer to one OrderRequest.
struct OrderAnswer {
  Outcome outcome = Outcome::unknown;
  std::optional<OrderReport> report;  ///< with accepted
  Refusal refusal = Refusal::other;   ///< with refused
  int code = 0;                       ///< the venue's code, 0 when it gave none
  base::ShortText<120> message;
};

}  // namespace phoenix::model
