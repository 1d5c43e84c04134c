#include "record/extreme.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace phoenix::record {

ExtremeMode::ExtremeMode(const ExtremeOptions& options) : options_(options) {
  PHX_ASSERT(options.rows_threshold > 0, "the threshold is above zero");
  PHX_ASSERT(options.rotate_interval >= base::seconds{1} && options.rotate_interval <= base::hours{1},
             "a rotation takes between a second and an hour");
  samples_.reserve(static_cast<std::size_t>(options.rotate_interval / base::seconds{1}) + 2);
}

base::Duration ExtremeMode::interval() const {
  return mode_ == Mode::extreme ? std::min(options_.extreme_interval, options_.rotate_interval)
                                : options_.rotate_interval;
}

std::uint64_t ExtremeMode::rows_in_window(std::uint64_t rows_total, base::LocalTime now) {
  // One sample before the window's begin stays: what came since then is an upper bound by at most a second.
  while (samples_.size() > 1 && samples_[1].at <= now - options_.rotate_interval)
    samples_.erase(samples_.begin());
  if (samples_.empty() || now - samples_.back().at >= base::seconds{1}) samples_.push_back({now, rows_total});
  return rows_total - std::min(rows_total, samples_.front().rows_total);
}

std::optional<ExtremeMode::Change> ExtremeMode::step(std::uint64_t rows_total, base::Duration queue_age,
                                                     base::LocalTime now) {
  const std::uint64_t rows = rows_in_window(rows_total, now);
  const bool old_queue = queue_age > options_.queue_age_max;
  if (mode_ == Mode::normal) {
    if (rows < options_.rows_threshold && !old_queue) return std::nullopt;
    mode_ = Mode::extreme;
  } else {
    const bool calm = rows < options_.rows_threshold * 7 / 10 && !old_queue;
    if (!calm || now - since_ < options_.dwell) return std::nullopt;
    mode_ = Mode::normal;
  }
  since_ = now;
  return Change{mode_, rows, queue_age, interval()};
}

}  // namespace phoenix::record
