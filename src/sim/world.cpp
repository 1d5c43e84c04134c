#include "sim/world.hpp"

#include "engine/input_codec.hpp"
#include "record/log_format.hpp"

#include <algorithm>
#include <charconv>
#include <type_traits>

namespace phoenix::sim {

using base::LocalTime;

namespace {

exchange::ExchangeOptions with_account(exchange::ExchangeOptions options, const WorldOptions& world) {
  options.core.seed = world.seed;
  options.core.start = base::venue_time_ns(base::ns_of(world.start) + world.clock_offset.count());
  if (options.core.accounts.empty())
    options.core.accounts = {{.api_key = world.api_key, .api_secret = world.api_secret}};
  return options;
}

std::optional<int> header(const exchange::HttpAnswer& answer, std::string_view name) {
  for (const auto& [key, value] : answer.headers) {
    if (key != name) continue;
    int number = 0;
    std::from_chars(value.data(), value.data() + value.size(), number);
    return number;
  }
  return std::nullopt;
}

}  // namespace

World::World(WorldOptions options)
    : options_(std::move(options)),
      rng_(options_.seed),
      now_(options_.start),
      exchange_(with_account(options_.exchange, options_)),
      engine_(std::make_unique<engine::Engine>(
          options_.engine,
          venue::binance::Credentials{options_.api_key, venue::binance::Signer::hmac(options_.api_secret)},
          options_.run_epoch)) {
  log_.append(record::log_magic);
  at(now_, [this] { step(engine::Tick{}); });
}

World::~World() = default;

void World::run_until(LocalTime until) {
  for (;;) {
    LocalTime next = until;
    if (!events_.empty()) next = std::min(next, events_.top().at);
    const LocalTime exchange_due =
        base::local_time_ns(base::ns_of(exchange_.next_deadline()) - options_.clock_offset.count());
    next = std::min(next, exchange_due);
    const auto engine_due = engine_->next_deadline();
    const bool engine_runs = steps_ > 0 && engine_due.has_value() && !end_;
    if (engine_runs) next = std::min(next, std::max(*engine_due, paused_until_));
    now_ = std::max(now_, next);
    exchange_.advance(venue_time(now_));
    drain_exchange();
    if (engine_runs && now_ >= *engine_due && now_ >= paused_until_) step(engine::Tick{});
    while (!events_.empty() && events_.top().at <= now_) {
      auto happen = std::move(const_cast<Event&>(events_.top()).happen);
      events_.pop();
      happen();
    }
    if (now_ >= until) return;
  }
}

void World::request_stop() {
  at(now_, [this] { step(engine::StopRequested{}); });
}

void World::pause(base::Duration duration) { paused_until_ = now_ + duration; }

LocalTime World::to_exchange(Line& l) {
  return l.last_to_exchange = std::max(l.last_to_exchange, now_ + latency());
}
LocalTime World::to_engine(Line& l) {
  return l.last_to_engine = std::max(l.last_to_engine, now_ + latency());
}

void World::step(const engine::Input& input) {
  if (end_) return;
  const auto encoded = engine::encode_input(input);
  if (now_ < paused_until_) {  // the process sleeps; its input waits
    std::string bytes = std::string{encoded.head_view()} + std::string{encoded.body};
    at(paused_until_, [this, bytes = std::move(bytes)] { step(*engine::decode_input(bytes)); });
    return;
  }
  record::append_log_record({.sequence = steps_,
                             .now = now_,
                             .kind = static_cast<std::uint8_t>(encoded.head[0]),
                             .payload = std::string{encoded.head_view()} + std::string{encoded.body}},
                            log_);
  ++steps_;
  if (probe_ != nullptr) probe_->before(input);
  engine_->step(input, now_, actions_);
  if (probe_ != nullptr) probe_->after(input, actions_);
  std::swap(actions_, spare_actions_);
  const engine::Actions& done = spare_actions_;
  for (const auto& action : done) {
    std::visit(
        [&](const auto& a) {
          using T = std::decay_t<decltype(a)>;
          if constexpr (std::is_same_v<T, engine::OpenConnection>) {
            const auto id = a.connection;
            const std::uint64_t peer = next_peer_++;
            line(id).last_to_exchange = line(id).last_to_engine = now_;
            line(id).peer = peer;
            peers_[peer] = id;
            at(to_exchange(line(id)), [this, id, peer, target = std::string{done.text(a.target)}] {
              if (!peers_.contains(peer)) return;
              const auto upgrade = exchange_.open(peer, target, "10.0.0.1", venue_time(now_));
              if (!upgrade.accepted) {
                close_from_exchange(peer, 0, "refused");
                return;
              }
              at(to_engine(line(id)), [this, id, peer] {
                if (peers_.contains(peer)) step(engine::ConnectionOpened{id, ""});
              });
              drain_exchange();
            });
          } else if constexpr (std::is_same_v<T, engine::SendText>) {
            const std::uint64_t peer = line(a.connection).peer;
            at(to_exchange(line(a.connection)), [this, peer, text = std::string{done.text(a.text)}] {
              if (!peers_.contains(peer)) return;
              exchange_.text(peer, text, venue_time(now_));
              drain_exchange();
            });
          } else if constexpr (std::is_same_v<T, engine::CloseConnection>) {
            const std::uint64_t peer = line(a.connection).peer;
            if (peer != 0) close_from_exchange(peer, 1000, "requested");
          } else if constexpr (std::is_same_v<T, engine::CallRest>) {
            exchange::HttpRequest request;
            request.method = done.text(a.method);
            request.target = done.text(a.target);
            request.body = done.text(a.body);
            request.api_key = options_.api_key;
            request.client_address = "10.0.0.1";
            at(now_ + latency(), [this, id = a.request, request = std::move(request)] {
              auto answer = exchange_.rest(request, venue_time(now_));
              drain_exchange();
              at(now_ + latency(), [this, id, answer = std::move(answer)] {
                step(engine::RestAnswered{.request = id,
                                          .status = answer.status,
                                          .used_weight_1m = header(answer, "X-MBX-USED-WEIGHT-1M"),
                                          .order_count_10s = header(answer, "X-MBX-ORDER-COUNT-10S"),
                                          .order_count_1m = header(answer, "X-MBX-ORDER-COUNT-1M"),
                                          .retry_after_s = header(answer, "Retry-After"),
                                          .body = answer.body});
              });
            });
          } else if constexpr (std::is_same_v<T, engine::Note>) {
            if (notes_.size() < 10'000) notes_.emplace_back(done.text(a.text));
          } else if constexpr (std::is_same_v<T, engine::Finished>) {
            end_ = End{a.exit_code, std::string{done.text(a.reason)}};
          }
        },
        action);
  }
  spare_actions_.clear();
}

void World::drain_exchange() {
  for (auto& out : exchange_.drain()) {
    const auto it = peers_.find(out.peer);
    if (it == peers_.end()) continue;
    const auto id = it->second;
    if (out.what == exchange::Out::What::close) {
      close_from_exchange(out.peer, static_cast<std::uint16_t>(out.close_code), out.reason);
    } else if (out.what == exchange::Out::What::ping) {
      exchange_.ponged(out.peer, venue_time(now_));
    } else if (line(id).frames_to_drop > 0) {
      --line(id).frames_to_drop;
    } else {
      at(to_engine(line(id)), [this, id, peer = out.peer, text = std::move(out.text)] {
        if (peers_.contains(peer)) step(engine::FrameReceived{id, now_, text});
      });
    }
  }
}

/// The socket is gone at both ends; the engine hears of it after what is still on its way.
void World::close_from_exchange(std::uint64_t peer, std::uint16_t code, const std::string& reason) {
  const auto it = peers_.find(peer);
  if (it == peers_.end()) return;
  const auto id = it->second;
  exchange_.closed(peer);
  at(to_engine(line(id)), [this, id, peer, code, reason] {
    if (peers_.erase(peer) == 0) return;
    if (line(id).peer == peer) line(id).peer = 0;
    step(engine::ConnectionClosed{id, code, reason});
  });
}

void World::cut(engine::ConnectionId id) {
  const std::uint64_t peer = line(id).peer;
  if (peer == 0 || peers_.erase(peer) == 0) return;
  exchange_.closed(peer);
  line(id).peer = 0;
  at(now_, [this, id] { step(engine::ConnectionClosed{id, 1006, "cut"}); });
}

std::size_t World::open_sockets(engine::ConnectionId id) const {
  return static_cast<std::size_t>(
      std::count_if(peers_.begin(), peers_.end(), [id](const auto& p) { return p.second == id; }));
}

}  // namespace phoenix::sim
