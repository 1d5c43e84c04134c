#pragma once

#include "base/time.hpp"
#include "book/book.hpp"
#include "exchange/types.hpp"
#include "model/fixed.hpp"
#include "record/row.hpp"
#include "sim/book_seal.hpp"
#include "sim/observer.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::sim {

class World;

/// What the recordings of a run came to.
struct RecordingFigures {
  std::array<std::uint64_t, record::kinds_count> rows{};
  std::uint64_t trades_lost = 0;       ///< ids named lost
  std::uint64_t trades_repaired = 0;   ///< fetched from the venue's history
  std::uint64_t trades_recovered = 0;  ///< taken from what a dead process had read
  std::uint64_t books_compared = 0;
  std::size_t trades_waiting_max = 0;  ///< made, and neither recorded nor lost yet; of one symbol
  std::uint64_t all() const;
};

/// Reads a recording row by row, as it is written, and knows the truth: every trade from the first recorded
/// one on is one row or named lost once, with the values the exchange made; the changes of the book follow
/// each other, and the book rebuilt from them is the exchange's; the book's rows are that book; tickers, mark
/// prices and liquidations are what the exchange said, once; nothing was received before it was sent; the
/// ledger's figures are those of the rows; and sums go on over restarts.
///
/// Forgets what it has checked.
class RecordingChecker {
 public:
  /// `tell` takes the checker's name, the symbol and what was seen.
  using Tell = std::function<void(std::string_view, std::string_view, std::string)>;
  RecordingChecker(const World& world, Tell tell);

  void happened(const exchange::CoreEvent& event);
  /// The exchange's book as it stood when a depth frame with its id left.
  void sealed(std::string_view symbol, const BookSeal& seal);
  void recorded(const record::RowView& row);
  void process_changed(ProcessChange change);
  /// While nothing was wrong for `calm_after` no trade may wait for long.
  void look(base::Duration calm_for);
  /// At the end: nothing is missing between the first and the last trade.
  void expect_complete();

  const RecordingFigures& figures() const { return figures_; }

 private:
  static constexpr std::size_t streams = 5;
  struct Trade {
    exchange::AggTradePrint print;
    base::VenueTime sent_time{};
    base::LocalTime at{};
    bool done = false;     ///< a row, or named lost
    bool missing = false;  ///< named so at a stop
  };
  struct Top {
    std::int64_t update_id = 0;
    model::Level bid, ask;
    base::LocalTime at{};
  };
  struct Mark {
    exchange::MarkPriceTick tick;
    base::LocalTime at{};
  };
  /// Rows of a stream since its last entry in the ledger.
  struct Tally {
    std::int64_t rows = 0;
    std::optional<std::int64_t> first_id, last_id;
    std::optional<base::LocalTime> told_to;  ///< end of its last `received` entry, within the process
  };
  struct Symbol {
    std::string name;
    exchange::SymbolId id;
    std::deque<Trade> trades;  ///< consecutive ids
    std::int64_t trades_first = 0;
    bool trades_begun = false;
    std::deque<Top> tops;
    std::deque<Mark> marks;
    std::deque<std::string> liquidations;
    std::array<BookSeal, 64> seals{};
    std::size_t seals_next = 0;

    book::Book book{{.tick = {}, .window_ticks = 1U << 14}};
    std::optional<std::int64_t> chain;  ///< last id of the depth rows; empty before the first snapshot
    bool after_snapshot = false, loss_named = false, loss_due = false;
    std::optional<std::int64_t> ticker_id;
    std::optional<std::int64_t> mark_time, second;
    std::array<Tally, streams> tallies;
    std::int64_t rest_rows = 0, journal_rows = 0;  ///< repaired, and not in the ledger yet
    model::Qty sum, sum_at_start;                  ///< of signed quantities of all trades recorded
    std::optional<model::Qty> cvd;                 ///< as written last by the process
    base::LocalTime last_row{};
  };

  Symbol* symbol_of(exchange::SymbolId id);
  Symbol* symbol_of(std::string_view name);
  void on(const exchange::AggTradePrint& event);
  void on(const exchange::TopChange& event);
  void on(const exchange::MarkPriceTick& event);
  void on_trade(Symbol& s, const record::RowView& row);
  void on_depth(Symbol& s, const record::RowView& row);
  void on_book(Symbol& s, const record::RowView& row);
  void on_book20(Symbol& s, const record::RowView& row);
  void on_ticker(Symbol& s, const record::RowView& row);
  void on_features(Symbol& s, const record::RowView& row);
  void on_mark_price(Symbol& s, const record::RowView& row);
  void on_liquidation(Symbol& s, const record::RowView& row);
  void on_cvd(Symbol& s, const record::RowView& row);
  void on_coverage(Symbol& s, const record::RowView& row);
  void account_for(Symbol& s, std::int64_t id, const record::RowView* row);
  void count(Symbol& s, std::size_t stream, std::optional<std::int64_t> first,
             std::optional<std::int64_t> last);
  void compare(Symbol& s, const record::RowView& row);
  void check_received(const Symbol& s, const record::RowView& row, base::LocalTime sent);
  void forget_done(Symbol& s);

  const World& world_;
  Tell tell_;
  bool exact_times_;  ///< the venue's clock never steps in this run
  std::vector<Symbol> symbols_;
  RecordingFigures figures_;
};

}  // namespace phoenix::sim
