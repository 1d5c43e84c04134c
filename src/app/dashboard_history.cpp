#include "app/dashboard_history.hpp"

#include "ops/status_json.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace phoenix::app {
namespace {

std::int64_t ms_of(base::Duration d) { return d / base::milliseconds{1}; }

}  // namespace

void DashboardHistory::see(const ops::Status& status) {
  see_states(status);
  if (sampled_at_ && status.now - *sampled_at_ < sample_interval) return;
  sample(status);
  sampled_at_ = status.now;
}

void DashboardHistory::see_states(const ops::Status& status) {
  for (const auto& s : status.symbols) {
    note(s.name.view(), "price", {}, -1, s.verdict.view(),
         s.reason.empty() ? fmt::format("data lag {} ms", ms_of(s.lag)) : s.reason.str(), status.now);
  }
  for (const auto& s : status.streams)
    note(s.symbol.view(), s.role, s.connection, s.line, s.state, ops::evidence_text(s), status.now);
  // A stream that is no longer asked for ends; nothing is known of it from here on.
  for (auto& timeline : timelines_) {
    if (timeline.line < 0 || timeline.changes.back().state == "closed") continue;
    const bool there = std::any_of(status.streams.begin(), status.streams.end(), [&](const auto& s) {
      return s.role == timeline.role && s.connection == timeline.connection &&
             s.symbol.view() == timeline.symbol;
    });
    if (!there)
      note(timeline.symbol, timeline.role, timeline.connection, timeline.line, "closed",
           "the connection is not wanted", status.now);
  }
}

void DashboardHistory::note(std::string_view symbol, std::string_view role, std::string_view connection,
                            int line, std::string_view state, const std::string& evidence,
                            base::LocalTime now) {
  auto it = std::find_if(timelines_.begin(), timelines_.end(), [&](const Timeline& t) {
    return t.role == role && t.connection == connection && t.symbol == symbol;
  });
  if (it == timelines_.end()) {
    timelines_.push_back({.symbol = std::string{symbol},
                          .role = std::string{role},
                          .connection = std::string{connection},
                          .line = line,
                          .changes = {}});
    it = timelines_.end() - 1;
  }
  if (!it->changes.empty() && it->changes.back().state == state) return;
  it->changes.push_back({now, std::string{state}, evidence});
  it->changed = true;
  // The state at the left edge of what is shown began before it.
  while (it->changes.size() > changes_max ||
         (it->changes.size() > 1 && now - it->changes[1].at > timeline_span))
    it->changes.pop_front();
}

void DashboardHistory::sample(const ops::Status& status) {
  for (std::size_t i = 0; i < status.symbols.size(); ++i) {
    const auto& s = status.symbols[i];
    if (i == samples_.size()) {
      samples_.emplace_back(s.name.str(), std::deque<PriceSample>{});
      coverage_.push_back({s.name.str(), {}});
      counted_.emplace_back();
    }
    auto& samples = samples_[i].second;
    samples.push_back({status.now, s.mid, s.own_bid, s.own_ask, s.position, s.net_pnl});
    if (samples.size() > samples_max) samples.pop_front();
    if (s.recorded) cover(s, i, status.now);
  }
}

void DashboardHistory::cover(const ops::SymbolStatus& symbol, std::size_t index, base::LocalTime now) {
  auto& minutes = coverage_[index].minutes;
  const std::int64_t minute = base::ns_of(now) / base::ns_of(base::LocalTime{base::minutes{1}});
  if (minutes.empty() || minutes.back().minute != minute) {
    minutes.push_back({.minute = minute});
    if (minutes.size() > minutes_max) minutes.pop_front();
  }
  auto& m = minutes.back();
  ++m.seconds_seen;
  if (symbol.verdict.view() == "live" || symbol.verdict.view() == "quiet") ++m.seconds_good;
  const Counted total{std::accumulate(symbol.rows.begin(), symbol.rows.end(), std::uint64_t{0}),
                      symbol.trades_lost, symbol.resyncs};
  auto& before = counted_[index];
  m.rows += total.rows - before.rows;
  m.trades_lost += total.trades_lost - before.trades_lost;
  m.resyncs += total.resyncs - before.resyncs;
  before = total;
}

const std::deque<PriceSample>* DashboardHistory::samples(std::string_view symbol) const {
  const auto it = std::find_if(samples_.begin(), samples_.end(),
                               [&](const auto& entry) { return entry.first == symbol; });
  return it == samples_.end() ? nullptr : &it->second;
}

std::vector<std::size_t> DashboardHistory::take_changed() {
  std::vector<std::size_t> changed;
  for (std::size_t i = 0; i < timelines_.size(); ++i) {
    if (std::exchange(timelines_[i].changed, false)) changed.push_back(i);
  }
  return changed;
}

}  // namespace phoenix::app
