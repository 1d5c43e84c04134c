#include "app/commands.hpp"
#include "app/progress.hpp"
#include "app/report.hpp"
#include "io/clock.hpp"
#include "io/files.hpp"

#include <cstdio>

#include <fmt/format.h>

namespace phoenix::app {

int backtest(const ReplayArguments& arguments) {
  const io::RealClock clock;
  Config config = load_config(*arguments.config);
  choose_strategy(arguments.backtest, config);
  BacktestReport report{.settings = arguments.backtest,
                        .config_text = io::read_file(*arguments.config),
                        .scan = scan_market(arguments.backtest, config)};
  for (const auto& missing : report.scan.missing)
    fmt::print(stderr, "the data holds nothing of {}: it is left out\n", missing);
  const base::LocalTime begin = clock.now();
  {
    Progress progress{"trading", {}, arguments.format};
    report.run = run_backtest(arguments.backtest, config, report.scan,
                              [&](std::uint64_t done, std::uint64_t total) { progress.show(done, total); });
  }
  const double wall = static_cast<double>((clock.now() - begin).count()) / 1e9;
  const auto& result = report.run.result;
  const double market = static_cast<double>((result.figures.end - result.figures.begin).count()) / 1e9;
  fmt::print(stderr, "{:.1f} s of market in {:.2f} s: {:.0f} book level changes a second\n", market, wall,
             wall > 0 ? static_cast<double>(result.level_changes) / wall : 0.0);
  const std::string json = report_json(report);
  if (arguments.report) write_report(*arguments.report, json, report_html(report));
  fmt::print("{}", arguments.format == Format::json ? json : report_text(report));
  if (arguments.report && arguments.format == Format::text)
    fmt::print("\nwritten: {0}.json {0}.html\n", arguments.report->string());
  return 0;
}

}  // namespace phoenix::app
