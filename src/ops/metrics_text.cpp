#include "ops/metrics_text.hpp"

#include <iterator>
#include <numeric>

#include <fmt/format.h>

namespace phoenix::ops {
namespace {

/// Writes one family after another: HELP and TYPE once, then its samples.
class Writer {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    fmt::format_to(std::back_inserter(text_), "# HELP phoenix_{0} {1}\n# TYPE phoenix_{0} {2}\n", name, help,
                   type);
  }
  template <class T>
  void sample(const T& value, std::string_view labels = {}) {
    if (labels.empty()) {
      fmt::format_to(std::back_inserter(text_), "phoenix_{} {}\n", name_, value);
    } else {
      fmt::format_to(std::back_inserter(text_), "phoenix_{}{{{}}} {}\n", name_, labels, value);
    }
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::string_view name_;
};

double seconds_of(base::Duration d) { return static_cast<double>(d.count()) / 1e9; }

template <class Value>
void per_symbol(Writer& w, const Status& status, std::string_view name, std::string_view type,
                std::string_view help, Value value) {
  w.family(name, type, help);
  for (const auto& s : status.symbols) w.sample(value(s), fmt::format("symbol=\"{}\"", s.name.view()));
}

template <class Value>
void per_symbol_and_side(Writer& w, const Status& status, std::string_view name, std::string_view help,
                         Value value) {
  w.family(name, "gauge", help);
  for (const auto& s : status.symbols) {
    for (const bool bid : {true, false}) {
      const auto sample = value(s, bid);
      if (sample)
        w.sample(*sample, fmt::format("symbol=\"{}\",side=\"{}\"", s.name.view(), bid ? "bid" : "ask"));
    }
  }
}

template <class Value>
void per_connection(Writer& w, const Status& status, std::string_view name, std::string_view type,
                    std::string_view help, Value value) {
  w.family(name, type, help);
  for (const auto& c : status.connections) w.sample(value(c), fmt::format("stream=\"{}\"", c.name.view()));
}

void symbols(Writer& w, const Status& status, base::LocalTime now) {
  w.family("mid_price", "gauge", "Middle of best bid and best ask in quote currency");
  for (const auto& s : status.symbols) {
    if (s.mid) w.sample(s.mid->text(), fmt::format("symbol=\"{}\"", s.name.view()));
  }
  per_symbol(w, status, "symbol_live", "gauge", "1 when the symbol may be quoted",
             [](const auto& s) { return s.state == SymbolState::live ? 1 : 0; });
  per_symbol(w, status, "position_size", "gauge", "Signed position in base units",
             [](const auto& s) { return s.position.text(); });
  per_symbol(w, status, "position_notional", "gauge", "Position at the mid price in quote currency, absolute",
             [](const auto& s) { return s.notional.text(); });
  per_symbol(w, status, "realized_pnl", "gauge", "Realised profit before fees in quote currency",
             [](const auto& s) { return s.realized_pnl.text(); });
  per_symbol(w, status, "unrealized_pnl", "gauge",
             "Profit of the open position at the mid price in quote currency",
             [](const auto& s) { return s.unrealized_pnl.text(); });
  per_symbol(w, status, "fees", "gauge", "Commission paid in quote currency, negative is a rebate",
             [](const auto& s) { return s.fees.text(); });
  per_symbol_and_side(w, status, "orders_live", "Own orders resting on the venue",
                      [](const auto& s, bool bid) {
                        return std::optional<std::uint32_t>{bid ? s.orders_bid : s.orders_ask};
                      });
  per_symbol(w, status, "orders_unknown", "gauge", "Own orders whose fate the venue has not told yet",
             [](const auto& s) { return s.orders_unknown; });
  per_symbol_and_side(w, status, "quote_distance",
                      "Distance of the best own quote from the mid price, as a ratio of it",
                      [](const auto& s, bool bid) -> std::optional<double> {
                        const auto& own = bid ? s.own_bid : s.own_ask;
                        if (!own || !s.mid) return std::nullopt;
                        const double mid = s.mid->to_double();
                        return bid ? (mid - own->to_double()) / mid : (own->to_double() - mid) / mid;
                      });
  per_symbol(w, status, "fill_count_total", "counter", "Fills, each trade id once",
             [](const auto& s) { return s.fills; });
  per_symbol(w, status, "fill_volume_total", "counter", "Filled notional in quote currency",
             [](const auto& s) { return s.volume.text(); });
  per_symbol(w, status, "place_count_total", "counter", "Orders placed",
             [](const auto& s) { return s.places; });
  per_symbol(w, status, "cancel_count_total", "counter", "Cancels asked for",
             [](const auto& s) { return s.cancels; });
  per_symbol(w, status, "amend_count_total", "counter", "Amends asked for",
             [](const auto& s) { return s.amends; });
  per_symbol(w, status, "order_reject_total", "counter", "Order requests the venue refused",
             [](const auto& s) { return s.rejects; });
  per_symbol(w, status, "post_only_reject_total", "counter",
             "Post-only orders refused because they would take",
             [](const auto& s) { return s.post_only_rejects; });
  per_symbol(w, status, "risk_cut_total", "counter", "Quotes cut or trimmed by risk",
             [](const auto& s) { return s.cuts; });
  per_symbol(w, status, "book_resync_total", "counter", "Times the book had to be built anew",
             [](const auto& s) { return s.resyncs; });
  w.family("symbol_verdict", "gauge", "1 for the liveness verdict of the symbol's price");
  for (const auto& s : status.symbols)
    w.sample(1, fmt::format("symbol=\"{}\",verdict=\"{}\"", s.name.view(), s.verdict.view()));
  w.family("price_proof_age_seconds", "gauge", "Time since the price was last proved");
  for (const auto& s : status.symbols) {
    if (s.proved_time)
      w.sample(seconds_of(now - *s.proved_time), fmt::format("symbol=\"{}\"", s.name.view()));
  }
  per_symbol(w, status, "market_data_lag_seconds", "gauge", "Age of the newest depth event when it was taken",
             [](const auto& s) { return seconds_of(s.lag); });
  per_symbol(w, status, "withdrawal_total", "counter", "Times all quotes of the symbol were withdrawn",
             [](const auto& s) { return s.withdrawals; });
  per_symbol(w, status, "id_probe_total", "counter", "REST questions for the id of the venue's book",
             [](const auto& s) { return s.probes; });
  per_symbol(w, status, "line_hole_total", "counter", "Holes in the depth of one line",
             [](const auto& s) { return s.line_holes; });
  per_symbol(w, status, "agg_trade_total", "counter", "Aggregate trades taken, each id once",
             [](const auto& s) { return s.trades; });
  per_symbol(w, status, "agg_trade_repaired_total", "counter", "Of these, fetched from REST to fill a hole",
             [](const auto& s) { return s.trades_repaired; });
  per_symbol(w, status, "agg_trade_lost_total", "counter", "Aggregate trades that will not come any more",
             [](const auto& s) { return s.trades_lost; });
  per_symbol(w, status, "strategy_failure_total", "counter", "Times the symbol's strategy threw",
             [](const auto& s) { return s.strategy_failures; });
  per_symbol(w, status, "switch_armed", "gauge", "1 while the dead man's switch protects the symbol's orders",
             [](const auto& s) { return s.switch_armed ? 1 : 0; });
  w.family("last_depth_age_seconds", "gauge", "Age of the last depth frame");
  for (const auto& s : status.symbols) {
    if (s.last_depth_time) {
      w.sample(seconds_of(now - *s.last_depth_time), fmt::format("symbol=\"{}\"", s.name.view()));
    }
  }
}

void connections(Writer& w, const Status& status) {
  per_connection(w, status, "ws_connected", "gauge", "1 when the connection delivers",
                 [](const auto& c) { return c.state.view() == "live" ? 1 : 0; });
  per_connection(w, status, "ws_wanted", "gauge", "1 when the connection should be open",
                 [](const auto& c) { return c.wanted ? 1 : 0; });
  per_connection(w, status, "reconnect_total", "counter", "Times the connection was lost or given up",
                 [](const auto& c) { return c.reconnects; });
  per_connection(w, status, "ws_message_count_total", "counter", "Messages received",
                 [](const auto& c) { return c.messages; });
  per_connection(w, status, "ws_payload_bytes_total", "counter", "Payload bytes received, inflated",
                 [](const auto& c) { return c.payload_bytes; });
  per_connection(w, status, "ws_wire_received_bytes_total", "counter", "Bytes received on the wire",
                 [](const auto& c) { return c.wire_bytes_in; });
  per_connection(w, status, "ws_wire_sent_bytes_total", "counter", "Bytes sent on the wire",
                 [](const auto& c) { return c.wire_bytes_out; });
  per_connection(w, status, "ws_deflate", "gauge", "1 when permessage-deflate was negotiated",
                 [](const auto& c) {
                   return c.extensions.view().find("permessage-deflate") != std::string_view::npos ? 1 : 0;
                 });
  w.family("ws_ping_round_trip_seconds", "gauge", "Round trip of the last ping");
  for (const auto& c : status.connections) {
    if (c.ping_round_trip)
      w.sample(seconds_of(*c.ping_round_trip), fmt::format("stream=\"{}\"", c.name.view()));
  }
}

void recording(Writer& w, const Status& status, base::LocalTime now) {
  const auto& r = status.recording;
  w.family("recording_active", "gauge", "1 while this process records");
  w.sample(r.active ? 1 : 0);
  if (!r.active) return;
  const auto one = [&w](std::string_view name, std::string_view type, std::string_view help, auto value) {
    w.family(name, type, help);
    w.sample(value);
  };
  w.family("recorded_rows_total", "counter", "Rows made of the symbol, of all kinds");
  for (const auto& s : status.symbols) {
    if (!s.recorded) continue;
    w.sample(std::accumulate(s.rows.begin(), s.rows.end(), std::uint64_t{0}),
             fmt::format("symbol=\"{}\"", s.name.view()));
  }
  one("journal_bytes_total", "counter", "Bytes written to the journal", r.journal_bytes);
  one("journal_records_total", "counter", "Records the journal took", r.journal_records);
  one("journal_lost_total", "counter", "Records lost because the journal's ring was full", r.journal_lost);
  one("journal_syncs_total", "counter", "Times the journal was synced", r.syncs);
  one("journal_sync_lag_seconds", "gauge", "Age of the oldest record that is not durable",
      seconds_of(r.sync_lag));
  one("journal_sync_max_seconds", "gauge", "Longest sync of the journal", seconds_of(r.sync_max));
  one("journal_segments_sealed_total", "counter", "Segments sealed", r.segments_sealed);
  one("journal_segments_dead_total", "counter", "Segments given up after a failed write or sync",
      r.segments_dead);
  one("recording_backlog_segments", "gauge", "Sealed segments that are not in files yet", r.backlog);
  one("recording_files_total", "counter", "Parquet files committed", r.files);
  one("recording_rows_durable_total", "counter", "Rows in committed files", r.rows_durable);
  one("recording_conversion_failed_total", "counter", "Conversions that failed and are tried again",
      r.conversions_failed);
  one("recording_rows_refused_total", "counter", "Rows the quality gate sent to a dead letter",
      r.rows_refused);
  one("recording_records_lost_total", "counter", "Journal records that could not be read", r.records_lost);
  one("recording_files_retired_total", "counter", "Files retention took away", r.files_retired);
  one("recording_bytes", "gauge", "Size of the recording on disk", r.recording_bytes);
  one("recording_disk_free_bytes", "gauge", "Free space on its disk", r.free_bytes);
  w.family("recording_disk_hours_left", "gauge", "Hours until the disk is full at the present rate");
  if (r.hours_left) w.sample(*r.hours_left);
  w.family("recording_last_durable_age_seconds", "gauge", "Age of the newest row in a committed file");
  if (r.last_durable_ns != 0) w.sample(static_cast<double>(base::ns_of(now) - r.last_durable_ns) / 1e9);
  one("recording_extreme_mode", "gauge", "1 while segments rotate faster because of much traffic",
      r.extreme ? 1 : 0);
  one("recording_faulty", "gauge", "1 while something of the recording fails and is tried again",
      r.fault.empty() ? 0 : 1);
}

void rings(Writer& w, const Status& status) {
  struct Named {
    std::string_view name;
    const base::RingStats& stats;
  };
  const Named all[] = {{"frames", status.frame_ring},
                       {"commands", status.command_ring},
                       {"log", status.log_ring},
                       {"journal_raw", status.recording.raw_ring},
                       {"journal_engine", status.recording.engine_ring}};
  const auto each = [&](std::string_view name, std::string_view type, std::string_view help, auto member) {
    w.family(name, type, help);
    for (const auto& ring : all) w.sample(ring.stats.*member, fmt::format("ring=\"{}\"", ring.name));
  };
  each("ring_pushed_total", "counter", "Items put into the ring", &base::RingStats::pushed);
  each("ring_dropped_total", "counter", "Items refused because the ring was full", &base::RingStats::dropped);
  each("ring_high_water", "gauge", "Most the ring ever held, in bytes (commands: items)",
       &base::RingStats::high_water);
  each("ring_capacity", "gauge", "Bound of the ring, in bytes (commands: items)", &base::RingStats::capacity);
}

}  // namespace

std::string_view name(SymbolState state) {
  switch (state) {
    case SymbolState::cold:
      return "cold";
    case SymbolState::syncing:
      return "syncing";
    case SymbolState::live:
      return "live";
    case SymbolState::hold:
      break;
  }
  return "hold";
}

std::string metrics_text(const Status& status, base::LocalTime now, std::string_view version) {
  Writer w;
  w.family("build_info", "gauge", "Always 1; the label tells the version");
  w.sample(1, fmt::format("version=\"{}\"", version));
  symbols(w, status, now);
  connections(w, status);
  w.family("connects_total", "counter", "Connections opened, of all streams");
  w.sample(status.connects);
  w.family("lines", "gauge", "Connections each stream runs on");
  w.sample(status.lines);
  w.family("bandwidth_step", "gauge", "0: everything; each step takes less to stay within the budget");
  w.sample(status.bandwidth_step);
  w.family("kill_latched", "gauge", "1 while the kill latch is set");
  w.sample(status.latched ? 1 : 0);
  w.family("switch_countdown_seconds", "gauge", "How long orders can outlive a dead process");
  if (status.countdown) w.sample(seconds_of(*status.countdown));
  w.family("frames_total", "counter", "Frames the engine took");
  w.sample(status.frames);
  w.family("frames_bad_total", "counter", "Frames that could not be decoded");
  w.sample(status.frames_bad);
  w.family("frames_ignored_total", "counter", "Frames that did not concern this run");
  w.sample(status.frames_ignored);
  w.family("frames_conflated_total", "counter",
           "Frames replaced by a newer one of their stream while the engine was behind");
  w.sample(status.frames_conflated);
  w.family("events_unknown_total", "counter", "Events of a type Phoenix does not know");
  w.sample(status.events_unknown);
  w.family("foreign_orders", "gauge", "Open orders on the account that are not ours");
  w.sample(status.foreign_orders);
  w.family("position_source_mismatch_total", "counter", "Times fills and the venue's position disagreed");
  w.sample(status.position_mismatches);
  w.family("clock_offset_seconds", "gauge", "Venue clock minus our clock");
  if (status.clock_offset) w.sample(seconds_of(*status.clock_offset));
  w.family("last_user_event_age_seconds", "gauge", "Age of the last user data event");
  if (status.last_user_event_time) w.sample(seconds_of(now - *status.last_user_event_time));
  w.family("rate_used", "gauge", "Use of the venue's rate limits in their current windows");
  w.sample(status.weight_used, "limit=\"weight_1m\"");
  w.sample(status.orders_10s_used, "limit=\"orders_10s\"");
  w.sample(status.orders_1m_used, "limit=\"orders_1m\"");
  w.family("rate_limit", "gauge", "The venue's rate limits");
  w.sample(status.weight_limit, "limit=\"weight_1m\"");
  w.sample(status.orders_10s_limit, "limit=\"orders_10s\"");
  w.sample(status.orders_1m_limit, "limit=\"orders_1m\"");
  recording(w, status, now);
  rings(w, status);
  return w.take();
}

std::string health_problem(const Status& status, base::LocalTime now, base::Duration age_max) {
  if (status.phase.empty()) return "the engine has not stepped yet";
  if (now - status.now > age_max) {
    return fmt::format("the engine has not stepped for {:.1f} s", seconds_of(now - status.now));
  }
  return {};
}

}  // namespace phoenix::ops
