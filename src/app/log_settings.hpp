#pragma once

#include "base/time.hpp"

#include <cstdint>
#include <string>

namespace phoenix::app {

enum class LogFormat : std::uint8_t { human, json };

/// What is logged, how and where. Keys are described in docs/configuration.md.
struct LogSettings {
  std::string level = "info";  ///< debug, info, warning or error
  LogFormat format = LogFormat::human;
  std::string file;                                   ///< empty: stderr
  std::uint64_t file_bytes = 64U << 20;               ///< a file that would grow larger is put aside
  int files = 8;                                      ///< that one and those put aside; older ones go
  base::Duration state_interval = base::seconds{60};  ///< 0: never
};

}  // namespace phoenix::app
