#include "app/commands.hpp"
#include "app/config.hpp"

#include <fmt/format.h>

namespace phoenix::app {

int config_check(const ConfigCheckArguments& arguments) {
  const auto config = load_config(arguments.config, arguments.purpose, recorder_environment());
  fmt::print("{}: ok, {} symbols\n", arguments.config.string(), config.engine.symbols.size());
  return 0;
}

int config_show(const ConfigShowArguments& arguments) {
  const auto config = load_config(arguments.config, arguments.purpose, recorder_environment());
  if (arguments.format == Format::json) {
    fmt::print("{}\n", effective_json(config.recording));
    return 0;
  }
  for (const auto& setting : config.recording.effective)
    fmt::print("{} = {}  ({})\n", setting.name, setting.value, setting.source);
  for (const auto& variable : config.recording.without_effect)
    fmt::print("environment {} has no effect: {}\n", variable.name, variable.why);
  return 0;
}

}  // namespace phoenix::app
