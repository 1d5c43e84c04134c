#pragma once

#include "base/static_vector.hpp"
#include "base/time.hpp"
#include "book/book.hpp"
#include "engine/action.hpp"
#include "engine/options.hpp"
#include "feed/depth_sync.hpp"
#include "feed/trade_merge.hpp"
#include "model/market.hpp"
#include "signal/symbol_signals.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace phoenix::engine {

/// The streams whose coverage is accounted for.
enum class Recorded : std::uint8_t { trades, depth, ticker, mark_price, liquidations };
inline constexpr std::size_t recorded_count = 5;
std::string_view name(Recorded stream);

/// What one recorded symbol's rows are made from: everything that was accepted, in the order it was accepted;
/// the signals computed from it; and the ledger of what was received, covered by another line, lost and
/// repaired.
///
/// Every id the venue gave out is in a row of its kind or in a row of the ledger. No I/O, no clock; one
/// thread. Rows go to the caller's Actions.
class Recorder {
 public:
  Recorder(std::string symbol, const RecordingOptions& options, const signal::SignalOptions& signals);

  /// The first step of the run; no stream is there yet. `venue` is the venue's time then, as far as it is
  /// known.
  void start(base::LocalTime now, base::VenueTime venue, Actions& out);

  /// `received` is when the frame or the answer was read; `top` the book as it stands, empty while it is not
  /// synced.
  void on_trade(const feed::AcceptTrade& trade, base::LocalTime received, base::VenueTime venue,
                const std::optional<model::TopOfBook>& top, Actions& out);
  void on_trades_lost(const feed::TradesLost& lost, base::LocalTime now, base::VenueTime venue, Actions& out);
  /// The end came before these were fetched; the next run will.
  void on_trades_missing(feed::TradeRange ids, base::LocalTime now, base::VenueTime venue, Actions& out);
  /// After `book` took it.
  void on_delta(const feed::ApplyDelta& delta, const book::Book& book, Actions& out);
  void on_snapshot(const model::DepthSnapshot& snapshot, base::LocalTime received, base::VenueTime venue,
                   Actions& out);
  void on_broken(const feed::Broken& broken, base::LocalTime now, base::VenueTime venue, Actions& out);
  void on_ticker(const model::BookTicker& ticker, std::size_t line, base::LocalTime received,
                 base::VenueTime venue, Actions& out);
  void on_mark_price(const model::MarkPrice& mark, base::LocalTime received, Actions& out);
  void on_liquidation(const model::Liquidation& liquidation, base::LocalTime received, Actions& out);
  /// A frame whose content another line had brought already.
  void on_covered(Recorded stream) { ++account(stream).covered; }

  /// No connection carries the stream any more, or one does again.
  void stream_down(Recorded stream, base::LocalTime now, std::string_view cause);
  void stream_up(Recorded stream, base::LocalTime now, base::VenueTime venue, Actions& out);

  /// Signals and ledger up to `now`.
  void expire(base::LocalTime now, base::VenueTime venue, Actions& out);
  std::optional<base::LocalTime> next_deadline() const { return next_entry_; }
  /// Flushes the signals and closes the ledger's open intervals.
  void finish(base::LocalTime now, base::VenueTime venue, Actions& out);

  /// By kind.
  const std::array<std::uint64_t, record::kinds_count>& rows() const { return rows_; }
  /// When the stream last said anything new.
  std::optional<base::LocalTime> last(Recorded stream) const {
    return accounts_[static_cast<std::size_t>(stream)].last;
  }
  signal::SignalState signals() const { return signals_.state(); }

 private:
  /// One stream since the last entry in the ledger.
  struct Account {
    base::LocalTime since{};
    std::int64_t count = 0;
    std::uint64_t covered = 0;
    std::optional<std::int64_t> first_id, last_id;
    std::optional<base::LocalTime> last;
    std::optional<base::LocalTime> down_since;
    std::string down_cause;
    bool was_up = false;
  };
  /// Ids repaired one after another.
  struct Repair {
    std::int64_t first_id = 0, last_id = 0, count = 0;
    base::LocalTime since{};
  };
  enum class Status : std::uint8_t { received, covered, lost, repaired, missing };
  struct Entry {
    Recorded stream = Recorded::trades;
    Status status = Status::received;
    base::LocalTime from{}, to{};
    std::optional<std::int64_t> first_id, last_id;
    std::int64_t count = 0;
    std::string_view cause, source, evidence;
  };

  Account& account(Recorded stream) { return accounts_[static_cast<std::size_t>(stream)]; }
  void took(Recorded stream, std::int64_t first_id, std::int64_t last_id, base::LocalTime received);
  void took(Recorded stream, base::LocalTime received);
  void enter(const Entry& entry, base::VenueTime venue, Actions& out);
  void close_intervals(base::LocalTime now, base::VenueTime venue, Actions& out);
  void enter_depth_loss(base::LocalTime to, std::optional<std::int64_t> last_id, std::string_view source,
                        std::string_view evidence, base::VenueTime venue, Actions& out);
  void close_repair(base::LocalTime now, base::VenueTime venue, Actions& out);
  void write_book(const model::DepthDelta& delta, const signal::TopLevels& top, Actions& out);
  void write_book20(const model::DepthDelta& delta, const book::Book& book, Actions& out);
  void write_signals(Actions& out);
  record::RowWriter add_row(record::Kind kind, Actions& out) {
    ++rows_[static_cast<std::size_t>(kind)];
    return out.add_row(kind, symbol_);
  }

  std::string symbol_;
  RecordingOptions options_;
  signal::SymbolSignals signals_;
  signal::Rows signal_rows_;
  std::array<Account, recorded_count> accounts_;
  std::optional<Repair> repair_;
  std::optional<signal::TopLevels> top_before_;
  std::optional<std::int64_t> depth_head_;  ///< last id of the chain that is written, also after it broke
  base::LocalTime depth_head_came_{};
  std::optional<base::LocalTime> broken_since_;  ///< the chain has a hole from here on
  std::string broken_cause_;
  std::optional<base::VenueTime> last_book20_;
  std::optional<std::int64_t> last_ticker_id_;
  std::optional<base::VenueTime> last_mark_;
  base::StaticVector<model::Liquidation, 8>
      last_liquidations_;  ///< they have no id: the other line's are told by content
  std::optional<base::LocalTime> next_entry_;
  std::array<std::uint64_t, record::kinds_count> rows_{};
};

}  // namespace phoenix::engine
