#pragma once

#include "base/result.hpp"
#include "base/utf8.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct z_stream_s;

/// WebSocket framing (RFC 6455) and permessage-deflate (RFC 7692) on buffers, without sockets. Ours because
/// the hot path wants several messages per read, in place and without a state per message: Boost.Beast takes
/// about three times the CPU per message (io_bench).
namespace phoenix::io {

/// Bytes waiting to be written; consuming from the front is free, the storage is reused.
class OutBuffer {
 public:
  void append(std::string_view bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  /// Room for `count` more bytes, to be written by the caller at once.
  char* extend(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return bytes_.data() + (bytes_.size() - count);
  }
  std::string_view view() const { return {bytes_.data() + head_, bytes_.size() - head_}; }
  std::size_t size() const { return bytes_.size() - head_; }
  bool empty() const { return size() == 0; }
  void consume(std::size_t count) {
    head_ += count;
    if (head_ == bytes_.size()) {
      clear();
    } else if (head_ >= compact_at_bytes && head_ >= bytes_.size() / 2) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
  }
  void clear() {
    bytes_.clear();
    head_ = 0;
  }

 private:
  static constexpr std::size_t compact_at_bytes = 64u << 10;
  std::vector<char> bytes_;
  std::size_t head_ = 0;
};

enum class WsRole : std::uint8_t { client, server };
enum class WsOpcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// What was agreed about permessage-deflate, seen from our end.
struct DeflateTerms {
  bool reset_inbound = false;   ///< the peer starts every message with an empty window
  bool reset_outbound = false;  ///< we have to
  int outbound_window_bits = 15;
};

/// What a client offers. It compresses nothing itself: what it sends is small and rare.
std::string_view deflate_offer();
/// The client's reading of the server's Sec-WebSocket-Extensions. Empty optional: not granted. An answer that
/// was not offered or that RFC 7692 does not know fails the connection; the fault is one line.
base::Result<std::optional<DeflateTerms>, std::string> read_deflate_answer(std::string_view extensions,
                                                                           bool offered);
struct DeflateGrant {
  DeflateTerms terms;
  std::string answer;  ///< the value for Sec-WebSocket-Extensions
};
/// The server's choice among a client's offers; empty when none is acceptable.
std::optional<DeflateGrant> grant_deflate(std::string_view offers, bool no_context_takeover,
                                          bool say_window_bits);

/// base64(SHA-1(key + GUID)) of RFC 6455 section 1.3.
std::string ws_accept_key(std::string_view key);

struct InflateEnd {
  void operator()(z_stream_s* stream) const;
};
struct DeflateEnd {
  void operator()(z_stream_s* stream) const;
};

enum class WsBinary : std::uint8_t { refuse, accept };
struct WsDecoderOptions {
  WsBinary binary = WsBinary::refuse;   ///< refused ones end the connection with 1003
  std::size_t inflate_ratio_max = 200;  ///< a message beyond 64 KiB may inflate to this many times its size
};

/// Bytes in, events out. Text is checked as UTF-8 while it arrives, so that nobody waits for the end of a
/// message that is broken already. Never reads past its input, never throws on it, holds at most
/// message_bytes_max of a fragmented or compressed message.
class WsDecoder {
 public:
  enum class Kind : std::uint8_t { need_more, text, binary, ping, pong, close, broken };
  struct Event {
    Kind kind = Kind::need_more;
    std::string_view payload;  ///< valid until the next call; into the input where possible
    std::uint16_t code = 0;    ///< close: the peer's code (1005 when none); broken: what to tell the peer
    const char* why = "";      ///< broken: one line
  };

  WsDecoder(WsRole role, std::size_t message_bytes_max, WsDecoderOptions options = {});
  ~WsDecoder();
  /// Agreed in the handshake, before the first frame.
  void use_deflate(const DeflateTerms& terms);

  /// The next event in `input`, whose first `consumed` bytes are then done with. A frame is taken when it is
  /// whole. Masked payloads are unmasked in place. After `broken` or `close` it must not be asked again.
  Event next(std::span<char> input, std::size_t& consumed);

 private:
  struct Frame;
  enum class Parse : std::uint8_t { whole, partial, broken };
  Parse parse(std::span<char> input, Frame& frame, Event& broken) const;
  Event control(const Frame& frame) const;
  Event partial(const Frame& frame);
  std::optional<Event> data(const Frame& frame);
  std::optional<Event> inflate(std::string_view bytes);
  Event message(std::string_view payload) const;

  WsRole role_;
  std::size_t message_bytes_max_;
  WsDecoderOptions options_;
  std::unique_ptr<z_stream_s, InflateEnd> inflater_;
  bool reset_inbound_ = false;
  bool in_message_ = false;
  bool compressed_ = false;
  bool is_text_ = false;
  base::Utf8Check utf8_;           ///< of the message so far
  std::size_t checked_early_ = 0;  ///< bytes of the frame that is still arriving which it has seen
  std::vector<char> assembled_;
  std::size_t assembled_size_ = 0;
  std::size_t compressed_size_ = 0;
};

/// Compresses messages for a server that granted permessage-deflate.
class WsDeflater {
 public:
  explicit WsDeflater(const DeflateTerms& terms);
  ~WsDeflater();
  /// The compressed payload, valid until the next call.
  std::string_view compress(std::string_view payload);

 private:
  std::unique_ptr<z_stream_s, DeflateEnd> deflater_;
  bool reset_;
  std::vector<char> out_;
};

enum class WsCompressed : std::uint8_t { no, yes };

/// Appends one final frame. Clients mask with `mask_key`, which must be unpredictable; servers pass nothing.
void append_frame(OutBuffer& out, WsOpcode opcode, std::string_view payload,
                  std::optional<std::uint32_t> mask_key = {}, WsCompressed compressed = WsCompressed::no);
/// The payload of a close frame; `reason` is cut to what fits a control frame.
std::string close_payload(std::uint16_t code, std::string_view reason);

}  // namespace phoenix::io
