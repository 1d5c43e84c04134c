#include "app/cli.hpp"

#include "app/cli_text.hpp"
#include "app/completion.hpp"
#include "app/config.hpp"
#include "app/manual.hpp"

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace phoenix::app {
namespace {

/// What a shell makes of it, up to a pipe or a redirection.
std::vector<std::string> shell_words(const std::string& command) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  bool is_open = false;
  const auto close = [&] {
    if (is_open) words.push_back(std::exchange(word, {}));
    is_open = false;
  };
  for (const char c : command) {
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      is_open = true;
    } else if (c == ' ') {
      close();
    } else if (c == '|' || c == '>') {
      break;
    } else {
      word += c;
      is_open = true;
    }
  }
  close();
  return words;
}

void visit(const Command& command, const std::function<void(const Command&)>& take) {
  take(command);
  for (const auto& below : command.commands()) visit(*below, take);
}

std::string trouble_with(std::vector<std::string> words) {
  return CommandLine{}.trouble_with(std::move(words));
}

/// Of a whole command.
std::string trouble_with_command(const std::string& command) {
  auto words = shell_words(command);
  if (words.empty() || words.front() != "phoenix") return "this is no phoenix";
  words.erase(words.begin());
  return trouble_with(std::move(words));
}

TEST(CommandLine, takes_every_example_that_it_shows) {
  const CommandLine line;
  int examples = 0;
  visit(line.program(), [&](const Command& command) {
    bool shows_itself = !command.commands().empty();
    for (const auto& example : command.text().examples) {
      EXPECT_EQ(trouble_with_command(example.command), "") << example.command;
      for (const auto& word : shell_words(example.command)) {
        if (word.starts_with("configs/") || word.starts_with("tests/")) {
          EXPECT_TRUE(std::filesystem::exists(PHOENIX_SOURCE_DIR "/" + word)) << example.command;
        }
      }
      EXPECT_FALSE(example.what.empty());
      if (example.command.starts_with(command.full_name())) shows_itself = true;
      ++examples;
    }
    EXPECT_TRUE(shows_itself) << command.full_name() << " shows no example of itself";
  });
  EXPECT_GT(examples, 50);
}

TEST(CommandLine, an_example_that_does_not_work_would_be_seen) {
  EXPECT_NE(trouble_with_command("phoenix demo --for soon"), "");
  EXPECT_NE(trouble_with_command("phoenix demo --fro 60s"), "");
  EXPECT_NE(trouble_with_command("phoenix query 'a directory'  extra \"SELECT 1\""), "");
  EXPECT_THROW(trouble_with_command("phoenix query phoenix-data"), StartError);
  EXPECT_THROW(trouble_with_command("phoenix replay data --report x"), StartError);
  EXPECT_THROW(trouble_with({"doctor"}), StartError);
}

TEST(CommandLine, every_option_says_what_it_is_in_the_same_way) {
  const CommandLine line;
  const std::set<std::string> values{"DIRECTORY", "FILE",  "PREFIX", "DURATION", "TIME",   "NUMBER",
                                     "NUMBERS",   "RATIO", "COUNT",  "ROWS",     "MS",     "MINUTES",
                                     "HOURS",     "SEED",  "PORT",   "KEY",      "SECRET", "SYMBOL",
                                     "SETTING",   "SQL",   "KINDS"};
  visit(line.program(), [&](const Command& command) {
    const auto& what = command.text().what;
    EXPECT_FALSE(what.empty() || what.ends_with('.')) << command.full_name();
    const auto& description = command.text().description;
    EXPECT_TRUE(description.empty() || description.ends_with('.')) << command.full_name();
    for (const auto& option : option_texts(command)) {
      const auto name = command.full_name() + " " + option.heading();
      EXPECT_FALSE(option.meaning.empty()) << name;
      EXPECT_FALSE(option.meaning.ends_with('.')) << name;
      if (!option.value.empty() && option.completes != Completes::words) {
        EXPECT_TRUE(values.contains(option.value)) << name << " has a value of its own kind";
      }
    }
  });
}

TEST(CommandLine, suggests_the_nearest_command_and_option) {
  EXPECT_NE(trouble_with({"recrod"}).find("there is no command 'recrod'; did you mean record?"),
            std::string::npos);
  EXPECT_NE(trouble_with({"stauts"}).find("did you mean status?"), std::string::npos) << "letters swapped";
  EXPECT_NE(trouble_with({"emergency", "cancel"}).find("there is no command 'cancel'"), std::string::npos);
  EXPECT_NE(trouble_with({"emergency", "rearm"}).find("did you mean re-arm?"), std::string::npos);
  EXPECT_NE(trouble_with({"run", "-c", "x", "--limitd"})
                .find("there is no option --limitd; did you mean --limited?"),
            std::string::npos);
  EXPECT_EQ(trouble_with({"xyzzyplugh"}).find("did you mean"), std::string::npos);
  EXPECT_NE(trouble_with({"preflight", "-c", "x", "y"}).find("'y' is one word too many"), std::string::npos);
}

TEST(CommandLine, what_is_wrong_is_told_with_the_usage_of_that_command) {
  EXPECT_EQ(trouble_with({"demo", "--for", "soon"}),
            "phoenix demo: --for: 'soon' is no duration: write 500ms, 60s, 2m or 1h\n"
            "Usage: phoenix demo [OPTIONS]   (phoenix demo --help says more)\n");
  EXPECT_EQ(trouble_with({"run"}),
            "phoenix run: --config is required\n"
            "Usage: phoenix run -c FILE [OPTIONS]   (phoenix run --help says more)\n");
  EXPECT_NE(trouble_with({"run", "-c", "x", "--queue", "proportional"}).find("--queue requires --paper"),
            std::string::npos);
  EXPECT_NE(trouble_with({"run", "-c", "x", "--paper", "--queue", "lucky"})
                .find("--queue: 'lucky' is none of conservative|proportional"),
            std::string::npos);
  EXPECT_NE(trouble_with({"exchange", "--stream-cuts", "0"}).find("--stream-cuts: must be 1 to 100"),
            std::string::npos);
  EXPECT_NE(trouble_with({"run", "-c", "x", "--limited", "--full"}).find("excludes"), std::string::npos);
  EXPECT_NE(trouble_with({}).find("Trading:"), std::string::npos) << "no word at all: the list of commands";
  EXPECT_NE(trouble_with({"emergency"}).find("cancel-all"), std::string::npos);
}

TEST(CommandLine, help_fits_the_terminal_and_holds_everything) {
  const CommandLine line;
  visit(line.program(), [&](const Command& command) {
    for (const std::size_t width : {60U, 100U}) {
      const auto text = help_text(command, width);
      std::istringstream lines{text.substr(0, text.find("\nExamples:"))};
      for (std::string one; std::getline(lines, one);) {
        if (one.starts_with("Usage:")) continue;
        EXPECT_LE(one.size(), width) << one;
        EXPECT_FALSE(one.ends_with(' ')) << one;
      }
      for (const auto& option : option_texts(command))
        EXPECT_NE(text.find("  " + option.heading()), std::string::npos) << option.heading();
      for (const auto& example : command.text().examples)
        EXPECT_NE(text.find("  " + example.command + "\n"), std::string::npos) << example.command;
    }
  });
}

TEST(Manual, docs_commands_is_what_the_program_prints) {
  std::ifstream file{PHOENIX_SOURCE_DIR "/docs/commands.md"};
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), manual_markdown(CommandLine{}.program()))
      << "write it again: phoenix manual --format markdown > docs/commands.md";
}

TEST(Manual, the_page_for_man_uses_its_macros_and_nothing_else_begins_a_line_with_a_dot) {
  const CommandLine line;
  const auto page = manual_page(line.program());
  const std::set<std::string> macros{".TH", ".SH", ".SS", ".TP", ".B", ".I",
                                     ".PP", ".RS", ".RE", ".nf", ".fi"};
  std::istringstream lines{page};
  for (std::string one; std::getline(lines, one);) {
    EXPECT_FALSE(one.starts_with('\'')) << one;
    EXPECT_FALSE(one.empty());
    if (one.starts_with('.')) {
      EXPECT_TRUE(macros.contains(one.substr(0, one.find(' ')))) << one;
    }
  }
  visit(line.program(), [&](const Command& command) {
    if (!command.commands().empty()) return;
    std::string heading = "\n.SS " + command.full_name() + "\n";
    for (auto at = heading.find('-'); at != std::string::npos; at = heading.find('-', at + 2))
      heading.insert(at, "\\");
    EXPECT_NE(page.find(heading), std::string::npos) << heading;
  });
}

TEST(Completion, names_every_command_and_option_in_every_shell) {
  const CommandLine line;
  for (const auto shell : {Shell::bash, Shell::zsh, Shell::fish}) {
    const auto script = completion(line.program(), shell);
    for (const char* mark : {"@KNOWN@", "@VALUES@", "@COMMANDS@"})
      EXPECT_EQ(script.find(mark), std::string::npos) << mark;
    visit(line.program(), [&](const Command& command) {
      EXPECT_NE(script.find(command.text().name), std::string::npos);
      for (const auto& option : option_texts(command)) {
        for (const auto& name : option.names) {
          const auto shown = shell == Shell::fish ? name.substr(name.find_first_not_of('-')) : name;
          EXPECT_NE(script.find(shown), std::string::npos) << name;
        }
        for (const auto& word : option.words) EXPECT_NE(script.find(word), std::string::npos) << word;
      }
    });
  }
}

}  // namespace
}  // namespace phoenix::app
