#include "exchange/request_text.hpp"

#include <algorithm>
#include <charconv>

namespace phoenix::exchange {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

TargetParts split_target(std::string_view target) {
  const auto mark = target.find('?');
  if (mark == std::string_view::npos) return {target, {}};
  return {target.substr(0, mark), target.substr(mark + 1)};
}

std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
               hex_digit(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    if (end > 0) pieces.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return pieces;
}

void Params::add_form(std::string_view text) {
  for (const auto pair : split(text, '&')) {
    if (items_.size() >= count_max) return;
    const auto equals = std::min(pair.find('='), pair.size());
    std::string name = percent_decode(pair.substr(0, equals));
    if (name.empty() || has(name)) continue;
    items_.emplace_back(std::move(name),
                        equals < pair.size() ? percent_decode(pair.substr(equals + 1)) : std::string{});
  }
}

void Params::set(std::string name, std::string value) {
  erase(name);
  items_.emplace_back(std::move(name), std::move(value));
}

void Params::erase(std::string_view name) {
  std::erase_if(items_, [&](const auto& item) { return item.first == name; });
}

const std::string* Params::find(std::string_view name) const {
  for (const auto& item : items_) {
    if (item.first == name) return &item.second;
  }
  return nullptr;
}

std::string_view Params::text(std::string_view name) const {
  const auto* value = find(name);
  return value == nullptr ? std::string_view{} : std::string_view{*value};
}

std::optional<std::int64_t> Params::integer(std::string_view name) const {
  const auto* value = find(name);
  return value == nullptr ? std::nullopt : parse_integer(*value);
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

SignedForm without_signature(std::string_view form) {
  constexpr std::string_view name = "signature=";
  std::size_t at = 0;
  while (at < form.size()) {
    const auto end = std::min(form.find('&', at), form.size());
    if (form.substr(at, end - at).starts_with(name)) {
      SignedForm out;
      out.signature = percent_decode(form.substr(at + name.size(), end - at - name.size()));
      const bool first = at == 0;
      out.payload = std::string{form.substr(0, first ? 0 : at - 1)};
      out.payload += form.substr(first ? std::min(end + 1, form.size()) : end);
      return out;
    }
    at = end + 1;
  }
  return {std::string{form}, std::nullopt};
}

}  // namespace phoenix::exchange
