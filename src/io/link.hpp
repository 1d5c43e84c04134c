#pragma once

#include "base/time.hpp"
#include "io/network.hpp"
#include "io/reactor.hpp"
#include "io/resolver.hpp"
#include "io/ws_codec.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct ssl_st;
struct ssl_ctx_st;

namespace phoenix::io {

enum class LinkFault : std::uint8_t { resolve, connect, tls, ended, lost };

/// Bytes on the TCP stream; written by the loop's thread, read by any.
struct WireCounters {
  std::atomic<std::uint64_t> bytes_in{0};
  std::atomic<std::uint64_t> bytes_out{0};
};

struct SslDelete {
  void operator()(ssl_st* ssl) const;
};

/// One TCP or TLS byte stream on the loop, from resolving the name to the last byte. OpenSSL works on the
/// socket itself: no copy through a pair of memory buffers, and one recv brings many TLS records.
class Link : public Source {
 public:
  ~Link() override;

  void on_ready(Ready ready, base::LocalTime now) final;
  void on_deadline(base::LocalTime now) final;
  void on_flush(base::LocalTime now) final;

 protected:
  struct Limits {
    base::Duration resolve;
    base::Duration connect;
    base::Duration handshake;  ///< TLS
  };
  Link(Reactor& reactor, WireCounters& wire, std::size_t input_bytes_max);

  /// Client end. `context` null: plain. Ends in link_up or link_down, never before this returns.
  void connect(const Endpoint& endpoint, ssl_ctx_st* context, Resolver& resolver, const Limits& limits,
               base::LocalTime now);
  /// Server end; takes over `fd`.
  void accept(int fd, ssl_ctx_st* context, base::Duration handshake_limit, base::LocalTime now);

  virtual void link_up(base::LocalTime now) = 0;
  /// There is new input; `now` was read right after it. May take the link down.
  virtual void link_input(base::LocalTime now) = 0;
  /// The end of the link, unless it was `drop`ped by us. `ended`: an orderly end of the stream.
  virtual void link_down(LinkFault fault, const std::string& text, base::LocalTime now) = 0;
  virtual void link_timer(base::LocalTime now) = 0;
  /// The last waiting byte went to the kernel.
  virtual void link_drained(base::LocalTime) {}

  bool is_up() const { return state_ == State::up; }
  /// Unread input; take bytes off its front with `consume`.
  std::span<char> input() { return {in_.data() + in_begin_, in_end_ - in_begin_}; }
  void consume(std::size_t count) { in_begin_ += count; }
  /// Output waiting here; append, then `send_soon`.
  OutBuffer& output() { return out_; }
  /// The output is written at the end of this turn; a failure comes as link_down, never from in here.
  void send_soon() { reactor_.flush_soon(*this); }
  /// Reads and hands over what has come by now. May end in link_down.
  void poll_input(base::LocalTime now) { pump_input(now); }
  /// No more link_input until resumed; what is buffered stays.
  void pause_input();
  void resume_input();
  /// Neither reads nor writes any more, the socket stays.
  void freeze();
  enum class Ending : std::uint8_t { orderly, reset };
  /// Closes the socket now, after one try to write what is waiting when `orderly`; no callback follows.
  /// Harmless when it is down.
  void drop(Ending ending = Ending::orderly);
  void set_timer(std::optional<base::LocalTime> at);
  std::uint64_t wire_bytes_out() const { return wire_out_; }
  std::string remote() const { return remote_; }
  /// Protocol and cipher; empty on a plain link.
  std::string tls_text() const;
  Reactor& reactor() { return reactor_; }

 private:
  enum class State : std::uint8_t { idle, resolving, connecting, handshaking, up, down };
  struct Moved {
    enum class Kind : std::uint8_t { bytes, blocked, ended, lost } kind;
    std::size_t count = 0;
  };

  void resolved(Resolved answer);
  void try_next_address(base::LocalTime now);
  void finish_connect(base::LocalTime now);
  void start_tls(ssl_ctx_st* context);
  void handshake(base::LocalTime now);
  void come_up(base::LocalTime now);
  void pump_input(base::LocalTime now);
  void make_room();
  Moved read_some(std::span<char> to);
  Moved write_some(std::string_view from);
  Moved ssl_outcome(int rc);
  void count_wire();
  bool input_buffered() const;
  void update_interest();
  void update_deadline();
  void fail(LinkFault fault, const std::string& text, base::LocalTime now);
  void close_socket();

  Reactor& reactor_;
  WireCounters& wire_;
  State state_ = State::idle;
  int fd_ = -1;
  std::unique_ptr<ssl_st, SslDelete> ssl_;
  bool ssl_wants_write_ = false;
  bool paused_ = false;
  bool frozen_ = false;
  bool input_left_ = false;

  Endpoint endpoint_;
  ssl_ctx_st* context_ = nullptr;
  Resolver* resolver_ = nullptr;
  Limits limits_{};
  Resolver::Ticket ticket_ = 0;
  std::vector<SocketAddress> addresses_;
  std::size_t next_address_ = 0;
  std::string connect_error_;
  std::string remote_;

  std::optional<base::LocalTime> phase_deadline_, connect_deadline_, timer_;

  std::size_t input_bytes_max_;
  std::vector<char> in_;
  std::size_t in_begin_ = 0, in_end_ = 0;
  OutBuffer out_;
  std::string lost_text_;
  std::uint64_t wire_in_ = 0, wire_out_ = 0;
};

}  // namespace phoenix::io
