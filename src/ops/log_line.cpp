#include "ops/log_line.hpp"

#include "base/utf8.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace phoenix::ops {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

/// Bytes of "key=" that `text` begins with, the sign included; 0: it does not.
std::size_t key_size(std::string_view text) {
  if (text.empty() || !is_lower(text.front())) return 0;
  const auto end = std::find_if_not(text.begin(), text.end(),
                                    [](char c) { return is_lower(c) || is_digit(c) || c == '_'; });
  if (end == text.end() || *end != '=') return 0;
  return static_cast<std::size_t>(end - text.begin()) + 1;
}

/// Takes "[A][B] " from the front; "A.B".
std::string take_tag(std::string_view& rest) {
  std::string tag;
  while (rest.starts_with('[')) {
    const auto end = rest.find(']');
    if (end == std::string_view::npos || end == 1) break;
    tag.append(tag.empty() ? "" : ".").append(rest.substr(1, end - 1));
    rest.remove_prefix(end + 1);
  }
  if (!tag.empty() && rest.starts_with(' ')) rest.remove_prefix(1);
  return tag;
}

/// Up to the first key, or up to a colon that is followed by a space; the end of `text` else.
std::size_t event_size(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if ((at == 0 || text[at - 1] == ' ') && key_size(text.substr(at)) > 0) return at;
    if (text[at] == ':' && text.substr(at + 1).starts_with(' ')) return at;
  }
  return text.size();
}

std::string_view trimmed(std::string_view text) {
  while (text.ends_with(' ')) text.remove_suffix(1);
  while (text.starts_with(' ')) text.remove_prefix(1);
  return text;
}

bool is_symbol(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
  });
}

void add_text(LogLine& line, std::string_view words) {
  words = trimmed(words);
  if (words.empty()) return;
  line.text.append(line.text.empty() ? "" : " ").append(words);
}

void add_field(LogLine& line, LogField field, std::string_view as_written) {
  const bool given = std::any_of(line.fields.begin(), line.fields.end(),
                                 [&](const LogField& other) { return other.key == field.key; });
  given ? add_text(line, as_written) : line.fields.push_back(field);
}

void read_fields(LogLine& line, std::string_view rest) {
  while (!rest.empty()) {
    if (rest.front() == ' ') {
      rest.remove_prefix(1);
      continue;
    }
    const auto key = key_size(rest);
    if (key > 0 && rest.substr(key).starts_with('"')) {
      const auto last = rest.rfind('"');
      if (last > key) {
        add_field(line,
                  {rest.substr(0, key - 1), rest.substr(key + 1, last - key - 1), LogField::Form::quoted},
                  rest.substr(0, last + 1));
        rest.remove_prefix(last + 1);
        continue;
      }
    }
    const auto word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(word.size());
    if (key == 0) {
      add_text(line, word);
      continue;
    }
    auto value = word.substr(key);
    if (value.ends_with(',')) value.remove_suffix(1);
    add_field(line, {word.substr(0, key - 1), value}, word);
  }
}

bool is_json_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const auto dot = text.find('.');
  const auto whole = text.substr(0, dot);
  const auto all_digits = [](std::string_view part) {
    return !part.empty() && std::all_of(part.begin(), part.end(), is_digit);
  };
  if (!all_digits(whole) || (whole.size() > 1 && whole.front() == '0')) return false;
  const auto digits = text.size() - (dot == std::string_view::npos ? 0 : 1);
  constexpr std::size_t digits_max = 15;  // what a double keeps
  return digits <= digits_max && (dot == std::string_view::npos || all_digits(text.substr(dot + 1)));
}

/// The character's number; `character` is one whole UTF-8 character.
std::uint32_t code_point(std::string_view character) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(character[i]));
  };
  const std::size_t size = character.size();
  if (size == 1) return byte(0);
  std::uint32_t code = byte(0) & (0xffU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) code = code << 6U | (byte(i) & 0x3fU);
  return code;
}

bool misleads(std::uint32_t code) {
  const bool is_control = code < 0x20 || (code >= 0x7f && code <= 0x9f);
  const bool is_line_end = code == 0x2028 || code == 0x2029;
  const bool turns_text = code == 0x061c || code == 0x200e || code == 0x200f ||
                          (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  return is_control || is_line_end || turns_text;
}

/// Appends `text` to `out`, each character or stray byte by `put`.
template <class Put>
void each_character(std::string_view text, Put put) {
  while (!text.empty()) {
    const auto size = base::utf8_character_size(text);
    if (size == 0) {
      put(text.substr(0, 1), std::nullopt);
      text.remove_prefix(1);
    } else {
      put(text.substr(0, size), std::optional{code_point(text.substr(0, size))});
      text.remove_prefix(size);
    }
  }
}

void put_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

void put_member(std::string& out, std::string_view key, std::string_view value) {
  put_string(out.append(","), key);
  put_string(out.append(":"), value);
}

/// The schema has this key already; then a line's own begins with an underscore, which no key does.
bool is_taken(std::string_view key) {
  constexpr std::array<std::string_view, 5> schema{"ts", "level", "tag", "event", "text"};
  return std::find(schema.begin(), schema.end(), key) != schema.end();
}

}  // namespace

std::string_view name(LogLevel level) {
  constexpr std::array<std::string_view, 4> names{"debug", "info", "warning", "error"};
  return names[static_cast<std::size_t>(level)];
}

std::string_view LogLine::value(std::string_view key) const {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const LogField& field) { return field.key == key; });
  return found == fields.end() ? std::string_view{} : found->value;
}

LogLine parse_log_line(std::string_view line) {
  LogLine parsed;
  std::string_view rest = line;
  parsed.tag = take_tag(rest);
  const auto size = event_size(rest);
  parsed.event = trimmed(rest.substr(0, size));
  rest.remove_prefix(size);
  if (rest.starts_with(':')) {
    if (!parsed.tag.empty() && is_symbol(parsed.event))
      parsed.fields.push_back({"symbol", std::exchange(parsed.event, {})});
    add_text(parsed, rest.substr(1));
  } else {
    read_fields(parsed, rest);
  }
  if (parsed.event.size() > LogLine::event_bytes_max) {
    std::string words{parsed.event};
    parsed.text = parsed.text.empty() ? std::move(words) : words + " " + parsed.text;
    parsed.event = {};
  }
  return parsed;
}

std::string printable_log_text(std::string_view text) {
  std::string out;
  const auto shown = text.substr(0, log_text_bytes_max);
  out.reserve(shown.size());
  each_character(shown, [&](std::string_view character, std::optional<std::uint32_t> code) {
    const auto to = std::back_inserter(out);
    if (!code) {
      fmt::format_to(to, "\\x{:02x}", static_cast<unsigned char>(character.front()));
    } else if (!misleads(*code)) {
      out += character;
    } else if (*code == '\n' || *code == '\r' || *code == '\t') {
      out.append("\\").append(1, *code == '\n' ? 'n' : *code == '\r' ? 'r' : 't');
    } else if (*code < 0x80) {
      fmt::format_to(to, "\\x{:02x}", *code);
    } else {
      fmt::format_to(to, "\\u{:04x}", *code);
    }
  });
  if (shown.size() < text.size()) {
    // What was quoted stays so, or its words could be taken for keys.
    if (shown.find("=\"") != std::string_view::npos) out += '"';
    fmt::format_to(std::back_inserter(out), " ... {} bytes more", text.size() - shown.size());
  }
  return out;
}

std::string json_log_line(std::string_view time, LogLevel level, std::string_view line) {
  const auto parsed = parse_log_line(line);
  std::string out = "{\"ts\":";
  put_string(out, time);
  put_member(out, "level", name(level));
  if (!parsed.tag.empty() && !parsed.event.empty()) put_member(out, "tag", parsed.tag);
  put_member(
      out, "event",
      parsed.event.empty() ? (parsed.tag.empty() ? "note" : std::string_view{parsed.tag}) : parsed.event);
  for (const auto& field : parsed.fields) {
    const auto key = (is_taken(field.key) ? "_" : "") + std::string{field.key};
    const bool bare = field.form == LogField::Form::bare;
    if (bare && (is_json_number(field.value) || field.value == "true" || field.value == "false")) {
      put_string(out.append(","), key);
      out.append(":").append(field.value);
    } else {
      put_member(out, key, field.value);
    }
  }
  if (!parsed.text.empty()) put_member(out, "text", parsed.text);
  out += '}';
  return out;
}

}  // namespace phoenix::ops
