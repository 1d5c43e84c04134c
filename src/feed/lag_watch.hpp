#pragma once

#include "base/time.hpp"

#include <array>
#include <cstddef>
#include <optional>

namespace phoenix::feed {

struct LagWatchOptions {
  base::Duration limit = base::seconds{1};
  base::Duration calm_for = base::seconds{2};  ///< below half the limit for this long = in time again
};

/// Whether a stream that flows brings old news: event time against the tracked clock. Delayed at once beyond
/// the limit; in time again after a calm, and no more often than keeps it at `flips_max` flips a minute: the
/// way back waits, the alarm never does. Changes with frames only. Lags below 0 are the clock's error and
/// fine.
class LagWatch {
 public:
  static constexpr int flips_max = 6;  ///< in any minute, both ways counted

  enum class Timeliness : std::uint8_t { in_time, delayed };
  struct Change {
    Timeliness to = Timeliness::in_time;
    base::Duration lag{};     ///< of the frame that made the change
    base::Duration lasted{};  ///< how long it was otherwise; 0 for the first
  };

  explicit LagWatch(LagWatchOptions options = {}) : options_(options) {}

  void frame(base::Duration lag, base::LocalTime now) {
    lag_ = lag;
    if (lag >= options_.limit / 2) {
      calm_since_.reset();
    } else if (!calm_since_) {
      calm_since_ = now;
    }
    if (!is_delayed() && lag > options_.limit) {
      flip(Timeliness::delayed, now);
    } else if (is_delayed() && calm_since_ && now - *calm_since_ >= options_.calm_for && may_go_back(now)) {
      flip(Timeliness::in_time, now);
    }
  }

  bool is_delayed() const { return timeliness_ == Timeliness::delayed; }
  /// Of the newest frame; 0 before the first.
  base::Duration lag() const { return lag_; }
  std::optional<base::LocalTime> delayed_since() const {
    return is_delayed() ? flips_[newest_flip_] : std::nullopt;
  }
  /// The change since the last time this was asked; empty if it went there and back.
  std::optional<Change> take_change() {
    const auto change = change_;
    change_.reset();
    return change;
  }

 private:
  /// The way back is followed by an alarm at any time, so it must leave room for one.
  static constexpr std::size_t flips_kept = flips_max - 1;

  bool may_go_back(base::LocalTime now) const {
    const auto oldest = flips_[(newest_flip_ + 1) % flips_kept];
    return !oldest || now - *oldest >= base::minutes{1};
  }
  void flip(Timeliness to, base::LocalTime now) {
    const auto before = flips_[newest_flip_];
    newest_flip_ = (newest_flip_ + 1) % flips_kept;
    flips_[newest_flip_] = now;
    timeliness_ = to;
    if (change_) {
      change_.reset();
    } else {
      change_ = Change{to, lag_, before ? now - *before : base::Duration{0}};
    }
  }

  LagWatchOptions options_;
  Timeliness timeliness_ = Timeliness::in_time;
  base::Duration lag_{};
  std::optional<base::LocalTime> calm_since_;
  std::array<std::optional<base::LocalTime>, flips_kept> flips_{};
  std::size_t newest_flip_ = 0;
  std::optional<Change> change_;
};

}  // namespace phoenix::feed
