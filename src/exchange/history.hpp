#pragma once

#include "base/assert.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace phoenix::exchange {

/// The newest `capacity` items in the order they came. When full, the oldest is forgotten and counted.
template <class T>
class History {
 public:
  explicit History(std::size_t capacity) : capacity_(capacity) {
    PHX_ASSERT(capacity > 0, "a history has room");
  }

  void push(T item) {
    if (items_.size() < capacity_) {
      items_.push_back(std::move(item));
      return;
    }
    items_[oldest_] = std::move(item);
    oldest_ = oldest_ + 1 == capacity_ ? 0 : oldest_ + 1;
    ++forgotten_;
  }

  std::size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  /// 0 is the oldest that is still known.
  const T& operator[](std::size_t index) const {
    PHX_ASSERT(index < items_.size(), "an item of a history exists");
    const std::size_t place = oldest_ + index;
    return items_[place >= items_.size() ? place - items_.size() : place];
  }
  const T& back() const { return (*this)[items_.size() - 1]; }
  T& back() { return const_cast<T&>(std::as_const(*this).back()); }
  std::uint64_t forgotten() const { return forgotten_; }

 private:
  std::size_t capacity_;
  std::size_t oldest_ = 0;
  std::uint64_t forgotten_ = 0;
  std::vector<T> items_;
};

}  // namespace phoenix::exchange
