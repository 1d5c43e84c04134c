#include "engine/engine.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace phoenix::engine {

using base::LocalTime;

namespace {

constexpr base::Duration start_retry = base::seconds{1};
constexpr std::size_t clock_samples_at_start = 3;

order::OrdersOptions orders_options(const Options& options) {
  order::OrdersOptions o;
  o.recv_window = options.recv_window;
  o.answer_timeout = options.order_timeout;
  return o;
}

risk::AccountGuardOptions account_guard_options(const Options& options) {
  auto o = options.account_guard;
  o.total_notional_max = options.total_notional_max;
  return o;
}

/// At the start every book wants one at once.
feed::PacedBudgetOptions snapshot_pace(const Options& options) {
  const int burst = std::max(12, static_cast<int>(options.symbols.size()) + 6);
  return {.attempts = burst + 18, .burst = burst, .window = base::minutes{1}};
}

/// Slower depth speeds, one line instead of two, all symbols but the first.
int bandwidth_steps(const Options& options) {
  const int speeds = options.depth_speed_ms < 250 ? 2 : options.depth_speed_ms < 500 ? 1 : 0;
  return speeds + (options.lines > 1 ? 1 : 0) + static_cast<int>(options.symbols.size()) - 1;
}

}  // namespace

Engine::Engine(Options options, venue::binance::Credentials credentials, std::uint32_t run_epoch)
    : options_(std::move(options)),
      run_epoch_(run_epoch),
      key_type_(credentials.signer.key_type()),
      encoder_({.product = options_.product, .recv_window = options_.recv_window}, symbols_,
               std::move(credentials)),
      market_decoder_(symbols_),
      user_decoder_(symbols_),
      ws_decoder_(options_.product, symbols_),
      rest_decoder_(options_.product, symbols_),
      snapshots_(snapshot_pace(options_)),
      depth_speed_ms_(options_.depth_speed_ms),
      bandwidth_(
          {.budget_bytes_per_s = options_.bandwidth_bytes_per_s, .steps_max = bandwidth_steps(options_)}),
      limits_(options_.total_notional_max),
      account_guard_(account_guard_options(options_)),
      gateway_(options_.gateway, limits_),
      orders_(orders_options(options_), run_epoch) {
  for (const auto& symbol : options_.symbols) {
    const auto id = symbols_.add(symbol.name);
    PHX_ASSERT(id && id->index == desks_.size(),
               "configured symbols are distinct and within the table's bound");
    auto& desk = desks_.emplace_back(*id, symbol, options_);
    if (desk.is_quoted()) desk.strategy = make_strategy(symbol);
  }
  for (const auto& state : options_.ledger) {
    if (state.symbol.index >= desks_.size() || !desks_[state.symbol.index].is_quoted()) continue;
    Desk& d = desks_[state.symbol.index];
    ledger_.restore(state);
    d.incomes_through = state.incomes_through;
    d.last_trade_id = state.trades.empty() ? state.trades_through : state.trades.back().id;
    d.has_history = state.trades_through > 0 || !state.trades.empty();
    // What was told after the last complete list may have holes.
    if (d.has_history)
      d.trades_from = state.trades_through > 0 ? state.trades_through + 1 : state.trades.front().id;
  }
  options_.ledger.clear();
  queries_.reserve(64);
  orders_in_flight_.reserve(1024);
  requests_.reserve(256);
  events_.reserve(256);
  sync_actions_.reserve(1024);
  session_actions_.reserve(16);
  trade_actions_.reserve(256);
  lines_actions_.reserve(8);
  make_lines();
}

std::unique_ptr<quote::Strategy> Engine::make_strategy(const SymbolOptions& options) const {
  if (options_.make_strategy) return options_.make_strategy(options);
  if (options.strategy == StrategyKind::glft) return std::make_unique<quote::Glft>(options.glft);
  return std::make_unique<quote::Grid>(options.grid);
}

Engine::~Engine() = default;

Desk& Engine::desk(model::SymbolId symbol) {
  PHX_ASSERT(symbol.index < desks_.size(), "a symbol id comes from the engine's own table");
  return desks_[symbol.index];
}
const Desk& Engine::desk(model::SymbolId symbol) const {
  PHX_ASSERT(symbol.index < desks_.size(), "a symbol id comes from the engine's own table");
  return desks_[symbol.index];
}

void Engine::step(const Input& input, LocalTime now, Actions& out) {
  PHX_ASSERT(!started_ || now >= now_, "the engine's time never goes back");
  out_ = &out;
  if (phase_ == Phase::finished) return;
  if (!started_) {
    started_ = true;
    now_ = now;
    start(now);
  }
  const base::Duration pause = now - now_;
  now_ = now;
  const auto* frame = std::get_if<FrameReceived>(&input);
  received_ = frame != nullptr ? frame->received : now;
  if (pause > options_.pause_max) on_pause(pause);
  std::visit([this](const auto& in) { handle(in); }, input);
  if (phase_ != Phase::finished) expire(now);
  if (phase_ != Phase::finished) drain();
}

/// What the step's events did to orders and positions, and the requests that follow, until nothing follows
/// any more.
void Engine::drain() {
  constexpr int rounds_max =
      8;  // a refusal for want of budget may follow a request; it never asks again at once
  for (int round = 0; round < rounds_max; ++round) {
    settle_events();
    for (auto& d : desks_) {
      if (d.dirty) consider(d);
    }
    if (requests_.empty()) return;
    send_orders();
    if (events_.empty()) return;
  }
}

void Engine::start(LocalTime now) {
  started_at_ = now;
  timer(Timer::start) = now;
}

/// Asks for what is still missing before anything may run.
void Engine::check_started() {
  if (phase_ != Phase::starting) return;
  using K = venue::binance::RequestKind;
  if (clock_.samples() < clock_samples_at_start) {
    ask(K::server_time);
    return;
  }
  if (!rules_known_) {
    ask(K::exchange_info);
  } else if (quotes_any() && !account_known_) {
    ask(K::account_config);
  } else if (quotes_any() && listen_key_.empty()) {
    ask(K::listen_key_start);
  } else {
    begin_running(now_);
  }
}

void Engine::begin_running(LocalTime now) {
  phase_ = Phase::running;
  timer(Timer::start).reset();
  timer(Timer::clock) = now + options_.clock_check_interval;
  const bool quotes = quotes_any();
  if (quotes) {
    timer(Timer::listen_key) = now + options_.listen_key_interval;
    timer(Timer::orders_check) = now + options_.orders_check_interval;
    timer(Timer::position_check) = now + options_.position_check_interval;
    for (auto& d : desks_) {
      if (!d.is_quoted() || d.incomes_through != base::VenueTime{}) continue;
      d.incomes_through = venue_now();  // what was paid before the first start of all is not ours
      out_->push(KeepState{order::IncomesComplete{d.symbol, d.incomes_through}});
    }
    ask_incomes();
  }
  note(Severity::info, "engine running epoch={} symbols={} clock_offset_ms={:.1f}", run_epoch_, desks_.size(),
       static_cast<double>(clock_.offset().count()) / 1e6);
  timer(Timer::watch) = now;
  timer(Timer::rules) = now + rules_interval();
  record(ops::IncidentKind::started, "", "", {},
         "epoch={} symbols={} lines={} stall_after_ms={} lag_max_ms={} countdown_ms={}", run_epoch_,
         desks_.size(), options_.lines, options_.stall_after / base::milliseconds{1},
         options_.lag_max / base::milliseconds{1},
         switch_plan_ ? switch_plan_->countdown / base::milliseconds{1} : 0);
  for (auto& d : desks_) {
    if (d.recorder) d.recorder->start(now, recording_now(), *out_);
  }
  restore_latches();
  for (std::size_t c = 0; c < lines_.size(); ++c) {
    if (static_cast<Channel>(c) == Channel::user_data && !quotes) continue;
    lines_[c].start(now, lines_actions_);
    perform_lines(static_cast<Channel>(c));
  }
  if (!quotes) return;
  lines_of_[engine::index_of(ConnectionId::order_api)].wanted = true;
  session(ConnectionId::order_api).start(now, session_actions_);
  perform(ConnectionId::order_api);
}

/// The clock jumped: this process stood still, and nothing it knew is fresh. Prices must arrive anew before
/// anything is quoted, and what rests on the venue was unattended, so it goes.
void Engine::on_pause(base::Duration pause) {
  note(Severity::warning, "the engine stood still for_ms={}, withdrawing until prices arrive anew",
       pause / base::milliseconds{1});
  record(ops::IncidentKind::paused, "", "", pause, "for_ms={}", pause / base::milliseconds{1});
  for (auto& d : desks_) {
    d.fresh = false;
    d.fresh_from = now_;
  }
  if (phase_ == Phase::running) consider_all();
}

void Engine::handle(const StopRequested&) { begin_stopping(0, "", now_); }

void Engine::fail(std::string reason, LocalTime now) {
  if (stop_code_ == 2) return;
  note(Severity::error, "cannot go on: {}", reason);
  begin_stopping(2, std::move(reason), now);
}

void Engine::begin_stopping(int exit_code, std::string reason, LocalTime now) {
  if (phase_ == Phase::stopping || phase_ == Phase::finished) {
    stop_code_ = std::max(stop_code_, exit_code);
    if (stop_reason_.empty()) stop_reason_ = std::move(reason);
    return;
  }
  stop_code_ = exit_code;
  stop_reason_ = std::move(reason);
  if (phase_ == Phase::starting) {
    if (stop_reason_.empty() && quotes_any())
      stop_reason_ = "stopped before it placed anything; the venue was not asked for older orders";
    finish(stop_code_, {});
    return;
  }
  phase_ = Phase::stopping;
  stop_deadline_ = now + options_.stop_timeout;
  if (quotes_any()) note(Severity::info, "stopping: cancelling every order");
  for (auto& d : desks_) {
    d.orders_proved.reset();  // the last word is the venue's list, asked for after everything is gone
    d.reason = base::ShortText<48>{"stopping"};
  }
  orders_.pull_all(now, requests_);
  for (const auto t : {Timer::listen_key, Timer::orders_check, Timer::position_check, Timer::rules,
                       Timer::reconcile, Timer::incomes})
    timer(t).reset();
  timer(Timer::stop) = now;
}

/// Leaves once no order of ours is open, in flight or unknown, and the venue's own list, asked for
/// afterwards, says the same for every symbol.
void Engine::continue_stopping(LocalTime now) {
  if (now >= stop_deadline_) {
    std::string left;
    for (const auto& d : desks_) {
      const int active = orders_.active_count(d.symbol);
      if (active > 0) left += fmt::format(" {}={}", symbols_.name(d.symbol), active);
    }
    const bool proved = left.empty() && std::all_of(desks_.begin(), desks_.end(), [](const Desk& d) {
                          return d.orders_proved || !d.is_quoted();
                        });
    if (proved) {
      finish(stop_code_,
             "no order is left; the switch of a symbol was not taken back and will run out on nothing");
      return;
    }
    finish(std::max(stop_code_, 1),
           left.empty() ? "the venue did not confirm that no order is left"
                        : "orders may rest on the venue:" + left,
           OrdersLeft::unconfirmed);
    return;
  }
  timer(Timer::stop) = now + base::milliseconds{100};
  if (!orders_.all_confirmed_gone()) return;
  bool all_proved = true;
  for (auto& d : desks_) {
    if (d.orders_proved || !d.is_quoted()) continue;
    all_proved = false;
    ask(venue::binance::RequestKind::open_orders, d.symbol);
  }
  if (!all_proved) return;
  // The venue lists nothing of ours and nothing is unknown: only now the switch may go.
  bool all_disarmed = true;
  for (auto& d : desks_) {
    if (!d.countdown) continue;
    d.countdown->begin_disarm();
    if (d.countdown->is_disarmed()) continue;
    all_disarmed = false;
    if (d.countdown->wants_disarm(now))
      ask(venue::binance::RequestKind::countdown, d.symbol, Purpose::disarm);
  }
  if (all_disarmed) finish(stop_code_, {});
}

void Engine::finish(int exit_code, std::string_view outcome, OrdersLeft left) {
  std::string reason = stop_reason_;
  if (!outcome.empty()) reason += fmt::format("{}{}", reason.empty() ? "" : "; ", outcome);
  phase_ = Phase::finished;
  for (auto& t : timers_) t.reset();
  for (auto& d : desks_) {
    if (!d.recorder) continue;
    for (const auto& ids : d.trades.missing_ranges())
      d.recorder->on_trades_missing(ids, now_, recording_now(), *out_);
    d.recorder->finish(now_, recording_now(), *out_);
  }
  if (started_)
    record(ops::IncidentKind::stopped, "",
           fmt::format("exit {}{}", exit_code, left == OrdersLeft::none ? "" : ", orders may rest"), {},
           "reason=\"{}\"", reason);
  for (std::size_t i = 0; i < connections_count; ++i) {
    lines_of_[i].wanted = false;
    sessions_[i]->stop(now_, session_actions_);
    perform(static_cast<ConnectionId>(i));
  }
  out_->push(Finished{exit_code, out_->keep(reason)});
}

void Engine::expire(LocalTime now) {
  const auto due = [&](Timer t) {
    auto& at = timer(t);
    if (!at || now < *at) return false;
    at.reset();
    return true;
  };
  using K = venue::binance::RequestKind;
  if (due(Timer::start)) {
    timer(Timer::start) = now + start_retry + options_.query_timeout;
    check_started();
    return;
  }
  if (phase_ == Phase::starting) return;
  if (due(Timer::watch)) watch();
  if (const auto deadline = orders_.next_deadline(); deadline && now >= *deadline) {
    orders_.expire(now, events_, requests_);
  }
  if (due(Timer::stop)) {
    continue_stopping(now);
    return;
  }
  if (due(Timer::clock)) {
    timer(Timer::clock) = now + options_.clock_check_interval;
    ask(K::server_time);
  }
  if (phase_ != Phase::running) return;
  if (due(Timer::rules)) {
    timer(Timer::rules) = now + rules_interval();
    ask(K::exchange_info);
  }
  if (due(Timer::reconcile)) reconcile();
  if (due(Timer::listen_key)) {
    timer(Timer::listen_key) = now + options_.listen_key_interval;
    ask(K::listen_key_keep_alive);
  }
  if (due(Timer::orders_check)) {
    timer(Timer::orders_check) = now + options_.orders_check_interval;
    for (auto& d : desks_) {
      if (!d.is_quoted()) continue;
      ask(K::open_orders, d.symbol);
      ask_owner(d);
      // A trade was told in short and its money never came.
      const auto missing = ledger_.first_without_money(d.symbol);
      if (missing && missing == d.money_missing) {
        d.trades_from = std::min(d.trades_from.value_or(*missing), *missing);
        d.fills_wanted = true;
      }
      d.money_missing = missing;
      if (d.fills_wanted || d.trades_proved != user_stream_generation_) ask(K::user_trades, d.symbol);
    }
  }
  if (due(Timer::incomes)) ask_incomes();
  if (due(Timer::position_check)) {
    timer(Timer::position_check) = now + options_.position_check_interval;
    ask(K::position_risk);
  }
  for (auto& d : desks_) {
    if (d.next_quote && now >= *d.next_quote) consider(d);
  }
}

std::optional<LocalTime> Engine::next_deadline() const {
  std::optional<LocalTime> next;
  const auto consider_time = [&next](std::optional<LocalTime> t) {
    if (t && (!next || *t < *next)) next = t;
  };
  for (const auto& t : timers_) consider_time(t);
  if (phase_ == Phase::starting || phase_ == Phase::finished) return next;
  consider_time(orders_.next_deadline());
  if (phase_ != Phase::running) return next;
  for (const auto& d : desks_) consider_time(d.next_quote);
  return next;
}

void Engine::fill_status(ops::Status& status, LocalTime now) const {
  constexpr std::string_view phases[] = {"starting", "running", "stopping", "finished"};
  status.now = now;
  status.started_time = started_at_;
  status.run_epoch = run_epoch_;
  status.phase = base::ShortText<24>{phases[static_cast<std::size_t>(phase_)]};
  const auto tell_guard = [](ops::GuardStatus& to, const risk::Verdict& verdict,
                             const risk::ReasonSet& reasons) {
    to.level = static_cast<int>(verdict.level);
    to.level_name = risk::name(verdict.level);
    to.reason = risk::name(verdict.reason);
    static_assert(risk::reasons_count <= ops::guard_reasons_max);
    for (std::size_t i = 1; i < risk::reasons_count; ++i) {
      const auto reason = static_cast<risk::Reason>(i);
      if (reasons.has(reason)) to.reasons.push_back({risk::name(reason), risk::is_latched(reason)});
    }
  };
  std::optional<model::Money> equity = model::Money{};
  status.symbols.clear();
  status.timings.clear();
  for (const auto& d : desks_) {
    if (status.symbols.full()) break;
    auto& s = status.symbols.push_back({});
    s.name = model::SymbolTable::Name{symbols_.name(d.symbol)};
    s.reason = d.reason;
    s.quoted = d.is_quoted();
    s.recorded = d.recorder != nullptr;
    if (d.recorder) {
      const auto& rows = d.recorder->rows();
      static_assert(record::kinds_count <= ops::row_kinds_max);
      std::copy(rows.begin(), rows.end(), s.rows.begin());
      s.last_trade_time = d.recorder->last(Recorded::trades);
    }
    s.state = d.reason.empty()                     ? ops::SymbolState::live
              : phase_ == Phase::starting          ? ops::SymbolState::cold
              : d.sync.is_synced() && d.instrument ? ops::SymbolState::hold
                                                   : ops::SymbolState::syncing;
    if (const auto top = d.book.top()) {
      s.mid = top->mid();
      s.best_bid = top->bid.price;
      s.best_ask = top->ask.price;
    }
    if (d.mark) s.mark_price = d.mark->mark;
    s.own_bid = orders_.best_live(d.symbol, model::Side::bid);
    s.own_ask = orders_.best_live(d.symbol, model::Side::ask);
    const auto& account = ledger_.account(d.symbol);
    s.position = account.position;
    s.entry_price = account.entry_price;
    s.realized_pnl = account.realized_pnl;
    s.volume = account.volume;
    s.fills = account.fills_count;
    s.maker_fills = account.maker_fills_count;
    s.bought = account.bought_qty;
    s.sold = account.sold_qty;
    if (s.mid) s.notional = model::notional(*s.mid, account.position.abs());
    if (d.instrument) {
      if (s.base_asset.fits(d.instrument->base_asset))
        s.base_asset = base::ShortText<16>{d.instrument->base_asset};
      if (s.quote_asset.fits(d.instrument->quote_asset))
        s.quote_asset = base::ShortText<16>{d.instrument->quote_asset};
      const auto pnl = ledger_.pnl(d.symbol, d.instrument->quote_asset, price_of(d));
      s.unrealized_pnl = pnl.unrealized.value_or(model::Money{});
      s.fees = pnl.commission;
      s.funding = pnl.funding;
      s.net_pnl = pnl.net;
      s.pnl_assets_left_out = static_cast<std::uint32_t>(pnl.other_assets);
      if (d.is_quoted()) {
        if (!pnl.unrealized) equity.reset();
        if (equity) *equity += pnl.net;
      }
    } else if (d.is_quoted()) {
      equity.reset();
    }
    if (d.is_quoted()) {
      s.strategy = d.options.strategy == StrategyKind::glft ? "glft" : "grid";
      s.mode = quote::name(d.mode);
      s.mode_reason = d.quieter;
      s.net_max = d.options.limits.net_max;
      const auto working = orders_.exposure(d.symbol);
      s.pending_buy = working.bid;
      s.pending_sell = working.ask;
      s.worst_long = account.position + working.bid;
      s.worst_short = account.position - working.ask;
      s.usage = d.guard->usage();
      tell_guard(s.guard, d.allowed, d.guard->reasons());
      s.guard.peak_equity = d.guard->peak();
      if (s.guard.peak_equity) s.drawdown = std::max(*s.guard.peak_equity - s.net_pnl, model::Money{});
      s.slice_in_flight = d.guard->slice_in_flight();
      s.signals.volatility_ratio = d.market.volatility_ratio();
      s.signals.volatility_per_s = d.market.volatility_per_s();
      s.signals.vpin = d.market.vpin();
      s.signals.vpin_buckets = d.market.vpin_buckets();
      if (d.mark) s.signals.funding_rate = d.mark->funding_rate;
      s.signals.predicted_funding = d.market.predicted_funding();
      if (const auto intensity = d.intensity.estimate()) {
        s.signals.intensity_at_touch = intensity->at_touch;
        s.signals.intensity_decay = intensity->decay;
      }
      const auto quality = d.quality->snapshot();
      static_assert(order::markout_horizons.size() == ops::QualityStatus::horizons_s.size());
      for (std::size_t i = 0; i < order::markout_horizons.size(); ++i) {
        s.quality.markout_bps[i] = quality.markouts[i].bps;
        s.quality.markout_fills[i] = quality.markouts[i].fills;
      }
      s.quality.bid_presence = quality.bid_presence;
      s.quality.ask_presence = quality.ask_presence;
      s.quality.fill_rate = quality.fill_rate;
      s.quality.orders_per_fill = quality.orders_per_fill;
      s.quality.time_to_fill_p50 = quality.time_to_fill_p50;
      s.quality.cancels_per_minute = quality.cancels_per_minute;
    }
    s.traffic = d.traffic == Desk::Traffic::full      ? "full"
                : d.traffic == Desk::Traffic::leaving ? "leaving"
                                                      : "shed";
    std::vector<order::OrderView> views;
    orders_.view(d.symbol, views);
    for (const auto& o : views) {
      if (o.state == order::OrderState::unknown) ++s.orders_unknown;
      if (o.state == order::OrderState::unknown || o.state == order::OrderState::pending_new) continue;
      ++s.orders_live;
      ++(o.side == model::Side::bid ? s.orders_bid : s.orders_ask);
    }
    s.orders_live_max = d.orders_live_max;
    s.places = d.places;
    s.cancels = d.cancels;
    s.amends = d.amends;
    s.takes = d.takes;
    s.rejects = d.rejects;
    s.post_only_rejects = d.post_only_rejects;
    s.gateway_refusals = d.gateway_refusals;
    s.cuts = d.cuts;
    s.resyncs = d.resyncs;
    s.verdict = base::ShortText<16>{feed::name(d.verdict)};
    s.stream_state = base::ShortText<16>{feed::name(d.proof.state())};
    s.proved_time = d.proof.proved_at();
    s.lag = d.lag.lag();
    s.late = d.lag.is_delayed();
    s.probes = d.probes;
    s.withdrawals = d.withdrawals;
    s.line_holes = d.line_holes;
    s.trades = d.trades_accepted;
    s.trades_repaired = d.trades_repaired;
    s.trades_lost = d.trades_lost;
    s.strategy_failures = d.strategy_failures;
    s.switch_armed = d.countdown && d.countdown->is_armed(now);
    s.depth_frames = d.depth_frames;
    s.quotes_hash = d.quotes_hash;
    s.last_depth_time = d.last_depth;
    s.last_snapshot_time = d.last_snapshot;
    s.wanted_bids = d.wanted_bids;
    s.wanted_asks = d.wanted_asks;
    s.drawdown_max = d.drawdown_max;
    status.timings.push_back({s.name, d.data_delay, d.bid_placing, d.ask_placing});
  }
  auto& account = status.account;
  account = {};
  tell_guard(account.guard, account_guard_.verdict(), account_guard_.reasons());
  account.guard.peak_equity = account_guard_.peak();
  account.equity = equity;
  if (equity && account.guard.peak_equity)
    account.drawdown = std::max(*account.guard.peak_equity - *equity, model::Money{});
  account.worst_notional = limits_.worst_notional();
  account.total_notional_max = options_.total_notional_max;
  account.fills_refused = ledger_.fills_refused();
  account.amounts_unsummed = ledger_.amounts_unsummed();
  account.incomes_repeated = ledger_.incomes_repeated();
  account.fills_too_old = ledger_.fills_too_old();
  status.cuts.clear();
  for (std::size_t i = 0; i < risk::cuts_count; ++i) {
    const auto cut = static_cast<risk::Cut>(i);
    status.cuts.push_back({risk::name(cut), limits_.count(cut)});
  }
  status.gateway_refusals.clear();
  for (std::size_t i = 0; i < risk::refused_count; ++i) {
    const auto refused = static_cast<risk::Refused>(i);
    status.gateway_refusals.push_back({risk::name(refused), gateway_.count(refused)});
  }
  status.guards_entered.clear();
  for (std::size_t i = 1; i < risk::reasons_count; ++i)
    status.guards_entered.push_back({risk::name(static_cast<risk::Reason>(i)), guards_entered_[i]});
  constexpr std::array<std::string_view, connection_ends_count> ends{"lost", "refused_busy", "refused_config",
                                                                     "stalled", "replaced"};
  status.connection_ends.clear();
  for (std::size_t i = 0; i < ends.size(); ++i)
    status.connection_ends.push_back({ends[i], connection_ends_[i]});
  request_counts_.fill(status);
  status.connections.clear();
  status.streams.clear();
  for (std::size_t i = 0; i < connections_count; ++i) {
    const auto id = static_cast<ConnectionId>(i);
    const auto& of_id = *sessions_[i];
    auto& c = status.connections.push_back(connection_status_[i]);
    c.name = base::ShortText<16>{name(id)};
    c.wanted = lines_of_[i].wanted;
    c.state = base::ShortText<16>{feed::name(of_id.state())};
    c.reconnects = lines_of_[i].losses;
    c.opened_time = of_id.opened_at();
    c.streams = static_cast<std::uint32_t>(of_id.streams_count());
    c.streams_silent = static_cast<std::uint32_t>(of_id.silent_streams());
    c.stalls = of_id.stalls();
    c.resubscriptions = of_id.resubscriptions();
    if (c.wanted) tell_streams(id, status, now);
  }
  status.reconnects = reconnects_;
  status.lines = lines_.front().lines();
  status.bandwidth_step = bandwidth_.level();
  status.bandwidth_bytes_per_s = bandwidth_.rate();
  status.bandwidth_budget_bytes_per_s = options_.bandwidth_bytes_per_s;
  status.depth_speed_ms = depth_speed_ms_;
  status.connects = connect_budget_.booked();
  status.latched = latched_.has_value();
  status.latch_reason = {};
  if (latched_) status.latch_reason = base::ShortText<160>{std::string_view{*latched_}.substr(0, 160)};
  if (switch_plan_) status.countdown = switch_plan_->countdown;
  status.frames = frames_;
  status.frames_bad = frames_bad_;
  status.frames_ignored = frames_ignored_;
  status.events_unknown = events_unknown_;
  status.foreign_orders = foreign_orders_;
  status.position_mismatches = position_mismatches_;
  status.last_user_event_time = last_user_event_;
  if (clock_.known()) {
    status.clock_offset = clock_.offset();
    status.clock_error = clock_.error();
    const auto budget_time = clock_.to_venue(now) + budget_shift_;
    for (const auto& limit : rate_limits_) {
      const auto used =
          static_cast<std::uint64_t>(std::max(0, budget_.used(limit.kind, limit.interval, budget_time)));
      const auto bound = static_cast<std::uint64_t>(limit.limit);
      if (limit.kind == venue::LimitKind::weight && limit.interval == base::minutes{1}) {
        status.weight_used = used;
        status.weight_limit = bound;
      } else if (limit.kind == venue::LimitKind::orders && limit.interval == base::minutes{1}) {
        status.orders_1m_used = used;
        status.orders_1m_limit = bound;
      } else if (limit.kind == venue::LimitKind::orders && limit.interval == base::seconds{10}) {
        status.orders_10s_used = used;
        status.orders_10s_limit = bound;
      }
    }
  }
  status.finished = phase_ == Phase::finished;
}

void Engine::tell_streams(ConnectionId id, ops::Status& status, LocalTime now) const {
  constexpr std::string_view roles[] = {"depth", "ticker", "mark", "trades", "liquidations", "user"};
  const auto& line = lines_of_[engine::index_of(id)];
  const auto& owner = session(id);
  const std::size_t slot = slot_of(id);
  const std::size_t count = std::min(line.streams.size(), owner.streams_count());
  int alive = 0;
  for (std::size_t i = 0; i < count; ++i) alive += owner.stream_state(i) == feed::StreamState::live ? 1 : 0;
  for (std::size_t i = 0; i < count && status.streams.size() < ops::streams_max; ++i) {
    const auto [role, symbol] = line.streams[i];
    const auto& watch = owner.stream(i);
    const auto evidence = watch.evidence(now);
    auto& s = status.streams.emplace_back();
    if (role != Role::user) s.symbol = model::SymbolTable::Name{symbols_.name(symbol)};
    s.role = roles[static_cast<std::size_t>(role)];
    s.connection = name(id);
    s.line = static_cast<int>(slot);
    s.state = feed::name(watch.state());
    s.last_frame_time = watch.last_frame();
    s.silent_for = evidence.silent_for;
    s.usual_gap = evidence.usual_gap;
    s.position = evidence.ours;
    s.claimed = evidence.theirs;
    s.witness = feed::name(evidence.witness);
    const auto& heard = line.heard[role == Role::user ? 0 : index_of(role, symbol)];
    s.messages = heard.messages;
    s.payload_bytes = heard.payload_bytes;
    s.siblings_alive = alive - (watch.state() == feed::StreamState::live ? 1 : 0);
    if (role == Role::depth) {
      const auto& of_line = desk(symbol).sync.stats(slot);
      s.accepted = of_line.accepted;
      s.covered = of_line.covered;
      s.gaps = of_line.holes;
    } else if (role == Role::trades) {
      const auto& of_line = desk(symbol).trades.stats(slot);
      s.accepted = of_line.accepted;
      s.covered = of_line.covered;
    }
  }
}

}  // namespace phoenix::engine
