#include "model/symbol_table.hpp"

#include <cstring>

namespace phoenix::model {

SymbolTable::SymbolTable() : slots_(slots, 0) { names_.reserve(symbols_max); }

std::size_t SymbolTable::hash(std::string_view name) {
  std::uint64_t head = 0;
  std::uint64_t tail = 0;
  const std::size_t size = name.size();
  if (size >= 8) {
    std::memcpy(&head, name.data(), 8);
    std::memcpy(&tail, name.data() + size - 8, 8);
  } else if (size != 0) {
    std::memcpy(&head, name.data(), size);
  }
  return static_cast<std::size_t>(((head ^ (tail * 31) ^ size) * 0x9e3779b97f4a7c15ULL) >> 52);
}

std::optional<SymbolId> SymbolTable::add(std::string_view name) {
  if (const auto id = find(name)) return id;
  if (name.empty() || !Name::fits(name) || names_.size() == symbols_max) return std::nullopt;
  std::size_t slot = hash(name);
  while (slots_[slot] != 0) slot = (slot + 1) % slots;
  names_.emplace_back(name);
  slots_[slot] = static_cast<std::uint16_t>(names_.size());
  return SymbolId{static_cast<std::uint16_t>(names_.size() - 1)};
}

std::optional<SymbolId> SymbolTable::find(std::string_view name) const {
  for (std::size_t slot = hash(name); slots_[slot] != 0; slot = (slot + 1) % slots) {
    const auto index = static_cast<std::uint16_t>(slots_[slot] - 1);
    if (names_[index].view() == name) return SymbolId{index};
  }
  return std::nullopt;
}

std::string_view SymbolTable::name(SymbolId id) const {
  PHX_ASSERT(id.index < names_.size(), "a symbol id comes from its table");
  return names_[id.index].view();
}

}  // namespace phoenix::model
