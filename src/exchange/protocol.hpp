#pragma once

#include "exchange/core.hpp"
#include "exchange/limits.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phoenix::exchange {

using PeerId = std::uint64_t;  ///< one accepted WebSocket; chosen by the caller, never used twice

struct HttpRequest {
  std::string method;  ///< upper case
  std::string target;  ///< path and query as received
  std::string body;
  std::string api_key;         ///< header X-MBX-APIKEY
  std::string client_address;  ///< what weight is counted by
};
struct HttpAnswer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// The answer to a WebSocket handshake. Refused ones carry a body.
struct Upgrade {
  bool accepted = false;
  int status = 101;
  std::string body;
};

/// Something to send to a peer. After `close` the peer is gone: nothing follows and nothing more is taken
/// from it.
struct Out {
  enum class What : std::uint8_t { text, ping, close };
  PeerId peer = 0;
  What what = What::text;
  std::string text{};  ///< of text and ping
  int close_code = 0;  ///< of close
  std::string reason{};
  std::string stream{};  ///< of a text that is a stream's data: its name (a listen key); else empty
};

struct ExchangeOptions {
  CoreOptions core;
  LimitOptions limits;
  /// Chains of each stream, flushed at shifted instants; above 1 two connections see differently cut frames.
  std::uint32_t stream_cuts = 1;
  std::size_t peers_max = 2048;  ///< beyond it handshakes are refused with 503
  std::size_t streams_per_peer_max = 1024;
  int messages_per_second_max = 10;  ///< of one peer on stream connections; beyond it close 1008
  std::size_t outs_max = 4'000'000;  ///< undrained; beyond it messages are lost and counted
  base::Duration ping_every = base::minutes{3};
  base::Duration pong_within = base::minutes{10};
  base::Duration connection_age_max = base::hours{24};
  base::Duration listen_key_life = base::minutes{60};
  std::int64_t recv_window_ms_max = 60'000;
};

struct ExchangeStats {
  std::uint64_t rest_requests = 0, rest_refused = 0;
  std::uint64_t ws_requests = 0;  ///< WS-API requests and stream control messages
  std::uint64_t frames = 0;       ///< text messages to peers
  std::uint64_t peers_refused = 0, peers_closed = 0;
  std::uint64_t outs_dropped = 0;
};

/// The local exchange: the core behind the venue's REST, stream and WS-API protocol. No I/O, one thread.
///
/// Every call takes the exchange's own time and first lets everything due up to then happen; time never goes
/// back. Any bytes from a client come to an answer, an error message or a close, never to a failure here.
/// Whoever carries the bytes calls `drain` after each call and sends what it gives, in order; and calls
/// `advance` at `next_deadline` at the latest.
///
/// An AccountOptions::api_secret is the HMAC secret, or the Ed25519 public key: as PEM, or "ed25519:" and the
/// 32 bytes in base64.
class Exchange {
 public:
  /// Throws std::invalid_argument with one line when the options make no sense.
  explicit Exchange(ExchangeOptions options);
  ~Exchange();
  Exchange(Exchange&&) noexcept;
  Exchange& operator=(Exchange&&) noexcept;

  HttpAnswer rest(const HttpRequest& request, VenueTime now);

  Upgrade open(PeerId peer, std::string_view target, std::string_view client_address, VenueTime now);
  void text(PeerId peer, std::string_view payload, VenueTime now);
  /// The client sent a ping (which the carrier answers itself); it counts as a message.
  void pinged(PeerId peer, VenueTime now);
  void ponged(PeerId peer, VenueTime now);
  void closed(PeerId peer);

  void advance(VenueTime now);
  VenueTime next_deadline() const;
  std::vector<Out> drain();

  /// Is told of every event of the core as it is published, in their order; must outlive its being set.
  class Witness {
   public:
    virtual ~Witness() = default;
    virtual void saw(const CoreEvent& event) = 0;
  };
  void set_witness(Witness* witness);

  // What a test or a fault plan does to the exchange from outside.

  /// Runs an operation on the core and publishes what it causes: `operate(core, events)`.
  template <class Operate>
  void administer(VenueTime now, Operate operate) {
    advance(now);
    operate(core_for_change(), events_for_change());
    publish();
  }
  /// Market and user data of this peer is withheld while pings go on: the silent stall.
  enum class Delivery : std::uint8_t { normal, silent };
  void set_delivery(PeerId peer, Delivery delivery);
  /// Cuts a connection with this close code.
  void cut(PeerId peer, int close_code, std::string_view reason);
  /// Sends the event that the connection will be closed; closes nothing.
  void announce_shutdown(PeerId peer, VenueTime now);
  /// Ends every listen key. `silent` is the nasty way: followers get no listenKeyExpired, and no data either.
  enum class ExpiryNotice : std::uint8_t { told, silent };
  void expire_listen_keys(ExpiryNotice notice, VenueTime now);
  /// The clock that clients see reads `step` more than ours: event times, the server's time in answers, and
  /// the check of a request's timestamp. Transaction times and all timers stay.
  void set_clock_step(base::Duration step);
  /// REST depth comes from replicas this far behind or up to twice as far: `probes` serves requests below 100
  /// levels, `snapshots` the others. 0: no lag. A lag that begins grows from 0.
  void set_replica_lag(base::Duration probes, base::Duration snapshots, VenueTime now);

  const Core& core() const;
  const ExchangeStats& stats() const;
  std::size_t peer_count() const;
  struct PeerView {
    PeerId id = 0;
    std::string_view route;  ///< "legacy", "public", "market", "private" or "order_api"
    std::string address;
    VenueTime opened{};
    std::uint64_t frames = 0;  ///< texts sent to it
    std::vector<std::string> names;
  };
  std::vector<PeerView> peers() const;
  /// Weight that an address has used in this minute.
  int used_weight(std::string_view address) const;

 private:
  Core& core_for_change();
  CoreEvents& events_for_change();
  void publish();

  class State;
  std::unique_ptr<State> state_;
};

}  // namespace phoenix::exchange
