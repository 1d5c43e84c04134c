#pragma once

#include "app/dashboard_access.hpp"
#include "base/time.hpp"
#include "exchange/faults.hpp"
#include "exchange/protocol.hpp"
#include "io/clock.hpp"
#include "io/server.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phoenix::app {

/// Asks the control endpoint for something, as it arrived.
struct ControlRequest {
  io::CallId call = 0;
  std::string method, path, body;
};

/// The endpoint by which tests put faults on a running local exchange: an HTTP server of its own, on a thread
/// of its own, for this machine alone and for no page of another site. Requests wait here for the exchange's
/// thread, answers for this server's.
class ExchangeControl final : public io::ServerHandler {
 public:
  /// Binds 127.0.0.1; throws std::runtime_error with one line when it cannot. `arrived` is called on this
  /// server's thread after a request was put in.
  ExchangeControl(const io::RealClock& clock, std::uint16_t port, std::function<void()> arrived);
  ~ExchangeControl() override;

  void start() { server_->start(); }
  void stop() { server_->stop(); }
  std::uint16_t port() const { return server_->plain_port(); }

  // Any thread.
  std::vector<ControlRequest> take_requests();
  void answer(io::CallId call, io::HttpReply reply);

  std::optional<io::HttpReply> on_http(io::CallId id, const io::HttpCall& call, base::LocalTime now) override;
  io::UpgradeReply on_upgrade(io::PeerId id, const io::HttpCall& call, base::LocalTime now) override;
  void on_peer(io::PeerId, base::LocalTime) override {}
  void on_text(io::PeerId, std::string_view, base::LocalTime) override {}
  void on_control(io::PeerId, io::ControlFrame, std::string_view, base::LocalTime) override {}
  void on_peer_closed(io::PeerId, std::uint16_t, base::LocalTime) override {}
  std::optional<base::LocalTime> next_deadline() override { return std::nullopt; }
  void on_timer(base::LocalTime now) override;

 private:
  const DashboardAccess access_;
  std::function<void()> arrived_;
  std::mutex mutex_;
  std::vector<ControlRequest> requests_;
  std::vector<std::pair<io::CallId, io::HttpReply>> answers_;
  std::unique_ptr<io::Server> server_;
};

/// What the exchange's host remembers for the control endpoint.
struct Opened {
  std::uint64_t all = 0;
  std::size_t most_at_once = 0;
};
struct ControlView {
  const exchange::Exchange& exchange;
  const std::map<std::string, Opened, std::less<>>& opened;  ///< by route
  const std::set<std::string>& addresses;                    ///< of clients
};

/// Carries out one request; `actions` is what the gate wants done then.
io::HttpReply control_reply(const ControlRequest& request, const ControlView& view, exchange::Faults& faults,
                            base::LocalTime now, exchange::FaultActions& actions);

/// Why a plan cannot be carried out over real sockets, in one line; empty when it can.
std::string networked_trouble(const exchange::FaultPlan& plan);

}  // namespace phoenix::app
