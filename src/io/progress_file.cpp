#include "io/progress_file.hpp"

#include "io/descriptor.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

constexpr std::string_view magic = "PHXPROG1";
constexpr std::size_t summed_bytes = 40;
constexpr std::size_t record_bytes = summed_bytes + 8;
using Record = std::array<char, record_bytes>;
static_assert(std::endian::native == std::endian::little, "records are written as they lie in memory");

std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

template <class T>
void put(Record& record, std::size_t offset, T value) {
  std::memcpy(record.data() + offset, &value, sizeof value);
}
template <class T>
void get(const Record& record, std::size_t offset, T& value) {
  std::memcpy(&value, record.data() + offset, sizeof value);
}

}  // namespace

ProgressFile::ProgressFile(const std::filesystem::path& path) {
  Descriptor fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)};
  if (!fd.is_open()) throw_errno("open", path);
  fd_ = fd.release();
}

ProgressFile::~ProgressFile() { ::close(fd_); }

void ProgressFile::write(const ops::Progress& progress) {
  Record record{};
  std::memcpy(record.data(), magic.data(), magic.size());
  put(record, 8, progress.pid);
  put(record, 12, progress.run_epoch);
  put(record, 16, progress.steps);
  put(record, 24, progress.local_ns);
  put(record, 32, progress.orders_live);
  put(record, 36, static_cast<std::uint8_t>(progress.phase));
  put(record, summed_bytes, fnv1a({record.data(), summed_bytes}));
  [[maybe_unused]] const auto written = ::pwrite(fd_, record.data(), record.size(), 0);
}

std::optional<ops::Progress> read_progress(const std::filesystem::path& path) {
  const Descriptor fd{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  Record record;
  if (!fd.is_open() || ::pread(*fd, record.data(), record.size(), 0) != static_cast<ssize_t>(record.size()))
    return std::nullopt;
  std::uint64_t sum = 0;
  get(record, summed_bytes, sum);
  if (std::string_view{record.data(), magic.size()} != magic || sum != fnv1a({record.data(), summed_bytes}))
    return std::nullopt;
  ops::Progress progress;
  std::uint8_t phase = 0;
  get(record, 8, progress.pid);
  get(record, 12, progress.run_epoch);
  get(record, 16, progress.steps);
  get(record, 24, progress.local_ns);
  get(record, 32, progress.orders_live);
  get(record, 36, phase);
  if (phase >= ops::run_phase_names.size()) return std::nullopt;
  progress.phase = static_cast<ops::RunPhase>(phase);
  return progress;
}

}  // namespace phoenix::io
