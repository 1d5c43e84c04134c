#include "feed/price_proof.hpp"

#include "base/rng.hpp"

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <limits>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::feed {
namespace {

using base::Duration;
using base::LocalTime;
using base::milliseconds;
using base::minutes;
using base::seconds;

LocalTime at(std::int64_t ms) { return base::local_time_ns(ms * 1'000'000); }

/// Live at id 100, its last frame at 10 ms.
PriceProof live_price() {
  PriceProof price{{}, at(0)};
  price.frame(100, at(10));
  price.take_change();
  return price;
}

TEST(PriceProof, is_unknown_without_data) {
  PriceProof price{{}, at(0)};
  EXPECT_EQ(price.verdict(), Verdict::unknown);
  EXPECT_EQ(price.state(), StreamState::connecting);
  EXPECT_FALSE(price.is_proved());
  EXPECT_FALSE(price.wants_probe(at(999)));
  EXPECT_EQ(price.next_deadline(), at(1'000));
  EXPECT_TRUE(price.wants_probe(at(1'000)));
  price.probe_sent(at(1'000));
  price.probe_answered({500, at(1'000)}, at(1'100));
  EXPECT_EQ(price.verdict(), Verdict::unknown) << "there is nothing of ours to compare";
  price.expire(at(60'000));
  EXPECT_EQ(price.verdict(), Verdict::unknown);
  EXPECT_FALSE(price.take_change());
}

TEST(PriceProof, a_raw_frame_with_a_new_id_proves_it) {
  PriceProof price{{}, at(0)};
  price.frame(100, at(700));
  EXPECT_EQ(price.verdict(), Verdict::live);
  EXPECT_EQ(price.id(), 100);
  EXPECT_EQ(price.proved_at(), at(700));
  const auto change = price.take_change();
  ASSERT_TRUE(change);
  EXPECT_EQ(change->from, Verdict::unknown);
  EXPECT_EQ(change->to, Verdict::live);
  EXPECT_EQ(change->lasted, milliseconds{700});
  EXPECT_FALSE(price.take_change());
  for (std::int64_t ms = 1'000; ms < 60'000; ms += 1'900) {
    price.expire(at(ms));
    price.frame(100 + ms, at(ms));
    ASSERT_FALSE(price.take_change());
  }
}

TEST(PriceProof, a_proof_lasts_less_than_two_seconds) {
  auto price = live_price();
  price.probe_failed(at(10));
  price.expire(at(2'009));
  EXPECT_EQ(price.verdict(), Verdict::live);
  price.expire(at(2'010));
  EXPECT_EQ(price.verdict(), Verdict::unknown);
  const auto change = price.take_change();
  ASSERT_TRUE(change);
  EXPECT_EQ(change->evidence.witness, Witness::silence);
  EXPECT_EQ(change->evidence.silent_for, seconds{2});
  EXPECT_EQ(change->evidence.ours, 100);
  EXPECT_EQ(change->lasted, seconds{2});
  EXPECT_EQ(price.state(), StreamState::suspect) << "silence condemns no stream that may be quiet";
}

TEST(PriceProof, i12_a_quiet_market_of_any_length_stays_proved) {
  for (const std::int64_t round_trip : {1, 200, 500, 990}) {
    auto price = live_price();
    std::int64_t probes = 0;
    std::optional<std::int64_t> sent;
    for (std::int64_t ms = 10; ms < 120'000; ++ms) {
      if (sent && ms == *sent + round_trip) price.probe_answered({100, at(*sent)}, at(ms));
      price.expire(at(ms));
      if (price.wants_probe(at(ms))) {
        price.probe_sent(at(ms));
        sent = ms;
        ++probes;
      }
      ASSERT_TRUE(price.is_proved()) << "round trip " << round_trip << " at " << ms;
      if (ms > 3'000) {
        ASSERT_EQ(price.verdict(), Verdict::quiet);
      }
    }
    EXPECT_LE(probes, 120) << "at most one a second";
    EXPECT_GE(probes, 100);
  }
}

TEST(PriceProof, i12_silence_without_answers_is_unknown_for_ever_and_never_stalled) {
  auto price = live_price();
  for (std::int64_t ms = 10; ms < 3'600'000; ms += 100) {
    price.expire(at(ms));
    if (price.wants_probe(at(ms))) price.probe_failed(at(ms));
    ASSERT_NE(price.verdict(), Verdict::stalled);
    if (ms >= 2'010) {
      ASSERT_EQ(price.verdict(), Verdict::unknown);
    }
  }
}

TEST(PriceProof, a_proof_by_probe_is_dated_at_its_sending) {
  auto price = live_price();
  price.probe_sent(at(1'100));
  price.probe_answered({100, at(1'100)}, at(2'000));
  EXPECT_EQ(price.verdict(), Verdict::quiet);
  EXPECT_EQ(price.proved_at(), at(1'100));
  const auto change = price.take_change();
  ASSERT_TRUE(change);
  EXPECT_EQ(change->evidence.witness, Witness::probe);
  EXPECT_EQ(change->evidence.theirs, 100);
  price.expire(at(3'099));
  EXPECT_EQ(price.verdict(), Verdict::quiet);
  price.expire(at(3'100));
  EXPECT_EQ(price.verdict(), Verdict::unknown);
}

TEST(PriceProof, an_answer_older_than_a_proof_lasts_proves_nothing) {
  auto price = live_price();
  price.probe_sent(at(1'100));
  price.expire(at(3'200));
  price.probe_answered({100, at(1'100)}, at(3'200));
  EXPECT_EQ(price.verdict(), Verdict::unknown);
}

TEST(PriceProof, a_late_answer_counts_for_its_own_probe) {
  auto price = live_price();
  price.probe_sent(at(1'010));
  EXPECT_FALSE(price.wants_probe(at(2'009)));
  EXPECT_TRUE(price.wants_probe(at(2'010))) << "given up after a second";
  price.probe_sent(at(2'010));
  price.probe_answered({100, at(1'010)}, at(2'500));
  EXPECT_EQ(price.proved_at(), at(1'010));
  EXPECT_FALSE(price.wants_probe(at(3'009))) << "the second one is still on its way";
  price.probe_answered({100, at(2'010)}, at(2'600));
  EXPECT_EQ(price.proved_at(), at(2'010));
}

TEST(PriceProof, waits_for_an_answer_for_as_long_as_it_may_take) {
  PriceProof price{{.probe_pause_min = milliseconds{300}}, at(0)};
  price.frame(100, at(10));
  price.probe_sent(at(1'010));
  EXPECT_FALSE(price.wants_probe(at(2'009)));
  EXPECT_EQ(price.next_deadline(), at(2'010));
  price.probe_sent(at(2'010));
  price.probe_answered({99, at(1'010)}, at(2'400));
  EXPECT_FALSE(price.wants_probe(at(2'500))) << "that was the first one's answer";
  price.probe_answered({99, at(2'010)}, at(2'500));
  EXPECT_TRUE(price.wants_probe(at(2'500)));
}

TEST(PriceProof, an_answer_behind_us_proves_nothing) {
  auto price = live_price();
  price.probe_sent(at(1'100));
  price.probe_answered({99, at(1'100)}, at(1'200));
  EXPECT_EQ(price.verdict(), Verdict::live);
  EXPECT_EQ(price.proved_at(), at(10));
  price.expire(at(2'010));
  EXPECT_EQ(price.verdict(), Verdict::unknown);
  EXPECT_FALSE(price.wants_probe(at(2'099)));
  EXPECT_TRUE(price.wants_probe(at(2'100))) << "asked again after the pause";
}

TEST(PriceProof, an_equal_answer_that_a_witness_contradicts_proves_nothing) {
  auto price = live_price();
  price.claim(101, Witness::sibling, at(1'050));
  price.probe_sent(at(1'100));
  price.probe_answered({100, at(1'100)}, at(1'200));
  EXPECT_EQ(price.proved_at(), at(10)) << "a replica that lags as far as we do";
  price.frame(101, at(1'300));
  price.claim(102, Witness::sibling, at(2'350));
  price.probe_sent(at(2'300));
  price.probe_answered({101, at(2'300)}, at(2'400));
  EXPECT_EQ(price.proved_at(), at(2'300)) << "it happened after the probe was sent";
}

TEST(PriceProof, an_answer_ahead_gives_the_stream_a_grace_from_the_answer) {
  auto price = live_price();
  price.probe_sent(at(1'100));
  price.probe_answered({103, at(1'100)}, at(1'300));
  EXPECT_EQ(price.verdict(), Verdict::live);
  price.expire(at(1'799));
  EXPECT_EQ(price.verdict(), Verdict::live);
  EXPECT_EQ(price.state(), StreamState::suspect);
  EXPECT_EQ(price.next_deadline(), at(1'800));
  price.expire(at(1'800));
  EXPECT_EQ(price.verdict(), Verdict::stalled);
  EXPECT_EQ(price.state(), StreamState::stalled);
  EXPECT_FALSE(price.wants_probe(at(5'000)));
  const auto change = price.take_change();
  ASSERT_TRUE(change);
  EXPECT_EQ(change->evidence.witness, Witness::probe);
  EXPECT_EQ(change->evidence.ours, 100);
  EXPECT_EQ(change->evidence.theirs, 103);
  price.expire(at(60'000));
  EXPECT_EQ(price.verdict(), Verdict::stalled) << "not forgotten with time";
}

TEST(PriceProof, a_claim_is_met_by_a_frame_beyond_it) {
  auto price = live_price();
  price.claim(103, Witness::sibling, at(100));
  price.frame(107, at(550));
  price.expire(at(1'000));
  EXPECT_EQ(price.verdict(), Verdict::live);
}

TEST(PriceProof, a_stalled_price_is_live_with_the_frame_that_brings_what_it_missed) {
  auto price = live_price();
  price.claim(103, Witness::sibling, at(100));
  price.expire(at(600));
  ASSERT_EQ(price.verdict(), Verdict::stalled);
  price.frame(102, at(700));
  EXPECT_EQ(price.verdict(), Verdict::stalled);
  price.frame(104, at(800));
  EXPECT_EQ(price.verdict(), Verdict::live);
}

TEST(PriceProof, a_slow_stream_gets_three_of_its_intervals) {
  PriceProof price{{.interval = milliseconds{500}}, at(0)};
  price.frame(100, at(10));
  price.claim(101, Witness::sibling, at(100));
  price.expire(at(1'599));
  EXPECT_EQ(price.verdict(), Verdict::live);
  price.expire(at(1'600));
  EXPECT_EQ(price.verdict(), Verdict::stalled);
}

TEST(PriceProof, frames_without_a_new_id_show_that_a_line_lives_but_prove_no_price) {
  auto price = live_price();
  for (std::int64_t ms = 100; ms < 1'010; ms += 100) {
    price.frame(100, at(ms));
    price.frame(90, at(ms));
    ASSERT_FALSE(price.wants_probe(at(ms)));
  }
  price.frame(100, at(1'010));
  EXPECT_TRUE(price.wants_probe(at(1'010))) << "frozen but flowing";
  price.probe_sent(at(1'010));
  price.probe_answered({120, at(1'010)}, at(1'100));
  for (std::int64_t ms = 1'100; ms <= 1'600; ms += 100) {
    price.frame(100, at(ms));
    price.expire(at(ms));
  }
  EXPECT_EQ(price.verdict(), Verdict::stalled);
}

TEST(PriceProof, a_stream_that_is_never_silent_for_long_is_suspected_sooner) {
  auto price = live_price();
  std::int64_t ms = 10;
  for (int i = 1; i <= 100; ++i) price.frame(100 + i, at(ms += 50));
  EXPECT_FALSE(price.wants_probe(at(ms + 249)));
  EXPECT_TRUE(price.wants_probe(at(ms + 250)));
  for (int i = 1; i <= 100; ++i) price.frame(1'000 + i, at(ms += 1'500));
  EXPECT_FALSE(price.wants_probe(at(ms + 999)));
  EXPECT_TRUE(price.wants_probe(at(ms + 1'000))) << "but never later than half of what a proof lasts";
}

TEST(PriceProof, asks_at_most_once_a_second_and_one_at_a_time) {
  auto price = live_price();
  price.probe_sent(at(1'010));
  EXPECT_FALSE(price.wants_probe(at(1'010)));
  price.probe_failed(at(1'010));
  EXPECT_FALSE(price.wants_probe(at(2'009)));
  EXPECT_TRUE(price.wants_probe(at(2'010)));
  price.probe_failed(at(2'010));
  EXPECT_FALSE(price.wants_probe(at(3'009))) << "no budget is asked about once a second, too";
  price.expire(at(2'010));
  EXPECT_EQ(price.next_deadline(), at(3'010));
}

TEST(PriceProof, a_lost_connection_or_chain_is_unknown_until_the_next_frame) {
  auto price = live_price();
  price.claim(103, Witness::sibling, at(100));
  price.lost(at(200));
  EXPECT_EQ(price.verdict(), Verdict::unknown);
  EXPECT_EQ(price.state(), StreamState::connecting);
  price.claim(110, Witness::sibling, at(300));
  price.probe_sent(at(1'300));
  price.probe_answered({100, at(1'300)}, at(1'400));
  price.expire(at(60'000));
  EXPECT_EQ(price.verdict(), Verdict::unknown) << "what was claimed before it is void";
  price.frame(50, at(60'100));
  EXPECT_EQ(price.verdict(), Verdict::live) << "also when the venue counts anew";
}

TEST(PriceProof, an_answer_from_before_a_loss_does_not_prove_what_came_after) {
  auto price = live_price();
  price.probe_sent(at(1'100));
  price.lost(at(1'150));
  price.frame(120, at(1'200));
  price.probe_answered({120, at(1'100)}, at(1'300));
  EXPECT_EQ(price.proved_at(), at(1'200));
  EXPECT_EQ(price.verdict(), Verdict::live);
}

TEST(PriceProof, a_halted_venue_is_neither_dead_nor_asked) {
  auto price = live_price();
  price.halt(at(500));
  EXPECT_EQ(price.verdict(), Verdict::venue_halted);
  EXPECT_FALSE(price.is_proved());
  price.expire(at(3'600'000));
  EXPECT_EQ(price.verdict(), Verdict::venue_halted);
  EXPECT_FALSE(price.wants_probe(at(3'600'000)));
  EXPECT_FALSE(price.next_deadline());
  price.resume(at(3'600'000));
  EXPECT_EQ(price.verdict(), Verdict::unknown);
  EXPECT_TRUE(price.wants_probe(at(3'600'000)));
  price.frame(101, at(3'600'100));
  EXPECT_EQ(price.verdict(), Verdict::live);
  EXPECT_EQ(price.gaps().samples(), 0U) << "the halt is no gap";
  price.frame(102, at(3'600'200));
  EXPECT_EQ(price.gaps().samples(), 1U);
}

TEST(PriceProof, changes_that_were_not_asked_for_come_as_one) {
  auto price = live_price();
  price.lost(at(100));
  price.frame(101, at(200));
  EXPECT_FALSE(price.take_change()) << "there and back";
  price.lost(at(300));
  price.halt(at(400));
  const auto change = price.take_change();
  ASSERT_TRUE(change);
  EXPECT_EQ(change->from, Verdict::live);
  EXPECT_EQ(change->to, Verdict::venue_halted);
}

/// A venue whose book moves in changing rhythms, the depth stream that tells of it every 100 ms, a sibling in
/// real time, and REST answers; each of them late by a random time. One step is a millisecond.
class Market {
 public:
  struct Options {
    std::int64_t dies_at = std::numeric_limits<std::int64_t>::max();
    std::int64_t back_at = std::numeric_limits<std::int64_t>::max();
    std::int64_t quiet_from = std::numeric_limits<std::int64_t>::max();
    std::int64_t latency_max = 60;
    std::int64_t round_trip_max = 200;
    int lost_probes_percent = 0;
    int outdated_answers_percent = 0;
    enum class Sibling : std::uint8_t { none, alive } sibling = Sibling::none;
  };

  Market(std::uint64_t seed, Options options) : rng_(seed), options_(options), price_({}, at(0)) {}

  void run_until(std::int64_t ms) {
    for (; now_ <= ms; ++now_) step();
  }

  const PriceProof& price() const { return price_; }
  /// When the venue moved for the first time in a way that the dead stream did not tell.
  std::optional<std::int64_t> missed_at() const { return missed_at_; }
  std::optional<std::int64_t> stalled_at() const { return stalled_at_; }
  std::optional<std::int64_t> live_again_at() const { return live_again_at_; }
  std::optional<std::int64_t> unproved_at() const { return unproved_at_; }
  int probes() const { return probes_; }
  std::int64_t now() const { return now_; }

 private:
  struct Message {
    std::int64_t arrives, id;
    std::int64_t moved = 0;  ///< frame: when the first change in it happened
  };
  struct Probe {
    std::int64_t sent, reaches, arrives;
    std::optional<std::int64_t> id;
  };

  void step() {
    move_venue();
    emit_frame();
    const bool has_news = deliver();
    if (!has_news && (!due_ || at(now_) < *due_)) return;
    ask();
    observe();
  }

  void move_venue() {
    if (now_ >= options_.quiet_from || now_ < moves_at_) return;
    if (rng_.below(50) == 0) {
      constexpr std::int64_t rhythms[] = {3, 30, 150, 600, 2'500, 8'000};
      gap_max_ = rhythms[rng_.below(std::size(rhythms))];
    }
    moves_at_ = now_ + rng_.between(1, gap_max_);
    id_ += rng_.between(1, 30);
    history_.push_back(id_);
    if (!first_move_) first_move_ = now_;
    if (options_.sibling == Options::Sibling::alive) {
      sibling_.push_back(
          {std::max(now_ + rng_.between(1, options_.latency_max), last_arrival(sibling_)), id_});
    }
  }

  void emit_frame() {
    if (now_ % 100 != 0 || !first_move_) return;
    const std::int64_t arrives =
        std::max(now_ + rng_.between(1, options_.latency_max), last_arrival(frames_));
    const bool is_lost = arrives >= options_.dies_at && now_ < options_.back_at;
    if (!is_lost) {
      frames_.push_back({arrives, id_, *first_move_});
    } else if (!missed_at_) {
      missed_at_ = std::max(*first_move_, options_.dies_at);
    }
    first_move_.reset();
  }

  /// Whether anything arrived.
  bool deliver() {
    bool has_news = false;
    for (; next_frame_ < frames_.size() && frames_[next_frame_].arrives <= now_; ++next_frame_) {
      price_.frame(frames_[next_frame_].id, at(now_));
      has_news = true;
    }
    for (; next_sibling_ < sibling_.size() && sibling_[next_sibling_].arrives <= now_; ++next_sibling_) {
      price_.claim(sibling_[next_sibling_].id, Witness::sibling, at(now_));
      has_news = true;
    }
    if (!probe_) return has_news;
    if (now_ == probe_->reaches) {
      const bool is_outdated = static_cast<int>(rng_.below(100)) < options_.outdated_answers_percent;
      probe_->id = is_outdated ? history_[history_.size() > 5 ? history_.size() - 5 : 0] : id_;
    }
    if (now_ < probe_->arrives) return has_news;
    const Probe probe = *probe_;
    probe_.reset();
    if (static_cast<int>(rng_.below(100)) < options_.lost_probes_percent) {
      price_.probe_failed(at(probe.sent));
    } else {
      price_.probe_answered({*probe.id, at(probe.sent)}, at(now_));
    }
    return true;
  }

  void ask() {
    price_.expire(at(now_));
    if (!price_.wants_probe(at(now_))) return;
    price_.probe_sent(at(now_));
    const std::int64_t round_trip = rng_.between(2, options_.round_trip_max);
    probe_ = Probe{now_, now_ + rng_.between(1, round_trip - 1), now_ + round_trip, {}};
    ++probes_;
    ASSERT_TRUE(!last_probe_ || now_ - *last_probe_ >= 1'000) << "at most one probe a second";
    last_probe_ = now_;
  }

  void observe() {
    due_ = price_.next_deadline();
    ASSERT_TRUE(!due_ || *due_ > at(now_)) << "a deadline that was served lies ahead";
    const bool is_stalled = price_.verdict() == Verdict::stalled;
    if (is_stalled && !stalled_at_) stalled_at_ = now_;
    if (now_ >= options_.back_at && price_.verdict() == Verdict::live && !live_again_at_)
      live_again_at_ = now_;
    if (!price_.is_proved() && price_.id() && !unproved_at_) unproved_at_ = now_;
  }

  static std::int64_t last_arrival(const std::vector<Message>& messages) {
    return messages.empty() ? 0 : messages.back().arrives;
  }

  base::Rng rng_;
  Options options_;
  PriceProof price_;
  std::optional<LocalTime> due_{at(0)};
  std::int64_t now_ = 0, id_ = 1'000, moves_at_ = 0, gap_max_ = 30;
  std::vector<std::int64_t> history_{1'000};
  std::optional<std::int64_t> first_move_;
  std::vector<Message> frames_, sibling_;
  std::size_t next_frame_ = 0, next_sibling_ = 0;
  std::optional<Probe> probe_;
  std::optional<std::int64_t> last_probe_, missed_at_, stalled_at_, live_again_at_, unproved_at_;
  int probes_ = 0;
};

/// From the death, or the first thing missed after it, to the verdict.
std::int64_t worst_detection_ms(Market::Options options, std::uint64_t seeds) {
  std::int64_t worst = 0;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    base::Rng rng{seed};
    options.dies_at = rng.between(3'000, 12'000);
    Market market{seed, options};
    market.run_until(options.dies_at + 25'000);
    EXPECT_TRUE(market.missed_at()) << "seed " << seed;
    EXPECT_TRUE(market.stalled_at()) << "seed " << seed;
    if (!market.missed_at() || !market.stalled_at()) return std::numeric_limits<std::int64_t>::max();
    EXPECT_GE(*market.stalled_at(), options.dies_at) << "seed " << seed;
    worst = std::max(worst, *market.stalled_at() - *market.missed_at());
  }
  return worst;
}

TEST(PriceProof, i01_a_stream_that_dies_is_stalled_within_2_s) {
  const auto worst = worst_detection_ms({}, 300);
  std::cout << "worst detection by probe alone: " << worst << " ms\n";
  RecordProperty("worst_ms", static_cast<int>(worst));
  EXPECT_LE(worst, 2'000);
  EXPECT_GE(worst, 1'500) << "the market tries hard enough";
}

TEST(PriceProof, i01_a_sibling_finds_a_dead_stream_sooner) {
  const auto worst = worst_detection_ms({.sibling = Market::Options::Sibling::alive}, 100);
  std::cout << "worst detection with a sibling: " << worst << " ms\n";
  EXPECT_LE(worst, 1'000);
}

TEST(PriceProof, i01_a_death_is_found_although_probes_are_lost_and_replicas_lag) {
  const auto worst = worst_detection_ms({.lost_probes_percent = 30, .outdated_answers_percent = 30}, 100);
  EXPECT_LE(worst, 20'000);
}

TEST(PriceProof, h04_a_living_stream_is_never_stalled) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Market market{
        seed,
        {.latency_max = 390,
         .lost_probes_percent = 20,
         .outdated_answers_percent = 20,
         .sibling = seed % 2 == 0 ? Market::Options::Sibling::alive : Market::Options::Sibling::none}};
    market.run_until(60'000);
    ASSERT_FALSE(market.stalled_at()) << "seed " << seed;
  }
}

TEST(PriceProof, i12_a_living_stream_is_always_proved_in_every_rhythm) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Market market{seed, {.round_trip_max = 500}};
    market.run_until(60'000);
    ASSERT_FALSE(market.unproved_at()) << "seed " << seed << " at " << *market.unproved_at();
  }
}

TEST(PriceProof, i12_a_market_that_falls_quiet_stays_proved) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    Market market{seed, {.quiet_from = 10'000 + static_cast<std::int64_t>(seed) * 37, .round_trip_max = 500}};
    market.run_until(60'000);
    ASSERT_FALSE(market.unproved_at()) << "seed " << seed << " at " << *market.unproved_at();
    ASSERT_EQ(market.price().verdict(), Verdict::quiet);
  }
}

TEST(PriceProof, a_stream_that_comes_back_is_live_although_siblings_are_always_a_little_ahead) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Market market{seed, {.dies_at = 5'000, .back_at = 15'000, .sibling = Market::Options::Sibling::alive}};
    market.run_until(25'000);
    ASSERT_TRUE(market.stalled_at()) << "seed " << seed;
    ASSERT_TRUE(market.live_again_at()) << "seed " << seed;
  }
}

TEST(PriceProof, calls_in_any_order_are_harmless) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    base::Rng rng{seed};
    PriceProof price{{}, at(0)};
    std::vector<LocalTime> asked;
    std::int64_t ms = 0;
    for (int step = 0; step < 500; ++step) {
      ms += rng.below(20) == 0 ? rng.between(0, 4'000) : rng.between(0, 150);
      const LocalTime now = at(ms);
      const std::int64_t id = rng.between(ms - 100, ms + 10);
      switch (rng.below(12)) {
        case 0:
          if (rng.below(5) == 0) price.lost(now);
          break;
        case 1:
          if (rng.below(5) == 0) price.halt(now);
          break;
        case 2:
          price.resume(now);
          break;
        case 3:
          price.claim(id, Witness::sibling, now);
          break;
        case 4:
        case 5:
          if (asked.empty()) break;
          price.probe_answered({rng.below(2) == 0 ? price.id().value_or(0) : id, asked.back()}, now);
          asked.pop_back();
          break;
        default:
          price.frame(id, now);
      }
      price.expire(now);
      if (price.wants_probe(now)) {
        if (rng.below(4) == 0) {
          price.probe_failed(now);
        } else {
          price.probe_sent(now);
          asked.push_back(now);
        }
      }
      ASSERT_FALSE(price.wants_probe(now));
      const Verdict verdict = price.verdict();
      price.expire(now);
      ASSERT_EQ(price.verdict(), verdict);
      if (price.is_proved()) {
        ASSERT_LT(now - *price.proved_at(), seconds{2});
      }
      const auto due = price.next_deadline();
      if (due) {
        ASSERT_GT(*due, now) << "seed " << seed << " step " << step;
      }
      if (due) {
        PriceProof before = price;
        before.expire(*due - Duration{1});
        ASSERT_EQ(before.verdict(), verdict) << "nothing happens before its deadline";
        ASSERT_FALSE(before.wants_probe(*due - Duration{1}));
      }
      if (rng.below(3) == 0) price.take_change();
    }
  }
}

}  // namespace
}  // namespace phoenix::feed
