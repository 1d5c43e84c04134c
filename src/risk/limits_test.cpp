#include "risk/limits.hpp"

#include "base/rng.hpp"

#include <gtest/gtest.h>

namespace phoenix::risk {
namespace {

using model::Money;
using model::Price;
using model::Qty;
using model::Rate;
using model::Side;

constexpr model::SymbolId eth{0}, btc{1};

model::Instrument instrument(model::SymbolId id = eth) {
  model::Instrument i;
  i.symbol = id;
  i.status = model::SymbolStatus::trading;
  i.tick_size = Price::of("0.01");
  i.price_min = Price::of("0.01");
  i.step_size = Qty::of("0.001");
  i.qty_min = Qty::of("0.001");
  i.notional_min = Money::of("3");
  return i;
}

model::TopOfBook top() {
  return {.bid = {Price::of("2999.99"), Qty::of("1")},
          .ask = {Price::of("3000.01"), Qty::of("1")},
          .update_id = 1};
}

model::Quotes ladder(int bids, int asks, const char* size) {
  model::Quotes quotes;
  for (int n = 0; n < bids; ++n) {
    quotes.push_back({.side = Side::bid,
                      .layer = static_cast<std::uint16_t>(n),
                      .price = Price::of("2998") - Price::of("1") * n,
                      .qty = Qty::of(size)});
  }
  for (int n = 0; n < asks; ++n) {
    quotes.push_back({.side = Side::ask,
                      .layer = static_cast<std::uint16_t>(n),
                      .price = Price::of("3002") + Price::of("1") * n,
                      .qty = Qty::of(size)});
  }
  return quotes;
}

Qty sum(const model::Quotes& quotes, Side side) {
  Qty total;
  for (const auto& quote : quotes) {
    if (quote.side == side) total += quote.qty;
  }
  return total;
}

Limits limits(const char* net_max, const char* position, const char* ratio = "0.5", const char* cap = "0") {
  Limits l{Money::of(cap)};
  SymbolLimits s;
  s.net_max = Qty::of(net_max);
  s.worst_case_ratio = Rate::of(ratio);
  l.set_symbol(instrument(), s);
  l.observe(eth, {.position = Qty::of(position), .working = {}, .price = Price::of("3000")});
  return l;
}

TEST(BatchWorstCase, a_side_within_the_limit_passes) {
  Limits l = limits("0.15", "0");
  auto quotes = ladder(12, 12, "0.006");
  l.cut(eth, top(), {}, quotes);
  EXPECT_EQ(quotes.size(), 24U);
  EXPECT_EQ(l.count(Cut::worst_case), 0U);
}

TEST(BatchWorstCase, a_side_beyond_the_limit_is_cut_from_the_outside) {
  Limits l = limits("0.15", "0");
  auto quotes = ladder(24, 24, "0.010");
  l.cut(eth, top(), {}, quotes);
  EXPECT_EQ(sum(quotes, Side::bid), Qty::of("0.075"));
  EXPECT_EQ(sum(quotes, Side::ask), Qty::of("0.075"));
  ASSERT_EQ(quotes.size(), 16U);
  EXPECT_EQ(quotes[6].qty, Qty::of("0.010"));
  EXPECT_EQ(quotes[7].qty, Qty::of("0.005")) << "the last one is partial";
  EXPECT_EQ(l.count(Cut::worst_case), 34U) << "one trimmed and sixteen dropped on each side";
}

TEST(BatchWorstCase, exactly_the_limit_passes) {
  Limits l = limits("0.15", "0");
  auto quotes = ladder(15, 15, "0.005");
  l.cut(eth, top(), {}, quotes);
  EXPECT_EQ(quotes.size(), 30U);
}

TEST(BatchWorstCase, a_position_leaves_less_to_add_and_more_to_reduce) {
  const Limits l = limits("0.15", "0.06");
  EXPECT_EQ(l.room(eth), (model::SideQty{.bid = Qty::of("0.015"), .ask = Qty::of("0.135")}));
}

TEST(BatchWorstCase, the_specification_preset_passes_whole) {
  Limits l = limits("0.30", "0.021");
  auto quotes = ladder(17, 18, "0.007");
  l.cut(eth, top(), {}, quotes);
  EXPECT_EQ(quotes.size(), 35U);
}

TEST(BatchWorstCase, seven_layers_a_side_fit_with_the_defaults) {
  Limits l = limits("0.26", "0");
  auto quotes = ladder(7, 7, "0.008");
  l.cut(eth, top(), {}, quotes);
  EXPECT_EQ(quotes.size(), 14U);
}

TEST(BatchWorstCase, i06_a_position_far_over_the_limit_may_still_be_closed_whole) {
  Limits l = limits("0.15", "0.428");
  EXPECT_EQ(l.room(eth), (model::SideQty{.bid = Qty{}, .ask = Qty::of("0.503")}));
  auto quotes = ladder(7, 7, "0.060");
  l.cut(eth, top(), {}, quotes);
  EXPECT_EQ(sum(quotes, Side::bid), Qty{});
  EXPECT_EQ(sum(quotes, Side::ask), Qty::of("0.420"));
}

TEST(BatchWorstCase, a_rest_too_small_to_open_still_closes) {
  // 0.0015 of room beyond 0.010 to close: the last quote would be worth less than the minimum notional.
  Limits l = limits("0.0001", "0.011");
  auto quotes = ladder(0, 2, "0.010");
  l.cut(eth, top(), {}, quotes);
  ASSERT_EQ(quotes.size(), 2U);
  EXPECT_EQ(quotes[1].qty, Qty::of("0.001"));
  EXPECT_EQ(quotes[1].intent, model::Intent::open) << "3 of notional is enough here";
  model::Instrument strict = instrument();
  strict.notional_min = Money::of("20");
  SymbolLimits s;
  s.net_max = Qty::of("0.0001");
  l.set_symbol(strict, s);
  quotes = ladder(0, 2, "0.010");
  l.cut(eth, top(), {}, quotes);
  ASSERT_EQ(quotes.size(), 2U);
  EXPECT_EQ(quotes[1].qty, Qty::of("0.001"));
  EXPECT_EQ(quotes[1].intent, model::Intent::reduce_only);
}

TEST(BatchWorstCase, holds_for_random_positions_limits_and_ladders) {
  base::Rng rng{11};
  const Qty step = Qty::of("0.001");
  for (int round = 0; round < 20'000; ++round) {
    model::Instrument i = instrument();
    i.notional_min = Money::of("20");
    SymbolLimits s;
    s.net_max = step * rng.between(1, 500);
    s.worst_case_ratio = Rate::from_raw(rng.between(1, 100'000'000));
    Limits l{Money{}};
    l.set_symbol(i, s);
    const Qty position =
        step * rng.between(-3 * s.net_max.raw() / step.raw(), 3 * s.net_max.raw() / step.raw());
    l.observe(eth, {.position = position, .working = {}, .price = Price::of("3000")});
    const int layers = static_cast<int>(rng.between(1, 18));
    const Qty size = step * rng.between(8, 30);
    auto quotes = ladder(layers, layers, size.text().c_str());
    l.cut(eth, top(), {}, quotes);
    const Qty bids = sum(quotes, Side::bid), asks = sum(quotes, Side::ask);
    const Qty limit = Qty::from_raw(static_cast<std::int64_t>(static_cast<double>(s.net_max.raw()) *
                                                              s.worst_case_ratio.to_double())) +
                      Qty::from_raw(1);
    const Qty over = std::max(position.abs() - limit, Qty{});
    ASSERT_LE(position + bids, std::max(limit, over + limit)) << "round " << round;
    ASSERT_GE(position - asks, -std::max(limit, over + limit)) << "round " << round;
    // Adding never beyond the limit.
    if (bids.is_positive() && !position.is_negative()) {
      ASSERT_LE(position + bids, limit) << "round " << round;
    }
    if (asks.is_positive() && !position.is_positive()) {
      ASSERT_GE(position - asks, -limit) << "round " << round;
    }
    if (position.is_negative()) {
      ASSERT_LE(position + bids, limit) << "round " << round;
    }
    if (position.is_positive()) {
      ASSERT_GE(position - asks, -limit) << "round " << round;
    }
    // The reducing side is never below what closes, or the whole ladder.
    const Qty reducing = position.is_positive() ? asks : bids;
    if (!position.is_zero()) {
      ASSERT_GE(reducing, std::min(position.abs(), size * layers)) << "round " << round;
    }
    for (const auto& quote : quotes) {
      ASSERT_FALSE(model::check_order(i, quote.price, quote.qty, quote.intent)) << "round " << round;
    }
  }
}

TEST(TotalNotional, counts_what_works_on_the_other_symbols) {
  Limits l{Money::of("1000")};
  SymbolLimits s;
  s.net_max = Qty::of("10");
  l.set_symbol(instrument(eth), s);
  l.set_symbol(instrument(btc), s);
  l.observe(eth, {.position = {}, .working = {}, .price = Price::of("3000")});
  l.observe(btc, {.position = Qty::of("-0.1"),
                  .working = {.bid = Qty::of("0.05"), .ask = Qty::of("0.1")},
                  .price = Price::of("3000")});
  EXPECT_EQ(l.worst_notional(), Money::of("600"));
  auto quotes = ladder(20, 20, "0.010");
  l.cut(eth, top(), {}, quotes);
  EXPECT_EQ(sum(quotes, Side::bid), Qty::of("0.133"));
  EXPECT_EQ(sum(quotes, Side::ask), Qty::of("0.133"));
  EXPECT_GT(l.count(Cut::total_notional), 0U);
  EXPECT_EQ(l.count(Cut::worst_case), 0U);
}

TEST(TotalNotional, used_up_still_lets_a_position_close) {
  Limits l{Money::of("100")};
  SymbolLimits s;
  s.net_max = Qty::of("10");
  l.set_symbol(instrument(eth), s);
  l.set_symbol(instrument(btc), s);
  l.observe(eth, {.position = Qty::of("0.2"), .working = {}, .price = Price::of("3000")});
  l.observe(btc, {.position = Qty::of("1"), .working = {}, .price = Price::of("3000")});
  EXPECT_EQ(l.room(eth), (model::SideQty{.bid = Qty{}, .ask = Qty::of("0.2")}));
}

TEST(TotalNotional, an_unpriced_position_elsewhere_lets_nothing_add) {
  Limits l{Money::of("1000000")};
  SymbolLimits s;
  s.net_max = Qty::of("10");
  l.set_symbol(instrument(eth), s);
  l.set_symbol(instrument(btc), s);
  l.observe(eth, {.position = {}, .working = {}, .price = Price::of("3000")});
  l.observe(btc, {.position = Qty::of("1"), .working = {}, .price = {}});
  EXPECT_EQ(l.room(eth), model::SideQty{});
}

TEST(OrderCheck, names_the_limit_it_breaks) {
  Limits l{Money{}};
  SymbolLimits s;
  s.net_max = Qty::of("10");
  s.order_qty_max = Qty::of("1");
  s.order_notional_max = Money::of("2000");
  model::Instrument i = instrument();
  i.price_up_max = Rate::of("1.05");
  i.price_down_min = Rate::of("0.95");
  l.set_symbol(i, s);
  l.observe(eth, {.position = Qty::of("5"), .working = {}, .price = Price::of("3000")});
  const auto check_of = [&](Side side, const char* price, const char* qty, std::optional<Price> mark) {
    return l.check_order(eth, {.side = side, .price = Price::of(price), .qty = Qty::of(qty)}, top(), mark);
  };
  EXPECT_EQ(check_of(Side::bid, "2990", "0.1", {}), std::nullopt);
  EXPECT_EQ(check_of(Side::bid, "2549.99", "0.1", {}), Cut::price_collar);
  EXPECT_EQ(check_of(Side::bid, "2550", "0.1", {}), std::nullopt);
  EXPECT_EQ(check_of(Side::ask, "3450.01", "0.1", {}), Cut::price_collar);
  EXPECT_EQ(check_of(Side::bid, "2990", "0.1", Price::of("2800")), Cut::mark_band);
  EXPECT_EQ(check_of(Side::ask, "3010", "0.1", Price::of("3200")), Cut::mark_band);
  EXPECT_EQ(check_of(Side::bid, "2990.005", "0.1", {}), Cut::filter);
  EXPECT_EQ(check_of(Side::bid, "2990", "1.001", {}), Cut::order_qty);
  EXPECT_EQ(check_of(Side::bid, "2990", "0.9", {}), Cut::order_notional);
  EXPECT_EQ(check_of(Side::ask, "3010", "5", {}), std::nullopt) << "it only reduces";
  EXPECT_EQ(check_of(Side::ask, "3010", "5.001", {}), Cut::order_qty);
}

TEST(SymbolLimits, out_of_range_are_refused) {
  SymbolLimits s;
  EXPECT_EQ(check(s), LimitsFault::net_max_not_positive);
  s.net_max = Qty::of("1");
  EXPECT_EQ(check(s), std::nullopt);
  s.worst_case_ratio = Rate::of("1.5");
  EXPECT_EQ(check(s), LimitsFault::ratio_out_of_range);
}

}  // namespace
}  // namespace phoenix::risk
