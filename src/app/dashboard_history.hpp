#pragma once

#include "base/time.hpp"
#include "ops/status.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::app {

/// How a symbol stood at one instant.
struct PriceSample {
  base::LocalTime at{};
  std::optional<model::Price> mid, own_bid, own_ask;
  model::Qty position;
  model::Money net_pnl;
};

/// A stream's state from this instant on, and what it was concluded from.
struct StateChange {
  base::LocalTime at{};
  std::string state, evidence;
};
/// One stream on one line, or the price of a symbol (role "price", line -1).
struct Timeline {
  std::string symbol, role, connection;
  int line = -1;
  std::deque<StateChange> changes;
  bool changed = false;  ///< since `take_changed`
};

/// What was recorded of a symbol in one minute, as far as this run saw it.
struct CoverageMinute {
  std::int64_t minute = 0;  ///< since 1970
  int seconds_seen = 0;     ///< looked at
  int seconds_good = 0;     ///< of these, with proved data
  std::uint64_t rows = 0;
  std::uint64_t trades_lost = 0, resyncs = 0;
};
struct Coverage {
  std::string symbol;
  std::deque<CoverageMinute> minutes;
};

/// What the dashboard shows of the past, kept where it is served so that a page that is opened late knows it
/// too. Fed with statuses in order of time; everything is bounded. One thread.
class DashboardHistory {
 public:
  static constexpr base::Duration sample_interval = base::seconds{1};
  static constexpr std::size_t samples_max = 900;  ///< a symbol
  static constexpr std::size_t changes_max = 64;   ///< a stream
  static constexpr base::Duration timeline_span = base::minutes{15};
  static constexpr std::size_t minutes_max = 180;

  void see(const ops::Status& status);

  /// Null when the symbol is not known.
  const std::deque<PriceSample>* samples(std::string_view symbol) const;
  const std::vector<Timeline>& timelines() const { return timelines_; }
  /// Indexes into `timelines` of those with another state than at the last call.
  std::vector<std::size_t> take_changed();
  const std::vector<Coverage>& coverage() const { return coverage_; }

 private:
  struct Counted {
    std::uint64_t rows = 0, trades_lost = 0, resyncs = 0;
  };
  void see_states(const ops::Status& status);
  void note(std::string_view symbol, std::string_view role, std::string_view connection, int line,
            std::string_view state, const std::string& evidence, base::LocalTime now);
  void sample(const ops::Status& status);
  void cover(const ops::SymbolStatus& symbol, std::size_t index, base::LocalTime now);

  std::vector<std::pair<std::string, std::deque<PriceSample>>> samples_;
  std::vector<Timeline> timelines_;
  std::vector<Coverage> coverage_;
  std::vector<Counted> counted_;  ///< by index of `coverage_`: totals at the last look
  std::optional<base::LocalTime> sampled_at_;
};

}  // namespace phoenix::app
