#include "engine/depth_bridge.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace phoenix::engine {

using record::Kind;

DepthBridge::DepthBridge(std::span<const ResumePoint> points) : decoder_(symbols_) {
  for (const auto& point : points) {
    const auto id = symbols_.add(point.symbol);
    PHX_ASSERT(id && id->index == by_symbol_.size(), "resume points name each symbol once");
    Symbol& symbol = by_symbol_.emplace_back();
    symbol.name = point.symbol;
    symbol.since = point.recorded_until;
    if (!point.last_depth_id) continue;
    symbol.begin = symbol.head = *point.last_depth_id;
    symbol.is_open = true;
    ++open_;
  }
}

void DepthBridge::take(const FrameReceived& frame) {
  if (channel_of(frame.connection) != Channel::public_data) return;
  const auto message = decoder_.decode(frame.payload);
  if (!message) return;
  const auto* delta = std::get_if<model::DepthDelta>(&*message);
  if (delta == nullptr) return;
  Symbol& symbol = by_symbol_[delta->symbol.index];
  if (!symbol.is_open || symbol.is_broken || delta->last_id <= symbol.head) return;
  const bool follows = delta->prev_id ? *delta->prev_id <= symbol.head : delta->first_id <= symbol.head + 1;
  if (!follows || symbol.changes.size() == changes_max) {
    symbol.is_broken = true;
    return;
  }
  Change change{delta->last_id, frame.received, {}};
  record::RowWriter row{Kind::depth, symbol.name, change.row};
  row.time(delta->event_time).time(frame.received).optional(delta->transaction_time);
  row.integer(delta->first_id).integer(delta->last_id).optional(delta->prev_id).boolean(false);
  row.text(bridge_name).levels(delta->bids).levels(delta->asks).finish();
  symbol.changes.push_back(std::move(change));
  symbol.head = delta->last_id;
}

void DepthBridge::look_at(const record::RowView& row) {
  static const auto first = record::column_index(Kind::depth, "first_id");
  static const auto prev = record::column_index(Kind::depth, "prev_id");
  static const auto is_snapshot = record::column_index(Kind::depth, "is_snapshot");
  if (row.kind() != Kind::depth || row.boolean(is_snapshot)) return;
  const auto id = symbols_.find(row.symbol());
  if (!id) return;
  Symbol& symbol = by_symbol_[id->index];
  if (!symbol.is_open) return;
  if (!symbol.end) symbol.end = row.is_null(prev) ? row.integer(first) - 1 : row.integer(prev);
  if (symbol.later_ids.size() < changes_max) symbol.later_ids.push_back(*row.last_id());
}

bool DepthBridge::can_join(const Symbol& symbol) {
  if (!symbol.end) return false;
  if (symbol.is_broken || symbol.begin >= *symbol.end) return true;
  const auto reaches = std::find_if(symbol.changes.begin(), symbol.changes.end(),
                                    [&](const Change& change) { return change.last_id >= *symbol.end; });
  // Where it reaches into the later run's changes it has to be seen which of them that run writes.
  return reaches != symbol.changes.end() && reaches->last_id <= symbol.later_ids.back();
}

void DepthBridge::settle(base::LocalTime now, std::vector<std::string>& out) {
  for (auto& symbol : by_symbol_) {
    if (symbol.is_open && can_join(symbol)) close(symbol, now, out);
  }
}

void DepthBridge::finish(base::LocalTime now, std::vector<std::string>& out) {
  for (auto& symbol : by_symbol_) {
    if (symbol.is_open) close(symbol, now, out);
  }
}

void DepthBridge::close(Symbol& symbol, base::LocalTime now, std::vector<std::string>& out) {
  const auto enter = [&](std::string_view status, std::int64_t first, std::int64_t last, base::LocalTime from,
                         base::LocalTime to, std::string_view cause, std::string_view source) {
    record::RowWriter row{Kind::coverage, symbol.name, out.emplace_back()};
    row.time(base::venue_time_ns(base::ns_of(now))).time(from).time(to).text("depth").text(status);
    row.text(cause).text(source).integer(first).integer(last).integer(last - first + 1).text("").finish();
  };
  std::int64_t written = symbol.begin;
  const Change* first = nullptr;
  const Change* last = nullptr;
  for (auto& change : symbol.changes) {
    if (symbol.end && written >= *symbol.end) break;
    written = change.last_id;
    if (std::binary_search(symbol.later_ids.begin(), symbol.later_ids.end(), change.last_id)) continue;
    out.push_back(std::move(change.row));
    if (first == nullptr) first = &change;
    last = &change;
  }
  if (first != nullptr)
    enter("repaired", symbol.begin + 1, last->last_id, first->received, last->received, "", bridge_name);
  if (symbol.end && written < *symbol.end) {
    enter("lost", written + 1, *symbol.end, symbol.since.value_or(now), now, "the overlap has a hole",
          bridge_name);
  }
  symbol.is_open = false;
  symbol.changes = {};
  symbol.later_ids = {};
  --open_;
}

}  // namespace phoenix::engine
