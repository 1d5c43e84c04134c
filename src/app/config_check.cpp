#include "app/commands.hpp"
#include "app/config.hpp"

#include <fmt/format.h>

namespace phoenix::app {

int config_check(const ConfigCheckArguments& arguments) {
  const auto config = load_config(arguments.config);
  fmt::print("{}: ok, {} symbols\n", arguments.config.string(), config.engine.symbols.size());
  return 0;
}

}  // namespace phoenix::app
