#pragma once

#include "io/clock.hpp"
#include "io/server.hpp"
#include "ops/status.hpp"

#include <functional>
#include <memory>
#include <string>

namespace phoenix::app {

/// Serves /metrics and /healthz of a running engine on its own thread.
class OpsHost final : public io::ServerHandler {
 public:
  using Source = std::function<ops::Status()>;  ///< called on this host's thread

  /// Binds; throws std::runtime_error with one line when the port is in use. Port 0: any free one.
  OpsHost(const io::RealClock& clock, const std::string& address, std::uint16_t port, Source source);
  ~OpsHost() override;
  void start() { server_->start(); }
  std::uint16_t port() const { return server_->plain_port(); }

  std::optional<io::HttpReply> on_http(io::CallId id, const io::HttpCall& call, base::LocalTime now) override;
  io::UpgradeReply on_upgrade(io::PeerId id, const io::HttpCall& call, base::LocalTime now) override;
  void on_peer(io::PeerId, base::LocalTime) override {}
  void on_text(io::PeerId, std::string_view, base::LocalTime) override {}
  void on_control(io::PeerId, io::ControlFrame, std::string_view, base::LocalTime) override {}
  void on_peer_closed(io::PeerId, std::uint16_t, base::LocalTime) override {}
  std::optional<base::LocalTime> next_deadline() override { return std::nullopt; }
  void on_timer(base::LocalTime) override {}

 private:
  Source source_;
  std::unique_ptr<io::Server> server_;
};

}  // namespace phoenix::app
