#include "venue/binance/encode.hpp"

#include "base/assert.hpp"
#include "base/decimal.hpp"

#include <array>
#include <charconv>
#include <stdexcept>
#include <type_traits>
#include <variant>

namespace phoenix::venue::binance {
namespace {

std::string_view side_text(model::Side side) { return side == model::Side::bid ? "BUY" : "SELL"; }

std::string_view time_in_force_text(model::TimeInForce value) {
  switch (value) {
    case model::TimeInForce::gtc:
      return "GTC";
    case model::TimeInForce::ioc:
      return "IOC";
    case model::TimeInForce::fok:
      return "FOK";
    case model::TimeInForce::gtx:
      return "GTX";
    case model::TimeInForce::other:
      break;
  }
  PHX_ASSERT(false, "an order we place has a time in force we know");
  return {};
}

/// The text of one value, on the stack.
class NumberText {
 public:
  explicit NumberText(std::int64_t value) {
    end_ = std::to_chars(bytes_.data(), bytes_.data() + bytes_.size(), value).ptr;
  }
  template <class Tag>
  explicit NumberText(model::Scaled<Tag> value) {
    end_ = base::format_decimal_to(bytes_.data(), value.raw());
  }
  NumberText(const NumberText&) = delete;
  NumberText& operator=(const NumberText&) = delete;
  std::string_view view() const { return {bytes_.data(), end_}; }

 private:
  std::array<char, base::decimal_text_max> bytes_;
  char* end_ = nullptr;
};

void append_percent_encoded(std::string& out, std::string_view text) {
  const auto start = out.size();
  out.resize(start + percent_encoded_max(text.size()));
  char* const end = percent_encode(out.data() + start, text);
  out.resize(static_cast<std::size_t>(end - out.data()));
}

void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += "0123456789abcdef"[c >> 4];
      out += "0123456789abcdef"[c & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

std::string control_text(std::string_view method, std::int64_t id, std::span<const std::string> names) {
  PHX_ASSERT(names.size() <= control_names_max,
             "one control message names as many streams as the venue takes");
  std::string out = "{\"method\":\"";
  out.append(method).append("\",\"params\":[");
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i != 0) out += ',';
    append_json_text(out, names[i]);
  }
  return out.append("],\"id\":").append(std::to_string(id)).append("}");
}

std::int64_t milliseconds_of(base::Duration duration) {
  return std::chrono::floor<base::milliseconds>(duration).count();
}

}  // namespace

std::string_view name(Method method) {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::del:
      return "DELETE";
  }
  return "?";
}

bool supports(model::Product product, Way way, const model::OrderRequest& request) {
  const bool usdm = product == model::Product::usdm;
  if (std::holds_alternative<model::AmendOrder>(request)) return usdm;
  if (std::holds_alternative<model::CancelAllOrders>(request)) return way == Way::rest || !usdm;
  return true;
}

/// Writes one REST request: the path, then parameters as they come, then what a signature needs.
class Encoder::Rest {
 public:
  enum class Where : std::uint8_t { query, body };

  Rest(Encoder& encoder, RequestBuffer& out, RequestKind kind, Method method, std::string_view path,
       Where where = Where::query)
      : encoder_{encoder}, text_{out.text_}, where_{where} {
    request_.kind = kind;
    request_.method = method;
    text_.assign(path);
    path_size_ = text_.size();
    if (where_ == Where::query) text_ += '?';
    parameters_ = text_.size();
  }

  Rest& put(std::string_view name, std::string_view value) {
    begin(name);
    append_percent_encoded(text_, value);
    return *this;
  }
  Rest& put(std::string_view name, std::int64_t value) { return put(name, NumberText{value}.view()); }
  template <class Tag>
  Rest& put(std::string_view name, model::Scaled<Tag> value) {
    return put(name, NumberText{value}.view());
  }
  Rest& put_symbol(model::SymbolId symbol) { return put("symbol", encoder_.symbols_.name(symbol)); }

  RestRequest open(Cost cost) { return finish(KeyHeader::absent, cost); }
  RestRequest keyed(Cost cost) {
    encoder_.api_key();
    return finish(KeyHeader::present, cost);
  }
  RestRequest signed_at(base::VenueTime now, Cost cost) {
    PHX_ASSERT(encoder_.has_credentials(), "a signed request is made with credentials");
    put("recvWindow", milliseconds_of(encoder_.options_.recv_window)).put("timestamp", base::ms_of(now));
    std::array<char, Signer::text_max> signature;
    const auto payload = std::string_view{text_}.substr(parameters_);
    put("signature", encoder_.credentials_->signer.sign(payload, signature));
    return finish(KeyHeader::present, cost);
  }

 private:
  void begin(std::string_view name) {
    if (text_.size() != parameters_) text_ += '&';
    text_.append(name).append("=");
  }
  RestRequest finish(KeyHeader key, Cost cost) {
    const std::string_view all{text_};
    const bool bare = all.size() == parameters_;
    if (where_ == Where::query) {
      request_.target = bare ? all.substr(0, path_size_) : all;
    } else {
      request_.target = all.substr(0, path_size_);
      request_.body = all.substr(parameters_);
    }
    request_.key = key;
    request_.cost = cost;
    return request_;
  }

  Encoder& encoder_;
  std::string& text_;
  Where where_;
  std::size_t path_size_ = 0, parameters_ = 0;
  RestRequest request_;
};

/// Writes one WS-API request. Parameters have to come in the order of their names, which is the order that is
/// signed.
class Encoder::Ws {
 public:
  enum class Auth : std::uint8_t { as_session, always };

  Ws(Encoder& encoder, RequestBuffer& out, model::RequestId id, std::string_view method,
     Auth auth = Auth::as_session)
      : encoder_{encoder},
        text_{out.text_},
        payload_{out.payload_},
        signs_{auth == Auth::always || encoder.session_ == Session::sign_each} {
    payload_.clear();
    text_.assign("{\"id\":");
    text_.append(NumberText{static_cast<std::int64_t>(id.value)}.view());
    text_.append(",\"method\":\"").append(method).append("\",\"params\":{");
    if (signs_) put("apiKey", encoder_.api_key());
  }

  Ws& put(std::string_view name, std::string_view value) {
    begin(name);
    append_json_text(text_, value);
    payload_.append(value);
    return *this;
  }
  Ws& put(std::string_view name, std::int64_t value) {
    begin(name);
    const NumberText number{value};
    text_.append(number.view());
    payload_.append(number.view());
    return *this;
  }
  template <class Tag>
  Ws& put(std::string_view name, model::Scaled<Tag> value) {
    return put(name, NumberText{value}.view());
  }
  Ws& put_window() { return put("recvWindow", milliseconds_of(encoder_.options_.recv_window)); }
  Ws& put_symbol(model::SymbolId symbol) { return put("symbol", encoder_.symbols_.name(symbol)); }
  Ws& put_time(base::VenueTime now) { return put("timestamp", base::ms_of(now)); }

  std::string_view finish() {
    if (signs_) {
      PHX_ASSERT(encoder_.has_credentials(), "a signed request is made with credentials");
      std::array<char, Signer::text_max> signature;
      const auto text = encoder_.credentials_->signer.sign(payload_, signature);
      text_.append(",\"signature\":\"").append(text).append("\"");
    }
    return text_.append("}}");
  }

 private:
  void begin(std::string_view name) {
    PHX_ASSERT(last_name_ < name, "WS-API parameters are written in the order that is signed");
    last_name_ = name;
    if (!payload_.empty()) {
      payload_ += '&';
      text_ += ',';
    }
    payload_.append(name).append("=");
    text_.append("\"").append(name).append("\":");
  }

  Encoder& encoder_;
  std::string& text_;
  std::string& payload_;
  bool signs_;
  std::string_view last_name_;
};

Encoder::Encoder(EncoderOptions options, const model::SymbolTable& symbols)
    : options_{options}, symbols_{symbols} {
  if (options.recv_window < base::milliseconds{1} || options.recv_window > base::seconds{2}) {
    throw std::invalid_argument("the receive window of orders is outside 1 ms to 2000 ms");
  }
}

Encoder::Encoder(EncoderOptions options, const model::SymbolTable& symbols, Credentials credentials)
    : Encoder(options, symbols) {
  if (credentials.api_key.empty()) throw std::invalid_argument("the API key is empty");
  credentials_ = std::move(credentials);
}

std::string_view Encoder::api_key() const {
  PHX_ASSERT(has_credentials(), "a request with a key is made with credentials");
  return credentials_->api_key;
}

RestRequest Encoder::order(const model::OrderRequest& request, base::VenueTime now, RequestBuffer& out) {
  PHX_ASSERT(supports(options_.product, Way::rest, request), "the venue has this request on REST");
  const bool spot = options_.product == model::Product::spot;
  const std::string_view path = spot ? "/api/v3/order" : "/fapi/v1/order";
  return std::visit(
      [&](const auto& r) {
        using R = std::decay_t<decltype(r)>;
        if constexpr (std::is_same_v<R, model::PlaceOrder>) {
          Rest rest{*this, out, RequestKind::place, Method::post, path};
          rest.put_symbol(r.symbol).put("side", side_text(r.side));
          if (spot && r.time_in_force == model::TimeInForce::gtx) {
            rest.put("type", "LIMIT_MAKER");
          } else {
            rest.put("type", "LIMIT").put("timeInForce", time_in_force_text(r.time_in_force));
          }
          rest.put("quantity", r.qty).put("price", r.price);
          if (!spot && r.intent == model::Intent::reduce_only) rest.put("reduceOnly", "true");
          rest.put("newClientOrderId", r.id.text().view());
          rest.put("newOrderRespType", spot ? "RESULT" : "ACK");  // spot's ACK names no status
          return rest.signed_at(now, cost(options_.product, RequestKind::place));
        } else if constexpr (std::is_same_v<R, model::AmendOrder>) {
          return Rest{*this, out, RequestKind::amend, Method::put, path}
              .put_symbol(r.symbol)
              .put("side", side_text(r.side))
              .put("quantity", r.qty)
              .put("price", r.price)
              .put("origClientOrderId", r.id.text().view())
              .signed_at(now, cost(options_.product, RequestKind::amend));
        } else if constexpr (std::is_same_v<R, model::CancelAllOrders>) {
          return Rest{*this, out, RequestKind::cancel_all, Method::del,
                      spot ? "/api/v3/openOrders" : "/fapi/v1/allOpenOrders"}
              .put_symbol(r.symbol)
              .signed_at(now, cost(options_.product, RequestKind::cancel_all));
        } else {
          constexpr bool cancel = std::is_same_v<R, model::CancelOrder>;
          constexpr auto kind = cancel ? RequestKind::cancel : RequestKind::query_order;
          return Rest{*this, out, kind, cancel ? Method::del : Method::get, path}
              .put_symbol(r.symbol)
              .put("origClientOrderId", r.id.text().view())
              .signed_at(now, cost(options_.product, kind));
        }
      },
      request);
}

RestRequest Encoder::query_by_order_id(model::SymbolId symbol, std::int64_t order_id, base::VenueTime now,
                                       RequestBuffer& out) {
  return Rest{*this, out, RequestKind::query_order, Method::get,
              options_.product == model::Product::spot ? "/api/v3/order" : "/fapi/v1/order"}
      .put_symbol(symbol)
      .put("orderId", order_id)
      .signed_at(now, cost(options_.product, RequestKind::query_order));
}

RestRequest Encoder::batch_place(std::span<const model::PlaceOrder> orders, base::VenueTime now,
                                 RequestBuffer& out) {
  PHX_ASSERT(options_.product == model::Product::usdm, "only USD-M has batches");
  PHX_ASSERT(!orders.empty() && orders.size() <= batch_place_max, "a batch of placements has 1 to 5 orders");
  std::string& json = out.payload_;
  json.assign("[");
  for (const auto& order : orders) {
    const auto put = [&](std::string_view name, std::string_view value) {
      json.append(json.back() == '{' ? "\"" : ",\"").append(name).append("\":");
      append_json_text(json, value);
    };
    json.append(json.size() == 1 ? "{" : ",{");
    put("symbol", symbols_.name(order.symbol));
    put("side", side_text(order.side));
    put("type", "LIMIT");
    put("timeInForce", time_in_force_text(order.time_in_force));
    put("quantity", NumberText{order.qty}.view());
    put("price", NumberText{order.price}.view());
    if (order.intent == model::Intent::reduce_only) put("reduceOnly", "true");
    put("newClientOrderId", order.id.text().view());
    json += '}';
  }
  json += ']';
  return Rest{*this, out, RequestKind::batch_place, Method::post, "/fapi/v1/batchOrders", Rest::Where::body}
      .put("batchOrders", json)
      .signed_at(now, cost(options_.product, RequestKind::batch_place, static_cast<int>(orders.size())));
}

RestRequest Encoder::batch_cancel(std::span<const model::CancelOrder> orders, base::VenueTime now,
                                  RequestBuffer& out) {
  PHX_ASSERT(options_.product == model::Product::usdm, "only USD-M has batches");
  PHX_ASSERT(!orders.empty() && orders.size() <= batch_cancel_max, "a batch of cancels has 1 to 10 orders");
  std::string& json = out.payload_;
  json.assign("[");
  for (const auto& order : orders) {
    PHX_ASSERT(order.symbol == orders.front().symbol, "a batch of cancels is about one symbol");
    if (json.size() > 1) json += ',';
    append_json_text(json, order.id.text().view());
  }
  json += ']';
  return Rest{*this, out, RequestKind::batch_cancel, Method::del, "/fapi/v1/batchOrders"}
      .put_symbol(orders.front().symbol)
      .put("origClientOrderIdList", json)
      .signed_at(now, cost(options_.product, RequestKind::batch_cancel));
}

RestRequest Encoder::market_close(const MarketClose& order, base::VenueTime now, RequestBuffer& out) {
  PHX_ASSERT(options_.product == model::Product::usdm, "only USD-M has positions");
  return Rest{*this, out, RequestKind::place, Method::post, "/fapi/v1/order"}
      .put_symbol(order.symbol)
      .put("side", side_text(order.side))
      .put("type", "MARKET")
      .put("quantity", order.qty)
      .put("reduceOnly", "true")
      .put("newClientOrderId", order.id.text().view())
      .put("newOrderRespType", "ACK")
      .signed_at(now, cost(options_.product, RequestKind::place));
}

RestRequest Encoder::countdown_cancel_all(model::SymbolId symbol, base::Duration delay, base::VenueTime now,
                                          RequestBuffer& out) {
  PHX_ASSERT(options_.product == model::Product::usdm, "only USD-M has a countdown");
  PHX_ASSERT(delay >= base::Duration::zero(), "a countdown runs forwards");
  return Rest{*this, out, RequestKind::countdown, Method::post, "/fapi/v1/countdownCancelAll"}
      .put_symbol(symbol)
      .put("countdownTime", milliseconds_of(delay))
      .signed_at(now, cost(options_.product, RequestKind::countdown));
}

RestRequest Encoder::open_orders(std::optional<model::SymbolId> symbol, base::VenueTime now,
                                 RequestBuffer& out) {
  const auto kind = symbol ? RequestKind::open_orders : RequestKind::open_orders_all;
  Rest rest{*this, out, kind, Method::get,
            options_.product == model::Product::spot ? "/api/v3/openOrders" : "/fapi/v1/openOrders"};
  if (symbol) rest.put_symbol(*symbol);
  return rest.signed_at(now, cost(options_.product, kind));
}

RestRequest Encoder::position_risk(base::VenueTime now, RequestBuffer& out) {
  PHX_ASSERT(options_.product == model::Product::usdm, "only USD-M has positions");
  return Rest{*this, out, RequestKind::position_risk, Method::get, "/fapi/v3/positionRisk"}.signed_at(
      now, cost(options_.product, RequestKind::position_risk));
}

RestRequest Encoder::account(base::VenueTime now, RequestBuffer& out) {
  return Rest{*this, out, RequestKind::account, Method::get,
              options_.product == model::Product::spot ? "/api/v3/account" : "/fapi/v3/account"}
      .signed_at(now, cost(options_.product, RequestKind::account));
}

RestRequest Encoder::balance(base::VenueTime now, RequestBuffer& out) {
  PHX_ASSERT(options_.product == model::Product::usdm, "spot tells balances with the account");
  return Rest{*this, out, RequestKind::balance, Method::get, "/fapi/v3/balance"}.signed_at(
      now, cost(options_.product, RequestKind::balance));
}

RestRequest Encoder::account_config(base::VenueTime now, RequestBuffer& out) {
  PHX_ASSERT(options_.product == model::Product::usdm, "only USD-M has an account configuration");
  return Rest{*this, out, RequestKind::account_config, Method::get, "/fapi/v1/accountConfig"}.signed_at(
      now, cost(options_.product, RequestKind::account_config));
}

RestRequest Encoder::symbol_config(model::SymbolId symbol, base::VenueTime now, RequestBuffer& out) {
  PHX_ASSERT(options_.product == model::Product::usdm, "only USD-M has leverage");
  return Rest{*this, out, RequestKind::symbol_config, Method::get, "/fapi/v1/symbolConfig"}
      .put_symbol(symbol)
      .signed_at(now, cost(options_.product, RequestKind::symbol_config));
}

RestRequest Encoder::position_mode(base::VenueTime now, RequestBuffer& out) {
  PHX_ASSERT(options_.product == model::Product::usdm, "only USD-M has position sides");
  return Rest{*this, out, RequestKind::position_mode, Method::get, "/fapi/v1/positionSide/dual"}.signed_at(
      now, cost(options_.product, RequestKind::position_mode));
}

RestRequest Encoder::set_leverage(model::SymbolId symbol, int leverage, base::VenueTime now,
                                  RequestBuffer& out) {
  PHX_ASSERT(options_.product == model::Product::usdm, "only USD-M has leverage");
  PHX_ASSERT(leverage >= 1 && leverage <= 125, "leverage is within 1..125");
  return Rest{*this, out, RequestKind::set_leverage, Method::post, "/fapi/v1/leverage"}
      .put_symbol(symbol)
      .put("leverage", leverage)
      .signed_at(now, cost(options_.product, RequestKind::set_leverage));
}

RestRequest Encoder::set_margin_type(model::SymbolId symbol, MarginType type, base::VenueTime now,
                                     RequestBuffer& out) {
  PHX_ASSERT(options_.product == model::Product::usdm, "only USD-M has margin types");
  return Rest{*this, out, RequestKind::set_margin_type, Method::post, "/fapi/v1/marginType"}
      .put_symbol(symbol)
      .put("marginType", type == MarginType::crossed ? "CROSSED" : "ISOLATED")
      .signed_at(now, cost(options_.product, RequestKind::set_margin_type));
}

RestRequest Encoder::key_permissions(base::VenueTime now, RequestBuffer& out) {
  return Rest{*this, out, RequestKind::key_permissions, Method::get, "/sapi/v1/account/apiRestrictions"}
      .signed_at(now, cost(options_.product, RequestKind::key_permissions));
}

RestRequest Encoder::user_trades_from_id(model::SymbolId symbol, std::int64_t from_id, base::VenueTime now,
                                         RequestBuffer& out) {
  return Rest{*this, out, RequestKind::user_trades, Method::get,
              options_.product == model::Product::spot ? "/api/v3/myTrades" : "/fapi/v1/userTrades"}
      .put_symbol(symbol)
      .put("fromId", from_id)
      .put("limit", rows_max)
      .signed_at(now, cost(options_.product, RequestKind::user_trades));
}

RestRequest Encoder::user_trades_since(model::SymbolId symbol, base::VenueTime since, base::VenueTime now,
                                       RequestBuffer& out) {
  return Rest{*this, out, RequestKind::user_trades, Method::get,
              options_.product == model::Product::spot ? "/api/v3/myTrades" : "/fapi/v1/userTrades"}
      .put_symbol(symbol)
      .put("startTime", base::ms_of(since))
      .put("limit", rows_max)
      .signed_at(now, cost(options_.product, RequestKind::user_trades));
}

RestRequest Encoder::funding_fees(base::VenueTime since, base::VenueTime now, RequestBuffer& out) {
  PHX_ASSERT(options_.product == model::Product::usdm, "only USD-M has funding");
  return Rest{*this, out, RequestKind::incomes, Method::get, "/fapi/v1/income"}
      .put("incomeType", "FUNDING_FEE")
      .put("startTime", base::ms_of(since))
      .put("limit", rows_max)
      .signed_at(now, cost(options_.product, RequestKind::incomes));
}

RestRequest Encoder::listen_key_start(RequestBuffer& out) {
  PHX_ASSERT(options_.product == model::Product::usdm, "only USD-M has listen keys");
  return Rest{*this, out, RequestKind::listen_key_start, Method::post, "/fapi/v1/listenKey"}.keyed(
      cost(options_.product, RequestKind::listen_key_start));
}

RestRequest Encoder::listen_key_keep_alive(RequestBuffer& out) {
  PHX_ASSERT(options_.product == model::Product::usdm, "only USD-M has listen keys");
  return Rest{*this, out, RequestKind::listen_key_keep_alive, Method::put, "/fapi/v1/listenKey"}.keyed(
      cost(options_.product, RequestKind::listen_key_keep_alive));
}

RestRequest Encoder::listen_key_close(RequestBuffer& out) {
  PHX_ASSERT(options_.product == model::Product::usdm, "only USD-M has listen keys");
  return Rest{*this, out, RequestKind::listen_key_close, Method::del, "/fapi/v1/listenKey"}.keyed(
      cost(options_.product, RequestKind::listen_key_close));
}

RestRequest Encoder::exchange_info(RequestBuffer& out) {
  const bool spot = options_.product == model::Product::spot;
  Rest rest{*this, out, RequestKind::exchange_info, Method::get,
            spot ? "/api/v3/exchangeInfo" : "/fapi/v1/exchangeInfo"};
  if (spot && symbols_.size() != 0) {
    std::string& names = out.payload_;
    names.assign("[");
    for (std::size_t i = 0; i < symbols_.size(); ++i) {
      if (i != 0) names += ',';
      append_json_text(names, symbols_.name(model::SymbolId{static_cast<std::uint16_t>(i)}));
    }
    rest.put("symbols", names.append("]"));
  }
  return rest.open(cost(options_.product, RequestKind::exchange_info));
}

RestRequest Encoder::server_time(RequestBuffer& out) {
  return Rest{*this, out, RequestKind::server_time, Method::get,
              options_.product == model::Product::spot ? "/api/v3/time" : "/fapi/v1/time"}
      .open(cost(options_.product, RequestKind::server_time));
}

RestRequest Encoder::depth_snapshot(model::SymbolId symbol, int limit, RequestBuffer& out) {
  const auto cost_of_limit = depth_cost(options_.product, limit);
  PHX_ASSERT(cost_of_limit.has_value(), "a depth limit is one the venue serves");
  return Rest{*this, out, RequestKind::depth, Method::get,
              options_.product == model::Product::spot ? "/api/v3/depth" : "/fapi/v1/depth"}
      .put_symbol(symbol)
      .put("limit", limit)
      .open(*cost_of_limit);
}

RestRequest Encoder::agg_trades_from_id(model::SymbolId symbol, std::int64_t from_id, RequestBuffer& out) {
  return Rest{*this, out, RequestKind::agg_trades, Method::get,
              options_.product == model::Product::spot ? "/api/v3/aggTrades" : "/fapi/v1/aggTrades"}
      .put_symbol(symbol)
      .put("fromId", from_id)
      .put("limit", rows_max)
      .open(cost(options_.product, RequestKind::agg_trades));
}

RestRequest Encoder::premium_index(model::SymbolId symbol, RequestBuffer& out) {
  PHX_ASSERT(options_.product == model::Product::usdm, "only USD-M has a mark price");
  return Rest{*this, out, RequestKind::premium_index, Method::get, "/fapi/v1/premiumIndex"}
      .put_symbol(symbol)
      .open(cost(options_.product, RequestKind::premium_index));
}

std::string_view Encoder::ws_order(model::RequestId id, const model::OrderRequest& request,
                                   base::VenueTime now, RequestBuffer& out) {
  PHX_ASSERT(supports(options_.product, Way::ws_api, request), "the venue has this request on the WS-API");
  const bool spot = options_.product == model::Product::spot;
  return std::visit(
      [&](const auto& r) {
        using R = std::decay_t<decltype(r)>;
        if constexpr (std::is_same_v<R, model::PlaceOrder>) {
          const bool limit_maker = spot && r.time_in_force == model::TimeInForce::gtx;
          Ws ws{*this, out, id, "order.place"};
          ws.put("newClientOrderId", r.id.text().view()).put("newOrderRespType", spot ? "RESULT" : "ACK");
          ws.put("price", r.price).put("quantity", r.qty).put_window();
          if (!spot && r.intent == model::Intent::reduce_only) ws.put("reduceOnly", "true");
          ws.put("side", side_text(r.side)).put_symbol(r.symbol);
          if (!limit_maker) ws.put("timeInForce", time_in_force_text(r.time_in_force));
          return ws.put_time(now).put("type", limit_maker ? "LIMIT_MAKER" : "LIMIT").finish();
        } else if constexpr (std::is_same_v<R, model::AmendOrder>) {
          return Ws{*this, out, id, "order.modify"}
              .put("origClientOrderId", r.id.text().view())
              .put("price", r.price)
              .put("quantity", r.qty)
              .put_window()
              .put("side", side_text(r.side))
              .put_symbol(r.symbol)
              .put_time(now)
              .finish();
        } else if constexpr (std::is_same_v<R, model::CancelAllOrders>) {
          return Ws{*this, out, id, "openOrders.cancelAll"}
              .put_window()
              .put_symbol(r.symbol)
              .put_time(now)
              .finish();
        } else {
          return Ws{*this, out, id, std::is_same_v<R, model::CancelOrder> ? "order.cancel" : "order.status"}
              .put("origClientOrderId", r.id.text().view())
              .put_window()
              .put_symbol(r.symbol)
              .put_time(now)
              .finish();
        }
      },
      request);
}

std::string_view Encoder::ws_session_logon(model::RequestId id, base::VenueTime now, RequestBuffer& out) {
  PHX_ASSERT(has_credentials() && credentials_->signer.key_type() == KeyType::ed25519,
             "a session is logged on with an Ed25519 key");
  return Ws{*this, out, id, "session.logon", Ws::Auth::always}.put_window().put_time(now).finish();
}

std::string_view Encoder::ws_subscribe_user_stream(model::RequestId id, base::VenueTime now,
                                                   RequestBuffer& out) {
  PHX_ASSERT(options_.product == model::Product::spot, "only spot has user data on the WS-API");
  return Ws{*this, out, id, "userDataStream.subscribe.signature", Ws::Auth::always}
      .put_window()
      .put_time(now)
      .finish();
}

std::string subscribe_text(std::int64_t id, std::span<const std::string> names) {
  return control_text("SUBSCRIBE", id, names);
}

std::string unsubscribe_text(std::int64_t id, std::span<const std::string> names) {
  return control_text("UNSUBSCRIBE", id, names);
}

std::string list_subscriptions_text(std::int64_t id) {
  return "{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":" + std::to_string(id) + "}";
}

std::optional<std::vector<std::string_view>> listed_streams(std::string_view result) {
  const auto skip_spaces = [&result] {
    while (!result.empty() && (result.front() == ' ' || result.front() == '\n')) result.remove_prefix(1);
  };
  const auto take = [&](char c) {
    skip_spaces();
    if (result.empty() || result.front() != c) return false;
    result.remove_prefix(1);
    return true;
  };
  std::vector<std::string_view> names;
  if (!take('[')) return std::nullopt;
  if (take(']')) return names;
  do {
    if (!take('"')) return std::nullopt;
    const auto end = result.find('"');
    if (end == std::string_view::npos || result.substr(0, end).find('\\') != std::string_view::npos)
      return std::nullopt;
    names.push_back(result.substr(0, end));
    result.remove_prefix(end + 1);
  } while (take(','));
  if (!take(']')) return std::nullopt;
  return names;
}

}  // namespace phoenix::venue::binance
