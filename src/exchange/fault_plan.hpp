#pragma once

#include "base/result.hpp"
#include "base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::exchange {

/// What can go wrong between a venue and its clients. `amount` of a Fault means what is said here; a fault
/// "at once" happens when it begins and has no length, unless said otherwise.
///
/// "Data" of a stream connection are the frames of its streams; control answers and pings are none. "Data" of
/// an order API connection are its answers.
enum class FaultKind : std::uint8_t {
  // Connections.
  mute_stream,    ///< one stream (target.stream) of the connections brings nothing; the rest and pings go on
  mute,           ///< all data withheld; pings and control messages are answered
  half_open,      ///< nothing passes either way, not even pings; ends with a reset of what it hit
  cut,            ///< reset; with a length, whatever connects meanwhile is cut too, `amount` ms after opening
  cut_mid_frame,  ///< as cut, in the middle of a frame
  close,          ///< at once: close frame with code `amount`
  server_shutdown,  ///< at once: announced by an event, closed 1001 `amount` ms later
  age_cut,          ///< at once: closed 1001 as at the end of a connection's life
  refuse,           ///< handshakes answered with status `amount` and Retry-After; 0: never answered
  // The data of connections.
  drip,       ///< the link passes `amount` bytes a second: data ever later, in order
  delay,      ///< everything `amount` ms later, each way
  jitter,     ///< each message 0 to `amount` ms later, order not kept
  drop,       ///< `amount` per mille of the data lost
  duplicate,  ///< `amount` per mille of the data sent twice
  reorder,    ///< `amount` per mille of the data change places with the next message
  corrupt,    ///< `amount` per mille of the data truncated or scrambled
  stuck,      ///< data flow on, but every frame of a stream repeats the first one
  // Requests. target.stream: only those whose path holds this text.
  rest_silent,        ///< `amount` per mille never answered and not executed
  rest_answer_lost,   ///< `amount` per mille executed and never answered
  rest_delay,         ///< `amount` ms later, on the way there or on the way back
  rest_status,        ///< answered with status `amount` (403, 418, 429, 503), not executed
  rest_unknown,       ///< `amount` per mille answered 503 "Unknown error", executed or not
  order_answer_lost,  ///< `amount` per mille of the order API's order requests: executed, answer never sent
  order_silent,       ///< `amount` per mille of the order API's order requests vanish
  // The venue itself.
  user_event_lost,           ///< `amount` per mille of the user events lost; target.stream: of this type only
  expire_listen_key,         ///< at once: every listen key ends, its followers are told
  expire_listen_key_silent,  ///< at once: as above, nobody is told
  skew,            ///< the venue's clock reads `amount` ms more (or less): event times, timestamp check
  halt_symbol,     ///< target.symbol does not trade
  probe_lag,       ///< REST depth below 100 levels comes from a replica at least `amount` ms behind
  stale_snapshot,  ///< the same for REST depth of 100 levels and more
  // The process under test; only a simulation carries these out.
  pause_process,    ///< stands still
  kill_process,     ///< at once: dies, and starts again `amount` ms later
  strategy_throws,  ///< at once: the strategy of target.symbol throws
};

inline constexpr std::size_t fault_kinds_count = 34;

enum class FaultRoute : std::uint8_t { any, public_data, market_data, user_data, order_api };

/// Which connections of a route, or which symbol.
struct FaultTarget {
  /// `all` holds for connections opened later, too. The others choose one connection when the fault begins,
  /// or when the first that fits opens, and stay with it: what replaces it is healthy.
  enum class Which : std::uint8_t { all, oldest, newest, nth };
  FaultRoute route = FaultRoute::any;
  Which which = Which::all;
  std::uint32_t nth = 0;  ///< counted from the oldest open connection of the route, from 0
  std::string stream{};   ///< as subscribed; or the type of a user event, or a part of a REST path
  std::string symbol{};   ///< upper case
  friend bool operator==(const FaultTarget&, const FaultTarget&) = default;
};

struct Fault {
  FaultKind kind = FaultKind::mute;
  FaultTarget target{};
  base::Duration at{};  ///< from the start of the plan
  base::Duration length{};
  std::int64_t amount = 0;
  friend bool operator==(const Fault&, const Fault&) = default;
};

/// Faults in any order; values only.
struct FaultPlan {
  std::vector<Fault> faults;
  static constexpr std::size_t faults_max = 10'000;
  friend bool operator==(const FaultPlan&, const FaultPlan&) = default;
};

struct FaultKindInfo {
  /// What it is a trouble of. Only faults of connections take a route and a choice of connections.
  enum class Scope : std::uint8_t { connections, requests, venue, process };
  enum class Span : std::uint8_t { at_once, lasting, both };
  FaultKind kind;
  std::string_view name;
  std::string_view what;  ///< one line
  Scope scope;
  Span span;
  std::int64_t amount_min, amount_max, amount_default;  ///< all 0: takes no amount
  std::string_view amount_unit;
};
/// Every kind, in the order of the enum.
std::span<const FaultKindInfo> fault_kinds();
const FaultKindInfo& info_of(FaultKind kind);
std::string_view name_of(FaultKind kind);
std::string_view name_of(FaultRoute route);

struct PlanError {
  std::size_t line = 0;  ///< from 1
  std::string message;
};

/// One fault a line: `at 12s for 5s mute_stream public nth=0 stream=ethusdc@depth@100ms`; `at` and `for`
/// first, then the kind, then the rest in any order. Blank lines and what follows a # are left out.
base::Result<FaultPlan, std::vector<PlanError>> parse_plan(std::string_view text);
/// What is wrong with a fault, in one line; empty when it can be carried out.
std::string fault_trouble(const Fault& fault);
/// Reads back as the same plan.
std::string text(const FaultPlan& plan);
std::string text(const Fault& fault);

struct DrawOptions {
  base::Duration length = base::minutes{30};  ///< of the run
  base::Duration settle = base::seconds{60};  ///< without faults at its end
  base::Duration first = base::seconds{20};   ///< without faults at its begin
  std::vector<FaultKind> kinds;               ///< enabled ones; empty: all
  std::vector<std::string> symbols;           ///< upper case; without any, no faults of a symbol
  std::vector<std::string> streams;           ///< for mute_stream; empty: the usual ones of the symbols
  base::Duration fault_length_max = base::minutes{4};
  /// Faults of the connections of public, market and user data hit one connection of a route at a time, and
  /// leave `apart` between them. Says nothing about listen keys, REST and the process.
  bool at_most_one_line = false;
  base::Duration apart = base::seconds{20};
};
/// A random subset of the enabled kinds with wildly different rates, in episodes of one to four at once.
/// Equal seeds and options give equal plans.
FaultPlan draw_plan(std::uint64_t seed, const DrawOptions& options);

}  // namespace phoenix::exchange
