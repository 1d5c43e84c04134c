#include "ops/alerts.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

namespace phoenix::ops {
namespace {

using base::Duration;
using base::LocalTime;

/// An increase is looked up in so many samples.
constexpr int samples_per_window = 20;
/// Kinds of messages a digest can name; what is beyond shares a line.
constexpr std::size_t digest_lines_max = 20;
constexpr std::size_t heartbeat_lines_max = 20;

std::string subject_text(std::string_view rule, std::string_view subject) {
  return subject.empty() ? std::string{rule} : fmt::format("{} {}", rule, subject);
}

}  // namespace

Alerts::Alerts(AlertOptions options) : options_{std::move(options)} {
  for (const auto& rule : options_.rules) {
    PHX_ASSERT(rule.read != nullptr, "a rule says what it looks at");
    const bool would_feed = rule.holding == AlertHolding::would_feed_itself &&
                            (rule.action == AlertAction::hold || rule.action == AlertAction::reduce_only);
    PHX_ASSERT(!would_feed, "an alert does not hold what it complains is held");
  }
  for (auto& bucket : buckets_) bucket.tokens = options_.per_minute;
}

void Alerts::step(const Status& status, LocalTime now, std::vector<AlertAct>& out) {
  if (!begin_) {
    begin_ = now;
    if (options_.heartbeat.count() > 0) next_heartbeat_ = now + options_.heartbeat;
  }
  // What leaves in an orderly way withdraws its quotes and connections.
  const auto phase = status.phase.view();
  if (!status.finished && phase != "stopping" && phase != "finished") {
    ++step_;
    changes_.clear();
    for (std::size_t i = 0; i < options_.rules.size(); ++i) {
      options_.rules[i].read(status, now,
                             [&](std::string_view subject, double value) { judge(i, subject, value, now); });
    }
    // A subject that is not there any more has nothing to complain about.
    for (auto& [key, track] : tracks_) {
      if (track.seen == step_) continue;
      track.samples.clear();
      const bool was_told = track.state == State::firing || track.state == State::clearing;
      advance(options_.rules[key.first], track, true, now);
      if (was_told && track.state == State::quiet) changes_.emplace_back(key, AlertKind::resolved);
    }
    tell_changes(now, out);
    restrain(out);
    std::erase_if(tracks_, [this](const auto& entry) {
      return entry.second.seen != step_ && entry.second.state == State::quiet;
    });
  }
  beat(status, now, out);
  digest(now, out);
}

void Alerts::judge(std::size_t rule_index, std::string_view subject, double value, LocalTime now) {
  const auto& rule = options_.rules[rule_index];
  const Key key{rule_index, std::string{subject}};
  auto it = tracks_.find(key);
  if (it == tracks_.end()) {
    if (tracks_.size() >= tracks_max) {
      ++untracked_;
      return;
    }
    it = tracks_.emplace(key, Track{}).first;
    it->second.since = now;
  }
  auto& track = it->second;
  track.seen = step_;
  if (rule.measure == AlertMeasure::increase) {
    const auto grown = increase(rule, track, value, now);
    if (!grown) return;
    value = *grown;
  }
  track.value = value;
  const auto before = track.state;
  advance(rule, track, false, now);
  const bool was_told = before == State::firing || before == State::clearing;
  if (!was_told && track.state == State::firing) changes_.emplace_back(key, AlertKind::fired);
  if (was_told && track.state == State::quiet) changes_.emplace_back(key, AlertKind::resolved);
  if (track.state != State::firing) return;
  const auto repeat = options_.repeat[static_cast<std::size_t>(rule.level) - 1];
  if (was_told && repeat.count() > 0 && now - track.told_at >= repeat)
    changes_.emplace_back(key, AlertKind::still);
}

/// Empty while too little of the window has been seen to say that nothing happened in it.
std::optional<double> Alerts::increase(const AlertRule& rule, Track& track, double value, LocalTime now) {
  auto& samples = track.samples;
  // A counter that falls belongs to another run.
  if (!samples.empty() && value < samples.back().value) samples.clear();
  const Duration spacing = rule.window / samples_per_window;
  if (samples.empty() || now - samples.back().at >= spacing) samples.push_back({now, value});
  while (samples.size() > 1 && now - samples[1].at >= rule.window) samples.pop_front();
  if (rule.side == AlertSide::below && now - samples.front().at < rule.window) return std::nullopt;
  return value - samples.front().value;
}

void Alerts::advance(const AlertRule& rule, Track& track, bool is_absent, LocalTime now) {
  const auto enter = [&](State state) {
    track.state = state;
    track.since = now;
  };
  const bool beyond = !is_absent && rule.is_beyond(track.value);
  switch (track.state) {
    case State::quiet:
      if (!beyond) return;
      enter(State::pending);
      [[fallthrough]];
    case State::pending:
      if (!beyond) return enter(State::quiet);
      if (now - track.since < rule.dwell) return;
      enter(State::firing);
      track.fired_at = now;
      track.told_at = now;
      return;
    case State::firing:
      if (is_absent || rule.is_back(track.value)) enter(State::clearing);
      return;
    case State::clearing:
      if (!is_absent && !rule.is_back(track.value)) return enter(State::firing);
      if (now - track.since >= options_.clear_dwell) enter(State::quiet);
      return;
  }
}

AlertMessage Alerts::message(AlertKind kind, LocalTime now) const {
  AlertMessage m;
  m.kind = kind;
  m.at = now;
  m.instance = options_.instance;
  return m;
}

/// Subjects of one rule to which the same happened in one step go together.
void Alerts::tell_changes(LocalTime now, Out& out) {
  std::sort(changes_.begin(), changes_.end(), [this](const auto& a, const auto& b) {
    const auto rank = [this](const auto& c) {
      return std::tuple{-static_cast<int>(options_.rules[c.first.first].level), c.first.first, c.second,
                        c.first.second};
    };
    return rank(a) < rank(b);
  });
  for (std::size_t i = 0; i < changes_.size();) {
    const auto rule_index = changes_[i].first.first;
    const auto kind = changes_[i].second;
    const auto& rule = options_.rules[rule_index];
    auto m = message(kind, now);
    m.level = rule.level;
    m.rule = rule.name;
    m.what = rule.what;
    m.threshold = fmt::format("{} {}", rule.side == AlertSide::above ? "above" : "below",
                              alert_value_text(rule.threshold, rule.unit));
    m.action = rule.action;
    m.help = rule.help;
    for (; i < changes_.size() && changes_[i].first.first == rule_index && changes_[i].second == kind; ++i) {
      auto& track = tracks_.at(changes_[i].first);
      m.subjects.push_back({changes_[i].first.second, alert_value_text(track.value, rule.unit)});
      m.lasted = std::max(m.lasted, now - track.fired_at);
      if (kind == AlertKind::still) track.told_at = now;
    }
    if (kind == AlertKind::fired && rule.action == AlertAction::kill) {
      out.emplace_back(AlertKill{fmt::format("alert {}: {} ({})", subject_text(rule.name, m.subjects[0].name),
                                             rule.what, m.subjects[0].value)});
    }
    post(std::move(m), now, out);
  }
}

/// The worst that any alert in force asks of each symbol.
void Alerts::restrain(Out& out) {
  std::map<std::string, std::pair<AlertAction, std::string>> wanted;
  for (const auto& [key, track] : tracks_) {
    const auto& rule = options_.rules[key.first];
    const bool is_on = track.state == State::firing || track.state == State::clearing;
    if (!is_on || (rule.action != AlertAction::hold && rule.action != AlertAction::reduce_only)) continue;
    auto& wish = wanted[rule.about == AlertAbout::symbol ? key.second : std::string{}];
    if (rule.action > wish.first) wish = {rule.action, "alert " + subject_text(rule.name, key.second)};
  }
  for (const auto& [symbol, wish] : restraints_) {
    if (!wanted.contains(symbol)) out.emplace_back(AlertRestraint{symbol, AlertAction::none, {}});
  }
  for (const auto& [symbol, wish] : wanted) {
    const auto it = restraints_.find(symbol);
    if (it == restraints_.end() || it->second.first != wish.first)
      out.emplace_back(AlertRestraint{symbol, wish.first, wish.second});
  }
  restraints_ = std::move(wanted);
}

void Alerts::beat(const Status& status, LocalTime now, Out& out) {
  if (!next_heartbeat_ || now < *next_heartbeat_) return;
  // However late this is, the next one keeps the rhythm.
  while (*next_heartbeat_ <= now) *next_heartbeat_ += options_.heartbeat;
  auto m = message(AlertKind::heartbeat, now);
  const auto firing = active();
  std::size_t live = 0, quoted = 0;
  for (const auto& s : status.symbols) {
    quoted += s.quoted ? 1 : 0;
    live += s.quoted && s.state == SymbolState::live ? 1 : 0;
  }
  m.what = fmt::format("{}; {} of {} symbols quoted; {} alerts in force", status.phase.view(), live, quoted,
                       firing.size());
  for (const auto& alert : firing) {
    if (m.lines.size() == heartbeat_lines_max) break;
    m.lines.push_back(fmt::format("level {} {}: {}", static_cast<int>(alert.level),
                                  subject_text(alert.rule, alert.subject), alert.what));
  }
  out.emplace_back(std::move(m));
}

void Alerts::tell(AlertMessage m, LocalTime now, std::vector<AlertAct>& out) {
  m.instance = options_.instance;
  m.at = now;
  post(std::move(m), now, out);
}

void Alerts::post(AlertMessage m, LocalTime now, Out& out) {
  auto& bucket = buckets_[m.level == AlertLevel::critical ? 1 : 0];
  const double per_ns = options_.per_minute / 6e10;
  if (bucket.at != LocalTime{})
    bucket.tokens = std::min<double>(options_.per_minute,
                                     bucket.tokens + per_ns * static_cast<double>((now - bucket.at).count()));
  bucket.at = now;
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    out.emplace_back(std::move(m));
    return;
  }
  ++held_back_;
  const auto name = m.rule.empty() ? m.what : m.rule;
  const std::pair key{name, m.kind};
  if (!waiting_digest_.contains(key) && waiting_digest_.size() >= digest_lines_max) {
    ++waiting_digest_[{"others", AlertKind::event}];
  } else {
    waiting_digest_[key] += std::max<std::size_t>(m.subjects.size(), 1);
  }
  if (!next_digest_) next_digest_ = now + options_.digest_interval;
}

void Alerts::digest(LocalTime now, Out& out) {
  if (!next_digest_ || now < *next_digest_) return;
  next_digest_.reset();
  auto m = message(AlertKind::digest, now);
  std::uint64_t count = 0;
  for (const auto& [key, number] : waiting_digest_) {
    count += number;
    m.lines.push_back(fmt::format("{} {}: {} times", key.first, name(key.second), number));
    const auto* rule = find_alert_rule(key.first);
    if (rule != nullptr) m.level = std::max(m.level, rule->level);
  }
  m.what =
      fmt::format("{} more happened than the {} messages a minute that are sent", count, options_.per_minute);
  waiting_digest_.clear();
  out.emplace_back(std::move(m));
}

std::vector<ActiveAlert> Alerts::active() const {
  std::vector<ActiveAlert> all;
  for (const auto& [key, track] : tracks_) {
    if (track.state != State::firing && track.state != State::clearing) continue;
    const auto& rule = options_.rules[key.first];
    all.push_back({rule.name, rule.level, rule.action, key.second, alert_value_text(track.value, rule.unit),
                   std::string{rule.what}, std::string{rule.help}, track.fired_at});
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::tie(b.level, a.rule, a.subject) < std::tie(a.level, b.rule, b.subject);
  });
  return all;
}

}  // namespace phoenix::ops
