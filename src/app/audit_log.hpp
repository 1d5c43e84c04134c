#pragma once

#include "base/time.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace phoenix::app {

/// What was asked for over the dashboard, and what came of it: JSON lines in `audit.jsonl` of the data
/// directory, mode 0600, each durable when `append` returns. Never rotated: a person makes a few lines a day,
/// and refusals are bounded by the access rules. One thread.
class AuditLog {
 public:
  static constexpr std::string_view file_name = "audit.jsonl";

  /// Goes on where the last run ended. io::FileError when it cannot be opened.
  explicit AuditLog(const std::filesystem::path& directory);
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  struct Entry {
    base::LocalTime at{};
    std::string_view action;  ///< as asked for
    std::string_view symbol;  ///< empty: all
    std::string_view remote;  ///< address:port of the one who asked
    std::string_view outcome;
  };
  /// False when it could not be made durable.
  bool append(const Entry& entry);

 private:
  int fd_ = -1;
};

}  // namespace phoenix::app
