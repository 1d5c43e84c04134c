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
  exchange_command->add_option("--faults", exchange_arguments.faults,
                               "plan of faults to inject, from the start on");
  exchange_command->add_option(
      "--control-port", exchange_arguments.control_port,
      "port of the control endpoint for faults; 0 is any free one; else there is none");
  exchange_command
      ->add_option("--stream-cuts", exchange_arguments.stream_cuts,
                   "ways of cutting depth streams into frames, dealt out among connections")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
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

  SimulateArguments simulate_arguments;
  auto* simulate_command = app.add_subcommand(
      "simulate", "maker and exchange in virtual time under faults, with checkers that know the truth");
  simulate_command->add_option("--seed", simulate_arguments.seed,
                               "decides everything; else a new one, printed");
  simulate_command->add_option("--hours", simulate_arguments.hours, "virtual hours of each run")
      ->capture_default_str();
  simulate_command
      ->add_option("--faults", simulate_arguments.faults, "all, none, or kinds with commas between")
      ->capture_default_str();
  simulate_command->add_option("--runs", simulate_arguments.runs, "runs, with seeds from --seed upwards")
      ->capture_default_str();
  simulate_command->add_option("--jobs", simulate_arguments.jobs, "runs at a time")->capture_default_str();
  simulate_command->add_flag("--json", json, "print the summary as JSON");

  GuardArguments guard_arguments;
  bool restart = false;
  auto* guard_command = app.add_subcommand(
      "guard", "watches a running phoenix from outside, cancels its orders when it makes no progress");
  guard_command->add_option("-c,--config", guard_arguments.config, "the configuration it runs with")
      ->required();
  guard_command->add_flag("--restart", restart, "kill and restart it, behind a fence");
  add_duration(*guard_command, "--interval", guard_arguments.interval, "between looks; else 200ms");
  add_duration(*guard_command, "--for", guard_arguments.run_for, "how long; else until Ctrl-C");

  EmergencyArguments emergency_arguments;
  bool everybodys = false;
  bool yes = false;
  auto* emergency_command = app.add_subcommand("emergency", "for the bad day");
  emergency_command->require_subcommand(1);
  auto* cancel_all_command = emergency_command->add_subcommand(
      "cancel-all", "sets the kill latch, then cancels every order of ours until the venue lists none");
  auto* re_arm_command = emergency_command->add_subcommand("re-arm", "takes the kill latch away");
  for (auto* command : {cancel_all_command, re_arm_command}) {
    command->add_option("-c,--config", emergency_arguments.config, "configuration file")->required();
    command->add_flag("--yes", yes, "do not ask");
  }
  cancel_all_command->add_flag("--all", everybodys, "orders of others on these symbols too");

  DoctorArguments doctor_arguments;
  std::optional<base::Duration> last;
  auto* doctor_command =
      app.add_subcommand("doctor", "explains from the incident log what happened and what it cost");
  auto* doctor_config = doctor_command->add_option("-c,--config", doctor_arguments.config,
                                                   "configuration file that names the data directory");
  doctor_command->add_option("directory", doctor_arguments.directory, "data directory")
      ->excludes(doctor_config);
  add_duration(*doctor_command, "--last", last, "how far back; else 1h");
  doctor_command->add_flag("--json", json, "print it as JSON");

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
  replay_arguments.format = simulate_arguments.format = doctor_arguments.format =
      json ? Format::json : Format::text;
  guard_arguments.restart = restart ? ops::GuardRestart::yes : ops::GuardRestart::no;
  emergency_arguments.whose = everybodys ? WhoseOrders::all : WhoseOrders::ours;
  emergency_arguments.consent = yes ? Consent::given : Consent::ask;
  doctor_arguments.last = last.value_or(doctor_arguments.last);
  if (*demo_command) return demo(demo_arguments);
  if (*run_command) return run(run_arguments);
  if (*exchange_command) return exchange(exchange_arguments);
  if (*replay_command) return replay(replay_arguments);
  if (*simulate_command) return simulate(simulate_arguments);
  if (*guard_command) return guard(guard_arguments);
  if (*cancel_all_command) return emergency_cancel_all(emergency_arguments);
  if (*re_arm_command) return emergency_re_arm(emergency_arguments);
  if (*doctor_command) {
    if (!doctor_arguments.config && doctor_arguments.directory.empty())
      throw StartError("doctor: name a data directory, or a configuration file with -c");
    return doctor(doctor_arguments);
  }
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
