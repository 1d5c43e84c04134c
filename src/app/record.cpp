#include "app/alert_host.hpp"
#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/dashboard_feed.hpp"
#include "app/log.hpp"
#include "app/maker.hpp"
#include "app/ops_host.hpp"
#include "app/recorder.hpp"
#include "app/status_fill.hpp"
#include "engine/log_replay.hpp"
#include "io/sd_notify.hpp"
#include "io/signals.hpp"

#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <poll.h>

namespace phoenix::app {
namespace {

constexpr base::Duration line_interval = base::seconds{10};

/// One line about a recorder, with what happened since the last.
class RecorderLine {
 public:
  std::string text(const ops::Status& status) {
    std::uint64_t rows = 0, messages = 0;
    for (const auto& s : status.symbols) {
      for (const auto count : s.rows) rows += count;
    }
    for (const auto& c : status.connections) messages += c.messages;
    const double seconds =
        before_ && status.now > *before_ ? static_cast<double>((status.now - *before_).count()) / 1e9 : 0;
    const auto rate = [seconds](std::uint64_t now, std::uint64_t& last) {
      const auto grown = now - std::exchange(last, now);
      return seconds > 0 ? static_cast<double>(grown) / seconds : 0.0;
    };
    const double message_rate = rate(messages, messages_), row_rate = rate(rows, rows_);
    before_ = status.now;
    int live = 0, recorded = 0;
    std::string held;
    for (const auto& s : status.symbols) {
      if (!s.recorded) continue;
      ++recorded;
      if (s.reason.empty()) {
        ++live;
      } else {
        held += fmt::format(" {} ({})", s.name.view(), s.reason.view());
      }
    }
    const auto& r = status.recording;
    std::string line = fmt::format(
        "{} | {}/{} symbols live | {:.0f} msg/s {:.0f} rows/s | journal {:.1f} MB, lag {} ms | {} files, {} "
        "rows durable, "
        "{} segments waiting",
        status.phase.view(), live, recorded, message_rate, row_rate,
        static_cast<double>(r.journal_bytes) / 1e6, r.sync_lag / base::milliseconds{1}, r.files,
        r.rows_durable, r.backlog);
    if (!held.empty()) line += " | waiting:" + held;
    if (!r.fault.empty()) line += fmt::format(" | FAULT {}", r.fault.view());
    return line;
  }

 private:
  std::optional<base::LocalTime> before_;
  std::uint64_t rows_ = 0, messages_ = 0;
};

/// No order is ever signed: the recorder has no key.
Credentials no_credentials() { return {.api_key = "none", .hmac_secret = "none", .ed25519_pem = {}}; }

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
  const auto manager = io::ServiceManager::from_environment();
  const auto log = make_logger(config.log_level);
  tell_settings(config, log);
  const auto recording = open_recording(clock, config, log);
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
  options.on_alive = [&feed, &engine](base::LocalTime now, std::uint64_t) { feed.look(*engine, now); };
  std::unique_ptr<io::LiveHost> host;
  std::unique_ptr<AlertHost> alerts;
  std::unique_ptr<OpsHost> ops_host;
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
      ops_host = std::make_unique<OpsHost>(clock, std::move(ops), [&host, &alerts] {
        auto status = host->status();
        alerts->fill(status);
        fill_process(status);
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
  base::LocalTime next_line = begin + line_interval;
  RecorderLine line;
  static_cast<void>(line.text(host->status()));  // rates count from here
  manager.tell("READY=1");
  std::uint64_t records_told = 0;
  while (!signals.raised() && !host->wait_finished(base::milliseconds{0})) {
    const base::LocalTime now = clock.now();
    if (run_for.count() > 0 && now - begin >= run_for) break;
    const auto status = host->status();
    // Not from a timer: a service manager hears of us only while something is recorded.
    if (std::exchange(records_told, status.recording.journal_records) != status.recording.journal_records)
      manager.tell("WATCHDOG=1");
    if (now >= next_line) {
      next_line = now + line_interval;
      log(engine::Severity::info, line.text(status));
    }
    pollfd fd{.fd = signals.fd(), .events = POLLIN, .revents = 0};
    ::poll(&fd, 1, 100);
  }
  manager.tell("STOPPING=1");
  host->request_stop();
  const auto end = host->wait_finished(base::seconds{10});
  ops_host.reset();
  alerts.reset();
  host->stop();
  close_recording(*recording, log);
  if (!end) throw StartError("the engine did not finish in time");
  if (end->exit_code == 2) throw StartError(end->reason);
  return recording->status().backlog == 0 ? end->exit_code : 1;
}

}  // namespace phoenix::app
