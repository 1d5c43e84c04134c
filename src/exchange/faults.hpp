#pragma once

#include "base/rng.hpp"
#include "base/time.hpp"
#include "exchange/fault_plan.hpp"
#include "exchange/protocol.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace phoenix::exchange {

// What the carrier of the bytes has to do, in this order.

/// Send this to its peer now (text, ping or close).
struct ToClient {
  Out out;
};
/// Hand this text of a client to Exchange::text now.
struct ToExchange {
  PeerId peer = 0;
  std::string text;
};
/// End the connection without a close frame: both ends, at once.
struct CutPeer {
  enum class How : std::uint8_t { reset, mid_frame };
  PeerId peer = 0;
  How how = How::reset;
};
/// From now on nothing of this connection is read or written; it stays open until a CutPeer.
struct FreezePeer {
  PeerId peer = 0;
};
/// Exchange::cut with this code; the close frame then comes through the gate like everything else.
struct ClosePeer {
  PeerId peer = 0;
  int code = 1001;
  std::string reason;
};
/// Exchange::announce_shutdown.
struct AnnounceShutdown {
  PeerId peer = 0;
};
struct SetSymbolStatus {
  std::string symbol;
  SymbolStatus status = SymbolStatus::halted;
};
/// Absolute, not added to what was.
struct SetClockStep {
  base::Duration step{};
};
struct ExpireListenKeys {
  Exchange::ExpiryNotice notice = Exchange::ExpiryNotice::told;
};
struct SetReplicaLag {
  base::Duration probes{}, snapshots{};  ///< 0: none
};
/// pause_process (for `length`), kill_process (back after `length`), strategy_throws (of `symbol`).
struct ProcessFault {
  FaultKind kind = FaultKind::pause_process;
  base::Duration length{};
  std::string symbol;
};
using FaultAction =
    std::variant<ToClient, ToExchange, CutPeer, FreezePeer, ClosePeer, AnnounceShutdown, SetSymbolStatus,
                 SetClockStep, ExpireListenKeys, SetReplicaLag, ProcessFault>;
using FaultActions = std::vector<FaultAction>;

/// Carries out what an action asks of the exchange itself (ToExchange, ClosePeer, AnnounceShutdown,
/// SetSymbolStatus, SetClockStep, ExpireListenKeys, SetReplicaLag). False for the others: those are the
/// carrier's. Afterwards drain the exchange, through the gate as ever.
bool perform(const FaultAction& action, Exchange& exchange, VenueTime now);

/// What becomes of a handshake.
struct UpgradeVerdict {
  enum class What : std::uint8_t { pass, refuse, never_answer } what = What::pass;
  HttpAnswer refusal{};  ///< of `refuse`, Retry-After included
};

/// What becomes of a REST request.
struct RestVerdict {
  enum class What : std::uint8_t {
    pass,
    swallow,  ///< neither executed nor answered
    answer,   ///< not executed, answered with `answer`
    lose,     ///< executed, not answered
    replace   ///< executed, answered with `answer`
  } what = What::pass;
  HttpAnswer answer{};
  base::Duration delay_before{};  ///< of the execution
  base::Duration delay_after{};   ///< of the answer
};

struct FaultsStats {
  struct Kind {
    std::uint64_t begun = 0;     ///< faults of this kind that began
    std::uint64_t injected = 0;  ///< things that met it: frames, requests, connections, events
  };
  std::array<Kind, fault_kinds_count> kinds{};
  std::uint64_t overflows = 0;  ///< connections cut because too much was held back for them
  const Kind& of(FaultKind kind) const { return kinds[static_cast<std::size_t>(kind)]; }
};

/// The gate between the exchange and its clients: everything that passes is shown to it, and it says what
/// really happens. A state machine without I/O; seed, plan and calls decide everything. It holds back what is
/// late and gives it out itself, so whoever carries the bytes does at once what the actions say.
///
/// Time is the carrier's own and never steps. Calls that append actions first do what is due by `now`.
class Faults {
 public:
  using Id = std::uint32_t;

  /// A plan's times count from `start`. An invalid fault breaks PHX_ASSERT; parse_plan and draw_plan make
  /// none.
  Faults(FaultPlan plan, std::uint64_t seed, base::LocalTime start);

  // Faults come and go at run time, too.

  /// Its `at` counts from `now`. Empty when FaultPlan::faults_max wait or go on already.
  std::optional<Id> add(const Fault& fault, base::LocalTime now, FaultActions& actions);
  /// False when it is over or unknown.
  bool remove(Id id, base::LocalTime now, FaultActions& actions);
  /// Lifts all, begun or not.
  void clear(base::LocalTime now, FaultActions& actions);

  // Connections.

  UpgradeVerdict upgrade(std::string_view target, base::LocalTime now);
  /// After the exchange accepted it and before anything is sent.
  void peer_opened(PeerId peer, std::string_view target, base::LocalTime now, FaultActions& actions);
  /// The connection is gone at the carrier.
  void peer_closed(PeerId peer);
  /// Everything that Exchange::drain gives.
  void to_client(Out out, base::LocalTime now, FaultActions& actions);
  void from_client(PeerId peer, std::string_view text, base::LocalTime now, FaultActions& actions);
  /// Nothing passes in either direction: pings, pongs and close frames of the client are lost as well, and
  /// the exchange does not hear that the client hung up before the CutPeer comes.
  bool is_half_open(PeerId peer) const;

  // REST.

  RestVerdict rest_request(const HttpRequest& request, base::LocalTime now);

  // Time.

  void advance(base::LocalTime now, FaultActions& actions);
  std::optional<base::LocalTime> next_deadline() const;

  // What is going on, for checkers and for people. As of the last call.

  struct Active {
    Id id;
    Fault fault;
    base::LocalTime begin, end;  ///< `end` of a fault at once is its begin
    std::optional<PeerId> peer;  ///< the connection it chose
  };
  std::vector<Active> active() const;
  /// Also those still to come.
  std::vector<Active> all() const;
  /// True while a fault touches what this connection carries.
  bool is_faulty(PeerId peer, base::LocalTime now) const { return fault_since(peer, now).has_value(); }
  /// Begin of the longest such fault.
  std::optional<base::LocalTime> fault_since(PeerId peer, base::LocalTime now) const;
  std::optional<FaultRoute> route_of(PeerId peer) const;
  /// End of the last fault known, whether begun or not.
  std::optional<base::LocalTime> last_end() const;
  const FaultsStats& stats() const { return stats_; }

  /// Held back for one connection; beyond it the connection is cut, as a venue does with a slow consumer.
  static constexpr std::size_t held_bytes_max = 16u << 20;

 private:
  struct Running {
    Fault fault;
    base::LocalTime begin, end;
    std::optional<PeerId> peer;  ///< chosen, where the target wants one
  };
  struct Link {
    FaultRoute route = FaultRoute::any;
    base::LocalTime opened{};
    // What is late, by when it leaves; equal times in order of arrival.
    std::multimap<base::LocalTime, Out> to_client;
    std::multimap<base::LocalTime, std::string> to_exchange;
    std::size_t held_bytes = 0;
    base::LocalTime free_at{};   ///< drip: when the link has passed what it has
    std::optional<Out> swapped;  ///< leaves after the next message, or at swapped_until
    base::LocalTime swapped_until{};
    bool frozen = false;  ///< half open
    bool gone = false;    ///< its CutPeer is on the way
    std::optional<base::LocalTime> cut_at, close_at;
    CutPeer::How cut_how = CutPeer::How::reset;
    std::set<std::string, std::less<>> lost_answers;          ///< ids of order requests, as JSON
    std::map<std::pair<Id, std::string>, std::string> stuck;  ///< the frame that a stream repeats
  };
  enum class Copies : std::uint8_t { none, one, two, held };

  Id put(const Fault& fault, base::LocalTime start);
  void run_due(base::LocalTime now, FaultActions& actions);
  void begin(Id id, base::LocalTime now, FaultActions& actions);
  void end(const Running& running, base::LocalTime now, FaultActions& actions);
  void settings_changed(const Fault& fault, FaultActions& actions);
  bool touches(const Running& running, PeerId peer, const Link& link) const;
  std::optional<PeerId> choose(const FaultTarget& target) const;
  /// `cut_at` is for cuts alone: now, or a while after the connection opened.
  void strike(const Fault& fault, PeerId peer, Link& link, base::LocalTime cut_at, FaultActions& actions);
  void cut(PeerId peer, Link& link, FaultActions& actions);
  Copies alter_data(PeerId peer, Link& link, Out& out);
  std::string broken(const std::string& text);
  void dispatch(PeerId peer, Link& link, Out out, base::LocalTime now);
  void release(PeerId peer, Link& link, base::LocalTime now, FaultActions& actions);
  bool takes(std::int64_t per_mille) { return rng_.below(1000) < static_cast<std::uint64_t>(per_mille); }
  void count(FaultKind kind) { ++stats_.kinds[static_cast<std::size_t>(kind)].injected; }

  base::Rng rng_;
  std::map<Id, Running> waiting_, active_;
  std::set<std::pair<base::LocalTime, Id>> begins_, ends_;
  Id next_id_ = 1;
  std::map<PeerId, Link> links_;
  std::vector<PeerId> opened_;  ///< in the order of opening
  bool held_ = false;           ///< some link holds something back; may say so in vain
  FaultsStats stats_;
};

}  // namespace phoenix::exchange
