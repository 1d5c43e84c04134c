#pragma once

#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/side.hpp"
#include "signal/cvd.hpp"
#include "signal/divergence.hpp"
#include "signal/events.hpp"
#include "signal/features.hpp"
#include "signal/fusion.hpp"
#include "signal/labels.hpp"
#include "signal/merge.hpp"
#include "signal/ofi.hpp"
#include "signal/rows.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace phoenix::signal {

/// Every setting of the signals of one symbol.
struct SignalOptions {
  OfiOptions ofi;
  CvdOptions cvd;
  FusionOptions fusion;
  DivergenceOptions divergence;
  EventOptions events;
  LabelOptions labels;
  FeatureOptions features;
  base::Duration merge_window =
      base::milliseconds{250};  ///< event time within which books and trades are put in order
  std::size_t books_max = 256, trades_max = 4096;        ///< waiting in the window
  base::Duration ofi_lag_max = base::milliseconds{800};  ///< a book older than this at a trade is none
  /// Event time without data, across a hole that was reported, beyond which averages and windows start anew.
  base::Duration hole_max = base::seconds{10};
  base::Duration quality_cool_down = base::seconds{10};

  /// The defaults, with the limits known to suit this symbol.
  static SignalOptions for_symbol(std::string_view symbol);
};
/// What is wrong with the options, naming the setting; empty when nothing is.
std::string check(const SignalOptions& options);

/// What outlives a restart.
struct SignalState {
  model::Qty cvd;
  std::optional<std::int64_t>
      last_second{};  ///< of the table of seconds, since 1970; none was written: empty
  friend bool operator==(const SignalState&, const SignalState&) = default;
};

/// Where the data is known to be incomplete.
enum class GapCause : std::uint8_t {
  depth,      ///< a break in the chain of the book
  trades,     ///< ids of trades are missing
  reconnect,  ///< the connection was lost: both
};

/// Counters since construction.
struct SignalStats {
  std::int64_t books = 0, trades = 0;  ///< processed
  std::int64_t late = 0;               ///< came after the window had passed: processed at once, out of order
  std::int64_t crowded_out = 0;        ///< released early, since the window was full
  std::int64_t books_behind = 0;       ///< dropped: their id was not beyond the last one's
  std::int64_t bad_levels = 0, bad_trades = 0;
  std::int64_t bad_times = 0;  ///< samples dropped: before 1970 or after 2096
  std::int64_t side_unknown = 0;
  std::int64_t seconds_late = 0, seconds_skipped = 0;
};

/// All signals of one symbol. Books and trades come in as they arrive; they are put in the order of event
/// time within a window, a book before a trade of the same time, and then each is taken in turn. What comes
/// out depends on what came in and on nothing else: no clock is read, and rows do not depend on how the calls
/// were batched.
///
/// One thread. Allocates at construction, and where `rows` must grow.
class SymbolSignals {
 public:
  /// Throws std::invalid_argument with the message of `check` where the options are wrong.
  explicit SymbolSignals(const SignalOptions& options, SignalState state = {});

  void on_book(const BookSample& sample, Rows& rows);
  void on_trade(const TradeSample& sample, Rows& rows);
  /// The next book or trade does not follow the one before. Writes the event at once.
  void on_gap(GapCause cause, base::VenueTime event_time, base::LocalTime recv_time, Rows& rows);
  /// Takes everything that waits, ends what holds and closes every second begun. More may follow.
  void finish(Rows& rows);

  SignalState state() const { return {cvd_.sum(), features_.recorded_to()}; }
  SignalStats stats() const;

 private:
  struct BookScore {
    std::optional<double> z_raw, z;
    base::VenueTime time{};
  };

  template <class Sample>
  void accept(PendingQueue<Sample>& queue, const Sample& sample, bool& hole, Rows& rows);
  void drain(base::VenueTime before, Rows& rows);
  void take_first(Rows& rows);
  void take(const Pending<BookSample>& book, Rows& rows);
  void take(const Pending<TradeSample>& trade, Rows& rows);
  void move_clock(base::VenueTime event_time, base::LocalTime recv_time, Rows& rows);
  void cross_book_hole(const BookSample& book);
  void cross_trade_hole(const TradeSample& trade, Rows& rows);
  /// The score of the last book, if the trade came after it and soon enough.
  const BookScore* score_at(base::VenueTime time) const;
  void write_ofi(const BookSample& book, const OfiSample& sample, Rows& rows) const;
  void write_cvd(const TradeSample& trade, const CvdSample& sample, Rows& rows) const;
  void write_fusion(const TradeSample& trade, const FusionSample& sample, Rows& rows) const;
  void find_divergence(const TradeSample& trade, const FusionSample& fused, const EventRow& common,
                       Rows& rows);
  void write_rule_events(const RuleEvents& events, const EventRow& common, Rows& rows) const;
  /// What every event at this trade has in common.
  EventRow event_at(const TradeSample& trade, const std::optional<CvdSample>& cvd) const;
  /// What every event has in common that is not of a trade.
  EventRow event_at(base::VenueTime event_time, base::LocalTime recv_time) const;
  void watch_quality(base::VenueTime event_time, base::LocalTime recv_time, Rows& rows);

  SignalOptions options_;
  Ofi ofi_;
  Cvd cvd_;
  Fusion fusion_;
  Divergence divergence_;
  EventRules rules_;
  Labeller labeller_;
  FeatureTable features_;

  PendingQueue<BookSample> books_;
  PendingQueue<TradeSample> trades_;
  bool book_hole_ = false, trade_hole_ = false;  ///< before the next sample to come
  std::optional<base::VenueTime> newest_;        ///< event time seen
  std::optional<base::VenueTime> now_;           ///< event time taken; never goes back
  base::LocalTime last_recv_{};

  std::optional<BookScore> book_score_;
  std::optional<std::int64_t> last_book_id_;
  std::optional<base::VenueTime> last_book_time_, last_trade_time_;
  std::int64_t last_trade_id_ = 0;
  std::int64_t quality_reported_ = 0;
  std::optional<base::VenueTime> quality_time_;
  SignalStats stats_;
};

}  // namespace phoenix::signal
