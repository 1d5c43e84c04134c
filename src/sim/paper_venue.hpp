#pragma once

#include "base/time.hpp"
#include "engine/action.hpp"
#include "engine/engine.hpp"
#include "engine/input.hpp"
#include "sim/model_venue.hpp"
#include "venue/binance/market_decoder.hpp"
#include "venue/binance/rest_answers.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::sim {

/// Whether a call asks for what everybody may know: neither key nor signature nor account. What is not known
/// to be public is not.
bool is_public_call(std::string_view method, std::string_view target);

/// The rules of a symbol as the real venue states them, for an exchange whose market comes from outside.
exchange::SymbolSpec external_spec(const model::Instrument& rules, model::Price price);

struct PaperOptions {
  ExternalMarketOptions market;  ///< quoted symbols only
  std::string api_key, api_secret;
  base::LocalTime start{};
  base::Duration clock_offset{};  ///< the real venue's clock minus ours, to begin with
  /// One way between us and the real venue. Our picture of the market is as old as this, so an order meets
  /// the picture of twice as long after it was sent; its answer is back then too.
  base::Duration one_way = base::milliseconds{5};
};

struct PaperStats {
  std::uint64_t changes = 0, touches = 0, trades = 0, marks = 0;  ///< of the real market, taken over
  std::uint64_t books_replaced = 0;  ///< whole books taken over: at the begin, and after a hole
};

/// Paper trading: the account is a model, the market is the real one.
///
/// Everything that needs an account goes to the model: the user stream, the order connection, every call that
/// is not public. Its market is what the engine itself accepted of the real market data: depth as merged from
/// both lines, each trade once. A change of depth waits for `settle_after`, so that the trades it came of are
/// there first, and are not counted twice against what stands before an order. Best prices that pass an order
/// take effect at once: the engine saw them too, and an order must not escape what it has run from. While the
/// engine has no book of a symbol, the model's stands still.
///
/// What it leaves out: the real market does not know of our orders and does not react to them; the place in
/// the queue is a guess (exchange::ExternalQueue).
class PaperVenue {
 public:
  /// The venue sums trades up for 100 ms.
  static constexpr base::Duration settle_after = base::milliseconds{150};
  /// Changes that wait; beyond it the oldest takes effect earlier.
  static constexpr std::size_t waiting_max = 1'024;

  /// `engine` is only looked at, and outlives this. Throws std::invalid_argument with one line when the
  /// options make no sense.
  PaperVenue(PaperOptions options, const engine::Engine& engine);

  /// Whether the action is for the model, which has then taken it. Everything else is for the real venue.
  bool take(const engine::Action& action, const engine::Actions& all, base::LocalTime now);
  /// After each step of the engine: what it consumed.
  void saw(const engine::Input& input, base::LocalTime now);
  /// What has arrived at the engine, one at a time; its texts are valid until the next call.
  std::optional<engine::Input> next(base::LocalTime now);
  base::LocalTime next_deadline();

  const exchange::Exchange& exchange() const { return venue_.exchange(); }
  const PaperStats& stats() const { return stats_; }

 private:
  struct Symbol {
    std::optional<model::SymbolId> in_model;  ///< empty: only recorded
    std::int64_t depth_id = 0;                ///< changes up to this are in the model's book, or wait
    std::int64_t trade_id = 0;                ///< the newest taken over
    std::int64_t touch_id = 0;                ///< best prices that passed an order, as of this,
    model::Level bid{}, ask{};                ///< were these
  };
  struct Change {
    base::LocalTime due{};
    model::SymbolId symbol;  ///< the engine's
    std::int64_t id = 0;
    std::vector<model::Level> bids, asks;
  };

  void follow(const engine::FrameReceived& frame, base::LocalTime now);
  void follow(const engine::RestAnswered& answer, base::LocalTime now);
  void follow(const model::DepthDelta& delta, base::LocalTime now);
  void follow(const model::BookTicker& ticker, base::LocalTime now);
  void follow(const model::AggTrade& trade, base::LocalTime now);
  void follow(const model::MarkPrice& mark, base::LocalTime now);
  void take_book(model::SymbolId symbol, std::int64_t id, base::LocalTime now);
  void settle(base::LocalTime now);
  void apply(Change& change, base::LocalTime now);
  static void leave_out_the_passed(const Symbol& symbol, Change& change);

  const engine::Engine& engine_;
  ModelVenue venue_;
  venue::binance::MarketDecoder market_decoder_;
  venue::binance::RestDecoder rest_decoder_;
  std::vector<Symbol> symbols_;  ///< by the engine's SymbolId
  std::deque<Change> waiting_;
  struct ClockQuestion {
    model::RequestId request;
    base::LocalTime sent{};
  };
  std::optional<ClockQuestion> clock_question_;  ///< the newest on its way
  PaperStats stats_;
};

}  // namespace phoenix::sim
