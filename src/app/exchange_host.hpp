#pragma once

#include "app/exchange_control.hpp"
#include "exchange/faults.hpp"
#include "exchange/protocol.hpp"
#include "io/clock.hpp"
#include "io/server.hpp"

#include <cstdint>
#include <deque>
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

/// Carries bytes between real sockets and the local exchange, and applies faults to them. Everything runs on
/// the server's thread; the exchange's clock is our own, so a client measures an offset near zero.
class ExchangeHost final : public io::ServerHandler {
 public:
  /// Feeds a market into the exchange from outside; called on the server's thread.
  class Market {
   public:
    virtual ~Market() = default;
    virtual void advance(exchange::Exchange& exchange, base::VenueTime now) = 0;
    virtual std::optional<base::VenueTime> next_time() const = 0;
  };

  /// Binds the ports; throws std::runtime_error with one line when it cannot. The plan's times count from
  /// now; it passes networked_trouble.
  ExchangeHost(const io::RealClock& clock, exchange::ExchangeOptions options, io::ServerOptions server,
               std::unique_ptr<Market> market = nullptr, exchange::FaultPlan faults = {});
  ~ExchangeHost() override;

  /// Opens the control endpoint as well; before `start`. Throws as the constructor does.
  void open_control(std::uint16_t port);

  void start();
  void stop();
  /// Any thread: carries out a request of the control endpoint that came by another way; its `call` is not
  /// looked at. `answer` is called on this host's thread, or never when it stops before.
  void ask(ControlRequest request, std::function<void(io::HttpReply)> answer);
  std::uint16_t plain_port() const { return server_->plain_port(); }
  std::uint16_t tls_port() const { return server_->tls_port(); }
  std::optional<std::uint16_t> control_port() const;
  /// After `stop` only: the truth.
  const exchange::Exchange& exchange() const { return exchange_; }

  std::optional<io::HttpReply> on_http(io::CallId id, const io::HttpCall& call, base::LocalTime now) override;
  io::UpgradeReply on_upgrade(io::PeerId id, const io::HttpCall& call, base::LocalTime now) override;
  void on_peer(io::PeerId id, base::LocalTime now) override;
  void on_text(io::PeerId id, std::string_view text, base::LocalTime now) override;
  void on_control(io::PeerId id, io::ControlFrame kind, std::string_view payload,
                  base::LocalTime now) override;
  void on_peer_closed(io::PeerId id, std::uint16_t code, base::LocalTime now) override;
  std::optional<base::LocalTime> next_deadline() override;
  void on_timer(base::LocalTime now) override;

 private:
  /// A REST request whose execution a fault put off.
  struct Late {
    io::CallId call;
    exchange::HttpRequest request;
    exchange::RestVerdict verdict;
  };

  /// Brings everything that is under way to where it belongs.
  void settle(base::LocalTime now);
  io::HttpReply control(const ControlRequest& request, base::LocalTime now);
  void carry_out(exchange::FaultAction& action, base::LocalTime now);
  void send(const exchange::Out& out);
  void execute(Late late, base::LocalTime now);
  void run_late(base::LocalTime now);
  void remember(std::string_view address);

  const io::RealClock& clock_;
  exchange::Exchange exchange_;
  exchange::Faults faults_;
  exchange::FaultActions actions_;
  std::unique_ptr<Market> market_;
  std::map<io::PeerId, std::vector<exchange::Out>>
      opening_;  ///< upgrades not answered yet, and what waits for them
  std::multimap<base::LocalTime, Late> late_requests_;
  std::multimap<base::LocalTime, std::pair<io::CallId, io::HttpReply>> late_answers_;
  std::deque<std::pair<base::LocalTime, io::CallId>> silent_;  ///< never answered, and when they are dropped
  std::map<std::string, Opened, std::less<>> opened_;
  std::set<std::string> addresses_;
  std::mutex asked_mutex_;
  std::vector<std::pair<ControlRequest, std::function<void(io::HttpReply)>>> asked_;
  std::unique_ptr<io::Server> server_;
  std::unique_ptr<ExchangeControl> control_;
};

}  // namespace phoenix::app
