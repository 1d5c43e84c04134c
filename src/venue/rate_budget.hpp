#pragma once

#include "base/static_vector.hpp"
#include "base/time.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace phoenix::venue {

/// What one request costs at the venue. A batch costs each order in the short window and one in the long
/// ones.
struct Cost {
  int weight = 0;
  int orders_short = 0;  ///< against order limits over 10 s or less
  int orders_long = 0;   ///< against order limits over longer intervals
  friend constexpr bool operator==(const Cost&, const Cost&) = default;
};

enum class LimitKind : std::uint8_t {
  weight,   ///< request weight, per IP
  orders,   ///< placed and amended orders, per account
  requests  ///< plain number of requests, per IP
};
struct RateLimit {
  LimitKind kind = LimitKind::weight;
  base::Duration interval{};
  int limit = 0;
  friend constexpr bool operator==(const RateLimit&, const RateLimit&) = default;
};

/// What the venue says has been used, from answer headers or WS-API replies. Negative values mean nothing.
struct Usage {
  LimitKind kind = LimitKind::weight;
  base::Duration interval{};
  int count = 0;
};

/// Which part of a limit a request may use: `routine` the configured share, `vital` (cancels, risk reduction,
/// queries after a fault) all of it.
enum class Priority : std::uint8_t { routine, vital };

/// `fixed`: counted within [n*interval, (n+1)*interval) of UTC. `sliding`: over the last interval in tenths,
/// at least as strict as `fixed`; for limits whose windows the venue does not describe.
enum class Window : std::uint8_t { fixed, sliding };

struct RateBudgetOptions {
  int routine_percent = 80;  ///< 1..100
  Window order_window = Window::sliding;
  base::Duration transit_max =
      base::milliseconds{500};  ///< a request sent this close to a window's end counts in both
  base::Duration backoff_without_hint = base::seconds{60};  ///< after a refusal by a limit we do not know
};

/// One count for everything this IP and account send: our own counts at send time, corrected upwards by what
/// the venue reports. Times are the venue's, because its windows are. Never grants more than the limits
/// known; with none known it grants everything but what a ban forbids. One thread; no allocation.
class RateBudget {
 public:
  static constexpr std::size_t limits_max = 8;

  explicit RateBudget(RateBudgetOptions options = {});

  /// Takes the limits of exchangeInfo; counts of limits that stay are kept. Non-positive ones, ones with an
  /// interval under 1 ms and those beyond `limits_max` are left out; answers how many were taken.
  std::size_t set_limits(std::span<const RateLimit> limits, base::VenueTime now);

  /// Empty: it may be sent now, and `spend` must follow. Otherwise the earliest time at which to ask again;
  /// VenueTime::max() when the cost is larger than a whole limit.
  std::optional<base::VenueTime> blocked_until(const Cost& cost, Priority priority,
                                               base::VenueTime now) const;
  /// Books a request that is being sent, granted or not.
  void spend(const Cost& cost, base::VenueTime now);
  /// What the venue reported for a request sent at `sent`. Only raises a count, and only when the request was
  /// sent in the window that is running: a later window starts from our own count.
  void observe(const Usage& usage, base::VenueTime sent, base::VenueTime now);

  /// 429 for breaking a limit of `kind`: on orders no order goes before the hint or the end of the fullest
  /// such limit's interval, on the others nothing at all goes before the hint or the next window.
  void refused(LimitKind kind, std::optional<base::Duration> retry_after, base::VenueTime now);
  /// 418: nothing at all before `until`. Only ever later than what is known.
  void banned_until(base::VenueTime until);

  /// Used part of the fullest limit of `kind`, in percent, rounded up. 0 when there is no such limit.
  int used_percent(LimitKind kind, base::VenueTime now) const;
  int used(LimitKind kind, base::Duration interval, base::VenueTime now) const;

 private:
  static constexpr std::int64_t slices = 10;  ///< of a sliding window
  /// Counts per slice of time; a fixed window is one slice wide. Holds the newest slice, `slices` before it
  /// and the one after it, where requests count that may arrive there.
  struct Limiter {
    static constexpr std::int64_t held = slices + 2;
    RateLimit limit;
    Window window = Window::fixed;
    std::int64_t newest = 0;  ///< number of the newest slice, counted since 1970
    std::array<std::int64_t, held> counts{};

    std::int64_t slice_ns() const { return limit.interval.count() / (window == Window::fixed ? 1 : slices); }
    /// The slice `time` is in; never one before the newest, because a clock that steps back frees nothing.
    std::int64_t slice_at(base::VenueTime time) const;
    std::int64_t used_at(std::int64_t slice) const;
    std::int64_t& count_of(std::int64_t slice);
    void advance_to(std::int64_t slice);
    base::VenueTime start_of(std::int64_t slice) const { return base::venue_time_ns(slice * slice_ns()); }
    base::VenueTime free_at(std::int64_t cost, std::int64_t allowance, base::VenueTime now) const;
  };

  static int cost_for(const RateLimit& limit, const Cost& cost);
  const Limiter* fullest(LimitKind kind, base::VenueTime now) const;

  RateBudgetOptions options_;
  base::StaticVector<Limiter, limits_max> limiters_;
  base::VenueTime all_blocked_until_{}, orders_blocked_until_{};
};

}  // namespace phoenix::venue
