#include "order/dead_man_switch.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace phoenix::order {

namespace {

constexpr std::int64_t refreshes_per_countdown = 3;

}  // namespace

base::Result<SwitchPlan, SwitchMisfit> plan_switch(const SwitchOptions& options, const SwitchLoad& load) {
  PHX_ASSERT(options.share_percent > 0 && options.share_percent <= 100, "a share is 1 to 100 percent");
  PHX_ASSERT(options.refresh_min.count() > 0, "a refresh interval is positive");
  PHX_ASSERT(load.weight_per_refresh > 0, "a refresh costs weight");
  // Within one refresh interval each symbol costs its weight once:
  // symbols * weight <= limit per minute * share * interval.
  const std::int64_t share = std::int64_t{std::max(load.weight_limit_per_minute, 0)} * options.share_percent;
  const std::int64_t cost_ms = std::int64_t{load.weight_per_refresh} * 60'000 * 100;
  const auto symbols = static_cast<std::int64_t>(load.symbols);
  SwitchMisfit misfit{.countdown_max = options.countdown_max, .symbols = load.symbols};
  if (share == 0) return base::fail(misfit);

  const base::Duration affordable = base::milliseconds{(symbols * cost_ms + share - 1) / share};
  const SwitchPlan plan{
      .refresh = std::max(options.refresh_min, affordable),
      .countdown = std::max(options.countdown_min,
                            refreshes_per_countdown * std::max(options.refresh_min, affordable))};
  if (plan.countdown <= options.countdown_max) return plan;
  misfit.refresh_needed = plan.refresh;
  misfit.countdown_needed = plan.countdown;
  const base::Duration refresh_max = options.countdown_max / refreshes_per_countdown;
  if (options.refresh_min <= refresh_max && options.countdown_min <= options.countdown_max) {
    misfit.symbols_max = static_cast<std::size_t>(
        std::chrono::floor<base::milliseconds>(refresh_max).count() * share / cost_ms);
  }
  return base::fail(misfit);
}

DeadManSwitch::DeadManSwitch(SwitchPlan plan, SwitchTimers timers) : plan_(plan), timers_(timers) {
  PHX_ASSERT(plan.refresh.count() > 0 && refreshes_per_countdown * plan.refresh <= plan.countdown,
             "a countdown outlasts two lost refreshes");
  PHX_ASSERT(timers.retry_after.count() > 0, "a retry waits");
  PHX_ASSERT(timers.margin.count() >= 0 && timers.margin < plan.countdown - plan.refresh,
             "a countdown outlasts a refresh interval and the margin");
}

void DeadManSwitch::set_phase(base::Duration phase) {
  PHX_ASSERT(phase.count() >= 0 && phase <= plan_.refresh, "a phase lies within the refresh interval");
  phase_ = phase;
}

bool DeadManSwitch::wants_refresh(Health health, base::LocalTime now) const {
  return health == Health::healthy && !disarming_ && may_send(now);
}

void DeadManSwitch::refresh_sent(base::LocalTime now) {
  PHX_ASSERT(!disarming_, "no refresh is sent once the switch is to be disarmed");
  last_sent_ = now;
  under_way_ = true;
  next_request_ = now + timers_.retry_after;
}

void DeadManSwitch::refresh_accepted(base::LocalTime sent_at) {
  if (armed_from_ && sent_at <= *armed_from_) return;
  const bool was_armed = is_armed(sent_at);
  armed_from_ = sent_at;
  if (disarm_sent_ || sent_at != last_sent_) return;
  under_way_ = false;
  if (disarming_) {
    next_request_.reset();
    return;
  }
  const bool first = !was_armed && phase_.count() != 0;
  next_request_ = sent_at + (first ? phase_ : plan_.refresh);
}

void DeadManSwitch::failed(base::LocalTime now) {
  under_way_ = false;
  next_request_ = now + timers_.retry_after;
}

void DeadManSwitch::begin_disarm() {
  disarming_ = true;
  if (!under_way_) next_request_.reset();
}

bool DeadManSwitch::wants_disarm(base::LocalTime now) const {
  return disarming_ && !is_disarmed() && may_send(now);
}

void DeadManSwitch::disarm_sent(base::LocalTime now) {
  PHX_ASSERT(disarming_, "a switch is disarmed only when that was begun");
  disarm_sent_ = true;
  under_way_ = true;
  next_request_ = now + timers_.retry_after;
}

void DeadManSwitch::disarm_accepted() {
  PHX_ASSERT(disarm_sent_, "only what was sent is accepted");
  disarmed_ = true;
  under_way_ = false;
}

bool DeadManSwitch::is_armed(base::LocalTime now) const {
  const auto end = lapses_at();
  return end && now < *end;
}

std::optional<base::LocalTime> DeadManSwitch::lapses_at() const {
  // The venue may have stopped the countdown as soon as we asked it to.
  if (!armed_from_ || disarm_sent_) return std::nullopt;
  return *armed_from_ + plan_.countdown - timers_.margin;
}

std::optional<SwitchChange> DeadManSwitch::take_change(base::LocalTime now) {
  if (disarmed_) {
    if (told_disarmed_) return std::nullopt;
    told_disarmed_ = true;
    return SwitchChange::disarmed;
  }
  if (disarm_sent_ || is_armed(now) == told_armed_) return std::nullopt;
  told_armed_ = !told_armed_;
  return told_armed_ ? SwitchChange::armed : SwitchChange::lapsed;
}

std::optional<base::LocalTime> DeadManSwitch::next_deadline(Health health) const {
  std::optional<base::LocalTime> next;
  if (disarming_ ? !is_disarmed() : health == Health::healthy) {
    next = next_request_.value_or(base::LocalTime{});
  }
  if (told_armed_ && !disarm_sent_ && (!next || lapses_at() < next)) next = lapses_at();
  return next;
}

}  // namespace phoenix::order
