#pragma once

#include "base/assert.hpp"
#include "model/instrument.hpp"
#include "venue/rate_budget.hpp"

#include <cstdint>
#include <optional>

namespace phoenix::venue::binance {

/// Everything Phoenix asks Binance, by what it is, not by how it travels.
enum class RequestKind : std::uint8_t {
  exchange_info,
  server_time,
  depth,
  agg_trades,
  premium_index,
  place,
  amend,
  cancel,
  cancel_all,
  query_order,
  batch_place,
  batch_cancel,
  countdown,  ///< countdownCancelAll: the dead man's switch
  open_orders,
  open_orders_all,
  position_risk,
  account,
  balance,
  user_trades,
  account_config,
  symbol_config,
  position_mode,
  set_leverage,
  set_margin_type,
  listen_key_start,
  listen_key_keep_alive,
  listen_key_close,
  session_logon,
  user_stream_subscribe,
  order_api_connect,
  key_permissions,  ///< what the API key may do; asked of the spot host
  incomes,
};

/// True for requests that change nothing at the venue: a lost answer leaves nothing unknown.
constexpr bool is_query(RequestKind kind) {
  using K = RequestKind;
  switch (kind) {
    case K::exchange_info:
    case K::server_time:
    case K::depth:
    case K::agg_trades:
    case K::premium_index:
    case K::query_order:
    case K::open_orders:
    case K::open_orders_all:
    case K::position_risk:
    case K::account:
    case K::balance:
    case K::user_trades:
    case K::account_config:
    case K::symbol_config:
    case K::position_mode:
    case K::listen_key_start:
    case K::listen_key_keep_alive:
    case K::session_logon:
    case K::user_stream_subscribe:
    case K::order_api_connect:
    case K::key_permissions:
    case K::incomes:
      return true;
    default:
      return false;
  }
}

/// The one weight table. `depth` has its own function, because its weight depends on the limit; a batch
/// counts `orders` in the short order window. Spot: what a failed call costs, successful order calls weigh
/// nothing.
constexpr Cost cost(model::Product product, RequestKind kind, int orders = 1) {
  using K = RequestKind;
  PHX_ASSERT(kind != K::depth, "the cost of depth is asked with its limit");
  const bool spot = product == model::Product::spot;
  switch (kind) {
    case K::exchange_info:
      return {.weight = spot ? 20 : 1};
    case K::server_time:
      return {.weight = 1};
    case K::agg_trades:
      return {.weight = spot ? 4 : 20};
    case K::premium_index:
      return {.weight = 1};
    case K::place:
      return {.weight = spot ? 1 : 0, .orders_short = 1, .orders_long = 1};
    case K::amend:
      return {.weight = spot ? 4 : 0, .orders_short = 1, .orders_long = 1};
    case K::cancel:
      return {.weight = 1};
    case K::cancel_all:
      return {.weight = 1};
    case K::query_order:
      return {.weight = spot ? 4 : 1};
    case K::batch_place:
      return {.weight = 5, .orders_short = orders, .orders_long = 1};
    case K::batch_cancel:
      return {.weight = 1};
    case K::countdown:
      return {.weight = 10};
    case K::open_orders:
      return {.weight = spot ? 6 : 1};
    case K::open_orders_all:
      return {.weight = spot ? 80 : 40};
    case K::position_risk:
      return {.weight = 5};
    case K::account:
      return {.weight = spot ? 20 : 5};
    case K::balance:
      return {.weight = 5};
    case K::user_trades:
      return {.weight = spot ? 20 : 5};
    case K::account_config:
      return {.weight = 5};
    case K::symbol_config:
      return {.weight = 5};
    case K::position_mode:
      return {.weight = 30};
    case K::set_leverage:
      return {.weight = 1};
    case K::set_margin_type:
      return {.weight = 1};
    case K::listen_key_start:
      return {.weight = 1};
    case K::listen_key_keep_alive:
      return {.weight = 1};
    case K::listen_key_close:
      return {.weight = 1};
    case K::key_permissions:
      return {.weight = 1};
    case K::incomes:
      return {.weight = 30};
    case K::session_logon:
      return {.weight = 2};
    case K::user_stream_subscribe:
      return {.weight = 2};
    case K::order_api_connect:
      return {.weight = spot ? 2 : 5};
    case K::depth:
      break;
  }
  return {};
}

/// Weight of REST depth by its limit; empty for a limit the venue refuses (-4021).
constexpr std::optional<Cost> depth_cost(model::Product product, int limit) {
  if (product == model::Product::spot) {
    if (limit < 1 || limit > 5000) return std::nullopt;
    return Cost{.weight = limit <= 100 ? 5 : limit <= 500 ? 25 : limit <= 1000 ? 50 : 250};
  }
  switch (limit) {
    case 5:
    case 10:
    case 20:
    case 50:
      return Cost{.weight = 2};
    case 100:
      return Cost{.weight = 5};
    case 500:
      return Cost{.weight = 10};
    case 1000:
      return Cost{.weight = 20};
    default:
      return std::nullopt;
  }
}

}  // namespace phoenix::venue::binance
