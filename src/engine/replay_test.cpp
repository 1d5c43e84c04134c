#include "engine/replay.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <zstd.h>

namespace phoenix::engine {
namespace {

using model::Product;
using model::Qty;

const std::filesystem::path recordings = PHOENIX_SOURCE_DIR "/../shared/data";
const std::filesystem::path slices = PHOENIX_SOURCE_DIR "/tests/data";

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (path.extension() != ".zst") return bytes;
  std::string text;
  std::vector<char> piece(ZSTD_DStreamOutSize());
  ZSTD_DStream* stream = ZSTD_createDStream();
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  while (in.pos < in.size) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    if (ZSTD_isError(ZSTD_decompressStream(stream, &out, &in)) != 0) break;
    text.append(piece.data(), out.pos);
  }
  ZSTD_freeDStream(stream);
  return text;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

/// One file after the other.
ReplayReport replay(const std::vector<std::string>& texts) {
  Replay replay;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto source = replay.add_source("file " + std::to_string(i));
    for (const auto line : lines_of(texts[i])) replay.feed(source, line);
  }
  replay.finish();
  return replay.report();
}

/// Merged by time; lines without one stay behind the line before them.
ReplayReport replay_merged(const std::vector<std::string>& texts) {
  struct Timed {
    base::LocalTime time;
    std::size_t place;
    Replay::SourceId source;
    RecordedLine line;
  };
  Replay replay;
  std::vector<Timed> all;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto source = replay.add_source("file " + std::to_string(i));
    base::LocalTime time{};
    for (const auto text : lines_of(texts[i])) {
      const auto line = parse_line(text);
      time = line.time.value_or(time);
      all.push_back({time, all.size(), source, line});
    }
  }
  std::ranges::sort(all, {}, [](const Timed& timed) { return std::pair{timed.time, timed.place}; });
  for (const Timed& timed : all) replay.feed(timed.source, timed.line);
  replay.finish();
  return replay.report();
}

std::vector<std::string> read_all(const std::vector<std::string>& names) {
  std::vector<std::string> texts;
  for (const std::string& name : names) {
    if (!std::filesystem::exists(recordings / name)) return {};
    texts.push_back(read_file(recordings / name));
  }
  return texts;
}

const ReplaySymbol& symbol(const ReplayReport& report, std::string_view name) {
  const auto at = std::ranges::find(report.symbols, name, &ReplaySymbol::name);
  EXPECT_NE(at, report.symbols.end()) << name;
  return *at;
}

const char* const usdm_delta =
    R"({"stream":"x@depth","data":{"e":"depthUpdate","E":1,"T":1,"s":"X","U":11,"u":15,)"
    R"("pu":10,"b":[["100.0","2"]],"a":[["100.10","3"]]}})";
const char* const usdm_next =
    R"({"e":"depthUpdate","E":1,"T":1,"s":"X","U":16,"u":20,"pu":15,"b":[["99.9","1.5"]],)"
    R"("a":[["100.1","0"],["100.2","4"]]})";
const char* const usdm_gap = R"({"e":"depthUpdate","E":1,"T":1,"s":"X","U":31,"u":35,"pu":30,"b":[],"a":[]})";
const char* const snapshot_12 =
    R"({"lastUpdateId":12,"E":1,"T":1,"bids":[["99.0","1"]],"asks":[["101","1"]]})";

std::string join(std::initializer_list<std::string_view> lines) {
  std::string text;
  for (const auto line : lines) text.append(line).append("\n");
  return text;
}

TEST(Replay, builds_the_book_from_snapshot_and_deltas) {
  const auto report = replay({join({usdm_delta, snapshot_12, usdm_next})});
  ASSERT_EQ(report.symbols.size(), 1U);
  const ReplaySymbol& x = report.symbols[0];
  EXPECT_EQ(x.name, "X");
  EXPECT_EQ(x.product, Product::usdm);
  ASSERT_TRUE(x.book);
  EXPECT_EQ(x.book->last_id, 20);
  EXPECT_EQ(x.book->bid_levels, 3U);
  EXPECT_EQ(x.book->ask_levels, 2U);
  EXPECT_EQ(x.book->bid_qty, Qty::of("4.5"));
  EXPECT_EQ(x.book->ask_qty, Qty::of("5"));
  EXPECT_EQ(x.book->bids[0].price, model::Price::of("100"));
  EXPECT_EQ(x.book->asks[0].price, model::Price::of("100.2"));
  // printf 'B 100 2\nB 99.9 1.5\nB 99 1\nA 100.2 4\nA 101 1\n' | sha256sum
  EXPECT_EQ(x.book->sha256, "5716c200910e15aa546611247cfa9e9009afad322ce6d9f854ce7a355d358ae7");
  EXPECT_EQ(report.lines_unreadable, 0U);
}

TEST(Replay, a_snapshot_before_the_first_symbol_waits_for_it) {
  const auto report = replay({join({snapshot_12, usdm_delta, usdm_next})});
  ASSERT_TRUE(symbol(report, "X").book);
  EXPECT_EQ(symbol(report, "X").book->last_id, 20);
  const auto alone = replay({join({snapshot_12})});
  EXPECT_TRUE(alone.symbols.empty());
  ASSERT_EQ(alone.complaints.size(), 1U);
  EXPECT_EQ(alone.complaints[0].line, 1U);
}

TEST(Replay, a_book_without_a_snapshot_is_never_valid) {
  const auto report = replay({join({usdm_delta, usdm_next})});
  EXPECT_FALSE(symbol(report, "X").book);
  const auto json = nlohmann::json::parse(replay_json(report));
  const auto& x = json.at("symbols").at(0);
  EXPECT_FALSE(x.at("book_valid").get<bool>());
  for (const char* key : {"last_u", "bid_levels", "ask_levels", "bid_qty", "ask_qty", "book_sha256"}) {
    EXPECT_TRUE(x.at(key).is_null()) << key;
  }
  EXPECT_NE(replay_text(report).find("not valid"), std::string::npos);
}

TEST(Replay, a_break_of_the_chain_ends_the_validity_until_a_snapshot_joins_again) {
  const auto broken = replay({join({usdm_delta, snapshot_12, usdm_gap})});
  EXPECT_FALSE(symbol(broken, "X").book);
  EXPECT_EQ(symbol(broken, "X").chain_breaks, 1U);
  EXPECT_EQ(symbol(broken, "X").resyncs(), 0U);
  const char* const snapshot_33 = R"({"lastUpdateId":33,"bids":[["99.0","1"]],"asks":[["101","1"]]})";
  const auto healed = replay({join({usdm_delta, snapshot_12, usdm_gap, snapshot_33})});
  ASSERT_TRUE(symbol(healed, "X").book);
  EXPECT_EQ(symbol(healed, "X").book->last_id, 35);
  EXPECT_EQ(symbol(healed, "X").resyncs(), 1U);
  EXPECT_EQ(symbol(healed, "X").gaps(), 1U);
}

TEST(Replay, a_crossed_book_is_not_valid) {
  const char* const crossing =
      R"({"e":"depthUpdate","E":1,"T":1,"s":"X","U":16,"u":20,"pu":15,"b":[["102","1"]],"a":[]})";
  const auto report = replay({join({usdm_delta, snapshot_12, crossing})});
  EXPECT_FALSE(symbol(report, "X").book);
  EXPECT_EQ(symbol(report, "X").crossed_books, 1U);
}

TEST(Replay, a_file_that_continues_another_runs_on) {
  const auto report = replay({join({usdm_delta, snapshot_12}), join({usdm_next})});
  ASSERT_EQ(report.symbols.size(), 1U);
  ASSERT_TRUE(report.symbols[0].book);
  EXPECT_EQ(report.symbols[0].book->last_id, 20);
}

TEST(Replay, the_same_name_on_two_products_is_two_symbols) {
  const char* const spot_delta = R"({"e":"depthUpdate","E":1,"s":"X","U":11,"u":15,"b":[["5","2"]],"a":[]})";
  const auto report = replay({join({usdm_delta, snapshot_12}), join({spot_delta, snapshot_12})});
  ASSERT_EQ(report.symbols.size(), 2U);
  EXPECT_EQ(report.symbols[0].product, Product::usdm);
  EXPECT_EQ(report.symbols[1].product, Product::spot);
  EXPECT_TRUE(report.symbols[0].book && report.symbols[1].book);
}

TEST(Replay, holes_and_repetitions_of_trade_ids_are_counted) {
  const auto trade = [](int id) {
    return R"({"e":"trade","E":1,"T":1,"s":"X","t":)" + std::to_string(id) +
           R"(,"p":"5","q":"0.5","X":"MARKET","m":false})";
  };
  const auto agg = [](int id) {
    return R"({"e":"aggTrade","E":1,"s":"X","a":)" + std::to_string(id) +
           R"(,"p":"5","q":"2","f":1,"l":2,"T":1,"m":true})";
  };
  const auto report = replay({join({trade(1), trade(2), trade(2), trade(5), agg(7), agg(9)})});
  const ReplaySymbol& x = symbol(report, "X");
  EXPECT_EQ(x.trades, 3U);
  EXPECT_EQ(x.trade_qty, Qty::of("1.5"));
  EXPECT_EQ(x.trade_holes, 1U);
  EXPECT_EQ(x.trades_missing, 2U);
  EXPECT_EQ(x.agg_trades, 2U);
  EXPECT_EQ(x.agg_trades_missing, 1U);
  EXPECT_EQ(x.trades_repeated, 1U);
  EXPECT_EQ(x.gaps(), 2U);
}

TEST(Replay, the_top_is_compared_with_the_last_ticker_up_to_its_id) {
  const auto ticker = [](int id, const char* bid) {
    return R"({"e":"bookTicker","u":)" + std::to_string(id) + R"(,"s":"X","b":")" + bid +
           R"(","B":"2","a":"100.2","A":"4","T":1,"E":1})";
  };
  const auto agreed = replay(
      {join({usdm_delta, snapshot_12, ticker(11, "1"), usdm_next, ticker(19, "100"), ticker(21, "3")})});
  EXPECT_EQ(symbol(agreed, "X").tops_compared, 1U);
  EXPECT_EQ(symbol(agreed, "X").tops_agreed, 1U);
  const auto differs = replay(
      {join({usdm_delta, snapshot_12, ticker(11, "1"), usdm_next, ticker(20, "99"), ticker(21, "100")})});
  EXPECT_EQ(symbol(differs, "X").tops_compared, 1U);
  EXPECT_EQ(symbol(differs, "X").tops_agreed, 0U);
}

TEST(Replay, what_cannot_be_read_is_named_by_file_and_line) {
  const auto report = replay(
      {join({"", "nonsense", R"({"e":"depthUpdate","s":"X","pu":1)", "WS {}", R"({"result":null,"id":1})"})});
  EXPECT_EQ(report.lines, 5U);
  EXPECT_EQ(report.private_lines, 1U);
  EXPECT_EQ(report.frames_ignored, 1U);
  EXPECT_EQ(report.lines_unreadable, 2U);
  ASSERT_EQ(report.complaints.size(), 2U);
  EXPECT_EQ(report.complaints[0].line, 2U);
  EXPECT_EQ(report.complaints[1].line, 3U);
  EXPECT_EQ(report.complaints[0].source, "file 0");
}

/// The figures of these tests were found by other programs than this one.
TEST(ReplayGolden, the_slice_that_travels_with_the_source_gives_its_book) {
  const auto report = replay({read_file(slices / "usdm_btcusdt_20240808_head.txt.zst")});
  EXPECT_EQ(report.lines, 9'000U);
  EXPECT_EQ(report.lines_unreadable, 0U);
  ASSERT_EQ(report.symbols.size(), 1U);
  const ReplaySymbol& btc = report.symbols[0];
  EXPECT_EQ(btc.depth_events, 724U);
  EXPECT_EQ(btc.trades, 1'415U);
  EXPECT_EQ(btc.trade_qty, Qty::of("102.801"));
  EXPECT_EQ(btc.book_tickers, 6'860U);
  EXPECT_EQ(btc.tops_compared, 718U);
  EXPECT_EQ(btc.tops_agreed, 718U);
  EXPECT_EQ(btc.gaps(), 0U);
  ASSERT_TRUE(btc.book);
  EXPECT_EQ(btc.book->last_id, 5123110806154);
  EXPECT_EQ(btc.book->bid_levels, 2'072U);
  EXPECT_EQ(btc.book->ask_levels, 1'905U);
  EXPECT_EQ(btc.book->bid_qty, Qty::of("3736.157"));
  EXPECT_EQ(btc.book->ask_qty, Qty::of("4633.851"));
  EXPECT_EQ(btc.book->sha256, "354b06537ac51b097b9521f7c8e351fab10f9ac28f68e859d9d9a56d852a0f75");
}

TEST(ReplayGolden, one_depth_frame_less_is_noticed_and_no_book_is_claimed) {
  const std::string text = read_file(slices / "usdm_btcusdt_20240808_head.txt.zst");
  const auto middle = text.find("depthUpdate", text.size() / 2);
  ASSERT_NE(middle, std::string::npos);
  const auto begin = text.rfind('\n', middle) + 1;
  const auto end = text.find('\n', middle) + 1;
  const auto report = replay({text.substr(0, begin) + text.substr(end)});
  const ReplaySymbol& btc = symbol(report, "BTCUSDT");
  EXPECT_EQ(btc.depth_events, 723U);
  EXPECT_EQ(btc.chain_breaks, 1U);
  EXPECT_FALSE(btc.book);
}

/// What a recording has to give.
struct Golden {
  std::vector<std::string> files;
  Product product;
  std::uint64_t depth_events, trades;
  const char* trade_qty;
  std::uint64_t tops_compared, tops_agreed;
};

TEST(ReplayGolden, long_recordings_give_books_that_the_venue_confirms) {
  const Golden goldens[] = {
      {{"usdm_btcusdt_20240808"}, Product::usdm, 6'551, 21'313, "2429.366", 6'545, 6'545},
      {{"usdm_btcusdt_20240718", "usdm_btcusdt_20240719"},
       Product::usdm,
       9'022,
       10'701,
       "1122.459",
       9'016,
       9'016},
      {{"usdm_btcusdt_20230404"}, Product::usdm, 4'322, 2'197, "201.588", 4'322, 4'322},
      {{"spot_btcusdt_20240808", "spot_btcusdt_20240809"},
       Product::spot,
       6'495,
       19'904,
       "437.91552",
       6'492,
       6'490},
  };
  for (const Golden& golden : goldens) {
    SCOPED_TRACE(golden.files[0]);
    std::vector<std::string> names;
    for (const auto& file : golden.files) names.push_back("collector/" + file + ".txt.zst");
    const auto texts = read_all(names);
    if (texts.empty()) GTEST_SKIP() << "the recordings are not here";
    const auto report = replay(texts);
    ASSERT_EQ(report.symbols.size(), 1U);
    EXPECT_EQ(report.lines_unreadable, 0U);
    const ReplaySymbol& btc = report.symbols[0];
    EXPECT_EQ(btc.name, "BTCUSDT");
    EXPECT_EQ(btc.product, golden.product);
    EXPECT_TRUE(btc.book);
    EXPECT_EQ(btc.depth_events, golden.depth_events);
    EXPECT_EQ(btc.snapshots, 1U);
    EXPECT_EQ(btc.trades, golden.trades);
    EXPECT_EQ(btc.trade_qty, Qty::of(golden.trade_qty));
    EXPECT_EQ(btc.gaps(), 0U);
    EXPECT_EQ(btc.resyncs(), 0U);
    EXPECT_EQ(btc.crossed_books, 0U);
    EXPECT_EQ(btc.tops_compared, golden.tops_compared);
    EXPECT_EQ(btc.tops_agreed, golden.tops_agreed);
  }
}

TEST(ReplayGolden, the_final_book_of_a_recording_is_known_to_the_last_digit) {
  const auto texts = read_all({"collector/usdm_btcusdt_20240808.txt.zst"});
  if (texts.empty()) GTEST_SKIP() << "the recordings are not here";
  const auto report = replay(texts);
  ASSERT_TRUE(report.symbols.at(0).book);
  EXPECT_EQ(report.symbols[0].book->last_id, 5123135475514);
  EXPECT_EQ(report.symbols[0].book->bid_levels, 5'018U);
  EXPECT_EQ(report.symbols[0].book->ask_levels, 4'578U);
  EXPECT_EQ(report.symbols[0].book->sha256,
            "2d3ba588cdaf814fdfd4e0bbc9e6ca56c9f2666a8b683f6314d1c28eb51ffb9e");
}

TEST(ReplayGolden, a_continuation_alone_gives_no_book) {
  for (const char* name :
       {"collector/usdm_btcusdt_20240719.txt.zst", "collector/spot_btcusdt_20240809.txt.zst"}) {
    const auto texts = read_all({name});
    if (texts.empty()) GTEST_SKIP() << "the recordings are not here";
    const auto report = replay(texts);
    EXPECT_FALSE(report.symbols.at(0).book) << name;
    EXPECT_EQ(report.symbols[0].gaps(), 0U);
    EXPECT_EQ(report.symbols[0].tops_compared, 0U);
  }
}

TEST(ReplayGolden, many_symbols_with_rest_snapshots_beside) {
  struct Set {
    const char* name;
    Product product;
    std::size_t symbols;
    std::uint64_t depth_events, agg_trades;
  };
  for (const Set& set :
       {Set{"2021-07-22_usdm", Product::usdm, 4, 764, 91}, Set{"2021-10-12_spot", Product::spot, 4, 177, 2},
        Set{"2021-04-17_spot", Product::spot, 10, 614, 24}}) {
    SCOPED_TRACE(set.name);
    const std::string base = std::string{"cryptofeed/"} + set.name;
    const auto texts = read_all({base + ".ws.txt.zst", base + ".rest.txt.zst"});
    if (texts.empty()) GTEST_SKIP() << "the recordings are not here";
    const auto report = replay_merged(texts);
    EXPECT_EQ(report.lines_unreadable, 0U);
    EXPECT_EQ(report.symbols.size(), set.symbols);
    std::uint64_t depth_events = 0, agg_trades = 0;
    for (const ReplaySymbol& each : report.symbols) {
      SCOPED_TRACE(each.name);
      EXPECT_EQ(each.product, set.product);
      EXPECT_EQ(each.snapshots, 1U);
      EXPECT_TRUE(each.book);
      EXPECT_EQ(each.gaps(), 0U);
      EXPECT_EQ(each.tops_agreed, each.tops_compared);
      depth_events += each.depth_events;
      agg_trades += each.agg_trades;
    }
    EXPECT_EQ(depth_events, set.depth_events);
    EXPECT_EQ(agg_trades, set.agg_trades);
  }
}

TEST(ReplayGolden, files_without_depth_are_read_to_the_end) {
  const auto bare = read_all({"bare/usdm_bookticker_2025-06-15.jsonl.zst"});
  const auto today = read_all({"wire2026/usdm_2026-09-27_streams.txt"});
  const auto mixed = read_all({"payloads/spot_usdm_2020_2022.jsonl"});
  const auto user = read_all({"user_data/usdm_xrpusdt_2021-10-24_maker_then_taker.txt"});
  if (bare.empty() || today.empty() || mixed.empty() || user.empty())
    GTEST_SKIP() << "the recordings are not here";

  const auto tickers = replay(bare);
  EXPECT_EQ(tickers.lines_unreadable, 0U);
  EXPECT_EQ(tickers.symbols.size(), 15U);
  EXPECT_EQ(symbol(tickers, "SOLUSDT").book_tickers, 1'306U);
  EXPECT_EQ(tickers.frames_ignored, 1U);

  const auto frames = replay(today);
  EXPECT_EQ(frames.lines_unreadable, 0U);
  EXPECT_EQ(frames.frames, 43U);
  EXPECT_EQ(frames.frames_ignored, 7U);  // markPrice and kline
  for (const ReplaySymbol& each : frames.symbols) {
    EXPECT_FALSE(each.book);
    EXPECT_EQ(each.gaps(), 0U);
  }

  EXPECT_EQ(replay(mixed).lines_unreadable, 0U);
  const auto events = replay(user);
  EXPECT_EQ(events.private_lines, events.lines);
}

}  // namespace
}  // namespace phoenix::engine
