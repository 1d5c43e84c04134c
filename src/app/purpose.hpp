#pragma once

#include <cstdint>

namespace phoenix::app {

/// What a configuration is read for: to quote (and perhaps record), or only to record.
enum class Purpose : std::uint8_t { run, record };

}  // namespace phoenix::app
