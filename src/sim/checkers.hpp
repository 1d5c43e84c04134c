#pragma once

#include "base/time.hpp"
#include "exchange/types.hpp"
#include "model/fixed.hpp"
#include "model/ids.hpp"
#include "order/orders.hpp"
#include "sim/book_seal.hpp"
#include "sim/observer.hpp"
#include "sim/recording_checker.hpp"
#include "sim/world.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::sim {

/// A promise that was not kept.
struct Violation {
  base::Duration at{};                 ///< since the start of the run
  std::string checker;                 ///< which promise
  std::string symbol;                  ///< empty: the whole program
  std::string facts;                   ///< what was seen, in one line
  std::vector<std::string> faults;     ///< going on then, or over for less than half a minute
  std::vector<std::string> incidents;  ///< the newest, oldest first
};

/// Who was in the way of withdrawing: the bound of the promise depends on it.
enum class Cause : std::uint8_t {
  data,       ///< only data was late or missing: the process and its way to the venue were well
  order_way,  ///< requests or their answers were hindered as well
  process     ///< the process stood still or was dead
};
inline constexpr std::size_t causes_count = 3;
std::string_view name(Cause cause);

/// The worst that was seen of each promise.
struct Worst {
  /// An order of ours rested this long after the market had moved and the maker could not know.
  std::array<base::Duration, causes_count> rested{};
  std::int64_t exposure_permille = 0;  ///< of the position limit: position and everything that rests
  int weight_used = 0;                 ///< in a minute, of the maker's address
  std::size_t sockets = 0;             ///< of one channel at once
  std::size_t connects_5min = 0;
  std::size_t connects_1min = 0;  ///< of one connection
  base::Duration over_lines{};    ///< how long a channel had one socket more than lines
  base::Duration recovery{};      ///< from the end of the last fault to all live and complete
  base::Duration order_truth{};   ///< an order that was gone and still taken for live
};

struct CheckerOptions {
  base::Duration rest_max_data{};  ///< bounds of Worst::rested
  base::Duration rest_max_order_way{};
  base::Duration rest_max_process{};
  base::Duration recovery_max = base::seconds{30};
  /// At most one line of a route is ever faulty and the process lives through: no trade may be missing.
  enum class TradeLoss : std::uint8_t { named, none } trade_loss = TradeLoss::named;
};
/// The bounds that follow from an engine's options.
CheckerOptions bounds_of(const WorldOptions& options);

/// Stands outside and knows the truth: what the exchange did, what left it and what reached the engine. It
/// asks the engine only what it believes, never what is so.
///
/// Kept promises: no order rests longer than the bound after its price lost proof; position and resting
/// orders within the limit; no client id twice and no order the engine does not know of; what it takes for
/// live is live; no own cross; nothing off tick and lot; budgets kept and Retry-After obeyed; its book is the
/// venue's book at the same update id; every trade once; sockets within the number; no reconnect without a
/// cause; memory within its bounds; and after the last fault everything is back without a human. What is
/// recorded is checked row by row (RecordingChecker).
class Checkers final : public Observer {
 public:
  Checkers(World& world, const CheckerOptions& options);

  /// Looks at what no event tells. Call it every 100 ms or so.
  void look();
  /// Everything is live and complete.
  bool is_recovered();
  /// Called when it has to be; the recovery time counts from `due_from`: the end of the last fault, or of the
  /// pause that fault demands.
  void expect_recovered(base::LocalTime due_from);
  /// The maker was asked to leave: from here on it may close what it likes.
  void expect_leaving() { leaving_ = true; }
  /// After a stop: nothing may be left at the venue, position and fills are the venue's, and of what was
  /// recorded nothing is missing.
  void expect_nothing_left();

  const std::vector<Violation>& violations() const { return violations_; }
  const Worst& worst() const { return worst_; }
  const RecordingFigures& recording() const { return recording_.figures(); }
  std::uint64_t books_compared() const { return books_compared_; }
  std::uint64_t market_moves() const { return moves_; }
  std::uint64_t fills() const { return fills_; }

  void happened(const exchange::CoreEvent& event) override;
  void sent(engine::ConnectionId id, std::string_view text) override;
  void before(const engine::Input& input, Intact intact) override;
  void after(const engine::Input& input, const engine::Actions& actions) override;
  void asked(Client client, const exchange::HttpRequest& request) override;
  void answered(Client client, Origin origin, const exchange::HttpRequest& request,
                const exchange::HttpAnswer& answer) override;
  void connecting(engine::ConnectionId id) override;
  void recorded(const record::RowView& row) override { recording_.recorded(row); }
  void refused(engine::ConnectionId id, Origin origin, int status) override;
  void process_changed(ProcessChange change) override;

 private:
  /// Moves of the best prices that no frame with their update id has brought to the engine yet.
  struct Move {
    base::LocalTime first{};
    std::int64_t last_id = 0;
  };
  struct OpenOrder {
    std::optional<model::ClientOrderId> id;  ///< empty: not one of ours
    model::Qty left;
  };
  struct Symbol {
    std::string name, stream_prefix;
    exchange::SymbolId venue_id;
    model::SymbolId id;  ///< the engine's
    model::Qty limit;
    int orders_max = 0, complete = 0;  ///< orders of a complete ladder, at least
    model::Price bid, ask;
    std::deque<Move> moves;
    std::int64_t delivered_id = 0;
    std::map<std::int64_t, OpenOrder> open;
    std::array<model::Qty, 2> resting{};
    model::Qty position;
    model::Qty by_hand;  ///< ordered on the account by somebody else
    std::array<BookSeal, 64> seals{};
    std::size_t seals_next = 0, depth_frames = 0;
    std::int64_t agg_last = 0;  ///< newest aggregate trade printed
    struct TradesSeen {
      std::int64_t last_id = 0;
      std::uint64_t hash = 0;
    };
    std::optional<TradesSeen> trades_seen;  ///< as the engine accounted for them, without holes
    std::map<std::uint64_t, base::LocalTime>
        ghosts;  ///< taken for live and not open at the venue, since when
  };

  static constexpr std::size_t violations_max = 16, seal_every = 8;

  void violated(std::string_view checker, const Symbol* symbol, std::string facts);
  void violated(std::string_view checker, std::string_view symbol, std::string facts);
  Symbol* symbol_of(exchange::SymbolId id);
  Symbol* symbol_of_stream(std::string_view stream);
  void on(const exchange::TopChange& event);
  void on(const exchange::OrderEvent& event);
  void on(const exchange::TradePrint& event);
  void on(const exchange::AggTradePrint& event);
  void note_resting(Symbol& symbol);
  Cause cause_since(base::LocalTime since);
  void check_exposure(const Symbol& symbol);
  void check_orders(Symbol& symbol);
  void check_trades(Symbol& symbol);
  void check_sockets();
  base::Duration replica_lag() const;
  void check_proof(std::string_view checker, std::string_view request, std::string_view symbol_key);
  void delivered(std::string_view text);
  void compare_books();
  void watch_lines();
  bool is_listen_key_gone(engine::ConnectionId id);
  base::Duration calm_for();
  bool is_calm(base::Duration for_at_least);
  std::optional<base::LocalTime> last_trouble();

  /// A fault of the plan in the world's time.
  struct Trouble {
    base::LocalTime begin{}, end{};
    const exchange::Fault* fault = nullptr;
    bool seen = false;     ///< by a look, since it began
    bool hit_both = true;  ///< both lines of what it is about were up when it began
  };

  World& world_;
  CheckerOptions options_;
  std::vector<Trouble> troubles_;  ///< by their begin
  exchange::AccountId account_;
  std::vector<Symbol> symbols_;
  std::map<std::uint32_t, std::vector<bool>> accepted_ids_;               ///< by run epoch and counter
  std::array<base::LocalTime, 2> silent_until_{}, cancels_only_until_{};  ///< by Client
  std::array<base::LocalTime, engine::channels_count> connect_after_{};
  std::array<std::optional<base::LocalTime>, engine::channels_count> over_lines_since_{};
  static constexpr std::size_t restarts_usual = 4;
  std::deque<base::LocalTime> restarts_;
  std::deque<base::LocalTime> connects_;
  std::array<std::deque<base::LocalTime>, engine::connections_count> connects_of_;
  std::optional<base::LocalTime> process_trouble_;  ///< when it last stood still or was not there
  std::optional<base::LocalTime> listen_key_noticed_;
  std::size_t frame_symbol_ = 0;
  bool frame_of_book_ = false, leaving_ = false;
  base::LocalTime last_look_{};
  std::array<std::size_t, engine::channels_count> lines_up_{};  ///< at the last look
  std::optional<base::LocalTime> single_line_;  ///< when a fault last hit a channel that ran on one line
  std::uint64_t resyncs_seen_ = 0;
  std::vector<order::OrderView> views_;
  std::vector<Violation> violations_;
  Worst worst_;
  RecordingChecker recording_;
  std::uint64_t books_compared_ = 0, moves_ = 0, fills_ = 0;
};

}  // namespace phoenix::sim
