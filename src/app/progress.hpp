#pragma once

#include "base/time.hpp"
#include "io/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

namespace phoenix::app {

/// What is done, and how much of it, on stderr: on a terminal a bar that moves each second and is gone at the
/// end, elsewhere a plain line each ten seconds.
class Progress {
 public:
  explicit Progress(std::string_view what) : what_(what) {}
  void show(std::uint64_t done, std::uint64_t total) {
    const auto now = clock_.now();
    if (now < next_) return;
    next_ = now + interval();
    const auto percent = total == 0 ? 100 : done * 100 / total;
    if (is_terminal_) {
      fmt::print(stderr, "\r{} [{:.<{}}] {:3} %", what_, std::string(percent * bar_width / 100, '#'),
                 bar_width, percent);
      shown_ = true;
    } else {
      fmt::print(stderr, "{} {} %\n", what_, percent);
    }
  }
  ~Progress() {
    if (shown_) fmt::print(stderr, "\r{:{}}\r", "", what_.size() + bar_width + 9);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  static constexpr std::size_t bar_width = 30;
  base::Duration interval() const { return base::seconds{is_terminal_ ? 1 : 10}; }

  std::string_view what_;
  bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
  io::RealClock clock_;
  base::LocalTime next_ = clock_.now() + interval();
  bool shown_ = false;
};

}  // namespace phoenix::app
