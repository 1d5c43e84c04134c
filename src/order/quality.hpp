#pragma once

#include "base/lookup.hpp"
#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/ids.hpp"
#include "model/quote.hpp"
#include "model/side.hpp"
#include "order/order_events.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace phoenix::order {

struct QualityOptions {
  /// Of presence, fill rate and order-to-fill ratio; whole seconds, at most ten minutes.
  base::Duration window = base::minutes{5};
  /// Longer without any call, and what happened in between was not observed: the process stood still.
  base::Duration gap_max = base::seconds{5};
};

inline constexpr std::array<base::Duration, 3> markout_horizons{base::seconds{1}, base::seconds{5},
                                                                base::seconds{30}};

/// How good the fills of one symbol were and how well its quotes stand. What has no data is empty, not zero.
struct QualitySnapshot {
  /// The move of the mid in favour of our fills, a time after each of them. Since the start of this run.
  struct Markout {
    std::uint64_t fills = 0;         ///< with a known mid at that time
    std::uint64_t missed = 0;        ///< without: no mid was known then
    model::Money sum;                ///< quote currency: sum of move * qty
    model::Money volume;             ///< sum of fill price * qty
    std::optional<model::Rate> bps;  ///< sum / volume in basis points: weighted by volume
  };
  std::array<Markout, markout_horizons.size()> markouts;  ///< as markout_horizons

  // Over the window.
  std::optional<model::Rate> bid_presence, ask_presence;  ///< share of the observed time, 0..1
  std::optional<model::Rate> fill_rate;                   ///< filled / placed quantity
  std::optional<model::Rate> orders_per_fill;
  std::uint64_t cancels_per_minute = 0;  ///< cancels asked for in the last 60 s

  // Since the start of this run.
  std::optional<base::Duration> time_to_fill_mean;
  std::optional<base::Duration> time_to_fill_p50;  ///< at most an eighth above the true one
  base::Duration observed{}, bid_at_touch{}, ask_at_touch{};
  model::Qty placed_qty, filled_qty;
  std::uint64_t orders = 0, fills = 0, cancels = 0;
  std::array<std::uint64_t, 6> done{};  ///< orders that ended, by DoneReason

  // What the bounds left out.
  std::uint64_t markouts_untracked = 0;       ///< fills beyond `Quality::fills_max` within 30 s
  std::uint64_t orders_untracked = 0;         ///< placements beyond `Quality::orders_max` at once
  std::uint64_t fills_of_unknown_orders = 0;  ///< their time to fill is unknown
  std::uint64_t quantities_unsummed = 0;      ///< beyond the range of a quantity or an amount
};

/// Markouts, presence at the touch, fill rate, cancels and times to fill of one symbol. O(1) per call,
/// counting what falls out of its windows; bounded. Times are our own clock's; one that goes back counts as
/// standing.
///
/// Windows are made of whole seconds of that clock: the present one, in part, and those before it.
class Quality {
 public:
  static constexpr std::size_t fills_max = 4096;   ///< waiting for their markouts
  static constexpr std::size_t orders_max = 1024;  ///< open at once

  explicit Quality(const QualityOptions& options = {});

  /// The mid is this from now on; empty: not known.
  void on_mid(std::optional<model::Price> mid, base::LocalTime now);
  /// The best of the book and the best of ours that is proved to rest, from now on. Ours is at the touch when
  /// it is at least as good as the book's.
  void on_touch(const model::TopOfBook& top, std::optional<model::Price> own_bid,
                std::optional<model::Price> own_ask, base::LocalTime now);
  /// The book is not known: time is not counted until the next `on_touch`, and there is no mid.
  void on_no_market(base::LocalTime now);
  /// A placement, or an amend: that places what is left of the order at a new price. `qty`: open quantity.
  void on_place(model::ClientOrderId id, model::Qty qty, base::LocalTime now);
  /// A cancel was asked for. Each request counts; what became of it is `on_done`'s.
  void on_cancel(base::LocalTime now);
  void on_done(const OrderDone& done, base::LocalTime now);
  /// A fill as it happens. Fills that are told late, to close a hole, would be measured against the wrong
  /// mid: leave them out.
  void on_fill(const Fill& fill, base::LocalTime now);
  /// Brings the figures up to `now`. Call it at least every `gap_max`; more often is harmless. After a longer
  /// gap nothing is known until the next `on_mid` and `on_touch`.
  void advance(base::LocalTime now);

  QualitySnapshot snapshot(base::LocalTime now);
  /// As of the newest call.
  QualitySnapshot snapshot() const;

 private:
  struct Pending {
    base::LocalTime at{};
    model::Side side = model::Side::bid;
    model::Price price;
    model::Qty qty;
  };
  /// One second.
  struct Bucket {
    model::Qty placed_qty, filled_qty;
    base::Duration observed{}, bid_at_touch{}, ask_at_touch{};
    std::uint64_t orders = 0, fills = 0, cancels = 0;
  };
  /// Times by logarithm: eight steps an octave, from a microsecond to years.
  static constexpr std::size_t histogram_size = 8 * 47;

  base::LocalTime forward(base::LocalTime now);
  void settle_markouts(base::LocalTime now, bool stood_still);
  void settle(QualitySnapshot::Markout& markout, const Pending& fill, std::optional<model::Price> mid);
  void observe(base::LocalTime from, base::LocalTime to);
  void turn_buckets(std::int64_t second);
  Bucket& bucket_of(std::int64_t second);
  Bucket& bucket() { return bucket_of(second_); }
  void count_qty(model::Qty Bucket::* sum, model::Qty& total, model::Qty qty);
  static std::size_t histogram_index(std::uint64_t us);
  static std::uint64_t histogram_upper_us(std::size_t index);

  QualityOptions options_;
  std::optional<base::LocalTime> now_;  ///< of the newest call
  std::optional<model::Price> mid_;
  bool market_known_ = false, bid_at_touch_ = false, ask_at_touch_ = false;

  std::vector<Pending> fills_;                                    ///< ring
  std::array<std::uint64_t, markout_horizons.size()> settled_{};  ///< fills settled, by horizon
  std::uint64_t fills_taken_ = 0;                                 ///< fills put into the ring

  std::vector<Bucket> buckets_;  ///< ring of seconds
  std::int64_t second_ = 0;      ///< of the newest bucket
  Bucket window_;                ///< sum of all buckets
  std::uint64_t cancels_minute_ = 0;

  base::Lookup<model::ClientOrderId, base::LocalTime, model::ClientOrderIdHash> placed_at_;
  std::array<std::uint64_t, histogram_size> times_{};
  std::uint64_t times_count_ = 0, times_sum_us_ = 0;
  QualitySnapshot totals_;
};

}  // namespace phoenix::order
