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

std::string log_start_text(const LogStart& start) {
  nlohmann::json json{{"run_epoch", start.run_epoch}, {"config", start.config_text}};
  auto& resume = json["resume"] = nlohmann::json::array();
  for (const auto& point : start.resume) {
    nlohmann::json j{{"symbol", point.symbol}, {"cvd", point.signals.cvd.raw()}};
    if (point.last_trade_id) j["last_trade_id"] = *point.last_trade_id;
    if (point.last_depth_id) j["last_depth_id"] = *point.last_depth_id;
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
  LogStart start{json["run_epoch"].get<std::uint32_t>(), json["config"].get<std::string>(), {}};
  if (!json.contains("resume")) return start;
  try {
    for (const auto& j : json["resume"]) {
      ResumePoint point;
      point.symbol = j.at("symbol").get<std::string>();
      point.signals.cvd = model::Qty::from_raw(j.at("cvd").get<std::int64_t>());
      if (j.contains("last_trade_id")) point.last_trade_id = j["last_trade_id"].get<std::int64_t>();
      if (j.contains("last_depth_id")) point.last_depth_id = j["last_depth_id"].get<std::int64_t>();
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
