#include "base/ring.hpp"

#include "base/rng.hpp"

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::base {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span{text}); }
std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(SpscRing, gives_items_in_the_order_they_came) {
  SpscRing<int> ring{4};
  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(ring.try_pop(), std::nullopt);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.try_push(i));
  EXPECT_EQ(ring.size(), 4u);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ring.try_pop(), i);
  EXPECT_EQ(ring.try_pop(), std::nullopt);
}

TEST(SpscRing, refuses_and_counts_what_does_not_fit) {
  SpscRing<int> ring{2};
  EXPECT_TRUE(ring.try_push(1));
  EXPECT_TRUE(ring.try_push(2));
  EXPECT_FALSE(ring.try_push(3));
  EXPECT_FALSE(ring.try_push(4));
  EXPECT_EQ(ring.stats().pushed, 2u);
  EXPECT_EQ(ring.stats().dropped, 2u);
  EXPECT_EQ(ring.stats().high_water, 2u);
  EXPECT_EQ(ring.try_pop(), 1);
  EXPECT_TRUE(ring.try_push(5));
  EXPECT_EQ(ring.try_pop(), 2);
  EXPECT_EQ(ring.try_pop(), 5);
}

TEST(SpscRing, rounds_its_capacity_up_to_a_power_of_two) {
  EXPECT_EQ(SpscRing<int>{1}.stats().capacity, 1u);
  EXPECT_EQ(SpscRing<int>{5}.stats().capacity, 8u);
  EXPECT_DEATH(SpscRing<int>{0}, "a ring has room");
}

TEST(SpscRing, high_water_is_the_depth_reached_not_the_capacity) {
  SpscRing<int> ring{64};
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_TRUE(ring.try_push(i));
    ASSERT_EQ(ring.try_pop(), i);
  }
  EXPECT_EQ(ring.stats().high_water, 1u);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(ring.try_push(i));
  for (int i = 0; i < 10; ++i) ASSERT_EQ(ring.try_pop(), i);
  EXPECT_EQ(ring.stats().high_water, 10u);
}

TEST(SpscRing, holds_items_that_only_move) {
  SpscRing<std::unique_ptr<int>> ring{2};
  EXPECT_TRUE(ring.try_push(std::make_unique<int>(7)));
  EXPECT_EQ(**ring.try_pop(), 7);
}

TEST(SpscRing, behaves_like_a_bounded_queue) {
  Rng rng{3};
  for (const std::size_t capacity : {1u, 2u, 8u, 64u}) {
    SpscRing<std::uint64_t> ring{capacity};
    std::deque<std::uint64_t> model;
    std::uint64_t dropped = 0;
    for (int i = 0; i < 20'000; ++i) {
      // Phases that fill and phases that drain, so that both ends are met.
      if (rng.below(100) < (i / 500 % 2 == 0 ? 70u : 30u)) {
        const auto value = rng.next();
        const bool fits = model.size() < capacity;
        ASSERT_EQ(ring.try_push(value), fits);
        if (fits)
          model.push_back(value);
        else
          ++dropped;
      } else if (const auto value = ring.try_pop()) {
        ASSERT_FALSE(model.empty());
        ASSERT_EQ(*value, model.front());
        model.pop_front();
      } else {
        ASSERT_TRUE(model.empty());
      }
      ASSERT_EQ(ring.size(), model.size());
    }
    EXPECT_EQ(ring.stats().dropped, dropped);
    EXPECT_GT(dropped, 0u);
  }
}

TEST(SpscRing, loses_nothing_between_two_threads_but_what_it_counts) {
  struct Item {
    std::uint64_t number = 0;
    std::uint64_t check = 0;
  };
  constexpr std::uint64_t items = 300'000;
  SpscRing<Item> ring{128};
  std::atomic<bool> done{false};
  std::thread producer{[&] {
    for (std::uint64_t i = 1; i <= items; ++i) {
      if (!ring.try_push({i, ~i})) std::this_thread::yield();  // this one is dropped
    }
    done.store(true, std::memory_order_release);
  }};
  std::uint64_t taken = 0;
  std::uint64_t last = 0;
  for (bool last_round = false; !last_round;) {
    last_round = done.load(std::memory_order_acquire);
    while (const auto item = ring.try_pop()) {
      ASSERT_GT(item->number, last);
      ASSERT_EQ(item->check, ~item->number);
      last = item->number;
      ++taken;
    }
    if (!last_round) std::this_thread::yield();
  }
  producer.join();
  const auto stats = ring.stats();
  EXPECT_EQ(taken, stats.pushed);
  EXPECT_EQ(stats.pushed + stats.dropped, items);
  EXPECT_LE(stats.high_water, stats.capacity);
  EXPECT_TRUE(ring.empty());
}

TEST(ByteRing, joins_head_and_body_into_one_record) {
  ByteRing ring{256};
  EXPECT_EQ(ring.front(), std::nullopt);
  EXPECT_TRUE(ring.try_push(bytes_of("head "), bytes_of("and body")));
  EXPECT_TRUE(ring.try_push({}, bytes_of("body")));
  EXPECT_TRUE(ring.try_push({}, {}));
  ASSERT_TRUE(ring.front());
  EXPECT_EQ(text_of(*ring.front()), "head and body");
  EXPECT_EQ(text_of(*ring.front()), "head and body") << "looking twice is harmless";
  ring.pop();
  EXPECT_EQ(text_of(*ring.front()), "body");
  ring.pop();
  EXPECT_EQ(text_of(*ring.front()), "");
  ring.pop();
  EXPECT_EQ(ring.front(), std::nullopt);
  EXPECT_EQ(ring.size_bytes(), 0u);
}

TEST(ByteRing, refuses_a_record_longer_than_half_of_it) {
  ByteRing ring{128};
  EXPECT_TRUE(ring.try_push({}, bytes_of(std::string(56, 'x'))));
  ring.front();
  ring.pop();
  EXPECT_FALSE(ring.try_push({}, bytes_of(std::string(57, 'x'))));
  EXPECT_EQ(ring.stats().dropped, 1u);
  EXPECT_EQ(ring.stats().pushed, 1u);
}

TEST(ByteRing, pops_only_what_was_seen) {
  ByteRing ring{128};
  ASSERT_TRUE(ring.try_push({}, bytes_of("a")));
  ASSERT_TRUE(ring.try_push({}, bytes_of("b")));
  EXPECT_DEATH(ring.pop(), "only a record that was seen is popped");
  ring.front();
  ring.pop();
  EXPECT_DEATH(ring.pop(), "only a record that was seen is popped");
}

TEST(ByteRing, takes_the_longest_record_at_every_offset_once_it_is_empty) {
  ByteRing ring{256};
  const std::string longest(120, 'x');
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(ring.try_push({}, bytes_of(longest)));
    ASSERT_EQ(text_of(*ring.front()), longest);
    ring.pop();
    ASSERT_TRUE(ring.try_push({}, bytes_of("y")));
    ASSERT_EQ(text_of(*ring.front()), "y");
    ring.pop();
  }
}

TEST(ByteRing, high_water_is_the_depth_reached_not_the_capacity) {
  ByteRing ring{4096};
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_TRUE(ring.try_push({}, bytes_of("0123456789")));
    ASSERT_TRUE(ring.front());
    ring.pop();
  }
  EXPECT_LE(ring.stats().high_water, 48u);  // one record, and what was skipped at the edge
}

TEST(ByteRing, behaves_like_a_queue_of_records) {
  Rng rng{4};
  for (const std::size_t capacity : {64u, 256u, 4096u}) {
    ByteRing ring{capacity};
    std::deque<std::string> model;
    std::uint64_t pushed = 0;
    std::uint64_t dropped = 0;
    for (int i = 0; i < 30'000; ++i) {
      if (rng.below(100) < (i / 500 % 2 == 0 ? 70u : 30u)) {
        std::string head(rng.below(9), 'h');
        std::string body(rng.below(capacity / 4), '\0');
        for (char& c : body) c = static_cast<char>(rng.next());
        if (ring.try_push(bytes_of(head), bytes_of(body))) {
          model.push_back(head + body);
          ++pushed;
        } else {
          ASSERT_FALSE(model.empty() && 8 + head.size() + body.size() + 7 <= capacity / 2)
              << "an empty ring has room for a record of legal length";
          ++dropped;
        }
      } else if (const auto record = ring.front()) {
        ASSERT_FALSE(model.empty());
        ASSERT_EQ(text_of(*record), model.front());
        model.pop_front();
        ring.pop();
      } else {
        ASSERT_TRUE(model.empty());
      }
      ASSERT_LE(ring.size_bytes(), capacity);
    }
    EXPECT_EQ(ring.stats().pushed, pushed);
    EXPECT_EQ(ring.stats().dropped, dropped);
    EXPECT_GT(dropped, 0u);
  }
}

TEST(ByteRing, keeps_records_whole_between_two_threads) {
  constexpr std::uint32_t records = 200'000;
  ByteRing ring{4096};
  std::atomic<bool> done{false};
  // A record is its number, then a run of bytes whose length and value follow from the number.
  const auto length_of = [](std::uint32_t number) { return number * 37 % 300; };
  std::thread producer{[&] {
    std::array<std::byte, 300> body;
    for (std::uint32_t i = 1; i <= records; ++i) {
      body.fill(static_cast<std::byte>(i));
      const auto head = std::as_bytes(std::span{&i, 1});
      if (!ring.try_push(head, std::span{body}.first(length_of(i)))) std::this_thread::yield();
    }
    done.store(true, std::memory_order_release);
  }};
  std::uint64_t taken = 0;
  std::uint32_t last = 0;
  for (bool last_round = false; !last_round;) {
    last_round = done.load(std::memory_order_acquire);
    while (const auto record = ring.front()) {
      std::uint32_t number = 0;
      ASSERT_GE(record->size(), sizeof number);
      std::memcpy(&number, record->data(), sizeof number);
      ASSERT_GT(number, last);
      ASSERT_EQ(record->size(), sizeof number + length_of(number));
      for (const auto byte : record->subspan(sizeof number)) ASSERT_EQ(byte, static_cast<std::byte>(number));
      last = number;
      ++taken;
      ring.pop();
    }
    if (!last_round) std::this_thread::yield();
  }
  producer.join();
  EXPECT_EQ(taken, ring.stats().pushed);
  EXPECT_EQ(ring.stats().pushed + ring.stats().dropped, records);
  EXPECT_EQ(ring.size_bytes(), 0u);
}

TEST(NewestSlots, gives_the_newest_value_of_a_key_once) {
  NewestSlots<int> slots{2};
  EXPECT_EQ(slots.keys(), 2u);
  EXPECT_EQ(slots.take(0), nullptr);
  slots.put(0, 1);
  slots.put(0, 2);
  slots.put(1, 9);
  ASSERT_NE(slots.take(1), nullptr);
  const int* const value = slots.take(0);
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(*value, 2);
  EXPECT_EQ(slots.take(0), nullptr);
  EXPECT_EQ(*value, 2) << "valid until the next value is taken";
  slots.put(0, 3);
  EXPECT_EQ(*value, 2) << "a write does not touch what the reader holds";
  EXPECT_EQ(*slots.take(0), 3);
  EXPECT_EQ(slots.conflated(), 1u);
  EXPECT_DEATH(slots.put(2, 0), "a slot's key is in range");
  EXPECT_DEATH(slots.take(2), "a slot's key is in range");
}

TEST(NewestSlots, counts_every_value_overwritten_before_it_was_taken) {
  Rng rng{5};
  constexpr std::size_t keys = 5;
  NewestSlots<std::uint64_t> slots{keys};
  std::array<std::optional<std::uint64_t>, keys> model;
  std::uint64_t conflated = 0;
  for (int i = 0; i < 50'000; ++i) {
    const auto key = rng.below(keys);
    if (rng.below(2) == 0) {
      const auto value = rng.next();
      if (model[key]) ++conflated;
      model[key] = value;
      slots.put(key, value);
    } else {
      const auto* value = slots.take(key);
      ASSERT_EQ(value != nullptr, model[key].has_value());
      if (value != nullptr) {
        ASSERT_EQ(*value, *model[key]);
      }
      model[key].reset();
    }
  }
  EXPECT_EQ(slots.conflated(), conflated);
}

TEST(NewestSlots, never_shows_a_torn_or_older_value_to_the_other_thread) {
  struct Wide {
    std::array<std::uint64_t, 12> words{};
  };
  constexpr std::size_t keys = 3;
  constexpr std::uint64_t puts = 200'000;
  NewestSlots<Wide> slots{keys};
  std::atomic<bool> done{false};
  std::thread producer{[&] {
    for (std::uint64_t i = 1; i <= puts; ++i) {
      Wide value;
      value.words.fill(i);
      slots.put(i % keys, value);
    }
    done.store(true, std::memory_order_release);
  }};
  std::array<std::uint64_t, keys> last{};
  std::uint64_t taken = 0;
  for (bool last_round = false; !last_round;) {
    last_round = done.load(std::memory_order_acquire);
    for (std::size_t key = 0; key < keys; ++key) {
      const Wide* value = slots.take(key);
      if (value == nullptr) continue;
      ASSERT_GT(value->words[0], last[key]);
      for (const auto word : value->words) ASSERT_EQ(word, value->words[0]);
      last[key] = value->words[0];
      ++taken;
    }
  }
  producer.join();
  for (const auto number : last) EXPECT_GT(number, puts - keys) << "the last value of a key always arrives";
  EXPECT_EQ(taken + slots.conflated(), puts);
}

}  // namespace
}  // namespace phoenix::base
