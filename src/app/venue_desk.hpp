#pragma once

#include "app/config.hpp"
#include "base/result.hpp"
#include "io/clock.hpp"
#include "io/network.hpp"
#include "model/order.hpp"
#include "model/symbol_table.hpp"
#include "venue/binance/encode.hpp"
#include "venue/binance/rest_answers.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace phoenix::app {

/// What the venue or the network said against it, in one line.
template <class T>
using Asked = base::Result<T, std::string>;

/// Lists and cancels an account's orders over REST, for the commands that stand beside a maker and share
/// nothing with it: sockets, clock offset and rate budget are its own. One call at a time; each ends within
/// `call_max`.
class VenueDesk final : private io::NetworkHandler {
 public:
  static constexpr base::Duration call_max = base::seconds{2};

  /// Throws StartError.
  VenueDesk(const io::RealClock& clock, const Config& config, const Credentials& credentials);
  ~VenueDesk() override;

  const model::SymbolTable& symbols() const { return symbols_; }
  /// Of every symbol of the configuration.
  Asked<std::vector<model::OrderReport>> open_orders();
  /// Whatever the venue answers for a single order: the next list tells what is left.
  Asked<void> cancel(std::span<const model::CancelOrder> orders);
  /// Everybody's orders of that symbol.
  Asked<void> cancel_all(model::SymbolId symbol);

 private:
  Asked<io::RestResult> call(const venue::binance::RestRequest& request, io::Lane lane);
  Asked<base::VenueTime> venue_now();

  void on_open(io::ConnectionId, const io::OpenInfo&, base::LocalTime) override {}
  void on_text(io::ConnectionId, std::string_view, base::LocalTime) override {}
  void on_pong(io::ConnectionId, base::Duration, base::LocalTime) override {}
  void on_closed(io::ConnectionId, const io::CloseInfo&, base::LocalTime) override {}
  void on_rest(model::RequestId id, io::RestResult& result, base::LocalTime now) override;
  void on_turn_end(base::LocalTime) override {}

  const io::RealClock& clock_;
  io::Endpoint endpoint_;
  std::string api_key_;
  model::SymbolTable symbols_;
  std::vector<model::SymbolId> symbol_ids_;
  std::optional<venue::binance::Encoder> encoder_;
  venue::binance::RestDecoder decoder_;
  venue::binance::RequestBuffer buffer_;
  std::optional<base::Duration> offset_;  ///< venue clock minus ours
  base::LocalTime banned_until_{};        ///< as the venue asked with Retry-After

  std::mutex mutex_;
  std::condition_variable came_;
  model::RequestId last_request_;
  std::optional<io::RestResult> answer_;  ///< to last_request_
  std::optional<io::Network> network_;
};

}  // namespace phoenix::app
