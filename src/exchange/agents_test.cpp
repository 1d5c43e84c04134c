#include "exchange/agents.hpp"

#include "exchange/core_test_kit.hpp"

#include <cstdint>

#include <gtest/gtest.h>

namespace phoenix::exchange::test {
namespace {

CoreOptions market_options(std::uint64_t seed) {
  CoreOptions options;
  options.seed = seed;
  options.start = start_time;
  options.accounts = {{.api_key = "alice", .api_secret = "s"}};
  return options;
}

std::uint64_t fingerprint(std::uint64_t seed, base::Duration step, base::Duration span) {
  Core core{market_options(seed)};
  Fingerprint print;
  CoreEvents events;
  for (base::Duration t{}; t < span; t += step) {
    events.clear();
    core.advance(start_time + t + step, events);
    print.add(events);
  }
  return print.value();
}

TEST(Exponential, has_mean_one_and_the_right_tail) {
  base::Rng rng{3};
  constexpr int draws = 200'000;
  std::uint64_t sum = 0;
  int beyond_two = 0;
  for (int i = 0; i < draws; ++i) {
    const std::uint64_t x = exponential_q32(rng);
    sum += x >> 16;
    if (x > (std::uint64_t{2} << 32)) ++beyond_two;
  }
  // Mean 65536 in this unit, standard error 147; P(x > 2) = 0.1353, 27067 expected, standard deviation 153.
  EXPECT_NEAR(static_cast<double>(sum) / draws, 65'536, 600);
  EXPECT_NEAR(beyond_two, 27'067, 700);
}

TEST(Market, equal_seeds_give_equal_events_and_other_seeds_do_not) {
  const auto first = fingerprint(42, base::milliseconds{100}, base::seconds{20});
  EXPECT_EQ(first, fingerprint(42, base::milliseconds{100}, base::seconds{20}));
  EXPECT_NE(first, fingerprint(43, base::milliseconds{100}, base::seconds{20}));
}

TEST(Market, does_not_depend_on_how_often_it_is_asked) {
  EXPECT_EQ(fingerprint(42, base::milliseconds{1}, base::seconds{5}),
            fingerprint(42, base::seconds{5}, base::seconds{5}));
}

/// The same on every compiler and build type. A change of the market's behaviour changes it, knowingly.
TEST(Market, the_events_of_seed_1_are_pinned) {
  EXPECT_EQ(fingerprint(1, base::milliseconds{100}, base::seconds{30}), 13401267776847367769ULL);
}

TEST(Market, books_are_deep_tight_and_two_sided) {
  Core core{market_options(5)};
  CoreEvents events;
  std::int64_t tops = 0, tight = 0;
  for (int second = 1; second <= 40; ++second) {
    events.clear();
    core.advance(start_time + base::seconds{second}, events);
    for (const CoreEvent& event : events) {
      const auto* top = std::get_if<TopChange>(&event);
      if (top == nullptr) continue;
      ASSERT_TRUE(top->bid.qty.is_positive() && top->ask.qty.is_positive());
      const Price spread = top->ask.price - top->bid.price;
      ++tops;
      if (spread <= core.spec(top->symbol).filters.tick_size * 3) ++tight;
    }
    for (std::uint16_t i = 0; i < core.symbol_count(); ++i) {
      const DepthView depth = core.depth(SymbolId{i}, 1'000);
      ASSERT_GE(depth.bids.size(), 20u);
      ASSERT_GE(depth.asks.size(), 20u);
    }
  }
  EXPECT_GT(tops, 5'000);
  EXPECT_GT(tight * 100, tops * 90);
}

TEST(Market, quantities_and_prices_keep_the_grid) {
  Core core{market_options(6)};
  CoreEvents events;
  core.advance(start_time + base::seconds{20}, events);
  for (const CoreEvent& event : events) {
    const auto* trade = std::get_if<TradePrint>(&event);
    if (trade == nullptr) continue;
    const Filters& f = core.spec(trade->symbol).filters;
    ASSERT_EQ(trade->price.raw() % f.tick_size.raw(), 0);
    ASSERT_EQ(trade->qty.raw() % f.step_size.raw(), 0);
  }
}

TEST(Market, fills_a_quote_at_the_touch) {
  World w{market_options(7)};
  const TopChange top = w.core.top(symbol);
  w.place(alice, {.symbol = symbol, .side = Side::bid, .qty = Qty::of("0.01"), .price = top.bid.price})
      .value();
  w.place(alice, {.symbol = symbol, .side = Side::ask, .qty = Qty::of("0.01"), .price = top.ask.price})
      .value();
  for (int i = 0; i < 600 && w.core.open_orders(alice).size() > 1; ++i) w.advance(base::seconds{1});
  EXPECT_LE(w.core.open_orders(alice).size(), 1u);
  EXPECT_EQ(w.core.position(alice, symbol).qty + w.core.market_position(symbol).qty, Qty{});
}

TEST(Market, a_crash_is_busier_and_moves_further_than_calm) {
  const auto run = [](Regime regime) {
    CoreOptions options = market_options(8);
    options.symbols.resize(1);
    for (SymbolSpec& spec : options.symbols) {
      spec.regime = regime;
      spec.regime_fixed = true;
    }
    Core core{options};
    CoreEvents events;
    const Price before = core.mark(symbol).index;
    core.advance(start_time + base::seconds{60}, events);
    return std::pair{core.stats().agent_actions, (core.mark(symbol).index - before).abs()};
  };
  const auto calm = run(Regime::calm);
  const auto crash = run(Regime::crash);
  EXPECT_GT(crash.first, calm.first * 10);
  EXPECT_GT(crash.second, calm.second * 10);
}

TEST(Market, regimes_change_at_random) {
  CoreOptions options = market_options(9);
  options.symbols.resize(1);
  options.symbols[0].activity = 10;
  Core core{options};
  CoreEvents events;
  int changes = 0;
  Regime last = core.regime(symbol);
  for (int minute = 1; minute <= 300; ++minute) {
    events.clear();
    core.advance(start_time + base::minutes{minute}, events);
    if (core.regime(symbol) != last) ++changes;
    last = core.regime(symbol);
  }
  EXPECT_GT(changes, 5);
}

}  // namespace
}  // namespace phoenix::exchange::test
