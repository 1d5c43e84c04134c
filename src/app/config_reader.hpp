#pragma once

#include "model/fixed.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace YAML {
class Node;
}

namespace phoenix::app {

/// One thing wrong with a configuration file.
struct ConfigError {
  enum class Place : std::uint8_t { file, environment };
  int line = 0;  ///< from 1; 0 when the file as a whole is meant
  std::string key;
  std::string message;  ///< what is wrong and what would be right
  Place place = Place::file;
};
/// `FILE:LINE: KEY: MESSAGE`, one a line; `environment: NAME: MESSAGE` of a variable.
std::string describe(const std::string& file, const std::vector<ConfigError>& errors);

/// One map of a YAML file. Every read names the key, so that what was not read is an unknown key and an error
/// with the nearest known one; every fault is collected, none stops the reading.
class ConfigSection {
 public:
  ConfigSection(const YAML::Node& map, std::string path, std::vector<ConfigError>& errors);
  ~ConfigSection();
  ConfigSection(const ConfigSection&) = delete;
  ConfigSection& operator=(const ConfigSection&) = delete;

  bool has(std::string_view key) const;
  std::optional<std::string> text(const std::string& key);
  /// An integer within [min, max].
  std::optional<std::int64_t> integer(const std::string& key, std::int64_t min, std::int64_t max);
  /// An exact decimal within [min, max], both given as text.
  std::optional<model::Rate> decimal(const std::string& key, std::string_view min, std::string_view max);
  std::optional<bool> flag(const std::string& key);
  /// One of `words`.
  std::optional<std::string> choice(const std::string& key, const std::vector<std::string>& words);
  /// The items of a list of maps, read through `each`; empty when the key is missing. Where `shorthand` is
  /// given, an item may be a single value: that of this key.
  template <class Each>
  void list(const std::string& key, Each each, const std::string& shorthand = {});
  std::unique_ptr<ConfigSection> map(const std::string& key);

  /// Of a key, or of the map where the key is missing.
  int line_of(const std::string& key) const;
  /// A key that must be there.
  void require(const std::string& key, std::string_view what);
  /// A key that is known and refused.
  void refuse(const std::string& key, std::string_view why);
  void error(const std::string& key, std::string message);

  /// Reports the keys nobody asked for. Call it once, after the last read.
  void finish();

 private:
  struct Impl;
  std::vector<std::unique_ptr<ConfigSection>> items(const std::string& key, const std::string& shorthand);
  std::optional<std::string> scalar(const std::string& key);
  std::unique_ptr<Impl> impl_;
};

template <class Each>
void ConfigSection::list(const std::string& key, Each each, const std::string& shorthand) {
  for (auto& item : items(key, shorthand)) {
    each(*item);
    item->finish();
  }
}

}  // namespace phoenix::app
