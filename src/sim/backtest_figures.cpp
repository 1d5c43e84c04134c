#include "sim/backtest_figures.hpp"

#include <algorithm>
#include <cmath>
#include <variant>

namespace phoenix::sim {

using base::Duration;
using base::VenueTime;
using exchange::AccountEvent;
using exchange::OrderEvent;
using exchange::TopChange;
using model::ExecutionType;
using model::Money;
using model::Price;
using model::Qty;
using model::Side;

namespace {

constexpr Duration sample_interval = base::seconds{1};
constexpr Duration change_interval = base::seconds{10};
constexpr Duration window_length = base::minutes{5};
constexpr std::uint64_t changes_min = 30;
constexpr double changes_per_year = 365.0 * 86'400 / 10;

std::size_t index(Side side) { return side == Side::bid ? 0 : 1; }

Qty with_sign(Side side, Qty qty) { return side == Side::bid ? qty : -qty; }

/// Drops every second point.
template <class Point>
void thin(std::vector<Point>& points) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < points.size(); i += 2) points[kept++] = points[i];
  points.resize(kept);
}

}  // namespace

Profit& Profit::operator+=(const Profit& other) {
  spread += other.spread;
  inventory += other.inventory;
  fees += other.fees;
  funding += other.funding;
  return *this;
}

FigureKeeper::FigureKeeper(const std::vector<exchange::SymbolSpec>& symbols) {
  for (const auto& spec : symbols) {
    Symbol& symbol = symbols_.emplace_back();
    symbol.figures.name = spec.name;
    symbol.figures.quote_asset = spec.quote_asset;
  }
}

std::optional<Price> FigureKeeper::Symbol::mid() const {
  if (!bid.price.is_positive() || !ask.price.is_positive()) return figures.mid;
  return Price::from_raw((bid.price + ask.price).raw() / 2);
}

Profit FigureKeeper::Symbol::profit() const {
  const auto price = mid();
  const Money traded = price ? cash + model::notional(*price, figures.position) : cash;
  return {.spread = spread, .inventory = traded - spread, .fees = fees, .funding = funding};
}

void FigureKeeper::see(const exchange::CoreEvent& event) {
  std::visit(
      [this](const auto& e) {
        if constexpr (requires { this->on(e); }) this->on(e);
      },
      event);
}

// Time.

/// Everything that has to look at the market as it was before `now`.
void FigureKeeper::pass(VenueTime now) {
  if (!begin_) {
    begin_ = next_sample_ = next_point_ = now;
    next_change_ = now + change_interval;
    for (Symbol& symbol : symbols_) symbol.counted = now;
  }
  while (next_sample_ <= now) {
    sample(next_sample_);
    next_sample_ += sample_interval;
  }
}

void FigureKeeper::sample(VenueTime now) {
  for (Symbol& symbol : symbols_) judge_fills(symbol, now);
  look_at_drawdown();
  if (next_change_ <= now) {
    const Money equity = total().net();
    const double change = (equity - equity_before_).to_double();
    equity_before_ = equity;
    ++changes_;
    const double off = change - change_mean_;
    change_mean_ += off / static_cast<double>(changes_);
    change_squares_ += off * (change - change_mean_);
    next_change_ += change_interval;
  }
  if (next_point_ > now) return;
  next_point_ = now + point_interval_;
  equity_.push_back({now, total()});
  for (Symbol& symbol : symbols_) {
    if (const auto mid = symbol.mid()) {
      symbol.figures.points.push_back(
          {now, *mid, symbol.best[0], symbol.best[1], symbol.figures.position, symbol.profit()});
    }
  }
  if (equity_.size() < points_max) return;
  thin(equity_);
  for (Symbol& symbol : symbols_) thin(symbol.figures.points);
  point_interval_ *= 2;
}

void FigureKeeper::count_presence(Symbol& symbol, VenueTime now) {
  const Duration since = now - symbol.counted;
  symbol.counted = now;
  if (!symbol.bid.price.is_positive() || !symbol.ask.price.is_positive()) return;
  symbol.figures.observed += since;
  const Price touch[2] = {symbol.bid.price, symbol.ask.price};
  for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
    if (!symbol.best[side]) continue;
    symbol.figures.quoted[side] += since;
    if (*symbol.best[side] == touch[side]) symbol.figures.at_touch[side] += since;
  }
}

void FigureKeeper::judge_fills(Symbol& symbol, VenueTime now) {
  const auto mid = symbol.mid();
  for (std::size_t h = 0; h < markout_horizons.size(); ++h) {
    auto& waiting = symbol.waiting[h];
    while (!waiting.empty() && waiting.front().due <= now) {
      BacktestFill& fill = symbol.figures.kept_fills[waiting.front().fill];
      waiting.pop_front();
      if (mid) fill.markout[h] = fill.side == Side::bid ? *mid - fill.mid : fill.mid - *mid;
    }
  }
}

void FigureKeeper::look_at_drawdown() {
  const Money net = total().net();
  peak_ = std::max(peak_, net);
  drawdown_ = std::max(drawdown_, peak_ - net);
}

Profit FigureKeeper::total() const {
  Profit sum;
  for (const Symbol& symbol : symbols_) sum += symbol.profit();
  return sum;
}

FillWindow& FigureKeeper::window(Symbol& symbol, VenueTime now) {
  const auto at = static_cast<std::size_t>((now - *begin_) / window_length);
  if (symbol.figures.windows.size() <= at) symbol.figures.windows.resize(at + 1);
  return symbol.figures.windows[at];
}

// Events.

void FigureKeeper::on(const TopChange& event) {
  pass(event.time);
  Symbol& symbol = symbols_[event.symbol.index];
  judge_fills(symbol, event.time);
  count_presence(symbol, event.time);
  symbol.bid = event.bid;
  symbol.ask = event.ask;
  if (const auto mid = symbol.mid()) symbol.figures.mid = mid;
}

void FigureKeeper::on(const OrderEvent& event) {
  if (event.order.account.is_market()) return;
  pass(event.time);
  Symbol& symbol = symbols_[event.order.symbol.index];
  BacktestSymbol& figures = symbol.figures;
  count_presence(symbol, event.time);
  const auto found = symbol.orders.find(event.order.id);
  switch (event.execution) {
    case ExecutionType::fresh:
      ++figures.orders;
      figures.placed_qty += event.order.qty;
      window(symbol, event.time).placed += event.order.qty;
      break;
    case ExecutionType::amendment:
      ++figures.amendments;
      figures.placed_qty += event.order.left();
      window(symbol, event.time).placed += event.order.left();
      break;
    case ExecutionType::trade:
      on_fill(symbol, event, found == symbol.orders.end() ? nullptr : &found->second);
      break;
    case ExecutionType::canceled:
      ++figures.cancels;
      break;
    default:
      ++figures.expired;
      break;
  }
  if (!event.order.is_open()) {
    if (found != symbol.orders.end()) symbol.orders.erase(found);
  } else if (event.execution == ExecutionType::trade && found != symbol.orders.end()) {
    found->second.left = event.order.left();
  } else {
    symbol.orders[event.order.id] = {event.order.side, event.order.price, event.order.left(), event.time};
  }
  find_best(symbol);
}

void FigureKeeper::on_fill(Symbol& symbol, const OrderEvent& event, Own* own) {
  BacktestSymbol& figures = symbol.figures;
  const Money paid = model::notional(event.last_price, event.last_qty);
  const bool buy = event.order.side == Side::bid;
  const Price mid = symbol.mid().value_or(event.last_price);
  ++figures.fills;
  if (event.maker) ++figures.maker_fills;
  figures.filled_qty += event.last_qty;
  window(symbol, event.time).filled += event.last_qty;
  figures.volume += paid;
  if (!event.maker) figures.taker_volume += paid;
  figures.position += with_sign(event.order.side, event.last_qty);
  figures.position_max = std::max(figures.position_max, figures.position.abs());
  figures.realized += event.realized;
  symbol.cash += buy ? -paid : paid;
  symbol.fees += event.commission;
  const Money worth = model::notional(mid, event.last_qty);
  symbol.spread += buy ? worth - paid : paid - worth;
  look_at_drawdown();
  if (figures.kept_fills.size() >= fills_max) {
    ++figures.fills_not_kept;
    return;
  }
  BacktestFill fill{.at = event.time, .side = event.order.side, .price = event.last_price, .mid = mid};
  fill.qty = event.last_qty;
  fill.maker = event.maker;
  if (own != nullptr && !own->filled) {
    fill.queued = event.time - own->placed;
    own->filled = true;
  }
  figures.kept_fills.push_back(fill);
  for (std::size_t h = 0; h < markout_horizons.size(); ++h)
    symbol.waiting[h].push_back({event.time + markout_horizons[h], figures.kept_fills.size() - 1});
}

void FigureKeeper::on(const AccountEvent& event) {
  if (event.account.is_market() || event.reason != model::AccountReason::funding_fee || !event.symbol) return;
  pass(event.time);
  symbols_[event.symbol->index].funding += event.change;
}

void FigureKeeper::find_best(Symbol& symbol) {
  symbol.best = {};
  for (const auto& [id, order] : symbol.orders) {
    auto& best = symbol.best[index(order.side)];
    if (!best || (order.side == Side::bid ? order.price > *best : order.price < *best)) best = order.price;
  }
}

BacktestFigures FigureKeeper::finish(VenueTime end) {
  pass(end);
  BacktestFigures figures;
  figures.begin = *begin_;
  figures.end = end;
  figures.profit = total();
  figures.drawdown_max = drawdown_;
  if (changes_ >= changes_min && change_squares_ > 0) {
    const double deviation = std::sqrt(change_squares_ / static_cast<double>(changes_ - 1));
    figures.sharpe = change_mean_ / deviation * std::sqrt(changes_per_year);
  }
  for (Symbol& symbol : symbols_) {
    judge_fills(symbol, end);
    count_presence(symbol, end);
    symbol.figures.profit = symbol.profit();
    figures.symbols.push_back(std::move(symbol.figures));
  }
  equity_.push_back({end, figures.profit});
  figures.equity = std::move(equity_);
  return figures;
}

}  // namespace phoenix::sim
