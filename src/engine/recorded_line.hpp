#pragma once

#include "base/time.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace phoenix::engine {

enum class LineKind : std::uint8_t {
  blank,
  frame,          ///< a message of a market stream, or a bare REST answer; `payload` is JSON
  rest_answer,    ///< `address -> time: body`
  connection,     ///< `wss://... <-> time`: the address a recorder connected to
  private_event,  ///< `REQ`, `RSP` or `WS` and what followed: user data, not market data
  unreadable,
};

/// One line of a file of captured traffic. The texts point into the line.
struct RecordedLine {
  LineKind kind = LineKind::blank;
  /// When it was received; empty where the line does not say.
  std::optional<base::LocalTime> time{};
  std::string_view address{};  ///< of `rest_answer` and `connection`
  std::string_view payload{};
};

/// Reads one line, without its end, of any of the known forms:
///   `<integer us or ns> <frame>`, `<seconds.fraction>: <frame>`, `<address> -> <seconds.fraction>: <body>`,
///   `<wss address> <-> <seconds.fraction>`, `REQ|RSP|WS <text>`, and a frame alone.
/// Times are since 1970; integers below 9e15 are microseconds.
RecordedLine parse_line(std::string_view text);

/// The value of `symbol=` in a REST address, as written there; empty when there is none.
std::string_view symbol_in_address(std::string_view address);

}  // namespace phoenix::engine
