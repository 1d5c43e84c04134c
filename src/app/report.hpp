#pragma once

#include "app/backtest.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace phoenix::app {

/// Everything a report is made from; nothing in it depends on when or how fast it was made.
struct BacktestReport {
  BacktestSettings settings;
  std::string config_text;  ///< as the file has it
  MarketScan scan;
  BacktestRun run;
};

/// The figures people compare runs by, of all symbols together.
struct KeyFigures {
  double net = 0, spread = 0, inventory = 0, fees = 0, funding = 0;  ///< quote currency
  double drawdown = 0;
  std::optional<double> sharpe;
  double fill_rate = 0;  ///< filled to placed quantity, mean over symbols, weighted by fills
  double at_touch = 0;   ///< share of time, mean over symbols and sides
  std::uint64_t fills = 0, orders = 0;
};
KeyFigures key_figures(const sim::BacktestFigures& figures);

/// Equal reports give equal bytes.
std::string report_json(const BacktestReport& report);
/// For a terminal.
std::string report_text(const BacktestReport& report);
/// One page that needs nothing else; `above` is HTML that comes before the figures.
std::string report_html(const BacktestReport& report, const std::string& above = {});
/// `text` as it stands in HTML.
std::string html_text(std::string_view text);

/// PREFIX.json and PREFIX.html. Throws StartError when they cannot be written.
void write_report(const std::filesystem::path& prefix, const std::string& json, const std::string& html);

}  // namespace phoenix::app
