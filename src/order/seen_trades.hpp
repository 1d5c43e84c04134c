#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace phoenix::order {

/// Which parts of a trade have been told: TRADE_LITE tells the quantity, the order event the quantity and the
/// money.
struct TradeParts {
  bool quantity = false, money = false;
  friend bool operator==(const TradeParts&, const TradeParts&) = default;
};

/// Remembers the trade ids of one symbol, so that each part of each trade counts once. Bounded: keeps the
/// newest `kept_max` ids at least; an id at or below the newest one forgotten counts as seen, and `too_old()`
/// counts it (the position check against the venue catches what that could miss).
class SeenTrades {
 public:
  static constexpr std::size_t kept_max = 1024;

  /// Notes `parts` of trade `id` and returns those of them that are new.
  TradeParts note(std::int64_t id, TradeParts parts);
  std::uint64_t too_old() const { return too_old_; }

 private:
  struct Seen {
    std::int64_t id = 0;
    TradeParts parts;
  };
  std::vector<Seen> ids_;  ///< ascending
  std::int64_t forgotten_id_ = 0;
  std::uint64_t too_old_ = 0;
};

}  // namespace phoenix::order
