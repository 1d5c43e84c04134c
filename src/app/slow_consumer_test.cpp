// The receive path under an engine that does not keep up: bounded memory, nothing lost unsaid, and a correct
// end.

#include "app/config.hpp"
#include "app/demo_config.hpp"
#include "app/exchange_host.hpp"
#include "app/ledger_check.hpp"
#include "engine/engine.hpp"
#include "io/clock.hpp"
#include "io/live_host.hpp"
#include "quote/grid.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

namespace phoenix::app {
namespace {

constexpr const char* key = "slow-key";
constexpr const char* secret = "slow-secret";

/// Where the engine's thread waits for as long as the test wants.
class Gate {
 public:
  void pass() {
    std::unique_lock lock{mutex_};
    waiting_ = closed_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !closed_; });
    waiting_ = false;
  }
  void close() {
    const std::lock_guard lock{mutex_};
    closed_ = true;
  }
  void open() {
    const std::lock_guard lock{mutex_};
    closed_ = false;
    changed_.notify_all();
  }
  void wait_until_somebody_waits() {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return waiting_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false, waiting_ = false;
};

class GatedGrid final : public quote::Strategy {
 public:
  GatedGrid(const quote::GridParams& params, Gate& gate) : grid_(params), gate_(gate) {}
  void quote(const quote::QuoteInput& in, quote::Decision& out) override {
    gate_.pass();
    grid_.quote(in, out);
  }

 private:
  quote::Grid grid_;
  Gate& gate_;
};

/// Asks again until it holds; false after a minute.
template <class Condition>
bool becomes(Condition condition) {
  for (int i = 0; i < 6'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  return false;
}

std::uint64_t messages(const ops::Status& status) {
  std::uint64_t sum = 0;
  for (const auto& c : status.connections) sum += c.messages;
  return sum;
}

bool all_live(const ops::Status& status) {
  if (status.symbols.empty()) return false;
  for (const auto& s : status.symbols) {
    if (s.state != ops::SymbolState::live || s.orders_live == 0) return false;
  }
  return true;
}

TEST(SlowConsumer, costs_bounded_memory_and_ends_in_correct_books_and_ledgers) {
  const io::RealClock clock;
  exchange::ExchangeOptions options;
  options.core.seed = 3;
  options.core.start = base::venue_time_ns(base::ns_of(clock.now()));
  options.core.accounts = {{.api_key = key, .api_secret = secret}};
  for (auto& s : options.core.symbols) s.activity *= 10;
  io::ServerOptions server;
  server.plain_port = std::uint16_t{0};
  ExchangeHost exchange{clock, options, server};
  exchange.start();

  auto parsed = parse_config(demo_config(1, "none", "none"));
  ASSERT_TRUE(parsed.config.has_value());
  engine::Options engine_options = parsed.config->engine;
  Gate gate;
  engine_options.make_strategy = [&gate](const engine::SymbolOptions& s) {
    return std::make_unique<GatedGrid>(s.grid, gate);
  };
  engine::Engine engine{engine_options, {key, venue::binance::Signer::hmac(secret)}, 1};

  io::LiveHostOptions host;
  host.rest.host = host.stream.host = host.order_api.host = "127.0.0.1";
  host.rest.port = host.stream.port = host.order_api.port = exchange.plain_port();
  host.rest.security = host.stream.security = host.order_api.security = io::Security::plain;
  host.api_key = key;
  host.frame_ring_bytes = 256U << 10;
  io::LiveHost live{clock, engine, host, [](engine::Severity, std::string_view) {}};
  live.start();
  ASSERT_TRUE(becomes([&] { return all_live(live.status()); }));

  gate.close();
  gate.wait_until_somebody_waits();
  const auto before = messages(live.status());
  constexpr std::uint64_t flood = 20'000;
  EXPECT_TRUE(becomes([&] { return messages(live.status()) > before + flood; }));
  const auto stuck = live.status();
  EXPECT_GT(stuck.frames_conflated, 0U) << "the newest ticker of each stream waits outside";
  EXPECT_LE(stuck.frame_ring.high_water, stuck.frame_ring.capacity);
  gate.open();

  EXPECT_TRUE(becomes([&] {
    const auto status = live.status();
    std::uint64_t resyncs = 0;
    for (const auto& s : status.symbols) resyncs += s.resyncs;
    return resyncs > 0 && all_live(status);
  })) << "what was dropped was told, and the books were built anew";
  EXPECT_EQ(live.status().frames_bad, 0U);

  live.request_stop();
  const auto end = live.wait_finished(base::seconds{30});
  live.stop();
  exchange.stop();
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->exit_code, 0) << end->reason;
  EXPECT_TRUE(ledger_differences(engine, exchange.exchange().core(), key).empty());
}

}  // namespace
}  // namespace phoenix::app
