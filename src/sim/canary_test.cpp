// Bugs planted on purpose: each must be seen by a checker within a few seeds, and the same seeds must pass
// without it. A plant that nobody sees is a hole in the checkers or in what is drawn.

#include "base/canary.hpp"

#include "sim/run.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::sim {
namespace {

using base::Canary;
using base::minutes;
using exchange::FaultKind;

struct Plant {
  Canary canary;
  const char* name;
  std::vector<FaultKind> kinds{};           ///< what may be drawn; empty: no faults
  std::vector<std::string_view> seen_by{};  ///< checkers, any of them
  const char* plan = nullptr;               ///< these faults instead of drawn ones
  FaultyLines lines = FaultyLines::any;     ///< that the plan touches at a time
  base::Duration length = minutes{5};
  Market market = Market::usual;
  int seeds = 8;
};

RunOptions options_of(const Plant& plant, std::uint64_t seed) {
  RunOptions options;
  options.seed = seed;
  options.length = plant.length;
  options.kinds = plant.kinds;
  options.faults = plant.kinds.empty() ? FaultsDrawn::none : FaultsDrawn::some;
  options.market = plant.market;
  return options;
}

RunResult run(const Plant& plant, std::uint64_t seed) {
  const auto options = options_of(plant, seed);
  auto world = draw_world(options);
  if (plant.plan != nullptr) {
    world.faults = exchange::parse_plan(plant.plan).value();
    world.engine.lines = 2;
    world.exchange.stream_cuts = 7;
    world.faulty_lines = plant.lines;
  }
  return run(options, world);
}

class CanaryTest : public testing::TestWithParam<Plant> {
 protected:
  ~CanaryTest() override { base::planted_canary = Canary::none; }
};

TEST_P(CanaryTest, is_seen_and_the_same_seed_passes_without_it) {
  const Plant& plant = GetParam();
  std::uint64_t resyncs = 0, reconnects = 0;
  for (int i = 1; i <= plant.seeds; ++i) {
    const auto seed = static_cast<std::uint64_t>(i);
    base::planted_canary = plant.canary;
    const auto planted = run(plant, seed);
    base::planted_canary = Canary::none;
    resyncs += planted.resyncs;
    reconnects += planted.reconnects;
    if (planted.violations.empty()) continue;
    const auto& v = planted.violations.front();
    EXPECT_NE(std::find(plant.seen_by.begin(), plant.seen_by.end(), v.checker), plant.seen_by.end())
        << "seed " << seed << " was seen by " << v.checker << ": " << v.facts;
    for (const auto& s : run(plant, seed).violations)
      ADD_FAILURE() << "seed " << seed << " fails without the plant: " << s.checker << " " << s.symbol << " "
                    << s.facts;
    return;
  }
  ADD_FAILURE() << "nobody saw it in " << plant.seeds << " seeds, with " << resyncs << " resyncs and "
                << reconnects << " reconnects";
}

INSTANTIATE_TEST_SUITE_P(
    Planted, CanaryTest,
    testing::Values(
        Plant{.canary = Canary::switch_fed_by_timer,
              .name = "switch_fed_by_timer",
              .seen_by = {"fed_by_health"},
              .plan = "at 60s for 60s mute public"},
        Plant{.canary = Canary::liveness_after_filter,
              .name = "liveness_after_filter",
              .seen_by = {"no_reconnect_without_cause", "recovery"},
              .length = minutes{10},
              .market = Market::quiet},
        Plant{.canary = Canary::depth_ids_by_equality,
              .name = "depth_ids_by_equality",
              .seen_by = {"seamless"},
              .plan =
                  "at 80s for 60s drop public nth=0 amount=200\nat 150s for 60s drop public nth=1 amount=200",
              .lines = FaultyLines::one},
        Plant{.canary = Canary::backoff_reset_on_connect,
              .name = "backoff_reset_on_connect",
              .kinds = {FaultKind::cut},
              .seen_by = {"budgets"}},
        Plant{.canary = Canary::gap_ignored,
              .name = "gap_ignored",
              .kinds = {FaultKind::drop},
              .seen_by = {"book_truth", "recorded_book"}},
        Plant{.canary = Canary::resent_with_new_id,
              .name = "resent_with_new_id",
              .kinds = {FaultKind::order_answer_lost},
              .seen_by = {"order_truth", "one_intent", "position_limit"}},
        Plant{.canary = Canary::probe_behind_is_quiet,
              .name = "probe_behind_is_quiet",
              .seen_by = {"resting_without_proof", "fed_by_health"},
              .plan = "at 40s for 120s probe_lag amount=8000\nat 60s for 60s mute public"},
        Plant{.canary = Canary::session_adds,
              .name = "session_adds",
              .seen_by = {"sockets"},
              .plan = "at 60s server_shutdown public nth=0 amount=30000"},
        Plant{.canary = Canary::risk_limit_off, .name = "risk_limit_off", .seen_by = {"position_limit"}},
        Plant{.canary = Canary::repair_not_recorded,
              .name = "repair_not_recorded",
              .seen_by = {"recorded_trades"},
              .plan = "at 60s for 5s drop market amount=1000"},
        Plant{.canary = Canary::covered_delta_recorded,
              .name = "covered_delta_recorded",
              .seen_by = {"recorded_book"}},
        Plant{.canary = Canary::recording_not_resumed,
              .name = "recording_not_resumed",
              .seen_by = {"recorded_trades"},
              .plan = "at 60s kill_process amount=5000"},
        Plant{.canary = Canary::book_loss_unnamed,
              .name = "book_loss_unnamed",
              .seen_by = {"recorded_book"},
              .plan = "at 60s for 5s mute public"}),
    [](const auto& row) { return std::string{row.param.name}; });

}  // namespace
}  // namespace phoenix::sim
