#include "exchange/core.hpp"

#include "base/time_grid.hpp"
#include "exchange/core_state.hpp"
#include "exchange/rules.hpp"

#include <algorithm>
#include <ranges>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

namespace phoenix::exchange {
namespace {

constexpr std::int64_t first_trade_id = 8'000'000'000;
constexpr std::int64_t first_agg_id = 3'000'000'000;
constexpr std::size_t accounts_max = 32;
constexpr std::size_t symbols_max = 512;
const Money wallet_max = Money::from_units(1'000'000'000);
constexpr int leverage_max = 125;

void demand(bool kept, std::string_view rule) {
  if (!kept) throw std::invalid_argument(fmt::format("exchange: {}", rule));
}

void check_symbol(const SymbolSpec& spec) {
  check_filters(spec.name, spec.filters);
  const auto demand_of = [&](bool kept, std::string_view rule) {
    if (!kept) throw std::invalid_argument(fmt::format("symbol {}: {}", spec.name, rule));
  };
  demand_of(!spec.name.empty() && spec.name.size() <= 32, "the name must have 1 to 32 characters");
  demand_of(Asset::fits(spec.base_asset) && Asset::fits(spec.quote_asset), "an asset name is too long");
  demand_of(spec.price_precision >= 0 && spec.price_precision <= 8, "price_precision must be 0 to 8");
  demand_of(spec.qty_precision >= 0 && spec.qty_precision <= 8, "qty_precision must be 0 to 8");
  demand_of(
      spec.initial_price >= spec.filters.tick_size * 400 && spec.initial_price * 4 <= spec.filters.price_max,
      "initial_price must be at least 400 ticks and at most a quarter of price_max");
  demand_of(spec.source != MarketSource::agents ||
                (spec.size_unit.is_positive() && spec.size_unit <= spec.filters.qty_max),
            "size_unit must be positive and at most qty_max");
  demand_of(spec.activity >= 1 && spec.activity <= 100'000, "activity must be 1 to 100000");
}

void check_account(const AccountOptions& account) {
  demand(!account.api_key.empty(), "an account's api_key must not be empty");
  demand(account.leverage >= 1 && account.leverage <= leverage_max, "leverage must be 1 to 125");
  for (const StartBalance& balance : account.balances) {
    demand(Asset::fits(balance.asset), "an asset name is too long");
    demand(!balance.wallet.is_negative() && balance.wallet <= wallet_max, "a wallet must be 0 to 1e9");
  }
  const Rate most = Rate::of("0.1");
  for (const FeeRates& fees : account.fees) {
    demand(fees.maker.abs() <= most && fees.taker.abs() <= most, "a fee rate must be within 10 %");
  }
}

void check_options(const CoreOptions& o) {
  demand(!o.symbols.empty() && o.symbols.size() <= symbols_max, "there must be 1 to 512 symbols");
  demand(o.accounts.size() <= accounts_max, "there must be at most 32 accounts");
  demand(o.funding_interval >= base::seconds{1} &&
             o.funding_interval % base::seconds{1} == base::Duration::zero(),
         "funding_interval must be whole seconds");
  demand(o.finished_orders_max >= 1 && o.fills_max >= 1 && o.incomes_max >= 1 && o.trades_max >= 1 &&
             o.bars_max >= 1,
         "every history must have room");
  for (std::size_t i = 0; i < o.symbols.size(); ++i) {
    check_symbol(o.symbols[i]);
    for (std::size_t j = 0; j < i; ++j) demand(o.symbols[i].name != o.symbols[j].name, "symbols must differ");
  }
  for (std::size_t i = 0; i < o.accounts.size(); ++i) {
    check_account(o.accounts[i]);
    for (std::size_t j = 0; j < i; ++j)
      demand(o.accounts[i].api_key != o.accounts[j].api_key, "api keys must differ");
  }
}

/// The newest `limit` of `history` that `wanted` lets through, oldest first; or the first `limit` of them.
enum class Take : std::uint8_t { oldest, newest };
template <class T, class Wanted>
std::vector<T> select(const History<T>& history, std::size_t limit, Take take, Wanted wanted) {
  std::vector<T> found;
  const std::size_t size = history.size();
  for (std::size_t i = 0; i < size && found.size() < limit; ++i) {
    const T& item = history[take == Take::oldest ? i : size - 1 - i];
    if (wanted(item)) found.push_back(item);
  }
  if (take == Take::newest) std::ranges::reverse(found);
  return found;
}

/// From a starting point onwards; without one, what came last.
Take take_from(bool has_id, VenueTime since) {
  return has_id || since > VenueTime{} ? Take::oldest : Take::newest;
}

bool within(VenueTime t, VenueTime since, VenueTime until) { return t >= since && t <= until; }

}  // namespace

Core::State::Symbol::Symbol(SymbolId symbol_id, const SymbolSpec& symbol_spec, const CoreOptions& options,
                            base::Rng rng)
    : id{symbol_id},
      spec{symbol_spec},
      next_trade_id{first_trade_id},
      next_agg_id{first_agg_id},
      trades{options.trades_max},
      agg_trades{options.trades_max},
      bars{options.bars_max},
      mark{spec.initial_price},
      index{spec.initial_price},
      last{spec.initial_price},
      funding_rate{Rate::of("0.0001")},
      last_funding_rate{funding_rate} {
  top.symbol = id;
  if (spec.source == MarketSource::agents) agents.emplace(spec, rng, options.start);
  MinuteBar bar{.open_time = VenueTime{std::chrono::floor<base::minutes>(options.start.time_since_epoch())}};
  bar.open = bar.high = bar.low = bar.close = last;
  bars.push(bar);
}

Core::State::State(CoreOptions core_options) : options{std::move(core_options)}, now{options.start} {
  check_options(options);
  base::Rng rng{options.seed};
  symbols.reserve(options.symbols.size());
  for (std::size_t i = 0; i < options.symbols.size(); ++i) {
    symbols.emplace_back(SymbolId{static_cast<std::uint16_t>(i)}, options.symbols[i], options,
                         rng.fork(i + 1));
  }
  const Account::Bounds bounds{options.finished_orders_max, options.fills_max, options.incomes_max};
  accounts.reserve(options.accounts.size());
  for (std::size_t i = 0; i < options.accounts.size(); ++i) {
    accounts.emplace_back(AccountId{static_cast<std::uint16_t>(i + 1)}, options.accounts[i], options.symbols,
                          bounds);
  }
  next_second = base::next_multiple(options.start, base::seconds{1});
  next_funding = base::next_multiple(options.start, options.funding_interval);
  seed_books();
}

Core::Core(CoreOptions options) : state_{std::make_unique<State>(std::move(options))} {}
Core::~Core() = default;
Core::Core(Core&&) noexcept = default;
Core& Core::operator=(Core&&) noexcept = default;

// ---- Orders

Core::Answer<Order> Core::place(AccountId account, const PlaceRequest& request, VenueTime now,
                                CoreEvents& out) {
  state_->run_to(now, out);
  return state_->place(account, request, out);
}

Core::Answer<Order> Core::amend(AccountId account, const AmendRequest& request, VenueTime now,
                                CoreEvents& out) {
  state_->run_to(now, out);
  return state_->amend(account, request, out);
}

Core::Answer<Order> Core::cancel(AccountId account, const OrderKey& key, VenueTime now, CoreEvents& out) {
  state_->run_to(now, out);
  return state_->cancel(account, key, out);
}

Core::Answer<std::size_t> Core::cancel_all(AccountId account, SymbolId symbol, VenueTime now,
                                           CoreEvents& out) {
  state_->run_to(now, out);
  if (!state_->has(symbol)) return base::fail(reject::invalid_symbol());
  return state_->cancel_all(state_->at(account), state_->at(symbol), out);
}

Core::Answer<base::Duration> Core::countdown_cancel_all(AccountId account, SymbolId symbol,
                                                        base::Duration after, VenueTime now,
                                                        CoreEvents& out) {
  state_->run_to(now, out);
  if (!state_->has(symbol)) return base::fail(reject::invalid_symbol());
  if (after < base::Duration::zero() || after > base::hours{24 * 365}) {
    return base::fail(reject::parameter_invalid("countdownTime"));
  }
  state_->countdowns.erase({account, symbol});
  if (after > base::Duration::zero()) {
    const auto end = (state_->now + after).time_since_epoch();
    const base::Duration grid = base::milliseconds{10};
    state_->countdowns[{account, symbol}] = VenueTime{(end + grid - base::Duration{1}) / grid * grid};
  }
  return after;
}

// ---- Time

void Core::advance(VenueTime now, CoreEvents& out) { state_->run_to(now, out); }
VenueTime Core::next_deadline() const { return state_->next_deadline(); }
VenueTime Core::now() const { return state_->now; }

// ---- Administration

void Core::set_symbol_status(SymbolId symbol, SymbolStatus status) { state_->at(symbol).status = status; }

void Core::set_filters(SymbolId symbol, const Filters& filters) {
  SymbolSpec& spec = state_->at(symbol).spec;
  check_filters(spec.name, filters);
  spec.filters = filters;
}

void Core::set_regime(SymbolId symbol, Regime regime) {
  if (auto& agents = state_->at(symbol).agents) agents->set_regime(regime);
}

Core::Answer<int> Core::set_leverage(AccountId account, SymbolId symbol, int leverage) {
  if (!state_->has(symbol)) return base::fail(reject::invalid_symbol());
  if (leverage < 1 || leverage > leverage_max) return base::fail(reject::leverage_invalid());
  state_->at(account).holding(symbol).leverage = leverage;
  return leverage;
}

void Core::transfer(AccountId account, std::string_view asset, Money amount, VenueTime now, CoreEvents& out) {
  PHX_ASSERT(amount.abs() <= wallet_max, "a transfer is at most 1e9");
  state_->run_to(now, out);
  state_->transfer(state_->at(account), asset, amount, out);
}

Core::Answer<Order> Core::liquidate(AccountId account, SymbolId symbol, VenueTime now, CoreEvents& out) {
  state_->run_to(now, out);
  return state_->liquidate(account, symbol, out);
}

// ---- A recording

void Core::apply_external_levels(SymbolId symbol, std::span<const Level> bids, std::span<const Level> asks,
                                 VenueTime now, CoreEvents& out) {
  state_->run_to(now, out);
  state_->apply_external_levels(state_->at(symbol), bids, asks, out);
}

void Core::replace_external_book(SymbolId symbol, std::span<const Level> bids, std::span<const Level> asks,
                                 VenueTime now, CoreEvents& out) {
  state_->run_to(now, out);
  state_->replace_external_book(state_->at(symbol), bids, asks, out);
}

void Core::set_external_mark(SymbolId symbol, Price mark, Price index, Rate funding_rate, VenueTime now,
                             CoreEvents& out) {
  state_->run_to(now, out);
  state_->set_external_mark(state_->at(symbol), mark, index, funding_rate);
}

void Core::apply_external_trade(SymbolId symbol, Price price, Qty qty, Side aggressor, VenueTime now,
                                CoreEvents& out) {
  state_->run_to(now, out);
  state_->apply_external_trade(state_->at(symbol), price, qty, aggressor, out);
}

// ---- Queries

std::size_t Core::symbol_count() const { return state_->symbols.size(); }

std::optional<SymbolId> Core::find_symbol(std::string_view name) const {
  for (const auto& symbol : state_->symbols) {
    if (symbol.spec.name == name) return symbol.id;
  }
  return std::nullopt;
}

bool Core::has_symbol(SymbolId symbol) const { return state_->has(symbol); }
const SymbolSpec& Core::spec(SymbolId symbol) const { return state_->at(symbol).spec; }
SymbolStatus Core::symbol_status(SymbolId symbol) const { return state_->at(symbol).status; }
std::size_t Core::account_count() const { return state_->accounts.size(); }

std::optional<AccountId> Core::find_account(std::string_view api_key) const {
  for (const auto& account : state_->accounts) {
    if (account.options().api_key == api_key) return account.id();
  }
  return std::nullopt;
}

const AccountOptions& Core::account_options(AccountId account) const { return state_->at(account).options(); }

Core::Answer<Order> Core::order(AccountId account, const OrderKey& key) const {
  if (!state_->has(key.symbol)) return base::fail(reject::invalid_symbol());
  const auto* entry = std::as_const(*state_).at(account).find(key);
  if (entry == nullptr) return base::fail(reject::order_does_not_exist());
  return entry->order;
}

Core::Answer<Order> Core::open_order(AccountId account, const OrderKey& key) const {
  auto found = order(account, key);
  if (found && !found->is_open()) return base::fail(reject::order_does_not_exist());
  return found;
}

std::vector<Order> Core::open_orders(AccountId account_id, std::optional<SymbolId> symbol) const {
  const Account& account = std::as_const(*state_).at(account_id);
  std::vector<Order> found;
  for (const auto& s : state_->symbols) {
    if (symbol && *symbol != s.id) continue;
    for (const std::int64_t id : account.holding(s.id).open) found.push_back(account.entries().at(id).order);
  }
  std::ranges::sort(found, {}, &Order::id);
  return found;
}

std::vector<Order> Core::orders(AccountId account_id, std::optional<SymbolId> symbol, std::int64_t from_id,
                                VenueTime since, VenueTime until, std::size_t limit) const {
  const auto& entries = std::as_const(*state_).at(account_id).entries();
  const auto wanted = [&](const Order& o) {
    return (!symbol || o.symbol == *symbol) && within(o.created, since, until);
  };
  std::vector<Order> found;
  if (take_from(from_id > 0, since) == Take::oldest) {
    for (auto it = entries.lower_bound(from_id); it != entries.end() && found.size() < limit; ++it) {
      if (wanted(it->second.order)) found.push_back(it->second.order);
    }
    return found;
  }
  for (auto it = entries.rbegin(); it != entries.rend() && found.size() < limit; ++it) {
    if (wanted(it->second.order)) found.push_back(it->second.order);
  }
  std::ranges::reverse(found);
  return found;
}

std::vector<FillRecord> Core::user_trades(AccountId account, SymbolId symbol,
                                          std::optional<std::int64_t> from_id, VenueTime since,
                                          VenueTime until, std::size_t limit) const {
  return select(std::as_const(*state_).at(account).fills(), limit, take_from(from_id.has_value(), since),
                [&](const FillRecord& f) {
                  return f.symbol == symbol && f.trade_id >= from_id.value_or(0) &&
                         within(f.time, since, until);
                });
}

std::vector<IncomeRecord> Core::incomes(AccountId account, std::optional<SymbolId> symbol, VenueTime since,
                                        VenueTime until, std::size_t limit) const {
  return select(std::as_const(*state_).at(account).incomes(), limit, take_from(false, since),
                [&](const IncomeRecord& i) {
                  return (!symbol || i.symbol == *symbol) && within(i.time, since, until);
                });
}

const Position& Core::position(AccountId account, SymbolId symbol) const {
  return std::as_const(*state_).at(account).holding(state_->at(symbol).id).position;
}

int Core::leverage(AccountId account, SymbolId symbol) const {
  return state_->at(account).holding(state_->at(symbol).id).leverage;
}

std::optional<Money> Core::wallet(AccountId account, std::string_view asset) const {
  const auto* wallet = state_->at(account).wallet(asset);
  if (wallet == nullptr) return std::nullopt;
  return wallet->balance;
}

MarginState Core::margin(AccountId account, std::string_view asset) const {
  return state_->margin(state_->at(account), asset);
}

Rate Core::maker_fee(AccountId account, SymbolId symbol) const {
  return state_->at(account).holding(state_->at(symbol).id).maker_fee;
}

Rate Core::taker_fee(AccountId account, SymbolId symbol) const {
  return state_->at(account).holding(state_->at(symbol).id).taker_fee;
}

std::optional<VenueTime> Core::countdown_deadline(AccountId account, SymbolId symbol) const {
  const auto it = state_->countdowns.find({account, symbol});
  if (it == state_->countdowns.end()) return std::nullopt;
  return it->second;
}

DepthView Core::depth(SymbolId symbol_id, std::size_t limit) const {
  const auto& symbol = state_->at(symbol_id);
  DepthView view{symbol.last_update_id, symbol.last_change, {}, {}};
  const auto collect = [&](Side side, std::vector<Level>& into) {
    for (const auto& level : std::views::reverse(symbol.book.levels(side))) {
      if (into.size() >= limit) break;
      into.push_back({level.price, level.qty});
    }
  };
  collect(Side::bid, view.bids);
  collect(Side::ask, view.asks);
  return view;
}

TopChange Core::top(SymbolId symbol) const { return state_->at(symbol).top; }

std::vector<TradePrint> Core::last_trades(SymbolId symbol, std::size_t limit) const {
  return select(state_->at(symbol).trades, limit, Take::newest, [](const TradePrint&) { return true; });
}

std::vector<AggTradePrint> Core::agg_trades(SymbolId symbol, std::optional<std::int64_t> from_id,
                                            VenueTime since, VenueTime until, std::size_t limit) const {
  return select(state_->at(symbol).agg_trades, limit, take_from(from_id.has_value(), since),
                [&](const AggTradePrint& row) {
                  return row.id >= from_id.value_or(0) && within(row.time, since, until);
                });
}

std::vector<MinuteBar> Core::bars(SymbolId symbol, std::size_t limit) const {
  return select(state_->at(symbol).bars, limit, Take::newest, [](const MinuteBar&) { return true; });
}

MarkState Core::mark(SymbolId symbol_id) const {
  const auto& symbol = state_->at(symbol_id);
  return {symbol.mark,         symbol.index, symbol.last, symbol.funding_rate, symbol.last_funding_rate,
          state_->next_funding};
}

Regime Core::regime(SymbolId symbol_id) const {
  const auto& symbol = state_->at(symbol_id);
  return symbol.agents ? symbol.agents->regime() : symbol.spec.regime;
}

Ledger Core::ledger(AccountId account_id) const {
  const Account& account = std::as_const(*state_).at(account_id);
  Ledger ledger;
  for (const auto& wallet : account.wallets())
    ledger.balances.push_back({wallet.asset, wallet.start, wallet.balance});
  for (const auto& symbol : state_->symbols) {
    const auto& h = account.holding(symbol.id);
    ledger.symbols.push_back({symbol.id, h.position, h.fees, h.funding, h.fills, h.filled_volume,
                              open_orders(account_id, symbol.id)});
  }
  return ledger;
}

const Position& Core::market_position(SymbolId symbol) const { return state_->at(symbol).market_position; }

CoreStats Core::stats() const {
  CoreStats stats = state_->stats;
  for (const auto& account : state_->accounts) stats.orders_forgotten += account.orders_forgotten();
  for (const auto& symbol : state_->symbols) {
    stats.trades_forgotten += symbol.trades.forgotten() + symbol.agg_trades.forgotten();
  }
  return stats;
}

}  // namespace phoenix::exchange
