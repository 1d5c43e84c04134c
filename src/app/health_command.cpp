#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/recording_config.hpp"
#include "app/status_client.hpp"
#include "app/time_text.hpp"
#include "io/progress_file.hpp"
#include "io/signals.hpp"
#include "ops/metrics_text.hpp"

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <poll.h>

namespace phoenix::app {
namespace {

using nlohmann::json;

/// An engine steps twenty times in it.
constexpr base::Duration progress_wait = base::seconds{1};

/// One verdict: the process's own checks, and before them what is seen from outside.
class HealthLook {
 public:
  HealthLook(const io::RealClock& clock, const HealthArguments& arguments, const Config& config)
      : clock_(clock),
        config_(config),
        file_(arguments.config.string()),
        steps_are_told_(arguments.purpose == Purpose::run),
        client_(clock, config) {}

  struct Result {
    std::string level = "ok";
    json report;
    int exit_code() const { return level == "ok" ? 0 : level == "warning" ? 1 : 2; }
  };

  /// Takes a second. `signals` cut it short.
  Result look(const io::StopSignals& signals) {
    checks_.clear();
    const auto answer = client_.status();
    const json* status = answer ? &answer->status : nullptr;
    if (steps_are_told_) {
      judge_progress(status, signals);
    }
    if (status != nullptr) {
      for (auto check : status->at("health").at("checks")) add(std::move(check));
    } else {
      add({{"check", "answer"},
           {"level", "severe"},
           {"what", answer.error()},
           {"help", steps_are_told_ ? "phoenix run -c FILE" : "phoenix record -c FILE"}});
    }
    Result result;
    for (const auto& check : checks_) {
      const auto level = check.at("level").get<std::string>();
      if (level == "severe" || (level == "warning" && result.level == "ok")) result.level = level;
    }
    result.report = {{"level", result.level},
                     {"exit_code", result.exit_code()},
                     {"time_unix_ms", base::ns_of(clock_.now()) / 1'000'000},
                     {"ready", status != nullptr && status->at("health").at("ready").get<bool>()},
                     {"symbols", status != nullptr ? status->at("health").at("symbols") : json::array()},
                     {"checks", checks_}};
    return result;
  }

 private:
  /// Whether the steps that the maker leaves in a file move: a process that is stopped, or whose engine is
  /// stuck, is there and answers nothing, or answers and does nothing.
  void judge_progress(const json* status, const io::StopSignals& signals) {
    auto directory = config_.data_dir;
    if (status != nullptr && status->at("paper").get<bool>()) directory /= "paper";
    const auto path = io::ProgressFile::path_in(directory);
    const auto before = io::read_progress(path);
    pollfd fd{.fd = signals.fd(), .events = POLLIN, .revents = 0};
    ::poll(&fd, 1, static_cast<int>(progress_wait / base::milliseconds{1}));
    const auto after = io::read_progress(path);
    json check{{"check", "process"}, {"level", "ok"}, {"what", ""}, {"help", nullptr}};
    if (!before || !after) {
      check["level"] = "severe";
      check["what"] = fmt::format("no maker has run in {}", directory.string());
      check["help"] = "phoenix run -c FILE";
    } else if (after->phase == ops::RunPhase::finished) {
      check["level"] = "severe";
      check["what"] = fmt::format("process {} has left by itself", after->pid);
      check["help"] = "phoenix run -c FILE";
    } else if (before->steps == after->steps && before->run_epoch == after->run_epoch) {
      check["level"] = "severe";
      check["what"] =
          fmt::format("process {} makes no progress, {} orders may rest", after->pid, after->orders_live);
      check["help"] = "phoenix guard -c FILE --restart";
    } else {
      check["what"] = fmt::format("process {} makes progress", after->pid);
    }
    add(std::move(check));
  }

  void add(json check) {
    if (check.at("help").is_string()) {
      auto help = check.at("help").get<std::string>();
      if (const auto at = help.find("FILE"); at != std::string::npos) help.replace(at, 4, file_);
      check["help"] = help;
    }
    checks_.push_back(std::move(check));
  }

  const io::RealClock& clock_;
  const Config& config_;
  std::string file_;
  bool steps_are_told_;
  StatusClient client_;
  std::vector<json> checks_;
};

std::string report_text(const json& report) {
  std::string text;
  for (const auto& check : report.at("checks")) {
    text += fmt::format("{:<8} {:<10} {}\n", check.at("level").get<std::string>(),
                        check.at("check").get<std::string>(), check.at("what").get<std::string>());
    if (check.at("help").is_string())
      text += fmt::format("{:20}{}\n", "", check.at("help").get<std::string>());
  }
  for (const auto& symbol : report.at("symbols")) {
    if (!symbol.at("ready").get<bool>())
      text += fmt::format("not ready: {} {}\n", symbol.at("symbol").get<std::string>(),
                          symbol.at("why").is_string() ? symbol.at("why").get<std::string>() : "");
  }
  const auto level = report.at("level").get<std::string>();
  return text + (level == "ok" ? "healthy\n" : level + "\n");
}

/// What is not ok, in one line.
std::string line_text(const json& report) {
  std::string text = report.at("level").get<std::string>();
  for (const auto& check : report.at("checks")) {
    if (check.at("level") != "ok")
      text +=
          fmt::format(" | {}: {}", check.at("check").get<std::string>(), check.at("what").get<std::string>());
  }
  return text;
}

}  // namespace

int health(const HealthArguments& arguments) {
  const io::RealClock clock;
  const Config config = load_config(arguments.config, arguments.purpose, recorder_environment());
  const io::StopSignals signals;
  HealthLook look{clock, arguments, config};
  if (!arguments.watch) {
    const auto result = look.look(signals);
    fmt::print("{}",
               arguments.format == Format::json ? result.report.dump() + "\n" : report_text(result.report));
    return result.exit_code();
  }
  int exit_code = 0;
  base::LocalTime next = clock.now();
  while (!signals.raised()) {
    const auto now = clock.now();
    if (now >= next) {
      next = now + *arguments.watch;
      const auto result = look.look(signals);
      if (signals.raised()) break;
      exit_code = result.exit_code();
      if (arguments.format == Format::json) {
        fmt::print("{}\n", result.report.dump());
      } else {
        fmt::print("{} {}\n", utc_text(now), line_text(result.report));
      }
      std::fflush(stdout);
    }
    pollfd fd{.fd = signals.fd(), .events = POLLIN, .revents = 0};
    ::poll(&fd, 1, 100);
  }
  return exit_code;
}

int metrics() {
  fmt::print("{}", ops::metrics_reference());
  return 0;
}

}  // namespace phoenix::app
