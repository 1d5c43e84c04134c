// How long does one depth event take from text to an updated book, against a simdjson walk that only converts
// the numbers and keeps no book?
//
//   decode_book/phoenix/KIND         MarketDecoder::decode and Book::apply
//   decode_book/simdjson/KIND        the plain walk alone
//   decode_book/simdjson_tuned/KIND  the tuned walk alone

#include "book/book.hpp"
#include "venue/binance/market_decoder.hpp"
#include "venue/binance/test_walks.hpp"

#include <map>
#include <string>

#include <benchmark/benchmark.h>

namespace phoenix::venue::binance {
namespace {

void register_all(const std::map<std::string, FrameSet>& sets) {
  for (const auto& [kind, set] : sets) {
    const bool depth = kind.find("diff") != kind.npos || kind.find("depth") != kind.npos;
    if (!depth || set.frames.empty()) continue;
    const FrameSet* const frames = &set;
    benchmark::RegisterBenchmark(("decode_book/phoenix/" + kind).c_str(), [frames](benchmark::State& state) {
      MarketDecoder decoder{symbols()};
      book::Book book;
      run(state, *frames, [&](const simdjson::padded_string& frame) {
        const auto message = decoder.decode(frame);
        const auto* delta = message ? std::get_if<model::DepthDelta>(&*message) : nullptr;
        if (delta == nullptr) stop("no depth event", frame);
        book.apply(*delta);
        benchmark::DoNotOptimize(book.last_id());
      });
    });
    benchmark::RegisterBenchmark(("decode_book/simdjson/" + kind).c_str(), [frames](benchmark::State& state) {
      PlainWalk walk;
      run(state, *frames, [&](const simdjson::padded_string& frame) { walk.decode(frame); });
    });
    const auto product = kind.starts_with("spot") ? model::Product::spot : model::Product::usdm;
    benchmark::RegisterBenchmark(
        ("decode_book/simdjson_tuned/" + kind).c_str(), [frames, product](benchmark::State& state) {
          TunedWalk walk{product};
          run(state, *frames, [&](const simdjson::padded_string& frame) { walk.decode(frame); });
        });
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
