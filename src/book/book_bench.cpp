// How much does one level update cost on recorded deltas, against a std::map book fed the same in the same
// run? Read the counter ns_per_level. Without the recordings a composed flow stands in.
#include "base/rng.hpp"
#include "book/book.hpp"

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>
#include <zstd.h>

namespace phoenix::book {
namespace {

using model::Level;
using model::Price;
using model::Qty;
using model::Side;

struct Event {
  std::vector<Level> bids, asks;
};
struct Flow {
  std::string name;
  Event snapshot;
  std::vector<Event> deltas;
  std::size_t levels = 0;
};

std::string read_zst(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string packed{std::istreambuf_iterator<char>(file), {}};
  std::string text;
  std::vector<char> piece(ZSTD_DStreamOutSize());
  ZSTD_DStream* stream = ZSTD_createDStream();
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  while (in.pos < in.size) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    if (ZSTD_isError(ZSTD_decompressStream(stream, &out, &in)) != 0) break;
    text.append(piece.data(), out.pos);
  }
  ZSTD_freeDStream(stream);
  return text;
}

std::vector<Level> levels_of(const nlohmann::json& rows) {
  std::vector<Level> levels;
  for (const auto& row : rows) {
    levels.push_back(
        {Price::of(row[0].get_ref<const std::string&>()), Qty::of(row[1].get_ref<const std::string&>())});
  }
  return levels;
}

/// The snapshot of a recording and the deltas after it (those it covers already are left out roughly: by
/// place).
Flow recorded(const std::string& name, const std::vector<std::string>& files) {
  Flow flow{.name = name, .snapshot = {}, .deltas = {}};
  bool begun = false;
  for (const std::string& file : files) {
    const auto path = std::filesystem::path(PHOENIX_SOURCE_DIR "/../shared/data/collector") / file;
    if (!std::filesystem::exists(path)) continue;
    const std::string text = read_zst(path);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      const std::string_view line{text.data() + at, end - at};
      at = end + 1;
      const std::size_t space = line.find(' ');
      const bool is_snapshot = line.find("lastUpdateId") != std::string_view::npos;
      if (!is_snapshot && (!begun || line.find("depthUpdate") == std::string_view::npos)) continue;
      const auto frame = nlohmann::json::parse(line.substr(space + 1));
      if (is_snapshot) {
        flow.snapshot = {levels_of(frame.at("bids")), levels_of(frame.at("asks"))};
        begun = true;
      } else {
        const auto& data = frame.at("data");
        flow.deltas.push_back({levels_of(data.at("b")), levels_of(data.at("a"))});
        flow.levels += flow.deltas.back().bids.size() + flow.deltas.back().asks.size();
      }
    }
  }
  return flow;
}

/// 40 levels an event, most of them near a touch that wanders.
Flow composed() {
  Flow flow{.name = "composed", .snapshot = {}, .deltas = {}};
  base::Rng rng{1};
  std::int64_t touch = 600'000;
  const std::int64_t tick = base::decimal_one / 10;
  for (int i = 0; i < 1'000; ++i) {
    flow.snapshot.bids.push_back({Price::from_raw((touch - i) * tick), Qty::of("1")});
    flow.snapshot.asks.push_back({Price::from_raw((touch + 1 + i) * tick), Qty::of("1")});
  }
  for (int event = 0; event < 5'000; ++event) {
    Event delta;
    for (int i = 0; i < 20; ++i) {
      const std::int64_t away = rng.between(0, rng.below(10) == 0 ? 5'000 : 200);
      const Qty qty = Qty::from_raw(rng.below(4) == 0 ? 0 : rng.between(1, base::decimal_one));
      delta.bids.push_back({Price::from_raw((touch - away) * tick), qty});
      delta.asks.push_back({Price::from_raw((touch + 1 + away) * tick), qty});
    }
    touch += rng.between(-1, 1);
    flow.levels += 40;
    flow.deltas.push_back(std::move(delta));
  }
  return flow;
}

/// The plain book: one std::map a side.
class MapBook {
 public:
  void apply(const Event& event) {
    for (const Level& level : event.bids) set(bids_, level);
    for (const Level& level : event.asks) set(asks_, level);
  }
  std::size_t size() const { return bids_.size() + asks_.size(); }

 private:
  static void set(auto& side, const Level& level) {
    if (level.qty.is_zero()) {
      side.erase(level.price);
    } else {
      side[level.price] = level.qty;
    }
  }
  std::map<Price, Qty, std::greater<>> bids_;
  std::map<Price, Qty> asks_;
};

/// CPU time of this thread: other work on the machine does not count.
std::chrono::nanoseconds thread_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

template <class Run>
void time_flow(benchmark::State& state, const Flow& flow, Run&& run) {
  std::chrono::nanoseconds spent{0};
  for (auto _ : state) {
    const auto took = run();
    spent += took;
    state.SetIterationTime(std::chrono::duration<double>(took).count());
  }
  const double levels = static_cast<double>(flow.levels) * static_cast<double>(state.iterations());
  state.counters["ns_per_level"] = static_cast<double>(spent.count()) / levels;
}

void with_map(benchmark::State& state, const Flow& flow) {
  time_flow(state, flow, [&] {
    MapBook book;
    book.apply(flow.snapshot);
    const auto start = thread_time();
    for (const Event& event : flow.deltas) book.apply(event);
    const auto took = thread_time() - start;
    benchmark::DoNotOptimize(book.size());
    return took;
  });
}

void with_book(benchmark::State& state, const Flow& flow, std::uint32_t window_ticks) {
  BookStats stats;
  time_flow(state, flow, [&] {
    Book book{{.tick = std::nullopt, .window_ticks = window_ticks}};
    model::DepthSnapshot snapshot;
    snapshot.bids = flow.snapshot.bids;
    snapshot.asks = flow.snapshot.asks;
    book.apply(snapshot);
    model::DepthDelta delta;
    const auto start = thread_time();
    for (const Event& event : flow.deltas) {
      delta.bids = event.bids;
      delta.asks = event.asks;
      book.apply(delta);
    }
    const auto took = thread_time() - start;
    stats = book.stats();
    return took;
  });
  state.counters["far_%"] = 100.0 * static_cast<double>(stats.levels_far) / static_cast<double>(flow.levels);
  state.counters["window_moves"] = static_cast<double>(stats.window_moves);
}

}  // namespace
}  // namespace phoenix::book

int main(int argc, char** argv) {
  using namespace phoenix::book;
  benchmark::Initialize(&argc, argv);
  static std::vector<Flow> flows;
  flows.push_back(recorded("spot", {"spot_btcusdt_20240808.txt.zst", "spot_btcusdt_20240809.txt.zst"}));
  flows.push_back(recorded("usdm", {"usdm_btcusdt_20240808.txt.zst"}));
  flows.push_back(composed());
  for (const Flow& flow : flows) {
    if (flow.deltas.empty()) continue;
    benchmark::RegisterBenchmark(("book/map/" + flow.name).c_str(), with_map, flow)->UseManualTime();
    for (const std::uint32_t bits : {12U, 16U, 18U}) {
      const std::string name =
          "book/phoenix/" + flow.name + (bits == 18 ? "" : "/window_2^" + std::to_string(bits));
      benchmark::RegisterBenchmark(name.c_str(), with_book, flow, 1U << bits)->UseManualTime();
    }
  }
  benchmark::RunSpecifiedBenchmarks();
}
