#pragma once

#include "app/backtest.hpp"
#include "app/duration_text.hpp"
#include "base/time.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

/// Options of the kinds that commands have, so that each kind reads, refuses and is described in one way.
///
/// The name of an option's value says what shells complete: FILE and DIRECTORY are paths, and words with `|`
/// between are the choices.
namespace phoenix::app {

/// Refuses a value. Nothing returns from it.
[[noreturn]] void refuse(const std::string& option, const std::string& why);

/// Sets `to` to `value` when the option is given.
template <class To>
CLI::Option& add_switch(CLI::App& options, const std::string& name, To& to, To value,
                        const std::string& help) {
  return *options.add_flag_callback(name, [&to, value] { to = value; }, help);
}

/// A path, or several. `value` is FILE, DIRECTORY or PREFIX.
template <class To>
CLI::Option& add_path(CLI::App& options, const std::string& name, To& to, const std::string& value,
                      const std::string& help) {
  return *options.add_option(name, to, help)->type_name(value);
}
/// The configuration file that a command cannot do without.
CLI::Option& add_config(CLI::App& options, std::filesystem::path& to);

/// A duration such as 60s; `instead` says what holds without the option.
CLI::Option& add_duration(CLI::App& options, const std::string& name, std::optional<base::Duration>& to,
                          const std::string& instead, const std::string& help);
/// The same with a default, which `to` has already.
CLI::Option& add_duration(CLI::App& options, const std::string& name, base::Duration& to,
                          const std::string& help);

/// An instant such as 2026-01-31T12:00, in UTC.
CLI::Option& add_time(CLI::App& options, const std::string& name, std::optional<base::VenueTime>& to,
                      const std::string& instead, const std::string& help);

/// A number within bounds; what `to` holds is the default.
template <class To>
CLI::Option& add_number(CLI::App& options, const std::string& name, To& to, To least, To most,
                        const std::string& value, const std::string& help) {
  return *options
              .add_option_function<To>(
                  name,
                  [&to, least, most, name](const To& number) {
                    if (!(number >= least && number <= most))
                      refuse(name, fmt::format("must be {} to {}", least, most));
                    to = number;
                  },
                  fmt::format("{}, {} to {}", help, least, most))
              ->type_name(value)
              ->default_str(fmt::format("{}", to));
}

/// An exact decimal within bounds.
template <class To, class Assign>
CLI::Option& add_decimal(CLI::App& options, const std::string& name, Assign assign, std::string_view least,
                         std::string_view most, const std::string& instead, const std::string& help) {
  return *options
              .add_option_function<std::string>(
                  name,
                  [assign, name, low = To::of(least), high = To::of(most)](const std::string& text) {
                    const auto value = To::parse(text);
                    if (!value || *value < low || *value > high)
                      refuse(name, fmt::format("'{}' is no number within {} and {}", text, low.text(),
                                               high.text()));
                    assign(*value);
                  },
                  fmt::format("{}, {} to {}", help, least, most))
              ->type_name("NUMBER")
              ->default_str(instead);
}

template <class To>
using Choices = std::vector<std::pair<std::string, To>>;
/// One of some words.
template <class To, class Assign>
CLI::Option& add_choice(CLI::App& options, const std::string& name, const Choices<To>& choices, Assign assign,
                        const std::string& instead, const std::string& help) {
  std::string words;
  for (const auto& [word, meaning] : choices) words += (words.empty() ? "" : "|") + word;
  return *options
              .add_option_function<std::string>(
                  name,
                  [choices, assign, name, words](const std::string& text) {
                    for (const auto& [word, meaning] : choices)
                      if (word == text) return assign(meaning);
                    refuse(name, fmt::format("'{}' is none of {}", text, words));
                  },
                  help)
              ->type_name(words)
              ->default_str(instead);
}

/// What a modelled account is told.
template <class Settings>
void add_account_options(CLI::App& options, Settings& settings) {
  add_choice<exchange::ExternalQueue>(
      options, "--queue",
      {{"conservative", exchange::ExternalQueue::from_behind},
       {"proportional", exchange::ExternalQueue::proportional}},
      [&settings](exchange::ExternalQueue queue) { settings.queue = queue; }, "conservative",
      "who leaves a level that shrinks: those behind us, or everybody by their share");
  add_decimal<model::Rate>(
      options, "--maker-fee", [&settings](model::Rate rate) { settings.maker_fee = rate; }, "-0.1", "0.1",
      "the venue's first tier", "of what is filled, as a ratio");
  add_decimal<model::Rate>(
      options, "--taker-fee", [&settings](model::Rate rate) { settings.taker_fee = rate; }, "-0.1", "0.1",
      "the venue's first tier", "of what is filled, as a ratio");
  add_decimal<model::Money>(
      options, "--wallet", [&settings](model::Money wallet) { settings.wallet = wallet; }, "0", "1000000000",
      "10000", "of each quote asset at the start");
}

}  // namespace phoenix::app
