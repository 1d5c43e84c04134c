#pragma once

#include "book/ladder.hpp"
#include "model/market.hpp"
#include "model/quote.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace phoenix::book {

struct BookOptions {
  /// The instrument's tick size; inferred from the prices seen where it is not given. Decides speed only.
  std::optional<model::Price> tick;
  /// Ticks held in the flat array of each side: a power of two, 4096 to 262144. Memory a side: 8 bytes each,
  /// of which only pages in use become resident.
  std::uint32_t window_ticks = 1U << 18;
  /// Levels a side. Beyond it the level farthest from the touch is dropped and counted.
  std::size_t levels_max = 1U << 16;
};

/// What the bounds of a book did; all since construction, both sides together.
struct BookStats {
  std::uint64_t levels_dropped = 0;  ///< beyond levels_max
  std::uint64_t levels_refused = 0;  ///< price not positive, or quantity negative
  std::uint64_t levels_far = 0;      ///< updates outside the flat window
  std::uint64_t window_moves = 0;
};

/// Whether the best bid and ask make sense. `crossed` (bid above ask) after a whole event means a corrupt
/// book.
enum class Touch : std::uint8_t { one_sided, apart, locked, crossed };

/// The order book of one symbol, built from snapshots and deltas that were already put in order (see
/// feed::DepthSync: this class checks no ids). Quantities are absolute; zero removes; removing an unknown
/// level is normal. Any levels at all are survived. One thread.
class Book {
 public:
  explicit Book(BookOptions options = {});

  /// Replaces everything.
  void apply(const model::DepthSnapshot& snapshot);
  void apply(const model::DepthDelta& delta);
  /// One level; `settle` after the last one of an event (the two functions above do).
  void set(model::Side side, model::Level level) { ladder(side).set(level); }
  void settle();
  /// Empty, as new. Counters run on.
  void clear();

  std::optional<model::Level> best(model::Side side) const { return ladder(side).best(); }
  std::optional<model::Level> best_bid() const { return bids_.best(); }
  std::optional<model::Level> best_ask() const { return asks_.best(); }
  /// Empty unless both sides are there and the bid is below the ask.
  std::optional<model::TopOfBook> top() const;
  Touch touch() const;
  /// Writes up to out.size() levels of `side`, best first; returns how many.
  std::size_t top(model::Side side, std::span<model::Level> out) const;
  /// Calls `visit(const model::Level&) -> bool` from the best outward until it returns false.
  template <class Visit>
  void walk(model::Side side, Visit&& visit) const {
    ladder(side).walk(visit);
  }
  /// Zero where there is no level.
  model::Qty qty_at(model::Side side, model::Price price) const { return ladder(side).qty_at(price); }
  std::size_t level_count(model::Side side) const { return ladder(side).size(); }
  bool empty() const { return bids_.size() == 0 && asks_.size() == 0; }
  /// Saturates at the largest Qty.
  model::Qty total_qty(model::Side side) const { return ladder(side).total_qty(); }
  /// Update id of the last snapshot or delta applied; 0 while there was none.
  std::int64_t last_id() const { return last_id_; }
  BookStats stats() const;
  /// The tick the ladder of `side` works with; zero while unknown.
  model::Price tick(model::Side side) const { return ladder(side).tick(); }

 private:
  Ladder& ladder(model::Side side) { return side == model::Side::bid ? bids_ : asks_; }
  const Ladder& ladder(model::Side side) const { return side == model::Side::bid ? bids_ : asks_; }

  BookOptions options_;
  Ladder bids_, asks_;
  std::int64_t last_id_ = 0;
};

}  // namespace phoenix::book
