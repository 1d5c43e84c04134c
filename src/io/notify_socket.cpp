#include "io/notify_socket.hpp"

#include "io/descriptor.hpp"

#include <array>
#include <cstddef>
#include <cstring>
#include <system_error>

#include <sys/socket.h>
#include <sys/un.h>

namespace phoenix::io {
namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

}  // namespace

NotifySocket::NotifySocket() {
  Descriptor fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd.is_open()) fail("socket");
  const int on = 1;
  if (::setsockopt(*fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) fail("SO_PASSCRED");
  // An address of the family alone: the kernel chooses a free abstract name.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  auto* const any = static_cast<sockaddr*>(static_cast<void*>(&address));
  if (::bind(*fd, any, sizeof address.sun_family) != 0) fail("bind");
  socklen_t size = sizeof address;
  if (::getsockname(*fd, any, &size) != 0) fail("getsockname");
  const std::size_t begin = offsetof(sockaddr_un, sun_path) + 1;
  if (size <= begin) fail("getsockname");
  name_ = "@" + std::string{address.sun_path + 1, size - begin};
  fd_ = fd.release();
}

NotifySocket::~NotifySocket() { ::close(fd_); }

std::optional<NotifySocket::Message> NotifySocket::next() {
  std::array<char, 4096> text{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control{};
  iovec data{.iov_base = text.data(), .iov_len = text.size()};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(fd_, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0) return std::nullopt;
  Message message{.pid = 0, .text = std::string{text.data(), static_cast<std::size_t>(size)}};
  const cmsghdr* const credentials = CMSG_FIRSTHDR(&header);
  if (credentials != nullptr && credentials->cmsg_level == SOL_SOCKET &&
      credentials->cmsg_type == SCM_CREDENTIALS) {
    ucred who{};
    std::memcpy(&who, CMSG_DATA(credentials), sizeof who);
    message.pid = static_cast<std::uint32_t>(who.pid);
  }
  return message;
}

}  // namespace phoenix::io
