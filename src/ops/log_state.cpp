#include "ops/log_state.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace phoenix::ops {
namespace {

std::string_view or_none(std::string_view text) { return text.empty() ? "none" : text; }
template <class Value>
std::string text_of(const std::optional<Value>& maybe) {
  return maybe ? maybe->text() : "none";
}
std::int64_t ms(base::Duration duration) { return duration / base::milliseconds{1}; }
std::string age_ms(std::optional<base::LocalTime> at, base::LocalTime now) {
  return at ? fmt::format("{}", ms(now - *at)) : "none";
}

/// The streams of a symbol that do not bring data, as depth@public_b:stalled, with commas; or none.
std::string streams_bad(const SymbolStatus& symbol, const Status& status) {
  std::string bad;
  for (const auto& stream : status.streams) {
    if (stream.symbol.view() != symbol.name.view() || stream.state == "live") continue;
    bad += fmt::format("{}{}@{}:{}", bad.empty() ? "" : ",", stream.role, stream.connection, stream.state);
  }
  return std::string{or_none(bad)};
}

std::uint64_t per_second(std::uint64_t count, base::Duration passed) {
  const auto passed_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(ms(passed), 1));
  return count * 1'000 / passed_ms;
}

/// A counter that a new run began at 0 again has grown by what it shows.
std::uint64_t grown_by(std::uint64_t now, std::uint64_t before) { return now >= before ? now - before : now; }

}  // namespace

LogState::Counts LogState::counts_of(const SymbolStatus& symbol, const Status& status) {
  Counts counts{.fills = symbol.fills,
                .resyncs = symbol.resyncs,
                .trades_repaired = symbol.trades_repaired,
                .trades_lost = symbol.trades_lost};
  for (const auto rows : symbol.rows) counts.rows += rows;
  for (const auto& stream : status.streams) {
    if (stream.symbol.view() == symbol.name.view()) counts.gaps += stream.gaps;
  }
  return counts;
}

std::vector<std::string> LogState::lines(const Status& status) {
  const auto passed = status.now - before_.value_or(status.started_time);
  before_ = status.now;
  Totals totals{.reconnects = status.reconnects, .suppressed = status.log_lines_suppressed};
  for (const auto& connection : status.connections) {
    totals.messages += connection.messages;
    totals.wire_bytes += connection.wire_bytes_in;
  }
  const Totals grown{.messages = grown_by(totals.messages, totals_.messages),
                     .wire_bytes = grown_by(totals.wire_bytes, totals_.wire_bytes),
                     .reconnects = grown_by(totals.reconnects, totals_.reconnects),
                     .suppressed = grown_by(totals.suppressed, totals_.suppressed)};
  totals_ = totals;
  std::vector<std::string> out{overall(status, grown, passed)};
  if (status.recording.active) out.push_back(recording(status.recording));
  for (const auto& symbol : status.symbols) {
    const auto counts = counts_of(symbol, status);
    auto& before = symbols_[symbol.name.str()];
    const Counts added{.fills = grown_by(counts.fills, before.fills),
                       .rows = grown_by(counts.rows, before.rows),
                       .gaps = grown_by(counts.gaps, before.gaps),
                       .resyncs = grown_by(counts.resyncs, before.resyncs),
                       .trades_repaired = grown_by(counts.trades_repaired, before.trades_repaired),
                       .trades_lost = grown_by(counts.trades_lost, before.trades_lost)};
    before = counts;
    if (symbol.quoted) out.push_back(quoting(symbol, status, added));
    if (symbol.recorded) out.push_back(recorded(symbol, status, added));
  }
  return out;
}

std::string LogState::overall(const Status& status, const Totals& grown, base::Duration passed) {
  const auto live = std::count_if(status.symbols.begin(), status.symbols.end(),
                                  [](const auto& symbol) { return symbol.reason.empty(); });
  const auto wanted = std::count_if(status.connections.begin(), status.connections.end(),
                                    [](const auto& connection) { return connection.wanted; });
  const auto open = std::count_if(status.connections.begin(), status.connections.end(),
                                  [](const auto& c) { return c.wanted && c.opened_time.has_value(); });
  return fmt::format(
      "overall state phase={} symbols_live={} symbols={} paper={} limited={} latched={} alerts={} equity={} "
      "drawdown={} connections_open={} connections={} reconnects={} messages_per_s={} wire_bytes_per_s={} "
      "weight_used={} weight_limit={} orders_1m_used={} orders_1m_limit={} clock_offset_ms={} "
      "log_lines_suppressed={}",
      or_none(status.phase.view()), live, status.symbols.size(), status.paper, status.limited, status.latched,
      status.alerts.size(), text_of(status.account.equity), status.account.drawdown.text(), open, wanted,
      grown.reconnects, per_second(grown.messages, passed), per_second(grown.wire_bytes, passed),
      status.weight_used, status.weight_limit, status.orders_1m_used, status.orders_1m_limit,
      status.clock_offset ? fmt::format("{}", ms(*status.clock_offset)) : "none", grown.suppressed);
}

std::string LogState::recording(const RecordingStatus& recording) {
  return fmt::format(
      "recording state extreme={} journal_bytes={} journal_lag_ms={} records_lost={} files={} "
      "rows_durable={} "
      "segments_waiting={} free_bytes={} hours_left={} fault=\"{}\"",
      recording.extreme, recording.journal_bytes, ms(recording.sync_lag),
      recording.records_lost + recording.journal_lost, recording.files, recording.rows_durable,
      recording.backlog, recording.free_bytes,
      recording.hours_left ? fmt::format("{:.1f}", *recording.hours_left) : "none",
      or_none(recording.fault.view()));
}

std::string LogState::quoting(const SymbolStatus& s, const Status& status, const Counts& grown) {
  const auto why = s.reason.empty() ? s.mode_reason : s.reason.view();
  return fmt::format(
      "symbol state symbol={} state={} mode={} guard={} position={} orders_bid={} orders_ask={} "
      "orders_unknown={} own_bid={} best_bid={} best_ask={} own_ask={} net_pnl={} realized_pnl={} fills={} "
      "verdict={} proof_age_ms={} lag_ms={} resyncs={} streams_bad={} why=\"{}\"",
      s.name.view(), name(s.state), or_none(s.mode), or_none(s.guard.level_name), s.position.text(),
      s.orders_bid, s.orders_ask, s.orders_unknown, text_of(s.own_bid), text_of(s.best_bid),
      text_of(s.best_ask), text_of(s.own_ask), s.net_pnl.text(), s.realized_pnl.text(), grown.fills,
      or_none(s.verdict.view()), age_ms(s.proved_time, status.now), ms(s.lag), grown.resyncs,
      streams_bad(s, status), or_none(why));
}

std::string LogState::recorded(const SymbolStatus& s, const Status& status, const Counts& grown) {
  return fmt::format(
      "symbol recorded symbol={} rows={} lag_ms={} depth_age_ms={} trade_age_ms={} gaps={} resyncs={} "
      "trades_repaired={} trades_lost={} verdict={} streams_bad={} why=\"{}\"",
      s.name.view(), grown.rows, ms(s.lag), age_ms(s.last_depth_time, status.now),
      age_ms(s.last_trade_time, status.now), grown.gaps, grown.resyncs, grown.trades_repaired,
      grown.trades_lost, or_none(s.verdict.view()), streams_bad(s, status), or_none(s.reason.view()));
}

}  // namespace phoenix::ops
