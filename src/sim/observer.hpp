#pragma once

#include "base/time.hpp"
#include "engine/action.hpp"
#include "engine/input.hpp"
#include "exchange/protocol.hpp"
#include "exchange/types.hpp"
#include "record/row.hpp"

#include <cstdint>
#include <string_view>

namespace phoenix::sim {

/// Who sends a REST request: the maker, or the guard beside it with an address of its own.
enum class Client : std::uint8_t { maker, guard };
/// Who made an answer: the exchange, or a fault in its place.
enum class Origin : std::uint8_t { exchange, fault };
enum class ProcessChange : std::uint8_t { started, stopped, paused, resumed, died };
/// Whether a frame reached the engine as the exchange made it.
enum class Intact : bool { no, yes };

/// Watches a World from outside. Whatever it does, it changes nothing.
class Observer {
 public:
  virtual ~Observer() = default;
  /// The truth, as it happens inside the exchange.
  virtual void happened(const exchange::CoreEvent&) {}
  /// A message leaves the exchange for the maker, before any fault meets it.
  virtual void sent(engine::ConnectionId, std::string_view) {}
  /// The engine is about to take an input.
  virtual void before(const engine::Input&, Intact) {}
  /// ... and this is what it wants done.
  virtual void after(const engine::Input&, const engine::Actions&) {}
  /// A row came into the recording.
  virtual void recorded(const record::RowView&) {}
  /// A request leaves a client; an answer leaves the exchange or the gate in its place.
  virtual void asked(Client, const exchange::HttpRequest&) {}
  virtual void answered(Client, Origin, const exchange::HttpRequest&, const exchange::HttpAnswer&) {}
  /// A handshake leaves the maker, and one was refused.
  virtual void connecting(engine::ConnectionId) {}
  virtual void refused(engine::ConnectionId, Origin, int /*status*/) {}
  virtual void process_changed(ProcessChange) {}
};

}  // namespace phoenix::sim
