#pragma once

#include "engine/engine.hpp"
#include "exchange/core.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace phoenix::app {

/// Compares what the engine believes of an account with the local exchange's own books: position, realised
/// PnL, fees, volume, number of fills, open orders. Empty when they agree to the last digit; else one line
/// per difference.
std::vector<std::string> ledger_differences(const engine::Engine& engine, const exchange::Core& core,
                                            std::string_view api_key);

}  // namespace phoenix::app
