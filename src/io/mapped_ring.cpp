#include "io/mapped_ring.hpp"

#include "io/descriptor.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

constexpr std::string_view ring_magic = "PHXRING1";
constexpr std::size_t header_bytes = 4096;
constexpr std::size_t boot_id_bytes = 36;
constexpr std::size_t length_bytes = 8;
constexpr std::uint64_t wrap_mark = ~std::uint64_t{0};

constexpr std::size_t record_bytes(std::size_t length) { return length_bytes + (length + 7) / 8 * 8; }

void* map_file(int fd, std::size_t size, int protection, const std::filesystem::path& path) {
  void* at = ::mmap(nullptr, size, protection, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) throw_errno("map", path);
  return at;
}

std::size_t size_of(int fd, const std::filesystem::path& path) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) throw_errno("look at", path);
  return static_cast<std::size_t>(info.st_size);
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
  const Descriptor fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd.is_open()) throw_errno("open", path);
  size_ = size_of(*fd, path);
  if (size_ != 0) data_ = static_cast<const char*>(map_file(*fd, size_, PROT_READ, path));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
}

std::string boot_id() {
  std::string id = read_file("/proc/sys/kernel/random/boot_id", 64);
  id.resize(boot_id_bytes, '\0');
  return id;
}

/// The first page of the file. What the producer writes and what the consumer writes stand apart. The magic
/// comes last when a ring is made, and the file gets its name when it is whole.
struct MappedRing::Header {
  char magic[8];
  std::uint32_t epoch;
  std::atomic<std::uint32_t> segment;
  std::uint64_t capacity;
  char boot[40];
  alignas(base::cache_line_bytes) std::atomic<std::uint64_t> head;
  alignas(base::cache_line_bytes) std::atomic<std::uint64_t> tail;
  std::atomic<std::uint64_t> next_number;
};

MappedRing::MappedRing(const std::filesystem::path& path, std::size_t capacity_bytes, std::uint32_t epoch)
    : capacity_(std::bit_ceil(std::max(capacity_bytes, header_bytes))), mapped_(header_bytes + capacity_) {
  static_assert(sizeof(Header) <= header_bytes && std::atomic<std::uint64_t>::is_always_lock_free);
  std::filesystem::path unfinished = path;
  unfinished += ".tmp";
  const Descriptor fd{::open(unfinished.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
  if (!fd.is_open()) throw_errno("create", unfinished);
  if (const int error = ::posix_fallocate(*fd, 0, static_cast<off_t>(mapped_)); error != 0) {
    ::unlink(unfinished.c_str());
    errno = error;
    throw_errno("allocate", unfinished);
  }
  auto* map = static_cast<std::byte*>(map_file(*fd, mapped_, PROT_READ | PROT_WRITE, unfinished));
  // Page faults are taken now rather than one by one on the threads that push.
  ::madvise(map, mapped_, MADV_POPULATE_WRITE);
  header_ = reinterpret_cast<Header*>(map);
  data_ = map + header_bytes;
  header_->epoch = epoch;
  header_->capacity = capacity_;
  std::memcpy(header_->boot, boot_id().data(), boot_id_bytes);
  std::memcpy(header_->magic, ring_magic.data(), ring_magic.size());
  if (::rename(unfinished.c_str(), path.c_str()) != 0) {
    ::munmap(map, mapped_);
    throw_errno("name", path);
  }
}

MappedRing::~MappedRing() { ::munmap(header_, mapped_); }

bool MappedRing::try_push(std::span<const std::byte> head, std::span<const std::byte> body) {
  const std::uint64_t length = head.size() + body.size();
  const std::uint64_t need = record_bytes(length);
  std::uint64_t tail = tail_local_;
  const std::uint64_t room_to_edge = capacity_ - (tail & (capacity_ - 1));
  const std::uint64_t skip = need > room_to_edge ? room_to_edge : 0;
  if (need > capacity_ / 2 || tail + skip + need - head_cache_ > capacity_) {
    head_cache_ = header_->head.load(std::memory_order_acquire);
    if (need > capacity_ / 2 || tail + skip + need - head_cache_ > capacity_) {
      counters_.dropped();
      return false;
    }
  }
  const auto at = [this](std::uint64_t position) { return data_ + (position & (capacity_ - 1)); };
  if (skip != 0) {
    std::memcpy(at(tail), &wrap_mark, length_bytes);
    tail += skip;
  }
  std::byte* to = at(tail);
  std::memcpy(to, &length, length_bytes);
  to += length_bytes;
  if (!head.empty()) std::memcpy(to, head.data(), head.size());
  if (!body.empty()) std::memcpy(to + head.size(), body.data(), body.size());
  tail_local_ = tail + need;
  header_->tail.store(tail_local_, std::memory_order_release);
  if (counters_.is_new_high(tail_local_ - head_cache_))
    head_cache_ = header_->head.load(std::memory_order_acquire);
  counters_.pushed(tail_local_ - head_cache_);
  return true;
}

void MappedRing::number_given(std::uint64_t next_number) {
  header_->next_number.store(next_number, std::memory_order_release);
}

std::uint64_t MappedRing::tail() const { return header_->tail.load(std::memory_order_acquire); }
std::uint64_t MappedRing::next_number() const { return header_->next_number.load(std::memory_order_acquire); }

std::optional<std::string_view> MappedRing::read_before(std::uint64_t tail) {
  if (read_at_ == tail) return std::nullopt;
  std::uint64_t length;
  std::memcpy(&length, data_ + (read_at_ & (capacity_ - 1)), length_bytes);
  if (length == wrap_mark) {
    read_at_ += capacity_ - (read_at_ & (capacity_ - 1));
    std::memcpy(&length, data_ + (read_at_ & (capacity_ - 1)), length_bytes);
  }
  const std::byte* from = data_ + (read_at_ & (capacity_ - 1)) + length_bytes;
  read_at_ += record_bytes(length);
  return std::string_view{reinterpret_cast<const char*>(from), static_cast<std::size_t>(length)};
}

void MappedRing::release() { header_->head.store(read_at_, std::memory_order_release); }
void MappedRing::note_segment(std::uint32_t number) {
  header_->segment.store(number, std::memory_order_relaxed);
}
std::uint64_t MappedRing::waiting_bytes() const {
  const auto head = header_->head.load(std::memory_order_acquire);
  return tail() - head;
}

std::optional<RingLeftover> RingLeftover::open(const std::filesystem::path& path) {
  const Descriptor fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd.is_open()) {
    if (errno == ENOENT) return std::nullopt;
    throw_errno("open", path);
  }
  RingLeftover found;
  const std::size_t size = size_of(*fd, path);
  if (size <= header_bytes) return std::nullopt;
  found.map_ = static_cast<const std::byte*>(map_file(*fd, size, PROT_READ, path));
  found.mapped_ = size;
  const auto& header = *reinterpret_cast<const MappedRing::Header*>(found.map_);
  const std::string_view magic{header.magic, ring_magic.size()};
  if (magic != ring_magic) {
    if (magic.starts_with(ring_magic.substr(0, ring_magic.size() - 1)))
      throw FileError(fmt::format("{} is a ring of another version of this program", path.string()));
    // A power cut may leave a name without content: nothing in it was ever to be trusted.
    return std::nullopt;
  }
  found.epoch_ = header.epoch;
  found.segment_ = header.segment.load(std::memory_order_relaxed);
  found.capacity_ = header.capacity;
  found.at_ = header.head.load(std::memory_order_relaxed);
  found.tail_ = header.tail.load(std::memory_order_relaxed);
  found.next_number_ = header.next_number.load(std::memory_order_relaxed);
  const bool possible = std::has_single_bit(found.capacity_) && found.capacity_ == size - header_bytes &&
                        found.tail_ - found.at_ <= found.capacity_ && found.at_ % 8 == 0 &&
                        found.tail_ % 8 == 0;
  found.trusted_ = possible && std::string_view{header.boot, boot_id_bytes} == boot_id();
  return found;
}

RingLeftover::RingLeftover(RingLeftover&& other) noexcept { *this = std::move(other); }

RingLeftover& RingLeftover::operator=(RingLeftover&& other) noexcept {
  std::swap(map_, other.map_);
  std::swap(mapped_, other.mapped_);
  std::tie(trusted_, damaged_, epoch_, segment_, capacity_, at_, tail_, next_number_) =
      std::tie(other.trusted_, other.damaged_, other.epoch_, other.segment_, other.capacity_, other.at_,
               other.tail_, other.next_number_);
  return *this;
}

RingLeftover::~RingLeftover() {
  if (map_ != nullptr) ::munmap(const_cast<std::byte*>(map_), mapped_);
}

std::optional<std::string_view> RingLeftover::next() {
  if (!trusted_ || damaged_) return std::nullopt;
  const std::byte* data = map_ + header_bytes;
  const auto length_at = [&](std::uint64_t position) {
    std::uint64_t length;
    std::memcpy(&length, data + (position & (capacity_ - 1)), length_bytes);
    return length;
  };
  if (at_ == tail_) return std::nullopt;
  std::uint64_t length = length_at(at_);
  if (length == wrap_mark) {
    at_ += capacity_ - (at_ & (capacity_ - 1));
    length = tail_ - at_ <= capacity_ && at_ != tail_ ? length_at(at_) : wrap_mark;
  }
  const std::uint64_t position = at_ & (capacity_ - 1);
  if (length > capacity_ || position + record_bytes(length) > capacity_ ||
      record_bytes(length) > tail_ - at_) {
    damaged_ = true;
    return std::nullopt;
  }
  at_ += record_bytes(length);
  return std::string_view{reinterpret_cast<const char*>(data + position) + length_bytes,
                          static_cast<std::size_t>(length)};
}

}  // namespace phoenix::io
