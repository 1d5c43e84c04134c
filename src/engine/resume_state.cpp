#include "engine/resume_state.hpp"

#include <algorithm>

namespace phoenix::engine {

using record::Kind;

void ResumeState::begin_run() {
  for (const auto& [id, qty] : unsummed_) cvd_ += qty;
  unsummed_.clear();
}

void ResumeState::look_at(const record::RowView& row, base::LocalTime written) {
  raise(until_, written);
  switch (row.kind()) {
    case Kind::trades:
      on_trade(row);
      break;
    case Kind::depth:
      raise(last_depth_id_, *row.last_id());
      break;
    case Kind::cvd:
      on_cvd(row);
      break;
    case Kind::features: {
      static const auto second = record::column_index(Kind::features, "second_ts");
      add_last_second(row.integer(second), written);
      break;
    }
    case Kind::coverage:
      on_coverage(row);
      break;
    default:
      break;
  }
}

void ResumeState::on_trade(const record::RowView& row) {
  static const auto price = record::column_index(Kind::trades, "price");
  static const auto qty = record::column_index(Kind::trades, "qty");
  static const auto source = record::column_index(Kind::trades, "source");
  static const auto sold = record::column_index(Kind::trades, "is_buyer_maker");
  const std::int64_t id = *row.last_id();
  const auto known = std::upper_bound(trades_.begin(), trades_.end(), id,
                                      [](std::int64_t i, const auto& range) { return i < range.from; });
  const bool seen = known != trades_.begin() && std::prev(known)->to >= id;
  add_trades({id, id});
  // The signals refuse such a trade: no sum will ever hold it.
  if (seen || row.integer(price) <= 0 || row.integer(qty) <= 0) return;
  const auto size = model::Qty::from_raw(row.integer(qty));
  const auto delta = row.boolean(sold) ? model::Qty{} - size : size;
  // Taken from a dead run's frames: no signals ever see it, the run that writes it starts from it.
  if (row.text(source) == "journal") {
    cvd_ += delta;
    return;
  }
  unsummed_[id] = delta;
  if (unsummed_.size() > unsummed_max) unsummed_.erase(unsummed_.begin());
}

void ResumeState::on_cvd(const record::RowView& row) {
  static const auto column = record::column_index(Kind::cvd, "cvd");
  const std::int64_t id = *row.last_id();
  unsummed_.erase(id);
  raise(last_cvd_id_, id);
  cvd_ = model::Qty::from_raw(row.integer(column));
}

void ResumeState::on_coverage(const record::RowView& row) {
  static const auto stream = record::column_index(Kind::coverage, "stream");
  static const auto status = record::column_index(Kind::coverage, "status");
  static const auto first = record::column_index(Kind::coverage, "first_id");
  static const auto last = record::column_index(Kind::coverage, "last_id");
  if (row.text(stream) != "trades" || row.text(status) != "lost") return;
  if (row.is_null(first) || row.is_null(last)) return;
  add_trades({row.integer(first), row.integer(last)});
}

void ResumeState::add_last_second(std::int64_t second, base::LocalTime known_at) {
  if (second - base::ns_of(known_at) / 1'000'000'000 <= second_ahead_max) raise(last_second_, second);
}

void ResumeState::add_trades(feed::TradeRange ids) {
  if (ids.from > ids.to) return;
  // The first that touches or lies beyond; everything touched becomes one.
  auto first = trades_.end();
  while (first != trades_.begin() && std::prev(first)->to + 1 >= ids.from) --first;
  auto last = first;
  for (; last != trades_.end() && last->from - 1 <= ids.to; ++last) {
    ids.from = std::min(ids.from, last->from);
    ids.to = std::max(ids.to, last->to);
  }
  if (first == last) {
    trades_.insert(first, ids);
    return;
  }
  *first = ids;
  trades_.erase(first + 1, last);
}

ResumePoint ResumeState::point(std::string_view symbol) const {
  ResumePoint point;
  point.symbol = symbol;
  if (!trades_.empty()) point.last_trade_id = trades_.back().to;
  point.last_depth_id = last_depth_id_;
  point.recorded_until = until_;
  for (std::size_t i = 1; i < trades_.size(); ++i)
    point.missing_trades.push_back({trades_[i - 1].to + 1, trades_[i].from - 1});
  point.signals.last_second = last_second_;
  point.signals.cvd = cvd_;
  for (const auto& [id, qty] : unsummed_) point.signals.cvd += qty;
  return point;
}

}  // namespace phoenix::engine
