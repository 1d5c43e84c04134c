#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "record/layout.hpp"

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::record {

// One segment of the journal; docs/journal.md has it byte by byte.
//
//     segment = magic "PHXJRN01", head record, record*, seal record
//     record  = u32 length of what follows the checksum
//               u32 CRC-32C of what follows it
//               u64 sequence, i64 now_ns, u8 kind, payload (length - 17 bytes)
//
// Little endian, no padding. What the network thread and what the engine thread wrote is numbered from 0 a
// run, each for itself and without holes: a `lost` record stands for the numbers it names.

inline constexpr std::string_view journal_magic = "PHXJRN01";
inline constexpr std::size_t journal_head_bytes = 8;    ///< length and checksum
inline constexpr std::size_t journal_fixed_bytes = 17;  ///< sequence, now, kind
inline constexpr std::size_t journal_payload_bytes_max = 64U << 20;

/// Kinds 0..99 are engine inputs by value: the index in engine::Input, the payload as engine/input_codec.hpp
/// has it.
inline constexpr std::uint8_t journal_kind_input_last = 99;
inline constexpr std::uint8_t journal_kind_raw = 100;       ///< network: an encoded input as it was read
inline constexpr std::uint8_t journal_kind_consumed = 101;  ///< engine: u64, the raw sequence it took now
inline constexpr std::uint8_t journal_kind_row = 102;       ///< engine: record/row.hpp bytes
inline constexpr std::uint8_t journal_kind_lost = 103;      ///< either: LostRange
inline constexpr std::uint8_t journal_kind_start = 200;     ///< engine: JSON, what the run was told
inline constexpr std::uint8_t journal_kind_summary = 201;   ///< engine: JSON, what came out of it
inline constexpr std::uint8_t journal_kind_head = 210;      ///< first record: SegmentHead
inline constexpr std::uint8_t journal_kind_seal = 211;      ///< last record: SegmentSeal

/// Who numbers a record.
enum class Origin : std::uint8_t {
  network,
  engine,
  journal  ///< the segment's own head and seal: not numbered
};
inline constexpr std::size_t numbered_origins = 2;
std::string_view name(Origin origin);
/// Empty for a kind the format does not have. A `lost` record says its origin in its payload.
std::optional<Origin> origin_of(std::uint8_t kind);

struct JournalRecord {
  std::uint64_t sequence = 0;
  base::LocalTime now{};
  std::uint8_t kind = 0;
  std::string_view payload;  ///< into the reader's input
};

/// Appends the bytes of one record to `out`; its payload is `head` followed by `body`. Asserts that it is
/// within its bound.
void append_record(std::uint64_t sequence, base::LocalTime now, std::uint8_t kind, std::string_view head,
                   std::string_view body, std::string& out);

/// Records that are not there. Its record carries `first` as its sequence and stands for `count` numbers; a
/// count of 0 says that how many is not known (at most one sync interval of them).
struct LostRange {
  Origin origin = Origin::network;
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::string cause;
};
void append_lost(const LostRange& lost, base::LocalTime now, std::string& out);
std::optional<LostRange> decode_lost(const JournalRecord& record);

/// Up to where an earlier segment of the run counts: what stands beyond it was written again to a later one.
struct SegmentEnd {
  std::uint32_t number = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const SegmentEnd&, const SegmentEnd&) = default;
};

struct SegmentHead {
  SegmentId id;
  std::string program;  ///< version of the program that wrote it
  std::vector<SegmentEnd>
      ends;  ///< the segment before it, and segments that a failed write or sync ended early
};
inline constexpr std::size_t segment_ends_max = 16;
void append_head(const SegmentHead& head, base::LocalTime now, std::string& out);
std::optional<SegmentHead> decode_head(const JournalRecord& record);

enum class SealReason : std::uint8_t {
  clock,  ///< the rotation interval or an hour's border
  size,
  asked,      ///< somebody wants it converted now
  closed,     ///< the run ended
  disk_full,  ///< closed with the reserve
  recovered   ///< by the next start, after a crash
};
std::string_view name(SealReason reason);

/// What a segment holds so far: kept by writer and reader alike, and compared by the seal.
struct SegmentTally {
  std::uint64_t bytes = 0;    ///< magic and records
  std::uint64_t records = 0;  ///< all of them, the head too
  std::uint32_t chain = 0;    ///< CRC-32C over each record's length and checksum, in order
  std::uint64_t lost = 0;     ///< sum of the counts of `lost` records
  std::array<std::optional<std::uint64_t>, numbered_origins>
      first;                                           ///< sequence of the first record of an origin
  std::array<std::uint64_t, numbered_origins> next{};  ///< one beyond its last; meaningless without a first
  base::LocalTime last_now{};

  /// Counts one valid record of `size` bytes whose length and checksum are `framing`.
  void add(const JournalRecord& record, std::string_view framing, std::size_t size);
};

struct SegmentSeal {
  SegmentTally tally;  ///< of everything before the seal
  SealReason reason = SealReason::clock;
};
void append_seal(const SegmentSeal& seal, base::LocalTime now, std::string& out);
std::optional<SegmentSeal> decode_seal(const JournalRecord& record);
/// The seal at the end of a segment, without reading the rest; empty where there is none.
std::optional<SegmentSeal> find_seal(std::string_view segment);
/// The head at its beginning, likewise.
std::optional<SegmentHead> find_head(std::string_view segment);

enum class JournalFault : std::uint8_t {
  not_a_journal,  ///< the magic is missing
  newer_format,   ///< the magic of another version
  no_head,        ///< the first record is no segment head
  cut,            ///< the last record is not all there: a normal end after a crash
  bad_checksum,
  bad_length,
  bad_record,       ///< its checksum holds, but it says nothing this format has
  broken_sequence,  ///< a record is missing or doubled and no `lost` record says so
  bad_seal,         ///< the seal does not match what stands before it
  after_seal        ///< bytes behind the seal
};
std::string_view name(JournalFault fault);

/// Walks the records of one segment that lies in memory or is mapped. Any bytes give records or a fault.
///
///     while (true) {
///       while (auto record = reader.next()) use(*record);
///       if (!reader.fault()) break;              // the end
///       report(reader.skip_damage());            // or stop: what was read is the longest valid prefix
///     }
///     for (auto& range : reader.missing()) report(range);
class JournalReader {
 public:
  explicit JournalReader(std::string_view bytes)
      : bytes_(bytes), scan_work_left_(scan_work_factor * bytes.size()) {}
  template <std::same_as<std::string> S>
  explicit JournalReader(S&&) = delete;  ///< the reader keeps a view

  /// The next record, head and seal included; empty at the end of the valid prefix, where `fault` says why
  /// unless it is the file's end.
  std::optional<JournalRecord> next();
  std::optional<JournalFault> fault() const { return fault_; }
  /// Bytes read so far: up to a fault, the longest valid prefix.
  std::size_t offset() const { return offset_; }

  struct Damage {
    std::size_t offset = 0;
    std::size_t bytes = 0;
    JournalFault fault = JournalFault::bad_checksum;
  };
  /// Only after a fault: goes on behind the damage, at the record the length points to where that one is
  /// valid, else at the next valid one, else at the end. All searches of a reader together checksum at most
  /// scan_work_factor times the segment's size.
  Damage skip_damage();
  static constexpr std::uint64_t scan_work_factor = 8;

  /// Sequences that damage took, known once a later record of the same origin was read; `cause` says which
  /// bytes.
  const std::vector<LostRange>& missing() const { return missing_; }

  const SegmentTally& tally() const { return tally_; }
  /// Of the first record; empty before it was read.
  const std::optional<SegmentHead>& head() const { return head_; }
  /// Of the last one; empty where the segment is not sealed.
  const std::optional<SegmentSeal>& seal() const { return seal_; }

 private:
  std::optional<JournalRecord> stop(JournalFault fault);
  bool is_plausible(std::size_t offset) const;
  std::optional<std::size_t> scan_from(std::size_t offset);
  void compare_with_seal(const SegmentSeal& seal);
  base::Result<void, JournalFault> accept(const JournalRecord& record);

  std::string_view bytes_;
  std::uint64_t scan_work_left_;
  std::size_t offset_ = 0;
  std::optional<JournalFault> fault_;
  SegmentTally tally_;
  std::optional<SegmentHead> head_;
  std::optional<SegmentSeal> seal_;
  bool damaged_ = false;
  std::string last_damage_;
  std::array<std::string, numbered_origins>
      doubt_;  ///< damage behind which the next sequence may jump; empty: none
  std::vector<LostRange> missing_;
};

/// What a segment that was left open is worth.
struct LeftoverSegment {
  std::uint64_t valid_bytes = 0;  ///< the longest valid prefix within `limit`; 0: not even a head
  std::uint64_t cut_bytes = 0;    ///< what stands beyond it
  std::optional<JournalFault> fault;
  SegmentTally tally;
  std::optional<SegmentHead> head;
  bool sealed = false;         ///< complete: it only wants its name
  bool tail_is_named = false;  ///< its last record is a `lost` one of unknown count
};
/// `limit`: bytes that count, as a later segment's head says; empty: all.
LeftoverSegment examine_leftover(std::string_view bytes, std::optional<std::uint64_t> limit);

enum class TailLoss : std::uint8_t { none, unknown };
/// What is appended to the first valid_bytes of a leftover to make it a sealed segment. Unknown loss behind
/// its end is named by `lost` records of both origins with `cause`.
std::string closing_bytes(const LeftoverSegment& leftover, TailLoss loss, std::string_view cause,
                          base::LocalTime now);

}  // namespace phoenix::record
