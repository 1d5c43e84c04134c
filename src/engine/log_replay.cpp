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
  return nlohmann::json{{"run_epoch", start.run_epoch}, {"config", start.config_text}}.dump();
}

std::optional<LogStart> parse_log_start(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("run_epoch") || !json["run_epoch"].is_number_unsigned())
    return std::nullopt;
  if (!json.contains("config") || !json["config"].is_string()) return std::nullopt;
  return LogStart{json["run_epoch"].get<std::uint32_t>(), json["config"].get<std::string>()};
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
