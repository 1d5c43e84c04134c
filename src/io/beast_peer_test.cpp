#include "base/rng.hpp"
#include "io/test_support.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>

/// The framing is ours on both ends of the other tests, so one misreading of RFC 6455 would hide in both.
/// Here the other end is Boost.Beast.
namespace phoenix::io::test {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using Kind = Recorder::Kind;
using Tcp = asio::ip::tcp;

std::string random_text(base::Rng& rng) {
  const std::uint64_t most = rng.below(20) == 0 ? 200'000 : rng.below(4) == 0 ? 5000 : 300;
  std::string text;
  const auto size = rng.below(most);
  while (text.size() < size)
    text += rng.below(30) == 0 ? "\xe2\x82\xac" : std::string(1, static_cast<char>('0' + rng.below(14)));
  return text;
}

websocket::permessage_deflate deflate_on(bool on) {
  websocket::permessage_deflate options;
  options.server_enable = on;
  options.client_enable = on;
  return options;
}

class BeastPeer : public testing::TestWithParam<bool> {};

TEST_P(BeastPeer, our_client_and_their_server_exchange_every_text) {
  asio::io_context context;
  Tcp::acceptor acceptor{context, {asio::ip::address_v4::loopback(), 0}};
  std::thread server{[&] {
    websocket::stream<Tcp::socket> stream{acceptor.accept()};
    stream.set_option(deflate_on(GetParam()));
    stream.accept();
    stream.ping("123");
    base::Rng rng{5};
    beast::error_code error;
    for (int i = 0; i < 300 && !error; ++i) {
      beast::flat_buffer buffer;
      stream.read(buffer, error);
      if (error) break;
      stream.auto_fragment(rng.below(2) == 0);
      stream.write_buffer_bytes(static_cast<std::size_t>(8 + rng.below(2000)));
      stream.text(true);
      stream.write(buffer.data(), error);
    }
    beast::flat_buffer rest;
    stream.read(rest, error);
    EXPECT_EQ(error, websocket::error::closed);
    EXPECT_EQ(stream.reason().code, 1000);
  }};
  RealClock clock;
  Recorder recorder;
  Network network{clock, recorder};
  WsOptions line = plain_line(acceptor.local_endpoint().port());
  line.deflate = Deflate::offer;
  ASSERT_EQ(network.open(0, line), Submitted::accepted);
  EXPECT_EQ(recorder.take(Kind::open).open.extensions.starts_with("permessage-deflate"), GetParam());
  base::Rng rng{6};
  for (int i = 0; i < 300; ++i) {
    const std::string text = random_text(rng);
    ASSERT_EQ(network.send(0, text), Submitted::accepted);
    ASSERT_EQ(recorder.take(Kind::text).text, text);
  }
  ASSERT_EQ(network.close(0, 1000), Submitted::accepted);
  EXPECT_EQ(recorder.take(Kind::closed).close.reason, CloseReason::requested);
  server.join();
}

TEST_P(BeastPeer, their_client_and_our_server_exchange_every_text) {
  ServerOptions options;
  options.deflate = GetParam() ? ServerDeflate::accept : ServerDeflate::refuse;
  Mailbox<std::uint16_t> codes;
  ScriptedServer server{options};
  server.closed = [&](PeerId, std::uint16_t code) { codes.put(code); };
  server.start();
  asio::io_context context;
  Tcp::socket socket{context};
  socket.connect({asio::ip::address_v4::loopback(), server.server().plain_port()});
  websocket::stream<Tcp::socket> stream{std::move(socket)};
  stream.set_option(deflate_on(true));
  websocket::response_type response;
  stream.handshake(response, "localhost", "/ws");
  const auto extensions = response[beast::http::field::sec_websocket_extensions];
  EXPECT_EQ(!extensions.empty(), GetParam());
  base::Rng rng{9};
  for (int i = 0; i < 300; ++i) {
    const std::string text = random_text(rng);
    stream.auto_fragment(rng.below(2) == 0);
    stream.write_buffer_bytes(static_cast<std::size_t>(8 + rng.below(2000)));
    stream.text(true);
    stream.write(asio::buffer(text));
    beast::flat_buffer buffer;
    stream.read(buffer);
    ASSERT_TRUE(stream.got_text());
    ASSERT_EQ(beast::buffers_to_string(buffer.data()), text);
  }
  stream.close(websocket::close_code::going_away);
  EXPECT_EQ(codes.take(), 1001);
}

INSTANTIATE_TEST_SUITE_P(Deflate, BeastPeer, testing::Bool());

}  // namespace
}  // namespace phoenix::io::test
