#include "app/alert_config.hpp"

#include "app/config.hpp"
#include "app/secret_file.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

using namespace setting_kinds;
using ops::AlertAction;
using ops::AlertChannel;
using ops::AlertRule;
using ops::ChannelKind;

constexpr std::size_t channels_max = 10, recipients_max = 20;

/// What a channel's kind cannot do without, and what it may have.
struct SecretRule {
  std::string_view key;
  std::string AlertChannel::* member;
};
constexpr std::array secret_rules{
    SecretRule{"url", &AlertChannel::url}, SecretRule{"secret", &AlertChannel::secret},
    SecretRule{"token", &AlertChannel::token}, SecretRule{"password", &AlertChannel::password}};

bool has_secret_url(ChannelKind kind) {
  return kind == ChannelKind::wecom || kind == ChannelKind::dingtalk || kind == ChannelKind::feishu ||
         kind == ChannelKind::slack;
}
bool may_have(ChannelKind kind, std::string_view key) {
  if (key == "url") return has_secret_url(kind) || kind == ChannelKind::webhook;
  if (key == "token") return kind == ChannelKind::telegram;
  if (key == "password") return kind == ChannelKind::email;
  return kind == ChannelKind::dingtalk || kind == ChannelKind::feishu || kind == ChannelKind::webhook;
}

std::string upper(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return out;
}
std::string variable_of(std::string_view channel, std::string_view key) {
  return fmt::format("PHOENIX_ALERT_{}_{}", upper(channel), upper(key));
}

bool is_loopback(std::string_view url) {
  const auto begin = url.find("://");
  if (begin == std::string_view::npos) return false;
  auto host = url.substr(begin + 3);
  host = host.substr(0, host.find_first_of("/?"));
  const auto is = [&](std::string_view name) {
    return host == name || host.starts_with(std::string{name} + ":");
  };
  return is("localhost") || is("127.0.0.1") || is("[::1]");
}

/// Empty when messages may go there. Never shows the address: it may hold a key.
std::string url_fault(ChannelKind kind, std::string_view url) {
  if (url.find_first_of(" \t\r\n") != std::string_view::npos) return "must be one address without spaces";
  if (kind == ChannelKind::email) {
    if (url.starts_with("smtps://") || url.starts_with("smtp://")) return {};
    return "must begin with smtps:// or smtp://, which then asks for STARTTLS";
  }
  if (url.starts_with("https://") || (url.starts_with("http://") && is_loopback(url))) return {};
  return "must begin with https://; http:// is for this machine alone";
}

Setting<AlertConfig> duration(std::string key, std::int64_t min, std::int64_t max,
                              base::Duration AlertConfig::* member, base::Duration unit) {
  return span(std::move(key), "", min, max, member, unit);
}

std::vector<Setting<AlertConfig>> make_settings() {
  using A = AlertConfig;
  return {words_of("instance", "", &A::instance),
          duration("heartbeat_min", 0, 10'080, &A::heartbeat, minute),
          duration("repeat_level1_min", 0, 10'080, &A::repeat_level1, minute),
          duration("repeat_level2_min", 0, 10'080, &A::repeat_level2, minute),
          duration("repeat_level3_min", 0, 10'080, &A::repeat_level3, minute),
          whole("messages_per_min", "", 1, 60, &A::messages_per_min),
          duration("clear_after_s", 1, 3600, &A::clear_after, second),
          whole("channels_at_once", "", 1, 10, &A::channels_at_once),
          duration("timeout_s", 1, 60, &A::timeout, second),
          words_of("secrets_file", "", &A::secrets_file)};
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> items;
  std::istringstream stream{text};
  for (std::string item; std::getline(stream, item, ',');) {
    const auto first = item.find_first_not_of(' ');
    if (first != std::string::npos)
      items.push_back(item.substr(first, item.find_last_not_of(' ') - first + 1));
  }
  return items;
}

bool is_address(const std::string& text) {
  const auto at = text.find('@');
  return at != std::string::npos && at > 0 && at + 1 < text.size() &&
         text.find_first_of("\r\n,") == std::string::npos;
}

AlertChannel read_channel(ConfigSection& item, std::set<std::string>& names) {
  AlertChannel channel;
  item.require("name", "what its secrets are called by");
  item.require("kind", fmt::format("one of {}", fmt::join(ops::channel_kind_names, ", ")));
  channel.name = item.text("name").value_or("");
  const bool is_plain = std::all_of(channel.name.begin(), channel.name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (!is_plain || channel.name.size() > 32)
    item.error("name", "must be at most 32 of a-z, 0-9 and _: it becomes part of variables' names");
  if (!channel.name.empty() && !names.insert(channel.name).second)
    item.error("name", fmt::format("{} is given twice", channel.name));
  const std::vector<std::string> kinds{ops::channel_kind_names.begin(), ops::channel_kind_names.end()};
  const auto kind = item.choice("kind", kinds);
  for (const auto* key : {"secret", "token", "password"})
    item.refuse(key, "secrets do not belong in a configuration file: see secrets_file in docs/alerts.md");
  if (!kind) {
    // What else it may hold depends on it.
    for (const auto* key : {"url", "chat_id", "user", "from", "to", "ca_file"})
      static_cast<void>(item.text(key));
    return channel;
  }
  channel.kind = static_cast<ChannelKind>(std::find(kinds.begin(), kinds.end(), *kind) - kinds.begin());
  channel.ca_file = item.text("ca_file").value_or("");
  if (has_secret_url(channel.kind)) {
    item.refuse("url", fmt::format("the address holds a key: give it as {}.url in secrets_file, or as {}",
                                   channel.name, variable_of(channel.name, "url")));
  } else if (const auto url = item.text("url")) {
    channel.url = *url;
    if (const auto wrong = url_fault(channel.kind, *url); !wrong.empty()) item.error("url", wrong);
  } else if (channel.kind == ChannelKind::telegram) {
    channel.url = "https://api.telegram.org";
  }
  if (channel.kind == ChannelKind::telegram) {
    item.require("chat_id", "the chat the bot writes to");
    channel.chat_id = item.text("chat_id").value_or("");
  }
  if (channel.kind == ChannelKind::email) {
    item.require("url", "the mail server, for example smtps://mail.example.org:465");
    item.require("from", "the sender's address");
    item.require("to", "addresses with commas between");
    channel.user = item.text("user").value_or("");
    if (const auto from = item.text("from")) {
      channel.from = *from;
      if (!is_address(*from)) item.error("from", "must be an address, NAME@HOST");
    }
    if (const auto to = item.text("to")) {
      channel.to = split(*to);
      const bool all = std::all_of(channel.to.begin(), channel.to.end(), is_address);
      if (channel.to.empty() || channel.to.size() > recipients_max || !all)
        item.error("to", fmt::format("must be at most {} addresses, NAME@HOST, with commas between",
                                     recipients_max));
    }
  }
  return channel;
}

/// What a rule's item may change; `rule` names which.
void read_rule(ConfigSection& item, AlertConfig& config, std::set<std::string>& names) {
  item.require("rule", "`phoenix alerts list` names them");
  const auto name = item.text("rule").value_or("");
  const auto found = std::find_if(config.rules.begin(), config.rules.end(),
                                  [&](const AlertRule& r) { return r.name == name; });
  const bool is_known = found != config.rules.end();
  if (!name.empty() && !names.insert(name).second) {
    item.error("rule", fmt::format("{} is given twice", name));
  } else if (!name.empty() && !is_known) {
    item.error("rule", fmt::format("'{}' is no rule: `phoenix alerts list` names them", name));
  }
  AlertRule scratch;
  AlertRule& rule = is_known ? *found : scratch;
  if (const auto level = item.integer("level", 1, 3)) rule.level = static_cast<ops::AlertLevel>(*level);
  const std::vector<std::string> actions{ops::alert_action_names.begin(), ops::alert_action_names.end()};
  if (const auto action = item.choice("action", actions)) {
    rule.action =
        static_cast<AlertAction>(std::find(actions.begin(), actions.end(), *action) - actions.begin());
    const bool holds = rule.action == AlertAction::hold || rule.action == AlertAction::reduce_only;
    if (holds && rule.holding == ops::AlertHolding::would_feed_itself)
      item.error("action", "must be none or kill: holding what is not quoted would keep it so");
  }
  if (const auto threshold = item.decimal("threshold", "0", "90000000000"))
    rule.threshold = threshold->to_double();
  if (const auto after = item.integer("after_s", 0, 86'400)) rule.dwell = base::seconds{*after};
  if (item.flag("enabled") == false && is_known) config.rules.erase(found);
}

std::string effective_text(const AlertRule& rule) {
  return fmt::format("level {}, action {}, {} {} for {} s", static_cast<int>(rule.level), name(rule.action),
                     rule.side == ops::AlertSide::above ? "above" : "below",
                     ops::alert_value_text(rule.threshold, rule.unit), rule.dwell / base::seconds{1});
}

}  // namespace

const std::vector<Setting<AlertConfig>>& alert_settings() {
  static const auto all = make_settings();
  return all;
}

void read_alerts(ConfigSection& section, std::string_view file, AlertConfig& config,
                 std::vector<EffectiveSetting>& effective) {
  using Origin = EffectiveSetting::Origin;
  read_settings(section, Purpose::run, alert_settings(), config);
  list_effective(section, file, "alerts.", alert_settings(), config, effective);
  std::set<std::string> channel_names, rule_names;
  const auto source = [&](const char* key) { return fmt::format("{}:{}", file, section.line_of(key)); };
  section.list("channels", [&](ConfigSection& item) {
    config.channels.push_back(read_channel(item, channel_names));
    const auto& channel = config.channels.back();
    effective.push_back(
        {"alerts.channel." + channel.name,
         fmt::format("{}{}", name(channel.kind),
                     channel.to.empty() ? "" : fmt::format(" to {}", fmt::join(channel.to, ", "))),
         Origin::file, source("channels")});
  });
  if (config.channels.size() > channels_max)
    section.error("channels", fmt::format("must name at most {} channels", channels_max));
  const auto defaults = ops::alert_rules();
  config.rules.assign(defaults.begin(), defaults.end());
  section.list("rules", [&](ConfigSection& item) { read_rule(item, config, rule_names); });
  for (const auto& rule : defaults) {
    const auto found = std::find_if(config.rules.begin(), config.rules.end(),
                                    [&](const AlertRule& r) { return r.name == rule.name; });
    const bool given = rule_names.contains(std::string{rule.name});
    effective.push_back({fmt::format("alerts.rule.{}", rule.name),
                         found == config.rules.end() ? "off" : effective_text(*found),
                         given ? Origin::file : Origin::standard, given ? source("rules") : "default"});
  }
}

AlertSecrets load_alert_secrets(const AlertConfig& config) {
  AlertSecrets secrets;
  if (config.secrets_file.empty()) {
    for (const auto& channel : config.channels) {
      for (const auto& rule : secret_rules) {
        const char* value = std::getenv(variable_of(channel.name, rule.key).c_str());
        if (value != nullptr) secrets.emplace(fmt::format("{}.{}", channel.name, rule.key), value);
      }
    }
    return secrets;
  }
  const auto content = read_secret_file(config.secrets_file, "file of alert secrets");
  for (const auto& line : secret_lines(content.view())) {
    const auto dot = line.key.rfind('.');
    const auto channel =
        std::find_if(config.channels.begin(), config.channels.end(),
                     [&](const AlertChannel& c) { return c.name == line.key.substr(0, dot); });
    const bool is_known = dot != std::string_view::npos && channel != config.channels.end() &&
                          std::any_of(secret_rules.begin(), secret_rules.end(), [&](const SecretRule& r) {
                            return r.key == line.key.substr(dot + 1) && may_have(channel->kind, r.key);
                          });
    if (!is_known)
      throw StartError(
          fmt::format("{}:{}: must be CHANNEL.url=, CHANNEL.secret=, CHANNEL.token= or "
                      "CHANNEL.password= of a configured channel that has one",
                      config.secrets_file, line.number));
    secrets.insert_or_assign(std::string{line.key}, line.value);
  }
  return secrets;
}

std::vector<AlertChannel> ready_channels(const AlertConfig& config, const AlertSecrets& secrets) {
  auto channels = config.channels;
  for (auto& channel : channels) {
    for (const auto& rule : secret_rules) {
      const auto it = secrets.find(fmt::format("{}.{}", channel.name, rule.key));
      if (it != secrets.end() && may_have(channel.kind, rule.key)) channel.*rule.member = it->second;
    }
    const auto lacks = [&](std::string_view key) {
      throw StartError(
          fmt::format("alert channel {} lacks its {}: {}", channel.name, key,
                      config.secrets_file.empty()
                          ? fmt::format("set {} in the environment", variable_of(channel.name, key))
                          : fmt::format("give {}.{}= in {}", channel.name, key, config.secrets_file)));
    };
    if (channel.url.empty()) lacks("url");
    if (const auto wrong = url_fault(channel.kind, channel.url); !wrong.empty())
      throw StartError(fmt::format("alert channel {}: its url {}", channel.name, wrong));
    if (channel.kind == ChannelKind::telegram && channel.token.empty()) lacks("token");
    if (channel.kind == ChannelKind::email && !channel.user.empty() && channel.password.empty())
      lacks("password");
  }
  return channels;
}

ops::AlertOptions alert_options(const AlertConfig& config) {
  ops::AlertOptions options;
  options.rules = config.rules;
  options.instance = config.instance;
  if (options.instance.empty()) {
    std::array<char, 65> name{};
    if (::gethostname(name.data(), name.size() - 1) == 0) options.instance = name.data();
  }
  options.clear_dwell = config.clear_after;
  options.repeat = {config.repeat_level1, config.repeat_level2, config.repeat_level3};
  options.heartbeat = config.heartbeat;
  options.per_minute = config.messages_per_min;
  return options;
}

}  // namespace phoenix::app
