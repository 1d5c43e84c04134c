#include "ops/status_json.hpp"

#include "base/utf8.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <type_traits>

#include <fmt/format.h>

namespace phoenix::ops {
namespace {

using base::Duration;
using base::LocalTime;

/// Writes JSON as it goes: `key` names what comes next, braces and brackets nest.
class Writer {
 public:
  void open(char bracket) {
    separate();
    text_ += bracket;
    first_ = true;
  }
  void close(char bracket) {
    text_ += bracket;
    first_ = false;
  }
  void key(std::string_view name) {
    separate();
    fmt::format_to(std::back_inserter(text_), "\"{}\":", name);
    after_key_ = true;
  }
  template <class T>
  void field(std::string_view name, const T& value_of_it) {
    key(name);
    value(value_of_it);
  }

  void value(std::string_view text) {
    separate();
    text_ += '"';
    while (!text.empty()) {
      const char c = text.front();
      const std::size_t size = base::utf8_character_size(text);
      if (size == 0) {
        text_ += '?';
      } else if (c == '"' || c == '\\') {
        text_ += '\\';
        text_ += c;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        fmt::format_to(std::back_inserter(text_), "\\u{:04x}", static_cast<unsigned>(c));
      } else {
        text_ += text.substr(0, size);
      }
      text.remove_prefix(std::max<std::size_t>(size, 1));
    }
    text_ += '"';
  }
  void value(const std::string& text) { value(std::string_view{text}); }
  template <std::size_t N>
  void value(const base::ShortText<N>& text) {
    value(text.view());
  }
  template <class T>
    requires requires(const T& fixed) { fixed.to_double(); }
  void value(const T& fixed) {
    raw(fixed.text());
  }
  template <class T>
    requires std::is_integral_v<T>
  void value(T number) {
    if constexpr (std::is_same_v<T, bool>) {
      raw(number ? "true" : "false");
    } else {
      raw(fmt::format("{}", number));
    }
  }
  void value(double number) { raw(std::isfinite(number) ? fmt::format("{}", number) : "null"); }
  template <class T>
  void value(const std::optional<T>& maybe) {
    if (maybe) {
      value(*maybe);
    } else {
      raw("null");
    }
  }
  std::string take() { return std::move(text_); }

 private:
  void raw(std::string_view text) {
    separate();
    text_ += text;
  }
  void separate() {
    if (!first_ && !after_key_) text_ += ',';
    first_ = after_key_ = false;
  }

  std::string text_;
  bool first_ = true, after_key_ = false;
};

std::optional<std::int64_t> ms(const std::optional<Duration>& d) {
  return d ? std::optional{*d / base::milliseconds{1}} : std::nullopt;
}
std::int64_t ms(Duration d) { return d / base::milliseconds{1}; }
std::optional<double> us(const std::optional<Duration>& d) {
  return d ? std::optional{static_cast<double>(d->count()) / 1e3} : std::nullopt;
}
std::optional<std::int64_t> age_ms(const std::optional<LocalTime>& at, LocalTime now) {
  return at ? std::optional{(now - *at) / base::milliseconds{1}} : std::nullopt;
}
std::optional<std::string_view> known(std::string_view text) {
  return text.empty() ? std::nullopt : std::optional{text};
}

template <class Body>
void object(Writer& w, std::string_view name, Body body) {
  w.key(name);
  w.open('{');
  body();
  w.close('}');
}
template <class Items, class Each>
void list(Writer& w, std::string_view name, const Items& items, Each each) {
  w.key(name);
  w.open('[');
  for (const auto& item : items) each(item);
  w.close(']');
}
template <class Items, class Each>
void objects(Writer& w, std::string_view name, const Items& items, Each each) {
  list(w, name, items, [&](const auto& item) {
    w.open('{');
    each(item);
    w.close('}');
  });
}

void guard(Writer& w, const GuardStatus& g) {
  object(w, "guard", [&] {
    w.field("level", g.level);
    w.field("level_name", g.level_name);
    w.field("reason", g.level == 0 ? std::nullopt : known(g.reason));
    w.field("may_add", g.allows_adding());
    w.field("reduce_only", g.level >= GuardStatus::level_reduce_only);
    objects(w, "in_force", g.reasons, [&](const GuardReason& r) {
      w.field("reason", r.name);
      w.field("latched", r.latched);
    });
    w.field("peak_equity", g.peak_equity);
  });
}

void quality(Writer& w, const QualityStatus& q) {
  object(w, "quality", [&] {
    for (std::size_t i = 0; i < q.horizons_s.size(); ++i) {
      w.field(fmt::format("markout_{}s_bps", q.horizons_s[i]), q.markout_bps[i]);
      w.field(fmt::format("markout_{}s_fills", q.horizons_s[i]), q.markout_fills[i]);
    }
    w.field("bid_presence", q.bid_presence);
    w.field("ask_presence", q.ask_presence);
    w.field("fill_rate", q.fill_rate);
    w.field("orders_per_fill", q.orders_per_fill);
    w.field("time_to_fill_median_ms", ms(q.time_to_fill_p50));
    w.field("cancels_per_minute", q.cancels_per_minute);
  });
}

void symbol(Writer& w, const SymbolStatus& s, LocalTime now) {
  w.field("symbol", s.name);
  w.field("state", name(s.state));
  w.field("reason", known(s.reason.view()));
  w.field("quoted", s.quoted);
  w.field("recorded", s.recorded);
  w.field("base_asset", known(s.base_asset.view()));
  w.field("quote_asset", known(s.quote_asset.view()));

  w.field("mid", s.mid);
  w.field("best_bid", s.best_bid);
  w.field("best_ask", s.best_ask);
  w.field("mark_price", s.mark_price);
  w.field("own_bid", s.own_bid);
  w.field("own_ask", s.own_ask);
  w.field("verdict", s.verdict);
  w.field("stream_state", s.stream_state);
  w.field("proof_age_ms", age_ms(s.proved_time, now));
  w.field("depth_age_ms", age_ms(s.last_depth_time, now));
  w.field("lag_ms", ms(s.lag));
  w.field("late", s.late);
  w.field("traffic", s.traffic);

  w.field("orders_live", s.orders_live);
  w.field("orders_bid", s.orders_bid);
  w.field("orders_ask", s.orders_ask);
  w.field("orders_unknown", s.orders_unknown);
  w.field("orders_live_max", s.orders_live_max);
  w.field("quotes_wanted", s.wanted_bids + s.wanted_asks);
  w.field("switch_armed", s.switch_armed);
  w.field("pending_buy", s.pending_buy);
  w.field("pending_sell", s.pending_sell);
  w.field("strategy", known(s.strategy));
  w.field("mode", known(s.mode));
  w.field("mode_reason", known(s.mode_reason));
  w.field("slice_in_flight", s.slice_in_flight);

  w.field("position", s.position);
  w.field("entry_price", s.entry_price);
  w.field("notional", s.notional);
  w.field("position_limit", s.net_max);
  w.field("usage_ratio", s.usage);
  w.field("worst_long", s.worst_long);
  w.field("worst_short", s.worst_short);
  w.field("realized_pnl", s.realized_pnl);
  w.field("unrealized_pnl", s.unrealized_pnl);
  w.field("fees", s.fees);
  w.field("funding_pnl", s.funding);
  w.field("net_pnl", s.net_pnl);
  w.field("drawdown", s.drawdown);
  w.field("drawdown_max", s.drawdown_max);
  w.field("pnl_assets_left_out", s.pnl_assets_left_out);
  w.field("volume", s.volume);

  guard(w, s.guard);
  object(w, "signals", [&] {
    w.field("volatility_ratio", s.signals.volatility_ratio);
    w.field("volatility_per_sqrt_s", s.signals.volatility_per_s);
    w.field("vpin", s.signals.vpin);
    w.field("vpin_buckets", s.signals.vpin_buckets);
    w.field("funding_rate", s.signals.funding_rate);
    w.field("predicted_funding_rate", s.signals.predicted_funding);
    w.field("intensity_at_touch_per_s", s.signals.intensity_at_touch);
    w.field("intensity_decay", s.signals.intensity_decay);
  });
  quality(w, s.quality);
  object(w, "counts", [&] {
    w.field("fills", s.fills);
    w.field("places", s.places);
    w.field("cancels", s.cancels);
    w.field("amends", s.amends);
    w.field("takes", s.takes);
    w.field("rejects", s.rejects);
    w.field("post_only_rejects", s.post_only_rejects);
    w.field("gateway_refusals", s.gateway_refusals);
    w.field("risk_cuts", s.cuts);
    w.field("withdrawals", s.withdrawals);
    w.field("resyncs", s.resyncs);
    w.field("probes", s.probes);
    w.field("line_holes", s.line_holes);
    w.field("strategy_failures", s.strategy_failures);
    w.field("depth_frames", s.depth_frames);
    w.field("trades", s.trades);
    w.field("trades_repaired", s.trades_repaired);
    w.field("trades_lost", s.trades_lost);
  });
  std::uint64_t rows = 0;
  for (const auto count : s.rows) rows += count;
  w.field("rows_recorded", rows);
}

void stream(Writer& w, const StreamStatus& s, LocalTime now) {
  w.field("symbol", known(s.symbol.view()));
  w.field("role", s.role);
  w.field("connection", s.connection);
  w.field("line", s.line);
  w.field("state", s.state);
  w.field("age_ms", age_ms(s.last_frame_time, now));
  w.field("position", s.position);
  w.field("claimed", s.claimed);
  w.field("accepted", s.accepted);
  w.field("covered", s.covered);
  w.field("gaps", s.gaps);
  w.field("messages", s.messages);
  w.field("payload_bytes", s.payload_bytes);
  w.field("evidence", evidence_text(s));
}

void connection(Writer& w, const ConnectionStatus& c, LocalTime now) {
  w.field("connection", c.name);
  w.field("state", c.state);
  w.field("wanted", c.wanted);
  w.field("extensions", known(c.extensions.view()));
  w.field("age_ms", age_ms(c.opened_time, now));
  w.field("streams", c.streams);
  w.field("streams_silent", c.streams_silent);
  w.field("stalls", c.stalls);
  w.field("resubscriptions", c.resubscriptions);
  w.field("reconnects", c.reconnects);
  w.field("messages", c.messages);
  w.field("payload_bytes", c.payload_bytes);
  w.field("wire_received_bytes", c.wire_bytes_in);
  w.field("wire_sent_bytes", c.wire_bytes_out);
  w.field("ping_ms", ms(c.ping_round_trip));
}

void ring(Writer& w, std::string_view name, const base::RingStats& r) {
  object(w, name, [&] {
    w.field("pushed", r.pushed);
    w.field("dropped", r.dropped);
    w.field("high_water", r.high_water);
    w.field("capacity", r.capacity);
  });
}

void latency(Writer& w, std::string_view name, const Histogram& h) {
  object(w, name, [&] {
    w.field("count", h.count());
    for (const auto& [key, per_mille] : {std::pair{"p50_us", 500}, {"p99_us", 990}, {"p999_us", 999}})
      w.field(key, h.count() == 0 ? std::nullopt : us(h.quantile(per_mille)));
  });
}

void recording(Writer& w, const RecordingStatus& r, LocalTime now) {
  object(w, "recording", [&] {
    w.field("active", r.active);
    w.field("fault", known(r.fault.view()));
    w.field("extreme_mode", r.extreme);
    w.field("journal_bytes", r.journal_bytes);
    w.field("journal_records", r.journal_records);
    w.field("journal_lost", r.journal_lost);
    w.field("sync_lag_ms", ms(r.sync_lag));
    w.field("sync_max_ms", ms(r.sync_max));
    w.field("segments_waiting", r.backlog);
    w.field("segments_dead", r.segments_dead);
    w.field("files", r.files);
    w.field("rows_durable", r.rows_durable);
    w.field("rows_refused", r.rows_refused);
    w.field("records_lost", r.records_lost);
    w.field("last_durable_age_ms",
            r.last_durable_ns == 0 ? std::nullopt : age_ms(base::local_time_ns(r.last_durable_ns), now));
    w.field("recording_bytes", r.recording_bytes);
    w.field("disk_free_bytes", r.free_bytes);
    w.field("disk_hours_left", r.hours_left);
  });
}

void judged(Writer& w, const Health& health) {
  object(w, "health", [&] {
    w.field("level", name(health.level));
    w.field("process", health.process_problem.empty());
    w.field("process_problem", known(health.process_problem));
    w.field("ready", health.ready);
    objects(w, "symbols", health.symbols, [&](const SymbolReadiness& s) {
      w.field("symbol", s.symbol);
      w.field("ready", s.ready);
      w.field("why", known(s.why));
    });
    objects(w, "checks", health.checks, [&](const HealthCheck& c) {
      w.field("check", name(c.kind));
      w.field("level", name(c.level));
      w.field("what", c.what);
      w.field("help", known(c.help));
    });
  });
}

void limit(Writer& w, std::string_view name, std::uint64_t used, std::uint64_t of) {
  object(w, name, [&] {
    w.field("used", used);
    w.field("limit", of);
  });
}

}  // namespace

std::string evidence_text(const StreamStatus& s) {
  auto text = fmt::format("witness={} ours={} theirs={} silent_ms={}", s.witness, s.position, s.claimed,
                          s.silent_for / base::milliseconds{1});
  if (s.usual_gap)
    fmt::format_to(std::back_inserter(text), " usual_gap_ms={}", *s.usual_gap / base::milliseconds{1});
  fmt::format_to(std::back_inserter(text), " siblings_alive={}", s.siblings_alive);
  return text;
}

std::string status_json(const Status& status, const Health& health, LocalTime now, std::string_view version) {
  Writer w;
  w.open('{');
  w.field("schema", status_schema);
  w.field("version", version);
  w.field("time_unix_ms", base::ns_of(now) / 1'000'000);
  w.field("age_ms", ms(now - status.now));
  w.field("phase", status.phase);
  w.field("run_epoch", status.run_epoch);
  w.field("uptime_ms", ms(now - status.started_time));
  w.field("paper", status.paper);
  w.field("limited", status.limited);
  w.field("latched", status.latched);
  w.field("latch_reason", known(status.latch_reason.view()));
  judged(w, health);
  objects(w, "alerts", status.alerts, [&](const AlertStatus& a) {
    w.field("alert", a.name);
    w.field("symbol", known(a.symbol.view()));
    w.field("level", a.level);
    w.field("age_ms", ms(now - a.since));
    w.field("text", a.text);
  });
  objects(w, "symbols", status.symbols, [&](const SymbolStatus& s) { symbol(w, s, now); });
  object(w, "account", [&] {
    const auto& a = status.account;
    w.field("equity", a.equity);
    w.field("drawdown", a.drawdown);
    w.field("worst_notional", a.worst_notional);
    w.field("total_notional_limit", a.total_notional_max);
    w.field("foreign_orders", status.foreign_orders);
    w.field("position_mismatches", status.position_mismatches);
    w.field("fills_refused", a.fills_refused);
    w.field("fills_too_old", a.fills_too_old);
    w.field("amounts_unsummed", a.amounts_unsummed);
    w.field("incomes_repeated", a.incomes_repeated);
    guard(w, a.guard);
  });
  objects(w, "streams", status.streams, [&](const StreamStatus& s) { stream(w, s, now); });
  objects(w, "connections", status.connections, [&](const ConnectionStatus& c) { connection(w, c, now); });
  object(w, "traffic", [&] {
    w.field("lines", status.lines);
    w.field("bandwidth_step", status.bandwidth_step);
    w.field("bytes_per_s", status.bandwidth_bytes_per_s);
    w.field("budget_bytes_per_s", status.bandwidth_budget_bytes_per_s);
    w.field("depth_interval_ms", status.depth_speed_ms);
    w.field("connects", status.connects);
    w.field("reconnects", status.reconnects);
    w.field("user_event_age_ms", age_ms(status.last_user_event_time, now));
  });
  object(w, "limits", [&] {
    limit(w, "weight_1m", status.weight_used, status.weight_limit);
    limit(w, "orders_10s", status.orders_10s_used, status.orders_10s_limit);
    limit(w, "orders_1m", status.orders_1m_used, status.orders_1m_limit);
  });
  objects(w, "requests", status.requests, [&](const RequestStatus& r) {
    w.field("endpoint", r.endpoint);
    w.field("weight", r.weight);
    w.field("lost", r.lost);
    latency(w, "accepted", r.accepted);
    latency(w, "refused", r.refused);
  });
  objects(w, "refusals", status.refusals, [&](const RefusalStatus& r) {
    w.field("endpoint", r.endpoint);
    w.field("code", r.code);
    w.field("count", r.count);
  });
  object(w, "clock", [&] {
    w.field("offset_ms", ms(status.clock_offset));
    w.field("error_ms", ms(status.clock_error));
    w.field("switch_countdown_ms", ms(status.countdown));
  });
  object(w, "engine", [&] {
    w.field("frames", status.frames);
    w.field("frames_bad", status.frames_bad);
    w.field("frames_ignored", status.frames_ignored);
    w.field("frames_conflated", status.frames_conflated);
    w.field("events_unknown", status.events_unknown);
    w.field("errors", errors_of(status));
  });
  object(w, "refused", [&] {
    object(w, "risk_cuts", [&] {
      for (const auto& each : status.cuts) w.field(each.name, each.count);
    });
    object(w, "gateway", [&] {
      for (const auto& each : status.gateway_refusals) w.field(each.name, each.count);
    });
  });
  object(w, "latencies", [&] {
    latency(w, "receive_to_step", status.latencies.receive_to_step);
    latency(w, "step", status.latencies.step);
    latency(w, "tick_to_order", status.latencies.tick_to_order);
  });
  object(w, "rings", [&] {
    ring(w, "frames", status.frame_ring);
    ring(w, "commands", status.command_ring);
    ring(w, "log", status.log_ring);
    ring(w, "journal_raw", status.recording.raw_ring);
    ring(w, "journal_engine", status.recording.engine_ring);
  });
  object(w, "state_store", [&] {
    const auto& s = status.state_store;
    w.field("active", s.active);
    w.field("fault", known(s.fault.view()));
    w.field("written", s.written);
    w.field("repeated", s.repeated);
    w.field("waiting", s.waiting);
    w.field("dropped", s.dropped);
    w.field("failures", s.failures);
    w.field("last_commit_age_ms", age_ms(s.last_commit, now));
  });
  recording(w, status.recording, now);
  object(w, "process", [&] {
    const auto& p = status.process;
    w.field("resident_bytes", p.resident_bytes);
    w.field("virtual_bytes", p.virtual_bytes);
    w.field("cpu_seconds", p.cpu_seconds);
    w.field("threads", p.threads);
    w.field("open_files", p.open_files);
  });
  w.close('}');
  return w.take();
}

}  // namespace phoenix::ops
