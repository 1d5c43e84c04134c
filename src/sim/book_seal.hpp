#pragma once

#include "base/time.hpp"
#include "model/market.hpp"
#include "sim/trace_hash.hpp"

#include <cstdint>

namespace phoenix::sim {

/// Levels a side that are compared.
inline constexpr std::size_t sealed_levels = 20;

/// A fingerprint of the venue's book as a frame of its stream left it.
struct BookSeal {
  std::int64_t update_id = 0;
  std::uint64_t hash = 0;
  std::int64_t event_ms = 0;  ///< E, as sent
  base::LocalTime sent{};
};

template <class Levels>
void hash_side(TraceHash& hash, const Levels& levels) {
  for (const auto& level : levels) {
    hash.word(static_cast<std::uint64_t>(level.price.raw()));
    hash.word(static_cast<std::uint64_t>(level.qty.raw()));
  }
  hash.word(0);
}

}  // namespace phoenix::sim
