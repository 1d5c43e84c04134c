#include "base/decimal.hpp"
#include "io/duck.hpp"
#include "io/files.hpp"
#include "io/parquet_writer.hpp"
#include "record/row.hpp"

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <zlib.h>

/// What does it cost to turn encoded rows into a Parquet file, against DuckDB's own COPY of the same rows out
/// of a table in its memory, with the same options; and what does a row cost on disk, against gzip of the
/// text it came in? On a recorded stretch of BTCUSDT, the hash, the SHA-256 and the sync of the file included
/// on our side.
namespace phoenix::io {
namespace {

namespace fs = std::filesystem;
using record::Kind;
using Json = nlohmann::json;

struct Recorded {
  std::string text;  ///< the lines as recorded
  std::string bytes;
  std::vector<std::size_t> ends;
  std::vector<std::string_view> rows;
};

model::Price price(const Json& text) {
  return model::Price::from_raw(base::parse_decimal(text.get_ref<const std::string&>()).value_or(0));
}
model::Qty qty(const Json& text) {
  return model::Qty::from_raw(base::parse_decimal(text.get_ref<const std::string&>()).value_or(0));
}
std::vector<model::Level> levels(const Json& side) {
  std::vector<model::Level> out;
  for (const Json& level : side) out.push_back({price(level[0]), qty(level[1])});
  return out;
}
base::VenueTime time_of(const Json& ms) { return base::venue_time_ms(ms.get<std::int64_t>()); }

void encode(Kind kind, base::LocalTime recv, const Json& data, std::string& out) {
  record::RowWriter row{kind, "BTCUSDT", out};
  if (kind == Kind::depth) {
    row.time(time_of(data["E"])).time(recv).time(time_of(data["T"])).integer(data["U"]).integer(data["u"]);
    row.integer(data["pu"]).boolean(false).text("a").levels(levels(data["b"])).levels(levels(data["a"]));
  } else if (kind == Kind::trades) {
    row.time(time_of(data["T"])).time(recv).time(time_of(data["E"]));
    row.integer(data["t"])
        .integer(data["t"])
        .integer(data["t"])
        .decimal(price(data["p"]))
        .decimal(qty(data["q"]));
    row.boolean(data["m"]).null().null().text("a");
  } else {
    row.time(time_of(data["E"])).time(recv).time(time_of(data["T"])).integer(data["u"]);
    row.decimal(price(data["b"]))
        .decimal(qty(data["B"]))
        .decimal(price(data["a"]))
        .decimal(qty(data["A"]))
        .text("a");
  }
  row.finish();
}

/// The rows of one kind of the recording, in its order, which is the order a file is sorted by; empty without
/// the data.
const Recorded& recorded(Kind kind) {
  static std::map<Kind, Recorded> all;
  if (!all.empty()) return all[kind];
  const fs::path path = PHOENIX_SOURCE_DIR "/../shared/data/collector/usdm_btcusdt_20240808.txt.zst";
  if (!fs::exists(path)) return all[kind];
  LineReader reader{path};
  while (const auto line = reader.next()) {
    const std::size_t blank = line->find(' ');
    const Json frame = Json::parse(line->substr(blank + 1));
    if (!frame.contains("stream")) continue;
    const std::string& stream = frame["stream"].get_ref<const std::string&>();
    const Kind found = stream.find("@depth") != std::string::npos   ? Kind::depth
                       : stream.find("@trade") != std::string::npos ? Kind::trades
                                                                    : Kind::ticker;
    std::int64_t recv_ns = 0;
    std::from_chars(line->data(), line->data() + blank, recv_ns);
    Recorded& to = all[found];
    to.text.append(*line).append("\n");
    encode(found, base::local_time_ns(recv_ns), frame["data"], to.bytes);
    to.ends.push_back(to.bytes.size());
  }
  for (auto& [of, to] : all) {
    std::size_t begin = 0;
    for (const std::size_t end : to.ends) {
      to.rows.push_back(std::string_view{to.bytes}.substr(begin, end - begin));
      begin = end;
    }
  }
  return all[kind];
}

std::size_t gzip_bytes(const std::string& text) {
  std::vector<unsigned char> out(compressBound(text.size()));
  uLongf size = out.size();
  compress2(out.data(), &size, reinterpret_cast<const Bytef*>(text.data()), text.size(), 6);
  return size;
}

fs::path file_of(const char* who, Kind kind) {
  return fs::temp_directory_path() / fmt::format("phoenix-bench-{}-{}.parquet.tmp", who, record::name(kind));
}

void to_parquet_phoenix(benchmark::State& state, Kind kind) {
  const Recorded& data = recorded(kind);
  if (data.rows.empty()) return state.SkipWithError("the recording is not there");
  ParquetWriter writer;
  const fs::path path = file_of("phoenix", kind);
  std::uint64_t size = 0;
  for (auto _ : state) {
    const auto written = writer.write(kind, data.rows, path, {"BTCUSDT", "bench", "bench"});
    if (!written) return state.SkipWithError(written.error().what.c_str());
    size = written->size_bytes;
  }
  fs::remove(path);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(data.rows.size()));
  state.SetLabel(fmt::format("{:.1f} bytes a row, {:.2f} of gzip",
                             static_cast<double>(size) / static_cast<double>(data.rows.size()),
                             static_cast<double>(size) / static_cast<double>(gzip_bytes(data.text))));
}

void to_parquet_duckdb(benchmark::State& state, Kind kind) {
  const Recorded& data = recorded(kind);
  if (data.rows.empty()) return state.SkipWithError("the recording is not there");
  const fs::path path = file_of("duckdb", kind);
  ParquetWriter writer;
  if (const auto written = writer.write(kind, data.rows, path, {"BTCUSDT", "bench", "bench"}); !written)
    return state.SkipWithError(written.error().what.c_str());
  Duck duck{{.memory_bytes_max = 1ULL << 30}};
  duck.run(fmt::format("CREATE TABLE rows AS FROM read_parquet({})", sql_literal(path.string())));
  for (auto _ : state)
    duck.run(fmt::format("COPY rows TO {} ({})", sql_literal(path.string()),
                         parquet_copy_options(kind, data.rows)));
  fs::remove(path);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(data.rows.size()));
}

void read_back_phoenix(benchmark::State& state, Kind kind) {
  const Recorded& data = recorded(kind);
  if (data.rows.empty()) return state.SkipWithError("the recording is not there");
  ParquetWriter writer;
  const fs::path path = file_of("read", kind);
  if (const auto written = writer.write(kind, data.rows, path, {"BTCUSDT", "bench", "bench"}); !written)
    return state.SkipWithError(written.error().what.c_str());
  for (auto _ : state) {
    const auto content = writer.read_back(kind, path);
    if (!content) return state.SkipWithError(content.error().what.c_str());
  }
  fs::remove(path);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(data.rows.size()));
}

BENCHMARK_CAPTURE(to_parquet_phoenix, depth, Kind::depth)
    ->Name("to_parquet/phoenix/depth")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(to_parquet_duckdb, depth, Kind::depth)
    ->Name("to_parquet/duckdb/depth")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(to_parquet_phoenix, trades, Kind::trades)
    ->Name("to_parquet/phoenix/trades")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(to_parquet_duckdb, trades, Kind::trades)
    ->Name("to_parquet/duckdb/trades")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(to_parquet_phoenix, ticker, Kind::ticker)
    ->Name("to_parquet/phoenix/ticker")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(to_parquet_duckdb, ticker, Kind::ticker)
    ->Name("to_parquet/duckdb/ticker")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(read_back_phoenix, depth, Kind::depth)
    ->Name("read_back/phoenix/depth")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(read_back_phoenix, ticker, Kind::ticker)
    ->Name("read_back/phoenix/ticker")
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace phoenix::io
