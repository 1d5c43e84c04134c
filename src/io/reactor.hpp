#pragma once

#include "base/time.hpp"
#include "io/clock.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace phoenix::io {

class Reactor;

/// Something the loop serves: a descriptor, a deadline, or both. Lives until `Reactor::retire`.
class Source {
 public:
  virtual ~Source() = default;
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  enum class Ready : std::uint8_t { io, error };
  virtual void on_ready(Ready ready, base::LocalTime now) = 0;
  virtual void on_deadline(base::LocalTime now) = 0;
  /// After `flush_soon`, once, at the end of the turn.
  virtual void on_flush(base::LocalTime now) = 0;

 private:
  friend class Reactor;
  int watched_fd_ = -1;
  std::uint32_t interest_ = 0;
  bool again_ = false;
  bool flush_ = false;
  std::optional<base::LocalTime> deadline_;
};

enum class Interest : std::uint8_t { none, read, write, read_write };

/// What the loop's owner does in each turn.
class ReactorHost {
 public:
  virtual ~ReactorHost() = default;
  /// Once per turn, before waiting.
  virtual void turn(base::LocalTime now) = 0;
  /// Whether `turn` has something to do at once; asked after every `wake` could be missed.
  virtual bool has_work() const = 0;
  /// Beside the deadlines of the sources.
  virtual std::optional<base::LocalTime> next_deadline() = 0;
};

/// One thread's loop over epoll, level triggered: a message that comes alone costs two system calls, its read
/// and the wait, where an edge-triggered loop needs a third to re-arm or to see that nothing is left. A
/// deadline fires up to 1 ms late.
class Reactor {
 public:
  enum class Wait : std::uint8_t { block, spin };

  /// Throws std::system_error.
  Reactor(const RealClock& clock, Wait wait);
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  /// Serves until `stop`, on the calling thread, which has SIGPIPE blocked from here on.
  void run(ReactorHost& host);
  /// Any thread.
  void stop();
  /// Any thread: descriptors of links that are open now.
  std::uint64_t sockets_open() const { return sockets_open_.load(std::memory_order_relaxed); }
  /// Any thread: a waiting loop takes a turn. Costs a system call only when it does wait.
  void wake();

  // The loop's thread only.
  base::LocalTime now() const { return clock_.now(); }
  void watch(Source& source, int fd, Interest interest);
  void unwatch(Source& source);
  void set_deadline(Source& source, std::optional<base::LocalTime> at);
  /// Calls on_ready again in the next turn: there is input left that the kernel does not know of.
  void call_again(Source& source);
  /// Calls on_flush before the loop waits: what one turn wrote leaves together, and a failing write is
  /// reported from the loop, not from inside the call that wrote.
  void flush_soon(Source& source);
  void count_socket_opened() { sockets_open_.fetch_add(1, std::memory_order_relaxed); }
  void count_socket_closed() { sockets_open_.fetch_sub(1, std::memory_order_relaxed); }
  /// Ends a source; it is destroyed after this turn, so that it may retire itself.
  void retire(std::unique_ptr<Source> source);
  /// Keeps a source that nobody else wants any more until it disowns itself.
  void adopt(std::unique_ptr<Source> source) { adopted_.push_back(std::move(source)); }
  /// Retires an adopted source.
  void disown(Source& source);
  /// Destroys the adopted ones; for the owner's end, after `run`.
  void disown_all() { adopted_.clear(); }

 private:
  int timeout_ms(ReactorHost& host) const;
  void dispatch(int count);
  void call_pending();
  void fire_deadlines();
  void flush();

  const RealClock& clock_;
  Wait wait_;
  int epoll_fd_ = -1;
  int wake_fd_ = -1;
  std::atomic<bool> sleeping_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> sockets_open_{0};
  struct Events;
  std::unique_ptr<Events> events_;
  std::set<std::pair<base::LocalTime, Source*>> deadlines_;
  std::vector<Source*> again_, again_now_, flush_, flush_now_;
  std::vector<std::unique_ptr<Source>> retired_, adopted_;
};

}  // namespace phoenix::io
