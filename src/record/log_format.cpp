#include "record/log_format.hpp"

#include "base/assert.hpp"
#include "base/crc32c.hpp"
#include "record/raw_bytes.hpp"

#include <cstring>

namespace phoenix::record {

void append_log_record(const LogRecord& record, std::string& out) {
  PHX_ASSERT(record.payload.size() <= log_payload_bytes_max, "a log record is within its bound");
  const auto length = static_cast<std::uint32_t>(log_record_fixed_bytes + record.payload.size());
  const std::size_t start = out.size();
  put(out, length);
  put(out, std::uint32_t{0});
  put(out, record.sequence);
  put(out, base::ns_of(record.now));
  put(out, record.kind);
  out.append(record.payload);
  const std::uint32_t crc = base::crc32c(std::string_view{out}.substr(start + log_record_head_bytes));
  std::memcpy(out.data() + start + 4, &crc, sizeof crc);
}

std::optional<LogRecord> LogReader::stop(LogFault fault) {
  fault_ = fault;
  return std::nullopt;
}

std::optional<LogRecord> LogReader::next() {
  if (fault_) return std::nullopt;
  if (offset_ == 0) {
    if (!bytes_.starts_with(log_magic)) return stop(LogFault::not_a_log);
    offset_ = log_magic.size();
  }
  const std::size_t left = bytes_.size() - offset_;
  if (left == 0) return std::nullopt;
  if (left < log_record_head_bytes) return stop(LogFault::cut);
  const auto length = load<std::uint32_t>(bytes_, offset_);
  if (length < log_record_fixed_bytes || length > log_record_fixed_bytes + log_payload_bytes_max) {
    return stop(LogFault::bad_length);
  }
  if (left - log_record_head_bytes < length) return stop(LogFault::cut);
  const auto checked = bytes_.substr(offset_ + log_record_head_bytes, length);
  if (base::crc32c(checked) != load<std::uint32_t>(bytes_, offset_ + 4)) return stop(LogFault::bad_checksum);
  LogRecord record{.sequence = load<std::uint64_t>(checked, 0),
                   .now = base::local_time_ns(load<std::int64_t>(checked, 8)),
                   .kind = load<std::uint8_t>(checked, 16),
                   .payload = checked.substr(log_record_fixed_bytes)};
  if (record.sequence != expected_) return stop(LogFault::broken_sequence);
  ++expected_;
  offset_ += log_record_head_bytes + length;
  return record;
}

std::string_view name(LogFault fault) {
  switch (fault) {
    case LogFault::not_a_log:
      return "not a Phoenix log";
    case LogFault::cut:
      return "the last record is cut";
    case LogFault::bad_checksum:
      return "a record does not match its checksum";
    case LogFault::bad_length:
      return "a record's length is impossible";
    case LogFault::broken_sequence:
      break;
  }
  return "a record is missing or doubled";
}

}  // namespace phoenix::record
