#pragma once

#include "base/rng.hpp"
#include "signal/symbol_signals.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

namespace phoenix::signal {

using Sample = std::variant<BookSample, TradeSample>;

inline base::VenueTime time_of(const Sample& sample) {
  return std::visit([](const auto& one) { return one.event_time; }, sample);
}

inline void feed(SymbolSignals& signals, const Sample& sample, Rows& rows) {
  if (const auto* const book = std::get_if<BookSample>(&sample)) {
    signals.on_book(*book, rows);
  } else {
    signals.on_trade(std::get<TradeSample>(sample), rows);
  }
}

/// A market that wanders: books every 100 ms, trades in bursts of changing size and rate, in event-time
/// order.
class TestMarket {
 public:
  static constexpr std::int64_t start_ms = 1'700'000'000'000;

  explicit TestMarket(std::uint64_t seed) : rng_{seed} {}

  std::vector<Sample> samples(std::int64_t duration_ms, std::int64_t trade_every_ms = 60) {
    std::vector<Sample> all;
    for (std::int64_t ms = 0; ms < duration_ms; ++ms) {
      if (ms % 100 == 0) all.emplace_back(book(start_ms + ms));
      if (rng_.below(static_cast<std::uint64_t>(trade_every_ms)) == 0) {
        for (auto n = rng_.below(3); n <= 2; ++n) all.emplace_back(trade(start_ms + ms));
      }
    }
    return all;
  }

  BookSample book(std::int64_t ms) {
    mid_ticks_ += rng_.between(-2, 2);
    BookSample sample{.event_time = base::venue_time_ms(ms),
                      .recv_time = base::local_time_ns((ms + 20) * 1'000'000),
                      .last_id = book_id_ += rng_.between(1, 50),
                      .levels = {}};
    for (int m = 0; m < 5; ++m) {
      sample.levels.bids.push_back({ticks(mid_ticks_ - 1 - m), qty()});
      sample.levels.asks.push_back({ticks(mid_ticks_ + m), qty()});
    }
    return sample;
  }
  TradeSample trade(std::int64_t ms) {
    const bool buys = rng_.below(2) == 0;
    return {.event_time = base::venue_time_ms(ms),
            .recv_time = base::local_time_ns((ms + 15) * 1'000'000),
            .id = ++trade_id_,
            .price = ticks(buys ? mid_ticks_ : mid_ticks_ - 1),
            .qty = qty(),
            .aggressor = buys ? model::Side::bid : model::Side::ask};
  }

 private:
  static model::Price ticks(std::int64_t n) { return model::Price::from_raw(n * 10'000'000); }
  model::Qty qty() {
    return model::Qty::from_raw(rng_.between(1, 1'000) * 100'000 * (rng_.below(30) == 0 ? 40 : 1));
  }

  base::Rng rng_;
  std::int64_t mid_ticks_ = 300'000, book_id_ = 1'000, trade_id_ = 0;
};

}  // namespace phoenix::signal
