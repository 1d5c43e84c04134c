// How long does the engine take from the last byte of a market data frame in user space to the signed order
// request handed over, without network, and what does the recorder add to that? Every step of a simulated
// hour is timed by itself; the figures are percentiles. tick_to_order: the frames that led to requests;
// any_frame: all frames of depth and tickers, most of which lead to none; recorded: the same with the symbol
// recorded. Two worlds of one seed, one recorded and one not, take turns of two simulated seconds, so that
// whatever else the machine does falls on both. Rows are copied into a ring of the journal's size after the
// step, as the live host does when the requests have left.

#include "sim/world.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

namespace phoenix::sim {
namespace {

class Stopwatch final : public World::Probe {
 public:
  explicit Stopwatch(std::size_t ring_bytes) : ring_(ring_bytes) {}
  void before(const engine::Input& input) override {
    const auto* frame = std::get_if<engine::FrameReceived>(&input);
    timing_ = frame != nullptr && engine::channel_of(frame->connection) == engine::Channel::public_data;
    begin_ = std::chrono::steady_clock::now();
  }
  void after(const engine::Input&, const engine::Actions& actions) override {
    const auto end = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < actions.rows_count(); ++i) keep(actions.row(i));
    rows += actions.rows_count();
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
  std::size_t rows = 0;

 private:
  void keep(std::string_view row) {
    if (at_ + row.size() > ring_.size()) at_ = 0;
    std::memcpy(ring_.data() + at_, row.data(), row.size());
    at_ += row.size();
  }

  bool timing_ = false;
  std::chrono::steady_clock::time_point begin_;
  std::vector<char> ring_;
  std::size_t at_ = 0;
};

double percentile(std::vector<std::int64_t>& values, double share) {
  if (values.empty()) return 0;
  const auto at =
      values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return static_cast<double>(*at);
}

WorldOptions quoted(engine::Switch recorded) {
  WorldOptions options;
  options.seed = 3;
  options.input_log = InputLog::off;
  options.engine.total_notional_max = model::Money::from_units(4000);
  std::erase_if(options.exchange.core.symbols, [](const auto& s) { return s.name != "ETHUSDC"; });
  engine::SymbolOptions eth;
  eth.name = "ETHUSDC";
  eth.recorded = recorded;
  eth.grid.net_max = model::Qty::of("0.26");
  eth.grid.layer_size = model::Qty::of("0.008");
  eth.grid.start = eth.grid.first_spacing = {quote::DistanceUnit::bps, 1};
  eth.grid.min_spread = 0.0001;
  eth.limits.net_max = eth.grid.net_max;
  eth.cancels_per_minute = 300;
  options.engine.symbols = {eth};
  options.engine.requote_min_move = model::Rate::of("0.00002");
  return options;
}

struct Measured {
  static constexpr int minutes = 60;
  static constexpr std::size_t ring_bytes = 32U << 20;
  Stopwatch plain{ring_bytes}, recorded{ring_bytes};
};

/// The times of one simulated run of both, taken once for all the figures.
Measured& measured() {
  static Measured* const both = [] {
    auto* const made = new Measured;
    World plain{quoted(engine::Switch::off)}, recorded{quoted(engine::Switch::on)};
    plain.run_for(base::seconds{20});
    recorded.run_for(base::seconds{20});
    plain.set_probe(&made->plain);
    recorded.set_probe(&made->recorded);
    for (int i = 0; i < Measured::minutes * 60 / 2; ++i) {
      plain.run_for(base::seconds{2});
      recorded.run_for(base::seconds{2});
    }
    return made;
  }();
  return *both;
}

using Times = std::vector<std::int64_t> Stopwatch::*;
using Who = Stopwatch Measured::*;

void report(benchmark::State& state, Who who, Times times, double share) {
  Stopwatch& watch = measured().*who;
  for (auto _ : state) state.SetIterationTime(percentile(watch.*times, share) * 1e-9);
  state.SetLabel(std::to_string((watch.*times).size()) + " frames, " + std::to_string(watch.requests) +
                 " requests and " + std::to_string(watch.rows) + " rows in all");
}

void add(const std::string& what, Times times) {
  constexpr std::pair<std::string_view, double> shares[] = {{"p50", 0.50}, {"p99", 0.99}};
  for (const auto& [name, share] : shares) {
    const auto one = [&](const std::string& full, Who who) {
      benchmark::RegisterBenchmark(
          full.c_str(), [=, share = share](benchmark::State& state) { report(state, who, times, share); })
          ->UseManualTime()
          ->Iterations(1);
    };
    one(what + "/phoenix/" + std::string{name}, &Measured::plain);
    // Named so that `make bench` shows the recorded run as a ratio of the one that records nothing.
    one("recorded_" + what + "/phoenix/" + std::string{name}, &Measured::recorded);
    one("recorded_" + what + "/not_recorded/" + std::string{name}, &Measured::plain);
  }
}

}  // namespace
}  // namespace phoenix::sim

int main(int argc, char** argv) {
  phoenix::sim::add("tick_to_order", &phoenix::sim::Stopwatch::orders);
  phoenix::sim::add("tick_to_one_order", &phoenix::sim::Stopwatch::one_order);
  phoenix::sim::add("any_frame", &phoenix::sim::Stopwatch::any);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
