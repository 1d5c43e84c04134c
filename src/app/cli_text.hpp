#pragma once

#include "app/cli.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What is said of commands and options, in one place for help, man page, documentation and completions.
namespace phoenix::app {

/// What a shell offers for an option's value.
enum class Completes : std::uint8_t { nothing, files, directories, words };

struct OptionText {
  std::vector<std::string> names;  ///< "-c", "--config"; none of one that has only its place
  std::string value;               ///< "FILE"; empty: a flag
  std::string meaning;             ///< with its default, and with what it goes together
  bool is_positional = false;
  bool is_required = false;
  bool is_repeatable = false;
  Completes completes = Completes::nothing;
  std::vector<std::string> words;  ///< the choices

  /// "-c, --config FILE"
  std::string heading() const;
};
/// Places first, then in the order in which they were added; help last.
std::vector<OptionText> option_texts(const Command& command);

/// "phoenix query [OPTIONS] [DIRECTORY] [SQL]"
std::string usage_text(const Command& command);
/// Of every command: what its own text says, or the rule.
std::string exit_codes_text(const Command& command);

/// The sections in the order of lists.
const std::vector<Section>& sections();

/// Lines of at most `width` characters, each but the first behind `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width);

/// What --help prints.
std::string help_text(const Command& command, std::size_t width);

}  // namespace phoenix::app
