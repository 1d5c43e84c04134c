#include "app/setting.hpp"

#include <charconv>
#include <cmath>

#include <nlohmann/json.hpp>

namespace phoenix::app {

std::string effective_json(const std::vector<EffectiveSetting>& settings) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& s : settings) list.push_back({{"name", s.name}, {"value", s.value}, {"source", s.source}});
  return list.dump();
}

namespace setting_kinds {

std::optional<std::int64_t> parse_whole(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<model::Rate> parse_decimal(const std::string& text, const std::string& min,
                                         const std::string& max) {
  const auto number = model::Rate::parse(text);
  if (!number || *number < model::Rate::of(min) || *number > model::Rate::of(max)) return std::nullopt;
  return *number;
}

std::string not_decimal(const std::string& min, const std::string& max, const std::string& text) {
  return fmt::format("must be a decimal number from {} to {} with at most 8 decimals, was '{}'", min, max,
                     text);
}

std::string decimal_text(double value) { return model::Rate::from_raw(std::llround(value * 1e8)).text(); }

}  // namespace setting_kinds
}  // namespace phoenix::app
