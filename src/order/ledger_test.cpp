#include "order/ledger.hpp"

#include "base/rng.hpp"

#include <algorithm>
#include <limits>
#include <vector>

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
  EXPECT_EQ(a.commissions.size(), result_assets_max);
  EXPECT_EQ(ledger.amounts_unsummed(), 4U);
}

TEST(Ledger, a_stated_position_holds_what_happened_before_it) {
  Ledger ledger;
  ledger.set_position({.symbol = eth,
                       .qty = Qty::of("-2"),
                       .entry_price = Price::of("50"),
                       .mark_price = {},
                       .unrealized_pnl = {},
                       .update_time = base::venue_time_ms(1005)},
                      {});
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

TEST(Ledger, d08_partial_fills_count_by_trade_at_their_own_price) {
  Ledger ledger;
  Fill first = fill(1, Side::bid, "100.1", "0.3", "0", "0.0060060");
  Fill second = fill(2, Side::bid, "100.2", "0.2", "1.25", "0.00400800");
  first.maker = true;
  second.maker = false;
  ledger.apply(std::vector<OrderEvent>{first, second,
                                       OrderDone{.symbol = eth,
                                                 .id = {},
                                                 .side = Side::bid,
                                                 .reason = DoneReason::canceled,
                                                 .filled_qty = Qty::of("0.5")}});
  const Account& a = ledger.account(eth);
  EXPECT_EQ(a.volume, Money::of("50.07"));
  EXPECT_EQ(a.entry_price, Price::of("100.14"));
  EXPECT_EQ(a.realized_pnl, Money::of("1.25"));
  EXPECT_EQ(amount_of(a.commissions, "USDT"), Money::of("0.010014"));
  EXPECT_EQ(a.fills_count, 2U);
  EXPECT_EQ(a.maker_fills_count, 1U);
}

Funding funding(std::int64_t id, std::int64_t hour, const char* amount, const char* asset = "USDT") {
  return {.symbol = eth,
          .asset = model::Asset{asset},
          .amount = Money::of(amount),
          .income_id = id,
          .time = base::venue_time_ms(hour * 3'600'000)};
}

TEST(Ledger, takes_each_funding_payment_once) {
  Ledger ledger;
  ledger.on_funding(funding(7, 8, "-0.5"));
  ledger.on_funding(funding(3, 16, "0.2"));
  ledger.on_funding(funding(7, 8, "-0.5"));
  ledger.on_funding(funding(9, 8, "1"));
  ledger.on_funding(funding(10, 8, "0.001", "BNB"));
  EXPECT_EQ(amount_of(ledger.account(eth).funding, "USDT"), Money::of("0.7"));
  EXPECT_EQ(amount_of(ledger.account(eth).funding, "BNB"), Money::of("0.001"));
  EXPECT_EQ(ledger.incomes_repeated(), 1U);
}

TEST(Ledger, a_funding_payment_older_than_all_it_remembers_counts_as_known) {
  Ledger ledger;
  const auto many = static_cast<std::int64_t>(2 * Ledger::incomes_kept_max);
  for (std::int64_t i = 1; i <= many; ++i) ledger.on_funding(funding(i, i, "1"));
  EXPECT_EQ(amount_of(ledger.account(eth).funding, "USDT"), Money::from_units(many));
  for (std::int64_t i = 1; i <= many; ++i) ledger.on_funding(funding(i, i, "1"));
  EXPECT_EQ(amount_of(ledger.account(eth).funding, "USDT"), Money::from_units(many));
  EXPECT_EQ(ledger.incomes_repeated(), static_cast<std::uint64_t>(many));
}

TEST(Ledger, d05_unrealized_pnl_follows_the_mark_and_is_never_the_realized_one) {
  Ledger ledger;
  ledger.apply(fill(1, Side::bid, "100.1", "2", "5"));
  EXPECT_EQ(ledger.unrealized(eth, Price::of("100.35")), Money::of("0.5"));
  ledger.apply(fill(2, Side::ask, "101", "5", "1.8"));
  EXPECT_EQ(ledger.account(eth).position, Qty::of("-3"));
  EXPECT_EQ(ledger.unrealized(eth, Price::of("101.5")), Money::of("-1.5"));
  EXPECT_EQ(ledger.account(eth).realized_pnl, Money::of("6.8"));
  EXPECT_EQ(ledger.unrealized(model::SymbolId{9}, Price::of("1")), Money{});
}

TEST(Ledger, pnl_sums_what_is_in_the_quote_asset_only) {
  Ledger ledger;
  ledger.apply(fill(1, Side::bid, "100", "1", "0", "0.02"));
  ledger.apply(fill(2, Side::bid, "100", "1", "4", "0.0001", "BNB"));
  ledger.on_funding(funding(1, 8, "-0.3"));
  ledger.on_funding(funding(2, 8, "0.4", "BNB"));
  ledger.on_funding(funding(3, 8, "0.5", "USDC"));
  Pnl pnl = ledger.pnl(eth, "USDT", Price::of("101"));
  EXPECT_EQ(pnl.realized, Money::of("4"));
  EXPECT_EQ(pnl.unrealized, Money::of("2"));
  EXPECT_EQ(pnl.commission, Money::of("0.02"));
  EXPECT_EQ(pnl.funding, Money::of("-0.3"));
  EXPECT_EQ(pnl.net, Money::of("5.68"));
  EXPECT_EQ(pnl.other_assets, 2U);
  pnl = ledger.pnl(eth, "USDT", std::nullopt);
  EXPECT_FALSE(pnl.unrealized) << "no price: it is not zero, it is not known";
  EXPECT_EQ(pnl.net, Money::of("3.68"));
  EXPECT_EQ(ledger.pnl(model::SymbolId{9}, "USDT", std::nullopt).unrealized, Money{})
      << "flat needs no price";
}

TEST(Ledger, d14_takes_up_results_and_never_a_position) {
  Ledger before;
  before.apply(fill(1, Side::bid, "100", "2", "0", "0.04"));
  before.apply(fill(2, Side::ask, "101", "1", "1", "0.02"));
  LedgerState state;
  state.symbol = eth;
  state.results = before.account(eth);
  state.trades_through = 1;
  state.trades = {{.id = 2, .parts = {.quantity = true, .money = true}}};

  Ledger ledger;
  ledger.restore(state);
  EXPECT_TRUE(ledger.account(eth).position.is_zero());
  EXPECT_FALSE(ledger.account(eth).entry_price);
  EXPECT_FALSE(ledger.is_position_stated(eth));
  EXPECT_EQ(ledger.fills_this_run(eth), 0U);
  EXPECT_EQ(ledger.account(eth).realized_pnl, Money::of("1"));
  ledger.set_position({.symbol = eth,
                       .qty = Qty::of("1"),
                       .entry_price = Price::of("100"),
                       .mark_price = {},
                       .unrealized_pnl = {},
                       .update_time = base::venue_time_ms(1002)},
                      {});
  EXPECT_TRUE(ledger.is_position_stated(eth));
  // The venue tells all trades since number 1 again, and one that nobody had heard of.
  for (const auto id : {1, 2}) ledger.apply(fill(id, Side::ask, "101", "1", "1", "0.02"));
  ledger.apply(fill(3, Side::ask, "102", "1", "2", "0.02"));
  EXPECT_EQ(ledger.account(eth).realized_pnl, Money::of("3"));
  EXPECT_EQ(ledger.account(eth).fills_count, 3U);
  EXPECT_EQ(ledger.account(eth).position, Qty{});
  EXPECT_EQ(ledger.fills_this_run(eth), 1U);
  EXPECT_EQ(amount_of(ledger.account(eth).commissions, "USDT"), Money::of("0.08"));
}

TEST(Ledger, money_that_came_after_the_restart_counts_once) {
  LedgerState state;
  state.symbol = eth;
  state.trades = {{.id = 5, .parts = {.quantity = true, .money = false}}};
  Ledger ledger;
  ledger.restore(state);
  for (int i = 0; i < 2; ++i) ledger.apply(fill(5, Side::bid, "100", "1", "3", "0.1"));
  EXPECT_EQ(ledger.account(eth).realized_pnl, Money::of("3"));
  EXPECT_EQ(ledger.account(eth).fills_count, 0U) << "its quantity was counted by the run before";
}

/// Wherever a run ends and whatever is told twice, the sums are those of one run that heard everything once.
TEST(Ledger, d08_restarts_at_any_place_sum_to_the_digit) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    base::Rng rng{seed};
    std::vector<Fill> fills;
    std::vector<Funding> fundings;
    for (std::int64_t id = 1; id <= 60; ++id) {
      Fill f = fill(id * 7, rng.below(2) == 0 ? Side::bid : Side::ask, "1", "1");
      f.price = Price::from_raw(static_cast<std::int64_t>(1 + rng.below(9'000'000'000'000)));
      f.qty = Qty::from_raw(static_cast<std::int64_t>(1 + rng.below(900'000'000)));
      f.money = FillMoney{.realized_pnl = Money::from_raw(static_cast<std::int64_t>(rng.below(2000)) - 1000),
                          .commission = Money::from_raw(static_cast<std::int64_t>(rng.below(100)) - 20),
                          .commission_asset = model::Asset{rng.below(4) == 0 ? "BNB" : "USDT"}};
      fills.push_back(f);
      fundings.push_back(funding(static_cast<std::int64_t>(id * 31 % 61), id, "0.00000003"));
    }
    Ledger whole;
    for (const auto& f : fills) whole.apply(f);
    for (const auto& f : fundings) whole.on_funding(f);

    LedgerState state;
    state.symbol = eth;
    std::size_t told = 0;
    while (told < fills.size()) {
      Ledger run;
      run.restore(state);
      // What came before is told again from the mark on; then some more.
      const std::size_t until = std::min(fills.size(), told + 1 + rng.below(20));
      const std::size_t complete = told + rng.below(until - told + 1);
      for (std::size_t i = 0; i < until; ++i) {
        run.apply(fills[i]);
        run.on_funding(fundings[i]);
        if (rng.below(3) == 0) run.apply(fills[rng.below(i + 1)]);
      }
      state = {};
      state.symbol = eth;
      state.results = run.account(eth);
      if (complete > 0) {
        state.trades_through = fills[complete - 1].trade_id;
        state.incomes_through = fundings[complete - 1].time;
      }
      for (std::size_t i = complete; i < until; ++i)
        state.trades.push_back({.id = fills[i].trade_id, .parts = {.quantity = true, .money = true}});
      for (std::size_t i = complete == 0 ? 0 : complete - 1; i < until; ++i)
        state.incomes.push_back({.time = fundings[i].time, .id = fundings[i].income_id});
      told = until;
    }
    const Results& ours = state.results;
    const Account& truth = whole.account(eth);
    ASSERT_EQ(ours.realized_pnl, truth.realized_pnl) << seed;
    ASSERT_EQ(ours.volume, truth.volume) << seed;
    ASSERT_EQ(ours.bought_qty, truth.bought_qty) << seed;
    ASSERT_EQ(ours.sold_qty, truth.sold_qty) << seed;
    ASSERT_EQ(ours.fills_count, truth.fills_count) << seed;
    for (const char* asset : {"USDT", "BNB"}) {
      ASSERT_EQ(amount_of(ours.commissions, asset), amount_of(truth.commissions, asset)) << seed;
      ASSERT_EQ(amount_of(ours.funding, asset), amount_of(truth.funding, asset)) << seed;
    }
  }
}

TEST(Ledger, numbers_no_venue_can_mean_do_not_stop_it) {
  const Price huge_price = Price::from_raw(std::numeric_limits<std::int64_t>::max());
  const Qty huge_qty = Qty::from_raw(std::numeric_limits<std::int64_t>::max());
  Ledger ledger;
  Fill bad = fill(1, Side::bid, "1", "1");
  bad.qty = huge_qty;
  ledger.apply(bad);
  bad.qty = Qty::of("-1");
  ledger.apply(bad);
  bad.qty = Qty::of("1000");
  bad.price = huge_price;
  ledger.apply(bad);
  bad.price = Price{};
  ledger.apply(bad);
  EXPECT_EQ(ledger.fills_refused(), 4U);
  EXPECT_EQ(ledger.account(eth).fills_count, 0U);

  // The largest ones taken: sums stop at their bounds.
  ledger.set_position({.symbol = eth,
                       .qty = huge_qty,
                       .entry_price = huge_price,
                       .mark_price = {},
                       .unrealized_pnl = {},
                       .update_time = {}},
                      {});
  for (int i = 0; i < 10; ++i) {
    Fill large = fill(10 + i, Side::bid, "1", "20000000000");
    large.money = FillMoney{.realized_pnl = Money::from_raw(std::numeric_limits<std::int64_t>::min()),
                            .commission = Money::from_raw(std::numeric_limits<std::int64_t>::max()),
                            .commission_asset = model::Asset{"USDT"}};
    ledger.apply(large);
    ledger.on_funding(funding(i, i, "-90000000000"));
  }
  EXPECT_GT(ledger.amounts_unsummed(), 0U);
  EXPECT_EQ(ledger.unrealized(eth, huge_price).raw(), 0) << "both ends of it are at their bound";
  EXPECT_FALSE(ledger.pnl(eth, "USDT", huge_price).net.is_positive());
}

TEST(SeenTrades, takes_up_what_an_earlier_run_saw) {
  SeenTrades seen;
  std::vector<SeenTrade> newer;
  const TradeParts both{.quantity = true, .money = true};
  constexpr std::int64_t many = 5 * static_cast<std::int64_t>(SeenTrades::kept_max);
  for (std::int64_t id = 101; id <= 100 + many; ++id)
    newer.push_back({.id = 2 * id, .parts = {.quantity = true, .money = id % 2 == 0}});
  seen.restore(200, newer);
  EXPECT_EQ(seen.note(199, both), TradeParts{});
  EXPECT_EQ(seen.note(200, both), TradeParts{});
  EXPECT_EQ(seen.too_old(), 2U);
  EXPECT_EQ(seen.note(203, both), both) << "between two that were seen";
  for (const auto& s : newer)
    ASSERT_EQ(seen.note(s.id, both), (TradeParts{.quantity = false, .money = !s.parts.money})) << s.id;
  // Its bound comes back once the newest fill it.
  for (std::int64_t id = 0; id < static_cast<std::int64_t>(2 * SeenTrades::kept_max); ++id)
    EXPECT_EQ(seen.note(1'000'000 + id, both), both);
  EXPECT_EQ(seen.note(205, both), TradeParts{});
  EXPECT_EQ(seen.too_old(), 3U);
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

TEST(SeenTrades, names_the_oldest_trade_whose_money_is_missing) {
  SeenTrades seen;
  EXPECT_EQ(seen.first_without_money(), std::nullopt);
  seen.note(5, {.quantity = true, .money = true});
  seen.note(9, {.quantity = true, .money = false});
  seen.note(7, {.quantity = true, .money = false});
  EXPECT_EQ(seen.first_without_money(), 7);
  seen.note(7, {.quantity = false, .money = true});
  EXPECT_EQ(seen.first_without_money(), 9);
  EXPECT_TRUE(seen.knows(9));
  EXPECT_FALSE(seen.knows(8));
}

TEST(Ledger, d14_a_venue_clock_set_back_does_not_make_new_fills_part_of_an_old_position) {
  const auto at = [](int seconds) { return base::venue_time_ms(1'795'000'000'000) + base::seconds{seconds}; };
  const model::SymbolId symbol{0};
  const auto fill = [&](std::int64_t id, base::VenueTime time) {
    Fill f;
    f.symbol = symbol;
    f.trade_id = id;
    f.price = model::Price::of("100");
    f.qty = model::Qty::of("1");
    f.time = time;
    return f;
  };
  Ledger ledger;
  model::PositionReport report;
  report.symbol = symbol;
  report.update_time = at(3600);  // its clock was an hour ahead
  ledger.set_position(report, {});
  ledger.apply(fill(1, at(3599)));
  EXPECT_TRUE(ledger.account(symbol).position.is_zero()) << "part of what was stated";
  ledger.clock_set_back(base::hours{1});
  ledger.apply(fill(2, at(1)));
  EXPECT_EQ(ledger.account(symbol).position, model::Qty::of("1"));
  EXPECT_TRUE(ledger.knows(symbol, 1));
  EXPECT_FALSE(ledger.knows(symbol, 3));
}

TEST(Ledger, d14_a_fill_of_an_order_sent_after_the_statement_is_new_whatever_the_clocks_say) {
  const auto ours = [](int seconds) {
    return base::local_time_ns(1'795'000'000'000'000'000) + base::seconds{seconds};
  };
  Ledger ledger;
  model::PositionReport report;
  report.symbol = eth;
  report.update_time = base::venue_time_ms(3'600'000);
  ledger.set_position(report, ours(10));
  const auto apply = [&](std::int64_t id, std::optional<base::LocalTime> sent_at) {
    Fill f = fill(id, Side::bid, "100", "1");
    f.order_sent_at = sent_at;
    ledger.apply(f);
    return ledger.account(eth).position;
  };
  EXPECT_EQ(apply(1, std::nullopt), Qty{}) << "of an order of an earlier run: only times tell";
  EXPECT_EQ(apply(2, ours(9)), Qty{}) << "sent before: the statement may hold it";
  EXPECT_EQ(apply(3, ours(10)), Qty::of("1"));
  EXPECT_EQ(apply(4, ours(11)), Qty::of("2"));
  ledger.set_position(report, ours(12));
  EXPECT_EQ(apply(5, ours(11)), Qty{}) << "a later statement may hold it";
}

}  // namespace
}  // namespace phoenix::order
