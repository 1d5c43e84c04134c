#pragma once

#include "base/rng.hpp"
#include "exchange/account.hpp"
#include "exchange/agents.hpp"
#include "exchange/core.hpp"
#include "exchange/history.hpp"
#include "exchange/matching.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace phoenix::exchange {

/// The inside of Core. core.cpp holds construction and queries, core_orders.cpp what accounts ask for and the
/// matching loop, core_market.cpp what time brings.
class Core::State {
 public:
  struct Symbol {
    Symbol(SymbolId id, const SymbolSpec& spec, const CoreOptions& options, base::Rng rng);

    SymbolId id;
    SymbolSpec spec;
    SymbolStatus status = SymbolStatus::trading;
    MatchingBook book;
    std::optional<Agents> agents;
    Position market_position;
    std::int64_t last_update_id = 0;
    VenueTime last_change{};
    TopChange top;
    /// A level that fills have changed and no BookChange has told of yet.
    std::optional<std::pair<Side, Price>> untold;
    std::int64_t next_trade_id = 0, next_agg_id = 0;
    std::optional<AggTradePrint> open_agg;
    History<TradePrint> trades;
    History<AggTradePrint> agg_trades;
    History<MinuteBar> bars;
    Price mark, index, last;
    bool priced = false;     ///< a recording or the accounts have made a first two-sided market
    std::int64_t basis = 0;  ///< smoothed mid - index, raw price
    std::int64_t premium_sum = 0,
                 premium_count = 0;  ///< of the running funding interval, raw rate each second
    Rate funding_rate, last_funding_rate;
    bool external_mark = false;  ///< a recording says mark, index and funding rate
  };

  explicit State(CoreOptions options);

  // core_orders.cpp
  Answer<Order> place(AccountId account, const PlaceRequest& request, CoreEvents& out);
  Answer<Order> amend(AccountId account, const AmendRequest& request, CoreEvents& out);
  Answer<Order> cancel(AccountId account, const OrderKey& key, CoreEvents& out);
  std::size_t cancel_all(Account& account, Symbol& symbol, CoreEvents& out);
  Answer<Order> liquidate(AccountId account, SymbolId symbol, CoreEvents& out);

  // core_market.cpp
  void run_to(VenueTime now, CoreEvents& out);
  VenueTime next_deadline() const;
  /// Fills the agents' books; nobody was there to see it, so it tells nobody.
  void seed_books();
  void apply_external_levels(Symbol& symbol, std::span<const Level> bids, std::span<const Level> asks,
                             CoreEvents& out);
  void replace_external_book(Symbol& symbol, std::span<const Level> bids, std::span<const Level> asks,
                             CoreEvents& out);
  void set_external_mark(Symbol& symbol, Price mark, Price index, Rate funding_rate);
  void apply_external_trade(Symbol& symbol, Price price, Qty qty, Side aggressor, CoreEvents& out);
  bool external_makes_sense(const Symbol& symbol, Price price, Qty qty, Qty least);
  void transfer(Account& account, std::string_view asset, Money amount, CoreEvents& out);

  bool has(SymbolId symbol) const { return symbol.index < symbols.size(); }
  Symbol& at(SymbolId symbol) {
    PHX_ASSERT(has(symbol), "a symbol id is the core's own");
    return symbols[symbol.index];
  }
  const Symbol& at(SymbolId symbol) const { return const_cast<State*>(this)->at(symbol); }
  Account& at(AccountId account) {
    PHX_ASSERT(account.index >= 1 && account.index <= accounts.size(), "an account id is the core's own");
    return accounts[account.index - 1u];
  }
  const Account& at(AccountId account) const { return const_cast<State*>(this)->at(account); }
  MarginState margin(const Account& account, std::string_view asset) const;

  CoreOptions options;
  VenueTime now{};
  std::vector<Symbol> symbols;
  std::vector<Account> accounts;
  /// By (account, symbol): a handful, walked in order.
  std::map<std::pair<AccountId, SymbolId>, VenueTime> countdowns;
  VenueTime next_second{}, next_funding{};
  std::int64_t last_order_id = 8'000'000'000, last_update_id = 10'000'000'000'000;
  CoreStats stats;

 private:
  /// An incoming order on its way through the book.
  struct Taker {
    AccountId account{};
    Side side = Side::bid;
    Price limit{};
    Qty left{};
    StpMode stp = StpMode::none;
    Account::Entry* entry = nullptr;  ///< null for the market
    Money quote{};                    ///< of what it filled
    enum class Stop : std::uint8_t { none, self_trade, reduce_only } stop = Stop::none;
  };

  std::optional<Reject> check_new(Account& account, const Symbol& symbol, const PlaceRequest& request) const;
  std::optional<Reject> check_exposure(const Account& account, const Symbol& symbol, Side side, Price price,
                                       Qty qty, Intent intent, const Order* replaced) const;
  std::optional<Reject> check_entry(const Symbol& symbol, const PlaceRequest& request) const;
  Money initial_margin(const Account& account, const Symbol& symbol, Money extra_bids,
                       Money extra_asks) const;
  bool would_take(const Symbol& symbol, Side side, Price price) const;
  Qty available(const Symbol& symbol, Side side, Price limit, Qty wanted) const;

  Account::Entry& open(Account& account, Symbol& symbol, Order order);
  /// Matches, then rests or expires what is left of an account's order.
  void run_order(Account& account, Symbol& symbol, Account::Entry& entry, Price limit, CoreEvents& out);
  void sweep(Symbol& symbol, Taker& taker, CoreEvents& out);
  void trade(Symbol& symbol, Taker& taker, MatchingBook::Handle handle, Qty qty, CoreEvents& out);
  void print(Symbol& symbol, TradePrint trade, CoreEvents& out);
  void settle(Symbol& symbol, Account::Entry& entry, Level fill, std::int64_t trade_id, Account::Role role,
              CoreEvents& out);
  void enforce_reduce_only(Account& account, Symbol& symbol, CoreEvents& out);
  void rest(Account& account, Symbol& symbol, Account::Entry& entry, CoreEvents& out);
  void unrest(Account& account, Symbol& symbol, Account::Entry& entry, CoreEvents& out);
  void end(Account& account, Symbol& symbol, Account::Entry& entry, ExecutionType execution,
           OrderStatus status, ExpiryReason reason, CoreEvents& out);
  OrderEvent order_event(const Account& account, const Order& order, ExecutionType execution) const;
  void book_changed(Symbol& symbol, Side side, Price price, CoreEvents& out);
  /// Tells of the level that fills have changed, unless something else has told of it since.
  void tell(Symbol& symbol, CoreEvents& out);
  void flush_top(Symbol& symbol, CoreEvents& out);

  void apply_external_level(Symbol& symbol, Side side, Level level, CoreEvents& out);
  void meet_external_level(Symbol& symbol, Side side, Level& level, CoreEvents& out);
  void grow_external(Symbol& symbol, Side side, Level grown, CoreEvents& out);
  void shrink_external(Symbol& symbol, const BookLevel& level, Qty present, Qty left);

  void act(Symbol& symbol, CoreEvents& out);
  void perform(Symbol& symbol, const AgentAction& action, CoreEvents& out);
  void remove_market_order(Symbol& symbol, MatchingBook::Handle handle, CoreEvents& out);
  void close_agg(Symbol& symbol, CoreEvents& out);
  void count_bar(Symbol& symbol, const TradePrint& trade);
  void roll_bar(Symbol& symbol);
  void second_tick(CoreEvents& out);
  void tick_mark(Symbol& symbol, CoreEvents& out);
  void settle_funding(Symbol& symbol, CoreEvents& out);
  void fire_countdowns(CoreEvents& out);
};

}  // namespace phoenix::exchange
