#include "feed/session.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace phoenix::feed {

using base::LocalTime;

Session::Session(SessionOptions options, std::uint64_t seed)
    : options_(std::move(options)),
      backoff_(options_.backoff, seed),
      delivered_(options_.streams.size(), 0) {}

void Session::start(LocalTime now, Actions& out) {
  PHX_ASSERT(state_ == State::idle || state_ == State::backing_off, "a session opens only what is closed");
  state_ = State::connecting;
  closing_ = false;
  deadline_ = now + options_.connect_timeout;
  subscribe_at_.reset();
  last_frame_.reset();
  std::fill(delivered_.begin(), delivered_.end(), 0);
  silent_ = options_.streams.size();
  subscribed_ = 0;
  ++opens_;
  out.push_back({.command = Command::open, .why = {}});
}

void Session::stop(Actions& out) {
  stopping_ = true;
  if (state_ == State::backing_off) {
    state_ = State::idle;
    deadline_.reset();
  } else if (state_ != State::idle) {
    close("stopping", out);
  }
}

void Session::opened(LocalTime now, Actions& out) {
  if (state_ != State::connecting || closing_) return;  // we gave it up while it was opening
  deadline_.reset();
  last_frame_ = now;
  if (options_.streams.empty()) {
    state_ = State::live;
    backoff_.succeeded();
    return;
  }
  state_ = State::open;
  subscribe_next(now, out);
}

void Session::subscribe_next(LocalTime now, Actions& out) {
  const std::size_t left = options_.streams.size() - subscribed_;
  const std::size_t count = std::min(left, static_cast<std::size_t>(options_.subscribe_names_max));
  out.push_back({.command = Command::subscribe, .why = {}, .first = subscribed_, .count = count});
  subscribed_ += count;
  if (all_subscribed()) {
    subscribe_at_.reset();
    deadline_ = now + options_.first_data_timeout;
  } else {
    subscribe_at_ = now + options_.subscribe_pause;
  }
}

void Session::frame(std::string_view stream, LocalTime now) {
  if (state_ != State::open && state_ != State::live) return;
  last_frame_ = now;
  if (silent_ == 0) return;
  const auto& names = options_.streams;
  std::size_t index = last_hit_;
  if (index >= names.size() || names[index] != stream) {
    index = static_cast<std::size_t>(std::find(names.begin(), names.end(), stream) - names.begin());
    if (index == names.size()) return;
  }
  last_hit_ = index + 1;
  if (delivered_[index] != 0) return;
  delivered_[index] = 1;
  if (--silent_ > 0) return;
  PHX_ASSERT(state_ == State::open, "the last first data makes an open session live");
  state_ = State::live;
  deadline_.reset();
  backoff_.succeeded();
}

void Session::closed(LocalTime now, Actions&) {
  if (state_ == State::idle || state_ == State::backing_off) return;
  subscribe_at_.reset();
  closing_ = false;
  if (stopping_) {
    state_ = State::idle;
    deadline_.reset();
    return;
  }
  state_ = State::backing_off;
  deadline_ = now + backoff_.next();
}

void Session::replace(std::string_view why, Actions& out) {
  if (state_ == State::connecting || state_ == State::open || state_ == State::live) close(why, out);
}

void Session::close(std::string_view why, Actions& out) {
  if (closing_) return;
  closing_ = true;
  deadline_.reset();
  subscribe_at_.reset();
  out.push_back({.command = Command::close, .why = why});
}

void Session::expire(LocalTime now, Actions& out) {
  if (closing_) return;
  if (subscribe_at_ && now >= *subscribe_at_) subscribe_next(now, out);
  if (deadline_ && now >= *deadline_) {
    deadline_.reset();
    switch (state_) {
      case State::backing_off:
        start(now, out);
        return;
      case State::connecting:
        close("connecting took too long", out);
        return;
      case State::open:
        close("a stream sent no first data", out);
        return;
      case State::idle:
      case State::live:
        break;
    }
  }
  if (state_ == State::live && options_.silence_max.count() > 0 &&
      now >= *last_frame_ + options_.silence_max) {
    close("no data on the connection", out);
  }
}

std::optional<LocalTime> Session::next_deadline() const {
  if (closing_) return std::nullopt;
  std::optional<LocalTime> next = deadline_;
  const auto consider = [&next](LocalTime t) {
    if (!next || t < *next) next = t;
  };
  if (subscribe_at_) consider(*subscribe_at_);
  if (state_ == State::live && options_.silence_max.count() > 0)
    consider(*last_frame_ + options_.silence_max);
  return next;
}

std::string_view name(Session::State state) {
  switch (state) {
    case Session::State::idle:
      return "idle";
    case Session::State::connecting:
      return "connecting";
    case Session::State::open:
      return "open";
    case Session::State::live:
      return "live";
    case Session::State::backing_off:
      break;
  }
  return "backing_off";
}

}  // namespace phoenix::feed
