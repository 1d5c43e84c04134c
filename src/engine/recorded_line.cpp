#include "engine/recorded_line.hpp"

#include <algorithm>
#include <charconv>

namespace phoenix::engine {
namespace {

constexpr std::int64_t ns_per_second = 1'000'000'000;
/// Integers below are microseconds, the rest nanoseconds: 9e15 us is the year 2255, 9e15 ns is April 1970.
constexpr std::int64_t us_below = 9'000'000'000'000'000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes the digits at the front of `text`; empty when there are none or too many.
std::optional<std::int64_t> take_integer(std::string_view& text) {
  std::int64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

/// Takes `seconds[.fraction]`. Digits beyond the nanosecond are cut off.
std::optional<base::LocalTime> take_seconds(std::string_view& text) {
  const auto seconds = take_integer(text);
  if (!seconds || *seconds > 9'000'000'000) return std::nullopt;
  std::int64_t ns = 0;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    for (std::int64_t unit = ns_per_second / 10; !text.empty() && is_digit(text.front()); unit /= 10) {
      ns += unit * (text.front() - '0');
      text.remove_prefix(1);
    }
  }
  return base::local_time_ns(*seconds * ns_per_second + ns);
}

bool is_json_start(std::string_view text) { return text.starts_with('{') || text.starts_with('['); }

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// `<seconds.fraction>: <json>`.
RecordedLine timed(LineKind kind, std::string_view address, std::string_view text) {
  const auto time = take_seconds(text);
  if (!time || !text.starts_with(": ")) return {.kind = LineKind::unreadable};
  text.remove_prefix(2);
  if (!is_json_start(text)) return {.kind = LineKind::unreadable};
  return {.kind = kind, .time = time, .address = address, .payload = text};
}

RecordedLine from_address(std::string_view text) {
  constexpr std::string_view connected = " <-> ", answered = " -> ";
  if (const auto at = text.find(connected); at != std::string_view::npos) {
    std::string_view rest = text.substr(at + connected.size());
    const auto time = take_seconds(rest);
    if (!time || !rest.empty()) return {.kind = LineKind::unreadable};
    return {.kind = LineKind::connection, .time = time, .address = text.substr(0, at)};
  }
  const auto at = text.find(answered);
  if (at == std::string_view::npos) return {.kind = LineKind::unreadable};
  return timed(LineKind::rest_answer, text.substr(0, at), text.substr(at + answered.size()));
}

RecordedLine from_time(std::string_view text) {
  std::string_view rest = text;
  const auto integer = take_integer(rest);
  if (!integer || !rest.starts_with(' ')) return timed(LineKind::frame, {}, text);
  rest.remove_prefix(1);
  if (!is_json_start(rest)) return {.kind = LineKind::unreadable};
  const std::int64_t ns = *integer < us_below ? *integer * 1'000 : *integer;
  return {.kind = LineKind::frame, .time = base::local_time_ns(ns), .payload = rest};
}

}  // namespace

RecordedLine parse_line(std::string_view text) {
  text = trim(text);
  if (text.empty()) return {.kind = LineKind::blank};
  if (is_json_start(text)) return {.kind = LineKind::frame, .payload = text};
  if (is_digit(text.front())) return from_time(text);
  for (const std::string_view scheme : {"wss://", "ws://", "https://", "http://"}) {
    if (text.starts_with(scheme)) return from_address(text);
  }
  for (const std::string_view mark : {"REQ ", "RSP ", "WS "}) {
    if (text.starts_with(mark)) return {.kind = LineKind::private_event, .payload = text.substr(mark.size())};
  }
  return {.kind = LineKind::unreadable};
}

std::string_view symbol_in_address(std::string_view address) {
  constexpr std::string_view key = "symbol=";
  const auto query = address.find('?');
  if (query == std::string_view::npos) return {};
  std::string_view members = address.substr(query + 1);
  while (!members.empty()) {
    const auto end = std::min(members.find('&'), members.size());
    if (members.starts_with(key)) return members.substr(key.size(), end - key.size());
    members.remove_prefix(std::min(end + 1, members.size()));
  }
  return {};
}

}  // namespace phoenix::engine
