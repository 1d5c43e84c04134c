#pragma once

#include "base/time.hpp"
#include "exchange/types.hpp"
#include "model/fixed.hpp"
#include "model/side.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::sim {

/// After how long a fill is judged by where the mid went.
inline constexpr std::array<base::Duration, 3> markout_horizons = {base::seconds{1}, base::seconds{5},
                                                                   base::seconds{30}};

/// What making the market came to, in quote currency and to the digit. At any time
/// net = spread + inventory - fees + funding.
struct Profit {
  model::Money spread;     ///< each fill against the mid just before it
  model::Money inventory;  ///< the position while the mid moved
  model::Money fees;       ///< paid; negative: rebates
  model::Money funding;    ///< received
  model::Money net() const { return spread + inventory - fees + funding; }
  Profit& operator+=(const Profit& other);
};

struct BacktestFill {
  base::VenueTime at{};
  model::Side side = model::Side::bid;
  model::Price price, mid;  ///< mid: just before it
  model::Qty qty;
  bool maker = true;
  /// From the order's last placement to this fill; only of the first fill after it.
  std::optional<base::Duration> queued;
  /// Where the mid went in our favour after each horizon; empty where the recording ended first.
  std::array<std::optional<model::Price>, markout_horizons.size()> markout{};
};

/// One instant of one symbol, for plots.
struct BacktestPoint {
  base::VenueTime at{};
  model::Price mid;
  std::optional<model::Price> own_bid, own_ask;
  model::Qty position;
  Profit profit;
};

struct FillWindow {
  model::Qty placed, filled;
};

struct BacktestSymbol {
  std::string name, quote_asset;
  std::uint64_t orders = 0, amendments = 0, cancels = 0, expired = 0;
  std::uint64_t fills = 0, maker_fills = 0;
  model::Qty placed_qty,
      filled_qty;  ///< an amended order counts as placed again: its place in the queue is new
  model::Money volume, taker_volume;
  model::Qty position;              ///< at the end
  model::Qty position_max;          ///< the largest, without its sign
  model::Money realized;            ///< of closed positions, before fees
  std::optional<model::Price> mid;  ///< at the end
  Profit profit;
  std::array<base::Duration, 2> at_touch{};  ///< our best bid, ask stood at the best bid, ask
  std::array<base::Duration, 2> quoted{};    ///< a bid, an ask of ours stood at all
  base::Duration observed{};                 ///< the market had two sides
  std::vector<BacktestFill> kept_fills;      ///< the first of them
  std::uint64_t fills_not_kept = 0;
  std::vector<BacktestPoint> points;
  std::vector<FillWindow> windows;  ///< of five minutes each, from the beginning
};

/// The whole account, at points of equal distance. Quote currencies are added as if they were one.
struct EquityPoint {
  base::VenueTime at{};
  Profit profit;
};

struct BacktestFigures {
  base::VenueTime begin{}, end{};
  std::vector<BacktestSymbol> symbols;
  std::vector<EquityPoint> equity;
  Profit profit;                 ///< sum over symbols
  model::Money drawdown_max;     ///< of the net profit, looked at each second and after each fill
  std::optional<double> sharpe;  ///< of changes over ten seconds, scaled to a year; from 30 of them on
};

/// Watches the truth inside the exchange and keeps the figures of its one account. Memory is bounded: plots
/// hold at most `points_max` points a symbol (then every second one goes), `fills_max` fills are kept.
class FigureKeeper {
 public:
  static constexpr std::size_t points_max = 2'000, fills_max = 50'000;

  explicit FigureKeeper(const std::vector<exchange::SymbolSpec>& symbols);
  /// Every event of the exchange, in order.
  void see(const exchange::CoreEvent& event);
  /// Takes account of the time up to `end`.
  BacktestFigures finish(base::VenueTime end);

 private:
  struct Own {
    model::Side side = model::Side::bid;
    model::Price price;
    model::Qty left;
    base::VenueTime placed{};
    bool filled = false;
  };
  struct Waiting {
    base::VenueTime due{};
    std::size_t fill = 0;
  };
  struct Symbol {
    BacktestSymbol figures;
    model::Level bid, ask;
    std::map<std::int64_t, Own> orders;
    std::array<std::optional<model::Price>, 2> best{};  ///< of ours, by side
    model::Money cash, fees, funding, spread;
    base::VenueTime counted{};  ///< up to here presence is counted
    std::array<std::deque<Waiting>, markout_horizons.size()> waiting;
    std::optional<model::Price> mid() const;
    Profit profit() const;
  };

  void on(const exchange::TopChange& event);
  void on(const exchange::OrderEvent& event);
  void on(const exchange::AccountEvent& event);
  void on(const exchange::MarkPriceTick& event) { pass(event.time); }
  void on_fill(Symbol& symbol, const exchange::OrderEvent& event, Own* own);
  void pass(base::VenueTime now);
  void sample(base::VenueTime now);
  void count_presence(Symbol& symbol, base::VenueTime now);
  void judge_fills(Symbol& symbol, base::VenueTime now);
  void find_best(Symbol& symbol);
  FillWindow& window(Symbol& symbol, base::VenueTime now);
  Profit total() const;
  void look_at_drawdown();

  std::vector<Symbol> symbols_;
  std::optional<base::VenueTime> begin_;
  base::VenueTime next_sample_{}, next_point_{}, next_change_{};
  base::Duration point_interval_ = base::seconds{1};
  std::vector<EquityPoint> equity_;
  model::Money peak_, drawdown_, equity_before_;
  std::uint64_t changes_ = 0;
  double change_mean_ = 0, change_squares_ = 0;  ///< Welford
};

}  // namespace phoenix::sim
