#pragma once

#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/side.hpp"
#include "signal/rows.hpp"
#include "signal/window.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace phoenix::signal {

/// An average whose memory halves with every half-life of event time. The first value seeds it.
class TimeEwma {
 public:
  explicit TimeEwma(base::Duration half_life) : half_life_{half_life} {}

  /// `passed` since the value before; below 1 ms counts as 1 ms.
  void add(double value, base::Duration passed);
  void clear() { value_.reset(); }
  double value() const { return value_.value_or(0); }

 private:
  base::Duration half_life_;
  std::optional<double> value_;
  base::Duration last_passed_{};  ///< trades of one burst are equally far apart: the power is kept
  double last_kept_ = 1;
};

/// Who bought, where the venue does not say: a price above the last one means a buyer, below a seller, and an
/// equal price the same side as before. That last guess holds for few trades and a short time, then no guess
/// is made until the price changes or the venue says a side.
class TickRule {
 public:
  struct Options {
    int repeats_max = 5;
    base::Duration age_max = base::seconds{2};
  };
  explicit TickRule(Options options) : options_{options} {}

  std::optional<model::Side> side(model::Price price, base::VenueTime now, std::optional<model::Side> told);
  void clear();

 private:
  Options options_;
  struct Last {
    model::Price price;
    model::Side side;
    base::VenueTime time;
  };
  std::optional<Last> last_;
  int repeats_ = 0;
  bool blocked_ = false;
};

struct CvdOptions {
  enum class ZMode : std::uint8_t { level, delta };      ///< of the sum against its window, or of each trade
  enum class ScaleMode : std::uint8_t { hybrid, ewma };  ///< of ZMode::delta
  ZMode z_mode = ZMode::delta;
  ScaleMode scale_mode = ScaleMode::hybrid;
  base::Duration half_life_fast = base::seconds{60}, half_life_slow = base::seconds{600};
  double fast_weight = .3;  ///< in calm markets it falls with the trade rate
  double mad_multiplier = 1.7;
  double winsor = 2;
  int mad_window = 200, mad_samples_min = 50;
  int freeze_min = 20;    ///< the trade that has the first score
  double tps_full = 1.5;  ///< trades per second from which the fast average has its full weight
  double tps_min = .2, boost_power = .7;
  int level_window = 150, level_warmup_min = 3;
  double ema_alpha = .2;
  /// Trades without a score after a pause in event time: one from `pause_short` on, two beyond `pause_long`.
  base::Duration pause_short = base::milliseconds{4000}, pause_long = base::milliseconds{5000};
  TickRule::Options tick_rule;
};
std::string check(const CvdOptions& options);

struct CvdSample {
  model::Qty cvd, delta;
  std::optional<double> z_raw, z, scale, sigma_floor;
  bool floor_used = false, ready = false, std_zero = false;
  CvdReason reason = CvdReason::warmup;
  double ema = 0, tps = 0;
};

/// Cumulative volume delta of one symbol, per trade.
class Cvd {
 public:
  explicit Cvd(const CvdOptions& options = {}, model::Qty carried = {});

  /// Empty where the trade's side cannot be told. Price and quantity are positive, and `now` does not go
  /// back.
  std::optional<CvdSample> on_trade(model::Price price, model::Qty qty, std::optional<model::Side> aggressor,
                                    base::VenueTime now);
  /// Forgets everything but the sum.
  void reset();

  model::Qty sum() const { return cvd_; }
  std::int64_t side_unknown() const { return side_unknown_; }

 private:
  void freeze_after(base::Duration pause);
  void scale_delta(base::Duration passed, CvdSample& sample);
  void score_level(CvdSample& sample);
  std::optional<double> scale_floor(double tps) const;

  CvdOptions options_;
  TickRule tick_rule_;
  TimeEwma fast_, slow_;
  SortedWindow deltas_;
  Moments levels_;
  EventCount minute_;
  model::Qty cvd_;
  std::optional<double> ema_;
  std::optional<base::VenueTime> last_time_;
  std::int64_t trades_ = 0;
  int frozen_ = 0;
  std::int64_t side_unknown_ = 0;
};

}  // namespace phoenix::signal
