#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "exchange/types.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace phoenix::exchange {

/// Who has left a recorded level that shrinks by more than its trades explain: a recording does not say.
enum class ExternalQueue : std::uint8_t {
  from_behind,   ///< the last of the queue, so that nobody behind comes forward: the cautious guess
  proportional,  ///< everybody in equal shares: what stands ahead of an order shrinks as the level does
};

struct CoreOptions {
  std::uint64_t seed = 1;
  VenueTime start{};
  std::vector<SymbolSpec> symbols = default_symbols();
  std::vector<AccountOptions> accounts;
  base::Duration funding_interval = base::hours{8};  ///< funding falls on its multiples since 1970
  std::size_t finished_orders_max = 10'000;          ///< of an account; older ones are forgotten
  std::size_t fills_max = 20'000;                    ///< of an account
  std::size_t incomes_max = 20'000;                  ///< of an account
  std::size_t trades_max = 10'000;                   ///< of a symbol, single and aggregated ones each
  std::size_t bars_max = 1'500;                      ///< minutes of a symbol
  ExternalQueue external_queue = ExternalQueue::from_behind;
};

/// What ran into a bound.
struct CoreStats {
  std::uint64_t orders_forgotten = 0;  ///< finished orders dropped from a full history
  std::uint64_t trades_forgotten = 0;
  std::uint64_t agent_orders_refused = 0;  ///< the book of a symbol was full
  std::uint64_t external_refused =
      0;  ///< recorded levels or trades that make no sense (price or qty not positive)
  std::uint64_t external_forgotten =
      0;  ///< recorded levels farthest from the touch, dropped from a full side
  std::uint64_t agent_actions = 0;
};

/// The local exchange without its protocol: matching, accounts, margin, funding and the market around them.
/// Deterministic: equal options and equal calls give equal events. No I/O, one thread.
///
/// Every operation takes the exchange's own time. It first lets the market run up to `now` (as `advance`
/// does), then acts; all events go to `out` in the order they happened. Time never goes back: an earlier
/// `now` counts as the latest one seen. A refused operation emits nothing of its own.
///
/// Errors are the venue's codes. Symbol ids come from `find_symbol`; an unknown SymbolId is -1121.
class Core {
 public:
  template <class T>
  using Answer = base::Result<T, Reject>;

  /// Throws std::invalid_argument with one line when the options make no sense.
  explicit Core(CoreOptions options);
  ~Core();
  Core(Core&&) noexcept;
  Core& operator=(Core&&) noexcept;

  // Orders.

  /// The order as it stands after matching; an answer of type ACK shows NEW in any case.
  Answer<Order> place(AccountId account, const PlaceRequest& request, VenueTime now, CoreEvents& out);
  /// Price and quantity; the queue place is always lost, the STP mode becomes none. A quantity at or below
  /// what is filled, or a GTX price that would take, cancels the order (the answer then has status canceled).
  Answer<Order> amend(AccountId account, const AmendRequest& request, VenueTime now, CoreEvents& out);
  Answer<Order> cancel(AccountId account, const OrderKey& key, VenueTime now, CoreEvents& out);
  /// The number of orders cancelled.
  Answer<std::size_t> cancel_all(AccountId account, SymbolId symbol, VenueTime now, CoreEvents& out);
  /// Starts, replaces or (zero) stops the countdown of one account and symbol. Fires once in `advance`, at
  /// the first multiple of 10 ms at or after its end.
  Answer<base::Duration> countdown_cancel_all(AccountId account, SymbolId symbol, base::Duration after,
                                              VenueTime now, CoreEvents& out);

  // Time.

  /// Lets everything due at or before `now` happen, in the order of its time.
  void advance(VenueTime now, CoreEvents& out);
  /// When `advance` is next wanted. Always set: mark prices tick each second.
  VenueTime next_deadline() const;
  VenueTime now() const;

  // Administration: what the venue's operators and an account's owner can do.

  void set_symbol_status(SymbolId symbol, SymbolStatus status);
  /// New rules for orders to come; resting ones stay. Throws std::invalid_argument when they make no sense.
  void set_filters(SymbolId symbol, const Filters& filters);
  void set_regime(SymbolId symbol, Regime regime);
  /// 1..125, else -4028.
  Answer<int> set_leverage(AccountId account, SymbolId symbol, int leverage);
  /// Changes the wallet and tells the account (reason transfer).
  void transfer(AccountId account, std::string_view asset, Money amount, VenueTime now, CoreEvents& out);
  /// Cancels the account's orders of the symbol and closes its position at market with an order whose client
  /// id starts with "autoclose-".
  Answer<Order> liquidate(AccountId account, SymbolId symbol, VenueTime now, CoreEvents& out);

  // A recording drives a symbol (source external).

  /// One recorded change of the book: what it holds at these levels, users' orders not included. What grows
  /// joins the end of the queue, what shrinks leaves as ExternalQueue says. Users' orders that a level
  /// crosses are filled at their own price, best first, up to its quantity; the rest of it rests. Recorded
  /// levels of the other side that it crosses are gone. The best levels are told once, after all of it.
  void apply_external_levels(SymbolId symbol, std::span<const Level> bids, std::span<const Level> asks,
                             VenueTime now, CoreEvents& out);
  /// The recording's whole book: as above, and recorded levels that are not in it are gone.
  void replace_external_book(SymbolId symbol, std::span<const Level> bids, std::span<const Level> asks,
                             VenueTime now, CoreEvents& out);
  /// The recording's mark price, index and funding rate from now on, in place of our own. Funding is paid at
  /// our own funding times.
  void set_external_mark(SymbolId symbol, Price mark, Price index, Rate funding_rate, VenueTime now,
                         CoreEvents& out);
  /// A recorded trade. It fills users' orders that stand better than `price` first, then goes through the
  /// queue at `price` in its order, recorded quantity included. All of `qty` is printed.
  void apply_external_trade(SymbolId symbol, Price price, Qty qty, Side aggressor, VenueTime now,
                            CoreEvents& out);

  // Queries; they do not advance time.

  std::size_t symbol_count() const;
  std::optional<SymbolId> find_symbol(std::string_view name) const;
  bool has_symbol(SymbolId symbol) const;
  const SymbolSpec& spec(SymbolId symbol) const;
  SymbolStatus symbol_status(SymbolId symbol) const;
  std::size_t account_count() const;
  std::optional<AccountId> find_account(std::string_view api_key) const;
  const AccountOptions& account_options(AccountId account) const;

  /// Open or finished, the newest of a client id; -2013 when unknown or forgotten.
  Answer<Order> order(AccountId account, const OrderKey& key) const;
  /// Open only; else -2013.
  Answer<Order> open_order(AccountId account, const OrderKey& key) const;
  /// By order id; of every symbol when none is given.
  std::vector<Order> open_orders(AccountId account, std::optional<SymbolId> symbol = {}) const;
  // Histories come oldest first. With a starting point (an id, or `since` after 1970) they hold the first
  // `limit` rows from there, without one the last `limit` rows.

  /// Open and finished with id >= from_id (0: any), created in [since, until], by order id.
  std::vector<Order> orders(AccountId account, std::optional<SymbolId> symbol, std::int64_t from_id,
                            VenueTime since, VenueTime until, std::size_t limit) const;
  /// Fills with trade id >= from_id in [since, until].
  std::vector<FillRecord> user_trades(AccountId account, SymbolId symbol, std::optional<std::int64_t> from_id,
                                      VenueTime since, VenueTime until, std::size_t limit) const;
  std::vector<IncomeRecord> incomes(AccountId account, std::optional<SymbolId> symbol, VenueTime since,
                                    VenueTime until, std::size_t limit) const;
  const Position& position(AccountId account, SymbolId symbol) const;
  int leverage(AccountId account, SymbolId symbol) const;
  std::optional<Money> wallet(AccountId account, std::string_view asset) const;
  MarginState margin(AccountId account, std::string_view asset) const;
  Rate maker_fee(AccountId account, SymbolId symbol) const;
  Rate taker_fee(AccountId account, SymbolId symbol) const;
  /// Time left is `deadline - now`; empty when none runs.
  std::optional<VenueTime> countdown_deadline(AccountId account, SymbolId symbol) const;

  DepthView depth(SymbolId symbol, std::size_t limit) const;
  TopChange top(SymbolId symbol) const;
  std::vector<TradePrint> last_trades(SymbolId symbol, std::size_t limit) const;
  /// Rows with id >= from_id and time in [since, until]. The row that is still open is not among them.
  std::vector<AggTradePrint> agg_trades(SymbolId symbol, std::optional<std::int64_t> from_id, VenueTime since,
                                        VenueTime until, std::size_t limit) const;
  /// The newest `limit` minutes, oldest first; the last is the running one.
  std::vector<MinuteBar> bars(SymbolId symbol, std::size_t limit) const;
  MarkState mark(SymbolId symbol) const;
  Regime regime(SymbolId symbol) const;

  /// The truth, for checkers.
  Ledger ledger(AccountId account) const;
  /// The market's own position: with all accounts' it sums to zero.
  const Position& market_position(SymbolId symbol) const;
  CoreStats stats() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace phoenix::exchange
