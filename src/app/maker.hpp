#pragma once

#include "app/alert_host.hpp"
#include "app/config.hpp"
#include "app/config_watch.hpp"
#include "app/dashboard_feed.hpp"
#include "app/log.hpp"
#include "app/ops_host.hpp"
#include "app/paper.hpp"
#include "engine/engine.hpp"
#include "io/account_lock.hpp"
#include "io/clock.hpp"
#include "io/files.hpp"
#include "io/guard_latches.hpp"
#include "io/incident_log.hpp"
#include "io/latch_file.hpp"
#include "io/live_host.hpp"
#include "io/progress_file.hpp"
#include "io/recording.hpp"
#include "io/state_store.hpp"
#include "ops/status.hpp"

#include <atomic>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace phoenix::app {

/// What others ask the engine to hold, in the order they asked. Beyond `waiting_max` the newest is refused:
/// the engine's thread, which takes them ten times a second, stands still, and the guard's watch with it.
class HoldQueue {
 public:
  static constexpr std::size_t waiting_max = 1'024;
  void put(io::LiveHostOptions::Hold hold) {
    const std::lock_guard guard{mutex_};
    if (waiting_.size() < waiting_max) waiting_.push_back(std::move(hold));
  }
  std::optional<io::LiveHostOptions::Hold> take() {
    const std::lock_guard guard{mutex_};
    if (waiting_.empty()) return std::nullopt;
    auto hold = std::move(waiting_.front());
    waiting_.pop_front();
    return hold;
  }

 private:
  std::mutex mutex_;
  std::deque<io::LiveHostOptions::Hold> waiting_;
};

/// Whether a maker on a local exchange goes on from the results that are kept. Such an exchange forgets its
/// accounts when it ends, and begins the same trade ids anew, so that what an earlier one did is no history.
enum class LocalResults : std::uint8_t { forget, keep };

/// A market maker put together from its configuration: account and data directory locked, run epoch taken,
/// engine on sockets, metrics served; what watches it from outside is told of its progress. Used by `run` and
/// `demo` alike.
class Maker {
 public:
  /// `config_text` is the text `config` came from, for the input log. Throws StartError.
  /// With `paper` the account of `credentials` is a model in this process, and no other is within reach.
  Maker(const io::RealClock& clock, Config config, const std::string& config_text,
        const Credentials& credentials, Log log, LocalResults local_results = LocalResults::forget,
        const std::optional<sim::PaperOptions>& paper = {});

  /// Applies what changes in this file while it runs. Before `start`.
  void watch_config(const std::filesystem::path& file);
  void start();
  void request_stop();
  std::optional<io::LiveHost::End> wait_finished(base::Duration timeout) {
    return host_->wait_finished(timeout);
  }
  /// Ends all threads. Afterwards the engine may be looked at.
  void stop();

  ops::Status status() const;
  /// None where nothing is recorded.
  const io::Recording* recording() const { return recording_.get(); }
  const engine::Engine& engine() const { return *engine_; }
  /// A person or an alert asks for less of a symbol, or takes that back. Any thread.
  void ask_hold(io::LiveHostOptions::Hold hold) { holds_.put(std::move(hold)); }
  /// Inputs the engine has consumed. Any thread.
  std::uint64_t steps() const { return steps_.load(std::memory_order_relaxed); }
  std::uint32_t run_epoch() const { return run_epoch_; }
  /// None where no port is served.
  OpsHost* ops_host() { return ops_host_.get(); }
  std::uint16_t metrics_port() const { return ops_host_ ? ops_host_->port() : std::uint16_t{0}; }
  const std::optional<std::filesystem::path>& input_log() const { return input_log_; }

 private:
  std::optional<std::string> rearmed();
  void watch_over(io::LiveHostOptions& host, const io::LiveHost::Logger& log);
  std::unique_ptr<io::StateStore> open_state(LocalResults local_results) const;
  /// The status without the alerts, which are judged by it.
  ops::Status picture() const;
  void tell_progress(base::LocalTime now, ops::RunPhase phase);

  Config config_;
  io::DirectoryLock lock_;
  std::optional<io::AccountLock> account_lock_;  ///< empty: the account is in this process
  Log log_;
  io::LatchFile latch_;
  io::LatchWatcher latch_watcher_;  ///< the engine's thread
  std::optional<std::string> latch_reason_;
  io::GuardLatches guard_latches_;
  std::optional<std::string> claimed_;  ///< symbol; the engine's thread
  HoldQueue holds_;
  std::unique_ptr<ConfigWatch> config_watch_;  ///< the engine's thread
  std::unique_ptr<io::IncidentLog> incidents_;
  std::unique_ptr<io::ProgressFile> progress_;
  const io::RealClock& clock_;
  std::atomic<std::uint64_t> steps_{0};
  std::atomic<bool> stopping_{false};
  std::uint32_t run_epoch_;
  std::optional<std::filesystem::path> input_log_;
  std::unique_ptr<io::Recording> recording_;  ///< empty where nothing is recorded
  std::unique_ptr<io::StateStore> state_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<io::LocalVenue> paper_;  ///< empty: the venue's own account
  DashboardFeed feed_;
  std::unique_ptr<io::LiveHost> host_;
  std::unique_ptr<AlertHost> alerts_;
  std::unique_ptr<OpsHost> ops_host_;
};

/// Throws StartError when the kill latch of `config` is set; `options` are those of the way out.
void refuse_when_latched(const Config& config, const std::string& options);

/// The lock that all processes of this machine use for the account of these credentials.
std::filesystem::path account_lock_path(const Config& config, const Credentials& credentials);
/// How a host of the venue is reached. A live one proves itself by the system's certificates, whatever
/// `ca_file` says.
io::Endpoint endpoint(const venue::binance::HostAddress& address, const std::string& ca_file);

/// The engine of a configuration; also what a log is replayed with.
std::unique_ptr<engine::Engine> make_engine(const Config& config, const Credentials& credentials,
                                            std::uint32_t run_epoch);

}  // namespace phoenix::app
