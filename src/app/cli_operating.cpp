#include "app/cli_commands.hpp"
#include "app/cli_options.hpp"
#include "app/commands.hpp"
#include "app/service.hpp"

namespace phoenix::app {
namespace {

void add_record_switch(CLI::App& options, Purpose& to) {
  add_switch(options, "--record", to, Purpose::record, "as `phoenix record` reads it");
}

/// Which program of a configuration a command is about. What a maker alone has excludes the two others.
CLI::Option& add_service(CLI::App& options, Service& to) {
  add_config(options, to.config);
  auto& recorder =
      add_switch(options, "--record", to.purpose, Purpose::record, "the recorder, not the maker");
  add_switch(options, "--paper", to.which, WhichRun::paper, "the maker on paper").excludes(&recorder);
  return recorder;
}

void add_service_commands(Command& phoenix) {
  auto& start_command =
      phoenix.add(Section::operating,
                  {.name = "start",
                   .what = "starts a maker or recorder that goes on without a terminal",
                   .description = "Starts it in the background, waits until it is ready (a symbol may be "
                                  "quoted, or is recorded) and "
                                  "says so, or prints the last lines of what it said when it ends before. "
                                  "What it writes goes into a file "
                                  "that is named. Where systemd runs, its units do the same and more.",
                   .examples = {{"phoenix start -c configs/local.yaml", "the maker"},
                                {"phoenix start -c configs/local.yaml --record", "the recorder"},
                                {"phoenix start -c configs/live-3.yaml --paper --wait 2m",
                                 "on paper; wait longer for it"}},
                   .exit_codes = "0 when it is ready; 1 when it runs and is not yet; its own exit code when "
                                 "it has ended; 130 after "
                                 "Ctrl-C, when it goes on."});
  const auto started = std::make_shared<StartArguments>();
  auto& options = start_command.options();
  auto& recorder = add_service(options, started->service);
  auto& limited =
      add_switch(options, "--limited", started->extent, Extent::limited, "as `phoenix run --limited`");
  limited.excludes(&recorder);
  add_switch(options, "--full", started->extent, Extent::full, "as `phoenix run --full`")
      .excludes(&limited)
      ->excludes(&recorder);
  add_switch(options, "--insecure-bind", started->insecure_bind, InsecureBind::yes,
             "as `phoenix run --insecure-bind`");
  add_duration(options, "--wait", started->wait, "for it to be ready");
  start_command.runs([started] { return start(*started); });

  auto& stop_command = phoenix.add(
      Section::operating,
      {.name = "stop",
       .what = "ends a running maker or recorder, and says what it left behind",
       .description =
           "Tells the process that holds the lock of the data directory to leave as after Ctrl-C: the "
           "maker withdraws every order and asks the venue whether none is left, the recorder puts what "
           "it has into files. Waits until it is gone.",
       .examples = {{"phoenix stop -c configs/local.yaml", "the maker"},
                    {"phoenix stop -c configs/local.yaml --record", "the recorder"}},
       .exit_codes = "0 when it is gone and left nothing behind; 1 when something may be left, or nothing "
                     "ran."});
  const auto stopped = std::make_shared<StopArguments>();
  add_service(stop_command.options(), stopped->service);
  add_duration(stop_command.options(), "--wait", stopped->wait, "for it to be gone");
  stop_command.runs([stopped] { return stop(*stopped); });
}

void add_status(Command& phoenix) {
  auto& status_command = phoenix.add(
      Section::operating,
      {.name = "status",
       .what = "what a running Phoenix does and holds, live",
       .description =
           "Asks the Phoenix of this configuration every second and fills the terminal; Ctrl-C ends "
           "it. Columns that do not fit are left out, the least important first.",
       .examples = {{"phoenix status -c configs/local.yaml", "live"},
                    {"phoenix status -c configs/local.yaml --once", "one table"},
                    {"phoenix status -c configs/local.yaml --once --json", "for a script"},
                    {"phoenix status -c configs/local.yaml --record", "of the recorder"}},
       .exit_codes = "0, 1 when it cannot be asked, 2 when the configuration is wrong."});
  auto& traffic_command = phoenix.add(
      Section::operating,
      {.name = "traffic",
       .what = "bytes a second of a running Phoenix, by connection and stream, live",
       .description = "Payload and wire, their ratio, and what was given up to stay within the budget.",
       .examples = {{"phoenix traffic -c configs/local.yaml", "live"},
                    {"phoenix traffic -c configs/local.yaml --once", "one table, over one second"}},
       .exit_codes = "0, 1 when it cannot be asked, 2 when the configuration is wrong."});
  const auto arguments = std::make_shared<StatusArguments>();
  for (Command* command : {&status_command, &traffic_command}) {
    auto& options = command->options();
    add_config(options, arguments->config);
    add_record_switch(options, arguments->purpose);
    add_switch(options, "--once", arguments->looks, Looks::one,
               "one table; usual where the output is no terminal");
    add_switch(options, "--json", arguments->format, Format::json, "print once what /status says");
  }
  status_command.runs([arguments] { return status(*arguments); });
  traffic_command.runs([arguments] { return traffic(*arguments); });
}

void add_health(Command& phoenix) {
  auto& command = phoenix.add(
      Section::operating,
      {.name = "health",
       .what = "is it well? every check with what helps",
       .description = "Judges by progress, so a process that is stopped or stuck is seen although it exists.",
       .examples = {{"phoenix health -c configs/local.yaml", "every check, and the command that helps"},
                    {"phoenix health -c configs/local.yaml --json", "for a script"},
                    {"phoenix health -c configs/local.yaml --watch 30s", "one line every half minute"}},
       .exit_codes = "0 healthy, 1 warning, 2 severe or not to be asked."});
  const auto arguments = std::make_shared<HealthArguments>();
  auto& options = command.options();
  add_config(options, arguments->config);
  add_record_switch(options, arguments->purpose);
  add_duration(options, "--watch", arguments->watch, "one look", "look again so often, one line each");
  add_switch(options, "--json", arguments->format, Format::json, "print it as JSON");
  command.runs([arguments] { return health(*arguments); });
}

void add_doctor(Command& phoenix) {
  auto& command = phoenix.add(
      Section::operating,
      {.name = "doctor",
       .what = "explains from the incident log what happened and what it cost",
       .description = "Reads what a run left on disk; the run may be over or go on.",
       .examples = {{"phoenix doctor -c configs/local.yaml", "of the last hour"},
                    {"phoenix doctor phoenix-data --last 24h --json", "of a data directory, for a script"}},
       .exit_codes = "0, 1 when something is not over, 2 when there is no incident log."});
  const auto arguments = std::make_shared<DoctorArguments>();
  auto& options = command.options();
  auto& config = add_path(options, "-c,--config", arguments->config, "FILE",
                          "configuration file that names the data directory");
  add_path(options, "directory", arguments->directory, "DIRECTORY", "data directory").excludes(&config);
  add_duration(options, "--last", arguments->last, "how far back");
  add_switch(options, "--json", arguments->format, Format::json, "print it as JSON");
  command.checks([arguments] {
    if (!arguments->config && arguments->directory.empty())
      throw StartError("doctor: name a data directory, or a configuration file with -c");
  });
  command.runs([arguments] { return doctor(*arguments); });
}

void add_alerts(Command& phoenix) {
  auto& alerts =
      phoenix.add(Section::operating, {.name = "alerts", .what = "about what is told, and to whom"});
  const auto arguments = std::make_shared<AlertsArguments>();
  auto& list = alerts.add(
      {.name = "list",
       .what = "the alert rules in force",
       .description = "With their levels, thresholds and actions, as a configuration changes them.",
       .examples = {
           {"phoenix alerts list", "the rules at their defaults"},
           {"phoenix alerts list -c configs/local.yaml --json", "as this file has them, for a script"},
           {"phoenix alerts list --prometheus > rules.yml", "as a rules file for Prometheus"}}});
  add_path(list.options(), "-c,--config", arguments->config, "FILE", "as this file changes them")
      .default_str("the defaults");
  auto& json =
      add_switch(list.options(), "--json", arguments->format, AlertsFormat::json, "print them as JSON");
  add_switch(list.options(), "--prometheus", arguments->format, AlertsFormat::prometheus,
             "as a rules file for Prometheus")
      .excludes(&json);
  add_record_switch(list.options(), arguments->purpose);
  list.runs([arguments] { return alerts_list(*arguments); });

  auto& send =
      alerts.add({.name = "test",
                  .what = "sends one message to each channel and says what it answered",
                  .examples = {{"phoenix alerts test -c configs/local.yaml", "through every channel"}},
                  .exit_codes = "0 when each channel took it, else 1; 2 when it could not begin."});
  add_config(send.options(), arguments->config);
  add_record_switch(send.options(), arguments->purpose);
  send.runs([arguments] { return alerts_test(*arguments); });
}

void add_configuration(Command& phoenix) {
  auto& config = phoenix.add(Section::operating, {.name = "config", .what = "about configuration files"});
  const auto checked = std::make_shared<ConfigCheckArguments>();
  auto& check = config.add(
      {.name = "check",
       .what = "every error of a configuration file, with line, key and what would be right",
       .examples = {{"phoenix config check configs/local.yaml", "as the maker reads it"},
                    {"phoenix config check configs/local.yaml --record", "as the recorder reads it"}},
       .exit_codes = "0 when it may be used, else 2."});
  add_path(check.options(), "file,-c,--config", checked->config, "FILE", "configuration file").required();
  add_record_switch(check.options(), checked->purpose);
  check.runs([checked] { return config_check(*checked); });

  const auto shown = std::make_shared<ConfigShowArguments>();
  auto& show = config.add(
      {.name = "show",
       .what = "the settings in force, and where each comes from: default, line or variable",
       .examples = {{"phoenix config show configs/local.yaml", "every setting"},
                    {"phoenix config show --record --json", "the recorder's without a file, for a script"}}});
  add_path(show.options(), "file,-c,--config", shown->config, "FILE", "configuration file")
      .default_str("none, which is enough with --record");
  add_record_switch(show.options(), shown->purpose);
  show.options()
      .add_flag("--effective")
      ->description("every setting, given or not: also what is shown without this");
  add_switch(show.options(), "--json", shown->format, Format::json, "print them as JSON");
  show.runs([shown] { return config_show(*shown); });
}

void add_metrics(Command& phoenix) {
  auto& command =
      phoenix.add(Section::operating, {.name = "metrics",
                                       .what = "every metric with its type, unit, labels and meaning",
                                       .examples = {{"phoenix metrics", "as docs/metrics.md has them"}}});
  command.runs([] { return metrics(); });
}

}  // namespace

void add_operating_commands(Command& phoenix) {
  add_service_commands(phoenix);
  add_status(phoenix);
  add_health(phoenix);
  add_doctor(phoenix);
  add_alerts(phoenix);
  add_configuration(phoenix);
  add_metrics(phoenix);
}

}  // namespace phoenix::app
