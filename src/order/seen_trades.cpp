#include "order/seen_trades.hpp"

#include <algorithm>

namespace phoenix::order {

TradeParts SeenTrades::note(std::int64_t id, TradeParts parts) {
  if (ids_.capacity() == 0) ids_.reserve(2 * kept_max);
  if (id <= forgotten_id_) {
    ++too_old_;
    return {};
  }
  const auto place = std::lower_bound(ids_.begin(), ids_.end(), id,
                                      [](const Seen& seen, std::int64_t value) { return seen.id < value; });
  if (place != ids_.end() && place->id == id) {
    const TradeParts fresh{.quantity = parts.quantity && !place->parts.quantity,
                           .money = parts.money && !place->parts.money};
    place->parts.quantity = place->parts.quantity || parts.quantity;
    place->parts.money = place->parts.money || parts.money;
    return fresh;
  }
  ids_.insert(place, Seen{.id = id, .parts = parts});
  if (ids_.size() == 2 * kept_max) {
    forgotten_id_ = ids_[kept_max - 1].id;
    ids_.erase(ids_.begin(), ids_.begin() + kept_max);
  }
  return parts;
}

}  // namespace phoenix::order
