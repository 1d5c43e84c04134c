#pragma once

#include "base/assert.hpp"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace phoenix::engine {

/// What a connection carries. The first three run on up to two lines each.
enum class Channel : std::uint8_t { public_data, market_data, user_data, order_api };
inline constexpr std::size_t channels_count = 4;
/// Two lines, and the one that takes over from one of them.
inline constexpr std::size_t slots_count = 3;

/// Which of the engine's connections: the engine names them, `io` gives each at most one socket.
enum class ConnectionId : std::uint8_t {
  public_a,
  public_b,
  public_c,
  market_a,
  market_b,
  market_c,
  user_a,
  user_b,
  user_c,
  order_api
};
inline constexpr std::size_t connections_count = 10;

constexpr std::size_t index_of(ConnectionId id) { return static_cast<std::size_t>(id); }
constexpr Channel channel_of(ConnectionId id) { return static_cast<Channel>(index_of(id) / slots_count); }
/// 0 to slots_count - 1: the line within the channel.
constexpr std::size_t slot_of(ConnectionId id) { return index_of(id) % slots_count; }
constexpr ConnectionId connection_of(Channel channel, std::size_t slot) {
  PHX_ASSERT(slot < (channel == Channel::order_api ? 1 : slots_count), "a channel has this slot");
  return static_cast<ConnectionId>(static_cast<std::size_t>(channel) * slots_count + slot);
}
constexpr std::string_view name(ConnectionId id) {
  constexpr std::string_view names[] = {"public_a", "public_b", "public_c", "market_a", "market_b",
                                        "market_c", "user_a",   "user_b",   "user_c",   "order_api"};
  static_assert(std::size(names) == connections_count);
  return names[index_of(id)];
}

}  // namespace phoenix::engine
