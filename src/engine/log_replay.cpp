#include "engine/log_replay.hpp"

#include "engine/input_codec.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::engine {

std::string run_summary(const Engine& engine) {
  nlohmann::json symbols = nlohmann::json::object();
  for (std::size_t i = 0; i < engine.symbols().size(); ++i) {
    const model::SymbolId id{static_cast<std::uint16_t>(i)};
    symbols[std::string{engine.symbols().name(id)}] = {
        {"quotes_hash", fmt::format("{:016x}", engine.quotes_hash(id))}};
  }
  return symbols.dump();
}

namespace {

nlohmann::json json_of(const order::AssetAmounts& amounts) {
  nlohmann::json json = nlohmann::json::array();
  for (const auto& a : amounts) json.push_back({a.asset.str(), a.amount.raw()});
  return json;
}

nlohmann::json json_of(const order::LedgerState& state) {
  const auto& r = state.results;
  nlohmann::json json{{"symbol", state.symbol.index},
                      {"realized", r.realized_pnl.raw()},
                      {"commissions", json_of(r.commissions)},
                      {"funding", json_of(r.funding)},
                      {"volume", r.volume.raw()},
                      {"bought", r.bought_qty.raw()},
                      {"sold", r.sold_qty.raw()},
                      {"fills", r.fills_count},
                      {"maker_fills", r.maker_fills_count},
                      {"unsummed", r.unsummed},
                      {"trades_through", state.trades_through},
                      {"incomes_through_ns", base::ns_of(state.incomes_through)},
                      {"trades", nlohmann::json::array()},
                      {"incomes", nlohmann::json::array()}};
  for (const auto& t : state.trades) json["trades"].push_back({t.id, t.parts.quantity, t.parts.money});
  for (const auto& i : state.incomes) json["incomes"].push_back({base::ns_of(i.time), i.id});
  return json;
}

/// Throws nlohmann's exceptions where something is missing or of another type.
order::LedgerState ledger_state(const nlohmann::json& json) {
  order::LedgerState state;
  auto& r = state.results;
  state.symbol = model::SymbolId{json.at("symbol").get<std::uint16_t>()};
  r.realized_pnl = model::Money::from_raw(json.at("realized").get<std::int64_t>());
  for (const auto& a : json.at("commissions"))
    r.add_money({.realized_pnl = {},
                 .commission = model::Money::from_raw(a.at(1).get<std::int64_t>()),
                 .commission_asset = model::Asset{a.at(0).get<std::string>()}});
  for (const auto& a : json.at("funding"))
    r.add_funding(model::Asset{a.at(0).get<std::string>()},
                  model::Money::from_raw(a.at(1).get<std::int64_t>()));
  r.volume = model::Money::from_raw(json.at("volume").get<std::int64_t>());
  r.bought_qty = model::Qty::from_raw(json.at("bought").get<std::int64_t>());
  r.sold_qty = model::Qty::from_raw(json.at("sold").get<std::int64_t>());
  r.fills_count = json.at("fills").get<std::uint64_t>();
  r.maker_fills_count = json.at("maker_fills").get<std::uint64_t>();
  r.unsummed = json.at("unsummed").get<std::uint64_t>();
  state.trades_through = json.at("trades_through").get<std::int64_t>();
  state.incomes_through = base::venue_time_ns(json.at("incomes_through_ns").get<std::int64_t>());
  for (const auto& t : json.at("trades"))
    state.trades.push_back({.id = t.at(0).get<std::int64_t>(),
                            .parts = {.quantity = t.at(1).get<bool>(), .money = t.at(2).get<bool>()}});
  for (const auto& i : json.at("incomes"))
    state.incomes.push_back(
        {.time = base::venue_time_ns(i.at(0).get<std::int64_t>()), .id = i.at(1).get<std::int64_t>()});
  return state;
}

}  // namespace

void apply(const LogStart& start, Options& options) {
  options.recording.resume = start.resume;
  options.ledger = start.ledger;
  options.guard_latches = start.guard_latches;
}

std::string log_start_text(const LogStart& start) {
  nlohmann::json json{{"run_epoch", start.run_epoch}, {"config", start.config_text}};
  for (const auto& state : start.ledger) json["ledger"].push_back(json_of(state));
  for (const auto& latch : start.guard_latches) json["guard_latches"].push_back({latch.symbol, latch.text});
  auto& resume = json["resume"] = nlohmann::json::array();
  for (const auto& point : start.resume) {
    nlohmann::json j{{"symbol", point.symbol}, {"cvd", point.signals.cvd.raw()}};
    if (point.last_trade_id) j["last_trade_id"] = *point.last_trade_id;
    if (point.last_depth_id) j["last_depth_id"] = *point.last_depth_id;
    if (point.signals.last_second) j["last_second"] = *point.signals.last_second;
    if (point.recorded_until) j["recorded_until_ns"] = base::ns_of(*point.recorded_until);
    for (const auto& range : point.missing_trades) j["missing_trades"].push_back({range.from, range.to});
    resume.push_back(std::move(j));
  }
  return json.dump();
}

std::optional<LogStart> parse_log_start(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("run_epoch") || !json["run_epoch"].is_number_unsigned())
    return std::nullopt;
  if (!json.contains("config") || !json["config"].is_string()) return std::nullopt;
  LogStart start{json["run_epoch"].get<std::uint32_t>(), json["config"].get<std::string>(), {}, {}, {}};
  try {
    for (const auto& j : json.value("ledger", nlohmann::json::array()))
      start.ledger.push_back(ledger_state(j));
    for (const auto& j : json.value("guard_latches", nlohmann::json::array()))
      start.guard_latches.push_back({j.at(0).get<std::string>(), j.at(1).get<std::string>()});
    for (const auto& j : json.value("resume", nlohmann::json::array())) {
      ResumePoint point;
      point.symbol = j.at("symbol").get<std::string>();
      point.signals.cvd = model::Qty::from_raw(j.at("cvd").get<std::int64_t>());
      if (j.contains("last_trade_id")) point.last_trade_id = j["last_trade_id"].get<std::int64_t>();
      if (j.contains("last_depth_id")) point.last_depth_id = j["last_depth_id"].get<std::int64_t>();
      if (j.contains("last_second")) point.signals.last_second = j["last_second"].get<std::int64_t>();
      if (j.contains("recorded_until_ns"))
        point.recorded_until = base::local_time_ns(j["recorded_until_ns"].get<std::int64_t>());
      if (j.contains("missing_trades")) {
        for (const auto& range : j["missing_trades"])
          point.missing_trades.push_back({range.at(0).get<std::int64_t>(), range.at(1).get<std::int64_t>()});
      }
      start.resume.push_back(std::move(point));
    }
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
  return start;
}

LogReplayReport replay_log(std::string_view log, Engine& engine) {
  LogReplayReport report;
  record::LogReader reader{log};
  Actions actions;
  while (const auto record = reader.next()) {
    if (record->kind == log_kind_summary) report.recorded_summary = record->payload;
    if (record->kind == log_kind_start || record->kind == log_kind_summary) continue;
    const auto input = decode_input(record->payload);
    if (!input) {
      report.fault = record::LogFault::bad_length;
      break;
    }
    engine.step(*input, record->now, actions);
    report.actions += actions.size();
    actions.clear();
    ++report.inputs;
  }
  if (!report.fault) report.fault = reader.fault();
  report.replayed_summary = run_summary(engine);
  return report;
}

}  // namespace phoenix::engine
