#pragma once

#include "model/account.hpp"
#include "model/fixed.hpp"
#include "model/ids.hpp"
#include "order/order_events.hpp"
#include "order/results.hpp"
#include "order/seen_trades.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace phoenix::order {

/// What one symbol has done and holds. The results include those of earlier runs that were restored.
struct Account : Results {
  model::Qty position;                      ///< signed
  std::optional<model::Price> entry_price;  ///< average; empty when flat
};

/// Where our position and the venue's differ.
struct PositionMismatch {
  model::SymbolId symbol;
  model::Qty ours, venue;
};

/// One funding payment, from the venue's income history.
struct Funding {
  model::SymbolId symbol;
  model::Asset asset;
  model::Money amount;         ///< positive is received
  std::int64_t income_id = 0;  ///< the venue's tranId
  base::VenueTime time{};
};
/// What tells one income of a symbol from the others.
struct IncomeKey {
  base::VenueTime time{};
  std::int64_t id = 0;
  friend constexpr auto operator<=>(const IncomeKey&, const IncomeKey&) = default;
};

/// What was stored of a symbol: the results, and which trades and incomes they hold. Never a position: that
/// is the venue's to state.
struct LedgerState {
  model::SymbolId symbol;
  Results results;
  std::int64_t trades_through = 0;    ///< every trade up to this id is in the results
  std::vector<SeenTrade> trades;      ///< and these, of higher ids, ascending
  base::VenueTime incomes_through{};  ///< every income before this time is in the results
  std::vector<IncomeKey> incomes;     ///< and these, not before it, ascending
};

/// The PnL of a symbol in its quote asset. What was paid or received in another asset is not in here.
struct Pnl {
  model::Money realized;                   ///< before fees
  std::optional<model::Money> unrealized;  ///< empty: there is a position and no mark price
  model::Money commission;                 ///< positive is paid
  model::Money funding;                    ///< positive is received
  std::size_t other_assets = 0;            ///< assets with amounts that `net` leaves out
  /// realized - commission + funding, and what is unrealized as far as it is known.
  model::Money net;
};

/// Positions and results from fills and incomes, each once. Not a cache of truth: the venue's position report
/// is, and `compare` says when the two differ.
class Ledger {
 public:
  /// Takes up what earlier runs did. Before any fill or income of this symbol.
  void restore(const LedgerState& state);

  /// Position as the venue states it: at start, and when the engine decides to believe it. `known_at`: when
  /// we had the statement, by our clock. A fill of an order sent since then is not part of it. Any other fill
  /// that happened at or before `report.update_time` is, and will not move it again, however late it is told.
  void set_position(const model::PositionReport& report, base::LocalTime known_at);
  /// Whether `set_position` was called for this symbol.
  bool is_position_stated(model::SymbolId symbol) const;
  void apply(const Fill& fill);
  void apply(const FillDetails& details);
  /// Applies the fills among `events`.
  void apply(std::span<const OrderEvent> events);
  /// Once per income id; the newest `incomes_kept_max` ids of a symbol are known at least, an income older
  /// than those counts as known.
  void on_funding(const Funding& funding);

  const Account& account(model::SymbolId symbol) const;
  /// Of the open position at this mark price; zero when flat.
  model::Money unrealized(model::SymbolId symbol, model::Price mark) const;
  Pnl pnl(model::SymbolId symbol, std::string_view quote_asset, std::optional<model::Price> mark) const;
  /// Empty when they agree. A symbol absent from the venue's list is flat: pass a report of quantity zero.
  std::optional<PositionMismatch> compare(const model::PositionReport& report) const;

  std::uint64_t fills_too_old() const;
  /// The oldest trade whose money is missing in the results.
  std::optional<std::int64_t> first_without_money(model::SymbolId symbol) const;
  /// The venue set its clock back by so much: what a stated position holds is compared with times that are.
  void clock_set_back(base::Duration by);
  /// Whether this trade is in the results already.
  bool knows(model::SymbolId symbol, std::int64_t trade_id) const;
  /// Fills applied in this run: restored and repeated ones do not count.
  std::uint64_t fills_this_run(model::SymbolId symbol) const;
  std::uint64_t amounts_unsummed() const;
  /// Fills whose numbers no venue can mean: counted, otherwise ignored.
  std::uint64_t fills_refused() const { return fills_refused_; }
  std::uint64_t incomes_repeated() const { return incomes_repeated_; }

  static constexpr std::size_t incomes_kept_max = 64;

 private:
  struct Book {
    Account account;
    base::VenueTime position_as_of{};  ///< fills up to here are in the position the venue stated
    std::optional<base::LocalTime> position_known_at;  ///< empty: it was never stated
    model::Money cost;                                 ///< of the open position, positive
    SeenTrades seen;
    std::vector<IncomeKey> incomes;  ///< ascending
    IncomeKey incomes_forgotten;     ///< this and older ones count as known
    std::uint64_t fills_this_run = 0;
  };
  Book& at(model::SymbolId symbol);
  const Book* find(model::SymbolId symbol) const;
  static void move_position(Book& book, const Fill& fill);

  std::vector<Book> books_;  ///< by SymbolId
  std::uint64_t fills_refused_ = 0, incomes_repeated_ = 0;
};

}  // namespace phoenix::order
