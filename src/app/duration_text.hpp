#pragma once

#include "base/time.hpp"

#include <optional>
#include <string_view>

namespace phoenix::app {

/// "500ms", "60s", "2m", "1h": a whole number and its unit, up to 1000 hours. Empty for anything else.
std::optional<base::Duration> parse_duration(std::string_view text);

}  // namespace phoenix::app
