#pragma once

#include "base/short_text.hpp"
#include "base/time.hpp"
#include "engine/connection.hpp"
#include "model/ids.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

namespace phoenix::engine {

// What happens to the engine, one at a time and in one order. Text views are valid during the step only.

struct ConnectionOpened {
  ConnectionId connection;
  std::string_view extensions;  ///< Sec-WebSocket-Extensions as negotiated, empty when none
};
struct FrameReceived {
  ConnectionId connection;
  base::LocalTime received{};  ///< read from the socket; the step's `now` is when the engine took it
  std::string_view payload;
};
struct PongReceived {
  ConnectionId connection;
  base::Duration round_trip{};
};
struct ConnectionClosed {
  ConnectionId connection;
  std::uint16_t close_code = 0;   ///< 0 when there was no close frame
  std::uint16_t http_status = 0;  ///< of a refused handshake, else 0
  std::optional<int> retry_after_s;
  std::string_view reason;
};
struct RestAnswered {
  model::RequestId request;
  int status = 0;
  std::optional<int> used_weight_1m, order_count_10s, order_count_1m, retry_after_s;
  std::string_view body;
};
/// No answer. `not_sent`: not one byte of the request left, so nothing happened; otherwise nobody knows.
enum class Lost : std::uint8_t { not_sent, unknown };
struct RestLost {
  model::RequestId request;
  Lost lost = Lost::unknown;
  std::string_view reason;
};
/// A deadline of `next_deadline()` has come, or nothing: stepping early is harmless.
struct Tick {};
/// The receive path had to drop frames: everything that arrived on streams has a hole.
struct FramesDropped {
  std::uint64_t count = 0;
};
/// Bytes that came over the wire on all connections so far, about once a second.
struct TrafficMeasured {
  std::uint64_t wire_bytes = 0;
};
/// The kill latch was set or taken away from outside.
enum class Latch : std::uint8_t { clear, set };
struct LatchChanged {
  Latch latch = Latch::set;
  std::string_view reason;
};
/// An operator took away what the guards of one symbol had latched; without a name, all of them and the
/// account's.
struct GuardsRearmed {
  std::string_view symbol;
};
/// An operator claimed what somebody else did on the account in this symbol; without a name, in all.
struct OrdersClaimed {
  std::string_view symbol;
};
/// A person or an alert wants less of a symbol, or takes that back; without a name, of all. Of each of the
/// two the last word holds; a person's outlives a restart.
enum class HoldBy : std::uint8_t { person, alert };
enum class HoldWish : std::uint8_t { none, reduce_only, hold };  ///< a person's reduce_only counts as hold
struct HoldAsked {
  HoldBy by = HoldBy::person;
  HoldWish wish = HoldWish::none;
  std::string_view symbol;
};
/// The configuration file changed. The text was checked: `Options::read` gives options that may take the
/// place of those in force.
struct OptionsChanged {
  std::string_view text;
};
/// Leave: cancel everything, confirm, finish.
struct StopRequested {};

using Input = std::variant<ConnectionOpened, FrameReceived, PongReceived, ConnectionClosed, RestAnswered,
                           RestLost, Tick, FramesDropped, StopRequested, TrafficMeasured, LatchChanged,
                           GuardsRearmed, OptionsChanged, OrdersClaimed, HoldAsked>;

}  // namespace phoenix::engine
