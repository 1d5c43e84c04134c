#include "app/dashboard_feed.hpp"

#include <algorithm>
#include <utility>

namespace phoenix::app {
namespace {

bool rests(const order::OrderView& order) {
  return !order.leaving &&
         (order.state == order::OrderState::live || order.state == order::OrderState::pending_amend);
}

LadderRow& row_at(std::vector<LadderRow>& rows, model::Side side, model::Price price) {
  const auto it = std::find_if(rows.begin(), rows.end(),
                               [&](const LadderRow& r) { return r.side == side && r.price == price; });
  if (it != rows.end()) return *it;
  rows.push_back({.side = side, .price = price});
  return rows.back();
}

}  // namespace

std::vector<LadderRow> ladder_rows(const book::Book& book, const std::vector<order::OrderView>& orders,
                                   std::size_t levels) {
  std::vector<LadderRow> rows;
  for (const auto side : {model::Side::bid, model::Side::ask}) {
    std::size_t left = levels;
    book.walk(side, [&](const model::Level& level) {
      if (left == 0) return false;
      --left;
      rows.push_back({.side = side, .price = level.price, .market = level.qty});
      return true;
    });
  }
  for (const auto& order : orders) {
    LadderRow& row = row_at(rows, order.side, order.price);
    if (row.market.raw() == 0) row.market = book.qty_at(order.side, order.price);
    (rests(order) ? row.own : row.moving) += order.qty - order.filled_qty;
  }
  std::sort(rows.begin(), rows.end(), [](const LadderRow& a, const LadderRow& b) {
    if (a.price != b.price) return a.price > b.price;
    return a.side == model::Side::ask && b.side == model::Side::bid;
  });
  return rows;
}

void DashboardFeed::append(DashboardEvent event) {
  const std::lock_guard lock{mutex_};
  event.number = ++last_number_;
  events_.push_back(std::move(event));
  if (events_.size() > events_max) events_.pop_front();
}

void DashboardFeed::on_incident(const ops::Incident& incident) {
  append({.at = incident.at,
          .kind = std::string{ops::name(incident.kind)},
          .symbol = incident.subject.str(),
          .what = incident.what.str(),
          .evidence = std::string{incident.evidence},
          .cost = incident.cost});
}

void DashboardFeed::on_state(const engine::Engine& engine, const order::StateRecord& record,
                             base::LocalTime now) {
  const auto* fill = std::get_if<order::Fill>(&record);
  if (fill == nullptr) return;
  append({.at = now,
          .kind = "fill",
          .symbol = std::string{engine.symbols().name(fill->symbol)},
          .what = fill->maker ? "maker" : "taker",
          .side = fill->side,
          .price = fill->price,
          .qty = fill->qty});
}

void DashboardFeed::look(const engine::Engine& engine, base::LocalTime now) {
  if (!is_watched_.load(std::memory_order_relaxed)) return;
  std::vector<std::string> watched;
  {
    const std::lock_guard lock{mutex_};
    watched = watched_;
  }
  made_.clear();
  for (auto& name : watched) {
    const auto symbol = engine.symbols().find(name);
    if (!symbol) continue;
    engine.orders().view(*symbol, orders_);
    made_.push_back({.symbol = std::move(name),
                     .at = now,
                     .rows = ladder_rows(engine.book(*symbol), orders_, levels_shown)});
  }
  const std::lock_guard lock{mutex_};
  std::swap(ladders_, made_);
}

std::vector<DashboardEvent> DashboardFeed::events_after(std::uint64_t number) const {
  const std::lock_guard lock{mutex_};
  const auto it =
      std::upper_bound(events_.begin(), events_.end(), number,
                       [](std::uint64_t n, const DashboardEvent& event) { return n < event.number; });
  return {it, events_.end()};
}

void DashboardFeed::watch(std::vector<std::string> symbols) {
  if (symbols.size() > watched_max) symbols.resize(watched_max);
  const std::lock_guard lock{mutex_};
  watched_ = std::move(symbols);
  is_watched_.store(!watched_.empty(), std::memory_order_relaxed);
  if (watched_.empty()) ladders_.clear();
}

std::vector<LadderView> DashboardFeed::ladders() const {
  const std::lock_guard lock{mutex_};
  return ladders_;
}

}  // namespace phoenix::app
