#include "io/ws_codec.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <new>
#include <utility>

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <zlib.h>

namespace phoenix::io {
namespace {

constexpr std::size_t control_bytes_max = 125;
constexpr std::string_view deflate_name = "permessage-deflate";
constexpr std::string_view deflate_tail{"\x00\x00\xff\xff", 4};
/// A message may inflate to this much without question, beyond it to the ratio of the options.
constexpr std::size_t inflate_free_bytes = 64u << 10;

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Takes the part before `separator` off the front of `text`.
std::string_view take(std::string_view& text, char separator) {
  const auto end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  return trim(part);
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

/// One extension of the header with its parameters.
struct DeflateParameters {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  std::optional<int> server_max_window_bits;
  bool client_max_window_bits = false;
};

std::optional<int> window_bits(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
    value = value.substr(1, value.size() - 2);
  int bits = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), bits);
  if (error != std::errc{} || end != value.data() + value.size() || bits < 8 || bits > 15)
    return std::nullopt;
  return bits;
}

enum class Side : std::uint8_t { offer, answer };

/// Empty when a parameter is unknown, repeated or has a value it may not have.
std::optional<DeflateParameters> read_parameters(std::string_view text, Side side) {
  DeflateParameters parameters;
  const auto once = [](bool& flag) { return !std::exchange(flag, true); };
  while (!text.empty()) {
    std::string_view value = take(text, ';');
    const bool has_value = value.find('=') != std::string_view::npos;
    const std::string_view name = take(value, '=');
    if (name == "server_no_context_takeover") {
      if (has_value || !once(parameters.server_no_context_takeover)) return std::nullopt;
    } else if (name == "client_no_context_takeover") {
      if (has_value || !once(parameters.client_no_context_takeover)) return std::nullopt;
    } else if (name == "server_max_window_bits") {
      const auto bits = window_bits(trim(value));
      if (!bits || parameters.server_max_window_bits) return std::nullopt;
      parameters.server_max_window_bits = bits;
    } else if (name == "client_max_window_bits") {
      if (!once(parameters.client_max_window_bits)) return std::nullopt;
      if (has_value ? !window_bits(trim(value)) : side == Side::answer) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return parameters;
}

void apply_mask(char* bytes, std::size_t size, const std::array<char, 4>& key) {
  std::array<char, 8> wide_key;
  std::memcpy(wide_key.data(), key.data(), 4);
  std::memcpy(wide_key.data() + 4, key.data(), 4);
  std::uint64_t mask;
  std::memcpy(&mask, wide_key.data(), 8);
  std::size_t at = 0;
  for (; size - at >= 8; at += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes + at, 8);
    word ^= mask;
    std::memcpy(bytes + at, &word, 8);
  }
  for (; at < size; ++at) bytes[at] = static_cast<char>(bytes[at] ^ key[at & 3]);
}

bool may_be_on_wire(std::uint16_t code) {
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

WsDecoder::Event broken(std::uint16_t code, const char* why) {
  return {.kind = WsDecoder::Kind::broken, .payload = {}, .code = code, .why = why};
}

Bytef* zlib_input(std::string_view bytes) {
  // zlib's next_in is not const and is not written to.
  return static_cast<Bytef*>(static_cast<void*>(const_cast<char*>(bytes.data())));
}
Bytef* zlib_output(char* bytes) { return static_cast<Bytef*>(static_cast<void*>(bytes)); }

}  // namespace

std::string_view deflate_offer() { return "permessage-deflate; client_max_window_bits"; }

base::Result<std::optional<DeflateTerms>, std::string> read_deflate_answer(std::string_view extensions,
                                                                           bool offered) {
  std::string_view rest = trim(extensions);
  if (rest.empty()) return std::optional<DeflateTerms>{};
  const std::string text{extensions};
  if (!offered) return base::fail("server answered an extension that was not offered: " + text);
  if (rest.find(',') != std::string_view::npos)
    return base::fail("server answered several extensions: " + text);
  const std::string_view name = take(rest, ';');
  if (!equal_ignoring_case(name, deflate_name))
    return base::fail("server answered an unknown extension: " + text);
  const auto parameters = read_parameters(rest, Side::answer);
  if (!parameters) return base::fail("server answered impossible parameters: " + text);
  DeflateTerms terms;
  terms.reset_inbound = parameters->server_no_context_takeover;
  terms.reset_outbound = parameters->client_no_context_takeover;
  return std::optional<DeflateTerms>{terms};
}

std::optional<DeflateGrant> grant_deflate(std::string_view offers, bool no_context_takeover,
                                          bool say_window_bits) {
  while (!offers.empty()) {
    std::string_view offer = take(offers, ',');
    if (!equal_ignoring_case(take(offer, ';'), deflate_name)) continue;
    const auto parameters = read_parameters(offer, Side::offer);
    if (!parameters) continue;
    // zlib cannot make raw deflate with an 8-bit window.
    if (parameters->server_max_window_bits == 8) continue;
    DeflateGrant grant{.terms = {}, .answer = std::string{deflate_name}};
    grant.terms.outbound_window_bits = parameters->server_max_window_bits.value_or(15);
    grant.terms.reset_outbound = no_context_takeover || parameters->server_no_context_takeover;
    grant.terms.reset_inbound = parameters->client_no_context_takeover;
    if (grant.terms.reset_outbound) grant.answer += "; server_no_context_takeover";
    if (grant.terms.reset_inbound) grant.answer += "; client_no_context_takeover";
    if (say_window_bits || parameters->server_max_window_bits) {
      grant.answer += "; server_max_window_bits=" + std::to_string(grant.terms.outbound_window_bits);
    }
    return grant;
  }
  return std::nullopt;
}

std::string ws_accept_key(std::string_view key) {
  std::string text{key};
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
  unsigned digest_size = 0;
  const int ok = EVP_Digest(text.data(), text.size(), digest.data(), &digest_size, EVP_sha1(), nullptr);
  PHX_ASSERT(ok == 1 && digest_size == digest.size(), "SHA-1 of a short text works");
  std::array<unsigned char, 29> encoded;
  const int size = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(digest.size()));
  return {encoded.begin(), encoded.begin() + size};
}

void InflateEnd::operator()(z_stream_s* stream) const {
  inflateEnd(stream);
  delete stream;
}
void DeflateEnd::operator()(z_stream_s* stream) const {
  deflateEnd(stream);
  delete stream;
}

struct WsDecoder::Frame {
  WsOpcode opcode = WsOpcode::text;
  bool final = false;
  bool rsv1 = false;
  std::size_t total_bytes = 0;
  std::string_view payload;
};

WsDecoder::WsDecoder(WsRole role, std::size_t message_bytes_max, WsDecoderOptions options)
    : role_{role}, message_bytes_max_{message_bytes_max}, options_{options} {}
WsDecoder::~WsDecoder() = default;

void WsDecoder::use_deflate(const DeflateTerms& terms) {
  auto* stream = new z_stream_s{};
  // The widest window reads what any narrower one wrote.
  if (inflateInit2(stream, -15) != Z_OK) {
    delete stream;
    throw std::bad_alloc{};
  }
  inflater_.reset(stream);
  reset_inbound_ = terms.reset_inbound;
}

WsDecoder::Event WsDecoder::next(std::span<char> input, std::size_t& consumed) {
  consumed = 0;
  for (;;) {
    Frame frame;
    Event fault;
    switch (parse(input.subspan(consumed), frame, fault)) {
      case Parse::partial:
        return partial(frame);
      case Parse::broken:
        return fault;
      case Parse::whole:
        break;
    }
    consumed += frame.total_bytes;
    if (frame.opcode >= WsOpcode::close) return control(frame);
    if (const auto event = data(frame)) return *event;
  }
}

WsDecoder::Parse WsDecoder::parse(std::span<char> input, Frame& frame, Event& fault) const {
  if (input.size() < 2) return Parse::partial;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(input[i]); };
  const auto refuse = [&](std::uint16_t code, const char* why) {
    fault = broken(code, why);
    return Parse::broken;
  };

  const unsigned opcode = byte(0) & 0x0fu;
  frame.final = (byte(0) & 0x80u) != 0;
  frame.rsv1 = (byte(0) & 0x40u) != 0;
  const bool masked = (byte(1) & 0x80u) != 0;
  const unsigned short_length = byte(1) & 0x7fu;
  const bool is_control = opcode >= 8;

  if ((byte(0) & 0x30u) != 0) return refuse(1002, "reserved bit set");
  if ((opcode > 2 && opcode < 8) || opcode > 10) return refuse(1002, "unknown opcode");
  if (masked != (role_ == WsRole::server)) {
    return refuse(1002, masked ? "masked frame from a server" : "unmasked frame from a client");
  }
  if (is_control && (!frame.final || short_length > control_bytes_max || frame.rsv1)) {
    return refuse(1002, "fragmented, compressed or long control frame");
  }
  if (opcode == 0 && (!in_message_ || frame.rsv1)) return refuse(1002, "continuation of nothing");
  if ((opcode == 1 || opcode == 2) && in_message_) return refuse(1002, "new message inside a message");
  if (opcode == 2 && options_.binary == WsBinary::refuse) return refuse(1003, "binary message");
  if (frame.rsv1 && !inflater_) return refuse(1002, "compressed frame without an agreement");

  const std::size_t length_bytes = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
  const std::size_t header_bytes = 2 + length_bytes + (masked ? 4 : 0);
  if (input.size() < header_bytes) return Parse::partial;
  std::uint64_t length = short_length;
  if (length_bytes != 0) {
    length = 0;
    for (std::size_t i = 0; i < length_bytes; ++i) length = length << 8 | byte(2 + i);
    if (length < (length_bytes == 2 ? 126u : 65536u)) return refuse(1002, "length not in its shortest form");
  }
  if (!is_control) {
    const std::size_t held = in_message_ ? (compressed_ ? compressed_size_ : assembled_size_) : 0;
    if (length > message_bytes_max_ || held + length > message_bytes_max_) {
      return refuse(1009, "message beyond the bound");
    }
  }
  frame.opcode = static_cast<WsOpcode>(opcode);
  frame.total_bytes = header_bytes + static_cast<std::size_t>(length);
  char* payload = input.data() + header_bytes;
  if (input.size() < frame.total_bytes) {
    if (!masked) frame.payload = {payload, input.size() - header_bytes};
    return Parse::partial;
  }
  if (masked) {
    std::array<char, 4> key;
    std::memcpy(key.data(), payload - 4, 4);
    apply_mask(payload, static_cast<std::size_t>(length), key);
  }
  frame.payload = {payload, static_cast<std::size_t>(length)};
  return Parse::whole;
}

WsDecoder::Event WsDecoder::control(const Frame& frame) const {
  if (frame.opcode == WsOpcode::ping) return {.kind = Kind::ping, .payload = frame.payload};
  if (frame.opcode == WsOpcode::pong) return {.kind = Kind::pong, .payload = frame.payload};
  if (frame.payload.empty()) return {.kind = Kind::close, .payload = {}, .code = 1005};
  if (frame.payload.size() == 1) return broken(1002, "close frame with half a code");
  const auto high = static_cast<unsigned char>(frame.payload[0]);
  const auto low = static_cast<unsigned char>(frame.payload[1]);
  const auto code = static_cast<std::uint16_t>(high << 8 | low);
  if (!may_be_on_wire(code)) return broken(1002, "close code that may not be sent");
  const std::string_view reason = frame.payload.substr(2);
  if (!base::is_utf8(reason)) return broken(1007, "close reason is not UTF-8");
  return {.kind = Kind::close, .payload = reason, .code = code};
}

/// What has come of a frame that is not whole yet: broken text need not be waited for. Masked bytes (a
/// server's input) wait for their frame.
WsDecoder::Event WsDecoder::partial(const Frame& frame) {
  const bool first = frame.opcode == WsOpcode::text;
  const bool plain_text =
      first ? !frame.rsv1 : frame.opcode == WsOpcode::continuation && is_text_ && !compressed_;
  if (!plain_text || frame.payload.size() <= checked_early_) return {};
  if (first && checked_early_ == 0) utf8_ = {};
  if (!utf8_.put(frame.payload.substr(checked_early_))) return broken(1007, "text message is not UTF-8");
  checked_early_ = frame.payload.size();
  return {};
}

/// Empty: the message goes on in the next frame.
std::optional<WsDecoder::Event> WsDecoder::data(const Frame& frame) {
  const bool first = frame.opcode != WsOpcode::continuation;
  const std::size_t checked_early = std::exchange(checked_early_, 0);
  if (first) {
    compressed_ = frame.rsv1;
    is_text_ = frame.opcode == WsOpcode::text;
    assembled_size_ = 0;
    compressed_size_ = 0;
    if (checked_early == 0) utf8_ = {};
    if (frame.final && !compressed_) {
      if (is_text_ && !(utf8_.put(frame.payload.substr(checked_early)) && utf8_.is_complete()))
        return broken(1007, "text message is not UTF-8");
      return message(frame.payload);
    }
  }
  const std::size_t assembled_before = assembled_size_;
  in_message_ = !frame.final;
  if (compressed_) {
    compressed_size_ += frame.payload.size();
    if (auto fault = inflate(frame.payload)) return fault;
    if (frame.final) {
      if (auto fault = inflate(deflate_tail)) return fault;
      if (reset_inbound_) inflateReset(inflater_.get());
    }
  } else {
    if (assembled_.size() < assembled_size_ + frame.payload.size()) {
      assembled_.resize(assembled_size_ + frame.payload.size());
    }
    if (!frame.payload.empty()) {
      std::memcpy(assembled_.data() + assembled_size_, frame.payload.data(), frame.payload.size());
    }
    assembled_size_ += frame.payload.size();
  }
  if (is_text_) {
    const std::string_view piece = compressed_ ? std::string_view{assembled_.data() + assembled_before,
                                                                  assembled_size_ - assembled_before}
                                               : frame.payload.substr(checked_early);
    if (!utf8_.put(piece) || (frame.final && !utf8_.is_complete()))
      return broken(1007, "text message is not UTF-8");
  }
  if (!frame.final) return std::nullopt;
  return message({assembled_.data(), assembled_size_});
}

std::optional<WsDecoder::Event> WsDecoder::inflate(std::string_view bytes) {
  z_stream_s& stream = *inflater_;
  stream.next_in = zlib_input(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  const std::size_t ratio_limit = std::max(inflate_free_bytes, compressed_size_ * options_.inflate_ratio_max);
  const std::size_t limit = std::min(message_bytes_max_, ratio_limit);
  for (;;) {
    if (assembled_.size() == assembled_size_) {
      if (assembled_size_ > limit) return broken(1009, "message inflates beyond the bound");
      // One byte beyond the limit tells a message that fills it from one that exceeds it.
      assembled_.resize(std::min(std::max<std::size_t>(assembled_.size() * 2, 16u << 10), limit + 1));
      if (assembled_.size() == assembled_size_) return broken(1009, "message inflates beyond the bound");
    }
    const std::size_t room = assembled_.size() - assembled_size_;
    stream.next_out = zlib_output(assembled_.data() + assembled_size_);
    stream.avail_out = static_cast<uInt>(room);
    const int rc = ::inflate(&stream, Z_SYNC_FLUSH);
    assembled_size_ += room - stream.avail_out;
    if (assembled_size_ > limit) return broken(1009, "message inflates beyond the bound");
    // A sender may end the deflate stream inside a message (RFC 7692 section 7.2.3.4).
    if (rc == Z_STREAM_END && inflateReset(&stream) != Z_OK)
      return broken(1007, "corrupt compressed message");
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
      return broken(1007, "corrupt compressed message");
    const bool output_full = stream.avail_out == 0;
    if (stream.avail_in == 0 && !output_full) return std::nullopt;
    if (rc == Z_BUF_ERROR && !output_full) return std::nullopt;
  }
}

WsDecoder::Event WsDecoder::message(std::string_view payload) const {
  return {.kind = is_text_ ? Kind::text : Kind::binary, .payload = payload};
}

WsDeflater::WsDeflater(const DeflateTerms& terms) : reset_{terms.reset_outbound} {
  auto* stream = new z_stream_s{};
  if (deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -terms.outbound_window_bits, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    delete stream;
    throw std::bad_alloc{};
  }
  deflater_.reset(stream);
}
WsDeflater::~WsDeflater() = default;

std::string_view WsDeflater::compress(std::string_view payload) {
  // Nothing in gives nothing out of a stream that is flushed already; RFC 7692 section 7.2.3.6 has this for
  // it.
  if (payload.empty()) return std::string_view{"\0", 1};
  z_stream_s& stream = *deflater_;
  const std::size_t bound = deflateBound(&stream, static_cast<uLong>(payload.size())) + 16;
  if (out_.size() < bound) out_.resize(bound);
  stream.next_in = zlib_input(payload);
  stream.avail_in = static_cast<uInt>(payload.size());
  std::size_t size = 0;
  do {
    if (size == out_.size()) out_.resize(out_.size() * 2);
    stream.next_out = zlib_output(out_.data() + size);
    stream.avail_out = static_cast<uInt>(out_.size() - size);
    ::deflate(&stream, Z_SYNC_FLUSH);
    size = out_.size() - stream.avail_out;
  } while (stream.avail_out == 0);
  PHX_ASSERT(size >= deflate_tail.size(), "a sync flush ends with an empty stored block");
  if (reset_) deflateReset(&stream);
  return {out_.data(), size - deflate_tail.size()};
}

void append_frame(OutBuffer& out, WsOpcode opcode, std::string_view payload,
                  std::optional<std::uint32_t> mask_key, WsCompressed compressed) {
  const std::size_t length_bytes = payload.size() < 126 ? 0 : payload.size() < 65536 ? 2 : 8;
  const std::size_t header_bytes = 2 + length_bytes + (mask_key ? 4 : 0);
  char* to = out.extend(header_bytes + payload.size());
  const unsigned first =
      0x80u | (compressed == WsCompressed::yes ? 0x40u : 0u) | static_cast<unsigned>(opcode);
  const unsigned mask_bit = mask_key ? 0x80u : 0u;
  const unsigned short_length = length_bytes == 0   ? static_cast<unsigned>(payload.size())
                                : length_bytes == 2 ? 126
                                                    : 127;
  to[0] = static_cast<char>(first);
  to[1] = static_cast<char>(mask_bit | short_length);
  for (std::size_t i = 0; i < length_bytes; ++i) {
    to[2 + i] = static_cast<char>(payload.size() >> (8 * (length_bytes - 1 - i)) & 0xffu);
  }
  char* body = to + header_bytes;
  if (!payload.empty()) std::memcpy(body, payload.data(), payload.size());
  if (mask_key) {
    std::array<char, 4> key;
    std::memcpy(key.data(), &*mask_key, 4);
    std::memcpy(body - 4, key.data(), 4);
    apply_mask(body, payload.size(), key);
  }
}

std::string close_payload(std::uint16_t code, std::string_view reason) {
  std::string payload;
  payload += static_cast<char>(code >> 8);
  payload += static_cast<char>(code & 0xff);
  std::size_t size = std::min(reason.size(), control_bytes_max - 2);
  // Cut between characters, not inside one.
  while (size < reason.size() && size > 0 && (static_cast<unsigned char>(reason[size]) & 0xc0u) == 0x80u)
    --size;
  payload += reason.substr(0, size);
  return payload;
}

}  // namespace phoenix::io
