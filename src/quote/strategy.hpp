#pragma once

#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/instrument.hpp"
#include "model/quote.hpp"
#include "signal/intensity.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace phoenix::quote {

using signal::Intensity;

/// All that a strategy gets to see. The engine asks only on a book with proof.
struct QuoteInput {
  const model::Instrument& instrument;
  model::TopOfBook top;
  model::Qty position;  ///< signed
  base::LocalTime now{};
  model::Rate predicted_funding{};           ///< of the coming interval; zero when unknown
  std::optional<double> volatility_ratio{};  ///< sigma of 30 min of mids over the mid; empty until ready
  std::optional<double> volatility_per_s{};  ///< of the mid's moves, quote currency per sqrt(s); likewise
  std::optional<double> vpin{};              ///< share of one-sided volume, [0, 1]; empty until ready
  std::optional<Intensity> intensity{};      ///< empty until ready
  /// The best prices where others rest too; empty when unknown. Without them nobody can tell a touch that is
  /// ours alone from the market's.
  std::optional<model::Price> other_bid{}, other_ask{};
};

/// In what way a strategy handles its position; for the log, the metrics and the report.
enum class Mode : std::uint8_t { normal, pinning, grinding };
constexpr std::string_view name(Mode mode) {
  constexpr std::string_view names[] = {"normal", "pinning", "grinding"};
  return names[static_cast<std::size_t>(mode)];
}

/// An order that takes now or not at all, and only reduces.
struct Take {
  model::Side side = model::Side::bid;
  model::Qty qty;
  model::Price limit;  ///< the worst price
};

/// What a strategy wants.
struct Decision {
  model::Quotes quotes;  ///< what should rest in the market: bids first, then asks, from the market outwards
  std::optional<Take> take;
  Mode mode = Mode::normal;
  double progress = 0;     ///< of grinding: from its threshold (0) to the whole limit (1) and beyond
  std::string_view why{};  ///< less is wanted than usual, or nothing: the reason, a static text; else empty

  void clear() {
    quotes.clear();
    take.reset();
    mode = Mode::normal;
    progress = 0;
    why = {};
  }
};

/// Turns a book and a position into wanted quotes. A pure object: its state is its own, it reaches no order,
/// no clock and no other strategy, so that equal inputs in equal order give equal quotes everywhere.
class Strategy {
 public:
  Strategy() = default;
  Strategy(const Strategy&) = delete;
  Strategy& operator=(const Strategy&) = delete;
  virtual ~Strategy() = default;

  /// Replaces `out` by what is wanted now; every price and quantity keeps the instrument's rules, no bid
  /// meets an ask, nothing but the take takes.
  virtual void quote(const QuoteInput& in, Decision& out) = 0;
  /// Why its parameters make no ladder under these rules at this price; empty: they do.
  virtual std::string_view misfit(const model::Instrument& instrument, model::Price mid) const {
    static_cast<void>(instrument);
    static_cast<void>(mid);
    return {};
  }
};

}  // namespace phoenix::quote
