// What is looked at every few milliseconds rather than at each frame: liveness verdicts and what follows from
// them, lines and their replacement, the dead man's switch, the kill latch, the bandwidth budget.

#include "base/assert.hpp"
#include "base/canary.hpp"
#include "engine/engine.hpp"

#include <algorithm>

namespace phoenix::engine {

namespace vb = venue::binance;
using base::LocalTime;

namespace {

/// Often enough that it adds nothing worth naming to the bounds, rarely enough to cost nothing.
constexpr base::Duration watch_interval = base::milliseconds{20};
/// Data that comes late on every line: new connections are tried this often.
constexpr base::Duration late_before_renewal = base::seconds{3};
constexpr base::Duration renewal_pause = base::seconds{30};

}  // namespace

void Engine::watch() {
  timer(Timer::watch) = now_ + watch_interval;
  watch_lines();
  watch_order_path();
  if (phase_ != Phase::running) return;
  for (auto& d : desks_) {
    if (const auto deadline = d.sync.next_deadline(); deadline && now_ >= *deadline) {
      d.sync.expire(now_, sync_actions_);
      apply_sync(d);
    }
    if (const auto deadline = d.trades.next_deadline(); deadline && now_ >= *deadline) {
      d.trades.expire(now_, trade_actions_);
      apply_trades(d);
    }
    watch_price(d);
    watch_countdown(d);
    if (d.recorder) d.recorder->expire(now_, recording_now(), *out_);
    if (d.strategy_retry && now_ >= *d.strategy_retry) {
      d.strategy_retry.reset();
      d.strategy = make_strategy(d.options);
      consider(d);
    }
  }
  watch_guards();
  watch_recording();
  if (bandwidth_.level() > 0) continue_shedding();
  const bool all_reconciled = std::all_of(desks_.begin(), desks_.end(), [this](const Desk& d) {
    return !d.is_quoted() ||
           (d.orders_proved == user_stream_generation_ && d.position_proved == user_stream_generation_ &&
            d.trades_proved == user_stream_generation_);
  });
  if (user_missed_since_ && all_reconciled) {
    record(ops::IncidentKind::reconciled, "", "", now_ - *user_missed_since_, "generation={}",
           user_stream_generation_);
    user_missed_since_.reset();
  }
}

/// Streams of recorded symbols that have said nothing for long. What is done about it follows from the
/// verdicts; this is for whoever reads the log.
void Engine::watch_recording() {
  const auto& options = options_.recording;
  if (now_ < recording_checked_ + options.health_interval) return;
  const bool first = recording_checked_ == LocalTime{};
  recording_checked_ = now_;
  if (first) return;
  const auto seconds = [](base::Duration d) { return static_cast<double>(d.count()) / 1e9; };
  for (const auto& d : desks_) {
    if (!d.recorder) continue;
    const auto silence = [&](Recorded stream) {
      return now_ - d.recorder->last(stream).value_or(started_at_);
    };
    const auto trades = silence(Recorded::trades), books = silence(Recorded::depth);
    if (trades > options.trade_silence)
      note(Severity::warning, "[HEALTH][TRADE] symbol={} silent_s={:.1f}", symbols_.name(d.symbol),
           seconds(trades));
    if (books > options.book_silence)
      note(Severity::warning, "[HEALTH][OB] symbol={} silent_s={:.1f}", symbols_.name(d.symbol),
           seconds(books));
    const auto any = std::min({trades, books, silence(Recorded::ticker), silence(Recorded::mark_price)});
    if (any > options.any_silence)
      note(Severity::warning, "[HEALTH] symbol={} silent_s={:.1f}", symbols_.name(d.symbol), seconds(any));
  }
}

void Engine::watch_lines() {
  for (std::size_t i = 0; i < connections_count; ++i) {
    const auto id = static_cast<ConnectionId>(i);
    auto& s = *sessions_[i];
    if (const auto deadline = s.next_deadline(); deadline && now_ >= *deadline) {
      s.expire(now_, session_actions_);
      perform(id);
    }
    if (channel_of(id) != Channel::order_api && is_up(id) && s.is_ready(now_))
      lines(channel_of(id)).ready(slot_of(id), now_);
  }
  if (phase_ != Phase::running) return;
  for (std::size_t c = 0; c < lines_.size(); ++c) {
    if (const auto deadline = lines_[c].next_deadline(); !deadline || now_ < *deadline) continue;
    lines_[c].expire(now_, lines_actions_);
    perform_lines(static_cast<Channel>(c));
  }
  // Late data on the merged stream means that every line is late: try new connections beside the old ones.
  const bool late = std::any_of(desks_.begin(), desks_.end(), [this](const Desk& d) {
    const auto since = d.lag.delayed_since();
    return since && now_ - *since >= late_before_renewal;
  });
  if (late && now_ - renewed_late_ >= renewal_pause) {
    renewed_late_ = now_;
    ask(vb::RequestKind::server_time);  // our clock may be the one that is wrong
    lines(Channel::public_data).renew("data comes late", now_, lines_actions_);
    perform_lines(Channel::public_data);
  }
}

void Engine::watch_price(Desk& d) {
  if (d.traffic == Desk::Traffic::shed) return;
  if (const auto deadline = d.proof.next_deadline(); !deadline || now_ < *deadline) return;
  d.proof.expire(now_);
  note_verdict(d);
  if (d.proof.wants_probe(now_)) {
    if (up_count(Channel::public_data) == 0) {
      d.proof.probe_failed(now_);
    } else {
      ask(vb::RequestKind::depth, d.symbol, Purpose::probe);
    }
  }
}

/// The venue's book has id `id`: the merged stream and each line must have it, too.
void Engine::on_probe(const Query& query, std::int64_t id) {
  Desk& d = desk(*query.symbol);
  d.proof.probe_answered({.id = id, .sent = query.sent_at}, now_);
  for (std::size_t slot = 0; slot < slots_count; ++slot) {
    const auto line = connection_of(Channel::public_data, slot);
    if (!is_up(line)) continue;
    const auto index = lines_of_[engine::index_of(line)].indexes[index_of(Role::depth, d.symbol)];
    if (index >= 0) session(line).claim(static_cast<std::size_t>(index), id, feed::Witness::probe, now_);
  }
  note_verdict(d);
}

/// A changed verdict is an event with consequences: the quotes leave or return in this step.
void Engine::note_verdict(Desk& d) {
  if (d.proof.verdict() == d.verdict) return;
  const auto change = d.proof.take_change();
  if (!change) {
    d.verdict = d.proof.verdict();
    return;
  }
  d.verdict = change->to;
  // Live and quiet follow each other all day in a slow market.
  const bool usual = (change->from == feed::Verdict::live && change->to == feed::Verdict::quiet) ||
                     (change->from == feed::Verdict::quiet && change->to == feed::Verdict::live);
  if (!usual) {
    const auto text = change->evidence.text();
    note(change->to == feed::Verdict::live || change->to == feed::Verdict::quiet ? Severity::info
                                                                                 : Severity::warning,
         "verdict symbol={} from={} to={} {}", symbols_.name(d.symbol), feed::name(change->from),
         feed::name(change->to), text.view());
    record(ops::IncidentKind::verdict, symbols_.name(d.symbol), feed::name(change->to), change->lasted,
           "from={} {}", feed::name(change->from), text.view());
  }
  consider(d);
}

/// The price is proved right now and comes in time: what the switch is fed by.
bool Engine::has_healthy_price(const Desk& d) const {
  const bool late = d.lag.is_delayed() && d.verdict != feed::Verdict::quiet;
  return d.proof.is_proved() && !late && d.sync.is_synced() && up_count(Channel::public_data) > 0;
}

void Engine::plan_countdown() {
  if (options_.dead_man_switch == Switch::off) return;
  int limit = 0;
  for (const auto& l : rate_limits_) {
    if (l.kind == venue::LimitKind::weight && l.interval == base::minutes{1}) limit = l.limit;
  }
  const auto weight = vb::cost(options_.product, vb::RequestKind::countdown).weight;
  const auto quoted = static_cast<std::size_t>(
      std::count_if(desks_.begin(), desks_.end(), [](const Desk& d) { return d.is_quoted(); }));
  if (quoted == 0) return;
  const auto plan =
      order::plan_switch(options_.countdown,
                         {.symbols = quoted, .weight_per_refresh = weight, .weight_limit_per_minute = limit});
  if (!plan) {
    const auto& misfit = plan.error();
    fail(fmt::format(
             "the dead man's switch does not fit {} symbols: within {} % of the venue's weight limit they "
             "need a countdown of {} s, at most {} s are allowed; at most {} symbols fit",
             misfit.symbols, options_.countdown.share_percent,
             std::chrono::duration_cast<base::seconds>(misfit.countdown_needed).count(),
             std::chrono::duration_cast<base::seconds>(misfit.countdown_max).count(), misfit.symbols_max),
         now_);
    return;
  }
  switch_plan_ = *plan;
  for (auto& d : desks_) {
    if (!d.is_quoted()) continue;
    // Retries keep the share, too: a venue that does not answer must not cost the weight that cancels need.
    d.countdown.emplace(*plan, order::SwitchTimers{.retry_after = plan->refresh});
    d.countdown->set_phase(plan->refresh * (d.symbol.index + 1) / static_cast<std::int64_t>(quoted + 1));
  }
  note(Severity::info, "dead man's switch refresh_ms={} countdown_ms={}",
       plan->refresh / base::milliseconds{1}, plan->countdown / base::milliseconds{1});
}

void Engine::watch_countdown(Desk& d) {
  if (!d.countdown) return;
  const auto health = has_healthy_price(d) || base::planted(base::Canary::switch_fed_by_timer)
                          ? order::Health::healthy
                          : order::Health::unhealthy;
  if (!latched_ && d.traffic == Desk::Traffic::full && d.countdown->wants_refresh(health, now_))
    ask(vb::RequestKind::countdown, d.symbol);
  if (const auto change = d.countdown->take_change(now_)) {
    record(*change == order::SwitchChange::armed ? ops::IncidentKind::switch_armed
                                                 : ops::IncidentKind::switch_lapsed,
           symbols_.name(d.symbol), "", {}, "countdown_ms={}",
           d.countdown->effective() / base::milliseconds{1});
    consider(d);
  }
}

/// An order connection that leaves a request unanswered is given up: what is in flight becomes unknown, and
/// cancels and questions go by REST.
void Engine::watch_order_path() {
  if (!is_up(ConnectionId::order_api)) return;
  const bool silent = std::any_of(orders_in_flight_.begin(), orders_in_flight_.end(), [this](const auto& o) {
    return now_ - o.sent_at >= options_.order_path_timeout;
  });
  if (!silent) return;
  session(ConnectionId::order_api).replace("an order request was not answered", now_, session_actions_);
  perform(ConnectionId::order_api);
}

void Engine::kill(std::string_view reason) {
  if (latched_) return;
  latched_ = std::string{reason};
  note(Severity::error, "kill latch set why=\"{}\"", reason);
  out_->push(SetLatch{out_->keep(reason)});
  keep_latch_record("kill", reason);
  record(ops::IncidentKind::latched, "", reason, {}, "by=engine");
  consider_all();
}

void Engine::handle(const LatchChanged& in) {
  if (in.latch == Latch::set) {
    if (latched_) return;
    latched_ = std::string{in.reason};
    note(Severity::error, "kill latch set why=\"{}\"", in.reason);
    record(ops::IncidentKind::latched, "", in.reason, {}, "by=outside");
    keep_latch_record("kill", in.reason);
  } else {
    if (!latched_) return;
    latched_.reset();
    note(Severity::warning, "kill latch taken away");
    record(ops::IncidentKind::rearmed, "", "", {}, "by=outside");
    keep_latch_record("kill", {});
  }
  consider_all();
}

/// The strategy of one symbol is isolated: its quotes leave, a new one is made after a while, and a second
/// failure within the window is for a person to look at.
void Engine::strategy_threw(Desk& d, std::string_view what) {
  constexpr base::Duration restart_after = base::seconds{5}, window = base::minutes{10};
  ++d.strategy_failures;
  d.strategy_latched = d.strategy_failed && now_ - *d.strategy_failed < window;
  d.strategy_failed = now_;
  d.strategy.reset();
  if (!d.strategy_latched) d.strategy_retry = now_ + restart_after;
  note(Severity::error, "strategy failed symbol={} latched={} what=\"{}\"", symbols_.name(d.symbol),
       d.strategy_latched, what);
  record(ops::IncidentKind::strategy_failed, symbols_.name(d.symbol),
         d.strategy_latched ? "latched" : "restarts in 5 s", {}, "what=\"{}\"", what);
}

void Engine::handle(const TrafficMeasured& in) {
  bandwidth_.measured(in.wire_bytes, now_);
  const auto change = bandwidth_.take_change();
  if (!change || phase_ != Phase::running) return;
  step_traffic(change->to);
}

/// One step each: slower depth speeds, one line, fewer symbols from the last configured on.
void Engine::step_traffic(int level) {
  int steps = level;
  int speed = options_.depth_speed_ms;
  for (const int slower : {250, 500}) {
    if (steps > 0 && slower > speed) {
      speed = slower;
      --steps;
    }
  }
  int wanted_lines = options_.lines;
  if (steps > 0 && wanted_lines > 1) {
    wanted_lines = 1;
    --steps;
  }
  note(Severity::warning, "bandwidth step={} rate_bytes_per_s={} depth_speed_ms={} lines={} symbols_shed={}",
       level, bandwidth_.rate(), speed, wanted_lines, steps);
  record(ops::IncidentKind::bandwidth_step, "", fmt::format("step {}", level), {},
         "rate_bytes_per_s={} depth_speed_ms={} lines={} symbols_shed={}", bandwidth_.rate(), speed,
         wanted_lines, steps);
  for (std::size_t c = 0; c < lines_.size(); ++c) {
    lines_[c].set_lines(wanted_lines, now_, lines_actions_);
    perform_lines(static_cast<Channel>(c));
  }
  for (auto& s : sessions_) s->set_remedy(remedy());
  if (speed != depth_speed_ms_) {
    depth_speed_ms_ = speed;
    lines(Channel::public_data).renew("another depth speed", now_, lines_actions_);
    perform_lines(Channel::public_data);
  }
  bool back = false;
  for (std::size_t i = 0; i < desks_.size(); ++i) {
    auto& d = desks_[i];
    const bool shed = i + static_cast<std::size_t>(steps) >= desks_.size() && i > 0;
    if (shed && d.traffic == Desk::Traffic::full) d.traffic = Desk::Traffic::leaving;
    if (!shed && d.traffic != Desk::Traffic::full) {
      back |= d.traffic == Desk::Traffic::shed;
      d.traffic = Desk::Traffic::full;
    }
    consider(d);
  }
  if (back) renew_data_lines("a symbol comes back");
}

void Engine::renew_data_lines(std::string_view why) {
  for (const Channel channel : {Channel::public_data, Channel::market_data}) {
    lines(channel).renew(why, now_, lines_actions_);
    perform_lines(channel);
  }
}

/// A symbol is shed only after its quotes are confirmed gone, and never with a position.
void Engine::continue_shedding() {
  bool gone = false;
  for (auto& d : desks_) {
    if (d.traffic != Desk::Traffic::leaving) continue;
    if (!orders_.all_confirmed_gone(d.symbol) || !ledger_.account(d.symbol).position.is_zero()) continue;
    d.traffic = Desk::Traffic::shed;
    d.sync.on_disconnected(sync_actions_);
    apply_sync(d);
    d.proof.lost(now_);
    if (d.recorder) {
      for (std::size_t i = 0; i < recorded_count; ++i)
        d.recorder->stream_down(static_cast<Recorded>(i), now_, "shed to save bandwidth");
    }
    gone = true;
  }
  if (gone) renew_data_lines("a symbol was shed");
}

}  // namespace phoenix::engine
