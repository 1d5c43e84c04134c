#pragma once

#include "base/result.hpp"
#include "base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace phoenix::order {

struct SwitchOptions {
  base::Duration countdown_min = base::seconds{10};
  base::Duration countdown_max = base::seconds{60};  ///< the longest our orders may outlive us
  base::Duration refresh_min = base::seconds{3};
  int share_percent = 25;  ///< of the weight limit, for the refreshes of all symbols; 1..100
};
/// What the refreshes cost, from the one weight table and the venue's limits.
struct SwitchLoad {
  std::size_t symbols = 0;
  int weight_per_refresh = 0;
  int weight_limit_per_minute = 0;
};
/// How often each symbol's countdown is sent again, and how long it runs: the promise about dead processes.
struct SwitchPlan {
  base::Duration refresh{};
  base::Duration countdown{};
  friend constexpr bool operator==(const SwitchPlan&, const SwitchPlan&) = default;
};
/// Too many symbols for the weight limit: what they would need, and how many fit.
struct SwitchMisfit {
  base::Duration refresh_needed{};
  base::Duration countdown_needed{};
  base::Duration countdown_max{};
  std::size_t symbols = 0, symbols_max = 0;
  friend constexpr bool operator==(const SwitchMisfit&, const SwitchMisfit&) = default;
};

/// The shortest refresh, in whole milliseconds, that keeps all symbols within the share of the limit; the
/// countdown is at least three of them, so that two in a row may be lost.
base::Result<SwitchPlan, SwitchMisfit> plan_switch(const SwitchOptions& options, const SwitchLoad& load);

/// Whether the data our quotes rest on is proved right now. Never "the process runs": a well process with a
/// dead feed has to let the switch fire.
enum class Health : std::uint8_t { healthy, unhealthy };

/// For the incident log.
enum class SwitchChange : std::uint8_t {
  armed,    ///< a countdown is known to run at the venue
  lapsed,   ///< it may have run out: the venue cancels what is open, and protects nothing new
  disarmed  ///< the venue stopped it as we asked
};

struct SwitchTimers {
  base::Duration retry_after = base::milliseconds{500};  ///< an answer that takes longer is taken for lost
  base::Duration margin = base::milliseconds{500};  ///< taken off the end: an order has to get there in time
};

/// The exchange-side countdown of one symbol (cancel all its orders after N ms), as far as we may rely on it:
/// each refresh replaces the countdown before it, and none is sent while the data is not healthy.
///
/// The caller asks `wants_refresh` and `wants_disarm` after every step, sends, and tells it; if it cannot
/// send it tells `failed`. Times are those of the sending: the venue started its countdown later, so it does
/// not run out before we think.
///
/// Disarming: begin_disarm() once the venue lists no order of ours and none is unknown; refreshes end, and a
/// countdown of 0 is wanted until the venue accepted it. To begin again, make a new one. No I/O, no clock, no
/// allocation. One thread.
class DeadManSwitch {
 public:
  explicit DeadManSwitch(SwitchPlan plan, SwitchTimers timers = {});

  /// How soon after an arming the second refresh follows (0 to the refresh interval; 0 = the interval), so
  /// that symbols armed together do not go on refreshing together.
  void set_phase(base::Duration phase);

  /// The first one at once, then one each interval; a lost or failed one again after `retry_after`.
  bool wants_refresh(Health health, base::LocalTime now) const;
  void refresh_sent(base::LocalTime now);
  /// The venue accepted the refresh sent at `sent_at`. Late and repeated answers do no harm.
  void refresh_accepted(base::LocalTime sent_at);
  /// What was sent last was refused, or what is wanted could not be sent.
  void failed(base::LocalTime now);

  void begin_disarm();
  /// A countdown of 0 is to be sent. Not while a refresh is under way that could arrive after it.
  bool wants_disarm(base::LocalTime now) const;
  void disarm_sent(base::LocalTime now);
  void disarm_accepted();

  /// A countdown runs at the venue and has more than the margin left: orders sent now are protected.
  bool is_armed(base::LocalTime now) const;
  /// When `is_armed` ends unless another refresh is accepted; empty while no countdown is known to run or to
  /// have run.
  std::optional<base::LocalTime> lapses_at() const;
  /// No countdown of ours is left at the venue: none was ever sent, or the disarming was accepted.
  bool is_disarmed() const { return disarmed_ || !last_sent_; }
  /// How long the venue waits after the last refresh.
  base::Duration effective() const { return plan_.countdown; }

  /// What changed since it was last asked; each change is told once.
  std::optional<SwitchChange> take_change(base::LocalTime now);
  /// When to ask again: a refresh or the disarming becomes wanted (a time in the past: now), or the countdown
  /// lapses. `health` as known now; when it changes, ask again.
  std::optional<base::LocalTime> next_deadline(Health health) const;

 private:
  bool may_send(base::LocalTime now) const { return !next_request_ || now >= *next_request_; }

  SwitchPlan plan_;
  SwitchTimers timers_;
  base::Duration phase_{};
  std::optional<base::LocalTime> last_sent_;     ///< the newest refresh
  std::optional<base::LocalTime> armed_from_;    ///< the newest refresh that was accepted
  std::optional<base::LocalTime> next_request_;  ///< empty: at once
  bool under_way_ = false;                       ///< a request without an answer yet
  bool disarming_ = false, disarm_sent_ = false, disarmed_ = false;
  bool told_armed_ = false, told_disarmed_ = false;
};

}  // namespace phoenix::order
