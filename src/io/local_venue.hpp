#pragma once

#include "base/time.hpp"
#include "engine/action.hpp"
#include "engine/input.hpp"

#include <optional>

namespace phoenix::io {

/// A venue inside this process that takes a part of what an engine would send over the network. Called on the
/// engine's thread only; must not block.
class LocalVenue {
 public:
  virtual ~LocalVenue() = default;

  /// Whether the action is for this venue, which has then taken it. Everything else goes over the network.
  virtual bool take(const engine::Action& action, const engine::Actions& all, base::LocalTime now) = 0;
  /// The engine consumed this, and what it wanted then was carried out.
  virtual void saw(const engine::Input& input, base::LocalTime now) = 0;
  /// What this venue has for the engine by `now`, one at a time. Its texts are valid until the next call.
  virtual std::optional<engine::Input> next(base::LocalTime now) = 0;
  /// When `next` is wanted at the latest.
  virtual base::LocalTime next_deadline() = 0;
};

}  // namespace phoenix::io
