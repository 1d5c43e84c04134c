#pragma once

#include "exchange/types.hpp"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <vector>

namespace phoenix::exchange {

/// One price of a book: its quantity, and the ends of the queue that stands there.
struct BookLevel {
  static constexpr std::uint32_t nobody = ~std::uint32_t{0};
  Price price{};
  Qty qty{};
  std::uint32_t first = nobody, last = nobody;
};

/// The levels of one side, worst first, best last. They lie in blocks, so that a level that comes or goes far
/// from the touch moves its neighbours and not the whole side.
class LevelList {
 public:
  class Iterator {
   public:
    using iterator_category = std::bidirectional_iterator_tag;
    using value_type = BookLevel;
    using difference_type = std::ptrdiff_t;
    using pointer = const BookLevel*;
    using reference = const BookLevel&;

    Iterator() = default;
    reference operator*() const { return list_->blocks_[block_][at_]; }
    pointer operator->() const { return &**this; }
    Iterator& operator++() {
      if (++at_ == list_->blocks_[block_].size()) {
        ++block_;
        at_ = 0;
      }
      return *this;
    }
    Iterator& operator--() {
      if (at_ == 0) at_ = list_->blocks_[--block_].size();
      --at_;
      return *this;
    }
    Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    Iterator operator--(int) {
      const Iterator before = *this;
      --*this;
      return before;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    friend class LevelList;
    Iterator(const LevelList& list, std::size_t block) : list_(&list), block_(block) {}
    const LevelList* list_ = nullptr;
    std::size_t block_ = 0, at_ = 0;
  };

  explicit LevelList(Side side) : side_(side) {}

  bool empty() const { return blocks_.empty(); }
  std::size_t size() const { return size_; }
  const BookLevel& worst() const { return blocks_.front().front(); }
  const BookLevel& best() const { return blocks_.back().back(); }
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, blocks_.size()}; }

  /// Null where there is none. Valid until a level comes or goes.
  BookLevel* find(Price price) {
    const auto place = look(price);
    return place ? &blocks_[place->block][place->at] : nullptr;
  }
  const BookLevel* find(Price price) const {
    const auto place = look(price);
    return place ? &blocks_[place->block][place->at] : nullptr;
  }
  /// The level with `price`, an empty one if there was none.
  BookLevel& find_or_add(Price price);
  /// It has to be there.
  void erase(Price price);

 private:
  static constexpr std::size_t block_max = 128;
  using Block = std::vector<BookLevel>;
  struct Place {
    std::size_t block = 0, at = 0;
  };
  bool is_better(Price a, Price b) const { return side_ == Side::bid ? a > b : a < b; }
  /// Of the level with `price`, or of the first better one; past the last one of the last block when all are
  /// worse.
  Place place_of(Price price) const;
  std::optional<Place> look(Price price) const;

  Side side_;
  std::vector<Block> blocks_;  ///< none is empty
  std::size_t size_ = 0;
  /// The newest answer: one change of a level asks several times.
  mutable Price looked_for_{};
  mutable std::optional<Place> looked_at_;
};

}  // namespace phoenix::exchange
