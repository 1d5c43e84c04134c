// What does a decision cost: from a strategy's input to the 14 quotes it wants? Each time on another touch,
// position and state of the market. Read the counters p50_ns and p99_ns, of single decisions less the cost of
// reading the clock.
#include "base/rng.hpp"
#include "quote/glft.hpp"
#include "quote/grid.hpp"
#include "quote/test_quote.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include <benchmark/benchmark.h>

namespace phoenix::quote {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<QuoteInput> market(const model::Instrument& instrument) {
  base::Rng rng{1};
  std::vector<QuoteInput> inputs;
  model::Price bid = model::Price::of("3000");
  for (int i = 0; i < 1024; ++i) {
    bid += model::Price::of("0.01") * rng.between(-50, 50);
    const model::Price ask = bid + model::Price::of("0.01") * rng.between(1, 20);
    inputs.push_back(
        {.instrument = instrument,
         .top = {.bid = {bid, model::Qty::of("1")}, .ask = {ask, model::Qty::of("1")}, .update_id = i},
         .position = model::Qty::of("0.001") * rng.between(-250, 250),
         .now = base::LocalTime{base::milliseconds{100 * i}},
         .predicted_funding = model::Rate::of("0.0001"),
         .volatility_ratio = 0.002,
         .volatility_per_s = 0.4 + 0.0001 * i,
         .vpin = 0.75,
         .intensity = Intensity{2, 1.5}});
  }
  return inputs;
}

std::int64_t ns_between(Clock::time_point a, Clock::time_point b) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(b - a).count();
}

void measure(benchmark::State& state, Strategy& strategy) {
  const auto instrument = eth();
  const auto inputs = market(instrument);
  Decision decision;
  std::size_t next = 0;
  std::vector<std::int64_t> took, clock;
  took.reserve(1 << 20);
  clock.reserve(1 << 20);
  for (auto _ : state) {
    const auto begin = Clock::now();
    strategy.quote(inputs[next], decision);
    const auto end = Clock::now();
    benchmark::DoNotOptimize(decision);
    next = (next + 1) % inputs.size();
    if (took.size() < took.capacity()) {
      took.push_back(ns_between(begin, end));
      clock.push_back(ns_between(end, Clock::now()));
    }
  }
  const auto quantile = [](std::vector<std::int64_t>& of, std::size_t per_mille) {
    const auto at = of.begin() + static_cast<std::ptrdiff_t>((of.size() - 1) * per_mille / 1000);
    std::nth_element(of.begin(), at, of.end());
    return static_cast<double>(*at);
  };
  const double reading = quantile(clock, 500);
  state.counters["p50_ns"] = quantile(took, 500) - reading;
  state.counters["p99_ns"] = quantile(took, 990) - reading;
}

void decide_grid(benchmark::State& state) {
  GridParams params = live_preset();
  params.pinning.enabled = params.grinding.enabled = params.vpin.enabled = true;
  Grid grid{params};
  measure(state, grid);
}
BENCHMARK(decide_grid);

void decide_glft(benchmark::State& state) {
  Glft glft{{.net_max = model::Qty::of("0.26"),
             .layer_size = model::Qty::of("0.008"),
             .layers = 7,
             .spacing = {DistanceUnit::abs, 1.5},
             .fallback = {}}};
  measure(state, glft);
}
BENCHMARK(decide_glft);

}  // namespace
}  // namespace phoenix::quote

BENCHMARK_MAIN();
