// The WebSocket API: the same requests as REST, framed as JSON messages.
#include "exchange/exchange_state.hpp"
#include "exchange/json_text.hpp"

#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::exchange {
namespace {

using nlohmann::json;

struct Method {
  std::string_view name;
  Security security;
  Handler handler;
};

constexpr std::array methods{
    Method{"ping", Security::none, &Api::ping},
    Method{"time", Security::none, &Api::time},
    Method{"depth", Security::none, &Api::depth},
    Method{"ticker.price", Security::none, &Api::ticker_price},
    Method{"ticker.book", Security::none, &Api::ticker_book},
    Method{"order.place", Security::signature, &Api::place},
    Method{"order.modify", Security::signature, &Api::amend},
    Method{"order.cancel", Security::signature, &Api::cancel},
    Method{"order.status", Security::signature, &Api::query},
    Method{"account.balance", Security::signature, &Api::balance},
    Method{"v2/account.balance", Security::signature, &Api::balance},
    Method{"account.status", Security::signature, &Api::account_v2},
    Method{"v2/account.status", Security::signature, &Api::account_v3},
    Method{"account.position", Security::signature, &Api::position_risk_v2},
    Method{"v2/account.position", Security::signature, &Api::position_risk_v3},
    Method{"userDataStream.start", Security::key, &Api::listen_key_start},
    Method{"userDataStream.ping", Security::key, &Api::listen_key_extend},
    Method{"userDataStream.stop", Security::key, &Api::listen_key_stop},
};

const Method* find_method(std::string_view name) {
  for (const Method& method : methods) {
    if (method.name == name) return &method;
  }
  return nullptr;
}

/// An integer, a string of at most 36 characters or null, as it is echoed.
std::optional<std::string> echo_of(const json& request) {
  const auto found = request.find("id");
  if (found == request.end() || found->is_null()) return "null";
  if (found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    return text.size() <= 36 ? std::optional{json_quoted(text)} : std::nullopt;
  }
  return found->is_number_integer() ? scalar_text(*found) : std::nullopt;
}

/// A request's parameters: scalars as text in `params`; `payload` is what its signature is made over.
struct Fields {
  Params params;
  std::string payload, signature;
};

/// Nothing when params is no object or holds something else than scalars and nulls.
std::optional<Fields> fields_of(const json& request) {
  Fields out;
  const auto params = request.find("params");
  if (params == request.end()) return out;
  if (!params->is_object() || params->size() > Params::count_max) return std::nullopt;
  for (const auto& [name, value] : params->items()) {  // in the order of the names
    if (value.is_null()) continue;
    auto text = scalar_text(value);
    if (!text) return std::nullopt;
    if (name == "signature") {
      out.signature = std::move(*text);
      continue;
    }
    if (!out.payload.empty()) out.payload += '&';
    out.payload += name + "=" + *text;
    out.params.set(name, std::move(*text));
  }
  return out;
}

std::string session_status(const std::string& api_key, const std::optional<VenueTime>& since,
                           const Peer& peer, std::int64_t now_ms) {
  return fmt::format(
      R"({{"apiKey":{},"authorizedSince":{},"connectedSince":{},"returnRateLimits":{},"serverTime":{}}})",
      api_key.empty() ? "null" : json_quoted(api_key), since ? std::to_string(base::ms_of(*since)) : "null",
      base::ms_of(peer.opened), peer.return_rate_limits ? "true" : "false", now_ms);
}

std::string answer_text(std::string_view id, const Reply& reply, std::string_view rate_limits) {
  return fmt::format(R"({{"id":{},"status":{},"{}":{}{}}})", id, reply.status,
                     reply.ok() ? "result" : "error", reply.body, rate_limits);
}

}  // namespace

void Exchange::State::ws_api_text(PeerId id, Peer& peer, std::string_view payload) {
  const auto request = parse_json(payload);
  if (!request || !request->is_object()) {
    (void)take_weight(peer.address, 1);
    return send_text(id, answer_text("null", refuse(400, -1135, "Invalid JSON Request"), ""));
  }
  const auto echo = echo_of(*request);
  auto fields = fields_of(*request);
  const auto word = request->find("method");
  const std::string method =
      word != request->end() && word->is_string() ? word->get<std::string>() : std::string{};
  const RequestCost cost = ws_api_cost(method, fields ? fields->params : Params{});
  AccountId account;

  /// Who asks: by the request's own key, else by the session.
  const auto identify = [&](Security security) -> std::optional<Reply> {
    if (security == Security::none) return std::nullopt;
    const bool by_session = !fields->params.has("apiKey") && peer.session;
    if (by_session) {
      account = *peer.session;
    } else {
      const Identity identity = identify_key(fields->params.text("apiKey"));
      if (identity.refusal) return identity.refusal;
      account = identity.account;
    }
    if (security != Security::signature) return std::nullopt;
    if (!by_session && fields->signature.empty()) {
      return refuse(400, -1102,
                    "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.");
    }
    if (auto refusal = check_time(fields->params)) return refusal;
    if (!by_session && !signature_ok(account, fields->payload, fields->signature)) {
      return refuse(400, -1022, "Signature for this request is not valid.");
    }
    return std::nullopt;
  };

  const auto session = [&]() -> Reply {
    if (method == "session.logon") {
      if (!fields->params.has("apiKey")) {
        return refuse(400, -1102, "Mandatory parameter 'apiKey' was not sent, was empty/null, or malformed.");
      }
      if (auto refusal = identify(Security::signature)) return *refusal;
      if (!ed25519_[account.index]) return refuse(400, -4056, "HMAC_SHA256 API key is not supported.");
      peer.session = account;
      peer.session_since = now;
    } else if (method == "session.logout") {
      peer.session.reset();
      peer.session_since.reset();
    }
    return {.body = session_status(peer.session ? account_name(*peer.session) : std::string{},
                                   peer.session_since, peer, now_ms())};
  };

  std::optional<std::string> ended_key;
  const auto answer = [&]() -> Reply {
    if (auto refusal = take_weight(peer.address, cost.weight)) return *refusal;
    if (!echo) return refuse(400, -1130, "Data sent for parameter 'id' is not valid.");
    if (method.empty()) {
      return refuse(400, -1102, "Mandatory parameter 'method' was not sent, was empty/null, or malformed.");
    }
    if (!fields) return refuse(400, -1130, "Data sent for parameter 'params' is not valid.");
    if (method == "session.logon" || method == "session.status" || method == "session.logout")
      return session();
    const Method* found = find_method(method);
    if (found == nullptr) return refuse(400, -1020, "This operation is not supported.");
    if (auto refusal = identify(found->security)) return *refusal;
    if (auto refusal = take_orders(account, cost)) return *refusal;
    if (found->handler == &Api::listen_key_stop) ended_key = keys.extend(account, now);
    Reply reply =
        (api.*found->handler)({.params = fields->params, .account = account, .now = now, .events = events});
    if (clock_step != base::Duration{} && found->security == Security::none) reply.body = shown(reply.body);
    return reply;
  };

  const Reply reply = answer();
  std::string rate_limits;
  if (fields && peer.return_rate_limits && fields->params.text("returnRateLimits") != "false") {
    const auto usage = limits.usage(peer.address, account_name(account), now);
    rate_limits = fmt::format(
        R"(,"rateLimits":[{{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":{},"count":{}}})",
        options.limits.weight_per_minute, usage.weight);
    if (cost.orders_10s > 0) {
      rate_limits += fmt::format(
          R"(,{{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":{},"count":{}}})"
          R"(,{{"rateLimitType":"ORDERS","interval":"MINUTE","intervalNum":1,"limit":{},"count":{}}})",
          options.limits.orders_per_10s, usage.orders_10s, options.limits.orders_per_minute, usage.orders_1m);
    }
    rate_limits += ']';
  }
  // The answer first: it is the order the engine's own answer path has. Events of the request follow.
  send_text(id, answer_text(echo.value_or("null"), reply, rate_limits));
  after_request();
  if (ended_key && reply.ok()) close_followers(*ended_key);
}

}  // namespace phoenix::exchange
