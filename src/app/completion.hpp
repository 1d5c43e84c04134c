#pragma once

#include "app/cli.hpp"

#include <cstdint>
#include <string>

namespace phoenix::app {

enum class Shell : std::uint8_t { bash, zsh, fish };
/// What makes this shell complete commands, options, choices and files.
std::string completion(const Command& program, Shell shell);

}  // namespace phoenix::app
