// What is recorded in simulated runs: replayed byte by byte, over restarts, and for long.

#include "engine/input_codec.hpp"
#include "record/log_format.hpp"
#include "sim/checkers.hpp"
#include "sim/run.hpp"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>
#include <malloc.h>

namespace phoenix::sim {
namespace {

using base::milliseconds;
using base::minutes;
using base::seconds;

RunOptions with_kills(std::uint64_t seed) {
  RunOptions options;
  options.seed = seed;
  options.length = minutes{4};
  options.kinds = {exchange::FaultKind::kill_process, exchange::FaultKind::cut, exchange::FaultKind::drop};
  return options;
}

/// Steps a fresh engine through the log of the world's last process; the fingerprint of its rows.
std::uint64_t rows_hash_again(const World& world, std::size_t& rows) {
  auto options = world.options().engine;
  options.recording.resume = world.resume();
  options.make_strategy = {};
  engine::Engine again{
      options, {world.api_key(), venue::binance::Signer::hmac("another secret")}, world.run_epoch()};
  TraceHash hash;
  engine::Actions actions;
  record::LogReader reader{world.input_log()};
  while (const auto record = reader.next()) {
    const auto input = engine::decode_input(record->payload);
    EXPECT_TRUE(input.has_value());
    again.step(*input, record->now, actions);
    for (std::size_t i = 0; i < actions.rows_count(); ++i) hash.bytes(actions.row(i));
    rows += actions.rows_count();
    actions.clear();
  }
  EXPECT_FALSE(reader.fault().has_value());
  return hash.value();
}

TEST(Recording, h21_a_replay_of_the_input_log_gives_the_same_bytes_after_any_faults) {
  std::uint32_t restarts = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    auto options = draw_world(with_kills(seed));
    options.input_log = InputLog::keep;
    World world{options};
    world.run_for(minutes{4});
    restarts += world.run_epoch() - options.run_epoch;
    std::size_t rows = 0;
    EXPECT_EQ(rows_hash_again(world, rows), world.rows_hash()) << "seed " << seed;
    EXPECT_GT(rows, 1000U);
  }
  EXPECT_GT(restarts, 0U) << "some of them went on with an earlier process's recording";
}

TEST(Recording, h21_a_recorder_that_quotes_nothing_is_replayed_to_the_same_bytes) {
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    auto options = draw_world(with_kills(seed));
    options.input_log = InputLog::keep;
    options.guard.reset();
    for (auto& symbol : options.engine.symbols) symbol.quoted = engine::Switch::off;
    World world{options};
    Checkers checkers{world, bounds_of(options)};
    world.set_observer(&checkers);
    for (int i = 0; i < 4 * 60 * 10; ++i) {
      world.run_for(milliseconds{100});
      checkers.look();
    }
    for (const auto& v : checkers.violations())
      ADD_FAILURE() << "seed " << seed << " " << v.checker << " " << v.symbol << " " << v.facts;
    std::size_t rows = 0;
    EXPECT_EQ(rows_hash_again(world, rows), world.rows_hash()) << "seed " << seed;
    EXPECT_GT(rows, 1000U);
    const auto& core = world.exchange().core();
    for (const auto& s : core.ledger(*core.find_account(world.api_key())).symbols)
      EXPECT_EQ(s.fills, 0) << "it never sent an order";
  }
}

TEST(Recording, h24_a_process_that_dies_again_and_again_loses_no_trade_and_writes_none_twice) {
  std::string plan;
  for (int at = 20; at < 200; at += 12) plan += "at " + std::to_string(at) + "s kill_process amount=1500\n";
  std::uint64_t recovered = 0;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    RunOptions options;
    options.seed = seed;
    options.length = minutes{5};
    options.faults = FaultsDrawn::none;
    options.market = Market::usual;
    auto world = draw_world(options);
    world.faults = exchange::parse_plan(plan).value();
    const auto result = run(options, world);
    for (const auto& v : result.violations)
      ADD_FAILURE() << "seed " << seed << " " << v.checker << " " << v.symbol << " " << v.facts;
    EXPECT_GE(result.restarts, 10U);
    EXPECT_GT(result.recording.trades_repaired, 0U);
    EXPECT_EQ(result.recording.trades_lost, 0U);
    recovered += result.recording.trades_recovered;
  }
  EXPECT_GT(recovered, 0U) << "some were read by a process that died before it looked at them";
}

/// A market of six symbols at ten times the activity of the other runs.
WorldOptions busy_market() {
  RunOptions drawn;
  drawn.faults = FaultsDrawn::none;
  drawn.market = Market::usual;
  auto options = draw_world(drawn);
  options.exchange.core.symbols = exchange::default_symbols();
  options.engine.symbols.clear();
  for (const auto& s : options.exchange.core.symbols) {
    if (options.engine.symbols.size() == 6) break;
    auto& symbol = options.engine.symbols.emplace_back();
    symbol.name = s.name;
    symbol.quoted = engine::Switch::off;
    symbol.recorded = engine::Switch::on;
  }
  std::erase_if(options.exchange.core.symbols, [&](const auto& s) {
    return std::none_of(options.engine.symbols.begin(), options.engine.symbols.end(),
                        [&](const auto& wanted) { return wanted.name == s.name; });
  });
  options.guard.reset();
  return options;
}

/// The most a step writes.
class Widest final : public World::Probe {
 public:
  void before(const engine::Input&) override {}
  void after(const engine::Input&, const engine::Actions& actions) override {
    rows = std::max(rows, actions.rows_count());
  }
  std::size_t rows = 0;
};

TEST(Recording, six_busy_symbols_take_no_more_memory_the_longer_they_are_recorded) {
  World world{busy_market()};
  ASSERT_EQ(world.options().engine.symbols.size(), 6U);
  Checkers checkers{world, bounds_of(world.options())};
  world.set_observer(&checkers);
  Widest widest;
  world.set_probe(&widest);
  const auto run_for = [&](base::Duration length) {
    for (const auto end = world.now() + length; world.now() < end;) {
      world.run_for(milliseconds{500});
      checkers.look();
    }
    const auto heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
  };
  const auto before = run_for(minutes{1});
  const auto rows_before = checkers.recording().all();
  const auto after = run_for(minutes{2});
  for (const auto& v : checkers.violations()) ADD_FAILURE() << v.checker << " " << v.symbol << " " << v.facts;
  EXPECT_GT(checkers.recording().all(), rows_before + 30'000) << "it is busy";
  EXPECT_LT(after, before + (8U << 20)) << "the exchange's own history and candles";
  EXPECT_LT(checkers.recording().trades_waiting_max, 1'000U);
  EXPECT_LT(widest.rows, 1'000U) << "rows are handed out step by step";
}

}  // namespace
}  // namespace phoenix::sim
