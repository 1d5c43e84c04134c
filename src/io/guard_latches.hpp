#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phoenix::io {

/// What the guards of risk have latched: a file for each symbol in `directory`/guard-latches, and "account"
/// for all together. A person takes one away by removing its file (`phoenix emergency re-arm`), and the
/// running maker notices. A name with a suffix (SYMBOL.foreign) is a hold that other words end.
class GuardLatches {
 public:
  explicit GuardLatches(const std::filesystem::path& directory);

  /// Name ("" for the account) and text of each. A file that cannot be read counts as one that nobody
  /// understands.
  std::vector<std::pair<std::string, std::string>> load();
  /// Durable when it returns; an empty text takes the file away. FileError.
  void keep(std::string_view symbol, std::string_view text);
  /// Whose file is gone although it was kept or loaded here, once each.
  std::optional<std::string> take_rearmed();
  /// Takes away the file of one symbol, or all of them, with this suffix; returns the symbols. FileError.
  std::vector<std::string> clear(const std::optional<std::string>& symbol,
                                 std::string_view suffix = {}) const;
  /// The symbols whose file with this suffix is there.
  std::vector<std::string> names(std::string_view suffix = {}) const;

 private:
  std::filesystem::path path_of(std::string_view symbol) const;
  std::vector<std::string> files() const;

  std::filesystem::path directory_;
  std::set<std::string, std::less<>> kept_;  ///< symbols whose file is there
};

}  // namespace phoenix::io
