#pragma once

#include "base/time.hpp"
#include "engine/options.hpp"
#include "feed/trade_merge.hpp"
#include "model/fixed.hpp"
#include "record/row.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::engine {

/// Where the recording of one symbol ends, learned from its rows in the order in which they were written.
/// Memory follows the number of holes between trades, not the number of trades.
class ResumeState {
 public:
  /// The rows that follow are of a later run. It starts from the sum that `point` tells.
  void begin_run();
  /// A row of this symbol and when it was written.
  void look_at(const record::RowView& row, base::LocalTime written);

  /// What is known from elsewhere: files of earlier rows.
  void add_trades(feed::TradeRange ids);  ///< recorded, or named lost
  void add_last_depth(std::int64_t id) { raise(last_depth_id_, id); }
  /// Of the table of seconds. Empty stays what lies far beyond our clock as it was then: the venue's was
  /// wrong, and no run waits for it.
  void add_last_second(std::int64_t second, base::LocalTime known_at);
  void add_written(base::LocalTime time) { raise(until_, time); }

  /// Highest trade whose sum was written; empty when no row had one.
  std::optional<std::int64_t> last_cvd_id() const { return last_cvd_id_; }
  std::optional<base::LocalTime> until() const { return until_; }
  /// What a new run is to be told.
  ResumePoint point(std::string_view symbol) const;

 private:
  /// Trades that wait for the signals' merge at the most.
  static constexpr std::size_t unsummed_max = 8192;
  static constexpr std::int64_t second_ahead_max = 3'600;  ///< a second beyond our clock by more is not kept

  template <class T>
  static void raise(std::optional<T>& to, T value) {
    if (!to || value > *to) to = value;
  }
  void on_trade(const record::RowView& row);
  void on_cvd(const record::RowView& row);
  void on_coverage(const record::RowView& row);

  std::vector<feed::TradeRange> trades_;  ///< recorded, or named lost: ascending, and a hole between any two
  std::optional<std::int64_t> last_depth_id_, last_cvd_id_, last_second_;
  std::optional<base::LocalTime> until_;
  model::Qty cvd_;                               ///< of the row written last, late trades included
  std::map<std::int64_t, model::Qty> unsummed_;  ///< signed quantity of trades that no sum holds yet
};

}  // namespace phoenix::engine
