#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace phoenix::base {

/// A hash map that can be asked but not walked. The order of an unordered container differs between libraries
/// and runs, so left of `io` nothing may depend on it; what must be walked is a vector or a std::map.
template <class Key, class Value, class Hash = std::hash<Key>, class Equal = std::equal_to<Key>>
class Lookup {
 public:
  template <class K>
  Value* find(const K& key) {
    const auto it = map_.find(key);
    return it == map_.end() ? nullptr : &it->second;
  }
  template <class K>
  const Value* find(const K& key) const {
    const auto it = map_.find(key);
    return it == map_.end() ? nullptr : &it->second;
  }
  template <class K>
  bool contains(const K& key) const {
    return find(key) != nullptr;
  }
  /// The value at `key`, made from `value` when there was none.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): moved on; the check is misled by trivial values
  Value& try_emplace(Key key, Value value = Value{}) {
    return map_.try_emplace(std::move(key), std::move(value)).first->second;
  }
  template <class K>
  bool erase(const K& key) {
    const auto it = map_.find(key);
    if (it == map_.end()) return false;
    map_.erase(it);
    return true;
  }
  void reserve(std::size_t count) { map_.reserve(count); }
  void clear() { map_.clear(); }
  std::size_t size() const { return map_.size(); }

 private:
  std::unordered_map<Key, Value, Hash, Equal> map_;
};

/// Lets a Lookup keyed by std::string be asked with a string_view without allocating.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
template <class Value>
using TextLookup = Lookup<std::string, Value, TextHash, std::equal_to<>>;

}  // namespace phoenix::base
