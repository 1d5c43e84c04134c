#pragma once

#include "model/account.hpp"
#include "model/order.hpp"

#include <string_view>

namespace phoenix::model {

/// One word for logs and reports.
std::string_view name(Side side);
std::string_view name(OrderStatus status);
std::string_view name(Refusal refusal);
std::string_view name(Outcome outcome);
std::string_view name(InstrumentFault fault);
std::string_view name(Product product);

}  // namespace phoenix::model
