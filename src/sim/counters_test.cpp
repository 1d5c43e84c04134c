#include "sim/world.hpp"

#include <algorithm>
#include <numeric>
#include <string_view>

#include <gtest/gtest.h>

namespace phoenix::sim {
namespace {

using base::seconds;
using engine::ConnectionId;

WorldOptions one_symbol() {
  WorldOptions options;
  options.seed = 21;
  std::erase_if(options.exchange.core.symbols, [](const auto& s) { return s.name != "ETHUSDC"; });
  engine::SymbolOptions s;
  s.name = "ETHUSDC";
  s.grid.net_max = model::Qty::of("0.26");
  s.grid.layer_size = model::Qty::of("0.0085");
  s.grid.layers = 7;
  s.grid.start = {quote::DistanceUnit::bps, 1};
  s.grid.first_spacing = {quote::DistanceUnit::bps, 1};
  s.grid.max_spacing = {quote::DistanceUnit::bps, 40};
  s.grid.min_spread = 0.0001;
  s.limits.net_max = s.grid.net_max;
  options.engine.symbols = {s};
  return options;
}

ops::Status status_of(World& world) {
  ops::Status status;
  world.engine().fill_status(status, world.now());
  return status;
}

const ops::RequestStatus& request(const ops::Status& status, std::string_view endpoint) {
  static const ops::RequestStatus none{};
  const auto it = std::find_if(status.requests.begin(), status.requests.end(),
                               [&](const auto& r) { return r.endpoint == endpoint; });
  return it == status.requests.end() ? none : *it;
}

std::uint64_t count(const auto& counts, std::string_view name) {
  const auto it = std::find_if(counts.begin(), counts.end(), [&](const auto& c) { return c.name == name; });
  return it == counts.end() ? 0 : it->count;
}

TEST(Counters, every_order_that_was_sent_is_answered_refused_lost_or_on_its_way) {
  World world{one_symbol()};
  world.run_for(seconds{120});
  const auto status = status_of(world);
  const auto& place = request(status, "place");
  const auto& symbol = status.symbols[0];
  const auto told = place.accepted.count() + place.refused.count() + place.lost;
  ASSERT_GT(place.accepted.count(), 10U);
  EXPECT_LE(told, symbol.places);
  EXPECT_GE(told + 14, symbol.places) << "at most a ladder is on its way";
  const auto& timings = status.timings[0];
  EXPECT_EQ(timings.bid_placing.count() + timings.ask_placing.count(), place.accepted.count());
  EXPECT_GT(timings.bid_placing.count(), 0U);
  EXPECT_GT(timings.ask_placing.count(), 0U);
  EXPECT_GT(timings.ask_placing.sum(), base::Duration{}) << "the network takes its time";

  std::uint64_t would_take = 0;
  for (const auto& r : status.refusals) would_take += r.code == -5022 ? r.count : 0;
  EXPECT_EQ(would_take, symbol.post_only_rejects);
}

TEST(Counters, the_weight_of_all_kinds_is_at_least_what_this_minute_used) {
  World world{one_symbol()};
  world.run_for(seconds{100});
  const auto status = status_of(world);
  const auto weight = std::accumulate(status.requests.begin(), status.requests.end(), std::uint64_t{0},
                                      [](auto sum, const auto& r) { return sum + r.weight; });
  ASSERT_GT(status.weight_used, 0U);
  EXPECT_GE(weight, status.weight_used);
  EXPECT_GE(request(status, "countdown").weight, 10U);
  EXPECT_EQ(request(status, "countdown").weight % 10, 0U);
}

TEST(Counters, each_stream_counts_its_own_messages_over_every_connection_it_had) {
  World world{one_symbol()};
  world.run_for(seconds{30});
  const auto before = status_of(world);
  world.cut(ConnectionId::public_a);
  world.run_for(seconds{30});
  const auto after = status_of(world);
  std::uint64_t messages = 0;
  for (const auto& s : after.streams) {
    messages += s.messages;
    EXPECT_EQ(s.messages > 0, s.payload_bytes > 0);
    if (s.role == "depth") {
      EXPECT_GT(s.messages, 0U) << s.connection;
    }
    for (const auto& earlier : before.streams) {
      if (earlier.role != s.role || earlier.connection != s.connection) continue;
      EXPECT_GE(s.messages, earlier.messages) << s.role << " " << s.connection;
      EXPECT_GE(s.payload_bytes, earlier.payload_bytes);
    }
  }
  EXPECT_GT(messages, 0U);
  EXPECT_LE(messages, after.frames);
}

TEST(Counters, a_connection_that_is_cut_ends_once_and_is_named_lost) {
  World world{one_symbol()};
  world.run_for(seconds{20});
  const auto before = status_of(world);
  EXPECT_EQ(count(before.connection_ends, "lost"), 0U);
  world.cut(ConnectionId::public_a);
  world.run_for(seconds{5});
  const auto after = status_of(world);
  EXPECT_EQ(count(after.connection_ends, "lost"), 1U);
  EXPECT_EQ(count(after.connection_ends, "stalled"), count(before.connection_ends, "stalled"));
}

TEST(Counters, what_is_wanted_goes_to_none_under_a_hold_and_the_largest_drawdown_stays) {
  World world{one_symbol()};
  world.run_for(seconds{60});
  const auto before = status_of(world);
  ASSERT_EQ(before.symbols[0].state, ops::SymbolState::live);
  EXPECT_GT(before.symbols[0].wanted_bids + before.symbols[0].wanted_asks, 7U);
  EXPECT_GE(before.symbols[0].drawdown_max, before.symbols[0].drawdown);
  ASSERT_TRUE(before.symbols[0].last_snapshot_time);
  EXPECT_GT(before.timings[0].data_delay.count(), 0U);
  EXPECT_LE(before.timings[0].data_delay.count(), before.symbols[0].depth_frames);

  world.drop_frames(ConnectionId::public_a, 1'000'000);
  world.drop_frames(ConnectionId::public_b, 1'000'000);
  world.run_for(seconds{5});
  const auto after = status_of(world);
  ASSERT_NE(after.symbols[0].state, ops::SymbolState::live);
  EXPECT_EQ(after.symbols[0].wanted_bids + after.symbols[0].wanted_asks, 0U);
  EXPECT_GE(after.symbols[0].drawdown_max, before.symbols[0].drawdown_max);
}

}  // namespace
}  // namespace phoenix::sim
