#include "order/ledger.hpp"

#include "base/assert.hpp"
#include "base/decimal.hpp"

#include <algorithm>
#include <limits>
#include <variant>

namespace phoenix::order {
namespace {

__extension__ using Wide = __int128;

/// As far as a position or what it cost can be.
bool is_sane_raw(Wide raw) { return raw <= sane_raw_max && raw >= -sane_raw_max; }

/// cost * kept / whole, half up.
model::Money share(model::Money cost, model::Qty kept, model::Qty whole) {
  const Wide twice = Wide{cost.raw()} * kept.raw() * 2 / whole.raw();
  return model::Money::from_raw(static_cast<std::int64_t>((twice + 1) / 2));
}

/// price * qty, kept within what is sane.
model::Money sane_notional(model::Price price, model::Qty qty) {
  const Wide product = Wide{price.raw()} * qty.raw() / base::decimal_one;
  if (!is_sane_raw(product)) return model::Money::from_raw(product < 0 ? -sane_raw_max : sane_raw_max);
  return model::notional(price, qty);
}

model::Money sum(model::Money a, model::Money b) {
  const Wide both = Wide{a.raw()} + b.raw();
  return model::Money::from_raw(static_cast<std::int64_t>(std::clamp<Wide>(
      both, -std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::max())));
}

}  // namespace

Ledger::Book& Ledger::at(model::SymbolId symbol) {
  if (symbol.index >= books_.size()) books_.resize(std::size_t{symbol.index} + 1);
  return books_[symbol.index];
}

const Ledger::Book* Ledger::find(model::SymbolId symbol) const {
  return symbol.index < books_.size() ? &books_[symbol.index] : nullptr;
}

const Account& Ledger::account(model::SymbolId symbol) const {
  static const Account none;
  const Book* book = find(symbol);
  return book != nullptr ? book->account : none;
}

void Ledger::restore(const LedgerState& state) {
  Book& book = at(state.symbol);
  PHX_ASSERT(book.account.fills_count == 0 && book.incomes.empty(), "a symbol is restored before it is used");
  static_cast<Results&>(book.account) = state.results;
  book.seen.restore(state.trades_through, state.trades);
  book.incomes = state.incomes;
  PHX_ASSERT(std::is_sorted(book.incomes.begin(), book.incomes.end()), "restored incomes ascend");
  book.incomes_forgotten = {.time = state.incomes_through, .id = std::numeric_limits<std::int64_t>::min()};
}

void Ledger::set_position(const model::PositionReport& report, base::LocalTime known_at) {
  Book& book = at(report.symbol);
  book.position_as_of = std::max(book.position_as_of, report.update_time);
  book.position_known_at = known_at;
  book.account.position = model::Qty::from_raw(std::clamp(report.qty.raw(), -sane_raw_max, sane_raw_max));
  const auto entry =
      model::Price::from_raw(std::clamp<std::int64_t>(report.entry_price.raw(), 0, sane_raw_max));
  book.cost = sane_notional(entry, book.account.position.abs());
  book.account.entry_price.reset();
  if (!report.qty.is_zero()) book.account.entry_price = entry;
}

bool Ledger::is_position_stated(model::SymbolId symbol) const {
  const Book* book = find(symbol);
  return book != nullptr && book->position_known_at;
}

void Ledger::apply(const Fill& fill) {
  Book& book = at(fill.symbol);
  if (!is_sane(fill)) {
    ++fills_refused_;
    return;
  }
  const TradeParts fresh = book.seen.note(fill.trade_id, {.quantity = true, .money = fill.money.has_value()});
  if (fresh.money) book.account.add_money(*fill.money);
  if (!fresh.quantity) return;
  book.account.add_fill(fill);
  ++book.fills_this_run;
  // The order in which we sent and heard needs no clock of the venue's.
  const bool is_sent_since =
      fill.order_sent_at && book.position_known_at && *fill.order_sent_at >= *book.position_known_at;
  if (is_sent_since || fill.time > book.position_as_of) move_position(book, fill);
}

void Ledger::move_position(Book& book, const Fill& fill) {
  Account& account = book.account;
  const model::Qty before = account.position, change = fill.qty * model::sign(fill.side);
  const model::Qty after =
      model::Qty::from_raw(std::clamp((before + change).raw(), -sane_raw_max, sane_raw_max));
  const bool grows = before.is_zero() || before.is_negative() == change.is_negative();
  const bool flips = !grows && change.abs() > before.abs();
  if (grows) {
    book.cost =
        std::min(sum(book.cost, model::notional(fill.price, fill.qty)), model::Money::from_raw(sane_raw_max));
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
  if (fresh.money) book.account.add_money(details.money);
}

void Ledger::apply(std::span<const OrderEvent> events) {
  for (const OrderEvent& event : events) {
    if (const auto* fill = std::get_if<Fill>(&event)) apply(*fill);
    if (const auto* details = std::get_if<FillDetails>(&event)) apply(*details);
  }
}

void Ledger::on_funding(const Funding& funding) {
  Book& book = at(funding.symbol);
  const IncomeKey key{.time = funding.time, .id = funding.income_id};
  const auto place = std::lower_bound(book.incomes.begin(), book.incomes.end(), key);
  if (key <= book.incomes_forgotten || (place != book.incomes.end() && *place == key)) {
    ++incomes_repeated_;
    return;
  }
  book.incomes.insert(place, key);
  if (book.incomes.size() >= 2 * incomes_kept_max) {
    const auto kept = book.incomes.end() - static_cast<std::ptrdiff_t>(incomes_kept_max);
    book.incomes_forgotten = *(kept - 1);
    book.incomes.erase(book.incomes.begin(), kept);
  }
  book.account.add_funding(funding.asset, funding.amount);
}

model::Money Ledger::unrealized(model::SymbolId symbol, model::Price mark) const {
  const Book* book = find(symbol);
  if (book == nullptr || book->account.position.is_zero()) return {};
  const model::Money value = sane_notional(mark, book->account.position.abs());
  return book->account.position.is_negative() ? book->cost - value : value - book->cost;
}

Pnl Ledger::pnl(model::SymbolId symbol, std::string_view quote_asset,
                std::optional<model::Price> mark) const {
  const Account& of = account(symbol);
  Pnl pnl;
  pnl.realized = of.realized_pnl;
  if (of.position.is_zero()) {
    pnl.unrealized = model::Money{};
  } else if (mark) {
    pnl.unrealized = unrealized(symbol, *mark);
  }
  pnl.commission = amount_of(of.commissions, quote_asset);
  pnl.funding = amount_of(of.funding, quote_asset);
  const auto is_other = [&](const AssetAmount& amount) {
    return amount.asset.view() != quote_asset && !amount.amount.is_zero();
  };
  for (const AssetAmount& paid : of.commissions) {
    if (is_other(paid)) ++pnl.other_assets;
  }
  for (const AssetAmount& paid : of.funding) {
    const bool counted = !amount_of(of.commissions, paid.asset.view()).is_zero();
    if (is_other(paid) && !counted) ++pnl.other_assets;
  }
  pnl.net =
      sum(sum(pnl.realized, pnl.funding), sum(pnl.unrealized.value_or(model::Money{}), -pnl.commission));
  return pnl;
}

std::optional<PositionMismatch> Ledger::compare(const model::PositionReport& report) const {
  const model::Qty ours = account(report.symbol).position;
  if (ours == report.qty) return std::nullopt;
  return PositionMismatch{.symbol = report.symbol, .ours = ours, .venue = report.qty};
}

std::optional<std::int64_t> Ledger::first_without_money(model::SymbolId symbol) const {
  const Book* const book = find(symbol);
  return book == nullptr ? std::nullopt : book->seen.first_without_money();
}

void Ledger::clock_set_back(base::Duration by) {
  for (Book& book : books_) {
    if (book.position_known_at) book.position_as_of -= by;
  }
}

bool Ledger::knows(model::SymbolId symbol, std::int64_t trade_id) const {
  const Book* const book = find(symbol);
  return book != nullptr && book->seen.knows(trade_id);
}

std::uint64_t Ledger::fills_too_old() const {
  std::uint64_t count = 0;
  for (const Book& book : books_) count += book.seen.too_old();
  return count;
}

std::uint64_t Ledger::fills_this_run(model::SymbolId symbol) const {
  const Book* book = find(symbol);
  return book != nullptr ? book->fills_this_run : 0;
}

std::uint64_t Ledger::amounts_unsummed() const {
  std::uint64_t count = 0;
  for (const Book& book : books_) count += book.account.unsummed;
  return count;
}

}  // namespace phoenix::order
