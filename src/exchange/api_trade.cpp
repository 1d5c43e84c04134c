#include "exchange/api.hpp"
#include "exchange/json_text.hpp"
#include "exchange/render.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::exchange {
namespace {

using nlohmann::json;

constexpr VenueTime forever = base::venue_time_ms(9'000'000'000'000);
constexpr std::int64_t week_ms = 7LL * 24 * 3'600'000;
constexpr std::size_t place_batch_max = 5;
constexpr std::size_t cancel_batch_max = 10;

enum class AnswerType : std::uint8_t { ack, result };

TimeInForce read_time_in_force(ParamReader& read) {
  const auto text = read.text("timeInForce");
  if (text == "GTC") return TimeInForce::gtc;
  if (text == "IOC") return TimeInForce::ioc;
  if (text == "FOK") return TimeInForce::fok;
  if (text == "GTX") return TimeInForce::gtx;
  read.fail(-1115, "Invalid timeInForce.");
  return TimeInForce::gtc;
}

OrderType read_order_type(ParamReader& read) {
  const auto text = read.text("type");
  if (text == "LIMIT") return OrderType::limit;
  if (text == "MARKET") return OrderType::market;
  constexpr std::array<std::string_view, 5> conditional{"STOP", "STOP_MARKET", "TAKE_PROFIT",
                                                        "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"};
  if (std::find(conditional.begin(), conditional.end(), text) != conditional.end()) {
    read.fail(-4120,
              "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.");
  }
  read.fail(-1116, "Invalid orderType.");
  return OrderType::limit;
}

StpMode read_stp(ParamReader& read, const Params& params) {
  const auto text = params.text("selfTradePreventionMode");
  if (text.empty() || text == "EXPIRE_MAKER") return StpMode::expire_maker;
  if (text == "EXPIRE_TAKER") return StpMode::expire_taker;
  if (text == "EXPIRE_BOTH") return StpMode::expire_both;
  if (text != "NONE") read.fail(-5039, "Invalid self trade prevention mode.");
  return StpMode::none;
}

AnswerType read_answer_type(ParamReader& read, const Params& params) {
  const auto text = params.text("newOrderRespType");
  if (text == "RESULT") return AnswerType::result;
  if (!text.empty() && text != "ACK")
    read.fail(-1130, "Data sent for parameter 'newOrderRespType' is not valid.");
  return AnswerType::ack;
}

void refuse_if_sent(ParamReader& read, const Params& params, std::string_view name) {
  if (!params.text(name).empty())
    read.fail(-1106, fmt::format("Parameter '{}' sent when not required.", name));
}

/// One-way mode knows BOTH only, hedge mode never BOTH. Hedge mode can be switched on but not traded in.
void check_position_side(ParamReader& read, const Params& params, bool dual_side) {
  const auto text = params.text("positionSide");
  const bool both = text.empty() || text == "BOTH";
  if (!both && text != "LONG" && text != "SHORT")
    read.fail(-1130, "Data sent for parameter 'positionSide' is not valid.");
  if (both == dual_side) read.fail(-4061, "Order's position side does not match user's setting.");
  if (dual_side) read.fail(-1020, "This operation is not supported.");
}

OrderKey read_key(ParamReader& read, const Params& params, SymbolId symbol) {
  OrderKey key{.symbol = symbol};
  const auto id = read.optional_integer("orderId");
  key.client_id = params.text("origClientOrderId");
  if (id) {
    key.id = *id;
    key.client_id = {};
    if (*id <= 0) read.fail(-1130, "Data sent for parameter 'orderId' is not valid.");
  } else if (key.client_id.empty()) {
    read.fail(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!");
  }
  return key;
}

PlaceRequest read_place(ParamReader& read, const Params& params, bool dual_side) {
  PlaceRequest place;
  place.symbol = read.symbol();
  place.side = read.side();
  place.type = read_order_type(read);
  check_position_side(read, params, dual_side);
  if (place.type == OrderType::limit) {
    place.time_in_force = read_time_in_force(read);
    place.qty = read.decimal<Qty>("quantity");
    const auto match = params.text("priceMatch");
    if (!match.empty() && match != "NONE") read.fail(-5037, "Invalid price match");
    place.price = read.decimal<Price>("price");
  } else {
    place.qty = read.decimal<Qty>("quantity");
    refuse_if_sent(read, params, "price");
    refuse_if_sent(read, params, "timeInForce");
  }
  refuse_if_sent(read, params, "stopPrice");
  refuse_if_sent(read, params, "goodTillDate");
  place.intent = read.optional_boolean("reduceOnly") ? Intent::reduce_only : Intent::open;
  place.stp = read_stp(read, params);
  place.client_id = params.text("newClientOrderId");
  if (params.has("newClientOrderId") && place.client_id.empty()) {
    read.fail(-1105, "Parameter 'newClientOrderId' was empty.");
  }
  return place;
}

/// What the answer to a place shows: the venue answers before matching, unless the final state was asked for
/// and the order's kind has one at once.
Order as_answered(Order order, AnswerType type) {
  const bool final_at_once = order.type == OrderType::market || order.time_in_force == TimeInForce::ioc ||
                             order.time_in_force == TimeInForce::fok;
  if (type == AnswerType::result && final_at_once) return order;
  order.status = OrderStatus::fresh;
  order.filled = Qty{};
  order.filled_quote = Money{};
  return order;
}

/// The elements of a JSON array parameter as parameters of their own; nothing when it is no such array.
std::optional<std::vector<Params>> batch_elements(std::string_view text) {
  const auto list = parse_json(text);
  if (!list || !list->is_array()) return std::nullopt;
  std::vector<Params> out;
  for (const json& element : *list) {
    if (!element.is_object()) return std::nullopt;
    Params params;
    for (const auto& [name, value] : element.items()) {
      if (auto scalar = scalar_text(value)) params.set(name, std::move(*scalar));
    }
    out.push_back(std::move(params));
  }
  return out;
}

std::vector<std::string> order_rows(const Core& core, const std::vector<Order>& orders) {
  std::vector<std::string> rows;
  for (const Order& order : orders) rows.push_back(order_query(order, core.spec(order.symbol)));
  return rows;
}

struct Window {
  VenueTime since{}, until{};
};
/// startTime and endTime, at most seven days apart; the last seven days when none is given.
Window read_window(ParamReader& read, VenueTime now) {
  const auto clamp = [](std::int64_t ms) { return std::clamp<std::int64_t>(ms, 0, base::ms_of(forever)); };
  auto since = read.optional_integer("startTime");
  auto until = read.optional_integer("endTime");
  if (since) since = clamp(*since);
  if (until) until = clamp(*until);
  if (since && until && *since > *until) read.fail(-1023, "Start time is greater than end time.");
  if (since && until && *until - *since > week_ms) {
    read.fail(-4165, "Maximum time interval is 7 days.");
  }
  const std::int64_t end = until.value_or(since ? clamp(*since + week_ms) : base::ms_of(now));
  const std::int64_t begin = since.value_or(std::max<std::int64_t>(0, end - week_ms));
  // The end is a whole millisecond and belongs to the window.
  return {.since = base::venue_time_ms(begin),
          .until = base::venue_time_ms(end) + base::nanoseconds{999'999}};
}

}  // namespace

Reply Api::place(const Request& request) {
  ParamReader read{core_, request.params};
  const PlaceRequest place = read_place(read, request.params, settings(request.account).dual_side);
  const AnswerType type = read_answer_type(read, request.params);
  if (read.failed()) return read.refusal();
  const auto order = core_.place(request.account, place, request.now, request.events);
  if (!order) return refuse(order.error());
  return {.body = order_answer(as_answered(*order, type), core_.spec(order->symbol))};
}

Reply Api::place_test(const Request& request) {
  ParamReader read{core_, request.params};
  (void)read_place(read, request.params, settings(request.account).dual_side);
  if (read.failed()) return read.refusal();
  return {.body = "{}"};
}

Reply Api::amend(const Request& request) {
  ParamReader read{core_, request.params};
  AmendRequest amend;
  const SymbolId symbol = read.symbol();
  amend.key = read_key(read, request.params, symbol);
  amend.side = read.side();
  amend.qty = read.decimal<Qty>("quantity");
  amend.price = read.decimal<Price>("price");
  amend.modify_id = read.optional_integer("modifyId");
  if (read.failed()) return read.refusal();
  const auto order = core_.amend(request.account, amend, request.now, request.events);
  if (!order) return refuse(order.error());
  std::string body = order_answer(*order, core_.spec(symbol));
  if (amend.modify_id) {
    body.pop_back();
    body += fmt::format(R"(,"modifyId":{}}})", *amend.modify_id);
  }
  return {.body = std::move(body)};
}

Reply Api::cancel(const Request& request) {
  ParamReader read{core_, request.params};
  const SymbolId symbol = read.symbol();
  const OrderKey key = read_key(read, request.params, symbol);
  if (read.failed()) return read.refusal();
  const auto order = core_.cancel(request.account, key, request.now, request.events);
  if (!order) return refuse(order.error());
  return {.body = order_answer(*order, core_.spec(symbol))};
}

Reply Api::query(const Request& request) {
  ParamReader read{core_, request.params};
  const SymbolId symbol = read.symbol();
  const OrderKey key = read_key(read, request.params, symbol);
  if (read.failed()) return read.refusal();
  const auto order = core_.order(request.account, key);
  if (!order) return refuse(order.error());
  return {.body = order_query(*order, core_.spec(symbol))};
}

Reply Api::open_order(const Request& request) {
  ParamReader read{core_, request.params};
  const SymbolId symbol = read.symbol();
  const OrderKey key = read_key(read, request.params, symbol);
  if (read.failed()) return read.refusal();
  const auto order = core_.open_order(request.account, key);
  if (!order) return refuse(order.error());
  return {.body = order_query(*order, core_.spec(symbol))};
}

Reply Api::place_batch(const Request& request) {
  ParamReader read{core_, request.params};
  const auto elements = batch_elements(read.text("batchOrders"));
  if (!elements) read.fail(-1130, "Data sent for parameter 'batchOrders' is not valid.");
  if (elements && elements->empty()) read.fail(-4082, "Invalid number of batch place orders.");
  if (elements && elements->size() > place_batch_max)
    read.fail(-4082, "Invalid number of batch place orders.");
  if (read.failed()) return read.refusal();
  std::vector<std::string> rows;
  for (const Params& params : *elements) {
    rows.push_back(
        place({.params = params, .account = request.account, .now = request.now, .events = request.events})
            .body);
  }
  return {.body = json_array(rows)};
}

Reply Api::amend_batch(const Request& request) {
  ParamReader read{core_, request.params};
  const auto elements = batch_elements(read.text("batchOrders"));
  if (!elements) read.fail(-1130, "Data sent for parameter 'batchOrders' is not valid.");
  if (elements && (elements->empty() || elements->size() > place_batch_max)) {
    read.fail(-4082, "Invalid number of batch modify orders.");
  }
  if (read.failed()) return read.refusal();
  std::vector<std::string> rows;
  for (const Params& params : *elements) {
    rows.push_back(
        amend({.params = params, .account = request.account, .now = request.now, .events = request.events})
            .body);
  }
  return {.body = json_array(rows)};
}

Reply Api::cancel_batch(const Request& request) {
  ParamReader read{core_, request.params};
  (void)read.symbol();
  // The venue takes the names in lower case too, and clients in use send them so.
  const auto either = [&](std::string_view documented, std::string_view lower) {
    return request.params.has(lower) ? lower : documented;
  };
  const std::string_view ids = either("orderIdList", "orderidlist");
  const bool by_id = !request.params.text(ids).empty();
  const std::string_view name = by_id ? ids : either("origClientOrderIdList", "origclientorderidlist");
  const auto list = parse_json(read.text(name));
  if (!list || !list->is_array() || list->empty() || list->size() > cancel_batch_max) {
    read.fail(-1130, fmt::format("Data sent for parameter '{}' is not valid.", name));
  }
  if (read.failed()) return read.refusal();
  std::vector<std::string> rows;
  for (const json& item : *list) {
    Params params;
    params.set("symbol", std::string{request.params.text("symbol")});
    params.set(by_id ? "orderId" : "origClientOrderId", scalar_text(item).value_or(""));
    rows.push_back(
        cancel({.params = params, .account = request.account, .now = request.now, .events = request.events})
            .body);
  }
  return {.body = json_array(rows)};
}

Reply Api::cancel_all(const Request& request) {
  ParamReader read{core_, request.params};
  const SymbolId symbol = read.symbol();
  if (read.failed()) return read.refusal();
  const auto count = core_.cancel_all(request.account, symbol, request.now, request.events);
  if (!count) return refuse(count.error());
  return {.body = R"({"code":200,"msg":"The operation of cancel all open order is done."})"};
}

Reply Api::countdown(const Request& request) {
  ParamReader read{core_, request.params};
  const SymbolId symbol = read.symbol();
  const std::int64_t after_ms = read.integer("countdownTime");
  constexpr std::int64_t after_ms_max = 30LL * 24 * 3'600'000;
  if (after_ms < 0 || after_ms > after_ms_max)
    read.fail(-1130, "Data sent for parameter 'countdownTime' is not valid.");
  if (read.failed()) return read.refusal();
  const auto set = core_.countdown_cancel_all(request.account, symbol, base::milliseconds{after_ms},
                                              request.now, request.events);
  if (!set) return refuse(set.error());
  return {.body =
              fmt::format(R"({{"symbol":"{}","countdownTime":"{}"}})", core_.spec(symbol).name, after_ms)};
}

Reply Api::open_orders(const Request& request) {
  ParamReader read{core_, request.params};
  const auto symbol = read.optional_symbol();
  if (read.failed()) return read.refusal();
  return {.body = json_array(order_rows(core_, core_.open_orders(request.account, symbol)))};
}

Reply Api::all_orders(const Request& request) {
  ParamReader read{core_, request.params};
  const auto symbol = read.optional_symbol();
  const auto from_id = read.optional_integer("orderId");
  Window window = read_window(read, request.now);
  if (from_id && !request.params.has("startTime")) window = {.since = VenueTime{}, .until = forever};
  const std::size_t limit = read.limit(500, 1000);
  if (read.failed()) return read.refusal();
  return {.body = json_array(order_rows(
              core_, core_.orders(request.account, symbol, std::max<std::int64_t>(from_id.value_or(0), 0),
                                  window.since, window.until, limit)))};
}

Reply Api::user_trades(const Request& request) {
  ParamReader read{core_, request.params};
  const SymbolId symbol = read.symbol();
  const auto from_id = read.optional_integer("fromId");
  const auto order_id = read.optional_integer("orderId");
  Window window = read_window(read, request.now);
  const bool timed = request.params.has("startTime") || request.params.has("endTime");
  if (from_id && timed) read.fail(-1128, "Combination of optional parameters invalid.");
  if ((from_id || order_id) && !timed) window = {.since = VenueTime{}, .until = forever};
  const std::size_t limit = read.limit(500, 1000);
  if (read.failed()) return read.refusal();
  const SymbolSpec& spec = core_.spec(symbol);
  const auto first =
      from_id ? from_id : (request.params.has("startTime") ? std::optional<std::int64_t>{0} : std::nullopt);
  std::vector<std::string> rows;
  for (const FillRecord& f :
       core_.user_trades(request.account, symbol, first, window.since, window.until, limit)) {
    if (order_id && f.order_id != *order_id) continue;
    rows.push_back(fmt::format(
        R"({{"symbol":"{}","id":{},"orderId":{},"side":"{}","price":"{}","qty":"{}","realizedPnl":"{}",)"
        R"("quoteQty":"{}","commission":"{}","commissionAsset":"{}","time":{},"positionSide":"BOTH","buyer":{},)"
        R"("maker":{}}})",
        spec.name, f.trade_id, f.order_id, wire_name(f.side), price_text(spec, f.price),
        qty_text(spec, f.qty), f.realized.text(), at_least(f.quote_qty.raw(), spec.price_precision),
        f.commission.text(), spec.quote_asset, base::ms_of(f.time), wire_bool(f.side == Side::bid),
        wire_bool(f.maker)));
  }
  return {.body = json_array(rows)};
}

}  // namespace phoenix::exchange
