#include "order/foreign.hpp"

#include <algorithm>
#include <charconv>

namespace phoenix::order {
namespace {

bool has(const std::vector<std::int64_t>& ids, std::int64_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

/// The oldest makes room.
void add(std::vector<std::int64_t>& ids, std::int64_t id) {
  if (has(ids, id)) return;
  if (ids.size() == ForeignWatch::orders_max) ids.erase(ids.begin());
  ids.push_back(id);
}

}  // namespace

bool ForeignWatch::on_order(std::int64_t order_id) {
  if (order_id > 0 && has(claimed_, order_id)) return false;
  add(seen_, order_id);
  return true;
}

bool ForeignWatch::on_unknown(std::int64_t order_id) {
  if (has(claimed_, order_id) || has(unknown_, order_id)) return false;
  if (has(seen_, order_id) || order_id <= 0 || unknown_.size() == orders_max) return on_order(order_id);
  unknown_.push_back(order_id);
  return false;
}

std::optional<std::int64_t> ForeignWatch::to_ask() const {
  return unknown_.empty() ? std::nullopt : std::optional{unknown_.front()};
}

void ForeignWatch::answered(std::int64_t order_id) { std::erase(unknown_, order_id); }

void ForeignWatch::claim() {
  for (const auto id : seen_) {
    if (id > 0) add(claimed_, id);
  }
  seen_.clear();
}

std::string ForeignWatch::claimed() const {
  std::string line;
  for (const auto id : claimed_) line += (line.empty() ? "" : " ") + std::to_string(id);
  return line;
}

void ForeignWatch::restore(std::string_view claimed) {
  while (!claimed.empty()) {
    const auto word = claimed.substr(0, claimed.find(' '));
    claimed.remove_prefix(std::min(word.size() + 1, claimed.size()));
    std::int64_t id = 0;
    const auto [end, fault] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (fault == std::errc{} && end == word.data() + word.size() && id > 0) add(claimed_, id);
  }
}

}  // namespace phoenix::order
