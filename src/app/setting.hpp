#pragma once

#include "app/config_reader.hpp"
#include "app/purpose.hpp"
#include "base/time.hpp"
#include "engine/options.hpp"
#include "model/fixed.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace phoenix::app {

using engine::Switch;

/// One setting of a `Target`: how it is called, what it may be, and where it goes. Whatever gives a value,
/// file or environment, it is read by the same `set`.
template <class Target>
struct Setting {
  std::string key;
  std::string variable;  ///< of the environment; empty: none
  std::string range;
  std::function<std::string(const Target&)> text;
  std::function<std::string(Target&, const std::string&)> set;  ///< what is wrong; empty when nothing is
  std::string need{};  ///< what it is, where there is no default and trading cannot do without; else empty
};

/// What the documentation says of one setting.
struct SettingText {
  std::string key;
  std::string variable;  ///< empty: none
  std::string standard;
  std::string range;
};

/// One setting in force, for people and for a run's manifest.
struct EffectiveSetting {
  enum class Origin : std::uint8_t { standard, file, environment };
  std::string
      name;  ///< for example rotate_s, signals.cvd.winsor, BTCUSDT.signals.cvd.winsor, ETHUSDC.net_max
  std::string value;
  Origin origin = Origin::standard;
  std::string source;  ///< "default", "FILE:LINE" or "environment NAME"
};
/// JSON list of objects with name, value and source.
std::string effective_json(const std::vector<EffectiveSetting>& settings);

/// Kinds of settings, each made from the member it goes to.
namespace setting_kinds {

inline constexpr base::Duration ms = base::milliseconds{1}, second = base::seconds{1},
                                minute = base::minutes{1};

std::optional<std::int64_t> parse_whole(const std::string& text);
std::optional<model::Rate> parse_decimal(const std::string& text, const std::string& min,
                                         const std::string& max);
std::string not_decimal(const std::string& min, const std::string& max, const std::string& text);
/// Rounded to 8 decimals.
std::string decimal_text(double value);

/// `setting` has no default: `what` is what it is, for who forgot it.
template <class Target>
Setting<Target> needed(std::string what, Setting<Target> setting) {
  setting.need = std::move(what);
  return setting;
}

/// A whole number of `unit`s.
template <class Target, class Number>
Setting<Target> whole(std::string key, std::string variable, std::int64_t min, std::int64_t max,
                      Number Target::* member, Number unit = Number{1}) {
  const auto range = fmt::format("{} to {}", min, max);
  return {std::move(key), std::move(variable), range,
          [=](const Target& t) { return fmt::format("{}", t.*member / unit); },
          [=](Target& t, const std::string& text) -> std::string {
            const auto number = parse_whole(text);
            if (!number || *number < min || *number > max)
              return fmt::format("must be a whole number from {} to {}, was '{}'", min, max, text);
            t.*member = static_cast<Number>(*number) * unit;
            return {};
          }};
}

/// A whole number that may be left open.
template <class Target>
Setting<Target> maybe_whole(std::string key, std::int64_t min, std::int64_t max,
                            std::optional<int> Target::* member) {
  const auto range = fmt::format("{} to {}", min, max);
  return {std::move(key), "", range,
          [=](const Target& t) { return t.*member ? fmt::format("{}", *(t.*member)) : std::string{}; },
          [=](Target& t, const std::string& text) -> std::string {
            const auto number = parse_whole(text);
            if (!number || *number < min || *number > max)
              return fmt::format("must be a whole number from {} to {}, was '{}'", min, max, text);
            t.*member = static_cast<int>(*number);
            return {};
          }};
}

/// A whole number of `unit`s of time.
template <class Target>
Setting<Target> span(std::string key, std::string variable, std::int64_t min, std::int64_t max,
                     base::Duration Target::* member, base::Duration unit) {
  const auto range = fmt::format("{} to {}", min, max);
  return {std::move(key), std::move(variable), range,
          [=](const Target& t) { return fmt::format("{}", t.*member / unit); },
          [=](Target& t, const std::string& text) -> std::string {
            const auto number = parse_whole(text);
            if (!number || *number < min || *number > max)
              return fmt::format("must be a whole number from {} to {}, was '{}'", min, max, text);
            t.*member = *number * unit;
            return {};
          }};
}

/// A number that its model computes with as a double.
template <class Target>
Setting<Target> decimal(std::string key, std::string variable, const std::string& min, const std::string& max,
                        double Target::* member) {
  return {std::move(key), std::move(variable), fmt::format("{} to {}", min, max),
          [=](const Target& t) { return decimal_text(t.*member); },
          [=](Target& t, const std::string& text) -> std::string {
            const auto number = parse_decimal(text, min, max);
            if (!number) return not_decimal(min, max, text);
            t.*member = number->to_double();
            return {};
          }};
}

/// What is kept where a value may be left open.
template <class Value>
struct Kept {
  using Type = Value;
};
template <class Value>
struct Kept<std::optional<Value>> {
  using Type = Value;
};

/// A price, quantity, amount or rate, exactly. Where it is optional it may be left open.
template <class Target, class Value>
Setting<Target> exact(std::string key, const std::string& min, const std::string& max,
                      Value Target::* member) {
  using Scaled = typename Kept<Value>::Type;
  return {std::move(key), "", fmt::format("{} to {}", min, max),
          [=](const Target& t) {
            if constexpr (std::is_same_v<Value, Scaled>) {
              return (t.*member).text();
            } else {
              return t.*member ? (t.*member)->text() : std::string{};
            }
          },
          [=](Target& t, const std::string& text) -> std::string {
            const auto number = parse_decimal(text, min, max);
            if (!number) return not_decimal(min, max, text);
            t.*member = Scaled::from_raw(number->raw());
            return {};
          }};
}

template <class Target, class Value>
Setting<Target> word(std::string key, std::string variable, std::vector<std::pair<std::string, Value>> words,
                     Value Target::* member) {
  std::vector<std::string> names;
  for (const auto& [name, value] : words) names.push_back(name);
  const auto range = fmt::format("{}", fmt::join(names, ", "));
  return {std::move(key), std::move(variable), range,
          [=](const Target& t) {
            const auto found = std::find_if(words.begin(), words.end(),
                                            [&](const auto& w) { return w.second == t.*member; });
            return found == words.end() ? std::string{} : found->first;
          },
          [=](Target& t, const std::string& text) -> std::string {
            const auto found =
                std::find_if(words.begin(), words.end(), [&](const auto& w) { return w.first == text; });
            if (found == words.end()) return fmt::format("must be one of {}, was '{}'", range, text);
            t.*member = found->second;
            return {};
          }};
}

template <class Target>
Setting<Target> flag(std::string key, Switch Target::* member) {
  return word<Target, Switch>(std::move(key), "", {{"true", Switch::on}, {"false", Switch::off}}, member);
}

template <class Target, class Text>
Setting<Target> words_of(std::string key, std::string variable, Text Target::* member) {
  return {std::move(key), std::move(variable), "text",
          [=](const Target& t) { return std::string{t.*member}; },
          [=](Target& t, const std::string& text) -> std::string {
            t.*member = text;
            return {};
          }};
}

/// A setting of a part is one of the whole, under a longer key.
template <class Target, class Part>
void add_part(std::vector<Setting<Target>>& settings, const std::string& prefix, Part Target::* part,
              std::vector<Setting<Part>> of_part) {
  for (auto& s : of_part) {
    settings.push_back(
        {prefix + s.key, std::move(s.variable), std::move(s.range),
         [text = std::move(s.text), part](const Target& t) { return text(t.*part); },
         [set = std::move(s.set), part](Target& t, const std::string& value) { return set(t.*part, value); },
         std::move(s.need)});
  }
}

}  // namespace setting_kinds

template <class Target>
std::vector<SettingText> texts(const std::vector<Setting<Target>>& settings) {
  std::vector<SettingText> out;
  for (const auto& s : settings) {
    auto standard = s.need.empty() ? s.text(Target{}) : "required";
    out.push_back({s.key, s.variable, standard.empty() ? "none" : std::move(standard), s.range});
  }
  return out;
}

/// Reads all of `settings` that `section` gives. What trading cannot do without, recording can.
template <class Target>
void read_settings(ConfigSection& section, Purpose purpose, const std::vector<Setting<Target>>& settings,
                   Target& target) {
  for (const auto& setting : settings) {
    if (purpose == Purpose::run && !setting.need.empty()) section.require(setting.key, setting.need);
    const auto value = section.text(setting.key);
    if (!value) continue;
    if (auto wrong = setting.set(target, *value); !wrong.empty())
      section.error(setting.key, std::move(wrong));
  }
}

/// Each of `settings` with its value in `target` and where `section` of `file` gives it, under
/// PREFIX + key.
template <class Target>
void list_effective(const ConfigSection& section, std::string_view file, const std::string& prefix,
                    const std::vector<Setting<Target>>& settings, const Target& target,
                    std::vector<EffectiveSetting>& out) {
  using Origin = EffectiveSetting::Origin;
  for (const auto& setting : settings) {
    auto value = setting.text(target);
    const bool given = section.has(setting.key);
    out.push_back({prefix + setting.key, value.empty() ? "none" : std::move(value),
                   given ? Origin::file : Origin::standard,
                   given ? fmt::format("{}:{}", file, section.line_of(setting.key)) : "default"});
  }
}

}  // namespace phoenix::app
