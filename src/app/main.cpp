#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/duration_text.hpp"
#include "app/time_text.hpp"
#include "app/version.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <vector>

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

/// An option whose value is a duration, and has a default.
void add_duration(CLI::App& command, const std::string& name, base::Duration& to, const std::string& help) {
  command
      .add_option_function<std::string>(
          name,
          [&to](const std::string& text) {
            const auto value = parse_duration(text);
            if (!value)
              throw CLI::ValidationError(
                  fmt::format("'{}' is no duration: write 500ms, 60s, 2m or 1h", text));
            to = *value;
          },
          fmt::format("{}; else {} ms", help, to / base::milliseconds{1}))
      ->type_name("DURATION");
}

/// An option whose value is an exact decimal.
template <class To, class Assign>
void add_decimal(CLI::App& command, const std::string& name, Assign assign, std::string_view least,
                 std::string_view most, const std::string& help) {
  command
      .add_option_function<std::string>(
          name,
          [assign, low = To::of(least), high = To::of(most)](const std::string& text) {
            const auto value = To::parse(text);
            if (!value || *value < low || *value > high)
              throw CLI::ValidationError(
                  fmt::format("'{}' is no number within {} and {}", text, low.text(), high.text()));
            assign(*value);
          },
          help)
      ->type_name("NUMBER");
}

/// What a modelled account is told.
template <class Settings>
void add_account_options(CLI::App& command, Settings& settings) {
  command
      .add_option_function<std::string>(
          "--queue",
          [&settings](const std::string& word) {
            settings.queue = word == "proportional" ? exchange::ExternalQueue::proportional
                                                    : exchange::ExternalQueue::from_behind;
          },
          "who leaves a level that shrinks: conservative (the last) or proportional; else conservative")
      ->check(CLI::IsMember({"conservative", "proportional"}));
  add_decimal<model::Rate>(
      command, "--maker-fee", [&settings](model::Rate rate) { settings.maker_fee = rate; }, "-0.1", "0.1",
      "as a ratio; else the venue's first tier");
  add_decimal<model::Rate>(
      command, "--taker-fee", [&settings](model::Rate rate) { settings.taker_fee = rate; }, "-0.1", "0.1",
      "as a ratio; else the venue's first tier");
  add_decimal<model::Money>(
      command, "--wallet", [&settings](model::Money wallet) { settings.wallet = wallet; }, "0", "1000000000",
      "of each quote asset at the start; else 10000");
}

/// What a backtest is told beside its configuration.
void add_backtest_options(CLI::App& command, BacktestSettings& settings) {
  command
      .add_option_function<std::string>(
          "--strategy",
          [&settings](const std::string& word) {
            settings.strategy = word == "grid" ? engine::StrategyKind::grid : engine::StrategyKind::glft;
          },
          "grid or glft; else as configured")
      ->check(CLI::IsMember({"grid", "glft"}));
  add_account_options(command, settings);
  add_duration(command, "--feed-latency", settings.feed_latency, "market data from the venue to us");
  add_duration(command, "--order-latency", settings.order_latency, "orders and answers, one way");
  command.add_flag_callback(
      "--recorded-lag", [&settings] { settings.feed_lag = sim::BacktestOptions::FeedLag::recorded; },
      "market data comes later by what the recording was later than at its best");
}

/// An option whose value is an instant such as 2026-01-31T12:00.
void add_utc_time(CLI::App& command, const std::string& name, std::optional<base::VenueTime>& to,
                  const std::string& help) {
  command
      .add_option_function<std::string>(
          name,
          [&to](const std::string& text) {
            to = parse_utc_time(text);
            if (!to)
              throw CLI::ValidationError(fmt::format(
                  "'{}' is no time: write 2026-01-31, 2026-01-31T12:00 or 2026-01-31T12:00:00, in UTC",
                  text));
          },
          help)
      ->type_name("TIME");
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
  bool on_paper = false, is_limited = false, is_full = false;
  PaperSettings paper;
  bool is_insecure = false;
  const auto add_insecure_bind = [&is_insecure](CLI::App& command) {
    command.add_flag("--insecure-bind", is_insecure,
                     "metrics_address may be beyond this machine without a token: whoever reaches it reads "
                     "everything");
  };
  add_insecure_bind(*run_command);
  auto* paper_flag = run_command->add_flag(
      "--paper", on_paper, "orders meet a model of the queue over the venue's real market; needs no key");
  auto* limited_flag = run_command->add_flag(
      "--limited", is_limited, "one symbol, its smallest orders, two layers a side; usual on live hosts");
  run_command->add_flag("--full", is_full, "everything as configured; usual on all other hosts")
      ->excludes(limited_flag);
  add_duration(*run_command, "--order-latency", paper.order_latency,
               "with --paper: orders and answers, one way; else as measured");
  add_account_options(*run_command, paper);
  for (const char* option : {"--order-latency", "--queue", "--maker-fee", "--taker-fee", "--wallet"})
    run_command->get_option(option)->needs(paper_flag);

  RecordArguments record_arguments;
  auto* record_command = app.add_subcommand(
      "record", "the recorder: trades, books and signals of the market into Parquet; needs no key");
  add_insecure_bind(*record_command);
  record_command->add_option("-c,--config", record_arguments.config,
                             "configuration file; else the defaults and the environment");
  add_duration(*record_command, "--for", record_arguments.run_for, "how long; else until Ctrl-C");

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
  auto* replay_command = app.add_subcommand(
      "replay", "rebuild books from captured traffic, or a run from its input log or journal");
  replay_command
      ->add_option(
          "files", replay_arguments.files,
          "captured traffic (plain, .zst, .gz), merged by time; or one input log; or the directory of a "
          "recording that keeps its journal")
      ->required();
  replay_command->add_flag("--json", json, "print the report as JSON");
  replay_command->add_option("-c,--config", replay_arguments.config,
                             "trade this configuration over the data, against a model of the queue");
  replay_command
      ->add_option("--report", replay_arguments.report,
                   "write PREFIX.json and PREFIX.html: what the trading came to")
      ->type_name("PREFIX");
  add_backtest_options(*replay_command, replay_arguments.backtest);

  SweepArguments sweep_arguments;
  auto* sweep_command =
      app.add_subcommand("sweep", "a backtest for every combination of values, sorted by a figure");
  sweep_command
      ->add_option("data", sweep_arguments.backtest.data,
                   "captured traffic, or directories of recordings that keep their journal")
      ->required();
  sweep_command->add_option("-c,--config", sweep_arguments.config, "configuration file")->required();
  sweep_command
      ->add_option("--set", sweep_arguments.set,
                   "KEY=VALUE,VALUE...: of each symbol, or SYMBOL.KEY of one, or global.KEY; may be given "
                   "again")
      ->required()
      ->type_name("SETTING");
  sweep_command->add_option("--by", sweep_arguments.by, "the figure that sorts")
      ->check(CLI::IsMember({"net", "spread", "sharpe", "fills", "fill-rate", "at-touch"}))
      ->capture_default_str();
  sweep_command->add_option("--jobs", sweep_arguments.jobs, "runs at a time; 0: one a core")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  sweep_command
      ->add_option("--report", sweep_arguments.report,
                   "write PREFIX.json and PREFIX.html: the table, and the report of the best")
      ->type_name("PREFIX");
  sweep_command->add_flag("--json", json, "print the table as JSON");
  add_backtest_options(*sweep_command, sweep_arguments.backtest);

  QueryArguments query_arguments;
  bool print_schema = false;
  auto* query_command = app.add_subcommand("query", "SQL over a recording: one view a kind; reads only");
  auto* query_directory = query_command->add_option("directory", query_arguments.directory,
                                                    "of the recording, also an older one");
  auto* query_sql = query_command->add_option("sql", query_arguments.sql, "one SELECT");
  query_command->add_option("--also", query_arguments.also, "a further directory under the same views");
  query_command->add_option("--format", query_arguments.format, "table, csv or json")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, QueryFormat>{
              {"table", QueryFormat::table}, {"csv", QueryFormat::csv}, {"json", QueryFormat::json}},
          CLI::ignore_case))
      ->type_name("FORMAT")
      ->option_text("FORMAT");
  query_command->add_option("--limit", query_arguments.limit, "rows a table shows")->capture_default_str();
  query_command->add_flag("--schema", print_schema, "print every kind with its columns")
      ->excludes(query_directory)
      ->excludes(query_sql);

  VerifyArguments verify_arguments;
  bool read_only = false;
  std::optional<std::uint64_t> lookback_minutes;
  std::vector<double> ofi_weights;
  auto* verify_command = app.add_subcommand("verify", "is a recording whole and right? exit code 0 or 1");
  verify_command->add_option("directory", verify_arguments.directory, "of the recording, also an older one")
      ->required();
  verify_command->add_option("--also", verify_arguments.also,
                             "a further directory, such as the previews of an older one");
  verify_command->add_flag(
      "--read-only", read_only,
      "do not finish what an interrupted run left; for a recording that is being written");
  verify_command->add_flag("--json", json, "print the report as JSON");
  verify_command->add_option("--out", verify_arguments.out, "write the JSON report to this file too");
  add_utc_time(*verify_command, "--from", verify_arguments.from,
               "begin of the window; else of the recording");
  add_utc_time(*verify_command, "--to", verify_arguments.to, "end of the window; else of the recording");
  verify_command->add_option("--lookback-mins", lookback_minutes,
                             "the window is so many minutes before --to, or before now; 0 is all");
  auto& limits = verify_arguments.limits;
  verify_command
      ->add_option("--max-empty-bucket-rate", limits.empty_minutes_max, "share of minutes without rows")
      ->capture_default_str();
  verify_command->add_option("--max-dup-rate", limits.duplicates_max, "share of rows that are there twice")
      ->capture_default_str();
  verify_command->add_option("--max-latency-p50-ms", limits.latency_ms_p50_max, "")->capture_default_str();
  verify_command->add_option("--max-latency-p99-ms", limits.latency_ms_p99_max, "")->capture_default_str();
  verify_command->add_option("--join-tol-ms", limits.join_tolerance_ms, "age of the book before a trade")
      ->capture_default_str();
  verify_command->add_option("--seq-huge-jump", limits.id_jump_max, "ids one depth update may skip")
      ->capture_default_str();
  verify_command->add_option("--ofi-atol", limits.ofi_tolerance, "difference of an OFI value from its flows")
      ->capture_default_str();
  verify_command->add_option("--ofi-weights", ofi_weights, "of the five levels, as recorded with")
      ->delimiter(',')
      ->expected(5);
  verify_command->add_option("--min-events", limits.events_min, "events to show beside the count")
      ->capture_default_str();

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
  auto* re_arm_command = emergency_command->add_subcommand(
      "re-arm", "takes the kill latch and those of the guards of risk away");
  auto* close_all_command = emergency_command->add_subcommand(
      "close-all",
      "the same, then closes positions with orders that only reduce, until the venue lists none");
  for (auto* command : {cancel_all_command, close_all_command, re_arm_command}) {
    command->add_option("-c,--config", emergency_arguments.config, "configuration file")->required();
    command->add_flag("--yes", yes, "do not ask");
  }
  re_arm_command->add_option("--symbol", emergency_arguments.symbols,
                             "what the guards latched of this one alone; may be given again");
  auto* orders_command = app.add_subcommand("orders", "about orders on the account");
  orders_command->require_subcommand(1);
  auto* claim_command = orders_command->add_subcommand(
      "claim", "orders and trades that are not Phoenix's are yours: symbols held by them may quote again");
  claim_command->add_option("-c,--config", emergency_arguments.config, "configuration file")->required();
  claim_command->add_flag("--yes", yes, "do not ask");
  claim_command->add_option("--symbol", emergency_arguments.symbols, "of this one alone; may be given again");
  bool of_paper = false;
  re_arm_command->add_flag("--paper", of_paper, "of the paper run of this configuration");
  bool rehearse = false;
  for (auto* command : {cancel_all_command, close_all_command}) {
    command->add_option("--symbol", emergency_arguments.symbols,
                        "this one alone, configured or not; may be given again");
    command->add_flag("--dry-run", rehearse, "only say what would be done");
  }
  cancel_all_command->add_flag("--all", everybodys, "orders of others too, on every symbol of the account");
  bool at_market = false;
  close_all_command->add_flag("--market", at_market,
                              "at any price at once; else only what is left after 20 s");
  close_all_command->add_flag("--all", everybodys,
                              "orders of others and positions on every symbol of the account");

  PreflightArguments preflight_arguments;
  auto* preflight_command = app.add_subcommand(
      "preflight", "may this configuration trade with this account? asks the venue, changes nothing");
  preflight_command->add_option("-c,--config", preflight_arguments.config, "configuration file")->required();
  preflight_command->add_flag("--json", json, "print the checks as JSON");

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

  StatusArguments status_arguments;
  bool once = false, about_recorder = false;
  auto* status_command = app.add_subcommand("status", "what a running Phoenix does and holds, live");
  status_command->footer(
      "Examples:\n  phoenix status -c configs/local.yaml\n  phoenix status -c configs/local.yaml --once\n"
      "  phoenix status -c configs/local.yaml --once --json");
  auto* traffic_command =
      app.add_subcommand("traffic", "bytes a second of a running Phoenix, by connection and stream, live");
  traffic_command->footer(
      "Examples:\n  phoenix traffic -c configs/local.yaml\n  phoenix traffic -c configs/local.yaml --once");
  for (auto* command : {status_command, traffic_command}) {
    command->add_option("-c,--config", status_arguments.config, "configuration file")->required();
    command->add_flag("--record", about_recorder, "as `phoenix record` reads it");
    command->add_flag("--once", once, "one table; usual where the output is no terminal");
    command->add_flag("--json", json, "print once what /status says");
  }
  HealthArguments health_arguments;
  auto* health_command = app.add_subcommand(
      "health", "is it well? every check with what helps; exit code 0 healthy, 1 warning, 2 severe");
  health_command->footer(
      "Examples:\n  phoenix health -c configs/local.yaml\n  phoenix health -c configs/local.yaml --json\n"
      "  phoenix health -c configs/local.yaml --watch 30s");
  health_command->add_option("-c,--config", health_arguments.config, "configuration file")->required();
  health_command->add_flag("--record", about_recorder, "as `phoenix record` reads it");
  add_duration(*health_command, "--watch", health_arguments.watch, "look again so often, one line each");
  health_command->add_flag("--json", json, "print it as JSON");
  auto* metrics_command =
      app.add_subcommand("metrics", "every metric with its type, unit, labels and meaning");

  ConfigCheckArguments check_arguments;
  auto* config_command = app.add_subcommand("config", "about configuration files");
  config_command->require_subcommand(1);
  auto* check_command = config_command->add_subcommand(
      "check", "every error of a configuration file, with line, key and what would be right");
  check_command->add_option("file,-c,--config", check_arguments.config, "configuration file")->required();
  bool to_record = false;
  check_command->add_flag("--record", to_record, "as `phoenix record` reads it");
  AlertsArguments alerts_arguments;
  auto* alerts_command = app.add_subcommand("alerts", "about what is told, and to whom");
  alerts_command->require_subcommand(1);
  auto* alerts_list_command = alerts_command->add_subcommand("list", "the alert rules");
  alerts_list_command->add_option("-c,--config", alerts_arguments.config, "as this file changes them");
  bool prometheus = false;
  alerts_list_command->add_flag("--prometheus", prometheus, "as a rules file for Prometheus")
      ->excludes(alerts_list_command->add_flag("--json", json, "print them as JSON"));
  auto* alerts_test_command =
      alerts_command->add_subcommand("test", "sends one message to each channel and says what it answered");
  alerts_test_command->add_option("-c,--config", alerts_arguments.config, "configuration file")->required();
  for (auto* command : {alerts_list_command, alerts_test_command})
    command->add_flag("--record", to_record, "as `phoenix record` reads it");

  ConfigShowArguments show_arguments;
  auto* show_command = config_command->add_subcommand(
      "show", "the settings in force, and where each comes from: default, line or variable");
  show_command->add_option("file,-c,--config", show_arguments.config,
                           "configuration file; with --record none is needed");
  show_command->add_flag("--record", to_record, "as `phoenix record` reads it");
  show_command->add_flag("--effective")
      ->description("every setting, given or not: also what is shown without this");
  show_command->add_flag("--json", json, "print them as JSON");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& fault) {
    return app.exit(fault) == 0 ? 0 : 2;
  }
  sweep_arguments.format = replay_arguments.format = simulate_arguments.format = doctor_arguments.format =
      verify_arguments.format = json ? Format::json : Format::text;
  guard_arguments.restart = restart ? ops::GuardRestart::yes : ops::GuardRestart::no;
  emergency_arguments.whose = everybodys ? WhoseOrders::all : WhoseOrders::ours;
  emergency_arguments.rehearsal = rehearse ? Rehearsal::yes : Rehearsal::no;
  emergency_arguments.haste = at_market ? Haste::yes : Haste::no;
  emergency_arguments.run = of_paper ? WhichRun::paper : WhichRun::real;
  emergency_arguments.consent = yes ? Consent::given : Consent::ask;
  doctor_arguments.last = last.value_or(doctor_arguments.last);
  run_arguments.insecure_bind = record_arguments.insecure_bind =
      is_insecure ? InsecureBind::yes : InsecureBind::no;
  if (*demo_command) return demo(demo_arguments);
  if (*run_command) {
    if (on_paper) run_arguments.paper = paper;
    run_arguments.extent = is_limited ? Extent::limited : is_full ? Extent::full : Extent::usual;
    return run(run_arguments);
  }
  if (*record_command) return record(record_arguments);
  if (*query_command) {
    if (!print_schema && (query_arguments.directory.empty() || query_arguments.sql.empty()))
      throw StartError("query: name a directory and one SELECT, or --schema");
    return query(query_arguments);
  }
  if (*verify_command) {
    verify_arguments.recovery = read_only ? Recovery::no : Recovery::yes;
    if (lookback_minutes.value_or(0) > 0)
      verify_arguments.lookback = base::minutes{static_cast<std::int64_t>(*lookback_minutes)};
    if (!ofi_weights.empty()) std::copy(ofi_weights.begin(), ofi_weights.end(), limits.ofi_weights.begin());
    return verify(verify_arguments);
  }
  if (*exchange_command) return exchange(exchange_arguments);
  if (*replay_command) {
    replay_arguments.backtest.data = replay_arguments.files;
    if (replay_arguments.report && !replay_arguments.config)
      throw StartError("replay: --report needs the configuration to trade: -c FILE");
    return replay(replay_arguments);
  }
  if (*sweep_command) return sweep(sweep_arguments);
  if (*simulate_command) return simulate(simulate_arguments);
  if (*guard_command) return guard(guard_arguments);
  if (*status_command || *traffic_command) {
    status_arguments.purpose = about_recorder ? Purpose::record : Purpose::run;
    status_arguments.looks = once ? Looks::one : Looks::many;
    status_arguments.format = json ? Format::json : Format::text;
    return *status_command ? status(status_arguments) : traffic(status_arguments);
  }
  if (*health_command) {
    health_arguments.purpose = about_recorder ? Purpose::record : Purpose::run;
    health_arguments.format = json ? Format::json : Format::text;
    return health(health_arguments);
  }
  if (*metrics_command) return metrics();
  if (*preflight_command) {
    preflight_arguments.format = json ? Format::json : Format::text;
    return preflight(preflight_arguments);
  }
  if (*close_all_command) return emergency_close_all(emergency_arguments);
  if (*cancel_all_command) return emergency_cancel_all(emergency_arguments);
  if (*claim_command) return orders_claim(emergency_arguments);
  if (*re_arm_command) return emergency_re_arm(emergency_arguments);
  if (*doctor_command) {
    if (!doctor_arguments.config && doctor_arguments.directory.empty())
      throw StartError("doctor: name a data directory, or a configuration file with -c");
    return doctor(doctor_arguments);
  }
  check_arguments.purpose = show_arguments.purpose = alerts_arguments.purpose =
      to_record ? Purpose::record : Purpose::run;
  if (*alerts_list_command) {
    alerts_arguments.format = prometheus ? AlertsFormat::prometheus
                              : json     ? AlertsFormat::json
                                         : AlertsFormat::text;
    return alerts_list(alerts_arguments);
  }
  if (*alerts_test_command) return alerts_test(alerts_arguments);
  if (*show_command) {
    show_arguments.format = json ? Format::json : Format::text;
    return config_show(show_arguments);
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
