#include "app/commands.hpp"
#include "app/progress.hpp"
#include "sim/run.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::app {
namespace {

using json = nlohmann::ordered_json;

constexpr double hours_max = 24.0 * 31;
constexpr int runs_max = 1'000'000, jobs_max = 256;

double seconds_of(base::Duration d) { return static_cast<double>(d.count()) / 1e9; }
double ms_of(base::Duration d) { return static_cast<double>(d.count()) / 1e6; }

/// What --faults means; a line about what is wrong with it in `trouble`.
struct Wanted {
  sim::FaultsDrawn faults = sim::FaultsDrawn::some;
  std::vector<exchange::FaultKind> kinds;
  std::string trouble;
};
Wanted wanted_faults(std::string_view text) {
  Wanted wanted;
  if (text == "all") return wanted;
  if (text == "none") {
    wanted.faults = sim::FaultsDrawn::none;
    return wanted;
  }
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    const auto name = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    bool found = false;
    for (const auto& info : exchange::fault_kinds()) {
      if (info.name != name) continue;
      wanted.kinds.push_back(info.kind);
      found = true;
    }
    if (found) continue;
    wanted.trouble = fmt::format("--faults: there is no fault '{}'; there are all, none", name);
    for (const auto& info : exchange::fault_kinds()) wanted.trouble += fmt::format(", {}", info.name);
    return wanted;
  }
  if (wanted.kinds.empty()) wanted.trouble = "--faults: all, none, or names with commas between";
  return wanted;
}

std::string trouble_with(const SimulateArguments& arguments) {
  if (!std::isfinite(arguments.hours) || arguments.hours <= 0 || arguments.hours > hours_max)
    return fmt::format("--hours must be above 0 and at most {}", hours_max);
  if (arguments.runs < 1 || arguments.runs > runs_max) return fmt::format("--runs must be 1 to {}", runs_max);
  if (arguments.jobs < 1 || arguments.jobs > jobs_max) return fmt::format("--jobs must be 1 to {}", jobs_max);
  return {};
}

std::string command_of(const SimulateArguments& arguments, std::uint64_t seed) {
  return fmt::format("phoenix simulate --seed {} --hours {} --faults {}", seed, arguments.hours,
                     arguments.faults);
}

struct Total {
  std::vector<sim::RunResult> runs;
  double wall_s = 0;
};

/// The runs side by side, each in one thread from begin to end; results in the order of their seeds.
Total run_all(const SimulateArguments& arguments, const Wanted& wanted, std::uint64_t seed) {
  Total total;
  total.runs.resize(static_cast<std::size_t>(arguments.runs));
  std::atomic<std::size_t> next{0};
  std::mutex guard;
  const auto length = base::Duration{static_cast<std::int64_t>(arguments.hours * 3600.0 * 1e9)};
  const auto all_ms = static_cast<std::uint64_t>(length / base::milliseconds{1}) * total.runs.size();
  std::uint64_t done_ms = 0;
  Progress progress{"simulating", {.name = "virtual s", .counts = 1'000}, arguments.format};
  const auto begin = std::chrono::steady_clock::now();
  const auto work = [&] {
    for (;;) {
      const std::size_t i = next.fetch_add(1);
      if (i >= total.runs.size()) return;
      sim::RunOptions options;
      options.seed = seed + i;
      options.length = length;
      options.faults = wanted.faults;
      options.kinds = wanted.kinds;
      std::uint64_t of_this_ms = 0;
      const auto tell = [&](base::Duration passed) {
        const std::lock_guard lock{guard};
        const auto ms = static_cast<std::uint64_t>(std::min(passed, length) / base::milliseconds{1});
        done_ms += ms - of_this_ms;
        of_this_ms = ms;
        progress.show(done_ms, all_ms);
      };
      options.progress = tell;
      total.runs[i] = sim::run(options);
      tell(length);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < std::min(arguments.jobs, arguments.runs); ++i) threads.emplace_back(work);
  work();
  for (auto& thread : threads) thread.join();
  total.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return total;
}

/// The worst over all runs; `trace_hash` folds theirs in the order of the seeds.
struct Summary {
  std::uint64_t trace_hash = 0, steps = 0, events = 0, reconnects = 0, withdrawals = 0, resyncs = 0,
                restarts = 0, fills = 0, books = 0;
  std::uint64_t rows = 0, trades_repaired = 0, trades_recovered = 0, trades_lost = 0;
  double virtual_s = 0;
  sim::Worst worst;
  sim::CheckerOptions bounds;
  std::array<std::uint64_t, exchange::fault_kinds_count> injected{}, begun{};
};
Summary summarise(const Total& total) {
  Summary s;
  sim::TraceHash hash;
  for (const auto& r : total.runs) {
    hash.word(r.trace_hash);
    s.steps += r.steps;
    s.events += r.events + r.steps + r.market_moves;
    s.reconnects += r.reconnects;
    s.withdrawals += r.withdrawals;
    s.resyncs += r.resyncs;
    s.restarts += r.restarts;
    s.fills += r.fills;
    s.books += r.books_compared;
    s.rows += r.recording.all();
    s.trades_repaired += r.recording.trades_repaired;
    s.trades_recovered += r.recording.trades_recovered;
    s.trades_lost += r.recording.trades_lost;
    s.virtual_s += seconds_of(r.length);
    for (std::size_t i = 0; i < s.injected.size(); ++i) {
      s.injected[i] += r.injected[i];
      s.begun[i] += r.begun[i];
    }
    for (std::size_t i = 0; i < sim::causes_count; ++i)
      s.worst.rested[i] = std::max(s.worst.rested[i], r.worst.rested[i]);
    s.worst.exposure_permille = std::max(s.worst.exposure_permille, r.worst.exposure_permille);
    s.worst.weight_used = std::max(s.worst.weight_used, r.worst.weight_used);
    s.worst.sockets = std::max(s.worst.sockets, r.worst.sockets);
    s.worst.connects_5min = std::max(s.worst.connects_5min, r.worst.connects_5min);
    s.worst.connects_1min = std::max(s.worst.connects_1min, r.worst.connects_1min);
    s.worst.over_lines = std::max(s.worst.over_lines, r.worst.over_lines);
    s.worst.recovery = std::max(s.worst.recovery, r.worst.recovery);
    s.worst.order_truth = std::max(s.worst.order_truth, r.worst.order_truth);
    s.bounds.rest_max_data = std::max(s.bounds.rest_max_data, r.bounds.rest_max_data);
    s.bounds.rest_max_order_way = std::max(s.bounds.rest_max_order_way, r.bounds.rest_max_order_way);
    s.bounds.rest_max_process = std::max(s.bounds.rest_max_process, r.bounds.rest_max_process);
  }
  s.trace_hash = total.runs.size() == 1 ? total.runs.front().trace_hash : hash.value();
  return s;
}

std::size_t violations_of(const Total& total) {
  std::size_t count = 0;
  for (const auto& r : total.runs) count += r.violations.size();
  return count;
}

void print_violations(const SimulateArguments& arguments, const Total& total) {
  for (const auto& r : total.runs) {
    if (r.violations.empty()) continue;
    const auto& v = r.violations.front();
    fmt::print("\nVIOLATION seed={} at={:.3f}s checker={}{}{}\n  {}\n  run: {}\n", r.seed, seconds_of(v.at),
               v.checker, v.symbol.empty() ? "" : " symbol=", v.symbol, v.facts, r.setting);
    for (const auto& fault : v.faults) fmt::print("  fault: {}\n", fault);
    for (const auto& incident : v.incidents) fmt::print("  incident: {}\n", incident);
    fmt::print("  again: {}\n", command_of(arguments, r.seed));
  }
}

void print_text(const SimulateArguments& arguments, const Total& total) {
  const auto s = summarise(total);
  const auto& w = s.worst;
  fmt::print("{} runs, {:.2f} virtual hours in {:.1f} s: {:.0f} times real time, {:.0f} events/s\n",
             total.runs.size(), s.virtual_s / 3600, total.wall_s, s.virtual_s / total.wall_s,
             static_cast<double>(s.events) / total.wall_s);
  fmt::print("reconnects {}  withdrawals {}  resyncs {}  restarts {}  fills {}  books compared {}\n",
             s.reconnects, s.withdrawals, s.resyncs, s.restarts, s.fills, s.books);
  fmt::print("rows recorded {}  trades repaired {}  recovered {}  named lost {}\n", s.rows, s.trades_repaired,
             s.trades_recovered, s.trades_lost);
  fmt::print("injected:");
  for (std::size_t i = 0; i < s.injected.size(); ++i) {
    if (s.begun[i] + s.injected[i] > 0)
      fmt::print(" {}={}/{}", exchange::name_of(static_cast<exchange::FaultKind>(i)), s.begun[i],
                 s.injected[i]);
  }
  fmt::print("\nworst seen (bound):\n");
  const base::Duration bounds[] = {s.bounds.rest_max_data, s.bounds.rest_max_order_way,
                                   s.bounds.rest_max_process};
  for (std::size_t i = 0; i < sim::causes_count; ++i) {
    fmt::print("  order on a price without proof, {:<9} {:>8.0f} ms ({:.0f} ms)\n",
               sim::name(static_cast<sim::Cause>(i)), ms_of(w.rested[i]), ms_of(bounds[i]));
  }
  fmt::print("  position and resting orders           {:>8.1f} % of the limit (100 %)\n",
             static_cast<double>(w.exposure_permille) / 10);
  fmt::print("  recovery after the last fault         {:>8.1f} s (30 s)\n", seconds_of(w.recovery));
  fmt::print("  weight in a minute                    {:>8} (2400)\n", w.weight_used);
  fmt::print("  sockets of a channel                  {:>8} (lines + 1), {:.1f} s above lines\n", w.sockets,
             seconds_of(w.over_lines));
  fmt::print("  connections in five minutes           {:>8} (300)\n", w.connects_5min);
  fmt::print("trace hash {:016x}\n", s.trace_hash);
  print_violations(arguments, total);
}

json violation_json(const SimulateArguments& arguments, const sim::RunResult& r, const sim::Violation& v) {
  return {{"seed", r.seed},           {"at_s", seconds_of(v.at)}, {"checker", v.checker},
          {"symbol", v.symbol},       {"facts", v.facts},         {"faults", v.faults},
          {"incidents", v.incidents}, {"setting", r.setting},     {"again", command_of(arguments, r.seed)}};
}

void print_json(const SimulateArguments& arguments, const Total& total, std::uint64_t seed) {
  const auto s = summarise(total);
  json out;
  out["seed"] = seed;
  out["hours"] = arguments.hours;
  out["runs"] = total.runs.size();
  out["faults"] = arguments.faults;
  out["trace_hash"] = fmt::format("{:016x}", s.trace_hash);
  out["reconnects"] = s.reconnects;
  out["withdrawals"] = s.withdrawals;
  out["resyncs"] = s.resyncs;
  out["restarts"] = s.restarts;
  out["fills"] = s.fills;
  out["books_compared"] = s.books;
  out["rows"] = s.rows;
  out["trades_repaired"] = s.trades_repaired;
  out["trades_recovered"] = s.trades_recovered;
  out["trades_lost"] = s.trades_lost;
  out["events"] = s.events;
  out["events_per_s"] = std::round(static_cast<double>(s.events) / total.wall_s);
  out["speedup"] = std::round(s.virtual_s / total.wall_s * 10) / 10;
  json worst;
  const base::Duration bounds[] = {s.bounds.rest_max_data, s.bounds.rest_max_order_way,
                                   s.bounds.rest_max_process};
  for (std::size_t i = 0; i < sim::causes_count; ++i) {
    const auto name = sim::name(static_cast<sim::Cause>(i));
    worst[fmt::format("rested_{}_ms", name)] = ms_of(s.worst.rested[i]);
    worst[fmt::format("rested_{}_bound_ms", name)] = ms_of(bounds[i]);
  }
  worst["exposure_percent"] = static_cast<double>(s.worst.exposure_permille) / 10;
  worst["recovery_s"] = seconds_of(s.worst.recovery);
  worst["weight_1m"] = s.worst.weight_used;
  worst["sockets"] = s.worst.sockets;
  worst["over_lines_s"] = seconds_of(s.worst.over_lines);
  worst["connects_1min"] = s.worst.connects_1min;
  worst["connects_5min"] = s.worst.connects_5min;
  worst["order_truth_s"] = seconds_of(s.worst.order_truth);
  out["worst"] = worst;
  json injected = json::object();
  for (std::size_t i = 0; i < s.injected.size(); ++i) {
    if (s.begun[i] + s.injected[i] == 0) continue;
    injected[std::string{exchange::name_of(static_cast<exchange::FaultKind>(i))}] = {{"begun", s.begun[i]},
                                                                                     {"met", s.injected[i]}};
  }
  out["injected"] = injected;
  json violations = json::array();
  for (const auto& r : total.runs) {
    for (const auto& v : r.violations) violations.push_back(violation_json(arguments, r, v));
  }
  out["violations"] = violations;
  fmt::print("{}\n", out.dump(2));
}

}  // namespace

int simulate(const SimulateArguments& arguments) {
  auto trouble = trouble_with(arguments);
  const auto wanted = wanted_faults(arguments.faults);
  if (trouble.empty()) trouble = wanted.trouble;
  if (!trouble.empty()) {
    fmt::print(stderr, "phoenix: {}\n", trouble);
    return 2;
  }
  const std::uint64_t seed = arguments.seed.value_or(
      static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) / 1'000);
  const bool text = arguments.format == Format::text;
  // With --json the seed still comes first, where it does not disturb the document.
  fmt::print(text ? stdout : stderr, "seed {}\n", seed);
  std::fflush(text ? stdout : stderr);
  const auto total = run_all(arguments, wanted, seed);
  if (text) {
    print_text(arguments, total);
  } else {
    print_json(arguments, total, seed);
  }
  return violations_of(total) == 0 ? 0 : 1;
}

}  // namespace phoenix::app
