#include "app/alert_config.hpp"
#include "app/commands.hpp"
#include "app/config.hpp"
#include "io/clock.hpp"
#include "io/notifier.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::app {
namespace {

std::string_view side_text(const ops::AlertRule& rule) {
  return rule.side == ops::AlertSide::above ? "above" : "below";
}
std::string threshold_text(const ops::AlertRule& rule) {
  auto text = fmt::format("{} {}", side_text(rule), ops::alert_value_text(rule.threshold, rule.unit));
  if (rule.measure == ops::AlertMeasure::increase)
    text += fmt::format(" in {} min", rule.window / base::minutes{1});
  return text;
}

void print_json(const std::vector<ops::AlertRule>& rules) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& rule : rules) {
    list.push_back({{"rule", rule.name},
                    {"level", static_cast<int>(rule.level)},
                    {"action", name(rule.action)},
                    {"side", side_text(rule)},
                    {"threshold", rule.threshold},
                    {"unit", rule.unit},
                    {"window_s", rule.window / base::seconds{1}},
                    {"after_s", rule.dwell / base::seconds{1}},
                    {"what", rule.what},
                    {"help", rule.help},
                    {"prometheus", ops::prometheus_name(rule.name)}});
  }
  fmt::print("{}\n", list.dump());
}

}  // namespace

int alerts_list(const AlertsArguments& arguments) {
  if (arguments.format == AlertsFormat::prometheus) {
    fmt::print("{}", ops::prometheus_rules());
    return 0;
  }
  const auto defaults = ops::alert_rules();
  std::vector<ops::AlertRule> rules{defaults.begin(), defaults.end()};
  if (!arguments.config.empty()) rules = load_config(arguments.config, arguments.purpose).alerts.rules;
  if (arguments.format == AlertsFormat::json) {
    print_json(rules);
    return 0;
  }
  for (const auto& rule : rules) {
    fmt::print("{} {:<22} {:<11} {:<28} for {:>3} s  {}\n", static_cast<int>(rule.level), rule.name,
               name(rule.action), threshold_text(rule), rule.dwell / base::seconds{1}, rule.what);
  }
  return 0;
}

int alerts_test(const AlertsArguments& arguments) {
  const auto config = load_config(arguments.config, arguments.purpose).alerts;
  if (config.channels.empty())
    throw StartError(
        fmt::format("{}: no channel is configured: see docs/alerts.md", arguments.config.string()));
  const io::RealClock clock;
  ops::AlertMessage message;
  message.kind = ops::AlertKind::test;
  message.instance = alert_options(config).instance;
  message.what = "this channel works";
  message.help = "nothing is to be done";
  int exit_code = 0;
  for (const auto& channel : ready_channels(config, load_alert_secrets(config))) {
    message.at = clock.now();
    const auto outcome = io::send_alert(channel, message, message.at, config.timeout);
    const bool delivered = outcome.kind == ops::DeliveryOutcome::Kind::delivered;
    fmt::print("{:<12} {:<9} {}\n", channel.name, name(channel.kind),
               delivered ? std::string{"delivered"} : "failed: " + outcome.why);
    if (!delivered) exit_code = 1;
  }
  return exit_code;
}

}  // namespace phoenix::app
