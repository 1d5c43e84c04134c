#pragma once

#include "base/time.hpp"
#include "engine/action.hpp"
#include "engine/input.hpp"
#include "exchange/protocol.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace phoenix::sim {

struct ModelVenueOptions {
  exchange::ExchangeOptions exchange;  ///< with one account
  base::LocalTime start{};
  /// The venue's clock minus ours.
  base::Duration clock_offset{};
  base::Duration latency_to_venue = base::milliseconds{5};
  base::Duration latency_of_market = base::milliseconds{5};   ///< market data, to us
  base::Duration latency_of_answers = base::milliseconds{5};  ///< everything else, to us
};

/// How many decimals a price or quantity has that is a multiple of `unit`, in 1e-8; at most 8.
int decimals(std::int64_t unit);

/// The options of an exchange with one account whose symbols are driven from outside. Empty fees: the venue's
/// first tier of the quote asset. `wallet` is of each quote asset.
struct ExternalMarketOptions {
  std::vector<exchange::SymbolSpec> symbols;
  exchange::ExternalQueue queue = exchange::ExternalQueue::from_behind;
  std::optional<model::Rate> maker_fee, taker_fee;
  model::Money wallet = model::Money::from_units(10'000);
  base::Duration funding_interval = base::hours{8};
};
exchange::ExchangeOptions external_market(const ExternalMarketOptions& options, std::string api_key,
                                          std::string api_secret, base::VenueTime start);

/// An exchange as an engine meets it: connections, requests and answers that are under way for a time, pings.
/// The network between loses nothing and keeps the order of what belongs to one connection. No clock, one
/// thread; equal calls give equal inputs.
class ModelVenue {
 public:
  /// Throws std::invalid_argument with one line when the options make no sense.
  explicit ModelVenue(ModelVenueOptions options);

  /// Takes connections, messages and calls; false: the action is none of these.
  bool take(const engine::Action& action, const engine::Actions& all, base::LocalTime now);
  /// Lets the exchange do what is due, and what has arrived at it.
  void advance(base::LocalTime now);
  /// What happens to the engine at once because of what it did itself; the texts are valid until the next
  /// call of this or of `next`. To be asked after each step.
  std::optional<engine::Input> immediate();
  /// What has arrived at the engine, one at a time.
  std::optional<engine::Input> next(base::LocalTime now);
  base::LocalTime next_deadline();

  /// An operation on the exchange's core, as exchange::Exchange::administer.
  template <class Operate>
  void administer(base::LocalTime now, Operate operate) {
    exchange_.administer(venue_time(now), std::move(operate));
    drain_exchange(now);
  }
  /// Market data sent from now on is under way for so much longer.
  void set_market_lag(base::Duration lag) { market_lag_ = lag; }
  void set_clock_offset(base::Duration offset) { options_.clock_offset = offset; }

  exchange::Exchange& exchange() { return exchange_; }
  const exchange::Exchange& exchange() const { return exchange_; }
  base::VenueTime venue_time(base::LocalTime t) const {
    return base::venue_time_ns(base::ns_of(t) + options_.clock_offset.count());
  }

 private:
  struct Socket {
    exchange::PeerId peer = 0;
    engine::ConnectionId id{};
    bool open = false;
  };
  struct Message {
    enum class What : std::uint8_t {
      handshake,
      text,
      hung_up,
      pong,
      call,  // at the exchange
      opened,
      frame,
      closed,
      let_go,
      answer  // at the engine
    };
    base::LocalTime at{};
    What what = What::text;
    exchange::PeerId peer = 0;
    engine::ConnectionId id{};
    model::RequestId request{};
    int status = 0;  ///< of an answer, a refused handshake, a close
    std::string text{};
    std::string method{}, body{};                                ///< of a call
    std::vector<std::pair<std::string, std::string>> headers{};  ///< of an answer
  };
  using Messages = std::deque<Message>;

  base::LocalTime local_time(base::VenueTime t) const {
    return base::local_time_ns(base::ns_of(t) - options_.clock_offset.count());
  }
  void at_exchange(Message& message, base::LocalTime now);
  /// Empty where its connection is gone.
  std::optional<engine::Input> at_engine(Message& message);
  void drain_exchange(base::LocalTime now);
  void to_exchange(Message message, base::LocalTime now);
  /// By the way of the socket's kind: what belongs to one connection keeps its order.
  void to_engine(engine::ConnectionId id, Message message, base::LocalTime now);
  static void push(Messages& queue, Message message, base::LocalTime now, base::Duration latency);
  Socket* socket_of(exchange::PeerId peer);
  Socket* socket_of(engine::ConnectionId id);

  ModelVenueOptions options_;
  std::string api_key_;
  exchange::Exchange exchange_;
  std::vector<Socket> sockets_;
  Messages to_exchange_, market_data_, answers_;  ///< on their way, each in the order of its times
  Messages own_;                                  ///< what the engine's own doing brings back to it at once
  std::deque<engine::ConnectionId> pongs_;
  Message current_;  ///< what the input handed out last points into
  exchange::PeerId next_peer_ = 1;
  std::optional<base::LocalTime> exchange_due_;
  base::LocalTime next_ping_;
  base::Duration market_lag_{};
};

}  // namespace phoenix::sim
