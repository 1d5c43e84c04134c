#pragma once

#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/market.hpp"
#include "signal/window.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace phoenix::signal {

struct MarketStateOptions {
  int samples = 1800;       ///< one a second: 30 minutes; 2 to 86,400
  int samples_ready = 300;  ///< from which `volatility_ratio` is given
  base::Duration volatility_half_life = base::seconds{60};
  int moves_ready = 60;                        ///< from which `volatility_per_s` is given
  base::Duration gap_max = base::seconds{60};  ///< without a mid: what came before is forgotten
  double funding_alpha = 0.3;                  ///< weight of the newest rate, (0, 1]
  model::Money vpin_bucket_size = model::Money::from_units(50'000);  ///< quote currency traded; up to 1e9
  int vpin_num_buckets = 50;                                         ///< 1 to 1,000
  int vpin_buckets_ready = 5;  ///< full ones from which `vpin` is given; at most vpin_num_buckets
};
/// The first rule they break, in words; empty when they keep them all.
std::string check(const MarketStateOptions& options);

/// The share of one-sided volume: volume-synchronized probability of informed trading (Easley, Lopez de
/// Prado, O'Hara 2012), with the side as the venue states it. Traded value fills buckets of one size, a
/// trade over a bucket's rim split exactly; VPIN is the sum of |bought - sold| over the full ones, over
/// their sum of values. Whole numbers throughout.
class Vpin {
 public:
  Vpin(model::Money bucket_size, int buckets);

  /// Price and quantity positive; else it is ignored.
  void on_trade(model::Price price, model::Qty qty, model::Side aggressor);
  void clear();
  /// Full buckets in the window.
  int buckets() const { return static_cast<int>(full_); }
  /// In [0, 1]; 0 without a full bucket.
  double value() const;

 private:
  __extension__ using Wide = __int128;

  void close_bucket();

  std::int64_t size_raw_;
  std::vector<std::int64_t> imbalances_;  ///< |bought - sold| of the full buckets, a ring
  std::size_t full_ = 0, next_ = 0;
  Wide imbalance_sum_ = 0;
  std::int64_t bought_ = 0, sold_ = 0;  ///< in the bucket that fills
};

/// What a strategy is told about one symbol besides its book and position. O(1) an event; time is the
/// venue's, a step back is taken as no step.
///
/// The mid is sampled once a second: the last of each second, the same again for quiet seconds. After a gap
/// without any mid everything but the funding rate is forgotten, so that no figure spans unrelated times.
class MarketState {
 public:
  explicit MarketState(const MarketStateOptions& options = {});

  void on_mid(model::Price mid, base::VenueTime now);
  void on_trade(const model::AggTrade& trade);
  void on_funding(model::Rate rate);

  /// Population standard deviation of the samples over their mean; empty before `samples_ready`.
  std::optional<double> volatility_ratio() const;
  /// Of the mid's moves from second to second, quote currency per sqrt(s): the root of their squares' average
  /// with the half-life; empty before `moves_ready`.
  std::optional<double> volatility_per_s() const;
  /// Empty before `vpin_buckets_ready`.
  std::optional<double> vpin() const;
  /// Exponential average of the rates; empty before the first.
  std::optional<model::Rate> predicted_funding() const;

  int samples() const { return static_cast<int>(samples_.size()); }
  int vpin_buckets() const { return vpin_.buckets(); }
  std::uint64_t resets() const { return resets_; }

 private:
  void reset();
  void close_second();

  MarketStateOptions options_;
  Moments samples_;
  double kept_;  ///< of the moves' average from second to second
  double squares_ = 0, weights_ = 0;
  std::int64_t moves_ = 0;
  std::optional<model::Price> sampled_;  ///< the sample before
  model::Price mid_;
  std::int64_t second_ = 0;
  std::optional<base::VenueTime> last_;
  Vpin vpin_;
  std::optional<double> funding_;  ///< in units of 1e-8
  std::uint64_t resets_ = 0;
};

}  // namespace phoenix::signal
