#include "io/sd_notify.hpp"

#include "io/descriptor.hpp"

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>

namespace phoenix::io {

ServiceManager ServiceManager::from_environment() {
  const auto value = [](const char* name) {
    const char* text = std::getenv(name);
    return std::string{text == nullptr ? "" : text};
  };
  ServiceManager manager{value("NOTIFY_SOCKET")};
  const std::string interval = value("WATCHDOG_USEC");
  std::int64_t us = 0;
  const auto [end, fault] = std::from_chars(interval.data(), interval.data() + interval.size(), us);
  if (manager.is_present() && fault == std::errc{} && us > 0 &&
      us < base::microseconds{base::hours{24}}.count())
    manager.watchdog_ = base::microseconds{us};
  return manager;
}

bool ServiceManager::tell(std::string_view state) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.empty() || socket_.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  // A name that begins with a zero byte lies in no directory; its length is part of it.
  if (socket_.front() == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size() +
                                           (socket_.front() == '@' ? 0 : 1));
  const Descriptor fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd.is_open()) return false;
  const ssize_t sent = ::sendto(*fd, state.data(), state.size(), MSG_NOSIGNAL,
                                static_cast<const sockaddr*>(static_cast<const void*>(&address)), size);
  return sent == static_cast<ssize_t>(state.size());
}

}  // namespace phoenix::io
