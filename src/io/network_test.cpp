#include "io/network.hpp"

#include "io/test_support.hpp"

#include <atomic>

namespace phoenix::io::test {
namespace {

using Kind = Recorder::Kind;
using Outcome = RestResult::Outcome;

class NetworkTest : public testing::Test {
 protected:
  NetworkTest() : network{std::make_unique<Network>(clock, recorder, options())} {}

  static NetworkOptions options() {
    NetworkOptions options;
    options.commands_max = 64;
    options.rest_connections_per_host = 2;
    return options;
  }
  void open(const WsOptions& line, ConnectionId id = 0) {
    ASSERT_EQ(network->open(id, line), Submitted::accepted);
  }
  CloseInfo closed() { return recorder.take(Kind::closed).close; }
  void send(const std::string& text, ConnectionId id = 0) {
    ASSERT_EQ(network->send(id, text), Submitted::accepted);
  }

  RealClock clock;
  Recorder recorder;
  std::unique_ptr<Network> network;
};

TEST_F(NetworkTest, texts_come_back_over_tls_and_every_byte_is_counted) {
  ScriptedServer server;
  server.start();
  open(tls_line(server.server().tls_port()));
  const auto info = recorder.take(Kind::open).open;
  EXPECT_EQ(info.extensions, "");
  EXPECT_NE(info.remote.find(std::to_string(server.server().tls_port())), std::string::npos);
  std::uint64_t payload = 0;
  for (const std::size_t size : {1u, 125u, 126u, 65535u, 65536u, 300'000u}) {
    const std::string text(size, 'e');
    send(text);
    EXPECT_EQ(recorder.take(Kind::text).text, text);
    payload += size;
  }
  // The counters are raised after the callbacks of a read: the next round trip orders them before us.
  send("x");
  recorder.take(Kind::text);
  const Traffic traffic = network->traffic(0);
  EXPECT_GE(traffic.messages_in, 6u);
  EXPECT_GE(traffic.payload_bytes_in, payload);
  EXPECT_EQ(traffic.messages_out, 7u);
  EXPECT_GT(traffic.wire_bytes_in, payload);
  EXPECT_GT(traffic.wire_bytes_out, payload);
  EXPECT_EQ(traffic.opens, 1u);
  EXPECT_FALSE(traffic.deflate);
  EXPECT_EQ(network->stats().sockets_open, 1u);
  EXPECT_GT(recorder.turn_ends(), 0);
}

TEST_F(NetworkTest, the_upgrade_carries_target_host_and_extra_headers) {
  Mailbox<std::string> asked;
  ScriptedServer server;
  server.upgrade = [&](PeerId, const HttpCall& call) {
    asked.put(std::string{call.target} + "|" + std::string{call.header("host")} + "|" +
              std::string{call.header("x-mbx-apikey")} + "|" + std::string{call.header("user-agent")});
    return UpgradeReply{};
  };
  server.start();
  WsOptions line = plain_line(server.server().plain_port());
  line.target = "/stream?streams=btcusdt@depth";
  line.headers = {{"X-MBX-APIKEY", "key"}};
  open(line);
  recorder.take(Kind::open);
  const std::string port = std::to_string(server.server().plain_port());
  EXPECT_EQ(asked.take(), "/stream?streams=btcusdt@depth|127.0.0.1:" + port + "|key|phoenix");
}

TEST_F(NetworkTest, deflate_is_used_when_granted_and_its_saving_shows_on_the_wire) {
  ServerOptions server_options;
  server_options.deflate = ServerDeflate::accept;
  server_options.window_bits = WindowBits::say_15;
  ScriptedServer server{server_options};
  server.start();
  WsOptions line = tls_line(server.server().tls_port());
  line.deflate = Deflate::offer;
  open(line);
  EXPECT_EQ(recorder.take(Kind::open).open.extensions, "permessage-deflate; server_max_window_bits=15");
  EXPECT_TRUE(network->traffic(0).deflate);
  std::string text;
  for (int i = 0; i < 500; ++i) text += "[\"" + std::to_string(60'000 + i % 7) + ".10\",\"0.001\"],";
  const auto wire_before = network->traffic(0).wire_bytes_in;
  for (int i = 0; i < 20; ++i) {
    send(text);
    ASSERT_EQ(recorder.take(Kind::text).text, text);
  }
  EXPECT_LT(network->traffic(0).wire_bytes_in - wire_before, 20 * text.size() / 4);
}

TEST_F(NetworkTest, deflate_refused_by_the_server_is_reported_and_works_uncompressed) {
  ScriptedServer server;
  server.start();
  WsOptions line = plain_line(server.server().plain_port());
  line.deflate = Deflate::offer;
  open(line);
  EXPECT_EQ(recorder.take(Kind::open).open.extensions, "");
  send("hello");
  EXPECT_EQ(recorder.take(Kind::text).text, "hello");
  EXPECT_FALSE(network->traffic(0).deflate);
}

TEST_F(NetworkTest, an_extension_nobody_offered_fails_the_line) {
  RawListener listener;
  open(plain_line(listener.port()));
  RawSocket peer = listener.accept();
  peer.accept_upgrade("Sec-WebSocket-Extensions: permessage-deflate\r\n");
  EXPECT_EQ(closed().reason, CloseReason::handshake_failed);
}

TEST_F(NetworkTest, pings_are_sent_and_their_round_trip_is_reported) {
  ScriptedServer server;
  server.start();
  WsOptions line = plain_line(server.server().plain_port());
  line.ping_interval = base::milliseconds{5};
  open(line);
  recorder.take(Kind::open);
  for (int i = 0; i < 5; ++i) EXPECT_GT(recorder.take(Kind::pong).round_trip, base::Duration::zero());
}

TEST_F(NetworkTest, a_peer_that_never_answers_ends_by_pong_timeout) {
  RawListener listener;
  WsOptions line = plain_line(listener.port());
  line.ping_interval = base::milliseconds{5};
  line.pong_timeout = base::milliseconds{30};
  open(line);
  RawSocket peer = listener.accept();
  peer.accept_upgrade();
  recorder.take(Kind::open);
  EXPECT_EQ(closed().reason, CloseReason::pong_timeout);
}

TEST_F(NetworkTest, an_unasked_pong_does_not_count_as_the_answer) {
  RawListener listener;
  WsOptions line = plain_line(listener.port());
  line.ping_interval = base::milliseconds{5};
  line.pong_timeout = base::milliseconds{50};
  open(line);
  RawSocket peer = listener.accept();
  peer.accept_upgrade();
  recorder.take(Kind::open);
  peer.send(std::string("\x8a\x03zzz", 5));
  EXPECT_EQ(closed().reason, CloseReason::pong_timeout);
}

TEST_F(NetworkTest, the_servers_pings_are_answered_with_their_payload) {
  Mailbox<std::string> pongs;
  ScriptedServer server;
  server.peer = [&](PeerId id) {
    server.server().ping(id, "1700000000000");
    server.server().ping(id, "");
  };
  server.control = [&](PeerId, ControlFrame kind, std::string_view payload) {
    if (kind == ControlFrame::pong) pongs.put(std::string{payload});
  };
  server.start();
  open(tls_line(server.server().tls_port()));
  recorder.take(Kind::open);
  EXPECT_EQ(pongs.take(), "1700000000000");
  EXPECT_EQ(pongs.take(), "");
}

TEST_F(NetworkTest, the_servers_close_code_and_reason_arrive) {
  Mailbox<std::uint16_t> codes;
  ScriptedServer server;
  server.text = [&](PeerId id, std::string_view) { server.server().close(id, 1008, "Too many requests"); };
  server.closed = [&](PeerId, std::uint16_t code) { codes.put(code); };
  server.start();
  open(tls_line(server.server().tls_port()));
  recorder.take(Kind::open);
  send("x");
  const CloseInfo info = closed();
  EXPECT_EQ(info.reason, CloseReason::peer_closed);
  EXPECT_EQ(info.code, 1008);
  EXPECT_EQ(info.text, "Too many requests");
  EXPECT_EQ(codes.take(), 1008);
}

TEST_F(NetworkTest, our_close_is_told_to_the_peer_and_ends_as_requested) {
  Mailbox<std::uint16_t> codes;
  ScriptedServer server;
  server.closed = [&](PeerId, std::uint16_t code) { codes.put(code); };
  server.start();
  open(tls_line(server.server().tls_port()));
  recorder.take(Kind::open);
  ASSERT_EQ(network->close(0, 1000), Submitted::accepted);
  EXPECT_EQ(closed().reason, CloseReason::requested);
  EXPECT_EQ(codes.take(), 1000);
}

TEST_F(NetworkTest, our_close_does_not_wait_for_a_peer_that_never_answers_it) {
  RawListener listener;
  open(plain_line(listener.port()));
  RawSocket peer = listener.accept();
  peer.accept_upgrade();
  recorder.take(Kind::open);
  ASSERT_EQ(network->close(0), Submitted::accepted);
  EXPECT_EQ(closed().reason, CloseReason::requested);
}

TEST_F(NetworkTest, a_line_may_be_closed_before_it_is_open) {
  RawListener listener;
  open(plain_line(listener.port()));
  ASSERT_EQ(network->close(0), Submitted::accepted);
  EXPECT_EQ(closed().reason, CloseReason::requested);
  EXPECT_EQ(network->stats().sockets_open, 0u);
}

TEST_F(NetworkTest, a_message_beyond_the_cap_ends_the_line) {
  ScriptedServer server;
  server.text = [&](PeerId id, std::string_view text) {
    server.server().send(id, std::string(text.size() + 1, 'x'));
  };
  server.start();
  WsOptions line = plain_line(server.server().plain_port());
  line.message_bytes_max = 100'000;
  open(line);
  recorder.take(Kind::open);
  send(std::string(99'999, 'a'));
  EXPECT_EQ(recorder.take(Kind::text).text.size(), 100'000u);
  send(std::string(100'000, 'a'));
  const CloseInfo info = closed();
  EXPECT_EQ(info.reason, CloseReason::message_too_big);
  EXPECT_EQ(info.code, 1009);
}

TEST_F(NetworkTest, a_frame_that_comes_in_halves_is_one_message_and_half_a_frame_is_none) {
  RawListener listener;
  open(plain_line(listener.port()));
  RawSocket peer = listener.accept();
  peer.accept_upgrade();
  recorder.take(Kind::open);
  peer.send("\x81\x05he");
  peer.send("llo\x81");
  EXPECT_EQ(recorder.take(Kind::text).text, "hello");
  peer.send("\x05hal");
  peer.close();
  EXPECT_EQ(closed().reason, CloseReason::connection_lost);
}

TEST_F(NetworkTest, a_reset_is_a_lost_connection) {
  RawListener listener;
  open(plain_line(listener.port()));
  RawSocket peer = listener.accept();
  peer.accept_upgrade();
  recorder.take(Kind::open);
  peer.reset();
  EXPECT_EQ(closed().reason, CloseReason::connection_lost);
}

TEST_F(NetworkTest, breaking_the_protocol_ends_the_line_and_the_peer_is_told_why) {
  RawListener listener;
  open(plain_line(listener.port()));
  RawSocket peer = listener.accept();
  peer.accept_upgrade();
  recorder.take(Kind::open);
  peer.send("\x83\x01x");
  const CloseInfo info = closed();
  EXPECT_EQ(info.reason, CloseReason::protocol_error);
  EXPECT_EQ(info.code, 1002);
  EXPECT_EQ(static_cast<unsigned char>(peer.read_to_end().at(0)), 0x88);
}

TEST_F(NetworkTest, messages_that_come_with_the_upgrade_answer_are_not_lost) {
  RawListener listener;
  open(plain_line(listener.port()));
  RawSocket peer = listener.accept();
  const std::string request = peer.read_until("\r\n\r\n");
  const auto key = request.substr(request.find("Sec-WebSocket-Key: ") + 19, 24);
  peer.send(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
      "Upgrade\r\nSec-WebSocket-Accept: " +
      ws_accept_key(key) + "\r\n\r\n\x81\x02hi\x81\x03you");
  recorder.take(Kind::open);
  EXPECT_EQ(recorder.take(Kind::text).text, "hi");
  EXPECT_EQ(recorder.take(Kind::text).text, "you");
}

TEST_F(NetworkTest, a_refused_upgrade_tells_status_and_retry_after) {
  ScriptedServer server;
  server.upgrade = [](PeerId, const HttpCall&) {
    HttpReply reply{
        .status = 429, .headers = {{"Retry-After", "37"}}, .body = "{\"code\":-1003,\n\"msg\":\"slow\"}"};
    return UpgradeReply{.refusal = reply};
  };
  server.start();
  open(tls_line(server.server().tls_port()));
  const CloseInfo info = closed();
  EXPECT_EQ(info.reason, CloseReason::handshake_refused);
  EXPECT_EQ(info.http_status, 429);
  EXPECT_EQ(info.retry_after_s, 37u);
  EXPECT_NE(info.text.find("-1003"), std::string::npos);
  EXPECT_EQ(info.text.find('\n'), std::string::npos);
}

TEST_F(NetworkTest, an_upgrade_that_is_never_or_wrongly_answered_fails) {
  RawListener listener;
  WsOptions line = plain_line(listener.port());
  line.handshake_timeout = base::milliseconds{50};
  open(line);
  RawSocket silent = listener.accept();
  EXPECT_EQ(closed().reason, CloseReason::handshake_failed);
  line.handshake_timeout = base::seconds{60};
  for (const char* answer :
       {"rubbish\r\n\r\n",
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        "HTTP/1.1 101 X\r\nConnection: Upgrade\r\n\r\n"}) {
    open(line);
    RawSocket peer = listener.accept();
    peer.read_until("\r\n\r\n");
    peer.send(answer);
    EXPECT_EQ(closed().reason, CloseReason::handshake_failed) << answer;
  }
  open(line);
  RawSocket peer = listener.accept();
  peer.read_until("\r\n\r\n");
  peer.close();
  EXPECT_EQ(closed().reason, CloseReason::handshake_failed);
}

TEST_F(NetworkTest, nobody_listening_is_connect_failed_and_the_address_is_named) {
  RawListener listener;
  const auto port = listener.port();
  listener.close();
  open(plain_line(port));
  const CloseInfo info = closed();
  EXPECT_EQ(info.reason, CloseReason::connect_failed);
  EXPECT_NE(info.text.find(std::to_string(port)), std::string::npos) << info.text;
}

TEST_F(NetworkTest, a_name_that_does_not_exist_is_resolve_failed) {
  WsOptions line = plain_line(1);
  line.endpoint.host = "no-such-host.invalid";
  line.resolve_timeout = base::milliseconds{500};
  open(line);
  EXPECT_EQ(closed().reason, CloseReason::resolve_failed);
}

TEST_F(NetworkTest, a_line_survives_200_cuts_without_leaving_a_descriptor) {
  ScriptedServer server;
  server.text = [&](PeerId id, std::string_view text) {
    if (text == "reset") return server.server().reset(id);
    server.server().close(id, 1001, "");
  };
  server.start();
  const auto cycle = [&](int i) {
    open(i % 2 == 0 ? tls_line(server.server().tls_port()) : plain_line(server.server().plain_port()));
    recorder.take(Kind::open);
    send(i % 3 == 0 ? "close" : "reset");
    const auto reason = closed().reason;
    ASSERT_EQ(reason, i % 3 == 0 ? CloseReason::peer_closed : CloseReason::connection_lost);
    // After its close frame the server closes the socket, not we.
    while (network->stats().sockets_open != 0) std::this_thread::yield();
  };
  cycle(0);
  cycle(1);
  while (server.server().stats().sockets_open != 0) std::this_thread::yield();
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 200; ++i) cycle(i);
  while (server.server().stats().sockets_open != 0) std::this_thread::yield();
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(recorder.waiting(), 0u);
  EXPECT_EQ(network->traffic(0).opens, 202u);
}

TEST_F(NetworkTest, a_peer_that_does_not_read_fills_the_bounded_queue) {
  RawListener listener;
  WsOptions line = plain_line(listener.port());
  line.send_queue_bytes_max = 100'000;
  open(line);
  RawSocket peer = listener.accept();
  peer.accept_upgrade();
  recorder.take(Kind::open);
  while (recorder.waiting() == 0) {
    if (network->send(0, std::string(50'000, 's')) == Submitted::refused_full) std::this_thread::yield();
  }
  EXPECT_EQ(closed().reason, CloseReason::send_queue_full);
}

TEST_F(NetworkTest, a_text_for_a_line_that_is_gone_is_dropped_and_counted) {
  send("nobody hears");
  RawListener listener;
  open(plain_line(listener.port()));
  ASSERT_EQ(network->close(0), Submitted::accepted);
  EXPECT_EQ(closed().reason, CloseReason::requested);
  EXPECT_EQ(network->stats().sends_unconnected, 1u);
}

TEST_F(NetworkTest, stopping_ends_every_line_and_call_with_its_last_callback) {
  ScriptedServer server;
  server.http = [](CallId, const HttpCall&) { return std::nullopt; };
  Mailbox<int> asked;
  server.peer = [&](PeerId) { asked.put(1); };
  server.start();
  open(tls_line(server.server().tls_port()), 3);
  recorder.take(Kind::open);
  RawListener listener;
  open(plain_line(listener.port()), 4);
  network->stop();
  EXPECT_EQ(closed().reason, CloseReason::stopped);
  EXPECT_EQ(closed().reason, CloseReason::stopped);
  EXPECT_EQ(network->send(3, "late"), Submitted::refused_full);
}

/// Holds the io thread inside a callback, so that nothing takes commands.
class Blocker final : public NetworkHandler {
 public:
  void on_open(ConnectionId, const OpenInfo&, base::LocalTime) override {}
  void on_text(ConnectionId, std::string_view, base::LocalTime) override {
    entered.put(1);
    go_on.take();
  }
  void on_pong(ConnectionId, base::Duration, base::LocalTime) override {}
  void on_closed(ConnectionId, const CloseInfo&, base::LocalTime) override {}
  void on_rest(model::RequestId, RestResult&, base::LocalTime) override {}
  void on_turn_end(base::LocalTime) override {}
  Mailbox<int> entered, go_on;
};

TEST(NetworkBounds, more_commands_than_the_bound_are_refused_and_counted) {
  ScriptedServer server;
  server.peer = [&](PeerId id) { server.server().send(id, "wake"); };
  server.start();
  RealClock clock;
  Blocker blocker;
  Network network{clock, blocker, {.commands_max = 8}};
  ASSERT_EQ(network.open(0, plain_line(server.server().plain_port())), Submitted::accepted);
  blocker.entered.take();
  for (int i = 0; i < 8; ++i) ASSERT_EQ(network.send(0, "x"), Submitted::accepted);
  EXPECT_EQ(network.send(0, "x"), Submitted::refused_full);
  EXPECT_EQ(network.stats().commands.dropped, 1u);
  for (int i = 0; i < 16; ++i) blocker.go_on.put(1);
}

void open_one_id_twice() {
  RealClock clock;
  Recorder recorder;
  Network network{clock, recorder};
  RawListener listener;
  (void)network.open(0, plain_line(listener.port()));
  (void)network.open(0, plain_line(listener.port()));
  recorder.take(Kind::closed);
}

TEST(NetworkDeathTest, opening_an_open_id_is_our_bug) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(open_one_id_twice(), "at most one socket");
}

TEST(NetworkSpin, the_spinning_loop_serves_as_the_sleeping_one_does) {
  ScriptedServer server;
  server.start();
  RealClock clock;
  Recorder recorder;
  Network network{clock, recorder, {.waiting = Waiting::spin}};
  ASSERT_EQ(network.open(0, tls_line(server.server().tls_port())), Submitted::accepted);
  recorder.take(Kind::open);
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(network.send(0, std::to_string(i)), Submitted::accepted);
    EXPECT_EQ(recorder.take(Kind::text).text, std::to_string(i));
  }
}

class RestTest : public NetworkTest {
 protected:
  RestCall request(std::uint64_t id, std::uint16_t port, Security security = Security::plain) {
    RestCall call;
    call.request_id = {id};
    call.endpoint = security == Security::tls ? tls_line(port).endpoint : plain_line(port).endpoint;
    call.target = "/" + std::to_string(id);
    call.deadline = clock.now() + base::seconds{60};
    return call;
  }
  void call(RestCall rest_call) { ASSERT_EQ(network->call(std::move(rest_call)), Submitted::accepted); }
  std::pair<std::uint64_t, RestResult> answer() {
    auto event = recorder.take(Kind::rest);
    return {event.request.value, std::move(event.rest)};
  }
};

TEST_F(RestTest, a_call_brings_status_the_kept_headers_and_the_body) {
  ScriptedServer server;
  server.http = [](CallId, const HttpCall& asked) {
    HttpReply reply{.status = 400,
                    .headers = {{"X-MBX-USED-WEIGHT-1M", "12"}, {"Retry-After", "3"}, {"X-Other", "no"}}};
    reply.body = std::string{asked.method} + " " + std::string{asked.target} + " " + std::string{asked.body} +
                 " " + std::string{asked.header("x-mbx-apikey")};
    return reply;
  };
  server.start();
  RestCall post = request(1, server.server().tls_port(), Security::tls);
  post.method = "POST";
  post.target = "/fapi/v1/order?symbol=BTCUSDT";
  post.body = "a=b";
  post.headers = {{"X-MBX-APIKEY", "key"}};
  call(post);
  const auto [id, result] = answer();
  EXPECT_EQ(id, 1u);
  EXPECT_EQ(result.outcome, Outcome::answered) << result.why;
  EXPECT_EQ(result.status, 400);
  EXPECT_EQ(result.body, "POST /fapi/v1/order?symbol=BTCUSDT a=b key");
  EXPECT_EQ(find_header(result.headers, "x-mbx-used-weight-1m"), "12");
  EXPECT_EQ(find_header(result.headers, "retry-after"), "3");
  EXPECT_NE(find_header(result.headers, "date"), "");
  EXPECT_EQ(find_header(result.headers, "x-other"), "");
}

TEST_F(RestTest, calls_one_after_the_other_use_one_connection) {
  Mailbox<std::string> peers;
  ScriptedServer server;
  server.http = [&](CallId, const HttpCall& asked) {
    peers.put(std::string{asked.remote});
    return HttpReply{};
  };
  server.start();
  std::string first;
  for (std::uint64_t i = 0; i < 20; ++i) {
    call(request(i, server.server().tls_port(), Security::tls));
    EXPECT_EQ(answer().second.outcome, Outcome::answered);
    const std::string peer = peers.take();
    if (i == 0) first = peer;
    EXPECT_EQ(peer, first);
  }
}

TEST_F(RestTest, an_answer_with_connection_close_ends_the_connection_and_the_next_call_takes_a_new_one) {
  ScriptedServer server;
  server.http = [](CallId, const HttpCall&) { return HttpReply{.after = AfterReply::close}; };
  server.start();
  for (std::uint64_t i = 0; i < 10; ++i) {
    call(request(i, server.server().plain_port()));
    EXPECT_EQ(answer().second.outcome, Outcome::answered);
  }
}

TEST_F(RestTest, a_large_body_arrives_whole) {
  ScriptedServer server;
  const std::string body(3'000'000, 'b');
  server.http = [&](CallId, const HttpCall&) { return HttpReply{.body = body}; };
  server.start();
  call(request(1, server.server().tls_port(), Security::tls));
  EXPECT_EQ(answer().second.body, body);
}

TEST_F(RestTest, answers_are_matched_to_their_questions_when_they_overtake_each_other) {
  ScriptedServer server;
  std::optional<CallId> held;
  server.http = [&](CallId id, const HttpCall& asked) -> std::optional<HttpReply> {
    if (asked.target == "/1") {
      held = id;
      return std::nullopt;
    }
    return HttpReply{.body = std::string{asked.target}};
  };
  server.timer = [&](base::LocalTime) {
    if (held) server.server().reply(*held, {.body = "/1"});
  };
  server.start();
  call(request(1, server.server().plain_port()));
  call(request(2, server.server().plain_port()));
  auto [second, second_result] = answer();
  EXPECT_EQ(second, 2u);
  EXPECT_EQ(second_result.body, "/2");
  server.server().wake();
  auto [first, first_result] = answer();
  EXPECT_EQ(first, 1u);
  EXPECT_EQ(first_result.body, "/1");
}

TEST_F(RestTest, orders_overtake_other_calls_that_wait) {
  std::vector<CallId> held;
  Mailbox<std::string> asked_for;
  ScriptedServer server;
  server.http = [&](CallId id, const HttpCall& asked) -> std::optional<HttpReply> {
    asked_for.put(std::string{asked.target});
    if (asked.target != "/1" && asked.target != "/2") return HttpReply{};
    held.push_back(id);
    return std::nullopt;
  };
  server.timer = [&](base::LocalTime) {
    for (const CallId id : held) server.server().reply(id, {});
  };
  server.start();
  const auto port = server.server().plain_port();
  call(request(1, port));
  call(request(2, port));
  asked_for.take();
  asked_for.take();
  call(request(3, port));
  RestCall order = request(4, port);
  order.lane = Lane::order;
  call(order);
  // Answered, so taken in order before it: both waiting calls are in their lanes by now.
  ScriptedServer other;
  other.start();
  call(request(9, other.server().plain_port()));
  EXPECT_EQ(answer().first, 9u);
  server.server().wake();
  EXPECT_EQ(asked_for.take(), "/4");
}

TEST_F(RestTest, a_host_nobody_answers_at_is_not_sent) {
  RawListener listener;
  const auto port = listener.port();
  listener.close();
  for (std::uint64_t i = 0; i < 3; ++i) {
    call(request(i, port));
    const auto result = answer().second;
    EXPECT_EQ(result.outcome, Outcome::not_sent);
    EXPECT_NE(result.why, "");
  }
}

TEST_F(RestTest, a_certificate_that_does_not_verify_is_not_sent) {
  ScriptedServer server;
  server.start();
  RestCall bad = request(1, server.server().tls_port(), Security::tls);
  bad.endpoint.server_name = "fapi.example.com";
  call(bad);
  EXPECT_EQ(answer().second.outcome, Outcome::not_sent);
  RestCall worse = request(2, server.server().tls_port(), Security::tls);
  worse.endpoint.ca_file = "/nowhere.pem";
  call(worse);
  EXPECT_EQ(answer().second.outcome, Outcome::not_sent);
}

TEST_F(RestTest, a_connection_cut_after_the_request_is_unknown_and_never_sent_again) {
  RawListener listener;
  call(request(1, listener.port()));
  RawSocket peer = listener.accept();
  peer.read_until("\r\n\r\n");
  peer.reset();
  EXPECT_EQ(answer().second.outcome, Outcome::unknown);
  // Also in the middle of the answer.
  call(request(2, listener.port()));
  RawSocket second = listener.accept();
  EXPECT_TRUE(second.read_until("\r\n\r\n").starts_with("GET /2 "));
  second.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  second.close();
  EXPECT_EQ(answer().second.outcome, Outcome::unknown);
  // And on a connection that had served before.
  call(request(3, listener.port()));
  RawSocket third = listener.accept();
  EXPECT_TRUE(third.read_until("\r\n\r\n").starts_with("GET /3 "));
  third.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(answer().second.outcome, Outcome::answered);
  call(request(4, listener.port()));
  EXPECT_TRUE(third.read_until("\r\n\r\n").starts_with("GET /4 "));
  third.reset();
  EXPECT_EQ(answer().second.outcome, Outcome::unknown);
  EXPECT_EQ(network->stats().rest_retried, 0u);
}

TEST_F(RestTest, a_kept_connection_the_server_closed_meanwhile_costs_no_call) {
  RawListener listener;
  for (std::uint64_t i = 0; i < 50; ++i) {
    call(request(i, listener.port()));
    RawSocket peer = listener.accept();
    EXPECT_TRUE(peer.read_until("\r\n\r\n").starts_with("GET /" + std::to_string(i) + " "));
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(answer().second.outcome, Outcome::answered);
    peer.close();
  }
}

TEST_F(RestTest, an_answer_without_a_length_ends_with_the_stream) {
  RawListener listener;
  call(request(1, listener.port()));
  RawSocket peer = listener.accept();
  peer.read_until("\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\n\r\nall of it");
  peer.close();
  const auto result = answer().second;
  EXPECT_EQ(result.outcome, Outcome::answered) << result.why;
  EXPECT_EQ(result.body, "all of it");
}

TEST_F(RestTest, a_chunked_answer_and_an_interim_one_are_understood) {
  RawListener listener;
  call(request(1, listener.port()));
  RawSocket peer = listener.accept();
  peer.read_until("\r\n\r\n");
  peer.send(
      "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  peer.send("2\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(answer().second.body, "abcde");
}

TEST_F(RestTest, a_deadline_that_passes_after_the_request_left_is_unknown) {
  RawListener listener;
  RestCall slow = request(1, listener.port());
  slow.deadline = clock.now() + base::milliseconds{200};
  call(slow);
  RawSocket peer = listener.accept();
  peer.read_until("\r\n\r\n");
  EXPECT_EQ(answer().second.outcome, Outcome::unknown);
}

TEST_F(RestTest, a_deadline_that_passes_in_the_queue_is_not_sent) {
  RawListener listener;
  call(request(1, listener.port()));
  call(request(2, listener.port()));
  RawSocket a = listener.accept();
  RawSocket b = listener.accept();
  a.read_until("\r\n\r\n");
  b.read_until("\r\n\r\n");
  RestCall third = request(3, listener.port());
  third.deadline = clock.now() + base::milliseconds{20};
  call(third);
  const auto [id, result] = answer();
  EXPECT_EQ(id, 3u);
  EXPECT_EQ(result.outcome, Outcome::not_sent);
  RestCall late = request(4, listener.port());
  late.deadline = clock.now() - base::seconds{1};
  call(late);
  EXPECT_EQ(answer().second.outcome, Outcome::not_sent);
}

TEST(RestBounds, a_full_queue_answers_not_sent_at_once) {
  RawListener listener;
  RealClock clock;
  Recorder recorder;
  NetworkOptions options;
  options.rest_connections_per_host = 1;
  options.rest_queue_max = 2;
  Network network{clock, recorder, options};
  for (std::uint64_t i = 0; i < 4; ++i) {
    RestCall call;
    call.request_id = {i};
    call.endpoint = plain_line(listener.port()).endpoint;
    call.deadline = clock.now() + base::seconds{60};
    ASSERT_EQ(network.call(call), Submitted::accepted);
    // The first leaves the queue when its request is read.
    if (i == 0) {
      static RawSocket peer = listener.accept();
      peer.read_until("\r\n\r\n");
    }
  }
  const auto event = recorder.take(Kind::rest);
  EXPECT_EQ(event.request.value, 3u);
  EXPECT_EQ(event.rest.outcome, Outcome::not_sent);
  EXPECT_EQ(network.stats().rest_queue_full, 1u);
  network.stop();
  int unknown = 0, not_sent = 0;
  for (int i = 0; i < 3; ++i) {
    (recorder.take(Kind::rest).rest.outcome == Outcome::unknown ? unknown : not_sent) += 1;
  }
  EXPECT_EQ(unknown, 1);
  EXPECT_EQ(not_sent, 2);
}

TEST_F(RestTest, rubbish_for_an_answer_is_unknown) {
  RawListener listener;
  call(request(1, listener.port()));
  RawSocket peer = listener.accept();
  peer.read_until("\r\n\r\n");
  peer.send("SMTP ready\r\n\r\n");
  EXPECT_EQ(answer().second.outcome, Outcome::unknown);
}

TEST_F(RestTest, what_comes_without_a_question_never_becomes_the_next_answer) {
  RawListener listener;
  call(request(1, listener.port()));
  {
    RawSocket peer = listener.accept();
    peer.read_until("\r\n\r\n");
    peer.send(
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong");
    EXPECT_EQ(answer().second.body, "1");
    EXPECT_EQ(peer.read_to_end(), "");
  }
  call(request(2, listener.port()));
  RawSocket peer = listener.accept();
  peer.read_until("\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
  EXPECT_EQ(answer().second.body, "2");
}

}  // namespace
}  // namespace phoenix::io::test
