#include "io/server.hpp"

#include "base/assert.hpp"
#include "io/http_codec.hpp"
#include "io/link.hpp"
#include "io/tls.hpp"
#include "io/ws_codec.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <map>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

constexpr base::Duration close_wait = base::milliseconds{500};
constexpr base::Duration tls_limit = base::seconds{5};
/// After accept failed for want of descriptors, before it is tried again.
constexpr base::Duration accept_pause = base::milliseconds{100};
constexpr int accepts_per_turn_max = 64;
constexpr std::uint16_t no_close_frame = 1006;

int open_listener(const std::string& address, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  addrinfo* found = nullptr;
  const auto where = [&] { return fmt::format("cannot listen on {}:{}", address, port); };
  const int rc = ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (rc != 0) throw std::runtime_error(fmt::format("{}: {}", where(), ::gai_strerror(rc)));
  const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  const bool listening = fd >= 0 && ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                         ::bind(fd, found->ai_addr, found->ai_addrlen) == 0 && ::listen(fd, SOMAXCONN) == 0;
  const int error = errno;
  ::freeaddrinfo(found);
  if (listening) return fd;
  if (fd >= 0) ::close(fd);
  throw std::runtime_error(fmt::format("{}: {}", where(), std::generic_category().message(error)));
}

std::uint16_t port_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* address = static_cast<sockaddr*>(static_cast<void*>(&storage));
  if (::getsockname(fd, address, &size) != 0) return 0;
  const void* raw = &storage;
  return storage.ss_family == AF_INET6 ? ntohs(static_cast<const sockaddr_in6*>(raw)->sin6_port)
                                       : ntohs(static_cast<const sockaddr_in*>(raw)->sin_port);
}

bool is_websocket_upgrade(const HttpParser& request) {
  std::string value{find_header(request.headers(), "upgrade")};
  for (char& c : value) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return request.upgrade() && value == "websocket";
}

class Peer;

/// What a peer tells the server.
class PeerOwner {
 public:
  virtual ~PeerOwner() = default;
  virtual const ServerOptions& options() const = 0;
  virtual ServerHandler& handler() = 0;
  virtual CallId open_call(Peer& peer) = 0;
  virtual void close_call(CallId call) = 0;
  virtual const std::string& date_header(base::LocalTime now) = 0;
  virtual void count_request() = 0;
  virtual void count_bad_request() = 0;
  virtual void count_slow_peer() = 0;
  /// The socket is gone; `code` is set when `on_peer` had been called.
  virtual void peer_gone(Peer& peer, std::optional<std::uint16_t> code) = 0;
};

/// One accepted socket: HTTP requests one after the other, or a WebSocket after an upgrade.
class Peer final : public Link {
 public:
  Peer(Reactor& reactor, WireCounters& wire, PeerOwner& owner, PeerId id)
      : Link{reactor, wire, input_bytes_max(owner.options())},
        owner_{owner},
        id_{id},
        request_{HttpKind::request, owner.options().header_bytes_max, owner.options().body_bytes_max},
        decoder_{WsRole::server, owner.options().message_bytes_max} {}

  PeerId id() const { return id_; }
  void start(int fd, ssl_ctx_st* context, base::LocalTime now) { accept(fd, context, tls_limit, now); }

  void reply(const HttpReply& reply, base::LocalTime now);
  void drop_call() { end(std::nullopt, Ending::orderly); }
  void send(std::string_view text, base::LocalTime now);
  void ping(std::string_view payload);
  void close(std::uint16_t code, std::string_view reason, base::LocalTime now);
  void reset() { end(no_close_frame, Ending::reset); }
  void cut_mid_frame();
  void freeze_socket() {
    set_timer(std::nullopt);
    freeze();
  }
  void stop(base::LocalTime now);
  std::size_t unsent_bytes() { return output().size(); }

 private:
  enum class Phase : std::uint8_t { reading, answering, finishing, websocket, closing, gone };

  static std::size_t input_bytes_max(const ServerOptions& options) {
    return std::max({options.header_bytes_max, options.body_bytes_max, options.message_bytes_max}) +
           (64u << 10);
  }

  void link_up(base::LocalTime now) override {
    set_timer(now + std::min(owner_.options().idle_timeout, owner_.options().request_timeout));
  }
  void link_input(base::LocalTime now) override;
  void link_down(LinkFault, const std::string&, base::LocalTime) override {
    end(no_close_frame, Ending::orderly);
  }
  void link_timer(base::LocalTime now) override;
  void link_drained(base::LocalTime) override {
    if (phase_ == Phase::finishing) end(std::nullopt, Ending::orderly);
  }

  void read_request(base::LocalTime now);
  void answer_request(base::LocalTime now);
  void answer_upgrade(const HttpCall& call, base::LocalTime now);
  void refuse(unsigned status, const std::string& why, base::LocalTime now);
  void read_frames(base::LocalTime now);
  void end(std::optional<std::uint16_t> code, Ending ending);

  PeerOwner& owner_;
  PeerId id_;
  Phase phase_ = Phase::reading;
  bool announced_ = false;  ///< on_peer was called
  HttpParser request_;
  bool timing_request_ = false;
  bool keep_alive_ = true;
  bool head_only_ = false;
  CallId call_ = 0;
  WsDecoder decoder_;
  std::unique_ptr<WsDeflater> deflater_;
};

void Peer::link_input(base::LocalTime now) {
  if (phase_ == Phase::reading) read_request(now);
  if (phase_ == Phase::websocket || phase_ == Phase::closing) read_frames(now);
  if (phase_ == Phase::finishing) consume(input().size());
}

void Peer::read_request(base::LocalTime now) {
  std::size_t consumed = 0;
  const auto bytes = input();
  const auto state = request_.put({bytes.data(), bytes.size()}, consumed);
  consume(consumed);
  if (state == HttpParser::State::need_more && input().size() <= owner_.options().header_bytes_max) {
    if (!std::exchange(timing_request_, true)) set_timer(now + owner_.options().request_timeout);
    return;
  }
  if (state == HttpParser::State::need_more) return refuse(431, "header too large", now);
  if (state == HttpParser::State::broken) return refuse(request_.fault_status(), request_.fault(), now);
  answer_request(now);
}

void Peer::answer_request(base::LocalTime now) {
  owner_.count_request();
  timing_request_ = false;
  set_timer(std::nullopt);
  keep_alive_ = request_.keep_alive();
  head_only_ = request_.method() == "HEAD";
  const std::string where = remote();
  const HttpCall call{.method = request_.method(),
                      .target = request_.target(),
                      .body = request_.body(),
                      .remote = where,
                      .headers = &request_.headers()};
  if (is_websocket_upgrade(request_)) return answer_upgrade(call, now);

  phase_ = Phase::answering;
  pause_input();
  call_ = owner_.open_call(*this);
  const CallId id = call_;
  const auto at_once = owner_.handler().on_http(id, call, now);
  // The handler may have replied or dropped already; then this call is over and its answer is not wanted
  // twice.
  if (at_once && phase_ == Phase::answering && call_ == id) reply(*at_once, now);
}

void Peer::answer_upgrade(const HttpCall& call, base::LocalTime now) {
  const std::string_view key = call.header("sec-websocket-key");
  if (call.method != "GET" || key.size() != 24) return refuse(400, "not a WebSocket upgrade", now);
  if (call.header("sec-websocket-version") != "13")
    return refuse(426, "Sec-WebSocket-Version must be 13", now);
  phase_ = Phase::answering;
  const UpgradeReply verdict = owner_.handler().on_upgrade(id_, call, now);
  if (phase_ != Phase::answering || verdict.answer == UpgradeReply::Answer::never) return;
  if (verdict.refusal) return reply(*verdict.refusal, now);

  std::string text = fmt::format(
      "HTTP/1.1 101 Switching Protocols\r\nServer: {}\r\nDate: {}\r\nUpgrade: websocket\r\nConnection: "
      "Upgrade\r\n"
      "Sec-WebSocket-Accept: {}\r\n",
      owner_.options().server_name, owner_.date_header(now), ws_accept_key(key));
  if (owner_.options().deflate == ServerDeflate::accept) {
    const auto grant = grant_deflate(call.header("sec-websocket-extensions"),
                                     owner_.options().context_takeover == ContextTakeover::none,
                                     owner_.options().window_bits == WindowBits::say_15);
    if (grant) {
      decoder_.use_deflate(grant->terms);
      deflater_ = std::make_unique<WsDeflater>(grant->terms);
      text += fmt::format("Sec-WebSocket-Extensions: {}\r\n", grant->answer);
    }
  }
  output().append(text + "\r\n");
  send_soon();
  phase_ = Phase::websocket;
  announced_ = true;
  owner_.handler().on_peer(id_, now);
}

void Peer::refuse(unsigned status, const std::string& why, base::LocalTime now) {
  owner_.count_bad_request();
  phase_ = Phase::answering;
  keep_alive_ = false;
  reply({.status = static_cast<std::uint16_t>(status),
         .content_type = "text/plain",
         .headers = {},
         .body = why + "\n"},
        now);
}

void Peer::reply(const HttpReply& reply, base::LocalTime now) {
  if (phase_ != Phase::answering) return;
  if (call_ != 0) owner_.close_call(std::exchange(call_, 0));
  const bool keep = keep_alive_ && reply.after == AfterReply::keep_alive;
  std::string text =
      fmt::format("HTTP/1.1 {} {}\r\nServer: {}\r\nDate: {}\r\n", reply.status, http_reason(reply.status),
                  owner_.options().server_name, owner_.date_header(now));
  for (const auto& [header, value] : reply.headers) text += fmt::format("{}: {}\r\n", header, value);
  const bool has_body = reply.status != 204 && reply.status != 304;
  if (has_body)
    text += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", reply.content_type, reply.body.size());
  text += keep ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  output().append(text);
  if (has_body && !head_only_) output().append(reply.body);
  send_soon();

  request_.reset();
  if (keep) {
    phase_ = Phase::reading;
    set_timer(now + owner_.options().idle_timeout);
  } else {
    phase_ = Phase::finishing;
    set_timer(now + owner_.options().request_timeout);
  }
  resume_input();
}

void Peer::read_frames(base::LocalTime now) {
  std::size_t done = 0;
  const auto bytes = input();
  while (phase_ == Phase::websocket || phase_ == Phase::closing) {
    std::size_t consumed = 0;
    const WsDecoder::Event event = decoder_.next(bytes.subspan(done), consumed);
    done += consumed;
    if (event.kind == WsDecoder::Kind::need_more) break;
    switch (event.kind) {
      case WsDecoder::Kind::text:
        owner_.handler().on_text(id_, event.payload, now);
        break;
      case WsDecoder::Kind::ping:
        if (phase_ == Phase::websocket && output().size() < owner_.options().output_bytes_max) {
          append_frame(output(), WsOpcode::pong, event.payload);
          send_soon();
        }
        owner_.handler().on_control(id_, ControlFrame::ping, event.payload, now);
        break;
      case WsDecoder::Kind::pong:
        owner_.handler().on_control(id_, ControlFrame::pong, event.payload, now);
        break;
      case WsDecoder::Kind::close:
        if (phase_ == Phase::websocket) {
          append_frame(output(), WsOpcode::close,
                       event.code == 1005 ? std::string{} : close_payload(event.code, {}));
        }
        end(event.code, Ending::orderly);
        break;
      case WsDecoder::Kind::broken:
        if (phase_ == Phase::websocket)
          append_frame(output(), WsOpcode::close, close_payload(event.code, event.why));
        end(no_close_frame, Ending::orderly);
        break;
      case WsDecoder::Kind::binary:  // refused by the decoder
      case WsDecoder::Kind::need_more:
        break;
    }
  }
  consume(done);
}

void Peer::link_timer(base::LocalTime now) {
  if (phase_ == Phase::reading && timing_request_) return refuse(408, "request too slow", now);
  end(no_close_frame, Ending::orderly);
}

void Peer::send(std::string_view text, base::LocalTime now) {
  if (phase_ != Phase::websocket) return;
  if (output().size() + text.size() > owner_.options().output_bytes_max) {
    owner_.count_slow_peer();
    return close(1008, "slow consumer", now);
  }
  if (deflater_) {
    append_frame(output(), WsOpcode::text, deflater_->compress(text), {}, WsCompressed::yes);
  } else {
    append_frame(output(), WsOpcode::text, text);
  }
  send_soon();
}

void Peer::ping(std::string_view payload) {
  if (phase_ != Phase::websocket) return;
  append_frame(output(), WsOpcode::ping, payload);
  send_soon();
}

void Peer::close(std::uint16_t code, std::string_view reason, base::LocalTime now) {
  if (phase_ != Phase::websocket) return;
  append_frame(output(), WsOpcode::close, close_payload(code, reason));
  send_soon();
  phase_ = Phase::closing;
  set_timer(now + close_wait);
}

void Peer::cut_mid_frame() {
  if (phase_ == Phase::websocket) {
    // The header of a text frame of 2000 bytes, and the first half of them.
    constexpr std::string_view header{"\x81\x7e\x07\xd0", 4};
    output().append(header);
    output().append(std::string(1000, 'x'));
  }
  end(no_close_frame, Ending::orderly);
}

void Peer::stop(base::LocalTime now) {
  close(1001, "server stopped", now);
  end(no_close_frame, Ending::orderly);
}

void Peer::end(std::optional<std::uint16_t> code, Ending ending) {
  if (phase_ == Phase::gone) return;
  phase_ = Phase::gone;
  if (call_ != 0) owner_.close_call(std::exchange(call_, 0));
  drop(ending);
  owner_.peer_gone(*this, announced_ ? std::optional{code.value_or(no_close_frame)} : std::nullopt);
}

/// A listening socket.
class Listener final : public Source {
 public:
  using Accept = std::function<void(int fd, base::LocalTime now)>;
  Listener(Reactor& reactor, int fd, Accept accept)
      : reactor_{reactor}, fd_{fd}, accept_{std::move(accept)} {}
  ~Listener() override { ::close(fd_); }
  std::uint16_t port() const { return port_of(fd_); }
  void listen() { reactor_.watch(*this, fd_, Interest::read); }
  void close() { reactor_.unwatch(*this); }

 private:
  void on_ready(Ready, base::LocalTime now) override {
    for (int i = 0; i < accepts_per_turn_max; ++i) {
      const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        accept_(fd, now);
        continue;
      }
      if (errno == EAGAIN || errno == EWOULDBLOCK) return;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        reactor_.unwatch(*this);
        return reactor_.set_deadline(*this, now + accept_pause);
      }
    }
  }
  void on_deadline(base::LocalTime) override { listen(); }
  void on_flush(base::LocalTime) override {}

  Reactor& reactor_;
  int fd_;
  Accept accept_;
};

}  // namespace

class Server::Impl final : public ReactorHost, public PeerOwner {
 public:
  Impl(const RealClock& clock, ServerHandler& handler, ServerOptions options)
      : handler_{handler}, options_{std::move(options)}, reactor_{clock, Reactor::Wait::block} {
    if (options_.plain_port) {
      plain_ =
          listener(*options_.plain_port, [this](int fd, base::LocalTime now) { accept(fd, nullptr, now); });
    }
    if (options_.tls_port) {
      context_ = server_context(options_.certificate_file, options_.key_file);
      tls_ = listener(*options_.tls_port,
                      [this](int fd, base::LocalTime now) { accept(fd, context_.get(), now); });
    }
  }
  ~Impl() override { stop(); }

  void start() {
    PHX_ASSERT(!thread_.joinable(), "a server is started once");
    thread_ = std::thread{[this] { run(); }};
  }
  void run() {
    if (plain_) plain_->listen();
    if (tls_) tls_->listen();
    reactor_.run(*this);
    const auto now = reactor_.now();
    while (!peers_.empty()) peers_.begin()->second->stop(now);
    tell_ended(now);
    if (plain_) plain_->close();
    if (tls_) tls_->close();
  }
  void stop() {
    reactor_.stop();
    if (!thread_.joinable()) return;
    PHX_ASSERT(std::this_thread::get_id() != thread_.get_id(), "the server's thread does not join itself");
    thread_.join();
  }
  void wake() {
    woken_.store(true, std::memory_order_release);
    reactor_.wake();
  }

  std::uint16_t plain_port() const { return plain_ ? plain_->port() : std::uint16_t{0}; }
  std::uint16_t tls_port() const { return tls_ ? tls_->port() : std::uint16_t{0}; }
  ServerStats stats() const {
    return {.sockets_open = reactor_.sockets_open(),
            .requests = requests_.load(std::memory_order_relaxed),
            .bad_requests = bad_requests_.load(std::memory_order_relaxed),
            .refused_sockets = refused_sockets_.load(std::memory_order_relaxed),
            .slow_peers = slow_peers_.load(std::memory_order_relaxed)};
  }

  Peer* find(PeerId id) const {
    const auto it = peers_.find(id);
    return it == peers_.end() ? nullptr : it->second.get();
  }
  Peer* find_call(CallId id) const {
    const auto it = calls_.find(id);
    return it == calls_.end() ? nullptr : it->second;
  }
  base::LocalTime now() const { return reactor_.now(); }

 private:
  std::unique_ptr<Listener> listener(std::uint16_t port, Listener::Accept accept) {
    return std::make_unique<Listener>(reactor_, open_listener(options_.address, port), std::move(accept));
  }

  void accept(int fd, ssl_ctx_st* context, base::LocalTime now) {
    if (peers_.size() >= options_.sockets_max) {
      refused_sockets_.fetch_add(1, std::memory_order_relaxed);
      ::close(fd);
      return;
    }
    const PeerId id = ++last_peer_;
    const auto& peer = peers_.emplace(id, std::make_unique<Peer>(reactor_, wire_, *this, id)).first->second;
    peer->start(fd, context, now);
  }

  // ReactorHost
  void turn(base::LocalTime now) override {
    tell_ended(now);
    const auto due = handler_.next_deadline();
    const bool woken = woken_.exchange(false, std::memory_order_acq_rel);
    if (woken || (due && *due <= now)) handler_.on_timer(now);
  }
  bool has_work() const override { return !ended_.empty() || woken_.load(std::memory_order_acquire); }
  std::optional<base::LocalTime> next_deadline() override { return handler_.next_deadline(); }

  void tell_ended(base::LocalTime now) {
    while (!ended_.empty()) {
      const auto ended = std::exchange(ended_, {});
      for (const auto& [id, code] : ended) handler_.on_peer_closed(id, code, now);
    }
  }

  // PeerOwner
  const ServerOptions& options() const override { return options_; }
  ServerHandler& handler() override { return handler_; }
  CallId open_call(Peer& peer) override {
    calls_.emplace(++last_call_, &peer);
    return last_call_;
  }
  void close_call(CallId call) override { calls_.erase(call); }
  const std::string& date_header(base::LocalTime now) override {
    const auto second = static_cast<std::time_t>(base::ns_of(now) / 1'000'000'000);
    if (second != date_second_) {
      date_second_ = second;
      date_ = fmt::format("{:%a, %d %b %Y %H:%M:%S GMT}", fmt::gmtime(second));
    }
    return date_;
  }
  void count_request() override { requests_.fetch_add(1, std::memory_order_relaxed); }
  void count_bad_request() override { bad_requests_.fetch_add(1, std::memory_order_relaxed); }
  void count_slow_peer() override { slow_peers_.fetch_add(1, std::memory_order_relaxed); }
  /// Told at the next turn, so that a handler that ends a peer is not called back from inside its own call.
  void peer_gone(Peer& peer, std::optional<std::uint16_t> code) override {
    if (code) ended_.emplace_back(peer.id(), *code);
    const auto it = peers_.find(peer.id());
    PHX_ASSERT(it != peers_.end(), "a peer leaves its server once");
    reactor_.retire(std::move(it->second));
    peers_.erase(it);
  }

  ServerHandler& handler_;
  ServerOptions options_;
  Reactor reactor_;
  SslContext context_;
  WireCounters wire_;
  std::unique_ptr<Listener> plain_, tls_;
  std::map<PeerId, std::unique_ptr<Peer>> peers_;
  std::map<CallId, Peer*> calls_;
  std::vector<std::pair<PeerId, std::uint16_t>> ended_;
  PeerId last_peer_ = 0;
  CallId last_call_ = 0;
  std::time_t date_second_ = -1;
  std::string date_;
  std::atomic<bool> woken_{false};
  std::atomic<std::uint64_t> requests_{0}, bad_requests_{0}, refused_sockets_{0}, slow_peers_{0};
  std::thread thread_;
};

Server::Server(const RealClock& clock, ServerHandler& handler, ServerOptions options)
    : impl_{std::make_unique<Impl>(clock, handler, std::move(options))} {}
Server::~Server() = default;
void Server::start() { impl_->start(); }
void Server::run() { impl_->run(); }
void Server::stop() { impl_->stop(); }
void Server::wake() { impl_->wake(); }
std::uint16_t Server::plain_port() const { return impl_->plain_port(); }
std::uint16_t Server::tls_port() const { return impl_->tls_port(); }
ServerStats Server::stats() const { return impl_->stats(); }

void Server::send(PeerId id, std::string_view text) {
  if (Peer* peer = impl_->find(id)) peer->send(text, impl_->now());
}
void Server::ping(PeerId id, std::string_view payload) {
  PHX_ASSERT(payload.size() <= 125, "a ping carries at most 125 bytes");
  if (Peer* peer = impl_->find(id)) peer->ping(payload);
}
void Server::close(PeerId id, std::uint16_t code, std::string_view reason) {
  if (Peer* peer = impl_->find(id)) peer->close(code, reason, impl_->now());
}
void Server::reset(PeerId id) {
  if (Peer* peer = impl_->find(id)) peer->reset();
}
void Server::cut_mid_frame(PeerId id) {
  if (Peer* peer = impl_->find(id)) peer->cut_mid_frame();
}
void Server::freeze(PeerId id) {
  if (Peer* peer = impl_->find(id)) peer->freeze_socket();
}
std::size_t Server::unsent_bytes(PeerId id) const {
  Peer* peer = impl_->find(id);
  return peer == nullptr ? 0 : peer->unsent_bytes();
}
void Server::reply(CallId id, const HttpReply& reply) {
  if (Peer* peer = impl_->find_call(id)) peer->reply(reply, impl_->now());
}
void Server::drop(CallId id) {
  if (Peer* peer = impl_->find_call(id)) peer->drop_call();
}

}  // namespace phoenix::io
