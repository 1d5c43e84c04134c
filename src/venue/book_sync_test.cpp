#include "venue/book_sync.hpp"

#include "base/rng.hpp"

#include <limits>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::venue {
namespace {

using model::Product;

model::DepthDelta usdm(std::int64_t prev, std::int64_t first, std::int64_t last) {
  model::DepthDelta delta;
  delta.first_id = first;
  delta.last_id = last;
  delta.prev_id = prev;
  return delta;
}
model::DepthDelta spot(std::int64_t first, std::int64_t last) {
  model::DepthDelta delta;
  delta.first_id = first;
  delta.last_id = last;
  return delta;
}

TEST(BookSync, the_futures_rule_for_every_place_of_the_snapshot_around_a_delta) {
  // The delta covers 100..110 and follows one that ended at 90: ids 91..99 belong to other symbols.
  const auto delta = usdm(90, 100, 110);
  for (std::int64_t id = 80; id <= 120; ++id) {
    const auto expected = id > 110 ? Join::stale : id >= 90 ? Join::joins : Join::snapshot_too_old;
    EXPECT_EQ(join(Product::usdm, id, delta), expected) << id;
  }
}

TEST(BookSync, the_documented_futures_rule_holds_without_the_relaxation) {
  auto delta = usdm(90, 100, 110);
  delta.prev_id.reset();
  for (std::int64_t id = 80; id <= 120; ++id) {
    const auto expected = id > 110 ? Join::stale : id >= 100 ? Join::joins : Join::snapshot_too_old;
    EXPECT_EQ(join(Product::usdm, id, delta), expected) << id;
  }
}

TEST(BookSync, the_spot_rule_for_every_place_of_the_snapshot_around_a_delta) {
  const auto delta = spot(100, 110);
  for (std::int64_t id = 80; id <= 120; ++id) {
    const auto expected = id >= 110 ? Join::stale : id >= 99 ? Join::joins : Join::snapshot_too_old;
    EXPECT_EQ(join(Product::spot, id, delta), expected) << id;
  }
}

TEST(BookSync, a_delta_follows_where_nothing_is_missing) {
  const auto futures = usdm(90, 100, 110);
  for (std::int64_t id = 80; id <= 120; ++id) {
    const auto expected = id >= 110 ? Follow::duplicate_or_stale : id >= 90 ? Follow::next : Follow::gap;
    EXPECT_EQ(follow(Product::usdm, id, futures), expected) << id;
  }
  for (std::int64_t id = 80; id <= 120; ++id) {
    const auto expected = id >= 110 ? Follow::duplicate_or_stale : id >= 99 ? Follow::next : Follow::gap;
    EXPECT_EQ(follow(Product::spot, id, spot(100, 110)), expected) << id;
  }
}

TEST(BookSync, a_futures_delta_that_names_no_predecessor_follows_nothing) {
  auto delta = usdm(0, 100, 110);
  delta.prev_id.reset();
  EXPECT_EQ(follow(Product::usdm, 99, delta), Follow::gap);
  EXPECT_EQ(follow(Product::usdm, 110, delta), Follow::duplicate_or_stale);
}

TEST(BookSync, the_ends_of_the_id_range_do_not_overflow) {
  constexpr auto max = std::numeric_limits<std::int64_t>::max();
  constexpr auto min = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(join(Product::spot, max, spot(max, max)), Join::stale);
  EXPECT_EQ(follow(Product::spot, max, spot(0, max)), Follow::duplicate_or_stale);
  EXPECT_EQ(join(Product::spot, 5, spot(min + 1, max)), Join::joins);
  EXPECT_EQ(follow(Product::usdm, max - 1, usdm(max - 1, max, max)), Follow::next);
}

/// Cuts a random history of changes into deltas, loses some of them, and joins and follows from a random
/// snapshot: no change may ever be skipped by a delta that was taken.
TEST(BookSync, what_joins_and_follows_never_skips_a_change) {
  base::Rng rng{3};
  int taken = 0, refused = 0;
  for (int round = 0; round < 5000; ++round) {
    const auto product = rng.below(2) == 0 ? Product::usdm : Product::spot;
    std::set<std::int64_t> changes;
    std::vector<model::DepthDelta> stream;
    std::int64_t last = 0;
    for (int i = 0; i < 12; ++i) {
      // On USD-M ids of other symbols lie between the deltas; on spot the ids of one symbol are dense.
      const std::int64_t first = last + 1 + (product == Product::usdm ? rng.between(0, 4) : 0);
      const std::int64_t end = first + rng.between(0, 5);
      for (std::int64_t id = first; id <= end; ++id) changes.insert(id);
      stream.push_back(product == Product::usdm ? usdm(last, first, end) : spot(first, end));
      last = end;
    }
    const std::int64_t snapshot_id = rng.between(0, last + 3);
    std::int64_t book_id = snapshot_id;
    bool synced = false;
    for (const auto& delta : stream) {
      if (rng.below(8) == 0) continue;
      const bool takes = synced ? follow(product, book_id, delta) == Follow::next
                                : join(product, snapshot_id, delta) == Join::joins;
      if (!takes) {
        ++refused;
        continue;
      }
      ++taken;
      for (auto id = changes.upper_bound(book_id); id != changes.end() && *id < delta.first_id; ++id) {
        FAIL() << "round " << round << ": change " << *id << " was skipped";
      }
      synced = true;
      book_id = delta.last_id;
    }
  }
  EXPECT_GT(taken, 10'000);
  EXPECT_GT(refused, 10'000);
}

}  // namespace
}  // namespace phoenix::venue
