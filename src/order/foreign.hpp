#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::order {

/// Orders and trades of one symbol that are not ours: which are known and claimed by a person, and whose
/// orders are still to be asked for. Such orders are never touched; their trades move the position like any.
class ForeignWatch {
 public:
  static constexpr std::size_t orders_max = 64;

  /// Somebody else's order was seen, or a trade of it; `order_id` 0 when the venue does not say. True when
  /// nobody claimed it yet: a person has to look.
  bool on_order(std::int64_t order_id);
  /// A trade of an order nobody here remembers: whose it was has to be asked. True when there are too many to
  /// ask for, which counts as somebody else's.
  bool on_unknown(std::int64_t order_id);
  /// The next order to ask for; the same until `answered`.
  std::optional<std::int64_t> to_ask() const;
  void answered(std::int64_t order_id);

  /// A person has looked: everything seen so far is known.
  void claim();

  /// The claimed ones as a line for a file, "17 18"; the newest `orders_max`.
  std::string claimed() const;
  /// Words that are no ids are left out: what they meant is held again.
  void restore(std::string_view claimed);

  std::size_t seen_count() const { return seen_.size(); }  ///< not claimed

 private:
  std::vector<std::int64_t> seen_, claimed_, unknown_;
};

}  // namespace phoenix::order
