#pragma once

#include "io/headers.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

/// HTTP/1.1 messages out of bytes, by Boost.Beast's parser. No Boost type shows here, so one file pays for
/// it.
namespace phoenix::io {

enum class HttpKind : std::uint8_t { request, response };

class HttpParser {
 public:
  HttpParser(HttpKind kind, std::size_t header_bytes_max, std::size_t body_bytes_max);
  ~HttpParser();

  enum class State : std::uint8_t { need_more, done, broken };
  /// Reads on in `input`, whose first `consumed` bytes are then done with; what stays must come again, with
  /// more behind it. Stops at the end of one message. Broken: see `fault`.
  State put(std::string_view input, std::size_t& consumed);
  /// The peer closed in an orderly way, which ends a body without a length.
  State put_end();
  /// For the next message of the connection.
  void reset();

  /// A byte of the present message was consumed.
  bool started() const;
  /// Of a finished message.
  unsigned status() const;          ///< response
  std::string_view method() const;  ///< request
  std::string_view target() const;  ///< request
  bool keep_alive() const;
  bool upgrade() const;
  const Headers& headers() const;
  std::string& body();
  const std::string& fault() const;
  /// What to answer to a broken request: 400, 413 or 431.
  unsigned fault_status() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

std::string_view http_reason(unsigned status);

}  // namespace phoenix::io
