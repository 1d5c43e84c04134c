#include "app/cli_commands.hpp"
#include "app/cli_options.hpp"
#include "app/commands.hpp"

#include <algorithm>

namespace phoenix::app {
namespace {

void add_record(Command& phoenix) {
  auto& command = phoenix.add(
      Section::recording,
      {.name = "record",
       .what = "the recorder: trades, books and signals of the market into Parquet; needs no key",
       .description =
           "Everything received is in a journal on disk first, then in files by symbol, day and hour; "
           "a ledger names what was lost and why. A second start continues where the first ended.",
       .examples = {{"phoenix record -c configs/local.yaml --for 30s", "half a minute of the local exchange"},
                    {"phoenix record", "the live market with the defaults and the environment"},
                    {"phoenix config show --record", "what the defaults are"}},
       .exit_codes = "0 when everything received is in files, 1 when the next start has to finish it, 2 when "
                     "it could not begin."});
  const auto arguments = std::make_shared<RecordArguments>();
  auto& options = command.options();
  add_path(options, "-c,--config", arguments->config, "FILE", "configuration file")
      .default_str("the defaults and the environment");
  add_duration(options, "--for", arguments->run_for, "as configured, or until Ctrl-C", "how long");
  add_switch(options, "--take-over", arguments->take_over, TakeOver::yes,
             "from the recorder that runs there now, without a hole in trades and depth");
  add_switch(
      options, "--insecure-bind", arguments->insecure_bind, InsecureBind::yes,
      "metrics_address may be beyond this machine without a token: whoever reaches it reads everything");
  command.runs([arguments] { return record(*arguments); });
}

void add_query(Command& phoenix) {
  auto& command = phoenix.add(
      Section::recording,
      {.name = "query",
       .what = "SQL over a recording: one view a kind; reads only",
       .description =
           "Runs one SELECT in DuckDB over all files of a recording, also one that is being written. "
           "It changes nothing.",
       .examples =
           {{"phoenix query --schema", "every kind with its columns"},
            {"phoenix query phoenix-data/recording \"SELECT symbol, count(*) FROM trades GROUP BY 1\"",
             "trades by symbol"},
            {"phoenix query phoenix-data/recording \"SELECT * FROM files\" --format csv > files.csv",
             "what the recording is made of"}},
       .exit_codes =
           "0, 2 when the statement or the recording is not what it should be, 130 when interrupted."});
  struct Given {
    QueryArguments query;
    bool prints_schema = false;
  };
  const auto given = std::make_shared<Given>();
  auto& options = command.options();
  auto& directory = add_path(options, "directory", given->query.directory, "DIRECTORY",
                             "of the recording, also an older one");
  auto* sql = options.add_option("sql", given->query.sql, "one SELECT")->type_name("SQL");
  add_path(options, "--also", given->query.also, "DIRECTORY", "a further recording under the same views");
  add_choice<QueryFormat>(
      options, "--format",
      {{"table", QueryFormat::table}, {"csv", QueryFormat::csv}, {"json", QueryFormat::json}},
      [given](QueryFormat format) { given->query.format = format; }, "table", "how rows are printed");
  options.add_option("--limit", given->query.limit, "rows a table shows; csv and json have all")
      ->type_name("ROWS")
      ->capture_default_str();
  add_switch(options, "--schema", given->prints_schema, true, "print every kind with its columns")
      .excludes(&directory)
      ->excludes(sql);
  command.checks([given] {
    if (!given->prints_schema && (given->query.directory.empty() || given->query.sql.empty()))
      throw StartError("query: name a directory and one SELECT, or --schema");
  });
  command.runs([given] { return query(given->query); });
}

void add_limits(CLI::App& options, record::QualityLimits& limits) {
  add_number(options, "--max-empty-bucket-rate", limits.empty_minutes_max, 0.0, 1.0, "RATIO",
             "share of minutes without rows");
  add_number(options, "--max-dup-rate", limits.duplicates_max, 0.0, 1.0, "RATIO",
             "share of rows that are there twice");
  options.add_option("--max-latency-p50-ms", limits.latency_ms_p50_max, "median of the latency, in ms")
      ->type_name("MS")
      ->capture_default_str();
  options.add_option("--max-latency-p99-ms", limits.latency_ms_p99_max, "99th percentile of it, in ms")
      ->type_name("MS")
      ->capture_default_str();
  options.add_option("--join-tol-ms", limits.join_tolerance_ms, "age of the book before a trade, in ms")
      ->type_name("MS")
      ->capture_default_str();
  options.add_option("--seq-huge-jump", limits.id_jump_max, "ids that one depth update may skip")
      ->type_name("COUNT")
      ->capture_default_str();
  options.add_option("--ofi-atol", limits.ofi_tolerance, "difference of an OFI value from its flows")
      ->type_name("NUMBER")
      ->capture_default_str();
  options.add_option("--min-events", limits.events_min, "events to show beside the count")
      ->type_name("COUNT")
      ->capture_default_str();
}

void add_verify(Command& phoenix) {
  auto& command = phoenix.add(
      Section::recording,
      {.name = "verify",
       .what = "is a recording whole and right?",
       .description =
           "Reads every row: duplicates, ids and chains without a hole that the ledger does not name, empty "
           "minutes, latencies, order, signals against the flows they are made of. What an interrupted run "
           "left "
           "is finished first.",
       .examples = {{"phoenix verify phoenix-data/recording", "all of it"},
                    {"phoenix verify phoenix-data/recording --read-only --lookback-mins 60",
                     "the last hour of one that is being written"},
                    {"phoenix verify phoenix-data/recording --from 2026-01-31 --to 2026-02-01 --out day.json",
                     "one day, with the report as JSON in a file"}},
       .exit_codes = "0 pass, 1 fail, 2 when it cannot be verified, 130 when interrupted."});
  struct Given {
    VerifyArguments verify;
    std::uint64_t lookback_minutes = 0;
    std::vector<double> ofi_weights;
  };
  const auto given = std::make_shared<Given>();
  auto& options = command.options();
  auto& arguments = given->verify;
  add_path(options, "directory", arguments.directory, "DIRECTORY", "of the recording, also an older one")
      .required();
  add_path(options, "--also", arguments.also, "DIRECTORY",
           "a further directory, such as the previews of an older one");
  add_switch(options, "--read-only", arguments.recovery, Recovery::no,
             "do not finish what an interrupted run left; for a recording that is being written");
  add_switch(options, "--json", arguments.format, Format::json, "print the report as JSON");
  add_path(options, "--out", arguments.out, "FILE", "write the JSON report to this file too");
  add_time(options, "--from", arguments.from, "that of the recording", "begin of the window");
  add_time(options, "--to", arguments.to, "that of the recording", "end of the window");
  options
      .add_option("--lookback-mins", given->lookback_minutes,
                  "the window is so many minutes before --to, or before now; 0 is all")
      ->type_name("MINUTES")
      ->capture_default_str();
  add_limits(options, arguments.limits);
  options.add_option("--ofi-weights", given->ofi_weights, "of the five levels, with commas between")
      ->type_name("NUMBERS")
      ->default_str("as recorded with")
      ->delimiter(',')
      ->expected(5);
  command.runs([given] {
    auto& verify_arguments = given->verify;
    if (given->lookback_minutes > 0)
      verify_arguments.lookback = base::minutes{static_cast<std::int64_t>(given->lookback_minutes)};
    if (!given->ofi_weights.empty())
      std::copy(given->ofi_weights.begin(), given->ofi_weights.end(),
                verify_arguments.limits.ofi_weights.begin());
    return verify(verify_arguments);
  });
}

}  // namespace

void add_recording_commands(Command& phoenix) {
  add_record(phoenix);
  add_query(phoenix);
  add_verify(phoenix);
}

}  // namespace phoenix::app
