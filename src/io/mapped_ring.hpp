#pragma once

#include "base/ring.hpp"
#include "io/files.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace phoenix::io {

/// A file as bytes in memory, read only, paged in as it is read.
class MappedFile {
 public:
  /// FileError when it cannot be opened or mapped.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::string_view bytes() const { return {data_, size_}; }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Identity of the running kernel: what a mapped file holds is whole only while it has not changed.
std::string boot_id();

/// Queue of byte records between one producer and one consumer thread in a file that is mapped and shared, so
/// that what was pushed outlives the process. Pushing copies, makes no system call and waits for nobody. A
/// record counts once the tail moved behind it, which happens after its bytes are there: a process killed at
/// any instant leaves whole records. The consumer reads ahead and releases what is safe elsewhere: only that
/// room is used again.
///
/// Full: `try_push` returns false and counts it. Records longer than half the ring are refused.
class MappedRing {
 public:
  /// Makes `path` anew (whatever was there is replaced) with all its space allocated, so that no later write
  /// finds the disk full. Capacity is rounded up to a power of two of at least a page. FileError when it
  /// cannot.
  MappedRing(const std::filesystem::path& path, std::size_t capacity_bytes, std::uint32_t epoch);
  ~MappedRing();
  MappedRing(const MappedRing&) = delete;
  MappedRing& operator=(const MappedRing&) = delete;

  /// Producer thread only.
  bool try_push(std::span<const std::byte> head, std::span<const std::byte> body);
  /// Producer thread only: a number given out, whether its record found room or not.
  void number_given(std::uint64_t next_number);

  // Consumer thread only.

  /// Behind the newest record.
  std::uint64_t tail() const;
  /// One beyond the highest number given out. What was asked for before `tail` names no record behind that
  /// tail.
  std::uint64_t next_number() const;
  /// The next record that was not read yet and stands before `tail`; valid until released.
  std::optional<std::string_view> read_before(std::uint64_t tail);
  /// What was read may be written over.
  void release();
  /// Kept in the file for whoever recovers it.
  void note_segment(std::uint32_t number);

  base::RingStats stats() const { return counters_.read(capacity_); }
  std::uint64_t waiting_bytes() const;

  struct Header;

 private:
  Header* header_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t capacity_;
  std::size_t mapped_ = 0;
  std::uint64_t tail_local_ = 0, head_cache_ = 0;              ///< the producer's
  alignas(base::cache_line_bytes) std::uint64_t read_at_ = 0;  ///< the consumer's
  base::ring_detail::ProducerCounters counters_;
};

/// What a ring held when its process died.
class RingLeftover {
 public:
  /// Empty when there is no such file, or one that was never finished. FileError when it is of another
  /// format.
  static std::optional<RingLeftover> open(const std::filesystem::path& path);
  RingLeftover(RingLeftover&& other) noexcept;
  RingLeftover& operator=(RingLeftover&& other) noexcept;
  ~RingLeftover();

  /// The machine was not started anew since: what is in the ring is what was pushed.
  bool is_trusted() const { return trusted_; }
  std::uint32_t epoch() const { return epoch_; }
  std::uint32_t segment() const { return segment_; }
  std::uint64_t next_number() const { return next_number_; }
  /// Records in order; empty at the end, or at bytes that are no record (`is_damaged`).
  std::optional<std::string_view> next();
  bool is_damaged() const { return damaged_; }

 private:
  RingLeftover() = default;
  const std::byte* map_ = nullptr;
  std::size_t mapped_ = 0;
  bool trusted_ = false, damaged_ = false;
  std::uint32_t epoch_ = 0, segment_ = 0;
  std::uint64_t capacity_ = 0, at_ = 0, tail_ = 0, next_number_ = 0;
};

}  // namespace phoenix::io
