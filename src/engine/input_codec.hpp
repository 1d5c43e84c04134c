#pragma once

#include "engine/input.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace phoenix::engine {

/// An input as bytes: `head` (kind and fixed fields, little endian) followed by `body` (its text). The same
/// form goes through the ring from the io thread and into the input log, so what is replayed is what was
/// consumed.
///
///     kind u8 = index in Input
///     0 opened    connection u8                          | extensions
///     1 frame     connection u8, received ns i64         | payload
///     2 pong      connection u8, round trip ns i64       |
///     3 closed    connection u8, close code u16          | reason
///     4 answered  request u64, status i32, 4 x i32       | body      (absent numbers are -1)
///     5 lost      request u64, lost u8                   | reason
///     6 tick                                             |
///     7 dropped   count u64                              |
///     8 stop                                             |
///     9 traffic   wire bytes u64                         |
///    10 latch     latch u8                               | reason
///    11 rearmed                                          | symbol
///    12 options                                          | text
struct EncodedInput {
  std::array<char, 32> head{};
  std::size_t head_size = 0;
  std::string_view body;
  std::string_view head_view() const { return {head.data(), head_size}; }
};

/// Records of an input log that are no inputs: what the run was told at its start, and what came out of it.
inline constexpr std::uint8_t log_kind_start = 200;    ///< JSON: run epoch, configuration text
inline constexpr std::uint8_t log_kind_summary = 201;  ///< JSON: per symbol the hash of all wanted quotes

EncodedInput encode_input(const Input& input);
/// Empty when the bytes are no input. Texts point into `bytes`.
std::optional<Input> decode_input(std::string_view bytes);

}  // namespace phoenix::engine
