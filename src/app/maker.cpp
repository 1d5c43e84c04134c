#include "app/maker.hpp"

#include "engine/log_replay.hpp"

#include <fmt/format.h>

namespace phoenix::app {
namespace {

io::Endpoint endpoint(const venue::binance::HostAddress& address, const std::string& ca_file) {
  io::Endpoint e;
  e.host = address.host;
  e.port = address.port;
  e.security = address.transport == venue::binance::HostAddress::Transport::tls ? io::Security::tls
                                                                                : io::Security::plain;
  e.ca_file = ca_file;
  return e;
}

io::DirectoryLock lock_directory(const std::filesystem::path& directory) {
  try {
    return io::DirectoryLock{directory};
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  }
}

}  // namespace

std::unique_ptr<engine::Engine> make_engine(const Config& config, const Credentials& credentials,
                                            std::uint32_t run_epoch) {
  using venue::binance::Signer;
  engine::Options options = config.engine;
  options.order_api_target = config.hosts.ws_api.path;
  options.seed = run_epoch;
  try {
    Signer signer = credentials.ed25519_pem.empty() ? Signer::hmac(credentials.hmac_secret)
                                                    : Signer::ed25519_pem(credentials.ed25519_pem);
    return std::make_unique<engine::Engine>(
        std::move(options), venue::binance::Credentials{credentials.api_key, std::move(signer)}, run_epoch);
  } catch (const std::invalid_argument& fault) {
    throw StartError(fault.what());
  }
}

Maker::Maker(const io::RealClock& clock, Config config, const std::string& config_text,
             const Credentials& credentials, io::LiveHost::Logger log)
    : config_(std::move(config)), lock_(lock_directory(config_.data_dir)) {
  try {
    if (!config_.ca_file.empty()) static_cast<void>(io::read_file(config_.ca_file));
    run_epoch_ = io::RunEpoch::take(config_.data_dir);
    engine_ = make_engine(config_, credentials, run_epoch_);

    io::LiveHostOptions host;
    host.rest = endpoint(config_.hosts.rest, config_.ca_file);
    host.stream = endpoint(config_.hosts.streams, config_.ca_file);
    host.order_api = endpoint(config_.hosts.ws_api, config_.ca_file);
    host.api_key = credentials.api_key;
    host.deflate = config_.deflate == Switch::on ? io::Deflate::offer : io::Deflate::refuse;
    host.waiting = config_.busy_poll == Switch::on ? io::Waiting::spin : io::Waiting::block;
    if (config_.input_log == Switch::on) {
      input_log_ = config_.data_dir / fmt::format("input-{:08x}.phxlog", run_epoch_);
      host.input_log = input_log_;
      host.input_log_start = engine::log_start_text({run_epoch_, config_text});
    }
    if (config_.metrics_port) {
      ops_host_ = std::make_unique<OpsHost>(clock, config_.metrics_address, *config_.metrics_port,
                                            [this] { return host_->status(); });
    }
    host_ = std::make_unique<io::LiveHost>(clock, *engine_, std::move(host), std::move(log));
  } catch (const StartError&) {
    throw;
  } catch (const std::runtime_error& fault) {
    throw StartError(fault.what());
  }
}

void Maker::start() {
  host_->start();
  if (ops_host_) ops_host_->start();
}

void Maker::stop() {
  ops_host_.reset();
  host_->stop();
}

}  // namespace phoenix::app
