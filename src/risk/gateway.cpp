#include "risk/gateway.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <variant>

namespace phoenix::risk {
namespace {

/// Of the messages allowed, what adding orders may use; the rest is for leaving.
constexpr std::int64_t adding_percent = 80;

std::int64_t room(SlidingSum& sent, int most, base::LocalTime now) {
  return most * adding_percent / 100 - sent.sum(now);
}

Refused refused_by(Cut cut) {
  switch (cut) {
    case Cut::price_collar:
      return Refused::price_collar;
    case Cut::mark_band:
      return Refused::mark_band;
    case Cut::order_qty:
      return Refused::order_qty;
    case Cut::order_notional:
      return Refused::order_notional;
    case Cut::worst_case:
    case Cut::total_notional:
      return Refused::worst_case;
    case Cut::filter:
      break;
  }
  return Refused::filter;
}

}  // namespace

std::string_view name(Refused refused) {
  switch (refused) {
    case Refused::messages_short:
      return "messages_short";
    case Refused::messages_long:
      return "messages_long";
    case Refused::duplicate:
      return "duplicate";
    case Refused::no_price:
      return "no_price";
    case Refused::price_collar:
      return "price_collar";
    case Refused::mark_band:
      return "mark_band";
    case Refused::filter:
      return "filter";
    case Refused::order_qty:
      return "order_qty";
    case Refused::order_notional:
      return "order_notional";
    case Refused::worst_case:
      return "worst_case";
  }
  return "unknown";
}

std::optional<GatewayFault> check(const GatewayOptions& o) {
  const bool messages = o.messages_short_max >= 10 && o.messages_short_max <= 10'000 &&
                        o.messages_long_max >= 50 && o.messages_long_max <= 100'000;
  if (!messages) return GatewayFault::messages;
  const bool duplicates = o.duplicates_max >= 1 && o.duplicates_max <= 20 &&
                          o.duplicate_window >= base::milliseconds{10} &&
                          o.duplicate_window <= base::seconds{1};
  if (!duplicates) return GatewayFault::duplicates;
  return std::nullopt;
}

std::string_view text(GatewayFault fault) {
  switch (fault) {
    case GatewayFault::messages:
      return "messages_short_max must be from 10 to 10000 in 1 s, messages_long_max from 50 to 100000 in 10 "
             "s";
    case GatewayFault::duplicates:
      return "duplicates_max must be from 1 to 20, duplicate_window from 10 ms to 1 s";
  }
  return "unknown fault";
}

Gateway::Gateway(const GatewayOptions& options, const Limits& limits) : options_{options}, limits_{limits} {
  PHX_ASSERT(!check(options), "the gateway's settings were checked");
}

void Gateway::configure(const GatewayOptions& options) {
  PHX_ASSERT(!check(options), "the gateway's settings were checked");
  options_ = options;
}

std::optional<Refused> Gateway::pass(const model::OrderRequest& request, const MarketView& market,
                                     base::LocalTime now) {
  std::optional<Refused> refused;
  if (const auto* p = std::get_if<model::PlaceOrder>(&request)) {
    const model::Quote quote{.side = p->side, .price = p->price, .qty = p->qty, .intent = p->intent};
    refused = judge(p->symbol, quote, market, now);
    if (!refused) refused = judge_repeated(p->symbol, quote, now);
  } else if (const auto* a = std::get_if<model::AmendOrder>(&request)) {
    refused = judge(a->symbol, {.side = a->side, .price = a->price, .qty = a->qty}, market, now);
  }
  if (refused) {
    ++counts_[static_cast<std::size_t>(*refused)];
    return refused;
  }
  messages_short_.add(1, now);
  messages_long_.add(1, now);
  ++passed_count_;
  return std::nullopt;
}

std::optional<Refused> Gateway::judge(model::SymbolId symbol, const model::Quote& quote,
                                      const MarketView& market, base::LocalTime now) {
  if (!market.top) return Refused::no_price;
  if (const auto cut = limits_.check_order(symbol, quote, *market.top, market.mark)) return refused_by(*cut);
  // Several orders that reduce one by one may open together.
  if (quote.intent == model::Intent::open && limits_.is_beyond(symbol, quote.side))
    return Refused::worst_case;
  if (!limits_.is_reducing(symbol, quote)) {
    if (room(messages_short_, options_.messages_short_max, now) <= 0) return Refused::messages_short;
    if (room(messages_long_, options_.messages_long_max, now) <= 0) return Refused::messages_long;
  }
  return std::nullopt;
}

/// Of placements only: an amend adds no order, and a ladder that follows a flickering price goes back and
/// forth.
std::optional<Refused> Gateway::judge_repeated(model::SymbolId symbol, const model::Quote& quote,
                                               base::LocalTime now) {
  const Intention intention{
      .symbol = symbol, .side = quote.side, .price = quote.price, .qty = quote.qty, .sent_at = now};
  if (!limits_.is_reducing(symbol, quote) && is_duplicate(intention)) return Refused::duplicate;
  intentions_[intentions_count_++ % intentions_max] = intention;
  return std::nullopt;
}

int Gateway::adding_room(base::LocalTime now) {
  const std::int64_t left = std::min(room(messages_short_, options_.messages_short_max, now),
                                     room(messages_long_, options_.messages_long_max, now));
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

bool Gateway::is_duplicate(const Intention& intention) const {
  const std::uint64_t known = std::min<std::uint64_t>(intentions_count_, intentions_max);
  int equal = 0;
  for (std::uint64_t back = 1; back <= known; ++back) {
    const Intention& other = intentions_[(intentions_count_ - back) % intentions_max];
    if (intention.sent_at - other.sent_at >= options_.duplicate_window) break;
    const bool same = other.symbol == intention.symbol && other.side == intention.side &&
                      other.price == intention.price && other.qty == intention.qty;
    if (same && ++equal >= options_.duplicates_max) return true;
  }
  return false;
}

}  // namespace phoenix::risk
