#pragma once

#include "base/static_vector.hpp"
#include "model/account.hpp"
#include "model/fixed.hpp"
#include "model/ids.hpp"
#include "order/order_events.hpp"
#include "order/seen_trades.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace phoenix::order {

struct Commission {
  model::Asset asset;
  model::Money amount;
};
/// Assets fees are paid in; one more is counted, not summed.
inline constexpr std::size_t commission_assets_max = 8;

/// What one symbol has done and holds, in exact money.
struct Account {
  model::Qty position;                      ///< signed
  std::optional<model::Price> entry_price;  ///< average; empty when flat
  model::Money realized_pnl;                ///< the venue's own figure, summed; before fees
  base::StaticVector<Commission, commission_assets_max> commissions;
  model::Money volume;  ///< sum of price * qty
  model::Qty bought_qty, sold_qty;
  std::uint64_t fills_count = 0, maker_fills_count = 0;
};

/// Where our position and the venue's differ.
struct PositionMismatch {
  model::SymbolId symbol;
  model::Qty ours, venue;
};

/// Positions and results from fills, each trade once. Not a cache of truth: the venue's position report is,
/// and `compare` says when the two differ.
class Ledger {
 public:
  /// Position as the venue states it: at start, and when the engine decides to believe it. Fills that
  /// happened at or before `report.update_time` are part of it and will not move it again, however late they
  /// are told.
  void set_position(const model::PositionReport& report);
  void apply(const Fill& fill);
  void apply(const FillDetails& details);
  /// Applies the fills among `events`.
  void apply(std::span<const OrderEvent> events);

  const Account& account(model::SymbolId symbol) const;
  /// Empty when they agree. A symbol absent from the venue's list is flat: pass a report of quantity zero.
  std::optional<PositionMismatch> compare(const model::PositionReport& report) const;

  std::uint64_t fills_too_old() const;
  std::uint64_t commissions_unsummed() const { return commissions_unsummed_; }

 private:
  struct Book {
    Account account;
    base::VenueTime position_as_of{};  ///< fills up to here are in the position the venue stated
    model::Money cost;                 ///< of the open position, positive
    SeenTrades seen;
  };
  Book& at(model::SymbolId symbol);
  void add_money(Account& account, const FillMoney& money);
  static void move_position(Book& book, const Fill& fill);

  std::vector<Book> books_;  ///< by SymbolId
  std::uint64_t commissions_unsummed_ = 0;
};

}  // namespace phoenix::order
