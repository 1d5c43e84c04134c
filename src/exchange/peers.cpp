// Connections: handshake, the life of a peer, and the control messages of stream connections.
#include "exchange/exchange_state.hpp"
#include "exchange/json_text.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::exchange {
namespace {

using nlohmann::json;

constexpr int handshake_weight_ws_api = 5;
constexpr std::size_t name_size_max = 256;
constexpr std::size_t bindings_max = 16;
constexpr std::size_t names_per_request_max = 1024;

enum class ControlError : int {
  unknown_property = 0,
  bad_value = 1,
  invalid_request = 2,
  invalid_json = 3,
  too_many = 4
};

std::string control_error(ControlError code, std::string_view message, std::string_view id) {
  const std::string error =
      fmt::format(R"("error":{{"code":{},"msg":{}}})", static_cast<int>(code), json_quoted(message));
  return id.empty() ? fmt::format("{{{}}}", error) : fmt::format(R"({{{},"id":{}}})", error, id);
}

std::string control_result(std::string_view result, std::string_view id) {
  return fmt::format(R"({{"result":{},"id":{}}})", result, id);
}

/// The id as it is echoed: an unsigned integer, or a string as newer servers take it.
std::optional<std::string> id_text_of(const json& request) {
  const auto found = request.find("id");
  if (found == request.end()) return std::nullopt;
  if (found->is_number_unsigned()) return std::to_string(found->get<std::uint64_t>());
  if (found->is_string() && found->get_ref<const std::string&>().size() <= 36) {
    return json_quoted(found->get_ref<const std::string&>());
  }
  return std::nullopt;
}

/// The names that the handshake's URL asks for.
struct Wanted {
  std::vector<std::string> names;
  std::vector<KeyBinding> bindings;
};

void read_stream_query(std::string_view query, Wanted& out) {
  for (const auto pair : split(query, '&')) {
    const auto equals = std::min(pair.find('='), pair.size());
    const auto name = pair.substr(0, equals);
    const std::string value = equals < pair.size() ? percent_decode(pair.substr(equals + 1)) : std::string{};
    if (name == "streams") {
      for (const auto stream : split(value, '/')) out.names.emplace_back(stream);
    } else if (name == "listenKey" && !value.empty() && out.bindings.size() < bindings_max) {
      out.bindings.push_back({.key = value, .events = {}});
    } else if (name == "events" && !out.bindings.empty()) {
      for (const auto event : split(value, '/')) out.bindings.back().events.emplace_back(event);
    }
  }
}

}  // namespace

Upgrade Exchange::State::open(PeerId id, std::string_view target, std::string_view client_address) {
  const auto [path, query] = split_target(target);
  auto parts = split(path, '/');
  const auto refuse_with = [&](int status, std::string body) {
    ++stats.peers_refused;
    return Upgrade{.accepted = false, .status = status, .body = std::move(body)};
  };
  if (peers.size() >= options.peers_max || peers.contains(id)) {
    return refuse_with(503, R"({"code":-1008,"msg":"Service Unavailable."})");
  }

  if (!limits.take_connection(client_address, now)) {
    return refuse_with(429, R"({"code":-1003,"msg":"Too many requests."})");
  }

  Peer peer;
  peer.address = client_address;
  peer.opened = now;
  peer.next_ping = now + options.ping_every;
  Wanted wanted;
  if (parts.size() == 2 && parts[0] == "ws-fapi" && parts[1] == "v1") {
    peer.kind = Peer::Kind::ws_api;
    Params params;
    params.add_form(query);
    peer.return_rate_limits = params.text("returnRateLimits") != "false";
    if (auto refusal = take_weight(client_address, handshake_weight_ws_api)) {
      return refuse_with(refusal->status, refusal->body);
    }
  } else {
    if (!parts.empty() && parts[0] == "public") peer.route = Route::public_route;
    if (!parts.empty() && parts[0] == "market") peer.route = Route::market;
    if (!parts.empty() && parts[0] == "private") peer.route = Route::private_route;
    if (peer.route != Route::legacy) parts.erase(parts.begin());
    if (parts.empty() || (parts[0] != "ws" && parts[0] != "stream")) {
      return refuse_with(404, R"({"code":-1099,"msg":"Not found."})");
    }
    peer.framing = parts[0] == "stream" ? Peer::Framing::combined : Peer::Framing::raw;
    for (std::size_t i = 1; i < parts.size(); ++i) wanted.names.push_back(percent_decode(parts[i]));
    read_stream_query(query, wanted);
    if (wanted.names.size() > options.streams_per_peer_max) {
      return refuse_with(400, R"({"code":-1130,"msg":"Too many streams."})");
    }
  }

  Peer& stored = peers.emplace(id, std::move(peer)).first->second;
  if (stored.route == Route::private_route) stored.bindings = std::move(wanted.bindings);
  for (const std::string& name : wanted.names) subscribe(id, stored, name);
  recompute_peer_deadline();
  return {.accepted = true, .status = 101, .body = {}};
}

void Exchange::State::remove(PeerId id) {
  if (peers.erase(id) == 0) return;
  streams.drop(id);
  recompute_peer_deadline();
}

void Exchange::State::close(PeerId id, int code, std::string_view reason) {
  if (!peers.contains(id)) return;
  ++stats.peers_closed;
  send({.peer = id, .what = Out::What::close, .text = {}, .close_code = code, .reason = std::string{reason}});
  remove(id);
}

void Exchange::State::close_followers(std::string_view listen_key) {
  std::vector<PeerId> ids;
  for (const auto& [id, peer] : peers) {
    if (std::any_of(peer.bindings.begin(), peer.bindings.end(),
                    [&](const KeyBinding& binding) { return binding.key == listen_key; })) {
      ids.push_back(id);
    }
  }
  for (const PeerId id : ids) close(id, 1000, "user data stream closed");
}

void Exchange::State::announce_shutdown(PeerId id) {
  const auto found = peers.find(id);
  if (found == peers.end()) return;
  const std::string event = fmt::format(R"({{"e":"serverShutdown","E":{}}})", base::ms_of(now));
  if (found->second.kind == Peer::Kind::ws_api) return send_text(id, fmt::format(R"({{"event":{}}})", event));
  send_data(id, found->second, "!serverShutdown", event);
}

void Exchange::State::message_seen(PeerId id) {
  const auto found = peers.find(id);
  if (found == peers.end() || found->second.kind == Peer::Kind::ws_api) return;
  auto& recent = found->second.recent_messages;
  while (!recent.empty() && recent.front() + base::seconds{1} <= now) recent.pop_front();
  recent.push_back(now);
  if (static_cast<int>(recent.size()) > options.messages_per_second_max) close(id, 1008, "Too many requests");
}

void Exchange::State::ponged(PeerId id) {
  const auto found = peers.find(id);
  if (found == peers.end()) return;
  found->second.pong_due.reset();
  recompute_peer_deadline();
}

void Exchange::State::text(PeerId id, std::string_view payload) {
  message_seen(id);
  const auto found = peers.find(id);
  if (found == peers.end()) return;
  ++stats.ws_requests;
  if (found->second.kind == Peer::Kind::ws_api) {
    ws_api_text(id, found->second, payload);
  } else {
    control(id, found->second, payload);
  }
}

void Exchange::State::subscribe(PeerId id, Peer& peer, std::string_view name) {
  if (std::find(peer.names.begin(), peer.names.end(), name) != peer.names.end()) return;
  peer.names.emplace_back(name);
  if (peer.route == Route::private_route) {
    const bool known = std::any_of(peer.bindings.begin(), peer.bindings.end(),
                                   [&](const KeyBinding& binding) { return binding.key == name; });
    if (!known && peer.bindings.size() < bindings_max)
      peer.bindings.push_back({.key = std::string{name}, .events = {}});
    return;
  }
  const auto stream = parse_stream_name(name);
  if (!stream || !delivers(peer.route, stream->kind)) return;
  if (!stream->symbol.empty() && !core.find_symbol(stream->symbol)) return;
  streams.subscribe(id, name, *stream);
}

void Exchange::State::unsubscribe(PeerId id, Peer& peer, std::string_view name) {
  std::erase(peer.names, name);
  std::erase_if(peer.bindings, [&](const KeyBinding& binding) { return binding.key == name; });
  streams.unsubscribe(id, name);
}

void Exchange::State::control(PeerId id, Peer& peer, std::string_view payload) {
  const auto request = parse_json(payload);
  if (!request) {
    return send_text(
        id, control_error(ControlError::invalid_json, "Invalid JSON: expected value at line 1 column 1", ""));
  }
  const auto invalid = [&](std::string_view why, std::string_view id_text) {
    send_text(id,
              control_error(ControlError::invalid_request, fmt::format("Invalid request: {}", why), id_text));
  };
  if (!request->is_object()) return invalid("expected an object", "");
  const auto id_text = id_text_of(*request);
  if (!id_text) return invalid("request ID must be an unsigned integer", "");
  const auto method = request->find("method");
  if (method == request->end()) return invalid("missing field `method`", *id_text);
  if (!method->is_string()) return invalid("method must be a string", *id_text);
  const auto& word = method->get_ref<const std::string&>();

  if (word == "SET_PROPERTY" || word == "GET_PROPERTY") return property(id, peer, *request, *id_text);
  if (word == "LIST_SUBSCRIPTIONS") {
    std::vector<std::string> names;
    for (const std::string& name : peer.names) names.push_back(json_quoted(name));
    return send_text(id, control_result(json_array(names), *id_text));
  }
  if (word != "SUBSCRIBE" && word != "UNSUBSCRIBE") {
    return invalid(fmt::format("unknown variant `{}`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, "
                               "`LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`",
                               word.substr(0, 40)),
                   *id_text);
  }
  const auto params = request->find("params");
  if (params == request->end() || !params->is_array())
    return invalid("params must be an array of strings", *id_text);
  if (params->size() > names_per_request_max) return invalid("too many parameters", *id_text);
  for (const json& name : *params) {
    if (!name.is_string() || name.get_ref<const std::string&>().size() > name_size_max) {
      return invalid("params must be an array of strings", *id_text);
    }
  }
  for (const json& item : *params) {
    const auto& name = item.get_ref<const std::string&>();
    if (word == "UNSUBSCRIBE") {
      unsubscribe(id, peer, name);
      continue;
    }
    subscribe(id, peer, name);
    if (peer.names.size() > options.streams_per_peer_max) {
      send_text(id, control_error(ControlError::too_many, "Too many subscriptions", *id_text));
      return close(id, 1008, "Invalid request");
    }
  }
  send_text(id, control_result("null", *id_text));
}

void Exchange::State::property(PeerId id, Peer& peer, const json& request, const std::string& id_text) {
  const auto fail = [&](ControlError code, std::string_view message) {
    send_text(id, control_error(code, message, id_text));
  };
  const bool set = request.at("method") == "SET_PROPERTY";
  const auto params = request.find("params");
  const std::size_t wanted = set ? 2 : 1;
  if (params == request.end() || !params->is_array() || params->empty()) {
    return fail(ControlError::invalid_request, "Invalid request: property name must be a string");
  }
  if (params->size() > wanted)
    return fail(ControlError::invalid_request, "Invalid request: too many parameters");
  if (!params->front().is_string()) {
    return fail(ControlError::invalid_request, "Invalid request: property name must be a string");
  }
  if (params->front() != "combined") return fail(ControlError::unknown_property, "Unknown property");
  if (!set) {
    return send_text(id, control_result(peer.framing == Peer::Framing::combined ? "true" : "false", id_text));
  }
  if (params->size() < 2 || !params->at(1).is_boolean()) {
    return fail(ControlError::bad_value, "Invalid value type: expected Boolean");
  }
  peer.framing = params->at(1).get<bool>() ? Peer::Framing::combined : Peer::Framing::raw;
  send_text(id, control_result("null", id_text));
}

}  // namespace phoenix::exchange
