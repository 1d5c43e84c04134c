#pragma once

#include "exchange/types.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace phoenix::exchange {

// The words of the wire.

std::string_view wire_name(Side side);
std::string_view wire_name(OrderType type);
std::string_view wire_name(TimeInForce time_in_force);
std::string_view wire_name(OrderStatus status);
std::string_view wire_name(ExecutionType execution);
std::string_view wire_name(StpMode mode);
std::string_view wire_name(SymbolStatus status);
std::string_view wire_name(model::AccountReason reason);
std::string_view wire_name(IncomeKind kind);
constexpr std::string_view wire_bool(bool value) { return value ? "true" : "false"; }

// Decimals as text, exact.

/// With the symbol's decimals.
std::string price_text(const SymbolSpec& spec, Price price);
std::string qty_text(const SymbolSpec& spec, Qty qty);
/// With at least `places` decimals and as many more as the value has.
std::string at_least(std::int64_t raw, int places);
/// With eight decimals.
template <class Tag>
std::string eight(model::Scaled<Tag> value) {
  return base::format_decimal_fixed(value.raw(), base::decimal_places);
}

/// [["price","qty"],...] with the symbol's decimals.
void append_levels(std::string& out, const SymbolSpec& spec, std::span<const Level> levels);

/// An average: the symbol's decimals when they hold it, more when not. Zero is as the venue writes it.
std::string average_text(const SymbolSpec& spec, Price average);

// Orders. Each is one JSON object.

/// Answer to place, amend and cancel: without avgPrice and cumQuote, as since 2026-06-30.
std::string order_answer(const Order& order, const SymbolSpec& spec);
/// Answer of queries: with avgPrice, cumQuote and time.
std::string order_query(const Order& order, const SymbolSpec& spec);

std::string order_trade_update(const OrderEvent& event, const SymbolSpec& spec, std::int64_t event_ms);
std::string trade_lite(const OrderEvent& event, const SymbolSpec& spec, std::int64_t event_ms);
/// `spec` is the one of the event's symbol, or null.
std::string account_update(const AccountEvent& event, const SymbolSpec* spec, std::int64_t event_ms);

// Market data, one JSON object each.

struct DepthFrame {
  std::int64_t first_id = 0, last_id = 0, prev_id = 0;
  VenueTime time{};
  std::span<const Level> bids, asks;
};
std::string depth_update(const DepthFrame& frame, const SymbolSpec& spec, std::int64_t event_ms);
std::string book_ticker(const TopChange& top, const SymbolSpec& spec, std::int64_t event_ms);
std::string agg_trade(const AggTradePrint& row, const SymbolSpec& spec, std::int64_t event_ms);
std::string trade(const TradePrint& print, const SymbolSpec& spec, std::int64_t event_ms);
std::string mark_price_update(const MarkPriceTick& tick, const SymbolSpec& spec);
std::string force_order(const LiquidationPrint& print, const SymbolSpec& spec, std::int64_t event_ms);

}  // namespace phoenix::exchange
