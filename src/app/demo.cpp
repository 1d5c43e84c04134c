#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/demo_config.hpp"
#include "app/exchange_host.hpp"
#include "app/ledger_check.hpp"
#include "app/log.hpp"
#include "app/maker.hpp"
#include "app/status_view.hpp"
#include "io/signals.hpp"
#include "io/tls.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

constexpr const char* api_key = "demo-key";
constexpr const char* api_secret = "demo-secret";
constexpr std::uint32_t orders_wanted = 14;

/// A directory of our own that goes with us.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "phoenix-demo-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw StartError("cannot make a directory for the demo in " + name);
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

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

/// Shows the maker until the time is over, a signal comes or it ends by itself.
void watch(Maker& maker, const io::RealClock& clock, const io::StopSignals& signals,
           std::optional<base::Duration> run_for) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  const base::LocalTime begin = clock.now();
  const base::Duration refresh =
      terminal ? base::Duration{base::milliseconds{500}} : base::Duration{base::seconds{5}};
  base::LocalTime next_view = begin + refresh;
  StatusView view;
  view.line(maker.status());  // rates count from here
  while (!signals.raised() && !maker.wait_finished(base::milliseconds{0})) {
    const base::LocalTime now = clock.now();
    if (run_for && now - begin >= *run_for) break;
    if (now >= next_view) {
      next_view = now + refresh;
      const auto status = maker.status();
      if (terminal) {
        fmt::print(
            "\033[H\033[2Jphoenix demo  {} s  metrics http://127.0.0.1:{}/metrics  (Ctrl-C leaves "
            "safely)\n\n{}",
            std::chrono::duration_cast<base::seconds>(now - begin).count(), maker.metrics_port(),
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

  std::optional<TemporaryDirectory> temporary;
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
    Maker maker{clock,
                *parsed.config,
                config_text,
                {.api_key = api_key, .hmac_secret = api_secret, .ed25519_pem = {}},
                make_logger("info", data_dir / "phoenix.log")};
    fmt::print(
        "exchange  https://localhost:{} (TLS, seed {})\nmetrics   http://127.0.0.1:{}/metrics and "
        "/healthz\nlog       {}\n",
        exchange.tls_port(), arguments.seed, maker.metrics_port(), (data_dir / "phoenix.log").string());
    std::fflush(stdout);
    maker.start();
    watch(maker, clock, signals, run_for);
    fmt::print("\nstopping: cancelling every order and waiting for the exchange to confirm\n");
    std::fflush(stdout);
    maker.request_stop();
    const auto end = maker.wait_finished(base::seconds{15});
    const auto status = maker.status();
    maker.stop();
    exchange.stop();

    const auto summary = summarise(status, maker.engine(), exchange.exchange().core());
    if (maker.recording() != nullptr) {
      const auto recorded = maker.recording()->status();
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
