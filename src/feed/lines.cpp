#include "feed/lines.hpp"

#include "base/assert.hpp"
#include "base/canary.hpp"

#include <algorithm>

namespace phoenix::feed {

using base::Duration;
using base::LocalTime;

Lines::Lines(LinesOptions options, std::uint64_t seed) : options_(options), rng_(seed) {
  PHX_ASSERT(options_.lines == 1 || options_.lines == 2, "a channel has one line or two");
}

void Lines::start(LocalTime now, Actions& out) {
  PHX_ASSERT(!running_, "lines start once");
  running_ = true;
  for (int i = 0; i < options_.lines; ++i) start_slot(free_slot(), "start", now, out);
  check();
}

void Lines::stop_all(Actions& out) {
  running_ = false;
  replacement_.reset();
  for (std::size_t slot = 0; slot < slots_count; ++slot) {
    if (slots_[slot].started) stop_slot(slot, "stopping", out);
  }
  check();
}

void Lines::ready(std::size_t slot, LocalTime now) {
  if (!slots_[slot].started || slots_[slot].ready) return;
  slots_[slot].ready = true;
  if (replacement_ && replacement_->to == slot) {
    // Where the old one delivers nothing there is nothing to overlap with.
    replacement_->finish_at = slots_[replacement_->from].ready ? now + options_.overlap : now;
  }
}

void Lines::gone(std::size_t slot, LocalTime now) {
  Slot& s = slots_[slot];
  if (!s.started) return;
  s.ready = false;
  // What its session opens next is young again; the new age counts from here, which is early by the backoff.
  if (s.renew_why.empty()) s.due = due_of_new(slot, now);
  if (!replacement_) return;
  if (replacement_->to == slot) replacement_->finish_at.reset();
  if (replacement_->from == slot && replacement_->finish_at) replacement_->finish_at = now;
}

void Lines::set_lines(int lines, LocalTime now, Actions& out) {
  PHX_ASSERT(lines == 1 || lines == 2, "a channel has one line or two");
  if (lines == options_.lines) return;
  options_.lines = lines;
  if (!running_) return;
  if (lines == 2) {
    start_slot(free_slot(), "one line more", now, out);
    check();
    return;
  }
  if (replacement_) {
    if (slots_[replacement_->to].ready) {
      finish(out);
    } else {
      stop_slot(replacement_->to, "one line fewer", out);
      replacement_.reset();  // what is due stays due
    }
  }
  // The line that delivers stays; of two equals the younger one.
  std::optional<std::size_t> leaves;
  for (std::size_t slot = 0; slot < slots_count; ++slot) {
    const Slot& s = slots_[slot];
    if (!s.started) continue;
    if (!leaves || (s.ready != slots_[*leaves].ready ? !s.ready : s.due < slots_[*leaves].due)) leaves = slot;
  }
  PHX_ASSERT(leaves.has_value(), "running lines have started slots");
  stop_slot(*leaves, "one line fewer", out);
  check();
}

void Lines::renew(std::string_view why, LocalTime now, Actions& out) {
  for (auto& slot : slots_) mark_for_renewal(slot, why, now);
  expire(now, out);
}

void Lines::renew_slot(std::size_t slot, std::string_view why, LocalTime now, Actions& out) {
  mark_for_renewal(slots_[slot], why, now);
  expire(now, out);
}

void Lines::mark_for_renewal(Slot& slot, std::string_view why, LocalTime now) {
  PHX_ASSERT(!why.empty(), "a renewal says why");
  if (!slot.started) return;
  slot.renew_why = why;
  slot.due = std::min(slot.due, now);
}

void Lines::expire(LocalTime now, Actions& out) {
  if (!running_) return;
  if (replacement_) {
    const Replacement r = *replacement_;
    if (r.finish_at && now >= *r.finish_at) {
      finish(out);
    } else if (!r.finish_at && now >= r.give_up_at) {
      stop_slot(r.to, "not ready in time", out);
      // Never twice at once; the jitter keeps channels that failed together apart.
      slots_[r.from].due =
          now + options_.replace_pause + Duration{rng_.between(0, options_.replace_pause.count() / 4)};
      replacement_.reset();
    }
  }
  if (!replacement_) {
    if (const auto slot = next_due(); slot && now >= slots_[*slot].due) replace(*slot, now, out);
  }
  check();
}

std::optional<LocalTime> Lines::next_deadline() const {
  if (!running_) return std::nullopt;
  if (replacement_) return replacement_->finish_at.value_or(replacement_->give_up_at);
  const auto slot = next_due();
  PHX_ASSERT(slot.has_value(), "running lines have started slots");
  return slots_[*slot].due;
}

int Lines::started() const {
  return static_cast<int>(
      std::count_if(slots_.begin(), slots_.end(), [](const Slot& s) { return s.started; }));
}

int Lines::ready_lines() const {
  return static_cast<int>(
      std::count_if(slots_.begin(), slots_.end(), [](const Slot& s) { return s.started && s.ready; }));
}

bool Lines::is_renewed() const {
  return std::all_of(slots_.begin(), slots_.end(),
                     [](const Slot& s) { return !s.started || s.renew_why.empty(); });
}

void Lines::start_slot(std::size_t slot, std::string_view why, LocalTime now, Actions& out) {
  slots_[slot] = Slot{.started = true, .ready = false, .due = due_of_new(slot, now), .renew_why = {}};
  out.push_back({.command = Command::start, .slot = slot, .why = why});
}

void Lines::stop_slot(std::size_t slot, std::string_view why, Actions& out) {
  slots_[slot] = Slot{};
  out.push_back({.command = Command::stop, .slot = slot, .why = why});
}

void Lines::replace(std::size_t slot, LocalTime now, Actions& out) {
  if (base::planted(base::Canary::session_adds) && started() == static_cast<int>(slots_count)) return;
  const std::size_t to = free_slot();
  replacement_ =
      Replacement{.from = slot, .to = to, .give_up_at = now + options_.replace_timeout, .finish_at = {}};
  start_slot(to, slots_[slot].renew_why.empty() ? "old age" : slots_[slot].renew_why, now, out);
}

void Lines::finish(Actions& out) {
  const std::size_t from = replacement_->from;
  replacement_.reset();
  if (!base::planted(base::Canary::session_adds)) stop_slot(from, "replaced", out);
}

std::size_t Lines::free_slot() const {
  const auto it = std::find_if(slots_.begin(), slots_.end(), [](const Slot& s) { return !s.started; });
  PHX_ASSERT(it != slots_.end(), "there is one slot more than lines");
  return static_cast<std::size_t>(it - slots_.begin());
}

/// The started slot whose replacement comes first. Only outside a replacement.
std::optional<std::size_t> Lines::next_due() const {
  std::optional<std::size_t> next;
  for (std::size_t slot = 0; slot < slots_count; ++slot) {
    if (slots_[slot].started && (!next || slots_[slot].due < slots_[*next].due)) next = slot;
  }
  return next;
}

/// A full age less up to 3 %, or half an age where another line is due in about the same time.
LocalTime Lines::due_of_new(std::size_t slot, LocalTime now) {
  const Duration age = options_.age_max;
  const Duration jitter{rng_.between(0, age.count() / 32)};
  for (std::size_t other = 0; other < slots_count; ++other) {
    if (other == slot || !slots_[other].started) continue;
    if (replacement_ && replacement_->from == other) continue;
    if (slots_[other].due > now + age - age / 4) return now + age / 2 - jitter;
  }
  return now + age - jitter;
}

void Lines::check() const {
  if (base::planted(base::Canary::session_adds)) return;
  PHX_ASSERT(started() == (running_ ? options_.lines + (replacement_ ? 1 : 0) : 0),
             "as many slots are started as lines, one more only during a replacement");
}

}  // namespace phoenix::feed
