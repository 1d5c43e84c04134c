#include "base/crc32c.hpp"
#include "io/descriptor.hpp"
#include "io/journal_writer.hpp"
#include "io/temporary_directory.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

/// On the disk the journal would be on: PHOENIX_BENCH_DIR, else the working directory.
std::filesystem::path place() {
  const char* chosen = std::getenv("PHOENIX_BENCH_DIR");
  return chosen != nullptr ? chosen : ".";
}

JournalWriterOptions options() {
  JournalWriterOptions made;
  made.run_epoch = 1;
  made.program = "bench";
  return made;
}

/// Everything in this scope, threads started in it too, shares one core.
class OneCore {
 public:
  OneCore() {
    ::sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    ::sched_setaffinity(0, sizeof one, &one);
  }
  ~OneCore() { ::sched_setaffinity(0, sizeof before_, &before_); }
  OneCore(const OneCore&) = delete;
  OneCore& operator=(const OneCore&) = delete;

 private:
  cpu_set_t before_{};
};

double journal_seconds(std::size_t record_bytes, std::size_t count, std::uint64_t& syncs) {
  const TemporaryDirectory temporary{place()};
  const auto& directory = temporary.path();
  const std::string body(record_bytes, 'x');
  const RealClock clock;
  auto journal = std::make_unique<JournalWriter>(directory, clock, options());
  const auto start = Clock::now();
  for (std::size_t i = 0; i < count; ++i) {
    while (!journal->append_raw(clock.now(), "head", body))
      std::this_thread::sleep_for(std::chrono::microseconds{200});
  }
  while (journal->stats().journal.records_durable < count)
    std::this_thread::sleep_for(std::chrono::microseconds{200});
  const double took = seconds_since(start);
  syncs = std::max<std::uint64_t>(1, journal->stats().journal.syncs);
  journal.reset();
  return took;
}

double plain_seconds(std::size_t total_bytes, std::uint64_t syncs) {
  const TemporaryDirectory temporary{place()};
  const auto& directory = temporary.path();
  // On a page's border: copying into the page cache from elsewhere is slower on some processors.
  constexpr std::size_t page = 4096;
  std::vector<char> memory(total_bytes / syncs + page, 'x');
  void* at = memory.data();
  std::size_t room = memory.size();
  std::align(page, total_bytes / syncs, at, room);
  const std::string_view piece{static_cast<const char*>(at), total_bytes / syncs};
  const Descriptor fd{::open((directory / "plain").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)};
  const auto start = Clock::now();
  for (std::uint64_t i = 0; i < syncs; ++i) {
    write_all(*fd, piece, directory);
    if (::fdatasync(*fd) != 0) throw_errno("sync", directory);
  }
  return seconds_since(start);
}

/// How much of what the disk gives does the journal keep: records of `range` bytes through the ring, the
/// machine and into synced segments, on one core, against write and fdatasync of as many bytes in as many
/// syncs. Alternating, so that both see the same disk; the figures are medians.
void sustained(benchmark::State& state) {
  const auto record_bytes = static_cast<std::size_t>(state.range(0));
  const std::size_t total = 256U << 20;
  const std::size_t count = total / record_bytes;
  const OneCore pinned;
  std::vector<double> ratios, journal_rates, plain_rates, cpu_per_record;
  double bytes_per_sync = 0;
  for ([[maybe_unused]] auto _ : state) {
    std::uint64_t syncs = 0;
    const double cpu_before = cpu_seconds();
    const double journal = journal_seconds(record_bytes, count, syncs);
    cpu_per_record.push_back((cpu_seconds() - cpu_before) / static_cast<double>(count) * 1e9);
    const double plain = plain_seconds(total, syncs);
    ratios.push_back(plain / journal);
    journal_rates.push_back(static_cast<double>(total) / journal / 1e6);
    plain_rates.push_back(static_cast<double>(total) / plain / 1e6);
    bytes_per_sync = static_cast<double>(total) / static_cast<double>(syncs);
    state.SetIterationTime(journal);
  }
  const auto median = [](std::vector<double>& values) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                     values.end());
    return values[values.size() / 2];
  };
  state.counters["ratio"] = median(ratios);
  state.counters["journal_MBps"] = median(journal_rates);
  state.counters["plain_MBps"] = median(plain_rates);
  state.counters["cpu_ns_per_record"] =
      median(cpu_per_record);  // of both threads, start and end of the journal too
  state.counters["bytes_per_sync"] = bytes_per_sync;
}
BENCHMARK(sustained)->Arg(500)->Arg(4096)->UseManualTime()->Iterations(5)->Unit(benchmark::kMillisecond);

/// What does one append cost the thread that appends, with the journal's thread at work beside it? p50 and
/// p99 of batches of 64, paced so that the ring never fills.
void append(benchmark::State& state) {
  const TemporaryDirectory temporary{place()};
  const auto& directory = temporary.path();
  const std::string body(static_cast<std::size_t>(state.range(0)), 'x');
  const RealClock clock;
  constexpr int batch = 64;
  std::vector<double> costs;
  {
    JournalWriter journal{directory, clock, options()};
    for ([[maybe_unused]] auto _ : state) {
      while (journal.stats().raw_waiting_bytes > (8U << 20)) std::this_thread::yield();
      const auto now = clock.now();
      const auto start = Clock::now();
      for (int i = 0; i < batch; ++i) benchmark::DoNotOptimize(journal.append_raw(now, "head", body));
      const double took = seconds_since(start);
      costs.push_back(took / batch * 1e9);
      state.SetIterationTime(took);
    }
  }
  std::sort(costs.begin(), costs.end());
  state.counters["p50_ns"] = costs[costs.size() / 2];
  state.counters["p99_ns"] = costs[costs.size() * 99 / 100];
}
BENCHMARK(append)->Arg(500)->Arg(4096)->UseManualTime()->Iterations(5000);

/// Checksums: the instruction and the table.
void checksum(benchmark::State& state) {
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(base::crc32c(bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum)->Arg(500)->Arg(4096);

void checksum_by_table(benchmark::State& state) {
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(base::crc32c_by_table(bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum_by_table)->Arg(4096);

}  // namespace
}  // namespace phoenix::io
