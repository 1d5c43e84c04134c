#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/log.hpp"
#include "app/maker.hpp"
#include "app/status_view.hpp"
#include "io/files.hpp"
#include "io/signals.hpp"

#include <fmt/format.h>
#include <poll.h>

namespace phoenix::app {

int run(const RunArguments& arguments) {
  Config config = load_config(arguments.config);
  if (venue::binance::is_live(config.hosts)) {
    throw StartError(arguments.config.string() +
                     ": live hosts are refused: this version has no liveness verdict, no dead man's switch "
                     "and no kill latch yet; "
                     "use the local exchange or the testnet");
  }
  const io::StopSignals signals;
  const io::RealClock clock;
  const auto log = make_logger(config.log_level);
  Maker maker{clock, config, io::read_file(arguments.config), load_credentials(config), log};
  log(engine::Severity::info,
      fmt::format("starting epoch={} rest={} metrics_port={} input_log={}", maker.run_epoch(),
                  config.hosts.rest.text("https"), maker.metrics_port(),
                  maker.input_log() ? maker.input_log()->string() : "none"));
  maker.start();
  const base::LocalTime begin = clock.now();
  base::LocalTime next_line = begin + base::seconds{10};
  StatusView view;
  view.line(maker.status());  // rates count from here
  while (!signals.raised() && !maker.wait_finished(base::milliseconds{0})) {
    const base::LocalTime now = clock.now();
    if (arguments.run_for && now - begin >= *arguments.run_for) break;
    if (now >= next_line) {
      next_line = now + base::seconds{10};
      log(engine::Severity::info, view.line(maker.status()));
    }
    pollfd fd{.fd = signals.fd(), .events = POLLIN, .revents = 0};
    ::poll(&fd, 1, 100);
  }
  maker.request_stop();
  const auto end = maker.wait_finished(base::seconds{15});
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
