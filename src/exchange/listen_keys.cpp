#include "exchange/listen_keys.hpp"

#include "exchange/auth.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace phoenix::exchange {

std::string ListenKeys::start(AccountId account, VenueTime now) {
  if (auto key = extend(account, now)) return *key;
  Entry entry{.key = sha256_hex(fmt::format("listen key {} {} {}", seed_, account.index, ++made_)),
              .until = now + life_};
  return entries_.emplace(account, std::move(entry)).first->second.key;
}

std::optional<std::string> ListenKeys::extend(AccountId account, VenueTime now) {
  const auto found = entries_.find(account);
  if (found == entries_.end()) return std::nullopt;
  found->second.until = now + life_;
  return found->second.key;
}

std::optional<std::string> ListenKeys::stop(AccountId account) {
  const auto found = entries_.find(account);
  if (found == entries_.end()) return std::nullopt;
  std::string key = std::move(found->second.key);
  entries_.erase(found);
  return key;
}

std::optional<AccountId> ListenKeys::account_of(std::string_view key) const {
  for (const auto& [account, entry] : entries_) {
    if (entry.key == key) return account;
  }
  return std::nullopt;
}

std::vector<ListenKeys::Expired> ListenKeys::expire(VenueTime now) {
  std::vector<Expired> out;
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (it->second.until > now) {
      ++it;
      continue;
    }
    out.push_back({.account = it->first, .key = std::move(it->second.key), .at = it->second.until});
    it = entries_.erase(it);
  }
  return out;
}

std::vector<ListenKeys::Expired> ListenKeys::expire_all(VenueTime now) {
  for (auto& [account, entry] : entries_) entry.until = std::min(entry.until, now);
  return expire(now);
}

std::optional<VenueTime> ListenKeys::next_deadline() const {
  std::optional<VenueTime> next;
  for (const auto& [account, entry] : entries_) {
    if (!next || entry.until < *next) next = entry.until;
  }
  return next;
}

}  // namespace phoenix::exchange
