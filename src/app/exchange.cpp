#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/exchange_control.hpp"
#include "app/exchange_host.hpp"
#include "app/recorded_market.hpp"
#include "io/signals.hpp"
#include "io/tls.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include <fmt/format.h>
#include <poll.h>

namespace phoenix::app {
namespace {

constexpr std::uintmax_t plan_bytes_max = 4u << 20;

/// Throws StartError that names every line that is wrong.
exchange::FaultPlan read_plan(const std::filesystem::path& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  std::ifstream file{path, std::ios::binary};
  if (error || !file) throw StartError(fmt::format("{}: cannot be read", path.string()));
  if (size > plan_bytes_max) throw StartError(fmt::format("{}: no plan is that long", path.string()));
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  auto plan = exchange::parse_plan(text);
  if (!plan) {
    std::string lines;
    for (const auto& wrong : plan.error())
      lines +=
          fmt::format("{}{}:{}: {}", lines.empty() ? "" : "\n", path.string(), wrong.line, wrong.message);
    throw StartError(lines);
  }
  if (auto trouble = networked_trouble(*plan); !trouble.empty())
    throw StartError(fmt::format("{}: {}", path.string(), trouble));
  return std::move(*plan);
}

}  // namespace

int exchange(const ExchangeArguments& arguments) {
  exchange::FaultPlan faults;
  if (arguments.faults) faults = read_plan(*arguments.faults);
  const io::StopSignals signals;
  const io::RealClock clock;
  try {
    const auto certificates = io::make_test_certificates(arguments.data_dir);
    io::ServerOptions server;
    server.plain_port = arguments.port;
    server.tls_port = arguments.tls_port;
    server.certificate_file = certificates.certificate_file.string();
    server.key_file = certificates.key_file.string();
    server.deflate = io::ServerDeflate::accept;
    exchange::ExchangeOptions options;
    options.core.seed = arguments.seed;
    options.core.start = base::venue_time_ns(base::ns_of(clock.now()));
    options.core.accounts = {{.api_key = arguments.api_key, .api_secret = arguments.api_secret}};
    options.stream_cuts = arguments.stream_cuts;
    std::unique_ptr<RecordedMarket> market;
    if (!arguments.market.empty()) {
      market = std::make_unique<RecordedMarket>(arguments.market, options.core.start);
      for (auto& spec : options.core.symbols) {
        if (market->drives(spec.name)) {
          spec.source = exchange::MarketSource::external;
          spec.initial_price = market->first_price(spec.name).value_or(spec.initial_price);
        }
      }
    }
    const auto planned = faults.faults.size();
    ExchangeHost host{clock, std::move(options), server, std::move(market), std::move(faults)};
    if (arguments.control_port) host.open_control(*arguments.control_port);
    host.start();
    const auto plain = host.plain_port();
    const auto tls = host.tls_port();
    fmt::print("local exchange, seed {}, symbols {}\n\n", arguments.seed, [&] {
      std::string names;
      const auto& core = host.exchange().core();
      for (std::size_t i = 0; i < core.symbol_count(); ++i)
        names += (i == 0 ? "" : " ") + core.spec(model::SymbolId{static_cast<std::uint16_t>(i)}).name;
      return names;
    }());
    fmt::print("             TLS                                        plain\n");
    fmt::print("REST         https://localhost:{:<24} http://127.0.0.1:{}\n", tls, plain);
    fmt::print("streams      wss://localhost:{:<26} ws://127.0.0.1:{}\n", tls, plain);
    fmt::print("order API    wss://localhost:{:<26} ws://127.0.0.1:{}/ws-fapi/v1\n\n",
               fmt::format("{}/ws-fapi/v1", tls), plain);
    if (const auto port = host.control_port())
      fmt::print("control      http://127.0.0.1:{} (POST /faults, GET /state)\n", *port);
    if (planned > 0) fmt::print("faults       {} planned\n", planned);
    fmt::print("API key      {}\nAPI secret   {}\nCA file      {}   (Node: NODE_EXTRA_CA_CERTS)\n\n",
               arguments.api_key, arguments.api_secret, certificates.ca_file.string());
    fmt::print("Ctrl-C ends it.\n");
    std::fflush(stdout);
    const base::LocalTime begin = clock.now();
    while (!signals.raised()) {
      if (arguments.run_for && clock.now() - begin >= *arguments.run_for) break;
      pollfd fd{.fd = signals.fd(), .events = POLLIN, .revents = 0};
      ::poll(&fd, 1, 200);
    }
    host.stop();
    return 0;
  } catch (const StartError&) {
    throw;
  } catch (const std::runtime_error& fault) {
    throw StartError(fault.what());
  } catch (const std::invalid_argument& fault) {
    throw StartError(fault.what());
  }
}

}  // namespace phoenix::app
