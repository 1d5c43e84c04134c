#include "app/audit_log.hpp"

#include "io/files.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace phoenix::app {

AuditLog::AuditLog(const std::filesystem::path& directory) {
  const auto path = directory / file_name;
  fd_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd_ < 0)
    throw io::FileError(
        fmt::format("cannot open {}: {}", path.string(), std::generic_category().message(errno)));
}

AuditLog::~AuditLog() { ::close(fd_); }

bool AuditLog::append(const Entry& entry) {
  const nlohmann::ordered_json json{{"at_ns", base::ns_of(entry.at)},
                                    {"action", entry.action},
                                    {"symbol", entry.symbol},
                                    {"remote", entry.remote},
                                    {"outcome", entry.outcome}};
  const auto line = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  const auto put = ::write(fd_, line.data(), line.size());
  return put == static_cast<ssize_t>(line.size()) && ::fdatasync(fd_) == 0;
}

}  // namespace phoenix::app
