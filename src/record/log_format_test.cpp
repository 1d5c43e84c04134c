#include "record/log_format.hpp"

#include "base/rng.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::record {
namespace {

std::string log_of(int records, std::uint64_t seed) {
  base::Rng rng{seed};
  std::string bytes{log_magic};
  for (int i = 0; i < records; ++i) {
    std::string payload(rng.below(40), '\0');
    for (char& c : payload) c = static_cast<char>(rng.below(256));
    append_log_record({.sequence = static_cast<std::uint64_t>(i),
                       .now = base::local_time_ns(1'000 + i),
                       .kind = static_cast<std::uint8_t>(i % 7),
                       .payload = payload},
                      bytes);
  }
  return bytes;
}

std::size_t count(LogReader& reader) {
  std::size_t records = 0;
  while (reader.next()) ++records;
  return records;
}

TEST(LogFormat, gives_back_what_was_written) {
  std::string bytes{log_magic};
  append_log_record({.sequence = 0, .now = base::local_time_ns(42), .kind = 3, .payload = "frame"}, bytes);
  EXPECT_EQ(bytes.size(), log_magic.size() + log_record_head_bytes + log_record_fixed_bytes + 5);
  LogReader reader{bytes};
  const auto record = reader.next();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->now, base::local_time_ns(42));
  EXPECT_EQ(record->kind, 3);
  EXPECT_EQ(record->payload, "frame");
  EXPECT_FALSE(reader.next().has_value());
  EXPECT_FALSE(reader.fault().has_value());
}

TEST(LogFormat, the_checksum_is_crc_32c) {
  // RFC 3720 B.4: 32 zero bytes have the checksum 8a9136aa.
  std::string bytes;
  append_log_record(
      {.sequence = 0, .now = base::local_time_ns(0), .kind = 0, .payload = std::string(15, '\0')}, bytes);
  EXPECT_EQ(bytes.substr(4, 4), std::string("\xaa\x36\x91\x8a", 4));
}

TEST(LogFormat, a_log_cut_anywhere_yields_a_prefix_and_says_so) {
  const std::string whole = log_of(20, 1);
  for (std::size_t size = log_magic.size(); size < whole.size(); ++size) {
    LogReader reader{std::string_view{whole}.substr(0, size)};
    const std::size_t records = count(reader);
    EXPECT_LT(records, 20U);
    if (reader.offset() != size) {
      EXPECT_EQ(reader.fault(), LogFault::cut) << size;
    }
  }
}

TEST(LogFormat, a_flipped_bit_is_never_read_as_a_record) {
  const std::string whole = log_of(6, 2);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bent = whole;
      bent[i] = static_cast<char>(bent[i] ^ (1 << bit));
      LogReader reader{bent};
      EXPECT_LT(count(reader), 6U);
      EXPECT_TRUE(reader.fault().has_value()) << "byte " << i << " bit " << bit;
    }
  }
}

TEST(LogFormat, a_missing_record_is_noticed) {
  std::string bytes{log_magic};
  append_log_record({.sequence = 0, .now = {}, .kind = 0, .payload = "a"}, bytes);
  append_log_record({.sequence = 2, .now = {}, .kind = 0, .payload = "c"}, bytes);
  LogReader reader{bytes};
  EXPECT_EQ(count(reader), 1U);
  EXPECT_EQ(reader.fault(), LogFault::broken_sequence);
}

}  // namespace
}  // namespace phoenix::record
