#pragma once

#include "app/config_reader.hpp"
#include "app/setting.hpp"
#include "base/time.hpp"
#include "ops/alert_text.hpp"
#include "ops/alerts.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::app {

/// The section `alerts` of a configuration, see docs/alerts.md. Without it everything is judged, logged and
/// acted on at the rules' defaults, and nobody is sent anything.
struct AlertConfig {
  std::string instance;  ///< what messages call this Phoenix; empty: the machine's name
  base::Duration heartbeat = base::hours{24};
  base::Duration repeat_level1 = base::hours{4};
  base::Duration repeat_level2 = base::minutes{30};
  base::Duration repeat_level3 = base::minutes{5};
  std::uint32_t messages_per_min = 10;
  base::Duration clear_after = base::seconds{10};
  std::uint32_t channels_at_once = 2;
  base::Duration timeout = base::seconds{10};
  std::string secrets_file;                 ///< empty: the environment
  std::vector<ops::AlertChannel> channels;  ///< without their secrets
  std::vector<ops::AlertRule> rules;        ///< those in force; set by reading
};

const std::vector<Setting<AlertConfig>>& alert_settings();
/// Reads the section. `effective` is given what is in force.
void read_alerts(ConfigSection& section, std::string_view file, AlertConfig& config,
                 std::vector<EffectiveSetting>& effective);

/// Secrets by name: NAME.url, NAME.secret, NAME.token, NAME.password.
using AlertSecrets = std::map<std::string, std::string, std::less<>>;
/// From the configured file (mode 0600), else of the environment (PHOENIX_ALERT_NAME_URL, ...). Throws
/// StartError, which shows no value.
AlertSecrets load_alert_secrets(const AlertConfig& config);
/// The channels with their secrets. Throws StartError naming the channel that lacks one, and where it is
/// looked for.
std::vector<ops::AlertChannel> ready_channels(const AlertConfig& config, const AlertSecrets& secrets);

ops::AlertOptions alert_options(const AlertConfig& config);

}  // namespace phoenix::app
