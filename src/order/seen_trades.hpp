#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace phoenix::order {

/// Which parts of a trade have been told: TRADE_LITE tells the quantity, the order event the quantity and the
/// money; `order`: the order it belongs to was known and has it among its fills.
struct TradeParts {
  bool quantity = false, money = false, order = false;
  friend bool operator==(const TradeParts&, const TradeParts&) = default;
};

struct SeenTrade {
  std::int64_t id = 0;
  TradeParts parts;
  friend bool operator==(const SeenTrade&, const SeenTrade&) = default;
};

/// Remembers the trade ids of one symbol, so that each part of each trade counts once. Bounded: keeps the
/// newest `kept_max` ids at least; an id at or below the newest one forgotten counts as seen, and `too_old()`
/// counts it (the position check against the venue catches what that could miss).
class SeenTrades {
 public:
  static constexpr std::size_t kept_max = 1024;

  /// Takes up where an earlier run ended: ids up to `forgotten_id` count as seen, and `newer` are seen in
  /// these parts; ascending. Before the first `note`.
  void restore(std::int64_t forgotten_id, std::span<const SeenTrade> newer);
  /// Notes `parts` of trade `id` and returns those of them that are new.
  TradeParts note(std::int64_t id, TradeParts parts);
  /// Whether its quantity counted already.
  bool knows(std::int64_t id) const;
  /// The oldest remembered trade whose money was not told.
  std::optional<std::int64_t> first_without_money() const;
  std::uint64_t too_old() const { return too_old_; }

 private:
  std::vector<SeenTrade> ids_;            ///< ascending
  std::size_t full_size_ = 2 * kept_max;  ///< more when more were restored
  std::int64_t forgotten_id_ = 0;
  std::uint64_t too_old_ = 0;
};

}  // namespace phoenix::order
