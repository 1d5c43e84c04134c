#include "app/alert_host.hpp"
#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/config_watch.hpp"
#include "app/dashboard_feed.hpp"
#include "app/log.hpp"
#include "app/maker.hpp"
#include "app/ops_host.hpp"
#include "app/recorder.hpp"
#include "app/service_notice.hpp"
#include "app/status_fill.hpp"
#include "app/take_over.hpp"
#include "engine/log_replay.hpp"
#include "io/signals.hpp"

#include <atomic>
#include <cstdio>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <poll.h>

namespace phoenix::app {
namespace {

/// No order is ever signed: the recorder has no key.
Credentials no_credentials() {
  return {.api_key = "none", .hmac_secret = io::Secret{"none"}, .ed25519_pem = {}};
}

void tell_settings(const Config& config, const io::LiveHost::Logger& log) {
  for (const auto& setting : config.recording.effective) {
    // The signals have dozens of settings; those nobody touched are for the manifest.
    const bool untouched_signal = setting.origin == EffectiveSetting::Origin::standard &&
                                  setting.name.find("signals.") != std::string::npos;
    log(untouched_signal ? engine::Severity::debug : engine::Severity::info,
        fmt::format("[CONFIG] {}={} ({})", setting.name, setting.value, setting.source));
  }
  for (const auto& variable : config.recording.without_effect)
    log(engine::Severity::warning, fmt::format("[CONFIG] {} has no effect: {}", variable.name, variable.why));
}

}  // namespace

int record(const RecordArguments& arguments) {
  Config config = load_config(arguments.config, Purpose::record, recorder_environment());
  if (arguments.insecure_bind == InsecureBind::yes) config.beyond_loopback = BeyondLoopback::anybody;
  const io::StopSignals signals;
  const io::RealClock clock;
  ServiceNotice notice{io::ServiceManager::from_environment(), Purpose::record};
  const Log log{config.log};
  tell_settings(config, log);
  std::unique_ptr<io::Overlap> overlap;
  if (arguments.take_over == TakeOver::yes) overlap = take_over(clock, config, signals, log);
  const auto recording = open_recording(clock, config, log, overlap.get());
  const auto engine = make_engine(config, no_credentials(), recording->run_epoch());

  io::LiveHostOptions options;
  options.rest = endpoint(config.hosts.rest, config.ca_file);
  options.stream = endpoint(config.hosts.streams, config.ca_file);
  options.order_api = endpoint(config.hosts.ws_api, config.ca_file);
  options.deflate = config.deflate == Switch::on ? io::Deflate::offer : io::Deflate::refuse;
  options.recording = recording.get();
  options.input_log_start = engine::log_start_text(
      {recording->run_epoch(), config.replay_text, config.engine.recording.resume, {}, {}});
  DashboardFeed feed;
  options.on_incident = [&feed](const ops::Incident& incident) { feed.on_incident(incident); };
  std::atomic<std::uint64_t> steps{0};
  options.on_alive = [&feed, &engine, &steps](base::LocalTime now, std::uint64_t taken) {
    steps.store(taken, std::memory_order_relaxed);
    feed.look(*engine, now);
  };
  std::unique_ptr<io::LiveHost> host;
  std::unique_ptr<AlertHost> alerts;
  std::unique_ptr<OpsHost> ops_host;
  const auto picture = [&host, &log] {
    auto status = host->status();
    fill_process(status);
    status.log_lines_suppressed = log.suppressed();
    return status;
  };
  try {
    host = std::make_unique<io::LiveHost>(clock, *engine, std::move(options), log);
    alerts = std::make_unique<AlertHost>(
        clock, config.alerts, [&host] { return host->status(); }, AlertActions{}, log);
    if (config.metrics_port) {
      OpsHostOptions ops{.address = config.metrics_address,
                         .port = *config.metrics_port,
                         .access = load_dashboard_access(config),
                         .data_dir = config.recording.dir,
                         .feed = &feed,
                         .actions = {}};
      ops_host = std::make_unique<OpsHost>(clock, std::move(ops), [&picture, &alerts] {
        auto status = picture();
        alerts->fill(status);
        return status;
      });
    }
  } catch (const std::runtime_error& fault) {
    throw StartError(fault.what());
  }
  log(engine::Severity::info,
      fmt::format("recording to={} run={} symbols={} streams={} metrics_port={}",
                  config.recording.dir.string(), recording->run_epoch(), config.engine.symbols.size(),
                  config.hosts.streams.text("wss"), ops_host ? ops_host->port() : 0));
  host->start();
  alerts->start();
  if (ops_host) ops_host->start();
  const base::LocalTime begin = clock.now();
  const base::Duration run_for = arguments.run_for.value_or(config.recording.run_time);
  StateTeller states{log, config.log.state_interval, begin};
  std::optional<ConfigWatch> watch;
  if (!arguments.config.empty()) watch.emplace(arguments.config, config, log, Purpose::record);
  auto rest = io::Recording::Rest::convert;
  while (!signals.raised() && !host->wait_finished(base::milliseconds{0})) {
    const base::LocalTime now = clock.now();
    if (run_for.count() > 0 && now - begin >= run_for) break;
    if (successor_waits(config.recording.dir)) {
      log(engine::Severity::info, "[TAKEOVER] a successor listens and waits: leaving");
      rest = io::Recording::Rest::leave;
      break;
    }
    if (overlap && !recording->wants_overheard()) overlap.reset();
    notice.turn(steps.load(std::memory_order_relaxed), now, [&host] { return host->status(); });
    states.turn(now, picture);
    if (watch && watch->poll(now)) log.set_level(watch->config().log.level);
    pollfd fd{.fd = signals.fd(), .events = POLLIN, .revents = 0};
    ::poll(&fd, 1, 100);
  }
  notice.leaving(steps.load(std::memory_order_relaxed), clock.now());
  host->request_stop();
  const auto end = host->wait_finished(base::seconds{10});
  ops_host.reset();
  alerts.reset();
  host->stop();
  close_recording(*recording, log, rest);
  if (!end) throw StartError("the engine did not finish in time");
  if (end->exit_code == 2) throw StartError(end->reason);
  const bool is_left_over = rest == io::Recording::Rest::convert && recording->status().backlog > 0;
  return is_left_over ? 1 : end->exit_code;
}

}  // namespace phoenix::app
