#include "io/account_lock.hpp"

#include "base/assert.hpp"
#include "io/descriptor.hpp"
#include "io/lock_holder.hpp"

#include <array>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

namespace phoenix::io {

std::filesystem::path account_lock_directory() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  std::filesystem::path directory{fmt::format("/tmp/phoenix-{}", ::geteuid())};
  // A session that is over leaves its name in the environment of what it started.
  if (runtime != nullptr && *runtime != '\0' && ::access(runtime, F_OK) == 0)
    directory = std::filesystem::path{runtime} / "phoenix";
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) throw_errno("create", directory);
  struct stat info{};
  if (::lstat(directory.c_str(), &info) != 0) throw_errno("look at", directory);
  if (!S_ISDIR(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 0077) != 0) {
    throw FileError(
        fmt::format("{} must be a directory of the user who runs phoenix, of mode 0700", directory.string()));
  }
  return directory;
}

std::filesystem::path account_lock_path(const std::filesystem::path& directory, std::string_view host,
                                        std::string_view api_key) {
  const std::string account = fmt::format("{}\n{}", host, api_key);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  const int ok = EVP_Digest(account.data(), account.size(), digest.data(), &size, EVP_sha256(), nullptr);
  PHX_ASSERT(ok == 1 && size >= 8, "SHA-256 of a short text works");
  std::string name = "account-";
  for (std::size_t i = 0; i < 8; ++i) name += fmt::format("{:02x}", digest[i]);
  return directory / (name + ".lock");
}

AccountLock::AccountLock(const std::filesystem::path& path) {
  Descriptor fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd.is_open()) throw_errno("open", path);
  // The first byte says that the holder has written who it is.
  struct flock lock = lock_of(1, 0);
  if (::fcntl(*fd, F_OFD_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES) throw_errno("lock", path);
    throw FileError(fmt::format("this account is in use by {} on this machine ({})",
                                holder_text(lock_holder(path)), path.string()));
  }
  say_holder(*fd, path);
  fd_ = fd.release();
}

AccountLock::~AccountLock() {
  if (fd_ >= 0) ::close(fd_);
}
AccountLock::AccountLock(AccountLock&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
AccountLock& AccountLock::operator=(AccountLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

std::optional<std::uint32_t> account_lock_holder(const std::filesystem::path& path) {
  const auto holder = lock_holder(path);
  if (!holder) return std::nullopt;
  return holder->place == LockHolder::Place::here ? holder->pid : 0;
}

}  // namespace phoenix::io
