#include "ops/alert_delivery.hpp"

#include "base/rng.hpp"

#include <map>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::ops {
namespace {

using base::milliseconds;
using base::minutes;
using base::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using Kind = DeliveryOutcome::Kind;
const DeliveryOutcome delivered{};
const DeliveryOutcome later{Kind::later, "timed out", {}};
const DeliveryOutcome refused{Kind::refused, "answered 403", {}};

AlertMessage message(std::string what, AlertLevel level = AlertLevel::severe) {
  AlertMessage m;
  m.what = std::move(what);
  m.level = level;
  return m;
}

class Bench {
 public:
  explicit Bench(DeliveryOptions options) : delivery{std::move(options)} {}
  Bench(std::vector<std::string> channels) : Bench{DeliveryOptions{.channels = std::move(channels)}} {}

  void post(std::string what, AlertLevel level = AlertLevel::severe) {
    delivery.post(message(std::move(what), level), now, acts);
    take();
  }
  /// Answers what is in flight on a channel.
  void answer(std::size_t channel, const DeliveryOutcome& outcome) {
    ASSERT_TRUE(in_flight.contains(channel)) << channel;
    const auto send = in_flight.at(channel);
    in_flight.erase(channel);
    delivery.answered(send.id, channel, outcome, now, acts);
    take();
  }
  void pass(base::Duration time) {
    now += time;
    delivery.expire(now, acts);
    take();
  }
  std::map<std::size_t, std::string> flying() const {
    std::map<std::size_t, std::string> out;
    for (const auto& [channel, send] : in_flight) out[channel] = send.message.what;
    return out;
  }

  AlertDelivery delivery;
  base::LocalTime now = base::local_time_ns(1'700'000'000'000'000'000);
  std::vector<DeliveryAct> acts;
  std::map<std::size_t, SendAlert> in_flight;
  std::vector<std::string> notes;

 private:
  void take() {
    for (auto& act : acts) {
      if (auto* send = std::get_if<SendAlert>(&act)) {
        EXPECT_FALSE(in_flight.contains(send->channel)) << "one at a time and channel";
        in_flight.emplace(send->channel, *send);
      } else {
        notes.push_back(std::get<DeliveryNote>(act).text);
      }
    }
    acts.clear();
  }
};
using Flying = std::map<std::size_t, std::string>;

TEST(AlertDelivery, a_message_goes_to_the_first_two_channels_at_once) {
  Bench bench{{"a", "b", "c"}};
  bench.post("x");
  EXPECT_EQ(bench.flying(), (Flying{{0, "x"}, {1, "x"}}));
  bench.answer(0, delivered);
  bench.answer(1, delivered);
  EXPECT_THAT(bench.flying(), IsEmpty());
  EXPECT_EQ(bench.delivery.waiting(), 0U);
}

// O6: a channel that is down.
TEST(AlertDelivery, o6_the_next_channel_takes_the_place_of_one_that_fails) {
  Bench bench{{"a", "b", "c"}};
  bench.post("x");
  bench.answer(0, later);
  EXPECT_EQ(bench.flying(), (Flying{{1, "x"}, {2, "x"}}));
  bench.answer(1, delivered);
  bench.answer(2, delivered);
  EXPECT_EQ(bench.delivery.waiting(), 0U) << "two copies are enough";
  EXPECT_THAT(bench.notes, ElementsAre("alert channel a failed: timed out"));
  bench.post("y");
  EXPECT_EQ(bench.flying(), (Flying{{1, "y"}, {2, "y"}})) << "a is left alone for a while";
}

TEST(AlertDelivery, a_message_that_reached_nobody_waits_and_is_tried_again) {
  Bench bench{{"a", "b"}};
  bench.post("x");
  bench.answer(0, later);
  bench.answer(1, later);
  EXPECT_EQ(bench.delivery.waiting(), 1U);
  ASSERT_TRUE(bench.delivery.next_deadline());
  EXPECT_EQ(*bench.delivery.next_deadline() - bench.now, seconds{1});
  bench.pass(milliseconds{999});
  EXPECT_THAT(bench.flying(), IsEmpty());
  bench.pass(milliseconds{1});
  EXPECT_THAT(bench.flying(), SizeIs(2));
  bench.answer(0, later);
  EXPECT_EQ(*bench.delivery.next_deadline() - bench.now, seconds{2}) << "twice as long";
  bench.answer(1, delivered);
  EXPECT_EQ(bench.delivery.waiting(), 0U) << "one is better than none, and nothing else can take it";
}

TEST(AlertDelivery, pauses_are_capped_and_end_with_a_success) {
  Bench bench{{"a"}};
  bench.post("x");
  for (int i = 0; i < 20; ++i) {
    bench.answer(0, later);
    const auto pause = *bench.delivery.next_deadline() - bench.now;
    EXPECT_LE(pause, seconds{60});
    bench.pass(pause);
  }
  bench.answer(0, delivered);
  EXPECT_THAT(bench.notes, ElementsAre("alert channel a failed: timed out", "alert channel a works again"))
      << "each is told once";
  bench.post("y");
  bench.answer(0, later);
  EXPECT_EQ(*bench.delivery.next_deadline() - bench.now, seconds{1});
}

TEST(AlertDelivery, whoever_asks_to_be_left_alone_is) {
  Bench bench{{"a"}};
  bench.post("x");
  bench.answer(0, {Kind::later, "answered 429", seconds{90}});
  EXPECT_EQ(*bench.delivery.next_deadline() - bench.now, seconds{90});
}

TEST(AlertDelivery, what_is_refused_is_not_sent_there_again) {
  Bench bench{{"a", "b"}};
  bench.post("x");
  bench.answer(0, refused);
  bench.answer(1, refused);
  EXPECT_EQ(bench.delivery.waiting(), 0U);
  EXPECT_EQ(bench.delivery.dropped(), 1U);
  EXPECT_THAT(bench.notes.back(), HasSubstr("every channel refused it"));
}

TEST(AlertDelivery, the_worst_goes_first_and_equals_in_order) {
  Bench bench{{"a"}};
  bench.post("first");
  bench.post("mild", AlertLevel::warning);
  bench.post("second");
  bench.post("worst", AlertLevel::critical);
  std::vector<std::string> order;
  while (!bench.in_flight.empty()) {
    order.push_back(bench.in_flight.at(0).message.what);
    bench.answer(0, delivered);
  }
  EXPECT_THAT(order, ElementsAre("first", "worst", "second", "mild"));
}

TEST(AlertDelivery, a_full_queue_drops_the_oldest_of_the_mildest_and_says_so) {
  Bench bench{DeliveryOptions{.channels = {"a"}, .queue_max = 3}};
  bench.post("flying", AlertLevel::warning);
  bench.post("mild 1", AlertLevel::warning);
  bench.post("worst", AlertLevel::critical);
  bench.post("mild 2", AlertLevel::warning);
  EXPECT_EQ(bench.delivery.waiting(), 3U);
  EXPECT_EQ(bench.delivery.dropped(), 1U);
  EXPECT_THAT(bench.notes, ElementsAre(HasSubstr("mild 1")));
  bench.answer(0, delivered);
  EXPECT_EQ(bench.flying(), (Flying{{0, "worst"}}));
}

TEST(AlertDelivery, a_message_too_old_is_given_up) {
  Bench bench{DeliveryOptions{.channels = {"a"}, .age_max = minutes{10}}};
  bench.post("x");
  for (int i = 0; i < 200 && bench.delivery.waiting() > 0; ++i) {
    if (bench.in_flight.contains(0)) bench.answer(0, later);
    bench.pass(seconds{10});
  }
  EXPECT_EQ(bench.delivery.waiting(), 0U);
  EXPECT_EQ(bench.delivery.dropped(), 1U);
}

TEST(AlertDelivery, nothing_is_lost_or_doubled_while_any_channel_comes_back) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    base::Rng rng{seed};
    Bench bench{DeliveryOptions{.channels = {"a", "b", "c"}, .copies = 1 + rng.below(3)}};
    std::map<std::pair<std::size_t, std::string>, int> got;
    std::set<std::string> posted;
    const auto turn = [&](bool all_is_well) {
      if (!bench.in_flight.empty()) {
        auto it = bench.in_flight.begin();
        std::advance(it, static_cast<std::ptrdiff_t>(rng.below(bench.in_flight.size())));
        const auto channel = it->first;
        const auto what = it->second.message.what;
        const bool works = all_is_well || rng.below(3) == 0;
        if (works) ++got[{channel, what}];
        bench.answer(channel, works ? delivered : later);
      }
      bench.pass(milliseconds{static_cast<std::int64_t>(rng.below(3000))});
    };
    for (int i = 0; i < 60; ++i) {
      if (rng.below(3) == 0) {
        const auto what = fmt::format("m{}", i);
        posted.insert(what);
        bench.post(what, static_cast<AlertLevel>(1 + rng.below(3)));
      }
      turn(false);
    }
    for (int i = 0; i < 2000 && bench.delivery.waiting() > 0; ++i) turn(true);
    EXPECT_EQ(bench.delivery.waiting(), 0U) << seed;
    EXPECT_EQ(bench.delivery.dropped(), 0U) << seed;
    std::set<std::string> arrived;
    for (const auto& [key, count] : got) {
      EXPECT_EQ(count, 1) << "seed " << seed << " " << key.second;
      arrived.insert(key.second);
    }
    EXPECT_EQ(arrived, posted) << seed;
  }
}

}  // namespace
}  // namespace phoenix::ops
