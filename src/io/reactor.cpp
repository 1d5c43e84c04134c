#include "io/reactor.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

constexpr int wait_ms_max = 1000;

std::uint32_t epoll_bits(Interest interest) {
  switch (interest) {
    case Interest::none:
      return 0;
    case Interest::read:
      return EPOLLIN;
    case Interest::write:
      return EPOLLOUT;
    case Interest::read_write:
      return EPOLLIN | EPOLLOUT;
  }
  return 0;
}

[[noreturn]] void throw_errno(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

struct Reactor::Events {
  std::array<epoll_event, 64> items;
};

Reactor::Reactor(const RealClock& clock, Wait wait)
    : clock_{clock}, wait_{wait}, events_{std::make_unique<Events>()} {
  epoll_fd_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd_ < 0) throw_errno("epoll_create1");
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  if (wake_fd_ < 0 || ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &event) != 0) {
    const int error = errno;
    if (wake_fd_ >= 0) ::close(wake_fd_);
    ::close(epoll_fd_);
    errno = error;
    throw_errno("eventfd");
  }
}

Reactor::~Reactor() {
  adopted_.clear();
  retired_.clear();
  ::close(wake_fd_);
  ::close(epoll_fd_);
}

void Reactor::run(ReactorHost& host) {
  sigset_t pipe_only;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_only, nullptr);

  while (!stopping_.load(std::memory_order_acquire)) {
    host.turn(clock_.now());
    flush();
    int count = 0;
    if (wait_ == Wait::spin) {
      count = ::epoll_wait(epoll_fd_, events_->items.data(), static_cast<int>(events_->items.size()), 0);
    } else {
      // The exchange on both sides orders "I sleep, is there work?" against "here is work, do you sleep?".
      sleeping_.exchange(true);
      const bool busy = host.has_work() || stopping_.load(std::memory_order_acquire);
      count = ::epoll_wait(epoll_fd_, events_->items.data(), static_cast<int>(events_->items.size()),
                           busy ? 0 : timeout_ms(host));
      sleeping_.exchange(false);
    }
    dispatch(count);
    call_pending();
    fire_deadlines();
    flush();
    retired_.clear();
  }
}

void Reactor::stop() {
  stopping_.store(true, std::memory_order_release);
  wake();
}

void Reactor::wake() {
  if (!sleeping_.exchange(false)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
}

void Reactor::watch(Source& source, int fd, Interest interest) {
  const std::uint32_t bits = epoll_bits(interest);
  if (source.watched_fd_ == fd && source.interest_ == bits) return;
  PHX_ASSERT(source.watched_fd_ == fd || source.watched_fd_ < 0, "a source watches one descriptor at a time");
  epoll_event event{};
  event.events = bits;
  event.data.ptr = &source;
  const int operation = source.watched_fd_ == fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  const int rc = ::epoll_ctl(epoll_fd_, operation, fd, &event);
  PHX_ASSERT(rc == 0, "an open descriptor can be watched");
  source.watched_fd_ = fd;
  source.interest_ = bits;
}

void Reactor::unwatch(Source& source) {
  if (source.watched_fd_ < 0) return;
  ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, source.watched_fd_, nullptr);
  source.watched_fd_ = -1;
  source.interest_ = 0;
}

void Reactor::set_deadline(Source& source, std::optional<base::LocalTime> at) {
  if (source.deadline_ == at) return;
  if (source.deadline_) deadlines_.erase({*source.deadline_, &source});
  source.deadline_ = at;
  if (at) deadlines_.insert({*at, &source});
}

void Reactor::call_again(Source& source) {
  if (source.again_) return;
  source.again_ = true;
  again_.push_back(&source);
}

void Reactor::retire(std::unique_ptr<Source> source) {
  unwatch(*source);
  set_deadline(*source, std::nullopt);
  std::erase(again_, source.get());
  std::erase(flush_, source.get());
  std::replace(again_now_.begin(), again_now_.end(), source.get(), static_cast<Source*>(nullptr));
  std::replace(flush_now_.begin(), flush_now_.end(), source.get(), static_cast<Source*>(nullptr));
  retired_.push_back(std::move(source));
}

void Reactor::disown(Source& source) {
  const auto it = std::find_if(adopted_.begin(), adopted_.end(),
                               [&](const auto& adopted) { return adopted.get() == &source; });
  PHX_ASSERT(it != adopted_.end(), "a source disowned was adopted");
  auto taken = std::move(*it);
  adopted_.erase(it);
  retire(std::move(taken));
}

void Reactor::flush_soon(Source& source) {
  if (source.flush_) return;
  source.flush_ = true;
  flush_.push_back(&source);
}

int Reactor::timeout_ms(ReactorHost& host) const {
  if (!again_.empty() || !flush_.empty()) return 0;
  std::optional<base::LocalTime> next = host.next_deadline();
  if (!deadlines_.empty() && (!next || deadlines_.begin()->first < *next)) next = deadlines_.begin()->first;
  if (!next) return wait_ms_max;
  const auto left = std::chrono::ceil<base::milliseconds>(*next - clock_.now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, wait_ms_max));
}

void Reactor::dispatch(int count) {
  const auto now = clock_.now();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events_->items[static_cast<std::size_t>(i)];
    if (event.data.ptr == nullptr) {
      std::uint64_t drained = 0;
      [[maybe_unused]] const auto got = ::read(wake_fd_, &drained, sizeof drained);
      continue;
    }
    auto& source = *static_cast<Source*>(event.data.ptr);
    // Retired earlier in this turn: its memory is kept until the turn ends.
    if (source.watched_fd_ < 0) continue;
    const bool error_only = (event.events & (EPOLLIN | EPOLLOUT)) == 0;
    source.on_ready(error_only ? Source::Ready::error : Source::Ready::io, now);
  }
}

void Reactor::call_pending() {
  if (again_.empty()) return;
  again_now_.swap(again_);
  const auto now = clock_.now();
  for (std::size_t i = 0; i < again_now_.size(); ++i) {
    Source* source = again_now_[i];
    if (source == nullptr) continue;
    source->again_ = false;
    source->on_ready(Source::Ready::io, now);
  }
  again_now_.clear();
}

void Reactor::flush() {
  if (flush_.empty()) return;
  flush_now_.swap(flush_);
  const auto now = clock_.now();
  for (std::size_t i = 0; i < flush_now_.size(); ++i) {
    Source* source = flush_now_[i];
    if (source == nullptr) continue;
    source->flush_ = false;
    source->on_flush(now);
  }
  flush_now_.clear();
}

void Reactor::fire_deadlines() {
  if (deadlines_.empty()) return;
  const auto now = clock_.now();
  // A source that sets itself a deadline in the past again must not keep the loop here.
  std::size_t budget = deadlines_.size();
  while (budget-- > 0 && !deadlines_.empty() && deadlines_.begin()->first <= now) {
    Source* source = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    source->deadline_.reset();
    source->on_deadline(now);
  }
}

}  // namespace phoenix::io
