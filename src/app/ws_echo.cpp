// phoenix-ws-echo: Phoenix's WebSocket client before a conformance suite that speaks the protocol of
// Autobahn's fuzzing server. One case a connection: whatever data message comes is echoed until the
// connection ends. The client is the product's with the product's settings, except for bigger caps and binary
// messages, which it otherwise refuses.

#include "io/reactor.hpp"
#include "io/resolver.hpp"
#include "io/tls.hpp"
#include "io/ws_client.hpp"
#include "venue/binance/routes.hpp"

#include <charconv>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace phoenix::app {
namespace {

constexpr std::size_t message_bytes_max = 64u << 20;
constexpr std::size_t send_queue_bytes_max = 2 * message_bytes_max;
constexpr int cases_max = 100'000;
/// Nothing comes for so long, or a case takes so long: it is left and the next one begun.
constexpr base::Duration silence_max = base::seconds{30};
constexpr base::Duration case_max = base::minutes{2};

class Echo final : public io::NetworkHandler, public io::ReactorHost {
 public:
  explicit Echo(io::Endpoint endpoint) : endpoint_{std::move(endpoint)}, resolver_{reactor_} {
    if (endpoint_.security == io::Security::tls) context_ = io::client_context(endpoint_.ca_file);
  }
  ~Echo() override { client_.reset(); }

  /// The process's exit code.
  int run() {
    reactor_.run(*this);
    reactor_.disown_all();
    if (!fault_.empty()) fmt::print(stderr, "phoenix-ws-echo: {}\n", fault_);
    if (fault_.empty()) fmt::print("{} cases run, {} left at their deadline\n", case_count_, left_count_);
    return fault_.empty() ? 0 : 1;
  }

 private:
  enum class Stage : std::uint8_t { count, cases, report };

  void turn(base::LocalTime now) override {
    resolver_.deliver();
    if (!client_) return begin(now);
    if (now < deadline()) return;
    if (std::exchange(leaving_, true)) return;  // the client's own close timeout ends it
    ++left_count_;
    client_->close(1000, now);
  }
  bool has_work() const override { return !client_ || resolver_.has_answers(); }
  std::optional<base::LocalTime> next_deadline() override {
    return leaving_ ? std::nullopt : std::optional{deadline()};
  }
  base::LocalTime deadline() const { return std::min(last_input_ + silence_max, began_ + case_max); }

  void begin(base::LocalTime now) {
    io::WsOptions options;
    options.endpoint = endpoint_;
    options.target = target();
    options.deflate = io::Deflate::offer;
    options.binary = io::WsBinary::accept;
    options.message_bytes_max = message_bytes_max;
    options.inflate_ratio_max = message_bytes_max;
    options.send_queue_bytes_max = send_queue_bytes_max;
    options.close_timeout = base::seconds{2};
    began_ = last_input_ = now;
    leaving_ = false;
    client_ = std::make_unique<io::WsClient>(
        reactor_, *this, counters_, 0, std::move(options),
        [this](io::ConnectionId, const io::CloseInfo& info, base::LocalTime) { gone(info); });
    client_->start(context_.get(), resolver_, now);
  }
  std::string target() const {
    switch (stage_) {
      case Stage::count:
        return "/getCaseCount";
      case Stage::cases:
        return fmt::format("/runCase?case={}&agent=phoenix", case_);
      case Stage::report:
        break;
    }
    return "/updateReports?agent=phoenix";
  }

  void on_open(io::ConnectionId, const io::OpenInfo&, base::LocalTime now) override { last_input_ = now; }
  void on_text(io::ConnectionId, std::string_view payload, base::LocalTime now) override {
    last_input_ = now;
    if (stage_ == Stage::count) {
      const auto [end, fault] = std::from_chars(payload.data(), payload.data() + payload.size(), case_count_);
      if (fault != std::errc{} || end != payload.data() + payload.size() || case_count_ < 0 ||
          case_count_ > cases_max)
        fault_ = fmt::format("/getCaseCount did not answer a number of cases: {}", payload.substr(0, 100));
    } else if (stage_ == Stage::cases && client_ && client_->is_open()) {
      client_->send(payload, now);
    }
  }
  void on_binary(io::ConnectionId, std::string_view payload, base::LocalTime now) override {
    last_input_ = now;
    if (stage_ == Stage::cases && client_ && client_->is_open()) client_->send_binary(payload, now);
  }
  void on_pong(io::ConnectionId, base::Duration, base::LocalTime) override {}
  void on_closed(io::ConnectionId, const io::CloseInfo&, base::LocalTime) override {}
  void on_rest(model::RequestId, io::RestResult&, base::LocalTime) override {}
  void on_turn_end(base::LocalTime) override {}

  void gone(const io::CloseInfo& info) {
    const bool leaving = client_->is_leaving();
    leaving ? reactor_.adopt(std::move(client_)) : reactor_.retire(std::move(client_));
    using Reason = io::CloseReason;
    const bool unreachable = info.reason == Reason::connect_failed || info.reason == Reason::resolve_failed ||
                             info.reason == Reason::tls_failed;
    if (fault_.empty() && (unreachable || (stage_ == Stage::count && case_count_ < 0)))
      fault_ = fmt::format("{}: {}: {}", target(), name(info.reason), info.text);
    if (!fault_.empty() || stage_ == Stage::report) return reactor_.stop();
    if (stage_ == Stage::count) stage_ = Stage::cases;
    if (case_++ >= case_count_) stage_ = Stage::report;
  }

  io::Endpoint endpoint_;
  io::SslContext context_;
  io::RealClock clock_;
  io::Reactor reactor_{clock_, io::Reactor::Wait::block};
  io::Resolver resolver_;
  io::LineCounters counters_;
  std::unique_ptr<io::WsClient> client_;
  Stage stage_ = Stage::count;
  int case_count_ = -1, case_ = 0, left_count_ = 0;
  bool leaving_ = false;
  base::LocalTime began_{}, last_input_{};
  std::string fault_;
};

int echo(int argc, char** argv) {
  CLI::App app{"Phoenix's WebSocket client as a conformance suite wants it: echoes every case of a server.",
               "phoenix-ws-echo"};
  std::string url, ca_file;
  bool tls = false;
  app.add_option("url", url, "ws://HOST:PORT or wss://HOST:PORT")->required();
  app.add_flag("--tls", tls, "TLS, whatever the URL says");
  app.add_option("--ca", ca_file, "PEM file of the authorities to trust; else the system's");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& fault) {
    return app.exit(fault) == 0 ? 0 : 2;
  }
  const auto address = venue::binance::HostAddress::parse(url);
  if (!address) {
    fmt::print(stderr, "phoenix-ws-echo: {}\n", address.error());
    return 2;
  }
  io::Endpoint endpoint;
  endpoint.host = address->host;
  endpoint.port = address->port;
  endpoint.security = tls || address->transport == venue::binance::HostAddress::Transport::tls
                          ? io::Security::tls
                          : io::Security::plain;
  endpoint.ca_file = ca_file;
  return Echo{std::move(endpoint)}.run();
}

}  // namespace
}  // namespace phoenix::app

int main(int argc, char** argv) {
  try {
    return phoenix::app::echo(argc, argv);
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "phoenix-ws-echo: %s\n", fault.what());
    return 2;
  }
}
