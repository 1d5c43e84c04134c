#include "io/signals.hpp"

#include "base/assert.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <system_error>

#include <sys/eventfd.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

// Signal handlers reach nothing but globals; both are lock-free, as a handler needs.
std::atomic<int> raised_signal{0};
std::atomic<int> event_fd{-1};
struct sigaction former_int, former_term, former_pipe;

extern "C" void phoenix_on_stop_signal(int number) {
  const int error = errno;
  int none = 0;
  raised_signal.compare_exchange_strong(none, number);
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(event_fd.load(), &one, sizeof one);
  errno = error;
}

}  // namespace

StopSignals::StopSignals() {
  PHX_ASSERT(event_fd.load() < 0, "a process has one StopSignals");
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  raised_signal.store(0);
  event_fd.store(fd);
  struct sigaction action{};
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  action.sa_handler = phoenix_on_stop_signal;
  ::sigaction(SIGINT, &action, &former_int);
  ::sigaction(SIGTERM, &action, &former_term);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, &former_pipe);
}

StopSignals::~StopSignals() {
  ::sigaction(SIGINT, &former_int, nullptr);
  ::sigaction(SIGTERM, &former_term, nullptr);
  ::sigaction(SIGPIPE, &former_pipe, nullptr);
  ::close(event_fd.exchange(-1));
}

int StopSignals::signal() const { return raised_signal.load(); }
int StopSignals::fd() const { return event_fd.load(); }

}  // namespace phoenix::io
