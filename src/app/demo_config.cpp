#include "app/demo_config.hpp"

#include <fmt/format.h>

namespace phoenix::app {

std::string demo_config(std::uint16_t tls_port, const std::string& ca_file, const std::string& data_dir) {
  return fmt::format(R"(global:
  venue: local
  rest_url: https://localhost:{0}
  stream_url: wss://localhost:{0}
  order_api_url: wss://localhost:{0}/ws-fapi/v1
  ca_file: {1}
  data_dir: {2}
  total_notional_max: 4000
  quote_interval_ms: 1000
  requote_min_move_bps: 1.0
recording:
  enabled: true
  rotate_s: 30
symbols:
  - {{symbol: ETHUSDC, net_max: 0.26, unified_layer_size: 0.008, total_layers: 7, min_spread: 0.0001, grid_start_offset_bps: 1, grid_first_spacing_bps: 1, grid_spacing_multiplier: 1.75, grid_max_spacing_bps: 40, inventory_skew_coeff: 0.006, max_cancel_per_min: 40}}
  - {{symbol: DOGEUSDC, net_max: 5200, unified_layer_size: 200, total_layers: 7, min_spread: 0.0001, grid_start_offset_bps: 1, grid_first_spacing_bps: 1, grid_spacing_multiplier: 1.75, grid_max_spacing_bps: 40, inventory_skew_coeff: 0.003, max_cancel_per_min: 40}}
  - {{symbol: SOLUSDC, net_max: 5.5, unified_layer_size: 0.2, total_layers: 7, min_spread: 0.0001, grid_start_offset_bps: 1, grid_first_spacing_bps: 1, grid_spacing_multiplier: 1.75, grid_max_spacing_bps: 40, inventory_skew_coeff: 0.005, max_cancel_per_min: 40}}
  - {{symbol: BNBUSDC, net_max: 0.9, unified_layer_size: 0.04, total_layers: 7, min_spread: 0.0001, grid_start_offset_bps: 1, grid_first_spacing_bps: 1, grid_spacing_multiplier: 1.75, grid_max_spacing_bps: 40, inventory_skew_coeff: 0.005, max_cancel_per_min: 40}}
  - {{symbol: XRPUSDC, net_max: 360, unified_layer_size: 12, total_layers: 7, min_spread: 0.0001, grid_start_offset_bps: 1, grid_first_spacing_bps: 1, grid_spacing_multiplier: 1.75, grid_max_spacing_bps: 40, inventory_skew_coeff: 0.004, max_cancel_per_min: 40}}
)",
                     tls_port, ca_file, data_dir);
}

}  // namespace phoenix::app
