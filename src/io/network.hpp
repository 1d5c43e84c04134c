#pragma once

#include "base/ring.hpp"
#include "base/time.hpp"
#include "io/clock.hpp"
#include "io/headers.hpp"
#include "io/ws_codec.hpp"
#include "model/ids.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace phoenix::io {

/// A number chosen by the caller for one line; below NetworkOptions::connections_max.
using ConnectionId = std::uint32_t;

enum class Security : std::uint8_t { tls, plain };
enum class Deflate : std::uint8_t { refuse, offer };
/// How the io thread waits: asleep in the kernel, or spinning on a core of its own.
enum class Waiting : std::uint8_t { block, spin };

/// Where a client connects. Over TLS the peer's chain and name are always verified.
struct Endpoint {
  std::string host{};
  std::uint16_t port = 443;
  Security security = Security::tls;
  std::string ca_file{};      ///< PEM; empty: the system's store
  std::string server_name{};  ///< the name to send (SNI) and to verify; empty: `host`
};

struct WsOptions {
  Endpoint endpoint;
  std::string target = "/";
  Deflate deflate = Deflate::refuse;
  Headers headers;  ///< sent with the handshake beside the standard ones
  std::string user_agent = "phoenix";
  base::Duration resolve_timeout = base::seconds{2};
  base::Duration connect_timeout = base::seconds{3};    ///< TCP, all addresses together
  base::Duration handshake_timeout = base::seconds{5};  ///< TLS and the upgrade together
  base::Duration ping_interval = base::seconds{20};
  base::Duration pong_timeout = base::seconds{10};
  base::Duration close_timeout =
      base::milliseconds{500};  ///< for the peer's part of a closing, and to close the TCP stream
  WsBinary binary = WsBinary::refuse;
  std::size_t message_bytes_max = 8u << 20;     ///< inflated; more ends the connection with 1009
  std::size_t inflate_ratio_max = 200;          ///< of a message beyond 64 KiB, to its compressed size
  std::size_t send_queue_bytes_max = 1u << 20;  ///< unsent bytes; more ends it with `send_queue_full`
};

/// What the handshake brought.
struct OpenInfo {
  std::string extensions;  ///< Sec-WebSocket-Extensions as the server answered; empty when it granted none
  std::string remote;      ///< address:port reached
  std::string tls;         ///< "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty on a plain line
};

enum class CloseReason : std::uint8_t {
  requested,          ///< we asked for it
  peer_closed,        ///< the peer's close frame; `code` is its own (1005: none given)
  connection_lost,    ///< end of stream or reset without a close frame
  resolve_failed,     ///< no address within the limit
  connect_failed,     ///< refused, unreachable or not within the limit
  tls_failed,         ///< no TLS session, among others a certificate that does not verify
  handshake_refused,  ///< an HTTP answer other than 101; `http_status` and `retry_after_s` tell
  handshake_failed,   ///< not a WebSocket answer, or none within the limit
  pong_timeout,       ///< our ping stayed unanswered
  protocol_error,     ///< the peer broke RFC 6455 or 7692; `code` is what we told it
  message_too_big,    ///< beyond message_bytes_max
  send_queue_full,    ///< the peer does not take what we send
  stopped,            ///< the network was stopped
};
std::string_view name(CloseReason reason);

struct CloseInfo {
  CloseReason reason = CloseReason::connection_lost;
  std::uint16_t code = 0;           ///< WebSocket close code where there is one, else 0
  std::uint16_t http_status = 0;    ///< of a refused handshake, else 0
  std::uint32_t retry_after_s = 0;  ///< of a refused handshake, 0 when absent or not a number of seconds
  std::string text{};               ///< for the log, one line
};

/// Which queue a call waits in. Orders go first.
enum class Lane : std::uint8_t { order, normal };

struct RestCall {
  model::RequestId request_id{};
  Endpoint endpoint{};
  Lane lane = Lane::normal;
  std::string method = "GET";
  std::string target = "/";
  Headers headers{};
  std::string body{};
  base::LocalTime deadline{};  ///< of RealClock; past it the call ends as not_sent or unknown
};

struct RestResult {
  enum class Outcome : std::uint8_t {
    answered,  ///< `status`, `headers` and `body` are the server's
    not_sent,  ///< no byte of the request left: it may be sent again
    unknown,   ///< at least one byte left and no answer came: it may have been executed
  };
  Outcome outcome = Outcome::not_sent;
  std::uint16_t status = 0;
  Headers headers{};  ///< Retry-After, Date and X-MBX-* only; names in lower case
  std::string body{};
  std::string why{};  ///< of not_sent and unknown, one line
};

/// Called on the io thread. `now` is one reading of the clock, taken right after the bytes were read;
/// messages of one read share it. Views are valid during the call only. Must not block and must not throw.
class NetworkHandler {
 public:
  virtual ~NetworkHandler() = default;
  virtual void on_open(ConnectionId id, const OpenInfo& info, base::LocalTime now) = 0;
  virtual void on_text(ConnectionId id, std::string_view payload, base::LocalTime now) = 0;
  /// Only where WsOptions::binary accepts them.
  virtual void on_binary(ConnectionId, std::string_view, base::LocalTime) {}
  virtual void on_pong(ConnectionId id, base::Duration round_trip, base::LocalTime now) = 0;
  /// Exactly once for every accepted `open`; nothing of that socket follows, and the id may be opened again.
  virtual void on_closed(ConnectionId id, const CloseInfo& info, base::LocalTime now) = 0;
  /// Exactly once for every accepted `call`, in the order the answers arrive.
  virtual void on_rest(model::RequestId id, RestResult& result, base::LocalTime now) = 0;
  /// After a turn of the loop that called one of the others: the place to wake a consumer once for many.
  virtual void on_turn_end(base::LocalTime now) = 0;
};

struct NetworkOptions {
  Waiting waiting = Waiting::block;
  std::size_t connections_max = 64;
  std::size_t texts_bytes_max = 4U << 20;  ///< texts submitted and not yet taken
  std::size_t commands_max = 4096;         ///< submitted and not yet taken by the io thread
  std::size_t rest_connections_per_host = 4;
  std::size_t rest_queue_max = 256;  ///< per host and lane; a full lane answers not_sent
  std::size_t rest_body_bytes_max = 32u << 20;
  base::Duration rest_idle_max = base::seconds{30};  ///< an idle keep-alive connection is closed after this
  std::string user_agent = "phoenix";                ///< of REST calls
};

/// Counts of one ConnectionId, summed over all its sockets; they never go back.
struct Traffic {
  std::uint64_t wire_bytes_in = 0;  ///< on the TCP stream: TLS records and handshakes included
  std::uint64_t wire_bytes_out = 0;
  std::uint64_t payload_bytes_in = 0;  ///< of messages, after inflating
  std::uint64_t messages_in = 0;
  std::uint64_t messages_out = 0;
  std::uint64_t opens = 0;
  bool deflate = false;  ///< negotiated on the present socket
};

struct NetworkStats {
  base::RingStats commands;             ///< `dropped` counts refused submissions
  std::uint64_t sends_unconnected = 0;  ///< texts for a line that was not open any more
  std::uint64_t rest_queue_full = 0;
  std::uint64_t rest_retried = 0;  ///< calls moved off a stale connection before a byte was written
  std::uint64_t rest_wire_bytes_in = 0;
  std::uint64_t rest_wire_bytes_out = 0;
  std::uint64_t sockets_open = 0;  ///< lines and REST connections
};

enum class Submitted : std::uint8_t { accepted, refused_full };

/// One thread with all client sockets: WebSocket lines and a pool of REST connections. It decides nothing:
/// bytes in, callbacks out.
///
/// `open`, `send`, `close` and `call` are for one other thread (never the io thread itself) and only queue;
/// `refused_full` means the bound of commands_max was hit, nothing happened, and it was counted.
class Network {
 public:
  /// `handler` and `clock` outlive the network. Throws std::system_error when the kernel refuses.
  Network(const RealClock& clock, NetworkHandler& handler, NetworkOptions options = {});
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  /// An id has one socket at most: it is opened only before its first `open` or after its `on_closed`.
  [[nodiscard]] Submitted open(ConnectionId id, WsOptions options);
  /// One text message. For a line that is not open (any more) it is dropped and counted.
  [[nodiscard]] Submitted send(ConnectionId id, std::string_view text);
  /// Sends a close frame and gives the peer 500 ms to answer, then drops the socket. Ignored on a closed
  /// line.
  [[nodiscard]] Submitted close(ConnectionId id, std::uint16_t code = 1000);
  [[nodiscard]] Submitted call(RestCall call);

  /// Ends every line and call (each gets its last callback), joins the thread. Not from the io thread.
  /// Afterwards every submission is refused.
  void stop();

  /// Any thread.
  Traffic traffic(ConnectionId id) const;
  NetworkStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::io
