#pragma once

#include "app/config.hpp"
#include "base/result.hpp"
#include "io/clock.hpp"
#include "io/network.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace phoenix::app {

/// Asks a running Phoenix over its metrics port. One call at a time, each ends within `call_max`.
class StatusClient final : private io::NetworkHandler {
 public:
  static constexpr base::Duration call_max = base::seconds{3};

  /// Throws StartError when the configuration serves no port.
  StatusClient(const io::RealClock& clock, const Config& config);
  ~StatusClient() override;

  /// What /status says (ops/status_json.hpp), as it came and read.
  struct Answer {
    std::string text;
    nlohmann::json status;
  };
  /// The fault: in one line why there is none.
  base::Result<Answer, std::string> status();

 private:
  void on_open(io::ConnectionId, const io::OpenInfo&, base::LocalTime) override {}
  void on_text(io::ConnectionId, std::string_view, base::LocalTime) override {}
  void on_pong(io::ConnectionId, base::Duration, base::LocalTime) override {}
  void on_closed(io::ConnectionId, const io::CloseInfo&, base::LocalTime) override {}
  void on_rest(model::RequestId id, io::RestResult& result, base::LocalTime now) override;
  void on_turn_end(base::LocalTime) override {}

  const io::RealClock& clock_;
  io::Endpoint endpoint_;
  std::string token_;

  std::mutex mutex_;
  std::condition_variable came_;
  model::RequestId last_request_;
  std::optional<io::RestResult> answer_;  ///< to last_request_
  std::optional<io::Network> network_;
};

}  // namespace phoenix::app
