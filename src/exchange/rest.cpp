#include "exchange/exchange_state.hpp"
#include "exchange/json_text.hpp"

#include <array>

#include <fmt/format.h>

namespace phoenix::exchange {
namespace {

struct Endpoint {
  std::string_view method, path;
  Security security;
  Handler handler;
};

constexpr auto open_to_all = Security::none;
constexpr auto with_key = Security::key;
constexpr auto is_signed = Security::signature;

constexpr std::array endpoints{
    Endpoint{"GET", "/fapi/v1/ping", open_to_all, &Api::ping},
    Endpoint{"GET", "/fapi/v1/time", open_to_all, &Api::time},
    Endpoint{"GET", "/fapi/v1/exchangeInfo", open_to_all, &Api::exchange_info},
    Endpoint{"GET", "/fapi/v1/depth", open_to_all, &Api::depth},
    Endpoint{"GET", "/fapi/v1/trades", open_to_all, &Api::trades},
    Endpoint{"GET", "/fapi/v1/aggTrades", open_to_all, &Api::agg_trades},
    Endpoint{"GET", "/fapi/v1/klines", open_to_all, &Api::klines},
    Endpoint{"GET", "/fapi/v1/premiumIndex", open_to_all, &Api::premium_index},
    Endpoint{"GET", "/fapi/v1/fundingRate", open_to_all, &Api::funding_rate},
    Endpoint{"GET", "/fapi/v1/fundingInfo", open_to_all, &Api::funding_info},
    Endpoint{"GET", "/fapi/v1/ticker/bookTicker", open_to_all, &Api::ticker_book},
    Endpoint{"GET", "/fapi/v1/ticker/price", open_to_all, &Api::ticker_price},
    Endpoint{"GET", "/fapi/v2/ticker/price", open_to_all, &Api::ticker_price},
    Endpoint{"GET", "/fapi/v1/ticker/24hr", open_to_all, &Api::ticker_day},

    Endpoint{"POST", "/fapi/v1/order", is_signed, &Api::place},
    Endpoint{"POST", "/fapi/v1/order/test", is_signed, &Api::place_test},
    Endpoint{"PUT", "/fapi/v1/order", is_signed, &Api::amend},
    Endpoint{"DELETE", "/fapi/v1/order", is_signed, &Api::cancel},
    Endpoint{"GET", "/fapi/v1/order", is_signed, &Api::query},
    Endpoint{"POST", "/fapi/v1/batchOrders", is_signed, &Api::place_batch},
    Endpoint{"PUT", "/fapi/v1/batchOrders", is_signed, &Api::amend_batch},
    Endpoint{"DELETE", "/fapi/v1/batchOrders", is_signed, &Api::cancel_batch},
    Endpoint{"DELETE", "/fapi/v1/allOpenOrders", is_signed, &Api::cancel_all},
    Endpoint{"POST", "/fapi/v1/countdownCancelAll", is_signed, &Api::countdown},
    Endpoint{"GET", "/fapi/v1/openOrder", is_signed, &Api::open_order},
    Endpoint{"GET", "/fapi/v1/openOrders", is_signed, &Api::open_orders},
    Endpoint{"GET", "/fapi/v1/allOrders", is_signed, &Api::all_orders},
    Endpoint{"GET", "/fapi/v1/userTrades", is_signed, &Api::user_trades},

    Endpoint{"GET", "/fapi/v2/account", is_signed, &Api::account_v2},
    Endpoint{"GET", "/fapi/v3/account", is_signed, &Api::account_v3},
    Endpoint{"GET", "/fapi/v2/balance", is_signed, &Api::balance},
    Endpoint{"GET", "/fapi/v3/balance", is_signed, &Api::balance},
    Endpoint{"GET", "/fapi/v2/positionRisk", is_signed, &Api::position_risk_v2},
    Endpoint{"GET", "/fapi/v3/positionRisk", is_signed, &Api::position_risk_v3},
    Endpoint{"GET", "/fapi/v1/income", is_signed, &Api::income},
    Endpoint{"GET", "/fapi/v1/accountConfig", is_signed, &Api::account_config},
    Endpoint{"GET", "/fapi/v1/symbolConfig", is_signed, &Api::symbol_config},
    Endpoint{"GET", "/fapi/v1/commissionRate", is_signed, &Api::commission_rate},
    Endpoint{"GET", "/fapi/v1/leverageBracket", is_signed, &Api::leverage_bracket},
    Endpoint{"GET", "/fapi/v1/rateLimit/order", is_signed, &Api::rate_limit_order},
    Endpoint{"GET", "/fapi/v1/apiTradingStatus", is_signed, &Api::trading_status},
    Endpoint{"POST", "/fapi/v1/leverage", is_signed, &Api::set_leverage},
    Endpoint{"POST", "/fapi/v1/marginType", is_signed, &Api::set_margin_type},
    Endpoint{"GET", "/fapi/v1/positionSide/dual", is_signed, &Api::position_mode},
    Endpoint{"POST", "/fapi/v1/positionSide/dual", is_signed, &Api::set_position_mode},
    Endpoint{"GET", "/fapi/v1/multiAssetsMargin", is_signed, &Api::multi_assets},
    Endpoint{"POST", "/fapi/v1/multiAssetsMargin", is_signed, &Api::set_multi_assets},
    Endpoint{"GET", "/fapi/v1/feeBurn", is_signed, &Api::fee_burn},

    Endpoint{"GET", "/sapi/v1/account/apiRestrictions", is_signed, &Api::key_permissions},

    Endpoint{"POST", "/fapi/v1/listenKey", with_key, &Api::listen_key_start},
    Endpoint{"PUT", "/fapi/v1/listenKey", with_key, &Api::listen_key_extend},
    Endpoint{"DELETE", "/fapi/v1/listenKey", with_key, &Api::listen_key_stop},
};

const Endpoint* find_endpoint(std::string_view method, std::string_view path) {
  for (const Endpoint& endpoint : endpoints) {
    if (endpoint.method == method && endpoint.path == path) return &endpoint;
  }
  return nullptr;
}

Reply not_found(std::string_view path, std::int64_t now_ms) {
  return {
      .status = 404,
      .body = fmt::format(
          R"({{"timestamp":{},"status":404,"error":"Not Found","message":"No message available","path":{}}})",
          now_ms, json_quoted(path))};
}

}  // namespace

HttpAnswer Exchange::State::rest(const HttpRequest& request) {
  ++stats.rest_requests;
  const auto [path, query] = split_target(request.target);
  Params params;
  params.add_form(query);
  params.add_form(request.body);
  params.erase("signature");
  const RequestCost cost = rest_cost(request.method, path, params);
  const Endpoint* endpoint = find_endpoint(request.method, path);
  AccountId account;
  bool orders_counted = false;

  const auto answer = [&]() -> Reply {
    if (auto refusal = take_weight(request.client_address, cost.weight)) return *refusal;
    if (endpoint == nullptr) return not_found(path, now_ms());
    if (endpoint->security != Security::none) {
      const Identity identity = identify_key(request.api_key);
      if (identity.refusal) return *identity.refusal;
      account = identity.account;
    }
    if (endpoint->security == Security::signature) {
      const SignedForm signed_query = without_signature(query);
      const SignedForm signed_body = without_signature(request.body);
      const auto& signature = signed_query.signature ? signed_query.signature : signed_body.signature;
      if (!signature || signature->empty()) {
        return refuse(400, -1102,
                      "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.");
      }
      if (auto refusal = check_time(params)) return *refusal;
      if (!signature_ok(account, signed_query.payload + signed_body.payload, *signature)) {
        return refuse(400, -1022, "Signature for this request is not valid.");
      }
    }
    if (auto refusal = take_orders(account, cost)) return *refusal;
    orders_counted = cost.orders_10s > 0;

    if (endpoint->handler == &Api::depth) {
      if (auto past = replica_depth(params)) return {.body = std::move(*past)};
    }
    std::optional<std::string> ended_key;
    if (endpoint->handler == &Api::listen_key_stop) ended_key = keys.extend(account, now);
    Reply reply =
        (api.*endpoint->handler)({.params = params, .account = account, .now = now, .events = events});
    after_request();
    if (ended_key && reply.ok()) close_followers(*ended_key);
    if (clock_step != base::Duration{} && endpoint->security == Security::none)
      reply.body = shown(reply.body);
    return reply;
  };

  Reply reply = answer();
  if (!reply.ok()) ++stats.rest_refused;
  const auto usage = limits.usage(request.client_address, account_name(account), now);
  HttpAnswer out{.status = reply.status, .headers = {}, .body = std::move(reply.body)};
  out.headers.emplace_back("Content-Type", "application/json");
  out.headers.emplace_back("X-MBX-USED-WEIGHT-1M", std::to_string(usage.weight));
  if (orders_counted) {
    out.headers.emplace_back("X-MBX-ORDER-COUNT-10S", std::to_string(usage.orders_10s));
    out.headers.emplace_back("X-MBX-ORDER-COUNT-1M", std::to_string(usage.orders_1m));
  }
  if (out.status == 418) {
    out.headers.emplace_back("Retry-After", std::to_string(limits.retry_after_s(
                                                RateLimits::Verdict::banned, request.client_address, now)));
  } else if (out.status == 429) {
    const bool ten_seconds = usage.orders_10s + cost.orders_10s > options.limits.orders_per_10s;
    out.headers.emplace_back("Retry-After", std::to_string(limits.retry_after_s(
                                                ten_seconds ? RateLimits::Verdict::too_many_orders_10s
                                                            : RateLimits::Verdict::too_much_weight,
                                                request.client_address, now)));
  }
  return out;
}

}  // namespace phoenix::exchange
