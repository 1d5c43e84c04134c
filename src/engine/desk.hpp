#pragma once

#include "base/canary.hpp"
#include "base/short_text.hpp"
#include "base/time.hpp"
#include "book/book.hpp"
#include "engine/options.hpp"
#include "engine/recorder.hpp"
#include "feed/depth_sync.hpp"
#include "feed/lag_watch.hpp"
#include "feed/price_proof.hpp"
#include "feed/trade_merge.hpp"
#include "model/instrument.hpp"
#include "model/market.hpp"
#include "ops/histogram.hpp"
#include "order/dead_man_switch.hpp"
#include "order/foreign.hpp"
#include "order/quality.hpp"
#include "quote/strategy.hpp"
#include "risk/guard.hpp"
#include "signal/intensity.hpp"
#include "signal/market_state.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace phoenix::engine {

/// Everything about one symbol.
struct Desk {
  Desk(model::SymbolId id, const SymbolOptions& options_of_symbol, const Options& engine)
      : symbol(id),
        options(options_of_symbol),
        sync(id, engine.product,
             {.hole_wait = std::max<base::Duration>(base::milliseconds{150},
                                                    base::milliseconds{engine.depth_speed_ms} * 3 / 2)}),
        proof({.stall_after = engine.stall_after, .interval = base::milliseconds{engine.depth_speed_ms}}, {}),
        lag({.limit = engine.lag_max}),
        trades(id, resume(options_of_symbol.name, engine)),
        market(options_of_symbol.market),
        intensity(options_of_symbol.intensity) {
    if (is_quoted()) {
      guard.emplace(guard_options(options_of_symbol));
      quality.emplace();
    }
    if (options_of_symbol.recorded == Switch::on) {
      recorder =
          std::make_unique<Recorder>(options_of_symbol.name, engine.recording, options_of_symbol.signals);
    }
  }
  static feed::TradeMergeOptions resume(const std::string& name, const Options& engine) {
    feed::TradeMergeOptions options;
    if (base::planted(base::Canary::recording_not_resumed)) return options;
    for (const auto& r : engine.recording.resume) {
      if (r.symbol != name || !r.last_trade_id) continue;
      options.resume_after = r.last_trade_id;
      options.resume_missing = r.missing_trades;
    }
    return options;
  }
  static risk::SymbolGuardOptions guard_options(const SymbolOptions& symbol) {
    auto options = symbol.guard;
    options.net_max = symbol.limits.net_max;
    return options;
  }
  bool is_quoted() const { return options.quoted == Switch::on; }

  model::SymbolId symbol;
  SymbolOptions options;
  std::optional<model::Instrument> instrument;

  feed::DepthSync sync;
  feed::PriceProof proof;
  feed::LagWatch lag;
  feed::TradeMerge trades;
  feed::Verdict verdict = feed::Verdict::unknown;  ///< as last recorded
  book::Book book;
  std::optional<model::BookTicker> ticker;  ///< newest, while its connection lives
  std::optional<model::MarkPrice> mark;
  base::LocalTime fresh_from{};  ///< only a frame received at or after this makes the price fresh again
  bool fresh = false;

  std::unique_ptr<Recorder> recorder;  ///< empty where the symbol is not recorded

  // Of a quoted symbol.
  signal::MarketState market;
  signal::IntensityEstimator intensity;
  std::optional<risk::SymbolGuard> guard;
  std::optional<order::Quality> quality;
  risk::Verdict allowed;                       ///< by the guards, as last asked
  std::string latches;                         ///< of its guard, as last kept
  std::optional<model::TopOfBook> seen_touch;  ///< as last told to the five above
  bool slice_taken = false;                    ///< the take on its way is a slice of the guard
  base::LocalTime places_after{};              ///< the gateway held a placement back: none before this
  base::LocalTime distrusted_until{};          ///< ... because it should never have been asked for
  quote::Mode mode = quote::Mode::normal;
  std::string_view quieter;  ///< why the strategy wants less than usual; empty: it does not

  std::unique_ptr<quote::Strategy> strategy;       ///< empty after it threw, until `strategy_retry`
  std::optional<base::LocalTime> strategy_retry;   ///< when a new one is made
  std::optional<base::LocalTime> strategy_failed;  ///< the last time it threw
  bool strategy_latched = false;                   ///< threw twice within the window: a person has to look
  std::optional<order::DeadManSwitch> countdown;   ///< empty where the switch is off
  enum class Traffic : std::uint8_t { full, leaving, shed } traffic = Traffic::full;  ///< bandwidth step
  std::optional<model::Price> quoted_mid;                                             ///< of the last quotes
  std::optional<base::LocalTime> next_quote;
  bool dirty = false;  ///< orders or position changed since the last quotes
  bool held = false;   ///< its orders are being withdrawn
  base::ShortText<48> reason{"starting"};

  std::optional<std::uint32_t> orders_proved, position_proved,
      trades_proved;                   ///< user stream generation at which the venue stated them
  std::optional<model::Qty> mismatch;  ///< the venue's position, when the last report differed from ours
  base::LocalTime last_fill{};
  std::optional<std::int64_t> money_missing;  ///< trade told without its money, at the last check
  bool fills_wanted = false;                  ///< trades are missing: fetch them
  std::int64_t last_trade_id = 0;
  std::optional<std::int64_t> trades_told_to;  ///< a complete list came up to here: to be kept
  bool has_history = false;  ///< trades before this run are in the ledger, or known not to be ours
  std::optional<std::int64_t> trades_from;  ///< first trade id that may have been missed
  std::uint32_t foreign_orders = 0;
  order::ForeignWatch foreign;        ///< who else trades here, and who claimed it
  std::string foreign_kept, claimed;  ///< as last kept
  std::string_view misfit;            ///< why the strategy's parameters make no ladder at this price
  base::LocalTime fit_due{};          ///< when that is looked at again
  base::VenueTime incomes_through{};  ///< funding payments before this are in the ledger

  std::optional<base::LocalTime> unsynced_since;  ///< for the incident log
  std::optional<base::LocalTime> withdrawn_since;

  // Counted for the status.
  std::uint64_t quotes_hash = 0xcbf29ce484222325ULL;
  std::uint64_t cuts = 0, resyncs = 0, depth_frames = 0, rejects = 0, post_only_rejects = 0;
  std::uint64_t places = 0, cancels = 0, amends = 0, takes = 0, gateway_refusals = 0;
  std::uint32_t orders_live_max = 0;
  std::uint64_t withdrawals = 0, probes = 0, line_holes = 0, strategy_failures = 0;
  std::uint64_t trades_accepted = 0, trades_repaired = 0, trades_lost = 0;
  std::uint64_t trades_hash = 0;  ///< sum over the ids accepted or named lost: order does not matter
  std::optional<base::LocalTime> last_depth, last_snapshot;
  std::uint32_t wanted_bids = 0, wanted_asks = 0;  ///< quotes of the last set
  model::Money drawdown_max;
  ops::Histogram data_delay, bid_placing, ask_placing;
};

}  // namespace phoenix::engine
