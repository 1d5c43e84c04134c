#include "signal/window.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace phoenix::signal {

Moments::Moments(std::size_t capacity) : values_(capacity) {
  PHX_ASSERT(capacity >= 2, "a window holds at least two values");
}

void Moments::push(double value) {
  const double old = values_[next_];
  values_[next_] = value;
  next_ = next_ + 1 == values_.size() ? 0 : next_ + 1;
  if (size_ < values_.size()) {
    ++size_;
    const double away = value - mean_;
    mean_ += away / static_cast<double>(size_);
    squares_ += away * (value - mean_);
  } else {
    const double mean_before = mean_;
    mean_ += (value - old) / static_cast<double>(size_);
    squares_ += (value - old) * (value - mean_ + old - mean_before);
  }
  squares_peak_ = std::max(squares_peak_, squares_);
  constexpr double rounding_part = 1e-4;
  if (next_ == 0 || squares_ < squares_peak_ * rounding_part) recompute();
}

void Moments::recompute() {
  double sum = 0;
  for (std::size_t i = 0; i < size_; ++i) sum += values_[i];
  mean_ = sum / static_cast<double>(size_);
  squares_ = 0;
  for (std::size_t i = 0; i < size_; ++i) squares_ += (values_[i] - mean_) * (values_[i] - mean_);
  squares_peak_ = squares_;
}

void Moments::clear() {
  size_ = next_ = 0;
  mean_ = squares_ = squares_peak_ = 0;
}

double Moments::sample_deviation() const {
  return size_ < 2 ? 0 : std::sqrt(squares_ / static_cast<double>(size_ - 1));
}

double Moments::population_deviation() const {
  return size_ < 2 ? 0 : std::sqrt(squares_ / static_cast<double>(size_));
}

SortedWindow::SortedWindow(std::size_t capacity) : capacity_{capacity} {
  PHX_ASSERT(capacity > 0, "a window has room");
  arrived_.reserve(capacity);
  sorted_.reserve(capacity);
}

void SortedWindow::push(double value) {
  if (!full()) {
    const auto place = static_cast<std::ptrdiff_t>(ranks_of(value, value).a);
    arrived_.push_back(value);
    sorted_.insert(sorted_.begin() + place, value);
    return;
  }
  const double old = arrived_[next_];
  arrived_[next_] = value;
  next_ = next_ + 1 == capacity_ ? 0 : next_ + 1;
  const auto [place, gone] = ranks_of(value, old);
  double* const values = sorted_.data();
  if (gone < place) {
    std::copy(values + gone + 1, values + place, values + gone);
    values[place - 1] = value;
  } else {
    std::copy_backward(values + place, values + gone, values + gone + 1);
    values[place] = value;
  }
}

SortedWindow::Ranks SortedWindow::ranks_of(double a, double b) const {
  const std::size_t size = sorted_.size();
  if (size == 0) return {};
  // Which half comes next is as good as random, so a shifted comparison is added where a branch would be
  // guessed wrong half of the time; the two searches go side by side, since each step waits for the one
  // before.
  const double* const begin = sorted_.data();
  const std::size_t power = std::bit_floor(size);
  const double* at_a = begin[power - 1] < a ? begin + (size - power) : begin;
  const double* at_b = begin[power - 1] < b ? begin + (size - power) : begin;
  for (int shift = std::countr_zero(power) - 1; shift >= 0; --shift) {
    const std::size_t last = (std::size_t{1} << shift) - 1;
    at_a += static_cast<std::size_t>(at_a[last] < a) << shift;
    at_b += static_cast<std::size_t>(at_b[last] < b) << shift;
  }
  return {static_cast<std::size_t>(at_a - begin) + static_cast<std::size_t>(*at_a < a),
          static_cast<std::size_t>(at_b - begin) + static_cast<std::size_t>(*at_b < b)};
}

void SortedWindow::clear() {
  arrived_.clear();
  sorted_.clear();
  next_ = 0;
}

double SortedWindow::median() const {
  PHX_ASSERT(!sorted_.empty(), "only a window with values has a median");
  const std::size_t half = sorted_.size() / 2;
  return sorted_.size() % 2 == 1 ? sorted_[half] : (sorted_[half - 1] + sorted_[half]) / 2;
}

double SortedWindow::mad() const {
  const double middle = median();
  // The deviations are two ordered lists: below the middle, read downwards, and from the middle up. The
  // search finds how many of the smallest half come from below; the lists' last and next ones then stand
  // around the median.
  const std::size_t size = sorted_.size(), split = size / 2, taken = (size + 1) / 2;
  const double* const values = sorted_.data() + split;
  const auto below = [&](std::size_t i) { return middle - *(values - 1 - static_cast<std::ptrdiff_t>(i)); };
  const auto above = [&](std::size_t i) { return values[i] - middle; };
  std::size_t low = 0, left = std::min(taken, split);
  while (left > 0) {
    const std::size_t half = left / 2, probe = low + half;
    if (above(taken - probe - 1) > below(probe)) {
      low = probe + 1;
      left -= half + 1;
    } else {
      left = half;
    }
  }
  const std::size_t rest = taken - low;
  const double last = std::max(low > 0 ? below(low - 1) : 0, rest > 0 ? above(rest - 1) : 0);
  if (size % 2 == 1) return last;
  const double next_below = low < split ? below(low) : above(size - split - 1);
  const double next_above = rest < size - split ? above(rest) : below(split - 1);
  return (last + std::min(next_below, next_above)) / 2;
}

double SortedWindow::quantile(double q) const {
  PHX_ASSERT(!sorted_.empty(), "only a window with values has a quantile");
  PHX_ASSERT(q >= 0 && q <= 1, "a quantile lies between 0 and 1");
  return sorted_[static_cast<std::size_t>(q * static_cast<double>(sorted_.size() - 1))];
}

EventCount::EventCount(base::Duration span, std::size_t entries_max)
    : span_ms_{std::chrono::ceil<base::milliseconds>(span).count()}, entries_(entries_max) {
  PHX_ASSERT(span_ms_ > 0, "events are counted over some time");
  PHX_ASSERT(entries_max >= 2, "the oldest entry has one to join");
}

void EventCount::add(base::VenueTime now) {
  advance(now);
  const std::int64_t ms = base::ms_of(now);
  ++count_;
  if (size_ > 0) {
    Entry& last = at(size_ - 1);
    if (last.ms == ms) {
      ++last.events;
      return;
    }
  }
  if (size_ == entries_.size()) {
    const std::int64_t events = entries_[first_].events;
    at(1).events += events;
    merged_ += events;
    drop_oldest();
  }
  at(size_++) = {ms, 1};
}

void EventCount::advance(base::VenueTime now) {
  const std::int64_t ms = base::ms_of(now);
  while (size_ > 0 && ms - entries_[first_].ms >= span_ms_) {
    count_ -= entries_[first_].events;
    drop_oldest();
  }
}

void EventCount::drop_oldest() {
  first_ = first_ + 1 == entries_.size() ? 0 : first_ + 1;
  --size_;
}

void EventCount::clear() {
  first_ = size_ = 0;
  count_ = 0;
}

}  // namespace phoenix::signal
