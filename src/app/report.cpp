#include "app/report.hpp"

#include "app/report_plot.hpp"
#include "app/time_text.hpp"
#include "io/files.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::app {

using json = nlohmann::ordered_json;
using sim::BacktestFigures;
using sim::BacktestFill;
using sim::BacktestSymbol;
using sim::Profit;

namespace {

std::string utc(base::VenueTime time) { return utc_text(base::local_time_ns(base::ns_of(time))); }

double seconds_of(base::Duration duration) { return static_cast<double>(duration.count()) / 1e9; }
double ms_of(base::Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

double share(double part, double whole) { return whole > 0 ? part / whole : 0; }

json optional_number(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

json profit_json(const Profit& profit) {
  return {{"net", profit.net().to_double()},
          {"spread", profit.spread.to_double()},
          {"inventory", profit.inventory.to_double()},
          {"fees", profit.fees.to_double()},
          {"funding", profit.funding.to_double()}};
}

/// What the first fills of orders waited for, in ascending order.
std::vector<base::Duration> queue_times(const BacktestSymbol& symbol) {
  std::vector<base::Duration> times;
  for (const auto& fill : symbol.kept_fills) {
    if (fill.queued) times.push_back(*fill.queued);
  }
  std::ranges::sort(times);
  return times;
}

struct QueueTime {
  std::optional<double> mean_s, median_s, p90_s;
};
QueueTime queue_time(const BacktestSymbol& symbol) {
  const auto times = queue_times(symbol);
  if (times.empty()) return {};
  double sum = 0;
  for (const auto time : times) sum += seconds_of(time);
  return {sum / static_cast<double>(times.size()), seconds_of(times[times.size() / 2]),
          seconds_of(times[times.size() * 9 / 10])};
}

struct Markout {
  std::optional<double> bps, quote;  ///< weighted by quantity; sum
  std::uint64_t fills = 0;
};
Markout markout(const BacktestSymbol& symbol, std::size_t horizon) {
  Markout found;
  double sum = 0, worth = 0;
  for (const auto& fill : symbol.kept_fills) {
    if (!fill.markout[horizon]) continue;
    sum += fill.markout[horizon]->to_double() * fill.qty.to_double();
    worth += fill.mid.to_double() * fill.qty.to_double();
    ++found.fills;
  }
  if (found.fills == 0) return found;
  found.quote = sum;
  found.bps = share(sum, worth) * 1e4;
  return found;
}

double fill_rate(const BacktestSymbol& symbol) {
  return share(symbol.filled_qty.to_double(), symbol.placed_qty.to_double());
}

double presence(const BacktestSymbol& symbol, std::size_t side) {
  return share(seconds_of(symbol.at_touch[side]), seconds_of(symbol.observed));
}

json fill_json(const BacktestFill& fill) {
  json out{{"time_ns", base::ns_of(fill.at)}, {"side", fill.side == model::Side::bid ? "buy" : "sell"},
           {"price", fill.price.to_double()}, {"qty", fill.qty.to_double()},
           {"mid", fill.mid.to_double()},     {"maker", fill.maker}};
  out["queued_s"] = fill.queued ? json(seconds_of(*fill.queued)) : json(nullptr);
  json judged = json::array();
  for (const auto& value : fill.markout) judged.push_back(value ? json(value->to_double()) : json(nullptr));
  out["markout"] = judged;
  return out;
}

json symbol_json(const BacktestSymbol& symbol, const ops::Status& status) {
  json out{{"symbol", symbol.name},
           {"quote_asset", symbol.quote_asset},
           {"pnl", profit_json(symbol.profit)},
           {"realized", symbol.realized.to_double()},
           {"position", symbol.position.to_double()},
           {"position_max", symbol.position_max.to_double()},
           {"orders", symbol.orders},
           {"amendments", symbol.amendments},
           {"cancels", symbol.cancels},
           {"expired", symbol.expired},
           {"fills", symbol.fills},
           {"maker_fills", symbol.maker_fills},
           {"placed_qty", symbol.placed_qty.to_double()},
           {"filled_qty", symbol.filled_qty.to_double()},
           {"volume", symbol.volume.to_double()},
           {"taker_volume", symbol.taker_volume.to_double()},
           {"fill_rate", fill_rate(symbol)}};
  for (const auto& s : status.symbols) {
    if (s.name.view() != symbol.name) continue;
    out["rejects"] = s.rejects;
    out["post_only_rejects"] = s.post_only_rejects;
    out["withdrawals"] = s.withdrawals;
    out["resyncs"] = s.resyncs;
    out["quotes_hash"] = fmt::format("{:016x}", s.quotes_hash);
  }
  const auto queue = queue_time(symbol);
  out["queue_s"] = {{"mean", optional_number(queue.mean_s)},
                    {"p50", optional_number(queue.median_s)},
                    {"p90", optional_number(queue.p90_s)}};
  out["at_touch"] = {{"bid", presence(symbol, 0)}, {"ask", presence(symbol, 1)}};
  out["quoted"] = {{"bid", share(seconds_of(symbol.quoted[0]), seconds_of(symbol.observed))},
                   {"ask", share(seconds_of(symbol.quoted[1]), seconds_of(symbol.observed))}};
  json markouts = json::array();
  for (std::size_t h = 0; h < sim::markout_horizons.size(); ++h) {
    const auto m = markout(symbol, h);
    markouts.push_back({{"seconds", sim::markout_horizons[h] / base::seconds{1}},
                        {"fills", m.fills},
                        {"bps", optional_number(m.bps)},
                        {"quote", optional_number(m.quote)}});
  }
  out["markout"] = markouts;
  json windows = json::array();
  for (const auto& window : symbol.windows) {
    windows.push_back({{"placed", window.placed.to_double()},
                       {"filled", window.filled.to_double()},
                       {"fill_rate", share(window.filled.to_double(), window.placed.to_double())}});
  }
  out["windows_5min"] = windows;
  json points = json::array();
  for (const auto& p : symbol.points) {
    points.push_back({base::ns_of(p.at), p.mid.to_double(),
                      p.own_bid ? json(p.own_bid->to_double()) : json(nullptr),
                      p.own_ask ? json(p.own_ask->to_double()) : json(nullptr), p.position.to_double(),
                      p.profit.spread.to_double(), p.profit.inventory.to_double(), p.profit.fees.to_double(),
                      p.profit.funding.to_double()});
  }
  out["points_columns"] = {"time_ns", "mid",       "own_bid", "own_ask", "position",
                           "spread",  "inventory", "fees",    "funding"};
  out["points"] = points;
  json fills = json::array();
  for (const auto& fill : symbol.kept_fills) fills.push_back(fill_json(fill));
  out["fills_list"] = fills;
  out["fills_not_listed"] = symbol.fills_not_kept;
  return out;
}

json parameters_json(const BacktestReport& report) {
  const auto& s = report.settings;
  const auto fee = [](const std::optional<model::Rate>& rate) {
    return rate ? json(rate->to_double()) : json("first tier");
  };
  return {{"strategy", s.strategy ? json(name(*s.strategy)) : json("as configured")},
          {"queue", name(s.queue)},
          {"feed_latency_ms", ms_of(s.feed_latency)},
          {"order_latency_ms", ms_of(s.order_latency)},
          {"feed_lag", s.feed_lag == sim::BacktestOptions::FeedLag::recorded ? "recorded" : "constant"},
          {"maker_fee", fee(s.maker_fee)},
          {"taker_fee", fee(s.taker_fee)},
          {"wallet", s.wallet.to_double()},
          {"configuration", report.config_text}};
}

struct Row {
  std::string label, value;
};

std::string signed_money(model::Money value) { return fmt::format("{:+.4f}", value.to_double()); }

std::string or_dash(const std::optional<double>& value, int decimals) {
  return value ? fmt::format("{:.{}f}", *value, decimals) : "-";
}

/// The figures of one symbol, for people.
std::vector<Row> rows_of(const BacktestSymbol& symbol) {
  const auto queue = queue_time(symbol);
  std::string markouts;
  for (std::size_t h = 0; h < sim::markout_horizons.size(); ++h) {
    markouts += fmt::format("{}{} s {}", h == 0 ? "" : ", ", sim::markout_horizons[h] / base::seconds{1},
                            or_dash(markout(symbol, h).bps, 3));
  }
  const auto& p = symbol.profit;
  return {{"net", fmt::format("{} {}", signed_money(p.net()), symbol.quote_asset)},
          {"made of", fmt::format("spread {}, inventory {}, fees {}, funding {}", signed_money(p.spread),
                                  signed_money(p.inventory), signed_money(-p.fees), signed_money(p.funding))},
          {"fills", fmt::format("{} ({} as maker), volume {:.2f} {}", symbol.fills, symbol.maker_fills,
                                symbol.volume.to_double(), symbol.quote_asset)},
          {"orders", fmt::format("{}, amended {}, cancelled {}, expired {}", symbol.orders, symbol.amendments,
                                 symbol.cancels, symbol.expired)},
          {"fill rate", fmt::format("{:.2f} % of the quantity placed", fill_rate(symbol) * 100)},
          {"time in queue", fmt::format("mean {} s, median {} s, 90 % {} s", or_dash(queue.mean_s, 2),
                                        or_dash(queue.median_s, 2), or_dash(queue.p90_s, 2))},
          {"at the touch", fmt::format("bid {:.1f} %, ask {:.1f} % of the time", presence(symbol, 0) * 100,
                                       presence(symbol, 1) * 100)},
          {"markout, bps", markouts},
          {"position",
           fmt::format("{} at the end, at most {}", symbol.position.text(), symbol.position_max.text())}};
}

std::vector<Row> head_rows(const BacktestReport& report) {
  const auto& figures = report.run.result.figures;
  const auto& result = report.run.result;
  std::string files;
  for (const auto& input : report.scan.inputs) {
    if (files.size() > 200) {
      files += ", ...";
      break;
    }
    files += fmt::format("{}{} ({:08x})", files.empty() ? "" : ", ", input.name, input.crc32c);
  }
  std::vector<Row> rows{
      {"data", files},
      {"time", fmt::format("{} to {}, {:.1f} s", utc(figures.begin), utc(figures.end),
                           seconds_of(figures.end - figures.begin))},
      {"market", fmt::format("{} book level changes, {} trades, {} mark prices", result.level_changes,
                             result.trades, result.marks)},
      {"model", fmt::format("queue {}, feed {} ms ({}), orders {} ms one way", name(report.settings.queue),
                            ms_of(report.settings.feed_latency),
                            report.settings.feed_lag == sim::BacktestOptions::FeedLag::recorded ? "recorded"
                                                                                                : "constant",
                            ms_of(report.settings.order_latency))},
      {"net", signed_money(figures.profit.net())},
      {"drawdown", fmt::format("{:.4f}", figures.drawdown_max.to_double())},
      {"Sharpe, a year", or_dash(figures.sharpe, 2)}};
  const auto& data = report.run.data;
  if (data.holes + data.unreadable + data.without_snapshot > 0) {
    rows.push_back(
        {"data faults", fmt::format("{} holes in books, {} lines unreadable, {} books without a snapshot",
                                    data.holes, data.unreadable, data.without_snapshot)});
  }
  if (data.hours_without_depth > 0) {
    rows.push_back({"left out", fmt::format("{} hours of a symbol that have trades and no depth",
                                            data.hours_without_depth)});
  }
  for (const auto& missing : report.scan.missing) rows.push_back({"not in the data", missing});
  if (result.latched) rows.push_back({"latched", *result.latched});
  return rows;
}

std::string table_html(const std::vector<Row>& rows) {
  std::string out = "<table>";
  for (const auto& row : rows)
    out += fmt::format("<tr><th>{}</th><td>{}</td></tr>\n", html_text(row.label), html_text(row.value));
  return out + "</table>\n";
}

double at_seconds(base::VenueTime time, base::VenueTime begin) { return seconds_of(time - begin); }

std::string symbol_plots(const BacktestSymbol& symbol, base::VenueTime begin) {
  Plot price{.title = "price, own best quotes and fills"};
  Plot::Line mid{.name = "mid", .colour = "#444"}, bid{.name = "own bid", .colour = "#2a7"},
      ask{.name = "own ask", .colour = "#c53"};
  bid.shape = ask.shape = Plot::Shape::steps;
  Plot position{.title = "position"};
  Plot::Line held{.name = symbol.name, .colour = "#36a"};
  held.shape = Plot::Shape::steps;
  Plot profit{.title = "where the profit comes from"};
  Plot::Line net{.name = "net", .colour = "#000"}, spread{.name = "spread", .colour = "#2a7"},
      inventory{.name = "inventory", .colour = "#36a"}, fees{.name = "fees", .colour = "#c53"},
      funding{.name = "funding", .colour = "#a6a"};
  for (const auto& p : symbol.points) {
    const double x = at_seconds(p.at, begin);
    mid.points.push_back({x, p.mid.to_double()});
    bid.points.push_back({x, p.own_bid ? std::optional{p.own_bid->to_double()} : std::nullopt});
    ask.points.push_back({x, p.own_ask ? std::optional{p.own_ask->to_double()} : std::nullopt});
    held.points.push_back({x, p.position.to_double()});
    net.points.push_back({x, p.profit.net().to_double()});
    spread.points.push_back({x, p.profit.spread.to_double()});
    inventory.points.push_back({x, p.profit.inventory.to_double()});
    fees.points.push_back({x, -p.profit.fees.to_double()});
    funding.points.push_back({x, p.profit.funding.to_double()});
  }
  price.lines = {mid, bid, ask};
  constexpr std::size_t marks_max = 4'000;
  const std::size_t every = symbol.kept_fills.size() / marks_max + 1;
  for (std::size_t i = 0; i < symbol.kept_fills.size(); i += every) {
    const auto& fill = symbol.kept_fills[i];
    const bool buy = fill.side == model::Side::bid;
    price.marks.push_back({at_seconds(fill.at, begin), fill.price.to_double(),
                           buy ? Plot::Sign::up : Plot::Sign::down, buy ? "#2a7" : "#c53"});
  }
  position.lines = {held};
  profit.lines = {net, spread, inventory, fees, funding};
  Plot rate{.title = "fill rate in five minutes, % of the quantity placed"};
  Plot::Line filled{.name = "fill rate", .colour = "#36a"};
  filled.shape = Plot::Shape::steps;
  for (std::size_t i = 0; i < symbol.windows.size(); ++i) {
    const auto& w = symbol.windows[i];
    const double percent = share(w.filled.to_double(), w.placed.to_double()) * 100;
    filled.points.push_back({static_cast<double>(i) * 300, percent});
    filled.points.push_back({static_cast<double>(i + 1) * 300, percent});
  }
  rate.lines = {filled};
  Plot queue{.title = "time in the queue before the first fill: share of orders up to so many seconds, %",
             .x_unit = "s"};
  Plot::Line waited{.name = "orders", .colour = "#36a"};
  waited.shape = Plot::Shape::steps;
  const auto times = queue_times(symbol);
  const std::size_t step = times.size() / 500 + 1;
  for (std::size_t i = 0; i < times.size(); i += step) {
    waited.points.push_back(
        {seconds_of(times[i]), static_cast<double>(i + 1) / static_cast<double>(times.size()) * 100});
  }
  queue.lines = {waited};
  std::string out;
  for (const Plot* plot : {&price, &position, &profit, &rate, &queue}) out += plot->svg();
  return out;
}

std::string equity_plots(const BacktestFigures& figures) {
  Plot equity{.title = "net profit and drawdown, all symbols"};
  Plot::Line net{.name = "net", .colour = "#000"}, down{.name = "drawdown", .colour = "#c53"};
  double peak = 0;
  for (const auto& p : figures.equity) {
    const double value = p.profit.net().to_double();
    peak = std::max(peak, value);
    net.points.push_back({at_seconds(p.at, figures.begin), value});
    down.points.push_back({at_seconds(p.at, figures.begin), value - peak});
  }
  equity.lines = {net, down};
  return equity.svg();
}

constexpr std::string_view style =
    "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1000px;padding:0 1em;color:#222}"
    "h1{font-size:1.4em}h2{font-size:1.15em;margin-top:2em}table{border-collapse:collapse;margin:.8em 0}"
    "th,td{text-align:left;padding:.15em .9em .15em 0;vertical-align:top}th{font-weight:600;color:#555}"
    "svg{width:100%;height:auto;margin:.6em 0}pre{background:#f5f5f5;padding:.8em;overflow:auto}"
    ".best{background:#eef6ee}";

}  // namespace

KeyFigures key_figures(const BacktestFigures& figures) {
  KeyFigures key;
  key.net = figures.profit.net().to_double();
  key.spread = figures.profit.spread.to_double();
  key.inventory = figures.profit.inventory.to_double();
  key.fees = figures.profit.fees.to_double();
  key.funding = figures.profit.funding.to_double();
  key.drawdown = figures.drawdown_max.to_double();
  key.sharpe = figures.sharpe;
  double rates = 0;
  for (const auto& symbol : figures.symbols) {
    key.fills += symbol.fills;
    key.orders += symbol.orders;
    rates += fill_rate(symbol) * static_cast<double>(symbol.fills);
    key.at_touch += (presence(symbol, 0) + presence(symbol, 1)) / 2;
  }
  key.fill_rate = share(rates, static_cast<double>(key.fills));
  key.at_touch = share(key.at_touch, static_cast<double>(figures.symbols.size()));
  return key;
}

std::string report_json(const BacktestReport& report) {
  const auto& result = report.run.result;
  const auto& figures = result.figures;
  json inputs = json::array();
  for (const auto& input : report.scan.inputs) {
    inputs.push_back(
        {{"file", input.name}, {"bytes", input.bytes}, {"crc32c", fmt::format("{:08x}", input.crc32c)}});
  }
  json symbols = json::array();
  for (const auto& symbol : figures.symbols) symbols.push_back(symbol_json(symbol, result.status));
  json equity = json::array();
  for (const auto& p : figures.equity) equity.push_back({base::ns_of(p.at), p.profit.net().to_double()});
  const auto& data = report.run.data;
  json out{{"begin", utc(figures.begin)},
           {"end", utc(figures.end)},
           {"seconds", seconds_of(figures.end - figures.begin)},
           {"inputs", inputs},
           {"parameters", parameters_json(report)},
           {"pnl", profit_json(figures.profit)},
           {"drawdown_max", figures.drawdown_max.to_double()},
           {"sharpe", optional_number(figures.sharpe)}};
  out["symbols"] = symbols;
  out["symbols_not_in_data"] = report.scan.missing;
  out["equity"] = equity;
  out["data"] = {{"market_events", result.market_events},
                 {"level_changes", result.level_changes},
                 {"trades", result.trades},
                 {"mark_prices", result.marks},
                 {"refused", result.events_refused},
                 {"levels_forgotten", result.levels_forgotten},
                 {"lines", data.lines},
                 {"unreadable", data.unreadable},
                 {"snapshots", data.snapshots},
                 {"holes", data.holes},
                 {"repeated", data.repeated},
                 {"late", data.late},
                 {"without_snapshot", data.without_snapshot},
                 {"hours_without_depth", data.hours_without_depth}};
  out["engine_steps"] = result.engine_steps;
  out["latched"] = result.latched ? json(*result.latched) : json(nullptr);
  json warnings = json::array();
  for (const auto& [text, count] : result.warnings) warnings.push_back({{"text", text}, {"count", count}});
  out["warnings"] = warnings;
  out["warnings_not_listed"] = result.warnings_not_kept;
  return out.dump(1) + "\n";
}

std::string report_text(const BacktestReport& report) {
  std::string out;
  for (const auto& row : head_rows(report)) out += fmt::format("{:<15} {}\n", row.label, row.value);
  for (const auto& symbol : report.run.result.figures.symbols) {
    out += fmt::format("\n{}\n", symbol.name);
    for (const auto& row : rows_of(symbol)) out += fmt::format("  {:<13} {}\n", row.label, row.value);
  }
  return out;
}

std::string html_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string report_html(const BacktestReport& report, const std::string& above) {
  const auto& figures = report.run.result.figures;
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Phoenix "
      "backtest</title><style>{}</style></head><body>\n<h1>Backtest</h1>\n",
      style);
  out += above;
  out += table_html(head_rows(report));
  out += equity_plots(figures);
  for (const auto& symbol : figures.symbols) {
    out += fmt::format("<h2>{}</h2>\n", html_text(symbol.name));
    out += table_html(rows_of(symbol));
    out += symbol_plots(symbol, figures.begin);
  }
  out += "<h2>Configuration</h2>\n<pre>" + html_text(report.config_text) + "</pre>\n</body></html>\n";
  return out;
}

void write_report(const std::filesystem::path& prefix, const std::string& json_text,
                  const std::string& html) {
  try {
    io::write_file_atomically(prefix.string() + ".json", json_text);
    io::write_file_atomically(prefix.string() + ".html", html);
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  }
}

}  // namespace phoenix::app
