#pragma once

#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/instrument.hpp"
#include "model/quote.hpp"

#include <optional>

namespace phoenix::quote {

/// All that a strategy gets to see. The engine asks only on a book with proof.
struct QuoteInput {
  const model::Instrument& instrument;
  model::TopOfBook top;
  model::Qty position;  ///< signed
  base::LocalTime now{};
  model::Rate predicted_funding{};  ///< of the coming interval; zero when unknown
  std::optional<double>
      volatility_ratio{};  ///< standard deviation of the mid over the mid; empty until ready
};

/// Turns a book and a position into wanted quotes. A pure object: its state is its own, it reaches no order,
/// no clock and no other strategy, so that equal inputs in equal order give equal quotes everywhere.
class Strategy {
 public:
  Strategy() = default;
  Strategy(const Strategy&) = delete;
  Strategy& operator=(const Strategy&) = delete;
  virtual ~Strategy() = default;

  /// Replaces `out` by what should rest in the market: bids first, then asks, each side from the market
  /// outwards; every price and quantity keeps the instrument's rules, no bid meets an ask, nothing takes.
  virtual void quote(const QuoteInput& in, model::Quotes& out) = 0;
};

}  // namespace phoenix::quote
