#include "exchange/render.hpp"

#include "base/decimal.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace phoenix::exchange {
namespace {

/// Every symbol here is a perpetual, and the pair of a perpetual is its own name.
std::string_view pair_of(const SymbolSpec& spec) { return spec.name; }

void append_at_least(std::string& out, std::int64_t raw, int places) {
  std::array<char, base::decimal_text_max> text;
  const char* const end = base::format_decimal_to(text.data(), raw);
  const char* const point = std::find(static_cast<const char*>(text.data()), end, '.');
  out.append(static_cast<const char*>(text.data()), end);
  if (places == 0) return;
  const auto has = point == end ? 0 : end - point - 1;
  if (point == end) out += '.';
  if (has < places) out.append(static_cast<std::size_t>(places - has), '0');
}

}  // namespace

std::string_view wire_name(Side side) { return side == Side::bid ? "BUY" : "SELL"; }

std::string_view wire_name(OrderType type) {
  switch (type) {
    case OrderType::limit:
      return "LIMIT";
    case OrderType::market:
      return "MARKET";
    case OrderType::other:
      break;
  }
  return "LIQUIDATION";
}

std::string_view wire_name(TimeInForce time_in_force) {
  switch (time_in_force) {
    case TimeInForce::gtc:
      return "GTC";
    case TimeInForce::ioc:
      return "IOC";
    case TimeInForce::fok:
      return "FOK";
    case TimeInForce::gtx:
      return "GTX";
    case TimeInForce::other:
      break;
  }
  return "GTC";
}

std::string_view wire_name(OrderStatus status) {
  switch (status) {
    case OrderStatus::fresh:
      return "NEW";
    case OrderStatus::partially_filled:
      return "PARTIALLY_FILLED";
    case OrderStatus::filled:
      return "FILLED";
    case OrderStatus::canceled:
      return "CANCELED";
    case OrderStatus::rejected:
      return "REJECTED";
    case OrderStatus::expired:
      return "EXPIRED";
    case OrderStatus::expired_in_match:
      return "EXPIRED_IN_MATCH";
    case OrderStatus::unknown:
      break;
  }
  return "NEW";
}

std::string_view wire_name(ExecutionType execution) {
  switch (execution) {
    case ExecutionType::fresh:
      return "NEW";
    case ExecutionType::canceled:
      return "CANCELED";
    case ExecutionType::calculated:
      return "CALCULATED";
    case ExecutionType::expired:
      return "EXPIRED";
    case ExecutionType::trade:
      return "TRADE";
    case ExecutionType::amendment:
      return "AMENDMENT";
    case ExecutionType::unknown:
      break;
  }
  return "NEW";
}

std::string_view wire_name(StpMode mode) {
  switch (mode) {
    case StpMode::none:
      return "NONE";
    case StpMode::expire_maker:
      return "EXPIRE_MAKER";
    case StpMode::expire_taker:
      return "EXPIRE_TAKER";
    case StpMode::expire_both:
      return "EXPIRE_BOTH";
  }
  return "NONE";
}

std::string_view wire_name(SymbolStatus status) {
  switch (status) {
    case SymbolStatus::trading:
      return "TRADING";
    case SymbolStatus::pending:
      return "PENDING_TRADING";
    case SymbolStatus::halted:
      return "PRE_SETTLE";
    case SymbolStatus::settling:
      return "SETTLING";
    case SymbolStatus::closed:
    case SymbolStatus::unknown:
      break;
  }
  return "CLOSE";
}

std::string_view wire_name(model::AccountReason reason) {
  switch (reason) {
    case model::AccountReason::order:
      return "ORDER";
    case model::AccountReason::funding_fee:
      return "FUNDING_FEE";
    case model::AccountReason::transfer:
      return "ASSET_TRANSFER";
    case model::AccountReason::insurance_clear:
      return "INSURANCE_CLEAR";
    case model::AccountReason::adjustment:
    case model::AccountReason::other:
      break;
  }
  return "ADJUSTMENT";
}

std::string_view wire_name(IncomeKind kind) {
  switch (kind) {
    case IncomeKind::realized_pnl:
      return "REALIZED_PNL";
    case IncomeKind::commission:
      return "COMMISSION";
    case IncomeKind::funding_fee:
      break;
  }
  return "FUNDING_FEE";
}

std::string price_text(const SymbolSpec& spec, Price price) {
  return at_least(price.raw(), spec.price_precision);
}
std::string qty_text(const SymbolSpec& spec, Qty qty) { return at_least(qty.raw(), spec.qty_precision); }

std::string at_least(std::int64_t raw, int places) {
  std::string text;
  append_at_least(text, raw, places);
  return text;
}

std::string average_text(const SymbolSpec& spec, Price average) {
  return average.is_zero() ? "0" : price_text(spec, average);
}

void append_levels(std::string& out, const SymbolSpec& spec, std::span<const Level> levels) {
  out += '[';
  bool first = true;
  for (const Level& level : levels) {
    if (!first) out += ',';
    first = false;
    out += "[\"";
    append_at_least(out, level.price.raw(), spec.price_precision);
    out += "\",\"";
    append_at_least(out, level.qty.raw(), spec.qty_precision);
    out += "\"]";
  }
  out += ']';
}

std::string order_answer(const Order& o, const SymbolSpec& spec) {
  const std::string filled = qty_text(spec, o.filled);
  return fmt::format(
      R"({{"orderId":{},"symbol":"{}","status":"{}","clientOrderId":"{}","price":"{}","origQty":"{}",)"
      R"("executedQty":"{}","cumQty":"{}","timeInForce":"{}","type":"{}","reduceOnly":{},"closePosition":false,)"
      R"("side":"{}","positionSide":"BOTH","stopPrice":"{}","workingType":"CONTRACT_PRICE","priceProtect":false,)"
      R"("origType":"{}","priceMatch":"NONE","selfTradePreventionMode":"{}","goodTillDate":0,"updateTime":{}}})",
      o.id, spec.name, wire_name(o.status), o.client_text.view(), price_text(spec, o.price),
      qty_text(spec, o.qty), filled, filled, wire_name(o.time_in_force), wire_name(o.type),
      wire_bool(o.intent == Intent::reduce_only), wire_name(o.side), price_text(spec, Price{}),
      wire_name(o.type), wire_name(o.stp), base::ms_of(o.updated));
}

std::string order_query(const Order& o, const SymbolSpec& spec) {
  return fmt::format(
      R"({{"orderId":{},"symbol":"{}","status":"{}","clientOrderId":"{}","price":"{}","avgPrice":"{}",)"
      R"("origQty":"{}","executedQty":"{}","cumQuote":"{}","timeInForce":"{}","type":"{}","reduceOnly":{},)"
      R"("closePosition":false,"side":"{}","positionSide":"BOTH","stopPrice":"{}",)"
      R"("workingType":"CONTRACT_PRICE","priceProtect":false,"origType":"{}","priceMatch":"NONE",)"
      R"("selfTradePreventionMode":"{}","goodTillDate":0,"time":{},"updateTime":{}}})",
      o.id, spec.name, wire_name(o.status), o.client_text.view(), price_text(spec, o.price),
      price_text(spec, o.average_price()), qty_text(spec, o.qty), qty_text(spec, o.filled),
      at_least(o.filled_quote.raw(), spec.price_precision), wire_name(o.time_in_force), wire_name(o.type),
      wire_bool(o.intent == Intent::reduce_only), wire_name(o.side), price_text(spec, Price{}),
      wire_name(o.type), wire_name(o.stp), base::ms_of(o.created), base::ms_of(o.updated));
}

std::string order_trade_update(const OrderEvent& event, const SymbolSpec& spec, std::int64_t event_ms) {
  const Order& o = event.order;
  const auto time_ms = base::ms_of(event.time);
  std::string out = fmt::format(
      R"({{"e":"ORDER_TRADE_UPDATE","T":{},"E":{},"o":{{"s":"{}","c":"{}","S":"{}","o":"{}","f":"{}","q":"{}",)"
      R"("p":"{}","ap":"{}","sp":"0","x":"{}","X":"{}","i":{},"l":"{}","z":"{}","L":"{}")",
      time_ms, event_ms, spec.name, o.client_text.view(), wire_name(o.side), wire_name(o.type),
      wire_name(o.time_in_force), qty_text(spec, o.qty), price_text(spec, o.price),
      average_text(spec, o.average_price()), wire_name(event.execution), wire_name(o.status), o.id,
      qty_text(spec, event.last_qty), qty_text(spec, o.filled), average_text(spec, event.last_price));
  if (event.execution == ExecutionType::trade) {
    out += fmt::format(R"(,"n":"{}","N":"{}")", event.commission.text(), spec.quote_asset);
  }
  out += fmt::format(
      R"(,"T":{},"t":{},"b":"{}","a":"{}","m":{},"R":{},"wt":"CONTRACT_PRICE","ot":"{}","ps":"BOTH","cp":false,)"
      R"("rp":"{}","pP":false,"si":0,"ss":0,"V":"{}","pm":"NONE","gtd":0,"er":"{}")",
      time_ms, event.trade_id, event.bids_notional.text(), event.asks_notional.text(), wire_bool(event.maker),
      wire_bool(o.intent == Intent::reduce_only), wire_name(o.type), event.realized.text(), wire_name(o.stp),
      static_cast<int>(event.expiry));
  if (event.execution == ExecutionType::amendment && event.modify_id) {
    out += fmt::format(R"(,"M":{})", *event.modify_id);
  }
  return out + "}}";
}

std::string trade_lite(const OrderEvent& event, const SymbolSpec& spec, std::int64_t event_ms) {
  const Order& o = event.order;
  return fmt::format(
      R"({{"e":"TRADE_LITE","E":{},"T":{},"s":"{}","q":"{}","p":"{}","m":{},"c":"{}","S":"{}","L":"{}",)"
      R"("l":"{}","t":{},"i":{}}})",
      event_ms, base::ms_of(event.time), spec.name, qty_text(spec, o.qty), price_text(spec, o.price),
      wire_bool(event.maker), o.client_text.view(), wire_name(o.side), price_text(spec, event.last_price),
      qty_text(spec, event.last_qty), event.trade_id, o.id);
}

std::string account_update(const AccountEvent& event, const SymbolSpec* spec, std::int64_t event_ms) {
  std::string positions;
  if (event.position && spec != nullptr) {
    const Position& p = *event.position;
    positions = fmt::format(
        R"({{"s":"{}","pa":"{}","ep":"{}","bep":"{}","cr":"{}","up":"{}","mt":"cross","iw":"0","ps":"BOTH"}})",
        spec->name, qty_text(*spec, p.qty), average_text(*spec, p.entry_price()),
        average_text(*spec, p.entry_price()), p.realized.text(), event.unrealized.text());
  }
  const std::string wallet = eight(event.wallet);
  std::string out = fmt::format(
      R"({{"e":"ACCOUNT_UPDATE","T":{},"E":{},"a":{{"B":[{{"a":"{}","wb":"{}","cw":"{}","bc":"{}"}}],"P":[{}],)"
      R"("m":"{}")",
      base::ms_of(event.time), event_ms, event.asset.view(), wallet, wallet, event.change.text(), positions,
      wire_name(event.reason));
  if (event.reason == model::AccountReason::funding_fee && spec != nullptr) {
    out += fmt::format(R"(,"S":"{}")", spec->name);
  }
  return out + "}}";
}

std::string depth_update(const DepthFrame& frame, const SymbolSpec& spec, std::int64_t event_ms) {
  std::string out = fmt::format(
      R"({{"e":"depthUpdate","E":{},"T":{},"s":"{}","ps":"{}","U":{},"u":{},"pu":{},"b":)", event_ms,
      base::ms_of(frame.time), spec.name, pair_of(spec), frame.first_id, frame.last_id, frame.prev_id);
  append_levels(out, spec, frame.bids);
  out += R"(,"a":)";
  append_levels(out, spec, frame.asks);
  return out + R"(,"st":1})";
}

std::string book_ticker(const TopChange& top, const SymbolSpec& spec, std::int64_t event_ms) {
  return fmt::format(
      R"({{"e":"bookTicker","u":{},"s":"{}","ps":"{}","b":"{}","B":"{}","a":"{}","A":"{}","T":{},"E":{},"st":1}})",
      top.update_id, spec.name, pair_of(spec), price_text(spec, top.bid.price), qty_text(spec, top.bid.qty),
      price_text(spec, top.ask.price), qty_text(spec, top.ask.qty), base::ms_of(top.time), event_ms);
}

std::string agg_trade(const AggTradePrint& row, const SymbolSpec& spec, std::int64_t event_ms) {
  const std::string qty = qty_text(spec, row.qty);
  return fmt::format(
      R"({{"e":"aggTrade","E":{},"a":{},"s":"{}","p":"{}","q":"{}","nq":"{}","f":{},"l":{},"T":{},"m":{},"st":1}})",
      event_ms, row.id, spec.name, price_text(spec, row.price), qty, qty, row.first_trade_id,
      row.last_trade_id, base::ms_of(row.time), wire_bool(row.aggressor == Side::ask));
}

std::string trade(const TradePrint& print, const SymbolSpec& spec, std::int64_t event_ms) {
  return fmt::format(
      R"({{"e":"trade","E":{},"T":{},"s":"{}","t":{},"p":"{}","q":"{}","X":"MARKET","m":{},"st":1}})",
      event_ms, base::ms_of(print.time), spec.name, print.id, price_text(spec, print.price),
      qty_text(spec, print.qty), wire_bool(print.aggressor == Side::ask));
}

std::string mark_price_update(const MarkPriceTick& tick, const SymbolSpec& spec) {
  const std::string mark = eight(tick.mark);
  return fmt::format(
      R"({{"e":"markPriceUpdate","E":{},"s":"{}","p":"{}","ap":"{}","P":"{}","i":"{}","r":"{}","T":{},"st":1}})",
      base::ms_of(tick.time), spec.name, mark, mark, mark, eight(tick.index), eight(tick.funding_rate),
      base::ms_of(tick.next_funding_time));
}

std::string force_order(const LiquidationPrint& print, const SymbolSpec& spec, std::int64_t event_ms) {
  return fmt::format(
      R"({{"e":"forceOrder","E":{},"ps":"{}","st":1,"o":{{"s":"{}","S":"{}","o":"LIMIT","f":"IOC","q":"{}",)"
      R"("p":"{}","ap":"{}","X":"FILLED","l":"{}","z":"{}","T":{}}}}})",
      event_ms, pair_of(spec), spec.name, wire_name(print.side), qty_text(spec, print.qty),
      price_text(spec, print.price), average_text(spec, print.average_price), qty_text(spec, print.filled),
      qty_text(spec, print.filled), base::ms_of(print.time));
}

}  // namespace phoenix::exchange
