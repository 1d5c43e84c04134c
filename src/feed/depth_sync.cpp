#include "feed/depth_sync.hpp"

#include "base/assert.hpp"
#include "venue/book_sync.hpp"

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

DepthSync::DepthSync(model::SymbolId symbol, model::Product product, DepthSyncOptions options)
    : symbol_(symbol), product_(product), options_(options) {
  PHX_ASSERT(options.events_max > 0 && options.levels_max > 0, "a sync buffer has room");
  PHX_ASSERT(options.backoff_min.count() > 0 && options.backoff_min <= options.backoff_max,
             "a backoff is positive and below its cap");
  events_.reserve(options.events_max);
  levels_.reserve(options.levels_max);
  snapshot_bids_.reserve(options.snapshot_levels_max);
  snapshot_asks_.reserve(options.snapshot_levels_max);
}

void DepthSync::on_delta(const model::DepthDelta& delta, base::LocalTime now, SyncActions& out) {
  expire(now, out);
  if (state_ == SyncState::synced) {
    clear_buffer();  // what the last call handed out
    if (follows(delta, out)) {
      head_ = delta.last_id;
      ++stats_.applied;
      out.emplace_back(ApplyDelta{delta});
      return;
    }
    if (state_ == SyncState::synced) return;  // an old delta
  } else if (head_ && !follows(delta, out)) {
    if (head_) return;  // an old delta; after a gap there is no head
  }
  buffer(delta, out);
  try_join(now, out);
  if (state_ == SyncState::waiting_snapshot && !snapshot_ && !request_due_) ask(now, out);
}

void DepthSync::on_snapshot(const model::DepthSnapshot& snapshot, base::LocalTime now, SyncActions& out) {
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
  ++stats_.crossed;
}

void DepthSync::on_disconnected(SyncActions& out) {
  if (state_ == SyncState::unsynced) return;
  break_off(BreakReason::disconnected, 0, 0, out);
  snapshot_.reset();
  awaiting_answer_ = false;
  request_due_.reset();
  backoff_ = base::Duration{};
}

void DepthSync::expire(base::LocalTime now, SyncActions& out) {
  if (!request_due_ || now < *request_due_) return;
  request_due_.reset();
  awaiting_answer_ = false;
  if (state_ == SyncState::waiting_snapshot && !snapshot_) ask(now, out);
}

bool DepthSync::follows(const model::DepthDelta& delta, SyncActions& out) {
  switch (venue::follow(product_, *head_, delta)) {
    case venue::Follow::next:
      return true;
    case venue::Follow::duplicate_or_stale:
      ++(delta.last_id == *head_ ? stats_.duplicates : stats_.stale);
      return false;
    case venue::Follow::gap:
      break;
  }
  ++stats_.gaps;
  const bool spot = product_ == model::Product::spot;
  break_off(BreakReason::sequence_gap, spot ? *head_ + 1 : *head_,
            spot ? delta.first_id : delta.prev_id.value_or(0), out);
  return false;
}

/// The chain ends here: whatever comes next begins a new one.
void DepthSync::break_off(BreakReason reason, std::int64_t expected, std::int64_t was, SyncActions& out) {
  out.emplace_back(
      Broken{.symbol = symbol_, .reason = reason, .expected = expected, .was = was, .state = state_});
  clear_buffer();
  head_.reset();
  state_ = SyncState::unsynced;
}

void DepthSync::buffer(const model::DepthDelta& delta, SyncActions& out) {
  if (!has_room_for(delta)) {
    ++stats_.overflows;
    break_off(BreakReason::buffer_overflow, 0, 0, out);
    if (!has_room_for(delta)) return;
  }
  events_.push_back({.delta = delta,
                     .first_level = levels_.size(),
                     .bid_count = delta.bids.size(),
                     .ask_count = delta.asks.size()});
  events_.back().delta.bids = events_.back().delta.asks = {};
  levels_.insert(levels_.end(), delta.bids.begin(), delta.bids.end());
  levels_.insert(levels_.end(), delta.asks.begin(), delta.asks.end());
  stats_.events_high_water = std::max(stats_.events_high_water, events_.size());
  stats_.levels_high_water = std::max(stats_.levels_high_water, levels_.size());
  head_ = delta.last_id;
  state_ = SyncState::waiting_snapshot;
}

void DepthSync::try_join(base::LocalTime now, SyncActions& out) {
  if (!snapshot_) return;
  for (std::size_t i = 0; i < events_.size(); ++i) {
    switch (venue::join(product_, snapshot_->last_id, events_[i].delta)) {
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
  stats_.stale += events_.size();
  clear_buffer();
}

void DepthSync::become_synced(std::size_t first_event, SyncActions& out) {
  out.emplace_back(ApplySnapshot{*snapshot_});
  for (std::size_t i = first_event; i < events_.size(); ++i) {
    ++stats_.applied;
    out.emplace_back(ApplyDelta{view(events_[i])});
  }
  snapshot_.reset();
  request_due_.reset();
  awaiting_answer_ = false;
  backoff_ = base::Duration{};
  ++stats_.syncs;
  state_ = SyncState::synced;
}

/// Asks now, or as soon as the limit per minute allows.
void DepthSync::ask(base::LocalTime now, SyncActions& out) {
  constexpr base::Duration window = base::minutes{1};
  auto& oldest = request_times_[next_request_slot_];
  if (oldest && now - *oldest < window) {
    request_due_ = *oldest + window;
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

void DepthSync::clear_buffer() {
  events_.clear();
  levels_.clear();
}

bool DepthSync::has_room_for(const model::DepthDelta& delta) const {
  return events_.size() < options_.events_max &&
         delta.bids.size() + delta.asks.size() <= options_.levels_max - levels_.size();
}

model::DepthDelta DepthSync::view(const Buffered& event) const {
  const std::span<const model::Level> levels{levels_};
  model::DepthDelta delta = event.delta;
  delta.bids = levels.subspan(event.first_level, event.bid_count);
  delta.asks = levels.subspan(event.first_level + event.bid_count, event.ask_count);
  return delta;
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
