#pragma once

#include "base/time.hpp"
#include "engine/action.hpp"
#include "io/clock.hpp"
#include "io/local_venue.hpp"
#include "io/network.hpp"
#include "io/recording.hpp"
#include "ops/incident.hpp"
#include "ops/status.hpp"
#include "order/state_record.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace phoenix::engine {
class Engine;
}

namespace phoenix::io {

struct LiveHostOptions {
  Endpoint rest, stream, order_api;
  std::string api_key;  ///< header of REST calls; empty: none
  /// Has the account in place of the real venue, and outlives the host. With it the host needs neither
  /// `order_api` nor `api_key`, and asserts that only public data is asked for over the network.
  LocalVenue* local_venue = nullptr;
  Deflate deflate = Deflate::refuse;
  base::Duration ping_interval = base::seconds{20};
  base::Duration pong_timeout = base::seconds{10};
  Waiting waiting = Waiting::block;
  std::size_t frame_ring_bytes = 64U << 20;
  std::size_t waiting_bytes_max = 16U << 20;
  std::optional<std::filesystem::path>
      input_log;                ///< where to write what the engine consumes; empty: nowhere
  std::string input_log_start;  ///< first record of the log or the journal: what the run was told
  /// Takes every frame before the engine sees it, what the engine consumed, and its rows; outlives the host.
  /// None: nothing is recorded.
  Recording* recording = nullptr;
  base::Duration status_interval = base::milliseconds{100};

  // Called on the engine's thread; each may be empty.

  std::function<void(const ops::Incident&)> on_incident;
  /// Makes the kill latch durable before it returns.
  std::function<void(std::string_view reason)> set_latch;
  /// Keeps what a guard latched before it returns; an empty text takes it away.
  std::function<void(std::string_view symbol, std::string_view text)> keep_guard_latch;
  /// Whose guard's latch was taken away from outside, once each; asked every status_interval.
  std::function<std::optional<std::string>()> rearmed;
  /// Of which symbol somebody else's orders and trades were claimed, once each; asked every status_interval.
  std::function<std::optional<std::string>()> claimed;
  /// What a person or an alert asks for (HoldAsked), once each; asked every status_interval.
  struct Hold {
    engine::HoldBy by = engine::HoldBy::person;
    engine::HoldWish wish = engine::HoldWish::none;
    std::string symbol;  ///< empty: all
  };
  std::function<std::optional<Hold>()> hold_asked;
  /// A changed configuration that may be applied, once; asked every status_interval.
  std::function<std::optional<std::string>()> changed_options;
  /// Must not block.
  std::function<void(const order::StateRecord& record)> keep_state;
  /// The reason when the latch is set; asked every status_interval.
  std::function<std::optional<std::string>()> latch;
  /// Every status_interval while the engine's thread runs: the steps it has made.
  std::function<void(base::LocalTime now, std::uint64_t steps)> on_alive;
};

/// Runs an engine on real sockets. Two threads: the network's reads frames, stamps them and puts them into a
/// bounded ring; the engine's takes them, steps, and hands the actions back. Neither decides anything.
///
/// Policy of the ring, by kind. bookTicker: while the ring is more than half full, the newest of each stream
/// waits outside and replaces the one before it, counted; not while recording. Depth and the other market
/// streams: a frame that finds the ring full is dropped, counted, and the engine is told (FramesDropped),
/// which breaks its books and fetches what it missed. User data, order replies, answers and closed
/// connections are not dropped: they wait outside, up to `waiting_bytes_max`; beyond it a frame is a hole
/// like the others.
class LiveHost {
 public:
  using Logger = std::function<void(engine::Severity, std::string_view)>;  ///< called on the engine's thread

  LiveHost(const RealClock& clock, engine::Engine& engine, LiveHostOptions options, Logger log);
  ~LiveHost();
  LiveHost(const LiveHost&) = delete;
  LiveHost& operator=(const LiveHost&) = delete;

  void start();
  /// Asks the engine to leave safely. Any thread, any number of times.
  void request_stop();
  /// Waits until the engine has finished or `timeout` passed; its exit code and reason, empty when it has
  /// not.
  struct End {
    int exit_code = 0;
    std::string reason;
  };
  std::optional<End> wait_finished(base::Duration timeout);
  /// Ends the threads, wherever the engine is. Also done by the destructor.
  void stop();

  /// The newest picture of the engine. Any thread.
  ops::Status status() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::io
