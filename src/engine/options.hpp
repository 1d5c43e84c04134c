#pragma once

#include "base/time.hpp"
#include "model/fixed.hpp"
#include "model/instrument.hpp"
#include "quote/grid.hpp"
#include "risk/limits.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace phoenix::engine {

/// One symbol to make a market in.
struct SymbolOptions {
  std::string name;
  quote::GridParams grid;
  risk::SymbolLimits limits;
  int cancels_per_minute = 50;
  std::optional<model::Price> tick_size;  ///< what the configuration believes; the venue must agree
  std::optional<model::Qty> qty_min;
};

/// Everything an engine is told at its start. Plain values; validated by whoever made them.
struct Options {
  model::Product product = model::Product::usdm;
  std::vector<SymbolOptions> symbols;
  std::string order_api_target = "/ws-fapi/v1";  ///< path of the WS-API's handshake
  model::Money total_notional_max;
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
  base::Duration first_data_timeout = base::seconds{3};
  base::Duration silence_max = base::seconds{5};  ///< of a whole market data connection
  base::Duration pause_max =
      base::seconds{1};  ///< a longer jump of the clock between steps: nothing known is fresh
  base::Duration stop_timeout =
      base::seconds{10};   ///< from the wish to leave to leaving with orders unconfirmed
  std::uint64_t seed = 1;  ///< jitter of reconnects
};

}  // namespace phoenix::engine
