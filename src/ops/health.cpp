#include "ops/health.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace phoenix::ops {
namespace {

double seconds_of(base::Duration d) { return static_cast<double>(d.count()) / 1e9; }

/// One check as it is made: the worst that was said of it, and what comes first at that level.
class Finding {
 public:
  explicit Finding(HealthCheckKind kind) { check_.kind = kind; }

  void say(HealthLevel level, std::string what, std::string_view help = {}) {
    if (level > check_.level) {
      check_.level = level;
      check_.what.clear();
      check_.help = help;
    }
    if (level < check_.level) return;
    if (!check_.what.empty()) check_.what += "; ";
    check_.what += what;
  }
  HealthCheck done(std::string_view when_ok) && {
    if (check_.level == HealthLevel::ok && check_.what.empty()) check_.what = when_ok;
    return std::move(check_);
  }

 private:
  HealthCheck check_;
};

constexpr std::string_view explain = "phoenix doctor -c FILE --last 10m";
constexpr std::string_view cancel = "phoenix emergency cancel-all -c FILE";
constexpr std::string_view rearm = "phoenix emergency re-arm -c FILE";
constexpr std::string_view restart = "phoenix guard -c FILE --restart";
constexpr std::string_view ask_venue = "phoenix preflight -c FILE";
constexpr std::string_view claim = "phoenix orders claim -c FILE";

bool is_meant(const Status& status, const SymbolStatus& s) {
  const bool quotes_any = std::any_of(status.symbols.begin(), status.symbols.end(),
                                      [](const SymbolStatus& each) { return each.quoted; });
  return quotes_any ? s.quoted : s.recorded;
}

HealthCheck judge_progress(const Status& status, base::LocalTime now, const HealthLimits& limits,
                           std::string& process_problem) {
  Finding finding{HealthCheckKind::progress};
  const auto age = now - status.now;
  if (status.phase.empty()) {
    process_problem = "the engine has not stepped yet";
    finding.say(HealthLevel::warning, process_problem, explain);
  } else if (age > limits.progress_warning) {
    process_problem = fmt::format("the engine has not stepped for {:.1f} s", seconds_of(age));
    finding.say(age > limits.progress_severe ? HealthLevel::severe : HealthLevel::warning, process_problem,
                restart);
  }
  return std::move(finding).done(fmt::format("{}, the engine steps", status.phase.view()));
}

HealthCheck judge_prices(const Status& status, base::LocalTime now, const HealthLimits& limits) {
  Finding finding{HealthCheckKind::prices};
  const bool starting = now - status.started_time < limits.starting_max;
  base::Duration oldest{};
  for (const auto& s : status.symbols) {
    if (!is_meant(status, s) || s.traffic == "shed") continue;
    if (!s.proved_time) {
      finding.say(starting ? HealthLevel::warning : HealthLevel::severe,
                  fmt::format("{}: no price was proved yet", s.name.view()), explain);
      continue;
    }
    const auto age = now - *s.proved_time;
    oldest = std::max(oldest, age);
    const auto what =
        fmt::format("{}: price {} and proved {:.1f} s ago", s.name.view(), s.verdict.view(), seconds_of(age));
    if (age > limits.price_severe) {
      finding.say(HealthLevel::severe, what, explain);
    } else if (age > limits.price_warning || s.late || s.verdict.view() == "stalled") {
      finding.say(HealthLevel::warning, what, explain);
    }
  }
  return std::move(finding).done(fmt::format("every price proved within {:.1f} s", seconds_of(oldest)));
}

HealthCheck judge_quoting(const Status& status, base::LocalTime now, const HealthLimits& limits) {
  Finding finding{HealthCheckKind::quoting};
  const bool starting = now - status.started_time < limits.starting_max;
  std::size_t meant = 0, live = 0;
  for (const auto& s : status.symbols) {
    if (!is_meant(status, s)) continue;
    ++meant;
    live += s.state == SymbolState::live ? 1U : 0U;
  }
  const auto level = live == 0 && meant > 0 && !starting ? HealthLevel::severe : HealthLevel::warning;
  for (const auto& s : status.symbols) {
    if (is_meant(status, s) && s.state != SymbolState::live)
      finding.say(level, fmt::format("{}: {}", s.name.view(), s.reason.view()), explain);
  }
  return std::move(finding).done(fmt::format("{} of {} symbols live", live, meant));
}

HealthCheck judge_orders(const Status& status) {
  Finding finding{HealthCheckKind::orders};
  std::uint32_t resting = 0;
  for (const auto& s : status.symbols) {
    if (!s.quoted) continue;
    resting += s.orders_live;
    if (s.orders_unknown > 0)
      finding.say(HealthLevel::warning,
                  fmt::format("{}: the fate of {} orders is unknown", s.name.view(), s.orders_unknown),
                  explain);
    if (s.state != SymbolState::live) {
      if (s.orders_live > 0 && status.phase.view() == "running")
        finding.say(HealthLevel::warning,
                    fmt::format("{}: {} orders rest although it is held", s.name.view(), s.orders_live),
                    cancel);
      continue;
    }
    if (!s.guard.allows_adding() || !s.mode_reason.empty()) continue;
    if (s.orders_live == 0) {
      finding.say(HealthLevel::severe, fmt::format("{}: may quote, and nothing rests", s.name.view()),
                  explain);
    } else if (s.orders_bid == 0 || s.orders_ask == 0) {
      finding.say(HealthLevel::warning,
                  fmt::format("{}: no {} rests", s.name.view(), s.orders_bid == 0 ? "bid" : "ask"), explain);
    }
  }
  return std::move(finding).done(fmt::format("{} orders rest as wanted", resting));
}

HealthCheck judge_errors(double per_minute, const HealthLimits& limits) {
  Finding finding{HealthCheckKind::errors};
  const auto what = fmt::format("{:.0f} errors a minute", per_minute);
  if (per_minute >= limits.errors_severe) {
    finding.say(HealthLevel::severe, what, explain);
  } else if (per_minute >= limits.errors_warning) {
    finding.say(HealthLevel::warning, what, explain);
  }
  return std::move(finding).done(what);
}

HealthCheck judge_account(const Status& status) {
  Finding finding{HealthCheckKind::account};
  const auto guard = [&](std::string_view whose, const GuardStatus& g) {
    if (g.level == 0) return;
    const bool latched =
        std::any_of(g.reasons.begin(), g.reasons.end(), [](const GuardReason& r) { return r.latched; });
    finding.say(g.level >= GuardStatus::level_reduce_only ? HealthLevel::severe : HealthLevel::warning,
                fmt::format("{}: guard {} ({})", whose, g.level_name, g.reason),
                g.reason == "foreign_activity" ? claim
                : latched                      ? rearm
                                               : explain);
  };
  if (status.latched)
    finding.say(HealthLevel::severe, fmt::format("the kill latch is set: {}", status.latch_reason.view()),
                rearm);
  guard("account", status.account.guard);
  for (const auto& s : status.symbols) {
    if (s.quoted) guard(s.name.view(), s.guard);
  }
  if (status.foreign_orders > 0)
    finding.say(HealthLevel::warning, fmt::format("{} open orders are not ours", status.foreign_orders),
                claim);
  if (!status.state_store.fault.empty())
    finding.say(HealthLevel::warning, fmt::format("state.db: {}", status.state_store.fault.view()), "df -h");
  return std::move(finding).done("no guard in force, nothing foreign");
}

HealthCheck judge_clock(const Status& status, const HealthLimits& limits) {
  Finding finding{HealthCheckKind::clock};
  if (!status.clock_offset) return std::move(finding).done("the venue's clock is not known yet");
  const auto offset = *status.clock_offset;
  const auto what = fmt::format("the venue's clock is {:.3f} s ahead of ours", seconds_of(offset));
  if (std::max(offset, -offset) > limits.clock_offset_warning)
    finding.say(HealthLevel::warning, what, "timedatectl status");
  if (status.clock_error && *status.clock_error > limits.clock_error_warning)
    finding.say(HealthLevel::warning,
                fmt::format("known only to {:.3f} s: the network is slow", seconds_of(*status.clock_error)),
                ask_venue);
  return std::move(finding).done(what);
}

HealthCheck judge_recording(const Status& status, base::LocalTime now, const HealthLimits& limits) {
  Finding finding{HealthCheckKind::recording};
  const auto& r = status.recording;
  if (!r.active) return std::move(finding).done("nothing is recorded");
  if (!r.fault.empty()) finding.say(HealthLevel::severe, std::string{r.fault.view()}, "df -h");
  if (r.hours_left && *r.hours_left < limits.disk_hours_warning)
    finding.say(*r.hours_left < limits.disk_hours_severe ? HealthLevel::severe : HealthLevel::warning,
                fmt::format("the disk is full in {:.1f} h", *r.hours_left), "df -h");
  if (r.last_durable_ns != 0) {
    const auto age = now - base::local_time_ns(r.last_durable_ns);
    if (age > limits.durable_age_warning)
      finding.say(HealthLevel::warning,
                  fmt::format("the newest row in a file is {:.0f} s old", seconds_of(age)), explain);
  }
  return std::move(finding).done(
      fmt::format("{} rows durable, {} segments waiting", r.rows_durable, r.backlog));
}

}  // namespace

std::string_view name(HealthLevel level) {
  constexpr std::string_view names[] = {"ok", "warning", "severe"};
  return names[static_cast<std::size_t>(level)];
}

std::string_view name(HealthCheckKind kind) {
  constexpr std::string_view names[health_checks_count] = {"progress", "prices",  "quoting", "orders",
                                                           "errors",   "account", "clock",   "recording"};
  return names[static_cast<std::size_t>(kind)];
}

std::uint64_t errors_of(const Status& status) {
  std::uint64_t count = status.frames_bad + status.position_mismatches + status.recording.journal_lost +
                        status.recording.conversions_failed + status.state_store.failures +
                        status.state_store.dropped + status.frame_ring.dropped;
  for (const auto& s : status.symbols)
    count += s.rejects - std::min(s.rejects, s.post_only_rejects) + s.strategy_failures + s.gateway_refusals +
             s.trades_lost;
  for (const auto& c : status.connections) count += c.stalls;
  return count;
}

double HealthJudge::errors_per_minute(const Status& status, base::LocalTime now) {
  constexpr base::Duration step = base::seconds{5}, window = base::seconds{60};
  const Errors present{now, errors_of(status)};
  if (!errors_.empty() && present.count < errors_.back().count) errors_.clear();  // another run
  if (errors_.empty() || now - errors_.back().at >= step) errors_.push_back(present);
  // One that is older than the window stays as its begin.
  while (errors_.size() > 2 && now - errors_[1].at >= window) errors_.erase(errors_.begin());
  const auto& begin = errors_.front();
  const auto span = std::max<base::Duration>(now - begin.at, window);
  return static_cast<double>(present.count - begin.count) * 60.0 / seconds_of(span);
}

Health HealthJudge::judge(const Status& status, base::LocalTime now) {
  Health health;
  health.checks = {judge_progress(status, now, limits_, health.process_problem),
                   judge_prices(status, now, limits_),
                   judge_quoting(status, now, limits_),
                   judge_orders(status),
                   judge_errors(errors_per_minute(status, now), limits_),
                   judge_account(status),
                   judge_clock(status, limits_),
                   judge_recording(status, now, limits_)};
  for (const auto& check : health.checks) health.level = std::max(health.level, check.level);
  const bool alive = health.process_problem.empty();
  health.ready = alive;
  for (const auto& s : status.symbols) {
    if (!is_meant(status, s)) continue;
    auto& readiness = health.symbols.emplace_back();
    readiness.symbol = s.name;
    readiness.ready = alive && s.state == SymbolState::live;
    if (!readiness.ready) readiness.why = alive ? s.reason.str() : health.process_problem;
    health.ready = health.ready && readiness.ready;
  }
  health.ready = health.ready && !health.symbols.empty();
  return health;
}

}  // namespace phoenix::ops
