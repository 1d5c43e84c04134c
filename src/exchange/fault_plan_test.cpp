#include "exchange/fault_plan.hpp"

#include "base/rng.hpp"

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::exchange {
namespace {

using base::Duration;
using testing::HasSubstr;

Fault read(std::string_view line) {
  const auto plan = parse_plan(line);
  EXPECT_TRUE(plan.has_value()) << line << ": " << (plan ? "" : plan.error().front().message);
  return plan && !plan->faults.empty() ? plan->faults.front() : Fault{};
}

std::string trouble(std::string_view line) {
  const auto plan = parse_plan(line);
  return plan ? "" : plan.error().front().message;
}

TEST(FaultPlan, a_line_says_when_how_long_what_and_where) {
  EXPECT_EQ(read("at 12s for 5s mute_stream public nth=0 stream=ethusdc@depth@100ms"),
            (Fault{.kind = FaultKind::mute_stream,
                   .target = {.route = FaultRoute::public_data,
                              .which = FaultTarget::Which::nth,
                              .nth = 0,
                              .stream = "ethusdc@depth@100ms",
                              .symbol = ""},
                   .at = base::seconds{12},
                   .length = base::seconds{5}}));
  EXPECT_EQ(read("at 0s cut newest order_api  # the order path").target.which, FaultTarget::Which::newest);
  EXPECT_EQ(read("at 1m for 1h rest_status amount=429").amount, 429);
  EXPECT_EQ(read("at 500ms for 2s halt_symbol symbol=ETHUSDC").target.symbol, "ETHUSDC");
  EXPECT_EQ(read("at 1s for 1s skew amount=-1500").amount, -1500);
}

TEST(FaultPlan, what_a_line_leaves_out_has_a_default) {
  const Fault fault = read("at 1s for 1s rest_silent");
  EXPECT_EQ(fault.amount, info_of(FaultKind::rest_silent).amount_default);
  EXPECT_EQ(fault.target, FaultTarget{});
}

TEST(FaultPlan, comments_and_blank_lines_say_nothing) {
  const auto plan = parse_plan("# a plan\n\n   \t\r\nat 1s cut\r\n  # at 2s cut\nat 3s cut # and again");
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->faults.size(), 2U);
}

TEST(FaultPlan, every_error_is_told_with_its_line) {
  const auto plan = parse_plan("at 1s cut\nat soon cut\n\nat 2s melt\nat 3s for 1s mute nowhere\n");
  ASSERT_FALSE(plan.has_value());
  ASSERT_EQ(plan.error().size(), 3U);
  EXPECT_EQ(plan.error()[0].line, 2U);
  EXPECT_THAT(plan.error()[0].message, HasSubstr("'soon' is no duration"));
  EXPECT_EQ(plan.error()[1].line, 4U);
  EXPECT_THAT(plan.error()[1].message, HasSubstr("'melt' is no kind of fault"));
  EXPECT_EQ(plan.error()[2].line, 5U);
  EXPECT_THAT(plan.error()[2].message, HasSubstr("nowhere"));
}

TEST(FaultPlan, a_fault_that_cannot_be_carried_out_is_refused) {
  EXPECT_THAT(trouble("cut"), HasSubstr("begins with 'at 10s'"));
  EXPECT_THAT(trouble("at 1s"), HasSubstr("kind of fault is missing"));
  EXPECT_THAT(trouble("at 1s mute"), HasSubstr("lasts"));
  EXPECT_THAT(trouble("at 1s for 1s close"), HasSubstr("at once"));
  EXPECT_THAT(trouble("at 1s for 1s drop amount=1001"), HasSubstr("within 1 and 1000"));
  EXPECT_THAT(trouble("at 1s for 1s mute amount=1"), HasSubstr("takes no amount"));
  EXPECT_THAT(trouble("at 1s for 1s mute_stream public"), HasSubstr("needs stream="));
  EXPECT_THAT(trouble("at 1s for 1s mute public stream=a@depth"), HasSubstr("takes no stream"));
  EXPECT_THAT(trouble("at 1s for 1s halt_symbol"), HasSubstr("needs symbol="));
  EXPECT_THAT(trouble("at 1s for 1s rest_silent public"), HasSubstr("takes no route"));
  EXPECT_THAT(trouble("at 1s for 1s refuse amount=200"), HasSubstr("0 or a status"));
  EXPECT_THAT(trouble("at 1s for 1s order_silent public"), HasSubstr("order_api only"));
  EXPECT_THAT(trouble("at 99999999h cut"), HasSubstr("is no duration"));
  EXPECT_THAT(trouble("at 1s cut nth=-1"), HasSubstr("no place"));
  EXPECT_THAT(trouble("at 1s cut speed=1"), HasSubstr("not known"));
}

TEST(FaultPlan, a_plan_is_bounded) {
  std::string text;
  for (std::size_t i = 0; i <= FaultPlan::faults_max; ++i) text += "at 1s cut\n";
  const auto plan = parse_plan(text);
  ASSERT_FALSE(plan.has_value());
  EXPECT_EQ(plan.error().back().line, FaultPlan::faults_max + 1);
}

TEST(FaultPlan, the_kinds_have_names_of_their_own_and_defaults_within_their_bounds) {
  std::set<std::string_view> names;
  for (const auto& info : fault_kinds()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_FALSE(info.what.empty());
    EXPECT_GE(info.amount_default, info.amount_min);
    EXPECT_LE(info.amount_default, info.amount_max);
  }
}

DrawOptions options_of(std::uint64_t seed) {
  DrawOptions options;
  options.symbols = {"ETHUSDC", "BTCUSDT"};
  options.at_most_one_line = seed % 2 == 0;
  return options;
}

TEST(FaultPlan, every_drawn_plan_reads_back_as_itself) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const FaultPlan plan = draw_plan(seed, options_of(seed));
    const auto again = parse_plan(text(plan));
    ASSERT_TRUE(again.has_value()) << "seed " << seed << ": " << again.error().front().message;
    EXPECT_EQ(*again, plan) << "seed " << seed;
  }
}

TEST(FaultPlan, any_bytes_are_a_plan_or_errors) {
  const std::string alphabet = "at for 15smh=#\n mute_stream public nth amount \x01\xff cut all skew-";
  base::Rng rng{4};
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (auto n = rng.below(80); n > 0; --n) text += alphabet[rng.below(alphabet.size())];
    const auto plan = parse_plan(text);
    if (plan) {
      EXPECT_EQ(*parse_plan(exchange::text(*plan)), *plan);
    }
  }
}

TEST(FaultPlan, equal_seeds_draw_equal_plans_and_others_differ) {
  EXPECT_EQ(draw_plan(7, options_of(7)), draw_plan(7, options_of(7)));
  EXPECT_NE(draw_plan(7, options_of(7)), draw_plan(9, options_of(9)));
}

TEST(FaultPlan, drawn_faults_leave_time_to_warm_up_and_to_recover) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const DrawOptions options = options_of(seed);
    for (const Fault& fault : draw_plan(seed, options).faults) {
      EXPECT_EQ(fault_trouble(fault), "");
      EXPECT_GE(fault.at, options.first);
      Duration end = fault.at + fault.length;
      if (fault.kind == FaultKind::server_shutdown || fault.kind == FaultKind::kill_process)
        end += base::milliseconds{fault.amount};
      EXPECT_LE(end, options.length - options.settle) << "seed " << seed << ": " << text(fault);
    }
  }
}

TEST(FaultPlan, over_many_seeds_every_kind_is_drawn_and_each_plan_has_only_some) {
  std::set<FaultKind> met;
  std::size_t most = 0;
  bool together = false;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const FaultPlan plan = draw_plan(seed, options_of(1));
    std::set<FaultKind> own;
    for (const Fault& fault : plan.faults) own.insert(fault.kind);
    most = std::max(most, own.size());
    met.insert(own.begin(), own.end());
    for (std::size_t i = 1; i < plan.faults.size(); ++i) {
      together |= plan.faults[i].at < plan.faults[i - 1].at + plan.faults[i - 1].length;
    }
  }
  EXPECT_EQ(met.size(), fault_kinds_count);
  EXPECT_LT(most, fault_kinds_count);
  EXPECT_TRUE(together);
}

TEST(FaultPlan, only_enabled_kinds_are_drawn_and_without_symbols_none_that_needs_one) {
  DrawOptions options;
  options.kinds = {FaultKind::cut, FaultKind::halt_symbol, FaultKind::mute_stream};
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    for (const Fault& fault : draw_plan(seed, options).faults) EXPECT_EQ(fault.kind, FaultKind::cut);
  }
}

TEST(FaultPlan, at_most_one_line_leaves_one_connection_of_each_route_healthy) {
  DrawOptions options = options_of(2);
  std::size_t faults = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::array<Duration, 5> healthy_from{};
    for (const Fault& fault : draw_plan(seed, options).faults) {
      if (info_of(fault.kind).scope != FaultKindInfo::Scope::connections) continue;
      const auto route = fault.target.route;
      if (route == FaultRoute::order_api) continue;
      ASSERT_NE(route, FaultRoute::any) << text(fault);
      if (fault.kind != FaultKind::refuse) {
        EXPECT_NE(fault.target.which, FaultTarget::Which::all) << text(fault);
      }
      auto& healthy = healthy_from[static_cast<std::size_t>(route)];
      EXPECT_GE(fault.at, healthy) << "seed " << seed << ": " << text(fault);
      healthy = fault.at + fault.length + options.apart;
      ++faults;
    }
  }
  EXPECT_GT(faults, 300U);
}

}  // namespace
}  // namespace phoenix::exchange
