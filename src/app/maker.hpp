#pragma once

#include "app/config.hpp"
#include "app/ops_host.hpp"
#include "engine/engine.hpp"
#include "io/clock.hpp"
#include "io/files.hpp"
#include "io/live_host.hpp"
#include "ops/status.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace phoenix::app {

/// A market maker put together from its configuration: data directory locked, run epoch taken, engine on
/// sockets, metrics served. Used by `run` and `demo` alike.
class Maker {
 public:
  /// `config_text` is the text `config` came from, for the input log. Throws StartError.
  Maker(const io::RealClock& clock, Config config, const std::string& config_text,
        const Credentials& credentials, io::LiveHost::Logger log);

  void start();
  void request_stop() { host_->request_stop(); }
  std::optional<io::LiveHost::End> wait_finished(base::Duration timeout) {
    return host_->wait_finished(timeout);
  }
  /// Ends all threads. Afterwards the engine may be looked at.
  void stop();

  ops::Status status() const { return host_->status(); }
  const engine::Engine& engine() const { return *engine_; }
  std::uint32_t run_epoch() const { return run_epoch_; }
  std::uint16_t metrics_port() const { return ops_host_ ? ops_host_->port() : std::uint16_t{0}; }
  const std::optional<std::filesystem::path>& input_log() const { return input_log_; }

 private:
  Config config_;
  io::DirectoryLock lock_;
  std::uint32_t run_epoch_;
  std::optional<std::filesystem::path> input_log_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<io::LiveHost> host_;
  std::unique_ptr<OpsHost> ops_host_;
};

/// The engine of a configuration; also what a log is replayed with.
std::unique_ptr<engine::Engine> make_engine(const Config& config, const Credentials& credentials,
                                            std::uint32_t run_epoch);

}  // namespace phoenix::app
