#pragma once

#include "exchange/level_list.hpp"
#include "exchange/types.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace phoenix::exchange {

/// One symbol's limit order book with price-time priority: who stands where. It decides nothing: the caller
/// takes the best order, fills or removes it, and asks again, so that what a fill causes elsewhere (a
/// knocked-out reduce-only order, a self-trade) is seen by the next question.
///
/// Orders of a level form a list through one pool. Its owner bounds the number of orders.
class MatchingBook {
 public:
  using Handle = std::uint32_t;
  static constexpr Handle none = BookLevel::nobody;

  struct Resting {
    std::int64_t id = 0;
    Price price;
    Qty left;
    AccountId owner;
    Side side = Side::bid;
    Intent intent = Intent::open;
    Handle before = none, behind = none;  ///< neighbours in the queue of the level
  };

  /// Joins the end of the queue at its price. Never matches.
  Handle add(Side side, Price price, Qty qty, AccountId owner, std::int64_t id, Intent intent);
  void remove(Handle handle);
  /// Takes `qty` off; at zero the order is gone and true is returned.
  bool fill(Handle handle, Qty qty);
  /// Adds to an order's quantity; only for the last of a queue, where nobody is overtaken.
  void grow(Handle handle, Qty qty);

  /// The first order of the best level.
  Handle best(Side side) const;
  const Resting& order(Handle handle) const {
    PHX_ASSERT(handle < orders_.size() && orders_[handle].left.is_positive(),
               "a handle names a resting order");
    return orders_[handle];
  }
  std::optional<Level> top(Side side) const;
  /// 0 where nothing rests.
  Qty qty_at(Side side, Price price) const;
  const BookLevel* level(Side side, Price price) const { return levels(side).find(price); }
  /// Worst first, best last.
  const LevelList& levels(Side side) const { return sides_[index(side)]; }
  std::size_t order_count() const { return order_count_; }

 private:
  static std::size_t index(Side side) { return side == Side::bid ? 0 : 1; }

  LevelList sides_[2] = {LevelList{Side::bid}, LevelList{Side::ask}};
  std::vector<Resting> orders_;
  std::vector<Handle> free_;
  std::size_t order_count_ = 0;
};

/// True when an incoming order of `side` and limit `price` can trade with a resting order at `resting`.
constexpr bool crosses(Side side, Price price, Price resting) {
  return side == Side::bid ? price >= resting : price <= resting;
}

}  // namespace phoenix::exchange
