#include "app/cli.hpp"

#include "app/build_info.hpp"
#include "app/cli_commands.hpp"
#include "app/cli_text.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace phoenix::app {
namespace {

constexpr std::size_t help_width_min = 60, help_width_max = 110, help_width_usual = 100;

std::size_t help_width() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return help_width_usual;
  return std::clamp<std::size_t>(size.ws_col, help_width_min, help_width_max);
}

/// How many letters must change, come, go or be swapped with their neighbour to make one of the other.
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::vector<std::size_t>> apart(from.size() + 1, std::vector<std::size_t>(to.size() + 1));
  for (std::size_t i = 0; i <= from.size(); ++i) {
    for (std::size_t j = 0; j <= to.size(); ++j) {
      if (i == 0 || j == 0) {
        apart[i][j] = i + j;
        continue;
      }
      const bool is_equal = from[i - 1] == to[j - 1];
      apart[i][j] =
          std::min({apart[i - 1][j] + 1, apart[i][j - 1] + 1, apart[i - 1][j - 1] + (is_equal ? 0 : 1)});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
        apart[i][j] = std::min(apart[i][j], apart[i - 2][j - 2] + 1);
    }
  }
  return apart.back().back();
}

/// "; did you mean X?", when one is near.
std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  const std::size_t near = word.size() / 3 + 1;
  const std::string* best = nullptr;
  std::size_t least = near + 1;
  for (const auto& each : known) {
    const auto apart = distance(word, each);
    if (apart < least) {
      least = apart;
      best = &each;
    }
  }
  return best == nullptr ? "" : fmt::format("; did you mean {}?", *best);
}

}  // namespace

Command& Command::add(Section section, CommandText text) {
  CLI::App* options = options_.add_subcommand(text.name, text.what);
  options->get_help_ptr()->description("what this is, with examples");
  auto& command = *commands_.emplace_back(std::make_unique<Command>(*options, std::move(text), section));
  command.parent_ = this;
  options_.require_subcommand(1);
  return command;
}

std::string Command::full_name() const {
  return parent_ == nullptr ? text_.name : parent_->full_name() + " " + text_.name;
}

const Command* Command::find(std::string_view name) const {
  const auto it =
      std::ranges::find_if(commands_, [name](const auto& each) { return each->text().name == name; });
  return it == commands_.end() ? nullptr : it->get();
}

CommandLine::CommandLine()
    : app_("", "phoenix"),
      program_(
          app_,
          {.name = "phoenix",
           .what = "makes markets on Binance USD-M futures and never goes silently dead",
           .description = "Trades, records, replays and simulates; every command has --help with examples.",
           .examples = {{"phoenix demo", "see it work on this machine, no keys needed"},
                        {"phoenix run --help", "what a command does and takes"}}},
          Section::program) {
  app_.get_help_ptr()->description("this list");
  app_.set_version_flag(
      "--version", [] { return version_text(); }, "version, commit, and what it is built with");
  add_trading_commands(program_);
  add_recording_commands(program_);
  add_research_commands(program_);
  add_operating_commands(program_);
  add_program_commands(program_);
}

const Command& CommandLine::chosen() const {
  const Command* command = &program_;
  while (!command->options().get_subcommands().empty()) {
    const auto* below = command->find(command->options().get_subcommands().front()->get_name());
    if (below == nullptr) break;
    command = below;
  }
  return *command;
}

std::string CommandLine::complaint(const std::vector<std::string>& words,
                                   const CLI::ParseError& fault) const {
  const Command* command = &program_;
  std::string what = fault.what();
  const auto no_option = [&](const std::string& word) {
    std::vector<std::string> known;
    for (const auto& option : option_texts(*command))
      known.insert(known.end(), option.names.begin(), option.names.end());
    const auto name = word.substr(0, word.find('='));
    return fmt::format("there is no option {}{}", name, suggestion(name, known));
  };
  for (const auto& word : words) {
    if (command->commands().empty()) break;
    if (word.starts_with('-')) {
      what = no_option(word);
      break;
    }
    const auto* below = command->find(word);
    if (below == nullptr) {
      std::vector<std::string> known;
      for (const auto& each : command->commands()) known.push_back(each->text().name);
      what = fmt::format("there is no command '{}'{}", word, suggestion(word, known));
      break;
    }
    command = below;
  }
  // Which of several commands was not said.
  const bool is_open = !command->commands().empty();
  const auto said = words.empty() ? "" : fmt::format(" {}", fmt::join(words, " "));
  if (is_open && program_.full_name() + said == command->full_name())
    return help_text(*command, help_width_usual);

  if (!is_open && dynamic_cast<const CLI::ExtrasError*>(&fault) != nullptr) {
    const auto extra = command->options().remaining();
    const auto option = std::ranges::find_if(extra, [](const auto& each) { return each.starts_with('-'); });
    if (option != extra.end()) {
      what = no_option(*option);
    } else if (!extra.empty()) {
      what = fmt::format("'{}' is one word too many", extra.front());
    }
  }
  return fmt::format("{}: {}\nUsage: {}   ({} --help says more)\n", command->full_name(), what,
                     usage_text(*command), command->full_name());
}

std::string CommandLine::trouble_with(std::vector<std::string> words) {
  auto reversed = words;
  std::ranges::reverse(reversed);
  try {
    app_.parse(std::move(reversed));
  } catch (const CLI::Success&) {
    return {};
  } catch (const CLI::ParseError& fault) {
    return complaint(words, fault);
  }
  if (const auto& check = chosen().check_) check();
  return {};
}

int CommandLine::run(std::vector<std::string> words) {
  auto reversed = words;
  std::ranges::reverse(reversed);
  try {
    app_.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", help_text(chosen(), help_width()));
    return 0;
  } catch (const CLI::CallForVersion& version) {
    fmt::print("{}", version.what());
    return 0;
  } catch (const CLI::ParseError& fault) {
    fmt::print(stderr, "{}", complaint(words, fault));
    return 2;
  }
  const Command& command = chosen();
  if (command.check_) command.check_();
  return command.action_();
}

}  // namespace phoenix::app
