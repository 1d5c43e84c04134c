#include "exchange/protocol.hpp"

#include "base/assert.hpp"
#include "exchange/exchange_state.hpp"
#include "exchange/render.hpp"

#include <algorithm>
#include <stdexcept>
#include <variant>

#include <fmt/format.h>

namespace phoenix::exchange {
namespace {

constexpr std::string_view ed25519_prefix = "ed25519:";
/// Depth requests with at least so many levels are snapshots, those with fewer are probes.
constexpr int snapshot_levels_min = 100;

std::string_view route_name(const Peer& peer) {
  if (peer.kind == Peer::Kind::ws_api) return "order_api";
  switch (peer.route) {
    case Route::legacy:
      return "legacy";
    case Route::public_route:
      return "public";
    case Route::market:
      return "market";
    case Route::private_route:
      break;
  }
  return "private";
}

std::optional<Ed25519PublicKey> public_key_of(const AccountOptions& account) {
  const std::string_view secret = account.api_secret;
  const bool prefixed = secret.starts_with(ed25519_prefix);
  if (!prefixed && !secret.starts_with("-----BEGIN")) return std::nullopt;
  auto key = parse_ed25519_public_key(prefixed ? secret.substr(ed25519_prefix.size()) : secret);
  if (!key)
    throw std::invalid_argument("the Ed25519 public key of API key " + account.api_key + " is not readable");
  return key;
}

ExchangeOptions checked(ExchangeOptions options) {
  const auto positive = [](base::Duration duration, const char* name) {
    if (duration <= base::Duration{}) throw std::invalid_argument(std::string{name} + " must be positive");
  };
  positive(options.ping_every, "ping_every");
  positive(options.pong_within, "pong_within");
  positive(options.connection_age_max, "connection_age_max");
  positive(options.listen_key_life, "listen_key_life");
  positive(options.limits.ban, "ban");
  if (options.stream_cuts == 0 || options.stream_cuts > 100) {
    throw std::invalid_argument("stream_cuts must be within 1 and 100");
  }
  return options;
}

}  // namespace

Exchange::State::State(ExchangeOptions given)
    : options{checked(std::move(given))},
      core{options.core},
      keys{options.core.seed, options.listen_key_life},
      limits{options.limits},
      api{core, keys, options.limits, options.core.funding_interval},
      streams{core, options.stream_cuts},
      now{core.now()} {
  ed25519_.emplace_back();  // index 0 is the market's
  for (const AccountOptions& account : options.core.accounts) ed25519_.push_back(public_key_of(account));
}

// Time.

void Exchange::State::run_to(VenueTime until) {
  while (true) {
    const VenueTime next = std::max(next_deadline(), now);
    if (next > until) break;
    now = next;
    core.advance(now, events);
    PHX_ASSERT(core.next_deadline() > now, "the core's next deadline lies ahead once it has advanced");
    process_events();
    fire_timers();
  }
  if (until <= now) return;
  now = until;
  core.advance(now, events);
  process_events();
}

VenueTime Exchange::State::next_deadline() const {
  VenueTime next = core.next_deadline();
  for (const auto& own : {streams.next_deadline(), keys.next_deadline(), peer_deadline_}) {
    if (own && *own < next) next = *own;
  }
  for (const Replica* replica : {&probe_replica, &snapshot_replica}) {
    if (replica->lag > base::Duration{}) next = std::min(next, replica->next);
  }
  return next;
}

void Exchange::State::fire_timers() {
  streams.expire(now, frames_);
  deliver(frames_);
  for (const auto& expired : keys.expire(now)) tell_expired(expired);
  for (Replica* replica : {&probe_replica, &snapshot_replica}) {
    if (replica->lag > base::Duration{} && replica->next <= now) take_replica(*replica);
  }
  if (peer_deadline_ && *peer_deadline_ <= now) fire_peers();
}

void Exchange::State::tell_expired(const ListenKeys::Expired& expired) {
  const std::string event = fmt::format(R"({{"e":"listenKeyExpired","E":{},"listenKey":"{}"}})",
                                        base::ms_of(expired.at), expired.key);
  for (auto& [id, peer] : peers) {
    for (const KeyBinding& binding : peer.bindings) {
      if (binding.key == expired.key && peer.delivery == Delivery::normal)
        send_data(id, peer, binding.key, event);
    }
  }
}

void Exchange::State::fire_peers() {
  std::vector<PeerId> ids;
  for (const auto& [id, peer] : peers) ids.push_back(id);
  for (const PeerId id : ids) {
    Peer& peer = peers.at(id);
    if (now >= peer.opened + options.connection_age_max) {
      close(id, 1001, "maximum connection age");
    } else if (peer.pong_due && now >= *peer.pong_due) {
      close(id, 1008, "Pong timeout");
    } else if (now >= peer.next_ping) {
      peer.next_ping = now + options.ping_every;
      if (!peer.pong_due) peer.pong_due = now + options.pong_within;
      send({.peer = id, .what = Out::What::ping, .text = std::to_string(now_ms())});
    }
  }
  recompute_peer_deadline();
}

void Exchange::State::recompute_peer_deadline() {
  peer_deadline_.reset();
  for (const auto& [id, peer] : peers) {
    VenueTime next = std::min(peer.next_ping, peer.opened + options.connection_age_max);
    if (peer.pong_due) next = std::min(next, *peer.pong_due);
    if (!peer_deadline_ || next < *peer_deadline_) peer_deadline_ = next;
  }
}

// Publication.

void Exchange::State::process_events() {
  for (const CoreEvent& event : events) {
    if (witness != nullptr) witness->saw(event);
    streams.apply(event, frames_);
    api.apply(event);
    deliver(frames_);
    publish_user(event);
  }
  events.clear();
  streams.end_of_batch(now, frames_);
  deliver(frames_);
}

void Exchange::State::deliver(std::vector<StreamFrame>& frames) {
  for (StreamFrame& frame : frames) {
    for (const PeerId id : frame.peers) {
      const auto found = peers.find(id);
      if (found == peers.end() || found->second.delivery == Delivery::silent) continue;
      send_data(id, found->second, frame.stream, frame.payload);
    }
  }
  frames.clear();
}

void Exchange::State::user_event(AccountId account, std::string_view type, const std::string& payload) {
  for (auto& [id, peer] : peers) {
    if (peer.delivery == Delivery::silent) continue;
    for (const KeyBinding& binding : peer.bindings) {
      if (keys.account_of(binding.key) != account) continue;
      const auto& wanted = binding.events;
      if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), type) == wanted.end()) continue;
      send_data(id, peer, binding.key, payload);
    }
  }
}

void Exchange::State::publish_user(const CoreEvent& event) {
  if (const auto* order = std::get_if<OrderEvent>(&event)) {
    const AccountId account = order->order.account;
    if (account.is_market()) return;
    const SymbolSpec& spec = core.spec(order->order.symbol);
    if (order->execution == ExecutionType::trade) {
      user_event(account, "TRADE_LITE", trade_lite(*order, spec, now_ms()));
    }
    user_event(account, "ORDER_TRADE_UPDATE", order_trade_update(*order, spec, now_ms()));
  } else if (const auto* change = std::get_if<AccountEvent>(&event)) {
    if (change->account.is_market()) return;
    const SymbolSpec* spec = change->symbol ? &core.spec(*change->symbol) : nullptr;
    user_event(change->account, "ACCOUNT_UPDATE", account_update(*change, spec, now_ms()));
  }
}

void Exchange::State::publish_settings() {
  for (const SettingsChange& change : api.take_changes()) {
    const std::string what =
        change.symbol
            ? fmt::format(R"("ac":{{"s":"{}","l":{}}})", core.spec(*change.symbol).name, change.leverage)
            : fmt::format(R"("ai":{{"j":{}}})", wire_bool(change.multi_assets));
    user_event(change.account, "ACCOUNT_CONFIG_UPDATE",
               fmt::format(R"({{"e":"ACCOUNT_CONFIG_UPDATE","E":{},"T":{},{}}})", now_ms(), now_ms(), what));
  }
}

void Exchange::State::after_request() {
  process_events();
  publish_settings();
}

void Exchange::State::send(Out out) {
  if (outs.size() >= options.outs_max) {
    ++stats.outs_dropped;
    return;
  }
  if (out.what == Out::What::text) {
    ++stats.frames;
    const auto found = peers.find(out.peer);
    if (found != peers.end()) ++found->second.frames;
  }
  outs.push_back(std::move(out));
}

void Exchange::State::send_text(PeerId id, std::string text) {
  send({.peer = id, .what = Out::What::text, .text = std::move(text)});
}

void Exchange::State::send_data(PeerId id, const Peer& peer, std::string_view name,
                                std::string_view payload) {
  std::string stepped;
  if (clock_step != base::Duration{}) payload = stepped = shown(payload);
  send({.peer = id,
        .what = Out::What::text,
        .text = peer.framing == Peer::Framing::combined
                    ? fmt::format(R"({{"stream":"{}","data":{}}})", name, payload)
                    : std::string{payload},
        .reason = {},
        .stream = std::string{name}});
}

std::string Exchange::State::shown(std::string_view payload) const {
  for (const std::string_view mark : {R"("E":)", R"("serverTime":)"}) {
    const auto at = payload.find(mark);
    if (at == std::string_view::npos) continue;
    const auto begin = at + mark.size();
    const auto end = std::min(payload.find_first_not_of("0123456789", begin), payload.size());
    const auto ms = parse_integer(payload.substr(begin, end - begin));
    if (!ms) continue;
    const auto moved = *ms + std::chrono::duration_cast<base::milliseconds>(clock_step).count();
    return fmt::format("{}{}{}", payload.substr(0, begin), moved, payload.substr(end));
  }
  return std::string{payload};
}

// Replicas that lag.

void Exchange::State::take_replica(Replica& replica) {
  replica.shown = std::move(replica.taken);
  replica.taken.clear();
  CoreEvents unused;
  for (std::size_t i = 0; i < core.symbol_count(); ++i) {
    const std::string& symbol = core.spec(SymbolId{static_cast<std::uint16_t>(i)}).name;
    for (const int limit : {5, 10, 20, 50, 100, 500, 1000}) {
      if ((limit < snapshot_levels_min) != (&replica == &probe_replica)) continue;
      Params params;
      params.set("symbol", symbol);
      params.set("limit", std::to_string(limit));
      replica.taken[{symbol, limit}] =
          api.depth({.params = params, .account = {}, .now = now, .events = unused}).body;
    }
  }
  replica.next = now + replica.lag;
}

void Exchange::State::set_replica_lag(Replica& replica, base::Duration lag) {
  if (replica.lag == lag) return;
  replica = Replica{};
  replica.lag = lag;
  if (lag == base::Duration{}) return;
  take_replica(replica);
  replica.shown = replica.taken;
}

std::optional<std::string> Exchange::State::replica_depth(const Params& params) const {
  const auto limit = params.has("limit") ? params.integer("limit").value_or(0) : 500;
  const Replica& replica = limit < snapshot_levels_min ? probe_replica : snapshot_replica;
  const auto found = replica.shown.find(
      {std::string{params.text("symbol")}, static_cast<int>(std::min<std::int64_t>(limit, 1001))});
  if (found == replica.shown.end()) return std::nullopt;
  return found->second;
}

// Identity and limits, for REST and WS-API alike.

std::string Exchange::State::account_name(AccountId account) const {
  return account.is_market() ? std::string{} : core.account_options(account).api_key;
}

Exchange::State::Identity Exchange::State::identify_key(std::string_view api_key) const {
  if (api_key.empty()) return {.account = {}, .refusal = refuse(401, -2014, "API-key format invalid.")};
  const auto account = core.find_account(api_key);
  if (!account) {
    return {.account = {}, .refusal = refuse(401, -2015, "Invalid API-key, IP, or permissions for action.")};
  }
  return {.account = *account, .refusal = std::nullopt};
}

std::optional<Reply> Exchange::State::check_time(const Params& params) const {
  const auto timestamp = params.integer("timestamp");
  if (!timestamp) {
    return refuse(400, -1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.");
  }
  std::int64_t window = 5000;
  if (params.has("recvWindow")) {
    const auto asked = params.integer("recvWindow");
    if (!asked || *asked < 0) {
      return refuse(400, -1100,
                    "Illegal characters found in parameter 'recvWindow'; legal range is '^[0-9]{1,20}$'.");
    }
    if (*asked > options.recv_window_ms_max) {
      return refuse(400, -1131, fmt::format("recvWindow must be less than {}", options.recv_window_ms_max));
    }
    window = *asked;
  }
  switch (check_timestamp(*timestamp, window, base::ms_of(now + clock_step))) {
    case TimestampVerdict::ok:
      return std::nullopt;
    case TimestampVerdict::ahead:
      return refuse(400, -1021, "Timestamp for this request was 1000ms ahead of the server's time.");
    case TimestampVerdict::too_old:
      break;
  }
  return refuse(400, -1021, "Timestamp for this request is outside of the recvWindow.");
}

bool Exchange::State::signature_ok(AccountId account, std::string_view payload,
                                   std::string_view signature) const {
  const auto& key = ed25519_[account.index];
  if (key) return ed25519_signature_ok(*key, payload, signature);
  return hmac_signature_ok(core.account_options(account).api_secret, payload, signature);
}

std::optional<Reply> Exchange::State::take_weight(std::string_view address, int weight) {
  switch (limits.take_weight(address, weight, now)) {
    case RateLimits::Verdict::ok:
      return std::nullopt;
    case RateLimits::Verdict::banned:
      return refuse(
          418, -1003,
          fmt::format("Way too many requests; IP({}) banned until {}. Please use the websocket for live "
                      "updates to avoid bans.",
                      address, base::ms_of(limits.banned_until(address))));
    default:
      break;
  }
  return refuse(
      429, -1003,
      fmt::format("Too many requests; current limit of IP({}) is {} requests per minute. Please use the "
                  "websocket for live updates to avoid polling the API.",
                  address, options.limits.weight_per_minute));
}

std::optional<Reply> Exchange::State::take_orders(AccountId account, const RequestCost& cost) {
  if (cost.orders_10s == 0 && cost.orders_1m == 0) return std::nullopt;
  const auto verdict = limits.take_orders(account_name(account), cost.orders_10s, cost.orders_1m, now);
  if (verdict == RateLimits::Verdict::ok) return std::nullopt;
  const bool ten_seconds = verdict == RateLimits::Verdict::too_many_orders_10s;
  return refuse(429, -1015,
                fmt::format("Too many new orders; current limit is {} orders per {}.",
                            ten_seconds ? options.limits.orders_per_10s : options.limits.orders_per_minute,
                            ten_seconds ? "10 SECOND" : "1 MINUTE"));
}

// The public face.

Exchange::Exchange(ExchangeOptions options) : state_{std::make_unique<State>(std::move(options))} {}
Exchange::~Exchange() = default;
Exchange::Exchange(Exchange&&) noexcept = default;
Exchange& Exchange::operator=(Exchange&&) noexcept = default;

HttpAnswer Exchange::rest(const HttpRequest& request, VenueTime now) {
  state_->run_to(now);
  return state_->rest(request);
}

Upgrade Exchange::open(PeerId peer, std::string_view target, std::string_view client_address, VenueTime now) {
  state_->run_to(now);
  return state_->open(peer, target, client_address);
}

void Exchange::text(PeerId peer, std::string_view payload, VenueTime now) {
  state_->run_to(now);
  state_->text(peer, payload);
}

void Exchange::pinged(PeerId peer, VenueTime now) {
  state_->run_to(now);
  state_->message_seen(peer);
}

void Exchange::ponged(PeerId peer, VenueTime now) {
  state_->run_to(now);
  state_->ponged(peer);
}

void Exchange::closed(PeerId peer) { state_->remove(peer); }
void Exchange::advance(VenueTime now) { state_->run_to(now); }
VenueTime Exchange::next_deadline() const { return state_->next_deadline(); }
std::vector<Out> Exchange::drain() { return std::exchange(state_->outs, {}); }

void Exchange::set_delivery(PeerId peer, Delivery delivery) {
  const auto found = state_->peers.find(peer);
  if (found != state_->peers.end()) found->second.delivery = delivery;
}

void Exchange::cut(PeerId peer, int close_code, std::string_view reason) {
  state_->close(peer, close_code, reason);
}

void Exchange::announce_shutdown(PeerId peer, VenueTime now) {
  state_->run_to(now);
  state_->announce_shutdown(peer);
}

void Exchange::expire_listen_keys(ExpiryNotice notice, VenueTime now) {
  state_->run_to(now);
  for (const auto& expired : state_->keys.expire_all(state_->now)) {
    if (notice == ExpiryNotice::told) state_->tell_expired(expired);
  }
}

void Exchange::set_clock_step(base::Duration step) { state_->clock_step = step; }

void Exchange::set_replica_lag(base::Duration probes, base::Duration snapshots, VenueTime now) {
  state_->run_to(now);
  state_->set_replica_lag(state_->probe_replica, probes);
  state_->set_replica_lag(state_->snapshot_replica, snapshots);
}

std::vector<Exchange::PeerView> Exchange::peers() const {
  std::vector<PeerView> out;
  for (const auto& [id, peer] : state_->peers) {
    out.push_back({.id = id,
                   .route = route_name(peer),
                   .address = peer.address,
                   .opened = peer.opened,
                   .frames = peer.frames,
                   .names = peer.names});
  }
  return out;
}

int Exchange::used_weight(std::string_view address) const {
  return state_->limits.usage(address, "", state_->now).weight;
}

void Exchange::set_witness(Witness* witness) { state_->witness = witness; }
const Core& Exchange::core() const { return state_->core; }
const ExchangeStats& Exchange::stats() const { return state_->stats; }
std::size_t Exchange::peer_count() const { return state_->peers.size(); }
Core& Exchange::core_for_change() { return state_->core; }
CoreEvents& Exchange::events_for_change() { return state_->events; }
void Exchange::publish() { state_->after_request(); }

}  // namespace phoenix::exchange
