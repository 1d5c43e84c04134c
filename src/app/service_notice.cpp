#include "app/service_notice.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace phoenix::app {
namespace {

constexpr base::Duration interval = base::seconds{1};
/// How long a manager goes on waiting for a start or a stop that moves: an engine that consumes nothing for
/// so long is stuck.
constexpr base::Duration patience = base::seconds{30};
constexpr int reasons_max = 3;

bool is_meant(const ops::SymbolStatus& symbol, Purpose purpose) {
  return purpose == Purpose::run ? symbol.quoted : symbol.recorded;
}

bool is_decided(const ops::Status& status, const ops::SymbolStatus& symbol) {
  // What the guards say is looked at last: everything else is in order then.
  return status.latched || (symbol.state == ops::SymbolState::hold &&
                            symbol.guard.level >= ops::GuardStatus::level_reduce_only &&
                            symbol.reason.view() == symbol.guard.reason);
}

}  // namespace

bool is_settled(const ops::Status& status, Purpose purpose) {
  bool all_decided = true, none = true;
  for (const auto& symbol : status.symbols) {
    if (!is_meant(symbol, purpose)) continue;
    if (symbol.state == ops::SymbolState::live) return true;
    none = false;
    all_decided = all_decided && is_decided(status, symbol);
  }
  return !none && all_decided;
}

std::string service_text(const ops::Status& status, Purpose purpose) {
  int meant = 0, live = 0, held = 0;
  std::string reasons;
  for (const auto& symbol : status.symbols) {
    if (!is_meant(symbol, purpose)) continue;
    ++meant;
    if (symbol.state == ops::SymbolState::live) {
      ++live;
    } else if (++held <= reasons_max) {
      reasons += fmt::format("; {}: {}", symbol.name.view(), symbol.reason.view());
    }
  }
  if (held > reasons_max) reasons += fmt::format("; and {} more", held - reasons_max);
  const auto what = purpose == Purpose::run ? "quoting" : "recorded";
  if (status.latched) return fmt::format("the kill latch is set: {}", status.latch_reason.view());
  return fmt::format("{}{} of {} symbols {}{}", status.paper ? "paper: " : "", live, meant, what, reasons);
}

ServiceNotice::ServiceNotice(io::ServiceManager manager, Purpose purpose)
    : manager_(std::move(manager)), purpose_(purpose) {}

std::string ServiceNotice::sign_of_life(std::uint64_t progress) {
  if (std::exchange(progress_, progress) == progress) return {};
  // While it starts or leaves, a manager counts another time than that of its watchdog.
  if (ready_ && !leaving_) return "WATCHDOG=1\n";
  return fmt::format("WATCHDOG=1\nEXTEND_TIMEOUT_USEC={}\n", patience / base::microseconds{1});
}

void ServiceNotice::turn(std::uint64_t progress, base::LocalTime now,
                         const std::function<ops::Status()>& status) {
  if (!manager_.is_present() || (next_ && now < *next_)) return;
  next_ = now + interval;
  const auto present = status();
  std::string lines;
  if (!ready_ && is_settled(present, purpose_)) {
    ready_ = true;
    lines += "READY=1\n";
  }
  lines += sign_of_life(progress);
  if (auto text = service_text(present, purpose_); text != text_) {
    text_ = std::move(text);
    lines += fmt::format("STATUS={}\n", text_);
  }
  if (!lines.empty()) tell(lines);
}

void ServiceNotice::leaving(std::uint64_t progress, base::LocalTime now) {
  if (!manager_.is_present()) return;
  std::string lines;
  if (!leaving_) {
    leaving_ = true;
    lines = fmt::format("STOPPING=1\nSTATUS={}\n", purpose_ == Purpose::run
                                                       ? "withdrawing all orders"
                                                       : "putting what was recorded into files");
  } else if (next_ && now < *next_) {
    return;
  }
  next_ = now + interval;
  lines += sign_of_life(progress);
  if (!lines.empty()) tell(lines);
}

}  // namespace phoenix::app
