#include "venue/rate_budget.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace phoenix::venue {
namespace {

std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

std::size_t ring_index(std::int64_t slice, std::int64_t size) {
  return static_cast<std::size_t>(slice - floor_divide(slice, size) * size);
}

}  // namespace

std::int64_t RateBudget::Limiter::slice_at(base::VenueTime time) const {
  return std::max(newest, floor_divide(base::ns_of(time), slice_ns()));
}

std::int64_t RateBudget::Limiter::used_at(std::int64_t slice) const {
  const std::int64_t back = window == Window::fixed ? 0 : slices;
  std::int64_t sum = 0;
  for (std::int64_t s = slice - back; s <= slice; ++s) {
    if (s > newest - slices - 1 && s <= newest + 1) sum += counts[ring_index(s, held)];
  }
  return sum;
}

std::int64_t& RateBudget::Limiter::count_of(std::int64_t slice) {
  PHX_ASSERT(slice == newest || slice == newest + 1, "requests count in the running slice or the next one");
  return counts[ring_index(slice, held)];
}

void RateBudget::Limiter::advance_to(std::int64_t slice) {
  if (slice <= newest) return;
  for (std::int64_t s = std::max(newest + 2, slice + 2 - held); s <= slice + 1; ++s)
    counts[ring_index(s, held)] = 0;
  newest = slice;
}

/// The earliest time at which `cost` fits; `now` when it does already.
base::VenueTime RateBudget::Limiter::free_at(std::int64_t cost, std::int64_t allowance,
                                             base::VenueTime now) const {
  if (cost > limit.limit) return base::VenueTime::max();
  const std::int64_t current = slice_at(now);
  for (std::int64_t s = current;; ++s) {
    const std::int64_t used = used_at(s);
    // A cost above the routine share goes when nothing else does.
    if (used == 0 || used + cost <= allowance) return s == current ? now : start_of(s);
  }
}

RateBudget::RateBudget(RateBudgetOptions options) : options_{options} {
  PHX_ASSERT(options.routine_percent >= 1 && options.routine_percent <= 100,
             "the routine share is within 1..100 %");
}

std::size_t RateBudget::set_limits(std::span<const RateLimit> limits, base::VenueTime now) {
  base::StaticVector<Limiter, limits_max> taken;
  for (const auto& limit : limits) {
    if (taken.full()) break;
    if (limit.limit <= 0 || limit.interval < base::milliseconds{1}) continue;
    const auto same = [&](const Limiter& l) {
      return l.limit.kind == limit.kind && l.limit.interval == limit.interval;
    };
    if (std::ranges::any_of(taken, same)) continue;
    const auto* const old = std::ranges::find_if(limiters_, same);
    Limiter limiter = old != limiters_.end() ? *old : Limiter{};
    limiter.limit = limit;
    limiter.window = limit.kind == LimitKind::orders ? options_.order_window : Window::fixed;
    limiter.advance_to(limiter.slice_at(now));
    taken.push_back(limiter);
  }
  limiters_ = taken;
  return limiters_.size();
}

int RateBudget::cost_for(const RateLimit& limit, const Cost& cost) {
  switch (limit.kind) {
    case LimitKind::weight:
      return cost.weight;
    case LimitKind::orders:
      return limit.interval <= base::seconds{10} ? cost.orders_short : cost.orders_long;
    case LimitKind::requests:
      return 1;
  }
  return 0;
}

std::optional<base::VenueTime> RateBudget::blocked_until(const Cost& cost, Priority priority,
                                                         base::VenueTime now) const {
  base::VenueTime until = std::max(now, all_blocked_until_);
  if (cost.orders_short != 0 || cost.orders_long != 0) until = std::max(until, orders_blocked_until_);
  for (const auto& limiter : limiters_) {
    const std::int64_t limit = limiter.limit.limit;
    const std::int64_t wanted = cost_for(limiter.limit, cost);
    if (wanted == 0) continue;
    const std::int64_t allowance =
        priority == Priority::vital ? limit : limit * options_.routine_percent / 100;
    until = std::max(until, limiter.free_at(wanted, allowance, now));
  }
  if (until == now) return std::nullopt;
  return until;
}

void RateBudget::spend(const Cost& cost, base::VenueTime now) {
  for (auto& limiter : limiters_) {
    const std::int64_t slice = limiter.slice_at(now);
    limiter.advance_to(slice);
    const int wanted = cost_for(limiter.limit, cost);
    limiter.count_of(slice) += wanted;
    // The venue counts when it arrives. (A sliding window already counts a slice longer than it has to.)
    const bool may_arrive_later =
        limiter.window == Window::fixed && limiter.slice_at(now + options_.transit_max) > slice;
    if (may_arrive_later) limiter.count_of(slice + 1) += wanted;
  }
}

void RateBudget::observe(const Usage& usage, base::VenueTime sent, base::VenueTime now) {
  if (usage.count < 0) return;
  for (auto& limiter : limiters_) {
    if (limiter.limit.kind != usage.kind || limiter.limit.interval != usage.interval) continue;
    const std::int64_t interval = limiter.limit.interval.count();
    if (floor_divide(base::ns_of(sent), interval) != floor_divide(base::ns_of(now), interval)) return;
    // After the clock stepped back it is not known which window this is about.
    if (floor_divide(base::ns_of(now), limiter.slice_ns()) < limiter.newest) return;
    const std::int64_t slice = limiter.slice_at(now);
    limiter.advance_to(slice);
    const std::int64_t missing = usage.count - limiter.used_at(slice);
    if (missing > 0) limiter.count_of(slice) += missing;
    return;
  }
}

const RateBudget::Limiter* RateBudget::fullest(LimitKind kind, base::VenueTime now) const {
  const Limiter* best = nullptr;
  const auto share = [&](const Limiter& l) { return l.used_at(l.slice_at(now)) * 1000 / l.limit.limit; };
  for (const auto& limiter : limiters_) {
    if (limiter.limit.kind == kind && (best == nullptr || share(limiter) > share(*best))) best = &limiter;
  }
  return best;
}

void RateBudget::refused(LimitKind kind, std::optional<base::Duration> retry_after, base::VenueTime now) {
  base::VenueTime until = now + options_.backoff_without_hint;
  if (retry_after) {
    until = now + *retry_after;
  } else if (const auto* limiter = fullest(kind, now)) {
    until = kind == LimitKind::orders ? now + limiter->limit.interval
                                      : limiter->start_of(limiter->slice_at(now) + 1);
  }
  auto& blocked = kind == LimitKind::orders ? orders_blocked_until_ : all_blocked_until_;
  blocked = std::max(blocked, until);
}

void RateBudget::banned_until(base::VenueTime until) {
  all_blocked_until_ = std::max(all_blocked_until_, until);
}

int RateBudget::used(LimitKind kind, base::Duration interval, base::VenueTime now) const {
  for (const auto& limiter : limiters_) {
    if (limiter.limit.kind == kind && limiter.limit.interval == interval) {
      return static_cast<int>(limiter.used_at(limiter.slice_at(now)));
    }
  }
  return 0;
}

int RateBudget::used_percent(LimitKind kind, base::VenueTime now) const {
  const Limiter* const limiter = fullest(kind, now);
  if (limiter == nullptr) return 0;
  const std::int64_t limit = limiter->limit.limit;
  return static_cast<int>((limiter->used_at(limiter->slice_at(now)) * 100 + limit - 1) / limit);
}

}  // namespace phoenix::venue
