#include "exchange/account.hpp"

#include "base/rng.hpp"

#include <gtest/gtest.h>

namespace phoenix::exchange {
namespace {

Money fill(Position& p, Side side, const char* qty, const char* price) {
  return fill_position(p, side, Qty::of(qty), model::notional(Price::of(price), Qty::of(qty)));
}

TEST(Position, averages_the_entry_price_of_adding_fills) {
  Position p;
  EXPECT_EQ(fill(p, Side::bid, "1", "100"), Money{});
  EXPECT_EQ(fill(p, Side::bid, "3", "104"), Money{});
  EXPECT_EQ(p.qty, Qty::of("4"));
  EXPECT_EQ(p.entry_price(), Price::of("103"));
  EXPECT_EQ(p.unrealized(Price::of("105")), Money::of("8"));
}

TEST(Position, realizes_against_the_average_when_reduced_and_keeps_the_entry) {
  Position p;
  fill(p, Side::bid, "4", "103");
  EXPECT_EQ(fill(p, Side::ask, "1", "110"), Money::of("7"));
  EXPECT_EQ(p.entry_price(), Price::of("103"));
  EXPECT_EQ(fill(p, Side::ask, "3", "100"), Money::of("-9"));
  EXPECT_TRUE(p.qty.is_zero());
  EXPECT_TRUE(p.cost.is_zero());
  EXPECT_EQ(p.entry_price(), Price{});
  EXPECT_EQ(p.realized, Money::of("-2"));
}

TEST(Position, turns_round_and_opens_the_rest_at_the_fill_price) {
  Position p;
  fill(p, Side::ask, "2", "100");
  EXPECT_EQ(fill(p, Side::bid, "5", "90"), Money::of("20"));
  EXPECT_EQ(p.qty, Qty::of("3"));
  EXPECT_EQ(p.entry_price(), Price::of("90"));
}

TEST(Position, loses_no_fraction_of_a_cent_over_awkward_partial_closes) {
  Position p;
  fill(p, Side::bid, "3", "0.00001");
  fill(p, Side::bid, "4", "0.00002");
  for (int i = 0; i < 7; ++i) fill(p, Side::ask, "1", "0.00003");
  EXPECT_EQ(p.realized, Money::of("0.0001"));
  EXPECT_TRUE(p.cost.is_zero());
}

TEST(Position, realized_is_cash_plus_cost_at_any_time) {
  base::Rng rng{7};
  Position p;
  Money cash;
  for (int i = 0; i < 20'000; ++i) {
    const Side side = rng.below(2) == 0 ? Side::bid : Side::ask;
    const Qty qty = Qty::from_raw(rng.between(1, 9'999) * 100'000);
    const Money notional = model::notional(Price::from_raw(rng.between(1, 99'999) * 1'000), qty);
    cash -= notional * model::sign(side);
    fill_position(p, side, qty, notional);
    ASSERT_EQ(p.realized, cash + p.cost);
    ASSERT_TRUE(!p.qty.is_zero() || p.cost.is_zero());
    ASSERT_TRUE(p.cost.is_zero() || p.cost.is_positive() == p.qty.is_positive());
  }
}

class AccountTest : public testing::Test {
 protected:
  Account account{
      AccountId{1}, AccountOptions{.api_key = "k", .api_secret = "s"}, default_symbols(), {2, 4, 4}};

  Order order(std::int64_t id, const char* client) {
    Order o;
    o.id = id;
    o.account = account.id();
    o.client_text = ClientText{client};
    o.price = Price::of("3000");
    o.qty = Qty::of("1");
    return o;
  }
  void finish(std::int64_t id) {
    Account::Entry& entry = account.entry(id);
    entry.order.status = OrderStatus::canceled;
    account.finish(entry);
  }
};

TEST_F(AccountTest, forgets_the_oldest_finished_order_when_its_history_is_full) {
  for (const std::int64_t id : {1, 2, 3}) {
    account.open(order(id, id == 2 ? "b" : "a"));
    finish(id);
  }
  EXPECT_EQ(account.find({.id = 1}), nullptr);
  EXPECT_NE(account.find({.id = 2}), nullptr);
  EXPECT_EQ(account.orders_forgotten(), 1u);
}

TEST_F(AccountTest, finds_the_newest_order_of_a_client_id) {
  account.open(order(1, "a"));
  finish(1);
  account.open(order(2, "a"));
  EXPECT_EQ(account.find({.client_id = "a"})->order.id, 2);
  EXPECT_EQ(account.find_open({.client_id = "a"})->order.id, 2);
  finish(2);
  EXPECT_EQ(account.find_open({.client_id = "a"}), nullptr);
  EXPECT_EQ(account.find({.client_id = "a"})->order.id, 2);
}

TEST_F(AccountTest, takes_the_fee_of_its_role_from_the_wallet) {
  account.open(order(1, "a"));
  const Level level{Price::of("3000"), Qty::of("0.5")};
  const auto maker = account.settle(account.entry(1).order, level, 77, Account::Role::maker, {});
  const auto taker = account.settle(account.entry(1).order, level, 78, Account::Role::taker, {});
  EXPECT_EQ(maker.commission, Money{});
  EXPECT_EQ(taker.commission, Money::of("0.6"));
  EXPECT_EQ(account.wallet("USDC")->balance, Money::of("9999.4"));
  EXPECT_EQ(account.fills().size(), 2u);
  EXPECT_EQ(account.fills().back().trade_id, 78);
  EXPECT_EQ(account.incomes().back().amount, Money::of("-0.6"));
}

TEST(History, keeps_the_newest_in_order_and_counts_the_forgotten) {
  History<int> history{3};
  for (int i = 1; i <= 5; ++i) history.push(i);
  EXPECT_EQ(history.size(), 3u);
  EXPECT_EQ(history[0], 3);
  EXPECT_EQ(history.back(), 5);
  EXPECT_EQ(history.forgotten(), 2u);
}

}  // namespace
}  // namespace phoenix::exchange
