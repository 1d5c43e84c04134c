#include "order/ledger.hpp"

#include "base/rng.hpp"

#include <gtest/gtest.h>

namespace phoenix::order {
namespace {

using model::Money;
using model::Price;
using model::Qty;
using model::Side;

constexpr model::SymbolId eth{3};

Fill fill(std::int64_t trade_id, Side side, const char* price, const char* qty, const char* pnl = "0",
          const char* commission = "0", const char* asset = "USDT") {
  return {.symbol = eth,
          .trade_id = trade_id,
          .order_id = 1,
          .id = std::nullopt,
          .side = side,
          .price = Price::of(price),
          .qty = Qty::of(qty),
          .maker = true,
          .money = FillMoney{Money::of(pnl), Money::of(commission), model::Asset{asset}},
          .time = base::venue_time_ms(1000 + trade_id)};
}

TEST(Ledger, keeps_position_entry_and_results_exactly) {
  Ledger ledger;
  ledger.apply(fill(1, Side::bid, "100", "2", "0", "0.04"));
  ledger.apply(fill(2, Side::bid, "103", "1", "0", "0.0206"));
  const Account& a = ledger.account(eth);
  EXPECT_EQ(a.position, Qty::of("3"));
  EXPECT_EQ(a.entry_price, Price::of("101"));
  ledger.apply(fill(3, Side::ask, "110", "1", "9", "0.022"));
  EXPECT_EQ(a.position, Qty::of("2"));
  EXPECT_EQ(a.entry_price, Price::of("101")) << "closing a part leaves the entry";
  ledger.apply(fill(4, Side::ask, "90", "5", "-22", "0.09"));
  EXPECT_EQ(a.position, Qty::of("-3"));
  EXPECT_EQ(a.entry_price, Price::of("90")) << "the flipped part entered at its own price";
  ledger.apply(fill(5, Side::bid, "80", "3", "30", "-0.01"));
  EXPECT_EQ(a.position, Qty{});
  EXPECT_FALSE(a.entry_price);
  EXPECT_EQ(a.realized_pnl, Money::of("17"));
  EXPECT_EQ(a.volume, Money::of("1103"));
  EXPECT_EQ(a.bought_qty, Qty::of("6"));
  EXPECT_EQ(a.sold_qty, Qty::of("6"));
  EXPECT_EQ(a.fills_count, 5U);
  ASSERT_EQ(a.commissions.size(), 1U);
  EXPECT_EQ(a.commissions[0].amount, Money::of("0.1626"));
}

TEST(Ledger, counts_each_trade_once) {
  Ledger ledger;
  ledger.apply(fill(7, Side::bid, "100", "2", "1", "0.04"));
  ledger.apply(fill(7, Side::bid, "100", "2", "1", "0.04"));
  EXPECT_EQ(ledger.account(eth).position, Qty::of("2"));
  EXPECT_EQ(ledger.account(eth).realized_pnl, Money::of("1"));
  EXPECT_EQ(ledger.account(eth).fills_count, 1U);
}

TEST(Ledger, adds_the_money_of_a_hint_when_it_comes) {
  Ledger ledger;
  Fill hint = fill(7, Side::ask, "100", "2");
  hint.money.reset();
  ledger.apply(hint);
  EXPECT_EQ(ledger.account(eth).position, Qty::of("-2"));
  const FillDetails details{
      .symbol = eth, .trade_id = 7, .money = {Money::of("5"), Money::of("0.1"), model::Asset{"BNB"}}};
  ledger.apply(details);
  ledger.apply(details);
  EXPECT_EQ(ledger.account(eth).position, Qty::of("-2"));
  EXPECT_EQ(ledger.account(eth).realized_pnl, Money::of("5"));
  EXPECT_EQ(ledger.account(eth).commissions[0].amount, Money::of("0.1"));
}

TEST(Ledger, keeps_commissions_per_asset) {
  Ledger ledger;
  ledger.apply(fill(1, Side::bid, "100", "1", "0", "0.02", "USDT"));
  ledger.apply(fill(2, Side::bid, "100", "1", "0", "0.0001", "BNB"));
  ledger.apply(fill(3, Side::bid, "100", "1", "0", "0.02", "USDT"));
  const Account& a = ledger.account(eth);
  ASSERT_EQ(a.commissions.size(), 2U);
  EXPECT_EQ(a.commissions[0].amount, Money::of("0.04"));
  EXPECT_EQ(a.commissions[1].amount, Money::of("0.0001"));
  for (int i = 0; i < 10; ++i) {
    ledger.apply(fill(10 + i, Side::bid, "1", "1", "0", "1", ("A" + std::to_string(i)).c_str()));
  }
  EXPECT_EQ(a.commissions.size(), commission_assets_max);
  EXPECT_EQ(ledger.commissions_unsummed(), 4U);
}

TEST(Ledger, a_stated_position_holds_what_happened_before_it) {
  Ledger ledger;
  ledger.set_position({.symbol = eth,
                       .qty = Qty::of("-2"),
                       .entry_price = Price::of("50"),
                       .mark_price = {},
                       .unrealized_pnl = {},
                       .update_time = base::venue_time_ms(1005)});
  EXPECT_EQ(ledger.account(eth).entry_price, Price::of("50"));
  ledger.apply(fill(5, Side::bid, "100", "1", "3"));  // at 1005
  EXPECT_EQ(ledger.account(eth).position, Qty::of("-2")) << "it is in the stated position";
  EXPECT_EQ(ledger.account(eth).realized_pnl, Money::of("3")) << "its result is not";
  ledger.apply(fill(6, Side::bid, "100", "1"));
  EXPECT_EQ(ledger.account(eth).position, Qty::of("-1"));
}

TEST(Ledger, d05_says_where_the_venue_differs) {
  Ledger ledger;
  ledger.apply(fill(1, Side::bid, "100", "2"));
  EXPECT_FALSE(ledger.compare(
      {.symbol = eth, .qty = Qty::of("2"), .entry_price = {}, .mark_price = {}, .unrealized_pnl = {}}));
  const auto mismatch =
      ledger.compare({.symbol = eth, .qty = {}, .entry_price = {}, .mark_price = {}, .unrealized_pnl = {}});
  ASSERT_TRUE(mismatch);
  EXPECT_EQ(mismatch->ours, Qty::of("2"));
  EXPECT_EQ(mismatch->venue, Qty{});
}

TEST(SeenTrades, remembers_out_of_order_ids_and_forgets_the_oldest_only) {
  SeenTrades seen;
  const TradeParts both{.quantity = true, .money = true}, none{};
  base::Rng rng{5};
  std::vector<std::int64_t> ids;
  for (std::int64_t id = 1; id <= 5000; ++id) ids.push_back(id * 3);
  // Shuffled within blocks of 64: as two connections deliver.
  for (std::size_t block = 0; block + 64 <= ids.size(); block += 64) {
    for (std::size_t i = 63; i > 0; --i) std::swap(ids[block + i], ids[block + rng.below(i + 1)]);
  }
  for (const std::int64_t id : ids) EXPECT_EQ(seen.note(id, both), both) << id;
  for (std::size_t i = ids.size() - SeenTrades::kept_max + 64; i < ids.size(); ++i)
    EXPECT_EQ(seen.note(ids[i], both), none);
  EXPECT_EQ(seen.too_old(), 0U);
  EXPECT_EQ(seen.note(3, both), none);
  EXPECT_EQ(seen.too_old(), 1U);
}

}  // namespace
}  // namespace phoenix::order
