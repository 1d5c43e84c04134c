#pragma once

#include "base/time.hpp"
#include "ops/incident.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace phoenix::io {

/// The incident log of a data directory: JSON lines in `incidents.jsonl`, and the generation before it in
/// `incidents.1.jsonl`. Each line is one write, never synced: a dying process loses nothing, a power cut may
/// lose the last lines. A write that fails is counted, and the program goes on.
///
///   {"at_ns":1712345678000000000,"kind":"withdrawn","subject":"ETHUSDC","what":"price is
///   stalled","cost_ns":0,
///    "evidence":"u=41 expected=40"}
class IncidentLog {
 public:
  static constexpr std::uint64_t generation_bytes_max_default = 4u << 20;

  /// Goes on where the last run ended. FileError when it cannot be opened.
  explicit IncidentLog(const std::filesystem::path& directory,
                       std::uint64_t generation_bytes_max = generation_bytes_max_default);
  ~IncidentLog();
  IncidentLog(const IncidentLog&) = delete;
  IncidentLog& operator=(const IncidentLog&) = delete;

  /// One thread.
  void append(const ops::Incident& incident);
  std::uint64_t failures() const { return failures_; }

 private:
  void rotate();

  std::filesystem::path current_, previous_;
  std::uint64_t generation_bytes_max_;
  int fd_ = -1;
  std::uint64_t size_bytes_ = 0;
  std::uint64_t failures_ = 0;
  std::string line_;
};

struct LoggedIncident {
  base::LocalTime at{};
  ops::IncidentKind kind = ops::IncidentKind::started;
  std::string subject, what;
  base::Duration cost{};
  std::string evidence;
};
struct IncidentHistory {
  std::vector<LoggedIncident> incidents;  ///< in the order they were written
  std::uint64_t lines_unreadable = 0;     ///< damaged, cut off, or of a kind this program does not know
};
/// Both generations. Any bytes give a history. FileError when `directory` holds no incident log.
IncidentHistory read_incidents(const std::filesystem::path& directory);

}  // namespace phoenix::io
