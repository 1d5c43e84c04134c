#pragma once

#include "base/rng.hpp"
#include "exchange/matching.hpp"
#include "exchange/types.hpp"

#include <cstdint>
#include <vector>

namespace phoenix::exchange {

/// An exponential variate with mean 1 in units of 2^-32, by von Neumann's comparison method (1951): uniform
/// integers only, no logarithm.
std::uint64_t exponential_q32(base::Rng& rng);

/// What the crowd does next. `none` lets time pass.
struct AgentAction {
  enum class Kind : std::uint8_t { none, place, take, cancel } kind = Kind::none;
  Side side = Side::bid;
  Price price{};  ///< place: where it rests; take: the limit of an immediate-or-cancel order
  Qty qty{};
  MatchingBook::Handle handle = MatchingBook::none;  ///< cancel
  bool forced = false;                               ///< take: a liquidation
};

/// The crowd of one symbol: limit, market and cancel flow as a Poisson process around a fair value that
/// drifts and jumps. Makers rest at or outside the two ticks that enclose the fair value; takers hit what
/// stands on its wrong side, and now and then anything. Four regimes set the rates. docs/exchange-market.md
/// gives the numbers and the recordings they come from.
///
/// It chooses; the core carries out and reports back with `joined` and `left`.
class Agents {
 public:
  Agents(const SymbolSpec& spec, base::Rng rng, VenueTime start);

  /// When it wants to act next.
  VenueTime next_time() const { return next_action_; }
  /// Its action at `next_time()`. Then chooses the next time.
  AgentAction act(const MatchingBook& book, const Filters& filters);
  /// An order to fill an empty book with.
  AgentAction seed_order(const MatchingBook& book, const Filters& filters);

  void joined(MatchingBook::Handle handle);
  void left(MatchingBook::Handle handle);
  bool full() const { return orders_.size() >= orders_max; }
  std::size_t order_count() const { return orders_.size(); }

  Price fair() const { return Price::from_raw(fair_); }
  Regime regime() const { return regime_; }
  void set_regime(Regime regime);

  /// Resting orders of the crowd in one symbol; a placement beyond is refused and counted by the core.
  static constexpr std::size_t orders_max = 4'000;
  /// What a fresh book holds.
  static constexpr std::size_t orders_at_start = 700;

 private:
  void run_clocks();
  void move_fair();
  void switch_regime();
  VenueTime after(base::Duration mean);
  AgentAction take(const MatchingBook& book, const Filters& filters, Side side, bool forced);
  AgentAction place(const MatchingBook& book, const Filters& filters);
  AgentAction cancel(const MatchingBook& book);
  Qty size(const Filters& filters, int shift);
  Price slack() const;
  Price highest_buy() const;
  Price lowest_sell() const;

  base::Rng rng_;
  std::int64_t anchor_, fair_;  ///< raw price
  Price tick_;
  Qty size_unit_;
  std::int64_t activity_;
  Regime regime_;
  bool regime_fixed_;
  int crash_direction_ = -1;
  VenueTime next_action_, next_fair_, next_regime_;
  std::vector<MatchingBook::Handle> orders_;
  std::vector<std::uint32_t> place_in_orders_;  ///< by handle
};

}  // namespace phoenix::exchange
