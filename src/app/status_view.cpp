#include "app/status_view.hpp"

#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace phoenix::app {
namespace {

std::string price_text(const std::optional<model::Price>& price) { return price ? price->text() : "-"; }

std::string money_text(model::Money money) {
  return model::round_to(money, model::Money::of("0.0001"), model::Rounding::nearest).text();
}

std::string bytes_text(double bytes) {
  if (bytes >= 1e6) return fmt::format("{:.1f} MB", bytes / 1e6);
  if (bytes >= 1e3) return fmt::format("{:.1f} kB", bytes / 1e3);
  return fmt::format("{:.0f} B", bytes);
}

std::string age_text(const ops::Status& status, const std::optional<base::LocalTime>& time) {
  if (!time) return "-";
  return fmt::format("{} ms", std::chrono::duration_cast<base::milliseconds>(status.now - *time).count());
}

}  // namespace

StatusView::Rates StatusView::rates(const ops::Status& status) {
  std::uint64_t messages = 0;
  std::uint64_t payload = 0;
  std::uint64_t wire = 0;
  for (const auto& c : status.connections) {
    messages += c.messages;
    payload += c.payload_bytes;
    wire += c.wire_bytes_in;
  }
  if (last_time_ && status.now > *last_time_) {
    const double seconds = static_cast<double>((status.now - *last_time_).count()) / 1e9;
    last_rates_ = {static_cast<double>(messages - last_messages_) / seconds,
                   static_cast<double>(payload - last_payload_) / seconds,
                   static_cast<double>(wire - last_wire_) / seconds};
  }
  last_time_ = status.now;
  last_messages_ = messages;
  last_payload_ = payload;
  last_wire_ = wire;
  return last_rates_;
}

std::string StatusView::table(const ops::Status& status) {
  std::string text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{:<10} {:<8} {:>12} {:>12} {:>12} {:>7} {:>12} {:>11} {:>11} {:>6} {:>8} {:<8}\n",
                 "symbol", "state", "mid", "own bid", "own ask", "orders", "position", "realised",
                 "unrealised", "fills", "age", "price");
  for (const auto& s : status.symbols) {
    fmt::format_to(out, "{:<10} {:<8} {:>12} {:>12} {:>12} {:>7} {:>12} {:>11} {:>11} {:>6} {:>8} {:<8}",
                   s.name.view(), ops::name(s.state), price_text(s.mid), price_text(s.own_bid),
                   price_text(s.own_ask), s.orders_live, s.position.text(), money_text(s.realized_pnl),
                   money_text(s.unrealized_pnl), s.fills, age_text(status, s.last_depth_time),
                   s.verdict.view());
    if (!s.reason.empty()) fmt::format_to(out, "  {}", s.reason.view());
    text += '\n';
  }
  const auto r = rates(status);
  fmt::format_to(out, "\n{:.0f} messages/s, {}/s payload, {}/s on the wire", r.messages,
                 bytes_text(r.payload_bytes), bytes_text(r.wire_bytes));
  fmt::format_to(out, "; weight {}/{}, orders {}/{} in 10 s, {}/{} in 1 min\n", status.weight_used,
                 status.weight_limit, status.orders_10s_used, status.orders_10s_limit, status.orders_1m_used,
                 status.orders_1m_limit);
  std::string_view separator;
  for (const auto& c : status.connections) {
    if (!c.wanted && c.state.view() == "idle") continue;
    fmt::format_to(out, "{}{} {}", std::exchange(separator, ", "), c.name.view(), c.state.view());
    if (c.reconnects > 0) fmt::format_to(out, " ({} lost)", c.reconnects);
  }
  text += '\n';
  if (status.latched) text += "KILL LATCH SET: nothing is quoted until it is re-armed\n";
  if (status.bandwidth_step > 0) fmt::format_to(out, "bandwidth step {}\n", status.bandwidth_step);
  return text;
}

std::string StatusView::line(const ops::Status& status) {
  std::string text = fmt::format("{}", status.phase.view());
  const auto out = std::back_inserter(text);
  for (const auto& s : status.symbols) {
    fmt::format_to(out, " | {} {} mid={} orders={} pos={} fills={}", s.name.view(), ops::name(s.state),
                   price_text(s.mid), s.orders_live, s.position.text(), s.fills);
  }
  const auto r = rates(status);
  fmt::format_to(out, " | {:.0f} msg/s {}/s", r.messages, bytes_text(r.wire_bytes));
  return text;
}

}  // namespace phoenix::app
