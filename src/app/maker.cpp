#include "app/maker.hpp"

#include "app/recorder.hpp"
#include "app/status_fill.hpp"
#include "app/time_text.hpp"
#include "engine/log_replay.hpp"

#include <fmt/format.h>
#include <unistd.h>

namespace phoenix::app {

io::Endpoint endpoint(const venue::binance::HostAddress& address, const std::string& ca_file) {
  io::Endpoint e;
  e.host = address.host;
  e.port = address.port;
  e.security = address.transport == venue::binance::HostAddress::Transport::tls ? io::Security::tls
                                                                                : io::Security::plain;
  // Whoever can write to a file of ours must not become the venue.
  if (!venue::binance::is_live_host(address.host)) e.ca_file = ca_file;
  return e;
}

std::filesystem::path account_lock_path(const Config& config, const Credentials& credentials) {
  const auto& rest = config.hosts.rest;
  return io::account_lock_path(io::account_lock_directory(), fmt::format("{}:{}", rest.host, rest.port),
                               credentials.api_key);
}

void refuse_when_latched(const Config& config, const std::string& options) {
  const auto record = io::LatchFile{config.data_dir}.read();
  if (!record) return;
  throw StartError(
      fmt::format("the kill latch is set since {}: {}; when that is dealt with: phoenix emergency re-arm {}",
                  utc_text(record->at), record->reason, options));
}

namespace {

io::AccountLock lock_account(const Config& config, const Credentials& credentials) {
  try {
    return io::AccountLock{account_lock_path(config, credentials)};
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  }
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
  engine::Options options = config.engine;
  options.order_api_target = config.hosts.ws_api.path;
  options.seed = run_epoch;
  options.read = [](std::string_view text) -> std::optional<engine::Options> {
    auto parsed = parse_config(std::string{text});
    if (!parsed.config) return std::nullopt;
    return std::move(parsed.config->engine);
  };
  try {
    return std::make_unique<engine::Engine>(
        std::move(options), venue::binance::Credentials{credentials.api_key, signer_of(credentials)},
        run_epoch);
  } catch (const std::invalid_argument& fault) {
    throw StartError(fault.what());
  }
}

Maker::Maker(const io::RealClock& clock, Config config, const std::string& config_text,
             const Credentials& credentials, Log log, LocalResults local_results,
             const std::optional<sim::PaperOptions>& paper)
    : config_(std::move(config)),
      lock_(lock_directory(config_.data_dir)),
      account_lock_(paper ? std::nullopt : std::optional{lock_account(config_, credentials)}),
      log_(log),
      latch_(config_.data_dir),
      latch_watcher_(latch_.path()),
      guard_latches_(config_.data_dir),
      clock_(clock) {
  try {
    if (!config_.ca_file.empty()) static_cast<void>(io::read_file(config_.ca_file));
    run_epoch_ = io::RunEpoch::take(config_.data_dir);
    if (config_.recording.enabled == Switch::on) recording_ = open_recording(clock, config_, log);
    for (auto& [symbol, text] : guard_latches_.load()) {
      log(engine::Severity::warning, fmt::format("latched by an earlier run symbol={} why=\"{}\"",
                                                 symbol.empty() ? "account" : symbol, text));
      config_.engine.guard_latches.push_back({symbol, text});
    }
    state_ = open_state(local_results);
    config_.engine.ledger = state_->loaded();
    engine_ = make_engine(config_, credentials, run_epoch_);

    io::LiveHostOptions host;
    host.rest = endpoint(config_.hosts.rest, config_.ca_file);
    host.stream = endpoint(config_.hosts.streams, config_.ca_file);
    if (paper) {
      paper_ = make_paper_venue(*paper, *engine_);
      host.local_venue = paper_.get();
    } else {
      host.order_api = endpoint(config_.hosts.ws_api, config_.ca_file);
      host.api_key = credentials.api_key;
    }
    host.deflate = config_.deflate == Switch::on ? io::Deflate::offer : io::Deflate::refuse;
    host.waiting = config_.busy_poll == Switch::on ? io::Waiting::spin : io::Waiting::block;
    host.recording = recording_.get();
    host.input_log_start = engine::log_start_text(
        {run_epoch_, config_.replay_text.empty() ? config_text : config_.replay_text,
         config_.engine.recording.resume, config_.engine.ledger, config_.engine.guard_latches});
    // A journal that is kept holds the same, frames included.
    const bool in_journal = recording_ && config_.recording.keep_journal == Switch::on;
    if (config_.input_log == Switch::on && !in_journal) {
      input_log_ = config_.data_dir / fmt::format("input-{:08x}.phxlog", run_epoch_);
      host.input_log = input_log_;
    }
    incidents_ = std::make_unique<io::IncidentLog>(config_.data_dir);
    progress_ = std::make_unique<io::ProgressFile>(io::ProgressFile::path_in(config_.data_dir));
    watch_over(host, log);
    AlertActions alert_actions{.hold = [this](io::LiveHostOptions::Hold hold) { ask_hold(std::move(hold)); },
                               .kill = [this](std::string_view reason) { latch_.set(reason, clock_.now()); }};
    alerts_ = std::make_unique<AlertHost>(
        clock, config_.alerts, [this] { return picture(); }, std::move(alert_actions), log_);
    if (config_.metrics_port) {
      OpsHostOptions ops{.address = config_.metrics_address,
                         .port = *config_.metrics_port,
                         .access = load_dashboard_access(config_),
                         .data_dir = config_.data_dir,
                         .feed = &feed_,
                         .actions = {}};
      ops.actions.hold = [this](io::LiveHostOptions::Hold hold) { ask_hold(std::move(hold)); };
      ops.actions.kill = [this](std::string_view reason) { latch_.set(reason, clock_.now()); };
      ops_host_ = std::make_unique<OpsHost>(clock, std::move(ops), [this] { return status(); });
    }
    host_ = std::make_unique<io::LiveHost>(clock, *engine_, std::move(host), std::move(log));
  } catch (const StartError&) {
    throw;
  } catch (const std::runtime_error& fault) {
    throw StartError(fault.what());
  }
}

std::unique_ptr<io::StateStore> Maker::open_state(LocalResults local_results) const {
  io::StateStoreOptions options;
  options.directory = config_.data_dir;
  options.venue = fmt::format("{} {}:{}", config_.engine.product == model::Product::spot ? "spot" : "usdm",
                              config_.hosts.rest.host, config_.hosts.rest.port);
  for (std::size_t i = 0; i < config_.engine.symbols.size(); ++i)
    options.symbols.push_back(
        {model::SymbolId{static_cast<std::uint16_t>(i)}, config_.engine.symbols[i].name});
  const auto& host = config_.hosts.rest.host;
  const bool is_local = host == "localhost" || host == "127.0.0.1" || host == "::1";
  const bool is_paper = !account_lock_;
  if ((is_local || is_paper) && local_results == LocalResults::forget) {
    std::error_code ignored;
    for (const char* file : {"state.db-wal", "state.db-shm", "state.db"})
      std::filesystem::remove(config_.data_dir / file, ignored);
  }
  auto made = std::make_unique<io::StateStore>(std::move(options), clock_);
  const auto status = made->status();
  if (!status.moved_aside.empty())
    log_(engine::Severity::error,
         fmt::format("state.db was damaged and is now {}: results begin anew", status.moved_aside.string()));
  return made;
}

/// All of it happens on the engine's thread.
void Maker::watch_over(io::LiveHostOptions& host, const io::LiveHost::Logger& log) {
  host.on_incident = [this](const ops::Incident& incident) {
    incidents_->append(incident);
    feed_.on_incident(incident);
  };
  host.set_latch = [this, log](std::string_view reason) {
    try {
      latch_.set(reason, clock_.now());
    } catch (const io::FileError& fault) {
      // The engine stays latched as long as it runs; only the next start would not know.
      log(engine::Severity::error, fmt::format("kill latch not kept: {}", fault.what()));
    }
  };
  host.keep_guard_latch = [this, log](std::string_view symbol, std::string_view text) {
    try {
      guard_latches_.keep(symbol, text);
    } catch (const io::FileError& fault) {
      log(engine::Severity::error, fmt::format("guard latch not kept: {}", fault.what()));
    }
  };
  host.changed_options = [this]() -> std::optional<std::string> {
    if (!config_watch_) return std::nullopt;
    auto text = config_watch_->poll(clock_.now());
    if (text) log_.set_level(config_watch_->config().log.level);
    return text;
  };
  host.rearmed = [this] { return rearmed(); };
  host.claimed = [this] { return std::exchange(claimed_, {}); };
  host.hold_asked = [this] { return holds_.take(); };
  host.keep_state = [this](const order::StateRecord& record) {
    state_->append(record);
    feed_.on_state(*engine_, record, clock_.now());
  };
  host.latch = [this] {
    if (latch_watcher_.poll()) {
      const auto record = latch_.read();
      latch_reason_ = record ? std::optional{record->reason} : std::nullopt;
    }
    return latch_reason_;
  };
  host.on_alive = [this](base::LocalTime now, std::uint64_t steps) {
    steps_.store(steps, std::memory_order_relaxed);
    feed_.look(*engine_, now);
    tell_progress(
        now, stopping_.load(std::memory_order_relaxed) ? ops::RunPhase::stopping : ops::RunPhase::running);
  };
}

/// A person took away what a guard had latched; a hold because of others' orders is claimed instead.
std::optional<std::string> Maker::rearmed() {
  auto name = guard_latches_.take_rearmed();
  if (!name || !name->ends_with(engine::foreign_suffix)) return name;
  claimed_ = name->substr(0, name->size() - engine::foreign_suffix.size());
  return std::nullopt;
}

ops::Status Maker::status() const {
  auto status = picture();
  if (alerts_) alerts_->fill(status);
  return status;
}

ops::Status Maker::picture() const {
  auto status = host_->status();
  status.paper = paper_ != nullptr;
  status.limited = config_.first_start.has_value();
  if (config_watch_) fill_config_watch(status, *config_watch_);
  fill_state_store(status, state_->status());
  fill_process(status);
  status.log_lines_suppressed = log_.suppressed();
  return status;
}

void Maker::tell_progress(base::LocalTime now, ops::RunPhase phase) {
  std::uint32_t orders_live = 0;
  for (const auto& symbol : host_->status().symbols) orders_live += symbol.orders_live;
  progress_->write({.pid = static_cast<std::uint32_t>(::getpid()),
                    .run_epoch = run_epoch_,
                    .steps = steps(),
                    .local_ns = base::ns_of(now),
                    .phase = phase,
                    .orders_live = orders_live});
}

void Maker::watch_config(const std::filesystem::path& file) {
  config_watch_ = std::make_unique<ConfigWatch>(file, config_, log_);
}

void Maker::start() {
  tell_progress(clock_.now(), ops::RunPhase::starting);
  host_->start();
  alerts_->start();
  if (ops_host_) ops_host_->start();
}

void Maker::request_stop() {
  stopping_.store(true, std::memory_order_relaxed);
  host_->request_stop();
}

void Maker::stop() {
  ops_host_.reset();
  const bool finished = host_->wait_finished(base::Duration{0}).has_value();
  host_->stop();
  if (recording_) close_recording(*recording_, log_);
  // Only an end of its own will is one: whoever watches tells it from a death by this.
  if (finished) tell_progress(clock_.now(), ops::RunPhase::finished);
  // Last, because it may wait for the network.
  alerts_.reset();
}

}  // namespace phoenix::app
