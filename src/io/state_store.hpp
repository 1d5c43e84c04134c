#pragma once

#include "base/ring.hpp"
#include "base/time.hpp"
#include "io/clock.hpp"
#include "model/ids.hpp"
#include "order/ledger.hpp"
#include "order/state_record.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace phoenix::io {

struct StoredSymbol {
  model::SymbolId id;
  std::string name;
};

struct StateStoreOptions {
  std::filesystem::path directory;
  /// Whose state it is: product and host. A file of another venue is refused.
  std::string venue;
  std::vector<StoredSymbol> symbols;  ///< the configured ones; others in the file are left alone
  base::Duration flush_interval = base::milliseconds{200};
  std::size_t batch_max = 500;                        ///< records in one transaction
  std::size_t queue_max = 16'384;                     ///< records that may wait
  base::Duration retry_interval = base::seconds{1};   ///< after a failed write; doubles up to 30 s
  base::Duration orders_kept = base::hours{48};       ///< orders last touched before are deleted
  base::Duration fills_kept = base::hours{100 * 24};  ///< longer than the venue tells of trades
  std::uint64_t orders_max = 500'000;                 ///< the oldest beyond it are deleted
};

/// How the store is doing. Any thread may ask.
struct StateStatus {
  base::RingStats queue;        ///< `dropped`: records that found it full
  std::uint64_t written = 0;    ///< records that are in the file
  std::uint64_t repeated = 0;   ///< fills, their money and incomes that were there already
  std::uint64_t unmatched = 0;  ///< records without a place: money of a trade nobody told, unknown symbols
  std::uint64_t batches = 0;    ///< transactions committed
  std::uint64_t failures = 0;   ///< transactions that failed; each is tried again
  std::uint64_t waiting = 0;    ///< records taken and not yet in the file
  std::uint64_t orders_pruned = 0, fills_pruned = 0;
  std::optional<base::LocalTime> last_commit;
  std::string fault;  ///< why the newest try failed; empty: it did not
  /// Where a damaged file was put at start; empty: there was none.
  std::filesystem::path moved_aside;
};

/// What is kept over restarts in `directory`/state.db (SQLite): fills, orders, incomes, latches, results by
/// day. A cache of the venue's truth, written by a thread of its own a few times a second: what a death or a
/// full disk takes is fetched again by its ids, because a symbol's `trades_through` only moves on by what was
/// written. Amounts are integers of 1e-8, times nanoseconds, days UTC.
///
/// Hold the directory's lock (io/files.hpp): it is what keeps a second process out. Should one write
/// nevertheless, each transaction reads the sums it adds to, so that every fill still counts once.
class StateStore {
 public:
  /// Opens the file or makes it, and reads the state of the configured symbols. FileError, with nothing
  /// changed, when the file is another program's, of a newer version or of another venue, or cannot be read
  /// or made. A damaged file is put aside under another name (`moved_aside`), and the store begins empty.
  explicit StateStore(StateStoreOptions options, const RealClock& clock);
  /// Writes what is left, once; what cannot be written then is lost.
  ~StateStore();
  StateStore(const StateStore&) = delete;
  StateStore& operator=(const StateStore&) = delete;

  /// As it was at the start, one for each configured symbol, empty ones too, in the order of the options.
  const std::vector<order::LedgerState>& loaded() const;

  /// One thread (the engine's); never blocks. When the queue is full the record is dropped and counted, and
  /// the symbol's trades and incomes are no longer taken for complete until the next start, which asks the
  /// venue for them.
  void append(const order::StateRecord& record);
  /// Tries at once to write what was appended before the call and waits for the outcome; false when that
  /// failed. For an orderly end and for tests.
  bool flush();

  StateStatus status() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::io
