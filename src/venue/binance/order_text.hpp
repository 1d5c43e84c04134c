#pragma once

#include "model/account.hpp"
#include "model/instrument.hpp"
#include "model/order.hpp"
#include "model/symbol_table.hpp"
#include "venue/binance/json_reader.hpp"

#include <string_view>

namespace phoenix::venue::binance {

// The venue's words for orders. A word we do not know becomes the enumerator that stands for that.
model::OrderStatus order_status(std::string_view text);
model::ExecutionType execution_type(std::string_view text);
model::OrderType order_type(std::string_view text);
model::TimeInForce time_in_force(std::string_view text);

/// BUY or SELL; anything else is a fault of the reader, because a side has no unknown.
model::Side read_side(JsonReader& json, JsonReader::Value value);
/// BOTH, LONG or SHORT; anything else is a fault.
model::PositionSide read_position_side(JsonReader& json, JsonReader::Value value);

/// Whether a row's symbol is in our table.
enum class RowOwner : std::uint8_t { ours, foreign };
/// Reads an order of REST or the WS-API into `out`. A foreign row fills only part of it.
RowOwner read_order(JsonReader& json, JsonReader::Value value, const model::SymbolTable& symbols,
                    model::OrderReport& out);
/// One member of such an order at a time, for an order that is the whole body.
class OrderRow {
 public:
  void member(JsonReader& json, std::string_view key, JsonReader::Value value,
              const model::SymbolTable& symbols);
  /// True once anything was seen that makes this an order.
  bool is_order() const { return order_id_.has_value(); }
  RowOwner finish(JsonReader& json, model::OrderReport& out) const;

 private:
  std::optional<std::string_view> symbol_name_;
  std::optional<model::SymbolId> symbol_;
  std::optional<std::int64_t> order_id_;
  std::optional<model::ClientText> client_text_, original_client_text_;
  std::optional<model::Side> side_;
  std::optional<model::OrderStatus> status_;
  std::optional<model::Price> price_;
  std::optional<model::Qty> qty_, filled_qty_;
  std::optional<base::VenueTime> update_time_, transact_time_;
  model::Intent intent_ = model::Intent::open;
};

}  // namespace phoenix::venue::binance
