#include "ops/log_repeats.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace phoenix::ops {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; }

/// `text` with each number, sign and fraction included, as one #. Digits of a word, as in 1000PEPEUSDC or
/// public_2, are none.
std::string without_numbers(std::string_view text) {
  std::string kind;
  kind.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const bool begins_word = at == 0 || !is_word(text[at - 1]);
    std::size_t end = at;
    if (text[end] == '-') ++end;
    const std::size_t digits = end;
    while (end < text.size() && (is_digit(text[end]) || (text[end] == '.' && end > digits))) ++end;
    const bool is_number = begins_word && end > digits && (end == text.size() || !is_word(text[end]));
    if (is_number) {
      kind += '#';
      at = end;
    } else {
      kind += text[at++];
    }
  }
  return kind;
}

std::string kind_of(LogLevel level, std::string_view text) {
  return level >= LogLevel::warning ? without_numbers(text) : std::string{text};
}

std::string subject_of(std::string_view text) {
  const auto line = parse_log_line(text);
  const auto symbol = line.value("symbol");
  return std::string{symbol.empty() ? line.value("connection") : symbol};
}

}  // namespace

void LogRepeats::tell(const Window& window, base::LocalTime now, std::vector<LogEntry>& out) {
  if (window.repeats == 0) return;
  const auto tenths = (now - window.begin) / base::milliseconds{100};
  out.push_back({window.level, fmt::format("{} repeated={} over_s={}.{}", window.last, window.repeats,
                                           tenths / 10, tenths % 10)});
}

void LogRepeats::step(LogLevel level, std::string_view text, base::LocalTime now,
                      std::vector<LogEntry>& out) {
  expire(now, out);
  auto kind = kind_of(level, text);
  const auto same = std::find_if(windows_.begin(), windows_.end(), [&](const Window& window) {
    return window.level == level && window.kind == kind;
  });
  if (same != windows_.end()) {
    ++same->repeats;
    ++suppressed_;
    same->last = text;
    return;
  }
  auto subject = subject_of(text);
  std::erase_if(windows_, [&](const Window& window) {
    const bool is_better = level < window.level && window.level >= LogLevel::warning;
    if (!is_better || window.subject != subject) return false;
    tell(window, now, out);
    return true;
  });
  if (windows_.size() >= options_.kinds_max) {
    tell(windows_.front(), now, out);
    windows_.pop_front();
  }
  windows_.push_back(
      {.level = level, .kind = std::move(kind), .subject = std::move(subject), .begin = now, .last = {}});
  out.push_back({level, std::string{text}});
}

void LogRepeats::expire(base::LocalTime now, std::vector<LogEntry>& out) {
  while (!windows_.empty() && now - windows_.front().begin >= options_.window) {
    auto window = std::move(windows_.front());
    windows_.pop_front();
    if (window.repeats == 0) continue;
    tell(window, now, out);
    // A flood goes on being counted: of the next window, again, only the end is told.
    window.begin = now;
    window.repeats = 0;
    windows_.push_back(std::move(window));
  }
}

void LogRepeats::finish(base::LocalTime now, std::vector<LogEntry>& out) {
  for (const auto& window : windows_) tell(window, now, out);
  windows_.clear();
}

std::optional<base::LocalTime> LogRepeats::next_deadline() const {
  if (windows_.empty()) return std::nullopt;
  return windows_.front().begin + options_.window;
}

}  // namespace phoenix::ops
