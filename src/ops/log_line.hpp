#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What a line of the log is made of. Whoever has something to say writes it once, for people:
///
///     [TAG] what happened key=value key=value key="quoted text"
///
/// and the schema of the JSON form follows from that. A line has at most one quoted value, the last of its
/// values: it ends at the last quote of the line, so that no text from outside can end it early and go on
/// with keys of its own.
namespace phoenix::ops {

enum class LogLevel : std::uint8_t { debug, info, warning, error };
std::string_view name(LogLevel level);

/// One key=value. Views into the line.
struct LogField {
  std::string_view key;
  std::string_view value;
  enum class Form : std::uint8_t { bare, quoted } form = Form::bare;
  friend bool operator==(const LogField&, const LogField&) = default;
};

/// The parts of a line; any text has them.
struct LogLine {
  std::string tag;         ///< of "[HEALTH][TRADE] ": HEALTH.TRADE; empty: none
  std::string_view event;  ///< the words before the first key or colon; may be empty where there is a tag
  std::vector<LogField> fields;  ///< in their order, each key once
  std::string text;              ///< whatever is neither, joined by spaces
  static constexpr std::size_t event_bytes_max = 120;

  /// Empty: no such key.
  std::string_view value(std::string_view key) const;
};
LogLine parse_log_line(std::string_view line);
template <std::same_as<std::string> S>
LogLine parse_log_line(S&&) = delete;  // the parts would outlive their text

/// `text` with everything a terminal or a reader of lines could be misled by written as \n, \x1b or \u0085:
/// control characters, what changes the direction of text, and bytes that are not UTF-8. Beyond
/// log_text_bytes_max it is cut, and says so.
std::string printable_log_text(std::string_view text);
inline constexpr std::size_t log_text_bytes_max = 8'192;

/// A printable line as one JSON object without a line end: ts, level, tag, event, the fields, text. A bare
/// value that is a number of at most 15 digits is a number; true and false are what they say; all else is a
/// string. `time`: RFC 3339.
std::string json_log_line(std::string_view time, LogLevel level, std::string_view line);

}  // namespace phoenix::ops
