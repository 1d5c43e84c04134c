#include "record/journal_format.hpp"

#include "base/assert.hpp"
#include "base/crc32c.hpp"
#include "record/raw_bytes.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::record {
namespace {

constexpr std::string_view magic_family = journal_magic.substr(0, 6);
constexpr std::size_t record_bytes_min = journal_head_bytes + journal_fixed_bytes;
constexpr std::size_t lost_fixed_bytes = 1 + 8 + 8;
constexpr std::size_t seal_payload_bytes = 8 + 8 + 4 + 8 + numbered_origins * (1 + 8 + 8) + 8 + 1;
constexpr std::size_t cause_bytes_max = 1024;

/// Takes fixed fields one after the other; the size was checked before.
class Taker {
 public:
  explicit Taker(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  T take() {
    const T value = load<T>(bytes_, at_);
    at_ += sizeof(T);
    return value;
  }
  std::string_view rest() const { return bytes_.substr(at_); }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

std::optional<std::uint64_t> natural(const nlohmann::json& object, const char* key, std::uint64_t max) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
  const auto value = found->get<std::uint64_t>();
  return value <= max ? std::optional{value} : std::nullopt;
}

}  // namespace

std::string_view name(Origin origin) {
  switch (origin) {
    case Origin::network:
      return "network";
    case Origin::engine:
      return "engine";
    case Origin::journal:
      break;
  }
  return "journal";
}

std::optional<Origin> origin_of(std::uint8_t kind) {
  if (kind <= journal_kind_input_last) return Origin::engine;
  switch (kind) {
    case journal_kind_raw:
      return Origin::network;
    case journal_kind_consumed:
    case journal_kind_row:
    case journal_kind_start:
    case journal_kind_summary:
      return Origin::engine;
    case journal_kind_lost:
    case journal_kind_head:
    case journal_kind_seal:
      return Origin::journal;
    default:
      return std::nullopt;
  }
}

void append_record(std::uint64_t sequence, base::LocalTime now, std::uint8_t kind, std::string_view head,
                   std::string_view body, std::string& out) {
  const std::size_t payload = head.size() + body.size();
  PHX_ASSERT(payload <= journal_payload_bytes_max, "a journal record is within its bound");
  const std::size_t start = out.size();
  const auto length = static_cast<std::uint32_t>(journal_fixed_bytes + payload);
  const std::int64_t now_ns = base::ns_of(now);
  char fixed[record_bytes_min]{};
  std::memcpy(fixed, &length, 4);
  std::memcpy(fixed + 8, &sequence, 8);
  std::memcpy(fixed + 16, &now_ns, 8);
  std::memcpy(fixed + 24, &kind, 1);
  out.append(fixed, sizeof fixed);
  if (!head.empty()) out.append(head);
  out.append(body);
  const std::uint32_t crc = base::crc32c(std::string_view{out}.substr(start + journal_head_bytes));
  std::memcpy(out.data() + start + 4, &crc, sizeof crc);
}

void append_lost(const LostRange& lost, base::LocalTime now, std::string& out) {
  PHX_ASSERT(lost.origin != Origin::journal, "only numbered records can be missed");
  std::string fixed;
  put(fixed, static_cast<std::uint8_t>(lost.origin));
  put(fixed, lost.first);
  put(fixed, lost.count);
  append_record(lost.first, now, journal_kind_lost, fixed,
                std::string_view{lost.cause}.substr(0, cause_bytes_max), out);
}

std::optional<LostRange> decode_lost(const JournalRecord& record) {
  if (record.kind != journal_kind_lost || record.payload.size() < lost_fixed_bytes) return std::nullopt;
  Taker fields{record.payload};
  const auto origin = fields.take<std::uint8_t>();
  LostRange lost;
  lost.first = fields.take<std::uint64_t>();
  lost.count = fields.take<std::uint64_t>();
  lost.cause = std::string{fields.rest()};
  if (origin >= numbered_origins || lost.first != record.sequence || lost.cause.size() > cause_bytes_max)
    return std::nullopt;
  if (lost.count > ~lost.first) return std::nullopt;
  lost.origin = static_cast<Origin>(origin);
  return lost;
}

void append_head(const SegmentHead& head, base::LocalTime now, std::string& out) {
  nlohmann::ordered_json text = {{"format", journal_magic},
                                 {"run_epoch", head.id.epoch},
                                 {"segment", head.id.number},
                                 {"program", head.program},
                                 {"ends", nlohmann::ordered_json::array()}};
  for (const auto& end : head.ends) text["ends"].push_back({{"segment", end.number}, {"bytes", end.bytes}});
  append_record(0, now, journal_kind_head,
                text.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), {}, out);
}

std::optional<SegmentHead> decode_head(const JournalRecord& record) {
  if (record.kind != journal_kind_head || record.sequence != 0) return std::nullopt;
  const auto text = nlohmann::json::parse(record.payload, nullptr, false);
  if (!text.is_object() || text.value("format", nlohmann::json{}) != journal_magic) return std::nullopt;
  const auto epoch = natural(text, "run_epoch", UINT32_MAX);
  const auto number = natural(text, "segment", UINT32_MAX);
  const auto program = text.find("program");
  const auto ends = text.find("ends");
  if (!epoch || !number || program == text.end() || !program->is_string() || ends == text.end() ||
      !ends->is_array() || ends->size() > segment_ends_max) {
    return std::nullopt;
  }
  SegmentHead head{{static_cast<std::uint32_t>(*epoch), static_cast<std::uint32_t>(*number)}, *program, {}};
  for (const auto& end : *ends) {
    if (!end.is_object()) return std::nullopt;
    const auto end_number = natural(end, "segment", UINT32_MAX);
    const auto end_bytes = natural(end, "bytes", UINT64_MAX);
    if (!end_number || !end_bytes) return std::nullopt;
    head.ends.push_back({static_cast<std::uint32_t>(*end_number), *end_bytes});
  }
  return head;
}

std::string_view name(SealReason reason) {
  switch (reason) {
    case SealReason::clock:
      return "clock";
    case SealReason::size:
      return "size";
    case SealReason::asked:
      return "asked";
    case SealReason::closed:
      return "closed";
    case SealReason::disk_full:
      return "disk full";
    case SealReason::recovered:
      break;
  }
  return "recovered";
}

void SegmentTally::add(const JournalRecord& record, std::string_view framing, std::size_t size) {
  bytes += size;
  ++records;
  chain = base::crc32c(framing, chain);
  last_now = record.now;
  auto origin = origin_of(record.kind);
  std::uint64_t count = 1;
  if (const auto range = decode_lost(record)) {
    origin = range->origin;
    count = range->count;
    lost += count;
  }
  if (!origin || *origin == Origin::journal || count == 0) return;
  const auto index = static_cast<std::size_t>(*origin);
  if (!first[index]) first[index] = record.sequence;
  next[index] = record.sequence + count;
}

void append_seal(const SegmentSeal& seal, base::LocalTime now, std::string& out) {
  std::string payload;
  put(payload, seal.tally.bytes);
  put(payload, seal.tally.records);
  put(payload, seal.tally.chain);
  put(payload, seal.tally.lost);
  for (std::size_t i = 0; i < numbered_origins; ++i) {
    put(payload, static_cast<std::uint8_t>(seal.tally.first[i] ? 1 : 0));
    put(payload, seal.tally.first[i].value_or(0));
    put(payload, seal.tally.first[i] ? seal.tally.next[i] : 0);
  }
  put(payload, base::ns_of(seal.tally.last_now));
  put(payload, static_cast<std::uint8_t>(seal.reason));
  PHX_ASSERT(payload.size() == seal_payload_bytes, "a seal has its documented size");
  append_record(seal.tally.records, now, journal_kind_seal, payload, {}, out);
}

std::optional<SegmentSeal> decode_seal(const JournalRecord& record) {
  if (record.kind != journal_kind_seal || record.payload.size() != seal_payload_bytes) return std::nullopt;
  Taker fields{record.payload};
  SegmentSeal seal;
  seal.tally.bytes = fields.take<std::uint64_t>();
  seal.tally.records = fields.take<std::uint64_t>();
  seal.tally.chain = fields.take<std::uint32_t>();
  seal.tally.lost = fields.take<std::uint64_t>();
  for (std::size_t i = 0; i < numbered_origins; ++i) {
    const auto present = fields.take<std::uint8_t>();
    const auto first = fields.take<std::uint64_t>();
    seal.tally.next[i] = fields.take<std::uint64_t>();
    if (present > 1) return std::nullopt;
    if (present == 1) seal.tally.first[i] = first;
  }
  seal.tally.last_now = base::local_time_ns(fields.take<std::int64_t>());
  const auto reason = fields.take<std::uint8_t>();
  if (reason > static_cast<std::uint8_t>(SealReason::recovered) || record.sequence != seal.tally.records)
    return std::nullopt;
  seal.reason = static_cast<SealReason>(reason);
  return seal;
}

namespace {

struct Parsed {
  JournalRecord record;
  std::size_t size = 0;  ///< bytes of the whole record
};

/// One record by its own bytes alone: length, checksum, kind and the fixed payloads.
base::Result<Parsed, JournalFault> parse_record(std::string_view bytes, std::size_t offset) {
  const std::size_t left = bytes.size() - offset;
  if (left < record_bytes_min) return base::fail(JournalFault::cut);
  const auto length = load<std::uint32_t>(bytes, offset);
  if (length < journal_fixed_bytes || length > journal_fixed_bytes + journal_payload_bytes_max)
    return base::fail(JournalFault::bad_length);
  if (left - journal_head_bytes < length) return base::fail(JournalFault::cut);
  const auto checked = bytes.substr(offset + journal_head_bytes, length);
  if (base::crc32c(checked) != load<std::uint32_t>(bytes, offset + 4))
    return base::fail(JournalFault::bad_checksum);
  const Parsed parsed{{.sequence = load<std::uint64_t>(checked, 0),
                       .now = base::local_time_ns(load<std::int64_t>(checked, 8)),
                       .kind = load<std::uint8_t>(checked, 16),
                       .payload = checked.substr(journal_fixed_bytes)},
                      journal_head_bytes + length};
  if (!origin_of(parsed.record.kind)) return base::fail(JournalFault::bad_record);
  if (parsed.record.kind == journal_kind_lost && !decode_lost(parsed.record))
    return base::fail(JournalFault::bad_record);
  return parsed;
}

}  // namespace

std::optional<SegmentSeal> find_seal(std::string_view segment) {
  constexpr std::size_t size = record_bytes_min + seal_payload_bytes;
  if (segment.size() < journal_magic.size() + size) return std::nullopt;
  const auto parsed = parse_record(segment, segment.size() - size);
  return parsed && parsed->size == size ? decode_seal(parsed->record) : std::nullopt;
}

std::optional<SegmentHead> find_head(std::string_view segment) {
  JournalReader reader{segment};
  reader.next();
  return reader.head();
}

std::string_view name(JournalFault fault) {
  switch (fault) {
    case JournalFault::not_a_journal:
      return "not a segment of a Phoenix journal";
    case JournalFault::newer_format:
      return "a segment of another version of the journal's format";
    case JournalFault::no_head:
      return "the first record is no segment head";
    case JournalFault::cut:
      return "the last record is cut";
    case JournalFault::bad_checksum:
      return "a record does not match its checksum";
    case JournalFault::bad_length:
      return "a record's length is impossible";
    case JournalFault::bad_record:
      return "a record says nothing this format has";
    case JournalFault::broken_sequence:
      return "a record is missing or doubled";
    case JournalFault::bad_seal:
      return "the seal does not match what stands before it";
    case JournalFault::after_seal:
      break;
  }
  return "bytes behind the seal";
}

std::optional<JournalRecord> JournalReader::stop(JournalFault fault) {
  fault_ = fault;
  return std::nullopt;
}

/// Whether the record fits what was read before it; takes note of it when it does.
base::Result<void, JournalFault> JournalReader::accept(const JournalRecord& record) {
  if (record.kind == journal_kind_head) {
    auto head = decode_head(record);
    if (!head || head_) return base::fail(JournalFault::bad_record);
    head_ = std::move(head);
    return {};
  }
  if (!head_ && !damaged_) return base::fail(JournalFault::no_head);
  if (record.kind == journal_kind_seal) {
    const auto seal = decode_seal(record);
    if (!seal) return base::fail(JournalFault::bad_record);
    if (!damaged_ && (seal->tally.bytes != tally_.bytes || seal->tally.records != tally_.records ||
                      seal->tally.chain != tally_.chain)) {
      return base::fail(JournalFault::bad_seal);
    }
    if (damaged_) compare_with_seal(*seal);
    seal_ = *seal;
    return {};
  }
  auto origin = *origin_of(record.kind);
  if (record.kind == journal_kind_lost) origin = decode_lost(record)->origin;
  const auto index = static_cast<std::size_t>(origin);
  if (tally_.first[index] && record.sequence != tally_.next[index]) {
    if (doubt_[index].empty() || record.sequence < tally_.next[index])
      return base::fail(JournalFault::broken_sequence);
    missing_.push_back({origin, tally_.next[index], record.sequence - tally_.next[index], doubt_[index]});
  }
  doubt_[index].clear();
  return {};
}

/// The seal says what was there: names what damage took before the first and after the last record of an
/// origin.
void JournalReader::compare_with_seal(const SegmentSeal& seal) {
  for (std::size_t i = 0; i < numbered_origins; ++i) {
    if (!seal.tally.first[i]) continue;
    const auto origin = static_cast<Origin>(i);
    const auto first = *seal.tally.first[i];
    const auto read_first = tally_.first[i].value_or(seal.tally.next[i]);
    const auto read_next = tally_.first[i] ? tally_.next[i] : seal.tally.next[i];
    if (first < read_first) missing_.push_back({origin, first, read_first - first, last_damage_});
    if (read_next < seal.tally.next[i])
      missing_.push_back({origin, read_next, seal.tally.next[i] - read_next, last_damage_});
  }
}

std::optional<JournalRecord> JournalReader::next() {
  if (fault_) return std::nullopt;
  if (offset_ == 0 && !damaged_) {
    if (!bytes_.starts_with(journal_magic)) {
      const bool ours = bytes_.size() >= journal_magic.size() && bytes_.starts_with(magic_family);
      return stop(ours ? JournalFault::newer_format : JournalFault::not_a_journal);
    }
    offset_ = journal_magic.size();
    tally_.bytes = offset_;
  }
  if (offset_ == bytes_.size()) return std::nullopt;
  if (seal_) return stop(JournalFault::after_seal);
  const auto parsed = parse_record(bytes_, offset_);
  if (!parsed) return stop(parsed.error());
  if (const auto accepted = accept(parsed->record); !accepted) return stop(accepted.error());
  // The seal's own tally is of what stands before it.
  if (!seal_) tally_.add(parsed->record, bytes_.substr(offset_, journal_head_bytes), parsed->size);
  offset_ += parsed->size;
  return parsed->record;
}

/// Cheap tests that keep a search from computing a checksum at every byte.
bool JournalReader::is_plausible(std::size_t offset) const {
  if (bytes_.size() - offset < record_bytes_min) return false;
  const auto length = load<std::uint32_t>(bytes_, offset);
  if (length < journal_fixed_bytes || length > bytes_.size() - offset - journal_head_bytes) return false;
  return origin_of(load<std::uint8_t>(bytes_, offset + journal_head_bytes + 16)).has_value();
}

std::optional<std::size_t> JournalReader::scan_from(std::size_t offset) {
  for (std::size_t at = offset; at + record_bytes_min <= bytes_.size(); ++at) {
    if (!is_plausible(at)) continue;
    const auto length = load<std::uint32_t>(bytes_, at);
    if (length > scan_work_left_) return std::nullopt;
    scan_work_left_ -= length;
    if (parse_record(bytes_, at)) return at;
  }
  return std::nullopt;
}

JournalReader::Damage JournalReader::skip_damage() {
  PHX_ASSERT(fault_.has_value(), "only behind a fault there is damage to skip");
  const JournalFault fault = *fault_;
  const std::size_t from = offset_;
  std::size_t to = bytes_.size();
  if (fault != JournalFault::after_seal && fault != JournalFault::newer_format && from < bytes_.size()) {
    std::optional<std::size_t> found;
    if (is_plausible(from)) {
      const std::size_t behind = from + journal_head_bytes + load<std::uint32_t>(bytes_, from);
      if (behind == bytes_.size() || parse_record(bytes_, behind)) found = behind;
    }
    if (!found) found = scan_from(from + 1);
    if (fault == JournalFault::broken_sequence && parse_record(bytes_, from)) {
      // The record itself is whole. One that comes too early is read once its origin is in doubt.
      const auto parsed = parse_record(bytes_, from);
      const auto lost = decode_lost(parsed->record);
      const auto index = static_cast<std::size_t>(lost ? lost->origin : *origin_of(parsed->record.kind));
      if (parsed->record.sequence > tally_.next[index]) found = from;
    }
    if (found) to = *found;
  }
  last_damage_ = fmt::format("{} at byte {} ({} bytes)", name(fault), from, to - from);
  doubt_.fill(last_damage_);
  damaged_ = true;
  fault_.reset();
  if (tally_.bytes == 0) tally_.bytes = journal_magic.size();
  offset_ = to;
  return {from, to - from, fault};
}

LeftoverSegment examine_leftover(std::string_view bytes, std::optional<std::uint64_t> limit) {
  LeftoverSegment found;
  const auto counted = bytes.substr(
      0, static_cast<std::size_t>(std::min<std::uint64_t>(limit.value_or(bytes.size()), bytes.size())));
  JournalReader reader{counted};
  while (const auto record = reader.next()) {
    if (record->kind == journal_kind_seal) continue;
    const auto lost = decode_lost(*record);
    found.tail_is_named = lost && lost->count == 0;
  }
  found.fault = reader.fault();
  found.head = reader.head();
  found.tally = reader.tally();
  found.sealed = reader.seal().has_value();
  found.valid_bytes = found.head ? reader.offset() : 0;
  found.cut_bytes = bytes.size() - found.valid_bytes;
  return found;
}

std::string closing_bytes(const LeftoverSegment& leftover, TailLoss loss, std::string_view cause,
                          base::LocalTime now) {
  PHX_ASSERT(leftover.head.has_value(), "only a segment with a head is sealed");
  std::string out;
  if (leftover.sealed) return out;
  SegmentTally tally = leftover.tally;
  if (loss == TailLoss::unknown && !leftover.tail_is_named) {
    for (std::size_t i = 0; i < numbered_origins; ++i) {
      const std::size_t from = out.size();
      append_lost({static_cast<Origin>(i), tally.first[i] ? tally.next[i] : 0, 0, std::string{cause}}, now,
                  out);
      const auto added = std::string_view{out}.substr(from);
      JournalRecord record{tally.first[i] ? tally.next[i] : 0, now, journal_kind_lost,
                           added.substr(journal_head_bytes + journal_fixed_bytes)};
      tally.add(record, added.substr(0, journal_head_bytes), added.size());
    }
  }
  append_seal({tally, SealReason::recovered}, now, out);
  return out;
}

}  // namespace phoenix::record
