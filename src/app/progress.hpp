#pragma once

#include "base/time.hpp"
#include "io/clock.hpp"

#include <cstdint>
#include <cstdio>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

namespace phoenix::app {

/// One line on stderr, at most each second: what is done, and how much of it.
class Progress {
 public:
  explicit Progress(std::string_view what) : what_(what) {}
  void show(std::uint64_t done, std::uint64_t total) {
    const auto now = clock_.now();
    if (now < next_) return;
    next_ = now + base::seconds{1};
    const bool terminal = ::isatty(STDERR_FILENO) == 1;
    fmt::print(stderr, "{}{} {} %{}", terminal ? "\r" : "", what_, total == 0 ? 100 : done * 100 / total,
               terminal ? "" : "\n");
    shown_ = terminal;
  }
  ~Progress() {
    if (shown_) fmt::print(stderr, "\r{:20}\r", "");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  std::string_view what_;
  io::RealClock clock_;
  base::LocalTime next_ = clock_.now() + base::seconds{1};
  bool shown_ = false;
};

}  // namespace phoenix::app
