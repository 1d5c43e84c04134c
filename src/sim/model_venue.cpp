#include "sim/model_venue.hpp"

#include "sim/rest_answer.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <type_traits>
#include <variant>

namespace phoenix::sim {

using base::Duration;
using base::LocalTime;
using engine::Channel;
using engine::ConnectionId;

namespace {

constexpr std::string_view address = "10.0.0.1";
constexpr Duration ping_interval = base::seconds{20};

bool is_market_data(ConnectionId id) {
  const Channel channel = engine::channel_of(id);
  return channel != Channel::order_api && channel != Channel::user_data;
}

}  // namespace

int decimals(std::int64_t unit) {
  int count = 8;
  while (count > 0 && unit % 10 == 0) {
    unit /= 10;
    --count;
  }
  return count;
}

exchange::ExchangeOptions external_market(const ExternalMarketOptions& options, std::string api_key,
                                          std::string api_secret, base::VenueTime start) {
  exchange::ExchangeOptions made;
  made.core.start = start;
  made.core.symbols = options.symbols;
  made.core.external_queue = options.queue;
  made.core.funding_interval = options.funding_interval;
  exchange::AccountOptions account{.api_key = std::move(api_key), .api_secret = std::move(api_secret)};
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

ModelVenue::ModelVenue(ModelVenueOptions options)
    : options_(std::move(options)),
      api_key_(options_.exchange.core.accounts.at(0).api_key),
      exchange_(std::move(options_.exchange)),
      next_ping_(options_.start + ping_interval) {}

// What the engine does.

bool ModelVenue::take(const engine::Action& action, const engine::Actions& all, LocalTime now) {
  using What = Message::What;
  return std::visit(
      [&](const auto& a) {
        using T = std::decay_t<decltype(a)>;
        if constexpr (std::is_same_v<T, engine::OpenConnection>) {
          sockets_.push_back({.peer = next_peer_++, .id = a.connection});
          to_exchange({.what = What::handshake,
                       .peer = sockets_.back().peer,
                       .id = a.connection,
                       .text = std::string{all.text(a.target)}},
                      now);
        } else if constexpr (std::is_same_v<T, engine::SendText>) {
          if (const Socket* const socket = socket_of(a.connection))
            to_exchange({.what = What::text, .peer = socket->peer, .text = std::string{all.text(a.text)}},
                        now);
        } else if constexpr (std::is_same_v<T, engine::CloseConnection>) {
          if (const Socket* const socket = socket_of(a.connection)) {
            to_exchange({.what = What::hung_up, .peer = socket->peer}, now);
            sockets_.erase(sockets_.begin() + (socket - sockets_.data()));
            own_.push_back({.at = now, .what = What::let_go, .id = a.connection});
          }
        } else if constexpr (std::is_same_v<T, engine::CallRest>) {
          to_exchange({.what = What::call,
                       .request = a.request,
                       .text = std::string{all.text(a.target)},
                       .method = std::string{all.text(a.method)},
                       .body = std::string{all.text(a.body)}},
                      now);
        } else {
          return false;
        }
        return true;
      },
      action);
}

// Time.

LocalTime ModelVenue::next_deadline() {
  if (!own_.empty() || !pongs_.empty()) return LocalTime::min();
  if (!exchange_due_) exchange_due_ = local_time(exchange_.next_deadline());
  LocalTime next = std::min(*exchange_due_, next_ping_);
  for (const Messages* queue : {&to_exchange_, &market_data_, &answers_}) {
    if (!queue->empty()) next = std::min(next, queue->front().at);
  }
  return next;
}

void ModelVenue::advance(LocalTime now) {
  if (!exchange_due_) exchange_due_ = local_time(exchange_.next_deadline());
  if (*exchange_due_ <= now) {
    exchange_.advance(venue_time(now));
    drain_exchange(now);
  }
  while (!to_exchange_.empty() && to_exchange_.front().at <= now) {
    Message message = std::move(to_exchange_.front());
    to_exchange_.pop_front();
    at_exchange(message, now);
  }
}

std::optional<engine::Input> ModelVenue::immediate() {
  while (!own_.empty()) {
    current_ = std::move(own_.front());
    own_.pop_front();
    if (auto input = at_engine(current_)) return input;
  }
  return std::nullopt;
}

std::optional<engine::Input> ModelVenue::next(LocalTime now) {
  if (auto input = immediate()) return input;
  for (Messages* queue : {&market_data_, &answers_}) {
    while (!queue->empty() && queue->front().at <= now) {
      current_ = std::move(queue->front());
      current_.at = now;
      queue->pop_front();
      if (auto input = at_engine(current_)) return input;
    }
  }
  if (next_ping_ <= now) {
    next_ping_ = now + ping_interval;
    for (const Socket& socket : sockets_) {
      if (socket.open) pongs_.push_back(socket.id);
    }
  }
  if (pongs_.empty()) return std::nullopt;
  const ConnectionId id = pongs_.front();
  pongs_.pop_front();
  // Nothing gets lost here, so that the round trip is all there is to it.
  const Duration back = is_market_data(id) ? options_.latency_of_market : options_.latency_of_answers;
  return engine::PongReceived{id, options_.latency_to_venue + back};
}

// What is under way.

void ModelVenue::push(Messages& queue, Message message, LocalTime now, Duration latency) {
  message.at = std::max(now + latency, queue.empty() ? now : queue.back().at);
  queue.push_back(std::move(message));
}

void ModelVenue::to_exchange(Message message, LocalTime now) {
  push(to_exchange_, std::move(message), now, options_.latency_to_venue);
}

void ModelVenue::to_engine(ConnectionId id, Message message, LocalTime now) {
  if (is_market_data(id)) {
    push(market_data_, std::move(message), now, options_.latency_of_market + market_lag_);
  } else {
    push(answers_, std::move(message), now, options_.latency_of_answers);
  }
}

ModelVenue::Socket* ModelVenue::socket_of(exchange::PeerId peer) {
  const auto it =
      std::find_if(sockets_.begin(), sockets_.end(), [&](const auto& s) { return s.peer == peer; });
  return it == sockets_.end() ? nullptr : &*it;
}
ModelVenue::Socket* ModelVenue::socket_of(ConnectionId id) {
  const auto it = std::find_if(sockets_.begin(), sockets_.end(), [&](const auto& s) { return s.id == id; });
  return it == sockets_.end() ? nullptr : &*it;
}

// What arrives.

void ModelVenue::at_exchange(Message& message, LocalTime now) {
  using What = Message::What;
  exchange_due_.reset();
  switch (message.what) {
    case What::handshake: {
      const auto upgrade = exchange_.open(message.peer, message.text, address, venue_time(now));
      Message back{.peer = message.peer, .id = message.id};
      back.what = upgrade.accepted ? What::opened : What::closed;
      back.status = upgrade.status;
      to_engine(message.id, std::move(back), now);
      break;
    }
    case What::text:
      exchange_.text(message.peer, message.text, venue_time(now));
      break;
    case What::hung_up:
      exchange_.closed(message.peer);
      break;
    case What::pong:
      exchange_.ponged(message.peer, venue_time(now));
      break;
    default: {
      auto answer = exchange_.rest({.method = std::move(message.method),
                                    .target = std::move(message.text),
                                    .body = std::move(message.body),
                                    .api_key = api_key_,
                                    .client_address = std::string{address}},
                                   venue_time(now));
      Message back{.what = What::answer, .request = message.request, .status = answer.status};
      back.text = std::move(answer.body);
      back.headers = std::move(answer.headers);
      push(answers_, std::move(back), now, options_.latency_of_answers);
      break;
    }
  }
  drain_exchange(now);
}

void ModelVenue::drain_exchange(LocalTime now) {
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
        to_exchange(std::move(message), now);
        continue;
      case exchange::Out::What::close:
        message.what = Message::What::closed;
        message.status = out.close_code;
        break;
    }
    message.text = std::move(out.what == exchange::Out::What::text ? out.text : out.reason);
    to_engine(socket->id, std::move(message), now);
  }
}

std::optional<engine::Input> ModelVenue::at_engine(Message& message) {
  using What = Message::What;
  switch (message.what) {
    case What::opened:
      if (Socket* const socket = socket_of(message.peer)) {
        socket->open = true;
        return engine::ConnectionOpened{socket->id, ""};
      }
      return std::nullopt;
    case What::frame:
      if (socket_of(message.peer) == nullptr) return std::nullopt;
      return engine::FrameReceived{message.id, message.at, message.text};
    case What::closed: {
      const Socket* const socket = socket_of(message.peer);
      if (socket == nullptr) return std::nullopt;
      const bool was_open = socket->open;
      sockets_.erase(sockets_.begin() + (socket - sockets_.data()));
      const auto code = static_cast<std::uint16_t>(message.status);
      return engine::ConnectionClosed{message.id, was_open ? code : std::uint16_t{0},
                                      was_open ? std::uint16_t{0} : code, std::nullopt, message.text};
    }
    case What::let_go:
      return engine::ConnectionClosed{message.id, 1000, 0, std::nullopt, "requested"};
    default:
      return rest_answered(message.request, message.status, message.headers, message.text);
  }
}

}  // namespace phoenix::sim
