#include "app/progress.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

constexpr base::Duration first_bar_after = base::milliseconds{500}, bar_interval = base::milliseconds{250};
constexpr base::Duration line_interval = base::seconds{10};
constexpr std::size_t bar_min = 8, bar_max = 40, width_usual = 80;

constexpr char clear_line[] = "\r\033[K";

std::string bytes_text(double bytes) {
  if (bytes >= 1e9) return fmt::format("{:.1f} GB", bytes / 1e9);
  if (bytes >= 1e6) return fmt::format("{:.1f} MB", bytes / 1e6);
  return fmt::format("{:.0f} kB", bytes / 1e3);
}

std::string rate_text(const ProgressUnit& unit, double counts_per_s) {
  if (unit.name.empty()) return bytes_text(counts_per_s) + "/s";
  const double per_s = counts_per_s / unit.counts;
  if (per_s >= 10) return fmt::format("{:.0f} {}/s", per_s, unit.name);
  if (per_s >= 1) return fmt::format("{:.1f} {}/s", per_s, unit.name);
  return fmt::format("{:.1f} {}/min", per_s * 60, unit.name);
}

std::string left_text(double seconds) {
  const auto s = static_cast<std::int64_t>(std::clamp(seconds, 0.0, 1e7)) + 1;
  if (s < 100) return fmt::format("{} s left", s);
  if (s < 6'000) return fmt::format("{} min left", (s + 30) / 60);
  return fmt::format("{} h left", (s + 1'800) / 3'600);
}

/// Takes the bar away before the signal does what it would have done.
extern "C" void phoenix_on_progress_signal(int number) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, clear_line, sizeof clear_line - 1);
  ::signal(number, SIG_DFL);
  ::raise(number);
}

void handle(int number, void (*from)(int), void (*to)(int)) {
  struct sigaction current{};
  ::sigaction(number, nullptr, &current);
  if (current.sa_handler == from) ::signal(number, to);
}

}  // namespace

ProgressText::ProgressText(std::string_view what, ProgressUnit unit, Style style, base::LocalTime now)
    : what_(what),
      unit_(unit),
      style_(style),
      began_(now),
      next_(now + (style == Style::bar ? first_bar_after : line_interval)) {}

std::optional<std::string> ProgressText::at(base::LocalTime now, std::uint64_t done, std::uint64_t total,
                                            std::size_t width) {
  if (now < next_) return std::nullopt;
  next_ = now + (style_ == Style::bar ? bar_interval : line_interval);
  done = std::min(done, total);
  const double share = total == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total);
  const double elapsed_s = static_cast<double>((now - began_).count()) / 1e9;
  auto head = fmt::format("{} {:>3.0f} %", what_, std::min(share * 100, 99.0 + (done == total ? 1.0 : 0.0)));
  std::string tail;
  if (done > 0 && elapsed_s > 0) {
    const double rate = static_cast<double>(done) / elapsed_s;
    tail = fmt::format("{}, {}", rate_text(unit_, rate), left_text(static_cast<double>(total - done) / rate));
  }
  if (style_ == Style::lines) return tail.empty() ? head + "\n" : fmt::format("{}, {}\n", head, tail);
  // One column stays free: a full line would make some terminals begin the next one.
  const std::size_t room = std::max<std::size_t>(width, 1) - 1;
  if (head.size() + tail.size() + bar_min + 5 <= room) {
    const std::size_t length = std::min(bar_max, room - head.size() - tail.size() - 5);
    const auto filled = static_cast<std::size_t>(share * static_cast<double>(length));
    head += fmt::format(" [{}{}]  {}", std::string(filled, '#'), std::string(length - filled, '.'), tail);
  } else if (head.size() + tail.size() + 2 <= room) {
    head += "  " + tail;
  }
  return head.substr(0, room);
}

Progress::Progress(std::string_view what, ProgressUnit unit, Format format)
    : is_terminal_(::isatty(STDERR_FILENO) == 1) {
  if (format == Format::json) return;
  text_.emplace(what, unit, is_terminal_ ? ProgressText::Style::bar : ProgressText::Style::lines,
                clock_.now());
  if (!is_terminal_) return;
  for (const int number : {SIGINT, SIGTERM}) handle(number, SIG_DFL, phoenix_on_progress_signal);
}

Progress::~Progress() {
  if (!text_ || !is_terminal_) return;
  for (const int number : {SIGINT, SIGTERM}) handle(number, phoenix_on_progress_signal, SIG_DFL);
  fmt::print(stderr, "{}", clear_line);
}

void Progress::show(std::uint64_t done, std::uint64_t total) {
  if (!text_) return;
  winsize size{};
  const bool is_known = is_terminal_ && ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  const auto text = text_->at(clock_.now(), done, total, is_known ? size.ws_col : width_usual);
  if (text) fmt::print(stderr, "{}{}", is_terminal_ ? clear_line : "", *text);
}

}  // namespace phoenix::app
