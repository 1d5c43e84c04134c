#include "io/http_codec.hpp"
#include "io/network.hpp"
#include "io/server.hpp"
#include "io/tls.hpp"
#include "io/ws_codec.hpp"

#include <atomic>
#include <condition_variable>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <thread>

#include <benchmark/benchmark.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

/// What does one 1 KB message over TLS on loopback cost the thread that receives it, CPU only: ours, and
/// Boost.Beast fed by the same server in the same process. Compare the two within one run; the figures
/// themselves depend on the machine. The server floods, so reads are batched, as in a burst.
namespace phoenix::io {
namespace {

constexpr std::size_t message_bytes = 1024;
constexpr int messages_per_run = 200'000;

std::int64_t thread_cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

const TestCertificates& certificates() {
  static const TestCertificates files =
      make_test_certificates(std::filesystem::temp_directory_path() / "phoenix-io-bench");
  return files;
}

/// Sends messages_per_run messages to whoever sends a text, as fast as they are taken.
class Flood final : public ServerHandler {
 public:
  Flood() {
    ServerOptions options;
    options.tls_port = 0;
    options.certificate_file = certificates().certificate_file;
    options.key_file = certificates().key_file;
    server_ = std::make_unique<Server>(clock_, *this, options);
    server_->start();
  }
  ~Flood() override { server_->stop(); }
  std::uint16_t port() const { return server_->tls_port(); }

  std::optional<HttpReply> on_http(CallId, const HttpCall&, base::LocalTime) override { return HttpReply{}; }
  UpgradeReply on_upgrade(PeerId, const HttpCall&, base::LocalTime) override { return {}; }
  void on_peer(PeerId, base::LocalTime) override {}
  void on_text(PeerId id, std::string_view, base::LocalTime) override {
    peer_ = id;
    left_ = messages_per_run;
  }
  void on_control(PeerId, ControlFrame, std::string_view, base::LocalTime) override {}
  void on_peer_closed(PeerId, std::uint16_t, base::LocalTime) override { left_ = 0; }
  std::optional<base::LocalTime> next_deadline() override {
    return left_ == 0 ? std::nullopt : std::optional{base::LocalTime{}};
  }
  void on_timer(base::LocalTime) override {
    while (left_ > 0 && server_->unsent_bytes(peer_) < (256u << 10)) {
      server_->send(peer_, text_);
      --left_;
    }
  }

 private:
  RealClock clock_;
  std::unique_ptr<Server> server_;
  std::string text_ = std::string(message_bytes, '7');
  PeerId peer_ = 0;
  int left_ = 0;
};

class Counter final : public NetworkHandler {
 public:
  void on_open(ConnectionId, const OpenInfo&, base::LocalTime) override { arrive(); }
  void on_text(ConnectionId, std::string_view payload, base::LocalTime) override {
    if (count_ == 0) cpu_at_first_ = thread_cpu_ns();
    bytes_ += payload.size();
    if (++count_ < messages_per_run) return;
    cpu_ns_ = thread_cpu_ns() - cpu_at_first_;
    count_ = 0;
    arrive();
  }
  void on_pong(ConnectionId, base::Duration, base::LocalTime) override {}
  void on_closed(ConnectionId, const CloseInfo&, base::LocalTime) override {}
  void on_rest(model::RequestId, RestResult&, base::LocalTime) override {}
  void on_turn_end(base::LocalTime) override {}

  std::int64_t wait() {
    std::unique_lock lock{mutex_};
    came_.wait(lock, [&] { return arrived_; });
    arrived_ = false;
    return cpu_ns_;
  }

 private:
  void arrive() {
    const std::scoped_lock lock{mutex_};
    arrived_ = true;
    came_.notify_one();
  }
  std::mutex mutex_;
  std::condition_variable came_;
  bool arrived_ = false;
  int count_ = 0;
  std::size_t bytes_ = 0;
  std::int64_t cpu_at_first_ = 0, cpu_ns_ = 0;
};

void report(benchmark::State& state, std::int64_t cpu_ns) {
  state.SetIterationTime(static_cast<double>(cpu_ns) * 1e-9 / messages_per_run);
}

void BM_phoenix_receive(benchmark::State& state) {
  Flood flood;
  RealClock clock;
  Counter counter;
  Network network{clock, counter};
  WsOptions line;
  line.endpoint = {.host = "localhost",
                   .port = flood.port(),
                   .security = Security::tls,
                   .ca_file = certificates().ca_file,
                   .server_name = {}};
  if (network.open(0, line) != Submitted::accepted) return;
  counter.wait();
  for (auto _ : state) {
    if (network.send(0, "go") != Submitted::accepted) return;
    report(state, counter.wait());
  }
}

void BM_beast_receive(benchmark::State& state) {
  namespace asio = boost::asio;
  namespace beast = boost::beast;
  Flood flood;
  asio::io_context context;
  asio::ssl::context tls{asio::ssl::context::tls_client};
  tls.load_verify_file(certificates().ca_file);
  tls.set_verify_mode(asio::ssl::verify_peer);
  beast::websocket::stream<beast::ssl_stream<asio::ip::tcp::socket>> stream{context, tls};
  stream.next_layer().next_layer().connect({asio::ip::address_v4::loopback(), flood.port()});
  stream.next_layer().handshake(asio::ssl::stream_base::client);
  stream.handshake("localhost", "/");
  for (auto _ : state) {
    stream.write(asio::buffer(std::string_view{"go"}));
    beast::flat_buffer buffer;
    int count = 0;
    std::int64_t start = 0, end = 0;
    std::function<void()> read = [&] {
      stream.async_read(buffer, [&](beast::error_code error, std::size_t) {
        if (error) return;
        if (count == 0) start = thread_cpu_ns();
        buffer.clear();
        if (++count < messages_per_run) return read();
        end = thread_cpu_ns();
      });
    };
    read();
    context.restart();
    context.run();
    report(state, end - start);
  }
}

/// The frame decoder alone, on frames that are already in memory.
void BM_decode_frame(benchmark::State& state) {
  OutBuffer out;
  for (int i = 0; i < 64; ++i) append_frame(out, WsOpcode::text, std::string(message_bytes, '7'));
  std::string bytes{out.view()};
  WsDecoder decoder{WsRole::client, 1 << 20};
  for (auto _ : state) {
    std::size_t done = 0;
    while (done < bytes.size()) {
      std::size_t consumed = 0;
      benchmark::DoNotOptimize(decoder.next({bytes.data() + done, bytes.size() - done}, consumed));
      done += consumed;
    }
  }
  state.SetItemsProcessed(state.iterations() * 64);
}

BENCHMARK(BM_phoenix_receive)->Name("receive/phoenix/tls_1kB")->UseManualTime()->Iterations(2);
BENCHMARK(BM_beast_receive)->Name("receive/beast/tls_1kB")->UseManualTime()->Iterations(2);
BENCHMARK(BM_decode_frame)->Name("frame_decode/phoenix/64_frames");

}  // namespace
}  // namespace phoenix::io

BENCHMARK_MAIN();
