#include "ops/metrics_text.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <optional>
#include <type_traits>

#include <fmt/format.h>

namespace phoenix::ops {
namespace {

using base::LocalTime;

double seconds_of(base::Duration d) { return static_cast<double>(d.count()) / 1e9; }

/// What a family is written from.
struct Picture {
  const Status& status;
  const Health& health;
  LocalTime now;
  std::string_view version;
};

/// One label after another; values are escaped as the format wants it.
class Labels {
 public:
  Labels& add(std::string_view key, std::string_view value) {
    text_ += text_.empty() ? '{' : ',';
    text_.append(key).append("=\"");
    for (const char c : value) {
      if (c == '\\' || c == '"') text_ += '\\';
      c == '\n' ? text_.append("\\n") : text_ += c;
    }
    text_ += '"';
    return *this;
  }
  std::string text() const { return text_.empty() ? text_ : text_ + '}'; }

 private:
  std::string text_;
};

class Samples {
 public:
  Samples(std::string& out, std::string_view name, LocalTime now) : out_(out), name_(name), now_(now) {}

  template <class T>
  void put(const T& value, const Labels& labels = {}) {
    put(value, labels.text(), "");
  }
  /// Buckets below `first_edge` are left out; what they hold is in the first that is written.
  void put(const Histogram& histogram, const Labels& labels, base::Duration first_edge = {}) {
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < Histogram::edges_ns.size(); ++i) {
      below += histogram.counts()[i];
      if (Histogram::edges_ns[i] < first_edge.count()) continue;
      Labels with = labels;
      with.add("le", fmt::format("{}", static_cast<double>(Histogram::edges_ns[i]) / 1e9));
      put(below, with.text(), "_bucket");
    }
    Labels with = labels;
    with.add("le", "+Inf");
    put(histogram.count(), with.text(), "_bucket");
    put(histogram.sum(), labels.text(), "_sum");
    put(histogram.count(), labels.text(), "_count");
  }

 private:
  template <class T>
  void put(const std::optional<T>& value, const std::string& labels, std::string_view suffix) {
    if (value) put(*value, labels, suffix);
  }
  void put(LocalTime since, const std::string& labels, std::string_view suffix) {
    put(now_ - since, labels, suffix);
  }
  void put(base::Duration took, const std::string& labels, std::string_view suffix) {
    put(seconds_of(took), labels, suffix);
  }
  void put(bool is, const std::string& labels, std::string_view suffix) { put(is ? 1 : 0, labels, suffix); }
  template <class T>
    requires requires(const T& fixed) { fixed.text(); }
  void put(const T& fixed, const std::string& labels, std::string_view suffix) {
    fmt::format_to(std::back_inserter(out_), "phoenix_{}{}{} {}\n", name_, suffix, labels, fixed.text());
  }
  template <class T>
    requires std::is_arithmetic_v<T>
  void put(T value, const std::string& labels, std::string_view suffix) {
    fmt::format_to(std::back_inserter(out_), "phoenix_{}{}{} {}\n", name_, suffix, labels, value);
  }

  std::string& out_;
  std::string_view name_;
  LocalTime now_;
};

struct Row {
  MetricFamily family;
  void (*write)(Samples& to, const Picture& of);
};

Labels symbol_label(const SymbolStatus& s) { return Labels{}.add("symbol", s.name.view()); }
Labels stream_label(const ConnectionStatus& c) { return Labels{}.add("stream", c.name.view()); }
Labels labels_of(const StreamStatus& s) {
  return Labels{}.add("symbol", s.symbol.view()).add("role", s.role).add("stream", s.connection);
}

/// A member, or what a function makes of the whole.
template <auto Value, class T>
auto value_of(const T& from) {
  if constexpr (std::is_member_object_pointer_v<decltype(Value)>) {
    return from.*Value;
  } else {
    return Value(from);
  }
}

// The shapes of families. A value that is not known is left out.

template <auto Value>
void once(Samples& to, const Picture& of) {
  to.put(value_of<Value>(of.status));
}
/// What goes over a network: nothing of interest happens below it.
constexpr base::Duration network_edge = base::milliseconds{1};

template <auto Value>
void account(Samples& to, const Picture& of) {
  to.put(value_of<Value>(of.status.account));
}
template <auto Value>
void process(Samples& to, const Picture& of) {
  if (of.status.process.threads > 0) to.put(value_of<Value>(of.status.process));
}
template <auto Value>
void state_store(Samples& to, const Picture& of) {
  if (of.status.state_store.active) to.put(value_of<Value>(of.status.state_store));
}
template <auto Value>
void recording(Samples& to, const Picture& of) {
  if (of.status.recording.active) to.put(value_of<Value>(of.status.recording));
}
template <auto Value>
void symbols(Samples& to, const Picture& of) {
  for (const auto& s : of.status.symbols) to.put(value_of<Value>(s), symbol_label(s));
}
template <auto Value>
void quoted(Samples& to, const Picture& of) {
  for (const auto& s : of.status.symbols) {
    if (s.quoted) to.put(value_of<Value>(s), symbol_label(s));
  }
}
template <auto Value>
void signals(Samples& to, const Picture& of) {
  for (const auto& s : of.status.symbols) {
    if (s.quoted) to.put(value_of<Value>(s.signals), symbol_label(s));
  }
}
template <auto Value>
void quality(Samples& to, const Picture& of) {
  for (const auto& s : of.status.symbols) {
    if (s.quoted) to.put(value_of<Value>(s.quality), symbol_label(s));
  }
}
template <auto Bid, auto Ask>
void sides(Samples& to, const Picture& of) {
  for (const auto& s : of.status.symbols) {
    if (!s.quoted) continue;
    to.put(value_of<Bid>(s), symbol_label(s).add("side", "bid"));
    to.put(value_of<Ask>(s), symbol_label(s).add("side", "ask"));
  }
}
template <auto Value>
void connections(Samples& to, const Picture& of) {
  for (const auto& c : of.status.connections) to.put(value_of<Value>(c), stream_label(c));
}
template <auto Value>
void streams(Samples& to, const Picture& of) {
  for (const auto& s : of.status.streams) to.put(value_of<Value>(s), labels_of(s));
}
template <auto Value>
void rings(Samples& to, const Picture& of) {
  const auto& status = of.status;
  const std::pair<std::string_view, const base::RingStats&> all[] = {
      {"frames", status.frame_ring},
      {"commands", status.command_ring},
      {"log", status.log_ring},
      {"journal_raw", status.recording.raw_ring},
      {"journal_engine", status.recording.engine_ring}};
  for (const auto& [name, stats] : all) to.put(stats.*Value, Labels{}.add("ring", name));
}
template <auto Value>
void requests(Samples& to, const Picture& of) {
  for (const auto& r : of.status.requests) to.put(value_of<Value>(r), Labels{}.add("endpoint", r.endpoint));
}
template <auto Value>
void counts(Samples& to, const Picture& of) {
  for (const auto& each : of.status.*Value) to.put(each.count, Labels{}.add("reason", each.name));
}

std::optional<double> distance(const SymbolStatus& s, const std::optional<model::Price>& own, bool below) {
  if (!own || !s.mid) return std::nullopt;
  const double mid = s.mid->to_double();
  return (below ? mid - own->to_double() : own->to_double() - mid) / mid;
}

constexpr std::string_view gauge = "gauge", counter = "counter", histogram = "histogram";
constexpr std::string_view none, quote = "quote currency", base_units = "base units", ratio = "ratio",
                                 seconds = "seconds", bytes = "bytes";
constexpr std::string_view symbol = "symbol", symbol_side = "symbol, side", stream = "stream",
                           symbol_role_stream = "symbol, role, stream", ring = "ring";

using S = SymbolStatus;
using C = ConnectionStatus;
using T = StreamStatus;
using R = RecordingStatus;

const Row
    table[] =
        {
            // The run.
            {{"build_info", gauge, none, "version", "Always 1; the label tells the version"},
             [](Samples& to, const Picture& of) { to.put(1, Labels{}.add("version", of.version)); }},
            {{"start_time_seconds", gauge, seconds, none, "When the run began, in seconds since 1970"},
             [](Samples& to, const Picture& of) { to.put(of.status.started_time.time_since_epoch()); }},
            {{"run_epoch", gauge, none, none, "Number of the run on this data directory"},
             once<&Status::run_epoch>},
            {{"phase", gauge, none, "phase",
              "1 for the phase of the run: starting, running, stopping, finished"},
             [](Samples& to, const Picture& of) {
               to.put(1, Labels{}.add("phase", of.status.phase.view()));
             }},
            {{"paper", gauge, none, none, "1 while orders meet a model of the venue instead of the venue"},
             once<&Status::paper>},
            {{"limited", gauge, none, none,
              "1 while a first start is limited to one symbol and minimum size"},
             once<&Status::limited>},
            {{"kill_latched", gauge, none, none, "1 while the kill latch is set"}, once<&Status::latched>},

            {{"config_reload_total", counter, none, "result",
              "Changes of the configuration file while running: applied, refused"},
             [](Samples& to, const Picture& of) {
               to.put(of.status.configs_applied, Labels{}.add("result", "applied"));
               to.put(of.status.configs_refused, Labels{}.add("result", "refused"));
             }},

            // What is judged of it.
            {{"healthy", gauge, none, none, "1 while the process does its work: /healthz"},
             [](Samples& to, const Picture& of) { to.put(of.health.process_problem.empty()); }},
            {{"ready", gauge, none, none, "1 while every symbol may be quoted: /readyz"},
             [](Samples& to, const Picture& of) { to.put(of.health.ready); }},
            {{"health_level", gauge, none, "check",
              "0 ok, 1 warning, 2 severe: the checks of `phoenix health`"},
             [](Samples& to, const Picture& of) {
               for (const auto& c : of.health.checks)
                 to.put(static_cast<int>(c.level), Labels{}.add("check", name(c.kind)));
             }},
            {{"error_count_total", counter, none, none, "Errors as `phoenix health` counts them"},
             once<&errors_of>},
            {{"alert_active", gauge, none, "alert, symbol, level", "1 for each alert in force"},
             [](Samples& to, const Picture& of) {
               for (const auto& a : of.status.alerts)
                 to.put(1, Labels{}
                               .add("alert", a.name.view())
                               .add("symbol", a.symbol.view())
                               .add("level", fmt::format("{}", a.level)));
             }},

            // Market and proof.
            {{"mid_price", gauge, quote, symbol, "Middle of best bid and best ask"}, symbols<&S::mid>},
            {{"price_spread", gauge, ratio, symbol, "Best ask minus best bid, over the mid"},
             symbols<[](const S& s) -> std::optional<double> {
               if (!s.best_bid || !s.best_ask || !s.mid) return std::nullopt;
               return (s.best_ask->to_double() - s.best_bid->to_double()) / s.mid->to_double();
             }>},
            {{"mark_price", gauge, quote, symbol, "The venue's mark price"}, symbols<&S::mark_price>},
            {{"symbol_live", gauge, none, symbol, "1 when the symbol may be quoted"},
             symbols<[](const S& s) { return s.state == SymbolState::live; }>},
            {{"symbol_hold", gauge, none, "symbol, reason",
              "1 for the reason why the symbol may not be quoted"},
             [](Samples& to, const Picture& of) {
               for (const auto& s : of.status.symbols) {
                 if (!s.reason.empty()) to.put(1, symbol_label(s).add("reason", s.reason.view()));
               }
             }},
            {{"symbol_verdict", gauge, none, "symbol, verdict",
              "1 for the liveness verdict of the symbol's price"},
             [](Samples& to, const Picture& of) {
               for (const auto& s : of.status.symbols)
                 to.put(1, symbol_label(s).add("verdict", s.verdict.view()));
             }},
            {{"price_proof_age_seconds", gauge, seconds, symbol, "Time since the price was last proved"},
             symbols<&S::proved_time>},
            {{"last_depth_age_seconds", gauge, seconds, symbol, "Age of the last depth frame"},
             symbols<&S::last_depth_time>},
            {{"market_data_lag_seconds", gauge, seconds, symbol,
              "How old the newest depth event was, by the venue's clock, when it was taken"},
             symbols<&S::lag>},
            {{"market_data_delay_seconds", histogram, seconds, symbol,
              "The same of every depth event that brought something new"},
             [](Samples& to, const Picture& of) {
               for (const auto& t : of.status.timings) {
                 if (t.data_delay.count() > 0)
                   to.put(t.data_delay, Labels{}.add("symbol", t.symbol.view()), network_edge);
               }
             }},
            {{"book_snapshot_age_seconds", gauge, seconds, symbol, "Time since the book was last built anew"},
             symbols<&S::last_snapshot_time>},
            {{"withdrawal_total", counter, none, symbol, "Times all quotes of the symbol were withdrawn"},
             symbols<&S::withdrawals>},
            {{"id_probe_total", counter, none, symbol, "REST questions for the id of the venue's book"},
             symbols<&S::probes>},
            {{"book_resync_total", counter, none, symbol, "Times the book had to be built anew"},
             symbols<&S::resyncs>},
            {{"line_hole_total", counter, none, symbol, "Holes in the depth of one line"},
             symbols<&S::line_holes>},
            {{"agg_trade_total", counter, none, symbol, "Aggregate trades taken, each id once"},
             symbols<&S::trades>},
            {{"agg_trade_repaired_total", counter, none, symbol,
              "Of these, fetched from REST to fill a hole"},
             symbols<&S::trades_repaired>},
            {{"agg_trade_lost_total", counter, none, symbol, "Aggregate trades that will not come any more"},
             symbols<&S::trades_lost>},
            {{"symbol_traffic", gauge, none, "symbol, traffic",
              "1 for what is subscribed to within the bandwidth budget: full, leaving, shed"},
             [](Samples& to, const Picture& of) {
               for (const auto& s : of.status.symbols) to.put(1, symbol_label(s).add("traffic", s.traffic));
             }},

            // Orders.
            {{"orders_live", gauge, none, symbol_side, "Own orders resting on the venue"},
             sides<&S::orders_bid, &S::orders_ask>},
            {{"quotes_wanted", gauge, none, symbol_side,
              "Quotes of the last set, after the cuts of risk; none under a hold"},
             sides<&S::wanted_bids, &S::wanted_asks>},
            {{"orders_unknown", gauge, none, symbol, "Own orders whose fate the venue has not told yet"},
             quoted<&S::orders_unknown>},
            {{"quote_distance", gauge, ratio, symbol_side,
              "Distance of the best own quote from the mid, over the mid"},
             sides<[](const S& s) { return distance(s, s.own_bid, true); },
                   [](const S& s) { return distance(s, s.own_ask, false); }>},
            {{"pending_buy_size", gauge, base_units, symbol,
              "Own bids: live, in flight and unknown, at their worst"},
             quoted<&S::pending_buy>},
            {{"pending_sell_size", gauge, base_units, symbol, "Own asks, likewise"},
             quoted<&S::pending_sell>},
            {{"place_count_total", counter, none, symbol, "Orders placed"}, quoted<&S::places>},
            {{"cancel_count_total", counter, none, symbol, "Cancels asked for"}, quoted<&S::cancels>},
            {{"cancel_rate", gauge, "1/minute", symbol, "Cancels asked for in the last 60 s"},
             quality<&QualityStatus::cancels_per_minute>},
            {{"amend_count_total", counter, none, symbol, "Amends asked for"}, quoted<&S::amends>},
            {{"take_count_total", counter, none, symbol,
              "Orders sent that take at once, to reduce the position"},
             quoted<&S::takes>},
            {{"order_placement_duration_seconds", histogram, seconds, symbol_side,
              "From wanting an order and sending it to the venue's answer that it rests"},
             [](Samples& to, const Picture& of) {
               for (const auto& t : of.status.timings) {
                 for (const auto& [side, took] :
                      {std::pair{"bid", &t.bid_placing}, {"ask", &t.ask_placing}}) {
                   if (took->count() > 0)
                     to.put(*took, Labels{}.add("symbol", t.symbol.view()).add("side", side), network_edge);
                 }
               }
             }},
            {{"order_reject_total", counter, none, symbol, "Order requests the venue refused"},
             quoted<&S::rejects>},
            {{"post_only_reject_total", counter, none, symbol,
              "Post-only orders refused because they would take"},
             quoted<&S::post_only_rejects>},
            {{"risk_cut_total", counter, none, symbol, "Quotes cut or trimmed by risk"}, quoted<&S::cuts>},
            {{"risk_cut_reason_total", counter, none, "reason", "The same by limit, of all symbols"},
             counts<&Status::cuts>},
            {{"gateway_refused_total", counter, none, "reason",
              "Requests held back at the last look, by reason"},
             counts<&Status::gateway_refusals>},
            {{"foreign_orders", gauge, none, none, "Open orders on the account that are not ours"},
             once<&Status::foreign_orders>},
            {{"switch_armed", gauge, none, symbol,
              "1 while the dead man's switch protects the symbol's orders"},
             quoted<&S::switch_armed>},
            {{"switch_countdown_seconds", gauge, seconds, none, "How long orders can outlive a dead process"},
             once<&Status::countdown>},
            {{"strategy_mode", gauge, none, symbol, "0 normal, 1 pinning, 2 grinding"},
             quoted<[](const S& s) { return s.mode == "grinding"  ? 2
                                            : s.mode == "pinning" ? 1
                                                                  : 0; }>},
            {{"strategy_failure_total", counter, none, symbol, "Times the symbol's strategy threw"},
             quoted<&S::strategy_failures>},

            // Position and results.
            {{"position_size", gauge, base_units, symbol, "Signed position"}, quoted<&S::position>},
            {{"position_notional", gauge, quote, symbol, "Position at the mid price, absolute"},
             quoted<&S::notional>},
            {{"position_limit", gauge, base_units, symbol, "Largest position wanted, absolute"},
             quoted<&S::net_max>},
            {{"position_usage", gauge, ratio, symbol, "Position over its limit"}, quoted<&S::usage>},
            {{"position_entry_price", gauge, quote, symbol, "Average price of the open position"},
             quoted<&S::entry_price>},
            {{"position_source_mismatch_total", counter, none, none,
              "Times fills and the venue's position disagreed"},
             once<&Status::position_mismatches>},
            {{"total_notional", gauge, quote, none, "Positions of all symbols at their mid prices, absolute"},
             once<[](const Status& s) {
               return std::accumulate(s.symbols.begin(), s.symbols.end(), model::Money{},
                                      [](model::Money sum, const S& each) { return sum + each.notional; });
             }>},
            {{"worst_case_long", gauge, base_units, symbol, "Position if every own bid fills"},
             quoted<&S::worst_long>},
            {{"worst_case_short", gauge, base_units, symbol, "Position if every own ask fills"},
             quoted<&S::worst_short>},
            {{"realized_pnl", gauge, quote, symbol, "Realised profit before fees, of all runs in state.db"},
             quoted<&S::realized_pnl>},
            {{"unrealized_pnl", gauge, quote, symbol,
              "Profit of the open position at the mark price, or the mid"},
             quoted<&S::unrealized_pnl>},
            {{"fees", gauge, quote, symbol, "Commission paid, negative is a rebate"}, quoted<&S::fees>},
            {{"funding_pnl", gauge, quote, symbol, "Funding received, negative is paid"},
             quoted<&S::funding>},
            {{"total_pnl", gauge, quote, symbol, "Realised - fees + funding + unrealised"},
             quoted<&S::net_pnl>},
            {{"pnl_assets_left_out", gauge, none, symbol,
              "Other assets with amounts that total_pnl does not hold"},
             quoted<&S::pnl_assets_left_out>},
            {{"drawdown", gauge, quote, symbol,
              "total_pnl below its peak since the start or the last re-arm"},
             quoted<&S::drawdown>},
            {{"max_drawdown", gauge, quote, symbol, "The largest drawdown of this run"},
             quoted<&S::drawdown_max>},
            {{"fill_count_total", counter, none, symbol,
              "Fills, each trade id once, of all runs in state.db"},
             quoted<&S::fills>},
            {{"fill_volume_total", counter, quote, symbol, "Filled notional, of all runs in state.db"},
             quoted<&S::volume>},
            {{"fill_maker_total", counter, none, symbol, "Of the fills, those that did not take"},
             quoted<&S::maker_fills>},
            {{"fill_size_total", counter, base_units, symbol_side,
              "Filled quantity, of all runs in state.db: bid bought, ask sold"},
             sides<&S::bought, &S::sold>},
            {{"account_equity", gauge, quote, none, "total_pnl of all symbols together"},
             account<&AccountStatus::equity>},
            {{"account_drawdown", gauge, quote, none, "account_equity below its peak"},
             account<&AccountStatus::drawdown>},
            {{"worst_case_notional", gauge, quote, none, "Value of the worst-case positions of all symbols"},
             account<&AccountStatus::worst_notional>},
            {{"total_notional_limit", gauge, quote, none, "Their cap; 0: none"},
             account<&AccountStatus::total_notional_max>},
            {{"fills_refused_total", counter, none, none, "Fills with numbers no venue can mean, ignored"},
             account<&AccountStatus::fills_refused>},
            {{"fills_too_old_total", counter, none, none, "Fills older than what is remembered, ignored"},
             account<&AccountStatus::fills_too_old>},
            {{"amounts_unsummed_total", counter, none, none, "Amounts beyond the range of a sum, left out"},
             account<&AccountStatus::amounts_unsummed>},
            {{"incomes_repeated_total", counter, none, none, "Funding payments told twice, counted once"},
             account<&AccountStatus::incomes_repeated>},

            // Guards.
            {{"guard_level", gauge, none,
              symbol, "0 normal, 1 warn, 2 block, 3 reduce_only, 4 flatten, 5 reduce, 6 close, 7 halt"},
             quoted<[](const S& s) { return s.guard.level; }>},
            {{"guard_active", gauge, none, "symbol, reason, latched",
              "1 for each guard in force; without a symbol the account's"},
             [](Samples& to, const Picture& of) {
               const auto each = [&to](std::string_view of_symbol, const GuardStatus& guard) {
                 for (const auto& r : guard.reasons)
                   to.put(1, Labels{}
                                 .add("symbol", of_symbol)
                                 .add("reason", r.name)
                                 .add("latched", r.latched ? "1" : "0"));
               };
               each("", of.status.account.guard);
               for (const auto& s : of.status.symbols) each(s.name.view(), s.guard);
             }},
            {{"guard_entered_total", counter, none, "reason",
              "Times a guard came into force, of all symbols"},
             counts<&Status::guards_entered>},
            {{"account_guard_level", gauge, none, none, "The same levels, for all symbols together"},
             account<[](const AccountStatus& a) { return a.guard.level; }>},

            // What the strategy is told, and how well it does.
            {{"volatility_ratio", gauge, ratio, symbol, "Deviation of 30 minutes of mids over their mean"},
             signals<&SignalStatus::volatility_ratio>},
            {{"vpin_current", gauge, ratio, symbol, "Share of one-sided volume, 0 to 1"},
             signals<&SignalStatus::vpin>},
            {{"vpin_full_buckets", gauge, none, symbol, "Full buckets it is made of"},
             signals<&SignalStatus::vpin_buckets>},
            {{"funding_rate", gauge, ratio, symbol, "The venue's, of one interval"},
             signals<&SignalStatus::funding_rate>},
            {{"predicted_funding_rate", gauge, ratio, symbol, "Average of the recent ones"},
             signals<&SignalStatus::predicted_funding>},
            {{"intensity_at_touch", gauge, "1/second",
              symbol, "How often the market reaches an order at the mid"},
             signals<&SignalStatus::intensity_at_touch>},
            {{"intensity_decay", gauge, "1/quote currency", symbol, "How fast that falls with the distance"},
             signals<&SignalStatus::intensity_decay>},
            {{"markout_bps", gauge, "basis points", "symbol, horizon",
              "Move of the mid in favour of our fills, weighted by volume, since the start"},
             [](Samples& to, const Picture& of) {
               for (const auto& s : of.status.symbols) {
                 for (std::size_t i = 0; i < QualityStatus::horizons_s.size(); ++i)
                   to.put(s.quality.markout_bps[i],
                          symbol_label(s).add("horizon", fmt::format("{}s", QualityStatus::horizons_s[i])));
               }
             }},
            {{"touch_presence", gauge, ratio, symbol_side,
              "Share of the last 5 minutes with an own order at the best price"},
             sides<[](const S& s) { return s.quality.bid_presence; },
                   [](const S& s) { return s.quality.ask_presence; }>},
            {{"fill_rate", gauge, ratio, symbol, "Filled over placed quantity, 5 minutes"},
             quality<&QualityStatus::fill_rate>},
            {{"orders_per_fill", gauge, ratio, symbol, "Orders for one fill, 5 minutes"},
             quality<&QualityStatus::orders_per_fill>},
            {{"time_to_fill_median_seconds", gauge, seconds,
              symbol, "From placing to the fill, since the start"},
             quality<&QualityStatus::time_to_fill_p50>},

            // Streams and connections.
            {{"stream_state", gauge, none, "symbol, role, stream, state",
              "1 for the state of each stream on each connection: connecting, subscribed, live, suspect, "
              "stalled, "
              "recovering"},
             [](Samples& to, const Picture& of) {
               for (const auto& s : of.status.streams) to.put(1, labels_of(s).add("state", s.state));
             }},
            {{"stream_age_seconds", gauge, seconds, symbol_role_stream, "Time since its last frame"},
             streams<&T::last_frame_time>},
            {{"stream_claim_ahead", gauge, none, symbol_role_stream,
              "How far a witness says the venue is ahead of the stream, in its own ids; 0: nobody does"},
             streams<[](const T& s) { return std::max(s.claimed - s.position, std::int64_t{0}); }>},
            {{"stream_gap_total", counter, none, symbol_role_stream,
              "Depth: holes in this connection's own chain"},
             streams<&T::gaps>},
            {{"stream_accepted_total", counter, none, symbol_role_stream,
              "Depth and trades: updates taken from it"},
             streams<&T::accepted>},
            {{"stream_covered_total", counter, none, symbol_role_stream,
              "Depth and trades: updates another line had brought already"},
             streams<&T::covered>},
            {{"stream_message_total", counter, none, symbol_role_stream, "Messages received"},
             streams<&T::messages>},
            {{"stream_payload_bytes_total", counter, bytes, symbol_role_stream,
              "Their payload, inflated; what it takes on the wire is known of a whole connection only"},
             streams<&T::payload_bytes>},
            {{"ws_connected", gauge, none, stream, "1 when the connection delivers"},
             connections<[](const C& c) { return c.state.view() == "live"; }>},
            {{"ws_wanted", gauge, none, stream, "1 when the connection should be open"},
             connections<&C::wanted>},
            {{"ws_connection_age_seconds", gauge, seconds, stream, "Age of the connection that is open"},
             connections<&C::opened_time>},
            {{"ws_streams", gauge, none, stream, "Streams subscribed to on it"}, connections<&C::streams>},
            {{"ws_streams_silent", gauge, none, stream, "Of these, without data since it opened"},
             connections<&C::streams_silent>},
            {{"ws_stall_total", counter, none, stream, "Streams of it proved to be stalled"},
             connections<&C::stalls>},
            {{"ws_resubscription_total", counter, none, stream, "Streams of it that were asked for again"},
             connections<&C::resubscriptions>},
            {{"reconnect_total", counter, none, stream, "Times the connection was lost or given up"},
             connections<&C::reconnects>},
            {{"ws_message_count_total", counter, none, stream, "Messages received"},
             connections<&C::messages>},
            {{"ws_payload_bytes_total", counter, bytes, stream, "Payload received, inflated"},
             connections<&C::payload_bytes>},
            {{"ws_wire_received_bytes_total", counter, bytes, stream, "Received on the wire"},
             connections<&C::wire_bytes_in>},
            {{"ws_wire_sent_bytes_total", counter, bytes, stream, "Sent on the wire"},
             connections<&C::wire_bytes_out>},
            {{"ws_deflate", gauge, none, stream, "1 when permessage-deflate was negotiated"},
             connections<
                 [](const C& c) {
                   return c.extensions.view().find("permessage-deflate") != std::string_view::npos;
                 }>},
            {{"ws_ping_round_trip_seconds", gauge, seconds, stream, "Round trip of the last ping"},
             connections<&C::ping_round_trip>},
            {{"connects_total", counter, none, none, "Connections opened, of all streams"},
             once<&Status::connects>},
            {{"connection_end_total", counter, none, "reason",
              "Connections that ended or never opened: lost, refused_busy (429, 418), refused_config "
              "(another "
              "4xx), stalled (a stream of it was), replaced (for another reason of ours)"},
             counts<&Status::connection_ends>},
            {{"lines", gauge, none, none, "Connections each stream runs on"}, once<&Status::lines>},
            {{"bandwidth_step", gauge, none, none,
              "0: everything; each step takes less to stay within the budget"},
             once<&Status::bandwidth_step>},
            {{"bandwidth_bytes_per_second", gauge, "bytes/second", none, "Received on the wire, smoothed"},
             once<&Status::bandwidth_bytes_per_s>},
            {{"bandwidth_budget_bytes_per_second", gauge, "bytes/second", none, "The budget; 0: none"},
             once<&Status::bandwidth_budget_bytes_per_s>},
            {{"depth_interval_seconds", gauge, seconds, none, "Interval of the depth streams asked for"},
             once<[](const Status& s) { return base::Duration{base::milliseconds{s.depth_speed_ms}}; }>},
            {{"last_user_event_age_seconds", gauge, seconds, none, "Age of the last user data event"},
             once<&Status::last_user_event_time>},

            // The venue's limits and its clock.
            {{"rate_used", gauge, none, "limit", "Use of the venue's rate limits in their current windows"},
             [](Samples& to, const Picture& of) {
               to.put(of.status.weight_used, Labels{}.add("limit", "weight_1m"));
               to.put(of.status.orders_10s_used, Labels{}.add("limit", "orders_10s"));
               to.put(of.status.orders_1m_used, Labels{}.add("limit", "orders_1m"));
             }},
            {{"rate_limit", gauge, none, "limit", "The venue's rate limits"},
             [](Samples& to, const Picture& of) {
               to.put(of.status.weight_limit, Labels{}.add("limit", "weight_1m"));
               to.put(of.status.orders_10s_limit, Labels{}.add("limit", "orders_10s"));
               to.put(of.status.orders_1m_limit, Labels{}.add("limit", "orders_1m"));
             }},
            {{"api_latency_seconds", histogram, seconds, "endpoint, outcome",
              "From sending a request to its answer, which is accepted or refused, over REST and the order "
              "API"},
             [](Samples& to, const Picture& of) {
               for (const auto& r : of.status.requests) {
                 for (const auto& [outcome, took] :
                      {std::pair{"accepted", &r.accepted}, {"refused", &r.refused}}) {
                   if (took->count() > 0)
                     to.put(*took, Labels{}.add("endpoint", r.endpoint).add("outcome", outcome),
                            network_edge);
                 }
               }
             }},
            {{"api_lost_total", counter, none, "endpoint", "Requests without an answer, or never sent"},
             requests<&RequestStatus::lost>},
            {{"api_weight_total", counter, none, "endpoint", "Weight spent on requests"},
             requests<&RequestStatus::weight>},
            {{"api_refused_total", counter, none, "endpoint, code",
              "Refusals by the venue's code, each order of a batch for itself; 0: no code, other: beyond 64 "
              "pairs"},
             [](Samples& to, const Picture& of) {
               for (const auto& r : of.status.refusals) {
                 const bool is_rest = r.endpoint == "other";
                 to.put(r.count, Labels{}
                                     .add("endpoint", r.endpoint)
                                     .add("code", is_rest ? "other" : fmt::format("{}", r.code)));
               }
             }},
            {{"clock_offset_seconds", gauge, seconds, none, "Venue clock minus our clock"},
             once<&Status::clock_offset>},
            {{"clock_error_seconds", gauge, seconds, none, "The true offset is at most so far away"},
             once<&Status::clock_error>},

            // The engine.
            {{"frames_total", counter, none, none, "Frames the engine took"}, once<&Status::frames>},
            {{"frames_bad_total", counter, none, none, "Frames that could not be decoded"},
             once<&Status::frames_bad>},
            {{"frames_ignored_total", counter, none, none, "Frames that did not concern this run"},
             once<&Status::frames_ignored>},
            {{"frames_conflated_total", counter, none, none,
              "Frames replaced by a newer one of their stream while the engine was behind"},
             once<&Status::frames_conflated>},
            {{"log_lines_suppressed_total", counter, none, none,
              "Log lines that repeated others: counted and not written"},
             once<&Status::log_lines_suppressed>},
            {{"events_unknown_total", counter, none, none, "Events of a type Phoenix does not know"},
             once<&Status::events_unknown>},
            {{"stage_duration_seconds", histogram, seconds, "stage",
              "receive_to_step: a frame read from the socket until the engine takes it; step: one input "
              "through the "
              "engine and its actions handed over; tick_to_order: a frame read until an order that answers "
              "it is handed "
              "over"},
             [](Samples& to, const Picture& of) {
               to.put(of.status.latencies.receive_to_step, Labels{}.add("stage", "receive_to_step"));
               to.put(of.status.latencies.step, Labels{}.add("stage", "step"));
               to.put(of.status.latencies.tick_to_order, Labels{}.add("stage", "tick_to_order"));
             }},
            {{"ring_pushed_total", counter, none, ring, "Items put into the ring"},
             rings<&base::RingStats::pushed>},
            {{"ring_dropped_total", counter, none, ring, "Items refused because the ring was full"},
             rings<&base::RingStats::dropped>},
            {{"ring_high_water", gauge, none, ring, "Most the ring ever held, in bytes (commands: items)"},
             rings<&base::RingStats::high_water>},
            {{"ring_capacity", gauge, none, ring, "Bound of the ring, in bytes (commands: items)"},
             rings<&base::RingStats::capacity>},
            {{"process_resident_bytes", gauge, bytes, none, "Memory in use"},
             process<&ProcessStatus::resident_bytes>},
            {{"process_virtual_bytes", gauge, bytes, none, "Address space in use"},
             process<&ProcessStatus::virtual_bytes>},
            {{"process_cpu_seconds_total", counter, seconds, none, "Processor time used, of all threads"},
             process<&ProcessStatus::cpu_seconds>},
            {{"process_threads", gauge, none, none, "Threads"}, process<&ProcessStatus::threads>},
            {{"process_open_files", gauge, none, none, "Open file descriptors"},
             process<&ProcessStatus::open_files>},

            // state.db.
            {{"state_written_total", counter, none, none, "Records that are in state.db"},
             state_store<&StateStoreStatus::written>},
            {{"state_repeated_total", counter, none, none, "Fills and incomes that were there already"},
             state_store<&StateStoreStatus::repeated>},
            {{"state_failures_total", counter, none, none, "Transactions that failed; each is tried again"},
             state_store<&StateStoreStatus::failures>},
            {{"state_dropped_total", counter, none, none,
              "Records that found the queue full; asked for at the next start"},
             state_store<&StateStoreStatus::dropped>},
            {{"state_waiting", gauge, none, none, "Records taken and not yet in the file"},
             state_store<&StateStoreStatus::waiting>},
            {{"state_last_commit_age_seconds", gauge, seconds, none, "Age of the last transaction"},
             state_store<&StateStoreStatus::last_commit>},
            {{"state_faulty", gauge, none, none, "1 while writing state.db fails and is tried again"},
             state_store<[](const StateStoreStatus& s) { return !s.fault.empty(); }>},

            // The recording.
            {{"recording_active", gauge, none, none, "1 while this process records"},
             once<[](const Status& s) { return s.recording.active; }>},
            {{"recorded_rows_total", counter, none, symbol, "Rows made of the symbol, of all kinds"},
             [](Samples& to, const Picture& of) {
               for (const auto& s : of.status.symbols) {
                 if (s.recorded)
                   to.put(std::accumulate(s.rows.begin(), s.rows.end(), std::uint64_t{0}), symbol_label(s));
               }
             }},
            {{"journal_bytes_total", counter, bytes, none, "Written to the journal"},
             recording<&R::journal_bytes>},
            {{"journal_records_total", counter, none, none, "Records the journal took"},
             recording<&R::journal_records>},
            {{"journal_lost_total", counter, none, none, "Records lost because the journal's ring was full"},
             recording<&R::journal_lost>},
            {{"journal_syncs_total", counter, none, none, "Times the journal was synced"},
             recording<&R::syncs>},
            {{"journal_sync_lag_seconds", gauge, seconds, none,
              "Age of the oldest record that is not durable"},
             recording<&R::sync_lag>},
            {{"journal_sync_max_seconds", gauge, seconds, none, "Longest sync of the journal"},
             recording<&R::sync_max>},
            {{"journal_segments_sealed_total", counter, none, none, "Segments sealed"},
             recording<&R::segments_sealed>},
            {{"journal_segments_dead_total", counter, none, none,
              "Segments given up after a failed write or sync"},
             recording<&R::segments_dead>},
            {{"recording_backlog_segments", gauge, none, none, "Sealed segments that are not in files yet"},
             recording<&R::backlog>},
            {{"recording_files_total", counter, none, none, "Parquet files committed"}, recording<&R::files>},
            {{"recording_rows_durable_total", counter, none, none, "Rows in committed files"},
             recording<&R::rows_durable>},
            {{"recording_conversion_failed_total", counter, none, none,
              "Conversions that failed and are tried again"},
             recording<&R::conversions_failed>},
            {{"recording_rows_refused_total", counter, none, none,
              "Rows the quality gate sent to a dead letter"},
             recording<&R::rows_refused>},
            {{"recording_records_lost_total", counter, none, none, "Journal records that could not be read"},
             recording<&R::records_lost>},
            {{"recording_files_retired_total", counter, none, none, "Files retention took away"},
             recording<&R::files_retired>},
            {{"recording_bytes", gauge, bytes, none, "Size of the recording on disk"},
             recording<&R::recording_bytes>},
            {{"recording_disk_free_bytes", gauge, bytes, none, "Free space on its disk"},
             recording<&R::free_bytes>},
            {{"recording_disk_hours_left", gauge, "hours", none,
              "Until the disk is full at the present rate"},
             recording<&R::hours_left>},
            {{"recording_last_durable_age_seconds", gauge, seconds, none,
              "Age of the newest row in a committed file"},
             recording<[](const R& r) {
               return r.last_durable_ns == 0 ? std::nullopt
                                             : std::optional{base::local_time_ns(r.last_durable_ns)};
             }>},
            {{"recording_extreme_mode", gauge, none, none,
              "1 while segments rotate faster because of much traffic"},
             recording<&R::extreme>},
            {{"recording_faulty", gauge, none, none,
              "1 while something of the recording fails and is tried again"},
             recording<[](const R& r) { return !r.fault.empty(); }>},
};

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

std::vector<MetricFamily> metric_families() {
  std::vector<MetricFamily> families;
  families.reserve(std::size(table));
  for (const auto& row : table) families.push_back(row.family);
  return families;
}

std::string metrics_reference() {
  std::string text = "| metric | type | unit | labels | what it says |\n| --- | --- | --- | --- | --- |\n";
  for (const auto& [family, write] : table)
    fmt::format_to(std::back_inserter(text), "| `phoenix_{}` | {} | {} | {} | {} |\n", family.name,
                   family.type, family.unit, family.labels, family.help);
  return text;
}

std::string metrics_text(const Status& status, const Health& health, LocalTime now,
                         std::string_view version) {
  const Picture picture{status, health, now, version};
  std::string text;
  for (const auto& [family, write] : table) {
    fmt::format_to(std::back_inserter(text), "# HELP phoenix_{0} {1}\n# TYPE phoenix_{0} {2}\n", family.name,
                   family.help, family.type);
    Samples samples{text, family.name, now};
    write(samples, picture);
  }
  return text;
}

}  // namespace phoenix::ops
