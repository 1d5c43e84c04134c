#pragma once

#include "base/time.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace phoenix::io {

/// Tells a service manager how we are: datagrams to the socket it names in NOTIFY_SOCKET, a path or
/// (beginning with
/// '@') an abstract name. Without one every call does nothing.
class ServiceManager {
 public:
  explicit ServiceManager(std::string socket) : socket_{std::move(socket)} {}
  /// From NOTIFY_SOCKET and WATCHDOG_USEC of the environment.
  static ServiceManager from_environment();

  bool is_present() const { return !socket_.empty(); }
  /// How often it wants to hear WATCHDOG=1 at the latest; empty: not at all.
  std::optional<base::Duration> watchdog() const { return watchdog_; }
  /// "READY=1", "WATCHDOG=1", "STOPPING=1", "STATUS=..."; several are joined by newlines. Never blocks; false
  /// when it was not taken.
  bool tell(std::string_view state) const;

 private:
  std::string socket_;
  std::optional<base::Duration> watchdog_;
};

}  // namespace phoenix::io
