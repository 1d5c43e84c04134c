#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/demo_config.hpp"
#include "app/exchange_host.hpp"
#include "app/ledger_check.hpp"
#include "app/log.hpp"
#include "app/maker.hpp"
#include "app/ops_host.hpp"
#include "app/status_view.hpp"
#include "io/files.hpp"
#include "io/signals.hpp"
#include "io/temporary_directory.hpp"
#include "io/tls.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

constexpr const char* api_key = "demo-key";
constexpr const char* api_secret = "demo-secret";
constexpr std::uint32_t orders_wanted = 14;

struct Summary {
  bool all_had_orders = true;
  std::vector<std::string> differences;
};

Summary summarise(const ops::Status& status, const engine::Engine& engine, const exchange::Core& core) {
  Summary summary;
  fmt::print("\n{:<10} {:>11} {:>7} {:>14} {:>14} {:>12} {:>8} {:>8} {:>8} {:>8}\n", "symbol", "orders max",
             "fills", "volume", "realised", "position", "placed", "amended", "canceled", "resyncs");
  for (const auto& s : status.symbols) {
    if (s.orders_live_max < orders_wanted) summary.all_had_orders = false;
    fmt::print("{:<10} {:>11} {:>7} {:>14} {:>14} {:>12} {:>8} {:>8} {:>8} {:>8}\n", s.name.view(),
               s.orders_live_max, s.fills, s.volume.text(), s.realized_pnl.text(), s.position.text(),
               s.places, s.amends, s.cancels, s.resyncs);
  }
  summary.differences = ledger_differences(engine, core, api_key);
  for (const auto& difference : summary.differences) fmt::print("differs: {}\n", difference);
  return summary;
}

/// How long nobody quotes after the dashboard had the maker killed.
constexpr base::Duration death = base::seconds{3};

/// The maker, and a second one when the dashboard has it killed: its threads end where they are, its sockets
/// close, its orders rest. The next one finds them.
class MortalMaker {
 public:
  using Make = std::function<std::unique_ptr<Maker>(LocalResults)>;
  explicit MortalMaker(Make make) : make_(std::move(make)), maker_(make_(LocalResults::forget)) {}

  Maker* operator->() { return maker_.get(); }
  /// Any thread.
  void kill() { is_to_die_.store(true, std::memory_order_release); }
  /// Dies and comes back when that was asked for; false when a signal came meanwhile.
  bool live_on(const io::StopSignals& signals) {
    if (!is_to_die_.exchange(false, std::memory_order_acquire)) return true;
    maker_.reset();
    pollfd fd{.fd = signals.fd(), .events = POLLIN, .revents = 0};
    ::poll(&fd, 1, static_cast<int>(death / base::milliseconds{1}));
    maker_ = make_(LocalResults::keep);
    maker_->start();
    return !signals.raised();
  }

 private:
  std::atomic<bool> is_to_die_{false};
  Make make_;
  std::unique_ptr<Maker> maker_;
};

/// Shows the maker until the time is over, a signal comes or it ends by itself.
void watch(MortalMaker& maker, const io::RealClock& clock, const io::StopSignals& signals,
           std::optional<base::Duration> run_for) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  const base::LocalTime begin = clock.now();
  const base::Duration refresh =
      terminal ? base::Duration{base::milliseconds{500}} : base::Duration{base::seconds{5}};
  base::LocalTime next_view = begin + refresh;
  StatusView view;
  view.line(maker->status());  // rates count from here
  while (maker.live_on(signals) && !signals.raised() && !maker->wait_finished(base::milliseconds{0})) {
    const base::LocalTime now = clock.now();
    if (run_for && now - begin >= *run_for) break;
    if (now >= next_view) {
      next_view = now + refresh;
      const auto status = maker->status();
      if (terminal) {
        fmt::print(
            "\033[H\033[2Jphoenix demo  {} s  dashboard http://127.0.0.1:{}/  (Ctrl-C leaves "
            "safely)\n\n{}",
            std::chrono::duration_cast<base::seconds>(now - begin).count(), maker->metrics_port(),
            view.table(status));
      } else {
        fmt::print("{}\n", view.line(status));
      }
      std::fflush(stdout);
    }
    pollfd fd{.fd = signals.fd(), .events = POLLIN, .revents = 0};
    ::poll(&fd, 1, 50);
  }
}

}  // namespace

int demo(const DemoArguments& arguments) {
  std::optional<base::Duration> run_for = arguments.run_for;
  if (!run_for && ::isatty(STDOUT_FILENO) != 1) run_for = base::seconds{60};

  std::optional<io::TemporaryDirectory> temporary;
  if (!arguments.data_dir) temporary.emplace();
  const std::filesystem::path data_dir = arguments.data_dir ? *arguments.data_dir : temporary->path();

  const io::StopSignals signals;
  const io::RealClock clock;
  io::ServerOptions server;
  exchange::ExchangeOptions options;
  try {
    const auto certificates = io::make_test_certificates(data_dir / "tls");
    server.tls_port = std::uint16_t{0};
    server.certificate_file = certificates.certificate_file.string();
    server.key_file = certificates.key_file.string();
    server.deflate = io::ServerDeflate::accept;
    options.core.seed = arguments.seed;
    options.core.start = base::venue_time_ns(base::ns_of(clock.now()));
    options.core.accounts = {{.api_key = api_key, .api_secret = api_secret}};
    ExchangeHost exchange{clock, options, server};
    exchange.start();

    const auto config_text =
        demo_config(exchange.tls_port(), certificates.ca_file.string(), (data_dir / "maker").string());
    auto parsed = parse_config(config_text);
    if (!parsed.config) throw StartError(describe("the demo's configuration", parsed.errors));
    parsed.config->metrics_port = arguments.metrics_port;
    std::filesystem::create_directories(data_dir);
    const auto token = io::random_hex(16);  // what the dashboard's actions ask for
    parsed.config->metrics_token_file = (data_dir / "dashboard-token").string();
    io::write_file_atomically(parsed.config->metrics_token_file, token + "\n", 0600);
    const Log log{{.file = (data_dir / "phoenix.log").string()}};
    MortalMaker maker{[&](LocalResults local_results) {
      auto made = std::make_unique<Maker>(
          clock, *parsed.config, config_text,
          Credentials{.api_key = api_key, .hmac_secret = io::Secret{api_secret}, .ed25519_pem = {}}, log,
          local_results);
      parsed.config->metrics_port = made->metrics_port();  // the next one is found where this one was
      made->ops_host()->offer_faults([&](ControlRequest request, std::function<void(io::HttpReply)> answer) {
        if (request.path != "/kill") return exchange.ask(std::move(request), std::move(answer));
        io::HttpReply reply;
        reply.status = request.method == "POST" ? 200 : 405;
        if (reply.status == 200) maker.kill();
        answer(std::move(reply));
      });
      return made;
    }};
    fmt::print(
        "dashboard http://127.0.0.1:{0}/\ntoken     {1} (what the dashboard's actions ask for)\n"
        "exchange  https://localhost:{2} (TLS, seed {3})\nmetrics   http://127.0.0.1:{0}/metrics and "
        "/healthz\nlog       {4}\n",
        maker->metrics_port(), token, exchange.tls_port(), arguments.seed,
        (data_dir / "phoenix.log").string());
    std::fflush(stdout);
    maker->start();
    watch(maker, clock, signals, run_for);
    fmt::print("\nstopping: cancelling every order and waiting for the exchange to confirm\n");
    std::fflush(stdout);
    maker->request_stop();
    const auto end = maker->wait_finished(base::seconds{15});
    const auto status = maker->status();
    maker->stop();
    exchange.stop();

    const auto summary = summarise(status, maker->engine(), exchange.exchange().core());
    if (maker->recording() != nullptr) {
      const auto recorded = maker->recording()->status();
      fmt::print("recorded {} rows in {} files", recorded.rows_durable, recorded.files);
      if (arguments.data_dir)
        fmt::print("; look at them with: phoenix verify {}", (data_dir / "maker" / "recording").string());
      fmt::print("\n");
    }
    if (!end || end->exit_code != 0) {
      fmt::print("the maker did not leave cleanly: {}\n", end ? end->reason : "it did not finish in time");
      return 1;
    }
    if (!summary.all_had_orders) fmt::print("not every symbol had {} live orders\n", orders_wanted);
    if (summary.differences.empty()) fmt::print("the exchange's ledger equals ours\n");
    return summary.all_had_orders && summary.differences.empty() ? 0 : 1;
  } catch (const StartError&) {
    throw;
  } catch (const std::runtime_error& fault) {
    throw StartError(fault.what());
  }
}

}  // namespace phoenix::app
