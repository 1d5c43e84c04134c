#include "exchange/matching.hpp"

namespace phoenix::exchange {

Qty MatchingBook::qty_at(Side side, Price price) const {
  const auto* found = level(side, price);
  return found == nullptr ? Qty{} : found->qty;
}

std::optional<Level> MatchingBook::top(Side side) const {
  const auto& levels = sides_[index(side)];
  if (levels.empty()) return std::nullopt;
  return Level{levels.best().price, levels.best().qty};
}

MatchingBook::Handle MatchingBook::best(Side side) const {
  const auto& levels = sides_[index(side)];
  return levels.empty() ? none : levels.best().first;
}

MatchingBook::Handle MatchingBook::add(Side side, Price price, Qty qty, AccountId owner, std::int64_t id,
                                       Intent intent) {
  PHX_ASSERT(qty.is_positive(), "a resting order has a quantity");
  Handle handle = none;
  if (free_.empty()) {
    handle = static_cast<Handle>(orders_.size());
    orders_.emplace_back();
  } else {
    handle = free_.back();
    free_.pop_back();
  }
  BookLevel& level = sides_[index(side)].find_or_add(price);
  orders_[handle] = {id, price, qty, owner, side, intent, level.last, none};
  if (level.last == none) {
    level.first = handle;
  } else {
    orders_[level.last].behind = handle;
  }
  level.last = handle;
  level.qty += qty;
  ++order_count_;
  return handle;
}

void MatchingBook::remove(Handle handle) {
  Resting& gone = orders_[handle];
  PHX_ASSERT(handle < orders_.size() && gone.left.is_positive(), "a removed order rests");
  auto& levels = sides_[index(gone.side)];
  BookLevel* const found = levels.find(gone.price);
  PHX_ASSERT(found != nullptr, "a resting order's level exists");
  BookLevel& level = *found;
  (gone.before == none ? level.first : orders_[gone.before].behind) = gone.behind;
  (gone.behind == none ? level.last : orders_[gone.behind].before) = gone.before;
  level.qty -= gone.left;
  if (level.first == none) {
    PHX_ASSERT(level.qty.is_zero(), "a level's quantity is the sum of its orders");
    levels.erase(gone.price);
  }
  gone.left = Qty{};
  free_.push_back(handle);
  --order_count_;
}

bool MatchingBook::fill(Handle handle, Qty qty) {
  Resting& filled = orders_[handle];
  PHX_ASSERT(qty.is_positive() && qty <= filled.left, "a fill is within what is left");
  if (qty == filled.left) {
    remove(handle);
    return true;
  }
  filled.left -= qty;
  sides_[index(filled.side)].find(filled.price)->qty -= qty;
  return false;
}

void MatchingBook::grow(Handle handle, Qty qty) {
  Resting& grown = orders_[handle];
  PHX_ASSERT(grown.left.is_positive() && grown.behind == none, "only the last of a queue grows");
  grown.left += qty;
  sides_[index(grown.side)].find(grown.price)->qty += qty;
}

}  // namespace phoenix::exchange
