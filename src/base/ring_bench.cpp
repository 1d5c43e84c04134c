// What does it cost to hand one frame from the receiving thread to the processing thread? Time per frame with
// both threads busy, through our rings and through the queue one would write first: a deque under a mutex.
#include "base/ring.hpp"

#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include <benchmark/benchmark.h>

namespace phoenix::base {
namespace {

constexpr std::size_t ring_bytes = 1 << 20;

class ByteRingQueue {
 public:
  bool try_push(std::span<const std::byte> frame) { return ring_.try_push({}, frame); }
  bool try_take(std::uint64_t& sum) {
    const auto frame = ring_.front();
    if (!frame) return false;
    sum += static_cast<std::uint64_t>(frame->back());
    ring_.pop();
    return true;
  }

 private:
  ByteRing ring_{ring_bytes};
};

class MutexQueue {
 public:
  bool try_push(std::span<const std::byte> frame) {
    const std::lock_guard lock{mutex_};
    if (frames_.size() == depth) return false;
    frames_.emplace_back(frame.begin(), frame.end());
    return true;
  }
  bool try_take(std::uint64_t& sum) {
    std::vector<std::byte> frame;
    {
      const std::lock_guard lock{mutex_};
      if (frames_.empty()) return false;
      frame = std::move(frames_.front());
      frames_.pop_front();
    }
    sum += static_cast<std::uint64_t>(frame.back());
    return true;
  }

 private:
  static constexpr std::size_t depth = 1024;
  std::mutex mutex_;
  std::deque<std::vector<std::byte>> frames_;
};

template <class Queue>
void hand_over(benchmark::State& state) {
  const std::vector<std::byte> frame(static_cast<std::size_t>(state.range(0)), std::byte{7});
  Queue queue;
  std::atomic<bool> stop{false};
  std::uint64_t taken = 0;
  std::thread consumer{[&] {
    std::uint64_t sum = 0;
    while (true) {
      const bool stopping = stop.load(std::memory_order_acquire);
      while (queue.try_take(sum)) ++taken;
      if (stopping) break;
      std::this_thread::yield();
    }
    benchmark::DoNotOptimize(sum);
  }};
  for (auto _ : state) {
    while (!queue.try_push(frame)) std::this_thread::yield();
  }
  stop.store(true, std::memory_order_release);
  consumer.join();
  PHX_ASSERT(taken == static_cast<std::uint64_t>(state.iterations()), "every frame handed over arrives");
}

BENCHMARK(hand_over<ByteRingQueue>)->Name("hand_over/phoenix/frame")->Arg(200)->Arg(1000)->UseRealTime();
BENCHMARK(hand_over<MutexQueue>)->Name("hand_over/mutex_deque/frame")->Arg(200)->Arg(1000)->UseRealTime();

struct Event {
  std::uint64_t words[8];
};

template <bool is_locked>
void hand_over_events(benchmark::State& state) {
  SpscRing<Event> ring{4096};
  std::mutex mutex;
  std::deque<Event> queue;
  std::atomic<bool> stop{false};
  const auto try_push = [&](const Event& event) {
    if constexpr (is_locked) {
      const std::lock_guard lock{mutex};
      if (queue.size() == 4096) return false;
      queue.push_back(event);
      return true;
    } else {
      return ring.try_push(event);
    }
  };
  const auto try_pop = [&]() -> std::optional<Event> {
    if constexpr (is_locked) {
      const std::lock_guard lock{mutex};
      if (queue.empty()) return std::nullopt;
      const Event event = queue.front();
      queue.pop_front();
      return event;
    } else {
      return ring.try_pop();
    }
  };
  std::uint64_t taken = 0;
  std::thread consumer{[&] {
    std::uint64_t sum = 0;
    while (true) {
      const bool stopping = stop.load(std::memory_order_acquire);
      while (const auto event = try_pop()) {
        sum += event->words[0];
        ++taken;
      }
      if (stopping) break;
      std::this_thread::yield();
    }
    benchmark::DoNotOptimize(sum);
  }};
  Event event{};
  for (auto _ : state) {
    ++event.words[0];
    while (!try_push(event)) std::this_thread::yield();
  }
  stop.store(true, std::memory_order_release);
  consumer.join();
  PHX_ASSERT(taken == static_cast<std::uint64_t>(state.iterations()), "every event handed over arrives");
}

BENCHMARK(hand_over_events<false>)->Name("hand_over/phoenix/event_64_bytes")->UseRealTime();
BENCHMARK(hand_over_events<true>)->Name("hand_over/mutex_deque/event_64_bytes")->UseRealTime();

}  // namespace
}  // namespace phoenix::base

BENCHMARK_MAIN();
