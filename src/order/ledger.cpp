#include "order/ledger.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <variant>

namespace phoenix::order {
namespace {

__extension__ using Wide = __int128;

/// cost * kept / whole, half up.
model::Money share(model::Money cost, model::Qty kept, model::Qty whole) {
  const Wide twice = Wide{cost.raw()} * kept.raw() * 2 / whole.raw();
  return model::Money::from_raw(static_cast<std::int64_t>((twice + 1) / 2));
}

}  // namespace

Ledger::Book& Ledger::at(model::SymbolId symbol) {
  if (symbol.index >= books_.size()) books_.resize(std::size_t{symbol.index} + 1);
  return books_[symbol.index];
}

const Account& Ledger::account(model::SymbolId symbol) const {
  static const Account none;
  return symbol.index < books_.size() ? books_[symbol.index].account : none;
}

void Ledger::set_position(const model::PositionReport& report) {
  Book& book = at(report.symbol);
  book.position_as_of = std::max(book.position_as_of, report.update_time);
  book.account.position = report.qty;
  book.cost = model::notional(report.entry_price, report.qty.abs());
  book.account.entry_price.reset();
  if (!report.qty.is_zero()) book.account.entry_price = report.entry_price;
}

void Ledger::apply(const Fill& fill) {
  Book& book = at(fill.symbol);
  const TradeParts fresh = book.seen.note(fill.trade_id, {.quantity = true, .money = fill.money.has_value()});
  if (fresh.money) add_money(book.account, *fill.money);
  if (!fresh.quantity) return;
  Account& account = book.account;
  account.volume += model::notional(fill.price, fill.qty);
  (fill.side == model::Side::bid ? account.bought_qty : account.sold_qty) += fill.qty;
  ++account.fills_count;
  if (fill.maker) ++account.maker_fills_count;
  if (fill.time > book.position_as_of) move_position(book, fill);
}

void Ledger::move_position(Book& book, const Fill& fill) {
  Account& account = book.account;
  const model::Qty before = account.position, change = fill.qty * model::sign(fill.side);
  const model::Qty after = before + change;
  const bool grows = before.is_zero() || before.is_negative() == change.is_negative();
  const bool flips = !grows && change.abs() > before.abs();
  if (grows) {
    book.cost += model::notional(fill.price, fill.qty);
  } else if (flips) {
    book.cost = model::notional(fill.price, after.abs());
  } else {
    book.cost = share(book.cost, after.abs(), before.abs());
  }
  account.position = after;
  account.entry_price.reset();
  if (!after.is_zero()) account.entry_price = model::average_price(book.cost, after.abs());
}

void Ledger::apply(const FillDetails& details) {
  Book& book = at(details.symbol);
  const TradeParts fresh = book.seen.note(details.trade_id, {.quantity = false, .money = true});
  if (fresh.money) add_money(book.account, details.money);
}

void Ledger::apply(std::span<const OrderEvent> events) {
  for (const OrderEvent& event : events) {
    if (const auto* fill = std::get_if<Fill>(&event)) apply(*fill);
    if (const auto* details = std::get_if<FillDetails>(&event)) apply(*details);
  }
}

void Ledger::add_money(Account& account, const FillMoney& money) {
  account.realized_pnl += money.realized_pnl;
  if (money.commission.is_zero()) return;
  for (Commission& known : account.commissions) {
    if (known.asset == money.commission_asset) {
      known.amount += money.commission;
      return;
    }
  }
  if (account.commissions.full()) {
    ++commissions_unsummed_;
    return;
  }
  account.commissions.push_back({.asset = money.commission_asset, .amount = money.commission});
}

std::optional<PositionMismatch> Ledger::compare(const model::PositionReport& report) const {
  const model::Qty ours = account(report.symbol).position;
  if (ours == report.qty) return std::nullopt;
  return PositionMismatch{.symbol = report.symbol, .ours = ours, .venue = report.qty};
}

std::uint64_t Ledger::fills_too_old() const {
  std::uint64_t sum = 0;
  for (const Book& book : books_) sum += book.seen.too_old();
  return sum;
}

}  // namespace phoenix::order
