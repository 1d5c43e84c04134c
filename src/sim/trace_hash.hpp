#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace phoenix::sim {

/// A running fingerprint of what happened: equal on every compiler and in every build type. Not
/// cryptographic.
class TraceHash {
 public:
  void word(std::uint64_t word) {
    value_ = (value_ ^ word) * 0x9e3779b97f4a7c15ULL;
    value_ ^= value_ >> 29;
  }
  /// As eight little endian bytes at a time, and their number.
  void bytes(std::string_view text) {
    const char* at = text.data();
    std::size_t left = text.size();
    for (; left >= sizeof(std::uint64_t); left -= sizeof(std::uint64_t), at += sizeof(std::uint64_t)) {
      std::uint64_t chunk = 0;
      std::memcpy(&chunk, at, sizeof(chunk));
      word(chunk);
    }
    std::uint64_t rest = 0;
    if (left > 0) std::memcpy(&rest, at, left);
    word(rest ^ (static_cast<std::uint64_t>(text.size()) << 56));
  }
  std::uint64_t value() const { return value_; }

  static std::uint64_t of(std::string_view text) {
    TraceHash hash;
    hash.bytes(text);
    return hash.value();
  }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

}  // namespace phoenix::sim
