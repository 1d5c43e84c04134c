#include "record/journal_format.hpp"

#include "base/rng.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace phoenix::record {
namespace {

using base::local_time_ns;
using base::Rng;

struct Written {
  std::string bytes;
  std::vector<std::size_t> ends;  ///< offset behind each record, head and seal included
};

std::string payload_of(Rng& rng) {
  std::string payload(rng.below(10) == 0 ? 3000 : rng.below(120), '\0');
  for (char& byte : payload) byte = static_cast<char>(rng.next());
  return payload;
}

/// A sealed segment of `count` records of both origins.
Written segment(std::uint64_t seed, std::size_t count) {
  Rng rng{seed};
  Written out;
  out.bytes = journal_magic;
  append_head({{42, 7}, "0.1.0", {{6, 1234}}}, local_time_ns(1), out.bytes);
  out.ends.push_back(out.bytes.size());
  std::uint64_t next[] = {1000, 77};
  for (std::size_t i = 0; i < count; ++i) {
    const auto origin = rng.below(2);
    const auto now = local_time_ns(static_cast<std::int64_t>(10 + i));
    if (rng.below(20) == 0) {
      append_lost({static_cast<Origin>(origin), next[origin], 3, "the ring was full"}, now, out.bytes);
      next[origin] += 3;
    } else {
      const auto kind = origin == 0         ? journal_kind_raw
                        : rng.below(2) == 0 ? journal_kind_row
                                            : std::uint8_t{6};
      append_record(next[origin]++, now, kind, "head", payload_of(rng), out.bytes);
    }
    out.ends.push_back(out.bytes.size());
  }
  JournalReader reader{out.bytes};
  while (reader.next()) {
  }
  EXPECT_FALSE(reader.fault());
  append_seal({reader.tally(), SealReason::clock}, local_time_ns(99), out.bytes);
  out.ends.push_back(out.bytes.size());
  return out;
}

std::string as_text(const JournalRecord& record) {
  return std::to_string(record.sequence) + "/" + std::to_string(base::ns_of(record.now)) + "/" +
         std::to_string(record.kind) + "/" + std::string{record.payload};
}

struct Read {
  std::vector<std::string> records;
  std::optional<JournalFault> fault;
  std::size_t offset = 0;
};

Read read_prefix(std::string_view bytes) {
  Read out;
  JournalReader reader{bytes};
  while (const auto record = reader.next()) out.records.push_back(as_text(*record));
  out.fault = reader.fault();
  out.offset = reader.offset();
  return out;
}

bool is_prefix(const std::vector<std::string>& part, const std::vector<std::string>& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

TEST(JournalFormat, has_its_documented_bytes) {
  std::string out;
  append_record(5, local_time_ns(0x0102030405060708), journal_kind_raw, "ab", "c", out);
  const unsigned char expected[] = {20, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0,   0,   0,   0,
                                    0,  0, 8, 7, 6, 5, 4, 3, 2, 1, 100, 'a', 'b', 'c'};
  ASSERT_EQ(out.size(), sizeof expected);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i < 4 || i >= 8) {
      EXPECT_EQ(static_cast<unsigned char>(out[i]), expected[i]) << i;
    }
  }
}

TEST(JournalFormat, reads_back_head_records_and_seal) {
  const auto written = segment(1, 200);
  JournalReader reader{written.bytes};
  std::size_t count = 0;
  while (reader.next()) ++count;
  EXPECT_FALSE(reader.fault());
  EXPECT_EQ(count, 202U);
  ASSERT_TRUE(reader.head());
  EXPECT_EQ(reader.head()->id, (SegmentId{42, 7}));
  EXPECT_EQ(reader.head()->program, "0.1.0");
  EXPECT_EQ(reader.head()->ends, (std::vector<SegmentEnd>{{6, 1234}}));
  ASSERT_TRUE(reader.seal());
  EXPECT_EQ(reader.seal()->reason, SealReason::clock);
  EXPECT_EQ(reader.seal()->tally.chain, reader.tally().chain);
  EXPECT_EQ(*reader.tally().first[0], 1000U);
  EXPECT_EQ(*reader.tally().first[1], 77U);
  EXPECT_GT(reader.tally().lost, 0U);
  ASSERT_TRUE(find_seal(written.bytes));
  EXPECT_EQ(find_seal(written.bytes)->tally.records, reader.tally().records);
  EXPECT_FALSE(find_seal(std::string_view{written.bytes}.substr(0, written.bytes.size() - 1)));
  EXPECT_EQ(find_head(written.bytes)->id.number, 7U);
}

TEST(JournalFormat, names_what_is_no_segment) {
  EXPECT_EQ(read_prefix("").fault, JournalFault::not_a_journal);
  EXPECT_EQ(read_prefix("PAR1\x15\x04\x15\x10 and more").fault, JournalFault::not_a_journal);
  EXPECT_EQ(read_prefix("PHXJRN02 and more").fault, JournalFault::newer_format);
  std::string headless{journal_magic};
  append_record(0, {}, journal_kind_raw, {}, "x", headless);
  EXPECT_EQ(read_prefix(headless).fault, JournalFault::no_head);
  EXPECT_EQ(read_prefix(headless).offset, journal_magic.size());
}

TEST(JournalFormat, a_hole_or_a_double_that_no_record_names_is_a_fault) {
  std::string start{journal_magic};
  append_head({{1, 0}, "x", {}}, {}, start);
  append_record(4, {}, journal_kind_raw, {}, "a", start);
  std::string hole = start;
  append_record(6, {}, journal_kind_raw, {}, "c", hole);
  EXPECT_EQ(read_prefix(hole).fault, JournalFault::broken_sequence);
  std::string twice = start;
  append_record(4, {}, journal_kind_raw, {}, "a", twice);
  EXPECT_EQ(read_prefix(twice).fault, JournalFault::broken_sequence);
  std::string named = start;
  append_lost({Origin::network, 5, 1, "why"}, {}, named);
  append_record(6, {}, journal_kind_raw, {}, "c", named);
  EXPECT_FALSE(read_prefix(named).fault);
}

// --- I15: the longest valid prefix
// ---------------------------------------------------------------------------------

TEST(JournalPrefix, i15_d04_cut_anywhere_it_gives_exactly_the_records_before_the_cut) {
  const auto written = segment(2, 30);
  const auto whole = read_prefix(written.bytes);
  for (std::size_t cut = 0; cut <= written.bytes.size(); cut += cut < 1500 ? 1 : 5) {
    const auto read = read_prefix(std::string_view{written.bytes}.substr(0, cut));
    const auto expected =
        std::upper_bound(written.ends.begin(), written.ends.end(), cut) - written.ends.begin();
    ASSERT_EQ(read.records.size(), static_cast<std::size_t>(expected)) << cut;
    ASSERT_TRUE(is_prefix(read.records, whole.records)) << cut;
  }
}

TEST(JournalPrefix, i15_d05_any_flipped_bit_loses_nothing_before_it_and_yields_no_bad_record) {
  const auto written = segment(3, 25);
  const auto whole = read_prefix(written.bytes);
  std::string bytes = written.bytes;
  for (std::size_t bit = 0; bit < bytes.size() * 8; bit += bit < 4000 ? 3 : 31) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    const auto read = read_prefix(bytes);
    const auto before =
        std::upper_bound(written.ends.begin(), written.ends.end(), bit / 8) - written.ends.begin();
    ASSERT_EQ(read.records.size(), static_cast<std::size_t>(before)) << bit;
    ASSERT_TRUE(read.fault) << bit;
    ASSERT_TRUE(is_prefix(read.records, whole.records)) << bit;
    bytes[bit / 8] = written.bytes[bit / 8];
  }
}

TEST(JournalPrefix, i15_a_leftover_is_closed_into_a_sealed_segment_that_holds_its_prefix) {
  const auto written = segment(4, 40);
  Rng rng{5};
  for (int i = 0; i < 300; ++i) {
    const auto cut = rng.below(written.bytes.size() + 1);
    auto bytes = written.bytes.substr(0, cut);
    const auto before = read_prefix(bytes);
    const auto leftover = examine_leftover(bytes, std::nullopt);
    ASSERT_EQ(leftover.valid_bytes + leftover.cut_bytes, bytes.size());
    if (!leftover.head) continue;
    const auto loss = rng.below(2) == 0 ? TailLoss::none : TailLoss::unknown;
    bytes.resize(leftover.valid_bytes);
    bytes += closing_bytes(leftover, loss, "power cut", local_time_ns(500));
    JournalReader reader{bytes};
    std::size_t count = 0, unknown = 0;
    while (const auto record = reader.next()) {
      if (count < before.records.size()) {
        ASSERT_EQ(as_text(*record), before.records[count]);
      }
      ++count;
      if (const auto lost = decode_lost(*record); lost && lost->count == 0) ++unknown;
    }
    ASSERT_FALSE(reader.fault()) << name(*reader.fault());
    ASSERT_TRUE(reader.seal());
    ASSERT_EQ(unknown, loss == TailLoss::unknown && !leftover.sealed ? 2U : 0U);
    // A crash while it was closed repeats it and names the loss once.
    const auto again = examine_leftover(std::string_view{bytes}.substr(0, bytes.size() - 3), std::nullopt);
    auto closed =
        bytes.substr(0, again.valid_bytes) + closing_bytes(again, loss, "power cut", local_time_ns(500));
    if (!leftover.sealed) {
      ASSERT_EQ(closed, bytes);
    }
  }
}

TEST(JournalPrefix, d03_bytes_beyond_the_end_that_a_later_segment_names_do_not_count) {
  const auto written = segment(6, 10);
  const auto leftover = examine_leftover(written.bytes, written.ends[4]);
  EXPECT_EQ(leftover.valid_bytes, written.ends[4]);
  EXPECT_FALSE(leftover.sealed);
  EXPECT_EQ(leftover.tally.records, 5U);
}

// --- D5: damage is skipped and named
// -----------------------------------------------------------------------------

struct Skipped {
  std::vector<std::string> records;
  std::vector<JournalReader::Damage> damage;
  std::vector<LostRange> missing;
};

Skipped read_all(std::string_view bytes) {
  Skipped out;
  JournalReader reader{bytes};
  for (;;) {
    while (const auto record = reader.next()) out.records.push_back(as_text(*record));
    if (!reader.fault()) break;
    out.damage.push_back(reader.skip_damage());
  }
  out.missing = reader.missing();
  return out;
}

TEST(JournalDamage, d05_one_rotten_record_costs_that_record_and_is_named) {
  std::string bytes{journal_magic};
  append_head({{1, 0}, "x", {}}, {}, bytes);
  for (std::uint64_t i = 0; i < 3; ++i) append_record(i, {}, journal_kind_raw, {}, "abcdef", bytes);
  const auto bad = bytes.size();
  append_record(3, {}, journal_kind_raw, {}, "abcdef", bytes);
  const auto good = bytes.size();
  for (std::uint64_t i = 4; i < 6; ++i) append_record(i, {}, journal_kind_raw, {}, "abcdef", bytes);
  bytes[good - 2] = static_cast<char>(bytes[good - 2] ^ 1);
  const auto read = read_all(bytes);
  EXPECT_EQ(read.records.size(), 6U);
  ASSERT_EQ(read.damage.size(), 1U);
  EXPECT_EQ(read.damage[0].offset, bad);
  EXPECT_EQ(read.damage[0].bytes, good - bad);
  EXPECT_EQ(read.damage[0].fault, JournalFault::bad_checksum);
  ASSERT_EQ(read.missing.size(), 1U);
  EXPECT_EQ(read.missing[0].first, 3U);
  EXPECT_EQ(read.missing[0].count, 1U);
}

TEST(JournalDamage, d05_a_flipped_bit_anywhere_costs_at_most_one_record_and_read_plus_missing_is_everything) {
  const auto written = segment(7, 30);
  const auto whole = read_prefix(written.bytes);
  JournalReader reference{written.bytes};
  while (reference.next()) {
  }
  std::string bytes = written.bytes;
  Rng rng{8};
  for (int i = 0; i < 1500; ++i) {
    // A rotten magic may be another format's: nothing behind it is read.
    const auto bit = 8 * journal_magic.size() + rng.below((bytes.size() - journal_magic.size()) * 8);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    const auto read = read_all(bytes);
    ASSERT_GE(read.records.size() + 1, whole.records.size()) << bit;
    for (const auto& record : read.records)
      ASSERT_NE(std::find(whole.records.begin(), whole.records.end(), record), whole.records.end()) << bit;
    ASSERT_EQ(read.damage.size(), 1U) << bit;
    std::uint64_t missing = 0;
    for (const auto& range : read.missing) missing += range.count;
    ASSERT_LE(missing, 3U) << bit;  // a `lost` record stands for three
    const auto record =
        std::upper_bound(written.ends.begin(), written.ends.end(), bit / 8) - written.ends.begin();
    const bool numbered =
        bit / 8 >= written.ends[0] && record + 1 < static_cast<std::ptrdiff_t>(written.ends.size());
    ASSERT_EQ(missing != 0, numbered) << bit;
    bytes[bit / 8] = written.bytes[bit / 8];
  }
}

TEST(JournalDamage, d05_a_torn_stretch_is_skipped_to_the_next_whole_record) {
  const auto written = segment(9, 200);
  const auto whole = read_prefix(written.bytes);
  Rng rng{10};
  for (int i = 0; i < 200; ++i) {
    std::string bytes = written.bytes;
    const auto from = journal_magic.size() + rng.below(bytes.size() - 600);
    const auto size = 1 + rng.below(512);
    for (std::size_t at = from; at < from + size; ++at) bytes[at] = static_cast<char>(rng.next());
    const auto read = read_all(bytes);
    const auto first_bad =
        std::upper_bound(written.ends.begin(), written.ends.end(), from) - written.ends.begin();
    const auto last_bad =
        std::upper_bound(written.ends.begin(), written.ends.end(), from + size - 1) - written.ends.begin();
    ASSERT_GE(read.records.size() + static_cast<std::size_t>(last_bad - first_bad) + 1, whole.records.size());
    for (const auto& record : read.records)
      ASSERT_NE(std::find(whole.records.begin(), whole.records.end(), record), whole.records.end());
  }
}

TEST(JournalDamage, i16_any_bytes_come_to_an_end) {
  Rng rng{11};
  const auto written = segment(12, 20);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = rng.below(2) == 0 ? written.bytes : std::string(rng.below(400), '\0');
    const auto flips = rng.below(40);
    for (std::uint64_t flip = 0; flip < flips && !bytes.empty(); ++flip)
      bytes[rng.below(bytes.size())] = static_cast<char>(rng.next());
    const auto read = read_all(bytes);
    ASSERT_LE(read.records.size(), bytes.size());
  }
}

}  // namespace
}  // namespace phoenix::record
