#include "book/book.hpp"

#include "base/rng.hpp"

#include <limits>
#include <map>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::book {
namespace {

using model::Level;
using model::Price;
using model::Qty;
using model::Side;

Level level(std::string_view price, std::string_view qty) { return {Price::of(price), Qty::of(qty)}; }

model::DepthSnapshot snapshot(std::span<const Level> bids, std::span<const Level> asks, std::int64_t id = 1) {
  model::DepthSnapshot value;
  value.last_id = id;
  value.bids = bids;
  value.asks = asks;
  return value;
}
model::DepthDelta delta(std::span<const Level> bids, std::span<const Level> asks, std::int64_t id = 2) {
  model::DepthDelta value;
  value.first_id = value.last_id = id;
  value.bids = bids;
  value.asks = asks;
  return value;
}

/// The book as anybody would write it first: what Book must never differ from.
class MapBook {
 public:
  void clear() { bids_.clear(), asks_.clear(); }
  void set(Side side, Level value) {
    if (value.price.raw() <= 0 || value.qty.raw() < 0) return;
    auto& levels = side == Side::bid ? bids_ : asks_;
    if (value.qty.is_zero()) {
      levels.erase(value.price);
    } else {
      levels[value.price] = value.qty;
    }
  }
  std::vector<Level> levels(Side side) const {
    std::vector<Level> all;
    if (side == Side::ask) {
      for (const auto& [price, qty] : asks_) all.push_back({price, qty});
    } else {
      for (auto at = bids_.rbegin(); at != bids_.rend(); ++at) all.push_back({at->first, at->second});
    }
    return all;
  }

 private:
  std::map<Price, Qty> bids_, asks_;
};

std::vector<Level> levels_of(const Book& book, Side side) {
  std::vector<Level> all;
  book.walk(side, [&](const Level& value) {
    all.push_back(value);
    return true;
  });
  return all;
}

void expect_same(const Book& book, const MapBook& truth) {
  for (const Side side : {Side::bid, Side::ask}) {
    const auto expected = truth.levels(side);
    ASSERT_EQ(levels_of(book, side), expected);
    ASSERT_EQ(book.level_count(side), expected.size());
    ASSERT_EQ(book.best(side).has_value(), !expected.empty());
    if (!expected.empty()) {
      ASSERT_EQ(*book.best(side), expected.front());
    }
    __extension__ __int128 total = 0;
    for (const Level& value : expected) total += value.qty.raw();
    const std::int64_t most = std::numeric_limits<std::int64_t>::max();
    ASSERT_EQ(book.total_qty(side).raw(), total > most ? most : static_cast<std::int64_t>(total));
    for (const Level& value : expected) ASSERT_EQ(book.qty_at(side, value.price), value.qty);
  }
}

TEST(Book, is_empty_until_something_is_applied) {
  const Book book;
  EXPECT_TRUE(book.empty());
  EXPECT_FALSE(book.best_bid() || book.best_ask() || book.top());
  EXPECT_EQ(book.touch(), Touch::one_sided);
  EXPECT_EQ(book.total_qty(Side::bid), Qty{});
  EXPECT_EQ(book.last_id(), 0);
}

TEST(Book, a_snapshot_replaces_everything) {
  Book book;
  const std::vector<Level> old_bids{level("99.9", "1"), level("42", "7")}, old_asks{level("100.1", "1")};
  book.apply(snapshot(old_bids, old_asks, 7));
  const std::vector<Level> bids{level("100.0", "2"), level("99.8", "3")}, asks{level("100.2", "4")};
  book.apply(snapshot(bids, asks, 9));
  EXPECT_EQ(levels_of(book, Side::bid), bids);
  EXPECT_EQ(levels_of(book, Side::ask), asks);
  EXPECT_EQ(book.last_id(), 9);
  EXPECT_EQ(book.total_qty(Side::bid), Qty::of("5"));
  ASSERT_TRUE(book.top());
  EXPECT_EQ(book.top()->bid, bids[0]);
  EXPECT_EQ(book.top()->ask, asks[0]);
  EXPECT_EQ(book.top()->update_id, 9);
}

TEST(Book, a_delta_sets_absolute_quantities_and_zero_removes) {
  Book book;
  const std::vector<Level> bids{level("100", "2"), level("99", "3")}, asks{level("101", "4")};
  book.apply(snapshot(bids, asks));
  const std::vector<Level> changes{level("100", "0"), level("98", "0"), level("99", "5"), level("97", "1")};
  book.apply(delta(changes, {}, 3));
  EXPECT_EQ(levels_of(book, Side::bid), (std::vector<Level>{level("99", "5"), level("97", "1")}));
  EXPECT_EQ(levels_of(book, Side::ask), asks);
  EXPECT_EQ(book.last_id(), 3);
}

TEST(Book, the_best_levels_are_written_best_first_and_no_more_than_asked_for) {
  Book book;
  const std::vector<Level> bids{level("98", "3"), level("100", "1"), level("99", "2")},
      asks{level("101", "4")};
  book.apply(snapshot(bids, asks));
  std::vector<Level> out(2);
  EXPECT_EQ(book.top(Side::bid, out), 2U);
  EXPECT_EQ(out, (std::vector<Level>{level("100", "1"), level("99", "2")}));
  EXPECT_EQ(book.top(Side::ask, out), 1U);
  EXPECT_EQ(out[0], asks[0]);
  EXPECT_EQ(book.top(Side::bid, std::span<Level>{}), 0U);
}

TEST(Book, tells_a_locked_and_a_crossed_touch) {
  Book book;
  book.set(Side::bid, level("100", "1"));
  book.settle();
  EXPECT_EQ(book.touch(), Touch::one_sided);
  book.set(Side::ask, level("101", "1"));
  book.settle();
  EXPECT_EQ(book.touch(), Touch::apart);
  book.set(Side::ask, level("100", "1"));
  book.settle();
  EXPECT_EQ(book.touch(), Touch::locked);
  EXPECT_FALSE(book.top());
  book.set(Side::ask, level("99.5", "1"));
  book.settle();
  EXPECT_EQ(book.touch(), Touch::crossed);
  EXPECT_FALSE(book.top());
}

TEST(Book, clear_leaves_nothing) {
  Book book;
  const std::vector<Level> bids{level("100", "2"), level("0.00000001", "3")}, asks{level("101", "4")};
  book.apply(snapshot(bids, asks));
  book.clear();
  EXPECT_TRUE(book.empty());
  EXPECT_EQ(book.last_id(), 0);
  EXPECT_TRUE(levels_of(book, Side::bid).empty());
  EXPECT_EQ(book.qty_at(Side::bid, Price::of("100")), Qty{});
}

TEST(Book, refuses_and_counts_levels_that_cannot_be) {
  Book book;
  book.set(Side::bid, level("0", "1"));
  book.set(Side::bid, level("-5", "1"));
  book.set(Side::ask, level("5", "-1"));
  book.set(Side::ask, {Price::from_raw(std::numeric_limits<std::int64_t>::min()), Qty::of("1")});
  book.settle();
  EXPECT_TRUE(book.empty());
  EXPECT_EQ(book.stats().levels_refused, 4U);
}

TEST(Book, beyond_its_bound_the_level_farthest_from_the_touch_gives_way) {
  Book book{{.tick = Price::of("1"), .window_ticks = 4096, .levels_max = 3}};
  for (const char* price : {"100", "99", "98"}) book.set(Side::bid, level(price, "1"));
  book.settle();
  book.set(Side::bid, level("97", "1"));
  EXPECT_EQ(levels_of(book, Side::bid),
            (std::vector<Level>{level("100", "1"), level("99", "1"), level("98", "1")}));
  book.set(Side::bid, level("101", "1"));
  EXPECT_EQ(levels_of(book, Side::bid),
            (std::vector<Level>{level("101", "1"), level("100", "1"), level("99", "1")}));
  book.set(Side::bid, level("99", "5"));
  EXPECT_EQ(book.qty_at(Side::bid, Price::of("99")), Qty::of("5"));
  EXPECT_EQ(book.stats().levels_dropped, 2U);
  EXPECT_EQ(book.level_count(Side::bid), 3U);
}

TEST(Book, an_unknown_tick_is_inferred_from_the_snapshot) {
  Book book;
  const std::vector<Level> bids{level("100.0", "2"), level("99.3", "3")}, asks{level("100.5", "4")};
  book.apply(snapshot(bids, asks));
  EXPECT_EQ(book.tick(Side::bid), Price::of("0.1"));
  EXPECT_EQ(book.tick(Side::ask), Price::of("0.1"));
}

TEST(Book, finer_prices_refine_the_tick_once) {
  Book book{{.tick = Price::of("0.1")}};
  MapBook truth;
  const std::vector<Level> bids{level("100.0", "2")}, asks{level("100.5", "4")};
  book.apply(snapshot(bids, asks));
  truth.set(Side::bid, bids[0]);
  truth.set(Side::ask, asks[0]);
  for (int i = 1; i <= 20; ++i) {
    const std::vector<Level> finer{{Price::from_raw(Price::of("99.00").raw() + i * 1'000'000), Qty::of("1")}};
    book.apply(delta(finer, {}));
    truth.set(Side::bid, finer[0]);
    expect_same(book, truth);
  }
  EXPECT_EQ(book.tick(Side::bid), Price::of("0.01"));
  EXPECT_EQ(book.stats().window_moves, 1U);
}

TEST(Book, the_window_follows_the_touch) {
  Book book{{.tick = Price::of("0.1"), .window_ticks = 4096}};
  MapBook truth;
  const auto apply = [&](Side side, Level value) {
    const std::vector<Level> one{value};
    side == Side::bid ? book.apply(delta(one, {})) : book.apply(delta({}, one));
    truth.set(side, value);
  };
  std::int64_t touch = Price::of("50000").raw();
  const std::int64_t tick = Price::of("0.1").raw();
  for (const int direction : {1, -1, 1}) {
    for (int i = 0; i < 3'000; ++i) {
      apply(Side::bid, {Price::from_raw(touch), Qty{}});
      apply(Side::ask, {Price::from_raw(touch + tick), Qty{}});
      touch += direction * 3 * tick;
      for (int behind = 0; behind < 4; ++behind) {
        apply(Side::bid, {Price::from_raw(touch - behind * 40 * tick), Qty::of("1")});
        apply(Side::ask, {Price::from_raw(touch + (1 + behind * 40) * tick), Qty::of("2")});
      }
      // The other side of what the touch moved over is gone.
      for (int ahead = 1; ahead < 200; ++ahead) {
        if (direction < 0) truth.set(Side::bid, {Price::from_raw(touch + ahead * tick), Qty{}});
      }
      if (direction < 0) {
        for (int ahead = 1; ahead < 200; ++ahead) {
          book.set(Side::bid, {Price::from_raw(touch + ahead * tick), Qty{}});
        }
        book.settle();
      }
    }
    expect_same(book, truth);
  }
  const BookStats stats = book.stats();
  EXPECT_GT(stats.window_moves, 2U);
}

/// Where the prices of a random run come from.
struct Mix {
  const char* name;
  std::int64_t tick;
  std::int64_t touch;
  std::int64_t spread_ticks;  ///< how far from the touch
  std::uint64_t far_per_million, tiny_per_million, off_grid_per_million;
  std::int64_t drift_ticks;  ///< a step of the touch between events
};

TEST(BookProperty, never_differs_from_a_map) {
  constexpr std::int64_t one = base::decimal_one;
  const Mix mixes[] = {
      {"calm", one / 10, 60'000 * one, 300, 0, 0, 0, 2},
      {"spot", one / 100, 60'000 * one, 60'000, 50'000, 10'000, 0, 200},
      {"off grid", one / 10, 60'000 * one, 300, 1'000, 1'000, 200'000, 5},
      {"jumping", one, 500'000 * one, 3'000, 1'000, 1'000, 0, 5'000},
      {"cheap", 1, 1'500, 1'400, 1'000, 100'000, 0, 20},
      {"hostile", one / 100, 1'000 * one, 100'000, 300'000, 300'000, 300'000, 100'000},
      {"coarse", 50'000 * one, 5'000'000 * one, 40, 1'000, 0, 10'000, 3},
  };
  for (std::uint64_t seed = 1; seed <= 84; ++seed) {
    const Mix& mix = mixes[seed % std::size(mixes)];
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", " << mix.name);
    base::Rng rng{seed};
    BookOptions options;
    options.window_ticks = rng.below(2) == 0 ? 4'096U : 65'536U;
    if (rng.below(2) == 0) options.tick = Price::from_raw(mix.tick);
    Book book{options};
    MapBook truth;
    std::int64_t touch = mix.touch;
    const auto random_price = [&] {
      if (rng.chance_per_million(mix.far_per_million)) {
        return rng.between(-3, std::numeric_limits<std::int64_t>::max());
      }
      if (rng.chance_per_million(mix.tiny_per_million)) return rng.between(-1, 40);
      std::int64_t price = touch + rng.between(-mix.spread_ticks, mix.spread_ticks) * mix.tick;
      if (rng.chance_per_million(mix.off_grid_per_million)) price += rng.between(0, mix.tick);
      return price;
    };
    const auto random_levels = [&](std::size_t count) {
      std::vector<Level> levels;
      for (std::size_t i = 0; i < count; ++i) {
        std::int64_t qty = rng.below(3) == 0 ? 0 : rng.between(1, 1'000'000'000);
        if (rng.chance_per_million(2'000)) qty = rng.between(-5, std::numeric_limits<std::int64_t>::max());
        levels.push_back({Price::from_raw(random_price()), Qty::from_raw(qty)});
      }
      return levels;
    };
    for (int event = 0; event < 300; ++event) {
      const bool replaces = rng.chance_per_million(10'000);
      const auto bids = random_levels(rng.below(replaces ? 500 : 30));
      const auto asks = random_levels(rng.below(replaces ? 500 : 30));
      if (replaces) {
        book.apply(snapshot(bids, asks, event));
        truth.clear();
      } else {
        book.apply(delta(bids, asks, event));
      }
      for (const Level& value : bids) truth.set(Side::bid, value);
      for (const Level& value : asks) truth.set(Side::ask, value);
      touch = std::max(mix.touch / 10, touch + rng.between(-mix.drift_ticks, mix.drift_ticks) * mix.tick);
      if (event % 10 == 0 || event > 290) {
        expect_same(book, truth);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(BookProperty, with_a_small_bound_it_keeps_the_levels_nearest_to_the_touch) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Rng rng{seed};
    Book book{{.tick = Price::from_raw(1), .window_ticks = 4'096, .levels_max = 50}};
    std::map<std::int64_t, std::int64_t> truth;
    for (int i = 0; i < 3'000; ++i) {
      const std::int64_t price = rng.between(1, 10'000);
      const std::int64_t qty = rng.between(1, 9);  // nothing is removed, so the nearest are known
      book.set(Side::bid, {Price::from_raw(price), Qty::from_raw(qty)});
      if (i % 7 == 0) book.settle();
      truth[price] = qty;
      while (truth.size() > 50) truth.erase(truth.begin());
      ASSERT_EQ(book.level_count(Side::bid), truth.size());
    }
    auto expected = truth.rbegin();
    book.walk(Side::bid, [&](const Level& value) {
      EXPECT_EQ(value.price.raw(), expected->first);
      EXPECT_EQ(value.qty.raw(), expected->second);
      ++expected;
      return true;
    });
  }
}

}  // namespace
}  // namespace phoenix::book
