#include "app/manual.hpp"

#include "app/cli_text.hpp"
#include "app/version.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace phoenix::app {
namespace {

struct Entry {
  std::string name, meaning;
};

const std::vector<Entry>& exit_codes() {
  static const std::vector<Entry> all{
      {"0", "done; for a command that judges: good"},
      {"1", "done, and the answer is bad: a check failed, something may be left, nobody answers"},
      {"2", "it could not begin: options, configuration, files or the venue; one line on stderr says why"},
      {"130",
       "interrupted with Ctrl-C before there was an answer. Commands that run until Ctrl-C leave with 0"}};
  return all;
}

const std::vector<Entry>& environment() {
  static const std::vector<Entry> all{
      {"BINANCE_API_KEY, BINANCE_API_SECRET",
       "the key of the account, unless the configuration names a file"},
      {"PHOENIX_METRICS_TOKEN", "the token of /metrics, /status and the dashboard beyond this machine"},
      {"PHOENIX_DASHBOARD_TOKEN", "the token of the dashboard's actions"},
      {"PHOENIX_LOG_FILE", "the file of the log, unless the configuration names one"},
      {"NO_COLOR", "no colours, also on a terminal"}};
  return all;
}

/// Every command that does something, in the order of the sections.
void visit(const Command& command, const std::function<void(const Command&)>& take) {
  if (command.commands().empty()) take(command);
  for (const auto& below : command.commands()) visit(*below, take);
}

std::vector<const Command*> commands_of(const Command& program, Section section) {
  std::vector<const Command*> all;
  visit(program, [&](const Command& command) {
    if (command.section() == section) all.push_back(&command);
  });
  return all;
}

std::string capital(std::string text) {
  if (!text.empty() && text.front() >= 'a' && text.front() <= 'z')
    text.front() = static_cast<char>(text.front() - 'a' + 'A');
  return text;
}

/// With a capital letter and a full stop, unless it asks.
std::string sentence(const std::string& text) { return capital(text) + (text.ends_with('?') ? "" : "."); }

// ---- man

/// Text that man takes as it is.
std::string roff(std::string_view text) {
  std::string out;
  bool begins = true;
  for (const char c : text) {
    if (begins && (c == '.' || c == '\'')) out += "\\&";
    begins = c == '\n';
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

/// A paragraph, in lines that an editor shows whole.
std::string roff_paragraph(std::string_view text) { return roff(wrapped(text, 0, 78)); }

std::string roff_entry(std::string_view name, std::string_view meaning) {
  return fmt::format(".TP\n.B {}\n{}\n", roff(name), roff_paragraph(meaning));
}

std::string roff_command(const Command& command) {
  const auto& text = command.text();
  std::string out = fmt::format(".SS {}\n{}\n.PP\n.B {}\n", roff(command.full_name()),
                                roff_paragraph(sentence(text.what)), roff(usage_text(command)));
  if (!text.description.empty()) out += fmt::format(".PP\n{}\n", roff_paragraph(text.description));
  for (const auto& option : option_texts(command)) out += roff_entry(option.heading(), option.meaning);
  out += fmt::format(".PP\n{}\n", roff_paragraph("Exit code: " + exit_codes_text(command)));
  for (const auto& example : text.examples)
    out += fmt::format(".PP\nExample: {}\n.PP\n.RS 4\n.nf\n{}\n.fi\n.RE\n", roff(example.what),
                       roff(example.command));
  return out;
}

// ---- markdown

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string markdown_command(const Command& command) {
  const auto& text = command.text();
  std::string out = fmt::format(
      "\n### {}\n\n{}\n", command.full_name(),
      wrapped(sentence(text.what) + (text.description.empty() ? "" : " " + text.description), 0, 125));
  out += fmt::format("\n`{}`\n\n| Option | Meaning |\n|---|---|\n", usage_text(command));
  for (const auto& option : option_texts(command))
    out += fmt::format("| `{}` | {} |\n", cell(option.heading()), cell(option.meaning));
  out += fmt::format("\nExit code: {}\n", exit_codes_text(command));
  for (const auto& example : text.examples)
    out += fmt::format("\n{}:\n\n    {}\n", capital(example.what), example.command);
  return out;
}

}  // namespace

std::string manual_page(const Command& program) {
  const auto& text = program.text();
  std::string out = fmt::format(
      ".TH PHOENIX 1 \"\" \"Phoenix {}\" \"Phoenix Manual\"\n.SH NAME\nphoenix \\- {}\n.SH SYNOPSIS\n"
      ".B phoenix\n.I COMMAND\n[OPTIONS]\n.PP\n.B phoenix\n.I COMMAND\n.B \\-\\-help\n.SH DESCRIPTION\n{}\n",
      version, roff(text.what), roff_paragraph(text.description));
  for (const auto section : sections()) {
    std::string heading{title(section)};
    for (char& c : heading) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    out += fmt::format(".SH {}\n", heading);
    for (const Command* command : commands_of(program, section)) out += roff_command(*command);
  }
  out += ".SH EXIT STATUS\n";
  for (const auto& [code, meaning] : exit_codes()) out += roff_entry(code, meaning);
  out += ".SH ENVIRONMENT\n";
  for (const auto& [name, meaning] : environment()) out += roff_entry(name, meaning);
  return out;
}

std::string manual_markdown(const Command& program) {
  std::string out =
      "# Commands\n\nEvery command with its options and examples, as `phoenix manual --format markdown` "
      "prints "
      "it. `phoenix COMMAND --help`\nsays the same of one command, `phoenix manual | man -l -` is the manual "
      "page, and\n`phoenix completion bash` prints what makes the Tab key know all of it.\n\nDurations are a "
      "whole number with its unit: `500ms`, `60s`, `2m`, `1h`. Times are UTC: `2026-01-31`, "
      "`2026-01-31T12:00`.\n";
  for (const auto section : sections()) {
    out += fmt::format("\n## {}\n", title(section));
    for (const Command* command : commands_of(program, section)) out += markdown_command(*command);
  }
  out += "\n## Exit codes\n\n| Code | Meaning |\n|---|---|\n";
  for (const auto& [code, meaning] : exit_codes()) out += fmt::format("| {} | {} |\n", code, meaning);
  out += "\n## Environment\n\n| Variable | Meaning |\n|---|---|\n";
  for (const auto& [name, meaning] : environment()) out += fmt::format("| `{}` | {} |\n", name, meaning);
  return out + "\nThe recorder reads further variables: see [configuration.md](configuration.md).\n";
}

}  // namespace phoenix::app
