#pragma once

#include "model/instrument.hpp"
#include "model/order.hpp"
#include "venue/binance/weights.hpp"

#include <string_view>

namespace phoenix::venue::binance {

struct Verdict {
  model::Outcome outcome = model::Outcome::unknown;
  model::Refusal refusal = model::Refusal::other;  ///< with refused
  friend constexpr bool operator==(const Verdict&, const Verdict&) = default;
};

/// What an answer means. `http_status` is that of REST or the `status` of the WS-API, 0 when there was no
/// answer; `code` and `message` are the body's, 0 and empty when it has none. An element of a batch is given
/// with the status of the whole. What the venue may or may not have done is `unknown` for requests that
/// change something and `refused` (overloaded: ask again later) for queries.
Verdict classify(model::Product product, int http_status, int code, std::string_view message,
                 RequestKind kind);

}  // namespace phoenix::venue::binance
