#pragma once

#include "exchange/types.hpp"

#include <optional>
#include <string_view>

namespace phoenix::exchange {

/// The venue's refusals, each with its code and its text.
namespace reject {
Reject invalid_symbol();                          // -1121
Reject unknown_order();                           // -2011, of a cancel
Reject order_does_not_exist();                    // -2013, of a query or an amend
Reject margin_insufficient();                     // -2019
Reject reduce_only();                             // -2022
Reject open_order_limit();                        // -2025
Reject position_limit();                          // -2027
Reject client_id_invalid();                       // -4015
Reject leverage_invalid();                        // -4028
Reject counterparty_price();                      // -4131
Reject duplicate_client_id();                     // -4116
Reject symbol_not_trading();                      // -4140
Reject notional_too_small(Money minimum);         // -4164
Reject fok_not_filled();                          // -5021
Reject gtx_would_take();                          // -5022
Reject amend_not_trading();                       // -5024
Reject amend_limit();                             // -5026
Reject amend_no_change();                         // -5027
Reject amend_too_small();                         // -5029
Reject side_invalid();                            // -1117
Reject type_invalid();                            // -1116
Reject time_in_force_invalid();                   // -1115
Reject parameter_invalid(std::string_view name);  // -1130
}  // namespace reject

/// Precision, then grid, then range of an order's quantity.
std::optional<Reject> check_qty(const SymbolSpec& spec, OrderType type, Qty qty);
/// Precision, range, grid, and the collar around the mark price.
std::optional<Reject> check_price(const SymbolSpec& spec, Side side, Price price, Price mark);
/// ^[.A-Z:/a-z0-9_-]{1,36}$
bool client_id_valid(std::string_view text);

/// The farthest price an order of `side` may have or trade at.
Price collar(const Filters& filters, Side side, Price mark);

/// Throws std::invalid_argument when `filters` make no sense.
void check_filters(std::string_view symbol, const Filters& filters);

}  // namespace phoenix::exchange
