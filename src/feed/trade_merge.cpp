#include "feed/trade_merge.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <utility>

namespace phoenix::feed {

TradeMerge::TradeMerge(model::SymbolId symbol, TradeMergeOptions options)
    : symbol_(symbol), options_(std::move(options)), last_id_(options_.resume_after) {
  PHX_ASSERT(options_.backoff_min.count() > 0 && options_.backoff_min <= options_.backoff_max,
             "a backoff is positive and below its cap");
  PHX_ASSERT(options_.hole_wait.count() >= 0, "a wait is not negative");
  PHX_ASSERT(options_.fetch_max > 0, "an answer holds a trade");
  std::int64_t below = -1;
  for (const auto& range : options_.resume_missing) {
    PHX_ASSERT(last_id_ && range.from > below && range.from <= range.to && range.to < *last_id_,
               "what an earlier run missed is ascending and lies below its last id");
    below = range.to;
    holes_.push_back({range.from, range.to, base::LocalTime{}});
  }
}

void TradeMerge::on_trade(const model::AggTrade& trade, std::size_t line, base::LocalTime now,
                          TradeActions& out) {
  Line& own = lines_.at(line);
  own.up = true;
  if (trade.id < 0) {
    ++stats_.bad_ids;
  } else if (!last_id_ || trade.id > *last_id_) {
    if (last_id_ && trade.id - 1 > *last_id_) open_hole(*last_id_ + 1, trade.id - 1, now, out);
    last_id_ = trade.id;
    ++own.stats.accepted;
    out.emplace_back(AcceptTrade{.trade = trade, .line = static_cast<std::uint8_t>(line)});
  } else if (take_from_hole(trade.id, out)) {
    ++own.stats.accepted;
    ++stats_.late;
    out.emplace_back(AcceptTrade{.trade = trade, .line = static_cast<std::uint8_t>(line)});
  } else {
    ++own.stats.covered;
  }
  expire(now, out);
}

void TradeMerge::on_fetched(std::span<const model::AggTrade> trades, std::int64_t asked_from,
                            base::LocalTime now, TradeActions& out) {
  PHX_ASSERT(asked_from >= 0, "only ids that were missing are asked for");
  const std::size_t actions_before = out.size();
  std::int64_t last = asked_from;
  // Asked for what lies beyond everything known: nobody else may bring it for long.
  const bool beyond = last_id_ && asked_from > *last_id_;
  for (const model::AggTrade& trade : trades) {
    if (trade.id < asked_from) {
      ++stats_.fetched_covered;
      continue;
    }
    last = std::max(last, trade.id);
    if (beyond && trade.id > *last_id_) {
      if (trade.id - 1 > *last_id_) open_hole(*last_id_ + 1, trade.id - 1, now, out);
      last_id_ = trade.id;
      ++stats_.repaired;
      out.emplace_back(AcceptTrade{.trade = trade, .line = std::nullopt});
      continue;
    }
    if (!take_from_hole(trade.id, out)) {
      ++stats_.fetched_covered;
      continue;
    }
    ++stats_.repaired;
    out.emplace_back(AcceptTrade{.trade = trade, .line = std::nullopt});
  }
  // The venue answers in order of ids: what it left out below its last one does not exist.
  lose_within(asked_from, last - 1, out);

  if (asked_from_ == asked_from) {
    asked_from_.reset();
    request_due_.reset();
    if (out.size() == actions_before && !holes_.empty()) {
      ++stats_.fetches_failed;
      retry_later(now);
    } else {
      backoff_ = base::Duration{};
      asks_ = 0;
    }
  }
  expire(now, out);
}

void TradeMerge::fetch_failed(base::LocalTime now) {
  if (!asked_from_) return;
  asked_from_.reset();
  ++stats_.fetches_failed;
  retry_later(now);
}

void TradeMerge::expire(base::LocalTime now, TradeActions& out) {
  while (!holes_.empty() && now >= holes_.front().since + options_.give_up_after && was_asked_enough())
    lose_oldest(out);
  if (holes_.empty() || (request_due_ && now < *request_due_)) return;
  if (asked_from_) {
    fetch_failed(now);
    return;
  }
  request_due_.reset();
  if (now < holes_.front().since + wait()) return;
  // Holes that lie near each other share one request.
  const std::int64_t from = holes_.front().from;
  std::int64_t count = 0;
  for (const Hole& hole : holes_) {
    if (now < hole.since + wait() || hole.from - from >= options_.fetch_max) break;
    count = std::min(hole.to - from, options_.fetch_max - 1) + 1;
  }
  asked_from_ = from;
  ++asks_;
  request_due_ = now + options_.answer_timeout;
  ++stats_.fetches;
  out.emplace_back(FetchTrades{.symbol = symbol_, .from_id = from, .to_id = from + count - 1});
}

std::optional<base::LocalTime> TradeMerge::next_deadline() const {
  if (holes_.empty()) return std::nullopt;
  const base::LocalTime oldest = holes_.front().since;
  const base::LocalTime ask = request_due_.value_or(oldest + wait());
  return was_asked_enough() ? std::min(ask, oldest + options_.give_up_after) : ask;
}

/// Time alone loses nothing: a process that stood still has not asked yet.
bool TradeMerge::was_asked_enough() const { return asks_ >= asks_min; }

std::optional<std::int64_t> TradeMerge::complete_to() const {
  return holes_.empty() ? last_id_ : std::optional{holes_.front().from - 1};
}

base::StaticVector<TradeRange, TradeMerge::holes_max> TradeMerge::missing_ranges() const {
  base::StaticVector<TradeRange, holes_max> ranges;
  for (const Hole& hole : holes_) ranges.push_back({hole.from, hole.to});
  return ranges;
}

std::uint64_t TradeMerge::missing() const {
  std::uint64_t all = 0;
  for (const Hole& hole : holes_) all += static_cast<std::uint64_t>(hole.to - hole.from) + 1;
  return all;
}

/// Above all others.
void TradeMerge::open_hole(std::int64_t from, std::int64_t to, base::LocalTime now, TradeActions& out) {
  if (holes_.full()) {
    ++stats_.holes_dropped;
    lose_oldest(out);
  }
  if (holes_.empty()) asks_ = 0;
  holes_.push_back({.from = from, .to = to, .since = now});
  ++stats_.holes;
  stats_.holes_high_water = std::max(stats_.holes_high_water, holes_.size());
}

/// Whether `id` was missing; it is not any more.
bool TradeMerge::take_from_hole(std::int64_t id, TradeActions& out) {
  for (std::size_t i = 0; i < holes_.size(); ++i) {
    if (id < holes_[i].from || id > holes_[i].to) continue;
    cut(i, id, id, out);
    return true;
  }
  return false;
}

/// Takes [from, to], which lies within hole `index`, out of it. What is left may be two holes; with the list
/// full the oldest part is lost.
void TradeMerge::cut(std::size_t index, std::int64_t from, std::int64_t to, TradeActions& out) {
  const Hole hole = holes_[index];
  PHX_ASSERT(hole.from <= from && from <= to && to <= hole.to, "what is cut out lies within its hole");
  if (from == hole.from && to == hole.to) {
    holes_.erase_at(index);
    return;
  }
  holes_[index].from = to + 1;
  if (from == hole.from) return;
  if (to == hole.to) {
    holes_[index] = {.from = hole.from, .to = from - 1, .since = hole.since};
    return;
  }
  if (holes_.full()) {
    ++stats_.holes_dropped;
    if (index == 0) {
      tell_lost(hole.from, from - 1, out);
      return;
    }
    lose_oldest(out);
    --index;
  }
  holes_.push_back({.from = hole.from, .to = from - 1, .since = hole.since});
  std::rotate(holes_.begin() + index, holes_.end() - 1, holes_.end());
  stats_.holes_high_water = std::max(stats_.holes_high_water, holes_.size());
}

/// What is missing in [from, to] will not come.
void TradeMerge::lose_within(std::int64_t from, std::int64_t to, TradeActions& out) {
  for (std::size_t i = 0; i < holes_.size();) {
    const std::int64_t first = std::max(from, holes_[i].from);
    const std::int64_t last = std::min(to, holes_[i].to);
    if (first > last) {
      ++i;
      continue;
    }
    tell_lost(first, last, out);
    cut(i, first, last, out);
    i = 0;  // the list may have moved
  }
}

void TradeMerge::lose_oldest(TradeActions& out) {
  tell_lost(holes_.front().from, holes_.front().to, out);
  holes_.erase_at(0);
}

void TradeMerge::tell_lost(std::int64_t from, std::int64_t to, TradeActions& out) {
  stats_.lost += static_cast<std::uint64_t>(to - from) + 1;
  out.emplace_back(TradesLost{.symbol = symbol_, .from_id = from, .to_id = to});
}

void TradeMerge::retry_later(base::LocalTime now) {
  backoff_ = backoff_.count() == 0 ? options_.backoff_min : std::min(backoff_ * 2, options_.backoff_max);
  request_due_ = now + backoff_;
}

/// With one line nobody else can bring what is missing.
base::Duration TradeMerge::wait() const {
  return std::ranges::count_if(lines_, &Line::up) >= 2 ? options_.hole_wait : base::Duration{};
}

}  // namespace phoenix::feed
