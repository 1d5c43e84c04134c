#pragma once

#include "base/lookup.hpp"
#include "exchange/history.hpp"
#include "exchange/matching.hpp"
#include "exchange/types.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace phoenix::exchange {

/// What a fill of `qty` (unsigned) for `notional` does to a position: changes it by the rule stated at
/// `Position` and returns what it realised.
Money fill_position(Position& position, Side side, Qty qty, Money notional);

/// a + b, held at the largest value instead of stopping the process: for statistics only.
Qty sum_saturated(Qty a, Qty b);
Money sum_saturated(Money a, Money b);

/// One account's orders, positions, wallets and histories. It keeps the books; the core decides.
class Account {
 public:
  struct Bounds {
    std::size_t finished_orders, fills, incomes;
  };
  /// An order and where it rests; `handle` is none while it does not.
  struct Entry {
    Order order;
    MatchingBook::Handle handle = MatchingBook::none;
  };
  /// What the account has in one symbol. Sums run over resting orders, by side (bid 0, ask 1).
  struct Holding {
    Position position;
    std::vector<std::int64_t> open;  ///< order ids, oldest first
    Money notional[2];               ///< of all resting orders
    Money adding_notional[2];        ///< without the reduce-only ones
    Qty qty[2];
    Qty reduce_only_qty[2];
    int leverage = 20;
    Rate maker_fee, taker_fee;
    Money fees, funding;
    std::int64_t fills = 0;
    Qty filled_volume;
    std::size_t wallet = 0;  ///< index into wallets()
  };
  struct Wallet {
    Asset asset;
    Money start, balance;
  };
  struct Settlement {
    Money realized, commission;
  };

  Account(AccountId id, AccountOptions options, const std::vector<SymbolSpec>& symbols, Bounds bounds);

  AccountId id() const { return id_; }
  const AccountOptions& options() const { return options_; }
  Holding& holding(SymbolId symbol) { return holdings_[symbol.index]; }
  const Holding& holding(SymbolId symbol) const { return holdings_[symbol.index]; }
  std::vector<Wallet>& wallets() { return wallets_; }
  const std::vector<Wallet>& wallets() const { return wallets_; }
  const Wallet* wallet(std::string_view asset) const;

  /// The client id must not be in use by an open order.
  Entry& open(Order order);
  bool client_id_open(std::string_view client_id) const { return open_by_client_.contains(client_id); }
  /// Of a client id the newest. Null when unknown, of another symbol, or forgotten.
  Entry* find(const OrderKey& key);
  const Entry* find(const OrderKey& key) const;
  Entry* find_open(const OrderKey& key);
  Entry& entry(std::int64_t id);
  const std::map<std::int64_t, Entry>& entries() const { return entries_; }

  /// The order has joined the book / left it. Between the two, `Holding`'s sums include it.
  void rested(Entry& entry, MatchingBook::Handle handle);
  void unrested(Entry& entry);
  /// A resting order lost `qty` to a fill; call before `filled` of the order grows. It still rests.
  void rest_shrunk(Entry& entry, Qty qty);
  /// The order is final: it moves to the history, of which the oldest is forgotten when full.
  void finish(Entry& entry);

  /// Position, wallet, fee and histories of one fill of one of the account's orders.
  /// `role` says whose fee rate applies.
  enum class Role : std::uint8_t { maker, taker };
  Settlement settle(const Order& order, Level fill, std::int64_t trade_id, Role role, VenueTime now);
  /// Positive is received.
  void pay_funding(SymbolId symbol, Money amount, VenueTime now);

  const History<FillRecord>& fills() const { return fills_; }
  const History<IncomeRecord>& incomes() const { return incomes_; }
  std::uint64_t orders_forgotten() const { return orders_forgotten_; }

 private:
  void count(Holding& holding, const Order& order, Qty left_before, Qty left_after);
  void add_income(IncomeKind kind, SymbolId symbol, Money amount, std::int64_t trade_id, VenueTime now);

  AccountId id_;
  AccountOptions options_;
  std::vector<Holding> holdings_;
  std::vector<Wallet> wallets_;
  std::map<std::int64_t, Entry> entries_;
  std::deque<std::int64_t> finished_;
  std::size_t finished_max_;
  std::uint64_t orders_forgotten_ = 0;
  base::TextLookup<std::int64_t> open_by_client_, newest_by_client_;
  History<FillRecord> fills_;
  History<IncomeRecord> incomes_;
  std::int64_t next_income_ = 1;
};

}  // namespace phoenix::exchange
