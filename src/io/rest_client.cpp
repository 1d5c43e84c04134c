#include "io/rest_client.hpp"

#include "base/assert.hpp"
#include "io/http_codec.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace phoenix::io {
namespace {

constexpr std::size_t header_bytes_max = 32u << 10;
constexpr std::size_t input_bytes_max = 256u << 10;
constexpr base::Duration resolve_limit = base::seconds{2};
constexpr base::Duration connect_limit = base::seconds{3};
constexpr base::Duration handshake_limit = base::seconds{5};

bool is_one_line(std::string_view text) { return text.find_first_of("\r\n") == std::string_view::npos; }

std::string request_text(const RestCall& call, const std::string& user_agent) {
  const Endpoint& endpoint = call.endpoint;
  const bool usual_port = endpoint.port == (endpoint.security == Security::tls ? 443 : 80);
  const bool is_v6 = endpoint.host.find(':') != std::string::npos;
  std::string host = is_v6 ? fmt::format("[{}]", endpoint.host) : endpoint.host;
  if (!usual_port) host += fmt::format(":{}", endpoint.port);
  PHX_ASSERT(is_one_line(call.target) && is_one_line(call.method), "a request line is one line");
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\n", call.method, call.target,
                                 host, user_agent);
  for (const auto& [name, value] : call.headers) {
    PHX_ASSERT(is_one_line(name) && is_one_line(value), "a header is one line");
    text += fmt::format("{}: {}\r\n", name, value);
  }
  const bool has_body = !call.body.empty() || call.method == "POST" || call.method == "PUT";
  if (has_body) text += fmt::format("Content-Length: {}\r\n", call.body.size());
  text += "\r\n";
  text += call.body;
  return text;
}

Headers kept_headers(const Headers& headers) {
  Headers kept;
  std::copy_if(headers.begin(), headers.end(), std::back_inserter(kept), [](const auto& header) {
    return header.first == "retry-after" || header.first == "date" || header.first.starts_with("x-mbx-");
  });
  return kept;
}

RestResult not_sent(std::string why) {
  return {.outcome = RestResult::Outcome::not_sent,
          .status = 0,
          .headers = {},
          .body = {},
          .why = std::move(why)};
}
RestResult unknown(std::string why) {
  return {
      .outcome = RestResult::Outcome::unknown, .status = 0, .headers = {}, .body = {}, .why = std::move(why)};
}

}  // namespace

/// One HTTP connection: connecting, idle, or busy with one call.
class RestConnection final : public Link {
 public:
  RestConnection(const RestEnvironment& environment, RestHost& host)
      : Link{environment.reactor, environment.wire, input_bytes_max},
        environment_{environment},
        host_{host},
        answer_{HttpKind::response, header_bytes_max, environment.options.rest_body_bytes_max} {}

  void start(const Endpoint& endpoint, ssl_ctx_st* context, base::LocalTime now) {
    const Limits limits{.resolve = resolve_limit, .connect = connect_limit, .handshake = handshake_limit};
    connect(endpoint, context, environment_.resolver, limits, now);
  }
  bool is_idle() const { return is_up() && !call_; }
  bool is_connecting() const { return !came_up_; }
  /// Sees what happened to an idle connection that the loop has not reported yet. It may be gone afterwards.
  void check(base::LocalTime now) { poll_input(now); }
  void begin(RestCall call, base::LocalTime now);
  void stop(base::LocalTime now);

 private:
  void link_up(base::LocalTime now) override;
  void link_input(base::LocalTime now) override;
  void link_down(LinkFault fault, const std::string& text, base::LocalTime now) override;
  void link_timer(base::LocalTime now) override;
  void on_answer(base::LocalTime now);
  void fail(const std::string& why, base::LocalTime now);
  bool was_written() const { return wire_bytes_out() != wire_bytes_before_; }

  const RestEnvironment& environment_;
  RestHost& host_;
  HttpParser answer_;
  std::optional<RestCall> call_;
  bool came_up_ = false;
  bool served_ = false;
  std::uint64_t wire_bytes_before_ = 0;
};

/// The calls and connections of one host.
class RestHost final : public Source {
 public:
  RestHost(const RestEnvironment& environment, Endpoint endpoint, ssl_ctx_st* context)
      : environment_{environment}, endpoint_{std::move(endpoint)}, context_{context} {}

  void submit(RestCall call, base::LocalTime now);
  void stop(base::LocalTime now);
  /// Gives waiting calls to idle connections, and opens more while there are too few.
  void pump(base::LocalTime now);

  void finish(const RestCall& call, RestResult result, base::LocalTime now) {
    environment_.handler.on_rest(call.request_id, result, now);
  }
  /// The connection broke before a byte of `call` left; it had served before, so the call goes to another.
  void retry(RestCall call);
  void connect_failed(RestConnection& connection, const std::string& why, base::LocalTime now);
  void gone(RestConnection& connection);

 private:
  void on_ready(Ready, base::LocalTime) override {}
  void on_flush(base::LocalTime now) override { pump(now); }
  void on_deadline(base::LocalTime now) override {
    expire(now);
    update_deadline();
  }

  std::deque<RestCall>& lane(Lane lane) { return lanes_[static_cast<std::size_t>(lane)]; }
  std::size_t waiting() const { return lanes_[0].size() + lanes_[1].size(); }
  RestCall take_next();
  void expire(base::LocalTime now);
  void fail_waiting(const std::string& why, base::LocalTime now);
  void update_deadline();

  const RestEnvironment& environment_;
  Endpoint endpoint_;
  ssl_ctx_st* context_;
  std::array<std::deque<RestCall>, 2> lanes_;
  std::vector<std::unique_ptr<RestConnection>> connections_;
};

void RestConnection::begin(RestCall call, base::LocalTime now) {
  PHX_ASSERT(is_idle() && output().empty(), "a connection carries one call at a time");
  answer_.reset();
  wire_bytes_before_ = wire_bytes_out();
  output().append(request_text(call, environment_.options.user_agent));
  call_ = std::move(call);
  send_soon();
  set_timer(std::max(now, call_->deadline));
}

void RestConnection::link_up(base::LocalTime now) {
  came_up_ = true;
  set_timer(now + environment_.options.rest_idle_max);
  environment_.reactor.flush_soon(host_);
}

void RestConnection::link_input(base::LocalTime now) {
  if (!call_) {
    // An answer to nothing: whatever it is, it must not become the answer to the next call.
    drop();
    return host_.gone(*this);
  }
  for (;;) {
    std::size_t consumed = 0;
    const auto bytes = input();
    const auto state = answer_.put({bytes.data(), bytes.size()}, consumed);
    consume(consumed);
    if (state == HttpParser::State::need_more) break;
    if (state == HttpParser::State::broken) return fail("not an HTTP answer: " + answer_.fault(), now);
    if (answer_.status() >= 200) return on_answer(now);
    answer_.reset();  // 100 Continue and its like precede the answer
  }
  if (input().size() > header_bytes_max) fail("answer with an endless line", now);
}

void RestConnection::on_answer(base::LocalTime now) {
  RestResult result{.outcome = RestResult::Outcome::answered,
                    .status = static_cast<std::uint16_t>(answer_.status()),
                    .headers = kept_headers(answer_.headers()),
                    .body = std::move(answer_.body()),
                    .why = {}};
  const RestCall call = std::move(*call_);
  call_.reset();
  served_ = true;
  const bool reusable = is_up() && answer_.keep_alive() && output().empty() && input().empty();
  if (reusable) {
    set_timer(now + environment_.options.rest_idle_max);
    environment_.reactor.flush_soon(host_);
  } else {
    drop();
    host_.gone(*this);
  }
  host_.finish(call, std::move(result), now);
}

/// Ends the connection and its call.
void RestConnection::fail(const std::string& why, base::LocalTime now) {
  drop(Ending::reset);
  const RestCall call = std::move(*call_);
  call_.reset();
  const bool written = was_written();
  host_.gone(*this);
  host_.finish(call, written ? unknown(why) : not_sent(why), now);
}

void RestConnection::link_down(LinkFault fault, const std::string& text, base::LocalTime now) {
  if (!came_up_) return host_.connect_failed(*this, text, now);
  if (!call_) return host_.gone(*this);
  if (fault == LinkFault::ended && answer_.started() && answer_.put_end() == HttpParser::State::done) {
    return on_answer(now);
  }
  if (!was_written() && served_) {
    host_.retry(std::move(*call_));
    call_.reset();
    return host_.gone(*this);
  }
  fail(text, now);
}

void RestConnection::link_timer(base::LocalTime now) {
  if (call_) return fail("no answer before the deadline", now);
  drop();
  host_.gone(*this);
}

void RestConnection::stop(base::LocalTime now) {
  if (call_) return fail("the network was stopped", now);
  drop();
  host_.gone(*this);
}

void RestHost::submit(RestCall call, base::LocalTime now) {
  auto& queue = lane(call.lane);
  if (queue.size() >= environment_.options.rest_queue_max) {
    environment_.queue_full.fetch_add(1, std::memory_order_relaxed);
    return finish(call, not_sent("the queue of this host is full"), now);
  }
  queue.push_back(std::move(call));
  pump(now);
}

void RestHost::pump(base::LocalTime now) {
  expire(now);
  while (waiting() != 0) {
    // The one used last: the others may grow old and close.
    const auto idle =
        std::find_if(connections_.rbegin(), connections_.rend(), [](const auto& c) { return c->is_idle(); });
    if (idle != connections_.rend()) {
      RestConnection& connection = **idle;
      connection.check(now);
      if (connection.is_idle()) connection.begin(take_next(), now);
      continue;
    }
    const auto connecting = static_cast<std::size_t>(std::count_if(
        connections_.begin(), connections_.end(), [](const auto& c) { return c->is_connecting(); }));
    if (connecting >= waiting() || connections_.size() >= environment_.options.rest_connections_per_host)
      break;
    connections_.push_back(std::make_unique<RestConnection>(environment_, *this));
    connections_.back()->start(endpoint_, context_, now);
  }
  update_deadline();
}

RestCall RestHost::take_next() {
  auto& queue = lane(Lane::order).empty() ? lane(Lane::normal) : lane(Lane::order);
  RestCall call = std::move(queue.front());
  queue.pop_front();
  return call;
}

void RestHost::retry(RestCall call) {
  environment_.retried.fetch_add(1, std::memory_order_relaxed);
  lane(call.lane).push_front(std::move(call));
}

void RestHost::connect_failed(RestConnection& connection, const std::string& why, base::LocalTime now) {
  gone(connection);
  // With no other connection to wait for, waiting longer helps nobody: let the caller decide about a retry.
  if (connections_.empty()) fail_waiting(why, now);
}

void RestHost::gone(RestConnection& connection) {
  const auto it = std::find_if(connections_.begin(), connections_.end(),
                               [&](const auto& c) { return c.get() == &connection; });
  PHX_ASSERT(it != connections_.end(), "a connection leaves its host once");
  environment_.reactor.retire(std::move(*it));
  connections_.erase(it);
  environment_.reactor.flush_soon(*this);
}

void RestHost::expire(base::LocalTime now) {
  for (auto& queue : lanes_) {
    std::vector<RestCall> expired;
    for (auto it = queue.begin(); it != queue.end();) {
      if (it->deadline > now) {
        ++it;
        continue;
      }
      expired.push_back(std::move(*it));
      it = queue.erase(it);
    }
    for (const RestCall& call : expired)
      finish(call, not_sent("waited for a connection until the deadline"), now);
  }
}

void RestHost::fail_waiting(const std::string& why, base::LocalTime now) {
  for (auto& queue : lanes_) {
    const auto calls = std::exchange(queue, {});
    for (const RestCall& call : calls) finish(call, not_sent(why), now);
  }
  update_deadline();
}

void RestHost::update_deadline() {
  std::optional<base::LocalTime> next;
  for (const auto& queue : lanes_) {
    for (const RestCall& call : queue) next = next ? std::min(*next, call.deadline) : call.deadline;
  }
  environment_.reactor.set_deadline(*this, next);
}

void RestHost::stop(base::LocalTime now) {
  while (!connections_.empty()) connections_.back()->stop(now);
  fail_waiting("the network was stopped", now);
}

RestPool::RestPool(RestEnvironment environment) : environment_{std::move(environment)} {}
RestPool::~RestPool() = default;

void RestPool::call(RestCall call, base::LocalTime now) {
  const Endpoint& endpoint = call.endpoint;
  const std::string key =
      fmt::format("{}|{}|{}|{}|{}", endpoint.host, endpoint.port, static_cast<int>(endpoint.security),
                  endpoint.ca_file, endpoint.server_name);
  auto it = hosts_.find(key);
  if (it == hosts_.end()) {
    ssl_ctx_st* context = nullptr;
    try {
      if (endpoint.security == Security::tls) context = environment_.context(endpoint.ca_file);
    } catch (const std::runtime_error& error) {
      RestResult result = not_sent(error.what());
      return environment_.handler.on_rest(call.request_id, result, now);
    }
    it = hosts_.emplace(key, std::make_unique<RestHost>(environment_, endpoint, context)).first;
  }
  it->second->submit(std::move(call), now);
}

void RestPool::stop(base::LocalTime now) {
  for (auto& [key, host] : hosts_) {
    host->stop(now);
    environment_.reactor.retire(std::move(host));
  }
  hosts_.clear();
}

}  // namespace phoenix::io
