#pragma once

#include "base/time.hpp"
#include "signal/cvd.hpp"
#include "signal/fusion.hpp"
#include "signal/labels.hpp"
#include "signal/ofi.hpp"
#include "signal/rows.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace phoenix::signal {

struct FeatureOptions {
  int lookback_secs = 60;  ///< seconds without any event that are still written; beyond it they are left out
  base::Duration book_age_max = base::seconds{5};  ///< a book older than this at the end of a second is none
};
std::string check(const FeatureOptions& options);

/// The table of seconds, by event time. Second s is closed by the first event at or after s + 2; every second
/// from the first event to the last is written.
class FeatureTable {
 public:
  /// `recorded_to`: the last second that an earlier run wrote. A second that a restart cut in two is not
  /// written again, nor any before it.
  explicit FeatureTable(const FeatureOptions& options = {}, std::optional<std::int64_t> recorded_to = {});

  /// Before each event: closes what is due. `labeller` gets the return of each closed second.
  void advance(base::VenueTime now, base::LocalTime recv_time, Labeller& labeller, Rows& rows);
  void on_book(const TopLevels& levels, base::VenueTime time);
  void on_ofi(const OfiSample& sample, base::VenueTime time);
  void on_trade(model::Price price, base::VenueTime time);
  void on_cvd(const CvdSample& sample, base::VenueTime time);
  void on_fusion(const FusionSample& sample, base::VenueTime time);
  /// Closes every second begun.
  void finish(base::LocalTime recv_time, Labeller& labeller, Rows& rows);

  /// The last second written, by this run or before it.
  std::optional<std::int64_t> recorded_to() const { return open_ ? std::optional{*open_ - 1} : recorded_to_; }
  std::int64_t late() const { return late_; }        ///< facts for a second that was closed
  std::int64_t skipped() const { return skipped_; }  ///< seconds left out, beyond the look-back

 private:
  struct Stamped {
    double value = 0;
    base::VenueTime time{};
  };
  struct Touch {
    model::Price bid, ask;
    base::VenueTime time{};
  };
  struct Second {
    std::optional<Touch> touch;
    bool touch_lost = false;  ///< the last book of the second was one-sided or crossed
    std::optional<model::Price> last_price;
    std::optional<Stamped> ofi_z, cvd_z, fusion_score;
    double ofi_sum = 0;
    model::Qty delta_sum;
    std::int64_t trade_count = 0, book_count = 0;
  };

  Second* second_of(base::VenueTime time);
  void close(base::LocalTime recv_time, Labeller& labeller, Rows& rows);

  FeatureOptions options_;
  std::optional<std::int64_t> recorded_to_;  ///< before this run
  std::optional<std::int64_t> open_;         ///< the oldest second not yet closed
  std::int64_t newest_ = 0;                  ///< the newest second with an event
  std::array<Second, 2> seconds_{};          ///< of open_ and the one after, by parity
  std::optional<Touch> touch_;               ///< at the end of the last closed second
  std::optional<double> mid_;                ///< of the last closed second
  std::int64_t late_ = 0, skipped_ = 0;
};

}  // namespace phoenix::signal
