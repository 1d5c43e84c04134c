#pragma once

#include "exchange/core.hpp"

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

namespace phoenix::exchange::test {

inline const VenueTime start_time = base::venue_time_ms(1'795'000'000'000);
inline constexpr SymbolId symbol{0};
inline constexpr AccountId alice{1}, bob{2}, carol{3};

/// One quiet symbol around 100: tick 0.1, step 0.01, quantities 0.01..10000, notional 5. Nobody trades but
/// the accounts.
inline SymbolSpec quiet_symbol() {
  SymbolSpec spec;
  spec.name = "TSTUSDC";
  spec.base_asset = "TST";
  spec.quote_asset = "USDC";
  spec.filters = {.tick_size = Price::of("0.1"),
                  .price_min = Price::of("0.1"),
                  .price_max = Price::of("100000"),
                  .step_size = Qty::of("0.01"),
                  .qty_min = Qty::of("0.01"),
                  .qty_max = Qty::of("10000"),
                  .market_qty_max = Qty::of("5000"),
                  .notional_min = Money::of("5")};
  spec.price_precision = 2;
  spec.qty_precision = 3;
  spec.initial_price = Price::of("100");
  spec.size_unit = Qty::of("1");
  spec.source = MarketSource::none;
  return spec;
}

inline CoreOptions quiet_options() {
  CoreOptions options;
  options.start = start_time;
  options.symbols = {quiet_symbol()};
  for (const char* key : {"alice", "bob", "carol"}) {
    options.accounts.push_back(
        {.api_key = key, .api_secret = "secret", .balances = {{"USDC", Money::of("100000")}}});
  }
  return options;
}

/// A core and the events of the last call.
struct World {
  explicit World(CoreOptions options = quiet_options()) : core{std::move(options)}, now{core.now()} {}

  Core core;
  VenueTime now;
  CoreEvents events;

  Core::Answer<Order> place(AccountId account, PlaceRequest request) {
    events.clear();
    return core.place(account, request, now, events);
  }
  Core::Answer<Order> limit(AccountId account, Side side, std::string_view price, std::string_view qty,
                            TimeInForce tif = TimeInForce::gtc, StpMode stp = StpMode::expire_maker) {
    return place(account, {.symbol = symbol,
                           .side = side,
                           .time_in_force = tif,
                           .qty = Qty::of(qty),
                           .price = Price::of(price),
                           .stp = stp});
  }
  Core::Answer<Order> reduce(AccountId account, Side side, std::string_view price, std::string_view qty) {
    return place(account, {.symbol = symbol,
                           .side = side,
                           .qty = Qty::of(qty),
                           .price = Price::of(price),
                           .intent = Intent::reduce_only});
  }
  Core::Answer<Order> market(AccountId account, Side side, std::string_view qty,
                             Intent intent = Intent::open) {
    return place(
        account,
        {.symbol = symbol, .side = side, .type = OrderType::market, .qty = Qty::of(qty), .intent = intent});
  }
  Core::Answer<Order> amend(AccountId account, const Order& order, std::string_view price,
                            std::string_view qty) {
    events.clear();
    return core.amend(account,
                      {.key = {.symbol = order.symbol, .id = order.id},
                       .side = order.side,
                       .price = Price::of(price),
                       .qty = Qty::of(qty)},
                      now, events);
  }
  Core::Answer<Order> cancel(AccountId account, std::int64_t id) {
    events.clear();
    return core.cancel(account, {.symbol = symbol, .id = id}, now, events);
  }
  void advance(base::Duration by) {
    events.clear();
    now += by;
    core.advance(now, events);
  }
  Order order(const Order& of) const { return *core.order(of.account, {.symbol = of.symbol, .id = of.id}); }

  template <class T>
  std::vector<T> all() const {
    std::vector<T> found;
    for (const CoreEvent& event : events) {
      if (const T* e = std::get_if<T>(&event)) found.push_back(*e);
    }
    return found;
  }
};

/// Order-sensitive fingerprint of events: every number in them counts.
class Fingerprint {
 public:
  void add(const CoreEvents& events) {
    for (const CoreEvent& event : events) {
      mix(static_cast<std::int64_t>(event.index()));
      std::visit([this](const auto& e) { add(e); }, event);
    }
  }
  std::uint64_t value() const { return state_; }

 private:
  void mix(std::int64_t value) {
    state_ ^= static_cast<std::uint64_t>(value);
    state_ *= 0x100000001b3ULL;
    state_ ^= state_ >> 29;
  }
  template <class... T>
  void mix_all(T... values) {
    (mix(static_cast<std::int64_t>(values)), ...);
  }
  void add(const Order& o) {
    mix_all(o.id, o.account.index, o.symbol.index, o.side, o.type, o.time_in_force, o.status, o.stp, o.intent,
            o.price.raw(), o.qty.raw(), o.filled.raw(), o.filled_quote.raw(), o.amendments,
            base::ns_of(o.created), base::ns_of(o.updated));
    for (const char c : o.client_text.view()) mix(c);
  }
  void add(const BookChange& e) {
    mix_all(e.symbol.index, e.side, e.price.raw(), e.qty.raw(), e.update_id, base::ns_of(e.time));
  }
  void add(const TopChange& e) {
    mix_all(e.symbol.index, e.bid.price.raw(), e.bid.qty.raw(), e.ask.price.raw(), e.ask.qty.raw(),
            e.update_id, base::ns_of(e.time));
  }
  void add(const TradePrint& e) {
    mix_all(e.symbol.index, e.id, e.price.raw(), e.qty.raw(), e.aggressor, e.maker.index, e.taker.index,
            e.maker_order, e.taker_order, base::ns_of(e.time));
  }
  void add(const AggTradePrint& e) {
    mix_all(e.symbol.index, e.id, e.price.raw(), e.qty.raw(), e.first_trade_id, e.last_trade_id, e.aggressor,
            base::ns_of(e.time));
  }
  void add(const OrderEvent& e) {
    add(e.order);
    mix_all(e.execution, e.last_qty.raw(), e.last_price.raw(), e.trade_id, e.commission.raw(),
            e.realized.raw(), e.maker, e.expiry, e.bids_notional.raw(), e.asks_notional.raw(),
            base::ns_of(e.time));
  }
  void add(const AccountEvent& e) {
    mix_all(e.account.index, e.reason, e.wallet.raw(), e.change.raw(), e.unrealized.raw(),
            base::ns_of(e.time));
    if (e.position) mix_all(e.position->qty.raw(), e.position->cost.raw(), e.position->realized.raw());
  }
  void add(const MarkPriceTick& e) {
    mix_all(e.symbol.index, e.mark.raw(), e.index.raw(), e.funding_rate.raw(),
            base::ns_of(e.next_funding_time), base::ns_of(e.time));
  }
  void add(const FundingSettled& e) {
    mix_all(e.symbol.index, e.rate.raw(), e.mark.raw(), base::ns_of(e.time));
  }
  void add(const LiquidationPrint& e) {
    mix_all(e.symbol.index, e.side, e.qty.raw(), e.filled.raw(), e.price.raw(), e.average_price.raw(),
            base::ns_of(e.time));
  }

  std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

}  // namespace phoenix::exchange::test
