#pragma once

#include "ops/health.hpp"
#include "ops/status.hpp"

#include <string>
#include <string_view>

namespace phoenix::ops {

/// Raised when a key changes its meaning or goes; new keys alone do not raise it.
inline constexpr int status_schema = 1;

/// The status and what is judged of it as one JSON object. Units are in the keys (`age_ms`, `rate_bps`);
/// prices, quantities and amounts are exact decimals written as JSON numbers; what is not known is null; a
/// list is there although it is empty. Ages are measured against `now`.
std::string status_json(const Status& status, const Health& health, base::LocalTime now,
                        std::string_view version);

/// Why a stream stands where it stands, as key=value separated by blanks.
std::string evidence_text(const StreamStatus& stream);

}  // namespace phoenix::ops
