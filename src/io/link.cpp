#include "io/link.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

constexpr std::size_t input_bytes_initial = 64u << 10;
/// Below this much room the unread rest is moved to the front; a TLS record is at most 16 KiB.
constexpr std::size_t room_wanted_bytes = 16u << 10;
/// Reads of one link in one turn, so that a flood on one does not starve the others.
constexpr int reads_per_turn_max = 64;
constexpr int unacknowledged_ms_max = 5000;
/// While there are more addresses to try, one may take this long.
constexpr base::Duration connect_attempt_max = base::seconds{1};

void set_option(int fd, int level, int name, int value) {
  ::setsockopt(fd, level, name, &value, sizeof value);
}

void set_stream_options(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, unacknowledged_ms_max);
}

std::string errno_text(int error) { return std::generic_category().message(error); }

std::string ssl_error_text() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "connection lost" : reason;
}

const sockaddr* generic(const SocketAddress& address) {
  return static_cast<const sockaddr*>(static_cast<const void*>(&address.storage));
}

std::string peer_of(int fd) {
  SocketAddress address;
  address.size = sizeof address.storage;
  auto* storage = static_cast<sockaddr*>(static_cast<void*>(&address.storage));
  return ::getpeername(fd, storage, &address.size) == 0 ? address.text() : "unknown";
}

}  // namespace

void SslDelete::operator()(ssl_st* ssl) const { SSL_free(ssl); }

Link::Link(Reactor& reactor, WireCounters& wire, std::size_t input_bytes_max)
    : reactor_{reactor}, wire_{wire}, input_bytes_max_{std::max(input_bytes_max, input_bytes_initial)} {}

Link::~Link() { PHX_ASSERT(fd_ < 0, "a link is dropped before it is destroyed"); }

void Link::connect(const Endpoint& endpoint, ssl_ctx_st* context, Resolver& resolver, const Limits& limits,
                   base::LocalTime now) {
  PHX_ASSERT(state_ == State::idle, "a link connects once");
  endpoint_ = endpoint;
  context_ = context;
  resolver_ = &resolver;
  limits_ = limits;
  state_ = State::resolving;
  ticket_ = resolver.resolve(endpoint.host, endpoint.port,
                             [this](Resolved answer) { resolved(std::move(answer)); });
  phase_deadline_ = now + limits.resolve;
  update_deadline();
}

void Link::accept(int fd, ssl_ctx_st* context, base::Duration handshake_limit, base::LocalTime now) {
  PHX_ASSERT(state_ == State::idle, "a link accepts once");
  fd_ = fd;
  reactor_.count_socket_opened();
  set_stream_options(fd);
  remote_ = peer_of(fd);
  if (context == nullptr) return come_up(now);
  state_ = State::handshaking;
  start_tls(context);
  SSL_set_accept_state(ssl_.get());
  phase_deadline_ = now + handshake_limit;
  update_deadline();
  update_interest();
}

void Link::on_ready(Ready ready, base::LocalTime now) {
  if (frozen_) return;
  switch (state_) {
    case State::idle:
    case State::resolving:
    case State::down:
      return;
    case State::connecting:
      return finish_connect(now);
    case State::handshaking:
      return handshake(now);
    case State::up:
      break;
  }
  if (paused_) {
    // Only an error or a hang-up is reported beside writability, and it would be reported for ever.
    if (ready == Ready::error) return fail(LinkFault::lost, "connection lost", now);
    return on_flush(now);
  }
  if (!out_.empty() || ssl_wants_write_) on_flush(now);
  if (state_ == State::up) pump_input(now);
}

void Link::on_deadline(base::LocalTime now) {
  if (phase_deadline_ && *phase_deadline_ <= now) {
    phase_deadline_.reset();
    switch (state_) {
      case State::resolving: {
        resolver_->cancel(ticket_);
        addresses_ = resolver_->last_good(endpoint_.host, endpoint_.port);
        if (addresses_.empty()) return fail(LinkFault::resolve, "no answer from the name server", now);
        connect_deadline_ = now + limits_.connect;
        return try_next_address(now);
      }
      case State::connecting:
        connect_error_ = fmt::format("{}: no answer", remote_);
        close_socket();
        return try_next_address(now);
      case State::handshaking:
        return fail(LinkFault::tls, "no TLS session within the limit", now);
      case State::idle:
      case State::up:
      case State::down:
        break;
    }
  }
  if (timer_ && *timer_ <= now) {
    timer_.reset();
    update_deadline();
    return link_timer(now);
  }
  update_deadline();
}

void Link::resolved(Resolved answer) {
  const auto now = reactor_.now();
  addresses_ = std::move(answer.addresses);
  if (addresses_.empty()) addresses_ = resolver_->last_good(endpoint_.host, endpoint_.port);
  if (addresses_.empty()) return fail(LinkFault::resolve, answer.error, now);
  connect_deadline_ = now + limits_.connect;
  try_next_address(now);
}

void Link::try_next_address(base::LocalTime now) {
  state_ = State::connecting;
  while (next_address_ < addresses_.size() && now < *connect_deadline_) {
    const SocketAddress& address = addresses_[next_address_++];
    remote_ = address.text();
    fd_ = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) {
      connect_error_ = fmt::format("{}: {}", remote_, errno_text(errno));
      continue;
    }
    reactor_.count_socket_opened();
    set_stream_options(fd_);
    if (::connect(fd_, generic(address), address.size) != 0 && errno != EINPROGRESS) {
      connect_error_ = fmt::format("{}: {}", remote_, errno_text(errno));
      close_socket();
      continue;
    }
    const bool last = next_address_ == addresses_.size();
    phase_deadline_ = last ? *connect_deadline_ : std::min(*connect_deadline_, now + connect_attempt_max);
    update_deadline();
    return update_interest();
  }
  fail(LinkFault::connect, connect_error_, now);
}

void Link::finish_connect(base::LocalTime now) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    connect_error_ = fmt::format("{}: {}", remote_, errno_text(error));
    close_socket();
    return try_next_address(now);
  }
  phase_deadline_.reset();
  if (context_ == nullptr) return come_up(now);

  state_ = State::handshaking;
  start_tls(context_);
  SSL_set_connect_state(ssl_.get());
  const std::string& name = endpoint_.server_name.empty() ? endpoint_.host : endpoint_.server_name;
  // An address is compared with the certificate's addresses, a name with its names; SNI is for names only.
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), name.c_str()) != 1) {
    ERR_clear_error();
    // What SSL_set_tlsext_host_name is, without its C cast; the name is copied, not written to.
    SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(name.c_str()));
    SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_set1_host(ssl_.get(), name.c_str()) != 1) {
      return fail(LinkFault::tls, fmt::format("{} is no name a certificate can have", name), now);
    }
  }
  phase_deadline_ = now + limits_.handshake;
  update_deadline();
  handshake(now);
}

void Link::start_tls(ssl_ctx_st* context) {
  ssl_.reset(SSL_new(context));
  PHX_ASSERT(ssl_ != nullptr && SSL_set_fd(ssl_.get(), fd_) == 1,
             "a TLS session can be made for an open socket");
}

void Link::handshake(base::LocalTime now) {
  const int rc = SSL_do_handshake(ssl_.get());
  if (rc == 1) {
    phase_deadline_.reset();
    count_wire();
    return come_up(now);
  }
  const int reason = SSL_get_error(ssl_.get(), rc);
  count_wire();
  if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) {
    ssl_wants_write_ = reason == SSL_ERROR_WANT_WRITE;
    return update_interest();
  }
  const long verdict = SSL_get_verify_result(ssl_.get());
  const std::string why = ssl_error_text();
  const std::string host = endpoint_.server_name.empty() ? endpoint_.host : endpoint_.server_name;
  fail(LinkFault::tls,
       verdict == X509_V_OK
           ? fmt::format("{} ({}): {}", host, remote_, why)
           : fmt::format("{} ({}): {}: {}", host, remote_, why, X509_verify_cert_error_string(verdict)),
       now);
}

void Link::come_up(base::LocalTime now) {
  state_ = State::up;
  ssl_wants_write_ = false;
  in_.resize(input_bytes_initial);
  update_deadline();
  update_interest();
  link_up(now);
  // The last read of the handshake may have brought the first bytes of the stream with it.
  if (state_ == State::up && input_buffered()) reactor_.call_again(*this);
}

void Link::pump_input(base::LocalTime now) {
  if (std::exchange(input_left_, false) && in_begin_ != in_end_) {
    link_input(now);
    if (state_ != State::up) return;
  }
  std::uint64_t stamped_at = wire_in_;
  for (int reads = 0; reads < reads_per_turn_max; ++reads) {
    if (state_ != State::up || paused_ || frozen_) return;
    make_room();
    const Moved moved = read_some({in_.data() + in_end_, in_.size() - in_end_});
    if (wire_in_ != stamped_at) {
      // One stamp for all records that one recv brought.
      stamped_at = wire_in_;
      now = reactor_.now();
    }
    switch (moved.kind) {
      case Moved::Kind::blocked:
        return update_interest();
      case Moved::Kind::ended:
        return fail(LinkFault::ended, "stream ended", now);
      case Moved::Kind::lost:
        return fail(LinkFault::lost, lost_text_, now);
      case Moved::Kind::bytes:
        break;
    }
    in_end_ += moved.count;
    link_input(now);
    if (state_ != State::up) return;
    if (!input_buffered()) return;
  }
  reactor_.call_again(*this);
}

void Link::make_room() {
  if (in_begin_ == in_end_) in_begin_ = in_end_ = 0;
  if (in_.size() - in_end_ >= room_wanted_bytes) return;
  if (in_begin_ > 0) {
    std::memmove(in_.data(), in_.data() + in_begin_, in_end_ - in_begin_);
    in_end_ -= in_begin_;
    in_begin_ = 0;
  }
  if (in_.size() - in_end_ < room_wanted_bytes) in_.resize(std::min(in_.size() * 2, input_bytes_max_));
  PHX_ASSERT(in_end_ < in_.size(), "what reads a link takes or refuses its input before the bound");
}

Link::Moved Link::read_some(std::span<char> to) {
  if (ssl_) {
    const int rc = SSL_read(ssl_.get(), to.data(), static_cast<int>(to.size()));
    count_wire();
    return ssl_outcome(rc);
  }
  const ssize_t got = ::recv(fd_, to.data(), to.size(), 0);
  if (got > 0) {
    wire_in_ += static_cast<std::uint64_t>(got);
    wire_.bytes_in.fetch_add(static_cast<std::uint64_t>(got), std::memory_order_relaxed);
    return {Moved::Kind::bytes, static_cast<std::size_t>(got)};
  }
  if (got == 0) return {Moved::Kind::ended};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {Moved::Kind::blocked};
  lost_text_ = errno_text(errno);
  return {Moved::Kind::lost};
}

Link::Moved Link::write_some(std::string_view from) {
  if (ssl_) {
    const int rc =
        SSL_write(ssl_.get(), from.data(), static_cast<int>(std::min<std::size_t>(from.size(), 1u << 30)));
    count_wire();
    return ssl_outcome(rc);
  }
  const ssize_t put = ::send(fd_, from.data(), from.size(), MSG_NOSIGNAL);
  if (put >= 0) {
    wire_out_ += static_cast<std::uint64_t>(put);
    wire_.bytes_out.fetch_add(static_cast<std::uint64_t>(put), std::memory_order_relaxed);
    return {Moved::Kind::bytes, static_cast<std::size_t>(put)};
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {Moved::Kind::blocked};
  lost_text_ = errno_text(errno);
  return {Moved::Kind::lost};
}

Link::Moved Link::ssl_outcome(int rc) {
  if (rc > 0) {
    ssl_wants_write_ = false;
    return {Moved::Kind::bytes, static_cast<std::size_t>(rc)};
  }
  switch (SSL_get_error(ssl_.get(), rc)) {
    case SSL_ERROR_WANT_READ:
      return {Moved::Kind::blocked};
    case SSL_ERROR_WANT_WRITE:
      ssl_wants_write_ = true;
      return {Moved::Kind::blocked};
    case SSL_ERROR_ZERO_RETURN:
      return {Moved::Kind::ended};
    default:
      break;
  }
  const int error = errno;
  lost_text_ = ERR_peek_error() == 0 && error != 0 ? errno_text(error) : ssl_error_text();
  ERR_clear_error();
  return {Moved::Kind::lost};
}

void Link::count_wire() {
  const std::uint64_t in = BIO_number_read(SSL_get_rbio(ssl_.get()));
  const std::uint64_t out = BIO_number_written(SSL_get_wbio(ssl_.get()));
  if (in != wire_in_) {
    wire_.bytes_in.fetch_add(in - wire_in_, std::memory_order_relaxed);
    wire_in_ = in;
  }
  if (out != wire_out_) {
    wire_.bytes_out.fetch_add(out - wire_out_, std::memory_order_relaxed);
    wire_out_ = out;
  }
}

/// What the kernel no longer knows of: epoll will not call for it.
bool Link::input_buffered() const { return ssl_ && SSL_has_pending(ssl_.get()) == 1; }

void Link::on_flush(base::LocalTime now) {
  if (state_ != State::up || frozen_) return;
  const bool had_output = !out_.empty();
  while (!out_.empty()) {
    const Moved moved = write_some(out_.view());
    if (moved.kind == Moved::Kind::blocked) break;
    if (moved.kind != Moved::Kind::bytes) return fail(LinkFault::lost, lost_text_, now);
    out_.consume(moved.count);
  }
  update_interest();
  if (had_output && out_.empty()) link_drained(now);
}

void Link::pause_input() {
  paused_ = true;
  update_interest();
}

void Link::resume_input() {
  paused_ = false;
  update_interest();
  // Input may wait in our own buffer, where no read will announce it.
  input_left_ = true;
  reactor_.call_again(*this);
}

void Link::freeze() {
  frozen_ = true;
  reactor_.unwatch(*this);
}

void Link::drop(Ending ending) {
  if (state_ == State::down) return;
  if (state_ == State::resolving) resolver_->cancel(ticket_);
  const bool orderly = state_ == State::up && ending == Ending::orderly && !frozen_;
  while (orderly && !out_.empty()) {
    const Moved moved = write_some(out_.view());
    if (moved.kind != Moved::Kind::bytes) break;
    out_.consume(moved.count);
  }
  if (orderly && ssl_ && out_.empty()) {
    SSL_shutdown(ssl_.get());  // sends close_notify if the socket takes it; nobody waits for the answer
    ERR_clear_error();
    count_wire();
  }
  if (fd_ >= 0 && ending == Ending::reset) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  close_socket();
  state_ = State::down;
  phase_deadline_.reset();
  timer_.reset();
  reactor_.set_deadline(*this, std::nullopt);
}

void Link::close_socket() {
  reactor_.unwatch(*this);
  ssl_.reset();
  if (fd_ < 0) return;
  ::close(fd_);
  fd_ = -1;
  reactor_.count_socket_closed();
}

void Link::fail(LinkFault fault, const std::string& text, base::LocalTime now) {
  // A stream that failed takes nothing more, and OpenSSL forbids SSL_shutdown on it.
  out_.clear();
  ssl_.reset();
  drop();
  link_down(fault, text, now);
}

void Link::set_timer(std::optional<base::LocalTime> at) {
  timer_ = at;
  update_deadline();
}

void Link::update_deadline() {
  std::optional<base::LocalTime> next = phase_deadline_;
  if (timer_ && (!next || *timer_ < *next)) next = timer_;
  reactor_.set_deadline(*this, next);
}

void Link::update_interest() {
  if (fd_ < 0 || frozen_) return;
  switch (state_) {
    case State::connecting:
      return reactor_.watch(*this, fd_, Interest::write);
    case State::handshaking:
      return reactor_.watch(*this, fd_, ssl_wants_write_ ? Interest::read_write : Interest::read);
    case State::up: {
      const bool write = !out_.empty() || ssl_wants_write_;
      if (paused_) return reactor_.watch(*this, fd_, write ? Interest::write : Interest::none);
      return reactor_.watch(*this, fd_, write ? Interest::read_write : Interest::read);
    }
    case State::idle:
    case State::resolving:
    case State::down:
      return;
  }
}

std::string Link::tls_text() const {
  if (!ssl_) return {};
  return fmt::format("{} {}", SSL_get_version(ssl_.get()), SSL_get_cipher_name(ssl_.get()));
}

}  // namespace phoenix::io
