#pragma once

#include "base/time.hpp"
#include "feed/trade_merge.hpp"
#include "model/fixed.hpp"
#include "model/instrument.hpp"
#include "order/dead_man_switch.hpp"
#include "order/ledger.hpp"
#include "quote/glft.hpp"
#include "quote/grid.hpp"
#include "risk/gateway.hpp"
#include "risk/guard.hpp"
#include "risk/limits.hpp"
#include "signal/intensity.hpp"
#include "signal/market_state.hpp"
#include "signal/symbol_signals.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::engine {

enum class Switch : std::uint8_t { off, on };

enum class StrategyKind : std::uint8_t { grid, glft };

/// One symbol to make a market in, to record, or both.
struct SymbolOptions {
  std::string name;
  Switch quoted = Switch::on;  ///< off: only looked at; what follows up to qty_min is not used
  Switch recorded = Switch::off;
  StrategyKind strategy = StrategyKind::grid;
  quote::GridParams grid;
  quote::GlftParams glft;
  signal::MarketStateOptions market;  ///< what the strategy is told of volatility, flow and funding
  signal::IntensityOptions intensity;
  risk::SymbolLimits limits;
  risk::SymbolGuardOptions guard;  ///< its net_max is that of `limits`
  int cancels_per_minute = 50;
  std::optional<model::Price> tick_size;  ///< what the configuration believes; the venue must agree
  std::optional<model::Qty> qty_min;
  signal::SignalOptions signals;  ///< of a recorded symbol
};

/// Where an earlier run of the same recording ended, for one symbol.
struct ResumePoint {
  std::string symbol;
  std::optional<std::int64_t> last_trade_id;     ///< what came after it is fetched from the venue's history
  std::vector<feed::TradeRange> missing_trades;  ///< below it; fetched too
  std::optional<std::int64_t> last_depth_id;
  std::optional<base::LocalTime> recorded_until;  ///< the time since then is named as not recorded
  signal::SignalState signals;
};

struct RecordingOptions {
  base::Duration book20_interval =
      base::seconds{1};  ///< between two samples of twenty levels; 0: each change
  base::Duration coverage_interval = base::minutes{1};  ///< of the ledger's entries, aligned to our clock
  base::Duration health_interval = base::seconds{25};   ///< between two looks at the age of each stream
  base::Duration trade_silence = base::seconds{150};    ///< older trades are told in the log
  base::Duration book_silence = base::seconds{180};
  base::Duration any_silence = base::minutes{5};
  std::vector<ResumePoint> resume;
};

/// What the guard of one symbol latched, as `risk::SymbolGuard::latches` wrote it; without a name the
/// account's. With `foreign_suffix` to the name: somebody else traded there; with `claimed_suffix`: the
/// orders of others that a person claimed.
inline constexpr std::string_view foreign_suffix = ".foreign", claimed_suffix = ".claimed";
struct GuardLatch {
  std::string symbol, text;
};

/// Everything an engine is told at its start. Plain values; validated by whoever made them.
struct Options {
  model::Product product = model::Product::usdm;
  std::vector<SymbolOptions> symbols;
  std::string order_api_target = "/ws-fapi/v1";  ///< path of the WS-API's handshake
  model::Money total_notional_max;
  risk::AccountGuardOptions account_guard;  ///< its total_notional_max is the one above
  risk::GatewayOptions gateway;
  std::vector<order::LedgerState> ledger;            ///< what earlier runs did, by configured symbol
  std::vector<GuardLatch> guard_latches;             ///< what earlier runs latched
  base::Duration quote_interval = base::seconds{1};  ///< a symbol is looked at again at least this often
  model::Rate requote_min_move =
      model::Rate::of("0.0001");                  ///< of the mid since the last quote; saves requotes only
  base::Duration recv_window = base::seconds{2};  ///< of order requests; bounds how late an order can be born
  int depth_speed_ms = 100;
  int snapshot_limit = 1000;
  base::Duration query_timeout = base::seconds{5};
  base::Duration order_timeout = base::seconds{2};  ///< without an answer an order request becomes unknown
  base::Duration orders_check_interval = base::seconds{5};
  base::Duration position_check_interval = base::seconds{10};
  base::Duration clock_check_interval = base::minutes{5};
  base::Duration listen_key_interval = base::minutes{20};
  int lines = 2;                                        ///< connections a stream runs on: 1 or 2
  base::Duration connection_age_max = base::hours{23};  ///< then it is replaced; the venue cuts at 24 h
  base::Duration stall_after = base::seconds{2};  ///< a price without proof for this long is not quoted on
  base::Duration lag_max = base::seconds{1};      ///< event time to now; beyond it nothing is quoted
  base::Duration rules_check_interval = base::minutes{5};
  base::Duration order_path_timeout = base::seconds{1};  ///< an order connection without answer is replaced
  std::uint64_t bandwidth_bytes_per_s = 0;               ///< above it traffic steps down; 0: no budget
  Switch dead_man_switch = Switch::on;
  order::SwitchOptions countdown;
  base::Duration pause_max =
      base::seconds{1};  ///< a longer jump of the clock between steps: nothing known is fresh
  base::Duration stop_timeout =
      base::seconds{10};   ///< from the wish to leave to leaving with orders unconfirmed
  std::uint64_t seed = 1;  ///< jitter of reconnects
  RecordingOptions recording;
  /// Turns a configuration's text into options, as at the start; empty when it cannot be read. For
  /// OptionsChanged.
  std::function<std::optional<Options>(std::string_view)> read;
  /// Makes a symbol's strategy, again after it failed; empty: quote::Grid.
  std::function<std::unique_ptr<quote::Strategy>(const SymbolOptions&)> make_strategy;
};

}  // namespace phoenix::engine
