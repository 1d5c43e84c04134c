#include "io/state_store.hpp"

#include "base/rng.hpp"
#include "io/files.hpp"
#include "io/test_support.hpp"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

using model::Money;
using model::Price;
using model::Qty;
using model::Side;
using order::FillMoney;
using order::LedgerState;
using order::Results;
using testing::HasSubstr;

constexpr model::SymbolId btc{0}, eth{3};
constexpr std::int64_t day_ms = 86'400'000;
const RealClock& clock() {
  static const RealClock real;
  return real;
}

StateStoreOptions options_for(const TemporaryDirectory& directory) {
  StateStoreOptions options;
  options.directory = directory.path();
  options.venue = "usdm fstream.example";
  options.symbols = {{btc, "BTCUSDT"}, {eth, "ETHUSDT"}};
  return options;
}
std::filesystem::path file_of(const TemporaryDirectory& directory) { return directory.path() / "state.db"; }

order::Fill fill(std::int64_t trade_id, Side side, const char* price, const char* qty, const char* pnl = "0",
                 const char* commission = "0", const char* asset = "USDT",
                 std::int64_t at_ms = 20'000 * day_ms) {
  return {.symbol = eth,
          .trade_id = trade_id,
          .order_id = 100 + trade_id,
          .id = model::ClientOrderId{.epoch = 1, .counter = static_cast<std::uint64_t>(trade_id)},
          .side = side,
          .price = Price::of(price),
          .qty = Qty::of(qty),
          .maker = true,
          .money = FillMoney{Money::of(pnl), Money::of(commission), model::Asset{asset}},
          .time = base::venue_time_ms(at_ms + trade_id)};
}

/// A generated history: the same for each number, in every process.
order::Fill made_fill(std::int64_t number) {
  base::Rng rng{static_cast<std::uint64_t>(number)};
  order::Fill f = fill(1000 + 3 * number, rng.below(2) == 0 ? Side::bid : Side::ask, "1", "1");
  f.symbol = rng.below(3) == 0 ? btc : eth;
  f.price = Price::from_raw(static_cast<std::int64_t>(1 + rng.below(9'000'000'000'000)));
  f.qty = Qty::from_raw(static_cast<std::int64_t>(1 + rng.below(900'000'000)));
  f.maker = rng.below(5) != 0;
  f.money =
      FillMoney{.realized_pnl = Money::from_raw(static_cast<std::int64_t>(rng.below(2'000'000)) - 1'000'000),
                .commission = Money::from_raw(static_cast<std::int64_t>(rng.below(100'000)) - 20'000),
                .commission_asset = model::Asset{rng.below(6) == 0 ? "BNB" : "USDT"}};
  // Over a few days, so that several days are open at once.
  f.time = base::venue_time_ms(20'000 * day_ms + number * (day_ms / 700));
  return f;
}
order::Funding made_funding(std::int64_t number) {
  return {.symbol = number % 2 == 0 ? btc : eth,
          .asset = model::Asset{"USDT"},
          .amount = Money::from_raw(number * 17 - 900),
          .income_id = 5'000'000 + number * 7 % 1009,
          .time = base::venue_time_ms(20'000 * day_ms + number * 3'600'000)};
}

void expect_equal(const Results& a, const Results& b) {
  EXPECT_EQ(a.realized_pnl, b.realized_pnl);
  EXPECT_EQ(a.volume, b.volume);
  EXPECT_EQ(a.bought_qty, b.bought_qty);
  EXPECT_EQ(a.sold_qty, b.sold_qty);
  EXPECT_EQ(a.fills_count, b.fills_count);
  EXPECT_EQ(a.maker_fills_count, b.maker_fills_count);
  EXPECT_EQ(a.unsummed, b.unsummed);
  const auto sorted = [](const order::AssetAmounts& amounts) {
    std::map<std::string, Money> map;
    for (const auto& amount : amounts) {
      if (!amount.amount.is_zero()) map[amount.asset.str()] = amount.amount;
    }
    return map;
  };
  EXPECT_EQ(sorted(a.commissions), sorted(b.commissions));
  EXPECT_EQ(sorted(a.funding), sorted(b.funding));
}
const LedgerState& state_of(const StateStore& store, model::SymbolId symbol) {
  const auto& all = store.loaded();
  return *std::find_if(all.begin(), all.end(), [&](const LedgerState& s) { return s.symbol == symbol; });
}

/// A look into the file beside the store: rows as text, columns joined by '|'.
std::vector<std::string> query(const std::filesystem::path& path, const std::string& sql) {
  sqlite3* db = nullptr;
  std::vector<std::string> rows;
  EXPECT_EQ(sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr),
            SQLITE_OK);
  const auto add = [](void* to, int columns, char** values, char**) {
    std::string row;
    for (int i = 0; i < columns; ++i) {
      if (i > 0) row += '|';
      row += values[i] != nullptr ? values[i] : "-";
    }
    static_cast<std::vector<std::string>*>(to)->push_back(row);
    return 0;
  };
  char* fault = nullptr;
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), add, &rows, &fault), SQLITE_OK) << (fault != nullptr ? fault : "");
  sqlite3_free(fault);
  sqlite3_close(db);
  return rows;
}
std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}
void overwrite(const std::filesystem::path& path, std::string_view content) {
  std::ofstream{path, std::ios::binary | std::ios::trunc} << content;
}
template <class Call>
std::string fault_of(Call call) {
  try {
    call();
  } catch (const FileError& fault) {
    return fault.what();
  }
  return "";
}

TEST(StateStore, begins_empty_and_gives_back_what_was_told) {
  const TemporaryDirectory directory;
  {
    StateStore store{options_for(directory), clock()};
    ASSERT_EQ(store.loaded().size(), 2U);
    EXPECT_EQ(store.loaded()[1].symbol, eth);
    expect_equal(store.loaded()[1].results, {});
    store.append(fill(1, Side::bid, "100.1", "2", "0", "0.04"));
    store.append(fill(4, Side::ask, "101", "1.5", "1.25", "0.0001", "BNB"));
    store.append(order::TradesComplete{.symbol = eth, .through = 1});
    store.append(order::Funding{.symbol = eth,
                                .asset = model::Asset{"USDT"},
                                .amount = Money::of("-0.33"),
                                .income_id = 9,
                                .time = base::venue_time_ms(20'001 * day_ms)});
    EXPECT_TRUE(store.flush());
    EXPECT_EQ(store.status().written, 4U);
    EXPECT_EQ(store.status().fault, "");
  }
  StateStore store{options_for(directory), clock()};
  const LedgerState& state = state_of(store, eth);
  EXPECT_EQ(state.results.realized_pnl, Money::of("1.25"));
  EXPECT_EQ(state.results.volume, Money::of("351.7"));
  EXPECT_EQ(amount_of(state.results.commissions, "USDT"), Money::of("0.04"));
  EXPECT_EQ(amount_of(state.results.commissions, "BNB"), Money::of("0.0001"));
  EXPECT_EQ(amount_of(state.results.funding, "USDT"), Money::of("-0.33"));
  EXPECT_EQ(state.results.fills_count, 2U);
  EXPECT_EQ(state.trades_through, 1);
  EXPECT_EQ(state.trades,
            (std::vector<order::SeenTrade>{{.id = 4, .parts = {.quantity = true, .money = true}}}));
  EXPECT_EQ(state.incomes.size(), 1U);
  expect_equal(state_of(store, btc).results, {});
}

TEST(StateStore, counts_what_is_told_twice_once) {
  const TemporaryDirectory directory;
  order::Fill hint = fill(7, Side::bid, "100", "1", "3", "0.1");
  const FillMoney money = *hint.money;
  hint.money.reset();
  {
    StateStore store{options_for(directory), clock()};
    store.append(hint);
    store.append(hint);
    // Complete as far as it may be: what has no money yet has to be asked for again.
    store.append(order::TradesComplete{.symbol = eth, .through = 50});
    EXPECT_TRUE(store.flush());
    EXPECT_EQ(store.status().repeated, 1U);
  }
  {
    StateStore store{options_for(directory), clock()};
    EXPECT_EQ(state_of(store, eth).trades_through, 6);
    EXPECT_EQ(state_of(store, eth).trades,
              (std::vector<order::SeenTrade>{{.id = 7, .parts = {.quantity = true, .money = false}}}));
    store.append(order::FillDetails{.symbol = eth, .trade_id = 7, .money = money});
    store.append(order::FillDetails{.symbol = eth, .trade_id = 7, .money = money});
    store.append(order::FillDetails{.symbol = eth, .trade_id = 8, .money = money});
    store.append(fill(7, Side::bid, "100", "1", "3", "0.1"));
    const order::Funding once = made_funding(1);
    store.append(once);
    store.append(once);
    EXPECT_TRUE(store.flush());
    EXPECT_EQ(store.status().repeated, 3U);
    EXPECT_EQ(store.status().unmatched, 1U);
  }
  StateStore store{options_for(directory), clock()};
  EXPECT_EQ(state_of(store, eth).results.realized_pnl, Money::of("3"));
  EXPECT_EQ(state_of(store, eth).results.fills_count, 1U);
  EXPECT_EQ(amount_of(state_of(store, eth).results.funding, "USDT"), made_funding(1).amount);
}

TEST(StateStore, d03_symbols_no_longer_configured_stay_in_the_file_and_are_not_loaded) {
  const TemporaryDirectory directory;
  StateStoreOptions options = options_for(directory);
  {
    StateStore store{options, clock()};
    order::Fill other = fill(1, Side::bid, "10", "1", "2");
    store.append(other);
    other.symbol = btc;
    store.append(other);
  }
  // Another run: other symbols, other numbers for them.
  options.symbols = {{eth, "BTCUSDT"}, {model::SymbolId{9}, "SOLUSDT"}};
  {
    StateStore store{options, clock()};
    ASSERT_EQ(store.loaded().size(), 2U);
    EXPECT_EQ(store.loaded()[0].results.fills_count, 1U);
    EXPECT_EQ(store.loaded()[0].symbol, eth);
    EXPECT_EQ(store.loaded()[1].results.fills_count, 0U);
    store.append(fill(2, Side::bid, "10", "1", "5"));
    order::Fill unknown = fill(3, Side::bid, "10", "1");
    unknown.symbol = model::SymbolId{77};
    store.append(unknown);
    EXPECT_TRUE(store.flush());
    EXPECT_EQ(store.status().unmatched, 1U);
  }
  StateStore store{options_for(directory), clock()};
  EXPECT_EQ(state_of(store, eth).results.realized_pnl, Money::of("2")) << "it was kept";
  EXPECT_EQ(state_of(store, btc).results.realized_pnl, Money::of("7"));
}

TEST(StateStore, keeps_orders_latches_and_the_results_of_each_day) {
  const TemporaryDirectory directory;
  order::OrderRecord order{.id = {.epoch = 2, .counter = 5},
                           .symbol = eth,
                           .order_id = 0,
                           .side = Side::ask,
                           .price = Price::of("101"),
                           .qty = Qty::of("2"),
                           .filled_qty = {},
                           .state = order::OrderState::pending_new,
                           .done = std::nullopt,
                           .placed_at = clock().now(),
                           .updated_at = clock().now()};
  {
    StateStore store{options_for(directory), clock()};
    store.append(order);
    order.order_id = 42;
    order.filled_qty = Qty::of("2");
    order.state = order::OrderState::done;
    order.done = order::DoneReason::filled;
    store.append(order);
    store.append(order::LatchRecord{.name = base::ShortText<32>{"kill"},
                                    .state = order::LatchState::set,
                                    .reason = base::ShortText<120>{"drawdown"},
                                    .at = base::local_time_ns(5)});
    store.append(fill(1, Side::bid, "10", "1", "1", "0.1", "USDT", 20'000 * day_ms));
    store.append(fill(2, Side::bid, "10", "1", "2", "0.2", "BNB", 20'001 * day_ms));
    store.append(fill(3, Side::bid, "10", "1", "4", "0.4", "USDT", 20'001 * day_ms - 4));
  }
  EXPECT_EQ(query(file_of(directory), "SELECT client_id, order_id, state, filled_qty FROM orders"),
            (std::vector<std::string>{order.id.text().str() + "|42|filled|200000000"}));
  EXPECT_EQ(query(file_of(directory), "SELECT name, state, reason, at_ns FROM latches"),
            (std::vector<std::string>{"kill|set|drawdown|5"}));
  EXPECT_EQ(
      query(file_of(directory), "SELECT day, realized, fills FROM daily WHERE symbol='ETHUSDT' ORDER BY day"),
      (std::vector<std::string>{"20000|500000000|2", "20001|200000000|1"}));
  EXPECT_EQ(query(file_of(directory), "SELECT day, asset, commission FROM daily_assets ORDER BY day"),
            (std::vector<std::string>{"20000|USDT|50000000", "20001|BNB|20000000"}));
}

TEST(StateStore, refuses_a_file_that_is_not_its_own_and_leaves_it_as_it_was) {
  const TemporaryDirectory directory;
  const auto path = file_of(directory);
  const auto open = [&] { const StateStore store{options_for(directory), clock()}; };

  query(path,
        "CREATE TABLE accounts(name TEXT); INSERT INTO accounts VALUES('other'); PRAGMA user_version=1");
  std::string before = bytes_of(path);
  EXPECT_THAT(fault_of(open), HasSubstr("another program's"));
  EXPECT_TRUE(bytes_of(path) == before);

  std::filesystem::remove(path);
  open();
  query(path, "PRAGMA user_version=7");
  before = bytes_of(path);
  EXPECT_THAT(fault_of(open), testing::AllOf(HasSubstr("version 7"), HasSubstr("state.db")));
  EXPECT_TRUE(bytes_of(path) == before);

  std::filesystem::remove(path);
  open();
  StateStoreOptions other = options_for(directory);
  other.venue = "usdm testnet.example";
  EXPECT_THAT(fault_of([&] { const StateStore store{other, clock()}; }),
              testing::AllOf(HasSubstr("usdm fstream.example"), HasSubstr("usdm testnet.example")));
  open();

  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  EXPECT_THAT(fault_of(open), HasSubstr("no file"));
  std::filesystem::remove(path);
  other.directory = directory.path() / "missing";
  EXPECT_THAT(fault_of([&] { const StateStore store{other, clock()}; }), HasSubstr("missing"));
}

TEST(StateStore, a_damaged_file_is_put_aside_and_it_begins_empty) {
  const TemporaryDirectory directory;
  const auto path = file_of(directory);
  const auto fill_it = [&] {
    StateStore store{options_for(directory), clock()};
    for (int i = 1; i <= 500; ++i) store.append(made_fill(i));
  };
  fill_it();
  const std::string whole = bytes_of(path);
  std::vector<std::string> damaged;
  damaged.emplace_back("nonsense");
  damaged.push_back(whole.substr(0, 3000));
  damaged.push_back(whole.substr(0, whole.size() / 2));
  std::string torn = whole;
  for (std::size_t at = 200; at < torn.size(); at += 97) torn[at] = static_cast<char>(torn[at] ^ 0x5a);
  damaged.push_back(torn);
  for (std::size_t i = 0; i < damaged.size(); ++i) {
    overwrite(path, damaged[i]);
    StateStore store{options_for(directory), clock()};
    EXPECT_EQ(store.status().moved_aside, path.string() + ".damaged-" + std::to_string(i + 1));
    EXPECT_TRUE(bytes_of(store.status().moved_aside) == damaged[i]) << "nothing of it is lost";
    expect_equal(state_of(store, eth).results, {});
    store.append(made_fill(1));
    EXPECT_TRUE(store.flush()) << store.status().fault;
  }
  // An empty file is what a death between making and filling it leaves.
  for (const auto& entry : std::filesystem::directory_iterator{directory.path()})
    std::filesystem::remove(entry);
  overwrite(path, "");
  fill_it();
  StateStore store{options_for(directory), clock()};
  EXPECT_TRUE(store.status().moved_aside.empty());
  EXPECT_GT(state_of(store, eth).results.fills_count, 0U);
}

/// Lets the process write no file beyond this size while it lives: what a full disk looks like.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    old_ = ::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, old_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  sighandler_t old_{};
};

TEST(StateStore, a_full_disk_is_named_and_tried_again_and_takes_bounded_memory) {
  const TemporaryDirectory directory;
  StateStoreOptions options = options_for(directory);
  options.queue_max = 256;
  options.batch_max = 64;
  order::Ledger ledger;
  {
    StateStore store{options, clock()};
    std::int64_t number = 0;
    const auto tell = [&](int count) {
      for (int i = 0; i < count; ++i) {
        const auto f = made_fill(++number);
        ledger.apply(f);
        store.append(f);
      }
    };
    tell(10);
    ASSERT_TRUE(store.flush());
    {
      const FileSizeLimit full{std::filesystem::file_size(file_of(directory).string() + "-wal")};
      tell(100);
      EXPECT_FALSE(store.flush());
      EXPECT_FALSE(store.flush());
      const StateStatus status = store.status();
      EXPECT_GE(status.failures, 2U);
      EXPECT_EQ(status.written, 10U);
      EXPECT_EQ(status.waiting, 100U);
      EXPECT_THAT(status.fault, HasSubstr("state.db"));
      EXPECT_EQ(status.queue.dropped, 0U);
    }
    EXPECT_TRUE(store.flush());
    EXPECT_EQ(store.status().written, 110U);
    EXPECT_EQ(store.status().waiting, 0U);
    EXPECT_EQ(store.status().fault, "");
  }
  {
    StateStore store{options, clock()};
    for (const auto symbol : {btc, eth})
      expect_equal(state_of(store, symbol).results, ledger.account(symbol));
  }
}

TEST(StateStore, a_write_that_fails_anywhere_leaves_all_of_a_batch_or_nothing) {
  const TemporaryDirectory directory;
  const StateStoreOptions options = options_for(directory);
  order::Ledger ledger;
  int failed = 0, worked = 0;
  {
    StateStore store{options, clock()};
    std::int64_t number = 0;
    for (rlim_t room = 0; room < 60'000; room += 500) {
      store.append(made_fill(++number));
      ledger.apply(made_fill(number));
      ASSERT_TRUE(store.flush());
      const FileSizeLimit full{std::filesystem::file_size(file_of(directory).string() + "-wal") + room};
      for (int i = 0; i < 5; ++i) {
        store.append(made_fill(++number));
        ledger.apply(made_fill(number));
      }
      ++(store.flush() ? worked : failed);
    }
    EXPECT_TRUE(store.flush());
  }
  EXPECT_GT(failed, 10);
  EXPECT_GT(worked, 10);
  StateStore store{options, clock()};
  for (const auto symbol : {btc, eth}) expect_equal(state_of(store, symbol).results, ledger.account(symbol));
}

TEST(StateStore, what_a_full_queue_drops_is_asked_for_again_at_the_next_start) {
  const TemporaryDirectory directory;
  StateStoreOptions options = options_for(directory);
  options.queue_max = 256;
  options.batch_max = 64;
  constexpr std::int64_t many = 2000;
  std::uint64_t stored = 0;
  {
    StateStore store{options, clock()};
    {
      const FileSizeLimit full{1};
      store.append(made_fill(1));
      EXPECT_FALSE(store.flush());
      for (std::int64_t i = 2; i <= many; ++i) store.append(made_fill(i));
      const StateStatus status = store.status();
      EXPECT_GT(status.queue.dropped, 0U);
      EXPECT_EQ(status.waiting + status.queue.dropped, static_cast<std::uint64_t>(many));
      EXPECT_LE(status.waiting, 256U + 64U);
    }
    EXPECT_TRUE(store.flush());
    stored = store.status().written;
    // The engine believes that it told everything.
    for (const auto symbol : {btc, eth})
      store.append(order::TradesComplete{.symbol = symbol, .through = made_fill(many).trade_id});
    EXPECT_TRUE(store.flush());
  }
  EXPECT_LT(stored, static_cast<std::uint64_t>(many));
  order::Ledger truth;
  for (std::int64_t i = 1; i <= many; ++i) truth.apply(made_fill(i));
  StateStore store{options, clock()};
  for (const auto symbol : {btc, eth}) {
    EXPECT_EQ(state_of(store, symbol).trades_through, 0) << "it is not complete, whatever was said";
    order::Ledger ledger;
    ledger.restore(state_of(store, symbol));
    for (std::int64_t i = 1; i <= many; ++i) {
      if (made_fill(i).symbol == symbol) ledger.apply(made_fill(i));
    }
    expect_equal(ledger.account(symbol), truth.account(symbol));
  }
}

/// What a run does: everything of the history from `first` on, with marks on the way, and a byte to
/// `progress` for every few records.
/// Waiting for the writer now and then keeps the two together.
[[noreturn]] void tell_history(const StateStoreOptions& options, std::int64_t first, int progress) {
  StateStore store{options, clock()};
  for (std::int64_t i = first;; ++i) {
    order::Fill f = made_fill(i);
    if (i % 4 == 0) {
      // As a hint first.
      const FillMoney money = *f.money;
      f.money.reset();
      store.append(f);
      if (i % 8 == 0)
        store.append(order::FillDetails{.symbol = f.symbol, .trade_id = f.trade_id, .money = money});
    } else {
      store.append(f);
    }
    if (i % 50 == 0) store.append(made_funding(i / 50));
    if (i % 97 == 0) store.append(order::TradesComplete{.symbol = f.symbol, .through = f.trade_id});
    if (i % 16 == 0 && ::write(progress, "x", 1) != 1) ::_exit(3);
    if (i % 64 == 0) store.flush();
  }
}

TEST(StateStore, killed_at_any_instant_it_counts_every_fill_at_most_once) {
  const TemporaryDirectory directory;
  StateStoreOptions options = options_for(directory);
  options.flush_interval = base::milliseconds{2};
  options.fills_kept = base::hours{24 * 365 * 50};
  options.batch_max = 40;
  base::Rng rng{7};
  std::int64_t told_max = 0;
  std::uint64_t stored_last = 0;
  for (int round = 0; round < 25; ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(pipe[0]);
      // From somewhere before its end: as after a restart, when trades are told again.
      tell_history(options, std::max<std::int64_t>(1, told_max - static_cast<std::int64_t>(rng.below(400))),
                   pipe[1]);
    }
    ::close(pipe[1]);
    // The kill comes after so many bytes of progress, wherever the writer is by then.
    const auto wanted = rng.below(60);
    char byte = 0;
    for (std::uint64_t got = 0; got < wanted && ::read(pipe[0], &byte, 1) == 1; ++got) {
    }
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "round " << round << " ended by itself: " << status;
    ::close(pipe[0]);

    StateStore store{options, clock()};
    ASSERT_TRUE(store.status().moved_aside.empty()) << "round " << round;
    // What is stored is what a plain count of its rows says.
    std::uint64_t rows = 0;
    for (const auto& [symbol, name] : {std::pair{btc, "BTCUSDT"}, std::pair{eth, "ETHUSDT"}}) {
      const std::string where = std::string{" WHERE symbol='"} + name + "'";
      const Results& results = state_of(store, symbol).results;
      rows += results.fills_count;
      EXPECT_EQ(query(file_of(directory),
                      "SELECT count(*), total(realized)=" + std::to_string(results.realized_pnl.raw()) +
                          ", count(DISTINCT trade_id) FROM fills" + where),
                (std::vector<std::string>{std::to_string(results.fills_count) + "|1|" +
                                          std::to_string(results.fills_count)}));
      EXPECT_EQ(query(file_of(directory), "SELECT coalesce(sum(amount), 0) FROM incomes" + where),
                (std::vector<std::string>{std::to_string(amount_of(results.funding, "USDT").raw())}));
    }
    EXPECT_GE(rows, stored_last) << "what was committed stays";
    stored_last = rows;
    for (const auto& row : query(file_of(directory), "SELECT max(trade_id) FROM fills"))
      if (row != "-") told_max = std::max(told_max, std::int64_t{std::stoll(row) - 1000} / 3);

    // And with the trades since the mark told again by the venue, nothing is missing and nothing double.
    const std::int64_t now_at = told_max + 20;
    for (const auto symbol : {btc, eth}) {
      order::Ledger truth, ours;
      ours.restore(state_of(store, symbol));
      for (std::int64_t i = 1; i <= now_at; ++i) {
        const auto f = made_fill(i);
        if (f.symbol != symbol) continue;
        truth.apply(f);
        if (f.trade_id > state_of(store, symbol).trades_through) ours.apply(f);
      }
      for (std::int64_t i = 1; i <= now_at / 50; ++i) {
        if (made_funding(i).symbol != symbol) continue;
        truth.on_funding(made_funding(i));
        ours.on_funding(made_funding(i));
      }
      expect_equal(ours.account(symbol), truth.account(symbol));
    }
    if (testing::Test::HasFailure()) FAIL() << "round " << round;
  }
  EXPECT_GT(stored_last, 0U);
}

TEST(StateStore, d20_the_lock_keeps_a_second_process_out_and_two_writers_still_count_once) {
  const TemporaryDirectory directory;
  {
    const DirectoryLock lock{directory.path()};
    EXPECT_THAT(fault_of([&] { const DirectoryLock second{directory.path()}; }),
                HasSubstr("in use by process"));
  }
  StateStore first{options_for(directory), clock()};
  StateStore second{options_for(directory), clock()};
  order::Ledger truth;
  for (std::int64_t i = 1; i <= 300; ++i) {
    truth.apply(made_fill(i));
    if (i % 3 != 0) first.append(made_fill(i));
    if (i % 3 != 1) second.append(made_fill(i));
    if (i % 50 == 0) {
      EXPECT_TRUE(first.flush()) << first.status().fault;
    }
  }
  EXPECT_TRUE(second.flush());
  const StateStore third{options_for(directory), clock()};
  for (const auto symbol : {btc, eth}) expect_equal(state_of(third, symbol).results, truth.account(symbol));
}

TEST(StateStore, forgets_old_orders_and_fills_but_not_what_they_earned) {
  const TemporaryDirectory directory;
  StateStoreOptions options = options_for(directory);
  options.orders_max = 3;
  {
    StateStore store{options, clock()};
    for (int i = 1; i <= 10; ++i) {
      store.append(order::OrderRecord{.id = {.epoch = 1, .counter = static_cast<std::uint64_t>(i)},
                                      .symbol = eth,
                                      .updated_at = clock().now() - base::hours{i < 3 ? 90 : 20 - i}});
    }
    const std::int64_t now_ms = base::ns_of(clock().now()) / 1'000'000;
    for (int i = 1; i <= 4; ++i)
      store.append(fill(i, Side::bid, "10", "1", "1", "0", "USDT", now_ms - 200 * day_ms));
    store.append(fill(5, Side::bid, "10", "1", "1", "0", "USDT", now_ms));
    store.append(order::TradesComplete{.symbol = eth, .through = 3});
    EXPECT_TRUE(store.flush());
    EXPECT_EQ(store.status().orders_pruned, 7U);
    EXPECT_EQ(store.status().fills_pruned, 3U) << "number 4 is old, but not proved complete";
    store.append(fill(2, Side::bid, "10", "1", "1", "0", "USDT", now_ms - 200 * day_ms));
    EXPECT_TRUE(store.flush());
    EXPECT_EQ(store.status().repeated, 1U);
  }
  EXPECT_EQ(query(file_of(directory), "SELECT substr(client_id, -1) FROM orders ORDER BY 1"),
            (std::vector<std::string>{"8", "9", "a"}));
  EXPECT_EQ(query(file_of(directory), "SELECT trade_id FROM fills"), (std::vector<std::string>{"4", "5"}));
  StateStore store{options, clock()};
  EXPECT_EQ(state_of(store, eth).results.realized_pnl, Money::of("5"));
  store.append(fill(3, Side::bid, "10", "1", "1"));
  EXPECT_TRUE(store.flush());
  EXPECT_EQ(store.status().repeated, 1U) << "it knows after a restart, too";
}

TEST(StateStore, numbers_no_venue_can_mean_do_not_stop_it) {
  const TemporaryDirectory directory;
  order::Ledger ledger;
  {
    StateStore store{options_for(directory), clock()};
    order::Fill bad = fill(1, Side::bid, "1", "1");
    bad.qty = Qty::from_raw(std::numeric_limits<std::int64_t>::max());
    store.append(bad);
    for (int i = 0; i < 12; ++i) {
      order::Fill large = fill(10 + i, Side::bid, "1", "20000000000");
      large.money = FillMoney{.realized_pnl = Money::from_raw(std::numeric_limits<std::int64_t>::min()),
                              .commission = Money::from_raw(std::numeric_limits<std::int64_t>::max()),
                              .commission_asset = model::Asset{"A" + std::to_string(i)}};
      ledger.apply(large);
      store.append(large);
    }
    EXPECT_TRUE(store.flush());
    EXPECT_EQ(store.status().unmatched, 1U);
  }
  StateStore store{options_for(directory), clock()};
  expect_equal(state_of(store, eth).results, ledger.account(eth));
  EXPECT_GT(state_of(store, eth).results.unsummed, 0U);
}

}  // namespace
}  // namespace phoenix::io
