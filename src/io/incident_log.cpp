#include "io/incident_log.hpp"

#include "base/utf8.hpp"
#include "io/descriptor.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

constexpr std::string_view current_name = "incidents.jsonl";
constexpr std::string_view previous_name = "incidents.1.jsonl";

/// As a JSON string. Bytes that are no UTF-8 become '?': a line that no reader takes would be of no use.
void append_string(std::string& line, std::string_view text) {
  const bool readable = base::is_utf8(text);
  line += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (byte < 0x20) {
      fmt::format_to(std::back_inserter(line), "\\u{:04x}", byte);
    } else {
      line += byte >= 0x80 && !readable ? '?' : c;
    }
  }
  line += '"';
}

std::optional<ops::IncidentKind> kind_of(std::string_view text) {
  const auto& names = ops::incident_kind_names;
  const auto it = std::find(names.begin(), names.end(), text);
  if (it == names.end()) return std::nullopt;
  return static_cast<ops::IncidentKind>(it - names.begin());
}

std::optional<LoggedIncident> parse_incident(std::string_view line) {
  const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  const auto text = [&](const char* key) {
    const auto it = json.find(key);
    return it == json.end() || !it->is_string() ? nullptr : it->get_ptr<const std::string*>();
  };
  const auto number = [&](const char* key) {
    const auto it = json.find(key);
    return it == json.end() || !it->is_number_integer() ? std::optional<std::int64_t>{}
                                                        : it->get<std::int64_t>();
  };
  const auto at = number("at_ns");
  const auto cost = number("cost_ns");
  const auto* kind_text = text("kind");
  const auto* subject = text("subject");
  const auto* what = text("what");
  const auto* evidence = text("evidence");
  if (!at || !cost || kind_text == nullptr || subject == nullptr || what == nullptr || evidence == nullptr)
    return std::nullopt;
  const auto kind = kind_of(*kind_text);
  if (!kind) return std::nullopt;
  return LoggedIncident{.at = base::local_time_ns(*at),
                        .kind = *kind,
                        .subject = *subject,
                        .what = *what,
                        .cost = base::Duration{*cost},
                        .evidence = *evidence};
}

void read_generation(const std::filesystem::path& path, IncidentHistory& history) {
  LineReader reader{path};
  while (const auto line = reader.next()) {
    if (auto incident = parse_incident(*line)) {
      history.incidents.push_back(std::move(*incident));
    } else {
      ++history.lines_unreadable;
    }
  }
}

}  // namespace

IncidentLog::IncidentLog(const std::filesystem::path& directory, std::uint64_t generation_bytes_max)
    : current_{directory / current_name},
      previous_{directory / previous_name},
      generation_bytes_max_{generation_bytes_max} {
  Descriptor fd{::open(current_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644)};
  struct stat info{};
  if (!fd.is_open() || ::fstat(*fd, &info) != 0) throw_errno("open", current_);
  size_bytes_ = static_cast<std::uint64_t>(info.st_size);
  char last = '\n';
  // What a death cut off must not swallow the next line.
  if (size_bytes_ > 0 && ::pread(*fd, &last, 1, info.st_size - 1) == 1 && last != '\n') {
    write_all(*fd, "\n", current_);
    ++size_bytes_;
  }
  fd_ = fd.release();
}

IncidentLog::~IncidentLog() { ::close(fd_); }

void IncidentLog::append(const ops::Incident& incident) {
  line_.clear();
  fmt::format_to(std::back_inserter(line_),
                 "{{\"at_ns\":{},\"kind\":\"{}\",\"subject\":", base::ns_of(incident.at),
                 ops::name(incident.kind));
  append_string(line_, incident.subject.view());
  line_ += ",\"what\":";
  append_string(line_, incident.what.view());
  fmt::format_to(std::back_inserter(line_), ",\"cost_ns\":{},\"evidence\":", incident.cost.count());
  append_string(line_, incident.evidence);
  line_ += "}\n";
  if (size_bytes_ + line_.size() > generation_bytes_max_) rotate();
  const ssize_t written = ::write(fd_, line_.data(), line_.size());
  if (written > 0) size_bytes_ += static_cast<std::uint64_t>(written);
  if (written != static_cast<ssize_t>(line_.size())) ++failures_;
}

/// Where the old generation cannot be kept it is thrown away: the bound holds, whatever the disk does.
void IncidentLog::rotate() {
  if (::rename(current_.c_str(), previous_.c_str()) != 0) ++failures_;
  const int fd = ::open(current_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
  if (fd >= 0) {
    ::close(std::exchange(fd_, fd));
    size_bytes_ = 0;
  } else {
    ++failures_;
    if (::ftruncate(fd_, 0) == 0) size_bytes_ = 0;
  }
}

IncidentHistory read_incidents(const std::filesystem::path& directory) {
  IncidentHistory history;
  const auto previous = directory / previous_name;
  if (std::filesystem::exists(previous)) read_generation(previous, history);
  read_generation(directory / current_name, history);
  return history;
}

}  // namespace phoenix::io
