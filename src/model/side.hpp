#pragma once

#include <cstdint>

namespace phoenix::model {

/// Bid buys, ask sells. Of a trade: the side of the aggressor (taker).
enum class Side : std::uint8_t { bid, ask };

constexpr Side opposite(Side side) { return side == Side::bid ? Side::ask : Side::bid; }
/// +1 for bid, -1 for ask: what a fill on this side does to the position.
constexpr int sign(Side side) { return side == Side::bid ? 1 : -1; }

}  // namespace phoenix::model
