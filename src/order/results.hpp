#pragma once

#include "base/static_vector.hpp"
#include "model/account.hpp"
#include "model/fixed.hpp"
#include "order/order_events.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace phoenix::order {

struct AssetAmount {
  model::Asset asset;
  model::Money amount;
  friend bool operator==(const AssetAmount&, const AssetAmount&) = default;
};
/// Assets fees and funding are paid in; one more is counted, not summed.
inline constexpr std::size_t result_assets_max = 8;
using AssetAmounts = base::StaticVector<AssetAmount, result_assets_max>;

/// A price, a quantity or what they cost beyond this (2.3e10) is nothing a venue can mean; sums of two such
/// stay within the range.
inline constexpr std::int64_t sane_raw_max = std::int64_t{1} << 61;

/// What one symbol earned and cost over some time, in exact money. Amounts of different assets are never
/// summed into one. An amount that finds no room (a ninth asset, a sum beyond the range of Money) is left out
/// and counted.
struct Results {
  model::Money realized_pnl;  ///< the venue's own figure, summed; before fees; in the quote asset
  AssetAmounts commissions;   ///< positive is paid
  AssetAmounts funding;       ///< positive is received
  model::Money volume;        ///< sum of price * qty
  model::Qty bought_qty, sold_qty;
  std::uint64_t fills_count = 0, maker_fills_count = 0;
  std::uint64_t unsummed = 0;  ///< amounts left out

  /// `is_sane` ones only.
  void add_fill(const Fill& fill);
  void add_money(const FillMoney& money);
  void add_funding(const model::Asset& asset, model::Money amount);
  /// As if everything that made `other` had been added here.
  void add(const Results& other);
};

/// False for numbers no venue can mean: no quantity, no price, or so large that sums of them make no sense.
bool is_sane(const Fill& fill);
/// Zero when nothing was paid in this asset.
model::Money amount_of(const AssetAmounts& amounts, std::string_view asset);

}  // namespace phoenix::order
