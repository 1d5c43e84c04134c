#include "risk/limits.hpp"

#include "base/assert.hpp"
#include "base/decimal.hpp"

#include <algorithm>

namespace phoenix::risk {
namespace {

using model::Qty;
using model::Side;

__extension__ using Wide = __int128;

/// |price - of| <= ratio * of, exactly.
bool within(model::Price price, model::Price of, model::Rate ratio) {
  return Wide{(price - of).abs().raw()} * base::decimal_one <= Wide{ratio.raw()} * of.raw();
}

/// Compares price with multiplier * mark, exactly.
bool above(model::Price price, model::Price mark, model::Rate multiplier) {
  return Wide{price.raw()} * base::decimal_one > Wide{multiplier.raw()} * mark.raw();
}
bool below(model::Price price, model::Price mark, model::Rate multiplier) {
  return Wide{price.raw()} * base::decimal_one < Wide{multiplier.raw()} * mark.raw();
}

/// The quantity that `amount` buys at `price`, rounded down, at most `most`.
Qty affordable(model::Money amount, model::Price price, Qty most) {
  if (!amount.is_positive() || !price.is_positive()) return Qty{};
  const Wide qty = Wide{amount.raw()} * base::decimal_one / price.raw();
  return qty >= most.raw() ? most : Qty::from_raw(static_cast<std::int64_t>(qty));
}

/// What a fill of the whole side would still close.
Qty closing(Qty position, Side side) {
  const Qty signed_position = position * model::sign(side);
  return signed_position.is_negative() ? -signed_position : Qty{};
}

Qty worst_position(const Holding& holding) {
  return std::max((holding.position + holding.working.bid).abs(),
                  (holding.position - holding.working.ask).abs());
}

}  // namespace

std::optional<LimitsFault> check(const SymbolLimits& limits) {
  using F = LimitsFault;
  if (!limits.net_max.is_positive()) return F::net_max_not_positive;
  const model::Rate one = model::Rate::from_units(1);
  if (!limits.worst_case_ratio.is_positive() || limits.worst_case_ratio > one) return F::ratio_out_of_range;
  if (!limits.price_collar.is_positive() || limits.price_collar > one) return F::collar_out_of_range;
  if (limits.order_qty_max.is_negative() || limits.order_notional_max.is_negative())
    return F::negative_maximum;
  return std::nullopt;
}

std::string_view text(LimitsFault fault) {
  switch (fault) {
    case LimitsFault::net_max_not_positive:
      return "net_max must be above 0";
    case LimitsFault::ratio_out_of_range:
      return "worst_case_ratio must be above 0 and at most 1";
    case LimitsFault::collar_out_of_range:
      return "price_collar must be above 0 and at most 1";
    case LimitsFault::negative_maximum:
      return "a maximum must not be negative";
  }
  return "unknown fault";
}

std::string_view name(Cut cut) {
  switch (cut) {
    case Cut::price_collar:
      return "price_collar";
    case Cut::mark_band:
      return "mark_band";
    case Cut::filter:
      return "filter";
    case Cut::order_qty:
      return "order_qty";
    case Cut::order_notional:
      return "order_notional";
    case Cut::worst_case:
      return "worst_case";
    case Cut::total_notional:
      return "total_notional";
  }
  return "unknown";
}

void Limits::set_symbol(const model::Instrument& instrument, const SymbolLimits& limits) {
  PHX_ASSERT(!check(limits), "limits were checked");
  const std::size_t index = instrument.symbol.index;
  if (index >= symbols_.size()) symbols_.resize(index + 1);
  Symbol& symbol = symbols_[index];
  symbol.instrument = instrument;
  symbol.limits = limits;
  const Wide limit = Wide{limits.net_max.raw()} * limits.worst_case_ratio.raw() / base::decimal_one;
  symbol.limit = Qty::from_raw(static_cast<std::int64_t>(limit));
  symbol.known = true;
}

void Limits::observe(model::SymbolId symbol, const Holding& holding) {
  static_cast<void>(at(symbol));
  symbols_[symbol.index].holding = holding;
}

const Limits::Symbol& Limits::at(model::SymbolId symbol) const {
  PHX_ASSERT(symbol.index < symbols_.size(), "a symbol is set before it is used");
  PHX_ASSERT(symbols_[symbol.index].known, "a symbol is set before it is used");
  return symbols_[symbol.index];
}

model::Money Limits::worst_notional(const Symbol& symbol) {
  return model::notional(symbol.holding.price, worst_position(symbol.holding), model::Rounding::up);
}

model::Money Limits::worst_notional() const {
  model::Money sum;
  for (const Symbol& symbol : symbols_) {
    if (symbol.known) sum += worst_notional(symbol);
  }
  return sum;
}

Limits::Bound Limits::bound(model::SymbolId id) const {
  const Symbol& symbol = at(id);
  if (total_notional_max_.is_zero()) return {.limit = symbol.limit};
  model::Money left = total_notional_max_;
  for (const Symbol& other : symbols_) {
    if (!other.known || &other == &symbol) continue;
    const bool unpriced = !other.holding.price.is_positive() && !worst_position(other.holding).is_zero();
    if (unpriced) return {.limit = Qty{}, .cut = Cut::total_notional};
    left -= worst_notional(other);
  }
  const Qty limit = affordable(left, symbol.holding.price, symbol.limit);
  if (limit < symbol.limit) return {.limit = limit, .cut = Cut::total_notional};
  return {.limit = symbol.limit};
}

Qty Limits::room_of(const Symbol& symbol, Qty limit, Side side) {
  const Qty adding = limit - symbol.holding.position * model::sign(side);
  return std::max({adding, closing(symbol.holding.position, side), Qty{}});
}

model::SideQty Limits::room(model::SymbolId id) const {
  const Symbol& symbol = at(id);
  const Qty limit = bound(id).limit;
  return {.bid = room_of(symbol, limit, Side::bid), .ask = room_of(symbol, limit, Side::ask)};
}

bool Limits::is_reducing(model::SymbolId id, const model::Quote& quote) const {
  return quote.intent == model::Intent::reduce_only ||
         quote.qty <= closing(at(id).holding.position, quote.side);
}

bool Limits::is_beyond(model::SymbolId id, Side side) const {
  const Symbol& symbol = at(id);
  return symbol.holding.working.of(side) > room_of(symbol, bound(id).limit, side);
}

std::optional<Cut> Limits::check_order(model::SymbolId id, const model::Quote& quote,
                                       const model::TopOfBook& top, std::optional<model::Price> mark) const {
  const Symbol& symbol = at(id);
  const SymbolLimits& limits = symbol.limits;
  const model::Instrument& instrument = symbol.instrument;
  if (!within(quote.price, top.mid(), limits.price_collar)) return Cut::price_collar;
  if (mark) {
    const bool too_high = quote.side == Side::bid && !instrument.price_up_max.is_zero() &&
                          above(quote.price, *mark, instrument.price_up_max);
    const bool too_low = quote.side == Side::ask && !instrument.price_down_min.is_zero() &&
                         below(quote.price, *mark, instrument.price_down_min);
    if (too_high || too_low) return Cut::mark_band;
  }
  if (model::check_order(instrument, quote.price, quote.qty, quote.intent)) return Cut::filter;
  if (is_reducing(id, quote)) return std::nullopt;
  if (!limits.order_qty_max.is_zero() && quote.qty > limits.order_qty_max) return Cut::order_qty;
  if (!limits.order_notional_max.is_zero() &&
      model::notional(quote.price, quote.qty, model::Rounding::up) > limits.order_notional_max) {
    return Cut::order_notional;
  }
  return std::nullopt;
}

void Limits::cut(model::SymbolId id, const model::TopOfBook& top, std::optional<model::Price> mark,
                 model::Quotes& quotes) {
  const Symbol& symbol = at(id);
  std::size_t kept = 0;
  for (const model::Quote& quote : quotes) {
    if (const auto why = check_order(id, quote, top, mark)) {
      count_cut(*why);
    } else {
      quotes[kept++] = quote;
    }
  }
  quotes.resize(kept);
  const Bound bounded = bound(id);
  cut_side(symbol, bounded, Side::bid, quotes);
  cut_side(symbol, bounded, Side::ask, quotes);
}

void Limits::cut_side(const Symbol& symbol, const Bound& bounded, Side side, model::Quotes& quotes) {
  const model::Instrument& instrument = symbol.instrument;
  const Qty room = room_of(symbol, bounded.limit, side), close = closing(symbol.holding.position, side);
  Qty sum;
  bool full = false;
  std::size_t kept = 0;
  for (model::Quote quote : quotes) {
    if (quote.side == side) {
      if (full) {
        count_cut(bounded.cut);
        continue;
      }
      if (quote.qty > room - sum) {
        full = true;
        count_cut(bounded.cut);
        quote.qty = instrument.qty_down(room - sum);
        if (model::check_order(instrument, quote.price, quote.qty, quote.intent)) {
          // What is left of the room is too small for an order that may open. What is left to close still
          // goes, as an order that may only reduce: the minimum notional does not bind it.
          quote.qty = instrument.qty_down(std::max(std::min(room, close) - sum, Qty{}));
          quote.intent = model::Intent::reduce_only;
          if (model::check_order(instrument, quote.price, quote.qty, quote.intent)) continue;
        }
      }
      sum += quote.qty;
    }
    quotes[kept++] = quote;
  }
  quotes.resize(kept);
  PHX_ASSERT(sum <= room, "what may rest on a side stays within its room");
}

}  // namespace phoenix::risk
