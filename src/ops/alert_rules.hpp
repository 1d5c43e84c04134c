#pragma once

#include "base/time.hpp"
#include "ops/status.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace phoenix::ops {

/// How soon a person should look: within half an hour, within five minutes, now.
enum class AlertLevel : std::uint8_t { warning = 1, severe = 2, critical = 3 };
std::string_view name(AlertLevel level);

/// What Phoenix does by itself while an alert lasts; `kill` sets the kill latch and outlasts it.
enum class AlertAction : std::uint8_t { none, reduce_only, hold, kill };
inline constexpr std::array<std::string_view, 4> alert_action_names{"none", "reduce_only", "hold", "kill"};
constexpr std::string_view name(AlertAction action) {
  return alert_action_names[static_cast<std::size_t>(action)];
}

/// What a value is compared as: itself, or how much it grew over the rule's window.
enum class AlertMeasure : std::uint8_t { value, increase };
enum class AlertSide : std::uint8_t { above, below };
/// What a rule's subjects are.
enum class AlertAbout : std::uint8_t { all, symbol, connection, ring };
/// Whether holding a symbol would keep the alert alive that asked for it.
enum class AlertHolding : std::uint8_t { allowed, would_feed_itself };

/// Takes the value of one subject; of AlertAbout::all the subject is empty.
using AlertReadings = std::function<void(std::string_view subject, double value)>;

/// One condition, as data: what is looked at, from when on it is an alert, and what helps. The same table
/// makes what Phoenix itself evaluates, the rules for Prometheus and the documentation.
struct AlertRule {
  std::string_view name = {};  ///< in lower case with underscores
  AlertLevel level = AlertLevel::warning;
  AlertAction action = AlertAction::none;
  AlertAbout about = AlertAbout::all;
  AlertHolding holding = AlertHolding::allowed;
  AlertMeasure measure = AlertMeasure::value;
  base::Duration window{};  ///< of an increase
  AlertSide side = AlertSide::above;
  double threshold = 0;        ///< the alert is on while the value lies strictly beyond
  double hysteresis = 0;       ///< share of the threshold by which the value has to come back
  base::Duration dwell{};      ///< so long without a break before anybody is told
  std::string_view unit = {};  ///< of value and threshold; empty: a count
  std::string_view what = {};  ///< what is wrong, one clause
  std::string_view help = {};  ///< what to look at or to do, one line
  std::string_view expr = {};  ///< the value as PromQL, one series for each subject
  std::string_view only = {};  ///< what else has to hold for a subject to have a value, as PromQL after `and`
  void (*read)(const Status& status, base::LocalTime now, const AlertReadings& out) = nullptr;

  /// Where a value has to be back for the alert to be over.
  double clear_at() const;
  bool is_beyond(double value) const {
    return side == AlertSide::above ? value > threshold : value < threshold;
  }
  bool is_back(double value) const {
    return side == AlertSide::above ? value <= clear_at() : value >= clear_at();
  }
};

/// All rules at their defaults, worst first.
std::span<const AlertRule> alert_rules();
const AlertRule* find_alert_rule(std::string_view name);

/// A value with its unit, for people.
std::string alert_value_text(double value, std::string_view unit);

/// The rules as a Prometheus rules file: equal names in CamelCase under Phoenix, equal thresholds and dwells.
std::string prometheus_rules();
/// PhoenixKillLatched of kill_latched.
std::string prometheus_name(std::string_view rule);

}  // namespace phoenix::ops
