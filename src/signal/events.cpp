#include "signal/events.hpp"

#include <algorithm>
#include <cmath>

namespace phoenix::signal {
namespace {

constexpr double conflict_strength = 60;

Direction direction_of(double z) { return z > 0 ? Direction::bullish : Direction::bearish; }
bool opposite(double a, double b) { return (a > 0 && b < 0) || (a < 0 && b > 0); }

}  // namespace

std::string check(const EventOptions& options) {
  if (!(options.conflict_ofi > 0 && options.conflict_cvd > 0)) return "events.conflict: above 0";
  if (!(options.divergence > 0)) return "events.divergence: above 0";
  if (!(options.anomaly_ofi > 0 && options.anomaly_cvd > 0)) return "events.anomaly: above 0";
  if (!(options.price_change > 0)) return "events.price_change: above 0";
  if (options.cool_down < base::Duration::zero()) return "events.cool_down: 0 or above";
  return {};
}

EventRules::EventRules(const EventOptions& options) : options_{options} {}

RuleEvents EventRules::on_trade(const EventInput& input, base::VenueTime now) {
  RuleEvents out;
  std::optional<RuleEvent> conflict_found, divergence_found;
  if (input.z_ofi && input.z_cvd) {
    conflict_found = conflict(*input.z_ofi, *input.z_cvd);
    divergence_found = divergence(*input.z_ofi, *input.z_cvd);
  }
  follow(rules_[0], conflict_found, now, out);
  follow(rules_[1], divergence_found, now, out);
  follow(rules_[2], anomaly(input.z_ofi, input.z_cvd), now, out);
  watch_price(input.price, now, out);
  return out;
}

void EventRules::follow(Rule& rule, const std::optional<RuleEvent>& found, base::VenueTime now,
                        RuleEvents& out) const {
  if (found && !rule.holding) {
    if (rule.begun && now - *rule.begun < options_.cool_down) return;
    rule.holding = found;
    rule.begun = now;
    out.push_back(*found);
  } else if (!found && rule.holding) {
    rule.holding->phase = EventPhase::end;
    out.push_back(*rule.holding);
    rule.holding.reset();
  }
}

std::optional<RuleEvent> EventRules::conflict(double ofi, double cvd) const {
  if (std::abs(ofi) < options_.conflict_ofi || std::abs(cvd) < options_.conflict_cvd || !opposite(ofi, cvd))
    return std::nullopt;
  return RuleEvent{
      .type = EventType::ofi_cvd_conflict, .strength = conflict_strength, .trigger = Trigger::both};
}

std::optional<RuleEvent> EventRules::divergence(double ofi, double cvd) const {
  if (std::abs(ofi) <= options_.divergence || std::abs(cvd) <= options_.divergence || !opposite(ofi, cvd))
    return std::nullopt;
  return RuleEvent{.type = EventType::ofi_cvd_divergence,
                   .direction = direction_of(ofi),
                   .strength = (std::abs(ofi) + std::abs(cvd)) / 2,
                   .trigger = Trigger::both};
}

std::optional<RuleEvent> EventRules::anomaly(std::optional<double> ofi, std::optional<double> cvd) const {
  const bool by_ofi = ofi && std::abs(*ofi) > options_.anomaly_ofi;
  const bool by_cvd = cvd && std::abs(*cvd) > options_.anomaly_cvd;
  if (!by_ofi && !by_cvd) return std::nullopt;
  const double z = by_ofi && (!by_cvd || std::abs(*ofi) >= std::abs(*cvd)) ? *ofi : *cvd;
  return RuleEvent{.type = EventType::anomaly,
                   .direction = direction_of(z),
                   .strength = std::abs(z),
                   .trigger = by_ofi && by_cvd ? Trigger::both
                              : by_ofi         ? Trigger::ofi
                                               : Trigger::cvd};
}

void EventRules::watch_price(model::Price price, base::VenueTime now, RuleEvents& out) {
  if (last_price_) {
    const double last = last_price_->to_double();
    const double change = price.to_double() - last;
    const bool cooling = last_price_event_ && now - *last_price_event_ < options_.cool_down;
    if (std::abs(change) > options_.price_change * last && !cooling) {
      last_price_event_ = now;
      out.push_back({.type = EventType::price_anomaly,
                     .phase = EventPhase::once,
                     .direction = direction_of(change),
                     .strength = std::min(100.0, 100 * std::abs(change) / last),
                     .trigger = Trigger::price,
                     .ratio = change / last});
    }
  }
  last_price_ = price;
}

RuleEvents EventRules::end_all() {
  RuleEvents out;
  for (Rule& rule : rules_) {
    if (!rule.holding) continue;
    rule.holding->phase = EventPhase::end;
    out.push_back(*rule.holding);
    rule.holding.reset();
  }
  return out;
}

}  // namespace phoenix::signal
