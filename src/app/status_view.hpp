#pragma once

#include "base/time.hpp"
#include "ops/status.hpp"

#include <map>
#include <optional>
#include <string>

namespace phoenix::app {

/// Turns statuses into text for people. Keeps the last one, to show rates.
class StatusView {
 public:
  /// The whole picture, several lines.
  std::string table(const ops::Status& status);
  /// The same in one line, for logs and pipes.
  std::string line(const ops::Status& status);

 private:
  struct Rates {
    double messages = 0, payload_bytes = 0, wire_bytes = 0;  ///< per second
  };
  Rates rates(const ops::Status& status);
  std::optional<base::LocalTime> last_time_;
  std::uint64_t last_messages_ = 0, last_payload_ = 0, last_wire_ = 0;
  Rates last_rates_;
};

}  // namespace phoenix::app
