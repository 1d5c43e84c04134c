#include "io/ws_client.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

namespace phoenix::io {
namespace {

constexpr std::size_t answer_header_bytes_max = 16u << 10;
constexpr std::size_t answer_body_bytes_max = 64u << 10;
constexpr std::size_t answer_text_max = 256;

void draw(void* to, std::size_t size) {
  const int rc = RAND_bytes(static_cast<unsigned char*>(to), static_cast<int>(size));
  PHX_ASSERT(rc == 1, "the system gives random bytes");
}

std::string make_key() {
  std::array<unsigned char, 16> raw;
  draw(raw.data(), raw.size());
  std::array<unsigned char, 25> text;
  const int size = EVP_EncodeBlock(text.data(), raw.data(), static_cast<int>(raw.size()));
  return {text.begin(), text.begin() + size};
}

bool has_line_break(std::string_view text) { return text.find_first_of("\r\n") != std::string_view::npos; }

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::uint32_t seconds_of(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? value : 0;
}

std::string one_line(std::string_view text) {
  std::string line{text.substr(0, answer_text_max)};
  std::replace_if(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return line;
}

void add(std::atomic<std::uint64_t>& counter, std::uint64_t value) {
  // One writer: a plain store beside the load is enough and costs no locked instruction.
  counter.store(counter.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

CloseReason reason_of(LinkFault fault) {
  switch (fault) {
    case LinkFault::resolve:
      return CloseReason::resolve_failed;
    case LinkFault::connect:
      return CloseReason::connect_failed;
    case LinkFault::tls:
      return CloseReason::tls_failed;
    case LinkFault::ended:
    case LinkFault::lost:
      return CloseReason::connection_lost;
  }
  return CloseReason::connection_lost;
}

}  // namespace

WsClient::WsClient(Reactor& reactor, NetworkHandler& handler, LineCounters& counters, ConnectionId id,
                   WsOptions options, Gone gone)
    : Link{reactor, counters.wire, options.message_bytes_max + (64u << 10)},
      handler_{handler},
      counters_{counters},
      id_{id},
      options_{std::move(options)},
      gone_{std::move(gone)},
      answer_{HttpKind::response, answer_header_bytes_max, answer_body_bytes_max},
      decoder_{WsRole::client,
               options_.message_bytes_max,
               {.binary = options_.binary, .inflate_ratio_max = options_.inflate_ratio_max}} {}

WsClient::~WsClient() { drop(); }

void WsClient::start(ssl_ctx_st* context, Resolver& resolver, base::LocalTime now) {
  add(counters_.opens, 1);
  counters_.deflate.store(false, std::memory_order_relaxed);
  const Limits limits{.resolve = options_.resolve_timeout,
                      .connect = options_.connect_timeout,
                      .handshake = options_.handshake_timeout};
  connect(options_.endpoint, context, resolver, limits, now);
}

void WsClient::link_up(base::LocalTime now) {
  phase_ = Phase::upgrading;
  key_ = make_key();
  const Endpoint& endpoint = options_.endpoint;
  const bool usual_port = endpoint.port == (endpoint.security == Security::tls ? 443 : 80);
  const bool is_v6 = endpoint.host.find(':') != std::string::npos;
  std::string host = is_v6 ? fmt::format("[{}]", endpoint.host) : endpoint.host;
  if (!usual_port) host += fmt::format(":{}", endpoint.port);
  std::string request = fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {}\r\n"
      "Sec-WebSocket-Version: 13\r\nUser-Agent: {}\r\n",
      options_.target, host, key_, options_.user_agent);
  PHX_ASSERT(!has_line_break(options_.target), "a request target is one line");
  if (options_.deflate == Deflate::offer)
    request += fmt::format("Sec-WebSocket-Extensions: {}\r\n", deflate_offer());
  for (const auto& [header, value] : options_.headers) {
    PHX_ASSERT(!has_line_break(header) && !has_line_break(value), "a header is one line");
    request += fmt::format("{}: {}\r\n", header, value);
  }
  request += "\r\n";
  output().append(request);
  send_soon();
  set_timer(now + options_.handshake_timeout);
}

void WsClient::link_input(base::LocalTime now) {
  if (phase_ == Phase::upgrading) read_answer(now);
  if (phase_ == Phase::open || phase_ == Phase::closing) read_frames(now);
  if (phase_ == Phase::leaving) consume(input().size());
}

void WsClient::read_answer(base::LocalTime now) {
  std::size_t consumed = 0;
  const auto bytes = input();
  const auto state = answer_.put({bytes.data(), bytes.size()}, consumed);
  consume(consumed);
  switch (state) {
    case HttpParser::State::need_more:
      return;
    case HttpParser::State::broken:
      return end({.reason = CloseReason::handshake_failed, .text = "not an HTTP answer: " + answer_.fault()},
                 now);
    case HttpParser::State::done:
      return judge_answer(now);
  }
}

void WsClient::judge_answer(base::LocalTime now) {
  const Headers& headers = answer_.headers();
  if (answer_.status() != 101) {
    return end({.reason = CloseReason::handshake_refused,
                .http_status = static_cast<std::uint16_t>(answer_.status()),
                .retry_after_s = seconds_of(find_header(headers, "retry-after")),
                .text = fmt::format("HTTP {} {}: {}", answer_.status(), http_reason(answer_.status()),
                                    one_line(answer_.body()))},
               now);
  }
  const auto broken = [&](std::string text) {
    end({.reason = CloseReason::handshake_failed, .text = std::move(text)}, now);
  };
  if (lower(find_header(headers, "upgrade")) != "websocket")
    return broken("answer 101 without Upgrade: websocket");
  if (lower(find_header(headers, "connection")).find("upgrade") == std::string::npos) {
    return broken("answer 101 without Connection: Upgrade");
  }
  if (find_header(headers, "sec-websocket-accept") != ws_accept_key(key_)) {
    return broken("Sec-WebSocket-Accept does not belong to our key");
  }
  if (!find_header(headers, "sec-websocket-protocol").empty())
    return broken("server chose a subprotocol, none was offered");
  const std::string_view extensions = find_header(headers, "sec-websocket-extensions");
  const auto terms = read_deflate_answer(extensions, options_.deflate == Deflate::offer);
  if (!terms) return broken(terms.error());
  if (*terms) decoder_.use_deflate(**terms);
  counters_.deflate.store(terms->has_value(), std::memory_order_relaxed);

  phase_ = Phase::open;
  set_timer(now + options_.ping_interval);
  handler_.on_open(id_, {.extensions = std::string{extensions}, .remote = remote(), .tls = tls_text()}, now);
}

void WsClient::read_frames(base::LocalTime now) {
  std::uint64_t payload_bytes = 0;
  std::uint64_t messages = 0;
  std::size_t done = 0;
  const auto bytes = input();
  while (phase_ == Phase::open || phase_ == Phase::closing) {
    std::size_t consumed = 0;
    const WsDecoder::Event event = decoder_.next(bytes.subspan(done), consumed);
    done += consumed;
    if (event.kind == WsDecoder::Kind::text) {
      ++messages;
      payload_bytes += event.payload.size();
      handler_.on_text(id_, event.payload, now);
      continue;
    }
    if (event.kind == WsDecoder::Kind::need_more) break;
    switch (event.kind) {
      case WsDecoder::Kind::binary:
        ++messages;
        payload_bytes += event.payload.size();
        handler_.on_binary(id_, event.payload, now);
        break;
      case WsDecoder::Kind::ping:
        write_frame(WsOpcode::pong, event.payload);
        break;
      case WsDecoder::Kind::pong:
        pong_came(event.payload, now);
        break;
      case WsDecoder::Kind::close:
        peer_closes(event, now);
        break;
      case WsDecoder::Kind::broken:
        refuse_frame(event, now);
        break;
      case WsDecoder::Kind::text:
      case WsDecoder::Kind::need_more:
        break;
    }
  }
  consume(done);
  if (messages != 0) {
    add(counters_.messages_in, messages);
    add(counters_.payload_bytes_in, payload_bytes);
  }
}

void WsClient::peer_closes(const WsDecoder::Event& event, base::LocalTime now) {
  if (phase_ == Phase::closing) return leave(closing_, now);
  // The answer repeats the code; 1005 stands for "none" and may not be sent.
  append_frame(output(), WsOpcode::close, event.code == 1005 ? std::string{} : close_payload(event.code, {}),
               mask_key());
  leave({.reason = CloseReason::peer_closed, .code = event.code, .text = one_line(event.payload)}, now);
}

void WsClient::refuse_frame(const WsDecoder::Event& event, base::LocalTime now) {
  if (phase_ == Phase::open)
    append_frame(output(), WsOpcode::close, close_payload(event.code, event.why), mask_key());
  const auto reason = event.code == 1009 ? CloseReason::message_too_big : CloseReason::protocol_error;
  leave({.reason = reason, .code = event.code, .text = event.why}, now);
}

void WsClient::link_down(LinkFault fault, const std::string& text, base::LocalTime now) {
  if (phase_ == Phase::leaving) return reactor().disown(*this);
  if (phase_ == Phase::closing) return end(closing_, now);
  if (phase_ == Phase::upgrading) {
    return end({.reason = CloseReason::handshake_failed, .text = "during the upgrade: " + text}, now);
  }
  end({.reason = reason_of(fault), .text = text}, now);
}

void WsClient::link_timer(base::LocalTime now) {
  switch (phase_) {
    case Phase::upgrading:
      return end(
          {.reason = CloseReason::handshake_failed, .text = "no answer to the upgrade within the limit"},
          now);
    case Phase::open:
      if (awaiting_pong_) {
        return end({.reason = CloseReason::pong_timeout, .text = "our ping stayed unanswered"}, now);
      }
      return ping(now);
    case Phase::closing:
      return end(closing_, now);
    case Phase::leaving:
      drop();
      return reactor().disown(*this);
    case Phase::connecting:
    case Phase::gone:
      return;
  }
}

void WsClient::ping(base::LocalTime now) {
  ping_payload_ = fmt::format("{:x}", ++pings_);
  ping_sent_ = now;
  awaiting_pong_ = true;
  set_timer(now + options_.pong_timeout);
  write_frame(WsOpcode::ping, ping_payload_);
}

void WsClient::pong_came(std::string_view payload, base::LocalTime now) {
  if (!awaiting_pong_ || payload != ping_payload_) return;
  awaiting_pong_ = false;
  if (phase_ == Phase::open) set_timer(std::max(now, ping_sent_ + options_.ping_interval));
  handler_.on_pong(id_, now - ping_sent_, now);
}

void WsClient::send_message(WsOpcode opcode, std::string_view payload, base::LocalTime now) {
  PHX_ASSERT(phase_ == Phase::open, "messages go to an open line");
  if (output().size() + payload.size() > options_.send_queue_bytes_max) {
    return end(
        {.reason = CloseReason::send_queue_full, .text = fmt::format("{} bytes unsent", output().size())},
        now);
  }
  write_frame(opcode, payload);
  add(counters_.messages_out, 1);
}

void WsClient::close(std::uint16_t code, base::LocalTime now) {
  if (phase_ == Phase::leaving || phase_ == Phase::gone || phase_ == Phase::closing) return;
  closing_ = {.reason = CloseReason::requested, .code = code, .text = "closed by us"};
  if (phase_ != Phase::open) return end(closing_, now);
  write_frame(WsOpcode::close, close_payload(code, {}));
  phase_ = Phase::closing;
  set_timer(now + options_.close_timeout);
}

void WsClient::stop(base::LocalTime now) {
  if (phase_ == Phase::open) append_frame(output(), WsOpcode::close, close_payload(1001, {}), mask_key());
  end({.reason = CloseReason::stopped, .text = "the network was stopped"}, now);
}

void WsClient::write_frame(WsOpcode opcode, std::string_view payload) {
  if (phase_ != Phase::open) return;
  // A peer that floods pings and reads nothing must not grow the queue; answering the later ones does as
  // well.
  if (opcode == WsOpcode::pong && output().size() > options_.send_queue_bytes_max / 2) return;
  append_frame(output(), opcode, payload, mask_key());
  send_soon();
}

/// Unpredictable, drawn in bulk: the system's generator is far too slow to ask for four bytes at a time.
std::uint32_t WsClient::mask_key() {
  if (mask_keys_used_ == mask_keys_.size()) {
    draw(mask_keys_.data(), sizeof mask_keys_);
    mask_keys_used_ = 0;
  }
  return mask_keys_[mask_keys_used_++];
}

/// The connection is over, but what is written must reach the peer: closing a socket with unread input would
/// reset it.
void WsClient::leave(CloseInfo info, base::LocalTime now) {
  phase_ = Phase::leaving;
  counters_.deflate.store(false, std::memory_order_relaxed);
  send_soon();
  set_timer(now + options_.close_timeout);
  gone_(id_, info, now);
}

void WsClient::end(CloseInfo info, base::LocalTime now) {
  if (phase_ == Phase::leaving || phase_ == Phase::gone) return;
  phase_ = Phase::gone;
  counters_.deflate.store(false, std::memory_order_relaxed);
  drop();
  gone_(id_, info, now);
}

}  // namespace phoenix::io
