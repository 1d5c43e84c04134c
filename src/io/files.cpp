#include "io/files.hpp"

#include "base/assert.hpp"
#include "io/descriptor.hpp"
#include "io/lock_holder.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

namespace phoenix::io {
namespace {

constexpr std::size_t chunk_bytes = 256u << 10;

/// Up to `size` bytes, 0 at the end; interrupted reads go on.
std::size_t read_some(int fd, char* to, std::size_t size, const std::filesystem::path& path) {
  for (;;) {
    const ssize_t got = ::read(fd, to, size);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) throw_errno("read", path);
  }
}

struct ZstdDelete {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};
struct GzipDelete {
  void operator()(z_stream* stream) const {
    inflateEnd(stream);
    delete stream;
  }
};

}  // namespace

class LineReader::Impl {
 public:
  Impl(const std::filesystem::path& path, std::size_t line_bytes_max)
      : path_{path},
        line_bytes_max_{line_bytes_max},
        fd_{::open(path.c_str(), O_RDONLY | O_CLOEXEC)},
        raw_(chunk_bytes) {
    if (!fd_.is_open()) throw_errno("open", path_);
    struct stat status{};
    if (::fstat(*fd_, &status) != 0) throw_errno("open", path_);
    if (S_ISDIR(status.st_mode))
      throw FileError(fmt::format("cannot open {}: is a directory", path_.string()));
    bytes_total = static_cast<std::uint64_t>(status.st_size);
    read_raw();
    choose_format();
    text_.resize(chunk_bytes);
  }

  std::optional<std::string_view> next() {
    for (;;) {
      const char* from = text_.data() + scanned_;
      const void* newline = std::memchr(from, '\n', end_ - scanned_);
      if (newline != nullptr) {
        const auto at = static_cast<std::size_t>(static_cast<const char*>(newline) - text_.data());
        return hand_out(at, at + 1);
      }
      scanned_ = end_;
      if (end_ - begin_ > line_bytes_max_) fail("a line is longer than the bound");
      if (at_end_) return begin_ == end_ ? std::nullopt : hand_out(end_, end_);
      make_room();
      fill();
    }
  }

  std::uint64_t bytes_read() const { return raw_offset_ - (raw_size_ - raw_at_); }

  std::uint64_t bytes_total = 0;
  std::uint64_t line_number = 0;

 private:
  enum class Format : std::uint8_t { plain, zstd, gzip };

  std::optional<std::string_view> hand_out(std::size_t line_end, std::size_t next_begin) {
    std::string_view line{text_.data() + begin_, line_end - begin_};
    if (line.size() > line_bytes_max_) fail("a line is longer than the bound");
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    begin_ = scanned_ = next_begin;
    ++line_number;
    return line;
  }

  void make_room() {
    if (begin_ > 0) {
      std::memmove(text_.data(), text_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      scanned_ -= begin_;
      begin_ = 0;
    }
    if (end_ == text_.size()) text_.resize(text_.size() * 2);
  }

  void choose_format() {
    const std::string_view head{raw_.data(), raw_size_};
    const auto extension = path_.extension();
    if (head.starts_with("\x28\xb5\x2f\xfd")) {
      format_ = Format::zstd;
      zstd_.reset(ZSTD_createDStream());
      PHX_ASSERT(zstd_ != nullptr, "a zstd stream can be made");
    } else if (head.starts_with("\x1f\x8b")) {
      format_ = Format::gzip;
      gzip_.reset(new z_stream{});
      const int rc = inflateInit2(gzip_.get(), 15 + 16);
      PHX_ASSERT(rc == Z_OK, "a gzip stream can be made");
    } else if (extension == ".zst" || extension == ".gz") {
      fail(head.empty() ? "empty, not even a compressed end" : "not compressed as its name says");
    }
  }

  void fill() {
    switch (format_) {
      case Format::plain:
        return fill_plain();
      case Format::zstd:
        return fill_zstd();
      case Format::gzip:
        return fill_gzip();
    }
  }

  void fill_plain() {
    if (raw_at_ == raw_size_ && !read_raw()) {
      at_end_ = true;
      return;
    }
    const std::size_t count = std::min(raw_size_ - raw_at_, text_.size() - end_);
    std::memcpy(text_.data() + end_, raw_.data() + raw_at_, count);
    raw_at_ += count;
    end_ += count;
  }

  void fill_zstd() {
    for (;;) {
      const bool more = raw_at_ < raw_size_ || read_raw();
      if (!more && !in_frame_) {
        at_end_ = true;
        return;
      }
      ZSTD_inBuffer in{raw_.data(), raw_size_, raw_at_};
      ZSTD_outBuffer out{text_.data(), text_.size(), end_};
      const std::size_t rc = ZSTD_decompressStream(zstd_.get(), &out, &in);
      const bool progress = in.pos != raw_at_ || out.pos != end_;
      raw_at_ = in.pos;
      if (ZSTD_isError(rc) != 0) fail(fmt::format("corrupt zstd: {}", ZSTD_getErrorName(rc)));
      in_frame_ = rc != 0;
      const bool produced = out.pos != end_;
      end_ = out.pos;
      if (produced) return;
      if (!more && !progress) fail("truncated zstd");
    }
  }

  void fill_gzip() {
    for (;;) {
      const bool more = raw_at_ < raw_size_ || read_raw();
      if (!more && !in_frame_) {
        at_end_ = true;
        return;
      }
      gzip_->next_in = static_cast<Bytef*>(static_cast<void*>(raw_.data() + raw_at_));
      gzip_->avail_in = static_cast<uInt>(raw_size_ - raw_at_);
      gzip_->next_out = static_cast<Bytef*>(static_cast<void*>(text_.data() + end_));
      gzip_->avail_out = static_cast<uInt>(std::min<std::size_t>(text_.size() - end_, 1u << 30));
      const uInt room = gzip_->avail_out;
      const int rc = ::inflate(gzip_.get(), Z_NO_FLUSH);
      raw_at_ = raw_size_ - gzip_->avail_in;
      const std::size_t produced = room - gzip_->avail_out;
      end_ += produced;
      if (rc == Z_STREAM_END) {
        in_frame_ = false;
        inflateReset(gzip_.get());
      } else if (rc == Z_OK) {
        in_frame_ = true;
      } else if (rc != Z_BUF_ERROR) {
        fail(fmt::format("corrupt gzip: {}", gzip_->msg == nullptr ? "unknown error" : gzip_->msg));
      } else if (!more) {
        fail("truncated gzip");
      }
      if (produced != 0) return;
    }
  }

  bool read_raw() {
    raw_at_ = 0;
    raw_size_ = read_some(*fd_, raw_.data(), raw_.size(), path_);
    raw_offset_ += raw_size_;
    return raw_size_ != 0;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw FileError(fmt::format("{}: {} at byte {}", path_.string(), what, bytes_read()));
  }

  std::filesystem::path path_;
  std::size_t line_bytes_max_;
  Descriptor fd_;
  std::vector<char> raw_;
  std::size_t raw_at_ = 0, raw_size_ = 0;
  std::uint64_t raw_offset_ = 0;
  Format format_ = Format::plain;
  std::unique_ptr<ZSTD_DStream, ZstdDelete> zstd_;
  std::unique_ptr<z_stream, GzipDelete> gzip_;
  /// A compressed file starts inside its first frame: an empty one is truncated.
  bool in_frame_ = true;
  bool at_end_ = false;
  std::vector<char> text_;
  std::size_t begin_ = 0, scanned_ = 0, end_ = 0;
};

LineReader::LineReader(const std::filesystem::path& path, std::size_t line_bytes_max)
    : impl_{std::make_unique<Impl>(path, line_bytes_max)} {}
LineReader::~LineReader() = default;
LineReader::LineReader(LineReader&&) noexcept = default;
LineReader& LineReader::operator=(LineReader&&) noexcept = default;
std::optional<std::string_view> LineReader::next() { return impl_->next(); }
std::uint64_t LineReader::line_number() const { return impl_->line_number; }
std::uint64_t LineReader::bytes_read() const { return impl_->bytes_read(); }
std::uint64_t LineReader::bytes_total() const { return impl_->bytes_total; }

std::string read_file(const std::filesystem::path& path, std::size_t bytes_max) {
  const Descriptor fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd.is_open()) throw_errno("open", path);
  std::string content;
  std::vector<char> chunk(std::min(chunk_bytes, bytes_max + 1));
  while (const std::size_t got = read_some(*fd, chunk.data(), chunk.size(), path)) {
    content.append(chunk.data(), got);
    if (content.size() > bytes_max)
      throw FileError(fmt::format("{} is larger than {} bytes", path.string(), bytes_max));
  }
  return content;
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content, unsigned mode) {
  const std::filesystem::path directory =
      path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
  const std::filesystem::path temporary = directory / fmt::format(".{}.tmp", path.filename().string());
  // What a death during an earlier write left has no owner, and possibly another mode.
  ::unlink(temporary.c_str());
  const Descriptor fd{
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, static_cast<mode_t>(mode))};
  if (!fd.is_open()) throw_errno("create", temporary);
  write_all(*fd, content, temporary);
  if (::fsync(*fd) != 0) throw_errno("sync", temporary);
  if (::rename(temporary.c_str(), path.c_str()) != 0) throw_errno("replace", path);
  sync_directory(directory);
}

std::uint32_t RunEpoch::take(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "epoch";
  std::uint32_t last = 0;
  if (std::filesystem::exists(path)) {
    const std::string text = read_file(path, 64);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), last);
    const std::string_view rest{end, static_cast<std::size_t>(text.data() + text.size() - end)};
    if (error != std::errc{} || rest != "\n" || last == 0 ||
        last == std::numeric_limits<std::uint32_t>::max()) {
      throw FileError(fmt::format(
          "{} is corrupt: expected one number and a newline; write a number above every epoch ever used",
          path.string()));
    }
  }
  write_file_atomically(path, fmt::format("{}\n", last + 1));
  return last + 1;
}

DirectoryLock::DirectoryLock(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) throw FileError(fmt::format("cannot create {}: {}", directory.string(), error.message()));
  const std::filesystem::path path = directory_lock_path(directory);
  Descriptor fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)};
  if (!fd.is_open()) throw_errno("open", path);
  if (::flock(*fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) throw_errno("lock", path);
    throw FileError(fmt::format("{} is in use by {}", directory.string(), holder_text(lock_holder(path))));
  }
  say_holder(*fd, path);
  fd_ = fd.release();
}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) ::close(fd_);
}
DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

}  // namespace phoenix::io
