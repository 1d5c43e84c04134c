#include "signal/ofi.hpp"

#include "base/rng.hpp"

#include <cmath>
#include <deque>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::signal {
namespace {

using model::Price;
using model::Qty;

using Side = std::vector<std::pair<const char*, const char*>>;

TopLevels book(const Side& bids, const Side& asks) {
  TopLevels levels;
  for (const auto& [price, qty] : bids) levels.bids.push_back({Price::of(price), Qty::of(qty)});
  for (const auto& [price, qty] : asks) levels.asks.push_back({Price::of(price), Qty::of(qty)});
  return levels;
}

base::VenueTime at(std::int64_t ms) { return base::venue_time_ms(1'700'000'000'000 + ms); }

/// The sample of the second of two books, level 1 only.
OfiSample step(const Side& bids, const Side& asks, const Side& bids_after, const Side& asks_after) {
  Ofi ofi;
  EXPECT_FALSE(ofi.on_book(book(bids, asks), at(0)));
  const auto sample = ofi.on_book(book(bids_after, asks_after), at(100));
  EXPECT_TRUE(sample);
  return sample.value_or(OfiSample{});
}

TEST(OfiSignal, h28_a_level_that_moves_takes_its_queue_with_it) {
  const Side ask{{"101", "3"}};
  const OfiSample fall = step({{"100", "5"}}, ask, {{"99.9", "50"}}, ask);
  EXPECT_DOUBLE_EQ(fall.value, -2.0);
  EXPECT_DOUBLE_EQ(fall.legacy, 18.0) << "by index a falling bid counted as buying";
  const OfiSample rise = step({{"100", "5"}}, ask, {{"100.1", "7"}}, ask);
  EXPECT_DOUBLE_EQ(rise.value, 2.8);
  EXPECT_DOUBLE_EQ(rise.legacy, .8);
  const Side bid{{"100", "5"}};
  const OfiSample ask_rise = step(bid, {{"100.1", "5"}}, bid, {{"100.2", "9"}});
  EXPECT_DOUBLE_EQ(ask_rise.value, 2.0);
  EXPECT_DOUBLE_EQ(ask_rise.legacy, -1.6);
  const OfiSample same = step({{"100", "5"}}, ask, {{"100", "8"}}, ask);
  EXPECT_DOUBLE_EQ(same.value, 1.2);
  EXPECT_DOUBLE_EQ(same.legacy, 1.2);
}

TEST(OfiSignal, h28_a_book_shifted_by_one_level_flows_at_every_level) {
  const TopLevels before = book({{"100", "5"}, {"99", "4"}, {"98", "3"}}, {{"101", "1"}});
  const TopLevels after = book({{"99", "4"}, {"98", "3"}, {"97", "2"}}, {{"101", "1"}});
  const Flows flow = flows(before, after);
  EXPECT_EQ(flow.bid[0], Qty::of("-5"));
  EXPECT_EQ(flow.bid[1], Qty::of("-4"));
  EXPECT_EQ(flow.bid[2], Qty::of("-3"));
  EXPECT_EQ(flow.bid_legacy[0], Qty::of("-1"));
  EXPECT_EQ(flow.ask[0], Qty{});
}

TEST(OfiSignal, h29_a_level_that_is_not_there_gives_no_term) {
  const TopLevels three =
      book({{"100", "5"}, {"99", "4"}, {"98", "3"}}, {{"101", "1"}, {"102", "2"}, {"103", "3"}});
  const TopLevels more = book({{"100", "5"}, {"99", "4"}, {"98", "3"}, {"97", "1000"}},
                              {{"101", "1"}, {"102", "2"}, {"103", "3"}});
  const Flows flow = flows(three, more);
  EXPECT_TRUE(flow.bid[2]);
  EXPECT_FALSE(flow.bid[3]) << "a level that was padded with (0, 0) would now flow 1000";
  EXPECT_FALSE(flow.bid_legacy[3]);
  EXPECT_FALSE(flow.ask[4]);
  Ofi ofi;
  ofi.on_book(three, at(0));
  EXPECT_EQ(ofi.on_book(more, at(100))->value, 0);
  EXPECT_EQ(ofi.on_book(three, at(200))->value, 0);
  EXPECT_EQ(ofi.bad_points(), 0);
}

TEST(OfiSignal, a_one_sided_or_crossed_book_gives_no_sample_nor_does_the_next) {
  const TopLevels sound = book({{"100", "5"}}, {{"101", "3"}});
  for (const TopLevels& broken :
       {book({}, {{"101", "3"}}), book({{"100", "5"}}, {}), book({{"101", "5"}}, {{"101", "3"}}),
        book({{"102", "5"}}, {{"101", "3"}})}) {
    Ofi ofi;
    ofi.on_book(sound, at(0));
    EXPECT_FALSE(ofi.on_book(broken, at(100)));
    EXPECT_FALSE(ofi.on_book(sound, at(200)));
    EXPECT_TRUE(ofi.on_book(sound, at(300)));
    EXPECT_EQ(ofi.bad_points(), 0);
  }
}

TEST(OfiSignal, bad_levels_are_counted_and_give_no_sample) {
  Ofi ofi;
  const TopLevels sound = book({{"100", "5"}}, {{"101", "3"}});
  TopLevels bad = book({{"100", "5"}, {"-1", "2"}}, {{"101", "3"}});
  bad.asks.push_back({Price::of("102"), Qty::from_raw(std::numeric_limits<std::int64_t>::min())});
  ofi.on_book(sound, at(0));
  EXPECT_FALSE(ofi.on_book(bad, at(100)));
  EXPECT_EQ(ofi.bad_points(), 2);
  EXPECT_FALSE(ofi.on_book(sound, at(200)));
}

TEST(OfiSignal, quantities_at_the_end_of_the_range_are_survived) {
  const auto most = Qty::from_raw(std::numeric_limits<std::int64_t>::max());
  TopLevels huge = book({{"100", "5"}}, {{"101", "3"}});
  huge.bids[0].qty = huge.asks[0].qty = most;
  const TopLevels sound = book({{"100.5", "5"}}, {{"101.5", "3"}});
  Ofi ofi;
  for (int i = 0; i < 100; ++i) {
    const auto sample = ofi.on_book(i % 2 == 0 ? huge : sound, at(i * 100));
    if (sample && sample->z) {
      EXPECT_TRUE(std::isfinite(*sample->z));
    }
  }
}

/// Quantities of the best bid that give the wanted flows at level 1 (times its weight).
class Flow {
 public:
  explicit Flow(OfiOptions options = {}) : ofi_{options} {}
  std::optional<OfiSample> change(std::int64_t qty_change, std::int64_t passed_ms = 100) {
    qty_ += qty_change;
    now_ms_ += passed_ms;
    TopLevels levels;
    levels.bids.push_back({Price::of("100"), Qty::from_units(qty_)});
    levels.asks.push_back({Price::of("101"), Qty::of("1")});
    return ofi_.on_book(levels, at(now_ms_));
  }
  std::int64_t now_ms() const { return now_ms_; }

 private:
  Ofi ofi_;
  std::int64_t qty_ = 1'000'000, now_ms_ = 0;
};

TEST(OfiSignal, the_first_score_comes_when_a_fifth_of_the_window_is_there) {
  for (const auto& [window, first] : {std::pair{100, 21}, {80, 17}, {5, 6}}) {
    Flow flow{{.window = window}};
    flow.change(0);
    for (int n = 1; n < first + 5; ++n) {
      const auto sample = flow.change(n % 3);
      ASSERT_TRUE(sample);
      EXPECT_EQ(sample->z.has_value(), n >= first) << "window " << window << " sample " << n;
      EXPECT_EQ(sample->z_raw.has_value(), n >= first);
      EXPECT_EQ(sample->warmup, n < first);
    }
  }
}

TEST(OfiSignal, a_pause_beyond_the_limit_starts_anew_and_the_next_sample_says_so) {
  Flow flow;
  for (int n = 0; n < 40; ++n) flow.change(n % 5);
  EXPECT_TRUE(flow.change(1, 2'000)->z) << "at the limit the window lives on";
  EXPECT_FALSE(flow.change(1, 2'001)) << "the book before the gap is no neighbour";
  const auto first = flow.change(3);
  EXPECT_TRUE(first->session_reset);
  EXPECT_TRUE(first->warmup);
  EXPECT_DOUBLE_EQ(first->ema, first->value) << "the average is seeded anew";
  EXPECT_FALSE(flow.change(1)->session_reset);
}

TEST(OfiSignal, a_new_day_starts_the_window_anew_and_keeps_the_chain) {
  Ofi ofi;
  const base::VenueTime midnight = base::venue_time_ms(1'700'006'400'000);
  std::optional<OfiSample> sample;
  for (int n = 40; n > 0; --n)
    sample = ofi.on_book(book({{"100", n % 2 == 0 ? "5" : "6"}}, {{"101", "3"}}),
                         midnight - base::milliseconds{n * 100});
  EXPECT_TRUE(sample->z);
  sample = ofi.on_book(book({{"100", "9"}}, {{"101", "3"}}), midnight);
  ASSERT_TRUE(sample);
  EXPECT_TRUE(sample->session_reset);
  EXPECT_FALSE(sample->z);
  EXPECT_DOUBLE_EQ(sample->value, .4 * 3);
}

TEST(OfiSignal, no_spread_scores_zero_and_says_why) {
  Flow flow;
  for (int n = 0; n < 40; ++n) flow.change(0);
  const auto sample = flow.change(7);
  EXPECT_TRUE(sample->std_zero);
  EXPECT_EQ(sample->z, 0.0);
  EXPECT_EQ(sample->z_raw, 0.0);
  EXPECT_DOUBLE_EQ(sample->value, .4 * 7);
}

TEST(OfiSignal, scores_equal_those_computed_from_scratch) {
  base::Rng rng{11};
  const OfiOptions options;
  Flow flow{options};
  flow.change(0);
  std::deque<double> window;
  double ema = 0;
  int winsorised_count = 0;
  for (int n = 0; n < 3'000; ++n) {
    std::int64_t change = rng.normal_milli() / 10;
    if (rng.below(40) == 0) change *= 20;
    const double value = .4 * static_cast<double>(change);
    const auto sample = flow.change(change);
    ASSERT_NEAR(sample->value, value, 1e-9);
    ema = n == 0 ? value : options.ema_alpha * value + (1 - options.ema_alpha) * ema;
    ASSERT_NEAR(sample->ema, ema, 1e-6);
    if (window.size() >= 16) {
      double sum = 0, squares = 0;
      std::vector<double> sorted(window.begin(), window.end());
      for (const double v : window) sum += v;
      const double size = static_cast<double>(window.size()), mean = sum / size;
      for (const double v : window) squares += (v - mean) * (v - mean);
      const double deviation = std::sqrt(squares / (size - 1));
      const auto middle = [](std::vector<double> v) {
        std::sort(v.begin(), v.end());
        return (v[(v.size() - 1) / 2] + v[v.size() / 2]) / 2;
      };
      const double median = middle(sorted);
      for (double& v : sorted) v = std::abs(v - median);
      const double limit = 3 * 1.4826 * middle(sorted);
      const double cut = std::clamp(value, median - limit, median + limit);
      winsorised_count += cut != value;
      ASSERT_NEAR(*sample->z_raw, (value - mean) / deviation, 1e-7);
      ASSERT_NEAR(*sample->z, std::clamp((cut - mean) / deviation, -3.0, 3.0), 1e-7);
    }
    window.push_back(value);  // as measured: an outlier stays what it was
    if (window.size() > 80) window.pop_front();
  }
  EXPECT_GT(winsorised_count, 20);
}

TEST(OfiSignal, options_that_cannot_work_are_named) {
  EXPECT_EQ(check(OfiOptions{}), "");
  EXPECT_NE(check(OfiOptions{.weights = {0, -1, 0, 0, 0}}).find("ofi.weights"), std::string::npos);
  EXPECT_NE(check(OfiOptions{.window = 4}).find("ofi.window"), std::string::npos);
  EXPECT_NE(check(OfiOptions{.ema_alpha = 0}).find("ofi.ema_alpha"), std::string::npos);
  EXPECT_NE(check(OfiOptions{.std_floor = 0}).find("ofi.std_floor"), std::string::npos);
}

}  // namespace
}  // namespace phoenix::signal
