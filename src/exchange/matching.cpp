#include "exchange/matching.hpp"

#include <algorithm>

namespace phoenix::exchange {

/// Index of the level with `price`, or of the first better one, where it would be inserted.
std::size_t MatchingBook::place_of(Side side, Price price) const {
  const auto& levels = sides_[index(side)];
  std::size_t at = levels.size();
  // Most changes are near the touch: a few steps from the end beat a binary search over all levels.
  for (int steps = 0; steps < 8; ++steps, --at) {
    if (at == 0 || better(side, price, levels[at - 1].price)) return at;
    if (levels[at - 1].price == price) return at - 1;
  }
  const auto end = levels.begin() + static_cast<std::ptrdiff_t>(at);
  const auto it = std::lower_bound(levels.begin(), end, price,
                                   [side](const BookLevel& l, Price p) { return better(side, p, l.price); });
  return static_cast<std::size_t>(it - levels.begin());
}

const MatchingBook::BookLevel* MatchingBook::level(Side side, Price price) const {
  const auto& levels = sides_[index(side)];
  const std::size_t at = place_of(side, price);
  return at < levels.size() && levels[at].price == price ? &levels[at] : nullptr;
}

Qty MatchingBook::qty_at(Side side, Price price) const {
  const auto* found = level(side, price);
  return found == nullptr ? Qty{} : found->qty;
}

std::optional<Level> MatchingBook::top(Side side) const {
  const auto& levels = sides_[index(side)];
  if (levels.empty()) return std::nullopt;
  return Level{levels.back().price, levels.back().qty};
}

MatchingBook::Handle MatchingBook::best(Side side) const {
  const auto& levels = sides_[index(side)];
  return levels.empty() ? none : levels.back().first;
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
  auto& levels = sides_[index(side)];
  const std::size_t at = place_of(side, price);
  if (at == levels.size() || levels[at].price != price) {
    levels.insert(levels.begin() + static_cast<std::ptrdiff_t>(at), BookLevel{.price = price});
  }
  BookLevel& level = levels[at];
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
  const std::size_t at = place_of(gone.side, gone.price);
  PHX_ASSERT(at < levels.size() && levels[at].price == gone.price, "a resting order's level exists");
  BookLevel& level = levels[at];
  (gone.before == none ? level.first : orders_[gone.before].behind) = gone.behind;
  (gone.behind == none ? level.last : orders_[gone.behind].before) = gone.before;
  level.qty -= gone.left;
  if (level.first == none) {
    PHX_ASSERT(level.qty.is_zero(), "a level's quantity is the sum of its orders");
    levels.erase(levels.begin() + static_cast<std::ptrdiff_t>(at));
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
  sides_[index(filled.side)][place_of(filled.side, filled.price)].qty -= qty;
  return false;
}

void MatchingBook::grow(Handle handle, Qty qty) {
  Resting& grown = orders_[handle];
  PHX_ASSERT(grown.left.is_positive() && grown.behind == none, "only the last of a queue grows");
  grown.left += qty;
  sides_[index(grown.side)][place_of(grown.side, grown.price)].qty += qty;
}

}  // namespace phoenix::exchange
