#include "order/results.hpp"

#include "base/assert.hpp"
#include "base/decimal.hpp"

#include <limits>

namespace phoenix::order {
namespace {

__extension__ using Wide = __int128;

/// Adds where the sum stays in range, and can be negated. What the world adds up must not stop the process.
template <class Tag>
void add_bounded(model::Scaled<Tag>& sum, model::Scaled<Tag> amount, std::uint64_t& unsummed) {
  std::int64_t raw = 0;
  if (__builtin_add_overflow(sum.raw(), amount.raw(), &raw) ||
      raw == std::numeric_limits<std::int64_t>::min()) {
    ++unsummed;
    return;
  }
  sum = model::Scaled<Tag>::from_raw(raw);
}

void add_asset(AssetAmounts& amounts, const model::Asset& asset, model::Money amount,
               std::uint64_t& unsummed) {
  if (amount.is_zero()) return;
  for (AssetAmount& known : amounts) {
    if (known.asset == asset) return add_bounded(known.amount, amount, unsummed);
  }
  if (amounts.full()) {
    ++unsummed;
    return;
  }
  amounts.push_back({.asset = asset, .amount = amount});
}

}  // namespace

void Results::add_fill(const Fill& fill) {
  PHX_ASSERT(is_sane(fill), "only a fill a venue can mean is summed");
  add_bounded(volume, model::notional(fill.price, fill.qty), unsummed);
  add_bounded(fill.side == model::Side::bid ? bought_qty : sold_qty, fill.qty, unsummed);
  ++fills_count;
  if (fill.maker) ++maker_fills_count;
}

void Results::add_money(const FillMoney& money) {
  add_bounded(realized_pnl, money.realized_pnl, unsummed);
  add_asset(commissions, money.commission_asset, money.commission, unsummed);
}

void Results::add_funding(const model::Asset& asset, model::Money amount) {
  add_asset(funding, asset, amount, unsummed);
}

void Results::add(const Results& other) {
  add_bounded(realized_pnl, other.realized_pnl, unsummed);
  for (const AssetAmount& paid : other.commissions) add_asset(commissions, paid.asset, paid.amount, unsummed);
  for (const AssetAmount& paid : other.funding) add_asset(funding, paid.asset, paid.amount, unsummed);
  add_bounded(volume, other.volume, unsummed);
  add_bounded(bought_qty, other.bought_qty, unsummed);
  add_bounded(sold_qty, other.sold_qty, unsummed);
  fills_count += other.fills_count;
  maker_fills_count += other.maker_fills_count;
  unsummed += other.unsummed;
}

bool is_sane(const Fill& fill) {
  const auto fits = [](Wide raw) { return raw > 0 && raw <= sane_raw_max; };
  return fits(fill.qty.raw()) && fits(fill.price.raw()) &&
         Wide{fill.price.raw()} * fill.qty.raw() / base::decimal_one <= sane_raw_max;
}

model::Money amount_of(const AssetAmounts& amounts, std::string_view asset) {
  for (const AssetAmount& amount : amounts) {
    if (amount.asset.view() == asset) return amount.amount;
  }
  return {};
}

}  // namespace phoenix::order
