#include "io/guard_latches.hpp"

#include "io/descriptor.hpp"
#include "io/files.hpp"

#include <algorithm>
#include <system_error>

#include <unistd.h>

namespace phoenix::io {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view account = "account";

std::string file_name(std::string_view symbol) { return std::string{symbol.empty() ? account : symbol}; }
std::string symbol_of(const std::string& name) { return name == account ? std::string{} : name; }

}  // namespace

GuardLatches::GuardLatches(const fs::path& directory) : directory_{directory / "guard-latches"} {}

fs::path GuardLatches::path_of(std::string_view symbol) const { return directory_ / file_name(symbol); }

std::vector<std::string> GuardLatches::files() const {
  std::vector<std::string> names;
  std::error_code fault;
  for (const auto& entry : fs::directory_iterator{directory_, fault}) {
    // What begins with a dot is a file being written.
    if (const auto name = entry.path().filename().string(); !name.starts_with('.')) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> GuardLatches::names(std::string_view suffix) const {
  std::vector<std::string> names;
  for (const auto& name : files()) {
    const auto dot = std::min(name.find('.'), name.size());
    if (std::string_view{name}.substr(dot) == suffix) names.push_back(name.substr(0, dot));
  }
  return names;
}

std::vector<std::pair<std::string, std::string>> GuardLatches::load() {
  std::vector<std::pair<std::string, std::string>> latches;
  for (const auto& name : files()) {
    std::string text;
    try {
      text = read_file(directory_ / name, 4096);
    } catch (const FileError&) {
      text = "unreadable";
    }
    if (text.empty()) text = "unreadable";
    latches.emplace_back(symbol_of(name), text);
    kept_.insert(symbol_of(name));
  }
  return latches;
}

void GuardLatches::keep(std::string_view symbol, std::string_view text) {
  const auto path = path_of(symbol);
  if (text.empty()) {
    kept_.erase(std::string{symbol});
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("remove", path);
    return;
  }
  std::error_code fault;
  fs::create_directories(directory_, fault);
  write_file_atomically(path, text);
  kept_.insert(std::string{symbol});
}

std::optional<std::string> GuardLatches::take_rearmed() {
  for (const auto& symbol : kept_) {
    std::error_code fault;
    const auto status = fs::symlink_status(path_of(symbol), fault);
    if (status.type() != fs::file_type::not_found) continue;
    std::string name = symbol;
    kept_.erase(symbol);
    return name;
  }
  return std::nullopt;
}

std::vector<std::string> GuardLatches::clear(const std::optional<std::string>& symbol,
                                             std::string_view suffix) const {
  std::vector<std::string> cleared;
  for (const auto& name : names(suffix)) {
    if (symbol && name != file_name(*symbol)) continue;
    const auto path = directory_ / (name + std::string{suffix});
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("remove", path);
    cleared.push_back(name);
  }
  return cleared;
}

}  // namespace phoenix::io
