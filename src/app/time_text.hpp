#pragma once

#include "base/time.hpp"

#include <chrono>
#include <ctime>
#include <optional>
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

/// "2026-01-31", "2026-01-31T12:00", "2026-01-31T12:00:00", each with or without a Z: UTC. Empty for anything
/// else.
inline std::optional<base::VenueTime> parse_utc_time(std::string text) {
  if (!text.empty() && text.back() == 'Z') text.pop_back();
  for (const char* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    std::tm fields{};
    const char* end = ::strptime(text.c_str(), format, &fields);
    if (end == nullptr || *end != '\0') continue;
    return base::VenueTime{base::seconds{::timegm(&fields)}};
  }
  return std::nullopt;
}

}  // namespace phoenix::app
