#include "io/ws_codec.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

/// Any bytes yield events or one refusal, and the decoder never takes more than it was given.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phoenix::io;
  if (size == 0) return 0;
  WsDecoder decoder{(data[0] & 1) != 0 ? WsRole::server : WsRole::client, 64u << 10};
  if ((data[0] & 2) != 0) decoder.use_deflate({.reset_inbound = (data[0] & 4) != 0});
  std::vector<char> bytes(data + 1, data + size);
  std::span<char> rest{bytes};
  for (;;) {
    std::size_t consumed = 0;
    const auto event = decoder.next(rest, consumed);
    if (consumed > rest.size()) std::abort();
    rest = rest.subspan(consumed);
    if (event.kind == WsDecoder::Kind::text && event.payload.size() > (64u << 10)) std::abort();
    if (event.kind == WsDecoder::Kind::need_more || event.kind == WsDecoder::Kind::broken ||
        event.kind == WsDecoder::Kind::close) {
      return 0;
    }
  }
}
