#include "ops/guard_rules.hpp"

#include <algorithm>
#include <string>

#include <fmt/format.h>

namespace phoenix::ops {
namespace {

std::string seconds_text(base::Duration d) {
  return fmt::format("{:.1f} s", static_cast<double>(d.count()) / 1e9);
}

std::pair<std::uint32_t, std::uint32_t> run_of(const std::optional<Progress>& progress) {
  return progress ? std::pair{progress->pid, progress->run_epoch} : std::pair{0U, 0U};
}

}  // namespace

std::string_view name(GuardState state) {
  switch (state) {
    case GuardState::watching:
      return "watching";
    case GuardState::clearing:
      return "clearing";
    case GuardState::tending:
      return "tending";
    case GuardState::killing:
      return "killing";
    case GuardState::fencing:
      return "fencing";
    case GuardState::waiting:
      return "waiting";
    case GuardState::starting:
      return "starting";
  }
  return "unknown";
}

bool Guard::is_well() const {
  return state_ == GuardState::watching && (left_cleanly_ || healthy_since_.has_value());
}

void Guard::step(const GuardInput& input, base::LocalTime now, std::vector<GuardAction>& out) {
  if (const auto* sight = std::get_if<GuardSight>(&input)) {
    look(*sight, now, out);
  } else if (const auto* list = std::get_if<OrdersListed>(&input)) {
    asked_ = Asked::nothing;
    listed(*list, now, out);
  } else if (const auto* failed = std::get_if<ListFailed>(&input)) {
    asked_ = Asked::nothing;
    list_failed(*failed, now, out);
  } else if (std::holds_alternative<CancelsAnswered>(input)) {
    asked_ = Asked::nothing;
    next_list_ = now;
  } else if (const auto* restart = std::get_if<RestartFailed>(&input)) {
    if (state_ == GuardState::starting) lose(fmt::format("the restart failed: {}", restart->why), now, out);
  }
}

void Guard::look(const GuardSight& sight, base::LocalTime now, Out& out) {
  sight_ = sight;
  // A record that was damaged by a write under way says nothing, neither that it moved nor that it did not.
  const bool moved = sight.progress && sight.progress != last_progress_;
  if (moved || !last_move_) {
    last_move_ = now;
    if (sight.progress) last_progress_ = sight.progress;
  }
  if (!sight.lock_holder) {
    if (!lock_free_since_) lock_free_since_ = now;
  } else if (lock_free_since_) {
    lock_free_since_.reset();
    last_move_ = now;  // a new process has its own time to say something
  }
  const bool alive = moved && sight.lock_holder && sight.progress->phase != RunPhase::finished &&
                     run_of(sight.progress) != settled_;
  const bool before_the_kill = state_ == GuardState::clearing || state_ == GuardState::tending;
  if (alive && before_the_kill) {
    out.emplace_back(GuardAlert{"it makes progress again"});
    healthy_since_ = now;
    return enter(GuardState::watching);
  }
  const bool after_the_kill = state_ == GuardState::fencing || state_ == GuardState::waiting;
  if (after_the_kill && sight.lock_holder) return somebody_started_it(now, out);
  switch (state_) {
    case GuardState::watching:
      return watch(sight, now, out);
    case GuardState::clearing:
    case GuardState::fencing:
      if (asked_ == Asked::nothing && next_list_ && now >= *next_list_) ask_list(out);
      if (state_ == GuardState::clearing && why_ == Why::lost && clear_until_ && now >= *clear_until_) {
        clear_until_.reset();
        out.emplace_back(GuardAlert{"orders could not be cancelled in time: they may rest"});
        if (options_.restart == GuardRestart::yes && sight.latch == GuardLatch::clear)
          begin_killing(now, out);
      }
      return;
    case GuardState::tending:
      return tend(sight, now, out);
    case GuardState::killing:
      return kill(sight, now, out);
    case GuardState::waiting:
      return wait(sight, now, out);
    case GuardState::starting:
      return await_start(sight, now, out);
  }
}

void Guard::watch(const GuardSight& sight, base::LocalTime now, Out& out) {
  if (sight.progress && sight.progress->phase == RunPhase::finished) {
    healthy_since_.reset();
    if (run_of(sight.progress) == settled_) return;
    out.emplace_back(
        GuardNote{fmt::format("process {} has left by itself: looking for leftovers", sight.progress->pid)});
    return begin_clearing(Why::clean_end, now, out);
  }
  if (!sight.lock_holder) {
    healthy_since_.reset();
    if (!last_progress_ || run_of(last_progress_) == settled_) return;
    return lose(fmt::format("process {} is gone without having left", last_progress_->pid), now, out);
  }
  if (now - *last_move_ > options_.progress_max) {
    return lose(fmt::format("process {} holds the account and has made no progress for {}",
                            *sight.lock_holder, seconds_text(now - *last_move_)),
                now, out);
  }
  if (!healthy_since_) healthy_since_ = now;
  left_cleanly_ = false;
  if (now - *healthy_since_ >= options_.healthy_after) backoff_steps_ = 0;
}

void Guard::lose(const std::string& what, base::LocalTime now, Out& out) {
  healthy_since_.reset();
  left_cleanly_ = false;
  out.emplace_back(GuardAlert{what});
  begin_clearing(Why::lost, now, out);
}

void Guard::begin_clearing(Why why, base::LocalTime now, Out& out) {
  enter(GuardState::clearing);
  why_ = why;
  list_failure_told_ = false;
  clear_until_ = now + options_.clear_max;
  next_list_ = now;
  if (asked_ == Asked::nothing) ask_list(out);
}

void Guard::ask_list(Out& out) {
  asked_ = Asked::list;
  next_list_.reset();
  out.emplace_back(ListOrders{});
}

void Guard::listed(const OrdersListed& list, base::LocalTime now, Out& out) {
  if (state_ != GuardState::clearing && state_ != GuardState::tending && state_ != GuardState::fencing)
    return;
  list_failure_told_ = false;
  CancelOrders cancel;
  for (const auto& order : list.orders) {
    if (order.id) cancel.orders.push_back({.id = *order.id, .symbol = order.symbol});
  }
  if (cancel.orders.empty()) return cleared(now, out);
  out.emplace_back(GuardNote{fmt::format("cancelling {} orders of ours", cancel.orders.size())});
  asked_ = Asked::cancel;
  out.emplace_back(std::move(cancel));
}

void Guard::list_failed(const ListFailed& failed, base::LocalTime now, Out& out) {
  next_list_ = now + options_.retry_interval;
  if (std::exchange(list_failure_told_, true)) return;
  out.emplace_back(GuardAlert{fmt::format("the venue does not list our orders: {}", failed.why)});
}

void Guard::cleared(base::LocalTime now, Out& out) {
  const bool restarts = options_.restart == GuardRestart::yes && sight_.latch == GuardLatch::clear;
  const bool nothing_can_follow = lock_free_since_ && now - *lock_free_since_ >= options_.recv_window;
  switch (state_) {
    case GuardState::clearing:
      if (why_ == Why::clean_end) {
        left_cleanly_ = true;
        settled_ = run_of(last_progress_);
        out.emplace_back(GuardNote{"the venue lists no order of ours"});
        return enter(GuardState::watching);
      }
      out.emplace_back(GuardNote{"the venue lists no order of ours"});
      if (restarts) return begin_killing(now, out);
      if (options_.restart == GuardRestart::yes)
        out.emplace_back(GuardAlert{"not restarted: the kill latch is set"});
      next_list_ = now + options_.recv_window;
      return enter(GuardState::tending);
    case GuardState::tending:
      next_list_ = now + options_.relist_interval;
      if (!nothing_can_follow) return;
      settled_ = run_of(last_progress_);
      out.emplace_back(GuardAlert{"it is down, and the venue lists no order of ours"});
      return enter(GuardState::watching);
    case GuardState::fencing:
      if (!nothing_can_follow) {
        next_list_ = lock_free_since_.value_or(now) + options_.recv_window;
        return;
      }
      return begin_waiting(now, out);
    case GuardState::watching:
    case GuardState::killing:
    case GuardState::waiting:
    case GuardState::starting:
      return;
  }
}

void Guard::tend(const GuardSight&, base::LocalTime now, Out& out) {
  if (asked_ == Asked::nothing && next_list_ && now >= *next_list_) ask_list(out);
}

void Guard::begin_killing(base::LocalTime now, Out& out) {
  enter(GuardState::killing);
  victim_ = sight_.lock_holder;
  next_kill_ = now;
  kill(sight_, now, out);
}

void Guard::kill(const GuardSight& sight, base::LocalTime now, Out& out) {
  if (!sight.lock_holder) {
    // What it sent with its last breath may still be under way: cancel now, and again when that is dead.
    enter(GuardState::fencing);
    if (asked_ == Asked::nothing) {
      ask_list(out);
    } else {
      next_list_ = now;
    }
    return;
  }
  if (sight.lock_holder != victim_) return somebody_started_it(now, out);
  if (now < *next_kill_) return;
  next_kill_ = now + options_.kill_interval;
  out.emplace_back(GuardAlert{fmt::format("killing process {}", *sight.lock_holder)});
  out.emplace_back(KillHolder{*sight.lock_holder});
}

void Guard::somebody_started_it(base::LocalTime now, Out& out) {
  out.emplace_back(GuardNote{"somebody else has started it"});
  settled_ = run_of(last_progress_);
  last_move_ = now;
  enter(GuardState::watching);
}

void Guard::begin_waiting(base::LocalTime now, Out& out) {
  std::erase_if(restart_times_, [&](base::LocalTime at) { return now - at > options_.restarts_window; });
  if (static_cast<int>(restart_times_.size()) >= options_.restarts_max) {
    const auto reason =
        fmt::format("guard: {} restarts within {} min did not help", restart_times_.size(),
                    std::chrono::duration_cast<base::minutes>(options_.restarts_window).count());
    out.emplace_back(LatchMaker{reason});
    return stay_down(reason, now, out);
  }
  const base::Duration backoff = std::min<base::Duration>(
      options_.backoff_max, options_.backoff_min * (1LL << std::min(backoff_steps_, 20)));
  restart_at_ = now + backoff;
  out.emplace_back(GuardNote{fmt::format("restarting in {}", seconds_text(backoff))});
  enter(GuardState::waiting);
}

void Guard::wait(const GuardSight& sight, base::LocalTime now, Out& out) {
  if (sight.latch == GuardLatch::set) return stay_down("the kill latch is set", now, out);
  if (now < *restart_at_) return;
  restart_times_.push_back(now);
  ++restarts_;
  ++backoff_steps_;
  settled_ = run_of(last_progress_);
  start_until_ = now + options_.start_max;
  out.emplace_back(GuardAlert{"restarting it"});
  out.emplace_back(RestartMaker{});
  enter(GuardState::starting);
}

void Guard::await_start(const GuardSight& sight, base::LocalTime now, Out& out) {
  if (sight.progress && run_of(sight.progress) != settled_) {
    out.emplace_back(GuardNote{fmt::format("process {} makes progress", sight.progress->pid)});
    healthy_since_ = now;
    return enter(GuardState::watching);
  }
  if (now >= *start_until_)
    lose(fmt::format("no progress within {} of the restart", seconds_text(options_.start_max)), now, out);
}

void Guard::stay_down(const std::string& what, base::LocalTime now, Out& out) {
  out.emplace_back(GuardAlert{fmt::format("staying down: {}", what)});
  next_list_ = now + options_.recv_window;
  enter(GuardState::tending);
}

}  // namespace phoenix::ops
