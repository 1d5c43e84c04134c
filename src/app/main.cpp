#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/duration_text.hpp"
#include "app/version.hpp"

#include <cstdio>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace phoenix::app {
namespace {

/// An option whose value is a duration such as 60s.
void add_duration(CLI::App& command, const std::string& name, std::optional<base::Duration>& to,
                  const std::string& help) {
  command
      .add_option_function<std::string>(
          name,
          [&to](const std::string& text) {
            to = parse_duration(text);
            if (!to)
              throw CLI::ValidationError(
                  fmt::format("'{}' is no duration: write 500ms, 60s, 2m or 1h", text));
          },
          help)
      ->type_name("DURATION");
}

int dispatch(int argc, char** argv) {
  CLI::App app{"Phoenix makes markets on Binance USD-M futures and never goes silently dead.", "phoenix"};
  app.set_version_flag("--version", std::string{version});
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::help);

  DemoArguments demo_arguments;
  auto* demo_command = app.add_subcommand("demo", "local exchange and market maker in one, no keys needed");
  add_duration(*demo_command, "--for", demo_arguments.run_for,
               "how long; on a terminal until Ctrl-C, else 60s");
  demo_command->add_option("--seed", demo_arguments.seed, "seed of the exchange's market")
      ->capture_default_str();
  demo_command->add_option("--data", demo_arguments.data_dir,
                           "directory to keep logs and state in; else a temporary one");
  demo_command
      ->add_option("--metrics-port", demo_arguments.metrics_port,
                   "port of /metrics and /healthz; 0 is any free one")
      ->capture_default_str();

  RunArguments run_arguments;
  auto* run_command = app.add_subcommand("run", "the market maker");
  run_command->add_option("-c,--config", run_arguments.config, "configuration file")->required();
  add_duration(*run_command, "--for", run_arguments.run_for, "how long; else until Ctrl-C");

  ExchangeArguments exchange_arguments;
  auto* exchange_command = app.add_subcommand("exchange", "the local exchange, for any Binance client");
  exchange_command->add_option("--port", exchange_arguments.port, "plain port; 0 is any free one")
      ->capture_default_str();
  exchange_command->add_option("--tls-port", exchange_arguments.tls_port, "TLS port; 0 is any free one")
      ->capture_default_str();
  exchange_command->add_option("--seed", exchange_arguments.seed, "seed of the market")
      ->capture_default_str();
  exchange_command->add_option("--api-key", exchange_arguments.api_key, "key of the one account")
      ->capture_default_str();
  exchange_command->add_option("--api-secret", exchange_arguments.api_secret, "its secret")
      ->capture_default_str();
  exchange_command->add_option("--data", exchange_arguments.data_dir, "directory for the certificates")
      ->capture_default_str();
  exchange_command->add_option("--market", exchange_arguments.market,
                               "recordings that drive their symbols instead of agents");
  add_duration(*exchange_command, "--for", exchange_arguments.run_for, "how long; else until Ctrl-C");

  ReplayArguments replay_arguments;
  bool json = false;
  auto* replay_command =
      app.add_subcommand("replay", "rebuild books from captured traffic, or a run from its input log");
  replay_command
      ->add_option("files", replay_arguments.files,
                   "recordings (plain, .zst, .gz), merged by time; or one input log")
      ->required();
  replay_command->add_flag("--json", json, "print the report as JSON");

  ConfigCheckArguments check_arguments;
  auto* config_command = app.add_subcommand("config", "about configuration files");
  config_command->require_subcommand(1);
  auto* check_command = config_command->add_subcommand(
      "check", "every error of a configuration file, with line, key and what would be right");
  check_command->add_option("file,-c,--config", check_arguments.config, "configuration file")->required();

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& fault) {
    return app.exit(fault) == 0 ? 0 : 2;
  }
  replay_arguments.format = json ? Format::json : Format::text;
  if (*demo_command) return demo(demo_arguments);
  if (*run_command) return run(run_arguments);
  if (*exchange_command) return exchange(exchange_arguments);
  if (*replay_command) return replay(replay_arguments);
  return config_check(check_arguments);
}

}  // namespace
}  // namespace phoenix::app

int main(int argc, char** argv) {
  try {
    return phoenix::app::dispatch(argc, argv);
  } catch (const phoenix::app::StartError& fault) {
    std::fprintf(stderr, "phoenix: %s\n", fault.what());
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "phoenix: %s\n", fault.what());
  }
  return 2;
}
