#include "io/network.hpp"

#include "base/assert.hpp"
#include "io/rest_client.hpp"
#include "io/tls.hpp"
#include "io/ws_client.hpp"

#include <atomic>
#include <map>
#include <optional>
#include <stdexcept>
#include <thread>
#include <variant>

namespace phoenix::io {
namespace {

struct OpenCommand {
  ConnectionId id;
  WsOptions options;
};
/// Its text is the next record of the texts' ring.
struct SendCommand {
  ConnectionId id = 0;
};
struct CloseCommand {
  ConnectionId id;
  std::uint16_t code;
};
using Command = std::variant<std::monostate, SendCommand, CloseCommand, std::unique_ptr<OpenCommand>,
                             std::unique_ptr<RestCall>>;

struct Line {
  std::unique_ptr<WsClient> client;
  LineCounters counters;
};

}  // namespace

std::string_view name(CloseReason reason) {
  switch (reason) {
    case CloseReason::requested:
      return "requested";
    case CloseReason::peer_closed:
      return "peer_closed";
    case CloseReason::connection_lost:
      return "connection_lost";
    case CloseReason::resolve_failed:
      return "resolve_failed";
    case CloseReason::connect_failed:
      return "connect_failed";
    case CloseReason::tls_failed:
      return "tls_failed";
    case CloseReason::handshake_refused:
      return "handshake_refused";
    case CloseReason::handshake_failed:
      return "handshake_failed";
    case CloseReason::pong_timeout:
      return "pong_timeout";
    case CloseReason::protocol_error:
      return "protocol_error";
    case CloseReason::message_too_big:
      return "message_too_big";
    case CloseReason::send_queue_full:
      return "send_queue_full";
    case CloseReason::stopped:
      return "stopped";
  }
  return "unknown";
}

/// Stands between the sockets and the handler only to know whether a turn had something to say.
class Network::Impl final : public NetworkHandler, public ReactorHost {
 public:
  Impl(const RealClock& clock, NetworkHandler& handler, NetworkOptions options)
      : handler_{handler},
        options_{std::move(options)},
        reactor_{clock, options_.waiting == Waiting::spin ? Reactor::Wait::spin : Reactor::Wait::block},
        resolver_{reactor_},
        commands_{options_.commands_max},
        texts_{options_.texts_bytes_max},
        lines_(options_.connections_max),
        rest_{{.reactor = reactor_,
               .resolver = resolver_,
               .handler = *this,
               .options = options_,
               .wire = rest_wire_,
               .queue_full = rest_queue_full_,
               .retried = rest_retried_,
               .context = [this](const std::string& ca_file) { return context(ca_file); }}} {
    for (auto& line : lines_) line = std::make_unique<Line>();
    thread_ = std::thread{[this] { serve(); }};
  }
  ~Impl() override { stop(); }

  Submitted submit(Command command) {
    PHX_ASSERT(std::this_thread::get_id() != thread_.get_id(),
               "commands come from another thread than the io thread");
    if (!thread_.joinable() || !commands_.try_push(std::move(command))) return Submitted::refused_full;
    reactor_.wake();
    return Submitted::accepted;
  }

  /// Copies the text into a ring of its own, so that sending an order allocates nothing.
  Submitted submit_text(ConnectionId id, std::string_view text) {
    const std::span bytes{reinterpret_cast<const std::byte*>(text.data()), text.size()};
    // Only this thread fills the commands: the room seen here is still there below.
    if (!thread_.joinable() || commands_.size() >= commands_.stats().capacity ||
        !texts_.try_push({}, bytes)) {
      texts_refused_.fetch_add(1, std::memory_order_relaxed);
      return Submitted::refused_full;
    }
    const Submitted submitted = submit(SendCommand{id});
    PHX_ASSERT(submitted == Submitted::accepted, "every text in the ring has its command");
    return submitted;
  }

  void stop() {
    if (!thread_.joinable()) return;
    PHX_ASSERT(std::this_thread::get_id() != thread_.get_id(), "the io thread does not stop itself");
    reactor_.stop();
    thread_.join();
  }

  Traffic traffic(ConnectionId id) const {
    const LineCounters& counters = line(id).counters;
    const auto read = [](const std::atomic<std::uint64_t>& value) {
      return value.load(std::memory_order_relaxed);
    };
    return {.wire_bytes_in = read(counters.wire.bytes_in),
            .wire_bytes_out = read(counters.wire.bytes_out),
            .payload_bytes_in = read(counters.payload_bytes_in),
            .messages_in = read(counters.messages_in),
            .messages_out = read(counters.messages_out),
            .opens = read(counters.opens),
            .deflate = counters.deflate.load(std::memory_order_relaxed)};
  }

  NetworkStats stats() const {
    base::RingStats commands = commands_.stats();
    commands.dropped += texts_refused_.load(std::memory_order_relaxed);
    return {.commands = commands,
            .sends_unconnected = sends_unconnected_.load(std::memory_order_relaxed),
            .rest_queue_full = rest_queue_full_.load(std::memory_order_relaxed),
            .rest_retried = rest_retried_.load(std::memory_order_relaxed),
            .rest_wire_bytes_in = rest_wire_.bytes_in.load(std::memory_order_relaxed),
            .rest_wire_bytes_out = rest_wire_.bytes_out.load(std::memory_order_relaxed),
            .sockets_open = reactor_.sockets_open()};
  }

  Line& line(ConnectionId id) const {
    PHX_ASSERT(id < lines_.size(), "a connection id is below connections_max");
    return *lines_[id];
  }

 private:
  void serve() {
    reactor_.run(*this);
    const auto now = reactor_.now();
    // What was submitted before the stop still gets its callback.
    take_commands(now);
    for (auto& line : lines_) {
      if (line->client) line->client->stop(now);
    }
    rest_.stop(now);
    reactor_.disown_all();
    handler_.on_turn_end(now);
  }

  void turn(base::LocalTime now) override {
    resolver_.deliver();
    take_commands(now);
    if (!called_) return;
    called_ = false;
    handler_.on_turn_end(now);
  }
  bool has_work() const override { return called_ || !commands_.empty() || resolver_.has_answers(); }
  std::optional<base::LocalTime> next_deadline() override { return std::nullopt; }

  void take_commands(base::LocalTime now) {
    while (auto command = commands_.try_pop()) {
      if (auto* send = std::get_if<SendCommand>(&*command)) {
        send_text(*send, now);
      } else if (auto* call = std::get_if<std::unique_ptr<RestCall>>(&*command)) {
        rest_.call(std::move(**call), now);
      } else if (auto* open = std::get_if<std::unique_ptr<OpenCommand>>(&*command)) {
        open_line(**open, now);
      } else if (auto* close = std::get_if<CloseCommand>(&*command)) {
        if (auto& client = line(close->id).client) client->close(close->code, now);
      }
    }
  }

  void send_text(const SendCommand& command, base::LocalTime now) {
    const auto text = texts_.front();
    PHX_ASSERT(text.has_value(), "every send command has its text");
    auto& client = line(command.id).client;
    if (client && client->is_open()) {
      client->send({reinterpret_cast<const char*>(text->data()), text->size()}, now);
    } else {
      sends_unconnected_.fetch_add(1, std::memory_order_relaxed);
    }
    texts_.pop();
  }

  void open_line(OpenCommand& command, base::LocalTime now) {
    Line& line = this->line(command.id);
    PHX_ASSERT(line.client == nullptr, "a connection id has at most one socket");
    ssl_ctx_st* context = nullptr;
    const Endpoint& endpoint = command.options.endpoint;
    try {
      if (endpoint.security == Security::tls) context = this->context(endpoint.ca_file);
    } catch (const std::runtime_error& error) {
      return on_closed(command.id, {.reason = CloseReason::tls_failed, .text = error.what()}, now);
    }
    line.client = std::make_unique<WsClient>(
        reactor_, *this, line.counters, command.id, std::move(command.options),
        [this](ConnectionId id, const CloseInfo& info, base::LocalTime at) { line_gone(id, info, at); });
    line.client->start(context, resolver_, now);
  }

  void line_gone(ConnectionId id, const CloseInfo& info, base::LocalTime now) {
    auto client = std::move(line(id).client);
    if (client->is_leaving()) {
      reactor_.adopt(std::move(client));
    } else {
      reactor_.retire(std::move(client));
    }
    on_closed(id, info, now);
  }

  ssl_ctx_st* context(const std::string& ca_file) {
    auto it = contexts_.find(ca_file);
    // Reading the system's store takes tens of milliseconds: once, not at every reconnect.
    if (it == contexts_.end()) it = contexts_.emplace(ca_file, client_context(ca_file)).first;
    return it->second.get();
  }

  void on_open(ConnectionId id, const OpenInfo& info, base::LocalTime now) override {
    called_ = true;
    handler_.on_open(id, info, now);
  }
  void on_text(ConnectionId id, std::string_view payload, base::LocalTime now) override {
    called_ = true;
    handler_.on_text(id, payload, now);
  }
  void on_binary(ConnectionId id, std::string_view payload, base::LocalTime now) override {
    called_ = true;
    handler_.on_binary(id, payload, now);
  }
  void on_pong(ConnectionId id, base::Duration round_trip, base::LocalTime now) override {
    called_ = true;
    handler_.on_pong(id, round_trip, now);
  }
  void on_closed(ConnectionId id, const CloseInfo& info, base::LocalTime now) override {
    called_ = true;
    handler_.on_closed(id, info, now);
  }
  void on_rest(model::RequestId id, RestResult& result, base::LocalTime now) override {
    called_ = true;
    handler_.on_rest(id, result, now);
  }
  void on_turn_end(base::LocalTime) override {}

  NetworkHandler& handler_;
  NetworkOptions options_;
  Reactor reactor_;
  Resolver resolver_;
  base::SpscRing<Command> commands_;
  base::ByteRing texts_;
  std::map<std::string, SslContext> contexts_;
  std::vector<std::unique_ptr<Line>> lines_;
  WireCounters rest_wire_;
  std::atomic<std::uint64_t> sends_unconnected_{0}, texts_refused_{0}, rest_queue_full_{0}, rest_retried_{0};
  RestPool rest_;
  bool called_ = false;
  std::thread thread_;
};

Network::Network(const RealClock& clock, NetworkHandler& handler, NetworkOptions options)
    : impl_{std::make_unique<Impl>(clock, handler, std::move(options))} {}
Network::~Network() = default;

Submitted Network::open(ConnectionId id, WsOptions options) {
  impl_->line(id);
  return impl_->submit(std::make_unique<OpenCommand>(OpenCommand{id, std::move(options)}));
}
Submitted Network::send(ConnectionId id, std::string_view text) {
  impl_->line(id);
  return impl_->submit_text(id, text);
}
Submitted Network::close(ConnectionId id, std::uint16_t code) {
  impl_->line(id);
  return impl_->submit(CloseCommand{id, code});
}
Submitted Network::call(RestCall call) { return impl_->submit(std::make_unique<RestCall>(std::move(call))); }
void Network::stop() { impl_->stop(); }
Traffic Network::traffic(ConnectionId id) const { return impl_->traffic(id); }
NetworkStats Network::stats() const { return impl_->stats(); }

}  // namespace phoenix::io
