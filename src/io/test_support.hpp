#pragma once

#include "io/network.hpp"
#include "io/server.hpp"
#include "io/temporary_directory.hpp"
#include "io/tls.hpp"
#include "io/ws_codec.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/// For the tests of this module: real sockets on loopback, waits on condition variables. The limits only keep
/// a broken test from hanging.
namespace phoenix::io::test {

inline constexpr std::chrono::seconds hang_guard{60};

/// One set of certificates for all tests of the process.
inline const TestCertificates& certificates() {
  static const TemporaryDirectory directory;
  static const TestCertificates files = make_test_certificates(directory.path());
  return files;
}

/// Keeps every callback; the test takes them one by one.
class Recorder final : public NetworkHandler {
 public:
  enum class Kind { open, text, pong, closed, rest };
  struct Event {
    Kind kind = Kind::open;
    ConnectionId id = 0;
    std::string text{};
    OpenInfo open{};
    CloseInfo close{};
    model::RequestId request{};
    RestResult rest{};
    base::Duration round_trip{};
  };

  /// The next event, which has to be of `kind`.
  Event take(Kind kind) {
    std::unique_lock lock{mutex_};
    if (!came_.wait_for(lock, hang_guard, [&] { return !events_.empty(); })) {
      ADD_FAILURE() << "no event came";
      return {};
    }
    Event event = std::move(events_.front());
    events_.pop_front();
    EXPECT_EQ(static_cast<int>(event.kind), static_cast<int>(kind))
        << event.text << " " << name(event.close.reason) << " " << event.close.text << " " << event.rest.why;
    return event;
  }
  std::size_t waiting() {
    const std::scoped_lock lock{mutex_};
    return events_.size();
  }
  int turn_ends() {
    const std::scoped_lock lock{mutex_};
    return turn_ends_;
  }

  void on_open(ConnectionId id, const OpenInfo& info, base::LocalTime) override {
    Event event{.kind = Kind::open, .id = id};
    event.open = info;
    put(std::move(event));
  }
  void on_text(ConnectionId id, std::string_view payload, base::LocalTime) override {
    put({.kind = Kind::text, .id = id, .text = std::string{payload}});
  }
  void on_pong(ConnectionId id, base::Duration round_trip, base::LocalTime) override {
    Event event{.kind = Kind::pong, .id = id};
    event.round_trip = round_trip;
    put(std::move(event));
  }
  void on_closed(ConnectionId id, const CloseInfo& info, base::LocalTime) override {
    Event event{.kind = Kind::closed, .id = id};
    event.close = info;
    put(std::move(event));
  }
  void on_rest(model::RequestId id, RestResult& result, base::LocalTime) override {
    Event event{.kind = Kind::rest};
    event.request = id;
    event.rest = std::move(result);
    put(std::move(event));
  }
  void on_turn_end(base::LocalTime) override {
    const std::scoped_lock lock{mutex_};
    ++turn_ends_;
  }

 private:
  void put(Event event) {
    const std::scoped_lock lock{mutex_};
    events_.push_back(std::move(event));
    came_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<Event> events_;
  int turn_ends_ = 0;
};

/// A server whose behaviour is a handful of functions, called on its thread.
class ScriptedServer final : public ServerHandler {
 public:
  explicit ScriptedServer(ServerOptions options = {}) {
    if (!options.plain_port) options.plain_port = 0;
    options.tls_port = 0;
    options.certificate_file = certificates().certificate_file;
    options.key_file = certificates().key_file;
    server_ = std::make_unique<Server>(clock_, *this, options);
  }
  ~ScriptedServer() override { server_->stop(); }
  ScriptedServer& start() {
    server_->start();
    return *this;
  }
  Server& server() { return *server_; }

  std::function<std::optional<HttpReply>(CallId, const HttpCall&)> http = [](CallId, const HttpCall&) {
    return HttpReply{};
  };
  std::function<UpgradeReply(PeerId, const HttpCall&)> upgrade = [](PeerId, const HttpCall&) {
    return UpgradeReply{};
  };
  std::function<void(PeerId)> peer = [](PeerId) {};
  std::function<void(PeerId, std::string_view)> text = [this](PeerId id, std::string_view t) {
    server_->send(id, t);
  };
  std::function<void(PeerId, std::uint16_t)> closed = [](PeerId, std::uint16_t) {};
  std::function<void(PeerId, ControlFrame, std::string_view)> control = [](PeerId, ControlFrame,
                                                                           std::string_view) {};
  std::function<std::optional<base::LocalTime>()> deadline = [] { return std::nullopt; };
  std::function<void(base::LocalTime)> timer = [](base::LocalTime) {};

  std::optional<HttpReply> on_http(CallId id, const HttpCall& call, base::LocalTime) override {
    return http(id, call);
  }
  UpgradeReply on_upgrade(PeerId id, const HttpCall& call, base::LocalTime) override {
    return upgrade(id, call);
  }
  void on_peer(PeerId id, base::LocalTime) override { peer(id); }
  void on_text(PeerId id, std::string_view t, base::LocalTime) override { text(id, t); }
  void on_control(PeerId id, ControlFrame kind, std::string_view payload, base::LocalTime) override {
    control(id, kind, payload);
  }
  void on_peer_closed(PeerId id, std::uint16_t code, base::LocalTime) override { closed(id, code); }
  std::optional<base::LocalTime> next_deadline() override { return deadline(); }
  void on_timer(base::LocalTime now) override { timer(now); }

 private:
  RealClock clock_;
  std::unique_ptr<Server> server_;
};

/// Values handed from a callback to the test.
template <class T>
class Mailbox {
 public:
  void put(T value) {
    const std::scoped_lock lock{mutex_};
    values_.push_back(std::move(value));
    came_.notify_all();
  }
  T take() {
    std::unique_lock lock{mutex_};
    if (!came_.wait_for(lock, hang_guard, [&] { return !values_.empty(); })) {
      ADD_FAILURE() << "nothing came";
      return T{};
    }
    T value = std::move(values_.front());
    values_.pop_front();
    return value;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<T> values_;
};

/// A blocking socket for peers that misbehave.
class RawSocket {
 public:
  explicit RawSocket(int fd) : fd_{fd} {
    const timeval limit{.tv_sec = hang_guard.count(), .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~RawSocket() { close(); }
  RawSocket(RawSocket&& other) noexcept : fd_{std::exchange(other.fd_, -1)}, read_{std::move(other.read_)} {}
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;
  RawSocket& operator=(RawSocket&&) = delete;

  static RawSocket connect(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd, static_cast<sockaddr*>(static_cast<void*>(&address)), sizeof address), 0);
    return RawSocket{fd};
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
  }
  /// Everything up to and including `mark`; shorter at the end of the stream.
  std::string read_until(std::string_view mark) {
    for (;;) {
      const auto at = read_.find(mark);
      if (at != std::string::npos) {
        std::string got = read_.substr(0, at + mark.size());
        read_.erase(0, at + mark.size());
        return got;
      }
      if (!read_more()) return std::exchange(read_, {});
    }
  }
  std::string read_bytes(std::size_t count) {
    while (read_.size() < count && read_more()) {
    }
    std::string got = read_.substr(0, count);
    read_.erase(0, got.size());
    return got;
  }
  std::string read_to_end() {
    while (read_more()) {
    }
    return std::exchange(read_, {});
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }
  /// Answers a WebSocket upgrade; `extra` are whole header lines.
  void accept_upgrade(const std::string& extra = {}) {
    const std::string request = read_until("\r\n\r\n");
    const std::string mark = "Sec-WebSocket-Key: ";
    const auto at = request.find(mark);
    ASSERT_NE(at, std::string::npos) << request;
    const std::string key = request.substr(at + mark.size(), 24);
    send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
        "Upgrade\r\nSec-WebSocket-Accept: " +
        ws_accept_key(key) + "\r\n" + extra + "\r\n");
  }

 private:
  bool read_more() {
    char chunk[4096];
    const ssize_t got = ::recv(fd_, chunk, sizeof chunk, 0);
    if (got <= 0) return false;
    read_.append(chunk, static_cast<std::size_t>(got));
    return true;
  }

  int fd_;
  std::string read_;
};

class RawListener {
 public:
  RawListener() : fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = static_cast<sockaddr*>(static_cast<void*>(&address));
    EXPECT_EQ(::bind(fd_, generic, size), 0);
    EXPECT_EQ(::listen(fd_, 16), 0);
    EXPECT_EQ(::getsockname(fd_, generic, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~RawListener() { close(); }
  RawListener(const RawListener&) = delete;
  RawListener& operator=(const RawListener&) = delete;
  std::uint16_t port() const { return port_; }
  RawSocket accept() { return RawSocket{::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)}; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

inline std::size_t open_descriptors() {
  const std::filesystem::directory_iterator begin{"/proc/self/fd"};
  return static_cast<std::size_t>(std::distance(begin, std::filesystem::directory_iterator{}));
}

inline WsOptions plain_line(std::uint16_t port) {
  WsOptions options;
  options.endpoint = {
      .host = "127.0.0.1", .port = port, .security = Security::plain, .ca_file = {}, .server_name = {}};
  options.target = "/ws";
  return options;
}
inline WsOptions tls_line(std::uint16_t port) {
  WsOptions options;
  options.endpoint = {.host = "localhost",
                      .port = port,
                      .security = Security::tls,
                      .ca_file = certificates().ca_file,
                      .server_name = {}};
  options.target = "/ws";
  return options;
}

}  // namespace phoenix::io::test
