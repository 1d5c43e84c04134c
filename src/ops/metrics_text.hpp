#pragma once

#include "ops/status.hpp"

#include <string>
#include <string_view>

namespace phoenix::ops {

/// The status as Prometheus text (exposition format 0.0.4), names under `phoenix_`, base units.
/// `version` goes into phoenix_build_info. Ages are measured against `now`.
std::string metrics_text(const Status& status, base::LocalTime now, std::string_view version);

/// Empty when the process does its work: the engine's picture is younger than `age_max`. Else the reason.
std::string health_problem(const Status& status, base::LocalTime now, base::Duration age_max);

}  // namespace phoenix::ops
