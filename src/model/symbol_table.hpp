#pragma once

#include "base/short_text.hpp"
#include "model/ids.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace phoenix::model {

/// Names of the symbols of this run, in upper case, and their ids. Bounded; a name has at most 32 bytes of
/// UTF-8. `find` costs a few nanoseconds: it stands on the path of every frame.
class SymbolTable {
 public:
  static constexpr std::size_t symbols_max = 1024;
  using Name = base::ShortText<32>;

  SymbolTable();
  /// The id of `name`, added when it is new. Empty when the table is full or the name too long or empty.
  std::optional<SymbolId> add(std::string_view name);
  std::optional<SymbolId> find(std::string_view name) const;
  std::string_view name(SymbolId id) const;
  std::size_t size() const { return names_.size(); }

 private:
  static constexpr std::size_t slots = 4096;
  static std::size_t hash(std::string_view name);
  std::vector<Name> names_;
  std::vector<std::uint16_t> slots_;  ///< id + 1; 0 is free
};

}  // namespace phoenix::model
