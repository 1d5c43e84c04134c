#include "ops/alert_rules.hpp"

#include "ops/health.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

namespace phoenix::ops {
namespace {

using base::LocalTime;
using base::minutes;
using base::seconds;
using Out = AlertReadings;

constexpr double gib = 1024.0 * 1024.0 * 1024.0;

double seconds_of(base::Duration d) { return static_cast<double>(d.count()) / 1e9; }
double share(std::uint64_t used, std::uint64_t limit) {
  return limit == 0 ? 0 : static_cast<double>(used) / static_cast<double>(limit);
}
/// By a person or by an alert.
bool is_asked_for_less(const SymbolStatus& s) {
  return std::any_of(s.guard.reasons.begin(), s.guard.reasons.end(), [](const GuardReason& r) {
    return r.name == "paused" || r.name == "alert_hold" || r.name == "alert_reduce_only";
  });
}

template <class Value>
void each_symbol(const Status& status, const Out& out, Value value) {
  for (const auto& s : status.symbols) {
    if (const auto v = value(s)) out(s.name.view(), *v);
  }
}
template <class Value>
void each_quoted(const Status& status, const Out& out, Value value) {
  for (const auto& s : status.symbols) {
    if (s.quoted) out(s.name.view(), static_cast<double>(value(s)));
  }
}
template <class Value>
void of_recording(const Status& status, const Out& out, Value value) {
  if (status.recording.active) out("", static_cast<double>(value(status.recording)));
}

/// A run that begins has nothing to lose yet; what takes too long is a rule of its own. A guard has a level
/// where something is quoted.
constexpr std::string_view not_starting = "on (instance) phoenix_phase{phase!=\"starting\"}",
                           quoted = "on (instance, symbol) phoenix_guard_level",
                           quoted_and_not_starting =
                               "on (instance, symbol) phoenix_guard_level and on (instance) "
                               "phoenix_phase{phase!=\"starting\"}";
constexpr auto critical = AlertLevel::critical, severe = AlertLevel::severe, warning = AlertLevel::warning;

// A rule's value and its expr say the same; a test holds each name in an expr against what /metrics serves.
const AlertRule table[] = {
    // Level 3: now.
    {.name = "kill_latched",
     .level = critical,
     .what = "the kill latch is set, nothing is quoted until a person takes it away",
     .help =
         "phoenix doctor -c FILE says what set it; when that is dealt with: phoenix emergency re-arm -c FILE",
     .expr = "phoenix_kill_latched",
     .read = [](const Status& s, LocalTime, const Out& out) { out("", s.latched ? 1 : 0); }},
    {.name = "engine_stuck",
     .level = critical,
     .dwell = seconds{1},
     .what = "the engine does not step",
     .help = "phoenix guard cancels from outside; without one: phoenix emergency cancel-all -c FILE",
     .expr = "1 - phoenix_healthy",
     .read =
         [](const Status& s, LocalTime now, const Out& out) {
           out("", !s.phase.empty() && now - s.now > HealthLimits{}.progress_warning ? 1 : 0);
         }},
    {.name = "usage_full",
     .level = critical,
     .action = AlertAction::reduce_only,
     .about = AlertAbout::symbol,
     .threshold = 1,
     .hysteresis = 0.05,
     .what = "the position is larger than net_max",
     .help = "its guard reduces it; if it does not fall: phoenix emergency close-all -c FILE --symbol SYMBOL",
     .expr = "phoenix_position_usage",
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           each_symbol(s, out, [](const auto& x) {
             return x.usage ? std::optional{x.usage->to_double()} : std::nullopt;
           });
         }},
    {.name = "guard_closing",
     .level = critical,
     .about = AlertAbout::symbol,
     .threshold = GuardStatus::level_close - 1,
     .what = "a guard of risk closes or halts the symbol",
     .help =
         "phoenix doctor -c FILE names the guard; one that latched stays until: phoenix emergency re-arm -c "
         "FILE",
     .expr = "phoenix_guard_level unless on (instance, symbol) "
             "phoenix_guard_active{reason=~\"paused|alert_hold|alert_reduce_only\"}",
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           // Who asked for less knows.
           each_symbol(s, out, [](const auto& x) {
             return x.quoted && !is_asked_for_less(x) ? std::optional{static_cast<double>(x.guard.level)}
                                                      : std::nullopt;
           });
         }},
    {.name = "account_guard_closing",
     .level = critical,
     .threshold = GuardStatus::level_close - 1,
     .what = "the guard of the account closes everything",
     .help = "phoenix doctor -c FILE names the guard; it stays until: phoenix emergency re-arm -c FILE",
     .expr = "phoenix_account_guard_level",
     .read = [](const Status& s, LocalTime, const Out& out) { out("", s.account.guard.level); }},
    {.name = "strategy_fails_again",
     .level = critical,
     .about = AlertAbout::symbol,
     .measure = AlertMeasure::increase,
     .window = minutes{10},
     .threshold = 1,
     .what = "the strategy failed more than once in ten minutes",
     .help = "the log has what it threw; its quotes are withdrawn: phoenix doctor -c FILE",
     .expr = "phoenix_strategy_failure_total",
     .read = [](const Status& s, LocalTime,
                const Out& out) { each_quoted(s, out, [](const auto& x) { return x.strategy_failures; }); }},
    {.name = "disk_almost_full",
     .level = critical,
     .side = AlertSide::below,
     .threshold = 2,
     .hysteresis = 0.5,
     .dwell = minutes{1},
     .unit = "h",
     .what = "the recording's disk is full soon",
     .help =
         "free space or let retention do it (keep_days, disk_max_gib in docs/recording.md); what does not "
         "fit is lost and named in the ledger",
     .expr = "phoenix_recording_disk_hours_left",
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           if (s.recording.active && s.recording.hours_left) out("", *s.recording.hours_left);
         }},

    // Level 2: within five minutes.
    {.name = "price_unproved",
     .level = severe,
     .about = AlertAbout::symbol,
     .dwell = seconds{1},
     .what = "the price has no proof, its quotes were withdrawn",
     .help = "phoenix doctor -c FILE shows the evidence of the last hour; it comes back by itself",
     .expr = "max without (verdict) (phoenix_symbol_verdict{verdict=~\"stalled|unknown|venue_halted\"})",
     .only = quoted_and_not_starting,
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           if (s.phase.view() == "starting") return;
           each_quoted(s, out, [](const auto& x) {
             const auto verdict = x.verdict.view();
             return verdict == "stalled" || verdict == "unknown" || verdict == "venue_halted" ? 1 : 0;
           });
         }},
    {.name = "not_quoting",
     .level = severe,
     .about = AlertAbout::symbol,
     .holding = AlertHolding::would_feed_itself,
     .side = AlertSide::below,
     .threshold = 1,
     .dwell = seconds{4},
     .what = "the symbol is not quoted",
     .help = "phoenix status -c FILE --once names the reason; phoenix doctor -c FILE what led to it",
     .expr = "phoenix_symbol_live",
     .only = quoted_and_not_starting,
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           if (s.phase.view() == "starting") return;
           each_quoted(s, out, [](const auto& x) { return x.state == SymbolState::live ? 1 : 0; });
         }},
    {.name = "start_takes_long",
     .level = severe,
     .dwell = minutes{1},
     .what = "the start does not come to an end",
     .help = "the log says what it waits for: keys, clock, rules or connections; phoenix preflight -c FILE",
     .expr = "phoenix_phase{phase=\"starting\"}",
     .read = [](const Status& s, LocalTime,
                const Out& out) { out("", s.phase.view() == "starting" ? 1 : 0); }},
    {.name = "switch_not_armed",
     .level = severe,
     .about = AlertAbout::symbol,
     .dwell = seconds{5},
     .what = "orders rest and the dead man's switch is not armed",
     .help = "phoenix status -c FILE --once; if it lasts: phoenix emergency cancel-all -c FILE",
     .expr = "(sum without (side) (phoenix_orders_live) > bool 0) * (1 - phoenix_switch_armed)",
     .only = "on (instance) phoenix_switch_countdown_seconds",
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           if (!s.countdown) return;
           each_quoted(s, out, [](const auto& x) { return x.orders_live > 0 && !x.switch_armed ? 1 : 0; });
         }},
    {.name = "orders_unknown",
     .level = severe,
     .about = AlertAbout::symbol,
     .dwell = seconds{30},
     .unit = "orders",
     .what = "the venue does not say what became of orders",
     .help = "they count as live and are asked for; if it lasts: phoenix emergency cancel-all -c FILE",
     .expr = "phoenix_orders_unknown",
     .read = [](const Status& s, LocalTime,
                const Out& out) { each_quoted(s, out, [](const auto& x) { return x.orders_unknown; }); }},
    {.name = "foreign_orders",
     .level = severe,
     .unit = "orders",
     .what = "orders on the account are not ours, their symbols are held",
     .help = "cancel them where they came from; when they are known: phoenix orders claim -c FILE",
     .expr = "phoenix_foreign_orders",
     .read = [](const Status& s, LocalTime,
                const Out& out) { out("", static_cast<double>(s.foreign_orders)); }},
    {.name = "position_mismatch",
     .level = severe,
     .measure = AlertMeasure::increase,
     .window = minutes{10},
     .what = "fills and the venue's position disagreed; the venue's was taken",
     .help = "was there a trade by hand? phoenix doctor -c FILE has the instant",
     .expr = "phoenix_position_source_mismatch_total",
     .read = [](const Status& s, LocalTime,
                const Out& out) { out("", static_cast<double>(s.position_mismatches)); }},
    {.name = "strategy_failed",
     .level = severe,
     .about = AlertAbout::symbol,
     .measure = AlertMeasure::increase,
     .window = minutes{10},
     .what = "the strategy threw and was restarted",
     .help = "the log has what it threw",
     .expr = "phoenix_strategy_failure_total",
     .read = [](const Status& s, LocalTime,
                const Out& out) { each_quoted(s, out, [](const auto& x) { return x.strategy_failures; }); }},
    {.name = "connection_down",
     .level = severe,
     .about = AlertAbout::connection,
     .dwell = seconds{15},
     .what = "a connection that is wanted does not deliver",
     .help = "phoenix doctor -c FILE names the close code; is the venue reachable from here?",
     .expr = "phoenix_ws_wanted * (1 - phoenix_ws_connected)",
     .only = not_starting,
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           if (s.phase.view() == "starting") return;
           for (const auto& c : s.connections)
             out(c.name.view(), c.wanted && c.state.view() != "live" ? 1 : 0);
         }},
    {.name = "reconnects_too_often",
     .level = severe,
     .measure = AlertMeasure::increase,
     .window = minutes{10},
     .threshold = 20,
     .hysteresis = 0.5,
     .unit = "reconnects",
     .what = "connections are lost again and again",
     .help = "phoenix doctor -c FILE names the reasons; a venue that refuses may have banned this address",
     .expr = "sum without (stream) (phoenix_reconnect_total)",
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           double all = 0;
           for (const auto& c : s.connections) all += static_cast<double>(c.reconnects);
           out("", all);
         }},
    {.name = "clock_off",
     .level = severe,
     .threshold = 0.5,
     .hysteresis = 0.2,
     .dwell = seconds{5},
     .unit = "s",
     .what = "this machine's clock differs from the venue's",
     .help = "is the time service running? timedatectl; requests are stamped by the venue's clock meanwhile",
     .expr = "abs(phoenix_clock_offset_seconds)",
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           if (s.clock_offset) out("", std::fabs(seconds_of(*s.clock_offset)));
         }},
    {.name = "rejects_severe",
     .level = severe,
     .about = AlertAbout::symbol,
     .measure = AlertMeasure::increase,
     .window = minutes{1},
     .threshold = 10,
     .unit = "rejects",
     .what = "the venue refuses orders",
     .help = "the log has the codes; phoenix preflight -c FILE checks key, modes and rules",
     .expr = "phoenix_order_reject_total",
     .read = [](const Status& s, LocalTime,
                const Out& out) { each_quoted(s, out, [](const auto& x) { return x.rejects; }); }},
    {.name = "frames_dropped",
     .level = severe,
     .about = AlertAbout::ring,
     .measure = AlertMeasure::increase,
     .window = minutes{5},
     .what = "a ring was full and refused what came",
     .help = "the machine is too slow or was stopped: fewer symbols, or depth_speed_ms 250",
     .expr = "phoenix_ring_dropped_total{ring=~\"frames|commands\"}",
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           out("frames", static_cast<double>(s.frame_ring.dropped));
           out("commands", static_cast<double>(s.command_ring.dropped));
         }},
    {.name = "records_lost",
     .level = severe,
     .measure = AlertMeasure::increase,
     .window = minutes{5},
     .unit = "records",
     .what = "the journal lost records, its ring was full; the ledger names them",
     .help = "is the disk slow or full? trading went on",
     .expr = "phoenix_journal_lost_total",
     .read = [](const Status& s, LocalTime,
                const Out& out) { of_recording(s, out, [](const auto& r) { return r.journal_lost; }); }},
    {.name = "recording_faulty",
     .level = severe,
     .dwell = seconds{3},
     .what = "something of the recording fails and is tried again",
     .help = "the status line has the fault; phoenix verify DIR when it is over",
     .expr = "phoenix_recording_faulty",
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           of_recording(s, out, [](const auto& r) { return r.fault.empty() ? 0 : 1; });
         }},
    {.name = "recording_silent",
     .level = severe,
     .about = AlertAbout::symbol,
     .threshold = 60,
     .dwell = seconds{5},
     .unit = "s",
     .what = "no depth frame of a recorded symbol comes",
     .help = "phoenix doctor -c FILE; what is missing is named in the ledger",
     .expr = "phoenix_last_depth_age_seconds",
     .only = "on (instance, symbol) phoenix_recorded_rows_total",
     .read =
         [](const Status& s, LocalTime now, const Out& out) {
           for (const auto& x : s.symbols) {
             if (x.recorded && x.last_depth_time) out(x.name.view(), seconds_of(now - *x.last_depth_time));
           }
         }},
    {.name = "state_store_faulty",
     .level = severe,
     .dwell = seconds{10},
     .what = "state.db cannot be written",
     .help = "is the disk full? what is not written is asked of the venue at the next start",
     .expr = "phoenix_state_faulty",
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           if (s.state_store.active) out("", s.state_store.fault.empty() ? 0 : 1);
         }},
    {.name = "disk_low",
     .level = severe,
     .side = AlertSide::below,
     .threshold = 12,
     .hysteresis = 0.5,
     .dwell = minutes{1},
     .unit = "h",
     .what = "the recording's disk has room for less than half a day",
     .help = "free space, or let retention do it (keep_days, disk_max_gib in docs/recording.md)",
     .expr = "phoenix_recording_disk_hours_left",
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           if (s.recording.active && s.recording.hours_left) out("", *s.recording.hours_left);
         }},

    // Level 1: within half an hour.
    {.name = "usage_high",
     .level = warning,
     .about = AlertAbout::symbol,
     .threshold = 0.8,
     .hysteresis = 0.1,
     .dwell = seconds{5},
     .what = "the position nears net_max, nothing is added",
     .help = "watch it: phoenix status -c FILE",
     .expr = "phoenix_position_usage",
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           each_symbol(s, out, [](const auto& x) {
             return x.usage ? std::optional{x.usage->to_double()} : std::nullopt;
           });
         }},
    {.name = "data_late",
     .level = warning,
     .about = AlertAbout::symbol,
     .threshold = 0.5,
     .hysteresis = 0.2,
     .dwell = seconds{30},
     .unit = "s",
     .what = "market data comes late",
     .help = "phoenix traffic -c FILE: is the line full? beyond lag_max_ms nothing is quoted",
     .expr = "phoenix_market_data_lag_seconds",
     .only = quoted,
     .read = [](const Status& s, LocalTime,
                const Out& out) { each_quoted(s, out, [](const auto& x) { return seconds_of(x.lag); }); }},
    {.name = "rejects",
     .level = warning,
     .about = AlertAbout::symbol,
     .measure = AlertMeasure::increase,
     .window = minutes{1},
     .threshold = 5,
     .unit = "rejects",
     .what = "the venue refuses orders",
     .help = "the log has the codes",
     .expr = "phoenix_order_reject_total",
     .read = [](const Status& s, LocalTime,
                const Out& out) { each_quoted(s, out, [](const auto& x) { return x.rejects; }); }},
    {.name = "cancels_many",
     .level = warning,
     .about = AlertAbout::symbol,
     .measure = AlertMeasure::increase,
     .window = minutes{1},
     .threshold = 50,
     .hysteresis = 0.1,
     .dwell = minutes{2},
     .unit = "cancels",
     .what = "more orders are cancelled in a minute than should be",
     .help = "raise requote_min_move_bps or lower max_cancel_per_min",
     .expr = "phoenix_cancel_count_total",
     .read = [](const Status& s, LocalTime,
                const Out& out) { each_quoted(s, out, [](const auto& x) { return x.cancels; }); }},
    {.name = "no_fills",
     .level = warning,
     .about = AlertAbout::symbol,
     .measure = AlertMeasure::increase,
     .window = base::hours{2},
     .side = AlertSide::below,
     .threshold = 1,
     .unit = "fills",
     .what = "quoted for two hours without a fill",
     .help = "is the ladder too far from the market? phoenix status -c FILE shows its distance",
     .expr = "phoenix_fill_count_total",
     .only =
         "on (instance, symbol) (min_over_time(phoenix_symbol_live[2h]) == 1 and phoenix_symbol_live offset "
         "2h == 1)",
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           each_symbol(s, out, [](const auto& x) {
             return x.quoted && x.state == SymbolState::live ? std::optional{static_cast<double>(x.fills)}
                                                             : std::nullopt;
           });
         }},
    {.name = "line_lost",
     .level = warning,
     .dwell = minutes{1},
     .what = "streams run on one line where two are wanted, or with less to stay within the traffic budget",
     .help = "phoenix traffic -c FILE shows what was left away; losing the line that is left means a hold",
     .expr = "phoenix_bandwidth_step",
     .read = [](const Status& s, LocalTime, const Out& out) { out("", s.bandwidth_step); }},
    {.name = "rate_budget_used",
     .level = warning,
     .threshold = 0.9,
     .hysteresis = 0.1,
     .dwell = seconds{20},
     .what = "the venue's rate limits are almost used up",
     .help = "another program on this address or account? fewer symbols, or a longer quote_interval_ms",
     .expr = "max without (limit) (phoenix_rate_used / (phoenix_rate_limit > 0))",
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           out("",
               std::max({share(s.weight_used, s.weight_limit), share(s.orders_10s_used, s.orders_10s_limit),
                         share(s.orders_1m_used, s.orders_1m_limit)}));
         }},
    {.name = "resyncs_many",
     .level = warning,
     .about = AlertAbout::symbol,
     .measure = AlertMeasure::increase,
     .window = minutes{10},
     .threshold = 5,
     .unit = "resyncs",
     .what = "the book had to be built anew again and again",
     .help = "phoenix doctor -c FILE; both lines lose updates",
     .expr = "phoenix_book_resync_total",
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           each_symbol(s, out, [](const auto& x) { return std::optional{static_cast<double>(x.resyncs)}; });
         }},
    {.name = "events_unknown",
     .level = warning,
     .measure = AlertMeasure::increase,
     .window = minutes{10},
     .unit = "frames",
     .what = "frames came that could not be decoded or are of an unknown type",
     .help = "did the venue change its streams? the log has the first of them",
     .expr = "phoenix_frames_bad_total + phoenix_events_unknown_total",
     .read = [](const Status& s, LocalTime,
                const Out& out) { out("", static_cast<double>(s.frames_bad + s.events_unknown)); }},
    {.name = "trades_lost",
     .level = warning,
     .about = AlertAbout::symbol,
     .measure = AlertMeasure::increase,
     .window = minutes{10},
     .unit = "trades",
     .what = "trades are missing and will not come any more; the ledger names them",
     .help = "phoenix verify DIR",
     .expr = "phoenix_agg_trade_lost_total",
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           for (const auto& x : s.symbols) {
             if (x.recorded) out(x.name.view(), static_cast<double>(x.trades_lost));
           }
         }},
    {.name = "journal_slow",
     .level = warning,
     .threshold = 1,
     .hysteresis = 0.5,
     .dwell = seconds{10},
     .unit = "s",
     .what = "the journal's syncs are slow, a power cut would take more than it should",
     .help = "is the disk busy?",
     .expr = "phoenix_journal_sync_lag_seconds",
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           of_recording(s, out, [](const auto& r) { return seconds_of(r.sync_lag); });
         }},
    {.name = "conversion_behind",
     .level = warning,
     .threshold = 10,
     .hysteresis = 0.5,
     .dwell = minutes{5},
     .unit = "segments",
     .what = "segments wait to become files",
     .help = "raise save_concurrency, or give the machine another core",
     .expr = "phoenix_recording_backlog_segments",
     .read = [](const Status& s, LocalTime,
                const Out& out) { of_recording(s, out, [](const auto& r) { return r.backlog; }); }},
    {.name = "disk_space_small",
     .level = warning,
     .side = AlertSide::below,
     .threshold = 5 * gib,
     .hysteresis = 0.2,
     .dwell = minutes{1},
     .unit = "B",
     .what = "little space is left on the recording's disk",
     .help = "free space, or let retention do it (keep_days, disk_max_gib in docs/recording.md)",
     .expr = "phoenix_recording_disk_free_bytes",
     .read =
         [](const Status& s, LocalTime, const Out& out) {
           // 0 until it was asked for the first time.
           if (s.recording.active && s.recording.free_bytes > 0)
             out("", static_cast<double>(s.recording.free_bytes));
         }},
};

/// PromQL wants 5m, 30s, 2h.
std::string prometheus_duration(base::Duration d) {
  if (d % base::hours{1} == base::Duration{} && d.count() > 0) return fmt::format("{}h", d / base::hours{1});
  if (d % minutes{1} == base::Duration{} && d.count() > 0) return fmt::format("{}m", d / minutes{1});
  return fmt::format("{}s", d / seconds{1});
}

std::string number_text(double value) {
  if (value == std::floor(value) && std::fabs(value) < 1e15) return fmt::format("{:.0f}", value);
  return fmt::format("{}", value);
}

std::string yaml_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    out += c;
    if (c == '\'') out += '\'';
  }
  return out + "'";
}

std::string_view subject_label(AlertAbout about) {
  switch (about) {
    case AlertAbout::all:
      return "";
    case AlertAbout::symbol:
      return "symbol";
    case AlertAbout::connection:
      return "stream";
    case AlertAbout::ring:
      break;
  }
  return "ring";
}

std::string prometheus_condition(const AlertRule& rule) {
  std::string value{rule.expr};
  const bool is_plain = value.find_first_of(" +*(") == std::string::npos;
  if (rule.measure == AlertMeasure::increase) {
    // A subquery where the counter is made of several. Rounded, because Prometheus extrapolates.
    const auto window = prometheus_duration(rule.window);
    value = is_plain ? fmt::format("round(increase({}[{}]))", value, window)
                     : fmt::format("round(increase(({})[{}:15s]))", value, window);
  } else if (!is_plain) {
    value = fmt::format("({})", value);
  }
  return fmt::format("{} {} {}{}{}", value, rule.side == AlertSide::above ? '>' : '<',
                     number_text(rule.threshold), rule.only.empty() ? "" : " and ", rule.only);
}

}  // namespace

std::string_view name(AlertLevel level) {
  switch (level) {
    case AlertLevel::warning:
      return "warning";
    case AlertLevel::severe:
      return "severe";
    case AlertLevel::critical:
      break;
  }
  return "critical";
}

double AlertRule::clear_at() const {
  return side == AlertSide::above ? threshold * (1 - hysteresis) : threshold * (1 + hysteresis);
}

std::span<const AlertRule> alert_rules() { return table; }

const AlertRule* find_alert_rule(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(table), std::end(table), [&](const AlertRule& r) { return r.name == name; });
  return found == std::end(table) ? nullptr : found;
}

std::string alert_value_text(double value, std::string_view unit) {
  if (unit == "B") return fmt::format("{:.1f} GiB", value / gib);
  const bool is_whole = value == std::floor(value) && std::fabs(value) < 1e15;
  auto text = is_whole ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
  return unit.empty() ? text : fmt::format("{} {}", text, unit);
}

std::string prometheus_name(std::string_view rule) {
  std::string out = "Phoenix";
  bool up = true;
  for (const char c : rule) {
    if (c == '_') {
      up = true;
    } else {
      out += up ? static_cast<char>(c - 'a' + 'A') : c;
      up = false;
    }
  }
  return out;
}

std::string prometheus_rules() {
  std::string out =
      "# Made by `phoenix alerts list --prometheus` from the table of src/ops/alert_rules.cpp.\n"
      "groups:\n  - name: phoenix\n    rules:\n";
  for (const auto& rule : table) {
    const auto label = subject_label(rule.about);
    const auto subject = label.empty() ? std::string{} : fmt::format(" {{{{ $labels.{} }}}}", label);
    out += fmt::format(
        "      - alert: {}\n        expr: {}\n        for: {}\n        labels:\n          severity: {}\n"
        "          level: '{}'\n        annotations:\n          summary: {}\n          description: {}\n",
        prometheus_name(rule.name), yaml_quoted(prometheus_condition(rule)), prometheus_duration(rule.dwell),
        name(rule.level), static_cast<int>(rule.level), yaml_quoted(fmt::format("{}{}", rule.what, subject)),
        yaml_quoted(rule.help));
  }
  out +=
      "      - alert: PhoenixSilent\n        expr: 'up{job=\"phoenix\"} == 0'\n        for: 10s\n"
      "        labels:\n          severity: critical\n          level: '3'\n        annotations:\n"
      "          summary: 'Phoenix does not answer {{ $labels.instance }}'\n"
      "          description: 'is it down? phoenix guard says so; if orders may rest: phoenix emergency "
      "cancel-all -c FILE'\n";
  return out;
}

}  // namespace phoenix::ops
