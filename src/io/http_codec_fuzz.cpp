// Any bytes from any peer: messages within the limits or one refusal, and the same ones however the bytes are
// cut.
#include "base/assert.hpp"
#include "io/http_codec.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace phoenix;
using io::HttpKind;
using io::HttpParser;

constexpr std::size_t header_bytes_max = 2048, body_bytes_max = 512;

struct Seen {
  std::string text;
  bool operator==(const Seen&) const = default;
};

/// What is read when the bytes come in pieces of `piece`; as a connection does, with all that was not
/// consumed again.
std::vector<Seen> read(HttpKind kind, std::string_view bytes, std::size_t piece) {
  HttpParser parser{kind, header_bytes_max, body_bytes_max};
  std::vector<Seen> seen;
  std::string waiting;
  while (true) {
    std::size_t consumed = 0;
    const auto state = parser.put(waiting, consumed);
    PHX_ASSERT(consumed <= waiting.size(), "a parser takes no more than there is");
    waiting.erase(0, consumed);
    if (state == HttpParser::State::broken) {
      const auto status = parser.fault_status();
      PHX_ASSERT(status == 400 || status == 413 || status == 431, "a refusal has a status of its own");
      seen.push_back({"broken"});
      return seen;
    }
    if (state == HttpParser::State::done) {
      PHX_ASSERT(parser.body().size() <= body_bytes_max, "a body stays within its limit");
      Seen message;
      message.text = std::string{parser.method()} + ' ' + std::string{parser.target()} + ' ' + parser.body();
      std::size_t header_bytes = 0;
      for (const auto& [name, value] : parser.headers()) {
        PHX_ASSERT(std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }),
                   "names of headers are in lower case");
        header_bytes += name.size() + value.size();
        message.text += '\n' + name + ':' + value;
      }
      PHX_ASSERT(header_bytes <= header_bytes_max, "headers stay within their limit");
      static_cast<void>(parser.keep_alive());
      seen.push_back(std::move(message));
      parser.reset();
      continue;
    }
    // What a server does with a header that has no end.
    if (waiting.size() > header_bytes_max) {
      seen.push_back({"broken"});
      return seen;
    }
    if (bytes.empty()) return seen;
    waiting += bytes.substr(0, piece);
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto kind = data[0] % 4 == 0 ? HttpKind::response : HttpKind::request;
  const std::string_view bytes{reinterpret_cast<const char*>(data) + 2, size - 2};
  const auto whole = read(kind, bytes, bytes.size() + 1);
  const auto pieces = read(kind, bytes, data[1] % 16 + 1U);
  // Of what is too long, pieces may be refused sooner: where the limit falls depends on what has come.
  const auto is_refused = [](const auto& seen) { return !seen.empty() && seen.back().text == "broken"; };
  if (!is_refused(whole) && !is_refused(pieces))
    PHX_ASSERT(whole == pieces, "how bytes are cut changes nothing");
  return 0;
}
