#include "app/cli_text.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace phoenix::app {
namespace {

std::vector<std::string> split(const std::string& text, char mark) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == mark) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::string names_of(const std::set<CLI::Option*>& options) {
  std::vector<std::string> names;
  for (const CLI::Option* option : options) names.push_back(option->get_name());
  std::ranges::sort(names);  // the set is ordered by address
  return fmt::format("{}", fmt::join(names, ", "));
}

OptionText text_of(const CLI::Option& option) {
  OptionText text;
  for (const auto& name : option.get_snames()) text.names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) text.names.push_back("--" + name);
  if (option.get_type_size() != 0) text.value = option.get_type_name();
  text.is_positional = option.get_positional();
  text.is_required = option.get_required();
  text.is_repeatable = option.get_expected_max() == CLI::detail::expected_max_vector_size;
  if (text.value == "FILE" || text.value == "PREFIX") text.completes = Completes::files;
  if (text.value == "DIRECTORY") text.completes = Completes::directories;
  if (text.value.find('|') != std::string::npos) {
    text.completes = Completes::words;
    text.words = split(text.value, '|');
  }
  text.meaning = option.get_description();
  const auto remark = [&text](const std::string& what) {
    text.meaning += (text.meaning.empty() ? "" : "; ") + what;
  };
  if (text.is_required) remark("required");
  if (!option.get_needs().empty()) remark("only with " + names_of(option.get_needs()));
  if (!option.get_excludes().empty()) remark("not with " + names_of(option.get_excludes()));
  if (!option.get_default_str().empty()) remark("default: " + option.get_default_str());
  return text;
}

/// "FILE", as it stands in a usage line.
std::string place_text(const OptionText& option) {
  const auto name = option.value + (option.is_repeatable ? "..." : "");
  return option.is_required ? name : "[" + name + "]";
}

std::string rows_text(const std::vector<std::pair<std::string, std::string>>& rows, std::size_t width) {
  constexpr std::size_t heading_max = 28;
  std::size_t column = 0;
  for (const auto& [heading, meaning] : rows)
    column = std::max(column, std::min(heading.size(), heading_max));
  column += 4;
  std::string out;
  for (const auto& [heading, meaning] : rows) {
    std::string line = "  " + heading;
    if (line.size() + 2 > column) {
      out += line + '\n';
      line.clear();
    }
    line.resize(column, ' ');
    out += line + wrapped(meaning, column, width) + '\n';
  }
  return out;
}

}  // namespace

std::string OptionText::heading() const {
  std::string text = fmt::format("{}", fmt::join(names, ", "));
  if (!value.empty()) text += (text.empty() ? "" : " ") + value;
  return text;
}

std::vector<OptionText> option_texts(const Command& command) {
  std::vector<OptionText> places, others;
  const CLI::App& options = command.options();
  for (const CLI::Option* option : options.get_options()) {
    if (option == options.get_help_ptr()) continue;
    auto text = text_of(*option);
    (text.is_positional ? places : others).push_back(std::move(text));
  }
  places.insert(places.end(), others.begin(), others.end());
  places.push_back(text_of(*options.get_help_ptr()));
  return places;
}

std::string usage_text(const Command& command) {
  std::string text = command.full_name();
  if (!command.commands().empty()) return text + " COMMAND";
  std::string required, places;
  for (const auto& option : option_texts(command)) {
    if (option.is_positional) {
      places += " " + place_text(option);
    } else if (option.is_required) {
      required += fmt::format(" {} {}", option.names.front(), option.value);
    }
  }
  return text + required + " [OPTIONS]" + places;
}

std::string exit_codes_text(const Command& command) {
  if (!command.text().exit_codes.empty()) return command.text().exit_codes;
  return "0, or 2 when it could not begin.";
}

const std::vector<Section>& sections() {
  static const std::vector<Section> all{Section::trading, Section::recording, Section::research,
                                        Section::operating, Section::program};
  return all;
}

std::string_view title(Section section) {
  switch (section) {
    case Section::trading:
      return "Trading";
    case Section::recording:
      return "Recording";
    case Section::research:
      return "Testing and research";
    case Section::operating:
      return "Operating";
    case Section::program:
      return "About the program";
  }
  return {};
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  const std::size_t room = width > indent + 20 ? width - indent : 20;
  std::string out;
  std::size_t line = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(" \n"), text.size());
    const auto word = text.substr(0, end);
    if (line > 0 && line + 1 + word.size() > room) {
      out += '\n' + std::string(indent, ' ');
      line = 0;
    }
    if (line > 0 && !word.empty()) {
      out += ' ';
      ++line;
    }
    out += word;
    line += word.size();
    if (end < text.size() && text[end] == '\n') {
      out += '\n' + std::string(indent, ' ');
      line = 0;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string help_text(const Command& command, std::size_t width) {
  const auto& text = command.text();
  std::string out =
      fmt::format("{} - {}\n\nUsage: {}\n", command.full_name(), text.what, usage_text(command));
  out.replace(0, out.find('\n'), wrapped(out.substr(0, out.find('\n')), 2, width));
  if (!text.description.empty()) out += '\n' + wrapped(text.description, 0, width) + '\n';
  for (const auto section : sections()) {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto& each : command.commands()) {
      if (each->section() == section) rows.emplace_back(each->text().name, each->text().what);
    }
    if (rows.empty()) continue;
    const bool is_program = command.full_name() == command.text().name;
    out += fmt::format("\n{}:\n{}", is_program ? title(section) : "Commands", rows_text(rows, width));
  }
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& option : option_texts(command)) rows.emplace_back(option.heading(), option.meaning);
  out += "\nOptions:\n" + rows_text(rows, width);
  if (!text.examples.empty()) {
    out += "\nExamples:\n";
    for (const auto& example : text.examples)
      out += fmt::format("  {}\n      {}\n", example.command, example.what);
  }
  if (command.commands().empty())
    out += "\nExit code: " + wrapped(exit_codes_text(command), 11, width) + '\n';
  return out;
}

}  // namespace phoenix::app
