#pragma once

#include "base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace phoenix::io {

/// Frames of which only the newest of each stream is worth anything (bookTicker), held back while the
/// consumer is behind. One thread. Bounded by the number of streams.
class Conflator {
 public:
  static constexpr std::size_t streams_max = 1024;
  struct Held {
    std::uint32_t connection = 0;
    base::LocalTime received{};
    std::string payload;
  };

  /// Takes the frame in place of the one it replaces. False when it is of another kind: every one of those
  /// counts.
  bool take(std::uint32_t connection, std::string_view payload, base::LocalTime received) {
    const auto stream = conflated_stream(payload);
    if (stream.empty()) return false;
    const auto it = held_.find(stream);
    if (it == held_.end()) {
      if (held_.size() >= streams_max) return false;
      held_.emplace(stream, Held{connection, received, std::string{payload}});
      return true;
    }
    ++replaced_;
    it->second.connection = connection;
    it->second.received = received;
    it->second.payload.assign(payload);
    return true;
  }
  bool empty() const { return held_.empty(); }
  /// Hands what is held to `push(const Held&) -> bool` until that refuses.
  template <class Push>
  void flush(Push push) {
    while (!held_.empty() && push(held_.begin()->second)) held_.erase(held_.begin());
  }
  /// Frames that were replaced before anybody saw them.
  std::uint64_t replaced() const { return replaced_; }

 private:
  /// The name in `{"stream":"NAME",...` when it is a bookTicker's; else empty.
  static std::string_view conflated_stream(std::string_view payload) {
    constexpr std::string_view head = R"({"stream":")";
    constexpr std::string_view kind = "@bookTicker";
    if (!payload.starts_with(head)) return {};
    payload.remove_prefix(head.size());
    const auto name = payload.substr(0, payload.find('"'));
    return name.size() < payload.size() && name.ends_with(kind) ? name : std::string_view{};
  }

  std::map<std::string, Held, std::less<>> held_;
  std::uint64_t replaced_ = 0;
};

}  // namespace phoenix::io
