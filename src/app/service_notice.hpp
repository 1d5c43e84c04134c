#pragma once

#include "app/purpose.hpp"
#include "io/sd_notify.hpp"
#include "ops/status.hpp"

#include <functional>
#include <optional>
#include <string>

namespace phoenix::app {

/// Whether the start is over: a symbol may be quoted (of a recorder: is recorded), or all that keeps every
/// one of them from it is what guards and persons have decided.
bool is_settled(const ops::Status& status, Purpose purpose);

/// One line for people: "5 of 5 symbols quoting", "1 of 2 symbols quoting; SOLUSDC: book not synced".
std::string service_text(const ops::Status& status, Purpose purpose);

/// What a service manager hears of a run: ready when the start is over, a sign of life only when the work has
/// moved since the last one, and the line above when it changes. Without a manager it does nothing. One
/// thread.
class ServiceNotice {
 public:
  ServiceNotice(io::ServiceManager manager, Purpose purpose);

  /// Call often: it tells once a second. `progress` is any number that grows while the engine consumes its
  /// inputs; never a clock, since a stuck engine must be seen.
  void turn(std::uint64_t progress, base::LocalTime now, const std::function<ops::Status()>& status);
  /// The same while leaving, which takes as long as it must while it moves.
  void leaving(std::uint64_t progress, base::LocalTime now);

 private:
  void tell(const std::string& lines) { manager_.tell(lines); }
  /// Empty when nothing has moved.
  std::string sign_of_life(std::uint64_t progress);

  io::ServiceManager manager_;
  Purpose purpose_;
  std::optional<base::LocalTime> next_;
  std::uint64_t progress_ = 0;
  std::string text_;
  bool ready_ = false, leaving_ = false;
};

}  // namespace phoenix::app
