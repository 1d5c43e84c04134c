#include "order/seen_trades.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace phoenix::order {

void SeenTrades::restore(std::int64_t forgotten_id, std::span<const SeenTrade> newer) {
  PHX_ASSERT(ids_.empty() && forgotten_id_ == 0, "trades are restored before any is noted");
  forgotten_id_ = forgotten_id;
  full_size_ = std::max(full_size_, newer.size() + kept_max);
  ids_.reserve(full_size_);
  for (const SeenTrade& seen : newer) {
    PHX_ASSERT(seen.id > (ids_.empty() ? forgotten_id : ids_.back().id), "restored trades ascend");
    ids_.push_back(seen);
  }
}

TradeParts SeenTrades::note(std::int64_t id, TradeParts parts) {
  if (ids_.capacity() == 0) ids_.reserve(full_size_);
  if (id <= forgotten_id_) {
    ++too_old_;
    return {};
  }
  const auto place =
      std::lower_bound(ids_.begin(), ids_.end(), id,
                       [](const SeenTrade& seen, std::int64_t value) { return seen.id < value; });
  if (place != ids_.end() && place->id == id) {
    const TradeParts fresh{.quantity = parts.quantity && !place->parts.quantity,
                           .money = parts.money && !place->parts.money,
                           .order = parts.order && !place->parts.order};
    place->parts.quantity = place->parts.quantity || parts.quantity;
    place->parts.money = place->parts.money || parts.money;
    place->parts.order = place->parts.order || parts.order;
    return fresh;
  }
  ids_.insert(place, SeenTrade{.id = id, .parts = parts});
  if (ids_.size() >= full_size_) {
    const auto kept = ids_.end() - static_cast<std::ptrdiff_t>(kept_max);
    forgotten_id_ = (kept - 1)->id;
    ids_.erase(ids_.begin(), kept);
    full_size_ = 2 * kept_max;
  }
  return parts;
}

bool SeenTrades::knows(std::int64_t id) const {
  if (id <= forgotten_id_) return true;
  const auto it =
      std::lower_bound(ids_.begin(), ids_.end(), id,
                       [](const SeenTrade& seen, std::int64_t wanted) { return seen.id < wanted; });
  return it != ids_.end() && it->id == id && it->parts.quantity;
}

std::optional<std::int64_t> SeenTrades::first_without_money() const {
  const auto it = std::find_if(ids_.begin(), ids_.end(), [](const SeenTrade& t) { return !t.parts.money; });
  return it == ids_.end() ? std::nullopt : std::optional{it->id};
}

}  // namespace phoenix::order
