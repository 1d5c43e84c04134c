#pragma once

#include "io/incident_log.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace phoenix::app {

/// What an incident log says about a span of time.
struct Diagnosis {
  struct Line {
    io::LoggedIncident incident;
    std::string text;  ///< in plain words
  };
  std::vector<Line> lines;  ///< in order of time

  struct Cause {
    std::string what;
    base::Duration time{};
    int count = 0;
  };
  struct Symbol {
    std::string name;
    base::Duration unquoted{};  ///< within the span
    std::vector<Cause> causes;  ///< the longest first
  };
  std::vector<Symbol> symbols;  ///< the longest unquoted first

  std::vector<std::string> unresolved;  ///< what is still wrong at the end of the log
  std::uint64_t lines_unreadable = 0;
};

/// `now` ends what is still going on, unless the log says that the program left.
Diagnosis diagnose(const io::IncidentHistory& history, base::LocalTime since, base::LocalTime now);

std::string diagnosis_text(const Diagnosis& diagnosis);
std::string diagnosis_json(const Diagnosis& diagnosis);

}  // namespace phoenix::app
