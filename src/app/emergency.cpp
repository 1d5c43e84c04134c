#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/maker.hpp"
#include "app/time_text.hpp"
#include "app/venue_desk.hpp"
#include "io/files.hpp"
#include "io/incident_log.hpp"
#include "io/latch_file.hpp"

#include <iostream>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

constexpr base::Duration cancel_max = base::seconds{10};
constexpr base::Duration retry_interval = base::milliseconds{250};

bool person_agrees(const std::string& what) {
  fmt::print("{}\nType yes to go on: ", what);
  std::fflush(stdout);
  std::string line;
  return std::getline(std::cin, line) && line == "yes";
}

}  // namespace

int emergency_cancel_all(const EmergencyArguments& arguments) {
  const Config config = load_config(arguments.config);
  const auto credentials = load_credentials(config);
  const bool everybodys = arguments.whose == WhoseOrders::all;
  if (arguments.consent == Consent::ask) {
    if (::isatty(STDIN_FILENO) != 1) throw StartError("nobody to ask on a terminal: say --yes");
    if (!person_agrees(fmt::format(
            "This sets the kill latch of {} and cancels {} on {} symbols.", config.data_dir.string(),
            everybodys ? "EVERY open order" : "every order of ours", config.engine.symbols.size())))
      return 1;
  }
  const io::RealClock clock;
  try {
    // First what keeps new orders from being made, then what rests.
    std::filesystem::create_directories(config.data_dir);
    io::LatchFile{config.data_dir}.set("emergency cancel-all", clock.now());
  } catch (const std::runtime_error& fault) {
    // Orders are cancelled all the same; the exit code says that it did not work out.
    fmt::print(stderr, "phoenix: the kill latch could NOT be set: {}\n", fault.what());
    VenueDesk desk{clock, config, credentials};
    if (const auto orders = desk.open_orders()) {
      std::vector<model::CancelOrder> ours;
      for (const auto& order : *orders) {
        if (order.id) ours.push_back({.id = *order.id, .symbol = order.symbol});
      }
      if (const auto done = desk.cancel(ours); !done) fmt::print(stderr, "phoenix: {}\n", done.error());
    }
    return 1;
  }
  fmt::print("the kill latch is set: nothing is quoted until `phoenix emergency re-arm -c {}`\n",
             arguments.config.string());
  std::fflush(stdout);

  VenueDesk desk{clock, config, credentials};
  const auto begin = clock.now();
  std::string last_fault;
  std::size_t cancelled = 0;
  while (clock.now() - begin < cancel_max) {
    const auto asked_at = clock.now();
    const auto orders = desk.open_orders();
    std::vector<model::CancelOrder> ours;
    std::size_t foreign = 0;
    if (orders) {
      for (const auto& order : *orders) {
        if (order.id) {
          ours.push_back({.id = *order.id, .symbol = order.symbol});
        } else {
          ++foreign;
        }
      }
      last_fault.clear();
    } else {
      last_fault = orders.error();
    }
    if (everybodys && (!orders || foreign > 0)) {
      for (std::size_t i = 0; i < desk.symbols().size(); ++i) {
        if (const auto done = desk.cancel_all(model::SymbolId{static_cast<std::uint16_t>(i)}); !done)
          last_fault = done.error();
      }
    }
    if (const auto done = desk.cancel(ours); !done) last_fault = done.error();
    cancelled += ours.size();
    const bool nothing_left = orders && ours.empty() && (!everybodys || foreign == 0);
    // A request sent before the latch was seen may reach the venue until its window is over.
    if (nothing_left && asked_at - begin > config.engine.recv_window) {
      fmt::print("the venue lists no {}order: {} were cancelled\n", everybodys ? "" : "own ", cancelled);
      if (foreign > 0) fmt::print("{} orders of others were left alone\n", foreign);
      return 0;
    }
    std::this_thread::sleep_for(retry_interval);
  }
  fmt::print(stderr, "phoenix: NOT confirmed within {} s: orders may rest{}{}\n",
             std::chrono::duration_cast<base::seconds>(cancel_max).count(), last_fault.empty() ? "" : ": ",
             last_fault);
  return 1;
}

int emergency_re_arm(const EmergencyArguments& arguments) {
  const Config config = load_config(arguments.config);
  const io::LatchFile latch{config.data_dir};
  const auto record = latch.read();
  if (!record) {
    fmt::print("the kill latch of {} is not set\n", config.data_dir.string());
    return 0;
  }
  fmt::print("the kill latch of {} was set at {}: {}\n", config.data_dir.string(), utc_text(record->at),
             record->reason);
  if (arguments.consent == Consent::ask && ::isatty(STDIN_FILENO) == 1 &&
      !person_agrees("Taking it away lets Phoenix quote again."))
    return 1;
  try {
    latch.clear();
    // A running maker notes it as well; this is for the case that none runs.
    io::IncidentLog{config.data_dir}.append({.at = io::RealClock{}.now(),
                                             .kind = ops::IncidentKind::rearmed,
                                             .subject = {},
                                             .what = base::ShortText<64>{"by phoenix emergency re-arm"},
                                             .cost = {},
                                             .evidence = {}});
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  }
  fmt::print("taken away: Phoenix may quote again\n");
  return 0;
}

}  // namespace phoenix::app
