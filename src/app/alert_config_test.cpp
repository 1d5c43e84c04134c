#include "app/alert_config.hpp"

#include "app/config.hpp"
#include "app/config_watch.hpp"

#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// Enough to record: what is read is the section `alerts`.
ParsedConfig parse(const std::string& alerts) {
  return parse_config("global:\n  venue: live\n" + alerts, Purpose::record);
}
std::vector<std::string> faults(const std::string& alerts) {
  std::vector<std::string> out;
  for (const auto& e : parse(alerts).errors) out.push_back(fmt::format("{}: {}", e.key, e.message));
  return out;
}
const ops::AlertRule* rule(const Config& config, std::string_view name) {
  for (const auto& r : config.alerts.rules) {
    if (r.name == name) return &r;
  }
  return nullptr;
}

const std::string channels = R"(alerts:
  instance: tokyo1
  channels:
    - name: duty
      kind: wecom
    - name: ops_mail
      kind: email
      url: smtps://mail.example.org:465
      user: phoenix
      from: Phoenix <phoenix@example.org>
      to: a@example.org, b@example.org
    - name: bot
      kind: telegram
      chat_id: -100123
)";

TEST(AlertConfig, without_a_section_every_rule_is_in_force_and_nobody_is_told) {
  const auto parsed = parse("");
  ASSERT_TRUE(parsed.config);
  EXPECT_THAT(parsed.config->alerts.channels, IsEmpty());
  EXPECT_EQ(parsed.config->alerts.rules.size(), ops::alert_rules().size());
}

TEST(AlertConfig, reads_channels_in_their_order) {
  const auto parsed = parse(channels);
  ASSERT_TRUE(parsed.config) << describe("x", parsed.errors);
  const auto& alerts = parsed.config->alerts;
  ASSERT_EQ(alerts.channels.size(), 3U);
  EXPECT_EQ(alerts.channels[0].kind, ops::ChannelKind::wecom);
  EXPECT_THAT(alerts.channels[1].to, ElementsAre("a@example.org", "b@example.org"));
  EXPECT_EQ(alerts.channels[2].url, "https://api.telegram.org");
  EXPECT_EQ(alerts.channels[2].chat_id, "-100123");
}

TEST(AlertConfig, what_is_wrong_is_named_with_what_would_be_right) {
  EXPECT_THAT(faults("alerts:\n  channels:\n    - kind: pager\n      name: a\n"),
              Contains(HasSubstr("kind: must be one of wecom, dingtalk, feishu")));
  EXPECT_THAT(faults("alerts:\n  channels:\n    - name: A B\n      kind: slack\n"),
              Contains(HasSubstr("name: must be at most 32 of a-z")));
  EXPECT_THAT(faults("alerts:\n  channels:\n    - {name: a, kind: webhook, url: 'http://example.org/x'}\n"),
              Contains(HasSubstr("url: must begin with https://")));
  EXPECT_THAT(
      faults("alerts:\n  channels:\n    - {name: a, kind: email, url: 'https://x', from: a@b, to: a@b}\n"),
      Contains(HasSubstr("url: must begin with smtps:// or smtp://")));
  EXPECT_THAT(
      faults("alerts:\n  channels:\n    - {name: a, kind: email, url: 'smtp://x', from: ab, to: 'a@b,c'}\n"),
      testing::IsSupersetOf({HasSubstr("from: must be an address"), HasSubstr("to: must be at most 20")}));
  EXPECT_THAT(faults("alerts:\n  channels:\n    - {name: a, kind: telegram}\n"),
              Contains(HasSubstr("chat_id: is missing")));
  EXPECT_THAT(faults("alerts:\n  channels:\n    - {name: a, kind: slack}\n    - {name: a, kind: slack}\n"),
              Contains(HasSubstr("a is given twice")));
  EXPECT_THAT(faults("alerts:\n  heartbeat_min: -1\n  nonsense: 1\n"),
              testing::IsSupersetOf({HasSubstr("heartbeat_min: must be a whole number from 0 to 10080"),
                                     HasSubstr("nonsense: is not a known key")}));
}

TEST(AlertConfig, secrets_are_refused_in_the_file) {
  EXPECT_THAT(
      faults("alerts:\n  channels:\n    - {name: a, kind: slack, url: 'https://hooks.example/KEY'}\n"),
      Contains(HasSubstr("url: the address holds a key: give it as a.url in secrets_file, or as "
                         "PHOENIX_ALERT_A_URL")));
  for (const auto* key : {"secret", "token", "password"})
    EXPECT_THAT(faults(fmt::format("alerts:\n  channels:\n    - {{name: a, kind: dingtalk, {}: x}}\n", key)),
                Contains(HasSubstr("secrets do not belong in a configuration file")));
}

TEST(AlertConfig, a_rule_may_be_changed_or_taken_away) {
  const auto parsed = parse(R"(alerts:
  rules:
    - rule: usage_high
      level: 2
      threshold: 0.65
      after_s: 30
      action: hold
    - rule: no_fills
      enabled: false
)");
  ASSERT_TRUE(parsed.config) << describe("x", parsed.errors);
  const auto* changed = rule(*parsed.config, "usage_high");
  ASSERT_NE(changed, nullptr);
  EXPECT_EQ(changed->level, ops::AlertLevel::severe);
  EXPECT_EQ(changed->threshold, 0.65);
  EXPECT_EQ(changed->dwell, base::seconds{30});
  EXPECT_EQ(changed->action, ops::AlertAction::hold);
  EXPECT_EQ(rule(*parsed.config, "no_fills"), nullptr);
  EXPECT_EQ(parsed.config->alerts.rules.size(), ops::alert_rules().size() - 1);
}

TEST(AlertConfig, a_rule_that_is_none_and_an_action_that_feeds_itself_are_refused) {
  EXPECT_THAT(faults("alerts:\n  rules:\n    - rule: usage_hi\n"),
              Contains(HasSubstr("'usage_hi' is no rule")));
  EXPECT_THAT(faults("alerts:\n  rules:\n    - {rule: not_quoting, action: hold}\n"),
              Contains(HasSubstr("action: must be none or kill")));
  EXPECT_THAT(faults("alerts:\n  rules:\n    - {rule: not_quoting, action: kill}\n"), IsEmpty());
}

TEST(AlertConfig, a_change_at_run_time_needs_a_restart) {
  const auto before = parse("").config->effective;
  const auto after = parse("alerts:\n  heartbeat_min: 60\n  rules:\n    - {rule: no_fills, enabled: false}\n")
                         .config->effective;
  const auto change = compare(before, after);
  EXPECT_THAT(change.changed, IsEmpty());
  EXPECT_THAT(change.restarts,
              ElementsAre("alerts.heartbeat_min 1440 -> 60", HasSubstr("alerts.rule.no_fills")));
}

class AlertSecretsFile : public testing::Test {
 protected:
  void write(const std::string& text, unsigned mode = 0600) {
    std::ofstream{path_} << text;
    ::chmod(path_.c_str(), mode);
    config_ = parse(channels).config->alerts;
    config_.secrets_file = path_;
  }
  std::string fault() {
    try {
      static_cast<void>(ready_channels(config_, load_alert_secrets(config_)));
    } catch (const StartError& error) {
      return error.what();
    }
    return {};
  }
  void TearDown() override { ::unlink(path_.c_str()); }
  std::string path_ = testing::TempDir() + "alert-secrets-" + std::to_string(::getpid());
  AlertConfig config_;
};

TEST_F(AlertSecretsFile, gives_each_channel_its_own) {
  write("# mine\nduty.url = https://example.org/hook?key=K\nops_mail.password=P\nbot.token=T\n");
  ASSERT_EQ(fault(), "");
  const auto ready = ready_channels(config_, load_alert_secrets(config_));
  EXPECT_EQ(ready[0].url, "https://example.org/hook?key=K");
  EXPECT_EQ(ready[1].password, "P");
  EXPECT_EQ(ready[2].token, "T");
}

TEST_F(AlertSecretsFile, is_refused_when_others_may_read_it) {
  write("duty.url=https://example.org/hook\n", 0640);
  EXPECT_THAT(fault(), HasSubstr("must have mode 0600, was 0640"));
}

TEST_F(AlertSecretsFile, a_fault_shows_no_secret) {
  write("duty.url=https://example.org/K3Y\nduty.token=K3Y\n");
  EXPECT_THAT(fault(), HasSubstr(":2: must be CHANNEL.url="));
  EXPECT_THAT(fault(), Not(HasSubstr("K3Y")));
  write("duty.url=ftp://example.org/K3Y\nops_mail.password=P\nbot.token=T\n");
  EXPECT_THAT(fault(), HasSubstr("alert channel duty: its url must begin with https://"));
  EXPECT_THAT(fault(), Not(HasSubstr("K3Y")));
}

TEST_F(AlertSecretsFile, what_is_missing_is_asked_for_where_it_belongs) {
  write("duty.url=https://example.org/hook\nops_mail.password=P\n");
  EXPECT_THAT(fault(), HasSubstr("alert channel bot lacks its token: give bot.token= in " + path_));
  config_.secrets_file.clear();
  ::unsetenv("PHOENIX_ALERT_DUTY_URL");
  EXPECT_EQ(fault(), "alert channel duty lacks its url: set PHOENIX_ALERT_DUTY_URL in the environment");
}

TEST_F(AlertSecretsFile, or_the_environment_does) {
  write("");
  config_.secrets_file.clear();
  ::setenv("PHOENIX_ALERT_DUTY_URL", "https://example.org/hook", 1);
  ::setenv("PHOENIX_ALERT_OPS_MAIL_PASSWORD", "P", 1);
  ::setenv("PHOENIX_ALERT_BOT_TOKEN", "T", 1);
  EXPECT_EQ(fault(), "");
  for (const auto* name :
       {"PHOENIX_ALERT_DUTY_URL", "PHOENIX_ALERT_OPS_MAIL_PASSWORD", "PHOENIX_ALERT_BOT_TOKEN"})
    ::unsetenv(name);
}

std::string text_of(const std::string& path) {
  std::ifstream file{PHOENIX_SOURCE_DIR + path};
  std::stringstream all;
  all << file.rdbuf();
  return all.str();
}

TEST(AlertConfig, the_documentation_lists_every_setting_and_rule) {
  const auto text = text_of("/docs/alerts.md");
  std::ptrdiff_t rows = 0;
  const auto expect = [&](const std::string& row) {
    EXPECT_NE(text.find(row), std::string::npos) << "missing in docs/alerts.md:" << row;
    ++rows;
  };
  for (const auto& s : texts(alert_settings()))
    expect(fmt::format("\n| `{}` | {} | {} | ", s.key, s.standard, s.range));
  for (const auto& r : ops::alert_rules()) {
    auto threshold = fmt::format("{} {}", r.side == ops::AlertSide::above ? "above" : "below",
                                 ops::alert_value_text(r.threshold, r.unit));
    if (r.measure == ops::AlertMeasure::increase)
      threshold += fmt::format(" in {} min", r.window / base::minutes{1});
    expect(fmt::format("\n| `{}` | {} | {} | {} | {} | {} | {} |", r.name, static_cast<int>(r.level),
                       name(r.action), threshold, r.dwell / base::seconds{1}, r.what, r.help));
  }
  const std::regex row{"\n\\| `[a-z0-9_]+` \\|"};
  EXPECT_EQ(std::distance(std::sregex_iterator{text.begin(), text.end(), row}, {}), rows)
      << "no row without a setting or rule";
}

TEST(AlertConfig, the_rules_for_prometheus_are_those_of_the_table) {
  EXPECT_EQ(text_of("/deploy/prometheus/phoenix-rules.yml"), ops::prometheus_rules())
      << "write it anew: phoenix alerts list --prometheus > deploy/prometheus/phoenix-rules.yml";
}

}  // namespace
}  // namespace phoenix::app
