#include "quote/ladder.hpp"

#include <algorithm>

namespace phoenix::quote {

bool is_positive(const Distance& distance) {
  return model::fits_scaled(distance.value) && distance.value > 0;
}

double exact_mid(const model::TopOfBook& top) {
  return 0.5 * (top.bid.price.to_double() + top.ask.price.to_double());
}

std::strong_ordering compare_usage(model::Qty position, model::Qty net_max, double level) {
  // In whole numbers, so that a position at the level is at it in every build.
  __extension__ using Wide = __int128;
  const auto level_raw = model::to_step(level, model::Qty::from_raw(1), model::Rounding::nearest).raw();
  const Wide used = Wide{position.raw()} * base::decimal_one;
  const Wide bound = Wide{net_max.raw()} * level_raw;
  return (used < 0 ? -used : used) <=> bound;
}

std::optional<model::Side> reducing_side(model::Qty position) {
  if (position.is_zero()) return std::nullopt;
  return position.is_positive() ? model::Side::ask : model::Side::bid;
}

SideBuilder::SideBuilder(const QuoteInput& in, model::Side side, model::Quotes& out)
    : in_(in), side_(side), tick_(std::max(in.instrument.tick_size, model::Price::from_raw(1))), out_(out) {
  if (side == model::Side::bid) {
    bound_ = in.top.ask.price - tick_;
    return;
  }
  bound_ = in.top.bid.price + tick_;
  if (!out.empty()) bound_ = std::max(bound_, out.front().price + tick_);  // above our own best bid
}

bool SideBuilder::add(double wanted, model::Qty qty, model::Intent intent) {
  if (!model::fits_scaled(wanted) || wanted <= 0) return false;
  const bool bid = side_ == model::Side::bid;
  model::Price price = model::to_tick(wanted, tick_, bid ? model::Rounding::down : model::Rounding::up);
  price = bid ? std::min(price, bound_) : std::max(price, bound_);
  bound_ = bid ? price - tick_ : price + tick_;
  const std::uint16_t layer = layer_++;
  const model::Qty whole = in_.instrument.qty_down(qty);
  if (!model::check_order(in_.instrument, price, whole, intent)) {
    out_.push_back({.side = side_, .layer = layer, .price = price, .qty = whole, .intent = intent});
  }
  return true;
}

void SideBuilder::add_ladder(double centre, const Distances& distances, int layers, model::Qty qty) {
  for (int n = 0; n < layers; ++n) {
    const double distance = distances[static_cast<std::size_t>(n)];
    if (!add(side_ == model::Side::bid ? centre - distance : centre + distance, qty)) return;
  }
}

}  // namespace phoenix::quote
