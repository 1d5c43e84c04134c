#include "sim/run.hpp"

#include "base/rng.hpp"
#include "feed/session.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace phoenix::sim {

using base::LocalTime;

namespace {

constexpr base::Duration settle = base::seconds{60};
constexpr base::Duration looks_every = base::milliseconds{100};
constexpr base::Duration leaves_within = base::seconds{15};

struct Row {
  const char *name, *net_max, *size;
};
constexpr Row rows[] = {{"ETHUSDC", "0.26", "0.008"},
                        {"DOGEUSDC", "5200", "200"},
                        {"SOLUSDC", "5.5", "0.2"},
                        {"BNBUSDC", "0.9", "0.04"},
                        {"XRPUSDC", "360", "12"}};

engine::SymbolOptions symbol_options(const Row& row) {
  engine::SymbolOptions s;
  s.name = row.name;
  s.grid.net_max = model::Qty::of(row.net_max);
  s.grid.layer_size = model::Qty::of(row.size);
  s.grid.layers = 7;
  s.grid.start = {quote::DistanceUnit::bps, 1};
  s.grid.first_spacing = {quote::DistanceUnit::bps, 1};
  s.grid.max_spacing = {quote::DistanceUnit::bps, 40};
  s.grid.min_spread = 0.0001;
  s.limits.net_max = s.grid.net_max;
  s.cancels_per_minute = 40;
  return s;
}

/// From when on recovery is due: the end of the last fault, and for a handshake refused as forbidden the end
/// of the pause such a refusal demands of the client (at least a minute, and jitter).
LocalTime recovery_due_from(const World& world, const exchange::FaultPlan& plan, LocalTime start) {
  LocalTime due = std::max(world.faults().last_end().value_or(start), start);
  const auto pause = feed::SessionOptions{}.config_pause;
  for (const auto& fault : plan.faults) {
    if (fault.kind != exchange::FaultKind::refuse) continue;
    if (feed::close_why(static_cast<int>(fault.amount)) != feed::CloseWhy::refused_config) continue;
    due = std::max(due, start + fault.at + fault.length + pause + pause / 20);
  }
  return due;
}

/// How the symbols are quoted: by a stream of its own, so that the rest of a seed's world stays as it is.
void draw_strategies(WorldOptions& w, bool quiet, base::Rng rng) {
  // Ladders this small are swept in a moment, and a latched symbol is out for the rest of the run.
  if (quiet || rng.below(5) != 0) {
    for (auto& s : w.engine.symbols) {
      s.guard.burst_fills_short = s.guard.burst_fills_long = 1000;
      s.guard.burst_net_short = s.guard.burst_net_long = model::Rate::from_units(3);
    }
  }
  if (rng.below(2) == 0) return;
  // All modes, on a limit that lets the position grow beyond their thresholds, and now and then the other
  // strategy.
  for (auto& s : w.engine.symbols) {
    s.grid.pinning.enabled = s.grid.grinding.enabled = s.grid.vpin.enabled = true;
    s.limits.worst_case_ratio = model::Rate::from_units(1);
    if (rng.below(4) == 0) s.strategy = engine::StrategyKind::glft;
    s.glft.net_max = s.grid.net_max;
    s.glft.layer_size = s.grid.layer_size;
    s.glft.spacing = {quote::DistanceUnit::bps, 2};
    s.glft.fallback = quote::GlftFallback{.volatility_bps = 0.5, .at_touch = 0.5, .decay_per_bps = 0.3};
  }
}

/// In a third of the worlds somebody trades by hand in the first half.
void draw_outsiders(WorldOptions& w, const RunOptions& options, base::Rng rng) {
  if (options.length < base::minutes{6} || rng.below(3) != 0) return;
  const auto count = 1 + rng.below(3);
  for (std::uint64_t i = 0; i < count; ++i) {
    auto& o = w.outsiders.emplace_back();
    o.at = base::Duration{rng.between(base::Duration{base::minutes{1}}.count(), options.length.count() / 2)};
    const auto& symbol = w.engine.symbols[rng.below(w.engine.symbols.size())];
    o.symbol = symbol.name;
    o.side = rng.below(2) == 0 ? model::Side::bid : model::Side::ask;
    o.ticks_away = rng.below(2) == 0 ? 0 : 50;
    if (symbol.quoted == engine::Switch::off) w.outsiders.pop_back();  // nobody looks at its position
  }
}

}  // namespace

WorldOptions draw_world(const RunOptions& options) {
  base::Rng rng = base::Rng{options.seed}.fork(1);
  WorldOptions w;
  w.seed = options.seed;
  w.input_log = InputLog::off;
  w.engine.total_notional_max = model::Money::from_units(4000);
  // A tight limit is reached within minutes: the gates have to cut, the ladder has to lean.
  const bool tight = rng.below(2) == 0;
  for (const auto& row : rows) {
    auto& s = w.engine.symbols.emplace_back(symbol_options(row));
    if (!tight) continue;
    s.grid.net_max = s.grid.layer_size * 9;
    s.limits.net_max = s.grid.layer_size * 5;
  }
  w.engine.seed = options.seed;
  w.engine.lines = rng.below(5) == 0 ? 1 : 2;
  constexpr std::int64_t latencies_ms[] = {1, 3, 10, 40};
  w.latency_max = base::milliseconds{latencies_ms[rng.below(std::size(latencies_ms))]};
  w.latency_min = w.latency_max / 10;
  w.clock_offset = base::milliseconds{rng.between(-20'000, 20'000)};
  w.exchange.stream_cuts = rng.below(2) == 0 ? 1 : 7;  // 7: no two of our connections see equal cuts
  if (rng.below(2) == 0) {
    ops::GuardOptions guard;
    guard.restart = ops::GuardRestart::yes;
    guard.restarts_max = 1'000;  // a plan may kill more often than any operator would bear
    guard.backoff_max = base::seconds{2};
    w.guard = guard;
  }

  const bool quiet =
      options.market == Market::quiet || (options.market == Market::drawn && rng.below(4) == 0);
  draw_strategies(w, quiet, base::Rng{options.seed}.fork(3));
  std::erase_if(w.exchange.core.symbols, [](const auto& s) {
    return std::none_of(std::begin(rows), std::end(rows), [&](const Row& row) { return s.name == row.name; });
  });
  for (auto& s : w.exchange.core.symbols) {
    // A tenth of the recorded activity, so that hours pass in seconds; in a quiet market next to nothing.
    s.activity = std::max(1, s.activity / 10);
    const bool idle = quiet && rng.below(4) != 0;
    if (idle) {
      s.activity = 1;
      s.regime = exchange::Regime::calm;
      s.regime_fixed = true;
    }
  }
  if (options.recorded == Recorded::all) {
    for (auto& s : w.engine.symbols) s.recorded = engine::Switch::on;
    if (base::Rng{options.seed}.fork(2).below(3) == 0) w.engine.symbols.back().quoted = engine::Switch::off;
  }
  if (options.faults == FaultsDrawn::some) {
    draw_outsiders(w, options, base::Rng{options.seed}.fork(4));
    exchange::DrawOptions draw;
    draw.length = options.length;
    draw.settle = settle;
    draw.kinds = options.kinds;
    draw.at_most_one_line = w.engine.lines == 2 && rng.below(2) == 0;
    if (draw.at_most_one_line) w.faulty_lines = FaultyLines::one;
    for (const auto& s : w.engine.symbols) draw.symbols.push_back(s.name);
    w.faults = exchange::draw_plan(options.seed, draw);
  }
  return w;
}

RunResult run(const RunOptions& options) { return run(options, draw_world(options)); }

RunResult run(const RunOptions& options, const WorldOptions& world_options) {
  World world{world_options};
  Checkers checkers{world, bounds_of(world_options)};
  world.set_observer(&checkers);
  RunResult result;
  result.seed = options.seed;
  result.length = options.length;
  result.bounds = bounds_of(world_options);

  std::uint64_t reconnects = 0;
  const auto passes = [&](LocalTime until) {
    while (world.now() < until && checkers.violations().empty() && !world.end()) {
      world.run_until(std::min(until, world.now() + looks_every));
      checkers.look();
      if (options.progress) options.progress(world.now() - world_options.start);
    }
  };
  const LocalTime end = world_options.start + options.length;
  const LocalTime due_from = recovery_due_from(world, world_options.faults, world_options.start);
  passes(due_from);
  const LocalTime recovered_by = due_from + result.bounds.recovery_max;
  while (world.now() < recovered_by && checkers.violations().empty() && !checkers.is_recovered()) {
    passes(std::min(recovered_by, world.now() + looks_every));
    if (world.end()) break;
  }
  if (checkers.violations().empty()) checkers.expect_recovered(due_from);
  passes(end);
  if (world.is_alive() && checkers.violations().empty()) {
    ops::Status status;
    world.engine().fill_status(status, world.now());
    for (const auto& c : status.connections) reconnects += c.reconnects;
    for (const auto& s : status.symbols) result.resyncs += s.resyncs;
    checkers.expect_leaving();
    world.request_stop();
    passes(world.now() + leaves_within);
    if (checkers.violations().empty()) checkers.expect_nothing_left();
  }
  result.trace_hash = world.trace_hash();
  result.steps = world.steps();
  result.events = world.events();
  result.reconnects = std::max(reconnects, world.incident_count(ops::IncidentKind::connection_lost) +
                                               world.incident_count(ops::IncidentKind::connection_closed));
  result.withdrawals = world.incident_count(ops::IncidentKind::withdrawn);
  result.resyncs = std::max(result.resyncs, world.incident_count(ops::IncidentKind::resync));
  result.restarts = world.run_epoch() - world_options.run_epoch;
  result.fills = checkers.fills();
  result.market_moves = checkers.market_moves();
  result.books_compared = checkers.books_compared();
  result.recording = checkers.recording();
  for (std::size_t i = 0; i < exchange::fault_kinds_count; ++i) {
    result.begun[i] = world.faults().stats().kinds[i].begun;
    result.injected[i] = world.faults().stats().kinds[i].injected;
  }
  result.worst = checkers.worst();
  result.violations = checkers.violations();
  result.setting =
      fmt::format("lines={} latency_max_ms={} cuts={} guard={} faults={}", world_options.engine.lines,
                  world_options.latency_max.count() / 1'000'000, world_options.exchange.stream_cuts,
                  world_options.guard ? "yes" : "no", world_options.faults.faults.size());
  return result;
}

}  // namespace phoenix::sim
