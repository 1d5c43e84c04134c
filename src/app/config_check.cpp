#include "app/commands.hpp"
#include "app/config.hpp"

#include <utility>
#include <vector>

#include <fmt/format.h>

namespace phoenix::app {

int config_check(const ConfigCheckArguments& arguments) {
  const auto config = load_config(arguments.config, arguments.purpose, recorder_environment());
  fmt::print("{}: ok, {} symbols\n", arguments.config.string(), config.engine.symbols.size());
  return 0;
}

int config_show(const ConfigShowArguments& arguments) {
  const auto config = load_config(arguments.config, arguments.purpose, recorder_environment());
  std::vector<EffectiveSetting> all;
  // What only trading knows says nothing about a recorder.
  if (arguments.purpose == Purpose::run) {
    all = config.effective;
    for (auto setting : config.recording.effective) {
      setting.name = "recording." + setting.name;
      all.push_back(std::move(setting));
    }
  } else {
    all = config.recording.effective;
  }
  if (arguments.format == Format::json) {
    fmt::print("{}\n", effective_json(all));
    return 0;
  }
  for (const auto& setting : all) fmt::print("{} = {}  ({})\n", setting.name, setting.value, setting.source);
  for (const auto& variable : config.recording.without_effect)
    fmt::print("environment {} has no effect: {}\n", variable.name, variable.why);
  return 0;
}

}  // namespace phoenix::app
