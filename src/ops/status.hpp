#pragma once

#include "base/ring.hpp"
#include "base/short_text.hpp"
#include "base/static_vector.hpp"
#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/symbol_table.hpp"
#include "ops/histogram.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace phoenix::ops {

inline constexpr std::size_t symbols_max = 64;
inline constexpr std::size_t connections_max = 16;

/// What a symbol is allowed to do. LIVE quotes; everything else has no quote of ours wanted in the market.
enum class SymbolState : std::uint8_t { cold, syncing, live, hold };

inline constexpr std::size_t row_kinds_max = 16;

// Texts held by view are static: names of the modules that fill this in.

/// A guard's reason in force.
struct GuardReason {
  std::string_view name;
  bool latched = false;  ///< until a person re-arms
};
inline constexpr std::size_t guard_reasons_max = 24;

/// What the guards leave possible, of a symbol or of the account.
struct GuardStatus {
  int level = 0;                ///< 0 normal ... 7 halt: see level_name
  std::string_view level_name;  ///< normal, warn, block, reduce_only, flatten, reduce, close, halt
  std::string_view reason;      ///< the one that set the level; "none" in level 0
  base::StaticVector<GuardReason, guard_reasons_max> reasons;  ///< all that are in force
  std::optional<model::Money> peak_equity;                     ///< since the last re-arm
  bool allows_adding() const { return level < level_block; }
  static constexpr int level_block = 2, level_reduce_only = 3, level_close = 6;
};

/// A strategy's view of the market; empty until it is ready.
struct SignalStatus {
  std::optional<double> volatility_ratio;                      ///< of 30 min of mids over the mid
  std::optional<double> volatility_per_s;                      ///< quote currency per sqrt(s)
  std::optional<double> vpin;                                  ///< [0, 1]
  int vpin_buckets = 0;                                        ///< full ones
  std::optional<model::Rate> funding_rate, predicted_funding;  ///< of one interval; the venue's, the average
  std::optional<double> intensity_at_touch;                    ///< 1/s
  std::optional<double> intensity_decay;                       ///< 1/quote currency
};

/// How good the fills were and how well the quotes stand: order/quality.hpp. Without data: empty.
struct QualityStatus {
  static constexpr std::array<int, 3> horizons_s{1, 5, 30};
  std::array<std::optional<model::Rate>, 3> markout_bps;  ///< by horizon, since the start
  std::array<std::uint64_t, 3> markout_fills{};
  std::optional<model::Rate> bid_presence, ask_presence;  ///< at the touch, share of the last 5 min
  std::optional<model::Rate> fill_rate;                   ///< filled / placed quantity, 5 min
  std::optional<model::Rate> orders_per_fill;             ///< 5 min
  std::optional<base::Duration> time_to_fill_p50;
  std::uint64_t cancels_per_minute = 0;
};

struct SymbolStatus {
  model::SymbolTable::Name name;
  bool quoted = true, recorded = false;
  SymbolState state = SymbolState::cold;
  base::ShortText<48> reason;  ///< why it is not live
  std::optional<model::Price> mid, own_bid, own_ask;
  model::Qty position;
  model::Money notional, realized_pnl, unrealized_pnl, fees, volume;
  std::uint32_t orders_live = 0, orders_bid = 0, orders_ask = 0, orders_unknown = 0, orders_live_max = 0;
  std::uint64_t fills = 0, places = 0, cancels = 0, amends = 0, rejects = 0, post_only_rejects = 0, cuts = 0;
  std::uint64_t resyncs = 0, depth_frames = 0;
  std::uint64_t quotes_hash = 0;                   ///< running hash of every set of wanted quotes
  std::uint32_t wanted_bids = 0, wanted_asks = 0;  ///< quotes of the last set, after risk's cuts
  model::Qty bought, sold;                         ///< of all runs in state.db, as fills and volume are
  std::uint64_t maker_fills = 0;
  std::optional<base::LocalTime> last_snapshot_time;  ///< when the book was last built anew
  std::optional<base::LocalTime> last_depth_time;
  base::ShortText<16> verdict;       ///< of the price: live, quiet, stalled, venue_halted, unknown
  base::ShortText<16> stream_state;  ///< of the merged depth stream
  std::optional<base::LocalTime> proved_time;
  base::Duration lag{};  ///< event time to our taking it, newest depth frame
  std::uint64_t probes = 0, withdrawals = 0, line_holes = 0, strategy_failures = 0;
  std::uint64_t trades = 0, trades_repaired = 0, trades_lost = 0;
  bool switch_armed = false;
  std::array<std::uint64_t, row_kinds_max> rows{};  ///< recorded so far, by kind
  std::optional<base::LocalTime> last_trade_time;   ///< recorded symbols only

  base::ShortText<16> base_asset, quote_asset;  ///< empty before the venue's rules are known
  std::string_view strategy;                    ///< grid, glft
  std::string_view mode;                        ///< of the strategy: normal, pinning, grinding
  std::string_view mode_reason;                 ///< why it wants less than usual; empty: it does not
  std::string_view traffic;                     ///< full, leaving, shed: see bandwidth_step
  GuardStatus guard;
  bool slice_in_flight = false;  ///< the guard takes a part of the position from the market
  std::optional<model::Price> best_bid, best_ask, mark_price, entry_price;
  model::Qty net_max;
  std::optional<model::Rate> usage;       ///< |position| over net_max; empty where nothing is quoted
  model::Qty pending_buy, pending_sell;   ///< live, in flight and unknown orders at their worst
  model::Qty worst_long, worst_short;     ///< signed position if all bids fill, if all asks fill
  model::Money funding;                   ///< received, negative is paid
  model::Money net_pnl;                   ///< realized - fees + funding + unrealized
  model::Money drawdown;                  ///< of net_pnl from its peak
  model::Money drawdown_max;              ///< the largest of this run
  std::uint32_t pnl_assets_left_out = 0;  ///< other assets with amounts that net_pnl does not hold
  std::uint64_t takes = 0, gateway_refusals = 0;
  bool late = false;  ///< its data comes later than is quoted on
  SignalStatus signals;
  QualityStatus quality;
};

/// One stream on one connection: the smallest thing with a verdict of its own, and the evidence for it.
struct StreamStatus {
  model::SymbolTable::Name symbol;  ///< empty: user data
  std::string_view role;            ///< depth, ticker, mark, trades, liquidations, user
  std::string_view connection;      ///< public_a ...
  int line = 0;                     ///< 0 or 1; 2 while one takes over
  std::string_view state;           ///< connecting, subscribed, live, suspect, stalled, recovering
  std::optional<base::LocalTime> last_frame_time;
  base::Duration silent_for{};              ///< since the last frame, or since it was asked for
  std::optional<base::Duration> usual_gap;  ///< 99.9 % of its gaps were at most this long
  std::int64_t position = 0;                ///< highest update id, trade id or event time in ms; 0: none
  std::int64_t claimed = 0;                 ///< the highest a witness named beyond it; 0: none
  std::string_view witness;                 ///< who did; "none"
  int siblings_alive = 0;                   ///< other live streams of its connection
  std::uint64_t accepted = 0, covered = 0;  ///< depth, trades: taken, and known from another line already
  std::uint64_t gaps = 0;                   ///< depth: holes in this line's own chain
  std::uint64_t messages = 0, payload_bytes = 0;
};
inline constexpr std::size_t streams_max = symbols_max * 5 * 3 + 3;

struct ConnectionStatus {
  base::ShortText<16> name;
  base::ShortText<16> state;
  base::ShortText<96> extensions;  ///< as negotiated, empty when none
  bool wanted = false;             ///< should be open now
  std::uint64_t reconnects = 0, messages = 0, payload_bytes = 0;
  std::uint64_t wire_bytes_in = 0, wire_bytes_out = 0;  ///< filled in by whoever owns the sockets
  std::optional<base::Duration> ping_round_trip;
  std::optional<base::LocalTime> opened_time;     ///< of the connection that is open now
  std::uint32_t streams = 0, streams_silent = 0;  ///< subscribed to; of these, without data since it opened
  std::uint64_t stalls = 0, resubscriptions = 0;
};

/// Of the recording; filled in by whoever writes it.
struct RecordingStatus {
  bool active = false, extreme = false;
  std::uint64_t journal_bytes = 0, journal_records = 0, journal_lost = 0;
  std::uint64_t segments_sealed = 0, segments_dead = 0, syncs = 0;
  base::Duration sync_lag{}, sync_max{};  ///< age of the oldest record that is not durable; longest sync
  base::RingStats raw_ring, engine_ring;
  std::uint64_t backlog = 0, segments_converted = 0,
                conversions_failed = 0;  ///< backlog: segments not yet in files
  std::uint64_t rows_refused = 0, records_lost = 0, files = 0, rows_durable = 0, files_retired = 0;
  std::int64_t last_durable_ns = 0;  ///< event time of the newest row in a file; 0: none yet
  std::uint64_t recording_bytes = 0, free_bytes = 0;
  std::optional<double> hours_left;  ///< until the disk is full at the present rate
  base::ShortText<96> fault;
};

/// All symbols together, one unit of quote currency like another.
struct AccountStatus {
  GuardStatus guard;
  std::optional<model::Money> equity;  ///< results since the first kept fill; empty while a price is missing
  model::Money drawdown;               ///< from guard.peak_equity
  model::Money worst_notional;         ///< of the worst-case positions
  model::Money total_notional_max;     ///< 0: no cap
  std::uint64_t fills_refused = 0, amounts_unsummed = 0, incomes_repeated = 0, fills_too_old = 0;
};

/// state.db; filled in by whoever owns it.
struct StateStoreStatus {
  bool active = false;
  std::uint64_t written = 0, repeated = 0, unmatched = 0, batches = 0, failures = 0, waiting = 0, dropped = 0;
  std::optional<base::LocalTime> last_commit;
  base::ShortText<160> fault;  ///< why the newest try failed; empty: it did not
};

/// Of the operating system; filled in by whoever may ask it. Zero: not known.
struct ProcessStatus {
  std::uint64_t resident_bytes = 0, virtual_bytes = 0;
  double cpu_seconds = 0;
  std::uint32_t threads = 0, open_files = 0;
};

/// How long the stages of an update take.
struct StageLatencies {
  Histogram receive_to_step;  ///< a frame read from the socket, until the engine takes it
  Histogram step;             ///< one input through the engine, until its actions are handed over
  Histogram tick_to_order;    ///< a frame read from the socket, until an order that answers it is handed over
};

/// The same for what concerns one symbol.
struct SymbolTimings {
  model::SymbolTable::Name symbol;
  Histogram data_delay;  ///< from a depth event, by the venue's clock, until the engine takes it
  Histogram bid_placing, ask_placing;  ///< from wanting and sending an order to the answer that it rests
};

/// One kind of request to the venue, over REST and the order API together.
struct RequestStatus {
  std::string_view endpoint;
  Histogram accepted, refused;  ///< from sending to the answer
  std::uint64_t lost = 0;       ///< without an answer, or never sent
  std::uint64_t weight = 0;     ///< spent
};

/// Answers that refused, with the same code of the venue to the same kind of request.
struct RefusalStatus {
  std::string_view endpoint;  ///< "other": all that found no place among `refusals_max`
  int code = 0;               ///< the venue's; 0: it gave none
  std::uint64_t count = 0;
};
inline constexpr std::size_t refusals_max = 64;

struct CountOf {
  std::string_view name;
  std::uint64_t count = 0;
};

/// One alert in force; filled in by whoever judges them.
struct AlertStatus {
  base::ShortText<48> name;
  model::SymbolTable::Name symbol;  ///< empty: the whole program
  int level = 1;                    ///< 1 to 3
  base::LocalTime since{};
  base::ShortText<160> text;
};
inline constexpr std::size_t alerts_max = 64;

/// One picture of the whole, made by the engine's thread and read by views, metrics and health.
struct Status {
  base::LocalTime now{};
  base::LocalTime started_time{};  ///< of this run; our clock counts from 1970
  std::uint32_t run_epoch = 0;
  bool paper = false;    ///< orders go to a model of the venue
  bool limited = false;  ///< a first start: one symbol, its smallest size
  base::ShortText<24> phase;
  base::StaticVector<SymbolStatus, symbols_max> symbols;
  base::StaticVector<ConnectionStatus, connections_max> connections;
  std::uint64_t frames = 0, frames_bad = 0, events_unknown = 0, frames_ignored = 0;
  std::uint64_t frames_conflated =
      0;  ///< replaced by a newer one of their stream; filled in by whoever owns the ring
  std::uint64_t foreign_orders = 0, position_mismatches = 0;
  std::uint64_t reconnects = 0, connects = 0;  ///< connections lost that were wanted; all openings
  int lines = 0, bandwidth_step = 0;
  std::uint64_t bandwidth_bytes_per_s = 0;
  std::uint64_t bandwidth_budget_bytes_per_s = 0;  ///< 0: none
  int depth_speed_ms = 0;                          ///< in force
  bool latched = false;
  base::ShortText<160> latch_reason;
  std::optional<base::Duration> countdown;  ///< of the dead man's switch; empty: off
  std::optional<base::Duration> clock_offset, clock_error;
  std::optional<base::LocalTime> last_user_event_time;
  std::uint64_t weight_used = 0, weight_limit = 0, orders_10s_used = 0, orders_10s_limit = 0,
                orders_1m_used = 0, orders_1m_limit = 0;
  AccountStatus account;
  std::vector<StreamStatus> streams;  ///< at most streams_max, of every connection that is wanted
  base::StaticVector<CountOf, 12> cuts,
      gateway_refusals;  ///< quotes cut by risk, requests held back: by reason
  base::StaticVector<CountOf, guard_reasons_max> guards_entered;  ///< by reason, of all symbols
  base::StaticVector<CountOf, 5>
      connection_ends;                  ///< wanted connections that ended or never opened: by cause
  std::vector<SymbolTimings> timings;   ///< in the order of `symbols`
  std::vector<RequestStatus> requests;  ///< kinds that were asked at all
  std::vector<RefusalStatus> refusals;  ///< at most refusals_max and one for the rest
  std::uint64_t configs_applied = 0, configs_refused = 0;  ///< while running; filled in by whoever reads them
  StageLatencies latencies;                                ///< filled in by whoever reads the clock
  std::uint64_t log_lines_suppressed = 0;  ///< counted and not written; filled in by whoever writes the log
  StateStoreStatus state_store;
  ProcessStatus process;
  base::StaticVector<AlertStatus, alerts_max> alerts;
  RecordingStatus recording;
  base::RingStats frame_ring, command_ring, log_ring;  ///< filled in by whoever owns the rings
  bool finished = false;
};

std::string_view name(SymbolState state);

}  // namespace phoenix::ops
