#pragma once

#include "io/live_host.hpp"

#include <filesystem>
#include <string>

namespace phoenix::app {

/// Where log lines go: stderr, or a file when one is given. `level`: debug, info, warning or error.
io::LiveHost::Logger make_logger(const std::string& level, const std::filesystem::path& file = {});

}  // namespace phoenix::app
