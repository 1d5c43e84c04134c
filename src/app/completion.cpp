#include "app/completion.hpp"

#include "app/cli_text.hpp"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

namespace phoenix::app {
namespace {

void visit(const Command& command, const std::function<void(const Command&)>& take) {
  take(command);
  for (const auto& below : command.commands()) visit(*below, take);
}

/// The full names of all commands below the program.
std::vector<std::string> full_names(const Command& program) {
  std::vector<std::string> names;
  visit(program, [&](const Command& command) {
    if (&command != &program) names.push_back(command.full_name());
  });
  return names;
}

/// What a place of the command takes; the first that completes anything.
Completes completed_by_place(const std::vector<OptionText>& options) {
  for (const auto& option : options) {
    if (option.is_positional && option.completes != Completes::nothing) return option.completes;
  }
  return Completes::nothing;
}

/// In single quotes, for every shell here.
std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

// ---- bash

std::string bash_value_case(const Command& command, const OptionText& option) {
  std::vector<std::string> patterns;
  for (const auto& name : option.names)
    patterns.push_back(fmt::format("\"{} {}\"", command.full_name(), name));
  std::string action = ":";
  if (option.completes == Completes::files) action = "kind=file";
  if (option.completes == Completes::directories) action = "kind=directory";
  if (option.completes == Completes::words) action = fmt::format("words='{}'", fmt::join(option.words, " "));
  return fmt::format("    {}) {} ;;\n", fmt::join(patterns, " | "), action);
}

std::string bash_completion(const Command& program) {
  std::vector<std::string> known;
  for (const auto& name : full_names(program)) known.push_back(fmt::format("\"{}\"", name));
  std::string values, commands;
  visit(program, [&](const Command& command) {
    const auto options = option_texts(command);
    std::vector<std::string> words, names;
    for (const auto& below : command.commands()) words.push_back(below->text().name);
    for (const auto& option : options) {
      names.insert(names.end(), option.names.begin(), option.names.end());
      if (option.is_positional) words.insert(words.end(), option.words.begin(), option.words.end());
      if (!option.value.empty() && !option.names.empty()) values += bash_value_case(command, option);
    }
    const auto place = completed_by_place(options);
    commands += fmt::format("    \"{}\") words='{}' options='{}' kind={} ;;\n", command.full_name(),
                            fmt::join(words, " "), fmt::join(names, " "),
                            place == Completes::files         ? "file"
                            : place == Completes::directories ? "directory"
                                                              : "");
  });
  std::string out = R"(# What the Tab key offers for phoenix in bash.
_phoenix() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local command=phoenix words= options= kind= i
  # bash makes three words of --option=value.
  if [[ $word == = ]]; then
    word=
  elif [[ $before == = ]]; then
    before=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command ${COMP_WORDS[i]}" in
    @KNOWN@) command+=" ${COMP_WORDS[i]}" ;;
    esac
  done
  case "$command $before" in
@VALUES@    *)
      case "$command" in
@COMMANDS@      esac
      [[ $word == -* || -z $words$kind ]] && words=$options kind=
      ;;
  esac
  COMPREPLY=()
  if [[ -n $kind ]]; then
    mapfile -t COMPREPLY < <(compgen -A "$kind" -- "$word")
    compopt -o filenames 2>/dev/null
  else
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  fi
}
complete -F _phoenix phoenix
)";
  const auto put = [&out](std::string_view mark, const std::string& text) {
    out.replace(out.find(mark), mark.size(), text);
  };
  put("@KNOWN@", fmt::format("{}", fmt::join(known, " | ")));
  put("@VALUES@", values);
  put("@COMMANDS@", commands);
  return out;
}

// ---- zsh

std::string zsh_function(const Command& command) {
  auto name = "_" + command.full_name();
  std::ranges::replace(name, ' ', '_');
  return name;
}

/// Within the brackets or between the colons of a specification.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_action(const OptionText& option) {
  switch (option.completes) {
    case Completes::files:
      return "_files";
    case Completes::directories:
      return "_files -/";
    case Completes::words:
      return fmt::format("({})", fmt::join(option.words, " "));
    case Completes::nothing:
      break;
  }
  return " ";
}

std::string zsh_specification(const OptionText& option) {
  const auto value = option.value.empty() ? "" : ":" + zsh_text(option.value) + ":" + zsh_action(option);
  if (option.names.empty())
    return in_quotes((option.is_repeatable ? "*" : option.is_required ? "" : ":") + value);
  const auto meaning = "[" + zsh_text(option.meaning) + "]" + value;
  if (option.is_repeatable) return in_quotes("*" + option.names.back() + meaning);
  if (option.names.size() == 1) return in_quotes(option.names.front() + meaning);
  return fmt::format("{}{{{}}}{}", in_quotes(fmt::format("({})", fmt::join(option.names, " "))),
                     fmt::join(option.names, ","), in_quotes(meaning));
}

std::string zsh_completion(const Command& program) {
  std::string out = "#compdef phoenix\n# What the Tab key offers for phoenix in zsh.\n";
  visit(program, [&](const Command& command) {
    out += fmt::format("\n{}() {{\n", zsh_function(command));
    std::string specifications;
    for (const auto& option : option_texts(command))
      specifications += " \\\n    " + zsh_specification(option);
    if (command.commands().empty()) {
      out += "  _arguments" + specifications + "\n}\n";
      return;
    }
    std::string choices, cases;
    for (const auto& below : command.commands()) {
      choices +=
          fmt::format("      {}\n", in_quotes(zsh_text(below->text().name) + ":" + below->text().what));
      cases += fmt::format("      {}) {} ;;\n", below->text().name, zsh_function(*below));
    }
    out += "  local context state line\n  typeset -A opt_args\n  local -a commands\n  _arguments -C" +
           specifications +
           " \\\n    '1:command:->command' \\\n    '*::argument:->rest'\n  case $state in\n  command)\n    "
           "commands=(\n" +
           choices + "    )\n    _describe command commands\n    ;;\n  rest)\n    case $line[1] in\n" +
           cases + "    esac\n    ;;\n  esac\n}\n";
  });
  return out + "\n_phoenix \"$@\"\n";
}

// ---- fish

std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string fish_value(const OptionText& option) {
  switch (option.completes) {
    case Completes::files:
      return " -r -F";
    case Completes::directories:
      return " -x -a '(__fish_complete_directories)'";
    case Completes::words:
      return fmt::format(" -x -a '{}'", fmt::join(option.words, " "));
    case Completes::nothing:
      break;
  }
  return " -x";
}

std::string fish_completion(const Command& program) {
  std::vector<std::string> known;
  for (const auto& name : full_names(program)) known.push_back(fish_quoted(name));
  std::string out = fmt::format(R"(# What the Tab key offers for phoenix in fish.
set -g __phoenix_commands {}

function __phoenix_command
    set -l command phoenix
    for word in (commandline -opc)[2..-1]
        if contains -- "$command $word" $__phoenix_commands
            set command "$command $word"
        end
    end
    echo $command
end

complete -c phoenix -f
)",
                                fmt::join(known, " "));
  visit(program, [&](const Command& command) {
    const auto begin =
        fmt::format("complete -c phoenix -n 'test (__phoenix_command) = \"{}\"'", command.full_name());
    for (const auto& below : command.commands())
      out += fmt::format("{} -a {} -d {}\n", begin, below->text().name, fish_quoted(below->text().what));
    for (const auto& option : option_texts(command)) {
      if (option.names.empty()) {
        if (option.completes == Completes::files) out += begin + " -F\n";
        for (const auto& word : option.words) out += fmt::format("{} -a {}\n", begin, word);
        if (option.completes == Completes::directories)
          out += begin + " -a '(__fish_complete_directories)'\n";
        continue;
      }
      out += begin;
      for (const auto& name : option.names)
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      if (!option.value.empty()) out += fish_value(option);
      out += " -d " + fish_quoted(option.meaning) + "\n";
    }
  });
  return out;
}

}  // namespace

std::string completion(const Command& program, Shell shell) {
  switch (shell) {
    case Shell::bash:
      return bash_completion(program);
    case Shell::zsh:
      return zsh_completion(program);
    case Shell::fish:
      return fish_completion(program);
  }
  return {};
}

}  // namespace phoenix::app
