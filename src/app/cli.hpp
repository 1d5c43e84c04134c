#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

namespace phoenix::app {

/// What one would type, and what comes of it.
struct Example {
  std::string command;  ///< as in a shell, `phoenix` first; a pipe or a redirection may follow
  std::string what;
};

/// Where a command stands in lists.
enum class Section : std::uint8_t { trading, recording, research, operating, program };
std::string_view title(Section section);

/// What help, man page and documentation say of a command; its options are with CLI11.
struct CommandText {
  std::string name;
  std::string what;         ///< one line, small letter first, no full stop
  std::string description;  ///< whole sentences; paragraphs end with a line feed
  std::vector<Example> examples;
  std::string exit_codes;  ///< only what differs from the rule of every command; may be empty
};

/// One command of the program, or the program itself.
class Command {
 public:
  Command(CLI::App& options, CommandText text, Section section)
      : options_(options), text_(std::move(text)), section_(section) {}
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  /// A command of this section below this one. It stays where it is.
  Command& add(Section section, CommandText text);
  /// A command below this one, in the same section.
  Command& add(CommandText text) { return add(section_, std::move(text)); }
  /// What it does once the command line is read, and its exit code. Without it the command has others below.
  void runs(std::function<int()> action) { action_ = std::move(action); }
  /// Throws StartError when options do not go together; called before it runs.
  void checks(std::function<void()> check) { check_ = std::move(check); }

  CLI::App& options() const { return options_; }
  const CommandText& text() const { return text_; }
  Section section() const { return section_; }
  /// With those above it: "phoenix emergency cancel-all".
  std::string full_name() const;
  const std::vector<std::unique_ptr<Command>>& commands() const { return commands_; }
  /// Null when there is none of this name.
  const Command* find(std::string_view name) const;

 private:
  friend class CommandLine;
  CLI::App& options_;
  CommandText text_;
  Section section_;
  const Command* parent_ = nullptr;
  std::function<int()> action_;
  std::function<void()> check_;
  std::vector<std::unique_ptr<Command>> commands_;
};

/// All commands with all their options.
class CommandLine {
 public:
  CommandLine();
  /// Reads the words that follow the program's name and does what they say. Help and version go to stdout;
  /// what is wrong with the words goes to stderr and is 2. Throws StartError, and what a command throws.
  int run(std::vector<std::string> words);
  /// Only reads them. Empty, or what is wrong with them. Throws StartError when options do not go together.
  std::string trouble_with(std::vector<std::string> words);
  const Command& program() const { return program_; }

 private:
  const Command& chosen() const;
  std::string complaint(const std::vector<std::string>& words, const CLI::ParseError& fault) const;

  CLI::App app_;
  Command program_;
};

}  // namespace phoenix::app
