#include "exchange/level_list.hpp"

#include <algorithm>

namespace phoenix::exchange {

LevelList::Place LevelList::place_of(Price price) const {
  if (blocks_.empty()) return {};
  std::size_t block = blocks_.size() - 1;
  if (is_better(blocks_[block].front().price, price)) {
    const auto it = std::ranges::lower_bound(
        blocks_, price, [this](Price a, Price b) { return is_better(b, a); },
        [](const Block& b) { return b.back().price; });
    block = static_cast<std::size_t>(it - blocks_.begin());
  }
  const Block& levels = blocks_[block];
  std::size_t at = levels.size();
  // Most changes are near the touch: a few steps from the end beat a binary search.
  for (int steps = 0; steps < 8; ++steps, --at) {
    if (at == 0 || is_better(price, levels[at - 1].price)) return {block, at};
    if (levels[at - 1].price == price) return {block, at - 1};
  }
  const auto it =
      std::lower_bound(levels.begin(), levels.begin() + static_cast<std::ptrdiff_t>(at), price,
                       [this](const BookLevel& level, Price p) { return is_better(p, level.price); });
  return {block, static_cast<std::size_t>(it - levels.begin())};
}

std::optional<LevelList::Place> LevelList::look(Price price) const {
  if (blocks_.empty()) return std::nullopt;
  if (!looked_at_ || looked_for_ != price) {
    looked_at_ = place_of(price);
    looked_for_ = price;
  }
  const Block& block = blocks_[looked_at_->block];
  if (looked_at_->at == block.size() || block[looked_at_->at].price != price) return std::nullopt;
  return looked_at_;
}

BookLevel& LevelList::find_or_add(Price price) {
  if (BookLevel* const found = find(price)) return *found;
  if (blocks_.empty()) {
    blocks_.emplace_back().reserve(block_max);
    looked_at_ = Place{};
    looked_for_ = price;
  }
  Place& place = *looked_at_;  // where `find` missed it
  if (blocks_[place.block].size() == block_max) {
    constexpr auto half = block_max / 2;
    Block& full = blocks_[place.block];
    Block better(full.begin() + half, full.end());
    better.reserve(block_max);
    full.resize(half);
    blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(place.block) + 1, std::move(better));
    if (place.at > half) place = {place.block + 1, place.at - half};
  }
  Block& block = blocks_[place.block];
  ++size_;
  return *block.insert(block.begin() + static_cast<std::ptrdiff_t>(place.at), {.price = price});
}

void LevelList::erase(Price price) {
  const auto place = look(price);
  PHX_ASSERT(place.has_value(), "a level that goes was there");
  Block& block = blocks_[place->block];
  block.erase(block.begin() + static_cast<std::ptrdiff_t>(place->at));
  --size_;
  if (block.size() > block_max / 8) return;
  // Few are left: they join their worse neighbours where there is room.
  if (place->block > 0 && blocks_[place->block - 1].size() <= block_max / 2) {
    Block& before = blocks_[place->block - 1];
    before.insert(before.end(), block.begin(), block.end());
    block.clear();
  }
  if (!block.empty()) return;
  blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(place->block));
  looked_at_.reset();
}

}  // namespace phoenix::exchange
