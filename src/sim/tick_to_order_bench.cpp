// How long does the engine take from the last byte of a market data frame in user space to the signed order
// request handed over, without network? Every step of five simulated minutes is timed by itself; the figures
// are percentiles. tick_to_order: the frames that led to requests; any_frame: all market data frames, most of
// which lead to none.

#include "sim/world.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace phoenix::sim {
namespace {

class Stopwatch final : public World::Probe {
 public:
  void before(const engine::Input& input) override {
    const auto* frame = std::get_if<engine::FrameReceived>(&input);
    timing_ = frame != nullptr && engine::channel_of(frame->connection) == engine::Channel::public_data;
    begin_ = std::chrono::steady_clock::now();
  }
  void after(const engine::Input&, const engine::Actions& actions) override {
    const auto end = std::chrono::steady_clock::now();
    if (!timing_) return;
    const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(end - begin_).count();
    any.push_back(ns);
    const auto sent = std::count_if(actions.begin(), actions.end(), [](const auto& a) {
      return std::holds_alternative<engine::SendText>(a);
    });
    if (sent > 0) orders.push_back(ns);
    if (sent == 1) one_order.push_back(ns);
    requests += sent;
  }
  std::vector<std::int64_t> any, orders, one_order;
  std::ptrdiff_t requests = 0;

 private:
  bool timing_ = false;
  std::chrono::steady_clock::time_point begin_;
};

double percentile(std::vector<std::int64_t>& values, double share) {
  if (values.empty()) return 0;
  const auto at =
      values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return static_cast<double>(*at);
}

/// The times of one simulated run, taken once for all the figures.
Stopwatch& measured() {
  static Stopwatch* const stopwatch = [] {
    WorldOptions options;
    options.seed = 3;
    options.engine.total_notional_max = model::Money::from_units(4000);
    std::erase_if(options.exchange.core.symbols, [](const auto& s) { return s.name != "ETHUSDC"; });
    engine::SymbolOptions eth;
    eth.name = "ETHUSDC";
    eth.grid.net_max = model::Qty::of("0.26");
    eth.grid.layer_size = model::Qty::of("0.008");
    eth.grid.start = eth.grid.first_spacing = {quote::DistanceUnit::bps, 1};
    eth.grid.min_spread = 0.0001;
    eth.limits.net_max = eth.grid.net_max;
    eth.cancels_per_minute = 300;
    options.engine.symbols = {eth};
    options.engine.requote_min_move = model::Rate::of("0.00002");
    auto* const made = new Stopwatch;
    World world{options};
    world.run_for(base::seconds{20});
    world.set_probe(made);
    world.run_for(base::minutes{5});
    return made;
  }();
  return *stopwatch;
}

void report(benchmark::State& state, std::vector<std::int64_t>& times, double share) {
  for (auto _ : state) state.SetIterationTime(percentile(times, share) * 1e-9);
  state.SetLabel(std::to_string(times.size()) + " frames, " + std::to_string(measured().requests) +
                 " requests in all");
}
void frame_to_one_order(benchmark::State& state, double share) { report(state, measured().one_order, share); }
void frame_to_order(benchmark::State& state, double share) { report(state, measured().orders, share); }
void any_frame(benchmark::State& state, double share) { report(state, measured().any, share); }
BENCHMARK_CAPTURE(frame_to_order, p50, 0.50)
    ->Name("tick_to_order/phoenix/p50")
    ->UseManualTime()
    ->Iterations(1);
BENCHMARK_CAPTURE(frame_to_order, p99, 0.99)
    ->Name("tick_to_order/phoenix/p99")
    ->UseManualTime()
    ->Iterations(1);
BENCHMARK_CAPTURE(frame_to_one_order, p50, 0.50)
    ->Name("tick_to_one_order/phoenix/p50")
    ->UseManualTime()
    ->Iterations(1);
BENCHMARK_CAPTURE(any_frame, p50, 0.50)->Name("any_frame/phoenix/p50")->UseManualTime()->Iterations(1);
BENCHMARK_CAPTURE(any_frame, p99, 0.99)->Name("any_frame/phoenix/p99")->UseManualTime()->Iterations(1);

}  // namespace
}  // namespace phoenix::sim

BENCHMARK_MAIN();
