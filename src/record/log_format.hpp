#pragma once

#include "base/result.hpp"
#include "base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace phoenix::record {

/// The append-only log of what an engine consumed, in the order it consumed it.
///
///     file   = magic "PHXLOG01", record*
///     record = u32 length of what follows the checksum
///              u32 CRC-32C of what follows it
///              u64 sequence, from 0, without holes
///              i64 now_ns, our clock when the engine took the input
///              u8  kind
///              payload, length - 17 bytes
///
/// Little endian, no padding. A reader stops at the first record that is cut or does not match its checksum:
/// what stands before it is the longest valid prefix.
inline constexpr std::string_view log_magic = "PHXLOG01";
inline constexpr std::size_t log_record_head_bytes = 8;
inline constexpr std::size_t log_record_fixed_bytes = 17;
inline constexpr std::size_t log_payload_bytes_max = 64U << 20;

struct LogRecord {
  std::uint64_t sequence = 0;
  base::LocalTime now{};
  std::uint8_t kind = 0;
  std::string_view payload;  ///< into the reader's input
};

/// Appends the bytes of one record to `out`. Asserts that the payload is within its bound.
void append_log_record(const LogRecord& record, std::string& out);

enum class LogFault : std::uint8_t {
  not_a_log,  ///< the magic is missing
  cut,        ///< the last record is not all there: a normal end after a crash
  bad_checksum,
  bad_length,
  broken_sequence,  ///< a record is missing or doubled
};
std::string_view name(LogFault fault);

/// Walks the records of a whole log held in memory.
class LogReader {
 public:
  explicit LogReader(std::string_view bytes) : bytes_(bytes) {}

  /// The next record; empty at the end of the valid prefix, where `fault` says why unless it is the file's
  /// end.
  std::optional<LogRecord> next();
  std::optional<LogFault> fault() const { return fault_; }
  /// Bytes of the valid prefix read so far.
  std::size_t offset() const { return offset_; }

 private:
  std::optional<LogRecord> stop(LogFault fault);
  std::string_view bytes_;
  std::size_t offset_ = 0;
  std::uint64_t expected_ = 0;
  std::optional<LogFault> fault_;
};

}  // namespace phoenix::record
