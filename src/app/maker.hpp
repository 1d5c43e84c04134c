#pragma once

#include "app/config.hpp"
#include "app/config_watch.hpp"
#include "app/ops_host.hpp"
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
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace phoenix::app {

/// A market maker put together from its configuration: account and data directory locked, run epoch taken,
/// engine on sockets, metrics served; what watches it from outside is told of its progress. Used by `run` and
/// `demo` alike.
class Maker {
 public:
  /// `config_text` is the text `config` came from, for the input log. Throws StartError.
  Maker(const io::RealClock& clock, Config config, const std::string& config_text,
        const Credentials& credentials, io::LiveHost::Logger log);

  /// Applies what changes in this file while it runs. Before `start`.
  void watch_config(const std::filesystem::path& file);
  void start();
  void request_stop();
  std::optional<io::LiveHost::End> wait_finished(base::Duration timeout) {
    return host_->wait_finished(timeout);
  }
  /// Ends all threads. Afterwards the engine may be looked at.
  void stop();

  ops::Status status() const { return host_->status(); }
  /// None where nothing is recorded.
  const io::Recording* recording() const { return recording_.get(); }
  const engine::Engine& engine() const { return *engine_; }
  /// Inputs the engine has consumed. Any thread.
  std::uint64_t steps() const { return steps_.load(std::memory_order_relaxed); }
  std::uint32_t run_epoch() const { return run_epoch_; }
  std::uint16_t metrics_port() const { return ops_host_ ? ops_host_->port() : std::uint16_t{0}; }
  const std::optional<std::filesystem::path>& input_log() const { return input_log_; }

 private:
  void watch_over(io::LiveHostOptions& host, const io::LiveHost::Logger& log);
  std::unique_ptr<io::StateStore> open_state() const;
  void tell_progress(base::LocalTime now, ops::RunPhase phase);

  Config config_;
  io::DirectoryLock lock_;
  io::AccountLock account_lock_;
  io::LiveHost::Logger log_;
  io::LatchFile latch_;
  io::LatchWatcher latch_watcher_;  ///< the engine's thread
  std::optional<std::string> latch_reason_;
  io::GuardLatches guard_latches_;
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
  std::unique_ptr<io::LiveHost> host_;
  std::unique_ptr<OpsHost> ops_host_;
};

/// Throws StartError when the kill latch of `config` is set; `config_file` is what the way out names.
void refuse_when_latched(const Config& config, const std::filesystem::path& config_file);

/// The lock that all processes of this machine use for the account of these credentials.
std::filesystem::path account_lock_path(const Config& config, const Credentials& credentials);
io::Endpoint endpoint(const venue::binance::HostAddress& address, const std::string& ca_file);

/// The engine of a configuration; also what a log is replayed with.
std::unique_ptr<engine::Engine> make_engine(const Config& config, const Credentials& credentials,
                                            std::uint32_t run_epoch);

}  // namespace phoenix::app
