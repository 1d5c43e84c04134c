#pragma once

#include "io/duck.hpp"
#include "io/signals.hpp"

#include <atomic>
#include <chrono>
#include <thread>

#include <poll.h>

namespace phoenix::app {

constexpr int interrupted_exit = 130;

/// Ends the statement that runs, and every one after it, when the user presses Ctrl-C.
class Interrupter {
 public:
  explicit Interrupter(io::Duck& duck)
      : thread_([this, &duck] {
          // Again and again: an interrupt between two statements is lost.
          while (!is_done_) {
            pollfd wait{.fd = signals_.fd(), .events = POLLIN, .revents = 0};
            if (signals_.raised()) {
              duck.interrupt();
              std::this_thread::sleep_for(std::chrono::milliseconds{20});
            } else {
              ::poll(&wait, 1, 50);
            }
          }
        }) {}
  ~Interrupter() {
    is_done_ = true;
    thread_.join();
  }
  Interrupter(const Interrupter&) = delete;
  Interrupter& operator=(const Interrupter&) = delete;
  bool raised() const { return signals_.raised(); }

 private:
  io::StopSignals signals_;
  std::atomic<bool> is_done_ = false;
  std::thread thread_;
};

}  // namespace phoenix::app
