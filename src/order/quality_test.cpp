#include "order/quality.hpp"

#include "base/rng.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::order {
namespace {

using base::local_time_ns;
using base::milliseconds;
using base::minutes;
using base::seconds;
using model::Money;
using model::Price;
using model::Qty;
using model::Rate;
using model::Side;

constexpr model::SymbolId eth{3};
constexpr base::LocalTime start = local_time_ns(1'700'000'000'250'000'000);

Fill fill(Side side, Price price, Qty qty, std::uint64_t order = 1) {
  return {.symbol = eth,
          .trade_id = 1,
          .order_id = 1,
          .id = model::ClientOrderId{.epoch = 1, .counter = order},
          .side = side,
          .price = price,
          .qty = qty,
          .maker = true,
          .money = std::nullopt,
          .time = {}};
}
Fill fill(Side side, const char* price, const char* qty, std::uint64_t order = 1) {
  return fill(side, Price::of(price), Qty::of(qty), order);
}
model::ClientOrderId id(std::uint64_t counter) { return {.epoch = 1, .counter = counter}; }
model::TopOfBook top(const char* bid, const char* ask) {
  return {.bid = {Price::of(bid), Qty::of("1")}, .ask = {Price::of(ask), Qty::of("1")}};
}
/// Passes time as the engine does: never silent for long.
void pass(Quality& quality, base::LocalTime& now, base::Duration time) {
  for (const auto end = now + time; now < end;) {
    now = std::min(end, now + milliseconds{500});
    quality.advance(now);
  }
}

TEST(Quality, d08_without_fills_there_are_no_figures_rather_than_zeros) {
  Quality quality;
  base::LocalTime now = start;
  QualitySnapshot s = quality.snapshot(now);
  pass(quality, now, minutes{1});
  s = quality.snapshot(now);
  for (const auto& m : s.markouts) EXPECT_FALSE(m.bps);
  EXPECT_FALSE(s.bid_presence);
  EXPECT_FALSE(s.ask_presence);
  EXPECT_FALSE(s.fill_rate);
  EXPECT_FALSE(s.orders_per_fill);
  EXPECT_FALSE(s.time_to_fill_mean);
  EXPECT_FALSE(s.time_to_fill_p50);
  quality.on_place(id(1), Qty::of("2"), now);
  s = quality.snapshot(now);
  EXPECT_EQ(s.fill_rate, Rate{}) << "something was offered and nothing taken: that is a zero";
  EXPECT_FALSE(s.orders_per_fill);
}

TEST(Quality, a_markout_is_the_move_in_favour_of_the_fill) {
  Quality quality;
  base::LocalTime now = start;
  quality.on_mid(Price::of("100"), now);
  quality.on_fill(fill(Side::bid, "99.9", "2"), now);
  quality.on_fill(fill(Side::ask, "100.1", "1"), now);
  pass(quality, now, milliseconds{500});
  quality.on_mid(Price::of("100.4"), now);
  pass(quality, now, seconds{2});
  quality.on_mid(Price::of("99"), now);
  pass(quality, now, seconds{40});
  const auto s = quality.snapshot(now);
  ASSERT_EQ(s.markouts[0].fills, 2U);
  EXPECT_EQ(s.markouts[0].sum, Money::of("0.7")) << "0.5 * 2 bought, -0.3 * 1 sold";
  EXPECT_EQ(s.markouts[0].volume, Money::of("299.9"));
  EXPECT_EQ(s.markouts[0].bps, Rate::of("23.34111370"));
  EXPECT_EQ(s.markouts[1].sum, Money::of("-0.7"));
  EXPECT_EQ(s.markouts[2].sum, Money::of("-0.7"));
}

TEST(Quality, a_markout_takes_the_mid_of_its_very_instant) {
  Quality quality;
  quality.on_mid(Price::of("100"), start);
  quality.on_fill(fill(Side::bid, "100", "1"), start);
  quality.on_mid(Price::of("101"), start + seconds{1} - base::nanoseconds{1});
  quality.advance(start + seconds{1});
  quality.on_mid(Price::of("102"), start + seconds{1});
  quality.on_mid(Price::of("103"), start + seconds{1} + base::nanoseconds{1});
  EXPECT_EQ(quality.snapshot(start + seconds{2}).markouts[0].sum, Money::of("2"));
}

TEST(Quality, a_markout_without_a_mid_is_missed_and_not_made_up) {
  Quality quality;
  base::LocalTime now = start;
  quality.on_mid(Price::of("100"), now);
  quality.on_fill(fill(Side::bid, "99", "1"), now);
  pass(quality, now, milliseconds{900});
  quality.on_no_market(now);
  pass(quality, now, seconds{3});
  quality.on_mid(Price::of("100"), now);
  pass(quality, now, seconds{3});
  auto s = quality.snapshot(now);
  EXPECT_EQ(s.markouts[0].missed, 1U);
  EXPECT_FALSE(s.markouts[0].bps);
  EXPECT_EQ(s.markouts[1].fills, 1U);
  now += minutes{2};  // the process stood still
  s = quality.snapshot(now);
  EXPECT_EQ(s.markouts[2].missed, 1U);
  EXPECT_EQ(s.markouts[2].fills, 0U);
}

TEST(Quality, i15_presence_at_the_touch_is_weighted_by_time) {
  Quality quality;
  base::LocalTime now = start;
  quality.on_touch(top("100", "101"), Price::of("100"), Price::of("102"), now);
  pass(quality, now, seconds{30});
  quality.on_touch(top("100", "101"), Price::of("99"), Price::of("101"), now);
  pass(quality, now, seconds{60});
  quality.on_touch(top("100", "101"), std::nullopt, std::nullopt, now);
  pass(quality, now, seconds{10});
  quality.on_no_market(now);
  pass(quality, now, seconds{100});
  auto s = quality.snapshot(now);
  EXPECT_EQ(s.bid_presence, Rate::of("0.3")) << "time without a book is nobody's";
  EXPECT_EQ(s.ask_presence, Rate::of("0.6"));
  EXPECT_EQ(s.observed, seconds{100});
  // Out of the window, in the sum of the run.
  pass(quality, now, minutes{5});
  s = quality.snapshot(now);
  EXPECT_FALSE(s.bid_presence);
  EXPECT_EQ(s.bid_at_touch, seconds{30});
}

TEST(Quality, ours_before_the_books_best_is_at_the_touch) {
  Quality quality;
  base::LocalTime now = start;
  quality.on_touch(top("100", "101"), Price::of("100.5"), Price::of("100.6"), now);
  pass(quality, now, seconds{2});
  const auto s = quality.snapshot(now);
  EXPECT_EQ(s.bid_presence, Rate::of("1"));
  EXPECT_EQ(s.ask_presence, Rate::of("1"));
}

TEST(Quality, i04_the_cancel_rate_falls_by_time_alone) {
  Quality quality;
  base::LocalTime now = start;
  for (int i = 0; i < 50; ++i) quality.on_cancel(now);
  EXPECT_EQ(quality.snapshot(now).cancels_per_minute, 50U);
  pass(quality, now, seconds{59});
  quality.on_cancel(now);
  EXPECT_EQ(quality.snapshot(now).cancels_per_minute, 51U);
  pass(quality, now, seconds{1});
  EXPECT_EQ(quality.snapshot(now).cancels_per_minute, 1U);
  EXPECT_EQ(quality.snapshot(now + minutes{30}).cancels_per_minute, 0U);
  EXPECT_EQ(quality.snapshot(now).cancels, 51U);
}

TEST(Quality, d24_requests_to_cancel_and_ends_of_orders_are_counted_apart) {
  Quality quality;
  quality.on_place(id(1), Qty::of("1"), start);
  quality.on_place(id(2), Qty::of("1"), start);
  quality.on_cancel(start);
  quality.on_cancel(start);  // asked again: the first outcome was lost
  quality.on_done(
      {.symbol = eth, .id = id(1), .side = Side::bid, .reason = DoneReason::canceled, .filled_qty = {}},
      start);
  quality.on_done(
      {.symbol = eth, .id = id(2), .side = Side::bid, .reason = DoneReason::expired, .filled_qty = {}},
      start);
  const auto s = quality.snapshot(start);
  EXPECT_EQ(s.cancels, 2U);
  EXPECT_EQ(s.done[static_cast<std::size_t>(DoneReason::canceled)], 1U);
  EXPECT_EQ(s.done[static_cast<std::size_t>(DoneReason::expired)], 1U);
}

TEST(Quality, times_to_fill_are_counted_from_the_last_placement) {
  Quality quality;
  base::LocalTime now = start;
  quality.on_place(id(1), Qty::of("3"), now);
  quality.on_place(id(2), Qty::of("1"), now);
  pass(quality, now, seconds{1});
  quality.on_fill(fill(Side::bid, "1", "1", 1), now);
  quality.on_place(id(1), Qty::of("2"), now);  // moved
  pass(quality, now, seconds{2});
  quality.on_fill(fill(Side::bid, "1", "2", 1), now);
  pass(quality, now, seconds{3});
  quality.on_fill(fill(Side::bid, "1", "1", 2), now);
  quality.on_done(
      {.symbol = eth, .id = id(2), .side = Side::bid, .reason = DoneReason::filled, .filled_qty = {}}, now);
  quality.on_fill(fill(Side::bid, "1", "1", 2), now);
  const auto s = quality.snapshot(now);
  EXPECT_EQ(s.time_to_fill_mean, seconds{3});
  ASSERT_TRUE(s.time_to_fill_p50);
  EXPECT_GE(*s.time_to_fill_p50, seconds{2});
  EXPECT_LE(*s.time_to_fill_p50, milliseconds{2250});
  EXPECT_EQ(s.fills_of_unknown_orders, 1U);
  EXPECT_EQ(s.fill_rate, Rate::of("0.83333333"));
  EXPECT_EQ(s.orders_per_fill, Rate::of("0.75"));
}

TEST(Quality, a_clock_that_jumps_neither_invents_nor_loses_time) {
  Quality quality;
  base::LocalTime now = start;
  quality.on_touch(top("100", "101"), Price::of("100"), Price::of("101"), now);
  pass(quality, now, seconds{10});
  quality.advance(now - minutes{1});
  quality.on_cancel(now - minutes{2});
  EXPECT_EQ(quality.snapshot(now - minutes{3}).observed, seconds{10});
  EXPECT_EQ(quality.snapshot(now).cancels_per_minute, 1U);
  now += base::hours{1};
  quality.advance(now);
  pass(quality, now, seconds{10});
  EXPECT_EQ(quality.snapshot(now).observed, seconds{10})
      << "nobody watched, and nobody said how things stand since";
  quality.on_touch(top("100", "101"), Price::of("100"), std::nullopt, now);
  pass(quality, now, seconds{4});
  const auto s = quality.snapshot(now);
  EXPECT_EQ(s.observed, seconds{14});
  EXPECT_EQ(s.ask_presence, Rate{});
  EXPECT_EQ(s.bid_presence, Rate::of("1"));
}

TEST(Quality, its_bounds_count_what_they_leave_out) {
  Quality quality;
  quality.on_mid(Price::of("1"), start);
  for (std::size_t i = 0; i < Quality::fills_max + 5; ++i) quality.on_fill(fill(Side::bid, "1", "1"), start);
  for (std::size_t i = 0; i < Quality::orders_max + 7; ++i) quality.on_place(id(i + 1), Qty::of("1"), start);
  Fill huge = fill(Side::bid, "1", "1", 1);
  huge.qty = Qty::from_raw(std::numeric_limits<std::int64_t>::max());
  quality.on_fill(huge, start);
  quality.on_place(id(1), huge.qty, start);
  quality.on_place(id(1), -huge.qty, start);
  const auto s = quality.snapshot(start);
  EXPECT_EQ(s.markouts_untracked, 6U);
  EXPECT_EQ(s.orders_untracked, 7U);
  EXPECT_EQ(s.quantities_unsummed, 3U);
}

/// Everything that was told, kept, and each figure computed from all of it.
class Plain {
 public:
  std::vector<std::pair<base::LocalTime, std::optional<Price>>> mids;
  std::vector<std::pair<base::LocalTime, Fill>> fills;
  std::vector<base::LocalTime> cancels;
  std::vector<std::pair<base::LocalTime, Qty>> places;
  struct Touch {
    base::LocalTime at{};
    bool known = false, bid = false, ask = false;
  };
  std::vector<Touch> touches;
  std::map<std::uint64_t, base::LocalTime> placed_at;
  std::vector<base::Duration> times;

  std::optional<Price> mid_at(base::LocalTime t) const {
    const auto later = std::upper_bound(
        mids.begin(), mids.end(), t, [](base::LocalTime time, const auto& mid) { return time < mid.first; });
    return later == mids.begin() ? std::nullopt : std::prev(later)->second;
  }
  void check(const QualitySnapshot& s, base::LocalTime now) const {
    for (std::size_t h = 0; h < markout_horizons.size(); ++h) {
      Money sum, volume;
      std::uint64_t known = 0, missed = 0;
      for (const auto& [at, f] : fills) {
        const auto due = at + markout_horizons[h];
        if (due >= now) continue;
        const auto mid = mid_at(due);
        if (!mid) {
          ++missed;
          continue;
        }
        ++known;
        sum += model::notional(*mid - f.price, f.qty * model::sign(f.side));
        volume += model::notional(f.price, f.qty);
      }
      ASSERT_EQ(s.markouts[h].fills, known);
      ASSERT_EQ(s.markouts[h].missed, missed);
      ASSERT_EQ(s.markouts[h].sum, sum);
      ASSERT_EQ(s.markouts[h].volume, volume);
    }
    const auto second = [](base::LocalTime t) {
      return std::chrono::floor<seconds>(t.time_since_epoch()).count();
    };
    const std::int64_t first = second(now) - 299;
    Qty placed, filled;
    std::int64_t orders = 0, fills_count = 0;
    for (const auto& [at, qty] : places) {
      if (second(at) < first) continue;
      placed += qty;
      ++orders;
    }
    for (const auto& [at, f] : fills) {
      if (second(at) < first) continue;
      filled += f.qty;
      ++fills_count;
    }
    ASSERT_EQ(s.fill_rate.has_value(), placed.is_positive());
    if (s.fill_rate) {
      __extension__ using Wide = __int128;
      ASSERT_EQ(s.fill_rate->raw(),
                static_cast<std::int64_t>(Wide{filled.raw()} * 100'000'000 / placed.raw()));
    }
    ASSERT_EQ(s.orders_per_fill.has_value(), fills_count > 0);
    if (s.orders_per_fill) {
      ASSERT_EQ(s.orders_per_fill->raw(), orders * 100'000'000 / fills_count);
    }
    ASSERT_EQ(s.cancels_per_minute, static_cast<std::uint64_t>(std::count_if(
                                        cancels.begin(), cancels.end(),
                                        [&](base::LocalTime at) { return second(at) > second(now) - 60; })));
    const base::LocalTime window_start{seconds{first}};
    base::Duration observed{}, bid{}, ask{};
    for (std::size_t i = 0; i < touches.size(); ++i) {
      const auto from = std::max(touches[i].at, window_start);
      const auto to = i + 1 < touches.size() ? touches[i + 1].at : now;
      if (!touches[i].known || to <= from) continue;
      observed += to - from;
      if (touches[i].bid) bid += to - from;
      if (touches[i].ask) ask += to - from;
    }
    ASSERT_EQ(s.bid_presence.has_value(), observed.count() > 0);
    if (observed.count() > 0) {
      __extension__ using Wide = __int128;
      const auto share = [&](base::Duration part) {
        return static_cast<std::int64_t>(Wide{part.count()} * 100'000'000 / observed.count());
      };
      ASSERT_EQ(s.bid_presence->raw(), share(bid));
      ASSERT_EQ(s.ask_presence->raw(), share(ask));
    }
    ASSERT_EQ(s.time_to_fill_p50.has_value(), !times.empty());
    if (times.empty()) return;
    auto sorted = times;
    std::sort(sorted.begin(), sorted.end());
    const auto middle = sorted[(sorted.size() - 1) / 2];
    ASSERT_GE(*s.time_to_fill_p50 + base::microseconds{1}, middle);
    ASSERT_LE(*s.time_to_fill_p50, middle + middle / 8 + base::microseconds{1});
    base::Duration sum{};
    for (const auto t : times) sum += t;
    ASSERT_LE(*s.time_to_fill_mean, sum / static_cast<std::int64_t>(times.size()));
    ASSERT_GT(*s.time_to_fill_mean + base::microseconds{2}, sum / static_cast<std::int64_t>(times.size()));
  }
};

TEST(Quality, equals_a_plain_recomputation) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    base::Rng rng{seed};
    Quality quality;
    Plain plain;
    base::LocalTime now = start;
    std::uint64_t orders = 0;
    const auto price = [&] {
      return Price::from_raw(static_cast<std::int64_t>(9'000'000'000 + rng.below(2'000'000'000)));
    };
    for (int i = 0; i < 1500; ++i) {
      // Mostly moments, often the same one, now and then nearly too long.
      switch (rng.below(4)) {
        case 0:
          break;
        case 1:
          now += base::Duration{static_cast<std::int64_t>(rng.below(2'000'000))};
          break;
        case 2:
          now += base::Duration{static_cast<std::int64_t>(rng.below(900'000'000))};
          break;
        default:
          now += milliseconds{250} * static_cast<std::int64_t>(rng.below(21));
      }
      switch (rng.below(9)) {
        case 0:
        case 1: {
          const auto mid = price();
          quality.on_mid(mid, now);
          plain.mids.emplace_back(now, mid);
          break;
        }
        case 2: {
          const auto best = model::TopOfBook{.bid = {Price::of("100"), {}}, .ask = {Price::of("101"), {}}};
          Plain::Touch touch{.at = now, .known = true, .bid = rng.below(2) == 0, .ask = rng.below(3) == 0};
          quality.on_touch(best, touch.bid ? std::optional{Price::of("100")} : std::nullopt,
                           Price::of(touch.ask ? "101" : "101.1"), now);
          plain.touches.push_back(touch);
          break;
        }
        case 3:
          quality.advance(now);
          if (rng.below(4) != 0) break;
          quality.on_no_market(now);
          plain.touches.push_back({.at = now});
          plain.mids.emplace_back(now, std::nullopt);
          break;
        case 4:
        case 5: {
          ++orders;
          const auto qty = Qty::from_raw(static_cast<std::int64_t>(1 + rng.below(1'000'000'000)));
          quality.on_place(id(orders), qty, now);
          plain.placed_at[orders] = now;
          plain.places.emplace_back(now, qty);
          break;
        }
        case 6:
          quality.on_cancel(now);
          plain.cancels.push_back(now);
          break;
        case 7: {
          quality.advance(now);
          if (orders == 0) break;
          const std::uint64_t which = 1 + rng.below(orders);
          const auto f = fill(rng.below(2) == 0 ? Side::bid : Side::ask, price(),
                              Qty::from_raw(static_cast<std::int64_t>(1 + rng.below(500'000'000))), which);
          quality.on_fill(f, now);
          plain.fills.emplace_back(now, f);
          if (plain.placed_at.contains(which)) plain.times.push_back(now - plain.placed_at[which]);
          break;
        }
        default:
          if (rng.below(3) == 0 && orders > 0) {
            const std::uint64_t which = 1 + rng.below(orders);
            quality.on_done({.symbol = eth,
                             .id = id(which),
                             .side = Side::bid,
                             .reason = DoneReason::canceled,
                             .filled_qty = {}},
                            now);
            plain.placed_at.erase(which);
          } else {
            quality.advance(now);
          }
      }
      if (i % 100 == 99) plain.check(quality.snapshot(now), now);
      if (HasFatalFailure()) FAIL() << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace phoenix::order
