// What does it cost to be watched? `publish` is what the engine's thread pays ten times a second with the
// five symbols of the demo, on two lines and recorded: 1 ms would be 1 % of that thread. `clock` is what it
// pays for each input to know how long the stages take; `step` is an input of that market, for comparison.
// Texts are made on the thread that serves them.

#include "app/config.hpp"
#include "app/demo_config.hpp"
#include "io/clock.hpp"
#include "ops/metrics_text.hpp"
#include "ops/status_json.hpp"
#include "sim/world.hpp"

#include <chrono>
#include <memory>

#include <benchmark/benchmark.h>

namespace phoenix::app {
namespace {

sim::WorldOptions demo_world() {
  sim::WorldOptions options;
  options.seed = 3;
  options.input_log = sim::InputLog::off;
  options.engine = parse_config(demo_config(1, "unused.pem", "unused")).config.value().engine;
  return options;
}

/// A maker of that market after two minutes, made once.
sim::World& world() {
  static const auto made = [] {
    auto of_demo = std::make_unique<sim::World>(demo_world());
    of_demo->run_for(base::minutes{2});
    return of_demo;
  }();
  return *made;
}

ops::Status status_of_world() {
  ops::Status status;
  world().engine().fill_status(status, world().now());
  return status;
}

void publish(benchmark::State& state) {
  const auto& maker = world();
  auto filled = std::make_unique<ops::Status>();
  auto published = std::make_unique<ops::Status>();
  for (auto _ : state) {
    maker.engine().fill_status(*filled, maker.now());
    *published = *filled;
    benchmark::DoNotOptimize(published->streams.data());
  }
  state.SetLabel(std::to_string(filled->symbols.size()) + " symbols, " +
                 std::to_string(filled->streams.size()) + " streams");
}
BENCHMARK(publish)->Unit(benchmark::kMicrosecond);

void clock(benchmark::State& state) {
  const io::RealClock clock;
  for (auto _ : state) benchmark::DoNotOptimize(clock.now());
}
BENCHMARK(clock);

/// The time of the engine's steps alone, by input.
class Stopwatch final : public sim::World::Probe {
 public:
  void before(const engine::Input&) override { begin_ = std::chrono::steady_clock::now(); }
  void after(const engine::Input&, const engine::Actions&) override {
    took += std::chrono::steady_clock::now() - begin_;
    ++steps;
  }
  std::chrono::nanoseconds took{};
  std::int64_t steps = 0;

 private:
  std::chrono::steady_clock::time_point begin_;
};

void step(benchmark::State& state) {
  sim::World maker{demo_world()};
  maker.run_for(base::seconds{20});
  Stopwatch watch;
  maker.set_probe(&watch);
  for (auto _ : state) maker.run_for(base::seconds{20});
  state.SetLabel(std::to_string(watch.took.count() / watch.steps) + " ns a step, " +
                 std::to_string(watch.steps / 20 / static_cast<std::int64_t>(state.iterations())) +
                 " steps a second");
}
BENCHMARK(step)->Unit(benchmark::kMillisecond)->Iterations(1);

void metrics_text(benchmark::State& state) {
  const auto status = std::make_unique<ops::Status>(status_of_world());
  ops::HealthJudge judge;
  std::size_t size = 0;
  for (auto _ : state)
    size = ops::metrics_text(*status, judge.judge(*status, status->now), status->now, "1").size();
  state.SetLabel(std::to_string(size) + " bytes");
}
BENCHMARK(metrics_text)->Unit(benchmark::kMicrosecond);

void status_json(benchmark::State& state) {
  const auto status = std::make_unique<ops::Status>(status_of_world());
  ops::HealthJudge judge;
  std::size_t size = 0;
  for (auto _ : state)
    size = ops::status_json(*status, judge.judge(*status, status->now), status->now, "1").size();
  state.SetLabel(std::to_string(size) + " bytes");
}
BENCHMARK(status_json)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace phoenix::app
