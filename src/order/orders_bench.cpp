#include "order/orders.hpp"

#include <variant>

#include <benchmark/benchmark.h>

// What does it cost, on the way from a tick to an order, to find that 14 resting orders are as wanted, and
// what when all of them must change (with their answers)?

namespace phoenix::order {
namespace {

constexpr model::SymbolId symbol{0};
constexpr int layers = 7;

model::Quotes ladder(std::int64_t ticks, std::int64_t qty_raw = 800'000) {
  model::Quotes quotes;
  for (const model::Side side : {model::Side::bid, model::Side::ask}) {
    for (int n = 0; n < layers; ++n) {
      const std::int64_t price = 300'000 + ticks - model::sign(side) * (150 + 150 * n + 20 * n * n);
      quotes.push_back({.side = side,
                        .layer = static_cast<std::uint16_t>(n),
                        .price = model::Price::from_raw(price * 1'000'000),
                        .qty = model::Qty::from_raw(qty_raw)});
    }
  }
  return quotes;
}

struct Bench {
  Bench() {
    model::Instrument i;
    i.symbol = symbol;
    i.tick_size = model::Price::from_raw(1'000'000);
    i.step_size = i.qty_min = model::Qty::from_raw(100'000);
    orders.add_symbol(i, {});
    out.reserve(64);
    events.reserve(4096);
    orders.want(symbol, ladder(0), context, now, out);
    const Requests placed = out;
    for (const OutRequest& r : placed) {
      model::OrderAnswer answer;
      answer.outcome = model::Outcome::accepted;
      orders.on_answer(r.id, answer, now, events, out);
    }
    out.clear();
  }
  Orders orders{OrdersOptions{}, 1};
  base::LocalTime now{base::seconds{1}};
  WantContext context{.top = {.bid = {model::Price::from_raw(299'999'000'000), model::Qty::from_units(1)},
                              .ask = {model::Price::from_raw(300'001'000'000), model::Qty::from_units(1)},
                              .update_id = 1},
                      .room = {.bid = model::Qty::from_units(100), .ask = model::Qty::from_units(100)},
                      .places_max = 100};
  Requests out;
  OrderEvents events;
};

void want_what_is_there(benchmark::State& state) {
  Bench bench;
  const model::Quotes same = ladder(5);  // within every tolerance
  for (auto _ : state) {
    bench.orders.want(symbol, same, bench.context, bench.now, bench.out);
    benchmark::DoNotOptimize(bench.out.data());
  }
  if (!bench.out.empty()) state.SkipWithError("nothing was to change");
}
BENCHMARK(want_what_is_there);

void want_every_layer_changed(benchmark::State& state) {
  Bench bench;
  const std::array<model::Quotes, 2> both{ladder(80, 2'000'000), ladder(0)};
  std::size_t which = 0, changes = 0;
  for (auto _ : state) {
    bench.out.clear();
    bench.events.clear();
    bench.orders.want(symbol, both[which], bench.context, bench.now, bench.out);
    which ^= 1;
    changes += bench.out.size();
    const std::size_t count = bench.out.size();
    for (std::size_t i = 0; i < count; ++i) {
      model::OrderAnswer answer;
      answer.outcome = model::Outcome::accepted;
      bench.orders.on_answer(bench.out[i].id, answer, bench.now, bench.events, bench.out);
    }
  }
  state.counters["changes"] = static_cast<double>(changes) / static_cast<double>(state.iterations());
}
BENCHMARK(want_every_layer_changed);

}  // namespace
}  // namespace phoenix::order

BENCHMARK_MAIN();
