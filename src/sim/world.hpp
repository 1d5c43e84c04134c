#pragma once

#include "base/rng.hpp"
#include "base/time.hpp"
#include "engine/engine.hpp"
#include "engine/resume_state.hpp"
#include "exchange/fault_plan.hpp"
#include "exchange/faults.hpp"
#include "exchange/protocol.hpp"
#include "ops/guard_rules.hpp"
#include "sim/guard_process.hpp"
#include "sim/observer.hpp"
#include "sim/state_keeper.hpp"
#include "sim/trace_hash.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::sim {

enum class InputLog : bool { off, keep };
/// How many lines of a channel the plan may touch at a time.
enum class FaultyLines : std::uint8_t { any, one };

struct WorldOptions {
  std::uint64_t seed = 1;
  engine::Options engine;
  exchange::ExchangeOptions exchange;
  std::string api_key = "sim-key", api_secret = "sim-secret";
  std::uint32_t run_epoch = 1;  ///< of the first process; each that follows has one more
  base::LocalTime start = base::local_time_ns(1'795'000'000'000'000'000);
  base::Duration latency_min = base::microseconds{200};  ///< one way, of a link on average
  base::Duration latency_max = base::milliseconds{3};
  base::Duration clock_offset{};  ///< venue clock minus the engine's
  exchange::FaultPlan faults;
  FaultyLines faulty_lines = FaultyLines::any;
  std::optional<ops::GuardOptions>
      guard;  ///< empty: nobody watches the process; one that died starts again by itself
  InputLog input_log = InputLog::keep;
  /// Somebody trades by hand on the maker's account: an order that rests at the touch or away from it. A
  /// person looks every `claims_every` and claims what is held.
  struct Outsider {
    base::Duration at{};  ///< after the start
    std::string symbol;
    model::Side side = model::Side::bid;
    int ticks_away = 0;
  };
  std::vector<Outsider> outsiders;
  base::Duration claims_every = base::seconds{20};
  base::Duration state_lost_max = base::milliseconds{200};  ///< what a death takes of what was told the store

  // What the network does in place of `io`, with its figures.
  base::Duration ping_interval = base::seconds{20};
  base::Duration pong_timeout = base::seconds{10};
  base::Duration connect_timeout = base::seconds{5};
  std::size_t socket_bytes_max = 8U << 20;  ///< unread by the process; beyond it the exchange gives up on it
};

/// A whole market maker and a whole exchange in one thread and virtual time, joined by a network of random
/// latency that keeps the order within a connection, with a gate of faults at the exchange's door. One seed
/// decides everything. Time jumps to the next thing due.
///
/// Symbols may be recorded. Rows outlive the process, as they do in the mapped ring of the real one; so do
/// the frames that its network thread had read when it died and its engine had not taken. The next process is
/// told what follows from both.
///
/// The maker is a process: it can stand still, die with all its sockets and start again with the next run
/// epoch. A guard may stand beside it, with its own requests from its own address.
class World final : private exchange::Exchange::Witness {
 public:
  explicit World(WorldOptions options);
  ~World() override;
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Lets everything due up to `until` happen.
  void run_until(base::LocalTime until);
  void run_for(base::Duration duration) { run_until(now_ + duration); }
  base::LocalTime now() const { return now_; }
  const WorldOptions& options() const { return options_; }

  /// Asks the engine to leave; run on to see it finish.
  void request_stop();
  struct End {
    int exit_code;
    std::string reason;
  };
  const std::optional<End>& end() const { return end_; }

  // Faults by hand; a plan is part of the options.

  /// Cuts a connection at both ends, as a reset would.
  void cut(engine::ConnectionId id);
  /// The next `count` frames of a connection vanish.
  void drop_frames(engine::ConnectionId id, int count) { frames_to_drop_[engine::index_of(id)] += count; }
  /// The process stands still for `duration`: nothing is read, everything waits in its sockets.
  void pause(base::Duration duration);
  /// The process dies at once. It starts again after `down`, or when the guard starts it.
  void kill(base::Duration down);

  /// Somebody trades by hand on the maker's account.
  void trade_by_hand(const WorldOptions::Outsider& outsider);
  /// A person's word reaches the process, which is alive.
  void tell(const engine::Input& input) { step(input); }

  /// The strategy of a symbol throws at its next call. A second time within eleven minutes is not asked for:
  /// by design only a person ends what follows from that.
  void make_strategy_throw(const std::string& symbol);

  bool is_alive() const { return engine_ != nullptr; }
  bool is_paused() const { return now_ < paused_until_; }
  /// Only of a process that is alive.
  engine::Engine& engine() { return *engine_; }
  const engine::Engine& engine() const { return *engine_; }
  exchange::Exchange& exchange() { return exchange_; }
  const exchange::Exchange& exchange() const { return exchange_; }
  const exchange::Faults& faults() const { return faults_; }
  const GuardProcess* guard() const { return guard_.get(); }
  const std::string& api_key() const { return options_.api_key; }
  std::uint32_t run_epoch() const { return run_epoch_; }
  /// The engine's deadline does not move however often it is woken: the world stands still.
  bool is_spinning() const { return ticks_at_once_ >= ticks_at_once_max; }
  const std::optional<std::string>& latch() const { return latch_; }
  base::VenueTime venue_time(base::LocalTime local) const {
    return base::venue_time_ns(base::ns_of(local) + options_.clock_offset.count());
  }
  /// Sockets of a connection that the process holds.
  std::size_t open_sockets(engine::ConnectionId id) const;
  /// The process's open socket of this connection, as the exchange knows it.
  std::optional<exchange::PeerId> peer_of(engine::ConnectionId id) const;
  /// How long a message may be on its way without any fault, there and back.
  base::Duration round_trip_max() const { return options_.latency_max * 3; }

  std::uint64_t steps() const { return steps_; }
  std::uint64_t events() const { return events_done_; }
  std::uint64_t trace_hash() const { return trace_.value(); }
  /// Everything the process that runs, or ran last, consumed, as an input log; empty when it is off.
  const std::string& input_log() const { return log_; }
  /// What that process was told about the recording before it.
  const std::vector<engine::ResumePoint>& resume() const { return resume_; }
  /// Of the rows its engine wrote, in order.
  std::uint64_t rows_hash() const { return rows_hash_.value(); }
  const std::vector<std::string>& notes() const { return notes_; }
  /// The newest incidents, oldest first, each in one line.
  const std::deque<std::string>& incidents() const { return incidents_; }
  std::uint64_t incident_count(ops::IncidentKind kind) const {
    return incident_counts_[static_cast<std::size_t>(kind)];
  }

  void set_observer(Observer* observer) { observer_ = observer; }
  /// Called around every step of the engine, for measurements.
  class Probe {
   public:
    virtual ~Probe() = default;
    virtual void before(const engine::Input& input) = 0;
    virtual void after(const engine::Input& input, const engine::Actions& actions) = 0;
  };
  void set_probe(Probe* probe) { probe_ = probe; }

 private:
  /// A connection from the process to the exchange. It goes when both ends are gone.
  struct Socket {
    exchange::PeerId peer = 0;
    engine::ConnectionId id{};
    std::string target;
    bool open = false;           ///< the handshake is done
    bool client_gone = false;    ///< the process let go of it
    bool exchange_gone = false;  ///< the exchange never had it, or has it no more
    base::Duration latency{};
    base::LocalTime last_to_engine{}, last_to_exchange{};
    std::uint64_t pings = 0, pongs = 0;
    base::LocalTime ping_sent{};
    std::size_t unread_bytes = 0;
  };
  struct Call {
    Client client = Client::maker;
    model::RequestId id;  ///< the engine's, or the guard's
    std::uint32_t run_epoch = 0;
    exchange::HttpRequest request;
    exchange::HttpAnswer answer;
    exchange::RestVerdict verdict;
  };
  enum class What : std::uint8_t {
    // at the exchange
    handshake,
    text,
    ping,
    pong_to_exchange,
    hung_up,
    call,
    execute,
    // at the process: it waits while the process stands still
    opened,
    closed,
    let_go,
    frame,
    ping_due,
    pong,
    pong_overdue,
    connect_overdue,
    answer,
    call_overdue,
    traffic,
    first_step,
    stop,
    latch,
    // around the process
    restart,
    guard_looks,
    guard_answer,
    outsider,
    claims
  };
  struct Event {
    What what = What::frame;
    Intact intact = Intact::yes;
    std::uint16_t code = 0, status = 0;
    std::optional<int> retry_after_s;
    engine::ConnectionId id{};
    exchange::PeerId peer = 0;
    std::uint64_t number = 0;  ///< of a call, a ping, or the run that it concerns
    std::string text;
  };
  struct Due {
    base::LocalTime at;
    std::uint64_t order;
    std::uint32_t slot;
    bool operator>(const Due& other) const { return at != other.at ? at > other.at : order > other.order; }
  };

  void saw(const exchange::CoreEvent& event) override {
    if (observer_ != nullptr) observer_->happened(event);
  }

  void at(base::LocalTime time, Event event);
  void happen(Event& event);
  Socket* socket_of(exchange::PeerId peer);
  Socket* socket_of(engine::ConnectionId id);
  void forget(exchange::PeerId peer);
  void let_go(Socket& socket);
  void hung_up(exchange::PeerId peer);
  base::Duration latency() {
    return base::Duration{rng_.between(options_.latency_min.count(), options_.latency_max.count())};
  }
  base::LocalTime to_exchange(Socket& socket);
  base::LocalTime to_engine(Socket& socket);

  void start_process();
  void end_process();
  void step(const engine::Input& input, Intact intact = Intact::yes);
  void keep_row(std::string_view bytes);
  void keep_unread();
  std::vector<engine::ResumePoint> resume_points();
  void hash_input(const engine::Input& input);
  void keep_input(const engine::Input& input);
  void perform(const engine::OpenConnection& action, const engine::Actions& all);
  void perform(const engine::CallRest& action, const engine::Actions& all);
  void remember(const engine::RecordIncident& action, const engine::Actions& all);

  void handshake(Event& event);
  void call_rest(Client client, model::RequestId id, exchange::HttpRequest request, base::Duration timeout);
  void finish_call(std::uint64_t number);
  void drain_exchange();
  void carry_out_gate();
  void to_client(exchange::Out out);
  void closed_by_exchange(exchange::PeerId peer, std::uint16_t code, std::string reason);
  void guard_acts();
  void claim();

  struct Mood {
    int throws = 0;
    std::optional<base::LocalTime> last;
  };

  WorldOptions options_;
  std::map<std::string, Mood> moods_;  ///< of the strategies, by symbol
  base::Rng rng_;
  base::LocalTime now_;
  exchange::Exchange exchange_;
  exchange::Faults faults_;
  bool gate_closed_;  ///< a plan exists: everything goes through the gate
  exchange::FaultActions gate_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<GuardProcess> guard_;
  std::vector<GuardProcess::Action> guard_actions_;
  engine::Actions actions_, spare_actions_;
  std::vector<Socket> sockets_;
  std::map<std::uint64_t, Call> calls_;
  std::array<int, engine::connections_count> frames_to_drop_{};
  std::uint64_t next_peer_ = 1, next_call_ = 1, next_order_ = 0;
  std::uint64_t steps_ = 0, process_steps_ = 0, events_done_ = 0, wire_bytes_ = 0;
  static constexpr int ticks_at_once_max = 1'000;
  int ticks_at_once_ = 0;  ///< without anything else happening
  base::LocalTime last_tick_{};
  std::vector<Due> heap_;
  std::vector<Event> slots_;
  std::vector<std::uint32_t> free_slots_;
  base::LocalTime paused_until_{};
  std::optional<base::LocalTime> engine_due_, exchange_due_;
  bool process_finished_ = false;
  std::uint32_t run_epoch_;
  std::optional<std::string> latch_;
  std::map<std::string, std::string> guard_latches_;  ///< by symbol, over restarts
  StateKeeper state_;                                 ///< likewise
  std::optional<End> end_;
  TraceHash trace_;
  std::string log_;
  struct UnreadFrame {
    engine::ConnectionId id{};
    base::LocalTime received{};
    std::string text;
  };
  std::map<std::string, engine::ResumeState, std::less<>> recorded_;  ///< by symbol
  std::vector<UnreadFrame> unread_;                                   ///< by the process that died last
  std::vector<engine::ResumePoint> resume_;
  TraceHash rows_hash_;
  std::vector<std::string> notes_;
  std::deque<std::string> incidents_;
  std::array<std::uint64_t, ops::incident_kind_names.size()> incident_counts_{};
  Probe* probe_ = nullptr;
  Observer* observer_ = nullptr;
};

}  // namespace phoenix::sim
