#pragma once

#include "base/time.hpp"

#include <chrono>
#include <ctime>
#include <string>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace phoenix::app {

/// "2026-01-31T12:34:56.789Z".
inline std::string utc_text(base::LocalTime time) {
  const auto ms = std::chrono::floor<base::milliseconds>(time.time_since_epoch());
  const auto s = std::chrono::floor<base::seconds>(ms);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(s.count())),
                     (ms - s).count());
}

}  // namespace phoenix::app
