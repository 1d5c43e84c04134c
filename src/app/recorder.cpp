#include "app/recorder.hpp"

#include "app/version.hpp"
#include "io/files.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::app {
namespace {

engine::Severity severity_of(io::Recording::Level level) {
  constexpr engine::Severity severities[] = {engine::Severity::debug, engine::Severity::info,
                                             engine::Severity::warning, engine::Severity::error};
  return severities[static_cast<std::size_t>(level)];
}

}  // namespace

std::unique_ptr<io::Recording> open_recording(const io::RealClock& clock, Config& config,
                                              const io::LiveHost::Logger& log, io::Overlap* overlap) {
  const auto& recording = config.recording;
  io::RecordingSettings settings;
  settings.directory = recording.dir;
  settings.program = std::string{version};
  settings.manifest = nlohmann::json{{"program", version},
                                     {"started_ns", base::ns_of(clock.now())},
                                     {"rest", config.hosts.rest.text("https")},
                                     {"streams", config.hosts.streams.text("wss")},
                                     {"settings", nlohmann::json::parse(effective_json(recording))}}
                          .dump(2);
  settings.journal = journal_options(recording);
  settings.archive = archive_options(recording);
  settings.extreme = extreme_options(recording);
  settings.rows_max = recording.rows_max;
  for (const auto& symbol : config.engine.symbols) {
    if (symbol.recorded == engine::Switch::on) settings.symbols.push_back(symbol.name);
  }
  if (overlap != nullptr) settings.overheard = [overlap] { return overlap->take(); };
  try {
    auto made = std::make_unique<io::Recording>(
        clock, std::move(settings),
        [log](io::Recording::Level level, std::string_view text) { log(severity_of(level), text); });
    config.engine.recording.resume = made->resume();
    return made;
  } catch (const std::runtime_error& fault) {
    throw StartError(fault.what());
  }
}

void close_recording(io::Recording& recording, const io::LiveHost::Logger& log, io::Recording::Rest rest) {
  const bool all = recording.close(rest);
  const auto status = recording.status();
  const bool is_well = all || rest == io::Recording::Rest::leave;
  log(is_well ? engine::Severity::info : engine::Severity::warning,
      fmt::format("recording closed rows={} files={} journal_bytes={} lost_records={} refused_rows={}{}",
                  status.rows_durable, status.files, status.journal_bytes, status.journal_lost,
                  status.rows_refused, all ? "" : " segments_left=" + std::to_string(status.backlog)));
}

}  // namespace phoenix::app
