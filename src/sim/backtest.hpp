#pragma once

#include "base/time.hpp"
#include "engine/engine.hpp"
#include "exchange/protocol.hpp"
#include "model/market.hpp"
#include "ops/status.hpp"
#include "sim/backtest_figures.hpp"
#include "sim/model_venue.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace phoenix::sim {

/// One thing a recording says about a market. Levels are valid during the call that takes it.
struct MarketEvent {
  enum class Kind : std::uint8_t {
    change,  ///< new absolute quantities of these levels
    whole,   ///< the whole book
    trade,
    mark
  };
  base::VenueTime at{};      ///< by the venue's clock
  model::SymbolId symbol{};  ///< place in BacktestOptions::symbols
  Kind kind = Kind::change;
  std::span<const model::Level> bids{}, asks{};
  model::Price price{};  ///< of a trade; the mark price
  model::Qty qty{};      ///< of a trade
  model::Side aggressor = model::Side::bid;
  model::Price index{};
  model::Rate funding_rate{};
  std::optional<base::Duration> lag{};  ///< by the recorder's clock it was received so much after it was sent
};

/// What the event says happens to `symbol` of an exchange at `now`.
void apply(const MarketEvent& event, model::SymbolId symbol, base::VenueTime now, exchange::Core& core,
           exchange::CoreEvents& events);

struct BacktestOptions {
  /// As for a live run. Strategy, lines and what the venue's limits concern are taken as they are; nothing is
  /// recorded.
  engine::Options engine;
  /// All driven by the recording.
  std::vector<exchange::SymbolSpec> symbols;
  base::VenueTime start{};
  exchange::ExternalQueue queue = exchange::ExternalQueue::from_behind;
  base::Duration feed_latency = base::milliseconds{5};   ///< from the venue to us, market data
  base::Duration order_latency = base::milliseconds{5};  ///< one way: orders, answers, user data, REST
  /// constant: as above. recorded: market data comes later by what the recording was later than at its best.
  enum class FeedLag : std::uint8_t { constant, recorded };
  FeedLag feed_lag = FeedLag::constant;
  std::optional<model::Rate> maker_fee, taker_fee;  ///< empty: the venue's first tier of the quote asset
  model::Money wallet = model::Money::from_units(10'000);  ///< of each quote asset, at the start
  base::Duration funding_interval = base::hours{8};
};

struct BacktestResult {
  BacktestFigures figures;
  std::uint64_t market_events = 0, level_changes = 0, trades = 0, marks = 0;
  std::uint64_t events_refused = 0;    ///< recorded levels and trades that make no sense
  std::uint64_t levels_forgotten = 0;  ///< farthest ones of a full side
  std::uint64_t engine_steps = 0;
  ops::Status status;  ///< the engine's own view at the end
  /// Of the engine, each text once with how often it was said; the first ones.
  std::vector<std::pair<std::string, std::uint64_t>> warnings;
  std::uint64_t warnings_not_kept = 0;
  std::optional<std::string> latched;  ///< why the maker stopped quoting for good
};

/// The engine that trades live, and an exchange whose market is a recording, in one thread and virtual time,
/// joined by a network of constant latency without faults. Equal options and equal events give equal results.
///
/// What it leaves out: the market does not react to our orders; between two recorded changes of a level
/// nothing happens there but trades; the place of an order in the queue is a model (ExternalQueue).
class Backtest final : private exchange::Exchange::Witness {
 public:
  /// Throws std::invalid_argument with one line when the options make no sense.
  explicit Backtest(BacktestOptions options);
  ~Backtest() override;
  Backtest(const Backtest&) = delete;
  Backtest& operator=(const Backtest&) = delete;

  /// Lets the world run up to the event, then makes it happen. An earlier time counts as the latest one.
  void apply(const MarketEvent& event);
  /// The market stands still; the maker is asked to leave and given its time to. Call once, last.
  BacktestResult finish();

  base::LocalTime now() const { return now_; }
  const exchange::Exchange& exchange() const { return venue_.exchange(); }

 private:
  void saw(const exchange::CoreEvent& event) override { keeper_.see(event); }
  void run_until(base::LocalTime until);
  void step(const engine::Input& input);
  void perform(const engine::Action& action, const engine::Actions& all);
  void warn(const engine::Note& note, const engine::Actions& all);
  base::VenueTime venue_now() const { return venue_.venue_time(now_); }

  BacktestOptions options_;
  FigureKeeper keeper_;
  base::LocalTime now_;
  ModelVenue venue_;
  std::unique_ptr<engine::Engine> engine_;
  engine::Actions actions_, spare_actions_;
  std::deque<std::string> latches_;  ///< set by the engine, and not yet told back to it
  std::optional<base::LocalTime> engine_due_;
  std::optional<base::Duration> lag_least_;
  bool finished_ = false;
  int ticks_at_once_ = 0;
  BacktestResult result_;
};

}  // namespace phoenix::sim
