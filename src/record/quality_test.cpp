#include "record/quality.hpp"

#include "base/rng.hpp"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::record {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(Ranges, neighbours_become_one_range) {
  Ranges r;
  r.add(5, 7);
  r.add(1, 2);
  r.add(3, 4);
  r.add(10, 9);
  EXPECT_THAT(r.ranges(), ElementsAre(Pair(1, 7)));
  EXPECT_EQ(r.count(), 7U);
}

TEST(Ranges, is_a_set_of_numbers) {
  base::Rng rng{7};
  for (int round = 0; round < 200; ++round) {
    Ranges ranges, removed;
    std::set<std::int64_t> numbers;
    for (int i = 0; i < 20; ++i) {
      const auto first = rng.between(-50, 50), last = first + rng.between(-2, 12);
      const bool is_added = rng.below(2) == 0;
      if (is_added) ranges.add(first, last);
      Ranges one;
      one.add(first, last);
      if (!is_added) ranges.remove(one);
      for (auto n = first; n <= last; ++n) {
        if (is_added)
          numbers.insert(n);
        else
          numbers.erase(n);
      }
    }
    EXPECT_EQ(ranges.count(), numbers.size());
    for (std::int64_t n = -70; n < 80; ++n) EXPECT_EQ(ranges.contains(n), numbers.contains(n)) << n;
    for (const auto& [first, last] : ranges.ranges()) EXPECT_FALSE(ranges.contains(last + 1)) << first;
  }
}

TEST(Histogram, a_quantile_is_the_middle_of_the_bucket_it_falls_into) {
  Histogram h{0.1};
  EXPECT_EQ(h.quantile(0.5), std::nullopt);
  h.add(-1, 1);
  h.add(0, 98);
  h.add(500, 1);
  EXPECT_NEAR(*h.quantile(0), -0.05, 1e-9);
  EXPECT_NEAR(*h.quantile(0.5), 0.05, 1e-9);
  EXPECT_NEAR(*h.quantile(1), 50.05, 1e-9);
}

TEST(Quality, wilson_is_above_the_share_and_near_it_with_many_samples) {
  EXPECT_NEAR(wilson_upper(0, 10), 0.2775, 1e-3);
  EXPECT_NEAR(wilson_upper(80'000, 1'000'000), 0.08053, 1e-4);
  EXPECT_EQ(wilson_upper(0, 0), 1);
}

constexpr std::int64_t minute = 60'000'000'000;

QualityFigures hour_of_trades() {
  QualityFigures figures{.from_ns = 0, .to_ns = 60 * minute, .files = {}, .symbols = {}};
  auto& stream = figures.symbols["BTCUSDT"].streams[Kind::trades];
  for (std::int64_t m = 0; m < 60; ++m) stream.minutes[m] = {m, 1, m, m + 1};
  return figures;
}

TEST(Quality, v03_minutes_are_counted_against_the_window_and_not_between_first_and_last_row) {
  auto figures = hour_of_trades();
  EXPECT_EQ(count_minutes(figures, "BTCUSDT", Kind::trades).empty, 0U);
  figures.to_ns = 90 * minute;
  EXPECT_EQ(count_minutes(figures, "BTCUSDT", Kind::trades).empty, 30U);
  figures.symbols["BTCUSDT"].ledger["trades"].lost_ns.add(60 * minute, 70 * minute - 1);
  const auto count = count_minutes(figures, "BTCUSDT", Kind::trades);
  EXPECT_EQ(count.empty, 20U);
  EXPECT_EQ(count.named, 10U);
}

TEST(Quality, v03_a_hole_between_neighbours_of_the_chain_is_quiet_and_one_between_strangers_is_not) {
  auto figures = hour_of_trades();
  auto& minutes = figures.symbols["BTCUSDT"].streams[Kind::trades].minutes;
  minutes.erase(10);
  EXPECT_EQ(count_minutes(figures, "BTCUSDT", Kind::trades).empty, 1U) << "id 10 is missing";
  for (std::int64_t m = 11; m < 60; ++m) minutes[m] = {m, 1, m - 1, m};
  const auto count = count_minutes(figures, "BTCUSDT", Kind::trades);
  EXPECT_EQ(count.empty, 0U);
  EXPECT_EQ(count.quiet, 1U);
}

TEST(Quality, a_loss_of_the_journal_is_named_for_every_symbol) {
  auto figures = hour_of_trades();
  figures.symbols["BTCUSDT"].streams[Kind::trades].minutes.erase(10);
  figures.symbols["ALL"].ledger["journal"].lost_ns.add(10 * minute, 11 * minute - 1);
  EXPECT_EQ(count_minutes(figures, "BTCUSDT", Kind::trades).named, 1U);
}

TEST(Quality, a_window_shorter_than_a_minute_still_has_one) {
  QualityFigures figures{.from_ns = 10, .to_ns = minute / 2, .files = {}, .symbols = {}};
  EXPECT_EQ(window_minutes(figures).count(), 1U);
  figures.from_ns = minute / 2;
  figures.to_ns = 3 * minute + 5;
  EXPECT_THAT(window_minutes(figures).ranges(), ElementsAre(Pair(1, 2)));
}

TEST(Quality, a_target_that_is_missed_does_not_fail_the_report) {
  Check missed{
      .name = "ofi_z", .verdict = Verdict::fail, .weight = Weight::target, .says = "", .details = {}};
  EXPECT_TRUE(passed({missed}));
  missed.weight = Weight::gate;
  EXPECT_FALSE(passed({missed}));
}

TEST(Quality, rows_beyond_what_the_ledger_counted_are_a_crash_and_fewer_are_a_loss) {
  auto figures = hour_of_trades();
  figures.is_whole = true;
  auto& symbol = figures.symbols["BTCUSDT"];
  const auto verdict = [&](std::uint64_t rows, std::uint64_t counted, std::uint64_t retired = 0) {
    symbol.streams[Kind::trades].rows = rows;
    symbol.ledger["trades"].received = counted;
    symbol.ledger["trades"].retired = retired;
    for (const auto& check : judge(figures, {}))
      if (check.name == "ledger") return check.verdict;
    return Verdict::not_judged;
  };
  EXPECT_EQ(verdict(60, 60), Verdict::pass);
  EXPECT_EQ(verdict(61, 60), Verdict::pass);
  EXPECT_EQ(verdict(59, 60), Verdict::fail);
  EXPECT_EQ(verdict(50, 60, 10), Verdict::pass);
}

}  // namespace
}  // namespace phoenix::record
