#pragma once

#include "base/time.hpp"
#include "ops/alert_message.hpp"
#include "ops/alert_rules.hpp"
#include "ops/status.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace phoenix::ops {

struct AlertOptions {
  std::vector<AlertRule> rules;  ///< those that are in force
  std::string instance;
  base::Duration clear_dwell = base::seconds{10};  ///< a value has to be back so long
  /// Between two messages about the same alert while it lasts, by level; 0: told once.
  std::array<base::Duration, 3> repeat{base::hours{4}, base::minutes{30}, base::minutes{5}};
  base::Duration heartbeat = base::hours{24};  ///< 0: none
  /// Messages a minute, and at once, of level 3 and of the others each; what is beyond goes into a digest.
  std::uint32_t per_minute = 10;
  base::Duration digest_interval = base::minutes{1};
};

/// What a symbol may do as far as alerts are concerned; the last word about it holds.
struct AlertRestraint {
  std::string symbol;                    ///< empty: all
  AlertAction wish = AlertAction::none;  ///< none, reduce_only or hold
  std::string reason;                    ///< rule and subject; empty for none
  friend bool operator==(const AlertRestraint&, const AlertRestraint&) = default;
};
/// The kill latch is to be set.
struct AlertKill {
  std::string reason;
  friend bool operator==(const AlertKill&, const AlertKill&) = default;
};
using AlertAct = std::variant<AlertMessage, AlertRestraint, AlertKill>;

struct ActiveAlert {
  std::string_view rule;
  AlertLevel level = AlertLevel::warning;
  AlertAction action = AlertAction::none;
  std::string subject, value, what, help;
  base::LocalTime since{};
};

/// Judges statuses by rules. A condition is told once when it has lasted its dwell, reminded of while it
/// lasts, and told again when it is over. Conditions of one rule that begin or end together are one message.
///
///   quiet -> pending   beyond the threshold
///   pending -> quiet   back before the dwell is over
///   pending -> firing  the dwell is over: told, acted on
///   firing -> clearing back by the hysteresis
///   clearing -> firing beyond again: nothing is told
///   clearing -> quiet  back for clear_dwell: told, the action ends (a kill latch stays)
///
/// Bounded: alerts_max conditions are tracked, others are counted in `untracked`.
class Alerts {
 public:
  static constexpr std::size_t tracks_max = 4096;

  explicit Alerts(AlertOptions options);

  /// Call it a few times a second with the newest status. Appends what is to be done, in order.
  void step(const Status& status, base::LocalTime now, std::vector<AlertAct>& out);
  /// A message that no rule stands behind, under the same bounds.
  void tell(AlertMessage message, base::LocalTime now, std::vector<AlertAct>& out);

  /// What fires now, worst first.
  std::vector<ActiveAlert> active() const;
  /// Messages held back so far; they were named in a digest, or will be.
  std::uint64_t held_back() const { return held_back_; }
  std::uint64_t untracked() const { return untracked_; }

 private:
  using Out = std::vector<AlertAct>;
  enum class State : std::uint8_t { quiet, pending, firing, clearing };
  struct Sample {
    base::LocalTime at{};
    double value = 0;
  };
  struct Track {
    State state = State::quiet;
    base::LocalTime since{};  ///< of the state
    base::LocalTime fired_at{}, told_at{};
    double value = 0;
    std::uint64_t seen = 0;      ///< the step that last saw the subject
    std::deque<Sample> samples;  ///< of an increase
  };
  using Key = std::pair<std::size_t, std::string>;  ///< rule, subject
  struct Bucket {
    double tokens = 0;
    base::LocalTime at{};
  };
  struct Group;

  void judge(std::size_t rule, std::string_view subject, double value, base::LocalTime now);
  std::optional<double> increase(const AlertRule& rule, Track& track, double value, base::LocalTime now);
  void advance(const AlertRule& rule, Track& track, bool is_absent, base::LocalTime now);
  void tell_changes(base::LocalTime now, Out& out);
  void restrain(Out& out);
  void beat(const Status& status, base::LocalTime now, Out& out);
  void digest(base::LocalTime now, Out& out);
  void post(AlertMessage message, base::LocalTime now, Out& out);
  AlertMessage message(AlertKind kind, base::LocalTime now) const;

  AlertOptions options_;
  std::map<Key, Track> tracks_;
  std::vector<std::pair<Key, AlertKind>> changes_;  ///< of this step
  std::map<std::string, std::pair<AlertAction, std::string>> restraints_;
  std::array<Bucket, 2> buckets_;
  std::map<std::pair<std::string, AlertKind>, std::uint64_t> waiting_digest_;
  std::optional<base::LocalTime> next_digest_, next_heartbeat_, begin_;
  std::uint64_t step_ = 0, held_back_ = 0, untracked_ = 0;
};

}  // namespace phoenix::ops
