#include "app/cli.hpp"
#include "app/config.hpp"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
  try {
    phoenix::app::CommandLine command_line;
    return command_line.run({argv + 1, argv + argc});
  } catch (const phoenix::app::StartError& fault) {
    std::fprintf(stderr, "phoenix: %s\n", fault.what());
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "phoenix: %s\n", fault.what());
  }
  return 2;
}
