#include "signal/symbol_signals.hpp"

#include "base/rng.hpp"
#include "base/test_allocations.hpp"
#include "signal/test_market.hpp"
#include "signal/test_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace phoenix::signal {
namespace {

constexpr std::int64_t t0 = TestMarket::start_ms;

Rows run(const std::vector<Sample>& samples, const SignalOptions& options = {}) {
  SymbolSignals signals{options};
  Rows rows;
  for (const Sample& sample : samples) feed(signals, sample, rows);
  signals.finish(rows);
  return rows;
}

template <class T>
std::vector<Sample> only(const std::vector<Sample>& samples) {
  std::vector<Sample> found;
  for (const Sample& sample : samples)
    if (std::holds_alternative<T>(sample)) found.push_back(sample);
  return found;
}

TEST(SymbolSignals, h17_ofi_rows_are_book_updates_whatever_the_trades_do) {
  const auto samples = TestMarket{1}.samples(60'000);
  const auto books = only<BookSample>(samples);
  const auto with_trades = rows_of<OfiRow>(run(samples));
  const auto without = rows_of<OfiRow>(run(books));
  ASSERT_EQ(with_trades.size(), books.size() - 1) << "one per update, the first has nothing before it";
  ASSERT_EQ(without.size(), with_trades.size());
  for (std::size_t i = 0; i < without.size(); ++i) {
    EXPECT_EQ(with_trades[i].last_id, std::get<BookSample>(books[i + 1]).last_id);
    EXPECT_EQ(with_trades[i].ofi_value, without[i].ofi_value);
    EXPECT_EQ(with_trades[i].z_raw, without[i].z_raw);
    EXPECT_EQ(with_trades[i].session_reset, false);
  }
}

TEST(SymbolSignals, h17_a_market_without_trades_keeps_its_window) {
  const auto rows = rows_of<OfiRow>(run(only<BookSample>(TestMarket{2}.samples(30'000))));
  EXPECT_TRUE(
      std::all_of(rows.begin() + 20, rows.end(), [](const OfiRow& row) { return row.z_raw.has_value(); }));
}

TEST(SymbolSignals, h18_the_share_of_clipped_scores_shows_in_the_rows) {
  const auto rows = rows_of<CvdRow>(run(TestMarket{3}.samples(60'000)));
  int beyond = 0;
  for (const CvdRow& row : rows) {
    if (!row.z_raw) continue;
    ASSERT_TRUE(row.z_cvd);
    EXPECT_EQ(*row.z_cvd, std::clamp(*row.z_raw, -2.0, 2.0));
    beyond += std::abs(*row.z_raw) > std::abs(*row.z_cvd);
  }
  EXPECT_GT(beyond, 10);
}

TEST(SymbolSignals, h19_scores_are_absent_with_a_reason_until_they_are_ready) {
  const auto rows = run(TestMarket{4}.samples(20'000));
  const auto cvd = rows_of<CvdRow>(rows);
  ASSERT_GT(cvd.size(), 30U);
  for (std::size_t i = 0; i < cvd.size(); ++i) {
    EXPECT_EQ(cvd[i].z_cvd.has_value(), i >= 19);
    EXPECT_EQ(cvd[i].reason == CvdReason::warmup, i < 19);
  }
  const auto fusion = rows_of<FusionRow>(rows);
  EXPECT_FALSE(fusion.front().score);
  EXPECT_EQ(fusion.front().reason, FusionReason::no_input);
}

TEST(SymbolSignals, h20_a_trade_never_meets_a_book_from_its_future) {
  SymbolSignals signals{{}};
  Rows rows;
  TestMarket market{5};
  std::int64_t ms = t0;
  for (int n = 0; n < 50; ++n) {
    signals.on_book(market.book(ms), rows);
    signals.on_trade(market.trade(ms + 40), rows);
    ms += 100;
  }
  // Within the window the book of +50 comes before the trade of +40, and still is not the one it met.
  signals.on_book(market.book(ms + 50), rows);
  signals.on_trade(market.trade(ms + 40), rows);
  signals.finish(rows);
  const auto fusion = rows_of<FusionRow>(rows);
  for (std::size_t i = 0; i + 1 < fusion.size(); ++i) {
    if (i > 0) {
      EXPECT_EQ(fusion[i].lag_ms_ob, 40.0) << i;
    }
  }
  EXPECT_EQ(fusion.back().lag_ms_ob, 140.0);
  // Later than the window: the newest book is in its future, so it has none.
  TradeSample late = market.trade(ms - 500);
  signals.on_trade(late, rows);
  const auto last = rows_of<FusionRow>(rows).back();
  EXPECT_FALSE(last.lag_ms_ob);
  EXPECT_FALSE(last.score);
  EXPECT_EQ(signals.stats().late, 1);
}

TEST(SymbolSignals, h20_no_lag_is_negative_or_beyond_the_limit_however_the_feed_is_disordered) {
  auto samples = TestMarket{6}.samples(60'000);
  base::Rng rng{6};
  for (std::size_t i = 0; i + 40 < samples.size(); ++i)
    if (rng.below(4) == 0) std::swap(samples[i], samples[i + rng.below(40)]);
  for (const FusionRow& row : rows_of<FusionRow>(run(samples))) {
    if (!row.lag_ms_ob) continue;
    EXPECT_GE(*row.lag_ms_ob, 0);
    EXPECT_LE(*row.lag_ms_ob, 800);
  }
}

TEST(SymbolSignals, h20_a_book_older_than_the_limit_is_none) {
  for (const auto& [age_ms, met] : {std::pair{800, true}, {801, false}}) {
    SymbolSignals signals{{}};
    TestMarket market{7};
    Rows rows;
    signals.on_book(market.book(t0), rows);
    signals.on_book(market.book(t0 + 100), rows);
    signals.on_trade(market.trade(t0 + 100 + age_ms), rows);
    signals.finish(rows);
    EXPECT_EQ(rows_of<FusionRow>(rows).at(0).lag_ms_ob.has_value(), met) << age_ms;
  }
}

TEST(SymbolSignals, h21_rows_depend_on_the_samples_and_not_on_how_they_are_handed_over) {
  const auto samples = TestMarket{8}.samples(60'000);
  RowHash whole;
  whole.add(run(samples));
  for (const std::size_t batch : {1U, 7U, 1'000U}) {
    SymbolSignals signals{{}};
    RowHash hash;
    Rows rows;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      feed(signals, samples[i], rows);
      if (i % batch == 0) {
        hash.add(rows);
        rows.clear();
      }
    }
    signals.finish(rows);
    hash.add(rows);
    EXPECT_EQ(hash.value(), whole.value()) << batch;
  }
}

TEST(SymbolSignals, the_order_of_arrival_within_the_window_does_not_matter) {
  auto samples = TestMarket{9}.samples(60'000);
  RowHash in_order;
  in_order.add(run(samples));
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    // Each sample arrives up to 240 ms late.
    base::Rng rng{seed};
    std::vector<std::pair<std::int64_t, std::size_t>> arrival;
    for (std::size_t i = 0; i < samples.size(); ++i)
      arrival.emplace_back(base::ms_of(time_of(samples[i])) + rng.between(0, 240), i);
    std::sort(arrival.begin(), arrival.end());
    std::vector<Sample> shuffled;
    for (const auto& [when, index] : arrival) shuffled.push_back(samples[index]);
    RowHash hash;
    hash.add(run(shuffled));
    EXPECT_EQ(hash.value(), in_order.value()) << "seed " << seed;
  }
}

TEST(SymbolSignals, h22_every_second_is_written_once_and_equals_its_samples) {
  const auto samples = TestMarket{10}.samples(3'600'000, 400);
  const Rows rows = run(samples);
  const auto seconds = rows_of<FeatureRow>(rows);
  ASSERT_EQ(seconds.size(), 3'600U);

  struct Reference {
    std::int64_t trades = 0, books = 0;
    model::Qty delta;
    double ofi = 0;
    std::optional<model::Price> last, bid, ask;
    std::optional<double> ofi_z, cvd_z, score;
  };
  std::map<std::int64_t, Reference> reference;
  const auto second = [](base::VenueTime time) { return base::ms_of(time) / 1'000; };
  for (const Sample& sample : samples) {
    Reference& of = reference[second(time_of(sample))];
    if (const auto* const book = std::get_if<BookSample>(&sample)) {
      ++of.books;
      of.bid = book->levels.bids[0].price;
      of.ask = book->levels.asks[0].price;
    } else {
      ++of.trades;
      of.last = std::get<TradeSample>(sample).price;
    }
  }
  for (const OfiRow& row : rows_of<OfiRow>(rows)) {
    reference[second(row.event_time)].ofi += row.ofi_value;
    if (row.ofi_z) reference[second(row.event_time)].ofi_z = row.ofi_z;
  }
  for (const CvdRow& row : rows_of<CvdRow>(rows)) {
    reference[second(row.event_time)].delta += row.delta;
    if (row.z_cvd) reference[second(row.event_time)].cvd_z = row.z_cvd;
  }
  for (const FusionRow& row : rows_of<FusionRow>(rows))
    if (row.score) reference[second(row.event_time)].score = row.score;

  std::optional<double> mid_before;
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    const FeatureRow& row = seconds[i];
    ASSERT_EQ(row.second_ts, t0 / 1'000 + static_cast<std::int64_t>(i));
    ASSERT_EQ(row.event_time, base::venue_time_ms(row.second_ts * 1'000));
    const Reference& of = reference[row.second_ts];
    EXPECT_EQ(row.trade_count, of.trades);
    EXPECT_EQ(row.has_trade, of.trades > 0);
    EXPECT_EQ(row.book_count, of.books);
    EXPECT_EQ(row.delta_sum, of.delta);
    EXPECT_EQ(row.ofi_sum, of.ofi);
    EXPECT_EQ(row.last_price, of.last);
    EXPECT_EQ(row.best_bid, of.bid);
    EXPECT_EQ(row.best_ask, of.ask);
    EXPECT_EQ(row.best_buy_fill, of.ask);
    EXPECT_EQ(row.best_sell_fill, of.bid);
    EXPECT_EQ(row.ofi_z, of.ofi_z);
    EXPECT_EQ(row.cvd_z, of.cvd_z);
    EXPECT_EQ(row.fusion_score, of.score);
    const double mid = (of.bid->to_double() + of.ask->to_double()) / 2;
    EXPECT_DOUBLE_EQ(*row.mid, mid);
    EXPECT_DOUBLE_EQ(*row.spread_bps, (of.ask->to_double() - of.bid->to_double()) / mid * 1e4);
    EXPECT_EQ(row.return_1s.has_value(), mid_before.has_value());
    if (mid_before) {
      EXPECT_DOUBLE_EQ(*row.return_1s, mid / *mid_before - 1);
    }
    mid_before = mid;
    if (row.lag_ms_ofi) {
      EXPECT_GT(*row.lag_ms_ofi, 0);
      EXPECT_LE(*row.lag_ms_ofi, 1'000);
    }
  }
}

TEST(SymbolSignals, h22_a_second_is_closed_by_the_first_event_two_seconds_on) {
  SignalOptions options;
  options.merge_window = base::Duration::zero();
  SymbolSignals signals{options};
  TestMarket market{11};
  Rows rows;
  signals.on_book(market.book(t0 + 500), rows);
  signals.on_book(market.book(t0 + 1'999), rows);
  signals.on_book(market.book(t0 + 2'000),
                  rows);  // waits itself: a window of 0 still puts equal times in order
  EXPECT_TRUE(rows_of<FeatureRow>(rows).empty());
  signals.on_book(market.book(t0 + 2'001), rows);
  ASSERT_EQ(rows_of<FeatureRow>(rows).size(), 1U);
  EXPECT_EQ(rows_of<FeatureRow>(rows)[0].second_ts, t0 / 1'000);
  EXPECT_EQ(rows_of<FeatureRow>(rows)[0].recv_time, base::local_time_ns((t0 + 2'020) * 1'000'000));
}

TEST(SymbolSignals, h22_silence_is_written_up_to_the_look_back_and_a_stale_book_is_none) {
  SymbolSignals signals{{}};
  TestMarket market{12};
  Rows rows;
  signals.on_book(market.book(t0), rows);
  signals.on_book(market.book(t0 + 300'000), rows);
  signals.on_book(market.book(t0 + 301'000), rows);
  signals.finish(rows);
  const auto seconds = rows_of<FeatureRow>(rows);
  ASSERT_EQ(seconds.size(), 61U + 3U);
  EXPECT_TRUE(seconds[4].mid) << "5 s old at the end of the fifth second";
  EXPECT_EQ(seconds[4].return_1s, 0.0);
  EXPECT_FALSE(seconds[5].mid);
  EXPECT_FALSE(seconds[60].mid);
  EXPECT_EQ(seconds[61].second_ts, t0 / 1'000 + 299);
  EXPECT_FALSE(seconds[62].return_1s) << "no second before it has a mid";
  EXPECT_EQ(signals.stats().seconds_skipped, 238);
}

TEST(SymbolSignals, h22_a_second_that_a_restart_cuts_in_two_is_written_once) {
  TestMarket market{14};
  SymbolSignals first{{}};
  Rows before;
  first.on_book(market.book(t0), before);
  first.on_book(market.book(t0 + 1'400), before);
  first.finish(before);
  ASSERT_EQ(rows_of<FeatureRow>(before).size(), 2U);
  EXPECT_EQ(first.state().last_second, t0 / 1'000 + 1);

  SymbolSignals second{{}, first.state()};
  Rows after;
  EXPECT_EQ(second.state(), first.state()) << "until there is a newer one";
  second.on_book(market.book(t0 + 1'600), after);
  second.on_book(market.book(t0 + 1'900), after);
  second.on_book(market.book(t0 + 2'300), after);
  second.finish(after);
  ASSERT_EQ(rows_of<FeatureRow>(after).size(), 1U);
  EXPECT_EQ(rows_of<FeatureRow>(after)[0].second_ts, t0 / 1'000 + 2);

  // A run that ends within the second has nothing to add, and one that begins with an old trade writes no old
  // second.
  SymbolSignals third{{}, second.state()};
  Rows none;
  third.on_book(market.book(t0 + 2'500), none);
  third.finish(none);
  EXPECT_TRUE(rows_of<FeatureRow>(none).empty());
  EXPECT_EQ(third.state().last_second, t0 / 1'000 + 2);
  SymbolSignals fourth{{}, SignalState{.cvd = {}, .last_second = t0 / 1'000 + 10'000}};
  Rows late;
  fourth.on_book(market.book(t0), late);
  fourth.on_book(market.book(t0 + 10'001'500), late);
  fourth.on_book(market.book(t0 + 10'003'500), late);
  fourth.finish(late);
  const auto seconds = rows_of<FeatureRow>(late);
  ASSERT_EQ(seconds.size(), 3U);
  EXPECT_EQ(seconds[0].second_ts, t0 / 1'000 + 10'001);
}

TEST(SymbolSignals, h29_three_levels_are_three_levels) {
  SymbolSignals signals{{}};
  TestMarket market{13};
  Rows rows;
  for (int n = 0; n < 30; ++n) {
    BookSample book = market.book(t0 + n * 100);
    book.levels.bids.resize(3);
    book.levels.asks.resize(3);
    signals.on_book(book, rows);
  }
  signals.finish(rows);
  for (const OfiRow& row : rows_of<OfiRow>(rows)) EXPECT_EQ(row.bad_points, 0);
  EXPECT_EQ(rows_of<OfiRow>(rows).size(), 29U);
}

TEST(SymbolSignals, h16_rows_around_midnight_keep_their_own_time) {
  const std::int64_t midnight = 1'700'006'400'000;
  TestMarket market{14};
  std::vector<Sample> samples;
  for (std::int64_t ms = midnight - 5'000; ms < midnight + 5'000; ms += 50) {
    samples.emplace_back(market.book(ms));
    samples.emplace_back(market.trade(ms));
  }
  for (std::size_t i = 0; i + 3 < samples.size(); i += 4) std::swap(samples[i], samples[i + 3]);
  const Rows rows = run(samples);
  const auto seconds = rows_of<FeatureRow>(rows);
  ASSERT_EQ(seconds.size(), 10U);
  for (const FeatureRow& row : seconds)
    EXPECT_EQ(row.labels.session, row.second_ts < midnight / 1'000 ? Session::ny : Session::tokyo);
  const auto ofi = rows_of<OfiRow>(rows);
  EXPECT_EQ(std::count_if(ofi.begin(), ofi.end(), [](const OfiRow& row) { return row.session_reset; }), 1);
}

TEST(SymbolSignals, h24_a_book_that_comes_again_is_dropped_and_counted) {
  SymbolSignals signals{{}};
  TestMarket market{15};
  Rows rows;
  BookSample book;
  for (int n = 0; n < 20; ++n) {
    book = market.book(t0 + n * 100);
    signals.on_book(book, rows);
    signals.on_book(book, rows);
  }
  signals.finish(rows);
  EXPECT_EQ(rows_of<OfiRow>(rows).size(), 19U);
  EXPECT_EQ(signals.stats().books_behind, 20);
}

TEST(SymbolSignals, a_hole_in_depth_gives_no_flow_across_it) {
  SymbolSignals signals{{}};
  TestMarket market{16};
  Rows rows;
  for (int n = 0; n < 30; ++n) signals.on_book(market.book(t0 + n * 100), rows);
  signals.on_gap(GapCause::depth, base::venue_time_ms(t0 + 3'000), base::local_time_ns(1), rows);
  const auto gap = rows_of<EventRow>(rows);
  ASSERT_EQ(gap.size(), 1U);
  EXPECT_EQ(gap[0].event_type, EventType::gap);
  EXPECT_EQ(gap[0].meta_json.view(), R"({"cause":"depth"})");
  const BookSample after = market.book(t0 + 3'100);
  signals.on_book(after, rows);
  const BookSample next = market.book(t0 + 3'200);
  signals.on_book(next, rows);
  signals.finish(rows);
  const auto ofi = rows_of<OfiRow>(rows);
  ASSERT_EQ(ofi.size(), 30U);
  EXPECT_EQ(ofi.back().last_id, next.last_id);
  EXPECT_TRUE(ofi.back().z_raw) << "a short hole keeps the window";
}

TEST(SymbolSignals, state_survives_a_short_hole_and_not_a_long_one) {
  for (const auto& [silence_ms, survives] : {std::pair{9'000, true}, {11'000, false}}) {
    SymbolSignals signals{{}};
    TestMarket market{17};
    Rows rows;
    std::int64_t ms = t0;
    for (int n = 0; n < 100; ++n) {
      signals.on_trade(market.trade(ms), rows);
      ms += 50;
    }
    signals.on_gap(GapCause::reconnect, base::venue_time_ms(ms), base::local_time_ns(1), rows);
    ms += silence_ms;
    for (int n = 0; n < 3; ++n) signals.on_trade(market.trade(ms += 50), rows);
    signals.finish(rows);
    const auto cvd = rows_of<CvdRow>(rows);
    EXPECT_EQ(cvd.back().z_cvd.has_value(), survives);
    EXPECT_EQ(cvd.back().reason, survives ? CvdReason::ready : CvdReason::warmup);
    EXPECT_EQ(cvd.back().cvd, cvd[cvd.size() - 2].cvd + cvd.back().delta) << "the sum goes on";
    const auto events = rows_of<EventRow>(rows);
    EXPECT_EQ(std::count_if(events.begin(), events.end(),
                            [](const EventRow& event) { return event.event_type == EventType::reconnect; }),
              1);
  }
}

TEST(SymbolSignals, the_sum_is_carried_over_a_restart) {
  const auto samples = TestMarket{18}.samples(20'000);
  const std::vector<Sample> first(samples.begin(), samples.begin() + 200),
      rest(samples.begin() + 200, samples.end());
  const auto whole = rows_of<CvdRow>(run(samples));
  Rows rows;
  SymbolSignals before{{}};
  for (const Sample& sample : first) feed(before, sample, rows);
  before.finish(rows);
  SymbolSignals after{{}, before.state()};
  for (const Sample& sample : rest) feed(after, sample, rows);
  after.finish(rows);
  const auto parts = rows_of<CvdRow>(rows);
  ASSERT_EQ(parts.size(), whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_EQ(parts[i].cvd, whole[i].cvd);
}

TEST(SymbolSignals, a_crowded_window_lets_the_oldest_go_early_and_says_so) {
  SignalOptions options;
  options.trades_max = 10;
  SymbolSignals signals{options};
  TestMarket market{19};
  Rows rows;
  for (int n = 0; n < 100; ++n) signals.on_trade(market.trade(t0 + n), rows);
  EXPECT_EQ(signals.stats().crowded_out, 90);
  EXPECT_EQ(rows_of<CvdRow>(rows).size(), 90U);
  signals.finish(rows);
  EXPECT_EQ(rows_of<CvdRow>(rows).size(), 100U);
  const auto events = rows_of<EventRow>(rows);
  EXPECT_EQ(std::count_if(events.begin(), events.end(),
                          [](const EventRow& event) { return event.event_type == EventType::quality; }),
            1)
      << "one record of quality, not ninety";
}

TEST(SymbolSignals, hostile_samples_are_survived_and_counted) {
  base::Rng rng{20};
  SymbolSignals signals{{}};
  Rows rows;
  const auto any = [&] {
    switch (rng.below(4)) {
      case 0:
        return std::numeric_limits<std::int64_t>::max();
      case 1:
        return std::numeric_limits<std::int64_t>::min();
      case 2:
        return rng.between(-2, 2);
      default:
        return rng.between(0, 4'000'000'000'000'000'000);
    }
  };
  for (int n = 0; n < 20'000; ++n) {
    rows.clear();
    const auto time =
        base::venue_time_ns(rng.below(2) == 0 ? any() : t0 * 1'000'000 + rng.between(0, 60'000'000'000));
    if (rng.below(2) == 0) {
      BookSample book{
          .event_time = time, .recv_time = base::local_time_ns(any()), .last_id = any(), .levels = {}};
      for (auto m = rng.below(6); m > 0; --m)
        book.levels.bids.push_back({model::Price::from_raw(any()), model::Qty::from_raw(any())});
      for (auto m = rng.below(6); m > 0; --m)
        book.levels.asks.push_back({model::Price::from_raw(any()), model::Qty::from_raw(any())});
      signals.on_book(book, rows);
    } else {
      TradeSample trade{.event_time = time, .recv_time = base::local_time_ns(any()), .id = any()};
      trade.price = model::Price::from_raw(any());
      trade.qty = model::Qty::from_raw(any());
      if (rng.below(2) == 0) trade.aggressor = rng.below(2) == 0 ? model::Side::bid : model::Side::ask;
      signals.on_trade(trade, rows);
    }
    if (rng.below(50) == 0) signals.on_gap(GapCause::reconnect, time, base::local_time_ns(any()), rows);
    ASSERT_LE(rows.size(), 400U) << "what one sample can cause is bounded";
  }
  signals.finish(rows);
  EXPECT_GT(signals.stats().bad_times, 0);
  EXPECT_GT(signals.stats().bad_trades, 0);
  EXPECT_GT(signals.stats().bad_levels, 0);
}

TEST(SymbolSignals, numbers_in_rows_are_finite) {
  for (const Row& row : run(TestMarket{21}.samples(120'000))) {
    if (const auto* const ofi = std::get_if<OfiRow>(&row)) {
      EXPECT_TRUE(std::isfinite(ofi->ofi_value) && std::isfinite(ofi->z_raw.value_or(0)));
    } else if (const auto* const cvd = std::get_if<CvdRow>(&row)) {
      EXPECT_TRUE(std::isfinite(cvd->z_raw.value_or(0)) && std::isfinite(cvd->ema_cvd));
    } else if (const auto* const feature = std::get_if<FeatureRow>(&row)) {
      EXPECT_TRUE(std::isfinite(feature->return_1s.value_or(0)));
    }
  }
}

TEST(SymbolSignals, every_event_that_begins_ends) {
  std::map<EventType, int> open;
  for (const EventRow& event : rows_of<EventRow>(run(TestMarket{22}.samples(600'000)))) {
    if (event.phase == EventPhase::begin) {
      EXPECT_EQ(open[event.event_type]++, 0);
    }
    if (event.phase == EventPhase::end) {
      EXPECT_EQ(open[event.event_type]--, 1);
    }
  }
  EXPECT_FALSE(open.empty());
  for (const auto& [type, count] : open) EXPECT_EQ(count, 0) << text(type);
}

TEST(SymbolSignals, the_steady_state_allocates_nothing) {
  const auto samples = TestMarket{23}.samples(30'000);
  SymbolSignals signals{{}};
  Rows rows;
  rows.reserve(10'000);
  const std::uint64_t before = base::allocations;
  for (const Sample& sample : samples) {
    feed(signals, sample, rows);
    rows.clear();
  }
  EXPECT_EQ(base::allocations, before);
}

TEST(SymbolSignals, symbols_have_their_own_limits) {
  EXPECT_EQ(SignalOptions::for_symbol("BTCUSDT").cvd.winsor, 1.9);
  EXPECT_EQ(SignalOptions::for_symbol("BTCUSDT").cvd.mad_multiplier, 1.75);
  EXPECT_EQ(SignalOptions::for_symbol("ETHUSDT").cvd.winsor, 2.3);
  EXPECT_EQ(SignalOptions::for_symbol("ETHUSDT").cvd.mad_multiplier, 1.7);
  EXPECT_EQ(SignalOptions::for_symbol("DOGEUSDT").cvd.winsor, 2.0);
  for (const char* symbol : {"BTCUSDT", "ETHUSDT", "DOGEUSDT"})
    EXPECT_EQ(check(SignalOptions::for_symbol(symbol)), "");
}

TEST(SymbolSignals, a_threshold_that_the_clips_put_out_of_reach_is_refused) {
  SignalOptions options;
  options.ofi.z_clip = options.cvd.winsor = 1.5;
  EXPECT_NE(check(options).find("fusion.strong"), std::string::npos);
  EXPECT_THROW(SymbolSignals{options}, std::invalid_argument);
  options = {};
  options.merge_window = base::seconds{-1};
  EXPECT_NE(check(options).find("merge_window"), std::string::npos);
}

}  // namespace
}  // namespace phoenix::signal
