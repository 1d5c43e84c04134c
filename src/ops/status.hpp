#pragma once

#include "base/ring.hpp"
#include "base/short_text.hpp"
#include "base/static_vector.hpp"
#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/symbol_table.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace phoenix::ops {

inline constexpr std::size_t symbols_max = 64;
inline constexpr std::size_t connections_max = 16;

/// What a symbol is allowed to do. LIVE quotes; everything else has no quote of ours wanted in the market.
enum class SymbolState : std::uint8_t { cold, syncing, live, hold };

inline constexpr std::size_t row_kinds_max = 16;

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
  std::uint64_t quotes_hash = 0;  ///< running hash of every set of wanted quotes
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
};

struct ConnectionStatus {
  base::ShortText<16> name;
  base::ShortText<16> state;
  base::ShortText<96> extensions;  ///< as negotiated, empty when none
  bool wanted = false;             ///< should be open now
  std::uint64_t reconnects = 0, messages = 0, payload_bytes = 0;
  std::uint64_t wire_bytes_in = 0, wire_bytes_out = 0;  ///< filled in by whoever owns the sockets
  std::optional<base::Duration> ping_round_trip;
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

/// One picture of the whole, made by the engine's thread and read by views, metrics and health.
struct Status {
  base::LocalTime now{};
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
  bool latched = false;
  std::optional<base::Duration> countdown;  ///< of the dead man's switch; empty: off
  std::optional<base::Duration> clock_offset, clock_error;
  std::optional<base::LocalTime> last_user_event_time;
  std::uint64_t weight_used = 0, weight_limit = 0, orders_10s_used = 0, orders_10s_limit = 0,
                orders_1m_used = 0, orders_1m_limit = 0;
  RecordingStatus recording;
  base::RingStats frame_ring, command_ring, log_ring;  ///< filled in by whoever owns the rings
  bool finished = false;
};

std::string_view name(SymbolState state);

}  // namespace phoenix::ops
