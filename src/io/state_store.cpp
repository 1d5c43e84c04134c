#include "io/state_store.hpp"

#include "base/assert.hpp"
#include "io/descriptor.hpp"
#include "io/files.hpp"
#include "model/names.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

constexpr std::string_view file_name = "state.db";
constexpr std::uint32_t application_id = 0x50685853;  // "PhXS"
constexpr std::uint32_t version = 1;
constexpr base::Duration retry_interval_max = base::seconds{30};
constexpr base::Duration prune_interval = base::seconds{10};
constexpr int pruned_at_once = 5000;
/// Trades of one symbol that were told since its list was last read to the end.
constexpr std::int64_t trades_loaded_max = 100'000;
constexpr std::int64_t incomes_loaded_max = 10'000;

/// One row for each thing that happened; results by day, from which all sums are made. Amounts in 1e-8.
constexpr const char* schema = R"(
CREATE TABLE meta(key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE symbols(
  symbol TEXT NOT NULL PRIMARY KEY,
  trades_through INTEGER NOT NULL, -- every trade up to this id is counted
  incomes_through_ns INTEGER NOT NULL, -- every income before this time is counted
  fills_pruned_through INTEGER NOT NULL -- rows of fills up to this id may be gone
) STRICT, WITHOUT ROWID;
CREATE TABLE fills(
  symbol TEXT NOT NULL, trade_id INTEGER NOT NULL, order_id INTEGER NOT NULL, client_id TEXT, side TEXT NOT NULL,
  price INTEGER NOT NULL, qty INTEGER NOT NULL, maker INTEGER NOT NULL, time_ns INTEGER NOT NULL,
  realized INTEGER, commission INTEGER, commission_asset TEXT, -- empty until the venue told them
  PRIMARY KEY(symbol, trade_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX fills_without_money ON fills(symbol, trade_id) WHERE realized IS NULL;
CREATE TABLE orders(
  client_id TEXT NOT NULL PRIMARY KEY, symbol TEXT NOT NULL, order_id INTEGER NOT NULL, side TEXT NOT NULL,
  price INTEGER NOT NULL, qty INTEGER NOT NULL, filled_qty INTEGER NOT NULL, state TEXT NOT NULL,
  placed_at_ns INTEGER NOT NULL, updated_at_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_by_age ON orders(updated_at_ns);
CREATE TABLE incomes(
  symbol TEXT NOT NULL, income_id INTEGER NOT NULL, asset TEXT NOT NULL, amount INTEGER NOT NULL,
  time_ns INTEGER NOT NULL,
  PRIMARY KEY(symbol, income_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE latches(
  name TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL, reason TEXT NOT NULL, at_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE daily(
  symbol TEXT NOT NULL, day INTEGER NOT NULL, -- since 1970, UTC
  realized INTEGER NOT NULL, volume INTEGER NOT NULL, bought_qty INTEGER NOT NULL, sold_qty INTEGER NOT NULL,
  fills INTEGER NOT NULL, maker_fills INTEGER NOT NULL, unsummed INTEGER NOT NULL,
  PRIMARY KEY(symbol, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE daily_assets(
  symbol TEXT NOT NULL, day INTEGER NOT NULL, asset TEXT NOT NULL,
  commission INTEGER NOT NULL, funding INTEGER NOT NULL,
  PRIMARY KEY(symbol, day, asset)
) STRICT, WITHOUT ROWID;
)";

/// What SQLite said, with its code.
class SqlError : public std::runtime_error {
 public:
  SqlError(int code, const std::string& what) : std::runtime_error{what}, code_{code & 0xff} {}
  bool is_damage() const { return code_ == SQLITE_CORRUPT || code_ == SQLITE_NOTADB; }

 private:
  int code_;
};

class Database {
 public:
  explicit Database(const std::filesystem::path& path, int flags) {
    const int code =
        sqlite3_open_v2(path.c_str(), &db_, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    if (code == SQLITE_OK) return;
    const SqlError fault{code, db_ != nullptr ? sqlite3_errmsg(db_) : "out of memory"};
    sqlite3_close(db_);
    throw fault;
  }
  ~Database() { sqlite3_close(db_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  sqlite3* handle() { return db_; }
  void check(int code) {
    if (code != SQLITE_OK) fail();
  }
  [[noreturn]] void fail() { throw SqlError{sqlite3_extended_errcode(db_), sqlite3_errmsg(db_)}; }
  void run(const char* sql) { check(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }
  std::int64_t changes() { return sqlite3_changes64(db_); }
  bool is_in_transaction() { return sqlite3_get_autocommit(db_) == 0; }

 private:
  sqlite3* db_ = nullptr;
};

/// A statement, prepared once. Texts that are bound have to live until it was run.
class Statement {
 public:
  Statement(Database& db, const char* sql) : db_{db} {
    db_.check(sqlite3_prepare_v3(db_.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr));
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  template <class... Values>
  Statement& bind(const Values&... values) {
    sqlite3_reset(statement_);
    int index = 0;
    (bind_one(++index, values), ...);
    return *this;
  }
  /// True when there is a row.
  bool step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    const bool done = code == SQLITE_DONE;
    if (!done) {
      const SqlError fault{sqlite3_extended_errcode(db_.handle()), sqlite3_errmsg(db_.handle())};
      sqlite3_reset(statement_);
      throw fault;
    }
    sqlite3_reset(statement_);
    return false;
  }
  /// How many rows it changed. For statements that give no rows.
  std::int64_t run() {
    while (step()) {
    }
    return db_.changes();
  }
  std::int64_t integer(int column) { return sqlite3_column_int64(statement_, column); }
  bool is_null(int column) { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  /// Valid until the next step.
  std::string_view text(int column) {
    const auto* bytes = sqlite3_column_blob(statement_, column);
    if (bytes == nullptr) return {};
    return {static_cast<const char*>(bytes),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }
  /// Ends a query whose further rows are not wanted.
  void reset() { sqlite3_reset(statement_); }

 private:
  void bind_one(int index, std::int64_t value) { db_.check(sqlite3_bind_int64(statement_, index, value)); }
  void bind_one(int index, std::string_view value) {
    db_.check(sqlite3_bind_text(statement_, index, value.data() != nullptr ? value.data() : "",
                                static_cast<int>(value.size()), SQLITE_STATIC));
  }
  template <class T>
  void bind_one(int index, const std::optional<T>& value) {
    if (value) {
      bind_one(index, *value);
    } else {
      db_.check(sqlite3_bind_null(statement_, index));
    }
  }

  Database& db_;
  sqlite3_stmt* statement_ = nullptr;
};

std::int64_t day_of(std::int64_t ns) {
  return std::chrono::floor<std::chrono::days>(base::Duration{ns}).count();
}

constexpr std::array<std::string_view, 6> done_names{"filled",  "canceled", "expired",
                                                     "refused", "not_sent", "absent"};

std::uint32_t big_endian(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

enum class Found : std::uint8_t { nothing, ours, damaged };

/// What the file says it is. Looked at without SQLite, which would touch what it opens: a file of ours has
/// its marks from birth.
Found look_at(const std::filesystem::path& path) {
  constexpr std::size_t head_bytes = 100, version_at = 60, application_id_at = 68;
  const Descriptor fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!fd.is_open()) {
    if (errno == ENOENT) return Found::nothing;
    throw_errno("open", path);
  }
  struct stat info{};
  if (::fstat(*fd, &info) != 0) throw_errno("look at", path);
  if (!S_ISREG(info.st_mode)) throw FileError(fmt::format("{} is no file", path.string()));
  std::string head(head_bytes, '\0');
  const ssize_t size = ::pread(*fd, head.data(), head.size(), 0);
  if (size < 0) throw_errno("read", path);
  if (size == 0) return Found::nothing;
  if (static_cast<std::size_t>(size) < head_bytes ||
      !head.starts_with(std::string_view{"SQLite format 3\0", 16}))
    return Found::damaged;
  if (big_endian(head, application_id_at) != application_id)
    throw FileError(fmt::format("{} is another program's database", path.string()));
  if (const auto found = big_endian(head, version_at); found != version) {
    throw FileError(fmt::format("{} has version {}, and this program knows version {} only", path.string(),
                                found, version));
  }
  return Found::ours;
}

/// Made beside its place and put there whole: whoever finds the name finds all of it.
void create(const std::filesystem::path& path, const std::string& venue) {
  const auto temporary = path.string() + ".new";
  for (const auto* ending : {"", "-journal", "-wal", "-shm"}) ::unlink((temporary + ending).c_str());
  // A log without its file is of no use, and must not be taken for the new file's.
  for (const auto* ending : {"-wal", "-shm"}) ::unlink((path.string() + ending).c_str());
  {
    Database db{temporary, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE};
    db.run("PRAGMA synchronous=FULL; BEGIN IMMEDIATE");
    db.run(fmt::format("PRAGMA application_id={}; PRAGMA user_version={}", application_id, version).c_str());
    db.run(schema);
    Statement{db, "INSERT INTO meta(key, value) VALUES('venue', ?)"}.bind(std::string_view{venue}).run();
    db.run("COMMIT");
    db.run("PRAGMA journal_mode=WAL");
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) throw_errno("put in place", path);
  sync_directory(path.parent_path());
}

/// Under the first free name. What SQLite keeps beside the file goes along: it may hold the newest rows.
std::filesystem::path move_aside(const std::filesystem::path& path) {
  int i = 1;
  while (::access(fmt::format("{}.damaged-{}", path.string(), i).c_str(), F_OK) == 0) ++i;
  const std::string to = fmt::format("{}.damaged-{}", path.string(), i);
  for (const auto* ending : {"-wal", "-shm", ""}) {
    const std::string from = path.string() + ending;
    if (::rename(from.c_str(), (to + ending).c_str()) != 0 && errno != ENOENT) throw_errno("put aside", from);
  }
  sync_directory(path.parent_path());
  return to;
}

/// Opened to be worked with, after a look at all of it: a damaged file says so here and not in the middle of
/// the work. SqlError, or FileError when it is of another venue.
std::unique_ptr<Database> open_checked(const std::filesystem::path& path, const std::string& venue) {
  auto opened = std::make_unique<Database>(path, SQLITE_OPEN_READWRITE);
  Database& db = *opened;
  db.check(sqlite3_busy_timeout(db.handle(), 100));
  db.run("PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=16777216");
  Statement check{db, "PRAGMA quick_check(1)"};
  if (!check.bind().step() || check.text(0) != "ok") throw SqlError{SQLITE_CORRUPT, "its check failed"};
  check.reset();
  Statement whose{db, "SELECT value FROM meta WHERE key='venue'"};
  const std::string found{whose.bind().step() ? whose.text(0) : std::string_view{}};
  whose.reset();
  if (found != venue)
    throw FileError(fmt::format("{} holds the state of \"{}\", not of \"{}\"", path.string(), found, venue));
  return opened;
}

/// What one transaction did; counts only when it was committed.
struct Tally {
  std::uint64_t repeated = 0, unmatched = 0;
};

/// The open file. One thread at a time.
class StateFile {
 public:
  /// SqlError when SQLite cannot read it, FileError when it is of another venue.
  StateFile(const std::filesystem::path& path, const StateStoreOptions& options);

  const std::vector<order::LedgerState>& loaded() const { return loaded_; }
  /// All of it or, with SqlError, nothing. Symbols marked in `incomplete` have lost records.
  Tally write(std::span<const order::StateRecord> records, const std::vector<std::atomic<bool>>& incomplete);
  struct Pruned {
    std::uint64_t orders = 0, fills = 0;
  };
  Pruned prune(base::LocalTime now);

 private:
  struct Symbol {
    std::string name;
    std::int64_t fills_pruned_through = 0;
  };
  using DayKey = std::pair<std::uint16_t, std::int64_t>;

  order::LedgerState load(const StoredSymbol& symbol);
  void put(const order::Fill& fill);
  void put(const order::FillDetails& details);
  void put(const order::Funding& funding);
  void put(const order::OrderRecord& order);
  void put(const order::TradesComplete& complete);
  void put(const order::IncomesComplete& complete);
  void put(const order::LatchRecord& latch);
  bool put_money(model::SymbolId symbol, std::int64_t trade_id, const order::FillMoney& money);
  order::Results& day(model::SymbolId symbol, std::int64_t ns);
  void write_days();
  std::uint64_t prune_fills(Symbol& symbol, std::int64_t before_ns);

  Symbol* find(model::SymbolId symbol) {
    if (symbol.index < symbols_.size() && !symbols_[symbol.index].name.empty())
      return &symbols_[symbol.index];
    ++tally_.unmatched;
    return nullptr;
  }
  template <class Call>
  void in_transaction(Call call) {
    begin_.bind().run();
    try {
      call();
      commit_.bind().run();
    } catch (const SqlError&) {
      // Some failures have rolled it back already.
      if (db_.is_in_transaction()) sqlite3_exec(db_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
      throw;
    }
  }

  const StateStoreOptions& options_;
  const std::unique_ptr<Database> opened_;
  Database& db_ = *opened_;
  std::vector<Symbol> symbols_;  ///< by SymbolId
  std::vector<order::LedgerState> loaded_;
  std::map<DayKey, order::Results> days_;  ///< that this transaction adds to
  Tally tally_;                            ///< of this transaction

  Statement begin_{db_, "BEGIN IMMEDIATE"}, commit_{db_, "COMMIT"};
  Statement add_fill_{db_, "INSERT OR IGNORE INTO fills VALUES(?,?,?,?,?,?,?,?,?,?,?,?)"};
  Statement add_money_{db_,
                       "UPDATE fills SET realized=?3, commission=?4, commission_asset=?5 "
                       "WHERE symbol=?1 AND trade_id=?2 AND realized IS NULL RETURNING time_ns"};
  Statement has_fill_{db_, "SELECT 1 FROM fills WHERE symbol=? AND trade_id=?"};
  Statement add_income_{db_, "INSERT OR IGNORE INTO incomes VALUES(?,?,?,?,?)"};
  Statement put_order_{
      db_,
      "INSERT INTO orders VALUES(?,?,?,?,?,?,?,?,?,?) ON CONFLICT(client_id) DO UPDATE SET "
      "order_id=max(order_id, excluded.order_id), price=excluded.price, qty=excluded.qty, "
      "filled_qty=excluded.filled_qty, state=excluded.state, updated_at_ns=excluded.updated_at_ns"};
  Statement put_latch_{db_, "INSERT OR REPLACE INTO latches VALUES(?,?,?,?)"};
  Statement put_symbol_{db_,
                        "INSERT INTO symbols VALUES(?,?,?,?) ON CONFLICT(symbol) DO UPDATE SET "
                        "trades_through=max(trades_through, excluded.trades_through), "
                        "incomes_through_ns=max(incomes_through_ns, excluded.incomes_through_ns), "
                        "fills_pruned_through=max(fills_pruned_through, excluded.fills_pruned_through)"};
  Statement first_without_money_{
      db_, "SELECT min(trade_id) FROM fills WHERE symbol=? AND trade_id<=? AND realized IS NULL"};
  Statement get_day_{db_,
                     "SELECT realized, volume, bought_qty, sold_qty, fills, maker_fills, unsummed FROM daily "
                     "WHERE symbol=? AND day=?"};
  Statement get_day_assets_{db_,
                            "SELECT asset, commission, funding FROM daily_assets WHERE symbol=? AND day=?"};
  Statement put_day_{db_, "INSERT OR REPLACE INTO daily VALUES(?,?,?,?,?,?,?,?,?)"};
  Statement put_day_asset_{db_, "INSERT OR REPLACE INTO daily_assets VALUES(?,?,?,?,?)"};
  Statement prune_orders_by_age_{db_,
                                 "DELETE FROM orders WHERE client_id IN (SELECT client_id FROM orders "
                                 "WHERE updated_at_ns<? ORDER BY updated_at_ns LIMIT ?)"};
  Statement prune_orders_by_count_{
      db_,
      "DELETE FROM orders WHERE client_id IN (SELECT client_id FROM orders "
      "ORDER BY updated_at_ns LIMIT max(0, min(?2, (SELECT count(*) FROM orders) - ?1)))"};
  Statement prunable_fill_{
      db_,
      "SELECT max(trade_id) FROM (SELECT trade_id, time_ns FROM fills WHERE symbol=?1 AND "
      "trade_id<=(SELECT trades_through FROM symbols WHERE symbol=?1) "
      "ORDER BY trade_id LIMIT ?3) WHERE time_ns<?2"};
  Statement prune_fills_{db_, "DELETE FROM fills WHERE symbol=? AND trade_id<=?"};
};

StateFile::StateFile(const std::filesystem::path& path, const StateStoreOptions& options)
    : options_{options}, opened_{open_checked(path, options.venue)} {
  for (const auto& symbol : options.symbols) {
    if (symbol.id.index >= symbols_.size()) symbols_.resize(std::size_t{symbol.id.index} + 1);
    symbols_[symbol.id.index].name = symbol.name;
    loaded_.push_back(load(symbol));
  }
}

/// One row of daily, or one of daily_assets, on top of what is there.
void add_day_row(Statement& row, int first, order::Results& to) {
  order::Results day;
  day.realized_pnl = model::Money::from_raw(row.integer(first));
  day.volume = model::Money::from_raw(row.integer(first + 1));
  day.bought_qty = model::Qty::from_raw(row.integer(first + 2));
  day.sold_qty = model::Qty::from_raw(row.integer(first + 3));
  day.fills_count = static_cast<std::uint64_t>(row.integer(first + 4));
  day.maker_fills_count = static_cast<std::uint64_t>(row.integer(first + 5));
  day.unsummed = static_cast<std::uint64_t>(row.integer(first + 6));
  to.add(day);
}
void add_asset_row(Statement& row, order::Results& to) {
  const auto text = row.text(0);
  if (!model::Asset::fits(text)) throw SqlError{SQLITE_CORRUPT, "the name of an asset is too long"};
  const model::Asset asset{text};
  to.add_money(
      {.realized_pnl = {}, .commission = model::Money::from_raw(row.integer(1)), .commission_asset = asset});
  to.add_funding(asset, model::Money::from_raw(row.integer(2)));
}

order::LedgerState StateFile::load(const StoredSymbol& symbol) {
  const std::string_view name{symbol.name};
  order::LedgerState state;
  state.symbol = symbol.id;
  Statement mark{
      db_, "SELECT trades_through, incomes_through_ns, fills_pruned_through FROM symbols WHERE symbol=?"};
  if (mark.bind(name).step()) {
    state.trades_through = mark.integer(0);
    state.incomes_through = base::venue_time_ns(mark.integer(1));
    symbols_[symbol.id.index].fills_pruned_through = mark.integer(2);
    mark.reset();
  }
  Statement days{db_,
                 "SELECT realized, volume, bought_qty, sold_qty, fills, maker_fills, unsummed FROM daily "
                 "WHERE symbol=? ORDER BY day"};
  for (days.bind(name); days.step();) add_day_row(days, 0, state.results);
  Statement assets{db_,
                   "SELECT asset, commission, funding FROM daily_assets WHERE symbol=? ORDER BY day, asset"};
  for (assets.bind(name); assets.step();) add_asset_row(assets, state.results);

  // The newest ones, and one more: that and all before it count as known.
  Statement trades{db_,
                   "SELECT trade_id, realized IS NOT NULL FROM fills WHERE symbol=? AND trade_id>? "
                   "ORDER BY trade_id DESC LIMIT ?"};
  for (trades.bind(name, state.trades_through, trades_loaded_max + 1); trades.step();) {
    state.trades.push_back(
        {.id = trades.integer(0), .parts = {.quantity = true, .money = trades.integer(1) != 0}});
  }
  if (state.trades.size() > static_cast<std::size_t>(trades_loaded_max)) {
    state.trades_through = state.trades.back().id;
    state.trades.pop_back();
  }
  std::reverse(state.trades.begin(), state.trades.end());

  Statement incomes{db_,
                    "SELECT time_ns, income_id FROM incomes WHERE symbol=? AND time_ns>=? "
                    "ORDER BY time_ns DESC, income_id DESC LIMIT ?"};
  for (incomes.bind(name, base::ns_of(state.incomes_through), incomes_loaded_max + 1); incomes.step();)
    state.incomes.push_back({.time = base::venue_time_ns(incomes.integer(0)), .id = incomes.integer(1)});
  if (state.incomes.size() > static_cast<std::size_t>(incomes_loaded_max)) {
    state.incomes_through = state.incomes.back().time + base::nanoseconds{1};
    std::erase_if(state.incomes,
                  [&](const order::IncomeKey& key) { return key.time < state.incomes_through; });
  }
  std::reverse(state.incomes.begin(), state.incomes.end());
  return state;
}

Tally StateFile::write(std::span<const order::StateRecord> records,
                       const std::vector<std::atomic<bool>>& incomplete) {
  const auto lost_something = [&](const auto& record) {
    return record.symbol.index < incomplete.size() &&
           incomplete[record.symbol.index].load(std::memory_order_relaxed);
  };
  days_.clear();
  tally_ = {};
  in_transaction([&] {
    for (const auto& record : records) {
      std::visit(
          [&](const auto& r) {
            using T = std::decay_t<decltype(r)>;
            if constexpr (std::is_same_v<T, order::TradesComplete> ||
                          std::is_same_v<T, order::IncomesComplete>) {
              if (lost_something(r)) return;
            }
            put(r);
          },
          record);
    }
    write_days();
  });
  return tally_;
}

void StateFile::put(const order::Fill& fill) {
  const Symbol* symbol = find(fill.symbol);
  if (symbol == nullptr) return;
  if (!order::is_sane(fill)) {
    ++tally_.unmatched;
    return;
  }
  if (fill.trade_id <= symbol->fills_pruned_through) {
    ++tally_.repeated;
    return;
  }
  const std::int64_t ns = base::ns_of(fill.time);
  std::optional<model::ClientText> client_text;
  if (fill.id) client_text = fill.id->text();
  std::optional<std::string_view> client_id, asset;
  std::optional<std::int64_t> realized, commission;
  if (client_text) client_id = client_text->view();
  if (fill.money) {
    realized = fill.money->realized_pnl.raw();
    commission = fill.money->commission.raw();
    asset = fill.money->commission_asset.view();
  }
  const bool is_new = add_fill_
                          .bind(std::string_view{symbol->name}, fill.trade_id, fill.order_id, client_id,
                                model::name(fill.side), fill.price.raw(), fill.qty.raw(),
                                std::int64_t{fill.maker ? 1 : 0}, ns, realized, commission, asset)
                          .run() == 1;
  if (is_new) {
    order::Results& results = day(fill.symbol, ns);
    results.add_fill(fill);
    if (fill.money) results.add_money(*fill.money);
    return;
  }
  if (!fill.money || !put_money(fill.symbol, fill.trade_id, *fill.money)) ++tally_.repeated;
}

void StateFile::put(const order::FillDetails& details) {
  const Symbol* symbol = find(details.symbol);
  if (symbol == nullptr || put_money(details.symbol, details.trade_id, details.money)) return;
  const bool known = details.trade_id <= symbol->fills_pruned_through ||
                     has_fill_.bind(std::string_view{symbol->name}, details.trade_id).step();
  has_fill_.reset();
  ++(known ? tally_.repeated : tally_.unmatched);
}

/// False when the trade is not there or has its money.
bool StateFile::put_money(model::SymbolId symbol, std::int64_t trade_id, const order::FillMoney& money) {
  add_money_.bind(std::string_view{symbols_[symbol.index].name}, trade_id, money.realized_pnl.raw(),
                  money.commission.raw(), money.commission_asset.view());
  if (!add_money_.step()) return false;
  const std::int64_t ns = add_money_.integer(0);
  while (add_money_.step()) {
  }
  day(symbol, ns).add_money(money);
  return true;
}

void StateFile::put(const order::Funding& funding) {
  const Symbol* symbol = find(funding.symbol);
  if (symbol == nullptr) return;
  const std::int64_t ns = base::ns_of(funding.time);
  if (add_income_
          .bind(std::string_view{symbol->name}, funding.income_id, funding.asset.view(), funding.amount.raw(),
                ns)
          .run() == 0) {
    ++tally_.repeated;
    return;
  }
  day(funding.symbol, ns).add_funding(funding.asset, funding.amount);
}

void StateFile::put(const order::OrderRecord& order) {
  const Symbol* symbol = find(order.symbol);
  if (symbol == nullptr) return;
  const auto id = order.id.text();
  const auto state =
      order.done ? done_names[static_cast<std::size_t>(*order.done)] : order::name(order.state);
  put_order_
      .bind(id.view(), std::string_view{symbol->name}, order.order_id, model::name(order.side),
            order.price.raw(), order.qty.raw(), order.filled_qty.raw(), state, base::ns_of(order.placed_at),
            base::ns_of(order.updated_at))
      .run();
}

void StateFile::put(const order::TradesComplete& complete) {
  const Symbol* symbol = find(complete.symbol);
  if (symbol == nullptr) return;
  const std::string_view name{symbol->name};
  std::int64_t through = complete.through;
  // One that only a hint told has to be told again.
  first_without_money_.bind(name, through);
  if (first_without_money_.step() && !first_without_money_.is_null(0))
    through = first_without_money_.integer(0) - 1;
  first_without_money_.reset();
  put_symbol_.bind(name, through, std::int64_t{0}, std::int64_t{0}).run();
}

void StateFile::put(const order::IncomesComplete& complete) {
  const Symbol* symbol = find(complete.symbol);
  if (symbol == nullptr) return;
  put_symbol_
      .bind(std::string_view{symbol->name}, std::int64_t{0}, base::ns_of(complete.through), std::int64_t{0})
      .run();
}

void StateFile::put(const order::LatchRecord& latch) {
  const std::string_view state = latch.state == order::LatchState::set ? "set" : "cleared";
  put_latch_.bind(latch.name.view(), state, latch.reason.view(), base::ns_of(latch.at)).run();
}

/// The results of the day, read within this transaction so that whoever wrote before is in them.
order::Results& StateFile::day(model::SymbolId symbol, std::int64_t ns) {
  const auto [place, is_new] = days_.try_emplace(DayKey{symbol.index, day_of(ns)});
  order::Results& results = place->second;
  if (!is_new) return results;
  const std::string_view name{symbols_[symbol.index].name};
  get_day_.bind(name, place->first.second);
  if (get_day_.step()) add_day_row(get_day_, 0, results);
  get_day_.reset();
  for (get_day_assets_.bind(name, place->first.second); get_day_assets_.step();)
    add_asset_row(get_day_assets_, results);
  return results;
}

void StateFile::write_days() {
  for (const auto& [key, r] : days_) {
    const std::string_view name{symbols_[key.first].name};
    put_day_
        .bind(name, key.second, r.realized_pnl.raw(), r.volume.raw(), r.bought_qty.raw(), r.sold_qty.raw(),
              static_cast<std::int64_t>(r.fills_count), static_cast<std::int64_t>(r.maker_fills_count),
              static_cast<std::int64_t>(r.unsummed))
        .run();
    std::map<std::string_view, std::pair<std::int64_t, std::int64_t>> assets;
    for (const auto& paid : r.commissions) assets[paid.asset.view()].first = paid.amount.raw();
    for (const auto& paid : r.funding) assets[paid.asset.view()].second = paid.amount.raw();
    for (const auto& [asset, amounts] : assets)
      put_day_asset_.bind(name, key.second, asset, amounts.first, amounts.second).run();
  }
}

StateFile::Pruned StateFile::prune(base::LocalTime now) {
  Pruned pruned;
  std::vector<Symbol> symbols = symbols_;
  in_transaction([&] {
    const auto count = [](std::int64_t rows) { return static_cast<std::uint64_t>(rows); };
    const auto age_limit = base::ns_of(now) - options_.orders_kept.count();
    pruned.orders =
        count(prune_orders_by_age_.bind(age_limit, std::int64_t{pruned_at_once}).run()) +
        count(prune_orders_by_count_
                  .bind(static_cast<std::int64_t>(options_.orders_max), std::int64_t{pruned_at_once})
                  .run());
    for (auto& symbol : symbols)
      pruned.fills += prune_fills(symbol, base::ns_of(now) - options_.fills_kept.count());
  });
  symbols_ = std::move(symbols);
  return pruned;
}

std::uint64_t StateFile::prune_fills(Symbol& symbol, std::int64_t before_ns) {
  if (symbol.name.empty()) return 0;
  const std::string_view name{symbol.name};
  prunable_fill_.bind(name, before_ns, std::int64_t{pruned_at_once});
  const bool found = prunable_fill_.step() && !prunable_fill_.is_null(0);
  const std::int64_t through = found ? prunable_fill_.integer(0) : 0;
  prunable_fill_.reset();
  if (!found) return 0;
  symbol.fills_pruned_through = through;
  put_symbol_.bind(name, std::int64_t{0}, std::int64_t{0}, through).run();
  return static_cast<std::uint64_t>(prune_fills_.bind(name, through).run());
}

}  // namespace

class StateStore::Impl {
 public:
  Impl(StateStoreOptions options, const RealClock& clock)
      : options_{std::move(options)},
        clock_{clock},
        ring_{options_.queue_max},
        incomplete_(names_size(options_)) {
    PHX_ASSERT(options_.batch_max > 0, "a transaction holds a record at least");
    open();
    batch_.reserve(options_.batch_max);
    retry_interval_ = options_.retry_interval;
    thread_ = std::thread{[this] { run(); }};
  }
  ~Impl() {
    {
      const std::scoped_lock lock{mutex_};
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  const std::vector<order::LedgerState>& loaded() const { return file_->loaded(); }

  void append(const order::StateRecord& record) {
    if (ring_.try_push(record)) {
      if (ring_.size() == options_.batch_max) wake_.notify_one();
      return;
    }
    std::visit(
        [&](const auto& r) {
          using T = std::decay_t<decltype(r)>;
          if constexpr (std::is_same_v<T, order::Fill> || std::is_same_v<T, order::FillDetails> ||
                        std::is_same_v<T, order::Funding>) {
            if (r.symbol.index < incomplete_.size())
              incomplete_[r.symbol.index].store(true, std::memory_order_relaxed);
          }
        },
        record);
  }

  bool flush() {
    std::unique_lock lock{mutex_};
    const std::uint64_t mine = ++flushes_asked_;
    wake_.notify_one();
    flushed_.wait(lock, [&] { return flushes_done_ >= mine; });
    return flush_worked_;
  }

  StateStatus status() const {
    const std::scoped_lock lock{mutex_};
    StateStatus status = status_;
    status.queue = ring_.stats();
    status.waiting += ring_.size();
    return status;
  }

 private:
  static std::size_t names_size(const StateStoreOptions& options) {
    std::size_t size = 0;
    for (const auto& symbol : options.symbols) size = std::max(size, std::size_t{symbol.id.index} + 1);
    return size;
  }

  void open() {
    const auto path = options_.directory / file_name;
    try {
      const Found found = look_at(path);
      if (found == Found::ours) {
        try {
          file_.emplace(path, options_);
          return;
        } catch (const SqlError& fault) {
          if (!fault.is_damage()) throw;
        }
      }
      if (found != Found::nothing) status_.moved_aside = move_aside(path);
      create(path, options_.venue);
      file_.emplace(path, options_);
    } catch (const SqlError& fault) {
      throw FileError(fmt::format("{} cannot be opened: {}", path.string(), fault.what()));
    }
  }

  void run() {
    for (bool last = false; !last;) {
      std::uint64_t asked = 0;
      {
        std::unique_lock lock{mutex_};
        wake_.wait_for(lock, batch_.empty() ? options_.flush_interval : retry_interval_, [&] {
          return stopping_ || flushes_asked_ > flushes_done_ ||
                 (batch_.empty() && ring_.size() >= options_.batch_max);
        });
        last = stopping_;
        asked = flushes_asked_;
      }
      const bool worked = drain();
      if (worked) prune();
      const std::scoped_lock lock{mutex_};
      flushes_done_ = asked;
      flush_worked_ = worked;
      flushed_.notify_all();
    }
  }

  /// Transaction after transaction until nothing waits; false when one failed. Its records are kept, nothing
  /// more is taken from the queue before they are written, and so the memory is bounded.
  bool drain() {
    for (;;) {
      while (batch_.size() < options_.batch_max) {
        auto record = ring_.try_pop();
        if (!record) break;
        batch_.push_back(*record);
      }
      if (batch_.empty()) return true;
      if (!write()) return false;
    }
  }

  bool write() {
    try {
      const Tally tally = file_->write(batch_, incomplete_);
      const std::scoped_lock lock{mutex_};
      ++status_.batches;
      status_.written += batch_.size();
      status_.repeated += tally.repeated;
      status_.unmatched += tally.unmatched;
      status_.last_commit = clock_.now();
      status_.waiting = 0;
      status_.fault.clear();
      retry_interval_ = options_.retry_interval;
      batch_.clear();
      return true;
    } catch (const SqlError& fault) {
      failed(fault);
      return false;
    }
  }

  void failed(const SqlError& fault) {
    const std::scoped_lock lock{mutex_};
    ++status_.failures;
    status_.fault = fmt::format("{}: {}", (options_.directory / file_name).string(), fault.what());
    status_.waiting = batch_.size();
    retry_interval_ = std::min(retry_interval_ * 2, retry_interval_max);
  }

  /// What is too old, a piece at a time.
  void prune() {
    const auto now = clock_.now();
    if (pruned_at_ && now - *pruned_at_ < prune_interval) return;
    pruned_at_ = now;
    try {
      const auto pruned = file_->prune(now);
      const std::scoped_lock lock{mutex_};
      status_.orders_pruned += pruned.orders;
      status_.fills_pruned += pruned.fills;
    } catch (const SqlError& fault) {
      failed(fault);
    }
  }

  const StateStoreOptions options_;
  const RealClock& clock_;
  base::SpscRing<order::StateRecord> ring_;
  std::vector<std::atomic<bool>> incomplete_;  ///< by SymbolId: a record of it was dropped
  std::optional<StateFile> file_;

  // The writer's.
  std::vector<order::StateRecord> batch_;
  base::Duration retry_interval_{};
  std::optional<base::LocalTime> pruned_at_;

  mutable std::mutex mutex_;
  std::condition_variable wake_, flushed_;
  bool stopping_ = false, flush_worked_ = true;
  std::uint64_t flushes_asked_ = 0, flushes_done_ = 0;
  StateStatus status_;
  std::thread thread_;
};

StateStore::StateStore(StateStoreOptions options, const RealClock& clock)
    : impl_{std::make_unique<Impl>(std::move(options), clock)} {}
StateStore::~StateStore() = default;

const std::vector<order::LedgerState>& StateStore::loaded() const { return impl_->loaded(); }
void StateStore::append(const order::StateRecord& record) { impl_->append(record); }
bool StateStore::flush() { return impl_->flush(); }
StateStatus StateStore::status() const { return impl_->status(); }

}  // namespace phoenix::io
