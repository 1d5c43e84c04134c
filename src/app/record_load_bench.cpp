// What does it take to record six busy symbols? The recorder as `phoenix record` runs it, a process of its
// own, on the local exchange, another process, over TLS on loopback, with one line; everything it takes is in
// files at the end. The figure is the CPU time of the recorder a message, with conversion, reading back and
// all. The label has what was offered and recorded, the most memory the recorder held and what its ledger
// names lost.
//
// PHOENIX_LOAD_SECONDS (20) is the length, PHOENIX_LOAD_RATE (5000) the messages a second wanted of each
// symbol: the market is that much busier than usual; PHOENIX_LOAD_SEGMENT_MIB (256) bounds the journal's
// segments, and SAVE_CONCURRENCY counts too. Both processes and whatever else runs share the cores: what the
// exchange could not make was not offered, and the label says what was.

#include "app/commands.hpp"
#include "app/exchange_host.hpp"
#include "io/tls.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

namespace fs = std::filesystem;

constexpr int symbols_count = 6;

int setting(const char* name, int standard) {
  const char* const text = std::getenv(name);
  return text != nullptr ? std::atoi(text) : standard;
}

/// A process that does `work` and ends with what that returns; its output goes to `output`.
pid_t start(const fs::path& output, const std::function<int()>& work) {
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  const int fd = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(fd, STDOUT_FILENO);
  ::dup2(fd, STDERR_FILENO);
  int code = 2;
  try {
    code = work();
  } catch (const std::exception& fault) {
    fmt::print(stderr, "{}\n", fault.what());
  }
  std::fflush(nullptr);
  ::_exit(code);
}

struct Usage {
  double cpu_seconds = 0;
  double memory_mb = 0;      ///< the most at any moment, with the pages of files it had mapped
  double own_memory_mb = 0;  ///< the most without those: what no other process could have
};

/// Kilobytes of one line of /proc/PID/status.
double memory_mb(const std::string& status, std::string_view name) {
  const auto at = status.find(name);
  return at == std::string::npos ? 0 : std::strtod(status.c_str() + at + name.size(), nullptr) / 1024;
}

/// The end of a process, and what it used until then.
Usage wait(pid_t pid, std::string_view what) {
  Usage usage;
  int status = 0;
  rusage used{};
  for (pid_t ended = 0; ended == 0;) {
    std::ifstream in{fmt::format("/proc/{}/status", pid)};
    const std::string text{std::istreambuf_iterator<char>{in}, {}};
    usage.memory_mb = std::max(usage.memory_mb, memory_mb(text, "VmRSS:"));
    usage.own_memory_mb = std::max(usage.own_memory_mb, memory_mb(text, "RssAnon:"));
    ended = ::wait4(pid, &status, WNOHANG, &used);
    if (ended == 0) ::usleep(20'000);
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fmt::print(stderr, "record_load: {} ended with status {}\n", what, status);
    std::exit(1);
  }
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  usage.cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  return usage;
}

/// The exchange, until its standard input ends; tells its port through `out`.
int run_exchange(const fs::path& directory, int rate, int in, int out) {
  const io::RealClock clock;
  const auto certificates = io::make_test_certificates(directory);
  io::ServerOptions server;
  server.tls_port = std::uint16_t{0};
  server.certificate_file = certificates.certificate_file.string();
  server.key_file = certificates.key_file.string();
  exchange::ExchangeOptions options;
  options.core.start = base::venue_time_ns(base::ns_of(clock.now()));
  for (auto& symbol : options.core.symbols) {
    // Of an agent's actions two fifths move the best prices, and every trade and mark price is a message too.
    symbol.activity = rate * 5 / 2;
    symbol.regime = exchange::Regime::normal;
    symbol.regime_fixed = true;
  }
  ExchangeHost host{clock, options, server};
  host.start();
  const std::uint16_t port = host.tls_port();
  if (::write(out, &port, sizeof port) != sizeof port) return 1;
  char end = 0;
  while (::read(in, &end, 1) > 0) {
  }
  host.stop();
  return 0;
}

struct Load {
  double messages = 0, cpu_seconds = 0;
  std::string label;
};

Load record_load() {
  const int seconds = setting("PHOENIX_LOAD_SECONDS", 20), rate = setting("PHOENIX_LOAD_RATE", 5000);
  std::string pattern = (fs::temp_directory_path() / "phoenix-load-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) std::abort();
  const fs::path directory = pattern;
  int to_exchange[2]{}, from_exchange[2]{};
  if (::pipe2(to_exchange, O_CLOEXEC) != 0 || ::pipe2(from_exchange, O_CLOEXEC) != 0) std::abort();
  const pid_t exchange = start(directory / "exchange.log", [&] {
    ::close(to_exchange[1]);
    return run_exchange(directory / "tls", rate, to_exchange[0], from_exchange[1]);
  });
  std::uint16_t port = 0;
  if (::read(from_exchange[0], &port, sizeof port) != sizeof port) std::abort();

  const fs::path config = directory / "record.yaml";
  std::ofstream{config} << fmt::format(R"(global:
  venue: local
  rest_url: https://localhost:{0}
  stream_url: wss://localhost:{0}
  order_api_url: wss://localhost:{0}/ws-fapi/v1
  ca_file: {1}
  data_dir: {2}
  lines: 1
  metrics_port: 0
recording:
  segment_mib_max: {3}
  symbols: [ETHUSDC, DOGEUSDC, SOLUSDC, BNBUSDC, XRPUSDC, BTCUSDT]
)",
                                       port, (directory / "tls" / "ca.pem").string(), directory.string(),
                                       setting("PHOENIX_LOAD_SEGMENT_MIB", 256));
  const pid_t recorder = start(directory / "record.log", [&] {
    ::close(to_exchange[1]);
    return record({.config = config, .run_for = base::seconds{seconds}});
  });
  const Usage used = wait(recorder, "the recorder");
  const pid_t query = start(directory / "query.json", [&] {
    return app::query(
        {.directory = directory / "recording",
         .sql =
             "SELECT (SELECT sum(rows) FROM files WHERE kind IN ('trades', 'depth', 'ticker', 'mark_price', "
             "'liquidations'))::BIGINT AS messages, (SELECT sum(rows) FROM files)::BIGINT AS rows, "
             "epoch_ns(max(to_time)) - epoch_ns(min(from_time)) AS ns, "
             "coalesce(sum(CASE WHEN status = 'lost' AND cause <> 'not connected yet' THEN 1 ELSE 0 END), "
             "0)::BIGINT AS losses, coalesce(sum(CASE WHEN status = 'lost' THEN count ELSE 0 END), "
             "0)::BIGINT "
             "AS ids FROM coverage",
         .format = QueryFormat::json,
         .also = {}});
  });
  wait(query, "the query");
  ::close(to_exchange[1]);
  wait(exchange, "the exchange");

  std::ifstream in{directory / "query.json"};
  const auto row = nlohmann::json::parse(in).at(0);
  const double length = row.at("ns").get<double>() / 1e9;
  Load load{.messages = row.at("messages").get<double>(), .cpu_seconds = used.cpu_seconds, .label = {}};
  load.label = fmt::format(
      "{} x {:.0f} messages/s and {:.0f} rows/s for {:.0f} s, {:.2f} cores, {:.0f} MB at most, {:.0f} of its "
      "own, {} losses "
      "of {} ids",
      symbols_count, load.messages / length / symbols_count, row.at("rows").get<double>() / length, length,
      load.cpu_seconds / length, used.memory_mb, used.own_memory_mb, row.at("losses").get<std::int64_t>(),
      row.at("ids").get<std::int64_t>());
  if (std::getenv("PHOENIX_LOAD_KEEP") == nullptr) {
    fs::remove_all(directory);
  } else {
    fmt::print(stderr, "kept: {}\n", directory.string());
  }
  return load;
}

void record_six_symbols(benchmark::State& state) {
  static const Load load = record_load();
  for (auto _ : state) state.SetIterationTime(load.cpu_seconds / load.messages);
  state.SetLabel(load.label);
}
BENCHMARK(record_six_symbols)->Name("record_load/phoenix/six_symbols")->UseManualTime()->Iterations(1);

}  // namespace
}  // namespace phoenix::app
