#pragma once

#include "base/short_text.hpp"
#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/ids.hpp"
#include "model/order.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace phoenix::model {

using Asset = base::ShortText<16>;

/// ORDER_TRADE_UPDATE (spot: executionReport). A fill is identified by (symbol, trade_id).
struct OrderUpdate {
  SymbolId symbol;
  std::int64_t order_id = 0;
  ClientText client_text;
  std::optional<ClientOrderId> id;  ///< when the client id is one of ours
  Side side = Side::bid;
  OrderType type = OrderType::limit;
  TimeInForce time_in_force = TimeInForce::gtc;
  ExecutionType execution = ExecutionType::unknown;
  OrderStatus status = OrderStatus::unknown;
  Price price;
  Qty qty, filled_qty;  ///< original total; cumulative
  Qty last_qty;         ///< of this fill
  Price last_price;
  std::int64_t trade_id = 0;  ///< 0 when this is no trade
  Money commission;           ///< negative is a rebate
  Asset commission_asset;
  Money realized_pnl;  ///< before fees
  bool maker = false;
  bool forced = false;  ///< an order of the venue's own against the account: liquidation or ADL
  Intent intent = Intent::open;
  int expiry_reason = 0;
  base::VenueTime event_time{}, transaction_time{};
};

/// TRADE_LITE: a fill, sooner and without status. A hint; the OrderUpdate of the same trade must not count
/// twice.
struct TradeLite {
  SymbolId symbol;
  std::int64_t order_id = 0, trade_id = 0;
  ClientText client_text;
  std::optional<ClientOrderId> id;
  Side side = Side::bid;
  Price last_price;
  Qty last_qty;
  bool maker = false;
  base::VenueTime event_time{}, transaction_time{};
};

struct BalanceChange {
  Asset asset;
  Money wallet_balance, cross_balance, change;
};
enum class PositionSide : std::uint8_t { both, long_side, short_side };
struct PositionChange {
  SymbolId symbol;
  PositionSide position_side = PositionSide::both;
  Qty qty;  ///< signed
  Price entry_price;
  Money unrealized_pnl;
};
enum class AccountReason : std::uint8_t { order, funding_fee, transfer, adjustment, insurance_clear, other };

/// ACCOUNT_UPDATE: absolute values of what changed. Spans point into the decoder's buffers.
struct AccountUpdate {
  AccountReason reason = AccountReason::other;
  std::span<const BalanceChange> balances;
  std::span<const PositionChange> positions;
  base::VenueTime event_time{}, transaction_time{};
};

struct ListenKeyExpired {
  base::VenueTime event_time{};
};
/// MARGIN_CALL, or an ORDER_TRADE_UPDATE of a liquidation is a matter of its own; this is the warning.
struct MarginCall {
  base::VenueTime event_time{};
};
struct AccountConfigUpdate {
  std::optional<SymbolId> symbol;
  int leverage = 0;  ///< 0 when the event was about something else
  base::VenueTime event_time{};
};

/// One row of positionRisk. Absence of a symbol means flat.
struct PositionReport {
  SymbolId symbol;
  PositionSide position_side = PositionSide::both;
  Qty qty;  ///< signed
  Price entry_price, mark_price;
  Money unrealized_pnl;
  base::VenueTime update_time{};
};
/// One row of the account's assets.
struct BalanceReport {
  Asset asset;
  Money wallet_balance, available_balance;
};

/// One row of userTrades.
struct FillReport {
  SymbolId symbol;
  std::int64_t trade_id = 0, order_id = 0;
  Side side = Side::bid;
  Price price;
  Qty qty;
  Money realized_pnl, commission;
  Asset commission_asset;
  bool maker = false;
  base::VenueTime time{};
};

}  // namespace phoenix::model
