#include "io/server.hpp"

#include "io/test_support.hpp"

#include <atomic>

namespace phoenix::io::test {
namespace {

using Kind = Recorder::Kind;

std::string get(const std::string& target, const std::string& extra = {}) {
  return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + extra + "\r\n";
}
std::string body_after(RawSocket& peer) {
  const std::string head = peer.read_until("\r\n\r\n");
  const auto at = head.find("Content-Length: ");
  return at == std::string::npos ? head : peer.read_bytes(std::stoul(head.substr(at + 16)));
}

TEST(Server, d17_a_port_in_use_is_one_clear_line) {
  ScriptedServer first;
  RealClock clock;
  ServerOptions options;
  options.plain_port = first.server().plain_port();
  try {
    Server second{clock, first, options};
    FAIL() << "two listeners on one port";
  } catch (const std::runtime_error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("127.0.0.1:" + std::to_string(*options.plain_port)), std::string::npos) << text;
    EXPECT_NE(text.find("in use"), std::string::npos) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
}

TEST(Server, an_address_that_is_none_is_refused) {
  ScriptedServer handler;
  RealClock clock;
  ServerOptions options;
  options.address = "nonsense";
  options.plain_port = 0;
  EXPECT_THROW((Server{clock, handler, options}), std::runtime_error);
}

TEST(Server, requests_on_one_connection_are_answered_in_order_even_when_sent_together) {
  ScriptedServer server;
  server.http = [](CallId, const HttpCall& call) { return HttpReply{.body = std::string{call.target}}; };
  server.start();
  RawSocket peer = RawSocket::connect(server.server().plain_port());
  peer.send(get("/a") + get("/b") + get("/c"));
  EXPECT_EQ(body_after(peer), "/a");
  EXPECT_EQ(body_after(peer), "/b");
  EXPECT_EQ(body_after(peer), "/c");
  peer.send(get("/d", "Connection: close\r\n"));
  EXPECT_EQ(body_after(peer), "/d");
  EXPECT_EQ(peer.read_to_end(), "");
  EXPECT_EQ(server.server().stats().requests, 4u);
}

TEST(Server, a_request_may_come_byte_by_byte) {
  ScriptedServer server;
  server.http = [](CallId, const HttpCall& call) { return HttpReply{.body = std::string{call.body}}; };
  server.start();
  RawSocket peer = RawSocket::connect(server.server().plain_port());
  for (const char c : std::string{"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd"})
    peer.send({&c, 1});
  EXPECT_EQ(body_after(peer), "abcd");
}

TEST(Server, a_late_reply_goes_out_and_holds_back_the_next_request_of_its_connection) {
  ScriptedServer server;
  std::optional<CallId> held;
  Mailbox<int> asked;
  server.http = [&](CallId id, const HttpCall& call) -> std::optional<HttpReply> {
    if (call.target == "/fast") return HttpReply{.body = "fast"};
    held = id;
    asked.put(1);
    return std::nullopt;
  };
  server.timer = [&](base::LocalTime) {
    if (!held) return;
    server.server().reply(*held, {.body = "slow"});
    server.server().reply(*held, {.body = "twice is ignored"});
    held.reset();
  };
  server.start();
  RawSocket peer = RawSocket::connect(server.server().plain_port());
  peer.send(get("/slow") + get("/fast"));
  asked.take();
  server.server().wake();
  EXPECT_EQ(body_after(peer), "slow");
  EXPECT_EQ(body_after(peer), "fast");
}

TEST(Server, a_dropped_call_gets_no_answer) {
  ScriptedServer server;
  server.http = [&](CallId id, const HttpCall&) -> std::optional<HttpReply> {
    server.server().drop(id);
    return HttpReply{};
  };
  server.start();
  RawSocket peer = RawSocket::connect(server.server().plain_port());
  peer.send(get("/"));
  EXPECT_EQ(peer.read_to_end(), "");
}

TEST(Server, requests_beyond_the_limits_are_refused) {
  ServerOptions options;
  options.header_bytes_max = 2000;
  options.body_bytes_max = 100;
  ScriptedServer server{options};
  server.start();
  const auto status_of = [&](const std::string& request) {
    RawSocket peer = RawSocket::connect(server.server().plain_port());
    peer.send(request);
    return peer.read_until("\r\n").substr(0, 12);
  };
  EXPECT_EQ(status_of(get("/", "X: " + std::string(3000, 'x') + "\r\n")), "HTTP/1.1 431");
  EXPECT_EQ(status_of(std::string(3000, 'x')), "HTTP/1.1 431");
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n"), "HTTP/1.1 413");
  EXPECT_EQ(status_of("rubbish\r\n\r\n"), "HTTP/1.1 400");
  EXPECT_EQ(status_of(get("/", "Upgrade: websocket\r\nConnection: Upgrade\r\n")), "HTTP/1.1 400");
  EXPECT_EQ(status_of(get("/",
                          "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")),
            "HTTP/1.1 426");
  EXPECT_EQ(server.server().stats().bad_requests, 6u);
}

TEST(Server, a_request_that_never_ends_is_given_up) {
  ServerOptions options;
  options.request_timeout = base::milliseconds{30};
  ScriptedServer server{options};
  server.start();
  RawSocket peer = RawSocket::connect(server.server().plain_port());
  peer.send("GET / HT");
  EXPECT_TRUE(peer.read_to_end().starts_with("HTTP/1.1 408"));
}

TEST(Server, an_idle_connection_is_closed) {
  ServerOptions options;
  options.idle_timeout = base::milliseconds{30};
  ScriptedServer server{options};
  server.start();
  RawSocket peer = RawSocket::connect(server.server().plain_port());
  EXPECT_EQ(peer.read_to_end(), "");
}

TEST(Server, a_connection_that_never_begins_to_ask_is_closed_long_before_an_idle_one) {
  ServerOptions options;
  options.request_timeout = base::milliseconds{30};
  ScriptedServer server{options};
  server.start();
  RawSocket peer = RawSocket::connect(server.server().plain_port());
  EXPECT_EQ(peer.read_to_end(), "");
}

TEST(Server, head_and_no_content_have_no_body) {
  ScriptedServer server;
  server.http = [](CallId, const HttpCall& call) {
    return call.method == "HEAD" ? HttpReply{.body = "12345"} : HttpReply{.status = 204, .body = "ignored"};
  };
  server.start();
  RawSocket peer = RawSocket::connect(server.server().plain_port());
  peer.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + get("/", "Connection: close\r\n"));
  EXPECT_NE(peer.read_until("\r\n\r\n").find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_TRUE(peer.read_to_end().starts_with("HTTP/1.1 204"));
}

TEST(Server, sockets_beyond_the_bound_are_closed_and_counted) {
  ServerOptions options;
  options.sockets_max = 2;
  ScriptedServer server{options};
  server.start();
  RawSocket a = RawSocket::connect(server.server().plain_port());
  RawSocket b = RawSocket::connect(server.server().plain_port());
  a.send(get("/"));
  b.send(get("/"));
  body_after(a);
  body_after(b);
  RawSocket c = RawSocket::connect(server.server().plain_port());
  EXPECT_EQ(c.read_to_end(), "");
  EXPECT_EQ(server.server().stats().refused_sockets, 1u);
}

class Lines : public testing::Test {
 protected:
  void open(ScriptedServer& server, ConnectionId id = 0) {
    WsOptions line = tls_line(server.server().tls_port());
    line.ping_interval = ping_interval;
    line.pong_timeout = base::milliseconds{50};
    ASSERT_EQ(network.open(id, line), Submitted::accepted);
    recorder.take(Kind::open);
  }
  base::Duration ping_interval = base::seconds{20};
  RealClock clock;
  Recorder recorder;
  Network network{clock, recorder};
};

TEST_F(Lines, what_is_sent_from_on_peer_follows_the_upgrade_answer) {
  ScriptedServer server;
  server.peer = [&](PeerId id) { server.server().send(id, "welcome"); };
  server.start();
  open(server);
  EXPECT_EQ(recorder.take(Kind::text).text, "welcome");
}

TEST_F(Lines, several_clients_get_every_message_in_order) {
  ScriptedServer server;
  std::vector<PeerId> peers;
  int sent = 0;
  server.peer = [&](PeerId id) { peers.push_back(id); };
  server.text = [&](PeerId, std::string_view) {
    for (; sent < 2000; ++sent) {
      for (const PeerId id : peers) server.server().send(id, std::to_string(sent));
    }
  };
  server.start();
  for (ConnectionId id = 0; id < 4; ++id) open(server, id);
  ASSERT_EQ(network.send(0, "go"), Submitted::accepted);
  std::map<ConnectionId, int> next;
  for (int i = 0; i < 4 * 2000; ++i) {
    const auto event = recorder.take(Kind::text);
    ASSERT_EQ(event.text, std::to_string(next[event.id]++));
  }
}

std::string websocket_request() {
  return get("/",
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
}

TEST(Server, a_cut_in_mid_frame_ends_the_stream_behind_half_a_frame) {
  ScriptedServer server;
  server.peer = [&](PeerId id) { server.server().cut_mid_frame(id); };
  server.start();
  RawSocket peer = RawSocket::connect(server.server().plain_port());
  peer.send(websocket_request());
  ASSERT_NE(peer.read_until("\r\n\r\n").find("101"), std::string::npos);
  const std::string rest = peer.read_to_end();
  ASSERT_GT(rest.size(), 4U);
  EXPECT_EQ(rest.substr(0, 2), "\x81\x7e");
  const auto promised = static_cast<std::size_t>(static_cast<unsigned char>(rest[2])) * 256 +
                        static_cast<unsigned char>(rest[3]);
  EXPECT_LT(rest.size() - 4, promised);
}

TEST(Server, an_upgrade_that_is_never_answered_holds_its_socket_until_the_client_leaves) {
  ScriptedServer server;
  server.upgrade = [](PeerId, const HttpCall&) {
    return UpgradeReply{.refusal = {}, .answer = UpgradeReply::Answer::never};
  };
  server.start();
  {
    RawSocket peer = RawSocket::connect(server.server().plain_port());
    peer.send(websocket_request());
    while (server.server().stats().requests == 0) std::this_thread::yield();
    RawSocket other = RawSocket::connect(server.server().plain_port());
    other.send(get("/"));
    EXPECT_NE(other.read_until("\r\n\r\n").find("200"), std::string::npos) << "the server goes on";
    EXPECT_EQ(server.server().stats().sockets_open, 2U);
  }
  while (server.server().stats().sockets_open > 0) std::this_thread::yield();
}

TEST_F(Lines, a_frozen_peer_keeps_its_socket_and_answers_nothing) {
  ping_interval = base::milliseconds{5};
  ScriptedServer server;
  server.text = [&](PeerId id, std::string_view) { server.server().freeze(id); };
  server.start();
  open(server);
  recorder.take(Kind::pong);
  ASSERT_EQ(network.send(0, "freeze"), Submitted::accepted);
  Recorder::Event event;
  // Pongs that were on their way come first.
  for (;;) {
    if (recorder.waiting() == 0) {
      std::this_thread::yield();
      continue;
    }
    event = {};
    event.kind = Kind::closed;
    if (network.stats().sockets_open == 0) break;
    recorder.take(Kind::pong);
  }
  while (recorder.waiting() > 1) recorder.take(Kind::pong);
  EXPECT_EQ(recorder.take(Kind::closed).close.reason, CloseReason::pong_timeout);
}

TEST_F(Lines, a_peer_that_does_not_read_is_ended_with_1008_and_told_once) {
  ServerOptions options;
  options.output_bytes_max = 200'000;
  Mailbox<std::uint16_t> codes;
  ScriptedServer server{options};
  server.peer = [&](PeerId id) {
    // The kernel's buffers are bounded too: at some point bytes stay with us.
    for (int i = 0; i < 1000; ++i) server.server().send(id, std::string(100'000, 's'));
  };
  server.closed = [&](PeerId, std::uint16_t code) { codes.put(code); };
  server.start();
  RawSocket peer = RawSocket::connect(server.server().plain_port());
  peer.send(get("/",
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
  EXPECT_EQ(codes.take(), 1006) << "the peer never sent a close frame";
  EXPECT_EQ(server.server().stats().slow_peers, 1u);
}

TEST_F(Lines, a_slow_peer_that_reads_on_sees_the_close_code) {
  ServerOptions options;
  options.output_bytes_max = 1000;
  ScriptedServer server{options};
  server.peer = [&](PeerId id) {
    for (int i = 0; i < 3; ++i) server.server().send(id, std::string(600, 's'));
  };
  server.start();
  open(server);
  recorder.take(Kind::text);
  const auto info = recorder.take(Kind::closed).close;
  EXPECT_EQ(info.code, 1008);
  EXPECT_EQ(info.text, "slow consumer");
}

TEST_F(Lines, timers_fire_when_due_and_drive_the_handler) {
  ScriptedServer server;
  RealClock server_clock;
  std::vector<PeerId> peers;
  std::optional<base::LocalTime> next;
  int ticks = 0;
  server.peer = [&](PeerId id) {
    peers.push_back(id);
    next = server_clock.now();
  };
  server.deadline = [&] { return next; };
  server.timer = [&](base::LocalTime now) {
    for (const PeerId id : peers) server.server().send(id, std::to_string(ticks));
    next = ++ticks < 5 ? std::optional{now + base::milliseconds{2}} : std::nullopt;
  };
  server.start();
  open(server);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(recorder.take(Kind::text).text, std::to_string(i));
}

TEST_F(Lines, stopping_the_server_tells_clients_and_handler) {
  Mailbox<std::uint16_t> codes;
  ScriptedServer server;
  server.closed = [&](PeerId, std::uint16_t code) { codes.put(code); };
  server.start();
  open(server);
  server.server().stop();
  EXPECT_EQ(codes.take(), 1006);
  const auto info = recorder.take(Kind::closed).close;
  EXPECT_EQ(info.reason, CloseReason::peer_closed);
  EXPECT_EQ(info.code, 1001);
}

TEST_F(Lines, without_context_takeover_every_message_stands_alone) {
  ServerOptions options;
  options.deflate = ServerDeflate::accept;
  options.context_takeover = ContextTakeover::none;
  ScriptedServer server{options};
  server.start();
  WsOptions line = plain_line(server.server().plain_port());
  line.deflate = Deflate::offer;
  ASSERT_EQ(network.open(0, line), Submitted::accepted);
  EXPECT_EQ(recorder.take(Kind::open).open.extensions, "permessage-deflate; server_no_context_takeover");
  for (int i = 0; i < 50; ++i) {
    const std::string text(static_cast<std::size_t>(i) * 40, static_cast<char>('a' + i % 26));
    ASSERT_EQ(network.send(0, text), Submitted::accepted);
    ASSERT_EQ(recorder.take(Kind::text).text, text);
  }
}

}  // namespace
}  // namespace phoenix::io::test
