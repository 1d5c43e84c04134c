#pragma once

#include "base/time.hpp"
#include "ops/health.hpp"
#include "ops/status.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace phoenix::app {

/// Turns statuses into text for people. Keeps the last one, to show rates.
class StatusView {
 public:
  /// The whole picture, several lines of at most `width` characters; 0: no bound.
  std::string table(const ops::Status& status, std::size_t width = 0);
  /// The same of a status as /status tells it.
  std::string table(const nlohmann::json& status, std::size_t width = 0);
  /// What goes over the wire, by connection and stream.
  std::string traffic(const nlohmann::json& status, std::size_t width = 0);
  /// One line, for logs and pipes.
  std::string line(const ops::Status& status);

 private:
  nlohmann::json before_;  ///< for `table` and `traffic`
  ops::HealthJudge judge_;

  struct Rates {
    double messages = 0, wire_bytes = 0;  ///< per second
  };
  Rates rates(const ops::Status& status);
  std::optional<base::LocalTime> last_time_;
  std::uint64_t last_messages_ = 0, last_wire_ = 0;
  Rates last_rates_;
};

/// The same with colours: states and levels by how bad they are, what kind of run it is.
std::string painted(std::string_view text);

}  // namespace phoenix::app
