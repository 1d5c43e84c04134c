#pragma once

#include "base/assert.hpp"

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace phoenix::base {

/// What every bound reports: how often it was hit and how full it has been.
struct RingStats {
  std::uint64_t pushed = 0;
  std::uint64_t dropped = 0;     ///< refused because full; the producer decides what that means
  std::uint64_t high_water = 0;  ///< items (SpscRing) or bytes (ByteRing)
  std::uint64_t capacity = 0;
};

inline constexpr std::size_t cache_line_bytes = 64;

namespace ring_detail {

/// Counters written by the producer alone and read by anyone.
class ProducerCounters {
 public:
  /// True when `depth` would be a new high-water mark.
  bool is_new_high(std::uint64_t depth) const { return depth > high_water_.load(std::memory_order_relaxed); }
  void pushed(std::uint64_t depth) {
    add(pushed_);
    if (is_new_high(depth)) high_water_.store(depth, std::memory_order_relaxed);
  }
  void dropped() { add(dropped_); }
  RingStats read(std::uint64_t capacity) const {
    return {pushed_.load(std::memory_order_relaxed), dropped_.load(std::memory_order_relaxed),
            high_water_.load(std::memory_order_relaxed), capacity};
  }

 private:
  static void add(std::atomic<std::uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  std::atomic<std::uint64_t> pushed_{0}, dropped_{0}, high_water_{0};
};

}  // namespace ring_detail

/// Bounded queue between exactly one producer thread and one consumer thread. Never blocks, never allocates
/// after construction. Full: `try_push` returns false and counts it; the caller owns the policy.
template <class T>
class SpscRing {
 public:
  /// Capacity is rounded up to a power of two.
  explicit SpscRing(std::size_t capacity) : items_(std::bit_ceil(capacity)), mask_(items_.size() - 1) {
    PHX_ASSERT(capacity > 0, "a ring has room");
  }

  /// Producer thread only.
  bool try_push(T value) {
    const auto tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_cache_ > mask_) {
      head_cache_ = head_.load(std::memory_order_acquire);
      if (tail - head_cache_ > mask_) {
        counters_.dropped();
        return false;
      }
    }
    items_[tail & mask_] = std::move(value);
    tail_.store(tail + 1, std::memory_order_release);
    // A stale head would make every ring look full sooner or later; it is read again only for a new mark.
    if (counters_.is_new_high(tail + 1 - head_cache_)) head_cache_ = head_.load(std::memory_order_acquire);
    counters_.pushed(tail + 1 - head_cache_);
    return true;
  }

  /// Consumer thread only.
  std::optional<T> try_pop() {
    const auto head = head_.load(std::memory_order_relaxed);
    if (head == tail_cache_) {
      tail_cache_ = tail_.load(std::memory_order_acquire);
      if (head == tail_cache_) return std::nullopt;
    }
    std::optional<T> value{std::move(items_[head & mask_])};
    head_.store(head + 1, std::memory_order_release);
    return value;
  }

  /// Any thread; a snapshot.
  std::size_t size() const {
    const auto head = head_.load(std::memory_order_acquire);
    return tail_.load(std::memory_order_acquire) - head;
  }
  bool empty() const { return size() == 0; }
  /// Any thread. `high_water` is the depth a push left behind, the consumer's progress since included.
  RingStats stats() const { return counters_.read(items_.size()); }

 private:
  std::vector<T> items_;
  std::size_t mask_;
  alignas(cache_line_bytes) std::atomic<std::size_t> head_{0};
  std::size_t tail_cache_ = 0;
  alignas(cache_line_bytes) std::atomic<std::size_t> tail_{0};
  std::size_t head_cache_ = 0;
  ring_detail::ProducerCounters counters_;
};

/// Bounded queue of byte records of any length between one producer and one consumer thread. A record is
/// contiguous, so the consumer reads it in place. Records longer than half the ring are refused.
class ByteRing {
 public:
  explicit ByteRing(std::size_t capacity_bytes)
      : capacity_(std::bit_ceil(capacity_bytes)), bytes_(std::make_unique<std::byte[]>(capacity_)) {
    PHX_ASSERT(capacity_ >= 64, "a byte ring holds at least one small record");
  }

  /// Producer thread only. Appends `head` and `body` as one record; false (counted) when there is no room.
  bool try_push(std::span<const std::byte> head, std::span<const std::byte> body) {
    const std::size_t length = head.size() + body.size();
    const std::size_t need = record_bytes(length);
    if (need > capacity_ / 2) return refuse();
    auto tail = tail_.load(std::memory_order_relaxed);
    const std::size_t room_to_edge = capacity_ - (tail & (capacity_ - 1));
    const std::size_t skip = need > room_to_edge ? room_to_edge : 0;
    if (tail + skip + need - head_cache_ > capacity_) {
      head_cache_ = head_.load(std::memory_order_acquire);
      if (tail + skip + need - head_cache_ > capacity_) return refuse();
    }
    if (skip != 0) {
      write_length(tail, wrap_mark);
      tail += skip;
    }
    write_length(tail, length);
    std::byte* to = at(tail) + length_bytes;
    if (!head.empty()) std::memcpy(to, head.data(), head.size());
    if (!body.empty()) std::memcpy(to + head.size(), body.data(), body.size());
    tail_.store(tail + need, std::memory_order_release);
    if (counters_.is_new_high(tail + need - head_cache_)) head_cache_ = head_.load(std::memory_order_acquire);
    counters_.pushed(tail + need - head_cache_);
    return true;
  }

  /// Consumer thread only. The oldest record, valid until `pop`; empty optional when there is none.
  std::optional<std::span<const std::byte>> front() {
    auto head = head_.load(std::memory_order_relaxed);
    if (head == tail_cache_) {
      tail_cache_ = tail_.load(std::memory_order_acquire);
      if (head == tail_cache_) return std::nullopt;
    }
    std::uint64_t length = read_length(head);
    if (length == wrap_mark) {
      head += capacity_ - (head & (capacity_ - 1));
      head_.store(head, std::memory_order_release);
      length = read_length(head);
    }
    seen_bytes_ = record_bytes(static_cast<std::size_t>(length));
    return std::span<const std::byte>{at(head) + length_bytes, static_cast<std::size_t>(length)};
  }

  /// Consumer thread only, after `front` gave a record.
  void pop() {
    PHX_ASSERT(seen_bytes_ != 0, "only a record that was seen is popped");
    head_.store(head_.load(std::memory_order_relaxed) + seen_bytes_, std::memory_order_release);
    seen_bytes_ = 0;
  }

  std::size_t size_bytes() const {
    const auto head = head_.load(std::memory_order_acquire);
    return tail_.load(std::memory_order_acquire) - head;
  }
  RingStats stats() const { return counters_.read(capacity_); }

 private:
  static constexpr std::size_t length_bytes = 8;
  static constexpr std::uint64_t wrap_mark = ~std::uint64_t{0};
  static std::size_t record_bytes(std::size_t length) { return length_bytes + (length + 7) / 8 * 8; }

  bool refuse() {
    counters_.dropped();
    return false;
  }
  std::byte* at(std::size_t position) { return bytes_.get() + (position & (capacity_ - 1)); }
  void write_length(std::size_t position, std::uint64_t length) { std::memcpy(at(position), &length, 8); }
  std::uint64_t read_length(std::size_t position) {
    std::uint64_t length;
    std::memcpy(&length, at(position), 8);
    return length;
  }

  std::size_t capacity_;
  std::unique_ptr<std::byte[]> bytes_;
  alignas(cache_line_bytes) std::atomic<std::size_t> head_{0};
  std::size_t tail_cache_ = 0;
  std::size_t seen_bytes_ = 0;  ///< length of the record `front` showed; 0 when none is shown
  alignas(cache_line_bytes) std::atomic<std::size_t> tail_{0};
  std::size_t head_cache_ = 0;
  ring_detail::ProducerCounters counters_;
};

/// One newest value per key between one producer and one consumer thread. Writing over a value that was not
/// yet taken is the policy (conflation) and is counted. Each slot is a triple buffer: neither side waits.
template <class T>
class NewestSlots {
 public:
  explicit NewestSlots(std::size_t keys) : slots_(keys) {}

  /// Producer thread only.
  void put(std::size_t key, T value) {
    PHX_ASSERT(key < slots_.size(), "a slot's key is in range");
    Slot& slot = slots_[key];
    slot.buffers[slot.writing] = std::move(value);
    const auto old =
        slot.shared.exchange(static_cast<std::uint8_t>(slot.writing | fresh), std::memory_order_acq_rel);
    if ((old & fresh) != 0)
      conflated_.store(conflated_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    slot.writing = old & index_mask;
  }

  /// Consumer thread only. The newest value not yet taken; valid until the next `take` of this key.
  const T* take(std::size_t key) {
    PHX_ASSERT(key < slots_.size(), "a slot's key is in range");
    Slot& slot = slots_[key];
    if ((slot.shared.load(std::memory_order_relaxed) & fresh) == 0) return nullptr;
    const auto old = slot.shared.exchange(slot.reading, std::memory_order_acq_rel);
    slot.reading = old & index_mask;
    return &slot.buffers[slot.reading];
  }

  std::size_t keys() const { return slots_.size(); }
  /// Values overwritten before they were taken. Any thread.
  std::uint64_t conflated() const { return conflated_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::uint8_t fresh = 4;
  static constexpr std::uint8_t index_mask = 3;
  struct Slot {
    T buffers[3]{};
    alignas(cache_line_bytes) std::atomic<std::uint8_t> shared{0};
    alignas(cache_line_bytes) std::uint8_t writing = 1;
    alignas(cache_line_bytes) std::uint8_t reading = 2;
  };
  std::vector<Slot> slots_;
  alignas(cache_line_bytes) std::atomic<std::uint64_t> conflated_{0};
};

}  // namespace phoenix::base
