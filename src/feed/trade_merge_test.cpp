#include "feed/trade_merge.hpp"

#include "base/rng.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <limits>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace phoenix::feed {
namespace {

constexpr model::SymbolId symbol{3};
base::LocalTime at_ms(std::int64_t ms) { return base::local_time_ns(ms * 1'000'000); }

model::AggTrade trade(std::int64_t id) {
  model::AggTrade value;
  value.symbol = symbol;
  value.id = id;
  value.price = model::Price::from_raw(id);
  return value;
}
std::vector<model::AggTrade> trades(const std::vector<std::int64_t>& ids) {
  std::vector<model::AggTrade> all;
  for (const std::int64_t id : ids) all.push_back(trade(id));
  return all;
}

using Words = std::vector<std::string>;

/// The actions as words: "5", "repaired 6", "fetch 6 7", "lost 6 7".
Words words(const TradeActions& actions) {
  Words all;
  for (const TradeAction& action : actions) {
    if (const auto* accept = std::get_if<AcceptTrade>(&action)) {
      EXPECT_EQ(accept->trade.price.raw(), accept->trade.id);
      all.push_back((accept->line ? "" : "repaired ") + std::to_string(accept->trade.id));
    } else if (const auto* fetch = std::get_if<FetchTrades>(&action)) {
      all.push_back("fetch " + std::to_string(fetch->from_id) + " " + std::to_string(fetch->to_id));
    } else if (const auto* lost = std::get_if<TradesLost>(&action)) {
      all.push_back("lost " + std::to_string(lost->from_id) + " " + std::to_string(lost->to_id));
    }
  }
  return all;
}

/// A TradeMerge with both lines up and the words of the actions of each call.
struct Machine {
  explicit Machine(TradeMergeOptions options = {}) : merge(symbol, options) {
    merge.line_up(0);
    merge.line_up(1);
  }
  Words on(std::size_t line, std::int64_t id, std::int64_t ms = 0) {
    TradeActions out;
    merge.on_trade(trade(id), line, at_ms(ms), out);
    return words(out);
  }
  Words fetched(const std::vector<std::int64_t>& ids, std::int64_t asked_from, std::int64_t ms = 0) {
    TradeActions out;
    merge.on_fetched(trades(ids), asked_from, at_ms(ms), out);
    return words(out);
  }
  Words expire(std::int64_t ms) {
    TradeActions out;
    merge.expire(at_ms(ms), out);
    return words(out);
  }
  TradeMerge merge;
};

TEST(TradeMerge, each_trade_is_handed_out_once_whichever_line_is_first) {
  Machine machine;
  EXPECT_FALSE(machine.merge.last_id());
  EXPECT_EQ(machine.on(0, 100), Words{"100"}) << "the first one ever is the baseline";
  EXPECT_EQ(machine.on(1, 100), Words{});
  EXPECT_EQ(machine.on(1, 101), Words{"101"});
  EXPECT_EQ(machine.on(1, 102), Words{"102"});
  EXPECT_EQ(machine.on(0, 101), Words{});
  EXPECT_EQ(machine.on(0, 102), Words{});
  EXPECT_EQ(machine.merge.last_id(), 102);
  EXPECT_EQ(machine.merge.complete_to(), 102);
  EXPECT_EQ(machine.merge.stats(0).accepted, 1U);
  EXPECT_EQ(machine.merge.stats(0).covered, 2U);
  EXPECT_EQ(machine.merge.stats(1).accepted, 2U);
  EXPECT_EQ(machine.merge.stats(1).covered, 1U);
  EXPECT_FALSE(machine.merge.next_deadline());
}

TEST(TradeMerge, an_accepted_trade_names_its_line_or_its_repair) {
  TradeMerge merge{symbol};
  TradeActions out;
  merge.on_trade(trade(5), 2, at_ms(0), out);
  EXPECT_EQ(std::get<AcceptTrade>(out.at(0)).line, 2);
  merge.on_trade(trade(7), 2, at_ms(0), out);
  const auto answer = trades({6});
  merge.on_fetched(answer, 6, at_ms(1), out);
  EXPECT_FALSE(std::get<AcceptTrade>(out.back()).line);
}

TEST(TradeMerge, what_is_asked_for_beyond_the_newest_is_new_and_what_is_not_asked_for_is_the_lines) {
  Machine machine;
  (void)machine.on(0, 100);
  EXPECT_EQ(machine.fetched({101, 102}, 101).size(), 2U);
  EXPECT_EQ(machine.merge.last_id(), 102);
  EXPECT_EQ(machine.on(0, 102), Words{}) << "known by now";
  EXPECT_EQ(machine.on(0, 103), Words{"103"});
  EXPECT_EQ(machine.fetched({101, 102, 103, 104}, 101), Words{}) << "104 is on its way by the lines";
  EXPECT_EQ(machine.merge.last_id(), 103);
}

TEST(TradeMerge, later_trades_do_not_wait_for_a_hole_and_the_other_line_fills_it) {
  Machine machine;
  (void)machine.on(0, 100);
  EXPECT_EQ(machine.on(0, 104), Words{"104"});
  EXPECT_EQ(machine.on(0, 105), Words{"105"});
  EXPECT_EQ(machine.merge.missing(), 3U);
  EXPECT_EQ(machine.merge.complete_to(), 100);
  EXPECT_EQ(machine.merge.next_deadline(), at_ms(150));
  EXPECT_EQ(machine.on(1, 102, 50), Words{"102"}) << "splits the hole";
  EXPECT_EQ(machine.merge.holes(), 2U);
  EXPECT_EQ(machine.on(1, 102, 50), Words{}) << "known now";
  EXPECT_EQ(machine.on(1, 101, 60), Words{"101"});
  EXPECT_EQ(machine.on(1, 103, 149), Words{"103"});
  EXPECT_EQ(machine.merge.holes(), 0U);
  EXPECT_EQ(machine.merge.complete_to(), 105);
  EXPECT_EQ(machine.merge.stats().late, 3U);
  EXPECT_EQ(machine.merge.stats().fetches, 0U);
  EXPECT_FALSE(machine.merge.next_deadline());
}

TEST(TradeMerge, a_hole_no_line_fills_in_time_is_fetched_once_and_repaired) {
  Machine machine;
  (void)machine.on(0, 100);
  (void)machine.on(0, 104);
  EXPECT_EQ(machine.expire(149), Words{});
  EXPECT_EQ(machine.expire(150), (Words{"fetch 101 103"}));
  EXPECT_EQ(machine.expire(200), Words{}) << "one question at a time";
  EXPECT_EQ(machine.on(1, 102, 210), Words{"102"});
  EXPECT_EQ(machine.fetched({101, 102, 103}, 101, 250), (Words{"repaired 101", "repaired 103"}));
  EXPECT_EQ(machine.merge.stats().repaired, 2U);
  EXPECT_EQ(machine.merge.stats().fetched_covered, 1U);
  EXPECT_EQ(machine.merge.stats().lost, 0U);
  EXPECT_FALSE(machine.merge.next_deadline());
}

TEST(TradeMerge, with_one_line_a_hole_is_fetched_at_once) {
  Machine machine;
  (void)machine.on(0, 100);
  machine.merge.line_down(1);
  EXPECT_EQ(machine.on(0, 102), (Words{"102", "fetch 101 101"}));

  Machine meanwhile;
  (void)meanwhile.on(0, 100, 0);
  (void)meanwhile.on(0, 102, 10);
  meanwhile.merge.line_down(1);
  EXPECT_EQ(meanwhile.merge.next_deadline(), at_ms(10));
  EXPECT_EQ(meanwhile.expire(20), (Words{"fetch 101 101"}));
}

TEST(TradeMerge, after_a_reconnect_of_all_lines_the_next_trade_shows_the_hole) {
  Machine machine;
  (void)machine.on(0, 100);
  machine.merge.line_down(0);
  machine.merge.line_down(1);
  EXPECT_EQ(machine.on(1, 200, 5'000), (Words{"200", "fetch 101 199"}));
}

TEST(TradeMerge, a_failed_or_unanswered_fetch_is_repeated_with_a_doubling_backoff) {
  Machine machine;
  (void)machine.on(0, 100);
  (void)machine.on(0, 102);
  ASSERT_EQ(machine.expire(150), (Words{"fetch 101 101"}));
  machine.merge.fetch_failed(at_ms(200));
  EXPECT_EQ(machine.merge.next_deadline(), at_ms(1'200));
  EXPECT_EQ(machine.expire(1'199), Words{});
  ASSERT_EQ(machine.expire(1'200), (Words{"fetch 101 101"}));
  EXPECT_EQ(machine.expire(6'200), Words{}) << "no answer within 5 s is a failure";
  EXPECT_EQ(machine.merge.next_deadline(), at_ms(8'200));
  ASSERT_EQ(machine.expire(8'200), (Words{"fetch 101 101"}));
  EXPECT_EQ(machine.fetched({}, 101, 8'300), Words{}) << "the venue has not got it yet";
  EXPECT_EQ(machine.merge.next_deadline(), at_ms(12'300));
  std::int64_t ms = 12'300;
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(machine.expire(ms), (Words{"fetch 101 101"}));
    machine.merge.fetch_failed(at_ms(ms));
    ASSERT_LE(machine.merge.next_deadline(), at_ms(ms + 30'000));
    ms = base::ns_of(*machine.merge.next_deadline()) / 1'000'000;
  }
  EXPECT_EQ(machine.fetched({101}, 101, ms), Words{"repaired 101"}) << "a late answer is welcome";
  machine.merge.fetch_failed(at_ms(ms));
  (void)machine.on(0, 104, ms);
  ASSERT_EQ(machine.expire(ms + 30'150), (Words{"fetch 103 103"}));
  EXPECT_EQ(machine.fetched({103}, 103, ms + 30'200), Words{"repaired 103"});
  (void)machine.on(0, 106, ms + 31'000);
  ASSERT_EQ(machine.expire(ms + 31'150), (Words{"fetch 105 105"}));
  machine.merge.fetch_failed(at_ms(ms + 31'200));
  EXPECT_EQ(machine.merge.next_deadline(), at_ms(ms + 32'200)) << "success ends the backoff";
}

TEST(TradeMerge, what_the_venue_leaves_out_below_its_last_trade_is_lost) {
  Machine machine;
  (void)machine.on(0, 100);
  (void)machine.on(0, 110);
  ASSERT_EQ(machine.expire(150), (Words{"fetch 101 109"}));
  EXPECT_EQ(machine.fetched({102, 103, 106}, 101, 200),
            (Words{"repaired 102", "repaired 103", "repaired 106", "lost 101 101", "lost 104 105",
                   "fetch 107 109"}))
      << "the rest is asked for again at once, because the answer brought something";
  EXPECT_EQ(machine.fetched({110}, 107, 300), (Words{"lost 107 109"}));
  EXPECT_EQ(machine.merge.stats().lost, 6U);
  EXPECT_EQ(machine.on(1, 104, 400), Words{}) << "what was named lost is not handed out later";
}

TEST(TradeMerge, a_hole_that_grows_too_old_is_lost) {
  Machine machine;
  (void)machine.on(0, 100);
  (void)machine.on(0, 103, 0);
  (void)machine.on(0, 105, 100);
  ASSERT_EQ(machine.expire(250), (Words{"fetch 101 104"})) << "near holes share a request";
  EXPECT_EQ(machine.fetched({101}, 101, 300), (Words{"repaired 101", "fetch 102 104"}));
  machine.merge.fetch_failed(at_ms(400));
  for (std::int64_t ms = 400; ms < 600'000; ms += 100) {
    (void)machine.expire(ms);
    machine.merge.fetch_failed(at_ms(ms));
  }
  const Words at_600_s = machine.expire(600'000);
  ASSERT_FALSE(at_600_s.empty());
  EXPECT_EQ(at_600_s[0], "lost 102 102");
  EXPECT_EQ(machine.expire(600'100).front(), "lost 104 104");
  EXPECT_FALSE(machine.merge.next_deadline());
  EXPECT_EQ(machine.merge.complete_to(), 105);
}

TEST(TradeMerge, a_long_hole_is_fetched_in_answers_of_the_venues_size) {
  Machine machine{{.fetch_max = 3}};
  (void)machine.on(0, 100);
  (void)machine.on(0, 108);
  EXPECT_EQ(machine.expire(150), (Words{"fetch 101 103"}));
  EXPECT_EQ(machine.fetched({101, 102, 103}, 101, 200),
            (Words{"repaired 101", "repaired 102", "repaired 103", "fetch 104 106"}));
  EXPECT_EQ(machine.fetched({104, 105, 106}, 104, 250),
            (Words{"repaired 104", "repaired 105", "repaired 106", "fetch 107 107"}));
  EXPECT_EQ(machine.fetched({107}, 107, 300), Words{"repaired 107"});
}

TEST(TradeMerge, a_full_list_gives_the_oldest_hole_up) {
  Machine machine;
  (void)machine.on(0, 0);
  for (std::int64_t i = 1; i <= 64; ++i) ASSERT_EQ(machine.on(0, i * 10), Words{std::to_string(i * 10)});
  EXPECT_EQ(machine.merge.holes(), 64U);
  EXPECT_EQ(machine.on(0, 650), (Words{"lost 1 9", "650"}));
  EXPECT_EQ(machine.on(1, 15), (Words{"lost 11 14", "15"})) << "splits the oldest: its lower part goes";
  EXPECT_EQ(machine.on(1, 45), (Words{"lost 16 19", "45"})) << "splits another: the oldest goes";
  EXPECT_EQ(machine.on(1, 44), Words{"44"});
  EXPECT_EQ(machine.on(1, 46), Words{"46"});
  EXPECT_EQ(machine.merge.holes(), 64U);
  EXPECT_EQ(machine.merge.stats().holes_dropped, 3U);
  EXPECT_EQ(machine.merge.stats().holes_high_water, 64U);
  EXPECT_EQ(machine.merge.complete_to(), 20);
}

TEST(TradeMerge, unusable_ids_and_answers_do_no_harm) {
  Machine machine;
  EXPECT_EQ(machine.on(0, -1), Words{});
  EXPECT_EQ(machine.on(0, std::numeric_limits<std::int64_t>::min()), Words{});
  EXPECT_FALSE(machine.merge.last_id());
  (void)machine.on(0, 0);
  EXPECT_EQ(machine.fetched({-5, 0, 3, 9}, 0), Words{}) << "nothing is missing";
  EXPECT_EQ(machine.on(0, std::numeric_limits<std::int64_t>::max()).size(), 1U);
  EXPECT_EQ(machine.expire(150), (Words{"fetch 1 1000"}));
  EXPECT_EQ(machine.fetched({std::numeric_limits<std::int64_t>::max()}, 1, 160),
            (Words{"lost 1 9223372036854775806"}));
  EXPECT_EQ(machine.merge.stats().bad_ids, 2U);
}

TEST(TradeMerge, h23_a_million_unique_ids_warn_of_nothing_and_duplicates_are_counted_exactly) {
  Machine machine;
  TradeActions out;
  base::Rng rng{23};
  std::uint64_t repeated = 0;
  for (std::int64_t id = 0; id < 1'000'000; ++id) {
    machine.merge.on_trade(trade(id), 0, at_ms(id / 100), out);
    if (rng.chance_per_million(10'000)) {
      machine.merge.on_trade(trade(rng.between(std::max<std::int64_t>(0, id - 200'000), id)), 0,
                             at_ms(id / 100), out);
      ++repeated;
    }
    ASSERT_EQ(out.size(), 1U);
    out.clear();
  }
  EXPECT_EQ(machine.merge.stats(0).accepted, 1'000'000U);
  EXPECT_EQ(machine.merge.stats(0).covered, repeated);
  EXPECT_EQ(machine.merge.stats().holes, 0U);
  EXPECT_EQ(machine.merge.stats().lost, 0U);
}

TEST(TradeMerge, h24_ids_repeated_across_a_reconnect_or_a_restart_are_handed_out_once) {
  Machine machine;
  for (std::int64_t id = 0; id <= 50'000; ++id) ASSERT_EQ(machine.on(0, id, id).size(), 1U);
  machine.merge.line_down(0);
  machine.merge.line_down(1);
  // Five minutes of overlap: however far back the venue begins, nothing is doubled.
  for (std::int64_t id = 20'000; id <= 50'000; ++id) ASSERT_EQ(machine.on(1, id, 60'000), Words{});
  EXPECT_EQ(machine.on(1, 50'001, 60'000), Words{"50001"});

  Machine restarted{{.resume_after = machine.merge.complete_to()}};
  for (std::int64_t id = 20'000; id <= 50'001; ++id) ASSERT_EQ(restarted.on(0, id, 61'000), Words{});
  EXPECT_EQ(restarted.on(0, 50'010, 61'000), Words{"50010"});
  EXPECT_EQ(restarted.expire(61'150), (Words{"fetch 50002 50009"}))
      << "the time between is a hole, not a loss";
}

TEST(TradeMerge, h24_an_id_of_zero_is_an_id_and_does_not_hide_the_next_ones) {
  Machine machine;
  EXPECT_EQ(machine.on(0, 0), Words{"0"});
  EXPECT_EQ(machine.on(0, 1), Words{"1"});
  EXPECT_EQ(machine.on(1, 0), Words{});
  EXPECT_EQ(machine.on(0, 2), Words{"2"});
}

enum class Faulty { one, both };

struct TradesRun {
  std::uint64_t lost = 0, repaired = 0, late = 0, covered = 0, fetches = 0, holes_dropped = 0;
};

/// A minute of one symbol on two lines and a REST endpoint that fails, lags, and (when `vanished_per_million`
/// is not 0) has forgotten some trades; then calm until every backoff is over. Checks that each id is
/// accepted once or named lost once, never both, and nothing else.
TradesRun run_trades(std::uint64_t seed, Faulty faulty, std::uint64_t vanished_per_million) {
  base::Rng rng{seed};
  TradeMergeOptions options;
  if (rng.below(4) == 0) options.fetch_max = rng.between(20, 60);
  TradeMerge merge{symbol, options};
  TradeActions out;
  struct Line {
    bool up = true;
    std::int64_t mute_until_ms = 0, delay_ms = 0, last_arrival_ms = 0;
    std::deque<std::pair<std::int64_t, std::int64_t>> on_its_way;  // arrival, id
  };
  std::array<Line, 2> lines;
  for (Line& line : lines) line.delay_ms = rng.between(0, 100);
  merge.line_up(0);
  merge.line_up(1);
  const std::size_t faulty_line = rng.below(2);
  const std::uint64_t loss = seed % 2 == 0 ? 1'000 : 20'000;
  std::map<std::int64_t, int> accepted, lost;
  std::set<std::int64_t> vanished;
  struct Answer {
    std::int64_t due_ms = 0, from = 0, to = 0, replica = 0;
    bool fails = false;
  };
  std::deque<Answer> answers;
  std::int64_t id = 1'000, ms = 0;
  const std::int64_t first = id + 1;
  constexpr std::int64_t faults_end = 60'000, trades_end = 62'000, end = 130'000;
  const auto drain = [&] {
    for (const TradeAction& action : out) {
      if (const auto* accept = std::get_if<AcceptTrade>(&action)) ++accepted[accept->trade.id];
      if (const auto* gone = std::get_if<TradesLost>(&action)) {
        for (std::int64_t i = gone->from_id; i <= gone->to_id; ++i) ++lost[i];
      }
      if (const auto* fetch = std::get_if<FetchTrades>(&action)) {
        ASSERT_LE(fetch->from_id, fetch->to_id);
        ASSERT_LE(fetch->to_id - fetch->from_id, options.fetch_max - 1);
        const bool calm = ms >= faults_end;
        answers.push_back({.due_ms = ms + rng.between(5, calm ? 300 : 7'000),
                           .from = fetch->from_id,
                           .to = fetch->to_id,
                           .replica = id - (rng.below(3) == 0 ? rng.between(0, 50) : 0),
                           .fails = !calm && rng.below(3) == 0});
      }
    }
    out.clear();
  };
  for (; ms < end && !testing::Test::HasFatalFailure(); ms += 2) {
    const bool calm = ms >= faults_end;
    for (std::size_t i = 0; i < 2; ++i) {
      Line& line = lines[i];
      const bool may_fail = !calm && (faulty == Faulty::both || i == faulty_line);
      if (may_fail && line.up && rng.chance_per_million(200)) {
        line.up = false;
        line.on_its_way.clear();
        merge.line_down(i);
      } else if (!line.up && (calm || rng.chance_per_million(3'000))) {
        line.up = true;
        merge.line_up(i);
      }
      if (may_fail && rng.chance_per_million(500)) line.mute_until_ms = ms + rng.between(10, 2'000);
    }
    if (ms < trades_end && rng.chance_per_million(200'000)) {
      for (std::int64_t burst = rng.between(1, 4); burst > 0; --burst) {
        ++id;
        if (vanished_per_million != 0 && rng.chance_per_million(vanished_per_million)) vanished.insert(id);
        for (std::size_t i = 0; i < 2; ++i) {
          Line& line = lines[i];
          const bool may_fail = !calm && (faulty == Faulty::both || i == faulty_line);
          if (!line.up || (may_fail && (ms < line.mute_until_ms || rng.chance_per_million(loss)))) continue;
          line.last_arrival_ms = std::max(line.last_arrival_ms, ms + line.delay_ms + rng.between(0, 40));
          line.on_its_way.emplace_back(line.last_arrival_ms, id);
        }
      }
    }
    for (std::size_t i = 0; i < 2; ++i) {
      auto& queue = lines[i].on_its_way;
      for (; !queue.empty() && queue.front().first <= ms; queue.pop_front()) {
        merge.on_trade(trade(queue.front().second), i, at_ms(ms), out);
        drain();
      }
    }
    for (std::size_t i = 0; i < answers.size();) {
      if (answers[i].due_ms > ms) {
        ++i;
        continue;
      }
      const Answer answer = answers[i];
      answers.erase(answers.begin() + static_cast<std::ptrdiff_t>(i));
      if (answer.fails) {
        merge.fetch_failed(at_ms(ms));
        continue;
      }
      std::vector<std::int64_t> ids;
      const auto limit = static_cast<std::size_t>(answer.to - answer.from + 1);
      for (std::int64_t j = answer.from; j <= answer.replica && ids.size() < limit; ++j) {
        if (!vanished.contains(j)) ids.push_back(j);
      }
      const auto found = trades(ids);
      merge.on_fetched(found, answer.from, at_ms(ms), out);
      drain();
    }
    if (const auto due = merge.next_deadline(); due && *due <= at_ms(ms)) {
      merge.expire(at_ms(ms), out);
      drain();
      const auto next = merge.next_deadline();
      EXPECT_TRUE(!next || *next > at_ms(ms)) << "a deadline that was served is over";
    }
  }
  EXPECT_EQ(merge.holes(), 0U);
  EXPECT_EQ(merge.last_id(), id);
  // Before the first trade that arrived there is no baseline.
  const std::int64_t baseline = std::max(first, accepted.begin()->first);
  EXPECT_LE(baseline, first + 200);
  for (std::int64_t i = baseline; i <= id; ++i) {
    const auto count = [i](const std::map<std::int64_t, int>& of) {
      const auto found = of.find(i);
      return found == of.end() ? 0 : found->second;
    };
    EXPECT_EQ(count(accepted) + count(lost), 1) << "id " << i;
    if (count(lost) != 0 && merge.stats().holes_dropped == 0) {
      EXPECT_TRUE(vanished.contains(i)) << "only what the venue has not got is lost, id " << i;
    }
  }
  EXPECT_LE(accepted.rbegin()->first, id);
  return {.lost = merge.stats().lost,
          .repaired = merge.stats().repaired,
          .late = merge.stats().late,
          .covered = merge.stats(0).covered + merge.stats(1).covered,
          .fetches = merge.stats().fetches,
          .holes_dropped = merge.stats().holes_dropped};
}

TEST(TradeMergeProperty, with_at_most_one_faulty_line_no_trade_is_lost_or_doubled) {
  TradesRun sum;
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const TradesRun run = run_trades(seed, Faulty::one, 1'000'000);
    ASSERT_EQ(run.lost, 0U);
    sum.late += run.late;
    sum.covered += run.covered;
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(sum.late, 100U);
  EXPECT_GT(sum.covered, 20'000U);
}

TEST(TradeMergeProperty, with_both_lines_faulty_each_id_is_accepted_once_or_named_lost) {
  TradesRun sum;
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const TradesRun run = run_trades(seed, Faulty::both, seed % 2 == 0 ? 0 : 50'000);
    if (seed % 2 == 0) {
      ASSERT_EQ(run.holes_dropped, 0U);
      ASSERT_EQ(run.lost, 0U) << "the venue still has all";
    }
    sum.lost += run.lost;
    sum.repaired += run.repaired;
    sum.fetches += run.fetches;
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(sum.lost, 20U);
  EXPECT_GT(sum.repaired, 1'000U);
  EXPECT_GT(sum.fetches, 100U);
}

}  // namespace
}  // namespace phoenix::feed
