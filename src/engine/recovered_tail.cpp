#include "engine/recovered_tail.hpp"

#include "base/assert.hpp"
#include "feed/trade_merge.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace phoenix::engine {

RecoveredTail::RecoveredTail(std::vector<ResumePoint> points) : decoder_(symbols_) {
  for (auto& point : points) {
    const auto id = symbols_.add(point.symbol);
    PHX_ASSERT(id && id->index == by_symbol_.size(), "resume points name each symbol once");
    by_symbol_.push_back({.point = std::move(point), .repaired = {}, .since = {}, .until = {}});
  }
}

void RecoveredTail::take(const FrameReceived& frame, Actions& out) {
  const auto channel = channel_of(frame.connection);
  if (channel != Channel::public_data && channel != Channel::market_data) return;
  const auto message = decoder_.decode(frame.payload);
  if (!message) return;
  if (const auto* trade = std::get_if<model::AggTrade>(&*message)) {
    take(*trade, frame.received, out);
  } else if (const auto* delta = std::get_if<model::DepthDelta>(&*message)) {
    take(*delta, slot_of(frame.connection), frame.received, out);
  }
}

/// Whether the id is new; then it is known from here on.
bool RecoveredTail::take_id(Symbol& symbol, std::int64_t id) {
  auto& point = symbol.point;
  if (id < 0) return false;
  if (!point.last_trade_id) {
    point.last_trade_id = id;
    return true;
  }
  if (id > *point.last_trade_id) {
    if (id > *point.last_trade_id + 1) point.missing_trades.push_back({*point.last_trade_id + 1, id - 1});
    point.last_trade_id = id;
    return true;
  }
  auto& missing = point.missing_trades;
  const auto hole = std::find_if(missing.begin(), missing.end(),
                                 [id](const auto& range) { return range.from <= id && id <= range.to; });
  if (hole == missing.end()) return false;
  const feed::TradeRange above{id + 1, hole->to};
  hole->to = id - 1;
  auto at = hole + 1;
  if (hole->from > hole->to) at = missing.erase(hole);
  if (above.from <= above.to) missing.insert(at, above);
  return true;
}

void RecoveredTail::take(const model::AggTrade& trade, base::LocalTime received, Actions& out) {
  Symbol& symbol = by_symbol_[trade.symbol.index];
  if (!take_id(symbol, trade.id)) return;
  auto row = out.add_row(record::Kind::trades, symbol.point.symbol);
  row.time(trade.trade_time).time(received).time(trade.event_time);
  row.integer(trade.id).integer(trade.first_trade_id).integer(trade.last_trade_id).decimal(trade.price);
  row.decimal(trade.qty).boolean(trade.aggressor == model::Side::ask).null().null().text("journal").finish();
  ++rows_;
  // The next run's sum goes on from here; the signals never see this trade.
  const bool bought = trade.aggressor == model::Side::bid;
  symbol.point.signals.cvd += bought ? trade.qty : model::Qty{} - trade.qty;
  if (symbol.repaired.empty()) symbol.since = received;
  symbol.until = received;
  if (!symbol.repaired.empty() && symbol.repaired.back().to + 1 == trade.id) {
    symbol.repaired.back().to = trade.id;
  } else {
    symbol.repaired.push_back({trade.id, trade.id});
  }
}

void RecoveredTail::take(const model::DepthDelta& delta, std::size_t line, base::LocalTime received,
                         Actions& out) {
  Symbol& symbol = by_symbol_[delta.symbol.index];
  auto& head = symbol.point.last_depth_id;
  if (!head || symbol.depth_broken || delta.last_id <= *head) return;
  const bool follows = delta.prev_id ? *delta.prev_id <= *head : delta.first_id <= *head + 1;
  if (!follows) {
    symbol.depth_broken = true;
    return;
  }
  constexpr std::string_view lines[] = {"a", "b", "c"};
  auto row = out.add_row(record::Kind::depth, symbol.point.symbol);
  row.time(delta.event_time).time(received).optional(delta.transaction_time);
  row.integer(delta.first_id).integer(delta.last_id).optional(delta.prev_id).boolean(false);
  row.text(lines[line]).levels(delta.bids).levels(delta.asks).finish();
  ++rows_;
  head = delta.last_id;
}

std::vector<ResumePoint> RecoveredTail::finish(base::LocalTime now, Actions& out) {
  std::vector<ResumePoint> points;
  for (auto& symbol : by_symbol_) {
    auto& point = symbol.point;
    const auto enter = [&](std::string_view status, feed::TradeRange range, base::LocalTime from,
                           base::LocalTime to, std::string_view cause, std::string_view source) {
      auto row = out.add_row(record::Kind::coverage, point.symbol);
      row.time(base::venue_time_ns(base::ns_of(now)))
          .time(from)
          .time(to)
          .text("trades")
          .text(status)
          .text(cause);
      row.text(source)
          .integer(range.from)
          .integer(range.to)
          .integer(range.to - range.from + 1)
          .text("")
          .finish();
      ++rows_;
    };
    for (const auto& range : symbol.repaired)
      enter("repaired", range, symbol.since, symbol.until, "", "journal");
    auto& missing = point.missing_trades;
    while (missing.size() > feed::TradeMerge::holes_max) {
      enter("lost", missing.front(), point.recorded_until.value_or(now), now, "too many holes at a restart",
            "");
      missing.erase(missing.begin());
    }
    points.push_back(std::move(point));
  }
  return points;
}

}  // namespace phoenix::engine
