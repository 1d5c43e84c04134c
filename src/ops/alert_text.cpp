#include "ops/alert_text.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace phoenix::ops {
namespace {

using Json = nlohmann::ordered_json;

// What the services take at most, in bytes (Telegram: characters, of which every byte is one at most).
constexpr std::size_t wecom_max = 4096, dingtalk_max = 16'000, feishu_max = 16'000, telegram_max = 4096,
                      slack_max = 12'000;
/// A line of an e-mail.
constexpr std::size_t mail_line_max = 900;

unsigned char* octets(char* text) { return static_cast<unsigned char*>(static_cast<void*>(text)); }
const unsigned char* octets(const char* text) {
  return static_cast<const unsigned char*>(static_cast<const void*>(text));
}

std::chrono::sys_seconds utc(base::LocalTime at) {
  return std::chrono::floor<std::chrono::seconds>(
      std::chrono::sys_time<base::Duration>{at.time_since_epoch()});
}
std::string iso_text(base::LocalTime at) { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", utc(at)); }

/// Text out of the program or of a venue may hold any bytes.
std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string one_line(std::string_view text) {
  std::string out{text};
  std::replace_if(out.begin(), out.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  return out;
}

std::string duration_words(base::Duration d) {
  const auto s = d / base::seconds{1};
  if (s < 120) return fmt::format("{} s", s);
  if (s < 7200) return fmt::format("{} min", s / 60);
  return fmt::format("{} h", s / 3600);
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          c == '-' || c == '_' || c == '.' || c == '~';
    if (is_plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string subjects_text(const AlertMessage& m, std::string_view separator, bool with_values) {
  std::string out;
  for (const auto& s : m.subjects) {
    if (s.name.empty() && !with_values) continue;
    if (!out.empty()) out += separator;
    out += s.name;
    if (with_values) out += s.name.empty() ? s.value : ": " + s.value;
  }
  return out;
}

std::string kind_words(const AlertMessage& m) {
  switch (m.kind) {
    case AlertKind::fired:
      return fmt::format("level {} {}", static_cast<int>(m.level), name(m.level));
    case AlertKind::still:
      return fmt::format("level {} {}, since {}", static_cast<int>(m.level), name(m.level),
                         duration_words(m.lasted));
    case AlertKind::resolved:
      return "resolved";
    case AlertKind::event:
      return fmt::format("level {} {}", static_cast<int>(m.level), name(m.level));
    case AlertKind::digest:
      return "held back";
    case AlertKind::heartbeat:
      return "heartbeat";
    case AlertKind::started:
      return "started";
    case AlertKind::stopped:
      return "stopped";
    case AlertKind::test:
      break;
  }
  return "test";
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// RFC 2047 where it has to be; a word holds at most 75 characters.
std::string mail_header(std::string_view text) {
  const auto line = shortened(one_line(text), 300);
  if (is_ascii(line)) return line;
  constexpr std::size_t piece_bytes = 42;
  std::string out;
  for (std::string_view rest = line; !rest.empty();) {
    const auto piece = shortened(rest, piece_bytes);
    // Bytes that are no UTF-8 have no boundary to be cut at.
    const auto taken = piece.empty() ? rest.substr(0, piece_bytes) : rest.substr(0, piece.size());
    if (!out.empty()) out += "\r\n ";
    out += fmt::format("=?utf-8?B?{}?=", base64(taken));
    rest.remove_prefix(taken.size());
  }
  return out;
}

std::string mail_body(const std::string& text) {
  std::string crlf;
  for (const char c : text) {
    if (c == '\r') continue;
    if (c == '\n') crlf += '\r';
    crlf += c;
  }
  crlf += "\r\n";
  std::size_t longest = 0, length = 0;
  for (const char c : crlf) {
    length = c == '\n' ? 0 : length + 1;
    longest = std::max(longest, length);
  }
  if (is_ascii(crlf) && longest <= mail_line_max) return "Content-Transfer-Encoding: 7bit\r\n\r\n" + crlf;
  const auto encoded = base64(crlf);
  std::string lines;
  for (std::size_t i = 0; i < encoded.size(); i += 76) lines += encoded.substr(i, 76) + "\r\n";
  return "Content-Transfer-Encoding: base64\r\n\r\n" + lines;
}

/// RFC 5322. The names of days and months are English whatever the locale.
std::string mail_date(base::LocalTime at) {
  constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto time = utc(at);
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} +0000", days[std::chrono::weekday{day}.c_encoding()],
                     static_cast<unsigned>(date.day()), months[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

std::string mail(const AlertChannel& channel, const AlertMessage& m, base::LocalTime now, std::uint64_t id) {
  const auto at = channel.from.rfind('@');
  auto domain = at == std::string::npos ? std::string{"localhost"} : channel.from.substr(at + 1);
  domain.erase(std::remove(domain.begin(), domain.end(), '>'), domain.end());
  std::string out = fmt::format(
      "Date: {}\r\nFrom: {}\r\nTo: {}\r\nSubject: {}\r\nMessage-ID: <phoenix.{}.{}@{}>\r\n"
      "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n",
      mail_date(now), one_line(channel.from), one_line(fmt::format("{}", fmt::join(channel.to, ", "))),
      mail_header(alert_title(m)), base::ns_of(now), id, one_line(domain));
  if (m.level == AlertLevel::critical && m.kind != AlertKind::resolved) out += "Importance: high\r\n";
  return out + mail_body(alert_text(m));
}

std::string colour_of(const AlertMessage& m) {
  if (m.kind == AlertKind::resolved) return "info";
  return m.level == AlertLevel::warning ? "comment" : "warning";
}

DeliveryOutcome refused(std::string why) { return {DeliveryOutcome::Kind::refused, std::move(why), {}}; }
DeliveryOutcome later(std::string why) { return {DeliveryOutcome::Kind::later, std::move(why), {}}; }

/// The service's own code; 0 is success. `busy` are those that mean: too many messages.
DeliveryOutcome judge_code(const Json& answer, const char* key, const char* text_key,
                           std::initializer_list<std::int64_t> busy) {
  if (!answer.contains(key) || !answer[key].is_number_integer())
    return refused("answered 200 with something else than its protocol");
  const auto code = answer[key].get<std::int64_t>();
  if (code == 0) return {};
  std::string text;
  if (answer.contains(text_key) && answer[text_key].is_string()) text = answer[text_key].get<std::string>();
  auto why = fmt::format("answered {} {}: {}", key, code, shortened(one_line(text), 200));
  if (std::find(busy.begin(), busy.end(), code) == busy.end()) return refused(std::move(why));
  return {DeliveryOutcome::Kind::later, std::move(why), base::minutes{1}};
}

}  // namespace

std::string shortened(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string{text};
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string{text.substr(0, end)};
}

std::string base64(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(octets(out.data()), octets(bytes.data()), static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::string out(32, '\0');
  unsigned size = 0;
  // A key of no bytes must still be a pointer.
  const auto* done = HMAC(EVP_sha256(), key.empty() ? "" : key.data(), static_cast<int>(key.size()),
                          octets(text.data()), text.size(), octets(out.data()), &size);
  PHX_ASSERT(done != nullptr && size == 32, "SHA-256 is always there");
  return out;
}

std::string alert_title(const AlertMessage& m) {
  auto title =
      fmt::format("[{}] {}", m.instance.empty() ? "phoenix" : "phoenix " + m.instance, kind_words(m));
  if (!m.rule.empty()) title += ": " + m.rule;
  if (const auto names = subjects_text(m, ", ", false); !names.empty()) title += " " + names;
  if (m.rule.empty() && !m.what.empty()) title += ": " + m.what;
  return shortened(one_line(title), 250);
}

std::string alert_text(const AlertMessage& m) {
  std::string text = alert_title(m);
  const auto add = [&text](const std::string& line) { text += "\n" + one_line(line); };
  if (!m.rule.empty()) add(m.what);
  if (!m.subjects.empty()) {
    const auto values = subjects_text(m, ", ", true);
    add(m.threshold.empty() ? values : fmt::format("{} (alert: {})", values, m.threshold));
  }
  if (m.kind == AlertKind::resolved) add("it lasted " + duration_words(m.lasted));
  if (m.kind == AlertKind::fired || m.kind == AlertKind::still) {
    if (m.action == AlertAction::kill) add("done by Phoenix: the kill latch was set");
    if (m.action == AlertAction::hold) add("done by Phoenix: nothing is quoted while it lasts");
    if (m.action == AlertAction::reduce_only) add("done by Phoenix: nothing is added while it lasts");
  }
  for (const auto& line : m.lines) add("- " + line);
  if (!m.help.empty() && m.kind != AlertKind::resolved) add("what helps: " + m.help);
  add(iso_text(m.at));
  return text;
}

std::string alert_json(const AlertMessage& m) {
  Json subjects = Json::array();
  for (const auto& s : m.subjects) subjects.push_back({{"name", s.name}, {"value", s.value}});
  return dump(Json{{"schema", 1},
                   {"kind", name(m.kind)},
                   {"level", static_cast<int>(m.level)},
                   {"severity", name(m.level)},
                   {"instance", m.instance},
                   {"rule", m.rule},
                   {"what", m.what},
                   {"subjects", subjects},
                   {"threshold", m.threshold},
                   {"action", name(m.action)},
                   {"help", m.help},
                   {"lasted_s", static_cast<double>(m.lasted.count()) / 1e9},
                   {"lines", m.lines},
                   {"at", iso_text(m.at)},
                   {"title", alert_title(m)},
                   {"text", alert_text(m)}});
}

ChannelRequest render(const AlertChannel& channel, const AlertMessage& message, base::LocalTime now,
                      std::uint64_t id) {
  ChannelRequest request;
  request.url = channel.url;
  request.headers = {{"Content-Type", "application/json; charset=utf-8"}};
  const auto text = alert_text(message);
  switch (channel.kind) {
    case ChannelKind::wecom: {
      // Its first line in colour: green, grey or orange.
      const auto line_end = std::min(text.find('\n'), text.size());
      const auto content = fmt::format("<font color=\"{}\">{}</font>{}", colour_of(message),
                                       text.substr(0, line_end), text.substr(line_end));
      request.body =
          dump({{"msgtype", "markdown"}, {"markdown", {{"content", shortened(content, wecom_max)}}}});
      break;
    }
    case ChannelKind::dingtalk: {
      if (!channel.secret.empty()) {
        const auto stamp = fmt::format("{}", base::ns_of(now) / 1'000'000);
        const auto sign = base64(hmac_sha256(channel.secret, stamp + "\n" + channel.secret));
        request.url +=
            fmt::format("{}timestamp={}&sign={}", request.url.find('?') == std::string::npos ? '?' : '&',
                        stamp, percent_encoded(sign));
      }
      request.body = dump({{"msgtype", "text"}, {"text", {{"content", shortened(text, dingtalk_max)}}}});
      break;
    }
    case ChannelKind::feishu: {
      Json body;
      if (!channel.secret.empty()) {
        const auto stamp = fmt::format("{}", base::ns_of(now) / 1'000'000'000);
        // The text to be signed is the key, and the message is empty.
        body = {{"timestamp", stamp}, {"sign", base64(hmac_sha256(stamp + "\n" + channel.secret, ""))}};
      }
      body["msg_type"] = "text";
      body["content"] = {{"text", shortened(text, feishu_max)}};
      request.body = dump(body);
      break;
    }
    case ChannelKind::slack:
      request.body = dump({{"text", shortened(text, slack_max)}});
      break;
    case ChannelKind::telegram:
      request.url += fmt::format("/bot{}/sendMessage", channel.token);
      request.body = dump({{"chat_id", channel.chat_id},
                           {"text", shortened(text, telegram_max)},
                           {"disable_web_page_preview", true}});
      break;
    case ChannelKind::webhook:
      request.body = alert_json(message);
      if (!channel.secret.empty()) {
        std::string hex;
        for (const char c : hmac_sha256(channel.secret, request.body))
          hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
        request.headers.emplace_back("X-Phoenix-Signature", "sha256=" + hex);
      }
      break;
    case ChannelKind::email:
      request.headers.clear();
      request.body = mail(channel, message, now, id);
      break;
  }
  return request;
}

DeliveryOutcome judge_answer(ChannelKind kind, int status, std::string_view body,
                             std::string_view retry_after) {
  if (status == 429 || status >= 500) {
    auto outcome = later(fmt::format("answered {}", status));
    unsigned seconds = 0;
    const auto [end, fault] =
        std::from_chars(retry_after.data(), retry_after.data() + retry_after.size(), seconds);
    if (fault == std::errc{} && end == retry_after.data() + retry_after.size())
      outcome.retry_after = base::seconds{seconds};
    return outcome;
  }
  if (status < 200 || status >= 300)
    return refused(fmt::format("answered {}: {}", status, shortened(one_line(body), 200)));
  if (kind == ChannelKind::webhook || kind == ChannelKind::slack) return {};
  const auto answer = Json::parse(body, nullptr, false);
  if (!answer.is_object()) return refused("answered 200 with something else than its protocol");
  switch (kind) {
    case ChannelKind::wecom:
      return judge_code(answer, "errcode", "errmsg", {-1, 45009, 45033});
    case ChannelKind::dingtalk:
      return judge_code(answer, "errcode", "errmsg", {-1, 130101, 130102, 410100});
    case ChannelKind::feishu:
      return judge_code(answer, answer.contains("code") ? "code" : "StatusCode", "msg", {9499, 11232});
    case ChannelKind::telegram:
      if (answer.contains("ok") && answer["ok"] == true) return {};
      return refused("answered 200 with something else than its protocol");
    case ChannelKind::slack:
    case ChannelKind::webhook:
    case ChannelKind::email:
      break;
  }
  return {};
}

}  // namespace phoenix::ops
