// What the guards of risk see and say, and what follows from it.

#include "base/canary.hpp"
#include "engine/engine.hpp"
#include "model/names.hpp"

#include <algorithm>

namespace phoenix::engine {

using base::LocalTime;

/// Tells a new touch to all that watch prices of a quoted symbol, whether it may be quoted or not.
void Engine::see_touch(Desk& d) {
  if (!d.is_quoted() || phase_ != Phase::running) return;
  const bool known = d.sync.is_synced() && d.book.touch() == book::Touch::apart;
  const auto top = known ? top_of(d) : std::nullopt;
  if (!top) {
    if (d.seen_touch) d.quality->on_no_market(now_);
    d.seen_touch.reset();
    return;
  }
  if (d.seen_touch && d.seen_touch->bid.price == top->bid.price && d.seen_touch->ask.price == top->ask.price)
    return;
  d.seen_touch = top;
  const auto mid = top->mid();
  const auto venue = recording_now();
  d.market.on_mid(mid, venue);
  d.intensity.on_touch(top->bid.price, top->ask.price, venue);
  d.guard->on_mid(mid, now_, guard_events_);
  d.quality->on_mid(mid, now_);
  see_own_touch(d);
  tell_guard_events(d);
}

void Engine::see_own_touch(Desk& d) {
  if (!d.seen_touch) return;
  d.quality->on_touch(*d.seen_touch, orders_.best_live(d.symbol, model::Side::bid),
                      orders_.best_live(d.symbol, model::Side::ask), now_);
}

/// Position, price or result of a symbol changed: its guard and the account's judge it.
void Engine::see_standing(Desk& d) {
  if (!d.guard || !d.instrument) return;
  const auto price = price_of(d);
  const auto pnl = ledger_.pnl(d.symbol, d.instrument->quote_asset, price);
  d.guard->on_standing({.position = ledger_.account(d.symbol).position,
                        .price = price.value_or(model::Price{}),
                        .unrealized_pnl = pnl.unrealized.value_or(model::Money{}),
                        .equity = pnl.net},
                       now_, guard_events_);
  tell_guard_events(d);
  if (const auto peak = d.guard->peak()) d.drawdown_max = std::max(d.drawdown_max, *peak - pnl.net);

  std::optional<model::Money> equity = model::Money{};
  for (const auto& each : desks_) {
    if (!each.is_quoted()) continue;
    if (!each.instrument) return;
    const auto of = ledger_.pnl(each.symbol, each.instrument->quote_asset, price_of(each));
    if (!of.unrealized) equity.reset();
    if (equity) *equity += of.net;
  }
  account_guard_.on_account(limits_.worst_notional(), equity, now_, guard_events_);
  tell_account_events();
}

/// The mark price, or the mid while there is none.
std::optional<model::Price> Engine::price_of(const Desk& d) const {
  if (d.mark) return d.mark->mark;
  if (d.seen_touch) return d.seen_touch->mid();
  return std::nullopt;
}

/// Asks the guards anew; true when what they allow is another thing than before, or a slice is due.
bool Engine::judge(Desk& d) {
  if (!d.guard || !d.instrument) return false;
  const auto before = d.allowed;
  d.allowed = d.guard->verdict(account_guard_.verdict(), *d.instrument, now_);
  return d.allowed.level != before.level || d.allowed.slice.has_value();
}

void Engine::watch_guards() {
  if (const auto deadline = account_guard_.next_deadline(); deadline && now_ >= *deadline) {
    account_guard_.expire(now_, guard_events_);
    tell_account_events();
  }
  for (auto& d : desks_) {
    if (!d.guard) continue;
    if (const auto deadline = d.guard->next_deadline(); deadline && now_ >= *deadline) {
      d.guard->expire(now_, guard_events_);
      tell_guard_events(d);
      consider(d);
    }
    if (now_ >= quality_advanced_ + base::seconds{1}) d.quality->advance(now_);
  }
  if (now_ >= quality_advanced_ + base::seconds{1}) quality_advanced_ = now_;
}

void Engine::tell_guard_events(Desk& d) {
  if (guard_events_.empty()) return;
  tell_events(symbols_.name(d.symbol));
  keep_latches(symbols_.name(d.symbol), d.guard->latches(), d.latches);
  d.dirty = true;
}

void Engine::tell_account_events() {
  if (guard_events_.empty()) return;
  tell_events("");
  keep_latches("", account_guard_.latches(), account_latches_);
  for (auto& d : desks_) d.dirty = true;
}

void Engine::tell_events(std::string_view symbol) {
  for (const auto& e : guard_events_) {
    const bool entered = e.edge == risk::Edge::entered;
    if (entered) ++guards_entered_[static_cast<std::size_t>(e.reason)];
    const auto subject = symbol.empty() ? std::string_view{"account"} : symbol;
    note(entered ? Severity::warning : Severity::info, "guard {} symbol={} reason={} value={} bound={}",
         entered ? "entered" : "left", subject, risk::name(e.reason), e.value.text(), e.bound.text());
    record(ops::IncidentKind::guarded, subject,
           fmt::format("{} {}", entered ? "entered" : "left", risk::name(e.reason)), {},
           "value={} bound={} level={}", e.value.text(), e.bound.text(),
           risk::name(risk::level_of(e.reason)));
  }
  guard_events_.clear();
}

/// What is latched must be durable before anything that a restart could undo.
void Engine::keep_latches(std::string_view symbol, std::string now_latched, std::string& kept) {
  if (now_latched == kept) return;
  kept = std::move(now_latched);
  keep_latch_record(symbol.empty() ? "account" : symbol, kept);
  out_->push(KeepGuardLatch{out_->keep(symbol), out_->keep(kept)});
}

/// A copy for whoever reads the store; an empty text says that it was cleared.
void Engine::keep_latch_record(std::string_view name, std::string_view text) {
  order::LatchRecord record;
  record.name = base::ShortText<32>{name.substr(0, 32)};
  record.state = text.empty() ? order::LatchState::cleared : order::LatchState::set;
  record.reason = base::ShortText<120>{text.substr(0, 120)};
  record.at = now_;
  out_->push(KeepState{record});
}

/// An operator's word: the latches of one symbol, or of all and of the account, are taken away.
void Engine::rearm(std::string_view symbol) {
  for (auto& d : desks_) {
    if (!d.guard || (!symbol.empty() && symbols_.name(d.symbol) != symbol)) continue;
    d.guard->rearm(now_, guard_events_);
    tell_guard_events(d);
    keep_latches(symbols_.name(d.symbol), d.guard->latches(), d.latches);
    d.dirty = true;
  }
  if (!symbol.empty()) return;
  account_guard_.rearm(now_, guard_events_);
  tell_account_events();
  keep_latches("", account_guard_.latches(), account_latches_);
}

/// Somebody else trades here: nothing of ours rests until a person has claimed it.
void Engine::see_foreign(Desk& d, std::int64_t order_id, std::string_view what) {
  if (!d.guard) return;
  const auto seen = d.foreign.seen_count();
  if (!d.foreign.on_order(order_id)) return;
  if (d.foreign.seen_count() > seen)
    note(Severity::warning, "{} symbol={} order_id={}", what, symbols_.name(d.symbol), order_id);
  d.guard->hold(risk::Reason::foreign_activity, now_, guard_events_);
  tell_guard_events(d);
  keep_foreign(d);
}

/// Asks whose the order is of which a trade came that nobody here remembers.
void Engine::ask_owner(Desk& d) {
  if (const auto id = d.foreign.to_ask())
    ask(venue::binance::RequestKind::query_order, d.symbol, Purpose::owner, *id);
}

void Engine::keep_foreign(Desk& d) {
  const auto symbol = std::string{symbols_.name(d.symbol)};
  const bool held = d.guard->reasons().has(risk::Reason::foreign_activity);
  keep_latches(symbol + std::string{foreign_suffix}, held ? "orders or trades that are not ours" : "",
               d.foreign_kept);
  keep_latches(symbol + std::string{claimed_suffix}, d.foreign.claimed(), d.claimed);
}

void Engine::handle(const OrdersClaimed& in) {
  for (auto& d : desks_) {
    if (!d.guard || (!in.symbol.empty() && symbols_.name(d.symbol) != in.symbol)) continue;
    d.foreign.claim();
    d.guard->release(risk::Reason::foreign_activity, guard_events_);
    tell_guard_events(d);
    keep_foreign(d);
    d.dirty = true;
  }
}

void Engine::handle(const HoldAsked& in) {
  using risk::Reason;
  for (auto& d : desks_) {
    if (!d.guard || (!in.symbol.empty() && symbols_.name(d.symbol) != in.symbol)) continue;
    const auto put = [&](Reason reason, bool wanted) {
      wanted ? d.guard->hold(reason, now_, guard_events_) : d.guard->release(reason, guard_events_);
    };
    if (in.by == HoldBy::person) {
      put(Reason::paused, in.wish != HoldWish::none);
    } else {
      put(Reason::alert_hold, in.wish == HoldWish::hold);
      put(Reason::alert_reduce_only, in.wish == HoldWish::reduce_only);
    }
    tell_guard_events(d);
    d.dirty = true;
  }
}

/// Whether the parameters make a ladder at this price, now and then: the price moves slowly out of what the
/// venue's smallest order or tick allows.
void Engine::look_at_fit(Desk& d) {
  constexpr base::Duration interval = base::minutes{1};
  if (now_ < d.fit_due || !d.instrument || !d.seen_touch || !d.strategy) return;
  d.fit_due = now_ + interval;
  const auto misfit = d.strategy->misfit(*d.instrument, d.seen_touch->mid());
  if (misfit == d.misfit) return;
  d.misfit = misfit;
  if (!misfit.empty())
    note(Severity::error, "the configured quotes do not fit symbol={} mid={} why=\"{}\"",
         symbols_.name(d.symbol), d.seen_touch->mid().text(), misfit);
}

void Engine::observe_limits(Desk& d) {
  limits_.observe(d.symbol, {.position = ledger_.account(d.symbol).position,
                             .working = orders_.exposure(d.symbol),
                             .price = price_of(d).value_or(model::Price{})});
}

void Engine::restore_latches() {
  for (const auto& kept : options_.guard_latches) {
    const auto owner = std::string_view{kept.symbol}.substr(0, kept.symbol.find('.'));
    if (owner.size() < kept.symbol.size()) {
      for (auto& d : desks_) {
        if (!d.guard || symbols_.name(d.symbol) != owner) continue;
        if (kept.symbol.ends_with(claimed_suffix)) {
          d.claimed = kept.text;
          d.foreign.restore(kept.text);
        } else {
          d.foreign_kept = kept.text;
          d.guard->hold(risk::Reason::foreign_activity, now_, guard_events_);
          tell_guard_events(d);
        }
      }
      continue;
    }
    if (kept.symbol.empty()) {
      account_latches_ = kept.text;
      account_guard_.restore(kept.text, guard_events_);
      tell_account_events();
      continue;
    }
    for (auto& d : desks_) {
      if (!d.guard || symbols_.name(d.symbol) != kept.symbol) continue;
      d.latches = kept.text;
      d.guard->restore(kept.text, guard_events_);
      tell_guard_events(d);
    }
  }
}

/// Takes from the market what the guard, or else the strategy, wants to be rid of. After `want` or `pull`.
void Engine::take(Desk& d, const std::optional<quote::Take>& wanted) {
  if (orders_.is_taking(d.symbol)) return;
  if (d.allowed.slice && d.seen_touch) {
    const auto [side, qty] = *d.allowed.slice;
    const auto limit =
        risk::slice_limit(*d.instrument, *d.seen_touch, side, d.guard->options().slice_slippage);
    if (!orders_.take(d.symbol, side, qty, limit, now_, requests_)) return;
    ++d.takes;
    d.guard->on_slice_sent(d.allowed);
    d.allowed.slice.reset();
    d.slice_taken = true;
    note(Severity::warning, "slice symbol={} side={} qty={} limit={} reason={}", symbols_.name(d.symbol),
         model::name(side), qty.text(), limit.text(), risk::name(d.allowed.reason));
  } else if (wanted && !d.allowed.nothing_rests()) {
    if (!orders_.take(d.symbol, wanted->side, wanted->qty, wanted->limit, now_, requests_)) return;
    ++d.takes;
    note(Severity::info, "take symbol={} side={} qty={} limit={}", symbols_.name(d.symbol),
         model::name(wanted->side), wanted->qty.text(), wanted->limit.text());
  } else {
    return;
  }
  observe_limits(d);
}

/// The last look at a request: false, and nothing of it leaves.
bool Engine::passes_gateway(Desk& d, const order::OutRequest& request) {
  if (base::planted(base::Canary::risk_limit_off)) return true;
  const auto mark = d.mark ? std::optional{d.mark->mark} : std::nullopt;
  const auto refused = gateway_.pass(request.request, {.top = d.seen_touch, .mark = mark}, now_);
  if (!refused) return true;
  constexpr base::Duration pause_for_messages = base::milliseconds{200}, distrust = base::seconds{5};
  // A ladder that follows a flickering touch places at the same price again and again: slower will do.
  const bool busy = *refused == risk::Refused::messages_short || *refused == risk::Refused::messages_long ||
                    *refused == risk::Refused::duplicate;
  d.places_after = now_ + pause_for_messages;
  ++d.gateway_refusals;
  if (!busy && now_ >= d.distrusted_until) {
    // Strategy and limits should never have asked for it: nothing of this symbol rests until it is clear why.
    d.distrusted_until = now_ + distrust;
    note(Severity::error, "the gateway refused an order symbol={} why={}", symbols_.name(d.symbol),
         risk::name(*refused));
    record(ops::IncidentKind::guarded, symbols_.name(d.symbol),
           fmt::format("gateway refused: {}", risk::name(*refused)), {}, "pause_ms={}",
           distrust / base::milliseconds{1});
  }
  return false;
}

/// New settings from this step on: limits, guards, strategy and pace. What belongs to the start (which
/// symbols, which hosts, how it is recorded) stays as it is; whoever sent the text has said so.
void Engine::handle(const OptionsChanged& in) {
  if (!options_.read) return;
  const auto read = options_.read(in.text);
  if (!read) return;
  options_.total_notional_max = read->total_notional_max;
  options_.quote_interval = read->quote_interval;
  options_.requote_min_move = read->requote_min_move;
  options_.account_guard = read->account_guard;
  options_.gateway = read->gateway;
  limits_.set_total_notional_max(read->total_notional_max);
  auto account = read->account_guard;
  account.total_notional_max = read->total_notional_max;
  account_guard_.configure(account);
  gateway_.configure(read->gateway);
  for (auto& d : desks_) {
    for (const auto& symbol : read->symbols) {
      if (symbol.name == d.options.name && d.is_quoted()) configure(d, symbol);
    }
  }
  note(Severity::info, "configuration applied");
  record(ops::IncidentKind::configured, "", "", {}, "bytes={}", in.text.size());
}

void Engine::configure(Desk& d, const SymbolOptions& wanted) {
  SymbolOptions next = d.options;
  next.strategy = wanted.strategy;
  next.grid = wanted.grid;
  next.glft = wanted.glft;
  next.limits = wanted.limits;
  next.guard = wanted.guard;
  next.cancels_per_minute = wanted.cancels_per_minute;
  d.options = std::move(next);
  d.guard->configure(Desk::guard_options(d.options));
  if (d.instrument) set_order_limits(d, *d.instrument);
  auto* const grid = dynamic_cast<quote::Grid*>(d.strategy.get());
  auto* const glft = dynamic_cast<quote::Glft*>(d.strategy.get());
  if (grid != nullptr && d.options.strategy == StrategyKind::grid) {
    grid->configure(d.options.grid);  // what it remembers stays
  } else if (glft != nullptr && d.options.strategy == StrategyKind::glft) {
    glft->configure(d.options.glft);
  } else if (d.strategy) {
    d.strategy = make_strategy(d.options);
  }
  d.fit_due = {};
  d.dirty = true;
}

}  // namespace phoenix::engine
