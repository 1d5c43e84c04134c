#pragma once

#include "quote/grid.hpp"

#include <string>
#include <vector>

/// A market, presets and readers for the tests and benchmarks of strategies.
namespace phoenix::quote {

inline model::Instrument eth() {
  model::Instrument i;
  i.name = "ETHUSDC";
  i.status = model::SymbolStatus::trading;
  i.tick_size = model::Price::of("0.01");
  i.price_min = model::Price::of("0.01");
  i.step_size = model::Qty::of("0.001");
  i.qty_min = model::Qty::of("0.001");
  i.notional_min = model::Money::of("20");
  return i;
}

/// The specification's preset: 18 layers.
inline GridParams spec_preset() {
  GridParams p;
  p.net_max = model::Qty::of("0.30");
  p.layer_size = model::Qty::of("0.007");
  p.layers = 18;
  p.start = {DistanceUnit::abs, 1.2};
  p.first_spacing = {DistanceUnit::abs, 1.2};
  p.multiplier = 1.15;
  p.max_spacing = {DistanceUnit::abs, 25};
  p.min_spread = 0.0007;
  p.skew_coeff = 0.002;
  return p;
}

/// The live preset: 7 layers.
inline GridParams live_preset() {
  GridParams p;
  p.net_max = model::Qty::of("0.26");
  p.layer_size = model::Qty::of("0.008");
  p.layers = 7;
  p.start = {DistanceUnit::abs, 1.5};
  p.first_spacing = {DistanceUnit::abs, 1.5};
  p.multiplier = 1.75;
  p.max_spacing = {DistanceUnit::abs, 50};
  p.min_spread = 0.0005;
  p.skew_coeff = 0.006;
  return p;
}

inline model::TopOfBook top(const char* bid, const char* ask) {
  return {.bid = {model::Price::of(bid), model::Qty::of("1")},
          .ask = {model::Price::of(ask), model::Qty::of("1")},
          .update_id = 1};
}

inline std::vector<model::Quote> of_side(const model::Quotes& quotes, model::Side side) {
  std::vector<model::Quote> found;
  for (const auto& quote : quotes) {
    if (quote.side == side) found.push_back(quote);
  }
  return found;
}

inline std::vector<std::string> prices(const model::Quotes& quotes, model::Side side) {
  std::vector<std::string> found;
  for (const auto& quote : of_side(quotes, side)) found.push_back(quote.price.text());
  return found;
}

}  // namespace phoenix::quote
