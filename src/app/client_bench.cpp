// What does a market data client cost the CPU per message, socket to book? A server on loopback floods
// composed depth events of about 1 KB over TLS.
//
//   phoenix  the product's path: network thread, bounded ring, engine-side thread that decodes, checks the
//   chain and keeps
//            the book; the CPU time of both threads
//   floor    one thread, blocking OpenSSL reads, a dozen lines of framing, the same decoder and book: no
//   stamps, no ring, no
//            chain check, no reconnect; a bound, not a product
//
// Both within one process and run: compare the two, not the figures themselves.

#include "base/ring.hpp"
#include "base/rng.hpp"
#include "book/book.hpp"
#include "io/network.hpp"
#include "io/server.hpp"
#include "io/tls.hpp"
#include "model/symbol_table.hpp"
#include "venue/binance/market_decoder.hpp"
#include "venue/book_sync.hpp"

#include <atomic>
#include <condition_variable>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <thread>

#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

constexpr int messages_per_run = 200'000;

std::int64_t thread_cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

/// Depth events of 29 levels around a touch that wanders; ids are an unbroken chain.
std::vector<std::string> compose_frames() {
  std::vector<std::string> frames;
  base::Rng rng{7};
  std::int64_t id = 10'620'500'000'000;
  std::int64_t mid = 845'500;  // in tenths
  for (int i = 0; i < 4096; ++i) {
    mid += rng.between(-2, 2);
    const auto levels = [&](int count, int direction) {
      std::string text;
      for (int n = 0; n < count; ++n) {
        const std::int64_t price = mid + direction * (1 + static_cast<std::int64_t>(rng.below(400)));
        text += fmt::format("{}[\"{}.{}0\",\"{}.{:03}\"]", n == 0 ? "" : ",", price / 10, price % 10,
                            rng.below(9), rng.below(1000));
      }
      return text;
    };
    const std::int64_t first = id + 3;
    const std::int64_t last = first + 300;
    frames.push_back(fmt::format(
        "{{\"stream\":\"btcusdt@depth@100ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":1795000000105,\"T\":"
        "1795000000101,"
        "\"s\":\"BTCUSDT\",\"ps\":\"BTCUSDT\",\"U\":{},\"u\":{},\"pu\":{},\"b\":[{}],\"a\":[{}],\"st\":1}}}}",
        first, last, id, levels(15, -1), levels(14, 1)));
    id = last;
  }
  return frames;
}

const std::vector<std::string>& frames() {
  static const auto made = compose_frames();
  return made;
}

const io::TestCertificates& certificates() {
  static const auto files =
      io::make_test_certificates(std::filesystem::temp_directory_path() / "phoenix-client-bench");
  return files;
}

/// Sends messages_per_run frames to whoever sends a text, as fast as they are taken.
class Flood final : public io::ServerHandler {
 public:
  Flood() {
    io::ServerOptions options;
    options.tls_port = 0;
    options.certificate_file = certificates().certificate_file;
    options.key_file = certificates().key_file;
    server_ = std::make_unique<io::Server>(clock_, *this, options);
    server_->start();
  }
  ~Flood() override { server_->stop(); }
  std::uint16_t port() const { return server_->tls_port(); }

  std::optional<io::HttpReply> on_http(io::CallId, const io::HttpCall&, base::LocalTime) override {
    return io::HttpReply{};
  }
  io::UpgradeReply on_upgrade(io::PeerId, const io::HttpCall&, base::LocalTime) override { return {}; }
  void on_peer(io::PeerId, base::LocalTime) override {}
  void on_text(io::PeerId id, std::string_view, base::LocalTime) override {
    peer_ = id;
    left_ = messages_per_run;
  }
  void on_control(io::PeerId, io::ControlFrame, std::string_view, base::LocalTime) override {}
  void on_peer_closed(io::PeerId, std::uint16_t, base::LocalTime) override { left_ = 0; }
  std::optional<base::LocalTime> next_deadline() override {
    return left_ == 0 ? std::nullopt : std::optional{base::LocalTime{}};
  }
  void on_timer(base::LocalTime) override {
    while (left_ > 0 && server_->unsent_bytes(peer_) < (256U << 10)) {
      server_->send(peer_, frames()[static_cast<std::size_t>(left_) % frames().size()]);
      --left_;
    }
  }

 private:
  io::RealClock clock_;
  std::unique_ptr<io::Server> server_;
  io::PeerId peer_ = 0;
  int left_ = 0;
};

/// Decoder and book of one symbol, and whether the ids follow each other.
class Keeper {
 public:
  Keeper() : decoder_(symbols_), book_({.tick = model::Price::of("0.1")}) {
    if (!symbols_.add("BTCUSDT")) std::abort();
  }
  void take(std::string_view frame) {
    const auto message = decoder_.decode(frame);
    const auto* delta = message ? std::get_if<model::DepthDelta>(&*message) : nullptr;
    if (delta == nullptr) std::abort();
    if (venue::follow(model::Product::usdm, last_id_, *delta) == venue::Follow::gap) ++gaps_;
    last_id_ = delta->last_id;
    book_.apply(*delta);
  }
  std::uint64_t gaps() const { return gaps_; }

 private:
  model::SymbolTable symbols_;
  venue::binance::MarketDecoder decoder_;
  book::Book book_;
  std::int64_t last_id_ = 0;
  std::uint64_t gaps_ = 0;
};

class Client final : public io::NetworkHandler {
 public:
  Client() : ring_(64U << 20), consumer_([this] { consume(); }) {}
  ~Client() override {
    leaving_ = true;
    consumer_.join();
  }
  void on_open(io::ConnectionId, const io::OpenInfo&, base::LocalTime) override { arrive(); }
  void on_text(io::ConnectionId, std::string_view payload, base::LocalTime now) override {
    if (received_ == 0) network_cpu_begin_ = thread_cpu_ns();
    const std::span head{reinterpret_cast<const std::byte*>(&now), sizeof now};
    while (!ring_.try_push(head, {reinterpret_cast<const std::byte*>(payload.data()), payload.size()}))
      std::this_thread::yield();
    if (++received_ < messages_per_run) return;
    received_ = 0;
    network_cpu_ = thread_cpu_ns() - network_cpu_begin_;
  }
  void on_pong(io::ConnectionId, base::Duration, base::LocalTime) override {}
  void on_closed(io::ConnectionId, const io::CloseInfo&, base::LocalTime) override {}
  void on_rest(model::RequestId, io::RestResult&, base::LocalTime) override {}
  void on_turn_end(base::LocalTime) override {}

  /// CPU of both threads for one run.
  std::int64_t wait() {
    std::unique_lock lock{mutex_};
    came_.wait(lock, [&] { return arrived_; });
    arrived_ = false;
    return network_cpu_ + consumer_cpu_;
  }

 private:
  void consume() {
    Keeper keeper;
    int taken = 0;
    std::int64_t busy = 0;
    while (!leaving_) {
      const auto begin = thread_cpu_ns();
      int batch = 0;
      while (const auto record = ring_.front()) {
        keeper.take({reinterpret_cast<const char*>(record->data()) + sizeof(base::LocalTime),
                     record->size() - sizeof(base::LocalTime)});
        ring_.pop();
        ++batch;
      }
      if (batch > 0) busy += thread_cpu_ns() - begin;  // polling an empty ring is not work
      taken += batch;
      if (taken >= messages_per_run) {
        taken = 0;
        consumer_cpu_ = std::exchange(busy, 0);
        arrive();
      }
      if (batch == 0) std::this_thread::sleep_for(std::chrono::microseconds{50});
    }
  }
  void arrive() {
    const std::scoped_lock lock{mutex_};
    arrived_ = true;
    came_.notify_one();
  }

  base::ByteRing ring_;
  std::mutex mutex_;
  std::condition_variable came_;
  bool arrived_ = false;
  int received_ = 0;
  std::int64_t network_cpu_begin_ = 0;
  std::atomic<std::int64_t> network_cpu_ = 0, consumer_cpu_ = 0;
  std::atomic<bool> leaving_ = false;
  std::thread consumer_;
};

void report(benchmark::State& state, std::int64_t cpu_ns) {
  state.SetIterationTime(static_cast<double>(cpu_ns) * 1e-9 / messages_per_run);
}

void phoenix_client(benchmark::State& state) {
  Flood flood;
  const io::RealClock clock;
  Client client;
  io::Network network{clock, client};
  io::WsOptions line;
  line.endpoint.host = "localhost";
  line.endpoint.port = flood.port();
  line.endpoint.ca_file = certificates().ca_file.string();
  if (network.open(0, line) != io::Submitted::accepted) return;
  client.wait();
  for (auto _ : state) {
    if (network.send(0, "go") != io::Submitted::accepted) return;
    report(state, client.wait());
  }
  network.stop();
}

/// One blocking TLS connection with the least framing that reads this server.
class FloorClient {
 public:
  explicit FloorClient(std::uint16_t port) : context_(io::client_context(certificates().ca_file.string())) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) std::abort();
    ssl_ = SSL_new(context_.get());
    SSL_set_fd(ssl_, fd_);
    if (SSL_connect(ssl_) != 1) std::abort();
    write(
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    while (std::string_view{buffer_.data(), end_}.find("\r\n\r\n") == std::string_view::npos) read();
    end_ = 0;
  }
  ~FloorClient() {
    SSL_free(ssl_);
    ::close(fd_);
  }
  std::int64_t run(Keeper& keeper) {
    const char go[] = {'\x81', '\x82', 0, 0, 0, 0, 'g', 'o'};  // masked with zeros
    write({go, sizeof go});
    std::int64_t begin = 0;
    for (int count = 0; count < messages_per_run;) {
      read();
      if (begin == 0) begin = thread_cpu_ns();
      std::size_t at = 0;
      while (end_ - at >= 4) {
        const auto byte = [&](std::size_t i) {
          return static_cast<std::size_t>(static_cast<unsigned char>(buffer_[at + i]));
        };
        const std::size_t head = byte(1) < 126 ? 2 : 4;
        const std::size_t size = byte(1) < 126 ? byte(1) : byte(2) << 8 | byte(3);
        if (end_ - at < head + size) break;
        keeper.take({buffer_.data() + at + head, size});
        at += head + size;
        ++count;
      }
      std::copy(buffer_.data() + at, buffer_.data() + end_, buffer_.data());
      end_ -= at;
    }
    return thread_cpu_ns() - begin;
  }

 private:
  void write(std::string_view text) {
    if (SSL_write(ssl_, text.data(), static_cast<int>(text.size())) <= 0) std::abort();
  }
  void read() {
    const int n = SSL_read(ssl_, buffer_.data() + end_, static_cast<int>(buffer_.size() - end_));
    if (n <= 0) std::abort();
    end_ += static_cast<std::size_t>(n);
  }
  io::SslContext context_;
  int fd_ = -1;
  SSL* ssl_ = nullptr;
  std::vector<char> buffer_ = std::vector<char>(1U << 18);
  std::size_t end_ = 0;
};

void floor_client(benchmark::State& state) {
  Flood flood;
  FloorClient client{flood.port()};
  Keeper keeper;
  for (auto _ : state) report(state, client.run(keeper));
}

BENCHMARK(phoenix_client)->Name("client/phoenix/diff_1kB")->UseManualTime()->Iterations(2);
BENCHMARK(floor_client)->Name("client/floor/diff_1kB")->UseManualTime()->Iterations(2);

}  // namespace
}  // namespace phoenix::app

BENCHMARK_MAIN();
