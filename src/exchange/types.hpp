#pragma once

#include "base/time.hpp"
#include "model/account.hpp"
#include "model/fixed.hpp"
#include "model/ids.hpp"
#include "model/instrument.hpp"
#include "model/market.hpp"
#include "model/order.hpp"
#include "model/side.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace phoenix::exchange {

using base::VenueTime;
using model::Asset;
using model::ClientText;
using model::ExecutionType;
using model::Intent;
using model::Level;
using model::Money;
using model::OrderStatus;
using model::OrderType;
using model::Price;
using model::Qty;
using model::Rate;
using model::Side;
using model::SymbolId;
using model::SymbolStatus;
using model::TimeInForce;

/// Index of an account in CoreOptions::accounts, counted from 1. 0 is the market: all agents, or the
/// recording that drives a symbol.
struct AccountId {
  std::uint16_t index = 0;
  constexpr bool is_market() const { return index == 0; }
  friend constexpr auto operator<=>(AccountId, AccountId) = default;
};
inline constexpr AccountId market_account{};

/// What drives a symbol's market: seeded agents, a recording, or nobody but the accounts.
enum class MarketSource : std::uint8_t { agents, external, none };
/// The agents' mood; it changes at random.
enum class Regime : std::uint8_t { calm, normal, busy, crash };

/// The venue's rules for one symbol, as exchangeInfo states them. A zero minimum switches that minimum off;
/// tick, step and the maxima are positive.
struct Filters {
  Price tick_size, price_min, price_max;
  Qty step_size, qty_min, qty_max, market_qty_max;
  Money notional_min;
  Rate multiplier_up = Rate::of("1.05"),
       multiplier_down = Rate::of("0.95");  ///< PERCENT_PRICE, of the mark price
  int orders_max = 200;                     ///< open orders of one account
};

struct SymbolSpec {
  std::string name, base_asset, quote_asset;
  Filters filters;
  /// Decimals the venue accepts at all (-1111 beyond); not tick and step.
  int price_precision = 2, qty_precision = 3;
  Price initial_price;
  Qty size_unit;       ///< the typical quantity of an agent's small order
  int activity = 100;  ///< agents' actions a second in the normal regime, 1..100000
  MarketSource source = MarketSource::agents;
  Regime regime = Regime::normal;  ///< the first one
  /// Keeps the first regime for ever; for tests and demonstrations.
  bool regime_fixed = false;
};

struct FeeRates {
  std::string quote_asset;
  Rate maker, taker;
};
struct StartBalance {
  std::string asset;
  Money wallet;
};
struct AccountOptions {
  std::string api_key;
  std::string api_secret;  ///< only kept for the protocol: HMAC secret or Ed25519 public key
  std::vector<StartBalance> balances = {{"USDC", Money::from_units(10'000)},
                                        {"USDT", Money::from_units(10'000)}};
  std::vector<FeeRates> fees = {{"USDC", Rate{}, Rate::of("0.0004")},
                                {"USDT", Rate::of("0.0002"), Rate::of("0.0005")}};
  int leverage = 20;  ///< of every symbol until changed
};

/// ETHUSDC, DOGEUSDC, SOLUSDC, BNBUSDC, XRPUSDC, BTCUSDT, in this order.
std::vector<SymbolSpec> default_symbols();

enum class StpMode : std::uint8_t { none, expire_maker, expire_taker, expire_both };

/// The wire's `er`.
enum class ExpiryReason : std::uint8_t {
  none = 0,
  self_trade = 1,
  ioc_rest = 2,
  ioc_rest_self_trade = 3,
  reduce_only = 4,
  liquidated = 5,
  market_rest = 9
};

/// The venue's refusal of a request. The request changed nothing.
struct Reject {
  int code = 0;
  std::string message;
};

struct PlaceRequest {
  SymbolId symbol{};
  Side side = Side::bid;
  OrderType type = OrderType::limit;             ///< limit or market
  TimeInForce time_in_force = TimeInForce::gtc;  ///< ignored for market
  Qty qty{};
  Price price{};  ///< ignored for market
  Intent intent = Intent::open;
  StpMode stp = StpMode::expire_maker;
  std::string_view client_id{};  ///< empty: one is made; -4015 when it breaks the pattern
};

/// By `id`, or by `client_id` when `id` is 0.
struct OrderKey {
  SymbolId symbol{};
  std::int64_t id = 0;
  std::string_view client_id{};
};

struct AmendRequest {
  OrderKey key{};
  Side side = Side::bid;  ///< must be the order's own
  Price price{};
  Qty qty{};  ///< new total, what is filled included
  std::optional<std::int64_t> modify_id{};
};

/// An order of an account, open or finished.
struct Order {
  std::int64_t id = 0;
  AccountId account;
  SymbolId symbol;
  ClientText client_text;
  Side side = Side::bid;
  OrderType type = OrderType::limit;
  TimeInForce time_in_force = TimeInForce::gtc;
  OrderStatus status = OrderStatus::fresh;
  StpMode stp = StpMode::expire_maker;
  Intent intent = Intent::open;
  Price price;  ///< 0 for market
  Qty qty, filled;
  Money filled_quote;  ///< sum of price x quantity of its fills, exact
  int amendments = 0;
  VenueTime created{}, updated{};

  Qty left() const { return qty - filled; }
  bool is_open() const { return !model::is_final(status); }
  /// 0 when nothing is filled; half away from zero at 1e-8.
  Price average_price() const {
    return filled.is_zero() ? Price{} : model::average_price(filled_quote, filled);
  }
};

/// One-way position. `cost` is the signed sum of price x quantity that is still open.
///
/// Rounding rule: opening fills add their exact notional to `cost`. A reducing fill takes its share of
/// `cost`, rounded half away from zero to 1e-8, and realises the difference to its own notional; closing the
/// whole position takes the whole rest. So nothing is lost: at any time realized = cash received - cash paid
/// + cost.
struct Position {
  Qty qty;         ///< signed
  Money cost;      ///< signed
  Money realized;  ///< before fees, since the start
  VenueTime updated{};

  Price entry_price() const { return qty.is_zero() ? Price{} : model::average_price(cost, qty); }
  Money unrealized(Price mark) const { return model::notional(mark, qty) - cost; }
};

// Events, in the order they happened. `time` is the matching engine's T.

/// A level's new absolute quantity; 0 removes it.
struct BookChange {
  SymbolId symbol;
  Side side = Side::bid;
  Price price;
  Qty qty;
  std::int64_t update_id = 0;
  VenueTime time{};
};
/// The best levels changed in price or quantity; once per operation, after its BookChanges. An empty side has
/// price 0 and quantity 0.
struct TopChange {
  SymbolId symbol;
  Level bid, ask;
  std::int64_t update_id = 0;  ///< of the symbol's last BookChange
  VenueTime time{};
};
struct TradePrint {
  SymbolId symbol;
  std::int64_t id = 0;  ///< consecutive per symbol
  Price price;
  Qty qty;
  Side aggressor = Side::bid;
  AccountId maker, taker;
  std::int64_t maker_order = 0, taker_order = 0;  ///< 0 for the market's own
  VenueTime time{};
};
/// Trades of one price and aggressor within 100 ms, emitted when the row is closed.
struct AggTradePrint {
  SymbolId symbol;
  std::int64_t id = 0;  ///< consecutive per symbol
  Price price;
  Qty qty;
  std::int64_t first_trade_id = 0, last_trade_id = 0;
  Side aggressor = Side::bid;
  VenueTime time{};  ///< of its first trade
};
/// Everything ORDER_TRADE_UPDATE needs; TRADE_LITE too when `execution` is trade.
struct OrderEvent {
  Order order;  ///< as it stands after this event
  ExecutionType execution = ExecutionType::fresh;
  Qty last_qty;
  Price last_price;
  std::int64_t trade_id = 0;
  Money commission;  ///< in the symbol's quote asset; negative is a rebate
  Money realized;    ///< of this fill, before fees
  bool maker = false;
  ExpiryReason expiry = ExpiryReason::none;
  Money bids_notional, asks_notional;  ///< the account's resting orders of the symbol after this event
  std::optional<std::int64_t> modify_id;
  VenueTime time{};
};
/// ACCOUNT_UPDATE. Of a fill it comes before the OrderEvent.
struct AccountEvent {
  AccountId account{};
  model::AccountReason reason = model::AccountReason::order;
  Asset asset{};
  Money wallet{};
  Money change{};                      ///< except PnL and commission; funding payments are one
  std::optional<SymbolId> symbol{};    ///< of the position, or of the funding payment
  std::optional<Position> position{};  ///< absent for funding
  Money unrealized{};
  VenueTime time{};
};
/// Each full second and symbol.
struct MarkPriceTick {
  SymbolId symbol;
  Price mark, index;
  Rate funding_rate;
  VenueTime next_funding_time{}, time{};
};
/// A funding time passed; payments follow as AccountEvents.
struct FundingSettled {
  SymbolId symbol;
  Rate rate;
  Price mark;
  VenueTime time{};
};
/// A forced order of the market (agents in a crash) or of an account.
struct LiquidationPrint {
  SymbolId symbol;
  Side side = Side::bid;
  Qty qty, filled;
  Price price, average_price;
  VenueTime time{};
};

using CoreEvent = std::variant<BookChange, TopChange, TradePrint, AggTradePrint, OrderEvent, AccountEvent,
                               MarkPriceTick, FundingSettled, LiquidationPrint>;
using CoreEvents = std::vector<CoreEvent>;

// Answers of queries.

struct DepthView {
  std::int64_t last_update_id = 0;  ///< of the symbol's last BookChange
  VenueTime time{};                 ///< of that change
  std::vector<Level> bids, asks;    ///< best first
};

/// One row of userTrades.
struct FillRecord {
  SymbolId symbol;
  std::int64_t trade_id = 0, order_id = 0;
  Side side = Side::bid;
  Price price;
  Qty qty;
  Money quote_qty, realized, commission;
  bool maker = false;
  VenueTime time{};
};

/// One row of income.
enum class IncomeKind : std::uint8_t { realized_pnl, commission, funding_fee };
struct IncomeRecord {
  std::int64_t id = 0;
  IncomeKind kind = IncomeKind::realized_pnl;
  SymbolId symbol;
  Money amount;
  std::int64_t trade_id = 0;
  VenueTime time{};
};

/// One minute. A minute without trades repeats the last close with volume 0.
struct MinuteBar {
  VenueTime open_time{};
  Price open{}, high{}, low{}, close{};
  Qty volume{}, taker_buy_volume{};
  Money quote_volume{}, taker_buy_quote{};
  std::int64_t trades = 0, first_trade_id = 0, last_trade_id = 0;  ///< ids 0 when there was no trade
};

struct MarkState {
  Price mark, index, last;  ///< last trade; the initial price before the first
  Rate funding_rate;        ///< estimate for the running interval
  Rate last_funding_rate;   ///< settled at the last funding time
  VenueTime next_funding_time{};
};

/// What one asset's single-asset margin looks like.
struct MarginState {
  Money wallet, unrealized;
  Money initial_margin;  ///< of positions and open orders
  Money available;       ///< wallet + unrealized - initial margin, not below 0
};

/// Everything of one symbol that checkers compare with what a client believes.
struct SymbolLedger {
  SymbolId symbol;
  Position position;
  Money fees, funding;  ///< paid (fees) and received (funding), summed
  std::int64_t fills = 0;
  Qty filled_volume;
  std::vector<Order> open_orders;  ///< by order id
};
/// The truth about an account. For each asset: wallet = start + sum(realized) - sum(fees) + sum(funding).
struct Ledger {
  struct Balance {
    Asset asset;
    Money start, wallet;
  };
  std::vector<Balance> balances;
  std::vector<SymbolLedger> symbols;  ///< one for each symbol of the core, in its order
};

}  // namespace phoenix::exchange
