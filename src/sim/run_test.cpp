#include "sim/run.hpp"

#include <gtest/gtest.h>

namespace phoenix::sim {
namespace {

using base::minutes;
using base::seconds;

RunOptions calm(std::uint64_t seed, Market market) {
  RunOptions options;
  options.seed = seed;
  options.length = minutes{5};
  options.faults = FaultsDrawn::none;
  options.market = market;
  return options;
}

void expect_kept(const RunResult& result) {
  for (const auto& v : result.violations) {
    ADD_FAILURE() << "seed " << result.seed << " " << v.checker << " " << v.symbol << " " << v.facts;
  }
}

TEST(Run, keeps_every_promise_without_faults) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const auto result = run(calm(seed, Market::usual));
    expect_kept(result);
    EXPECT_GT(result.books_compared, 100U);
    EXPECT_GT(result.fills, 0U);
    EXPECT_GT(result.market_moves, 500U);
  }
}

TEST(Run, i12_a_quiet_market_causes_no_reconnect_and_no_withdrawal) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    auto options = calm(seed, Market::quiet);
    options.length = minutes{30};
    const auto result = run(options);
    expect_kept(result);
    EXPECT_EQ(result.reconnects, 0U);
    EXPECT_EQ(result.withdrawals, 0U);
    EXPECT_EQ(result.resyncs, 0U);
  }
}

TEST(Run, one_seed_decides_everything) {
  RunOptions options;
  options.seed = 5;
  options.length = minutes{4};
  const auto once = run(options), again = run(options);
  EXPECT_EQ(once.trace_hash, again.trace_hash);
  EXPECT_EQ(once.steps, again.steps);
  options.seed = 6;
  EXPECT_NE(run(options).trace_hash, once.trace_hash);
}

TEST(Run, an_observer_changes_nothing) {
  RunOptions options;
  options.seed = 7;
  options.length = minutes{3};
  World watched{draw_world(options)}, alone{draw_world(options)};
  Checkers checkers{watched, bounds_of(watched.options())};
  watched.set_observer(&checkers);
  for (auto* world : {&watched, &alone}) world->run_for(options.length);
  EXPECT_EQ(watched.trace_hash(), alone.trace_hash());
}

/// Whatever is wrong with one kind of fault alone, all promises hold, and it did happen.
class EachFault : public testing::TestWithParam<exchange::FaultKind> {};
TEST_P(EachFault, d25_alone_breaks_no_promise) {
  std::uint64_t begun = 0;
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    RunOptions options;
    options.seed = seed;
    options.length = minutes{5};
    options.kinds = {GetParam()};
    const auto result = run(options);
    expect_kept(result);
    begun += result.begun[static_cast<std::size_t>(GetParam())];
  }
  EXPECT_GT(begun, 0U);
}
std::vector<exchange::FaultKind> all_kinds() {
  std::vector<exchange::FaultKind> kinds;
  for (const auto& info : exchange::fault_kinds()) kinds.push_back(info.kind);
  return kinds;
}
INSTANTIATE_TEST_SUITE_P(Catalogue, EachFault, testing::ValuesIn(all_kinds()),
                         [](const auto& row) { return std::string{exchange::name_of(row.param)}; });

}  // namespace
}  // namespace phoenix::sim
