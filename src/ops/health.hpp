#pragma once

#include "ops/status.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What is wrong, and what helps: the one model behind /healthz, /readyz, /status, `phoenix health` and the
/// health metrics.
namespace phoenix::ops {

enum class HealthLevel : std::uint8_t { ok, warning, severe };
std::string_view name(HealthLevel level);

/// In the order of the report.
enum class HealthCheckKind : std::uint8_t {
  progress,
  prices,
  quoting,
  orders,
  errors,
  account,
  clock,
  recording
};
inline constexpr std::size_t health_checks_count = 8;
std::string_view name(HealthCheckKind kind);

struct HealthCheck {
  HealthCheckKind kind = HealthCheckKind::progress;
  HealthLevel level = HealthLevel::ok;
  std::string what;  ///< one line
  std::string
      help;  ///< a command that helps, with FILE where the configuration file's name goes; empty when ok
};

/// Whether a symbol may be quoted at this moment.
struct SymbolReadiness {
  model::SymbolTable::Name symbol;
  bool ready = false;
  std::string why;  ///< empty when ready
};

struct Health {
  HealthLevel level = HealthLevel::ok;  ///< the worst of the checks
  std::string process_problem;          ///< empty: the process does its work (/healthz)
  bool ready =
      false;  ///< every symbol that is meant to be quoted may be (/readyz); recorders: every one is live
  std::vector<SymbolReadiness> symbols;
  std::array<HealthCheck, health_checks_count> checks;
};

struct HealthLimits {
  base::Duration progress_warning = base::seconds{2}, progress_severe = base::seconds{10};
  base::Duration price_warning = base::seconds{5}, price_severe = base::seconds{10};  ///< age of the proof
  base::Duration starting_max = base::seconds{60};
  double errors_warning = 5, errors_severe = 10;  ///< a minute
  base::Duration clock_offset_warning = base::seconds{1}, clock_error_warning = base::milliseconds{500};
  double disk_hours_warning = 24, disk_hours_severe = 2;
  base::Duration durable_age_warning = base::minutes{5};
};

/// Judges one status after the other. Keeps how many errors there had been during the last minute. One
/// thread.
class HealthJudge {
 public:
  explicit HealthJudge(const HealthLimits& limits = {}) : limits_(limits) {}
  /// `now` never goes back.
  Health judge(const Status& status, base::LocalTime now);

 private:
  struct Errors {
    base::LocalTime at{};
    std::uint64_t count = 0;
  };
  double errors_per_minute(const Status& status, base::LocalTime now);

  HealthLimits limits_;
  std::vector<Errors> errors_;  ///< oldest first, at most one in five seconds
};

/// What counts as an error: refused requests, frames nobody understands, records lost, a strategy's failures.
std::uint64_t errors_of(const Status& status);

}  // namespace phoenix::ops
