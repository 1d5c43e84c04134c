#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "io/clock.hpp"
#include "io/network.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>

namespace phoenix::app {

/// REST for commands that have nothing to do but to wait: one call at a time, with a network thread of its
/// own. Any thread, one at a time.
class RestCaller final : private io::NetworkHandler {
 public:
  explicit RestCaller(const io::RealClock& clock);
  ~RestCaller() override;

  /// The answer, whatever its status, within `most`; the fault says in one line why there is none. Sets the
  /// call's id and deadline.
  base::Result<io::RestResult, std::string> call(io::RestCall call, base::Duration most);

 private:
  void on_open(io::ConnectionId, const io::OpenInfo&, base::LocalTime) override {}
  void on_text(io::ConnectionId, std::string_view, base::LocalTime) override {}
  void on_pong(io::ConnectionId, base::Duration, base::LocalTime) override {}
  void on_closed(io::ConnectionId, const io::CloseInfo&, base::LocalTime) override {}
  void on_rest(model::RequestId id, io::RestResult& result, base::LocalTime now) override;
  void on_turn_end(base::LocalTime) override {}

  const io::RealClock& clock_;
  std::mutex mutex_;
  std::condition_variable came_;
  model::RequestId last_request_;
  std::optional<io::RestResult> answer_;  ///< to last_request_
  io::Network network_;
};

}  // namespace phoenix::app
