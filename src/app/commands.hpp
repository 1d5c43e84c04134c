#pragma once

#include "base/time.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// One function per command of the program; each returns the process's exit code and throws StartError when
/// it cannot begin.
namespace phoenix::app {

enum class Format : bool { text, json };

struct DemoArguments {
  std::optional<base::Duration> run_for;  ///< empty: until a signal on a terminal, else 60 s
  std::uint64_t seed = 1;
  std::optional<std::filesystem::path> data_dir;  ///< empty: a fresh directory that goes afterwards
  std::uint16_t metrics_port = 0;                 ///< 0: any free one
};
int demo(const DemoArguments& arguments);

struct RunArguments {
  std::filesystem::path config;
  std::optional<base::Duration> run_for;  ///< empty: until a signal
};
int run(const RunArguments& arguments);

struct ExchangeArguments {
  std::uint16_t port = 8080;      ///< plain; 0: any free one
  std::uint16_t tls_port = 8443;  ///< 0: any free one
  std::uint64_t seed = 1;
  std::string api_key = "local-key";
  std::string api_secret = "local-secret";
  std::filesystem::path data_dir = "phoenix-exchange";  ///< for the certificates
  std::vector<std::filesystem::path> market;  ///< recordings that drive their symbols instead of agents
  std::optional<base::Duration> run_for;
};
int exchange(const ExchangeArguments& arguments);

struct ReplayArguments {
  std::vector<std::filesystem::path> files;
  Format format = Format::text;
};
int replay(const ReplayArguments& arguments);

struct ConfigCheckArguments {
  std::filesystem::path config;
};
int config_check(const ConfigCheckArguments& arguments);

}  // namespace phoenix::app
