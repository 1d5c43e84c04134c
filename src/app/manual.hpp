#pragma once

#include "app/cli.hpp"

#include <string>

namespace phoenix::app {

/// The manual page of the program with all commands, in man's macros.
std::string manual_page(const Command& program);
/// The same as docs/commands.md.
std::string manual_markdown(const Command& program);

}  // namespace phoenix::app
