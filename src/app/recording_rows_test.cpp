// A recording as a market to trade on: its Parquet files, what is not converted yet, and what is too thin.

#include "app/recording_rows.hpp"

#include "app/backtest.hpp"
#include "app/config.hpp"
#include "io/archive.hpp"
#include "io/files.hpp"
#include "record/journal_format.hpp"
#include "record/layout.hpp"
#include "sim/world.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

namespace fs = std::filesystem;
using sim::MarketEvent;

const fs::path config_file = fs::path{PHOENIX_SOURCE_DIR} / "configs/backtest.yaml";

/// What the process of a simulated session writes to its journal.
class JournalOfWorld final : public sim::World::Probe {
 public:
  void before(const engine::Input&) override {}
  void after(const engine::Input&, const engine::Actions& actions) override {
    for (std::size_t i = 0; i < actions.rows_count(); ++i) rows_.emplace_back(actions.row(i));
  }
  std::size_t rows_count() const { return rows_.size(); }

  /// A sealed segment of the rows from `begin` to before `end`.
  std::string segment(record::SegmentId id, std::size_t begin, std::size_t end) const {
    std::string bytes{record::journal_magic};
    record::append_head({.id = id, .program = "test", .ends = {}}, {}, bytes);
    for (std::size_t i = begin; i < end; ++i)
      record::append_record(i, {}, record::journal_kind_row, rows_[i], "", bytes);
    const auto leftover = record::examine_leftover(bytes, std::nullopt);
    return bytes + record::closing_bytes(leftover, record::TailLoss::none, "", {});
  }

 private:
  std::vector<std::string> rows_;
};

/// Two minutes of two symbols, over the end of an hour.
const JournalOfWorld& session() {
  static const JournalOfWorld journal = [] {
    sim::WorldOptions options;
    options.start = base::local_time_ns(1'794'999'540'000'000'000);
    options.engine.total_notional_max = model::Money::from_units(4'000);
    std::erase_if(options.exchange.core.symbols,
                  [](const auto& s) { return s.name != "ETHUSDC" && s.name != "SOLUSDC"; });
    for (const char* const name : {"ETHUSDC", "SOLUSDC"}) {
      engine::SymbolOptions symbol;
      symbol.name = name;
      symbol.recorded = engine::Switch::on;
      symbol.quoted = engine::Switch::off;
      options.engine.symbols.push_back(symbol);
    }
    JournalOfWorld made;
    sim::World world{options};
    world.set_probe(&made);
    world.run_for(base::minutes{2});
    world.set_probe(nullptr);
    return made;
  }();
  return journal;
}

class RecordingRowsTest : public testing::Test {
 protected:
  RecordingRowsTest()
      : directory_(fs::temp_directory_path() / fmt::format("phoenix-recorded-{}", ::getpid())) {
    fs::create_directories(directory_ / "journal");
  }
  ~RecordingRowsTest() override { fs::remove_all(directory_); }

  void keep_segment(std::uint32_t number, std::size_t begin, std::size_t end) const {
    const record::SegmentId id{1, number};
    std::ofstream{directory_ / record::segment_path(id, record::SegmentState::sealed), std::ios::binary}
        << session().segment(id, begin, end);
  }
  void convert(io::SegmentPolicy policy = io::SegmentPolicy::remove) const {
    io::recover(directory_, {.segments = policy, .program = "test"});
  }
  /// Directories of a kind; "" of all hours.
  void forget(const std::string& kind, const std::string& symbol, const std::string& hour = "") const {
    std::vector<fs::path> gone;
    for (const auto& entry : fs::recursive_directory_iterator{directory_ / "raw"}) {
      const auto path = entry.path().generic_string();
      if (path.ends_with("kind=" + kind) && path.find("symbol=" + symbol) != std::string::npos &&
          path.find(hour) != std::string::npos)
        gone.push_back(entry.path());
    }
    ASSERT_FALSE(gone.empty());
    for (const auto& path : gone) fs::remove_all(path);
  }

  struct Seen {
    MarketEvent::Kind kind{};
    base::VenueTime at{};
    std::string symbol;
    std::vector<model::Level> bids, asks;
    model::Price price;
    model::Qty qty;
    model::Side aggressor = model::Side::bid;
    model::Rate funding_rate;
    bool operator==(const Seen&) const = default;
  };
  std::vector<Seen> read(const std::set<std::string>& symbols = {}) {
    MarketReader reader{{directory_}, symbols};
    std::vector<Seen> seen;
    while (const auto e = reader.next()) {
      seen.push_back({.kind = e->kind,
                      .at = e->at,
                      .symbol = reader.symbols()[e->symbol.index],
                      .bids = {e->bids.begin(), e->bids.end()},
                      .asks = {e->asks.begin(), e->asks.end()},
                      .price = e->price,
                      .qty = e->qty,
                      .aggressor = e->aggressor,
                      .funding_rate = e->funding_rate});
    }
    stats_ = reader.stats();
    others_ = reader.others();
    return seen;
  }
  static std::size_t count(const std::vector<Seen>& seen, MarketEvent::Kind kind) {
    return static_cast<std::size_t>(std::ranges::count(seen, kind, &Seen::kind));
  }
  std::string refusal(const std::set<std::string>& symbols) {
    try {
      read(symbols);
    } catch (const StartError& error) {
      EXPECT_EQ(std::string{error.what()}.find('\n'), std::string::npos) << error.what();
      return error.what();
    }
    return "nothing was refused";
  }

  fs::path directory_;
  MarketReaderStats stats_;
  std::set<std::string> others_;
};

/// Events of one symbol: the order of different symbols within one instant is nobody's promise.
template <class Events>
Events of_symbol(const Events& events, const std::string& symbol) {
  Events out;
  for (const auto& event : events) {
    if (event.symbol == symbol) out.push_back(event);
  }
  return out;
}

TEST_F(RecordingRowsTest, the_files_are_the_market_that_the_journal_was) {
  keep_segment(0, 0, session().rows_count());
  const auto from_journal = read();
  convert();
  ASSERT_TRUE(fs::is_empty(directory_ / "journal"));
  const auto from_files = read();
  EXPECT_EQ(stats_.holes + stats_.unreadable + stats_.without_snapshot + stats_.late, 0U);
  EXPECT_GT(count(from_files, MarketEvent::Kind::change), 1'000U);
  EXPECT_GT(count(from_files, MarketEvent::Kind::trade), 100U);
  EXPECT_GT(count(from_files, MarketEvent::Kind::mark), 200U);
  for (const char* const symbol : {"ETHUSDC", "SOLUSDC"}) {
    auto a = of_symbol(from_journal, symbol), b = of_symbol(from_files, symbol);
    // When a snapshot was taken counts less than what came before it, which differs by the order of receipt.
    const auto take_snapshot = [](std::vector<Seen>& events) {
      const auto it = std::ranges::find(events, MarketEvent::Kind::whole, &Seen::kind);
      std::vector<std::vector<model::Level>> sides;
      if (it != events.end()) sides = {it->bids, it->asks};
      std::erase_if(events, [](const Seen& e) { return e.kind == MarketEvent::Kind::whole; });
      return sides;
    };
    EXPECT_EQ(take_snapshot(a), take_snapshot(b));
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_TRUE(a[i] == b[i]) << symbol << ", event " << i;
  }
}

TEST_F(RecordingRowsTest, what_is_not_converted_yet_is_read_from_the_journal) {
  const std::size_t rows = session().rows_count();
  keep_segment(0, 0, rows / 2);
  convert();
  keep_segment(1, rows / 2, rows);
  const auto both = read();
  fs::remove_all(directory_ / "raw");
  keep_segment(0, 0, rows / 2);
  EXPECT_EQ(of_symbol(both, "ETHUSDC").size(), of_symbol(read(), "ETHUSDC").size());
  EXPECT_EQ(stats_.holes, 0U);
}

TEST_F(RecordingRowsTest, a_journal_that_was_kept_is_not_read_twice) {
  keep_segment(0, 0, session().rows_count());
  const auto once = read();
  const auto lines = stats_.lines;
  convert(io::SegmentPolicy::keep);
  EXPECT_EQ(read().size(), once.size());
  EXPECT_EQ(stats_.repeated, 0U);
  EXPECT_LT(stats_.lines, lines) << "rows of other kinds are not even opened";
  fs::remove_all(directory_ / "raw");
  EXPECT_EQ(read().size(), once.size()) << "without files the journal is all there is";
}

TEST_F(RecordingRowsTest, only_the_symbols_wanted_are_opened) {
  keep_segment(0, 0, session().rows_count());
  convert();
  const auto all = of_symbol(read(), "ETHUSDC").size();
  EXPECT_EQ(read({"ETHUSDC"}).size(), all);
  EXPECT_TRUE(others_.contains("SOLUSDC"));
  EXPECT_TRUE(read({"BTCUSDT"}).empty());
}

TEST_F(RecordingRowsTest, a_book_without_depth_is_too_thin_and_says_what_is_needed) {
  keep_segment(0, 0, session().rows_count());
  convert();
  forget("depth", "ETHUSDC");
  const auto text = refusal({"ETHUSDC"});
  EXPECT_NE(text.find("no depth of ETHUSDC"), std::string::npos) << text;
  EXPECT_NE(text.find("kinds depth and trades"), std::string::npos) << text;
  EXPECT_TRUE(of_symbol(read(), "ETHUSDC").empty()) << "beside a symbol that can be traded it is left out";
}

TEST_F(RecordingRowsTest, an_hour_with_trades_and_no_depth_is_left_out_and_counted) {
  keep_segment(0, 0, session().rows_count());
  convert();
  const auto all = count(read({"ETHUSDC"}), MarketEvent::Kind::trade);
  forget("depth", "ETHUSDC", "hour=10");
  const auto seen = read({"ETHUSDC"});
  EXPECT_EQ(stats_.hours_without_depth, 1U);
  EXPECT_LT(count(seen, MarketEvent::Kind::trade), all);
  EXPECT_GT(count(seen, MarketEvent::Kind::trade), 0U);
}

TEST_F(RecordingRowsTest, the_book_of_an_older_recording_is_too_thin) {
  fs::remove_all(directory_ / "journal");
  const auto place = directory_ / "date=2026-11-20/hour=03/symbol=BTCUSDT/kind=orderbook";
  fs::create_directories(place);
  std::ofstream{place / "part.parquet"} << "never opened";
  const auto text = refusal({"BTCUSDT"});
  EXPECT_NE(text.find("five levels"), std::string::npos) << text;
}

TEST_F(RecordingRowsTest, a_damaged_file_is_one_line) {
  keep_segment(0, 0, session().rows_count());
  convert();
  for (const auto& entry : fs::recursive_directory_iterator{directory_ / "raw"}) {
    if (entry.path().extension() == ".parquet" && entry.path().string().find("trades") != std::string::npos)
      std::ofstream{entry.path(), std::ios::binary} << "no Parquet";
  }
  EXPECT_NE(refusal({"ETHUSDC"}).find(directory_.string()), std::string::npos);
}

TEST_F(RecordingRowsTest, can_be_traded_on_and_is_named_in_the_report) {
  keep_segment(0, 0, session().rows_count());
  convert();
  auto text = io::read_file(config_file);
  text.replace(text.find("BTCUSDT\n    net"), 7, "ETHUSDC");
  text.replace(text.find("net_max: 0.04"), 13, "net_max: 0.30");
  text.replace(text.find("unified_layer_size: 0.002"), 25, "unified_layer_size: 0.010");
  auto parsed = parse_config(text);
  ASSERT_TRUE(parsed.config);
  const BacktestSettings settings{.data = {directory_}};
  choose_strategy(settings, *parsed.config);
  const auto scan = scan_market(settings, *parsed.config);
  const auto run = run_backtest(settings, *parsed.config, scan, {});
  EXPECT_GT(run.result.figures.symbols.at(0).fills, 0U);
  EXPECT_GT(run.result.marks, 100U);
  ASSERT_EQ(scan.inputs.size(), 6U) << "depth, trades and mark prices of two hours";
  EXPECT_EQ(scan.inputs[0].name.find("raw/date="), 0U) << scan.inputs[0].name;
}

}  // namespace
}  // namespace phoenix::app
