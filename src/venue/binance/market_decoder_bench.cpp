// How long does one frame take from text to model values, against simdjson On-Demand doing the same
// conversions?
//
//   decode/phoenix/KIND            MarketDecoder::decode
//   decode/phoenix_any_order/KIND  its general path alone
//   decode/simdjson/KIND           a plain walk: any member order, unknown members skipped, decimals digit by
//   digit decode/simdjson_tuned/KIND     members found in order, raw texts, eight decimals at once (depth
//   only)
//
// All of one KIND read the same frames: composed ones, and recorded ones where the recordings are present.

#include "venue/binance/market_decoder.hpp"
#include "venue/binance/test_walks.hpp"

#include <map>
#include <string>

#include <benchmark/benchmark.h>

namespace phoenix::venue::binance {
namespace {

void register_all(const std::map<std::string, FrameSet>& sets) {
  for (const auto& [kind, set] : sets) {
    if (set.frames.empty()) continue;
    const FrameSet* const frames = &set;
    benchmark::RegisterBenchmark(("decode/phoenix/" + kind).c_str(), [frames](benchmark::State& state) {
      MarketDecoder decoder{symbols()};
      run(state, *frames, [&](const simdjson::padded_string& frame) {
        auto result = decoder.decode(frame);
        if (!result) stop(name(result.error()), frame);
        benchmark::DoNotOptimize(result);
      });
      state.counters["general_path"] = static_cast<double>(decoder.general_path_count());
    });
    benchmark::RegisterBenchmark(("decode/phoenix_any_order/" + kind).c_str(),
                                 [frames](benchmark::State& state) {
                                   MarketDecoder decoder{symbols()};
                                   run(state, *frames, [&](const simdjson::padded_string& frame) {
                                     auto result = decoder.decode_any_order(frame);
                                     if (!result) stop(name(result.error()), frame);
                                     benchmark::DoNotOptimize(result);
                                   });
                                 });
    benchmark::RegisterBenchmark(("decode/simdjson/" + kind).c_str(), [frames](benchmark::State& state) {
      PlainWalk walk;
      run(state, *frames, [&](const simdjson::padded_string& frame) { walk.decode(frame); });
    });
    if (kind.find("diff") != kind.npos || kind.find("depth") != kind.npos) {
      const auto product = kind.starts_with("spot") ? model::Product::spot : model::Product::usdm;
      benchmark::RegisterBenchmark(
          ("decode/simdjson_tuned/" + kind).c_str(), [frames, product](benchmark::State& state) {
            TunedWalk walk{product};
            run(state, *frames, [&](const simdjson::padded_string& frame) { walk.decode(frame); });
          });
    }
  }
}

}  // namespace
}  // namespace phoenix::venue::binance

int main(int argc, char** argv) {
  using namespace phoenix::venue::binance;
  for (const char* name : {"BTCUSDT", "ETHUSDT", "SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"})
    symbols().add(name);
  const auto sets = frame_sets();
  register_all(sets);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
