#pragma once

#include "io/http_codec.hpp"
#include "io/link.hpp"
#include "io/network.hpp"
#include "io/ws_codec.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace phoenix::io {

/// The atomics behind Traffic: written by the io thread, read by any.
struct LineCounters {
  WireCounters wire;
  std::atomic<std::uint64_t> payload_bytes_in{0}, messages_in{0}, messages_out{0}, opens{0};
  std::atomic<bool> deflate{false};
};

/// One WebSocket socket of the client, from name to close: resolve, connect, TLS, upgrade, messages, close.
/// It is the server's to close the TCP connection (RFC 6455 section 7.1.1): after the close frames `gone` is
/// told at once, and the socket, which is nobody's any more, waits for that a little while, reading and
/// throwing away.
class WsClient final : public Link {
 public:
  /// Told once, when the connection is over. Its owner then hands the client to Reactor::adopt if it
  /// `is_leaving`, else to Reactor::retire.
  using Gone = std::function<void(ConnectionId, const CloseInfo&, base::LocalTime)>;
  WsClient(Reactor& reactor, NetworkHandler& handler, LineCounters& counters, ConnectionId id,
           WsOptions options, Gone gone);
  ~WsClient() override;

  void start(ssl_ctx_st* context, Resolver& resolver, base::LocalTime now);
  /// On an open line; may end it when the send queue is full.
  void send(std::string_view text, base::LocalTime now) { send_message(WsOpcode::text, text, now); }
  void send_binary(std::string_view bytes, base::LocalTime now) {
    send_message(WsOpcode::binary, bytes, now);
  }
  void close(std::uint16_t code, base::LocalTime now);
  void stop(base::LocalTime now);
  bool is_open() const { return phase_ == Phase::open; }
  bool is_leaving() const { return phase_ == Phase::leaving; }

 private:
  enum class Phase : std::uint8_t { connecting, upgrading, open, closing, leaving, gone };

  void link_up(base::LocalTime now) override;
  void link_input(base::LocalTime now) override;
  void link_down(LinkFault fault, const std::string& text, base::LocalTime now) override;
  void link_timer(base::LocalTime now) override;

  void read_answer(base::LocalTime now);
  void judge_answer(base::LocalTime now);
  void read_frames(base::LocalTime now);
  void peer_closes(const WsDecoder::Event& event, base::LocalTime now);
  void refuse_frame(const WsDecoder::Event& event, base::LocalTime now);
  void ping(base::LocalTime now);
  void pong_came(std::string_view payload, base::LocalTime now);
  void send_message(WsOpcode opcode, std::string_view payload, base::LocalTime now);
  void write_frame(WsOpcode opcode, std::string_view payload);
  std::uint32_t mask_key();
  void end(CloseInfo info, base::LocalTime now);
  void leave(CloseInfo info, base::LocalTime now);

  NetworkHandler& handler_;
  LineCounters& counters_;
  ConnectionId id_;
  WsOptions options_;
  Gone gone_;
  Phase phase_ = Phase::connecting;

  HttpParser answer_;
  std::string key_;
  WsDecoder decoder_;
  CloseInfo closing_;

  std::uint64_t pings_ = 0;
  std::string ping_payload_;
  base::LocalTime ping_sent_{};
  bool awaiting_pong_ = false;

  std::array<std::uint32_t, 64> mask_keys_{};
  std::size_t mask_keys_used_ = 64;
};

}  // namespace phoenix::io
