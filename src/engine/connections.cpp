// The engine's sessions, and what arrives on them.

#include "base/assert.hpp"
#include "base/canary.hpp"
#include "engine/engine.hpp"
#include "venue/binance/routes.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace phoenix::engine {

namespace vb = venue::binance;
using base::LocalTime;

namespace {

/// A stream name the sheet knows; the parameters are ours, so a refusal is our bug.
std::string stream_of(model::Product product, std::string_view symbol, const vb::StreamSpec& spec) {
  auto stream = vb::stream_name(product, symbol, spec);
  PHX_ASSERT(stream.has_value(), "the engine subscribes to streams the venue has");
  return std::move(*stream);
}

}  // namespace

namespace {

constexpr Channel stream_channels[] = {Channel::public_data, Channel::market_data, Channel::user_data};

/// Positions of the user stream are transaction times: an event may follow the answer by this much at most.
constexpr base::Duration user_event_grace = base::seconds{2};
/// A stream that speaks every second and has not for this long is dead.
constexpr base::Duration mark_silence_max = base::seconds{3};

}  // namespace

void Engine::make_lines() {
  lines_.reserve(std::size(stream_channels));
  for (const Channel channel : stream_channels) {
    lines_.emplace_back(feed::LinesOptions{.lines = options_.lines, .age_max = options_.connection_age_max},
                        options_.seed * channels_count + static_cast<std::uint64_t>(channel));
  }
  for (std::size_t i = 0; i < connections_count; ++i) {
    const auto id = static_cast<ConnectionId>(i);
    lines_of_[i].heard.resize(std::max<std::size_t>(desks_.size() * roles_max, 1));
    feed::SessionOptions o;
    o.name = name(id);
    o.streams = streams_for(id);
    o.remedy = remedy();
    sessions_[i] =
        std::make_unique<feed::Session>(std::move(o), connect_budget_, options_.seed * connections_count + i);
  }
}

/// With another line that delivers a new connection costs nothing.
feed::Remedy Engine::remedy() const {
  return lines_.front().lines() > 1 ? feed::Remedy::reconnect : feed::Remedy::resubscribe_first;
}

/// What a connection that is opened now has to carry.
std::vector<feed::StreamOptions> Engine::streams_for(ConnectionId id) {
  std::vector<feed::StreamOptions> streams;
  Line& line = lines_of_[engine::index_of(id)];
  line.streams.clear();
  line.indexes.assign(desks_.size() * roles_max, -1);
  const auto add = [&](Role role, model::SymbolId symbol, std::string stream, feed::StreamWatchOptions watch,
                       feed::Speech speech = feed::Speech::usual) {
    if (role != Role::user) line.indexes[index_of(role, symbol)] = static_cast<std::int16_t>(streams.size());
    line.streams.push_back({role, symbol});
    streams.push_back({.name = std::move(stream), .watch = watch, .speech = speech});
  };
  for (const auto& d : desks_) {
    if (d.traffic == Desk::Traffic::shed) continue;
    const std::string_view symbol = d.options.name;
    if (channel_of(id) == Channel::public_data) {
      const vb::StreamSpec depth{.kind = vb::StreamKind::depth, .speed_ms = depth_speed_ms_};
      add(Role::depth, d.symbol, stream_of(options_.product, symbol, depth),
          {.interval = base::milliseconds{depth_speed_ms_}});
      add(Role::ticker, d.symbol, stream_of(options_.product, symbol, {.kind = vb::StreamKind::book_ticker}),
          {});
    } else if (channel_of(id) == Channel::market_data) {
      add(Role::mark, d.symbol,
          stream_of(options_.product, symbol, {.kind = vb::StreamKind::mark_price, .speed_ms = 1000}),
          {.interval = base::seconds{1}, .silence_max = mark_silence_max});
      add(Role::trades, d.symbol, stream_of(options_.product, symbol, {.kind = vb::StreamKind::agg_trade}),
          {.interval = base::milliseconds{100}});
      if (d.recorder) {
        add(Role::liquidations, d.symbol,
            stream_of(options_.product, symbol, {.kind = vb::StreamKind::force_order}),
            {.interval = base::seconds{1}}, feed::Speech::sparse);
      }
    }
  }
  if (channel_of(id) == Channel::user_data)
    add(Role::user, model::SymbolId{}, "", {.twin_grace = user_event_grace});
  return streams;
}

int Engine::up_count(Channel channel) const {
  int count = 0;
  for (std::size_t slot = 0; slot < slots_count; ++slot) count += is_up(connection_of(channel, slot)) ? 1 : 0;
  return count;
}

std::string_view Engine::tag(Channel channel) const {
  const bool records =
      std::any_of(desks_.begin(), desks_.end(), [](const Desk& d) { return d.recorder != nullptr; });
  if (!records) return {};
  switch (channel) {
    case Channel::public_data:
      return "[ORDERBOOK] ";
    case Channel::market_data:
      return "[TRADE] ";
    case Channel::user_data:
    case Channel::order_api:
      break;
  }
  return {};
}

/// Carries out which slots a channel wants.
void Engine::perform_lines(Channel channel) {
  const auto actions = std::exchange(lines_actions_, {});
  for (const auto& action : actions) {
    const ConnectionId id = connection_of(channel, action.slot);
    note(Severity::info, "line connection={} {} why=\"{}\"", name(id),
         action.command == feed::Lines::Command::start ? "start" : "stop", action.why);
    if (action.command == feed::Lines::Command::start) {
      lines_of_[engine::index_of(id)].wanted = true;
      session(id).set_streams(streams_for(id));
      session(id).set_remedy(remedy());
      session(id).start(now_, session_actions_);
    } else {
      lines_of_[engine::index_of(id)].wanted = false;
      session(id).stop(now_, session_actions_);
    }
    perform(id);
  }
}

/// Carries out what a session asked for.
void Engine::perform(ConnectionId id) {
  if (session_actions_.empty()) return;
  auto actions = std::exchange(session_actions_, {});
  for (const auto& action : actions) {
    switch (action.command) {
      case feed::Session::Command::open: {
        OpenConnection open{.connection = id, .host = Host::stream, .target = {}};
        switch (channel_of(id)) {
          case Channel::public_data:
            open.target = out_->keep(vb::combined_target(options_.product, vb::Route::public_data, {}));
            break;
          case Channel::market_data:
            open.target = out_->keep(vb::combined_target(options_.product, vb::Route::market_data, {}));
            break;
          case Channel::user_data:
            if (listen_key_.empty()) {  // expired; the next attempt will find a new one
              session(id).closed(now_);
              ask(vb::RequestKind::listen_key_start);
              continue;
            }
            open.target = out_->keep(vb::user_target(listen_key_));
            break;
          case Channel::order_api: {
            const auto cost = vb::cost(options_.product, vb::RequestKind::order_api_connect);
            if (budget_.blocked_until(cost, venue::Priority::vital, budget_now())) {
              session(id).closed(now_);  // tried again after its backoff; orders go by REST meanwhile
              continue;
            }
            open.host = Host::order_api;
            open.target = out_->keep(options_.order_api_target);
            spend(vb::RequestKind::order_api_connect, cost);
            break;
          }
        }
        ++lines_of_[engine::index_of(id)].opens;
        out_->push(open);
        break;
      }
      case feed::Session::Command::close:
        out_->push(CloseConnection{id});
        if (phase_ == Phase::finished) break;
        count_end(action.evidence ? ConnectionEnd::stalled : ConnectionEnd::replaced);
        note(Severity::warning, "{}closing connection={} why=\"{}\"", tag(channel_of(id)), name(id),
             action.why);
        record(ops::IncidentKind::connection_closed, name(id), action.why, {}, "reason=\"{}\"", action.why);
        // Whatever comes on it from here on proves nothing.
        line_down(id, action.why);
        break;
      case feed::Session::Command::subscribe:
      case feed::Session::Command::unsubscribe: {
        const auto names = session(id).names().subspan(action.first, action.count);
        out_->push(SendText{id, out_->keep(action.command == feed::Session::Command::subscribe
                                               ? vb::subscribe_text(control_id_++, names)
                                               : vb::unsubscribe_text(control_id_++, names))});
        break;
      }
      case feed::Session::Command::list:
        out_->push(SendText{id, out_->keep(vb::list_subscriptions_text(control_id_++))});
        break;
      case feed::Session::Command::stalled:
        record_stall(id, action.first, *action.evidence);
        break;
    }
  }
  if (session_actions_.empty()) {  // its memory is used again
    actions.clear();
    session_actions_ = std::move(actions);
  }
}

void Engine::handle(const ConnectionOpened& in) {
  auto& status = connection_status_[engine::index_of(in.connection)];
  status.extensions = base::ShortText<96>{in.extensions.substr(0, 96)};
  note(Severity::info, "connected connection={} extensions=\"{}\"", name(in.connection), in.extensions);
  session(in.connection).opened(now_, session_actions_);
  perform(in.connection);
  using State = feed::Session::State;
  const auto state = session(in.connection).state();
  if ((state != State::open && state != State::live) || is_up(in.connection)) return;  // given up meanwhile
  line_up(in.connection);
}

void Engine::line_up(ConnectionId id) {
  Line& line = lines_of_[engine::index_of(id)];
  line.up_since = now_;
  record(ops::IncidentKind::connection_opened, name(id), "",
         line.down_since ? now_ - *line.down_since : base::Duration{}, "extensions=\"{}\"",
         connection_status_[engine::index_of(id)].extensions.view());
  line.down_since.reset();
  switch (channel_of(id)) {
    case Channel::public_data:
      for (auto& d : desks_) d.sync.line_up(slot_of(id));
      record_streams_up(Channel::public_data);
      break;
    case Channel::market_data:
      for (auto& d : desks_) d.trades.line_up(slot_of(id));
      // What happened while no line was there shows by ids only when the next trade comes: ask at once.
      if (up_count(Channel::market_data) == 1) {
        for (auto& d : desks_) {
          if (const auto last = d.trades.last_id(); last && d.recorder)
            ask(vb::RequestKind::agg_trades, d.symbol, Purpose::usual, *last + 1);
        }
      }
      record_streams_up(Channel::market_data);
      break;
    case Channel::user_data:
      // What happened before it opened came on no line, unless another one was there all the time.
      if (up_count(Channel::user_data) == 1 && phase_ == Phase::running) reconcile();
      break;
    case Channel::order_api:
      if (phase_ == Phase::running && key_type_ == vb::KeyType::ed25519) {
        logon_request_ = model::RequestId{next_request_++};
        spend(vb::RequestKind::session_logon, vb::cost(options_.product, vb::RequestKind::session_logon));
        out_->push(
            SendText{id, out_->keep(encoder_.ws_session_logon(*logon_request_, venue_now(), buffer_))});
      }
      break;
  }
}

void Engine::handle(const ConnectionClosed& in) {
  note(Severity::warning, "{}disconnected connection={} code={} status={} why=\"{}\"",
       tag(channel_of(in.connection)), name(in.connection), in.close_code, in.http_status, in.reason);
  const auto why = feed::close_why(in.http_status);
  // One that we closed was counted with our reason.
  if (is_up(in.connection) || session(in.connection).state() == feed::Session::State::connecting)
    count_end(static_cast<ConnectionEnd>(why));
  session(in.connection)
      .closed(
          now_, why,
          in.retry_after_s ? std::optional<base::Duration>{base::seconds{*in.retry_after_s}} : std::nullopt);
  // A handshake refused for too many requests is about the address: nothing else is welcome either.
  constexpr int too_many = 429, unwelcome = 418;
  if (in.retry_after_s && (in.http_status == too_many || in.http_status == unwelcome))
    banned(base::seconds{*in.retry_after_s});
  if (is_up(in.connection) || in.http_status != 0) {
    record(ops::IncidentKind::connection_lost, name(in.connection), in.reason, {}, "code={} status={}",
           in.close_code, in.http_status);
  }
  line_down(in.connection, in.reason);
}

/// What a connection no longer proves, and what follows from it in the same step.
void Engine::line_down(ConnectionId id, std::string_view why) {
  Line& line = lines_of_[engine::index_of(id)];
  if (!line.up_since) return;
  line.up_since.reset();
  line.down_since = now_;
  ++line.losses;
  const Channel channel = channel_of(id);
  if (channel == Channel::order_api) {
    lost_order_path(why);
    consider_all();
    return;
  }
  lines(channel).gone(slot_of(id), now_);
  if (line.wanted) ++reconnects_;
  const bool last = up_count(channel) == 0;
  if (last) record_streams_down(channel, why);
  switch (channel) {
    case Channel::public_data:
      for (auto& d : desks_) {
        if (last) {
          d.ticker.reset();
          d.proof.lost(now_);
        }
        d.sync.line_down(slot_of(id), now_, sync_actions_);
        apply_sync(d);
      }
      break;
    case Channel::market_data:
      for (auto& d : desks_) {
        if (last) d.mark.reset();
        d.trades.line_down(slot_of(id));
      }
      break;
    case Channel::user_data:
      if (last) {
        user_events_missed();
      } else if (phase_ == Phase::running) {
        reconcile();  // in the background: the line that is left may not be as well as it looks
      }
      break;
    case Channel::order_api:
      break;
  }
  consider_all();
}

void Engine::record_streams_down(Channel channel, std::string_view why) {
  for (auto& d : desks_) {
    if (!d.recorder) continue;
    if (channel == Channel::public_data) {
      for (const auto stream : {Recorded::depth, Recorded::ticker})
        d.recorder->stream_down(stream, now_, why);
    } else if (channel == Channel::market_data) {
      for (const auto stream : {Recorded::trades, Recorded::mark_price, Recorded::liquidations})
        d.recorder->stream_down(stream, now_, why);
    }
  }
}

void Engine::record_streams_up(Channel channel) {
  for (auto& d : desks_) {
    if (!d.recorder || d.traffic == Desk::Traffic::shed) continue;
    if (channel == Channel::public_data) {
      for (const auto stream : {Recorded::depth, Recorded::ticker})
        d.recorder->stream_up(stream, now_, recording_now(), *out_);
    } else if (channel == Channel::market_data) {
      for (const auto stream : {Recorded::trades, Recorded::mark_price, Recorded::liquidations})
        d.recorder->stream_up(stream, now_, recording_now(), *out_);
    }
  }
}

/// Also those that are just opening: they open on the key that is gone.
void Engine::replace_user_lines(std::string_view why) {
  for (std::size_t slot = 0; slot < slots_count; ++slot) {
    const auto id = connection_of(Channel::user_data, slot);
    session(id).replace(why, now_, session_actions_);
    perform(id);
  }
}

/// User events may be missing: nothing is quoted before the venue has stated orders, position and trades.
void Engine::user_events_missed() {
  ++user_stream_generation_;
  if (!user_missed_since_) user_missed_since_ = now_;
  for (auto& d : desks_) {
    if (!d.trades_from) d.trades_from = d.last_trade_id + 1;
  }
}

void Engine::lost_order_path(std::string_view why) {
  logged_on_ = false;
  logon_request_.reset();
  encoder_.use_session(vb::Encoder::Session::sign_each);
  if (!orders_in_flight_.empty()) {
    note(Severity::warning, "order connection lost requests={} why=\"{}\"", orders_in_flight_.size(), why);
  }
  for (const auto& o : orders_in_flight_) {
    request_counts_.lost(o.kind);
    orders_.on_lost(o.id, order::Lost::unknown, now_, events_, requests_);
  }
  orders_in_flight_.clear();
}

/// What a line has reached the others of its channel must reach, too.
void Engine::claim_twins(ConnectionId id, StreamOf stream, std::int64_t position) {
  const Channel channel = channel_of(id);
  for (std::size_t slot = 0; slot < slots_count; ++slot) {
    const ConnectionId other = connection_of(channel, slot);
    if (other == id || !is_up(other)) continue;
    std::int16_t index = 0;
    if (stream.role != Role::user) {
      index = lines_of_[engine::index_of(other)].indexes[index_of(stream.role, stream.symbol)];
      if (index < 0) continue;
    }
    session(other).claim(static_cast<std::size_t>(index), position, feed::Witness::twin, now_);
  }
}

void Engine::record_stall(ConnectionId id, std::size_t stream, const feed::Evidence& given) {
  feed::Evidence evidence = given;
  evidence.ping_round_trip = connection_status_[engine::index_of(id)].ping_round_trip;
  for (std::size_t i = 0; i < session(id).streams_count(); ++i) {
    const auto state = session(id).stream_state(i);
    if (i != stream && (state == feed::StreamState::live || state == feed::StreamState::suspect))
      ++evidence.siblings_alive;
  }
  const auto text = evidence.text();
  const std::string_view stream_name =
      session(id).names()[stream].empty() ? std::string_view{"user data"} : session(id).names()[stream];
  note(Severity::warning, "{}stalled connection={} stream={} {}", tag(channel_of(id)), name(id), stream_name,
       text.view());
  record(ops::IncidentKind::verdict, name(id), "stalled", evidence.silent_for, "stream={} {}", stream_name,
         text.view());
  if (channel_of(id) == Channel::user_data) ask(vb::RequestKind::listen_key_start);
  if (channel_of(id) == Channel::market_data &&
      lines_of_[engine::index_of(id)].streams[stream].role == Role::mark)
    ask(vb::RequestKind::exchange_info);  // a halt would show there
}

void Engine::handle(const PongReceived& in) {
  connection_status_[static_cast<std::size_t>(in.connection)].ping_round_trip = in.round_trip;
}

/// What the venue did with an order it also tells on the user stream: each line that was up when it was asked
/// has to bring it. Answers to questions name times long past.
void Engine::on_order_answer(vb::RequestKind kind, const model::OrderAnswer& answer, LocalTime sent_at) {
  if (answer.outcome == model::Outcome::refused) request_counts_.refused(kind, answer.code);
  if (answer.outcome != model::Outcome::accepted || !answer.report) return;
  if (kind != vb::RequestKind::place && kind != vb::RequestKind::amend && kind != vb::RequestKind::cancel)
    return;
  if (kind == vb::RequestKind::place) {
    Desk& d = desk(answer.report->symbol);
    (answer.report->side == model::Side::bid ? d.bid_placing : d.ask_placing).add(now_ - sent_at);
  }
  for (std::size_t slot = 0; slot < slots_count; ++slot) {
    const auto id = connection_of(Channel::user_data, slot);
    const auto up_since = lines_of_[engine::index_of(id)].up_since;
    if (!up_since || sent_at < *up_since) continue;
    session(id).claim(0, base::ms_of(answer.report->update_time), feed::Witness::order_answer, now_);
  }
}

/// Frames were dropped on their way to us. Nobody knows of which stream, so each has a hole.
void Engine::handle(const FramesDropped& in) {
  note(Severity::error, "dropped frames={} because the engine was too slow; all books are built anew",
       in.count);
  record(ops::IncidentKind::hole, "", "frames dropped", {}, "frames={}", in.count);
  for (auto& d : desks_) {
    d.ticker.reset();
    d.sync.on_disconnected(sync_actions_);
    apply_sync(d);
  }
  for (const Channel channel : {Channel::public_data, Channel::market_data}) {
    record_streams_down(channel, "frames dropped");
    if (up_count(channel) > 0) record_streams_up(channel);
  }
  user_events_missed();
  if (phase_ == Phase::running) {
    consider_all();
    if (up_count(Channel::user_data) > 0) reconcile();
  }
}

void Engine::handle(const FrameReceived& in) {
  ++frames_;
  switch (channel_of(in.connection)) {
    case Channel::public_data:
    case Channel::market_data:
      on_market_frame(in);
      break;
    case Channel::user_data:
      on_user_frame(in);
      break;
    case Channel::order_api:
      on_order_reply(in.payload);
      break;
  }
}

void Engine::on_market_frame(const FrameReceived& in) {
  auto& s = session(in.connection);
  const auto message = market_decoder_.decode(in.payload);
  if (!message) {
    ++frames_bad_;
    note(Severity::warning, "bad frame connection={} fault={} stream=\"{}\"", name(in.connection),
         vb::name(message.error()), market_decoder_.stream());
    // A depth event that cannot be read is a hole; the chain check sees it at the next event.
    return;
  }
  if (!is_up(in.connection)) return;  // being closed: it proves nothing any more
  // Judged on the raw frame, before anything is filtered.
  const auto seen = [&](Role role, model::SymbolId symbol, std::int64_t position) {
    hear(in.connection, {role, symbol}, in.payload.size());
    if (base::planted(base::Canary::liveness_after_filter) && (role == Role::depth || role == Role::ticker)) {
      const Desk& d = desk(symbol);
      if (d.book.top() && d.book.top()->mid() == d.quoted_mid) return;
    }
    s.frame(market_decoder_.stream(), position, now_);
    claim_twins(in.connection, {role, symbol}, position);
  };
  std::visit(
      [&](const auto& m) {
        using T = std::decay_t<decltype(m)>;
        if constexpr (std::is_same_v<T, model::DepthDelta>) {
          seen(Role::depth, m.symbol, m.last_id);
          on_depth(m, slot_of(in.connection), in.received);
        } else if constexpr (std::is_same_v<T, model::BookTicker>) {
          seen(Role::ticker, m.symbol, m.update_id);
          on_ticker(m, slot_of(in.connection), in.received);
        } else if constexpr (std::is_same_v<T, model::MarkPrice>) {
          seen(Role::mark, m.symbol, base::ms_of(m.event_time));
          on_mark_price(m, in.received);
        } else if constexpr (std::is_same_v<T, model::AggTrade>) {
          seen(Role::trades, m.symbol, m.id);
          on_trade(m, slot_of(in.connection));
        } else if constexpr (std::is_same_v<T, model::Liquidation>) {
          // A sample that each connection draws for itself: what one brings says nothing about another.
          hear(in.connection, {Role::liquidations, m.symbol}, in.payload.size());
          s.frame(market_decoder_.stream(), base::ms_of(m.event_time), now_);
          Desk& d = desk(m.symbol);
          if (d.recorder) d.recorder->on_liquidation(m, in.received, *out_);
        } else if constexpr (std::is_same_v<T, vb::ControlReply>) {
          on_control_reply(in.connection, m);
        } else if constexpr (std::is_same_v<T, vb::ServerShutdown>) {
          note(Severity::warning, "the server announced its shutdown connection={}", name(in.connection));
          lines(channel_of(in.connection))
              .renew_slot(slot_of(in.connection), "the server announced its shutdown", now_, lines_actions_);
          perform_lines(channel_of(in.connection));
        } else if constexpr (std::is_same_v<T, vb::UnknownEvent>) {
          ++events_unknown_;
        } else {
          ++frames_ignored_;
        }
      },
      *message);
}

void Engine::hear(ConnectionId id, StreamOf stream, std::size_t payload_bytes) {
  const auto place = stream.role == Role::user ? std::size_t{0} : index_of(stream.role, stream.symbol);
  auto& heard = lines_of_[engine::index_of(id)].heard[place];
  ++heard.messages;
  heard.payload_bytes += payload_bytes;
}

void Engine::on_control_reply(ConnectionId id, const vb::ControlReply& reply) {
  if (reply.outcome == vb::ControlReply::Outcome::refused) {
    note(Severity::error, "subscription refused connection={} code={} message=\"{}\"", name(id), reply.code,
         reply.message);
    session(id).replace("a subscription was refused", now_, session_actions_);
  } else if (const auto names = vb::listed_streams(reply.result)) {
    session(id).listed(*names, now_);
  }
  perform(id);
}

void Engine::on_mark_price(const model::MarkPrice& mark, LocalTime received) {
  Desk& d = desk(mark.symbol);
  if (!d.mark || mark.event_time >= d.mark->event_time) d.mark = mark;
  if (d.is_quoted()) {
    d.market.on_funding(mark.funding_rate);
    see_standing(d);
  }
  if (d.recorder) d.recorder->on_mark_price(mark, received, *out_);
}

void Engine::on_trade(const model::AggTrade& trade, std::size_t slot) {
  Desk& d = desk(trade.symbol);
  const auto covered = d.trades.stats(slot).covered;
  d.trades.on_trade(trade, slot, now_, trade_actions_);
  if (d.recorder && d.trades.stats(slot).covered > covered) d.recorder->on_covered(Recorded::trades);
  apply_trades(d);
}

void Engine::on_depth(const model::DepthDelta& given, std::size_t slot, LocalTime received) {
  model::DepthDelta delta = given;
  delta.received = received;
  Desk& d = desk(delta.symbol);
  ++d.depth_frames;
  d.last_depth = received;
  if (received >= d.fresh_from) d.fresh = true;
  if (!d.proof.id() || delta.last_id > *d.proof.id()) {
    const auto age = venue_now() - delta.event_time;
    d.lag.frame(age, now_);
    if (clock_.known()) d.data_delay.add(age);
  }
  d.proof.frame(delta.last_id, now_);
  const auto covered = d.sync.stats(slot).covered;
  d.sync.on_delta(delta, slot, now_, sync_actions_);
  if (d.recorder && d.sync.stats(slot).covered > covered) {
    d.recorder->on_covered(Recorded::depth);
    if (base::planted(base::Canary::covered_delta_recorded) && d.sync.is_synced())
      d.recorder->on_delta({.delta = delta, .line = static_cast<std::uint8_t>(slot)}, d.book, *out_);
  }
  apply_sync(d);
  note_verdict(d);
  consider(d);
}

void Engine::on_ticker(const model::BookTicker& ticker, std::size_t slot, LocalTime received) {
  Desk& d = desk(ticker.symbol);
  if (d.recorder) d.recorder->on_ticker(ticker, slot, received, recording_now(), *out_);
  // The depth stream has to reach what the ticker has seen.
  if (const auto id = d.proof.id(); id && ticker.update_id > *id)
    d.proof.claim(ticker.update_id, feed::Witness::sibling, now_);
  if (d.ticker && ticker.update_id <= d.ticker->update_id) return;
  d.ticker = ticker;
  if (received >= d.fresh_from) d.fresh = true;
  consider(d);
}

/// Carries out what a symbol's synchronisation asked for.
void Engine::apply_sync(Desk& d) {
  bool broken = false;
  for (const auto& action : sync_actions_) {
    std::visit(
        [&](const auto& a) {
          using T = std::decay_t<decltype(a)>;
          if constexpr (std::is_same_v<T, feed::ApplyDelta>) {
            d.book.apply(a.delta);
            if (d.recorder) d.recorder->on_delta(a, d.book, *out_);
          } else if constexpr (std::is_same_v<T, feed::ApplySnapshot>) {
            d.book.apply(a.snapshot);
            d.last_snapshot = now_;
            if (d.recorder) d.recorder->on_snapshot(a.snapshot, received_, recording_now(), *out_);
          } else if constexpr (std::is_same_v<T, feed::RequestSnapshot>) {
            ask(vb::RequestKind::depth, a.symbol);
          } else if constexpr (std::is_same_v<T, feed::Broken>) {
            d.book.clear();
            d.ticker.reset();
            broken = true;
            if (d.recorder) d.recorder->on_broken(a, now_, recording_now(), *out_);
            ++d.resyncs;
            if (!d.unsynced_since) d.unsynced_since = now_;
            note(Severity::warning, "book broken symbol={} why={} expected={} was={}",
                 symbols_.name(a.symbol), feed::name(a.reason), a.expected, a.was);
            record(ops::IncidentKind::resync, symbols_.name(a.symbol), feed::name(a.reason), {},
                   "expected={} was={}", a.expected, a.was);
          } else if constexpr (std::is_same_v<T, feed::LineHole>) {
            ++d.line_holes;
            record(ops::IncidentKind::hole, symbols_.name(a.symbol), "one line's depth", {},
                   "line={} expected={} was={}", a.line, a.expected, a.was);
          }
        },
        action);
  }
  sync_actions_.clear();
  if (broken) consider(d);
  if (d.sync.is_synced() && d.unsynced_since) {
    record(ops::IncidentKind::resynced, symbols_.name(d.symbol), "", now_ - *d.unsynced_since, "id={}",
           d.sync.last_id().value_or(0));
    d.unsynced_since.reset();
  }
  if (d.sync.is_synced() && d.book.touch() == book::Touch::crossed) {
    d.sync.on_crossed(sync_actions_);
    PHX_ASSERT(!d.sync.is_synced(), "a crossed book is not synced");
    apply_sync(d);
  }
}

/// Carries out what the merge of a symbol's trades asked for.
void Engine::apply_trades(Desk& d) {
  const auto account_for = [&d](std::int64_t id) {
    d.trades_hash += static_cast<std::uint64_t>(id) * 0x9e3779b97f4a7c15ULL;
  };
  for (const auto& action : trade_actions_) {
    std::visit(
        [&](const auto& a) {
          using T = std::decay_t<decltype(a)>;
          if constexpr (std::is_same_v<T, feed::AcceptTrade>) {
            ++d.trades_accepted;
            if (d.is_quoted() && a.line) {  // what is fetched later says nothing about now
              d.market.on_trade(a.trade);
              d.intensity.on_trade(a.trade);
            }
            if (!a.line) ++d.trades_repaired;
            const bool left_out = base::planted(base::Canary::repair_not_recorded) && !a.line;
            if (d.recorder && !left_out) {
              const auto top = d.sync.is_synced() ? d.book.top() : std::nullopt;
              d.recorder->on_trade(a, received_, recording_now(), top, *out_);
            }
            account_for(a.trade.id);
          } else if constexpr (std::is_same_v<T, feed::FetchTrades>) {
            record(ops::IncidentKind::hole, symbols_.name(a.symbol), "trades", {}, "from={} to={}", a.from_id,
                   a.to_id);
            ask(vb::RequestKind::agg_trades, a.symbol, Purpose::usual, a.from_id);
          } else if constexpr (std::is_same_v<T, feed::TradesLost>) {
            for (auto id = a.from_id; id <= a.to_id; ++id) account_for(id);
            if (d.recorder) d.recorder->on_trades_lost(a, now_, recording_now(), *out_);
            d.trades_lost += static_cast<std::uint64_t>(a.to_id - a.from_id + 1);
            note(Severity::error, "trades lost symbol={} from={} to={}", symbols_.name(a.symbol), a.from_id,
                 a.to_id);
            record(ops::IncidentKind::hole, symbols_.name(a.symbol), "trades lost", {}, "from={} to={}",
                   a.from_id, a.to_id);
          }
        },
        action);
  }
  trade_actions_.clear();
}

void Engine::on_user_frame(const FrameReceived& in) {
  const auto event = user_decoder_.decode(in.payload);
  if (!event) {
    ++frames_bad_;
    note(Severity::error, "bad user event connection={} fault={}", name(in.connection),
         vb::name(event.error()));
    // It may have been a fill: fetch the truth.
    user_events_missed();
    if (phase_ == Phase::running) {
      consider_all();
      reconcile();
    }
    return;
  }
  if (!is_up(in.connection)) return;
  last_user_event_ = in.received;
  hear(in.connection, {}, in.payload.size());
  const auto seen = [&](base::VenueTime time) {
    session(in.connection).frame({}, base::ms_of(time), now_);
    claim_twins(in.connection, {}, base::ms_of(time));
  };
  std::visit(
      [&](const auto& e) {
        using T = std::decay_t<decltype(e)>;
        if constexpr (std::is_same_v<T, model::OrderUpdate>) {
          seen(e.transaction_time);
          if (e.trade_id > 0)
            desk(e.symbol).last_trade_id = std::max(desk(e.symbol).last_trade_id, e.trade_id);
          if (e.forced) kill(fmt::format("forced order of the venue on {}", symbols_.name(e.symbol)));
          orders_.on_update(e, now_, events_, requests_);
        } else if constexpr (std::is_same_v<T, model::TradeLite>) {
          orders_.on_trade_lite(e, now_, events_);
        } else if constexpr (std::is_same_v<T, model::ListenKeyExpired>) {
          note(Severity::warning, "the listen key expired");
          listen_key_.clear();
          replace_user_lines("the listen key expired");
          ask(vb::RequestKind::listen_key_start);
        } else if constexpr (std::is_same_v<T, vb::UserStreamShutdown>) {
          lines(Channel::user_data)
              .renew_slot(slot_of(in.connection), "the server announced its shutdown", now_, lines_actions_);
          perform_lines(Channel::user_data);
        } else if constexpr (std::is_same_v<T, vb::OtherUserEvent>) {
          ++events_unknown_;
        } else if constexpr (std::is_same_v<T, model::MarginCall>) {
          note(Severity::error, "margin call");
        } else if constexpr (std::is_same_v<T, model::AccountUpdate>) {
          // Positions come from fills and are compared with the venue's own report.
          seen(e.transaction_time);
          if (e.reason == model::AccountReason::funding_fee) incomes_changed();
        } else if constexpr (std::is_same_v<T, model::AccountConfigUpdate> ||
                             std::is_same_v<T, vb::ForeignUserEvent>) {
        }
      },
      *event);
}

void Engine::on_order_reply(std::string_view frame) {
  const auto reply = ws_decoder_.decode(frame);
  if (!reply) {
    ++frames_bad_;
    note(Severity::warning, "bad order reply fault={}", vb::name(reply.error()));
    return;
  }
  const auto it = std::find_if(orders_in_flight_.begin(), orders_in_flight_.end(),
                               [&](const auto& o) { return reply->id && o.id == *reply->id; });
  // Counts of a request that is not known any more may be of a minute that is over.
  if (it != orders_in_flight_.end()) {
    for (const auto& usage : reply->usage) budget_.observe(usage, counted_at(it->sent_at), budget_now());
  }
  if (reply->status == 429) budget_.refused(limit_of(reply->code), {}, budget_now());
  if (reply->retry_at) banned(*reply->retry_at - venue_now());
  if (!reply->id) {
    note(Severity::warning, "order reply without our id status={} code={} message=\"{}\"", reply->status,
         reply->code, reply->message.view());
    return;
  }
  if (logon_request_ && *reply->id == *logon_request_) {
    logon_request_.reset();
    logged_on_ = reply->status == 200;
    if (logged_on_) {
      encoder_.use_session(vb::Encoder::Session::logged_on);
    } else {
      fail(fmt::format("the venue refused the login: code {} {}", reply->code, reply->message.view()), now_);
    }
    return;
  }
  if (it == orders_in_flight_.end()) return;
  const auto [id, kind, sent_at] = *it;
  request_counts_.answered(
      kind, reply->status == 200 ? RequestCounts::Answer::accepted : RequestCounts::Answer::refused,
      now_ - sent_at);
  *it = orders_in_flight_.back();
  orders_in_flight_.pop_back();
  const auto answer = ws_decoder_.order_answer(*reply, kind);
  orders_.on_answer(id, answer, now_, events_, requests_);
  on_order_answer(kind, answer, sent_at);
}

}  // namespace phoenix::engine
