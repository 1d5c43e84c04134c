#include "ops/alert_delivery.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace phoenix::ops {

using base::Duration;
using base::LocalTime;

AlertDelivery::AlertDelivery(DeliveryOptions options) : options_{std::move(options)} {
  channels_.resize(options_.channels.size());
  for (const auto& name : options_.channels) status_.push_back({.name = name, .why = {}});
}

void AlertDelivery::post(AlertMessage message, LocalTime now, std::vector<DeliveryAct>& out) {
  if (channels_.empty()) return;
  if (items_.size() >= options_.queue_max) make_room(out);
  const auto level = message.level;
  const auto at = std::find_if(items_.begin(), items_.end(),
                               [&](const Item& item) { return item.message.level < level; });
  items_.insert(at, {++last_id_, std::move(message), now, std::vector<Fate>(channels_.size(), Fate::open)});
  pump(now, out);
}

void AlertDelivery::make_room(std::vector<DeliveryAct>& out) {
  // Sorted by level, then age: the mildest level begins at the first item of the last one's level.
  const auto level = items_.back().message.level;
  const auto is_idle = [](const Item& item) {
    return std::none_of(item.fates.begin(), item.fates.end(), [](Fate f) { return f == Fate::in_flight; });
  };
  auto it = std::find_if(items_.begin(), items_.end(),
                         [&](const Item& item) { return item.message.level == level && is_idle(item); });
  if (it == items_.end()) it = std::find_if(items_.begin(), items_.end(), is_idle);
  // As many are in flight as there are channels, which are fewer than queue_max.
  if (it == items_.end()) return;
  lose(*it, "too many wait", out);
  items_.erase(it);
}

void AlertDelivery::lose(const Item& item, const std::string& why, std::vector<DeliveryAct>& out) {
  ++dropped_;
  out.emplace_back(DeliveryNote{DeliveryNote::Tone::bad,
                                fmt::format("alert message lost: {} {} {}: {}", name(item.message.kind),
                                            item.message.rule, item.message.what, why)});
}

void AlertDelivery::answered(std::uint64_t id, std::size_t index, const DeliveryOutcome& outcome,
                             LocalTime now, std::vector<DeliveryAct>& out) {
  using Kind = DeliveryOutcome::Kind;
  const auto it = std::find_if(items_.begin(), items_.end(), [&](const Item& item) { return item.id == id; });
  PHX_ASSERT(it != items_.end(), "a message in flight is kept");
  PHX_ASSERT(it->fates.at(index) == Fate::in_flight, "each try is answered once");
  auto& channel = channels_[index];
  auto& status = status_[index];
  channel.is_busy = false;
  if (outcome.kind == Kind::delivered) {
    it->fates[index] = Fate::delivered;
    ++status.delivered;
    if (std::exchange(status.is_down, false))
      out.emplace_back(
          DeliveryNote{DeliveryNote::Tone::good, fmt::format("alert channel {} works again", status.name)});
    channel.failures = 0;
    channel.not_before.reset();
    status.why.clear();
  } else {
    const bool refused = outcome.kind == Kind::refused;
    it->fates[index] = refused ? Fate::refused : Fate::open;
    ++(refused ? status.refused : status.failed);
    Duration pause = options_.backoff_min;
    for (int i = 0; i < channel.failures && pause < options_.backoff_max; ++i) pause *= 2;
    pause = std::min(pause, options_.backoff_max);
    if (outcome.retry_after)
      pause = std::max(pause, std::min<Duration>(*outcome.retry_after, base::hours{1}));
    ++channel.failures;
    channel.not_before = now + pause;
    if (!std::exchange(status.is_down, true) || status.why != outcome.why)
      out.emplace_back(DeliveryNote{DeliveryNote::Tone::bad,
                                    fmt::format("alert channel {} failed: {}", status.name, outcome.why)});
    status.why = outcome.why;
  }
  pump(now, out);
}

void AlertDelivery::expire(LocalTime now, std::vector<DeliveryAct>& out) { pump(now, out); }

void AlertDelivery::pump(LocalTime now, std::vector<DeliveryAct>& out) {
  for (auto it = items_.begin(); it != items_.end();)
    it = pump_item(*it, now, out) ? std::next(it) : items_.erase(it);
}

bool AlertDelivery::pump_item(Item& item, LocalTime now, std::vector<DeliveryAct>& out) {
  std::size_t placed = 0, delivered = 0, in_flight = 0, refused = 0;
  for (const auto fate : item.fates) {
    delivered += fate == Fate::delivered ? 1 : 0;
    in_flight += fate == Fate::in_flight ? 1 : 0;
    refused += fate == Fate::refused ? 1 : 0;
  }
  placed = delivered + in_flight;
  const std::size_t wanted = std::min(options_.copies, channels_.size());
  bool waits_for_turn = false;
  for (std::size_t i = 0; i < channels_.size() && placed < wanted; ++i) {
    auto& channel = channels_[i];
    if (item.fates[i] != Fate::open) continue;
    if (channel.not_before && now < *channel.not_before) continue;
    // Whoever is busy is next for this one, and counts as if it had it already.
    ++placed;
    if (channel.is_busy) {
      waits_for_turn = true;
      continue;
    }
    channel.is_busy = true;
    item.fates[i] = Fate::in_flight;
    ++in_flight;
    out.emplace_back(SendAlert{item.id, i, item.message});
  }
  if (in_flight > 0 || waits_for_turn) return true;
  if (delivered > 0) return false;
  if (refused == channels_.size()) {
    lose(item, "every channel refused it", out);
    return false;
  }
  if (now - item.begin > options_.age_max) {
    lose(item, "no channel could be reached", out);
    return false;
  }
  return true;
}

std::optional<LocalTime> AlertDelivery::next_deadline() const {
  if (items_.empty()) return std::nullopt;
  std::optional<LocalTime> next;
  for (const auto& channel : channels_) {
    if (channel.not_before && !channel.is_busy && (!next || *channel.not_before < *next))
      next = channel.not_before;
  }
  return next;
}

}  // namespace phoenix::ops
