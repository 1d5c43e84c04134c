#include "feed/session.hpp"

#include "feed/backoff.hpp"
#include "feed/clock_offset.hpp"

#include <gtest/gtest.h>

namespace phoenix::feed {
namespace {

using base::LocalTime;
using base::milliseconds;
using base::seconds;
using Command = Session::Command;
using State = Session::State;

constexpr LocalTime t0 = base::local_time_ns(1'000'000'000'000);

SessionOptions two_streams() {
  SessionOptions options;
  options.name = "public";
  options.streams = {"ethusdc@depth@100ms", "ethusdc@bookTicker"};
  return options;
}

struct Driver {
  explicit Driver(SessionOptions options) : session(std::move(options), 7) {}
  std::vector<Command> take() {
    std::vector<Command> commands;
    for (const auto& action : out) commands.push_back(action.command);
    out.clear();
    return commands;
  }
  Session session;
  Session::Actions out;
};

TEST(Session, is_live_only_after_every_stream_delivered) {
  Driver d{two_streams()};
  d.session.start(t0, d.out);
  d.session.opened(t0 + milliseconds{5}, d.out);
  EXPECT_EQ(d.take(), (std::vector{Command::open, Command::subscribe}));
  EXPECT_EQ(d.session.state(), State::open);
  d.session.frame("ethusdc@bookTicker", t0 + milliseconds{10});
  d.session.frame("ethusdc@bookTicker", t0 + milliseconds{11});
  EXPECT_FALSE(d.session.is_live());
  d.session.frame("ethusdc@depth@100ms", t0 + milliseconds{20});
  EXPECT_TRUE(d.session.is_live());
}

TEST(Session, gives_up_a_connection_on_which_a_stream_sends_no_first_data) {
  Driver d{two_streams()};
  d.session.start(t0, d.out);
  d.session.opened(t0, d.out);
  d.session.frame("ethusdc@bookTicker", t0 + milliseconds{10});
  d.take();
  d.session.expire(t0 + milliseconds{2999}, d.out);
  EXPECT_TRUE(d.take().empty());
  ASSERT_EQ(d.session.next_deadline(), t0 + seconds{3});
  d.session.expire(t0 + seconds{3}, d.out);
  EXPECT_EQ(d.take(), std::vector{Command::close});
  d.session.closed(t0 + seconds{3}, d.out);
  EXPECT_EQ(d.session.state(), State::backing_off);
}

TEST(Session, retries_at_once_first_and_then_waits) {
  Driver d{two_streams()};
  d.session.start(t0, d.out);
  d.session.closed(t0, d.out);
  EXPECT_EQ(d.session.next_deadline(), t0);
  d.session.expire(t0, d.out);
  EXPECT_EQ(d.take(), (std::vector{Command::open, Command::open}));
  d.session.closed(t0, d.out);
  EXPECT_GT(*d.session.next_deadline(), t0);
}

TEST(Session, never_opens_while_a_connection_is_still_there) {
  Driver d{two_streams()};
  d.session.start(t0, d.out);
  d.session.opened(t0, d.out);
  d.take();
  d.session.replace("test", d.out);
  d.session.replace("test", d.out);
  EXPECT_EQ(d.take(), std::vector{Command::close});
  for (int s = 0; s < 60; ++s) d.session.expire(t0 + seconds{s}, d.out);
  EXPECT_TRUE(d.take().empty()) << "the old connection has not been reported closed yet";
  d.session.closed(t0 + seconds{60}, d.out);
  d.session.expire(t0 + seconds{60}, d.out);
  EXPECT_EQ(d.take(), std::vector{Command::open});
}

TEST(Session, backs_off_up_to_its_cap_for_ever_and_resets_only_on_data) {
  SessionOptions options = two_streams();
  Driver d{options};
  LocalTime now = t0;
  d.session.start(now, d.out);
  base::Duration longest{};
  for (int i = 0; i < 500; ++i) {
    if (i % 2 == 0) d.session.opened(now, d.out);  // a connect that works proves nothing
    d.session.closed(now, d.out);
    const auto next = d.session.next_deadline();
    ASSERT_TRUE(next.has_value());
    longest = std::max(longest, *next - now);
    now = *next;
    d.session.expire(now, d.out);
    ASSERT_EQ(d.session.state(), State::connecting);
  }
  EXPECT_GT(longest, seconds{5});
  EXPECT_LE(longest, options.backoff.max);
  d.session.opened(now, d.out);
  d.session.frame("ethusdc@bookTicker", now);
  d.session.frame("ethusdc@depth@100ms", now);
  d.session.closed(now, d.out);
  EXPECT_EQ(d.session.next_deadline(), now) << "data flowed: the first retry comes at once again";
}

TEST(Session, a_silent_connection_is_replaced) {
  SessionOptions options = two_streams();
  options.silence_max = seconds{5};
  Driver d{options};
  d.session.start(t0, d.out);
  d.session.opened(t0, d.out);
  d.session.frame("ethusdc@bookTicker", t0);
  d.session.frame("ethusdc@depth@100ms", t0 + seconds{1});
  d.take();
  EXPECT_EQ(d.session.next_deadline(), t0 + seconds{6});
  d.session.expire(t0 + seconds{6}, d.out);
  EXPECT_EQ(d.take(), std::vector{Command::close});
}

TEST(Session, many_names_are_subscribed_in_paced_batches) {
  SessionOptions options;
  for (int i = 0; i < 250; ++i) options.streams.push_back("s" + std::to_string(i) + "@trade");
  Driver d{options};
  d.session.start(t0, d.out);
  d.session.opened(t0, d.out);
  ASSERT_EQ(d.out.size(), 2U);
  EXPECT_EQ(d.out[1].count, 100U);
  d.session.expire(t0 + milliseconds{250}, d.out);
  d.session.expire(t0 + milliseconds{500}, d.out);
  ASSERT_EQ(d.out.size(), 4U);
  EXPECT_EQ(d.out[3].first, 200U);
  EXPECT_EQ(d.out[3].count, 50U);
  EXPECT_EQ(d.session.next_deadline(), t0 + milliseconds{500} + options.first_data_timeout);
}

TEST(Session, a_stopped_session_stays_closed) {
  Driver d{two_streams()};
  d.session.start(t0, d.out);
  d.session.opened(t0, d.out);
  d.take();
  d.session.stop(d.out);
  EXPECT_EQ(d.take(), std::vector{Command::close});
  d.session.closed(t0, d.out);
  EXPECT_EQ(d.session.state(), State::idle);
  EXPECT_FALSE(d.session.next_deadline().has_value());
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

}  // namespace
}  // namespace phoenix::feed
