#pragma once

#include "ops/health.hpp"
#include "ops/status.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace phoenix::ops {

/// One family of metrics. The name is without its prefix `phoenix_`.
struct MetricFamily {
  std::string_view name, type, unit, labels, help;
};
/// All of them, in the order in which they are written.
std::vector<MetricFamily> metric_families();
/// The same as a table in Markdown.
std::string metrics_reference();

/// The status as Prometheus text (exposition format 0.0.4), names under `phoenix_`, base units.
/// `version` goes into phoenix_build_info. Ages are measured against `now`.
std::string metrics_text(const Status& status, const Health& health, base::LocalTime now,
                         std::string_view version);

}  // namespace phoenix::ops
