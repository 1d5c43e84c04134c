#include "app/cli_commands.hpp"
#include "app/cli_options.hpp"
#include "app/commands.hpp"

namespace phoenix::app {
namespace {

void add_exchange(Command& phoenix) {
  auto& command = phoenix.add(
      Section::research,
      {.name = "exchange",
       .what = "the local exchange, for any Binance client",
       .description =
           "Speaks the REST, stream and order interfaces of Binance USD-M futures on this machine, "
           "matches orders, and misbehaves on demand. What it prints at the start is what a client "
           "has to be told.",
       .examples = {{"phoenix exchange", "on the ports that configs/local.yaml names"},
                    {"phoenix exchange --port 0 --tls-port 0 --for 60s", "on free ports, for a minute"},
                    {"phoenix exchange --faults plan.txt --control-port 0",
                     "with faults from a plan, and a port to add and lift others"},
                    {"phoenix exchange --market tests/data/usdm_btcusdt_20240808_head.txt.zst",
                     "a recording drives its symbol"}}});
  const auto arguments = std::make_shared<ExchangeArguments>();
  auto& options = command.options();
  options.add_option("--port", arguments->port, "plain port; 0 is any free one")
      ->type_name("PORT")
      ->capture_default_str();
  options.add_option("--tls-port", arguments->tls_port, "TLS port; 0 is any free one")
      ->type_name("PORT")
      ->capture_default_str();
  options.add_option("--seed", arguments->seed, "of the market")->type_name("SEED")->capture_default_str();
  options.add_option("--api-key", arguments->api_key, "key of the one account")
      ->type_name("KEY")
      ->capture_default_str();
  options
      .add_option("--api-secret", arguments->api_secret, "its secret, which protects nothing but play money")
      ->type_name("SECRET")
      ->capture_default_str();
  add_path(options, "--data", arguments->data_dir, "DIRECTORY", "where its certificates are kept")
      .capture_default_str();
  add_path(options, "--market", arguments->market, "FILE",
           "recordings that drive their symbols instead of agents");
  add_path(options, "--faults", arguments->faults, "FILE", "plan of faults to inject, from the start on");
  options
      .add_option("--control-port", arguments->control_port,
                  "port of the control endpoint for faults; 0 is any free one")
      ->type_name("PORT")
      ->default_str("no such endpoint");
  add_number<std::uint32_t>(options, "--stream-cuts", arguments->stream_cuts, 1, 100, "COUNT",
                            "ways of cutting depth streams into frames, dealt out among connections");
  add_duration(options, "--for", arguments->run_for, "until Ctrl-C", "how long");
  command.runs([arguments] { return exchange(*arguments); });
}

/// What a backtest is told beside its configuration.
void add_backtest_options(CLI::App& options, BacktestSettings& settings) {
  add_choice<engine::StrategyKind>(
      options, "--strategy", {{"grid", engine::StrategyKind::grid}, {"glft", engine::StrategyKind::glft}},
      [&settings](engine::StrategyKind kind) { settings.strategy = kind; }, "as configured", "what quotes");
  add_account_options(options, settings);
  add_duration(options, "--feed-latency", settings.feed_latency, "market data from the venue to us");
  add_duration(options, "--order-latency", settings.order_latency, "orders and answers, one way");
  add_switch(options, "--recorded-lag", settings.feed_lag, sim::BacktestOptions::FeedLag::recorded,
             "market data comes later by what the recording was later than at its best");
}

void add_replay(Command& phoenix) {
  auto& command = phoenix.add(
      Section::research,
      {.name = "replay",
       .what =
           "rebuilds books from captured traffic, or a run from its input log or journal, or trades over it",
       .description = "Without -c: what the books were, or whether a run comes out equal again. With -c: a "
                      "backtest of that configuration, against a model of the queue.",
       .examples = {{"phoenix replay --json tests/data/usdm_btcusdt_20240808_head.txt.zst",
                     "the books of captured traffic, with their hashes"},
                    {"phoenix replay phoenix-data/recording",
                     "is a journal's run equal when it is repeated?"},
                    {"phoenix replay tests/data/usdm_btcusdt_20240808_head.txt.zst -c configs/backtest.yaml "
                     "--report first",
                     "a backtest, written to first.json and first.html"}},
       .exit_codes = "0, 1 when a repeated run is not equal, 2 when the data cannot be read."});
  const auto arguments = std::make_shared<ReplayArguments>();
  auto& options = command.options();
  add_path(options, "files", arguments->files, "FILE",
           "captured traffic (plain, .zst, .gz), merged by time; or one input log; or the directory of a "
           "recording that keeps its journal")
      .required();
  add_switch(options, "--json", arguments->format, Format::json, "print the report as JSON");
  add_path(options, "-c,--config", arguments->config, "FILE", "trade this configuration over the data");
  add_path(options, "--report", arguments->report, "PREFIX",
           "write PREFIX.json and PREFIX.html: what the trading came to");
  add_backtest_options(options, arguments->backtest);
  command.checks([arguments] {
    if (arguments->report && !arguments->config)
      throw StartError("replay: --report needs the configuration to trade: -c FILE");
  });
  command.runs([arguments] {
    arguments->backtest.data = arguments->files;
    return replay(*arguments);
  });
}

void add_sweep(Command& phoenix) {
  auto& command = phoenix.add(
      Section::research,
      {.name = "sweep",
       .what = "a backtest for every combination of values, sorted by a figure",
       .description = "How many run at a time changes nothing but the duration.",
       .examples = {
           {"phoenix sweep tests/data/usdm_btcusdt_20240808_head.txt.zst -c configs/backtest.yaml --set "
            "grid_start_offset_bps=0.1,0.5",
            "two runs"},
           {"phoenix sweep tests/data/usdm_btcusdt_20240808_head.txt.zst -c configs/backtest.yaml --set "
            "grid_start_offset_bps=0.1,0.5 --set inventory_skew_coeff=0,0.0005 --by sharpe --report best",
            "four, with a report of the best"}}});
  const auto arguments = std::make_shared<SweepArguments>();
  auto& options = command.options();
  add_path(options, "data", arguments->backtest.data, "FILE",
           "captured traffic, or directories of recordings that keep their journal")
      .required();
  add_config(options, arguments->config);
  options
      .add_option(
          "--set", arguments->set,
          "KEY=VALUE,VALUE...: of each symbol, or SYMBOL.KEY of one, or global.KEY; may be given again")
      ->required()
      ->type_name("SETTING");
  Choices<std::string> figures;
  for (const char* figure : {"net", "spread", "sharpe", "fills", "fill-rate", "at-touch"})
    figures.emplace_back(figure, figure);
  add_choice<std::string>(
      options, "--by", figures, [arguments](const std::string& figure) { arguments->by = figure; }, "net",
      "the figure that sorts, the best first");
  add_number(options, "--jobs", arguments->jobs, 0, 256, "COUNT", "runs at a time, 0 is one a core");
  add_path(options, "--report", arguments->report, "PREFIX",
           "write PREFIX.json and PREFIX.html: the table, and the report of the best");
  add_switch(options, "--json", arguments->format, Format::json, "print the table as JSON");
  add_backtest_options(options, arguments->backtest);
  command.runs([arguments] { return sweep(*arguments); });
}

void add_simulate(Command& phoenix) {
  auto& command = phoenix.add(
      Section::research,
      {.name = "simulate",
       .what = "maker and exchange in virtual time under faults, with checkers that know the truth",
       .description =
           "One seed decides everything: market, faults, latencies. A run stops at the first promise that is "
           "not kept, and says with which command it comes again.",
       .examples = {{"phoenix simulate --seed 7 --hours 0.1", "six virtual minutes"},
                    {"phoenix simulate --seed 1 --runs 20 --jobs 2", "twenty seeds, two at a time"},
                    {"phoenix simulate --faults mute_stream,half_open --json",
                     "only these faults, for a script"}},
       .exit_codes = "0 when every promise was kept, 1 when one was not, 2 when it could not begin."});
  const auto arguments = std::make_shared<SimulateArguments>();
  auto& options = command.options();
  options.add_option("--seed", arguments->seed, "decides everything")
      ->type_name("SEED")
      ->default_str("a new one, printed");
  options.add_option("--hours", arguments->hours, "virtual hours of each run, above 0 to 744")
      ->type_name("HOURS")
      ->capture_default_str();
  options.add_option("--faults", arguments->faults, "all, none, or kinds with commas between")
      ->type_name("KINDS")
      ->capture_default_str();
  options.add_option("--runs", arguments->runs, "runs, with seeds from --seed upwards, 1 to 1000000")
      ->type_name("COUNT")
      ->capture_default_str();
  options.add_option("--jobs", arguments->jobs, "runs at a time, 1 to 256")
      ->type_name("COUNT")
      ->capture_default_str();
  add_switch(options, "--json", arguments->format, Format::json, "print the summary as JSON");
  command.runs([arguments] { return simulate(*arguments); });
}

}  // namespace

void add_research_commands(Command& phoenix) {
  add_exchange(phoenix);
  add_replay(phoenix);
  add_sweep(phoenix);
  add_simulate(phoenix);
}

}  // namespace phoenix::app
