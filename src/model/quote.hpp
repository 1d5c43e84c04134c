#pragma once

#include "base/static_vector.hpp"
#include "model/instrument.hpp"
#include "model/market.hpp"
#include "model/side.hpp"

#include <cstdint>

namespace phoenix::model {

/// The touch of a synced book. Both sides present, bid below ask.
struct TopOfBook {
  Level bid, ask;
  std::int64_t update_id = 0;

  /// Exact: both prices are multiples of 1e-8 and the sum is halved downwards.
  Price mid() const { return Price::from_raw((bid.price + ask.price).raw() >> 1); }
};

/// What a strategy wants to have in the market: an order of this price and quantity.
struct Quote {
  Side side = Side::bid;
  std::uint16_t layer = 0;  ///< 0 is nearest to the market
  Price price;
  Qty qty;
  Intent intent = Intent::open;
};

/// A quantity for each side: what rests there, or what may rest there.
struct SideQty {
  Qty bid, ask;

  Qty of(Side side) const { return side == Side::bid ? bid : ask; }
  Qty& of(Side side) { return side == Side::bid ? bid : ask; }
  friend bool operator==(const SideQty&, const SideQty&) = default;
};

/// Both sides of one symbol; bound: 50 layers a side and some protective orders.
using Quotes = base::StaticVector<Quote, 128>;

}  // namespace phoenix::model
