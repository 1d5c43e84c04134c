#pragma once

#include "base/time.hpp"
#include "ops/alert_rules.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::ops {

enum class AlertKind : std::uint8_t {
  fired,
  still,      ///< reminds of one that lasts
  resolved,   ///< over
  event,      ///< something that happened once
  digest,     ///< what was held back to keep the number of messages bounded
  heartbeat,  ///< nothing happened: told so that silence is noticed
  started,
  stopped,
  test,
};
inline constexpr std::array<std::string_view, 9> alert_kind_names{
    "fired", "still", "resolved", "event", "digest", "heartbeat", "started", "stopped", "test"};
constexpr std::string_view name(AlertKind kind) { return alert_kind_names[static_cast<std::size_t>(kind)]; }

/// What one of a rule's subjects shows.
struct AlertSubject {
  std::string name;   ///< empty: the whole program
  std::string value;  ///< with unit
  friend bool operator==(const AlertSubject&, const AlertSubject&) = default;
};

/// One message for people, before it is put into any channel's words.
struct AlertMessage {
  AlertKind kind = AlertKind::event;
  AlertLevel level = AlertLevel::warning;
  base::LocalTime at{};
  std::string instance;  ///< which Phoenix says it
  std::string rule;      ///< empty where none stands behind it
  std::string what;
  std::vector<AlertSubject> subjects;
  std::string threshold;
  AlertAction action = AlertAction::none;
  std::string help;
  base::Duration lasted{};         ///< of a resolved one and a reminder
  std::vector<std::string> lines;  ///< more of it: what a digest or a heartbeat lists
  friend bool operator==(const AlertMessage&, const AlertMessage&) = default;
};

}  // namespace phoenix::ops
