#include "base/crc32c.hpp"

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace phoenix::base {
namespace {

constexpr std::uint32_t polynomial_reversed = 0x82F63B78;

/// tables[k][b]: the checksum of byte b followed by k zero bytes, so that eight bytes go in at a time.
constexpr auto tables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> made{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial_reversed : 0);
    made[0][b] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (std::size_t b = 0; b < 256; ++b) made[k][b] = (made[k - 1][b] >> 8) ^ made[0][made[k - 1][b] & 0xFF];
  return made;
}();

std::uint64_t load8(const char* from) {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

#if defined(__x86_64__)
/// The instruction takes three cycles and one can start each cycle: three stretches side by side hide that.
/// Behind them the first two are moved over `stretch` zero bytes, which is a linear map of the checksum: four
/// lookups.
constexpr std::size_t stretch = 256;

constexpr auto over_zeros = [] {
  std::array<std::array<std::uint32_t, 256>, 4> made{};
  for (std::size_t k = 0; k < 4; ++k) {
    for (std::uint32_t bit = 0; bit < 8; ++bit) {
      std::uint32_t crc = std::uint32_t{1} << (8 * k + bit);
      for (std::size_t i = 0; i < stretch; ++i) crc = (crc >> 8) ^ tables[0][crc & 0xFF];
      for (std::size_t b = 0; b < 256; ++b)
        if (((b >> bit) & 1) != 0) made[k][b] ^= crc;
    }
  }
  return made;
}();

std::uint32_t move_over_zeros(std::uint32_t crc) {
  return over_zeros[0][crc & 0xFF] ^ over_zeros[1][(crc >> 8) & 0xFF] ^ over_zeros[2][(crc >> 16) & 0xFF] ^
         over_zeros[3][crc >> 24];
}

__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::string_view bytes, std::uint32_t before) {
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t crc = ~before;
  while (left >= 3 * stretch) {
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t i = 0; i < stretch; i += 8) {
      crc = _mm_crc32_u64(crc, load8(at + i));
      second = _mm_crc32_u64(second, load8(at + stretch + i));
      third = _mm_crc32_u64(third, load8(at + 2 * stretch + i));
    }
    crc = move_over_zeros(static_cast<std::uint32_t>(crc)) ^ second;
    crc = move_over_zeros(static_cast<std::uint32_t>(crc)) ^ third;
    at += 3 * stretch;
    left -= 3 * stretch;
  }
  for (; left >= 8; at += 8, left -= 8) crc = _mm_crc32_u64(crc, load8(at));
  auto last = static_cast<std::uint32_t>(crc);
  for (; left > 0; ++at, --left) last = _mm_crc32_u8(last, static_cast<unsigned char>(*at));
  return ~last;
}
#endif

}  // namespace

std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t before) {
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint32_t crc = ~before;
  for (; left >= 8; at += 8, left -= 8) {
    // Little endian, as the formats that use this sum are.
    const std::uint64_t word = load8(at) ^ crc;
    crc = 0;
    for (std::size_t k = 0; k < 8; ++k) crc ^= tables[7 - k][(word >> (8 * k)) & 0xFF];
  }
  for (; left > 0; ++at, --left) crc = (crc >> 8) ^ tables[0][(crc ^ static_cast<unsigned char>(*at)) & 0xFF];
  return ~crc;
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return by_instruction(bytes, before);
#endif
  return crc32c_by_table(bytes, before);
}

}  // namespace phoenix::base
