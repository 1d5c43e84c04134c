// The engine's sessions, and what arrives on them.

#include "base/assert.hpp"
#include "engine/engine.hpp"
#include "venue/binance/routes.hpp"

#include <algorithm>
#include <type_traits>

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

void Engine::make_sessions() {
  feed::SessionOptions public_options;
  public_options.name = "public";
  feed::SessionOptions market_options;
  market_options.name = "market";
  for (const auto& s : options_.symbols) {
    public_options.streams.push_back(stream_of(
        options_.product, s.name, {.kind = vb::StreamKind::depth, .speed_ms = options_.depth_speed_ms}));
    public_options.streams.push_back(
        stream_of(options_.product, s.name, {.kind = vb::StreamKind::book_ticker}));
    market_options.streams.push_back(
        stream_of(options_.product, s.name, {.kind = vb::StreamKind::mark_price, .speed_ms = 1000}));
  }
  feed::SessionOptions private_options;
  private_options.name = "private";
  feed::SessionOptions order_options;
  order_options.name = "order_api";
  public_options.silence_max = market_options.silence_max = options_.silence_max;
  public_options.first_data_timeout = market_options.first_data_timeout = options_.first_data_timeout;

  std::uint64_t seed = options_.seed;
  const auto make = [&](ConnectionId id, feed::SessionOptions o) {
    sessions_[static_cast<std::size_t>(id)] = std::make_unique<feed::Session>(std::move(o), ++seed);
  };
  make(ConnectionId::public_stream, std::move(public_options));
  make(ConnectionId::market_stream, std::move(market_options));
  make(ConnectionId::private_stream, std::move(private_options));
  make(ConnectionId::order_api, std::move(order_options));
}

/// Carries out what a session asked for.
void Engine::perform(ConnectionId id) {
  for (const auto& action : session_actions_) {
    switch (action.command) {
      case feed::Session::Command::open: {
        OpenConnection open{.connection = id, .host = Host::stream, .target = {}};
        switch (id) {
          case ConnectionId::public_stream:
            open.target = out_->keep(vb::combined_target(options_.product, vb::Route::public_data, {}));
            break;
          case ConnectionId::market_stream:
            open.target = out_->keep(vb::combined_target(options_.product, vb::Route::market_data, {}));
            break;
          case ConnectionId::private_stream:
            if (listen_key_.empty()) {  // expired; the next attempt will find a new one
              session(id).closed(now_, session_actions_);
              ask(vb::RequestKind::listen_key_start);
              continue;
            }
            open.target = out_->keep(vb::user_target(listen_key_));
            break;
          case ConnectionId::order_api:
            open.host = Host::order_api;
            open.target = out_->keep(options_.order_api_target);
            budget_.spend(vb::cost(options_.product, vb::RequestKind::order_api_connect), venue_now());
            break;
        }
        out_->push(open);
        break;
      }
      case feed::Session::Command::close:
        if (phase_ == Phase::finished) {
          out_->push(CloseConnection{id});
          break;
        }
        note(Severity::warning, "closing connection={} why=\"{}\"", name(id), action.why);
        out_->push(CloseConnection{id});
        // Whatever comes on it from here on proves nothing.
        lost_stream(id, action.why);
        break;
      case feed::Session::Command::subscribe: {
        const auto& names = session(id).options().streams;
        out_->push(SendText{id, out_->keep(vb::subscribe_text(
                                    control_id_++, std::span{names}.subspan(action.first, action.count)))});
        break;
      }
    }
  }
  session_actions_.clear();
}

void Engine::handle(const ConnectionOpened& in) {
  auto& status = connection_status_[static_cast<std::size_t>(in.connection)];
  status.extensions = base::ShortText<96>{in.extensions.substr(0, 96)};
  note(Severity::info, "connected connection={} extensions=\"{}\"", name(in.connection), in.extensions);
  session(in.connection).opened(now_, session_actions_);
  perform(in.connection);
  if (!session(in.connection).is_live() || phase_ != Phase::running) return;
  if (in.connection == ConnectionId::private_stream) {
    reconcile();
  } else if (in.connection == ConnectionId::order_api && key_type_ == vb::KeyType::ed25519) {
    logon_request_ = model::RequestId{next_request_++};
    budget_.spend(vb::cost(options_.product, vb::RequestKind::session_logon), venue_now());
    out_->push(SendText{in.connection,
                        out_->keep(encoder_.ws_session_logon(*logon_request_, venue_now(), buffer_))});
  }
}

void Engine::handle(const ConnectionClosed& in) {
  note(Severity::warning, "disconnected connection={} code={} why=\"{}\"", name(in.connection), in.close_code,
       in.reason);
  session(in.connection).closed(now_, session_actions_);
  perform(in.connection);
  lost_stream(in.connection, in.reason);
}

void Engine::handle(const PongReceived& in) {
  connection_status_[static_cast<std::size_t>(in.connection)].ping_round_trip = in.round_trip;
}

/// Frames were dropped on their way to us. Nobody knows of which stream, so each has a hole.
void Engine::handle(const FramesDropped& in) {
  note(Severity::error, "dropped frames={} because the engine was too slow; all books are built anew",
       in.count);
  lost_stream(ConnectionId::public_stream, "frames dropped");
  lost_stream(ConnectionId::private_stream, "frames dropped");
  if (phase_ == Phase::running && session(ConnectionId::private_stream).is_live()) reconcile();
}

/// What a stream no longer proves, and what follows from it in the same step.
void Engine::lost_stream(ConnectionId id, std::string_view why) {
  switch (id) {
    case ConnectionId::public_stream:
      for (auto& d : desks_) {
        d.ticker.reset();
        d.sync.on_disconnected(sync_actions_);
        apply_sync(d);
      }
      break;
    case ConnectionId::market_stream:
      for (auto& d : desks_) d.mark.reset();
      break;
    case ConnectionId::private_stream:
      ++user_stream_generation_;
      for (auto& d : desks_) {
        if (!d.trades_from) d.trades_from = d.last_trade_id + 1;
      }
      break;
    case ConnectionId::order_api: {
      logged_on_ = false;
      logon_request_.reset();
      encoder_.use_session(vb::Encoder::Session::sign_each);
      if (!orders_in_flight_.empty()) {
        note(Severity::warning, "order connection lost with requests={} unanswered why=\"{}\"",
             orders_in_flight_.size(), why);
      }
      for (const auto& o : orders_in_flight_)
        orders_.on_lost(o.id, order::Lost::unknown, now_, events_, requests_);
      orders_in_flight_.clear();
      break;
    }
  }
  consider_all();
}

void Engine::handle(const FrameReceived& in) {
  ++frames_;
  switch (in.connection) {
    case ConnectionId::public_stream:
    case ConnectionId::market_stream:
      on_market_frame(in);
      break;
    case ConnectionId::private_stream:
      on_user_frame(in);
      break;
    case ConnectionId::order_api:
      on_order_reply(in.payload);
      break;
  }
}

void Engine::on_market_frame(const FrameReceived& in) {
  auto& s = session(in.connection);
  const auto message = market_decoder_.decode(in.payload);
  if (!message) {
    ++frames_bad_;
    note(Severity::warning, "bad frame connection={} fault={} stream={}", name(in.connection),
         vb::name(message.error()), market_decoder_.stream());
    // A depth event that cannot be read is a hole; the chain check sees it at the next event.
    return;
  }
  if (!std::holds_alternative<vb::ControlReply>(*message)) s.frame(market_decoder_.stream(), in.received);
  std::visit(
      [&](const auto& m) {
        using T = std::decay_t<decltype(m)>;
        if constexpr (std::is_same_v<T, model::DepthDelta>) {
          on_depth(m, in.received);
        } else if constexpr (std::is_same_v<T, model::BookTicker>) {
          Desk& d = desk(m.symbol);
          if (d.ticker && m.update_id <= d.ticker->update_id) return;
          d.ticker = m;
          if (in.received >= d.fresh_from) d.fresh = true;
          consider(d);
        } else if constexpr (std::is_same_v<T, model::MarkPrice>) {
          desk(m.symbol).mark = m;
        } else if constexpr (std::is_same_v<T, vb::ControlReply>) {
          if (m.outcome == vb::ControlReply::Outcome::refused) {
            s.replace("a subscription was refused", session_actions_);
            note(Severity::error, "subscription refused connection={} code={} message=\"{}\"",
                 name(in.connection), m.code, m.message);
          }
        } else if constexpr (std::is_same_v<T, vb::ServerShutdown>) {
          s.replace("the server announced its shutdown", session_actions_);
        } else if constexpr (std::is_same_v<T, vb::UnknownEvent>) {
          ++events_unknown_;
        } else {
          ++frames_ignored_;
        }
      },
      *message);
  if (!session_actions_.empty()) perform(in.connection);
}

void Engine::on_depth(const model::DepthDelta& delta, LocalTime received) {
  Desk& d = desk(delta.symbol);
  ++d.depth_frames;
  d.last_depth = received;
  if (received >= d.fresh_from) d.fresh = true;
  d.sync.on_delta(delta, now_, sync_actions_);
  apply_sync(d);
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
          } else if constexpr (std::is_same_v<T, feed::ApplySnapshot>) {
            d.book.apply(a.snapshot);
          } else if constexpr (std::is_same_v<T, feed::RequestSnapshot>) {
            ask(vb::RequestKind::depth, a.symbol);
          } else if constexpr (std::is_same_v<T, feed::Broken>) {
            broken = true;
            ++d.resyncs;
            note(Severity::warning, "book broken symbol={} why={} expected={} was={}",
                 symbols_.name(a.symbol), feed::name(a.reason), a.expected, a.was);
          }
        },
        action);
  }
  sync_actions_.clear();
  if (broken) {
    d.book.clear();
    d.ticker.reset();
    consider(d);
  } else if (d.sync.is_synced() && d.book.touch() == book::Touch::crossed) {
    d.sync.on_crossed(sync_actions_);
    PHX_ASSERT(!d.sync.is_synced(), "a crossed book is not synced");
    apply_sync(d);
  }
}

void Engine::on_user_frame(const FrameReceived& in) {
  const auto event = user_decoder_.decode(in.payload);
  if (!event) {
    ++frames_bad_;
    note(Severity::error, "bad user event fault={}", vb::name(event.error()));
    // It may have been a fill: fetch the truth.
    lost_stream(ConnectionId::private_stream, "an unreadable user event");
    if (phase_ == Phase::running) reconcile();
    return;
  }
  last_user_event_ = in.received;
  session(ConnectionId::private_stream).frame({}, in.received);
  std::visit(
      [&](const auto& e) {
        using T = std::decay_t<decltype(e)>;
        if constexpr (std::is_same_v<T, model::OrderUpdate>) {
          if (e.trade_id > 0)
            desk(e.symbol).last_trade_id = std::max(desk(e.symbol).last_trade_id, e.trade_id);
          orders_.on_update(e, now_, events_, requests_);
        } else if constexpr (std::is_same_v<T, model::TradeLite>) {
          orders_.on_trade_lite(e, now_, events_);
        } else if constexpr (std::is_same_v<T, model::ListenKeyExpired>) {
          listen_key_.clear();
          session(ConnectionId::private_stream).replace("the listen key expired", session_actions_);
          perform(ConnectionId::private_stream);
          ask(vb::RequestKind::listen_key_start);
        } else if constexpr (std::is_same_v<T, vb::UserStreamShutdown>) {
          session(ConnectionId::private_stream)
              .replace("the server announced its shutdown", session_actions_);
          perform(ConnectionId::private_stream);
        } else if constexpr (std::is_same_v<T, vb::OtherUserEvent>) {
          ++events_unknown_;
        } else if constexpr (std::is_same_v<T, model::MarginCall>) {
          note(Severity::error, "margin call");
        } else if constexpr (std::is_same_v<T, model::AccountUpdate> ||
                             std::is_same_v<T, model::AccountConfigUpdate> ||
                             std::is_same_v<T, vb::ForeignUserEvent>) {
          // Positions come from fills and are compared with the venue's own report.
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
  for (const auto& usage : reply->usage) budget_.observe(usage, venue_now(), venue_now());
  if (reply->status == 429) budget_.refused(limit_of(reply->code), {}, venue_now());
  if (reply->retry_at) budget_.banned_until(*reply->retry_at);
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
  const auto it = std::find_if(orders_in_flight_.begin(), orders_in_flight_.end(),
                               [&](const auto& o) { return o.id == *reply->id; });
  if (it == orders_in_flight_.end()) return;
  const auto kind = it->kind;
  *it = orders_in_flight_.back();
  orders_in_flight_.pop_back();
  orders_.on_answer(*reply->id, ws_decoder_.order_answer(*reply, kind), now_, events_, requests_);
}

}  // namespace phoenix::engine
