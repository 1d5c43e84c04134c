#pragma once

#include "model/fixed.hpp"
#include "model/instrument.hpp"
#include "model/quote.hpp"
#include "quote/strategy.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace phoenix::quote {

inline constexpr int layers_max = 50;  ///< per side, of any ladder

/// In what a distance is given: the keys end in `_abs` (quote currency) or `_bps` (1e-4 of the mid).
enum class DistanceUnit : std::uint8_t { abs, bps };
struct Distance {
  DistanceUnit unit = DistanceUnit::bps;
  double value = 0;

  double at(double mid) const { return unit == DistanceUnit::abs ? value : value * 1e-4 * mid; }
};
bool is_positive(const Distance& distance);

/// Distances of a ladder's layers from its centre, from the market outwards.
using Distances = std::array<double, layers_max>;

/// The mid exactly as a double: half a unit of 1e-8 is not lost as it is in TopOfBook::mid.
double exact_mid(const model::TopOfBook& top);
/// |position| against net_max * level, in whole numbers: a level of up to eight decimals is met exactly.
std::strong_ordering compare_usage(model::Qty position, model::Qty net_max, double level);
/// The side that brings the position towards zero; empty when flat.
std::optional<model::Side> reducing_side(model::Qty position);

/// Lays one side of a book from the market outwards: bids round down, asks up, quantities down; nothing
/// takes, asks stay above the bids that `out` holds already, layers that fall on one price go a tick further
/// out each; what the venue's rules refuse is left out.
class SideBuilder {
 public:
  SideBuilder(const QuoteInput& in, model::Side side, model::Quotes& out);

  /// The next layer, at `wanted` or as near behind it as the rules above allow. False when the price is out
  /// of every range, as is then that of every layer further out.
  bool add(double wanted, model::Qty qty, model::Intent intent = model::Intent::open);
  /// A ladder of equal layers around `centre`.
  void add_ladder(double centre, const Distances& distances, int layers, model::Qty qty);

 private:
  const QuoteInput& in_;
  model::Side side_;
  model::Price tick_, bound_;
  std::uint16_t layer_ = 0;
  model::Quotes& out_;
};

}  // namespace phoenix::quote
