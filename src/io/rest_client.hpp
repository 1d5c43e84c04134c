#pragma once

#include "io/link.hpp"
#include "io/network.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace phoenix::io {

class RestHost;

/// What the pool needs of its surroundings.
struct RestEnvironment {
  Reactor& reactor;
  Resolver& resolver;
  NetworkHandler& handler;
  const NetworkOptions& options;
  WireCounters& wire;
  std::atomic<std::uint64_t>& queue_full;
  std::atomic<std::uint64_t>& retried;
  /// The TLS context for a CA file; throws std::runtime_error when it cannot be loaded.
  std::function<ssl_ctx_st*(const std::string& ca_file)> context;
};

/// Keep-alive connections per host, two waiting lanes per host. A call is written to one connection at most
/// once.
class RestPool {
 public:
  explicit RestPool(RestEnvironment environment);
  ~RestPool();
  void call(RestCall call, base::LocalTime now);
  /// Ends every call.
  void stop(base::LocalTime now);

 private:
  RestEnvironment environment_;
  std::map<std::string, std::unique_ptr<RestHost>> hosts_;
};

}  // namespace phoenix::io
