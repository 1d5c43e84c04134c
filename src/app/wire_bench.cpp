// From a depth frame on the wire to the bytes of the order it leads to, both seen by the venue: how much more
// is that than a bare TLS ping-pong? One server on loopback, the same for both, in turn within the same
// seconds.
//
//   phoenix   the local exchange sends a depth frame that moves the ladder; the maker is the whole of it:
//   network
//             thread, ring, engine with risk on, signed request, network thread
//   bare_tls  one thread, blocking OpenSSL: reads a frame of the same size and answers with bytes of an
//   order's size
//
// The time ends when the venue's thread has read the first request. Ratios count; the figures are this
// machine's.

#include "app/config.hpp"
#include "engine/engine.hpp"
#include "exchange/protocol.hpp"
#include "io/live_host.hpp"
#include "io/server.hpp"
#include "io/tls.hpp"

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

constexpr const char* key = "wire-key";
constexpr const char* secret = "wire-secret";
constexpr std::size_t beats = 30;
constexpr base::Duration beat = base::milliseconds{500};
/// A change is in the frame of the next multiple of 100 ms; by then the order has come.
constexpr base::Duration rest_of_beat = base::milliseconds{150};
constexpr std::size_t order_bytes = 420;

base::VenueTime venue(base::LocalTime now) { return base::venue_time_ns(base::ns_of(now)); }

const io::TestCertificates& certificates() {
  static const auto files =
      io::make_test_certificates(std::filesystem::temp_directory_path() / "phoenix-wire-bench");
  return files;
}

struct Samples {
  std::vector<base::Duration> maker, bare;
};

/// The local exchange on real sockets, with a market that jumps to and fro, and a plain echo beside it.
class Venue final : public io::ServerHandler {
 public:
  explicit Venue(const io::RealClock& clock) : clock_(clock), exchange_(market(clock.now())) {
    io::ServerOptions options;
    options.tls_port = std::uint16_t{0};
    options.certificate_file = certificates().certificate_file;
    options.key_file = certificates().key_file;
    server_ = std::make_unique<io::Server>(clock_, *this, options);
    jump(clock.now());
    server_->start();
  }
  ~Venue() override { server_->stop(); }
  std::uint16_t port() const { return server_->tls_port(); }

  /// Blocks for as many beats as there are samples; empty when the maker did not answer for a minute.
  std::optional<Samples> measure() {
    std::unique_lock lock{mutex_};
    samples_ = {};
    wanted_ = beats;
    const bool done = changed_.wait_for(lock, std::chrono::minutes{1}, [this] { return wanted_ == 0; });
    return done ? std::optional{std::move(samples_)} : std::nullopt;
  }

  std::optional<io::HttpReply> on_http(io::CallId, const io::HttpCall& call, base::LocalTime now) override {
    exchange::HttpRequest request;
    request.method = call.method;
    request.target = call.target;
    request.body = call.body;
    request.api_key = call.header("x-mbx-apikey");
    request.client_address = "127.0.0.1";
    const auto answer = exchange_.rest(request, venue(now));
    io::HttpReply reply;
    reply.status = static_cast<std::uint16_t>(answer.status);
    reply.headers = answer.headers;
    reply.body = answer.body;
    settle();
    return reply;
  }
  io::UpgradeReply on_upgrade(io::PeerId id, const io::HttpCall& call, base::LocalTime now) override {
    if (call.target == "/bare") {
      bare_ = id;
      return {};
    }
    if (!exchange_.open(id, call.target, "127.0.0.1", venue(now)).accepted) return {io::HttpReply{}};
    if (call.target.starts_with("/ws-fapi")) orders_ = id;
    return {};
  }
  void on_peer(io::PeerId, base::LocalTime) override { settle(); }
  void on_text(io::PeerId id, std::string_view text, base::LocalTime now) override {
    if (id == bare_) return take(now, pinged_, &Samples::bare);
    if (id == orders_ && text.find("\"order.") != std::string_view::npos)
      take(now, depth_sent_, &Samples::maker);
    exchange_.text(id, text, venue(now));
    settle();
  }
  void on_control(io::PeerId id, io::ControlFrame kind, std::string_view, base::LocalTime now) override {
    if (kind == io::ControlFrame::ping) exchange_.pinged(id, venue(now));
    if (kind == io::ControlFrame::pong) exchange_.ponged(id, venue(now));
    settle();
  }
  void on_peer_closed(io::PeerId id, std::uint16_t, base::LocalTime) override { exchange_.closed(id); }
  std::optional<base::LocalTime> next_deadline() override {
    return std::min({next_jump_, next_ping_, base::local_time_ns(base::ns_of(exchange_.next_deadline()))});
  }
  void on_timer(base::LocalTime now) override {
    exchange_.advance(venue(now));
    if (next_jump_ <= now) jump(now);
    if (next_ping_ <= now) ping();
    settle();
  }

 private:
  static exchange::ExchangeOptions market(base::LocalTime now) {
    exchange::ExchangeOptions options;
    options.core.start = venue(now);
    options.core.accounts = {{.api_key = key, .api_secret = secret}};
    std::erase_if(options.core.symbols, [](const auto& s) { return s.name != "ETHUSDC"; });
    options.core.symbols.at(0).source = exchange::MarketSource::external;
    return options;
  }

  /// Twenty levels a side, ten basis points up or down: far enough for every order to move.
  void jump(base::LocalTime now) {
    is_up_ = !is_up_;
    const auto& spec = exchange_.core().spec(model::SymbolId{0});
    const auto tick = spec.filters.tick_size;
    auto mid = spec.initial_price;
    if (is_up_) mid += model::Price::from_raw(mid.raw() / 1'000);
    mid = model::round_to(mid, tick, model::Rounding::down);
    std::vector<model::Level> bids, asks;
    for (int i = 1; i <= 20; ++i) {
      bids.push_back({mid - tick * i, model::Qty::from_units(20 + i)});
      asks.push_back({mid + tick * i, model::Qty::from_units(20 + i)});
    }
    exchange_.administer(venue(now), [&](exchange::Core& core, exchange::CoreEvents& events) {
      core.replace_external_book(model::SymbolId{0}, bids, asks, venue(now), events);
    });
    next_jump_ = now + beat;
    next_ping_ = now + rest_of_beat;
  }

  /// What the jump's frame led to is over: the tickers may go, and it is the other one's turn.
  void ping() {
    next_ping_ = base::LocalTime::max();
    depth_sent_.reset();
    for (const auto& out : std::exchange(tickers_, {})) server_->send(out.peer, out.text);
    if (bare_ == 0 || depth_text_.empty()) return;
    pinged_ = clock_.now();
    server_->send(bare_, depth_text_);
  }

  void take(base::LocalTime now, std::optional<base::LocalTime>& since,
            std::vector<base::Duration> Samples::* where) {
    if (!since) return;
    const std::lock_guard lock{mutex_};
    auto& samples = samples_.*where;
    if (wanted_ > 0 && samples.size() < wanted_) samples.push_back(now - *since);
    since.reset();
    if (wanted_ == 0 || samples_.maker.size() < wanted_ || samples_.bare.size() < wanted_) return;
    wanted_ = 0;
    changed_.notify_all();
  }

  /// The bookTicker would bring the price before the depth frame does: it waits.
  void settle() {
    for (auto& out : exchange_.drain()) {
      if (out.what == exchange::Out::What::ping) {
        server_->ping(out.peer, out.text);
      } else if (out.what == exchange::Out::What::close) {
        server_->close(out.peer, static_cast<std::uint16_t>(out.close_code), out.reason);
      } else if (out.stream.ends_with("@bookTicker")) {
        tickers_.push_back(std::move(out));
      } else if (out.stream.find("@depth") != std::string::npos) {
        depth_text_ = out.text;
        depth_sent_ = clock_.now();
        server_->send(out.peer, out.text);
      } else {
        server_->send(out.peer, out.text);
      }
    }
  }

  const io::RealClock& clock_;
  exchange::Exchange exchange_;
  std::unique_ptr<io::Server> server_;
  io::PeerId bare_ = 0, orders_ = 0;
  bool is_up_ = false;
  base::LocalTime next_jump_{}, next_ping_ = base::LocalTime::max();
  std::vector<exchange::Out> tickers_;
  std::string depth_text_;
  std::optional<base::LocalTime> depth_sent_, pinged_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t wanted_ = 0;
  Samples samples_;
};

/// Answers each frame with bytes of an order's size.
class BareClient {
 public:
  explicit BareClient(std::uint16_t port) : context_(io::client_context(certificates().ca_file.string())) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) std::abort();
    thread_ = std::thread([this] { run(); });
  }
  ~BareClient() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }

 private:
  void run() {
    SSL* const ssl = SSL_new(context_.get());
    SSL_set_fd(ssl, fd_);
    if (SSL_connect(ssl) != 1) return SSL_free(ssl);
    const std::string hello =
        "GET /bare HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    SSL_write(ssl, hello.data(), static_cast<int>(hello.size()));
    std::string answer{
        '\x81', '\xfe', static_cast<char>(order_bytes >> 8), static_cast<char>(order_bytes & 0xff), 0, 0,
        0,      0};  // masked with zeros
    answer.append(order_bytes, 'x');
    std::vector<char> buffer(1U << 16);
    // One read a frame: the server writes a frame at once, and it is smaller than a TLS record.
    bool is_open = false;
    while (SSL_read(ssl, buffer.data(), static_cast<int>(buffer.size())) > 0) {
      if (std::exchange(is_open, true)) SSL_write(ssl, answer.data(), static_cast<int>(answer.size()));
    }
    SSL_free(ssl);
  }

  io::SslContext context_;
  int fd_ = -1;
  std::thread thread_;
};

std::string config_text(std::uint16_t port) {
  return fmt::format(R"(global:
  venue: local
  rest_url: https://localhost:{0}
  stream_url: wss://localhost:{0}
  order_api_url: wss://localhost:{0}/ws-fapi/v1
  ca_file: {1}
  total_notional_max: 4000
  quote_interval_ms: 5000
  requote_min_move_bps: 1.0
symbols:
  - {{symbol: ETHUSDC, net_max: 0.26, unified_layer_size: 0.008, total_layers: 1, min_spread: 0.0001, grid_start_offset_bps: 20, grid_first_spacing_bps: 1, max_cancel_per_min: 300}}
)",
                     port, certificates().ca_file.string());
}

/// Both, in turn, until there are enough samples of each.
std::optional<Samples> measure(io::Waiting waiting) {
  const io::RealClock clock;
  Venue venue{clock};
  const BareClient bare{venue.port()};
  auto parsed = parse_config(config_text(venue.port()));
  PHX_ASSERT(parsed.config.has_value(), "the benchmark's configuration is valid");
  parsed.config->engine.lines = 1;
  engine::Engine engine{parsed.config->engine, {key, venue::binance::Signer::hmac(secret)}, 1};
  io::LiveHostOptions host;
  host.rest.host = host.stream.host = host.order_api.host = "localhost";
  host.rest.port = host.stream.port = host.order_api.port = venue.port();
  host.rest.ca_file = host.stream.ca_file = host.order_api.ca_file = certificates().ca_file.string();
  host.api_key = key;
  host.waiting = waiting;
  io::LiveHost live{clock, engine, host, [](engine::Severity, std::string_view) {}};
  live.start();
  auto samples = venue.measure();
  live.request_stop();
  (void)live.wait_finished(base::seconds{20});
  live.stop();
  return samples;
}

base::Duration quantile(std::vector<base::Duration>& samples, double q) {
  std::ranges::sort(samples);
  return samples[static_cast<std::size_t>(q * static_cast<double>(samples.size() - 1))];
}

void run(benchmark::State& state, io::Waiting waiting, std::vector<base::Duration> Samples::* which) {
  for (auto _ : state) {
    auto samples = measure(waiting);
    if (!samples) return state.SkipWithError("the maker does not answer");
    const auto us = [](base::Duration d) { return static_cast<double>(d.count()) / 1e3; };
    state.SetIterationTime(us(quantile((*samples).*which, 0.5)) / 1e6);
    state.SetLabel(fmt::format("p90 {:.0f} us; {:.2f} of the bare one in turn",
                               us(quantile((*samples).*which, 0.9)),
                               us(quantile(samples->maker, 0.5)) / us(quantile(samples->bare, 0.5))));
  }
}

BENCHMARK_CAPTURE(run, block, io::Waiting::block, &Samples::maker)
    ->Name("wire/phoenix/depth_to_order")
    ->UseManualTime()
    ->Iterations(1);
BENCHMARK_CAPTURE(run, bare, io::Waiting::block, &Samples::bare)
    ->Name("wire/bare_tls/depth_to_order")
    ->UseManualTime()
    ->Iterations(1);

}  // namespace
}  // namespace phoenix::app
