#include "app/alert_host.hpp"
#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/log.hpp"
#include "app/maker.hpp"
#include "app/venue_desk.hpp"
#include "io/account_lock.hpp"
#include "io/latch_file.hpp"
#include "io/process.hpp"
#include "io/progress_file.hpp"
#include "io/sd_notify.hpp"
#include "io/signals.hpp"
#include "ops/guard_rules.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

constexpr base::Duration interval_default = base::milliseconds{200};

/// The process that holds the lock, if it is this one.
bool kill_holder(std::uint32_t pid, const std::filesystem::path& lock) {
  const auto process = io::Process::holding(lock);
  return process && process->pid() == pid && process->signal(SIGKILL);
}

/// Starts `phoenix run` in a session of its own: signals for the guard are not for it. Its pid, or 0.
/// `secret`: a variable that is not in our environment any more, and is to be in the maker's; empty: there is
/// none.
pid_t spawn_maker(const std::filesystem::path& config, io::Secret& secret) {
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none, restored;
  sigemptyset(&none);
  sigemptyset(&restored);
  sigaddset(&restored, SIGPIPE);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &restored);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::array<std::string, 4> words{"phoenix", "run", "-c", config.string()};
  std::array<char*, 5> arguments{words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  // The service manager that watches the guard does not know this process.
  std::vector<char*> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text{*entry};
    if (!text.starts_with("NOTIFY_SOCKET=") && !text.starts_with("WATCHDOG_")) environment.push_back(*entry);
  }
  if (!secret.empty()) environment.push_back(secret.c_str());
  environment.push_back(nullptr);
  pid_t pid = 0;
  const int fault =
      ::posix_spawn(&pid, "/proc/self/exe", nullptr, &attributes, arguments.data(), environment.data());
  ::posix_spawnattr_destroy(&attributes);
  return fault == 0 ? pid : 0;
}

class GuardShell {
 public:
  GuardShell(const GuardArguments& arguments, Config config, const Credentials& credentials)
      : config_path_{arguments.config},
        config_{std::move(config)},
        log_{config_.log, "guard"},
        latch_{config_.data_dir},
        lock_path_{account_lock_path(config_, credentials)},
        desk_{clock_, config_, credentials},
        guard_{{.restart = arguments.restart, .recv_window = config_.engine.recv_window}},
        alerts_{clock_, config_.alerts, {}, {}, log_} {
    if (config_.credentials_file.empty())
      handed_on_ = io::Secret{secret_variable, "=", credentials.hmac_secret.view()};
    if (const auto trouble = io::secret_memory_trouble(); !trouble.empty())
      log_(engine::Severity::warning, trouble);
  }

  int run(base::Duration interval, std::optional<base::Duration> run_for) {
    const io::StopSignals signals;
    const auto manager = io::ServiceManager::from_environment();
    log_(engine::Severity::info, fmt::format("guarding data_dir={} rest={}", config_.data_dir.string(),
                                             config_.hosts.rest.text("https")));
    const auto begin = clock_.now();
    while (!signals.raised() && !(run_for && clock_.now() - begin >= *run_for)) {
      turn();
      tell(manager);
      pollfd fd{.fd = signals.fd(), .events = POLLIN, .revents = 0};
      ::poll(&fd, 1, static_cast<int>(std::chrono::ceil<base::milliseconds>(interval).count()));
    }
    manager.tell("STOPPING=1");
    log_(engine::Severity::info,
         fmt::format("leaving state={} restarts={}", name(guard_.state()), guard_.restarts()));
    return guard_.is_well() ? 0 : 1;
  }

 private:
  void tell(const io::ServiceManager& manager) {
    const auto text = fmt::format("{}, {} restarts", name(guard_.state()), guard_.restarts());
    const bool changed = std::exchange(told_, text) != text;
    manager.tell(fmt::format("{}WATCHDOG=1{}", std::exchange(first_turn_, false) ? "READY=1\n" : "",
                             changed ? "\nSTATUS=" + text : ""));
  }
  void turn() {
    log_.look();
    reap();
    give(sight());
  }
  ops::GuardSight sight() const {
    return {.progress = io::read_progress(io::ProgressFile::path_in(config_.data_dir)),
            .lock_holder = io::account_lock_holder(lock_path_),
            .latch = latch_.read() ? ops::GuardLatch::set : ops::GuardLatch::clear};
  }
  /// Steps, and gives back the answers to what the step wanted, until it wants no more.
  void give(const ops::GuardInput& input) {
    std::vector<ops::GuardAction> actions;
    guard_.step(input, clock_.now(), actions);
    for (const auto& action : actions) std::visit([this](const auto& a) { perform(a); }, action);
  }
  void perform(const ops::ListOrders&) {
    auto orders = desk_.open_orders();
    if (orders) {
      // The time it took is time in which the maker may have come back.
      give(sight());
      give(ops::OrdersListed{std::move(*orders)});
    } else {
      give(ops::ListFailed{orders.error()});
    }
  }
  void perform(const ops::CancelOrders& a) {
    if (const auto done = desk_.cancel(a.orders); !done)
      log_(engine::Severity::error, fmt::format("cancelling failed: {}", done.error()));
    give(ops::CancelsAnswered{});
  }
  void perform(const ops::KillHolder& a) {
    if (!kill_holder(a.pid, lock_path_))
      log_(engine::Severity::error, fmt::format("process {} could not be killed", a.pid));
  }
  void perform(const ops::RestartMaker&) {
    child_ = spawn_maker(config_path_, handed_on_);
    if (child_ == 0) give(ops::RestartFailed{"the program cannot be started"});
  }
  void perform(const ops::LatchMaker& a) {
    try {
      latch_.set(a.reason, clock_.now());
    } catch (const io::FileError& fault) {
      log_(engine::Severity::error, fmt::format("kill latch not kept: {}", fault.what()));
    }
  }
  void perform(const ops::GuardAlert& a) {
    log_(engine::Severity::warning, a.text);
    alerts_.tell(ops::AlertLevel::critical, "guard: " + a.text,
                 fmt::format("phoenix doctor -c {}", config_path_.string()));
  }
  void perform(const ops::GuardNote& a) { log_(engine::Severity::info, a.text); }

  void reap() {
    int status = 0;
    if (child_ == 0 || ::waitpid(child_, &status, WNOHANG) != child_) return;
    child_ = 0;
    give(ops::RestartFailed{WIFEXITED(status) ? fmt::format("it ended with exit code {}", WEXITSTATUS(status))
                                              : fmt::format("it died of signal {}", WTERMSIG(status))});
  }

  std::filesystem::path config_path_;
  Config config_;
  io::RealClock clock_;
  Log log_;
  io::LatchFile latch_;
  std::filesystem::path lock_path_;
  VenueDesk desk_;
  ops::Guard guard_;
  AlertHost alerts_;
  io::Secret handed_on_;  ///< to the maker that is started: its secret, when it came with our environment
  pid_t child_ = 0;
  bool first_turn_ = true;
  std::string told_;  ///< to the service manager
};

}  // namespace

int guard(const GuardArguments& arguments) {
  Config config = load_config(arguments.config);
  const auto credentials = load_credentials(config);
  try {
    return GuardShell{arguments, std::move(config), credentials}.run(
        arguments.interval.value_or(interval_default), arguments.run_for);
  } catch (const io::FileError& fault) {
    throw StartError(fault.what());
  }
}

}  // namespace phoenix::app
