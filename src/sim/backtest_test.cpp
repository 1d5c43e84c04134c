#include "sim/backtest.hpp"

#include "base/rng.hpp"
#include "quote/strategy.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::sim {
namespace {

using model::Level;
using model::Money;
using model::Price;
using model::Qty;
using model::Rate;
using model::Side;

const base::VenueTime start = base::venue_time_ms(1'795'000'000'000);

/// Wants one bid and one ask, always at the same prices.
class Fixed final : public quote::Strategy {
 public:
  Fixed(Price bid, Price ask, Qty qty) : bid_(bid), ask_(ask), qty_(qty) {}
  void quote(const quote::QuoteInput&, quote::Decision& out) override {
    out.clear();
    out.quotes.push_back({.side = Side::bid, .price = bid_, .qty = qty_});
    out.quotes.push_back({.side = Side::ask, .price = ask_, .qty = qty_});
  }

 private:
  Price bid_, ask_;
  Qty qty_;
};

BacktestOptions options() {
  BacktestOptions made;
  made.symbols = exchange::default_symbols();
  std::erase_if(made.symbols, [](const auto& spec) { return spec.name != "BTCUSDT"; });
  made.symbols[0].source = exchange::MarketSource::external;
  made.symbols[0].initial_price = Price::of("60000");
  made.start = start;
  made.engine.lines = 1;
  made.engine.total_notional_max = Money::of("100000");
  engine::SymbolOptions symbol;
  symbol.name = "BTCUSDT";
  symbol.grid.net_max = symbol.limits.net_max = Qty::of("0.1");
  symbol.grid.layer_size = Qty::of("0.01");
  made.engine.symbols = {symbol};
  made.engine.make_strategy = [](const engine::SymbolOptions&) {
    return std::make_unique<Fixed>(Price::of("59990"), Price::of("60010"), Qty::of("0.01"));
  };
  return made;
}

/// A market that stands still, and speaks ten times a second.
class Market {
 public:
  explicit Market(BacktestOptions given) : backtest(std::move(given)) {
    bids = {{Price::of("59990"), Qty::of("5")}, {Price::of("59980"), Qty::of("5")}};
    asks = {{Price::of("60010"), Qty::of("5")}, {Price::of("60020"), Qty::of("5")}};
    whole();
  }
  void whole() {
    MarketEvent event{.at = now, .kind = MarketEvent::Kind::whole};
    event.bids = bids;
    event.asks = asks;
    backtest.apply(event);
  }
  void change(Side side, const char* price, const char* qty) {
    const std::vector<Level> levels{{Price::of(price), Qty::of(qty)}};
    MarketEvent event{.at = now};
    (side == Side::bid ? event.bids : event.asks) = levels;
    backtest.apply(event);
  }
  void trade(Side aggressor, const char* price, const char* qty) {
    MarketEvent event{
        .at = now, .kind = MarketEvent::Kind::trade, .price = Price::of(price), .qty = Qty::of(qty)};
    event.aggressor = aggressor;
    backtest.apply(event);
  }
  void mark(const char* price, const char* rate) {
    MarketEvent event{.at = now, .kind = MarketEvent::Kind::mark, .price = Price::of(price)};
    event.index = Price::of(price);
    event.funding_rate = Rate::of(rate);
    backtest.apply(event);
  }
  void wait(base::Duration duration) {
    for (const base::VenueTime until = now + duration; now < until;) {
      now += base::milliseconds{100};
      flip = !flip;
      change(Side::bid, "59980", flip ? "5" : "6");
    }
  }

  Backtest backtest;
  base::VenueTime now = start;
  std::vector<Level> bids, asks;
  bool flip = false;
};

TEST(Backtest, quotes_rest_and_wait_for_what_stands_before_them) {
  Market market{options()};
  market.wait(base::seconds{5});
  market.trade(Side::ask, "59990", "4.9");
  market.wait(base::seconds{1});
  auto result_before = market.backtest.exchange().core().ledger(exchange::AccountId{1});
  EXPECT_EQ(result_before.symbols[0].fills, 0);
  ASSERT_EQ(result_before.symbols[0].open_orders.size(), 2U);
  market.trade(Side::ask, "59990", "0.104");
  market.wait(base::seconds{1});
  const auto result = market.backtest.finish();
  const auto& figures = result.figures.symbols[0];
  ASSERT_EQ(figures.fills, 1U);
  EXPECT_EQ(figures.kept_fills[0].price, Price::of("59990"));
  EXPECT_EQ(figures.kept_fills[0].qty, Qty::of("0.004"));
  EXPECT_EQ(figures.kept_fills[0].mid, Price::of("60000"));
  EXPECT_TRUE(figures.kept_fills[0].queued);
  EXPECT_EQ(figures.position, Qty::of("0.004"));
}

TEST(Backtest, profit_is_split_to_the_digit) {
  auto given = options();
  given.funding_interval = base::minutes{1};
  Market market{given};
  market.mark("60100", "0.0001");
  market.wait(base::seconds{5});
  market.trade(Side::ask, "59990", "5.01");  // all before us, and us
  market.wait(base::seconds{60});
  const auto result = market.backtest.finish();
  const auto& profit = result.figures.symbols[0].profit;
  EXPECT_EQ(profit.spread, Money::of("0.1"));  // 0.01 bought 10 below the mid
  EXPECT_EQ(profit.fees, Money::of("0.11998"));
  EXPECT_EQ(profit.funding, Money::of("-0.0601"));
  const auto ledger = market.backtest.exchange().core().ledger(exchange::AccountId{1});
  EXPECT_EQ(profit.fees, ledger.symbols[0].fees);
  EXPECT_EQ(profit.funding, ledger.symbols[0].funding);
  const auto& position = ledger.symbols[0].position;
  const Money traded = position.realized + position.unrealized(*result.figures.symbols[0].mid);
  EXPECT_EQ(profit.spread + profit.inventory, traded);
}

TEST(Backtest, presence_and_markout_are_told) {
  Market market{options()};
  market.wait(base::seconds{10});
  market.trade(Side::ask, "59990", "5.01");
  market.change(Side::bid, "59990", "0");
  market.change(Side::ask, "60000", "3");  // the mid falls from 60000
  market.wait(base::seconds{40});
  const auto result = market.backtest.finish();
  const auto& figures = result.figures.symbols[0];
  ASSERT_EQ(figures.fills, 1U);
  for (const auto& moved : figures.kept_fills[0].markout) {
    ASSERT_TRUE(moved);
    EXPECT_LT(*moved, Price{});
  }
  EXPECT_GT(figures.at_touch[0], base::seconds{8});
  EXPECT_GT(figures.observed, base::seconds{49});
}

TEST(Backtest, latency_delays_what_we_see_and_what_we_do) {
  for (const auto latency : {base::milliseconds{1}, base::milliseconds{300}}) {
    auto given = options();
    given.order_latency = latency;
    Market market{given};
    market.wait(base::seconds{20});
    const auto result = market.backtest.finish();
    ASSERT_FALSE(result.figures.symbols[0].points.empty());
    const auto first = std::ranges::find_if(result.figures.symbols[0].points,
                                            [](const auto& p) { return p.own_bid.has_value(); });
    ASSERT_NE(first, result.figures.symbols[0].points.end());
    if (latency > base::milliseconds{100}) {
      EXPECT_GE(first->at - start, base::seconds{2});
    } else {
      EXPECT_LE(first->at - start, base::seconds{2});
    }
  }
}

TEST(Backtest, equal_inputs_give_equal_figures) {
  const auto run = [] {
    Market market{options()};
    base::Rng rng{7};
    for (int i = 0; i < 300; ++i) {
      market.wait(base::milliseconds{100});
      const auto side = rng.between(0, 1) == 0 ? Side::bid : Side::ask;
      const Qty qty = Qty::from_raw(rng.between(1, 400'000'000));
      market.trade(side, side == Side::bid ? "60010" : "59990", qty.text().c_str());
      if (rng.between(0, 3) == 0) market.whole();
    }
    return market.backtest.finish();
  };
  const auto a = run(), b = run();
  EXPECT_GT(a.figures.symbols[0].fills, 3U);
  EXPECT_EQ(a.figures.symbols[0].fills, b.figures.symbols[0].fills);
  EXPECT_EQ(a.figures.profit.net(), b.figures.profit.net());
  EXPECT_EQ(a.engine_steps, b.engine_steps);
  EXPECT_EQ(a.status.symbols[0].quotes_hash, b.status.symbols[0].quotes_hash);
}

TEST(Backtest, leaves_no_order_behind) {
  Market market{options()};
  market.wait(base::seconds{5});
  ASSERT_FALSE(market.backtest.exchange().core().open_orders(exchange::AccountId{1}).empty());
  const auto result = market.backtest.finish();
  EXPECT_TRUE(market.backtest.exchange().core().open_orders(exchange::AccountId{1}).empty());
  EXPECT_TRUE(result.status.finished);
}

}  // namespace
}  // namespace phoenix::sim
