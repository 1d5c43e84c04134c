#include "io/log_writer.hpp"

#include "io/files.hpp"
#include "record/log_format.hpp"

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

/// What stands before the input's own bytes in the ring.
struct RecordHead {
  std::uint64_t sequence;
  std::int64_t now_ns;
  std::uint8_t kind;
};

std::span<const std::byte> bytes_of(const void* data, std::size_t size) {
  return {static_cast<const std::byte*>(data), size};
}

}  // namespace

class LogWriter::Impl {
 public:
  Impl(const std::filesystem::path& path, LogWriterOptions options)
      : path_(path), options_(options), ring_(options.ring_bytes) {
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    if (fd_ < 0) throw FileError(fmt::format("{}: cannot create: {}", path.string(), std::strerror(errno)));
    out_.append(record::log_magic);
    thread_ = std::thread([this] { run(); });
  }
  ~Impl() {
    {
      const std::lock_guard lock{mutex_};
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
    ::close(fd_);
  }

  void append(base::LocalTime now, std::uint8_t kind, std::string_view head, std::string_view body) {
    if (full_.load(std::memory_order_relaxed)) return;
    char joined[sizeof(RecordHead) + 64];
    const RecordHead record{sequence_++, base::ns_of(now), kind};
    PHX_ASSERT(head.size() <= 64, "an input's head is small");
    std::memcpy(joined, &record, sizeof record);
    std::memcpy(joined + sizeof record, head.data(), head.size());
    ring_.try_push(bytes_of(joined, sizeof record + head.size()), bytes_of(body.data(), body.size()));
  }

  base::RingStats ring_stats() const { return ring_.stats(); }
  bool full() const { return full_.load(std::memory_order_relaxed); }
  std::string fault() const {
    const std::lock_guard lock{mutex_};
    return fault_;
  }

 private:
  void run() {
    for (bool last = false; !last;) {
      {
        std::unique_lock lock{mutex_};
        wake_.wait_for(lock, options_.sync_interval, [this] { return stopping_; });
        last = stopping_;
      }
      drain();
    }
  }

  /// Everything in the ring, in pieces of a megabyte, then one sync.
  void drain() {
    while (const auto record = ring_.front()) {
      RecordHead head;
      std::memcpy(&head, record->data(), sizeof head);
      const std::string_view payload{reinterpret_cast<const char*>(record->data()) + sizeof head,
                                     record->size() - sizeof head};
      if (!full()) {
        record::append_log_record({.sequence = head.sequence,
                                   .now = base::local_time_ns(head.now_ns),
                                   .kind = head.kind,
                                   .payload = payload},
                                  out_);
      }
      ring_.pop();
      if (out_.size() >= 1U << 20) write();
    }
    if (out_.empty()) return;
    write();
    if (!full() && ::fdatasync(fd_) != 0) fail("sync");
  }

  void write() {
    std::string_view left = out_;
    while (!left.empty() && !full()) {
      const ssize_t n = ::write(fd_, left.data(), left.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        fail("write");
        break;
      }
      left.remove_prefix(static_cast<std::size_t>(n));
      written_ += static_cast<std::uint64_t>(n);
    }
    out_.clear();
    if (written_ >= options_.file_bytes_max) full_.store(true, std::memory_order_relaxed);
  }

  void fail(const char* what) {
    const std::lock_guard lock{mutex_};
    if (fault_.empty()) fault_ = fmt::format("{}: cannot {}: {}", path_.string(), what, std::strerror(errno));
    full_.store(true, std::memory_order_relaxed);
  }

  std::filesystem::path path_;
  LogWriterOptions options_;
  base::ByteRing ring_;
  std::uint64_t sequence_ = 0;  ///< the appending thread's
  std::atomic<bool> full_{false};
  int fd_ = -1;
  std::string out_;  ///< the writing thread's, as is written_
  std::uint64_t written_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::string fault_;
  std::thread thread_;
};

LogWriter::LogWriter(const std::filesystem::path& path, LogWriterOptions options)
    : impl_(std::make_unique<Impl>(path, options)) {}
LogWriter::~LogWriter() = default;

void LogWriter::append(base::LocalTime now, std::uint8_t kind, std::string_view head, std::string_view body) {
  impl_->append(now, kind, head, body);
}
base::RingStats LogWriter::ring_stats() const { return impl_->ring_stats(); }
bool LogWriter::full() const { return impl_->full(); }
std::string LogWriter::fault() const { return impl_->fault(); }

}  // namespace phoenix::io
