#pragma once

#include "base/assert.hpp"

#include <cstdint>

namespace phoenix::base {

/// Seeded random numbers, equal on every compiler: xoshiro256** seeded by splitmix64 (Blackman, Vigna 2018).
/// Integers only; no std distribution and no libm, whose results differ between libraries.
class Rng {
 public:
  explicit constexpr Rng(std::uint64_t seed) {
    for (auto& word : state_) {
      seed += 0x9e3779b97f4a7c15ULL;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
      word = z ^ (z >> 31);
    }
  }

  constexpr std::uint64_t next() {
    const std::uint64_t result = rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotl(state_[3], 45);
    return result;
  }

  /// Uniform in [0, bound); bound > 0. The bias of the multiply-shift is below bound / 2^64.
  constexpr std::uint64_t below(std::uint64_t bound) {
    PHX_ASSERT(bound > 0, "a random range is not empty");
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
  }

  /// Uniform in [first, last], both included.
  constexpr std::int64_t between(std::int64_t first, std::int64_t last) {
    PHX_ASSERT(first <= last, "a random range is not empty");
    const auto width = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first) + 1;
    if (width == 0) return static_cast<std::int64_t>(next());
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(first) + below(width));
  }

  /// True with probability per_million / 1e6.
  constexpr bool chance_per_million(std::uint64_t per_million) { return below(1'000'000) < per_million; }

  /// Nearly normal with mean 0: the sum of twelve uniforms (Irwin-Hall), in thousandths of a standard
  /// deviation, within +-6000.
  constexpr std::int64_t normal_milli() {
    std::int64_t sum = 0;
    for (int i = 0; i < 12; ++i) sum += between(0, 999);
    return sum - 5994;
  }

  /// An independent stream for each label. Does not advance this one, so that one consumer more does not
  /// shift another's numbers; the same label at the same position gives the same stream.
  constexpr Rng fork(std::uint64_t label) const {
    Rng copy = *this;
    return Rng{copy.next() ^ (label * 0x9e3779b97f4a7c15ULL)};
  }

 private:
  static constexpr std::uint64_t rotl(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  std::uint64_t state_[4]{};
};

}  // namespace phoenix::base
