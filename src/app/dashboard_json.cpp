#include "app/dashboard_json.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace phoenix::app {
namespace {

using Json = nlohmann::ordered_json;

std::int64_t ms(base::LocalTime t) { return base::ns_of(t) / 1'000'000; }

/// Texts of the venue may be no UTF-8; a page that gets none would show nothing at all.
std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json number_or_null(const std::optional<model::Price>& price) {
  return price ? Json(price->to_double()) : Json(nullptr);
}

std::string_view side_name(model::Side side) { return side == model::Side::bid ? "bid" : "ask"; }

}  // namespace

std::string hello_message(const HelloMessage& hello) {
  return text_of({{"type", "hello"},
                  {"version", hello.version},
                  {"run", hello.run},
                  {"actions", hello.actions == Offered::yes},
                  {"pausing", hello.pausing == Offered::yes},
                  {"faults", hello.faults == Offered::yes},
                  {"symbols", hello.symbols}});
}

std::string locked_message() { return R"({"type":"locked"})"; }

std::string events_message(std::span<const DashboardEvent> events) {
  Json rows = Json::array();
  for (const auto& e : events) {
    Json row{
        {"number", e.number}, {"at_ms", ms(e.at)}, {"kind", e.kind}, {"symbol", e.symbol}, {"what", e.what}};
    if (e.kind == "fill") {
      row["side"] = side_name(e.side);
      row["price"] = e.price.text();
      row["qty"] = e.qty.text();
    }
    if (!e.evidence.empty()) row["evidence"] = e.evidence;
    if (e.cost.count() > 0) row["cost_ms"] = e.cost / base::milliseconds{1};
    rows.push_back(std::move(row));
  }
  return text_of({{"type", "events"}, {"events", std::move(rows)}});
}

std::string ladder_message(const LadderView& ladder) {
  Json rows = Json::array();
  for (const auto& row : ladder.rows)
    rows.push_back(
        {side_name(row.side), row.price.text(), row.market.text(), row.own.text(), row.moving.text()});
  return text_of(
      {{"type", "ladder"}, {"symbol", ladder.symbol}, {"at_ms", ms(ladder.at)}, {"rows", std::move(rows)}});
}

std::string samples_message(std::string_view symbol, const std::deque<PriceSample>& samples) {
  Json rows = Json::array();
  for (const auto& s : samples) {
    rows.push_back({ms(s.at), number_or_null(s.mid), number_or_null(s.own_bid), number_or_null(s.own_ask),
                    s.position.to_double(), s.net_pnl.to_double()});
  }
  return text_of({{"type", "samples"}, {"symbol", symbol}, {"rows", std::move(rows)}});
}

std::string timelines_message(const DashboardHistory& history, std::span<const std::size_t> which) {
  Json rows = Json::array();
  for (const auto i : which) {
    const auto& t = history.timelines()[i];
    Json changes = Json::array();
    for (const auto& change : t.changes) changes.push_back({ms(change.at), change.state, change.evidence});
    rows.push_back({{"symbol", t.symbol},
                    {"role", t.role},
                    {"connection", t.connection},
                    {"line", t.line},
                    {"changes", std::move(changes)}});
  }
  return text_of({{"type", "timelines"}, {"timelines", std::move(rows)}});
}

std::string coverage_message(const DashboardHistory& history, std::size_t minutes_max) {
  Json symbols = Json::array();
  for (const auto& c : history.coverage()) {
    if (c.minutes.empty()) continue;
    Json minutes = Json::array();
    const auto count = std::min(minutes_max, c.minutes.size());
    for (auto it = c.minutes.end() - static_cast<std::ptrdiff_t>(count); it != c.minutes.end(); ++it)
      minutes.push_back(
          {it->minute, it->seconds_seen, it->seconds_good, it->rows, it->trades_lost, it->resyncs});
    symbols.push_back({{"symbol", c.symbol}, {"minutes", std::move(minutes)}});
  }
  return text_of({{"type", "coverage"}, {"symbols", std::move(symbols)}});
}

}  // namespace phoenix::app
