#pragma once

#include "base/time.hpp"
#include "model/account.hpp"
#include "model/ids.hpp"
#include "model/instrument.hpp"
#include "model/order.hpp"
#include "model/quote.hpp"
#include "order/order_events.hpp"
#include "order/order_state.hpp"
#include "order/seen_trades.hpp"
#include "order/state_record.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace phoenix::order {

/// In what order requests get the budget that is left: a risk cancel always goes.
enum class Lane : std::uint8_t { risk_cancel, cancel, query, place };

struct OutRequest {
  model::RequestId id;
  model::OrderRequest request;
  Lane lane = Lane::place;
};
/// Owned, drained and kept by the caller, so that its memory is reused.
using Requests = std::vector<OutRequest>;

/// How a request was lost without an answer: `not_sent` means not one byte of it left.
enum class Lost : std::uint8_t { not_sent, unknown };

enum class AmendUse : std::uint8_t {
  never,
  for_moves  ///< one amend instead of cancel and place, where the change is not made to reduce risk
};

/// Settings of the whole order book of ours; the defaults are documented values.
struct OrdersOptions {
  AmendUse amend = AmendUse::for_moves;
  /// A live order stays within these shares of the local gap between wanted prices, in thousandths.
  std::int64_t tolerance_in_milli = 250;   ///< towards the market
  std::int64_t tolerance_out_milli = 500;  ///< away from it
  /// The order nearest to the market stays within these shares of its wanted distance from the mid.
  std::int64_t first_distance_min_milli = 750;
  std::int64_t first_distance_max_milli = 1500;
  /// An order stays while its open quantity is within these shares of the wanted one.
  std::int64_t qty_min_milli = 500;
  std::int64_t qty_max_milli = 1100;
  base::Duration recv_window = base::milliseconds{2000};
  base::Duration answer_timeout =
      base::seconds{2};                        ///< then the outcome is unknown (a slow answer still counts)
  base::Duration lag_max = base::seconds{10};  ///< "not found" proves nothing sooner after a request
  base::Duration cancel_retry_min = base::milliseconds{200};  ///< doubles up to the maximum
  base::Duration cancel_retry_max = base::seconds{2};
  int post_only_rejects_per_second = 5;  ///< then `post_only_pause`
  base::Duration post_only_pause = base::seconds{1};
  base::Duration refused_pause_min =
      base::seconds{1};  ///< after any other refusal; doubles up to the maximum
  base::Duration refused_pause_max = base::seconds{30};
  base::Duration fills_missing_after = base::seconds{5};     ///< then FillsMissing asks for the trades
  base::Duration fills_forgotten_after = base::seconds{60};  ///< then the position report alone decides
  std::uint64_t first_request_id = std::uint64_t{1} << 40;   ///< nobody else mints at or above it
};

/// Limits of one symbol. The defaults hold 7 layers a side three times over.
struct SymbolOrderLimits {
  int cancels_per_minute = 60;  ///< for moves; cancels that reduce risk are counted in but never held
  int orders_max = 42;          ///< ours open at once, in any state; the instrument's own bound holds too
};

/// How the market stands at a call of `want`.
struct WantContext {
  model::TopOfBook top;
  model::SideQty room;  ///< what may rest on each side at most, everything included (risk::Limits::room)
  int places_max = 0;   ///< new orders and amends the venue's order count has room for
};

/// One of our orders, for views.
struct OrderView {
  model::ClientOrderId id;
  std::int64_t order_id = 0;  ///< the venue's; 0 until it told
  model::Side side = model::Side::bid;
  OrderState state = OrderState::pending_new;
  model::Price price;
  model::Qty qty, filled_qty;
  bool leaving = false;  ///< cancelled, or to be cancelled
  bool takes = false;    ///< an order of `take`: it never rests
};

struct OrdersCounts {
  std::uint64_t places = 0, amends = 0, cancels = 0, risk_cancels = 0, queries = 0,
                takes = 0;              ///< requests made
  std::uint64_t done = 0, unknown = 0;  ///< orders that ended; times one became unknown
  std::uint64_t post_only_rejects = 0, refusals = 0;
  std::uint64_t duplicate_trades = 0;  ///< told again
  std::uint64_t held_by_room = 0, held_by_rate = 0, held_by_cancel_budget = 0, held_by_own_cross = 0,
                held_by_pause = 0,
                held_by_orders_max = 0;  ///< wanted changes that had to wait, per call of `want`
  std::uint64_t adopted = 0;             ///< orders of earlier runs, or long taken for done
  std::uint64_t illegal_steps = 0;       ///< contradictions of the venue, settled by a query
};

/// All orders of ours on the account: what is wanted against what lives, with the fewest requests; what lives
/// against what the venue says, by evidence only.
///
/// Every order is known by its client id from the moment its placement is appended to `out`. A placement is
/// sent once and never repeated; an order whose outcome is unknown counts as live, keeps its place in the
/// ladder, is queried, and is cancelled by client id when it must go. Appended requests must be sent, or
/// reported by `on_lost(not_sent)`.
class Orders {
 public:
  Orders(const OrdersOptions& options, std::uint32_t run_epoch);

  /// At start-up, before the first `want`; again for a symbol: replaces its limits and rules.
  void add_symbol(const model::Instrument& instrument, const SymbolOrderLimits& limits);

  /// Moves the live orders of the symbol towards `quotes` (bids and asks, each from the market outwards).
  void want(model::SymbolId symbol, const model::Quotes& quotes, const WantContext& context,
            base::LocalTime now, Requests& out);
  /// Sends an order that takes at once, at `limit` or better, what it can of `qty`, and only reduces: its
  /// rest expires. On Lane::risk_cancel, after the cancels of our own orders that it would meet. False, and
  /// nothing is sent, for no quantity, no price or while an earlier take of the symbol has not ended (its
  /// outcome unknown, for example). Otherwise an order like every other: in the exposure until it ends with
  /// an OrderDone; but `want` neither moves nor cancels it, and counts it in the room. That the venue has
  /// nothing to reduce ends it without a Rejected. To be called after `want` or `pull` of the same step: a
  /// `pull` after it cancels it.
  bool take(model::SymbolId symbol, model::Side side, model::Qty qty, model::Price limit, base::LocalTime now,
            Requests& out);
  /// Whether a take of the symbol has not ended.
  bool is_taking(model::SymbolId symbol) const;
  /// Cancels every order of the symbol, those in flight and unknown too, and repeats until each is confirmed
  /// gone.
  void pull(model::SymbolId symbol, base::LocalTime now, Requests& out);
  void pull_all(base::LocalTime now, Requests& out);

  void on_answer(model::RequestId request, const model::OrderAnswer& answer, base::LocalTime now,
                 OrderEvents& events, Requests& out);
  void on_lost(model::RequestId request, Lost lost, base::LocalTime now, OrderEvents& events, Requests& out);
  void on_update(const model::OrderUpdate& update, base::LocalTime now, OrderEvents& events, Requests& out);
  void on_trade_lite(const model::TradeLite& trade, base::LocalTime now, OrderEvents& events);
  /// A trade fetched from REST to close a hole.
  void on_fill_report(const model::FillReport& report, base::LocalTime now, OrderEvents& events);
  /// The complete list of the symbol's open orders, asked for at `asked_at`.
  void on_open_orders(model::SymbolId symbol, std::span<const model::OrderReport> reports,
                      base::LocalTime asked_at, base::LocalTime now, OrderEvents& events, Requests& out);

  /// Does what is due. Early or twice is harmless.
  void expire(base::LocalTime now, OrderEvents& events, Requests& out);
  /// Never later than the next thing due; may be early.
  std::optional<base::LocalTime> next_deadline() const;

  /// The worst that the symbol's orders can still do to the position: open, in flight, unknown, and filled on
  /// the venue but not yet told as trades.
  model::SideQty exposure(model::SymbolId symbol) const;
  /// Orders that may rest or come to rest, and fills not yet told.
  int active_count(model::SymbolId symbol) const;
  int unknown_count(model::SymbolId symbol) const;
  /// Orders that evidence showed to rest and that are not to leave.
  int live_count(model::SymbolId symbol) const;
  /// No order of the symbol rests, is in flight or unknown.
  bool all_confirmed_gone(model::SymbolId symbol) const;
  bool all_confirmed_gone() const;
  /// Replaces `out` by the orders not done, bids first, each side from the market outwards.
  void view(model::SymbolId symbol, std::vector<OrderView>& out) const;
  /// The nearest to the market on this side that is proved live and not leaving.
  std::optional<model::Price> best_live(model::SymbolId symbol, model::Side side) const;
  /// What the venue said was filled of an order that is not done; zero for any other.
  model::Qty filled_of(model::SymbolId symbol, model::ClientOrderId id) const;
  /// The open quantity of our orders that may rest at this price.
  model::Qty resting_at(model::SymbolId symbol, model::Side side, model::Price price) const;
  /// An order of this run as it stands, for the store; empty when it was forgotten.
  std::optional<OrderRecord> record(model::SymbolId symbol, model::ClientOrderId id) const;
  /// Whose the order of a client id is. Those with which a person closes positions beside us are ours, too,
  /// and not managed here.
  FillOf whose(const std::optional<model::ClientOrderId>& id) const;
  const OrdersCounts& counts() const { return counts_; }

 private:
  struct Order {
    model::ClientOrderId id;
    std::int64_t order_id = 0;
    model::SymbolId symbol;
    model::Side side = model::Side::bid;
    model::Intent intent = model::Intent::open;
    OrderState state = OrderState::done;
    bool active = false;    ///< listed with its symbol: not done, or fills of it are still untold
    bool proved = false;    ///< evidence showed that the venue took it
    bool leaving = false;   ///< must end; cancels repeat until it does
    bool risk = false;      ///< ... because it is a risk
    bool adopted = false;   ///< met, not sent by this run: `sent_at` is when it was met
    bool takes = false;     ///< immediate or cancel: no part of the ladder
    bool amendable = true;  ///< false once an amend was refused: cancel and place instead
    bool slow = false;      ///< its placement's answer is overdue
    bool fills_asked = false;
    model::Price price, amend_price;
    model::Qty qty, amend_qty;        ///< totals; amend_* are zero unless an amend may still take effect
    model::Qty filled_qty, told_qty;  ///< the venue's cumulative figure; sum of the trades told
    base::VenueTime update_time{};    ///< of the newest price and quantity learnt
    base::LocalTime sent_at{}, proved_at{}, done_at{}, unknown_since{}, query_sent_at{};
    model::RequestId place_request, amend_request, cancel_request, query_request;  ///< 0: none in flight
    model::RequestId amend_last;                ///< whose outcome amend_price and amend_qty wait for
    base::LocalTime place_due{}, amend_due{};   ///< when the answer is overdue
    base::LocalTime cancel_due{}, query_due{};  ///< likewise; with none in flight, when the next one goes
    int cancel_attempts = 0, query_attempts = 0, not_found_count = 0;
    std::int64_t book_update_id = 0;  ///< of the top it was priced on
    std::uint64_t listed_pass = 0;    ///< the last reconciliation that listed it
  };
  struct Sent {
    model::RequestId id;
    Asked asked = Asked::place;
    std::uint32_t slot = 0;
    model::ClientOrderId order;
  };
  /// After a post-only refusal on one side.
  struct StepOut {
    model::Price bound;  ///< nothing nearer to the market than this ...
    base::LocalTime until{};
    std::int64_t book_update_id = 0;  ///< ... and nothing at all on the book that was wrong
  };
  struct Symbol {
    model::Instrument instrument;
    SymbolOrderLimits limits;
    bool known = false;
    std::vector<std::uint32_t> active;  ///< slots
    SeenTrades seen;
    std::vector<base::LocalTime> cancel_times;  ///< ring of the last cancels_per_minute
    std::size_t cancel_next = 0;
    std::array<std::optional<StepOut>, 2> step_out;
    base::LocalTime post_only_window{}, place_pause_until{};
    int post_only_count = 0, refusals_in_row = 0;
  };
  /// What an answer, an event or a list says about an order.
  struct Facts {
    model::OrderStatus status = model::OrderStatus::unknown;
    std::int64_t order_id = 0;
    model::Price price;
    model::Qty qty, filled_qty;
    base::VenueTime time{};
  };

  static Facts facts_of(const model::OrderReport& report);

  // The matching of wanted quotes with live orders, one side at a time.
  struct Wanted {
    model::Price price;
    model::Qty qty;
    model::Intent intent = model::Intent::open;
    bool taken = false;  ///< an order fits it or is being moved there
  };
  struct Row {
    std::uint32_t slot = 0;
    model::Price price;  ///< where it rests, or will once its amend is done
    model::Qty open_qty;
    model::Intent intent = model::Intent::open;
    bool kept = false;     ///< fits, or is being moved to fit
    bool surplus = false;  ///< to be cancelled when the budget allows
  };
  enum class Choice : std::uint8_t { skip_wanted, skip_row, keep };
  struct Cell {
    int kept = 0;
    Choice choice = Choice::skip_wanted;
    std::uint64_t moved = 0;  ///< sum of the distances, saturating
  };
  struct SidePlan {
    std::vector<Wanted> wanted;  ///< from the market outwards
    std::vector<Row> rows;       ///< likewise; orders that stay if they fit
    model::Qty exposure;         ///< all orders of the side
    model::Qty taking;           ///< of it, orders that take
    model::Price best_own;       ///< the nearest to the market at which one of ours may rest; 0 = none
    int staying = 0;             ///< orders of the side that are not leaving
  };

  static constexpr std::size_t slots_count = 8192, sent_count = 16384;
  static constexpr std::size_t adopted_max = 512;  ///< per symbol; more wait for the next list

  Symbol& ensure(model::SymbolId symbol);
  const Symbol* find(model::SymbolId symbol) const;
  Order* find(model::SymbolId symbol, model::ClientOrderId id);
  Order* find_by_order_id(model::SymbolId symbol, std::int64_t order_id);
  bool ours(const std::optional<model::ClientOrderId>& id) const;
  static std::size_t index_of(model::Side side) { return side == model::Side::bid ? 0 : 1; }

  // want
  void plan_side(const Symbol& symbol, model::Side side, const model::Quotes& quotes, base::LocalTime now);
  bool fits(const SidePlan& plan, std::size_t wanted, const Row& row, model::Side side,
            const model::TopOfBook& top) const;
  void match(SidePlan& plan, model::Side side, const model::TopOfBook& top);
  void match_by_cost(SidePlan& plan, model::Side side, const model::TopOfBook& top);
  void cut_to_room(SidePlan& plan, model::Qty room, base::LocalTime now, Requests& out);
  void move_rows(const Symbol& symbol, model::Side side, const WantContext& context, int& places_left,
                 base::LocalTime now, Requests& out);
  void cancel_leftovers(const Symbol& symbol, const model::TopOfBook& top, base::LocalTime now,
                        Requests& out);
  void place(Symbol& symbol, model::Side side, Wanted& wanted, const WantContext& context, int& places_left,
             base::LocalTime now, Requests& out);
  bool held(const Symbol& symbol, model::Side side, const WantContext& context, int places_left,
            base::LocalTime now);
  bool crosses_own(model::Side side, model::Price price) const;
  bool cancel_budget_left(const Symbol& symbol, base::LocalTime now) const;

  /// The worst this order can still do to the position.
  static model::Qty at_stake(const Order& order);
  /// What the world adds up must not stop the process: the sum stays within `bounded_max`.
  static model::Qty plus(model::Qty a, model::Qty b);
  static constexpr model::Qty bounded_max = model::Qty::from_units(10'000'000'000);

  // requests
  std::uint32_t take_slot();
  model::RequestId send(Asked asked, Order& order, model::OrderRequest request, Lane lane, Requests& out);
  void send_cancel(Order& order, base::LocalTime now, Requests& out);
  void send_query(Order& order, base::LocalTime now, Requests& out);
  void leave(Order& order, Lane lane, base::LocalTime now, Requests& out);

  // evidence
  std::pair<Order*, Asked> asked_by(model::RequestId request);
  void step(Order& order, OrderStep what, base::LocalTime now);
  void learn(Order& order, const Facts& facts, base::LocalTime now, OrderEvents& events, Requests& out);
  void prove(Order& order, base::LocalTime now, Requests& out);
  void settle_amend(Order& order, base::LocalTime now);
  void lose_amend(Order& order, base::LocalTime now, Requests& out);
  void become_unknown(Order& order, base::LocalTime now);
  void schedule_query(Order& order, base::LocalTime now);
  void finish(Order& order, OrderStep what, DoneReason reason, base::LocalTime now, OrderEvents& events);
  void keep_for_fills(Order& order);
  void drop(Order& order);
  void answered_place(Order& order, const model::OrderAnswer& answer, base::LocalTime now,
                      OrderEvents& events, Requests& out);
  void answered_amend(Order& order, model::RequestId request, const model::OrderAnswer& answer,
                      base::LocalTime now, OrderEvents& events, Requests& out);
  void answered_cancel(Order& order, model::RequestId request, const model::OrderAnswer& answer,
                       base::LocalTime now, OrderEvents& events, Requests& out);
  void answered_query(Order& order, model::RequestId request, const model::OrderAnswer& answer,
                      base::LocalTime now, OrderEvents& events, Requests& out);
  void settle_place(Order& order);
  void note_post_only(const Order& order, model::Price price, base::LocalTime now);
  void note_refusal(Symbol& symbol, base::LocalTime now);
  /// `filled_so_far`: by the order, with this trade, where that is known.
  void tell(Symbol& symbol, Order* order, const Fill& fill, OrderEvents& events,
            std::optional<model::Qty> filled_so_far = {});
  void adopt(Symbol& symbol, model::ClientOrderId id, model::Side side, model::Intent intent,
             const Facts& facts, base::LocalTime now, OrderEvents& events, Requests& out);

  // time
  void expire_order(Order& order, base::LocalTime now, OrderEvents& events, Requests& out);
  std::optional<base::LocalTime> deadline_of(const Order& order) const;
  void wake_at(base::LocalTime when) { deadline_ = deadline_ ? std::min(*deadline_, when) : when; }

  OrdersOptions options_;
  std::uint32_t epoch_;
  std::uint64_t next_counter_ = 1;
  std::uint64_t next_request_;
  std::vector<Symbol> symbols_;  ///< by SymbolId
  std::vector<Order> slots_;     ///< an order's slot is its counter modulo the count, so ids need no map
  std::vector<Sent> sent_;       ///< likewise by request number
  std::size_t slots_used_ = 0;
  int slow_count_ = 0;  ///< placements whose answer is overdue: nothing new while there is one
  std::uint64_t list_pass_ = 0;
  std::optional<base::LocalTime> deadline_;
  std::array<SidePlan, 2> plans_;  ///< scratch of `want`
  std::vector<Cell> cells_;
  OrdersCounts counts_;
};

}  // namespace phoenix::order
