#include "app/config_reader.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

namespace phoenix::app {
namespace {

int line_of_node(const YAML::Node& node) { return node.Mark().line + 1; }

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string describe(const std::string& file, const std::vector<ConfigError>& errors) {
  std::string text;
  for (const auto& e : errors) {
    if (e.place == ConfigError::Place::environment) {
      text += "environment: ";
    } else if (e.line > 0) {
      text += fmt::format("{}:{}: ", file, e.line);
    } else {
      text += file + ": ";
    }
    if (!e.key.empty()) text += e.key + ": ";
    text += e.message + "\n";
  }
  return text;
}

struct ConfigSection::Impl {
  std::string path;
  std::vector<ConfigError>& errors;
  int line = 0;
  std::map<std::string, YAML::Node> values;
  std::map<std::string, int> lines;
  std::set<std::string> asked;
};

ConfigSection::ConfigSection(const YAML::Node& map, std::string path, std::vector<ConfigError>& errors)
    : impl_(std::make_unique<Impl>(Impl{std::move(path), errors, line_of_node(map), {}, {}, {}})) {
  if (!map.IsMap()) {
    if (!map.IsNull()) {
      errors.push_back({impl_->line, impl_->path, "must be a map of keys and values"});
    }
    return;
  }
  for (const auto& entry : map) {
    const auto key = entry.first.as<std::string>();
    const int line = line_of_node(entry.first);
    if (impl_->values.contains(key)) {
      errors.push_back(
          {line, impl_->path + key, fmt::format("is given twice, first in line {}", impl_->lines[key])});
      continue;
    }
    impl_->values.emplace(key, entry.second);
    impl_->lines.emplace(key, line);
  }
}

ConfigSection::~ConfigSection() = default;

bool ConfigSection::has(std::string_view key) const { return impl_->values.contains(std::string{key}); }

int ConfigSection::line_of(const std::string& key) const {
  const auto it = impl_->lines.find(key);
  return it == impl_->lines.end() ? impl_->line : it->second;
}

void ConfigSection::error(const std::string& key, std::string message) {
  impl_->errors.push_back({line_of(key), impl_->path + key, std::move(message)});
}

std::optional<std::string> ConfigSection::scalar(const std::string& key) {
  impl_->asked.insert(key);
  const auto it = impl_->values.find(key);
  if (it == impl_->values.end()) return std::nullopt;
  if (!it->second.IsScalar()) {
    error(key, "must be a single value");
    return std::nullopt;
  }
  auto text = it->second.Scalar();
  if (text.find("${") != std::string::npos) {
    error(key, "placeholders are not expanded; write the value itself");
    return std::nullopt;
  }
  return text;
}

std::optional<std::string> ConfigSection::text(const std::string& key) {
  auto value = scalar(key);
  if (value && value->empty()) {
    error(key, "must not be empty");
    return std::nullopt;
  }
  return value;
}

std::optional<std::int64_t> ConfigSection::integer(const std::string& key, std::int64_t min,
                                                   std::int64_t max) {
  const auto value = scalar(key);
  if (!value) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, fault] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (fault != std::errc{} || end != value->data() + value->size() || number < min || number > max) {
    error(key, fmt::format("must be a whole number from {} to {}, was '{}'", min, max, *value));
    return std::nullopt;
  }
  return number;
}

std::optional<model::Rate> ConfigSection::decimal(const std::string& key, std::string_view min,
                                                  std::string_view max) {
  const auto value = scalar(key);
  if (!value) return std::nullopt;
  const auto number = model::Rate::parse(*value);
  if (!number || *number < model::Rate::of(min) || *number > model::Rate::of(max)) {
    error(key, fmt::format("must be a decimal number from {} to {} with at most 8 decimals, was '{}'", min,
                           max, *value));
    return std::nullopt;
  }
  return *number;
}

std::optional<bool> ConfigSection::flag(const std::string& key) {
  const auto value = scalar(key);
  if (!value) return std::nullopt;
  if (*value == "true") return true;
  if (*value == "false") return false;
  error(key, fmt::format("must be true or false, was '{}'", *value));
  return std::nullopt;
}

std::optional<std::string> ConfigSection::choice(const std::string& key,
                                                 const std::vector<std::string>& words) {
  auto value = scalar(key);
  if (!value) return std::nullopt;
  if (std::find(words.begin(), words.end(), *value) == words.end()) {
    error(key, fmt::format("must be one of {}, was '{}'", fmt::join(words, ", "), *value));
    return std::nullopt;
  }
  return value;
}

std::vector<std::unique_ptr<ConfigSection>> ConfigSection::items(const std::string& key,
                                                                 const std::string& shorthand) {
  impl_->asked.insert(key);
  std::vector<std::unique_ptr<ConfigSection>> sections;
  const auto it = impl_->values.find(key);
  if (it == impl_->values.end()) return sections;
  if (!it->second.IsSequence()) {
    error(key, "must be a list, each item starting with '- '");
    return sections;
  }
  int index = 0;
  for (const auto& item : it->second) {
    auto path = fmt::format("{}{}[{}].", impl_->path, key, index++);
    if (item.IsScalar() && !shorthand.empty()) {
      sections.push_back(std::make_unique<ConfigSection>(YAML::Node{}, std::move(path), impl_->errors));
      auto& section = *sections.back()->impl_;
      section.line = line_of_node(item);
      section.values.emplace(shorthand, item);
      section.lines.emplace(shorthand, section.line);
    } else {
      sections.push_back(std::make_unique<ConfigSection>(item, std::move(path), impl_->errors));
    }
  }
  return sections;
}

std::unique_ptr<ConfigSection> ConfigSection::map(const std::string& key) {
  impl_->asked.insert(key);
  const auto it = impl_->values.find(key);
  const YAML::Node node = it == impl_->values.end() ? YAML::Node{} : it->second;
  return std::make_unique<ConfigSection>(node, impl_->path + key + ".", impl_->errors);
}

void ConfigSection::require(const std::string& key, std::string_view what) {
  impl_->asked.insert(key);
  if (!impl_->values.contains(key)) error(key, fmt::format("is missing: {}", what));
}

void ConfigSection::refuse(const std::string& key, std::string_view why) {
  impl_->asked.insert(key);
  if (impl_->values.contains(key)) error(key, std::string{why});
}

void ConfigSection::finish() {
  for (const auto& [key, value] : impl_->values) {
    if (impl_->asked.contains(key)) continue;
    std::string message = "is not a known key";
    std::size_t best = 3;
    std::string nearest;
    for (const auto& known : impl_->asked) {
      const std::size_t distance = edit_distance(key, known);
      if (distance <= best && distance < known.size()) {
        best = distance;
        nearest = known;
      }
    }
    if (!nearest.empty()) message += fmt::format("; did you mean '{}'?", nearest);
    error(key, message);
  }
}

}  // namespace phoenix::app
