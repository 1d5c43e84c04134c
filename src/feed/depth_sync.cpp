#include "feed/depth_sync.hpp"

#include "base/assert.hpp"
#include "base/canary.hpp"

#include <algorithm>

namespace phoenix::feed {

std::string_view name(SyncState state) {
  switch (state) {
    case SyncState::unsynced:
      return "unsynced";
    case SyncState::waiting_snapshot:
      return "waiting_snapshot";
    case SyncState::synced:
      return "synced";
  }
  return "unknown";
}

std::string_view name(BreakReason reason) {
  switch (reason) {
    case BreakReason::sequence_gap:
      return "sequence_gap";
    case BreakReason::buffer_overflow:
      return "buffer_overflow";
    case BreakReason::crossed_book:
      return "crossed_book";
    case BreakReason::disconnected:
      return "disconnected";
  }
  return "unknown";
}

namespace {

std::size_t level_count(const model::DepthDelta& delta) { return delta.bids.size() + delta.asks.size(); }

/// The ids by which a hole between `last_id` and `delta` is told.
struct HoleIds {
  std::int64_t expected = 0, was = 0;
};
HoleIds hole_ids(model::Product product, std::int64_t last_id, const model::DepthDelta& delta) {
  if (product == model::Product::spot) return {.expected = last_id + 1, .was = delta.first_id};
  return {.expected = last_id, .was = delta.prev_id.value_or(0)};
}

}  // namespace

DepthSync::Store::Store(std::size_t events_max, std::size_t levels_max)
    : events_max_(events_max), levels_max_(levels_max) {
  events_.reserve(events_max);
  levels_.reserve(levels_max);
}

bool DepthSync::Store::has_room_for(const model::DepthDelta& delta) const {
  return events_.size() < events_max_ && phoenix::feed::level_count(delta) <= levels_max_ - levels_.size();
}

void DepthSync::Store::push(const model::DepthDelta& delta, std::uint8_t line, base::LocalTime now) {
  PHX_ASSERT(has_room_for(delta), "a store is asked for room before it is filled");
  Stored& event = events_.emplace_back(Stored{.delta = delta,
                                              .line = line,
                                              .first_level = levels_.size(),
                                              .bid_count = delta.bids.size(),
                                              .ask_count = delta.asks.size(),
                                              .since = now});
  event.delta.bids = event.delta.asks = {};
  levels_.insert(levels_.end(), delta.bids.begin(), delta.bids.end());
  levels_.insert(levels_.end(), delta.asks.begin(), delta.asks.end());
}

model::DepthDelta DepthSync::Store::view(const Stored& event) const {
  const std::span<const model::Level> levels{levels_};
  model::DepthDelta delta = event.delta;
  delta.bids = levels.subspan(event.first_level, event.bid_count);
  delta.asks = levels.subspan(event.first_level + event.bid_count, event.ask_count);
  return delta;
}

void DepthSync::Store::erase(std::size_t index) {
  events_.erase(events_.begin() + static_cast<std::ptrdiff_t>(index));
}

void DepthSync::Store::compact() {
  std::size_t end = 0;
  for (Stored& event : events_) {
    const std::size_t count = event.bid_count + event.ask_count;
    if (event.first_level != end) {
      std::copy_n(levels_.begin() + static_cast<std::ptrdiff_t>(event.first_level), count,
                  levels_.begin() + static_cast<std::ptrdiff_t>(end));
      event.first_level = end;
    }
    end += count;
  }
  levels_.resize(end);
}

void DepthSync::Store::clear() {
  events_.clear();
  levels_.clear();
}

DepthSync::DepthSync(model::SymbolId symbol, model::Product product, DepthSyncOptions options)
    : symbol_(symbol),
      product_(product),
      options_(options),
      buffer_(options.events_max, options.levels_max),
      held_(options.held_max, options.held_levels_max) {
  PHX_ASSERT(options.events_max > 0 && options.levels_max > 0, "a sync buffer has room");
  PHX_ASSERT(options.backoff_min.count() > 0 && options.backoff_min <= options.backoff_max,
             "a backoff is positive and below its cap");
  PHX_ASSERT(options.hole_wait.count() >= 0, "a wait is not negative");
  snapshot_bids_.reserve(options.snapshot_levels_max);
  snapshot_asks_.reserve(options.snapshot_levels_max);
}

void DepthSync::line_up(std::size_t line) {
  lines_.at(line).up = true;
  lines_.at(line).last_id.reset();
}

void DepthSync::line_down(std::size_t line, base::LocalTime now, SyncActions& out) {
  if (!lines_.at(line).up) return;
  lines_[line].up = false;
  lines_[line].last_id.reset();
  if (std::ranges::none_of(lines_, &Line::up)) {
    on_disconnected(out);
    return;
  }
  begin_call();
  settle(now, out);
  proceed(now, out);
}

void DepthSync::on_delta(const model::DepthDelta& delta, std::size_t line, base::LocalTime now,
                         SyncActions& out) {
  PHX_ASSERT(line < lines_max, "a line's number is below the number of lines");
  const auto index = static_cast<std::uint8_t>(line);
  begin_call();
  expire_request(now, out);
  check_line(delta, index, out);
  take(delta, index, now, out);
  settle(now, out);
  proceed(now, out);
}

void DepthSync::on_snapshot(const model::DepthSnapshot& snapshot, base::LocalTime now, SyncActions& out) {
  begin_call();
  // Only an answer moves the deadline: snapshots nobody asked for must not put the next request off.
  if (awaiting_answer_) request_due_.reset();
  awaiting_answer_ = false;
  if (state_ == SyncState::synced || (snapshot_ && snapshot_->last_id >= snapshot.last_id)) {
    ++stats_.snapshots_unused;
    return;
  }
  keep(snapshot);
  state_ = SyncState::waiting_snapshot;
  try_join(now, out);
}

void DepthSync::on_snapshot_failed(base::LocalTime now) {
  if (!awaiting_answer_) return;
  awaiting_answer_ = false;
  request_due_.reset();
  if (state_ == SyncState::waiting_snapshot && !snapshot_) ask_later(now);
}

void DepthSync::on_crossed(SyncActions& out) {
  if (state_ != SyncState::synced) return;
  break_off(BreakReason::crossed_book, 0, 0, out);
  held_.clear();
  ++stats_.crossed;
}

void DepthSync::on_disconnected(SyncActions& out) {
  for (Line& line : lines_) {
    line.up = false;
    line.last_id.reset();
  }
  held_.clear();
  if (state_ == SyncState::unsynced) return;
  break_off(BreakReason::disconnected, 0, 0, out);
  snapshot_.reset();
  awaiting_answer_ = false;
  request_due_.reset();
  backoff_ = base::Duration{};
}

void DepthSync::expire(base::LocalTime now, SyncActions& out) {
  begin_call();
  expire_request(now, out);
  settle(now, out);
  proceed(now, out);
}

std::optional<base::LocalTime> DepthSync::next_deadline() const {
  const auto hold = hold_due();
  if (!hold || !request_due_) return hold ? hold : request_due_;
  return std::min(*hold, *request_due_);
}

/// Nobody looks any more at what the last call handed out.
void DepthSync::begin_call() {
  if (state_ == SyncState::synced) buffer_.clear();
  held_.compact();
}

/// A line's own deltas follow each other: what is missing was lost on this connection.
void DepthSync::check_line(const model::DepthDelta& delta, std::uint8_t line, SyncActions& out) {
  Line& own = lines_[line];
  own.up = true;
  if (own.last_id) {
    switch (venue::follow(product_, *own.last_id, delta)) {
      case venue::Follow::next:
        break;
      case venue::Follow::duplicate_or_stale:
        return;
      case venue::Follow::gap: {
        ++own.stats.holes;
        const HoleIds ids = hole_ids(product_, *own.last_id, delta);
        out.emplace_back(LineHole{.symbol = symbol_, .line = line, .expected = ids.expected, .was = ids.was});
        break;
      }
    }
  }
  own.last_id = delta.last_id;
}

/// Where `delta` stands to the merged chain; without a head any delta begins one.
venue::Follow DepthSync::place(const model::DepthDelta& delta) const {
  if (!head_) return venue::Follow::next;
  const auto where = venue::follow(product_, *head_, delta);
  if (base::planted(base::Canary::gap_ignored) && where == venue::Follow::gap) return venue::Follow::next;
  if (base::planted(base::Canary::depth_ids_by_equality) && where == venue::Follow::next &&
      delta.prev_id != head_)
    return venue::Follow::gap;
  return where;
}

void DepthSync::take(const model::DepthDelta& delta, std::uint8_t line, base::LocalTime now,
                     SyncActions& out) {
  // Each round gives up one hole: ends as soon as the delta follows, is old, or can wait.
  while (place(delta) == venue::Follow::gap) {
    if (is_closable()) {
      if (held_.has_room_for(delta)) {
        hold(delta, line, now);
        return;
      }
      ++stats_.holds_refused;
    }
    give_up_hole(held_.events().empty() ? delta : first_held().delta, now, out);
  }
  if (place(delta) == venue::Follow::duplicate_or_stale) {
    cover(delta, line);
    return;
  }
  accept(delta, line, now, out);
  const std::size_t held = held_.events().size();
  release_held(now, out);
  if (held_.events().size() < held) ++stats_.holes_closed;
}

void DepthSync::accept(const model::DepthDelta& delta, std::uint8_t line, base::LocalTime now,
                       SyncActions& out) {
  ++lines_[line].stats.accepted;
  if (state_ != SyncState::synced) {
    buffer(delta, line, now, out);
    return;
  }
  head_ = delta.last_id;
  ++stats_.applied;
  out.emplace_back(ApplyDelta{.delta = delta, .line = line});
}

void DepthSync::cover(const model::DepthDelta& delta, std::uint8_t line) {
  ++lines_[line].stats.covered;
  ++(delta.last_id == head_ ? stats_.duplicates : stats_.stale);
}

void DepthSync::hold(const model::DepthDelta& delta, std::uint8_t line, base::LocalTime now) {
  held_.push(delta, line, now);
  ++stats_.holds;
  stats_.held_high_water = std::max(stats_.held_high_water, held_.events().size());
  stats_.held_levels_high_water = std::max(stats_.held_levels_high_water, held_.level_count());
}

/// A line that is itself beyond the head has no more to say about what follows the head.
bool DepthSync::is_closable() const {
  return std::ranges::any_of(
      lines_, [this](const Line& line) { return line.up && (!line.last_id || *line.last_id <= *head_); });
}

/// Hands out what follows the head now, in order of ids, and drops what it covers.
void DepthSync::release_held(base::LocalTime now, SyncActions& out) {
  for (;;) {
    std::optional<std::size_t> next;
    for (std::size_t i = 0; i < held_.events().size();) {
      const Stored& event = held_.events()[i];
      const venue::Follow where = place(event.delta);
      if (where == venue::Follow::duplicate_or_stale) {
        cover(event.delta, event.line);
        held_.erase(i);
        continue;
      }
      if (where == venue::Follow::next &&
          (!next || event.delta.last_id < held_.events()[*next].delta.last_id)) {
        next = i;
      }
      ++i;
    }
    if (!next) return;
    const Stored event = held_.events()[*next];
    held_.erase(*next);
    accept(held_.view(event), event.line, now, out);
  }
}

/// The chain breaks before `beyond` and begins anew with what is held.
void DepthSync::give_up_hole(const model::DepthDelta& beyond, base::LocalTime now, SyncActions& out) {
  ++stats_.gaps;
  const HoleIds ids = hole_ids(product_, *head_, beyond);
  break_off(BreakReason::sequence_gap, ids.expected, ids.was, out);
  release_held(now, out);
}

/// Gives up the holes that no line can close any more, or not in time.
void DepthSync::settle(base::LocalTime now, SyncActions& out) {
  while (!held_.events().empty() && (now >= *hold_due() || !is_closable())) {
    give_up_hole(first_held().delta, now, out);
  }
}

const DepthSync::Stored& DepthSync::first_held() const {
  return *std::ranges::min_element(held_.events(), {},
                                   [](const Stored& event) { return event.delta.last_id; });
}

std::optional<base::LocalTime> DepthSync::hold_due() const {
  if (held_.events().empty()) return std::nullopt;
  return held_.events().front().since + options_.hole_wait;
}

/// The chain ends here: whatever comes next begins a new one.
void DepthSync::break_off(BreakReason reason, std::int64_t expected, std::int64_t was, SyncActions& out) {
  out.emplace_back(
      Broken{.symbol = symbol_, .reason = reason, .expected = expected, .was = was, .state = state_});
  buffer_.clear();
  head_.reset();
  state_ = SyncState::unsynced;
}

void DepthSync::buffer(const model::DepthDelta& delta, std::uint8_t line, base::LocalTime now,
                       SyncActions& out) {
  if (!buffer_.has_room_for(delta)) {
    ++stats_.overflows;
    break_off(BreakReason::buffer_overflow, 0, 0, out);
    if (!buffer_.has_room_for(delta)) return;
  }
  buffer_.push(delta, line, now);
  stats_.events_high_water = std::max(stats_.events_high_water, buffer_.events().size());
  stats_.levels_high_water = std::max(stats_.levels_high_water, buffer_.level_count());
  head_ = delta.last_id;
  state_ = SyncState::waiting_snapshot;
}

void DepthSync::expire_request(base::LocalTime now, SyncActions& out) {
  if (!request_due_ || now < *request_due_) return;
  request_due_.reset();
  awaiting_answer_ = false;
  if (state_ == SyncState::waiting_snapshot && !snapshot_) ask(now, out);
}

void DepthSync::proceed(base::LocalTime now, SyncActions& out) {
  if (state_ != SyncState::waiting_snapshot) return;
  try_join(now, out);
  if (state_ == SyncState::waiting_snapshot && !snapshot_ && !request_due_) ask(now, out);
}

void DepthSync::try_join(base::LocalTime now, SyncActions& out) {
  if (!snapshot_) return;
  const auto& events = buffer_.events();
  for (std::size_t i = 0; i < events.size(); ++i) {
    switch (venue::join(product_, snapshot_->last_id, events[i].delta)) {
      case venue::Join::stale:
        break;
      case venue::Join::joins:
        stats_.stale += i;
        become_synced(i, out);
        return;
      case venue::Join::snapshot_too_old:
        ++stats_.snapshots_too_old;
        snapshot_.reset();
        if (!request_due_) ask_later(now);
        return;
    }
  }
  // The snapshot is ahead of the stream: it waits for the delta that reaches it.
  stats_.stale += events.size();
  buffer_.clear();
}

void DepthSync::become_synced(std::size_t first_event, SyncActions& out) {
  out.emplace_back(ApplySnapshot{*snapshot_});
  for (std::size_t i = first_event; i < buffer_.events().size(); ++i) {
    const Stored& event = buffer_.events()[i];
    ++stats_.applied;
    out.emplace_back(ApplyDelta{.delta = buffer_.view(event), .line = event.line});
  }
  snapshot_.reset();
  request_due_.reset();
  awaiting_answer_ = false;
  backoff_ = base::Duration{};
  ++stats_.syncs;
  state_ = SyncState::synced;
}

/// Asks now, or as soon as the limit allows: answers that never come must not use up a minute.
void DepthSync::ask(base::LocalTime now, SyncActions& out) {
  constexpr base::Duration window = base::minutes{1}, spacing = base::seconds{10};
  auto& oldest = request_times_[next_request_slot_];
  const auto& newest = request_times_[(next_request_slot_ + requests_burst - 1) % requests_burst];
  if (oldest && now - *oldest < window && now - *newest < spacing) {
    request_due_ = std::min(*oldest + window, *newest + spacing);
    return;
  }
  oldest = now;
  next_request_slot_ = (next_request_slot_ + 1) % request_times_.size();
  ++stats_.snapshots_requested;
  awaiting_answer_ = true;
  request_due_ = now + options_.answer_timeout;
  out.emplace_back(RequestSnapshot{symbol_});
}

void DepthSync::ask_later(base::LocalTime now) {
  backoff_ = backoff_.count() == 0 ? options_.backoff_min : std::min(backoff_ * 2, options_.backoff_max);
  request_due_ = now + backoff_;
}

void DepthSync::keep(const model::DepthSnapshot& snapshot) {
  const auto copy = [this](std::span<const model::Level> from, std::vector<model::Level>& to) {
    const auto kept = from.first(std::min(from.size(), options_.snapshot_levels_max));
    stats_.snapshot_levels_cut += from.size() - kept.size();
    to.assign(kept.begin(), kept.end());
  };
  copy(snapshot.bids, snapshot_bids_);
  copy(snapshot.asks, snapshot_asks_);
  snapshot_ = snapshot;
  snapshot_->bids = snapshot_bids_;
  snapshot_->asks = snapshot_asks_;
}

}  // namespace phoenix::feed
