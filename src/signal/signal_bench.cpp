// What do all signals of one symbol cost per event? One book, one trade, in turn; read the counter
// ns_per_event.
#include "signal/symbol_signals.hpp"
#include "signal/test_market.hpp"

#include <vector>

#include <benchmark/benchmark.h>

namespace phoenix::signal {
namespace {

/// `trades` a book, each `gap_ms` after the one before.
std::vector<Sample> flow(int trades, std::int64_t gap_ms, int events) {
  TestMarket market{1};
  std::vector<Sample> samples;
  std::int64_t ms = TestMarket::start_ms;
  while (samples.size() < static_cast<std::size_t>(events)) {
    samples.emplace_back(market.book(ms += gap_ms));
    for (int n = 0; n < trades; ++n) samples.emplace_back(market.trade(ms += gap_ms));
  }
  return samples;
}

void all_signals(benchmark::State& state, int trades, std::int64_t gap_ms) {
  const auto samples = flow(trades, gap_ms, 200'000);
  Rows rows;
  rows.reserve(1'000);
  for (auto _ : state) {
    state.PauseTiming();
    SymbolSignals signals{SignalOptions::for_symbol("BTCUSDT")};
    state.ResumeTiming();
    for (const Sample& sample : samples) {
      feed(signals, sample, rows);
      rows.clear();
    }
    benchmark::DoNotOptimize(signals.state());
  }
  const double events = static_cast<double>(samples.size()) * static_cast<double>(state.iterations());
  state.counters["ns_per_event"] =
      benchmark::Counter(events * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
}

BENCHMARK_CAPTURE(all_signals, one_book_one_trade_50ms, 1, 50)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(all_signals, one_book_one_trade_1ms, 1, 1)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(all_signals, one_book_ten_trades_10ms, 10, 10)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace phoenix::signal

BENCHMARK_MAIN();
