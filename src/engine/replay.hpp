#pragma once

#include "base/time.hpp"
#include "engine/recorded_line.hpp"
#include "model/instrument.hpp"
#include "model/market.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::engine {

/// A book at the end of a replay.
struct ReplayBook {
  std::int64_t last_id = 0;
  std::size_t bid_levels = 0, ask_levels = 0;
  model::Qty bid_qty, ask_qty;
  /// Over the lines `B price qty` best first, then `A price qty` best first; shortest decimals, lower-case
  /// hex.
  std::string sha256;
  std::vector<model::Level> bids, asks;  ///< best first, at most 20
};

/// One symbol of one product.
struct ReplaySymbol {
  std::string name;
  model::Product product = model::Product::usdm;
  /// Empty unless a snapshot and an unbroken chain of deltas led to the last event.
  std::optional<ReplayBook> book;

  std::uint64_t depth_events = 0, depth_applied = 0;
  std::uint64_t snapshots = 0;         ///< seen
  std::uint64_t syncs = 0;             ///< times the book became valid; more than one means resyncs
  std::uint64_t chain_breaks = 0;      ///< deltas that did not follow the one before
  std::uint64_t crossed_books = 0;     ///< events after which the best bid was not below the best ask
  std::uint64_t buffer_overflows = 0;  ///< no snapshot joined in time
  std::uint64_t depth_stale = 0;       ///< deltas older than the snapshot or the head, or twice the same

  std::uint64_t trades = 0, agg_trades = 0;
  model::Qty trade_qty, agg_trade_qty;
  std::uint64_t trade_holes = 0, trades_missing = 0;          ///< jumps of the trade id, ids jumped over
  std::uint64_t agg_trade_holes = 0, agg_trades_missing = 0;  ///< the same of the aggregate id
  std::uint64_t trades_repeated =
      0;  ///< of both kinds, with an id at or before the last one: not counted again

  std::uint64_t book_tickers = 0;
  /// Depth events after which our top stood beside the venue's own bookTicker at that id, and how many
  /// agreed.
  std::uint64_t tops_compared = 0, tops_agreed = 0;

  std::uint64_t resyncs() const { return syncs > 1 ? syncs - 1 : 0; }
  std::uint64_t gaps() const { return chain_breaks + trade_holes + agg_trade_holes; }
};

/// A line that could not be used as what it seems to be.
struct ReplayComplaint {
  std::string source;
  std::uint64_t line = 0;  ///< from 1
  std::string reason;
};

struct ReplayReport {
  std::vector<ReplaySymbol> symbols;  ///< in order of appearance
  std::uint64_t lines = 0, frames = 0;
  std::uint64_t frames_ignored = 0;  ///< well formed, of no use to a book or a tape
  std::uint64_t private_lines = 0;
  std::uint64_t lines_unreadable = 0;
  std::vector<ReplayComplaint> complaints;  ///< the first 100
  std::optional<base::LocalTime> first_time, last_time;
};

/// Rebuilds books and tapes from captured traffic, line by line, and says how far they can be trusted. No
/// I/O: the caller reads and decompresses. Symbols and products are found out from the frames. Any bytes are
/// survived.
///
/// A file that continues another is fed as one more source after it. Sources of one time span (streams and
/// REST answers of one recording) have to be fed merged by `parse_line(..).time`.
class Replay {
 public:
  using SourceId = std::size_t;

  Replay();
  ~Replay();
  Replay(Replay&&) noexcept;
  Replay& operator=(Replay&&) noexcept;

  /// One file. `name` appears in complaints.
  SourceId add_source(std::string name);
  /// The next line of `source`, without its end.
  void feed(SourceId source, std::string_view line) { feed(source, parse_line(line)); }
  void feed(SourceId source, const RecordedLine& line);
  /// After the last line. Call once; nothing is fed afterwards.
  void finish();
  /// Books are filled in by `finish`.
  const ReplayReport& report() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

/// The report for people.
std::string replay_text(const ReplayReport& report);
/// The report as JSON. What is not proved is null.
std::string replay_json(const ReplayReport& report);

}  // namespace phoenix::engine
