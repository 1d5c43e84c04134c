#pragma once

#include "app/log_settings.hpp"
#include "base/time.hpp"
#include "engine/action.hpp"
#include "ops/log_state.hpp"
#include "ops/status.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace phoenix::app {

/// The log of a program; a copy is the same log. Any thread. Lines follow ops/log_line.hpp; repeats are
/// counted (ops/log_repeats.hpp).
class Log {
 public:
  /// `name` is put before the extension of the file: of programs that share a configuration each writes its
  /// own. StartError when the file cannot be written.
  explicit Log(const LogSettings& settings, std::string_view name = {});

  void operator()(engine::Severity severity, std::string_view text) const;
  /// Writes what was counted, when it is time. Call now and then.
  void look() const;
  /// debug, info, warning or error.
  void set_level(std::string_view level) const;
  /// Lines that were counted and not written.
  std::uint64_t suppressed() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

/// Puts how things stand into the log each `interval`, and each ten seconds until every symbol was live; 0:
/// never.
class StateTeller {
 public:
  StateTeller(Log log, base::Duration interval, base::LocalTime now);

  /// Call often. `status` is asked when lines are due.
  void turn(base::LocalTime now, const std::function<ops::Status()>& status);

 private:
  static constexpr base::Duration soon = base::seconds{10};

  Log log_;
  base::Duration interval_;
  std::optional<base::LocalTime> next_;
  bool is_up_ = false;  ///< every symbol was live
  ops::LogState state_;
};

}  // namespace phoenix::app
