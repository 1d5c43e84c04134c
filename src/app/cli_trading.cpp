#include "app/cli_commands.hpp"
#include "app/cli_options.hpp"
#include "app/commands.hpp"

namespace phoenix::app {
namespace {

constexpr const char* until_interrupted = "until Ctrl-C";

void add_demo(Command& phoenix) {
  auto& command = phoenix.add(
      Section::trading,
      {.name = "demo",
       .what = "local exchange and market maker in one, no keys needed",
       .description =
           "Starts an exchange on this machine, a market maker that quotes on it and the dashboard, "
           "whose address is the first line printed. Nothing leaves the machine.",
       .examples = {{"phoenix demo", "until Ctrl-C on a terminal, else for a minute"},
                    {"phoenix demo --for 60s --seed 7", "another market, for a minute"},
                    {"phoenix demo --data demo-data", "keep logs and state for a look afterwards"}},
       .exit_codes = "0 when every symbol had orders and both ledgers are equal at the end, else 1; 2 when "
                     "it could not begin."});
  const auto arguments = std::make_shared<DemoArguments>();
  auto& options = command.options();
  add_duration(options, "--for", arguments->run_for, "until Ctrl-C on a terminal, elsewhere 60s", "how long");
  options.add_option("--seed", arguments->seed, "of the exchange's market")
      ->type_name("SEED")
      ->capture_default_str();
  add_path(options, "--data", arguments->data_dir, "DIRECTORY", "where logs and state are kept")
      .default_str("a temporary one that goes afterwards");
  options
      .add_option("--metrics-port", arguments->metrics_port,
                  "port of the dashboard, /metrics and /healthz; 0 is any free one")
      ->type_name("PORT")
      ->capture_default_str();
  command.runs([arguments] { return demo(*arguments); });
}

void add_insecure_bind(CLI::App& options, InsecureBind& to) {
  add_switch(
      options, "--insecure-bind", to, InsecureBind::yes,
      "metrics_address may be beyond this machine without a token: whoever reaches it reads everything");
}

void add_run(Command& phoenix) {
  auto& command = phoenix.add(
      Section::trading,
      {.name = "run",
       .what = "the market maker",
       .description =
           "Trades the symbols of a configuration until it is told to stop, then cancels its orders and "
           "waits "
           "until the venue confirms that none is left. On live hosts it starts limited and only after a "
           "preflight that finds nothing wrong.",
       .examples = {{"phoenix run -c configs/local.yaml", "on the exchange of `phoenix exchange`"},
                    {"phoenix run -c configs/live-3.yaml --paper",
                     "the real market, orders against a model of the queue; no key needed"},
                    {"phoenix run -c configs/live-3.yaml --limited --for 2h",
                     "one symbol with its smallest orders, for two hours"}},
       .exit_codes = "0 when the venue lists no order of ours at the end, 1 when some may be left, 2 when it "
                     "could not begin."});
  struct Given {
    RunArguments run;
    PaperSettings paper;
    bool on_paper = false;
  };
  const auto given = std::make_shared<Given>();
  auto& options = command.options();
  add_config(options, given->run.config);
  add_duration(options, "--for", given->run.run_for, until_interrupted, "how long");
  add_insecure_bind(options, given->run.insecure_bind);
  auto& limited = add_switch(options, "--limited", given->run.extent, Extent::limited,
                             "one symbol, its smallest orders, two layers a side; usual on live hosts");
  add_switch(options, "--full", given->run.extent, Extent::full,
             "everything as configured; usual on all other hosts")
      .excludes(&limited);
  auto& paper = add_switch(options, "--paper", given->on_paper, true,
                           "orders meet a model of the queue over the venue's real market; needs no key");
  add_duration(options, "--order-latency", given->paper.order_latency, "as measured",
               "orders and answers, one way");
  add_account_options(options, given->paper);
  for (const char* option : {"--order-latency", "--queue", "--maker-fee", "--taker-fee", "--wallet"})
    options.get_option(option)->needs(&paper);
  command.runs([given] {
    if (given->on_paper) given->run.paper = given->paper;
    return run(given->run);
  });
}

void add_preflight(Command& phoenix) {
  auto& command = phoenix.add(
      Section::trading,
      {.name = "preflight",
       .what = "may this configuration trade with this account?",
       .description = "Asks the venue about the clock, the key and its rights, the account's modes and the "
                      "limits of every symbol, and changes nothing.",
       .examples = {{"phoenix preflight -c configs/live-3.yaml", "one line a check, with what helps"},
                    {"phoenix preflight -c configs/live-3.yaml --json", "for a script"}},
       .exit_codes = "0 when nothing failed, else 2."});
  const auto arguments = std::make_shared<PreflightArguments>();
  add_config(command.options(), arguments->config);
  add_switch(command.options(), "--json", arguments->format, Format::json, "print the checks as JSON");
  command.runs([arguments] { return preflight(*arguments); });
}

void add_guard(Command& phoenix) {
  auto& command = phoenix.add(
      Section::trading,
      {.name = "guard",
       .what = "watches a running maker from outside and cancels its orders when it stands still",
       .description =
           "A second process that judges the first by its progress. When the maker dies or makes no progress "
           "its orders are cancelled from here; with --restart it is also started again.",
       .examples = {{"phoenix guard -c configs/local.yaml", "watch, and cancel when it must be"},
                    {"phoenix guard -c configs/local.yaml --restart", "and bring the maker back"}},
       .exit_codes = "0 when the maker is well at the end, else 1; 2 when it could not begin."});
  const auto arguments = std::make_shared<GuardArguments>();
  auto& options = command.options();
  add_config(options, arguments->config);
  add_switch(options, "--restart", arguments->restart, ops::GuardRestart::yes,
             "kill and restart it, behind a fence");
  add_duration(options, "--interval", arguments->interval, "200ms", "between two looks");
  add_duration(options, "--for", arguments->run_for, until_interrupted, "how long");
  command.runs([arguments] { return guard(*arguments); });
}

void add_consent(CLI::App& options, EmergencyArguments& arguments) {
  add_switch(options, "--yes", arguments.consent, Consent::given, "do not ask");
}
void add_symbols(CLI::App& options, EmergencyArguments& arguments, const std::string& help) {
  options.add_option("--symbol", arguments.symbols, help)->type_name("SYMBOL");
}

void add_emergency(Command& phoenix) {
  auto& emergency =
      phoenix.add(Section::trading,
                  {.name = "emergency",
                   .what = "for the bad day: cancel all, close all, and the way back",
                   .description = "These work beside a running maker, with one that hangs and without one."});
  constexpr const char* exit_codes =
      "0 only when the venue confirmed that nothing is left, 1 when something may be, 2 when it could not "
      "begin.";

  auto& cancel = emergency.add(
      {.name = "cancel-all",
       .what = "sets the kill latch, then cancels every order of ours until the venue lists none",
       .description = "The kill latch keeps every maker of this data directory from quoting until `phoenix "
                      "emergency re-arm`.",
       .examples = {{"phoenix emergency cancel-all -c configs/live-3.yaml --dry-run",
                     "say what would be done"},
                    {"phoenix emergency cancel-all -c configs/live-3.yaml", "ask, then do it"},
                    {"phoenix emergency cancel-all -c configs/live-3.yaml --yes --all",
                     "orders of others too, without a question"}},
       .exit_codes = exit_codes});
  auto& close = emergency.add(
      {.name = "close-all",
       .what = "the same, then closes positions with orders that only reduce, until the venue lists none",
       .description =
           "Prices stay near the market for the first 20 seconds; what is left then, or everything "
           "with --market, is closed at any price.",
       .examples = {{"phoenix emergency close-all -c configs/live-3.yaml --dry-run",
                     "say what would be done"},
                    {"phoenix emergency close-all -c configs/live-3.yaml --symbol ETHUSDC", "of one symbol"},
                    {"phoenix emergency close-all -c configs/live-3.yaml --yes --market",
                     "everything at once, at any price"}},
       .exit_codes = exit_codes});
  auto& re_arm = emergency.add(
      {.name = "re-arm",
       .what = "takes the kill latch and those of the guards of risk away",
       .description = "What set a latch is told by `phoenix status`; look at it before.",
       .examples = {{"phoenix emergency re-arm -c configs/live-3.yaml", "everything may quote again"},
                    {"phoenix emergency re-arm -c configs/live-3.yaml --symbol ETHUSDC",
                     "only what a guard latched of this symbol"}},
       .exit_codes = "0, 1 when the answer was no or a latch stays, 2 when it could not begin."});

  const auto arguments = std::make_shared<EmergencyArguments>();
  for (Command* command : {&cancel, &close, &re_arm}) {
    add_config(command->options(), arguments->config);
    add_consent(command->options(), *arguments);
  }
  for (Command* command : {&cancel, &close}) {
    add_symbols(command->options(), *arguments, "this one alone, configured or not; may be given again");
    add_switch(command->options(), "--dry-run", arguments->rehearsal, Rehearsal::yes,
               "only say what would be done");
  }
  add_switch(cancel.options(), "--all", arguments->whose, WhoseOrders::all,
             "orders of others too, on every symbol of the account");
  add_switch(close.options(), "--market", arguments->haste, Haste::yes,
             "at any price at once; else only what is left after 20 s");
  add_switch(close.options(), "--all", arguments->whose, WhoseOrders::all,
             "orders of others and positions on every symbol of the account");
  add_symbols(re_arm.options(), *arguments, "what the guards latched of this one alone; may be given again");
  add_switch(re_arm.options(), "--paper", arguments->run, WhichRun::paper,
             "of the paper run of this configuration");
  cancel.runs([arguments] { return emergency_cancel_all(*arguments); });
  close.runs([arguments] { return emergency_close_all(*arguments); });
  re_arm.runs([arguments] { return emergency_re_arm(*arguments); });
}

void add_orders(Command& phoenix) {
  auto& orders = phoenix.add(Section::trading, {.name = "orders", .what = "about orders on the account"});
  auto& claim = orders.add(
      {.name = "claim",
       .what = "orders and trades that are not Phoenix's are yours: symbols held by them may quote again",
       .description =
           "A symbol on which somebody else trades is held until the operator says that this is known.",
       .examples = {{"phoenix orders claim -c configs/live-3.yaml", "of every symbol, after a question"},
                    {"phoenix orders claim -c configs/live-3.yaml --symbol ETHUSDC --yes",
                     "of one, without a question"}},
       .exit_codes = "0, 1 when the answer was no or a symbol stays held, 2 when it could not begin."});
  const auto arguments = std::make_shared<EmergencyArguments>();
  add_config(claim.options(), arguments->config);
  add_consent(claim.options(), *arguments);
  add_symbols(claim.options(), *arguments, "of this one alone; may be given again");
  claim.runs([arguments] { return orders_claim(*arguments); });
}

}  // namespace

void add_trading_commands(Command& phoenix) {
  add_demo(phoenix);
  add_run(phoenix);
  add_preflight(phoenix);
  add_guard(phoenix);
  add_emergency(phoenix);
  add_orders(phoenix);
}

}  // namespace phoenix::app
