#include "exchange/core.hpp"

#include <cstdint>

#include <benchmark/benchmark.h>

// How much faster than real time does the market of the five USDC symbols run on one core, and how many
// events a second is that? "times_real" is the answer; the argument is the regime.
namespace phoenix::exchange {
namespace {

void market_of_five_symbols(benchmark::State& state) {
  CoreOptions options;
  options.start = base::venue_time_ms(1'795'000'000'000);
  options.symbols.resize(5);
  for (SymbolSpec& spec : options.symbols) {
    spec.regime = static_cast<Regime>(state.range(0));
    spec.regime_fixed = true;
  }
  Core core{options};
  CoreEvents events;
  std::int64_t event_count = 0;
  std::int64_t seconds = 0;
  VenueTime now = options.start;
  for (auto step : state) {
    static_cast<void>(step);
    now += base::milliseconds{100};
    events.clear();
    core.advance(now, events);
    event_count += static_cast<std::int64_t>(events.size());
    ++seconds;
  }
  state.counters["times_real"] =
      benchmark::Counter(static_cast<double>(seconds) / 10, benchmark::Counter::kIsRate);
  state.counters["events"] =
      benchmark::Counter(static_cast<double>(event_count), benchmark::Counter::kIsRate);
  state.counters["actions"] =
      benchmark::Counter(static_cast<double>(core.stats().agent_actions), benchmark::Counter::kIsRate);
}
BENCHMARK(market_of_five_symbols)->DenseRange(0, 3)->Unit(benchmark::kMicrosecond);

void place_and_cancel_a_passive_order(benchmark::State& state) {
  CoreOptions options;
  options.start = base::venue_time_ms(1'795'000'000'000);
  options.accounts = {AccountOptions{.api_key = "k", .api_secret = "s"}};
  Core core{options};
  CoreEvents events;
  const SymbolId symbol{0};
  const PlaceRequest request{.symbol = symbol, .qty = Qty::of("0.01"), .price = Price::of("2950")};
  for (auto step : state) {
    static_cast<void>(step);
    events.clear();
    const auto order = core.place(AccountId{1}, request, options.start, events);
    benchmark::DoNotOptimize(
        core.cancel(AccountId{1}, {.symbol = symbol, .id = order->id}, options.start, events));
  }
}
BENCHMARK(place_and_cancel_a_passive_order);

}  // namespace
}  // namespace phoenix::exchange

BENCHMARK_MAIN();
