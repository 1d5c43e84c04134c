#pragma once

#include "engine/connection.hpp"
#include "io/clock.hpp"
#include "io/network.hpp"

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace phoenix::io {

struct OverlapOptions {
  struct Line {
    engine::ConnectionId connection =
        engine::ConnectionId::public_c;  ///< its frames are told under this name
    WsOptions ws;
    std::vector<std::string> subscriptions;  ///< one text each, every one of which the venue acknowledges
  };
  std::vector<Line> lines;
  std::size_t bytes_max = 256U << 20;  ///< kept until they are taken; what comes beyond it is a hole
};

/// Listens to market streams beside whoever records them now, and keeps what it reads until it is taken: what
/// the earlier recorder does not write any more and the later one not yet. It decides nothing; a connection
/// that ends stays ended.
class Overlap final : private NetworkHandler {
 public:
  Overlap(const RealClock& clock, OverlapOptions options);
  ~Overlap() override;
  Overlap(const Overlap&) = delete;
  Overlap& operator=(const Overlap&) = delete;

  /// Of the thread that made it: sends what is due. True once every subscription was acknowledged.
  bool proceed();

  // Any thread.

  /// Why a connection ended or a subscription was refused, in one line; empty while all is well.
  std::string fault() const;
  /// Encoded inputs (engine/input_codec.hpp) since the last call, in the order they were read.
  std::vector<std::string> take();

 private:
  void on_open(ConnectionId id, const OpenInfo& info, base::LocalTime now) override;
  void on_text(ConnectionId id, std::string_view payload, base::LocalTime now) override;
  void on_pong(ConnectionId, base::Duration, base::LocalTime) override {}
  void on_closed(ConnectionId id, const CloseInfo& info, base::LocalTime now) override;
  void on_rest(model::RequestId, RestResult&, base::LocalTime) override {}
  void on_turn_end(base::LocalTime) override {}

  void fail(std::string why);

  OverlapOptions options_;
  mutable std::mutex mutex_;                  ///< guards all up to `network_`
  std::vector<engine::ConnectionId> opened_;  ///< and not subscribed yet
  std::size_t awaited_ = 0;                   ///< acknowledgements
  std::vector<std::string> kept_;
  std::size_t kept_bytes_ = 0;
  bool is_full_ = false;
  std::string fault_;
  Network network_;
};

}  // namespace phoenix::io
