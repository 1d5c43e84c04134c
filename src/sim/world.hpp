#pragma once

#include "base/rng.hpp"
#include "base/time.hpp"
#include "engine/engine.hpp"
#include "exchange/protocol.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

namespace phoenix::sim {

struct WorldOptions {
  std::uint64_t seed = 1;
  engine::Options engine;
  exchange::ExchangeOptions exchange;
  std::string api_key = "sim-key", api_secret = "sim-secret";
  std::uint32_t run_epoch = 1;
  base::LocalTime start = base::local_time_ns(1'795'000'000'000'000'000);
  base::Duration latency_min = base::microseconds{200};  ///< one way
  base::Duration latency_max = base::milliseconds{3};
  base::Duration clock_offset{};  ///< venue clock minus the engine's
};

/// A whole market maker and a whole exchange in one thread and virtual time, joined by a network of random
/// latency that keeps the order within a connection. One seed decides everything. Time jumps to the next
/// thing due.
class World {
 public:
  explicit World(WorldOptions options);
  ~World();

  /// Lets everything due up to `until` happen.
  void run_until(base::LocalTime until);
  void run_for(base::Duration duration) { run_until(now_ + duration); }
  base::LocalTime now() const { return now_; }

  /// Asks the engine to leave; run on to see it finish.
  void request_stop();
  struct End {
    int exit_code;
    std::string reason;
  };
  const std::optional<End>& end() const { return end_; }

  // Faults.

  /// Cuts a connection at both ends, as a reset would.
  void cut(engine::ConnectionId id);
  /// The next `count` frames of a connection vanish.
  void drop_frames(engine::ConnectionId id, int count) { line(id).frames_to_drop += count; }
  /// The process stands still for `duration`: nothing is consumed, everything waits.
  void pause(base::Duration duration);

  engine::Engine& engine() { return *engine_; }
  exchange::Exchange& exchange() { return exchange_; }
  const std::string& api_key() const { return options_.api_key; }
  base::VenueTime venue_time(base::LocalTime local) const {
    return base::venue_time_ns(base::ns_of(local) + options_.clock_offset.count());
  }
  std::size_t open_sockets(engine::ConnectionId id) const;
  std::uint64_t steps() const { return steps_; }
  /// Everything the engine consumed, as an input log.
  const std::string& input_log() const { return log_; }
  const std::vector<std::string>& notes() const { return notes_; }

  /// Called around every step of the engine, for measurements.
  class Probe {
   public:
    virtual ~Probe() = default;
    virtual void before(const engine::Input& input) = 0;
    virtual void after(const engine::Input& input, const engine::Actions& actions) = 0;
  };
  void set_probe(Probe* probe) { probe_ = probe; }

 private:
  struct Line {
    std::uint64_t peer = 0;  ///< of the socket that is open; 0: none
    std::uint64_t generation = 0;
    base::LocalTime last_to_engine{}, last_to_exchange{};
    int frames_to_drop = 0;
  };
  struct Event {
    base::LocalTime at;
    std::uint64_t order;
    std::function<void()> happen;
    bool operator>(const Event& other) const { return std::tie(at, order) > std::tie(other.at, other.order); }
  };

  Line& line(engine::ConnectionId id) { return lines_[static_cast<std::size_t>(id)]; }
  base::Duration latency() {
    return base::Duration{rng_.between(options_.latency_min.count(), options_.latency_max.count())};
  }
  void at(base::LocalTime time, std::function<void()> happen) {
    events_.push({time, next_order_++, std::move(happen)});
  }
  base::LocalTime to_exchange(Line& line);
  base::LocalTime to_engine(Line& line);
  void step(const engine::Input& input);
  void perform(const engine::Action& action);
  void drain_exchange();
  void close_from_exchange(std::uint64_t peer, std::uint16_t code, const std::string& reason);

  WorldOptions options_;
  base::Rng rng_;
  base::LocalTime now_;
  exchange::Exchange exchange_;
  std::unique_ptr<engine::Engine> engine_;
  engine::Actions actions_, spare_actions_;
  std::array<Line, engine::connections_count> lines_{};
  std::map<std::uint64_t, engine::ConnectionId> peers_;
  std::uint64_t next_peer_ = 1, next_order_ = 0, steps_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  base::LocalTime paused_until_{};
  std::optional<End> end_;
  std::string log_;
  std::vector<std::string> notes_;
  Probe* probe_ = nullptr;
};

}  // namespace phoenix::sim
