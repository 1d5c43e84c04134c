#include "ops/alert_text.hpp"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace phoenix::ops {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const base::LocalTime at = base::local_time_ns(1'700'000'000'123'000'000);  // 2023-11-14T22:13:20.123Z

AlertMessage fired() {
  AlertMessage m;
  m.kind = AlertKind::fired;
  m.level = AlertLevel::severe;
  m.at = at;
  m.instance = "tokyo1";
  m.rule = "not_quoting";
  m.what = "the symbol is not quoted";
  m.subjects = {{"ETHUSDC", "0"}, {"SOLUSDC", "0"}};
  m.threshold = "below 1";
  m.help = "phoenix doctor -c FILE";
  return m;
}
AlertChannel channel(ChannelKind kind, std::string secret = {}) {
  AlertChannel c;
  c.name = "duty";
  c.kind = kind;
  c.url = "https://example.org/hook?key=k";
  c.secret = std::move(secret);
  return c;
}
json body(const ChannelRequest& request) { return json::parse(request.body); }

TEST(AlertText, tells_what_where_how_much_and_what_helps) {
  EXPECT_EQ(alert_text(fired()),
            "[phoenix tokyo1] level 2 severe: not_quoting ETHUSDC, SOLUSDC\n"
            "the symbol is not quoted\n"
            "ETHUSDC: 0, SOLUSDC: 0 (alert: below 1)\n"
            "what helps: phoenix doctor -c FILE\n"
            "2023-11-14T22:13:20Z");
}

TEST(AlertText, tells_what_phoenix_did_by_itself) {
  auto m = fired();
  m.action = AlertAction::hold;
  EXPECT_THAT(alert_text(m), HasSubstr("done by Phoenix: nothing is quoted while it lasts"));
  m.action = AlertAction::kill;
  EXPECT_THAT(alert_text(m), HasSubstr("the kill latch was set"));
  m.kind = AlertKind::resolved;
  m.lasted = base::minutes{5};
  EXPECT_THAT(alert_text(m), HasSubstr("it lasted 5 min"));
  EXPECT_THAT(alert_text(m), Not(HasSubstr("done by Phoenix")));
}

TEST(AlertText, what_came_from_outside_breaks_no_line) {
  auto m = fired();
  m.kind = AlertKind::event;
  m.rule.clear();
  m.subjects.clear();
  m.what = "guard: refused\r\nBcc: everybody@example.org";
  EXPECT_EQ(alert_title(m), "[phoenix tokyo1] level 2 severe: guard: refused  Bcc: everybody@example.org");
  auto mail = channel(ChannelKind::email);
  mail.from = "phoenix@example.org";
  mail.to = {"a@example.org"};
  EXPECT_THAT(render(mail, m, at, 1).body, Not(HasSubstr("\nBcc:")));
}

TEST(AlertText, json_has_every_field) {
  const auto parsed = json::parse(alert_json(fired()));
  EXPECT_EQ(parsed["schema"], 1);
  EXPECT_EQ(parsed["kind"], "fired");
  EXPECT_EQ(parsed["level"], 2);
  EXPECT_EQ(parsed["severity"], "severe");
  EXPECT_EQ(parsed["rule"], "not_quoting");
  EXPECT_EQ(parsed["subjects"][1]["name"], "SOLUSDC");
  EXPECT_EQ(parsed["action"], "none");
  EXPECT_EQ(parsed["at"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(parsed["text"], alert_text(fired()));
}

TEST(AlertText, bytes_that_are_no_utf8_are_no_fault) {
  auto m = fired();
  m.what = "answered \xff\xfe";
  for (const auto kind : {ChannelKind::wecom, ChannelKind::webhook, ChannelKind::slack})
    EXPECT_TRUE(json::accept(render(channel(kind), m, at, 1).body));
}

TEST(AlertText, hmac_is_that_of_rfc_4231) {
  std::string hex;
  for (const char c : hmac_sha256("Jefe", "what do ya want for nothing?")) {
    std::array<char, 3> two{};
    std::snprintf(two.data(), two.size(), "%02x", static_cast<unsigned char>(c));
    hex += two.data();
  }
  EXPECT_EQ(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(base64("Man"), "TWFu");
  EXPECT_EQ(base64("Ma"), "TWE=");
  EXPECT_EQ(base64(""), "");
}

TEST(AlertText, wecom_has_markdown_within_its_bound) {
  auto m = fired();
  m.lines.assign(500, "行情中断行情中断");
  const auto request = render(channel(ChannelKind::wecom), m, at, 1);
  EXPECT_EQ(request.url, "https://example.org/hook?key=k");
  const auto content = body(request)["markdown"]["content"].get<std::string>();
  EXPECT_EQ(body(request)["msgtype"], "markdown");
  EXPECT_THAT(content, StartsWith("<font color=\"warning\">[phoenix tokyo1] level 2 severe"));
  EXPECT_LE(content.size(), 4096U);
  EXPECT_GE(content.size(), 4090U) << "no more is cut than must be";
}

// The signature of a known key and time, worked out apart with openssl dgst -sha256 -hmac.
TEST(AlertText, dingtalk_signs_its_address) {
  const auto request = render(channel(ChannelKind::dingtalk, "SECabc"), fired(), at, 1);
  EXPECT_THAT(request.url, StartsWith("https://example.org/hook?key=k&timestamp=1700000000123&sign="));
  EXPECT_EQ(request.url.substr(request.url.find("sign=") + 5),
            "IqXBU%2FaLfwMA3S%2FtDcfRmHx5vWHw9Y1aOgFLBr1Ti9w%3D");
  EXPECT_EQ(body(request)["text"]["content"], alert_text(fired()));
  EXPECT_EQ(render(channel(ChannelKind::dingtalk), fired(), at, 1).url, "https://example.org/hook?key=k");
}

TEST(AlertText, feishu_signs_with_the_text_as_the_key) {
  const auto request = render(channel(ChannelKind::feishu, "SECabc"), fired(), at, 1);
  EXPECT_EQ(body(request)["timestamp"], "1700000000");
  EXPECT_EQ(body(request)["sign"], "XprR1de+0SSBnwWyU/4k6x2TL+Q2SJlM5NNEdAv7MWg=");
  EXPECT_EQ(body(request)["content"]["text"], alert_text(fired()));
  EXPECT_FALSE(body(render(channel(ChannelKind::feishu), fired(), at, 1)).contains("sign"));
}

TEST(AlertText, slack_and_telegram_speak_their_own_words) {
  EXPECT_EQ(body(render(channel(ChannelKind::slack), fired(), at, 1))["text"], alert_text(fired()));
  auto telegram = channel(ChannelKind::telegram);
  telegram.url = "https://api.telegram.org";
  telegram.token = "12:AB";
  telegram.chat_id = "-100";
  const auto request = render(telegram, fired(), at, 1);
  EXPECT_EQ(request.url, "https://api.telegram.org/bot12:AB/sendMessage");
  EXPECT_EQ(body(request)["chat_id"], "-100");
}

TEST(AlertText, a_webhook_is_signed_over_its_body) {
  const auto request = render(channel(ChannelKind::webhook, "s"), fired(), at, 1);
  ASSERT_EQ(request.headers.size(), 2U);
  EXPECT_EQ(request.headers[1].first, "X-Phoenix-Signature");
  EXPECT_THAT(request.headers[1].second, StartsWith("sha256="));
  EXPECT_EQ(request.headers[1].second.size(), 7 + 64U);
}

TEST(AlertText, a_mail_is_one_of_rfc_5322) {
  auto mail = channel(ChannelKind::email);
  mail.from = "Phoenix <phoenix@example.org>";
  mail.to = {"a@example.org", "b@example.org"};
  auto m = fired();
  m.level = AlertLevel::critical;
  const auto text = render(mail, m, at, 7).body;
  EXPECT_THAT(text, StartsWith("Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
                               "From: Phoenix <phoenix@example.org>\r\n"
                               "To: a@example.org, b@example.org\r\n"
                               "Subject: [phoenix tokyo1] level 3 critical: not_quoting ETHUSDC, SOLUSDC\r\n"
                               "Message-ID: <phoenix.1700000000123000000.7@example.org>\r\n"));
  EXPECT_THAT(text, HasSubstr("Importance: high\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\n\r\n[phoenix tokyo1] level 3"));
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') {
      ASSERT_EQ(text[i - 1], '\r') << i;
    }
  }
}

TEST(AlertText, a_mail_with_other_letters_is_encoded) {
  auto mail = channel(ChannelKind::email);
  mail.from = "phoenix@example.org";
  mail.to = {"a@example.org"};
  auto m = fired();
  m.instance = "东京一号东京一号东京一号东京一号东京一号";
  const auto text = render(mail, m, at, 7).body;
  EXPECT_THAT(text, HasSubstr("Subject: =?utf-8?B?"));
  EXPECT_THAT(text, HasSubstr("Content-Transfer-Encoding: base64\r\n"));
  std::size_t length = 0;
  for (const char c : text) {
    EXPECT_LT(static_cast<unsigned char>(c), 0x80);
    length = c == '\n' ? 0 : length + 1;
    EXPECT_LE(length, 110U);
  }
}

TEST(AlertText, is_shortened_between_characters) {
  EXPECT_EQ(shortened("abc", 3), "abc");
  EXPECT_EQ(shortened("abcd", 3), "abc");
  EXPECT_EQ(shortened("a\xE4\xB8\xAD", 3), "a");
  EXPECT_EQ(shortened("\xE4\xB8\xAD", 2), "");
}

TEST(AlertAnswer, success_is_what_the_service_calls_so) {
  using Kind = DeliveryOutcome::Kind;
  struct Case {
    ChannelKind kind;
    int status;
    const char* body;
    Kind expected;
  };
  const Case cases[] = {
      {ChannelKind::wecom, 200, R"({"errcode":0,"errmsg":"ok"})", Kind::delivered},
      {ChannelKind::wecom, 200, R"({"errcode":93000,"errmsg":"invalid webhook url"})", Kind::refused},
      {ChannelKind::wecom, 200, R"({"errcode":45009,"errmsg":"api freq out of limit"})", Kind::later},
      {ChannelKind::wecom, 200, "<html>proxy login</html>", Kind::refused},
      {ChannelKind::wecom, 200, R"({"errcode":"0"})", Kind::refused},
      {ChannelKind::dingtalk, 200, R"({"errcode":0,"errmsg":"ok"})", Kind::delivered},
      {ChannelKind::dingtalk, 200, R"({"errcode":310000,"errmsg":"sign not match"})", Kind::refused},
      {ChannelKind::dingtalk, 200, R"({"errcode":130101,"errmsg":"send too fast"})", Kind::later},
      {ChannelKind::feishu, 200, R"({"code":0,"msg":"success","data":{}})", Kind::delivered},
      {ChannelKind::feishu, 200, R"({"StatusCode":0,"StatusMessage":"success"})", Kind::delivered},
      {ChannelKind::feishu, 200, R"({"code":19021,"msg":"sign match fail"})", Kind::refused},
      {ChannelKind::feishu, 200, R"({"code":11232,"msg":"frequency limited"})", Kind::later},
      {ChannelKind::slack, 200, "ok", Kind::delivered},
      {ChannelKind::slack, 404, "no_service", Kind::refused},
      {ChannelKind::telegram, 200, R"({"ok":true,"result":{}})", Kind::delivered},
      {ChannelKind::telegram, 401, R"({"ok":false,"description":"Unauthorized"})", Kind::refused},
      {ChannelKind::telegram, 200, R"({"ok":"true"})", Kind::refused},
      {ChannelKind::webhook, 204, "", Kind::delivered},
      {ChannelKind::webhook, 302, "", Kind::refused},
      {ChannelKind::webhook, 429, "", Kind::later},
      {ChannelKind::webhook, 503, "", Kind::later},
      {ChannelKind::wecom, 200, "", Kind::refused},
      {ChannelKind::wecom, 200, "[1,2", Kind::refused},
  };
  for (const auto& c : cases) {
    const auto outcome = judge_answer(c.kind, c.status, c.body, "");
    EXPECT_EQ(outcome.kind, c.expected) << name(c.kind) << " " << c.status << " " << c.body;
    EXPECT_EQ(outcome.why.empty(), c.expected == Kind::delivered) << c.body;
  }
}

TEST(AlertAnswer, retry_after_is_obeyed_where_it_is_a_number) {
  EXPECT_EQ(judge_answer(ChannelKind::slack, 429, "", "30").retry_after, base::seconds{30});
  EXPECT_FALSE(judge_answer(ChannelKind::slack, 429, "", "Wed, 21 Oct 2026 07:28:00 GMT").retry_after);
  EXPECT_FALSE(judge_answer(ChannelKind::slack, 429, "", "").retry_after);
}

}  // namespace
}  // namespace phoenix::ops
