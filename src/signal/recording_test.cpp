// All rows of recorded market data as one number each: a change of any value of any row shows, and the
// numbers are the same in every build type and with every compiler.
#include "base/time.hpp"
#include "signal/symbol_signals.hpp"
#include "signal/test_market.hpp"
#include "signal/test_rows.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <zstd.h>

namespace phoenix::signal {
namespace {

using model::Price;
using model::Qty;

std::string read_zst(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string packed{std::istreambuf_iterator<char>(file), {}};
  std::string text;
  std::vector<char> piece(ZSTD_DStreamOutSize());
  ZSTD_DStream* const stream = ZSTD_createDStream();
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  while (in.pos < in.size) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    if (ZSTD_isError(ZSTD_decompressStream(stream, &out, &in)) != 0) break;
    text.append(piece.data(), out.pos);
  }
  ZSTD_freeDStream(stream);
  return text;
}

/// The plain book: one std::map a side.
class PlainBook {
 public:
  void apply(const nlohmann::json& bids, const nlohmann::json& asks) {
    for (const auto& row : bids) set(bids_, row);
    for (const auto& row : asks) set(asks_, row);
  }
  TopLevels top() const {
    TopLevels levels;
    for (auto it = bids_.begin(); it != bids_.end() && !levels.bids.full(); ++it)
      levels.bids.push_back({it->first, it->second});
    for (auto it = asks_.begin(); it != asks_.end() && !levels.asks.full(); ++it)
      levels.asks.push_back({it->first, it->second});
    return levels;
  }

 private:
  static void set(auto& side, const nlohmann::json& row) {
    const Price price = Price::of(row[0].get_ref<const std::string&>());
    const Qty qty = Qty::of(row[1].get_ref<const std::string&>());
    if (qty.is_zero()) {
      side.erase(price);
    } else {
      side[price] = qty;
    }
  }
  std::map<Price, Qty, std::greater<>> bids_;
  std::map<Price, Qty> asks_;
};

/// The lines of a file (`<integer us or ns> <frame>`) as samples, from its snapshot on.
std::vector<Sample> samples_of(const std::string& text) {
  std::vector<Sample> samples;
  PlainBook book;
  std::int64_t snapshot_id = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line{text.data() + at, end - at};
    at = end + 1;
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) continue;
    std::int64_t stamp = 0;
    std::from_chars(line.data(), line.data() + space, stamp);
    const base::LocalTime recv_time =
        base::local_time_ns(stamp < 9'000'000'000'000'000 ? stamp * 1'000 : stamp);
    const bool is_depth = line.find("depthUpdate") != std::string_view::npos;
    const bool is_trade = line.find("@trade") != std::string_view::npos;
    const bool is_snapshot = line.find("lastUpdateId") != std::string_view::npos;
    if (!is_depth && !is_trade && !is_snapshot) continue;
    const auto frame = nlohmann::json::parse(line.substr(space + 1));
    if (is_snapshot) {
      snapshot_id = frame.at("lastUpdateId").get<std::int64_t>();
      book.apply(frame.at("bids"), frame.at("asks"));
      continue;
    }
    const auto& data = frame.at("data");
    if (is_trade) {
      samples.emplace_back(
          TradeSample{.event_time = base::venue_time_ms(data.at("T").get<std::int64_t>()),
                      .recv_time = recv_time,
                      .id = data.at("t").get<std::int64_t>(),
                      .price = Price::of(data.at("p").get_ref<const std::string&>()),
                      .qty = Qty::of(data.at("q").get_ref<const std::string&>()),
                      .aggressor = data.at("m").get<bool>() ? model::Side::ask : model::Side::bid});
    } else if (snapshot_id != 0 && data.at("u").get<std::int64_t>() > snapshot_id) {
      book.apply(data.at("b"), data.at("a"));
      samples.emplace_back(BookSample{.event_time = base::venue_time_ms(data.at("E").get<std::int64_t>()),
                                      .recv_time = recv_time,
                                      .last_id = data.at("u").get<std::int64_t>(),
                                      .levels = book.top()});
    }
  }
  return samples;
}

struct Recording {
  const char* file;
  std::uint64_t hash;
  std::size_t rows;
};
void PrintTo(const Recording& recording, std::ostream* out) { *out << recording.file; }

class Recordings : public testing::TestWithParam<Recording> {};

TEST_P(Recordings, h21_rows_of_a_recording_are_golden_at_any_batching) {
  const auto path = std::filesystem::path(PHOENIX_SOURCE_DIR "/../shared/data/collector") / GetParam().file;
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not here";
  const auto samples = samples_of(read_zst(path));
  ASSERT_GT(samples.size(), 1'000U);
  for (const std::size_t batch : {1U, 100U, 1'000'000U}) {
    SymbolSignals signals{SignalOptions::for_symbol("BTCUSDT")};
    RowHash hash;
    Rows rows;
    std::size_t count = 0;
    const auto flush = [&] {
      hash.add(rows);
      count += rows.size();
      rows.clear();
    };
    for (std::size_t i = 0; i < samples.size(); ++i) {
      feed(signals, samples[i], rows);
      if (i % batch == 0) flush();
    }
    signals.finish(rows);
    flush();
    EXPECT_EQ(hash.value(), GetParam().hash) << "at batches of " << batch;
    EXPECT_EQ(count, GetParam().rows);
    EXPECT_EQ(signals.stats().crowded_out, 0);
    EXPECT_EQ(signals.stats().bad_levels, 0);
    EXPECT_EQ(signals.stats().side_unknown, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Collector, Recordings,
    testing::Values(Recording{"usdm_btcusdt_20230404.txt.zst", 2821746506291753818U, 8951},
                    Recording{"usdm_btcusdt_20240808.txt.zst", 10719341225329624322U, 50111},
                    Recording{"spot_btcusdt_20240808.txt.zst", 7677635687997660607U, 21034}),
    [](const auto& test) {
      const std::string_view file = test.param.file;
      return std::string{file.substr(0, file.find('.'))};
    });

}  // namespace
}  // namespace phoenix::signal
