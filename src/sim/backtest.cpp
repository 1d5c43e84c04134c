#include "sim/backtest.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

namespace phoenix::sim {

using base::Duration;
using base::LocalTime;
using engine::Channel;
using engine::ConnectionId;

namespace {

constexpr std::string_view key = "backtest", secret = "backtest", address = "10.0.0.1";
constexpr std::uint32_t run_epoch = 1;
constexpr Duration ping_interval = base::seconds{20};
constexpr Duration leave_within = base::seconds{30};
constexpr int ticks_at_once_max = 1'000;
constexpr std::size_t warnings_max = 20;

LocalTime local(base::VenueTime t) { return base::local_time_ns(base::ns_of(t)); }

engine::Options for_backtest(engine::Options options) {
  for (auto& symbol : options.symbols) symbol.recorded = engine::Switch::off;
  options.order_api_target = engine::Options{}.order_api_target;
  options.bandwidth_bytes_per_s = 0;
  return options;
}

exchange::ExchangeOptions market_of(const BacktestOptions& options) {
  exchange::ExchangeOptions made;
  made.core.start = options.start;
  made.core.symbols = options.symbols;
  made.core.external_queue = options.queue;
  made.core.funding_interval = options.funding_interval;
  exchange::AccountOptions account{.api_key = std::string{key}, .api_secret = std::string{secret}};
  std::set<std::string> assets;
  for (const auto& spec : options.symbols) assets.insert(spec.quote_asset);
  account.balances.clear();
  for (const auto& asset : assets) {
    account.balances.push_back({asset, options.wallet});
    const auto known = std::find_if(account.fees.begin(), account.fees.end(),
                                    [&](const auto& fees) { return fees.quote_asset == asset; });
    if (known == account.fees.end())
      account.fees.push_back({asset, model::Rate::of("0.0002"), model::Rate::of("0.0005")});
  }
  for (auto& fees : account.fees) {
    fees.maker = options.maker_fee.value_or(fees.maker);
    fees.taker = options.taker_fee.value_or(fees.taker);
  }
  made.core.accounts = {account};
  return made;
}

std::optional<int> header(const std::vector<std::pair<std::string, std::string>>& headers,
                          std::string_view name) {
  for (const auto& [header_name, value] : headers) {
    if (header_name != name) continue;
    int number = 0;
    std::from_chars(value.data(), value.data() + value.size(), number);
    return number;
  }
  return std::nullopt;
}

bool is_market_data(ConnectionId id) {
  return id != ConnectionId::order_api && engine::channel_of(id) != Channel::user_data;
}

}  // namespace

void apply(const MarketEvent& event, model::SymbolId symbol, base::VenueTime now, exchange::Core& core,
           exchange::CoreEvents& events) {
  switch (event.kind) {
    case MarketEvent::Kind::change:
      return core.apply_external_levels(symbol, event.bids, event.asks, now, events);
    case MarketEvent::Kind::whole:
      return core.replace_external_book(symbol, event.bids, event.asks, now, events);
    case MarketEvent::Kind::trade:
      return core.apply_external_trade(symbol, event.price, event.qty, event.aggressor, now, events);
    case MarketEvent::Kind::mark:
      return core.set_external_mark(symbol, event.price, event.index, event.funding_rate, now, events);
  }
}

Backtest::Backtest(BacktestOptions options)
    : options_(std::move(options)),
      keeper_(options_.symbols),
      now_(local(options_.start)),
      exchange_(market_of(options_)),
      next_ping_(now_ + ping_interval) {
  for (const auto& spec : options_.symbols) {
    if (spec.source != exchange::MarketSource::external)
      throw std::invalid_argument("backtest: a symbol is driven by the recording: " + spec.name);
  }
  exchange_.set_witness(this);
  engine_ = std::make_unique<engine::Engine>(
      for_backtest(options_.engine),
      venue::binance::Credentials{std::string{key}, venue::binance::Signer::hmac(std::string{secret})},
      run_epoch);
  step(engine::Tick{});
}

Backtest::~Backtest() = default;

void Backtest::apply(const MarketEvent& event) {
  run_until(std::max(now_, local(event.at)));
  if (event.lag && options_.feed_lag == BacktestOptions::FeedLag::recorded) {
    lag_least_ = std::min(lag_least_.value_or(*event.lag), *event.lag);
    lag_ = *event.lag - *lag_least_;
  }
  ++result_.market_events;
  result_.level_changes += event.bids.size() + event.asks.size();
  if (event.kind == MarketEvent::Kind::trade) ++result_.trades;
  if (event.kind == MarketEvent::Kind::mark) ++result_.marks;
  exchange_.administer(venue_now(), [&](exchange::Core& core, exchange::CoreEvents& events) {
    sim::apply(event, event.symbol, venue_now(), core, events);
  });
  drain_exchange();
}

BacktestResult Backtest::finish() {
  const base::VenueTime end = venue_now();
  step(engine::StopRequested{});
  const LocalTime last = now_ + leave_within;
  while (!finished_ && now_ < last) run_until(std::min(last, now_ + base::milliseconds{10}));
  engine_->fill_status(result_.status, now_);
  result_.events_refused = exchange_.core().stats().external_refused;
  result_.levels_forgotten = exchange_.core().stats().external_forgotten;
  result_.figures = keeper_.finish(std::max(end, venue_now()));
  return std::move(result_);
}

// Time.

void Backtest::run_until(LocalTime until) {
  for (;;) {
    if (!exchange_due_) exchange_due_ = local(exchange_.next_deadline());
    LocalTime next = std::min({until, *exchange_due_, next_ping_});
    for (const Messages* queue : {&to_exchange_, &market_data_, &answers_}) {
      if (!queue->empty()) next = std::min(next, queue->front().at);
    }
    if (!finished_) {
      if (!engine_due_) engine_due_ = engine_->next_deadline().value_or(LocalTime::max());
      next = std::min(next, *engine_due_);
    }
    if (next > now_) ticks_at_once_ = 0;
    now_ = std::max(now_, next);

    if (*exchange_due_ <= now_) {
      exchange_.advance(venue_now());
      drain_exchange();
    }
    while (!to_exchange_.empty() && to_exchange_.front().at <= now_) {
      Message message = std::move(to_exchange_.front());
      to_exchange_.pop_front();
      at_exchange(message);
    }
    for (Messages* queue : {&market_data_, &answers_}) {
      while (!queue->empty() && queue->front().at <= now_) {
        Message message = std::move(queue->front());
        queue->pop_front();
        at_engine(message);
      }
    }
    if (next_ping_ <= now_) ping();
    if (!finished_ && engine_due_ && *engine_due_ <= now_) {
      PHX_ASSERT(++ticks_at_once_ < ticks_at_once_max, "an engine's deadline moves on when it is met");
      step(engine::Tick{});
    }
    if (now_ >= until) return;
  }
}

/// Nothing gets lost here, so that the round trip is all there is to it.
void Backtest::ping() {
  next_ping_ = now_ + ping_interval;
  std::vector<ConnectionId> open;
  for (const Socket& socket : sockets_) {
    if (socket.open) open.push_back(socket.id);
  }
  for (const ConnectionId id : open) {
    step(engine::PongReceived{
        id, options_.order_latency + (is_market_data(id) ? options_.feed_latency : options_.order_latency)});
  }
}

void Backtest::push(Messages& queue, Message message, Duration latency) {
  message.at = std::max(now_ + latency, queue.empty() ? now_ : queue.back().at);
  queue.push_back(std::move(message));
}

void Backtest::to_exchange(Message message) {
  push(to_exchange_, std::move(message), options_.order_latency);
}

void Backtest::to_engine(ConnectionId id, Message message) {
  if (is_market_data(id)) {
    push(market_data_, std::move(message), options_.feed_latency + lag_);
  } else {
    push(answers_, std::move(message), options_.order_latency);
  }
}

Backtest::Socket* Backtest::socket_of(exchange::PeerId peer) {
  const auto it =
      std::find_if(sockets_.begin(), sockets_.end(), [&](const auto& s) { return s.peer == peer; });
  return it == sockets_.end() ? nullptr : &*it;
}
Backtest::Socket* Backtest::socket_of(ConnectionId id) {
  const auto it = std::find_if(sockets_.begin(), sockets_.end(), [&](const auto& s) { return s.id == id; });
  return it == sockets_.end() ? nullptr : &*it;
}

// What arrives.

void Backtest::at_exchange(Message& message) {
  using What = Message::What;
  exchange_due_.reset();
  switch (message.what) {
    case What::handshake: {
      const auto upgrade = exchange_.open(message.peer, message.text, address, venue_now());
      Message back{.peer = message.peer, .id = message.id};
      back.what = upgrade.accepted ? What::opened : What::closed;
      back.status = upgrade.status;
      to_engine(message.id, std::move(back));
      break;
    }
    case What::text:
      exchange_.text(message.peer, message.text, venue_now());
      break;
    case What::hung_up:
      exchange_.closed(message.peer);
      break;
    case What::pong:
      exchange_.ponged(message.peer, venue_now());
      break;
    default: {
      auto answer = exchange_.rest({.method = std::move(message.method),
                                    .target = std::move(message.text),
                                    .body = std::move(message.body),
                                    .api_key = std::string{key},
                                    .client_address = std::string{address}},
                                   venue_now());
      Message back{.what = What::answer, .request = message.request, .status = answer.status};
      back.text = std::move(answer.body);
      back.headers = std::move(answer.headers);
      push(answers_, std::move(back), options_.order_latency);
      break;
    }
  }
  drain_exchange();
}

void Backtest::drain_exchange() {
  exchange_due_.reset();
  for (auto& out : exchange_.drain()) {
    const Socket* const socket = socket_of(out.peer);
    if (socket == nullptr) continue;
    Message message{.peer = out.peer, .id = socket->id};
    switch (out.what) {
      case exchange::Out::What::text:
        message.what = Message::What::frame;
        break;
      case exchange::Out::What::ping:
        message.what = Message::What::pong;
        to_exchange(std::move(message));
        continue;
      case exchange::Out::What::close:
        message.what = Message::What::closed;
        message.status = out.close_code;
        break;
    }
    message.text = std::move(out.what == exchange::Out::What::text ? out.text : out.reason);
    to_engine(socket->id, std::move(message));
  }
}

void Backtest::at_engine(Message& message) {
  using What = Message::What;
  switch (message.what) {
    case What::opened:
      if (Socket* const socket = socket_of(message.peer)) {
        socket->open = true;
        step(engine::ConnectionOpened{socket->id, ""});
      }
      break;
    case What::frame:
      if (socket_of(message.peer) != nullptr) step(engine::FrameReceived{message.id, now_, message.text});
      break;
    case What::closed: {
      const Socket* const socket = socket_of(message.peer);
      if (socket == nullptr) break;
      const bool was_open = socket->open;
      sockets_.erase(sockets_.begin() + (socket - sockets_.data()));
      const auto code = static_cast<std::uint16_t>(message.status);
      step(engine::ConnectionClosed{message.id, was_open ? code : std::uint16_t{0},
                                    was_open ? std::uint16_t{0} : code, std::nullopt, message.text});
      break;
    }
    case What::let_go:
      step(engine::ConnectionClosed{message.id, 1000, 0, std::nullopt, "requested"});
      break;
    case What::latch:
      step(engine::LatchChanged{engine::Latch::set, message.text});
      break;
    default:
      step(engine::RestAnswered{.request = message.request,
                                .status = message.status,
                                .used_weight_1m = header(message.headers, "X-MBX-USED-WEIGHT-1M"),
                                .order_count_10s = header(message.headers, "X-MBX-ORDER-COUNT-10S"),
                                .order_count_1m = header(message.headers, "X-MBX-ORDER-COUNT-1M"),
                                .retry_after_s = header(message.headers, "Retry-After"),
                                .body = message.text});
      break;
  }
}

// The engine.

void Backtest::step(const engine::Input& input) {
  if (finished_) return;
  ++result_.engine_steps;
  engine_->step(input, now_, actions_);
  engine_due_.reset();
  if (actions_.empty()) return;
  std::swap(actions_, spare_actions_);
  for (const auto& action : spare_actions_) perform(action, spare_actions_);
  spare_actions_.clear();
  while (!own_.empty()) {
    Message message = std::move(own_.front());
    own_.pop_front();
    at_engine(message);
  }
}

void Backtest::perform(const engine::Action& action, const engine::Actions& all) {
  using What = Message::What;
  std::visit(
      [&](const auto& a) {
        using T = std::decay_t<decltype(a)>;
        if constexpr (std::is_same_v<T, engine::OpenConnection>) {
          sockets_.push_back({.peer = next_peer_++, .id = a.connection});
          to_exchange({.what = What::handshake,
                       .peer = sockets_.back().peer,
                       .id = a.connection,
                       .text = std::string{all.text(a.target)}});
        } else if constexpr (std::is_same_v<T, engine::SendText>) {
          if (const Socket* const socket = socket_of(a.connection))
            to_exchange({.what = What::text, .peer = socket->peer, .text = std::string{all.text(a.text)}});
        } else if constexpr (std::is_same_v<T, engine::CloseConnection>) {
          if (const Socket* const socket = socket_of(a.connection)) {
            to_exchange({.what = What::hung_up, .peer = socket->peer});
            sockets_.erase(sockets_.begin() + (socket - sockets_.data()));
            own_.push_back({.at = now_, .what = What::let_go, .id = a.connection});
          }
        } else if constexpr (std::is_same_v<T, engine::CallRest>) {
          to_exchange({.what = What::call,
                       .request = a.request,
                       .text = std::string{all.text(a.target)},
                       .method = std::string{all.text(a.method)},
                       .body = std::string{all.text(a.body)}});
        } else if constexpr (std::is_same_v<T, engine::Note>) {
          warn(a, all);
        } else if constexpr (std::is_same_v<T, engine::SetLatch>) {
          result_.latched = std::string{all.text(a.reason)};
          own_.push_back({.at = now_, .what = What::latch, .text = *result_.latched});
        } else if constexpr (std::is_same_v<T, engine::Finished>) {
          finished_ = true;
          if (a.exit_code == 2) warn({engine::Severity::error, a.reason}, all);
        }
      },
      action);
}

void Backtest::warn(const engine::Note& note, const engine::Actions& all) {
  if (note.severity < engine::Severity::warning) return;
  const std::string_view text = all.text(note.text);
  const auto known = std::ranges::find(result_.warnings, text, &std::pair<std::string, std::uint64_t>::first);
  if (known != result_.warnings.end()) {
    ++known->second;
  } else if (result_.warnings.size() < warnings_max) {
    result_.warnings.emplace_back(text, 1);
  } else {
    ++result_.warnings_not_kept;
  }
}

}  // namespace phoenix::sim
