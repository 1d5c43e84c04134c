#include "sim/world.hpp"

#include "base/assert.hpp"
#include "engine/input_codec.hpp"
#include "engine/recovered_tail.hpp"
#include "record/log_format.hpp"
#include "sim/moody_strategy.hpp"
#include "sim/rest_answer.hpp"

#include <algorithm>
#include <functional>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

namespace phoenix::sim {

using base::LocalTime;
using engine::ConnectionId;

namespace {

constexpr std::string_view maker_address = "10.0.0.1", guard_address = "10.0.0.2";
constexpr base::Duration guard_looks_every = base::milliseconds{250};
constexpr base::Duration guard_timeout = base::seconds{5};
constexpr base::Duration network_ahead = base::milliseconds{25};  // of the engine, when the process dies
constexpr base::Duration traffic_told_every = base::seconds{1};
constexpr std::size_t frame_overhead_bytes = 10;
constexpr std::size_t incidents_kept = 64, notes_kept = 10'000;

exchange::ExchangeOptions with_account(exchange::ExchangeOptions options, const WorldOptions& world) {
  options.core.seed = world.seed;
  options.core.start = base::venue_time_ns(base::ns_of(world.start) + world.clock_offset.count());
  if (options.core.accounts.empty())
    options.core.accounts = {{.api_key = world.api_key, .api_secret = world.api_secret}};
  return options;
}

venue::binance::Credentials credentials(const WorldOptions& options) {
  return {options.api_key, venue::binance::Signer::hmac(options.api_secret)};
}

}  // namespace

World::World(WorldOptions options)
    : options_(std::move(options)),
      rng_(options_.seed),
      now_(options_.start),
      exchange_(with_account(options_.exchange, options_)),
      faults_(options_.faults, options_.seed, options_.start),
      gate_closed_(!options_.faults.faults.empty()),
      run_epoch_(options_.run_epoch - 1) {
  exchange_.set_witness(this);
  if (!options_.engine.make_strategy) {
    options_.engine.make_strategy =
        [this](const engine::SymbolOptions& s) -> std::unique_ptr<quote::Strategy> {
      return std::make_unique<MoodyStrategy>(s, moods_[s.name].throws);
    };
  }
  if (options_.guard) {
    std::vector<std::string> symbols;
    for (const auto& s : options_.engine.symbols) symbols.push_back(s.name);
    guard_ = std::make_unique<GuardProcess>(*options_.guard, symbols, credentials(options_));
    at(now_ + guard_looks_every, {.what = What::guard_looks});
  }
  for (const auto& symbol : options_.engine.symbols) {
    if (symbol.recorded == engine::Switch::on) recorded_[symbol.name];
  }
  for (std::size_t i = 0; i < options_.outsiders.size(); ++i)
    at(now_ + options_.outsiders[i].at, {.what = What::outsider, .number = i});
  if (!options_.outsiders.empty()) at(now_ + options_.claims_every, {.what = What::claims});
  start_process();
}

World::~World() = default;

// Time.

void World::at(LocalTime time, Event event) {
  std::uint32_t slot = 0;
  if (free_slots_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.push_back(std::move(event));
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
    slots_[slot] = std::move(event);
  }
  heap_.push_back({time, next_order_++, slot});
  std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
}

void World::run_until(LocalTime until) {
  for (;;) {
    if (is_spinning()) return;
    if (!exchange_due_) {
      exchange_due_ =
          base::local_time_ns(base::ns_of(exchange_.next_deadline()) - options_.clock_offset.count());
    }
    LocalTime next = std::min(until, *exchange_due_);
    if (!heap_.empty()) next = std::min(next, heap_.front().at);
    const bool engine_runs = engine_ != nullptr && process_steps_ > 0 && !process_finished_;
    if (engine_runs) {
      if (!engine_due_) engine_due_ = engine_->next_deadline().value_or(LocalTime::max());
      next = std::min(next, std::max(*engine_due_, paused_until_));
    }
    const auto gate_due = gate_closed_ ? faults_.next_deadline() : std::nullopt;
    if (gate_due) next = std::min(next, *gate_due);
    now_ = std::max(now_, next);

    if (*exchange_due_ <= now_) {
      ++events_done_;
      exchange_.advance(venue_time(now_));
      drain_exchange();
    }
    if (gate_due && *gate_due <= now_) {
      ++events_done_;
      faults_.advance(now_, gate_);
      carry_out_gate();
    }
    if (engine_runs && engine_ != nullptr && engine_due_ && *engine_due_ <= now_ && paused_until_ <= now_) {
      ++events_done_;
      ticks_at_once_ = last_tick_ == now_ ? ticks_at_once_ + 1 : 0;
      last_tick_ = now_;
      if (is_spinning()) return;
      step(engine::Tick{});
    }
    while (!heap_.empty() && heap_.front().at <= now_) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
      const std::uint32_t slot = heap_.back().slot;
      heap_.pop_back();
      Event event = std::move(slots_[slot]);
      free_slots_.push_back(slot);
      ++events_done_;
      happen(event);
    }
    if (now_ >= until) return;
  }
}

void World::happen(Event& event) {
  const bool at_process = event.what >= What::opened && event.what <= What::latch;
  if (at_process && now_ < paused_until_) {
    // What tells that an answer is overdue comes after what may have arrived meanwhile.
    const bool overdue = event.what == What::pong_overdue || event.what == What::call_overdue ||
                         event.what == What::connect_overdue;
    const auto when = paused_until_ + (overdue ? base::Duration{base::milliseconds{1}} : base::Duration{});
    at(when, std::move(event));
    return;
  }
  Socket* const socket = socket_of(event.peer);
  switch (event.what) {
    case What::handshake:
      handshake(event);
      break;
    case What::text:
      if (socket == nullptr || socket->exchange_gone) break;
      if (gate_closed_) {
        faults_.from_client(event.peer, event.text, now_, gate_);
        carry_out_gate();
      } else {
        exchange_.text(event.peer, event.text, venue_time(now_));
        drain_exchange();
      }
      break;
    case What::ping: {
      if (socket == nullptr || socket->exchange_gone) break;
      if (gate_closed_ && faults_.is_half_open(event.peer)) break;
      exchange_.pinged(event.peer, venue_time(now_));
      at(to_engine(*socket), {.what = What::pong, .peer = event.peer, .number = event.number});
      drain_exchange();
      break;
    }
    case What::pong_to_exchange:
      if (socket == nullptr || socket->exchange_gone) break;
      if (gate_closed_ && faults_.is_half_open(event.peer)) break;
      exchange_.ponged(event.peer, venue_time(now_));
      exchange_due_.reset();
      break;
    case What::hung_up:
      hung_up(event.peer);
      break;
    case What::call: {
      const auto it = calls_.find(event.number);
      if (it == calls_.end()) break;
      Call& call = it->second;
      if (gate_closed_) call.verdict = faults_.rest_request(call.request, now_);
      using Verdict = exchange::RestVerdict::What;
      if (call.verdict.what == Verdict::swallow) break;
      if (call.verdict.what == Verdict::answer) {
        call.answer = std::move(call.verdict.answer);
        if (observer_ != nullptr) observer_->answered(call.client, Origin::fault, call.request, call.answer);
        finish_call(event.number);
        break;
      }
      at(now_ + call.verdict.delay_before, {.what = What::execute, .number = event.number});
      break;
    }
    case What::execute: {
      const auto it = calls_.find(event.number);
      if (it == calls_.end()) break;
      Call& call = it->second;
      call.answer = exchange_.rest(call.request, venue_time(now_));
      drain_exchange();
      using Verdict = exchange::RestVerdict::What;
      if (observer_ != nullptr) observer_->answered(call.client, Origin::exchange, call.request, call.answer);
      if (call.verdict.what == Verdict::lose) break;
      if (call.verdict.what == Verdict::replace) call.answer = std::move(call.verdict.answer);
      finish_call(event.number);
      break;
    }
    case What::opened:
      if (socket == nullptr || socket->client_gone) break;
      socket->open = true;
      at(now_ + options_.ping_interval, {.what = What::ping_due, .peer = event.peer});
      step(engine::ConnectionOpened{socket->id, ""});
      break;
    case What::closed: {
      if (socket == nullptr || socket->client_gone) break;
      const ConnectionId id = socket->id;
      socket->client_gone = true;
      forget(event.peer);
      step(engine::ConnectionClosed{id, event.code, event.status, event.retry_after_s, event.text});
      break;
    }
    case What::let_go:
      if (event.number != run_epoch_) break;
      step(engine::ConnectionClosed{event.id, event.code, 0, std::nullopt, event.text});
      break;
    case What::frame: {
      if (socket == nullptr) break;
      socket->unread_bytes -= std::min(socket->unread_bytes, event.text.size());
      if (socket->client_gone) break;
      wire_bytes_ += event.text.size() + frame_overhead_bytes;
      step(engine::FrameReceived{socket->id, now_, event.text}, event.intact);
      break;
    }
    case What::ping_due: {
      if (socket == nullptr || socket->client_gone) break;
      socket->ping_sent = now_;
      const std::uint64_t ping = ++socket->pings;
      at(to_exchange(*socket), {.what = What::ping, .peer = event.peer, .number = ping});
      at(now_ + options_.pong_timeout, {.what = What::pong_overdue, .peer = event.peer, .number = ping});
      at(now_ + options_.ping_interval, {.what = What::ping_due, .peer = event.peer});
      break;
    }
    case What::pong:
      if (socket == nullptr || socket->client_gone) break;
      socket->pongs = std::max(socket->pongs, event.number);
      step(engine::PongReceived{socket->id, now_ - socket->ping_sent});
      break;
    case What::pong_overdue:
      if (socket == nullptr || socket->client_gone || socket->pongs >= event.number) break;
      let_go(*socket);
      step(engine::ConnectionClosed{socket->id, 0, 0, std::nullopt, "no pong"});
      break;
    case What::connect_overdue:
      if (socket == nullptr || socket->client_gone || socket->open) break;
      let_go(*socket);
      step(engine::ConnectionClosed{socket->id, 0, 0, std::nullopt, "handshake never answered"});
      break;
    case What::answer: {
      const auto it = calls_.find(event.number);
      if (it == calls_.end()) break;
      const Call call = std::move(it->second);
      calls_.erase(it);
      if (call.run_epoch != run_epoch_) break;
      step(rest_answered(call.id, call.answer.status, call.answer.headers, call.answer.body));
      break;
    }
    case What::call_overdue: {
      const auto it = calls_.find(event.number);
      if (it == calls_.end()) break;
      const Call call = std::move(it->second);
      calls_.erase(it);
      if (call.client == Client::guard) {
        guard_->answered(call.id, nullptr, now_, guard_actions_);
        guard_acts();
      } else if (call.run_epoch == run_epoch_) {
        step(engine::RestLost{call.id, engine::Lost::unknown, "no answer in time"});
      }
      break;
    }
    case What::traffic:
      if (event.number != run_epoch_ || engine_ == nullptr) break;
      step(engine::TrafficMeasured{wire_bytes_});
      at(now_ + traffic_told_every, {.what = What::traffic, .number = run_epoch_});
      break;
    case What::first_step:
      if (event.number != run_epoch_ || engine_ == nullptr) break;
      step(engine::Tick{});
      if (latch_) step(engine::LatchChanged{engine::Latch::set, *latch_});
      at(now_ + traffic_told_every, {.what = What::traffic, .number = run_epoch_});
      break;
    case What::stop:
      step(engine::StopRequested{});
      break;
    case What::latch:
      if (latch_) step(engine::LatchChanged{engine::Latch::set, *latch_});
      break;
    case What::restart:
      if (engine_ == nullptr) start_process();
      break;
    case What::guard_looks: {
      ops::GuardSight sight;
      if (engine_ != nullptr && !process_finished_) sight.lock_holder = run_epoch_;
      if (run_epoch_ >= options_.run_epoch) {
        const auto phase = process_finished_ ? ops::RunPhase::finished : ops::RunPhase::running;
        sight.progress = ops::Progress{.pid = run_epoch_,
                                       .run_epoch = run_epoch_,
                                       .steps = process_steps_,
                                       .local_ns = 0,
                                       .phase = phase,
                                       .orders_live = 0};
      }
      sight.latch = latch_ ? ops::GuardLatch::set : ops::GuardLatch::clear;
      guard_->look(sight, now_, guard_actions_);
      guard_acts();
      at(now_ + guard_looks_every, {.what = What::guard_looks});
      break;
    }
    case What::guard_answer: {
      const auto it = calls_.find(event.number);
      if (it == calls_.end()) break;
      const Call call = std::move(it->second);
      calls_.erase(it);
      guard_->answered(call.id, &call.answer, now_, guard_actions_);
      guard_acts();
      break;
    }
    case What::outsider:
      trade_by_hand(options_.outsiders[event.number]);
      break;
    case What::claims:
      claim();
      at(now_ + options_.claims_every, {.what = What::claims});
      break;
  }
}

// The account's owner.

void World::trade_by_hand(const WorldOptions::Outsider& outsider) {
  exchange_.administer(venue_time(now_), [&](exchange::Core& core, exchange::CoreEvents& events) {
    const auto symbol = core.find_symbol(outsider.symbol);
    const auto account = core.find_account(options_.api_key);
    if (!symbol || !account) return;
    const auto& rules = core.spec(*symbol).filters;
    const auto top = core.top(*symbol);
    const auto touch = outsider.side == model::Side::bid ? top.bid.price : top.ask.price;
    if (!touch.is_positive()) return;
    const auto away = rules.tick_size * outsider.ticks_away;
    exchange::PlaceRequest request{.symbol = *symbol, .side = outsider.side};
    request.price = outsider.side == model::Side::bid ? touch - away : touch + away;
    request.time_in_force = model::TimeInForce::gtx;
    request.qty = rules.qty_min;
    while (model::notional(request.price, request.qty) < rules.notional_min)
      request.qty = request.qty + rules.step_size;
    static_cast<void>(core.place(*account, request, venue_time(now_), events));
  });
  drain_exchange();
}

/// With the maker dead, the file goes, and what it was about is seen again by the next.
void World::claim() {
  if (is_paused()) return;  // it would notice later; the next look will do
  std::vector<std::string> held;
  for (const auto& [name, text] : guard_latches_) {
    if (name.ends_with(engine::foreign_suffix) && !text.empty()) held.push_back(name);
  }
  for (const auto& name : held) {
    guard_latches_[name].clear();
    if (engine_ != nullptr && !process_finished_)
      step(engine::OrdersClaimed{name.substr(0, name.size() - engine::foreign_suffix.size())});
  }
}

// The process.

void World::start_process() {
  ++run_epoch_;
  if (options_.input_log == InputLog::keep) log_ = record::log_magic;
  auto engine_options = options_.engine;
  engine_options.recording.resume = resume_ = resume_points();
  for (const auto& [symbol, text] : guard_latches_) {
    if (!text.empty()) engine_options.guard_latches.push_back({symbol, text});
  }
  engine_options.ledger = state_.state();
  rows_hash_ = {};
  engine_ = std::make_unique<engine::Engine>(std::move(engine_options), credentials(options_), run_epoch_);
  process_steps_ = 0;
  process_finished_ = false;
  wire_bytes_ = 0;
  paused_until_ = {};
  engine_due_.reset();
  actions_.clear();
  at(now_, {.what = What::first_step, .number = run_epoch_});
  if (observer_ != nullptr) observer_->process_changed(ProcessChange::started);
}

/// Whatever it held is closed by its operating system; what it had asked for goes on its way.
void World::end_process() {
  engine_.reset();
  engine_due_.reset();
  paused_until_ = {};
  trace_.word(0xdead);
  std::vector<exchange::PeerId> held;
  for (const Socket& s : sockets_) {
    if (!s.client_gone) held.push_back(s.peer);
  }
  for (const auto peer : held) {
    if (Socket* const s = socket_of(peer)) let_go(*s);
  }
}

void World::kill(base::Duration down) {
  if (engine_ == nullptr) return;
  keep_unread();
  state_.lose(now_ - options_.state_lost_max);
  end_process();
  process_finished_ = false;
  if (observer_ != nullptr) observer_->process_changed(ProcessChange::died);
  if (!guard_ || options_.guard->restart == ops::GuardRestart::no) at(now_ + down, {.what = What::restart});
}

void World::pause(base::Duration duration) {
  if (engine_ == nullptr) return;
  paused_until_ = std::max(paused_until_, now_ + duration);
  if (observer_ != nullptr) observer_->process_changed(ProcessChange::paused);
}

void World::make_strategy_throw(const std::string& symbol) {
  constexpr base::Duration apart = base::minutes{11};
  Mood& mood = moods_[symbol];
  if (mood.last && now_ - *mood.last < apart) return;
  mood.last = now_;
  mood.throws = 1;
}

void World::request_stop() { at(now_, {.what = What::stop}); }

void World::hash_input(const engine::Input& input) {
  trace_.word(static_cast<std::uint64_t>(base::ns_of(now_)));
  trace_.word(input.index());
  std::visit(
      [this](const auto& in) {
        using T = std::decay_t<decltype(in)>;
        if constexpr (requires { in.connection; }) trace_.word(engine::index_of(in.connection));
        if constexpr (requires { in.payload; }) trace_.bytes(in.payload);
        if constexpr (requires { in.reason; }) trace_.bytes(in.reason);
        if constexpr (std::is_same_v<T, engine::RestAnswered>) {
          trace_.word(in.request.value);
          trace_.word(static_cast<std::uint64_t>(in.status));
          trace_.bytes(in.body);
        }
      },
      input);
}

void World::keep_input(const engine::Input& input) {
  const auto encoded = engine::encode_input(input);
  record::append_log_record({.sequence = process_steps_,
                             .now = now_,
                             .kind = static_cast<std::uint8_t>(encoded.head[0]),
                             .payload = std::string{encoded.head_view()} + std::string{encoded.body}},
                            log_);
}

/// What the network thread was ahead of the engine.
void World::keep_unread() {
  unread_.clear();
  if (recorded_.empty() || process_finished_) return;
  std::vector<Due> due;
  for (const Due& d : heap_) {
    if (slots_[d.slot].what == What::frame && d.at <= now_ + network_ahead) due.push_back(d);
  }
  std::sort(due.begin(), due.end(), [](const Due& a, const Due& b) { return b > a; });
  for (const Due& d : due) {
    const Event& event = slots_[d.slot];
    const Socket* const socket = socket_of(event.peer);
    if (socket == nullptr || socket->client_gone) continue;
    unread_.push_back({socket->id, now_, event.text});
  }
}

/// Where the recording stands, after what the last process left unread became rows.
std::vector<engine::ResumePoint> World::resume_points() {
  std::vector<engine::ResumePoint> points;
  for (auto& [symbol, state] : recorded_) {
    state.begin_run();
    points.push_back(state.point(symbol));
  }
  engine::RecoveredTail tail{std::move(points)};
  engine::Actions rows;
  for (const auto& frame : unread_) tail.take({frame.id, frame.received, frame.text}, rows);
  unread_.clear();
  points = tail.finish(now_, rows);
  for (std::size_t i = 0; i < rows.rows_count(); ++i) keep_row(rows.row(i));
  return points;
}

void World::keep_row(std::string_view bytes) {
  trace_.bytes(bytes);
  const auto row = record::decode_row(bytes);
  PHX_ASSERT(row.has_value(), "a row that was written can be read");
  const auto recorded = recorded_.find(row->symbol());
  PHX_ASSERT(recorded != recorded_.end(), "rows are of recorded symbols");
  recorded->second.look_at(*row, now_);
  if (observer_ != nullptr) observer_->recorded(*row);
}

void World::step(const engine::Input& input, Intact intact) {
  if (engine_ == nullptr || process_finished_) return;
  hash_input(input);
  if (options_.input_log == InputLog::keep) keep_input(input);
  ++steps_;
  ++process_steps_;
  if (observer_ != nullptr) observer_->before(input, intact);
  if (probe_ != nullptr) probe_->before(input);
  engine_->step(input, now_, actions_);
  engine_due_.reset();
  if (probe_ != nullptr) probe_->after(input, actions_);
  if (observer_ != nullptr) observer_->after(input, actions_);
  for (std::size_t i = 0; i < actions_.rows_count(); ++i) {
    rows_hash_.bytes(actions_.row(i));
    keep_row(actions_.row(i));
  }
  if (actions_.empty()) return;
  std::swap(actions_, spare_actions_);
  const engine::Actions& done = spare_actions_;
  for (const auto& action : done) {
    trace_.word(action.index());
    std::visit(
        [&](const auto& a) {
          using T = std::decay_t<decltype(a)>;
          if constexpr (std::is_same_v<T, engine::OpenConnection> || std::is_same_v<T, engine::CallRest>) {
            perform(a, done);
          } else if constexpr (std::is_same_v<T, engine::SendText>) {
            trace_.bytes(done.text(a.text));
            if (Socket* const s = socket_of(a.connection)) {
              at(to_exchange(*s),
                 {.what = What::text, .peer = s->peer, .text = std::string{done.text(a.text)}});
            }
          } else if constexpr (std::is_same_v<T, engine::CloseConnection>) {
            if (Socket* const s = socket_of(a.connection)) {
              let_go(*s);
              at(now_, {.what = What::let_go,
                        .code = 1000,
                        .id = a.connection,
                        .number = run_epoch_,
                        .text = "requested"});
            }
          } else if constexpr (std::is_same_v<T, engine::Note>) {
            if (notes_.size() < notes_kept) notes_.emplace_back(done.text(a.text));
          } else if constexpr (std::is_same_v<T, engine::RecordIncident>) {
            remember(a, done);
          } else if constexpr (std::is_same_v<T, engine::SetLatch>) {
            latch_ = std::string{done.text(a.reason)};
            at(now_, {.what = What::latch});
          } else if constexpr (std::is_same_v<T, engine::KeepGuardLatch>) {
            guard_latches_[std::string{done.text(a.symbol)}] = std::string{done.text(a.text)};
          } else if constexpr (std::is_same_v<T, engine::KeepState>) {
            state_.keep(a.record, now_);
          } else if constexpr (std::is_same_v<T, engine::Finished>) {
            end_ = End{a.exit_code, std::string{done.text(a.reason)}};
            process_finished_ = true;
            if (observer_ != nullptr) observer_->process_changed(ProcessChange::stopped);
          }
        },
        action);
  }
  spare_actions_.clear();
}

void World::remember(const engine::RecordIncident& action, const engine::Actions& all) {
  ++incident_counts_[static_cast<std::size_t>(action.kind)];
  const auto since = base::ns_of(now_) - base::ns_of(options_.start);
  if (incidents_.size() >= incidents_kept) incidents_.pop_front();
  incidents_.push_back(fmt::format("{}.{:03} {} {} {} {}", since / 1'000'000'000, since / 1'000'000 % 1000,
                                   ops::name(action.kind), action.subject.view(), action.what.view(),
                                   all.text(action.evidence)));
}

void World::guard_acts() {
  while (!guard_actions_.empty()) {
    const auto actions = std::exchange(guard_actions_, {});
    for (const auto& action : actions) {
      std::visit(
          [&](const auto& a) {
            using T = std::decay_t<decltype(a)>;
            if constexpr (std::is_same_v<T, GuardProcess::Request>) {
              call_rest(Client::guard, a.id, a.request, guard_timeout);
            } else if constexpr (std::is_same_v<T, GuardProcess::Kill>) {
              if (engine_ != nullptr && a.pid == run_epoch_) kill(base::Duration{});
            } else if constexpr (std::is_same_v<T, GuardProcess::Restart>) {
              at(now_ + base::milliseconds{100}, {.what = What::restart});
            } else {
              latch_ = a.reason;
              at(now_, {.what = What::latch});
            }
          },
          action);
    }
  }
}

// The network.

World::Socket* World::socket_of(exchange::PeerId peer) {
  if (peer == 0) return nullptr;
  for (Socket& s : sockets_) {
    if (s.peer == peer) return &s;
  }
  return nullptr;
}

World::Socket* World::socket_of(ConnectionId id) {
  for (Socket& s : sockets_) {
    if (s.id == id && !s.client_gone) return &s;
  }
  return nullptr;
}

/// Nobody holds it any more.
void World::forget(exchange::PeerId peer) {
  const auto it =
      std::find_if(sockets_.begin(), sockets_.end(), [peer](const Socket& s) { return s.peer == peer; });
  if (it == sockets_.end() || !it->client_gone || !it->exchange_gone) return;
  sockets_.erase(it);
}

/// The process lets go of it; the exchange hears of that later.
void World::let_go(Socket& socket) {
  socket.client_gone = true;
  at(to_exchange(socket), {.what = What::hung_up, .peer = socket.peer});
}

void World::hung_up(exchange::PeerId peer) {
  Socket* const socket = socket_of(peer);
  if (socket == nullptr) return;
  if (!socket->exchange_gone) {
    if (gate_closed_ && faults_.is_half_open(peer)) return;  // it never hears of it
    socket->exchange_gone = true;
    exchange_.closed(peer);
    exchange_due_.reset();
    if (gate_closed_) faults_.peer_closed(peer);
  }
  forget(peer);
}

LocalTime World::to_exchange(Socket& s) {
  const auto jitter = base::Duration{rng_.between(0, s.latency.count() / 4)};
  return s.last_to_exchange = std::max(s.last_to_exchange, now_ + s.latency + jitter);
}
LocalTime World::to_engine(Socket& s) {
  const auto jitter = base::Duration{rng_.between(0, s.latency.count() / 4)};
  return s.last_to_engine = std::max(s.last_to_engine, now_ + s.latency + jitter);
}

void World::perform(const engine::OpenConnection& action, const engine::Actions& all) {
  trace_.word(engine::index_of(action.connection));
  PHX_ASSERT(socket_of(action.connection) == nullptr, "a connection has at most one socket");
  if (observer_ != nullptr) observer_->connecting(action.connection);
  Socket socket;
  socket.peer = next_peer_++;
  socket.id = action.connection;
  socket.target = all.text(action.target);
  socket.latency = latency();
  socket.last_to_engine = socket.last_to_exchange = now_;
  sockets_.push_back(socket);
  Socket& s = sockets_.back();
  at(to_exchange(s), {.what = What::handshake, .peer = s.peer});
  at(now_ + options_.connect_timeout, {.what = What::connect_overdue, .peer = s.peer});
}

void World::handshake(Event& event) {
  Socket* socket = socket_of(event.peer);
  if (socket == nullptr || socket->client_gone) {
    if (socket != nullptr) {
      socket->exchange_gone = true;
      forget(event.peer);
    }
    return;
  }
  const auto refuse = [&](Origin origin, int status, std::optional<int> retry_after_s) {
    socket->exchange_gone = true;
    if (observer_ != nullptr) observer_->refused(socket->id, origin, status);
    at(to_engine(*socket), {.what = What::closed,
                            .status = static_cast<std::uint16_t>(status),
                            .retry_after_s = retry_after_s,
                            .peer = event.peer,
                            .text = "refused"});
  };
  if (gate_closed_) {
    using Verdict = exchange::UpgradeVerdict::What;
    const auto verdict = faults_.upgrade(socket->target, now_);
    if (verdict.what == Verdict::never_answer) {
      socket->exchange_gone = true;
      return;
    }
    if (verdict.what == Verdict::refuse) {
      refuse(Origin::fault, verdict.refusal.status, header_number(verdict.refusal.headers, "Retry-After"));
      return;
    }
  }
  const auto upgrade = exchange_.open(event.peer, socket->target, maker_address, venue_time(now_));
  if (!upgrade.accepted) {
    refuse(Origin::exchange, upgrade.status, std::nullopt);
    drain_exchange();
    return;
  }
  at(to_engine(*socket), {.what = What::opened, .peer = event.peer});
  if (gate_closed_) {
    faults_.peer_opened(event.peer, socket->target, now_, gate_);
    carry_out_gate();
  }
  drain_exchange();
}

void World::perform(const engine::CallRest& action, const engine::Actions& all) {
  exchange::HttpRequest request;
  request.method = all.text(action.method);
  request.target = all.text(action.target);
  request.body = all.text(action.body);
  request.api_key = options_.api_key;
  trace_.bytes(request.target);
  trace_.bytes(request.body);
  call_rest(Client::maker, action.request, std::move(request), action.timeout);
}

void World::call_rest(Client client, model::RequestId id, exchange::HttpRequest request,
                      base::Duration timeout) {
  request.client_address = client == Client::maker ? maker_address : guard_address;
  if (observer_ != nullptr) observer_->asked(client, request);
  const std::uint64_t number = next_call_++;
  Call& call = calls_[number];
  call.client = client;
  call.id = id;
  call.run_epoch = run_epoch_;
  call.request = std::move(request);
  at(now_ + latency(), {.what = What::call, .number = number});
  at(now_ + timeout, {.what = What::call_overdue, .number = number});
}

void World::finish_call(std::uint64_t number) {
  const Call& call = calls_.at(number);
  at(now_ + call.verdict.delay_after + latency(),
     {.what = call.client == Client::maker ? What::answer : What::guard_answer, .number = number});
}

void World::drain_exchange() {
  exchange_due_.reset();
  for (auto& out : exchange_.drain()) {
    Socket* const socket = socket_of(out.peer);
    if (socket == nullptr || socket->exchange_gone) continue;
    if (out.what == exchange::Out::What::text) {
      if (observer_ != nullptr) observer_->sent(socket->id, out.text);
      int& drop = frames_to_drop_[engine::index_of(socket->id)];
      if (drop > 0) {
        --drop;
        continue;
      }
      // The gate keeps what it does not change; so a frame that matches its seal arrived intact.
      if (gate_closed_) out.close_code = static_cast<int>(TraceHash::of(out.text) >> 33);
    }
    if (gate_closed_) {
      faults_.to_client(std::move(out), now_, gate_);
      carry_out_gate();
    } else {
      to_client(std::move(out));
    }
  }
}

void World::carry_out_gate() {
  // Carrying out may append more: those are carried out in their turn.
  for (std::size_t i = 0; i < gate_.size(); ++i) {
    exchange::FaultAction action = std::move(gate_[i]);
    if (auto* const to = std::get_if<exchange::ToClient>(&action)) {
      to_client(std::move(to->out));
    } else if (const auto* const cut = std::get_if<exchange::CutPeer>(&action)) {
      closed_by_exchange(cut->peer, 0,
                         cut->how == exchange::CutPeer::How::reset ? "reset" : "cut in a frame");
    } else if (std::holds_alternative<exchange::FreezePeer>(action)) {
      // The gate itself lets nothing pass; pings and hanging up ask it.
    } else if (const auto* const process = std::get_if<exchange::ProcessFault>(&action)) {
      if (process->kind == exchange::FaultKind::pause_process) pause(process->length);
      if (process->kind == exchange::FaultKind::kill_process) kill(process->length);
      if (process->kind == exchange::FaultKind::strategy_throws) make_strategy_throw(process->symbol);
    } else {
      exchange::perform(action, exchange_, venue_time(now_));
      exchange_due_.reset();
      for (auto& out : exchange_.drain()) {
        Socket* const socket = socket_of(out.peer);
        if (socket == nullptr || socket->exchange_gone) continue;
        if (out.what == exchange::Out::What::text) {
          if (observer_ != nullptr) observer_->sent(socket->id, out.text);
          out.close_code = static_cast<int>(TraceHash::of(out.text) >> 33);
        }
        faults_.to_client(std::move(out), now_, gate_);
      }
    }
  }
  gate_.clear();
}

void World::to_client(exchange::Out out) {
  Socket* const socket = socket_of(out.peer);
  if (socket == nullptr || socket->exchange_gone) return;
  switch (out.what) {
    case exchange::Out::What::close:
      closed_by_exchange(out.peer, static_cast<std::uint16_t>(out.close_code), std::move(out.reason));
      break;
    case exchange::Out::What::ping:
      at(to_engine(*socket) + socket->latency, {.what = What::pong_to_exchange, .peer = out.peer});
      break;
    case exchange::Out::What::text: {
      if (socket->client_gone) break;
      socket->unread_bytes += out.text.size();
      if (socket->unread_bytes > options_.socket_bytes_max) {
        closed_by_exchange(out.peer, 1008, "slow consumer");
        break;
      }
      const bool intact = !gate_closed_ || out.close_code == static_cast<int>(TraceHash::of(out.text) >> 33);
      at(to_engine(*socket), {.what = What::frame,
                              .intact = intact ? Intact::yes : Intact::no,
                              .peer = out.peer,
                              .text = std::move(out.text)});
      break;
    }
  }
}

/// The socket is gone at the exchange; the process hears of it after what is still on its way.
void World::closed_by_exchange(exchange::PeerId peer, std::uint16_t code, std::string reason) {
  Socket* const socket = socket_of(peer);
  if (socket == nullptr || socket->exchange_gone) return;
  socket->exchange_gone = true;
  exchange_.closed(peer);
  exchange_due_.reset();
  if (gate_closed_) faults_.peer_closed(peer);
  if (socket->client_gone) {
    forget(peer);
    return;
  }
  at(to_engine(*socket), {.what = What::closed, .code = code, .peer = peer, .text = std::move(reason)});
}

void World::cut(ConnectionId id) {
  Socket* const socket = socket_of(id);
  if (socket == nullptr) return;
  const auto peer = socket->peer;
  if (!socket->exchange_gone) {
    socket->exchange_gone = true;
    exchange_.closed(peer);
    exchange_due_.reset();
    if (gate_closed_) faults_.peer_closed(peer);
  }
  socket->last_to_engine = now_;
  at(now_, {.what = What::closed, .peer = peer, .text = "cut"});
}

std::size_t World::open_sockets(ConnectionId id) const {
  return static_cast<std::size_t>(std::count_if(
      sockets_.begin(), sockets_.end(), [id](const Socket& s) { return s.id == id && !s.client_gone; }));
}

std::optional<exchange::PeerId> World::peer_of(ConnectionId id) const {
  for (const Socket& s : sockets_) {
    if (s.id == id && !s.client_gone && s.open) return s.peer;
  }
  return std::nullopt;
}

}  // namespace phoenix::sim
