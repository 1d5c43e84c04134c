#include "app/commands.hpp"
#include "app/progress.hpp"
#include "app/report.hpp"
#include "io/files.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

namespace phoenix::app {
namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t runs_max = 10'000;
/// Progress within a run is counted in thousandths.
constexpr std::uint64_t whole_run = 1'000;

/// One `--set`: a key and the values it takes.
struct Axis {
  std::string text;    ///< as given, before the equals sign
  std::string target;  ///< "global", a symbol, or empty: every symbol
  std::string key;
  std::vector<std::string> values;
};

struct Run {
  std::size_t number = 0;           ///< in the order of the values given
  std::vector<std::string> values;  ///< by axis
  std::string config_text;
  KeyFigures figures;
};

std::vector<std::string> split(const std::string& text, char mark) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, begin)) {
    parts.push_back(text.substr(begin, at - begin));
    begin = at + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

Axis parse_axis(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    throw StartError(fmt::format("--set {}: write KEY=VALUE,VALUE", text));
  Axis axis{.text = text.substr(0, equals), .values = split(text.substr(equals + 1), ',')};
  for (const auto& value : axis.values) {
    if (value.empty()) throw StartError(fmt::format("--set {}: a value is empty", text));
  }
  const auto dot = axis.text.find('.');
  axis.key = dot == std::string::npos ? axis.text : axis.text.substr(dot + 1);
  if (dot != std::string::npos) axis.target = axis.text.substr(0, dot);
  return axis;
}

/// False when the file has no such symbol.
bool assign(YAML::Node root, const Axis& axis, const std::string& value) {
  if (axis.target == "global") {
    root["global"][axis.key] = value;
    return true;
  }
  bool found = false;
  for (auto symbol : root["symbols"]) {
    if (!symbol.IsMap()) continue;
    const auto name = symbol["symbol"];
    if (!axis.target.empty() && (!name.IsDefined() || name.Scalar() != axis.target)) continue;
    symbol[axis.key] = value;
    found = true;
  }
  return found;
}

std::string text_with(const std::string& config_text, const std::vector<Axis>& axes,
                      const std::vector<std::string>& values) {
  const YAML::Node root = YAML::Load(config_text);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (!assign(root, axes[i], values[i]))
      throw StartError(
          fmt::format("--set {}: the configuration has no symbol {}", axes[i].text, axes[i].target));
  }
  return YAML::Dump(root);
}

std::string first_error(const ParsedConfig& parsed) {
  const auto& error = parsed.errors.front();
  return fmt::format("{}: {}", error.key, error.message);
}

/// A key without a place is one of the symbols, or else of `global`.
void find_places(const std::string& config_text, std::vector<Axis>& axes) {
  for (Axis& axis : axes) {
    const std::vector<Axis> alone{axis};
    const auto parsed = parse_config(text_with(config_text, alone, {axis.values.front()}));
    if (parsed.config || axis.text != axis.key) continue;
    Axis global = axis;
    global.target = "global";
    const std::vector<Axis> there{global};
    if (parse_config(text_with(config_text, there, {axis.values.front()})).config) {
      axis = global;
    } else {
      throw StartError(fmt::format("--set {}: {}", axis.text, first_error(parsed)));
    }
  }
}

double figure(const KeyFigures& figures, const std::string& by) {
  if (by == "spread") return figures.spread;
  if (by == "sharpe") return figures.sharpe.value_or(-std::numeric_limits<double>::infinity());
  if (by == "fills") return static_cast<double>(figures.fills);
  if (by == "fill-rate") return figures.fill_rate;
  if (by == "at-touch") return figures.at_touch;
  return figures.net;
}

std::vector<std::string> cells(const Run& run) {
  const auto& f = run.figures;
  auto row = run.values;
  row.push_back(fmt::format("{:+.4f}", f.net));
  row.push_back(fmt::format("{:+.4f}", f.spread));
  row.push_back(fmt::format("{:+.4f}", f.inventory));
  row.push_back(fmt::format("{:+.4f}", -f.fees));
  row.push_back(fmt::format("{:.4f}", f.drawdown));
  row.push_back(f.sharpe ? fmt::format("{:.2f}", *f.sharpe) : "-");
  row.push_back(std::to_string(f.fills));
  row.push_back(fmt::format("{:.2f} %", f.fill_rate * 100));
  row.push_back(fmt::format("{:.1f} %", f.at_touch * 100));
  return row;
}

std::vector<std::string> heads(const std::vector<Axis>& axes) {
  std::vector<std::string> row;
  for (const auto& axis : axes) row.push_back(axis.text);
  for (const char* name :
       {"net", "spread", "inventory", "fees", "drawdown", "Sharpe", "fills", "fill rate", "at touch"})
    row.emplace_back(name);
  return row;
}

std::string table_text(const std::vector<Axis>& axes, const std::vector<Run>& runs) {
  std::vector<std::vector<std::string>> rows{heads(axes)};
  for (const auto& run : runs) rows.push_back(cells(run));
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i)
      out += fmt::format("{}{:>{}}", i == 0 ? "" : "  ", row[i], widths[i]);
    out += '\n';
  }
  return out;
}

std::string table_html(const std::vector<Axis>& axes, const std::vector<Run>& runs, const std::string& by) {
  std::string out =
      fmt::format("<p>{} runs, best first by {}; the report below is the first one's.</p>\n<table><tr>",
                  runs.size(), html_text(by));
  for (const auto& head : heads(axes)) out += fmt::format("<th>{}</th>", html_text(head));
  out += "</tr>\n";
  for (const auto& run : runs) {
    out += &run == &runs.front() ? "<tr class=\"best\">" : "<tr>";
    for (const auto& cell : cells(run)) out += fmt::format("<td>{}</td>", html_text(cell));
    out += "</tr>\n";
  }
  return out + "</table>\n";
}

json table_json(const std::vector<Axis>& axes, const std::vector<Run>& runs, const std::string& by) {
  json rows = json::array();
  for (const auto& run : runs) {
    json set = json::object();
    for (std::size_t i = 0; i < axes.size(); ++i) set[axes[i].text] = run.values[i];
    const auto& f = run.figures;
    rows.push_back({{"set", set},
                    {"net", f.net},
                    {"spread", f.spread},
                    {"inventory", f.inventory},
                    {"fees", f.fees},
                    {"funding", f.funding},
                    {"drawdown_max", f.drawdown},
                    {"sharpe", f.sharpe ? json(*f.sharpe) : json(nullptr)},
                    {"fills", f.fills},
                    {"orders", f.orders},
                    {"fill_rate", f.fill_rate},
                    {"at_touch", f.at_touch}});
  }
  return {{"by", by}, {"runs", rows}};
}

std::vector<Run> combinations(const std::string& config_text, const std::vector<Axis>& axes) {
  std::size_t count = 1;
  for (const auto& axis : axes) {
    count *= axis.values.size();
    if (count > runs_max) throw StartError(fmt::format("--set: more than {} combinations", runs_max));
  }
  std::vector<Run> runs(count);
  for (std::size_t i = 0; i < count; ++i) {
    runs[i].number = i;
    std::size_t rest = i;
    for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
      runs[i].values.insert(runs[i].values.begin(), axis->values[rest % axis->values.size()]);
      rest /= axis->values.size();
    }
    runs[i].config_text = text_with(config_text, axes, runs[i].values);
  }
  return runs;
}

Config config_of(const BacktestSettings& settings, const Run& run) {
  auto parsed = parse_config(run.config_text);
  if (!parsed.config) {
    std::string what;
    for (const auto& value : run.values) what += (what.empty() ? "" : ", ") + value;
    throw StartError(fmt::format("--set {}: {}", what, first_error(parsed)));
  }
  choose_strategy(settings, *parsed.config);
  return std::move(*parsed.config);
}

/// Runs them all; which thread takes which changes nothing but the order in which they are done.
void run_all(const SweepArguments& arguments, const std::vector<Config>& configs, const MarketScan& scan,
             std::vector<Run>& runs) {
  const auto cores = std::max(1u, std::thread::hardware_concurrency());
  const auto jobs =
      std::min<std::size_t>(arguments.jobs == 0 ? cores : static_cast<unsigned>(arguments.jobs), runs.size());
  std::atomic<std::size_t> next{0};
  std::mutex guard;
  std::exception_ptr fault;
  std::uint64_t done = 0;  // thousandths of a run
  Progress progress{"sweeping", {.name = "runs", .counts = whole_run}, arguments.format};
  const auto work = [&] {
    for (std::size_t i = next++; i < runs.size(); i = next++) {
      std::uint64_t of_this = 0;
      const auto tell = [&](std::uint64_t thousandths) {
        const std::lock_guard lock{guard};
        done += thousandths - of_this;
        of_this = thousandths;
        progress.show(done, runs.size() * whole_run);
      };
      try {
        const auto tell_share = [&](std::uint64_t read, std::uint64_t all) {
          if (all > 0) tell(std::max(of_this, std::min(read, all) * whole_run / all));
        };
        runs[i].figures =
            key_figures(run_backtest(arguments.backtest, configs[i], scan, tell_share).result.figures);
      } catch (...) {
        const std::lock_guard lock{guard};
        if (!fault) fault = std::current_exception();
        next = runs.size();
      }
      tell(whole_run);
    }
  };
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < jobs; ++i) threads.emplace_back(work);
  work();
  threads.clear();
  if (fault) std::rethrow_exception(fault);
}

}  // namespace

int sweep(const SweepArguments& arguments) {
  load_config(arguments.config);  // its own errors first, with their lines
  const std::string config_text = io::read_file(arguments.config);
  std::vector<Axis> axes;
  for (const auto& text : arguments.set) axes.push_back(parse_axis(text));
  find_places(config_text, axes);
  auto runs = combinations(config_text, axes);
  std::vector<Config> configs;
  for (const auto& run : runs) configs.push_back(config_of(arguments.backtest, run));
  const auto scan = scan_market(arguments.backtest, configs.front());
  run_all(arguments, configs, scan, runs);

  std::ranges::sort(runs, [&](const Run& a, const Run& b) {
    const double fa = figure(a.figures, arguments.by), fb = figure(b.figures, arguments.by);
    return fa != fb ? fa > fb : a.number < b.number;
  });
  const json table = table_json(axes, runs, arguments.by);
  if (arguments.format == Format::json) {
    fmt::print("{}\n", table.dump(1));
  } else {
    fmt::print("{}", table_text(axes, runs));
  }
  if (!arguments.report) return 0;
  const Config best = config_of(arguments.backtest, runs.front());
  BacktestReport report{
      .settings = arguments.backtest, .config_text = runs.front().config_text, .scan = scan};
  report.run = run_backtest(arguments.backtest, best, scan, {});
  json whole{{"sweep", table}, {"best", json::parse(report_json(report))}};
  write_report(*arguments.report, whole.dump(1) + "\n",
               report_html(report, table_html(axes, runs, arguments.by)));
  if (arguments.format == Format::text)
    fmt::print("\nwritten: {0}.json {0}.html\n", arguments.report->string());
  return 0;
}

}  // namespace phoenix::app
