#pragma once

#include "exchange/protocol.hpp"
#include "io/clock.hpp"
#include "io/server.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::app {

/// Carries bytes between real sockets and the local exchange. Everything runs on the server's thread; the
/// exchange's clock is our own, so a client measures an offset near zero.
class ExchangeHost final : public io::ServerHandler {
 public:
  /// Feeds a market into the exchange from outside; called on the server's thread.
  class Market {
   public:
    virtual ~Market() = default;
    virtual void advance(exchange::Exchange& exchange, base::VenueTime now) = 0;
    virtual std::optional<base::VenueTime> next_time() const = 0;
  };

  /// Binds the ports; throws std::runtime_error with one line when it cannot.
  ExchangeHost(const io::RealClock& clock, exchange::ExchangeOptions options, io::ServerOptions server,
               std::unique_ptr<Market> market = nullptr);
  ~ExchangeHost() override;

  void start();
  void stop();
  std::uint16_t plain_port() const { return server_->plain_port(); }
  std::uint16_t tls_port() const { return server_->tls_port(); }
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
  void send_out();
  void send(const exchange::Out& out);

  exchange::Exchange exchange_;
  std::unique_ptr<Market> market_;
  std::map<io::PeerId, std::vector<exchange::Out>>
      opening_;  ///< upgrades not answered yet, and what waits for them
  std::unique_ptr<io::Server> server_;
};

}  // namespace phoenix::app
