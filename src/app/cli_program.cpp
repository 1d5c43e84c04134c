#include "app/cli_commands.hpp"
#include "app/cli_options.hpp"
#include "app/completion.hpp"
#include "app/manual.hpp"

#include <fmt/format.h>

namespace phoenix::app {
namespace {

enum class ManualFormat : bool { man, markdown };

void add_manual(Command& phoenix) {
  auto& command =
      phoenix.add(Section::program,
                  {.name = "manual",
                   .what = "the manual of all commands",
                   .description = "Made from what the program itself knows of its commands, as --help is.",
                   .examples = {{"phoenix manual | man -l -", "read it"},
                                {"phoenix manual --format markdown", "as docs/commands.md has it"}}});
  const auto format = std::make_shared<ManualFormat>(ManualFormat::man);
  add_choice<ManualFormat>(
      command.options(), "--format", {{"man", ManualFormat::man}, {"markdown", ManualFormat::markdown}},
      [format](ManualFormat chosen) { *format = chosen; }, "man", "a page for man, or Markdown");
  command.runs([format, &phoenix] {
    fmt::print("{}", *format == ManualFormat::man ? manual_page(phoenix) : manual_markdown(phoenix));
    return 0;
  });
}

void add_completion(Command& phoenix) {
  auto& command = phoenix.add(
      Section::program,
      {.name = "completion",
       .what = "what makes the Tab key of a shell complete commands and options",
       .description = "For zsh the file is named _phoenix and lies in a directory of $fpath.",
       .examples = {{"phoenix completion bash > ~/.local/share/bash-completion/completions/phoenix",
                     "for every bash to come"},
                    {"phoenix completion zsh > ~/.zfunc/_phoenix", "for zsh"},
                    {"phoenix completion fish > ~/.config/fish/completions/phoenix.fish", "for fish"}}});
  const auto shell = std::make_shared<Shell>(Shell::bash);
  add_choice<Shell>(
      command.options(), "shell", {{"bash", Shell::bash}, {"zsh", Shell::zsh}, {"fish", Shell::fish}},
      [shell](Shell chosen) { *shell = chosen; }, "", "whose")
      .required();
  command.runs([shell, &phoenix] {
    fmt::print("{}", completion(phoenix, *shell));
    return 0;
  });
}

}  // namespace

void add_program_commands(Command& phoenix) {
  add_manual(phoenix);
  add_completion(phoenix);
}

}  // namespace phoenix::app
