#pragma once

#include "model/market.hpp"

#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace phoenix::book {

/// One side of a book: a flat array by tick around the touch with an occupancy bitmap, and a sorted map for
/// the few levels outside that window or off its grid.
///
/// Levels are held by key, and a higher key is always the better price: the price itself for bids, its
/// negative for asks. Both sides then run the same code. The window lies mostly behind the touch, where the
/// levels are, and moves when the touch comes near its end. The tick only decides where a level is kept,
/// never whether it is right: with a wrong tick the ladder is slower, not different.
///
/// Updates inside the window allocate nothing; levels in the map reuse the nodes of those removed before.
class Ladder {
 public:
  /// Three words of bitmap deep: 64^3.
  static constexpr std::uint32_t window_ticks_max = 1U << 18;
  static constexpr std::uint32_t window_ticks_min = 1U << 12;

  /// `window_ticks`: a power of two within the two bounds above. `levels_max` > 0.
  Ladder(model::Side side, std::uint32_t window_ticks, std::size_t levels_max);

  /// Removes every level. The window is placed at the next `settle`; a tick that is not given is inferred
  /// then.
  void clear(std::optional<model::Price> tick);
  /// Removes every level and places the window for a touch at `best`, so that what follows goes straight
  /// there.
  void clear_around(model::Price best, model::Price tick);
  /// Sets the level, or removes it where qty is zero; removing an unknown one is normal. A price that is not
  /// positive or a negative quantity is refused and counted. Beyond `levels_max` the level farthest from the
  /// touch gives way (this one, if it is that) and is counted.
  void set(model::Level level) {
    if (level.price.raw() <= 0 || level.qty.raw() < 0) [[unlikely]] {
      ++refused_;
      return;
    }
    const std::int64_t key = key_of(level.price);
    const std::uint64_t slot = slot_of(key);
    if (slot < reach_) [[likely]] {
      set_near(static_cast<std::uint32_t>(slot), level.qty.raw());
    } else {
      set_far(key, level.qty.raw());
    }
  }
  /// Moves the window after the touch, and refines the tick where the prices seen ask for it. Called once
  /// after the levels of one event.
  void settle() {
    const bool in_place =
        best_ >= low_mark_ && best_ < high_mark_ && (far_.empty() || far_best_ < edge_key());
    if (!in_place || off_grid_ >= finer_tick_evidence) [[unlikely]]
      move_window();
  }

  std::optional<model::Level> best() const {
    if (best_ >= 0 && (far_.empty() || far_best_ < key_at(static_cast<std::uint32_t>(best_)))) [[likely]] {
      return level_at(static_cast<std::uint32_t>(best_));
    }
    if (far_.empty()) return std::nullopt;
    return level_of(*far_.rbegin());
  }
  /// The quantity at `price`; zero where there is no level.
  model::Qty qty_at(model::Price price) const;
  std::size_t size() const { return near_count_ + far_.size(); }
  /// Saturates at the largest Qty.
  model::Qty total_qty() const;

  /// Calls `visit(level)` from the best outward until it returns false or the levels end.
  template <class Visit>
  void walk(Visit&& visit) const {
    std::int32_t near = best_;
    auto far = far_.rbegin();
    while (true) {
      if (near >= 0 && (far == far_.rend() || far->first < key_at(static_cast<std::uint32_t>(near)))) {
        if (!visit(level_at(static_cast<std::uint32_t>(near)))) return;
        near = occupied_below(static_cast<std::uint32_t>(near));
      } else if (far != far_.rend()) {
        if (!visit(level_of(*far))) return;
        ++far;
      } else {
        return;
      }
    }
  }

  /// Counters since construction.
  std::uint64_t refused() const { return refused_; }
  std::uint64_t dropped() const { return dropped_; }
  std::uint64_t window_moves() const { return moves_; }
  std::uint64_t far_updates() const { return far_updates_; }
  /// Levels outside the window now.
  std::size_t far_size() const { return far_.size(); }
  /// Zero until known.
  model::Price tick() const { return model::Price::from_raw(static_cast<std::int64_t>(tick_)); }

 private:
  using Far = std::map<std::int64_t, std::int64_t>;  ///< key -> qty
  __extension__ using Wide = __int128;
  /// Off-grid levels within the window's reach that make the ladder look for a finer tick.
  static constexpr std::uint32_t finer_tick_evidence = 8;
  /// Grids are made of decimal steps (of 2 and 5), the coarsest 10,000; the bound keeps slots exact in 64
  /// bits.
  static constexpr std::uint64_t tick_max = 1'000'000'000'000;

  std::int64_t key_of(model::Price price) const { return sign_ * price.raw(); }
  /// The slot of a key on the grid within the window; anything else gives a number beyond the window. One
  /// multiplication by the tick's inverse modulo 2^64 tests divisibility and divides (Granlund, Montgomery
  /// 1994).
  std::uint64_t slot_of(std::int64_t key) const {
    return std::rotr((static_cast<std::uint64_t>(key) - base_) * tick_inverse_, tick_shift_);
  }
  std::int64_t key_at(std::uint32_t slot) const { return static_cast<std::int64_t>(base_ + slot * tick_); }
  std::int64_t edge_key() const { return key_at(window_ - 1); }
  model::Level level_at(std::uint32_t slot) const {
    return {model::Price::from_raw(sign_ * key_at(slot)), model::Qty::from_raw(qty_[slot])};
  }
  model::Level level_of(const Far::value_type& entry) const {
    return {model::Price::from_raw(sign_ * entry.first), model::Qty::from_raw(entry.second)};
  }

  void set_near(std::uint32_t slot, std::int64_t qty) {
    const std::uint64_t bit = std::uint64_t{1} << (slot & 63);
    const bool occupied = (words_[slot >> 6] & bit) != 0;
    if (qty == 0) {
      if (occupied) remove_near(slot);
      return;
    }
    if (occupied) {
      total_ += qty - qty_[slot];
      qty_[slot] = qty;
      return;
    }
    if (size() >= levels_max_ && !make_room(key_at(slot))) return;
    add_near(slot, qty);
  }
  void remove_near(std::uint32_t slot) {
    std::uint64_t& word = words_[slot >> 6];
    word &= ~(std::uint64_t{1} << (slot & 63));
    if (word == 0) {
      std::uint64_t& group = groups_[slot >> 12];
      group &= ~(std::uint64_t{1} << ((slot >> 6) & 63));
      if (group == 0) root_ &= ~(std::uint64_t{1} << (slot >> 12));
    }
    total_ -= qty_[slot];
    --near_count_;
    if (static_cast<std::int32_t>(slot) == best_) best_ = occupied_below(slot);
  }
  /// The nearest occupied slot below `slot`; -1 where there is none.
  std::int32_t occupied_below(std::uint32_t slot) const {
    const auto below = [](std::uint64_t word, std::uint32_t bit) {
      return word & ((std::uint64_t{1} << bit) - 1);
    };
    const auto highest = [](std::uint64_t word) {
      return static_cast<std::uint32_t>(63 - std::countl_zero(word));
    };
    std::uint32_t word_index = slot >> 6;
    std::uint64_t word = below(words_[word_index], slot & 63);
    if (word == 0) {
      std::uint32_t group_index = word_index >> 6;
      std::uint64_t group = below(groups_[group_index], word_index & 63);
      if (group == 0) {
        const std::uint64_t root = below(root_, group_index);
        if (root == 0) return -1;
        group_index = highest(root);
        group = groups_[group_index];
      }
      word_index = (group_index << 6) | highest(group);
      word = words_[word_index];
    }
    return static_cast<std::int32_t>((word_index << 6) | highest(word));
  }
  std::uint32_t lowest_occupied() const;

  void add_near(std::uint32_t slot, std::int64_t qty) {
    words_[slot >> 6] |= std::uint64_t{1} << (slot & 63);
    groups_[slot >> 12] |= std::uint64_t{1} << ((slot >> 6) & 63);
    root_ |= std::uint64_t{1} << (slot >> 12);
    qty_[slot] = qty;
    total_ += qty;
    ++near_count_;
    if (static_cast<std::int32_t>(slot) > best_) best_ = static_cast<std::int32_t>(slot);
  }
  void set_far(std::int64_t key, std::int64_t qty);
  void add_far(std::int64_t key, std::int64_t qty);
  void erase_far(Far::iterator at);
  void clear_near();
  bool is_off_grid_within_reach(std::int64_t key) const;
  bool make_room(std::int64_t key);
  void move_window();
  std::uint64_t inferred_tick() const;
  void place_window(std::int64_t best_key, std::uint64_t tick);
  void take_from_far();

  std::int64_t sign_;
  std::uint32_t window_;
  std::int32_t low_mark_, high_mark_;  ///< the best slot stays within [low, high)
  std::size_t levels_max_;

  std::uint64_t reach_ = 0;  ///< window_ once the window has a place, before that 0: nothing is near
  std::uint64_t base_ = 0;   ///< key of slot 0, modulo 2^64
  std::uint64_t tick_ = 0;   ///< 0: unknown
  std::uint64_t tick_inverse_ = 0;
  int tick_shift_ = 0;

  std::int32_t best_ = -1;
  std::size_t near_count_ = 0;
  Wide total_ = 0;
  std::uint64_t root_ = 0;
  std::vector<std::uint64_t> groups_, words_;
  /// Meaningful only where the bitmap says so: pages never used are never touched.
  std::unique_ptr<std::int64_t[]> qty_;

  Far far_;
  std::int64_t far_best_ = 0;  ///< key of the best level in far_, while it has one
  std::vector<Far::node_type> spare_;
  std::vector<std::pair<std::int64_t, std::int64_t>> moving_;  ///< key, qty; scratch of move_window

  std::uint32_t off_grid_ = 0;
  std::uint64_t updates_since_move_ = 0;
  std::uint64_t refused_ = 0, dropped_ = 0, moves_ = 0, far_updates_ = 0;
};

}  // namespace phoenix::book
