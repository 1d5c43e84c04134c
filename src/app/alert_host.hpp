#pragma once

#include "app/alert_config.hpp"
#include "io/clock.hpp"
#include "io/live_host.hpp"
#include "io/notifier.hpp"
#include "ops/alerts.hpp"
#include "ops/status.hpp"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace phoenix::app {

/// What an alert may do. Called on the alerts' thread; an empty one is not offered.
struct AlertActions {
  std::function<void(io::LiveHostOptions::Hold)> hold;
  /// Sets the kill latch; throws io::FileError.
  std::function<void(std::string_view reason)> kill;
};

/// Judges a running engine by the alert rules, twice a second on a thread of its own, which goes on when the
/// engine's stands still; acts, logs, and sends messages. Beside a guard, which has no engine, it only sends
/// what it is told.
class AlertHost {
 public:
  using Source = std::function<ops::Status()>;

  /// Throws StartError when a channel lacks a secret. `source` is called on the alerts' thread.
  AlertHost(const io::RealClock& clock, const AlertConfig& config, Source source, AlertActions actions,
            io::LiveHost::Logger log);
  /// Says goodbye, and gives messages on their way some seconds.
  ~AlertHost();
  AlertHost(const AlertHost&) = delete;
  AlertHost& operator=(const AlertHost&) = delete;

  void start();
  /// A message no rule stands behind. Any thread.
  void tell(ops::AlertLevel level, std::string what, std::string help);
  /// What is in force, into `status.alerts`. Any thread.
  void fill(ops::Status& status) const;

 private:
  void work();
  void look();
  void perform(const std::vector<ops::AlertAct>& acts);
  void perform(const ops::AlertMessage& message);
  void perform(const ops::AlertRestraint& restraint);
  void perform(const ops::AlertKill& kill);
  ops::AlertMessage message(ops::AlertKind kind, std::string what) const;

  const io::RealClock& clock_;
  std::string instance_;
  Source source_;
  AlertActions actions_;
  io::LiveHost::Logger log_;
  std::size_t channels_count_;
  mutable std::mutex mutex_;
  ops::Alerts alerts_;  ///< under the mutex, as what follows
  bool leaving_ = false;
  std::condition_variable wake_;
  std::unique_ptr<io::Notifier> notifier_;
  std::thread thread_;
};

}  // namespace phoenix::app
