// From books and positions to order requests.

#include "base/assert.hpp"
#include "base/canary.hpp"
#include "engine/engine.hpp"
#include "model/names.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <type_traits>

namespace phoenix::engine {

namespace vb = venue::binance;
using base::LocalTime;

namespace {

/// FNV-1a over 64-bit words: the running fingerprint of all quotes wanted.
void mix(std::uint64_t& hash, std::uint64_t word) {
  for (int i = 0; i < 8; ++i) {
    hash = (hash ^ (word & 0xff)) * 0x100000001b3ULL;
    word >>= 8;
  }
}

vb::RequestKind kind_of(const model::OrderRequest& request) {
  using K = vb::RequestKind;
  constexpr K kinds[] = {K::place, K::amend, K::cancel, K::cancel_all, K::query_order};
  static_assert(std::variant_size_v<model::OrderRequest> == std::size(kinds));
  return kinds[request.index()];
}

model::SymbolId symbol_of(const model::OrderRequest& request) {
  return std::visit([](const auto& r) { return r.symbol; }, request);
}

}  // namespace

std::string_view Engine::market_reason(const Desk& d) const {
  if (!clock_.known()) return "venue clock unknown";
  if (!d.instrument) return "rules unknown";
  if (d.instrument->status != model::SymbolStatus::trading) return "symbol not trading";
  if (d.traffic != Desk::Traffic::full) return "bandwidth budget";
  if (up_count(Channel::public_data) == 0) return "market data not connected";
  if (!d.sync.is_synced()) return "book not synced";
  if (!d.proof.is_proved()) {
    return d.proof.verdict() == feed::Verdict::stalled ? "market data stalled" : "price not proved";
  }
  if (d.lag.is_delayed() && d.proof.verdict() != feed::Verdict::quiet) return "market data delayed";
  if (!d.fresh) return "price not fresh";
  if (d.book.touch() != book::Touch::apart) return "book has no spread";
  return {};
}

std::string_view Engine::hold_reason(const Desk& d) const {
  if (phase_ != Phase::running) return "not running";
  if (latched_) return "kill latch set";
  if (const auto reason = market_reason(d); !reason.empty()) return reason;
  if (up_count(Channel::user_data) == 0) return "user stream not connected";
  if (d.orders_proved != user_stream_generation_) return "open orders not reconciled";
  if (d.position_proved != user_stream_generation_) return "position not reconciled";
  if (d.trades_proved != user_stream_generation_) return "trades not reconciled";
  if (d.countdown && !d.countdown->is_armed(now_))
    return now_ < banned_until_ ? "banned by the venue" : "dead man's switch not armed";
  if (!d.strategy) return d.strategy_latched ? "strategy failed twice" : "strategy failed";
  if (!d.misfit.empty()) return "the configured quotes do not fit";
  if (now_ < d.distrusted_until) return "the gateway refused an order";
  if (d.allowed.nothing_rests()) return risk::name(d.allowed.reason);  // last: a slice needs all the others
  return {};
}

/// The newer of the book's own touch and the venue's ticker: both name the update they stand for.
std::optional<model::TopOfBook> Engine::top_of(const Desk& d) const {
  auto top = d.book.top();
  if (!top) return std::nullopt;
  if (d.ticker && d.ticker->update_id > d.book.last_id() && d.ticker->bid.price < d.ticker->ask.price &&
      d.ticker->bid.price.is_positive()) {
    top = model::TopOfBook{d.ticker->bid, d.ticker->ask, d.ticker->update_id};
  }
  return top;
}

/// The best price of a side where others rest, too; empty when the first levels are ours alone.
std::optional<model::Price> Engine::other_best(const Desk& d, model::Side side) const {
  constexpr int levels_max = 5;
  std::optional<model::Price> found;
  int seen = 0;
  d.book.walk(side, [&](const model::Level& level) {
    if (level.qty > orders_.resting_at(d.symbol, side, level.price)) found = level.price;
    return !found && ++seen < levels_max;
  });
  return found;
}

venue::LimitKind Engine::limit_of(int code) {
  constexpr int too_many_orders = -1015;
  return code == too_many_orders ? venue::LimitKind::orders : venue::LimitKind::weight;
}

void Engine::consider_all() {
  for (auto& d : desks_) consider(d);
}

/// Looks at a symbol again: withdraws its orders when it may not be quoted, moves them when the price, the
/// position or the orders changed, or when it has not been looked at for a while.
void Engine::consider(Desk& d) {
  if (phase_ != Phase::running) {
    d.dirty = false;
    return;
  }
  if (!d.is_quoted()) {
    d.dirty = false;
    d.reason = base::ShortText<48>{market_reason(d)};
    return;
  }
  see_touch(d);
  look_at_fit(d);
  const bool other_verdict = judge(d);
  const auto reason = hold_reason(d);
  if (!reason.empty()) {
    d.dirty = false;
    const Was was = d.reason.empty() ? Was::quoting : Was::held;
    if (d.reason.view() != reason) {
      note(Severity::warning, "hold symbol={} why=\"{}\"", symbols_.name(d.symbol), reason);
      d.reason = base::ShortText<48>{reason};
    }
    d.quoted_mid.reset();
    d.next_quote.reset();
    withdraw(d, reason, was);
    if (d.allowed.nothing_rests() && reason == risk::name(d.allowed.reason)) take(d, {});
    return;
  }
  d.orders_live_max = std::max(d.orders_live_max, static_cast<std::uint32_t>(orders_.live_count(d.symbol)));
  const auto top = top_of(d);
  PHX_ASSERT(top.has_value(), "a symbol that may be quoted has a touch");
  if (!d.reason.empty()) {
    note(Severity::info, "live symbol={} mid={}", symbols_.name(d.symbol), top->mid().text());
    record(ops::IncidentKind::quoting, symbols_.name(d.symbol), "",
           d.withdrawn_since ? now_ - *d.withdrawn_since : base::Duration{}, "after=\"{}\" mid={}",
           d.reason.view(), top->mid().text());
    d.withdrawn_since.reset();
    d.reason = {};
    d.held = false;
    d.dirty = true;
  }
  const auto mid = top->mid();
  if (!d.dirty && !other_verdict && d.quoted_mid && d.next_quote && now_ < *d.next_quote) {
    const auto moved = model::Money::from_raw((mid - *d.quoted_mid).abs().raw());
    const auto enough = model::times(model::Money::from_raw(d.quoted_mid->raw()), options_.requote_min_move,
                                     model::Rounding::down);
    if (moved < enough || moved.is_zero()) return;
  }
  d.dirty = false;
  d.quoted_mid = mid;
  d.next_quote = now_ + options_.quote_interval;

  d.market.on_mid(mid, recording_now());  // a quiet market is no gap
  d.intensity.on_touch(top->bid.price, top->ask.price, recording_now());
  const auto position = ledger_.account(d.symbol).position;
  const auto mark = d.mark ? std::optional{d.mark->mark} : std::nullopt;
  try {
    d.strategy->quote({.instrument = *d.instrument,
                       .top = *top,
                       .position = position,
                       .now = now_,
                       .predicted_funding = d.market.predicted_funding().value_or(model::Rate{}),
                       .volatility_ratio = d.market.volatility_ratio(),
                       .volatility_per_s = d.market.volatility_per_s(),
                       .vpin = d.market.vpin(),
                       .intensity = d.intensity.estimate(),
                       .other_bid = other_best(d, model::Side::bid),
                       .other_ask = other_best(d, model::Side::ask)},
                      decision_);
  } catch (const std::exception& fault) {
    strategy_threw(d, fault.what());
    consider(d);  // it has no strategy now, which withdraws its quotes
    return;
  }
  model::Quotes& quotes = decision_.quotes;
  if (decision_.mode != d.mode || decision_.why != d.quieter) {
    note(Severity::info, "mode symbol={} mode={} before={} progress={:.2f} why=\"{}\"",
         symbols_.name(d.symbol), quote::name(decision_.mode), quote::name(d.mode), decision_.progress,
         decision_.why);
    d.mode = decision_.mode;
    d.quieter = decision_.why;
  }
  const std::size_t wanted = quotes.size();
  risk::apply(d.allowed, position, *d.instrument, quotes);
  observe_limits(d);
  if (!base::planted(base::Canary::risk_limit_off)) limits_.cut(d.symbol, *top, mark, quotes);
  d.cuts += wanted - quotes.size();
  d.wanted_bids = static_cast<std::uint32_t>(
      std::count_if(quotes.begin(), quotes.end(), [](const auto& q) { return q.side == model::Side::bid; }));
  d.wanted_asks = static_cast<std::uint32_t>(quotes.size()) - d.wanted_bids;
  mix(d.quotes_hash, static_cast<std::uint64_t>(base::ns_of(now_)));
  for (const auto& q : quotes) {
    mix(d.quotes_hash, static_cast<std::uint64_t>(q.side));
    mix(d.quotes_hash, static_cast<std::uint64_t>(q.price.raw()));
    mix(d.quotes_hash, static_cast<std::uint64_t>(q.qty.raw()));
  }
  auto room = risk::room_under(d.allowed, position, limits_.room(d.symbol));
  if (base::planted(base::Canary::risk_limit_off))
    room = {model::Qty::from_units(1'000'000), model::Qty::from_units(1'000'000)};
  orders_.want(d.symbol, quotes,
               {.top = *top, .room = room, .places_max = now_ < d.places_after ? 0 : places_room()}, now_,
               requests_);
  observe_limits(d);
  take(d, decision_.take);
  see_own_touch(d);
}

void Engine::withdraw(Desk& d, std::string_view reason, Was was) {
  if (was == Was::quoting) {
    ++d.withdrawals;
    d.withdrawn_since = now_;
    record(ops::IncidentKind::withdrawn, symbols_.name(d.symbol), reason, {},
           "orders={} verdict={} lag_ms={}", orders_.active_count(d.symbol), feed::name(d.proof.verdict()),
           d.lag.lag() / base::milliseconds{1});
  }
  d.wanted_bids = d.wanted_asks = 0;
  if (d.held) return;
  d.held = true;
  orders_.pull(d.symbol, now_, requests_);
}

/// How many orders may be placed or amended at once within the routine share of the venue's order limits.
int Engine::places_room() {
  const auto now = budget_now();
  const int waiting = static_cast<int>(std::count_if(
      requests_.begin(), requests_.end(), [](const auto& r) { return r.lane == order::Lane::place; }));
  for (const int count : {32, 16, 8, 4, 2, 1}) {
    const int all = count + waiting;
    if (!budget_.blocked_until({.weight = 0, .orders_short = all, .orders_long = all},
                               venue::Priority::routine, now))
      return std::clamp(gateway_.adding_room(now_) - waiting, 0, count);
  }
  return 0;
}

void Engine::tell_quality(Desk& d, const model::OrderRequest& request) {
  if (!d.quality) return;
  if (const auto* place = std::get_if<model::PlaceOrder>(&request)) {
    d.quality->on_place(place->id, place->qty, now_);
  } else if (const auto* amend = std::get_if<model::AmendOrder>(&request)) {
    d.quality->on_place(amend->id, amend->qty - orders_.filled_of(d.symbol, amend->id), now_);
  } else if (std::holds_alternative<model::CancelOrder>(request)) {
    d.quality->on_cancel(now_);
  }
}

/// Hands out what the orders asked for: what takes risk off first.
void Engine::send_orders() {
  sending_.swap(requests_);
  for (const auto lane :
       {order::Lane::risk_cancel, order::Lane::cancel, order::Lane::query, order::Lane::place}) {
    for (const auto& request : sending_) {
      if (request.lane == lane) send_order(request);
    }
    send_rest();
  }
  sending_.clear();
}

void Engine::send_order(const order::OutRequest& request) {
  const auto kind = kind_of(request.request);
  const auto cost = vb::cost(options_.product, kind);
  const auto now = venue_now();
  const auto priority =
      request.lane == order::Lane::place ? venue::Priority::routine : venue::Priority::vital;
  if (budget_.blocked_until(cost, priority, budget_now())) {
    orders_.on_lost(request.id, order::Lost::not_sent, now_, events_, requests_);
    return;
  }
  Desk& d = desk(symbol_of(request.request));
  if (!passes_gateway(d, request)) {
    orders_.on_lost(request.id, order::Lost::not_sent, now_, events_, requests_);
    return;
  }
  if (kind == vb::RequestKind::place) {
    ++d.places;
    keep_order(d.symbol, std::get<model::PlaceOrder>(request.request).id, {});
  }
  if (kind == vb::RequestKind::amend) ++d.amends;
  if (kind == vb::RequestKind::cancel) ++d.cancels;
  tell_quality(d, request.request);
  const bool ws_ready = is_up(ConnectionId::order_api) && (key_type_ == vb::KeyType::hmac || logged_on_);
  if (ws_ready && vb::supports(options_.product, vb::Way::ws_api, request.request)) {
    spend(kind, cost);
    orders_in_flight_.push_back({request.id, kind, now_});
    out_->push(SendText{ConnectionId::order_api,
                        out_->keep(encoder_.ws_order(request.id, request.request, now, buffer_))});
    return;
  }
  rest_waiting_.push_back(request);
}

/// What waits for REST, in the order it was asked for: what the venue takes together goes together, which
/// costs one round trip and one place of the limit on orders.
void Engine::send_rest() {
  const bool batches = options_.product == model::Product::usdm;
  std::array<model::PlaceOrder, vb::Encoder::batch_place_max> places;
  std::array<model::CancelOrder, vb::Encoder::batch_cancel_max> cancels;
  for (std::size_t i = 0; i < rest_waiting_.size();) {
    const auto& first = rest_waiting_[i];
    const auto kind = kind_of(first.request);
    Query query{.id = first.id,
                .kind = kind,
                .symbol = symbol_of(first.request),
                .sent_at = now_,
                .user_stream_generation = user_stream_generation_};
    const auto most = !batches                          ? std::size_t{1}
                      : kind == vb::RequestKind::place  ? places.size()
                      : kind == vb::RequestKind::cancel ? cancels.size()
                                                        : std::size_t{1};
    std::size_t count = 0;
    for (; count < most && i + count < rest_waiting_.size(); ++count) {
      const auto& next = rest_waiting_[i + count].request;
      if (next.index() != first.request.index() || symbol_of(next) != *query.symbol) break;
      if (const auto* place = std::get_if<model::PlaceOrder>(&next)) places[count] = *place;
      if (const auto* cancel = std::get_if<model::CancelOrder>(&next)) cancels[count] = *cancel;
    }
    count = std::max<std::size_t>(count, 1);
    if (count > 1) {
      query.kind =
          kind == vb::RequestKind::place ? vb::RequestKind::batch_place : vb::RequestKind::batch_cancel;
      for (std::size_t k = 0; k < count; ++k) query.batch.push_back(rest_waiting_[i + k].id);
    }
    const auto now = venue_now();
    const auto request = query.kind == vb::RequestKind::batch_place
                             ? encoder_.batch_place({places.data(), count}, now, buffer_)
                         : query.kind == vb::RequestKind::batch_cancel
                             ? encoder_.batch_cancel({cancels.data(), count}, now, buffer_)
                             : encoder_.order(first.request, now, buffer_);
    // Asked for each order before; together they may be too many.
    const auto priority =
        first.lane == order::Lane::place ? venue::Priority::routine : venue::Priority::vital;
    if (budget_.blocked_until(request.cost, priority, budget_now())) {
      for (std::size_t k = i; k < i + count; ++k)
        orders_.on_lost(rest_waiting_[k].id, order::Lost::not_sent, now_, events_, requests_);
    } else {
      const auto id = query.id;
      queries_.push_back(std::move(query));
      call(request, id, Urgency::order);
    }
    i += count;
  }
  rest_waiting_.clear();
}

/// Into the store: an order as it is sent, and as it ended.
void Engine::keep_order(model::SymbolId symbol, model::ClientOrderId id,
                        std::optional<order::DoneReason> done) {
  auto record = orders_.record(symbol, id);
  if (!record) return;
  record->done = done;
  record->updated_at = now_;
  out_->push(KeepState{*record});
}

/// What happened to our orders, into the ledger and the desks.
void Engine::settle_events() {
  if (!events_.empty()) settle_each();
  for (auto& d : desks_) {
    if (!d.trades_told_to) continue;
    out_->push(KeepState{order::TradesComplete{d.symbol, *d.trades_told_to}});
    d.trades_told_to.reset();
  }
}

void Engine::settle_each() {
  for (const auto& event : events_) {
    const auto* const fill = std::get_if<order::Fill>(&event);
    if (fill == nullptr || fill->of == order::FillOf::ours || ledger_.knows(fill->symbol, fill->trade_id))
      continue;
    Desk& d = desk(fill->symbol);
    if (!d.guard) continue;
    if (fill->of == order::FillOf::another || d.foreign.on_unknown(fill->order_id)) {
      see_foreign(d, fill->order_id, "a trade that is not ours");
    } else {
      ask_owner(d);
    }
  }
  ledger_.apply(events_);
  for (const auto& event : events_) {
    std::visit(
        [&](const auto& e) {
          using T = std::decay_t<decltype(e)>;
          Desk& d = desk(e.symbol);
          if constexpr (std::is_same_v<T, order::Fill>) {
            d.last_fill = now_;
            d.dirty = true;
            out_->push(KeepState{e});
            // One that is told late says nothing about this moment.
            const bool is_fresh = e.id && venue_now() - e.time < base::seconds{2};
            if (d.guard && is_fresh && e.maker) d.guard->on_fill(e.side, e.qty, now_, guard_events_);
            if (d.quality && is_fresh) d.quality->on_fill(e, now_);
            see_standing(d);
            note(Severity::info, "fill symbol={} side={} price={} qty={} trade_id={} maker={} position={}",
                 symbols_.name(e.symbol), model::name(e.side), e.price.text(), e.qty.text(), e.trade_id,
                 e.maker, ledger_.account(e.symbol).position.text());
          } else if constexpr (std::is_same_v<T, order::FillDetails>) {
            out_->push(KeepState{e});
          } else if constexpr (std::is_same_v<T, order::OrderDone>) {
            d.dirty = true;
            keep_order(e.symbol, e.id, e.reason);
            if (d.quality) d.quality->on_done(e, now_);
            if (e.took && d.slice_taken) {
              d.slice_taken = false;
              d.guard->on_slice_done(e.taken_max, e.filled_qty, now_, guard_events_);
              tell_guard_events(d);
            }
          } else if constexpr (std::is_same_v<T, order::Rejected>) {
            ++d.rejects;
            d.dirty = true;
            if (e.refusal == model::Refusal::post_only_would_take) {
              ++d.post_only_rejects;
              return;
            }
            note(Severity::warning, "refused symbol={} refusal={} code={}", symbols_.name(e.symbol),
                 model::name(e.refusal), e.code);
            if (e.refusal == model::Refusal::auth)
              fail(fmt::format("the venue refused the key: code {}", e.code), now_);
            if (e.refusal == model::Refusal::clock) {
              clock_.reset();
              ask(vb::RequestKind::server_time);
            }
            if ((e.refusal == model::Refusal::filter || e.refusal == model::Refusal::other) &&
                now_ - rules_asked_ >= base::seconds{5}) {
              rules_asked_ = now_;
              ask(vb::RequestKind::exchange_info);
            }
            if (e.refusal == model::Refusal::rate_limited)
              budget_.refused(limit_of(e.code), {}, budget_now());
          } else if constexpr (std::is_same_v<T, order::FillsMissing>) {
            d.fills_wanted = true;
            ask(vb::RequestKind::user_trades, e.symbol);
          } else if constexpr (std::is_same_v<T, order::ForeignOrder>) {
            see_foreign(d, e.order_id, "an order that is not ours");
          }
        },
        event);
  }
  events_.clear();
}

}  // namespace phoenix::engine
