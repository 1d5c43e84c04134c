#pragma once

namespace phoenix::io {

/// SIGINT and SIGTERM as a flag and a readable descriptor, SIGPIPE ignored. One at a time per process; the
/// former handlers return at destruction. A second signal does not kill: leaving a safe state takes its time,
/// and the impatient have SIGKILL.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// Any thread. The first signal that came, 0 before.
  int signal() const;
  bool raised() const { return signal() != 0; }
  /// An eventfd, readable once a signal came; for poll and epoll. Do not read it.
  int fd() const;
};

}  // namespace phoenix::io
