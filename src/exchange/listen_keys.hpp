#pragma once

#include "base/time.hpp"
#include "exchange/types.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::exchange {

/// The keys that open user data streams: one per account, valid for 60 minutes after the last sign of life.
class ListenKeys {
 public:
  ListenKeys(std::uint64_t seed, base::Duration life) : seed_{seed}, life_{life} {}

  /// The account's key; the same one, extended, while it is active.
  std::string start(AccountId account, VenueTime now);
  /// Extends the account's key. Empty when it has none.
  std::optional<std::string> extend(AccountId account, VenueTime now);
  /// Ends the account's key; the key it had.
  std::optional<std::string> stop(AccountId account);

  /// The account behind an active key.
  std::optional<AccountId> account_of(std::string_view key) const;

  struct Expired {
    AccountId account;
    std::string key;
    VenueTime at{};
  };
  /// Ends every key whose life is over.
  std::vector<Expired> expire(VenueTime now);
  /// Ends all of them now.
  std::vector<Expired> expire_all(VenueTime now);
  std::optional<VenueTime> next_deadline() const;

 private:
  struct Entry {
    std::string key;
    VenueTime until{};
  };
  std::uint64_t seed_;
  base::Duration life_;
  std::uint64_t made_ = 0;
  std::map<AccountId, Entry> entries_;
};

}  // namespace phoenix::exchange
