#pragma once

#include "base/time.hpp"
#include "signal/rows.hpp"

#include <optional>
#include <string>

namespace phoenix::signal {

struct FusionOptions {
  double weight_ofi = .6, weight_cvd = .4;  ///< brought to a sum of 1
  double z_clip = 4;
  double base = .95, strong = 1.7;                          ///< |score| above which a signal is entered
  double consistency_base = .12, consistency_strong = .45;  ///< and the consistency it needs
  double exit = .6, exit_slope = .5,
         exit_consistency = .3;  ///< left below exit + slope x max(0, c - exit_consistency)
  base::Duration cool_down = base::milliseconds{300}, cool_down_min = base::milliseconds{120};
  double cool_down_shrink = .6;  ///< of the cool-down, for the strongest score
  double flip_ratio = 1.05;      ///< a change of side beyond this multiple of base needs no cool-down
  base::Duration lag_max =
      base::milliseconds{250};  ///< between book and trade, beyond which the input is degraded
  int warmup = 10;
  double calibration_k = 1;
};
std::string check(const FusionOptions& options);

struct FusionInput {
  std::optional<double> z_ofi, z_cvd;
  base::Duration lag{};
};

struct FusionSample {
  std::optional<double> score, proba, consistency, dispersion, comp_ofi, comp_cvd;
  std::optional<bool> sign_agree;
  FusionSignal raw = FusionSignal::neutral, signal = FusionSignal::neutral;
  FusionReason reason = FusionReason::warmup;
};

/// Pause after the last change of signal, for a score of this size: shorter for stronger ones.
base::Duration effective_cool_down(const FusionOptions& options, double score);

/// Both scores in one, and what to make of it.
///
///     state \ raw     same side, as strong    same side, stronger    neutral or weaker          other side
///     neutral         -                       enter, if not cooling  -                          -
///     a signal        stay                    rise, if not cooling   stay while score >= exit,  enter, if
///     not cooling or
///                                                                    else neutral               flip; else
///                                                                    neutral
///
/// A degraded input has no consistency, so it can hold a signal and never raise one. Without a score there is
/// no signal.
class Fusion {
 public:
  explicit Fusion(const FusionOptions& options = {});

  FusionSample step(const FusionInput& input, base::VenueTime now);
  /// Neutral and in warm-up again.
  void reset();
  FusionSignal signal() const { return state_; }

 private:
  void combine(double z_ofi, double z_cvd, bool degraded, FusionSample& sample) const;
  FusionSignal raw_signal(const FusionSample& sample) const;
  void advance(FusionSample& sample, base::VenueTime now);

  FusionOptions options_;
  double weight_ofi_, weight_cvd_;
  FusionSignal state_ = FusionSignal::neutral;
  std::optional<base::VenueTime> changed_;  ///< when a signal was last entered or raised
  int samples_ = 0;
};

}  // namespace phoenix::signal
