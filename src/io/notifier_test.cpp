#include "io/notifier.hpp"

#include "io/test_support.hpp"

#include <atomic>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::io {
namespace {

using ops::AlertChannel;
using ops::AlertMessage;
using ops::ChannelKind;
using ops::DeliveryOutcome;
using test::Mailbox;
using test::RawListener;
using test::ScriptedServer;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Kind = DeliveryOutcome::Kind;

const RealClock& the_clock() {
  static const RealClock clock;
  return clock;
}
AlertMessage message(std::string what) {
  AlertMessage m;
  m.kind = ops::AlertKind::event;
  m.at = the_clock().now();
  m.what = std::move(what);
  return m;
}
AlertChannel webhook(std::string name, std::uint16_t port, std::string path = "/") {
  AlertChannel c;
  c.name = std::move(name);
  c.url = fmt::format("https://localhost:{}{}", port, path);
  c.ca_file = test::certificates().ca_file;
  return c;
}
DeliveryOutcome send(const AlertChannel& channel, base::Duration timeout = base::seconds{10}) {
  return send_alert(channel, message("x"), the_clock().now(), timeout);
}
HttpReply reply(std::uint16_t status, std::string body = {}) {
  HttpReply made;
  made.status = status;
  made.body = std::move(body);
  return made;
}

TEST(SendAlert, posts_json_over_verified_tls) {
  Mailbox<std::string> calls;
  ScriptedServer server;
  server.http = [&](CallId, const HttpCall& call) {
    calls.put(fmt::format("{} {} {} {}", call.method, call.target, call.header("content-type"), call.body));
    return reply(200);
  };
  server.start();
  const auto outcome = send(webhook("a", server.server().tls_port(), "/hook?key=k"));
  EXPECT_EQ(outcome.kind, Kind::delivered) << outcome.why;
  EXPECT_THAT(calls.take(), StartsWith("POST /hook?key=k application/json; charset=utf-8 {\"schema\":1,"));
}

TEST(SendAlert, sends_nothing_to_a_server_that_cannot_prove_who_it_is) {
  ScriptedServer server;
  std::atomic<int> calls{0};
  server.http = [&](CallId, const HttpCall&) {
    ++calls;
    return reply(200);
  };
  server.start();
  auto channel = webhook("a", server.server().tls_port());
  channel.ca_file.clear();
  EXPECT_EQ(send(channel).kind, Kind::later);
  EXPECT_EQ(calls, 0);
}

TEST(SendAlert, follows_no_redirect) {
  ScriptedServer server;
  std::atomic<int> calls{0};
  server.http = [&](CallId, const HttpCall&) {
    ++calls;
    auto made = reply(302);
    made.headers = {{"Location", "/elsewhere"}};
    return made;
  };
  server.start();
  EXPECT_EQ(send(webhook("a", server.server().tls_port())).kind, Kind::refused);
  EXPECT_EQ(calls, 1);
}

TEST(SendAlert, tells_no_secret_that_the_other_end_repeats) {
  ScriptedServer server;
  server.http = [](CallId, const HttpCall& call) {
    return reply(404, fmt::format("no such hook https://localhost{}", call.target));
  };
  server.start();
  AlertChannel channel;
  channel.kind = ChannelKind::telegram;
  channel.url = fmt::format("http://127.0.0.1:{}", server.server().plain_port());
  channel.token = "12:SECRETTOKEN";
  channel.chat_id = "1";
  const auto outcome = send(channel);
  EXPECT_EQ(outcome.kind, Kind::refused);
  EXPECT_THAT(outcome.why, HasSubstr("answered 404"));
  EXPECT_THAT(outcome.why, Not(HasSubstr("SECRETTOKEN")));
}

TEST(SendAlert, gives_up_on_a_silent_server) {
  const RawListener listener;  // takes the connection and says nothing
  AlertChannel channel;
  channel.url = fmt::format("http://127.0.0.1:{}/", listener.port());
  EXPECT_EQ(send(channel, base::milliseconds{200}).kind, Kind::later);
}

TEST(SendAlert, obeys_retry_after) {
  ScriptedServer server;
  server.http = [](CallId, const HttpCall&) {
    auto made = reply(429);
    made.headers = {{"Retry-After", "17"}};
    return made;
  };
  server.start();
  const auto outcome = send(webhook("a", server.server().tls_port()));
  EXPECT_EQ(outcome.kind, Kind::later);
  EXPECT_EQ(outcome.retry_after, base::seconds{17});
}

/// What a relay of this machine says.
class Relay {
 public:
  explicit Relay(std::string answer_to_data) {
    thread_ = std::thread{[this, answer = std::move(answer_to_data)] {
      auto peer = listener_.accept();
      peer.send("220 relay\r\n");
      for (;;) {
        const auto line = peer.read_until("\r\n");
        if (line.empty()) return;
        said_ += line;
        if (line.starts_with("EHLO")) {
          peer.send("250-relay\r\n250 8BITMIME\r\n");
        } else if (line.starts_with("DATA")) {
          peer.send("354 go on\r\n");
          said_ += peer.read_until("\r\n.\r\n");
          peer.send(answer);
        } else if (line.starts_with("QUIT")) {
          peer.send("221 bye\r\n");
          return;
        } else {
          peer.send("250 ok\r\n");
        }
      }
    }};
  }
  ~Relay() { join(); }
  std::string said() {
    join();
    return said_;
  }
  AlertChannel channel() const {
    AlertChannel c;
    c.kind = ChannelKind::email;
    c.url = fmt::format("smtp://127.0.0.1:{}", listener_.port());
    c.from = "Phoenix <phoenix@example.org>";
    c.to = {"a@example.org", "B <b@example.org>"};
    return c;
  }

 private:
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  RawListener listener_;
  std::string said_;
  std::thread thread_;
};

TEST(SendAlert, mails_through_a_relay_of_this_machine) {
  Relay relay{"250 queued\r\n"};
  const auto outcome = send(relay.channel());
  EXPECT_EQ(outcome.kind, Kind::delivered) << outcome.why;
  const auto said = relay.said();
  EXPECT_THAT(said, HasSubstr("MAIL FROM:<phoenix@example.org>"));
  EXPECT_THAT(said, HasSubstr("RCPT TO:<a@example.org>"));
  EXPECT_THAT(said, HasSubstr("RCPT TO:<b@example.org>"));
  EXPECT_THAT(said, HasSubstr("\r\nSubject: [phoenix] level 1 warning: x\r\n"));
}

TEST(SendAlert, tells_a_mail_that_is_refused_from_one_to_be_tried_again) {
  Relay refusing{"554 no\r\n"};
  EXPECT_EQ(send(refusing.channel()).kind, Kind::refused);
  Relay busy{"451 later\r\n"};
  EXPECT_EQ(send(busy.channel()).kind, Kind::later);
}

TEST(SendAlert, a_login_is_never_sent_in_the_clear) {
  Relay relay{"250 queued\r\n"};
  auto channel = relay.channel();
  channel.user = "phoenix";
  channel.password = "SECRET";
  EXPECT_NE(send(channel).kind, Kind::delivered) << "the relay knows no STARTTLS";
  EXPECT_THAT(relay.said(), Not(HasSubstr("AUTH")));
}

/// Tests wait for what the notifier's thread does.
class NotifierTest : public testing::Test {
 protected:
  Notifier::Log log() {
    return [this](ops::DeliveryNote::Tone, std::string_view text) { notes.put(std::string{text}); };
  }
  NotifierOptions options(std::vector<AlertChannel> channels) {
    return {.channels = std::move(channels), .backoff_min = base::milliseconds{10}};
  }
  Mailbox<std::string> notes;
};

TEST_F(NotifierTest, sends_to_two_channels_at_once) {
  Mailbox<std::string> calls;
  ScriptedServer server;
  server.http = [&](CallId, const HttpCall& call) {
    calls.put(std::string{call.target});
    return reply(200);
  };
  server.start();
  const auto port = server.server().tls_port();
  Notifier notifier{the_clock(),
                    options({webhook("a", port, "/a"), webhook("b", port, "/b"), webhook("c", port, "/c")}),
                    log()};
  notifier.post(message("x"));
  std::vector<std::string> got{calls.take(), calls.take()};
  EXPECT_THAT(got, testing::UnorderedElementsAre("/a", "/b"));
}

TEST_F(NotifierTest, o6_falls_back_when_a_channel_is_down_and_says_so) {
  Mailbox<std::string> calls;
  ScriptedServer server;
  server.http = [&](CallId, const HttpCall& call) {
    calls.put(std::string{call.target});
    return reply(200);
  };
  server.start();
  RawListener gone;
  const auto dead_port = gone.port();
  gone.close();
  const auto port = server.server().tls_port();
  Notifier notifier{the_clock(),
                    options({webhook("dead", dead_port), webhook("b", port, "/b"), webhook("c", port, "/c")}),
                    log()};
  notifier.post(message("x"));
  std::vector<std::string> got{calls.take(), calls.take()};
  EXPECT_THAT(got, testing::UnorderedElementsAre("/b", "/c"));
  EXPECT_THAT(notes.take(), StartsWith("alert channel dead failed: "));
}

TEST_F(NotifierTest, what_reached_nobody_is_sent_when_a_channel_is_back) {
  Mailbox<std::string> calls;
  ScriptedServer server;
  std::atomic<int> refusals{3};
  server.http = [&](CallId, const HttpCall& call) {
    if (refusals.fetch_sub(1) > 0) return reply(503);
    calls.put(std::string{call.body});
    return reply(200);
  };
  server.start();
  Notifier notifier{the_clock(), options({webhook("a", server.server().tls_port())}), log()};
  notifier.post(message("patience"));
  EXPECT_THAT(calls.take(), HasSubstr("patience"));
  EXPECT_EQ(notes.take(), "alert channel a failed: answered 503");
  EXPECT_EQ(notes.take(), "alert channel a works again");
}

TEST_F(NotifierTest, posting_never_waits_for_the_network) {
  const RawListener silent;
  AlertChannel channel;
  channel.name = "silent";
  channel.url = fmt::format("http://127.0.0.1:{}/", silent.port());
  auto made = options({channel});
  made.farewell = base::milliseconds{1};
  Notifier notifier{the_clock(), made, log()};
  constexpr int posted = 1000;
  for (int i = 0; i < posted; ++i) notifier.post(message("x"));
  const auto status = notifier.status();
  // In the queue, in the inbox, and what is between the two.
  EXPECT_LE(status.waiting, 200U + 2 * Notifier::inbox_max) << "what waits is bounded";
}

TEST_F(NotifierTest, the_last_words_are_sent) {
  Mailbox<std::string> calls;
  ScriptedServer server;
  server.http = [&](CallId, const HttpCall& call) {
    calls.put(std::string{call.body});
    return reply(200);
  };
  server.start();
  {
    Notifier notifier{the_clock(), options({webhook("a", server.server().tls_port())}), log()};
    notifier.post(message("goodbye"));
  }
  EXPECT_THAT(calls.take(), HasSubstr("goodbye"));
}

}  // namespace
}  // namespace phoenix::io
