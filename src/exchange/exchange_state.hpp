#pragma once

// The inside of Exchange, shared by the files that implement it: protocol.cpp (time, output), rest.cpp,
// peers.cpp (connections and stream control) and ws_api.cpp. Nobody else includes it.

#include "exchange/api.hpp"
#include "exchange/auth.hpp"
#include "exchange/core.hpp"
#include "exchange/limits.hpp"
#include "exchange/listen_keys.hpp"
#include "exchange/market_streams.hpp"
#include "exchange/protocol.hpp"
#include "exchange/stream_name.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace phoenix::exchange {

enum class Security : std::uint8_t { none, key, signature };
using Handler = Reply (Api::*)(const Request&);

/// REST depth as a replica shows it: whole answers, taken from time to time.
struct Replica {
  using Answers = std::map<std::pair<std::string, int>, std::string>;  ///< by symbol and limit
  base::Duration lag{};                                                ///< 0: none
  VenueTime next{};                                                    ///< when it is taken again
  Answers shown, taken;
};

/// A user data stream that a connection follows.
struct KeyBinding {
  std::string key;
  std::vector<std::string> events;  ///< empty: all
};

struct Peer {
  enum class Kind : std::uint8_t { stream, ws_api };
  enum class Framing : std::uint8_t { raw, combined };
  Kind kind = Kind::stream;
  Framing framing = Framing::raw;
  Route route = Route::legacy;
  std::string address;
  VenueTime opened{}, next_ping{};
  std::optional<VenueTime> pong_due;
  std::deque<VenueTime> recent_messages;
  std::uint64_t frames = 0;
  std::vector<std::string> names;  ///< subscribed, in their order, valid or not
  std::vector<KeyBinding> bindings;
  Exchange::Delivery delivery = Exchange::Delivery::normal;

  // WS-API
  bool return_rate_limits = true;
  std::optional<AccountId> session;
  std::optional<VenueTime> session_since;
};

class Exchange::State {
 public:
  explicit State(ExchangeOptions options);

  // protocol.cpp
  void run_to(VenueTime now);
  void process_events();
  VenueTime next_deadline() const;

  void tell_expired(const ListenKeys::Expired& expired);
  void set_replica_lag(Replica& replica, base::Duration lag);
  /// A REST depth answer of the past; nothing when the request is not one or nothing lags.
  std::optional<std::string> replica_depth(const Params& params) const;

  // rest.cpp
  HttpAnswer rest(const HttpRequest& request);

  // peers.cpp
  Upgrade open(PeerId id, std::string_view target, std::string_view client_address);
  void text(PeerId id, std::string_view payload);
  void message_seen(PeerId id);
  void ponged(PeerId id);
  void remove(PeerId id);
  void close(PeerId id, int code, std::string_view reason);
  void close_followers(std::string_view listen_key);
  void announce_shutdown(PeerId id);

  // ws_api.cpp
  void ws_api_text(PeerId id, Peer& peer, std::string_view payload);

  struct Identity {
    AccountId account;
    std::optional<Reply> refusal;
  };
  /// Key, timestamp and signature, in this order.
  Identity identify_key(std::string_view api_key) const;
  std::optional<Reply> check_time(const Params& params) const;
  bool signature_ok(AccountId account, std::string_view payload, std::string_view signature) const;
  /// Counts an order request; the refusal when a limit is broken.
  std::optional<Reply> take_orders(AccountId account, const RequestCost& cost);
  std::optional<Reply> take_weight(std::string_view address, int weight);
  std::string account_name(AccountId account) const;
  void after_request();

  void send(Out out);
  void send_text(PeerId id, std::string text);
  /// Data of the stream `name`, framed as the connection wants it.
  void send_data(PeerId id, const Peer& peer, std::string_view name, std::string_view payload);

  ExchangeOptions options;
  Core core;
  ListenKeys keys;
  RateLimits limits;
  Api api;
  MarketStreams streams;
  std::map<PeerId, Peer> peers;
  CoreEvents events;
  std::vector<Out> outs;
  ExchangeStats stats;
  VenueTime now{};
  Exchange::Witness* witness = nullptr;
  base::Duration clock_step{};
  Replica probe_replica, snapshot_replica;

 private:
  void fire_timers();
  void take_replica(Replica& replica);
  void fire_peers();
  void recompute_peer_deadline();
  void deliver(std::vector<StreamFrame>& frames);
  void user_event(AccountId account, std::string_view type, const std::string& payload);
  void publish_user(const CoreEvent& event);
  void publish_settings();
  std::int64_t now_ms() const { return base::ms_of(now); }
  /// `payload` with the first event time or server time in it as clients see the venue's clock.
  std::string shown(std::string_view payload) const;

  void subscribe(PeerId id, Peer& peer, std::string_view name);
  void unsubscribe(PeerId id, Peer& peer, std::string_view name);
  void control(PeerId id, Peer& peer, std::string_view payload);
  void property(PeerId id, Peer& peer, const nlohmann::json& request, const std::string& id_text);

  std::vector<std::optional<Ed25519PublicKey>> ed25519_;  ///< by account index
  std::optional<VenueTime> peer_deadline_;
  std::vector<StreamFrame> frames_;
};

}  // namespace phoenix::exchange
