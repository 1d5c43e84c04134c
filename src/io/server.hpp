#pragma once

#include "base/time.hpp"
#include "io/clock.hpp"
#include "io/headers.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace phoenix::io {

/// One WebSocket peer of a Server; never used twice within one server.
using PeerId = std::uint64_t;
/// One HTTP request that waits for its reply.
using CallId = std::uint64_t;

/// One request as it arrived. Views are valid during the callback only.
struct HttpCall {
  std::string_view method;
  std::string_view target;  ///< path and query, not decoded
  std::string_view body;
  std::string_view remote;           ///< address:port
  const Headers* headers = nullptr;  ///< names in lower case, in order of arrival

  /// The first header called `lower_case_name`; empty when there is none.
  std::string_view header(std::string_view lower_case_name) const {
    return find_header(*headers, lower_case_name);
  }
};

enum class AfterReply : std::uint8_t { keep_alive, close };

struct HttpReply {
  std::uint16_t status = 200;
  std::string content_type = "application/json";
  Headers headers{};
  std::string body{};
  AfterReply after = AfterReply::keep_alive;
};

/// Empty `refusal`: the upgrade is accepted.
struct UpgradeReply {
  enum class Answer : std::uint8_t { given, never };
  std::optional<HttpReply> refusal{};
  Answer answer = Answer::given;  ///< never: the socket stays open and silent until the client gives up
};

enum class ControlFrame : std::uint8_t { ping, pong };

/// Called on the server's thread; may call the server's other functions. Must not block and must not throw.
class ServerHandler {
 public:
  virtual ~ServerHandler() = default;
  /// Empty: the reply comes later by Server::reply, or never (Server::drop).
  virtual std::optional<HttpReply> on_http(CallId id, const HttpCall& call, base::LocalTime now) = 0;
  virtual UpgradeReply on_upgrade(PeerId id, const HttpCall& call, base::LocalTime now) = 0;
  /// The upgrade was answered; from here on `send` works.
  virtual void on_peer(PeerId id, base::LocalTime now) = 0;
  virtual void on_text(PeerId id, std::string_view text, base::LocalTime now) = 0;
  /// A ping (already answered) or a pong of the peer.
  virtual void on_control(PeerId id, ControlFrame kind, std::string_view payload, base::LocalTime now) = 0;
  /// Exactly once after every `on_peer`. `code` is the close frame's, 1006 when there was none.
  virtual void on_peer_closed(PeerId id, std::uint16_t code, base::LocalTime now) = 0;
  /// When `on_timer` is next wanted; asked after every turn of the loop.
  virtual std::optional<base::LocalTime> next_deadline() = 0;
  virtual void on_timer(base::LocalTime now) = 0;
};

enum class ServerDeflate : std::uint8_t { refuse, accept };
enum class ContextTakeover : std::uint8_t { keep, none };
enum class WindowBits : std::uint8_t { unsaid, say_15 };

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::optional<std::uint16_t> plain_port{};  ///< 0: any free one
  std::optional<std::uint16_t> tls_port{};    ///< 0: any free one; needs the two files
  std::string certificate_file{};             ///< PEM chain
  std::string key_file{};                     ///< PEM
  std::size_t header_bytes_max = 16u << 10;
  std::size_t body_bytes_max = 1u << 20;
  std::size_t message_bytes_max = 1u << 20;
  std::size_t output_bytes_max = 8u << 20;  ///< unsent bytes of a peer; more ends it with 1008
  std::size_t sockets_max = 1024;           ///< more are closed at once
  /// From the first byte of a request to its last, and from the opening to the first byte of the first.
  base::Duration request_timeout = base::seconds{10};
  base::Duration idle_timeout = base::minutes{2};  ///< between requests of one connection
  ServerDeflate deflate = ServerDeflate::refuse;
  ContextTakeover context_takeover = ContextTakeover::keep;  ///< of what the server sends
  WindowBits window_bits = WindowBits::unsaid;               ///< say server_max_window_bits=15 in the answer
  std::string server_name = "phoenix";                       ///< Server header
};

struct ServerStats {
  std::uint64_t sockets_open = 0;
  std::uint64_t requests = 0;
  std::uint64_t bad_requests = 0;
  std::uint64_t refused_sockets = 0;  ///< beyond sockets_max
  std::uint64_t slow_peers = 0;       ///< ended because output_bytes_max was reached
};

/// HTTP/1.1 and WebSocket server for the local exchange, metrics and health: one thread, plain and TLS ports.
class Server {
 public:
  /// Binds and listens; throws std::runtime_error with one line (which address and port, and why).
  Server(const RealClock& clock, ServerHandler& handler, ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Serves on a thread of its own until `stop`.
  void start();
  /// Serves on the caller's thread until `stop` is called elsewhere. Instead of `start`.
  void run();
  /// Ends every socket and joins. Any thread but the server's own.
  void stop();
  /// Any thread: has `on_timer` called soon.
  void wake();

  /// Ports bound; 0 for one that was not asked for.
  std::uint16_t plain_port() const;
  std::uint16_t tls_port() const;
  /// Any thread.
  ServerStats stats() const;

  // The rest is for the server's thread, which is to say from inside callbacks. Unknown ids are ignored: a
  // peer may be gone before its owner hears of it.
  void send(PeerId id, std::string_view text);
  void ping(PeerId id, std::string_view payload);
  /// Sends a close frame and gives the peer 500 ms.
  void close(PeerId id, std::uint16_t code, std::string_view reason);
  /// Drops the socket with a TCP reset, as a failing network would.
  void reset(PeerId id);
  /// Sends half a frame, then ends the stream.
  void cut_mid_frame(PeerId id);
  /// Neither reads nor writes any more and keeps the socket: a peer that is there and dead.
  void freeze(PeerId id);
  /// Bytes accepted by `send` that the peer has not taken.
  std::size_t unsent_bytes(PeerId id) const;
  void reply(CallId id, const HttpReply& reply);
  /// Closes the connection of a request without an answer.
  void drop(CallId id);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::io
