#include "base/rng.hpp"
#include "exchange/core.hpp"
#include "exchange/core_test_kit.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::exchange::test {
namespace {

/// The matching rules once more, as plainly as they can be said: one vector in order of arrival, linear
/// scans.
class NaiveExchange {
 public:
  struct Resting {
    std::int64_t id;
    AccountId account;
    Side side;
    Price price;
    Qty left, filled;
    TimeInForce tif;
  };
  struct Fill {
    std::int64_t maker, taker;
    Price price;
    Qty qty;
    friend bool operator==(const Fill&, const Fill&) = default;
  };
  enum class Verdict : std::uint8_t { ok, refused };

  std::vector<Resting> book;
  std::vector<Fill> fills;

  Verdict place(Resting order, OrderType type, StpMode stp) {
    if (order.tif == TimeInForce::gtx && facing(order)) return Verdict::refused;
    if (order.tif == TimeInForce::fok) {
      Qty found;
      for (const Resting& r : book) {
        if (r.side != order.side && crosses(order, r)) found += r.left;
      }
      if (found < order.left) return Verdict::refused;
      stp = StpMode::none;
    }
    if (type == OrderType::market && !facing(order)) return Verdict::refused;
    const bool may_rest =
        type == OrderType::limit && (order.tif == TimeInForce::gtc || order.tif == TimeInForce::gtx);
    match(order, stp, may_rest);
    return Verdict::ok;
  }

  bool cancel(std::int64_t id) {
    return std::erase_if(book, [id](const Resting& r) { return r.id == id; }) == 1;
  }

  void amend(std::int64_t id, Price price, Qty qty) {
    const auto it = std::ranges::find(book, id, &Resting::id);
    Resting order = *it;
    book.erase(it);
    if (qty <= order.filled) return;
    order.price = price;
    order.left = qty - order.filled;
    if (order.tif == TimeInForce::gtx && facing(order)) return;
    match(order, StpMode::none, true);
  }

  std::vector<Level> levels(Side side) const {
    std::map<std::int64_t, Qty> by_price;
    for (const Resting& r : book) {
      if (r.side == side) by_price[side == Side::bid ? -r.price.raw() : r.price.raw()] += r.left;
    }
    std::vector<Level> found;
    for (const auto& [key, qty] : by_price) found.push_back({Price::from_raw(key < 0 ? -key : key), qty});
    return found;
  }

 private:
  static bool crosses(const Resting& order, const Resting& r) {
    return order.side == Side::bid ? order.price >= r.price : order.price <= r.price;
  }
  /// The order that an incoming one meets first: the best price, of equal ones the earliest.
  std::optional<std::size_t> facing(const Resting& order) const {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < book.size(); ++i) {
      if (book[i].side == order.side || !crosses(order, book[i])) continue;
      const bool better = !best || (order.side == Side::bid ? book[i].price < book[*best].price
                                                            : book[i].price > book[*best].price);
      if (better) best = i;
    }
    return best;
  }
  void match(Resting order, StpMode stp, bool may_rest) {
    while (order.left.is_positive()) {
      const auto at = facing(order);
      if (!at) break;
      Resting& maker = book[*at];
      if (maker.account == order.account && stp != StpMode::none) {
        if (stp != StpMode::expire_taker) book.erase(book.begin() + static_cast<std::ptrdiff_t>(*at));
        if (stp != StpMode::expire_maker) return;
        continue;
      }
      const Qty qty = std::min(order.left, maker.left);
      fills.push_back({maker.id, order.id, maker.price, qty});
      order.left -= qty;
      order.filled += qty;
      maker.left -= qty;
      maker.filled += qty;
      if (maker.left.is_zero()) book.erase(book.begin() + static_cast<std::ptrdiff_t>(*at));
    }
    if (order.left.is_positive() && may_rest) book.push_back(order);
  }
};

template <class T, std::size_t N>
T pick(base::Rng& rng, const T (&items)[N]) {
  return items[rng.below(N)];
}

class Differential : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Differential, fills_and_books_are_those_of_a_naive_exchange) {
  base::Rng rng{GetParam()};
  CoreOptions options = quiet_options();
  options.symbols[0].filters.multiplier_up = options.symbols[0].filters.multiplier_down = Rate{};
  options.symbols[0].filters.orders_max = 1'000;
  for (AccountOptions& account : options.accounts)
    account.balances = {{"USDC", Money::from_units(1'000'000'000)}};
  World w{options};
  NaiveExchange naive;
  std::vector<std::int64_t> ids;

  for (int step = 0; step < 4'000; ++step) {
    naive.fills.clear();
    w.events.clear();
    const AccountId account = pick(rng, {alice, bob, carol});
    const auto price = Price::from_raw(rng.between(990, 1'010) * 10'000'000);
    const auto qty = Qty::from_raw(rng.between(10, 500) * 1'000'000);
    const auto action = rng.below(10);
    if (action < 6 || ids.empty()) {
      PlaceRequest request{.symbol = symbol, .side = pick(rng, {Side::bid, Side::ask})};
      request.type = rng.below(12) == 0 ? OrderType::market : OrderType::limit;
      request.time_in_force = pick(rng, {TimeInForce::gtc, TimeInForce::gtc, TimeInForce::gtc,
                                         TimeInForce::ioc, TimeInForce::fok, TimeInForce::gtx});
      request.qty = qty;
      request.price = price;
      request.stp =
          pick(rng, {StpMode::none, StpMode::expire_maker, StpMode::expire_taker, StpMode::expire_both});
      const bool market = request.type == OrderType::market;
      const Price limit = !market                     ? price
                          : request.side == Side::bid ? options.symbols[0].filters.price_max
                                                      : Price{};
      const auto placed = w.core.place(account, request, w.now, w.events);
      const std::int64_t id = placed ? placed->id : 0;
      const auto verdict = naive.place(
          {id, account, request.side, limit, qty, Qty{}, market ? TimeInForce::ioc : request.time_in_force},
          request.type, request.stp);
      ASSERT_EQ(verdict == NaiveExchange::Verdict::ok, placed.has_value()) << "step " << step;
      if (placed) ids.push_back(id);
    } else {
      const std::int64_t id = ids[rng.below(ids.size())];
      const auto resting = std::ranges::find(naive.book, id, &NaiveExchange::Resting::id);
      const bool open = resting != naive.book.end();
      const AccountId owner = open ? resting->account : account;
      if (action < 8) {
        const auto gone = w.core.cancel(owner, {.symbol = symbol, .id = id}, w.now, w.events);
        ASSERT_EQ(gone.has_value(), naive.cancel(id)) << "step " << step;
      } else if (open) {
        const AmendRequest request{
            .key = {.symbol = symbol, .id = id}, .side = resting->side, .price = price, .qty = qty};
        const auto amended = w.core.amend(owner, request, w.now, w.events);
        if (amended) {
          naive.amend(id, price, qty);
        } else {
          ASSERT_EQ(amended.error().code, -5027) << "step " << step;
        }
      }
    }

    std::vector<NaiveExchange::Fill> fills;
    for (const TradePrint& t : w.all<TradePrint>())
      fills.push_back({t.maker_order, t.taker_order, t.price, t.qty});
    ASSERT_EQ(fills, naive.fills) << "step " << step;
    const DepthView depth = w.core.depth(symbol, 1'000);
    ASSERT_EQ(depth.bids, naive.levels(Side::bid)) << "step " << step;
    ASSERT_EQ(depth.asks, naive.levels(Side::ask)) << "step " << step;
    if (step % 16 == 0) w.now += base::milliseconds{rng.between(0, 400)};
  }
  for (const auto& resting : naive.book) {
    const auto order = w.core.order(resting.account, {.symbol = symbol, .id = resting.id});
    ASSERT_TRUE(order);
    EXPECT_EQ(order->left(), resting.left);
    EXPECT_EQ(order->filled, resting.filled);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Differential, testing::Range<std::uint64_t>(1, 9));

/// Replays BookChanges into levels, as a client does.
class Follower {
 public:
  void apply(const CoreEvents& events) {
    for (const CoreEvent& event : events) {
      const auto* change = std::get_if<BookChange>(&event);
      if (change == nullptr) continue;
      ASSERT_GT(change->update_id, last_id_);
      last_id_ = change->update_id;
      auto& side = levels_[{change->symbol, change->side}];
      if (change->qty.is_zero()) {
        ASSERT_EQ(side.erase(change->price), 1u) << "only a level that exists is removed";
      } else {
        side[change->price] = change->qty;
      }
    }
  }
  void start_from(const Core& core, SymbolId id) {
    const DepthView depth = core.depth(id, 100'000);
    for (const Level& l : depth.bids) levels_[{id, Side::bid}][l.price] = l.qty;
    for (const Level& l : depth.asks) levels_[{id, Side::ask}][l.price] = l.qty;
  }
  void expect_equal(const Core& core, SymbolId id) {
    const DepthView depth = core.depth(id, 100'000);
    const auto same = [&](Side side, const std::vector<Level>& truth) {
      std::map<Price, Qty> levels;
      for (const Level& l : truth) levels[l.price] = l.qty;
      const bool equal = levels == levels_[{id, side}];
      return equal;
    };
    ASSERT_TRUE(same(Side::bid, depth.bids));
    ASSERT_TRUE(same(Side::ask, depth.asks));
  }

 private:
  std::int64_t last_id_ = 0;
  std::map<std::pair<SymbolId, Side>, std::map<Price, Qty>> levels_;
};

/// What holds after any sequence of operations, market and funding included.
void expect_conservation(const Core& core) {
  for (std::uint16_t s = 0; s < core.symbol_count(); ++s) {
    const SymbolId id{s};
    Qty positions = core.market_position(id).qty;
    Money realized = core.market_position(id).realized;
    Money cost = core.market_position(id).cost;
    for (std::uint16_t a = 1; a <= core.account_count(); ++a) {
      const Position& p = core.position(AccountId{a}, id);
      positions += p.qty;
      realized += p.realized;
      cost += p.cost;
      Qty reducing[2];
      for (const Order& order : core.open_orders(AccountId{a}, id)) {
        ASSERT_TRUE(order.left().is_positive());
        if (order.intent == Intent::reduce_only) reducing[order.side == Side::bid ? 0 : 1] += order.left();
      }
      ASSERT_LE(reducing[0], std::max(Qty{}, -p.qty));
      ASSERT_LE(reducing[1], std::max(Qty{}, p.qty));
    }
    ASSERT_EQ(positions, Qty{}) << "what one bought another sold";
    ASSERT_EQ(realized, cost) << "all cash paid was received: realized = cash + cost sums to cost";
  }
  for (std::uint16_t a = 1; a <= core.account_count(); ++a) {
    const Ledger ledger = core.ledger(AccountId{a});
    for (const Ledger::Balance& balance : ledger.balances) {
      Money expected = balance.start;
      for (const SymbolLedger& s : ledger.symbols) {
        if (core.spec(s.symbol).quote_asset != balance.asset.view()) continue;
        expected += s.position.realized - s.fees + s.funding;
      }
      ASSERT_EQ(balance.wallet, expected);
    }
  }
}

class Conservation : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Conservation, holds_under_random_operations_in_a_live_market) {
  base::Rng rng{GetParam()};
  CoreOptions options;
  options.seed = GetParam();
  options.start = start_time;
  options.symbols.resize(2);
  options.symbols.push_back(quiet_symbol());
  options.funding_interval = base::seconds{10};
  options.finished_orders_max = 50;
  for (SymbolSpec& spec : options.symbols) spec.activity = 50;
  for (const char* key : {"alice", "bob", "carol"})
    options.accounts.push_back({.api_key = key, .api_secret = "s"});
  World w{options};
  Follower follower;
  for (std::uint16_t s = 0; s < 3; ++s) follower.start_from(w.core, SymbolId{s});
  std::map<int, int> refusals;
  int accepted = 0;
  const auto tally = [&](const auto& answer) { answer ? ++accepted : ++refusals[answer.error().code]; };

  for (int step = 0; step < 3'000; ++step) {
    w.events.clear();
    w.now += base::milliseconds{rng.between(0, 30)};
    const AccountId account = pick(rng, {alice, bob, carol});
    const SymbolId id{static_cast<std::uint16_t>(rng.below(3))};
    const SymbolSpec& spec = w.core.spec(id);
    const auto tick = spec.filters.tick_size.raw();
    const auto near = w.core.mark(id).mark.raw() / tick + rng.between(-15, 15);
    const Price price = Price::from_raw(near * tick);
    const Qty qty = Qty::from_raw(spec.filters.step_size.raw() * rng.between(1, 2'000));
    const auto open = w.core.open_orders(account, id);
    const auto action = rng.below(20);
    if (action < 12 || open.empty()) {
      PlaceRequest request{
          .symbol = id, .side = pick(rng, {Side::bid, Side::ask}), .qty = qty, .price = price};
      request.type = rng.below(10) == 0 ? OrderType::market : OrderType::limit;
      request.time_in_force =
          pick(rng, {TimeInForce::gtc, TimeInForce::ioc, TimeInForce::fok, TimeInForce::gtx});
      request.stp =
          pick(rng, {StpMode::none, StpMode::expire_maker, StpMode::expire_taker, StpMode::expire_both});
      const Qty position = w.core.position(account, id).qty;
      if (rng.below(3) == 0 && !position.is_zero()) {
        request.intent = Intent::reduce_only;
        request.side = position.is_positive() ? Side::ask : Side::bid;
        request.qty = std::min(qty, position.abs());
      }
      tally(w.core.place(account, request, w.now, w.events));
      const Qty then = w.core.position(account, id).qty;
      if (request.intent == Intent::reduce_only) {
        ASSERT_FALSE(position.is_positive() && then.is_negative());
        ASSERT_FALSE(position.is_negative() && then.is_positive());
      }
    } else if (action < 15) {
      const Order& order = open[rng.below(open.size())];
      tally(w.core.amend(
          account, {.key = {.symbol = id, .id = order.id}, .side = order.side, .price = price, .qty = qty},
          w.now, w.events));
    } else if (action < 18) {
      tally(w.core.cancel(account, {.symbol = id, .id = open[rng.below(open.size())].id}, w.now, w.events));
    } else if (action < 19) {
      tally(
          w.core.countdown_cancel_all(account, id, base::milliseconds{rng.between(0, 500)}, w.now, w.events));
    } else if (rng.below(20) == 0) {
      tally(w.core.liquidate(account, id, w.now, w.events));
    } else {
      tally(w.core.cancel_all(account, id, w.now, w.events));
    }
    ASSERT_NO_FATAL_FAILURE(follower.apply(w.events));
    if (step % 50 == 0) {
      ASSERT_NO_FATAL_FAILURE(expect_conservation(w.core)) << "step " << step;
      for (std::uint16_t s = 0; s < 3; ++s)
        ASSERT_NO_FATAL_FAILURE(follower.expect_equal(w.core, SymbolId{s}));
    }
  }
  expect_conservation(w.core);
  EXPECT_GT(accepted, 1'000);
  EXPECT_GT(refusals[-5022], 0);
  EXPECT_GT(refusals[-5021], 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Conservation, testing::Range<std::uint64_t>(1, 6));

TEST(Conservation_, the_quantity_of_a_book_without_agents_is_the_sum_of_open_orders) {
  base::Rng rng{11};
  World w;
  for (int step = 0; step < 500; ++step) {
    const auto price = Price::from_raw(rng.between(980, 1'020) * 10'000'000);
    static_cast<void>(w.place(pick(rng, {alice, bob, carol}), {.symbol = symbol,
                                                               .side = pick(rng, {Side::bid, Side::ask}),
                                                               .qty = Qty::from_units(rng.between(1, 3)),
                                                               .price = price}));
    std::map<std::pair<Side, Price>, Qty> sums, levels;
    for (const AccountId account : {alice, bob, carol}) {
      for (const Order& o : w.core.open_orders(account)) sums[{o.side, o.price}] += o.left();
    }
    const DepthView depth = w.core.depth(symbol, 1'000);
    for (const Level& l : depth.bids) levels[{Side::bid, l.price}] = l.qty;
    for (const Level& l : depth.asks) levels[{Side::ask, l.price}] = l.qty;
    ASSERT_EQ(sums, levels);
  }
}

}  // namespace
}  // namespace phoenix::exchange::test
