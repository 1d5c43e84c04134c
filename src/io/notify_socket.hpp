#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace phoenix::io {

/// The other end of ServiceManager: hears what a process that we started tells its service manager. A
/// datagram socket under an abstract name that the kernel chose.
class NotifySocket {
 public:
  /// std::system_error when there can be none.
  NotifySocket();
  ~NotifySocket();
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  /// For NOTIFY_SOCKET.
  const std::string& name() const { return name_; }
  /// Readable when something was told; for poll.
  int fd() const { return fd_; }

  struct Message {
    std::uint32_t pid = 0;  ///< of the sender, by the kernel's word
    std::string text;       ///< lines of KEY=VALUE; at most 4 KiB of them
  };
  /// The next message, if one is there. Never blocks.
  std::optional<Message> next();

 private:
  int fd_ = -1;
  std::string name_;
};

}  // namespace phoenix::io
