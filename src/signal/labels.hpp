#pragma once

#include "base/time.hpp"
#include "signal/rows.hpp"
#include "signal/window.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace phoenix::signal {

/// Of the UTC hour: 0 to 7 Tokyo, 8 to 15 London, 16 to 23 New York.
Session session_at(base::VenueTime time);

struct LabelOptions {
  int window_secs = 300;
  double active_tps = .1;         ///< Active from here
  double active_exit_ratio = .8;  ///< and until below this part of it
  double vol_split = .5;          ///< quantile of the volatility's own history beyond which it is High
  int vol_history_secs = 3600;
  FeeTier fee_tier = FeeTier::tm;
};
std::string check(const LabelOptions& options);

/// The 2x2 scenario of one symbol. Regime: trades in the window of event time, counted exactly, against a
/// fixed rate with hysteresis. Volatility: the root mean square of the mid's one-second returns in the
/// window, against the quantile of what it was before. Each is empty until its window is full.
class Labeller {
 public:
  explicit Labeller(const LabelOptions& options = {});

  /// Any event moves the clock, a trade is counted too; `now` does not go back.
  void on_book(base::VenueTime now);
  void on_trade(base::VenueTime now);
  /// The return of one second that has closed; empty where it has none, which starts the window of returns
  /// anew.
  void on_second(std::optional<double> return_1s);
  Labels at(base::VenueTime time) const;
  void reset();

  std::int64_t trades_merged() const { return trades_.merged(); }

 private:
  void judge_regime(base::VenueTime now);
  void judge_volatility();

  LabelOptions options_;
  EventCount trades_;
  std::optional<base::VenueTime> begun_;
  std::optional<Regime> regime_;
  std::vector<double> squares_;  ///< of returns; a ring
  std::size_t squares_size_ = 0, squares_next_ = 0;
  SortedWindow history_;  ///< mean squares: in the order of the volatility
  std::optional<VolBucket> vol_bucket_;
};

}  // namespace phoenix::signal
