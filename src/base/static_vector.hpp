#pragma once

#include "base/assert.hpp"

#include <array>
#include <cstddef>
#include <utility>

namespace phoenix::base {

/// A vector with its storage inside and its bound in its type. Pushing past the bound is our own bug (an
/// assertion); where the world decides how many there are, ask `full()` first.
template <class T, std::size_t Capacity>
class StaticVector {
 public:
  using value_type = T;
  using iterator = T*;
  using const_iterator = const T*;

  static constexpr std::size_t capacity() { return Capacity; }
  constexpr std::size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr bool full() const { return size_ == Capacity; }
  constexpr void clear() { size_ = 0; }

  constexpr T& push_back(T value) {
    PHX_ASSERT(size_ < Capacity, "a bounded vector is never pushed past its bound");
    items_[size_] = std::move(value);
    return items_[size_++];
  }
  constexpr void pop_back() {
    PHX_ASSERT(size_ > 0, "only a vector with items is popped");
    --size_;
  }
  constexpr void resize(std::size_t size) {
    PHX_ASSERT(size <= Capacity, "a bounded vector is never sized past its bound");
    for (std::size_t i = size_; i < size; ++i) items_[i] = T{};
    size_ = size;
  }
  constexpr void erase_at(std::size_t index) {
    PHX_ASSERT(index < size_, "an erased item exists");
    for (std::size_t i = index + 1; i < size_; ++i) items_[i - 1] = std::move(items_[i]);
    --size_;
  }

  constexpr T& operator[](std::size_t index) {
    PHX_ASSERT(index < size_, "an index is below the size");
    return items_[index];
  }
  constexpr const T& operator[](std::size_t index) const {
    PHX_ASSERT(index < size_, "an index is below the size");
    return items_[index];
  }
  constexpr T& back() { return (*this)[size_ - 1]; }
  constexpr const T& back() const { return (*this)[size_ - 1]; }
  constexpr const T& front() const { return (*this)[0]; }
  constexpr T* data() { return items_.data(); }
  constexpr const T* data() const { return items_.data(); }
  constexpr iterator begin() { return items_.data(); }
  constexpr iterator end() { return items_.data() + size_; }
  constexpr const_iterator begin() const { return items_.data(); }
  constexpr const_iterator end() const { return items_.data() + size_; }

 private:
  std::array<T, Capacity> items_{};
  std::size_t size_ = 0;
};

}  // namespace phoenix::base
