#include "app/log.hpp"

#include "app/config.hpp"

#include <memory>

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace phoenix::app {

io::LiveHost::Logger make_logger(const std::string& level, const std::filesystem::path& file) {
  std::shared_ptr<spdlog::logger> logger;
  try {
    if (file.empty()) {
      logger = std::make_shared<spdlog::logger>("phoenix",
                                                std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    } else {
      logger = std::make_shared<spdlog::logger>(
          "phoenix", std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.string()));
    }
  } catch (const spdlog::spdlog_ex& fault) {
    throw StartError(fault.what());
  }
  logger->set_level(spdlog::level::from_str(level));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  logger->flush_on(spdlog::level::info);
  return [logger](engine::Severity severity, std::string_view text) {
    constexpr spdlog::level::level_enum levels[] = {spdlog::level::debug, spdlog::level::info,
                                                    spdlog::level::warn, spdlog::level::err};
    logger->log(levels[static_cast<std::size_t>(severity)], text);
  };
}

}  // namespace phoenix::app
