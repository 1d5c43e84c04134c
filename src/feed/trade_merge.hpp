#pragma once

#include "base/static_vector.hpp"
#include "base/time.hpp"
#include "model/market.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

namespace phoenix::feed {

/// A trade nobody was given before. Those of a hole come late: order is by arrival, the id tells the rest.
struct AcceptTrade {
  model::AggTrade trade;
  std::optional<std::uint8_t> line;  ///< which connection it came on; empty: repaired from REST
};
/// Fetch the aggregate trades [from_id, to_id], both included, `fetch_max` of them at most; answer with
/// on_fetched or fetch_failed.
struct FetchTrades {
  model::SymbolId symbol;
  std::int64_t from_id = 0, to_id = 0;
};
/// These trades will not come any more: mark the recording. Both ids included.
struct TradesLost {
  model::SymbolId symbol;
  std::int64_t from_id = 0, to_id = 0;
};
using TradeAction = std::variant<AcceptTrade, FetchTrades, TradesLost>;
/// Caller-owned, drained and cleared by the caller. One call appends at most 2 * holes_max + 3 actions, and
/// two for each trade fetched.
using TradeActions = std::vector<TradeAction>;

/// Ids of trades, both included.
struct TradeRange {
  std::int64_t from = 0, to = 0;
  friend bool operator==(const TradeRange&, const TradeRange&) = default;
};

struct TradeMergeOptions {
  /// The last id an earlier run kept: what came since is a hole, what came before is covered.
  std::optional<std::int64_t> resume_after{};
  /// What that run still missed at its end: ascending, apart, all below `resume_after`, at most holes_max.
  std::vector<TradeRange> resume_missing{};
  base::Duration hole_wait = base::milliseconds{150};  ///< how long another line may take to close a hole
  base::Duration backoff_min = base::seconds{1};
  base::Duration backoff_max = base::seconds{30};
  base::Duration answer_timeout = base::seconds{5};
  base::Duration give_up_after = base::minutes{10};  ///< the oldest a hole gets, if it was asked for by then
  std::int64_t fetch_max = 1'000;                    ///< trades in one answer; the venue's own limit
};

struct TradeLineStats {
  std::uint64_t accepted = 0;
  std::uint64_t covered = 0;  ///< known already: another line, or an earlier connection, was first
};
struct TradeMergeStats {
  std::uint64_t holes = 0;            ///< times ids were jumped over
  std::uint64_t late = 0;             ///< trades a line brought into a hole
  std::uint64_t repaired = 0;         ///< trades REST brought into a hole
  std::uint64_t lost = 0;             ///< trades given up
  std::uint64_t fetches = 0;          ///< requests asked for
  std::uint64_t fetches_failed = 0;   ///< failed, unanswered or without anything new
  std::uint64_t fetched_covered = 0;  ///< trades of answers that were known or not asked for
  std::uint64_t holes_dropped = 0;    ///< holes given up because the list was full
  std::uint64_t bad_ids = 0;          ///< negative ids: ignored
  std::size_t holes_high_water = 0;
};

/// Merges the aggregate trades of one symbol from up to three lines: each id is handed out once, whichever
/// line or answer brings it first, or it is named lost. Rests on the venue's promise that the ids of one
/// symbol are consecutive, so a jump is a hole.
///
/// Kept are the newest id and the holes below it, no set of ids: whatever is neither above the one nor within
/// the other is known. Ids that go backwards are therefore covered. The first trade ever is the baseline.
///
/// A hole is asked for at REST once it is `hole_wait` old (at once while fewer than two lines are up), with
/// one request at a time and a backoff that doubles. What the venue leaves out of an answer although it
/// returned later trades is lost, as is what is left of a hole after `give_up_after`. With the list full the
/// oldest hole is lost. No I/O, no clock, no allocation apart from the caller's `out`. One thread.
class TradeMerge {
 public:
  static constexpr std::size_t lines_max = 3;
  static constexpr std::size_t holes_max = 64;

  TradeMerge(model::SymbolId symbol, TradeMergeOptions options = {});

  /// A trade brings its line up as well.
  void line_up(std::size_t line) { lines_.at(line).up = true; }
  /// May make a hole due: look at `next_deadline` again.
  void line_down(std::size_t line) { lines_.at(line).up = false; }

  /// `line` is below lines_max.
  void on_trade(const model::AggTrade& trade, std::size_t line, base::LocalTime now, TradeActions& out);
  /// The answer to FetchTrades{.from_id = asked_from}; empty when the venue has none from there on.
  void on_fetched(std::span<const model::AggTrade> trades, std::int64_t asked_from, base::LocalTime now,
                  TradeActions& out);
  /// The answer will not come, or the request could not be sent: asks again after the backoff.
  void fetch_failed(base::LocalTime now);

  /// Fires whatever is due. Calling it early or twice is harmless.
  void expire(base::LocalTime now, TradeActions& out);
  /// When `expire` is next wanted; empty while nothing is missing.
  std::optional<base::LocalTime> next_deadline() const;

  /// Newest id seen; holes may lie below it.
  std::optional<std::int64_t> last_id() const { return last_id_; }
  /// Every id up to this one was handed out or named lost.
  std::optional<std::int64_t> complete_to() const;
  std::size_t holes() const { return holes_.size(); }
  /// What is missing and not given up, ascending.
  base::StaticVector<TradeRange, holes_max> missing_ranges() const;
  /// Trades missing and not given up.
  std::uint64_t missing() const;
  const TradeMergeStats& stats() const { return stats_; }
  const TradeLineStats& stats(std::size_t line) const { return lines_.at(line).stats; }

 private:
  struct Hole {
    std::int64_t from = 0, to = 0;
    base::LocalTime since{};
  };
  struct Line {
    bool up = false;
    TradeLineStats stats;
  };

  void open_hole(std::int64_t from, std::int64_t to, base::LocalTime now, TradeActions& out);
  bool take_from_hole(std::int64_t id, TradeActions& out);
  void cut(std::size_t index, std::int64_t from, std::int64_t to, TradeActions& out);
  void lose_within(std::int64_t from, std::int64_t to, TradeActions& out);
  void lose_oldest(TradeActions& out);
  void tell_lost(std::int64_t from, std::int64_t to, TradeActions& out);
  void retry_later(base::LocalTime now);
  base::Duration wait() const;
  bool was_asked_enough() const;

  model::SymbolId symbol_;
  TradeMergeOptions options_;
  std::optional<std::int64_t> last_id_;
  base::StaticVector<Hole, holes_max> holes_;  ///< ascending by id and by age, the oldest first
  std::array<Line, lines_max> lines_;
  static constexpr int asks_min = 3;            ///< before anything is given up
  int asks_ = 0;                                ///< since an answer last brought something
  std::optional<std::int64_t> asked_from_;      ///< the request that is out
  std::optional<base::LocalTime> request_due_;  ///< the earliest next one, or the end of the patience
  base::Duration backoff_{};
  TradeMergeStats stats_;
};

}  // namespace phoenix::feed
