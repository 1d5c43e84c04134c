#pragma once

#include "app/cli.hpp"

/// The commands by section. A new command is one function in its section's file, called at that file's end.
namespace phoenix::app {

void add_trading_commands(Command& phoenix);
void add_recording_commands(Command& phoenix);
void add_research_commands(Command& phoenix);
void add_operating_commands(Command& phoenix);
void add_program_commands(Command& phoenix);

}  // namespace phoenix::app
