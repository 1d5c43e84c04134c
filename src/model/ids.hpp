#pragma once

#include "base/short_text.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

namespace phoenix::model {

/// Index of a symbol in the SymbolTable of this run. Means nothing outside it.
struct SymbolId {
  std::uint16_t index = 0;
  friend constexpr auto operator<=>(SymbolId, SymbolId) = default;
};

/// The venue's client order id as text: at most 36 characters of [.A-Z:/a-z0-9_-].
using ClientText = base::ShortText<36>;

/// Our own orders' ids: the run epoch (raised and fsynced at every start) and a counter within the run, so
/// that no id is ever used twice and none needs to be durable before a send. Text form:
/// "phx-EEEEEEEE-CCCCCCCCCCCC", both in lower-case hexadecimal of fixed width.
struct ClientOrderId {
  /// Of orders that close positions in an emergency, from outside every run.
  static constexpr std::uint32_t closing_epoch = 0xffff'ffff;

  std::uint32_t epoch = 0;
  std::uint64_t counter = 0;  ///< below 2^48

  ClientText text() const;
  /// Empty when `text` is not one of ours.
  static std::optional<ClientOrderId> parse(std::string_view text);
  friend constexpr auto operator<=>(ClientOrderId, ClientOrderId) = default;
};
struct ClientOrderIdHash {
  std::size_t operator()(ClientOrderId id) const {
    return static_cast<std::size_t>((id.counter ^ (static_cast<std::uint64_t>(id.epoch) << 48)) *
                                    0x9e3779b97f4a7c15ULL);
  }
};

/// Number of one request we sent, unique within a run; ties an answer to its question.
struct RequestId {
  std::uint64_t value = 0;
  friend constexpr auto operator<=>(RequestId, RequestId) = default;
};
struct RequestIdHash {
  std::size_t operator()(RequestId id) const {
    return static_cast<std::size_t>(id.value * 0x9e3779b97f4a7c15ULL);
  }
};

}  // namespace phoenix::model
