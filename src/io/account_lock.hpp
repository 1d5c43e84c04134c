#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

namespace phoenix::io {

/// Where the locks of accounts lie: $XDG_RUNTIME_DIR/phoenix where there is such a directory, else
/// /tmp/phoenix-UID; made with mode 0700. FileError when it is not a directory of ours alone.
std::filesystem::path account_lock_directory();
/// The lock file of one account: named by a hash of host and API key, so that the key is not told.
std::filesystem::path account_lock_path(const std::filesystem::path& directory, std::string_view host,
                                        std::string_view api_key);

/// One process per account on this machine, whatever its data directory. Held until destruction or the death
/// of the process. The file is never unlinked: unlinking would let two processes lock two files of one name.
class AccountLock {
 public:
  /// FileError naming the holder's pid when somebody else holds it.
  explicit AccountLock(const std::filesystem::path& path);
  ~AccountLock();
  AccountLock(AccountLock&&) noexcept;
  AccountLock& operator=(AccountLock&&) noexcept;

 private:
  int fd_ = -1;
};

/// Who holds the lock: empty when nobody does, pid 0 when the holder did not say or is in another container.
/// Only looks: asking never keeps anybody from taking it. FileError when the file is there and cannot be
/// asked.
std::optional<std::uint32_t> account_lock_holder(const std::filesystem::path& path);

}  // namespace phoenix::io
