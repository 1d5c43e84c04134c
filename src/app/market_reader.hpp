#pragma once

#include "base/time.hpp"
#include "model/market.hpp"
#include "sim/backtest.hpp"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::app {

/// By the file's first bytes: what one run's engine consumed, not what a market did. StartError when it is
/// one of another version of this program.
bool is_input_log(const std::filesystem::path& path);

/// What was found out about recorded data on the way.
struct MarketReaderStats {
  std::uint64_t lines = 0;                ///< of files; rows of a recording
  std::uint64_t unreadable = 0;           ///< lines, frames or rows that are not what they seem to be
  std::uint64_t snapshots = 0;            ///< whole books used
  std::uint64_t holes = 0;                ///< changes of a book that did not follow the one before
  std::uint64_t repeated = 0;             ///< changes and trades that were there already
  std::uint64_t late = 0;                 ///< came after something a second younger; they count as that late
  std::uint64_t without_snapshot = 0;     ///< symbols whose book begins with changes alone
  std::uint64_t hours_without_depth = 0;  ///< of a symbol in a recording, with trades: left out
};

/// Reads recorded markets without holding them: what happened at the venue, in the order of the venue's
/// clock. Takes files of captured traffic (plain, .zst, .gz; merged by their receive times) and directories
/// of recordings (see recording_rows.hpp), and of each symbol a chain of book changes, each trade once, and
/// mark prices.
class MarketReader {
 public:
  /// `symbols`: those wanted; empty: all there are. Throws StartError when there is nothing to read.
  MarketReader(const std::vector<std::filesystem::path>& data, const std::set<std::string>& symbols);
  ~MarketReader();
  MarketReader(const MarketReader&) = delete;
  MarketReader& operator=(const MarketReader&) = delete;

  /// The next event, its symbol a place in `symbols`; empty at the end. Its levels are valid until the next
  /// call. Throws StartError when a file is corrupt or its clock jumps by more than a week.
  std::optional<sim::MarketEvent> next();
  /// Names in the order of their appearance.
  const std::vector<std::string>& symbols() const { return names_; }
  /// Names seen that are not wanted, the first ones.
  const std::set<std::string>& others() const { return others_; }
  const MarketReaderStats& stats() const { return stats_; }
  std::uint64_t bytes_read() const;
  std::uint64_t bytes_total() const;

  // What the sources say, in the order of receipt.

  void take(std::string_view symbol, const model::DepthDelta& delta, std::optional<base::LocalTime> received);
  void take(std::string_view symbol, const model::DepthSnapshot& snapshot,
            std::optional<base::LocalTime> received);
  void take(std::string_view symbol, const model::Trade& trade, std::optional<base::LocalTime> received);
  void take(std::string_view symbol, const model::AggTrade& trade, std::optional<base::LocalTime> received);
  void take(std::string_view symbol, const model::MarkPrice& mark, std::optional<base::LocalTime> received);
  void take_other(std::string_view symbol);
  void count_line() { ++stats_.lines; }
  void count_unreadable() { ++stats_.unreadable; }

  /// Where data comes from: gives what it holds to `take`, a little at a time.
  class Source {
   public:
    virtual ~Source() = default;
    /// False at the end.
    virtual bool read_some(MarketReader& to) = 0;
    virtual std::uint64_t bytes_read() const = 0;
    virtual std::uint64_t bytes_total() const = 0;
  };

 private:
  struct Item {
    sim::MarketEvent event;
    std::vector<model::Level> bids, asks;
  };
  struct Due {
    base::VenueTime at{};
    int rank = 0;  ///< at one instant trades come before the changes they caused
    std::uint64_t order = 0;
    std::size_t item = 0;
    bool operator>(const Due& other) const;
  };
  /// A change that a snapshot may still come before.
  struct Pending {
    base::VenueTime at{};
    std::int64_t before = 0, last_id = 0;  ///< it leads from one to the other
    std::optional<base::Duration> lag;
    std::vector<model::Level> bids, asks;
  };
  struct Chain {
    std::string name;
    enum class State : std::uint8_t { waiting, whole, broken } state = State::waiting;
    std::int64_t head = 0;
    std::deque<Pending> pending;  ///< while waiting or broken
    std::int64_t last_trade_id = 0;
  };

  std::optional<std::size_t> place_of(std::string_view symbol);
  Item& add(std::size_t place, sim::MarketEvent::Kind kind, base::VenueTime at,
            std::optional<base::Duration> lag);
  void add_change(std::size_t place, const Pending& change);
  /// Of single trades and of aggregated ones: each id once, whichever says it first.
  template <class Tape>
  void add_trade(std::size_t place, std::int64_t last_id, const Tape& trade,
                 std::optional<base::LocalTime> received);
  void give_up_waiting(std::size_t place);

  std::set<std::string> wanted_;
  std::vector<std::string> names_;
  std::map<std::string, std::size_t, std::less<>> places_;
  std::vector<Chain> chains_;
  std::set<std::string> others_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::size_t source_ = 0;
  std::vector<Item> items_;
  std::vector<std::size_t> free_;
  std::vector<Due> heap_;
  std::optional<std::size_t> given_;  ///< what the caller still looks at
  std::uint64_t next_order_ = 0;
  std::optional<base::VenueTime> newest_, last_;
  MarketReaderStats stats_;
};

}  // namespace phoenix::app
