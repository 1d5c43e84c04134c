#pragma once

#include <cstdint>

namespace phoenix::base {

/// Known bugs that can be planted, to see that the simulation's checkers find them. Only a build with
/// PHOENIX_CANARIES (the canary tests) can plant one; in the product every question below is a constant
/// `false`.
enum class Canary : std::uint8_t {
  none,
  switch_fed_by_timer,       ///< the dead man's switch is fed whatever the data's health
  liveness_after_filter,     ///< only frames that moved the price count as signs of life
  depth_ids_by_equality,     ///< two lines merge where `pu` equals the head, not by range
  backoff_reset_on_connect,  ///< a connection that opens counts as success
  gap_ignored,               ///< a hole in the chain of depth updates is applied as if there were none
  resent_with_new_id,        ///< an order of unknown outcome is forgotten, and its quote placed anew
  probe_behind_is_quiet,     ///< a probe whose id is behind ours proves the market quiet
  session_adds,              ///< a reconnect opens one connection more and keeps the old one
  risk_limit_off,            ///< quotes are not cut to the position limit
  repair_not_recorded,       ///< trades fetched from the venue's history are left out of the recording
  covered_delta_recorded,    ///< a change of the book that another line had brought is recorded again
  recording_not_resumed,     ///< a new process does not know which trades the one before recorded
  book_loss_unnamed          ///< the ledger does not say that the chain of the book had a hole
};

#ifdef PHOENIX_CANARIES
inline Canary planted_canary = Canary::none;
inline bool planted(Canary canary) { return planted_canary == canary; }
#else
constexpr bool planted(Canary) { return false; }
#endif

}  // namespace phoenix::base
