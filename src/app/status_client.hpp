#pragma once

#include "app/config.hpp"
#include "app/rest_caller.hpp"
#include "base/result.hpp"
#include "io/clock.hpp"

#include <string>

#include <nlohmann/json.hpp>

namespace phoenix::app {

/// Asks a running Phoenix over its metrics port. One call at a time, each ends within `call_max`.
class StatusClient {
 public:
  static constexpr base::Duration call_max = base::seconds{3};

  /// Throws StartError when the configuration serves no port.
  StatusClient(const io::RealClock& clock, const Config& config);

  /// What /status says (ops/status_json.hpp), as it came and read.
  struct Answer {
    std::string text;
    nlohmann::json status;
  };
  /// The fault: in one line why there is none.
  base::Result<Answer, std::string> status();

 private:
  io::Endpoint endpoint_;
  std::string token_;
  RestCaller caller_;
};

}  // namespace phoenix::app
