#include "app/status_fill.hpp"

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <sys/resource.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

/// The value of a line "Key:  123 kB" of /proc/self/status; 0: not there.
std::uint64_t number_after(std::string_view text, std::string_view key) {
  const auto at = text.find(key);
  if (at == std::string_view::npos) return 0;
  std::uint64_t value = 0;
  for (const char c : text.substr(at + key.size())) {
    if (c >= '0' && c <= '9') {
      value = value * 10 + static_cast<std::uint64_t>(c - '0');
    } else if (value > 0 || c == '\n') {
      break;
    }
  }
  return value;
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

void fill_process(ops::Status& status) {
  auto& process = status.process;
  constexpr std::uint64_t bytes_per_kib = 1024;
  if (const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen("/proc/self/status", "re"),
                                                                 &std::fclose}) {
    std::array<char, 4096> buffer{};
    const std::string_view text{buffer.data(), std::fread(buffer.data(), 1, buffer.size(), file.get())};
    process.resident_bytes = number_after(text, "\nVmRSS:") * bytes_per_kib;
    process.virtual_bytes = number_after(text, "\nVmSize:") * bytes_per_kib;
    process.threads = static_cast<std::uint32_t>(number_after(text, "\nThreads:"));
  }
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0)
    process.cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
  process.open_files = 0;
  std::error_code ignored;
  for (std::filesystem::directory_iterator it{"/proc/self/fd", ignored}, end; it != end;
       it.increment(ignored))
    ++process.open_files;
}

void fill_config_watch(ops::Status& status, const ConfigWatch& watch) {
  status.configs_applied = watch.applied();
  status.configs_refused = watch.refused();
}

void fill_state_store(ops::Status& status, const io::StateStatus& store) {
  auto& to = status.state_store;
  to.active = true;
  to.written = store.written;
  to.repeated = store.repeated;
  to.unmatched = store.unmatched;
  to.batches = store.batches;
  to.failures = store.failures;
  to.waiting = store.waiting;
  to.dropped = store.queue.dropped;
  to.last_commit = store.last_commit;
  to.fault = base::ShortText<160>{std::string_view{store.fault}.substr(0, 160)};
}

}  // namespace phoenix::app
