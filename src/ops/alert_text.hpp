#pragma once

#include "base/time.hpp"
#include "ops/alert_delivery.hpp"
#include "ops/alert_message.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phoenix::ops {

enum class ChannelKind : std::uint8_t { wecom, dingtalk, feishu, slack, telegram, webhook, email };
inline constexpr std::array<std::string_view, 7> channel_kind_names{"wecom",    "dingtalk", "feishu", "slack",
                                                                    "telegram", "webhook",  "email"};
constexpr std::string_view name(ChannelKind kind) {
  return channel_kind_names[static_cast<std::size_t>(kind)];
}

/// Where messages go. What a kind does not use is empty.
struct AlertChannel {
  std::string name;
  ChannelKind kind = ChannelKind::webhook;
  std::string url;      ///< of e-mail smtps://HOST:PORT or smtp://HOST:PORT; may hold a key: never shown
  std::string secret;   ///< dingtalk, feishu, webhook: messages are signed with it; empty: they are not
  std::string token;    ///< telegram: of the bot
  std::string chat_id;  ///< telegram
  std::string user, password;     ///< email; empty: no login
  std::string from;               ///< email
  std::vector<std::string> to{};  ///< email
  std::string ca_file;            ///< PEM; empty: the system's store
};

/// One line for people, without line breaks: level, rule, subjects.
std::string alert_title(const AlertMessage& message);
/// The whole of it as plain text, several lines.
std::string alert_text(const AlertMessage& message);
/// All fields as one JSON object; docs/alerts.md has its keys.
std::string alert_json(const AlertMessage& message);

/// An HTTP POST, or of e-mail the text that goes after DATA.
struct ChannelRequest {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};
/// `message` in the words of `channel`, signed where it signs. `now` is taken for UTC. `id` tells messages of
/// one run apart.
ChannelRequest render(const AlertChannel& channel, const AlertMessage& message, base::LocalTime now,
                      std::uint64_t id);

/// What an HTTP answer of a channel of this kind means: most say 200 whatever happened. `retry_after` is that
/// header, empty when there is none.
DeliveryOutcome judge_answer(ChannelKind kind, int status, std::string_view body,
                             std::string_view retry_after);

/// The first `bytes_max` bytes of UTF-8 text at most, no character cut.
std::string shortened(std::string_view text, std::size_t bytes_max);
std::string base64(std::string_view bytes);
/// The 32 bytes of HMAC-SHA256.
std::string hmac_sha256(std::string_view key, std::string_view text);

}  // namespace phoenix::ops
