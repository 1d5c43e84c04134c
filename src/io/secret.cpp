#include "io/secret.hpp"

#include "base/assert.hpp"
#include "io/descriptor.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace phoenix::io {
namespace {

/// Much more than our secrets need: while a connection is made, OpenSSL keeps that connection's private key
/// here, and fails when there is no room.
constexpr std::size_t heap_bytes = 256u << 10;
constexpr std::size_t piece_bytes_min = 32;
constexpr std::size_t file_bytes_max = 16u << 10;

enum class Heap : std::uint8_t { locked, unlocked, missing };

/// The heap is the process's: made once, and never given back.
Heap heap() {
  static const Heap made = [] {
    rlimit limit{};
    if (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
      limit.rlim_cur = limit.rlim_max;
      ::setrlimit(RLIMIT_MEMLOCK, &limit);
    }
    switch (CRYPTO_secure_malloc_init(heap_bytes, piece_bytes_min)) {
      case 1:
        return Heap::locked;
      case 2:
        return Heap::unlocked;
      default:
        return Heap::missing;
    }
  }();
  return made;
}

/// A file the service manager made for us (LoadCredential= of systemd): it may belong to root, and its mode
/// shows the mask of an access list.
bool is_given_by_manager(const std::filesystem::path& path) {
  const char* const directory = std::getenv("CREDENTIALS_DIRECTORY");
  return directory != nullptr && path.is_absolute() && path.parent_path() == std::filesystem::path{directory};
}

/// Room for `size` bytes and a zero.
char* take_room(std::size_t size) {
  static_cast<void>(heap());
  void* const room = OPENSSL_secure_zalloc(size + 1);
  if (room == nullptr) throw std::bad_alloc{};
  return static_cast<char*>(room);
}

}  // namespace

Secret::Secret(std::initializer_list<std::string_view> parts) {
  for (const auto& part : parts) size_ += part.size();
  if (size_ == 0) return;
  data_ = take_room(size_);
  char* end = data_;
  for (const auto& part : parts) end = std::copy(part.begin(), part.end(), end);
}

Secret::Secret(Secret&& other) noexcept
    : data_{std::exchange(other.data_, nullptr)}, size_{std::exchange(other.size_, 0)} {}

Secret& Secret::operator=(Secret&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Secret::~Secret() { OPENSSL_secure_clear_free(data_, size_ + 1); }

std::string secret_memory_trouble() {
  switch (heap()) {
    case Heap::locked:
      return {};
    case Heap::unlocked:
      return fmt::format(
          "the memory of the API secret cannot be locked and may be written to swap: allow {} KiB "
          "(ulimit -l, LimitMEMLOCK= of a service, --ulimit memlock= of a container)",
          heap_bytes / 1024);
    case Heap::missing:
      break;
  }
  return "there is no memory of its own for the API secret: it may be written to swap";
}

Secret read_secret_file(const std::filesystem::path& path, std::string_view what) {
  const auto refuse = [&](std::string_view why) {
    throw FileError(fmt::format("{}: the {} {}", path.string(), what, why));
  };
  // Not blocking: nobody may ever write to what turns out to be a pipe.
  const Descriptor fd{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (!fd.is_open() && errno == ELOOP) refuse("must not be a symbolic link");
  struct stat info{};
  if (!fd.is_open() || ::fstat(*fd, &info) != 0)
    throw FileError(fmt::format("{}: cannot read the {}", path.string(), what));
  if (!S_ISREG(info.st_mode)) refuse("must be a regular file");
  const bool is_given = is_given_by_manager(path);
  if (info.st_uid != ::geteuid() && !(is_given && info.st_uid == 0))
    refuse("must belong to the user who runs phoenix");
  if ((info.st_mode & (is_given ? 0037 : 0077)) != 0)
    refuse(fmt::format("must have mode 0600, was {:04o}", info.st_mode & 07777));
  if (static_cast<std::size_t>(info.st_size) > file_bytes_max)
    refuse(fmt::format("must not be longer than {} bytes", file_bytes_max));
  const auto room = static_cast<std::size_t>(info.st_size);
  Secret content;
  content.data_ = take_room(room);
  while (content.size_ < room) {
    const ssize_t got = ::read(*fd, content.data_ + content.size_, room - content.size_);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("read", path);
    if (got == 0) break;
    content.size_ += static_cast<std::size_t>(got);
  }
  return content;
}

Secret take_from_environment(const char* name) {
  char* const value = std::getenv(name);
  if (value == nullptr) return {};
  Secret taken{std::string_view{value}};
  ::explicit_bzero(value, taken.view().size());
  ::unsetenv(name);
  return taken;
}

void seal_process() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

std::string random_hex(std::size_t bytes) {
  std::vector<unsigned char> drawn(bytes);
  const int done = RAND_bytes(drawn.data(), static_cast<int>(bytes));
  PHX_ASSERT(done == 1, "the system's generator gives random bytes");
  std::string text;
  for (const unsigned char byte : drawn) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace phoenix::io
