#include "record/sidecar.hpp"

#include "base/rng.hpp"

#include <gtest/gtest.h>

namespace phoenix::record {
namespace {

Sidecar example() {
  Sidecar sidecar;
  sidecar.schema_hash = schema_hash(Kind::trades);
  sidecar.part = {{498'689, "BTCUSDT", Kind::trades}, PartForm::hour, {0x2a, 59}};
  sidecar.rows = 1'234;
  sidecar.event_time_ns_min = 1'795'280'400'000'000'000;
  sidecar.event_time_ns_max = 1'795'283'999'999'000'000;
  sidecar.first_id = 1;
  sidecar.last_id = INT64_MAX;
  sidecar.before_id = 0;
  sidecar.gaps = {{7, 9}, {20, 20}};
  sidecar.gaps_count = 2;
  sidecar.rows_refused = 3;
  sidecar.size_bytes = 56'789;
  sidecar.sha256 = std::string(64, 'a');
  sidecar.content_hash = 0xdeadbeefULL;
  sidecar.segments = {{0x2a, 7}, {0x2a, 59}};
  sidecar.program = "1.2.3";
  sidecar.replaces = {"part-0000002a-000007.parquet", "part-0000002a-000059.parquet"};
  sidecar.removes = {part_path({498'600, "BTCUSDT", Kind::trades}, PartForm::hour, {0x29, 1})};
  sidecar.exported_ns = 1'795'290'000'000'000'000;
  return sidecar;
}

TEST(Sidecar, reads_back_as_it_was_written) {
  const Sidecar sidecar = example();
  const auto read = parse_sidecar(to_json(sidecar));
  ASSERT_TRUE(read.has_value()) << read.error().what;
  EXPECT_EQ(*read, sidecar);
  EXPECT_EQ(read->part.partition, sidecar.part.partition);
  EXPECT_EQ(read->gaps, sidecar.gaps);

  Sidecar bare = sidecar;
  bare.first_id = bare.last_id = bare.before_id = bare.exported_ns = std::nullopt;
  bare.gaps.clear();
  bare.replaces.clear();
  const auto again = parse_sidecar(to_json(bare));
  ASSERT_TRUE(again.has_value()) << again.error().what;
  EXPECT_EQ(*again, bare);
  EXPECT_FALSE(again->first_id.has_value());
}

TEST(Sidecar, a_newer_format_is_refused_by_name) {
  std::string json = to_json(example());
  json.replace(json.find("\"format\": 1"), 11, "\"format\": 2");
  const auto read = parse_sidecar(json);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().fault, SidecarFault::newer_format);
  EXPECT_EQ(read.error().what, "has format 2, this program reads up to 1");

  json = to_json(example());
  json.replace(json.find("\"schema_version\": 2"), 19, "\"schema_version\": 3");
  const auto schema = parse_sidecar(json);
  ASSERT_FALSE(schema.has_value());
  EXPECT_EQ(schema.error().fault, SidecarFault::newer_format);
}

TEST(Sidecar, a_field_that_is_missing_or_wrong_is_named) {
  struct Case {
    std::string_view from, to, field;
  };
  const Case cases[] = {
      {"\"rows\": 1234", "\"rows\": -1", "rows"},
      {"\"rows\": 1234", "\"rows\": 1.5", "rows"},
      {"\"rows\": 1234", "\"rowz\": 1", "rows"},
      {"\"first_id\": 1,", "\"first_id\": \"1\",", "first_id"},
      {"\"last_id\": 9223372036854775807", "\"last_id\": 9223372036854775808", "last_id"},
      {"\"path\": \"raw/", "\"path\": \"../raw/", "path"},
      {"\"aaaaaaaa", "\"zaaaaaaa", "sha256"},
      {"\"0000002a-000007\"", "\"2a-7\"", "segments"},
      {"\"part-0000002a-000007.parquet\"", "\"../../x\"", "replaces"},
      {"\"removes\": [\n  \"raw/", "\"removes\": [\n  \"/etc/", "removes"},
  };
  for (const Case& c : cases) {
    std::string json = to_json(example());
    const auto at = json.find(c.from);
    ASSERT_NE(at, std::string::npos) << c.from;
    json.replace(at, c.from.size(), c.to);
    const auto read = parse_sidecar(json);
    ASSERT_FALSE(read.has_value()) << c.to;
    EXPECT_EQ(read.error().fault, SidecarFault::bad_field) << c.to;
    EXPECT_EQ(read.error().what, "has no good field " + std::string{c.field});
  }
}

TEST(Sidecar, any_bytes_give_a_sidecar_or_a_fault) {
  EXPECT_FALSE(parse_sidecar("").has_value());
  EXPECT_FALSE(parse_sidecar("[]").has_value());
  EXPECT_FALSE(parse_sidecar(std::string(100'000, '[')).has_value());
  const std::string good = to_json(example());
  for (std::size_t size = 0; size + 2 < good.size(); ++size) {
    EXPECT_FALSE(parse_sidecar(std::string_view{good}.substr(0, size)).has_value()) << size;
  }
  base::Rng rng{4};
  for (int i = 0; i < 5'000; ++i) {
    std::string bent = good;
    for (std::uint64_t n = rng.below(4) + 1; n > 0; --n) {
      bent[rng.below(bent.size())] = static_cast<char>(rng.below(256));
    }
    const auto read = parse_sidecar(bent);
    if (read.has_value()) {
      EXPECT_TRUE(parse_sidecar(to_json(*read)).has_value());
    }
  }
}

}  // namespace
}  // namespace phoenix::record
