#pragma once

#include "base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace phoenix::signal {

/// Mean and sum of squared deviations of the last `capacity` values, by Welford's update in both directions.
/// Where the squares shrink so far that what is left may be rounding, and once per turn of the window, both
/// are summed anew, so the error never grows with the run.
class Moments {
 public:
  explicit Moments(std::size_t capacity);

  void push(double value);
  void clear();
  std::size_t size() const { return size_; }
  double mean() const { return mean_; }
  /// Of the sample (n - 1); 0 for fewer than two values.
  double sample_deviation() const;
  /// Of the population (n).
  double population_deviation() const;

 private:
  void recompute();

  std::vector<double> values_;
  std::size_t size_ = 0, next_ = 0;
  double mean_ = 0, squares_ = 0, squares_peak_ = 0;
};

/// The last `capacity` values in order, for exact medians. A push costs one search and one move within the
/// window.
class SortedWindow {
 public:
  explicit SortedWindow(std::size_t capacity);

  void push(double value);
  void clear();
  std::size_t size() const { return sorted_.size(); }
  bool full() const { return sorted_.size() == capacity_; }
  /// Of a window that holds a value; the mean of the middle two where their number is even.
  double median() const;
  /// Median absolute deviation from the median, in O(log n).
  double mad() const;
  /// The value at rank floor(q x (n - 1)), q in [0, 1].
  double quantile(double q) const;

 private:
  struct Ranks {
    std::size_t a = 0, b = 0;
  };
  Ranks ranks_of(double a, double b) const;

  std::size_t capacity_, next_ = 0;
  std::vector<double> arrived_, sorted_;
};

/// How many events fell into the last `span` of event time, exactly, for times in whole milliseconds. Events
/// of one millisecond share an entry; beyond `entries_max` the oldest entry joins the next one, so it leaves
/// late, and that is counted.
class EventCount {
 public:
  EventCount(base::Duration span, std::size_t entries_max);

  /// `now` does not go back. An event is in while its age is below the span.
  void add(base::VenueTime now);
  void advance(base::VenueTime now);
  void clear();
  std::int64_t count() const { return count_; }
  std::int64_t merged() const { return merged_; }

 private:
  struct Entry {
    std::int64_t ms = 0;
    std::int64_t events = 0;
  };
  Entry& at(std::size_t place) {
    const std::size_t index = first_ + place;
    return entries_[index < entries_.size() ? index : index - entries_.size()];
  }
  void drop_oldest();

  std::int64_t span_ms_;
  std::vector<Entry> entries_;
  std::size_t first_ = 0, size_ = 0;
  std::int64_t count_ = 0, merged_ = 0;
};

}  // namespace phoenix::signal
