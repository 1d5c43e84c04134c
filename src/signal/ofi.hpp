#pragma once

#include "base/static_vector.hpp"
#include "base/time.hpp"
#include "model/market.hpp"
#include "signal/window.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace phoenix::signal {

inline constexpr std::size_t top_levels_max = 5;

/// The best levels of a book, best first. A level that is not there is absent, never (0, 0).
struct TopLevels {
  base::StaticVector<model::Level, top_levels_max> bids, asks;

  /// Both sides are there and the bid is below the ask.
  bool is_sound() const {
    return !bids.empty() && !asks.empty() && bids[0].price.is_positive() && bids[0].price < asks[0].price;
  }
};

/// What flowed between two books, level by level; empty where the level is missing in one of them.
struct Flows {
  using Side = std::array<std::optional<model::Qty>, top_levels_max>;
  Side bid, ask;                ///< the flow of the level is bid less ask
  Side bid_legacy, ask_legacy;  ///< change of the quantity at the same index
};

/// bid = [Pb >= Pb']qb - [Pb <= Pb']qb', ask = [Pa <= Pa']qa - [Pa >= Pa']qa': a price that moves away takes
/// its whole queue with it, instead of being compared with the queue of another price. Quantities are not
/// negative (a book has none that are).
Flows flows(const TopLevels& previous, const TopLevels& current);

struct OfiOptions {
  std::array<double, top_levels_max> weights{.4, .25, .2, .1,
                                             .05};  ///< negative counts as 0; brought to a sum of 1
  int window = 80;                                  ///< samples of the z-score, 5 to 4096
  double ema_alpha = .3;
  double winsor_k = 3;  ///< in deviations of 1.4826 x MAD; inside z only
  double z_clip = 3;
  double std_floor = 1e-7;
  base::Duration gap_reset =
      base::milliseconds{2000};  ///< event time between books beyond which all starts anew
};
/// What is wrong with the options; empty when nothing is.
std::string check(const OfiOptions& options);

/// What one book adds to the order-flow imbalance.
struct OfiSample {
  double value = 0, legacy = 0, ema = 0;
  std::optional<double> z_raw, z;
  bool warmup = true, std_zero = false, session_reset = false;
};

/// Order-flow imbalance of one symbol, per book update. The first book, the first after a gap and a book that
/// is one-sided or crossed give no sample; a level missing deeper down gives no term. The score of a sample
/// is taken against the samples before it, which are kept as they were measured.
class Ofi {
 public:
  explicit Ofi(const OfiOptions& options = {});

  std::optional<OfiSample> on_book(const TopLevels& levels, base::VenueTime event_time);
  /// Forgets the samples, the average and the book before: what a hole of unknown length asks for.
  void reset();
  /// Forgets only the book before: the next one gives no sample.
  void break_chain() { has_previous_ = false; }

  /// Levels with a price that is not positive or a negative quantity, since construction. Such a book gives
  /// no sample.
  std::int64_t bad_points() const { return bad_points_; }

 private:
  bool is_usable(const TopLevels& levels);
  void start_anew_where_due(base::VenueTime event_time);
  void forget_samples();
  void score(double value, OfiSample& sample) const;

  OfiOptions options_;
  std::array<double, top_levels_max> weights_{};
  Moments moments_;
  SortedWindow sorted_;
  TopLevels previous_;
  std::optional<base::VenueTime> last_time_;
  bool has_previous_ = false;
  bool reset_pending_ = false;
  std::optional<double> ema_;
  std::int64_t bad_points_ = 0;
};

}  // namespace phoenix::signal
