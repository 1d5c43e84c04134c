#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phoenix::exchange {

/// One target split at its first '?'. Neither part is decoded.
struct TargetParts {
  std::string_view path, query;
};
TargetParts split_target(std::string_view target);

/// %XX and '+' decoded. A '%' that is no escape stays as it is, as lenient servers do.
std::string percent_decode(std::string_view text);

/// Parameters by name, in the order received. A name met twice keeps its first value.
class Params {
 public:
  static constexpr std::size_t count_max = 200;

  /// Adds every `name=value` of a form-encoded text. Names already there keep their value, so adding the
  /// query first makes it win over the body. Beyond `count_max` the rest is left out.
  void add_form(std::string_view text);
  void set(std::string name, std::string value);
  void erase(std::string_view name);

  const std::string* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// Empty text when absent.
  std::string_view text(std::string_view name) const;
  /// A whole decimal integer, or nothing.
  std::optional<std::int64_t> integer(std::string_view name) const;

  const std::vector<std::pair<std::string, std::string>>& items() const { return items_; }

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

std::optional<std::int64_t> parse_integer(std::string_view text);

/// `form` without its `signature=...` pair and the '&' that joined it; what a signature was made over.
struct SignedForm {
  std::string payload;
  std::optional<std::string> signature;  ///< decoded
};
SignedForm without_signature(std::string_view form);

/// `text` split at each `separator`; empty pieces left out.
std::vector<std::string_view> split(std::string_view text, char separator);

}  // namespace phoenix::exchange
