// The engine's REST questions and what their answers mean.

#include "base/assert.hpp"
#include "engine/engine.hpp"
#include "model/names.hpp"
#include "venue/binance/classify.hpp"

#include <algorithm>
#include <utility>

namespace phoenix::engine {

namespace vb = venue::binance;
using K = vb::RequestKind;
using base::LocalTime;

namespace {

/// How far back trades are fetched when one is missing and no id tells where to begin.
constexpr base::Duration trades_look_back = base::minutes{5};
/// Trades before the first start of all are not ours: where they end is learned from the last day.
constexpr base::Duration trades_before = base::hours{24};
/// A position report this close to a fill says nothing about who is right.
constexpr base::Duration fill_settles_in = base::seconds{2};

/// The smallest answer that names the book's id.
constexpr int probe_levels = 5;
constexpr base::Duration halted_check_interval = base::seconds{10};  ///< until it trades again
constexpr std::size_t snapshots_max = 4;                             ///< in flight together, over all books

constexpr base::Duration incomes_interval = base::hours{1};
constexpr base::Duration incomes_retry = base::minutes{1};
/// The history lags behind the payment.
constexpr base::Duration incomes_settle_in = base::seconds{10}, incomes_lag_max = base::minutes{5};

bool is_batch(K kind) { return kind == K::batch_place || kind == K::batch_cancel; }
bool is_order(K kind) {
  return kind == K::place || kind == K::amend || kind == K::cancel || kind == K::cancel_all ||
         kind == K::query_order || is_batch(kind);
}

}  // namespace

/// A mass cut must not become a snapshot storm.
std::size_t Engine::snapshots_asked() const {
  return static_cast<std::size_t>(std::count_if(queries_.begin(), queries_.end(), is_snapshot));
}

/// Sends one question, unless the same is on its way already or the budget forbids it: then the timer that
/// wanted it asks again.
void Engine::ask(K kind, std::optional<model::SymbolId> symbol, Purpose purpose, std::int64_t from_id) {
  // One asked before the user stream was lost says nothing about the time after it.
  // Probes and refreshes of the switch pace themselves: one without answer must not hold up the next.
  const bool paces_itself = kind == K::countdown || purpose == Purpose::probe;
  const bool asked = !paces_itself && std::any_of(queries_.begin(), queries_.end(), [&](const Query& q) {
    return q.kind == kind && q.symbol == symbol && q.purpose == purpose &&
           q.user_stream_generation == user_stream_generation_;
  });
  if (asked) return;
  const auto now = venue_now();
  const vb::RestRequest request = [&]() -> vb::RestRequest {
    switch (kind) {
      case K::server_time:
        return encoder_.server_time(buffer_);
      case K::exchange_info:
        return encoder_.exchange_info(buffer_);
      case K::account_config:
        return encoder_.account_config(now, buffer_);
      case K::listen_key_start:
        return encoder_.listen_key_start(buffer_);
      case K::listen_key_keep_alive:
        return encoder_.listen_key_keep_alive(buffer_);
      case K::depth:
        return encoder_.depth_snapshot(
            *symbol, purpose == Purpose::probe ? probe_levels : options_.snapshot_limit, buffer_);
      case K::agg_trades:
        return encoder_.agg_trades_from_id(*symbol, from_id, buffer_);
      case K::countdown:
        return encoder_.countdown_cancel_all(
            *symbol, purpose == Purpose::disarm ? base::Duration{} : switch_plan_->countdown, now, buffer_);
      case K::query_order:
        return encoder_.query_by_order_id(*symbol, from_id, now, buffer_);
      case K::incomes:
        return encoder_.funding_fees(incomes_asked_from_, now, buffer_);
      case K::open_orders:
        return encoder_.open_orders(symbol, now, buffer_);
      case K::position_risk:
        return encoder_.position_risk(now, buffer_);
      case K::user_trades: {
        const Desk& d = desk(*symbol);
        if (d.trades_from && *d.trades_from > 1) {
          return encoder_.user_trades_from_id(*symbol, *d.trades_from, now, buffer_);
        }
        const auto since = !d.has_history  ? started_at_ - trades_before
                           : d.trades_from ? started_at_
                                           : std::max(started_at_, now_ - trades_look_back);
        return encoder_.user_trades_since(*symbol, clock_.to_venue(since), now, buffer_);
      }
      default:
        break;
    }
    PHX_ASSERT(false, "every kind of question the engine asks has its request");
    return {};
  }();
  // Stopping safely needs its answers, and so does the switch: the last share of the limits is for that.
  const bool vital = phase_ == Phase::stopping || kind == K::countdown || kind == K::server_time;
  const auto priority = vital ? venue::Priority::vital : venue::Priority::routine;
  Query query{.id = {next_request_},
              .kind = kind,
              .symbol = symbol,
              .sent_at = now_,
              .user_stream_generation = user_stream_generation_,
              .purpose = purpose,
              .from_id = from_id};
  feed::PacedBudget* const repairs = is_snapshot(query)      ? &snapshots_
                                     : kind == K::agg_trades ? &trade_pages_
                                                             : nullptr;
  if (budget_.blocked_until(request.cost, priority, budget_now()) ||
      (is_snapshot(query) && snapshots_asked() >= snapshots_max) ||
      (repairs != nullptr && repairs->left(now_) == 0)) {
    on_query_failed(query);
    return;
  }
  if (repairs != nullptr) repairs->book(now_);
  ++next_request_;
  if (kind == K::depth && purpose == Purpose::probe) {
    ++desk(*symbol).probes;
    desk(*symbol).proof.probe_sent(now_);
  }
  if (kind == K::countdown) {
    auto& countdown = *desk(*symbol).countdown;
    purpose == Purpose::disarm ? countdown.disarm_sent(now_) : countdown.refresh_sent(now_);
  }
  queries_.push_back(query);
  call(request, query.id, Urgency::query);
}

void Engine::call(const vb::RestRequest& request, model::RequestId id, Urgency urgency) {
  spend(request.kind, request.cost);
  CallRest c;
  c.request = id;
  c.urgency = urgency;
  c.method = out_->keep(vb::name(request.method));
  c.target = out_->keep(request.target);
  c.body = out_->keep(request.body);
  c.timeout = urgency == Urgency::order || request.kind == K::countdown ? options_.order_timeout
                                                                        : options_.query_timeout;
  out_->push(c);
}

std::optional<Engine::Query> Engine::take_query(model::RequestId id) {
  const auto it = std::find_if(queries_.begin(), queries_.end(), [&](const Query& q) { return q.id == id; });
  if (it == queries_.end()) return std::nullopt;
  Query query = std::move(*it);
  *it = queries_.back();
  queries_.pop_back();
  return query;
}

void Engine::handle(const RestAnswered& in) {
  const auto taken = take_query(in.request);
  if (!taken) return;
  const Query& query = *taken;
  observe_usage(in, query.sent_at);
  request_counts_.answered(
      query.kind, in.status == 200 ? RequestCounts::Answer::accepted : RequestCounts::Answer::refused,
      now_ - query.sent_at);
  if (is_batch(query.kind)) {
    on_batch(query, in.status, in.body);
  } else if (is_order(query.kind) && query.purpose != Purpose::owner) {
    const auto answer = rest_decoder_.order_answer(query.kind, in.status, in.body);
    orders_.on_answer(query.id, answer, now_, events_, requests_);
    on_order_answer(query.kind, answer, query.sent_at);
  } else if (in.status == 200) {
    on_answer(query, in.body);
    // It told the limits that its count is about.
    if (query.kind == K::exchange_info) observe_usage(in, query.sent_at);
    check_started();
  } else {
    on_refusal(query, in.status, in.body);
  }
}

void Engine::handle(const RestLost& in) {
  const auto taken = take_query(in.request);
  if (!taken) return;
  const Query& query = *taken;
  request_counts_.lost(query.kind);
  if (is_order(query.kind) && query.purpose != Purpose::owner) {
    const auto lost = in.lost == Lost::not_sent ? order::Lost::not_sent : order::Lost::unknown;
    for (const auto id : query.batch) orders_.on_lost(id, lost, now_, events_, requests_);
    if (query.batch.empty()) orders_.on_lost(query.id, lost, now_, events_, requests_);
    return;
  }
  note(Severity::warning, "no answer question={} why=\"{}\"", name(query.kind), in.reason);
  on_query_failed(query);
}

/// Each order of a batch has its own outcome; a refusal of the whole is one of each.
void Engine::on_batch(const Query& query, int status, std::string_view body) {
  const auto kind = query.kind == K::batch_place ? K::place : K::cancel;
  const auto answers = status == 200
                           ? rest_decoder_.batch(body, kind)
                           : venue::binance::Decoded<std::vector<model::OrderAnswer>>{std::vector(
                                 query.batch.size(), rest_decoder_.order_answer(kind, status, body))};
  if (!answers || answers->size() != query.batch.size()) {
    note(Severity::warning, "answer to a batch unreadable symbol={} orders={}", symbols_.name(*query.symbol),
         query.batch.size());
    for (const auto id : query.batch) orders_.on_lost(id, order::Lost::unknown, now_, events_, requests_);
    return;
  }
  for (std::size_t i = 0; i < answers->size(); ++i) {
    orders_.on_answer(query.batch[i], (*answers)[i], now_, events_, requests_);
    on_order_answer(kind, (*answers)[i], query.sent_at);
  }
}

void Engine::observe_usage(const RestAnswered& in, LocalTime sent_at) {
  const auto sent = counted_at(sent_at);
  const auto report = [&](venue::LimitKind kind, base::Duration interval, std::optional<int> count) {
    if (count) budget_.observe({kind, interval, *count}, sent, budget_now());
  };
  report(venue::LimitKind::weight, base::minutes{1}, in.used_weight_1m);
  report(venue::LimitKind::orders, base::seconds{10}, in.order_count_10s);
  report(venue::LimitKind::orders, base::minutes{1}, in.order_count_1m);
  const auto retry_after =
      in.retry_after_s ? std::optional<base::Duration>{base::seconds{*in.retry_after_s}} : std::nullopt;
  if (in.status != 429 && in.status != 418) return;
  const auto code = rest_decoder_.code(in.body);
  if (in.status == 429) {
    budget_.refused(limit_of(code ? code->code : 0), retry_after, budget_now());
  } else {
    const auto end = code ? vb::ban_end(code->message.view()) : std::nullopt;
    banned(end ? *end - venue_now() : retry_after.value_or(base::minutes{2}));
  }
}

void Engine::banned(base::Duration wait) {
  budget_.banned_until(budget_now() + wait);
  // Each answer that was on its way says the same again.
  if (wait <= base::Duration{} || now_ + wait <= banned_until_ + base::seconds{1}) return;
  banned_until_ = now_ + wait;
  record(ops::IncidentKind::banned, "", "", wait, "for_ms={}", wait / base::milliseconds{1});
}

void Engine::on_answer(const Query& query, std::string_view body) {
  switch (query.kind) {
    case K::server_time:
      if (const auto time = rest_decoder_.server_time(body)) take_clock(query.sent_at, *time);
      break;
    case K::exchange_info:
      on_exchange_info(body);
      break;
    case K::account_config:
      on_account_settings(body);
      break;
    case K::listen_key_start:
      if (auto key = rest_decoder_.listen_key(body)) take_listen_key(std::move(*key));
      break;
    case K::depth: {
      Desk& d = desk(*query.symbol);
      const auto snapshot = market_decoder_.decode_depth_snapshot(*query.symbol, body);
      if (!snapshot) {
        on_query_failed(query);
        break;
      }
      if (query.purpose == Purpose::probe) {
        on_probe(query, snapshot->last_id);
        break;
      }
      d.sync.on_snapshot(*snapshot, now_, sync_actions_);
      apply_sync(d);
      consider(d);
      break;
    }
    case K::open_orders:
      on_open_orders(query, body);
      break;
    case K::position_risk:
      on_positions(query, body);
      break;
    case K::user_trades:
      on_user_trades(query, body);
      break;
    case K::query_order:
      on_owner(query, body);
      break;
    case K::incomes:
      on_incomes(query, body);
      break;
    case K::agg_trades: {
      Desk& d = desk(*query.symbol);
      const auto trades = rest_decoder_.agg_trades(d.symbol, body);
      if (!trades) {
        on_query_failed(query);
        break;
      }
      const auto before = d.trades_repaired;
      d.trades.on_fetched(*trades, query.from_id, now_, trade_actions_);
      apply_trades(d);
      if (d.trades_repaired > before)
        record(ops::IncidentKind::repaired, symbols_.name(d.symbol), "trades", {}, "from={} count={}",
               query.from_id, d.trades_repaired - before);
      break;
    }
    case K::countdown:
      if (query.purpose == Purpose::disarm) {
        desk(*query.symbol).countdown->disarm_accepted();
      } else {
        desk(*query.symbol).countdown->refresh_accepted(query.sent_at);
      }
      break;
    default:
      break;
  }
}

void Engine::on_refusal(const Query& query, int status, std::string_view body) {
  const auto code = rest_decoder_.code(body);
  const int number = code ? code->code : 0;
  const auto message = code ? code->message.str() : std::string{};
  request_counts_.refused(query.kind, number);
  note(Severity::warning, "refused question={} status={} code={} message=\"{}\"", name(query.kind), status,
       number, message);
  const auto verdict = vb::classify(options_.product, status, number, message, query.kind);
  if (verdict.refusal == model::Refusal::auth) {
    fail(fmt::format("the venue refused the login: code {} {}", number, message), now_);
    return;
  }
  if (verdict.refusal == model::Refusal::clock) {
    clock_.reset();
    ask(K::server_time);
  }
  if (query.kind == K::listen_key_keep_alive) ask(K::listen_key_start);
  if (query.purpose == Purpose::owner && verdict.refusal == model::Refusal::order_not_found) {
    Desk& d = desk(*query.symbol);
    d.foreign.answered(query.from_id);
    see_foreign(d, query.from_id, "a trade of an order the venue does not know");
  }
  on_query_failed(query);
}

/// The venue gives the same key as long as it lives: another one means that the streams on the old one are
/// dead.
void Engine::take_listen_key(std::string key) {
  if (key == listen_key_) return;
  const bool other = !listen_key_.empty();
  listen_key_ = std::move(key);
  if (!other) return;
  note(Severity::warning, "another listen key: the user streams are opened anew");
  replace_user_lines("the listen key is another");
}

/// Asked again by the timer or the state machine that wanted it.
void Engine::on_query_failed(const Query& query) {
  if (query.kind == K::depth && query.purpose == Purpose::probe) {
    desk(*query.symbol).proof.probe_failed(query.sent_at);
  } else if (query.kind == K::depth) {
    desk(*query.symbol).sync.on_snapshot_failed(now_);
  }
  if (query.kind == K::agg_trades) desk(*query.symbol).trades.fetch_failed(now_);
  if (query.kind == K::countdown) desk(*query.symbol).countdown->failed(now_);
  if (query.kind == K::server_time && !clock_.known() && phase_ != Phase::starting)
    timer(Timer::clock) = now_ + base::seconds{1};
  if (query.kind == K::incomes) timer(Timer::incomes) = now_ + incomes_retry;
  if (phase_ == Phase::starting) timer(Timer::start) = now_ + base::seconds{1};
}

/// The venue's clock may step. Its limits count in minutes of that clock, so the budget follows by whole
/// minutes: counts of an hour ahead would block everything until that hour came.
void Engine::take_clock(LocalTime sent, base::VenueTime time) {
  const auto before = clock_.offset();
  clock_.sample(sent, time, now_);
  const auto step = clock_.offset() - before;
  if (step < -base::seconds{1}) ledger_.clock_set_back(-step);
  const auto minutes =
      (step + (step.count() < 0 ? -base::seconds{30} : base::seconds{30})) / base::minutes{1};
  budget_shift_ -= base::minutes{minutes};
}

void Engine::on_exchange_info(std::string_view body) {
  const auto info = rest_decoder_.exchange_info(body);
  if (!info) {
    note(Severity::warning, "exchangeInfo unreadable fault={}", vb::name(info.error()));
    return;
  }
  std::string wrong;
  for (auto& d : desks_) {
    const auto listed = std::find_if(info->instruments.begin(), info->instruments.end(),
                                     [&d](const auto& i) { return i.symbol == d.symbol; });
    const auto trouble = listed == info->instruments.end()
                             ? fmt::format("{}: the venue does not list it", symbols_.name(d.symbol))
                             : rules_trouble(d, *listed);
    if (!trouble.empty()) {
      wrong += (wrong.empty() ? "" : "; ") + trouble;
      if (rules_known_ && d.instrument) note(Severity::error, "rules changed: {}", trouble);
      d.instrument.reset();
      consider(d);
      continue;
    }
    take_rules(d, *listed);
  }
  if (!wrong.empty() && !rules_known_) {
    fail(wrong, now_);
    return;
  }
  rate_limits_.clear();
  for (const auto& limit : info->limits) {
    if (!rate_limits_.full()) rate_limits_.push_back(limit);
  }
  budget_.set_limits(info->limits, budget_now());
  if (!std::exchange(rules_known_, true)) plan_countdown();
  if (phase_ == Phase::running) timer(Timer::rules) = now_ + rules_interval();
}

/// Often while a symbol does not trade, so that it is back soon after the venue lets it.
base::Duration Engine::rules_interval() const {
  const bool all_trading = std::all_of(desks_.begin(), desks_.end(), [](const Desk& d) {
    return d.instrument && d.instrument->status == model::SymbolStatus::trading;
  });
  return all_trading ? options_.rules_check_interval : halted_check_interval;
}

/// What of the venue's rules contradicts the configuration; empty when nothing does.
std::string Engine::rules_trouble(const Desk& d, const model::Instrument& rules) const {
  const auto symbol = symbols_.name(d.symbol);
  if (d.options.tick_size && *d.options.tick_size != rules.tick_size) {
    return fmt::format("{}: tick_size is {} in the configuration and {} at the venue", symbol,
                       d.options.tick_size->text(), rules.tick_size.text());
  }
  if (d.options.qty_min && *d.options.qty_min != rules.qty_min) {
    return fmt::format("{}: min_qty is {} in the configuration and {} at the venue", symbol,
                       d.options.qty_min->text(), rules.qty_min.text());
  }
  return {};
}

/// New or changed rules: what rests by the old ones leaves, and the ladder is rounded anew.
void Engine::take_rules(Desk& d, const model::Instrument& rules) {
  const bool trading = rules.status == model::SymbolStatus::trading;
  trading ? d.proof.resume(now_) : d.proof.halt(now_);
  if (d.instrument == rules) return;
  const bool first = !d.instrument.has_value();
  const bool other_tick = first || d.instrument->tick_size != rules.tick_size;
  const bool other_rules = !first && (other_tick || d.instrument->step_size != rules.step_size ||
                                      d.instrument->notional_min != rules.notional_min);
  if (!first) {
    note(Severity::warning, "rules changed symbol={} tick={} step={} trading={}", symbols_.name(d.symbol),
         rules.tick_size.text(), rules.step_size.text(), trading);
  } else if (d.is_quoted() && rules.step_size.is_positive() &&
             d.options.grid.layer_size.raw() % rules.step_size.raw() != 0) {
    note(Severity::warning, "unified_layer_size rounds down symbol={} size={} step={} to={}",
         symbols_.name(d.symbol), d.options.grid.layer_size.text(), rules.step_size.text(),
         rules.qty_down(d.options.grid.layer_size).text());
  }
  if (other_rules) orders_.pull(d.symbol, now_, requests_);
  d.instrument = rules;
  if (d.is_quoted()) set_order_limits(d, rules);
  if (other_tick) {
    d.book = book::Book{{.tick = rules.tick_size}};
    if (!first) {
      d.sync.on_disconnected(sync_actions_);
      apply_sync(d);
    }
  }
  d.dirty = true;
}

void Engine::set_order_limits(const Desk& d, const model::Instrument& rules) {
  const int layers = d.options.strategy == StrategyKind::glft ? d.options.glft.layers : d.options.grid.layers;
  // One more on each side: what a mode puts before the ladder.
  orders_.add_symbol(
      rules, {.cancels_per_minute = d.options.cancels_per_minute, .orders_max = 2 * (layers + 1) * 3});
  limits_.set_symbol(rules, d.options.limits);
}

void Engine::on_account_settings(std::string_view body) {
  const auto settings = rest_decoder_.account_settings(body);
  if (!settings) return;
  using Settings = vb::AccountSettings;
  if (settings->position_mode == Settings::PositionMode::hedge) {
    fail(
        "the account is in hedge mode: Phoenix trades one-way accounts only; switch the position mode at the "
        "venue",
        now_);
  } else if (settings->permission == Settings::Permission::no_trade) {
    fail("the account may not trade: check the permissions of the key", now_);
  } else {
    account_known_ = true;
  }
}

/// The user stream was not there for a while, or never: the venue states what is open, held and traded.
/// Paced, since it costs 35 of weight for five symbols and a stream that garbles its frames gives a reason
/// with each.
void Engine::reconcile() {
  constexpr base::Duration first_pause = base::milliseconds{250}, pause_max = base::seconds{8},
                           calm = base::seconds{30};
  if (!quotes_any()) return;
  if (now_ < reconciled_at_ + reconcile_pause_) {
    timer(Timer::reconcile) = reconciled_at_ + reconcile_pause_;
    return;
  }
  const bool is_first = reconcile_pause_ == base::Duration{} || now_ - reconciled_at_ > calm;
  reconcile_pause_ = is_first ? first_pause : std::min(reconcile_pause_ * 2, pause_max);
  reconciled_at_ = now_;
  ask(K::position_risk);
  for (auto& d : desks_) {
    if (!d.is_quoted()) continue;
    ask(K::open_orders, d.symbol);
    ask(K::user_trades, d.symbol);
  }
}

void Engine::on_open_orders(const Query& query, std::string_view body) {
  const auto reports = rest_decoder_.open_orders(body);
  if (!reports) {
    note(Severity::warning, "open orders unreadable fault={}", vb::name(reports.error()));
    return;
  }
  Desk& d = desk(*query.symbol);
  d.foreign_orders = 0;
  std::uint32_t ours = 0;
  for (const auto& report : *reports) {
    if (report.id) {
      ++ours;
    } else {
      ++d.foreign_orders;
    }
  }
  orders_.on_open_orders(d.symbol, *reports, query.sent_at, now_, events_, requests_);
  // While stopping, the venue's list is the last word only when it holds nothing of ours.
  if (phase_ != Phase::stopping || ours == 0) d.orders_proved = query.user_stream_generation;
  foreign_orders_ = 0;
  for (const auto& each : desks_) foreign_orders_ += each.foreign_orders;
  d.dirty = true;
}

void Engine::on_positions(const Query& query, std::string_view body) {
  const auto reports = rest_decoder_.positions(body);
  if (!reports) {
    note(Severity::warning, "positions unreadable fault={}", vb::name(reports.error()));
    return;
  }
  for (auto& d : desks_) {
    if (!d.is_quoted()) continue;
    model::PositionReport report;
    // A symbol that is not listed is flat, as of the asking: what was traded before is in it.
    report.symbol = d.symbol;
    report.update_time = clock_.to_venue(query.sent_at);
    for (const auto& r : *reports) {
      if (r.symbol == d.symbol) report = r;
    }
    if (!d.position_proved && !ledger_.is_position_stated(d.symbol)) {
      ledger_.set_position(report, now_);
      note(Severity::info, "position symbol={} qty={}", symbols_.name(d.symbol), report.qty.text());
    }
    const bool just_filled = d.last_fill + fill_settles_in > query.sent_at;
    const auto mismatch = ledger_.compare(report);
    if (!mismatch) {
      d.mismatch.reset();
    } else if (!just_filled) {
      if (d.mismatch == report.qty) {
        // Two reports in a row say the same, and no fill came between: the venue is right.
        note(Severity::error, "position adopted symbol={} ours={} venue={}", symbols_.name(d.symbol),
             mismatch->ours.text(), mismatch->venue.text());
        ledger_.set_position(report, now_);
        d.mismatch.reset();
      } else {
        ++position_mismatches_;
        note(Severity::warning, "position differs symbol={} ours={} venue={}", symbols_.name(d.symbol),
             mismatch->ours.text(), mismatch->venue.text());
        d.mismatch = report.qty;
        d.fills_wanted = true;
        ask(K::user_trades, d.symbol);
      }
    }
    d.position_proved = query.user_stream_generation;
    d.dirty = true;
  }
}

void Engine::on_user_trades(const Query& query, std::string_view body) {
  const auto trades = rest_decoder_.user_trades(body);
  if (!trades) {
    note(Severity::warning, "trades unreadable fault={}", vb::name(trades.error()));
    return;
  }
  Desk& d = desk(*query.symbol);
  d.fills_wanted = false;
  for (const auto& trade : *trades) {
    d.last_trade_id = std::max(d.last_trade_id, trade.trade_id);
    if (!d.has_history && trade.time < clock_.to_venue(started_at_)) continue;
    orders_.on_fill_report(trade, now_, events_);
  }
  if (trades->size() >= static_cast<std::size_t>(vb::Encoder::rows_max)) {
    d.trades_from = d.last_trade_id + 1;  // there are more
    ask(K::user_trades, d.symbol);
    return;
  }
  if (query.user_stream_generation == user_stream_generation_) {
    // Complete up to what this answer, or the page before it, ends with; user events may be further already.
    const auto before = d.trades_from ? *d.trades_from - 1 : std::int64_t{1};
    const auto through = trades->empty() ? before : trades->back().trade_id;
    if (d.trades_from || !d.has_history) d.trades_told_to = std::max<std::int64_t>(through, 1);
    d.trades_from.reset();
    d.has_history = true;
  }
  d.trades_proved = query.user_stream_generation;
  d.dirty = true;
}

void Engine::on_owner(const Query& query, std::string_view body) {
  const auto report = rest_decoder_.order(body);
  if (!report) {
    note(Severity::warning, "order unreadable fault={}", vb::name(report.error()));
    return;
  }
  Desk& d = desk(*query.symbol);
  d.foreign.answered(query.from_id);
  if (orders_.whose(report->id) == order::FillOf::another)
    see_foreign(d, query.from_id, "a trade that is not ours");
  ask_owner(d);
}

/// Funding payments of all symbols since the last complete page.
void Engine::ask_incomes() {
  timer(Timer::incomes) = now_ + incomes_interval;
  if (options_.product != model::Product::usdm) return;
  auto from = base::VenueTime::max();
  for (const auto& d : desks_) {
    if (d.is_quoted()) from = std::min(from, d.incomes_through);
  }
  incomes_asked_from_ = from;
  ask(K::incomes);
}

void Engine::incomes_changed() {
  auto& due = timer(Timer::incomes);
  due = std::min(due.value_or(now_ + incomes_settle_in), now_ + incomes_settle_in);
}

void Engine::on_incomes(const Query& query, std::string_view body) {
  const auto page = rest_decoder_.funding_fees(body);
  if (!page) {
    note(Severity::warning, "incomes unreadable fault={}", vb::name(page.error()));
    on_query_failed(query);
    return;
  }
  for (const auto& row : page->rows) {
    Desk& d = desk(row.symbol);
    if (!d.is_quoted() || row.time < d.incomes_through) continue;
    const order::Funding funding{row.symbol, row.asset, row.amount, row.id, row.time};
    ledger_.on_funding(funding);
    out_->push(KeepState{funding});
    see_standing(d);
  }
  const bool more = page->listed >= static_cast<std::size_t>(vb::Encoder::rows_max);
  // The last page goes up to the asking; what is told late is asked for again.
  const auto through = more ? page->last_time : clock_.to_venue(query.sent_at) - incomes_lag_max;
  for (auto& d : desks_) {
    if (!d.is_quoted() || through <= d.incomes_through) continue;
    d.incomes_through = through;
    out_->push(KeepState{order::IncomesComplete{d.symbol, through}});
  }
  if (more && page->last_time > incomes_asked_from_) ask_incomes();
}

}  // namespace phoenix::engine
