#include "io/latch_file.hpp"

#include "io/descriptor.hpp"
#include "io/files.hpp"

#include <algorithm>
#include <charconv>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

constexpr std::string_view file_name = "kill-latch";
constexpr std::string_view at_key = "at_ns=";
constexpr std::string_view reason_key = "reason=";
constexpr std::size_t reason_bytes_max = 1000;

bool is_there(const std::filesystem::path& path) {
  struct stat info{};
  // Only "no such file" says that it is not set; a directory that may not be searched says nothing.
  return ::lstat(path.c_str(), &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

std::string one_line(std::string_view text) {
  std::string line{text.substr(0, reason_bytes_max)};
  std::replace_if(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return line;
}

/// The value of `key` at the front of `text`, which is advanced behind its line; empty when it is not there.
std::optional<std::string_view> take_value(std::string_view& text, std::string_view key) {
  const auto end = text.find('\n');
  if (!text.starts_with(key) || end == std::string_view::npos) return std::nullopt;
  const std::string_view value = text.substr(key.size(), end - key.size());
  text.remove_prefix(end + 1);
  return value;
}

}  // namespace

LatchFile::LatchFile(const std::filesystem::path& directory)
    : directory_{directory}, path_{directory / file_name} {}

void LatchFile::set(std::string_view reason, base::LocalTime now) const {
  if (is_there(path_)) return sync_directory(directory_);
  // Several processes may set it at the same time: each has a temporary file of its own.
  const auto temporary = directory_ / fmt::format(".{}.{}", file_name, ::getpid());
  try {
    ::unlink(temporary.c_str());
    const Descriptor fd{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)};
    if (!fd.is_open()) throw_errno("create", temporary);
    write_all(*fd, fmt::format("{}{}\n{}{}\n", at_key, base::ns_of(now), reason_key, one_line(reason)),
              temporary);
    if (::fsync(*fd) != 0) throw_errno("sync", temporary);
    if (::rename(temporary.c_str(), path_.c_str()) != 0) throw_errno("replace", path_);
  } catch (const FileError&) {
    // A full disk takes no content, but mostly a name; an empty latch holds as well.
    ::unlink(temporary.c_str());
    const Descriptor fd{::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)};
    if (!fd.is_open() || ::fsync(*fd) != 0) throw;
  }
  sync_directory(directory_);
}

std::optional<LatchFile::Record> LatchFile::read() const {
  if (!is_there(path_)) return std::nullopt;
  const Record unreadable{.at = {}, .reason = "the latch file cannot be read"};
  struct stat info{};
  // Opening a pipe would wait for its other end.
  if (::stat(path_.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return unreadable;
  std::string content;
  try {
    content = read_file(path_, 4096);
  } catch (const FileError&) {
    return is_there(path_) ? std::optional{unreadable} : std::nullopt;
  }
  std::string_view rest = content;
  const auto at = take_value(rest, at_key);
  const auto reason = at ? take_value(rest, reason_key) : std::nullopt;
  std::int64_t ns = 0;
  if (!reason || std::from_chars(at->data(), at->data() + at->size(), ns).ec != std::errc{})
    return unreadable;
  return Record{.at = base::local_time_ns(ns), .reason = std::string{*reason}};
}

void LatchFile::clear() const {
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) throw_errno("remove", path_);
  sync_directory(directory_);
}

bool LatchWatcher::poll() {
  const bool was_set = is_set_;
  is_set_ = is_there(path_);
  return is_set_ != was_set;
}

}  // namespace phoenix::io
