#include "base/crc32c.hpp"

#include "base/rng.hpp"

#include <string>

#include <boost/crc.hpp>
#include <gtest/gtest.h>

namespace phoenix::base {
namespace {

std::uint32_t by_boost(std::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return static_cast<std::uint32_t>(crc.checksum());
}

std::string random_bytes(Rng& rng, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(rng.next());
  return bytes;
}

TEST(Crc32c, is_the_published_one) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
  EXPECT_EQ(crc32c(""), 0U);
}

TEST(Crc32c, instruction_table_and_oracle_agree_on_every_length) {
  Rng rng{1};
  for (std::size_t size = 0; size < 3000; size += 1 + size / 200) {
    const auto bytes = random_bytes(rng, size);
    const auto expected = by_boost(bytes);
    EXPECT_EQ(crc32c(bytes), expected) << size;
    EXPECT_EQ(crc32c_by_table(bytes), expected) << size;
  }
}

TEST(Crc32c, goes_on_where_it_stopped) {
  Rng rng{2};
  const auto bytes = random_bytes(rng, 5000);
  for (int i = 0; i < 200; ++i) {
    const auto cut = rng.below(bytes.size() + 1);
    const auto head = std::string_view{bytes}.substr(0, cut);
    const auto tail = std::string_view{bytes}.substr(cut);
    EXPECT_EQ(crc32c(tail, crc32c(head)), crc32c(bytes)) << cut;
    EXPECT_EQ(crc32c_by_table(tail, crc32c_by_table(head)), crc32c(bytes)) << cut;
  }
}

}  // namespace
}  // namespace phoenix::base
