// The state that earlier versions of this program kept, as they left it:
// tests/data/upgrade/<version>/maker/state.db.

#include "io/files.hpp"
#include "io/state_store.hpp"
#include "io/test_support.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

namespace phoenix::io {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> kept_states() {
  std::vector<fs::path> found;
  for (const auto& version : fs::directory_iterator{PHOENIX_SOURCE_DIR "/tests/data/upgrade"}) {
    if (fs::exists(version.path() / "maker" / "state.db"))
      found.push_back(version.path() / "maker" / "state.db");
  }
  return found;
}

/// One row of a statement, apart from everything under test.
std::vector<std::string> row_of(const fs::path& path, const char* sql) {
  sqlite3* db = nullptr;
  sqlite3_stmt* statement = nullptr;
  EXPECT_EQ(sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
  EXPECT_EQ(sqlite3_prepare_v2(db, sql, -1, &statement, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  std::vector<std::string> row;
  if (sqlite3_step(statement) == SQLITE_ROW) {
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
      row.emplace_back(text == nullptr ? "" : text);
    }
  }
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return row;
}

class KeptState : public testing::TestWithParam<fs::path> {
 protected:
  KeptState() {
    fs::copy_file(GetParam(), file());
    // Looking alone makes SQLite write beside a file.
    fs::copy_file(GetParam(), as_it_was());
  }
  fs::path as_it_was() const { return directory_.path() / "as-it-was.db"; }
  fs::path file() const { return directory_.path() / "state.db"; }
  StateStoreOptions options() const {
    StateStoreOptions o;
    o.directory = directory_.path();
    o.venue = row_of(as_it_was(), "SELECT value FROM meta WHERE key='venue'").at(0);
    o.symbols = {{model::SymbolId{0}, "ETHUSDC"}};
    return o;
  }

  TemporaryDirectory directory_;
  RealClock clock_;
};

TEST_P(KeptState, is_loaded_with_the_figures_its_fills_add_up_to) {
  const auto sums = row_of(as_it_was(),
                           "SELECT count(*), sum(maker), sum(CASE side WHEN 'bid' THEN qty "
                           "ELSE 0 END), sum(qty), sum(realized), sum(commission) FROM fills");
  ASSERT_EQ(sums.size(), 6U);
  ASSERT_GT(std::stoll(sums[0]), 0) << "a state without a fill says nothing";
  const StateStore store{options(), clock_};
  ASSERT_EQ(store.loaded().size(), 1U);
  const auto& results = store.loaded()[0].results;
  EXPECT_EQ(std::to_string(results.fills_count), sums[0]);
  EXPECT_EQ(std::to_string(results.maker_fills_count), sums[1]);
  EXPECT_EQ(std::to_string(results.bought_qty.raw()), sums[2]);
  EXPECT_EQ(std::to_string((results.bought_qty + results.sold_qty).raw()), sums[3]);
  EXPECT_EQ(std::to_string(results.realized_pnl.raw()), sums[4]);
  std::int64_t commission = 0;
  for (const auto& one : results.commissions) commission += one.amount.raw();
  EXPECT_EQ(std::to_string(commission), sums[5]);
}

TEST_P(KeptState, is_gone_on_with) {
  const auto before = row_of(as_it_was(), "SELECT count(*), max(trade_id) FROM fills");
  const std::int64_t next = std::stoll(before[1]) + 1;
  {
    StateStore store{options(), clock_};
    const auto& last = store.loaded()[0];
    store.append(order::Fill{.symbol = last.symbol,
                             .trade_id = next,
                             .order_id = 1,
                             .id = {},
                             .side = model::Side::bid,
                             .price = model::Price::of("2000"),
                             .qty = model::Qty::of("1"),
                             .maker = true,
                             .money = order::FillMoney{{}, {}, model::Asset{"USDC"}},
                             .time = base::venue_time_ms(1'800'000'000'000)});
    EXPECT_TRUE(store.flush());
  }
  const StateStore again{options(), clock_};
  EXPECT_EQ(again.loaded()[0].results.fills_count, std::stoull(before[0]) + 1);
}

TEST_P(KeptState, of_a_newer_version_is_refused_in_one_line_and_not_touched) {
  std::string bytes = read_file(file());
  constexpr std::size_t last_byte_of_version = 63;
  ++bytes[last_byte_of_version];
  write_file_atomically(file(), bytes);
  try {
    const StateStore store{options(), clock_};
    FAIL() << "a newer version was opened";
  } catch (const FileError& fault) {
    EXPECT_THAT(fault.what(), testing::AllOf(testing::HasSubstr("state.db has version"),
                                             testing::Not(testing::HasSubstr("\n"))));
  }
  EXPECT_TRUE(read_file(file()) == bytes);
}

INSTANTIATE_TEST_SUITE_P(Upgrade, KeptState, testing::ValuesIn(kept_states()),
                         [](const auto& test) { return "number_" + std::to_string(test.index); });

}  // namespace
}  // namespace phoenix::io
