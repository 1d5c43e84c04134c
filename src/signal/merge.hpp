#pragma once

#include "base/assert.hpp"
#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/side.hpp"
#include "signal/ofi.hpp"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace phoenix::signal {

/// The best levels after one update of the book.
struct BookSample {
  base::VenueTime event_time{};
  base::LocalTime recv_time{};
  std::int64_t last_id = 0;
  TopLevels levels;
};

struct TradeSample {
  base::VenueTime event_time{};
  base::LocalTime recv_time{};
  std::int64_t id = 0;
  model::Price price;
  model::Qty qty;
  std::optional<model::Side> aggressor;
};

constexpr std::int64_t id_of(const BookSample& sample) { return sample.last_id; }
constexpr std::int64_t id_of(const TradeSample& sample) { return sample.id; }

template <class Sample>
struct Pending {
  Sample sample;
  bool after_hole = false;  ///< something is missing between this one and the one before
};

/// Samples of one stream in the order of (event time, id), in a ring of fixed size. Nearly all arrive in
/// order, so an insertion looks at the last place first.
template <class Sample>
class PendingQueue {
 public:
  explicit PendingQueue(std::size_t capacity) : items_(capacity) {
    PHX_ASSERT(capacity > 0, "a queue has room");
  }

  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == items_.size(); }
  const Pending<Sample>& front() const { return items_[first_]; }
  void insert(const Sample& sample, bool after_hole) {
    PHX_ASSERT(!full(), "room is made before a sample is inserted");
    std::size_t place = size_++;
    while (place > 0 && is_before(sample, at(place - 1).sample)) {
      at(place) = at(place - 1);
      --place;
    }
    at(place) = {sample, after_hole};
  }
  void pop() {
    PHX_ASSERT(!empty(), "only a queue with samples is popped");
    first_ = first_ + 1 == items_.size() ? 0 : first_ + 1;
    --size_;
  }

 private:
  static bool is_before(const Sample& a, const Sample& b) {
    return a.event_time != b.event_time ? a.event_time < b.event_time : id_of(a) < id_of(b);
  }
  Pending<Sample>& at(std::size_t place) {
    const std::size_t index = first_ + place;
    return items_[index < items_.size() ? index : index - items_.size()];
  }

  std::vector<Pending<Sample>> items_;
  std::size_t first_ = 0, size_ = 0;
};

}  // namespace phoenix::signal
