#pragma once

#include "base/short_text.hpp"
#include "base/time.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace phoenix::ops {

/// What is worth remembering for the question "why did it stop quoting?". One line each in the incident log,
/// which `phoenix doctor` reads.
enum class IncidentKind : std::uint8_t {
  started,            ///< the engine runs; evidence: epoch, bounds in force
  stopped,            ///< the engine finished; `what`: exit code
  verdict,            ///< a stream's or symbol's liveness verdict changed; `what`: the new one
  withdrawn,          ///< quotes of a symbol were pulled; `what`: why
  quoting,            ///< quotes of a symbol are back; `cost`: how long it was without
  connection_opened,  ///< `cost`: how long it was gone
  connection_lost,    ///< evidence: close code and reason
  connection_closed,  ///< we closed it; `what`: why
  resync,             ///< a book lost its chain; `what`: why; evidence: ids
  resynced,           ///< `cost`: how long it was not synced
  hole,               ///< updates or trades are missing; evidence: ids
  repaired,           ///< a hole was filled from REST
  reconciled,         ///< orders, position and trades were stated anew; `cost`: since the stream was lost
  switch_armed,       ///< the exchange-side countdown runs
  switch_lapsed,      ///< it was not fed any more
  bandwidth_step,     ///< traffic stepped down or up; `what`: the step
  strategy_failed,    ///< a strategy threw
  latched,            ///< the kill latch was set
  rearmed,            ///< ... and taken away
  paused,             ///< the process stood still; `cost`: how long
  configured,         ///< another configuration is in force
  guarded,            ///< a guard of risk came into force or left; `what`: which
  banned,             ///< the venue takes nothing from this address for `cost`
};
inline constexpr std::array<std::string_view, 23> incident_kind_names{"started",
                                                                      "stopped",
                                                                      "verdict",
                                                                      "withdrawn",
                                                                      "quoting",
                                                                      "connection_opened",
                                                                      "connection_lost",
                                                                      "connection_closed",
                                                                      "resync",
                                                                      "resynced",
                                                                      "hole",
                                                                      "repaired",
                                                                      "reconciled",
                                                                      "switch_armed",
                                                                      "switch_lapsed",
                                                                      "bandwidth_step",
                                                                      "strategy_failed",
                                                                      "latched",
                                                                      "rearmed",
                                                                      "paused",
                                                                      "configured",
                                                                      "guarded",
                                                                      "banned"};
constexpr std::string_view name(IncidentKind kind) {
  return incident_kind_names[static_cast<std::size_t>(kind)];
}

/// One of them. `evidence` is text as key=value, valid as long as whoever holds the incident says.
struct Incident {
  base::LocalTime at{};
  IncidentKind kind = IncidentKind::started;
  base::ShortText<32> subject;  ///< symbol or connection; empty: the whole program
  base::ShortText<64> what;
  base::Duration cost{};  ///< see the kind; 0 when there is none
  std::string_view evidence;
};

}  // namespace phoenix::ops
