#include "venue/binance/order_text.hpp"

namespace phoenix::venue::binance {

model::OrderStatus order_status(std::string_view text) {
  using S = model::OrderStatus;
  if (text == "NEW") return S::fresh;
  if (text == "PARTIALLY_FILLED") return S::partially_filled;
  if (text == "FILLED") return S::filled;
  if (text == "CANCELED") return S::canceled;
  if (text == "REJECTED") return S::rejected;
  if (text == "EXPIRED") return S::expired;
  if (text == "EXPIRED_IN_MATCH") return S::expired_in_match;
  return S::unknown;
}

model::ExecutionType execution_type(std::string_view text) {
  using X = model::ExecutionType;
  if (text == "NEW") return X::fresh;
  if (text == "CANCELED") return X::canceled;
  if (text == "CALCULATED") return X::calculated;
  if (text == "EXPIRED") return X::expired;
  if (text == "TRADE") return X::trade;
  if (text == "AMENDMENT") return X::amendment;
  return X::unknown;
}

model::OrderType order_type(std::string_view text) {
  if (text == "LIMIT" || text == "LIMIT_MAKER") return model::OrderType::limit;
  if (text == "MARKET") return model::OrderType::market;
  return model::OrderType::other;
}

model::TimeInForce time_in_force(std::string_view text) {
  using T = model::TimeInForce;
  if (text == "GTC") return T::gtc;
  if (text == "IOC") return T::ioc;
  if (text == "FOK") return T::fok;
  if (text == "GTX") return T::gtx;
  return T::other;
}

model::Side read_side(JsonReader& json, JsonReader::Value value) {
  const auto text = json.text(value);
  if (text == "BUY") return model::Side::bid;
  if (text != "SELL") json.fail(DecodeFault::bad_value);
  return model::Side::ask;
}

model::PositionSide read_position_side(JsonReader& json, JsonReader::Value value) {
  const auto text = json.text(value);
  if (text == "LONG") return model::PositionSide::long_side;
  if (text == "SHORT") return model::PositionSide::short_side;
  if (text != "BOTH") json.fail(DecodeFault::bad_value);
  return model::PositionSide::both;
}

void OrderRow::member(JsonReader& json, std::string_view key, JsonReader::Value value,
                      const model::SymbolTable& symbols) {
  if (key == "symbol") {
    symbol_name_ = json.text(value);
    symbol_ = symbols.find(*symbol_name_);
  } else if (key == "orderId") {
    order_id_ = json.integer(value);
  } else if (key == "clientOrderId") {
    client_text_ = json.short_text<36>(value);
  } else if (key == "origClientOrderId") {
    original_client_text_ = json.short_text<36>(value);
  } else if (key == "side") {
    side_ = read_side(json, value);
  } else if (key == "status") {
    status_ = order_status(json.text(value));
  } else if (key == "price") {
    price_ = json.decimal<model::Price>(value);
  } else if (key == "origQty") {
    qty_ = json.decimal<model::Qty>(value);
  } else if (key == "executedQty") {
    filled_qty_ = json.decimal<model::Qty>(value);
  } else if (key == "reduceOnly") {
    intent_ = json.boolean(value) ? model::Intent::reduce_only : model::Intent::open;
  } else if (key == "updateTime") {
    update_time_ = json.time(value);
  } else if (key == "transactTime") {
    transact_time_ = json.time(value);
  }
}

RowOwner OrderRow::finish(JsonReader& json, model::OrderReport& out) const {
  json.require(symbol_name_);
  if (!symbol_) return RowOwner::foreign;
  out.symbol = *symbol_;
  out.order_id = json.require(order_id_);
  // A spot cancel answers with the cancel's own id and names the order's beside it.
  out.client_text = original_client_text_ ? *original_client_text_ : json.require(client_text_);
  out.id = model::ClientOrderId::parse(out.client_text.view());
  out.side = json.require(side_);
  out.status = json.require(status_);
  out.price = json.require(price_);
  out.qty = json.require(qty_);
  out.filled_qty = json.require(filled_qty_);
  if (out.qty.is_negative() || out.filled_qty.is_negative() || out.price.is_negative()) {
    json.fail(DecodeFault::bad_number);
  }
  out.intent = intent_;
  out.update_time = json.require(update_time_ ? update_time_ : transact_time_);
  return RowOwner::ours;
}

RowOwner read_order(JsonReader& json, JsonReader::Value value, const model::SymbolTable& symbols,
                    model::OrderReport& out) {
  OrderRow row;
  json.members(
      value, [&](std::string_view key, JsonReader::Value member) { row.member(json, key, member, symbols); });
  return row.finish(json, out);
}

}  // namespace phoenix::venue::binance
