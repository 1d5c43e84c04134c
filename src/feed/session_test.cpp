#include "feed/session.hpp"

#include "feed/clock_offset.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

namespace phoenix::feed {
namespace {

using base::Duration;
using base::hours;
using base::LocalTime;
using base::milliseconds;
using base::minutes;
using base::seconds;
using Command = Session::Command;
using State = Session::State;
using Commands = std::vector<Command>;

constexpr LocalTime t0 = base::local_time_ns(1'000'000'000'000);
constexpr std::size_t depth = 0, ticker = 1, trades = 2;

SessionOptions market(std::size_t streams = 3) {
  SessionOptions options;
  options.name = "public_a";
  options.streams = {{.name = "ethusdc@depth@100ms", .watch = {.interval = milliseconds{100}}},
                     {.name = "ethusdc@bookTicker", .watch = {}},
                     {.name = "ethusdc@aggTrade", .watch = {}}};
  options.streams.resize(streams);
  return options;
}

StreamOptions mark_price(const std::string& symbol) {
  return {.name = symbol + "@markPrice@1s", .watch = {.interval = seconds{1}, .silence_max = seconds{4}}};
}

SessionOptions user() {
  SessionOptions options;
  options.name = "user_a";
  options.streams = {{.name = {}, .watch = {}}};
  return options;
}

/// A session and the things around it: what it does is noted, what it is told is told here.
struct Driver {
  explicit Driver(SessionOptions options, std::uint64_t seed = 7)
      : session(std::move(options), budget, seed) {}

  Commands take() {
    Commands commands;
    for (const auto& action : out) commands.push_back(action.command);
    if (!out.empty()) taken = std::exchange(out, {});
    return commands;
  }
  /// Open, asked for, and each stream with its first frame at position 100.
  void go_live(LocalTime now) {
    session.start(now, out);
    session.opened(now, out);
    for (const auto& name : session.names()) session.frame(name, 100, now);
    ASSERT_TRUE(session.is_live());
    take();
  }
  /// Answers lists fully and passes time, deadline by deadline, until `end`; the connection stays as it is.
  Commands pass(LocalTime end) {
    Commands commands;
    for (auto at = session.next_deadline(); at && *at <= end; at = session.next_deadline()) {
      session.expire(*at, out);
      for (const auto command : take()) {
        if (command == Command::list) {
          ++lists;
          std::vector<std::string_view> names{session.names().begin(), session.names().end()};
          session.listed(names, *at);
        } else {
          commands.push_back(command);
        }
      }
    }
    return commands;
  }

  PacedBudget budget{{.attempts = 100'000, .burst = 50'000, .window = base::minutes{5}}};
  Session session;
  Session::Actions out;
  Session::Actions taken;  ///< the last ones that were not empty
  int lists = 0;
};

TEST(Session, is_live_only_after_every_stream_delivered) {
  Driver d{market()};
  d.session.start(t0, d.out);
  d.session.opened(t0 + milliseconds{5}, d.out);
  EXPECT_EQ(d.take(), (Commands{Command::open, Command::subscribe}));
  EXPECT_EQ(d.taken[1].count, 3U);
  EXPECT_EQ(d.session.state(), State::open);
  EXPECT_EQ(d.session.frame("ethusdc@bookTicker", 1, t0 + milliseconds{10}), ticker);
  EXPECT_EQ(d.session.frame("ethusdc@bookTicker", 2, t0 + milliseconds{11}), ticker);
  EXPECT_EQ(d.session.frame("ethusdc@depth@100ms", 1, t0 + milliseconds{12}), depth);
  EXPECT_FALSE(d.session.is_live());
  EXPECT_EQ(d.session.silent_streams(), 1U);
  EXPECT_EQ(d.session.frame("ethusdc@aggTrade", 1, t0 + milliseconds{20}), trades);
  EXPECT_TRUE(d.session.is_live());
  EXPECT_TRUE(d.session.is_ready(t0 + milliseconds{20}));
  EXPECT_EQ(d.session.opened_at(), t0 + milliseconds{5});
  EXPECT_FALSE(d.session.frame("btcusdt@aggTrade", 1, t0 + milliseconds{21}).has_value());
}

TEST(Session, a_session_without_named_streams_is_live_when_it_is_open) {
  for (const bool has_stream : {false, true}) {
    Driver d{has_stream ? user() : SessionOptions{}};
    d.session.start(t0, d.out);
    d.session.opened(t0, d.out);
    EXPECT_EQ(d.take(), Commands{Command::open});
    EXPECT_TRUE(d.session.is_live());
    EXPECT_TRUE(d.session.is_ready(t0));
    EXPECT_EQ(d.session.frame({}, 5, t0).has_value(), has_stream);
    EXPECT_TRUE(d.pass(t0 + hours{24}).empty());
    EXPECT_EQ(d.lists, 0);
  }
}

// ---- liveness and remedies

TEST(Session, i18_d04_a_stream_without_first_data_is_named_asked_for_again_and_then_costs_the_connection) {
  SessionOptions options;
  options.streams = {mark_price("ethusdc"), mark_price("btcusdc")};
  Driver d{options};
  d.session.start(t0, d.out);
  d.session.opened(t0, d.out);
  d.take();
  const auto mark = [&](int s) { d.session.frame("ethusdc@markPrice@1s", 1000 * s, t0 + seconds{s}); };
  for (int s = 0; s < 3; ++s) mark(s);
  EXPECT_TRUE(d.pass(t0 + milliseconds{2999}).empty());
  EXPECT_FALSE(d.session.is_live());
  EXPECT_EQ(d.pass(t0 + seconds{3}), (Commands{Command::stalled, Command::unsubscribe}));
  ASSERT_EQ(d.taken.size(), 2U);
  EXPECT_EQ(d.taken[0].first, 1U);
  EXPECT_EQ(d.taken[0].evidence->witness, Witness::silence);
  EXPECT_EQ(d.taken[0].evidence->ours, 0);
  EXPECT_EQ(d.taken[0].evidence->siblings_alive, 1);
  mark(3);
  EXPECT_EQ(d.pass(t0 + milliseconds{3250}), Commands{Command::subscribe});
  EXPECT_EQ(d.taken[0].first, 1U);
  EXPECT_EQ(d.taken[0].count, 1U);
  EXPECT_EQ(d.session.stream_state(1), StreamState::recovering);
  for (int s = 4; s < 7; ++s) mark(s);
  EXPECT_EQ(d.pass(t0 + milliseconds{6250}), (Commands{Command::stalled, Command::close}));
  EXPECT_EQ(d.taken[1].why, "a stream that always speaks is silent");
  EXPECT_TRUE(d.taken[1].evidence.has_value());
  d.session.closed(t0 + seconds{7});
  EXPECT_EQ(d.session.state(), State::backing_off);
}

TEST(Session, i12_a_market_that_is_quiet_for_a_day_closes_nothing) {
  Driver d{market()};
  d.go_live(t0);
  EXPECT_TRUE(d.pass(t0 + hours{24}).empty());
  EXPECT_EQ(d.session.stalls(), 0U);
  EXPECT_EQ(d.session.reconnects(), 0U);
  EXPECT_EQ(d.lists, 24 * 60);
}

TEST(Session, i12_streams_that_never_spoke_in_a_quiet_market_are_ready_and_stay) {
  Driver d{market()};
  d.session.start(t0, d.out);
  d.session.opened(t0, d.out);
  d.take();
  EXPECT_TRUE(d.pass(t0 + milliseconds{9999}).empty());
  EXPECT_FALSE(d.session.is_ready(t0 + milliseconds{9999}));
  EXPECT_EQ(d.session.next_deadline(), t0 + seconds{10}) << "somebody is told to look";
  EXPECT_TRUE(d.pass(t0 + hours{24}).empty());
  EXPECT_TRUE(d.session.is_ready(t0 + hours{24}));
  EXPECT_FALSE(d.session.is_live());
}

TEST(Session, an_open_connection_with_an_unmet_claim_is_not_ready) {
  Driver d{market()};
  d.session.start(t0, d.out);
  d.session.opened(t0, d.out);
  const LocalTime now = t0 + seconds{20};
  d.pass(now);
  d.session.frame("ethusdc@bookTicker", 100, now);
  EXPECT_TRUE(d.session.is_ready(now));
  d.session.claim(ticker, 101, Witness::probe, now);
  EXPECT_FALSE(d.session.is_ready(now));
  d.session.frame("ethusdc@bookTicker", 101, now);
  EXPECT_TRUE(d.session.is_ready(now));
}

TEST(Session, a_stalled_stream_is_asked_for_again_alone) {
  Driver d{market()};
  d.go_live(t0);
  d.session.claim(ticker, 105, Witness::sibling, t0 + seconds{1});
  d.session.frame("ethusdc@depth@100ms", 105, t0 + seconds{1});
  EXPECT_EQ(d.pass(t0 + seconds{2}), (Commands{Command::stalled, Command::unsubscribe}));
  EXPECT_EQ(d.taken[0].first, ticker);
  EXPECT_EQ(d.taken[0].evidence->theirs, 105);
  EXPECT_EQ(d.taken[1].first, ticker);
  EXPECT_EQ(d.taken[1].count, 1U);
  EXPECT_FALSE(d.session.is_ready(t0 + seconds{2}));
  EXPECT_EQ(d.pass(t0 + milliseconds{2250}), Commands{Command::subscribe});
  d.session.frame("ethusdc@bookTicker", 106, t0 + milliseconds{2300});
  EXPECT_EQ(d.session.stream_state(ticker), StreamState::live);
  EXPECT_TRUE(d.pass(t0 + hours{1}).empty());
  EXPECT_EQ(d.session.resubscriptions(), 1U);
  EXPECT_TRUE(d.session.is_live());
}

TEST(Session, a_resubscription_that_does_not_help_costs_the_connection) {
  Driver d{market()};
  d.go_live(t0);
  d.session.claim(ticker, 105, Witness::sibling, t0);
  EXPECT_EQ(d.pass(t0 + milliseconds{1250}),
            (Commands{Command::stalled, Command::unsubscribe, Command::subscribe}));
  EXPECT_TRUE(d.pass(t0 + milliseconds{4249}).empty());
  EXPECT_EQ(d.pass(t0 + milliseconds{4250}), (Commands{Command::stalled, Command::close}));
}

TEST(Session, a_stream_that_stalls_again_soon_costs_the_connection) {
  for (const bool soon : {true, false}) {
    Driver d{market()};
    d.go_live(t0);
    d.session.claim(ticker, 105, Witness::sibling, t0);
    d.pass(t0 + milliseconds{1250});
    d.session.frame("ethusdc@bookTicker", 105, t0 + milliseconds{1300});
    const LocalTime again = t0 + seconds{soon ? 58 : 61};
    EXPECT_TRUE(d.pass(again).empty());
    d.session.claim(ticker, 200, Witness::sibling, again);
    EXPECT_EQ(d.pass(again + seconds{1}),
              (Commands{Command::stalled, soon ? Command::close : Command::unsubscribe}));
  }
}

TEST(Session, a_stream_that_comes_back_before_its_turn_is_left_alone) {
  for (const bool comes_back : {true, false}) {
    Driver d{market()};
    d.go_live(t0);
    d.session.claim(depth, 105, Witness::sibling, t0);
    d.session.claim(trades, 105, Witness::sibling, t0 + milliseconds{10});
    EXPECT_EQ(d.pass(t0 + milliseconds{1010}),
              (Commands{Command::stalled, Command::unsubscribe, Command::stalled}));
    if (comes_back) d.session.frame("ethusdc@aggTrade", 105, t0 + milliseconds{1100});
    const auto commands = d.pass(t0 + seconds{2});
    EXPECT_EQ(std::count(commands.begin(), commands.end(), Command::unsubscribe), comes_back ? 0 : 1);
    EXPECT_EQ(std::count(commands.begin(), commands.end(), Command::subscribe), comes_back ? 1 : 2);
  }
}

TEST(Session, neighbours_that_stall_together_are_asked_for_again_together) {
  Driver d{market()};
  d.go_live(t0);
  d.session.claim(ticker, 105, Witness::probe, t0);
  d.session.claim(trades, 105, Witness::probe, t0);
  ASSERT_EQ(d.pass(t0 + milliseconds{1250}),
            (Commands{Command::stalled, Command::stalled, Command::unsubscribe, Command::subscribe}));
  EXPECT_EQ(d.taken[0].first, ticker);
  EXPECT_EQ(d.taken[0].count, 2U);
}

TEST(Session, a_stall_costs_the_connection_where_another_line_delivers) {
  for (const auto remedy : {Remedy::resubscribe_first, Remedy::reconnect}) {
    Driver d{market()};
    d.go_live(t0);
    d.session.set_remedy(remedy);
    const auto witness = remedy == Remedy::reconnect ? Witness::probe : Witness::twin;
    d.session.claim(depth, 105, witness, t0);
    EXPECT_EQ(d.pass(t0 + seconds{1}), (Commands{Command::stalled, Command::close}));
    EXPECT_EQ(d.session.stream_state(depth), StreamState::connecting);
  }
}

TEST(Session, a_stalled_user_stream_costs_its_connection) {
  Driver d{user()};
  d.go_live(t0);
  d.session.claim(0, 105, Witness::order_answer, t0);
  EXPECT_EQ(d.pass(t0 + seconds{1}), (Commands{Command::stalled, Command::close}));
  EXPECT_EQ(d.taken[1].why, "the user stream is behind an order's answer");
}

TEST(Session, many_streams_in_trouble_at_once_are_the_connections_fault) {
  SessionOptions options;
  for (int i = 0; i < 6; ++i) options.streams.push_back({.name = "s" + std::to_string(i), .watch = {}});
  Driver d{options};
  d.go_live(t0);
  for (std::size_t i = 0; i < 4; ++i) d.session.claim(i, 200, Witness::probe, t0);
  const auto commands = d.pass(t0 + milliseconds{500});
  EXPECT_EQ(std::count(commands.begin(), commands.end(), Command::stalled), 4);
  EXPECT_EQ(std::count(commands.begin(), commands.end(), Command::close), 1);
  EXPECT_EQ(commands.back(), Command::close);
}

TEST(Session, d12_several_complaints_end_in_one_remedy) {
  Driver d{market()};
  d.go_live(t0);
  for (std::size_t i = 0; i < 3; ++i) d.session.claim(i, 200, Witness::twin, t0);
  d.session.replace("the server announced its shutdown", t0, d.out);
  d.session.replace("a subscription was refused", t0, d.out);
  d.session.expire(t0 + seconds{5}, d.out);
  EXPECT_EQ(d.take(), Commands{Command::close});
  EXPECT_FALSE(d.session.frame("ethusdc@bookTicker", 300, t0).has_value())
      << "what still comes proves nothing";
  EXPECT_FALSE(d.session.next_deadline().has_value());
}

// ---- control messages

TEST(Session, many_names_are_subscribed_in_paced_batches) {
  SessionOptions options;
  for (int i = 0; i < 250; ++i) options.streams.push_back({.name = "s" + std::to_string(i), .watch = {}});
  Driver d{options};
  d.session.start(t0, d.out);
  d.session.opened(t0, d.out);
  ASSERT_EQ(d.out.size(), 2U);
  EXPECT_EQ(d.out[1].count, 100U);
  d.session.expire(t0 + milliseconds{249}, d.out);
  ASSERT_EQ(d.out.size(), 2U);
  d.session.expire(t0 + milliseconds{250}, d.out);
  d.session.expire(t0 + milliseconds{500}, d.out);
  ASSERT_EQ(d.out.size(), 4U);
  EXPECT_EQ(d.out[3].first, 200U);
  EXPECT_EQ(d.out[3].count, 50U);
}

TEST(Session, asks_for_what_the_venues_list_lacks) {
  Driver d{market()};
  d.go_live(t0);
  const std::vector<std::string_view> two{"ethusdc@aggTrade", "btcusdt@aggTrade", "ethusdc@depth@100ms"};
  d.session.listed(two, t0 + seconds{1});
  d.session.expire(t0 + seconds{1}, d.out);
  EXPECT_TRUE(d.take().empty()) << "nobody asked for this list";
  LocalTime now = t0;
  const auto next_list = [&] {
    while (d.out.empty() || d.out.back().command != Command::list) {
      now = *d.session.next_deadline();
      d.session.expire(now, d.out);
    }
    d.take();
  };
  next_list();
  EXPECT_EQ(now, t0 + seconds{60});
  d.session.listed(two, now + milliseconds{50});
  d.session.expire(now + milliseconds{250}, d.out);
  EXPECT_EQ(d.take(), (Commands{Command::stalled, Command::subscribe}));
  EXPECT_EQ(d.taken[0].evidence->witness, Witness::subscription_list);
  EXPECT_EQ(d.taken[1].first, ticker);
  EXPECT_EQ(d.taken[1].count, 1U);
  d.session.frame("ethusdc@bookTicker", 101, now + seconds{1});
  next_list();
  d.session.listed(two, now + milliseconds{50});
  d.session.expire(now + milliseconds{50}, d.out);
  EXPECT_EQ(d.take(), (Commands{Command::stalled, Command::close})) << "missing in two lists in a row";
}

TEST(Session, a_list_that_is_older_than_a_subscription_says_nothing_about_it) {
  Driver d{market()};
  d.go_live(t0);
  d.pass(t0 + seconds{59});
  d.session.expire(t0 + seconds{60}, d.out);
  ASSERT_EQ(d.take(), Commands{Command::list});
  d.session.claim(ticker, 105, Witness::probe, t0 + seconds{60});
  ASSERT_EQ(d.pass(t0 + seconds{61}), (Commands{Command::stalled, Command::unsubscribe, Command::subscribe}));
  const std::vector<std::string_view> others{"ethusdc@depth@100ms", "ethusdc@aggTrade"};
  d.session.listed(others, t0 + seconds{61});
  d.session.expire(t0 + seconds{61}, d.out);
  EXPECT_TRUE(d.take().empty());
  EXPECT_EQ(d.session.stream_state(ticker), StreamState::recovering);
}

TEST(Session, never_sends_more_than_five_control_messages_in_a_second) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    base::Rng rng{seed};
    SessionOptions options;
    for (int i = 0; i < 20; ++i) options.streams.push_back({.name = "s" + std::to_string(i), .watch = {}});
    options.subscribe_names_max = 3;
    options.resubscribe_max = 20;
    options.list_interval = seconds{3};
    Driver d{options, seed};
    d.session.start(t0, d.out);
    d.session.opened(t0, d.out);
    std::vector<LocalTime> sent(d.take().size() - 1, t0);
    LocalTime now = t0;
    for (int step = 0; step < 2000; ++step) {
      now += Duration{rng.between(0, milliseconds{60} / Duration{1})};
      const auto i = static_cast<std::size_t>(rng.below(20));
      if (rng.below(2) == 0) d.session.frame(d.session.names()[i], step, now);
      if (rng.below(10) == 0) d.session.claim(i, step + 50, Witness::probe, now);
      d.session.expire(now, d.out);
      for (const auto command : d.take()) {
        if (command == Command::close) {
          d.session.closed(now);
        } else if (command == Command::open) {
          sent.clear();
          d.session.opened(now, d.out);
        } else if (command == Command::list) {
          d.session.listed({}, now);
          sent.push_back(now);
        } else if (command != Command::stalled) {
          sent.push_back(now);
        }
      }
      for (const auto command : d.take()) sent.insert(sent.end(), command == Command::subscribe ? 1 : 0, now);
      for (std::size_t k = 5; k < sent.size(); ++k) ASSERT_GT(sent[k] - sent[k - 5], seconds{1});
    }
    ASSERT_GT(d.session.resubscriptions(), 0U);
  }
}

// ---- reconnecting

TEST(Session, i03_two_hundred_forced_disconnects_never_leave_two_connections) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    base::Rng rng{seed};
    Driver d{market(), seed};
    LocalTime now = t0;
    int connections = 0, disconnects = 0, closes_pending = 0;
    bool started = true;
    std::int64_t position = 0;
    d.session.start(now, d.out);
    while (disconnects < 200) {
      for (const auto& a : std::exchange(d.out, {})) {
        if (a.command == Command::open) {
          ASSERT_EQ(++connections, 1);
        } else if (a.command == Command::close) {
          ASSERT_EQ(++closes_pending, 1) << "a connection is closed once";
        }
      }
      now += Duration{rng.between(0, seconds{4} / Duration{1})};
      switch (rng.below(7)) {
        case 0:
        case 1:
          if (connections == 1) {
            connections = closes_pending = 0;
            ++disconnects;
            d.session.closed(now);
          }
          break;
        case 2:
          if (connections == 1) d.session.opened(now, d.out);
          break;
        case 3:
          d.session.frame(d.session.names()[rng.below(3)], ++position, now);
          break;
        case 4:
          if (rng.below(4) == 0) d.session.replace("test", now, d.out);
          break;
        case 5:
          d.session.claim(rng.below(3), position + 2, Witness::twin, now);
          break;
        case 6:
          if (rng.below(8) != 0) break;
          if (started) {
            d.session.stop(now, d.out);
          } else {
            d.session.start(now, d.out);
          }
          started = !started;
          break;
      }
      d.session.expire(now, d.out);
      if (!started && connections == 0) {
        ASSERT_EQ(d.session.state(), State::idle);
      }
    }
    EXPECT_GT(d.session.reconnects(), 100U);
  }
}

TEST(Session, never_opens_while_a_connection_is_still_there) {
  Driver d{market()};
  d.go_live(t0);
  d.session.replace("test", t0, d.out);
  EXPECT_EQ(d.take(), Commands{Command::close});
  for (int s = 0; s < 60; ++s) d.session.expire(t0 + seconds{s}, d.out);
  EXPECT_TRUE(d.take().empty()) << "the old connection has not been reported closed yet";
  d.session.closed(t0 + seconds{60});
  d.session.expire(t0 + seconds{60}, d.out);
  EXPECT_EQ(d.take(), Commands{Command::open});
}

TEST(Session, i02_never_gives_up_and_counts_no_success_before_data) {
  Driver d{market()};
  LocalTime now = t0;
  d.session.start(now, d.out);
  base::Duration longest{};
  while (now < t0 + hours{6}) {
    if (d.session.reconnects() % 2 == 0) d.session.opened(now, d.out);  // a connect that works proves nothing
    d.session.closed(now);
    const auto next = d.session.next_deadline();
    ASSERT_TRUE(next.has_value());
    longest = std::max(longest, *next - now);
    now = *next;
    d.session.expire(now, d.out);
    ASSERT_EQ(d.session.state(), State::connecting);
  }
  EXPECT_GT(longest, seconds{10});
  EXPECT_LE(longest, seconds{15});
  EXPECT_EQ(d.session.times_live(), 0U);
  d.session.opened(now, d.out);
  for (const auto& name : d.session.names()) d.session.frame(name, 1, now);
  EXPECT_EQ(d.session.times_live(), 1U);
}

TEST(Session, d07_only_a_minute_of_health_resets_the_backoff) {
  for (const bool healthy : {false, true}) {
    Driver d{market()};
    LocalTime now = t0;
    d.session.start(now, d.out);
    for (int i = 0; i < 12; ++i) {
      d.session.closed(now);
      now = *d.session.next_deadline();
      d.session.expire(now, d.out);
    }
    d.session.opened(now, d.out);
    for (const auto& name : d.session.names()) d.session.frame(name, 1, now);
    ASSERT_TRUE(d.session.is_live());
    now += healthy ? seconds{60} : seconds{59};
    d.pass(now);
    d.session.closed(now);
    EXPECT_EQ(*d.session.next_deadline() == now, healthy);
  }
}

TEST(Session, d07_a_stall_starts_the_minute_again) {
  Driver d{market()};
  LocalTime now = t0;
  d.session.start(now, d.out);
  d.session.closed(now);
  d.session.expire(now, d.out);
  d.session.opened(now, d.out);
  for (const auto& name : d.session.names()) d.session.frame(name, 1, now);
  d.pass(now + seconds{30});
  d.session.claim(ticker, 9, Witness::sibling, now + seconds{30});
  d.pass(now + seconds{31});
  ASSERT_EQ(d.session.stalls(), 1U);
  d.session.frame("ethusdc@bookTicker", 9, now + seconds{31});
  d.session.closed(now + seconds{80});
  EXPECT_GT(*d.session.next_deadline(), now + seconds{80});
}

TEST(Session, a_long_health_counts_although_a_stall_ends_it) {
  Driver d{market()};
  LocalTime now = t0;
  d.session.start(now, d.out);
  for (int i = 0; i < 5; ++i) {
    d.session.closed(now);
    now = *d.session.next_deadline();
    d.session.expire(now, d.out);
  }
  d.session.opened(now, d.out);
  for (const auto& name : d.session.names()) d.session.frame(name, 1, now);
  now += hours{1};
  d.pass(now);
  d.session.claim(ticker, 9, Witness::twin, now);
  now += seconds{1};
  EXPECT_EQ(d.pass(now), (Commands{Command::stalled, Command::close}));
  d.session.closed(now);
  EXPECT_EQ(d.session.next_deadline(), now) << "the first retry comes at once";
}

TEST(Session, waits_at_least_as_long_as_the_venue_says) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    base::Rng rng{seed};
    Driver d{market(), seed};
    LocalTime now = t0;
    d.session.start(now, d.out);
    for (int i = 0; i < 10; ++i) {
      const Duration demanded = seconds{rng.between(0, 600)};
      const int status = rng.below(2) == 0 ? 429 : 418;
      d.session.closed(now, close_why(status), demanded);
      const Duration waited = *d.session.next_deadline() - now;
      ASSERT_GE(waited, demanded);
      ASSERT_LE(waited, std::max<Duration>(seconds{15}, demanded + demanded / 20));
      d.session.expire(*d.session.next_deadline() - Duration{1}, d.out);
      ASSERT_EQ(d.session.state(), State::backing_off);
      now = *d.session.next_deadline();
      d.session.expire(now, d.out);
      ASSERT_EQ(d.session.state(), State::connecting);
    }
  }
}

TEST(Session, a_refusal_is_not_asked_again_at_once) {
  Driver d{market()};
  d.session.start(t0, d.out);
  d.session.closed(t0, close_why(404));
  EXPECT_GE(*d.session.next_deadline(), t0 + seconds{60});
  EXPECT_LE(*d.session.next_deadline(), t0 + seconds{63});
  Driver busy{market()};
  busy.session.start(t0, busy.out);
  busy.session.closed(t0, close_why(429));
  EXPECT_GE(*busy.session.next_deadline(), t0 + seconds{15});
  Driver absurd{market()};
  absurd.session.start(t0, absurd.out);
  absurd.session.closed(t0, CloseWhy::refused_busy, Duration::max());
  EXPECT_LE(*absurd.session.next_deadline(), t0 + hours{76});
  EXPECT_EQ(close_why(0), CloseWhy::lost);
  EXPECT_EQ(close_why(503), CloseWhy::lost);
}

TEST(Session, gives_up_an_attempt_that_takes_too_long) {
  Driver d{market()};
  d.session.start(t0, d.out);
  d.take();
  EXPECT_EQ(d.pass(t0 + seconds{10}), Commands{Command::close});
  d.session.opened(t0 + seconds{11}, d.out);
  EXPECT_TRUE(d.take().empty()) << "too late";
}

TEST(Session, a_stopped_session_stays_closed_until_it_is_started) {
  Driver d{market()};
  d.go_live(t0);
  d.session.stop(t0, d.out);
  EXPECT_EQ(d.take(), Commands{Command::close});
  d.session.closed(t0);
  EXPECT_EQ(d.session.state(), State::idle);
  EXPECT_FALSE(d.session.next_deadline().has_value());
  d.session.set_streams({mark_price("btcusdc")});
  d.go_live(t0 + seconds{1});
  EXPECT_EQ(d.session.names()[0], "btcusdc@markPrice@1s");
}

TEST(Session, one_that_is_started_while_it_closes_opens_after_it_closed) {
  Driver d{market()};
  d.go_live(t0);
  d.session.stop(t0, d.out);
  d.session.set_streams(market(2).streams);
  d.session.start(t0, d.out);
  EXPECT_EQ(d.take(), Commands{Command::close});
  d.session.closed(t0 + seconds{1});
  d.session.expire(*d.session.next_deadline(), d.out);
  EXPECT_EQ(d.take(), Commands{Command::open});
  d.session.opened(t0 + seconds{1}, d.out);
  EXPECT_EQ(d.out.back().count, 2U);
}

TEST(Session, all_sessions_together_keep_the_connect_budget_and_none_starves) {
  constexpr Duration window = minutes{5};
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    base::Rng rng{seed};
    PacedBudget budget{{.attempts = 60, .burst = 12, .window = base::minutes{5}}};
    std::vector<std::unique_ptr<Session>> sessions;
    std::vector<int> opened(10);
    for (std::size_t i = 0; i < opened.size(); ++i)
      sessions.push_back(std::make_unique<Session>(market(), budget, seed * 100 + i));
    std::vector<LocalTime> openings;
    LocalTime now = t0;
    Session::Actions out;
    for (auto& s : sessions) s->start(now, out);
    while (now < t0 + hours{2}) {
      for (std::size_t i = 0; i < sessions.size(); ++i) {
        const auto at = sessions[i]->next_deadline();
        if (at && now >= *at) sessions[i]->expire(now, out);
        if (sessions[i]->state() == State::connecting && rng.below(2) == 0) sessions[i]->closed(now);
        for (const auto& a : std::exchange(out, {})) {
          if (a.command != Command::open) continue;
          openings.push_back(now);
          ++opened[i];
        }
      }
      LocalTime next = LocalTime::max();
      for (const auto& s : sessions) next = std::min(next, s->next_deadline().value_or(next));
      now = std::max(now + Duration{1}, next);
      for (auto& s : sessions) {
        if (s->state() == State::connecting) s->closed(now);
      }
    }
    std::size_t first = 0, most = 0;
    for (std::size_t last = 0; last < openings.size(); ++last) {
      while (openings[last] - openings[first] >= window) ++first;
      most = std::max(most, last - first + 1);
    }
    EXPECT_LE(most, 60U);
    EXPECT_GT(most, 50U) << "and it is used";
    const auto [fewest, mostest] = std::minmax_element(opened.begin(), opened.end());
    EXPECT_GT(*fewest * 2, *mostest);
  }
}

TEST(ClockOffset, trusts_the_sample_with_the_shortest_round_trip) {
  ClockOffset clock;
  EXPECT_FALSE(clock.known());
  clock.sample(t0, base::venue_time_ns(base::ns_of(t0) + 900'000'000), t0 + milliseconds{800});
  clock.sample(t0, base::venue_time_ns(base::ns_of(t0) + 105'000'000), t0 + milliseconds{10});
  clock.sample(t0, base::venue_time_ns(base::ns_of(t0) + 300'000'000), t0 + milliseconds{300});
  EXPECT_EQ(clock.offset(), milliseconds{100});
  EXPECT_EQ(clock.error(), milliseconds{5});
  EXPECT_EQ(base::ns_of(clock.to_venue(t0)), base::ns_of(t0) + 100'000'000);
  clock.reset();
  EXPECT_FALSE(clock.known());
  EXPECT_EQ(base::ns_of(clock.to_venue(t0)), base::ns_of(t0) + 100'000'000)
      << "time does not jump while it is measured again";
}

TEST(Session, a_refusal_for_too_many_requests_holds_every_opening_of_the_address) {
  PacedBudget budget{connect_budget};
  Session refused{market(), budget, 1}, other{market(), budget, 2};
  Session::Actions out;
  refused.start(t0, out);
  refused.closed(t0, close_why(429), seconds{30});
  out.clear();
  other.start(t0 + seconds{1}, out);
  EXPECT_TRUE(out.empty()) << "the address was told to wait";
  for (auto at = other.next_deadline(); out.empty() && at; at = other.next_deadline()) {
    EXPECT_LT(*at, t0 + minutes{2});
    other.expire(*at, out);
    EXPECT_TRUE(out.empty() || *at >= t0 + seconds{30});
  }
  EXPECT_EQ(out.size(), 1U);
}

}  // namespace
}  // namespace phoenix::feed
