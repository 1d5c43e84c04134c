#pragma once

#include "io/reactor.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/socket.h>

namespace phoenix::io {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  std::string text() const;  ///< address:port
};

struct Resolved {
  std::vector<SocketAddress> addresses;  ///< at most 16; empty when the name did not resolve
  std::string error;
};

/// Names to addresses off the loop's thread: a name server that does not answer may hold getaddrinfo for many
/// seconds, and the feed must not wait for it. Remembers each host's last good answer.
class Resolver {
 public:
  using Ticket = std::uint64_t;
  using Callback = std::function<void(Resolved)>;

  explicit Resolver(Reactor& reactor);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// The loop's thread only, as all that follows. The callback comes from `deliver`, never from here.
  Ticket resolve(const std::string& host, std::uint16_t port, Callback callback);
  void cancel(Ticket ticket);
  /// What the host's last answer was in this run; empty when there was none.
  std::vector<SocketAddress> last_good(const std::string& host, std::uint16_t port) const;
  bool has_answers() const;
  void deliver();

 private:
  struct Shared;
  struct Waiting {
    std::string key;
    Callback callback;
  };
  static void serve(const std::shared_ptr<Shared>& shared);

  std::shared_ptr<Shared> shared_;
  Ticket next_ticket_ = 1;
  std::map<Ticket, Waiting> waiting_;
  std::map<std::string, std::vector<SocketAddress>> good_;
  bool running_ = false;
};

}  // namespace phoenix::io
