#include "app/status_view.hpp"

#include "app/text_table.hpp"
#include "app/version.hpp"
#include "ops/status_json.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace phoenix::app {
namespace {

using nlohmann::json;
using Align = TextTable::Align;

constexpr std::string_view paper_text = "PAPER: orders meet a model of the queue";
constexpr std::string_view limited_text = "LIMITED first start: --full quotes all";

std::string bytes_text(double bytes) {
  if (bytes >= 1e6) return fmt::format("{:.1f} MB", bytes / 1e6);
  if (bytes >= 1e3) return fmt::format("{:.1f} kB", bytes / 1e3);
  return fmt::format("{:.0f} B", bytes);
}

std::string duration_text(std::int64_t ms) {
  const auto s = ms / 1000;
  if (ms < 10'000) return fmt::format("{} ms", ms);
  if (s < 600) return fmt::format("{} s", s);
  return s < 172'800 ? fmt::format("{}h{:02}m", s / 3600, s / 60 % 60) : fmt::format("{} d", s / 86'400);
}

std::string age_text(const json& ms) { return ms.is_number() ? duration_text(ms.get<std::int64_t>()) : "-"; }
std::string text_of(const json& text) { return text.is_string() ? text.get<std::string>() : ""; }

/// A price or quantity with all its digits.
std::string number_text(const json& number) {
  if (!number.is_number()) return "-";
  auto text = fmt::format("{:.8f}", number.get<double>());
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}
std::string money_text(const json& money) {
  return money.is_number() ? fmt::format("{:.4f}", money.get<double>()) : "-";
}
std::string percent_text(const json& ratio) {
  return ratio.is_number() ? fmt::format("{:.0f} %", ratio.get<double>() * 100) : "-";
}

/// What has grown since the status before, a second; 0 where that is not known.
class Growth {
 public:
  Growth(const json& now, const json& before) : before_(before) {
    if (!before.is_object() || before.at("run_epoch") != now.at("run_epoch")) return;
    seconds_ = static_cast<double>(now.at("time_unix_ms").get<std::int64_t>() -
                                   before.at("time_unix_ms").get<std::int64_t>()) /
               1e3;
  }
  bool is_known() const { return seconds_ > 0; }
  double seconds() const { return seconds_; }
  /// The item of the list before whose `keys` are those of `item`.
  const json* earlier(const char* list, const json& item, std::initializer_list<const char*> keys) const {
    if (!is_known()) return nullptr;
    for (const auto& each : before_.at(list)) {
      bool equal = true;
      for (const char* key : keys) equal = equal && each.at(key) == item.at(key);
      if (equal) return &each;
    }
    return nullptr;
  }
  double rate(const json& item, const json* earlier, const char* key) const {
    if (earlier == nullptr) return 0;
    const auto now = item.at(key).get<std::uint64_t>(), then = earlier->at(key).get<std::uint64_t>();
    return now < then ? 0 : static_cast<double>(now - then) / seconds_;
  }

 private:
  const json& before_;
  double seconds_ = 0;
};

void cut(std::string& text, std::string_view line, std::size_t width) {
  text += width > 0 ? line.substr(0, width) : line;
  text += '\n';
}

/// What must be read whole: further lines begin with two blanks.
void wrap(std::string& text, std::string_view line, std::size_t width) {
  for (std::size_t room = width; width > 4 && line.size() > room; room = width - 2) {
    const auto blank = line.rfind(' ', room);
    const auto end = blank == std::string_view::npos || blank < room / 2 ? room : blank;
    text += line.substr(0, end);
    text += "\n  ";
    line.remove_prefix(line[end] == ' ' ? end + 1 : end);
  }
  text += line;
  text += '\n';
}

/// Otherwise it is a recorder's.
bool quotes_any(const json& status) {
  const auto& symbols = status.at("symbols");
  return std::any_of(symbols.begin(), symbols.end(),
                     [](const json& s) { return s.at("quoted").get<bool>(); });
}

void banner(std::string& text, const json& status, std::size_t width) {
  if (status.at("paper").get<bool>()) cut(text, paper_text, width);
  if (status.at("limited").get<bool>()) cut(text, limited_text, width);
  if (status.at("latched").get<bool>())
    wrap(text,
         fmt::format("KILL LATCH SET ({}): nothing is quoted until it is re-armed",
                     text_of(status.at("latch_reason"))),
         width);
  std::size_t ready = 0;
  const auto& health = status.at("health");
  for (const auto& s : health.at("symbols")) ready += s.at("ready").get<bool>() ? 1U : 0U;
  auto line = fmt::format("{} since {}, {}; {} of {} symbols ready", text_of(status.at("phase")),
                          duration_text(status.at("uptime_ms")), text_of(health.at("level")), ready,
                          health.at("symbols").size());
  if (quotes_any(status))
    line += fmt::format("; equity {}, drawdown {}", money_text(status.at("account").at("equity")),
                        money_text(status.at("account").at("drawdown")));
  wrap(text, line, width);
  text += '\n';
}

std::string why_of(const json& symbol) {
  auto why = text_of(symbol.at("reason"));
  return why.empty() ? text_of(symbol.at("mode_reason")) : why;
}

void quoted_symbols(std::string& text, const json& status, std::size_t width) {
  TextTable table{{{"symbol", Align::left, 100},
                   {"state", Align::left, 99},
                   {"mid", Align::right, 90},
                   {"own bid", Align::right, 80},
                   {"own ask", Align::right, 79},
                   {"orders", Align::right, 85},
                   {"position", Align::right, 95},
                   {"usage", Align::right, 60},
                   {"net", Align::right, 88},
                   {"realised", Align::right, 50},
                   {"unrealised", Align::right, 49},
                   {"fills", Align::right, 70},
                   {"mode", Align::left, 40},
                   {"guard", Align::left, 65},
                   {"age", Align::right, 75},
                   {"price", Align::left, 74},
                   {"why", Align::left, 97}}};
  for (const auto& s : status.at("symbols")) {
    const auto& guard = s.at("guard");
    table.add({text_of(s.at("symbol")), text_of(s.at("state")), number_text(s.at("mid")),
               number_text(s.at("own_bid")), number_text(s.at("own_ask")),
               fmt::format("{}/{}", s.at("orders_bid").get<int>(), s.at("orders_ask").get<int>()),
               number_text(s.at("position")), percent_text(s.at("usage_ratio")), money_text(s.at("net_pnl")),
               money_text(s.at("realized_pnl")), money_text(s.at("unrealized_pnl")),
               fmt::format("{}", s.at("counts").at("fills").get<std::uint64_t>()), text_of(s.at("mode")),
               text_of(guard.at("level_name")), age_text(s.at("depth_age_ms")), text_of(s.at("verdict")),
               why_of(s)});
  }
  text += table.text(width);
}

void recorded_symbols(std::string& text, const json& status, const Growth& growth, std::size_t width) {
  TextTable table{{{"symbol", Align::left, 100},
                   {"state", Align::left, 99},
                   {"mid", Align::right, 60},
                   {"rows/s", Align::right, 90},
                   {"rows", Align::right, 80},
                   {"trades", Align::right, 70},
                   {"repaired", Align::right, 84},
                   {"lost", Align::right, 85},
                   {"resyncs", Align::right, 65},
                   {"age", Align::right, 75},
                   {"price", Align::left, 74},
                   {"why", Align::left, 97}}};
  for (const auto& s : status.at("symbols")) {
    const auto& counts = s.at("counts");
    const auto number = [](const json& count) { return fmt::format("{}", count.get<std::uint64_t>()); };
    const auto* earlier = growth.earlier("symbols", s, {"symbol"});
    table.add({text_of(s.at("symbol")), text_of(s.at("state")), number_text(s.at("mid")),
               fmt::format("{:.0f}", growth.rate(s, earlier, "rows_recorded")), number(s.at("rows_recorded")),
               number(counts.at("trades")), number(counts.at("trades_repaired")),
               number(counts.at("trades_lost")), number(counts.at("resyncs")), age_text(s.at("depth_age_ms")),
               text_of(s.at("verdict")), why_of(s)});
  }
  text += table.text(width);
}

/// What is not as it should be: checks with what helps, alerts, streams with their evidence.
void troubles(std::string& text, const json& status, std::size_t width) {
  for (const auto& check : status.at("health").at("checks")) {
    if (check.at("level") == "ok") continue;
    wrap(text,
         fmt::format("{} {}: {}", text_of(check.at("level")), text_of(check.at("check")),
                     text_of(check.at("what"))),
         width);
  }
  for (const auto& alert : status.at("alerts"))
    wrap(text,
         fmt::format("alert level {} {}{}{}: {}", alert.at("level").get<int>(), text_of(alert.at("alert")),
                     text_of(alert.at("symbol")).empty() ? "" : " ", text_of(alert.at("symbol")),
                     text_of(alert.at("text"))),
         width);
  for (const auto& stream : status.at("streams")) {
    const auto state = text_of(stream.at("state"));
    if (state != "stalled" && state != "recovering") continue;
    wrap(text,
         fmt::format("stream {} {} on {} is {}: {}", text_of(stream.at("symbol")), text_of(stream.at("role")),
                     text_of(stream.at("connection")), state, text_of(stream.at("evidence"))),
         width);
  }
}

void footer(std::string& text, const json& status, const Growth& growth, std::size_t width) {
  double messages = 0, payload = 0, wire = 0;
  std::string connections, separator;
  for (const auto& c : status.at("connections")) {
    const auto* earlier = growth.earlier("connections", c, {"connection"});
    messages += growth.rate(c, earlier, "messages");
    payload += growth.rate(c, earlier, "payload_bytes");
    wire += growth.rate(c, earlier, "wire_received_bytes");
    const auto state = text_of(c.at("state"));
    if (!c.at("wanted").get<bool>() && state == "idle") continue;
    connections += fmt::format("{}{} {}", std::exchange(separator, ", "), text_of(c.at("connection")), state);
    if (const auto lost = c.at("reconnects").get<std::uint64_t>(); lost > 0)
      connections += fmt::format(" ({} lost)", lost);
  }
  const auto& limits = status.at("limits");
  const auto limit = [&limits](const char* name) {
    return fmt::format("{}/{}", limits.at(name).at("used").get<std::uint64_t>(),
                       limits.at(name).at("limit").get<std::uint64_t>());
  };
  text += '\n';
  wrap(text,
       fmt::format(
           "{:.0f} messages/s, {}/s payload, {}/s on the wire; weight {}, orders {} in 10 s, {} in 1 min",
           messages, bytes_text(payload), bytes_text(wire), limit("weight_1m"), limit("orders_10s"),
           limit("orders_1m")),
       width);
  wrap(text, connections, width);
  const auto step = status.at("traffic").at("bandwidth_step").get<int>();
  if (step > 0) wrap(text, fmt::format("bandwidth step {}", step), width);
  const auto& recording = status.at("recording");
  if (recording.at("active").get<bool>())
    wrap(text,
         fmt::format(
             "recording: {} rows durable in {} files, {} segments waiting, journal lag {}",
             recording.at("rows_durable").get<std::uint64_t>(), recording.at("files").get<std::uint64_t>(),
             recording.at("segments_waiting").get<std::uint64_t>(), age_text(recording.at("sync_lag_ms"))),
         width);
}

constexpr std::string_view red = "\033[31m", yellow = "\033[33m", green = "\033[32m", bold = "\033[1m",
                           plain = "\033[0m";

/// Empty: as the rest.
std::string_view colour_of(std::string_view word) {
  for (const auto bad : {"severe", "stalled", "kill", "killed"})
    if (word == bad) return red;
  for (const auto doubtful : {"warning", "recovering", "hold", "syncing", "cold", "connecting", "stale"})
    if (word == doubtful) return yellow;
  for (const auto good : {"live", "ok"})
    if (word == good) return green;
  return {};
}

}  // namespace

std::string StatusView::table(const ops::Status& status, std::size_t width) {
  return table(json::parse(ops::status_json(status, judge_.judge(status, status.now), status.now, version)),
               width);
}

std::string StatusView::table(const json& status, std::size_t width) {
  std::string text;
  const Growth growth{status, before_};
  banner(text, status, width);
  if (quotes_any(status)) {
    quoted_symbols(text, status, width);
  } else {
    recorded_symbols(text, status, growth, width);
  }
  footer(text, status, growth, width);
  troubles(text, status, width);
  before_ = status;
  return text;
}

std::string StatusView::traffic(const json& status, std::size_t width) {
  const Growth growth{status, before_};
  TextTable connections{{{"connection", Align::left, 100},
                         {"state", Align::left, 99},
                         {"open for", Align::right, 60},
                         {"streams", Align::right, 50},
                         {"messages/s", Align::right, 70},
                         {"payload/s", Align::right, 90},
                         {"wire in/s", Align::right, 95},
                         {"wire out/s", Align::right, 65},
                         {"ratio", Align::right, 80},
                         {"deflate", Align::left, 40}}};
  double payload_sum = 0, wire_sum = 0;
  for (const auto& c : status.at("connections")) {
    const auto state = text_of(c.at("state"));
    if (!c.at("wanted").get<bool>() && state == "idle") continue;
    const auto* earlier = growth.earlier("connections", c, {"connection"});
    const double payload = growth.rate(c, earlier, "payload_bytes");
    const double wire = growth.rate(c, earlier, "wire_received_bytes");
    payload_sum += payload;
    wire_sum += wire;
    connections.add(
        {text_of(c.at("connection")), state, age_text(c.at("age_ms")),
         fmt::format("{}", c.at("streams").get<int>()),
         fmt::format("{:.0f}", growth.rate(c, earlier, "messages")), bytes_text(payload), bytes_text(wire),
         bytes_text(growth.rate(c, earlier, "wire_sent_bytes")),
         wire > 0 ? fmt::format("{:.2f}", payload / wire) : "-",
         text_of(c.at("extensions")).find("permessage-deflate") != std::string::npos ? "yes" : "no"});
  }
  TextTable streams{{{"stream", Align::left, 100},
                     {"connection", Align::left, 95},
                     {"state", Align::left, 99},
                     {"messages/s", Align::right, 80},
                     {"payload/s", Align::right, 85},
                     {"taken", Align::right, 60},
                     {"covered", Align::right, 59},
                     {"gaps", Align::right, 70},
                     {"age", Align::right, 90}}};
  for (const auto& s : status.at("streams")) {
    const auto* earlier = growth.earlier("streams", s, {"symbol", "role", "connection"});
    const auto role = text_of(s.at("role"));
    const bool counted = role == "depth" || role == "trades";
    const auto count = [&](const char* key) {
      return counted ? fmt::format("{}", s.at(key).get<std::uint64_t>()) : std::string{"-"};
    };
    streams.add({text_of(s.at("symbol")) + (s.at("symbol").is_null() ? "" : " ") + role,
                 text_of(s.at("connection")), text_of(s.at("state")),
                 fmt::format("{:.1f}", growth.rate(s, earlier, "messages")),
                 bytes_text(growth.rate(s, earlier, "payload_bytes")), count("accepted"), count("covered"),
                 role == "depth" ? count("gaps") : "-", age_text(s.at("age_ms"))});
  }
  const auto& traffic = status.at("traffic");
  const auto budget = traffic.at("budget_bytes_per_s").get<double>();
  std::string text;
  cut(text,
      growth.is_known() ? fmt::format("{}/s payload, {}/s on the wire, ratio {:.2f}, over {:.1f} s",
                                      bytes_text(payload_sum), bytes_text(wire_sum),
                                      wire_sum > 0 ? payload_sum / wire_sum : 0.0, growth.seconds())
                        : std::string{"no rates yet"},
      width);
  cut(text,
      fmt::format("budget {}, step {}; {} lines, depth each {} ms; {} connects, {} lost",
                  budget > 0 ? bytes_text(budget) + "/s" : "none", traffic.at("bandwidth_step").get<int>(),
                  traffic.at("lines").get<int>(), traffic.at("depth_interval_ms").get<int>(),
                  traffic.at("connects").get<std::uint64_t>(), traffic.at("reconnects").get<std::uint64_t>()),
      width);
  std::string shed;
  for (const auto& s : status.at("symbols")) {
    if (s.at("traffic") != "full")
      shed += fmt::format(" {} {}", text_of(s.at("symbol")), text_of(s.at("traffic")));
  }
  if (!shed.empty()) cut(text, "not subscribed to in full:" + shed, width);
  text += '\n' + connections.text(width) + '\n' + streams.text(width);
  before_ = status;
  return text;
}

StatusView::Rates StatusView::rates(const ops::Status& status) {
  std::uint64_t messages = 0;
  std::uint64_t wire = 0;
  for (const auto& c : status.connections) {
    messages += c.messages;
    wire += c.wire_bytes_in;
  }
  if (last_time_ && status.now > *last_time_) {
    const double seconds = static_cast<double>((status.now - *last_time_).count()) / 1e9;
    last_rates_ = {static_cast<double>(messages - last_messages_) / seconds,
                   static_cast<double>(wire - last_wire_) / seconds};
  }
  last_time_ = status.now;
  last_messages_ = messages;
  last_wire_ = wire;
  return last_rates_;
}

std::string StatusView::line(const ops::Status& status) {
  std::string text = fmt::format("{}{}{}", status.paper ? "PAPER " : "", status.limited ? "LIMITED " : "",
                                 status.phase.view());
  const auto out = std::back_inserter(text);
  for (const auto& s : status.symbols) {
    fmt::format_to(out, " | {} {} mid={} orders={} pos={} fills={}", s.name.view(), ops::name(s.state),
                   s.mid ? s.mid->text() : "-", s.orders_live, s.position.text(), s.fills);
  }
  const auto r = rates(status);
  fmt::format_to(out, " | {:.0f} msg/s {}/s", r.messages, bytes_text(r.wire_bytes));
  return text;
}

std::string painted(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto line = text.substr(0, std::min(text.find('\n'), text.size()));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const bool is_latched = line.starts_with("KILL LATCH");
    if (is_latched || line.starts_with("PAPER") || line.starts_with("LIMITED")) {
      out += fmt::format("{}{}{}{}\n", bold, is_latched ? red : "", line, plain);
      continue;
    }
    for (std::size_t at = 0; at < line.size();) {
      const auto end = std::min(line.find_first_of(" ,;:", at), line.size());
      const auto word = line.substr(at, end - at);
      const auto colour = colour_of(word);
      out += colour.empty() ? std::string{word} : fmt::format("{}{}{}", colour, word, plain);
      if (end < line.size()) out += line[end];
      at = end + 1;
    }
    out += '\n';
  }
  return out;
}

}  // namespace phoenix::app
