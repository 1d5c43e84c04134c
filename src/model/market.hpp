#pragma once

#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/ids.hpp"
#include "model/side.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace phoenix::model {

/// One price level; qty is absolute. In a delta, qty 0 removes the level.
struct Level {
  Price price;
  Qty qty;
  friend constexpr bool operator==(const Level&, const Level&) = default;
};

/// A change of the book. The spans point into the decoder's buffers and are valid until its next call.
struct DepthDelta {
  SymbolId symbol;
  std::int64_t first_id = 0;                        ///< U
  std::int64_t last_id = 0;                         ///< u
  std::optional<std::int64_t> prev_id;              ///< pu; futures only
  base::VenueTime event_time{};                     ///< E
  std::optional<base::VenueTime> transaction_time;  ///< T; futures only
  std::span<const Level> bids, asks;
  base::LocalTime received{};  ///< read from the socket; the decoder leaves it to its caller
};

/// The best levels, complete: replaces what was known (stream depth5/10/20).
struct DepthTop {
  SymbolId symbol;
  std::int64_t last_id = 0;
  std::optional<base::VenueTime> event_time;
  std::span<const Level> bids, asks;  ///< best first
};

/// The answer of REST depth. Levels beyond the limit asked for are unknown.
struct DepthSnapshot {
  SymbolId symbol;
  std::int64_t last_id = 0;
  std::optional<base::VenueTime> event_time;
  std::span<const Level> bids, asks;  ///< best first
};

struct BookTicker {
  SymbolId symbol;
  std::int64_t update_id = 0;
  Level bid, ask;
  std::optional<base::VenueTime> event_time, transaction_time;  ///< futures only
};

struct AggTrade {
  SymbolId symbol;
  std::int64_t id = 0;  ///< a; consecutive per symbol
  std::int64_t first_trade_id = 0, last_trade_id = 0;
  Price price;
  Qty qty;
  Side aggressor = Side::bid;
  base::VenueTime trade_time{}, event_time{};
};

enum class TradeKind : std::uint8_t { market, insurance_fund, adl, unknown };

struct Trade {
  SymbolId symbol;
  std::int64_t id = 0;
  Price price;
  Qty qty;
  Side aggressor = Side::bid;
  TradeKind kind = TradeKind::market;
  base::VenueTime trade_time{}, event_time{};
};

struct MarkPrice {
  SymbolId symbol;
  Price mark, index;
  Rate funding_rate;
  std::optional<base::VenueTime> next_funding_time;
  base::VenueTime event_time{};
};

/// At most one a second and symbol: a sample, never the whole tape.
struct Liquidation {
  SymbolId symbol;
  Side side = Side::bid;
  Price price, average_price;
  Qty qty, filled_qty;
  base::VenueTime trade_time{}, event_time{};
};

struct Kline {
  SymbolId symbol;
  base::VenueTime open_time{}, close_time{}, event_time{};
  base::Duration interval{};  ///< 0 for one month
  Price open, high, low, close;
  Qty volume, taker_buy_volume;
  std::int64_t trade_count = 0;
  bool closed = false;
};

}  // namespace phoenix::model
