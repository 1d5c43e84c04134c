#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/log.hpp"
#include "app/maker.hpp"
#include "app/status_view.hpp"
#include "io/files.hpp"
#include "io/sd_notify.hpp"
#include "io/signals.hpp"

#include <utility>

#include <fmt/format.h>
#include <poll.h>

namespace phoenix::app {

int run(const RunArguments& arguments) {
  Config config = load_config(arguments.config, Purpose::run, recorder_environment());
  if (venue::binance::is_live(config.hosts)) {
    throw StartError(
        arguments.config.string() +
        ": live hosts are refused: this version has no loss limits and no preflight yet; use the local "
        "exchange or the testnet");
  }
  refuse_when_latched(config, arguments.config);
  const io::StopSignals signals;
  const io::RealClock clock;
  const auto manager = io::ServiceManager::from_environment();
  const auto log = make_logger(config.log_level);
  Maker maker{clock, config, io::read_file(arguments.config), load_credentials(config), log};
  log(engine::Severity::info,
      fmt::format("starting epoch={} rest={} metrics_port={} input_log={}", maker.run_epoch(),
                  config.hosts.rest.text("https"), maker.metrics_port(),
                  maker.input_log() ? maker.input_log()->string() : "none"));
  maker.watch_config(arguments.config);
  maker.start();
  const base::LocalTime begin = clock.now();
  base::LocalTime next_line = begin + base::seconds{10};
  StatusView view;
  view.line(maker.status());  // rates count from here
  manager.tell("READY=1");
  std::uint64_t steps_told = 0;
  // Not from a timer: a service manager hears of us only while the engine consumes its inputs.
  const auto tell_progress = [&] {
    if (const auto steps = maker.steps(); std::exchange(steps_told, steps) != steps)
      manager.tell("WATCHDOG=1");
  };
  while (!signals.raised() && !maker.wait_finished(base::milliseconds{0})) {
    const base::LocalTime now = clock.now();
    if (arguments.run_for && now - begin >= *arguments.run_for) break;
    tell_progress();
    if (now >= next_line) {
      next_line = now + base::seconds{10};
      log(engine::Severity::info, view.line(maker.status()));
    }
    pollfd fd{.fd = signals.fd(), .events = POLLIN, .revents = 0};
    ::poll(&fd, 1, 100);
  }
  manager.tell("STOPPING=1");
  maker.request_stop();
  auto end = maker.wait_finished(base::milliseconds{0});
  for (const base::LocalTime latest = clock.now() + base::seconds{15}; !end && clock.now() < latest;) {
    tell_progress();
    end = maker.wait_finished(base::milliseconds{100});
  }
  maker.stop();
  if (!end) throw StartError("the engine did not finish in time; orders may rest on the venue");
  if (end->exit_code == 2) throw StartError(end->reason);
  if (end->exit_code == 0 && !end->reason.empty()) {
    log(engine::Severity::warning, end->reason);
  } else if (end->exit_code == 0) {
    log(engine::Severity::info, "left safely: the venue lists no order of ours");
  } else {
    log(engine::Severity::error, end->reason);
  }
  return end->exit_code;
}

}  // namespace phoenix::app
