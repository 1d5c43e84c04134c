#include "book/ladder.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace phoenix::book {
namespace {

/// Nodes kept for reuse; more are given back to the allocator.
constexpr std::size_t spare_nodes_max = 4'096;

/// The inverse of an odd number modulo 2^64, by Newton's iteration: each step doubles the correct bits.
std::uint64_t inverse_of_odd(std::uint64_t odd) {
  std::uint64_t inverse = odd;  // correct in the lowest three bits
  for (int i = 0; i < 5; ++i) inverse *= 2 - odd * inverse;
  return inverse;
}

std::uint64_t magnitude(std::int64_t key) {
  return key < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(key) : static_cast<std::uint64_t>(key);
}

}  // namespace

Ladder::Ladder(model::Side side, std::uint32_t window_ticks, std::size_t levels_max)
    : sign_(model::sign(side)),
      window_(window_ticks),
      low_mark_(static_cast<std::int32_t>(window_ticks / 2)),
      high_mark_(static_cast<std::int32_t>(window_ticks - window_ticks / 32)),
      levels_max_(levels_max),
      groups_(window_ticks >> 12),
      words_(window_ticks >> 6),
      qty_(new std::int64_t[window_ticks]) {
  PHX_ASSERT(std::has_single_bit(window_ticks), "a ladder's window is a power of two");
  PHX_ASSERT(window_ticks >= window_ticks_min && window_ticks <= window_ticks_max,
             "a ladder's window is within its bounds");
  PHX_ASSERT(levels_max > 0, "a ladder holds at least one level");
  spare_.reserve(spare_nodes_max);
  clear(std::nullopt);
}

void Ladder::clear(std::optional<model::Price> tick) {
  while (!far_.empty()) erase_far(far_.begin());
  clear_near();
  PHX_ASSERT(total_ == 0, "a ladder without levels holds no quantity");
  off_grid_ = 0;
  updates_since_move_ = 0;
  reach_ = 0;
  tick_ = 0;
  if (!tick || !tick->is_positive()) return;
  const auto raw = static_cast<std::uint64_t>(tick->raw());
  tick_ = raw <= tick_max ? raw : std::gcd(raw, tick_max);
}

void Ladder::clear_around(model::Price best, model::Price tick) {
  clear(tick);
  if (tick_ != 0 && best.is_positive()) place_window(key_of(best), tick_);
}

model::Qty Ladder::qty_at(model::Price price) const {
  const std::int64_t key = key_of(price);
  const std::uint64_t slot = slot_of(key);
  if (slot < reach_) {
    const bool occupied = ((words_[slot >> 6] >> (slot & 63)) & 1) != 0;
    return model::Qty::from_raw(occupied ? qty_[slot] : 0);
  }
  const auto at = far_.find(key);
  return model::Qty::from_raw(at == far_.end() ? 0 : at->second);
}

model::Qty Ladder::total_qty() const {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  return model::Qty::from_raw(total_ > most ? most : static_cast<std::int64_t>(total_));
}

std::uint32_t Ladder::lowest_occupied() const {
  const auto group_index = static_cast<std::uint32_t>(std::countr_zero(root_));
  const auto word_index =
      (group_index << 6) | static_cast<std::uint32_t>(std::countr_zero(groups_[group_index]));
  return (word_index << 6) | static_cast<std::uint32_t>(std::countr_zero(words_[word_index]));
}

/// Empties the window; total_ goes down with it.
void Ladder::clear_near() {
  for (std::int32_t at = best_; at >= 0;) {
    const auto slot = static_cast<std::uint32_t>(at);
    total_ -= qty_[slot];
    at = occupied_below(slot);
  }
  std::ranges::fill(words_, 0);
  std::ranges::fill(groups_, 0);
  root_ = 0;
  best_ = -1;
  near_count_ = 0;
}

void Ladder::set_far(std::int64_t key, std::int64_t qty) {
  ++far_updates_;
  ++updates_since_move_;
  const auto at = far_.lower_bound(key);
  const bool known = at != far_.end() && at->first == key;
  if (known && qty != 0) {
    total_ += qty - at->second;
    at->second = qty;
  } else if (known) {
    erase_far(at);
  } else if (qty != 0) {
    if (size() >= levels_max_ && !make_room(key)) return;
    if (is_off_grid_within_reach(key)) ++off_grid_;
    add_far(key, qty);
  }
}

void Ladder::add_far(std::int64_t key, std::int64_t qty) {
  if (spare_.empty()) {
    far_.emplace(key, qty);
  } else {
    Far::node_type node = std::move(spare_.back());
    spare_.pop_back();
    node.key() = key;
    node.mapped() = qty;
    far_.insert(std::move(node));
  }
  far_best_ = far_.rbegin()->first;
  total_ += qty;
}

void Ladder::erase_far(Far::iterator at) {
  total_ -= at->second;
  Far::node_type node = far_.extract(at);
  if (spare_.size() < spare_nodes_max) spare_.push_back(std::move(node));
  if (!far_.empty()) far_best_ = far_.rbegin()->first;
}

bool Ladder::is_off_grid_within_reach(std::int64_t key) const {
  if (reach_ == 0) return false;
  const std::uint64_t offset = static_cast<std::uint64_t>(key) - base_;
  return offset < tick_ * window_ && offset % tick_ != 0;
}

/// Drops the level farthest from the touch to make place for a new one at `key`; false where that is the new
/// one.
bool Ladder::make_room(std::int64_t key) {
  ++dropped_;
  const bool far_is_worst =
      !far_.empty() && (near_count_ == 0 || far_.begin()->first < key_at(lowest_occupied()));
  const std::int64_t worst = far_is_worst ? far_.begin()->first : key_at(lowest_occupied());
  if (key < worst) return false;
  if (far_is_worst) {
    erase_far(far_.begin());
  } else {
    remove_near(lowest_occupied());
  }
  return true;
}

void Ladder::move_window() {
  if (size() == 0) return;
  // What a move costs is paid for by the slow updates since the last one, so that prices jumping to and fro
  // cannot make every event pay for all levels. Until then the levels outside the window are only slower to
  // reach.
  if (reach_ != 0 && updates_since_move_ < size() / 8) return;
  const std::uint64_t tick = tick_ == 0 || off_grid_ >= finer_tick_evidence ? inferred_tick() : tick_;
  const std::uint64_t old_base = base_;
  const bool had_place = reach_ != 0;
  const bool same_tick = tick == tick_;
  const std::int64_t best_key = key_of(best()->price);

  moving_.clear();
  for (std::int32_t at = best_; at >= 0;) {
    const auto slot = static_cast<std::uint32_t>(at);
    moving_.emplace_back(key_at(slot), qty_[slot]);
    at = occupied_below(slot);
  }
  off_grid_ = 0;
  updates_since_move_ = 0;
  place_window(best_key, tick);
  if (had_place && same_tick && base_ == old_base) return;
  ++moves_;

  clear_near();
  for (const auto& [key, qty] : moving_) {
    const std::uint64_t slot = slot_of(key);
    if (slot < reach_) {
      add_near(static_cast<std::uint32_t>(slot), qty);
    } else {
      add_far(key, qty);
    }
  }
  take_from_far();
}

std::uint64_t Ladder::inferred_tick() const {
  std::uint64_t tick = tick_ == 0 ? tick_max : tick_;
  for (const auto& [key, qty] : far_) {
    if (tick_ == 0 || is_off_grid_within_reach(key)) tick = std::gcd(tick, magnitude(key));
  }
  return tick;
}

/// The touch stands an eighth of the window from its better end: levels lie behind it, drift may go both
/// ways.
void Ladder::place_window(std::int64_t best_key, std::uint64_t tick) {
  tick_ = tick;
  tick_shift_ = std::countr_zero(tick);
  tick_inverse_ = inverse_of_odd(tick >> tick_shift_);
  reach_ = window_;
  const std::int64_t on_grid = best_key - best_key % static_cast<std::int64_t>(tick);
  base_ = static_cast<std::uint64_t>(on_grid) - (window_ - window_ / 8) * tick;
}

void Ladder::take_from_far() {
  // Slots say where a key lies; the window's own keys may run past the ends of int64, so the whole map is
  // asked.
  for (auto at = far_.begin(); at != far_.end();) {
    const auto here = at++;
    const std::uint64_t slot = slot_of(here->first);
    if (slot >= reach_) continue;
    const std::int64_t qty = here->second;
    erase_far(here);
    add_near(static_cast<std::uint32_t>(slot), qty);
  }
}

}  // namespace phoenix::book
